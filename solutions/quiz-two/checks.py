"""What the judge asks in the quiz of part II. Students never get this file."""

from lstm_ref.practice.quiz import Answer, answered

PACKAGES = ("numpy",)

ANSWERS = {
    "two_biases": Answer(
        4 * (3 * 5 + 5 * 5 + 2 * 5),
        {
            "one_bias": (
                180,
                "PyTorch has two biases for each gate, one for the input and one for "
                "the hidden state.",
            ),
            "one_gate": (50, "That is one of the four blocks."),
            "no_bias": (160, "The biases are missing."),
        },
    ),
    "both_at_one": Answer(
        2,
        {
            "as_one": (1, "The two are added: it is the sum that the gate sees."),
            "sigmoid": (
                0.7311,
                "That is the gate's value for a bias of 1. Asked for is the bias that it sees.",
            ),
        },
    ),
    "last_column": Answer(
        "c",
        {
            "last_word": (
                "a",
                "That would be so with packing. Here the layer goes on over the padding.",
            ),
            "zeros": (
                "b",
                "Zeros are what packing leaves there. Without it the layer computes a "
                "state from the padding.",
            ),
            "an_error": ("d", "Nothing in this call tells PyTorch that anything is padding."),
        },
    ),
    "masked": Answer(
        3,
        {
            "all_steps": (2, "The padding has been counted: divide by the number of valid steps."),
            "by_sequences": (6, "That divides by the two sequences; a mean over steps was asked."),
            "mean_of_means": (
                4,
                "That is the mean of the two sequences' means, in which the short one counts as "
                "much as the long one.",
            ),
        },
    ),
    "third_call": Answer(
        6,
        {
            "the_last": (2, "backward() adds to .grad; nothing sets it to zero by itself."),
            "mean": (2 / 3, "backward() adds to .grad, it takes no mean."),
        },
    ),
    "clipped": Answer(
        0.8,
        {
            "each_number": (
                1,
                "That clips each number by itself. The whole gradient is divided by "
                "its norm, so that its direction stays.",
            ),
            "not_clipped": (4, "The norm is 5, which is larger than 1."),
            "by_the_sum": (4 / 7, "The norm is the root of the sum of squares."),
        },
    ),
    "evaluation": Answer(
        "a",
        {
            "zero_grad": ("b", "Gradients change no output before optimizer.step()."),
            "no_grad": ("c", "no_grad saves memory; the outputs are the same with and without."),
            "shuffle": ("d", "The order of the examples changes no output of an example."),
        },
    ),
    "axes": Answer(
        "b",
        {
            "features": ("a", "The last axis is that of the features in both layouts."),
            "layers": ("c", "Layers are no axis of the input."),
            "nothing": (
                "d",
                "No error is no proof: with unequal sizes, too, PyTorch takes what it gets.",
            ),
        },
    ),
    "last_only": Answer(
        20,
        {
            "all_steps": (140, "That is with return_sequences=True."),
            "features": (12, "The outputs have H numbers for each sequence, not D."),
            "with_the_cell": (40, "The cell state comes only with return_state=True."),
        },
    ),
    "larger_batch": Answer(
        "d",
        {
            "products": (
                "a",
                "Products of larger matrices use a processor better: the time for "
                "each example falls.",
            ),
            "calls": (
                "b",
                "The number of calls stays the same for more examples, so that each "
                "example costs fewer.",
            ),
            "loading": ("c", "Loading in larger pieces is no slower for each example."),
        },
    ),
}

CHECKS = answered("quiz-two", ANSWERS)

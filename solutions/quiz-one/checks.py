"""What the judge asks in the quiz of part I. Students never get this file."""

import math

from lstm_ref.practice.quiz import Answer, answered

PACKAGES = ("numpy",)

ANSWERS = {
    "half": Answer(
        14,
        {
            "linear": (
                10,
                "That would be so if each step took 0.05 of the first value. Each step "
                "multiplies what is left by 0.95.",
            ),
            "one_step_early": (
                13,
                "After 13 steps 0.95 to the power 13 is left, which is still more than half.",
            ),
            "forgets_half": (1, "0.95 is what is kept at each step, not what is lost."),
        },
    ),
    "weights": Answer(
        4 * (3 * 5 + 5 * 5 + 5),
        {
            "one_gate": (45, "That is one gate. There are three, and the candidate."),
            "two_biases": (200, "That is with two biases for each gate; here there is one."),
            "no_bias": (160, "The biases are missing."),
            "three_gates": (135, "The candidate has weights of its own, too."),
        },
    ),
    "keeping": Answer(
        "b",
        {
            "keeps_and_adds": (
                "a",
                "With the input gate open the candidate is added at each step.",
            ),
            "overwrites": ("c", "That throws the old value away and takes the new one."),
            "clears": ("d", "That sets the cell to zero."),
        },
    ),
    "path": Answer(
        "a",
        {
            "weights": (
                "b",
                "That is the way of a plain RNN, and the second way through h. The "
                "direct way through the cell meets no matrix.",
            ),
            "what_is_written": (
                "c",
                "That is what is added to the cell; its derivative by the old "
                "cell, with the gates held, is zero.",
            ),
            "what_is_read": (
                "d",
                "That is on the way from the cell to h, and not from cell to cell.",
            ),
        },
    ),
    "bound": Answer(
        0.9**20,
        {
            "adds": (18.0, "The factors of the steps are multiplied, not added."),
            "lost_share": (0.1**20, "0.9 is what is kept at each step."),
            "nothing_lost": (
                1.0,
                "The derivative of tanh is at most 1; the weight 0.9 remains at each step.",
            ),
        },
    ),
    "clipping": Answer(
        "b",
        {
            "vanishing": (
                "a",
                "A clipped gradient is shorter, never longer. What has vanished stays so.",
            ),
            "both": (
                "c",
                "A clipped gradient is never longer, so that it cannot bring back what "
                "has vanished.",
            ),
            "overfitting": (
                "d",
                "Clipping changes the length of a step, not what the model can learn by heart.",
            ),
        },
    ),
    "surprise": Answer(
        math.exp(1.5),
        {
            "bits": (2**1.5, "That is right for a loss in bits; this one is in nats."),
            "the_loss": (1.5, "That is the loss itself."),
            "inverse": (
                math.exp(-1.5),
                "That is the mean probability of a character (a geometric "
                "mean); the perplexity is its inverse.",
            ),
        },
    ),
    "tie": Answer(
        "d",
        {
            "table_wins": (
                "a",
                "The difference is a tenth of the uncertainty: another seed may turn it round.",
            ),
            "lstm_wins": (
                "b",
                "The number of the LSTM is the larger one, and a loss is better "
                "when it is smaller.",
            ),
            "rounding": ("c", "Rounding has nothing to do with it; two seeds differ more."),
        },
    ),
    "strip": Answer(
        "c",
        {
            "nothing": (
                "a",
                "Then the model could use no character of the strip before. The state "
                "is carried on.",
            ),
            "both": (
                "b",
                "Then the graph would grow over the whole text. It is cut at the border.",
            ),
            "gradient": ("d", "Gradients run back to the border and end there."),
        },
    ),
    "states": Answer(
        4 * 7 * 5,
        {
            "inputs": (84, "That is the size of the input."),
            "last_step": (20, "That is the state of one step."),
            "one_sequence": (35, "That is one sequence of the four."),
        },
    ),
}

CHECKS = answered("quiz-one", ANSWERS)

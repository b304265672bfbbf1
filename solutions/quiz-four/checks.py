"""What the judge asks in the quiz of part IV. Students never get this file."""

from lstm_ref.practice.quiz import Answer, answered

PACKAGES = ("numpy",)

ANSWERS = {
    "shifted": Answer(
        "b",
        {
            "its_target": ("a", "Then the word that must be said is among the inputs."),
            "wrong_way": (
                "c",
                "That is the target: it ends with the end mark, and the input "
                "begins with the start mark.",
            ),
            "both_marks": ("d", "The end mark is said, and never read."),
        },
    ),
    "attention": Answer(
        1 / 3,
        {
            "over_padding": (
                0.2,
                "The padding got a share. Its scores are set to minus infinity before the softmax.",
            ),
            "not_normalised": (1, "The weights of the valid words add up to one."),
        },
    ),
    "short": Answer(
        "a",
        {
            "long": (
                "b",
                "Each further word adds a negative logarithm, so that long outputs have "
                "smaller sums.",
            ),
            "greedy": (
                "c",
                "With more than one beam it finds sums that greedy decoding misses, "
                "and these favour short outputs.",
            ),
            "repeats": ("d", "Repetition is another fault, and does not follow from the sum."),
        },
    ),
    "collapse": Answer(
        "c",
        {
            "not_merged": ("a", "Equal neighbours are one letter."),
            "merged_once_more": ("b", "The two b have a blank between them: they are two letters."),
            "blanks_first": (
                "d",
                "The blanks were removed first. Equal neighbours are merged first, so that a blank "
                "keeps two equal letters apart.",
            ),
        },
    ),
    "word_errors": Answer(
        0.5,
        {
            "over_the_answer": (
                0.4,
                "Divide by the number of words of the reference, not of the answer.",
            ),
            "substitutions_only": (0.25, "A word too many is an error, too."),
            "accuracy": (0.75, "That is the share of reference words that were heard."),
        },
    ),
    "yesterday": Answer(
        "d",
        {
            "good": (
                "a",
                "The eye sees two curves near each other. The error at each time is the "
                "step from one day to the next.",
            ),
            "overfitted": ("b", "On the test set over-fitting looks worse than this."),
            "leak": ("c", "A leak would make the curve fit without the shift."),
        },
    ),
    "coverage": Answer(
        0.8,
        {
            "upper_only": (
                0.9,
                "Below the 0.9 quantile lie 0.9 of all values, of which 0.1 lie "
                "below the lower one.",
            ),
            "the_tails": (0.2, "That is what lies outside."),
        },
    ),
    "scan": Answer(
        "b",
        {
            "no_gates": ("a", "It has gates; they depend on the input only."),
            "short": ("c", "The length does not matter; what matters is what the gates depend on."),
            "no_state": ("d", "It has a state: a weighted sum, which a scan computes in parallel."),
        },
    ),
    "saved": Answer(
        "a",
        {
            "training_set": ("b", "A forecast needs no training examples."),
            "gradients": (
                "c",
                "Gradients are needed only to go on training, and not even then after zero_grad().",
            ),
            "curve": ("d", "The loss curve is good to keep, and no forecast needs it."),
        },
    ),
    "stream": Answer(
        "c",
        {
            "window": ("a", "That works, and computes each step as often as the window is long."),
            "batch": ("b", "Examples of a batch know nothing of each other."),
            "padding": ("d", "Padding is not what came before."),
        },
    ),
}

CHECKS = answered("quiz-four", ANSWERS)

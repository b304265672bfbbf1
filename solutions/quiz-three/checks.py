"""What the judge asks in the quiz of part III. Students never get this file."""

import math

from lstm_ref.practice.quiz import Answer, answered

PACKAGES = ("numpy",)

ANSWERS = {
    "first_loss": Answer(
        math.log(4),
        {
            "in_bits": (2, "That is in bits. Losses of the libraries are in nats."),
            "one_quarter": (0.25, "That is the probability; the loss is its negative logarithm."),
            "no_logarithm": (4, "That is the perplexity; the loss is its logarithm."),
        },
    ),
    "always_no": Answer(
        0.95,
        {
            "the_rare": (
                0.05,
                "That is the share of the rare class, on which the model is always wrong.",
            ),
            "a_coin": (0.5, "A coin would have this; the model always gives the same answer."),
            "useless": (0, "It is useless, and right in 95 of 100 cases all the same."),
        },
    ),
    "f1": Answer(
        0.6,
        {
            "arithmetic": (
                0.625,
                "That is the arithmetic mean of precision and recall; F1 is the harmonic one.",
            ),
            "precision": (0.75, "That is the precision."),
            "recall": (0.5, "That is the recall."),
        },
    ),
    "scaler": Answer(
        "c",
        {
            "everything": (
                "a",
                "Then mean and spread of the test years are known to the model "
                "before it is tested.",
            ),
            "each_part": ("b", "Then the same temperature is another number in each part."),
            "test": ("d", "That is the part of which nothing may be known."),
        },
    ),
    "skill": Answer(
        0.5,
        {
            "ratio_turned": (
                2,
                "That is how much larger the baseline's error is. Skill is one "
                "minus the model's share of it.",
            ),
            "against_the_model": (
                -1,
                "The two have been exchanged: divided is by the baseline's error.",
            ),
        },
    ),
    "one_batch": Answer(
        "d",
        {
            "rate_zero": ("a", "With a rate of zero nothing is learnt, not even one batch."),
            "detached": ("b", "Without gradients no batch is learnt."),
            "not_a_number": ("c", "Then the loss is NaN at the first step, and nothing is learnt."),
        },
    ),
    "best_of_many": Answer(
        "b",
        {
            "unbiased": (
                "a",
                "Each of the 64 is judged fairly; the best of them was chosen for "
                "its luck on these very examples.",
            ),
            "too_low": ("c", "The largest of many uncertain numbers is rather too large."),
            "nothing": ("d", "It tells something, but too much: by how much can be estimated."),
        },
    ),
    "lag_zero": Answer(
        "a",
        {
            "vanishing": (
                "b",
                "What vanishes falls from lag to lag, and is never exactly zero at the second.",
            ),
            "forget_bias": ("c", "A small forget gate makes it small, not exactly zero."),
            "rate": ("d", "The rate comes after the gradient and does not change it."),
        },
    ),
    "forget_bias": Answer(
        math.log(100),
        {
            "one": (
                1,
                "With a bias of 1 the gate keeps 0.73 at each step: after 100 steps "
                "nothing is left.",
            ),
            "the_gate": (0.99, "That is the gate's value. Its bias is what the sigmoid takes."),
            "the_lag": (100, "The gate would be 1 to 40 digits, and could not learn to forget."),
        },
    ),
    "pruned": Answer(
        "c",
        {
            "a_fifth": (
                "a",
                "A zero takes as many bytes as any other number, unless it is stored "
                "in another way.",
            ),
            "a_half": (
                "b",
                "A zero takes as many bytes as any other number, and a mask comes on top.",
            ),
            "unchanged_speed": (
                "d",
                "Zeros are multiplied like other numbers; the time stays nearly the same.",
            ),
        },
    ),
}

CHECKS = answered("quiz-three", ANSWERS)

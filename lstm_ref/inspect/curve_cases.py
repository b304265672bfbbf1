"""The texts of the loss-curve doctor: causes, what each would show in a curve, and the measurement
that settles it.

The limits were measured on the runs of `benchmarks/curves.py`; a test holds that every seed of
every run keeps those of its cause.
"""

from __future__ import annotations

from typing import NamedTuple

Sign = tuple[str, str, float]  # reading, "at least" or "at most", limit

READINGS = {
    "end": "training loss at the end",
    "gap": "validation loss divided by training loss, at the end",
    "early": "validation loss divided by training loss, in the first quarter",
    "rise": "validation loss at the end divided by its least",
    "late": "training loss at the end divided by that at three quarters",
    "jump": "jaggedness of the validation loss (mean second difference)",
}


class Cause(NamedTuple):
    """What may stand behind a curve."""

    name: str
    signs: tuple[Sign, ...]  # what the curve must show; often more than one cause fits
    settles: str  # the measurement that settles it
    why: str  # how it makes this curve, and what to do


class Measure(NamedTuple):
    """What a reader may do next."""

    title: str
    tells: str  # what its number is


MEASURES = {
    "wait": Measure("Leave it alone, eight times as long", "training loss at the end"),
    "larger": Measure("The same with a rate 30 times as large", "training loss at the end"),
    "smaller": Measure("The same with a tenth of the rate", "training loss at the end"),
    "again": Measure(
        "The loss of all training data once more, dropout off", "training loss at the end"
    ),
    "evaluated": Measure(
        "The validation loss once more, in evaluation mode", "validation loss at the end"
    ),
    "norm": Measure(
        "The norm of the gradient before clipping",
        "median norm, in units of the limit (of 1 without a limit)",
    ),
    "simple": Measure("A linear model on the same data", "its validation loss"),
    "split": Measure("A split that is made before any example is copied", "validation loss"),
    "data": Measure("The same with nine times as many training examples", "validation loss"),
    "pairs": Measure(
        "Inputs beside their targets", "correlation of the last input with the mean target"
    ),
}

CAUSES = {
    "sound": Cause(
        "Nothing is wrong",
        (("end", "at most", 0.5), ("gap", "at most", 2.0), ("jump", "at most", 0.15)),
        "split",
        "Both losses fall and stay together. So they do when validation holds copies of training "
        "data: the curve cannot vouch for the split. Keep the run, and check the split once.",
    ),
    "plateau": Cause(
        "A plateau: the loss will fall if the run is left alone",
        (("end", "at least", 0.9), ("jump", "at most", 0.005)),
        "wait",
        "The gradient of a task with a long memory is small until the memory works. Wait, or make "
        "the start easier; do not let a rule for stopping end the first run.",
    ),
    "rate-small": Cause(
        "The learning rate is far too small",
        (("end", "at least", 0.7), ("jump", "at most", 0.005)),
        "larger",
        "The weights hardly move, so the validation loss is a smooth line. Try rates in steps of "
        "ten or thirty before anything else.",
    ),
    "rate-large": Cause(
        "The learning rate is too large",
        (("jump", "at least", 0.15), ("rise", "at least", 1.1), ("early", "at most", 3.0)),
        "smaller",
        "Validation always asks the same examples: where its loss jumps, the weights jumped. Take "
        "a smaller rate, or let it fall.",
    ),
    "pairs": Cause(
        "Inputs and targets do not belong together",
        (("end", "at least", 0.9), ("jump", "at most", 0.03)),
        "pairs",
        "The model learns the mean and nothing else, for there is nothing else. Look at inputs "
        "and targets, pair by pair, at the place where the model receives them.",
    ),
    "noise": Cause(
        "Noise: nothing more can be learned from these data",
        (("end", "at least", 0.5), ("late", "at least", 0.85), ("gap", "at most", 1.25)),
        "simple",
        "Both losses stop together, where the noise begins. A simple model that stops there as "
        "well makes it likely; only better data go lower.",
    ),
    "order": Cause(
        "The data are not shuffled",
        (("gap", "at least", 3.0), ("early", "at least", 3.0)),
        "again",
        "Neighbours in the file resemble each other. The model follows the last batches, which "
        "looks like learning in the loss of the batches, and forgets the rest. Shuffle.",
    ),
    "overfitting": Cause(
        "Overfitting: too few data for this model",
        (("gap", "at least", 2.0), ("rise", "at least", 1.3), ("early", "at most", 2.0)),
        "data",
        "At first the two losses fall together; then training goes on by heart. More data help "
        "most; the page on overfitting measures the other remedies.",
    ),
    "leak": Cause(
        "A leak: validation holds examples of the training data",
        (("end", "at most", 0.5), ("gap", "at most", 2.0)),
        "split",
        "What is learned by heart is right on the copies, too. Split first, by time or by group, "
        "and copy, draw or augment afterwards.",
    ),
    "clipping": Cause(
        "The gradient explodes, and clipping hides it",
        (("end", "at least", 0.9), ("jump", "at least", 0.03)),
        "norm",
        "Every step has the same small length, in a direction that says little. Look for what "
        "makes the gradient explode: here, a recurrent matrix that is too large at the start.",
    ),
    "mode": Cause(
        "Validation is computed in training mode, with dropout",
        (("gap", "at least", 1.05), ("gap", "at most", 2.0), ("early", "at most", 2.0)),
        "evaluated",
        "The curve judges the model with a part of its units missing; the whole model is better. "
        "In PyTorch, call model.eval() before validation and model.train() after it.",
    ),
    "dropout": Cause(
        "Dropout is on in training only: no fault",
        (("gap", "at most", 0.95), ("end", "at most", 0.9)),
        "again",
        "The training loss is that of a model with half of its units missing; validation asks the "
        "whole model. Compare two losses only if both were computed in evaluation mode.",
    ),
}

# Which causes are offered for each stored run, in the order of CAUSES; and the order of the runs.
OFFERED = {
    "rate-small": ("plateau", "rate-small", "noise", "clipping"),
    "overfitting": ("rate-large", "order", "overfitting", "mode"),
    "dropout": ("sound", "leak", "mode", "dropout"),
    "pairs": ("rate-small", "pairs", "noise", "clipping"),
    "leak": ("sound", "overfitting", "leak", "dropout"),
    "rate-large": ("rate-large", "noise", "order", "overfitting"),
    "plateau": ("plateau", "rate-small", "pairs", "clipping"),
    "sound": ("sound", "overfitting", "leak", "dropout"),
    "order": ("rate-large", "order", "overfitting", "mode"),
    "noise": ("rate-small", "noise", "overfitting", "mode"),
    "mode": ("sound", "noise", "overfitting", "mode"),
    "clipping": ("plateau", "pairs", "noise", "clipping"),
}

# What the settling measurement of each stored run says; a number of a measurement stands in braces.
SETTLED = {
    "rate-small": "At a rate 30 times as large, as many updates end at {larger}. Eight times as "
    "many updates at the small rate end at {wait}.",
    "overfitting": "With nine times as many training examples the validation loss ends at {data}. "
    "Waiting only makes the training loss smaller: {wait}.",
    "dropout": "With dropout off, the training loss is {again}: below validation, as it should be.",
    "pairs": "The correlation of inputs and targets is {pairs}. Neither a larger rate ({larger}) "
    "nor time ({wait}) brings the loss below that of a constant answer.",
    "leak": "Split before the copies are made, the validation loss is {split}: above 1, a constant "
    "answer is better than this model.",
    "rate-large": "At a tenth of the rate the training loss ends at {smaller}; waiting at this "
    "rate gives {wait}.",
    "plateau": "Left alone eight times as long, the same run ends at {wait}. At a rate 30 times as "
    "large it ends at {larger}.",
    "sound": "The split was made by time, before anything was drawn: the validation loss is "
    "{split}, as in the curve.",
    "order": "The loss of all training data, computed at once, is {again}: the small training loss "
    "was that of the last few batches only. That excludes overfitting.",
    "noise": "A linear model on the same data ends at {simple}. Waiting brings the training loss "
    "down to {wait}, by heart.",
    "mode": "In evaluation mode the validation loss of the same model is {evaluated}.",
    "clipping": "Before clipping the gradient is {norm} times as long as the limit. The loss may "
    "fall all the same if one waits ({wait}): only the norm names the cause.",
}

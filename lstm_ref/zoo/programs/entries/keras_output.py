"""Keras: outputs and the loss that they are given to."""

from __future__ import annotations

from lstm_ref.zoo.programs.measures import (
    minus,
    outside_unit,
    rows_not_one,
    trained,
    training_loss,
)
from lstm_ref.zoo.programs.registry import SickProgram
from lstm_ref.zoo.registry import Change

_SIGMOID = 'self.out = layers.Dense(1, activation="sigmoid")'
_DENSE = "model.add(layers.Dense(1))"

KERAS_OUTPUT = (
    SickProgram(
        id="keras_logits_as_probabilities",
        plain="keras_reviews",
        family="output",
        title="Logits are given to a loss that was told to expect probabilities.",
        changes=(Change("chances = layers.Softmax()(scores)", "chances = scores"),),
        finding=("loss-wants-probabilities",),
        symptom="The loss jumps and accuracy stays low.",
        cause="from_logits is False unless it is said; negative scores are clipped to nearly zero.",
        fix="Say from_logits=True, or end in a softmax.",
        hints=(
            "Between which numbers do the outputs lie?",
            "What does the loss do with an output below zero?",
        ),
        measured=trained(60),
        limit=0.4,
        chapter="keras",
    ),
    SickProgram(
        id="keras_softmax_twice",
        plain="keras_reviews",
        family="output",
        title="Probabilities are given to a loss that was told to expect logits.",
        changes=(
            Change(
                "loss = keras.losses.SparseCategoricalCrossentropy()",
                "loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)",
            ),
            Change(
                "chances = layers.Softmax()(scores)",
                "chances = layers.Reshape((C,))(layers.Softmax()(scores))",
            ),
        ),
        finding=("loss-wants-logits",),
        symptom="The loss stops far above zero, at 0.55 for three classes.",
        cause="from_logits=True was copied. Keras looks for a softmax that is the last operation, "
        "and undoes it; behind a reshape it sees none.",
        fix="Leave out either the softmax or from_logits=True.",
        hints=(
            "How small can the loss get when every answer is right?",
            "Who takes the softmax: the model, the loss, or both?",
        ),
        measured=training_loss(100),
        limit=0.4,
        chapter="keras",
    ),
    SickProgram(
        id="keras_softmax_over_batch",
        plain="keras_reviews",
        family="output",
        title="The softmax runs over the examples of the batch.",
        changes=(
            Change(
                "chances = layers.Softmax()(scores)",
                "chances = layers.Softmax(axis=0)(scores)",
            ),
        ),
        finding=("softmax-over-batch", "examples-mixed"),
        symptom="An example's result depends on its neighbours in the batch.",
        cause="Axis 0 is taken for that of the classes.",
        fix="Take the softmax over the last axis.",
        hints=(
            "Give one example alone: is its result the same?",
            "Which sums of the outputs are 1: those over classes or those over examples?",
        ),
        measured=rows_not_one,
        limit=0.1,
        chapter="choices",
    ),
    SickProgram(
        id="keras_softmax_one_unit",
        plain="keras_events",
        family="output",
        title="A softmax of one unit is always 1.",
        changes=(Change(_SIGMOID, 'self.out = layers.Dense(1, activation="softmax")'),),
        finding=("one-output-softmax",),
        symptom="Accuracy stays exactly at the share of one class.",
        cause="Softmax is taken for the usual end of a classifier, also of one with one output.",
        fix="Use a sigmoid for one output, or two outputs.",
        hints=(
            "How many different values do the outputs take?",
            "What is the softmax of a single number?",
        ),
        measured=trained(60),
        limit=0.25,
        chapter="choices",
        source="https://stackoverflow.com/questions/47241622/is-it-okay-to-use-stateful-recurrent-nn-lstm-for-classification",
    ),
    SickProgram(
        id="keras_sigmoid_twice",
        plain="keras_events",
        family="output",
        title="A sigmoid's output is given to a loss that takes the sigmoid itself.",
        changes=(
            Change(
                "loss = keras.losses.BinaryCrossentropy()",
                "loss = keras.losses.BinaryCrossentropy(from_logits=True)",
            ),
            Change("return self.out(h)", "return ops.clip(self.out(h), 1e-6, 1 - 1e-6)"),
        ),
        finding=("loss-wants-logits",),
        symptom="The loss stops at about a half: no event can be certain not to be.",
        cause="from_logits=True was copied. Keras looks for a sigmoid that is the last operation, "
        "and undoes it; behind a clip it sees none.",
        fix="Leave out either the sigmoid or from_logits=True.",
        hints=(
            "How small can the loss get when every answer is right?",
            "What does the loss do to the outputs first?",
        ),
        measured=training_loss(100),
        limit=0.35,
        chapter="keras",
    ),
    SickProgram(
        id="keras_sigmoid_missing",
        plain="keras_events",
        family="output",
        title="The last layer has no sigmoid, and the loss expects chances.",
        changes=(Change(_SIGMOID, "self.out = layers.Dense(1)"),),
        finding=("loss-wants-probabilities",),
        symptom="Accuracy hangs at chance for some seeds; the loss jumps.",
        cause="A dense layer is linear unless an activation is named.",
        fix="Add the sigmoid, or say from_logits=True.",
        hints=(
            "Between which numbers do the outputs lie?",
            "What is the logarithm of a number below zero?",
        ),
        measured=outside_unit,
        limit=0.05,
        chapter="keras",
    ),
    SickProgram(
        id="keras_labels_minus_one",
        plain="keras_events",
        family="output",
        title="Labels are -1 and 1 where the loss expects 0 and 1.",
        changes=(Change("return x, labels[:, None]", "return x, 2 * labels[:, None] - 1"),),
        finding=("label-outside", "loss-negative"),
        symptom="The loss falls below zero and has no floor.",
        cause="The labels are those of another loss (hinge).",
        fix="Use 0 and 1 with cross-entropy.",
        hints=(
            "What sign has the loss after some epochs?",
            "Which labels does binary cross-entropy expect?",
        ),
        measured=minus(training_loss(60)),
        limit=0.0,
        chapter="choices",
    ),
    SickProgram(
        id="keras_relu_last",
        plain="keras_forecast",
        family="output",
        title="The last layer has a relu, and half of the targets lie below zero.",
        changes=(Change(_DENSE, 'model.add(layers.Dense(1, activation="relu"))'),),
        finding=("outputs-cannot-reach-targets",),
        symptom="No forecast below zero.",
        cause="The activation of the hidden layers was copied to the last one.",
        fix="Use no activation for targets of any sign.",
        hints=(
            "What is the smallest output, what is the smallest target?",
            "Which numbers can the last layer return?",
        ),
        measured=trained(100),
        limit=0.25,
        chapter="choices",
    ),
    SickProgram(
        id="keras_sigmoid_narrow",
        plain="keras_forecast",
        family="output",
        title="The last layer has a sigmoid, and the targets are wider than 0 to 1.",
        changes=(Change(_DENSE, 'model.add(layers.Dense(1, activation="sigmoid"))'),),
        finding=("outputs-cannot-reach-targets",),
        symptom="Forecasts are cut off at 0 and 1.",
        cause="The sigmoid was right as long as the series was scaled to 0..1.",
        fix="Use no activation, or scale the targets into its range.",
        hints=(
            "Between which numbers do outputs lie, between which targets?",
            "Which numbers can the last layer return?",
        ),
        measured=trained(100),
        limit=0.25,
        chapter="choices",
    ),
)

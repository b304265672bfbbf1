"""PyTorch: outputs and the loss that they are given to."""

from __future__ import annotations

from lstm_ref.zoo.programs.measures import (
    doubled_batch,
    minus,
    never_negative,
    trained,
    training_loss,
)
from lstm_ref.zoo.programs.registry import SickProgram
from lstm_ref.zoo.registry import Change

TORCH_OUTPUT = (
    SickProgram(
        id="out_sum",
        plain="torch_forecast",
        family="output",
        title="The loss is a sum over the batch.",
        changes=(Change("mse = nn.MSELoss()", 'mse = nn.MSELoss(reduction="sum")'),),
        finding=("loss-sums",),
        symptom=(
            "The gradient grows with the batch: with SGD, a limit of clipping or weight decay, "
            "what was right for 16 examples is wrong for 64. Adam hides it."
        ),
        cause="The sum was taken for the mean.",
        fix="Use the mean, or divide by what is summed over.",
        hints=(
            "Put each example into the batch twice: what does the loss do?",
            "What does the reduction do?",
        ),
        measured=doubled_batch,
        limit=0.5,
        chapter="choices",
    ),
    SickProgram(
        id="out_relu_last",
        plain="torch_forecast",
        family="output",
        title="The forecast ends in a relu, and half of the targets lie below zero.",
        changes=(
            Change("forecast = self.linear(h[-1])", "forecast = torch.relu(self.linear(h[-1]))"),
        ),
        finding=("outputs-cannot-reach-targets",),
        symptom="No forecast below zero.",
        cause="The activation of hidden layers was put behind the last one.",
        fix="Use no activation for targets of any sign.",
        hints=(
            "What is the smallest output, what is the smallest target?",
            "Which numbers can the model return?",
        ),
        measured=never_negative(40),
        limit=0.5,
        chapter="choices",
    ),
    SickProgram(
        id="out_sigmoid_twice",
        plain="torch_own",
        family="output",
        title="A sigmoid's output is given to a loss that takes the sigmoid itself.",
        changes=(
            Change(
                "model = nn.Sequential(OwnLSTM(D, H), nn.Linear(H, 1))",
                "model = nn.Sequential(OwnLSTM(D, H), nn.Linear(H, 1), nn.Sigmoid())",
            ),
        ),
        finding=("loss-wants-logits",),
        symptom="The loss stops at about a half.",
        cause=(
            "The name of the loss says that it wants logits; the model ends as the textbook's does."
        ),
        fix="Leave the sigmoid out, and take it where chances are read.",
        hints=(
            "How small can the loss get when every answer is right?",
            "What does the loss do to the outputs first?",
        ),
        measured=training_loss(120),
        limit=0.4,
        chapter="choices",
    ),
    SickProgram(
        id="out_softmax_one_unit",
        plain="torch_own",
        family="output",
        title="A softmax of one unit is always 1.",
        changes=(
            Change(
                "model = nn.Sequential(OwnLSTM(D, H), nn.Linear(H, 1))",
                "model = nn.Sequential(OwnLSTM(D, H), nn.Linear(H, 1), nn.Softmax(dim=1))",
            ),
            Change("bce = nn.BCEWithLogitsLoss()", "bce = nn.BCELoss()"),
        ),
        finding=("one-output-softmax",),
        symptom="Nothing changes at all.",
        cause=("Softmax is taken for the usual end of a classifier, also of one with one output."),
        fix="Use a sigmoid for one output.",
        hints=(
            "How many different values do the outputs take?",
            "What is the softmax of a single number?",
        ),
        measured=trained(60),
        limit=0.3,
        chapter="choices",
        source="https://github.com/keras-team/keras/issues/1261",
    ),
    SickProgram(
        id="out_labels_minus_one",
        plain="torch_own",
        family="output",
        title="Labels are -1 and 1 where the loss expects 0 and 1.",
        changes=(
            Change(
                "y = (x[:, :, 0].sum(dim=1, keepdim=True) > 0).to(x.dtype)",
                "y = x[:, :, 0].sum(dim=1, keepdim=True).sign()",
            ),
        ),
        finding=(
            "label-outside",
            "loss-negative",
        ),
        symptom="The loss falls below zero and has no floor.",
        cause="The labels are those of another loss (hinge).",
        fix="Use 0 and 1 with cross-entropy.",
        hints=(
            "What sign has the loss after some steps?",
            "Which labels does binary cross-entropy expect?",
        ),
        measured=minus(training_loss(160)),
        limit=0.0,
        chapter="choices",
    ),
)

"""Outputs and the loss that they are given to."""

from __future__ import annotations

from lstm_ref.zoo.programs.measures import calls_differ, minus, training_loss
from lstm_ref.zoo.programs.registry import SickProgram
from lstm_ref.zoo.registry import Change

OUTPUT = (
    SickProgram(
        id="out_softmax_twice",
        plain="torch_classifier",
        family="output",
        title="Probabilities are given to a loss that wants logits.",
        changes=(Change("scores = self.head(last)", "scores = self.head(last).softmax(dim=-1)"),),
        finding=("loss-wants-logits",),
        symptom="The loss stops far above zero, at 0.74 for four classes.",
        cause="The softmax that one wants to see is put into the model; the loss has its own.",
        fix="Return logits; take the softmax where the probabilities are read.",
        hints=(
            "How small can the loss get when every answer is right?",
            "Who takes the softmax: the model, the loss, or both?",
        ),
        measured=training_loss(60),
        limit=0.6,
        chapter="choices",
        source="https://discuss.pytorch.org/t/cross-entropy-loss-is-not-decreasing/43814/16",
    ),
    SickProgram(
        id="out_nll_of_probabilities",
        plain="torch_classifier",
        family="output",
        title="Probabilities are given to a loss that wants their logarithm.",
        changes=(
            Change("scores = self.head(last)", "scores = F.softmax(self.head(last), dim=1)"),
            Change("criterion = nn.CrossEntropyLoss()", "criterion = nn.NLLLoss()"),
        ),
        finding=("loss-wants-log-probabilities", "loss-negative"),
        symptom="The loss is negative.",
        cause="NLLLoss is taken for a loss of probabilities.",
        fix="Use log_softmax with NLLLoss, or logits with CrossEntropyLoss.",
        hints=(
            "What sign has the loss?",
            "What does NLLLoss compute from its first argument?",
        ),
        measured=minus(training_loss(5)),
        limit=0.0,
        chapter="choices",
    ),
    SickProgram(
        id="mode_functional_dropout",
        plain="torch_classifier",
        family="mode",
        title="Dropout goes on in evaluation.",
        changes=(
            Change(
                "last = F.dropout(last, 0.1, training=self.training)",
                "last = F.dropout(last, 0.1)",
            ),
        ),
        finding=("noise-in-evaluation", "not-repeatable"),
        symptom="Two evaluations of the same data differ.",
        cause="The function does not know the model's mode; its default is to drop.",
        fix="Use nn.Dropout, or hand training=self.training on.",
        hints=(
            "Call the model twice on the same batch, in evaluation.",
            "What does the dropout know of eval()?",
        ),
        measured=calls_differ,
        limit=1e-6,
        chapter="pytorch",
        source="https://github.com/pytorch/pytorch/issues/26338",
    ),
)

"""PyTorch: cells of one's own, and padding that is read or scored."""

from __future__ import annotations

from lstm_ref.zoo.programs.measures import (
    early_effect_lost,
    gradient_on_padding,
    saturated_share,
    source_padding_matters,
    trained,
)
from lstm_ref.zoo.programs.registry import SickProgram
from lstm_ref.zoo.registry import Change

TORCH_CELL = (
    SickProgram(
        id="cell_large",
        plain="torch_own",
        family="cell",
        title="The weights are not scaled by their fan-in: every gate is shut or open.",
        changes=(
            Change(
                "self.Wx = nn.Parameter(torch.randn(D, 4 * H) / D**0.5)",
                "self.Wx = nn.Parameter(10 * torch.randn(D, 4 * H))",
            ),
            Change(
                "self.Wh = nn.Parameter(torch.randn(H, 4 * H) / H**0.5)",
                "self.Wh = nn.Parameter(10 * torch.randn(H, 4 * H))",
            ),
        ),
        finding=("gates-saturated",),
        symptom="Slow, rough learning; gates are 0 or 1.",
        cause="The initialisation of another layer was copied.",
        fix="Divide by the root of the number of inputs.",
        hints=("How large are the pre-activations?", "What is the slope of a sigmoid there?"),
        measured=saturated_share,
        limit=0.3,
        chapter="choices",
    ),
    SickProgram(
        id="cell_forget_shut",
        plain="torch_own",
        family="cell",
        title="The forget gate starts shut: nothing is kept for longer than a step.",
        changes=(Change("b[H : 2 * H] = 1.0", "b[H : 2 * H] = -5.0"),),
        finding=("memory-too-short",),
        symptom="Only the last steps count; the rest is learned late or never.",
        cause="The gate is thought to forget when it is open; open means keep.",
        fix="Start its bias at 1 or above.",
        hints=(
            "How long is the half-life of the cell state?",
            "What is the forget gate before training?",
        ),
        measured=early_effect_lost,
        limit=4.0,
        chapter="memory",
    ),
    SickProgram(
        id="pad_in_loss",
        plain="torch_tagger",
        family="padding",
        title="Padding counts in the loss, as class 0.",
        changes=(Change("tags[outside] = -100", "tags[outside] = 0"),),
        finding=("scores-padding",),
        symptom="The loss looks better than the tags are; class 0 is preferred.",
        cause="Targets are padded with the number that pads the tokens.",
        fix="Pad targets with the loss's ignore_index.",
        hints=("How much of the gradient lies behind the ends?", "What does the loss leave out?"),
        measured=gradient_on_padding,
        limit=0.05,
        chapter="masks",
        source="https://github.com/DaoyuanLi2816/Molecule-Generator/pull/20",
    ),
    SickProgram(
        id="pad_index_is_class",
        plain="torch_tagger",
        family="padding",
        title="The loss leaves out a class that exists.",
        changes=(
            Change("tags[outside] = -100", "tags[outside] = 0"),
            Change(
                "criterion = nn.CrossEntropyLoss(ignore_index=-100)",
                "criterion = nn.CrossEntropyLoss(ignore_index=0)",
            ),
        ),
        finding=("label-without-gradient",),
        symptom="One class is never predicted.",
        cause="Padding and the first class have one number.",
        fix="Give padding a number of its own.",
        hints=(
            "Which class is never predicted?",
            "At which targets does the loss have no gradient?",
        ),
        measured=trained(80),
        limit=0.5,
        chapter="masks",
    ),
    SickProgram(
        id="pad_in_attention",
        plain="torch_translator",
        family="padding",
        title="Attention looks at padding.",
        changes=(Change("scores = scores.masked_fill((source == 0)[:, None], -torch.inf)", ""),),
        finding=("reads-padding",),
        symptom="A translation depends on the longest sentence of its batch.",
        cause="The softmax gives every place a share, also those behind the end.",
        fix="Set the scores of padding to minus infinity.",
        hints=(
            "Append padding to the source: does any output move?",
            "Which places get a weight above zero?",
        ),
        measured=source_padding_matters,
        limit=1e-05,
        chapter="translation",
        source="https://github.com/MaximumEntropy/Seq2Seq-PyTorch/issues/6",
    ),
)

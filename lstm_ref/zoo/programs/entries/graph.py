"""Parts that the gradient or the optimizer does not reach."""

from __future__ import annotations

from lstm_ref.zoo.programs.measures import unmoved, unregistered
from lstm_ref.zoo.programs.registry import SickProgram
from lstm_ref.zoo.registry import Change

GRAPH = (
    SickProgram(
        id="opt_modules_in_list",
        plain="torch_cells",
        family="graph",
        title="The cells lie in a Python list, which the module does not look into.",
        changes=(
            Change(
                "self.cells = nn.ModuleList([nn.LSTMCell(sizes[k], H) for k in range(depth)])",
                "self.cells = [nn.LSTMCell(sizes[k], H) for k in range(depth)]",
            ),
        ),
        finding=("not-registered",),
        symptom="The recurrent weights never change, and are not saved.",
        cause="A list is a list: only modules that are attributes count as parts.",
        fix="Use nn.ModuleList.",
        hints=(
            "Count the parameters that the model knows.",
            "In what kind of container do the cells lie?",
        ),
        measured=unregistered,
        limit=0.5,
        chapter="pytorch",
        source="https://github.com/ikostrikov/pytorch-meta-optimizer/issues/11",
    ),
    SickProgram(
        id="opt_parameters_missing",
        plain="torch_classifier",
        family="graph",
        title="The optimizer knows the last layer only.",
        changes=(
            Change(
                "optimizer = torch.optim.Adam(model.parameters(), lr=rate)",
                "optimizer = torch.optim.Adam(model.head.parameters(), lr=rate)",
            ),
        ),
        finding=("not-in-optimizer",),
        symptom="The recurrent weights never change.",
        cause="A line that trained the head alone was left in.",
        fix="Give the optimizer the parameters of the whole model.",
        hints=(
            "Which parameters are the same after ten steps?",
            "Which parameters does the optimizer hold?",
        ),
        measured=unmoved(5),
        limit=0.3,
        chapter="training-step",
    ),
    SickProgram(
        id="opt_embedding_detached",
        plain="torch_reviews",
        family="graph",
        title="The embedded words are detached from the embedding.",
        changes=(
            Change("words = self.embedding(tokens)", "words = self.embedding(tokens).detach()"),
        ),
        finding=("no-gradient", "gradient-cut"),
        symptom="The embedding keeps its first values.",
        cause="detach, .data or a new tensor stands on the way.",
        fix="Use the embedded words as they come.",
        hints=(
            "Which parameters have no gradient after backward?",
            "Follow the graph back from the loss: where does it end?",
        ),
        measured=unmoved(5),
        limit=0.05,
        chapter="pytorch",
    ),
)

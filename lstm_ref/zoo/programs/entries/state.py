"""State that is lost, kept too long, drawn at random or cut off."""

from __future__ import annotations

from lstm_ref.zoo.programs.measures import calls_differ, lag_learned, trained
from lstm_ref.zoo.programs.registry import SickProgram
from lstm_ref.zoo.registry import Change

_START = "start = x.new_zeros(len(x), self.H)"
_CARRY = "states[k] = (h, c)"

STATE = (
    SickProgram(
        id="state_never_updated",
        plain="torch_cells",
        family="state",
        title="Every step starts from the first state again.",
        changes=(Change(_CARRY, ""),),
        finding=("short-reach",),
        symptom="Accuracy at chance: only the last symbol matters.",
        cause="The cell returns its new state, and nothing keeps it.",
        fix="Keep the state that the cell returns.",
        hints=(
            "Change an early step: does any output move?",
            "What does the cell get as its state at the second step?",
        ),
        measured=trained(60),
        limit=0.4,
        chapter="layer",
    ),
    SickProgram(
        id="state_cut_each_step",
        plain="torch_cells",
        family="state",
        title="The state is detached at every step.",
        changes=(Change(_CARRY, "states[k] = (h.detach(), c.detach())"),),
        finding=("gradient-cut",),
        symptom="What is long ago has an effect that is never learned.",
        cause="detach stands in the loop over time, not between batches.",
        fix="Detach between stretches of text, never between the steps of one.",
        hints=(
            "An early step moves the output: does it get a gradient?",
            "Where in the loop does the graph end?",
        ),
        measured=lag_learned,
        limit=0.5,
        chapter="long-text",
    ),
    SickProgram(
        id="state_random_start",
        plain="torch_cells",
        family="state",
        title="Each call starts from a state drawn at random.",
        changes=(Change(_START, "start = x.new_zeros(len(x), self.H).normal_()"),),
        finding=("not-repeatable", "noise-in-evaluation"),
        symptom="Two evaluations of the same data differ.",
        cause="A random start is taken for an initialisation, which is done once.",
        fix="Start from zeros, or from a learned state.",
        hints=(
            "Call the model twice on the same batch, in evaluation.",
            "Which line of forward draws random numbers?",
        ),
        measured=calls_differ,
        limit=1e-6,
        chapter="layer",
    ),
    SickProgram(
        id="state_kept_between_batches",
        plain="torch_cells",
        family="state",
        title="The state of one batch starts the next, unrelated one.",
        changes=(
            Change("self.depth = depth", "self.states = None"),
            Change(
                "states = [(start, start) for cell in self.cells]",
                "if self.states is None:\n    self.states = [(start, start) for cell in "
                "self.cells]\n"
                "states = [(h[: len(x)].detach(), c[: len(x)].detach()) for h, c in self.states]",
            ),
            Change(
                "return self.fc(value)",
                (
                    "self.states = [(h.detach(), c.detach()) for h, c in states]\nreturn "
                    "self.fc(value)"
                ),
            ),
        ),
        finding=("state-carried",),
        symptom="Two evaluations of the same data differ; results depend on the order of batches.",
        cause="The state is an attribute of the model, and nothing sets it back.",
        fix="Start each batch of unrelated sequences from zeros.",
        hints=(
            "Call the model twice on the same batch, in evaluation.",
            "What of the first call is still there in the second?",
        ),
        measured=calls_differ,
        limit=1e-6,
        chapter="long-text",
    ),
)

"""The zoo: known mistakes in an LSTM, each a right line and a wrong line, with symptom, cause, fix
and source.

The instant checks, the judge and the book read this one registry. `BUGS` are those in NumPy;
`PYTORCH` are those in code around an LSTM in PyTorch, which is imported only when one of them is
run. `SLIPS` are slips of the hand, which have no story.

>>> bug = find("no_forget_gate")
>>> bug.function, bug.changes[0].wrong
('lstm_step', 'c = c_prev + i * g')
"""

from __future__ import annotations

from lstm_ref.zoo import backward, forward
from lstm_ref.zoo.backward import BACKWARD
from lstm_ref.zoo.forward import FORWARD
from lstm_ref.zoo.pytorch import PYTORCH
from lstm_ref.zoo.registry import FUNCTIONS, Bug, Change, source_of, step_caches
from lstm_ref.zoo.slips import CACHE_ORDERS, SLIPS

BUGS: tuple[Bug, ...] = (*FORWARD, *BACKWARD)
OTHER_ORDERS: tuple[Bug, ...] = (*forward.OTHER_ORDERS, *backward.OTHER_ORDERS)

__all__ = [
    "BUGS",
    "CACHE_ORDERS",
    "FUNCTIONS",
    "OTHER_ORDERS",
    "PYTORCH",
    "SLIPS",
    "Bug",
    "Change",
    "backward_bugs",
    "find",
    "forward_bugs",
    "source_of",
    "step_caches",
]


def find(id: str) -> Bug:
    """Entry with this id.

    Raises
    ------
    KeyError : when there is none; the message lists those that there are
    """
    for bug in (*BUGS, *PYTORCH, *OTHER_ORDERS, *SLIPS):
        if bug.id == id:
            return bug
    raise KeyError(
        f"zoo.find: no entry {id!r}; there are {', '.join(bug.id for bug in (*BUGS, *PYTORCH))}"
    )


def forward_bugs() -> tuple[Bug, ...]:
    """Mistakes in `lstm_step` and `lstm_forward`, without those that are only another gate order or
    layout.
    """
    return tuple(bug for bug in FORWARD if not bug.convention)


def backward_bugs() -> tuple[Bug, ...]:
    """Mistakes in `lstm_step_backward` and `lstm_backward`, without those that are only another
    gate order or layout.
    """
    return tuple(bug for bug in BACKWARD if not bug.convention)

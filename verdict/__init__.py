"""Compare what a function returned with what it should have returned, and name the mistake.

Shared by the instant checks in a notebook and by the judge that grades it, so that both say the
same about the same work. It knows nothing of LSTMs and nothing of sandboxes: a check is data, a
call is a callable.
"""

from verdict.check import (
    Answer,
    Case,
    Check,
    Mend,
    Misconception,
    Property,
    Status,
    StudentError,
    Verdict,
)
from verdict.classify import classify
from verdict.conventions import charge_once, unmet
from verdict.holds import examine

__all__ = [
    "Answer",
    "Case",
    "Check",
    "Mend",
    "Misconception",
    "Property",
    "Status",
    "StudentError",
    "Verdict",
    "charge_once",
    "classify",
    "examine",
    "unmet",
]

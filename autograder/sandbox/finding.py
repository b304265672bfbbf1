"""What came of one question that a box was asked."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One thing that was tried from inside a box: what, whether the box holds, what came of it,
    what to do.
    """

    question: str
    holds: bool
    answer: str
    remedy: str = ""

"""The result of one attempt of the self-test."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One attempt from inside a box.

    Parameters
    ----------
    question : what was attempted
    holds : whether the box prevented it
    answer : what happened
    remedy : what to change on this machine; empty if nothing
    """

    question: str
    holds: bool
    answer: str
    remedy: str = ""

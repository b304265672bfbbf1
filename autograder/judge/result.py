"""What came of one submission: plain data that goes to JSON and back without loss."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

# How a note begins that quotes the inside of a check: it stays in the record and never reaches a
# page that a student may see.
FOR_INSTRUCTOR = "For the instructor: "


@dataclass(frozen=True)
class CheckResult:
    """What came of one check.

    ``name`` is the check's, which is also the grade_id of the notebook cell that carries the
    points. ``status`` is a word of ``verdict.Status``. ``message`` and ``hints`` are for the
    student; no expected value stands in them. ``answer`` stands for a wrong answer that was not
    recognised, from `sketch`: equal answers have equal numbers.
    """

    name: str
    title: str
    points: float
    score: float
    status: str
    message: str
    misconception: str | None = None
    hints: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    answer: tuple[float, ...] = ()

    def advice(self) -> list[str]:
        """What the student reads beside the message: the first hint, and the warnings."""
        return [f"Hint: {hint}" for hint in self.hints[:1]] + [
            f"Note: {warning}" for warning in self.warnings
        ]


@dataclass(frozen=True)
class Result:
    """What came of one submission.

    Parameters
    ----------
    problem_set, student : names
    seed : what the inputs were drawn from; the same seed gives the same inputs, so that a grade can
        be looked into again
    isolation : how the student's code was held apart: ``"bubblewrap"``, ``"podman"``, ``"docker"``
        or ``"unsafe-local"``
    content_hash : of the cells and of the problem set; the same hash needs no second grading
    checks : one record per check, in the order of the problem set
    notes : what happened outside the checks: cells that failed, packages that are missing
    output : the end of what the student's code printed
    seconds : phase -> wall clock
    versions : "python", "numpy" -> version
    log : what happened while it was graded, line by line: workers that came and were lost,
        tracebacks of a check that failed
    """

    problem_set: str
    student: str
    seed: str
    isolation: str
    content_hash: str
    checks: tuple[CheckResult, ...]
    notes: tuple[str, ...] = ()
    output: str = ""
    seconds: Mapping[str, float] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    log: tuple[str, ...] = ()

    @property
    def score(self) -> float:
        """Points reached."""
        return sum(check.score for check in self.checks)

    @property
    def max_score(self) -> float:
        """Points there are."""
        return sum(check.points for check in self.checks)

    def check(self, name: str) -> CheckResult:
        """Return the record of one check by name.

        Raises
        ------
        KeyError : with the names there are
        """
        for check in self.checks:
            if check.name == name:
                return check
        raise KeyError(
            f"no check {name!r}; there are {', '.join(check.name for check in self.checks)}"
        )

    def to_json(self) -> str:
        """JSON text; `from_json` gives the same record back."""
        return json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Result:
        """Result from the text that `to_json` wrote."""
        data: dict[str, Any] = json.loads(text)
        checks = tuple(
            CheckResult(
                **{
                    **check,
                    "hints": tuple(check["hints"]),
                    "warnings": tuple(check["warnings"]),
                    "answer": tuple(check.get("answer", ())),
                }
            )
            for check in data.pop("checks")
        )
        return cls(
            checks=checks, notes=tuple(data.pop("notes")), log=tuple(data.pop("log", ())), **data
        )

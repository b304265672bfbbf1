"""What became of one submission."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from nbformat import NotebookNode

from autograder.judge.result import Result


@dataclass(frozen=True)
class Outcome:
    """Outcome of one submission, without its result and notebook, so that a class of thousands fits
    into memory.

    Parameters
    ----------
    student : name
    path, log : files of the record and the log; None where there are none
    problem : why it could not be graded; else empty
    judged : whether it was judged now; False where the record was up to date
    refused : whether the submission itself cannot be graded; then an earlier score is removed, too
    """

    student: str
    path: Path | None = None
    log: Path | None = None
    problem: str = ""
    judged: bool = False
    refused: bool = False

    @property
    def result(self) -> Result | None:
        """The judge's result, read from the record; None where the submission could not be
        graded.
        """
        return read_result(self.path) if self.path is not None and not self.problem else None


@dataclass(frozen=True)
class Graded:
    """An outcome with the result and notebook to enter; None where it could not be graded."""

    outcome: Outcome
    result: Result | None = None
    notebook: NotebookNode | None = None


def read_result(path: Path) -> Result | None:
    """Result in a record; None where it is missing, damaged, or a refusal."""
    with suppress(OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return Result.from_json(path.read_text(encoding="utf-8"))
    return None

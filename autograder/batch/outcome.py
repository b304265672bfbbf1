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
    changed : what is another score than an earlier grading gave, and why; empty where none is
    """

    student: str
    path: Path | None = None
    log: Path | None = None
    problem: str = ""
    judged: bool = False
    refused: bool = False
    changed: str = ""

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


def change_of(before: Result | None, after: Result) -> str:
    """Both scores, and the checks whose scores differ; empty where there was no score, or the same
    one for each check.
    """
    if before is None:
        return ""
    was, now = ({check.name: check for check in result.checks} for result in (before, after))
    told = [f"{name} is asked no more" for name in was if name not in now]
    for name, check in now.items():
        if name not in was:
            told.append(f"{name} is asked now")
        elif was[name].score != check.score or was[name].points != check.points:
            states = dict.fromkeys((was[name].status, check.status))
            told.append(
                f"{name} {was[name].score:g} of {was[name].points:g} -> {check.score:g} of "
                f"{check.points:g}, {' -> '.join(states)}"
            )
    if not told:
        return ""
    return (
        f"{before.score:g} of {before.max_score:g} -> {after.score:g} of {after.max_score:g} "
        f"({'; '.join(told)})"
    )


def read_result(path: Path) -> Result | None:
    """Result in a record; None where it is missing, damaged, or a refusal."""
    with suppress(OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return Result.from_json(path.read_text(encoding="utf-8"))
    return None

"""What a student is told where no answer came: what went wrong, where, and what it hangs on."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass

from autograder.errors import (
    OutOfMemory,
    ProtocolError,
    StudentFailure,
    TimeUsedUp,
    WorkerDied,
    WorkerError,
    WorkerTimeout,
)
from autograder.judge.newer_python import newer_python
from autograder.judge.session import Session
from verdict import Status, StudentError, Verdict, classify

MAX_NAMES = 5000  # among which one is looked for that is meant; a long notebook binds a few hundred


@dataclass(frozen=True)
class Explainer:
    """Sentences on what a session went through; they change nothing, and decide no points.

    Parameters
    ----------
    session : in which the cells ran
    packages : that students may import
    """

    session: Session
    packages: tuple[str, ...]

    def lost_while_loading(self, error: WorkerError) -> Verdict:
        """The verdict for every check where the cells could not be run."""
        if not self.session.read:
            return Verdict(Status.CRASHED, f"The cells cannot be read: {error}.")
        status = Status.TIMEOUT if isinstance(error, WorkerTimeout) else Status.CRASHED
        what = describe_loss(error, self.session.load_limit)
        return Verdict(status, f"The cells could not be run to their end: {what}")

    def cells(self) -> list[str]:
        """Notes on what went wrong in the cells; it costs nothing unless a check needs what is then
        missing.
        """
        notes = []
        for c, cell in enumerate(self.session.read):
            if cell.error is not None:
                notes.append(f"Code cell {c + 1} is not Python and was left out. {cell.error}")
            if cell.note:
                notes.append(f"Code cell {c + 1}: {cell.note}.")
        for (c, s), failure in self.session.failures.items():
            line = self.session.read[c].statements[s].line
            notes.append(f"Code cell {c + 1}, the statement in line {line} failed: {failure}")
        for (c, s), error in self.session.lost.items():
            line = self.session.read[c].statements[s].line
            lost = describe_loss(error, self.session.statement_limit)
            notes.append(f"Code cell {c + 1}, the statement in line {line} was left out: {lost}")
        return notes

    def failure(self, failure: StudentFailure) -> StudentError:
        """What is said of an exception in a function of the student's."""
        if failure.kind == "TooLarge":
            return StudentError(
                Status.ERROR, f"What the function returned cannot be taken: {failure.text}."
            )
        if cause := self._failed_above(failure):
            return StudentError(
                *self._explained(
                    cause, f"{failure.kind}: {failure.text}{failure.place}. The cause lies above: "
                )
            )
        status, message = self._explained(failure)
        name = re.match(r"name '(\w+)' is not defined", failure.text)
        if failure.kind == "NameError" and name and self._is_left_out(name.group(1)):
            return self.missing(name.group(1))  # a given function calls it
        if (
            failure.kind == "NameError"
            and status is Status.ERROR
            and name
            and not self._binds(name.group(1))
        ):
            if re.match(rf"return\b.*\b{name.group(1)}\b", failure.source):
                return StudentError(
                    status,
                    f"{name.group(1)} is returned, and nothing gives it a value: is it a result "
                    f"that is not written yet, or has it another name above? {message}",
                )
            message += (
                f". No cell of the notebook gives {name.group(1)} a value: was its cell deleted, "
                "while your own kernel still remembers it? Restart the kernel and run all cells."
            )
        return StudentError(status, message)

    def _binds(self, name: str) -> bool:
        """Whether a statement at the level of the notebook gives a name a value."""
        return any(
            name in statement.binds for cell in self.session.read for statement in cell.statements
        )

    def _is_left_out(self, function: str) -> bool:
        """Whether a function of the notebook is not there because its statement failed, or its cell
        is not Python.
        """
        for c, cell in enumerate(self.session.read):
            if cell.error and re.search(
                rf"^[ \t]*def\s+{function}\b", self.session.cells[c], re.MULTILINE
            ):
                return True
            for s, statement in enumerate(cell.statements):
                gone = (c, s) in self.session.failures or (c, s) in self.session.lost
                if gone and statement.defines and function in statement.binds:
                    return True
        return False

    def _failed_above(self, failure: StudentFailure) -> StudentFailure | None:
        """Failure of the statement that would have bound the name that is missing: an import, or a
        value made on a GPU.
        """
        name = re.search(r"name '(\w+)'", failure.text)
        if failure.kind != "NameError" or not name:
            return None
        for (c, s), cause in self.session.failures.items():
            statement = self.session.read[c].statements[s]
            an_import = cause.kind in ("ImportError", "ModuleNotFoundError")
            if name.group(1) in statement.binds and (an_import or not statement.defines):
                return cause
        return None

    def missing(self, function: str, is_value: bool = False) -> StudentError:
        """Why there is no such function or value: its statement failed, its cell is no Python, or
        nobody wrote it.
        """
        what = f"{'value' if is_value else 'function'} {function}"
        for c, cell in reversed(list(enumerate(self.session.read))):
            for s, statement in reversed(list(enumerate(cell.statements))):
                if function in statement.binds:
                    place = f"code cell {c + 1}, line {statement.line}"
                    where = f"There is no {what}: the statement that defines it ({place})"
                    return self._statement_lost(c, s, where) or _taken_away(function, is_value)
        if (broken := self._broken_cell(function)) is not None:
            error = self.session.read[broken].error
            assert error is not None
            where = f"There is no {what}: code cell {broken + 1}, which names it, is not Python. "
            return StudentError(*self._explained(error, where))
        bound = {
            name for cell in self.session.read for one in cell.statements for name in one.binds
        }
        near = difflib.get_close_matches(function, sorted(bound)[:MAX_NAMES], n=1)
        hint = f" There is {near[0]}; is it the one?" if near else ""
        return StudentError(Status.UNFINISHED, f"There is no {what} in the notebook.{hint}")

    def _statement_lost(self, c: int, s: int, where: str) -> StudentError | None:
        """Why a statement gave no value to what it defines; None where it ran to its end."""
        if (c, s) in self.session.failures:
            failure = self.session.failures[c, s]
            cause = self._failed_above(failure) or failure
            return StudentError(*self._explained(cause, f"{where} failed. "))
        if (c, s) in self.session.lost:
            lost = describe_loss(self.session.lost[c, s], self.session.statement_limit)
            return StudentError(Status.CRASHED, f"{where} did not end well: {lost}")
        return None

    def _broken_cell(self, function: str) -> int | None:
        """Cell that is no Python and would define a function; where none does, the first one that
        names it.
        """
        broken = [c for c, cell in enumerate(self.session.read) if cell.error]
        for pattern in (rf"^[ \t]*(async\s+)?def\s+{function}\b", rf"\b{function}\b"):
            found = [c for c in broken if re.search(pattern, self.session.cells[c], re.MULTILINE)]
            if found:
                return found[-1 if pattern.startswith("^") else 0]
        return None

    def _explained(self, failure: StudentFailure, before: str = "") -> tuple[Status, str]:
        status, sentence = classify(failure.kind, failure.text, self.packages)
        later = newer_python(failure.kind, failure.text, failure.source)
        return status, f"{before}{sentence}{failure.place}{later}"


def _taken_away(name: str, is_value: bool) -> StudentError:
    """A name was given a value, and has none now, or another one."""
    if is_value:
        told = f"{name} has no value yet: it is None, or it was deleted."
        return StudentError(Status.UNFINISHED, told)
    told = (
        f"{name} is not a function any more: something else was given that name, or it was deleted."
    )
    return StudentError(Status.ERROR, told)


def describe_loss(error: WorkerError, seconds: float) -> str:
    """Why there is no answer, for the student."""
    match error:
        case TimeUsedUp():
            return "the time for all checks together was used up."
        case WorkerTimeout():
            return f"no answer within {seconds:g} seconds. Is there a loop without an end?"
        case OutOfMemory():
            return f"the code took more memory than the task allows ({error})."
        case ProtocolError():
            return (
                "the code wrote to the judge's own connection, or answered with more than it can "
                f"take ({error})."
            )
        case WorkerDied() if "SIGKILL" in str(error):
            return f"its process was killed ({error}), by the code itself or for want of memory."
    return f"the code ended its own process ({error})."

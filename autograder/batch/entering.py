"""Enter graded submissions into the gradebook: one writer, in groups, with retries while it is
locked.
"""

from __future__ import annotations

import shutil
import stat
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from autograder.batch.outcome import Graded, Outcome
from autograder.course.course import SECRET, TIMESTAMP, Course
from autograder.course.gradebook import Writer
from autograder.errors import GradebookError, StoreError
from autograder.files import unwritable_name, write_atomic

GROUP = 32  # submissions in one transaction at the most
RETRY_AFTER = 30.0  # seconds before a locked gradebook is tried again


@dataclass
class Entering:
    """Enters groups of submissions; while the gradebook is locked, they are queued by name.

    Parameters
    ----------
    writer : of the gradebook
    again : student -> the graded submission, from its record
    say : called with a warning when the gradebook is locked
    """

    writer: Writer
    again: Callable[[str], Graded]
    say: Callable[[str], None]
    _waiting: list[str] = field(default_factory=list)
    _retry_at: float = 0.0  # by time.monotonic()

    def enter(self, group: Sequence[Graded]) -> list[Outcome]:
        """Enter submissions, or queue them; an outcome says why one could not be entered."""
        if time.monotonic() < self._retry_at:
            self._waiting += [graded.outcome.student for graded in group]
            return [graded.outcome for graded in group]
        try:
            return self._enter(group)
        except GradebookError as error:
            if not self._waiting:
                self.say(f"{error} Until then the grading goes on, and the scores wait.")
            self._waiting += [graded.outcome.student for graded in group]
            self._retry_at = time.monotonic() + RETRY_AFTER
            return [graded.outcome for graded in group]

    def enter_waiting(self) -> Iterator[Outcome]:
        """Enter the queued submissions, from their records.

        Raises
        ------
        GradebookError : it still is
        """
        for start in range(0, len(self._waiting), GROUP):
            students = self._waiting[start : start + GROUP]
            yield from self._enter([self.again(student) for student in students])

    def _enter(self, group: Sequence[Graded]) -> list[Outcome]:
        try:
            with self.writer.at_once():
                for graded in group:
                    save(self.writer, graded)
            return [graded.outcome for graded in group]
        except GradebookError:
            raise
        except Exception as error:  # one of them cannot be entered: find it by entering each alone
            if isinstance(error, StoreError) and error.full:
                raise
            if len(group) > 1:
                return [outcome for graded in group for outcome in self._enter([graded])]
            problem = f"it could not be entered: {type(error).__name__}: {error}"
            return [replace(group[0].outcome, problem=problem, judged=False)]


def save(writer: Writer, graded: Graded) -> None:
    """Enter a submission into the gradebook, and its notebook into the folder of what is graded."""
    outcome = graded.outcome
    if unwritable_name(outcome.student):
        return
    if outcome.refused:
        remove_autograded(writer.course, writer.problem_set.name, outcome.student)
        writer.refuse(outcome.student)
    elif graded.result is None or graded.notebook is None:
        writer.enter(outcome.student)
    else:
        write_autograded(writer.course, writer.problem_set.name, outcome.student, graded.notebook)
        writer.save(outcome.student, graded.notebook, graded.result)


def write_autograded(
    course: Course, problem_set: str, student: str, notebook: NotebookNode
) -> None:
    """Write a graded notebook to ``autograded/``, where formgrader and
    ``nbgrader generate_feedback`` read it.

    Of the other submitted files only the time stamp and the secret of ``nbgrader release_feedback``
    are copied.

    Raises
    ------
    StoreError : the disk is full, or cannot be written
    """
    target = course.autograded(student, problem_set)
    files = {f"{problem_set}.ipynb": nbformat.writes(notebook) + "\n"}
    for name in (TIMESTAMP, SECRET):
        brought = course.submission(student, problem_set) / name
        if brought.is_file() and not brought.is_symlink() and brought.stat().st_size <= 1000:
            files[name] = brought.read_text(encoding="utf-8", errors="replace")
    if target.is_symlink() or any(
        path.name not in files or not path.is_file() for path in _inside(target)
    ):
        remove_autograded(course, problem_set, student)
    mode = int(str(664 if course.directory.groupshared else 444), 8)
    for name, text in files.items():
        write_atomic(target / name, text, mode)
    if course.directory.groupshared:
        target.chmod(stat.S_IMODE(target.stat().st_mode) | 0o2770)


def _inside(folder: Path) -> list[Path]:
    return list(folder.iterdir()) if folder.is_dir() else []


def remove_autograded(course: Course, problem_set: str, student: str) -> None:
    """Remove the graded notebook of an earlier submission, as nbgrader does before it grades."""
    target = course.autograded(student, problem_set)
    if target.exists():
        shutil.rmtree(target)

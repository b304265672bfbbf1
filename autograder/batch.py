"""Grade many submissions at once: many judges, one writer, and nothing lost when it is stopped.

What the judge found is written to ``records/<problem set>/<student>.json`` the moment it is known. Who is graded again later is
only who handed in something else, or whom another problem set asks.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
import shutil
import stat
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import nbformat
from nbformat import NotebookNode

from autograder import problem_set as problem_sets
from autograder.errors import AutograderError, ClusterError, IsolationError
from autograder.gradebook import (
    SECRET,
    TIMESTAMP,
    Course,
    GradebookError,
    Writer,
    fill,
    open_gradebook,
    read_timestamp,
    register,
)
from autograder.judge import content_hash, grade
from autograder.pool import Judges, Stopped
from autograder.problem_set import ProblemSet
from autograder.rebuild import SubmissionError, cells_to_run, notes_of, read_notebook, read_release, rebuild
from autograder.record import Record
from autograder.sandbox import Bubblewrap, Elsewhere, Isolation, UnsafeLocal, choose

if TYPE_CHECKING:
    from autograder.cluster import Cluster

# Submissions that wait at a cluster's scheduler: enough that no worker waits for this machine, also one that joins later.
AHEAD, MOST_AHEAD = 64, 512

Ask: TypeAlias = Callable[[Sequence[str], str, str], Record]


@dataclass(frozen=True)
class Outcome:
    """What became of one submission.

    Parameters
    ----------
    student : who handed it in
    record, notebook : what the judge found, and the graded notebook; None where it could not be graded
    problem : why it could not be graded; else empty
    judged : whether the judge was asked now; False where an earlier record still holds
    refused : whether it is the submission that cannot be graded; then no earlier score stands for it either
    """

    student: str
    record: Record | None = None
    notebook: NotebookNode | None = None
    problem: str = ""
    judged: bool = False
    refused: bool = False


@dataclass(frozen=True)
class Grading:
    """All that is needed to grade a submission of one problem set.

    Parameters
    ----------
    course, problem_set : what is graded
    release : the notebook that students got
    isolation : where the students' code runs
    key : of the course, from which the inputs are drawn; no student knows it
    """

    course: Course
    problem_set: ProblemSet
    release: NotebookNode
    isolation: Isolation
    key: bytes

    @classmethod
    def prepare(cls, course: Course, name: str, unsafe_local: bool = False, elsewhere: bool = False) -> Grading:
        """Load a problem set and try out the isolation, unless the students' code runs elsewhere, on a cluster's workers.

        Raises
        ------
        AutograderError : no such problem set, no released notebook, or no isolation on this machine
        """
        problem_set = problem_sets.load(name, course.root)
        release = read_release(problem_set)
        isolation = (
            Elsewhere((UnsafeLocal if unsafe_local else Bubblewrap).level) if elsewhere else choose(unsafe_local)
        )
        return cls(course, problem_set, release, isolation, course_key(course.records))

    def grade(self, student: str, ask: Ask | None = None, force: bool = False) -> Outcome:
        """Grade what a student handed in, or take the record that still holds.

        A submission that cannot be graded is an outcome as well. The record is written before this returns.

        Parameters
        ----------
        student : whose submission
        ask : (cells, seed, student) -> record; the judge in this process when left out
        force : ask also where the record still holds

        Raises
        ------
        IsolationError : the sandbox cannot be started; this says nothing about the student
        """
        path = self.course.submission(student, self.problem_set.name) / f"{self.problem_set.name}.ipynb"
        try:
            if not path.exists() and not path.is_symlink():
                raise SubmissionError(_missing(path))
            read_timestamp(path.with_name(TIMESTAMP))  # one that says nothing must not pass for "in time"
            notebook = rebuild(self.release, read_notebook(path)).notebook
        except SubmissionError as error:
            self.refuse(student, str(error))
            return Outcome(student, problem=str(error), refused=True)
        record, judged = self.judge(student, notebook, ask, force)
        fill(notebook, record)
        return Outcome(student, record, notebook, judged=judged)

    def judge(
        self, student: str, notebook: NotebookNode, ask: Ask | None = None, force: bool = True
    ) -> tuple[Record, bool]:
        """Ask the judge about a rebuilt notebook, unless a record still holds.

        Returns
        -------
        record, and whether the judge was asked
        """
        cells, notes = cells_to_run(notebook), notes_of(notebook)
        known = None if force else self.read(student)
        if known is not None and self._holds(known, cells, notes):
            return known, False
        record = (ask or self._ask)(cells, self.seed(student, cells), student)
        record = replace(record, notes=(*notes, *record.notes))
        self._write(student, record.to_json())
        return record, True

    def _ask(self, cells: Sequence[str], seed: str, student: str) -> Record:
        return grade(cells, self.problem_set, seed=seed, isolation=self.isolation, student=student)

    def refuse(self, student: str, problem: str) -> None:
        """Write down that a submission could not be graded, and why."""
        refusal = {"problem_set": self.problem_set.name, "student": student, "problem": problem}
        self._write(student, json.dumps(refusal, indent=1, ensure_ascii=False) + "\n")

    def seed(self, student: str, cells: list[str]) -> str:
        """Seed of the inputs: the same for the same work of the same student, and foreseeable by nobody without the key."""
        text = "|".join([self.problem_set.name, student, content_hash(cells, self.problem_set)])
        return hmac.new(self.key, text.encode("utf-8", "surrogateescape"), hashlib.sha256).hexdigest()

    def read(self, student: str) -> Record | None:
        """Record of an earlier grading; None where there is none that can be read."""
        with suppress(OSError, ValueError, KeyError, TypeError):
            return Record.from_json(self._path(student).read_text(encoding="utf-8"))
        return None

    def _holds(self, record: Record, cells: list[str], notes: list[str]) -> bool:
        return (
            record.content_hash == content_hash(cells, self.problem_set)
            and record.isolation == self.isolation.level
            and list(record.notes[: len(notes)]) == notes
        )

    def _path(self, student: str) -> Path:
        return self.course.records / self.problem_set.name / f"{student}.json"

    def _write(self, student: str, text: str) -> None:
        """Write a record at once or not at all: whoever is stopped in the middle leaves no half of one."""
        path = self._path(student)
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f".{path.name}.{os.getpid()}.part")
        part.write_text(text, encoding="utf-8")
        os.replace(part, path)


def course_key(folder: Path) -> bytes:
    """Secret of the course, made at first use and readable by its owner only. With it, a seed in a record can be made again.

    Raises
    ------
    AutograderError : the file is there and holds no key
    """
    path = folder / "course.key"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        part = folder / f".course.key.{secrets.token_hex(4)}"
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "w") as file:
            file.write(secrets.token_hex(32) + "\n")
        with suppress(FileExistsError):
            os.link(part, path)  # unlike a rename, it does not replace the key that another process made meanwhile
        part.unlink()
    try:
        key = bytes.fromhex(path.read_text().strip())
    except (OSError, ValueError):
        key = b""
    if len(key) < 16:
        raise AutograderError(
            f"{path} holds no key. Restore it from a copy, or remove it: a new one is made, and seeds of old records "
            "can no longer be made again from it."
        )
    return key


def run(
    grading: Grading,
    students: Iterable[str],
    *,
    jobs: int = 0,
    force: bool = False,
    scheduler: str = "",
    progress: Callable[[Outcome], None] = lambda outcome: None,
) -> list[Outcome]:
    """Grade submissions and enter them into the gradebook.

    Parameters
    ----------
    grading : from `Grading.prepare`
    students : whose submissions
    jobs : how many at once; 0 for one per core, and for more than the workers can take where a cluster grades
    force : also those whose record still holds
    scheduler : address of a Dask cluster that grades; empty for this machine
    progress : called after each

    Returns
    -------
    one outcome per student, sorted by name

    Raises
    ------
    GradebookError : the gradebook cannot be written. The records are there: the same command goes on where this one ended
    IsolationError : the sandbox can no longer be started
    ClusterError : the cluster cannot be reached, or is gone
    """
    outcomes: list[Outcome] = []
    unwritten: list[Outcome] = []
    with open_gradebook(grading.course.directory) as gradebook:
        register(gradebook, grading.course.directory, grading.problem_set.name, grading.release)
        writer = Writer(gradebook, grading.course, grading.problem_set)
        with closing(_graded(grading, list(students), jobs, force, scheduler)) as graded:
            for outcome in graded:
                try:
                    outcome = _save(writer, outcome)
                except GradebookError:
                    unwritten.append(outcome)  # perhaps the lock is gone when all are judged
                outcomes.append(outcome)
                progress(outcome)
        for outcome in unwritten:
            _save(writer, outcome)
    return sorted(outcomes, key=lambda outcome: outcome.student)


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _graded(grading: Grading, students: list[str], jobs: int, force: bool, scheduler: str) -> Generator[Outcome]:
    """Outcomes as they come. When this is left early, nobody waits for the judges: they are ended."""
    with ExitStack() as stack:
        judges: Judges | Cluster
        if scheduler:
            from autograder.cluster import Cluster  # Dask takes a second to import

            judges = Cluster(scheduler, grading.problem_set, grading.isolation)
            jobs = jobs or min(max(2 * judges.slots, AHEAD), MOST_AHEAD)
        else:
            judges = Judges(grading.problem_set.folder, grading.isolation)
        # Entered first, so left last: leaving waits for the threads, which wait for the judges.
        pool = stack.enter_context(ThreadPoolExecutor(jobs or cores()))
        stack.enter_context(judges)
        waiting = {pool.submit(_grade_one, grading, judges.ask, student, force) for student in students}
        try:
            while waiting:
                done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                for future in done:
                    yield future.result()
        finally:
            for future in waiting:
                future.cancel()


def _grade_one(grading: Grading, ask: Ask, student: str, force: bool) -> Outcome:
    if not student.isprintable() or not _is_text(student):
        return Outcome(student, problem="the folder's name holds characters that cannot be written; rename it")
    try:
        return grading.grade(student, ask, force)
    except (IsolationError, ClusterError, Stopped):
        raise
    except Exception as error:  # whatever one submission brings about, the others are graded
        problem = f"the grading itself failed: {type(error).__name__}: {error}"
        grading.refuse(student, problem)
        return Outcome(student, problem=problem)


def _is_text(name: str) -> bool:
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _save(writer: Writer, outcome: Outcome) -> Outcome:
    """Enter an outcome into the gradebook; what comes back says also why that could not be done for this one."""
    if not _is_text(outcome.student):
        return outcome
    try:
        if outcome.refused:
            remove_autograded(writer.course, writer.problem_set.name, outcome.student)
            writer.refuse(outcome.student)
        elif outcome.record is None or outcome.notebook is None:
            writer.enter(outcome.student)
        else:
            write_autograded(writer.course, writer.problem_set.name, outcome.student, outcome.notebook)
            writer.save(outcome.student, outcome.notebook, outcome.record)
    except GradebookError:
        raise
    except Exception as error:
        return Outcome(outcome.student, problem=f"it could not be entered: {type(error).__name__}: {error}")
    return outcome


def write_autograded(course: Course, problem_set: str, student: str, notebook: NotebookNode) -> None:
    """Put a graded notebook where formgrader and ``nbgrader generate_feedback`` look for it, as nbgrader would leave it.

    Of the other files that were handed in only two go with it, the time stamp and the secret under which
    ``nbgrader release_feedback`` lays the feedback down: nothing is executed there.
    """
    remove_autograded(course, problem_set, student)
    target = course.autograded(student, problem_set)
    target.mkdir(parents=True)
    files = {f"{problem_set}.ipynb": nbformat.writes(notebook) + "\n"}
    for name in (TIMESTAMP, SECRET):
        brought = course.submission(student, problem_set) / name
        if brought.is_file() and not brought.is_symlink() and brought.stat().st_size <= 1000:
            files[name] = brought.read_text(encoding="utf-8", errors="replace")
    mode = int(str(664 if course.directory.groupshared else 444), 8)
    for name, text in files.items():
        (target / name).write_text(text, encoding="utf-8")
        (target / name).chmod(mode)
    if course.directory.groupshared:
        target.chmod(stat.S_IMODE(target.stat().st_mode) | 0o2770)


def remove_autograded(course: Course, problem_set: str, student: str) -> None:
    """Remove the graded notebook of an earlier submission, as nbgrader does before it grades."""
    target = course.autograded(student, problem_set)
    if target.exists():
        shutil.rmtree(target)


def _missing(path: Path) -> str:
    there = sorted(other.name for other in path.parent.glob("*.ipynb"))
    found = f"there is {', '.join(there[:3])}; give it that name" if there else "nothing that ends in .ipynb is there"
    return f"{path.name} was not handed in; {found}"

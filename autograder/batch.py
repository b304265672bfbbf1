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
import time
import traceback
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, TypeAlias

import nbformat
from nbformat import NotebookNode

from autograder import problem_set as problem_sets
from autograder import submission_log
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
from autograder.store import StoreError, clear_parts, only_one, part_of, write_whole

if TYPE_CHECKING:
    from autograder.cluster import Cluster

# Submissions that wait at a cluster's scheduler: enough that no worker waits for this machine, also one that joins later.
AHEAD, MOST_AHEAD = 64, 512
GROUP = 32  # submissions that are entered into the gradebook at once, where that many are ready
PAUSE = 30.0  # seconds before a gradebook that was locked is tried again
MOST_BYTES = 200  # of a student's name: files are called after it

Ask: TypeAlias = Callable[[Sequence[str], str, str], Record]


@dataclass(frozen=True)
class Outcome:
    """What became of one submission. It holds neither record nor notebook: a class of thousands fits into memory.

    Parameters
    ----------
    student : who handed it in
    path : of the record; None where there is none
    log : of what happened while it was graded; None where there is none
    problem : why it could not be graded; else empty
    judged : whether the judge was asked now; False where an earlier record still holds
    refused : whether it is the submission that cannot be graded; then no earlier score stands for it either
    """

    student: str
    path: Path | None = None
    log: Path | None = None
    problem: str = ""
    judged: bool = False
    refused: bool = False

    @property
    def record(self) -> Record | None:
        """What the judge found, read from its file; None where the submission could not be graded."""
        return read_record(self.path) if self.path is not None and not self.problem else None


@dataclass(frozen=True)
class Graded:
    """An outcome, and what is to be entered into the gradebook: nothing where it could not be graded."""

    outcome: Outcome
    record: Record | None = None
    notebook: NotebookNode | None = None


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
    def prepare(
        cls,
        course: Course,
        name: str,
        unsafe_local: bool = False,
        elsewhere: bool = False,
        judges: Judges | None = None,
    ) -> Grading:
        """Load a problem set, have its checks looked over, and try out the isolation.

        Parameters
        ----------
        course, name : of the problem set
        unsafe_local : no isolation
        elsewhere : the students' code runs on a cluster's workers, so that there is no isolation to be tried out here
        judges : of the same problem set, which look its checks over already; this process does it when left out

        Raises
        ------
        AutograderError : no such problem set, no released notebook, or no isolation on this machine
        """
        with ThreadPoolExecutor(1) as beside:  # to try out the isolation is mostly to wait for boxes
            chosen = beside.submit(_elsewhere if elsewhere else choose, unsafe_local)
            problem_set = problem_sets.load(name, course.root, look_over=judges is None)
            release = read_release(problem_set)
            isolation = chosen.result()
        if judges is not None:
            judges.look_over()
        return cls(course, problem_set, release, isolation, course_key(course.records))

    def grade(self, student: str, ask: Ask | None = None, force: bool = False) -> Graded:
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
            return Graded(self.outcome(student, problem=str(error), refused=True))
        record, judged = self.judge(student, notebook, ask, force)
        fill(notebook, record)
        return Graded(self.outcome(student, judged=judged), record, notebook)

    def outcome(self, student: str, problem: str = "", judged: bool = False, refused: bool = False) -> Outcome:
        """Outcome of a submission whose record was written."""
        return Outcome(student, self.path(student), self.log_path(student), problem, judged, refused)

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
        self._write(student, record.to_json(), submission_log.of(record))
        return record, True

    def _ask(self, cells: Sequence[str], seed: str, student: str) -> Record:
        return grade(cells, self.problem_set, seed=seed, isolation=self.isolation, student=student)

    def refuse(self, student: str, problem: str, details: str = "") -> None:
        """Write down that a submission could not be graded, and why."""
        refusal = {"problem_set": self.problem_set.name, "student": student, "problem": problem}
        log = submission_log.of_refusal(self.problem_set.name, student, problem, details)
        self._write(student, json.dumps(refusal, indent=1, ensure_ascii=False) + "\n", log)

    def seed(self, student: str, cells: list[str]) -> str:
        """Seed of the inputs: the same for the same work of the same student, and foreseeable by nobody without the key."""
        text = "|".join([self.problem_set.name, student, content_hash(cells, self.problem_set)])
        return hmac.new(self.key, text.encode("utf-8", "surrogateescape"), hashlib.sha256).hexdigest()

    def read(self, student: str) -> Record | None:
        """Record of an earlier grading; None where there is none that can be read."""
        return read_record(self.path(student))

    def _holds(self, record: Record, cells: list[str], notes: list[str]) -> bool:
        return (
            record.content_hash == content_hash(cells, self.problem_set)
            and self._is_held_as_well(record.isolation)
            and list(record.notes[: len(notes)]) == notes
            and [check.name for check in record.checks] == [check.name for check in self.problem_set.checks]
        )

    def _is_held_as_well(self, level: str) -> bool:
        if isinstance(self.isolation, Elsewhere):
            return self.isolation.may_be(level)
        return level == self.isolation.level

    def path(self, student: str) -> Path:
        """File of a student's record."""
        return self.course.records / self.problem_set.name / f"{student}.json"

    def log_path(self, student: str) -> Path:
        """File that tells what happened when a student's submission was graded."""
        return self.course.logs / self.problem_set.name / f"{student}.log"

    def _write(self, student: str, record: str, log: str) -> None:
        """Write log and record; the record last, for it says that the submission is graded."""
        write_whole(self.log_path(student), log)
        write_whole(self.path(student), record)


def _elsewhere(unsafe_local: bool) -> Elsewhere:
    return Elsewhere((UnsafeLocal if unsafe_local else Bubblewrap).level)


def read_record(path: Path) -> Record | None:
    """Record in a file; None where there is none that can be read: it is missing, damaged, or says why there is no score."""
    with suppress(OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return Record.from_json(path.read_text(encoding="utf-8"))
    return None


def course_key(folder: Path) -> bytes:
    """Secret of the course, made at first use and readable by its owner only. With it, a seed in a record can be made again.

    Raises
    ------
    AutograderError : the file is there and holds no key
    """
    path = folder / "course.key"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        clear_parts(folder)
        part = part_of(path)
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with open(descriptor, "w") as file:
                file.write(secrets.token_hex(32) + "\n")
            with suppress(FileExistsError):
                os.link(part, path)  # unlike a rename, it does not replace the key that another process made meanwhile
        finally:
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
    say: Callable[[str], None] = lambda text: None,
    judges: Judges | None = None,
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
    say : called with what a person should know at once, though the grading goes on
    judges : on this machine, who are up already; they are ended here, and made here when left out

    Returns
    -------
    one outcome per student, sorted by name

    Raises
    ------
    GradebookError : the gradebook cannot be written. The records are there: the same command goes on where this one ended
    StoreError : the disk is full or cannot be written. What was graded is kept, and the same command goes on
    IsolationError : the sandbox can no longer be started
    ClusterError : the cluster cannot be reached, or is gone
    """
    students = list(students)
    name, folder = grading.problem_set.name, grading.course.records / grading.problem_set.name
    try:
        with only_one(folder, f"{name} is being graded"):
            clear_parts(folder)
            clear_parts(grading.course.logs / name)
            return _run(grading, students, jobs, force, scheduler, progress, say, judges)
    except (GradebookError, StoreError) as error:
        kept = sum(grading.path(student).is_file() for student in students if not _unwritable(student))
        error.add_note(f"{kept} of {len(students)} submissions have their record in {folder}; none of it is lost.")
        raise


def _run(
    grading: Grading,
    students: list[str],
    jobs: int,
    force: bool,
    scheduler: str,
    progress: Callable[[Outcome], None],
    say: Callable[[str], None],
    judges: Judges | None,
) -> list[Outcome]:
    outcomes: dict[str, Outcome] = {}
    with open_gradebook(grading.course.directory) as gradebook:
        register(gradebook, grading.course.directory, grading.problem_set.name, grading.release)
        entering = _Entering(grading, Writer(gradebook, grading.course, grading.problem_set), say)
        with closing(_graded(grading, students, jobs, force, scheduler, judges)) as groups:
            for group in groups:
                for outcome in entering.enter(group):
                    outcomes[outcome.student] = outcome
                    progress(outcome)
        for outcome in entering.enter_what_waits():
            outcomes[outcome.student] = replace(outcome, judged=outcomes[outcome.student].judged)
    return sorted(outcomes.values(), key=lambda outcome: outcome.student)


@dataclass
class _Entering:
    """Enters groups of submissions into the gradebook; those for which it is locked wait, by name, until all are judged."""

    grading: Grading
    writer: Writer
    say: Callable[[str], None]
    _waiting: list[str] = field(default_factory=list)
    _again: float = 0.0  # when to try again

    def enter(self, group: Sequence[Graded]) -> list[Outcome]:
        """Enter submissions; what comes back says also why that could not be done for one."""
        if time.monotonic() < self._again:
            self._waiting += [graded.outcome.student for graded in group]
            return [graded.outcome for graded in group]
        try:
            return self._enter(group)
        except GradebookError as error:
            if not self._waiting:
                self.say(f"{error} Until then the grading goes on, and the scores wait.")
            self._waiting += [graded.outcome.student for graded in group]
            self._again = time.monotonic() + PAUSE
            return [graded.outcome for graded in group]

    def enter_what_waits(self) -> Iterator[Outcome]:
        """Enter those for which the gradebook was locked, from their records.

        Raises
        ------
        GradebookError : it still is
        """
        for start in range(0, len(self._waiting), GROUP):
            students = self._waiting[start : start + GROUP]
            yield from self._enter([_grade_one(self.grading, None, student, force=False) for student in students])

    def _enter(self, group: Sequence[Graded]) -> list[Outcome]:
        try:
            with self.writer.at_once():
                for graded in group:
                    _save(self.writer, graded)
            return [graded.outcome for graded in group]
        except GradebookError:
            raise
        except Exception as error:  # one of them cannot be entered: which one is found by entering each alone
            if isinstance(error, StoreError) and error.full:
                raise
            if len(group) > 1:
                return [outcome for graded in group for outcome in self._enter([graded])]
            problem = f"it could not be entered: {type(error).__name__}: {error}"
            return [replace(group[0].outcome, problem=problem, judged=False)]


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _graded(
    grading: Grading, students: list[str], jobs: int, force: bool, scheduler: str, own: Judges | None
) -> Generator[list[Graded]]:
    """Submissions as they are graded, in groups. When this is left early, nobody waits for the judges: they are ended."""
    with ExitStack() as stack:
        judges: Judges | Cluster
        if scheduler:
            from autograder.cluster import Cluster  # Dask takes a second to import

            judges = Cluster(scheduler, grading.problem_set, grading.isolation)
            jobs = jobs or min(max(2 * judges.slots, AHEAD), MOST_AHEAD)
        else:
            judges = own or Judges(grading.problem_set.folder)
            judges.isolation = grading.isolation
        # Entered first, so left last: leaving waits for the threads, which wait for the judges.
        pool = stack.enter_context(ThreadPoolExecutor(jobs := jobs or cores()))
        stack.enter_context(judges)
        done: SimpleQueue[Future[Graded]] = SimpleQueue()
        names, running = iter(students), set[Future[Graded]]()

        def submit(name: str) -> None:
            running.add(future := pool.submit(_grade_one, grading, judges.ask, name, force))
            future.add_done_callback(done.put)

        try:
            while True:
                # No more at a time than can be entered soon: each that is graded and waits holds a notebook.
                for name in islice(names, jobs + GROUP - len(running)):
                    submit(name)
                if not running:
                    return
                ready = [done.get()]
                with suppress(Empty):
                    while len(ready) < GROUP:
                        ready.append(done.get_nowait())
                running.difference_update(ready)
                group = [future.result() for future in ready]
                ready.clear()
                yield group
        finally:
            for future in running:
                future.cancel()


def _grade_one(grading: Grading, ask: Ask | None, student: str, force: bool) -> Graded:
    if problem := _unwritable(student):
        return Graded(Outcome(student, problem=problem))
    if (path := grading.path(student)).is_dir():
        return Graded(Outcome(student, problem=f"{path} is a folder, where the record must stand; remove it"))
    try:
        return grading.grade(student, ask, force)
    except (IsolationError, ClusterError, StoreError, Stopped):
        raise
    except Exception as error:  # whatever one submission brings about, the others are graded
        problem = f"the grading itself failed: {type(error).__name__}: {error}"
        grading.refuse(student, problem, getattr(error, "details", "") or traceback.format_exc())
        return Graded(grading.outcome(student, problem=problem))


def _unwritable(student: str) -> str:
    """Why no file and no row can bear the name of a folder; else empty."""
    try:
        if len(student.encode("utf-8")) > MOST_BYTES:
            return f"the folder's name is too long; at most {MOST_BYTES} bytes can be written"
    except UnicodeEncodeError:
        pass
    else:
        if student.isprintable():
            return ""
    return "the folder's name holds characters that cannot be written; rename it"


def _save(writer: Writer, graded: Graded) -> None:
    """Enter a submission into the gradebook, and its notebook into the folder of what is graded."""
    outcome = graded.outcome
    if _unwritable(outcome.student):
        return
    if outcome.refused:
        remove_autograded(writer.course, writer.problem_set.name, outcome.student)
        writer.refuse(outcome.student)
    elif graded.record is None or graded.notebook is None:
        writer.enter(outcome.student)
    else:
        write_autograded(writer.course, writer.problem_set.name, outcome.student, graded.notebook)
        writer.save(outcome.student, graded.notebook, graded.record)


def write_autograded(course: Course, problem_set: str, student: str, notebook: NotebookNode) -> None:
    """Put a graded notebook where formgrader and ``nbgrader generate_feedback`` look for it, as nbgrader would leave it.

    Of the other files that were handed in only two go with it, the time stamp and the secret under which
    ``nbgrader release_feedback`` lays the feedback down: nothing is executed there.

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
    if target.is_symlink() or any(path.name not in files or not path.is_file() for path in _inside(target)):
        remove_autograded(course, problem_set, student)
    mode = int(str(664 if course.directory.groupshared else 444), 8)
    for name, text in files.items():
        write_whole(target / name, text, mode)
    if course.directory.groupshared:
        target.chmod(stat.S_IMODE(target.stat().st_mode) | 0o2770)


def _inside(folder: Path) -> list[Path]:
    return list(folder.iterdir()) if folder.is_dir() else []


def remove_autograded(course: Course, problem_set: str, student: str) -> None:
    """Remove the graded notebook of an earlier submission, as nbgrader does before it grades."""
    target = course.autograded(student, problem_set)
    if target.exists():
        shutil.rmtree(target)


def _missing(path: Path) -> str:
    there = sorted(other.name for other in path.parent.glob("*.ipynb"))
    found = f"there is {', '.join(there[:3])}; give it that name" if there else "nothing that ends in .ipynb is there"
    return f"{path.name} was not handed in; {found}"

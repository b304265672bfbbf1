"""Grade a class: many judges, one writer, and a run that can be killed and resumed at any moment.

Each result is written to ``records/<problem set>/<student>.json`` as soon as it is known. A later
run grades only submissions whose content hash has changed: other cells, or another problem set.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import traceback
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, TypeAlias

from nbformat import NotebookNode

from autograder.batch import log as submission_log
from autograder.batch.entering import GROUP, Entering
from autograder.batch.outcome import Graded, Outcome, change_of, read_result
from autograder.batch.pool import JudgePool, cores
from autograder.course.course import TIMESTAMP, Course, read_timestamp
from autograder.course.database import open_gradebook
from autograder.course.feedback import fill
from autograder.course.gradebook import Writer, register
from autograder.course.key import course_key
from autograder.course.rebuild import (
    cells_to_run,
    notes_of,
    read_notebook,
    read_release,
    rebuild,
    refuse_linked_folders,
)
from autograder.errors import (
    ClusterError,
    GradebookError,
    IsolationError,
    Stopped,
    StoreError,
    SubmissionError,
)
from autograder.files import exclusive, remove_stale, unwritable_name, write_atomic
from autograder.judge import problem_set as problem_sets
from autograder.judge.judge import content_hash, grade
from autograder.judge.problem_set import ProblemSet
from autograder.judge.result import Result
from autograder.sandbox.bubblewrap import Bubblewrap
from autograder.sandbox.choose import choose
from autograder.sandbox.plain_process import UnsafeLocal
from autograder.sandbox.remote import RemoteSandbox
from autograder.sandbox.sandbox import Sandbox
from autograder.text import printable

if TYPE_CHECKING:
    from autograder.batch.cluster import Cluster

# Submissions queued at a cluster's scheduler: enough to keep every worker busy, also one that joins
# later.
MIN_PENDING, MAX_PENDING = 64, 512

Ask: TypeAlias = Callable[[Sequence[str], str, str], Result]


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
    isolation: Sandbox
    key: bytes

    @classmethod
    def prepare(
        cls,
        course: Course,
        name: str,
        unsafe_local: bool = False,
        elsewhere: bool = False,
        judges: JudgePool | None = None,
    ) -> Grading:
        """Load a problem set, validate its checks, and test the sandbox.

        Parameters
        ----------
        course, name : of the problem set
        unsafe_local : no isolation
        elsewhere : the students' code runs on a cluster's workers; no sandbox is tested here
        judges : a pool that validates the checks already; this process does it when left out

        Raises
        ------
        AutograderError : no such problem set, no released notebook, or no isolation on this machine
        """
        with ThreadPoolExecutor(1) as beside:  # the self-test mostly waits for boxes
            chosen = beside.submit(_elsewhere if elsewhere else choose, unsafe_local)
            problem_set = problem_sets.load(name, course.root, validate=judges is None)
            release = read_release(problem_set)
            isolation = chosen.result()
        if judges is not None:
            judges.validate()
        return cls(course, problem_set, release, isolation, course_key(course.records))

    def grade(self, student: str, ask: Ask | None = None, force: bool = False) -> Graded:
        """Grade a submission, or take its record if the content hash is the same.

        A submission that cannot be graded is an outcome as well. The record is written before this
        returns.

        Parameters
        ----------
        student : whose submission
        ask : (cells, seed, student) -> result; the judge in this process when left out
        force : grade also where the record is up to date

        Raises
        ------
        IsolationError : the sandbox cannot be started; this is not the student's fault
        """
        path = (
            self.course.submission(student, self.problem_set.name)
            / f"{self.problem_set.name}.ipynb"
        )
        try:
            if not path.exists() and not path.is_symlink():
                path = _only_notebook(path)
            # one that says nothing must not pass for "in time"
            read_timestamp(path.with_name(TIMESTAMP))
            refuse_linked_folders(path)
            notebook = rebuild(self.release, read_notebook(path)).notebook
            if path.stem != self.problem_set.name:
                notebook.metadata["autograder"]["notes"].append(
                    f"The notebook was called {printable(path.name)}."
                )
        except SubmissionError as error:
            self.refuse(student, str(error))
            return Graded(self.outcome(student, problem=str(error), refused=True))
        before = self.read(student)
        result, judged = self.judge(student, notebook, ask, force)
        fill(notebook, result)
        outcome = self.outcome(student, judged=judged)
        changed = change_of(before, result) if judged else ""
        return Graded(replace(outcome, changed=changed), result, notebook)

    def outcome(
        self, student: str, problem: str = "", judged: bool = False, refused: bool = False
    ) -> Outcome:
        """Outcome of a submission whose record was written."""
        return Outcome(
            student, self.path(student), self.log_path(student), problem, judged, refused
        )

    def judge(
        self, student: str, notebook: NotebookNode, ask: Ask | None = None, force: bool = True
    ) -> tuple[Result, bool]:
        """Have a rebuilt notebook judged, unless its record is up to date.

        Returns
        -------
        result, and whether the judge was asked
        """
        cells, notes = cells_to_run(notebook), notes_of(notebook)
        known = None if force else self.read(student)
        if known is not None and self._is_up_to_date(known, cells, notes):
            return known, False
        result = (ask or self._ask)(cells, self.seed(student, cells), student)
        result = replace(result, notes=(*notes, *result.notes))
        self._write(student, result.to_json(), submission_log.of(result))
        return result, True

    def _ask(self, cells: Sequence[str], seed: str, student: str) -> Result:
        return grade(cells, self.problem_set, seed=seed, isolation=self.isolation, student=student)

    def refuse(self, student: str, problem: str, details: str = "") -> None:
        """Record that a submission could not be graded, and why."""
        refusal = {"problem_set": self.problem_set.name, "student": student, "problem": problem}
        log = submission_log.of_refusal(self.problem_set.name, student, problem, details)
        self._write(student, json.dumps(refusal, indent=1, ensure_ascii=False) + "\n", log)

    def seed(self, student: str, cells: list[str]) -> str:
        """Seed of the inputs: an HMAC of problem set, student and content, unpredictable without
        the key.
        """
        text = "|".join([self.problem_set.name, student, content_hash(cells, self.problem_set)])
        return hmac.new(
            self.key, text.encode("utf-8", "surrogateescape"), hashlib.sha256
        ).hexdigest()

    def read(self, student: str) -> Result | None:
        """Result of an earlier grading; None where there is none that can be read."""
        return read_result(self.path(student))

    def _is_up_to_date(self, result: Result, cells: list[str], notes: list[str]) -> bool:
        return (
            result.content_hash == content_hash(cells, self.problem_set)
            and self._is_isolated_as_well(result.isolation)
            and list(result.notes[: len(notes)]) == notes
            and [check.name for check in result.checks]
            == [check.name for check in self.problem_set.checks]
        )

    def _is_isolated_as_well(self, level: str) -> bool:
        if isinstance(self.isolation, RemoteSandbox):
            return self.isolation.may_be(level)
        return level == self.isolation.level

    def path(self, student: str) -> Path:
        """File of a student's record."""
        return self.course.records / self.problem_set.name / f"{student}.json"

    def log_path(self, student: str) -> Path:
        """File of a submission's log."""
        return self.course.logs / self.problem_set.name / f"{student}.log"

    def _write(self, student: str, record: str, log: str) -> None:
        """Write log and record; the record last, because it marks the submission as graded."""
        write_atomic(self.log_path(student), log)
        write_atomic(self.path(student), record)


def _elsewhere(unsafe_local: bool) -> RemoteSandbox:
    return RemoteSandbox((UnsafeLocal if unsafe_local else Bubblewrap).level)


def run(
    grading: Grading,
    students: Iterable[str],
    *,
    jobs: int = 0,
    force: bool = False,
    scheduler: str = "",
    progress: Callable[[Outcome], None] = lambda outcome: None,
    say: Callable[[str], None] = lambda text: None,
    judges: JudgePool | None = None,
) -> list[Outcome]:
    """Grade submissions and enter them into the gradebook.

    Parameters
    ----------
    grading : from `Grading.prepare`
    students : whose submissions
    jobs : submissions in flight; 0: one per core, and twice the threads of a cluster
    force : also those whose record is up to date
    scheduler : address of a Dask cluster that grades; empty for this machine
    progress : called after each
    say : called with a warning while the grading goes on
    judges : a pool on this machine that is started already; it is closed here. A new one when left
        out

    Returns
    -------
    one outcome per student, sorted by name

    Raises
    ------
    GradebookError : the gradebook cannot be written. The records are kept: the same command resumes
    StoreError : the disk is full or cannot be written. The records are kept: the same command
        resumes
    IsolationError : the sandbox can no longer be started
    ClusterError : the cluster cannot be reached, or is gone
    """
    students = list(students)
    name, folder = grading.problem_set.name, grading.course.records / grading.problem_set.name
    try:
        with exclusive(folder, f"{name} is being graded"):
            remove_stale(folder)
            remove_stale(grading.course.logs / name)
            return _run(grading, students, jobs, force, scheduler, progress, say, judges)
    except (GradebookError, StoreError) as error:
        kept = sum(
            grading.path(student).is_file() for student in students if not unwritable_name(student)
        )
        error.add_note(
            f"{kept} of {len(students)} submissions have their record in {folder}; none of it is "
            "lost."
        )
        raise


def _run(
    grading: Grading,
    students: list[str],
    jobs: int,
    force: bool,
    scheduler: str,
    progress: Callable[[Outcome], None],
    say: Callable[[str], None],
    judges: JudgePool | None,
) -> list[Outcome]:
    outcomes: dict[str, Outcome] = {}
    with open_gradebook(grading.course.directory) as gradebook:
        register(gradebook, grading.course.directory, grading.problem_set.name, grading.release)
        writer = Writer(gradebook, grading.course, grading.problem_set)
        entering = Entering(writer, partial(_grade_one, grading, None), say)
        with closing(_graded(grading, students, jobs, force, scheduler, judges)) as groups:
            for group in groups:
                for outcome in entering.enter(group):
                    outcomes[outcome.student] = outcome
                    progress(outcome)
        for outcome in entering.enter_waiting():
            outcomes[outcome.student] = replace(outcome, judged=outcomes[outcome.student].judged)
    return sorted(outcomes.values(), key=lambda outcome: outcome.student)


def _graded(
    grading: Grading,
    students: list[str],
    jobs: int,
    force: bool,
    scheduler: str,
    own: JudgePool | None,
) -> Generator[list[Graded]]:
    """Graded submissions, in groups as they come. Closing the generator kills the judges."""
    with ExitStack() as stack:
        judges: JudgePool | Cluster
        if scheduler:
            from autograder.batch.cluster import Cluster  # Dask takes a second to import

            judges = Cluster(scheduler, grading.problem_set, grading.isolation)
            jobs = jobs or min(max(2 * judges.slots, MIN_PENDING), MAX_PENDING)
        else:
            judges = own or JudgePool(grading.problem_set.folder)
            judges.isolation = grading.isolation
        # Entered first, so closed last: it joins the threads, which wait for the judges.
        pool = stack.enter_context(ThreadPoolExecutor(jobs := jobs or cores()))
        stack.enter_context(judges)
        done: SimpleQueue[Future[Graded]] = SimpleQueue()
        names, running = iter(students), set[Future[Graded]]()

        def submit(name: str) -> None:
            running.add(future := pool.submit(_grade_one, grading, judges.ask, name, force))
            future.add_done_callback(done.put)

        try:
            while True:
                # Bounded: each graded submission that waits to be entered holds a notebook in
                # memory.
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


def _grade_one(grading: Grading, ask: Ask | None, student: str, force: bool = False) -> Graded:
    if problem := unwritable_name(student):
        return Graded(Outcome(student, problem=problem))
    if (path := grading.path(student)).is_dir():
        return Graded(
            Outcome(student, problem=f"{path} is a folder, where the record must stand; remove it")
        )
    try:
        return grading.grade(student, ask, force)
    except (IsolationError, ClusterError, StoreError, Stopped):
        raise
    except Exception as error:  # whatever one submission brings about, the others are graded
        problem = f"the grading itself failed: {type(error).__name__}: {error}"
        grading.refuse(student, problem, getattr(error, "details", "") or traceback.format_exc())
        return Graded(grading.outcome(student, problem=problem))


def _only_notebook(path: Path) -> Path:
    """The only notebook in a folder where one of another name was asked for; whether it belongs
    there, its cells say.

    Raises
    ------
    SubmissionError : there is none, or there are several
    """
    there = sorted(other for other in path.parent.glob("*.ipynb") if not other.name.startswith("."))
    if len(there) == 1:
        return there[0]
    names = ", ".join(other.name for other in there[:3])
    found = (
        f"there are {names}; give one of them that name"
        if there
        else "nothing that ends in .ipynb is there"
    )
    raise SubmissionError(f"{path.name} was not handed in; {found}")

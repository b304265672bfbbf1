"""The same class through plain `nbgrader autograde` and through `autograder run`. Run by `make
bench-grading`.

The class: honest submissions only, taken from the simulated students of each problem set: right
ones in many styles, unfinished ones, and wrong ones with known mistakes. Who is left out, because
plain nbgrader cannot grade them alike, is printed with why.

Plain nbgrader is what an instructor without this autograder has: an ordinary course with nbgrader's
own settings, a kernel for each submission, the same notebook. Its test cells put the same checks to
the student's functions, in the student's kernel, and end in the number of points, which is how
nbgrader gives partial credit. All that could be doubted is decided for nbgrader:

- the checks come from the same ``checks.py``, with the same cases, references and tolerances, in a
  file beside the notebook; so each costs the same there as here, and both must give the same
  points. Every row of both gradebooks is compared, and where one differs this ends with 1;
- no mistake is named there but where a name decides about points (another order of the gates), no
  inputs are secret, there is no sandbox, and the student's code can read and change the checks:
  nbgrader has none of this, and need not pay for it;
- the cells for the student's own eyes (tagged ``local``) are left out of its notebook: it would
  execute them;
- both gradebooks exist and know the problem set before the clock starts.

Each command is timed from its start to its end by the clock on the wall, start-up included, on as
many cores as there are. The start-up is then given apart: what a class of one takes, less one
submission more in a class. Two processes of nbgrader at once, each with half of the class and a
gradebook of its own, are what a user could do by hand; the halves' gradebooks are still two.
"""

from __future__ import annotations

import argparse
import functools
import json
import logging
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from benchmarks.machine import machine

if TYPE_CHECKING:
    from nbformat import (
        NotebookNode,
    )  # slow to import: where the start of a command is watched, that comes when it needs it

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "grading.json"
PACKAGES = ("numpy", "torch", "nbgrader", "nbclient", "ipykernel", "jupyter_client", "sqlalchemy")
PROGRAMS = Path(sys.executable).parent  # not resolved: a virtual environment's Python is a link
SETS = ("lstm-bptt", "lstm-torch")
OURS, PLAIN, HALVES = "autograder run", "nbgrader autograde", "nbgrader autograde, two at once"
AIM = {"lstm-bptt": 10, "lstm-torch": 20}

# Honest students whom plain nbgrader cannot grade alike, and why; of each problem set.
MOVED = (
    "plain nbgrader runs the cells in the order in which they were handed in, tests before "
    "functions"
)
LEFT_OUT = {
    "lstm-bptt": {
        "moved_around": MOVED,
        "needs_torch": "plain nbgrader's kernel has every package that is installed, and cannot "
        "leave one out",
    },
    "lstm-torch": {"moved_around": MOVED},
}

PLAIN_SETTINGS = 'c = get_config()\n\nc.CourseDirectory.course_id = "plain"\n'
PLAIN_TESTS = '''"""Tests of this problem set, for nbgrader: each gives the points for one cell."""

import io
import sys
import warnings
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import replace
from zlib import crc32

import numpy as np
from hidden_checks import CHECKS

from autograder.guest.worker import to_plain
from verdict import Status, StudentError, classify, examine
from verdict.tensors import from_arrays, to_arrays

# A name is kept where it decides about points: right mathematics in another layout earns a share.
KEPT = {
    check.name: replace(
        check,
        misconceptions=tuple(m for m in check.misconceptions if m.status is Status.CONVENTION),
    )
    for check in CHECKS
}
passed = set()


def points(name):
    """Points for what the student's function does."""
    check = KEPT[name]
    if not passed.issuperset(check.needs):
        return 0.0

    def call(*arguments):
        function = vars(sys.modules["__main__"]).get(check.asked)
        if check.value and function is not None and function is not Ellipsis:
            return to_plain(to_arrays(function))
        if check.value or not callable(function):
            raise StudentError(Status.UNFINISHED, f"There is no {check.asked}.")
        try:
            return to_plain(to_arrays(function(*from_arrays(arguments, check.arrays))))
        except Exception as error:
            raise StudentError(*classify(type(error).__name__, str(error))) from None

    # nbgrader gives no points to a cell that writes to stderr, and a warning is no mistake.
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with np.errstate(all="ignore"):
            verdict = examine(check, call, np.random.default_rng(crc32(name.encode())))
    if verdict.status is Status.PASSED:
        passed.add(name)
    return round(check.points * min(max(float(verdict.credit), 0.0), 1.0), 4)
'''


# --- the class
# --------------------------------------------------------------------------------------------------


def left_out(name: str) -> dict[str, str]:
    """Honest students whom plain nbgrader cannot grade alike, and why."""
    return LEFT_OUT.get(name, {"moved_around": MOVED})


def missing(name: str) -> str:
    """Why a problem set cannot be measured; empty where it can."""
    for path in (
        ROOT / "solutions" / name / "checks.py",
        ROOT / "solutions" / name / "students.py",
    ):
        if not path.is_file():
            return f"{path.relative_to(ROOT)} does not exist"
    return ""


def class_of(name: str, size: int) -> list[tuple[str, Any]]:
    """Folder's name and simulated student, as many as asked for; who is honest comes again and
    again, in the same order.
    """
    from autograder.author import demo

    everybody = demo.students(ROOT / "solutions" / name / "students.py")
    honest = [s for s in everybody if not s.hostile and s.name not in left_out(name)]
    return [
        (f"s{k:05d}-{honest[k % len(honest)].name}", honest[k % len(honest)]) for k in range(size)
    ]


def hand_in(
    folder: Path, name: str, release: NotebookNode, students: Iterable[tuple[str, Any]]
) -> None:
    """Write what each student hands in, on the notebook that was handed out."""
    import nbformat

    from autograder.course.release import solution_cells

    solutions = solution_cells(ROOT / "solutions" / name / f"{name}.md")
    texts: dict[str, str] = {}
    for student, simulated in students:
        if simulated.name not in texts:
            handed_in = simulated.edit(deepcopy(release), dict(solutions))
            texts[simulated.name] = (
                handed_in if isinstance(handed_in, str) else nbformat.writes(handed_in)
            )
        path = folder / "submitted" / student / name / f"{name}.ipynb"
        path.parent.mkdir(parents=True)
        path.write_text(texts[simulated.name], encoding="utf-8")


def make_ours(folder: Path, name: str, students: Sequence[tuple[str, Any]]) -> None:
    """A course as this repository is one, with its gradebook."""
    import nbformat

    from autograder.course import release as exercises
    from autograder.course.course import NBGRADER_CONFIG, Course
    from autograder.course.database import open_gradebook
    from autograder.course.gradebook import register
    from autograder.course.rebuild import read_release
    from autograder.judge import problem_set

    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "solutions" / name, folder / "solutions" / name, ignore=ignore)
    for settings in (NBGRADER_CONFIG, "_config.yml"):
        shutil.copy(ROOT / settings, folder)
    (released,) = exercises.write_releases(folder)
    hand_in(folder, name, nbformat.read(released, as_version=4), students)
    course = Course.load(folder)
    with open_gradebook(course.directory) as opened:
        register(opened, course.directory, name, read_release(problem_set.load(name, folder)))


def make_plain(folder: Path, name: str, students: Sequence[tuple[str, Any]]) -> None:
    """An ordinary nbgrader course with the same notebook, whose test cells ask the same."""
    import nbformat
    from nbgrader.converters import GenerateAssignment
    from nbgrader.coursedir import CourseDirectory
    from traitlets.config import Config

    from autograder.course.course import NBGRADER_CONFIG
    from autograder.course.rebuild import LOCAL, test_cells
    from autograder.course.release import source_notebook

    notebook = source_notebook(ROOT / "solutions" / name / f"{name}.md")
    notebook.cells = [cell for cell in notebook.cells if LOCAL not in cell.metadata.get("tags", [])]
    for cell in test_cells(notebook):
        grade_id = cell.metadata.nbgrader["grade_id"]
        cell.source = f"import course_tests\n\ncourse_tests.points({grade_id!r})"
    source = folder / "source" / name
    source.mkdir(parents=True)
    nbformat.write(notebook, source / f"{name}.ipynb")
    (source / "course_tests.py").write_text(PLAIN_TESTS, encoding="utf-8")
    shutil.copy(ROOT / "solutions" / name / "checks.py", source / "hidden_checks.py")
    (folder / NBGRADER_CONFIG).write_text(PLAIN_SETTINGS, encoding="utf-8")
    # What `nbgrader generate_assignment` does; it asks the program alembic, which lies beside this
    # Python.
    log = logging.Logger("generate", logging.ERROR)
    config = Config(CourseDirectory={"root": str(folder), "course_id": "plain"})
    directory = CourseDirectory(config=config, log=log, assignment_id=name)
    before, os.environ["PATH"] = os.environ.get("PATH", ""), surroundings()["PATH"]
    try:
        GenerateAssignment(coursedir=directory, config=config, log=log).start()
    finally:
        os.environ["PATH"] = before
    release = nbformat.read(folder / "release" / name / f"{name}.ipynb", as_version=4)
    hand_in(folder, name, release, students)


def surroundings() -> dict[str, str]:
    """Environment of a command: this one's, with the programs that lie beside this Python, and no
    number of threads set.
    """
    threads = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
    kept = {name: value for name, value in os.environ.items() if name not in threads}
    return kept | {"PATH": os.pathsep.join([str(PROGRAMS), os.environ.get("PATH", os.defpath)])}


# --- the two gradebooks
# --------------------------------------------------------------------------------------------------


def grade_rows(folder: Path, name: str) -> dict[tuple[str, str], tuple[Any, ...]]:
    """(student, check) -> automatic score, most points, score by hand, extra credit, whether
    somebody must look at it.
    """
    from nbgrader.api import Gradebook

    with Gradebook(f"sqlite:///{folder / 'gradebook.db'}") as gradebook:
        return {
            (submission.student_id, grade.name): (
                grade.auto_score,
                grade.max_score,
                grade.manual_score,
                grade.extra_credit,
                grade.needs_manual_grade,
            )
            for submission in gradebook.assignment_submissions(name)
            for notebook in submission.notebooks
            for grade in notebook.grades
        }


def differences(ours: dict[tuple[str, str], Any], plain: dict[tuple[str, str], Any]) -> list[str]:
    """What is to be said of each row that is not the same in both."""
    return [
        (
            f"{student}, {check}: {OURS} {ours.get((student, check))}, {PLAIN} "
            f"{plain.get((student, check))}"
        )
        for student, check in sorted(ours.keys() | plain.keys())
        if ours.get((student, check)) != plain.get((student, check))
    ]


# --- how long it takes
# --------------------------------------------------------------------------------------------------


@contextmanager
def copy_of(course: Path) -> Iterator[Path]:
    """A copy of a course that lasts as long as this: whatever was graded before is not in it."""
    with tempfile.TemporaryDirectory(prefix="bench-grading-") as folder:
        yield Path(shutil.copytree(course, Path(folder) / course.name))


def command(program: str, name: str, *options: str) -> list[str]:
    """What a user types."""
    first, second = program.split()
    return [str(PROGRAMS / first), second, name, *options]


def timed(runs: Sequence[tuple[Path, list[str]]]) -> dict[str, float]:
    """Seconds by the clock for commands in their folders, all at once; and those for which the
    machine's processors worked.
    """
    before, began = busy(), time.perf_counter()
    processes = []
    for folder, arguments in runs:
        with open(folder / "bench.log", "w") as log:
            processes.append(
                subprocess.Popen(
                    arguments, cwd=folder, env=surroundings(), stdout=log, stderr=subprocess.STDOUT
                )
            )
    codes = [process.wait() for process in processes]
    seconds, processors = time.perf_counter() - began, busy() - before
    for (folder, arguments), code in zip(runs, codes, strict=True):
        if code:
            end = (folder / "bench.log").read_text(errors="replace")[-3000:]
            raise SystemExit(f"{' '.join(arguments)} ended with {code}:\n{end}")
    return {"seconds": seconds, "processor seconds": processors}


def busy() -> float:
    """Seconds for which the processors of this machine have worked.

    Not what this process's children took: those in a sandbox are ended, and then count for nobody.
    """
    times = psutil.cpu_times()
    return float(times.user + times.system + times.nice)


def halves(course: Path, into: Path) -> list[Path]:
    """Two courses with half of the class each."""
    found = []
    for half in (0, 1):
        folder = Path(shutil.copytree(course, into / f"half-{half}"))
        for k, student in enumerate(sorted((folder / "submitted").iterdir())):
            if k % 2 != half:
                shutil.rmtree(student)
        found.append(folder)
    return found


def side(
    runs: list[dict[str, float]], submissions: int, alone: float | None = None
) -> dict[str, Any]:
    """What one way of grading takes; the middle one of its runs counts."""
    seconds = statistics.median(run["seconds"] for run in runs)
    found = {
        "seconds": [run["seconds"] for run in runs],
        "processor seconds": [run["processor seconds"] for run in runs],
        "per minute": 60 * submissions / seconds,
    }
    if alone is not None and submissions > 1:
        each = (seconds - alone) / (submissions - 1)
        found |= {"class of one": alone, "each more": each, "start-up": alone - each}
    return found


def many(folder: Path, name: str, every: int) -> dict[str, Any]:
    """One run over all of a large class, and the memory that it takes on the way."""
    began, points = time.perf_counter(), []
    records, graded, due = folder / "records" / name, 0, 0
    with open(folder / "bench.log", "w") as log:
        process = subprocess.Popen(
            command(OURS, name),
            cwd=folder,
            env=surroundings(),
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    while process.poll() is None:
        time.sleep(0.1)
        graded = (
            sum(entry.name.endswith(".json") for entry in os.scandir(records))
            if records.is_dir()
            else 0
        )
        if graded >= max(due, 1):
            sizes = memory(process.pid)
            if sizes is not None:
                points.append({"graded": graded, **sizes})
                due = (graded // every + 1) * every
    seconds = time.perf_counter() - began
    if process.returncode:
        raise SystemExit(
            f"{OURS} {name} ended with {process.returncode}:\n"
            f"{(folder / 'bench.log').read_text()[-3000:]}"
        )
    return {
        "submissions": graded,
        "seconds": seconds,
        "per minute": 60 * graded / seconds,
        "memory": points,
    }


def memory(pid: int) -> dict[str, float] | None:
    """MiB of a command, of its largest child, and of all processes below it together; None when it
    is just ending.
    """
    try:
        main = psutil.Process(pid)
        children = {child.pid for server in main.children() for child in server.children()}
        sizes = {
            p.pid: p.memory_info().rss / 2**20
            for p in main.children(recursive=True)
            if p.is_running()
        }
        return {
            "command, MiB": main.memory_info().rss / 2**20,
            "largest judge, MiB": max((sizes[p] for p in children if p in sizes), default=0.0),
            "all below it, MiB": sum(sizes.values()),
        }
    except psutil.Error:
        return None


# --- where the time goes
# -------------------------------------------------------------------------------------------------


@dataclass
class Clock:
    """Seconds by phase. What runs within another phase counts for itself only, so that the phases
    add up.
    """

    seconds: dict[str, float] = field(default_factory=dict)
    _open: list[list[Any]] = field(default_factory=list)

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Count what happens inside for a phase."""
        self._open.append([time.perf_counter(), 0.0])
        try:
            yield
        finally:
            began, within = self._open.pop()
            took = time.perf_counter() - began
            self.seconds[name] = self.seconds.get(name, 0.0) + took - within
            if self._open:
                self._open[-1][1] += took

    def wrap(self, owner: Any, attribute: str, name: str | Callable[..., str]) -> None:
        """Count each call of a function or method for a phase; ``name`` may depend on the
        arguments.
        """
        function = getattr(owner, attribute)

        @functools.wraps(function)
        def timed_function(*args: Any, **kwargs: Any) -> Any:
            with self.phase(name if isinstance(name, str) else name(*args, **kwargs)):
                return function(*args, **kwargs)

        setattr(owner, attribute, timed_function)


def phases(program: str, course: Path, name: str, submissions: int) -> dict[str, float]:
    """Seconds of each phase: those that come once, and those of one submission; from a run of its
    own that watches itself.
    """
    with copy_of(course) as folder:
        for student in sorted((folder / "submitted").iterdir())[submissions:]:
            shutil.rmtree(student)
        out = folder / "phases.json"
        arguments = [sys.executable, __file__, "--watch", program, "--out", str(out), name]
        timed([(folder, [*arguments, "--began", repr(time.time())])])
        return dict(json.loads(out.read_text()))


def watch_nbgrader(name: str, began: float) -> dict[str, float]:
    """Run `nbgrader autograde` in this process and folder, with clocks in it."""
    clock = Clock()
    from nbclient import NotebookClient
    from nbconvert.preprocessors import Preprocessor
    from nbgrader.api import Gradebook
    from nbgrader.apps import NbGraderApp
    from nbgrader.converters import Autograde

    def preprocessor(self: Any, *_: Any) -> str:
        return {
            "Execute": "kernel: the rest",
            "SaveAutoGrades": "gradebook: scores entered",
            "OverwriteCells": "gradebook: cells of the release read",
        }.get(type(self).__name__, "other preprocessors")

    def cell(self: Any, cell: NotebookNode, *_: Any, **__: Any) -> str:
        tests = cell.metadata.get("nbgrader", {}).get("grade")
        return "cells: tests" if tests else "cells: the student's"

    clock.wrap(NotebookClient, "start_new_kernel", "kernel: start")
    clock.wrap(NotebookClient, "start_new_kernel_client", "kernel: start")
    clock.wrap(NotebookClient, "_cleanup_kernel", "kernel: stop")
    clock.wrap(NotebookClient, "execute_cell", cell)
    clock.wrap(Gradebook, "__init__", "gradebook: opened (nine times)")
    clock.wrap(Preprocessor, "__call__", preprocessor)
    clock.wrap(Autograde, "init_assignment", "gradebook: student and submission entered")
    clock.wrap(Autograde, "convert_notebooks", "files, and the rest")
    once = {}
    start = Autograde.start

    def started(self: Any) -> None:
        once["once: start-up of the command"] = time.time() - began
        start(self)

    Autograde.start = started
    sys.argv = ["nbgrader", "autograde", name]
    NbGraderApp.launch_instance()
    return {**once, **per_submission(clock, name)}


def put_clocks(clock: Clock) -> None:
    """Put a clock into each phase of `autograder run`."""
    from autograder.batch import entering
    from autograder.batch import grading as batch
    from autograder.course import gradebook
    from autograder.judge import judge, session

    clock.wrap(batch.Grading, "grade", "the rest")
    clock.wrap(batch, "read_notebook", "notebook: read")
    clock.wrap(batch, "rebuild", "notebook: rebuilt")
    clock.wrap(batch, "fill", "notebook: filled")
    clock.wrap(entering, "write_autograded", "notebook: written")
    clock.wrap(batch.Grading, "_write", "record: written")
    clock.wrap(judge, "examine", "checks: the judge's own work")
    clock.wrap(judge, "_record", "record: made")
    clock.wrap(session.Session, "_greet", "worker: start")
    clock.wrap(session.Session, "start", "worker: start")
    clock.wrap(session.Session, "stop", "worker: stop")
    clock.wrap(session.Session, "_read_cells", "cells: read")
    clock.wrap(session.Session, "_run_cells", "cells: run")
    clock.wrap(session.Session, "forget", "checks: asked and answered")
    clock.wrap(session.Session, "_exchange", "checks: asked and answered")
    clock.wrap(gradebook.Writer, "save", "gradebook: entered")


def watch_ours(name: str, began: float) -> dict[str, float]:
    """Grade as `autograder run` does, one submission after the other in this process and folder,
    with clocks in it.

    The command itself has a judge on each core, and enters what one has found while others work:
    its submissions take less time than these phases together.
    """
    from autograder.batch import pool

    sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]  # as `autograder.cli.commands.main` does it
    once, clock = {}, Clock()
    with pool.JudgePool(name) as judges:
        judges.begin()
        from autograder.batch import entering
        from autograder.batch import grading as batch
        from autograder.cli import commands
        from autograder.course import gradebook
        from autograder.course.course import Course
        from autograder.course.database import open_gradebook

        assert commands is not None  # imported because the command imports it
        once["once: start-up of the command, judges start beside it"] = time.time() - began
        began = time.time()
        course = Course.load()
        grading = batch.Grading.prepare(course, name, judges=judges)
        once["once: waited until the checks were looked over"] = time.time() - began
    students = course.students(name)
    put_clocks(clock)
    with open_gradebook(course.directory) as opened:
        gradebook.register(opened, course.directory, name, grading.release)
        writer = gradebook.Writer(opened, course, grading.problem_set)
        for student in students:
            entering.save(writer, grading.grade(student, force=True))
    return {**once, **per_submission(clock, name)}


def per_submission(clock: Clock, name: str) -> dict[str, float]:
    """Seconds by phase of one submission, the longest first."""
    submissions = sum(1 for _ in (Path.cwd() / "submitted").glob(f"*/{name}"))
    return {
        phase: s / submissions
        for phase, s in sorted(clock.seconds.items(), key=lambda item: -item[1])
    }


# --- all of it
# --------------------------------------------------------------------------------------------------


def seconds_of_one(courses: Mapping[str, Path], name: str, student: str) -> dict[str, float]:
    """Seconds of each program for one submission, most of which are its start-up."""
    alone = {}
    for program, course in courses.items():
        with copy_of(course) as copy:
            run = timed([(copy, command(program, name, "--student", student))])
            alone[program] = run["seconds"]
    return alone


def measure(
    name: str, size: int, rounds: int, watched: int, large: int, brief: bool = False
) -> dict[str, Any]:
    """Everything about one problem set.

    Parameters
    ----------
    name : of the problem set
    size : of the class that goes both ways
    rounds : runs of `autograder run`, which is short; before and after those of nbgrader
    watched : submissions on which the phases are measured; 0 for no phases
    large : size of the class on which the memory is watched; 0 for none
    brief : neither start-ups apart nor nbgrader twice at once
    """
    students = class_of(name, size)
    report: dict[str, Any] = {
        "submissions": size,
        "different ones": len({student.name for _, student in students}),
        "left out": left_out(name),
        "load before": load(),
    }
    with tempfile.TemporaryDirectory(prefix="bench-grading-") as folder:
        ours, plain, one = (Path(folder) / kind for kind in ("ours", "plain", "one"))
        make_ours(ours, name, students)
        make_plain(plain, name, students)
        alone = seconds_of_one({} if brief else {PLAIN: plain, OURS: ours}, name, students[0][0])
        runs: list[dict[str, float]] = []
        for _ in range(rounds - rounds // 2):
            with copy_of(ours) as copy:
                runs.append(timed([(copy, command(OURS, name))]))
                rows = grade_rows(copy, name)
        with copy_of(plain) as copy:
            report[PLAIN] = side([timed([(copy, command(PLAIN, name))])], size, alone.get(PLAIN))
            plain_rows = grade_rows(copy, name)
        report["grade rows compared"] = len(rows)
        report["grade rows that differ"] = differences(rows, plain_rows)
        if not brief:
            both = halves(plain, Path(folder))
            report[HALVES] = side([timed([(half, command(PLAIN, name)) for half in both])], size)
        for _ in range(rounds // 2):
            with copy_of(ours) as copy:
                runs.append(timed([(copy, command(OURS, name))]))
        report[OURS] = side(runs, size, alone.get(OURS))
        report["times as fast"] = report[OURS]["per minute"] / report[PLAIN]["per minute"]
        report["load after"] = load()
        if watched:
            report["phases"] = {
                PLAIN: phases(PLAIN, plain, name, watched),
                OURS: phases(OURS, ours, name, watched),
            }
        if large:
            make_ours(one, name, class_of(name, large))
            report["large class"] = many(one, name, every=100)
    return report


def load() -> list[float]:
    """How busy the machine is: processes that want to run, over 1, 5 and 15 minutes."""
    return [round(value, 2) for value in os.getloadavg()]


def rounded(tree: Any) -> Any:
    """The same with four digits: more is noise."""
    if isinstance(tree, float):
        return float(f"{tree:.4g}")
    if isinstance(tree, dict):
        return {name: rounded(part) for name, part in tree.items()}
    return [rounded(part) for part in tree] if isinstance(tree, tuple | list) else tree


def show(name: str, found: dict[str, Any]) -> None:
    """Print the short tables of one problem set."""
    print(f"\n{name}: {found['submissions']} submissions, {found['different ones']} different ones")
    for student, why in found["left out"].items():
        print(f"  without {student}: {why}")
    wrong = found["grade rows that differ"]
    print(f"  {found['grade rows compared']} grade rows compared, {len(wrong)} differ")
    for line in wrong:
        print(f"    {line}")
    print(f"  {'':32} {'seconds':>8} {'per minute':>11} {'start-up, s':>12} {'each more, s':>13}")
    for program in (PLAIN, HALVES, OURS):
        if program in found:
            row = found[program]
            apart = [f"{row[key]:.3f}" if key in row else "" for key in ("start-up", "each more")]
            seconds = statistics.median(row["seconds"])
            print(
                f"  {program:32} {seconds:8.1f} {row['per minute']:11.1f} {apart[0]:>12} "
                f"{apart[1]:>13}"
            )
    aim = f" (aim: {AIM[name]})" if name in AIM else ""
    print(
        f"  times as fast: {found['times as fast']:.1f}{aim}; load {found['load before'][0]} to "
        f"{found['load after'][0]}"
    )
    for program, phases in found.get("phases", {}).items():
        print(f"  where the time of {program} goes, seconds:")
        for phase, seconds in phases.items():
            print(f"    {phase:48} {seconds:8.4f}")
        each = sum(seconds for phase, seconds in phases.items() if not phase.startswith("once"))
        print(f"    {'one submission, all together':48} {each:8.4f}")
    if large := found.get("large class"):
        print(
            f"  {large['submissions']} submissions: {large['seconds']:.1f} s, "
            f"{large['per minute']:.0f} per minute; memory:"
        )
        for point in large["memory"][:: max(1, len(large["memory"]) // 8)]:
            parts = ", ".join(f"{key} {value:.0f}" for key, value in point.items())
            print(f"    {parts}")


def arguments() -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "sets", nargs="*", default=SETS, metavar="PROBLEM_SET", help=f"({' '.join(SETS)})"
    )
    parser.add_argument("--students", type=int, default=100, help="size of the class (100)")
    parser.add_argument(
        "--rounds", type=int, default=3, help="runs of `autograder run`; the middle one counts (3)"
    )
    parser.add_argument(
        "--watched",
        type=int,
        default=12,
        help="submissions on which phases are measured; 0: none (12)",
    )
    parser.add_argument(
        "--large",
        type=int,
        default=0,
        help="size of a class on which memory is watched; 0: none (0)",
    )
    parser.add_argument("--out", type=Path, default=RESULTS)
    # this script calls itself with it
    parser.add_argument("--watch", choices=(OURS, PLAIN), help=argparse.SUPPRESS)
    parser.add_argument("--began", type=float, help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> int:
    """Measure, print, write; 1 where a grade differs."""
    options = arguments()
    if options.watch:
        watch = watch_ours if options.watch == OURS else watch_nbgrader
        options.out.write_text(json.dumps(watch(options.sets[0], options.began)))
        return 0
    differ = False
    for name in options.sets:
        if why := missing(name):
            print(f"{name} is left out: {why}.")
            continue
        found = rounded(
            {
                "machine": machine(*PACKAGES),
                **measure(name, options.students, options.rounds, options.watched, options.large),
            }
        )
        differ = differ or bool(found["grade rows that differ"])
        show(name, found)
        # Read again each time: another problem set may have been written meanwhile.
        kept = json.loads(options.out.read_text(encoding="utf-8")) if options.out.exists() else {}
        options.out.parent.mkdir(exist_ok=True)
        options.out.write_text(json.dumps({**kept, name: found}, indent=1) + "\n", encoding="utf-8")
        print(f"\nwritten to {options.out}")
    return 1 if differ else 0


if __name__ == "__main__":
    sys.exit(main())

"""Grade a class on a Dask cluster.

One task is one submission: the cells of a notebook go out, the judge's result comes back as JSON.
The workers need this course and bubblewrap installed; the problem set travels with each task, and
the machines share nothing else. The scheduler reassigns the tasks of a lost worker.

The workers hold the checks and run the judge, so they are trusted as much as this machine;
students' code runs in a sandbox there as here.
"""

from __future__ import annotations

import atexit
import logging
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from uuid import uuid4

import dask
from distributed import Client, KilledWorker, get_worker

from autograder.errors import ClusterError, IsolationError, JudgeError, Stopped
from autograder.judge import judge, problem_set
from autograder.judge.problem_set import ProblemSet
from autograder.judge.result import Result
from autograder.sandbox import choose
from autograder.sandbox.level import Level
from autograder.sandbox.sandbox import Sandbox

MAX_SET_BYTES = 4 * 2**20  # of a problem set: it goes along with each task
RETRIES = 3  # of a task whose worker is lost
CONNECT_LIMIT = 30.0  # seconds for the first worker to connect

# Sent as source text and eval'ed, so that a worker without this package reports ImportError instead
# of dying in Dask's unpickling.
GRADE = "__import__('autograder.batch.cluster').batch.cluster._grade_here(*given)"

# Files of a problem set: (relative path, content), ordered and hashable.
Bundle = tuple[tuple[str, bytes], ...]


@dataclass
class Cluster:
    """The judges of a Dask cluster; used as `autograder.batch.pool.JudgePool` is.

    Parameters
    ----------
    address : of the scheduler, ``"tcp://host:8786"``
    problem_set : to grade
    isolation : of the students' code there; each worker tests it by itself

    Raises
    ------
    ClusterError : no scheduler answers, or it has no worker
    """

    address: str
    problem_set: ProblemSet
    isolation: Sandbox

    def __post_init__(self) -> None:
        self._stopped = False
        self._bundle = bundle(self.problem_set)
        with ExitStack() as stack:
            stack.enter_context(_quiet())
            self._connect()
            self._open = stack.pop_all()

    def _connect(self) -> None:
        try:
            self._client = Client(self.address, timeout=CONNECT_LIMIT)
        except (OSError, ValueError, TypeError, RuntimeError, TimeoutError) as error:
            remedy = (
                (
                    "Start it, and give all sides the certificates that they need in Dask's "
                    "settings, distributed.comm.tls"
                )
                if self.address.startswith("tls:")
                else (
                    "Start one with `dask scheduler` and give the address that it prints, such as "
                    "tcp://host:8786"
                )
            )
            raise ClusterError(
                f"no Dask scheduler answers at {self.address} ({type(error).__name__}: {error}). "
                f"{remedy}"
            ) from None
        try:
            self._client.wait_for_workers(1, timeout=CONNECT_LIMIT)
        except TimeoutError:
            self._client.close()
            raise ClusterError(
                f"the scheduler at {self.address} has no worker after {CONNECT_LIMIT:g} seconds. "
                "Start some on machines that have this course installed: "
                f"`dask worker {self.address} --nworkers auto --nthreads 1`"
            ) from None

    def __enter__(self) -> Cluster:
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped = True
        with self._open:
            self._client.close()

    @property
    def slots(self) -> int:
        """Threads of all workers: submissions that are graded at the same time."""
        return sum(self._client.nthreads().values())

    def ask(self, cells: Sequence[str], seed: str, student: str) -> Result:
        """Have a judge somewhere grade; see `judge.grade`.

        Raises
        ------
        IsolationError : a worker cannot start a sandbox
        ClusterError : a worker has another version of the course, or none, or the scheduler is gone
        JudgeError : the judge failed on this submission
        Stopped : this object was left
        """
        unsafe = self.isolation.level == Level.UNSAFE_LOCAL
        try:
            chosen = self.problem_set
            given = (chosen.name, self._bundle, chosen.digest, list(cells), seed, student, unsafe)
            task = self._client.submit(
                eval, GRADE, {"given": given}, key=f"grade-{uuid4().hex}", retries=RETRIES
            )
            answer = task.result()
        except KilledWorker as error:
            raise JudgeError(f"every worker that took it was lost: {error}") from None
        except (CancelledError, OSError, RuntimeError, ImportError) as error:
            if self._stopped:
                raise Stopped() from None
            if missing := _import_error(error):
                raise ClusterError(
                    f"a worker of the scheduler at {self.address} does not have this course "
                    f"installed ({missing}); install the same version there as here"
                ) from None
            raise ClusterError(
                f"the scheduler at {self.address} is gone ({type(error).__name__}). What was "
                "graded is kept: start it again and run the same command"
            ) from None
        kind, *text = answer
        if kind == "record":
            return Result.from_json(text[0])
        if kind == "isolation":
            raise IsolationError(*text)
        raise (ClusterError if kind == "version" else JudgeError)(*text)


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence Dask's tracebacks on stderr, which come as errors, too; unless Dask's logging is
    configured.
    """
    if dask.config.get("distributed.logging", None):
        yield
        return
    loggers = [logging.getLogger(name) for name in ("distributed", "distributed.client")]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.CRITICAL)
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _import_error(error: BaseException | None) -> ImportError | None:
    """The ImportError in a chain of causes; None where there is none."""
    while error is not None and not isinstance(error, ImportError):
        error = error.__cause__
    return error


def bundle(chosen: ProblemSet) -> Bundle:
    """Files of a problem set that a judge needs: its folder without the notebook's source and the
    simulated class.

    Raises
    ------
    ClusterError : it is too large to go along with each task
    """
    left_out = {f"{chosen.name}.md", "students.py"}
    files = {
        path.relative_to(chosen.folder).as_posix(): path.read_bytes()
        for path in sorted(chosen.folder.rglob("*"))
        if path.is_file() and path.name not in left_out and "__pycache__" not in path.parts
    }
    size = sum(map(len, files.values()))
    if size > MAX_SET_BYTES:
        raise ClusterError(
            f"{chosen.folder} holds {size / 2**20:.1f} MB, and {MAX_SET_BYTES >> 20} MB can go "
            "along with a task; install large files on the workers, and read them from there"
        )
    return tuple(files.items())


def _grade_here(
    name: str, files: Bundle, digest: str, cells: list[str], seed: str, student: str, unsafe: bool
) -> tuple[str, ...]:
    """Grade on a worker; errors come back as text, because exceptions may need modules to be
    unpickled.
    """
    try:
        chosen = _problem_set(name, files)
        if chosen.digest != digest:
            return (
                "version",
                f"the worker {_address()} has another version of this course than this machine, "
                "so that its scores could differ; install the same version there",
            )
        isolation = _isolation(unsafe)
        return (
            "record",
            judge.grade(cells, chosen, seed=seed, isolation=isolation, student=student).to_json(),
        )
    except IsolationError as error:
        return ("isolation", f"On the worker {_address()}: {error.reason}", error.remedy)
    except Exception as error:
        return ("judge", f"{type(error).__name__}: {error}")


@cache
def _problem_set(name: str, files: Bundle) -> ProblemSet:
    """Problem set from the files of a task, written to disk once in a worker's process."""
    root = Path(tempfile.mkdtemp(prefix="autograder-checks-"))  # readable by nobody else
    atexit.register(shutil.rmtree, root, ignore_errors=True)
    for relative, content in files:
        path = root / "solutions" / name / relative
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return problem_set.load(name, root)


@cache
def _isolation(unsafe: bool) -> Sandbox:
    """Sandbox of a worker's machine, tested once in its process; a failed test is not cached."""
    return choose.choose(unsafe)


def _address() -> str:
    try:
        return str(get_worker().address)
    except ValueError:  # not on a worker
        return "here"

"""Judges on other machines: a Dask cluster grades a class.

One task is one submission: the cells of a notebook go out, the record of the judge comes back as JSON. The workers need this
course installed, and bubblewrap; the problem set goes along with each task, and nothing else has to be shared between the
machines. A worker that is lost costs its tasks only: the scheduler gives them to others.

The workers hold the checks and run the judge, so they are trusted as much as this machine is; what students wrote runs in a box
there as it does here.
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

from autograder import judge, problem_set, sandbox
from autograder.errors import ClusterError, IsolationError
from autograder.pool import JudgeError, Stopped
from autograder.problem_set import ProblemSet
from autograder.record import Record
from autograder.sandbox import Isolation

MOST_BYTES = 4 * 2**20  # of a problem set: it goes along with each task
RETRIES = 3  # with other workers, when one is lost in the middle of a task
WAIT = 30.0  # seconds for the first worker to be there

# What a worker is asked, in words: Dask ends a worker that cannot import what it is sent, again and again, and says nothing here.
GRADE = "__import__('autograder.cluster').cluster._grade_here(*given)"

# Of a problem set's folder: relative name -> content, as pairs in order, so that it can be looked up.
Bundle = tuple[tuple[str, bytes], ...]


@dataclass
class Cluster:
    """The judges of a Dask cluster; used as `autograder.pool.Judges` is.

    Parameters
    ----------
    address : of the scheduler, ``"tcp://host:8786"``
    problem_set : to grade
    isolation : where the students' code runs there; each worker tries it out by itself

    Raises
    ------
    ClusterError : no scheduler answers, or it has no worker
    """

    address: str
    problem_set: ProblemSet
    isolation: Isolation

    def __post_init__(self) -> None:
        self._stopped = False
        self._bundle = bundle(self.problem_set)
        with ExitStack() as stack:
            stack.enter_context(_quiet())
            self._connect()
            self._open = stack.pop_all()

    def _connect(self) -> None:
        try:
            self._client = Client(self.address, timeout=WAIT)
        except (OSError, ValueError, TypeError, RuntimeError, TimeoutError) as error:
            remedy = (
                "Start it, and give all sides the certificates that they need in Dask's settings, distributed.comm.tls"
                if self.address.startswith("tls:")
                else "Start one with `dask scheduler` and give the address that it prints, such as tcp://host:8786"
            )
            raise ClusterError(
                f"no Dask scheduler answers at {self.address} ({type(error).__name__}: {error}). {remedy}"
            ) from None
        try:
            self._client.wait_for_workers(1, timeout=WAIT)
        except TimeoutError:
            self._client.close()
            raise ClusterError(
                f"the scheduler at {self.address} has no worker after {WAIT:g} seconds. Start some on machines that have "
                f"this course installed: `dask worker {self.address} --nworkers auto --nthreads 1`"
            ) from None

    def __enter__(self) -> Cluster:
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped = True
        with self._open:
            self._client.close()

    @property
    def slots(self) -> int:
        """How many submissions the workers grade at one time."""
        return sum(self._client.nthreads().values())

    def ask(self, cells: Sequence[str], seed: str, student: str) -> Record:
        """Have a judge somewhere grade; see `judge.grade`.

        Raises
        ------
        IsolationError : a worker cannot start a sandbox
        ClusterError : a worker has another version of the course, or none, or the scheduler is gone
        JudgeError : the judge failed on this submission
        Stopped : this object was left
        """
        unsafe = self.isolation.level == sandbox.UnsafeLocal.level
        try:
            chosen = self.problem_set
            given = (chosen.name, self._bundle, chosen.digest, list(cells), seed, student, unsafe)
            task = self._client.submit(eval, GRADE, {"given": given}, key=f"grade-{uuid4().hex}", retries=RETRIES)
            answer = task.result()
        except KilledWorker as error:
            raise JudgeError(f"every worker that took it was lost: {error}") from None
        except (CancelledError, OSError, RuntimeError, ImportError) as error:
            if self._stopped:
                raise Stopped() from None
            if missing := _import_error(error):
                raise ClusterError(
                    f"a worker of the scheduler at {self.address} does not have this course installed ({missing}); "
                    "install the same version there as here"
                ) from None
            raise ClusterError(
                f"the scheduler at {self.address} is gone ({type(error).__name__}). What was graded is kept: start it again and "
                "run the same command"
            ) from None
        kind, *text = answer
        if kind == "record":
            return Record.from_json(text[0])
        if kind == "isolation":
            raise IsolationError(*text)
        raise (ClusterError if kind == "version" else JudgeError)(*text)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep Dask from writing tracebacks on stderr: what matters of them comes as an error. Who set up Dask's logging gets it."""
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
    """What could not be imported elsewhere, where that is behind an error."""
    while error is not None and not isinstance(error, ImportError):
        error = error.__cause__
    return error


def bundle(chosen: ProblemSet) -> Bundle:
    """Files of a problem set that a judge needs: all of its folder, but for the notebook's source and the simulated class.

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
    if size > MOST_BYTES:
        raise ClusterError(
            f"{chosen.folder} holds {size / 2**20:.1f} MB, and {MOST_BYTES >> 20} MB can go along with a task; "
            "install large files on the workers, and read them from there"
        )
    return tuple(files.items())


def _grade_here(
    name: str, files: Bundle, digest: str, cells: list[str], seed: str, student: str, unsafe: bool
) -> tuple[str, ...]:
    """Grade on a worker; what went wrong comes back as words, because exceptions may need modules that are not there."""
    try:
        chosen = _problem_set(name, files)
        if chosen.digest != digest:
            return (
                "version",
                f"the worker {_address()} has another version of this course than this machine, so that its scores could differ; "
                "install the same version there",
            )
        isolation = _isolation(unsafe)
        return ("record", judge.grade(cells, chosen, seed=seed, isolation=isolation, student=student).to_json())
    except IsolationError as error:
        return ("isolation", f"On the worker {_address()}: {error.reason}", error.remedy)
    except Exception as error:
        return ("judge", f"{type(error).__name__}: {error}")


@cache
def _problem_set(name: str, files: Bundle) -> ProblemSet:
    """Problem set from what came with a task, written down once in the life of a worker's process."""
    root = Path(tempfile.mkdtemp(prefix="autograder-checks-"))  # readable by nobody else
    atexit.register(shutil.rmtree, root, ignore_errors=True)
    for relative, content in files:
        path = root / "solutions" / name / relative
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return problem_set.load(name, root)


@cache
def _isolation(unsafe: bool) -> Isolation:
    """Isolation of a worker's machine, tried out once in the life of its process; one that failed is tried anew."""
    return sandbox.choose(unsafe)


def _address() -> str:
    try:
        return str(get_worker().address)
    except ValueError:  # not on a worker
        return "here"

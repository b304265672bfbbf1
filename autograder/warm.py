"""Workers that are forked from a nursery: the judge's half of `nursery`, which runs in the box.

To start Python and to import NumPy takes most of the time in which one submission is graded; PyTorch takes more than a second.
A nursery does it once for all submissions that a judge grades, or for those of many judges, each with a line of its own to it. A
worker from it may reach no more than one in a fresh box, and where anything stands in the way of that, a fresh box is what the
submission gets.
"""

from __future__ import annotations

import atexit
import json
import os
import re
import select
import signal
import socket
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import IO, Any, BinaryIO, Protocol

import psutil

from autograder import cgroup, seccomp
from autograder.box import Box, Limits
from autograder.errors import IsolationError
from autograder.layout import CODE, Installation, installation, package_files
from autograder.nursery import MAX_REQUEST, PIPES, READY

# Threads, locks and devices that do not survive a fork: with these, each submission gets a fresh box.
NOT_FORKABLE = frozenset({"tensorflow", "tensorflow-cpu", "tensorflow-intel", "tensorflow-macos", "jax", "cupy"})
START_LIMIT = 120.0  # seconds to import the packages
FORK_LIMIT = 30.0  # seconds to fork a worker
MAX_FAILURES = 3  # of nurseries for the same packages, before only fresh boxes are made
WORKERS_OWN = ("autograder.worker", "autograder.protocol", "verdict.tensors")
LOADED_LATE = {
    "numpy": ("numpy.random",),
    "torch": ("torch._dynamo",),  # which every optimizer imports, for a second, when the first one is made
}
FIRST_TO_GO = 500  # of 1000, oom_score_adj of nurseries and workers


class NoNursery(Exception):
    """Why there is no nursery, or no worker from it."""


class Maker(Protocol):
    """What `sandbox.Bubblewrap` gives: boxes for nurseries, and what a worker in them is to become."""

    def nursery(
        self, command: list[str], install: Installation, connection: socket.socket
    ) -> tuple[subprocess.Popen[bytes], int]:
        """Run the program of a nursery in a box; gives bubblewrap's process, and a pidfd of the first one in the box."""

    def uid(self) -> int | None:
        """User that the next worker is to become."""

    def numbers(self, limits: Limits) -> dict[str, int]:
        """Limits of the next worker, by the names of ``resource.RLIMIT_*``."""


@dataclass
class Forked:
    """A worker of which this process is no parent; to `Box` it looks as one that it started.

    Parameters
    ----------
    stdin, stdout, stderr : the judge's ends of the pipes for requests, replies and what is printed
    pid : of the first process of its namespace, as this process sees it
    status : pipe on which that process tells how the worker ended
    """

    stdin: BinaryIO
    stdout: BinaryIO
    stderr: BinaryIO
    pid: int
    status: BinaryIO
    returncode: int | None = None

    def poll(self) -> int | None:
        """Exit status; minus the number of the signal that ended it; None while it runs."""
        if self.returncode is None and _readable(self.status, 0):
            said = self.status.read(100)
            self.status.close()
            # The first process says nothing when it is killed, and the worker with it.
            self.returncode = int(said) if said.isdigit() else -signal.SIGKILL
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Exit status, as soon as there is one.

        Raises
        ------
        subprocess.TimeoutExpired
        """
        if self.returncode is None:
            _readable(self.status, timeout)
        if (status := self.poll()) is None:
            raise subprocess.TimeoutExpired("worker", timeout or 0)
        return status

    def kill(self) -> None:
        """Nothing: `Box` has ended it through its pidfd, and its number may be another's by now."""


class Line:
    """A judge's connection to a nursery, over which it asks for workers.

    Parameters
    ----------
    maker, packages : of the nursery
    connection : to it
    pid : of the process of bubblewrap around it

    Raises
    ------
    NoNursery : no worker could be held on this machine; says why
    """

    def __init__(self, maker: Maker, packages: tuple[str, ...], connection: socket.socket, pid: int) -> None:
        program = seccomp.build()
        if program is None:
            raise NoNursery("no filter of system calls is known for this machine's processor")
        self.maker, self.packages, self._connection, self._pid = maker, packages, connection, pid
        self._filter = program.hex()
        self._ready = False

    def wait(self) -> None:
        """Wait until the packages are imported, and make sure that they can be forked.

        Raises
        ------
        NoNursery : they cannot, or the nursery has ended; says why
        """
        if not self._ready:
            self._answer(START_LIMIT)
            self._look_over()
            self._ready = True

    def worker(self, limits: Limits, program: str | None = None, arguments: tuple[str, ...] = ()) -> Box:
        """Fork a worker.

        Parameters
        ----------
        limits : what it may use
        program, arguments : Python code for it to run in place of its own, to try out what it can reach

        Raises
        ------
        NoNursery : there is none any more, or it could not; says why
        """
        self.wait()
        numbers = self.maker.numbers(limits)
        numbers["NPROC"] += 1  # the first process of the namespace is one of the worker's
        request = {
            "scratch": limits.scratch,
            "keep": installation(self.packages).below("/tmp", "/box"),
            "limits": numbers,
            "uid": self.maker.uid(),
            "filter": self._filter,
            "program": program,
            "arguments": arguments,
        }
        inner_ends, outer_ends = _pipes()
        try:
            self._send(request, inner_ends)
            first = self._answer(FORK_LIMIT)
        except NoNursery:
            _close(outer_ends)
            raise
        finally:
            _close(inner_ends)
        try:
            pid = _number(first)
            status = open(outer_ends[3], "rb", buffering=0)
            said = status.read(1) if _readable(status, FORK_LIMIT) else b"it does not answer"
            if said != READY:
                said += status.read(1000) if said else b""
                status.close()
                raise NoNursery(f"a worker could not give up its rights: {said.decode(errors='replace')}")
        except NoNursery:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(first, signal.SIGKILL)
            _close([first, *outer_ends[:3]])
            raise
        stdin = open(outer_ends[0], "wb", buffering=0)
        stdout, stderr = (open(end, "rb", buffering=0) for end in outer_ends[1:3])
        return Box(Forked(stdin, stdout, stderr, pid, status), limits, first, group=_moved(pid, limits))

    def _send(self, request: dict[str, Any] | None, handles: list[int]) -> None:
        data = json.dumps(request).encode()
        assert len(data) <= MAX_REQUEST, "a request of the judge's own is too long"
        try:
            socket.send_fds(self._connection, [data], handles)
        except OSError as error:
            raise NoNursery(f"the nursery ended: {error}. {self._last_words()}") from None

    def _answer(self, seconds: float) -> int:
        """Descriptor that comes with the nursery's next answer; -1 where none comes with it."""
        self._connection.settimeout(seconds)
        try:
            data, handles, _, _ = socket.recv_fds(self._connection, MAX_REQUEST, 1)
        except OSError as error:
            raise NoNursery(f"the nursery does not answer: {error}. {self._last_words()}") from None
        if not data:
            raise NoNursery(f"the nursery ended. {self._last_words()}")
        if problem := json.loads(data).get("error"):
            raise NoNursery(f"the nursery cannot fork: {problem}")
        return handles[0] if handles else -1

    def _look_over(self) -> None:
        """Make sure that a fork copies all there is: no other thread, no memory that workers would share with each other."""
        try:
            for process in psutil.Process(self._pid).children(recursive=True):
                if process.num_threads() != 1:
                    raise NoNursery(f"what it imports has started {process.num_threads() - 1} threads")
                for line in Path(f"/proc/{process.pid}/maps").read_text().splitlines():
                    if re.match(r"\S+ .w.s ", line):
                        raise NoNursery(f"what it imports has mapped memory that can be shared: {line.split()[-1]}")
                self._may_go_first(Path(f"/proc/{process.pid}/oom_score_adj"))
        except (OSError, psutil.Error) as error:
            raise NoNursery(f"it cannot be looked into: {error}") from None

    def _may_go_first(self, score: Path) -> None:
        """Have workers ended before the judge when the machine has no memory left; they inherit it."""
        with suppress(PermissionError):
            score.write_text(str(max(FIRST_TO_GO, int(score.read_text()))))

    def _last_words(self) -> str:
        """What it printed, where this process can know."""
        return ""

    def close(self) -> None:
        """End the connection, and with it the workers that came over it."""
        self._connection.close()


class Nursery(Line):
    """A nursery that this process has started, which need not be up yet, and the first line to it.

    Parameters
    ----------
    maker : of its box
    packages : distributions that its workers may import

    Raises
    ------
    NoNursery : it cannot be made; says why
    """

    def __init__(self, maker: Maker, packages: tuple[str, ...]) -> None:
        connection, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            try:
                super().__init__(maker, packages, connection, 0)
                self._process, self._first = _launch(maker, packages, theirs)
            except (IsolationError, NoNursery) as error:
                connection.close()
                raise NoNursery(error.reason if isinstance(error, IsolationError) else str(error)) from None
        self._pid = self._process.pid

    def line(self) -> Line:
        """One more line, for a judge that this process forks next; close it here after that.

        Raises
        ------
        NoNursery : the nursery has ended
        """
        connection, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            try:
                self._send(None, [theirs.fileno()])
            except NoNursery:
                connection.close()
                raise
        return Line(self.maker, self.packages, connection, self._pid)

    def _last_words(self) -> str:
        said = self._process.stdout
        assert said is not None
        os.set_blocking(said.fileno(), False)
        return (said.read(1 << 16) or b"").decode(errors="replace").strip()[-500:]

    def close(self) -> None:
        """End it, and with it every worker that is left."""
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._first, signal.SIGKILL)
        self._process.wait()
        os.close(self._first)
        self._connection.close()
        if self._process.stdout is not None:
            self._process.stdout.close()


def _launch(maker: Maker, packages: tuple[str, ...], connection: socket.socket) -> tuple[subprocess.Popen[bytes], int]:
    """Start a nursery: bubblewrap's process, and a pidfd of the first one in the box."""
    install = installation(packages)
    path = [str(folder) for folder in install.package_folders]
    settings = {"code": str(CODE), "path": path, "modules": [*modules(packages), *WORKERS_OWN]}
    command = [str(install.python), "-I", "-S", str(CODE / "autograder/nursery.py"), json.dumps(settings)]
    if threading.current_thread() is threading.main_thread():
        return maker.nursery(command, install, connection)
    # By a thread that never ends: bubblewrap ends with the thread that started it, not only with the process.
    return _starter(os.getpid()).submit(maker.nursery, command, install, connection).result()


@dataclass
class _Place:
    """Where the nursery of some packages, or the line to one, is kept in one process."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    nursery: Line | None = None
    failures: int = 0  # since the last worker
    reason: str = ""
    given_up: list[Line] = field(default_factory=list)  # workers may still run in them


_places: dict[tuple[int, Maker, tuple[str, ...]], _Place] = {}


@cache
def _starter(process: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(1, "nursery")


def start(maker: Maker, packages: tuple[str, ...], limits: Limits) -> Box | None:
    """Fork a worker from a nursery, which is made where there is none yet; None where only a fresh box will do."""
    try:
        return worker(maker, packages, limits)
    except NoNursery:
        return None


def worker(
    maker: Maker, packages: tuple[str, ...], limits: Limits, program: str | None = None, arguments: tuple[str, ...] = ()
) -> Box:
    """Fork a worker from a nursery, which is made where there is none yet; see `Nursery.worker`.

    Raises
    ------
    NoNursery : only a fresh box will do; says why
    """
    _forkable(packages)
    # By the number of this process: a copy of it, made by fork, must not speak over the same connection.
    place = _places.setdefault((os.getpid(), maker, packages), _Place())
    with place.lock:
        while place.failures < MAX_FAILURES:
            try:
                if place.nursery is None:
                    place.nursery = _new(maker, packages)
                box = place.nursery.worker(limits, program, arguments)
                place.failures = 0
                return box
            except NoNursery as error:
                place.reason = str(error)
                place.failures += 1
                if place.nursery is None:
                    place.failures = MAX_FAILURES  # it did not come up at all: nor would the next
                else:
                    place.given_up.append(place.nursery)
                    place.nursery = None
    raise NoNursery(place.reason)


def _new(maker: Maker, packages: tuple[str, ...]) -> Nursery:
    nursery = Nursery(maker, packages)
    try:
        nursery.wait()
    except NoNursery:
        nursery.close()
        raise
    return nursery


def begin(maker: Maker, packages: tuple[str, ...]) -> Nursery | None:
    """Start a nursery for judges that this process will fork; None where only fresh boxes will do."""
    with suppress(NoNursery):
        _forkable(packages)
        return Nursery(maker, packages)
    return None


def adopt(line: Line) -> None:
    """Ask for workers of this process over a line to another one's nursery, as long as that lasts."""
    _places[os.getpid(), line.maker, line.packages] = _Place(nursery=line)


def _forkable(packages: tuple[str, ...]) -> None:
    if found := sorted(NOT_FORKABLE.intersection(installation(packages).distributions)):
        raise NoNursery(f"{', '.join(found)} cannot be forked")


def close(maker: Maker, packages: tuple[str, ...]) -> None:
    """End the nurseries of this process for some packages, and their workers; a later worker has a new one made."""
    place = _places.pop((os.getpid(), maker, packages), _Place())
    for nursery in filter(None, (place.nursery, *place.given_up)):
        nursery.close()


@atexit.register
def close_all() -> None:
    """End all nurseries of this process."""
    for process, maker, packages in list(_places):
        if process == os.getpid():
            close(maker, packages)


def modules(packages: tuple[str, ...]) -> list[str]:
    """What a nursery imports of the packages that a task names: of each its main module, and what is loaded late.

    >>> modules(("numpy",))
    ['numpy', 'numpy.random']
    """
    found = []
    for name in packages:
        main = name.lower().replace("-", "_")
        tops = {path.name.removesuffix(".py") for path in package_files(name)}
        named = [main] if main in tops else sorted(top for top in tops if top.isidentifier() and top[0] != "_")
        found += [module for top in named for module in (top, *LOADED_LATE.get(top, ()))]
    return found


def _pipes() -> tuple[list[int], list[int]]:
    """Pipes for requests, replies, printed and status: the worker's ends, and the judge's."""
    requests, *others = (os.pipe() for _ in range(PIPES))
    return [requests[0], *(writing for _, writing in others)], [requests[1], *(reading for reading, _ in others)]


def _close(ends: list[int]) -> None:
    for end in ends:
        os.close(end)


def _readable(source: int | IO[bytes], seconds: float | None) -> bool:
    poll = select.poll()
    poll.register(source, select.POLLIN)
    return bool(poll.poll(None if seconds is None else 1000 * seconds))


def _number(handle: int) -> int:
    """Number of the process of a pidfd; 0 where it has ended."""
    found = re.search(r"^Pid:\s+(\d+)$", Path(f"/proc/self/fdinfo/{handle}").read_text(), re.MULTILINE)
    return int(found.group(1)) if found else 0


def _moved(pid: int, limits: Limits) -> cgroup.Group | None:
    """Cgroup of its own for a worker, before it has seen any of a student's code; None where boxes get none."""
    group = cgroup.make(limits)
    if group is not None:
        try:
            group.take(pid)
        except OSError:
            group.close()
            return None
    return group

"""Workers forked from a fork server: the client of `autograder.guest.forkserver`, which runs in a
box.

Starting Python and importing NumPy takes most of the time of one submission; PyTorch takes more
than a second. A fork server does both once for all submissions of a judge, or of many judges, each
with a connection of its own. A forked worker must be isolated as well as one in a fresh box; where
it cannot be, the submission gets a fresh box.
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

from autograder.errors import IsolationError, NoForkServer
from autograder.guest.forkserver import MAX_REQUEST, PIPES, READY
from autograder.sandbox import cgroup, seccomp
from autograder.sandbox.box import Box
from autograder.sandbox.limits import Limits
from autograder.sandbox.mounts import CODE, Installation, installation, package_files

# Threads, locks and devices that do not survive a fork: with these, each submission gets a fresh
# box.
NOT_FORKABLE = frozenset(
    {"tensorflow", "tensorflow-cpu", "tensorflow-intel", "tensorflow-macos", "jax", "cupy"}
)
PRELOAD_LIMIT = 120.0  # seconds to import the packages
FORK_LIMIT = 30.0  # seconds to fork a worker
MAX_FAILURES = 3  # of fork servers for the same packages, before only fresh boxes are made
WORKERS_OWN = (
    "autograder.guest.worker",
    "autograder.guest.protocol",
    "verdict.table_parts",
    "verdict.tensors",
)
LOADED_LATE = {
    "numpy": ("numpy.random",),
    # which every optimizer imports, for a second, when the first one is made
    "torch": ("torch._dynamo",),
}
OOM_SCORE_ADJ = 500  # of 1000: the kernel kills fork servers and workers before the judge


class SandboxFactory(Protocol):
    """What a fork server needs of `Bubblewrap`: its box, and the uid and limits of its workers."""

    def fork_server(
        self, command: list[str], install: Installation, connection: socket.socket
    ) -> tuple[subprocess.Popen[bytes], int]:
        """Run a fork server in a box: bubblewrap's process, and a pidfd of the first process in the
        box.
        """

    def uid(self) -> int | None:
        """Uid of the next worker; None: that of the box."""

    def rlimits(self, limits: Limits) -> dict[str, int]:
        """Limits of the next worker, by the names of ``resource.RLIMIT_*``."""


@dataclass
class ForkedProcess:
    """A worker that is no child of this process, with the interface of ``subprocess.Popen`` that
    `Box` uses.

    Parameters
    ----------
    stdin, stdout, stderr : the judge's ends of the pipes for requests, replies and output
    pid : of the first process of its namespace, as this process sees it
    status : pipe over which that process sends the worker's exit code
    """

    stdin: BinaryIO
    stdout: BinaryIO
    stderr: BinaryIO
    pid: int
    status: BinaryIO
    returncode: int | None = None

    def poll(self) -> int | None:
        """Exit code; minus the signal that killed it; None while it runs."""
        if self.returncode is None and _ready_to_read(self.status, 0):
            code = self.status.read(100)
            self.status.close()
            # EOF without a code: the first process was killed, and the worker with it.
            self.returncode = int(code) if code.isdigit() else -signal.SIGKILL
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Exit code, as soon as there is one.

        Raises
        ------
        subprocess.TimeoutExpired
        """
        if self.returncode is None:
            _ready_to_read(self.status, timeout)
        if (status := self.poll()) is None:
            raise subprocess.TimeoutExpired("worker", timeout or 0)
        return status

    def kill(self) -> None:
        """Do nothing: `Box` has killed it through its pidfd, and its pid may be reused by now."""


class ForkClient:
    """A judge's connection to a fork server, over which it asks for workers.

    Parameters
    ----------
    maker, packages : of the fork server
    connection : to it
    pid : of bubblewrap's process around it

    Raises
    ------
    NoForkServer : no worker could be isolated on this machine; says why
    """

    def __init__(
        self, maker: SandboxFactory, packages: tuple[str, ...], connection: socket.socket, pid: int
    ) -> None:
        program = seccomp.build()
        if program is None:
            raise NoForkServer("no filter of system calls is known for this machine's processor")
        self.maker, self.packages, self._connection, self._pid = maker, packages, connection, pid
        self._filter = program.hex()
        self._ready = False

    def wait(self) -> None:
        """Wait until the packages are imported, and check that the process can be forked.

        Raises
        ------
        NoForkServer : they cannot, or the fork server has ended; says why
        """
        if not self._ready:
            self._answer(PRELOAD_LIMIT)
            self._check_forkable()
            self._ready = True

    def worker(
        self, limits: Limits, program: str | None = None, arguments: tuple[str, ...] = ()
    ) -> Box:
        """Fork a worker.

        Parameters
        ----------
        limits : of the worker
        program, arguments : Python code to run in place of the worker's own, for the self-test

        Raises
        ------
        NoForkServer : it has ended, or could not fork; says why
        """
        self.wait()
        rlimits = self.maker.rlimits(limits)
        rlimits["NPROC"] += 1  # the first process of the namespace is one of the worker's
        request = {
            "scratch": limits.scratch,
            "keep": installation(self.packages).below("/tmp", "/box"),
            "limits": rlimits,
            "uid": self.maker.uid(),
            "filter": self._filter,
            "program": program,
            "arguments": arguments,
        }
        inner_ends, outer_ends = _pipes()
        try:
            self._send(request, inner_ends)
            first = self._answer(FORK_LIMIT)
        except NoForkServer:
            _close_ends(outer_ends)
            raise
        finally:
            _close_ends(inner_ends)
        try:
            pid = _pid_of(first)
            status = _ready(outer_ends[3])
        except NoForkServer:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(first, signal.SIGKILL)
            _close_ends([first, *outer_ends[:3]])
            raise
        stdin = open(outer_ends[0], "wb", buffering=0)
        stdout, stderr = (open(end, "rb", buffering=0) for end in outer_ends[1:3])
        return Box(
            ForkedProcess(stdin, stdout, stderr, pid, status),
            limits,
            first,
            group=_in_cgroup(pid, limits),
        )

    def _send(self, request: dict[str, Any] | None, fds: list[int]) -> None:
        data = json.dumps(request).encode()
        assert len(data) <= MAX_REQUEST, "a request of the judge's own is too long"
        try:
            socket.send_fds(self._connection, [data], fds)
        except OSError as error:
            raise NoForkServer(f"the fork server ended: {error}. {self._output()}") from None

    def _answer(self, seconds: float) -> int:
        """The fd that comes with the fork server's next answer; -1 where none does."""
        self._connection.settimeout(seconds)
        try:
            data, fds, _, _ = socket.recv_fds(self._connection, MAX_REQUEST, 1)
        except OSError as error:
            raise NoForkServer(
                f"the fork server does not answer: {error}. {self._output()}"
            ) from None
        if not data:
            raise NoForkServer(f"the fork server ended. {self._output()}")
        if problem := json.loads(data).get("error"):
            raise NoForkServer(f"the fork server cannot fork: {problem}")
        return fds[0] if fds else -1

    def _check_forkable(self) -> None:
        """Refuse to fork if the server has other threads or writable shared mappings."""
        try:
            for process in psutil.Process(self._pid).children(recursive=True):
                if process.num_threads() != 1:
                    raise NoForkServer(
                        f"what it imports has started {process.num_threads() - 1} threads"
                    )
                for line in Path(f"/proc/{process.pid}/maps").read_text().splitlines():
                    if re.match(r"\S+ .w.s ", line):
                        raise NoForkServer(
                            "what it imports has mapped memory that can be shared: "
                            f"{line.split()[-1]}"
                        )
                self._kill_before_judge(Path(f"/proc/{process.pid}/oom_score_adj"))
        except (OSError, psutil.Error) as error:
            raise NoForkServer(f"it cannot be looked into: {error}") from None

    def _kill_before_judge(self, score: Path) -> None:
        """Raise a process's oom_score_adj; its workers inherit it."""
        with suppress(PermissionError):
            score.write_text(str(max(OOM_SCORE_ADJ, int(score.read_text()))))

    def _output(self) -> str:
        """End of the fork server's output; empty for a client of another process's server."""
        return ""

    def close(self) -> None:
        """Close the connection, and with it kill the workers that were forked over it."""
        self._connection.close()


class ForkServer(ForkClient):
    """A fork server that this process started, which need not be up yet, and the first connection
    to it.

    Parameters
    ----------
    maker : of its box
    packages : distributions that its workers may import

    Raises
    ------
    NoForkServer : it cannot be made; says why
    """

    def __init__(self, maker: SandboxFactory, packages: tuple[str, ...]) -> None:
        connection, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            try:
                super().__init__(maker, packages, connection, 0)
                self._process, self._first = _launch(maker, packages, theirs)
            except (IsolationError, NoForkServer) as error:
                connection.close()
                raise NoForkServer(
                    error.reason if isinstance(error, IsolationError) else str(error)
                ) from None
        self._pid = self._process.pid

    def connect(self) -> ForkClient:
        """One more connection, for a judge that this process forks next; close it here after that.

        Raises
        ------
        NoForkServer : the fork server has ended
        """
        connection, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            try:
                self._send(None, [theirs.fileno()])
            except NoForkServer:
                connection.close()
                raise
        return ForkClient(self.maker, self.packages, connection, self._pid)

    def _output(self) -> str:
        stdout = self._process.stdout
        assert stdout is not None
        os.set_blocking(stdout.fileno(), False)
        return (stdout.read(1 << 16) or b"").decode(errors="replace").strip()[-500:]

    def close(self) -> None:
        """Kill it, and with it all its workers."""
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._first, signal.SIGKILL)
        self._process.wait()
        os.close(self._first)
        self._connection.close()
        if self._process.stdout is not None:
            self._process.stdout.close()


def _launch(
    maker: SandboxFactory, packages: tuple[str, ...], connection: socket.socket
) -> tuple[subprocess.Popen[bytes], int]:
    """Start a fork server: bubblewrap's process, and a pidfd of the first one in the box."""
    install = installation(packages)
    path = [str(folder) for folder in install.package_folders]
    settings = {"code": str(CODE), "path": path, "modules": [*modules(packages), *WORKERS_OWN]}
    command = [
        str(install.python),
        "-I",
        "-S",
        str(CODE / "autograder/guest/forkserver.py"),
        json.dumps(settings),
    ]
    if threading.current_thread() is threading.main_thread():
        return maker.fork_server(command, install, connection)
    # From a thread that never ends: bubblewrap's --die-with-parent follows the thread, not the
    # process.
    return _starter(os.getpid()).submit(maker.fork_server, command, install, connection).result()


@dataclass
class _Place:
    """The fork server of some packages, or the connection to one, in one process."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    fork_server: ForkClient | None = None
    failures: int = 0  # since the last worker
    reason: str = ""
    given_up: list[ForkClient] = field(default_factory=list)  # workers may still run in them


_places: dict[tuple[int, SandboxFactory, tuple[str, ...]], _Place] = {}


@cache
def _starter(process: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(1, "fork server")


def start(maker: SandboxFactory, packages: tuple[str, ...], limits: Limits) -> Box | None:
    """Fork a worker, and start its fork server where there is none yet; None: use a fresh box."""
    try:
        return worker(maker, packages, limits)
    except NoForkServer:
        return None


def worker(
    maker: SandboxFactory,
    packages: tuple[str, ...],
    limits: Limits,
    program: str | None = None,
    arguments: tuple[str, ...] = (),
) -> Box:
    """Fork a worker, and start its fork server where there is none yet; see `ForkClient.worker`.

    Raises
    ------
    NoForkServer : a fresh box is needed; says why
    """
    _forkable(packages)
    # The pid is part of the key: a fork of this process must not use the same connection.
    place = _places.setdefault((os.getpid(), maker, packages), _Place())
    with place.lock:
        while place.failures < MAX_FAILURES:
            try:
                if place.fork_server is None:
                    place.fork_server = _new(maker, packages)
                box = place.fork_server.worker(limits, program, arguments)
                place.failures = 0
                return box
            except NoForkServer as error:
                place.reason = str(error)
                place.failures += 1
                if place.fork_server is None:
                    place.failures = MAX_FAILURES  # it did not come up at all: nor would the next
                else:
                    place.given_up.append(place.fork_server)
                    place.fork_server = None
    raise NoForkServer(place.reason)


def _new(maker: SandboxFactory, packages: tuple[str, ...]) -> ForkServer:
    fork_server = ForkServer(maker, packages)
    try:
        fork_server.wait()
    except NoForkServer:
        fork_server.close()
        raise
    return fork_server


def begin(maker: SandboxFactory, packages: tuple[str, ...]) -> ForkServer | None:
    """Start a fork server for judges that this process will fork; None where fresh boxes are
    needed.
    """
    with suppress(NoForkServer):
        _forkable(packages)
        return ForkServer(maker, packages)
    return None


def begin_here(maker: SandboxFactory | None, packages: tuple[str, ...]) -> None:
    """Start this process's own fork server, without waiting for it: what it imports goes on beside
    what is imported here. Nothing happens where fresh boxes are needed, or there is no maker.
    """
    if maker is None or (os.getpid(), maker, packages) in _places:
        return
    if (fork_server := begin(maker, packages)) is not None:
        use_connection(fork_server)


def use_connection(client: ForkClient) -> None:
    """Fork this process's workers over a connection to another process's fork server, while that
    lives.
    """
    _places[os.getpid(), client.maker, client.packages] = _Place(fork_server=client)


def _forkable(packages: tuple[str, ...]) -> None:
    if found := sorted(NOT_FORKABLE.intersection(installation(packages).distributions)):
        raise NoForkServer(f"{', '.join(found)} cannot be forked")


def end_servers(maker: SandboxFactory, packages: tuple[str, ...]) -> None:
    """Kill the fork servers of this process for some packages, and their workers."""
    place = _places.pop((os.getpid(), maker, packages), _Place())
    for fork_server in filter(None, (place.fork_server, *place.given_up)):
        fork_server.close()


@atexit.register
def end_all_servers() -> None:
    """Kill all fork servers of this process."""
    for process, maker, packages in list(_places):
        if process == os.getpid():
            end_servers(maker, packages)


def modules(packages: tuple[str, ...]) -> list[str]:
    """Modules that a fork server imports: the main one of each package, and those loaded late.

    >>> modules(("numpy",))
    ['numpy', 'numpy.random']
    """
    found = []
    for name in packages:
        main = name.lower().replace("-", "_")
        tops = {path.name.removesuffix(".py") for path in package_files(name)}
        named = (
            [main]
            if main in tops
            else sorted(top for top in tops if top.isidentifier() and top[0] != "_")
        )
        found += [module for top in named for module in (top, *LOADED_LATE.get(top, ()))]
    return found


def _pipes() -> tuple[list[int], list[int]]:
    """Pipes for requests, replies, output and status: the worker's ends, and the judge's."""
    requests, *others = (os.pipe() for _ in range(PIPES))
    return [requests[0], *(writing for _, writing in others)], [
        requests[1],
        *(reading for reading, _ in others),
    ]


def _close_ends(ends: list[int]) -> None:
    for end in ends:
        os.close(end)


def _ready_to_read(source: int | IO[bytes], seconds: float | None) -> bool:
    poll = select.poll()
    poll.register(source, select.POLLIN)
    return bool(poll.poll(None if seconds is None else 1000 * seconds))


def _ready(fd: int) -> Any:
    """The worker's status pipe, once the worker has dropped its privileges.

    Raises
    ------
    NoForkServer : it could not; says why
    """
    status = open(fd, "rb", buffering=0)
    answer = status.read(1) if _ready_to_read(status, FORK_LIMIT) else b"it does not answer"
    if answer != READY:
        answer += status.read(1000) if answer else b""
        status.close()
        raise NoForkServer(
            f"a worker could not give up its rights: {answer.decode(errors='replace')}"
        )
    return status


def _pid_of(pidfd: int) -> int:
    """Pid of a pidfd's process; 0 where it has ended."""
    found = re.search(
        r"^Pid:\s+(\d+)$", Path(f"/proc/self/fdinfo/{pidfd}").read_text(), re.MULTILINE
    )
    return int(found.group(1)) if found else 0


def _in_cgroup(pid: int, limits: Limits) -> cgroup.Cgroup | None:
    """Move a freshly forked worker into its own cgroup before it receives code; None if cgroups are
    unavailable.
    """
    group = cgroup.make(limits)
    if group is not None:
        try:
            group.add(pid)
        except OSError:
            group.close()
            return None
    return group

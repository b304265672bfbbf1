"""Where the student's code runs: a box made by bubblewrap, or, only when asked for by name, a plain process.

The box holds Python, its standard library, the packages that the problem set allows, and two small writable folders in memory.
It has no network, no other process, no environment, no home, no /proc. What it may use of memory, processes, files and time is
limited; the judge ends it from outside by killing the first process of its namespace, and nothing in it survives that.

bubblewrap makes it in one of two ways. An ordinary user gets a user namespace. Root needs none, and then the worker becomes a
user whose number no one else has: the kernel does not count root's processes, so that a limit on them would hold nothing.
"""

from __future__ import annotations

import json
import os
import platform
import secrets
import select
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import psutil

from autograder import seccomp
from autograder.errors import IsolationError, OutOfMemory, ProtocolError, WorkerDied, WorkerTimeout
from autograder.protocol import MAX_HEADER, MAX_PAYLOAD, PREFIX_SIZE

PACKAGE = Path(__file__).resolve().parent
SHIPPED = ("__init__.py", "errors.py", "protocol.py", "worker.py")  # all of this package that enters the box
CODE = Path("/worker")
MAX_UNREAD = PREFIX_SIZE + MAX_HEADER + MAX_PAYLOAD  # bytes of replies that are held for reading: one frame
ENVIRONMENT = {
    "PATH": "/usr/bin:/bin",
    "HOME": "/box",
    "USER": "student",
    "LOGNAME": "student",
    "TMPDIR": "/tmp",
    "LANG": "C.UTF-8",
    # One thread each: as many students are graded at once as there are cores.
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "NUMEXPR_NUM_THREADS": "1",
}
INSTALL = "Install it: sudo apt-get install bubblewrap (Debian, Ubuntu), sudo dnf install bubblewrap (Fedora)."
UNSAFE = (
    "To grade without any isolation, and only code that you trust, say --unsafe-local; it is written in every record."
)


@dataclass(frozen=True)
class Limits:
    """What the student's code may use.

    Parameters
    ----------
    memory : bytes, for each process and for all together
    processes : processes and threads at one time
    scratch : bytes in each of the two writable folders, and in one file
    open_files : at one time, per process
    cpu_seconds : per process
    output : characters of what the code prints that are kept, the last ones
    """

    memory: int = 2 << 30
    processes: int = 64
    scratch: int = 64 << 20
    open_files: int = 128
    cpu_seconds: int = 600
    output: int = 10_000

    def for_worker(self) -> dict[str, int]:
        """By the names of ``resource.RLIMIT_*``."""
        return {
            "AS": self.memory,
            "NPROC": self.processes,
            "FSIZE": self.scratch,
            "NOFILE": self.open_files,
            "CPU": self.cpu_seconds,
            "CORE": 0,
        }


@dataclass
class Box:
    """A worker that runs: bytes in, bytes out, and what it prints.

    Nothing here waits longer than the deadline it is given, and nothing the worker prints, however much, can stop it or fill
    the judge's memory.
    """

    process: subprocess.Popen[bytes]
    limits: Limits
    first: int | None = None  # pidfd of the first process in the namespace, whose end is the end of all others
    folder: Path | None = None  # to be removed at the end
    output: bytearray = field(default_factory=bytearray)
    _unread: bytearray = field(default_factory=bytearray)
    _watched: float = field(default_factory=time.monotonic)  # when the memory was looked at last

    def __post_init__(self) -> None:
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            assert stream is not None
            os.set_blocking(stream.fileno(), False)
        self._requests, self._replies, self._printed = (
            stream.fileno() for stream in (self.process.stdin, self.process.stdout, self.process.stderr) if stream
        )
        self._open = {self._replies, self._printed}

    def send(self, data: bytes, deadline: float) -> None:
        """Send all of ``data``, while reading what comes.

        Raises
        ------
        WorkerDied, WorkerTimeout, OutOfMemory
        """
        view = memoryview(data)
        while view:
            if self._wait(deadline, writing=True):
                try:
                    view = view[os.write(self._requests, view) :]
                except BrokenPipeError:
                    raise WorkerDied(self._last_words()) from None

    def read(self, size: int, deadline: float) -> bytes:
        """Exactly ``size`` bytes of what the worker replies.

        Raises
        ------
        WorkerDied, WorkerTimeout, OutOfMemory
        """
        while len(self._unread) < size:
            if self._replies not in self._open:
                raise WorkerDied(self._last_words())
            self._wait(deadline)
        data = bytes(self._unread[:size])
        del self._unread[:size]
        return data

    def _wait(self, deadline: float, writing: bool = False) -> bool:
        """Take in what has come; whether the worker can be written to. Returns at least twice a second."""
        left = deadline - time.monotonic()
        if left <= 0:
            raise WorkerTimeout("no answer in time")
        poll = select.poll()  # not select.select, which knows only the first 1024 descriptors of a process
        for fd in self._open:
            poll.register(fd, select.POLLIN)
        if writing:
            poll.register(self._requests, select.POLLOUT)
        ready = [fd for fd, _ in poll.poll(1000 * min(left, 0.5))]
        for fd in self._open.intersection(ready):
            self._take(fd)
        if not ready and self.process.poll() is not None:
            self._open.clear()  # it ended, though somebody else still holds the other end of a pipe
        if time.monotonic() > self._watched + 0.5:
            self._watched = time.monotonic()
            if self._memory() > self.limits.memory:
                raise OutOfMemory(f"more than {self.limits.memory >> 20} MiB")
        return self._requests in ready

    def _take(self, fd: int) -> None:
        """Take in what has come on one of the two pipes."""
        data = os.read(fd, 1 << 16)
        if not data:
            self._open.discard(fd)
        elif fd == self._printed:
            self.output += data
            del self.output[: -4 * self.limits.output]  # a character takes at most four bytes
        elif len(self._unread) > MAX_UNREAD:
            raise ProtocolError("the worker sends without being asked")
        else:
            self._unread += data

    def _memory(self) -> int:
        """Bytes of memory that the worker and its processes take together."""
        total = 0
        with suppress(psutil.Error):
            for process in psutil.Process(self.process.pid).children(recursive=True):
                with suppress(psutil.Error):
                    total += process.memory_info().rss
        return total

    def _last_words(self) -> str:
        """How the process ended, in words."""
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(timeout=5)
        status = self.process.returncode
        if status is None:
            return "it closed its connection"
        number = status - 128 if status > 128 else -status  # of the signal; bubblewrap reports it as a shell does
        if number in set(signal.Signals):
            return f"signal {signal.Signals(number).name}"
        return f"exit status {status}"

    def printed(self) -> str:
        """End of what the student's code printed so far."""
        return self.output.decode(errors="replace")[-self.limits.output :]

    def close(self) -> None:
        """Kill everything in the box and wait until it is gone."""
        if self.first is not None:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self.first, signal.SIGKILL)
            # bubblewrap itself may end a moment earlier, when the worker ended by itself.
            end = select.poll()
            end.register(self.first, select.POLLIN)
            end.poll(10_000)
            os.close(self.first)
            self.first = None
        elif self.process.poll() is None:
            # Without a namespace only the process group can be reached; a process that left it survives: unsafe indeed.
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        # What was printed just before the end; bounded, for without a namespace a survivor might go on printing.
        for _ in range(64):
            with suppress(BlockingIOError):
                if self._printed in self._open:
                    self._take(self._printed)
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)


@dataclass(frozen=True)
class Bubblewrap:
    """Boxes made by bubblewrap.

    Parameters
    ----------
    program : path of ``bwrap``
    as_root : make no user namespace, but let the worker become a user of its own
    """

    program: str
    as_root: bool
    level: str = "bubblewrap"

    def start(self, packages: Iterable[str], limits: Limits) -> Box:
        """Start a worker.

        Raises
        ------
        IsolationError : bubblewrap could not make the box; with its own words
        """
        install = installation(tuple(packages))
        uid = _own_uid() if self.as_root else None
        numbers = limits.for_worker()
        if not self.as_root:
            numbers["NPROC"] += _processes_counted_elsewhere()
        path = [str(folder) for folder in install.package_folders]
        settings = {"code": str(CODE), "path": path, "limits": numbers, "uid": uid}
        command = [str(install.python), "-I", "-S", str(CODE / "autograder/worker.py"), json.dumps(settings)]
        return self.run(command, install, limits)

    def run(self, command: list[str], install: Installation, limits: Limits) -> Box:
        """Run a command in a new box."""
        rules = self._namespaces() + _files(install, limits)
        info_read, info_write = os.pipe()
        passed = [info_write]
        try:
            arguments = ["--info-fd", str(info_write), *rules]
            if (program := seccomp.build()) is not None:
                passed.append(_memory_file(program))
                arguments = ["--seccomp", str(passed[-1]), *arguments]
            # Through a file, not on the command line: that one can be read by everybody on the machine, and by pid 1's children.
            passed.append(_memory_file(b"\0".join(a.encode() for a in arguments) + b"\0"))
            process = subprocess.Popen(
                [self.program, "--args", str(passed[-1]), "--", *command],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                pass_fds=passed,
                env={},  # bubblewrap is the first process in the box: what it was given could be read there
            )
        except BaseException:
            os.close(info_read)
            raise
        finally:
            for fd in passed:
                os.close(fd)
        first = _first_process(info_read)
        if first is None:
            _, words = process.communicate()
            raise IsolationError(
                f"bubblewrap could not make a box: {words.decode(errors='replace').strip() or 'it said nothing'}",
                _remedy(words),
            )
        return Box(process, limits, first)

    def _namespaces(self) -> list[str]:
        rules = ["--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts", "--unshare-cgroup-try"]
        if self.as_root:
            # Just what it takes to become another user; the worker loses them with that.
            rules += ["--cap-drop", "ALL", "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]
        else:
            rules += ["--unshare-user", "--cap-drop", "ALL"]
            rules += ["--disable-userns"] if "--disable-userns" in _options(self.program) else []
        rules += ["--die-with-parent", "--new-session", "--hostname", "box", "--clearenv"]
        for name, value in ENVIRONMENT.items():
            rules += ["--setenv", name, value]
        return rules


@dataclass(frozen=True)
class UnsafeLocal:
    """A plain process with limits: it can read and write whatever the person who grades can, and reach the network."""

    level: str = "unsafe-local"

    def start(self, packages: Iterable[str], limits: Limits) -> Box:
        """Start a worker in a temporary folder."""
        install = installation(tuple(packages))
        folder = Path(tempfile.mkdtemp(prefix="autograder-"))
        code, packages_folder = folder / "worker", folder / "packages"
        (code / "autograder").mkdir(parents=True)
        for name in SHIPPED:
            shutil.copyfile(PACKAGE / name, code / "autograder" / name)
        packages_folder.mkdir()
        for path in install.packages:
            (packages_folder / path.name).symlink_to(path)
        # Not NPROC: it would count every process of the person who grades.
        numbers = {name: value for name, value in limits.for_worker().items() if name != "NPROC"}
        settings = {"code": str(code), "path": [str(packages_folder)], "limits": numbers, "uid": None}
        process = subprocess.Popen(
            [str(install.python), "-I", "-S", str(code / "autograder/worker.py"), json.dumps(settings)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=folder,
            env={**ENVIRONMENT, "HOME": str(folder), "TMPDIR": str(folder)},
            start_new_session=True,
        )
        return Box(process, limits, folder=folder)


Isolation = Bubblewrap | UnsafeLocal


# --- choosing ------------------------------------------------------------------------------------------------------------


def choose(unsafe_local: bool = False) -> Isolation:
    """Isolation that this machine gives, tried out; never a weaker one than asked for.

    Raises
    ------
    IsolationError : there is none; says why, and what to do
    """
    if unsafe_local:
        return UnsafeLocal()
    findings = probe()
    for finding in findings:
        if not finding.holds:
            raise IsolationError(f"{finding.question} {finding.answer}", f"{finding.remedy}\n{UNSAFE}")
    return bubblewrap()


def bubblewrap() -> Bubblewrap:
    """Bubblewrap on this machine, not tried out.

    Raises
    ------
    IsolationError : it is not installed, or too old
    """
    if platform.system() != "Linux":
        raise IsolationError(
            f"Untrusted code can be held apart on Linux only; this is {platform.system()}.",
            "Grade on a Linux machine, in a virtual machine, or in WSL 2.",
        )
    program = shutil.which("bwrap", path=os.defpath + ":/usr/local/bin") or shutil.which("bwrap")
    if program is None:
        raise IsolationError("bubblewrap (bwrap) is not installed.", INSTALL)
    if missing := sorted({"--size", "--perms", "--args", "--info-fd"} - _options(program)):
        raise IsolationError(
            f"{program} has no {', '.join(missing)}: it is older than version 0.7.",
            "Use Debian 12, Ubuntu 23.04, Fedora 38 or later, or build bubblewrap 0.7 or later.",
        )
    return Bubblewrap(program, as_root=os.geteuid() == 0)


@cache
def _options(program: str) -> frozenset[str]:
    text = subprocess.run([program, "--help"], capture_output=True, text=True, env={}, timeout=60, check=False).stdout
    return frozenset(word for word in text.split() if word.startswith("--"))


def _remedy(words: bytes) -> str:
    """What to do about bubblewrap's complaint."""
    if b"uid map" in words or b"namespace" in words.lower() or b"Operation not permitted" in words:
        return (
            "User namespaces are not allowed here.\n"
            "  Ubuntu 23.10 and later: sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0, or an AppArmor profile "
            "for bwrap (package apparmor-profiles, bwrap-userns-restrict).\n"
            "  Older Debian: sudo sysctl -w kernel.unprivileged_userns_clone=1\n"
            "  Docker: --security-opt seccomp=unconfined --security-opt apparmor=unconfined, and as root --cap-add SYS_ADMIN; "
            "or run the container with podman."
        )
    return f"Is bubblewrap complete? {INSTALL}"


# --- trying it out -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Finding:
    """One thing that was tried from inside a box: what, whether the box holds, what came of it, what to do."""

    question: str
    holds: bool
    answer: str
    remedy: str = ""


# Runs in the box. Every attempt is bounded: should the box not hold, it does no harm.
PROBE = r"""
import json, os, socket, sys, time
port, canary, uid = json.loads(sys.argv[1])
import resource
resource.setrlimit(resource.RLIMIT_NPROC, (16, 16))
if uid is not None:
    os.setgroups([]); os.setresgid(uid, uid, uid); os.setresuid(uid, uid, uid)
def attempt(action):
    try:
        return f"yes: {action()}"[:200]
    except OSError as error:
        return f"no: {type(error).__name__}: {error}"[:200]
def connect():
    with socket.create_connection(("127.0.0.1", port), timeout=2):
        return "connected"
def fork():
    children = []
    try:
        for _ in range(32):
            pid = os.fork()
            if pid == 0:
                time.sleep(2)
                os._exit(0)
            children.append(pid)
    finally:
        for pid in children:
            os.kill(pid, 9)
            os.waitpid(pid, 0)
    return f"{len(children)} processes with a limit of 16"
def write(path):
    with open(path, "a") as file:
        return file.write("written from inside the box")
def fill():
    with open("/tmp/fill", "wb") as file:
        return sum(file.write(bytes(1 << 20)) for _ in range(8))
def become_root():
    os.setuid(0)
    return "root"
print(json.dumps({
    "socket": attempt(connect),
    "write": attempt(lambda: write(canary)),
    "write /": attempt(lambda: write("/usr/lib/autograder-probe")),
    "read": attempt(lambda: open(canary).read()),
    "home": attempt(lambda: open("/etc/passwd").readline()),
    "fork": attempt(fork),
    "fill": attempt(fill),
    "root": attempt(become_root) if uid is not None else "no",
    "pid": os.getpid(),
    "environment": sorted(os.environ),
}))
"""


def probe() -> list[Finding]:
    """Try the isolation out by doing what it must prevent, on things of our own that it would not hurt to lose.

    Returns
    -------
    one finding per attempt; the first that does not hold says why this machine cannot grade untrusted code
    """
    try:
        isolation = bubblewrap()
    except IsolationError as error:
        return [Finding("Is bubblewrap there?", False, error.reason, error.remedy)]
    how = "as root, with a user of its own for each worker" if isolation.as_root else "in a user namespace"
    findings = [Finding("Is bubblewrap there?", True, f"{isolation.program}, {how}.")]
    # In the home folder, where there is one: /tmp is another one in the box in any case.
    home = os.path.expanduser("~")
    where = home if os.access(home, os.W_OK) else None
    with (
        tempfile.TemporaryDirectory(prefix=".autograder-", dir=where) as folder,
        socket.create_server(("127.0.0.1", 0)) as listener,
    ):
        listener.setblocking(False)
        canary = Path(folder) / "canary"
        canary.write_text("untouched")
        uid = _own_uid() if isolation.as_root else None
        given = json.dumps([listener.getsockname()[1], str(canary), uid])
        install = installation(())
        try:
            box = isolation.run([str(install.python), "-I", "-S", "-c", PROBE, given], install, Limits(scratch=4 << 20))
        except IsolationError as error:
            return [*findings, Finding("Does it make a box?", False, error.reason, error.remedy)]
        saw = _answers(box)
        try:
            listener.accept()[0].close()
            reached = True
        except BlockingIOError:
            reached = False
        untouched = canary.read_text() == "untouched"
    if saw is None:
        answer = f"No: Python does not run in it: {box.printed().strip()[-500:] or box.process.returncode}"
        readable = f"Can everybody read {sys.base_prefix} and the packages in {sysconfig.get_path('purelib')}?"
        return [*findings, Finding("Does it make a box?", False, answer, readable)]
    findings.append(Finding("Does it make a box?", True, "Yes."))

    def add(question: str, key: str, holds: bool) -> None:
        findings.append(Finding(question, holds, f"{saw[key]}.", f"This is a fault of the box. {INSTALL}"))

    def denied(key: str) -> bool:
        return str(saw[key]).startswith("no")

    add("Does it reach the network of this machine?", "socket", denied("socket") and not reached)
    add("Can it write to a file of yours?", "write", denied("write") and untouched)
    add("Can it write to the system?", "write /", denied("write /"))
    add("Can it read a file of yours?", "read", denied("read"))
    add("Can it read the list of users?", "home", denied("home"))
    add("Can it fork without end?", "fork", denied("fork"))
    add("Can it fill the memory with files?", "fill", denied("fill"))
    add("Can it become root?", "root", denied("root"))
    add("Does it see the processes of this machine? Its own number is", "pid", saw["pid"] < 10)
    add(
        "Does it see your environment? It sees",
        "environment",
        set(saw["environment"]) <= {*ENVIRONMENT, "PWD", "LC_CTYPE"},
    )
    return findings


def _answers(box: Box) -> dict[str, Any] | None:
    deadline = time.monotonic() + 60
    text = b""
    try:
        while not text.endswith(b"\n"):
            text += box.read(1, deadline)
        answers: dict[str, Any] = json.loads(text)
        return answers
    except (WorkerDied, WorkerTimeout):
        return None
    finally:
        box.close()


# --- what goes into the box ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Installation:
    """The Python that runs this and the allowed packages: what a box must hold of the machine's files, at the same paths.

    At the same paths, because shared libraries find each other relative to where they lie.
    """

    python: Path
    system: tuple[Path, ...]  # folders and files that are bound
    hidden: tuple[Path, ...]  # folders of other packages inside them
    packages: tuple[Path, ...]  # files and folders of the allowed packages

    @property
    def package_folders(self) -> tuple[Path, ...]:
        """Where they lie: entries for sys.path."""
        return tuple(dict.fromkeys(path.parent for path in self.packages))


@cache
def installation(packages: tuple[str, ...]) -> Installation:
    """What of this machine's files a box with these distributions must hold."""
    python = Path(sys.executable).resolve()
    prefix = Path(sys.base_prefix).resolve()
    system = [Path("/usr/lib"), Path("/usr/lib64"), Path("/usr/lib32"), prefix / "lib", prefix / "lib64", python]
    system += [Path(f"/{name}") for name in ("lib", "lib64") if not Path(f"/{name}").is_symlink()]
    system += [Path("/etc/ld.so.cache"), Path("/etc/alternatives")]
    system = [path for path in dict.fromkeys(system) if path.exists()]
    roots = {prefix / "lib", prefix / "lib64", Path("/usr/lib"), Path("/usr/lib64")}
    hidden = {
        path
        for root in roots
        for pattern in ("site-packages", "dist-packages", "python3*/site-packages", "python3*/dist-packages")
        for path in root.glob(pattern)
    }
    found = [path for name in packages for path in _package_files(name)]
    return Installation(python, tuple(system), tuple(sorted(hidden)), tuple(dict.fromkeys(found)))


def _package_files(name: str) -> list[Path]:
    """Top-level files and folders of a distribution."""
    files = distribution(name).files or []
    tops = {
        (distribution(name).locate_file(""), file.parts[0])
        for file in files
        if file.parts[0] not in ("..", "__pycache__")
    }
    paths = sorted(Path(str(folder)).resolve() / top for folder, top in tops)
    if not paths:
        raise IsolationError(
            f"{name} is installed, but not as files of its own.", f"pip install --force-reinstall {name}"
        )
    return paths


def _files(install: Installation, limits: Limits) -> list[str]:
    """Rules that lay out the box's files."""
    rules: list[str] = []
    made: set[Path] = set()

    def folder(path: Path) -> None:
        # bubblewrap would make them for its own user only, and the worker may be another.
        for part in [*reversed(path.parents), path]:
            if part not in made and part != Path("/"):
                made.add(part)
                rules.extend(["--perms", "0755", "--dir", str(part)])

    def bind(source: Path, target: Path) -> None:
        folder(target.parent)
        rules.extend(["--ro-bind", str(source), str(target)])

    # First: Python or its packages may lie below /tmp.
    for name in ("/tmp", "/box"):
        rules.extend(["--perms", "1777", "--size", str(limits.scratch), "--tmpfs", name])
    made.add(Path("/tmp"))
    for path in install.system:
        bind(path, path)
    for name in ("lib", "lib64"):
        if Path(f"/{name}").is_symlink():
            rules.extend(["--symlink", os.readlink(f"/{name}"), f"/{name}"])
    for path in install.hidden:
        rules.extend(["--perms", "0755", "--size", "65536", "--tmpfs", str(path)])
    made.update(install.hidden)
    for path in install.packages:
        if not any(path.is_relative_to(hidden) for hidden in install.hidden):
            folder(path.parent)
        rules.extend(["--ro-bind", str(path), str(path)])
    for path in install.hidden:
        rules.extend(["--remount-ro", str(path)])
    for name in SHIPPED:
        bind(PACKAGE / name, CODE / "autograder" / name)
    rules.extend(["--dev", "/dev", "--remount-ro", "/dev"])
    # Last: an ordinary user's box would otherwise have a root folder that can be filled without a limit.
    return [*rules, "--remount-ro", "/", "--chdir", "/box"]


# --- small things --------------------------------------------------------------------------------------------------------


def _own_uid() -> int:
    """Return a number that no user of this machine has, so that the limit on processes counts this box's only."""
    # 0x70000000 up is left unused by systemd's table of uids; a container may know fewer numbers.
    first, count = 0x70000000, 0x0FFFFFFF
    known = [tuple(map(int, line.split())) for line in Path("/proc/self/uid_map").read_text().splitlines()]
    if not any(start <= first and first + count <= start + length for start, _, length in known):
        first, count = 60600, 580  # unused as well, between systemd's two ranges for dynamic users
    return first + secrets.randbelow(count)


def _processes_counted_elsewhere() -> int:
    """Processes of this user that a limit inside the box would count: none since Linux 5.14, which counts by user namespace."""
    release = tuple(int("".join(filter(str.isdigit, part)) or 0) for part in platform.release().split(".")[:2])
    if release >= (5, 14):
        return 0
    mine = [
        p for p in psutil.process_iter(["uids", "num_threads"]) if p.info["uids"] and p.info["uids"].real == os.getuid()
    ]
    return sum(p.info["num_threads"] or 1 for p in mine)


def _memory_file(data: bytes) -> int:
    fd = os.memfd_create("autograder")
    os.write(fd, data)
    os.lseek(fd, 0, os.SEEK_SET)
    return fd


def _first_process(info: int) -> int | None:
    """Return a pidfd of the first process in the box, from what bubblewrap says on ``--info-fd``; None when it made no box."""
    text = b""
    with os.fdopen(info, "rb", buffering=0) as stream:
        while not text.rstrip().endswith(b"}") and (more := stream.read(1000)):
            text += more
    try:
        return os.pidfd_open(json.loads(text)["child-pid"])
    except (ValueError, KeyError, ProcessLookupError):
        return None

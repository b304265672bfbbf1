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
import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import psutil

from autograder import seccomp
from autograder.box import Box, Limits
from autograder.errors import IsolationError
from autograder.layout import CODE, ENVIRONMENT, PACKAGE, SHIPPED, Installation, installation, rules_for
from autograder.probe import Finding, try_out

__all__ = [
    "Box",
    "Bubblewrap",
    "Elsewhere",
    "Finding",
    "Isolation",
    "Limits",
    "UnsafeLocal",
    "bubblewrap",
    "choose",
    "probe",
]

INSTALL = "Install it: sudo apt-get install bubblewrap (Debian, Ubuntu), sudo dnf install bubblewrap (Fedora)."
UNSAFE = (
    "To grade without any isolation, and only code that you trust: `autograder run --unsafe-local`; "
    "it is written in every record."
)


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
        uid = self.uid()
        numbers = limits.for_worker()
        if not self.as_root:
            numbers["NPROC"] += _processes_counted_elsewhere()
        path = [str(folder) for folder in install.package_folders]
        settings = {"code": str(CODE), "path": path, "limits": numbers, "uid": uid}
        command = [str(install.python), "-I", "-S", str(CODE / "autograder/worker.py"), json.dumps(settings)]
        return self.run(command, install, limits)

    def uid(self) -> int | None:
        """Return the user that the next worker is to become; None where it stays who it is."""
        return _own_uid() if self.as_root else None

    def run(self, command: list[str], install: Installation, limits: Limits) -> Box:
        """Run a command in a new box."""
        rules = self._namespaces() + rules_for(install, limits)
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


@dataclass(frozen=True)
class Elsewhere:
    """Boxes on other machines, each of which tries out by itself whether it can make them: this one need not be able to."""

    level: str

    def start(self, packages: Iterable[str], limits: Limits) -> Box:
        """Refuse: no student's code runs on this machine."""
        raise IsolationError(
            "The students' code runs on a cluster's workers, not here.", "Leave --scheduler out to run it here."
        )


Isolation = Bubblewrap | UnsafeLocal | Elsewhere


def choose(unsafe_local: bool = False) -> Isolation:
    """Isolation that this machine gives, tried out; never a weaker one than asked for.

    Raises
    ------
    IsolationError : there is none; says why, and what to do
    """
    if unsafe_local:
        return UnsafeLocal()
    for finding in probe():
        if not finding.holds:
            raise IsolationError(f"{finding.question} {finding.answer}", f"{finding.remedy}\n{UNSAFE}")
    return bubblewrap()


def probe() -> list[Finding]:
    """What this machine's isolation holds, tried out; see `autograder.probe`."""
    try:
        isolation = bubblewrap()
    except IsolationError as error:
        return [Finding("Is bubblewrap there?", False, error.reason, error.remedy)]
    how = "as root, with a user of its own for each worker" if isolation.as_root else "in a user namespace"
    return [Finding("Is bubblewrap there?", True, f"{isolation.program}, {how}."), *try_out(isolation)]


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

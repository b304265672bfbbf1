"""Where the student's code runs: a box made by bubblewrap, or, only when asked for by name, a plain process.

The box holds Python, its standard library, the packages that the problem set allows, and two small writable folders in memory.
It has no network, no other process, no environment, no home, no /proc. What it may use of memory, processes, files and time is
limited; the judge ends it from outside by killing the first process of its namespace, and nothing in it survives that.

A worker is started in a box of its own, or forked in one that has imported the packages already (see `warm`): it may reach
the same either way.

bubblewrap makes a box in one of two ways. An ordinary user gets a user namespace. Root needs none, and then the worker becomes a
user whose number no one else has: the kernel does not count root's processes, so that a limit on them would hold nothing.

Where bubblewrap cannot make a box that holds, podman makes it, or docker (see `container`); where none of them can, nothing is
graded.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import psutil

from autograder import cgroup, owner, seccomp
from autograder import warm as nurseries
from autograder.box import Box, Limits
from autograder.cgroup import Group
from autograder.container import Container, container, version
from autograder.errors import IsolationError
from autograder.layout import (
    CODE,
    ENVIRONMENT,
    Installation,
    installation,
    lay_out,
    rules_for,
    rules_in_place_of_proc,
)
from autograder.probe import Finding, try_out

__all__ = [
    "Box",
    "Bubblewrap",
    "Container",
    "Elsewhere",
    "Finding",
    "Isolation",
    "Limits",
    "UnsafeLocal",
    "bubblewrap",
    "choose",
    "probe",
    "probe_container",
    "survey",
]

LEVELS = ("bubblewrap", "podman", "docker")  # the first that holds is taken
FORCE = "AUTOGRADER_ISOLATION"  # variable that names one of them, to take no other

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
    warm : fork workers from a nursery where that can be done (see `warm`); else each gets a fresh box
    """

    program: str
    as_root: bool
    level: str = "bubblewrap"
    warm: bool = False

    def start(self, packages: Iterable[str], limits: Limits) -> Box:
        """Start a worker.

        Raises
        ------
        IsolationError : bubblewrap could not make the box; with its own words
        """
        packages = tuple(packages)
        if self.warm and (box := nurseries.start(self, packages, limits)) is not None:
            return box
        install = installation(packages)
        path = [str(folder) for folder in install.package_folders]
        settings = {"code": str(CODE), "path": path, "limits": self.numbers(limits), "uid": self.uid()}
        command = [str(install.python), "-I", "-S", str(CODE / "autograder/worker.py"), json.dumps(settings)]
        return self.run(command, install, limits)

    def numbers(self, limits: Limits) -> dict[str, int]:
        """Limits of the next worker, by the names of ``resource.RLIMIT_*``."""
        numbers = limits.for_worker()
        if not self.as_root:
            numbers["NPROC"] += _processes_counted_elsewhere()
        return numbers

    def uid(self) -> int | None:
        """Return the user that the next worker is to become; None where it stays who it is."""
        return owner.own_uid() if self.as_root else None

    def run(self, command: list[str], install: Installation, limits: Limits) -> Box:
        """Run a command in a new box."""
        rules = [*self._namespaces(), *self._rights(), *rules_in_place_of_proc(install), *rules_for(install, limits)]
        pipe = subprocess.PIPE
        group = cgroup.make(limits)
        try:
            process, first = self._launch(command, rules, seccomp.build(), (pipe, pipe, pipe), group)
        except BaseException:
            if group is not None:
                group.close()
            raise
        return Box(process, limits, first, group=group)

    def nursery(
        self, command: list[str], install: Installation, connection: socket.socket
    ) -> tuple[subprocess.Popen[bytes], int]:
        """Run a nursery in a new box: it may make namespaces, mount, and become another user, as its workers no longer may.

        Returns
        -------
        bubblewrap's process, and a pidfd of the first process in the box
        """
        rules = [*self._namespaces(), *self._rights(nursery=True)]
        rules += [*rules_in_place_of_proc(install), "--perms", "0755", "--dir", "/new"]
        rules += rules_for(install, Limits(scratch=1 << 16))
        return self._launch(command, rules, None, (connection, subprocess.PIPE, subprocess.STDOUT))

    def _launch(
        self,
        command: list[str],
        rules: list[str],
        program: bytes | None,
        streams: tuple[Any, Any, Any],
        group: Group | None = None,
    ) -> tuple[subprocess.Popen[bytes], int]:
        """Have bubblewrap run a command under rules and a filter of system calls, in a cgroup where there is one for it."""
        info_read, info_write = os.pipe()
        passed = [info_write]
        try:
            arguments = ["--info-fd", str(info_write), *rules]
            if program is not None:
                passed.append(_memory_file(program))
                arguments = ["--seccomp", str(passed[-1]), *arguments]
            # Through a file, not on the command line: that one can be read by everybody on the machine, and by pid 1's children.
            passed.append(_memory_file(b"\0".join(a.encode() for a in arguments) + b"\0"))
            line = [self.program, "--args", str(passed[-1]), "--", *command]
            process = subprocess.Popen(
                line if group is None else group.joining(line),
                stdin=streams[0],
                stdout=streams[1],
                stderr=streams[2],
                pass_fds=passed,
                start_new_session=True,  # Ctrl-C is for the judge, who ends it, and does not take its end for the student's doing
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
            words = b"".join(filter(None, process.communicate()))
            raise IsolationError(
                f"bubblewrap could not make a box: {words.decode(errors='replace').strip() or 'it said nothing'}",
                _remedy(words),
            )
        return process, first

    def _namespaces(self) -> list[str]:
        rules = ["--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts", "--unshare-cgroup-try"]
        rules += [] if self.as_root else ["--unshare-user"]
        rules += ["--die-with-parent", "--new-session", "--hostname", "box", "--clearenv"]
        for name, value in ENVIRONMENT.items():
            rules += ["--setenv", name, value]
        return rules

    def _rights(self, nursery: bool = False) -> list[str]:
        """Just what it takes to become another user; the worker loses them with that. A nursery's workers lose some more."""
        rights = ["CAP_SETUID", "CAP_SETGID"] if self.as_root else []
        if nursery:
            rights += ["CAP_SYS_ADMIN", "CAP_SETPCAP"] if self.as_root else ["CAP_SYS_ADMIN"]
        rules = ["--cap-drop", "ALL", *(word for right in rights for word in ("--cap-add", right))]
        if not self.as_root and not nursery and "--disable-userns" in _options(self.program):
            rules += ["--disable-userns"]
        return rules


@dataclass(frozen=True)
class UnsafeLocal:
    """A plain process with limits: it can read and write whatever the person who grades can, and reach the network."""

    level: str = "unsafe-local"

    def start(self, packages: Iterable[str], limits: Limits) -> Box:
        """Start a worker in a temporary folder."""
        install = installation(tuple(packages))
        folder = Path(tempfile.mkdtemp(prefix="autograder-"))
        code, packages_folder = lay_out(install, folder)
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

    def may_be(self, level: str) -> bool:
        """Whether a record of this level may come from there: a machine without bubblewrap takes a container."""
        return level == self.level or UnsafeLocal.level not in (level, self.level)

    def start(self, packages: Iterable[str], limits: Limits) -> Box:
        """Refuse: no student's code runs on this machine."""
        raise IsolationError(
            "The students' code runs on a cluster's workers, not here.", "Leave --scheduler out to run it here."
        )


Isolation = Bubblewrap | Container | UnsafeLocal | Elsewhere


def choose(unsafe_local: bool = False) -> Isolation:
    """Isolation that this machine gives, tried out; never a weaker one than asked for.

    Raises
    ------
    IsolationError : there is none; says why, and what to do
    """
    if unsafe_local:
        return UnsafeLocal()
    refusals: list[tuple[str, Finding]] = []
    for level in wanted():
        found = probe() if level == "bubblewrap" else probe_container(level)
        broken = [finding for finding in found if not finding.holds]
        if broken:
            refusals.append((level, broken[0]))
        elif level == "bubblewrap":
            return replace(bubblewrap(), warm=not _why_fresh(bubblewrap()))
        else:
            return container(level)
    single = len(refusals) == 1
    reasons = [f"{finding.question} {finding.answer}" for _, finding in refusals]
    remedies = [finding.remedy if single else f"{level}: {finding.remedy}" for level, finding in refusals]
    raise IsolationError("\n".join(reasons), "\n".join([*remedies, UNSAFE]))


def hoped_for() -> Bubblewrap | None:
    """What `choose` gives where all that it tries out holds; None where that would be no bubblewrap."""
    with suppress(IsolationError):
        if wanted()[0] == "bubblewrap":
            return replace(bubblewrap(), warm=True)
    return None


def wanted() -> tuple[str, ...]:
    """Levels that may be taken, the best first: all, or the one that the variable AUTOGRADER_ISOLATION names.

    Raises
    ------
    IsolationError : it names none
    """
    named = os.environ.get(FORCE) or "auto"
    if named != "auto" and named not in LEVELS:
        raise IsolationError(
            f"{FORCE} is {named!r}; expected auto, {', '.join(LEVELS[:-1])} or {LEVELS[-1]}.", "Change it, or unset it."
        )
    return LEVELS if named == "auto" else (named,)


def survey() -> dict[str, list[Finding]]:
    """Try out every level that may be taken, the best first: its name -> what it holds here."""
    return {level: probe() if level == "bubblewrap" else probe_container(level) for level in wanted()}


def bounds(level: str) -> str:
    """What bounds memory and processes in boxes of a level that holds here, in words; and how it could be better."""
    if level == "bubblewrap":
        if (there := cgroup.hierarchy()) is not None:
            shared = ", processor" if there.cpu else ""
            return f"a cgroup for each box, below {there.folder} (memory, processes{shared})."
        why, remedy = f" No cgroups: {cgroup.why_not()}.", f" {cgroup.REMEDY}"
    elif container(level).limited:
        return f"the cgroup that {level} makes for each box (memory, processes)."
    else:
        why, remedy = f" {level} gives boxes no cgroup with limits here.", ""
    return f"limits of each process, and a supervisor that looks twice a second.{why}{remedy}"


def probe_container(level: str) -> list[Finding]:
    """What podman or docker holds on this machine, tried out as `probe` does it."""
    question = f"Is {level} there?"
    try:
        isolation = container(level)
    except IsolationError as error:
        return [Finding(question, False, error.reason, error.remedy)]
    who = "as root" if os.geteuid() == 0 else "for an ordinary user"
    options = f" with {' '.join(isolation.options)}" if isolation.options else ""
    return [Finding(question, True, f"{version(isolation.program)}, {who}{options}."), *try_out(isolation)]


def probe() -> list[Finding]:
    """What this machine's isolation holds, tried out; see `autograder.probe`."""
    try:
        isolation = bubblewrap()
    except IsolationError as error:
        return [Finding("Is bubblewrap there?", False, error.reason, error.remedy)]
    how = "as root, with a user of its own for each worker" if isolation.as_root else "in a user namespace"
    return [
        Finding("Is bubblewrap there?", True, f"{isolation.program}, {how}."),
        *try_out(isolation),
        _forking(isolation),
    ]


def _forking(isolation: Bubblewrap) -> Finding:
    """Which of the two ways to have a worker this machine gives; both hold, or the slower one is taken."""
    question = "Can workers be forked from one that has imported the packages?"
    if why := _why_fresh(isolation):
        return Finding(question, True, f"No, so each submission gets a box with a fresh Python, which is slower. {why}")
    return Finding(question, True, "Yes, and what is tried above was tried in such a worker, too.")


@cache
def _why_fresh(isolation: Bubblewrap) -> str:
    """Why workers cannot be forked on this machine, or not held as well as in a fresh box; empty where they can."""
    try:
        found = try_out(
            isolation, lambda program, given, limits: nurseries.worker(isolation, (), limits, program, (given,))
        )
    except nurseries.NoNursery as reason:
        return f"{reason}."
    finally:
        nurseries.close(isolation, ())
    return " ".join(f"{finding.question} {finding.answer}" for finding in found if not finding.holds)


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

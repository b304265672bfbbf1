"""Boxes made by bubblewrap.

The box holds Python, its standard library, the packages that the problem set allows, and two small
writable folders in memory. It has no network, no other process, no environment, no home, no /proc.
Memory, processes, files and time are limited; the judge ends it from outside by killing pid 1 of
its pid namespace, and no process in it survives that.

A worker is started in a box of its own, or forked in one that has imported the packages already
(see `prefork`): it may reach the same either way.

bubblewrap makes a box in one of two ways. An ordinary user gets a user namespace. Root needs none,
and then the worker gets an unused uid: the kernel does not apply RLIMIT_NPROC to root.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import psutil

from autograder.errors import IsolationError
from autograder.guest.worker import KILLED
from autograder.sandbox import cgroup, prefork, run_id, seccomp
from autograder.sandbox.box import Box
from autograder.sandbox.cgroup import Cgroup
from autograder.sandbox.level import Level
from autograder.sandbox.limits import Limits
from autograder.sandbox.mounts import (
    CODE,
    ENVIRONMENT,
    Bind,
    Devices,
    Folder,
    Installation,
    Mount,
    ReadOnly,
    Symlink,
    Tmpfs,
    Workdir,
    in_place_of_proc,
    installation,
    mounts_for,
    worker_command,
)

INSTALL = (
    "Install it: sudo apt-get install bubblewrap (Debian, Ubuntu), sudo dnf install bubblewrap "
    "(Fedora)."
)


@dataclass(frozen=True)
class Bubblewrap:
    """Boxes made by bubblewrap.

    Parameters
    ----------
    program : path of ``bwrap``
    as_root : make no user namespace, but let the worker become a user of its own
    warm : fork workers from a fork server where that can be done (see `prefork`); else each gets a
        fresh box
    """

    program: str
    as_root: bool
    level: Level = Level.BUBBLEWRAP
    warm: bool = False

    def start(self, packages: Iterable[str], limits: Limits) -> Box:
        """Start a worker.

        Raises
        ------
        IsolationError : bubblewrap could not make the box; with its own words
        """
        packages = tuple(packages)
        if self.warm and (box := prefork.start(self, packages, limits)) is not None:
            return box
        install = installation(packages)
        path = [str(folder) for folder in install.package_folders]
        rlimits = self.rlimits(limits)
        # The first process of the namespace counts as one of the worker's, unless the worker
        # becomes another user.
        rlimits["NPROC"] += 0 if self.as_root else 1
        settings = {
            "code": str(CODE),
            "path": path,
            "limits": rlimits,
            "uid": self.uid(),
            "first": True,
        }
        return self.run(worker_command(install, settings), install, limits, first=True)

    def rlimits(self, limits: Limits) -> dict[str, int]:
        """Limits of the next worker, by the names of ``resource.RLIMIT_*``."""
        numbers = limits.for_worker()
        if not self.as_root:
            numbers["NPROC"] += _processes_counted_elsewhere()
        return numbers

    def uid(self) -> int | None:
        """Uid of the next worker; None: that of this process."""
        return run_id.own_uid() if self.as_root else None

    def run(
        self, command: list[str], install: Installation, limits: Limits, first: bool = False
    ) -> Box:
        """Run a command in a new box.

        Parameters
        ----------
        command : program and arguments
        install : Python and packages that are visible in the box
        limits : of the command
        first : whether the command is pid 1 of the namespace, see `worker.leave_to_child`;
            otherwise bubblewrap is
        """
        mounts = [*in_place_of_proc(install), *mounts_for(install, limits)]
        rules = [
            *self._namespaces(),
            *self._rights(),
            *options_for(mounts),
            *(["--as-pid-1"] if first else []),
        ]
        pipe = subprocess.PIPE
        group = cgroup.make(limits)
        try:
            process, handle = self._launch(
                command, rules, seccomp.build(), (pipe, pipe, pipe), group
            )
        except BaseException:
            if group is not None:
                group.close()
            raise
        return Box(
            process, limits, handle, group=group, killed=KILLED if first else 128 + signal.SIGKILL
        )

    def fork_server(
        self, command: list[str], install: Installation, connection: socket.socket
    ) -> tuple[subprocess.Popen[bytes], int]:
        """Run a fork server in a new box. It keeps the capabilities to make namespaces, mount and
        setuid; its workers lose them.

        Returns
        -------
        bubblewrap's process, and a pidfd of the first process in the box
        """
        rules = [*self._namespaces(), *self._rights(fork_server=True)]
        mounts = [
            *in_place_of_proc(install),
            Folder(Path("/new")),
            *mounts_for(install, Limits(scratch=1 << 16)),
        ]
        rules += options_for(mounts)
        return self._launch(command, rules, None, (connection, subprocess.PIPE, subprocess.STDOUT))

    def _launch(
        self,
        command: list[str],
        rules: list[str],
        program: bytes | None,
        streams: tuple[Any, Any, Any],
        group: Cgroup | None = None,
    ) -> tuple[subprocess.Popen[bytes], int]:
        """Start bubblewrap with a command, options and a seccomp filter, in a cgroup if there is
        one.
        """
        info_read, info_write = os.pipe()
        passed = [info_write]
        try:
            arguments = ["--info-fd", str(info_write), *rules]
            if program is not None:
                passed.append(_memory_file(program))
                arguments = ["--seccomp", str(passed[-1]), *arguments]
            # Through a file: a command line can be read by everybody on the machine, and in the
            # box.
            passed.append(_memory_file(b"\0".join(a.encode() for a in arguments) + b"\0"))
            line = [self.program, "--args", str(passed[-1]), "--", *command]
            process = subprocess.Popen(
                line if group is None else group.exec_inside(line),
                stdin=streams[0],
                stdout=streams[1],
                stderr=streams[2],
                pass_fds=passed,
                start_new_session=True,  # Ctrl-C must reach the judge only, which then ends the box
                env={},  # bubblewrap is pid 1 in the box, where its environment could be read
            )
        except BaseException:
            os.close(info_read)
            raise
        finally:
            for fd in passed:
                os.close(fd)
        first = _first_process(info_read)
        if first is None:
            output = b"".join(filter(None, process.communicate()))
            raise IsolationError(
                (
                    "bubblewrap could not make a box: "
                    f"{output.decode(errors='replace').strip() or 'it said nothing'}"
                ),
                _remedy(output),
            )
        return process, first

    def _namespaces(self) -> list[str]:
        rules = [
            "--unshare-ipc",
            "--unshare-pid",
            "--unshare-net",
            "--unshare-uts",
            "--unshare-cgroup-try",
        ]
        rules += [] if self.as_root else ["--unshare-user"]
        rules += ["--die-with-parent", "--new-session", "--hostname", "box", "--clearenv"]
        for name, value in ENVIRONMENT.items():
            rules += ["--setenv", name, value]
        return rules

    def _rights(self, fork_server: bool = False) -> list[str]:
        """Capabilities for setuid, which the worker loses by it; a fork server's workers lose some
        more.
        """
        rights = ["CAP_SETUID", "CAP_SETGID"] if self.as_root else []
        if fork_server:
            rights += ["CAP_SYS_ADMIN", "CAP_SETPCAP"] if self.as_root else ["CAP_SYS_ADMIN"]
        rules = ["--cap-drop", "ALL", *(word for right in rights for word in ("--cap-add", right))]
        if not self.as_root and not fork_server and "--disable-userns" in _options(self.program):
            rules += ["--disable-userns"]
        return rules


def options_for(mounts: Iterable[Mount]) -> list[str]:
    """Mounts as options of bubblewrap."""
    return [option for mount in mounts for option in _options_for(mount)]


def _options_for(mount: Mount) -> list[str]:
    match mount:
        case Folder(path):
            return ["--perms", "0755", "--dir", str(path)]
        case Bind(source, target):
            return ["--ro-bind", str(source), str(target)]
        case Tmpfs(path, size, shared):
            return [
                "--perms",
                "1777" if shared else "0755",
                "--size",
                str(size),
                "--tmpfs",
                str(path),
            ]
        case Symlink(path, to):
            return ["--symlink", to, str(path)]
        case Devices(path):
            return ["--dev", str(path)]
        case ReadOnly(path):
            return ["--remount-ro", str(path)]
        case Workdir(path):
            return ["--chdir", str(path)]


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
    text = subprocess.run(
        [program, "--help"], capture_output=True, text=True, env={}, timeout=60, check=False
    ).stdout
    return frozenset(word for word in text.split() if word.startswith("--"))


def _remedy(output: bytes) -> str:
    """What to do about bubblewrap's error."""
    if (
        b"uid map" in output
        or b"namespace" in output.lower()
        or b"Operation not permitted" in output
    ):
        return (
            "User namespaces are not allowed here.\n"
            "  Ubuntu 23.10 and later: sudo sysctl -w "
            "kernel.apparmor_restrict_unprivileged_userns=0, or an AppArmor profile for bwrap "
            "(package apparmor-profiles, bwrap-userns-restrict).\n"
            "  Older Debian: sudo sysctl -w kernel.unprivileged_userns_clone=1\n"
            "  Docker: --security-opt seccomp=unconfined --security-opt apparmor=unconfined, and "
            "as root --cap-add SYS_ADMIN; or run the container with podman."
        )
    return f"Is bubblewrap complete? {INSTALL}"


def _processes_counted_elsewhere() -> int:
    """Processes that RLIMIT_NPROC in the box would count, too: none since Linux 5.14, which counts
    by user namespace.
    """
    release = tuple(
        int("".join(filter(str.isdigit, part)) or 0) for part in platform.release().split(".")[:2]
    )
    if release >= (5, 14):
        return 0
    mine = [
        p
        for p in psutil.process_iter(["uids", "num_threads"])
        if p.info["uids"] and p.info["uids"].real == os.getuid()
    ]
    return sum(p.info["num_threads"] or 1 for p in mine)


def _memory_file(data: bytes) -> int:
    fd = os.memfd_create("autograder")
    os.write(fd, data)
    os.lseek(fd, 0, os.SEEK_SET)
    return fd


def _first_process(info: int) -> int | None:
    """Pidfd of the first process in the box, from bubblewrap's ``--info-fd``; None when it made no
    box.
    """
    text = b""
    with os.fdopen(info, "rb", buffering=0) as stream:
        while not text.rstrip().endswith(b"}") and (more := stream.read(1000)):
            text += more
    try:
        return os.pidfd_open(json.loads(text)["child-pid"])
    except (ValueError, KeyError, ProcessLookupError):
        return None

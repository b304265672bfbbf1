"""Run students' code as another user, where root can make no sandbox: a container in which
namespaces are denied.

It is less than a sandbox, and never chosen by default. The judge's files and processes belong to
root, so that the other uid can neither read hidden checks nor write a result; seccomp denies
network sockets, and where the kernel has Landlock only Python, the allowed packages and its own
files are visible. It sees pids and names of other processes.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from autograder.errors import IsolationError
from autograder.guest.drop_privileges import landlock_version
from autograder.sandbox import run_id, seccomp, selftest
from autograder.sandbox.box import Box
from autograder.sandbox.level import Level
from autograder.sandbox.limits import Limits
from autograder.sandbox.mounts import ENVIRONMENT, copy_worker, installation, worker_command

AF_UNIX = 1
SWEEP = (
    "import os, sys; u = int(sys.argv[1]); os.setgroups([]); os.setresgid(u, u, u); "
    "os.setresuid(u, u, u); os.kill(-1, 9)"
)
# Attempts files and processes that the judge names; prints what would have succeeded, and does no
# harm.
USER_PROBE = r"""
import json, os, signal, socket, sys
found = []
def attempt(what, action):
    try:
        action()
        found.append(what)
    except OSError:
        pass
for path in json.loads(sys.argv[1]):
    attempt(f"read {path}", lambda: os.listdir(path) if os.path.isdir(path) else open(path).close())
    attempt(f"write {path}", lambda: os.close(os.open(path, os.O_WRONLY)))
attempt("send signals to the judge", lambda: os.kill(int(sys.argv[2]), 0))
attempt("become root", lambda: os.setuid(0))
attempt("make a socket to the network", lambda: socket.socket(socket.AF_INET).close())
print(json.dumps(found))
"""


@dataclass(frozen=True)
class UnsafeLocal:
    """A plain process with limits: it can read and write whatever the person who grades can, and
    reach the network.
    """

    level: Level = Level.UNSAFE_LOCAL

    def start(self, packages: Iterable[str], limits: Limits) -> Box:
        """Start a worker in a temporary folder."""
        install = installation(tuple(packages))
        folder = Path(tempfile.mkdtemp(prefix="autograder-"))
        code, packages_folder = copy_worker(install, folder)
        # Not NPROC: it would count every process of the person who grades.
        numbers = {name: value for name, value in limits.for_worker().items() if name != "NPROC"}
        settings = {
            "code": str(code),
            "path": [str(packages_folder)],
            "limits": numbers,
            "uid": None,
        }
        process = subprocess.Popen(
            worker_command(install, settings),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=folder,
            env={**ENVIRONMENT, "HOME": str(folder), "TMPDIR": str(folder)},
            start_new_session=True,
        )
        return Box(process, limits, folder=folder)


@dataclass
class UserBox(Box):
    """A worker that runs as a user of its own."""

    uid: int = -1

    def close(self) -> None:
        """Kill the worker, and all that its user has left running."""
        super().close()
        # As that user: the kernel sends the signal to all of its processes at once, so that none
        # can fork away from it.
        subprocess.run(
            [sys.executable, "-I", "-S", "-c", SWEEP, str(self.uid)],
            check=False,
            capture_output=True,
        )
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)


@dataclass(frozen=True)
class UnprivilegedProcess(UnsafeLocal):
    """Plain processes with limits, each of a user of its own; only root can start them."""

    level: Level = Level.UNSAFE_OTHER_USER

    def start(self, packages: Iterable[str], limits: Limits) -> Box:
        """Start a worker in a temporary folder.

        Raises
        ------
        IsolationError : this process is not root
        """
        install = installation(tuple(packages))
        folder = _root_folder()
        code, packages_folder = copy_worker(install, folder)
        settings = {
            "code": str(code),
            "path": [str(packages_folder)],
            "limits": limits.for_worker(),
            "uid": None,
        }
        readable = [*install.system, *install.packages]
        return self._run(worker_command(install, settings), folder, code, limits, readable)

    def self_test(self, paths: Sequence[Path]) -> list[str]:
        """What the other user can do and must not, tried out: read or write ``paths``, reach the
        judge, be root, use a network.

        Raises
        ------
        IsolationError : this process is not root
        """
        install = installation(())
        folder = _root_folder()
        arguments = [json.dumps([str(path) for path in paths]), str(os.getpid())]
        command = [str(install.python), "-I", "-S", "-c", USER_PROBE, *arguments]
        code, _ = copy_worker(install, folder)
        box = self._run(command, folder, code, Limits(), list(install.system))
        found: list[str] | None = selftest.answer_of(box)
        if found is None:
            said = box.printed().strip()[-500:]
            raise IsolationError(
                f"No process can be started as another user here: {said}",
                f"Can everybody read {sys.base_prefix}?",
            )
        return found

    def _run(
        self,
        command: list[str],
        folder: Path,
        code: Path,
        limits: Limits,
        readable: Sequence[Path],
    ) -> UserBox:
        uid = run_id.unused_uid()
        scratch = folder / "scratch"
        scratch.mkdir(mode=0o700)
        os.chown(scratch, uid, uid)
        program = seccomp.build(families=(AF_UNIX,))
        settings = {
            "code": str(code),
            "uid": uid,
            "filter": "" if program is None else program.hex(),
            "readable": [
                str(folder),
                "/dev/urandom",
                "/dev/random",
                "/dev/zero",
                *map(str, readable),
            ],
            "writable": [str(scratch), "/dev/null"],
        }
        process = subprocess.Popen(
            [
                command[0],
                "-I",
                "-S",
                str(code / "autograder" / "guest" / "drop_privileges.py"),
                json.dumps(settings),
                *command,
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=scratch,
            env={**ENVIRONMENT, "HOME": str(scratch), "TMPDIR": str(scratch)},
            start_new_session=True,
        )
        return UserBox(process, limits, folder=folder, uid=uid)


def describe() -> str:
    """What holds the other user, in a sentence for the instructor."""
    version = landlock_version()
    files = (
        (
            f"Landlock (version {version}) closed all files to it but Python's, the allowed "
            "packages' and its own"
        )
        if version
        else (
            "there is no Landlock here, so that it could read what everybody may read, and fill "
            "the disk"
        )
    )
    network = (
        ""
        if seccomp.build() is not None
        else " No filter of system calls is known for this processor."
    )
    return f"It was a user of its own, without a network; {files}.{network}"


def _root_folder() -> Path:
    if os.geteuid() != 0:
        raise IsolationError(
            "Only root can start a process as another user.", "Run it as root, in a container."
        )
    folder = Path(tempfile.mkdtemp(prefix="autograder-"))
    folder.chmod(0o711)
    return folder

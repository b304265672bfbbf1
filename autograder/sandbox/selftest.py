"""Test a sandbox by attempting what it must prevent, instead of trusting versions."""

from __future__ import annotations

import json
import os
import shutil
import socket
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autograder.errors import IsolationError, WorkerError
from autograder.sandbox import run_id, seccomp
from autograder.sandbox.box import Box
from autograder.sandbox.finding import Finding
from autograder.sandbox.limits import Limits
from autograder.sandbox.mounts import ENVIRONMENT, installation

if TYPE_CHECKING:
    from autograder.sandbox.bubblewrap import Bubblewrap
    from autograder.sandbox.container import Container


FAULT = (
    "The box does not hold. Report it, with the versions of what makes it and of the kernel, and "
    "do not grade here."
)
ANSWER_LIMIT = 60.0  # seconds until a probe must have answered
# Prevented by the seccomp filter only; there is one for x86_64 and aarch64.
FILTERED = (
    ("Can it take memory of the kernel's?", "semaphores"),
    ("Can it lock a file that others read?", "lock"),
)
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
    except (OSError, ImportError) as error:
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
def mount():
    import ctypes
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(b"none", b"/usr", b"tmpfs", 0, None) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return "mounted"
def semaphores():
    import ctypes
    libc = ctypes.CDLL(None, use_errno=True)
    number = libc.semget(0, 1, 0o1600)
    if number < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    libc.semctl(number, 0, 0)  # IPC_RMID
    return "a set of semaphores"
def lock():
    import fcntl
    with open(os.__file__) as shared:
        fcntl.flock(shared, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return "locked a file of Python's"
def is_open(number):
    try:
        return bool(os.fstat(number))
    except OSError:
        return False
print(json.dumps({
    "left": [path for path in ("/tmp/forkserver", "/box/forkserver") if os.path.exists(path)],
    "socket": attempt(connect),
    "write": attempt(lambda: write(canary)),
    "write /": attempt(lambda: write("/usr/lib/autograder-probe")),
    "read": attempt(lambda: open(canary).read()),
    "users": attempt(lambda: open("/etc/passwd").readline()),
    "fork": attempt(fork),
    "fill": attempt(fill),
    "root": attempt(become_root),
    "mount": attempt(mount),
    "semaphores": attempt(semaphores),
    "lock": attempt(lock),
    "descriptors": [number for number in range(3, 1024) if is_open(number)],
    "pid": os.getpid(),
    "environment": sorted(os.environ),
}))
"""


def self_test(
    isolation: Bubblewrap | Container, fork: Callable[[str, str, Limits], Box] | None = None
) -> list[Finding]:
    """Attempt inside a box what it must prevent, on files and sockets made for this test.

    Parameters
    ----------
    isolation : the level to test
    fork : (program, argument, limits) -> a worker from a fork server, to be tested in place of a
        fresh box

    Returns
    -------
    one finding per attempt; the first that does not hold says why this machine cannot grade
    untrusted code
    """
    try:
        box, saw, reached, untouched = _attempt(isolation, fork)
    except IsolationError as error:
        return [Finding("Does it make a box?", False, error.reason, error.remedy)]
    if saw is None:
        answer = (
            "No: Python does not run in it: "
            f"{box.printed().strip()[-500:] or box.process.returncode}"
        )
        readable = (
            f"Can everybody read {sys.base_prefix} and the packages in "
            f"{sysconfig.get_path('purelib')}?"
        )
        return [Finding("Does it make a box?", False, answer, readable)]
    found = [Finding("Does it make a box?", True, "Yes."), *_findings(saw, reached, untouched)]
    return found if fork is None else [*found, *_findings_of_fork(saw)]


def _attempt(
    isolation: Bubblewrap | Container, fork: Callable[[str, str, Limits], Box] | None
) -> tuple[Box, dict[str, Any] | None, bool, bool]:
    """Run the probe: its box, what it saw, whether it reached a socket of this process, and whether
    a file out here is as it was.
    """
    # In the home folder, where there is one: the box has a /tmp of its own in any case.
    home = os.path.expanduser("~")
    where = home if os.access(home, os.W_OK) else None
    for left in Path(where or tempfile.gettempdir()).glob(".autograder-*"):
        if run_id.is_stale(left.name[1:], shared=True):
            shutil.rmtree(left, ignore_errors=True)  # its process was killed
    with (
        tempfile.TemporaryDirectory(prefix=f".{run_id.name()}", dir=where) as folder,
        socket.create_server(("127.0.0.1", 0)) as listener,
    ):
        listener.setblocking(False)
        canary = Path(folder) / "canary"
        canary.write_text("untouched")
        given = json.dumps(
            [listener.getsockname()[1], str(canary), None if fork else isolation.uid()]
        )
        limits, install = Limits(scratch=4 << 20), installation(())
        if fork is not None:
            box = fork(PROBE, given, limits)
        else:
            command = [str(install.python), "-I", "-S", "-c", PROBE, given]
            box = isolation.run(command, install, limits)
        saw: dict[str, Any] | None = answer_of(box)
        try:
            listener.accept()[0].close()
            reached = True
        except BlockingIOError:
            reached = False
        return box, saw, reached, canary.read_text() == "untouched"


def _findings(saw: dict[str, Any], reached: bool, untouched: bool) -> list[Finding]:
    """Findings from the inside (``saw``) and the outside (a listener reached, a file untouched)."""

    def finding(question: str, key: str, holds: bool | None = None) -> Finding:
        denied = str(saw[key]).startswith("no")
        return Finding(
            question, denied if holds is None else denied and holds, f"{saw[key]}.", FAULT
        )

    # The others are set by the shell, by Python, and by podman and docker, which set HOSTNAME.
    few = {*ENVIRONMENT, "PWD", "LC_CTYPE", "HOSTNAME"}
    return [
        finding("Does it reach the network of this machine?", "socket", not reached),
        finding("Can it write to a file of yours?", "write", untouched),
        finding("Can it write to the system?", "write /"),
        finding("Can it read a file of yours?", "read"),
        finding("Can it read the list of users?", "users"),
        finding("Can it fork without end?", "fork"),
        finding("Can it fill the memory with files?", "fill"),
        finding("Can it become root?", "root"),
        finding("Can it change what is mounted?", "mount"),
        *([] if seccomp.build() is None else [finding(*question) for question in FILTERED]),
        Finding(
            "Does it hold what is not its own?",
            not saw["descriptors"],
            f"Open descriptors: {', '.join(map(str, saw['descriptors']))}."
            if saw["descriptors"]
            else "No.",
            FAULT,
        ),
        Finding(
            "Does it see other processes?",
            saw["pid"] < 10,
            f"Its own has the number {saw['pid']}.",
            FAULT,
        ),
        Finding(
            "Does it see your environment?",
            set(saw["environment"]) <= few,
            "It sees " + ", ".join(saw["environment"]),
            FAULT,
        ),
    ]


def _findings_of_fork(saw: dict[str, Any]) -> list[Finding]:
    """Findings that only concern a forked worker: files of the fork server, and its pid
    namespace.
    """
    left = ", ".join(saw["left"])
    number = f"Its own has the number {saw['pid']}."
    return [
        Finding(
            "Are its folders its own?", not left, f"It sees {left}." if left else "Yes.", FAULT
        ),
        Finding("Is it in a process namespace of its own?", saw["pid"] == 2, number, FAULT),
    ]


def answer_of(box: Box) -> Any:
    """What a probe printed in a box, one line of JSON; None where no such line came. The box is
    closed.
    """
    deadline = time.monotonic() + ANSWER_LIMIT
    text = b""
    try:
        while not text.endswith(b"\n"):
            text += box.read(1, deadline)
        return json.loads(text)
    except (WorkerError, ValueError):
        return None
    finally:
        box.close()

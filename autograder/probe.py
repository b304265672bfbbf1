"""Try a box out by doing what it must prevent, instead of trusting versions."""

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
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autograder import owner
from autograder.box import Box, Limits
from autograder.errors import IsolationError, WorkerDied, WorkerTimeout
from autograder.layout import ENVIRONMENT, installation

if TYPE_CHECKING:
    from autograder.container import Container
    from autograder.sandbox import Bubblewrap


FAULT = "The box does not hold. Report it, with the versions of what makes it and of the kernel, and do not grade here."


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
def is_open(number):
    try:
        return bool(os.fstat(number))
    except OSError:
        return False
print(json.dumps({
    "left": [path for path in ("/tmp/nursery", "/box/nursery") if os.path.exists(path)],
    "socket": attempt(connect),
    "write": attempt(lambda: write(canary)),
    "write /": attempt(lambda: write("/usr/lib/autograder-probe")),
    "read": attempt(lambda: open(canary).read()),
    "users": attempt(lambda: open("/etc/passwd").readline()),
    "fork": attempt(fork),
    "fill": attempt(fill),
    "root": attempt(become_root),
    "mount": attempt(mount),
    "descriptors": [number for number in range(3, 1024) if is_open(number)],
    "pid": os.getpid(),
    "environment": sorted(os.environ),
}))
"""


def try_out(isolation: Bubblewrap | Container, fork: Callable[[str, str, Limits], Box] | None = None) -> list[Finding]:
    """Try the isolation out by doing what it must prevent, on things of our own that it would not hurt to lose.

    Parameters
    ----------
    isolation : what makes the boxes
    fork : (program, argument, limits) -> a worker from a nursery, to be tried out in place of a fresh box

    Returns
    -------
    one finding per attempt; the first that does not hold says why this machine cannot grade untrusted code
    """
    # In the home folder, where there is one: /tmp is another one in the box in any case.
    home = os.path.expanduser("~")
    where = home if os.access(home, os.W_OK) else None
    for left in Path(where or tempfile.gettempdir()).glob(".autograder-*"):
        if owner.is_left(left.name[1:], shared=True):
            shutil.rmtree(left, ignore_errors=True)  # whoever made it was killed
    with (
        tempfile.TemporaryDirectory(prefix=f".{owner.name()}", dir=where) as folder,
        socket.create_server(("127.0.0.1", 0)) as listener,
    ):
        listener.setblocking(False)
        canary = Path(folder) / "canary"
        canary.write_text("untouched")
        given = json.dumps([listener.getsockname()[1], str(canary), None if fork else isolation.uid()])
        limits, install = Limits(scratch=4 << 20), installation(())
        try:
            if fork is not None:
                box = fork(PROBE, given, limits)
            else:
                box = isolation.run([str(install.python), "-I", "-S", "-c", PROBE, given], install, limits)
        except IsolationError as error:
            return [Finding("Does it make a box?", False, error.reason, error.remedy)]
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
        return [Finding("Does it make a box?", False, answer, readable)]
    found = [Finding("Does it make a box?", True, "Yes."), *_findings(saw, reached, untouched)]
    return found if fork is None else [*found, *_findings_of_fork(saw)]


def _findings(saw: dict[str, Any], reached: bool, untouched: bool) -> list[Finding]:
    """What was seen from inside, beside what was seen from outside: whether a listener was reached, a file untouched."""

    def finding(question: str, key: str, holds: bool | None = None) -> Finding:
        denied = str(saw[key]).startswith("no")
        return Finding(question, denied if holds is None else denied and holds, f"{saw[key]}.", FAULT)

    # The others are set by the system, by Python, and by podman and docker, which name the box.
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
        Finding(
            "Does it hold what is not its own?",
            not saw["descriptors"],
            f"Open descriptors: {', '.join(map(str, saw['descriptors']))}." if saw["descriptors"] else "No.",
            FAULT,
        ),
        Finding("Does it see other processes?", saw["pid"] < 10, f"Its own has the number {saw['pid']}.", FAULT),
        Finding(
            "Does it see your environment?",
            set(saw["environment"]) <= few,
            "It sees " + ", ".join(saw["environment"]),
            FAULT,
        ),
    ]


def _findings_of_fork(saw: dict[str, Any]) -> list[Finding]:
    """What only a forked worker could be wrong about: a nursery leaves a file in each of its folders, and is a process itself."""
    left = ", ".join(saw["left"])
    number = f"Its own has the number {saw['pid']}."
    return [
        Finding("Are its folders its own?", not left, f"It sees {left}." if left else "Yes.", FAULT),
        Finding("Is it in a process namespace of its own?", saw["pid"] == 2, number, FAULT),
    ]


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

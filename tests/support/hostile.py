"""The hostile cells of `tests/corpora/hostile`, what they must leave alone, and how it is
watched.
"""

from __future__ import annotations

import os
import re
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import psutil

from autograder.judge import problem_set
from autograder.sandbox.bubblewrap import Box, Bubblewrap, Limits
from autograder.sandbox.prefork import ForkedProcess
from tests.support.worker_client import missing_modules, shipped_files

FOLDER = Path(__file__).parents[1] / "corpora" / "hostile"
NAMES = sorted(path.stem for path in FOLDER.glob("*.cell"))
HONEST = (FOLDER / "honest.cell").read_text()
_PLAIN = Limits(memory=512 << 20)
_WITH_TORCH = Limits(memory=1536 << 20)
_OF_SETS = ("", "lstm-bptt", "seq2seq", "search-compress", "error-analysis", "measure")
LIMITS = {**dict.fromkeys(_OF_SETS, _PLAIN), "lstm-torch": _WITH_TORCH, "clinic": _WITH_TORCH}
FORMS = ("fresh", "warm")
ROOT = Path(__file__).parents[2]
# packages that the set does not allow
FOREIGN = ("torch", "tensorflow", "psutil", "pip", "nbgrader")
COURSE = {
    "gradebook.db": "grades",
    "records/course.key": "key",
    "records/lstm/ana.json": "{}",
    "submitted/bob/lstm/lstm.ipynb": "{}",
    "solutions/lstm.py": "def double(x): return 2 * x",
    "canary": "untouched",
    "checks.py": (FOLDER / "checks.py").read_text(),
}
SHARED = ("/tmp", "/var/tmp", "/dev/shm", "/dev/mqueue", "/run", os.path.expanduser("~"), str(ROOT))


def head(name: str, word: str, default: str = "") -> str:
    """Value of a line ``# word: value`` at the head of a cell."""
    found = re.search(rf"^# {word}: (.*)$", (FOLDER / f"{name}.cell").read_text(), re.MULTILINE)
    return found.group(1) if found else default


def forms(name: str) -> tuple[str, ...]:
    """Forms in which a cell is tried; what waits for the judge's clock or needs PyTorch, in a
    forked worker only.
    """
    return ("warm",) if head(name, "waits") or head(name, "set") else FORMS


@cache
def honest_cells(name: str) -> tuple[Any, Any]:
    """Release of a problem set, and the same with its solutions."""
    # Not at the top: an ordinary user's run of these tests leaves these cells out (see
    # test_sandbox).
    import nbformat

    from autograder.course.rebuild import read_release
    from autograder.course.release import solution_cells

    release = read_release(problem_set.load(name, ROOT, validate=False))
    solutions = solution_cells(ROOT / "solutions" / name / f"{name}.md")
    solved = nbformat.from_dict(release)
    for cell in solved.cells:
        cell.source = solutions.get(cell.metadata.get("nbgrader", {}).get("grade_id"), cell.source)
    return release, solved


def handed_in(name: str, facts: str) -> tuple[problem_set.ProblemSet, list[str]]:
    """Return the problem set that a hostile cell is for, and the cells with it."""
    hostile = (FOLDER / f"{name}.cell").read_text()
    if not (chosen := head(name, "set")):
        return problem_set.load(FOLDER), [HONEST, facts, hostile]
    import nbformat
    from nbformat.v4 import new_code_cell

    from autograder.course.rebuild import rebuild

    release, solved = honest_cells(chosen)
    notebook = nbformat.from_dict(solved)
    notebook.cells += [new_code_cell(facts), new_code_cell(hostile)]
    return problem_set.load(chosen, ROOT, validate=False), rebuild(release, notebook).cells


@dataclass
class Watched:
    """Bubblewrap that takes down the process namespace of every box it makes."""

    inner: Bubblewrap
    level: str = "bubblewrap"
    namespaces: list[int] = field(
        default_factory=list
    )  # open, so that their numbers are not given to other boxes meanwhile
    forked: int = 0
    # seconds of processor time of workers after the first, where they are to be told apart
    later: int = 0

    def start(self, packages: tuple[str, ...], limits: Limits) -> Box:
        """Start a worker."""
        if self.later and self.namespaces:
            limits = replace(limits, cpu_seconds=self.later)
        box = self.inner.start(packages, limits)
        self.forked += isinstance(box.process, ForkedProcess)
        about = Path(f"/proc/self/fdinfo/{box.first}").read_text()
        first = re.search(r"^Pid:\s+(\d+)$", about, re.MULTILINE)
        assert first
        self.namespaces.append(os.open(f"/proc/{first.group(1)}/ns/pid", os.O_RDONLY))
        return box

    def survivors(self) -> list[int]:
        """Processes that are still in one of the boxes."""
        found, numbers = [], {os.fstat(namespace).st_ino for namespace in self.namespaces}
        for pid in psutil.pids():
            try:
                # and not yet collected by the system
                ended = psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
                if os.stat(f"/proc/{pid}/ns/pid").st_ino in numbers and not ended:
                    found.append(pid)
            except (OSError, psutil.Error):  # it ended meanwhile, or belongs to somebody else
                continue
        return found

    def close(self) -> None:
        """Let go of the namespaces."""
        for namespace in self.namespaces:
            os.close(namespace)


@dataclass
class World:
    """What a hostile cell must leave alone: listeners that nobody may reach and files that nobody
    may touch.
    """

    tcp: socket.socket
    tcp6: socket.socket | None  # None where the machine has no IPv6
    udp: socket.socket
    named: socket.socket
    unix: socket.socket
    abstract: str
    folder: Path
    users: set[int]  # of the boxes
    secret: str

    def facts(self) -> str:
        """Return a cell that tells a hostile one all it could hope to find out by itself."""
        known = {
            "PORT": self.tcp.getsockname()[1],
            "PORT6": self.tcp6.getsockname()[1] if self.tcp6 else 1,
            "NAMES": self.udp.getsockname()[1],
            "SOCKET": self.named.getsockname(),
            "ABSTRACT": self.abstract,
            "COURSE": str(self.folder),
            "CANARY": str(self.folder / "canary"),
            "CHECKS": str(self.folder / "checks.py"),
            "SECRET": self.secret,
            "JUDGE": os.getpid(),
            "ROOT": str(ROOT),
            "MISSING_MODULES": [*FOREIGN, *missing_modules()],
            "WORKER_FILES": [str(path) for path in shipped_files()],
            "SITE": next((p for p in sys.path if p.endswith("-packages")), ""),
        }
        return "\n".join(f"{name} = {value!r}" for name, value in known.items())

    def reached(self) -> list[str]:
        """Listeners at which somebody knocked."""
        knocked = []
        for listener in filter(None, (self.tcp, self.tcp6, self.named, self.unix, self.udp)):
            try:
                if listener is self.udp:
                    listener.recv(1000)
                else:
                    listener.accept()[0].close()
                knocked.append(str(listener))
            except BlockingIOError:
                pass
        return knocked

    def as_it_is(self) -> dict[str, Any]:
        """The course's folder, byte for byte: kind, rights, owner, links, times and content of all
        that is in it.
        """
        found: dict[str, Any] = {}
        for path in sorted([self.folder, *self.folder.rglob("*")]):
            about = path.lstat()
            content = path.read_bytes() if path.is_file() and not path.is_symlink() else b""
            found[str(path)] = (
                about.st_mode,
                about.st_uid,
                about.st_nlink,
                about.st_mtime_ns,
                about.st_ctime_ns,
                content,
            )
        return found

    def left_behind(self) -> list[str]:
        """What the boxes' users own in folders of the machine's, where root grades.

        An ordinary user's boxes are that user, whose other programs write there, too.
        """
        return [
            entry.path
            for folder in SHARED
            for entry in (os.scandir(folder) if os.path.isdir(folder) else ())
            if _owner(entry) in self.users
        ]


def _owner(entry: os.DirEntry[str]) -> int:
    with suppress(FileNotFoundError):
        return entry.stat(follow_symlinks=False).st_uid
    return -1


@contextmanager
def ipv6_listener() -> Iterator[socket.socket | None]:
    try:
        listener = socket.create_server(("::1", 0), family=socket.AF_INET6)
    except OSError:
        yield None
        return
    with listener:
        yield listener

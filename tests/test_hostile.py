"""What hostile cells try, and that it gains nothing: under bubblewrap, by doing it.

Each file in ``tests/hostile`` is a cell that runs after honest ones. Its head says what it
tries, which points must remain, and where it matters what the student must be told (says), what must be printed (prints) and what
the instructor must be told (notes). Each is tried in a fresh box and in a worker forked from a nursery; one that waits for the
judge's clock, only in the latter.
One with a problem set (set) is handed in as the last cell of its solution. It says what it would be worth without the trick
(twin), and is tried in a forked worker only, which has imported PyTorch already.
The files end in .cell, so that nothing imports them by accident.
"""

from __future__ import annotations

import inspect
import os
import re
import secrets
import socket
import sys
import tempfile
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import psutil
import pytest

from autograder import judge, owner, problem_set, sandbox
from autograder.judge import grade
from autograder.sandbox import Box, Bubblewrap, Limits
from autograder.warm import Forked

FOLDER = Path(__file__).parent / "hostile"
NAMES = sorted(path.stem for path in FOLDER.glob("*.cell"))
HONEST = (FOLDER / "honest.cell").read_text()
LIMITS = {"": Limits(memory=512 << 20), "lstm-torch": Limits(memory=1536 << 20)}
FORMS = ("fresh", "warm")
ROOT = Path(__file__).parents[1]
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


@cache
def honest_cells(name: str) -> tuple[Any, Any]:
    """Release of a problem set, and the same with its solutions."""
    # Not at the top: an ordinary user's run of these tests, which leaves these cells out, has a Python without SSL.
    import nbformat

    from autograder.exercises import solution_cells
    from autograder.rebuild import read_release

    release = read_release(problem_set.load(name, ROOT, look_over=False))
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

    from autograder.rebuild import rebuild

    release, solved = honest_cells(chosen)
    notebook = nbformat.from_dict(solved)
    notebook.cells += [new_code_cell(facts), new_code_cell(hostile)]
    return problem_set.load(chosen, ROOT, look_over=False), rebuild(release, notebook).cells


@dataclass
class Watched:
    """Bubblewrap that takes down the process namespace of every box it makes."""

    inner: Bubblewrap
    level: str = "bubblewrap"
    namespaces: list[int] = field(
        default_factory=list
    )  # open, so that their numbers are not given to other boxes meanwhile
    forked: int = 0
    later: int = 0  # seconds of processor time of workers after the first, where they are to be told apart

    def start(self, packages: tuple[str, ...], limits: Limits) -> Box:
        """Start a worker."""
        if self.later and self.namespaces:
            limits = replace(limits, cpu_seconds=self.later)
        box = self.inner.start(packages, limits)
        self.forked += isinstance(box.process, Forked)
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
                ended = psutil.Process(pid).status() == psutil.STATUS_ZOMBIE  # and not yet collected by the system
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
    """What a hostile cell must leave alone: listeners that nobody may reach and files that nobody may touch."""

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
        """The course's folder, byte for byte: kind, rights, owner, links, times and content of all that is in it."""
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
def _ipv6_listener() -> Iterator[socket.socket | None]:
    try:
        listener = socket.create_server(("::1", 0), family=socket.AF_INET6)
    except OSError:
        yield None
        return
    with listener:
        yield listener


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    users: set[int] = set()
    new_user = owner.own_uid

    def noted() -> int:
        users.add(number := new_user())
        return number

    monkeypatch.setattr(owner, "own_uid", noted)
    secret = secrets.token_hex()
    monkeypatch.setenv("AUTOGRADER_TEST_SECRET", secret)
    home = os.path.expanduser("~")
    abstract = f"autograder-{secret}"
    with (
        tempfile.TemporaryDirectory(prefix=".autograder-", dir=home if os.access(home, os.W_OK) else None) as folder,
        socket.create_server(("127.0.0.1", 0)) as tcp,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp,
        socket.socket(socket.AF_UNIX) as named,
        socket.socket(socket.AF_UNIX) as unix,
        _ipv6_listener() as tcp6,
    ):
        udp.bind(("127.0.0.1", 0))
        named.bind(f"{folder}/socket")
        named.listen()
        unix.bind("\0" + abstract)
        unix.listen()
        for listener in filter(None, (tcp, tcp6, udp, named, unix)):
            listener.setblocking(False)
        for name, text in COURSE.items():
            Path(folder, name).parent.mkdir(parents=True, exist_ok=True)
            Path(folder, name).write_text(text)
        yield World(tcp, tcp6, udp, named, unix, abstract, Path(folder), users, secret)


@pytest.fixture
def watched(form: str) -> Iterator[Watched]:
    boxes = Watched(replace(sandbox.bubblewrap(), warm=form == "warm"))
    yield boxes
    boxes.close()


@pytest.mark.parametrize(
    ("form", "name"),
    [
        (form, name)
        for name in NAMES
        for form in FORMS
        if form == "warm" or not (head(name, "waits") or head(name, "set"))
    ],
)
def test_a_hostile_cell_earns_what_its_honest_part_is_worth_and_harms_nothing(
    form: str, name: str, world: World, watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(judge, "SPARE_TIME", float(head(name, "spare", "60")))
    chosen, cells = handed_in(name, world.facts())
    watched.later = int(head(name, "later", "0"))
    before = world.as_it_is()
    record = grade(
        cells,
        chosen,
        seed=world.secret,
        isolation=watched,  # type: ignore[arg-type]
        limits=LIMITS[head(name, "set")],
        load_limit=float(head(name, "load_limit", "120")),
    )
    assert record.score == float(head(name, "earns")), record.to_json()
    assert head(name, "says") in " ".join(check.message for check in record.checks), record.to_json()
    assert "BREACH" not in record.output, record.output
    assert head(name, "prints") in record.output, record.output
    assert head(name, "notes") in " ".join(record.notes), record.notes
    assert record.isolation == "bubblewrap"
    assert world.reached() == []
    assert world.as_it_is() == before
    assert world.left_behind() == []
    assert bool(world.users) == (os.geteuid() == 0)
    assert watched.namespaces and watched.survivors() == []
    assert watched.forked == (len(watched.namespaces) if form == "warm" else 0)
    text = record.to_json()
    assert "\x1b" not in text and "\\u001b" not in text and len(text) < 100_000
    assert len(text.encode()) > 0  # half characters would fail here


def test_the_judge_keeps_little_of_what_it_is_told(world: World) -> None:
    _, cells = handed_in("fills_the_judges_memory", world.facts())
    tracemalloc.start()
    try:
        grade(cells, problem_set.load(FOLDER), seed="", isolation=replace(sandbox.bubblewrap(), warm=True))
        assert tracemalloc.get_traced_memory()[1] < 64 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(("name", "seconds"), [("lstm-bptt", 340), ("lstm-torch", 320)])
def test_the_book_says_how_long_one_submission_may_take(name: str, seconds: int) -> None:
    load_limit = inspect.signature(grade).parameters["load_limit"].default
    assert judge.time_limit(problem_set.load(name, ROOT, look_over=False), load_limit) == seconds
    assert f"{seconds} seconds for `{name}`" in (text := (ROOT / "book" / "grading.md").read_text()) or (
        f"{seconds} for `{name}`" in text
    )


def test_every_hostile_cell_says_what_it_tries() -> None:
    assert len(NAMES) >= 60
    for name in NAMES:
        assert len(head(name, "tries")) > 20 or name == "honest", name
        assert 0 <= float(head(name, "earns")) <= (20 if head(name, "set") else 8), name
        if head(name, "set"):
            # What gains all the same is written down for the instructor.
            assert float(head(name, "earns")) <= float(head(name, "twin")) or head(name, "notes"), name


def test_the_listeners_hear_who_reaches_them(world: World) -> None:
    assert world.reached() == []
    with (
        socket.create_connection(world.tcp.getsockname()),
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagram,
    ):
        datagram.sendto(b"question", world.udp.getsockname())
        with socket.socket(socket.AF_UNIX) as first, socket.socket(socket.AF_UNIX) as second:
            first.connect(world.named.getsockname())
            second.connect("\0" + world.abstract)
            assert len(world.reached()) == 4


@pytest.mark.parametrize("form", FORMS)
def test_the_watch_sees_a_process_that_lives(watched: Watched) -> None:
    box = watched.start(("numpy",), LIMITS[""])
    assert watched.survivors()
    box.close()
    assert not watched.survivors()

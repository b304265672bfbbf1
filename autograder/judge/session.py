"""One worker with one student's cells in it, seen from the judge: read them, run them, call what
they define.

The worker may die, hang, or send anything at any time. Then it is killed, and the next call starts
a new one and runs the cells again, without the statement at which an earlier one ended.
"""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from autograder.errors import (
    IsolationError,
    MissingFunction,
    ProtocolError,
    StudentFailure,
    TimeUsedUp,
    WorkerDied,
    WorkerError,
    WorkerKilled,
)
from autograder.guest.protocol import PREFIX_SIZE, Decoder, Encoder, Remote, sizes
from autograder.guest.worker import MAX_ERROR_TEXT
from autograder.judge.budget import TimeBudget
from autograder.judge.cpu_limit import look
from autograder.sandbox.box import Box
from autograder.sandbox.limits import Limits
from autograder.sandbox.memory import wait_for_memory
from autograder.sandbox.prefork import modules
from autograder.sandbox.sandbox import Sandbox

IMPORT_LIMIT = (
    # seconds to import the packages that the cells name; none of the student's code runs in them,
    # either
    120.0
)
# seconds to start a worker and to read the cells; none of the student's code runs in them
READ_LIMIT = 60.0
# seconds to let go of objects; the student's code may have taken the request away
FORGET_LIMIT = 10.0
# of the packages of a set, imported whether the cells name it or not: an argument may be a table
ALWAYS = frozenset({"pandas"})
STATEMENT_SHARE = 1 / 6  # of the time for running the cells, for one statement
MAX_LOST = 3  # statements at which a worker is lost, before only definitions are run
MAX_KIND = 200  # characters that are kept of an exception's class, and of its line
# share of the time for running the cells which they may take where they are run anew, so that a
# function meets what it is asked without a memory
RENEWED_SHARE = 1 / 20
MAX_NESTED_CALLS = 8  # calls of the student's code from within what it asked of the judge


@dataclass(frozen=True)
class Statement:
    """One statement of a cell: where it starts, names that it binds, and whether it does no more
    than define or import.
    """

    line: int
    binds: frozenset[str]
    defines: bool


@dataclass(frozen=True)
class Cell:
    """What a cell holds, read before any of the student's code ran."""

    error: StudentFailure | None
    note: str
    statements: tuple[Statement, ...]
    uses: frozenset[str]


@dataclass
class Session:
    """A student's cells, and the worker in which they run.

    Parameters
    ----------
    cells : sources, in the order of the notebook
    isolation, packages, limits : what the worker is started with
    load_limit : seconds for running the cells, all runs together
    budget : the seconds that there are in all
    max_restarts : how often a new worker is started after one was lost
    files : name and content of data files for the worker's folder

    Attributes
    ----------
    read : what the cells hold
    failures : (cell, statement), from 0 -> what the statement raised
    lost : (cell, statement), from 0 -> how the worker was lost while it ran
    printed : end of what the code printed
    events : what happened to workers, each with the seconds since the session began
    killed : whether a worker was lost to SIGKILL, which may be nobody's doing: a machine short of
        memory kills, too
    killed_from_outside : whether one was, and the student's code cannot have done it
    counts_cpu : whether ``cpu_used`` is to be kept: to look takes some milliseconds a call
    cpu_used : CPU seconds of the student's code in all calls, without running the cells
    """

    cells: Sequence[str]
    isolation: Sandbox
    packages: tuple[str, ...]
    limits: Limits
    load_limit: float
    budget: TimeBudget
    max_restarts: int = 24
    files: tuple[tuple[str, bytes], ...] = ()
    read: tuple[Cell, ...] = ()
    failures: dict[tuple[int, int], StudentFailure] = field(default_factory=dict)
    lost: dict[tuple[int, int], WorkerError] = field(default_factory=dict)
    printed: str = ""
    events: list[str] = field(default_factory=list)
    killed: bool = False
    killed_from_outside: bool = False
    counts_cpu: bool = False
    cpu_used: float = 0.0
    _starts: int = 0
    _renewed: int = 0
    _loaded_in: float = 0.0
    _told_before: str = ""
    _box: Box | None = None
    _functions: list[dict[int, Callable[..., Any]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._encoder, self._decoder = Encoder(self._keep), Decoder(self._remote)
        self._began = time.monotonic()
        self._kills_before = _kills_for_memory()

    def say(self, text: str) -> None:
        """Add to the events."""
        self.events.append(f"{time.monotonic() - self._began:8.3f}  {text}")

    @property
    def is_up(self) -> bool:
        """Whether a worker runs."""
        return self._box is not None

    @property
    def statement_limit(self) -> float:
        """Seconds for one statement of a cell."""
        return self.load_limit * STATEMENT_SHARE

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """End the worker, if one runs."""
        if self._box is not None:
            box, self._box = self._box, None
            with self.budget.ending():
                box.close()
            # What is still in the pipe was printed before; nobody writes to it any more.
            told = box.printed().removeprefix(self._told_before)
            self.printed, self._told_before = (self.printed + told)[-self.limits.output :], ""

    def renew(self) -> bool:
        """Have the next call asked of a new worker, in which nothing is left of the calls before.

        Returns
        -------
        False where the cells, which are run anew in each, take so long that the worker stays
        """
        if self._loaded_in > RENEWED_SHARE * self.load_limit:
            return False
        self.stop()
        self._renewed += 1
        self.start()
        assert self._box is not None
        self._told_before = self._box.printed()  # by the cells, which printed it once already
        return True

    def start(self) -> None:
        """Have a worker with the cells in it: the one that runs, or a new one.

        Raises
        ------
        IsolationError : the worker did not come up; it has not seen the cells yet, so this is no
            student's doing
        WorkerError : no worker could be brought to take the cells
        """
        with self.budget.not_of_the_check():
            while self._box is None:
                self._start_one()

    def _start_one(self) -> None:
        if self._starts - self._renewed > self.max_restarts:
            raise WorkerDied(f"it was started {self._starts} times, and is not started again")
        if self.budget.left <= 0:
            raise TimeUsedUp("no time is left")
        self._starts += 1
        wait_for_memory(self.limits)
        self._box = self.isolation.start(self.packages, self.limits)
        self._box.patience = self.budget.patience
        self._greet()
        self._box.take_niceness()
        self.say(f"worker {self._starts} is up")
        try:
            self._write_files()
            self._read_cells()
            self._import_packages()
            before = self.budget.load_left
            self._run_cells()
            self._loaded_in = before - self.budget.load_left
        except WorkerError:
            self.stop()
            if not self.read or self.budget.is_used_up:
                raise

    def _greet(self) -> None:
        """Have an answer from a new worker, so that what goes wrong later is due to the cells."""
        try:
            # Not of the student's time: whoever has used it all up must not look like somebody
            # whose worker cannot start.
            self._reply(("forget",), self.budget.clock() + READ_LIMIT)
        except WorkerError as error:
            self.stop()
            raise IsolationError(
                f"The worker does not start in the sandbox: {error}. {self.printed.strip()}",
                (
                    f"Can everybody read {sys.base_prefix} and the packages "
                    f"{', '.join(self.packages)} in this environment?"
                ),
            ) from None

    def _write_files(self) -> None:
        """Put the data files into the worker's folder, before any of the student's code runs."""
        if self.files:
            contents = {name: np.frombuffer(data, dtype=np.uint8) for name, data in self.files}
            self._exchange(("files", contents), READ_LIMIT)

    def _read_cells(self) -> None:
        answer = self._exchange(("read", list(self.cells)), READ_LIMIT)
        # A fresh worker has run none of the student's code: this answer, and only this one, can be
        # believed.
        self.read = tuple(
            Cell(
                error=None if cell["error"] is None else StudentFailure(*cell["error"]),
                note=cell["note"],
                statements=tuple(map(_statement, cell["statements"])),
                uses=frozenset(cell["uses"]),
            )
            for cell in answer[1]
        )

    def _import_packages(self) -> None:
        """Import what the cells will import, which is no student's time: a framework may take half
        a minute.
        """
        used = frozenset[str]().union(*(cell.uses for cell in self.read))
        used |= ALWAYS
        named = [module for module in modules(self.packages) if module.partition(".")[0] in used]
        if named:
            with self.budget.free():
                self._exchange(("import", named), IMPORT_LIMIT)

    def _run_cells(self) -> None:
        """Run statement by statement, so that one that fails, hangs or kills costs no other."""
        self.failures.clear()
        for c, cell in enumerate(self.read):
            for s, statement in enumerate(cell.statements):
                at = (c, s)
                # After a few losses only definitions are run: what remains to be graded, without
                # what goes wrong around it.
                if at in self.lost or (len(self.lost) > MAX_LOST and not statement.defines):
                    continue
                with self.budget.loading() as left:
                    self._run(c, s, min(self.statement_limit, left))

    def _run(self, c: int, s: int, seconds: float) -> None:
        try:
            answer = self._exchange(("run", c, s), seconds)
        except WorkerError as error:
            self.lost[c, s] = error
            raise
        if answer[0] == "error":
            self.failures[c, s] = _failure(answer)

    def call(
        self,
        function: str | Remote,
        args: tuple[Any, ...],
        framework: str = "numpy",
        spread: bool = False,
        tables: bool = False,
    ) -> Any:
        """Call a function of the student's, by name or as it came from the worker; it gets the
        framework's tensors. With ``spread``, iterators within its result are read, too; with
        ``tables``, a DataFrame comes as one.

        Raises
        ------
        StudentFailure : it raised
        MissingFunction : there is none of that name
        WorkerError : no answer came; the worker is gone, and the next call starts another
        """
        return self._ask(("call", function, args, framework, spread, tables))

    def fetch(self, name: str, tables: bool = False) -> Any:
        """The value that the student's code gave to a name; raises what `call` does."""
        return self._ask(("fetch", name, tables))

    def _ask(self, message: tuple[Any, ...]) -> Any:
        if self._functions:  # within another call, whose time goes on
            return self._value(message)
        with self.budget.call():
            return self._value(message)

    def _value(self, message: tuple[Any, ...]) -> Any:
        self.start()
        if len(self._functions) >= MAX_NESTED_CALLS:
            raise StudentFailure(
                "RecursionError",
                "the function and the function it was given call each other without an end",
            )
        self._functions.append({})
        before = self._cpu_of_worker()
        try:
            answer = self._exchange(message)
            self.cpu_used += self._cpu_of_worker() - before
        except WorkerError:
            self.stop()
            raise
        finally:
            self._functions.pop()
        if answer[0] == "missing":
            raise MissingFunction(str(message[1]))
        if answer[0] == "error":
            raise _failure(answer)
        return answer[1]

    def _cpu_of_worker(self) -> float:
        """CPU seconds that the worker has used, as the kernel tells; 0 where nobody asks, and
        within a call, whose seconds go on.
        """
        if not self.counts_cpu or len(self._functions) > 1 or self._box is None:
            return 0.0
        return self._box.cpu_seconds()

    def forget(self) -> None:
        """Let the worker drop the objects that it keeps for the judge; called between checks."""
        if self._box is not None:
            try:
                self._exchange(("forget",), FORGET_LIMIT)
            except WorkerError:
                self.stop()

    def _exchange(self, message: tuple[Any, ...], seconds: float | None = None) -> tuple[Any, ...]:
        """Send a request and return its reply; a worker that is lost with it is written down."""
        look()
        with self.budget.exchange(seconds) as deadline:
            try:
                return self._reply(message, deadline)
            except WorkerError as error:
                self._write_down(error, message)
                raise

    def _write_down(self, error: WorkerError, message: tuple[Any, ...]) -> None:
        if isinstance(error, WorkerDied) and "SIGKILL" in str(error):
            self.killed = True
            ran_out = (
                self._kills_before is not None and (_kills_for_memory() or 0) > self._kills_before
            )
            self.killed_from_outside |= isinstance(error, WorkerKilled) or ran_out
        what = " ".join(str(part) for part in message[:3] if isinstance(part, str | int))
        self.say(f"worker {self._starts} was lost at {what!r}: {type(error).__name__}: {error}")

    def _reply(self, message: tuple[Any, ...], deadline: float) -> tuple[Any, ...]:
        """Wait for a reply; in between, answer what the student's code asks of the functions it was
        given; the deadline is one by ``budget.clock()``.
        """
        self._send(message, deadline)
        while True:
            answer = self._receive(deadline)
            match answer:
                case ("ask", int(ref), tuple(args)) if (
                    self._functions and ref in self._functions[-1]
                ):
                    self._send(self._answer(self._functions[-1][ref], args), deadline)
                case ("value", _) | ("missing",) if message[0] in ("call", "fetch"):
                    return answer
                case ("error", str(), str(), int(), str(), str()) if message[0] in (
                    "call",
                    "fetch",
                    "run",
                ):
                    return answer
                case ("done",) if message[0] in ("files", "import", "run", "forget"):
                    return answer
                case ("read", list(cells)) if message[0] == "read" and len(cells) == len(
                    self.cells
                ):
                    return answer
                case ("error", "TooLarge", str(text), *_) if message[0] == "read":
                    raise ProtocolError(f"they hold more statements than are read; {text}")
                case _:
                    raise ProtocolError(
                        "the worker sent something that is no answer to what was asked"
                    )

    def _answer(self, function: Callable[..., Any], args: tuple[Any, ...]) -> tuple[Any, ...]:
        """Message with what a function of the judge's gives for the student's arguments."""
        try:
            return "value", function(*args)
        except WorkerError:
            raise  # it called back into the student's code, and the worker was lost with that
        except Exception as error:
            return "error", type(error).__name__, str(error)[:500]

    def _send(self, message: tuple[Any, ...], deadline: float) -> None:
        data = self._encoder.encode(message)
        with self._fairly() as box:
            box.send(data, self.budget.by_monotonic(deadline))

    def _receive(self, deadline: float) -> tuple[Any, ...]:
        with self._fairly() as box:
            header, payload = sizes(box.read(PREFIX_SIZE, self.budget.by_monotonic(deadline)))
        with self._fairly() as box:
            data = box.read(header + payload, self.budget.by_monotonic(deadline))
        value = self._decoder.decode(data[:header], data[header:])
        if not isinstance(value, tuple):
            raise ProtocolError("the worker sent something that is no message")
        return tuple(value)

    @contextmanager
    def _fairly(self) -> Iterator[Box]:
        """The box; what its worker waits for a processor meanwhile is taken from no budget."""
        assert self._box is not None
        box, before = self._box, self._box.put_off
        try:
            yield box
        finally:
            self.budget.put_off += box.put_off - before

    def _keep(self, value: Any) -> int | None:
        """Functions that the judge gives are kept as long as the call lasts; nothing else stays on
        this side.
        """
        if not self._functions or not callable(value):
            return None
        self._functions[-1][id(value)] = value
        return id(value)

    def _remote(self, ref: int, kind: str, is_callable: bool) -> Remote:
        # A class of its own, so that a message about the type names the student's: "got generator".
        name = re.sub(r"\W", "", kind) or "object"
        stand_in: type[Remote] = type(name, (Remote,), {})
        remote = stand_in(
            ref, name, (lambda *args: self.call(remote, args)) if is_callable else None
        )
        return remote


def _statement(told: dict[str, Any]) -> Statement:
    return Statement(told["line"], frozenset(told["binds"]), told["defines"])


def _failure(answer: tuple[Any, ...]) -> StudentFailure:
    """What a worker says of an exception; the worker clips it, too, but the student's code can have
    any said, many times.
    """
    _, kind, text, line, source, bases = answer
    kinds = tuple(bases[:MAX_ERROR_TEXT].split())
    return StudentFailure(kind[:MAX_KIND], text[:MAX_ERROR_TEXT], line, source[:MAX_KIND], kinds)


def _kills_for_memory() -> int | None:
    """How many processes the kernel has ended, since it started, for want of memory; None where it
    does not tell.
    """
    with suppress(OSError):
        found = re.search(r"^oom_kill (\d+)$", Path("/proc/vmstat").read_text(), re.MULTILINE)
        return int(found.group(1)) if found else None
    return None

"""Judges in processes of their own, so that all cores work: each is asked by one thread, which waits for its answer.

The judge itself takes as much time as the students' code: comparing, and trying the known mistakes, in Python. The processes come
from `foreman`. Little is imported here, so that the command can start that one first of all.
"""

from __future__ import annotations

import multiprocessing
import select
import signal
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from multiprocessing.reduction import send_handle
from pathlib import Path
from typing import TYPE_CHECKING

from autograder import foreman
from autograder.errors import AutograderError, IsolationError, ProblemSetError
from autograder.record import Record

if TYPE_CHECKING:
    from autograder.sandbox import Isolation

END_LIMIT = 10.0  # seconds for a judge to end


class JudgeError(AutograderError, RuntimeError):
    """A judge's process ended, or failed itself; this says nothing about the student.

    Parameters
    ----------
    message : what happened
    details : the judge's traceback, where there is one
    """

    def __init__(self, message: str, details: str = "") -> None:
        super().__init__(message)
        self.details = details


class Stopped(AutograderError):
    """The grading was stopped; nothing is to be written about the submission that was being graded."""


class _Lost(JudgeError):
    """The process is gone; another one can be asked."""


@dataclass
class _Foreman:
    """The process that judges are forked from, and the connection to it."""

    process: BaseProcess
    control: Connection
    ended: dict[int, int] = field(default_factory=dict)  # number of a judge's process -> its exit code


@dataclass
class _Judge:
    """A connection to a judge; which process it is is the first that comes over it."""

    connection: Connection
    foreman: _Foreman
    pid: int = 0


@dataclass
class Judges:
    """As many judges as threads ask.

    Parameters
    ----------
    problem_set : its name, or its folder, as `problem_set.load` takes it
    isolation : where the students' code runs; it must be known before the first submission is graded
    root : of the course; the current directory when left out
    boxes : False where it is known beforehand that the students' code will not run in boxes
    """

    problem_set: str | Path
    isolation: Isolation | None = None
    root: Path | None = None
    boxes: bool = True
    _mine: threading.local = field(default_factory=threading.local)
    _all: list[_Judge] = field(default_factory=list)
    _free: list[_Judge] = field(default_factory=list)  # that no thread has asked yet
    _foreman: _Foreman | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _stopped: bool = False

    def __enter__(self) -> Judges:
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._stopped = True
            if self._foreman is None:
                return
            if any(judge.pid for judge in self._all):  # it is up, and ends them when the connection ends
                self._foreman.control.close()
                self._foreman.process.join(END_LIMIT)
            self._foreman.process.kill()
            self._foreman.process.join()
            for judge in self._all:
                _hung_up(judge.connection)

    def begin(self) -> None:
        """Start the first judge, without waiting for it, and have it look the checks over."""
        judge = self._start()
        self._free.append(judge)
        with suppress(OSError):  # that it is gone is told when its answer is read
            judge.connection.send(foreman.LOOK_OVER)

    def look_over(self) -> None:
        """Wait until the judge of `begin` has looked the checks over; a judge that is lost meanwhile is replaced once.

        Raises
        ------
        ProblemSetError : they contradict themselves; says how
        JudgeError : the judge failed
        """
        (judge,) = self._free
        try:
            self._answer(judge)
        except _Lost:
            self._free.clear()
            self.begin()
            self._answer(self._free[0])

    def ask(self, cells: Sequence[str], seed: str, student: str) -> Record:
        """Have the judge of this thread grade; see `judge.grade`.

        A judge that is lost, and a sandbox that does not start, may be nobody's doing: each is tried once more.

        Raises
        ------
        IsolationError : the sandbox cannot be started
        JudgeError : the judge failed; the next call starts another one
        Stopped : this object was left
        """
        try:
            return self._ask(cells, seed, student)
        except (_Lost, IsolationError) as error:
            first = " ".join(str(error).split())
        try:
            record = self._ask(cells, seed, student)
        except _Lost as second:
            raise JudgeError(f"{first}; another one was asked, and {second}") from None
        return replace(record, log=(f"{first}; all was asked again.", *record.log))

    def _ask(self, cells: Sequence[str], seed: str, student: str) -> Record:
        if not hasattr(self._mine, "judge"):
            self._mine.judge = self._start()
        judge = self._mine.judge
        try:
            with suppress(OSError):  # that it is gone is told when its answer is read
                judge.connection.send((list(cells), seed, student, self.isolation))
            record = self._answer(judge)
        except _Lost:
            del self._mine.judge
            raise
        assert isinstance(record, Record)
        return record

    def _answer(self, judge: _Judge) -> Record | None:
        """What a judge answers to what it was asked: a record, or nothing where it had to look the checks over."""
        try:
            if not judge.pid:
                judge.pid = judge.connection.recv()
            answer = judge.connection.recv()
        except (EOFError, OSError):
            raise _Lost(self._how_it_ended(judge)) from None
        if answer is None or isinstance(answer, Record):
            return answer
        kind, *text = answer
        raise {"isolation": IsolationError, "problem set": ProblemSetError}.get(kind, JudgeError)(*text)

    def _start(self) -> _Judge:
        with self._lock:
            if self._stopped:
                raise Stopped()
            if self._free:
                return self._free.pop()
            if self._foreman is None or not self._foreman.process.is_alive():
                self._foreman = self._new_foreman()
            ours, theirs = multiprocessing.Pipe()
            with theirs, suppress(OSError):  # that the foreman has just ended is told when the judge is asked
                send_handle(self._foreman.control, theirs.fileno(), self._foreman.process.pid)
            self._all.append(judge := _Judge(ours, self._foreman))
        return judge

    def _new_foreman(self) -> _Foreman:
        ours, theirs = multiprocessing.Pipe()
        boxes = self.boxes if self.isolation is None else getattr(self.isolation, "warm", False)
        # Not by fork: this process has threads, and an open gradebook.
        process = foreman.SPAWN.Process(target=foreman.serve, args=(theirs, self.problem_set, self.root, boxes))
        # Until it ignores Ctrl-C, it does not get it. multiprocessing's own helper comes first: to start it lets Ctrl-C in again.
        resource_tracker.ensure_running()
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            with theirs:
                process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        return _Foreman(process, ours)

    def _how_it_ended(self, judge: _Judge) -> str:
        """What is known of a judge that ended, which is then forgotten."""
        judge.connection.close()
        with self._lock:
            if self._stopped:
                raise Stopped() from None
            self._all.remove(judge)
            ended = judge.foreman.ended
            with suppress(EOFError, OSError):
                while judge.pid and judge.pid not in ended and judge.foreman.control.poll(END_LIMIT):
                    number, code = judge.foreman.control.recv()
                    ended[number] = code
        if (code := ended.pop(judge.pid, None)) is not None:
            return f"the judge's process ended (exit code {code})"
        alone = judge.foreman.process.is_alive()
        return f"the judge's process ended{'' if alone else ', with the one that it was forked from'}"


def _hung_up(connection: Connection) -> None:
    """Wait until nobody holds the other end of a connection any more."""
    if not connection.closed:
        poll = select.poll()
        poll.register(connection, 0)
        poll.poll(1000 * END_LIMIT)

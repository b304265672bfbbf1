"""A pool of judge processes: each thread asks one judge and waits for its answer.

Processes, because comparing answers and trying known mistakes is Python that takes as long as the
students' code. They are forked by `judge_server`. Little is imported here, so that the command can
start the judge server first of all.
"""

from __future__ import annotations

import multiprocessing
import os
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

from autograder.batch import judge_server
from autograder.errors import (
    IsolationError,
    JudgeError,
    JudgeLost,
    JudgeOvertime,
    ProblemSetError,
    Stopped,
)
from autograder.judge.result import Result

if TYPE_CHECKING:
    from autograder.sandbox.sandbox import Sandbox

END_LIMIT = 10.0  # seconds for a judge to end


@dataclass
class _Server:
    """The judge server's process, and the connection to it."""

    process: BaseProcess
    control: Connection
    ended: dict[int, int] = field(default_factory=dict)  # pid of a judge -> its exit code


@dataclass
class _JudgeHandle:
    """A connection to a judge, which sends its pid first."""

    connection: Connection
    judge_server: _Server
    pid: int = 0


@dataclass
class JudgePool:
    """One judge for each thread that asks.

    Parameters
    ----------
    problem_set : its name, or its folder, as `problem_set.load` takes it
    isolation : where the students' code runs; it must be known before the first submission is
        graded
    root : of the course; the current directory when left out
    boxes : False where it is known beforehand that the students' code will not run in boxes
    """

    problem_set: str | Path
    isolation: Sandbox | None = None
    root: Path | None = None
    boxes: bool = True
    _local: threading.local = field(default_factory=threading.local)
    _all: list[_JudgeHandle] = field(default_factory=list)
    _idle: list[_JudgeHandle] = field(default_factory=list)  # not asked by any thread yet
    _server: _Server | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _stopped: bool = False

    def __enter__(self) -> JudgePool:
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._stopped = True
            if self._server is None:
                return
            # it is up, and ends them when the connection ends
            if any(judge.pid for judge in self._all):
                self._server.control.close()
                self._server.process.join(END_LIMIT)
            self._server.process.kill()
            self._server.process.join()
            for judge in self._all:
                _wait_for_eof(judge.connection)

    def begin(self) -> None:
        """Start the first judge and have it validate the checks, without waiting for it."""
        judge = self._start()
        self._idle.append(judge)
        with suppress(OSError):  # a judge that is gone is reported when its answer is read
            judge.connection.send(judge_server.VALIDATE)

    def validate(self) -> None:
        """Wait until the judge of `begin` has validated the checks; a judge that is lost is
        replaced once.

        Raises
        ------
        ProblemSetError : they contradict themselves; says how
        JudgeError : the judge failed
        """
        (judge,) = self._idle
        try:
            self._answer(judge)
        except JudgeLost:
            self._idle.clear()
            self.begin()
            self._answer(self._idle[0])

    def ask(self, cells: Sequence[str], seed: str, student: str) -> Result:
        """Have the judge of this thread grade; see `judge.grade`.

        A judge that is lost, and a sandbox that does not start, may be nobody's doing: each is
        tried once more.

        Raises
        ------
        IsolationError : the sandbox cannot be started
        JudgeError : the judge failed; the next call starts another one
        Stopped : this object was left
        """
        try:
            return self._ask(cells, seed, student)
        except JudgeOvertime:
            raise
        except (JudgeLost, IsolationError) as error:
            first = " ".join(str(error).split())
        try:
            result = self._ask(cells, seed, student)
        except JudgeLost as second:
            raise JudgeError(f"{first}; another one was asked, and {second}") from None
        return replace(result, log=(f"{first}; all was asked again.", *result.log))

    def _ask(self, cells: Sequence[str], seed: str, student: str) -> Result:
        if not hasattr(self._local, "judge"):
            self._local.judge = self._start()
        judge = self._local.judge
        try:
            with suppress(OSError):  # a judge that is gone is reported when its answer is read
                judge.connection.send((list(cells), seed, student, self.isolation))
            result = self._answer(judge)
        except JudgeLost:
            del self._local.judge
            raise
        assert isinstance(result, Result)
        return result

    def _answer(self, judge: _JudgeHandle) -> Result | None:
        """A judge's answer: a result, or None once the checks are validated."""
        try:
            if not judge.pid:
                judge.pid = judge.connection.recv()
            answer = judge.connection.recv()
        except (EOFError, OSError):
            raise JudgeLost(self._how_it_ended(judge)) from None
        if answer is None or isinstance(answer, Result):
            return answer
        kind, *text = answer
        raise {"isolation": IsolationError, "problem set": ProblemSetError}.get(kind, JudgeError)(
            *text
        )

    def _start(self) -> _JudgeHandle:
        with self._lock:
            if self._stopped:
                raise Stopped()
            if self._idle:
                return self._idle.pop()
            if self._server is None or not self._server.process.is_alive():
                self._server = self._start_server()
            ours, theirs = multiprocessing.Pipe()
            # an exit of the judge server is reported when the judge is asked
            with theirs, suppress(OSError):
                send_handle(self._server.control, theirs.fileno(), self._server.process.pid)
            self._all.append(judge := _JudgeHandle(ours, self._server))
        return judge

    def _start_server(self) -> _Server:
        ours, theirs = multiprocessing.Pipe()
        boxes = self.boxes if self.isolation is None else getattr(self.isolation, "warm", False)
        # Not by fork: this process has threads, and an open gradebook.
        process = judge_server.SPAWN.Process(
            target=judge_server.serve, args=(theirs, self.problem_set, self.root, boxes)
        )
        # SIGINT is blocked until the judge server ignores it. multiprocessing's resource tracker is
        # started before: its start unblocks SIGINT.
        resource_tracker.ensure_running()
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            with theirs:
                process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        return _Server(process, ours)

    def _how_it_ended(self, judge: _JudgeHandle) -> str:
        """Exit code of a judge that ended, as far as it is known; the judge is then forgotten."""
        judge.connection.close()
        with self._lock:
            if self._stopped:
                raise Stopped() from None
            self._all.remove(judge)
            ended = judge.judge_server.ended
            with suppress(EOFError, OSError):
                while (
                    judge.pid
                    and judge.pid not in ended
                    and judge.judge_server.control.poll(END_LIMIT)
                ):
                    pid, code = judge.judge_server.control.recv()
                    ended[pid] = code
            code = ended.pop(judge.pid, None)
            if code is None:
                # A killed server closes its pipes some time before it can be waited for. Until then
                # it looks alive, and the next judge would be asked of it in vain.
                judge.judge_server.process.join(END_LIMIT)
        if code == -signal.SIGXCPU:  # asked again, it would take as long once more
            raise JudgeOvertime(
                "the judge itself took too much processor time for it; look at the notebook"
            ) from None
        if code is not None:
            return f"the judge's process ended (exit code {code})"
        alone = judge.judge_server.process.is_alive()
        return (
            f"the judge's process ended{'' if alone else ', with the one that it was forked from'}"
        )


def cores() -> int:
    """Processors that this process may use: so many judges work at one time."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _wait_for_eof(connection: Connection) -> None:
    """Wait for EOF: all copies of the peer's fd are closed."""
    if not connection.closed:
        poll = select.poll()
        poll.register(connection, 0)
        poll.poll(1000 * END_LIMIT)

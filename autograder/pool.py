"""Judges in processes of their own, so that all cores work: each belongs to one thread, which asks it and waits.

The judge itself takes as much time as the students' code: comparing, and trying the known mistakes, in Python.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import traceback
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from autograder import problem_set as problem_sets
from autograder.errors import AutograderError, IsolationError
from autograder.judge import grade
from autograder.record import Record
from autograder.sandbox import Isolation


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
class Judges:
    """As many judges as threads ask.

    Parameters
    ----------
    folder : of the problem set
    isolation : where the students' code runs
    """

    folder: Path
    isolation: Isolation
    _mine: threading.local = field(default_factory=threading.local)
    _all: list[tuple[BaseProcess, Connection]] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _stopped: bool = False

    def __enter__(self) -> Judges:
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._stopped = True
            for process, _connection in self._all:
                process.kill()
                process.join()

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
        process, connection = self._mine.judge
        try:
            connection.send((list(cells), seed, student))
            answer = connection.recv()
        except (EOFError, OSError):
            process.join()
            connection.close()
            del self._mine.judge
            with self._lock:
                if self._stopped:
                    raise Stopped() from None
                self._all.remove((process, connection))
            raise _Lost(f"the judge's process ended (exit code {process.exitcode})") from None
        if isinstance(answer, Record):
            return answer
        kind, *text = answer
        raise IsolationError(*text) if kind == "isolation" else JudgeError(*text)

    def _start(self) -> tuple[BaseProcess, Connection]:
        # Not by fork: this process has threads, and an open gradebook.
        context: Any = multiprocessing.get_context("spawn")
        with self._lock:
            if self._stopped:
                raise Stopped()
            ours, theirs = context.Pipe()
            process = context.Process(target=_serve, args=(theirs, self.folder, self.isolation), daemon=True)
            process.start()
            theirs.close()
            self._all.append((process, ours))
        return process, ours


def _serve(connection: Connection, folder: Path, isolation: Isolation) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all processes of a terminal; who asks us decides
    threading.Thread(target=_end_with_parent, daemon=True).start()
    # There is a judge on every core: a library that starts threads of its own makes them wait for each other. PyTorch, which a
    # reference may need, reads this when it is imported, and takes four times as long without it.
    os.environ["OMP_NUM_THREADS"] = "1"
    problem_set = problem_sets.load(folder, look_over=False)
    with suppress(EOFError):  # whoever asks is gone
        while True:
            cells, seed, student = connection.recv()
            answer: Any
            try:
                answer = grade(cells, problem_set, seed=seed, isolation=isolation, student=student)
            except IsolationError as error:
                answer = ("isolation", error.reason, error.remedy)
            except Exception as error:
                answer = ("judge", f"{type(error).__name__}: {error}", traceback.format_exc())
            with suppress(BrokenPipeError):
                connection.send(answer)


def _end_with_parent() -> None:
    """End this process as soon as the one that asks is gone, also in the middle of a submission; its workers end with it."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os.kill(os.getpid(), signal.SIGKILL)

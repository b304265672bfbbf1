"""The process from which judges are forked: it imports and loads once what all of them need, while the command does its own.

    command ── foreman ─┬─ judge                    asks the checks, and compares; one for each core
                        ├─ judge
                        └─ nursery, in its box ─┬─ worker      runs a student's code
                                                └─ worker

The command starts the foreman before it imports anything slow itself. The foreman loads the problem set and starts one nursery
for it; while that one imports the allowed packages in its box, the foreman imports the frameworks whose tensors the checks give,
because references compute with them. Then it forks a judge for each connection that the command hands to it. What was imported
is there at once in each of them, and takes its memory once.

A fork copies only the thread that calls it, and a framework that has computed with several threads hangs in the copy. So all
libraries are told to use one thread before they are imported; nothing is computed here, for the checks are looked over by a
judge; and should there be a second thread all the same, each judge is a fresh Python instead: it takes longer and does the same.

Whoever ends takes those below along, and no one else. A judge that ended is told to the command, which asks for another; when the
foreman ended, it starts another one. multiprocessing's own server of forks is not used: it takes names of modules only, there is
one for the whole process, and one that was killed is taken for the death of all that it had forked.
"""

from __future__ import annotations

import gc
import importlib
import multiprocessing
import os
import signal
import sys
import threading
import traceback
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from multiprocessing.reduction import recv_handle
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autograder.errors import IsolationError, ProblemSetError

if TYPE_CHECKING:
    from autograder.problem_set import ProblemSet
    from autograder.warm import Line, Nursery

FORK, SPAWN = multiprocessing.get_context("fork"), multiprocessing.get_context("spawn")
# There is a judge on every core: a library that starts threads of its own makes them wait for each other. PyTorch, which a
# reference may need, takes four times as long without it. They are read when a library is imported.
ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
LOOK_OVER = "look over"  # a question to a judge, beside (cells, seed, student, isolation)
MOST_LINES = 8  # judges of one nursery, which forks for one at a time, in 2 ms with NumPy and in 8 ms with PyTorch


def serve(control: Connection, name: str | Path, root: Path | None, boxes: bool) -> None:
    """Be the foreman, until the command has ended.

    Parameters
    ----------
    control : brings the judges' connections, one handle at a time; (number, exit code) of a judge that ended goes back
    name, root : of the problem set, as `problem_set.load` takes them
    boxes : whether the students' code is to run in boxes, as far as is known yet
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all processes of a terminal; who started us decides
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    os.environ |= dict.fromkeys(ONE_THREAD, "1")
    problem_set = _load(name, root)
    nurseries = _Nurseries(problem_set, boxes)
    _import_frameworks(problem_set)
    gc.collect()
    gc.freeze()  # else the collector would write to every page that the judges share with this process
    judges: list[BaseProcess] = []
    try:
        _fork_judges(control, judges, problem_set, (name, root), nurseries)
    except Exception:
        traceback.print_exc()  # such as that there is no memory for one more; the command starts another foreman
    finally:
        for judge in judges:
            judge.kill()
        for judge in judges:
            judge.join()
        os._exit(0)  # to take PyTorch down in good order takes a while, and there is nothing to be put in order


def _fork_judges(
    control: Connection,
    judges: list[BaseProcess],
    problem_set: ProblemSet | ProblemSetError,
    where: tuple[str | Path, Path | None],
    nurseries: _Nurseries,
) -> None:
    """Fork a judge for each connection that comes, and tell how each ended, as long as the command is there."""
    while True:
        ready = wait([control, *(judge.sentinel for judge in judges)])
        for judge in [judge for judge in judges if judge.sentinel in ready]:
            judges.remove(judge)
            judge.join()
            with suppress(BrokenPipeError):
                control.send((judge.pid, judge.exitcode))
        if control in ready:
            try:
                connection = Connection(recv_handle(control))
            except (EOFError, OSError):
                return
            with connection:
                judges.append(_start(connection, control, problem_set, where, nurseries))


def _load(name: str | Path, root: Path | None) -> ProblemSet | ProblemSetError:
    from autograder import problem_set as problem_sets

    try:
        return problem_sets.load(name, root, look_over=False)
    except ProblemSetError as error:
        return error  # each judge answers with it


def _import_frameworks(problem_set: ProblemSet | ProblemSetError) -> None:
    if isinstance(problem_set, ProblemSetError):
        return
    from autograder import judge, warm

    assert judge is not None  # imported because judges need it
    frameworks = {getattr(check, "arrays", "numpy") for check in problem_set.checks} - warm.NOT_FORKABLE
    for framework in sorted(frameworks):
        with suppress(Exception):  # the checks themselves will say what is wrong with it
            for module in warm.modules((framework,)):
                importlib.import_module(module)


class _Nurseries:
    """Nurseries for this process's judges; one, where there are no more judges than it can serve."""

    def __init__(self, problem_set: ProblemSet | ProblemSetError, boxes: bool) -> None:
        self._made: list[Nursery] = []
        self._lines = 0  # to the last one
        self._packages = None if isinstance(problem_set, ProblemSetError) or not boxes else problem_set.packages
        self._begin()

    def _begin(self) -> None:
        from autograder import sandbox, warm

        # Whether students' code runs in what is hoped for is being tried out meanwhile; if not, nobody asks for a worker.
        maker = sandbox.hoped_for()
        if self._packages is not None and maker is not None:
            nursery = warm.begin(maker, self._packages)
            self._made += [nursery] if nursery is not None else []
            self._lines = 0

    def line(self) -> Line | None:
        """Line for the next judge; None where it is to help itself."""
        from autograder.warm import NoNursery

        for _ in range(2):
            if self._made and self._lines < MOST_LINES:
                with suppress(NoNursery):  # it was killed
                    self._lines += 1
                    return self._made[-1].line()
            if self._made:
                self._begin()
        return None


def _start(
    connection: Connection,
    control: Connection,
    problem_set: ProblemSet | ProblemSetError,
    where: tuple[str | Path, Path | None],
    nurseries: _Nurseries,
) -> BaseProcess:
    """Start a judge; ``where`` is what another Python would load the problem set from."""
    process: BaseProcess
    if can_fork():
        line = nurseries.line()
        process = FORK.Process(target=_judge, args=(connection, problem_set, control, line), daemon=True)
        process.start()
        if line is not None:
            line.close()  # the judge has it
    else:
        process = SPAWN.Process(target=_begin, args=(connection, *where), daemon=True)
        process.start()
    return process


def can_fork() -> bool:
    """Whether a copy of this process, made by fork, has all that this one has."""
    return sys.platform == "linux" and len(os.listdir("/proc/self/task")) == 1


def _begin(connection: Connection, name: str | Path, root: Path | None) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _judge(connection, _load(name, root))


def _judge(
    connection: Connection,
    problem_set: ProblemSet | ProblemSetError,
    control: Connection | None = None,
    line: Line | None = None,
) -> None:
    """Be a judge: say which process this is, then answer questions until whoever asks is gone."""
    if control is not None:
        control.close()  # that is the foreman's
    threading.Thread(target=_end_with_foreman, daemon=True).start()
    if line is not None:
        from autograder import warm

        warm.adopt(line)
    with suppress(EOFError, ConnectionError):
        connection.send(os.getpid())
        while True:
            question = connection.recv()
            connection.send(_answer(question, problem_set))


def _answer(question: Any, problem_set: ProblemSet | ProblemSetError) -> Any:
    from autograder import problem_set as problem_sets
    from autograder.judge import grade

    try:
        if isinstance(problem_set, ProblemSetError):
            raise problem_set
        if question == LOOK_OVER:
            return problem_sets.validate(problem_set)
        cells, seed, student, isolation = question
        return grade(cells, problem_set, seed=seed, isolation=isolation, student=student)
    except IsolationError as error:
        return "isolation", error.reason, error.remedy
    except ProblemSetError as error:
        return "problem set", str(error)
    except Exception as error:
        return "judge", f"{type(error).__name__}: {error}", traceback.format_exc()


def _end_with_foreman() -> None:
    """End this process as soon as the foreman is gone, also in the middle of a submission; its workers end with it.

    A judge holds what tells those that were forked before it that the foreman is there; so the last one ends first.
    """
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os.kill(os.getpid(), signal.SIGKILL)

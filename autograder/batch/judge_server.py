"""The fork server of the judges: it imports and loads once what all of them need.

    command ── judge server ─┬─ judge                 runs the checks, and compares; one a core
                             ├─ judge
                             └─ fork server, in its box ─┬─ worker  runs a student's code
                                                         └─ worker

The command starts the judge server before it imports anything slow itself. The judge server loads
the problem set and starts one fork server for it; while that one imports the allowed packages in
its box, the judge server imports the frameworks whose tensors the checks give, because references
compute with them. Then it forks a judge for each connection that the command hands to it. What was
imported is there at once in each of them, and takes its memory once.

A fork copies only the thread that calls it, and a framework that has computed with several threads
hangs in the copy. So all libraries are told to use one thread before they are imported; nothing is
computed here, for the checks are validated by a judge; and should there be a second thread all
the same, each judge is a fresh Python instead: it takes longer and does the same.

A process that ends takes its descendants along, and no other. The exit code of a judge goes to the
command, which asks for another judge; it also restarts a judge server that ended.
multiprocessing's forkserver is not used: it takes names of modules only, there is one for the whole
process, and when it is killed, all processes that it forked are taken for dead.
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
    from autograder.judge.problem_set import ProblemSet
    from autograder.sandbox.prefork import ForkClient, ForkServer

FORK, SPAWN = multiprocessing.get_context("fork"), multiprocessing.get_context("spawn")
# There is a judge on every core: a library that starts threads of its own makes them wait for each
# other. PyTorch, which a reference may need, takes four times as long without it. They are read
# when a library is imported.
ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
VALIDATE = "validate"  # a request to a judge, beside (cells, seed, student, isolation)
# of workers; it forks one at a time, in 2 ms with NumPy and in 8 ms with PyTorch
JUDGES_PER_SERVER = 8


def serve(control: Connection, name: str | Path, root: Path | None, boxes: bool) -> None:
    """Run as the judge server, until the command has ended.

    Parameters
    ----------
    control : brings the judges' connections, one fd at a time; sends (pid, exit code) of each judge
        that ended
    name, root : of the problem set, as `problem_set.load` takes them
    boxes : whether the students' code is to run in boxes, as far as is known yet
    """
    # Ctrl-C reaches the whole process group; the command decides
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    os.environ |= dict.fromkeys(ONE_THREAD, "1")
    problem_set = _load(name, root)
    fork_servers = _ForkServers(problem_set, boxes)
    _import_frameworks(problem_set)
    gc.collect()
    # the garbage collector would write to every page that judges share with this process
    gc.freeze()
    judges: list[BaseProcess] = []
    try:
        _fork_judges(control, judges, problem_set, (name, root), fork_servers)
    except Exception:
        # such as that there is no memory for one more; the command starts another judge server
        traceback.print_exc()
    finally:
        for judge in judges:
            judge.kill()
        for judge in judges:
            judge.join()
        os._exit(0)  # finalising PyTorch takes a while, and nothing needs it


def _fork_judges(
    control: Connection,
    judges: list[BaseProcess],
    problem_set: ProblemSet | ProblemSetError,
    where: tuple[str | Path, Path | None],
    fork_servers: _ForkServers,
) -> None:
    """Fork a judge for each connection, and send the exit code of each, until the command closes
    its end.
    """
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
                judges.append(_start(connection, control, problem_set, where, fork_servers))


def _load(name: str | Path, root: Path | None) -> ProblemSet | ProblemSetError:
    from autograder.judge import problem_set as problem_sets

    try:
        return problem_sets.load(name, root, validate=False)
    except ProblemSetError as error:
        return error  # each judge answers with it


def _import_frameworks(problem_set: ProblemSet | ProblemSetError) -> None:
    if isinstance(problem_set, ProblemSetError):
        return
    from autograder.judge import judge
    from autograder.sandbox import prefork

    assert judge is not None  # imported because judges need it
    frameworks = {
        getattr(check, "arrays", "numpy") for check in problem_set.checks
    } - prefork.NOT_FORKABLE
    # A reference may use Keras, too; on another backend than PyTorch it cannot be forked.
    if "keras" in problem_set.packages and os.environ.get("KERAS_BACKEND") == "torch":
        frameworks.add("keras")
    for framework in sorted(frameworks):
        with suppress(Exception):  # the checks themselves will say what is wrong with it
            for module in prefork.modules((framework,)):
                importlib.import_module(module)


class _ForkServers:
    """Fork servers of workers for this process's judges; one for every `JUDGES_PER_SERVER`."""

    def __init__(self, problem_set: ProblemSet | ProblemSetError, boxes: bool) -> None:
        self._made: list[ForkServer] = []
        self._clients = 0  # judges of the last one
        self._packages = (
            None if isinstance(problem_set, ProblemSetError) or not boxes else problem_set.packages
        )
        self._begin()

    def _begin(self) -> None:
        from autograder.sandbox import choose, prefork

        # The command tests the isolation meanwhile. Where another is chosen, no worker is asked
        # for.
        maker = choose.likely_isolation()
        if self._packages is not None and maker is not None:
            fork_server = prefork.begin(maker, self._packages)
            self._made += [fork_server] if fork_server is not None else []
            self._clients = 0

    def connect(self) -> ForkClient | None:
        """Connection to a fork server for the next judge; None: the judge starts its own."""
        from autograder.errors import NoForkServer

        for _ in range(2):
            if self._made and self._clients < JUDGES_PER_SERVER:
                with suppress(NoForkServer):  # it was killed
                    self._clients += 1
                    return self._made[-1].connect()
            if self._made:
                self._begin()
        return None


def _start(
    connection: Connection,
    control: Connection,
    problem_set: ProblemSet | ProblemSetError,
    where: tuple[str | Path, Path | None],
    fork_servers: _ForkServers,
) -> BaseProcess:
    """Start a judge; ``where`` is the problem set's name and root, for a judge that is not
    forked.
    """
    process: BaseProcess
    if can_fork():
        client = fork_servers.connect()
        process = FORK.Process(
            target=_judge, args=(connection, problem_set, control, client), daemon=True
        )
        process.start()
        if client is not None:
            client.close()  # the judge has its own copy
    else:
        process = SPAWN.Process(target=_begin, args=(connection, *where), daemon=True)
        process.start()
    return process


def can_fork() -> bool:
    """Whether this process has no other thread, which a fork would not copy."""
    return sys.platform == "linux" and len(os.listdir("/proc/self/task")) == 1


def _begin(connection: Connection, name: str | Path, root: Path | None) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _judge(connection, _load(name, root))


def _judge(
    connection: Connection,
    problem_set: ProblemSet | ProblemSetError,
    control: Connection | None = None,
    client: ForkClient | None = None,
) -> None:
    """Run as a judge: send the pid, then answer requests until the command closes its end."""
    if control is not None:
        control.close()  # that is the judge server's
    threading.Thread(target=_end_with_server, daemon=True).start()
    if client is not None:
        from autograder.sandbox import prefork

        prefork.use_connection(client)
    with suppress(EOFError, ConnectionError):
        connection.send(os.getpid())
        while True:
            question = connection.recv()
            connection.send(_answer(question, problem_set))


def _answer(question: Any, problem_set: ProblemSet | ProblemSetError) -> Any:
    from autograder.judge import problem_set as problem_sets
    from autograder.judge.cpu_limit import end_after
    from autograder.judge.judge import grade

    try:
        if isinstance(problem_set, ProblemSetError):
            raise problem_set
        if question == VALIDATE:
            return problem_sets.validate_checks(problem_set)
        cells, seed, student, isolation = question
        end_after(problem_set.limits.judge_seconds)
        return grade(cells, problem_set, seed=seed, isolation=isolation, student=student)
    except IsolationError as error:
        return "isolation", error.reason, error.remedy
    except ProblemSetError as error:
        return "problem set", str(error)
    except Exception as error:
        return "judge", f"{type(error).__name__}: {error}", traceback.format_exc()


def _end_with_server() -> None:
    """Kill this judge as soon as the judge server is gone; its workers end with it.

    Each judge inherits the fds by which earlier ones watch the judge server; so the last one ends
    first.
    """
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os.kill(os.getpid(), signal.SIGKILL)

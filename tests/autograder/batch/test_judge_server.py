"""The process that judges are forked from: what it takes along when it ends, and what it must not
do before a fork.
"""

import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from types import SimpleNamespace

import psutil
import pytest

from autograder import errors
from autograder.batch import pool
from autograder.errors import ProblemSetError
from autograder.judge import problem_set
from autograder.sandbox import choose
from tests.support.tiny_course import ADDS, RIGHT, hand_in

TINY = [RIGHT["scale_code"], RIGHT["total_code"]]
# Code that neither ends by itself nor when its requests end.
STAYS = "import time\ndef scale(x, a):\n    while True:\n        time.sleep(1)\n"
# A reference that computes with PyTorch and writes down which process did it, and with how many
# threads.
TORCH_CHECKS = """
import os
import numpy as np
from verdict import Case, Check

PACKAGES = ("numpy", "torch")


def doubled(x):
    import torch

    with open({place!r}, "a") as file:
        file.write(f"{{os.getpid()}} {{torch.get_num_threads()}}\\n")
    return (2 * torch.from_numpy(x)).numpy()


draw = lambda rng: [Case("", (rng.normal(size=(200, 300)),))]
how = dict(cases=draw, expected=doubled, outputs="y", arrays="torch")
CHECKS = [Check("double", "Twice.", "double", 1, **how)]
"""


@pytest.fixture
def isolation():
    return choose.choose()


@pytest.fixture
def folder(tiny_course):
    return tiny_course / "solutions" / "tiny"


def until(found, seconds=60.0):
    """Wait until something is found, and return it."""
    end = time.monotonic() + seconds
    while not (got := found()):
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.02)
    return got


def family(judges):
    """The judge server, its judges, and the process around its fork server."""
    above = psutil.Process(judges._server.process.pid)
    ours, others = [], []
    for child in above.children():
        with suppress(psutil.NoSuchProcess):
            (others if child.name() == "bwrap" else ours).append(child)
    return above, ours, others


def workers(box):
    """Numbers of the processes below a fork server that have none below themselves."""
    found = box.children(recursive=True)
    with suppress(psutil.NoSuchProcess):
        return {process.pid for process in found} - {process.ppid() for process in found}
    return set()


def asked(judges, cells, said, student="ann"):
    """Ask in a thread of its own; what came of it is put at the end of a list."""

    def ask():
        try:
            said.append(judges.ask(cells, "seed", student))
        except Exception as error:
            said.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    return thread


def test_a_killed_judge_server_takes_all_along_and_is_replaced(folder, isolation):
    with pool.JudgePool(folder, isolation) as judges:
        first = judges.ask(TINY, "seed", "ann")
        above, _, _ = family(judges)
        below = above.children(recursive=True)
        assert len(below) >= 4  # a judge, and a fork server in its box
        above.kill()
        _, alive = psutil.wait_procs(below, timeout=60)
        assert not alive
        again = judges.ask(TINY, "seed", "ann")
        assert again.checks == first.checks
        assert again.log[0] == (
            "the judge's process ended, with the one that it was forked from; all was asked again."
        )
        everything = [family(judges)[0], *family(judges)[0].children(recursive=True)]
    assert not psutil.wait_procs(everything, timeout=60)[1]


def test_a_killed_judge_server_that_cannot_be_waited_for_yet_is_waited_for():
    """Its pipes are closed before it is a zombie; asked again then, it would lose a second
    judge.
    """

    class Dying:
        gone = False

        def join(self, seconds):
            self.gone = seconds > 1

        def is_alive(self):
            return not self.gone

    ours, theirs = multiprocessing.Pipe()
    theirs.close()
    server = SimpleNamespace(process=Dying(), control=ours, ended={})
    judge = SimpleNamespace(connection=multiprocessing.Pipe()[0], pid=4321, judge_server=server)
    waiting = SimpleNamespace(_lock=threading.Lock(), _stopped=False, _all=[judge])
    said = pool.JudgePool._how_it_ended(waiting, judge)
    assert said == "the judge's process ended, with the one that it was forked from"
    assert not server.process.is_alive() and waiting._all == []


def test_the_end_of_a_judge_ends_its_own_worker_and_nobody_elses(folder, isolation):
    said, checks = [], folder / "checks.py"
    patient = (
        "\nfrom dataclasses import replace\nCHECKS = [replace(check, time_limit=600) for check in "
        "CHECKS]\n"
    )
    checks.write_text(checks.read_text() + patient)
    with pool.JudgePool(folder, isolation) as judges:
        judges.ask(TINY, "seed", "ann")  # by this thread's judge
        threads = [asked(judges, [STAYS], said, name) for name in ("bob", "cay")]
        _, ours, (box,) = until(lambda: len(family(judges)[1]) == 3 and family(judges))
        before = until(lambda: len(workers(box)) == 2 and workers(box))
        mine = judges._all[0].pid
        lost = next(judge for judge in ours if judge.pid != mine)
        lost.kill()
        # The code that was lost with its judge is asked again, in a worker of the next judge.
        until(lambda: len(before - workers(box)) == 1 and len(workers(box)) == 2)
        assert not said
        # the same fork server, over the line of this thread's judge
        judges.ask(TINY, "seed", "ann")
        assert family(judges)[2] == [box]
    for thread in threads:
        thread.join(30)
    assert [type(error) for error in said] == [errors.Stopped] * 2


def test_nothing_is_computed_before_a_fork_and_no_second_thread_is_there(tmp_path, isolation):
    folder, place = tmp_path / "solutions" / "double", tmp_path / "computed"
    folder.mkdir(parents=True)
    (folder / "checks.py").write_text(TORCH_CHECKS.format(place=str(place)))
    said = []
    with pool.JudgePool(folder, isolation) as judges:
        judges.begin()
        judges.validate()
        threads = [
            asked(judges, ["def double(x):\n    y = 2 * x\n    return y"], said, name)
            for name in ("ann", "bob")
        ]
        for thread in threads:
            thread.join(120)
        above, ours, boxes = family(judges)
        assert above.num_threads() == 1
        assert "libtorch_cpu" in "".join(mapped.path for mapped in above.memory_maps())
        computed = {tuple(map(int, line.split())) for line in place.read_text().splitlines()}
        assert computed == {(judge.pid, 1) for judge in ours} and len(ours) == 2
        assert len(boxes) == 1 and not any(
            child.name() == "bwrap" for judge in ours for child in judge.children()
        )
    assert [record.score for record in said] == [1, 1]


def test_where_a_fork_would_not_copy_all_each_judge_is_a_fresh_python(folder, isolation):
    checks = folder / "checks.py"
    checks.write_text(
        checks.read_text()
        + (
            "\nimport threading, time\nthreading.Thread(target=time.sleep, args=(99,), "
            "daemon=True).start()\n"
        )
    )
    with pool.JudgePool(folder, isolation) as judges:
        judges.begin()
        judges.validate()
        assert judges.ask(TINY, "seed", "ann").score == 3
        above, ours, _ = family(judges)
        assert above.num_threads() == 2
        fresh = [judge for judge in ours if judge.cmdline() != above.cmdline()]
        assert [judge.pid for judge in fresh] == [judges._all[0].pid]


def run(root, *words, **options):
    """Start the command in a course, in a process group of its own, as a terminal does."""
    command = [sys.executable, "-m", "autograder", "run", "tiny", *words]
    # Whatever runs the tests in the background has them ignore Ctrl-C, and what is ignored stays so
    # in what they start.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return subprocess.Popen(
            command,
            cwd=root,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            **options,
        )
    finally:
        signal.signal(signal.SIGINT, before)


def test_checks_that_contradict_themselves_are_refused_before_anything_is_written(
    tiny_course, folder
):
    hand_in(tiny_course, "ann", RIGHT)
    checks = folder / "checks.py"
    checks.write_text(checks.read_text() + "\nCHECKS += CHECKS[:1]\n")
    with pytest.raises(ProblemSetError) as refused:
        problem_set.load(folder)
    before = {path for path in tiny_course.rglob("*") if "__pycache__" not in path.parts}
    process = run(tiny_course)
    _, said = process.communicate(timeout=60)
    assert (process.returncode, said) == (2, f"autograder: {refused.value}\n")
    assert {path for path in tiny_course.rglob("*") if "__pycache__" not in path.parts} == before


@pytest.mark.parametrize("early", [True, False])
def test_ctrl_c_ends_all_processes_and_says_so_once(early, tiny_course, empty_gradebook):
    shutil.copy(empty_gradebook, tiny_course / "gradebook.db")
    hand_in(tiny_course, "ann", ADDS)
    hand_in(tiny_course, "bob", RIGHT | {"scale_code": STAYS})
    process = run(tiny_course, "--jobs", "2")
    above = psutil.Process(process.pid)
    until(above.children if early else (tiny_course / "records" / "tiny" / "ann.json").exists)
    below = above.children(recursive=True)
    os.killpg(process.pid, signal.SIGINT)
    with suppress(psutil.Error):
        below += above.children(recursive=True)
    _, said = process.communicate(timeout=60)
    # Python ends by the signal itself where it met an import that runs a text, as dataclasses and
    # named tuples do.
    assert process.returncode in (130, -signal.SIGINT) and len(said.strip().splitlines()) == 1, said
    assert said.strip().startswith("autograder: stopped.")
    assert not psutil.wait_procs(below, timeout=60)[1]

"""A busy machine costs no student: what the code waits for a processor, or a box for memory, is not
its time.
"""

import os
import subprocess
import sys
import time
from itertools import count
from types import SimpleNamespace

import psutil
import pytest

from autograder.errors import IsolationError
from autograder.judge.judge import grade
from autograder.judge.problem_set import load
from autograder.sandbox import box, choose, memory
from autograder.sandbox.limits import Limits
from autograder.sandbox.plain_process import UnsafeLocal

RIGHT = "def scale(x, a):\n    return a * x\ndef total(x):\n    return x.sum()"
SLEEPS = "import time\ntime.sleep(1.5)\nafter = 1\ndef scale(x, a):\n    return after * a * x"
ENDLESS = "import time\ntime.sleep(600)"


@pytest.fixture
def tiny(made_tiny_course):
    return load("tiny", made_tiny_course)


def judged(tiny, cells, load_limit):
    return grade(cells, tiny, seed="seed", isolation=choose.choose(), load_limit=load_limit)


def test_what_the_code_waits_for_a_processor_is_not_its_time(tiny, monkeypatch):
    """A statement may take 1 second here, and the kernel tells of 10 more in which there was no
    processor.
    """
    monkeypatch.setattr(box, "starved_seconds", lambda pid: 0.0)
    assert judged(tiny, [RIGHT, SLEEPS], 6.0).notes != ()
    waited = count(10.0, 10.0)
    monkeypatch.setattr(box, "starved_seconds", lambda pid: next(waited))
    result = judged(tiny, [RIGHT, SLEEPS], 6.0)
    assert (result.score, result.notes) == (3, ())


def test_a_loop_without_an_end_ends_on_a_busy_machine_too(tiny, monkeypatch):
    # never has a processor
    monkeypatch.setattr(box, "starved_seconds", lambda pid: time.monotonic())
    began = time.monotonic()
    # with 40 for the checks and 2 to load: 4 seconds
    monkeypatch.setattr("autograder.judge.judge.SPARE_TIME", -38.0)
    result = judged(tiny, [RIGHT, ENDLESS], 2.0)
    assert any(
        "line 2 was left out: no answer within 0.333333 seconds" in note for note in result.notes
    ), result
    # of 2 seconds, which were put off by twice the 4 of the submission
    assert time.monotonic() - began < 60


def test_the_kernel_tells_how_long_a_process_had_no_processor():
    code = f"import os; os.sched_setaffinity(0, [{min(os.sched_getaffinity(0))}])\nwhile True: pass"
    both = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(2)]
    try:
        while sum(psutil.Process(one.pid).cpu_times().user for one in both) < 1.0:
            time.sleep(0.05)
        assert all(box.starved_seconds(one.pid) > 0.1 for one in both)
        assert (
            box.starved_seconds(os.getpid())
            >= max(box.starved_seconds(one.pid) for one in both) - 1e-3
        )
    finally:
        for one in both:
            one.kill()
            one.wait()
    assert box.starved_seconds(both[0].pid) == 0.0  # gone


def test_no_box_is_started_while_memory_is_short(tiny, monkeypatch):
    free = iter([100 << 20, 3 << 30, 100 << 20])
    monkeypatch.setattr(
        psutil, "virtual_memory", lambda: SimpleNamespace(total=64 << 30, available=next(free))
    )
    monkeypatch.setattr(memory, "needed", lambda limits: 2 << 30)
    monkeypatch.setattr(memory, "LOOK_EVERY", 0.0)
    memory.wait_for_memory(Limits())  # the second look finds room
    monkeypatch.setattr(memory, "LONGEST_WAIT", 0.0)
    with pytest.raises(IsolationError, match="100 MiB of memory are free"):
        grade([RIGHT], tiny, seed="seed", isolation=UnsafeLocal())


def test_a_small_machine_needs_a_quarter_of_its_memory_only(monkeypatch):
    monkeypatch.setattr(
        psutil, "virtual_memory", lambda: SimpleNamespace(total=4 << 30, available=1 << 30)
    )
    memory.wait_for_memory(Limits(memory=6 << 30))

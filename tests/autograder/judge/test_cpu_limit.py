"""The judge's own work on one submission has an end, and the others are graded."""

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from autograder.batch import grading as batch
from autograder.batch import pool
from autograder.batch.grading import Grading
from autograder.course.course import Course
from autograder.errors import JudgeError
from autograder.judge.cpu_limit import Overrun, cpu_limit, look
from tests.support.tiny_course import RIGHT, hand_in

# A check of an instructor's that takes for ever on what one student returns.
SLOW = """
def _one_form(arrays):
    while float(arrays["y"].flat[0]) == 7.0:
        pass
    return arrays
CHECKS[0] = __import__("dataclasses").replace(CHECKS[0], one_form=_one_form)
"""
GIVES = "def scale(x, a):\n    return np.full_like(x, {})"


@pytest.fixture
def course(tiny_course):
    checks = tiny_course / "solutions" / "tiny" / "checks.py"
    checks.write_text(checks.read_text() + SLOW + "LIMITS = {'judge_seconds': 3}\n")
    return Course.load(tiny_course)


def test_a_submission_that_keeps_the_judge_busy_is_told_and_the_others_are_graded(course):
    hand_in(course.root, "ann", RIGHT | {"scale_code": GIVES.format(7)})
    hand_in(course.root, "bob", RIGHT)
    ann, bob = batch.run(Grading.prepare(course, "tiny"), ["ann", "bob"], jobs=1)
    assert (
        "the judge itself took more than 3 seconds of processor time" in ann.problem
        and not ann.refused
    )
    assert bob.result.score == 3


def test_a_judge_that_the_kernel_ends_for_its_time_is_not_asked_again(course):
    """SIGXCPU is what a judge gets that is inside a library and hears no other signal."""
    grading = Grading.prepare(course, "tiny")
    with pool.JudgePool(grading.problem_set.folder, grading.isolation) as judges:
        judges.ask([RIGHT["scale_code"]], "seed", "bob")
        (judge,) = judges._all
        os.kill(judge.pid, signal.SIGXCPU)
        with pytest.raises(JudgeError, match="took too much processor time"):
            judges.ask([RIGHT["scale_code"]], "seed", "ann")
        assert judges.ask([RIGHT["scale_code"]], "seed", "cay").score == 2


def test_the_kernel_ends_a_process_that_goes_on():
    code = (
        "from autograder.judge import cpu_limit as c; c.GRACE = 0.0; c.end_after(1.0)\nwhile True: "
        "pass"
    )
    ended = subprocess.run([sys.executable, "-c", code], timeout=120, check=False)
    assert ended.returncode == -signal.SIGXCPU


def test_only_processor_time_counts_and_nothing_is_left_behind():
    before = signal.getsignal(signal.SIGPROF)
    with cpu_limit(0.2):
        time.sleep(0.4)
    with pytest.raises(Overrun), cpu_limit(0.05):
        while True:
            pass
    assert (
        signal.getitimer(signal.ITIMER_PROF) == (0.0, 0.0)
        and signal.getsignal(signal.SIGPROF) is before
    )


def test_in_another_thread_the_limit_is_looked_at_between_two_steps():
    """As on a Dask worker, which grades in a thread of its own."""

    def work():
        with cpu_limit(0.05):
            while True:
                look()

    with ThreadPoolExecutor(1) as threads, pytest.raises(Overrun):
        threads.submit(work).result()
    look()  # this thread has no limit

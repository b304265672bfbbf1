"""An interruption that Python would drop, or a library would log, ends the command all the same."""

import queue
import signal
import sys
import time
import types
from contextlib import suppress

import pytest

from autograder.cli import interrupts
from autograder.cli.interrupts import interrupted_at_safe_points


@pytest.fixture(autouse=True)
def heard():
    """Ctrl-C is heard, also where whatever runs the tests has them ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


class Interrupted:
    """Is interrupted while it is taken away, where no exception can be caught."""

    def __init__(self, error):
        self.error = error

    def __del__(self):
        raise self.error


def wait():
    """Wait as the command waits for its judges: for a queue."""
    with suppress(queue.Empty):
        queue.Queue().get(timeout=60)
    pytest.fail("it did not come, or only after the queue")


def library(name):
    """A module of that name with a function that is interrupted in the middle."""
    module = types.ModuleType(name)
    code = (
        "def give_back(press, done):\n"
        "    press()\n"
        "    for _ in range(1000):\n"
        "        pass\n"
        "    done.append('given back')\n"
    )
    exec(code, module.__dict__)
    return module.give_back


def press():
    signal.raise_signal(signal.SIGINT)


def test_an_interruption_that_is_dropped_comes_again():
    with interrupted_at_safe_points(), pytest.raises(KeyboardInterrupt):
        Interrupted(KeyboardInterrupt)
        wait()


def test_other_errors_that_are_dropped_are_shown_as_before(monkeypatch):
    shown = []
    monkeypatch.setattr(sys, "unraisablehook", lambda dropped: shown.append(dropped.exc_type))
    before = sys.unraisablehook
    with interrupted_at_safe_points():
        Interrupted(ValueError)
    assert shown == [ValueError] and sys.unraisablehook is before


def test_the_library_of_the_gradebook_ends_what_it_does_before_ctrl_c_is_raised():
    done = []
    with interrupted_at_safe_points(), pytest.raises(KeyboardInterrupt):
        library("sqlalchemy.pool.base")(press, done)
        assert done == ["given back"]
        wait()
    assert done == ["given back"]


def test_ctrl_c_is_raised_at_once_elsewhere_and_in_a_library_that_does_not_end(monkeypatch):
    done = []
    with interrupted_at_safe_points(), pytest.raises(KeyboardInterrupt):
        library("sqlalchemy_other")(press, done)
    monkeypatch.setattr(interrupts, "LONGEST_DELAY", 0.0)
    with interrupted_at_safe_points(), pytest.raises(KeyboardInterrupt):
        library("sqlalchemy.pool.base")(press, done)
    assert not done


def test_what_ended_in_time_is_not_interrupted_afterwards():
    done = []
    with interrupted_at_safe_points():
        library("sqlalchemy.pool.base")(press, done)
    time.sleep(4 * interrupts.AGAIN_AFTER)
    assert done == ["given back"]


def test_ctrl_c_is_handled_as_before_afterwards_and_stays_ignored_where_it_was():
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    with interrupted_at_safe_points():
        assert signal.getsignal(signal.SIGINT) is not signal.default_int_handler
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with interrupted_at_safe_points():
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN

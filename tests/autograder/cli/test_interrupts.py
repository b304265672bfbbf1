"""An interruption that Python would drop ends the command all the same."""

import sys
import time

import pytest

from autograder.cli.interrupts import dropped_ones_come_again


class Interrupted:
    """Is interrupted while it is taken away, where no exception can be caught."""

    def __init__(self, error):
        self.error = error

    def __del__(self):
        raise self.error


def test_an_interruption_that_is_dropped_comes_again():
    with dropped_ones_come_again(), pytest.raises(KeyboardInterrupt):
        Interrupted(KeyboardInterrupt)
        for _ in range(600):
            time.sleep(0.1)
        pytest.fail("it did not come")


def test_other_errors_that_are_dropped_are_shown_as_before(monkeypatch):
    shown = []
    monkeypatch.setattr(sys, "unraisablehook", lambda dropped: shown.append(dropped.exc_type))
    before = sys.unraisablehook
    with dropped_ones_come_again():
        Interrupted(ValueError)
    assert shown == [ValueError] and sys.unraisablehook is before

"""The seconds of a submission, with a clock that goes as the test says."""

from types import SimpleNamespace

import pytest

from autograder.errors import TimeUsedUp, WorkerDied, WorkerTimeout
from autograder.judge import budget as module
from autograder.judge.budget import PATIENCE, TimeBudget


class Clock:
    now = 1000.0

    def monotonic(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=clock.monotonic))
    return clock


def test_an_exchange_ends_with_its_own_seconds_or_with_the_last_of_all(clock):
    budget = TimeBudget(left=10.0, load_left=5.0)
    with budget.exchange(4.0) as deadline:
        assert budget.by_monotonic(deadline) == 1004.0
        clock.now += 3.0
    assert budget.left == 7.0
    with budget.exchange(60.0) as deadline:
        assert deadline == 1010.0


def test_an_exchange_within_another_is_not_counted_twice(clock):
    budget = TimeBudget(left=10.0, load_left=5.0)
    with budget.exchange():
        clock.now += 1.0
        with budget.exchange(60.0) as deadline:
            assert deadline == 1061.0
            clock.now += 2.0
    assert budget.left == 7.0


def test_a_timeout_with_which_all_is_gone_says_so(clock):
    budget = TimeBudget(left=10.0, load_left=5.0)
    with pytest.raises(WorkerTimeout) as first, budget.exchange(4.0):
        clock.now += 4.0
        raise WorkerTimeout("no answer in time")
    assert not isinstance(first.value, TimeUsedUp) and budget.left == 6.0
    with pytest.raises(TimeUsedUp), budget.exchange():
        clock.now += 6.0
        raise WorkerTimeout("no answer in time")
    assert budget.left == 0.0 and budget.is_used_up


def test_a_worker_that_dies_costs_what_was_waited_for_it(clock):
    budget = TimeBudget(left=10.0, load_left=5.0)
    with pytest.raises(WorkerDied), budget.exchange():
        clock.now += 2.0
        raise WorkerDied("exit code 1")
    assert budget.left == 8.0


def test_what_a_worker_waits_for_a_processor_is_taken_from_nothing(clock):
    budget = TimeBudget(left=10.0, load_left=5.0)
    budget.allow(3.0)
    with budget.loading() as left, budget.exchange() as deadline:
        assert (left, budget.by_monotonic(deadline)) == (5.0, 1003.0)
        clock.now += 8.0
        budget.put_off += 7.0
        assert budget.by_monotonic(deadline) == 1010.0
    assert (budget.left, budget.load_left) == (9.0, 4.0)
    assert budget.patience == PATIENCE * 10.0 - 7.0


def test_only_calls_cost_the_present_check(clock):
    budget = TimeBudget(left=100.0, load_left=5.0)
    budget.allow(3.0)
    clock.now += 20.0  # the judge computes what is expected
    with budget.call():
        with budget.not_of_the_check():
            clock.now += 30.0  # a new worker is started
        assert budget.deadline == clock.now + 3.0
        clock.now += 1.0
    clock.now += 40.0
    with budget.call(), budget.exchange() as deadline:
        assert deadline == clock.now + 2.0


def test_imports_are_given_back_and_the_end_of_a_worker_is_counted(clock):
    budget = TimeBudget(left=10.0, load_left=5.0)
    with budget.free(), budget.exchange(60.0):
        clock.now += 9.0
    assert budget.left == 10.0
    with budget.ending():
        clock.now += 1.0
    assert budget.left == 9.0
    with pytest.raises(WorkerDied), budget.free(), budget.exchange(60.0):
        clock.now += 4.0
        raise WorkerDied("exit code 1")
    assert budget.left == 5.0

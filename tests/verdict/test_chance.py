"""Bounds of statistical checks hold exactly: few false alarms, and wrong versions are caught."""

import numpy as np
import pytest
from scipy.stats import binom, kstwo

from verdict.chance import binomial_bounds, dkw_bound, draws_needed

CHANCES = (0.0, 1e-4, 0.03, 0.3, 0.5, 0.97, 0.9999, 1.0)


@pytest.mark.parametrize("n", [1, 2, 7, 100, 4_001, 200_000])
@pytest.mark.parametrize("false_alarm", [1e-8, 1e-6, 0.05])
def test_a_count_lies_outside_as_seldom_as_is_said_and_no_tighter_bound_does(n, false_alarm):
    for chance in CHANCES:
        low, high = binomial_bounds(n, chance, false_alarm)
        assert binom.cdf(low - 1, n, chance) <= false_alarm / 2
        assert binom.sf(high, n, chance) <= false_alarm / 2
        assert binom.cdf(low, n, chance) > false_alarm / 2 * (1 - 1e-5)
        assert binom.sf(high - 1, n, chance) > false_alarm / 2 * (1 - 1e-5)


@pytest.mark.parametrize("n", [10, 1_000, 20_000])
def test_a_distribution_lies_farther_off_as_seldom_as_is_said(n):
    # the exact distribution of the distance, of Kolmogorov
    for false_alarm in (1e-8, 1e-6, 1e-3):
        assert kstwo.sf(dkw_bound(n, false_alarm), n) <= false_alarm


@pytest.mark.parametrize(("right", "wrong"), [(0.3, 0.35), (0.5, 0.4), (0.0, 0.01), (0.9, 1.0)])
def test_so_many_draws_tell_a_wrong_chance_from_the_right_one(right, wrong):
    n = draws_needed(right, wrong)
    low, high = binomial_bounds(n, right)
    escapes = binom.cdf(high, n, wrong) - binom.cdf(low - 1, n, wrong)
    assert escapes <= 0.001 + 1e-9


def test_what_cannot_be_told_apart_is_said():
    with pytest.raises(ValueError, match="do not tell 0.5 from 0.5"):
        draws_needed(0.5, 0.5)


@pytest.mark.parametrize(
    ("n", "chance", "alarm"),
    [(0, 0.5, 0.1), (5, -0.1, 0.1), (5, 1.1, 0.1), (5, 0.5, 0.0), (5, np.nan, 0.1)],
)
def test_numbers_that_cannot_be_are_refused(n, chance, alarm):
    with pytest.raises(ValueError, match="expected 0 < n"):
        binomial_bounds(n, chance, alarm)
    with pytest.raises(ValueError, match="expected n > 0"):
        dkw_bound(0, 0.1)

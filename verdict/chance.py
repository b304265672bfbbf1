"""Bounds for checks on what is random: exact, so that their rate of false alarms is known.

A right function that draws random numbers must not be failed. The bounds here hold for every
number of draws, not only for many: of the binomial distribution the tail itself is summed, and for
a whole distribution the inequality of Dvoretzky, Kiefer and Wolfowitz is taken, with the constant
of Massart (Annals of Probability 18, 1990).
"""

from __future__ import annotations

import math

FALSE_ALARMS = 1e-6  # of a whole hand-in, at most
FALSE_ALARM = 1e-8  # of one comparison, where nothing else is said: a hundred of them fit in
MOST_DRAWS = 10_000_000


def binomial_bounds(n: int, chance: float, false_alarm: float = FALSE_ALARM) -> tuple[int, int]:
    """Smallest and largest count of events that are taken for right.

    Parameters
    ----------
    n : independent draws
    chance : of the event in each of them, from 0 to 1
    false_alarm : largest probability that a right function's count lies outside

    Returns
    -------
    (low, high) : with P(count < low) + P(count > high) <= ``false_alarm``

    Raises
    ------
    ValueError : a number that cannot be

    >>> binomial_bounds(10_000, 0.3, 1e-8)
    (2740, 3265)
    """
    if not 0 < n <= MOST_DRAWS or not 0 <= chance <= 1 or not 0 < false_alarm < 1:
        raise ValueError(
            f"binomial_bounds: expected 0 < n <= {MOST_DRAWS:,}, 0 <= chance <= 1 and 0 < "
            f"false_alarm < 1, got {n}, {chance} and {false_alarm}"
        )
    below = _tail(n, chance, false_alarm / 2)
    return below, n - _tail(n, 1 - chance, false_alarm / 2)


def _tail(n: int, chance: float, most: float) -> int:
    """Smallest count k with P(count < k) <= most < P(count <= k)."""
    if chance in (0.0, 1.0):
        return 0 if chance == 0.0 else n
    there, not_there = math.log(chance), math.log1p(-chance)
    # Terms far below the bound do not matter; the first that may is found by halving, as they grow
    # up to the mean.
    low, high = 0, int(n * chance)
    while low < high:
        middle = (low + high) // 2
        if _log_term(n, middle, there, not_there) < math.log(most / n) - 50:
            low = middle + 1
        else:
            high = middle
    total = 0.0
    for k in range(low, n + 1):
        total += math.exp(_log_term(n, k, there, not_there))
        # rounding of the logarithms, in the direction that fails nobody
        if total > most * (1 - 1e-6):
            return k
    return n


def _log_term(n: int, k: int, there: float, not_there: float) -> float:
    """Logarithm of the probability of k events."""
    ways = math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
    return ways + k * there + (n - k) * not_there


def dkw_bound(n: int, false_alarm: float = FALSE_ALARM) -> float:
    """Largest distance between the distribution of n independent draws and the right one that is
    taken for chance.

    Parameters
    ----------
    n : independent draws, of a continuous distribution or any other
    false_alarm : largest probability that a right function's draws lie farther away

    >>> round(dkw_bound(20_000, 1e-8), 4)
    0.0219
    """
    if n <= 0 or not 0 < false_alarm < 1:
        raise ValueError(
            f"dkw_bound: expected n > 0 and 0 < false_alarm < 1, got {n} and {false_alarm}"
        )
    return math.sqrt(math.log(2 / false_alarm) / (2 * n))


def draws_needed(
    right: float, wrong: float, false_alarm: float = FALSE_ALARM, caught: float = 0.999
) -> int:
    """How many draws tell a wrong chance from the right one; to choose the size of a case.

    Parameters
    ----------
    right, wrong : chance of the event in a right and in a wrong version
    false_alarm : largest probability that a right version is failed
    caught : smallest probability that the wrong one is; 0.999 leaves room beside 99 of 100

    Raises
    ------
    ValueError : they cannot be told apart with `MOST_DRAWS` draws

    >>> draws_needed(0.3, 0.35) < 10_000
    True
    """
    n = 16
    while n <= MOST_DRAWS:
        low, high = binomial_bounds(n, right, false_alarm)
        # A wrong version escapes only between the bounds: not where its own count lies outside.
        own_low, own_high = binomial_bounds(n, wrong, 2 * (1 - caught))
        if own_low > high or own_high < low:
            return n
        n = n * 5 // 4
    raise ValueError(
        f"draws_needed: {MOST_DRAWS:,} draws do not tell {wrong} from {right}; look for another "
        "event, in which the two versions differ more"
    )

"""Schedules of the learning rate, as pure functions: the number of the step goes in, the rate for
that step comes out.

    step_decay    falls by a factor every so many steps
    cosine        falls along half a cosine
    warm_up       rises from nearly nothing; multiplies whatever stands behind it
    plateau       falls where the loss has stopped falling; the only one that remembers something

A step is whatever is counted: updates or epochs. The first one is 0.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from lstm_ref.errors import ArgumentError, NotFiniteError


class PlateauState(NamedTuple):
    """What `plateau` remembers from one look to the next; ``lr`` is the rate to train with."""

    lr: float
    best: float = math.inf  # the smallest loss so far
    bad: int = 0  # looks in a row that brought no better one


def step_decay(t: int, lr: float, every: int, factor: float = 0.1) -> float:
    """The rate, multiplied by ``factor`` once every ``every`` steps.

    Parameters
    ----------
    t : number of the step, from 0
    lr : rate at the start, above 0
    every : steps between two falls, at least 1
    factor : above 0

    Returns
    -------
    lr : float

    Raises
    ------
    ArgumentError : an argument that does not fit, by name

    Examples
    --------
    >>> [step_decay(t, lr=1.0, every=2, factor=0.5) for t in range(5)]
    [1.0, 1.0, 0.5, 0.5, 0.25]
    """
    _check_counts("step_decay", t=(t, 0), every=(every, 1))
    _check_positive("step_decay", lr=lr, factor=factor)
    return float(lr) * float(factor) ** (t // every)


def cosine(t: int, lr: float, steps: int, lowest: float = 0.0) -> float:
    """From lr to ``lowest`` along half a cosine: slowly at first, fastest in the middle, slowly at
    the end.

    Parameters
    ----------
    t : number of the step, from 0
    lr : rate at the start, above 0
    steps : steps until ``lowest`` is reached, at least 1; it stays there
    lowest : at least 0

    Returns
    -------
    lr : float

    Raises
    ------
    ArgumentError : an argument that does not fit, by name

    Notes
    -----
    Source: Loshchilov and Hutter (2017), who start again several times.

    Examples
    --------
    >>> [round(cosine(t, lr=1.0, steps=4), 3) for t in range(6)]
    [1.0, 0.854, 0.5, 0.146, 0.0, 0.0]
    """
    _check_counts("cosine", t=(t, 0), steps=(steps, 1))
    _check_positive("cosine", lr=lr)
    if not 0 <= lowest < math.inf:
        raise ArgumentError(f"cosine: lowest must be a number of at least 0, got {lowest}")
    fraction = min(t, steps) / steps
    return float(lowest) + (float(lr) - float(lowest)) * 0.5 * (1 + math.cos(math.pi * fraction))


def warm_up(t: int, lr: float, steps: int) -> float:
    """The share (t + 1) / steps of the rate for the first steps, then all of it.

    Adam's means are drawn from few gradients at first, and a network that has learnt nothing has
    large ones.

    Parameters
    ----------
    t : number of the step, from 0
    lr : rate to reach, above 0: a number, or what another schedule says of this step
    steps : steps until it is reached, at least 0

    Returns
    -------
    lr : float

    Raises
    ------
    ArgumentError : an argument that does not fit, by name

    Examples
    --------
    >>> [round(warm_up(t, lr=1.0, steps=4), 3) for t in range(6)]
    [0.25, 0.5, 0.75, 1.0, 1.0, 1.0]
    >>> [
    ...     round(warm_up(t, cosine(t, lr=1.0, steps=6), steps=2), 3) for t in range(6)
    ... ]  # first up, then down
    [0.5, 0.933, 0.75, 0.5, 0.25, 0.067]
    """
    _check_counts("warm_up", t=(t, 0), steps=(steps, 0))
    if not 0 <= lr < math.inf:  # another schedule may have come to 0
        raise ArgumentError(f"warm_up: lr must be a number of at least 0, got {lr}")
    return float(lr) * min(1.0, (t + 1) / steps) if steps else float(lr)


def plateau(
    state: PlateauState,
    loss: float,
    *,
    factor: float = 0.1,
    patience: int = 10,
    threshold: float = 1e-4,
    lowest: float = 0.0,
) -> PlateauState:
    """Look at the newest loss; where more than ``patience`` looks in a row were not better,
    multiply the rate by ``factor``.

    Parameters
    ----------
    state : ``PlateauState(lr)``, or what the look before gave
    loss : mostly that of the validation, once an epoch
    factor : above 0 and below 1
    patience : looks without a better loss that are borne, at least 0
    threshold : a loss counts as better where it is below the best one by more than this share of
        it, at least 0
    lowest : the rate does not fall below this, at least 0

    Returns
    -------
    state : PlateauState; ``state.lr`` is the rate to go on with

    Raises
    ------
    ArgumentError, NotFiniteError : an argument that does not fit, by name

    Examples
    --------
    >>> state = PlateauState(lr=1.0)
    >>> for loss in (3.0, 2.0, 2.5, 2.1):
    ...     state = plateau(state, loss, factor=0.5, patience=1)
    >>> state
    PlateauState(lr=0.5, best=2.0, bad=0)
    """
    _check_counts("plateau", patience=(patience, 0))
    _check_positive("plateau", **{"state.lr": state.lr})
    if not 0 < factor < 1:
        raise ArgumentError(f"plateau: factor must be above 0 and below 1, got {factor}")
    for name, number in (("threshold", threshold), ("lowest", lowest)):
        if not 0 <= number < math.inf:
            raise ArgumentError(f"plateau: {name} must be a number of at least 0, got {number}")
    if not math.isfinite(loss):
        raise NotFiniteError(
            f"plateau: loss must be finite, got {loss}; look at the step that made it"
        )
    lr, best, bad = state
    if best == math.inf or loss < best - threshold * abs(best):
        return PlateauState(lr, float(loss), 0)
    if bad + 1 > patience:
        return PlateauState(max(lr * float(factor), float(lowest)), best, 0)
    return PlateauState(lr, best, bad + 1)


def _check_counts(operation: str, **counts: tuple[int, int]) -> None:
    for name, (count, least) in counts.items():
        if isinstance(count, bool) or not hasattr(count, "__index__") or count < least:
            raise ArgumentError(
                f"{operation}: {name} must be an integer of at least {least}, got {count!r}"
            )


def _check_positive(operation: str, **numbers: float) -> None:
    for name, number in numbers.items():
        if not 0 < number < math.inf:
            raise ArgumentError(f"{operation}: {name} must be a number above 0, got {number}")

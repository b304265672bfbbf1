"""From a series to windows that a model reads: close gaps, take differences, scale, cut. In this
order, and split first.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from lstm_ref.errors import ArgumentError, Array, NotFiniteError, ShapeError, check_floats


def fill_forward(values: Array) -> Array:
    """Gaps closed with the last number before them.

    The mistake that this prevents: a straight line drawn across the gap. It ends at the number
    after the gap, so that inside the gap the series already knows where it will go.

    Parameters
    ----------
    values : (L, D), NaN in the gaps

    Returns
    -------
    filled : (L, D), a copy

    Raises
    ------
    ShapeError : not (L, D)
    ArgumentError : a column that begins with a gap, for there is nothing before it

    Examples
    --------
    >>> fill_forward(np.array([[1.0], [np.nan], [np.nan], [4.0]])).T
    array([[1., 1., 1., 4.]])
    """
    _check_series("fill_forward", values)
    gap = np.isnan(values)
    if gap[0].any():
        raise ArgumentError(
            f"fill_forward: column {int(gap[0].argmax())} begins with a gap of {_leading(gap)} "
            "steps, with nothing before it; leave those steps out"
        )
    steps = np.arange(len(values))[:, np.newaxis]
    last = np.maximum.accumulate(np.where(gap, 0, steps), axis=0)
    return np.take_along_axis(values, last, axis=0)


def difference(values: Array, lag: int = 1) -> Array:
    """Change against ``lag`` steps before. A trend becomes a level, with lag 1; a season goes, with
    lag its period.

    The mistake that this prevents: a model that is asked for levels it never saw. It cannot go on
    with a trend, for its outputs stay where they were trained.

    Parameters
    ----------
    values : (L, D)
    lag : steps

    Returns
    -------
    changes : (L - lag, D); ``changes[k] = values[k + lag] - values[k]``

    Raises
    ------
    ShapeError, ArgumentError : not (L, D), or a lag that is not in 1 ... L - 1

    Examples
    --------
    >>> difference(np.array([[1.0], [3.0], [6.0]])).T
    array([[2., 3.]])
    """
    _check_series("difference", values)
    if not 1 <= lag < len(values):
        raise ArgumentError(
            f"difference: lag must be in 1 ... {len(values) - 1} for {len(values)} steps, got {lag}"
        )
    changes: Array = values[lag:] - values[:-lag]
    return changes


def undifference(changes: Array, before: Array) -> Array:
    """Levels again, out of changes and the ``lag`` levels before the first of them: the inverse of
    `difference`.

    It also turns forecast changes into forecast levels: ``before`` are then the last levels that
    are known.

    Parameters
    ----------
    changes : (L, D)
    before : (lag, D), the levels before; its length says what the lag is

    Returns
    -------
    values : (L, D), those that come after ``before``

    Raises
    ------
    ShapeError, DTypeError, NotFiniteError : an argument that does not fit, by name

    Examples
    --------
    >>> values = np.array([[1.0], [3.0], [6.0], [10.0]])
    >>> undifference(difference(values), before=values[:1]).T
    array([[ 3.,  6., 10.]])
    """
    check_floats("undifference", {"changes": changes, "before": before})
    if (
        changes.ndim != 2
        or before.ndim != 2
        or changes.shape[1] != before.shape[1]
        or 0 in before.shape
    ):
        raise ShapeError(
            "undifference: changes must be (L, D) and before (lag, D) with lag at least 1, got "
            f"{changes.shape} and {before.shape}"
        )
    lag = len(before)
    levels = np.concatenate([before, changes])
    for phase in range(min(lag, len(changes))):  # every lag-th step is a sum of its own
        levels[phase::lag] = np.cumsum(levels[phase::lag], axis=0)
    return levels[lag:]


class Scaler(NamedTuple):
    """Mean 0 and standard deviation 1, as the training part has them. Made by `fit_scaler`."""

    mean: Array  # (D,)
    deviation: Array  # (D,)

    def apply(self, values: Array) -> Array:
        """Standardised copy of values (..., D), of their dtype."""
        self._check("apply", values)
        scaled: Array = ((values - self.mean) / self.deviation).astype(values.dtype)
        return scaled

    def invert(self, scaled: Array) -> Array:
        """Back in the units of the data: the inverse of `apply`. Errors are to be told in these
        units.
        """
        self._check("invert", scaled)
        values: Array = (scaled * self.deviation + self.mean).astype(scaled.dtype)
        return values

    def _check(self, operation: str, given: Array) -> None:
        check_floats(operation, {"values": given})
        # Without this, one mean would be taken from every column.
        if given.ndim < 1 or given.shape[-1] != len(self.mean):
            raise ShapeError(
                f"{operation}: the last axis must be D = {len(self.mean)}, as in training, got "
                f"shape {given.shape}"
            )


def fit_scaler(train: Array) -> Scaler:
    """Mean and standard deviation of each column of the training part.

    The mistake that this prevents: a scale from the whole series. It tells the model where the
    future lies: with a trend, training numbers that are all below the mean say that it will go up.

    Parameters
    ----------
    train : (L, D), the training part alone

    Returns
    -------
    Scaler : a column that never changes keeps its scale, so that nothing is divided by zero

    Raises
    ------
    ShapeError, NotFiniteError : not (L, D), or a gap in it (`fill_forward`)

    Examples
    --------
    >>> scaler = fit_scaler(np.array([[1.0], [3.0]]))
    >>> scaler.apply(np.array([[5.0]])), scaler.invert(np.array([[3.0]]))
    (array([[3.]]), array([[5.]]))
    """
    _check_series("fit_scaler", train)
    _check_whole("fit_scaler", train)
    wide = train.astype(np.float64)  # float32 would lose digits in the mean of a long series
    deviation = wide.std(axis=0)
    # A constant column is not exactly so in floating point: its deviation is rounding of its mean.
    constant = deviation <= 1e-12 * np.abs(wide).max(axis=0)
    return Scaler(wide.mean(axis=0), np.where(constant, 1.0, deviation))


class Windows(NamedTuple):
    """Inputs x (M, T, D) and what comes after each, y (M, horizon, D)."""

    x: Array
    y: Array


def windows(values: Array, T: int, horizon: int = 1, stride: int = 1) -> Windows:
    """Every stretch of T steps, and the ``horizon`` steps that come after it.

    Cut each part of the split on its own. The mistake that this prevents: windows cut first and
    split afterwards. Windows overlap, so those around the cut lie in both parts.

    Parameters
    ----------
    values : (L, D), one part of the series, in the order of time
    T : steps that the model reads
    horizon : steps that it shall tell
    stride : steps from the start of a window to that of the next

    Returns
    -------
    Windows : x (M, T, D) and y (M, horizon, D), copies, with M = 1 + (L - T - horizon) // stride

    Raises
    ------
    ShapeError, NotFiniteError : not (L, D), or a gap in it (`fill_forward`)
    ArgumentError : sizes below 1, or a series that is too short for one window

    Examples
    --------
    >>> x, y = windows(np.arange(6.0).reshape(6, 1), T=3, horizon=2)
    >>> x[:, :, 0], y[:, :, 0]
    (array([[0., 1., 2.],
           [1., 2., 3.]]), array([[3., 4.],
           [4., 5.]]))
    """
    _check_series("windows", values)
    _check_whole("windows", values)
    if min(T, horizon, stride) < 1:
        raise ArgumentError(
            f"windows: T, horizon and stride must be 1 or more, got T={T}, horizon={horizon}, "
            f"stride={stride}"
        )
    if len(values) < T + horizon:
        raise ArgumentError(
            f"windows: T={T} steps and a horizon of {horizon} need {T + horizon} steps, got "
            f"{len(values)}; make T or the horizon smaller, or this part of the split larger"
        )
    cut = np.lib.stride_tricks.sliding_window_view(values, T + horizon, axis=0)[::stride].swapaxes(
        1, 2
    )
    return Windows(cut[:, :T].copy(), cut[:, T:].copy())


def _check_series(operation: str, values: Array) -> None:
    if (
        not isinstance(values, np.ndarray)
        or values.ndim != 2
        or 0 in values.shape
        or values.dtype.kind != "f"
    ):
        told = (
            f"{values.dtype} {values.shape}"
            if isinstance(values, np.ndarray)
            else type(values).__name__
        )
        advice = (
            "; use values[:, np.newaxis]"
            if isinstance(values, np.ndarray) and values.ndim == 1
            else ""
        )
        raise ShapeError(
            f"{operation}: the series must be an array (L, D) of floats, not empty, got "
            f"{told}{advice}"
        )


def _check_whole(operation: str, values: Array) -> None:
    if not np.isfinite(values).all():
        step, column = (int(k) for k in np.argwhere(~np.isfinite(values))[0])
        raise NotFiniteError(
            f"{operation}: the series must be finite, got {values[step, column]} at step {step}, "
            f"column {column}; close gaps with fill_forward"
        )


def _leading(gap: Array) -> int:
    """Length of the gap that the first column with one begins with."""
    column = gap[:, int(gap[0].argmax())]
    return len(column) if column.all() else int((~column).argmax())

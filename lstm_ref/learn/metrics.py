"""What is told about models of sequences, and is not in scikit-learn.

    perplexity, bits_per_character   how surprised a model is, by token
    masked_accuracy                  share of right tokens, without padding
    edit_distance, error_rate        insertions, deletions, substitutions
    word_error_rate, character_error_rate
    persistence, seasonal_naive      forecasts that every model has to beat
    skill                            how much better than one of them
    error_by_horizon, error_by_length

Accuracy, precision, recall, F1, ROC curves and confusion matrices over labels come from
`sklearn.metrics`. A mask (N, T) says which time steps hold data: True for a valid step.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lstm_ref.errors import ArgumentError, Array, DTypeError, ShapeError, check_floats

Measure = Literal["mae", "rmse"]


def perplexity(nll: Array, mask: Array | None = None) -> float:
    """Exponential of the total negative log-likelihood over the number of true tokens.

    A model that finds V tokens equally likely has perplexity V. Not the mean of the perplexities of
    batches or sentences: the exponential would let the worst ones count most, and short ones as
    much as long ones.

    Parameters
    ----------
    nll : (...), -ln p of each right token, 0 or more
    mask : (...), True at valid steps; None means that all are

    Raises
    ------
    ShapeError, DTypeError, NotFiniteError, ArgumentError : an argument that does not fit, by name

    Examples
    --------
    >>> round(perplexity(np.log(np.array([[2.0, 8.0, 1.0]])), np.array([[True, True, False]])), 12)
    4.0
    """
    with np.errstate(over="ignore"):  # a hopeless model has perplexity inf
        return float(np.exp(_mean_nll("perplexity", nll, mask)))


def bits_per_character(nll: Array, mask: Array | None = None) -> float:
    """Mean negative log-likelihood in bits: how many a perfect coder with this model would spend on
    a character.

    Parameters
    ----------
    nll : (...), -ln p of each right character, 0 or more
    mask : (...), True at valid steps; None means that all are

    Raises
    ------
    ShapeError, DTypeError, NotFiniteError, ArgumentError : an argument that does not fit, by name

    Examples
    --------
    >>> bits_per_character(np.log(np.array([2.0, 8.0])))
    2.0
    """
    return float(_mean_nll("bits_per_character", nll, mask) / np.log(2))


def masked_accuracy(predicted: Array, targets: Array, mask: Array | None = None) -> float:
    """Share of the valid steps at which the prediction is the target. Padding counts neither as
    right nor as wrong.

    Parameters
    ----------
    predicted, targets : (...), integers
    mask : (...), True at valid steps; None means that all are

    Raises
    ------
    ShapeError, DTypeError, ArgumentError : an argument that does not fit, by name

    Examples
    --------
    >>> masked_accuracy(
    ...     np.array([[1, 2, 0]]), np.array([[1, 1, 0]]), np.array([[True, True, False]])
    ... )
    0.5
    """
    for name, array in (("predicted", predicted), ("targets", targets)):
        if not isinstance(array, np.ndarray) or array.dtype.kind not in "iu":
            kind = array.dtype if isinstance(array, np.ndarray) else type(array).__name__
            raise DTypeError(
                f"masked_accuracy: {name} must be an array of integers, got {kind}; of scores, "
                "take argmax(axis=-1)"
            )
    _check_shape("masked_accuracy", "targets", targets, "predicted", predicted)
    return float((predicted == targets)[_valid("masked_accuracy", mask, predicted)].mean())


def edit_distance(a: Sequence[Hashable], b: Sequence[Hashable]) -> int:
    """Fewest insertions, deletions and substitutions that turn a into b (Levenshtein), each counted
    as 1.

    Row k of the table holds the distances from the first k items of a to all beginnings of b. A row
    needs only the one before.

    Parameters
    ----------
    a, b : strings, or lists of words or ids

    Examples
    --------
    >>> edit_distance("kitten", "sitting"), edit_distance("the cat sat".split(), "the cat".split())
    (3, 1)
    """
    row = list(range(len(b) + 1))
    for k, left in enumerate(a, 1):
        corner, row[0] = row[0], k
        for j, right in enumerate(b, 1):
            corner, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, corner + (left != right))
    return row[-1]


def error_rate(
    references: Sequence[Sequence[Hashable]], hypotheses: Sequence[Sequence[Hashable]]
) -> float:
    """Edits over all pairs, for each item of the references. It can be above 1, when hypotheses are
    too long.

    Total over total, as with perplexity: not the mean of the rates of single pairs. And the length
    of the reference below the line, not that of the hypothesis or of the longer one: else a system
    could lower its rate by talking more.

    Parameters
    ----------
    references, hypotheses : as many of each; a string counts by characters, a list of words by
        words

    Raises
    ------
    ArgumentError : not as many of each, or references without a single item

    Examples
    --------
    >>> error_rate([["a", "b", "c"], ["d"]], [["a", "c"], ["d", "d"]])
    0.5
    """
    return _error_rate("error_rate", references, hypotheses)


def word_error_rate(references: Sequence[str], hypotheses: Sequence[str]) -> float:
    """`error_rate` by words, which white space keeps apart. Case and punctuation count as they
    stand.

    Parameters
    ----------
    references, hypotheses : what was said, and what was understood, in the same order

    Raises
    ------
    ArgumentError : not as many of each, or references without a word

    Examples
    --------
    >>> word_error_rate(["the cat sat down"], ["the hat sat"])
    0.5
    """
    _check_strings("word_error_rate", references, hypotheses)
    return _error_rate(
        "word_error_rate", [r.split() for r in references], [h.split() for h in hypotheses]
    )


def character_error_rate(references: Sequence[str], hypotheses: Sequence[str]) -> float:
    """`error_rate` by characters, spaces included.

    Parameters
    ----------
    references, hypotheses : what was said, and what was understood, in the same order

    Raises
    ------
    ArgumentError : not as many of each, or references without a character

    Examples
    --------
    >>> character_error_rate(["four", "nine"], ["for", "nine"])
    0.125
    """
    _check_strings("character_error_rate", references, hypotheses)
    return _error_rate("character_error_rate", references, hypotheses)


def persistence(x: Array, horizon: int) -> Array:
    """Forecast that nothing changes: the last step that was read, ``horizon`` times.

    Parameters
    ----------
    x : (M, T, D), windows
    horizon : steps to tell

    Returns
    -------
    forecast : (M, horizon, D)

    Raises
    ------
    ShapeError, ArgumentError : an argument that does not fit, by name

    Examples
    --------
    >>> persistence(np.array([[[1.0], [2.0]]]), horizon=3)[0].T
    array([[2., 2., 2.]])
    """
    return _repeat("persistence", x, horizon, 1)


def seasonal_naive(x: Array, horizon: int, period: int) -> Array:
    """Forecast that it will be as one season before. Beyond one season, the last one is repeated.

    Parameters
    ----------
    x : (M, T, D), windows with T at least the period
    horizon : steps to tell
    period : steps of a season

    Returns
    -------
    forecast : (M, horizon, D)

    Raises
    ------
    ShapeError, ArgumentError : an argument that does not fit, by name

    Examples
    --------
    >>> seasonal_naive(np.array([[[9.0], [1.0], [2.0]]]), horizon=3, period=2)[0].T
    array([[1., 2., 1.]])
    """
    return _repeat("seasonal_naive", x, horizon, period)


def skill(y: Array, forecast: Array, baseline: Array, measure: Measure = "rmse") -> float:
    """1 - error of the forecast / error of the baseline: 1 is perfect, 0 no better than the
    baseline, below 0 worse.

    An error alone says little: on a smooth series, persistence has a small one, too.

    Parameters
    ----------
    y, forecast, baseline : of one shape, in the units of the data
    measure : "rmse", root of the mean squared error, or "mae", mean absolute error

    Raises
    ------
    ShapeError, DTypeError, NotFiniteError, ArgumentError : an argument that does not fit, by name,
        or a baseline without error

    Examples
    --------
    >>> skill(
    ...     np.array([1.0, 2.0]),
    ...     forecast=np.array([1.0, 2.5]),
    ...     baseline=np.array([0.0, 1.0]),
    ...     measure="mae",
    ... )
    0.75
    """
    check_floats("skill", {"y": y, "forecast": forecast, "baseline": baseline})
    _check_shape("skill", "forecast", forecast, "y", y)
    _check_shape("skill", "baseline", baseline, "y", y)
    of_baseline = float(_error("skill", y - baseline, measure, None))
    if of_baseline == 0:
        raise ArgumentError(
            "skill: the baseline has no error, so nothing can be better; is it the target itself?"
        )
    return 1 - float(_error("skill", y - forecast, measure, None)) / of_baseline


def error_by_horizon(y: Array, forecast: Array, measure: Measure = "rmse") -> Array:
    """Error of each step ahead. One number over all steps hides that the first ones are easy.

    Parameters
    ----------
    y, forecast : (M, horizon, D)
    measure : "rmse" or "mae"

    Returns
    -------
    errors : (horizon,)

    Raises
    ------
    ShapeError, DTypeError, NotFiniteError, ArgumentError : an argument that does not fit, by name

    Examples
    --------
    >>> error_by_horizon(np.zeros((1, 2, 1)), np.array([[[1.0], [3.0]]]))
    array([1., 3.])
    """
    check_floats("error_by_horizon", {"y": y, "forecast": forecast})
    if y.ndim != 3:
        raise ShapeError(f"error_by_horizon: y must be (M, horizon, D), got {y.shape}")
    _check_shape("error_by_horizon", "forecast", forecast, "y", y)
    return np.asarray(_error("error_by_horizon", y - forecast, measure, (0, 2)))


class ByLength(NamedTuple):
    """Means by length: ``means[k]`` over the ``counts[k]`` sequences with
    ``edges[k] <= length < edges[k + 1]``.

    The mean over none is NaN.
    """

    edges: NDArray[np.int64]  # (K + 1,)
    means: NDArray[np.float64]  # (K,)
    counts: NDArray[np.int64]  # (K,)


def error_by_length(errors: Array, lengths: Array, edges: Sequence[int]) -> ByLength:
    """Mean error of the sequences of each range of lengths. A model that forgets is good on short
    ones only.

    Any whole number can stand for the length: the lag between what has to be remembered and when it
    is asked for, or the number of clauses.

    Parameters
    ----------
    errors : (n,), one number for each sequence: 0 or 1 for right or wrong, or a loss
    lengths : (n,), integers
    edges : K + 1 increasing integers, the ranges' lower ends and the end of the last; all lengths
        must lie inside

    Raises
    ------
    ShapeError, NotFiniteError, ArgumentError : an argument that does not fit, by name

    Examples
    --------
    >>> error_by_length(np.array([0.0, 1.0, 1.0]), np.array([2, 9, 3]), edges=[1, 5, 10])
    ByLength(edges=array([ 1,  5, 10]), means=array([0.5, 1. ]), counts=array([2, 1]))
    """
    errors, lengths, limits = np.asarray(errors, np.float64), np.asarray(lengths), np.asarray(edges)
    check_floats("error_by_length", {"errors": errors})
    if errors.ndim != 1 or errors.size == 0:
        raise ShapeError(
            f"error_by_length: errors must be (n,) with n at least 1, got {errors.shape}"
        )
    _check_shape("error_by_length", "lengths", lengths, "errors", errors)
    if (
        limits.ndim != 1
        or len(limits) < 2
        or limits.dtype.kind not in "iu"
        or (np.diff(limits) <= 0).any()
    ):
        raise ArgumentError(
            f"error_by_length: edges must be two or more increasing integers, got {list(edges)}"
        )
    if lengths.min() < limits[0] or lengths.max() >= limits[-1]:
        raise ArgumentError(
            f"error_by_length: lengths must lie from {limits[0]} to {limits[-1] - 1}, got "
            f"{lengths.min()} to {lengths.max()}; a range that is left out would hide them"
        )
    which = np.searchsorted(limits, lengths, side="right") - 1
    counts = np.bincount(which, minlength=len(limits) - 1)
    totals = np.bincount(which, weights=errors, minlength=len(limits) - 1)
    means = np.divide(totals, counts, out=np.full(len(counts), np.nan), where=counts > 0)
    return ByLength(limits.astype(np.int64), means, counts)


def _mean_nll(operation: str, nll: Array, mask: Array | None) -> Any:
    check_floats(operation, {"nll": nll})
    valid = _valid(operation, mask, nll)
    if (nll[valid] < 0).any():
        raise ArgumentError(
            f"{operation}: nll must be 0 or more at every valid step, got {nll[valid].min()}; it "
            "is -ln p, not ln p"
        )
    # In float64, for float32 loses digits in a sum over many tokens.
    return nll[valid].mean(dtype=np.float64)


def _valid(operation: str, mask: Array | None, of: Array) -> Array:
    """Return the mask that is meant, checked: boolean, of the right shape, and not empty."""
    if mask is None:
        mask = np.ones(of.shape, bool)
    if not isinstance(mask, np.ndarray) or mask.dtype != bool:
        kind = mask.dtype if isinstance(mask, np.ndarray) else type(mask).__name__
        raise DTypeError(
            f"{operation}: mask must be a boolean array, True at valid steps, got {kind}; use "
            "mask.astype(bool)"
        )
    if mask.shape != of.shape:
        raise ShapeError(f"{operation}: mask must have the shape {of.shape}, got {mask.shape}")
    if not mask.any():
        raise ArgumentError(
            f"{operation}: there is no valid step to take a mean over; look at the mask"
        )
    return mask


def _check_shape(operation: str, name: str, array: Array, other_name: str, other: Array) -> None:
    """Refuse (N, 1) beside (N,): NumPy would compare each number with every other."""
    if array.shape != other.shape:
        raise ShapeError(
            f"{operation}: {name} must have the shape of {other_name}, {other.shape}, got "
            f"{array.shape}; reshape one of them"
        )


def _check_strings(operation: str, *sides: Sequence[str]) -> None:
    if any(isinstance(side, str) for side in sides):
        raise ArgumentError(
            f"{operation}: give lists of sentences, as [reference] and [hypothesis], got a single "
            "string"
        )


def _error_rate(operation: str, references: Sequence[Any], hypotheses: Sequence[Any]) -> float:
    if len(references) != len(hypotheses):
        raise ArgumentError(
            f"{operation}: there must be as many hypotheses as references, got {len(hypotheses)} "
            f"and {len(references)}"
        )
    total = sum(map(len, references))
    if total == 0:
        raise ArgumentError(
            f"{operation}: the references hold no item, so that there is nothing to divide by"
        )
    return sum(edit_distance(r, h) for r, h in zip(references, hypotheses, strict=True)) / total


def _repeat(operation: str, x: Array, horizon: int, period: int) -> Array:
    """The last ``period`` steps again and again, ``horizon`` steps long."""
    if x.ndim != 3 or 0 in x.shape:
        raise ShapeError(
            f"{operation}: x must be (M, T, D) with every size at least 1, got {x.shape}"
        )
    T = x.shape[1]
    if horizon < 1 or not 1 <= period <= T:
        raise ArgumentError(
            f"{operation}: horizon must be 1 or more and period in 1 ... T = {T}, got "
            f"horizon={horizon}, period={period}; windows must hold a whole season"
        )
    return x[:, T - period + np.arange(horizon) % period]


def _error(operation: str, difference: Array, measure: str, axis: tuple[int, ...] | None) -> Any:
    if measure not in ("rmse", "mae"):
        raise ArgumentError(f'{operation}: measure must be "rmse" or "mae", got {measure!r}')
    if measure == "mae":
        return np.abs(difference).mean(axis=axis, dtype=np.float64)
    return np.sqrt((difference**2).mean(axis=axis, dtype=np.float64))

"""Other values for a part of the batch that the program still accepts: real numbers move, tokens
and labels are exchanged.

Padding stays where it is, since many programs find the lengths of their sequences by looking for
it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from lstm_ref.doctor.subject import Array

Index = tuple[Any, ...]


def along(axis: int, place: Any) -> Index:
    """Index of a slice along an axis."""
    return (slice(None),) * axis + (place,)


def movable(array: Array, others: Sequence[Array] = ()) -> bool:
    """Whether a leaf holds data, not lengths, masks or flags.

    Whole numbers on one axis are lengths where another leaf has more axes; zeros and ones on two
    axes are a mask where another leaf has more axes, or other whole numbers at the same places.
    """
    if array.dtype.kind == "b" or array.size == 0:
        return False
    larger = any(other is not array and other.ndim > array.ndim for other in others)
    if array.ndim < 2 and array.dtype.kind in "iu":
        return not larger
    flags = array.ndim <= 2 and bool(np.isin(array, (0, 1)).all())
    return not (flags and (larger or any(_tokens_beside(array, other) for other in others)))


def _tokens_beside(flags: Array, other: Array) -> bool:
    """Whether another leaf holds tokens at the very places of these zeros and ones."""
    tokens = other.dtype.kind in "iu" and other.shape == flags.shape and flags.ndim == 2
    return tokens and not bool(np.isin(other, (0, 1)).all())


def padding_of(array: Array, axis: int = 1) -> Array:
    """True at padding, as far as one sees it: one value that fills the ends, or the beginnings, of
    some examples.

    Parameters
    ----------
    array : tokens (N, T) or features (N, T, ...)
    axis : of time; the examples are on the axis 0 or, if that is time, on 1

    Returns
    -------
    padding : array's shape, of bool
    """
    nothing = np.zeros(array.shape, bool)
    if array.ndim < 2 or array.shape[axis] < 2:
        return nothing
    for end in (-1, 0):
        edge = np.take(array, [end], axis)
        values, counts = np.unique(edge, return_counts=True)
        value = values[counts.argmax()]
        equal = _steps_equal(array, value, axis)
        if _one_run(equal, axis, end) and 0 < equal.mean() < 1:
            return np.broadcast_to(_expand(equal, array.ndim), array.shape).copy()
    return nothing


def _steps_equal(array: Array, value: Any, axis: int) -> Array:
    same = array == value
    return np.asarray(same.all(axis=tuple(range(2, array.ndim))) if array.ndim > 2 else same)


def _expand(steps: Array, ndim: int) -> Array:
    return steps.reshape(steps.shape + (1,) * (ndim - 2))


def _one_run(equal: Array, axis: int, end: int) -> bool:
    """Whether every True stands in a run that reaches the end."""
    steps = np.moveaxis(equal, axis, -1)
    ordered = steps if end == -1 else steps[..., ::-1]
    return bool((np.diff(ordered.astype(int), axis=-1) >= 0).all()) and not bool(
        ordered[..., 0].all()
    )


def moved(
    array: Array, index: Index, keep: Array | None = None, amount: float = 1.0, seed: int = 0
) -> Array:
    """The leaf with other values at an index.

    Parameters
    ----------
    array : the leaf
    index : where
    keep : True where nothing is to change; None
    amount : of the change, in spreads of the leaf
    """
    new = array.copy()
    part = new[index]
    fresh = (
        _other_tokens(array, part, keep)
        if array.dtype.kind in "iu"
        else _other_reals(array, part, amount, seed)
    )
    new[index] = fresh
    if keep is not None:
        new[keep] = array[keep]
    return new


def _other_tokens(array: Array, part: Array, keep: Array | None) -> Array:
    """The next of the values that occur, in a circle: another one, and one that is known to be
    accepted.
    """
    pool = np.unique(array if keep is None or keep.all() else array[~keep])
    if len(pool) < 2:
        return part
    places = np.searchsorted(pool, part).clip(0, len(pool) - 1)
    return np.asarray(pool[(places + 1) % len(pool)])


def _other_reals(array: Array, part: Array, amount: float, seed: int) -> Array:
    finite = array[np.isfinite(array)]
    spread = float(finite.std()) if finite.size else 1.0
    noise = np.random.default_rng(seed).uniform(0.5, 1.0, part.shape) * (spread or 1.0) * amount
    return (part + noise).astype(array.dtype)


def moved_targets(array: Array, index: Index, classes: int = 0) -> Array:
    """Targets with other values at an index: labels exchanged, numbers mirrored within their range.

    Negative labels stay, since they mark what does not count.
    """
    new = array.copy()
    part = new[index]
    if array.dtype.kind == "b":
        new[index] = ~part
    elif array.dtype.kind in "iu":
        new[index] = _other_labels(array, part, classes)
    elif one_hot(array):
        new[index] = np.roll(part, 1, axis=-1)
    else:
        new[index] = _mirrored(array, part)
    return new


def _other_labels(array: Array, part: Array, classes: int) -> Array:
    pool = np.unique(array[array >= 0]) if (array >= 0).any() else np.unique(array)
    if len(pool) < 2:
        pool = np.arange(max(classes, 2))
    places = np.searchsorted(pool, part).clip(0, len(pool) - 1)
    return np.where(part < 0, part, pool[(places + 1) % len(pool)])


def _mirrored(array: Array, part: Array) -> Array:
    least, most = float(np.nanmin(array)), float(np.nanmax(array))
    if 0 <= least and most <= 1:
        least, most = 0.0, 1.0
    if least == most:
        return part + 1
    other = least + most - part
    same = np.abs(other - part) < 0.1 * (most - least)
    shifted = np.where(part > (least + most) / 2, least, most)
    return np.where(same, shifted, other).astype(array.dtype)


def one_hot(array: Array) -> bool:
    """Whether rows are zeros with a single one."""
    if array.ndim < 2 or array.shape[-1] < 2 or array.dtype.kind not in "fiu":
        return False
    return bool(np.isin(array, (0, 1)).all()) and bool((array.sum(-1) == 1).all())

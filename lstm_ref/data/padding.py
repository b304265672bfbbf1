"""Sequences of different lengths as one array, and batches that need little padding."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lstm_ref.data.tasks import Ints, as_ints
from lstm_ref.errors import ArgumentError, Array, ShapeError
from lstm_ref.layers import padding_mask


class Padded(NamedTuple):
    """Sequences side by side: x (N, T) or (N, T, D), and mask (N, T), True at valid steps, as
    `masked_lstm_forward` takes it.
    """

    x: Array
    mask: NDArray[np.bool_]


def pad(sequences: Sequence[Any], side: str = "right", T: int | None = None) -> Padded:
    """Sequences of different lengths in one array, zeros where there is nothing.

    The mistake that this prevents: padding without a mask. The model reads the zeros as data, its
    last state comes from the padding of short sequences, and the mean loss counts steps that are
    easy because they are empty.

    Parameters
    ----------
    sequences : N arrays (length,) or (length, D), of one D and dtype, each with at least one step
    side : "right" or "left", where the padding stands
    T : length of the result; None takes that of the longest. A longer sequence is refused: cut it
        where it may be cut.

    Returns
    -------
    Padded : x (N, T) or (N, T, D) of the sequences' dtype, mask (N, T)

    Raises
    ------
    ShapeError, ArgumentError : sequences that do not fit each other or T, or another side

    Examples
    --------
    >>> x, mask = pad([np.array([5, 6, 7]), np.array([8])])
    >>> x, mask.astype(int)
    (array([[5, 6, 7],
           [8, 0, 0]]), array([[1, 1, 1],
           [1, 0, 0]]))
    """
    arrays = [np.asarray(sequence) for sequence in sequences]
    if not arrays:
        raise ArgumentError("pad: there is no sequence; give at least one")
    kinds = {(array.shape[1:], array.dtype) for array in arrays}
    if len(kinds) > 1 or arrays[0].ndim not in (1, 2) or min(map(len, arrays)) < 1:
        told = sorted({f"{array.shape} {array.dtype}" for array in arrays})
        raise ShapeError(
            "pad: sequences must all be (length,) or all (length, D), of one D and dtype, with at "
            f"least one step, got {', '.join(told[:5])}"
        )
    lengths = as_ints([len(array) for array in arrays])
    longest = int(lengths.max())
    if T is not None and T < longest:
        raise ArgumentError(
            f"pad: T must be at least {longest}, the length of the longest sequence, got {T}; cut "
            "it first"
        )
    mask = padding_mask(lengths, longest if T is None else T, side)
    x = np.zeros((*mask.shape, *arrays[0].shape[1:]), arrays[0].dtype)
    # Steps of the mask that are True are in the order of rows and, in a row, of time: just as the
    # sequences one after another.
    x[mask] = np.concatenate(arrays)
    return Padded(x, mask)


def buckets(lengths: Any, N: int, seed: int | None = None) -> list[Ints]:
    """Batches of sequences of about the same length: the indices of each.

    Padding costs as much time as data. Batches drawn at random are padded to their longest
    sequence; in sorted ones there is little to pad. The mistake that this prevents comes with it:
    batches in the order of their lengths. The model would see all short sequences first in every
    pass, so the order of the batches is drawn anew with each seed, and so is the order of sequences
    of equal length.

    Parameters
    ----------
    lengths : (n,) integers
    N : sequences in a batch; the last one of a pass, wherever it comes, holds what is left
    seed : of the order, another one in each pass; None keeps the order of the lengths, for
        validation and test

    Returns
    -------
    list of (at most N,) int64, in which each index from 0 to n - 1 is once

    Raises
    ------
    ArgumentError : N below 1, or lengths that are not integers with one axis

    Examples
    --------
    >>> [batch.tolist() for batch in buckets([9, 2, 8, 3, 2], N=2)]
    [[1, 4], [3, 2], [0]]
    """
    array = np.asarray(lengths)
    if N < 1:
        raise ArgumentError(f"buckets: N must be 1 or more, got {N}")
    if array.ndim != 1 or array.size == 0 or array.dtype.kind not in "iu":
        raise ArgumentError(
            f"buckets: lengths must be integers with one axis, at least one, got {array.dtype} "
            f"with shape {array.shape}"
        )
    if seed is None:
        order = np.argsort(array, kind="stable")
        return [as_ints(order[k : k + N]) for k in range(0, len(order), N)]
    rng = np.random.default_rng(seed)
    order = np.lexsort((rng.random(len(array)), array))
    batches = [as_ints(order[k : k + N]) for k in range(0, len(order), N)]
    return [batches[k] for k in rng.permutation(len(batches))]


def padding_share(lengths: Any, batches: Sequence[Any]) -> float:
    """Share of the steps of all batches that would be padding: what `buckets` saves.

    Examples
    --------
    >>> lengths = [9, 2, 8, 3, 2]
    >>> padding_share(lengths, [[0, 1], [2, 3], [4]]), padding_share(lengths, buckets(lengths, N=2))
    (0.3333333333333333, 0.1724137931034483)
    """
    array = np.asarray(lengths)
    total = sum(len(batch) * int(array[batch].max()) for batch in batches)
    return (total - sum(int(array[batch].sum()) for batch in batches)) / total

"""Sequences of different lengths in one batch: an LSTM, a GRU or a plain RNN that leaves out what
is padding.

A mask (N, T) says which time steps hold data: True for a valid step, False for padding. At a masked
step

    the state   stays what it was, so that the last state is that of the last valid step
    the output  is 0, so that a sum over all steps counts no padding
    x           is not used, and its gradient is 0

The padding may stand after the data, before it, or within it. PyTorch's packed sequences (padding
after the data only) and Keras with ``zero_output_for_mask=True`` give the same numbers; Keras's
default differs in the output only: it repeats the last one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from lstm_ref.arguments import check_integers, check_mask
from lstm_ref.errors import ArgumentError, Array, ShapeError, check_arrays, check_cache
from lstm_ref.gru import GRUGrads
from lstm_ref.layers.cells import CELLS, Params, State
from lstm_ref.rnn import RNNGrads
from lstm_ref.sequence import SequenceGrads


def padding_mask(lengths: Array, T: int, side: str = "right") -> Array:
    """Mask of sequences that were padded to one length.

    Parameters
    ----------
    lengths : (N,), integers from 0 to T: the valid steps of each sequence
    T : length with the padding
    side : where the padding stands: "right", after the data, or "left", before it

    Returns
    -------
    mask : (N, T), True at valid steps

    Raises
    ------
    ArgumentError, ShapeError, DTypeError : an argument that does not fit, by name

    Examples
    --------
    >>> padding_mask(np.array([1, 3]), 3).astype(int)
    array([[1, 0, 0],
           [1, 1, 1]])
    >>> padding_mask(np.array([1, 3]), 3, side="left").astype(int)
    array([[0, 0, 1],
           [1, 1, 1]])
    """
    check_integers("padding_mask", "lengths", lengths)
    if lengths.ndim != 1 or lengths.size == 0:
        raise ShapeError(
            f"padding_mask: lengths must be (N,) with N at least 1, got {lengths.shape}"
        )
    if lengths.min() < 0 or lengths.max() > T:
        raise ArgumentError(
            f"padding_mask: lengths must lie from 0 to T = {T}, got {lengths.min()} to "
            f"{lengths.max()}"
        )
    if side not in ("right", "left"):
        raise ArgumentError(f'padding_mask: side must be "right" or "left", got {side!r}')
    steps = np.arange(T)
    return (steps if side == "right" else steps[::-1]) < lengths[:, np.newaxis]


def reverse_sequences(x: Array, mask: Array | None = None) -> Array:
    """Each sequence backwards: its valid steps change places, its padding stays where it is.

    Done twice, it gives x again; so it is its own backward pass, too.

    Parameters
    ----------
    x : (N, T, D)
    mask : (N, T), True at valid steps; None means that all are

    Returns
    -------
    x : (N, T, D), new

    Raises
    ------
    ShapeError, DTypeError, NotFiniteError : an argument that does not fit, by name

    Examples
    --------
    >>> x = np.array([[[1.0], [2.0], [3.0], [0.0]]])
    >>> reverse_sequences(x, padding_mask(np.array([3]), 4))[0, :, 0]
    array([3., 2., 1., 0.])
    """
    check_arrays("reverse_sequences", {}, x=(x, "N T D"))
    mask = check_mask("reverse_sequences", mask, x.shape[:2])
    source = np.tile(np.arange(mask.shape[1]), (len(mask), 1))
    for row, valid in zip(source, mask, strict=True):
        row[valid] = row[valid][::-1]
    return np.take_along_axis(x, source[:, :, np.newaxis], axis=1)


class Stretch(NamedTuple):
    """Time steps from start to stop - 1, in which the sequences ``rows`` are valid, and no
    other.
    """

    rows: Array  # (n,), their numbers in the batch
    start: int
    stop: int
    cache: Any  # of these sequences in these steps: a SequenceCache, GRUCache or RNNCache


class MaskedCache(NamedTuple):
    """What a masked backward pass needs from the forward pass; padding takes no memory.

    The weights are the caller's arrays, not copies: leave them as they are until the backward pass
    is done. All else belongs to the cache alone.
    """

    cell: str  # "lstm", "gru" or "rnn"
    stretches: tuple[Stretch, ...]
    mask: Array  # (N, T)
    reverse: bool
    weights: dict[str, Array]


def masked_lstm_forward(
    x: Array,
    h0: Array,
    c0: Array,
    Wx: Array,
    Wh: Array,
    b: Array,
    mask: Array | None = None,
    *,
    reverse: bool = False,
) -> tuple[Array, tuple[Array, Array], MaskedCache]:
    """All valid time steps forward, as `lstm_forward`; at masked steps the state stays, and the
    output is 0.

    Time is cut wherever a sequence begins or ends. In each stretch between two cuts the valid
    sequences are a batch without padding, and `lstm_forward` takes them, and their states, from one
    end to the other.

    Parameters
    ----------
    x : (N, T, D), finite also where it is padding
    h0, c0 : (N, H)
    Wx : (D, 4H), blocks in the order i, f, g, o
    Wh : (H, 4H)
    b : (4H,)
    mask : (N, T), True at valid steps; None means that all are. A sequence without any keeps its
        initial state
    reverse : go from the last valid step of each sequence to its first; ``h[n, t]`` has then seen
        steps t to the end

    Returns
    -------
    h : (N, T, H), the hidden state after every valid step, 0 at masked ones
    (hT, cT) : each (N, H), the state after the last step that was taken of each sequence. Where
        padding stands on the right, hT is not ``h[:, -1]``
    cache : MaskedCache

    Raises
    ------
    ShapeError, DTypeError, NotFiniteError : an argument that does not fit, by name

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> N, T, D, H = 2, 5, 3, 4
    >>> h, (hT, cT), cache = masked_lstm_forward(
    ...     rng.normal(size=(N, T, D)),
    ...     np.zeros((N, H)),
    ...     np.zeros((N, H)),
    ...     rng.normal(size=(D, 4 * H)),
    ...     rng.normal(size=(H, 4 * H)),
    ...     np.zeros(4 * H),
    ...     mask=padding_mask(np.array([5, 2]), T),
    ... )
    >>> bool((h[1, 1] == hT[1]).all()), bool((h[1, 2:] == 0).all())
    (True, True)
    """
    weights = {"Wx": Wx, "Wh": Wh, "b": b}
    h, (hT, cT), cache = _checked_forward("lstm", x, {"h0": h0, "c0": c0}, weights, mask, reverse)
    return h, (hT, cT), cache


def masked_lstm_backward(
    dh: Array, cache: MaskedCache, dcT: Array | None = None, dhT: Array | None = None
) -> SequenceGrads:
    """All valid time steps backward.

    Parameters
    ----------
    dh : (N, T, H), gradient of the loss with respect to h; what stands at masked steps is not used,
        for h is always 0 there
    cache : MaskedCache of the forward pass
    dcT, dhT : (N, H), gradients with respect to the last states of each sequence; None means zeros

    Returns
    -------
    SequenceGrads : dx, dh0, dc0, dWx, dWh, db; dx is 0 at masked steps

    Raises
    ------
    ArgumentError, ShapeError, DTypeError, NotFiniteError : an argument that does not fit, by name
    """
    dx, (dh0, dc0), dw = _checked_backward("lstm", dh, cache, {"dhT": dhT, "dcT": dcT})
    return SequenceGrads(dx, dh0, dc0, dw["Wx"], dw["Wh"], dw["b"])


def masked_gru_forward(
    x: Array,
    h0: Array,
    Wx: Array,
    Wh: Array,
    b: Array,
    bh: Array | None = None,
    mask: Array | None = None,
    *,
    reverse: bool = False,
) -> tuple[Array, Array, MaskedCache]:
    """All valid time steps of a GRU forward, as `gru_forward`; at masked steps the state stays, and
    the output is 0.

    Parameters
    ----------
    x : (N, T, D), finite also where it is padding
    h0 : (N, H)
    Wx : (D, 3H), blocks in the order r, z, n
    Wh : (H, 3H)
    b : (3H,)
    bh : (H,), recurrent bias of the candidate, where the reset gate acts after the product; None
        where it acts before
    mask : (N, T), True at valid steps; None means that all are
    reverse : go from the last valid step of each sequence to its first

    Returns
    -------
    h : (N, T, H), the hidden state after every valid step, 0 at masked ones
    hT : (N, H), the state after the last step that was taken of each sequence
    cache : MaskedCache

    Raises
    ------
    ShapeError, DTypeError, NotFiniteError : an argument that does not fit, by name

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> h, hT, cache = masked_gru_forward(
    ...     rng.normal(size=(2, 5, 3)),
    ...     np.zeros((2, 4)),
    ...     rng.normal(size=(3, 12)),
    ...     rng.normal(size=(4, 12)),
    ...     np.zeros(12),
    ...     np.zeros(4),
    ...     padding_mask(np.array([5, 2]), 5),
    ... )
    >>> bool((h[1, 1] == hT[1]).all()), bool((h[1, 2:] == 0).all())
    (True, True)
    """
    weights = {"Wx": Wx, "Wh": Wh, "b": b} | ({} if bh is None else {"bh": bh})
    h, (hT,), cache = _checked_forward("gru", x, {"h0": h0}, weights, mask, reverse)
    return h, hT, cache


def masked_gru_backward(dh: Array, cache: MaskedCache, dhT: Array | None = None) -> GRUGrads:
    """All valid time steps of a GRU backward.

    Parameters
    ----------
    dh : (N, T, H), gradient of the loss with respect to h; what stands at masked steps is not used
    cache : MaskedCache of the forward pass
    dhT : (N, H), gradient with respect to the last state of each sequence; None means zeros

    Returns
    -------
    GRUGrads : dx, dh0, dWx, dWh, db, dbh; dx is 0 at masked steps

    Raises
    ------
    ArgumentError, ShapeError, DTypeError, NotFiniteError : an argument that does not fit, by name
    """
    dx, (dh0,), dw = _checked_backward("gru", dh, cache, {"dhT": dhT})
    return GRUGrads(dx, dh0, dw["Wx"], dw["Wh"], dw["b"], dw.get("bh"))


def masked_rnn_forward(
    x: Array,
    h0: Array,
    Wx: Array,
    Wh: Array,
    b: Array,
    mask: Array | None = None,
    *,
    reverse: bool = False,
) -> tuple[Array, Array, MaskedCache]:
    """All valid time steps of a plain RNN forward, as `rnn_forward`; at masked steps the state
    stays, and the output is 0.

    Parameters
    ----------
    x : (N, T, D), finite also where it is padding
    h0 : (N, H)
    Wx : (D, H)
    Wh : (H, H)
    b : (H,)
    mask : (N, T), True at valid steps; None means that all are
    reverse : go from the last valid step of each sequence to its first

    Returns
    -------
    h : (N, T, H), the hidden state after every valid step, 0 at masked ones
    hT : (N, H), the state after the last step that was taken of each sequence
    cache : MaskedCache

    Raises
    ------
    ShapeError, DTypeError, NotFiniteError : an argument that does not fit, by name

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> h, hT, cache = masked_rnn_forward(
    ...     rng.normal(size=(2, 5, 3)),
    ...     np.zeros((2, 4)),
    ...     rng.normal(size=(3, 4)),
    ...     rng.normal(size=(4, 4)),
    ...     np.zeros(4),
    ...     padding_mask(np.array([5, 2]), 5, side="left"),
    ... )
    >>> bool((h[1, -1] == hT[1]).all()), bool((h[1, :3] == 0).all())
    (True, True)
    """
    h, (hT,), cache = _checked_forward(
        "rnn", x, {"h0": h0}, {"Wx": Wx, "Wh": Wh, "b": b}, mask, reverse
    )
    return h, hT, cache


def masked_rnn_backward(dh: Array, cache: MaskedCache, dhT: Array | None = None) -> RNNGrads:
    """All valid time steps of a plain RNN backward.

    Parameters
    ----------
    dh : (N, T, H), gradient of the loss with respect to h; what stands at masked steps is not used
    cache : MaskedCache of the forward pass
    dhT : (N, H), gradient with respect to the last state of each sequence; None means zeros

    Returns
    -------
    RNNGrads : dx, dh0, dWx, dWh, db; dx is 0 at masked steps

    Raises
    ------
    ArgumentError, ShapeError, DTypeError, NotFiniteError : an argument that does not fit, by name
    """
    dx, (dh0,), dw = _checked_backward("rnn", dh, cache, {"dhT": dhT})
    return RNNGrads(dx, dh0, dw["Wx"], dw["Wh"], dw["b"])


def forward_masked(
    cell: str, x: Array, state: Sequence[Array], weights: Params, mask: Array, reverse: bool = False
) -> tuple[Array, State, MaskedCache]:
    """A masked layer of any cell forward, once the arguments are checked: h, last state, cache."""
    N, T, _ = x.shape
    if reverse:
        x = reverse_sequences(x, mask)
    h = np.zeros((N, T, len(weights["Wh"])), x.dtype)
    now = tuple(part.copy() for part in state)
    stretches = []
    for rows, start, stop in _stretches(mask):
        before = tuple(part[rows] for part in now)
        h[rows, start:stop], after, cache = CELLS[cell].forward(
            x[rows, start:stop], before, weights
        )
        for part, new in zip(now, after, strict=True):
            part[rows] = new
        stretches.append(Stretch(rows, start, stop, cache))
    if reverse:
        h = reverse_sequences(h, mask)
    return h, now, MaskedCache(cell, tuple(stretches), mask.copy(), reverse, dict(weights))


def backward_masked(
    dh: Array, cache: MaskedCache, dlast: Sequence[Array]
) -> tuple[Array, State, dict[str, Array]]:
    """A masked layer of any cell backward: gradients of x, of the first state, and of the weights
    by name.
    """
    cell, stretches, mask, reverse, weights = cache
    N, T = mask.shape
    if reverse:
        dh = reverse_sequences(dh, mask)
    # What later steps send back along the state; a sequence passes it on unchanged while it is
    # masked.
    now = tuple(part.copy() for part in dlast)
    dx = np.zeros((N, T, len(weights["Wx"])), dh.dtype)
    dw = {name: np.zeros_like(array) for name, array in weights.items()}
    for rows, start, stop, stretch_cache in reversed(stretches):
        dh_stretch = dh[rows, start:stop]  # a copy: NumPy copies what a list of rows picks out
        dh_stretch[:, -1] += now[0][rows]
        rest = tuple(part[rows] for part in now[1:])
        dx[rows, start:stop], before, grads = CELLS[cell].backward(dh_stretch, stretch_cache, rest)
        for part, new in zip(now, before, strict=True):
            part[rows] = new
        dw = {name: total + grads[name] for name, total in dw.items()}
    if reverse:
        dx = reverse_sequences(dx, mask)
    return dx, now, dw


def _checked_forward(
    cell: str, x: Array, state: Params, weights: Params, mask: Array | None, reverse: bool
) -> tuple[Array, State, MaskedCache]:
    operation = f"masked_{cell}_forward"
    axes = {"x": "N T D", **dict.fromkeys(state, "N H"), **CELLS[cell].axes(weights)}
    arrays = {"x": x, **state, **weights}
    check_arrays(operation, {}, **{name: (array, axes[name]) for name, array in arrays.items()})
    N, T, _ = x.shape
    return forward_masked(
        cell, x, list(state.values()), weights, check_mask(operation, mask, (N, T)), reverse
    )


def _checked_backward(
    cell: str, dh: Array, cache: MaskedCache, dlast: dict[str, Array | None]
) -> tuple[Array, State, dict[str, Array]]:
    operation = f"masked_{cell}_backward"
    check_cache(operation, cache, MaskedCache, f"masked_{cell}_forward")
    cache = MaskedCache(*cache)
    if cache.cell != cell:
        raise ArgumentError(
            f"{operation}: cache must be the MaskedCache that masked_{cell}_forward returned, got "
            f"that of masked_{cache.cell}_forward"
        )
    (N, T), Wx, H = cache.mask.shape, cache.weights["Wx"], len(cache.weights["Wh"])
    given = {
        name: np.zeros((N, H), Wx.dtype) if part is None else part for name, part in dlast.items()
    }
    check_arrays(
        operation,
        {"N": N, "T": T, "H": H},
        dh=(dh, "N T H"),
        **{name: (part, "N H") for name, part in given.items()},
        **{"cache.Wx": (Wx, f"D {CELLS[cell].blocks}H")},
    )
    return backward_masked(dh, cache, list(given.values()))


def _stretches(mask: Array) -> Iterator[tuple[Array, int, int]]:
    """Rows, start and stop of each stretch of time in which the same sequences are valid; those
    with none are left out.
    """
    T = mask.shape[1]
    cuts = np.flatnonzero((mask[:, 1:] != mask[:, :-1]).any(axis=0)) + 1
    for start, stop in pairwise([0, *cuts.tolist(), T]):
        rows = np.flatnonzero(mask[:, start])
        if len(rows) > 0:
            yield rows, start, stop

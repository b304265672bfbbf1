"""Layers around the LSTM: embedding, affine, dropout; and LSTMs that are masked, bidirectional or stacked.

Each layer is a pair of functions. Forward returns its result and a cache; backward takes the gradient of the result and that
cache, and returns the gradient of each argument.

    embedding_forward(ids, W)           word vectors by their numbers
    affine_forward(x, W, b)             x W + b
    dropout_forward(x, rate, rng)       numbers set to zero by chance, in training
    masked_lstm_forward(..., mask)      an LSTM over sequences of different lengths
    bidirectional_forward(...)          one LSTM in each direction
    stacked_forward(...)                one LSTM on another, with dropout between

A mask (N, T) says which time steps hold data: True for a valid step, False for padding. At a masked step

    h and c     stay what they were, so that the last state is that of the last valid step
    the output  is 0, so that a sum over all steps counts no padding
    x           is not used, and its gradient is 0

The padding may stand after the data, before it, or within it. PyTorch's packed sequences (padding after the data only) and Keras
with ``zero_output_for_mask=True`` give the same numbers; Keras's default differs in the output only: it repeats the last one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.random import Generator

from lstm_ref.errors import (
    ArgumentError,
    Array,
    DTypeError,
    ShapeError,
    check_arrays,
    check_cache,
    check_floats,
    check_same_names,
)
from lstm_ref.sequence import SequenceCache, SequenceGrads, lstm_backward, lstm_forward

Params = Mapping[str, Array]
AXES = {"Wx": "D 4H", "Wh": "H 4H", "b": "4H"}  # of the weights of an LSTM


# --- Embedding ----------------------------------------------------------------------------------------------------------


class EmbeddingCache(NamedTuple):
    """What `embedding_backward` needs; W is the caller's array, not a copy."""

    ids: Array  # (N, T)
    W: Array  # (V, D)


def embedding_forward(ids: Array, W: Array) -> tuple[Array, EmbeddingCache]:
    """Row ids[n, t] of W for every n and t: x W for a one-hot x, without the product.

    Parameters
    ----------
    ids : (N, T), integers from 0 to V-1
    W : (V, D), one vector a word

    Returns
    -------
    out : (N, T, D)
    cache : EmbeddingCache

    Raises
    ------
    ArgumentError, ShapeError, DTypeError, NotFiniteError : an argument that does not fit, by name

    Examples
    --------
    >>> out, cache = embedding_forward(np.array([[2, 0]]), np.array([[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]]))
    >>> out
    array([[[4., 5.],
            [0., 1.]]])
    """
    check_arrays("embedding_forward", {}, W=(W, "V D"))
    _check_integers("embedding_forward", "ids", ids)
    if ids.ndim != 2 or ids.size == 0:
        raise ShapeError(f"embedding_forward: ids must be (N, T) with every size at least 1, got {ids.shape}")
    # NumPy would take a negative number as counted from the end, and say nothing.
    if ids.min() < 0 or ids.max() >= len(W):
        raise ArgumentError(
            f"embedding_forward: ids must lie from 0 to V-1 = {len(W) - 1}, got {ids.min()} to {ids.max()}; "
            "was the vocabulary built from other data?"
        )
    return W[ids], EmbeddingCache(ids.copy(), W)


def embedding_backward(dout: Array, cache: EmbeddingCache) -> Array:
    """Gradient of W: each row gathers the gradients of all places where its word stands.

    Parameters
    ----------
    dout : (N, T, D)
    cache : EmbeddingCache of the forward pass

    Returns
    -------
    dW : (V, D). The numbers of the words have no gradient

    Raises
    ------
    ArgumentError, ShapeError, DTypeError, NotFiniteError : an argument that does not fit, by name
    """
    check_cache("embedding_backward", cache, EmbeddingCache, "embedding_forward")
    ids, W = cache
    sizes = {"N": ids.shape[0], "T": ids.shape[1], "D": W.shape[1]}
    check_arrays("embedding_backward", sizes, dout=(dout, "N T D"), **{"cache.W": (W, "V D")})
    dW = np.zeros_like(W)
    np.add.at(dW, ids, dout)  # dW[ids] += dout would count a word that stands twice only once
    return dW


# --- Affine -------------------------------------------------------------------------------------------------------------


class AffineCache(NamedTuple):
    """What `affine_backward` needs; W is the caller's array, not a copy."""

    x: Array  # (N, n_in) or (N, T, n_in)
    W: Array  # (n_in, n_out)


class AffineGrads(NamedTuple):
    """Gradient of the loss with respect to each argument of `affine_forward`."""

    dx: Array  # (N, n_in) or (N, T, n_in)
    dW: Array  # (n_in, n_out)
    db: Array  # (n_out,)


def affine_forward(x: Array, W: Array, b: Array) -> tuple[Array, AffineCache]:
    """The same x W + b for every example, and for every time step where there are several.

    Parameters
    ----------
    x : (N, n_in) or (N, T, n_in)
    W : (n_in, n_out)
    b : (n_out,)

    Returns
    -------
    out : (N, n_out) or (N, T, n_out)
    cache : AffineCache

    Raises
    ------
    ShapeError, DTypeError, NotFiniteError : an argument that does not fit, by name

    Examples
    --------
    >>> out, cache = affine_forward(np.ones((2, 5, 3)), np.ones((3, 4)), np.zeros(4))
    >>> out.shape, out[0, 0, 0]
    ((2, 5, 4), np.float64(3.0))
    """
    check_arrays("affine_forward", {}, x=(x, _rows(x, "n_in")), b=(b, "n_out"), W=(W, "n_in n_out"))
    return x @ W + b, AffineCache(x.copy(), W)


def affine_backward(dout: Array, cache: AffineCache) -> AffineGrads:
    """Gradients of x, W and b.

    Parameters
    ----------
    dout : (N, n_out) or (N, T, n_out)
    cache : AffineCache of the forward pass

    Returns
    -------
    AffineGrads : dx, dW, db

    Raises
    ------
    ArgumentError, ShapeError, DTypeError, NotFiniteError : an argument that does not fit, by name
    """
    check_cache("affine_backward", cache, AffineCache, "affine_forward")
    x, W = cache
    n_in, n_out = W.shape
    sizes = {**dict(zip(_rows(x, "n_in").split(), x.shape, strict=True)), "n_out": n_out}
    check_arrays("affine_backward", sizes, dout=(dout, _rows(x, "n_out")), **{"cache.W": (W, "n_in n_out")})
    rows = dout.reshape(-1, n_out)  # W and b are shared by all rows, so their gradients add up
    return AffineGrads(dx=dout @ W.T, dW=x.reshape(-1, n_in).T @ rows, db=rows.sum(axis=0))


# --- Dropout ------------------------------------------------------------------------------------------------------------


class DropoutCache(NamedTuple):
    """What `dropout_backward` needs."""

    scale: Array  # 0 where a number was dropped, 1 / (1 - rate) where it was kept; (N, 1, D) where it holds for all time steps
    shape: tuple[int, ...]  # of x


def dropout_forward(
    x: Array, rate: float, rng: Generator | None, *, training: bool = True, variational: bool = False
) -> tuple[Array, DropoutCache]:
    """Inverted dropout: each number becomes 0 with the probability ``rate``, and what is kept is divided by 1 - rate.

    So the mean of every number stays what it was, and nothing has to be done in evaluation.

    Parameters
    ----------
    x : (N, D) or (N, T, D)
    rate : from 0 to below 1
    rng : numpy.random.Generator; may be None where nothing is drawn, in evaluation or at the rate 0
    training : False for evaluation: x comes back as it is
    variational : draw once for each sequence and unit, and not at every time step anew; x must then be (N, T, D)

    Returns
    -------
    out : of the shape of x, a new array
    cache : DropoutCache

    Raises
    ------
    ArgumentError, ShapeError, DTypeError, NotFiniteError : an argument that does not fit, by name

    Notes
    -----
    Source: Srivastava et al. (2014); one mask for all time steps: Gal and Ghahramani (2016).

    Examples
    --------
    >>> out, cache = dropout_forward(np.ones((1, 3, 4)), 0.5, np.random.default_rng(0), variational=True)
    >>> out
    array([[[2., 0., 0., 0.],
            [2., 0., 0., 0.],
            [2., 0., 0., 0.]]])
    """
    check_arrays("dropout_forward", {}, x=(x, "N T D" if variational else _rows(x, "D")))
    _check_dropout("dropout_forward", "rate", rate, rng, training)
    if training and rng is not None and rate > 0:
        shape = (x.shape[0], 1, x.shape[2]) if variational else x.shape
        kept = rng.random(shape) >= rate
        scale = kept.astype(x.dtype) / (1 - float(rate))
    else:
        scale = np.ones((1,) * x.ndim, x.dtype)
    return x * scale, DropoutCache(scale, x.shape)


def dropout_backward(dout: Array, cache: DropoutCache) -> Array:
    """Gradient of x: the same numbers are dropped, and the same factor holds for the rest.

    Parameters
    ----------
    dout : of the shape of x
    cache : DropoutCache of the forward pass

    Returns
    -------
    dx : of the shape of x

    Raises
    ------
    ArgumentError, ShapeError, DTypeError, NotFiniteError : an argument that does not fit, by name
    """
    check_cache("dropout_backward", cache, DropoutCache, "dropout_forward")
    scale, shape = cache
    check_floats("dropout_backward", {"dout": dout, "cache.scale": scale})
    if dout.shape != shape:
        raise ShapeError(f"dropout_backward: dout must have the shape of x = {shape}, got {dout.shape}")
    return dout * scale


# --- Masks --------------------------------------------------------------------------------------------------------------


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
    _check_integers("padding_mask", "lengths", lengths)
    if lengths.ndim != 1 or lengths.size == 0:
        raise ShapeError(f"padding_mask: lengths must be (N,) with N at least 1, got {lengths.shape}")
    if lengths.min() < 0 or lengths.max() > T:
        raise ArgumentError(f"padding_mask: lengths must lie from 0 to T = {T}, got {lengths.min()} to {lengths.max()}")
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
    mask = _check_mask("reverse_sequences", mask, x)
    source = np.tile(np.arange(mask.shape[1]), (len(mask), 1))
    for row, valid in zip(source, mask, strict=True):
        row[valid] = row[valid][::-1]
    return np.take_along_axis(x, source[:, :, np.newaxis], axis=1)


# --- Masked LSTM --------------------------------------------------------------------------------------------------------


class Stretch(NamedTuple):
    """Time steps from start to stop - 1, in which the sequences ``rows`` are valid, and no other."""

    rows: Array  # (n,), their numbers in the batch
    start: int
    stop: int
    cache: SequenceCache  # of these sequences in these steps


class MaskedCache(NamedTuple):
    """What `masked_lstm_backward` needs from `masked_lstm_forward`; padding takes no memory.

    Wx and Wh are the caller's arrays, not copies: leave them as they are until the backward pass is done. All else belongs
    to the cache alone.
    """

    stretches: tuple[Stretch, ...]
    shape: tuple[int, int]  # (N, T)
    Wx: Array  # (D, 4H)
    Wh: Array  # (H, 4H)


def masked_lstm_forward(
    x: Array, h0: Array, c0: Array, Wx: Array, Wh: Array, b: Array, mask: Array | None = None
) -> tuple[Array, tuple[Array, Array], MaskedCache]:
    """All valid time steps forward, as `lstm_forward`; at masked steps the state stays, and the output is 0.

    Time is cut wherever a sequence begins or ends. In each stretch between two cuts the valid sequences are a batch without
    padding, and `lstm_forward` takes them, and their states, from one end to the other.

    Parameters
    ----------
    x : (N, T, D), finite also where it is padding
    h0, c0 : (N, H)
    Wx : (D, 4H), blocks in the order i, f, g, o
    Wh : (H, 4H)
    b : (4H,)
    mask : (N, T), True at valid steps; None means that all are. A sequence without any keeps its initial state

    Returns
    -------
    h : (N, T, H), the hidden state after every valid step, 0 at masked ones
    (hT, cT) : each (N, H), the state after the last valid step of each sequence. Where padding stands on the right,
        hT is not ``h[:, -1]``
    cache : MaskedCache

    Raises
    ------
    ShapeError, DTypeError, NotFiniteError : an argument that does not fit, by name

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> N, T, D, H = 2, 5, 3, 4
    >>> h, (hT, cT), cache = masked_lstm_forward(rng.normal(size=(N, T, D)), np.zeros((N, H)), np.zeros((N, H)),
    ...     rng.normal(size=(D, 4 * H)), rng.normal(size=(H, 4 * H)), np.zeros(4 * H),
    ...     mask=padding_mask(np.array([5, 2]), T))
    >>> bool((h[1, 1] == hT[1]).all()), bool((h[1, 2:] == 0).all())
    (True, True)
    """
    sizes: dict[str, int] = {}
    weights = {"Wx": Wx, "Wh": Wh, "b": b}
    check_arrays(
        "masked_lstm_forward",
        sizes,
        x=(x, "N T D"),
        h0=(h0, "N H"),
        c0=(c0, "N H"),
        **{name: (array, AXES[name]) for name, array in weights.items()},
    )
    mask = _check_mask("masked_lstm_forward", mask, x)
    N, T, H = (sizes[letter] for letter in "NTH")
    out = np.zeros((N, T, H), x.dtype)
    h, c = h0.copy(), c0.copy()
    stretches = []
    for rows, start, stop in _stretches(mask):
        out[rows, start:stop], (h[rows], c[rows]), cache = lstm_forward(
            x[rows, start:stop], h[rows], c[rows], Wx, Wh, b
        )
        stretches.append(Stretch(rows, start, stop, cache))
    return out, (h, c), MaskedCache(tuple(stretches), (N, T), Wx, Wh)


def masked_lstm_backward(
    dh: Array, cache: MaskedCache, dcT: Array | None = None, dhT: Array | None = None
) -> SequenceGrads:
    """All valid time steps backward.

    Parameters
    ----------
    dh : (N, T, H), gradient of the loss with respect to h; what stands at masked steps is not used, for h is always 0 there
    cache : MaskedCache of the forward pass
    dcT, dhT : (N, H), gradients with respect to the last states of each sequence; None means zeros

    Returns
    -------
    SequenceGrads : dx, dh0, dc0, dWx, dWh, db; dx is 0 at masked steps

    Raises
    ------
    ArgumentError, ShapeError, DTypeError, NotFiniteError : an argument that does not fit, by name
    """
    check_cache("masked_lstm_backward", cache, MaskedCache, "masked_lstm_forward")
    stretches, (N, T), Wx, Wh = cache
    D, H = len(Wx), len(Wh)
    # What later steps send back along h and c; a sequence passes it on unchanged while it is masked.
    dh_next = np.zeros((N, H), Wx.dtype) if dhT is None else dhT
    dc_next = np.zeros((N, H), Wx.dtype) if dcT is None else dcT
    check_arrays(
        "masked_lstm_backward",
        {"N": N, "T": T, "H": H},
        dh=(dh, "N T H"),
        dcT=(dc_next, "N H"),
        dhT=(dh_next, "N H"),
        **{"cache.Wx": (Wx, "D 4H")},
    )
    dh_next, dc_next = dh_next.copy(), dc_next.copy()
    dx = np.zeros((N, T, D), Wx.dtype)
    dWx, dWh, db = np.zeros_like(Wx), np.zeros_like(Wh), np.zeros(4 * H, Wx.dtype)
    for rows, start, stop, stretch_cache in reversed(stretches):
        dh_stretch = dh[rows, start:stop]  # a copy: NumPy copies what a list of rows picks out
        dh_stretch[:, -1] += dh_next[rows]
        grads = lstm_backward(dh_stretch, stretch_cache, dc_next[rows])
        dx[rows, start:stop], dh_next[rows], dc_next[rows] = grads.dx, grads.dh0, grads.dc0
        dWx, dWh, db = dWx + grads.dWx, dWh + grads.dWh, db + grads.db
    return SequenceGrads(dx, dh_next, dc_next, dWx, dWh, db)


def _stretches(mask: Array) -> Iterator[tuple[Array, int, int]]:
    """Rows, start and stop of each stretch of time in which the same sequences are valid; those with none are left out."""
    T = mask.shape[1]
    cuts = np.flatnonzero((mask[:, 1:] != mask[:, :-1]).any(axis=0)) + 1
    for start, stop in pairwise([0, *cuts.tolist(), T]):
        rows = np.flatnonzero(mask[:, start])
        if len(rows) > 0:
            yield rows, start, stop


# --- Bidirectional ------------------------------------------------------------------------------------------------------


class BidirectionalCache(NamedTuple):
    """What `bidirectional_backward` needs from `bidirectional_forward`."""

    directions: tuple[MaskedCache, MaskedCache]
    mask: Array  # (N, T)


class BidirectionalGrads(NamedTuple):
    """Gradient of the loss with respect to each argument of `bidirectional_forward`."""

    dx: Array  # (N, T, D)
    dh0: Array  # (2, N, H)
    dc0: Array  # (2, N, H)
    directions: tuple[dict[str, Array], dict[str, Array]]  # each {"Wx", "Wh", "b"}


def bidirectional_forward(
    x: Array, h0: Array, c0: Array, directions: Sequence[Params], mask: Array | None = None
) -> tuple[Array, tuple[Array, Array], BidirectionalCache]:
    """Two LSTMs, one from the first step to the last and one from the last to the first, their outputs side by side.

    With a mask, the second one starts at the last valid step of each sequence, and not in its padding.

    Parameters
    ----------
    x : (N, T, D)
    h0, c0 : (2, N, H), one state a direction
    directions : two dicts {"Wx": (D, 4H), "Wh": (H, 4H), "b": (4H,)}, forward and reverse
    mask : (N, T), True at valid steps; None means that all are

    Returns
    -------
    h : (N, T, 2H): ``h[n, t, :H]`` has seen steps 0 to t, ``h[n, t, H:]`` steps t to the end; 0 at masked steps
    (hT, cT) : each (2, N, H), the state of each direction after the last step that it took; that of the second one belongs
        to the first valid step of x
    cache : BidirectionalCache

    Raises
    ------
    ArgumentError, ShapeError, DTypeError, NotFiniteError : an argument that does not fit, by name

    Notes
    -----
    Source: Schuster and Paliwal (1997). For several such layers, give h as the x of the next one, whose D is then 2H.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> directions = [{"Wx": rng.normal(size=(3, 8)), "Wh": rng.normal(size=(2, 8)), "b": np.zeros(8)} for _ in range(2)]
    >>> h, (hT, cT), cache = bidirectional_forward(rng.normal(size=(1, 5, 3)), np.zeros((2, 1, 2)), np.zeros((2, 1, 2)),
    ...                                            directions)
    >>> h.shape, bool((h[:, -1, :2] == hT[0]).all()), bool((h[:, 0, 2:] == hT[1]).all())
    ((1, 5, 4), True, True)
    """
    _check_weights("bidirectional_forward", "directions", directions, 2)
    _check_states("bidirectional_forward", x, h0, c0, "directions", directions, stacked=False)
    mask = _check_mask("bidirectional_forward", mask, x)
    there, back = directions
    h_there, state_there, cache_there = masked_lstm_forward(x, h0[0], c0[0], **there, mask=mask)
    h_back, state_back, cache_back = masked_lstm_forward(reverse_sequences(x, mask), h0[1], c0[1], **back, mask=mask)
    h = np.concatenate([h_there, reverse_sequences(h_back, mask)], axis=2)
    hT, cT = (np.stack(pair) for pair in zip(state_there, state_back, strict=True))
    return h, (hT, cT), BidirectionalCache((cache_there, cache_back), mask.copy())


def bidirectional_backward(
    dh: Array, cache: BidirectionalCache, dcT: Array | None = None, dhT: Array | None = None
) -> BidirectionalGrads:
    """Both directions backward.

    Parameters
    ----------
    dh : (N, T, 2H), gradient of the loss with respect to h
    cache : BidirectionalCache of the forward pass
    dcT, dhT : (2, N, H), gradients with respect to the last states; None means zeros

    Returns
    -------
    BidirectionalGrads : dx, dh0, dc0, directions

    Raises
    ------
    ArgumentError, ShapeError, DTypeError, NotFiniteError : an argument that does not fit, by name
    """
    check_cache("bidirectional_backward", cache, BidirectionalCache, "bidirectional_forward")
    (cache_there, cache_back), mask = cache
    (N, T), H = mask.shape, len(cache_there.Wh)
    sizes = {"N": N, "T": T, "H": H}
    dcT, dhT = _check_last("bidirectional_backward", dh, "2H", 2, sizes, cache_there, dcT, dhT)
    there = masked_lstm_backward(dh[:, :, :H], cache_there, dcT[0], dhT[0])
    back = masked_lstm_backward(reverse_sequences(dh[:, :, H:], mask), cache_back, dcT[1], dhT[1])
    return BidirectionalGrads(
        dx=there.dx + reverse_sequences(back.dx, mask),
        dh0=np.stack([there.dh0, back.dh0]),
        dc0=np.stack([there.dc0, back.dc0]),
        directions=(_weight_grads(there), _weight_grads(back)),
    )


# --- Stacked ------------------------------------------------------------------------------------------------------------


class StackedCache(NamedTuple):
    """What `stacked_backward` needs from `stacked_forward`."""

    layers: tuple[MaskedCache, ...]
    dropouts: tuple[DropoutCache, ...]  # one for each gap between two layers


class StackedGrads(NamedTuple):
    """Gradient of the loss with respect to each argument of `stacked_forward`."""

    dx: Array  # (N, T, D)
    dh0: Array  # (L, N, H)
    dc0: Array  # (L, N, H)
    layers: tuple[dict[str, Array], ...]  # each {"Wx", "Wh", "b"}


def stacked_forward(
    x: Array,
    h0: Array,
    c0: Array,
    layers: Sequence[Params],
    mask: Array | None = None,
    *,
    dropout: float = 0.0,
    rng: Generator | None = None,
    training: bool = True,
    variational: bool = False,
) -> tuple[Array, tuple[Array, Array], StackedCache]:
    """L LSTMs, one on another: the output of each is the input of the next, with dropout between.

    Parameters
    ----------
    x : (N, T, D)
    h0, c0 : (L, N, H), one state a layer
    layers : L dicts {"Wx": (D, 4H), "Wh": (H, 4H), "b": (4H,)}, the lowest first; from the second on, D is H
    mask : (N, T), True at valid steps; None means that all are
    dropout : rate, from 0 to below 1, of the dropout between two layers; neither x nor the output of the last one is dropped
    rng : numpy.random.Generator for it
    training : False for evaluation: nothing is dropped
    variational : the same units are dropped at all time steps of a sequence

    Returns
    -------
    h : (N, T, H), output of the last layer; 0 at masked steps
    (hT, cT) : each (L, N, H), the state of each layer after the last valid step
    cache : StackedCache

    Raises
    ------
    ArgumentError, ShapeError, DTypeError, NotFiniteError : an argument that does not fit, by name

    Notes
    -----
    Source of the dropout between layers only: Zaremba, Sutskever and Vinyals (2014).

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> layers = [{"Wx": rng.normal(size=(D, 8)), "Wh": rng.normal(size=(2, 8)), "b": np.zeros(8)} for D in (3, 2)]
    >>> h, (hT, cT), cache = stacked_forward(rng.normal(size=(1, 5, 3)), np.zeros((2, 1, 2)), np.zeros((2, 1, 2)), layers,
    ...                                      dropout=0.5, rng=rng)
    >>> h.shape, hT.shape, bool((h[:, -1] == hT[1]).all())
    ((1, 5, 2), (2, 1, 2), True)
    """
    _check_weights("stacked_forward", "layers", layers, len(layers))
    _check_states("stacked_forward", x, h0, c0, "layers", layers, stacked=True)
    _check_dropout("stacked_forward", "dropout", dropout, rng, training)
    mask = _check_mask("stacked_forward", mask, x)
    h, states, caches, dropouts = x, [], [], []
    for k, params in enumerate(layers):
        if k > 0:
            h, dropped = dropout_forward(h, dropout, rng, training=training, variational=variational)
            dropouts.append(dropped)
        h, state, cache = masked_lstm_forward(h, h0[k], c0[k], **params, mask=mask)
        states.append(state)
        caches.append(cache)
    hT, cT = (np.stack(parts) for parts in zip(*states, strict=True))
    return h, (hT, cT), StackedCache(tuple(caches), tuple(dropouts))


def stacked_backward(
    dh: Array, cache: StackedCache, dcT: Array | None = None, dhT: Array | None = None
) -> StackedGrads:
    """All layers backward, the last one first.

    Parameters
    ----------
    dh : (N, T, H), gradient of the loss with respect to h
    cache : StackedCache of the forward pass
    dcT, dhT : (L, N, H), gradients with respect to the last states; None means zeros

    Returns
    -------
    StackedGrads : dx, dh0, dc0, layers

    Raises
    ------
    ArgumentError, ShapeError, DTypeError, NotFiniteError : an argument that does not fit, by name
    """
    check_cache("stacked_backward", cache, StackedCache, "stacked_forward")
    layers, dropouts = cache
    (N, T), H = layers[0].shape, len(layers[0].Wh)
    sizes = {"N": N, "T": T, "H": H}
    dcT, dhT = _check_last("stacked_backward", dh, "H", len(layers), sizes, layers[0], dcT, dhT)
    grads = []
    for k in reversed(range(len(layers))):
        grads.append(masked_lstm_backward(dh, layers[k], dcT[k], dhT[k]))
        dh = grads[-1].dx
        if k > 0:
            dh = dropout_backward(dh, dropouts[k - 1])
    grads = grads[::-1]
    return StackedGrads(
        dx=dh,
        dh0=np.stack([g.dh0 for g in grads]),
        dc0=np.stack([g.dc0 for g in grads]),
        layers=tuple(_weight_grads(g) for g in grads),
    )


def _weight_grads(grads: SequenceGrads) -> dict[str, Array]:
    """The gradients of the weights, under the names of the weights: as an optimiser takes them."""
    return {"Wx": grads.dWx, "Wh": grads.dWh, "b": grads.db}


# --- Checks of arguments ------------------------------------------------------------------------------------------------


def _rows(x: Any, last: str) -> str:
    """Axes of an array that is (N, last) or (N, T, last)."""
    return f"N {last}" if isinstance(x, np.ndarray) and x.ndim == 2 else f"N T {last}"


def _check_integers(operation: str, name: str, array: Any) -> None:
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "iu":
        kind = array.dtype if isinstance(array, np.ndarray) else type(array).__name__
        raise DTypeError(
            f"{operation}: {name} must be an array of integers, got {kind}; use np.asarray({name}, np.int64)"
        )


def _check_mask(operation: str, mask: Array | None, x: Array) -> Array:
    """The mask itself, or one that says yes to every step of x (N, T, D)."""
    N, T, _ = x.shape
    if mask is None:
        return np.ones((N, T), bool)
    if not isinstance(mask, np.ndarray) or mask.dtype != np.bool_:
        kind = mask.dtype if isinstance(mask, np.ndarray) else type(mask).__name__
        raise DTypeError(
            f"{operation}: mask must be an array of bool, True at valid steps, got {kind}; of lengths, padding_mask makes one"
        )
    if mask.shape != (N, T):
        hint = "; did you pass mask.T?" if mask.shape == (T, N) else ""
        raise ShapeError(f"{operation}: mask must be (N, T) = ({N}, {T}), got {mask.shape}{hint}")
    return mask


def _check_dropout(operation: str, name: str, rate: float, rng: Generator | None, training: bool) -> None:
    if not 0 <= rate < 1:
        raise ArgumentError(f"{operation}: {name} must be at least 0 and below 1, got {rate}")
    if training and rate > 0 and not isinstance(rng, Generator):
        raise ArgumentError(
            f"{operation}: rng must be a numpy.random.Generator where numbers are dropped, got {type(rng).__name__}; use "
            "np.random.default_rng(seed), or training=False in evaluation"
        )


def _check_weights(operation: str, argument: str, weights: Sequence[Params], count: int) -> None:
    if not isinstance(weights, Sequence) or len(weights) != count or count == 0:
        expected = f"{count} dicts" if count else "at least one dict"
        got = len(weights) if isinstance(weights, Sequence) else type(weights).__name__
        raise ArgumentError(f"{operation}: {argument} must be {expected} of weights in a list, got {got}")
    for k, params in enumerate(weights):
        check_same_names(operation, AXES, **{f"{argument}[{k}]": params})


def _check_states(
    operation: str, x: Array, h0: Array, c0: Array, argument: str, weights: Sequence[Params], stacked: bool
) -> None:
    """Check x, the states and all weights together. Each dict takes x; where they are stacked, only the first one does."""
    arrays: dict[str, tuple[Array, str]] = {
        "x": (x, "N T D"),
        "h0": (h0, f"{len(weights)} N H"),
        "c0": (c0, f"{len(weights)} N H"),
    }
    for k, params in enumerate(weights):
        above = stacked and k > 0
        arrays |= {
            f'{argument}[{k}]["{name}"]': (params[name], "H 4H" if above and name == "Wx" else axes)
            for name, axes in AXES.items()
        }
    check_arrays(operation, {}, **arrays)


def _check_last(
    operation: str,
    dh: Array,
    width: str,
    count: int,
    sizes: dict[str, int],
    cache: MaskedCache,
    dcT: Array | None,
    dhT: Array | None,
) -> tuple[Array, Array]:
    """Check the gradients of the output and of the last states; those that are None become zeros."""
    zeros = np.zeros((count, sizes["N"], sizes["H"]), cache.Wx.dtype)
    dcT, dhT = zeros if dcT is None else dcT, zeros if dhT is None else dhT
    check_arrays(
        operation,
        sizes,
        dh=(dh, f"N T {width}"),
        dcT=(dcT, f"{count} N H"),
        dhT=(dhT, f"{count} N H"),
        **{"cache.Wx": (cache.Wx, "D 4H")},
    )
    return dcT, dhT

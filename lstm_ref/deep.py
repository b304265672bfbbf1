"""Several layers that run over time: one in each direction, and one on another. LSTMs, GRUs or plain RNNs.

An LSTM has a state (h, c), the others h alone. So for ``cell="gru"`` and ``cell="rnn"`` c0 is None, and so are cT, dcT and dc0.
A GRU has a bh among its weights where the reset gate acts after the product, and none where it acts before.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.random import Generator

from lstm_ref.arguments import check_mask
from lstm_ref.cells import CELLS, Cell, Params, check_cell, check_weights, state_pair
from lstm_ref.dropout import DropoutCache, check_dropout, dropout_backward, dropout_forward
from lstm_ref.errors import ArgumentError, Array, check_arrays, check_cache
from lstm_ref.masked import MaskedCache, backward_masked, forward_masked

# --- Bidirectional ------------------------------------------------------------------------------------------------------


class BidirectionalCache(NamedTuple):
    """What `bidirectional_backward` needs from `bidirectional_forward`."""

    there: MaskedCache
    back: MaskedCache


class BidirectionalGrads(NamedTuple):
    """Gradient of the loss with respect to each argument of `bidirectional_forward`."""

    dx: Array  # (N, T, D)
    dh0: Array  # (2, N, H)
    dc0: Array | None  # (2, N, H), None where the cell has no cell state
    directions: tuple[dict[str, Array], dict[str, Array]]  # each under the names of the weights


def bidirectional_forward(
    x: Array,
    h0: Array,
    c0: Array | None,
    directions: Sequence[Params],
    mask: Array | None = None,
    *,
    cell: str = "lstm",
) -> tuple[Array, tuple[Array, Array | None], BidirectionalCache]:
    """Two layers, one from the first step to the last and one from the last to the first, their outputs side by side.

    With a mask, the second one starts at the last valid step of each sequence, and not in its padding.

    Parameters
    ----------
    x : (N, T, D)
    h0, c0 : (2, N, H), one state a direction; c0 is None where the cell has no cell state
    directions : two dicts of weights, forward and reverse; {"Wx": (D, 4H), "Wh": (H, 4H), "b": (4H,)} for an LSTM
    mask : (N, T), True at valid steps; None means that all are
    cell : "lstm", "gru" or "rnn"

    Returns
    -------
    h : (N, T, 2H): ``h[n, t, :H]`` has seen steps 0 to t, ``h[n, t, H:]`` steps t to the end; 0 at masked steps
    (hT, cT) : each (2, N, H), the state of each direction after the last step that it took; that of the second one belongs
        to the first valid step of x. cT is None where the cell has no cell state
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
    kind = check_cell("bidirectional_forward", cell, c0)
    _check_list("bidirectional_forward", kind, "directions", directions, 2)
    states = _check_states("bidirectional_forward", kind, x, h0, c0, "directions", directions, stacked=False)
    mask = check_mask("bidirectional_forward", mask, x.shape[:2])
    h_there, last_there, there = forward_masked(cell, x, [s[0] for s in states], directions[0], mask)
    h_back, last_back, back = forward_masked(cell, x, [s[1] for s in states], directions[1], mask, reverse=True)
    last = [np.stack(pair) for pair in zip(last_there, last_back, strict=True)]
    return np.concatenate([h_there, h_back], axis=2), state_pair(last), BidirectionalCache(there, back)


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
    there, back = cache
    dlast = _check_last("bidirectional_backward", dh, "2H", 2, there, dcT, dhT)
    H = len(there.weights["Wh"])
    dx_there, first_there, dw_there = backward_masked(dh[:, :, :H], there, [part[0] for part in dlast])
    dx_back, first_back, dw_back = backward_masked(dh[:, :, H:], back, [part[1] for part in dlast])
    dh0, dc0 = state_pair([np.stack(pair) for pair in zip(first_there, first_back, strict=True)])
    return BidirectionalGrads(dx_there + dx_back, dh0, dc0, (dw_there, dw_back))


# --- Stacked ------------------------------------------------------------------------------------------------------------


class StackedCache(NamedTuple):
    """What `stacked_backward` needs from `stacked_forward`."""

    layers: tuple[MaskedCache, ...]
    dropouts: tuple[DropoutCache, ...]  # one for each gap between two layers


class StackedGrads(NamedTuple):
    """Gradient of the loss with respect to each argument of `stacked_forward`."""

    dx: Array  # (N, T, D)
    dh0: Array  # (L, N, H)
    dc0: Array | None  # (L, N, H), None where the cell has no cell state
    layers: tuple[dict[str, Array], ...]  # each under the names of the weights


def stacked_forward(
    x: Array,
    h0: Array,
    c0: Array | None,
    layers: Sequence[Params],
    mask: Array | None = None,
    *,
    cell: str = "lstm",
    dropout: float = 0.0,
    rng: Generator | None = None,
    training: bool = True,
    variational: bool = False,
) -> tuple[Array, tuple[Array, Array | None], StackedCache]:
    """L layers, one on another: the output of each is the input of the next, with dropout between.

    Parameters
    ----------
    x : (N, T, D)
    h0, c0 : (L, N, H), one state a layer; c0 is None where the cell has no cell state
    layers : L dicts of weights, the lowest first; {"Wx": (D, 4H), "Wh": (H, 4H), "b": (4H,)} for an LSTM; from the second on,
        D is H
    mask : (N, T), True at valid steps; None means that all are
    cell : "lstm", "gru" or "rnn"
    dropout : rate, from 0 to below 1, of the dropout between two layers; neither x nor the output of the last one is dropped
    rng : numpy.random.Generator for it
    training : False for evaluation: nothing is dropped
    variational : the same units are dropped at all time steps of a sequence

    Returns
    -------
    h : (N, T, H), output of the last layer; 0 at masked steps
    (hT, cT) : each (L, N, H), the state of each layer after the last valid step; cT is None where the cell has no cell state
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
    kind = check_cell("stacked_forward", cell, c0)
    _check_list("stacked_forward", kind, "layers", layers, len(layers))
    states = _check_states("stacked_forward", kind, x, h0, c0, "layers", layers, stacked=True)
    check_dropout("stacked_forward", "dropout", dropout, rng, training)
    mask = check_mask("stacked_forward", mask, x.shape[:2])
    h, lasts, caches, dropouts = x, [], [], []
    for k, weights in enumerate(layers):
        if k > 0:
            h, dropped = dropout_forward(h, dropout, rng, training=training, variational=variational)
            dropouts.append(dropped)
        h, last, cache = forward_masked(cell, h, [part[k] for part in states], weights, mask)
        lasts.append(last)
        caches.append(cache)
    last = tuple(np.stack(parts) for parts in zip(*lasts, strict=True))
    return h, state_pair(last), StackedCache(tuple(caches), tuple(dropouts))


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
    dlast = _check_last("stacked_backward", dh, "H", len(layers), layers[0], dcT, dhT)
    firsts, grads = [], []
    for k in reversed(range(len(layers))):
        dh, first, dw = backward_masked(dh, layers[k], [part[k] for part in dlast])
        firsts.append(first)
        grads.append(dw)
        if k > 0:
            dh = dropout_backward(dh, dropouts[k - 1])
    dh0, dc0 = state_pair([np.stack(parts[::-1]) for parts in zip(*firsts, strict=True)])
    return StackedGrads(dh, dh0, dc0, tuple(grads[::-1]))


# --- Checks of arguments ------------------------------------------------------------------------------------------------


def _check_list(operation: str, cell: Cell, argument: str, weights: Sequence[Params], count: int) -> None:
    if not isinstance(weights, Sequence) or len(weights) != count or count == 0:
        expected = f"{count} dicts" if count else "at least one dict"
        got = len(weights) if isinstance(weights, Sequence) else type(weights).__name__
        raise ArgumentError(f"{operation}: {argument} must be {expected} of weights in a list, got {got}")
    check_weights(operation, cell, **{f"{argument}[{k}]": params for k, params in enumerate(weights)})


def _check_states(
    operation: str,
    cell: Cell,
    x: Array,
    h0: Array,
    c0: Array | None,
    argument: str,
    weights: Sequence[Params],
    stacked: bool,
) -> list[Array]:
    """Check x, the states and all weights together. Each dict takes x; where they are stacked, only the first one does."""
    states = {"h0": h0} if c0 is None else {"h0": h0, "c0": c0}
    arrays: dict[str, tuple[Array, str]] = {"x": (x, "N T D")}
    arrays |= {name: (state, f"{len(weights)} N H") for name, state in states.items()}
    for k, params in enumerate(weights):
        above = stacked and k > 0
        arrays |= {
            f'{argument}[{k}]["{name}"]': (params[name], axes.replace("D", "H") if above else axes)
            for name, axes in cell.axes(params).items()
        }
    check_arrays(operation, {}, **arrays)
    return list(states.values())


def _check_last(
    operation: str, dh: Array, width: str, count: int, cache: MaskedCache, dcT: Array | None, dhT: Array | None
) -> list[Array]:
    """Check the gradients of the output and of the last states; those that are None become zeros."""
    cell, Wx = CELLS[cache.cell], cache.weights["Wx"]
    (N, T), H = cache.mask.shape, len(cache.weights["Wh"])
    if "c" not in cell.states and dcT is not None:
        raise ArgumentError(f'{operation}: dcT must be None where cell is "{cache.cell}", got an array')
    given = {f"d{name}T": part for name, part in (("h", dhT), ("c", dcT)) if name in cell.states}
    full = {name: np.zeros((count, N, H), Wx.dtype) if part is None else part for name, part in given.items()}
    check_arrays(
        operation,
        {"N": N, "T": T, "H": H},
        dh=(dh, f"N T {width}"),
        **{name: (part, f"{count} N H") for name, part in full.items()},
        **{"cache.Wx": (Wx, f"D {cell.blocks}H")},
    )
    return list(full.values())

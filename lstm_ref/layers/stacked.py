"""Several layers that run over time: one in each direction, and one on another. LSTMs, GRUs or
plain RNNs.

An LSTM has a state (h, c), the others h alone. So for ``cell="gru"`` and ``cell="rnn"`` c0 is None,
and so are cT, dcT and dc0. A GRU has a bh among its weights where the reset gate acts after the
product, and none where it acts before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.random import Generator

from lstm_ref.arguments import check_mask
from lstm_ref.errors import ArgumentError, Array, check_arrays, check_cache
from lstm_ref.layers.cells import CELLS, Cell, Params, check_cell, check_weights, state_pair
from lstm_ref.layers.dropout import DropoutCache, check_dropout, dropout_backward, dropout_forward
from lstm_ref.layers.masked import MaskedCache, backward_masked, forward_masked

# --- Bidirectional
# --------------------------------------------------------------------------------------------------


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
    """Two layers, one from the first step to the last and one from the last to the first, their
    outputs side by side.

    With a mask, the second one starts at the last valid step of each sequence, and not in its
    padding.

    Parameters
    ----------
    x : (N, T, D)
    h0, c0 : (2, N, H), one state a direction; c0 is None where the cell has no cell state
    directions : two dicts of weights, forward and reverse; {"Wx": (D, 4H), "Wh": (H, 4H), "b":
        (4H,)} for an LSTM
    mask : (N, T), True at valid steps; None means that all are
    cell : "lstm", "gru" or "rnn"

    Returns
    -------
    h : (N, T, 2H): ``h[n, t, :H]`` has seen steps 0 to t, ``h[n, t, H:]`` steps t to the end; 0 at
        masked steps
    (hT, cT) : each (2, N, H), the state of each direction after the last step that it took; that of
        the second one belongs to the first valid step of x. cT is None where the cell has no cell
        state
    cache : BidirectionalCache

    Raises
    ------
    ArgumentError, ShapeError, DTypeError, NotFiniteError : an argument that does not fit, by name

    Notes
    -----
    Source: Schuster and Paliwal (1997). For several such layers, give h as the x of the next one,
    whose D is then 2H.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> directions = [
    ...     {"Wx": rng.normal(size=(3, 8)), "Wh": rng.normal(size=(2, 8)), "b": np.zeros(8)}
    ...     for _ in range(2)
    ... ]
    >>> h, (hT, cT), cache = bidirectional_forward(
    ...     rng.normal(size=(1, 5, 3)), np.zeros((2, 1, 2)), np.zeros((2, 1, 2)), directions
    ... )
    >>> h.shape, bool((h[:, -1, :2] == hT[0]).all()), bool((h[:, 0, 2:] == hT[1]).all())
    ((1, 5, 4), True, True)
    """
    kind = check_cell("bidirectional_forward", cell, c0)
    _check_list("bidirectional_forward", kind, "directions", directions, 2)
    named = {f"directions[{d}]": params for d, params in enumerate(directions)}
    states = _check_states("bidirectional_forward", kind, x, h0, c0, named, "DD")
    mask = check_mask("bidirectional_forward", mask, x.shape[:2])
    h_there, last_there, there = forward_masked(
        cell, x, [s[0] for s in states], directions[0], mask
    )
    h_back, last_back, back = forward_masked(
        cell, x, [s[1] for s in states], directions[1], mask, reverse=True
    )
    last = [np.stack(pair) for pair in zip(last_there, last_back, strict=True)]
    return (
        np.concatenate([h_there, h_back], axis=2),
        state_pair(last),
        BidirectionalCache(there, back),
    )


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
    dx_there, first_there, dw_there = backward_masked(
        dh[:, :, :H], there, [part[0] for part in dlast]
    )
    dx_back, first_back, dw_back = backward_masked(dh[:, :, H:], back, [part[1] for part in dlast])
    dh0, dc0 = state_pair([np.stack(pair) for pair in zip(first_there, first_back, strict=True)])
    return BidirectionalGrads(dx_there + dx_back, dh0, dc0, (dw_there, dw_back))


# --- Stacked
# --------------------------------------------------------------------------------------------------


class StackedCache(NamedTuple):
    """What `stacked_backward` needs from `stacked_forward`."""

    layers: tuple[tuple[MaskedCache, ...], ...]  # one or two directions of each layer
    dropouts: tuple[DropoutCache, ...]  # one for each gap between two layers


class StackedGrads(NamedTuple):
    """Gradient of the loss with respect to each argument of `stacked_forward`."""

    dx: Array  # (N, T, D)
    dh0: Array  # (S, N, H)
    dc0: Array | None  # (S, N, H), None where the cell has no cell state
    # Under the names of the weights: one dict a layer, or two where it has two directions.
    layers: tuple[dict[str, Array] | tuple[dict[str, Array], ...], ...]


def stacked_forward(
    x: Array,
    h0: Array,
    c0: Array | None,
    layers: Sequence[Params | Sequence[Params]],
    mask: Array | None = None,
    *,
    cell: str = "lstm",
    dropout: float = 0.0,
    rng: Generator | None = None,
    training: bool = True,
    variational: bool = False,
) -> tuple[Array, tuple[Array, Array | None], StackedCache]:
    """Layers one on another: the output of each is the input of the next, with dropout between.

    Parameters
    ----------
    x : (N, T, D)
    h0, c0 : (S, N, H), one state for each layer and direction, in the order of torch.nn.LSTM: first
        layer forward, first layer reverse, second layer forward, ...; c0 is None where the cell has
        no cell state
    layers : for each layer, the lowest first, a dict of weights, or a list of two, forward and
        reverse; {"Wx": (D, 4H), "Wh": (H, 4H), "b": (4H,)} for an LSTM. From the second layer on, D
        is H, or 2H where the layer below has two directions
    mask : (N, T), True at valid steps; None means that all are
    cell : "lstm", "gru" or "rnn"
    dropout : rate, from 0 to below 1, of the dropout between two layers; neither x nor the output
        of the last one is dropped
    rng : numpy.random.Generator for it
    training : False for evaluation: nothing is dropped
    variational : the same units are dropped at all time steps of a sequence

    Returns
    -------
    h : (N, T, H), output of the last layer, or (N, T, 2H) where that has two directions; 0 at
        masked steps
    (hT, cT) : each (S, N, H), the state of each layer and direction after the last step that it
        took; cT is None where the cell has no cell state
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
    >>> layers = [
    ...     {"Wx": rng.normal(size=(D, 8)), "Wh": rng.normal(size=(2, 8)), "b": np.zeros(8)}
    ...     for D in (3, 2)
    ... ]
    >>> h, (hT, cT), cache = stacked_forward(
    ...     rng.normal(size=(1, 5, 3)),
    ...     np.zeros((2, 1, 2)),
    ...     np.zeros((2, 1, 2)),
    ...     layers,
    ...     dropout=0.5,
    ...     rng=rng,
    ... )
    >>> h.shape, hT.shape, bool((h[:, -1] == hT[1]).all())
    ((1, 5, 2), (2, 1, 2), True)

    Two directions below, one above:

    >>> both = [layers[0], layers[0]]
    >>> above = {"Wx": rng.normal(size=(4, 8)), "Wh": rng.normal(size=(2, 8)), "b": np.zeros(8)}
    >>> state = np.zeros((3, 1, 2))
    >>> stacked_forward(rng.normal(size=(1, 5, 3)), state, state, [both, above])[0].shape
    (1, 5, 2)
    """
    kind = check_cell("stacked_forward", cell, c0)
    sides = _by_direction(layers)
    named = {name: params for layer in sides for name, params in layer.items()}
    check_weights("stacked_forward", kind, **named)
    widths = ["D", *("H" if len(layer) == 1 else "2H" for layer in sides)]
    below = [width for layer, width in zip(sides, widths, strict=False) for _ in layer]
    states = _check_states("stacked_forward", kind, x, h0, c0, named, below)
    check_dropout("stacked_forward", "dropout", dropout, rng, training)
    mask = check_mask("stacked_forward", mask, x.shape[:2])
    h = x
    lasts: list[tuple[Array, ...]] = []  # the state of each layer and direction
    caches: list[tuple[MaskedCache, ...]] = []
    dropouts: list[DropoutCache] = []
    for layer in sides:
        if caches:
            h, dropped = dropout_forward(
                h, dropout, rng, training=training, variational=variational
            )
            dropouts.append(dropped)
        first = len(lasts)
        outputs = [
            forward_masked(
                cell, h, [part[first + d] for part in states], params, mask, reverse=d == 1
            )
            for d, params in enumerate(layer.values())
        ]
        h = _joined([out for out, _, _ in outputs])
        lasts += [last for _, last, _ in outputs]
        caches.append(tuple(cache for _, _, cache in outputs))
    last = tuple(np.stack(parts) for parts in zip(*lasts, strict=True))
    return h, state_pair(last), StackedCache(tuple(caches), tuple(dropouts))


def stacked_backward(
    dh: Array, cache: StackedCache, dcT: Array | None = None, dhT: Array | None = None
) -> StackedGrads:
    """All layers backward, the last one first.

    Parameters
    ----------
    dh : (N, T, H), gradient of the loss with respect to h; (N, T, 2H) where the last layer has two
        directions
    cache : StackedCache of the forward pass
    dcT, dhT : (S, N, H), gradients with respect to the last states; None means zeros

    Returns
    -------
    StackedGrads : dx, dh0, dc0, layers

    Raises
    ------
    ArgumentError, ShapeError, DTypeError, NotFiniteError : an argument that does not fit, by name
    """
    check_cache("stacked_backward", cache, StackedCache, "stacked_forward")
    layers, dropouts = cache
    count = sum(map(len, layers))
    width = "H" if len(layers[-1]) == 1 else "2H"
    dlast = _check_last("stacked_backward", dh, width, count, layers[0][0], dcT, dhT)
    firsts: list[tuple[Array, ...]] = []
    grads: list[dict[str, Array] | tuple[dict[str, Array], ...]] = []
    for k in reversed(range(len(layers))):
        count -= len(layers[k])
        parts = np.split(dh, len(layers[k]), axis=2)
        back = [
            backward_masked(part, direction, [last[count + d] for last in dlast])
            for d, (part, direction) in enumerate(zip(parts, layers[k], strict=True))
        ]
        dh = back[0][0] if len(back) == 1 else back[0][0] + back[1][0]
        firsts[:0] = [first for _, first, _ in back]
        grads.append(back[0][2] if len(back) == 1 else tuple(dw for _, _, dw in back))
        if k > 0:
            dh = dropout_backward(dh, dropouts[k - 1])
    dh0, dc0 = state_pair([np.stack(parts) for parts in zip(*firsts, strict=True)])
    return StackedGrads(dh, dh0, dc0, tuple(grads[::-1]))


def _joined(outputs: Sequence[Array]) -> Array:
    return outputs[0] if len(outputs) == 1 else np.concatenate(outputs, axis=2)


# --- Checks of arguments
# ------------------------------------------------------------------------------------------------


def _by_direction(layers: Sequence[Params | Sequence[Params]]) -> list[dict[str, Params]]:
    """The weights of each layer by the name under which a message speaks of them: one dict or
    two.
    """
    if not isinstance(layers, Sequence) or not layers:
        got = len(layers) if isinstance(layers, Sequence) else type(layers).__name__
        raise ArgumentError(
            f"stacked_forward: layers must be at least one dict of weights in a list, got {got}"
        )
    sides: list[dict[str, Params]] = []
    for k, layer in enumerate(layers):
        if isinstance(layer, Mapping):
            sides.append({f"layers[{k}]": layer})
        elif isinstance(layer, Sequence) and [isinstance(one, Mapping) for one in layer] == [
            True,
            True,
        ]:
            sides.append({f"layers[{k}][{d}]": one for d, one in enumerate(layer)})
        else:
            what = (
                f"a list of {len(layer)}" if isinstance(layer, Sequence) else type(layer).__name__
            )
            raise ArgumentError(
                f"stacked_forward: layers[{k}] must be a dict of weights, or a list of two, "
                f"forward and reverse, got {what}"
            )
    return sides


def _check_list(
    operation: str, cell: Cell, argument: str, weights: Sequence[Params], count: int
) -> None:
    if not isinstance(weights, Sequence) or len(weights) != count:
        got = len(weights) if isinstance(weights, Sequence) else type(weights).__name__
        raise ArgumentError(
            f"{operation}: {argument} must be {count} dicts of weights in a list, got {got}"
        )
    check_weights(
        operation, cell, **{f"{argument}[{k}]": params for k, params in enumerate(weights)}
    )


def _check_states(
    operation: str,
    cell: Cell,
    x: Array,
    h0: Array,
    c0: Array | None,
    weights: Mapping[str, Params],
    below: Sequence[str],
) -> list[Array]:
    """Check x, the states and all weights together; ``below`` is the width of what each dict reads:
    D, H or 2H.
    """
    states = {"h0": h0} if c0 is None else {"h0": h0, "c0": c0}
    arrays: dict[str, tuple[Array, str]] = {"x": (x, "N T D")}
    arrays |= {name: (state, f"{len(weights)} N H") for name, state in states.items()}
    for (argument, params), width in zip(weights.items(), below, strict=True):
        arrays |= {
            f'{argument}["{name}"]': (params[name], axes.replace("D", width))
            for name, axes in cell.axes(params).items()
        }
    check_arrays(operation, {}, **arrays)
    return list(states.values())


def _check_last(
    operation: str,
    dh: Array,
    width: str,
    count: int,
    cache: MaskedCache,
    dcT: Array | None,
    dhT: Array | None,
) -> list[Array]:
    """Check the gradients of the output and of the last states; those that are None become
    zeros.
    """
    cell, Wx = CELLS[cache.cell], cache.weights["Wx"]
    (N, T), H = cache.mask.shape, len(cache.weights["Wh"])
    if "c" not in cell.states and dcT is not None:
        raise ArgumentError(
            f'{operation}: dcT must be None where cell is "{cache.cell}", got an array'
        )
    given = {f"d{name}T": part for name, part in (("h", dhT), ("c", dcT)) if name in cell.states}
    full = {
        name: np.zeros((count, N, H), Wx.dtype) if part is None else part
        for name, part in given.items()
    }
    check_arrays(
        operation,
        {"N": N, "T": T, "H": H},
        dh=(dh, f"N T {width}"),
        **{name: (part, f"{count} N H") for name, part in full.items()},
        **{"cache.Wx": (Wx, f"D {cell.blocks}H")},
    )
    return list(full.values())

"""Truncated backpropagation through time: a long sequence in segments; the state goes on, the
gradient does not.

Forward nothing changes: each segment starts from the state in which the one before it ended.
Backward, each segment takes its first state for a number that was given, so that a loss reaches
back to the start of its own segment and no further.

A training loop walks the segments and may change the weights after each of them:

    state = h0, c0
    for part in segments(T, length):
        h, state, cache = lstm_forward(x[:, part], *state, **weights)  # the state is carried
        loss, dh = ...  # of this segment
        grads = lstm_backward(dh, cache)  # no dcT: nothing comes back from the next segment
        weights = sgd(weights, {"Wx": grads.dWx, "Wh": grads.dWh, "b": grads.db}, lr)

`truncated_forward` and `truncated_backward` do the same with one set of weights, so that the
truncated gradient can be looked at.

Three mistakes are classic:

1. *The state is not carried.* Each segment starts from zeros, and nothing that lies before it can
   be used, not even forward.
2. *The gradient is not stopped.* Here that is to hand dh0 and dc0 of one segment to the one before
   it, computed with other weights; in PyTorch it is to forget ``detach``: time and memory grow with
   each segment, or "backward through the graph a second time" is raised.
3. *The state goes to another sequence.* Row n of the next segment must go on where row n of this
   one ended. Batches that are shuffled, or rows that start a new text, get the end of a stranger:
   set their rows of the state back to zero.

The length of the segments bounds what the gradient can teach, not what the state can carry: a
network may use what is older than one segment, but only by means that it learnt within one.

Source: Williams and Peng (1990), who let segments overlap, too; Tallec and Ollivier (2017) on how
the cut biases the gradient.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from lstm_ref.arguments import check_mask
from lstm_ref.errors import ArgumentError, Array, check_arrays, check_cache
from lstm_ref.layers.cells import CELLS, Params, check_cell, check_weights, state_pair
from lstm_ref.layers.masked import MaskedCache, backward_masked, forward_masked


class TruncatedCache(NamedTuple):
    """What `truncated_backward` needs from `truncated_forward`; the weights are the caller's
    arrays, not copies.
    """

    length: int
    segments: tuple[MaskedCache, ...]


class TruncatedGrads(NamedTuple):
    """Truncated gradient with respect to each argument of `truncated_forward`."""

    dx: Array  # (N, T, D)
    dh0: Array  # (N, H), of the first segment's losses alone
    dc0: Array | None  # (N, H), None where the cell has no cell state
    weights: dict[str, Array]  # under the names of the weights


def segments(T: int, length: int) -> Iterator[slice]:
    """The time steps of each segment; the last one may be shorter.

    Parameters
    ----------
    T : time steps in all
    length : time steps in a segment, at least 1

    Returns
    -------
    parts : iterator over slices, for ``x[:, part]``

    Raises
    ------
    ArgumentError : a number below 1, by name

    Examples
    --------
    >>> [(part.start, part.stop) for part in segments(7, 3)]
    [(0, 3), (3, 6), (6, 7)]
    """
    for name, number in (("T", T), ("length", length)):
        if not isinstance(number, int | np.integer) or number < 1:
            raise ArgumentError(
                f"segments: {name} must be an integer of at least 1, got {number!r}"
            )
    # A generator of its own, so that a wrong length is named here and not where the first slice is
    # asked for.
    return (
        slice(start, min(start + int(length), int(T))) for start in range(0, int(T), int(length))
    )


def truncated_forward(
    x: Array,
    h0: Array,
    c0: Array | None,
    weights: Params,
    length: int,
    mask: Array | None = None,
    *,
    cell: str = "lstm",
) -> tuple[Array, tuple[Array, Array | None], TruncatedCache]:
    """All segments forward, one after the other: the same numbers as the whole sequence at once.

    Parameters
    ----------
    x : (N, T, D)
    h0, c0 : (N, H); c0 is None where the cell has no cell state
    weights : {"Wx": (D, 4H), "Wh": (H, 4H), "b": (4H,)} for an LSTM
    length : time steps in a segment
    mask : (N, T), True at valid steps; None means that all are
    cell : "lstm", "gru" or "rnn"

    Returns
    -------
    h : (N, T, H), the hidden state after every valid step, 0 at masked ones
    (hT, cT) : each (N, H), the state after the last valid step; cT is None where the cell has no
    cell state
    cache : TruncatedCache

    Raises
    ------
    ArgumentError, ShapeError, DTypeError, NotFiniteError : an argument that does not fit, by name

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> weights = {"Wx": rng.normal(size=(3, 8)), "Wh": rng.normal(size=(2, 8)), "b": np.zeros(8)}
    >>> x, zeros = rng.normal(size=(1, 7, 3)), np.zeros((1, 2))
    >>> cut, _, cache = truncated_forward(x, zeros, zeros, weights, length=3)
    >>> whole, _, _ = truncated_forward(x, zeros, zeros, weights, length=7)
    >>> np.allclose(cut, whole), len(cache.segments)
    (True, 3)
    """
    kind = check_cell("truncated_forward", cell, c0)
    check_weights("truncated_forward", kind, weights=weights)
    states = {"h0": h0} if c0 is None else {"h0": h0, "c0": c0}
    check_arrays(
        "truncated_forward",
        {},
        x=(x, "N T D"),
        **{name: (state, "N H") for name, state in states.items()},
        **{name: (weights[name], axes) for name, axes in kind.axes(weights).items()},
    )
    mask = check_mask("truncated_forward", mask, x.shape[:2])
    state, parts, caches = tuple(states.values()), [], []
    for part in segments(x.shape[1], length):
        h, state, cache = forward_masked(cell, x[:, part], state, weights, mask[:, part])
        parts.append(h)
        caches.append(cache)
    return (
        np.concatenate(parts, axis=1),
        state_pair(state),
        TruncatedCache(int(length), tuple(caches)),
    )


def truncated_backward(
    dh: Array, cache: TruncatedCache, dcT: Array | None = None, dhT: Array | None = None
) -> TruncatedGrads:
    """All segments backward, each on its own: the sum of what their losses say of the weights,
    their first states held fixed.

    With one segment this is the full gradient. With more, what is missing is each path from a loss
    to a step of an earlier segment.

    Parameters
    ----------
    dh : (N, T, H), gradient of the loss with respect to h
    cache : TruncatedCache of the forward pass
    dcT, dhT : (N, H), gradients with respect to the last states; None means zeros. They belong to
        the last segment: of a sequence that a mask ended in an earlier one, the last state is a
        given number there, and nothing reaches its weights. A loss that looks at the end of such a
        sequence takes h at its last valid step, and goes into dh

    Returns
    -------
    TruncatedGrads : dx, dh0, dc0, weights

    Raises
    ------
    ArgumentError, ShapeError, DTypeError, NotFiniteError : an argument that does not fit, by name
    """
    check_cache("truncated_backward", cache, TruncatedCache, "truncated_forward")
    length, caches = cache
    cell, Wx = CELLS[caches[0].cell], caches[0].weights["Wx"]
    N, H = len(caches[0].mask), len(caches[0].weights["Wh"])
    T = sum(segment.mask.shape[1] for segment in caches)
    if "c" not in cell.states and dcT is not None:
        raise ArgumentError(
            f'truncated_backward: dcT must be None where cell is "{caches[0].cell}", got an array'
        )
    nothing = np.zeros((N, H), Wx.dtype)
    given = {f"d{name}T": part for name, part in (("h", dhT), ("c", dcT)) if name in cell.states}
    full = {name: nothing if part is None else part for name, part in given.items()}
    check_arrays(
        "truncated_backward",
        {"N": N, "T": T, "H": H},
        dh=(dh, "N T H"),
        **{name: (part, "N H") for name, part in full.items()},
        **{"cache.Wx": (Wx, f"D {cell.blocks}H")},
    )
    dx, dw = [], {name: np.zeros_like(array) for name, array in caches[0].weights.items()}
    dlast = tuple(full.values())
    for part, segment in reversed(list(zip(segments(T, length), caches, strict=True))):
        dx_part, dfirst, grads = backward_masked(dh[:, part], segment, dlast)
        dx.append(dx_part)
        dw = {name: total + grads[name] for name, total in dw.items()}
        # the cut: what this segment says of its first state is not passed on
        dlast = tuple(nothing for _ in dlast)
    dh0, dc0 = state_pair(dfirst)
    return TruncatedGrads(np.concatenate(dx[::-1], axis=1), dh0, dc0, dw)

"""A whole sequence through one LSTM layer, forward and backward.

The inputs of all time steps are known at once, so their share of the pre-activations is one matrix product for the whole
sequence; only h_prev Wh has to wait for the step before. Backward, the gradients of Wx, Wh and x are again one product each.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from lstm_ref.cell import sigmoid
from lstm_ref.errors import Array, check_arrays, check_cache


class SequenceCache(NamedTuple):
    """What `lstm_backward` needs from `lstm_forward`; the time axis comes first, so that one step is contiguous.

    Wx and Wh are the caller's arrays, not copies: leave them as they are until the backward pass is done. All else belongs
    to the cache alone.
    """

    x: Array  # (T, N, D)
    h: Array  # (T+1, N, H), h[0] is h0
    c: Array  # (T+1, N, H), c[0] is c0
    gates: Array  # (T, N, 4H): i, f, g, o after their activations
    Wx: Array  # (D, 4H)
    Wh: Array  # (H, 4H)


class SequenceGrads(NamedTuple):
    """Gradient of the loss with respect to each argument of `lstm_forward`."""

    dx: Array  # (N, T, D)
    dh0: Array  # (N, H)
    dc0: Array  # (N, H)
    dWx: Array  # (D, 4H)
    dWh: Array  # (H, 4H)
    db: Array  # (4H,)


def lstm_forward(
    x: Array, h0: Array, c0: Array, Wx: Array, Wh: Array, b: Array
) -> tuple[Array, tuple[Array, Array], SequenceCache]:
    """All time steps forward.

    Parameters
    ----------
    x : (N, T, D)
    h0, c0 : (N, H)
    Wx : (D, 4H), blocks in the order i, f, g, o
    Wh : (H, 4H)
    b : (4H,)

    Returns
    -------
    h : (N, T, H), the hidden state after every step
    (hT, cT) : each (N, H), the state after the last step
    cache : SequenceCache

    Raises
    ------
    ShapeError, DTypeError, NotFiniteError : an argument that does not fit, by name

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> N, T, D, H = 2, 5, 3, 4
    >>> h, (hT, cT), cache = lstm_forward(rng.normal(size=(N, T, D)), np.zeros((N, H)), np.zeros((N, H)),
    ...     rng.normal(size=(D, 4 * H)), rng.normal(size=(H, 4 * H)), np.zeros(4 * H))
    >>> h.shape, hT.shape, bool((h[:, -1] == hT).all())
    ((2, 5, 4), (2, 4), True)
    """
    sizes: dict[str, int] = {}
    check_arrays(
        "lstm_forward",
        sizes,
        x=(x, "N T D"),
        h0=(h0, "N H"),
        c0=(c0, "N H"),
        Wx=(Wx, "D 4H"),
        Wh=(Wh, "H 4H"),
        b=(b, "4H"),
    )
    N, T, D, H = (sizes[letter] for letter in "NTDH")
    x = x.swapaxes(0, 1).copy()  # (T, N, D)
    a_x = (x.reshape(T * N, D) @ Wx + b).reshape(T, N, 4 * H)

    h = np.empty((T + 1, N, H), x.dtype)
    c = np.empty((T + 1, N, H), x.dtype)
    gates = np.empty((T, N, 4 * H), x.dtype)
    h[0], c[0] = h0, c0
    for t in range(T):
        a_i, a_f, a_g, a_o = np.split(a_x[t] + h[t] @ Wh, 4, axis=1)
        i, f, g, o = np.split(gates[t], 4, axis=1)  # views: what is written here stays in the cache
        i[:], f[:], o[:] = sigmoid(a_i), sigmoid(a_f), sigmoid(a_o)
        g[:] = np.tanh(a_g)
        c[t + 1] = f * c[t] + i * g
        h[t + 1] = o * np.tanh(c[t + 1])
    # Copies: the caller may write into what it gets, and the cache must not notice.
    return h[1:].swapaxes(0, 1).copy(), (h[T].copy(), c[T].copy()), SequenceCache(x, h, c, gates, Wx, Wh)


def lstm_backward(dh: Array, cache: SequenceCache, dcT: Array | None = None) -> SequenceGrads:
    """All time steps backward: backpropagation through time.

    Parameters
    ----------
    dh : (N, T, H), immediate gradient of the loss with respect to the hidden state of every step
    cache : SequenceCache of the forward pass
    dcT : (N, H), gradient with respect to the last cell state; None means zeros (a loss that looks at hidden states only).
        A gradient with respect to hT has no argument of its own: hT is ``h[:, -1]``, so add it to ``dh[:, -1]``

    Returns
    -------
    SequenceGrads : dx, dh0, dc0, dWx, dWh, db

    Raises
    ------
    ArgumentError, ShapeError, DTypeError, NotFiniteError : an argument that does not fit, by name
    """
    check_cache("lstm_backward", cache, SequenceCache, "lstm_forward")
    x, h, c, gates, Wx, Wh = cache
    T, N, D = x.shape
    H = h.shape[2]
    dcT = np.zeros_like(c[0]) if dcT is None else dcT
    check_arrays(
        "lstm_backward", {"N": N, "T": T, "H": H}, dh=(dh, "N T H"), dcT=(dcT, "N H"), **{"cache.c": (c[0], "N H")}
    )

    da = np.empty_like(gates)
    dh_next = np.zeros_like(h[0])  # what step t+1 sends back along h
    dc_next = dcT  # and along c
    for t in reversed(range(T)):
        i, f, g, o = np.split(gates[t], 4, axis=1)
        da_i, da_f, da_g, da_o = np.split(da[t], 4, axis=1)  # views into da
        dh_total = dh[:, t] + dh_next
        tanh_c = np.tanh(c[t + 1])
        dc_total = dc_next + dh_total * o * (1 - tanh_c**2)
        da_i[:] = dc_total * g * i * (1 - i)
        da_f[:] = dc_total * c[t] * f * (1 - f)
        da_g[:] = dc_total * i * (1 - g**2)
        da_o[:] = dh_total * tanh_c * o * (1 - o)
        dh_next = da[t] @ Wh.T
        dc_next = dc_total * f

    # Every step shares the same weights, so its gradients add up: over time and batch in one product each.
    da_flat = da.reshape(T * N, 4 * H)
    return SequenceGrads(
        dx=(da_flat @ Wx.T).reshape(T, N, D).swapaxes(0, 1).copy(),
        dh0=dh_next,
        dc0=dc_next,
        dWx=x.reshape(T * N, D).T @ da_flat,
        dWh=h[:T].reshape(T * N, H).T @ da_flat,
        db=da_flat.sum(axis=0),
    )

"""A whole sequence through one LSTM layer, forward and backward: the equations of `lstm_ref.cell`,
arranged for speed.

One product for all inputs. The inputs of all time steps are known at once, so their share of the
    pre-activations is one matrix product for the whole sequence; only h_prev Wh has to wait for the
    step before. Backward, the gradients of Wx, Wh and x are again one product each.
One tanh for all gates. sigmoid(a) = 0.5 tanh(0.5 a) + 0.5, so with the columns of i, f and o halved
    beforehand, the four gates are tanh of one array, times 0.5 or 1, plus 0.5 or 0. Backward, the
    slope of a sigmoid is s (1 - s), that of tanh is (1 + s) (1 - s): again one expression with 0 or
    1 in front.
No new memory in a loop. Every step writes into arrays that were made before the loop (``out=``).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from lstm_ref.errors import Array, check_arrays, check_cache


class SequenceCache(NamedTuple):
    """What `lstm_backward` needs from `lstm_forward`; the time axis comes first, so that one step
    is contiguous.

    Wx and Wh are the caller's arrays, not copies: leave them as they are until the backward pass is
    done. All else belongs to the cache alone.
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
    >>> h, (hT, cT), cache = lstm_forward(
    ...     rng.normal(size=(N, T, D)),
    ...     np.zeros((N, H)),
    ...     np.zeros((N, H)),
    ...     rng.normal(size=(D, 4 * H)),
    ...     rng.normal(size=(H, 4 * H)),
    ...     np.zeros(4 * H),
    ... )
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
    scale = _by_gate(H, x.dtype, sigmoid=0.5, tanh=1)  # (4H,)
    shift = _by_gate(H, x.dtype, sigmoid=0.5, tanh=0)
    Wh_scaled = Wh * scale

    # the inputs' share; each step makes gates of it
    gates = (x.reshape(T * N, D) @ (Wx * scale)).reshape(T, N, 4 * H)
    gates += b * scale
    i, f, g, o = np.split(gates, 4, axis=2)  # views
    h = np.empty((T + 1, N, H), x.dtype)
    c = np.empty((T + 1, N, H), x.dtype)
    h[0], c[0] = h0, c0
    a = np.empty((N, 4 * H), x.dtype)  # these two are used again at every step
    part = np.empty((N, H), x.dtype)
    for t in range(T):
        np.matmul(h[t], Wh_scaled, out=a)
        a += gates[t]
        np.tanh(a, out=a)
        a *= scale
        np.add(a, shift, out=gates[t])
        c_next = np.multiply(f[t], c[t], out=c[t + 1])  # c = f * c_prev + i * g
        c_next += np.multiply(i[t], g[t], out=part)
        np.multiply(o[t], np.tanh(c_next, out=part), out=h[t + 1])  # h = o * tanh(c)
    # Copies: the caller may write into what it gets, and the cache must not notice.
    return (
        h[1:].swapaxes(0, 1).copy(),
        (h[T].copy(), c[T].copy()),
        SequenceCache(x, h, c, gates, Wx, Wh),
    )


def lstm_backward(dh: Array, cache: SequenceCache, dcT: Array | None = None) -> SequenceGrads:
    """All time steps backward: backpropagation through time.

    Parameters
    ----------
    dh : (N, T, H), immediate gradient of the loss with respect to the hidden state of every step
    cache : SequenceCache of the forward pass
    dcT : (N, H), gradient with respect to the last cell state; None means zeros (a loss that looks
        at hidden states only). A gradient with respect to hT has no argument of its own: hT is
        ``h[:, -1]``, so add it to ``dh[:, -1]``

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
        "lstm_backward",
        {"N": N, "T": T, "H": H},
        dh=(dh, "N T H"),
        dcT=(dcT, "N H"),
        **{"cache.c": (c[0], "N H")},
    )

    i, f, g, o = np.split(gates, 4, axis=2)  # views
    da = np.empty(gates.shape, gates.dtype)
    da_i, da_f, da_g, da_o = np.split(da, 4, axis=2)  # views
    one_for_g = _by_gate(H, da.dtype, sigmoid=0, tanh=1)  # (4H,)
    WhT = Wh.T.copy()  # as rows of its own: BLAS multiplies by it at every step
    dh_total = np.zeros((N, H), da.dtype)  # before a step: what step t+1 sends back along h
    dc_total = dcT.copy()  # and along c
    part, slope = np.empty((N, H), da.dtype), np.empty((N, 4 * H), da.dtype)
    for t in reversed(range(T)):
        dh_total += dh[:, t]
        tanh_c = np.tanh(c[t + 1], out=part)
        np.multiply(dh_total, tanh_c, out=da_o[t])
        part *= tanh_c  # from here: dh_total * o * (1 - tanh_c**2)
        np.subtract(1, part, out=part)
        part *= o[t]
        part *= dh_total
        dc_total += part
        np.multiply(dc_total, g[t], out=da_i[t])
        np.multiply(dc_total, c[t], out=da_f[t])
        np.multiply(dc_total, i[t], out=da_g[t])
        # so far the gradients of i, f, g, o; times the slopes, those of the pre-activations
        da_t = da[t]
        da_t *= np.subtract(1, gates[t], out=slope)
        da_t *= np.add(one_for_g, gates[t], out=slope)
        dc_total *= f[t]
        np.matmul(da_t, WhT, out=dh_total)

    # Every step shares the same weights, so its gradients add up: over time and batch in one
    # product each.
    da_flat = da.reshape(T * N, 4 * H)
    return SequenceGrads(
        dx=(da_flat @ Wx.T).reshape(T, N, D).swapaxes(0, 1).copy(),
        dh0=dh_total,
        dc0=dc_total,
        dWx=x.reshape(T * N, D).T @ da_flat,
        dWh=h[:T].reshape(T * N, H).T @ da_flat,
        db=da_flat.sum(axis=0),
    )


def _by_gate(H: int, dtype: Any, sigmoid: float, tanh: float) -> Array:
    """One number for the columns of i, f and o, which go through a sigmoid, and one for those of g:
    (4H,).
    """
    return np.repeat(np.array([sigmoid, sigmoid, tanh, sigmoid], dtype), H)

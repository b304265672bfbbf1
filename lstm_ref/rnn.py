"""A plain recurrent layer, one step and a whole sequence, forward and backward: what the LSTM is
compared with.

Sizes: N examples, T time steps, D inputs, H hidden units.

    a   = x Wx + h_prev Wh + b          pre-activations, (N, H)
    h   = tanh(a)

There is no gate and no cell state: the old hidden state reaches the new one through Wh and tanh, at
every step.

Source: Elman (1990).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from lstm_ref.errors import Array, check_arrays, check_cache


class RNNStepCache(NamedTuple):
    """What one step backward needs from the step forward.

    Wx and Wh are the caller's arrays, not copies: leave them as they are until the step backward is
    done. All else belongs to the cache alone.
    """

    x: Array  # (N, D)
    h_prev: Array  # (N, H)
    h: Array  # (N, H)
    Wx: Array  # (D, H)
    Wh: Array  # (H, H)


class RNNStepGrads(NamedTuple):
    """Gradient of the loss with respect to each argument of `rnn_step`."""

    dx: Array  # (N, D)
    dh_prev: Array  # (N, H)
    dWx: Array  # (D, H)
    dWh: Array  # (H, H)
    db: Array  # (H,)


class RNNCache(NamedTuple):
    """What `rnn_backward` needs from `rnn_forward`; the time axis comes first, so that one step is
    contiguous.

    Wx and Wh are the caller's arrays, not copies: leave them as they are until the backward pass is
    done. All else belongs to the cache alone.
    """

    x: Array  # (T, N, D)
    h: Array  # (T+1, N, H), h[0] is h0
    Wx: Array  # (D, H)
    Wh: Array  # (H, H)


class RNNGrads(NamedTuple):
    """Gradient of the loss with respect to each argument of `rnn_forward`."""

    dx: Array  # (N, T, D)
    dh0: Array  # (N, H)
    dWx: Array  # (D, H)
    dWh: Array  # (H, H)
    db: Array  # (H,)


def rnn_step(x: Array, h_prev: Array, Wx: Array, Wh: Array, b: Array) -> tuple[Array, RNNStepCache]:
    """One step forward.

    Parameters
    ----------
    x : (N, D)
    h_prev : (N, H)
    Wx : (D, H)
    Wh : (H, H)
    b : (H,)

    Returns
    -------
    h : (N, H)
    cache : RNNStepCache

    Raises
    ------
    ShapeError, DTypeError, NotFiniteError : an argument that does not fit, by name

    Examples
    --------
    >>> h, cache = rnn_step(
    ...     np.ones((2, 3)), np.zeros((2, 1)), np.ones((3, 1)), np.ones((1, 1)), np.zeros(1)
    ... )
    >>> h.shape, bool(h[0, 0] == np.tanh(3))
    ((2, 1), True)
    """
    check_arrays(
        "rnn_step",
        {},
        x=(x, "N D"),
        h_prev=(h_prev, "N H"),
        Wx=(Wx, "D H"),
        Wh=(Wh, "H H"),
        b=(b, "H"),
    )
    h = np.tanh(x @ Wx + h_prev @ Wh + b)
    # Copies: the caller may use its arrays again for the next step, and the cache must not notice.
    return h, RNNStepCache(x.copy(), h_prev.copy(), h.copy(), Wx, Wh)


def rnn_step_backward(dh: Array, cache: RNNStepCache) -> RNNStepGrads:
    """One step backward.

    Parameters
    ----------
    dh : (N, H), total gradient of the loss with respect to h
    cache : RNNStepCache of the same step

    Returns
    -------
    RNNStepGrads : dx, dh_prev, dWx, dWh, db

    Raises
    ------
    ArgumentError, ShapeError, DTypeError, NotFiniteError : an argument that does not fit, by name
    """
    check_cache("rnn_step_backward", cache, RNNStepCache, "rnn_step")
    x, h_prev, h, Wx, Wh = cache
    sizes = {"N": h.shape[0], "H": h.shape[1]}
    check_arrays("rnn_step_backward", sizes, dh=(dh, "N H"), **{"cache.h": (h, "N H")})
    da = dh * (1 - h**2)
    return RNNStepGrads(
        dx=da @ Wx.T, dh_prev=da @ Wh.T, dWx=x.T @ da, dWh=h_prev.T @ da, db=da.sum(axis=0)
    )


def rnn_forward(
    x: Array, h0: Array, Wx: Array, Wh: Array, b: Array
) -> tuple[Array, Array, RNNCache]:
    """All time steps forward.

    Parameters
    ----------
    x : (N, T, D)
    h0 : (N, H)
    Wx : (D, H)
    Wh : (H, H)
    b : (H,)

    Returns
    -------
    h : (N, T, H), the hidden state after every step
    hT : (N, H), the state after the last step
    cache : RNNCache

    Raises
    ------
    ShapeError, DTypeError, NotFiniteError : an argument that does not fit, by name

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> N, T, D, H = 2, 5, 3, 4
    >>> h, hT, cache = rnn_forward(
    ...     rng.normal(size=(N, T, D)),
    ...     np.zeros((N, H)),
    ...     rng.normal(size=(D, H)),
    ...     rng.normal(size=(H, H)),
    ...     np.zeros(H),
    ... )
    >>> h.shape, hT.shape, bool((h[:, -1] == hT).all())
    ((2, 5, 4), (2, 4), True)
    """
    sizes: dict[str, int] = {}
    check_arrays(
        "rnn_forward",
        sizes,
        x=(x, "N T D"),
        h0=(h0, "N H"),
        Wx=(Wx, "D H"),
        Wh=(Wh, "H H"),
        b=(b, "H"),
    )
    N, T, D, H = (sizes[letter] for letter in "NTDH")
    x = x.swapaxes(0, 1).copy()  # (T, N, D)
    # the inputs of all steps are known: one product
    a_x = (x.reshape(T * N, D) @ Wx + b).reshape(T, N, H)

    h = np.empty((T + 1, N, H), x.dtype)
    h[0] = h0
    for t in range(T):
        h[t + 1] = np.tanh(a_x[t] + h[t] @ Wh)
    # Copies: the caller may write into what it gets, and the cache must not notice.
    return h[1:].swapaxes(0, 1).copy(), h[T].copy(), RNNCache(x, h, Wx, Wh)


def rnn_backward(dh: Array, cache: RNNCache) -> RNNGrads:
    """All time steps backward: backpropagation through time.

    Parameters
    ----------
    dh : (N, T, H), immediate gradient of the loss with respect to the hidden state of every step. A
        gradient with respect to hT has no argument of its own: hT is ``h[:, -1]``, so add it to
        ``dh[:, -1]``
    cache : RNNCache of the forward pass

    Returns
    -------
    RNNGrads : dx, dh0, dWx, dWh, db

    Raises
    ------
    ArgumentError, ShapeError, DTypeError, NotFiniteError : an argument that does not fit, by name
    """
    check_cache("rnn_backward", cache, RNNCache, "rnn_forward")
    x, h, Wx, Wh = cache
    T, N, D = x.shape
    H = h.shape[2]
    check_arrays(
        "rnn_backward", {"N": N, "T": T, "H": H}, dh=(dh, "N T H"), **{"cache.h": (h[0], "N H")}
    )

    da = np.empty_like(h[1:])
    dh_next = np.zeros_like(h[0])  # what step t+1 sends back along h
    for t in reversed(range(T)):
        da[t] = (dh[:, t] + dh_next) * (1 - h[t + 1] ** 2)
        dh_next = da[t] @ Wh.T

    # Every step shares the same weights, so its gradients add up: over time and batch in one
    # product each.
    da_flat = da.reshape(T * N, H)
    return RNNGrads(
        dx=(da_flat @ Wx.T).reshape(T, N, D).swapaxes(0, 1).copy(),
        dh0=dh_next,
        dWx=x.reshape(T * N, D).T @ da_flat,
        dWh=h[:T].reshape(T * N, H).T @ da_flat,
        db=da_flat.sum(axis=0),
    )

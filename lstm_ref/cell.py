"""One step of an LSTM, forward and backward: the equations, line for line.

Sizes: N examples, D inputs, H hidden units. The 4H columns of Wx, Wh and b are four blocks of H, in
the order i, f, g, o.

    a   = x Wx + h_prev Wh + b          pre-activations, (N, 4H)
    i   = sigmoid(a_i)                  input gate:  how much of the candidate is written
    f   = sigmoid(a_f)                  forget gate: how much of the old cell state is kept
    g   = tanh(a_g)                     candidate:   what would be written
    o   = sigmoid(a_o)                  output gate: how much of the cell state is shown
    c   = f * c_prev + i * g
    h   = o * tanh(c)

Source: Hochreiter and Schmidhuber (1997), with the forget gate of Gers, Schmidhuber and Cummins
(2000).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from lstm_ref.errors import Array, check_arrays, check_cache


class StepCache(NamedTuple):
    """What one step backward needs from the step forward.

    Wx and Wh are the caller's arrays, not copies (a copy at every step would be most of the
    memory): leave them as they are until the step backward is done. All else belongs to the cache
    alone.
    """

    x: Array  # (N, D)
    h_prev: Array  # (N, H)
    c_prev: Array  # (N, H)
    i: Array  # (N, H)
    f: Array  # (N, H)
    g: Array  # (N, H)
    o: Array  # (N, H)
    c: Array  # (N, H)
    Wx: Array  # (D, 4H)
    Wh: Array  # (H, 4H)


class StepGrads(NamedTuple):
    """Gradient of the loss with respect to each argument of `lstm_step`."""

    dx: Array  # (N, D)
    dh_prev: Array  # (N, H)
    dc_prev: Array  # (N, H)
    dWx: Array  # (D, 4H)
    dWh: Array  # (H, 4H)
    db: Array  # (4H,)


def sigmoid(a: Array) -> Array:
    """Logistic function 1 / (1 + exp(-a)), written with tanh because tanh cannot overflow.

    Exact to rounding beside 1; in float64, what is below 1e-16 comes out as 0.

    >>> sigmoid(np.array([-1000.0, 0.0, 1000.0]))
    array([0. , 0.5, 1. ])
    """
    return 0.5 * np.tanh(0.5 * a) + 0.5


def lstm_step(
    x: Array, h_prev: Array, c_prev: Array, Wx: Array, Wh: Array, b: Array
) -> tuple[Array, Array, StepCache]:
    """One step forward.

    Parameters
    ----------
    x : (N, D)
    h_prev, c_prev : (N, H)
    Wx : (D, 4H)
    Wh : (H, 4H)
    b : (4H,)

    Returns
    -------
    h, c : (N, H)
    cache : StepCache

    Raises
    ------
    ShapeError, DTypeError, NotFiniteError : an argument that does not fit, by name

    Examples
    --------
    >>> N, D, H = 2, 3, 4
    >>> h, c, cache = lstm_step(
    ...     np.ones((N, D)),
    ...     np.zeros((N, H)),
    ...     np.ones((N, H)),
    ...     np.zeros((D, 4 * H)),
    ...     np.zeros((H, 4 * H)),
    ...     np.zeros(4 * H),
    ... )
    >>> (
    ...     c[0, 0],
    ...     bool(h[0, 0] == 0.5 * np.tanh(0.5)),
    ... )  # all gates are half open: half of the old cell state is kept
    (np.float64(0.5), True)
    """
    check_arrays(
        "lstm_step",
        {},
        x=(x, "N D"),
        h_prev=(h_prev, "N H"),
        c_prev=(c_prev, "N H"),
        Wx=(Wx, "D 4H"),
        Wh=(Wh, "H 4H"),
        b=(b, "4H"),
    )
    a = x @ Wx + h_prev @ Wh + b
    a_i, a_f, a_g, a_o = np.split(a, 4, axis=1)
    i, f, o = sigmoid(a_i), sigmoid(a_f), sigmoid(a_o)
    g = np.tanh(a_g)
    c = f * c_prev + i * g
    h = o * np.tanh(c)
    # Copies: the caller may use its arrays again for the next step, and the cache must not notice.
    return h, c, StepCache(x.copy(), h_prev.copy(), c_prev.copy(), i, f, g, o, c.copy(), Wx, Wh)


def lstm_step_backward(dh: Array, dc: Array, cache: StepCache) -> StepGrads:
    """One step backward.

    Parameters
    ----------
    dh : (N, H), total gradient of the loss with respect to h
    dc : (N, H), gradient of the loss with respect to c by every path that does not pass through h
    cache : StepCache of the same step

    Returns
    -------
    StepGrads : dx, dh_prev, dc_prev, dWx, dWh, db

    Raises
    ------
    ArgumentError, ShapeError, DTypeError, NotFiniteError : an argument that does not fit, by name
    """
    check_cache("lstm_step_backward", cache, StepCache, "lstm_step")
    x, h_prev, c_prev, i, f, g, o, c, Wx, Wh = cache
    sizes = {"N": c.shape[0], "H": c.shape[1]}
    check_arrays(
        "lstm_step_backward", sizes, dh=(dh, "N H"), dc=(dc, "N H"), **{"cache.c": (c, "N H")}
    )
    tanh_c = np.tanh(c)
    do = dh * tanh_c
    # total: c reaches the loss through the next cell state and through h
    dc = dc + dh * o * (1 - tanh_c**2)
    di = dc * g
    df = dc * c_prev
    dg = dc * i
    dc_prev = dc * f
    da = np.concatenate(
        [di * i * (1 - i), df * f * (1 - f), dg * (1 - g**2), do * o * (1 - o)], axis=1
    )
    return StepGrads(
        dx=da @ Wx.T,
        dh_prev=da @ Wh.T,
        dc_prev=dc_prev,
        dWx=x.T @ da,
        dWh=h_prev.T @ da,
        db=da.sum(axis=0),
    )

"""A GRU, one step and a whole sequence, forward and backward, with the reset gate before or after
the matrix product.

Sizes: N examples, T time steps, D inputs, H hidden units. The 3H columns of Wx, Wh and b are three
blocks of H, in the order r, z, n: that of PyTorch and cuDNN, so that weights go there and back by a
transpose, as those of the LSTM do. (Keras and ONNX put z before r.)

    r   = sigmoid(x Wx_r + h_prev Wh_r + b_r)           reset gate: what n sees of h_prev
    z   = sigmoid(x Wx_z + h_prev Wh_z + b_z)           update gate: how much of h_prev is kept
    n   = tanh(x Wx_n + b_n + r * (h_prev Wh_n + bh))   candidate, reset="after"
    n   = tanh(x Wx_n + b_n + (r * h_prev) Wh_n)        candidate, reset="before"
    h   = (1 - z) * n + z * h_prev

The two candidates are two different models, and weights trained for one are wrong for the other:

=========  =============================================  ========================================
reset      the reset gate acts                            spoken by
=========  =============================================  ========================================
"after"    on the product, recurrent bias bh (H,)         PyTorch, cuDNN, Keras by default
           included: all three products of h_prev can be
           one
"before"   on h_prev, unit by unit; a recurrent bias      the paper, Keras with
           would only add to b_n, so there is none        ``reset_after=False``, ONNX with
                                                          ``linear_before_reset=0``
=========  =============================================  ========================================

Source: Cho et al. (2014). Some papers write 1 - z where this course, the frameworks and Cho et al.
write z.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from lstm_ref.cell import sigmoid
from lstm_ref.errors import ArgumentError, Array, check_arrays, check_cache


class GRUStepCache(NamedTuple):
    """What one step backward needs from the step forward.

    Wx and Wh are the caller's arrays, not copies: leave them as they are until the step backward is
    done. All else belongs to the cache alone.
    """

    x: Array  # (N, D)
    h_prev: Array  # (N, H)
    r: Array  # (N, H)
    z: Array  # (N, H)
    n: Array  # (N, H)
    m: Array  # (N, H): h_prev Wh_n + bh where reset is "after", r * h_prev where it is "before"
    Wx: Array  # (D, 3H)
    Wh: Array  # (H, 3H)
    reset: str  # "after" or "before"


class GRUStepGrads(NamedTuple):
    """Gradient of the loss with respect to each argument of `gru_step`."""

    dx: Array  # (N, D)
    dh_prev: Array  # (N, H)
    dWx: Array  # (D, 3H)
    dWh: Array  # (H, 3H)
    db: Array  # (3H,)
    dbh: Array | None  # (H,), None where reset is "before"


class GRUCache(NamedTuple):
    """What `gru_backward` needs from `gru_forward`; the time axis comes first, so that one step is
    contiguous.

    Wx and Wh are the caller's arrays, not copies: leave them as they are until the backward pass is
    done. All else belongs to the cache alone.
    """

    x: Array  # (T, N, D)
    h: Array  # (T+1, N, H), h[0] is h0
    r: Array  # (T, N, H)
    z: Array  # (T, N, H)
    n: Array  # (T, N, H)
    m: Array  # (T, N, H), as in GRUStepCache
    Wx: Array  # (D, 3H)
    Wh: Array  # (H, 3H)
    reset: str  # "after" or "before"


class GRUGrads(NamedTuple):
    """Gradient of the loss with respect to each argument of `gru_forward`."""

    dx: Array  # (N, T, D)
    dh0: Array  # (N, H)
    dWx: Array  # (D, 3H)
    dWh: Array  # (H, 3H)
    db: Array  # (3H,)
    dbh: Array | None  # (H,), None where reset is "before"


def gru_step(
    x: Array,
    h_prev: Array,
    Wx: Array,
    Wh: Array,
    b: Array,
    bh: Array | None = None,
    *,
    reset: str = "after",
) -> tuple[Array, GRUStepCache]:
    """One step forward.

    Parameters
    ----------
    x : (N, D)
    h_prev : (N, H)
    Wx : (D, 3H), blocks in the order r, z, n
    Wh : (H, 3H)
    b : (3H,)
    bh : (H,), recurrent bias of the candidate where reset is "after"; None where it is "before"
    reset : "after" or "before" the product with Wh_n, see above

    Returns
    -------
    h : (N, H)
    cache : GRUStepCache

    Raises
    ------
    ArgumentError, ShapeError, DTypeError, NotFiniteError : an argument that does not fit, by name

    Examples
    --------
    >>> N, D, H = 2, 3, 4
    >>> h, cache = gru_step(
    ...     np.ones((N, D)),
    ...     np.ones((N, H)),
    ...     np.zeros((D, 3 * H)),
    ...     np.zeros((H, 3 * H)),
    ...     np.zeros(3 * H),
    ...     np.zeros(H),
    ... )
    >>> h[0, 0]  # both gates are half open: half of the old state is kept, and the candidate is 0
    np.float64(0.5)
    """
    _check_reset("gru_step", reset, bh)
    recurrent_bias = {} if bh is None else {"bh": (bh, "H")}
    check_arrays(
        "gru_step",
        {},
        x=(x, "N D"),
        h_prev=(h_prev, "N H"),
        Wx=(Wx, "D 3H"),
        Wh=(Wh, "H 3H"),
        b=(b, "3H"),
        **recurrent_bias,
    )
    h, r, z, n, m = _advance(x @ Wx + b, h_prev, Wh, bh)
    # Copies: the caller may use its arrays again for the next step, and the cache must not notice.
    return h, GRUStepCache(x.copy(), h_prev.copy(), r, z, n, m, Wx, Wh, reset)


def gru_step_backward(dh: Array, cache: GRUStepCache) -> GRUStepGrads:
    """One step backward.

    Parameters
    ----------
    dh : (N, H), total gradient of the loss with respect to h
    cache : GRUStepCache of the same step

    Returns
    -------
    GRUStepGrads : dx, dh_prev, dWx, dWh, db, dbh

    Raises
    ------
    ArgumentError, ShapeError, DTypeError, NotFiniteError : an argument that does not fit, by name
    """
    check_cache("gru_step_backward", cache, GRUStepCache, "gru_step")
    x, h_prev, r, z, n, m, Wx, Wh, reset = cache
    sizes = {"N": n.shape[0], "H": n.shape[1]}
    check_arrays("gru_step_backward", sizes, dh=(dh, "N H"), **{"cache.n": (n, "N H")})
    dh_prev, da, dm = _retreat(dh, h_prev, r, z, n, m, Wh, reset)
    dWh, dbh = _recurrent_grads(h_prev, m, da, dm, reset)
    return GRUStepGrads(
        dx=da @ Wx.T, dh_prev=dh_prev, dWx=x.T @ da, dWh=dWh, db=da.sum(axis=0), dbh=dbh
    )


def gru_forward(
    x: Array,
    h0: Array,
    Wx: Array,
    Wh: Array,
    b: Array,
    bh: Array | None = None,
    *,
    reset: str = "after",
) -> tuple[Array, Array, GRUCache]:
    """All time steps forward.

    Parameters
    ----------
    x : (N, T, D)
    h0 : (N, H)
    Wx : (D, 3H), blocks in the order r, z, n
    Wh : (H, 3H)
    b : (3H,)
    bh : (H,), recurrent bias of the candidate where reset is "after"; None where it is "before"
    reset : "after" or "before" the product with Wh_n, see above

    Returns
    -------
    h : (N, T, H), the hidden state after every step
    hT : (N, H), the state after the last step
    cache : GRUCache

    Raises
    ------
    ArgumentError, ShapeError, DTypeError, NotFiniteError : an argument that does not fit, by name

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> N, T, D, H = 2, 5, 3, 4
    >>> x, h0, Wx, Wh = (
    ...     rng.normal(size=shape) for shape in ((N, T, D), (N, H), (D, 3 * H), (H, 3 * H))
    ... )
    >>> after, _, _ = gru_forward(x, h0, Wx, Wh, np.zeros(3 * H), np.zeros(H), reset="after")
    >>> before, _, _ = gru_forward(x, h0, Wx, Wh, np.zeros(3 * H), reset="before")
    >>> after.shape, bool(np.allclose(after, before))  # the same weights, and another model
    ((2, 5, 4), False)
    """
    _check_reset("gru_forward", reset, bh)
    sizes: dict[str, int] = {}
    recurrent_bias = {} if bh is None else {"bh": (bh, "H")}
    check_arrays(
        "gru_forward",
        sizes,
        x=(x, "N T D"),
        h0=(h0, "N H"),
        Wx=(Wx, "D 3H"),
        Wh=(Wh, "H 3H"),
        b=(b, "3H"),
        **recurrent_bias,
    )
    N, T, D, H = (sizes[letter] for letter in "NTDH")
    x = x.swapaxes(0, 1).copy()  # (T, N, D)
    # the inputs of all steps are known: one product
    a_x = (x.reshape(T * N, D) @ Wx + b).reshape(T, N, 3 * H)

    h = np.empty((T + 1, N, H), x.dtype)
    r, z, n, m = np.empty((4, T, N, H), x.dtype)
    h[0] = h0
    for t in range(T):
        h[t + 1], r[t], z[t], n[t], m[t] = _advance(a_x[t], h[t], Wh, bh)
    # Copies: the caller may write into what it gets, and the cache must not notice.
    return h[1:].swapaxes(0, 1).copy(), h[T].copy(), GRUCache(x, h, r, z, n, m, Wx, Wh, reset)


def gru_backward(dh: Array, cache: GRUCache) -> GRUGrads:
    """All time steps backward: backpropagation through time.

    Parameters
    ----------
    dh : (N, T, H), immediate gradient of the loss with respect to the hidden state of every step. A
        gradient with respect to hT has no argument of its own: hT is ``h[:, -1]``, so add it to
        ``dh[:, -1]``
    cache : GRUCache of the forward pass

    Returns
    -------
    GRUGrads : dx, dh0, dWx, dWh, db, dbh

    Raises
    ------
    ArgumentError, ShapeError, DTypeError, NotFiniteError : an argument that does not fit, by name
    """
    check_cache("gru_backward", cache, GRUCache, "gru_forward")
    x, h, r, z, n, m, Wx, Wh, reset = cache
    T, N, D = x.shape
    H = h.shape[2]
    check_arrays(
        "gru_backward", {"N": N, "T": T, "H": H}, dh=(dh, "N T H"), **{"cache.h": (h[0], "N H")}
    )

    da = np.empty((T, N, 3 * H), h.dtype)
    dm = np.empty_like(m)
    dh_next = np.zeros_like(h[0])  # what step t+1 sends back along h
    for t in reversed(range(T)):
        dh_next, da[t], dm[t] = _retreat(
            dh[:, t] + dh_next, h[t], r[t], z[t], n[t], m[t], Wh, reset
        )

    # Every step shares the same weights, so its gradients add up: over time and batch in one
    # product each.
    da_flat = da.reshape(T * N, 3 * H)
    h_flat, m_flat, dm_flat = (array.reshape(T * N, H) for array in (h[:T], m, dm))
    dWh, dbh = _recurrent_grads(h_flat, m_flat, da_flat, dm_flat, reset)
    return GRUGrads(
        dx=(da_flat @ Wx.T).reshape(T, N, D).swapaxes(0, 1).copy(),
        dh0=dh_next,
        dWx=x.reshape(T * N, D).T @ da_flat,
        dWh=dWh,
        db=da_flat.sum(axis=0),
        dbh=dbh,
    )


def _advance(
    a_x: Array, h_prev: Array, Wh: Array, bh: Array | None
) -> tuple[Array, Array, Array, Array, Array]:
    """The equations, once x Wx + b is known: h, r, z, n, m."""
    a_r, a_z, a_n = np.split(a_x, 3, axis=1)
    Wh_r, Wh_z, Wh_n = np.split(Wh, 3, axis=1)
    r = sigmoid(a_r + h_prev @ Wh_r)
    z = sigmoid(a_z + h_prev @ Wh_z)
    if bh is not None:  # reset after the product
        m = h_prev @ Wh_n + bh
        n = np.tanh(a_n + r * m)
    else:
        m = r * h_prev
        n = np.tanh(a_n + m @ Wh_n)
    h = (1 - z) * n + z * h_prev
    return h, r, z, n, m


def _retreat(
    dh: Array, h_prev: Array, r: Array, z: Array, n: Array, m: Array, Wh: Array, reset: str
) -> tuple[Array, Array, Array]:
    """Gradients of h_prev, of the pre-activations (N, 3H), and of m."""
    Wh_r, Wh_z, Wh_n = np.split(Wh, 3, axis=1)
    dz = dh * (h_prev - n)
    dn = dh * (1 - z)
    da_n = dn * (1 - n**2)
    if reset == "after":
        dr = da_n * m
        dm = da_n * r
        dh_prev = dm @ Wh_n.T  # by way of the candidate
    else:
        dm = da_n @ Wh_n.T
        dr = dm * h_prev
        dh_prev = dm * r
    da_r = dr * r * (1 - r)
    da_z = dz * z * (1 - z)
    # The old state reaches the new one by four ways: the candidate, both gates, and what is kept.
    dh_prev = dh_prev + da_r @ Wh_r.T + da_z @ Wh_z.T + dh * z
    return dh_prev, np.concatenate([da_r, da_z, da_n], axis=1), dm


def _recurrent_grads(
    h_prev: Array, m: Array, da: Array, dm: Array, reset: str
) -> tuple[Array, Array | None]:
    """Gradients of Wh and bh, summed over all rows, be they the batch or all steps of it."""
    da_r, da_z, da_n = np.split(da, 3, axis=1)
    if reset == "after":
        return h_prev.T @ np.concatenate([da_r, da_z, dm], axis=1), dm.sum(axis=0)
    return np.concatenate([h_prev.T @ da_r, h_prev.T @ da_z, m.T @ da_n], axis=1), None


def _check_reset(operation: str, reset: str, bh: Array | None) -> None:
    if reset not in ("after", "before"):
        raise ArgumentError(f'{operation}: reset must be "after" or "before", got {reset!r}')
    if reset == "after" and bh is None:
        raise ArgumentError(
            f'{operation}: bh must be (H,) where reset is "after", got None; a layer without '
            "that bias: give np.zeros(H)"
        )
    if reset == "before" and bh is not None:
        raise ArgumentError(
            f'{operation}: bh must be None where reset is "before", got an array; there it only '
            "adds to b: put it into the "
            "last block of b"
        )

"""Attention: each query looks at all time steps of another sequence and takes a weighted mean of
what stands there.

Sizes: N examples, S queries, T time steps that are looked at. For one query an example, give
``query[:, np.newaxis]``.

    e[s, t]  = score of query s and key t
    w[s, :]  = softmax over the valid t of e[s, :]         attention weights
    out[s]   = sum over t of w[s, t] * values[t]

    dot        e[s, t] = query[s] . keys[t]                    query and keys are of one size K
    scaled     e[s, t] = query[s] . keys[t] / sqrt(K)   its variance does not grow with K
    additive   e[s, t] = v . tanh(query[s] Wq + keys[t] Wk)    query and keys may differ in size

A mask says which time steps may be looked at. One that is masked has the weight 0, and its key and
value get no gradient. A query that may look at nothing gets zeros.

Source: Bahdanau, Cho and Bengio (2015), additive; Luong, Pham and Manning (2015), dot; Vaswani et
al. (2017), scaled.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from lstm_ref.arguments import check_mask
from lstm_ref.errors import Array, check_arrays, check_cache


class DotAttentionCache(NamedTuple):
    """What `dot_attention_backward` needs from `dot_attention_forward`."""

    query: Array  # (N, S, K)
    keys: Array  # (N, T, K)
    values: Array  # (N, T, M)
    weights: Array  # (N, S, T)
    scale: float  # 1, or 1 / sqrt(K)


class DotAttentionGrads(NamedTuple):
    """Gradient of the loss with respect to each argument of `dot_attention_forward`."""

    dquery: Array  # (N, S, K)
    dkeys: Array  # (N, T, K)
    dvalues: Array  # (N, T, M)


class AdditiveAttentionCache(NamedTuple):
    """What `additive_attention_backward` needs; Wq, Wk and v are the caller's arrays, not
    copies.
    """

    query: Array  # (N, S, Q)
    keys: Array  # (N, T, K)
    values: Array  # (N, T, M)
    weights: Array  # (N, S, T)
    u: Array  # (N, S, T, A), tanh of both sums
    Wq: Array  # (Q, A)
    Wk: Array  # (K, A)
    v: Array  # (A,)


class AdditiveAttentionGrads(NamedTuple):
    """Gradient of the loss with respect to each argument of `additive_attention_forward`."""

    dquery: Array  # (N, S, Q)
    dkeys: Array  # (N, T, K)
    dvalues: Array  # (N, T, M)
    dWq: Array  # (Q, A)
    dWk: Array  # (K, A)
    dv: Array  # (A,)


def dot_attention_forward(
    query: Array, keys: Array, values: Array, mask: Array | None = None, *, scaled: bool = True
) -> tuple[Array, Array, DotAttentionCache]:
    """Attention whose scores are products of queries and keys.

    Parameters
    ----------
    query : (N, S, K)
    keys : (N, T, K)
    values : (N, T, M); often the keys themselves
    mask : (N, T), or (N, S, T) where each query has its own; True where a query may look; None
        means everywhere
    scaled : divide the scores by sqrt(K)

    Returns
    -------
    out : (N, S, M)
    weights : (N, S, T), at least 0; the sum over T is 1, or 0 for a query that may look at nothing
    cache : DotAttentionCache

    Raises
    ------
    ShapeError, DTypeError, NotFiniteError : an argument that does not fit, by name

    Examples
    --------
    >>> keys = np.array([[[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]]])
    >>> query = 10 * keys[:, 1:2]  # asks for what resembles the second key
    >>> out, weights, cache = dot_attention_forward(
    ...     query, keys, np.array([[[7.0], [8.0], [9.0]]]), scaled=False
    ... )
    >>> weights.round(3), out.round(3)
    (array([[[0., 1., 0.]]]), array([[[8.]]]))
    """
    operation = "dot_attention_forward"
    check_arrays(
        operation, {}, query=(query, "N S K"), keys=(keys, "N T K"), values=(values, "N T M")
    )
    scale = 1 / math.sqrt(query.shape[2]) if scaled else 1.0
    scores = query @ keys.swapaxes(1, 2) * scale
    weights = _softmax(scores, _check_mask(operation, mask, scores.shape))
    cache = DotAttentionCache(query.copy(), keys.copy(), values.copy(), weights, scale)
    return weights @ values, weights.copy(), cache


def dot_attention_backward(dout: Array, cache: DotAttentionCache) -> DotAttentionGrads:
    """Gradients of queries, keys and values.

    Parameters
    ----------
    dout : (N, S, M)
    cache : DotAttentionCache of the forward pass

    Returns
    -------
    DotAttentionGrads : dquery, dkeys, dvalues. Where keys and values are one array, its gradient is
        the sum of both

    Raises
    ------
    ArgumentError, ShapeError, DTypeError, NotFiniteError : an argument that does not fit, by name
    """
    check_cache("dot_attention_backward", cache, DotAttentionCache, "dot_attention_forward")
    query, keys, values, weights, scale = cache
    _check_dout("dot_attention_backward", dout, weights, values)
    dscores, dvalues = _mean_backward(dout, values, weights)
    dscores = dscores * scale
    return DotAttentionGrads(dscores @ keys, dscores.swapaxes(1, 2) @ query, dvalues)


def additive_attention_forward(
    query: Array,
    keys: Array,
    values: Array,
    Wq: Array,
    Wk: Array,
    v: Array,
    mask: Array | None = None,
) -> tuple[Array, Array, AdditiveAttentionCache]:
    """Attention whose scores a small network with one hidden layer makes.

    Parameters
    ----------
    query : (N, S, Q)
    keys : (N, T, K)
    values : (N, T, M); often the keys themselves
    Wq : (Q, A)
    Wk : (K, A)
    v : (A,)
    mask : (N, T), or (N, S, T) where each query has its own; True where a query may look; None
        means everywhere

    Returns
    -------
    out : (N, S, M)
    weights : (N, S, T), at least 0; the sum over T is 1, or 0 for a query that may look at nothing
    cache : AdditiveAttentionCache

    Raises
    ------
    ShapeError, DTypeError, NotFiniteError : an argument that does not fit, by name

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> N, S, T, H, A = 2, 1, 5, 4, 3
    >>> states = rng.normal(size=(N, T, H))
    >>> out, weights, cache = additive_attention_forward(
    ...     rng.normal(size=(N, S, H)),
    ...     states,
    ...     states,
    ...     rng.normal(size=(H, A)),
    ...     rng.normal(size=(H, A)),
    ...     rng.normal(size=A),
    ... )
    >>> out.shape, weights.shape, np.allclose(weights.sum(axis=2), 1)
    ((2, 1, 4), (2, 1, 5), True)
    """
    operation = "additive_attention_forward"
    check_arrays(
        operation,
        {},
        query=(query, "N S Q"),
        keys=(keys, "N T K"),
        values=(values, "N T M"),
        Wq=(Wq, "Q A"),
        Wk=(Wk, "K A"),
        v=(v, "A"),
    )
    u = np.tanh((query @ Wq)[:, :, np.newaxis] + (keys @ Wk)[:, np.newaxis])
    scores = u @ v
    weights = _softmax(scores, _check_mask(operation, mask, scores.shape))
    cache = AdditiveAttentionCache(query.copy(), keys.copy(), values.copy(), weights, u, Wq, Wk, v)
    return weights @ values, weights.copy(), cache


def additive_attention_backward(
    dout: Array, cache: AdditiveAttentionCache
) -> AdditiveAttentionGrads:
    """Gradients of queries, keys, values and the weights of the scores.

    Parameters
    ----------
    dout : (N, S, M)
    cache : AdditiveAttentionCache of the forward pass

    Returns
    -------
    AdditiveAttentionGrads : dquery, dkeys, dvalues, dWq, dWk, dv

    Raises
    ------
    ArgumentError, ShapeError, DTypeError, NotFiniteError : an argument that does not fit, by name
    """
    check_cache(
        "additive_attention_backward", cache, AdditiveAttentionCache, "additive_attention_forward"
    )
    query, keys, values, weights, u, Wq, Wk, v = cache
    _check_dout("additive_attention_backward", dout, weights, values)
    dscores, dvalues = _mean_backward(dout, values, weights)
    da = dscores[..., np.newaxis] * v * (1 - u**2)
    # each query meets all keys, and each key all queries
    da_query, da_keys = da.sum(axis=2), da.sum(axis=1)
    A = len(v)
    return AdditiveAttentionGrads(
        dquery=da_query @ Wq.T,
        dkeys=da_keys @ Wk.T,
        dvalues=dvalues,
        dWq=query.reshape(-1, len(Wq)).T @ da_query.reshape(-1, A),
        dWk=keys.reshape(-1, len(Wk)).T @ da_keys.reshape(-1, A),
        dv=u.reshape(-1, A).T @ dscores.reshape(-1),
    )


def _softmax(scores: Array, mask: Array) -> Array:
    """Softmax over the last axis of what the mask leaves; zeros where it leaves nothing."""
    # Subtracting the largest score changes nothing in the mathematics, and no exp can overflow.
    largest = np.where(mask, scores, -np.inf).max(axis=-1, keepdims=True)
    shifted = np.where(mask, scores - np.where(np.isfinite(largest), largest, 0), -np.inf)
    e = np.exp(shifted)
    total = e.sum(axis=-1, keepdims=True)
    weights: Array = e / np.where(total > 0, total, 1)
    return weights.astype(scores.dtype)


def _mean_backward(dout: Array, values: Array, weights: Array) -> tuple[Array, Array]:
    """From the weighted mean back through the softmax: gradients of the scores and of the
    values.
    """
    dweights = dout @ values.swapaxes(1, 2)
    # More weight for one step is less for all the others: what counts is how far dweights lies from
    # its own weighted mean.
    dscores: Array = weights * (dweights - (weights * dweights).sum(axis=2, keepdims=True))
    return dscores, weights.swapaxes(1, 2) @ dout


def _check_mask(operation: str, mask: Array | None, shape: tuple[int, ...]) -> Array:
    """The mask as (N, S, T) or (N, 1, T)."""
    N, S, T = shape
    if isinstance(mask, np.ndarray) and mask.ndim == 3:
        return check_mask(operation, mask, (N, S, T), axes="N, S, T")
    return check_mask(operation, mask, (N, T))[:, np.newaxis]


def _check_dout(operation: str, dout: Any, weights: Array, values: Array) -> None:
    (N, S, T), M = weights.shape, values.shape[2]
    sizes = {"N": N, "S": S, "T": T, "M": M}
    check_arrays(operation, sizes, dout=(dout, "N S M"), **{"cache.values": (values, "N T M")})

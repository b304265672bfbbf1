"""Embedding and affine: layers from numbers to vectors, and from vectors to scores."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from lstm_ref.arguments import batch_axes, check_integers
from lstm_ref.errors import ArgumentError, Array, ShapeError, check_arrays, check_cache

# --- Embedding
# --------------------------------------------------------------------------------------------------


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
    >>> out, cache = embedding_forward(
    ...     np.array([[2, 0]]), np.array([[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]])
    ... )
    >>> out
    array([[[4., 5.],
            [0., 1.]]])
    """
    check_arrays("embedding_forward", {}, W=(W, "V D"))
    check_integers("embedding_forward", "ids", ids)
    if ids.ndim != 2 or ids.size == 0:
        raise ShapeError(
            f"embedding_forward: ids must be (N, T) with every size at least 1, got {ids.shape}"
        )
    # NumPy would take a negative number as counted from the end, and say nothing.
    if ids.min() < 0 or ids.max() >= len(W):
        raise ArgumentError(
            f"embedding_forward: ids must lie from 0 to V-1 = {len(W) - 1}, got {ids.min()} to "
            f"{ids.max()}; was the vocabulary built from other data?"
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


# --- Affine
# --------------------------------------------------------------------------------------------------


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
    check_arrays(
        "affine_forward", {}, x=(x, batch_axes(x, "n_in")), b=(b, "n_out"), W=(W, "n_in n_out")
    )
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
    sizes = {**dict(zip(batch_axes(x, "n_in").split(), x.shape, strict=True)), "n_out": n_out}
    check_arrays(
        "affine_backward",
        sizes,
        dout=(dout, batch_axes(x, "n_out")),
        **{"cache.W": (W, "n_in n_out")},
    )
    rows = dout.reshape(-1, n_out)  # W and b are shared by all rows, so their gradients add up
    return AffineGrads(dx=dout @ W.T, dW=x.reshape(-1, n_in).T @ rows, db=rows.sum(axis=0))

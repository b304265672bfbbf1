"""Dropout: numbers set to zero by chance, in training."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.random import Generator

from lstm_ref.arguments import batch_axes
from lstm_ref.errors import (
    ArgumentError,
    Array,
    ShapeError,
    check_arrays,
    check_cache,
    check_floats,
)


class DropoutCache(NamedTuple):
    """What `dropout_backward` needs."""

    # 0 where a number was dropped, 1 / (1 - rate) where it was kept; (N, 1, D) where it holds for
    # all time steps
    scale: Array
    shape: tuple[int, ...]  # of x


def dropout_forward(
    x: Array,
    rate: float,
    rng: Generator | None,
    *,
    training: bool = True,
    variational: bool = False,
) -> tuple[Array, DropoutCache]:
    """Inverted dropout: each number becomes 0 with the probability ``rate``, and what is kept is
    divided by 1 - rate.

    So the mean of every number stays what it was, and nothing has to be done in evaluation.

    Parameters
    ----------
    x : (N, D) or (N, T, D)
    rate : from 0 to below 1
    rng : numpy.random.Generator; may be None where nothing is drawn, in evaluation or at the rate 0
    training : False for evaluation: x comes back as it is
    variational : draw once for each sequence and unit, and not at every time step anew; x must then
        be (N, T, D)

    Returns
    -------
    out : of the shape of x, a new array
    cache : DropoutCache

    Raises
    ------
    ArgumentError, ShapeError, DTypeError, NotFiniteError : an argument that does not fit, by name

    Notes
    -----
    Source: Srivastava et al. (2014); one mask for all time steps: Gal and Ghahramani (2016).

    Examples
    --------
    >>> out, cache = dropout_forward(
    ...     np.ones((1, 3, 4)), 0.5, np.random.default_rng(0), variational=True
    ... )
    >>> out
    array([[[2., 0., 0., 0.],
            [2., 0., 0., 0.],
            [2., 0., 0., 0.]]])
    """
    check_arrays("dropout_forward", {}, x=(x, "N T D" if variational else batch_axes(x, "D")))
    check_dropout("dropout_forward", "rate", rate, rng, training)
    if training and rng is not None and rate > 0:
        shape = (x.shape[0], 1, x.shape[2]) if variational else x.shape
        kept = rng.random(shape) >= rate
        scale = kept.astype(x.dtype) / (1 - float(rate))
    else:
        scale = np.ones((1,) * x.ndim, x.dtype)
    return x * scale, DropoutCache(scale, x.shape)


def dropout_backward(dout: Array, cache: DropoutCache) -> Array:
    """Gradient of x: the same numbers are dropped, and the same factor holds for the rest.

    Parameters
    ----------
    dout : of the shape of x
    cache : DropoutCache of the forward pass

    Returns
    -------
    dx : of the shape of x

    Raises
    ------
    ArgumentError, ShapeError, DTypeError, NotFiniteError : an argument that does not fit, by name
    """
    check_cache("dropout_backward", cache, DropoutCache, "dropout_forward")
    scale, shape = cache
    check_floats("dropout_backward", {"dout": dout, "cache.scale": scale})
    if dout.shape != shape:
        raise ShapeError(
            f"dropout_backward: dout must have the shape of x = {shape}, got {dout.shape}"
        )
    return dout * scale


def check_dropout(
    operation: str, name: str, rate: float, rng: Generator | None, training: bool
) -> None:
    """Check the rate of a dropout, called ``name``, and that there is a generator where numbers are
    dropped.

    Raises
    ------
    ArgumentError : with what was expected and what came
    """
    if not 0 <= rate < 1:
        raise ArgumentError(f"{operation}: {name} must be at least 0 and below 1, got {rate}")
    if training and rate > 0 and not isinstance(rng, Generator):
        raise ArgumentError(
            f"{operation}: rng must be a numpy.random.Generator where numbers are dropped, got "
            f"{type(rng).__name__}; use np.random.default_rng(seed), or training=False in "
            "evaluation"
        )

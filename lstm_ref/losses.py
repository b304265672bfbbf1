"""Losses: each returns its value and the gradient with respect to its first argument."""

from __future__ import annotations

import numpy as np

from lstm_ref.errors import ArgumentError, Array, DTypeError, ShapeError, check_floats


def cross_entropy(logits: Array, targets: Array) -> tuple[float, Array]:
    r"""Mean cross-entropy of softmax(logits), in nats.

        loss    = mean of -log p[target]          with p = softmax(logits)
        dlogits = (p - one_hot(target)) / count

    Parameters
    ----------
    logits : (..., V), scores before the softmax, as (N, V) or (N, T, V)
    targets : (...), integers from 0 to V-1

    Returns
    -------
    loss : float; a model that knows nothing has ln V
    dlogits : (..., V)

    Raises
    ------
    ShapeError, DTypeError, NotFiniteError, ArgumentError : an argument that does not fit, by name

    Examples
    --------
    >>> loss, dlogits = cross_entropy(np.zeros((2, 4)), np.array([0, 3]))
    >>> round(loss, 4), dlogits[0]
    (1.3863, array([-0.375,  0.125,  0.125,  0.125]))
    """
    check_floats("cross_entropy", {"logits": logits})
    _check_targets(logits, targets)
    # Subtracting the largest logit changes nothing in the mathematics, and no exp can overflow.
    shifted = logits - logits.max(axis=-1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    index = targets[..., np.newaxis].astype(np.intp)
    loss = -np.take_along_axis(log_p, index, axis=-1).mean()
    dlogits = np.exp(log_p)
    np.put_along_axis(dlogits, index, np.take_along_axis(dlogits, index, axis=-1) - 1, axis=-1)
    return float(loss), dlogits / targets.size


def mean_squared_error(y: Array, target: Array) -> tuple[float, Array]:
    """Mean over all numbers of (y - target)**2.

    Parameters
    ----------
    y, target : of one shape. (N, 1) beside (N,) is refused: NumPy would compare each number with every other.

    Returns
    -------
    loss : float
    dy : of the shape of y

    Raises
    ------
    ShapeError, DTypeError, NotFiniteError : an argument that does not fit, by name

    Examples
    --------
    >>> mean_squared_error(np.array([1.0, 4.0]), np.array([1.0, 2.0]))
    (2.0, array([0., 2.]))
    """
    check_floats("mean_squared_error", {"y": y, "target": target})
    if y.shape != target.shape or y.size == 0:
        raise ShapeError(
            f"mean_squared_error: y and target must have one shape and hold at least one number, got {y.shape} and "
            f"{target.shape}; reshape one of them"
        )
    difference = y - target
    return float(np.mean(difference**2)), 2 * difference / y.size


def _check_targets(logits: Array, targets: Array) -> None:
    if not isinstance(targets, np.ndarray) or targets.dtype.kind not in "iu":
        kind = targets.dtype if isinstance(targets, np.ndarray) else type(targets).__name__
        raise DTypeError(
            f"cross_entropy: targets must be an array of integers, got {kind}; use targets.astype(np.int64)"
        )
    if logits.ndim < 1 or logits.size == 0 or targets.shape != logits.shape[:-1]:
        raise ShapeError(
            f"cross_entropy: logits must be (..., V) with every size at least 1, and targets (...) = {logits.shape[:-1]}, "
            f"the same without V; got logits {logits.shape} and targets {targets.shape}"
        )
    classes = logits.shape[-1]
    if targets.min() < 0 or targets.max() >= classes:
        raise ArgumentError(
            f"cross_entropy: targets must lie from 0 to V-1 = {classes - 1}, got {targets.min()} to {targets.max()}; "
            "does the vocabulary of the targets have more entries than the output layer?"
        )

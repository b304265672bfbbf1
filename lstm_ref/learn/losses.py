"""Losses: each returns its value and the gradient with respect to its first argument.

The loss for labels whose times are not known stands in `lstm_ref.learn.ctc`.

A mask says which targets count: True for one that does, False for padding. The mean is over those
that count, however the batch is padded: the same sequences give the same loss in a longer batch.
"""

from __future__ import annotations

import numpy as np

from lstm_ref.arguments import check_integers, check_mask
from lstm_ref.errors import ArgumentError, Array, ShapeError, check_floats


def cross_entropy(logits: Array, targets: Array, mask: Array | None = None) -> tuple[float, Array]:
    r"""Mean cross-entropy of softmax(logits), in nats.

        loss    = mean of -log p[target]          with p = softmax(logits)
        dlogits = (p - one_hot(target)) / count

    Parameters
    ----------
    logits : (..., V), scores before the softmax, as (N, V) or (N, T, V)
    targets : (...), integers from 0 to V-1; what stands where the mask is False is not used
    mask : (...), True where a target counts; None means that all do

    Returns
    -------
    loss : float, the mean over the targets that count; a model that knows nothing has ln V
    dlogits : (..., V), 0 where a target does not count

    Raises
    ------
    ShapeError, DTypeError, NotFiniteError, ArgumentError : an argument that does not fit, by name

    Examples
    --------
    >>> loss, dlogits = cross_entropy(np.zeros((2, 4)), np.array([0, 3]))
    >>> round(loss, 4), dlogits[0]
    (1.3863, array([-0.375,  0.125,  0.125,  0.125]))
    >>> loss, dlogits = cross_entropy(np.zeros((2, 4)), np.array([0, -1]), np.array([True, False]))
    >>> round(loss, 4), dlogits[1]
    (1.3863, array([0., 0., 0., 0.]))
    """
    check_floats("cross_entropy", {"logits": logits})
    mask = _check_targets(logits, targets, mask)
    # Subtracting the largest logit changes nothing in the mathematics, and no exp can overflow.
    shifted = logits - logits.max(axis=-1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    index = np.where(mask, targets, 0)[..., np.newaxis].astype(np.intp)
    loss = -np.take_along_axis(log_p, index, axis=-1)[mask].mean()
    dlogits = np.exp(log_p)
    np.put_along_axis(dlogits, index, np.take_along_axis(dlogits, index, axis=-1) - 1, axis=-1)
    return float(loss), np.where(mask[..., np.newaxis], dlogits, 0) / int(mask.sum())


def mean_squared_error(y: Array, target: Array, mask: Array | None = None) -> tuple[float, Array]:
    """Mean over all numbers that count of (y - target)**2.

    Parameters
    ----------
    y, target : of one shape. (N, 1) beside (N,) is refused: NumPy would compare each number with
        every other.
    mask : of the shape of y, or of its first axes, as (N, T) for (N, T, K); True where the numbers
        count; None means that all do

    Returns
    -------
    loss : float
    dy : of the shape of y, 0 where the numbers do not count

    Raises
    ------
    ShapeError, DTypeError, NotFiniteError, ArgumentError : an argument that does not fit, by name

    Examples
    --------
    >>> mean_squared_error(np.array([1.0, 4.0]), np.array([1.0, 2.0]))
    (2.0, array([0., 2.]))
    >>> mean_squared_error(np.array([1.0, 4.0]), np.array([0.0, 2.0]), np.array([True, False]))
    (1.0, array([2., 0.]))
    """
    check_floats("mean_squared_error", {"y": y, "target": target})
    if y.shape != target.shape or y.size == 0:
        raise ShapeError(
            "mean_squared_error: y and target must have one shape and hold at least one number, "
            f"got {y.shape} and {target.shape}; reshape one of them"
        )
    axes = mask.ndim if isinstance(mask, np.ndarray) else y.ndim
    mask = check_mask("mean_squared_error", mask, y.shape[:axes], axes="first axes of y")
    _check_any("mean_squared_error", mask)
    mask = np.broadcast_to(mask.reshape(mask.shape + (1,) * (y.ndim - mask.ndim)), y.shape)
    difference = y - target
    return float(np.mean(difference[mask] ** 2)), np.where(mask, 2 * difference, 0) / int(
        mask.sum()
    )


def _check_targets(logits: Array, targets: Array, mask: Array | None) -> Array:
    check_integers("cross_entropy", "targets", targets)
    if logits.ndim < 1 or logits.size == 0 or targets.shape != logits.shape[:-1]:
        raise ShapeError(
            "cross_entropy: logits must be (..., V) with every size at least 1, and targets (...) "
            f"= {logits.shape[:-1]}, the same without V; got logits {logits.shape} and targets "
            f"{targets.shape}"
        )
    mask = check_mask("cross_entropy", mask, targets.shape, axes="...")
    _check_any("cross_entropy", mask)
    counted, classes = targets[mask], logits.shape[-1]
    if counted.min() < 0 or counted.max() >= classes:
        raise ArgumentError(
            f"cross_entropy: targets must lie from 0 to V-1 = {classes - 1}, got {counted.min()} "
            f"to {counted.max()}; does the vocabulary of the targets have more entries than the "
            "output layer?"
        )
    return mask


def _check_any(operation: str, mask: Array) -> None:
    if not mask.any():
        raise ArgumentError(
            f"{operation}: mask must be True at least once, got none: there is no mean of nothing"
        )

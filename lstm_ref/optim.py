"""Optimisers as pure functions on dicts: the old parameters go in, new ones come out, nothing is changed in place."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from lstm_ref.errors import ArgumentError, Array, ShapeError, check_floats, check_same_names

Arrays = Mapping[str, Array]


class AdamState(NamedTuple):
    """What Adam remembers between two steps."""

    t: int  # steps taken
    m: dict[str, Array]  # running mean of the gradients
    v: dict[str, Array]  # running mean of their squares


def sgd(params: Arrays, grads: Arrays, lr: float) -> dict[str, Array]:
    """One step of gradient descent: p - lr * dp.

    Parameters
    ----------
    params, grads : name -> array, with the same names and shapes
    lr : learning rate, above 0

    Returns
    -------
    params : name -> new array

    Raises
    ------
    ArgumentError, ShapeError, DTypeError, NotFiniteError : an argument that does not fit, by name

    Examples
    --------
    >>> sgd({"b": np.array([1.0, 2.0])}, {"b": np.array([10.0, -10.0])}, lr=0.1)
    {'b': array([0., 3.])}
    """
    _check("sgd", params, grads=grads)
    _check_positive("sgd", lr=lr)
    return {name: p - float(lr) * grads[name] for name, p in params.items()}


def adam_init(params: Arrays) -> AdamState:
    """State of Adam before its first step: both running means are zero."""
    check_floats("adam_init", params)
    return AdamState(
        0,
        {name: np.zeros_like(p) for name, p in params.items()},
        {name: np.zeros_like(p) for name, p in params.items()},
    )


def adam(
    params: Arrays,
    grads: Arrays,
    state: AdamState,
    lr: float = 1e-3,
    beta1: float = 0.9,
    beta2: float = 0.999,
    eps: float = 1e-8,
) -> tuple[dict[str, Array], AdamState]:
    """One step of Adam.

        m = beta1 * m + (1 - beta1) * dp             mean of the gradients
        v = beta2 * v + (1 - beta2) * dp**2          mean of their squares
        p = p - lr * m_hat / (sqrt(v_hat) + eps)     with m_hat = m / (1 - beta1**t), v_hat = v / (1 - beta2**t)

    Both means start at zero; the two divisions take out the share of those zeros (bias correction).

    Parameters
    ----------
    params, grads : name -> array, with the same names and shapes
    state : from `adam_init`, or from the step before
    lr : learning rate, above 0
    beta1, beta2 : from 0 to below 1
    eps : above 0

    Returns
    -------
    params : name -> new array
    state : AdamState for the next step

    Raises
    ------
    ArgumentError, ShapeError, DTypeError, NotFiniteError : an argument that does not fit, by name

    Notes
    -----
    Source: Kingma and Ba (2015).

    Examples
    --------
    The first step has the length lr, whatever the size of the gradient.

    >>> params = {"b": np.array([1.0, 1.0])}
    >>> params, state = adam(params, {"b": np.array([0.002, -300.0])}, adam_init(params), lr=0.1)
    >>> params["b"].round(4), state.t
    (array([0.9, 1.1]), 1)
    """
    _check("adam", params, grads=grads, **{"state.m": state.m, "state.v": state.v})
    _check_positive("adam", lr=lr, eps=eps)
    for argument, beta in (("beta1", beta1), ("beta2", beta2)):
        if not 0 <= beta < 1:
            raise ArgumentError(f"adam: {argument} must be at least 0 and below 1, got {beta}")
    lr, beta1, beta2, eps = float(lr), float(beta1), float(beta2), float(eps)
    t = state.t + 1
    m = {name: beta1 * state.m[name] + (1 - beta1) * dp for name, dp in grads.items()}
    v = {name: beta2 * state.v[name] + (1 - beta2) * dp**2 for name, dp in grads.items()}
    new = {}
    for name, p in params.items():
        m_hat = m[name] / (1 - beta1**t)
        v_hat = v[name] / (1 - beta2**t)
        new[name] = p - lr * m_hat / (np.sqrt(v_hat) + eps)
    return new, AdamState(t, m, v)


def clip_by_norm(grads: Arrays, max_norm: float) -> tuple[dict[str, Array], float]:
    """Shorten all gradients by one factor, where together they are longer than ``max_norm``; their direction stays.

    Parameters
    ----------
    grads : name -> array
    max_norm : above 0

    Returns
    -------
    grads : name -> new array
    norm : float, length of the gradients before: the number to watch in training

    Raises
    ------
    ArgumentError, DTypeError, NotFiniteError : an argument that does not fit, by name

    Notes
    -----
    Source: Pascanu, Mikolov and Bengio (2013).

    Examples
    --------
    >>> clip_by_norm({"Wx": np.array([[3.0]]), "b": np.array([4.0])}, max_norm=1.0)
    ({'Wx': array([[0.6]]), 'b': array([0.8])}, 5.0)
    """
    check_floats("clip_by_norm", grads)
    _check_positive("clip_by_norm", max_norm=max_norm)
    # Divided by the largest number first: gradients that explode are the very case, and their squares would overflow.
    largest = max((float(np.abs(g).max(initial=0)) for g in grads.values()), default=0.0)
    if largest == 0:
        return {name: g.copy() for name, g in grads.items()}, 0.0
    squares = sum(float(np.square(g / largest, dtype=np.float64).sum()) for g in grads.values())
    norm = largest * math.sqrt(squares)
    scale = min(1.0, float(max_norm) / norm)
    return {name: g * scale for name, g in grads.items()}, norm


def _check(operation: str, params: Arrays, **others: Arrays) -> None:
    """Check that the other dicts have the names, shapes and dtype of the parameters, and that all numbers are finite."""
    check_same_names(operation, params, **others)
    everything = {f'params["{name}"]': array for name, array in params.items()}
    for argument, arrays in others.items():
        everything |= {f'{argument}["{name}"]': array for name, array in arrays.items()}
    check_floats(operation, everything)
    for argument, arrays in others.items():
        for name, array in arrays.items():
            # Without this, NumPy would stretch a (4H,) gradient over a (D, 4H) parameter and say nothing.
            if array.shape != params[name].shape:
                raise ShapeError(
                    f'{operation}: {argument}["{name}"] must have the shape of params["{name}"] = {params[name].shape}, '
                    f"got {array.shape}"
                )


def _check_positive(operation: str, **numbers: float) -> None:
    for name, number in numbers.items():
        if not 0 < number < math.inf:
            raise ArgumentError(f"{operation}: {name} must be a number above 0, got {number}")

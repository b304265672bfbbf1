"""Optimisers as pure functions on dicts: the old parameters go in, new ones come out, nothing is
changed in place.

    sgd         p - lr * dp
    momentum    the direction of many steps
    rmsprop     each number at a pace of its own
    adam        both
    adamw       both, and weights that shrink by themselves

Beside them: penalties on large weights, and limits to large gradients. Schedules of the learning
rate stand in `lstm_ref.learn.schedules`.
"""

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


def momentum_init(params: Arrays) -> dict[str, Array]:
    """Velocity before the first step: zero.

    Parameters
    ----------
    params : name -> array

    Raises
    ------
    DTypeError, NotFiniteError : an array that does not fit, by name
    """
    check_floats("momentum_init", params)
    return {name: np.zeros_like(p) for name, p in params.items()}


def momentum(
    params: Arrays,
    grads: Arrays,
    velocity: Arrays,
    lr: float,
    decay: float = 0.9,
    *,
    nesterov: bool = False,
) -> tuple[dict[str, Array], dict[str, Array]]:
    """One step of gradient descent with momentum.

        v = decay * v + dp                  a sum of all gradients, the old ones fading
        p = p - lr * v
        p = p - lr * (dp + decay * v)       nesterov: from where the next step would lead

    A gradient that stays the same makes steps of lr / (1 - decay) times its length, ten times lr at
    0.9.

    Parameters
    ----------
    params, grads : name -> array, with the same names and shapes
    velocity : from `momentum_init`, or from the step before
    lr : learning rate, above 0
    decay : from 0 to below 1
    nesterov : look one step ahead

    Returns
    -------
    params : name -> new array
    velocity : for the next step

    Raises
    ------
    ArgumentError, ShapeError, DTypeError, NotFiniteError : an argument that does not fit, by name

    Notes
    -----
    Source: Polyak (1964); Nesterov's in the form of Sutskever et al. (2013). As in PyTorch, lr
    multiplies the velocity and does not go into it.

    Examples
    --------
    >>> params = {"b": np.array([1.0])}
    >>> velocity = momentum_init(params)
    >>> for _ in range(2):
    ...     params, velocity = momentum(params, {"b": np.array([1.0])}, velocity, lr=0.1)
    >>> params["b"].round(4), velocity["b"]
    (array([0.71]), array([1.9]))
    """
    _check("momentum", params, grads=grads, velocity=velocity)
    _check_positive("momentum", lr=lr)
    _check_fractions("momentum", decay=decay)
    lr, decay = float(lr), float(decay)
    new_velocity = {name: decay * velocity[name] + dp for name, dp in grads.items()}
    ways = (
        {name: grads[name] + decay * v for name, v in new_velocity.items()}
        if nesterov
        else new_velocity
    )
    return {name: p - lr * ways[name] for name, p in params.items()}, new_velocity


def rmsprop_init(params: Arrays) -> dict[str, Array]:
    """Running mean of the squares before the first step: zero.

    Parameters
    ----------
    params : name -> array

    Raises
    ------
    DTypeError, NotFiniteError : an array that does not fit, by name
    """
    check_floats("rmsprop_init", params)
    return {name: np.zeros_like(p) for name, p in params.items()}


def rmsprop(
    params: Arrays,
    grads: Arrays,
    squares: Arrays,
    lr: float = 1e-2,
    decay: float = 0.99,
    eps: float = 1e-8,
) -> tuple[dict[str, Array], dict[str, Array]]:
    """One step of RMSProp.

        s = decay * s + (1 - decay) * dp**2        running mean of the squared gradients
        p = p - lr * dp / (sqrt(s) + eps)

    Each number so moves by about lr, whatever the size of its gradient.

    Parameters
    ----------
    params, grads : name -> array, with the same names and shapes
    squares : from `rmsprop_init`, or from the step before
    lr : learning rate, above 0
    decay : from 0 to below 1
    eps : above 0

    Returns
    -------
    params : name -> new array
    squares : for the next step

    Raises
    ------
    ArgumentError, ShapeError, DTypeError, NotFiniteError : an argument that does not fit, by name

    Notes
    -----
    Source: Tieleman and Hinton (2012). As in PyTorch, eps stands outside of the root, and the mean
    starts at zero with no correction, so that the first steps are 1 / sqrt(1 - decay) times too
    long: ten times at 0.99.

    Examples
    --------
    >>> params = {"b": np.array([1.0, 1.0])}
    >>> params, squares = rmsprop(
    ...     params, {"b": np.array([0.002, -300.0])}, rmsprop_init(params), lr=0.01
    ... )
    >>> params["b"].round(4)
    array([0.9, 1.1])
    """
    _check("rmsprop", params, grads=grads, squares=squares)
    _check_positive("rmsprop", lr=lr, eps=eps)
    _check_fractions("rmsprop", decay=decay)
    lr, decay, eps = float(lr), float(decay), float(eps)
    s = {name: decay * squares[name] + (1 - decay) * dp**2 for name, dp in grads.items()}
    return {name: p - lr * grads[name] / (np.sqrt(s[name]) + eps) for name, p in params.items()}, s


def adam_init(params: Arrays) -> AdamState:
    """State of Adam before its first step: both running means are zero.

    Parameters
    ----------
    params : name -> array

    Raises
    ------
    DTypeError, NotFiniteError : an array that does not fit, by name
    """
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
        m_hat = m / (1 - beta1**t),  v_hat = v / (1 - beta2**t)
        p = p - lr * m_hat / (sqrt(v_hat) + eps)

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
    _check_fractions("adam", beta1=beta1, beta2=beta2)
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


def adamw(
    params: Arrays,
    grads: Arrays,
    state: AdamState,
    lr: float = 1e-3,
    beta1: float = 0.9,
    beta2: float = 0.999,
    eps: float = 1e-8,
    weight_decay: float = 1e-2,
) -> tuple[dict[str, Array], AdamState]:
    """One step of Adam, after which every parameter is drawn to zero by lr * weight_decay of its
    old value.

    An L2 penalty given to Adam as a gradient is divided by sqrt(v_hat) like all the rest, so that
    weights with large gradients hardly shrink. Here the decay goes past that division.

    Parameters
    ----------
    params, grads : name -> array, with the same names and shapes. Biases are best left out of the
        decay: give them to `adam`
    state : from `adam_init`, or from the step before
    lr, beta1, beta2, eps : as in `adam`
    weight_decay : at least 0

    Returns
    -------
    params : name -> new array
    state : AdamState for the next step

    Raises
    ------
    ArgumentError, ShapeError, DTypeError, NotFiniteError : an argument that does not fit, by name

    Notes
    -----
    Source: Loshchilov and Hutter (2019).

    Examples
    --------
    >>> params = {"W": np.array([1.0])}
    >>> params, state = adamw(
    ...     params, {"W": np.array([0.0])}, adam_init(params), lr=0.1, weight_decay=0.5
    ... )
    >>> params["W"]
    array([0.95])
    """
    _check("adamw", params, grads=grads, **{"state.m": state.m, "state.v": state.v})
    _check_positive("adamw", lr=lr, eps=eps)
    _check_fractions("adamw", beta1=beta1, beta2=beta2)
    _check_not_negative("adamw", weight_decay=weight_decay)
    new, state = adam(params, grads, state, lr, beta1, beta2, eps)
    shrink = float(lr) * float(weight_decay)
    return {name: new[name] - shrink * p for name, p in params.items()}, state


def l2_penalty(params: Arrays, strength: float) -> tuple[float, dict[str, Array]]:
    """Half of ``strength`` times the sum of all squares, to be added to the loss: large weights
    cost more than small ones.

    Parameters
    ----------
    params : name -> array; give the weights that shall be small, and mostly not the biases
    strength : at least 0. PyTorch's ``weight_decay`` of SGD is the same number

    Returns
    -------
    loss : float
    grads : name -> strength * p, to be added to the gradients

    Raises
    ------
    ArgumentError, DTypeError, NotFiniteError : an argument that does not fit, by name

    Examples
    --------
    >>> l2_penalty({"W": np.array([3.0, -1.0])}, 0.1)
    (0.5, {'W': array([ 0.3, -0.1])})
    """
    check_floats("l2_penalty", params)
    _check_not_negative("l2_penalty", strength=strength)
    squares = sum(float(np.square(p, dtype=np.float64).sum()) for p in params.values())
    return 0.5 * float(strength) * squares, {
        name: float(strength) * p for name, p in params.items()
    }


def l1_penalty(params: Arrays, strength: float) -> tuple[float, dict[str, Array]]:
    """``strength`` times the sum of all absolute values, to be added to the loss: weights that help
    little become zero.

    Parameters
    ----------
    params : name -> array
    strength : at least 0

    Returns
    -------
    loss : float
    grads : name -> strength * sign(p), and 0 at 0, to be added to the gradients

    Raises
    ------
    ArgumentError, DTypeError, NotFiniteError : an argument that does not fit, by name

    Examples
    --------
    >>> l1_penalty({"W": np.array([3.0, -1.0, 0.0])}, 0.5)
    (2.0, {'W': array([ 0.5, -0.5,  0. ])})
    """
    check_floats("l1_penalty", params)
    _check_not_negative("l1_penalty", strength=strength)
    total = sum(float(np.abs(p).sum(dtype=np.float64)) for p in params.values())
    return float(strength) * total, {
        name: float(strength) * np.sign(p) for name, p in params.items()
    }


def clip_by_norm(grads: Arrays, max_norm: float) -> tuple[dict[str, Array], float]:
    """Shorten all gradients by one factor, where together they are longer than ``max_norm``; their
    direction stays.

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
    # Divided by the largest number first: gradients that explode are the very case, and their
    # squares would overflow.
    largest = max((float(np.abs(g).max(initial=0)) for g in grads.values()), default=0.0)
    if largest == 0:
        return {name: g.copy() for name, g in grads.items()}, 0.0
    squares = sum(float(np.square(g / largest, dtype=np.float64).sum()) for g in grads.values())
    norm = largest * math.sqrt(squares)
    scale = min(1.0, float(max_norm) / norm)
    return {name: g * scale for name, g in grads.items()}, norm


def clip_by_value(grads: Arrays, limit: float) -> dict[str, Array]:
    """Cut each number off at -limit and at limit. Unlike `clip_by_norm`, that turns the direction
    of the step.

    Parameters
    ----------
    grads : name -> array
    limit : above 0

    Returns
    -------
    grads : name -> new array

    Raises
    ------
    ArgumentError, DTypeError, NotFiniteError : an argument that does not fit, by name

    Examples
    --------
    >>> clip_by_value({"b": np.array([0.5, -4.0])}, limit=1.0)
    {'b': array([ 0.5, -1. ])}
    """
    check_floats("clip_by_value", grads)
    _check_positive("clip_by_value", limit=limit)
    return {name: np.clip(g, -float(limit), float(limit)) for name, g in grads.items()}


def _check(operation: str, params: Arrays, **others: Arrays) -> None:
    """Check that the other dicts have the names, shapes and dtype of the parameters, and that all
    numbers are finite.
    """
    check_same_names(operation, params, **others)
    everything = {f'params["{name}"]': array for name, array in params.items()}
    for argument, arrays in others.items():
        everything |= {f'{argument}["{name}"]': array for name, array in arrays.items()}
    check_floats(operation, everything)
    for argument, arrays in others.items():
        for name, array in arrays.items():
            # Without this, NumPy would stretch a (4H,) gradient over a (D, 4H) parameter and say
            # nothing.
            if array.shape != params[name].shape:
                raise ShapeError(
                    f'{operation}: {argument}["{name}"] must have the shape of params["{name}"] = '
                    f"{params[name].shape}, "
                    f"got {array.shape}"
                )


def _check_positive(operation: str, **numbers: float) -> None:
    for name, number in numbers.items():
        if not 0 < number < math.inf:
            raise ArgumentError(f"{operation}: {name} must be a number above 0, got {number}")


def _check_fractions(operation: str, **numbers: float) -> None:
    for name, number in numbers.items():
        if not 0 <= number < 1:
            raise ArgumentError(f"{operation}: {name} must be at least 0 and below 1, got {number}")


def _check_not_negative(operation: str, **numbers: float) -> None:
    for name, number in numbers.items():
        if not 0 <= number < math.inf:
            raise ArgumentError(f"{operation}: {name} must be a number of at least 0, got {number}")

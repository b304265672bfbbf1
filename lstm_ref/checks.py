"""What every program with sequences should pass, as single checks of any function from arrays to
arrays.

    alone_as_in_batch    an example has the same output alone as in its batch
    depends              which time steps of the input move which time steps of the output
    twice                a second call gives the same
    gradient_errors      the gradients of a layer of one's own are those of what it computes

A function here takes an array (N, T, ...) and gives an array; `of_torch` and `of_keras` make one of
a model in evaluation. `lstm_ref.doctor` runs the same measurements on a whole program.
"""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lstm_ref.doctor import perturb
from lstm_ref.errors import ArgumentError

Array = NDArray[Any]
Function = Callable[[Array], Array]

__all__ = [
    "alone_as_in_batch",
    "count_parameters",
    "depends",
    "gradient_errors",
    "of_keras",
    "of_torch",
    "twice",
]


def alone_as_in_batch(function: Function, x: Array) -> float:
    """Largest difference between the outputs of examples alone and in their batch; about 1e-6 in
    float32 is rounding.

    Parameters
    ----------
    function : (N, T, ...) -> (N, ...)
    x : (N, T, ...), N at least 2

    Returns
    -------
    difference : 0 where the examples do not act on one another, up to rounding

    Examples
    --------
    >>> x = np.arange(12.0).reshape(3, 4)
    >>> alone_as_in_batch(lambda x: x.cumsum(1), x)
    0.0
    >>> alone_as_in_batch(lambda x: x - x.mean(0), x)
    4.0
    """
    _check(x, "alone_as_in_batch")
    together = function(x)
    alone = [function(x[n : n + 1])[0] for n in range(len(x))]
    return float(max(np.abs(a - b).max() for a, b in zip(alone, together, strict=True)))


def depends(function: Function, x: Array) -> Array:
    """Which input steps move which output steps.

    Parameters
    ----------
    function : (N, T, ...) -> (N, S, ...)
    x : (N, T, ...)

    Returns
    -------
    moved : (T, S), the largest change of output step s when input step t changes; below the
        diagonal nothing for a causal one

    Examples
    --------
    >>> (depends(lambda x: x.cumsum(1), np.arange(6.0).reshape(2, 3)) > 0).astype(int)
    array([[1, 1, 1],
           [0, 1, 1],
           [0, 0, 1]])
    """
    _check(x, "depends")
    before = function(x)
    rows = []
    for t in range(x.shape[1]):
        change = np.abs(function(perturb.moved(x, perturb.along(1, t))) - before)
        rows.append(change.reshape(*change.shape[:2], -1).max(axis=(0, 2)))
    return np.array(rows)


def twice(function: Function, x: Array) -> float:
    """Largest difference between two calls with the same input; 0 unless a state is carried or
    numbers are drawn.

    Parameters
    ----------
    function : (N, T, ...) -> an array
    x : (N, T, ...)

    Examples
    --------
    >>> twice(np.tanh, np.ones((2, 3)))
    0.0
    """
    return float(np.abs(function(x) - function(x)).max())


def count_parameters(
    D: int, H: int, *, layers: int = 1, directions: int = 1, biases: int = 1
) -> int:
    """Number of weights of an LSTM.

    Parameters
    ----------
    D, H : sizes of input and state
    layers, directions : as stacked
    biases : 1 here and in Keras, 2 in PyTorch

    Examples
    --------
    >>> count_parameters(3, 5, biases=2)
    200
    """
    first = 4 * H * (D + H + biases)
    further = 4 * H * (directions * H + H + biases)
    return directions * (first + (layers - 1) * further)


def gradient_errors(layer: Any, x: Array, *, seed: int = 0) -> dict[str, float]:
    """Relative error of a layer's gradients next to central differences, along one random direction
    for each array.

    The loss is a random mean of the outputs. A detach, a wrong custom backward pass or a round trip
    over NumPy shows as an error near 1. A module of PyTorch is copied and computed in float64,
    where 1e-6 is right; Keras computes in float32, where 2e-2 is.

    Parameters
    ----------
    layer : torch.nn.Module or keras.Layer, in evaluation; it is left as it was
    x : (N, T, ...), floating point
    seed : of the directions

    Returns
    -------
    errors : "x" and each parameter's name -> relative error

    Examples
    --------
    >>> import torch
    >>> errors = gradient_errors(torch.nn.LSTM(3, 4, batch_first=True), np.ones((2, 5, 3)))
    >>> max(errors.values()) < 1e-6
    True
    """
    _check(x, "gradient_errors")
    if x.dtype.kind != "f":
        raise ArgumentError(f"gradient_errors: x must be floating point, got {x.dtype}")
    torch = sys.modules.get("torch")
    slopes = (
        _torch_slopes if torch is not None and isinstance(layer, torch.nn.Module) else _keras_slopes
    )
    return {
        name: abs(mine - true) / max(size, abs(true), 1e-12)
        for name, mine, true, size in slopes(layer, x, np.random.default_rng(seed))
    }


Slopes = Iterator[tuple[str, float, float, float]]


def _torch_slopes(module: Any, x: Array, rng: np.random.Generator) -> Slopes:
    """For each array: its name, slope by gradient, slope by differences, length of the gradient."""
    import torch

    twin = copy.deepcopy(module).double().eval()
    given = torch.tensor(x, dtype=torch.float64, requires_grad=True)
    arrays = {"x": given, **{name: p for name, p in twin.named_parameters() if p.requires_grad}}
    weights: list[Any] = []

    def loss() -> Any:
        out = twin(given)
        out = out[0] if isinstance(out, tuple) else out
        if not weights:
            weights.append(torch.as_tensor(rng.normal(size=tuple(out.shape))))
        return (out * weights[0]).mean()

    total = loss()
    grads = (
        torch.autograd.grad(total, list(arrays.values()), allow_unused=True)
        if total.requires_grad
        else [None] * len(arrays)
    )
    for (name, array), grad in zip(arrays.items(), grads, strict=True):
        way = torch.as_tensor(rng.choice([-1.0, 1.0], tuple(array.shape)))
        sides = []
        for eps in (1e-6, -2e-6):  # forward, then back to the other side
            array.data += eps * way
            sides.append(float(loss().detach()))
        array.data += 1e-6 * way
        mine, size = (0.0, 0.0) if grad is None else (float((grad * way).sum()), float(grad.norm()))
        yield name, mine, (sides[0] - sides[1]) / 2e-6, size


def _keras_slopes(layer: Any, x: Array, rng: np.random.Generator) -> Slopes:
    """As `_torch_slopes`; the weights are put back."""
    import keras
    import tensorflow as tf

    given = keras.Variable(np.asarray(x, np.float32), name="x")
    out = np.asarray(layer(given.value, training=False))
    weights = rng.normal(size=out.shape).astype(np.float32)

    def loss() -> Any:
        return tf.reduce_mean(layer(given.value, training=False) * weights)

    arrays = {"x": given, **{v.path: v for v in layer.trainable_variables}}
    with tf.GradientTape() as tape:
        total = loss()
    grads = tape.gradient(total, [v.value for v in arrays.values()])
    for (name, variable), grad in zip(arrays.items(), grads, strict=True):
        way, before = (
            rng.choice([-1.0, 1.0], tuple(variable.shape)).astype(np.float32),
            variable.numpy(),
        )
        try:
            sides = [float(_assigned(variable, before + eps * way, loss)) for eps in (5e-3, -5e-3)]
        finally:
            variable.assign(before)
        grad = np.zeros(before.shape) if grad is None else np.asarray(tf.convert_to_tensor(grad))
        yield (
            name,
            float((grad * way).sum()),
            (sides[0] - sides[1]) / 1e-2,
            float(np.linalg.norm(grad)),
        )


def _assigned(variable: Any, value: Array, loss: Callable[[], Any]) -> Any:
    variable.assign(value)
    return loss()


def of_torch(module: Any) -> Function:
    """A module of PyTorch as a function of arrays, in evaluation; its modes are as before after
    each call.
    """
    import torch

    def function(x: Array) -> Array:
        modes = [(part, part.training) for part in module.modules()]
        module.eval()
        try:
            with torch.no_grad():
                out = module(torch.as_tensor(x))
        finally:
            for part, mode in modes:
                part.training = mode
        return np.asarray((out[0] if isinstance(out, tuple) else out).cpu().numpy())

    return function


def of_keras(model: Any) -> Function:
    """A Keras model or layer as a function of arrays, in evaluation."""

    def function(x: Array) -> Array:
        return np.asarray(model(x, training=False))

    return function


def _check(x: Array, operation: str) -> None:
    if not isinstance(x, np.ndarray) or x.ndim < 2:
        shape = getattr(x, "shape", type(x).__name__)
        raise ArgumentError(f"{operation}: x must be an array (N, T, ...), got {shape}")

"""Is a gradient the derivative of its loss? Ask the loss itself, along random directions.

For a direction v, the derivative of the loss is <dp, v>, and also (L(p + eps v) - L(p - eps v)) / (2 eps), up to rounding. Two
evaluations so check a whole parameter block, however large: any mistake in dp that is not at right angles to v shows.
Only where a block fails is it taken apart, so that the message can say which gate and which time step are wrong.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
from numpy.random import Generator

from lstm_ref.errors import (
    ArgumentError,
    Array,
    DTypeError,
    GradientError,
    NotFiniteError,
    ShapeError,
    check_floats,
    check_same_names,
)

Arrays = Mapping[str, Array]

# A central difference errs twice: by about eps**2 because the loss curves, and by about u / eps because the loss is rounded
# (u = 1.1e-16). For one number, the sum is smallest near the cube root of u, 5e-6; a direction moves all numbers at once and
# so goes further. Measured on right gradients of layers with weights from 0.01 to 2: below 5e-8.
EPS = 1e-6
# The smallest error of a known mistake (hidden state not carried, weights of 0.01) is above 1e-3.
TOLERANCE = 1e-6
# Rounding of a loss, relative to it: a few dozen operations in a row. Differences of two losses below this mean nothing;
# without it, a gradient that is truly zero would be refused for the noise that it is compared with.
NOISE = 64 * np.finfo(np.float64).eps

# Axes of the names that the whole course uses. "4H" is taken apart into gates, "T" into time steps.
AXES = {"x": "N T D", "h0": "N H", "c0": "N H", "Wx": "D 4H", "Wh": "H 4H", "b": "4H"}
GATES = ("input gate", "forget gate", "candidate", "output gate")  # i, f, g, o


class _Projection(NamedTuple):
    """One gradient along one direction, computed both ways."""

    analytic: float
    numerical: float
    error: float


def check_gradients(
    f: Callable[[dict[str, Array]], float],
    params: Arrays,
    grads: Arrays,
    *,
    axes: Mapping[str, str] | None = None,
    eps: float = EPS,
    tolerance: float = TOLERANCE,
    rng: Generator | None = None,
) -> dict[str, float]:
    """Compare gradients with central differences of the loss, one random projection a parameter block.

    The relative error is the difference of both projections, over what a projection of this gradient comes to on average over
    the random signs (the root of the sum of its squared terms), and not over this one, which may be near zero by chance.

    Parameters
    ----------
    f : params -> loss, a number; must use no random numbers, or the same at each call
    params : name -> array, float64. Whatever can be differentiated: weights, but also x, h0, c0
    grads : name -> gradient at ``params``, with the same names and shapes
    axes : name -> its axes by letter, as ``{"x": "N T D"}``; an axis ``4H`` is taken apart into the gates i, f, g, o and an axis
        ``T`` into time steps when the gradient is wrong. The names of the course (`AXES`) are known already, those with
        gates beside a Wh of shape (H, 4H) only
    eps : length of the step to each side; a tenth of it is tried where the gradient seems wrong
    tolerance : largest relative error
    rng : source of the directions; None means always the same ones

    Returns
    -------
    errors : name -> relative error

    Raises
    ------
    GradientError : with the parameter, the gate or the time step, and both numbers
    ArgumentError, ShapeError, DTypeError, NotFiniteError : an argument that does not fit, by name

    Examples
    --------
    >>> W = np.array([[1.0, -2.0]])
    >>> errors = check_gradients(lambda p: np.sum(p["W"] ** 2), {"W": W}, {"W": 2 * W})
    >>> errors["W"] < 1e-9
    True
    >>> b = np.ones(8)
    >>> wrong = np.array([2.0, 2, 2, 2, 2, 2, 1, 1])
    >>> check_gradients(lambda p: np.sum(p["b"] ** 2), {"b": b}, {"b": wrong}, axes={"b": "4H"})
    Traceback (most recent call last):
        ...
    lstm_ref.errors.GradientError: check_gradients: 1 of 1 gradients is not the derivative of the loss
      db: analytic -1.57, numerical -3.388, relative error 3e-01 (at most 1e-06 is right)
      db, output gate: analytic -1.819, numerical -3.637, relative error 5e-01
    """
    _check("check_gradients", params, grads)
    _check_eps("check_gradients", eps)
    rng = np.random.default_rng(0) if rng is None else rng
    patterns = _patterns(params, axes or {})

    def project(name: str, direction: Array, step: float) -> _Projection:
        high, low = (_loss_beside(f, params, name, side * direction) for side in (step, -step))
        numerical = (high - low) / (2 * step)
        terms = grads[name] * direction
        analytic, length = float(terms.sum()), float(np.linalg.norm(terms))
        noise = NOISE * max(abs(high), abs(low)) / step
        scale = max(length, abs(numerical), noise / tolerance, np.finfo(np.float64).tiny)
        return _Projection(analytic, numerical, abs(analytic - numerical) / scale)

    errors: dict[str, float] = {}
    report: list[str] = []
    for name, p in params.items():
        direction = _direction(rng, p.shape)
        whole = project(name, direction, eps)
        if whole.error > tolerance:
            # Where the loss curves strongly, eps may have been too long: then the error falls a hundredfold.
            whole = project(name, direction, eps / 10)
        errors[name] = whole.error
        if whole.error <= tolerance:
            continue
        report.append(f"  d{name}: {_spell(whole)} (at most {tolerance:.0e} is right)")
        for part, mask in _parts(p, patterns.get(name, "")):
            projection = project(name, direction * mask, eps / 10)
            if projection.error > tolerance:
                report.append(f"  d{name}, {part}: {_spell(projection)}")
    if report:
        wrong = sum(error > tolerance for error in errors.values())
        verb = "is" if wrong == 1 else "are"
        head = f"check_gradients: {wrong} of {len(params)} gradients {verb} not the derivative of the loss"
        raise GradientError("\n".join([head, *report]), errors)
    return errors


def numerical_gradient(f: Callable[[Array], float], array: Array, eps: float = EPS) -> Array:
    """Gradient of f at ``array`` by central differences, number by number: slow and sure.

    Parameters
    ----------
    f : array -> number
    array : float64, any shape; f gets a changed copy of it
    eps : length of the step to each side

    Returns
    -------
    gradient : of the shape of array

    Raises
    ------
    DTypeError, NotFiniteError, ArgumentError : an argument that does not fit, by name

    Examples
    --------
    >>> numerical_gradient(lambda a: np.sum(a**2), np.array([1.0, -3.0])).round(6)
    array([ 2., -6.])
    """
    _check_float64("numerical_gradient", {"array": array})
    _check_eps("numerical_gradient", eps)
    gradient = np.empty_like(array)
    for index in np.ndindex(array.shape):
        up, down = array.copy(), array.copy()
        up[index] += eps
        down[index] -= eps
        high = _number("numerical_gradient", f(up), "array")
        gradient[index] = (high - _number("numerical_gradient", f(down), "array")) / (2 * eps)
    return gradient


def _direction(rng: Generator, shape: tuple[int, ...]) -> Array:
    """Numbers of random sign and of a size between 1/2 and 3/2.

    Never near zero, so that no single wrong entry is hidden; not all of one size, so that two opposite ones do not cancel.
    """
    return rng.choice([-1.0, 1.0], shape) * rng.uniform(0.5, 1.5, shape)


def _loss_beside(f: Callable[[dict[str, Array]], float], params: Arrays, name: str, shift: Array) -> float:
    # Copies of all, so that a loss that changes its arguments spoils its own copies only.
    changed = {key: array.copy() for key, array in params.items()}
    changed[name] += shift
    return _number("check_gradients", f(changed), name)


def _patterns(params: Arrays, declared: Mapping[str, str]) -> dict[str, str]:
    """Name -> axes, where they are known: those that were declared, and those of the course that fit."""
    for name, pattern in declared.items():
        if name not in params:
            raise ArgumentError(f"check_gradients: axes must name parameters, {', '.join(params)}; got {name!r}")
        if not _fits(params[name], pattern):
            raise ShapeError(
                f'check_gradients: params["{name}"] must be ({pattern}) as declared, got {params[name].shape}'
            )
    # An output layer has a b too, and a plain RNN or a GRU a Wx: only a Wh of shape (H, 4H) says that there are four gates.
    Wh = params.get("Wh")
    gated = Wh is not None and Wh.ndim == 2 and Wh.shape[1] == 4 * Wh.shape[0]
    known = {name: pattern for name, pattern in AXES.items() if gated or "4H" not in pattern}
    return {name: pattern for name, pattern in known.items() if name in params and _fits(params[name], pattern)} | dict(
        declared
    )


def _fits(p: Array, pattern: str) -> bool:
    axes = pattern.split()
    return len(axes) == p.ndim and all(n % 4 == 0 for n, axis in zip(p.shape, axes, strict=True) if axis == "4H")


def _parts(p: Array, pattern: str) -> list[tuple[str, Array]]:
    """Name and mask of each gate and of each time step, as far as the axes are known."""
    parts: list[tuple[str, Array]] = []
    for axis, letter in enumerate(pattern.split()):
        if letter == "4H":
            labels = np.repeat(range(4), p.shape[axis] // 4)
            names = list(GATES)
        elif letter == "T":
            labels = np.arange(p.shape[axis])
            names = [f"time step {t}" for t in labels]
        else:
            continue
        along = labels.reshape([-1 if k == axis else 1 for k in range(p.ndim)])
        parts += [(part, (along == k) & np.ones(p.shape, bool)) for k, part in enumerate(names)]
    return parts


def _spell(projection: _Projection) -> str:
    analytic, numerical, error = projection
    return f"analytic {analytic:.4g}, numerical {numerical:.4g}, relative error {error:.0e}"


def _number(operation: str, loss: object, name: str) -> float:
    """The loss as a float; float32 is refused, because a difference of two such losses is mostly rounding."""
    if isinstance(loss, np.ndarray | np.generic) and loss.dtype != np.float64:
        raise DTypeError(f"{operation}: f must compute in float64, got a loss of {loss.dtype}; give it float64 arrays")
    try:
        number = float(loss)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        kind = f"an array of shape {loss.shape}" if isinstance(loss, np.ndarray) else type(loss).__name__
        raise ArgumentError(f"{operation}: f must return one number, the loss, got {kind}") from None
    if not math.isfinite(number):
        raise NotFiniteError(f"{operation}: f must return a finite loss, got {number} near the given {name}")
    return number


def _check(operation: str, params: Arrays, grads: Arrays) -> None:
    if not params:
        raise ArgumentError(f"{operation}: params must hold at least one array, got none: there is nothing to check")
    check_same_names(operation, params, grads=grads)
    for argument, arrays in (("params", params), ("grads", grads)):
        _check_float64(operation, {f'{argument}["{name}"]': array for name, array in arrays.items()})
    for name, p in params.items():
        if grads[name].shape != p.shape:
            raise ShapeError(
                f'{operation}: grads["{name}"] must have the shape of params["{name}"] = {p.shape}, got {grads[name].shape}'
            )


def _check_float64(operation: str, arrays: Arrays) -> None:
    for name, array in arrays.items():
        if isinstance(array, np.ndarray) and array.dtype == np.float32:
            raise DTypeError(
                f"{operation}: {name} must be float64, got float32: its 7 digits leave nothing of a difference of two losses; "
                f"check the same code with {name}.astype(np.float64)"
            )
    check_floats(operation, arrays)


def _check_eps(operation: str, eps: float) -> None:
    if not 0 < eps < math.inf:
        raise ArgumentError(f"{operation}: eps must be a number above 0, got {eps}")

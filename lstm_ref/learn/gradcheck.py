"""Is a gradient the derivative of its loss? Ask the loss itself, along random directions.

For a direction v, the derivative of the loss is <dp, v>, and also (L(p + eps v) - L(p - eps v)) /
(2 eps), up to rounding. Two evaluations so check a whole parameter block, however large: any
mistake in dp that is not at right angles to v shows. Only where a block fails is it taken apart, so
that the message can say which gate and which time step are wrong.

    check_gradients(f, params, grads)           any loss, any parameters; names the gate, and the
                                                time step of x
    check_backward(forward, backward, params)   a layer over time; names the first time step of the
                                                weights, too
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

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
Loss = Callable[[dict[str, Array]], float]

# A central difference errs twice: by about eps**2 because the loss curves, and by about u / eps
# because the loss is rounded (u = 1.1e-16). For one number, the sum is smallest near the cube root
# of u, 5e-6; a direction moves all numbers at once and so goes further. Measured on right gradients
# of layers with weights from 0.01 to 2: below 5e-8.
EPS = 1e-6
# The smallest error of a known mistake (hidden state not carried, weights of 0.01) is above 1e-3.
TOLERANCE = 1e-6
# Rounding of a loss, relative to it: a few dozen operations in a row. Differences of two losses
# below this mean nothing; without it, a gradient that is truly zero would be refused for the noise
# that it is compared with.
NOISE = 64 * np.finfo(np.float64).eps

# Axes of the names that the whole course uses. "4H" is taken apart into gates, "T" into time steps.
AXES = {"x": "N T D", "h0": "N H", "c0": "N H", "Wx": "D 4H", "Wh": "H 4H", "b": "4H"}
GATES = ("input gate", "forget gate", "candidate", "output gate")  # i, f, g, o
GRU_GATES = ("reset gate", "update gate", "candidate")  # r, z, n


class _Projection(NamedTuple):
    """One gradient along one direction, computed both ways."""

    analytic: float
    numerical: float
    error: float


class _Wrong(NamedTuple):
    """A parameter whose gradient is wrong, or a part of it."""

    name: str
    part: str  # a gate or a time step; empty for the whole
    mask: Array  # of the shape of the parameter: what belongs to the part
    projection: _Projection


def check_gradients(
    f: Callable[[dict[str, Array]], float],
    params: Arrays,
    grads: Arrays,
    *,
    axes: Mapping[str, str] | None = None,
    gates: Sequence[str] = (),
    eps: float = EPS,
    tolerance: float = TOLERANCE,
    rng: Generator | None = None,
) -> dict[str, float]:
    """Compare gradients with central differences of the loss, one random projection a parameter
    block.

    The relative error is the difference of both projections, over what a projection of this
    gradient comes to on average over the random signs (the root of the sum of its squared terms),
    and not over this one, which may be near zero by chance.

    Parameters
    ----------
    f : params -> loss, a number; must use no random numbers, or the same at each call
    params : name -> array, float64. Whatever can be differentiated: weights, but also x, h0, c0
    grads : name -> gradient at ``params``, with the same names and shapes
    axes : name -> its axes by letter, as ``{"x": "N T D"}``; an axis ``4H`` is taken apart into the
        gates i, f, g, o, an axis ``3H`` into r, z, n, and an axis ``T`` into time steps when the
        gradient is wrong. The names of the course (`AXES`) are known already, those with gates
        beside a Wh of shape (H, 4H), or of (H, 3H) and a bh, only
    gates : names of the blocks of an axis ``2H``, ``3H``, ..., where they are others: of a cell
        with coupled gates, say
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
    >>> check_gradients(
    ...     lambda p: np.sum(p["b"] ** 2), {"b": b}, {"b": wrong}, axes={"b": "4H"}
    ... )  # doctest: +NORMALIZE_WHITESPACE
    Traceback (most recent call last):
        ...
    lstm_ref.errors.GradientError: check_gradients: 1 of 1 gradients is not the derivative of the
    loss
      db: analytic -1.57, numerical -3.388, relative error 3e-01 (at most 1e-06 is right)
      db, output gate: analytic -1.819, numerical -3.637, relative error 5e-01
    """
    _check("check_gradients", params, grads)
    _check_eps("check_gradients", eps)
    rng = np.random.default_rng(0) if rng is None else rng
    patterns = _patterns("check_gradients", params, axes or {})
    directions = {name: _direction(rng, p.shape) for name, p in params.items()}
    errors, wrong = _compare(
        "check_gradients", f, params, grads, directions, patterns, gates, eps, tolerance
    )
    if wrong:
        lines = [_line(w, tolerance) for w in wrong]
        raise GradientError(
            "\n".join([_head("check_gradients", errors, tolerance), *lines]), errors
        )
    return errors


class _Layer(NamedTuple):
    """The layer that `check_backward` looks at."""

    forward: Callable[..., tuple[Array, Any, Any]]
    backward: Callable[..., Any]
    params: Arrays

    def problem(self, dh: Array, dcT: Array | None) -> tuple[Loss, Arrays]:
        """The loss that has these gradients, and what the backward pass makes of them."""

        def loss(p: dict[str, Array]) -> float:
            h, last, _ = _three(self.forward(**p))
            return float(np.sum(h * dh)) + (0.0 if dcT is None else float(np.sum(last[1] * dcT)))

        # Everything anew, so that a backward pass that spoils its cache or its arguments spoils its
        # own only.
        _, _, cache = _three(self.forward(**_copies(self.params)))
        given = (dh.copy(), cache) if dcT is None else (dh.copy(), cache, dcT.copy())
        grads = _named("check_backward", self.backward(*given), self.params)
        _check("check_backward", self.params, grads)
        return loss, grads

    def one_at_a_time(self, dh: Array, dcT: Array | None) -> Iterator[tuple[str, Loss, Arrays]]:
        """Such problems whose loss looks at one thing alone: each hidden state, then the last cell
        state.
        """
        nothing = None if dcT is None else np.zeros_like(dcT)
        for t in range(dh.shape[1]):
            one = np.zeros_like(dh)
            one[:, t] = dh[:, t]
            yield f"first wrong at t = {t}", *self.problem(one, nothing)
        if dcT is not None:
            yield "wrong for dcT alone", *self.problem(np.zeros_like(dh), dcT)


def check_backward(
    forward: Callable[..., tuple[Array, Any, Any]],
    backward: Callable[..., Any],
    params: Arrays,
    *,
    axes: Mapping[str, str] | None = None,
    gates: Sequence[str] = (),
    eps: float = EPS,
    tolerance: float = TOLERANCE,
    rng: Generator | None = None,
) -> dict[str, float]:
    """Compare all gradients of a layer over time with central differences of its own forward pass.

    The loss is a random mean of all hidden states, and of the last cell state where there is one.
    Where a gradient is wrong, the loss looks at the hidden state of one step alone, at t = 0, 1, 2,
    ...: "first wrong at t = 0" is a mistake within a step, "first wrong at t = 1" one in what a
    step sends back to the one before it.

    Parameters
    ----------
    forward : as `lstm_forward`, `gru_forward`, `variant_forward`: ``forward(**params)`` gives h (N,
        T, H), the last state, which is hT or (hT, cT), and a cache
    backward : as `lstm_backward`: ``backward(dh, cache, dcT)``, or ``backward(dh, cache)`` where
        the last state is hT alone; gives a NamedTuple with dx, dh0, ..., or a dict under the names
        of the parameters with or without the d, or the gradients in the order of ``params``
    params : name -> array, float64: all arguments of ``forward``. Anything else that it needs, give
        by functools.partial
    axes, gates, eps, tolerance, rng : as in `check_gradients`

    Returns
    -------
    errors : name -> relative error

    Raises
    ------
    GradientError : with the parameter, the gate, the first time step, and both numbers
    ArgumentError, ShapeError, DTypeError, NotFiniteError : an argument that does not fit, by name

    Examples
    --------
    >>> from lstm_ref import lstm_backward, lstm_forward
    >>> rng = np.random.default_rng(0)
    >>> shapes = {"x": (2, 4, 3), "h0": (2, 2), "c0": (2, 2), "Wx": (3, 8), "Wh": (2, 8), "b": (8,)}
    >>> params = {name: rng.normal(size=shape) for name, shape in shapes.items()}
    >>> max(check_backward(lstm_forward, lstm_backward, params).values()) < 1e-7
    True
    >>> def forgetful(dh, cache, dcT):
    ...     grads = lstm_backward(dh, cache, dcT)
    ...     grads.dWh[:, 2:4] = 0  # the columns of the forget gate
    ...     return grads
    >>> check_backward(lstm_forward, forgetful, params)  # doctest: +NORMALIZE_WHITESPACE
    Traceback (most recent call last):
        ...
    lstm_ref.errors.GradientError: check_backward: 1 of 6 gradients is not the derivative of the
    loss
      dWh: analytic 1.101, numerical 1.135, relative error 3e-02 (at most 1e-06 is right)
      dWh, forget gate, first wrong at t = 0: analytic 0, numerical 0.03449, relative error 1e-01
    """
    if not params:
        raise ArgumentError(
            "check_backward: params must hold at least one array, got none: there is nothing to "
            "check"
        )
    _check_float64("check_backward", {f'params["{name}"]': array for name, array in params.items()})
    _check_eps("check_backward", eps)
    rng = np.random.default_rng(0) if rng is None else rng
    patterns = _patterns("check_backward", params, axes or {})
    h, last, _ = _three(forward(**_copies(params)))
    c = last[1] if isinstance(last, tuple) else None
    dh = rng.standard_normal(h.shape)
    dcT = None if c is None else rng.standard_normal(c.shape)
    layer = _Layer(forward, backward, params)
    loss, grads = layer.problem(dh, dcT)
    directions = {name: _direction(rng, p.shape) for name, p in params.items()}
    errors, wrong = _compare(
        "check_backward", loss, params, grads, directions, patterns, gates, eps, tolerance
    )
    if not wrong:
        return errors

    losses = list(layer.one_at_a_time(dh, dcT))
    taken_apart = {w.name for w in wrong if w.part}
    lines = []
    for w in wrong:
        when = ""
        if "T" not in patterns.get(w.name, "").split() and (w.part or w.name not in taken_apart):
            when = "wrong only where the loss looks at several steps"
            for told, f, grads in losses:
                way = directions[w.name] * w.mask
                found = _project(
                    "check_backward", f, params, grads, w.name, way, eps / 10, tolerance
                )
                if found.error > tolerance:
                    when = told
                    break
        lines.append(_line(w, tolerance, when))
    raise GradientError("\n".join([_head("check_backward", errors, tolerance), *lines]), errors)


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


def _three(results: Any) -> tuple[Array, Any, Any]:
    """What a forward pass gives, if it is h, the last state and a cache."""
    if not isinstance(results, tuple | list) or len(results) != 3:
        some = isinstance(results, tuple | list)
        got = f"{len(results)} results" if some else type(results).__name__
        raise ArgumentError(
            "check_backward: forward must return three results, h (N, T, H), the last state and a "
            f"cache, got {got}"
        )
    h, last, cache = results
    return h, last, cache


def _direction(rng: Generator, shape: tuple[int, ...]) -> Array:
    """Numbers of random sign and of a size between 1/2 and 3/2.

    Never near zero, so that no single wrong entry is hidden; not all of one size, so that two
    opposite ones do not cancel.
    """
    return rng.choice([-1.0, 1.0], shape) * rng.uniform(0.5, 1.5, shape)


def _compare(
    operation: str,
    f: Callable[[dict[str, Array]], float],
    params: Arrays,
    grads: Arrays,
    directions: Arrays,
    patterns: Mapping[str, str],
    gates: Sequence[str],
    eps: float,
    tolerance: float,
) -> tuple[dict[str, float], list[_Wrong]]:
    """Relative error of each parameter; and what is wrong: the parameter, and after it those of its
    parts that are.
    """
    errors: dict[str, float] = {}
    wrong: list[_Wrong] = []
    for name, p in params.items():
        direction = directions[name]
        whole = _project(operation, f, params, grads, name, direction, eps, tolerance)
        if whole.error > tolerance:
            # Where the loss curves strongly, eps may have been too long: then the error falls a
            # hundredfold.
            whole = _project(operation, f, params, grads, name, direction, eps / 10, tolerance)
        errors[name] = whole.error
        if whole.error <= tolerance:
            continue
        wrong.append(_Wrong(name, "", np.ones(p.shape, bool), whole))
        for part, mask in _parts(p, patterns.get(name, ""), gates):
            projection = _project(
                operation, f, params, grads, name, direction * mask, eps / 10, tolerance
            )
            if projection.error > tolerance:
                wrong.append(_Wrong(name, part, mask, projection))
    return errors, wrong


def _project(
    operation: str,
    f: Callable[[dict[str, Array]], float],
    params: Arrays,
    grads: Arrays,
    name: str,
    direction: Array,
    step: float,
    tolerance: float,
) -> _Projection:
    high, low = (
        _loss_beside(operation, f, params, name, side * direction) for side in (step, -step)
    )
    numerical = (high - low) / (2 * step)
    terms = grads[name] * direction
    analytic, length = float(terms.sum()), float(np.linalg.norm(terms))
    noise = NOISE * max(abs(high), abs(low)) / step
    scale = max(length, abs(numerical), noise / tolerance, np.finfo(np.float64).tiny)
    return _Projection(analytic, numerical, abs(analytic - numerical) / scale)


def _loss_beside(
    operation: str, f: Callable[[dict[str, Array]], float], params: Arrays, name: str, shift: Array
) -> float:
    changed = _copies(params)
    changed[name] += shift
    return _number(operation, f(changed), name)


def _copies(params: Arrays) -> dict[str, Array]:
    """Copies of all, so that a function that changes its arguments spoils its own copies only."""
    return {name: array.copy() for name, array in params.items()}


def _named(operation: str, grads: Any, params: Arrays) -> dict[str, Array]:
    """What a backward pass returned, under the names of the parameters."""
    if hasattr(grads, "_asdict"):
        named = {name: array for name, array in grads._asdict().items() if array is not None}
        extra = named.pop("extra", {})  # of a variant of the LSTM
        grads = {**named, **extra}
    if isinstance(grads, Mapping):
        spelt = {name: name if name in grads else f"d{name}" for name in params}
        check_same_names(operation, spelt.values(), gradients=grads)
        return {name: grads[theirs] for name, theirs in spelt.items()}
    if not isinstance(grads, Sequence) or len(grads) != len(params):
        got = len(grads) if isinstance(grads, Sequence) else type(grads).__name__
        raise ArgumentError(
            f"{operation}: backward must return {len(params)} gradients, of {', '.join(params)}, "
            f"got {got}"
        )
    return dict(zip(params, grads, strict=True))


def _patterns(operation: str, params: Arrays, declared: Mapping[str, str]) -> dict[str, str]:
    """Name -> axes, where they are known: those that were declared, and those of the course that
    fit.
    """
    for name, pattern in declared.items():
        if name not in params:
            raise ArgumentError(
                f"{operation}: axes must name parameters, {', '.join(params)}; got {name!r}"
            )
        if not _fits(params[name], pattern):
            raise ShapeError(
                f'{operation}: params["{name}"] must be ({pattern}) as declared, got '
                f"{params[name].shape}"
            )
    # An output layer has a b too, and a plain RNN or a GRU a Wx: only a Wh of shape (H, 4H) says
    # that there are four gates; and one of shape (H, 3H) may belong to an LSTM with coupled gates:
    # only beside a bh does it say that there is a GRU.
    Wh = params.get("Wh")
    count = Wh.shape[1] / Wh.shape[0] if Wh is not None and Wh.ndim == 2 and Wh.size else 0
    gated = {"4H": count == 4, "3H": count == 3 and "bh" in params}
    known = {name: pattern for name, pattern in AXES.items() if "4H" not in pattern or gated["4H"]}
    if gated["3H"]:
        known |= {name: AXES[name].replace("4H", "3H") for name in ("Wx", "Wh", "b")}
    return {
        name: pattern
        for name, pattern in known.items()
        if name in params and _fits(params[name], pattern)
    } | dict(declared)


def _fits(p: Array, pattern: str) -> bool:
    axes = pattern.split()
    return len(axes) == p.ndim and all(
        n % _blocks(axis) == 0 for n, axis in zip(p.shape, axes, strict=True)
    )


def _blocks(axis: str) -> int:
    """'4H' -> 4, and 1 for an axis that is not taken apart."""
    digits = axis[:-1]
    return int(digits) if digits.isdigit() else 1


def _parts(p: Array, pattern: str, gates: Sequence[str]) -> list[tuple[str, Array]]:
    """Name and mask of each gate and of each time step, as far as the axes are known."""
    parts: list[tuple[str, Array]] = []
    known = {len(names): tuple(names) for names in (GRU_GATES, GATES, gates)}
    for axis, letter in enumerate(pattern.split()):
        count = _blocks(letter)
        if count > 1 and count in known:
            labels = np.repeat(range(count), p.shape[axis] // count)
            names = list(known[count])
        elif letter == "T":
            labels = np.arange(p.shape[axis])
            names = [f"time step {t}" for t in labels]
        else:
            continue
        along = labels.reshape([-1 if k == axis else 1 for k in range(p.ndim)])
        parts += [(part, (along == k) & np.ones(p.shape, bool)) for k, part in enumerate(names)]
    return parts


def _head(operation: str, errors: Mapping[str, float], tolerance: float) -> str:
    wrong = sum(error > tolerance for error in errors.values())
    verb = "is" if wrong == 1 else "are"
    return f"{operation}: {wrong} of {len(errors)} gradients {verb} not the derivative of the loss"


def _line(wrong: _Wrong, tolerance: float, when: str = "") -> str:
    told = ", ".join(filter(None, [f"  d{wrong.name}", wrong.part, when]))
    return f"{told}: {_spell(wrong.projection)}" + (
        "" if wrong.part else f" (at most {tolerance:.0e} is right)"
    )


def _spell(projection: _Projection) -> str:
    analytic, numerical, error = projection
    return f"analytic {analytic:.4g}, numerical {numerical:.4g}, relative error {error:.0e}"


def _number(operation: str, loss: object, name: str) -> float:
    """The loss as a float; float32 is refused, because a difference of two such losses is mostly
    rounding.
    """
    if isinstance(loss, np.ndarray | np.generic) and loss.dtype != np.float64:
        raise DTypeError(
            f"{operation}: f must compute in float64, got a loss of {loss.dtype}; give it float64 "
            "arrays"
        )
    try:
        number = float(loss)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        kind = (
            f"an array of shape {loss.shape}"
            if isinstance(loss, np.ndarray)
            else type(loss).__name__
        )
        raise ArgumentError(
            f"{operation}: f must return one number, the loss, got {kind}"
        ) from None
    if not math.isfinite(number):
        raise NotFiniteError(
            f"{operation}: f must return a finite loss, got {number} near the given {name}"
        )
    return number


def _check(operation: str, params: Arrays, grads: Arrays) -> None:
    if not params:
        raise ArgumentError(
            f"{operation}: params must hold at least one array, got none: there is nothing to check"
        )
    check_same_names(operation, params, grads=grads)
    for argument, arrays in (("params", params), ("grads", grads)):
        _check_float64(
            operation, {f'{argument}["{name}"]': array for name, array in arrays.items()}
        )
    for name, p in params.items():
        if grads[name].shape != p.shape:
            raise ShapeError(
                f'{operation}: grads["{name}"] must have the shape of params["{name}"] = '
                f"{p.shape}, got {grads[name].shape}"
            )


def _check_float64(operation: str, arrays: Arrays) -> None:
    for name, array in arrays.items():
        if isinstance(array, np.ndarray) and array.dtype == np.float32:
            raise DTypeError(
                f"{operation}: {name} must be float64, got float32: its 7 digits leave nothing of "
                f"a difference of two losses; check the same code with {name}.astype(np.float64)"
            )
    check_floats(operation, arrays)


def _check_eps(operation: str, eps: float) -> None:
    if not 0 < eps < math.inf:
        raise ArgumentError(f"{operation}: eps must be a number above 0, got {eps}")

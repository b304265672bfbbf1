"""What lstm_ref raises, and the checks on arguments that raise it.

LSTMError
 ├─ ShapeError          (also a ValueError)      an array has the wrong shape
 ├─ DTypeError          (also a TypeError)       an array is of the wrong kind, or kinds are mixed
 ├─ NotFiniteError      (also a ValueError)      an array or a loss holds NaN or infinity
 │   └─ DivergedError                            it happened in training, which stopped
 ├─ ArgumentError       (also a ValueError)      anything else that an argument can be and must not
 ├─ GradientError       (also an AssertionError) a gradient is not the derivative of the loss
 ├─ MissingPackageError (also an ImportError)    an optional package is not installed
 ├─ DataError           (also an OSError)        a data file cannot be had, or is not the right one
 └─ CheckpointError     (also a ValueError)      a file is no checkpoint, damaged, or of another run
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
FLOATS = (np.dtype(np.float32), np.dtype(np.float64))


class LSTMError(Exception):
    """Anything that lstm_ref refuses to work with."""


class ShapeError(LSTMError, ValueError):
    """An array has the wrong shape."""


class DTypeError(LSTMError, TypeError):
    """An array is not of the kind that is needed (float32 or float64, or integers), or both floats
    are mixed in one call.
    """


class NotFiniteError(LSTMError, ValueError):
    """An array or a loss holds NaN or infinity."""


class DivergedError(NotFiniteError):
    """A loss or a gradient has become NaN or infinite in training.

    Attributes
    ----------
    history : lstm_ref.train.History of the steps before
    """

    def __init__(self, message: str, history: Any) -> None:
        super().__init__(message)
        self.history = history


class ArgumentError(LSTMError, ValueError):
    """An argument has a value that cannot be used: a negative learning rate, a name that is
    missing, an unknown dialect.
    """


class GradientError(LSTMError, AssertionError):
    """A gradient is not the derivative of the loss.

    Attributes
    ----------
    errors : name of the parameter -> relative error of its gradient, the right ones included
    """

    def __init__(self, message: str, errors: dict[str, float]) -> None:
        super().__init__(message)
        self.errors = errors


class MissingPackageError(LSTMError, ImportError):
    """An optional package is not installed."""


class DataError(LSTMError, OSError):
    """A data file cannot be had, or is not the file that it should be."""


class CheckpointError(LSTMError, ValueError):
    """A file is not a checkpoint, is damaged, or belongs to another model or to other data."""


def check_arrays(operation: str, sizes: dict[str, int], **arguments: tuple[Any, str]) -> None:
    """Check shapes, dtypes and finiteness of the arrays given to ``operation``.

    A letter that is not in ``sizes`` takes the length that most arguments agree on, so that one
    transposed array is named and not the nine that were right; it is then added to ``sizes``.

    Parameters
    ----------
    operation : name of the function, put first in every message
    sizes : letter -> number, the sizes that are known already; changed in place
    arguments : name -> (array, pattern), where the pattern names one letter an axis: ``"N T D"``,
        ``"D 4H"``; an axis that is a number has that length: ``"H 1"``

    Raises
    ------
    ShapeError, DTypeError, NotFiniteError : with the argument, what was expected and what came

    Examples
    --------
    >>> sizes = {"N": 2}
    >>> check_arrays("lstm_step", sizes, h_prev=(np.zeros((2, 3)), "N H"), b=(np.zeros(12), "4H"))
    >>> sizes
    {'N': 2, 'H': 3}
    >>> check_arrays(
    ...     "lstm_step", sizes, h_prev=(np.zeros((3, 2)), "N H")
    ... )  # doctest: +NORMALIZE_WHITESPACE
    Traceback (most recent call last):
        ...
    lstm_ref.errors.ShapeError: lstm_step: h_prev must be (N, H) = (2, 3), got (3, 2); did you pass
    h_prev.T?
    """
    arrays = {name: array for name, (array, _) in arguments.items()}
    _check_kinds(operation, arrays)
    if (fitting := _fitting(sizes, arguments)) is not None:
        sizes.update(fitting)
        check_floats(operation, arrays)
        return
    known = set(sizes)
    votes = _votes(arguments)
    for letter, counts in votes.items():
        sizes.setdefault(letter, max(counts, key=lambda length: len(counts[length])))
    for name, (array, pattern) in arguments.items():
        own = {
            letter for letter, counts in votes.items() if set().union(*counts.values()) == {name}
        } - known
        _check_shape(operation, name, array, pattern.split(), sizes, own)
    check_floats(operation, arrays)


def check_floats(operation: str, arrays: Mapping[str, Any]) -> None:
    """Check that all are NumPy arrays of one kind, float32 or float64, and finite, whatever their
    shapes.

    Parameters
    ----------
    operation : name of the function, put first in every message
    arrays : name -> array

    Raises
    ------
    DTypeError, NotFiniteError : with the argument, what was expected and what came
    """
    _check_kinds(operation, arrays)
    for name, array in arrays.items():
        if array.dtype not in FLOATS:
            raise DTypeError(
                f"{operation}: {name} must be float32 or float64, got {array.dtype}; use "
                f"{name}.astype(np.float64)"
            )
    if len({array.dtype for array in arrays.values()}) > 1:
        kinds = ", ".join(f"{name} {array.dtype}" for name, array in arrays.items())
        raise DTypeError(
            f"{operation}: all arrays must have one dtype, got {kinds}; use .astype to bring them "
            "together"
        )
    for name, array in arrays.items():
        if not np.isfinite(array).all():
            where = tuple(int(k) for k in np.argwhere(~np.isfinite(array))[0])
            raise NotFiniteError(
                f"{operation}: {name} must be finite, got {array[where]} at index {where}; look at "
                "the step that made it"
            )


def check_cache(operation: str, cache: Any, kind: Any, maker: str) -> None:
    """Check that ``cache`` has the fields of ``kind``, a NamedTuple; a plain tuple of as many
    things will do.

    Parameters
    ----------
    operation : name of the function, put first in the message
    cache : what was given
    kind : what must be given
    maker : name of the function that makes it

    Raises
    ------
    ArgumentError : with what was expected and what came
    """
    if not isinstance(cache, tuple) or len(cache) != len(kind._fields):
        raise ArgumentError(
            f"{operation}: cache must be the {kind.__name__} that {maker} returned, got "
            f"{type(cache).__name__}"
        )


def check_same_names(operation: str, expected: Iterable[str], **dicts: Mapping[str, Any]) -> None:
    """Check that every dict has exactly the expected names.

    Raises
    ------
    ArgumentError : with the names that are missing and those that are too many

    Examples
    --------
    >>> check_same_names(
    ...     "sgd", ["Wx", "Wh", "b"], grads={"Wx": 0, "dWh": 0, "b": 0}
    ... )  # doctest: +NORMALIZE_WHITESPACE
    Traceback (most recent call last):
        ...
    lstm_ref.errors.ArgumentError: sgd: grads must have the names Wx, Wh, b; missing: Wh; too many:
    dWh
    """
    names = list(expected)
    for argument, given in dicts.items():
        missing = [name for name in names if name not in given]
        extra = [str(name) for name in given if name not in names]
        if missing or extra:
            told = [f"missing: {', '.join(missing)}"] * bool(missing) + [
                f"too many: {', '.join(extra)}"
            ] * bool(extra)
            raise ArgumentError(
                f"{operation}: {argument} must have the names {', '.join(names)}; {'; '.join(told)}"
            )


def _check_kinds(operation: str, arrays: Mapping[str, Any]) -> None:
    for name, array in arrays.items():
        if not isinstance(array, np.ndarray):
            raise DTypeError(
                f"{operation}: {name} must be a NumPy array, got {type(array).__name__}; use "
                f"np.asarray({name})"
            )


def _fitting(sizes: dict[str, int], arguments: dict[str, tuple[Any, str]]) -> dict[str, int] | None:
    """Length of each letter where all arguments agree, as nearly always, found without a vote; None
    where they do not.
    """
    found = {**sizes, "": 1}
    for array, pattern in arguments.values():
        axes = _axes(pattern)
        if len(axes) != array.ndim:
            return None
        for (factor, letter), length in zip(axes, array.shape, strict=True):
            if length == 0 or length != factor * found.setdefault(letter, length // factor):
                return None
    del found[""]
    return found


def _votes(arguments: dict[str, tuple[Any, str]]) -> dict[str, dict[int, set[str]]]:
    """Letter -> length -> the arguments that speak for it."""
    votes: dict[str, dict[int, set[str]]] = {}
    for name, (array, pattern) in arguments.items():
        for axis, length in zip(pattern.split(), array.shape, strict=False):
            factor, letter = _split(axis)
            if letter and array.ndim == len(pattern.split()) and length % factor == 0:
                votes.setdefault(letter, {}).setdefault(length // factor, set()).add(name)
    return votes


def _check_shape(
    operation: str, name: str, array: Array, axes: list[str], sizes: dict[str, int], own: set[str]
) -> None:
    """Raise unless the array fits; ``own`` are the letters that only this array speaks for, so that
    any length is right.
    """
    sizes = {**sizes, "": 1}
    lengths = [
        factor * sizes[letter] if letter in sizes else None for factor, letter in map(_split, axes)
    ]
    pattern = _tuple(axes)
    if list(array.shape) == lengths:
        if 0 in array.shape:
            raise ShapeError(
                f"{operation}: {name} must be {pattern} with every size at least 1, got "
                f"{array.shape}"
            )
        return
    free = [letter in own for _, letter in map(_split, axes)]
    expected = _tuple(
        ["any" if f or n is None else str(n) for f, n in zip(free, lengths, strict=True)]
    )
    raise ShapeError(
        f"{operation}: {name} must be {pattern} = {expected}, got "
        f"{array.shape}{_advice(name, array, lengths, free)}"
    )


def _advice(name: str, array: Array, lengths: list[int | None], free: list[bool]) -> str:
    if array.ndim != len(lengths):
        return f"; it has {array.ndim} axes instead of {len(lengths)}"
    if array.ndim < 2:
        return ""
    swapped = array.swapaxes(0, 1)
    if all(f or n == m for f, n, m in zip(free, lengths, swapped.shape, strict=True)):
        return f"; did you pass {name}{'.T' if array.ndim == 2 else '.swapaxes(0, 1)'}?"
    return ""


def _split(axis: str) -> tuple[int, str]:
    """'H' -> (1, 'H'), '4H' -> (4, 'H'), '1' -> (1, '')."""
    letter = axis.lstrip("0123456789")
    return int(axis[: len(axis) - len(letter)] or 1), letter


@cache
def _axes(pattern: str) -> tuple[tuple[int, str], ...]:
    """'N 4H' -> ((1, 'N'), (4, 'H'))."""
    return tuple(map(_split, pattern.split()))


def _tuple(items: list[str]) -> str:
    return "(" + ", ".join(items) + ("," if len(items) == 1 else "") + ")"

"""Checks of arguments that several layers share: integers, masks, and arrays with or without a time
axis.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from lstm_ref.errors import Array, DTypeError, ShapeError


def batch_axes(x: Any, last: str) -> str:
    """Axes of an array that is (N, last) or (N, T, last), as `check_arrays` takes them.

    >>> batch_axes(np.zeros((2, 3)), "D"), batch_axes(np.zeros((2, 5, 3)), "D")
    ('N D', 'N T D')
    """
    return f"N {last}" if isinstance(x, np.ndarray) and x.ndim == 2 else f"N T {last}"


def check_integers(operation: str, name: str, array: Any) -> None:
    """Check that ``array`` is an array of integers.

    Raises
    ------
    DTypeError : with what came and what to do
    """
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "iu":
        kind = array.dtype if isinstance(array, np.ndarray) else type(array).__name__
        raise DTypeError(
            f"{operation}: {name} must be an array of integers, got {kind}; use np.asarray({name}, "
            "np.int64)"
        )


def check_mask(
    operation: str,
    mask: Array | None,
    shape: tuple[int, ...],
    name: str = "mask",
    axes: str = "N, T",
) -> Array:
    """Check a mask, which says True where there is data; give it back, or one that says True
    everywhere for None.

    Raises
    ------
    DTypeError, ShapeError : with what was expected and what came
    """
    if mask is None:
        return np.ones(shape, bool)
    if not isinstance(mask, np.ndarray) or mask.dtype != np.bool_:
        kind = mask.dtype if isinstance(mask, np.ndarray) else type(mask).__name__
        raise DTypeError(
            f"{operation}: {name} must be an array of bool, True at valid steps, got {kind}; of "
            "lengths, padding_mask makes one"
        )
    if mask.shape != shape:
        hint = f"; did you pass {name}.T?" if mask.shape == shape[::-1] else ""
        raise ShapeError(f"{operation}: {name} must be ({axes}) = {shape}, got {mask.shape}{hint}")
    return mask

"""Arrays in, tensors for the student's function; tensors out, arrays for the comparison.

No framework is imported before it is used.

The instant checks and the judge's worker share this file. It needs NumPy and the standard library
only, and nothing else of this package: in the sandbox it stands alone.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import (
    Callable,
    ItemsView,
    Iterable,
    Iterator,
    KeysView,
    MappingView,
    Set,
    ValuesView,
)
from decimal import Decimal
from itertools import islice
from numbers import Real
from typing import Any

import numpy as np

FRAMEWORKS = ("numpy", "torch", "tensorflow")
MANY = 10_000  # more is no row of results but an iterator without an end
MAX_RESULTS = 16  # results of one function, at most
PLAIN_TYPES = (int, float, bool, str, bytes, type(None), list, tuple, dict, set)


def from_arrays(value: Any, framework: str) -> Any:
    """Nested tuples, lists and dicts of arrays as the same of tensors: copies on the CPU, of the
    arrays' own dtype.

    Parameters
    ----------
    value : arguments for the student's function; what is no array stays what it is
    framework : one of `FRAMEWORKS`; with "numpy" nothing is changed

    Examples
    --------
    >>> from_arrays((np.zeros(2), 3), "torch")
    (tensor([0., 0.], dtype=torch.float64), 3)
    """
    if framework == "numpy":
        return value
    if framework == "torch":
        import torch

        return _replaced(
            value, lambda v: torch.from_numpy(v.copy()) if isinstance(v, np.ndarray) else None
        )
    if framework == "tensorflow":
        import tensorflow

        return _replaced(
            value, lambda v: tensorflow.constant(v) if isinstance(v, np.ndarray) else None
        )
    raise ValueError(
        f"from_arrays: framework must be one of {', '.join(FRAMEWORKS)}, got {framework!r}"
    )


def to_arrays(value: Any, spread: bool = False) -> Any:
    """What a function returned, with an array for each tensor in it; the same object where there is
    none.

    A tensor may need a gradient, lie on another device, be sparse, or have a precision that NumPy
    does not know. What can be unpacked as a list can (a generator of parameters, the values of a
    dict) counts as that list. A fraction, a decimal number and a member of an enumeration that is a
    number or a word count as what they stand for.

    Parameters
    ----------
    value : what came back
    spread : whether iterators, views and queues are read wherever they stand, however deep. What
        is not compared may need them later

    Examples
    --------
    >>> import torch
    >>> to_arrays({"w": torch.nn.Parameter(torch.ones(2, dtype=torch.bfloat16))})
    {'w': array([1., 1.], dtype=float32)}
    >>> len(to_arrays(torch.nn.LSTM(3, 2).parameters()))
    4
    """
    value = _unpacked(value)
    # its length may be a lie
    row = list(islice(value, MAX_RESULTS + 1)) if isinstance(value, list | tuple) else []
    if len(row) <= MAX_RESULTS:  # a pair of states may be a row within the row of results
        unpacked = [item if _array(item) is not None else _unpacked(item) for item in row]
        if any(new is not old for new, old in zip(unpacked, row, strict=True)):
            value = unpacked
    return _replaced(_spread(value, [MANY]) if spread else value, _array)


def _spread(value: Any, room: list[int], depth: int = 0) -> Any:
    """The tree with a list for each iterator, range, view of a dict, or queue in it; ``room`` is
    how many entries of these are read in all, and is used up.
    """
    if isinstance(value, Iterator | KeysView | ValuesView | ItemsView | deque | range):
        value = list(islice(value, room[0]))
        room[0] -= len(value)
    if depth > 16 or type(value) not in (list, tuple, dict):
        return value
    old = list(value.values()) if isinstance(value, dict) else value
    new = [_spread(item, room, depth + 1) for item in old]
    if all(a is b for a, b in zip(new, old, strict=True)):
        return value
    return dict(zip(value, new, strict=True)) if isinstance(value, dict) else new


def _unpacked(value: Any) -> Any:
    """Dict or list of what is neither and can be read as one; the same object where it says itself
    how it becomes an array.
    """
    if isinstance(value, list | tuple | dict | set | frozenset | str | bytes | memoryview):
        return value
    if hasattr(type(value), "__array__"):
        return value
    if isinstance(value, Set) and not isinstance(value, MappingView):
        return set(islice(value, MANY))
    if callable(getattr(type(value), "keys", None)):
        return {key: value[key] for key in islice(value.keys(), MANY)}
    return list(islice(value, MANY)) if isinstance(value, Iterable) else value


def _replaced(value: Any, new: Callable[[Any], Any], depth: int = 0) -> Any:
    """The tree with each value for which ``new`` gives something replaced by that."""
    if (found := new(value)) is not None:
        return found
    if depth > 16 or not isinstance(value, list | tuple | dict):
        return value
    if isinstance(value, dict) and any(type(key) not in PLAIN_TYPES for key in value):
        value = {_plain_key(key): item for key, item in value.items()}
    old = list(value.values()) if isinstance(value, dict) else list(value)
    items = [_replaced(item, new, depth + 1) for item in old]
    if all(a is b for a, b in zip(items, old, strict=True)):
        return value
    if isinstance(value, dict):
        return dict(zip(value, items, strict=True))
    if hasattr(value, "_fields"):
        return type(value)(*items)
    return tuple(items) if isinstance(value, tuple) else items


def _plain_key(key: Any) -> Any:
    if isinstance(key, np.generic):
        return key.item()
    return _array(key) if isinstance(key, str | int) and type(key) not in PLAIN_TYPES else key


def _array(value: Any) -> Any:
    """Array of a tensor; words and numbers of other kinds as plain ones; None for everything
    else.
    """
    if type(value) in PLAIN_TYPES:
        return None
    if isinstance(value, str):  # of NumPy, of an enumeration, or of the student's own class
        return str.__str__(value)
    if isinstance(value, Real | Decimal) and not isinstance(value, np.generic):
        return int(value) if isinstance(value, int) else float(value)
    if isinstance(value, np.ndarray) and value.dtype.kind == "U":
        return value.tolist()
    # Whoever has a tensor has imported its framework.
    torch, tensorflow = sys.modules.get("torch"), sys.modules.get("tensorflow")
    if torch is not None and isinstance(value, torch.Tensor):
        return _of_torch(torch, value)
    if tensorflow is not None and (
        tensorflow.is_tensor(value) or isinstance(value, tensorflow.Variable)
    ):
        return _of_tensorflow(tensorflow, value)
    return None


def _of_torch(torch: Any, tensor: Any) -> Any:
    tensor = tensor.detach()
    if tensor.layout is not torch.strided:
        tensor = tensor.to_dense()
    tensor = tensor.cpu().resolve_conj().resolve_neg()
    try:
        return np.asarray(tensor.numpy())
    except TypeError:  # bfloat16 and what is smaller still
        return np.asarray(tensor.float().numpy())


def _of_tensorflow(tensorflow: Any, tensor: Any) -> Any:
    tensor = tensorflow.convert_to_tensor(tensor)
    known = tensor.dtype.as_numpy_dtype
    return np.asarray(
        (tensor if np.dtype(known).kind in "biufc" else tensorflow.cast(tensor, "float32")).numpy()
    )

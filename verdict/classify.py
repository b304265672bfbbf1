"""Tell a broken environment from a mistake in the mathematics, from the name and text of an exception."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence

import numpy as np

from verdict.check import Status

# Spellings that old tutorials use and NumPy no longer has. The right-hand side is what to write today.
REMOVED_NUMPY_NAMES = {
    "float": "float or np.float64",
    "int": "int or np.int64",
    "bool": "bool or np.bool_",
    "object": "object",
    "complex": "complex",
    "str": "str",
    "float_": "np.float64",
    "product": "np.prod",
    "cumproduct": "np.cumprod",
    "sometrue": "np.any",
    "alltrue": "np.all",
    "in1d": "np.isin",
    "row_stack": "np.vstack",
    "trapz": "np.trapezoid",
    "Inf": "np.inf",
    "infty": "np.inf",
    "NaN": "np.nan",
    "asscalar": "array.item()",
    "mat": "np.asmatrix, or better np.array",
}


def classify(kind: str, text: str, packages: Sequence[str] = ("numpy",)) -> tuple[Status, str]:
    """Status and a sentence for the student.

    Parameters
    ----------
    kind : name of the exception class, ``"NameError"``
    text : its message
    packages : what the problem set may import beside the standard library

    Examples
    --------
    >>> classify("ModuleNotFoundError", "No module named 'torch'")[0].value
    'environment'
    >>> classify("ValueError", "operands could not be broadcast together")[0].value
    'error'
    """
    if kind == "NotImplementedError":
        return Status.UNFINISHED, "The function still raises NotImplementedError: write its body."
    if kind in ("ModuleNotFoundError", "ImportError"):
        return Status.ENVIRONMENT, (
            f"An import failed: {text}. This problem set runs with {' and '.join(packages)} and Python's standard library "
            "only. It says nothing about your mathematics."
        )
    missing = re.match(r"(?:module 'numpy' has no attribute '|`np\.)(\w+)", text)
    if kind == "AttributeError" and missing:
        return _no_such_numpy_name(missing.group(1))
    if kind == "MemoryError":
        return Status.CRASHED, "The code asked for more memory than the task allows."
    if kind == "RecursionError":
        return Status.ERROR, "RecursionError: the function calls itself without an end."
    if kind == "NameError" and "name '" in text:
        name = text.split("name '", 1)[1].split("'", 1)[0]
        of_numpy = f"Did you mean np.{name}? If not: is" if name in dir(np) else "Is"
        return Status.ERROR, (
            f"NameError: {name} is not defined. {of_numpy} it spelled as in the function's arguments, and is the cell that "
            "defines it above this one and still there?"
        )
    return Status.ERROR, f"{kind}: {text}" if text else kind


def _no_such_numpy_name(name: str) -> tuple[Status, str]:
    instead = REMOVED_NUMPY_NAMES.get(name)
    if instead:
        return Status.ENVIRONMENT, (
            f"NumPy no longer has np.{name}. Write {instead} instead. It says nothing about your mathematics."
        )
    similar = " or ".join(f"np.{found}" for found in difflib.get_close_matches(name, dir(np), n=2))
    advice = f" Did you mean {similar}?" if similar else " Look it up in the NumPy documentation."
    return Status.ERROR, f"NumPy has no np.{name}.{advice}"

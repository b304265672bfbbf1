"""Tell a broken environment from a mistake in the mathematics, from the name and text of an exception."""

from __future__ import annotations

import difflib
import re
import sys
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

# What Python 2 had under another name.
PYTHON_2_NAMES = {
    "xrange": "range",
    "raw_input": "input",
    "unicode": "str",
    "basestring": "str",
    "long": "int",
    "izip": "zip",
    "reduce": "functools.reduce",
    "iteritems": "items",
    "iterkeys": "keys",
    "itervalues": "values",
    "has_key": "the operator in",
}

# A float where Python 3 and NumPy want a whole number: most often a size or an index that was computed with /.
FLOAT_FOR_INTEGER = re.compile(
    r"slice indices must be integers|'(numpy\.)?float(64|32)?' object cannot be interpreted as an integer"
    r"|indices must be integers or slices, not (numpy\.)?float|only integers, slices"
)


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
    if kind == "SyntaxError" and re.match("Missing parentheses in call to|multiple exception types must be", text):
        return Status.ENVIRONMENT, (
            f"{kind}: {text} This is a spelling of Python 2; it is run with Python 3. It says nothing about your mathematics."
        )
    if kind in ("TypeError", "IndexError") and FLOAT_FOR_INTEGER.search(text):
        return Status.ENVIRONMENT, (
            f"{kind}: {text}. In Python 3, / always gives a float, unlike in Python 2: write // where a size or an index is "
            "computed. It says nothing about your mathematics."
        )
    if removed := re.match(r"cannot import name '(\w+)' from 'numpy'", text):
        if removed.group(1) in REMOVED_NUMPY_NAMES:
            return _no_such_numpy_name(removed.group(1))
    if kind in ("ModuleNotFoundError", "ImportError"):
        return Status.ENVIRONMENT, (
            f"An import failed: {text}. This problem set runs with {' and '.join(packages)} and Python's standard library "
            "only. It says nothing about your mathematics."
        )
    if kind == "AttributeError" and (attribute := re.match(r"'dict' object has no attribute '(\w+)'", text)):
        if attribute.group(1) in PYTHON_2_NAMES:
            return _python_2(attribute.group(1))
    missing = re.match(r"(?:module 'numpy' has no attribute '|`np\.)(\w+)", text)
    if kind == "AttributeError" and missing:
        return _no_such_numpy_name(missing.group(1))
    if kind == "MemoryError":
        return Status.CRASHED, "The code asked for more memory than the task allows."
    if kind == "RecursionError":
        return Status.ERROR, (
            "RecursionError: the function calls itself without an end, or more than about a thousand calls deep."
        )
    if kind == "NameError" and "name '" in text:
        name = text.split("name '", 1)[1].split("'", 1)[0]
        if name in PYTHON_2_NAMES:
            return _python_2(name)
        if name == "np" or name in sys.stdlib_module_names:
            missing_import = "import numpy as np" if name == "np" else f"import {name}"
            return Status.ENVIRONMENT, (
                f"NameError: {name} is not defined. Is “{missing_import}” missing, or below this cell? If {name} is a name of "
                "your own: is the cell that defines it above this one and still there?"
            )
        of_numpy = f"Did you mean np.{name}? If not: is" if name in dir(np) else "Is"
        return Status.ERROR, (
            f"NameError: {name} is not defined. {of_numpy} it spelled as in the function's arguments, and is the cell that "
            "defines it above this one and still there?"
        )
    return Status.ERROR, f"{kind}: {text}" if text else kind


def _python_2(name: str) -> tuple[Status, str]:
    return Status.ENVIRONMENT, (
        f"{name} is a name of Python 2; it is run with Python 3. Write {PYTHON_2_NAMES[name]} instead. "
        "It says nothing about your mathematics."
    )


def _no_such_numpy_name(name: str) -> tuple[Status, str]:
    instead = REMOVED_NUMPY_NAMES.get(name)
    if instead:
        return Status.ENVIRONMENT, (
            f"NumPy no longer has np.{name}. Write {instead} instead. It says nothing about your mathematics."
        )
    similar = " or ".join(f"np.{found}" for found in difflib.get_close_matches(name, dir(np), n=2))
    advice = f" Did you mean {similar}?" if similar else " Look it up in the NumPy documentation."
    return Status.ERROR, f"NumPy has no np.{name}.{advice}"

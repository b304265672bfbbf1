"""A few numbers that stand for a wrong answer that nobody recognised, so that a report can put
equal ones together: they are candidates for a known mistake.

Each student is graded with inputs of their own. So the function is asked once more, with inputs
that are the same for all; what comes of it has no effect on points.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.random import Generator

from verdict import Check, Status, StudentError
from verdict.compare import copy_tree, read

MAX_CASES = 3  # of a check that are asked again
SECONDS = 5.0  # for the calls of one check
MAX_VALUES = 100_000  # of one output that are looked at
KEPT_DIGITS = 9  # significant ones that are kept
SAME_NUMBER = (
    1e-6  # two answers are equal when no number of their sketches differs by more, relative
)
RAISED = (-1.0, -1.0, -1.0)  # in place of an output, where there was none


def sketch(check: Check, call: Callable[..., Any], rng: Generator) -> tuple[float, ...]:
    """Three numbers for each output of the first cases: its shape, its size, a mean with weights.

    Parameters
    ----------
    check : with cases and without an ``examine`` of its own
    call : the student's function; raises StudentError and nothing else
    rng : in the same state for everybody

    Returns
    -------
    the same numbers, up to rounding, for functions that return the same; none where no answer came
    """
    assert check.cases is not None
    numbers: list[float] = []
    for case in [case for case in check.cases(rng) if not case.needed][:MAX_CASES]:
        try:
            outputs = read(check, call(*copy_tree(case.args)), check.function)
        except StudentError as error:
            if error.status in (Status.CRASHED, Status.TIMEOUT):
                return ()  # the worker is gone, and a new one is not worth it
            numbers += RAISED
            continue
        for output in outputs.values():
            numbers += _of_tree(output) if output.dtype == object else _of_array(output)
    return tuple(float(f"{number:.{KEPT_DIGITS}g}") for number in numbers)


def _of_tree(output: Any) -> tuple[float, float, float]:
    return 0.0, 0.0, float(zlib.crc32(repr(output).encode("utf-8", "replace")))


def _of_array(output: Any) -> tuple[float, float, float]:
    array = np.asarray(output, dtype=np.float64)
    values = array.ravel()[:MAX_VALUES]
    finite = np.isfinite(values)
    values = np.where(finite, values, 0.0)
    shape = float(zlib.crc32(repr((array.shape, int(finite.sum()))).encode()))
    largest = float(np.max(np.abs(values), initial=0.0))
    if largest == 0.0:
        return shape, 0.0, 0.0
    scaled = values / largest  # so that no square overflows
    size = float(np.sqrt(np.mean(scaled**2)))
    weights = np.random.default_rng(len(values)).normal(size=len(values))
    return shape, min(largest * size, 1e300), float(np.mean(weights * scaled)) / size


def equal(first: tuple[float, ...], second: tuple[float, ...]) -> bool:
    """Whether two sketches are those of equal answers.

    >>> equal((7.0, 1.0, 0.5), (7.0, 1.0 + 1e-9, 0.5)), equal((7.0, 1.0, 0.5), (7.0, 1.0, 0.6))
    (True, False)
    """
    return len(first) == len(second) and bool(
        np.allclose(first, second, rtol=SAME_NUMBER, atol=SAME_NUMBER)
    )

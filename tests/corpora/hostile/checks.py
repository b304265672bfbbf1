"""A problem set of four small functions: one output, two outputs, one that needs another, one that
is given functions.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.random import Generator

from verdict import Case, Check, Misconception, Status, StudentError, Verdict

PACKAGES = ("numpy",)


def _affine(x: Any, W: Any, b: Any) -> tuple[Any, Any]:
    return x @ W + b, W.T


def _recur(x: Any, W: Any) -> Any:
    h = np.zeros(W.shape[0])
    for x_t in x:
        h = np.tanh(x_t + h @ W)
    return h


def _double_cases(rng: Generator) -> list[Case]:
    return [Case("a vector", (rng.normal(size=5),)), Case("a matrix", (rng.normal(size=(2, 3)),))]


def _affine_cases(rng: Generator) -> list[Case]:
    return [Case("", (rng.normal(size=(3, 4)), rng.normal(size=(4, 2)), rng.normal(size=2)))]


def _recur_cases(rng: Generator) -> list[Case]:
    return [Case("", (rng.normal(size=(6, 3)), rng.normal(size=(3, 3))))]


def _examine_derivative(call: Callable[..., Any], rng: Generator) -> Verdict:
    """Ask for the derivative of a cubic whose coefficients the student's code cannot see."""
    a, b, x = rng.uniform(1, 2, size=3)
    asked = []

    def cubic(point: Any) -> float:
        asked.append(point)
        return float(a * point**3 + b * point)

    try:
        answer = float(call(cubic, x))
    except (TypeError, ValueError):
        raise StudentError(Status.ERROR, "derivative must return a number.") from None
    right = abs(answer - (3 * a * x**2 + b)) < 1e-4 and len(asked) >= 2
    return (
        Verdict(Status.PASSED, "Right.", 1.0)
        if right
        else Verdict(Status.WRONG, "The derivative is wrong.")
    )


CHECKS = [
    Check(
        name="double",
        title="double doubles.",
        function="double",
        points=1,
        cases=_double_cases,
        expected=lambda x: 2 * x,
        outputs="y",
        time_limit=8.0,
        misconceptions=(
            Misconception(
                "squares", "It squares instead of doubling.", lambda x: x**2, ("Try 3.",)
            ),
        ),
        hints=("What is twice 3?",),
    ),
    Check(
        name="affine",
        title="affine maps x, and returns W transposed.",
        function="affine",
        points=2,
        cases=_affine_cases,
        expected=_affine,
        outputs=("y", "WT"),
        time_limit=8.0,
    ),
    Check(
        name="recur",
        title="recur runs a recurrence.",
        function="recur",
        points=3,
        cases=_recur_cases,
        expected=_recur,
        outputs="h",
        needs=("affine",),
        forbids=("scipy", "np.convolve"),
        time_limit=8.0,
    ),
    Check(
        name="derivative",
        title="derivative approximates a derivative.",
        function="derivative",
        points=2,
        examine=_examine_derivative,
        time_limit=8.0,
    ),
]

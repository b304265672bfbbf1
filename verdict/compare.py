"""Run a check against a callable: compare, say where the numbers are wrong, and name the mistake where it is known."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from verdict.check import Call, Case, Check, Misconception, Pattern, Status, StudentError, Verdict

Array = NDArray[Any]

# Between the tolerance and this, right mathematics in single precision lies; every known mistake lies far above it
# (a test holds that). Such an answer passes with a warning.
SINGLE_PRECISION = 1e-4


class WrongReturn(StudentError):
    """The return value has not the form that the task asks for."""

    def __init__(self, message: str) -> None:
        super().__init__(Status.ERROR, message)


@dataclass(frozen=True)
class _Answer:
    """What the student's function gave for one case, beside what it should have given, by output name."""

    case: Case
    got: dict[str, Array]
    expected: dict[str, Array]


def examine(check: Check, call: Call, rng: Generator) -> Verdict:
    """Put a check to a function.

    Parameters
    ----------
    check : what to ask
    call : the student's function, or a proxy for it; may raise StudentError and nothing else
    rng : source of the inputs

    Returns
    -------
    Verdict : never raises for anything that the student's code did
    """
    if check.examine is not None:
        try:
            return check.examine(call, rng)
        except StudentError as error:
            return Verdict(error.status, str(error), hints=check.hints)
    assert check.cases is not None and check.expected is not None, f"check {check.name} has neither cases nor examine"
    answers = []
    for case in check.cases(rng):
        try:
            value = call(*copy_tree(case.args))
            got = flatten(check.outputs, value, check.function)
        except StudentError as error:
            return Verdict(error.status, _with_label(str(error), case), hints=check.hints)
        answers.append(
            _Answer(case, got, flatten(check.outputs, check.expected(*copy_tree(case.args)), "the reference"))
        )
    return _judge(check, answers)


def _judge(check: Check, answers: list[_Answer]) -> Verdict:
    names = list(answers[0].expected)
    warnings: list[str] = []
    wrong: dict[str, _Answer] = {}  # output -> the first case in which it is wrong
    for name in names:
        for answer in answers:
            verdict = _compare(name, answer.got[name], answer.expected[name], check.tolerance)
            if verdict is None:
                wrong.setdefault(name, answer)
            elif verdict and verdict not in warnings:
                warnings.append(verdict)
    if not wrong:
        return Verdict(Status.PASSED, "Right.", credit=1.0, warnings=tuple(warnings))
    credit = 1 - len(wrong) / len(names)
    where = " ".join(_describe(check, name, answer) for name, answer in wrong.items())
    mistake = _recognise(check, answers)
    if mistake is None:
        message = f"{where} The mistake is not one of those that are known here."
        return Verdict(Status.WRONG, message, credit, hints=check.hints, warnings=tuple(warnings))
    return Verdict(mistake.status, f"{mistake.title} {where}", credit, mistake.id, mistake.hints, tuple(warnings))


def _compare(name: str, got: Array, expected: Array, tolerance: float) -> str | None:
    """None where the output is wrong; else a warning, empty where there is nothing to say."""
    warning = ""
    if got.shape != expected.shape:
        if _without_ones(got.shape) != _without_ones(expected.shape):
            return None
        warning = f"{name} has the shape {got.shape}; {expected.shape} was asked for. Counted as right."
        got = got.reshape(expected.shape)
    error = relative_error(got, expected)
    if error <= tolerance:
        return warning
    # Written with <=, never with `not >`: NaN must be rejected.
    if error <= max(tolerance, SINGLE_PRECISION):
        return f"{name} is right to {error:.0e} only, as if computed in float32; float64 was given. Counted as right."
    return None


def relative_error(got: Array, expected: Array) -> float:
    """Largest absolute difference over the largest expected number; NaN where ``got`` is not finite."""
    if not np.isfinite(got).all():
        return float("nan")
    return float(np.abs(got - expected).max() / max(np.abs(expected).max(), 1e-12))


def _recognise(check: Check, answers: list[_Answer]) -> Misconception | None:
    """The one known mistake that explains every output of every case; None where none or several do."""
    matches = [mistake for mistake in check.misconceptions if _explains(check, mistake, answers)]
    return matches[0] if len(matches) == 1 else None


def _explains(check: Check, mistake: Misconception, answers: list[_Answer]) -> bool:
    for answer in answers:
        try:
            with np.errstate(all="ignore"):
                value = mistake.function(*copy_tree(answer.case.args))
        except Exception:  # a wrong version may fail on an edge case; then it is not what the student wrote
            return False
        numbers = flatten(check.outputs, value, mistake.id)
        if any(_compare(name, answer.got[name], numbers[name], check.tolerance) is None for name in numbers):
            return False
    return True


def flatten(pattern: Pattern, value: Any, function: str) -> dict[str, Array]:
    """Return value -> output name -> array, along the pattern.

    Raises
    ------
    WrongReturn : when the value does not have the form of the pattern
    """
    return dict(_walk(pattern, value, function, spell(pattern)))


def _walk(pattern: Pattern, value: Any, function: str, spelled: str) -> Iterator[tuple[str, Array]]:
    if pattern is None:
        return
    if isinstance(pattern, str):
        yield pattern, _as_array(value, pattern, function)
        return
    if value is None:
        raise WrongReturn(f"{function} returned None; it must return {spelled}. Is there a return at the end?")
    if not isinstance(value, tuple | list):
        raise WrongReturn(f"{function} must return {spelled}, got {_kind(value)}.")
    if len(value) != len(pattern):
        raise WrongReturn(f"{function} must return {spelled}: {len(pattern)} things, got {len(value)}.")
    for part, item in zip(pattern, value, strict=True):
        yield from _walk(part, item, function, spelled)


def _as_array(value: Any, name: str, function: str) -> Array:
    if value is None:
        raise WrongReturn(f"{function} returned None for {name}; it must be an array.")
    try:
        array = np.asarray(value)
        if array.dtype.kind not in "biuf":
            raise TypeError
        return array.astype(np.float64)
    except (TypeError, ValueError):
        raise WrongReturn(f"{function} must return an array of numbers for {name}, got {_kind(value)}.") from None


def spell(pattern: Pattern) -> str:
    """Pattern in words, as the student would write it.

    >>> spell(("h", ("hT", "cT"), None))
    'h, (hT, cT), cache'
    """
    if isinstance(pattern, tuple):
        return ", ".join(f"({spell(p)})" if isinstance(p, tuple) else spell(p) for p in pattern)
    return pattern or "cache"


def copy_tree(value: Any) -> Any:
    """Copy of nested tuples, lists and dicts of arrays, so that a function that changes its arguments changes only its own."""
    if isinstance(value, np.ndarray):
        return value.copy()
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(copy_tree(item) for item in value))
    if isinstance(value, tuple | list):
        return type(value)(copy_tree(item) for item in value)
    if isinstance(value, dict):
        return {key: copy_tree(item) for key, item in value.items()}
    return value


def _describe(check: Check, name: str, answer: _Answer) -> str:
    got, expected = answer.got[name], answer.expected[name]
    label = f" ({answer.case.label})" if answer.case.label else ""
    if _without_ones(got.shape) != _without_ones(expected.shape):
        axes = check.axes.get(name)
        letters = f" = ({', '.join(axes.split())})" if axes else ""
        hint = "; it is transposed" if got.shape == expected.T.shape else ""
        return f"{name} has the wrong shape{label}: {expected.shape}{letters} was expected, got {got.shape}{hint}."
    got = got.reshape(expected.shape)
    if not np.isfinite(got).all():
        return f"{name} holds NaN or infinity{label}."
    bad = np.abs(got - expected) > SINGLE_PRECISION * max(np.abs(expected).max(), 1e-12)
    return f"{name} is wrong{label}{_where(check, name, bad)}."


def _where(check: Check, name: str, bad: Array) -> str:
    """Which time steps and which blocks are wrong, where only some of them are."""
    axes = check.axes.get(name, "").split()
    parts = []
    for axis, letter in enumerate(axes if len(axes) == bad.ndim else []):
        others = tuple(k for k in range(bad.ndim) if k != axis)
        along: Array = np.asarray(bad.any(axis=others))
        if letter in check.blocks:
            blocks = check.blocks[letter]
            wrong = [block for block, b in zip(blocks, np.split(along, len(blocks)), strict=True) if b.any()]
            if len(wrong) < len(blocks):
                parts.append(f"only in the block of {' and '.join(wrong)}")
        elif letter == "T" and not along.all():
            steps = [str(t) for t in np.flatnonzero(along)]
            parts.append(f"at time step{'s' if len(steps) > 1 else ''} {', '.join(steps)} of 0 to {len(along) - 1}")
    return ", " + ", ".join(parts) if parts else ""


def _without_ones(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(n for n in shape if n != 1)


def _kind(value: Any) -> str:
    return f"an array of shape {value.shape}" if isinstance(value, np.ndarray) else type(value).__name__


def _with_label(message: str, case: Case) -> str:
    return f"{message} (case: {case.label})" if case.label else message

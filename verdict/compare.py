"""Run a check against a callable: compare, say where the numbers are wrong, and name the mistake where it is known."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from verdict.check import Call, Case, Check, Misconception, Pattern, Status, StudentError, Verdict

Array = NDArray[Any]

# Between the tolerance and this, right mathematics in single precision lies; every known mistake lies far above it
# (a test holds that). Such an answer passes with a warning.
SINGLE_PRECISION = 1e-4

# Numbers smaller than this are compared absolutely: an output that should be 0 may come out as 1e-17.
SMALLEST_SCALE = 1e-6

# Share of the points for right mathematics in another layout or gate order than the task asks for.
CONVENTION_CREDIT = 0.5


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
            return Verdict(error.status, str(error))
    assert check.cases is not None and check.expected is not None, f"check {check.name} has neither cases nor examine"
    with np.errstate(all="ignore"):  # the student's own settings are for the student's own code
        cases = check.cases(rng)
        right = [read(check, check.expected(*copy_tree(case.args)), "the reference") for case in cases]
    answers: list[_Answer] = []
    failed: list[Case] = []
    failure: Verdict | None = None
    for case, expected in zip(cases, right, strict=True):
        try:
            got = read(check, call(*copy_tree(case.args)), check.function)
        except StudentError as error:
            failed.append(case)
            # Without the check's hints: they are for numbers that are wrong, and here there are none.
            failure = failure or Verdict(error.status, _with_label(str(error), case))
            if error.status is not Status.ERROR:
                break  # it fails whatever the size is; and what died or hangs must not cost its time once more
        else:
            answers.append(_Answer(case, got, expected))
    if failure is None:
        return _judge(check, answers)
    if not answers:
        return failure
    # It works, but not for every size: the cases that gave a value count.
    partial = _judge(check, answers)
    failure = replace(failure, credit=partial.credit * len(answers) / len(cases), warnings=partial.warnings)
    mistake = _recognise(check, answers) if partial.status is Status.WRONG else None
    if mistake is None or failure.status is not Status.ERROR or not _fails_too(mistake, failed):
        return failure
    return replace(failure, message=f"{mistake.title} {failure.message}", misconception=mistake.id, hints=mistake.hints)


def _judge(check: Check, answers: list[_Answer]) -> Verdict:
    names = list(answers[0].expected)
    wrong: dict[str, _Answer] = {}  # output -> the first case in which it is wrong
    reshaped: dict[str, _Answer] = {}
    single: list[str] = []
    for name in names:
        for answer in answers:
            got, expected = answer.got[name], answer.expected[name]
            match _compare(got, expected, check.tolerance):
                case _Match.WRONG:
                    wrong.setdefault(name, answer)
                case _Match.SINGLE if name not in single:
                    single.append(name)
            if got.shape != expected.shape:
                reshaped.setdefault(name, answer)
    warnings = [
        f"{name} has the shape {answer.got[name].shape}; {answer.expected[name].shape} was asked for. Counted as right."
        for name, answer in reshaped.items()
        if name not in wrong
    ]
    single = [name for name in single if name not in wrong]
    if single:
        warnings.append(
            f"{', '.join(single)}: right, but only to the precision of float32; float64 was given. Counted as right."
        )
    if not wrong:
        return Verdict(Status.PASSED, "Right.", credit=1.0, warnings=tuple(warnings))
    credit = 1 - len(wrong) / len(names)
    where = _sentences(check, wrong, [name for name in names if name not in wrong])
    mistake = _recognise(check, answers)
    if mistake is None:
        message = f"{where} The mistake is not one of those that are known here."
        return Verdict(Status.WRONG, message, credit, hints=check.hints, warnings=tuple(warnings))
    if mistake.status is Status.CONVENTION:
        credit = max(credit, CONVENTION_CREDIT)
    return Verdict(mistake.status, f"{mistake.title} {where}", credit, mistake.id, mistake.hints, tuple(warnings))


class _Match(Enum):
    RIGHT = 0
    SINGLE = 1  # right to the precision of float32
    WRONG = 2


def _compare(got: Array, expected: Array, tolerance: float) -> _Match:
    """Numbers only; axes of length 1 may be missing or added."""
    if _without_ones(got.shape) != _without_ones(expected.shape):
        return _Match.WRONG
    error = relative_error(got.reshape(expected.shape), expected)
    # Written with <=, never with `not >`: NaN must be rejected.
    if error <= tolerance:
        return _Match.RIGHT
    return _Match.SINGLE if error <= SINGLE_PRECISION else _Match.WRONG


def relative_error(got: Array, expected: Array) -> float:
    """Largest absolute difference over the largest expected number; NaN where ``got`` is not finite."""
    if not np.isfinite(got).all():
        return float("nan")
    with np.errstate(all="ignore"):
        return float(np.abs(got - expected).max(initial=0.0) / np.abs(expected).max(initial=SMALLEST_SCALE))


def _recognise(check: Check, answers: list[_Answer]) -> Misconception | None:
    """The one known mistake that explains every output of every case; None where none or several do."""
    matches = [mistake for mistake in check.misconceptions if _explains(check, mistake, answers)]
    return matches[0] if len(matches) == 1 else None


def _fails_too(mistake: Misconception, cases: list[Case]) -> bool:
    """Whether this wrong version raises in all these cases, as the student's does: an index that is off by one, for example."""
    for case in cases:
        try:
            with np.errstate(all="ignore"):
                mistake.function(*copy_tree(case.args))
        except Exception:
            continue
        return False
    return True


def _explains(check: Check, mistake: Misconception, answers: list[_Answer]) -> bool:
    for answer in answers:
        try:
            with np.errstate(all="ignore"):
                numbers = read(check, mistake.function(*copy_tree(answer.case.args)), mistake.id)
        except Exception:  # a wrong version may fail on an edge case; then it is not what the student wrote
            return False
        if any(_compare(answer.got[name], numbers[name], check.tolerance) is _Match.WRONG for name in numbers):
            return False
    return True


def read(check: Check, value: Any, function: str) -> dict[str, Array]:
    """Return value -> output name -> array, in the form that is compared.

    Raises
    ------
    WrongReturn : when the value does not have the form that the check asks for
    """
    arrays = flatten(check.outputs, value, function)
    if check.one_form is None:
        return arrays
    try:
        with np.errstate(all="ignore"):
            return check.one_form(arrays)
    except Exception:
        shapes = _and([f"{name} {array.shape}" for name, array in arrays.items()])
        raise WrongReturn(f"What {function} returned does not fit together. The shapes are: {shapes}.") from None


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
    if isinstance(value, dict) and set(value) == set(pattern):
        value = [value[part] for part in pattern]  # by name, which says as much as the place does
    if isinstance(value, np.ndarray) and value.ndim > 1 and len(value) == len(pattern) and _only_names(pattern):
        value = list(value)  # stacked, which unpacks as the tuple does
    if not isinstance(value, tuple | list):
        raise WrongReturn(f"{function} must return {spelled}, got {_kind(value)}.")
    if len(value) != len(pattern):
        raise WrongReturn(f"{function} must return {spelled}: {len(pattern)} things, got {_things(pattern, value)}.")
    for part, item in zip(pattern, value, strict=True):
        yield from _walk(part, item, function, spelled)


def _only_names(pattern: tuple[Pattern, ...]) -> bool:
    return all(isinstance(part, str) for part in pattern)


def _things(pattern: tuple[Pattern, ...], value: Sequence[Any]) -> str:
    """How many things came and what they are; with what to do where all are there and only their grouping is another."""
    if not 0 < len(value) <= 12:
        return str(len(value))
    kinds = _and([_with_article(_kind(item)) for item in value])
    groups = [part for part in pattern if isinstance(part, tuple)]
    if groups and len(value) == sum(len(part) if isinstance(part, tuple) else 1 for part in pattern):
        together = " and ".join(f"({spell(group)})" for group in groups)
        return f"{len(value)}: {kinds}. Return {together} as one thing, in brackets of its own"
    return f"{len(value)}: {kinds}"


def _with_article(kind: str) -> str:
    return kind if kind.startswith("an array") or kind == "NoneType" else f"a {kind}"


def _as_array(value: Any, name: str, function: str) -> Array:
    if value is None:
        raise WrongReturn(f"{function} returned None for {name}; it must be an array.")
    try:
        array = np.asarray(value)
        if array.dtype.kind not in "biuf":
            raise TypeError
        with np.errstate(all="ignore"):
            return array.astype(np.float64)
    except Exception:  # np.asarray calls the object's own __array__, which may raise anything
        if isinstance(value, list | tuple) and any(item is None for item in value):
            raise WrongReturn(
                f"{function} returned None among the numbers of {name}. Is there a return at the end of what makes them?"
            ) from None
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


def _sentences(check: Check, wrong: dict[str, _Answer], right: list[str]) -> str:
    """What is wrong with which outputs, those of which the same is to be said together; and which are right."""
    same: dict[tuple[str, str], list[str]] = {}
    for name, answer in wrong.items():
        same.setdefault(_describe(check, name, answer), []).append(name)
    sentences = [
        f"{_and(names)} {verb if len(names) == 1 else _PLURAL[verb]} {rest}." for (verb, rest), names in same.items()
    ]
    if right:
        sentences.append(f"{_and(right)} {'is' if len(right) == 1 else 'are'} right.")
    return " ".join(sentences)


_PLURAL = {"is": "are", "has": "have", "holds": "hold"}


def _describe(check: Check, name: str, answer: _Answer) -> tuple[str, str]:
    """Verb and what follows it: ("is", "wrong, only in the block of f")."""
    got, expected = answer.got[name], answer.expected[name]
    label = f" ({answer.case.label})" if answer.case.label else ""
    if _without_ones(got.shape) != _without_ones(expected.shape):
        axes = check.axes.get(name)
        letters = f" = {_tuple(axes.split())}" if axes else ""
        return "has", (
            f"the wrong shape{label}: {expected.shape}{letters} was expected, got {got.shape}{_exchanged(got, expected)}"
        )
    got = got.reshape(expected.shape)
    if not np.isfinite(got).all():
        return "holds", f"NaN or infinity{label}"
    if expected.size > 1 and not got.any():
        return "is", f"zero{label}"
    with np.errstate(all="ignore"):
        bad = np.abs(got - expected) > SINGLE_PRECISION * np.abs(expected).max(initial=SMALLEST_SCALE)
    if expected.size > 1 and relative_error(-got, expected) <= SINGLE_PRECISION:
        return "has", f"the wrong sign{label}"
    return "is", f"wrong{label}{_where(check, name, bad)}"


def _and(names: list[str]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else names[0]


def _exchanged(got: Array, expected: Array) -> str:
    if expected.ndim < 2 or got.shape != expected.swapaxes(0, 1).shape:
        return ""
    return "; it is transposed" if expected.ndim == 2 else "; its first two axes are exchanged"


def _where(check: Check, name: str, bad: Array) -> str:
    """Which examples, time steps and blocks are wrong, where only some of them are."""
    axes = check.axes.get(name, "").split()
    parts = []
    for axis, letter in enumerate(axes if len(axes) == bad.ndim else []):
        others = tuple(k for k in range(bad.ndim) if k != axis)
        along: Array = np.asarray(bad.any(axis=others))
        if letter in check.blocks:
            blocks = check.blocks[letter]
            wrong = [block for block, b in zip(blocks, np.split(along, len(blocks)), strict=True) if b.any()]
            if len(wrong) < len(blocks):
                parts.append(f"only in the block{'s' if len(wrong) > 1 else ''} of {_and(wrong)}")
        elif letter in _COUNTED and not along.all():
            numbers = [str(k) for k in np.flatnonzero(along)]
            word = _COUNTED[letter] + ("s" if len(numbers) > 1 else "")
            parts.append(f"at {word} {_and(numbers)} of 0 to {len(along) - 1}")
    return ", " + ", ".join(parts) if parts else ""


_COUNTED = {"T": "time step", "N": "example"}


def _tuple(items: list[str]) -> str:
    return "(" + ", ".join(items) + ("," if len(items) == 1 else "") + ")"


def _without_ones(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(n for n in shape if n != 1)


def _kind(value: Any) -> str:
    for plain in (tuple, list, dict):  # not the name of a class that the value only travelled in
        if isinstance(value, plain):
            return plain.__name__
    if not isinstance(value, np.ndarray):
        return type(value).__name__
    numbers = "" if value.dtype.kind in "biuf" else f" and dtype {value.dtype}"
    return f"an array of shape {value.shape}{numbers}"


def _with_label(message: str, case: Case) -> str:
    return f"{message} (case: {case.label})" if case.label else message

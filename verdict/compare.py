"""Run a check against a callable: compare, say where the numbers are wrong, and name the mistake
where it is known.
"""

from __future__ import annotations

import copy
import inspect
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from verdict import exact, tables
from verdict.check import Call, Case, Check, Misconception, Pattern, Status, StudentError, Verdict
from verdict.table_parts import TableError, checked, is_table
from verdict.tables import SMALLEST_SCALE

Array = NDArray[Any]

# Between the tolerance and this, right mathematics in single precision lies; every known mistake
# lies far above it (a test holds that). Such an answer passes with a warning.
SINGLE_PRECISION = 1e-4

_MEANT = "did you return what you meant?"  # of something else than is asked for

# Share of the points for right mathematics in another layout or gate order than the task asks for.
CONVENTION_CREDIT = 0.5


class WrongReturn(StudentError):
    """The return value has not the form that the task asks for."""

    def __init__(self, message: str) -> None:
        super().__init__(Status.ERROR, message)


@dataclass(frozen=True)
class _Answer:
    """What the student's function gave for one case, beside what it should have given, by output
    name.
    """

    case: Case
    got: dict[str, Array]
    expected: dict[str, Array]
    missing: dict[str, Missing] = field(default_factory=dict)  # what came in the place of an array


def compared(check: Check, call: Call, rng: Generator) -> Verdict:
    """Put a check to a function, and compare what it gives with what is expected.

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
    assert check.cases is not None and check.expected is not None, (
        f"check {check.name} has neither cases nor examine"
    )
    with np.errstate(all="ignore"):  # the student's own settings are for the student's own code
        cases = check.cases(rng)
        right = [
            read(check, check.expected(*copy_tree(case.args)), "the reference") for case in cases
        ]
    answers: list[_Answer] = []
    failed: list[Case] = []
    failure: Verdict | None = None
    for case, expected in zip(cases, right, strict=True):
        try:
            got, missing = _read(check, call(*copy_tree(case.args)), check.asked)
        except StudentError as error:
            failed.append(case)
            # Without the check's hints: they are for numbers that are wrong, and here there are
            # none.
            failure = failure or Verdict(
                error.status, _with_label(_told_with(check, error, case), case)
            )
            if error.status is not Status.ERROR:
                # it fails whatever the size is; and what died or hangs must not cost its time once
                # more
                break
        else:
            answers.append(_Answer(case, got, expected, missing))
    if failure is None:
        return _verdict_on(check, answers, len(cases))
    if not answers or any(case.needed for case in failed):
        return failure
    told = _for_some_sizes(check, failure, failed, answers, len(cases))
    return told if earns_share(answers[0].case is cases[0], len(answers), len(cases)) else few(told)


def earns_share(first: bool, answered: int, asked: int) -> bool:
    """Whether cases that gave a result count where others raised an error.

    Edge cases have answers that take no work: of two empty texts, of a share of nothing. So the
    first case, which is the ordinary one, must be among them, or more than half of all.

    Parameters
    ----------
    first : whether the first case gave a result
    answered, asked : numbers of cases
    """
    return first or 2 * answered > asked


def few(verdict: Verdict) -> Verdict:
    """The verdict without a share of the points for the few cases that gave a result."""
    if not verdict.credit and not verdict.uncharged:
        return verdict
    told = (
        f"{verdict.message} That earns a share once it works in the ordinary case, the first one."
    )
    return replace(verdict, message=told, credit=0.0, uncharged=0.0)


def _for_some_sizes(
    check: Check, failure: Verdict, failed: list[Case], answers: list[_Answer], asked: int
) -> Verdict:
    """Verdict where it works, but not for every size: the cases that gave a value count, and are
    told of, too.
    """
    rest = _verdict_on(check, answers, asked)
    mistake = _recognise(check, answers) if rest.status is Status.WRONG else None
    if mistake is not None and failure.status is Status.ERROR and _fails_too(mistake, failed):
        return replace(
            rest,
            status=failure.status,
            message=f"{mistake.title} {failure.message}",
            named=mistake.title,
        )
    others = "all other cases" if len(answers) + len(failed) == asked else "the cases before"
    told = (
        f"In {others} it is right."
        if rest.status is Status.PASSED
        else f"In {others}: {rest.message}"
    )
    apart = "\n" if "\n" in failure.message else " "
    return replace(rest, status=failure.status, message=f"{failure.message}{apart}{told}", named="")


def form(check: Check, value: Any) -> Verdict:
    """Whether a value has the form that is asked for. Where the student can look, nothing more may
    be said: a question with a few possible answers would be answered by trying.

    Parameters
    ----------
    check : with ``value``
    value : what the student's name is bound to
    """
    try:
        came = read(check, value, check.value)
    except WrongReturn as error:
        return Verdict(error.status, str(error))
    if any(part.dtype != object and not np.isfinite(part).all() for part in came.values()):
        return Verdict(Status.WRONG, f"{check.value} holds NaN or infinity.")
    return Verdict(
        Status.NOTED,
        f"{check.value} has the form that is asked for. Whether it is right, only the graded "
        "version says.",
    )


def _credit(
    check: Check,
    mistake: Misconception | None,
    answers: list[_Answer],
    credit: float,
    asked: int,
) -> tuple[float, float]:
    """Credit for answers that are wrong, and the credit where the mistake is charged elsewhere.

    Parameters
    ----------
    mistake : that was recognised
    credit : for the results that are right
    asked : number of all cases
    """
    uncharged = credit
    if mistake is not None and mistake.status is Status.CONVENTION:
        uncharged = len(answers) / asked
        credit = max(credit, CONVENTION_CREDIT * uncharged)
    if mistake is not None and mistake.alone is not None:
        uncharged = max(credit, _share(check, mistake.alone, answers) * len(answers) / asked)
        credit = max(credit, CONVENTION_CREDIT * uncharged)
    return credit, uncharged


def _verdict_on(check: Check, answers: list[_Answer], asked: int) -> Verdict:
    """Verdict on the cases that gave a value, of so many that were asked."""
    names = list(answers[0].expected)
    wrong, warnings = _wrong_outputs(check, answers)
    if not wrong:
        return Verdict(Status.PASSED, "Right.", credit=len(answers) / asked, warnings=warnings)
    hanging = [
        name
        for name in names
        if name not in wrong and any(n in wrong for n in check.made_from.get(name, ()))
    ]
    credit = _right_share(check, answers, wrong, len(hanging)) * len(answers) / asked
    mistake = _recognise(check, answers)
    credit, uncharged = _credit(check, mistake, answers, credit, asked)
    if mistake is not None and mistake.status is Status.CONVENTION:
        numbers = (
            "is therefore another number" if len(wrong) == 1 else "are therefore other numbers"
        )
        sentences = f"{_and(list(wrong))} {numbers} than asked for."
    else:
        sentences = _sentences(check, wrong)
    where = f"{sentences} {_right(names, wrong, hanging)}".rstrip()
    told = Verdict(
        Status.WRONG, where, credit, warnings=warnings, wrong=tuple(wrong), uncharged=uncharged
    )
    if all(name in answer.missing for name, answer in wrong.items()):
        return told
    if mistake is None:
        return replace(
            told,
            message=f"{where} The mistake is not one of those that are known here.",
            hints=check.hints,
        )
    return replace(
        told,
        status=mistake.status,
        message=f"{mistake.title} {where}",
        misconception=mistake.id,
        hints=mistake.hints,
        named=mistake.title,
        convention=mistake.convention,
    )


def _wrong_outputs(
    check: Check, answers: list[_Answer]
) -> tuple[dict[str, _Answer], tuple[str, ...]]:
    """Each output that is wrong, with the first case in which it is; and what is to be said of
    those that are right.
    """
    wrong: dict[str, _Answer] = {}
    reshaped: dict[str, _Answer] = {}
    single: dict[str, _Answer] = {}
    for name in answers[0].expected:
        for answer in answers:
            got, expected = answer.got[name], answer.expected[name]
            match = _compare(got, expected, check.tolerance)
            if match is _Match.WRONG:
                wrong.setdefault(name, answer)
            if match is _Match.SINGLE:
                single.setdefault(name, answer)
            if got.shape != expected.shape:
                reshaped.setdefault(name, answer)
    warnings = [
        (
            f"{name} has the shape {answer.got[name].shape}; {answer.expected[name].shape} was "
            "asked for. Counted as right."
        )
        for name, answer in reshaped.items()
        if name not in wrong
    ]
    if rough := [name for name in single if name not in wrong]:
        warnings.append(
            f"{', '.join(rough)}: right, but only to the precision of float32; float64 was given. "
            "Counted as right."
        )
    return wrong, tuple(warnings)


def _right(names: list[str], wrong: dict[str, _Answer], hanging: list[str]) -> str:
    """Which outputs are right, and which of them do not count without those that they are made
    from.
    """
    right = [name for name in names if name not in wrong]
    told = f"{_and(right)} {'is' if len(right) == 1 else 'are'} right" if right else ""
    if hanging:
        told += (
            f", and {_and(hanging)} {'counts' if len(hanging) == 1 else 'count'} only with "
            f"all that goes into them"
        )
    return f"{told}." if told else ""


class _Match(Enum):
    RIGHT = 0
    SINGLE = 1  # right to the precision of float32
    WRONG = 2


def _compare(got: Array, expected: Array, tolerance: float) -> _Match:
    """Numbers, where axes of length 1 may be missing or added; or trees, which are compared as they
    are.
    """
    if expected.dtype == object:
        if not _difference(got, expected, tolerance):
            return _Match.RIGHT
        rough = is_table(expected.item()) and not _difference(got, expected, SINGLE_PRECISION)
        return _Match.SINGLE if rough else _Match.WRONG
    if _without_ones(got.shape) != _without_ones(expected.shape):
        return _Match.WRONG
    error = relative_error(got.reshape(expected.shape), expected)
    # Written with <=, never with `not >`: NaN must be rejected.
    if error <= tolerance:
        return _Match.RIGHT
    return _Match.SINGLE if error <= SINGLE_PRECISION else _Match.WRONG


def is_close(got: Array, expected: Array, tolerance: float) -> bool:
    """Whether a result is right within `tolerance`, or in float32 within SINGLE_PRECISION."""
    return _compare(got, expected, tolerance) is not _Match.WRONG


def _difference(got: Array, expected: Array, tolerance: float) -> str:
    """Where two trees, or two tables, differ, in words; empty where they do not."""
    if got.dtype != object:
        return "it is an array"
    if is_table(expected.item()):
        return tables.table_difference(got.item(), expected.item(), tolerance)
    return exact.difference(got.item(), expected.item())


def relative_error(got: Array, expected: Array) -> float:
    """Largest absolute difference over the largest expected number; NaN where ``got`` is not
    finite.

    Of trees it is 0 where they are the same, and infinite where they are not.
    """
    if expected.dtype == object:
        return 0.0 if _compare(got, expected, 0.0) is _Match.RIGHT else float("inf")
    if not np.isfinite(got).all():
        return float("nan")
    with np.errstate(all="ignore"):
        return float(
            np.abs(got - expected).max(initial=0.0) / np.abs(expected).max(initial=SMALLEST_SCALE)
        )


def all_close(got: Mapping[str, Array], right: Mapping[str, Array], tolerance: float) -> bool:
    """Whether each of the right results has come, in its shape and with its numbers."""
    return all(
        got[name].shape == right[name].shape and relative_error(got[name], right[name]) <= tolerance
        for name in right
    )


def _recognise(check: Check, answers: list[_Answer]) -> Misconception | None:
    """The one known mistake that explains every output of every case; None where none or several
    do.
    """
    for group in check.known_mistakes():
        matches = [mistake for mistake in group if _explains(check, mistake, answers)]
        if matches:
            return matches[0] if len(matches) == 1 else None
    return None


def _share(check: Check, function: Call, answers: list[_Answer]) -> float:
    """Share of the outputs that this version gets right, in all cases that gave an answer."""
    wrong: set[str] = set()
    for answer in answers:
        with np.errstate(all="ignore"):
            got = read(check, function(*copy_tree(answer.case.args)), "a known mistake")
        wrong |= {
            n
            for n, e in answer.expected.items()
            if _compare(got[n], e, check.tolerance) is _Match.WRONG
        }
    return 1 - len(wrong) / len(answers[0].expected)


def _fails_too(mistake: Misconception, cases: list[Case]) -> bool:
    """Whether this wrong version raises in all these cases, as the student's does: an index that is
    off by one, for example.
    """
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
        except (
            Exception
        ):  # a wrong version may fail on an edge case; then it is not what the student wrote
            return False
        if any(
            _compare(*finite_parts(answer.got[name], numbers[name]), check.tolerance)
            is _Match.WRONG
            for name in numbers
        ):
            return False
    return True


def finite_parts(got: Array, numbers: Array) -> tuple[Array, Array]:
    """Both with 0 where both hold NaN, or the same infinity: a known mistake may explain these,
    too. Otherwise both as they are.
    """
    if got.dtype == object or numbers.dtype == object or got.shape != numbers.shape:
        return got, numbers
    finite = np.isfinite(got)
    if not np.array_equal(got[~finite], numbers[~finite], equal_nan=True):
        return got, numbers
    return np.where(finite, got, 0.0), np.where(finite, numbers, 0.0)


def read(check: Check, value: Any, function: str) -> dict[str, Array]:
    """Return value -> output name -> array, in the form that is compared.

    Raises
    ------
    WrongReturn : when the value does not have the form that the check asks for
    """
    arrays, missing = _read(check, value, function)
    for name, what in missing.items():
        raise WrongReturn(_told_missing(check, function, name, what))
    return arrays


def _read(check: Check, value: Any, function: str) -> tuple[dict[str, Array], dict[str, Missing]]:
    """Like `read`; but where some results are arrays, what stands in the others' places is told
    beside them.
    """
    if (
        isinstance(value, np.ndarray)
        and value.ndim == 1
        and not check.axes
        and len(value) == len(_names(check.outputs))
    ):
        # numbers in a row, as np.quantile gives two
        value = list(value) if isinstance(check.outputs, tuple) else value
    parts = dict(_walk(check.outputs, value, function, spell(check.outputs)))
    parts = {name: _one_result(check, name, part) for name, part in parts.items()}
    missing = {name: part for name, part in parts.items() if isinstance(part, Missing)}
    if len(missing) == len(parts):
        for name, what in missing.items():
            raise WrongReturn(_told_missing(check, function, name, what))
    arrays = {
        name: np.asarray(np.nan) if isinstance(part, Missing) else part
        for name, part in parts.items()
    }
    if check.one_form is None:
        return arrays, missing
    try:
        with np.errstate(all="ignore"):
            return check.one_form(arrays), missing
    except Exception:
        shapes = _and(
            [f"{name} {array.shape}" for name, array in arrays.items() if name not in missing]
        )
        raise WrongReturn(
            f"What {function} returned does not fit together. The shapes are: {shapes}."
        ) from None


def _one_result(check: Check, name: str, value: Any) -> Array | Missing:
    if name in check.tables:
        return _as_table(value, name)
    return _as_tree(value, check) if name in check.exact else _as_array(value)


@dataclass(frozen=True)
class Missing:
    """What stands where an array was asked for, in words, and what to ask oneself then."""

    kind: str
    question: str = "is it not written yet?"


def _told_missing(check: Check | None, function: str, name: str, what: Missing) -> str:
    """One sentence for a function that returned nothing that can be compared."""
    plain = check is not None and name in check.exact
    asked = "made of words, numbers, lists, sets and dicts" if plain else "an array of numbers"
    if check is not None and name in check.tables:
        plain, asked = True, "a DataFrame or a Series"
    if check is not None and check.value:
        asked = asked if plain else "a number, or an array of numbers"
        return f"{name} is {what.kind}; it must be {asked}."
    return f"{function} returned {what.kind} for {name}; it must be {asked} ({what.question})."


def flatten(pattern: Pattern, value: Any, function: str) -> dict[str, Array]:
    """Return value -> output name -> array, along the pattern.

    Raises
    ------
    WrongReturn : when the value does not have the form of the pattern
    """
    arrays: dict[str, Array] = {}
    for name, item in _walk(pattern, value, function, spell(pattern)):
        part = _as_array(item)
        if isinstance(part, Missing):
            raise WrongReturn(_told_missing(None, function, name, part))
        arrays[name] = part
    return arrays


def _walk(
    pattern: Pattern, value: Any, function: str, spelled: str, within: bool = False
) -> Iterator[tuple[str, Any]]:
    """What stands in the place of each name of the pattern."""
    if pattern is None:
        return
    if isinstance(pattern, str):
        yield pattern, value
        return
    if value is None and within:
        yield from ((name, None) for name in _names(pattern))
        return
    if value is None:
        raise WrongReturn(
            f"{function} returned None; it must return {spelled}. Is there a return at the end?"
        )
    if isinstance(value, dict) and set(value) == set(pattern):
        value = [value[part] for part in pattern]  # by name, which says as much as the place does
    if (
        isinstance(value, np.ndarray)
        and value.ndim > 1
        and len(value) == len(pattern)
        and _only_names(pattern)
    ):
        value = list(value)  # stacked, which unpacks as the tuple does
    if not isinstance(value, tuple | list):
        raise WrongReturn(f"{function} must return {spelled}, got {_kind(value)}.")
    if len(value) != len(pattern):
        raise WrongReturn(
            f"{function} must return {spelled}: {len(pattern)} things, got "
            f"{_things(pattern, value)}."
        )
    for part, item in zip(pattern, value, strict=True):
        yield from _walk(part, item, function, spelled, within=True)


def _names(pattern: Pattern) -> list[str]:
    if isinstance(pattern, tuple):
        return [name for part in pattern for name in _names(part)]
    return [pattern] if pattern else []


def _only_names(pattern: tuple[Pattern, ...]) -> bool:
    return all(isinstance(part, str) for part in pattern)


def _things(pattern: tuple[Pattern, ...], value: Sequence[Any]) -> str:
    """How many things came and what they are; with what to do where all are there and only their
    grouping is another.
    """
    if not 0 < len(value) <= 12:
        return str(len(value))
    kinds = _and([_with_article(_kind(item)) for item in value])
    groups = [part for part in pattern if isinstance(part, tuple)]
    if groups and len(value) == sum(
        len(part) if isinstance(part, tuple) else 1 for part in pattern
    ):
        together = " and ".join(f"({spell(group)})" for group in groups)
        return f"{len(value)}: {kinds}. Return {together} as one thing, in brackets of its own"
    return f"{len(value)}: {kinds}"


def _with_article(kind: str) -> str:
    return kind if kind.startswith("an array") or kind == "NoneType" else f"a {kind}"


def _as_array(value: Any) -> Array | Missing:
    if value is None:
        return Missing("None")
    try:
        array = np.asarray(value)
        if array.dtype.kind not in "biuf":
            raise TypeError
        with np.errstate(all="ignore"):
            return array.astype(np.float64)
    except Exception:  # np.asarray calls the object's own __array__, which may raise anything
        if len(lengths := _lengths(value)) > 1:
            row = "a list of rows of different lengths"
            return Missing(
                row, f"the shortest has {min(lengths)} entries, the longest {max(lengths)}"
            )
        if isinstance(value, list | tuple) and any(item is None for item in value):
            return Missing(
                f"{_with_article(_kind(value))} with None in it",
                "is there a return at the end of what makes it?",
            )
        return Missing(_with_article(_kind(value)), _MEANT)


def _lengths(value: Any) -> set[int]:
    """Lengths of the rows of a list of lists or arrays; none of anything else."""
    if not isinstance(value, list | tuple):
        return set()
    # no np.ndim: it calls the __array__ of any object, which may raise anything
    plain = all(
        isinstance(row, list | tuple) or (isinstance(row, np.ndarray) and row.ndim > 0)
        for row in value[:1000]
    )
    return {len(row) for row in value[:1000]} if plain else set()


def _as_tree(value: Any, check: Check) -> Array | Missing:
    """The tree of a value as the one entry of an array of objects."""
    if value is None:
        return Missing("None")
    array = np.empty((), dtype=object)
    try:
        tree = exact.tree(value)
    except Exception:  # an object that is none of these may raise anything when it is looked at
        return Missing(_with_article(_kind(value)), _MEANT)
    try:
        array[()] = exact.chosen(tree, check.choices) if check.choices else tree
    except ValueError as error:
        listed = ", ".join(map(str, check.choices))
        raise WrongReturn(
            f"{check.value} is or holds {error}, which is none of the choices: {listed}."
        ) from None
    return array


def _as_table(value: Any, name: str) -> Array | Missing:
    """A DataFrame or Series as the one entry of an array of objects, made anew of its parts."""
    if not is_table(value):
        return Missing("None" if value is None else _with_article(_kind(value)), _MEANT)
    array = np.empty((), dtype=object)
    try:
        array[()] = checked(value)
    except TableError as error:
        raise WrongReturn(f"{name} cannot be compared: {error}.") from None
    except Exception:  # a class of the student's own may raise anything when it is looked at
        return Missing(_with_article(_kind(value)), _MEANT)
    return array


def spell(pattern: Pattern) -> str:
    """Pattern in words, as the student would write it.

    >>> spell(("h", ("hT", "cT"), None))
    'h, (hT, cT), cache'
    """
    if isinstance(pattern, tuple):
        return ", ".join(f"({spell(p)})" if isinstance(p, tuple) else spell(p) for p in pattern)
    return pattern or "cache"


def copy_tree(value: Any) -> Any:
    """Copy of nested tuples, lists and dicts of arrays and generators, so that a function that
    changes its arguments changes only its own.
    """
    if isinstance(value, np.ndarray) or is_table(value):
        return value.copy()
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(copy_tree(item) for item in value))
    if isinstance(value, tuple | list):
        return type(value)(copy_tree(item) for item in value)
    if isinstance(value, dict):
        return {key: copy_tree(item) for key, item in value.items()}
    if isinstance(value, set | Generator):  # of two calls with one generator, both draw the same
        return copy.deepcopy(value)
    return value


def _sentences(check: Check, wrong: dict[str, _Answer]) -> str:
    """What is wrong with which outputs, those of which the same is to be said together."""
    same: dict[tuple[str, str], list[str]] = {}
    for name, answer in wrong.items():
        same.setdefault(_describe(check, name, answer), []).append(name)
    return " ".join(
        f"{_and(names)} {verb if len(names) == 1 else _PLURAL[verb]} {rest}."
        for (verb, rest), names in same.items()
    )


_PLURAL = {"is": "are", "has": "have", "holds": "hold"}


def _describe(check: Check, name: str, answer: _Answer) -> tuple[str, str]:
    """Verb and what follows it: ("is", "wrong, only in the block of f")."""
    got, expected = answer.got[name], answer.expected[name]
    label = f" ({answer.case.label})" if answer.case.label else ""
    if what := answer.missing.get(name):
        asked = _asked_kind(expected)
        return "is", f"{what.kind}{label}; {asked} was asked for ({what.question})"
    if expected.dtype == object:
        return "is", f"wrong{label}: {_difference(got, expected, SINGLE_PRECISION)}"
    if _without_ones(got.shape) != _without_ones(expected.shape):
        axes = check.axes.get(name)
        letters = f" = {_tuple(axes.split())}" if axes else ""
        return "has", (
            f"the wrong shape{label}: {expected.shape}{letters} was expected, got "
            f"{got.shape}{_exchanged(got, expected)}"
        )
    got = got.reshape(expected.shape)
    if not np.isfinite(got).all():
        return "holds", f"NaN or infinity{label}"
    if expected.size > 1 and not got.any():
        return "is", f"zero{label}"
    with np.errstate(all="ignore"):
        bad = np.abs(got - expected) > SINGLE_PRECISION * np.abs(expected).max(
            initial=SMALLEST_SCALE
        )
    if expected.size > 1 and relative_error(-got, expected) <= SINGLE_PRECISION:
        return "has", f"the wrong sign{label}"
    return "is", f"wrong{label}{_where(check, name, bad)}"


def _asked_kind(expected: Array) -> str:
    """What was asked for, in words."""
    if expected.dtype != object:
        return "an array of numbers"
    value = expected.item()
    return tables.table_kind(value) if is_table(value) else exact.kind(value)


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
            wrong = [
                block
                for block, b in zip(blocks, np.split(along, len(blocks)), strict=True)
                if b.any()
            ]
            if len(wrong) < len(blocks):
                parts.append(f"only in the block{'s' if len(wrong) > 1 else ''} of {_and(wrong)}")
        elif letter in _COUNTED and not along.all():
            places = np.flatnonzero(along)
            word = _COUNTED[letter] + ("s" if len(places) > 1 else "")
            parts.append(f"at {word} {_and(_runs(places))} of 0 to {len(along) - 1}")
    return ", " + ", ".join(parts) if parts else ""


def _right_share(
    check: Check, answers: list[_Answer], wrong: dict[str, _Answer], hanging: int
) -> float:
    """Share of all results that is right: whole results, and blocks of those that are wrong.

    ``hanging`` is the number of those that do not count without the ones that are wrong.
    """
    parts = sum(_right_blocks(check, name, answers) for name in wrong)
    count = len(answers[0].expected)
    return (count - len(wrong) - hanging + parts) / count


def _right_blocks(check: Check, name: str, answers: list[_Answer]) -> float:
    """Share of a wrong result's blocks that are right, where one of them is wrong.

    Blocks in another order, of which two are wrong at least, are another mistake. What takes no
    work earns nothing: a block of zeros, and code that is given where its fault is to be mended.
    """
    axes = check.axes.get(name, "").split()
    axis = next((k for k, letter in enumerate(axes) if letter in check.blocks), None)
    if axis is None or check.mend is not None:
        return 0.0
    count = len(check.blocks[axes[axis]])
    right, zero = np.ones(count, dtype=bool), np.ones(count, dtype=bool)
    for answer in answers:
        got, expected = answer.got[name], answer.expected[name]
        if name in answer.missing or got.shape != expected.shape or expected.dtype == object:
            return 0.0
        most = SINGLE_PRECISION * np.abs(expected).max(initial=SMALLEST_SCALE)
        with np.errstate(all="ignore"):
            close = np.abs(got - expected) <= most  # False for NaN
        right &= [part.all() for part in np.split(close, count, axis)]
        zero &= [not part.any() for part in np.split(expected, count, axis)]
    return float((right & ~zero).mean()) if (~right).sum() == 1 else 0.0


_COUNTED = {"T": "time step", "N": "example"}


def _runs(numbers: Array) -> list[str]:
    """Numbers in ascending order, three or more in a row as one range.

    >>> _runs(np.array([0, 1, 2, 3, 5, 6]))
    ['0 to 3', '5', '6']
    """
    parts: list[str] = []
    for run in np.split(numbers, np.flatnonzero(np.diff(numbers) > 1) + 1):
        parts += [f"{run[0]} to {run[-1]}"] if len(run) > 2 else [str(k) for k in run]
    return parts


def _tuple(items: list[str]) -> str:
    return "(" + ", ".join(items) + ("," if len(items) == 1 else "") + ")"


def _without_ones(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(n for n in shape if n != 1)


def _kind(value: Any) -> str:
    if isinstance(value, set | frozenset):
        return "set"
    for plain in (tuple, list, dict):  # not the name of a class that the value only travelled in
        if isinstance(value, plain):
            return plain.__name__
    if not isinstance(value, np.ndarray):
        return type(value).__name__
    numbers = "" if value.dtype.kind in "biuf" else f" and dtype {value.dtype}"
    return f"an array of shape {value.shape}{numbers}"


# what NumPy and PyTorch say of arrays that do not fit together
_OF_SHAPES = re.compile(r"\b(shapes?|dimensions?|broadcast|size)\b")
_OF_ARGUMENTS = re.compile(r"positional arguments?\b.*\bgiven\b|required positional argument")


def _told_with(check: Check, error: StudentError, case: Case) -> str:
    """What is said of an error, with what the check has to say of a word in it, and how the
    function was called where that explains it.
    """
    if error.status is not Status.ERROR:
        return str(error)
    told = [
        text
        for word, text in check.told_with.items()
        if re.search(rf"\b{re.escape(word)}\b", str(error))
    ]
    text = str(error).rstrip()
    apart = "\n" if "\n" in text else " "
    if not isinstance(error, WrongReturn):
        told += _called(check, text, case)
    end = "" if not told or apart == "\n" or text.endswith((".", "!", "?")) else "."
    return apart.join((f"{text}{end}", *dict.fromkeys(told)))


def _called(check: Check, error: str, case: Case) -> Iterator[str]:
    """How the function was called, where the error is about that, or about shapes."""
    names = _parameters(check, len(case.args))
    # The first line only: the others quote the student's code.
    first = error.partition("\n")[0].partition(" (line ")[0]
    if names and _OF_ARGUMENTS.search(first) and f"{check.function}()" in first:
        yield f"The task asks for {check.function}({', '.join(names)})."
    if names and _OF_SHAPES.search(first):
        shapes = [
            f"{name} {value.shape}"
            for name, value in zip(names, case.args, strict=True)
            if isinstance(value, np.ndarray)
        ]
        if shapes:
            yield f"{check.function} was called with {_and(shapes)}."


def _parameters(check: Check, count: int) -> list[str]:
    """Names of the first parameters, as the reference has them; empty where it does not tell."""
    try:
        parameters = list(inspect.signature(check.expected or (lambda: None)).parameters.values())
    except (TypeError, ValueError):  # a function without a signature
        return []
    by_place = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    names = [one.name for one in parameters[:count] if one.kind in by_place]
    return names if len(names) == count else []


def labelled(check: Check, error: StudentError, case: Case) -> StudentError:
    """The error with what the check has to say of it, and the case in which it came."""
    return StudentError(error.status, _with_label(_told_with(check, error, case), case))


def _with_label(message: str, case: Case) -> str:
    # Where a line of the student's ends the message, nothing is glued to it.
    apart = "\n" if "\n" in message else " "
    return f"{message}{apart}(case: {case.label})" if case.label else message

"""Run a check: compare the answers with the expected ones, or look whether properties hold of them.

Where many answers are right, there is nothing to compare with: a split at random, a search, a mask
with ties. What must hold of each of them can be said instead.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import numpy as np
from numpy.random import Generator

from verdict import compare, refusals
from verdict.check import Answer, Call, Calls, Case, Check, Property, Status, StudentError, Verdict
from verdict.compare import copy_tree, read
from verdict.table_parts import is_table

MOST_CALLS = 10_000  # of a function that the student's function is given, in one case
MOST_BYTES = 32 << 20  # of what is kept of them
ENTRY = 64  # bytes that are counted for a value which is no array


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
        return compare.compared(check, call, rng)
    if not check.properties:
        return refusals.asked_to_refuse(check, call, rng)
    assert check.cases is not None, f"check {check.name} has properties and no cases"
    with np.errstate(all="ignore"):
        cases = check.cases(rng)
    failures: list[StudentError] = []
    first_works = True
    for case in cases:
        try:
            if found := _violated(check, call, case):
                return found
        except StudentError as error:
            first_works &= case is not cases[0]
            failures.append(compare.labelled(check, error, case))
            if error.status is not Status.ERROR:
                break
    if not failures:
        return Verdict(Status.PASSED, "Right.", 1.0)
    first, right = failures[0], len(cases) - len(failures)
    if first.status is not Status.ERROR or not right:
        return Verdict(first.status, str(first))
    apart = "\n" if "\n" in str(first) else " "
    told = f"{first}{apart}In all other cases it is right."
    verdict = Verdict(first.status, told, right / len(cases))
    return verdict if compare.earns_share(first_works, right, len(cases)) else compare.few(verdict)


def caught(check: Check, function: Call, seeds: int) -> int:
    """For how many seeds, from 0 on, a version of the function does not pass.

    Parameters
    ----------
    check : what to ask
    function : a right or a wrong version; may raise anything
    seeds : how many
    """

    def call(*args: Any) -> Any:
        try:
            return function(*args)
        except Exception as error:
            raise StudentError(Status.ERROR, f"{type(error).__name__}: {error}") from None

    verdicts = (examine(check, call, np.random.default_rng(seed)) for seed in range(seeds))
    return sum(verdict.status is not Status.PASSED for verdict in verdicts)


def _violated(check: Check, call: Call, case: Case) -> Verdict | None:
    """Verdict on the first property that does not hold in a case; None where all do."""

    def ask(*args: Any) -> dict[str, Any]:
        return read(check, call(*copy_tree(args)), check.asked)

    def expected() -> dict[str, Any]:
        assert check.expected is not None, f"check {check.name} has no expected"
        return read(check, check.expected(*copy_tree(case.args)), "expected")

    calls: dict[int, Calls] = {}
    args = list(copy_tree(case.args))
    for k, argument in enumerate(args):
        if callable(argument):
            args[k] = counted(argument, calls.setdefault(k, Calls()))
    out = read(check, call(*args), check.asked)
    answer = Answer(copy_tree(case.args), out, calls, ask, expected)
    for one in check.properties:
        with np.errstate(all="ignore"):
            said = one.test(answer)
        if said:
            return _verdict_told(one, said, case)
    return None


def _verdict_told(one: Property, said: str, case: Case) -> Verdict:
    label = f" (case: {case.label})" if case.label else ""
    return Verdict(
        Status.WRONG,
        f"{one.title} {said}{label}",
        misconception=one.id,
        hints=one.hints,
        named=one.title,
    )


def counted(function: Callable[..., Any], calls: Calls) -> Callable[..., Any]:
    """The function, with what is asked of it written down.

    Raises
    ------
    ValueError : to its caller, who asks more than `MOST_CALLS` times
    """
    room = MOST_BYTES

    @wraps(function)
    def ask(*args: Any) -> Any:
        nonlocal room
        calls.count += 1
        if calls.count > MOST_CALLS:
            raise ValueError(f"it was asked more than {MOST_CALLS:,} times")
        value = function(*args)
        calls.gave += _bytes_held(value)
        if (room := room - _size((args, value))) >= 0:
            calls.kept.append(copy_tree((args, value)))
        else:
            calls.cut = True
        return value

    return ask


def _bytes_held(value: Any) -> int:
    """Bytes of the numbers and texts in a value, and nothing for what holds them."""
    if isinstance(value, np.ndarray | np.generic):
        return int(value.nbytes)
    if isinstance(value, dict):
        return sum(map(_bytes_held, (*value.keys(), *value.values())))
    if isinstance(value, list | tuple | set | frozenset):
        return sum(map(_bytes_held, value))
    if isinstance(value, str | bytes):
        return len(value)
    if is_table(value):
        return int(np.sum(value.memory_usage(index=False)))
    return 0 if value is None else 8


def _size(value: Any) -> int:
    """Bytes of a value, about."""
    if isinstance(value, np.ndarray) or is_table(value):
        return ENTRY + _bytes_held(value)
    if isinstance(value, dict):
        return ENTRY + sum(_size(key) + _size(item) for key, item in value.items())
    if isinstance(value, list | tuple | set | frozenset):
        return ENTRY + sum(map(_size, value))
    return ENTRY + (len(value) if isinstance(value, str | bytes) else 0)

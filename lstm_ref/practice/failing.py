"""The input at which a student's function fails, what came, and what was expected: for practice,
where nothing is hidden.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.random import Generator

from lstm_ref.errors import Array
from verdict import Case, Check, Status, StudentError, Verdict, exact, examine, tables
from verdict.compare import SINGLE_PRECISION, copy_tree, read
from verdict.table_parts import is_table

ROWS = 8  # of a table that are shown


@dataclass(frozen=True, repr=False)
class Example:
    """One call that does not give what was asked for.

    Parameters
    ----------
    label : what is special about it; empty where nothing is
    arguments : of the call, as arrays
    expected : name of a result -> array
    got : the same of what came; empty where the call raised
    problem : what is wrong, in words
    """

    label: str
    arguments: tuple[Any, ...]
    expected: Mapping[str, Array]
    got: Mapping[str, Array]
    problem: str

    def __str__(self) -> str:
        lines = [
            f"fails{f' ({self.label})' if self.label else ''}. {self.problem}",
            *self._first_entries(),
        ]
        lines.append(
            "The parts of what case returned: arguments, got, expected; the last two by name of "
            "the result."
        )
        return "\n".join(lines)

    def __repr__(self) -> str:
        return f"Example(arguments, got, expected: {', '.join(self.expected)})"

    def _first_entries(self) -> list[str]:
        """The entry of each result that is farthest off, with both numbers."""
        lines = []
        for name, right in self.expected.items():
            came = self.got.get(name)
            if came is None or came.size != right.size or right.size == 0:
                continue
            if right.dtype == object:
                lines += _both(name, came.item(), right.item())
                continue
            off = np.abs(came.reshape(right.shape) - right)
            at = np.unravel_index(np.argmax(np.where(np.isnan(off), np.inf, off)), right.shape)
            if not off[at] <= 1e-6 * np.abs(right).max(initial=1e-6):
                index = f"[{', '.join(map(str, at))}]" if at else ""
                lines.append(
                    f"{name}{index}: {came.reshape(right.shape)[at]:.6g} came, {right[at]:.6g} was "
                    "expected."
                )
        return lines


def _both(name: str, came: Any, right: Any) -> list[str]:
    """Two trees, cut to a line each, where they differ; of two tables the first rows."""
    if is_table(right):
        if not tables.table_difference(came, right, SINGLE_PRECISION):
            return []
        return [f"{name}, what came:\n{came.head(ROWS)}", f"what was expected:\n{right.head(ROWS)}"]
    if exact.same(came, right):
        return []
    return [
        f"{name}: {textwrap.shorten(repr(tree), 200)} {verb}"
        for tree, verb in ((came, "came,"), (right, "was expected."))
    ]


def first_failure(check: Check, call: Callable[..., Any], rng: Generator) -> Example | None:
    """The first case of a check that a function fails; None where it passes all.

    Parameters
    ----------
    check : with cases
    call : from arrays to arrays; may raise StudentError and nothing else
    rng : source of the inputs
    """
    assert check.cases is not None and check.expected is not None, (
        f"check {check.name} has no cases"
    )
    for case in check.cases(rng):
        if case.raises:
            continue  # there is no result to show; the verdict says what must be raised
        verdict = _alone(check, case, call)
        if verdict.status is Status.PASSED:
            continue
        with np.errstate(all="ignore"):
            expected = read(check, check.expected(*copy_tree(case.args)), "the reference")
        return Example(
            case.label,
            copy_tree(case.args),
            expected,
            _numbers(check, call, case.args),
            verdict.message,
        )
    return None


def _alone(check: Check, case: Case, call: Callable[..., Any]) -> Verdict:
    """Verdict on one case, without the names of mistakes."""
    one = replace(
        check, cases=lambda rng: [replace(case, label="")], misconceptions=(), further=None
    )
    verdict = examine(one, call, np.random.default_rng(0))
    return replace(
        verdict,
        message=verdict.message.removesuffix(
            " The mistake is not one of those that are known here."
        ),
    )


def _numbers(
    check: Check, call: Callable[..., Any], arguments: tuple[Any, ...]
) -> dict[str, Array]:
    try:
        return read(check, call(*copy_tree(arguments)), check.function)
    except StudentError:
        return {}

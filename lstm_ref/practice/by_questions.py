"""Name a mistake by what a function gives and by what it asks of the functions that it is given.

A check with properties names the first of them that does not hold. Here each known mistake of a
function becomes such a property, before the general ones: it does not hold where results and
questions are those of the mistake. The order of questions does not matter.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from lstm_ref.errors import Array
from verdict import Answer, Case, Check, Misconception, Property
from verdict.check import Call, Calls
from verdict.compare import copy_tree, read
from verdict.exact import tree
from verdict.holds import counted

CLOSE = 1e-6  # relative; of two numbers that are the same up to the precision of float32
TRIES = 500  # draws of a case in which the known mistakes are to be told apart


@dataclass(frozen=True)
class Heard:
    """What a function gave, by name of the result, and what it asked, by position of the
    argument.
    """

    out: dict[str, Array]
    asked: dict[int, list[Any]]

    def same(self, other: Heard) -> bool:
        """Whether two functions cannot be told apart by this."""
        return self.asked == other.asked and all(
            value.shape == other.out[name].shape
            and np.allclose(value, other.out[name], CLOSE, 1e-9, equal_nan=True)
            for name, value in self.out.items()
        )


def heard_of(answer: Answer) -> Heard:
    """What a check heard of a student's function."""
    return Heard(
        dict(answer.out), {place: questions(calls) for place, calls in answer.calls.items()}
    )


def hear(check: Check, function: Call, args: Sequence[Any]) -> Heard | None:
    """What a function gives and asks with these arguments; None where it raises.

    Parameters
    ----------
    check : says how its results are read
    function : a right or a wrong version
    args : of a case; functions among them are counted
    """
    calls = {place: Calls() for place, value in enumerate(args) if callable(value)}
    listening = [
        counted(value, calls[place]) if place in calls else copy_tree(value)
        for place, value in enumerate(args)
    ]
    try:
        with np.errstate(all="ignore"):
            out = read(check, function(*listening), check.asked)
    except Exception:  # a wrong version may fail on some case
        return None
    return Heard(out, {place: questions(some) for place, some in calls.items()})


def questions(calls: Calls) -> list[Any]:
    """The arguments of all calls, in an order of their own; one that is no tree is left as its
    type.
    """
    found = []
    for args, _ in calls.kept:
        try:
            found.append(tuple(float(part) for part in tree(args)))
        except (TypeError, ValueError):
            found.append((float("inf"),))
    return sorted(found)


def with_known(check: Check) -> Check:
    """The same check, in which each of its known mistakes is a property before all others.

    Parameters
    ----------
    check : with properties of which one at least does not hold of each wrong answer
    """
    said_of = _Once(check.properties)
    named = tuple(_unlike(check, mistake, said_of) for mistake in check.misconceptions)
    return replace(check, properties=(*named, *check.properties))


class _Once:
    """What the first of some properties says that does not hold; an answer is looked at once, by
    however many mistakes it is asked.
    """

    def __init__(self, properties: Sequence[Property]) -> None:
        self.properties = properties
        self.last: tuple[Answer | None, str] = (None, "")

    def __call__(self, answer: Answer) -> str:
        """Empty where all hold."""
        before, said = self.last
        if before is not answer:
            said = next((told for one in self.properties if (told := one.test(answer))), "")
            self.last = (answer, said)
        return said


def _unlike(check: Check, mistake: Misconception, said_of: Callable[[Answer], str]) -> Property:
    def test(answer: Answer) -> str:
        said = said_of(answer)
        wrong = hear(check, mistake.function, answer.args) if said else None
        return said if wrong and heard_of(answer).same(wrong) else ""

    return Property(mistake.id, mistake.title, test, mistake.hints)


def told_apart(check: Check, draw: Callable[[], Case]) -> Case:
    """A case in which no two known mistakes give and ask the same, nor one the same as what is
    expected.

    Parameters
    ----------
    check : with the known mistakes
    draw : gives a case, each time another one

    Raises
    ------
    ValueError : none was found
    """
    assert check.expected is not None
    versions = [check.expected, *(mistake.function for mistake in check.misconceptions)]
    for _ in range(TRIES):
        case = draw()
        heard = [hear(check, function, case.args) for function in versions]
        known = [one for one in heard if one is not None]
        if not any(a.same(b) for k, a in enumerate(known) for b in known[:k]):
            return case
    raise ValueError(f"{check.name}: no case of {TRIES} tells the known mistakes apart")

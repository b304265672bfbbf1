"""Slips of the hand: each is a function of its own, and none is another one, or a mistake with a
story.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np
import pytest

from lstm_ref import zoo
from lstm_ref.practice import lstm_bptt
from verdict import StudentError, Verdict, classify, examine
from verdict.compare import copy_tree, read

CHECKS = {check.name: check for check in lstm_bptt.CHECKS}


def numbers(function: str, bug: zoo.Bug, cases: Any) -> str:
    """All that a mistake returns or raises for some cases, in a form in which it can be compared
    with others.
    """
    told = []
    for case in cases:
        try:
            with np.errstate(all="ignore"):
                arrays = read(
                    CHECKS[function], getattr(bug, function)(*copy_tree(case.args)), bug.id
                )
        except Exception as error:
            told.append(type(error).__name__)
        else:
            told += [
                f"{name} {a.shape} {np.round(a, 9).ravel().tolist()}" for name, a in arrays.items()
            ]
    return "; ".join(told).replace("-0.0,", "0.0,")


@pytest.mark.parametrize("function", zoo.FUNCTIONS)
def test_no_slip_is_right_or_the_same_as_another_mistake(function: str) -> None:
    cases = CHECKS[function].cases(np.random.default_rng(3))[:2]
    bugs = [bug for bug in (*zoo.BUGS, *zoo.SLIPS) if bug.function == function]
    assert sum(bug in zoo.SLIPS for bug in bugs) >= 15
    told = {bug.id: numbers(function, bug, cases) for bug in bugs}
    told["right"] = numbers(function, zoo.Bug("right", function, "", (), "", "", "", ()), cases)
    same = [(a, b) for a, b in combinations(told, 2) if told[a] == told[b]]
    assert same == []


def ask(check: str, function: Any) -> Verdict:
    def call(*arguments: Any) -> Any:
        try:
            return function(*arguments)
        except Exception as error:
            raise StudentError(*classify(type(error).__name__, str(error))) from None

    return examine(CHECKS[check], call, np.random.default_rng(4))


@pytest.mark.parametrize("function", zoo.FUNCTIONS)
def test_a_slip_is_named_as_itself(function: str) -> None:
    slips = [bug for bug in zoo.SLIPS if bug.function == function]
    for bug in slips[:: len(slips) // 4]:
        verdict = ask(function, getattr(bug, function))
        assert verdict.misconception == bug.id and bug.title in verdict.message, verdict


@pytest.mark.parametrize(
    ("function", "id", "order"),
    [
        ("lstm_step", "no_tanh_in_h", "order_ifog"),
        ("lstm_step_backward", "dc_prev_only_carry", "back_order_ifog"),
        ("lstm_forward", "c0_ignored", "order_figo"),
        ("lstm_backward", "no_dh_carry", "back_order_ifog"),
    ],
)
def test_a_mistake_in_another_order_is_named_with_both_and_is_half_right(
    function: str, id: str, order: str
) -> None:
    """Who comes from CS231n has its order, and then any mistake of the usual ones on top of it."""
    mistake, other = zoo.find(id), zoo.find(order)
    verdict = ask(function, getattr(replace(mistake, also=other), function))
    alone = ask(function, getattr(mistake, function))
    assert (
        verdict.misconception == id
        and mistake.title in verdict.message
        and other.title in verdict.message
    )
    assert (
        verdict.credit == pytest.approx(max(alone.credit / 2, verdict.credit))
        and verdict.credit >= alone.credit / 2
    )


def test_a_cache_of_ones_own_is_told_what_the_given_one_holds() -> None:
    def own_cache(dh: Any, dc: Any, cache: Any) -> Any:
        raise StudentError(
            *classify("ValueError", "not enough values to unpack (expected 12, got 10)")
        )

    def call(*arguments: Any) -> Any:
        try:
            return own_cache(*arguments)
        except StudentError as error:
            raise StudentError(
                error.status, f"{error} (line 2: x, h_prev, c_prev, b, *gates = cache)"
            ) from None

    message = examine(CHECKS["lstm_step_backward"], call, np.random.default_rng(0)).message
    assert (
        "is the tuple (x, h_prev, c_prev, i, f, g, o, c, Wx, Wh) of part 1, in this order."
        in message
    )

"""A convention that runs through a student's whole work is charged once."""

from dataclasses import replace

import numpy as np
import pytest

from verdict import (
    Case,
    Check,
    Misconception,
    Status,
    StudentError,
    Verdict,
    charge_once,
    examine,
    unmet,
)

REVERSED = Misconception(
    "reversed",
    "The axis runs backward.",
    lambda x: x[::-1],
    status=Status.CONVENTION,
    convention="backward",
)
OTHER = Misconception(
    "halved", "Halves.", lambda x: x / 2, status=Status.CONVENTION, convention="halves"
)


def check(name, needs=()):
    return Check(
        name=name,
        title=name,
        function=name,
        points=2,
        cases=lambda rng: [Case("", (rng.normal(size=5),))],
        expected=lambda x: x,
        outputs="y",
        needs=needs,
        misconceptions=(REVERSED, OTHER),
    )


CHECKS = (check("first"), check("second"), check("third", needs=("first", "second")))


def judged(**functions):
    verdicts = {}
    for one in CHECKS:
        if unmet(one, verdicts):
            verdicts[one.name] = Verdict(Status.SKIPPED, "")
        else:
            verdicts[one.name] = examine(one, functions[one.name], np.random.default_rng(0))
    return {
        name: (v.status.value, v.credit, v.message)
        for name, v in charge_once(CHECKS, verdicts).items()
    }


def backward(x):
    return x[::-1]


def right(x):
    return x


def test_the_first_part_is_charged_and_those_that_keep_to_it_are_not():
    found = judged(first=backward, second=backward, third=backward)
    assert [credit for _, credit, _ in found.values()] == [0.5, 1.0, 1.0]
    assert {status for status, *_ in found.values()} == {"convention"}
    assert found["second"][2].endswith(
        "The convention is that of first, where it is charged: it costs nothing here."
    )
    assert "charged" not in found["first"][2]


@pytest.mark.parametrize(
    ("second", "credits"),
    [
        (right, [0.5, 1.0, 0.0]),
        (lambda x: x / 2, [0.5, 0.5, 0.0]),
        (lambda x: x + 1, [0.5, 0.0, 0.0]),
    ],
)
def test_parts_in_two_conventions_do_not_fit_together_and_each_is_charged(second, credits):
    found = judged(first=backward, second=second, third=right)
    assert [credit for _, credit, _ in found.values()] == credits
    assert found["third"][0] == "skipped"


def test_a_check_that_does_not_know_the_convention_is_not_asked():
    right_in_it = Verdict(Status.CONVENTION, "", 0.5, convention="backward", uncharged=1.0)
    verdicts = {"first": right_in_it, "second": right_in_it}
    assert unmet(CHECKS[2], verdicts) == []
    assert unmet(replace(CHECKS[2], misconceptions=(OTHER,)), verdicts) == ["first", "second"]
    assert (
        unmet(replace(CHECKS[2], misconceptions=(), further=lambda: ((REVERSED,),)), verdicts) == []
    )


def test_a_case_that_is_needed_counts_for_all_where_it_gets_no_answer():
    def late(x):
        if len(x) > 10:
            raise StudentError(Status.TIMEOUT, "no answer")
        return x

    for needed, credit in ((False, 0.5), (True, 0.0)):
        asked = replace(
            CHECKS[0],
            cases=lambda rng, n=needed: [Case("", (np.ones(5),)), Case("large", (np.ones(20),), n)],
        )
        verdict = examine(asked, late, np.random.default_rng(0))
        assert (verdict.status, verdict.credit) == (Status.TIMEOUT, credit)
        assert "(case: large)" in verdict.message

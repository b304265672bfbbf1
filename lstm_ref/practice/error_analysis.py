"""The public checks of the problem set error-analysis, and its instant check.

    from lstm_ref.practice.error_analysis import check
    check("slice_table")

The judge asks the same questions with more cases (solutions/error-analysis/checks.py).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.random import Generator

from lstm_ref import practice
from lstm_ref.practice import plain_error_analysis as plain
from lstm_ref.practice.error_analysis_mistakes import MISTAKES
from lstm_ref.practice.mistakes import Plain
from lstm_ref.practice.mutants import Words, examine_tests
from lstm_ref.practice.review_models import (
    AGAINST_DIRECTION,
    AGAINST_INVARIANCE,
    FALSE_ALARMS,
    Planted,
    faulty_models,
    is_list_of_reviews,
    right_models,
)
from verdict import Case, Check, Verdict
from verdict.check import Call

SET = Plain(plain, MISTAKES)
VALUES = {
    "words": ("short", "middle", "long"),
    "joint": ("none", "but", "although"),
    "first word": ("the", "nobody", "although", "i"),
    "source": ("web",),
}

# --- cases
# --------------------------------------------------------------------------------------------------


def table_case(
    rng: Generator, label: str, n: int, names: Sequence[str], *, errors: bool = True
) -> Case:
    """A call of slice_table: the rarest value of the first attribute has no error, and the values
    do not come in the order of the alphabet.

    Parameters
    ----------
    rng : source of the values
    label : what is special about the case
    n : examples
    names : of the attributes, out of `VALUES`
    errors : whether there are any
    """
    attributes = {}
    for name in names:
        values = sorted(VALUES[name], reverse=True)
        share = 1 / np.arange(1, len(values) + 1)
        drawn = [values[k] for k in rng.choice(len(values), size=n, p=share / share.sum())]
        attributes[name] = [*values, *drawn[len(values) :]]
    never = sorted(VALUES[names[0]])[0]
    wrong = rng.random(n) < 0.35
    wrong[-3:] = True, False, True
    wrong &= np.array([value != never for value in attributes[names[0]]])
    wrong[0] = True
    return Case(label, (wrong & errors, attributes))


def interval_case(rng: Generator, label: str, n: int, alpha: float, share: float = 0.2) -> Case:
    """A call of wilson_interval; about this share of the answers is wrong."""
    wrong = int(np.clip(rng.binomial(n, share), 1, n - 1)) if 0 < share < 1 else int(n * share)
    return Case(label, (wrong, n, alpha))


def count_at(rate: float, n: int, z: float) -> int:
    """How many of n are wrong where the share lies so many standard deviations from the rate."""
    return int(np.clip(round(n * rate + z * np.sqrt(n * rate * (1 - rate))), 0, n))


def distance_of(wrong: int, n: int, rate: float) -> float:
    """The share's distance from the rate in standard deviations."""
    return float((wrong / n - rate) / np.sqrt(rate * (1 - rate) / n))


def slice_at(rate: float, n: int, z: float, limits: Sequence[float]) -> tuple[int, int]:
    """Errors and size of a slice of n examples or some more, near a distance, and on the same side
    of each limit as that, by a hundredth of it: so that rounding decides nothing.
    """
    for size in range(n, 4 * n):
        wrong = count_at(rate, size, z)
        d = distance_of(wrong, size, rate)
        near = abs(d - z) < 0.02 * max(abs(z), 1)
        if near and all((d > x) == (z > x) and abs(d - x) > 0.01 * abs(x) for x in limits):
            return wrong, size
    raise ValueError(f"no slice of {n} examples at {z:.2f} with the rate {rate:.3f}")


# Distances of slices in terms of the corrected limit, near it and far from it on both sides.
RULER = (0.65, 0.7, 0.96, 1.06, 1.2, 1.5, 1.9, 3.0, 4.5, -0.65, -0.78, -0.96, -1.06, -1.2, -1.5, -2)


def differ_case(
    rng: Generator, label: str, ruler: Sequence[float], alpha: float, n: int = 250
) -> Case:
    """A call of slices_that_differ: a slice for each mark of a ruler, and a small one that is bad.

    Parameters
    ----------
    rng : source of sizes and rate
    label : what is special about the case
    ruler : distance of each slice, in terms of the limit
    alpha : for all slices together
    n : size of a slice that is near the limit, at least
    """
    rate = float(rng.uniform(0.15, 0.3))
    m = len(ruler) + (len(ruler) > 1)
    z = plain.quantile(1 - alpha / m / 2)
    slices = []
    for mark in ruler:
        size = int(rng.integers(n, 2 * n))
        slices.append(slice_at(rate, size, mark * z, (z, -z)))
    if m > 1:
        slices.append(slice_at(rate, 14, 1.3 * z, (z, -z)))
    wrong, support = np.array(slices)[rng.permutation(m)].T
    return Case(label, (wrong, support, rate, alpha))


# Distances of slices in the half that is searched and in the other one, in terms of the limits.
HALVES = (
    *((1.3, 1.3), (1.2, 1.08), (1.15, 0.88), (1.5, 0.3), (1.1, -0.2), (0.96, 0.2), (0.85, 0.5)),
    *((0.9, 1.6), (0.3, 1.3), (-1.5, -1.5), (-0.5, 0.4), (0.1, -0.8)),
)
UNFOUND = ((0.9, 1.6), (0.8, 0.2), (0.3, 1.3), (-1.5, -1.5), (0.1, -0.8))


def halves_case(
    rng: Generator,
    label: str,
    marks: Sequence[tuple[float, float]],
    alpha: float,
    n: int = 80,
    harder: int = 1,
) -> Case:
    """A call of search_and_confirm: disjoint slices, and examples in none of them that bring each
    half to its rate.

    Parameters
    ----------
    rng : source of sizes, rates and order
    label : what is special about the case
    marks : distances of each slice in the two halves, in terms of the limits
    alpha : for all slices of a half together
    n : size of a slice in one half, at least
    harder : which half has the higher rate: 0, the one that is searched, or 1
    """
    looks = (len(marks), max(sum(first > 1 for first, _ in marks), 1))
    order = rng.permutation(len(marks))
    errors, inside, search = [], [], []
    for half in (0, 1):
        rate = float(rng.uniform(0.12, 0.18)) + 0.1 * (half == harder)
        z = plain.quantile(1 - alpha / looks[half] / 2)
        total = len(marks) * 3 * n
        rate = round(rate * total) / total
        slices = [slice_at(rate, n, marks[k][half] * z, (z,)) for k in order]
        counts = [*slices, (round(rate * total), total)]
        filler = counts[-1][0] - sum(k for k, _ in slices), total - sum(s for _, s in slices)
        for s, (wrong, size) in enumerate([*slices, filler]):
            errors.append(np.arange(size) < wrong)
            inside.append(np.full(size, s))
            search.append(np.full(size, half == 0))
    shuffled = rng.permutation(sum(map(len, errors)))
    slice_of = np.concatenate(inside)[shuffled]
    members = slice_of == np.arange(len(marks))[:, None]
    return Case(
        label, (np.concatenate(errors)[shuffled], members, np.concatenate(search)[shuffled], alpha)
    )


# --- tests that students write
# --------------------------------------------------------------------------------------------------

MODELS = Words(
    "models",
    "It fails right models: {alarms} of {right} times. A right model errs now and then, too.",
    {
        "never_asks": (
            "How do you tell two models apart? Ask them.",
            "Make reviews, give them to the model, and look at its answers.",
        ),
        "rejects_all": (
            "Try it on a model of your own that reads every review rightly.",
            "Print how many of your pairs fail, and how many you allow.",
        ),
        "accepts_all": (
            "Take one noun, one modifier, one adjective, one shape at a time, and count for each.",
            "A fault that touches an eighth of your reviews hides in the share over all of them.",
        ),
        "fails_right_models": (
            "Try it on a model of your own that says the opposite for one review in twenty.",
            "How many pairs of twenty fail by such errors alone? The text says how often a fault "
            "shows.",
        ),
    },
    "A model was asked something that is no list of up to 2000 reviews. A review is made of the "
    "words and shapes of the task, and nothing else.",
    "fails_right_models",
)


def examine_models(planted: Planted, shown: int = 0) -> Callable[[Call, Generator], Verdict]:
    """Examination of tests for models: all right ones, and those with these faults.

    Parameters
    ----------
    planted : the faults
    shown : so many of them, the first ones; 0: all
    """

    def examine(call: Call, rng: Generator) -> Verdict:
        wrong = faulty_models(planted, rng, shown)
        ask = examine_tests(right_models(rng), wrong, is_list_of_reviews, MODELS, FALSE_ALARMS)
        return ask(call, rng)

    return examine


# Seconds; thorough tests ask many questions of forty models, each through the wall of a sandbox,
# and a slow machine needs several times as long as a fast one.
TIME_LIMIT = 60.0
BY_HAND = "Make a small example, with eight answers in two slices, and work it out by hand."

CHECKS = (
    Check(
        name="slice_table",
        title="How many answers are in each slice, and which share of them is wrong.",
        function="slice_table",
        points=3,
        cases=lambda rng: [
            table_case(rng, "", 30, ("words", "joint")),
            table_case(rng, "more attributes", 50, ("joint", "first word", "words")),
        ],
        expected=plain.slice_table,
        outputs=("slices", "support", "rate"),
        exact=("slices",),
        axes={"support": "slice", "rate": "slice"},
        misconceptions=SET.known("slice_table"),
        hints=("Print the three lists side by side.", BY_HAND),
    ),
    Check(
        name="wilson_interval",
        title="The interval of a share of wrong answers.",
        function="wilson_interval",
        points=3,
        cases=lambda rng: [
            interval_case(rng, "", 60, 0.05),
            interval_case(rng, "another alpha", 25, 0.2, 0.4),
            interval_case(rng, "a small alpha", 40, 0.004, 0.1),
        ],
        expected=plain.wilson_interval,
        outputs=("low", "high"),
        misconceptions=SET.known("wilson_interval"),
        hints=(
            "Put your two ends into the equation of the text: do both sides agree?",
            "Print z for alpha = 0.05: it is a little below 2.",
        ),
    ),
    Check(
        name="slices_that_differ",
        title="Which slices differ, when so many are looked at.",
        function="slices_that_differ",
        points=3,
        cases=lambda rng: [
            differ_case(rng, "", RULER, 0.1),
            differ_case(rng, "another alpha", RULER[1::2], 0.02),
        ],
        expected=plain.slices_that_differ,
        outputs=("worse", "better"),
        exact=("worse", "better"),
        misconceptions=SET.known("slices_that_differ"),
        hints=(
            "Print the distance of each slice beside the limit.",
            "With one slice and alpha = 0.05 the limit is a little below 2. And with ten?",
        ),
    ),
    Check(
        name="search_and_confirm",
        title="What is found in one half is measured in the other.",
        function="search_and_confirm",
        points=3,
        cases=lambda rng: [
            halves_case(rng, "", HALVES, 0.1),
            halves_case(rng, "fewer slices", HALVES[:9], 0.05, harder=0),
        ],
        expected=plain.search_and_confirm,
        outputs=("found", "confirmed"),
        exact=("found", "confirmed"),
        misconceptions=SET.known("search_and_confirm"),
        hints=(
            "Print for each slice its errors, as a number, and its distance, in the one half and "
            "in the other. A product (@) of arrays of True and False counts nothing.",
            "How many slices are looked at in the first half, and how many in the second?",
        ),
    ),
    Check(
        name="invariant",
        title="Your invariance tests accept right models and find faulty ones.",
        function="invariant",
        points=4,
        examine=examine_models(AGAINST_INVARIANCE, 3),
        time_limit=TIME_LIMIT,
    ),
    Check(
        name="directed",
        title="Your direction tests accept right models and find faulty ones.",
        function="directed",
        points=4,
        examine=examine_models(AGAINST_DIRECTION, 3),
        time_limit=TIME_LIMIT,
    ),
)

_INSTANT = practice.Instant(CHECKS)
check, case = _INSTANT.check, _INSTANT.case

"""The problem set measure: its reference beside other ways to compute it. The rest is in
test_plain_sets.py.
"""

from dataclasses import replace

import numpy as np
import pytest
from sklearn import metrics as sk

import lstm_ref.metrics as ours
from lstm_ref.practice import measure
from lstm_ref.practice.mutants import examine_tests
from tests.support.problem_sets import SetOf, ask
from verdict import Status, examine
from verdict.check import Renewable
from verdict.compare import copy_tree, read, relative_error

SET = SetOf("measure", measure)


def pairs(M):
    """True and said classes that give this table."""
    where = [(a, b) for a in range(len(M)) for b in range(len(M)) for _ in range(int(M[a, b]))]
    return np.array(where).T


def scores(M):
    y, said = pairs(M)
    return sk.precision_recall_fscore_support(y, said, labels=range(len(M)), zero_division=0)[:3]


def averages(M):
    y, said = pairs(M)
    return [
        sk.f1_score(y, said, labels=range(len(M)), average=how, zero_division=0)
        for how in ("macro", "micro", "weighted")
    ]


def interval(errors, words, rows):
    counts = np.array([np.bincount(row, minlength=len(errors)) for row in rows])
    return np.percentile(counts @ errors / (counts @ words), [2.5, 97.5])


INDEPENDENT = {
    "confusion": lambda y, said, C: sk.confusion_matrix(y, said, labels=range(C)),
    "per_class": scores,
    "average_f1": averages,
    "masked_accuracy": ours.masked_accuracy,
    "perplexity": ours.perplexity,
    "edit_distance": ours.edit_distance,
    "word_error_rate": ours.word_error_rate,
    "skill": lambda series, forecast, horizon: (
        1
        - sk.root_mean_squared_error(series[horizon:], forecast)
        / sk.root_mean_squared_error(series[horizon:], series[: len(forecast)])
    ),
    "bootstrap_interval": interval,
}


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize(
    "check", [c for c in SET.graded.CHECKS if c.cases], ids=lambda check: check.name
)
def test_what_is_expected_agrees_with_a_second_way_to_compute_it(check, seed):
    for case in check.cases(np.random.default_rng(seed)):
        expected = read(check, check.expected(*copy_tree(case.args)), "expected")
        other = read(check, INDEPENDENT[check.name](*copy_tree(case.args)), "other")
        for name in expected:
            assert relative_error(other[name], expected[name]) < 0.1 * check.tolerance, (
                case.label,
                name,
            )
    verdict = ask(check, check.expected, seed)
    assert (verdict.status, verdict.credit, verdict.warnings) == (Status.PASSED, 1.0, ())


def test_an_interval_as_one_array_counts_as_its_two_ends():
    check = next(check for check in measure.CHECKS if check.name == "bootstrap_interval")
    verdict = ask(check, interval)
    assert (verdict.status, verdict.credit, verdict.warnings) == (Status.PASSED, 1.0, ())


# --- tests that students write
# -------------------------------------------------------------------------------------------

TESTS = {
    name: next(c for c in checks if c.name == "is_right")
    for name, checks in (("shown", measure.CHECKS), ("graded", SET.graded.CHECKS))
}


@pytest.mark.parametrize("which", TESTS)
def test_the_reference_finds_every_wrong_version_and_no_right_one(which):
    for seed in range(3):
        verdict = ask(TESTS[which], measure.plain.is_right, seed)
        assert (verdict.status, verdict.credit) == (Status.PASSED, 1.0), verdict.message


def test_a_failing_assert_says_that_a_version_is_wrong():
    def with_asserts(distance):
        assert measure.plain.is_right(distance)
        return np.bool_(True)

    assert ask(TESTS["graded"], with_asserts).credit == 1


CHEAP = {
    "always yes": (lambda d: True, "without a single question"),
    "asks, and says yes": (lambda d: bool(d(["a"], ["a"]) < 99), "every version right"),
    "asks, and says no": (lambda d: d(["a"], ["a"]) == 99, "every version wrong"),
    "one right version is called wrong": (
        lambda d: isinstance(d(["a"], ["b"]), float),
        "versions wrong",
    ),
    "no answer": (lambda d: None, "must return True or False"),
    "a word for an answer": (lambda d: "yes", "must return True or False"),
    "a number for a list": (lambda d: d(3, 4) == 1, "that it does not take"),
    "without an end": (
        lambda d: all(d(["a"], ["b"]) == 1 for _ in range(1000)),
        "more than 300 times",
    ),
}


@pytest.mark.parametrize("how", CHEAP)
def test_what_tests_nothing_earns_nothing_and_is_told_why(how):
    function, says = CHEAP[how]
    verdict = ask(TESTS["graded"], function)
    assert verdict.credit == 0 and says in verdict.message, verdict.message


@pytest.mark.parametrize("yes", [0.5, 0.6, 0.8, 0.9])
def test_a_coin_earns_next_to_nothing_whatever_its_bias(yes):
    credits = []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        coin = lambda d, r=rng: bool(d(["a"], []) >= 0 and r.random() < yes)  # noqa: E731
        credits.append(ask(TESTS["graded"], coin, seed).credit)
    # asked once, the mean would be up to 0.08; asked three times, it is 0.01 at most
    assert np.mean(credits) < 0.03


def test_what_slips_through_is_named_and_counted():
    verdict = ask(TESTS["graded"], lambda d: d("a b c".split(), "a b d".split()) == 1)
    assert verdict.status is Status.WRONG and verdict.credit == pytest.approx(6 / 12)
    assert (
        "wrong versions pass, for example this one: The words are compared place by place"
        in verdict.message
    )


def test_characters_and_numbers_are_words_too():
    def by_characters(distance):
        known = measure.plain.is_right(lambda a, b: distance("".join(a), b))
        return known and distance([1, 2], [1, 3]) == 1

    assert ask(TESTS["graded"], by_characters).credit == 1


@pytest.mark.parametrize("at_first", [True, False])
def test_tests_that_believe_the_majority_earn_nothing_once_they_forget(at_first):
    check = next(check for check in SET.graded.CHECKS if check.name == "is_right")
    few = replace(
        check,
        examine=examine_tests(
            measure.RIGHT_DISTANCES * 4,
            measure.wrong_distances("no_insertions", "place_by_place"),
            measure.two_lists_of_words,
            false_alarms=0.1,
        ),
    )
    seen = []

    def like_most(distance):
        words = ["", "a", "ab", "ba", "abc", "abcd"]
        said = [distance(p, q) for p in words for q in words]
        seen.append(said)
        if len(seen) < 2:
            return at_first
        return all(a == np.median(b) for a, b in zip(said, zip(*seen, strict=True), strict=True))

    earned = []
    for seed in range(20):
        seen.clear()
        in_a_notebook = examine(few, like_most, np.random.default_rng(seed))
        seen.clear()
        judged = examine(few, Renewable(like_most, seen.clear), np.random.default_rng(seed))
        assert judged.credit == 0
        assert in_a_notebook.credit == 0 or "judged by itself" in judged.message
        earned.append(in_a_notebook.credit)
    assert max(earned) > 0  # or nothing was tried


def test_tests_that_draw_their_questions_keep_what_they_earn():
    check = next(check for check in SET.graded.CHECKS if check.name == "is_right")

    def drawn(distance):
        rng = np.random.default_rng()
        pairs = [["".join(rng.choice([*"abc"], size=n)) for n in rng.integers(6, size=2)]]
        pairs += [("abcd", "bcd"), ("bcd", "abcd"), ("abab", "baba"), ("aaa", "bbbbb"), ("", "ab")]
        return all(distance(p, q) == measure.plain.edit_distance(p, q) for p, q in pairs)

    renewed = []
    judged = examine(check, Renewable(drawn, lambda: renewed.append(1)), np.random.default_rng(0))
    assert judged.credit > 0.5 and "itself" not in judged.message and 4 <= len(renewed) <= 8

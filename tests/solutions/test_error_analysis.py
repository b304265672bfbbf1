"""The problem set error-analysis: its reference beside other ways to compute it, and what tests for
models earn. The rest is in test_plain_sets.py.
"""

import re

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm
from statsmodels.stats.proportion import proportion_confint

from lstm_ref.practice import error_analysis, review_models
from tests.support.problem_sets import SetOf, ask
from verdict import Status
from verdict.compare import copy_tree, read, relative_error

SET = SetOf("error-analysis", error_analysis)
plain = error_analysis.plain
NUMBERS = [check for check in SET.graded.CHECKS if check.cases]


def grouped(errors, attributes):
    table = pd.DataFrame({**attributes, "_wrong": errors})
    found = [
        ((name, value), len(group), group["_wrong"].mean())
        for name in attributes
        for value, group in table.groupby(name)
    ]
    return tuple(map(list, zip(*found, strict=True)))


def interval(wrong, n, alpha):
    return proportion_confint(wrong, n, alpha, "wilson")


def by_intervals(wrong, support, rate, alpha):
    low, high = proportion_confint(wrong, support, alpha / len(wrong), "wilson")
    return np.flatnonzero(low > rate), np.flatnonzero(high < rate)


def by_p_values(errors, members, search, alpha):
    def worse(half, chosen):
        rate = errors[half].mean()
        shares = np.array([errors[members[s] & half].mean() for s in chosen])
        sizes = np.array([(members[s] & half).sum() for s in chosen])
        p = 2 * norm.sf((shares - rate) / np.sqrt(rate * (1 - rate) / sizes))
        return [s for s, value in zip(chosen, p, strict=True) if value * len(chosen) < alpha]

    found = worse(search, range(len(members)))
    return found, worse(~search, found) if found else []


INDEPENDENT = {
    "slice_table": grouped,
    "wilson_interval": interval,
    "slices_that_differ": by_intervals,
    "search_and_confirm": by_p_values,
}


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("check", NUMBERS, ids=lambda check: check.name)
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


@pytest.mark.parametrize("check", NUMBERS, ids=lambda check: check.name)
def test_whatever_the_seed_each_mistake_is_told_from_the_others(check):
    """Which slices lie where is drawn: no draw may make two mistakes alike."""
    for seed in range(20, 28):
        cases = check.cases(np.random.default_rng(seed))
        answers = {}
        for mistake in check.misconceptions:
            with np.errstate(all="ignore"):
                found = [mistake.function(*copy_tree(case.args)) for case in cases]
            read_as = [read(check, one, mistake.id) for one in found]
            key = repr([{name: value.tolist() for name, value in one.items()} for one in read_as])
            assert answers.setdefault(key, mistake.id) == mistake.id, seed


def test_no_slice_is_so_near_the_limit_that_rounding_decides():
    for check in NUMBERS[2:3]:
        for seed in range(5):
            for case in check.cases(np.random.default_rng(seed)):
                wrong, support, rate, alpha = case.args
                z = plain.quantile(1 - alpha / len(wrong) / 2)
                distance = (wrong / support - rate) / np.sqrt(rate * (1 - rate) / support)
                assert np.min(np.abs(np.abs(distance) - z)) > 0.005 * z


# --- models
# --------------------------------------------------------------------------------------------------

TESTS = {check.name: check for check in SET.graded.CHECKS if check.examine}
SHOWN = {check.name: check for check in error_analysis.CHECKS if check.examine}
FAULTS = {
    **review_models.AGAINST_INVARIANCE,
    **review_models.AGAINST_DIRECTION,
}


def some_reviews(n=2000, seed=0):
    rng = np.random.default_rng(seed)

    def clause():
        words = (plain.NOUNS, plain.VERBS, plain.MILD + plain.TURNS, plain.GOOD + plain.BAD)
        return plain.clause(*(str(rng.choice(kind)) for kind in words))

    shapes = rng.choice(list(plain.SHAPES), size=n)
    return [plain.review(str(shape), clause(), clause()) for shape in shapes]


REVIEWS = some_reviews()
TRUTH = np.array([review_models.truth(review_models.parse(text)) for text in REVIEWS])


def test_the_notebook_gives_the_words_that_the_models_read():
    given = next(
        cell
        for cell in SET.handed_in(SET.students.RIGHT[0]).cells
        if cell.source.startswith("NOUNS")
    )
    namespace = {}
    exec(given.source, namespace)
    for name in ("NOUNS", "VERBS", "MILD", "TURNS", "GOOD", "BAD", "SHAPES"):
        assert namespace[name] == getattr(plain, name)
    clauses = [namespace["clause"]("plot", "was", how, "dull") for how in ("", "not at all")]
    for shape in plain.SHAPES:
        text = namespace["review"](shape, *clauses)
        assert text == plain.review(shape, *clauses)
        assert review_models.parse(text).decides.modifier == ""


def test_there_are_six_right_models_and_they_err_no_more_than_the_text_says():
    models = review_models.right_models(np.random.default_rng(1))
    assert len(review_models.RIGHT_RATES) == 6 and len(models) == 30
    wrong = np.array([model(REVIEWS) != TRUTH for model in models])
    assert max(review_models.RIGHT_RATES) == 1 / 20 and wrong.mean(axis=1).max() < 0.075
    assert (models[-1](REVIEWS) == models[-1](REVIEWS)).all()
    for word in (*plain.NOUNS, *plain.TURNS):
        inside = np.array([word in text for text in REVIEWS])
        assert wrong[-5:, inside].mean() < 0.09, word


@pytest.mark.parametrize("label", FAULTS)
def test_a_fault_spoils_half_or_more_of_what_it_touches_and_nothing_else(label):
    for seed in range(3):
        reading = FAULTS[label](np.random.default_rng(seed))
        reviews = [review_models.parse(text) for text in REVIEWS]
        wrong = np.array([reading(review) for review in reviews]) != TRUTH
        turns = [r.decides.modifier in plain.TURNS for r in reviews]
        pairs = [
            (f"{t} {r.shape == 'single'}", f"{t} {r.decides.adjective in plain.GOOD}")
            for t, r in zip(turns, reviews, strict=True)
        ]
        features = np.array(
            [[*r.decides, r.shape, *pair, "all"] for r, pair in zip(reviews, pairs, strict=True)]
        )
        rates = [
            wrong[column == value].mean() for column in features.T for value in np.unique(column)
        ]
        assert 0.45 < max(rates) and 0.01 < wrong.mean() < 0.6


def test_twelve_models_are_faulty_and_half_of_the_faults_are_hidden():
    assert len(FAULTS) == 12
    for planted in (review_models.AGAINST_INVARIANCE, review_models.AGAINST_DIRECTION):
        assert len(review_models.faulty_models(planted, np.random.default_rng(0))) == 6
        assert len(review_models.faulty_models(planted, np.random.default_rng(0), 3)) == 3


@pytest.mark.parametrize("name", TESTS)
def test_the_reference_finds_every_faulty_model_and_fails_no_right_one(name):
    for seed in range(4):
        for check in (TESTS[name], SHOWN[name]):
            verdict = ask(check, getattr(plain, name), seed)
            assert (verdict.status, verdict.credit) == (Status.PASSED, 1.0), verdict.message
            assert "accepts 30 right models" in verdict.message


def with_alarms(how_many):
    """The reference, but that so many right models are called faulty."""
    left = [how_many]

    def invariant(model):
        found = plain.invariant(model)
        if found and left[0]:
            left[0] -= 1
            return False
        return found

    return invariant


def test_a_false_alarm_in_ten_is_allowed_and_one_more_costs_everything():
    allowed = int(30 * review_models.FALSE_ALARMS)
    assert ask(TESTS["invariant"], with_alarms(allowed)).credit == 1
    verdict = ask(TESTS["invariant"], with_alarms(allowed + 1))
    assert (verdict.credit, verdict.misconception) == (0, "fails_right_models")
    assert "4 of 30 times" in verdict.message


ONE = plain.clause("plot", "was", "", "good")
CHEAP = {
    "always yes": (lambda model: True, "without a single question"),
    "a word that is not known": (
        lambda model: model(["the book was good"])[0] == 1,
        "no list of up to 2000 reviews",
    ),
    "no list": (lambda model: model(ONE) == 1, "no list of up to 2000 reviews"),
    "too many at once": (
        lambda model: len(model([ONE] * 2001)) > 0,
        "no list of up to 2000 reviews",
    ),
    "without an end": (
        lambda model: all(len(model([ONE])) == 1 for _ in range(1000)),
        "more than 300 times",
    ),
    "an array for an answer": (lambda model: model([ONE, ONE]), "must return True or False"),
}


@pytest.mark.parametrize("how", CHEAP)
def test_what_tests_nothing_earns_nothing_and_is_told_why(how):
    function, says = CHEAP[how]
    verdict = ask(TESTS["directed"], function)
    assert verdict.credit == 0 and says in verdict.message, verdict.message


@pytest.mark.parametrize("yes", [0.8, 0.92, 0.95])
def test_a_coin_earns_nothing_whatever_its_bias(yes):
    credits = []
    for seed in range(30):
        rng = np.random.default_rng(seed)
        coin = lambda model, r=rng: bool(len(model([ONE])) and r.random() < yes)  # noqa: E731
        credits.append(ask(TESTS["directed"], coin, seed).credit)
    assert max(credits) <= 1 / 3 and np.mean(credits) < 0.03


def test_what_finds_a_faulty_model_now_and_then_is_asked_again_and_what_finds_all_is_not():
    asked = []

    def honest(model):
        asked.append(model)
        return plain.directed(model)

    assert ask(TESTS["directed"], honest).credit == 1
    once = len(asked)
    asked.clear()
    negations = lambda model: honest(model) or model(REVIEWS).mean() > 0.9  # noqa: E731
    partial = ask(TESTS["directed"], lambda model: bool(negations(model)))
    assert 0 < partial.credit < 1 and len(asked) > once


def test_what_is_no_review_is_told_from_one():
    assert all(review_models.parse(text) for text in REVIEWS)
    for text in ("", "the plot was", f"{ONE} ", f"{ONE} , but {ONE} , but {ONE}", ONE.upper()):
        assert review_models.parse(text) is None
    assert not review_models.is_list_of_reviews()
    assert review_models.is_list_of_reviews([]) and not review_models.is_list_of_reviews([3])


def test_an_announced_fault_is_told_by_one_example():
    verdict = ask(TESTS["directed"], lambda model: bool(model(REVIEWS).mean() < 0.8))
    assert verdict.credit == pytest.approx(1 / 6)
    assert re.search(r"lets 5 of 6 wrong models pass, for example this one: It ", verdict.message)

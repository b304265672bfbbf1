"""The checks of the problem set: every known mistake is named as itself, and nothing else is."""

import importlib.util
import re
from pathlib import Path

import numpy as np
import pytest

import lstm_ref
from autograder.problem_set import load
from lstm_ref import practice, zoo
from lstm_ref.practice import gradient_checkers, lstm_bptt
from lstm_ref.practice.gradient_checkers import check_gradients_plainly, right_pairs, wrong_pairs
from lstm_ref.zoo import plain
from verdict import Status, StudentError, examine
from verdict.compare import SINGLE_PRECISION, copy_tree, flatten, relative_error

ROOT = Path(__file__).parent.parent
spec = importlib.util.spec_from_file_location("_checks", ROOT / "solutions" / "lstm-bptt" / "checks.py")
graded = importlib.util.module_from_spec(spec)
spec.loader.exec_module(graded)

SETS = {"public": lstm_bptt.CHECKS, "graded": graded.CHECKS}
BOTH = [pytest.param(check, id=f"{which}-{check.name}") for which, checks in SETS.items() for check in checks]
COMPARED = [param for param in BOTH if param.values[0].examine is None]
SEEDS = range(3)


def ask(check, function, seed=0):
    return examine(check, function, np.random.default_rng(seed))


def to_float32(value):
    if isinstance(value, np.ndarray):
        return value.astype(np.float32)
    return type(value)(to_float32(item) for item in value) if isinstance(value, tuple | list) else value


def quietly(function):
    def call(*arguments):
        with np.errstate(all="ignore"):
            return function(*arguments)

    return call


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("check", COMPARED)
def test_the_reference_passes_without_a_warning(check, seed):
    verdict = ask(check, check.expected, seed)
    assert (verdict.status, verdict.credit, verdict.warnings) == (Status.PASSED, 1.0, ())


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("check", COMPARED)
def test_right_work_in_single_precision_passes(check, seed):
    """Also where float32 costs more than the tolerance: then there is a warning, and no point is lost."""
    functions = {**{name: getattr(zoo.plain, name) for name in zoo.FUNCTIONS}, "end_to_end": zoo_end_to_end}
    verdict = ask(check, lambda *arguments: functions[check.function](*to_float32(arguments)), seed)
    assert (verdict.status, verdict.credit, verdict.misconception) == (Status.PASSED, 1.0, None)


def zoo_end_to_end(x, h0, c0, Wx, Wh, b, dh, dcT):
    return zoo.plain.lstm_backward(dh, zoo.plain.lstm_forward(x, h0, c0, Wx, Wh, b)[2], dcT)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("check", BOTH)
def test_every_known_mistake_is_named_as_itself(check, seed):
    named = {m.id: ask(check, quietly(m.function), seed) for m in check.misconceptions}
    assert {id: verdict.misconception for id, verdict in named.items()} == {id: id for id in named}
    for mistake in check.misconceptions:
        verdict = named[mistake.id]
        assert verdict.status is mistake.status and verdict.credit < 1
        assert verdict.hints == mistake.hints and mistake.title in verdict.message


@pytest.mark.parametrize("check", COMPARED)
def test_known_mistakes_are_named_in_single_precision_too(check):
    missed = []
    for mistake in check.misconceptions:
        verdict = ask(check, quietly(lambda *a, m=mistake: m.function(*to_float32(a))))
        assert verdict.status is not Status.PASSED
        if verdict.misconception != mistake.id:
            missed.append(mistake.id)
    # A gate that is not squashed grows over 25 steps beyond what float32 can follow.
    assert set(missed) <= {"no_activations_on_gates"}


@pytest.mark.parametrize("check", COMPARED)
def test_no_known_mistake_is_near_single_precision(check):
    """In every case taken together, each is off by at least 100 times the error that float32 is forgiven."""
    for seed in range(5):
        cases = check.cases(np.random.default_rng(seed))
        right = [flatten(check.outputs, check.expected(*copy_tree(case.args)), "reference") for case in cases]
        for mistake in check.misconceptions:
            worst = 0.0
            for case, expected in zip(cases, right, strict=True):
                got = flatten(check.outputs, quietly(mistake.function)(*copy_tree(case.args)), mistake.id)
                for name in expected:
                    same = got[name].shape == expected[name].shape
                    error = relative_error(got[name], expected[name]) if same else np.inf
                    worst = max(worst, np.inf if np.isnan(error) else error)
            assert worst > 100 * SINGLE_PRECISION, (mistake.id, seed)


PERTURBATIONS = {
    "sign": lambda array, rng: -array,
    "scale": lambda array, rng: 1.1 * array,
    "shift": lambda array, rng: array + 0.1,
    "noise": lambda array, rng: array + 0.01 * rng.normal(size=array.shape),
    "zeros": lambda array, rng: 0 * array,
    "garbage": lambda array, rng: rng.normal(size=array.shape),
    "nan": lambda array, rng: array * np.nan,
    "rolled": lambda array, rng: np.roll(array, 1),
}


def perturbed(check, change, rng, only):
    """The reference with one output changed, or with all of them."""

    def walk(pattern, value):
        if isinstance(pattern, tuple):
            return tuple(walk(p, v) for p, v in zip(pattern, value, strict=True))
        return change(value, rng) if pattern is not None and only in (None, pattern) else value

    return lambda *arguments: walk(check.outputs, check.expected(*arguments))


@pytest.mark.parametrize("kind", PERTURBATIONS)
@pytest.mark.parametrize("check", COMPARED)
def test_what_nobody_knows_is_not_named(check, kind):
    for seed in SEEDS:
        for only in (None, *flatten(check.outputs, zoo_values(check), "reference")):
            rng = np.random.default_rng(seed)
            verdict = ask(check, perturbed(check, PERTURBATIONS[kind], rng, only), seed)
            assert (verdict.status, verdict.misconception) == (Status.WRONG, None), (only, verdict.message)
            assert verdict.hints == check.hints


def zoo_values(check):
    return check.expected(*check.cases(np.random.default_rng(0))[0].args)


@pytest.mark.parametrize("check", COMPARED)
def test_messages_hold_no_number_of_the_answer(check):
    for mistake in check.misconceptions:
        message = ask(check, quietly(mistake.function)).message
        assert not re.search(r"\d\.\d", message), message


def test_the_problem_set_loads_and_its_mistakes_are_distinct():
    assert load("lstm-bptt", ROOT).packages == ("numpy",)  # validate compares every pair of known mistakes


def test_results_that_can_be_unpacked_count_in_the_notebook_as_they_do_before_the_judge():
    check = next(check for check in lstm_bptt.CHECKS if check.name == "lstm_step")

    def lstm_step(*arguments):
        yield from plain.lstm_step(*arguments)

    assert practice.examine_in({"lstm_step": lstm_step}, check, 0).status is Status.PASSED


def test_enough_mistakes_are_known():
    known = {check.name: {m.id for m in check.misconceptions} for check in lstm_bptt.CHECKS}
    assert len(known["lstm_step"]) >= 12 and len(known["lstm_forward"]) >= 12
    assert len(known["lstm_step_backward"]) >= 16 and len(known["lstm_backward"]) >= 16
    assert len(known["gradient_check"]) >= 6
    table = {
        "no_dh_carry", "no_dc_carry", "dc_twice", "dh_not_in_dc", "tanh_prime_of_c", "no_tanh_prime", "do_uses_c",
        "df_uses_new_cell", "sigmoid_prime_of_a", "tanh_prime_unsquared", "back_order_figo", "weights_overwritten",
        "dWh_uses_new_h", "db_mean", "dh_prev_without_g", "dc_prev_without_f",
    }  # fmt: skip
    assert table <= known["lstm_backward"] and table <= set(graded.WRONG_GRADIENTS)


@pytest.mark.parametrize("check", COMPARED)
def test_first_case_hides_nothing(check):
    """T >= 2, N >= 2, no two sizes alike, and states, weights and bias that are not zero."""
    case = check.cases(np.random.default_rng(0))[0]
    arrays = []

    def collect(value):
        if isinstance(value, tuple | list):
            for item in value:
                collect(item)
        elif isinstance(value, np.ndarray):
            arrays.append(value)

    collect(case.args)
    assert all(np.abs(array).min() > 0 for array in arrays)
    sizes = {n for array in arrays for n in array.shape}
    steps = {} if "step" in check.name else {5}
    assert sizes >= {3, 4, 2, 8, *steps}


@pytest.mark.parametrize("check", COMPARED)
def test_inputs_follow_the_seed_and_only_the_seed(check):
    def first(seed):
        return np.ravel(check.cases(np.random.default_rng(seed))[0].args[0])

    np.testing.assert_array_equal(first(1), first(1))
    assert not np.array_equal(first(1), first(2))


def test_what_is_graded_holds_more_cases_than_what_is_shown():
    for shown, hidden in zip(*SETS.values(), strict=True):
        assert shown.name == hidden.name and shown.points == hidden.points
        if shown.cases:
            labels = [case.label for case in hidden.cases(np.random.default_rng(0))]
            assert len(labels) > len(shown.cases(np.random.default_rng(0)))
            assert len(set(labels)) == len(labels)


@pytest.mark.parametrize("sizes", [(3, 5, 4, 2), (1, 1, 1, 1), (2, 1, 3, 4)])
def test_references_take_the_caches_that_students_have(sizes):
    rng = np.random.default_rng(3)
    x, h0, c0, Wx, Wh, b = lstm_bptt.draw(rng, sizes)
    h, (_, cT), cache = lstm_ref.lstm_forward(x, h0, c0, Wx, Wh, b)
    dh, dcT = rng.normal(size=h.shape), rng.normal(size=cT.shape)
    for d in (dcT, None):
        ours = lstm_bptt.expected_backward(dh, zoo.step_caches(cache), d)
        for mine, theirs in zip(ours, lstm_ref.lstm_backward(dh, cache, d), strict=True):
            np.testing.assert_allclose(mine, theirs, rtol=0, atol=1e-12)


# --- checkers of gradients -----------------------------------------------------------------------------------------------

CHECKERS = [pytest.param(checks[-1], id=which) for which, checks in SETS.items()]


def elementwise(a, n):
    """The relative error of Stanford's course: the largest over all entries."""
    both = np.maximum(np.abs(a), np.abs(n))
    return np.max(np.abs(a - n) / np.where(both > 0, both, 1))


def projected(loss, grad, params, eps=1e-5):
    """Another method: one random direction for each parameter."""
    rng, analytic, errors = np.random.default_rng(0), grad(params), {}
    for name, array in params.items():
        v = rng.normal(size=array.shape)
        n = (loss({**params, name: array + eps * v}) - loss({**params, name: array - eps * v})) / (2 * eps)
        a = float((analytic[name] * v).sum())
        errors[name] = abs(a - n) / (abs(a) + abs(n)) if a or n else 0.0
    return errors


RIGHT_CHECKERS = {
    "norms": check_gradients_plainly,
    "largest": gradient_checkers._with(
        numerator=lambda a, n: np.abs(a - n).max(), denominator=lambda a, n: max(np.abs(a).max(), np.abs(n).max())
    ),
    "elementwise": gradient_checkers._with(numerator=elementwise, denominator=lambda a, n: 1.0),
    "projected": projected,
    "arrays": lambda *a: {name: np.array([error]) for name, error in check_gradients_plainly(*a).items()},
    "more names": lambda *a: {**check_gradients_plainly(*a), "worst": 0.0},
}


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("checker", RIGHT_CHECKERS)
@pytest.mark.parametrize("check", CHECKERS)
def test_right_checkers_of_any_kind_pass(check, checker, seed):
    verdict = ask(check, RIGHT_CHECKERS[checker], seed)
    assert (verdict.status, verdict.credit) == (Status.PASSED, 1.0), verdict.message


@pytest.mark.parametrize("seed", SEEDS)
def test_pairs_are_far_from_the_thresholds(seed):
    for pair in right_pairs(np.random.default_rng(seed)):
        errors = check_gradients_plainly(pair.loss, pair.grad, pair.params)
        assert max(errors.values()) < gradient_checkers.RIGHT_BELOW / 50, pair.label
    for pair in wrong_pairs(np.random.default_rng(seed), graded.WRONG_GRADIENTS):
        errors = check_gradients_plainly(pair.loss, pair.grad, pair.params)
        assert max(errors.values()) > 20 * gradient_checkers.WRONG_ABOVE, pair.label


def test_enough_gradients_are_tried():
    assert len(right_pairs(np.random.default_rng(0))) >= 3
    assert len(graded.WRONG_GRADIENTS) >= 16


@pytest.mark.parametrize("value", [0.0, 1.0, 0.5, 1 / 3])
@pytest.mark.parametrize("check", CHECKERS)
def test_a_checker_that_always_says_the_same_gets_nothing(check, value):
    assert ask(check, lambda loss, grad, params, eps=1e-5: dict.fromkeys(params, value)).credit == 0


def test_a_checker_that_is_wrong_in_an_unknown_way_is_not_named():
    check = graded.CHECKS[-1]
    for wrong in (
        lambda *a: {name: 1.0 for name in check_gradients_plainly(*a)},
        lambda *a: {name: np.random.default_rng(0).uniform() for name in check_gradients_plainly(*a)},
        gradient_checkers._with(divisor=-2.0),
        gradient_checkers._with(divisor=7.0),
    ):
        verdict = ask(check, wrong)
        assert (verdict.status, verdict.misconception) == (Status.WRONG, None), verdict.message
        assert verdict.hints


@pytest.mark.parametrize(
    ("checker", "text"),
    [
        (lambda loss, grad, params, eps=0: None, "returned None; it must return a dict"),
        (lambda loss, grad, params, eps=0: dict.fromkeys(params, "no"), "must return one number for h0"),
        (lambda loss, grad, params, eps=0: dict.fromkeys(params, np.ones(3)), "must return one number for h0"),
        (lambda loss, grad, params, eps=0: dict.fromkeys(params, None), "must return one number for h0"),
        (
            lambda loss, grad, params, eps=0: dict.fromkeys(params, loss(3)),
            "loss was called with int; it takes a dict with h0, c0, Wx, Wh, b.",
        ),
        (
            lambda loss, grad, params, eps=0: dict.fromkeys(params, loss({"Wx": 1})),
            "loss was called with the names Wx; it takes a dict with h0, c0, Wx, Wh, b.",
        ),
        (
            lambda loss, grad, params, eps=0: dict.fromkeys(params, loss({**params, "b": "x"})),
            "loss was called with something that is no array for b.",
        ),
        (
            lambda loss, grad, params, eps=0: {n: np.sum(grad({m: a[None] for m, a in params.items()})[n]) for n in params},
            "grad was called with h0 of shape (1, 2, 1); it has (2, 1).",
        ),
    ],
)  # fmt: skip
def test_a_checker_that_is_called_or_answers_wrongly_is_told(checker, text):
    verdict = ask(lstm_bptt.CHECKS[-1], checker)
    assert verdict.status in (Status.ERROR, Status.WRONG) and verdict.credit == 0
    assert text in verdict.message


def test_a_checker_that_raises_is_told_as_any_other():
    def raises(*arguments):
        raise StudentError(Status.ERROR, "It stopped.")

    assert ask(lstm_bptt.CHECKS[-1], raises).message == "It stopped."


def _by_norms(a, n):
    return np.linalg.norm(a - n) / max(np.linalg.norm(a) + np.linalg.norm(n), 1e-300)


def _by_largest(a, n):
    return np.abs(a - n).max() / max(np.abs(a).max(), np.abs(n).max(), 1e-300)


def _by_entry(a, n):
    return (np.abs(a - n) / np.maximum(np.abs(a) + np.abs(n), 1e-300)).max()


@pytest.mark.parametrize("measure", [_by_norms, _by_largest, _by_entry])
def test_no_right_checker_fails_by_the_luck_of_the_draw(measure):
    """Over many seeds, with each common way to measure a relative error, and with a margin of three on both sides.

    ``tanh_prime_of_c`` is the mistake that comes nearest to a right gradient: before draws were looked over, one in a hundred was
    not to be told from it.
    """

    def worst(pair):
        return max(
            check_gradients_plainly(
                pair.loss, pair.grad, pair.params, numerator=measure, denominator=lambda a, n: 1.0
            ).values()
        )

    for seed in range(120):
        rng = np.random.default_rng(seed)
        assert max(map(worst, right_pairs(rng))) < gradient_checkers.RIGHT_BELOW / 3, seed
        nearest = wrong_pairs(rng, ["tanh_prime_of_c"])[0]
        assert worst(nearest) > 3 * gradient_checkers.WRONG_ABOVE, seed


def test_a_one_sided_difference_is_too_inexact_for_every_right_gradient():
    """In some draws it was exact enough for one of them, and the same mistake cost one student more than another."""
    one_sided = gradient_checkers._with(backward_step=False, divisor=1.0)
    for seed in range(100):
        for pair in right_pairs(np.random.default_rng(seed)):
            errors = one_sided(pair.loss, pair.grad, pair.params)
            assert max(errors.values()) > 1.5 * gradient_checkers.RIGHT_BELOW, (seed, pair.label)


def test_every_number_of_a_right_gradient_is_above_rounding():
    """Centred differences know a number to about 1e-10: one of 1e-5 in the gradient would show an error of 1e-5."""
    for seed in range(400):
        first = right_pairs(np.random.default_rng(seed))[0]
        assert min(np.abs(array).min() for array in first.true_grad(first.params).values()) > 1e-4, seed

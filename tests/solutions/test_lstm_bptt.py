"""The checks of the problem set: every known mistake is named as itself, and nothing else is."""

import re
from functools import cache
from pathlib import Path

import numpy as np
import pytest

import lstm_ref
from autograder.judge.problem_set import load
from autograder.modules import load_module
from lstm_ref import practice, zoo
from lstm_ref.practice import gradient_checkers, lstm_bptt
from lstm_ref.practice.gradient_checkers import check_gradients_plainly, draw_twins
from lstm_ref.zoo import plain
from verdict import Status, StudentError, examine
from verdict.compare import SINGLE_PRECISION, copy_tree, flatten, relative_error

ROOT = Path(__file__).parents[2]
graded = load_module("_checks", ROOT / "solutions" / "lstm-bptt" / "checks.py")

SETS = {"public": lstm_bptt.CHECKS, "graded": graded.CHECKS}
BOTH = [
    pytest.param(check, id=f"{which}-{check.name}")
    for which, checks in SETS.items()
    for check in checks
]
COMPARED = [param for param in BOTH if param.values[0].examine is None]
# What is graded holds the cases of what is shown, and more: a test of many answers asks these.
GRADED = [param for param in COMPARED if param.id.startswith("graded")]
SEEDS = range(3)


def ask(check, function, seed=0):
    return examine(check, function, np.random.default_rng(seed))


def to_float32(value):
    if isinstance(value, np.ndarray):
        return value.astype(np.float32)
    return (
        type(value)(to_float32(item) for item in value)
        if isinstance(value, tuple | list)
        else value
    )


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
    """Also where float32 costs more than the tolerance: then there is a warning, and no point is
    lost.
    """
    functions = {
        **{name: getattr(zoo.plain, name) for name in zoo.FUNCTIONS},
        "end_to_end": zoo_end_to_end,
    }
    verdict = ask(check, lambda *arguments: functions[check.function](*to_float32(arguments)), seed)
    assert (verdict.status, verdict.credit, verdict.misconception) == (Status.PASSED, 1.0, None)


def zoo_end_to_end(x, h0, c0, Wx, Wh, b, dh, dcT):
    return zoo.plain.lstm_backward(dh, zoo.plain.lstm_forward(x, h0, c0, Wx, Wh, b)[2], dcT)


VERDICTS = {}


def verdicts_of(check):
    """Verdict on each known mistake; more than one test looks at them."""
    if id(check) not in VERDICTS:
        VERDICTS[id(check)] = {m.id: ask(check, quietly(m.function)) for m in check.misconceptions}
    return VERDICTS[id(check)]


@pytest.mark.parametrize("check", BOTH)
def test_every_known_mistake_is_named_as_itself(check):
    """With one seed: `make bench-naming` asks with many."""
    named = verdicts_of(check)
    assert {id: verdict.misconception for id, verdict in named.items()} == {id: id for id in named}
    for mistake in check.misconceptions:
        verdict = named[mistake.id]
        assert verdict.status is mistake.status and verdict.credit < 1
        assert verdict.hints == mistake.hints and mistake.title in verdict.message


@pytest.mark.parametrize("check", GRADED)
def test_known_mistakes_are_named_in_single_precision_too(check):
    missed = []
    for mistake in check.misconceptions:
        verdict = ask(check, quietly(lambda *a, m=mistake: m.function(*to_float32(a))))
        assert verdict.status is not Status.PASSED
        if verdict.misconception != mistake.id:
            missed.append(mistake.id)
    # A gate that is not squashed grows over 25 steps beyond what float32 can follow.
    assert set(missed) <= {"no_activations_on_gates"}


@pytest.mark.parametrize("check", GRADED)
def test_no_known_mistake_is_near_single_precision(check):
    """In every case taken together, each is off by at least 100 times the error that float32 is
    forgiven.
    """
    for seed in SEEDS:
        cases = check.cases(np.random.default_rng(seed))
        right = [
            flatten(check.outputs, check.expected(*copy_tree(case.args)), "reference")
            for case in cases
        ]
        for mistake in check.misconceptions:
            worst = 0.0
            for case, expected in zip(cases, right, strict=True):
                got = flatten(
                    check.outputs, quietly(mistake.function)(*copy_tree(case.args)), mistake.id
                )
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
@pytest.mark.parametrize("check", GRADED)
def test_what_nobody_knows_is_not_named(check, kind):
    for seed, only in enumerate((None, *flatten(check.outputs, zoo_values(check), "reference"))):
        rng = np.random.default_rng(seed)
        verdict = ask(check, perturbed(check, PERTURBATIONS[kind], rng, only), seed)
        assert (verdict.status, verdict.misconception) == (Status.WRONG, None), (
            only,
            verdict.message,
        )
        assert verdict.hints == check.hints


def zoo_values(check):
    return check.expected(*check.cases(np.random.default_rng(0))[0].args)


@pytest.mark.parametrize("check", COMPARED)
def test_messages_hold_no_number_of_the_answer(check):
    for verdict in verdicts_of(check).values():
        assert not re.search(r"\d\.\d", verdict.message), verdict.message


def test_the_problem_set_loads_and_its_mistakes_are_distinct():
    # validate compares every pair of known mistakes
    assert load("lstm-bptt", ROOT).packages == ("numpy",)


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
    asked = set(graded.WRONG_GRADIENTS)
    assert len(asked) >= 20 and asked <= known["lstm_backward"]


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


# --- checkers of gradients
# -----------------------------------------------------------------------------------------------

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
        n = (loss({**params, name: array + eps * v}) - loss({**params, name: array - eps * v})) / (
            2 * eps
        )
        a = float((analytic[name] * v).sum())
        errors[name] = abs(a - n) / (abs(a) + abs(n)) if a or n else 0.0
    return errors


RIGHT_CHECKERS = {
    "norms": check_gradients_plainly,
    "largest": gradient_checkers._with(
        numerator=lambda a, n: np.abs(a - n).max(),
        denominator=lambda a, n: max(np.abs(a).max(), np.abs(n).max()),
    ),
    "elementwise": gradient_checkers._with(numerator=elementwise, denominator=lambda a, n: 1.0),
    "projected": projected,
    "arrays": lambda *a: {
        name: np.array([error]) for name, error in check_gradients_plainly(*a).items()
    },
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
    for twins in draw_twins(np.random.default_rng(seed), graded.WRONG_GRADIENTS):
        errors = check_gradients_plainly(twins.loss, twins.right, twins.params)
        assert max(errors.values()) < gradient_checkers.RIGHT_BELOW / 50, twins.right_label
        errors = check_gradients_plainly(twins.loss, twins.wrong, twins.params)
        assert max(errors.values()) > 20 * gradient_checkers.WRONG_ABOVE, twins.wrong_label


def test_enough_gradients_are_tried():
    assert len(graded.WRONG_GRADIENTS) >= 16
    assert len(draw_twins(np.random.default_rng(0), graded.WRONG_GRADIENTS)) >= 20


def _counts_its_calls():
    calls = []

    def checker(loss, grad, params, eps=1e-5):
        calls.append(1)
        return {name: float(len(calls) > 4) for name in params}

    return checker


def _reads_the_names(loss, grad, params, eps=1e-5):
    wrong = len(params) == 2 and set(params) < {"h0", "c0", "Wx", "Wh", "b"}
    return {name: float(wrong) for name in params}


def _moved_once(guess):
    """Every entry is moved, in one call, and nothing is made of the answer."""

    def checker(loss, grad, params, eps=1e-5):
        loss({name: array + eps for name, array in params.items()})
        return guess(loss, grad, params, eps)

    return checker


def _reads_the_sizes(loss, grad, params, eps=1e-5):
    return {name: float(np.linalg.norm(array) > 2) for name, array in grad(params).items()}


def _every_other_time():
    told = []

    def checker(loss, grad, params, eps=1e-5):
        told.append(1)
        return {name: float(len(told) % 2) for name in params}

    return checker


def _remembers_the_first(loss, grad, params, eps=1e-5):
    key = tuple(float(array.flat[0]) for array in params.values())
    seen = _remembers_the_first.__dict__.setdefault("seen", set())
    again = key in seen
    seen.add(key)
    return {name: float(again) for name in params}


IDLERS = {
    "counts its calls": _counts_its_calls,
    "reads the names": lambda: _reads_the_names,
    "every other time": _every_other_time,
    "reads the sizes": lambda: _reads_the_sizes,
    "remembers": lambda: _remembers_the_first,
    "says yes": lambda: lambda loss, grad, params, eps=1e-5: dict.fromkeys(params, 0.0),
}


@pytest.mark.parametrize("idler", IDLERS)
@pytest.mark.parametrize("check", CHECKERS)
def test_a_checker_that_never_asks_the_loss_gets_nothing(check, idler):
    for seed in range(5):
        assert ask(check, IDLERS[idler](), seed).credit == 0


@pytest.mark.parametrize("idler", IDLERS)
def test_a_checker_that_looks_at_no_number_of_the_loss_gets_next_to_nothing(idler):
    credits = [
        ask(graded.CHECKS[-1], _moved_once(IDLERS[idler]()), seed).credit for seed in range(10)
    ]
    # A fair coin's index has a standard deviation of 0.14 here, and its positive part a mean of
    # 0.055.
    assert np.mean(credits) < 0.15 and max(credits) < 0.7, credits


@pytest.mark.parametrize("check", CHECKERS)
def test_a_checker_that_moves_only_some_entries_gets_nothing(check):
    def sampled(loss, grad, params, eps=1e-5):
        errors, analytic = {}, grad(params)
        for name, array in params.items():
            chosen = np.random.default_rng(0).permutation(array.size)[:3]
            numerical = np.zeros(len(chosen))
            for at, k in enumerate(chosen):
                up, down = array.copy(), array.copy()
                up.flat[k] += eps
                down.flat[k] -= eps
                ends = loss({**params, name: up}) - loss({**params, name: down})
                numerical[at] = ends / (2 * eps)
            a = analytic[name].ravel()[chosen]
            size = np.linalg.norm(a) + np.linalg.norm(numerical)
            errors[name] = float(np.linalg.norm(a - numerical) / size) if size else 0.0
        return errors

    verdict = ask(check, sampled)
    assert (verdict.credit, verdict.misconception) == (0, "skips_entries")


@pytest.mark.parametrize("seed", SEEDS)
def test_each_loss_comes_with_a_right_and_a_wrong_gradient(seed):
    seen = {True: [], False: []}

    def keeps_record(loss, grad, params, eps=1e-5):
        errors = check_gradients_plainly(loss, grad, params, eps)
        shapes = tuple((name, array.shape, array.tobytes()) for name, array in params.items())
        seen[max(errors.values()) < gradient_checkers.RIGHT_BELOW].append(shapes)
        order.append(max(errors.values()) < gradient_checkers.RIGHT_BELOW)
        return errors

    order = []
    assert ask(graded.CHECKS[-1], keeps_record, seed).credit == 1
    assert sorted(seen[True]) == sorted(seen[False])
    assert order != sorted(order) and order != sorted(order, reverse=True)


@pytest.mark.parametrize("value", [0.0, 1.0, 0.5, 1 / 3])
@pytest.mark.parametrize("check", CHECKERS)
def test_a_checker_that_always_says_the_same_gets_nothing(check, value):
    assert ask(check, lambda loss, grad, params, eps=1e-5: dict.fromkeys(params, value)).credit == 0


def test_a_checker_that_is_wrong_in_an_unknown_way_is_not_named():
    check = graded.CHECKS[-1]
    for wrong in (
        lambda *a: {name: 1.0 for name in check_gradients_plainly(*a)},
        lambda *a: {
            name: np.random.default_rng(0).uniform() for name in check_gradients_plainly(*a)
        },
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
        (
            lambda loss, grad, params, eps=0: dict.fromkeys(params, "no"),
            "must return one number for h0",
        ),
        (
            lambda loss, grad, params, eps=0: dict.fromkeys(params, np.ones(3)),
            "must return one number for h0",
        ),
        (
            lambda loss, grad, params, eps=0: dict.fromkeys(params, None),
            "must return one number for h0",
        ),
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
            lambda loss, grad, params, eps=0: {
                n: np.sum(grad({m: a[None] for m, a in params.items()})[n]) for n in params
            },
            "grad was called with h0 of shape (1, 2, 1); it has (2, 1).",
        ),
    ],
)
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


def test_no_right_checker_fails_by_the_luck_of_the_draw():
    """Over many seeds, with each common way to measure a relative error, and with a margin of three
    on both sides.

    ``tanh_prime_of_c`` is the mistake that comes nearest to a right gradient: before draws were
    looked over, one in a hundred was not to be told from it.
    """

    measures = (_by_norms, _by_largest, _by_entry)

    def worst(pair):
        """The largest error of all parameters, by each measure."""
        errors = []

        def keep(a, n):
            errors.append([measure(a, n) for measure in measures])
            return 0.0

        check_gradients_plainly(
            pair.loss, pair.grad, pair.params, numerator=keep, denominator=lambda a, n: 1.0
        )
        return np.max(errors, axis=0)

    for seed in range(120):
        twins = draw_twins(np.random.default_rng(seed), ["tanh_prime_of_c"])
        rights = np.array([worst(each.pair(right=True)) for each in twins])
        assert (
            rights.shape == (len(twins), 3) and (rights < gradient_checkers.RIGHT_BELOW / 3).all()
        ), seed
        wrongs = np.array([worst(each.pair(right=False)) for each in twins])
        assert (wrongs > 3 * gradient_checkers.WRONG_ABOVE).all(), seed


@cache
def many_draws():
    return [draw_twins(np.random.default_rng(seed), []) for seed in range(100)]


def test_a_one_sided_difference_is_too_inexact_for_the_first_losses():
    """The others have few parameters, and some of them little curvature.

    In some draws it was exact enough for one of them, and the same mistake cost one student more
    than another.
    """
    one_sided = gradient_checkers._with(backward_step=False, divisor=1.0)
    for seed, drawn in enumerate(many_draws()):
        for twins in drawn[:4]:
            errors = one_sided(twins.loss, twins.right, twins.params)
            worst = max(errors.values())
            assert worst > 1.5 * gradient_checkers.RIGHT_BELOW, (seed, twins.right_label)


def test_every_number_of_a_right_gradient_is_above_rounding():
    """Centred differences know a number to about 1e-10: one of 1e-5 in the gradient would show an
    error of 1e-5.
    """
    for seed, (first, *_) in enumerate(many_draws()):
        assert min(np.abs(array).min() for array in first.right(first.params).values()) > 1e-4, seed


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", ["lstm_step_backward", "lstm_backward"])
def test_a_gradient_by_differences_does_not_end_in_time(name, seed):
    """One forward pass for each weight: so many multiplications that no library does them within
    the time limit.
    """
    (check,) = (check for check in graded.CHECKS if check.name == name)
    cases = check.cases(np.random.default_rng(seed))
    (large,) = (case for case in cases if case.needed)
    assert cases[-1] is large  # what is small is asked before
    dh, *_ = large.args
    caches = [large.args[2]] if name == "lstm_step_backward" else large.args[1]
    *_, Wx, Wh = caches[0]
    weights, rows = Wx.size + Wh.size, len(dh) * len(caches)
    assert 2 * weights * (weights * rows) > 3e10 and check.time_limit <= 20
    text = (ROOT / "solutions" / "lstm-bptt" / "lstm-bptt.md").read_text()
    # said in the task
    assert large.label == "a large network" and "Among the inputs is a large network" in text


# Label of a hidden case -> words of the task that announce it: nothing is demanded that only the
# judge knows.
ANNOUNCED = {
    "many units": "many units",
    "one input, D = 1": "a single input",
    "a long sequence": "long sequences",
    "zero state": "states that are zero",
    "large cell state": "states that are zero or large",
    "large pre-activations": "pre-activations so large",
    "a large network": "a large network",
}


def test_every_hidden_case_is_announced_in_the_task():
    text = " ".join((ROOT / "solutions" / "lstm-bptt" / "lstm-bptt.md").read_text().split())
    hidden = {
        case.label for make in graded.HIDDEN.values() for case in make(np.random.default_rng(0))
    }
    assert hidden == set(ANNOUNCED)
    assert [words for words in ANNOUNCED.values() if words not in text] == []

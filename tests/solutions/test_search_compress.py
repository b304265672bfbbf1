"""The problem set search-compress: its reference beside other ways to compute it, what is counted,
and how sure it is of what is drawn. The rest is in test_plain_sets.py.
"""

import contextlib
import io
import re

import numpy as np
import pytest
import torch
from scipy.stats import loguniform
from torch.nn.utils import prune

from autograder.judge.problem_set import false_alarms
from lstm_ref.practice import search_compress
from lstm_ref.practice.by_questions import hear
from tests.support.problem_sets import SetOf, ask, run
from verdict import Status
from verdict.chance import FALSE_ALARMS
from verdict.compare import copy_tree, read, relative_error

SET = SetOf("search-compress", search_compress)
plain = search_compress.plain
GRADED = {check.name: check for check in SET.graded.CHECKS}
HELD = {name: check for name, check in GRADED.items() if check.properties}


def drawn_by_scipy(low, high, n, rng):
    return loguniform(low, high).rvs(n, random_state=rng)


def tried(loss, rates):
    pairs = [(loss(rate), rate) for rate in rates]
    best, rate = min(pair for pair in pairs if not np.isnan(pair[0]))
    return rate, best


def price_by_matrix(n, rungs, eta):
    alive = [max(1, n // eta**j) for j in range(len(rungs))]
    return np.dot(alive, np.diff([0, *rungs]))


def halved(train, n, rungs, eta):
    losses, alive, stops = np.empty(n), np.arange(n), [0, *rungs]
    for j, rung in enumerate(rungs):
        alive = alive[: max(1, n // eta**j)]
        losses[alive] = [train(k, stops[j], rung) for k in alive]
        alive = alive[np.argsort(losses[alive])]
    return alive[0], losses[alive[0]]


def chosen(validation, test, K, seeds):
    table = np.array([[validation(k, seed) for seed in seeds] for k in range(K)])
    best = np.where(np.isnan(table).any(axis=1), np.inf, table.sum(axis=1)).argmin()
    return best, sum(test(best, seed) for seed in seeds) / len(seeds)


def pruned_by_torch(W, k):
    layer = torch.nn.Linear(W.shape[1], W.shape[0]).double()
    layer.weight.data = torch.from_numpy(W)
    prune.l1_unstructured(layer, "weight", k)
    return layer.weight.detach().numpy()


def model_by_torch(params, share):
    layers = {name: torch.nn.Module() for name in params}
    for name, layer in layers.items():
        layer.w = torch.nn.Parameter(torch.from_numpy(params[name]))
    matrices = [layer for layer in layers.values() if layer.w.dim() == 2]
    k = int(share * sum(layer.w.numel() for layer in matrices))
    if k:
        prune.global_unstructured(
            [(layer, "w") for layer in matrices], prune.L1Unstructured, amount=k
        )
    return {name: layer.w.detach().numpy() for name, layer in layers.items()}


def units_by_list(Wx, Wh, b, V, keep):
    H = len(V)
    strength = [sum(w * w for w in [*Wh[j], *V[j]]) for j in range(H)]
    units = [j for j in range(H) if sum(s > strength[j] for s in strength) < keep]
    cut = [k for k in range(4 * H) if k % H in units]
    return Wx[:, cut], Wh[units][:, cut], b[cut], V[units]


def scales_by_torch(W):
    top = torch.linalg.vector_norm(torch.from_numpy(W), float("inf"), dim=1).numpy()
    return np.array([t / 127 if t else 1 for t in top])


def quantised_by_torch(W, scale):
    s = torch.from_numpy(scale)
    zeros = torch.zeros(len(s), dtype=torch.int32)
    back = torch.fake_quantize_per_channel_affine(
        torch.from_numpy(W).float(), s.float(), zeros, 0, -127, 127
    )
    return (back / s.float()[:, None]).round(), back


def distilled_by_torch(z, v, y, tau, share):
    z, v, y = map(torch.from_numpy, (z, v, y))
    p, q = torch.log_softmax(v / tau, 1), torch.log_softmax(z / tau, 1)
    soft = torch.nn.functional.kl_div(q, p, reduction="batchmean", log_target=True)
    return share * tau**2 * soft + (1 - share) * torch.nn.functional.cross_entropy(z, y)


INDEPENDENT = {
    "log_uniform": drawn_by_scipy,
    "random_search": tried,
    "price": price_by_matrix,
    "successive_halving": halved,
    "choose_and_report": chosen,
    "prune_layer": pruned_by_torch,
    "prune_model": model_by_torch,
    "drop_units": units_by_list,
    "row_scales": scales_by_torch,
    "quantise": quantised_by_torch,
    "distillation_loss": distilled_by_torch,
}


@pytest.mark.parametrize("name", INDEPENDENT)
def test_a_second_way_to_compute_it_is_right(name):
    check, function = GRADED[name], INDEPENDENT[name]

    def arrays(*arguments):
        return as_arrays(function(*arguments))

    for seed in range(2):
        for version in (check.expected, arrays):
            verdict = ask(check, version, seed)
            assert (verdict.status, verdict.credit) == (Status.PASSED, 1.0), verdict.message


def as_arrays(value):
    if isinstance(value, tuple):
        return tuple(map(as_arrays, value))
    return value.numpy() if isinstance(value, torch.Tensor) else value


# --- what is drawn
# --------------------------------------------------------------------------------------------------


def test_a_right_hand_in_is_failed_by_chance_once_in_a_million_at_most():
    assert 0 < false_alarms(SET.graded.CHECKS) <= FALSE_ALARMS


def test_right_draws_pass_with_many_seeds_and_wrong_ones_are_found():
    check = GRADED["log_uniform"]
    for seed in range(30):
        assert ask(check, drawn_by_scipy, seed).status is Status.PASSED
        for mistake in check.misconceptions[-4:]:
            assert ask(check, mistake.function, seed).misconception == mistake.id


@pytest.mark.parametrize(
    ("draw", "id"),
    [
        (
            lambda low, high, n, rng: np.log10(plain.log_uniform(low, high, n, rng)),
            "exponents_returned",
        ),
        (lambda low, high, n, rng: np.geomspace(low, high, n), "not_drawn"),
        (
            lambda low, high, n, rng: plain.log_uniform(low, high, n, np.random.default_rng(0)),
            "not_drawn",
        ),
        (
            lambda low, high, n, rng: np.exp(rng.uniform(np.log10(low), np.log10(high), n)),
            "base_mixed",
        ),
        (lambda low, high, n, rng: rng.uniform(low, high, n) ** 2 / high, "outside_the_box"),
        (lambda low, high, n, rng: rng.uniform(low, high, (n, 2)), "wrong_length"),
        (lambda low, high, n, rng: np.full(n, np.nan), "outside_the_box"),
    ],
)  # fmt: skip
def test_other_forms_of_a_mistake_are_named_as_well(draw, id):
    for seed in range(4):
        assert ask(GRADED["log_uniform"], draw, seed).misconception == id


# --- what is counted
# --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name in HELD if name != "log_uniform"])
def test_whatever_the_seed_each_mistake_is_told_from_the_others(name):
    check = HELD[name]
    for seed in range(20, 26):
        case = check.cases(np.random.default_rng(seed))[0]
        heard = [hear(check, mistake.function, case.args) for mistake in check.misconceptions]
        some = [one for one in heard if one is not None]
        assert len(some) >= len(heard) - 1
        ties = {"ties_stay", "ties_go_too"}  # right where nothing is equal
        if not ties & {mistake.id for mistake in check.misconceptions}:
            assert not any(a.same(b) for k, a in enumerate(some) for b in some[:k])


def test_a_call_too_many_costs_the_part_even_where_the_result_is_right():
    def again(loss, rates):
        rate, least = plain.random_search(loss, rates)
        loss(rates[0])
        return rate, least

    verdict = ask(GRADED["random_search"], again)
    assert (verdict.credit, verdict.misconception) == (0, "over_budget")
    assert "13 times, and 12 are allowed" in verdict.message


def test_a_rate_that_is_not_tried_is_told():
    def some(loss, rates):
        return plain.random_search(loss, rates[:8])

    verdict = ask(GRADED["random_search"], some)
    assert verdict.credit == 0 and "4 of 12 are not tried" in verdict.message


def test_updates_are_added_up_from_what_is_asked():
    def too_many(train, n, rungs, eta):
        for k in range(n):
            train(k, 0, rungs[-1])
        return plain.successive_halving(train, n, rungs, eta)

    verdict = ask(GRADED["successive_halving"], too_many)
    assert (verdict.credit, verdict.misconception) == (0, "updates_over_budget")
    assert f"and {plain.price(14, [10, 30, 90], 3)} are allowed" in verdict.message

    def leaps(train, n, rungs, eta):
        winner, _ = plain.successive_halving(lambda k, a, b: train(k, max(a, 1), b), n, rungs, eta)
        return winner, 0.5

    assert ask(GRADED["successive_halving"], leaps).misconception == "starts_elsewhere"


def test_a_look_at_the_test_set_is_found_however_it_is_hidden():
    def peeks(validation, test, K, seeds):
        best, reported = plain.choose_and_report(validation, test, K, seeds)
        with contextlib.suppress(Exception):
            test(K - 1 - best, seeds[0])
        return best, reported

    verdict = ask(GRADED["choose_and_report"], peeks)
    assert verdict.misconception in ("looks_at_test", "other_questions") and verdict.credit == 0


def test_an_unknown_setting_is_refused_in_words():
    (case, *_) = GRADED["choose_and_report"].cases(np.random.default_rng(0))
    validation, _, K, seeds = case.args
    with pytest.raises(ValueError, match=f"from 0 to {K - 1} and one of the seeds"):
        validation(K, seeds[0])
    train = GRADED["successive_halving"].cases(np.random.default_rng(0))[0].args[0]
    with pytest.raises(ValueError, match="there are 14 settings from 0 on, and no 14"):
        train(14, 0, 10)


# --- what goes
# --------------------------------------------------------------------------------------------------


def test_of_equal_entries_any_may_go():
    check = GRADED["prune_layer"]

    def from_the_end(W, k):
        turned = np.ascontiguousarray(W[::-1, ::-1])
        return plain.prune_layer(turned, k)[::-1, ::-1]

    for seed in range(3):
        tied = check.cases(np.random.default_rng(seed))[1]
        first, last = (f(*copy_tree(tied.args)) for f in (plain.prune_layer, from_the_end))
        assert ((first == 0) != (last == 0)).any()
        assert ask(check, from_the_end, seed).status is Status.PASSED


def test_no_weight_is_so_near_two_steps_that_rounding_decides():
    for seed in range(3):
        for case in GRADED["quantise"].cases(np.random.default_rng(seed)):
            W, scale = case.args
            steps = W / scale[:, None]
            assert (np.abs(np.abs(steps - np.floor(steps)) - 0.5) > 0.05).all()


def test_no_share_of_weights_is_a_whole_number_by_rounding_only():
    for seed in range(2):
        for case in GRADED["prune_model"].cases(np.random.default_rng(seed)):
            params, share = case.args
            count = sum(p.size for p in params.values() if p.ndim == 2)
            assert share * 8 == int(share * 8) and int(share * count) == share * 8 * count // 8


def test_units_that_go_leave_a_network_that_computes():
    (case, *_) = GRADED["drop_units"].cases(np.random.default_rng(3))
    *arrays, keep = case.args
    Wx, Wh, b, V = plain.drop_units(*arrays, keep)
    shapes = [array.shape for array in (Wx, Wh, b, V)]
    assert shapes == [(4, 4 * keep), (keep, 4 * keep), (4 * keep,), (keep, 3)]


def test_single_precision_is_right_where_numbers_are_compared():
    for name in ("row_scales", "distillation_loss"):
        check = GRADED[name]
        for case in check.cases(np.random.default_rng(1)):
            args = [a.astype(np.float32) if isinstance(a, np.ndarray) and a.dtype == float else a
                    for a in copy_tree(case.args)]  # fmt: skip
            got = read(check, check.expected(*args), name)
            expected = read(check, check.expected(*copy_tree(case.args)), name)
            assert all(relative_error(got[n], expected[n]) < 1e-4 for n in expected)


# --- the end of the notebook
# --------------------------------------------------------------------------------------------------


def test_at_the_end_the_students_own_functions_make_a_network_smaller():
    notebook = SET.handed_in(SET.students.RIGHT[0])
    last = [cell.source for cell in notebook.cells if cell.cell_type == "code"][-2:]
    assert last[0].startswith("import zlib") and "successive_halving(" in last[1]
    namespace = run(notebook)
    with contextlib.redirect_stdout(io.StringIO()) as told:
        for source in last:
            exec(source, namespace)
    table = dict(re.findall(r"^(.*?) +[\d,]+ +[\d,]+ +(\d+\.\d+)$", told.getvalue(), re.MULTILINE))
    sizes = dict(re.findall(r"^(.*?)  +([\d,]+) ", told.getvalue(), re.MULTILINE))
    loss = {name: float(value) for name, value in table.items()}
    size = {name: int(value.replace(",", "")) for name, value in sizes.items()}
    assert len(loss) == 9 and "17 settings start" in told.getvalue()
    assert size["int8 by row"] < 0.35 * size["the whole network"]
    assert size["25.0% of the weights at zero"] == size["the whole network"]
    # ln 4 is the loss of a guess.
    assert loss["the whole network"] < 0.5 and loss["int8 by row"] < loss["the whole network"] + 0.2
    assert loss["4 of 16 units"] > loss["int8 by row"]

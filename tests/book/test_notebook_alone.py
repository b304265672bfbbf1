"""The functions of the page *A first trained LSTM*, taken out of the page and tried on small
sizes.
"""

import ast
from pathlib import Path

import jupytext
import numpy as np
import pytest

PAGE = Path(__file__).parents[2] / "book" / "one" / "first-lstm.md"

torch = pytest.importorskip("torch", reason="the page compares NumPy with PyTorch")


@pytest.fixture
def page():
    """Imports and functions of the page, without its runs: V = 7 characters, H = 5, N = 3 lanes, T
    = 4.
    """
    cells = [
        cell.source for cell in jupytext.read(PAGE, fmt="md:myst").cells if cell.cell_type == "code"
    ]
    wanted = [
        node
        for node in ast.parse("\n".join(cells)).body
        if isinstance(node, ast.Import | ast.ImportFrom)
        or (isinstance(node, ast.FunctionDef) and node.name != "draw")
        or (isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "STEPS")
    ]
    names = {"V": 7, "H": 5, "N": 3, "T": 4}
    exec(compile(ast.Module(wanted, []), str(PAGE), "exec"), names)
    return names


@pytest.fixture
def ids():
    return np.random.default_rng(5).integers(0, 7, size=100)


def model(page, seed=0):
    params = page["init_model"](seed, page["H"], np.float64)
    # Larger than initial weights are, so that a state that is lost or wrong changes every number
    # clearly.
    return {name: 2 * p for name, p in params.items()}


def frozen(page):
    """Train without moving: the losses are then those of the weights that went in."""
    page["learning_rate"] = lambda step: 1e-300


def one_pass(page, params, ids):
    """Mean loss of each piece of T characters, from one forward pass over whole lanes."""
    N, T = page["N"], page["T"]
    length = (len(ids) - 1) // N
    x, y = ids[: N * length].reshape(N, length), ids[1 : N * length + 1].reshape(N, length)
    surprise = page["nats"](page["forward"](params, x, page["zero_state"](params, N))[0], y)
    return [surprise[:, k : k + T].mean() for k in range(0, length - T + 1, T)]


# --- the loops


def test_numpy_loop_carries_the_state_over_a_pass_and_resets_it_for_the_next(page, ids):
    frozen(page)
    params = model(page)
    pieces = one_pass(page, params, ids)
    _, losses, _ = page["train"](params, ids, 2 * len(pieces))
    np.testing.assert_allclose(losses, pieces + pieces, rtol=1e-12)


def test_torch_loop_carries_the_state_over_a_pass_and_resets_it_for_the_next(page, ids):
    frozen(page)
    params = model(page)
    pieces = one_pass(page, params, ids)
    _, losses = page["train_torch"](params, ids, 2 * len(pieces))
    np.testing.assert_allclose(losses, pieces + pieces, rtol=1e-12)


def test_both_loops_give_the_same_losses_and_the_same_weights(page, ids):
    start = model(page)
    trained, losses, _ = page["train"](start, ids, 20)
    torch_trained, torch_losses = page["train_torch"](start, ids, 20)
    assert losses[-1] < losses[0]
    np.testing.assert_allclose(losses, torch_losses, rtol=1e-10)
    for name in start:
        np.testing.assert_allclose(
            trained[name], torch_trained[name], rtol=1e-8, atol=1e-10, err_msg=name
        )
        assert not np.array_equal(trained[name], start[name])


def test_clipping_acts_in_the_runs_that_are_compared(page, ids):
    params = model(page)
    x, y = next(page["batches"](ids, 3, 4))
    _, _, grads = page["loss_and_grads"](params, x, y, page["zero_state"](params, 3))
    assert page["clip_by_norm"](grads, 1e9)[1] > 0.1
    weights = [torch.nn.Parameter(torch.zeros(3)), torch.nn.Parameter(torch.zeros(2))]
    for length, expected in ((5.0, 1.0), (0.5, 0.5)):
        for w in weights:
            w.grad = torch.ones_like(w) * length / np.sqrt(5)
        page["clip_exactly"](weights, 1.0)
        assert np.isclose(
            torch.nn.utils.get_total_norm([w.grad for w in weights]).item(), expected, rtol=1e-6
        )


def test_a_second_trained_bias_is_another_method(page, ids):
    start = model(page)
    _, one = page["train_torch"](start, ids, 6)
    _, two = page["train_torch"](start, ids, 6, second_bias=True)
    assert np.abs(one - two).max() > 1e-4


def test_validation_is_measured_once_a_pass_and_moves_nothing(page, ids):
    start = model(page)
    steps = 2 * ((len(ids) - 1) // 3 // 4)
    measured_ids = np.tile(ids, 12)
    plain, losses, none = page["train"](start, ids, steps)
    watched, same, measured = page["train"](start, ids, steps, validation=measured_ids)
    assert none == [] and [step for step, _ in measured] == [steps // 2, steps]
    np.testing.assert_array_equal(losses, same)
    assert measured[-1][1] == page["evaluate"](plain, measured_ids)
    assert all(np.array_equal(plain[name], watched[name]) for name in plain)


# --- losses and gradients


def test_no_gradient_passes_from_one_character_to_the_one_before(page, ids):
    params = model(page)
    rng = np.random.default_rng(2)
    state = tuple(0.5 * rng.normal(size=(3, 5)) for _ in "hc")
    x, y = next(page["batches"](ids, 3, 4))
    loss, (h, c), grads = page["one_character_back"](params, x, y, state)

    from lstm_ref.frameworks.torch import lstm_step_torch

    weights = {name: torch.from_numpy(p).requires_grad_() for name, p in params.items()}
    h_t, c_t = map(torch.from_numpy, state)
    total = 0.0
    for t in range(4):
        one_hot = torch.eye(7, dtype=torch.float64)[torch.from_numpy(x[:, t])]
        h_t, c_t = lstm_step_torch(
            one_hot, h_t.detach(), c_t.detach(), weights["Wx"], weights["Wh"], weights["b"]
        )
        logits = h_t @ weights["Wy"] + weights["by"]
        total = total + torch.nn.functional.cross_entropy(logits, torch.from_numpy(y[:, t])) / 4
    total.backward()
    assert np.isclose(loss, total.item(), rtol=1e-12)
    np.testing.assert_allclose(h, h_t.detach().numpy(), rtol=1e-12)
    np.testing.assert_allclose(c, c_t.detach().numpy(), rtol=1e-12)
    _, _, full = page["loss_and_grads"](params, x, y, state)
    for name, weight in weights.items():
        np.testing.assert_allclose(
            grads[name], weight.grad.numpy(), rtol=1e-9, atol=1e-13, err_msg=name
        )
    # it is another gradient than that of the page
    assert np.abs(full["Wh"] - grads["Wh"]).max() > 1e-3


def test_surprise_of_each_character_averages_to_the_cross_entropy(page):
    rng = np.random.default_rng(0)
    logits, y = 50 * rng.normal(size=(3, 4, 7)), rng.integers(0, 7, size=(3, 4))
    assert np.isclose(
        page["nats"](logits, y).mean(), page["cross_entropy"](logits, y)[0], rtol=1e-12
    )


def test_loss_by_characters_read_starts_from_zero_at_every_place(page, ids):
    params = model(page)
    found = page["loss_by_characters_read"](params, ids, longest=6, every=5)
    places = range(0, len(ids) - 7, 5)
    one_by_one = [
        page["nats"](
            page["forward"](params, ids[None, k : k + 6], page["zero_state"](params, 1))[0],
            ids[None, k + 1 : k + 7],
        )
        for k in places
    ]
    np.testing.assert_allclose(found, np.mean(one_by_one, axis=(0, 1)), rtol=1e-12)


# --- writing and looking


def test_writing_is_the_same_with_the_same_seed_and_greedy_when_cold(page):
    from lstm_ref.data import Vocabulary

    page["vocabulary"] = Vocabulary("abcdef")
    params = model(page)
    params["by"] = np.random.default_rng(1).normal(size=7)
    write = page["write"]
    assert write(params, "ab", 30, 1.0, seed=3) == write(params, "ab", 30, 1.0, seed=3)
    assert write(params, "ab", 30, 1.0, seed=3) != write(params, "ab", 30, 1.0, seed=4)
    cold = write(params, "ab", 12, 1e-6)
    ids = page["vocabulary"].encode(cold)
    logits, _, _ = page["forward"](params, ids[None, :-1], page["zero_state"](params, 1))
    # written step by step = read in one go
    assert logits[0].argmax(axis=1)[1:].tolist() == ids[2:].tolist()


def test_words_with_underscores_are_found_whole(page):
    found = page["in_a_word_with_underscores"]('a "__init__()" b_c')
    assert found.tolist() == [False] * 2 + [True] * 12 + [False] * 4


def test_inside_quotes_ends_with_the_quotation_or_with_the_paragraph(page):
    assert page["inside_quotes"]('a "bc" d').tolist() == [0, 0, 1, 1, 1, 0, 0, 0]
    assert page["inside_quotes"]('"a\n\nb').tolist() == [1, 1, 0, 0, 0]

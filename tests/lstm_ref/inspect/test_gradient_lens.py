"""The Python side of the gradient lens: its draws, its numbers beside PyTorch's autograd, and what
it refuses.
"""

import numpy as np
import pytest
import torch
from traitlets import TraitError

from lstm_ref.inspect import GradientLens
from lstm_ref.inspect.gradient_lens import D, H, N, _uniform
from lstm_ref.inspect.widget import STATIC, module


@pytest.fixture(autouse=True)
def static(monkeypatch):
    monkeypatch.setenv("LSTM_REF_STATIC", "1")


def by_autograd(lens):
    """The same gradients, the three cells written once more and differentiated by PyTorch."""
    x, dhT = (torch.from_numpy(array) for array in lens.inputs)
    params = {
        network: {name: torch.from_numpy(array) for name, array in arrays.items()}
        for network, arrays in lens.params.items()
    }
    h = {
        network: [torch.zeros(N, H, dtype=torch.float64, requires_grad=True)] for network in params
    }
    c, forget = [torch.zeros(N, H, dtype=torch.float64, requires_grad=True)], []
    for t in range(lens.T):
        a = {
            name: (x[:, t] @ p["Wx"] + p["b"]).split(H, dim=1)
            if name == "gru"
            else x[:, t] @ p["Wx"] + p["b"]
            for name, p in params.items()
        }
        h["rnn"].append(torch.tanh(a["rnn"] + h["rnn"][-1] @ params["rnn"]["Wh"]))
        last = h["gru"][-1]
        back = (last @ params["gru"]["Wh"]).split(H, dim=1)
        r, z = (torch.sigmoid(a["gru"][k] + back[k]) for k in (0, 1))
        h["gru"].append((1 - z) * torch.tanh(a["gru"][2] + r * back[2]) + z * last)
        i, f, g, o = (a["lstm"] + h["lstm"][-1] @ params["lstm"]["Wh"]).split(H, dim=1)
        forget.append(torch.sigmoid(f))
        c.append(forget[-1] * c[-1] + torch.sigmoid(i) * torch.tanh(g))
        h["lstm"].append(torch.sigmoid(o) * torch.tanh(c[-1]))
    lengths = {}
    for name, states in {
        "rnn_h": h["rnn"],
        "gru_h": h["gru"],
        "lstm_h": h["lstm"],
        "lstm_c": c,
    }.items():
        loss = (dhT * h[name.split("_")[0]][-1]).sum()
        lengths[name] = [
            grad.norm().item()
            for grad in torch.autograd.grad(loss, states[::-1], retain_graph=True)
        ]
    first = torch.autograd.grad((dhT * h["lstm"][-1]).sum(), c[-1])[0]
    products = [
        first,
        *(first * torch.stack(forget[-k:]).prod(dim=0) for k in range(1, lens.T + 1)),
    ]
    lengths["lstm_f"] = [product.norm().item() for product in products]
    return lengths


@pytest.mark.parametrize(
    "numbers",
    [
        {},
        {"forget_bias": 4.0, "scale": 2.0, "T": 30, "seed": 9},
        {"forget_bias": -1.5, "scale": 0.4, "T": 7},
        {"longest": 40, "T": 40},
        {"T": 1},
    ],
)
def test_the_lens_measures_what_autograd_gives_at_every_lag(numbers):
    lens = GradientLens(**numbers)
    want, values = by_autograd(lens), lens.values
    assert set(values) == set(want)
    for name, lengths in values.items():
        assert lengths.shape == (lens.T + 1,)
        np.testing.assert_allclose(lengths, want[name], rtol=1e-9, err_msg=name)
    assert values["rnn_h"][0] == pytest.approx(1)


def test_chrono_spreads_the_biases_as_the_reference_does_and_changes_nothing_else():
    plain, spread = GradientLens(), GradientLens(longest=101, forget_bias=-3.0)
    write, keep, *rest = np.split(spread.params["lstm"]["b"], 4)
    assert np.array_equal(write, -keep) and not np.any(rest)
    assert np.array_equal(spread.params["gru"]["b"][H : 2 * H], keep) and not np.any(
        spread.params["gru"]["b"][:H]
    )
    u = np.concatenate(
        [
            np.exp(GradientLens(longest=101, seed=seed).params["lstm"]["b"][H : 2 * H])
            for seed in range(1, 41)
        ]
    )
    assert (
        u.min() >= 1
        and u.max() <= 100
        and abs(u.mean() - 50.5) < 3
        and abs(u.std() - 99 / np.sqrt(12)) < 2
    )
    for name in ("Wx", "Wh"):
        assert np.array_equal(plain.params["lstm"][name], spread.params["lstm"][name])
    assert np.array_equal(plain.inputs[1], spread.inputs[1])
    assert np.array_equal(plain.values["rnn_h"], spread.values["rnn_h"])


def test_the_draws_depend_on_the_seed_alone_and_have_the_deviation_that_is_said():
    one = GradientLens(scale=1.0, T=9)
    other = GradientLens(scale=0.5, T=60, forget_bias=3.0)
    assert np.array_equal(one.inputs[0], other.inputs[0][:, :9]) and np.array_equal(
        one.inputs[1], other.inputs[1]
    )
    assert np.array_equal(one.params["gru"]["Wx"], other.params["gru"]["Wx"])
    np.testing.assert_allclose(
        0.5 * one.params["lstm"]["Wh"], other.params["lstm"]["Wh"], rtol=1e-15
    )
    assert not np.array_equal(one.inputs[0], GradientLens(scale=1.0, T=9, seed=2).inputs[0])
    assert other.inputs[0].shape == (N, 60, D) and np.linalg.norm(other.inputs[1]) == pytest.approx(
        1
    )
    draw = _uniform(7)
    numbers = np.array([next(draw) for _ in range(20_000)])
    assert (
        abs(numbers.mean()) < 0.03
        and abs(numbers.std() - 1) < 0.01
        and np.abs(numbers).max() <= np.sqrt(3)
    )
    assert abs(np.corrcoef(numbers[:-1], numbers[1:])[0, 1]) < 0.03
    # neighbouring seeds are no neighbours
    first = np.array([next(_uniform(seed)) for seed in range(1, 400)])
    assert abs(np.corrcoef(first[:-1], first[1:])[0, 1]) < 0.15 and first.std() > 0.9


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        ({"scale": -0.1}, r"scale must be from 0 to 4, got -0\.1"),
        ({"forget_bias": float("nan")}, "forget_bias must be from -20 to 20, got nan"),
        ({"T": 0}, "T must be from 1 to 100, got 0"),
        ({"T": 2.5}, "expected an int"),
        ({"seed": 0}, "seed must be from 1 to 2147483647, got 0"),
        ({"longest": 1}, "longest must be 0, for one bias for all units, or at least 2, got 1"),
        ({"longest": 1001}, "longest must be from 0 to 1000, got 1001"),
        ({"lag": 101}, "lag must be from 0 to 100"),
        ({"shown": ["rnn"]}, "shown"),
        ({"b_f": 1.0}, "the numbers are forget_bias, longest, scale, T, lag, seed; got b_f"),
    ],
)
def test_the_lens_refuses_what_it_cannot_show(numbers, message):
    with pytest.raises(TraitError, match=message):
        GradientLens(**numbers)


def test_the_static_form_carries_its_numbers_and_nothing_else_to_load():
    lens = GradientLens(forget_bias=2.0, T=12, shown=["rnn_h", "lstm_h"])
    assert lens.module_state == {
        "shown": ["rnn_h", "lstm_h"],
        "basic": False,
        "forget_bias": 2.0,
        "longest": 0,
        "scale": 1.0,
        "T": 12,
        "lag": 20,
        "seed": 3,
    }
    page = lens.html()
    assert page.count("<script") == 1 and "//" not in page.replace("// ", "").replace(
        "http://www.w3.org/2000/svg", ""
    )
    assert len(page) < 40_000  # the weights are drawn in the page, not carried by it


def test_a_live_lens_sends_the_same_module_and_hears_the_browser(monkeypatch):
    monkeypatch.delenv("LSTM_REF_STATIC")
    lens = GradientLens(scale=0.5)
    state = lens.get_state()
    assert state["_esm"] == module("gradient_lens")
    assert (STATIC / "gradient_lens.js").read_text(encoding="utf-8") in state["_esm"]
    assert {key: state[key] for key in lens.module_traits()} == lens.module_state
    lens.set_state({"forget_bias": 4.0, "T": 10})
    assert lens.values["lstm_h"].shape == (11,) and lens.params["lstm"]["b"][H] == 4

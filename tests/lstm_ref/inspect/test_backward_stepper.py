"""The Python side of the backward stepper: its gradients beside autograd, its mistakes, and what it
refuses.
"""

import numpy as np
import pytest
import torch
from traitlets import TraitError

from lstm_ref.inspect import BackwardStepper
from lstm_ref.inspect.backward_stepper import MISTAKES
from lstm_ref.inspect.widget import STATIC
from lstm_ref.zoo import find


@pytest.fixture(autouse=True)
def static(monkeypatch):
    monkeypatch.setenv("LSTM_REF_STATIC", "1")


def by_autograd(stepper):
    """The ends of the walk, the two steps written once more for PyTorch, gate by gate."""
    x, h0, c0, Wx, Wh, b = (
        torch.tensor(array, requires_grad=True) for array in stepper.arguments.values()
    )
    h, c, loss = h0, c0, 0.0
    for t in (0, 1):
        a = [x[:, t] @ Wx[:, k : k + 1] + h @ Wh[:, k : k + 1] + b[k] for k in range(4)]
        c = torch.sigmoid(a[1]) * c + torch.sigmoid(a[0]) * torch.tanh(a[2])
        h = torch.sigmoid(a[3]) * torch.tanh(c)
        if t == 1 or stepper.loss == "both":
            loss = loss + ((h - stepper.y[t]) ** 2).sum() / 2
    return torch.autograd.grad(loss, (x, h0, c0, Wx, Wh, b))


@pytest.mark.parametrize("loss", ["last", "both"])
def test_the_stepper_holds_the_gradients_of_autograd(loss):
    stepper = BackwardStepper(loss=loss)
    for ours, theirs in zip(stepper.values, by_autograd(stepper), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-10)


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_planted_mistake_shows_in_the_numbers_that_the_stepper_starts_with(mistake):
    for loss in ("last", "both"):
        right, wrong = (
            BackwardStepper(loss=loss, mistake=name).values for name in ("none", mistake)
        )
        off = [np.abs(w - r).max() / np.abs(r).max() for r, w in zip(right, wrong, strict=True)]
        assert max(off) > 0.05 and np.isfinite(off).all()
    entry = next(entry for entry in BackwardStepper().zoo if entry["id"] == mistake)
    assert entry["title"] == find(mistake).title and all(
        change["right"] for change in entry["changes"]
    )


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        ({"position": 35}, "position must be from 0 to 34, got 35"),
        ({"mistake": "no_bias"}, "no_bias"),
        ({"loss": "first"}, "first"),
        ({"x": [1.0]}, "x must hold 2 numbers, got 1"),
        ({"Wh": [1.0, 2.0, 3.0, float("inf")]}, "Wh must be finite"),
        ({"c0": float("nan")}, "c0 must be finite, got nan"),
        ({"c1": 1.0}, "the numbers are x, y, h0, .*; got c1"),
    ],
)
def test_the_stepper_refuses_what_it_cannot_show(numbers, message):
    with pytest.raises(TraitError, match=message):
        BackwardStepper(**numbers)


def test_a_live_stepper_sends_the_same_module_and_hears_the_browser(monkeypatch):
    monkeypatch.delenv("LSTM_REF_STATIC")
    stepper = BackwardStepper(position=3)
    state = stepper.get_state()
    assert (STATIC / "backward_stepper.js").read_text(encoding="utf-8") in state["_esm"]
    assert {key: state[key] for key in stepper.module_traits()} == stepper.module_state
    stepper.set_state({"position": 20, "mistake": "no_dh_carry"})
    assert stepper.position == 20
    assert stepper.values.dWx.tolist() == BackwardStepper(mistake="no_dh_carry").values.dWx.tolist()

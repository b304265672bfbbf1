"""The doctor on whole programs in PyTorch: sick ones are named, well ones are left alone, nothing
is changed.
"""

import random
import warnings

import numpy as np
import pytest
import torch
from torch import nn

from lstm_ref import doctor
from lstm_ref.errors import ArgumentError
from tests.lstm_ref.doctor import torch_sick as SICK
from tests.lstm_ref.doctor import torch_well as WELL


def examine(case, **more):
    arguments = {"loss": case["loss"], "optimizer": case["optimizer"], **case["arguments"], **more}
    return doctor.examine(case["model"], case["batch"], **arguments)


def bits(case):
    """Everything that must be as before, bit by bit."""
    model, optimizers = case["model"], case["optimizer"]
    optimizers = optimizers if isinstance(optimizers, list) else [optimizers]
    state = {name: t.numpy().tobytes() for name, t in model.state_dict(keep_vars=False).items()}
    state["grads"] = [
        None if p.grad is None else p.grad.to_dense().numpy().tobytes() for p in model.parameters()
    ]
    state["modes"] = [m.training for m in model.modules()]
    state["wanted"] = [p.requires_grad for p in model.parameters()]
    state["hooks"] = [len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules()]
    state["attributes"] = [sorted(vars(m)) for m in model.modules()]
    state["optimizers"] = [repr(o.state_dict()) for o in optimizers]
    state["random"] = (
        random.getstate(),
        str(np.random.get_state()),
        torch.get_rng_state().numpy().tobytes(),
    )
    return state


@pytest.fixture(autouse=True)
def quiet():
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="dropout option adds dropout")
        warnings.filterwarnings("ignore", message="enable_nested_tensor is True")
        yield


@pytest.mark.parametrize("name", WELL.WELL)
def test_well_programs_are_left_alone(name):
    case = WELL.make(name)
    before = bits(case)
    report = examine(case)
    assert not report, str(report)
    assert bits(case) == before
    assert not [str(n) for n in report.not_examined if "stopped" in n.why]


@pytest.mark.parametrize("name", SICK.SICK)
def test_sick_programs_are_named(name):
    case = SICK.make(name)
    before = bits(case)
    report = examine(case)
    assert report.ids and report.ids[0] in SICK.WANTED[name], str(report)
    assert bits(case) == before


class Stops(nn.Module):
    """Raises at the n-th call."""

    def __init__(self, at, error):
        super().__init__()
        self.rnn, self.out = (
            nn.LSTM(3, 8, batch_first=True, num_layers=2, dropout=0.5),
            nn.Linear(8, 4),
        )
        self.at, self.error, self.calls = at, error, [0]

    def forward(self, x):
        COUNT[0] += 1
        if COUNT[0] == self.at:
            raise self.error
        return self.out(self.rnn(x)[0][:, -1])


COUNT = [0]


@pytest.mark.parametrize("at", [2, 5, 9, 17, 30])
def test_ctrl_c_leaves_everything_as_it_was(at):
    COUNT[0] = 0
    model = Stops(at, KeyboardInterrupt())
    case = SICK.case(model, torch.randn(8, 6, 3), SICK.LABELS, nn.CrossEntropyLoss())
    before = bits(case)
    with pytest.raises(KeyboardInterrupt):
        examine(case)
    assert bits(case) == before


def test_ctrl_c_leaves_a_normalisation_as_it_was():
    COUNT[0] = 0
    model = nn.Sequential(nn.BatchNorm1d(6), Stops(1, KeyboardInterrupt()))
    case = SICK.case(model, torch.randn(8, 6, 3), SICK.LABELS, nn.CrossEntropyLoss())
    before = bits(case)
    with pytest.raises(KeyboardInterrupt):
        examine(case)
    assert bits(case) == before and model[0].momentum == 0.1


def test_an_error_at_a_perturbed_input_is_reported_and_undone():
    COUNT[0] = 0
    case = SICK.case(
        Stops(9, ValueError("only this batch")),
        torch.randn(8, 6, 3),
        SICK.LABELS,
        nn.CrossEntropyLoss(),
    )
    before = bits(case)
    report = examine(case)
    assert any("only this batch" in entry.why for entry in report.not_examined)
    assert bits(case) == before


def test_batch_must_be_a_pair():
    case = SICK.make("sign")
    with pytest.raises(ArgumentError, match=r"batch must be a pair \(x, y\), got tuple of 3"):
        doctor.examine(case["model"], (1, 2, 3), loss=case["loss"])


def test_a_model_that_fails_says_so():
    with pytest.raises(ArgumentError, match="model"):
        doctor.examine(nn.LSTM(3, 4), (torch.randn(2, 3, 7), torch.randn(2)), loss=nn.MSELoss())


def test_a_loss_that_refuses_logits_is_named():
    case = SICK.case(SICK.Net(K=1), SICK.series(), torch.zeros(8, 1), nn.BCELoss())
    assert examine(case).ids[0] == "loss-wants-probabilities"


def test_labels_counted_from_one_are_named():
    case = SICK.case(SICK.Net(), SICK.series(), SICK.LABELS + 1, nn.CrossEntropyLoss())
    assert examine(case).ids[0] == "label-outside"


def test_raise_for_raises_from_its_certainty_on():
    report = examine(SICK.make("softmax_twice"))
    report.raise_for("proof")
    with pytest.raises(AssertionError, match="loss-wants-logits"):
        report.raise_for("contract")

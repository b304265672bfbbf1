"""Integrated gradients: functions whose parts are known, Captum's parts, and what is refused."""

import pytest
import torch
from captum.attr import IntegratedGradients
from torch import nn

from lstm_ref.errors import ArgumentError, ShapeError
from lstm_ref.inspect import completeness_gap, integrated_gradients


def a_score(seed=0, E=5):
    """The last state of an LSTM with weights far from linear, as one number."""
    torch.manual_seed(seed)
    lstm = nn.LSTM(E, 6, batch_first=True).double()
    with torch.no_grad():
        for p in lstm.parameters():
            p.mul_(3)
    return lambda v: lstm(v)[0][:, -1].sum(dim=1)


def test_a_linear_function_has_its_terms_as_parts_with_one_point():
    w = torch.tensor([[2.0, -1.0], [0.5, 3.0], [1.0, 1.0]])
    e = torch.tensor([[1.0, 4.0], [2.0, -1.0], [0.0, 0.0]])
    parts = integrated_gradients(lambda v: (w * v).sum(dim=(1, 2)), e, n=1)
    assert torch.equal(parts, (w * e).sum(dim=1))


def test_the_parts_are_captum_s_and_add_up():
    for seed in range(2):
        score, e = a_score(seed), torch.randn(7, 5, dtype=torch.float64)
        parts = integrated_gradients(score, e, n=300)
        theirs = IntegratedGradients(score).attribute(e[None], n_steps=300, method="riemann_middle")
        assert torch.allclose(parts, theirs[0].sum(dim=1), atol=1e-9)
        few = completeness_gap(score, e, integrated_gradients(score, e, n=1))
        assert completeness_gap(score, e, parts) < 1e-2 < few


def test_input_and_weights_are_as_before():
    score, e = a_score(), torch.randn(4, 5, dtype=torch.float64, requires_grad=True)
    before = e.detach().clone()
    parts = integrated_gradients(score, e)
    assert torch.equal(e.detach(), before) and e.grad is None and not parts.requires_grad


def test_what_does_not_fit_is_refused():
    score = a_score()
    with pytest.raises(ShapeError, match=r"e must be \(T, E\), .* got \(1, 4, 5\)"):
        integrated_gradients(score, torch.zeros(1, 4, 5))
    with pytest.raises(ArgumentError, match="n must be 1 or more, got 0"):
        integrated_gradients(score, torch.zeros(4, 5, dtype=torch.float64), n=0)
    with pytest.raises(ShapeError, match=r"one number for each of N = 2 sequences, got \(2, 4\)"):
        integrated_gradients(lambda v: v.sum(dim=2), torch.zeros(4, 5), n=2)

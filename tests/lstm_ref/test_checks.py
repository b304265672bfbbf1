"""The single checks, on PyTorch and on functions that fail them."""

import numpy as np
import pytest
import torch
from torch import nn

from lstm_ref import checks
from lstm_ref.errors import ArgumentError

X = np.random.default_rng(0).normal(size=(4, 6, 3)).astype(np.float32)


class First(nn.Module):
    def __init__(self, **kw):
        super().__init__()
        torch.manual_seed(0)
        self.rnn = nn.LSTM(3, 5, **kw)

    def forward(self, x):
        return self.rnn(x)[0]


def test_batch_first_keeps_examples_apart_and_its_lack_mixes_them():
    assert checks.alone_as_in_batch(checks.of_torch(First(batch_first=True)), X) < 1e-6
    assert checks.alone_as_in_batch(checks.of_torch(First()), X) > 1e-3


def test_one_direction_is_causal_and_two_are_not():
    moved = checks.depends(checks.of_torch(First(batch_first=True)), X)
    assert (np.tril(moved, -1) == 0).all() and (np.diag(moved) > 0).all()
    assert (
        checks.depends(checks.of_torch(First(batch_first=True, bidirectional=True)), X) > 0
    ).all()


def test_two_calls_differ_where_numbers_are_drawn():
    assert checks.twice(lambda x: x + np.random.default_rng().normal(), X) > 0


@pytest.mark.parametrize(("layers", "directions"), [(1, 1), (2, 1), (3, 2)])
def test_count_of_parameters_is_that_of_pytorch(layers, directions):
    rnn = nn.LSTM(3, 5, layers, bidirectional=directions == 2)
    expected = sum(p.numel() for p in rnn.parameters())
    assert checks.count_parameters(3, 5, layers=layers, directions=directions, biases=2) == expected


def test_x_must_have_examples_and_time():
    with pytest.raises(ArgumentError, match=r"x must be an array \(N, T"):
        checks.depends(np.tanh, np.ones(3))


class Cut(torch.nn.Module):
    """Hands on the state of an RNN, with or without its history."""

    def __init__(self, cut):
        super().__init__()
        self.cell, self.cut = torch.nn.RNNCell(3, 4), cut

    def forward(self, x):
        h = x.new_zeros(len(x), 4)
        for t in range(x.shape[1]):
            h = self.cell(x[:, t], h.detach() if self.cut else h)
        return h


def test_gradient_errors_are_rounding_for_a_right_layer_and_large_for_one_that_is_cut():
    x = np.random.default_rng(0).normal(size=(2, 5, 3)).astype(np.float32)
    for seed in range(3):
        torch.manual_seed(seed)
        right, cut = Cut(False), Cut(True)
        before = [p.detach().clone() for p in cut.parameters()]
        assert max(checks.gradient_errors(right, x, seed=seed).values()) < 1e-6
        errors = checks.gradient_errors(cut, x, seed=seed)
        assert errors["x"] > 1e-2 and errors["cell.weight_hh"] > 1e-2
        assert all(torch.equal(a, b) for a, b in zip(before, cut.parameters(), strict=True))


def test_gradient_errors_want_numbers():
    with pytest.raises(ArgumentError, match="floating point"):
        checks.gradient_errors(Cut(False), np.zeros((2, 3), int))

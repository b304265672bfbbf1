"""The formulas of the page *PyTorch*."""

import numpy as np
import torch
from scipy.optimize import minimize
from torch import nn
from torch.nn.functional import cross_entropy

from lstm_ref import init_lstm, lstm_forward
from lstm_ref.frameworks.torch import lstm_step_torch, params_from_torch
from tests.chapter_formulas import Chapter

chapter = Chapter("pytorch")


def random(*shape, seed=0):
    return torch.tensor(np.random.default_rng(seed).normal(size=shape))


@chapter.shows(
    "eq-pytorch-product", r"\bar u_i = \sum_k \bar y_k\, \frac{\partial y_k}{\partial u_i}"
)
def product():
    """Of an LSTM step, with the whole matrix of derivatives by central differences."""
    x, h, c = random(2, 3), random(2, 4, seed=1), random(2, 4, seed=2)
    weights = {
        name: torch.tensor(w) for name, w in init_lstm(np.random.default_rng(3), 3, 4).items()
    }
    y_bar, eps = random(2, 4, seed=4), 1e-6
    u = h.clone().requires_grad_()
    (by_autograd,) = torch.autograd.grad(lstm_step_torch(x, u, c, **weights)[1], u, y_bar)
    for place in np.ndindex(*h.shape):
        shift = torch.zeros_like(h)
        shift[place] = eps
        column = (
            lstm_step_torch(x, h + shift, c, **weights)[1]
            - lstm_step_torch(x, h - shift, c, **weights)[1]
        ) / (2 * eps)
        assert torch.isclose((y_bar * column).sum(), by_autograd[place], rtol=1e-7, atol=1e-9)


@chapter.shows(
    "eq-pytorch-floor",
    r"""\begin{aligned}
    \ell &= -\ln \frac{e^{p_y}}{\sum_k e^{p_k}} \\
    &= \ln\Big(1 + \sum_{k \ne y} e^{p_k - p_y}\Big) \\
    &\ge \ln\big(1 + (C - 1)\, e^{-1}\big)
    \end{aligned}""",
)
def floor():
    """Both lines against cross_entropy; the bound against a numerical optimiser and by its one case
    of equality.
    """
    for C, right in ((2, 1), (3, 0), (10, 7)):
        p = random(C, seed=C).softmax(dim=0)
        loss = cross_entropy(p[None], torch.tensor([right])).item()
        exp = np.exp(p.numpy())
        assert np.isclose(loss, -np.log(exp[right] / exp.sum()))
        assert np.isclose(loss, np.log(1 + np.delete(exp / exp[right], right).sum()))
        bound = np.log(1 + (C - 1) * np.exp(-1))
        assert np.isclose(
            cross_entropy(torch.eye(C)[right][None], torch.tensor([right])).item(), bound
        )

        def loss_of(z, right=right):
            return cross_entropy(torch.tensor(z)[None].softmax(dim=1), torch.tensor([right])).item()

        lowest = minimize(loss_of, np.zeros(C), bounds=[(-20, 20)] * C).fun
        assert bound - 1e-9 <= lowest < bound + 1e-3


@chapter.shows(
    "eq-pytorch-two-biases",
    r"""\begin{aligned}
    a &= x W_{ih}^\top + b_{ih} + h W_{hh}^\top + b_{hh} \\
    \bar b_{ih} &= \bar b_{hh} = \bar b \\
    (b_{ih} - \eta\, \bar b) &+ (b_{hh} - \eta\, \bar b) \\
    &= (b_{ih} + b_{hh}) - 2\eta\, \bar b
    \end{aligned}""",
)
def two_biases():
    torch.manual_seed(0)
    lstm = nn.LSTM(3, 4, batch_first=True, dtype=torch.float64)
    x = random(2, 5, 3)
    h, (hT, cT) = lstm(x[:, :4])
    w_ih, w_hh, b_ih, b_hh = (w.detach() for w in lstm.parameters())
    a = x[:, 4] @ w_ih.T + b_ih + hT[0] @ w_hh.T + b_hh
    a_i, a_f, a_g, a_o = a.chunk(4, dim=1)
    c = a_f.sigmoid() * cT[0] + a_i.sigmoid() * a_g.tanh()
    assert torch.allclose(lstm(x)[0][:, 4], a_o.sigmoid() * c.tanh())

    before, eta = params_from_torch(lstm), 0.3
    zeros = np.zeros((2, 4))

    def loss(b):
        return (
            lstm_forward(x.numpy(), zeros, zeros, before["Wx"], before["Wh"], b)[0][:, -1] ** 2
        ).sum()

    of_the_sum = [(loss(before["b"] + s) - loss(before["b"] - s)) / 2e-6 for s in 1e-6 * np.eye(16)]
    optimiser = torch.optim.SGD(lstm.parameters(), lr=eta)
    (lstm(x)[0][:, -1] ** 2).sum().backward()
    assert torch.allclose(lstm.bias_ih_l0.grad, lstm.bias_hh_l0.grad)
    assert np.allclose(lstm.bias_ih_l0.grad, of_the_sum, rtol=1e-6, atol=1e-8)
    optimiser.step()
    after = params_from_torch(lstm)
    assert np.allclose(
        after["b"], before["b"] - 2 * eta * np.array(of_the_sum), rtol=1e-6, atol=1e-8
    )


test_a_formula_is_right, test_every_formula_has_its_check = chapter.tests()

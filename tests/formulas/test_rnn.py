"""The formulas of the page *The plain RNN*."""

import numpy as np
import sympy
import torch

from lstm_ref import rnn_forward
from tests.chapter_formulas import Chapter
from tests.formulas.rnn_run import T, run, same

chapter = Chapter("rnn")


@chapter.shows(
    "eq-rnn-by-hand",
    r"""\begin{aligned}
    a_1 &= 1 \cdot (0.5,\; -1) + (0.5,\; 0) \begin{bmatrix} 1 & 0.5 \\ 0 & 1 \end{bmatrix} \\
    &= (0.5,\; -1) + (0.5,\; 0.25) = (1,\; -0.75) \\
    h_1 &= \tanh(a_1) \approx (0.76,\; -0.64)
    \end{aligned}""",
)
def by_hand():
    Wx, Wh = np.array([[0.5, -1.0]]), np.array([[1.0, 0.5], [0.0, 1.0]])
    h, hT, _ = rnn_forward(np.ones((1, 1, 1)), np.array([[0.5, 0.0]]), Wx, Wh, np.zeros(2))
    assert np.allclose(np.arctanh(hT), [[1, -0.75]]) and hT.round(2).tolist() == [[0.76, -0.64]]


@chapter.shows(
    "eq-rnn-forward",
    r"""\begin{aligned}
    a_t &= x_t W_x + h_{t-1} W_h + b \\
    h_t &= \tanh(a_t)
    \end{aligned}""",
)
def forward():
    r = run()
    x = torch.stack(r.x[1:], dim=1).detach().numpy()
    h, _, _ = rnn_forward(x, *(tensor.detach().numpy() for tensor in (r.h[0], r.Wx, r.Wh, r.b)))
    assert same(torch.from_numpy(h), torch.stack(r.h[1:], dim=1))


@chapter.shows(
    "eq-rnn-comes-back",
    r"""\begin{aligned}
    \sum_j \bar a_{t+1,j}\, \frac{\partial a_{t+1,j}}{\partial h_{t,i}}
        &= \sum_j \bar a_{t+1,j}\, W_{h,ij} \\
    &= \big(\bar a_{t+1} W_h^\top\big)_i
    \end{aligned}""",
)
def comes_back():
    r = run()
    for t in range(1, T):
        h = r.h[t].detach().requires_grad_()
        a = r.x[t + 1].detach() @ r.Wx.detach() + h @ r.Wh.detach() + r.b.detach()
        (back,) = torch.autograd.grad(a, h, grad_outputs=r.a[t + 1].grad)
        assert same(back, torch.einsum("nj,ij->ni", r.a[t + 1].grad, r.Wh)) and same(
            back, r.a[t + 1].grad @ r.Wh.T
        )


@chapter.shows(
    "eq-rnn-total", r"\bar h_t = \frac{\partial L}{\partial h_t} + \bar a_{t+1} W_h^\top"
)
def total():
    r = run()
    assert all(same(r.h[t].grad, r.immediate[t] + r.a[t + 1].grad @ r.Wh.T) for t in range(1, T))
    assert same(r.h[T].grad, r.immediate[T])


@chapter.shows(
    "eq-rnn-tanh-slope", r"\frac{dy}{da} = \frac{\cosh^2 a - \sinh^2 a}{\cosh^2 a} = 1 - y^2"
)
def slope_of_tanh():
    a = sympy.Symbol("a", real=True)
    slope = sympy.diff(sympy.sinh(a) / sympy.cosh(a), a)
    middle = (sympy.cosh(a) ** 2 - sympy.sinh(a) ** 2) / sympy.cosh(a) ** 2
    for other in (middle, 1 - sympy.tanh(a) ** 2):
        assert sympy.simplify((slope - other).rewrite(sympy.exp)) == 0


@chapter.shows("eq-rnn-activation", r"\bar a_t = \bar h_t \odot (1 - h_t^2)")
def activation():
    r = run()
    assert all(same(r.a[t].grad, r.h[t].grad * (1 - r.h[t] ** 2)) for t in range(1, T + 1))


@chapter.shows(
    "eq-rnn-weights",
    r"""\begin{aligned}
    \bar W_h &= \sum_{t=1}^{T} h_{t-1}^\top\, \bar a_t \\
    \bar W_x &= \sum_{t=1}^{T} x_t^\top\, \bar a_t \\
    \bar b &= \sum_{t=1}^{T} \sum_n \bar a_{t,n}
    \end{aligned}""",
)
def weights():
    r, steps = run(), range(1, T + 1)
    assert same(r.Wh.grad, sum(r.h[t - 1].T @ r.a[t].grad for t in steps))
    assert same(r.Wx.grad, sum(r.x[t].T @ r.a[t].grad for t in steps))
    assert same(r.b.grad, sum(r.a[t].grad.sum(dim=0) for t in steps))


test_a_formula_is_right, test_every_formula_has_its_check = chapter.tests()

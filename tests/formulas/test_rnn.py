"""The formulas of the page *The plain RNN*."""

from functools import cache
from types import SimpleNamespace

import numpy as np
import sympy
import torch

from lstm_ref import rnn_forward
from tests.chapter_formulas import Chapter

chapter = Chapter("rnn")

N, T, D, H = 2, 6, 3, 4
PIECE = 4  # does not divide T: the last piece is shorter


@cache
def run(cut=None, examples=N):
    """T steps of a plain RNN in PyTorch; `.grad` of each tensor is its total derivative.

    Step t of the formulas is index t; index 0 is the initial state. With ``cut``, the state is detached after so many steps,
    as truncated backpropagation through time does.
    """
    generator = torch.Generator().manual_seed(0)

    def draw(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.float64, requires_grad=True)

    r = SimpleNamespace(Wx=draw(D, H), Wh=draw(H, H), b=draw(H), h=[draw(examples, H)], x=[None], a=[None])
    for t in range(1, T + 1):
        before = r.h[-1].detach() if cut and t > 1 and (t - 1) % cut == 0 else r.h[-1]
        r.x.append(draw(examples, D))
        r.a.append(r.x[t] @ r.Wx + before @ r.Wh + r.b)
        r.h.append(torch.sinh(r.a[t]) / torch.cosh(r.a[t]))
        r.a[t].retain_grad()
        r.h[t].retain_grad()
    r.immediate = [
        None,
        *(torch.randn(examples, H, generator=generator, dtype=torch.float64) for _ in range(T)),
    ]
    sum((r.immediate[t] * r.h[t]).sum() for t in range(1, T + 1)).backward()
    return r


def same(one, other):
    return torch.allclose(one, other, rtol=1e-9, atol=1e-12)


def slopes(r, t):
    """D_t, of the one example."""
    return torch.diag(1 - r.h[t][0] ** 2)


def way(r, k, t):
    """delta_t D_t Wh' D_{t-1} ... Wh' D_k, of the one example."""
    row = r.immediate[t] @ slopes(r, t)
    for j in range(t - 1, k - 1, -1):
        row = row @ r.Wh.T @ slopes(r, j)
    return row


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
    "eq-rnn-memory",
    r"R_k^2 = 1 - \frac{\sum_t (x_{t-k} - \hat x_{t-k})^2}{\sum_t (x_{t-k} - m)^2}",
)
def memory():
    """A delay line of H units holds H inputs exactly and not one more; the sum over lags is H."""
    stream = np.random.default_rng(0).normal(size=20_000)
    units, lags = 5, 12
    h = np.column_stack([np.roll(stream, k) for k in range(units)] + [np.ones(len(stream))])
    total = 0.0
    for k in range(lags):
        old = np.roll(stream, k)
        guess = h @ np.linalg.lstsq(h, old, rcond=None)[0]
        r2 = 1 - np.sum((old - guess) ** 2) / np.sum((old - old.mean()) ** 2)
        assert np.isclose(r2, 1 if k < units else 0, atol=2e-3)
        if k < units:  # of a read-out fitted on the same numbers, it is the squared correlation
            assert np.isclose(r2, np.corrcoef(old, guess)[0, 1] ** 2)
        total += r2
    assert np.isclose(total, units, atol=1e-2)


@chapter.shows(
    "eq-rnn-comes-back",
    r"""\begin{aligned}
    \sum_j \bar a_{t+1,j}\, \frac{\partial a_{t+1,j}}{\partial h_{t,i}} &= \sum_j \bar a_{t+1,j}\, W_{h,ij} \\
    &= \big(\bar a_{t+1} W_h^\top\big)_i
    \end{aligned}""",
)
def comes_back():
    r = run()
    for t in range(1, T):
        h = r.h[t].detach().requires_grad_()
        a = r.x[t + 1].detach() @ r.Wx.detach() + h @ r.Wh.detach() + r.b.detach()
        (back,) = torch.autograd.grad(a, h, grad_outputs=r.a[t + 1].grad)
        assert same(back, torch.einsum("nj,ij->ni", r.a[t + 1].grad, r.Wh)) and same(back, r.a[t + 1].grad @ r.Wh.T)


@chapter.shows("eq-rnn-total", r"\bar h_t = \frac{\partial L}{\partial h_t} + \bar a_{t+1} W_h^\top")
def total():
    r = run()
    assert all(same(r.h[t].grad, r.immediate[t] + r.a[t + 1].grad @ r.Wh.T) for t in range(1, T))
    assert same(r.h[T].grad, r.immediate[T])


@chapter.shows("eq-rnn-tanh-slope", r"\frac{dy}{da} = \frac{\cosh^2 a - \sinh^2 a}{\cosh^2 a} = 1 - y^2")
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


@chapter.shows("eq-rnn-recursion", r"\bar a_k = \delta_k D_k + \bar a_{k+1} W_h^\top D_k")
def recursion():
    r = run(examples=1)
    for k in range(1, T):
        assert same(r.a[k].grad, r.immediate[k] @ slopes(r, k) + r.a[k + 1].grad @ r.Wh.T @ slopes(r, k))


@chapter.shows(
    "eq-rnn-unrolled",
    r"""\begin{aligned}
    \bar a_k &= \delta_k D_k + \delta_{k+1} D_{k+1} W_h^\top D_k \\
    &\quad + \bar a_{k+2} W_h^\top D_{k+1} W_h^\top D_k \\
    &= \sum_{t=k}^{T} \delta_t\, D_t\, W_h^\top D_{t-1} \cdots W_h^\top D_k
    \end{aligned}""",
)
def unrolled():
    r = run(examples=1)
    for k in range(1, T - 1):
        rest = r.a[k + 2].grad @ r.Wh.T @ slopes(r, k + 1) @ r.Wh.T @ slopes(r, k)
        assert same(r.a[k].grad, way(r, k, k) + way(r, k, k + 1) + rest)
    for k in range(1, T + 1):
        assert same(r.a[k].grad, sum(way(r, k, t) for t in range(k, T + 1)))


@chapter.shows(
    "eq-rnn-double-sum",
    r"""\bar W_h = \sum_{t=1}^{T} \sum_{k=1}^{t}
    h_{k-1}^\top \Big( \delta_t\, D_t\, W_h^\top D_{t-1} \cdots W_h^\top D_k \Big)""",
)
def double_sum():
    r = run(examples=1)
    terms = {(k, t): r.h[k - 1].T @ way(r, k, t) for t in range(1, T + 1) for k in range(1, t + 1)}
    assert len(terms) == T * (T + 1) // 2 and same(r.Wh.grad, sum(terms.values()))
    # Without the sum over k, as it stands in print, it is another matrix.
    assert not torch.allclose(r.Wh.grad, sum(terms[1, t] for t in range(1, T + 1)), rtol=0.1)


@chapter.shows(
    "eq-rnn-truncated",
    r"""\begin{aligned}
    \bar W_h^{\text{cut}} &= \sum_{t=1}^{T} \sum_{k = s_t}^{t}
    h_{k-1}^\top \Big( \delta_t\, D_t\, W_h^\top D_{t-1} \cdots W_h^\top D_k \Big) \\
    s_t &= \tau \Big\lfloor \frac{t-1}{\tau} \Big\rfloor + 1
    \end{aligned}""",
)
def truncated():
    """Autograd, with the state detached at the start of each piece, finds the same terms."""
    for tau in (1, PIECE, T):
        r = run(cut=tau, examples=1)
        starts = {t: tau * ((t - 1) // tau) + 1 for t in range(1, T + 1)}
        expected = sum(r.h[k - 1].T @ way(r, k, t) for t in range(1, T + 1) for k in range(starts[t], t + 1))
        assert same(r.Wh.grad, expected)
    assert not same(run(cut=PIECE, examples=1).Wh.grad, run(examples=1).Wh.grad)


@chapter.shows("eq-rnn-cost", r"\sum_{b=1}^{B} b\,T = \frac{T\, B\, (B + 1)}{2}")
def cost():
    for pieces in (1, 2, 7):
        steps, kept = 0, 0
        for _ in range(pieces):
            kept += T  # the states of this piece are kept beside those of all earlier ones
            steps += kept
        assert steps == T * pieces * (pieces + 1) // 2


@chapter.shows(
    "eq-rnn-pairs",
    r"""\begin{aligned}
    &-\frac{1}{M} \sum_{a,b} n(ab) \ln q(b \mid a) \\
    &\qquad \ge -\frac{1}{M} \sum_{a,b} n(ab) \ln \frac{n(ab)}{n(a)}
    \end{aligned}""",
)
def no_table_of_pairs_is_better_than_the_counts():
    rng = np.random.default_rng(0)
    n = rng.integers(0, 9, size=(4, 4))  # some pairs never occur
    assert (n == 0).any()
    counts = n / n.sum(axis=1, keepdims=True)

    def loss(q):
        return -np.sum(n[n > 0] * np.log(q[n > 0])) / n.sum()

    def mixed(share):
        other = rng.dirichlet(np.ones(4), size=4)
        return (1 - share) * counts + share * other

    assert all(loss(mixed(share)) > loss(counts) for share in (1.0, 0.3, 0.01) for _ in range(100))


test_a_formula_is_right, test_every_formula_has_its_check = chapter.tests()

"""The formulas of the page *Training on long text*."""

import numpy as np
import torch

from tests.chapter_formulas import Chapter
from tests.formulas.rnn_run import PIECE, T, run, same

chapter = Chapter("long-text")


def slopes(r, t):
    """D_t, of the one example."""
    return torch.diag(1 - r.h[t][0] ** 2)


def path(r, k, t):
    """delta_t D_t Wh' D_{t-1} ... Wh' D_k, of the one example."""
    row = r.immediate[t] @ slopes(r, t)
    for j in range(t - 1, k - 1, -1):
        row = row @ r.Wh.T @ slopes(r, j)
    return row


@chapter.shows(
    "eq-long-memory",
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


@chapter.shows("eq-long-recursion", r"\bar a_k = \delta_k D_k + \bar a_{k+1} W_h^\top D_k")
def recursion():
    r = run(examples=1)
    for k in range(1, T):
        assert same(
            r.a[k].grad, r.immediate[k] @ slopes(r, k) + r.a[k + 1].grad @ r.Wh.T @ slopes(r, k)
        )


@chapter.shows(
    "eq-long-unrolled",
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
        assert same(r.a[k].grad, path(r, k, k) + path(r, k, k + 1) + rest)
    for k in range(1, T + 1):
        assert same(r.a[k].grad, sum(path(r, k, t) for t in range(k, T + 1)))


@chapter.shows(
    "eq-long-double-sum",
    r"""\bar W_h = \sum_{t=1}^{T} \sum_{k=1}^{t}
    h_{k-1}^\top \Big( \delta_t\, D_t\, W_h^\top D_{t-1} \cdots W_h^\top D_k \Big)""",
)
def double_sum():
    r = run(examples=1)
    terms = {(k, t): r.h[k - 1].T @ path(r, k, t) for t in range(1, T + 1) for k in range(1, t + 1)}
    assert len(terms) == T * (T + 1) // 2 and same(r.Wh.grad, sum(terms.values()))
    # Without the sum over k, as it stands in print, it is another matrix.
    assert not torch.allclose(r.Wh.grad, sum(terms[1, t] for t in range(1, T + 1)), rtol=0.1)


@chapter.shows(
    "eq-long-truncated",
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
        expected = sum(
            r.h[k - 1].T @ path(r, k, t) for t in range(1, T + 1) for k in range(starts[t], t + 1)
        )
        assert same(r.Wh.grad, expected)
    assert not same(run(cut=PIECE, examples=1).Wh.grad, run(examples=1).Wh.grad)


@chapter.shows("eq-long-cost", r"\sum_{b=1}^{B} b\,T = \frac{T\, B\, (B + 1)}{2}")
def cost():
    for pieces in (1, 2, 7):
        steps, kept = 0, 0
        for _ in range(pieces):
            kept += T  # the states of this piece are kept beside those of all earlier ones
            steps += kept
        assert steps == T * pieces * (pieces + 1) // 2


@chapter.shows(
    "eq-long-pairs",
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

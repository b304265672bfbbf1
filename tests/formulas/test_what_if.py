"""The formulas of the page *What if we drop this gate?*: PyTorch's own cells, autograd and closed
forms find what they say.
"""

from functools import cache

import numpy as np
import torch

from lstm_ref.gru import gru_forward
from lstm_ref.rnn import rnn_forward
from lstm_ref.variants import VARIANTS, variant_forward
from tests.chapter_formulas import Chapter
from tests.formulas.autograd_run import same

chapter = Chapter("what-if")
N, T, D, H = 2, 7, 3, 4


@cache
def run(variant):
    """A run of `variant_forward`, and its pre-activations computed once more: x, h, c (with the
    initial state), a, weights.
    """
    rng = np.random.default_rng(0)
    blocks = VARIANTS[variant].blocks
    x, h0, c0 = rng.normal(size=(N, T, D)), rng.normal(size=(N, H)), rng.normal(size=(N, H))
    weights = {
        "Wx": rng.normal(size=(D, len(blocks) * H)),
        "Wh": rng.normal(size=(H, len(blocks) * H)),
    }
    weights["b"] = rng.normal(size=len(blocks) * H)
    for name in VARIANTS[variant].axes:
        if name.startswith("p_"):
            weights[name] = rng.normal(size=H)
    _, _, step = variant_forward(x, h0, c0, **weights, variant=variant)
    h, c = torch.from_numpy(step.h), torch.from_numpy(step.c)
    tensors = {name: torch.from_numpy(array) for name, array in weights.items()}
    a = []
    for t in range(T):
        whole = torch.from_numpy(x[:, t]) @ tensors["Wx"] + h[t] @ tensors["Wh"] + tensors["b"]
        a.append(dict(zip(blocks, whole.split(H, dim=1), strict=True)))
    return h, c, a, tensors


def logistic(a):
    return 1 / (1 + torch.exp(-a))


@chapter.shows("eq-what-if-no-forget", r"c_t = c_{t-1} + i_t \odot g_t")
def no_forget():
    _, c, a, _ = run("no_forget_gate")
    assert all(same(c[t + 1], c[t] + logistic(a[t]["i"]) * torch.tanh(a[t]["g"])) for t in range(T))


@chapter.shows(
    "eq-what-if-sum",
    r"c_T = c_0 + \sum_{t=1}^{T} i_t \odot g_t, \qquad \lvert c_T - c_0 \rvert < T",
)
def sum_of_entries():
    _, c, a, _ = run("no_forget_gate")
    entries = torch.stack([logistic(step["i"]) * torch.tanh(step["g"]) for step in a])
    assert same(c[T], c[0] + entries.sum(dim=0)) and ((c[T] - c[0]).abs() < T).all()
    # As large as the biases allow: the bound is reached from below.
    one = np.zeros((1, 1))
    wide = {"Wx": np.zeros((1, 3)), "Wh": np.zeros((1, 3)), "b": np.array([12.0, 9.0, 0.0])}
    _, (_, cT), _ = variant_forward(np.zeros((1, T, 1)), one, one, **wide, variant="no_forget_gate")
    assert T - 0.01 < cT.item() < T


@chapter.shows("eq-what-if-no-input", r"c_t = f_t \odot c_{t-1} + g_t")
def no_input():
    _, c, a, _ = run("no_input_gate")
    assert all(same(c[t + 1], logistic(a[t]["f"]) * c[t] + torch.tanh(a[t]["g"])) for t in range(T))


@chapter.shows(
    "eq-what-if-leak",
    r"\lvert c_T \rvert \;\le\; f^T \lvert c_0 \rvert + \frac{1 - f^T}{1 - f}",
)
def leak():
    _, c, a, _ = run("no_input_gate")
    # of each unit, the largest of all steps
    f = torch.stack([logistic(step["f"]) for step in a]).amax(dim=0)
    assert (c[T].abs() <= f**T * c[0].abs() + (1 - f**T) / (1 - f)).all()
    # A constant gate and candidates of 1 reach it.
    one, f = np.ones((1, 1)), 0.8
    constant = {
        "Wx": np.zeros((1, 3)),
        "Wh": np.zeros((1, 3)),
        "b": np.array([np.log(f / (1 - f)), 20.0, 0.0]),
    }
    _, (_, cT), _ = variant_forward(
        np.zeros((1, T, 1)), one, one, **constant, variant="no_input_gate"
    )
    assert np.isclose(cT.item(), f**T + sum(f**k for k in range(T)))


@chapter.shows("eq-what-if-no-output", r"h_t = \tanh(c_t)")
def no_output():
    h, c, a, _ = run("no_output_gate")
    assert same(h[1:], torch.tanh(c[1:])) and set(a[0]) == set("ifg")


@chapter.shows("eq-what-if-no-output-tanh", r"h_t = o_t \odot c_t")
def no_output_tanh():
    h, c, a, _ = run("no_output_tanh")
    assert all(same(h[t + 1], logistic(a[t]["o"]) * c[t + 1]) for t in range(T))


@chapter.shows("eq-what-if-coupled", r"c_t = f_t \odot c_{t-1} + (1 - f_t) \odot g_t")
def coupled():
    _, c, a, _ = run("coupled")
    # lerp is PyTorch's weighted mean
    assert all(
        same(c[t + 1], torch.lerp(torch.tanh(a[t]["g"]), c[t], logistic(a[t]["f"])))
        for t in range(T)
    )


@chapter.shows(
    "eq-what-if-mean", r"\lvert c_t \rvert \;\le\; \max\big(\lvert c_{t-1} \rvert,\, 1\big)"
)
def stays_in_range():
    _, c, _, _ = run("coupled")
    assert (c[0].abs() > 1).any() and (c[1:].abs() <= torch.clamp(c[:-1].abs(), min=1)).all()


@chapter.shows(
    "eq-what-if-peepholes",
    r"""\begin{aligned}
    i_t &= \sigma(a_i + p_i \odot c_{t-1}) \\
    f_t &= \sigma(a_f + p_f \odot c_{t-1}) \\
    o_t &= \sigma(a_o + p_o \odot c_t)
    \end{aligned}""",
)
def peepholes():
    h, c, a, w = run("peepholes")
    for t in range(T):
        i, f = (logistic(a[t][k] + w[f"p_{k}"] * c[t]) for k in "if")
        assert same(c[t + 1], f * c[t] + i * torch.tanh(a[t]["g"]))
        assert same(h[t + 1], logistic(a[t]["o"] + w["p_o"] * c[t + 1]) * torch.tanh(c[t + 1]))


@chapter.shows(
    "eq-what-if-gru",
    r"""\begin{aligned}
    r_t &= \sigma(x_t W_{xr} + h_{t-1} W_{hr} + b_r) \\
    z_t &= \sigma(x_t W_{xz} + h_{t-1} W_{hz} + b_z) \\
    n_t &= \tanh\big(x_t W_{xn} + b_n \\
    &\qquad\; + r_t \odot (h_{t-1} W_{hn} + b_{hn})\big) \\
    h_t &= (1 - z_t) \odot n_t + z_t \odot h_{t-1}
    \end{aligned}""",
)
def gru():
    cell = torch.nn.GRUCell(D, H).double()
    x, h = torch.randn(N, D, dtype=torch.float64), torch.randn(N, H, dtype=torch.float64)
    Wx, Wh, b_x, b_h = (
        p.detach() for p in (cell.weight_ih.T, cell.weight_hh.T, cell.bias_ih, cell.bias_hh)
    )
    (x_r, x_z, x_n), (h_r, h_z, h_n) = (x @ Wx).split(H, dim=1), (h @ Wh).split(H, dim=1)
    b_r, b_z = (b_x + b_h).split(H)[:2]
    r, z = logistic(x_r + h_r + b_r), logistic(x_z + h_z + b_z)
    n = torch.tanh(x_n + b_x[2 * H :] + r * (h_n + b_h[2 * H :]))
    after = (1 - z) * n + z * h
    assert same(after, cell(x, h).detach())
    b = torch.cat([b_r, b_z, b_x[2 * H :]])
    arrays = [
        tensor.numpy()
        for tensor in (x[:, None], h, Wx.contiguous(), Wh.contiguous(), b, b_h[2 * H :].clone())
    ]
    assert same(gru_forward(*arrays)[1], after)


@chapter.shows("eq-what-if-rnn", r"h_t = \tanh(x_t W_x + h_{t-1} W_h + b)")
def rnn():
    cell = torch.nn.RNNCell(D, H).double()
    x, h = torch.randn(N, D, dtype=torch.float64), torch.randn(N, H, dtype=torch.float64)
    Wx, Wh, b = (
        cell.weight_ih.detach().T,
        cell.weight_hh.detach().T,
        (cell.bias_ih + cell.bias_hh).detach(),
    )
    after = torch.tanh(x @ Wx + h @ Wh + b)
    arrays = [tensor.contiguous().numpy() for tensor in (x[:, None], h, Wx, Wh, b)]
    assert same(cell(x, h).detach(), after) and same(rnn_forward(*arrays)[1], after)


@chapter.shows("eq-what-if-task", r"y_t = (1 - r_t)\, y_{t-1} + w_t\, v_t")
def task():
    rng = np.random.default_rng(2)
    v, w, r = rng.uniform(-1, 1, size=50), rng.random(50) < 0.3, rng.random(50) < 0.1
    y = 0.0
    for t in range(50):
        y = (1 - r[t]) * y + w[t] * v[t]
        since = max(
            [0, *np.flatnonzero(r[: t + 1])]
        )  # in words: the flagged numbers since the last reset, that step included
        assert np.isclose(y, v[since : t + 1][w[since : t + 1]].sum())


@chapter.shows(
    "eq-what-if-error",
    r"E = \frac{\operatorname{mean}\big((\hat y - y)^2\big)}{\operatorname{var}(y)}",
)
def error():
    y = np.random.default_rng(3).normal(2, 3, size=(4, 9))

    def measure(guess):
        return np.mean((guess - y) ** 2) / np.var(y)

    assert np.isclose(measure(np.full_like(y, y.mean())), 1) and measure(y) == 0
    # R^2 of a guess that goes half way
    assert np.isclose(1 - measure(0.5 * y + 0.5 * y.mean()), 0.75)


test_a_formula_is_right, test_every_formula_has_its_check = chapter.tests()

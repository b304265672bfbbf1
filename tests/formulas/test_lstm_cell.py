"""The formulas of the page *The LSTM cell*."""

import numpy as np
import torch

from lstm_ref import lstm_step
from lstm_ref.frameworks.convert import convert
from tests.chapter_formulas import Chapter
from tests.formulas.autograd_run import H, T, ours, run, same

chapter = Chapter("lstm-cell")


@chapter.shows("eq-cell-forget-only", r"c_t = f_t\, c_{t-1} + x_t")
def forget_only():
    f, c = 0.9, 0.0
    for x_t in np.ones(6):
        c = f * c + x_t
    assert np.isclose(c, (1 - f**6) / (1 - f))  # the closed form of a sum that fades


@chapter.shows("eq-cell-forget-and-write", r"c_t = f_t\, c_{t-1} + i_t\, x_t")
def forget_and_write():
    f, x, c = 0.9, np.arange(1.0, 7.0), 0.0
    for x_t, i_t in zip(x, [0, 1, 0, 0, 0, 0], strict=True):
        c = f * c + i_t * x_t
    assert np.isclose(c, f**4 * x[1])  # the one number that was written, four steps later


@chapter.shows(
    "eq-cell-candidate",
    r"""\begin{aligned}
    g_t &= \tanh(\text{something from } x_t \text{ and } h_{t-1}) \\
    c_t &= f_t\, c_{t-1} + i_t\, g_t
    \end{aligned}""",
)
def candidate():
    r = run()
    assert all(
        same(ours(r, t)[1], r.f[t] * r.c[t - 1] + r.i[t] * r.g[t]) and (r.g[t].abs() < 1).all()
        for t in (1, 2)
    )


@chapter.shows("eq-cell-output", r"h_t = o_t \tanh(c_t)")
def output():
    r = run()
    assert all(same(ours(r, t)[0], r.o[t] * torch.tanh(r.c[t])) for t in range(1, T + 1))


@chapter.shows("eq-cell-sigmoid", r"\sigma(a) = \frac{1}{1 + e^{-a}}")
def logistic():
    r = run()
    assert same(ours(r, 1)[2].i, 1 / (1 + torch.exp(-r.a[1]["i"])))


@chapter.shows(
    "eq-cell-six-equations",
    r"""\begin{aligned}
    i_t &= \sigma(x_t W_{xi} + h_{t-1} W_{hi} + b_i) \quad \text{(write)} \\
    f_t &= \sigma(x_t W_{xf} + h_{t-1} W_{hf} + b_f) \quad \text{(keep)} \\
    g_t &= \tanh(x_t W_{xg} + h_{t-1} W_{hg} + b_g) \quad \text{(propose)} \\
    o_t &= \sigma(x_t W_{xo} + h_{t-1} W_{ho} + b_o) \quad \text{(read)} \\
    c_t &= f_t \odot c_{t-1} + i_t \odot g_t \\
    h_t &= o_t \odot \tanh(c_t)
    \end{aligned}""",
)
def six_equations():
    r = run()
    for t in range(1, T + 1):
        h, c, cache = ours(r, t)
        assert same(h, r.h[t]) and same(c, r.c[t])
        assert all(same(getattr(cache, gate), getattr(r, gate)[t]) for gate in "ifgo")


@chapter.shows(
    "eq-cell-one-product",
    r"""\begin{aligned}
    a_t &= x_t W_x + h_{t-1} W_h + b \\
    a_t &= [\,a_i \mid a_f \mid a_g \mid a_o\,]
    \end{aligned}""",
)
def one_product():
    r = run()
    a = r.x[2] @ r.packed["Wx"] + r.h[1] @ r.packed["Wh"] + r.packed["b"]
    assert all(
        same(part, r.a[2][gate])
        for part, gate in zip(torch.split(a, H, dim=1), "ifgo", strict=True)
    )


def stacked(r, gate):
    """The matrix of one gate as the other notation has it: for columns, h above x."""
    return torch.cat([r.Wh[gate], r.Wx[gate]]).T


@chapter.shows(
    "eq-cell-other-notation",
    r"""\begin{aligned}
    f_t &= \sigma(W_f \cdot [h_{t-1}, x_t] + b_f) \\
    i_t &= \sigma(W_i \cdot [h_{t-1}, x_t] + b_i) \\
    \tilde C_t &= \tanh(W_C \cdot [h_{t-1}, x_t] + b_C) \\
    C_t &= f_t * C_{t-1} + i_t * \tilde C_t \\
    o_t &= \sigma(W_o \cdot [h_{t-1}, x_t] + b_o) \\
    h_t &= o_t * \tanh(C_t)
    \end{aligned}""",
)
def seed_notation():
    r = run()
    z = torch.cat([r.h[0][0], r.x[1][0]])
    f, i, C_tilde, o = (
        squash(stacked(r, gate) @ z + r.b[gate])
        for gate, squash in (
            ("f", torch.sigmoid),
            ("i", torch.sigmoid),
            ("g", torch.tanh),
            ("o", torch.sigmoid),
        )
    )
    C = f * r.c[0][0] + i * C_tilde
    assert same(C, r.c[1][0]) and same(o * torch.tanh(C), r.h[1][0])


@chapter.shows(
    "eq-cell-stacked-matrix",
    r"""\begin{aligned}
    W_f \cdot [h_{t-1}, x_t] &= \big(h_{t-1} W_{hf} + x_t W_{xf}\big)^\top \\
    W_f &= \begin{bmatrix} W_{hf} \\ W_{xf} \end{bmatrix}^{\!\top}
    \end{aligned}""",
)
def stacked_matrix():
    r = run()
    columns = torch.cat([r.h[0], r.x[1]], dim=1).T  # one example is one column
    assert same(stacked(r, "f") @ columns, (r.h[0] @ r.Wh["f"] + r.x[1] @ r.Wx["f"]).T)
    here = {name: array.detach().numpy() for name, array in r.packed.items()}
    assert same(convert(here, "here", "seed")["W_f"], stacked(r, "f"))


@chapter.shows(
    "eq-cell-half-life",
    r"""\frac{c_k}{c_0} = \sigma(b_f)^k = \frac12
    \quad \text{for} \quad k = \frac{\ln 2}{-\ln \sigma(b_f)}""",
)
def half_life():
    b_f = np.log(0.9 / 0.1)  # f = 0.9
    nothing, c = np.zeros((1, 1)), np.full((1, 1), 3.0)
    for _ in range(7):
        _, c, _ = lstm_step(
            nothing, nothing, c, np.zeros((1, 4)), np.zeros((1, 4)), np.array([0, b_f, 0, 0])
        )
    assert np.isclose(c.item() / 3, 0.9**7)
    k = np.log(2) / -np.log(1 / (1 + np.exp(-b_f)))
    assert np.isclose(0.9**k, 0.5) and 6 < k < 7


@chapter.shows(
    "eq-cell-forget-product",
    (
        r"\frac{\partial c_T}{\partial c_0}\bigg|_{\text{gates fixed}} = f_1 \odot f_2 \odot "
        r"\cdots \odot f_T"
    ),
)
def product_of_forget_gates():
    r = run()
    c0 = r.c[0].detach().requires_grad_()
    c = c0
    for t in range(1, T + 1):
        c = r.f[t].detach() * c + r.i[t].detach() * r.g[t].detach()
    c.sum().backward()
    assert same(c0.grad, torch.stack(r.f[1:]).prod(dim=0))


test_a_formula_is_right, test_every_formula_has_its_check = chapter.tests()

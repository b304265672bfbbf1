"""The formulas of the cheat sheet: shorter forms of those of the chapters, checked by the same
run.
"""

import torch

from tests.chapter_formulas import Chapter
from tests.formulas.autograd_run import H, T, comes_back, run, same

chapter = Chapter("cheat-sheet")


@chapter.shows(
    "eq-sheet-cell",
    r"""\begin{aligned}
    a_t &= x_t W_x + h_{t-1} W_h + b = [\,a_i \mid a_f \mid a_g \mid a_o\,] \\
    i_t, f_t, o_t &= \sigma(a_i), \sigma(a_f), \sigma(a_o) \qquad g_t = \tanh(a_g) \\
    c_t &= f_t \odot c_{t-1} + i_t \odot g_t \\
    h_t &= o_t \odot \tanh(c_t)
    \end{aligned}""",
)
def the_cell():
    r = run()
    for t in range(1, T + 1):
        a = r.x[t] @ r.packed["Wx"] + r.h[t - 1] @ r.packed["Wh"] + r.packed["b"]
        a_i, a_f, a_g, a_o = torch.split(a, H, dim=1)
        c = torch.sigmoid(a_f) * r.c[t - 1] + torch.sigmoid(a_i) * torch.tanh(a_g)
        assert same(c, r.c[t]) and same(torch.sigmoid(a_o) * torch.tanh(c), r.h[t])


@chapter.shows(
    "eq-sheet-step-back",
    r"""\begin{aligned}
    \bar c_t &= \bar c_t^{\,\text{next}} + \bar h_t \odot o_t \odot (1 - \tanh^2 c_t) \\
    \bar a_i &= \bar c_t \odot g_t \odot i_t \odot (1 - i_t) \\
    \bar a_f &= \bar c_t \odot c_{t-1} \odot f_t \odot (1 - f_t) \\
    \bar a_g &= \bar c_t \odot i_t \odot (1 - g_t^2) \\
    \bar a_o &= \bar h_t \odot \tanh(c_t) \odot o_t \odot (1 - o_t) \\
    \bar c_{t-1}^{\,\text{next}} &= \bar c_t \odot f_t \\
    \bar h_{t-1} &= \partial L / \partial h_{t-1} + \bar a_t W_h^\top
    \end{aligned}""",
)
def one_step_back():
    r = run()
    for t in range(1, T + 1):
        dc, dh, tanh_c, (i, f, g, o) = (
            r.c[t].grad,
            r.h[t].grad,
            torch.tanh(r.c[t]),
            (r.i[t], r.f[t], r.g[t], r.o[t]),
        )
        assert same(dc, comes_back(r, t) + dh * o * (1 - tanh_c**2))
        da = (
            dc * g * i * (1 - i),
            dc * r.c[t - 1] * f * (1 - f),
            dc * i * (1 - g**2),
            dh * tanh_c * o * (1 - o),
        )
        assert same(torch.cat(da, dim=1), r.da[t])
        if t > 1:
            assert same(comes_back(r, t - 1), dc * f)
            assert same(r.h[t - 1].grad, r.immediate[t - 1] + r.da[t] @ r.packed["Wh"].T)
    assert same(r.c[0].grad, r.c[1].grad * r.f[1])  # nothing else looks at c_0


@chapter.shows(
    "eq-sheet-weights",
    r"""\begin{aligned}
    \bar W_x &= \sum_t x_t^\top \bar a_t & \bar x_t &= \bar a_t W_x^\top \\
    \bar W_h &= \sum_t h_{t-1}^\top \bar a_t & \bar b &= \sum_{t,n} \bar a_{t,n}
    \end{aligned}""",
)
def weights_and_input():
    r = run()
    steps = range(1, T + 1)
    assert same(r.dpacked["Wx"], sum(r.x[t].T @ r.da[t] for t in steps))
    assert same(r.dpacked["Wh"], sum(r.h[t - 1].T @ r.da[t] for t in steps))
    assert same(r.dpacked["b"], sum(r.da[t].sum(dim=0) for t in steps))
    assert all(same(r.x[t].grad, r.da[t] @ r.packed["Wx"].T) for t in steps)


test_a_formula_is_right, test_every_formula_has_its_check = chapter.tests()

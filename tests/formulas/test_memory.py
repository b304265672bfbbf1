"""The formula of the page *What the gates do to the gradient*."""

import torch

from tests.chapter_formulas import Chapter
from tests.formulas import autograd_run
from tests.formulas.autograd_run import same

chapter = Chapter("memory")


def row(*shape, seed=1):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@chapter.shows(
    "eq-memory-two-ways",
    r"""\begin{aligned}
    \bar c_{t-1} &= \underbrace{\bar c_t \odot f_t}_{\text{along the cell state}} \;+\;
    \underbrace{\bar h_{t-1} \odot o_{t-1} \odot \big(1 - \tanh^2(c_{t-1})\big)}_{\text{through }
        h_{t-1}
    \text{ and the gates}} \\
    \bar h_{t-1} &= \bar a_t\, W_h^\top
    \end{aligned}""",
)
def two_ways():
    r, last = autograd_run.run(), autograd_run.T
    with torch.no_grad():
        w = {name: array.clone() for name, array in r.packed.items()}
    h, c, a, f, o = (
        [r.h[0].detach().requires_grad_()],
        [r.c[0].detach().requires_grad_()],
        [None],
        [None],
        [None],
    )
    for t in range(1, last + 1):
        a.append(r.x[t].detach() @ w["Wx"] + h[-1] @ w["Wh"] + w["b"])
        a_i, a_f, a_g, a_o = a[t].chunk(4, dim=1)
        f.append(torch.sigmoid(a_f))
        o.append(torch.sigmoid(a_o))
        c.append(f[t] * c[-1] + torch.sigmoid(a_i) * torch.tanh(a_g))
        h.append(o[t] * torch.tanh(c[t]))
    loss = (row(*h[last].shape) * h[last]).sum()  # looks at the last step only

    def bar(node):
        return torch.autograd.grad(loss, node, retain_graph=True)[0]

    for t in range(2, last + 1):
        assert same(bar(h[t - 1]), bar(a[t]) @ w["Wh"].T)
        through_h = bar(h[t - 1]) * o[t - 1] * (1 - torch.tanh(c[t - 1]) ** 2)
        assert same(bar(c[t - 1]), bar(c[t]) * f[t] + through_h)


test_a_formula_is_right, test_every_formula_has_its_check = chapter.tests()

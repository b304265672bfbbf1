"""The formulas of the page *Backpropagation through time*: what autograd finds is what they say."""

import numpy as np
import torch

from tests.chapter_formulas import Chapter, source_of
from tests.formulas.autograd_run import H, N, T, comes_back, run, same

chapter = Chapter("bptt")


@chapter.shows(
    "eq-bptt-total", r"\bar h_t = \frac{\partial L}{\partial h_t} + \bar a_{t+1} W_h^\top"
)
def total_and_immediate():
    r = run()
    for t in range(1, T):
        assert same(r.h[t].grad, r.immediate[t] + r.da[t + 1] @ r.packed["Wh"].T)
    assert same(r.h[T].grad, r.immediate[T])


@chapter.shows(
    "eq-bptt-sigmoid-slope",
    r"""\begin{aligned}
    \frac{ds}{da} &= \frac{e^{-a}}{(1 + e^{-a})^2} \\
    &= \frac{1}{1 + e^{-a}} \cdot \frac{e^{-a}}{1 + e^{-a}} = s\,(1 - s)
    \end{aligned}""",
)
def sigmoid_prime():
    a = torch.linspace(-4, 4, 9, dtype=torch.float64, requires_grad=True)
    torch.sigmoid(a).sum().backward()
    e, s = torch.exp(-a), torch.sigmoid(a)
    assert (
        same(a.grad, e / (1 + e) ** 2)
        and same(a.grad, 1 / (1 + e) * e / (1 + e))
        and same(a.grad, s * (1 - s))
    )


@chapter.shows(
    "eq-bptt-tanh-slope", r"\frac{dy}{da} = \frac{\cosh^2(a) - \sinh^2(a)}{\cosh^2(a)} = 1 - y^2"
)
def tanh_prime():
    a = torch.linspace(-4, 4, 9, dtype=torch.float64, requires_grad=True)
    torch.tanh(a).sum().backward()
    cosh2, sinh2 = torch.cosh(a) ** 2, torch.sinh(a) ** 2
    assert same(a.grad, (cosh2 - sinh2) / cosh2) and same(a.grad, 1 - torch.tanh(a) ** 2)


@chapter.shows(
    "eq-bptt-product-by-weights",
    r"""\begin{aligned}
    \bar W_{dk} &= \sum_n \bar a_{nk}\, \frac{\partial a_{nk}}{\partial W_{dk}}
        = \sum_n x_{nd}\, \bar a_{nk} \\
    \bar W &= x^\top \bar a
    \end{aligned}""",
)
def product_by_weights():
    r = run()
    x, W = r.x[1].detach(), r.packed["Wx"].detach().requires_grad_()
    bar_a = r.da[1]
    (bar_a * (x @ W)).sum().backward()
    d, k = 1, 7
    assert same(W.grad[d, k], sum(x[n, d] * bar_a[n, k] for n in range(N))) and same(
        W.grad, x.T @ bar_a
    )


@chapter.shows(
    "eq-bptt-product-by-input",
    r"""\begin{aligned}
    \bar x_{nd} &= \sum_k \bar a_{nk}\, \frac{\partial a_{nk}}{\partial x_{nd}}
        = \sum_k \bar a_{nk}\, W_{dk} \\
    \bar x &= \bar a\, W^\top
    \end{aligned}""",
)
def product_by_input():
    r = run()
    W, bar_a = r.packed["Wx"].detach(), r.da[1]
    n, d = 2, 1
    assert same(r.x[1].grad[n, d], sum(bar_a[n, k] * W[d, k] for k in range(4 * H)))
    assert same(r.x[1].grad, bar_a @ W.T)


@chapter.shows("eq-bptt-output-gate", r"\bar o_t = \bar h_t \odot \tanh(c_t)")
def output_gate():
    r = run()
    assert all(same(r.o[t].grad, r.h[t].grad * torch.tanh(r.c[t])) for t in range(1, T + 1))


@chapter.shows(
    "eq-bptt-cell-state",
    r"\bar c_t = \bar c_t^{\,\text{next}} + \bar h_t \odot o_t \odot \big(1 - \tanh^2(c_t)\big)",
)
def cell_state():
    r = run()
    for t in range(1, T + 1):
        assert same(
            r.c[t].grad, comes_back(r, t) + r.h[t].grad * r.o[t] * (1 - torch.tanh(r.c[t]) ** 2)
        )


@chapter.shows(
    "eq-bptt-products",
    r"""\begin{aligned}
    \bar i_t &= \bar c_t \odot g_t & \bar f_t &= \bar c_t \odot c_{t-1} \\
    \bar g_t &= \bar c_t \odot i_t & \bar c_{t-1}^{\,\text{next}} &= \bar c_t \odot f_t
    \end{aligned}""",
)
def products():
    r = run()
    for t in range(1, T + 1):
        assert same(r.i[t].grad, r.c[t].grad * r.g[t]) and same(r.g[t].grad, r.c[t].grad * r.i[t])
        assert same(r.f[t].grad, r.c[t].grad * r.c[t - 1])
    assert same(r.c[0].grad, r.c[1].grad * r.f[1])  # nothing else looks at c_0


@chapter.shows(
    "eq-bptt-activations",
    r"""\begin{aligned}
    \bar a_i &= \bar i_t \odot i_t \odot (1 - i_t) & \bar a_f
        &= \bar f_t \odot f_t \odot (1 - f_t) \\
    \bar a_g &= \bar g_t \odot (1 - g_t^2) & \bar a_o &= \bar o_t \odot o_t \odot (1 - o_t)
    \end{aligned}""",
)
def activations():
    r = run()
    for t in range(1, T + 1):
        for gate in "ifo":
            s = getattr(r, gate)[t]
            assert same(r.a[t][gate].grad, s.grad * s * (1 - s))
        assert same(r.a[t]["g"].grad, r.g[t].grad * (1 - r.g[t] ** 2))


@chapter.shows(
    "eq-bptt-affine",
    r"""\begin{aligned}
    \bar x_t &= \bar a_t W_x^\top & \bar W_x &= x_t^\top \bar a_t \\
    \bar b &= \sum_n \bar a_{t,n} & \bar W_h &= h_{t-1}^\top \bar a_t
    \end{aligned}""",
)
def affine():
    r = run()
    assert all(same(r.x[t].grad, r.da[t] @ r.packed["Wx"].T) for t in range(1, T + 1))
    packed = {name: array.detach().requires_grad_() for name, array in r.packed.items()}
    a = r.x[2].detach() @ packed["Wx"] + r.h[1].detach() @ packed["Wh"] + packed["b"]
    (r.da[2] * a).sum().backward()
    assert same(packed["Wx"].grad, r.x[2].T @ r.da[2]) and same(
        packed["Wh"].grad, r.h[1].T @ r.da[2]
    )
    assert same(packed["b"].grad, r.da[2].sum(dim=0))


@chapter.shows(
    "eq-bptt-sums-over-time",
    r"""\begin{aligned}
    \bar W_x &= \sum_{t=1}^{T} x_t^\top\, \bar a_t \\
    \bar W_h &= \sum_{t=1}^{T} h_{t-1}^\top\, \bar a_t \\
    \bar b &= \sum_{t=1}^{T} \sum_n \bar a_{t,n}
    \end{aligned}""",
)
def sums_over_time():
    r = run()
    steps = range(1, T + 1)
    assert same(r.dpacked["Wx"], sum(r.x[t].T @ r.da[t] for t in steps))
    assert same(r.dpacked["Wh"], sum(r.h[t - 1].T @ r.da[t] for t in steps))
    assert same(r.dpacked["b"], sum(r.da[t].sum(dim=0) for t in steps))


@chapter.shows(
    "eq-bptt-taylor",
    (
        r"\frac{L(p + \varepsilon) - L(p - \varepsilon)}{2 \varepsilon} = L'(p) + "
        r"\frac{\varepsilon^2}{6} L'''(p) + \dots"
    ),
)
def taylor():
    p, eps = 0.7, 1e-2  # L = exp: all derivatives are exp(p)
    quotient = (np.exp(p + eps) - np.exp(p - eps)) / (2 * eps)
    assert np.isclose(quotient - np.exp(p), eps**2 / 6 * np.exp(p), rtol=1e-4)


@chapter.shows(
    "eq-bptt-error-of-the-quotient",
    r"""\text{error} \;\approx\; \frac{\varepsilon^2}{6}\, |L'''| + \frac{u\, |L|}{\varepsilon}""",
)
def error_of_the_quotient():
    # L = 1 + p**3 / 6 at p = 0: L' = 0 and the third derivative is 1, so what the quotient says is
    # its error.
    for eps in (0.1, 0.3):
        quotient = ((1 + eps**3 / 6) - (1 - eps**3 / 6)) / (2 * eps)
        assert np.isclose(quotient, eps**2 / 6)
    # here the first part is far below the rounding of L, which is near 1
    eps, u = 1e-9, np.finfo(float).eps / 2
    errors = [
        ((1 + p) - (1 - p)) / 2 / eps - p / eps
        for p in eps * np.random.default_rng(0).uniform(0.5, 1.5, 200)
    ]
    assert 0.1 * u / eps < np.sqrt(np.mean(np.square(errors))) < 10 * u / eps


@chapter.shows(
    "eq-bptt-best-step",
    r"\frac{\varepsilon}{3}\, |L'''| = \frac{u\, |L|}{\varepsilon^2}, \qquad "
    r"\varepsilon = \sqrt[3]{\frac{3\, u\, |L|}{|L'''|}}",
)
def best_step():
    u, L, third = 1.1e-16, 3.0, 20.0

    def error(eps):
        return eps**2 / 6 * third + u * L / eps

    best = np.cbrt(3 * u * L / third)
    assert np.isclose(best / 3 * third, u * L / best**2)
    assert error(best) < min(error(0.99 * best), error(1.01 * best))


@chapter.shows(
    "eq-bptt-relative-error",
    r"\text{relative error} = \frac{\lVert \bar p_{\text{code}} - \bar p_{\text{numerical}} \rVert}"
    r"{\lVert \bar p_{\text{code}} \rVert + \lVert \bar p_{\text{numerical}} \rVert}",
)
def relative_error():
    # The page defines it in code, and asserts there what the text says of 0 and 1.
    line = (
        "return np.linalg.norm(a - n) / (np.linalg.norm(a) + np.linalg.norm(n)) if a.any() or "
        "n.any() else 0.0"
    )
    source = source_of("bptt")
    assert (
        line in source
        and "assert relative_error(u, u) == 0 and relative_error(u, v) == 1" in source
    )


@chapter.shows(
    "eq-bptt-projection",
    r"\frac{L(W + \varepsilon v) - L(W - \varepsilon v)}{2\varepsilon} \approx \langle \bar W, v "
    r"\rangle "
    r"= \sum_{jk} \bar W_{jk}\, v_{jk}",
)
def projection():
    rng = np.random.default_rng(0)
    W, v, eps = rng.normal(size=(3, 4)), rng.normal(size=(3, 4)), 1e-6

    def loss(W):
        return np.tanh(W).sum() ** 2

    bar_W = 2 * np.tanh(W).sum() * (1 - np.tanh(W) ** 2)
    assert np.isclose(
        (loss(W + eps * v) - loss(W - eps * v)) / (2 * eps), (bar_W * v).sum(), rtol=1e-7
    )


test_a_formula_is_right, test_every_formula_has_its_check = chapter.tests()

"""Every displayed formula of the two chapters, beside a second reading of it that is compared with PyTorch's autograd.

A formula that is added or changed in a page fails here until it has a check of its own. The pages check their formulas
themselves, by difference quotients; this file reads them once more, in another way.
"""

import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from lstm_ref import lstm_step
from lstm_ref.convert import DIALECTS, convert

BOOK = Path(__file__).parents[1] / "book"
PAGES = ("lstm-cell", "bptt")
N, T, D, H = 3, 4, 2, 5
CHECKS = {}


def shows(page, formula):
    """Register a check for a displayed formula of a page."""

    def register(check):
        CHECKS[page, " ".join(formula.split())] = check
        return check

    return register


def same(one, other):
    return torch.allclose(torch.as_tensor(one), torch.as_tensor(other), rtol=1e-9, atol=1e-12)


def prose(page):
    """Text of a page without its code cells."""
    return re.sub(r"^```.*?^```$", "", (BOOK / f"{page}.md").read_text(encoding="utf-8"), flags=re.S | re.M)


def displayed(page):
    return [" ".join(formula.split()) for formula in re.findall(r"\$\$(.+?)\$\$", prose(page), flags=re.S)]


@pytest.fixture(scope="module")
def run():
    """T steps of an LSTM in PyTorch, one tensor for each letter and step; `.grad` of each is its total derivative.

    Step t of the formulas is index t; index 0 is the initial state. Each gate has matrices of its own, so that nothing
    here depends on how the blocks are put side by side.
    """
    generator = torch.Generator().manual_seed(0)

    def draw(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.float64, requires_grad=True)

    Wx, Wh, b = ({gate: draw(*shape) for gate in "ifgo"} for shape in ((D, H), (H, H), (H,)))
    r = SimpleNamespace(Wx=Wx, Wh=Wh, b=b, x=[None], i=[None], f=[None], g=[None], o=[None], a=[None])
    r.h, r.c = [draw(N, H)], [draw(N, H)]
    for t in range(1, T + 1):
        r.x.append(draw(N, D))
        r.a.append({gate: r.x[t] @ Wx[gate] + r.h[t - 1] @ Wh[gate] + b[gate] for gate in "ifgo"})
        for gate in "ifo":
            getattr(r, gate).append(1 / (1 + torch.exp(-r.a[t][gate])))
        r.g.append(torch.sinh(r.a[t]["g"]) / torch.cosh(r.a[t]["g"]))
        r.c.append(r.f[t] * r.c[t - 1] + r.i[t] * r.g[t])
        r.h.append(r.o[t] * torch.tanh(r.c[t]))
        for tensor in (*r.a[t].values(), r.i[t], r.f[t], r.g[t], r.o[t], r.c[t], r.h[t]):
            tensor.retain_grad()
    # The loss looks at every hidden state; its immediate derivative by h_t is r.immediate[t].
    r.immediate = [None, *(torch.randn(N, H, generator=generator, dtype=torch.float64) for _ in range(T))]
    loss = sum((r.immediate[t] * r.h[t]).sum() for t in range(1, T + 1))
    loss.backward()
    r.da = [None, *(torch.cat([r.a[t][gate].grad for gate in "ifgo"], dim=1) for t in range(1, T + 1))]
    r.packed = {name: torch.cat([w[gate] for gate in "ifgo"], dim=-1) for name, w in (("Wx", Wx), ("Wh", Wh), ("b", b))}
    r.dpacked = {
        name: torch.cat([w[gate].grad for gate in "ifgo"], dim=-1) for name, w in (("Wx", Wx), ("Wh", Wh), ("b", b))
    }
    return r


def comes_back(r, t):
    """What comes back to c_t along the cell state from step t+1."""
    return r.c[t + 1].grad * r.f[t + 1] if t < T else torch.zeros(N, H, dtype=torch.float64)


def ours(r, t):
    """h and c of step t by `lstm_step`."""
    arrays = [array.detach().numpy() for array in (r.x[t], r.h[t - 1], r.c[t - 1], *r.packed.values())]
    h, c, cache = lstm_step(*arrays)
    return torch.from_numpy(h), torch.from_numpy(c), cache


# The LSTM cell


@shows("lstm-cell", r"c_t = f_t\, c_{t-1} + x_t")
def forget_only(r):
    f, c = 0.9, 0.0
    for x_t in np.ones(6):
        c = f * c + x_t
    assert np.isclose(c, (1 - f**6) / (1 - f))  # the closed form of a sum that fades


@shows("lstm-cell", r"c_t = f_t\, c_{t-1} + i_t\, x_t")
def forget_and_write(r):
    f, x, c = 0.9, np.arange(1.0, 7.0), 0.0
    for x_t, i_t in zip(x, [0, 1, 0, 0, 0, 0], strict=True):
        c = f * c + i_t * x_t
    assert np.isclose(c, f**4 * x[1])  # the one number that was written, four steps later


@shows(
    "lstm-cell",
    r"""\begin{aligned}
    g_t &= \tanh(\text{something from } x_t \text{ and } h_{t-1}) \\
    c_t &= f_t\, c_{t-1} + i_t\, g_t
    \end{aligned}""",
)
def candidate(r):
    assert all(same(ours(r, t)[1], r.f[t] * r.c[t - 1] + r.i[t] * r.g[t]) and (r.g[t].abs() < 1).all() for t in (1, 2))


@shows("lstm-cell", r"h_t = o_t \tanh(c_t)")
def output(r):
    assert all(same(ours(r, t)[0], r.o[t] * torch.tanh(r.c[t])) for t in range(1, T + 1))


@shows("lstm-cell", r"\sigma(a) = \frac{1}{1 + e^{-a}}")
def logistic(r):
    assert same(ours(r, 1)[2].i, 1 / (1 + torch.exp(-r.a[1]["i"])))


@shows(
    "lstm-cell",
    r"""\begin{aligned}
    i_t &= \sigma(x_t W_{xi} + h_{t-1} W_{hi} + b_i) \quad \text{(write)} \\
    f_t &= \sigma(x_t W_{xf} + h_{t-1} W_{hf} + b_f) \quad \text{(keep)} \\
    g_t &= \tanh(x_t W_{xg} + h_{t-1} W_{hg} + b_g) \quad \text{(propose)} \\
    o_t &= \sigma(x_t W_{xo} + h_{t-1} W_{ho} + b_o) \quad \text{(read)} \\
    c_t &= f_t \odot c_{t-1} + i_t \odot g_t \\
    h_t &= o_t \odot \tanh(c_t)
    \end{aligned}""",
)
def six_equations(r):
    for t in range(1, T + 1):
        h, c, cache = ours(r, t)
        assert same(h, r.h[t]) and same(c, r.c[t])
        assert all(same(getattr(cache, gate), getattr(r, gate)[t]) for gate in "ifgo")


@shows(
    "lstm-cell",
    r"""\begin{aligned}
    a_t &= x_t W_x + h_{t-1} W_h + b \\
    a_t &= [\,a_i \mid a_f \mid a_g \mid a_o\,]
    \end{aligned}""",
)
def one_product(r):
    a = r.x[2] @ r.packed["Wx"] + r.h[1] @ r.packed["Wh"] + r.packed["b"]
    assert all(same(part, r.a[2][gate]) for part, gate in zip(torch.split(a, H, dim=1), "ifgo", strict=True))


def stacked(r, gate):
    """The matrix of one gate as the other notation has it: for columns, h above x."""
    return torch.cat([r.Wh[gate], r.Wx[gate]]).T


@shows(
    "lstm-cell",
    r"""\begin{aligned}
    f_t &= \sigma(W_f \cdot [h_{t-1}, x_t] + b_f) \\
    i_t &= \sigma(W_i \cdot [h_{t-1}, x_t] + b_i) \\
    \tilde C_t &= \tanh(W_C \cdot [h_{t-1}, x_t] + b_C) \\
    C_t &= f_t * C_{t-1} + i_t * \tilde C_t \\
    o_t &= \sigma(W_o \cdot [h_{t-1}, x_t] + b_o) \\
    h_t &= o_t * \tanh(C_t)
    \end{aligned}""",
)
def seed_notation(r):
    z = torch.cat([r.h[0][0], r.x[1][0]])
    f, i, C_tilde, o = (
        squash(stacked(r, gate) @ z + r.b[gate])
        for gate, squash in (("f", torch.sigmoid), ("i", torch.sigmoid), ("g", torch.tanh), ("o", torch.sigmoid))
    )
    C = f * r.c[0][0] + i * C_tilde
    assert same(C, r.c[1][0]) and same(o * torch.tanh(C), r.h[1][0])


@shows(
    "lstm-cell",
    r"""\begin{aligned}
    W_f \cdot [h_{t-1}, x_t] &= \big(h_{t-1} W_{hf} + x_t W_{xf}\big)^\top \\
    W_f &= \begin{bmatrix} W_{hf} \\ W_{xf} \end{bmatrix}^{\!\top}
    \end{aligned}""",
)
def stacked_matrix(r):
    columns = torch.cat([r.h[0], r.x[1]], dim=1).T  # one example is one column
    assert same(stacked(r, "f") @ columns, (r.h[0] @ r.Wh["f"] + r.x[1] @ r.Wx["f"]).T)
    here = {name: array.detach().numpy() for name, array in r.packed.items()}
    assert same(convert(here, "here", "seed")["W_f"], stacked(r, "f"))


@shows(
    "lstm-cell",
    r"""\frac{c_k}{c_0} = \sigma(b_f)^k = \frac12
    \quad \text{for} \quad k = \frac{\ln 2}{-\ln \sigma(b_f)}""",
)
def half_life(r):
    b_f = np.log(0.9 / 0.1)  # f = 0.9
    nothing, c = np.zeros((1, 1)), np.full((1, 1), 3.0)
    for _ in range(7):
        _, c, _ = lstm_step(nothing, nothing, c, np.zeros((1, 4)), np.zeros((1, 4)), np.array([0, b_f, 0, 0]))
    assert np.isclose(c.item() / 3, 0.9**7)
    k = np.log(2) / -np.log(1 / (1 + np.exp(-b_f)))
    assert np.isclose(0.9**k, 0.5) and 6 < k < 7


@shows(
    "lstm-cell",
    r"\frac{\partial c_T}{\partial c_0}\bigg|_{\text{gates fixed}} = f_1 \odot f_2 \odot \cdots \odot f_T",
)
def product_of_forget_gates(r):
    c0 = r.c[0].detach().requires_grad_()
    c = c0
    for t in range(1, T + 1):
        c = r.f[t].detach() * c + r.i[t].detach() * r.g[t].detach()
    c.sum().backward()
    assert same(c0.grad, torch.stack(r.f[1:]).prod(dim=0))


# Backpropagation through time


@shows("bptt", r"\bar h_t = \frac{\partial L}{\partial h_t} + \bar a_{t+1} W_h^\top")
def total_and_immediate(r):
    for t in range(1, T):
        assert same(r.h[t].grad, r.immediate[t] + r.da[t + 1] @ r.packed["Wh"].T)
    assert same(r.h[T].grad, r.immediate[T])


@shows(
    "bptt",
    r"""\begin{aligned}
    \frac{ds}{da} &= \frac{e^{-a}}{(1 + e^{-a})^2} \\
    &= \frac{1}{1 + e^{-a}} \cdot \frac{e^{-a}}{1 + e^{-a}} = s\,(1 - s)
    \end{aligned}""",
)
def sigmoid_prime(r):
    a = torch.linspace(-4, 4, 9, dtype=torch.float64, requires_grad=True)
    torch.sigmoid(a).sum().backward()
    e, s = torch.exp(-a), torch.sigmoid(a)
    assert same(a.grad, e / (1 + e) ** 2) and same(a.grad, 1 / (1 + e) * e / (1 + e)) and same(a.grad, s * (1 - s))


@shows("bptt", r"\frac{dy}{da} = \frac{\cosh^2(a) - \sinh^2(a)}{\cosh^2(a)} = 1 - y^2")
def tanh_prime(r):
    a = torch.linspace(-4, 4, 9, dtype=torch.float64, requires_grad=True)
    torch.tanh(a).sum().backward()
    cosh2, sinh2 = torch.cosh(a) ** 2, torch.sinh(a) ** 2
    assert same(a.grad, (cosh2 - sinh2) / cosh2) and same(a.grad, 1 - torch.tanh(a) ** 2)


@shows(
    "bptt",
    r"""\begin{aligned}
    \bar W_{dk} &= \sum_n \bar a_{nk}\, \frac{\partial a_{nk}}{\partial W_{dk}} = \sum_n x_{nd}\, \bar a_{nk} \\
    \bar W &= x^\top \bar a
    \end{aligned}""",
)
def product_by_weights(r):
    x, W = r.x[1].detach(), r.packed["Wx"].detach().requires_grad_()
    bar_a = r.da[1]
    (bar_a * (x @ W)).sum().backward()
    d, k = 1, 7
    assert same(W.grad[d, k], sum(x[n, d] * bar_a[n, k] for n in range(N))) and same(W.grad, x.T @ bar_a)


@shows(
    "bptt",
    r"""\begin{aligned}
    \bar x_{nd} &= \sum_k \bar a_{nk}\, \frac{\partial a_{nk}}{\partial x_{nd}} = \sum_k \bar a_{nk}\, W_{dk} \\
    \bar x &= \bar a\, W^\top
    \end{aligned}""",
)
def product_by_input(r):
    W, bar_a = r.packed["Wx"].detach(), r.da[1]
    n, d = 2, 1
    assert same(r.x[1].grad[n, d], sum(bar_a[n, k] * W[d, k] for k in range(4 * H)))
    assert same(r.x[1].grad, bar_a @ W.T)


@shows("bptt", r"\bar o_t = \bar h_t \odot \tanh(c_t)")
def output_gate(r):
    assert all(same(r.o[t].grad, r.h[t].grad * torch.tanh(r.c[t])) for t in range(1, T + 1))


@shows(
    "bptt",
    r"\bar c_t = \bar c_t^{\,\text{next}} + \bar h_t \odot o_t \odot \big(1 - \tanh^2(c_t)\big)",
)
def cell_state(r):
    for t in range(1, T + 1):
        assert same(r.c[t].grad, comes_back(r, t) + r.h[t].grad * r.o[t] * (1 - torch.tanh(r.c[t]) ** 2))


@shows(
    "bptt",
    r"""\begin{aligned}
    \bar i_t &= \bar c_t \odot g_t & \bar f_t &= \bar c_t \odot c_{t-1} \\
    \bar g_t &= \bar c_t \odot i_t & \bar c_{t-1}^{\,\text{next}} &= \bar c_t \odot f_t
    \end{aligned}""",
)
def products(r):
    for t in range(1, T + 1):
        assert same(r.i[t].grad, r.c[t].grad * r.g[t]) and same(r.g[t].grad, r.c[t].grad * r.i[t])
        assert same(r.f[t].grad, r.c[t].grad * r.c[t - 1])
    assert same(r.c[0].grad, r.c[1].grad * r.f[1])  # nothing else looks at c_0


@shows(
    "bptt",
    r"""\begin{aligned}
    \bar a_i &= \bar i_t \odot i_t \odot (1 - i_t) & \bar a_f &= \bar f_t \odot f_t \odot (1 - f_t) \\
    \bar a_g &= \bar g_t \odot (1 - g_t^2) & \bar a_o &= \bar o_t \odot o_t \odot (1 - o_t)
    \end{aligned}""",
)
def activations(r):
    for t in range(1, T + 1):
        for gate in "ifo":
            s = getattr(r, gate)[t]
            assert same(r.a[t][gate].grad, s.grad * s * (1 - s))
        assert same(r.a[t]["g"].grad, r.g[t].grad * (1 - r.g[t] ** 2))


@shows(
    "bptt",
    r"""\begin{aligned}
    \bar x_t &= \bar a_t W_x^\top & \bar W_x &= x_t^\top \bar a_t \\
    \bar b &= \sum_n \bar a_{t,n} & \bar W_h &= h_{t-1}^\top \bar a_t
    \end{aligned}""",
)
def affine(r):
    assert all(same(r.x[t].grad, r.da[t] @ r.packed["Wx"].T) for t in range(1, T + 1))
    packed = {name: array.detach().requires_grad_() for name, array in r.packed.items()}
    a = r.x[2].detach() @ packed["Wx"] + r.h[1].detach() @ packed["Wh"] + packed["b"]
    (r.da[2] * a).sum().backward()
    assert same(packed["Wx"].grad, r.x[2].T @ r.da[2]) and same(packed["Wh"].grad, r.h[1].T @ r.da[2])
    assert same(packed["b"].grad, r.da[2].sum(dim=0))


@shows(
    "bptt",
    r"""\begin{aligned}
    \bar W_x &= \sum_{t=1}^{T} x_t^\top\, \bar a_t \\
    \bar W_h &= \sum_{t=1}^{T} h_{t-1}^\top\, \bar a_t \\
    \bar b &= \sum_{t=1}^{T} \sum_n \bar a_{t,n}
    \end{aligned}""",
)
def sums_over_time(r):
    steps = range(1, T + 1)
    assert same(r.dpacked["Wx"], sum(r.x[t].T @ r.da[t] for t in steps))
    assert same(r.dpacked["Wh"], sum(r.h[t - 1].T @ r.da[t] for t in steps))
    assert same(r.dpacked["b"], sum(r.da[t].sum(dim=0) for t in steps))


@shows(
    "bptt",
    r"\frac{L(p + \varepsilon) - L(p - \varepsilon)}{2 \varepsilon} = L'(p) + \frac{\varepsilon^2}{6} L'''(p) + \dots",
)
def taylor(r):
    p, eps = 0.7, 1e-2  # L = exp: all derivatives are exp(p)
    quotient = (np.exp(p + eps) - np.exp(p - eps)) / (2 * eps)
    assert np.isclose(quotient - np.exp(p), eps**2 / 6 * np.exp(p), rtol=1e-4)


@shows(
    "bptt",
    r"""\text{error} \;\approx\; \frac{\varepsilon^2}{6}\, |L'''| + \frac{u\, |L|}{\varepsilon}""",
)
def error_of_the_quotient(r):
    # L = 1 + p**3 / 6 at p = 0: L' = 0 and the third derivative is 1, so what the quotient says is its error.
    for eps in (0.1, 0.3):
        quotient = ((1 + eps**3 / 6) - (1 - eps**3 / 6)) / (2 * eps)
        assert np.isclose(quotient, eps**2 / 6)
    eps, u = 1e-9, np.finfo(float).eps / 2  # here the first part is far below the rounding of L, which is near 1
    errors = [((1 + p) - (1 - p)) / 2 / eps - p / eps for p in eps * np.random.default_rng(0).uniform(0.5, 1.5, 200)]
    assert 0.1 * u / eps < np.sqrt(np.mean(np.square(errors))) < 10 * u / eps


@shows(
    "bptt",
    r"\frac{\varepsilon}{3}\, |L'''| = \frac{u\, |L|}{\varepsilon^2}, \qquad "
    r"\varepsilon = \sqrt[3]{\frac{3\, u\, |L|}{|L'''|}}",
)
def best_step(r):
    u, L, third = 1.1e-16, 3.0, 20.0
    error = lambda eps: eps**2 / 6 * third + u * L / eps  # noqa: E731
    best = np.cbrt(3 * u * L / third)
    assert np.isclose(best / 3 * third, u * L / best**2)
    assert error(best) < min(error(0.99 * best), error(1.01 * best))


@shows(
    "bptt",
    r"\text{relative error} = \frac{\lVert \bar p_{\text{code}} - \bar p_{\text{numerical}} \rVert}"
    r"{\lVert \bar p_{\text{code}} \rVert + \lVert \bar p_{\text{numerical}} \rVert}",
)
def relative_error(r):
    # The page defines it in code, and asserts there what the text says of 0 and 1.
    line = "return np.linalg.norm(a - n) / (np.linalg.norm(a) + np.linalg.norm(n)) if a.any() or n.any() else 0.0"
    source = (BOOK / "bptt.md").read_text(encoding="utf-8")
    assert line in source and "assert relative_error(u, u) == 0 and relative_error(u, v) == 1" in source


@shows(
    "bptt",
    r"\frac{L(W + \varepsilon v) - L(W - \varepsilon v)}{2\varepsilon} \approx \langle \bar W, v \rangle "
    r"= \sum_{jk} \bar W_{jk}\, v_{jk}",
)
def projection(r):
    rng = np.random.default_rng(0)
    W, v, eps = rng.normal(size=(3, 4)), rng.normal(size=(3, 4)), 1e-6
    loss = lambda W: np.tanh(W).sum() ** 2  # noqa: E731
    bar_W = 2 * np.tanh(W).sum() * (1 - np.tanh(W) ** 2)
    assert np.isclose((loss(W + eps * v) - loss(W - eps * v)) / (2 * eps), (bar_W * v).sum(), rtol=1e-7)


@pytest.mark.parametrize(("page", "formula"), CHECKS, ids=lambda part: part[:40])
def test_a_formula_of_a_chapter_is_right(page, formula, run):
    CHECKS[page, formula](run)


@pytest.mark.parametrize("page", PAGES)
def test_every_displayed_formula_has_a_check_and_every_check_its_formula(page):
    assert sorted(displayed(page)) == sorted(formula for where, formula in CHECKS if where == page)


def test_the_code_column_of_the_table_is_the_code_of_the_page():
    page = (BOOK / "bptt.md").read_text(encoding="utf-8")
    source = page[page.index("def my_step_backward") :]
    lines = [line.split("#")[0].strip() for line in source[: source.index("return")].splitlines()]
    rows = [line for line in prose("bptt").splitlines() if line.startswith("|") and line.count("|") == 5]
    code = [match[1] for row in rows if (match := re.search(r"`([^`]+)` \|$", row))]
    assert len(code) == 13 and set(code) <= set(lines)


def test_the_dialect_table_of_the_page_says_what_convert_does():
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in prose("lstm-cell").splitlines()]
    orders = {row[0]: row[1][:7].replace(" ", "").replace("c", "g") for row in rows if len(row) == 3}
    pages_names = {
        "here": "here",
        "pytorch": "PyTorch, cuDNN",
        "keras": "Keras",
        "onnx": "ONNX",
        "cs231n": "CS231n, Karpathy",
    }
    assert {name: orders[title] for name, title in pages_names.items()} == {
        name: DIALECTS[name].order for name in pages_names
    }


@pytest.mark.parametrize("page", PAGES)
def test_a_page_asks_three_questions_with_folded_answers_and_lists_its_sources(page):
    text = (BOOK / f"{page}.md").read_text(encoding="utf-8")
    questions = text[text.index("## Three questions") : text.index("## Sources")]
    assert [questions.count(mark) for mark in ("\n**1.**", "\n**2.**", "\n**3.**", ":class: dropdown")] == [1, 1, 1, 3]
    assert "```{bibliography}" in text and text.count("{admonition} Predict") >= 3

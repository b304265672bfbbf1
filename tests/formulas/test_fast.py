"""The formulas of the page *Make it fast*. None of them depends on time."""

from functools import cache

import numpy as np
import sympy
import torch
from torch.utils.flop_counter import FlopCounterMode

from lstm_ref import sigmoid
from lstm_ref.frameworks.torch import lstm_forward_torch
from tests.chapter_formulas import Chapter

chapter = Chapter("fast")

SIZES = ((2, 3, 5, 4), (1, 1, 1, 1), (3, 7, 2, 6))  # N, T, D, H


def counted(N, T, D, H):
    """Operations of the products, forward and backward, as PyTorch counts them, and by shape of the
    products.
    """
    shapes = {
        "x": (N, T, D),
        "h0": (N, H),
        "c0": (N, H),
        "Wx": (D, 4 * H),
        "Wh": (H, 4 * H),
        "b": (4 * H,),
    }
    arguments = {name: torch.ones(shape, requires_grad=True) for name, shape in shapes.items()}
    with FlopCounterMode(display=False) as forward:
        h, _ = lstm_forward_torch(**arguments)
    with FlopCounterMode(display=False) as backward:
        h.sum().backward()
    return forward.get_total_flops(), backward.get_total_flops()


@chapter.shows("eq-fast-product", r"\text{operations} = 2\,N K M")
def product():
    """A product written out, one multiplication and one addition at a time."""
    rng = np.random.default_rng(0)
    for N, K, M in ((2, 3, 4), (1, 5, 1)):
        a, b, out, operations = (
            rng.normal(size=(N, K)),
            rng.normal(size=(K, M)),
            np.zeros((N, M)),
            0,
        )
        for n, k, m in np.ndindex(N, K, M):
            out[n, m] += a[n, k] * b[k, m]
            operations += 2
        with FlopCounterMode(display=False) as counter:
            torch.ones(N, K) @ torch.ones(K, M)
        assert np.allclose(out, a @ b) and operations == 2 * N * K * M == counter.get_total_flops()


@chapter.shows("eq-fast-forward", r"F_{\text{forward}} = 2\,N\,T \cdot 4H\,(D + H)")
def forward():
    for N, T, D, H in SIZES:
        assert counted(N, T, D, H)[0] == 2 * N * T * 4 * H * (D + H)


@chapter.shows(
    "eq-fast-total",
    r"""\begin{aligned}
    F_{\text{backward}} &= 2\,F_{\text{forward}} \\
    F &= 3\,F_{\text{forward}} = 24\,N\,T\,H\,(D + H)
    \end{aligned}""",
)
def total():
    for N, T, D, H in SIZES:
        there, back = counted(N, T, D, H)
        assert back == 2 * there and there + back == 24 * N * T * H * (D + H)


@chapter.shows(
    "eq-fast-intensity",
    r"I = \frac{2 \cdot N \cdot H \cdot 4H}{4\,(NH + 4H^2 + 4NH)} = \frac{2NH}{4H + 5N}",
)
def intensity():
    """Operations of a product over the bytes of its three arrays; N/2 for a small batch, 2H/5 for a
    large one.
    """
    for n, size in ((1, 128), (32, 128), (7, 3)):
        h, Wh = np.ones((n, size), np.float32), np.ones((size, 4 * size), np.float32)
        moved = h.nbytes + Wh.nbytes + (h @ Wh).nbytes
        assert np.isclose(2 * n * size * 4 * size / moved, 2 * n * size / (4 * size + 5 * n))
    N, H = sympy.symbols("N H", positive=True)
    value = 2 * N * H / (4 * H + 5 * N)
    assert sympy.limit(value, H, sympy.oo) == N / 2 and sympy.limit(value, N, sympy.oo) == 2 * H / 5


@chapter.shows("eq-fast-one-tanh", r"\sigma(a) = \tfrac12 \tanh\!\big(\tfrac12 a\big) + \tfrac12")
def one_tanh():
    a = sympy.Symbol("a", real=True)
    difference = 1 / (1 + sympy.exp(-a)) - (sympy.tanh(a / 2) / 2 + sympy.Rational(1, 2))
    assert sympy.simplify(difference.rewrite(sympy.exp)) == 0
    values = np.linspace(-700, 700, 1401)
    assert np.allclose(sigmoid(values), 1 / (1 + np.exp(-values)), rtol=0, atol=1e-15)


@chapter.shows(
    "eq-fast-throughput",
    r"""\frac{N}{\alpha + \beta N} \;\xrightarrow{\;N \to \infty\;}\; \frac{1}{\beta},
    \qquad \text{half of it at } N = \frac{\alpha}{\beta}""",
)
def throughput():
    N, alpha, beta = sympy.symbols("N alpha beta", positive=True)
    rate = N / (alpha + beta * N)
    assert sympy.limit(rate, N, sympy.oo) == 1 / beta
    assert sympy.solve(sympy.Eq(rate, 1 / (2 * beta)), N) == [alpha / beta]


@chapter.shows(
    "eq-fast-chain",
    (
        r"1 - s = \frac{2 \cdot 2\,NT \cdot 4H \cdot H}{3 \cdot 2\,NT \cdot 4H (D + H)} = "
        r"\frac{2H}{3\,(D + H)}"
    ),
)
def chain():
    """What PyTorch counts without the products that wait for no step, over all that it counts."""
    for N, T, D, H in SIZES:
        there, back = counted(N, T, D, H)
        rng = torch.Generator().manual_seed(0)
        h, Wh = torch.randn(N, H, generator=rng), torch.randn(H, 4 * H, generator=rng)
        with FlopCounterMode(display=False) as counter:
            for _ in range(T):  # each takes what the one before made
                h = torch.tanh(h @ Wh)[:, :H]
            da = torch.randn(N, 4 * H, generator=rng)
            for _ in range(T):
                da = (da @ Wh.T).repeat(1, 4)
        assert np.isclose(counter.get_total_flops() / (there + back), 2 * H / (3 * (D + H)))


@chapter.shows("eq-fast-amdahl", r"S(p) = \frac{1}{(1 - s) + s/p} \;<\; \frac{1}{1 - s}")
def amdahl():
    """A schedule of equal pieces of work on p processors, the chain on one of them."""
    chain_work, free_work = 12, 60
    s = free_work / (chain_work + free_work)
    for p in (1, 2, 3, 4, 60):
        busy = [0] * p
        for _ in range(free_work):
            busy[busy.index(min(busy))] += 1
        speed = (chain_work + free_work) / (chain_work + max(busy))
        assert np.isclose(speed, 1 / ((1 - s) + s / p)) and speed < 1 / (1 - s)


@chapter.shows(
    "eq-fast-wave",
    r"""\underbrace{T \cdot L}_{\text{one layer after the other}} \quad \longrightarrow \quad
    \underbrace{T + L - 1}_{\text{as a wave}}""",
)
def wave():
    """The longest way through the steps of L layers, by what each waits for."""

    @cache
    def path(layer, t, whole_layers):
        if layer < 0 or t < 0:
            return 0
        below = path(layer - 1, T - 1 if whole_layers else t, whole_layers)
        return 1 + max(path(layer, t - 1, whole_layers), below)

    for T, L in ((5, 3), (1, 4), (7, 1)):
        path.cache_clear()
        assert path(L - 1, T - 1, True) == T * L
        assert path(L - 1, T - 1, False) == T + L - 1


test_a_formula_is_right, test_every_formula_has_its_check = chapter.tests()

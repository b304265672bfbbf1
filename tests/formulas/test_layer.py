"""The formulas of the page *The LSTM layer*."""

import numpy as np
import sympy
import torch

from lstm_ref import (
    bidirectional_forward,
    chrono_bias,
    dropout_forward,
    glorot_uniform,
    init_lstm,
    lstm_backward,
    lstm_forward,
    orthogonal,
    stacked_forward,
)
from lstm_ref.frameworks.torch import lstm_forward_torch, torch_lstm
from tests.chapter_formulas import Chapter

chapter = Chapter("layer")

N, T, D, H = 3, 5, 2, 4
rng = np.random.default_rng(0)
X = rng.normal(size=(N, T, D))
H0, C0 = rng.normal(size=(2, N, H))
PARAMS = init_lstm(rng, D, H)
PARAMS["b"] = rng.normal(size=4 * H)


def close(one, other):
    return np.allclose(one, other, rtol=1e-9, atol=1e-12)


def tensors(params):
    return {name: torch.tensor(array) for name, array in params.items()}


@chapter.shows(
    "eq-layer-reach",
    (
        r"\frac{\partial h_{n,t}}{\partial x_{m,s}} = 0 \quad \text{whenever } m \ne n \text{ or } "
        r"s > t"
    ),
)
def reach():
    """Autograd's whole Jacobian has blocks of zeros there and only there."""

    def layer(x):
        return lstm_forward_torch(x, torch.tensor(H0), torch.tensor(C0), **tensors(PARAMS))[0]

    jacobian = torch.autograd.functional.jacobian(layer, torch.tensor(X))  # (N, T, H, N, T, D)
    depends = (jacobian != 0).any(dim=5).any(dim=2).numpy()
    n, t, m, s = np.indices((N, T, N, T))
    assert (depends == ((m == n) & (s <= t))).all()


@chapter.shows(
    "eq-layer-stack",
    r"""\begin{aligned}
    h^{(1)} &= \text{LSTM}_1(x) \\
    h^{(\ell)} &= \text{LSTM}_\ell\big(h^{(\ell-1)}\big), \quad \ell = 2, \ldots, L
    \end{aligned}""",
)
def stack():
    layers = [PARAMS, *(init_lstm(np.random.default_rng(seed), H, H) for seed in (1, 2))]
    zeros = np.zeros((3, N, H))
    h = X
    for params in layers:
        h = lstm_forward(h, zeros[0], zeros[0], **params)[0]
    theirs = torch_lstm(layers)(torch.tensor(X))[0].detach().numpy()
    assert close(h, theirs) and close(stacked_forward(X, zeros, zeros, layers)[0], theirs)


@chapter.shows("eq-layer-parameters", r"P = 4H(D + H + 1) + 4H(2H + 1)(L - 1)")
def parameters():
    for L, d, size in ((1, 3, 5), (3, 7, 2)):
        theirs = torch.nn.LSTM(d, size, L)
        second_biases = L * 4 * size  # PyTorch has two biases, which are only ever added
        counted = sum(p.numel() for p in theirs.parameters()) - second_biases
        assert counted == 4 * size * (d + size + 1) + 4 * size * (2 * size + 1) * (L - 1)


def both_directions():
    pair = [PARAMS, init_lstm(np.random.default_rng(3), D, H)]
    zeros = np.zeros((2, N, H))
    return pair, bidirectional_forward(X, zeros, zeros, pair)


@chapter.shows(
    "eq-layer-directions",
    r"""\begin{aligned}
    \overrightarrow{h}_t &= \text{LSTM}_\rightarrow(x_1, x_2, \ldots, x_t) \\
    \overleftarrow{h}_t &= \text{LSTM}_\leftarrow(x_T, x_{T-1}, \ldots, x_t) \\
    y_t &= \big[\, \overrightarrow{h}_t \mid \overleftarrow{h}_t \,\big]
    \end{aligned}""",
)
def directions():
    pair, (h, _, _) = both_directions()
    zeros = np.zeros((N, H))
    for t in range(T):
        there = lstm_forward(X[:, : t + 1], zeros, zeros, **pair[0])[1][0]
        back = lstm_forward(X[:, t:][:, ::-1], zeros, zeros, **pair[1])[1][0]
        assert close(h[:, t], np.concatenate([there, back], axis=1))
    assert close(torch_lstm([pair])(torch.tensor(X))[0].detach().numpy(), h)


@chapter.shows(
    "eq-layer-summary", r"s = \big[\, \overrightarrow{h}_T \mid \overleftarrow{h}_1 \,\big]"
)
def summary():
    """It is what PyTorch returns as h_n, and not the output of the last step."""
    pair, (h, _, _) = both_directions()
    s = np.concatenate([h[:, -1, :H], h[:, 0, H:]], axis=1)
    _, (h_n, _) = torch_lstm([pair])(torch.tensor(X))
    assert close(torch.cat([h_n[0], h_n[1]], dim=1).detach().numpy(), s)
    assert not np.allclose(s, h[:, -1])


q = sympy.Symbol("q", positive=True)


@chapter.shows(
    "eq-layer-dropout",
    r"""\begin{aligned}
    \mathbb{E}[z] &= q \cdot \tfrac{1}{q} + p \cdot 0 = 1 \\
    \operatorname{Var}[z] &= q \cdot \tfrac{1}{q^2} - 1 = \frac{p}{q}
    \end{aligned}""",
)
def dropout():
    z = [(1 / q, q), (sympy.Integer(0), 1 - q)]  # value, probability
    mean = sum(value * chance for value, chance in z)
    variance = sum((value - mean) ** 2 * chance for value, chance in z)
    assert sympy.simplify(mean - 1) == 0 and sympy.simplify(variance - (1 - q) / q) == 0
    drawn = dropout_forward(np.ones((1000, 500)), 0.3, np.random.default_rng(7))[0]
    assert abs(drawn.mean() - 1) < 0.01 and abs(drawn.var() - 0.3 / 0.7) < 0.01


def chains(keep, steps):
    """Value and probability of Z for every way in which the steps can drop or keep."""
    for way in np.ndindex(*(2,) * steps):
        yield (
            np.prod([1 / keep if kept else 0.0 for kept in way]),
            np.prod([keep if kept else 1 - keep for kept in way]),
        )


@chapter.shows(
    "eq-layer-dropout-chain",
    r"""\begin{aligned}
    P(Z_k \ne 0) &= q^k \\
    \mathbb{E}[Z_k] &= 1 \\
    \operatorname{Var}[Z_k] &= \mathbb{E}[z^2]^k - 1 = q^{-k} - 1
    \end{aligned}""",
)
def dropout_chain():
    for keep, steps in ((0.8, 5), (0.5, 3)):
        ways = list(chains(keep, steps))
        assert np.isclose(sum(chance for value, chance in ways if value != 0), keep**steps)
        mean = sum(value * chance for value, chance in ways)
        variance = sum((value - mean) ** 2 * chance for value, chance in ways)
        second_moment = keep * (1 / keep) ** 2
        assert np.isclose(mean, 1) and np.isclose(variance, keep**-steps - 1)
        assert np.isclose(variance, second_moment**steps - 1)


@chapter.shows(
    "eq-layer-dropout-memory",
    r"""R_k^2 = \frac{\mathbb{E}[c_0 \cdot c_0 Z_k]^2}{\mathbb{E}[c_0^2]\; \mathbb{E}[c_0^2 Z_k^2]}
    = \frac{1}{\mathbb{E}[Z_k^2]} = q^k""",
)
def dropout_memory():
    """With a c_0 of two values, of mean 0, all expectations are finite sums."""
    keep, steps = 0.7, 4
    cases = [(c, z, 0.5 * chance) for c in (-1.5, 1.5) for z, chance in chains(keep, steps)]

    def mean(f):
        return sum(f(c, z) * chance for c, z, chance in cases)

    r2 = mean(lambda c, z: c * c * z) ** 2 / (
        mean(lambda c, z: c**2) * mean(lambda c, z: (c * z) ** 2)
    )
    assert np.isclose(r2, keep**steps) and np.isclose(r2, 1 / mean(lambda c, z: z**2))


@chapter.shows(
    "eq-layer-variance",
    r"""\operatorname{Var}[a] = \sum_{j=1}^{n} \mathbb{E}[x_j^2]\, \operatorname{Var}[w_j]
    = n\, \operatorname{Var}[w]\, \mathbb{E}[x^2]""",
)
def variance():
    """Weights and inputs that take few values, and all cases, one by one. The inputs have a mean,
    the weights have none.
    """
    w_values, x_values, n = (-0.7, 0.0, 0.7), (0.5, 2.0), 3
    ws = np.array(np.meshgrid(*[w_values] * n)).reshape(n, -1)  # each equally likely
    xs = np.array(np.meshgrid(*[x_values] * n)).reshape(n, -1)
    a = ws.T @ xs
    assert np.isclose(a.var(), n * np.var(w_values) * np.mean(np.square(x_values)))
    scales = np.array([1.0, 2.0, 3.0])  # inputs of different sizes
    unequal = ws.T @ (scales[:, None] * xs)
    expected = sum(np.mean((s * np.array(x_values)) ** 2) * np.var(w_values) for s in scales)
    assert np.isclose(unequal.var(), expected)


@chapter.shows(
    "eq-layer-variance-lstm",
    r"""\operatorname{Var}[a_t] = D\, \operatorname{Var}[W_x]\, \mathbb{E}[x_t^2]
    + H\, \operatorname{Var}[W_h]\, \mathbb{E}[h_{t-1}^2]""",
)
def variance_of_both():
    generator = np.random.default_rng(8)
    d, size = 40, 60
    Wx, Wh = 0.2 * generator.normal(size=(400, d)), 0.1 * generator.normal(size=(400, size))
    x, h = generator.normal(size=(d, 400)), 0.5 * generator.normal(size=(size, 400))
    a = Wx @ x + Wh @ h
    assert abs(a.var() / (d * 0.04 * 1 + size * 0.01 * 0.25) - 1) < 0.05


@chapter.shows(
    "eq-layer-glorot",
    r"""\operatorname{Var}[w] = \frac{2}{n_{\text{in}} + n_{\text{out}}} = \frac{r^2}{3}
    \quad \text{for} \quad r = \sqrt{\frac{6}{n_{\text{in}} + n_{\text{out}}}}""",
)
def glorot():
    w, r, n_in, n_out = sympy.symbols("w r n_in n_out", positive=True)
    even = sympy.integrate(w**2 / (2 * r), (w, -r, r))
    assert sympy.simplify(even - r**2 / 3) == 0
    assert sympy.simplify(even.subs(r, sympy.sqrt(6 / (n_in + n_out))) - 2 / (n_in + n_out)) == 0
    W = glorot_uniform(np.random.default_rng(9), (300, 500))
    assert abs(W.var() / (2 / 800) - 1) < 0.02 and np.abs(W).max() <= np.sqrt(6 / 800)


@chapter.shows(
    "eq-layer-orthogonal",
    r"\lVert v W \rVert^2 = v\, W W^\top v^\top = v\, v^\top = \lVert v \rVert^2",
)
def lengths_are_kept():
    W, v = orthogonal(np.random.default_rng(10), (6, 6)), np.random.default_rng(11).normal(size=6)
    assert close(W @ W.T, np.eye(6)) and close(np.linalg.norm(v @ W), np.linalg.norm(v))
    assert close(v @ W @ W.T @ v, v @ v)


@chapter.shows(
    "eq-layer-chrono",
    r"""\begin{aligned}
    f &= \sigma(\ln u) = \frac{1}{1 + e^{-\ln u}} = \frac{u}{1 + u} \\
    \frac{1}{1 - f} &= 1 + u
    \end{aligned}""",
)
def chrono():
    u, steps = sympy.symbols("u", positive=True), sympy.symbols("n", integer=True, nonnegative=True)
    f = 1 / (1 + sympy.exp(-sympy.log(u)))
    assert sympy.simplify(f - u / (1 + u)) == 0 and sympy.simplify(1 / (1 - f) - 1 - u) == 0
    # The mean time that something stays is the sum of what is left of it.
    total = sympy.summation((u / (1 + u)).subs(u, 7) ** steps, (steps, 0, sympy.oo))
    assert total == 8
    i, f, _, _ = chrono_bias(np.random.default_rng(12), 200, 50).reshape(4, 200)
    times = 1 / (1 - 1 / (1 + np.exp(-f)))
    assert close(i, -f) and times.min() >= 2 and times.max() <= 50


@chapter.shows("eq-layer-first-state", r"\bar h_{\text{first}} = \sum_{n=1}^{N} \bar h_{0,n}")
def first_state():
    first = torch.tensor(H0[0], requires_grad=True)
    dh = np.random.default_rng(13).normal(size=(N, T, H))
    h, _ = lstm_forward_torch(
        torch.tensor(X), first.expand(N, H), torch.tensor(C0), **tensors(PARAMS)
    )
    (h * torch.tensor(dh)).sum().backward()
    _, _, cache = lstm_forward(X, np.tile(H0[0], (N, 1)), C0, **PARAMS)
    assert close(lstm_backward(dh, cache).dh0.sum(axis=0), first.grad.numpy())


test_a_formula_is_right, test_every_formula_has_its_check = chapter.tests()

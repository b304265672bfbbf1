"""The formulas of the page *Vanishing and exploding gradients*: autograd, closed forms and brute
force find what they say.
"""

from functools import cache

import numpy as np
import torch

from tests.chapter_formulas import Chapter
from tests.formulas.autograd_run import same

chapter = Chapter("fading")
T, D, H = 5, 3, 4


@cache
def run():
    """T steps of a plain RNN on one example, a row: every h_t in a list, index 0 is the initial
    state; and the weights.
    """
    generator = torch.Generator().manual_seed(0)

    def draw(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.float64, requires_grad=True)

    x, Wx, Wh, b, h = [None, *draw(T, 1, D)], draw(D, H), draw(H, H), draw(H), [draw(1, H)]
    for t in range(1, T + 1):
        a = x[t] @ Wx + h[t - 1] @ Wh + b
        h.append(torch.sinh(a) / torch.cosh(a))  # tanh, written once more
    return x, Wx, Wh, b, h


def by_autograd(t):
    """Jacobian of step t, (H, H): derivative of h_t by h_{t-1}, row by row."""
    *_, h = run()
    return torch.cat(
        [torch.autograd.grad(h[t][0, j], h[t - 1], retain_graph=True)[0] for j in range(H)]
    )


def product(s, t):
    """J_s J_{s-1} ... J_{t+1}, by autograd; the identity where s is t."""
    result = torch.eye(H, dtype=torch.float64)
    for step in range(s, t, -1):
        result = result @ by_autograd(step)
    return result


def row(*shape, seed=1):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def largest_stretch(M):
    """Largest |v M| over all v of length 1, without a decomposition: by climbing."""
    v = row(1, M.shape[0], seed=3)
    for _ in range(5000):
        v = v @ M @ M.T
        v = v / v.norm()
    return (v @ M).norm().item()


@chapter.shows("eq-fading-one-unit", r"\frac{\partial h_T}{\partial h_{T-k}} = w^k")
def one_unit():
    for w in (0.9, -1.1):
        h = [torch.tensor(0.7, dtype=torch.float64, requires_grad=True)]
        for _ in range(6):
            h.append(w * h[-1])
        for k in range(1, 6):
            (slope,) = torch.autograd.grad(h[6], h[6 - k], retain_graph=True)
            assert np.isclose(slope.item(), w**k)


@chapter.shows("eq-fading-forward", r"h_t = \tanh(x_t W_x + h_{t-1} W_h + b)")
def forward():
    from lstm_ref.rnn import rnn_forward

    x, Wx, Wh, b, h = run()
    arrays = [array.detach().numpy() for array in (torch.stack(x[1:], dim=1), h[0], Wx, Wh, b)]
    assert same(rnn_forward(*arrays)[0], torch.stack(h[1:], dim=1))


@chapter.shows(
    "eq-fading-one-step",
    r"""\begin{aligned}
    \bar h_{t-1} &= \big(\bar h_t \odot (1 - h_t^2)\big)\, W_h^\top \\
    &= \bar h_t\, J_t \quad \text{with} \quad J_t = \operatorname{diag}(1 - h_t^2)\, W_h^\top
    \end{aligned}""",
)
def one_step():
    _, _, Wh, _, h = run()
    bar = row(1, H)
    for t in range(1, T + 1):
        before = torch.autograd.grad((bar * h[t]).sum(), h[t - 1], retain_graph=True)[0]
        J = torch.diag(1 - h[t][0] ** 2) @ Wh.T
        assert same(before, (bar * (1 - h[t] ** 2)) @ Wh.T) and same(before, bar @ J)


@chapter.shows(
    "eq-fading-jacobian",
    r"(J_t)_{jk} = \frac{\partial h_{t,j}}{\partial h_{t-1,k}} = (1 - h_{t,j}^2)\, (W_h)_{kj}",
)
def jacobian():
    _, _, Wh, _, h = run()
    J = by_autograd(2)
    assert all(same(J[j, k], (1 - h[2][0, j] ** 2) * Wh[k, j]) for j in range(H) for k in range(H))
    assert same(J, torch.diag(1 - h[2][0] ** 2) @ Wh.T)


@chapter.shows("eq-fading-product", r"\bar h_t = \bar h_T\, J_T\, J_{T-1} \cdots J_{t+1}")
def product_of_jacobians():
    *_, h = run()
    bar = row(1, H)
    for t in range(T + 1):
        total = torch.autograd.grad((bar * h[T]).sum(), h[t], retain_graph=True)[0]
        assert same(total, bar @ product(T, t))


@chapter.shows(
    "eq-fading-all-steps",
    r"\bar h_t = \sum_{s=t}^{T} \frac{\partial L}{\partial h_s}\, J_s\, J_{s-1} \cdots J_{t+1}",
)
def loss_at_every_step():
    *_, h = run()
    immediate = row(T + 1, 1, H)
    loss = sum((immediate[s] * h[s]).sum() for s in range(T + 1))
    for t in range(T + 1):
        total = torch.autograd.grad(loss, h[t], retain_graph=True)[0]
        assert same(total, sum(immediate[s] @ product(s, t) for s in range(t, T + 1)))


@chapter.shows("eq-fading-stretch", r"\lVert v M \rVert \le \sigma_{\max}(M)\, \lVert v \rVert")
def stretch():
    M = row(6, 6)
    sigma = torch.linalg.svdvals(M)[0].item()
    rows = row(20_000, 6, seed=2)
    stretched = (rows @ M).norm(dim=1) / rows.norm(dim=1)
    assert stretched.max() <= sigma * (1 + 1e-12) and stretched.max() > 0.95 * sigma
    assert np.isclose(largest_stretch(M), sigma)  # some vector is stretched by just that much


@chapter.shows(
    "eq-fading-bound",
    r"""\lVert \bar h_{T-k} \rVert \;\le\; \lVert \bar h_T \rVert \prod_{t=T-k+1}^{T}
        \sigma_{\max}(J_t)
    \;\le\; \lVert \bar h_T \rVert\; \sigma_{\max}(W_h)^k""",
)
def bound():
    _, _, Wh, _, h = run()
    sigma = torch.linalg.svdvals(Wh)[0].item()
    stretches = {t: largest_stretch(by_autograd(t)) for t in range(1, T + 1)}
    for seed in range(20):
        bar = row(1, H, seed=seed)
        for k in range(1, T + 1):
            total = torch.autograd.grad((bar * h[T]).sum(), h[T - k], retain_graph=True)[0]
            by_step = np.prod([stretches[t] for t in range(T - k + 1, T + 1)])
            assert total.norm() <= bar.norm() * by_step * (1 + 1e-9)
            assert by_step <= sigma**k * (1 + 1e-9)


@chapter.shows("eq-fading-linear", r"\bar h_{T-k} = \bar h_T\, \big(W_h^\top\big)^k")
def linear():
    Wh, bar, states = row(H, H), row(1, H, seed=2), [row(1, H, seed=3).requires_grad_()]
    for _ in range(T):
        states.append(states[-1] @ Wh)  # no tanh
    for k in range(T + 1):
        total = torch.autograd.grad((bar * states[T]).sum(), states[T - k], retain_graph=True)[0]
        assert same(total, bar @ torch.linalg.matrix_power(Wh.T, k))


@chapter.shows(
    "eq-fading-powers",
    r"\rho(W)^k \;\le\; \sigma_{\max}\big(W^k\big) \;\le\; \sigma_{\max}(W)^k",
)
def powers():
    rng = np.random.default_rng(0)
    strict = 0
    for W in [rng.normal(size=(n, n)) for n in (1, 2, 5, 9) for _ in range(5)]:
        rho, sigma = np.abs(np.linalg.eigvals(W)).max(), np.sqrt(np.linalg.eigvalsh(W @ W.T).max())
        power = np.eye(len(W))
        for k in range(1, 12):
            power = power @ W
            middle = np.sqrt(np.linalg.eigvalsh(power @ power.T).max())
            assert rho**k <= middle * (1 + 1e-9) and middle <= sigma**k * (1 + 1e-9)
            strict += rho**k < 0.9 * middle < 0.8 * sigma**k
    assert strict > 50


@chapter.shows(
    "eq-fading-gelfand",
    r"\lim_{k \to \infty} \sigma_{\max}\big(W^k\big)^{1/k} = \rho(W)",
)
def gelfand():
    # A Jordan block has a closed form: the power k of [[r, 1], [0, r]] is [[r^k, k r^(k-1)], [0,
    # r^k]].
    r, W = 0.9, np.array([[0.9, 1.0], [0.0, 0.9]])
    roots = []
    for k in (10, 100, 1000, 5000):
        power = r ** (k - 1) * np.array([[r, k], [0, r]])
        assert np.allclose(np.linalg.matrix_power(W, k), power, rtol=1e-9)
        roots.append(np.linalg.norm(power, 2) ** (1 / k))
    assert (np.diff(roots) < 0).all() and roots[0] > 1.05 and 0 < roots[-1] - r < 0.003


@chapter.shows(
    "eq-fading-clip-norm",
    r"g \;\leftarrow\; g \cdot \min\!\left(1, \frac{\theta}{\lVert g \rVert}\right)",
)
def clip_norm():
    for theta in (0.1, 1.0, 100.0):
        weights = [torch.nn.Parameter(torch.zeros(3, 4)), torch.nn.Parameter(torch.zeros(5))]
        for k, weight in enumerate(weights):
            weight.grad = row(*weight.shape, seed=k).float()
        g = torch.cat([weight.grad.flatten() for weight in weights])
        want = g * min(1, theta / g.norm().item())
        torch.nn.utils.clip_grad_norm_(weights, theta)
        got = torch.cat([weight.grad.flatten() for weight in weights])
        assert torch.allclose(got, want, rtol=1e-4)  # PyTorch adds 1e-6 to the norm


@chapter.shows(
    "eq-fading-clip-value", r"g_k \;\leftarrow\; \max\big(-\theta, \min(\theta, g_k)\big)"
)
def clip_value():
    weight = torch.nn.Parameter(torch.zeros(50))
    weight.grad = 3 * row(50).float()
    want = [max(-1.0, min(1.0, value)) for value in weight.grad.tolist()]
    torch.nn.utils.clip_grad_value_([weight], 1.0)
    assert weight.grad.tolist() == want and 10 < sum(abs(value) == 1 for value in want) < 50


@chapter.shows(
    "eq-fading-angle",
    r"\cos \varphi = \frac{\langle g, g' \rangle}{\lVert g \rVert\, \lVert g' \rVert}",
)
def angle():
    for phi in (0.0, 0.3, 1.2, 3.0):  # turned by an angle that is known
        turn = np.array([[np.cos(phi), np.sin(phi)], [-np.sin(phi), np.cos(phi)]])
        g = np.array([1.7, -0.4])
        other = 5 * g @ turn
        assert np.isclose(g @ other / np.linalg.norm(g) / np.linalg.norm(other), np.cos(phi))


@chapter.shows(
    "eq-fading-sign-angle",
    r"\cos \varphi = \frac{\sum_k \lvert g_k \rvert}{\sqrt{n}\, \lVert g \rVert}",
)
def sign_angle():
    g = row(200).numpy()
    clipped = np.clip(g, -1e-9, 1e-9)
    assert (np.abs(g) > 1e-9).all()
    cosine = g @ clipped / np.linalg.norm(g) / np.linalg.norm(clipped)
    assert np.isclose(cosine, np.abs(g).sum() / np.sqrt(200) / np.linalg.norm(g))
    for limit in (1e-3, 0.1, 1.0):  # a larger limit turns it less
        other = np.clip(g, -limit, limit)
        assert g @ other / np.linalg.norm(g) / np.linalg.norm(other) > cosine


test_a_formula_is_right, test_every_formula_has_its_check = chapter.tests()

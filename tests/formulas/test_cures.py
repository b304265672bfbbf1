"""The formulas of the page *Curing vanishing gradients*, by backpropagation and by
drawing.
"""

import numpy as np
import torch

from lstm_ref import chrono_bias, clip_by_norm, sigmoid
from tests.chapter_formulas import Chapter

chapter = Chapter("cures")


def parts_by_lag(T=12, H=5):
    """Gradient of Wh of a plain RNN, the part of each lag on its own: (T, H, H)."""
    torch.manual_seed(0)
    x = torch.randn(T, 3, dtype=torch.float64)
    Wx, W = torch.randn(3, H, dtype=torch.float64) / 2, torch.randn(H, H, dtype=torch.float64) / 4
    # one weight for each step, all of one value
    copies = [W.clone().requires_grad_() for _ in range(T)]
    h = torch.zeros(H, dtype=torch.float64)
    for t in range(T):
        h = torch.tanh(x[t] @ Wx + h @ copies[t])
    return np.array([g.numpy() for g in torch.autograd.grad(h.sum(), copies)[::-1]])


@chapter.shows(
    "eq-cures-clip",
    r"g = \sum_k g_k \;\;\longrightarrow\;\; s\,g = \sum_k s\,g_k, \qquad "
    r"\frac{\lVert s\,g_k \rVert}{\lVert s\,g_0 \rVert} = \frac{\lVert g_k \rVert}{\lVert g_0 "
    r"\rVert}",
)
def clipping_keeps_the_proportions_of_the_lags():
    parts = parts_by_lag()
    whole = parts.sum(axis=0)
    clipped, norm = clip_by_norm({"Wh": whole}, 0.25)
    s = 0.25 / norm
    assert s < 1 and np.allclose(clipped["Wh"], s * whole)
    norms = np.linalg.norm(parts, axis=(1, 2))
    assert norms[10] < 1e-2 * norms[1]  # it vanishes, so there is something to cure
    assert np.allclose(
        np.linalg.norm(s * parts, axis=(1, 2))[1:] / (s * norms[1]), norms[1:] / norms[1]
    )


@chapter.shows(
    "eq-cures-bias",
    (
        r"f = \sigma(\ln u) = \frac{u}{1 + u}, \qquad f^{\,u} = \Big(1 + \frac{1}{u}\Big)^{-u} "
        r"\approx \frac{1}{e}"
    ),
)
def a_bias_of_ln_u_forgets_in_u_steps():
    for u in (10.0, 50.0, 200.0):
        assert np.isclose(sigmoid(np.log(u)), u / (1 + u))
        assert (
            np.isclose(sigmoid(np.log(u)) ** u, (1 + 1 / u) ** -u)
            and abs((1 + 1 / u) ** -u - 1 / np.e) < 0.02
        )


@chapter.shows(
    "eq-cures-chrono",
    (
        r"b_f = \ln u, \quad b_i = -\ln u, \qquad u \text{ drawn evenly from } 1 \text{ to } "
        r"T_{\max} - 1"
    ),
)
def chrono_draws_forgetting_times_evenly():
    write, keep, *rest = chrono_bias(np.random.default_rng(0), 20_000, 50).reshape(4, -1)
    u = np.exp(keep)
    assert np.allclose(write, -keep) and not np.any(rest)
    assert u.min() >= 1 and u.max() <= 49
    assert np.allclose(np.quantile(u, [0.25, 0.5, 0.75]), [13, 25, 37], atol=0.8)


@chapter.shows("eq-cures-mean", r"i = \sigma(-\ln u) = \frac{1}{1 + u} = 1 - f")
def the_cell_state_starts_as_a_moving_mean():
    u = np.array([1.0, 9.0, 49.0])
    i, f = sigmoid(-np.log(u)), sigmoid(np.log(u))
    assert np.allclose(i, 1 / (1 + u)) and np.allclose(i, 1 - f)
    c = np.zeros(3)
    for _ in range(2000):
        c = f * c + i * 0.7
    assert np.allclose(c, 0.7)  # never larger than what is written


test_a_formula_is_right, test_every_formula_has_its_check = chapter.tests()

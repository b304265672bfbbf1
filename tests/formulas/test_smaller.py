"""The formulas of the page *Model compression*, beside NumPy and PyTorch's
own pruning.
"""

import numpy as np
import torch

from benchmarks.pages import experiment
from tests.chapter_formulas import Chapter

chapter = Chapter("smaller")
PAGE = experiment("smaller")


def a_model(H=10):
    torch.manual_seed(0)
    model = PAGE.SentenceClassifier(len(PAGE.vocabulary), E=6, H=H)
    return model, [
        model.lstm.weight_ih_l0.detach().numpy(),
        model.lstm.weight_hh_l0.detach().numpy(),
    ]


@chapter.shows(
    "eq-smaller-mask",
    r"W' = M \odot W, \qquad M_{jk} = \big[\, \lvert W_{jk} \rvert > q_s \,\big]",
)
def mask():
    model, whole = a_model()
    for share in (0.3, 0.8):
        threshold = np.quantile(np.abs(np.concatenate([W.ravel() for W in whole])), share)
        thin = PAGE.pruned(model, share)
        for W, name in zip(whole, ("weight_ih_l0", "weight_hh_l0"), strict=True):
            assert np.allclose(
                getattr(thin.lstm, name).detach().numpy(), W * (np.abs(W) > threshold), atol=1e-7
            )


@chapter.shows(
    "eq-smaller-int8",
    r"""s_j = \frac{\max_k \lvert W_{jk} \rvert}{m}, \qquad Q_{jk}
        = \mathrm{round}\Big(\frac{W_{jk}}{s_j}\Big),
    \qquad \lvert W_{jk} - s_j Q_{jk} \rvert \le \frac{s_j}{2}""",
)
def by_row():
    W = np.random.default_rng(0).normal(size=(9, 40)).astype(np.float32)
    for bits in (2, 4, 8):
        Q, s = (part.numpy() for part in PAGE.by_row(torch.from_numpy(W), bits))
        m = 2 ** (bits - 1) - 1
        assert np.allclose(s[:, 0], np.abs(W).max(axis=1) / m) and np.abs(Q).max() == m
        assert (np.abs(W - s * Q) <= s / 2 * (1 + 1e-5)).all()
        # No other integers are nearer
        for step in (-1, 1):
            assert (np.abs(W - s * Q) <= np.abs(W - s * (Q + float(step))) + 1e-6).all()


@chapter.shows(
    "eq-smaller-rank",
    r"""\lVert W - W_r \rVert_F^2 = \sum_{k > r} \sigma_k^2, \qquad r\,(m
        + n) < m\,n \;\text{ only if }\;
    r < \frac{m\,n}{m + n}""",
)
def rank():
    model, whole = a_model()
    for r in (1, 3, 5):
        flat = PAGE.low_rank(model, r)
        for W, name in zip(whole, ("weight_ih_l0", "weight_hh_l0"), strict=True):
            thin = getattr(flat.lstm, name).detach().numpy()
            sigma = np.linalg.svd(W, compute_uv=False)
            assert np.linalg.matrix_rank(thin, tol=1e-4) == r
            assert np.isclose(np.sum((W - thin) ** 2), np.sum(sigma[r:] ** 2), rtol=1e-3)
    for m, n in ((256, 64), (40, 10)):
        assert [r for r in range(1, n) if r * (m + n) < m * n] == [
            r for r in range(1, n) if r < m * n / (m + n)
        ]


@chapter.shows(
    "eq-smaller-distillation",
    r"""L = -\tau^2 \sum_j p_j \ln q_j, \qquad p_j = \frac{e^{v_j / \tau}}{\sum_i e^{v_i /
        \tau}}, \qquad
    q_j = \frac{e^{z_j / \tau}}{\sum_i e^{z_i / \tau}}""",
)
def distillation():
    rng = np.random.default_rng(0)
    z, v = rng.normal(size=(6, 3)), 2 * rng.normal(size=(6, 3))
    sizes = []
    for tau in (1.0, 2.0, 50.0):
        p, q = (np.exp(a / tau) / np.exp(a / tau).sum(axis=1, keepdims=True) for a in (v, z))
        given = torch.from_numpy(z).requires_grad_()
        loss = PAGE.distillation_loss(given, torch.from_numpy(v), tau)
        assert np.isclose(loss.item(), -np.mean(tau**2 * np.sum(p * np.log(q), axis=1)))
        (gradient,) = torch.autograd.grad(loss, given)
        assert np.allclose(
            gradient.numpy() * len(z), tau * (q - p)
        )  # one factor is left, against differences of about 1 / tau
        sizes.append(gradient.norm().item())
    assert max(sizes) < 3 * min(sizes)


def test_units_that_do_nothing_can_go():
    """Where the other units' outgoing weights are zero, a network of the rest computes the same."""
    model, _ = a_model()
    with torch.no_grad():
        for unit in (2, 7):
            model.lstm.weight_hh_l0[:, unit] = 0
            model.affine.weight[:, unit] = 0
    small = PAGE.fewer_units(model, 8)
    ids = torch.randint(4, 20, (5, 9))
    assert torch.allclose(small(ids), model(ids), atol=1e-5) and small.lstm.hidden_size == 8


def test_a_whole_copy_is_a_copy():
    model, _ = a_model()
    ids = torch.randint(4, 20, (5, 9))
    assert torch.equal(PAGE.copy_of(model)(ids), model(ids))
    assert torch.allclose(
        PAGE.low_rank(model, 6)(ids), PAGE.low_rank(model, 9)(ids), atol=1
    ) and PAGE.size(model) > 4 * sum(p.numel() for p in model.parameters())


test_a_formula_is_right, test_every_formula_has_its_check = chapter.tests()

"""The formulas of the page *Speech recognition with CTC*, by listing all paths, by SciPy and
by PyTorch.
"""

import itertools

import numpy as np
import torch
from scipy.fft import dct
from scipy.special import comb

from lstm_ref import ctc_greedy, ctc_loss
from lstm_ref.data import log_mel
from tests.chapter_formulas import Chapter

chapter = Chapter("speech")


def probabilities(T, V, seed=0):
    """Scores (T, V), and their softmax."""
    a = np.random.default_rng(seed).normal(size=(T, V))
    return a, np.exp(a) / np.exp(a).sum(axis=1, keepdims=True)


def paths_that_spell(y, T, V):
    """All paths (T,) that spell y, by listing V ** T of them."""
    every = np.array(list(itertools.product(range(V), repeat=T)))
    return every[[spelt == list(y) for spelt in ctc_greedy(np.eye(V)[every])]]


@chapter.shows("eq-speech-mel", r"m(f) = 2595 \, \log_{10}\left(1 + \frac{f}{700}\right)")
def bands_are_equally_wide_in_mel():
    def mel(f):
        return 2595 * np.log10(1 + f / 700)

    assert abs(mel(1000) - 1000) < 0.1
    # A tone in the middle of band k of 20 is loudest there: the middles are equally far apart on
    # the mel scale.
    top, t = mel(4000), np.arange(8000) / 8000
    for k in (6, 12, 18):
        middle = 700 * (10 ** (top * (k + 1) / 21 / 2595) - 1)
        assert log_mel(np.sin(2 * np.pi * middle * t), 8000, bands=20, frame=0.1)[3].argmax() == k


@chapter.shows(
    "eq-speech-mfcc",
    r"c_k = w_k \sum_{d=0}^{D-1} s_d \cos \frac{\pi k (2d + 1)}{2D}, "
    r"\qquad w_0 = \sqrt{\tfrac{1}{D}}, \quad w_k = \sqrt{\tfrac{2}{D}}",
)
def cosine_transform():
    s, D = np.random.default_rng(0).normal(size=20), 20
    for k, c in enumerate(dct(s, norm="ortho")):
        w = np.sqrt((2 if k else 1) / D)
        assert np.isclose(
            c, w * sum(s[d] * np.cos(np.pi * k * (2 * d + 1) / (2 * D)) for d in range(D))
        )


@chapter.shows(
    "eq-speech-ctc",
    r"p(y) = \sum_{\pi \text{ spells } y} \; \prod_{t=1}^{T} p_t(\pi_t), \qquad L = -\ln p(y)",
)
def all_paths():
    T, V = 6, 3
    a, p = probabilities(T, V)
    for y in ((1,), (1, 2), (2, 2), (1, 2, 1)):
        total = sum(np.prod(p[np.arange(T), path]) for path in paths_that_spell(y, T, V))
        theirs = torch.nn.functional.ctc_loss(
            torch.from_numpy(a).log_softmax(1)[:, None],
            torch.tensor([y]),
            [T],
            [len(y)],
            reduction="sum",
        )
        assert np.isclose(-np.log(total), theirs.item())


@chapter.shows(
    "eq-speech-alpha",
    r"\alpha_t(s) = p_t(z_s) \, \bigl[ \alpha_{t-1}(s) + \alpha_{t-1}(s-1) + "
    r"[z_s \neq \text{–},\ z_s \neq z_{s-2}] \, \alpha_{t-1}(s-2) \bigr]",
)
def beginnings():
    T, V = 6, 3
    _, p = probabilities(T, V, seed=1)
    for y in ((1, 2), (2, 2)):
        z = [0, *itertools.chain.from_iterable((label, 0) for label in y)]
        alpha = np.zeros((T, len(z)))
        alpha[0, :2] = p[0, z[:2]]
        for t, s in itertools.product(range(1, T), range(len(z))):
            came = alpha[t - 1, s] + (alpha[t - 1, s - 1] if s >= 1 else 0)
            if s >= 2 and z[s] != 0 and z[s] != z[s - 2]:
                came += alpha[t - 1, s - 2]
            alpha[t, s] = p[t, z[s]] * came
        total = sum(np.prod(p[np.arange(T), path]) for path in paths_that_spell(y, T, V))
        assert np.isclose(alpha[-1, -2:].sum(), total)


@chapter.shows("eq-speech-gradient", r"\frac{\partial L}{\partial a_t(k)} = p_t(k) - \gamma_t(k)")
def probability_minus_occupancy():
    T, V, y = 6, 3, (1, 2)
    a, p = probabilities(T, V, seed=2)
    paths = paths_that_spell(y, T, V)
    weight = np.array([np.prod(p[np.arange(T), path]) for path in paths])
    # share of the right paths that say k at t
    gamma = np.einsum("n,ntk->tk", weight / weight.sum(), np.eye(V)[paths])
    leaf = torch.tensor(a, requires_grad=True)
    torch.nn.functional.ctc_loss(
        leaf.log_softmax(1)[:, None], torch.tensor([y]), [T], [len(y)], reduction="sum"
    ).backward()
    assert np.allclose(leaf.grad.numpy(), p - gamma)
    assert np.allclose(ctc_loss(a[None], np.array([y]))[1][0], p - gamma)


@chapter.shows(
    "eq-speech-deaf", r"p(y) = \sum_{n=L}^{T} \binom{n-1}{L-1} \binom{T-n+L}{L} \, q^n \, b^{T-n}"
)
def one_distribution_for_all_frames():
    for T, y, b in ((7, (1, 2), 0.6), (9, (3, 1, 2), 0.9), (30, (1, 2, 1), 0.95)):
        L, q = len(y), (1 - b) / 3
        written = sum(
            comb(n - 1, L - 1) * comb(T - n + L, L) * q**n * b ** (T - n) for n in range(L, T + 1)
        )
        scores = np.log(np.broadcast_to([b, q, q, q], (1, T, 4)))
        assert np.isclose(np.exp(-ctc_loss(scores, np.array([y]))[0]), written)


test_a_formula_is_right, test_every_formula_has_its_check = chapter.tests()

"""The formulas of the page *A first trained LSTM*, beside PyTorch."""

from itertools import pairwise

import numpy as np
import torch

from lstm_ref.learn.losses import cross_entropy
from tests.chapter_formulas import Chapter

chapter = Chapter("first-lstm")


@chapter.shows(
    "eq-first-cross-entropy",
    r"L = -\frac{1}{M-1} \sum_{t=1}^{M-1} \ln p(x_{t+1} \mid x_1, \ldots, x_t)",
)
def cross_entropy_of_a_text():
    text = "abracadabra"
    alphabet, M = sorted(set(text)), len(text)
    # A model that one can count with: the next letter depends on the last one.
    p = {
        pair: weight
        for pair, weight in zip(
            [(a, b) for a in alphabet for b in alphabet], range(1, 26), strict=True
        )
    }
    p = {(a, b): w / sum(p[a, x] for x in alphabet) for (a, b), w in p.items()}
    by_hand = -sum(np.log(p[pair]) for pair in pairwise(text)) / (M - 1)
    logits = np.log([[[p[a, x] for x in alphabet] for a in text[:-1]]])
    targets = np.array([[alphabet.index(x) for x in text[1:]]])
    assert np.isclose(cross_entropy(logits, targets)[0], by_hand, rtol=1e-12)
    theirs = torch.nn.functional.cross_entropy(torch.tensor(logits[0]), torch.tensor(targets[0]))
    assert np.isclose(theirs.item(), by_hand, rtol=1e-12)


@chapter.shows(
    "eq-first-softmax",
    r"""\begin{aligned}
    z_t &= h_t W_y + b_y \\[4pt]
    p(x_{t+1} = k \mid x_1, \ldots, x_t) &= \frac{e^{z_{t,k}}}{\sum_j e^{z_{t,j}}}
    \end{aligned}""",
)
def scores_and_softmax():
    rng = np.random.default_rng(0)
    h, W_y, b_y = rng.normal(size=(2, 3, 5)), rng.normal(size=(5, 7)), rng.normal(size=7)
    z = torch.nn.functional.linear(torch.tensor(h), torch.tensor(W_y.T), torch.tensor(b_y))
    p = torch.softmax(z, dim=-1).numpy()
    z = z.numpy()
    assert np.allclose(z, h @ W_y + b_y, rtol=1e-12)
    for n, t, k in np.ndindex(2, 3, 7):
        assert np.isclose(
            p[n, t, k], np.exp(z[n, t, k]) / sum(np.exp(z[n, t, j]) for j in range(7)), rtol=1e-12
        )
        assert np.isclose(
            cross_entropy(z[n : n + 1, t : t + 1], np.array([[k]]))[0], -np.log(p[n, t, k])
        )


test_a_formula_is_right, test_every_formula_has_its_check = chapter.tests()

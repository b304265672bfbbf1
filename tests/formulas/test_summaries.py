"""The formulas of the page *Summarisation*, by hand and by loops."""

from itertools import combinations

import numpy as np
import pytest
import torch

from lstm_ref.metrics import ngrams, rouge_l, rouge_n
from lstm_ref.train import Pointer
from tests.chapter_formulas import Chapter

chapter = Chapter("summaries")


def drawn(seed, longest=7):
    rng = np.random.default_rng(seed)
    return [rng.choice(list("abc"), size=rng.integers(1, longest)).tolist() for _ in range(2)]


@chapter.shows(
    "eq-summaries-rouge",
    r"R = \frac{m}{r}, \qquad P = \frac{m}{c}, \qquad F_1 = \frac{2 P R}{P + R}",
)
def rouge_by_its_counts():
    for seed in range(20):
        a, b = drawn(seed)
        for n in (1, 2):
            r, c = max(len(a) - n + 1, 0), max(len(b) - n + 1, 0)
            m = sum(min(count, ngrams(b, n)[run]) for run, count in ngrams(a, n).items())
            expected = (m / c, m / r, 2 * (m / c) * (m / r) / (m / c + m / r)) if m else (0, 0, 0)
            assert rouge_n(a, b, n) == pytest.approx(expected)
            if m:
                # the harmonic mean is shared over all
                assert expected[2] == pytest.approx(2 * m / (r + c))


@chapter.shows(
    "eq-summaries-lcs",
    r"m_{ij} = \begin{cases} m_{i-1,\,j-1} + 1 & \text{if } a_i = b_j \\ "
    r"\max(m_{i-1,\,j},\; m_{i,\,j-1}) & \text{else} \end{cases}",
)
def longest_common_subsequence_of_all():
    for seed in range(40):
        a, b = drawn(seed)
        subsequences = [
            {
                tuple(text[k] for k in some)
                for n in range(8)
                for some in combinations(range(len(text)), n)
            }
            for text in (a, b)
        ]
        longest = max(map(len, subsequences[0] & subsequences[1]))
        m = np.zeros((len(a) + 1, len(b) + 1), int)
        for i in range(1, len(a) + 1):
            for j in range(1, len(b) + 1):
                m[i, j] = (
                    m[i - 1, j - 1] + 1 if a[i - 1] == b[j - 1] else max(m[i - 1, j], m[i, j - 1])
                )
        assert m[-1, -1] == longest
        assert rouge_l(a, b).recall == pytest.approx(longest / len(a))


@chapter.shows(
    "eq-summaries-copy",
    r"p(w) = g \, p_V(w) + (1 - g) \sum_{t:\, x_t = w} w_t, \qquad g = \sigma(v \cdot [q, z] + b)",
)
def written_or_copied():
    torch.manual_seed(1)
    model = Pointer(8, 5, E=4, H=3).double()
    read, copied, written = (
        torch.tensor([[4, 5, 1, 4]]),
        torch.tensor([[4, 3, 5, 4]]),
        torch.tensor([[2, 4]]),
    )
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    encoded = model.encode(read)
    log_p, w, g, _ = model.next_words(written, copied, encoded, encoded.state)
    q, _ = model.decoder(
        model.target_words(written), (encoded.state[0][None], encoded.state[1][None])
    )
    both = torch.cat([q, w @ encoded.memory], dim=2)[0]
    for s in range(2):
        gate = 1 / (1 + torch.exp(-(model.gate.weight[0] @ both[s] + model.gate.bias[0])))
        assert torch.allclose(g[0, s], gate)
        p_V = model.affine(both[s]).softmax(dim=0)
        for word in range(6):
            share = sum(w[0, s, t] for t in range(4) if copied[0, t] == word)
            expected = (gate * p_V[word] if word < 5 else 0) + (1 - gate) * share
            assert float(log_p[0, s, word].exp()) == pytest.approx(max(float(expected), 1e-9))


test_a_formula_is_right, test_every_formula_has_its_check = chapter.tests()

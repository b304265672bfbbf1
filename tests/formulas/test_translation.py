"""The formulas of the page *Translation and attention*, by the translator, by differences
and by loops.
"""

import math

import numpy as np
import pytest
import torch

from lstm_ref import additive_attention_forward, dot_attention_backward, dot_attention_forward
from lstm_ref.metrics import bleu, ngrams
from lstm_ref.train import Translator, beam_search, teacher_forced, translate_beam
from tests.chapter_formulas import Chapter

chapter = Chapter("translation")


@chapter.shows(
    "eq-translation-chain",
    r"-\ln p(y \mid x) = -\sum_{s=1}^{S} \ln p(y_s \mid y_1, \dots, y_{s-1}, x)",
)
def loss_is_that_of_the_whole_text():
    torch.manual_seed(0)
    model = Translator(7, 6, E=4, H=5).double().eval()
    source = torch.tensor([[4, 5, 6]])
    for found in translate_beam(model, source[0].numpy(), width=3, alpha=0.0, longest=6):
        y = [*found.ids, 3] if found.ended else list(found.ids)
        total = 0.0
        for s in range(len(y)):  # each word alone, after those before it
            with torch.no_grad():
                scores = model((source, torch.tensor([[2, *y[:s]]])))[0, -1]
            total -= float(scores.log_softmax(dim=0)[y[s]])
        batch = source, torch.tensor([[2, *y[:-1]]]), torch.tensor([y])
        assert len(y) * float(teacher_forced(model, batch).detach()) == pytest.approx(total)
        assert found.log_p == pytest.approx(-total)


def rows(N=1, S=3, T=4, K=5, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(N, S, K)), rng.normal(size=(N, T, K)), rng.normal(size=(N, S, K))


@chapter.shows(
    "eq-translation-attention",
    r"e_{st} = q_s \cdot k_t, \qquad w_{st} = \frac{\exp e_{st}}{\sum_{u} \exp e_{su}}, "
    r"\qquad z_s = \sum_{t} w_{st} \, k_t",
)
def attention_by_loops():
    q, k, _ = rows()
    z, w, _ = dot_attention_forward(q, k, k, scaled=False)
    for s in range(3):
        e = [sum(q[0, s, j] * k[0, t, j] for j in range(5)) for t in range(4)]
        written = [math.exp(one) / sum(map(math.exp, e)) for one in e]
        assert np.allclose(w[0, s], written)
        assert np.allclose(z[0, s], sum(written[t] * k[0, t] for t in range(4)))


@chapter.shows("eq-translation-additive", r"e_{st} = v \cdot \tanh(q_s W_q + k_t W_k)")
def additive_scores_by_loops():
    q, k, _ = rows()
    rng = np.random.default_rng(1)
    Wq, Wk, v = rng.normal(size=(5, 6)), rng.normal(size=(5, 6)), rng.normal(size=6)
    _, w, _ = additive_attention_forward(q, k, k, Wq, Wk, v)
    for s in range(3):
        e = np.array([v @ np.tanh(q[0, s] @ Wq + k[0, t] @ Wk) for t in range(4)])
        assert np.allclose(w[0, s], np.exp(e) / np.exp(e).sum())


@chapter.shows(
    "eq-translation-backward",
    r"\bar w_{st} = \bar z_s \cdot k_t, \qquad "
    r"\bar e_{st} = w_{st} \Big( \bar w_{st} - \sum_u w_{su} \bar w_{su} \Big)",
)
def gradient_of_the_scores():
    q, k, dz = rows()
    scores = torch.tensor(q @ k.swapaxes(1, 2), requires_grad=True)
    weights = scores.softmax(dim=2)
    weights.retain_grad()
    ((weights @ torch.tensor(k)) * torch.tensor(dz)).sum().backward()
    w, dw, de = weights.detach().numpy()[0], np.zeros((3, 4)), np.zeros((3, 4))
    for s in range(3):
        for t in range(4):
            dw[s, t] = dz[0, s] @ k[0, t]
        for t in range(4):
            de[s, t] = w[s, t] * (dw[s, t] - sum(w[s, u] * dw[s, u] for u in range(4)))
    assert np.allclose(weights.grad[0], dw) and np.allclose(scores.grad[0], de)
    grads = dot_attention_backward(dz, dot_attention_forward(q, k, k, scaled=False)[2])
    assert np.allclose(grads.dquery[0], de @ k[0])


@chapter.shows(
    "eq-translation-length",
    r"\operatorname{score}(y) = \frac{\ln p(y \mid x)}{\big( (5 + |y|) / 6 \big)^{\alpha}}",
)
def rule_of_length():
    table = np.log(np.random.default_rng(3).dirichlet(np.ones(4), size=4))
    for alpha in (0.0, 0.7):
        for one in beam_search(
            lambda ids, s: (table[ids], s), None, start=3, end=0, longest=5, width=9, alpha=alpha
        ):
            path = (3, *one.ids, 0)
            log_p = sum(table[a, b] for a, b in zip(path, path[1:], strict=False))
            assert one.score == pytest.approx(log_p / ((5 + len(one.ids) + 1) / 6) ** alpha)


@chapter.shows(
    "eq-translation-bleu",
    r"\mathrm{BLEU} = \exp\!\Big( \min\!\big(0,\, 1 - \tfrac{r}{c}\big) \Big) \, "
    r"\Big( \prod_{n=1}^{4} p_n \Big)^{1/4}",
)
def bleu_by_its_parts():
    rng = np.random.default_rng(0)
    references = [rng.choice(list("abcd"), size=rng.integers(5, 12)).tolist() for _ in range(20)]
    for cut in (1, 3):
        hypotheses = [[*text[: len(text) - cut], "a"][-len(text) :] for text in references]
        product = 1.0
        for n in range(1, 5):
            shared = sum(
                (ngrams(y, n) & ngrams(x, n)).total()
                for x, y in zip(references, hypotheses, strict=True)
            )
            product *= shared / sum(max(len(y) - n + 1, 0) for y in hypotheses)
        r, c = sum(map(len, references)), sum(map(len, hypotheses))
        assert bleu(references, hypotheses) == pytest.approx(
            math.exp(min(0, 1 - r / c)) * product ** (1 / 4)
        )
    # The words' share itself, by hand: "a a b" beside "a b c" has one a and the b.
    assert bleu([["a", "b", "c"]], [["a", "a", "b"]], longest=1) == pytest.approx(2 / 3)


test_a_formula_is_right, test_every_formula_has_its_check = chapter.tests()

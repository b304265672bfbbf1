"""The formulas of the page *Sentiment analysis*, by search and
by counting.
"""

from itertools import product

import numpy as np
import torch

from benchmarks.pages import experiment
from tests.chapter_formulas import Chapter

chapter = Chapter("sentiment")
PAGE = experiment("sentiment")


@chapter.shows(
    "eq-sentiment-bag",
    r"F\Big(\frac{1}{T} \sum_{t=1}^{T} e_t\Big) = F\Big(\frac{1}{T} \sum_{t=1}^{T} e_{\pi(t)}\Big)",
)
def a_mean_has_no_order():
    torch.manual_seed(0)
    bag, order = PAGE.MeanOfWords(20, 3).double(), torch.randperm(9)
    ids = torch.randint(1, 20, (5, 9))
    assert torch.allclose(bag(ids), bag(ids[:, order]), atol=1e-12)
    assert torch.allclose(bag(ids)[0], bag.net(bag.embedding(ids[0]).mean(dim=0)), atol=1e-12)
    lstm = PAGE.SentenceClassifier(20, 3).double()
    assert (lstm(ids) - lstm(ids[:, order])).abs().max() > 1e-4


@chapter.shows("eq-sentiment-ceiling", r"\text{accuracy} \le \frac{1}{n} \sum_b \max_y n_{b,y}")
def best_of_all_functions_of_a_bag():
    sentences = [["a", "b"], ["b", "a"], ["a", "b"], ["c"], ["c"], ["a"], ["b", "b"]]
    y = [0, 2, 0, 1, 2, 1, 0]
    bags = sorted({tuple(sorted(s)) for s in sentences})
    every = (
        dict(zip(bags, answers, strict=True)) for answers in product(range(3), repeat=len(bags))
    )
    best = max(
        np.mean([one[tuple(sorted(s))] == label for s, label in zip(sentences, y, strict=True)])
        for one in every
    )
    assert np.isclose(best, PAGE.ceiling(sentences, y)) and np.isclose(best, 5 / 7)


@chapter.shows(
    "eq-sentiment-ece", r"\mathrm{ECE} = \sum_b \frac{n_b}{n} \, \lvert a_b - \bar p_b \rvert"
)
def calibration_of_the_answer():
    rng = np.random.default_rng(0)
    p = rng.dirichlet([1, 1, 1], size=400)
    y, sure = rng.integers(3, size=400), p.max(axis=1)
    written = 0.0
    for b in range(10):
        inside = (sure >= b / 10) & (sure < (b + 1) / 10)
        if inside.any():
            right = np.mean(p[inside].argmax(axis=1) == y[inside])
            written += inside.sum() / 400 * abs(right - sure[inside].mean())
    assert np.isclose(PAGE.ece(p, y), written)
    assert PAGE.ece(np.eye(3), np.arange(3)) == 0  # certain, and right


def test_labels_are_those_of_the_grammar_where_there_is_no_fact():
    for text, label in zip(PAGE.drawn.texts[:2000], PAGE.drawn.labels, strict=False):
        assert PAGE.says(text.split()) == (2 if label else 0)


def test_exchanged_clauses_are_the_same_words_and_exchange_back():
    for sentence in PAGE.words[:2000]:
        if "," in sentence:
            other = PAGE.exchanged(sentence)
            assert (
                sorted(other) == sorted(sentence)
                and other != sentence
                and PAGE.exchanged(other) == sentence
            )
            assert PAGE.clauses(other) == PAGE.clauses(sentence)[::-1]


test_a_formula_is_right, test_every_formula_has_its_check = chapter.tests()

"""The formulas of the page *Slow training*, by counting and by simulation."""

import numpy as np
import torch

from benchmarks.pages import experiment
from tests.chapter_formulas import Chapter

chapter = Chapter("slow")
PAGE = experiment("slow")


@chapter.shows("eq-slow-padding", r"P = 1 - \frac{\sum_k T_k}{\sum_B N_B \max_{k \in B} T_k}")
def padding():
    batches = PAGE.in_random_order(50, seed=1)
    cells = [PAGE.pad([PAGE.ids[k] for k in batch]) for batch in batches]
    counted = sum((~one.mask).sum() for one in cells) / sum(one.mask.size for one in cells)
    P = 1 - PAGE.lengths.sum() / sum(len(batch) * PAGE.lengths[batch].max() for batch in batches)
    assert np.isclose(P, counted) and np.isclose(P, PAGE.padding_share(PAGE.lengths, batches))


@chapter.shows(
    "eq-slow-amdahl",
    r"\text{times as fast} = \frac{1}{(1 - p) + p / k} \;<\; \frac{1}{1 - p}",
)
def amdahl():
    rng = np.random.default_rng(0)
    for _ in range(20):
        part, rest, k = rng.uniform(0.1, 5, size=3)
        p = part / (part + rest)
        k += 1
        faster = (part + rest) / (part / k + rest)
        assert np.isclose(faster, 1 / ((1 - p) + p / k)) and faster < 1 / (1 - p)


@chapter.shows(
    "eq-slow-parts",
    r"""\nabla \frac1N \sum_{n} \ell_n = \sum_{k=1}^{K} \frac{N_k}{N} \, \nabla \frac{1}{N_k}
    \sum_{n \in B_k} \ell_n""",
)
def parts():
    torch.manual_seed(0)
    model, batch = PAGE.SentenceClassifier(len(PAGE.vocabulary), E=4, H=5).double(), np.arange(20)
    whole = PAGE.gradient(model, batch)
    for cuts in ([7], [3, 11], [5, 10, 15]):
        pieces = np.split(batch, cuts)
        assert torch.allclose(
            sum(PAGE.gradient(model, b, len(b) / 20) for b in pieces), whole, atol=1e-12
        )


test_a_formula_is_right, test_every_formula_has_its_check = chapter.tests()

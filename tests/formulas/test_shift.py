"""The formulas of the page *Generalisation and distribution shift*."""

from itertools import product

import numpy as np
import torch
from torch import nn

from tests.chapter_formulas import Chapter

chapter = Chapter("shift")


@chapter.shows(
    "eq-shift-bound",
    r"\lvert \hat y \rvert \;\le\; \sum_{k=1}^{H} \lvert w_k \rvert + \lvert b \rvert",
)
def a_forecast_is_bounded():
    torch.manual_seed(0)
    lstm, affine = nn.LSTM(1, 6, batch_first=True), nn.Linear(6, 1)
    most = (affine.weight.abs().sum() + affine.bias.abs().sum()).item()
    with torch.no_grad():
        for weight in lstm.parameters():
            weight.mul_(30)  # even an LSTM that is driven to its ends, by inputs of any size
        for size in (1, 100, 1e6):
            x = size * torch.randn(200, 30, 1)
            assert affine(lstm(x)[0]).abs().max().item() <= most + 1e-6
        # And the bound is reached where all h are at their ends, with the signs of w.
        assert (
            abs(
                affine(affine.weight.sign()).item()
                - affine.bias.item()
                - affine.weight.abs().sum().item()
            )
            < 1e-6
        )


def distributions():
    rng = np.random.default_rng(1)
    return rng.dirichlet(np.ones(5)), rng.dirichlet(np.ones(5))


@chapter.shows(
    "eq-shift-variation",
    r"\mathrm{TV}(P, Q) = \max_S \big( Q(S) - P(S) \big) = 2 a^* - 1",
)
def total_variation():
    P, Q = distributions()
    largest = max(sum((Q - P)[list(map(bool, S))]) for S in product((0, 1), repeat=5))
    # The best classifier of all 32 says for each value from which of the two it came; half of the
    # cases from each.
    best = max(
        sum(0.5 * (Q if s else P)[k] for k, s in enumerate(S)) for S in product((0, 1), repeat=5)
    )
    assert np.isclose(largest, 0.5 * np.abs(P - Q).sum()) and np.isclose(largest, 2 * best - 1)


@chapter.shows("eq-shift-error", r"e_Q \;\le\; e_P + \mathrm{TV}(P, Q)")
def errors_under_shift():
    P, Q = distributions()
    worst = 0.0
    for wrong in product((0, 1), repeat=5):  # every set of inputs on which a model may be wrong
        gap = (Q - P) @ np.array(wrong)
        worst = max(worst, gap)
    assert np.isclose(worst, 0.5 * np.abs(P - Q).sum())


test_a_formula_is_right, test_every_formula_has_its_check = chapter.tests()

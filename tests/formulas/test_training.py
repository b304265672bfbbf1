"""The formulas of the page *Training curves and early stopping*, by running what they
describe.
"""

import numpy as np

from lstm_ref import sgd
from tests.chapter_formulas import Chapter

chapter = Chapter("training")


@chapter.shows(
    "eq-training-patience",
    r"\text{stop after the first pass } s \text{ with } \; s - \arg\max_{r \le s} a_r \ge P",
)
def patience():
    rng = np.random.default_rng(0)
    for _ in range(200):
        a, P = rng.random(12), int(rng.integers(1, 5))
        written = next((s for s in range(1, 13) if s - (1 + int(np.argmax(a[:s]))) >= P), 12)
        best, since, counted = -np.inf, 0, 12
        for s, value in enumerate(a, 1):
            best, since = (value, 0) if value > best else (best, since + 1)
            if since == P:
                counted = s
                break
        assert written == counted


@chapter.shows(
    "eq-training-stable",
    r"w_n = (1 - \eta \lambda)^n \, w_0, \qquad \text{which stays bounded exactly when } "
    r"\; 0 \le \eta \le \frac{2}{\lambda}",
)
def descent_in_a_bowl():
    curvature = 4.0
    for rate, bounded in ((0.1, True), (0.49, True), (0.5, True), (0.51, False), (-0.01, False)):
        w = {"w": np.array([3.0])}
        for _ in range(400):
            grads = {"w": curvature * w["w"]}
            w = sgd(w, grads, lr=rate) if rate > 0 else {"w": w["w"] - rate * grads["w"]}
        assert np.isclose(w["w"].item(), (1 - rate * curvature) ** 400 * 3.0, rtol=1e-6)
        assert (abs(w["w"].item()) < 3.001) == bounded


@chapter.shows("eq-training-noise", r"\mathrm{Var}\, g_N = \frac{s^2}{N}")
def variance_of_a_mean_of_gradients():
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=5000), rng.normal(size=5000)
    each = 2 * (0.7 * x - y) * x  # gradients of (w x - y)^2 at w = 0.7
    for N in (4, 25):
        means = each[rng.integers(5000, size=(20_000, N))].mean(axis=1)
        assert np.isclose(means.var(), each.var() / N, rtol=0.05)


test_a_formula_is_right, test_every_formula_has_its_check = chapter.tests()

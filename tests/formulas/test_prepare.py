"""The formulas of the page *Preparing the data*, by brute force."""

from itertools import product

import numpy as np

from benchmarks.pages import experiment
from lstm_ref.data import fit_scaler
from tests.chapter_formulas import Chapter

chapter = Chapter("prepare")
PAGE = experiment("prepare")


@chapter.shows("eq-prepare-best", r"A_{\max} = \sum_k \max_y P(k, y)")
def best_possible():
    # Of all functions from keys to labels, tried one by one, the best has this accuracy.
    rng = np.random.default_rng(0)
    keys, labels = rng.integers(0, 4, size=60), rng.integers(0, 3, size=60)
    best = max(np.mean(np.array(rule)[keys] == labels) for rule in product(range(3), repeat=4))
    joint = np.zeros((4, 3))
    np.add.at(joint, (keys, labels), 1 / 60)
    assert np.isclose(joint.max(axis=1).sum(), best)


@chapter.shows("eq-prepare-scale", r"x' = \frac{x - \mu_{\text{train}}}{\sigma_{\text{train}}}")
def scale():
    x = np.random.default_rng(1).normal(350, 20, size=(100, 2))
    scaled = fit_scaler(x[:80]).apply(x)
    assert np.allclose(scaled, (x - x[:80].mean(axis=0)) / x[:80].std(axis=0))


@chapter.shows(
    "eq-prepare-walk",
    r"w_t = w_{t-1} + \varepsilon_t, \qquad \mathrm{E}[\,w_{t+h} \mid w_1, \ldots, w_t\,] = w_t",
)
def walk():
    # From one past, many futures: their mean is the last value, and no other constant has a smaller
    # error.
    rng = np.random.default_rng(2)
    past = np.cumsum(rng.normal(size=50))
    future = past[-1] + np.cumsum(rng.normal(size=(200_000, 7)), axis=1)
    assert np.allclose(future.mean(axis=0), past[-1], atol=0.03)
    error = [np.mean((future - (past[-1] + shift)) ** 2) for shift in (-0.3, -0.1, 0, 0.1, 0.3)]
    assert int(np.argmin(error)) == 2


@chapter.shows("eq-prepare-smooth", r"m_t = \frac{1}{2k + 1} \sum_{j=-k}^{k} w_{t+j},")
def smooth():
    w, k = np.random.default_rng(3).normal(size=40), 3
    m = np.convolve(w, np.ones(7) / 7, "valid")
    for t in range(k, 40 - k):
        assert np.isclose(m[t - k], sum(w[t + j] for j in range(-k, k + 1)) / (2 * k + 1))
        later = w.copy()
        later[t + k] += 7  # three steps ahead: the mean at t knows it
        assert np.isclose(np.convolve(later, np.ones(7) / 7, "valid")[t - k] - m[t - k], 1)


@chapter.shows("eq-prepare-overlap", r"\lvert i - j \rvert < T + K")
def overlap():
    T, K = PAGE.WINDOW, PAGE.HORIZON
    steps = np.arange(60.0)
    x, y = PAGE.cut_windows(steps, steps)
    held = [set(a) | set(b) for a, b in zip(x, y, strict=True)]
    for i, j in product(range(len(held)), repeat=2):
        assert bool(held[i] & held[j]) == (abs(i - j) < T + K)
    train, test = PAGE.by_time(200)
    assert test[0] - train[-1] >= T + K


test_a_formula_is_right, test_every_formula_has_its_check = chapter.tests()

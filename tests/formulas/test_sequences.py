"""The formulas of the page *Sequences*."""

import numpy as np
from statsmodels.tsa.stattools import acf

from tests.chapter_formulas import Chapter

chapter = Chapter("sequences")


@chapter.shows(
    "eq-sequences-autocorrelation",
    r"r_k = \frac{\sum_{t=1}^{M-k} (x_t - m)(x_{t+k} - m)}{\sum_{t=1}^{M} (x_t - m)^2}",
)
def autocorrelation():
    x = np.random.default_rng(0).normal(size=50).cumsum()
    m, M = x.mean(), len(x)
    r = [
        sum((x[t] - m) * (x[t + k] - m) for t in range(M - k)) / sum((x - m) ** 2)
        for k in range(13)
    ]
    assert np.allclose(r, acf(x, nlags=12, fft=False)) and r[0] == 1


test_a_formula_is_right, test_every_formula_has_its_check = chapter.tests()

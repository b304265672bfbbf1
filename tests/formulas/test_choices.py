"""The formulas of the page *Architecture and settings*."""

import numpy as np
from statsmodels.stats.weightstats import DescrStatsW

from tests.chapter_formulas import Chapter

chapter = Chapter("choices")


@chapter.shows(
    "eq-choices-paired",
    r"\mathrm{Var}(a - b) = \mathrm{Var}(a) + \mathrm{Var}(b) - 2\,\mathrm{Cov}(a, b)",
)
def paired():
    rng = np.random.default_rng(0)
    hard = rng.normal(size=400_000)
    a, b = hard + 0.3 * rng.normal(size=hard.shape), 0.8 * hard + 0.5 * rng.normal(size=hard.shape)
    (var_a, cov), (_, var_b) = np.cov(a, b)
    assert np.isclose(np.var(a - b, ddof=1), var_a + var_b - 2 * cov)
    # The numbers of the two models by hand: 0.2^2 + 0.3^2 + 0.5^2
    assert (
        np.isclose(np.var(a - b, ddof=1), 0.2**2 + 0.3**2 + 0.5**2, rtol=0.02)
        and np.var(a - b) < var_a + var_b
    )


@chapter.shows("eq-choices-interval", r"\bar d \pm t_{n-1,\,0.975} \, \frac{s_d}{\sqrt n}")
def interval():
    from scipy.stats import t

    rng = np.random.default_rng(1)
    d = rng.normal(0.3, 2.0, size=5)
    half = t.ppf(0.975, 4) * d.std(ddof=1) / np.sqrt(5)
    assert np.allclose((d.mean() - half, d.mean() + half), DescrStatsW(d).tconfint_mean())


test_a_formula_is_right, test_every_formula_has_its_check = chapter.tests()

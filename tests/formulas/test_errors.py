"""The formulas of the page *Error analysis*, by counting and by
simulation.
"""

import numpy as np

from tests.chapter_formulas import Chapter

chapter = Chapter("errors")


@chapter.shows("eq-errors-mean", r"e = \sum_s \frac{n_s}{n} \, e_s")
def mean_of_slices():
    rng = np.random.default_rng(0)
    slices, wrong = rng.integers(0, 5, size=700), rng.random(700) < 0.3
    sizes = np.bincount(slices)
    rates = np.array([wrong[slices == s].mean() for s in range(5)])
    assert np.isclose(np.sum(sizes / 700 * rates), wrong.mean())
    # What is gained where one slice gets better, in the words of the page
    better = wrong & ~((slices == 2) & (np.arange(700) % 2 == 0))
    gained = sizes[2] / 700 * (rates[2] - better[slices == 2].mean())
    assert np.isclose(wrong.mean() - better.mean(), gained)


def false_alarms(m, level, together, draws=20_000):
    """Share of draws in which at least one of m p-values of true null hypotheses is below the
    level.
    """
    p = np.random.default_rng(m).random((draws, 1 if together else m))
    return np.mean((p < level).any(axis=1))


@chapter.shows(
    "eq-errors-bonferroni",
    r"P(\text{at least one false alarm}) \le \sum_{s=1}^{m} \frac{\alpha}{m} = \alpha",
)
def bonferroni():
    for m in (2, 10, 70):
        assert np.isclose(sum([0.05 / m] * m), 0.05)
        assert 0.04 < false_alarms(m, 0.05 / m, together=False) <= 0.055
        # slices that are all the same
        assert false_alarms(m, 0.05 / m, together=True) <= 0.055 / m + 0.005


@chapter.shows("eq-errors-some", r"P(\text{at least one false alarm}) = 1 - (1 - \alpha)^m")
def some():
    for m in (1, 10, 40):
        assert np.isclose(false_alarms(m, 0.05, together=False), 1 - 0.95**m, atol=0.01)


test_a_formula_is_right, test_every_formula_has_its_check = chapter.tests()

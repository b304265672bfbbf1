"""The formulas of the page *Time-series forecasting*, by loops, by simulation, and by another
minimiser.
"""

import numpy as np
import torch

from benchmarks.pages import experiment
from tests.chapter_formulas import Chapter

chapter = Chapter("forecasting")
PAGE = experiment("forecasting")


@chapter.shows(
    "eq-forecasting-naive", r"\hat y_{t+h} = y_t \qquad \text{and} \qquad \hat y_{t+h} = y_{t+h-P}"
)
def forecasts_that_cost_nothing():
    y = np.random.default_rng(0).normal(size=80)
    T, K, P = 14, 6, 12
    task = PAGE.Task(y, T, K, P)
    last, season = task.persistence(), task.seasonal_naive()
    assert len(last) == len(y) - T - K + 1
    for row in range(len(last)):
        t = row + T - 1
        for h in range(1, K + 1):
            assert last[row, h - 1] == y[t] and season[row, h - 1] == y[t + h - P]
            assert task.future[row, h - 1] == y[t + h]
    # no season before: no forecast
    assert np.isnan(PAGE.Task(y, 4, 2, P).seasonal_naive()[0]).all()


@chapter.shows("eq-forecasting-root", r"\sqrt{\mathrm{E}\,(y_{t+h} - y_t)^2} = \sigma \sqrt h")
def error_of_persistence_on_a_walk():
    steps = 0.3 * np.random.default_rng(1).normal(size=(200_000, 9))
    off = np.cumsum(steps, axis=1)
    assert np.allclose(np.sqrt(np.mean(off**2, axis=0)), 0.3 * np.sqrt(np.arange(1, 10)), rtol=0.01)


@chapter.shows(
    "eq-forecasting-changes",
    r"x_j = \frac{y_{t-j} - y_t}{s_x}, \qquad \hat y_{t+h} = y_t + s_y \, u_h",
)
def changes_from_the_last_value():
    y = 300 + np.cumsum(np.random.default_rng(2).normal(size=60))
    task = PAGE.Task(y, 8, 3)
    frame = PAGE.fit_frame(task.past[:20], task.future[:20])
    x, u = frame.inputs(task.past, task.start), frame.targets(task.past, task.future)
    for row in (0, 7, len(x) - 1):
        t = row + 7
        for j in range(8):
            assert np.isclose(x[row, 7 - j, 0], (y[t - j] - y[t]) / frame.x_scale, atol=1e-6)
    assert np.allclose(frame.in_units(u, task.past), task.future, atol=1e-4)
    assert np.allclose(frame.in_units(np.zeros_like(u), task.past), task.persistence())


@chapter.shows(
    "eq-forecasting-pinball",
    r"\rho_q(y, \hat y) = \max\bigl(q \, (y - \hat y), \; (q - 1)(y - \hat y)\bigr)",
)
def least_at_the_quantile():
    y = np.random.default_rng(3).gamma(2.0, size=4001)
    grid = np.linspace(y.min(), y.max(), 4000)

    def rho(q, told):
        off = y - told
        return np.where(off > 0, q * off, (q - 1) * off).mean()

    for q in (0.1, 0.5, 0.9):
        best = grid[np.argmin([rho(q, told) for told in grid])]
        assert np.isclose(best, np.quantile(y, q), atol=0.02)
        assert np.isclose(np.mean(y < best), q, atol=0.005)
    # The loss of the page is the mean of the three, over levels and steps.
    out = torch.tensor([[[0.0, 1.0, 2.0]]])
    loss = PAGE.pinball(lambda x: out, (None, torch.tensor([[0.5]])))
    assert np.isclose(loss.item(), (0.1 * 0.5 + 0.5 * 0.5 + 0.1 * 1.5) / 3)


def test_no_window_of_a_fold_knows_a_value_that_had_not_been_measured():
    task = PAGE.Task(np.arange(200.0), 10, 4)
    tested = []
    for parts in PAGE.origins(task):
        now = task.past[parts.test[0], -1]  # the newest value when the first test forecast is made
        assert task.future[parts.validation].max() <= now
        assert task.future[parts.train].max() <= task.past[parts.validation[0], -1]
        tested.append(parts.test)
    assert np.array_equal(
        np.concatenate(tested), np.arange(int(0.6 * len(task.past)), len(task.past))
    )


test_a_formula_is_right, test_every_formula_has_its_check = chapter.tests()

"""The formulas of the page *Over-fitting and regularisation*, by PyTorch's own and by
simulation.
"""

import numpy as np
import torch

from lstm_ref import adam, adam_init, l1_penalty, l2_penalty
from tests.chapter_formulas import Chapter

chapter = Chapter("overfitting")


@chapter.shows(
    "eq-overfitting-temperature",
    (
        r"L(\tau) = -\frac{1}{n} \sum_{k=1}^{n} \ln \frac{e^{z_{k,y_k} / \tau}}{\sum_j e^{z_{k,j} "
        r"/ \tau}}"
    ),
)
def loss_at_a_temperature():
    rng = np.random.default_rng(0)
    z, y = rng.normal(size=(50, 3)) * 4, rng.integers(3, size=50)
    for tau in (0.5, 1.0, 3.0):
        written = -np.mean(
            [np.log(np.exp(z[k, y[k]] / tau) / np.exp(z[k] / tau).sum()) for k in range(50)]
        )
        own = torch.nn.functional.cross_entropy(torch.from_numpy(z / tau), torch.from_numpy(y))
        assert np.isclose(written, own.item())
        assert np.array_equal(z.argmax(axis=1), (z / tau).argmax(axis=1))


@chapter.shows(
    "eq-overfitting-penalties",
    (
        r"L_2: \quad L + \frac{\lambda}{2} \sum_k w_k^2 \qquad\qquad L_1: \quad L + \lambda \sum_k "
        r"\lvert w_k \rvert"
    ),
)
def penalties():
    w, strength = np.array([3.0, -0.5, 0.01]), 0.2
    for penalty, written, gradient in (
        (l2_penalty, strength / 2 * np.sum(w**2), strength * w),
        (l1_penalty, strength * np.sum(np.abs(w)), strength * np.sign(w)),
    ):
        loss, grads = penalty({"w": w}, strength)
        assert np.isclose(loss, written) and np.allclose(grads["w"], gradient)


@chapter.shows(
    "eq-overfitting-dropout",
    r"\tilde x_k = \frac{m_k \, x_k}{1 - p}, \qquad \mathrm{E}\, \tilde x_k = x_k, \qquad "
    r"\mathrm{Var}\, \tilde x_k = \frac{p}{1 - p} \, x_k^2",
)
def mean_and_variance_of_dropout():
    x = torch.tensor([0.5, -2.0, 3.0], dtype=torch.float64)
    for p in (0.2, 0.5):
        generator = torch.manual_seed(0)
        drawn = torch.nn.functional.dropout(x.expand(200_000, 3), p).numpy()
        assert generator is not None
        assert np.allclose(np.unique(np.abs(drawn[:, 2])), [0, 3 / (1 - p)])
        assert np.allclose(drawn.mean(axis=0), x, rtol=0.02)
        assert np.allclose(drawn.var(axis=0), p / (1 - p) * x.numpy() ** 2, rtol=0.02)


@chapter.shows(
    "eq-overfitting-coupled",
    r"\Delta w = -\eta \, \frac{\hat m}{\sqrt{\hat v}} \approx -\eta \, \frac{\lambda w}{s} "
    r"\qquad \text{in place of} \qquad \Delta w = -\eta \lambda w",
)
def penalty_is_divided():
    eta, strength = 1e-4, 1.0
    for s in (5.0, 20.0):
        w = {"w": np.array([2.0])}
        state, path = adam_init(w), []
        for k in range(6000):
            g = {"w": np.array([s if k % 2 else -s]) + strength * w["w"]}
            w, state = adam(w, g, state, eta)
            path.append(w["w"].item())
        mean_step = (path[-1] - path[3999]) / 2000
        expected = -eta * strength * np.mean(path[4000:]) / s
        assert np.isclose(mean_step, expected, rtol=0.1)


test_a_formula_is_right, test_every_formula_has_its_check = chapter.tests()

"""The formulas of the page *Hyper-parameter search*."""

import numpy as np
from scipy.integrate import quad
from scipy.stats import norm

from benchmarks.pages import experiment
from tests.chapter_formulas import Chapter

chapter = Chapter("search")
PAGE = experiment("search")


@chapter.shows("eq-search-random", r"P(\text{at least one of } n \text{ is good}) = 1 - (1 - q)^n")
def at_random():
    rng = np.random.default_rng(0)
    for q, n in ((0.1, 7), (0.25, 3)):
        hit = (rng.random((200_000, n)) < q).any(axis=1).mean()
        assert abs(hit - (1 - (1 - q) ** n)) < 0.005


@chapter.shows(
    "eq-search-halving",
    r"n \left( r_1 + \frac{r_2 - r_1}{\eta} + \frac{r_3 - r_2}{\eta^2} \right) = B \, r_3",
)
def price_of_halving():
    # Updates counted one by one: 45 start, each third goes on.
    eta, rungs, n = 3, PAGE.RUNGS, 45
    trained = np.zeros(n, int)
    for rung, updates in enumerate(rungs):
        trained[: n // eta**rung] = updates
    full_runs = trained.sum() / rungs[2]
    assert np.isclose(
        n * (rungs[0] + (rungs[1] - rungs[0]) / eta + (rungs[2] - rungs[1]) / eta**2),
        full_runs * rungs[2],
    )


@chapter.shows(
    "eq-search-improvement",
    (
        r"\mathrm{EI} = \mathrm{E}\big[\max(y^* - y, 0)\big] = s \, \big(u \, \Phi(u) + "
        r"\varphi(u)\big)"
    ),
)
def expected_improvement():
    for best, mu, s in ((0.2, 0.5, 0.3), (1.0, 0.4, 0.1), (-1.0, 2.0, 0.8)):
        u = (best - mu) / s
        whole, _ = quad(lambda y, b=best, m=mu, d=s: (b - y) * norm.pdf(y, m, d), mu - 12 * s, best)
        assert np.isclose(s * (u * norm.cdf(u) + norm.pdf(u)), whole, atol=1e-9)


test_a_formula_is_right, test_every_formula_has_its_check = chapter.tests()


def test_runs_at_once_are_those_of_torchs_own_lstm_and_adam():
    """One run of the many, with nn.LSTM and torch.optim.Adam: the loss after twenty updates is the
    same.
    """
    import torch
    from torch import nn

    K, H = PAGE.K, PAGE.H
    rng = np.random.default_rng(3)
    W = rng.uniform(-(H**-0.5), H**-0.5, (2, K + 1 + H, 4 * H)).astype(np.float32)
    V = rng.uniform(-(H**-0.5), H**-0.5, (2, H, K)).astype(np.float32)
    lstm, affine = nn.LSTM(K + 1, H, batch_first=True), nn.Linear(H, K)
    with torch.no_grad():
        lstm.weight_ih_l0.copy_(torch.from_numpy(W[1, : K + 1].T))
        lstm.weight_hh_l0.copy_(torch.from_numpy(W[1, K + 1 :].T))
        affine.weight.copy_(torch.from_numpy(V[1].T))
        for bias in (lstm.bias_hh_l0, lstm.bias_ih_l0, affine.bias):
            bias.zero_()
        lstm.bias_ih_l0[H : 2 * H] = 2.0
    weights = [*lstm.parameters(), *affine.parameters()]
    # one bias, as on the page
    optimiser = torch.optim.Adam([p for p in weights if p is not lstm.bias_hh_l0], 0.01)
    for _ in range(PAGE.RUNGS[0]):
        x, y = PAGE.recall(rng, 16)
        loss = nn.functional.cross_entropy(affine(lstm(x)[0][:, -1]), y)
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_([p for p in weights if p is not lstm.bias_hh_l0], 1.0)
        optimiser.step()
    x, y = PAGE.recall(np.random.default_rng(10_003), 200)
    with torch.no_grad():
        alone = nn.functional.cross_entropy(affine(lstm(x)[0][:, -1]), y).item()
    first = PAGE.losses_at_rungs(np.array([0.001, 0.01]), np.array([0.0, 2.0]), seed=3)[:, 0]
    assert abs(first[1] - alone) < 2e-3

"""The formulas of the page *Perplexity and baselines*."""

from collections import Counter
from itertools import product
from math import log

import numpy as np
from scipy.optimize import minimize
from scipy.special import log_softmax

from lstm_ref.learn import metrics
from tests.chapter_formulas import Chapter

chapter = Chapter("perplexity")

LETTERS, LENGTH = 3, 4
TEXT = "abracadabra"


def joint():
    """Probability of every text of four letters out of three, at random: no structure is put in."""
    table = np.random.default_rng(0).random((LETTERS,) * LENGTH)
    return table / table.sum()


def conditional(p, text, t):
    """p(x_t | x_1, ..., x_{t-1}) by adding up the whole table: t counts from 0."""
    return p[text[: t + 1]].sum() / p[text[:t]].sum()


def count(run):
    """n(run) in the text, for runs that have a letter after them where they are a context."""
    return sum(TEXT[j : j + len(run)] == run for j in range(len(TEXT) - len(run) + 1))


def seen_as_context(s):
    return sum(count(s + x) for x in set(TEXT))


@chapter.shows(
    "eq-perplexity-chain", r"p(x_1, \ldots, x_M) = \prod_{t=1}^{M} p(x_t \mid x_1, \ldots, x_{t-1})"
)
def chain():
    p = joint()
    for text in product(range(LETTERS), repeat=LENGTH):
        assert np.isclose(p[text], np.prod([conditional(p, text, t) for t in range(LENGTH)]))


@chapter.shows(
    "eq-perplexity-nats",
    r"""\begin{aligned}
    L &= -\frac{1}{M} \ln p(x_1, \ldots, x_M) \\
    &= \frac{1}{M} \sum_{t=1}^{M} -\ln p(x_t \mid x_1, \ldots, x_{t-1})
    \end{aligned}""",
)
def nats():
    p, text = joint(), (2, 0, 1, 1)
    assert np.isclose(
        -log(p[text]) / LENGTH, np.mean([-log(conditional(p, text, t)) for t in range(LENGTH)])
    )


@chapter.shows(
    "eq-perplexity-perplexity",
    r"""\begin{aligned}
    e^{L} &= \exp\Big(-\frac{1}{M} \ln p(x_1, \ldots, x_M)\Big) \\
    &= p(x_1, \ldots, x_M)^{-1/M} \\
    &= \sqrt[M]{\prod_{t=1}^{M} \frac{1}{p(x_t \mid x_1, \ldots, x_{t-1})}}
    \end{aligned}""",
)
def perplexity():
    p, text = joint(), (2, 0, 1, 1)
    steps = np.array([conditional(p, text, t) for t in range(LENGTH)])
    lines = [
        np.exp(-np.log(steps).mean()),
        p[text] ** (-1 / LENGTH),
        np.prod(1 / steps) ** (1 / LENGTH),
    ]
    assert np.allclose(lines, lines[0])
    uniform = np.full((7,) * 3, 7.0**-3)
    assert np.isclose(uniform[1, 2, 3] ** (-1 / 3), 7)  # as undecided as a die with that many sides


@chapter.shows(
    "eq-perplexity-units",
    r"""\begin{aligned}
    M_\text{word}\, L_\text{word} &= M_\text{letter}\, L_\text{letter} \\
    e^{L_\text{word}} &= \big(e^{L_\text{letter}}\big)^{M_\text{letter} / M_\text{word}}
    \end{aligned}""",
)
def units():
    # of twelve letters, in words of 3, 4 and 5
    surprise = np.random.default_rng(0).exponential(size=12)
    words = [part.sum() for part in np.split(surprise, [3, 7])]
    assert np.isclose(3 * np.mean(words), 12 * surprise.mean())
    assert np.isclose(np.exp(np.mean(words)), np.exp(surprise.mean()) ** (12 / 3))


@chapter.shows("eq-perplexity-batches", r"L = \frac{\sum_b M_b\, L_b}{\sum_b M_b}")
def mean_over_batches():
    surprise = np.random.default_rng(0).exponential(size=20)
    batches = np.split(surprise, [2, 11])
    sizes, means = [len(b) for b in batches], [b.mean() for b in batches]
    assert np.isclose(surprise.mean(), np.dot(sizes, means) / sum(sizes))
    assert not np.isclose(surprise.mean(), np.mean(means), rtol=1e-2)


@chapter.shows("eq-perplexity-counts", r"p(x \mid s) = \frac{n(s\,x)}{n(s)}")
def relative_frequencies():
    """They are what makes the text most likely: a numerical optimiser finds nothing else."""
    after = np.array([count("a" + x) for x in "bcd"])
    best = minimize(lambda scores: -after @ log_softmax(scores), np.zeros(3), tol=1e-10)
    assert np.allclose(np.exp(log_softmax(best.x)), after / seen_as_context("a"), atol=1e-4)


@chapter.shows(
    "eq-perplexity-interpolation",
    r"p_k(x \mid s) = \frac{n(s\,x) + u(s)\, p_{k-1}(x \mid s')}{n(s) + u(s)}",
)
def interpolation():
    """Read as a mixture with a weight; it sums to 1 for contexts that were seen and for those that
    were not.
    """
    alphabet = sorted({*TEXT, "z"})

    def p(x, s):
        shorter = p(x, s[1:]) if s else 1 / len(alphabet)
        followers = Counter(
            TEXT[j + len(s)] for j in range(len(TEXT) - len(s)) if TEXT[j:].startswith(s)
        )
        n, u = followers.total(), len(followers)
        if n == 0:
            return shorter
        weight = n / (n + u)
        mixed = weight * followers[x] / n + (1 - weight) * shorter
        assert np.isclose(mixed, (count(s + x) + u * shorter) / (seen_as_context(s) + u))
        return mixed

    for s in ("", "a", "ab", "ra", "zz", "dz"):
        assert np.isclose(sum(p(x, s) for x in alphabet), 1)
        assert all(p(x, s) > 0 for x in alphabet)


@chapter.shows(
    "eq-perplexity-backoff",
    r"""S_k(x \mid s) =
    \begin{cases}
    n(s\,x) / n(s) & \text{if } n(s\,x) > 0 \\
    0.4 \; S_{k-1}(x \mid s') & \text{else}
    \end{cases}""",
)
def backoff_is_no_probability():
    def score(x, s):
        seen = count(s + x)
        return seen / seen_as_context(s) if seen else 0.4 * score(x, s[1:])

    # After "a" came b, c and d, so a and r get 0.4 times their share of all 11 letters on top of a
    # full 1.
    assert np.isclose(sum(score(x, "a") for x in "abcdr"), 1 + 0.4 * (5 + 2) / 11)


@chapter.shows(
    "eq-perplexity-naive",
    r"""\begin{aligned}
    \text{persistence:} \quad & \hat x_{t+h} = x_t \\
    \text{seasonal naive:} \quad & \hat x_{t+h} = x_{t+h-P} \\
    \text{last season's change:} \quad & \hat x_{t+h} = x_t + (x_{t+h-P} - x_{t-P})
    \end{aligned}""",
)
def what_each_forecasts_without_error():
    """A constant, a season, and a season on a straight line: each is the next forecast's special
    case.
    """
    t, P = np.arange(60), 12
    season = np.random.default_rng(0).normal(size=P)[t % P]
    forecasts = [
        lambda x, h: x[30],
        lambda x, h: x[30 + h - P],
        lambda x, h: x[30] + (x[30 + h - P] - x[30 - P]),
    ]
    exact = [
        [all(np.isclose(f(x, h), x[30 + h]) for h in range(1, P + 1)) for f in forecasts]
        for x in (np.full(60, 2.0), season, season + 0.3 * t)
    ]
    assert exact == [[True, True, True], [False, True, True], [False, False, True]]


@chapter.shows(
    "eq-perplexity-skill",
    r"\text{skill} = 1 - \frac{E_\text{model}}{E_\text{baseline}}",
)
def skill():
    """Against the mean, a line that is fitted has the skill that its correlation says."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=100)
    y = x + rng.normal(size=100)
    line, mean = np.polyval(np.polyfit(x, y, 1), x), np.full(100, y.mean())
    expected = 1 - np.sqrt(1 - np.corrcoef(x, y)[0, 1] ** 2)
    assert np.isclose(1 - np.linalg.norm(y - line) / np.linalg.norm(y - mean), expected)
    assert np.isclose(metrics.skill(y, line, mean), expected)


test_a_formula_is_right, test_every_formula_has_its_check = chapter.tests()

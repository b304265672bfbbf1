"""The formulas of the page *Metrics*, beside scikit-learn, statsmodels,
SciPy, brute force.
"""

import numpy as np
from scipy.stats import norm
from sklearn.metrics import confusion_matrix, f1_score, precision_score, recall_score, roc_auc_score
from statsmodels.stats.proportion import proportion_confint

from benchmarks.pages import experiment
from lstm_ref.metrics import perplexity, skill, word_error_rate
from tests.chapter_formulas import Chapter

chapter = Chapter("measure")
PAGE = experiment("measure")


def scored(seed, n=500, share=0.2):
    """Labels y (n,) and scores z (n,), some of them equal."""
    rng = np.random.default_rng(seed)
    y = (rng.random(n) < share).astype(int)
    return y, np.round(rng.normal(size=n) + 1.2 * y, 1)


@chapter.shows(
    "eq-measure-counts",
    r"""\begin{aligned}
    \text{accuracy} &= \frac{TP + TN}{TP + FP + FN + TN} \\[4pt]
    \text{precision} &= \frac{TP}{TP + FP} \qquad \text{recall} = \frac{TP}{TP + FN} \\[4pt]
    F_1 &= \frac{2}{\frac{1}{\text{precision}} + \frac{1}{\text{recall}}} = \frac{2\,TP}{2\,TP
        + FP + FN}
    \end{aligned}""",
)
def four_counts():
    y, z = scored(0)
    (TN, FP), (FN, TP) = confusion_matrix(y, z > 0)
    assert PAGE.counts(y, z > 0) == [TP, FP, FN, TN]
    precision, recall = TP / (TP + FP), TP / (TP + FN)
    assert np.isclose((TP + TN) / (TP + FP + FN + TN), np.mean(y == (z > 0)))
    assert np.isclose(precision, precision_score(y, z > 0)) and np.isclose(
        recall, recall_score(y, z > 0)
    )
    f1 = f1_score(y, z > 0)
    assert np.isclose(2 / (1 / precision + 1 / recall), f1) and np.isclose(
        2 * TP / (2 * TP + FP + FN), f1
    )
    found = PAGE.metrics(y, z)
    assert np.allclose([found["precision"], found["recall"], found["F1"]], [precision, recall, f1])


@chapter.shows(
    "eq-measure-beats",
    r"\text{accuracy} - (1 - \pi) = \frac{TP + TN}{n} - \frac{TN + FP}{n} = \frac{TP - FP}{n}",
)
def beats_always_no():
    for seed in range(20):
        y, z = scored(seed, share=0.1)
        cut = np.random.default_rng(seed).uniform(-0.5, 2.5)
        gain = np.mean(y == (z > cut)) - (1 - y.mean())
        TP, FP = np.sum(y[z > cut] == 1), np.sum(y[z > cut] == 0)
        assert np.isclose(gain, (TP - FP) / len(y))
        assert (gain > 1e-12) == (precision_score(y, z > cut, zero_division=0) > 0.5)


@chapter.shows(
    "eq-measure-auc",
    r"""\mathrm{AUC} = \frac{1}{n_+ n_-} \sum_{i:\, y_i = 1} \; \sum_{j:\, y_j = 0}
    \Big( [z_i > z_j] + \tfrac12 [z_i = z_j] \Big)""",
)
def area_is_a_share_of_pairs():
    y, z = scored(1)
    events, quiet = z[y == 1][:, None], z[y == 0]
    assert (events == quiet).any()
    assert np.isclose(np.mean((events > quiet) + 0.5 * (events == quiet)), roc_auc_score(y, z))


@chapter.shows(
    "eq-measure-threshold", r"p > \frac{C_{\text{false}}}{C_{\text{false}} + C_{\text{miss}}}"
)
def cheapest_threshold():
    false, miss = 1.0, 4.0
    p = np.linspace(0.001, 0.999, 999)
    alarm_is_cheaper = (1 - p) * false < p * miss
    assert np.array_equal(alarm_is_cheaper, p > false / (false + miss))
    # Of all thresholds on calibrated probabilities, this one costs least.
    rng = np.random.default_rng(2)
    p = rng.beta(1, 3, size=400_000)
    y = rng.random(len(p)) < p
    cuts = np.linspace(0.05, 0.6, 12)
    cost = [false * np.sum(~y & (p > cut)) + miss * np.sum(y & (p <= cut)) for cut in cuts]
    assert abs(cuts[int(np.argmin(cost))] - 0.2) < 0.06


@chapter.shows(
    "eq-measure-shift",
    r"z_{\text{world}} = z + \ln \frac{\pi}{1 - \pi} - \ln \frac{\pi'}{1 - \pi'}",
)
def new_shares():
    # Two normal densities, where the right log odds can be written down for each share.
    x = np.linspace(-3, 4, 50)

    def odds(share):
        return norm.logpdf(x, 1) + np.log(share) - norm.logpdf(x, 0) - np.log(1 - share)

    assert np.allclose(odds(0.5) + PAGE.shift(0.055, 0.5), odds(0.055), atol=1e-12)
    assert np.allclose(odds(0.3) + PAGE.shift(0.8, 0.3), odds(0.8), atol=1e-12)


@chapter.shows(
    "eq-measure-ece", r"\mathrm{ECE} = \sum_b \frac{n_b}{n} \, \lvert \bar y_b - \bar p_b \rvert"
)
def calibration_error():
    rng = np.random.default_rng(3)
    p = rng.random(200_000)
    z = np.log(p / (1 - p))
    for power, low, high in (
        (1, 0, 0.01),
        (2, 0.1, 0.2),
    ):  # right, and events rarer than p says: p - p^2 is 1/6 on average
        y = (rng.random(len(p)) < p**power).astype(int)
        share, said, events = PAGE.reliability(y, z)
        assert np.isclose(share.sum(), 1) and len(share) == 10
        by_hand = sum(
            np.sum(b) / len(p) * abs(y[b].mean() - p[b].mean())
            for k in range(10)
            if (b := (p >= k / 10) & (p < (k + 1) / 10)).any()
        )
        assert np.isclose(np.sum(share * np.abs(events - said)), by_hand) and low <= by_hand < high


@chapter.shows(
    "eq-measure-quadratic",
    r"\Big(1 + \frac{u^2}{n}\Big) p^2 - \Big(2 \hat p + \frac{u^2}{n}\Big) p + \hat p^2 \le 0,",
)
def quadratic():
    n, u = 40, 1.96
    for k in (0, 3, 20, 39, 40):
        guess, p = k / n, np.linspace(0, 1, 1001)
        near = (guess - p) ** 2 <= u**2 * p * (1 - p) / n + 1e-15
        assert np.array_equal(
            (1 + u**2 / n) * p**2 - (2 * guess + u**2 / n) * p + guess**2 <= 1e-15, near
        )


@chapter.shows(
    "eq-measure-wilson",
    r"""\frac{1}{1 + u^2/n} \left( \hat p + \frac{u^2}{2n} \pm u \sqrt{\frac{\hat p (1 - \hat p)}{n}
    + \frac{u^2}{4 n^2}} \right)""",
)
def wilson():
    for k, n in ((0, 20), (7, 20), (20, 20), (512, 4000)):
        u, p = norm.ppf(0.975), k / n
        middle, half = p + u**2 / (2 * n), u * np.sqrt(p * (1 - p) / n + u**2 / (4 * n**2))
        ends = np.array([middle - half, middle + half]) / (1 + u**2 / n)
        assert np.allclose(ends, proportion_confint(k, n, method="wilson"), atol=1e-12)
        roots = np.roots([1 + u**2 / n, -(2 * p + u**2 / n), p**2])
        assert np.allclose(sorted(roots.real), ends, atol=1e-9)


@chapter.shows(
    "eq-measure-best",
    r"""\mathrm{E}\big[\hat A_{\text{best}}\big] - A \approx e_m \sqrt{\frac{A (1 - A)}{n}}, \qquad
    e_m = \int_{-\infty}^{\infty} u \; m \, \varphi(u) \, \Phi(u)^{m-1} \, du""",
)
def best_of_many():
    rng, A, n = np.random.default_rng(4), 0.8, 400
    u = np.linspace(-9, 9, 40_001)
    for m in (1, 4, 64):
        e = np.trapezoid(u * m * norm.pdf(u) * norm.cdf(u) ** (m - 1), u)
        assert np.isclose(e, rng.normal(size=(20_000, m)).max(axis=1).mean(), atol=0.03)
        shown = rng.binomial(n, A, size=(20_000, m)).max(axis=1) / n
        assert np.isclose(shown.mean() - A, e * np.sqrt(A * (1 - A) / n), atol=0.0015)


@chapter.shows(
    "eq-measure-averages",
    r"""F_1^{\text{macro}} = \frac1C \sum_c F_1^{(c)}, \qquad F_1^{\text{weighted}}
        = \sum_c \frac{n_c}{n} F_1^{(c)}, \qquad
    F_1^{\text{micro}} = \frac{2 \sum_c TP_c}{2 \sum_c TP_c + \sum_c FP_c + \sum_c FN_c}""",
)
def averages():
    rng = np.random.default_rng(5)
    y = rng.choice(4, p=[0.6, 0.2, 0.15, 0.05], size=300)
    said = np.where(rng.random(300) < 0.6, y, rng.integers(4, size=300))
    TP, FP, FN = (
        np.array([np.sum(f(c)) for c in range(4)])
        for f in (
            lambda c: (said == c) & (y == c),
            lambda c: (said == c) & (y != c),
            lambda c: (said != c) & (y == c),
        )
    )
    each = 2 * TP / (2 * TP + FP + FN)
    assert np.isclose(each.mean(), f1_score(y, said, average="macro"))
    assert np.isclose(np.sum(np.bincount(y) / 300 * each), f1_score(y, said, average="weighted"))
    micro = 2 * TP.sum() / (2 * TP.sum() + FP.sum() + FN.sum())
    assert np.isclose(micro, f1_score(y, said, average="micro")) and np.isclose(
        micro, np.mean(y == said)
    )


@chapter.shows(
    "eq-measure-skill", r"\text{skill} = 1 - \frac{\mathrm{RMSE}}{\mathrm{RMSE}_{\text{baseline}}}"
)
def skill_score():
    rng = np.random.default_rng(6)
    y, forecast, baseline = rng.normal(size=(3, 50))

    def rmse(f):
        return np.sqrt(np.mean((f - y) ** 2))

    assert np.isclose(skill(y, forecast, baseline), 1 - rmse(forecast) / rmse(baseline))


@chapter.shows(
    "eq-measure-sequences",
    r"""\mathrm{PPL} = \exp\Big(\frac{1}{M} \sum_{t=1}^{M} -\ln p_t\Big), \qquad
    \mathrm{WER} = \frac{S + D + I}{M}""",
)
def sequences():
    p = np.random.default_rng(7).uniform(0.1, 1, size=30)
    # the geometric mean of 1 / p
    assert np.isclose(perplexity(-np.log(p)), np.prod(p) ** (-1 / 30))
    # One substitution, one deletion, two insertions; 4 + 2 words
    references, hypotheses = (
        ["the cat sat down", "come here"],
        ["the hat sat", "oh please come here"],
    )
    assert word_error_rate(references, hypotheses) == (1 + 1 + 2) / 6


test_a_formula_is_right, test_every_formula_has_its_check = chapter.tests()

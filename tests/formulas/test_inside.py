"""The formulas of the page *Interpretability*, beside Captum, finite differences and
scikit-learn.
"""

import numpy as np
import torch
from captum.attr import IntegratedGradients
from sklearn.linear_model import LinearRegression
from sklearn.metrics import r2_score

from benchmarks.pages import experiment
from tests.chapter_formulas import Chapter

chapter = Chapter("inside")
PAGE = experiment("inside")


def a_model(seed=0, T=7):
    """A model in float64 with weights large enough to be far from linear, and vectors e (T, E)."""
    torch.manual_seed(seed)
    model = PAGE.SentenceClassifier(12, E=5, H=6).double()
    with torch.no_grad():
        for p in model.parameters():
            p.mul_(3)
    return model, torch.randn(T, 5, dtype=torch.float64)


def score(model, e):
    with torch.no_grad():
        return PAGE.score(model, e[None]).item()


def moved(e, t, d, by):
    other = e.clone()
    other[t, d] += by
    return other


@chapter.shows("eq-inside-saliency", r"a_t = \Big\lVert \frac{\partial F}{\partial e_t} \Big\rVert")
def length_of_the_gradient():
    model, e = a_model()
    by_differences = [
        np.linalg.norm(
            [
                (score(model, moved(e, t, d, 1e-5)) - score(model, moved(e, t, d, -1e-5))) / 2e-5
                for d in range(5)
            ]
        )
        for t in range(len(e))
    ]
    assert np.allclose(PAGE.saliency(model, e), by_differences, rtol=1e-5)


@chapter.shows(
    "eq-inside-chain",
    r"\frac{d}{d\alpha} F(\alpha e) = \sum_{t} \frac{\partial F}{\partial e_t}(\alpha e) \cdot e_t",
)
def along_the_path():
    model, e = a_model(1)
    for alpha in (0.0, 0.3, 1.0):
        left = (score(model, (alpha + 1e-5) * e) - score(model, (alpha - 1e-5) * e)) / 2e-5
        right = (PAGE.gradient(model, (alpha * e)[None])[0] * e).sum(dim=1).sum().item()
        assert np.isclose(left, right, rtol=1e-6)


@chapter.shows(
    "eq-inside-integrated",
    r"""a_t = e_t \cdot \int_0^1 \frac{\partial F}{\partial e_t}(\alpha e) \, d\alpha, \qquad
    \sum_t a_t = F(e) - F(0)""",
)
def integrated():
    for seed in range(3):
        model, e = a_model(seed)
        found = PAGE.integrated(model, e, n=400)
        assert np.isclose(found.sum().item(), score(model, e) - score(model, 0 * e), atol=1e-4)
        assert PAGE.incomplete(model, e, 400) < 1e-3
        theirs = IntegratedGradients(lambda v, model=model: PAGE.score(model, v)).attribute(
            e[None], n_steps=400, method="riemann_middle"
        )
        assert torch.allclose(found, theirs[0].sum(dim=1), atol=1e-9)


@chapter.shows(
    "eq-inside-r2", r"R^2 = 1 - \frac{\sum_k (y_k - \hat y_k)^2}{\sum_k (y_k - \bar y)^2}"
)
def share_of_the_variance():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(60, 3)), rng.normal(size=60)
    said = LinearRegression().fit(x, y).predict(x)
    by_hand = 1 - np.sum((y - said) ** 2) / np.sum((y - y.mean()) ** 2)
    assert np.isclose(by_hand, r2_score(y, said)) and np.isclose(
        r2_score(y, np.full(60, y.mean())), 0
    )


def test_words_that_can_matter_are_those_whose_exchange_changes_the_label():
    """By the grammar itself: exchange a word for one of its own place, and see whether the label
    can change.
    """
    from lstm_ref.data.review_grammar import ADJECTIVES, SHAPES, review

    rng = np.random.default_rng(0)
    for shape in SHAPES:
        for index in rng.integers(15_360, size=40):
            text, label = review(shape, int(index))
            sentence = text.split()
            kind = PAGE.kinds(sentence)
            decides = [k for k in range(len(sentence)) if kind[k] == "decides"]
            assert sum(sentence[k] in ADJECTIVES for k in decides) == 1
            good = (
                next(sentence[k] for k in decides if sentence[k] in ADJECTIVES) in ADJECTIVES[:10]
            )
            text_of = " ".join(sentence[k] for k in decides)
            turns = sum(word in text_of.split() for word in ("never", "nobody", "anything"))
            turns += text_of.split().count("not")
            assert (good ^ (turns % 2 == 1)) == bool(label), text


def test_holding_no_unit_changes_nothing():
    model = PAGE.NextBracket()
    x, _ = PAGE.brackets(np.random.default_rng(0), 5, 12)
    with torch.no_grad():
        logits = model(PAGE.one_hot(x[:, :-1])).flatten(0, 1)
        whole = torch.nn.functional.cross_entropy(
            logits, torch.from_numpy(x[:, 1:]).flatten()
        ).item()
    assert np.isclose(PAGE.loss_with_held(model, x), whole, rtol=1e-5)


test_a_formula_is_right, test_every_formula_has_its_check = chapter.tests()

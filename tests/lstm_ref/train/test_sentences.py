"""The small classifier on which the pages of part III make their experiments."""

import numpy as np
import pytest
import torch

from lstm_ref.errors import ArgumentError
from lstm_ref.train import SentenceClassifier, class_scores, fit_sentences
from lstm_ref.train.sentences import _about_one_length


def sentences(n=200, seed=0):
    """Random ids from 1 to 9; the label says whether a 9 is in it."""
    rng = np.random.default_rng(seed)
    found = [rng.integers(1, 10, size=rng.integers(2, 9)) for _ in range(n)]
    return found, np.array([int(9 in one) for one in found])


def test_padding_and_neighbours_change_no_score():
    torch.manual_seed(0)
    model = SentenceClassifier(V=10, classes=3)
    found, _ = sentences(50)
    together = class_scores(model, found, N=16)
    alone = np.concatenate([class_scores(model, [one]) for one in found])
    assert together.shape == (50, 3) and np.allclose(together, alone, atol=1e-6)
    assert model.training


def test_each_sentence_is_in_one_batch_of_a_pass_and_the_order_changes():
    found, _ = sentences(333)
    rng = np.random.default_rng(1)
    one, other = (_about_one_length(found, 16, rng) for _ in range(2))
    for batches in (one, other):
        assert (
            sorted(np.concatenate(batches).tolist()) == list(range(333))
            and max(map(len, batches)) == 16
        )
    assert np.concatenate(one).tolist() != np.concatenate(other).tolist()


def test_it_learns_what_one_word_decides():
    found, labels = sentences(600)
    new, truth = sentences(300, seed=1)
    torch.manual_seed(0)
    model = SentenceClassifier(V=10, E=8, H=16)
    history = fit_sentences(model, found, labels, passes=12, lr=2e-2, validation=(new, truth))
    wrong = np.mean(class_scores(model, new).argmax(axis=1) != truth)
    rates = [rate for _, rate in history.validation]
    assert wrong < 0.05 and np.isclose(rates[-1], wrong) and len(rates) == 12


def test_the_seed_gives_the_order():
    found, labels = sentences(80)
    scores = []
    for seed in (3, 3, 4):
        torch.manual_seed(0)
        model = SentenceClassifier(V=10, E=4, H=4)
        fit_sentences(model, found, labels, passes=1, seed=seed)
        scores.append(class_scores(model, found[:5]))
    assert np.array_equal(scores[0], scores[1]) and not np.array_equal(scores[0], scores[2])


@pytest.mark.parametrize("labels", [np.zeros(3, int), np.zeros((4, 1), int)])
def test_labels_that_do_not_fit_are_refused(labels):
    found, _ = sentences(4)
    with pytest.raises(ArgumentError, match="labels must be one for each of the 4 sentences"):
        fit_sentences(SentenceClassifier(V=10), found, labels, passes=1)

"""What the page *sentiment* says of many-to-one models in PyTorch and Keras, in the code that its
tabs show.
"""

import re
import warnings

import numpy as np
import pytest
import torch
from torch import nn

from lstm_ref.train import SentenceClassifier
from tests.chapter_formulas import source_of

CODE = dict(
    zip(
        ("torch", "keras"),
        re.findall(r"~~~python\n(.*?)~~~", source_of("sentiment"), re.DOTALL),
        strict=True,
    )
)
V, E, H, CLASSES = 12, 32, 64, 3
SENTENCES = [[4, 5, 6, 7, 8], [9], [3, 3, 10]]


def padded(T):
    ids = np.zeros((len(SENTENCES), T), np.int64)
    for k, sentence in enumerate(SENTENCES):
        ids[k, : len(sentence)] = sentence
    return ids


@pytest.fixture
def reference():
    torch.manual_seed(0)
    return SentenceClassifier(V, CLASSES, E, H)


def test_the_packed_model_of_the_tab_has_the_scores_of_the_page_s_with_any_padding(reference):
    names = {"nn": nn}
    exec(CODE["torch"], names)
    model = names["Sentiment"](V, CLASSES, E, H)
    model.load_state_dict(reference.state_dict())
    for T in (5, 30):
        ids = torch.from_numpy(padded(T))
        assert torch.allclose(model(ids), reference(torch.from_numpy(padded(5))), atol=1e-6)
    with pytest.raises(RuntimeError, match="greater than 0"):
        model(torch.zeros(2, 3, dtype=torch.long))


def test_the_masked_model_of_the_tab_has_the_same_scores_and_an_unmasked_one_has_not(reference):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        keras = pytest.importorskip("keras")
    names = {"keras": keras, "V": V, "E": E, "H": H, "classes": CLASSES}
    exec(CODE["keras"], names)
    unmasked = dict(names)
    exec(CODE["keras"].replace(", mask_zero=True", ""), unmasked)
    lstm = reference.lstm
    bias = lstm.bias_ih_l0 + lstm.bias_hh_l0
    weights = [reference.embedding.weight, lstm.weight_ih_l0.T, lstm.weight_hh_l0.T, bias]
    weights += [reference.affine.weight.T, reference.affine.bias]
    for model in (names["model"], unmasked["model"]):
        model.set_weights([w.detach().numpy() for w in weights])
    expected = reference(torch.from_numpy(padded(5))).detach().numpy()
    for T in (5, 30):
        assert np.allclose(names["model"](padded(T)), expected, atol=1e-5)
    assert np.abs(unmasked["model"](padded(30)) - expected).max() > 1e-3
    history = names["model"].fit(padded(5), np.array([0, 1, 2]), epochs=1, verbose=0)
    assert np.isfinite(history.history["loss"][0])

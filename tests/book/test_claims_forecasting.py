"""What the page *forecasting* shows of a network in PyTorch and in Keras, in the code of its
tabs.
"""

import re
import warnings

import numpy as np
import pytest
import torch
from torch import nn

from tests.chapter_formulas import source_of

CODE = dict(
    zip(
        ("torch", "keras"),
        re.findall(r"~~~python\n(.*?)~~~", source_of("forecasting"), re.DOTALL),
        strict=True,
    )
)
SIZES = {"T": 7, "D": 3, "H": 5, "K": 4}
x = np.random.default_rng(0).normal(size=(6, 7, 3)).astype(np.float32)


def test_the_network_of_the_torch_tab_tells_all_steps():
    names = {"nn": nn, **SIZES}
    exec(CODE["torch"], names)
    out = names["model"](torch.from_numpy(x))
    assert out.shape == (6, 4)
    assert torch.allclose(out[:1], names["model"](torch.from_numpy(x[:1])), atol=1e-6)


@pytest.mark.filterwarnings(
    "ignore:__array__ implementation:DeprecationWarning"
)  # Keras 3 under NumPy 2, while it saves
def test_the_network_of_the_keras_tab_tells_all_steps_and_comes_back_from_its_file(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        keras = pytest.importorskip("keras")
    names = {"keras": keras, **SIZES}
    exec(CODE["keras"], names)
    model = names["model"]
    assert model.loss == "mse" and model.optimizer.learning_rate.numpy() == pytest.approx(5e-3)
    model.save(tmp_path / "forecaster.keras")
    # Without the optimiser: it has no state before the first step, and Keras warns of that when it
    # loads.
    again = keras.models.load_model(tmp_path / "forecaster.keras", compile=False)
    out = model.predict(x, verbose=0)
    assert out.shape == (6, 4) and np.allclose(again.predict(x, verbose=0), out, atol=1e-6)

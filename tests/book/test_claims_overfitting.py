"""What the page *overfitting* says of PyTorch's and Keras's own remedies, in the code that its tabs
show.
"""

import re
import warnings

import pytest
import torch
from torch import nn

from tests.chapter_formulas import source_of

CODE = dict(
    zip(
        ("torch", "keras"),
        re.findall(r"~~~python\n(.*?)~~~", source_of("overfitting"), re.DOTALL),
        strict=True,
    )
)
SIZES = {"V": 20, "E": 6, "H": 5}


def test_the_lines_of_the_torch_tab_run_and_dropout_needs_a_second_layer():
    names = {"nn": nn, "torch": torch, **SIZES}
    exec(CODE["torch"], names)
    x = names["drop"](names["embedding"](torch.randint(20, (3, 4))))
    assert names["lstm"](x)[0].shape == (3, 4, 5)
    assert names["optimiser"].defaults["weight_decay"] == 0.3
    with pytest.warns(UserWarning, match="dropout option adds dropout after all but last"):
        one = nn.LSTM(6, 5, dropout=0.9, batch_first=True)
    assert torch.equal(one(x)[0], one(x)[0])  # nothing is dropped
    two = nn.LSTM(6, 5, num_layers=2, dropout=0.5, batch_first=True)
    assert not torch.equal(two(x)[0], two(x)[0]) and torch.equal(two.eval()(x)[0], two(x)[0])


def test_the_lines_of_the_keras_tab_run_and_the_last_weights_stay_unless_asked():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        keras = pytest.importorskip("keras")
    names = {"keras": keras, **SIZES}
    exec(CODE["keras"], names)
    assert names["lstm"].dropout == 0.2 and names["lstm"].recurrent_dropout == 0.2
    assert names["optimiser"].weight_decay == 0.3
    assert (
        names["stop"].restore_best_weights
        and not keras.callbacks.EarlyStopping().restore_best_weights
    )

"""What the page *training* says of PyTorch's and Keras's own schedules, in the code that its tabs
show.
"""

import re
import warnings

import pytest
import torch

from lstm_ref import cosine, warm_up
from tests.chapter_formulas import source_of

CODE = dict(
    zip(
        ("torch", "keras"),
        re.findall(r"~~~python\n(.*?)~~~", source_of("training"), re.DOTALL),
        strict=True,
    )
)


def test_the_torch_tab_warms_up_and_ends_at_nothing():
    optimiser = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
    rates = []
    optimiser.register_step_pre_hook(lambda used, *_: rates.append(used.param_groups[0]["lr"]))
    exec(CODE["torch"], {"torch": torch, "optimiser": optimiser})
    assert (
        len(rates) == 600 and rates[0] == pytest.approx(0.01) and max(rates) == pytest.approx(0.1)
    )
    assert (
        55 <= rates.index(max(rates)) <= 61
        and rates[330] == pytest.approx(0.05, rel=0.02)
        and rates[-1] < 1e-5
    )
    own = [cosine(k, 0.1, 540) for k in range(540)]
    assert rates[60:] == pytest.approx(own, abs=1e-6)
    assert warm_up(59, 0.1, 60) == pytest.approx(0.1)


def test_the_keras_tab_warms_up_and_stops_on_what_it_is_told():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        keras = pytest.importorskip("keras")
    names = {"keras": keras}
    exec(CODE["keras"], names)
    rates = [float(names["rate"](k)) for k in (0, 60, 330, 600)]
    assert rates == pytest.approx([0.01, 0.1, 0.05, 0.0], abs=1e-6)
    assert names["stop"].monitor == "val_accuracy" and names["stop"].restore_best_weights
    usual = keras.callbacks.EarlyStopping()
    assert usual.monitor == "val_loss" and not usual.restore_best_weights

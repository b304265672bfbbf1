"""The doctor on programs in NumPy: entries of the zoo are named, their mended twins left alone,
nothing is changed.
"""

import itertools

import numpy as np
import pytest

from lstm_ref import doctor
from lstm_ref.errors import ArgumentError
from lstm_ref.zoo.programs import find, programs

PLAIN = {entry.plain: entry for entry in programs("numpy")}


def bits(case):
    arrays = [*case.model.values(), *case.batch]
    return [str(np.random.get_state()), sorted(case.model), *(array.tobytes() for array in arrays)]


@pytest.mark.parametrize("entry", [pytest.param(entry, id=entry.id) for entry in programs("numpy")])
def test_sick_programs_are_named(entry):
    case = entry.make(True, 3)
    before = bits(case)
    report = case.examine()
    assert report.ids and report.ids[0] in entry.finding, str(report)
    assert bits(case) == before


@pytest.mark.parametrize("entry", PLAIN.values(), ids=PLAIN)
def test_mended_programs_are_left_alone(entry):
    case = entry.make(False, 3)
    before = bits(case)
    report = case.examine()
    assert not report, str(report)
    assert bits(case) == before
    assert not [str(n) for n in report.not_examined if "stopped" in n.why]


def test_a_loss_with_its_gradients_is_all_that_a_gradient_check_needs():
    case = find("numpy_tanh_slope").make(True, 0)
    report = doctor.examine(case.model, case.batch, loss=case.arguments["step"])
    assert report.ids == ("gradient-wrong",) and "Wx" in report.findings[0].where
    assert any("forward=" in entry.why for entry in report.not_examined)
    assert not doctor.examine(
        case.model, case.batch, loss=find("numpy_tanh_slope").make(False, 0).arguments["step"]
    )


def test_one_factor_on_all_gradients_is_told_as_one():
    finding = find("numpy_mean_forgotten").make(True, 0, N=12).examine().findings[0]
    assert "All of them are 12 times" in finding.what and finding.certainty == "strong"


def test_gradients_that_are_clipped_are_no_fault():
    case = find("numpy_tanh_slope").make(False, 0)
    step = case.arguments["step"]

    def clipped(params, batch):
        loss, grads = step(params, batch)
        return loss, {name: np.clip(grad, -1e-3, 1e-3) for name, grad in grads.items()}

    assert not case.examine(step=clipped)


def test_a_loss_in_float32_says_nothing_about_gradients():
    case = find("numpy_tanh_slope").make(False, 0)
    step = case.arguments["step"]

    def narrow(params, batch):
        loss, grads = step(
            {name: array.astype(np.float32) for name, array in params.items()}, batch
        )
        return float(np.float32(loss)), grads

    report = case.examine(step=narrow)
    assert not report and any("float32" in entry.why for entry in report.not_examined)


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_whatever_stops_it_leaves_everything_as_it_was(error):
    case = find("numpy_batch_in_place").make(True, 0)
    forward, calls = case.arguments["forward"], itertools.count()

    def stops(params, x):
        if next(calls) == 6:
            raise error
        return forward(params, x)

    before = bits(case)
    try:
        report = case.examine(forward=stops)
    except KeyboardInterrupt:
        assert error is KeyboardInterrupt
    else:
        assert any("stopped" in entry.why for entry in report.not_examined)
    assert bits(case) == before


def test_names_do_not_matter():
    case = find("numpy_hidden_gradient_dropped").make(True, 0)
    names = dict(zip(case.model, "zyxwv", strict=True))
    back = {new: old for old, new in names.items()}

    def step(params, batch):
        loss, grads = case.arguments["step"]({back[n]: array for n, array in params.items()}, batch)
        return loss, {names[n]: grad for n, grad in grads.items()}

    params = {names[n]: array for n, array in case.model.items()}

    def forward(params, x):
        return case.arguments["forward"]({back[n]: array for n, array in params.items()}, x)

    report = doctor.examine(params, case.batch, loss=case.loss, forward=forward, step=step)
    assert report.ids[0] == "gradient-wrong"


def test_what_is_no_program_says_so():
    with pytest.raises(ArgumentError, match="dict of NumPy arrays"):
        doctor.examine({"W": [1.0]}, (np.zeros(2), np.zeros(2)))
    with pytest.raises(ArgumentError, match="forward="):
        doctor.examine(np.zeros(3), (np.zeros(2), np.zeros(2)), forward=abs)

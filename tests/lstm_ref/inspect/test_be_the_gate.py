"""Be the gate: its states are those of the cell, and what does not fit is refused."""

import numpy as np
import pytest

pytest.importorskip("traitlets")
from traitlets import TraitError

from lstm_ref import sigmoid
from lstm_ref.errors import ArgumentError, ShapeError
from lstm_ref.inspect import BeTheGate, trace

STRIP = (["roads", "to", "it", "were"], [0.8, 0.1, -0.5, 0.2], [0.8] * 4, [0, 0, 0, 1])
BY_HAND = {"f": [1, 1, 1, 1], "i": [1, 0, 0, 0], "o": [0, 0, 0, 1]}


@pytest.fixture(autouse=True)
def static(monkeypatch):
    monkeypatch.setenv("LSTM_REF_STATIC", "1")


def saturated(gates, offers):
    """An LSTM with one unit whose gates are set by its inputs, and what it is fed: (T, 4)."""
    big = 50.0
    x = [[big * (2 * gates[k][t] - 1) for k in "if"] for t in range(len(offers))]
    x = np.array([[i, f, np.arctanh(g), big * (2 * o - 1)]
                  for (i, f), g, o in zip(x, offers, gates["o"], strict=True)])  # fmt: skip
    weights = {"Wx": np.eye(4), "Wh": np.zeros((1, 4)), "b": np.zeros(4)}
    return weights, x


@pytest.mark.parametrize("seed", range(3))
def test_states_are_those_of_an_lstm_whose_gates_stand_so(seed):
    rng = np.random.default_rng(seed)
    gates = {name: rng.integers(0, 2, 4).tolist() for name in "fio"}
    weights, x = saturated(gates, STRIP[1])
    lstm = trace(weights, x[None])
    widget = BeTheGate(*STRIP, learned=lstm, gates=gates)
    c, h = widget.states
    np.testing.assert_allclose(c, lstm.c[0, :, 0], atol=1e-12)
    np.testing.assert_allclose(h, lstm.h[0, :, 0], atol=1e-12)
    assert widget.score == widget.learned_score


def test_a_hand_that_keeps_the_first_number_is_right_everywhere():
    assert BeTheGate(*STRIP, gates=BY_HAND).score == {"held": 4, "shown": 4}
    # all open: 0.8, 0.9, 0.4, 0.6 in place of 0.8, and each of them is shown
    assert BeTheGate(*STRIP).score == {"held": 2, "shown": 0}


def test_a_trained_cell_is_rounded_and_may_be_missing():
    weights, x = saturated(BY_HAND, STRIP[1])
    widget = BeTheGate(*STRIP, learned=trace(weights, x[None]))
    assert widget.learned["f"] == [round(float(sigmoid(np.array(50.0))), 4)] * 4
    with pytest.raises(ArgumentError, match="there is no trained cell"):
        _ = BeTheGate(*STRIP).learned_score


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"words": []}, ArgumentError, "words must be 1 to 16, got 0"),
        ({"words": ["a"] * 17}, ArgumentError, "words must be 1 to 16, got 17"),
        ({"offers": [0.1]}, ShapeError, r"offers must be \(T,\) = \(4,\).* got \(1,\)"),
        ({"gates": {"f": [1] * 4}}, ArgumentError, "names f, i, o, got f"),
        ({"gates": {**BY_HAND, "o": [0.5] * 4}}, TraitError, "gate o must be 4 numbers, each 0"),
        ({"gates": {**BY_HAND, "f": [1]}}, TraitError, "gate f must be 4 numbers"),
        ({"learned": "weights"}, ArgumentError, "learned must be a GateTrace, got str"),
    ],
)
def test_what_does_not_fit_is_told(change, error, message):
    given = dict(zip(("words", "offers", "wanted", "asked"), STRIP, strict=True))
    with pytest.raises(error, match=message):
        BeTheGate(**{**given, **change})


def test_a_trace_of_several_units_is_refused():
    weights = {"Wx": np.zeros((1, 8)), "Wh": np.zeros((2, 8)), "b": np.zeros(8)}
    with pytest.raises(ShapeError, match=r"one unit, \(1, T, 1\) = \(1, 4, 1\), got \(1, 4, 2\)"):
        BeTheGate(*STRIP, learned=trace(weights, np.zeros((1, 4, 1))))

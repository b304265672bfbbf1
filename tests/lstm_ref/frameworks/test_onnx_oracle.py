"""A fourth engine that knows nothing of the others: the reference evaluator of ONNX, forward."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.parity import draw, numpy_answer, onnx_forward, run_onnx
from lstm_ref import gru_forward, lstm_forward
from lstm_ref.frameworks.convert import convert, convert_model

sizes = st.integers(1, 5)


def forward_of(case):
    answer = numpy_answer(case)
    return {name: answer[name] for name in ("h", "hT", "cT") if name in answer}


@pytest.mark.parametrize(
    ("cell", "reset"), [("lstm", "after"), ("gru", "after"), ("gru", "before")]
)
@settings(max_examples=60)
@given(
    N=sizes,
    T=sizes,
    D=sizes,
    H=sizes,
    layers=st.integers(1, 3),
    directions=st.integers(1, 2),
    data=st.data(),
)
def test_operators_of_onnx_give_the_numbers_of_numpy(
    assert_same, cell, reset, N, T, D, H, layers, directions, data
):
    mask = None
    if data.draw(st.booleans()):
        lengths = data.draw(st.lists(st.integers(1, T), min_size=N, max_size=N))
        mask = np.arange(T) < np.array(lengths)[:, np.newaxis]
    case = draw(
        N,
        T,
        D,
        H,
        layers=layers,
        directions=directions,
        mask=mask,
        cell=cell,
        reset=reset,
        seed=N + 7 * T,
    )
    assert_same(onnx_forward(case), forward_of(case), 1e-13)


def test_weights_of_onnx_with_both_biases_in_use_are_read_right():
    """Starting there: random W, R and B of a node, as a file might hold them."""
    rng = np.random.default_rng(0)
    N, T, D, H = 3, 4, 2, 5
    x, h0, c0 = rng.normal(size=(T, N, D)), rng.normal(size=(1, N, H)), rng.normal(size=(1, N, H))
    node = {
        "W": rng.normal(size=(1, 4 * H, D)),
        "R": rng.normal(size=(1, 4 * H, H)),
        "B": rng.normal(size=(1, 8 * H)),
    }
    Y, Y_h, Y_c = run_onnx("lstm", {"X": x, **node, "initial_h": h0, "initial_c": c0})
    h, (hT, cT), _ = lstm_forward(x.swapaxes(0, 1), h0[0], c0[0], **convert(node, "onnx", "here"))
    for got, right in ((h.swapaxes(0, 1), Y[:, 0]), (hT, Y_h[0]), (cT, Y_c[0])):
        np.testing.assert_allclose(got, right, rtol=0, atol=1e-14)
    node = {
        "W": rng.normal(size=(1, 3 * H, D)),
        "R": rng.normal(size=(1, 3 * H, H)),
        "B": rng.normal(size=(1, 6 * H)),
    }
    for reset in ("after", "before"):
        Y, Y_h = run_onnx("gru", {"X": x, **node, "initial_h": h0}, reset)
        params = convert(node, "onnx", "here", cell="gru", reset=reset)
        h, hT, _ = gru_forward(x.swapaxes(0, 1), h0[0], **params, reset=reset)
        np.testing.assert_allclose(h.swapaxes(0, 1), Y[:, 0], rtol=0, atol=1e-14)
        np.testing.assert_allclose(hT, Y_h[0], rtol=0, atol=1e-14)


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_the_evaluator_does_not_look_at_sequence_lens(cell):
    """What `onnx_forward` says of it, and why it runs ragged sequences one by one. When this fails,
    it can stop doing so.
    """
    case = draw(3, 4, 2, 5, cell=cell)
    (node,) = convert_model(case.model, "here", "onnx", cell=cell)
    inputs = {"X": case.x.swapaxes(0, 1), **node, "initial_h": case.h0}
    inputs |= {} if case.c0 is None else {"initial_c": case.c0}
    with_lengths = run_onnx(cell, inputs | {"sequence_lens": np.array([4, 1, 2], np.int32)})
    for got, right in zip(with_lengths, run_onnx(cell, inputs), strict=True):
        np.testing.assert_array_equal(got, right)

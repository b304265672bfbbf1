"""Masks and directions of all three cells. What PyTorch and Keras make of masked LSTMs stands in
test_layers.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lstm_ref import (
    ArgumentError,
    DTypeError,
    ShapeError,
    gru_backward,
    gru_forward,
    lstm_backward,
    lstm_forward,
    masked_gru_backward,
    masked_gru_forward,
    masked_lstm_backward,
    masked_lstm_forward,
    masked_rnn_backward,
    masked_rnn_forward,
    padding_mask,
    rnn_backward,
    rnn_forward,
)

# cell -> blocks, then forward and backward: masked ones, and the plain ones that are the oracle
KINDS = {
    "lstm": (4, masked_lstm_forward, masked_lstm_backward, lstm_forward, lstm_backward),
    "gru, reset after": (3, masked_gru_forward, masked_gru_backward, gru_forward, gru_backward),
    "gru, reset before": (3, masked_gru_forward, masked_gru_backward, gru_forward, gru_backward),
    "rnn": (1, masked_rnn_forward, masked_rnn_backward, rnn_forward, rnn_backward),
}
every_kind = pytest.mark.parametrize("kind", KINDS)
sizes = st.integers(1, 4)


def draw_layer(kind, N=3, T=5, D=2, H=4, seed=0, dtype=np.float64):
    """Arguments of the forward pass by name, and gradients dh and of the last states."""
    rng = np.random.default_rng(seed)
    blocks = KINDS[kind][0]
    shapes = {
        "x": (N, T, D),
        "h0": (N, H),
        "c0": (N, H),
        "Wx": (D, blocks * H),
        "Wh": (H, blocks * H),
        "b": (blocks * H,),
    }
    if kind != "lstm":
        del shapes["c0"]
    if kind == "gru, reset after":
        shapes["bh"] = (H,)
    layer = {name: (0.5 * rng.normal(size=shape)).astype(dtype) for name, shape in shapes.items()}
    last = {"dhT": (N, H), "dcT": (N, H)} if kind == "lstm" else {"dhT": (N, H)}
    return (
        layer,
        rng.normal(size=(N, T, H)).astype(dtype),
        {n: rng.normal(size=s).astype(dtype) for n, s in last.items()},
    )


def masked_answer(kind, layer, dh, last, **options):
    h, state, cache = KINDS[kind][1](**layer, **options)
    return {"h": h, **named(state)} | gradients(KINDS[kind][2](dh, cache, **last))


def named(state):
    return dict(zip(("hT", "cT"), state if isinstance(state, tuple) else (state,), strict=False))


def gradients(grads):
    return {name: array for name, array in grads._asdict().items() if array is not None}


def one_by_one(kind, layer, dh, last, mask, reverse):
    """The definition: each sequence alone, its valid steps only; what all share is added up."""
    _, _, _, forward, backward = KINDS[kind]
    options = {"reset": kind.split()[-1]} if "gru" in kind else {}
    states = [name for name in ("h0", "c0") if name in layer]
    expected = {"h": np.zeros_like(dh), "dx": np.zeros_like(layer["x"])}
    expected |= {f"{name[0]}T": layer[name].copy() for name in states}
    expected |= {f"d{name}": last[f"d{name[0]}T"].copy() for name in states}
    expected |= {
        f"d{name}": np.zeros_like(layer[name]) for name in layer if name not in ("x", *states)
    }
    for n, valid in enumerate(mask):
        steps = np.flatnonzero(valid)[:: -1 if reverse else 1]
        if len(steps) == 0:
            continue
        alone = {
            name: array[n : n + 1] if name in states else array for name, array in layer.items()
        }
        h, state, cache = forward(**(alone | {"x": layer["x"][n : n + 1, steps]}), **options)
        dh_alone = dh[n : n + 1, steps]
        dh_alone[:, -1] += last["dhT"][n]
        rest = [last["dcT"][n : n + 1]] if kind == "lstm" else []
        expected["h"][n, steps] = h[0]
        for name, part in named(state).items():
            expected[name][n] = part[0]
        for name, grad in gradients(backward(dh_alone, cache, *rest)).items():
            if name == "dx":
                expected[name][n, steps] = grad[0]
            elif name[1:] in states:
                expected[name][n] = grad[0]
            else:
                expected[name] += grad
    return expected


@every_kind
@given(
    N=sizes,
    T=sizes,
    D=sizes,
    H=sizes,
    reverse=st.booleans(),
    seed=st.integers(0, 100),
    data=st.data(),
)
@settings(max_examples=40)
def test_each_sequence_is_what_it_is_alone(assert_same, kind, N, T, D, H, reverse, seed, data):
    mask = np.array(
        data.draw(st.lists(st.lists(st.booleans(), min_size=T, max_size=T), min_size=N, max_size=N))
    )
    problem = draw_layer(kind, N, T, D, H, seed)
    assert_same(
        masked_answer(kind, *problem, mask=mask, reverse=reverse),
        one_by_one(kind, *problem, mask, reverse),
        1e-12,
    )


@every_kind
@pytest.mark.parametrize("side", ["right", "left"])
def test_what_stands_in_the_padding_changes_nothing(kind, side):
    layer, dh, last = draw_layer(kind)
    mask = padding_mask(np.array([2, 5, 3]), 5, side)
    expected = masked_answer(kind, layer, dh, last, mask=mask)
    layer["x"][~mask], dh[~mask] = 1e30, -1e30
    for name, array in masked_answer(kind, layer, dh, last, mask=mask).items():
        np.testing.assert_array_equal(array, expected[name])


@every_kind
def test_without_a_mask_all_steps_are_valid_and_without_last_gradients_they_are_zero(
    assert_same, kind
):
    layer, dh, last = draw_layer(kind)
    nothing = {name: np.zeros_like(array) for name, array in last.items()}
    full = masked_answer(kind, layer, dh, nothing, mask=np.ones((3, 5), bool))
    assert_same(masked_answer(kind, layer, dh, {}), full, 0)


@every_kind
def test_float32_stays_and_arguments_stay_and_the_cache_owns_all_but_the_weights(kind):
    layer, dh, last = draw_layer(kind, dtype=np.float32)
    mask = padding_mask(np.array([2, 5, 3]), 5)
    for array in (*layer.values(), dh, *last.values(), mask):
        array.flags.writeable = False
    h, state, cache = KINDS[kind][1](**layer, mask=mask, reverse=True)
    expected = gradients(KINDS[kind][2](dh, cache, **last))
    assert {array.dtype for array in (h, *named(state).values(), *expected.values())} == {
        np.dtype(np.float32)
    }
    inputs = [array for name, array in layer.items() if name in ("x", "h0", "c0")] + [mask]
    for array in inputs:
        array.flags.writeable = True
    for array in (h, *named(state).values(), *inputs):
        array[:] = 1
    for name, array in gradients(KINDS[kind][2](dh, tuple(cache), **last)).items():
        np.testing.assert_array_equal(array, expected[name])


@pytest.mark.parametrize(("lengths", "came"), [([3, -1], "-1 to 3"), ([0, 6], "0 to 6")])
def test_lengths_that_no_sequence_can_have_are_refused(lengths, came):
    with pytest.raises(ArgumentError, match=f"lengths must lie from 0 to T = 5, got {came}"):
        padding_mask(np.array(lengths), 5)


def test_what_does_not_fit_is_named():
    layer, dh, last = draw_layer("gru, reset after")
    with pytest.raises(
        ShapeError, match=r"^masked_gru_forward: Wh must be \(H, 3H\) = \(4, 12\), got \(4, 16\)"
    ):
        masked_gru_forward(**(layer | {"Wh": np.zeros((4, 16))}))
    with pytest.raises(
        ShapeError,
        match=r"^masked_gru_forward: mask must be \(N, T\) = \(3, 5\), got \(5, 3\); .* mask.T",
    ):
        masked_gru_forward(**layer, mask=np.ones((5, 3), bool))
    _, _, cache = masked_gru_forward(**layer)
    with pytest.raises(
        ShapeError, match=r"^masked_gru_backward: dhT must be \(N, H\) = \(3, 4\), got \(4, 3\)"
    ):
        masked_gru_backward(dh, cache, last["dhT"].T)
    with pytest.raises(DTypeError, match=r"^masked_gru_backward: .*dh float32.*cache\.Wx float64"):
        masked_gru_backward(dh.astype(np.float32), cache)
    with pytest.raises(
        ArgumentError,
        match=(
            "^masked_rnn_backward: cache must be the MaskedCache that masked_rnn_forward returned, "
            "got that of masked_gru"
        ),
    ):
        masked_rnn_backward(dh, cache)
    with pytest.raises(
        ArgumentError, match="must be the MaskedCache that masked_gru_forward returned, got ndarray"
    ):
        masked_gru_backward(dh, dh)

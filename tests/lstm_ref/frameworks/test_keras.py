import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.parity import draw as draw_case
from benchmarks.parity import numpy_answer as numpy_answer_of
from lstm_ref import ArgumentError, DTypeError, ShapeError, gru_forward, lstm_forward, rnn_forward
from lstm_ref.frameworks.keras import (
    gru_step_keras,
    keras_gru,
    keras_lstm,
    lstm_forward_keras,
    lstm_step_keras,
    params_from_keras,
    run_keras,
)

WEIGHTS = ("Wx", "Wh", "b")
sizes = st.integers(1, 5)


def from_scratch(layer, dh, dcT):
    leaves = {name: tf.Variable(array) for name, array in layer.items()}
    with tf.GradientTape() as tape:
        h, (hT, cT) = lstm_forward_keras(**{name: leaf.value() for name, leaf in leaves.items()})
    grads = tape.gradient(
        [h, cT], list(leaves.values()), output_gradients=[tf.constant(dh), tf.constant(dcT)]
    )
    return {
        "h": h,
        "hT": hT,
        "cT": cT,
        **{f"d{name}": grad for name, grad in zip(leaves, grads, strict=True)},
    }


def framework(layer, dh, dcT):
    lstm = keras_lstm({name: layer[name] for name in WEIGHTS})
    x, h0, c0 = (tf.constant(layer[name]) for name in ("x", "h0", "c0"))
    with tf.GradientTape() as tape:
        tape.watch([x, h0, c0])
        h, hT, cT = lstm(x, initial_state=[h0, c0])
    sources = [x, h0, c0, *(weight.value for weight in lstm.trainable_weights)]
    grads = tape.gradient([h, cT], sources, output_gradients=[tf.constant(dh), tf.constant(dcT)])
    names = ("dx", "dh0", "dc0", "dWx", "dWh", "db")
    return {"h": h, "hT": hT, "cT": cT, **dict(zip(names, grads, strict=True))}


@pytest.mark.parametrize("twin", [from_scratch, framework])
@settings(max_examples=25)  # each builds a layer and traces it
@given(N=sizes, T=sizes, D=sizes, H=sizes, seed=st.integers(0, 100))
def test_keras_gives_the_numbers_of_numpy_forward_and_backward(
    draw, numpy_answer, assert_same, twin, N, T, D, H, seed
):
    layer = draw(N, T, D, H, seed)
    expected, dh, dcT = numpy_answer(layer)
    assert_same(twin(layer, dh, dcT), expected, 1e-12)


@pytest.mark.parametrize("twin", [from_scratch, framework])
def test_keras_gives_the_numbers_of_numpy_over_a_long_sequence(
    draw, numpy_answer, assert_same, twin
):
    layer = draw(N=4, T=100, D=8, H=16, scale=0.3)
    expected, dh, dcT = numpy_answer(layer)
    assert_same(twin(layer, dh, dcT), expected, 1e-10)


@pytest.mark.parametrize("twin", [from_scratch, framework])
def test_float32_agrees_to_its_precision(draw, numpy_answer, assert_same, twin):
    layer = draw(3, 7, 4, 5, dtype=np.float32)
    expected, dh, dcT = numpy_answer(layer)
    assert_same(twin(layer, dh, dcT), expected, 1e-5)


def test_step_is_a_sequence_of_one(draw):
    layer = {name: tf.constant(array) for name, array in draw(3, 1, 4, 5).items()}
    h, c = lstm_step_keras(layer["x"][:, 0], *list(layer.values())[1:])
    _, (hT, cT) = lstm_forward_keras(**layer)
    np.testing.assert_array_equal(h, hT)
    np.testing.assert_array_equal(c, cT)


def test_weights_come_back_as_they_went(draw):
    params = {name: draw(1, 1, 4, 5)[name] for name in WEIGHTS}
    for name, array in params_from_keras(keras_lstm(params)).items():
        np.testing.assert_array_equal(array, params[name])


@pytest.mark.parametrize("use_bias", [True, False])
def test_weights_of_any_built_layer_can_be_read(use_bias):
    lstm = keras.layers.LSTM(5, use_bias=use_bias, return_sequences=True, dtype="float64")
    x = np.random.default_rng(0).normal(size=(2, 3, 4))
    expected = lstm(x)
    zeros = np.zeros((2, 5))
    h, _, _ = lstm_forward(x, zeros, zeros, **params_from_keras(lstm))
    np.testing.assert_allclose(h, expected, rtol=0, atol=1e-14)


def test_options_reach_the_layer_and_dtype_can_be_chosen(draw):
    params = {name: draw(1, 1, 4, 5)[name] for name in WEIGHTS}
    lstm = keras_lstm(params, "float32", return_state=False, return_sequences=False)
    assert {weight.dtype for weight in lstm.weights} == {"float32"}
    assert lstm(np.zeros((2, 3, 4), np.float32)).shape == (2, 5)
    assert {weight.dtype for weight in keras_lstm(params).weights} == {"float64"}


@pytest.mark.parametrize(
    ("options", "received"),
    [
        ({"activation": "relu"}, "forwards, got activation=relu"),
        (
            {"recurrent_activation": "hard_sigmoid"},
            "forwards, got recurrent_activation=hard_sigmoid",
        ),
        ({"go_backwards": True}, "forwards, got go_backwards=True"),
    ],
)
def test_layer_that_computes_something_else_is_refused(options, received):
    lstm = keras.layers.LSTM(2, **options)
    lstm.build((None, None, 3))
    with pytest.raises(
        ArgumentError,
        match=f"^params_from_keras: a keras.layers.LSTM must have tanh, sigmoid and run "
        f"{received};",
    ):
        params_from_keras(lstm)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_weights_of_another_precision_are_named(dtype):
    # no orthogonal draw in bfloat16
    lstm = keras.layers.LSTM(2, dtype=dtype, recurrent_initializer="zeros")
    lstm.build((None, None, 3))
    with pytest.raises(DTypeError, match=f"kernel must be float32 or float64, got {dtype}"):
        params_from_keras(lstm)


def test_what_does_not_fit_is_named(draw, monkeypatch):
    params = {name: draw(1, 1, 4, 5)[name] for name in WEIGHTS}
    with pytest.raises(DTypeError, match="keras_lstm: dtype must be \"float32\", .* got 'float16'"):
        keras_lstm(params, "float16")
    with pytest.raises(ShapeError, match=r"Wh must be \(H, 4H\) = \(5, 20\), got \(20, 5\)"):
        keras_lstm(params | {"Wh": params["Wh"].T})
    with pytest.raises(ArgumentError, match="itself, got Dense, with no keras.layers.LSTM in it"):
        params_from_keras(keras.layers.Dense(2))
    with pytest.raises(
        ArgumentError, match="layer must be a recurrent layer of Keras, or a list of them, got dict"
    ):
        params_from_keras(params)
    with pytest.raises(
        ArgumentError,
        match="the layer 'fresh' has no weights yet; call the model on some input first",
    ):
        params_from_keras(keras.layers.LSTM(2, name="fresh"))
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(
        ArgumentError,
        match="Keras must run on TensorFlow, it runs on jax; set .* KERAS_BACKEND=tensorflow",
    ):
        keras_lstm(params)


@pytest.mark.parametrize("package", ["tensorflow", "keras"])
def test_without_tensorflow_the_message_says_what_to_install(package):
    code = f"import sys; sys.modules['{package}'] = None; import lstm_ref.frameworks.keras"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert run.returncode == 1
    assert run.stderr.strip().endswith(
        "lstm_ref.errors.MissingPackageError: lstm_ref.keras needs Keras on TensorFlow, which is "
        "not installed; run: pip install 'inside-the-lstm[tensorflow]'"
    )


# --- Stacks, directions, GRUs, masks, mixed precision: their numbers are held by test_parity.py
# -----------------------------


def flat(model):
    """All arrays of a model, whatever its form."""
    if isinstance(model, np.ndarray):
        return [model]
    return [
        array
        for part in (model.values() if isinstance(model, dict) else model)
        for array in flat(part)
    ]


@pytest.mark.parametrize(
    ("cell", "reset"), [("lstm", "after"), ("gru", "after"), ("gru", "before")]
)
@pytest.mark.parametrize("directions", [1, 2])
def test_models_come_back_as_they_went(cell, reset, directions):
    model = draw_case(1, 1, 3, 4, layers=2, directions=directions, cell=cell, reset=reset).model
    layers = keras_lstm(model) if cell == "lstm" else keras_gru(model, reset=reset)
    for got, right in zip(flat(params_from_keras(layers)), flat(model), strict=True):
        np.testing.assert_array_equal(got, right)
    for got, right in zip(flat(params_from_keras(layers[0])), flat(model[0]), strict=True):
        np.testing.assert_array_equal(got, right)


@pytest.mark.parametrize("use_bias", [True, False])
@pytest.mark.parametrize(
    ("kind", "options"), [("SimpleRNN", {}), ("GRU", {}), ("GRU", {"reset_after": False})]
)
def test_weights_of_other_layers_can_be_read(kind, options, use_bias):
    layer = getattr(keras.layers, kind)(
        4, use_bias=use_bias, return_sequences=True, dtype="float64", **options
    )
    x = np.random.default_rng(0).normal(size=(2, 3, 5))
    right = layer(x)
    params = params_from_keras(layer)
    assert ("bh" in params) == (kind == "GRU" and not options)
    if kind == "GRU":
        h, _, _ = gru_forward(x, np.zeros((2, 4)), **params, reset="before" if options else "after")
    else:
        h, _, _ = rnn_forward(x, np.zeros((2, 4)), **params)
    np.testing.assert_allclose(h, right, rtol=0, atol=1e-14)


@pytest.mark.parametrize(("policy", "digits"), [("mixed_bfloat16", 0.03), ("mixed_float16", 0.004)])
def test_mixed_precision_is_near_and_keeps_its_weights_in_float32(policy, digits):
    case = draw_case(3, 6, 3, 4, layers=2, directions=2, dtype=np.float32)
    layers = keras_lstm(case.model, policy)
    h, _ = run_keras(layers, tf.constant(case.x), (tf.constant(case.h0), tf.constant(case.c0)))
    assert h.dtype == policy.removeprefix("mixed_") and {
        w.dtype for layer in layers for w in layer.weights
    } == {"float32"}
    assert 0 < np.abs(tf.cast(h, "float32") - numpy_answer_of(case)["h"]).max() <= digits


def test_output_at_masked_steps_is_zero_whatever_the_layer_says_and_states_start_from_zeros():
    case = draw_case(2, 3, 3, 4)
    mask = np.array([[True, True, True], [False, True, False]])
    layer = keras_lstm(case.model[0], zero_output_for_mask=False)
    h, _ = run_keras(layer, tf.constant(case.x), mask=tf.constant(mask))
    zeros = np.zeros((1, 2, 4))
    expected = numpy_answer_of(case._replace(h0=zeros, c0=zeros, mask=mask))["h"]
    np.testing.assert_allclose(h, expected, rtol=0, atol=1e-14)


def test_what_cannot_run_is_named():
    case = draw_case(2, 3, 3, 4, layers=2, directions=2)
    x, state = tf.constant(case.x), tf.constant(case.h0)
    with pytest.raises(
        ShapeError,
        match=r"^run_keras: state must be 2 tensors \(4, N, H\), .* got \(2, 2, 4\), \(2, 2, 4\)",
    ):
        run_keras(keras_lstm(case.model), x, (state[:2], state[:2]))
    with pytest.raises(
        ArgumentError,
        match="^run_keras: layers must be recurrent, with return_sequences and return_state, got "
        "LSTM",
    ):
        run_keras(keras_lstm(case.model[0][0], return_state=False), x)
    with pytest.raises(ArgumentError, match="^run_keras: .* got Dense"):
        run_keras([keras.layers.Dense(3)], x)
    with pytest.raises(
        ArgumentError, match='gru_step_keras: bh must be there with reset="after" and only then'
    ):
        gru_step_keras(*tf.zeros((5, 1, 3)))
    with pytest.raises(ArgumentError, match="^params_from_keras: all layers must be of one kind"):
        layers = [keras.layers.LSTM(3), keras.layers.GRU(3)]
        for layer in layers:
            layer.build((None, None, 3))
        params_from_keras(layers)

"""The gates of a NumPy, a PyTorch and a Keras model, against each of them and against lstm_step."""

import re

import numpy as np
import pytest

from lstm_ref import lstm_step
from lstm_ref.convert import convert
from lstm_ref.errors import ArgumentError, DTypeError, NotFiniteError, ShapeError
from lstm_ref.inspect import trace

N, T, D, H = 3, 6, 2, 4


@pytest.fixture
def params(rng):
    return {"Wx": rng.normal(size=(D, 4 * H)), "Wh": rng.normal(size=(H, 4 * H)), "b": rng.normal(size=4 * H)}


@pytest.fixture
def rng():
    return np.random.default_rng(7)


@pytest.fixture
def sequence(rng):
    return rng.normal(size=(N, T, D)), rng.normal(size=(N, H)), rng.normal(size=(N, H))


def torch_layer(params, **options):
    import torch

    layer = torch.nn.LSTM(D, H, dtype=torch.float64, **options)
    weights = convert(params, "here", "pytorch")
    layer.load_state_dict({name: torch.from_numpy(weights[name]) for name, _ in layer.named_parameters()})
    return layer


def keras_layer(params, **options):
    import keras

    layer = keras.layers.LSTM(H, dtype="float64", return_sequences=True, **options)
    layer.build((N, T, D))
    layer.set_weights(list(convert(params, "here", "keras").values())[: len(layer.weights)])
    return layer


def test_every_array_is_what_lstm_step_gives_at_that_step(params, sequence):
    x, h, c = sequence
    gates = trace({**params, "Wy": np.ones((H, 2))}, x, h, c)
    assert all(array.shape == (N, T, H) and array.flags.c_contiguous for array in gates)
    for t in range(T):
        h, c, step = lstm_step(x[:, t], h, c, **params)
        for name, expected in {"i": step.i, "f": step.f, "g": step.g, "o": step.o, "c": c, "h": h}.items():
            np.testing.assert_allclose(
                getattr(gates, name)[:, t], expected, rtol=1e-12, atol=1e-14, err_msg=f"{name} {t}"
            )


@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize("bias", [True, False])
def test_a_torch_layer_gives_the_states_that_torch_computes(params, sequence, batch_first, bias):
    import torch

    x, h0, c0 = map(torch.from_numpy, sequence)
    x = x if batch_first else x.transpose(0, 1)
    layer = torch_layer(params, batch_first=batch_first, bias=bias)
    before = {name: value.clone() for name, value in layer.state_dict().items()}
    h, (hT, cT) = layer(x, (h0[None], c0[None]))
    gates = trace(layer, x.requires_grad_(), h0[None], c0)  # states as torch has them, or as (N, H)
    h = h if batch_first else h.transpose(0, 1)
    np.testing.assert_allclose(gates.h, h.detach().numpy(), rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(gates.c[:, -1], cT[0].detach().numpy(), rtol=1e-10, atol=1e-12)
    assert layer.training and all(torch.equal(before[name], value) for name, value in layer.state_dict().items())
    assert all(parameter.grad is None and parameter.requires_grad for parameter in layer.parameters())


@pytest.mark.parametrize("use_bias", [True, False])
def test_a_keras_layer_gives_the_states_that_keras_computes(params, sequence, use_bias):
    import keras

    x, h0, c0 = sequence
    layer = keras_layer(params, return_state=True, use_bias=use_bias)
    before = [array.copy() for array in layer.get_weights()]
    h, _, cT = layer(keras.ops.convert_to_tensor(x), initial_state=[h0, c0])
    gates = trace(layer, keras.ops.convert_to_tensor(x), h0, c0)
    np.testing.assert_allclose(gates.h, np.asarray(h), rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(gates.c[:, -1], np.asarray(cT), rtol=1e-10, atol=1e-12)
    assert all((old == new).all() for old, new in zip(before, layer.get_weights(), strict=True))


def test_the_dtype_is_that_of_the_weights_and_a_trace_is_nobody_elses_memory(params, sequence):
    x, h0, c0 = sequence
    single = {name: array.astype(np.float32) for name, array in params.items()}
    gates = trace(single, x, h0, c0)
    assert {array.dtype for array in gates} == {np.dtype(np.float32)}
    copies = [x.copy(), h0.copy(), c0.copy()]
    for array in trace(params, x, h0, c0):
        array[:] = 9
    assert all((old == new).all() for old, new in zip(copies, (x, h0, c0), strict=True))


def test_without_states_the_sequence_starts_from_zeros(params, sequence):
    x = sequence[0]
    zeros = np.zeros((N, H))
    assert all((one == two).all() for one, two in zip(trace(params, x), trace(params, x, zeros, zeros), strict=True))


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ({"num_layers": 2}, "num_layers=2"),
        ({"bidirectional": True}, "bidirectional=True"),
        ({"proj_size": 2}, "proj_size=2"),
    ],
)
def test_a_torch_layer_of_another_kind_is_refused_by_what_was_found(options, found):
    import torch

    with pytest.raises(ArgumentError, match=f"one layer, one direction and no projection, got .*{found}"):
        trace(torch.nn.LSTM(D, H, **options), np.zeros((N, T, D)))


def test_a_whole_torch_model_is_refused_with_the_way_to_its_layer():
    import torch

    class Tagger(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.encoder = torch.nn.LSTM(D, H)

    with pytest.raises(ArgumentError, match=r"itself, got Tagger; pass model\.encoder and what it receives"):
        trace(Tagger(), np.zeros((N, T, D)))
    with pytest.raises(ArgumentError, match=r"got GRU, with no torch\.nn\.LSTM in it"):
        trace(torch.nn.GRU(D, H), np.zeros((N, T, D)))
    with pytest.raises(
        DTypeError, match=r"weight_ih_l0 must be float32 or float64, got torch\.float16; use model\.float\(\)"
    ):
        trace(torch.nn.LSTM(D, H).half(), np.zeros((N, T, D)))


def test_a_keras_model_or_layer_of_another_kind_is_refused_by_what_was_found():
    import keras

    x = np.zeros((N, T, D))
    model = keras.Sequential([keras.Input((T, D)), keras.layers.LSTM(H, name="memory"), keras.layers.Dense(1)])
    with pytest.raises(
        ArgumentError, match=re.escape("got Sequential; pass model.get_layer('memory') and what it receives")
    ):
        trace(model, x)
    with pytest.raises(ArgumentError, match="one direction, got Bidirectional"):
        trace(keras.layers.Bidirectional(keras.layers.LSTM(H)), x)
    with pytest.raises(ArgumentError, match="activation=relu"):
        trace(keras.layers.LSTM(H, activation="relu"), x)
    with pytest.raises(ArgumentError, match="go_backwards=True"):
        trace(keras.layers.LSTM(H, go_backwards=True), x)
    with pytest.raises(ArgumentError, match="'fresh' has no weights yet"):
        trace(keras.layers.LSTM(H, name="fresh"), x)
    with pytest.raises(ArgumentError, match=r"got Dense, with no keras\.layers\.LSTM in it"):
        trace(keras.layers.Dense(H), x)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"x": np.zeros((T, D))}, ShapeError, r"trace: x must be \(N, T, D\), got \(6, 2\); a single example"),
        ({"x": np.zeros((N, T, D + 1))}, ShapeError, r"trace: .* must be .*, got"),
        ({"x": np.zeros((N, T, D), int)}, DTypeError, "trace: x must hold floats, got int64"),
        ({"x": [[[0.0], [0.0, 1.0]]]}, DTypeError, "trace: x must be an array of floats, got list"),
        ({"x": np.full((N, T, D), np.nan)}, NotFiniteError, "trace: x must be finite"),
        (
            {"c0": np.zeros((H, N))},
            ShapeError,
            r"trace: c0 must be \(N, H\) = \(3, 4\), got \(4, 3\); did you pass c0\.T",
        ),
        ({"h0": np.zeros((2, N, H))}, ShapeError, r"trace: h0 must be \(N, H\)"),
        ({"model": {"W": 1}}, ArgumentError, "trace: a dict must hold Wx, Wh and b, got W; convert"),
        ({"model": "lstm"}, ArgumentError, "trace: model must be a dict of Wx, Wh and b, .*, got str"),
    ],
)
def test_what_does_not_fit_is_named_with_what_was_expected(params, change, error, message):
    arguments = {"model": params, "x": np.zeros((N, T, D)), **change}
    with pytest.raises(error, match=message):
        trace(**arguments)

"""The gates of a NumPy, a PyTorch and a Keras model, against each of them and against lstm_step."""

import subprocess
import sys

import numpy as np
import pytest

from lstm_ref import gru_step, lstm_step, padding_mask
from lstm_ref.errors import ArgumentError, DTypeError, NotFiniteError, ShapeError
from lstm_ref.frameworks.convert import convert
from lstm_ref.inspect.trace import GateTrace, GRUTrace, trace, trace_gru

N, T, D, H = 3, 6, 2, 4


@pytest.fixture
def params(rng):
    return {
        "Wx": rng.normal(size=(D, 4 * H)),
        "Wh": rng.normal(size=(H, 4 * H)),
        "b": rng.normal(size=4 * H),
    }


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
    layer.load_state_dict(
        {name: torch.from_numpy(weights[name]) for name, _ in layer.named_parameters()}
    )
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
        for name, expected in {
            "i": step.i,
            "f": step.f,
            "g": step.g,
            "o": step.o,
            "c": c,
            "h": h,
        }.items():
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
    assert layer.training and all(
        torch.equal(before[name], value) for name, value in layer.state_dict().items()
    )
    assert all(
        parameter.grad is None and parameter.requires_grad for parameter in layer.parameters()
    )


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
    assert all(
        (one == two).all()
        for one, two in zip(trace(params, x), trace(params, x, zeros, zeros), strict=True)
    )


# --- Several layers, two directions, masks, GRUs
# -----------------------------------------------------------------------------


def deep_model(cell="lstm", layers=2, directions=2):
    """A model as convert_model has it, its states (S, N, H), and a mask."""
    rng = np.random.default_rng(3)
    k = {"lstm": 4, "gru": 3}[cell]

    def weights(width):
        shapes = {"Wx": (width, k * H), "Wh": (H, k * H), "b": (k * H,)} | (
            {"bh": (H,)} if cell == "gru" else {}
        )
        return {name: 0.5 * rng.normal(size=shape) for name, shape in shapes.items()}

    pairs = [
        [weights(directions * H if layer else D) for _ in range(directions)]
        for layer in range(layers)
    ]
    states = [
        rng.normal(size=(layers * directions, N, H)) for _ in range({"lstm": 2, "gru": 1}[cell])
    ]
    return (
        [pair if directions == 2 else pair[0] for pair in pairs],
        states,
        padding_mask(np.array([4, 6, 1]), T),
    )


def torch_of(model, cell):
    from lstm_ref.frameworks.torch import torch_gru, torch_lstm

    return {"lstm": torch_lstm, "gru": torch_gru}[cell](model)


def keras_of(model, cell):
    from lstm_ref.frameworks.keras import keras_gru, keras_lstm

    return {"lstm": keras_lstm, "gru": keras_gru}[cell](model)


@pytest.mark.parametrize("cell", ["lstm", "gru"])
@pytest.mark.parametrize("directions", [1, 2])
@pytest.mark.parametrize("masked", [False, True])
def test_each_layer_and_direction_gives_the_states_that_torch_computes(
    sequence, cell, directions, masked
):
    import torch

    from lstm_ref.frameworks.torch import run_torch

    model, states, mask = deep_model(cell, directions=directions)
    x, mask = sequence[0], mask if masked else None
    module = torch_of(model, cell)
    tensors = [torch.from_numpy(state) for state in states]
    h, last = run_torch(
        module,
        torch.from_numpy(x),
        tuple(tensors) if cell == "lstm" else tensors[0],
        None if mask is None else torch.from_numpy(mask),
    )
    last = last if cell == "lstm" else (last,)
    function = {"lstm": trace, "gru": trace_gru}[cell]
    out = []
    for k in range(2):
        for d, direction in enumerate(("forward", "reverse")[:directions]):
            traces = [
                function(kind, x, *states, mask=mask, layer=layer, direction=direction)
                for kind, layer in ((model, k), (module, k - 2), (keras_of(model, cell), k))
            ]
            for other in traces[1:]:
                assert all(
                    np.array_equal(a, b, equal_nan=True)
                    for a, b in zip(other, traces[0], strict=True)
                )
            # The state after the last step of its own that was taken: at the end of time, or at the
            # beginning.
            ends = traces[0].h[:, 0 if d else -1]
            np.testing.assert_allclose(
                ends, last[0][k * directions + d].detach(), rtol=0, atol=1e-12
            )
            if cell == "lstm":
                ends = traces[0].c[:, 0 if d else -1]
                np.testing.assert_allclose(
                    ends, last[1][k * directions + d].detach(), rtol=0, atol=1e-12
                )
            if k == 1:
                out.append(traces[0].h)
    valid = np.ones((N, T), bool) if mask is None else mask
    np.testing.assert_allclose(
        np.concatenate(out, axis=2)[valid], h.detach().numpy()[valid], rtol=0, atol=1e-12
    )


@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize("direction", ["forward", "reverse"])
def test_masked_gates_are_those_of_each_example_alone_and_nan_where_none_acted(
    sequence, side, direction
):
    (model,), (h0, c0), _ = deep_model(layers=1)
    mask = padding_mask(np.array([4, 6, 1]), T, side)
    x = sequence[0]
    gates = trace([model], x, h0, c0, mask=mask, direction=direction)
    for n in range(N):
        alone = trace(
            [model], x[n : n + 1, mask[n]], h0[:, n : n + 1], c0[:, n : n + 1], direction=direction
        )
        for name, array in gates.example(n)._asdict().items():
            np.testing.assert_allclose(
                array, getattr(alone, name), rtol=0, atol=1e-14, err_msg=name
            )
        assert all(np.isnan(getattr(gates, name)[n, ~mask[n]]).all() for name in "ifgo")
    assert np.isfinite(gates.c).all() and np.isfinite(gates.h).all()
    # until the first step that is taken, the state is the one at the start
    start = h0[int(direction == "reverse")]
    first = {"forward": 0, "reverse": -1}[direction]
    waiting = ~mask[:, first]
    np.testing.assert_array_equal(gates.h[waiting, first], start[waiting])


@pytest.mark.parametrize("reset", ["after", "before"])
def test_every_array_of_a_gru_is_what_gru_step_gives_at_that_step(sequence, reset):
    import keras

    (params,), ((h,),), _ = deep_model("gru", 1, 1)
    if reset == "before":
        params = {name: array for name, array in params.items() if name != "bh"}
    x = sequence[0]
    gates = trace_gru(params, x, h)
    assert isinstance(gates, GRUTrace) and all(array.shape == (N, T, H) for array in gates)
    layer = keras.layers.GRU(H, reset_after=reset == "after", dtype="float64")
    layer.build((N, T, D))
    layer.set_weights(list(convert(params, "here", "keras", cell="gru", reset=reset).values()))
    for other, array in zip(trace_gru(layer, x, h), gates, strict=True):
        np.testing.assert_array_equal(other, array)
    for t in range(T):
        h, step = gru_step(x[:, t], h, **params, reset=reset)
        for name, expected in {"r": step.r, "z": step.z, "n": step.n, "h": h}.items():
            np.testing.assert_allclose(getattr(gates, name)[:, t], expected, rtol=1e-12, atol=1e-14)


def test_memory_length_is_the_number_of_steps_that_halve_a_cell_state():
    """By running it: a cell with that forget gate, closed input gate, and c0 = 1."""
    wanted = np.array([1, 7, 69])
    f = 0.5 ** (1 / wanted)
    params = {
        "Wx": np.zeros((1, 12)),
        "Wh": np.zeros((3, 12)),
        "b": np.r_[[-50.0] * 3, np.log(f / (1 - f)), [0.0] * 6],
    }
    gates = trace(params, np.zeros((1, 70, 1)), c0=np.ones((1, 3)))
    np.testing.assert_allclose(gates.memory_length(), wanted, rtol=1e-12)
    np.testing.assert_allclose(gates.c[0, wanted - 1, range(3)], 0.5, rtol=1e-12)


def test_memory_length_takes_the_mean_over_valid_steps_and_knows_both_ends(params, sequence):
    mask = padding_mask(np.array([4, 6, 1]), T)
    gates = trace(params, *sequence, mask=mask)
    mean = np.array([gates.f[:, :, unit][mask].mean() for unit in range(H)])
    np.testing.assert_allclose(gates.memory_length(), np.log(2) / -np.log(mean), rtol=1e-12)
    # the order of the sequence inspector
    assert (np.argsort(gates.memory_length()) == np.argsort(mean)).all()
    f = np.tile(np.array([0, 1], np.float32), (2, 3, 1))
    lengths = GateTrace(f, f, f, f, f, f).memory_length()
    assert lengths.tolist() == [0, np.inf] and lengths.dtype == np.float64
    assert GRUTrace(1 - f, f, f, f).memory_length().tolist() == [0, np.inf]


# --- Whole models
# --------------------------------------------------------------------------------------------------


def tagger(kind="LSTM", pack=False, **options):
    """A PyTorch model: token numbers -> embedding -> recurrent layer -> scores."""
    import torch
    from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

    class Tagger(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.embed = torch.nn.Embedding(9, D)
            self.drop = torch.nn.Dropout(0.5)
            self.encoder = getattr(torch.nn, kind)(D, H, **options)
            self.out = torch.nn.Linear(H * (1 + self.encoder.bidirectional), 2)

        def forward(self, tokens, lengths=None):
            x = self.drop(self.embed(tokens))
            if not self.encoder.batch_first:
                x = x.transpose(0, 1)
            if pack:
                x = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
            h, last = self.encoder(x)
            self.last = last
            h = pad_packed_sequence(h, batch_first=True)[0] if pack else h
            return self.out(h)

    torch.manual_seed(0)
    return Tagger()


@pytest.mark.parametrize("batch_first", [True, False])
def test_a_whole_torch_model_is_run_once_and_stays_as_it_was(batch_first):
    import torch

    model = tagger(batch_first=batch_first).double()
    model.drop.eval()  # one part in evaluation, the others in training: both are put back
    tokens = np.array([[1, 2, 3, 4], [5, 6, 7, 8]])
    modes = [module.training for module in model.modules()]
    gates = trace(model, tokens)
    assert (
        [module.training for module in model.modules()] == modes
        and True in modes
        and False in modes
    )
    assert (
        all(parameter.grad is None for parameter in model.parameters())
        and not model.encoder._forward_pre_hooks
    )
    x = model.embed(torch.from_numpy(tokens)).detach()  # without dropout
    for got, right in zip(
        gates, trace(model.encoder, x if batch_first else x.transpose(0, 1)), strict=True
    ):
        np.testing.assert_array_equal(got, right)


def test_packed_sequences_of_a_whole_torch_model_become_a_mask():
    import torch

    model = tagger("GRU", pack=True, batch_first=True, bidirectional=True)
    tokens, lengths = torch.tensor([[1, 2, 0, 0], [5, 6, 7, 8]]), torch.tensor([2, 4])
    gates = trace_gru(model, (tokens, lengths), direction="reverse")
    np.testing.assert_allclose(gates.h[:, 0], model.last[1].detach(), rtol=0, atol=1e-6)
    assert np.isnan(gates.z[0, 2:]).all() and gates.example(0).z.shape == (1, 2, H)


@pytest.mark.parametrize("functional", [True, False])
def test_a_whole_keras_model_is_run_once_with_its_masks_and_stays_as_it_was(functional):
    import keras

    layers = [
        keras.layers.Embedding(9, D, mask_zero=True),
        keras.layers.Dropout(0.5),
        keras.layers.Bidirectional(keras.layers.LSTM(H, return_sequences=True), name="memory"),
        keras.layers.Dense(1),
    ]
    tokens = np.array([[1, 2, 0, 0], [5, 6, 7, 8]])
    model = keras.Sequential(layers)
    if functional:
        inputs = keras.Input((4,), dtype="int64")
        model = keras.Model(inputs, model(inputs))  # one model in another
    before = np.asarray(model(tokens, training=False))
    for direction in ("forward", "reverse"):
        gates = trace(model, tokens, direction=direction)
        right = trace(layers[2], layers[0](tokens), mask=tokens > 0, direction=direction)
        assert all(np.array_equal(a, b, equal_nan=True) for a, b in zip(gates, right, strict=True))
        assert np.isnan(gates.f[0, 2:]).all()
    assert "call" not in vars(layers[2])
    np.testing.assert_array_equal(np.asarray(model(tokens, training=False)), before)


@pytest.mark.parametrize("by_name", [True, False])
def test_a_decoder_inside_a_keras_model_starts_from_the_state_that_it_is_given(by_name):
    import keras

    encoder = keras.layers.LSTM(H, return_state=True, name="encoder")
    decoder = keras.layers.LSTM(H, return_sequences=True, name="decoder")
    source, target = keras.Input((T, D)), keras.Input((T, D))
    _, h0, c0 = encoder(source)
    out = decoder(target, initial_state=[h0, c0]) if by_name else decoder(target, [h0, c0])
    model = keras.Model([source, target], out)
    x = np.random.default_rng(0).normal(size=(2, N, T, D)).astype(np.float32)
    gates = trace(model, list(x), name="decoder")
    np.testing.assert_allclose(gates.h, model(list(x)), rtol=0, atol=1e-6)


def test_one_sequence_without_a_batch_and_a_state_by_name_inside_a_torch_model():
    import torch

    class Reader(torch.nn.Module):
        def __init__(self, batch_first):
            super().__init__()
            self.lstm = torch.nn.LSTM(D, H, batch_first=batch_first)

        def forward(self, x, scale):
            state = torch.ones(1, H) * scale
            return self.lstm(input=x, hx=(state, state))[0]

    x = np.random.default_rng(0).normal(size=(T, D))
    for batch_first in (True, False):
        model = Reader(batch_first)
        gates = trace(model, (x, 0.5))  # what is no array is handed on
        right = model(torch.tensor(x, dtype=torch.float32), 0.5).detach()
        np.testing.assert_allclose(gates.h[0], right, rtol=0, atol=1e-6)


def test_a_keras_model_on_another_backend_is_read_without_tensorflow():
    code = """
import os, sys
os.environ["KERAS_BACKEND"] = "torch"
sys.modules["tensorflow"] = None  # an import of it fails
import keras, numpy as np
from lstm_ref.inspect import trace
layer = keras.layers.LSTM(4, return_sequences=True, return_state=True, dtype="float64")
x = np.random.default_rng(0).normal(size=(2, 5, 3))
h, _, cT = layer(x)
gates = trace(layer, keras.ops.convert_to_tensor(x))
assert abs(gates.h - keras.ops.convert_to_numpy(h)).max() < 1e-12
assert abs(gates.c[:, -1] - keras.ops.convert_to_numpy(cT)).max() < 1e-12
model = keras.Sequential([keras.layers.Embedding(9, 3), keras.layers.LSTM(4)])
assert trace(model, np.array([[1, 2, 3]])).f.shape == (1, 3, 4)
print(keras.backend.backend())
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert run.stdout == "torch\n"


def test_a_model_that_cannot_be_traced_is_refused_by_what_was_found(params):
    import keras
    import torch

    x = np.zeros((N, T, D))
    two = torch.nn.ModuleDict({"encoder": torch.nn.LSTM(D, H), "decoder": torch.nn.LSTM(D, H)})
    again = tagger()
    again.forward = lambda tokens: [again.encoder(torch.zeros(1, 1, D)) for _ in range(3)]
    fresh = keras.layers.LSTM(H, name="fresh")
    double = keras.Sequential(
        [
            keras.layers.LSTM(H, return_sequences=True, name="lower"),
            keras.layers.LSTM(H, name="upper"),
        ]
    )
    for model, message in [
        (torch.nn.LSTM(D, H, proj_size=2), "must have no projection and tanh, got proj_size=2"),
        (
            two,
            (
                r"name must say which torch\.nn\.LSTM of ModuleDict is meant, one of encoder, "
                r"decoder, got None"
            ),
        ),
        (
            again,
            (
                "the model must call its torch.nn.LSTM once, it called it 3 times; pass the layer "
                "itself"
            ),
        ),
        (torch.nn.GRU(D, H), "model must be of the kind 'lstm', got 'gru'; use trace_gru"),
        (torch.nn.RNN(D, H), "got 'rnn'; a plain layer has no gates"),
        (
            torch.nn.Linear(D, H),
            r"model must be or hold a torch\.nn\.LSTM, got Linear, with none in it; .* give a dict",
        ),
        (
            keras.layers.LSTM(H, activation="relu"),
            "got activation=relu; that is another recurrence",
        ),
        (keras.layers.LSTM(H, go_backwards=True), "got go_backwards=True"),
        (fresh, "'fresh' has no weights yet; call the model on some input first"),
        (
            keras.layers.Dense(H),
            r"model must be or hold a keras\.layers\.LSTM, got Dense, with none in it",
        ),
        (
            keras.layers.Bidirectional(keras.layers.LSTM(H, activation="relu")),
            "got activation=relu",
        ),
        (
            double,
            (
                "name must say which keras.layers.LSTM of Sequential is meant, one of lower, "
                "upper, got None"
            ),
        ),
    ]:
        with pytest.raises(ArgumentError, match=message):
            trace(model, x)
    with pytest.raises(ArgumentError, match="name must say which .* got inner"):
        trace(double, x, name="inner")
    double(x)
    assert trace(double, x, name="upper").f.shape == (N, T, H)
    with pytest.raises(
        DTypeError,
        match=r"weight_ih_l0 must be float32 or float64, got torch\.float16; use \.float\(\)",
    ):
        trace(torch.nn.LSTM(D, H).half(), x)
    with pytest.raises(ArgumentError, match="mask and states come from the model itself"):
        trace(tagger(), np.ones((1, 2), int), mask=np.ones((1, 2), bool))
    with pytest.raises(ArgumentError, match="layer must be from 0 to 0, got 1"):
        trace(params, x, layer=1)
    with pytest.raises(
        ArgumentError, match="direction must be forward, the layer has no other, got 'reverse'"
    ):
        trace(params, x, direction="reverse")
    with pytest.raises(ArgumentError, match='direction must be "forward" or "reverse", got 1'):
        trace(params, x, direction=1)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (
            {"x": np.zeros((T, D))},
            ShapeError,
            r"trace: x must be \(N, T, D\), got \(6, 2\); a single example",
        ),
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
        (
            {"mask": np.ones((T, N), bool)},
            ShapeError,
            r"trace: mask must be \(N, T\) = \(3, 6\), got \(6, 3\)",
        ),
        (
            {"mask": np.ones((N, T))},
            DTypeError,
            "trace: mask must be an array of bool, True at valid steps, got float64",
        ),
        ({"model": [{"Wx": 1}]}, ArgumentError, "trace: a dict must hold Wx, Wh and b, got Wx"),
        (
            {"model": {"W": 1}},
            ArgumentError,
            "trace: a dict must hold Wx, Wh and b, got W; convert",
        ),
        (
            {"model": "lstm"},
            ArgumentError,
            "trace: model must be a dict of Wx, Wh and b, .*, got str",
        ),
    ],
)
def test_what_does_not_fit_is_named_with_what_was_expected(params, change, error, message):
    arguments = {"model": params, "x": np.zeros((N, T, D)), **change}
    with pytest.raises(error, match=message):
        trace(**arguments)

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from lstm_ref import (
    ArgumentError,
    DTypeError,
    NotFiniteError,
    ShapeError,
    gru_step,
    lstm_step,
    rnn_step,
)
from lstm_ref.frameworks.convert import (
    DIALECTS,
    GRU_AFTER_DIALECTS,
    GRU_BEFORE_DIALECTS,
    RNN_DIALECTS,
    convert,
    convert_model,
)

sizes = st.integers(1, 5)
N, D, H = 3, 4, 2


@pytest.fixture(scope="module")
def step(draw):
    """Arguments of lstm_step: x, h_prev, c_prev and a dict of weights."""

    def step(N=N, D=D, H=H, dtype=np.float64):
        layer = draw(N, 1, D, H, dtype=dtype)
        return (
            layer["x"][:, 0],
            layer["h0"],
            layer["c0"],
            {name: layer[name] for name in ("Wx", "Wh", "b")},
        )

    return step


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


# One step in each dialect's own words, as its documentation has it: the oracle for order and
# layout.


def pytorch_step(x, h, c, p):
    a = x @ p["weight_ih_l0"].T + p["bias_ih_l0"] + h @ p["weight_hh_l0"].T + p["bias_hh_l0"]
    H = h.shape[1]
    i, f, g, o = (
        sigmoid(a[:, :H]),
        sigmoid(a[:, H : 2 * H]),
        np.tanh(a[:, 2 * H : 3 * H]),
        sigmoid(a[:, 3 * H :]),
    )
    c = f * c + i * g
    return o * np.tanh(c), c


def keras_step(x, h, c, p):
    units = h.shape[1]
    z = x @ p["kernel"] + h @ p["recurrent_kernel"] + p["bias"]
    z0, z1, z2, z3 = (z[:, k * units : (k + 1) * units] for k in range(4))
    c = sigmoid(z1) * c + sigmoid(z0) * np.tanh(z2)
    return sigmoid(z3) * np.tanh(c), c


def onnx_step(X, H_prev, C_prev, p):
    # "W[iofc]", "R[iofc]" and "concatenation of [Wb[iofc], Rb[iofc]]", each with num_directions
    # first
    W, R, B = p["W"][0], p["R"][0], p["B"][0]
    hidden = H_prev.shape[1]
    Wi, Wo, Wf, Wc = (W[k * hidden : (k + 1) * hidden] for k in range(4))
    Ri, Ro, Rf, Rc = (R[k * hidden : (k + 1) * hidden] for k in range(4))
    Wbi, Wbo, Wbf, Wbc, Rbi, Rbo, Rbf, Rbc = (B[k * hidden : (k + 1) * hidden] for k in range(8))
    it = sigmoid(X @ Wi.T + H_prev @ Ri.T + Wbi + Rbi)
    ft = sigmoid(X @ Wf.T + H_prev @ Rf.T + Wbf + Rbf)
    ct = np.tanh(X @ Wc.T + H_prev @ Rc.T + Wbc + Rbc)
    Ct = ft * C_prev + it * ct
    ot = sigmoid(X @ Wo.T + H_prev @ Ro.T + Wbo + Rbo)
    return ot * np.tanh(Ct), Ct


def cs231n_step(x, prev_h, prev_c, p):
    H = prev_h.shape[1]
    a = x @ p["Wx"] + prev_h @ p["Wh"] + p["b"]
    i, f, o = sigmoid(a[:, 0:H]), sigmoid(a[:, H : 2 * H]), sigmoid(a[:, 2 * H : 3 * H])
    g = np.tanh(a[:, 3 * H : 4 * H])
    next_c = f * prev_c + i * g
    return o * np.tanh(next_c), next_c


def dlfs2_step(x, h_prev, c_prev, p):
    H = h_prev.shape[1]
    A = x @ p["Wx"] + h_prev @ p["Wh"] + p["b"]
    f, g = sigmoid(A[:, :H]), np.tanh(A[:, H : 2 * H])
    i, o = sigmoid(A[:, 2 * H : 3 * H]), sigmoid(A[:, 3 * H :])
    c_next = f * c_prev + g * i
    return o * np.tanh(c_next), c_next


def chainer_step(x, h, c, p):
    lstm_in = x @ p["upward.W"].T + p["upward.b"] + h @ p["lateral.W"].T
    a, i, f, o = lstm_in.reshape(len(x), h.shape[1], 4).transpose(2, 0, 1)  # unit by unit
    c_next = np.tanh(a) * sigmoid(i) + sigmoid(f) * c
    return sigmoid(o) * np.tanh(c_next), c_next


def coursera_step(x, h, c, p):
    xt, a_prev, c_prev = x.T, h.T, c.T  # columns are examples
    concat = np.concatenate((a_prev, xt), axis=0)
    ft = sigmoid(np.dot(p["Wf"], concat) + p["bf"])
    it = sigmoid(np.dot(p["Wi"], concat) + p["bi"])
    cct = np.tanh(np.dot(p["Wc"], concat) + p["bc"])
    c_next = ft * c_prev + it * cct
    ot = sigmoid(np.dot(p["Wo"], concat) + p["bo"])
    return (ot * np.tanh(c_next)).T, c_next.T


def seed_step(x, h, c, p):
    hs, cs = [], []
    for x_t, h_prev, C_prev in zip(x, h, c, strict=True):  # one example at a time
        hx = np.concatenate([h_prev, x_t])
        f_t = sigmoid(p["W_f"] @ hx + p["b_f"])
        i_t = sigmoid(p["W_i"] @ hx + p["b_i"])
        C_tilde = np.tanh(p["W_C"] @ hx + p["b_C"])
        C_t = f_t * C_prev + i_t * C_tilde
        o_t = sigmoid(p["W_o"] @ hx + p["b_o"])
        hs.append(o_t * np.tanh(C_t))
        cs.append(C_t)
    return np.stack(hs), np.stack(cs)


STEPS = {
    "here": lambda x, h, c, p: lstm_step(x, h, c, **p)[:2],
    "pytorch": pytorch_step,
    "keras": keras_step,
    "onnx": onnx_step,
    "cs231n": cs231n_step,
    "dlfs2": dlfs2_step,
    "chainer": chainer_step,
    "coursera": coursera_step,
    "seed": seed_step,
}


def test_every_dialect_has_its_own_step_here():
    assert set(STEPS) == set(DIALECTS)


@pytest.mark.parametrize("dialect", DIALECTS)
@given(N=sizes, D=sizes, H=sizes)
def test_step_in_the_words_of_the_dialect_gives_the_same_numbers(step, dialect, N, D, H):
    x, h_prev, c_prev, params = step(N, D, H)
    expected = lstm_step(x, h_prev, c_prev, **params)[:2]
    got = STEPS[dialect](x, h_prev, c_prev, convert(params, "here", dialect))
    for result, right in zip(got, expected, strict=True):
        np.testing.assert_allclose(result, right, rtol=0, atol=1e-14)


# --- GRU and plain RNN: the same for them
# ---------------------------------------------------------------------------------


def torch_gru(x, h, p):
    H = h.shape[1]
    gi, gh = x @ p["weight_ih_l0"].T + p["bias_ih_l0"], h @ p["weight_hh_l0"].T + p["bias_hh_l0"]
    r, z = sigmoid(gi[:, :H] + gh[:, :H]), sigmoid(gi[:, H : 2 * H] + gh[:, H : 2 * H])
    n = np.tanh(gi[:, 2 * H :] + r * gh[:, 2 * H :])
    return (1 - z) * n + z * h


def keras_gru_after(x, h, p):
    units = h.shape[1]
    matrix_x, matrix_inner = (
        x @ p["kernel"] + p["bias"][0],
        h @ p["recurrent_kernel"] + p["bias"][1],
    )
    z = sigmoid(matrix_x[:, :units] + matrix_inner[:, :units])
    r = sigmoid(matrix_x[:, units : 2 * units] + matrix_inner[:, units : 2 * units])
    hh = np.tanh(matrix_x[:, 2 * units :] + r * matrix_inner[:, 2 * units :])
    return z * h + (1 - z) * hh


def keras_gru_before(x, h, p):
    units = h.shape[1]
    matrix_x, U = x @ p["kernel"] + p["bias"], p["recurrent_kernel"]
    z = sigmoid(matrix_x[:, :units] + h @ U[:, :units])
    r = sigmoid(matrix_x[:, units : 2 * units] + h @ U[:, units : 2 * units])
    hh = np.tanh(matrix_x[:, 2 * units :] + (r * h) @ U[:, 2 * units :])
    return z * h + (1 - z) * hh


def onnx_gru(linear_before_reset):
    # "W[zrh]", "R[zrh]" and "concatenation of [Wb[zrh], Rb[zrh]]", each with num_directions first
    def step(X, H_prev, p):
        (Wz, Wr, Wh), (Rz, Rr, Rh) = np.split(p["W"][0], 3), np.split(p["R"][0], 3)
        Wbz, Wbr, Wbh, Rbz, Rbr, Rbh = np.split(p["B"][0], 6)
        zt = sigmoid(X @ Wz.T + H_prev @ Rz.T + Wbz + Rbz)
        rt = sigmoid(X @ Wr.T + H_prev @ Rr.T + Wbr + Rbr)
        if linear_before_reset:
            ht = np.tanh(X @ Wh.T + (rt * (H_prev @ Rh.T + Rbh)) + Wbh)
        else:
            ht = np.tanh(X @ Wh.T + (rt * H_prev) @ Rh.T + Rbh + Wbh)
        return (1 - zt) * ht + zt * H_prev

    return step


def here_gru(reset):
    return lambda x, h, p: gru_step(x, h, **p, reset=reset)[0]


OTHERS = {
    ("gru", "after"): {
        "here": here_gru("after"),
        "pytorch": torch_gru,
        "keras": keras_gru_after,
        "onnx": onnx_gru(1),
    },
    ("gru", "before"): {"here": here_gru("before"), "keras": keras_gru_before, "onnx": onnx_gru(0)},
    ("rnn", "after"): {
        "here": lambda x, h, p: rnn_step(x, h, **p)[0],
        "pytorch": lambda x, h, p: np.tanh(
            x @ p["weight_ih_l0"].T + p["bias_ih_l0"] + h @ p["weight_hh_l0"].T + p["bias_hh_l0"]
        ),
        "keras": lambda x, h, p: np.tanh(x @ p["kernel"] + p["bias"] + h @ p["recurrent_kernel"]),
        "onnx": lambda x, h, p: np.tanh(
            x @ p["W"][0].T + h @ p["R"][0].T + sum(np.split(p["B"][0], 2))
        ),
        "cs231n": lambda x, h, p: np.tanh(x @ p["Wx"] + h @ p["Wh"] + p["b"]),
    },
}
TABLES = {
    ("gru", "after"): GRU_AFTER_DIALECTS,
    ("gru", "before"): GRU_BEFORE_DIALECTS,
    ("rnn", "after"): RNN_DIALECTS,
}


def other_params(cell, reset, D, H, seed=0):
    rng, k = np.random.default_rng(seed), {"gru": 3, "rnn": 1}[cell]
    shapes = {"Wx": (D, k * H), "Wh": (H, k * H), "b": (k * H,)} | (
        {"bh": (H,)} if (cell, reset) == ("gru", "after") else {}
    )
    return {name: rng.normal(size=shape) for name, shape in shapes.items()}


@pytest.mark.parametrize(("cell", "reset"), OTHERS)
@given(N=sizes, D=sizes, H=sizes)
def test_step_of_a_gru_and_of_a_plain_layer_gives_the_same_numbers_in_every_dialect(
    cell, reset, N, D, H
):
    steps = OTHERS[cell, reset]
    assert set(steps) == set(TABLES[cell, reset])
    params, rng = other_params(cell, reset, D, H), np.random.default_rng(1)
    x, h = rng.normal(size=(N, D)), rng.normal(size=(N, H))
    expected = steps["here"](x, h, params)
    for dialect, step in steps.items():
        written = convert(params, "here", dialect, cell=cell, reset=reset)
        np.testing.assert_allclose(
            step(x, h, written), expected, rtol=0, atol=1e-14, err_msg=dialect
        )
        for (
            name,
            bias,
        ) in (
            written.items()
        ):  # both biases in use: reading may add them only where the sum is all that counts
            if "b" in name.lower() and dialect not in ("here", "cs231n"):
                written[name] = bias + rng.normal(size=bias.shape)
        read = convert(written, dialect, "here", cell=cell, reset=reset)
        np.testing.assert_allclose(
            steps["here"](x, h, read), step(x, h, written), rtol=0, atol=1e-14, err_msg=dialect
        )


# --- There and back
# --------------------------------------------------------------------------------------------------

# Any finite number, -0.0 and the smallest included, and so small that no sum of two overflows.
numbers = st.floats(-1e300, 1e300, allow_subnormal=True)
TABLE_OF = {("lstm", "after"): DIALECTS, **TABLES}


@st.composite
def models(draw_value, cell, reset):
    """A model as it is here: one to three layers, of one direction or two."""
    directions, k = draw_value(st.integers(1, 2)), {"lstm": 4, "gru": 3, "rnn": 1}[cell]
    D, layers = draw_value(sizes), []
    for _ in range(draw_value(st.integers(1, 3))):
        H = draw_value(sizes)
        shapes = {"Wx": (D, k * H), "Wh": (H, k * H), "b": (k * H,)}
        shapes |= {"bh": (H,)} if (cell, reset) == ("gru", "after") else {}
        layer = [
            {
                name: draw_value(arrays(float, shape, elements=numbers))
                for name, shape in shapes.items()
            }
        ]
        layer += (
            [{name: array[::-1].copy() for name, array in layer[0].items()}]
            if directions == 2
            else []
        )
        layers.append(layer if directions == 2 else layer[0])
        D = directions * H
    return layers


def bits(model):
    """All arrays of a model with their places, as bytes: -0.0 is not 0.0 here."""
    if isinstance(model, np.ndarray):
        return model.shape, model.dtype, model.tobytes()
    items = model.items() if isinstance(model, dict) else enumerate(model)
    return [(place, bits(part)) for place, part in items]


@pytest.mark.parametrize(("cell", "reset"), TABLE_OF)
@settings(max_examples=40)
@given(data=st.data())
def test_there_and_back_is_exact_to_the_bit_for_every_pair_of_dialects(cell, reset, data):
    model, options = data.draw(models(cell, reset)), {"cell": cell, "reset": reset}
    table = TABLE_OF[cell, reset]
    first = data.draw(st.sampled_from(list(table)))
    start = convert_model(model, "here", first, **options)
    for second in table:
        there = convert_model(start, first, second, **options)
        assert bits(convert_model(there, second, first, **options)) == bits(start)
        assert bits(convert_model(there, second, "here", **options)) == bits(model)
    if isinstance(model[0], dict):  # one layer of one direction: the dict of convert
        assert bits(convert(model[0], "here", first, **options)) == bits(
            convert(convert(model[0], "here", second, **options), second, first, **options)
        )


@pytest.mark.parametrize("dialect", ["pytorch", "onnx"])
def test_two_biases_are_read_as_their_sum(step, dialect):
    _, _, _, params = step()
    written = convert(params, "here", dialect)
    rng = np.random.default_rng(0)
    if dialect == "onnx":
        written["B"] = rng.normal(size=(1, 8 * H))
    else:
        written |= {name: rng.normal(size=4 * H) for name in ("bias_ih_l0", "bias_hh_l0")}
    x, h_prev, c_prev, _ = step()
    expected = STEPS[dialect](x, h_prev, c_prev, written)
    got = lstm_step(x, h_prev, c_prev, **convert(written, dialect, "here"))[:2]
    for result, right in zip(got, expected, strict=True):
        np.testing.assert_allclose(result, right, rtol=0, atol=1e-14)


def test_second_bias_is_written_as_zeros(step):
    _, _, _, params = step()
    assert not convert(params, "here", "pytorch")["bias_hh_l0"].any()
    np.testing.assert_array_equal(convert(params, "here", "pytorch")["bias_ih_l0"], params["b"])
    assert not convert(params, "here", "onnx")["B"][0, 4 * H :].any()


@pytest.mark.parametrize("dialect", DIALECTS)
# with sizes of 1, a transposed view looks like a copy
@pytest.mark.parametrize(("D", "H"), [(4, 2), (1, 1)])
def test_float32_stays_float32_and_nothing_is_shared_or_changed(step, dialect, D, H):
    _, _, _, params = step(D=D, H=H, dtype=np.float32)
    for array in params.values():
        array.flags.writeable = False
    written = convert(params, "here", dialect)
    read = convert(written, dialect, "here")
    for result, source in ((written, params), (read, written)):
        for array in result.values():
            assert array.dtype == np.float32 and array.flags.c_contiguous
            assert not any(np.shares_memory(array, other) for other in source.values())


@pytest.mark.parametrize("dialect", DIALECTS)
def test_list_is_taken_in_the_order_of_the_table(step, dialect):
    _, _, _, params = step()
    written = convert(params, "here", dialect)
    for name, array in convert(list(written.values()), dialect, "here").items():
        np.testing.assert_array_equal(array, params[name])


def shapes_of(weights):
    return [(name, tuple(array.shape)) for name, array in weights.items()]


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
def test_names_and_order_are_those_that_the_frameworks_use(step, cell):
    import keras
    import torch

    params = step()[3] if cell == "lstm" else other_params(cell, "after", D, H)
    upper = step(D=2 * H)[3] if cell == "lstm" else other_params(cell, "after", 2 * H, H)
    model = [[params, params], [upper, upper]]
    modules = {"lstm": torch.nn.LSTM, "gru": torch.nn.GRU, "rnn": torch.nn.RNN}
    module = modules[cell](D, H, num_layers=2, bidirectional=True)
    assert shapes_of(convert_model(model, "here", "pytorch", cell=cell)) == shapes_of(
        module.state_dict()
    )
    layers = {"lstm": keras.layers.LSTM, "gru": keras.layers.GRU, "rnn": keras.layers.SimpleRNN}
    layer = layers[cell](H)
    layer.build((None, None, D))
    assert [(w.name, tuple(w.shape)) for w in layer.weights] == shapes_of(
        convert(params, "here", "keras", cell=cell)
    )
    both = keras.layers.Bidirectional(layers[cell](H))
    both.build((None, None, D))
    both.set_weights(convert_model(model, "here", "keras", cell=cell)[0])


def deep(dialect, change):
    """Two bidirectional layers of 2 units over 4 inputs in a dialect, with something changed."""
    rng = np.random.default_rng(0)

    def layer(D):
        shapes = {"Wx": (D, 4 * H), "Wh": (H, 4 * H), "b": (4 * H,)}
        return [{name: rng.normal(size=shape) for name, shape in shapes.items()} for _ in range(2)]

    model = convert_model([layer(D), layer(2 * H)], "here", dialect)
    change(model)
    return model


@pytest.mark.parametrize(
    ("dialect", "change", "target", "error", "message"),
    [
        (
            "pytorch",
            lambda m: m.pop("weight_hh_l1_reverse"),
            "here",
            ArgumentError,
            "convert_model: layer 1, reverse from pytorch: params must have the names "
            "weight_ih_l0, weight_hh_l0, bias_ih_l0, bias_hh_l0; missing: weight_hh_l0",
        ),
        (
            "pytorch",
            lambda m: [m.pop(name) for name in list(m) if "_l0" in name],
            "here",
            ArgumentError,
            (
                "convert_model from pytorch: layers must be counted from 0 without a gap, _l0 is "
                "missing"
            ),
        ),
        (
            "pytorch",
            lambda m: m.update(weight_hr_l0=np.zeros((1, 2))),
            "here",
            ArgumentError,
            "convert_model from pytorch: names must be those of a recurrent layer without "
            "projection, such as weight_ih_l0 or bias_hh_l1_reverse, got 'weight_hr_l0'; give the "
            "state_dict of that layer alone",
        ),
        (
            "keras",
            lambda m: m[1].pop(),
            "here",
            ArgumentError,
            "convert_model from keras: layer 1 must be a list of 3 arrays, kernel, "
            "recurrent_kernel, bias, or of 6 of a Bidirectional, got 5; for a layer without bias, "
            "add zeros",
        ),
        (
            "onnx",
            lambda m: m[0].update(B=m[0]["B"][:1]),
            "here",
            ShapeError,
            "convert_model from onnx: the first axis of all arrays of layer 0 must be the "
            "directions, 1 or 2, got W (2, 8, 4), R (2, 8, 2), B (1, 16)",
        ),
        (
            "here",
            lambda m: m[1][1].update(Wx=np.zeros((2, 8))),
            "onnx",
            ShapeError,
            "convert_model: layer 1, reverse must read D = 4, got 2; from the second layer on, D "
            "is the H of the layer below, or 2H where that has two directions",
        ),
        (
            "here",
            lambda m: m[1].pop(),
            "pytorch",
            ArgumentError,
            (
                "convert_model: all layers of a PyTorch module have as many directions, got [2, "
                "1]; make one module of each"
            ),
        ),
        (
            "here",
            lambda m: m.clear(),
            "keras",
            ArgumentError,
            "convert_model: every layer must have 1 or 2 directions, got no layer",
        ),
    ],
)
def test_what_does_not_fit_in_a_model_is_named_by_its_layer(
    dialect, change, target, error, message
):
    with pytest.raises(error) as caught:
        convert_model(deep(dialect, change), dialect, target)
    assert str(caught.value) == message


def test_a_cell_that_a_dialect_does_not_have_is_named():
    params = other_params("gru", "before", D, H)
    with pytest.raises(
        ArgumentError,
        match=(
            '^convert: target must be one of here, keras, onnx for a GRU with reset="before", '
            "got 'pytorch'$"
        ),
    ):
        convert(params, "here", "pytorch", cell="gru", reset="before")
    with pytest.raises(
        ArgumentError, match="target must be one of here, .*, cs231n for a plain RNN, got 'seed'"
    ):
        convert(other_params("rnn", "after", D, H), "here", "seed", cell="rnn")
    with pytest.raises(
        ArgumentError, match="^convert_model: model must be a dict or a list, .* got LSTM"
    ):
        convert_model(type("LSTM", (), {})(), "pytorch", "here")
    with pytest.raises(ArgumentError, match='cell must be "lstm", "gru" or "rnn", got \'GRU\''):
        convert(params, "here", "keras", cell="GRU")
    with pytest.raises(ArgumentError, match='reset must be "after" or "before", got True'):
        convert(params, "here", "keras", cell="gru", reset=True)


def bad(dialect, name, value):
    """Right weights of a dialect with one array replaced, or left out where the value is None."""
    rng = np.random.default_rng(0)
    here = {
        "Wx": rng.normal(size=(D, 4 * H)),
        "Wh": rng.normal(size=(H, 4 * H)),
        "b": rng.normal(size=4 * H),
    }
    written = convert(here, "here", dialect)
    if value is None:
        del written[name]
        return written
    return written | {name: value}


@pytest.mark.parametrize(
    ("params", "source", "target", "error", "message"),
    [
        (
            {},
            "tensorflow",
            "here",
            ArgumentError,
            (
                "convert: source must be one of here, pytorch, keras, onnx, cs231n, dlfs2, "
                "chainer, coursera, seed, got 'tensorflow'"
            ),
        ),
        (
            {},
            "here",
            "jax",
            ArgumentError,
            (
                "convert: target must be one of here, pytorch, keras, onnx, cs231n, dlfs2, "
                "chainer, coursera, seed, got 'jax'"
            ),
        ),
        (
            bad("pytorch", "bias_hh_l0", None),
            "pytorch",
            "here",
            ArgumentError,
            "convert from pytorch: params must have the names weight_ih_l0, weight_hh_l0, "
            "bias_ih_l0, bias_hh_l0; missing: bias_hh_l0",
        ),
        (
            bad("pytorch", "weight_ih_l1", np.zeros((8, 2))),
            "pytorch",
            "here",
            ArgumentError,
            "convert from pytorch: params must be one layer of one direction, weight_ih_l0, "
            "weight_hh_l0, bias_ih_l0, bias_hh_l0, got weight_ih_l1 as well; use convert_model "
            "for several layers or two directions",
        ),
        (
            {name: np.zeros((4 * H, H)) for name in ("weight_ih_l0", "weight_hh_l0")},
            "pytorch",
            "here",
            ArgumentError,
            "convert from pytorch: params must have the names weight_ih_l0, weight_hh_l0, "
            "bias_ih_l0, bias_hh_l0; missing: bias_ih_l0, bias_hh_l0; for a layer without bias, "
            "add zeros",
        ),
        (
            [np.zeros((D, 4 * H)), np.zeros((H, 4 * H))],
            "keras",
            "here",
            ArgumentError,
            (
                "convert: params must hold 3 arrays, kernel, recurrent_kernel, bias, got 2; for a "
                "layer without bias, add zeros"
            ),
        ),
        (
            bad("pytorch", "weight_hh_l0", np.zeros((H, 4 * H))),
            "pytorch",
            "keras",
            ShapeError,
            (
                "convert from pytorch: weight_hh_l0 must be (4H, H) = (8, 2), got (2, 8); did you "
                "pass weight_hh_l0.T?"
            ),
        ),
        (
            bad("onnx", "W", np.zeros((2, 4 * H, D))),
            "onnx",
            "here",
            ShapeError,
            "convert from onnx: W must be (1, 4H, D) = (1, 8, any), got (2, 8, 4)",
        ),
        (
            bad("coursera", "bf", np.zeros(H)),
            "coursera",
            "here",
            ShapeError,
            (
                "convert from coursera: bf must be (H, 1) = (2, 1), got (2,); it has 1 axes "
                "instead of 2"
            ),
        ),
        (
            bad("seed", "W_C", np.zeros((H, H))),
            "seed",
            "here",
            ShapeError,
            "convert from seed: W_C must be (H, H+D) = (2, 6), got (2, 2)",
        ),
        (
            {
                name: np.zeros((H, 1)) if name[0] == "W" else np.zeros(H)
                for name in DIALECTS["seed"].shapes
            },
            "seed",
            "here",
            ShapeError,
            (
                "convert: weights must be (H, H+D) with D at least 1, got (2, 1); there is no part "
                "for x"
            ),
        ),
        (
            {
                name: np.zeros((H, H)) if name[0] == "W" else np.zeros(H)
                for name in DIALECTS["seed"].shapes
            },
            "seed",
            "here",
            ShapeError,
            (
                "convert: weights must be (H, H+D) with D at least 1, got (2, 2); there is no part "
                "for x"
            ),
        ),
        (
            bad("keras", "bias", np.full(4 * H, np.nan)),
            "keras",
            "here",
            NotFiniteError,
            (
                "convert from keras: bias must be finite, got nan at index (0,); look at the step "
                "that made it"
            ),
        ),
        (
            bad("cs231n", "b", np.zeros(4 * H, np.float32)),
            "cs231n",
            "here",
            DTypeError,
            "convert from cs231n: all arrays must have one dtype, got Wx float64, Wh float64, b "
            "float32; use .astype to bring them together",
        ),
    ],
)
def test_what_does_not_fit_is_named(params, source, target, error, message):
    with pytest.raises(error) as caught:
        convert(params, source, target)
    assert str(caught.value) == message


def test_a_state_dict_is_taken_as_it_is():
    torch = pytest.importorskip("torch")
    module = torch.nn.LSTM(D, H, num_layers=2, bidirectional=True, dtype=torch.float64)
    arrays = {name: tensor.numpy() for name, tensor in module.state_dict().items()}
    for state in (module.state_dict(), dict(module.named_parameters())):
        assert bits(convert_model(state, "pytorch", "here")) == bits(
            convert_model(arrays, "pytorch", "here")
        )
    one = torch.nn.LSTM(D, H).state_dict()
    np.testing.assert_array_equal(
        convert(one, "pytorch", "here")["Wx"], one["weight_ih_l0"].numpy().T
    )


def test_new_arrays_are_no_views_of_a_state_dict():
    torch = pytest.importorskip("torch")
    module = torch.nn.LSTM(D, H)
    here = convert(module.state_dict(), "pytorch", "here")
    before = here["Wx"].copy()
    with torch.no_grad():
        module.weight_ih_l0.zero_()
    np.testing.assert_array_equal(here["Wx"], before)

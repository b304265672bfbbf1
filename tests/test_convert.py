import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lstm_ref import ArgumentError, DTypeError, NotFiniteError, ShapeError, convert, lstm_step
from lstm_ref.convert import DIALECTS

sizes = st.integers(1, 5)
N, D, H = 3, 4, 2


@pytest.fixture(scope="module")
def step(draw):
    """Arguments of lstm_step: x, h_prev, c_prev and a dict of weights."""

    def step(N=N, D=D, H=H, dtype=np.float64):
        layer = draw(N, 1, D, H, dtype=dtype)
        return layer["x"][:, 0], layer["h0"], layer["c0"], {name: layer[name] for name in ("Wx", "Wh", "b")}

    return step


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


# One step in each dialect's own words, as its documentation has it: the oracle for order and layout.


def pytorch_step(x, h, c, p):
    a = x @ p["weight_ih_l0"].T + p["bias_ih_l0"] + h @ p["weight_hh_l0"].T + p["bias_hh_l0"]
    H = h.shape[1]
    i, f, g, o = sigmoid(a[:, :H]), sigmoid(a[:, H : 2 * H]), np.tanh(a[:, 2 * H : 3 * H]), sigmoid(a[:, 3 * H :])
    c = f * c + i * g
    return o * np.tanh(c), c


def keras_step(x, h, c, p):
    units = h.shape[1]
    z = x @ p["kernel"] + h @ p["recurrent_kernel"] + p["bias"]
    z0, z1, z2, z3 = (z[:, k * units : (k + 1) * units] for k in range(4))
    c = sigmoid(z1) * c + sigmoid(z0) * np.tanh(z2)
    return sigmoid(z3) * np.tanh(c), c


def onnx_step(X, H_prev, C_prev, p):
    # "W[iofc]", "R[iofc]" and "concatenation of [Wb[iofc], Rb[iofc]]", each with num_directions first
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


@pytest.mark.parametrize(("first", "second"), list(itertools.product(DIALECTS, repeat=2)))
def test_there_and_back_is_exact(step, first, second):
    _, _, _, params = step()
    start = convert(params, "here", first)
    there = convert(start, first, second)
    back = convert(there, second, first)
    assert list(back) == list(start)
    for name, array in start.items():
        np.testing.assert_array_equal(back[name], array)
    for name, array in convert(there, second, "here").items():
        np.testing.assert_array_equal(array, params[name])


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
@pytest.mark.parametrize(("D", "H"), [(4, 2), (1, 1)])  # with sizes of 1, a transposed view looks like a copy
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


def test_names_are_those_that_the_frameworks_use(step):
    import keras
    import torch

    _, _, _, params = step()
    lstm = torch.nn.LSTM(D, H)
    assert {name: tuple(p.shape) for name, p in lstm.named_parameters()} == {
        name: array.shape for name, array in convert(params, "here", "pytorch").items()
    }
    layer = keras.layers.LSTM(H)
    layer.build((None, None, D))
    assert [(w.name, tuple(w.shape)) for w in layer.weights] == [
        (name, array.shape) for name, array in convert(params, "here", "keras").items()
    ]


def bad(dialect, name, value):
    """Right weights of a dialect with one array replaced, or left out where the value is None."""
    rng = np.random.default_rng(0)
    here = {"Wx": rng.normal(size=(D, 4 * H)), "Wh": rng.normal(size=(H, 4 * H)), "b": rng.normal(size=4 * H)}
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
            "convert: source must be one of here, pytorch, keras, onnx, cs231n, coursera, seed, got 'tensorflow'",
        ),
        (
            {},
            "here",
            "jax",
            ArgumentError,
            "convert: target must be one of here, pytorch, keras, onnx, cs231n, coursera, seed, got 'jax'",
        ),
        (
            bad("pytorch", "bias_hh_l0", None),
            "pytorch",
            "here",
            ArgumentError,
            "convert from pytorch: params must have the names weight_ih_l0, weight_hh_l0, bias_ih_l0, bias_hh_l0; "
            "missing: bias_hh_l0",
        ),
        (
            bad("pytorch", "weight_ih_l1", np.zeros((8, 2))),
            "pytorch",
            "here",
            ArgumentError,
            "convert from pytorch: params must have the names weight_ih_l0, weight_hh_l0, bias_ih_l0, bias_hh_l0; "
            "too many: weight_ih_l1",
        ),
        (
            [np.zeros((D, 4 * H)), np.zeros((H, 4 * H))],
            "keras",
            "here",
            ArgumentError,
            "convert: params must hold 3 arrays, kernel, recurrent_kernel, bias, got 2; for a layer without bias, add zeros",
        ),
        (
            bad("pytorch", "weight_hh_l0", np.zeros((H, 4 * H))),
            "pytorch",
            "keras",
            ShapeError,
            "convert from pytorch: weight_hh_l0 must be (4H, H) = (8, 2), got (2, 8); did you pass weight_hh_l0.T?",
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
            "convert from coursera: bf must be (H, 1) = (2, 1), got (2,); it has 1 axes instead of 2",
        ),
        (
            bad("seed", "W_C", np.zeros((H, H))),
            "seed",
            "here",
            ShapeError,
            "convert from seed: W_C must be (H, H+D) = (2, 6), got (2, 2)",
        ),
        (
            {name: np.zeros((H, 1)) if name[0] == "W" else np.zeros(H) for name in DIALECTS["seed"].shapes},
            "seed",
            "here",
            ShapeError,
            "convert: weights must be (H, H+D) with D at least 1, got (2, 1); there is no part for x",
        ),
        (
            {name: np.zeros((H, H)) if name[0] == "W" else np.zeros(H) for name in DIALECTS["seed"].shapes},
            "seed",
            "here",
            ShapeError,
            "convert: weights must be (H, H+D) with D at least 1, got (2, 2); there is no part for x",
        ),
        (
            bad("keras", "bias", np.full(4 * H, np.nan)),
            "keras",
            "here",
            NotFiniteError,
            "convert from keras: bias must be finite, got nan at index (0,); look at the step that made it",
        ),
        (
            bad("cs231n", "b", np.zeros(4 * H, np.float32)),
            "cs231n",
            "here",
            DTypeError,
            "convert from cs231n: all arrays must have one dtype, got Wx float64, Wh float64, b float32; "
            "use .astype to bring them together",
        ),
    ],
)
def test_what_does_not_fit_is_named(params, source, target, error, message):
    with pytest.raises(error) as caught:
        convert(params, source, target)
    assert str(caught.value) == message

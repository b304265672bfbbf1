import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lstm_ref import (
    ArgumentError,
    DTypeError,
    NotFiniteError,
    ShapeError,
    StepCache,
    check_gradients,
    lstm_step,
    lstm_step_backward,
    sigmoid,
)

NAMES = ("x", "h_prev", "c_prev", "Wx", "Wh", "b")
sizes = st.integers(1, 5)


@pytest.fixture(scope="module")
def draw_step(draw):
    """Arguments of lstm_step by name, and gradients dh, dc for its results."""

    def draw_step(N=3, D=4, H=2, seed=0, dtype=np.float64):
        layer = draw(N, 1, D, H, seed, dtype=dtype)
        arguments = dict(zip(NAMES, [layer["x"][:, 0], *list(layer.values())[1:]], strict=True))
        rng = np.random.default_rng(seed + 1)
        return (
            arguments,
            rng.normal(size=(N, H)).astype(dtype),
            rng.normal(size=(N, H)).astype(dtype),
        )

    return draw_step


def one_unit(x, h_prev, c_prev, Wx, Wh, b, n, k):
    """h and c of unit k in example n, by the equations, in plain Python numbers."""
    H = len(Wh)

    def a(gate):
        column = gate * H + k
        return (
            sum(x[n][d] * Wx[d][column] for d in range(len(Wx)))
            + sum(h_prev[n][j] * Wh[j][column] for j in range(H))
            + b[column]
        )

    i, f, o = (1 / (1 + math.exp(-a(gate))) for gate in (0, 1, 3))
    c = f * c_prev[n][k] + i * math.tanh(a(2))
    return o * math.tanh(c), c


@given(N=sizes, D=sizes, H=sizes)
def test_step_is_the_six_equations(draw_step, N, D, H):
    arguments, _, _ = draw_step(N, D, H)
    h, c, _ = lstm_step(**arguments)
    plain = [array.tolist() for array in arguments.values()]
    for n in range(N):
        for k in range(H):
            assert (h[n, k], c[n, k]) == pytest.approx(one_unit(*plain, n, k), rel=1e-13, abs=1e-15)


@given(N=sizes, D=sizes, H=sizes, seed=st.integers(0, 100))
def test_step_backward_is_the_derivative_for_every_argument(draw_step, N, D, H, seed):
    arguments, dh, dc = draw_step(N, D, H, seed)

    def loss(params):
        h, c, _ = lstm_step(**params)
        return np.sum(h * dh) + np.sum(c * dc)

    _, _, cache = lstm_step(**arguments)
    grads = dict(zip(NAMES, lstm_step_backward(dh, dc, cache), strict=True))
    check_gradients(loss, arguments, grads)


def test_gradient_of_the_cell_state_alone_arrives(draw_step):
    arguments, dh, dc = draw_step()
    _, _, cache = lstm_step(**arguments)
    grads = lstm_step_backward(np.zeros_like(dh), dc, cache)
    np.testing.assert_allclose(grads.dc_prev, dc * cache.f, rtol=1e-15)
    assert np.all(grads.db[-2:] == 0)  # the output gate is not on that path
    assert np.all(grads.db[:-2] != 0)


def test_plain_tuple_will_do_as_cache(draw_step):
    arguments, dh, dc = draw_step()
    _, _, cache = lstm_step(**arguments)
    for got, expected in zip(
        lstm_step_backward(dh, dc, tuple(cache)), lstm_step_backward(dh, dc, cache), strict=True
    ):
        np.testing.assert_array_equal(got, expected)


def test_float32_stays_float32_and_is_right_to_its_precision(draw_step):
    small, large = draw_step(dtype=np.float32), draw_step()
    h, c, cache = lstm_step(**small[0])
    grads = lstm_step_backward(*small[1:], cache)
    assert {array.dtype for array in (h, c, *cache, *grads)} == {np.dtype(np.float32)}
    h64, c64, cache64 = lstm_step(**large[0])
    for got, expected in zip(
        (h, c, *grads), (h64, c64, *lstm_step_backward(*large[1:], cache64)), strict=True
    ):
        np.testing.assert_allclose(got, expected, rtol=0, atol=1e-6 * np.abs(expected).max())


def test_arguments_are_never_changed(draw_step):
    arguments, dh, dc = draw_step()
    for array in (*arguments.values(), dh, dc):
        array.flags.writeable = False  # so that NumPy itself raises
    _, _, cache = lstm_step(**arguments)
    for array in cache:
        array.flags.writeable = False
    lstm_step_backward(dh, dc, cache)


def test_cache_owns_all_but_the_weights(draw_step):
    arguments, dh, dc = draw_step()
    h, c, cache = lstm_step(**arguments)
    expected = lstm_step_backward(dh, dc, cache)
    for array in (h, c, arguments["x"], arguments["h_prev"], arguments["c_prev"], arguments["b"]):
        array[:] = 99  # buffers, used again for the next step
    for got, right in zip(lstm_step_backward(dh, dc, cache), expected, strict=True):
        np.testing.assert_array_equal(got, right)
    assert cache.Wx is arguments["Wx"] and cache.Wh is arguments["Wh"]


def test_gradients_share_no_memory_with_arguments_or_cache(draw_step):
    arguments, dh, dc = draw_step(N=1, D=1, H=1)
    _, _, cache = lstm_step(**arguments)
    for grad in lstm_step_backward(dh, dc, cache):
        assert not any(
            np.shares_memory(grad, other) for other in (dh, dc, *cache, *arguments.values())
        )


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("sign", [-1, 1])
def test_pre_activations_of_1000_do_not_overflow(draw_step, sign, dtype):
    arguments, dh, dc = draw_step(dtype=dtype)
    arguments["b"] = np.full_like(arguments["b"], sign * 1000)
    h, c, cache = lstm_step(**arguments)
    # Gates are shut or open to the last bit, and shut or open gates have no slope.
    open_or_shut = 1.0 if sign > 0 else 0.0
    assert all((gate == open_or_shut).all() for gate in (cache.i, cache.f, cache.o))
    np.testing.assert_array_equal(c, arguments["c_prev"] + 1 if sign > 0 else np.zeros_like(c))
    grads = lstm_step_backward(dh, dc, cache)
    assert all(np.isfinite(grad).all() for grad in grads)
    assert not grads.dWx.any() and not grads.db.any()


def test_sigmoid_agrees_with_its_definition():
    a = np.linspace(-30, 30, 61)
    np.testing.assert_allclose(
        sigmoid(a), 1 / (1 + np.exp(-a)), rtol=0, atol=4e-16
    )  # two units in the last place, beside 1


@pytest.mark.parametrize(
    ("name", "shape", "message"),
    [
        ("x", (3, 5), "Wx must be (D, 4H) = (5, 8), got (4, 8)"),
        ("x", (4,), "x must be (N, D) = (3, 4), got (4,); it has 1 axes instead of 2"),
        ("h_prev", (2, 3), "h_prev must be (N, H) = (3, 2), got (2, 3); did you pass h_prev.T?"),
        ("c_prev", (1, 2), "c_prev must be (N, H) = (3, 2), got (1, 2)"),
        ("Wx", (8, 4), "Wx must be (D, 4H) = (4, 8), got (8, 4); did you pass Wx.T?"),
        ("Wh", (8, 2), "Wh must be (H, 4H) = (2, 8), got (8, 2); did you pass Wh.T?"),
        ("b", (1, 8), "b must be (4H,) = (8,), got (1, 8); it has 2 axes instead of 1"),
        ("b", (2,), "b must be (4H,) = (8,), got (2,)"),
    ],
)
def test_wrong_shape_is_named_with_letters_expected_and_received(draw_step, name, shape, message):
    arguments, _, _ = draw_step()
    arguments[name] = np.zeros(shape)
    with pytest.raises(ShapeError) as caught:
        lstm_step(**arguments)
    assert str(caught.value) == f"lstm_step: {message}"


@pytest.mark.parametrize(
    ("name", "value", "error", "message"),
    [
        ("x", [[1.0]], DTypeError, "x must be a NumPy array, got list; use np.asarray(x)"),
        (
            "x",
            np.ones((3, 4), int),
            DTypeError,
            "x must be float32 or float64, got int64; use x.astype(np.float64)",
        ),
        (
            "b",
            np.zeros(8, np.float32),
            DTypeError,
            "all arrays must have one dtype, got x float64, h_prev float64, c_prev float64, Wx "
            "float64, Wh float64, b float32; use .astype to bring them together",
        ),
        (
            "Wh",
            np.array([[0.0] * 8, [0.0, np.nan] + [0.0] * 6]),
            NotFiniteError,
            "Wh must be finite, got nan at index (1, 1); look at the step that made it",
        ),
    ],
)
def test_wrong_kind_of_number_is_named(draw_step, name, value, error, message):
    arguments, _, _ = draw_step()
    arguments[name] = value
    with pytest.raises(error) as caught:
        lstm_step(**arguments)
    assert str(caught.value) == f"lstm_step: {message}"


def test_empty_batch_is_refused(draw_step):
    arguments, _, _ = draw_step()
    empty = arguments | {name: arguments[name][:0] for name in ("x", "h_prev", "c_prev")}
    with pytest.raises(
        ShapeError, match=r"x must be \(N, D\) with every size at least 1, got \(0, 4\)"
    ):
        lstm_step(**empty)


@pytest.mark.parametrize(
    ("dh_shape", "dc_shape", "message"),
    [
        ((2, 3), (3, 2), "dh must be (N, H) = (3, 2), got (2, 3); did you pass dh.T?"),
        ((3, 2), (3, 1), "dc must be (N, H) = (3, 2), got (3, 1)"),
    ],
)
def test_backward_names_a_gradient_of_the_wrong_shape(draw_step, dh_shape, dc_shape, message):
    _, _, cache = lstm_step(**draw_step()[0])
    with pytest.raises(ShapeError) as caught:
        lstm_step_backward(np.zeros(dh_shape), np.zeros(dc_shape), cache)
    assert str(caught.value) == f"lstm_step_backward: {message}"


def test_backward_refuses_float32_gradients_for_a_float64_step(draw_step):
    arguments, dh, dc = draw_step()
    _, _, cache = lstm_step(**arguments)
    with pytest.raises(DTypeError, match="dh float32, dc float64, cache.c float64"):
        lstm_step_backward(dh.astype(np.float32), dc, cache)


def test_backward_names_a_cache_of_another_kind(draw_step):
    arguments, dh, dc = draw_step()
    h, c, _ = lstm_step(**arguments)
    with pytest.raises(
        ArgumentError, match="cache must be the StepCache that lstm_step returned, got tuple"
    ):
        lstm_step_backward(dh, dc, (h, c))
    assert len(StepCache._fields) == 10

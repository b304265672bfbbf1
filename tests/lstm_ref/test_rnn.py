import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lstm_ref import (
    ArgumentError,
    DTypeError,
    NotFiniteError,
    ShapeError,
    check_gradients,
    rnn_backward,
    rnn_forward,
    rnn_step,
    rnn_step_backward,
)

NAMES = ("x", "h0", "Wx", "Wh", "b")
GRADS = tuple(f"d{name}" for name in NAMES)
STEP_NAMES = ("x", "h_prev", "Wx", "Wh", "b")
# no block of four gates in them
AXES = {"x": "N T D", "h0": "N H", "Wx": "D H", "Wh": "H H", "b": "H"}
sizes = st.integers(1, 5)


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """These arrays are tiny: on a busy machine, threads wait for each other many times longer than
    they compute.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def draw_layer(N, T, D, H, seed=0, scale=0.5, dtype=np.float64):
    """Arguments of rnn_forward by name, and a gradient dh of its output."""
    rng = np.random.default_rng(seed)
    shapes = {"x": (N, T, D), "h0": (N, H), "Wx": (D, H), "Wh": (H, H), "b": (H,)}
    layer = {name: (scale * rng.normal(size=shape)).astype(dtype) for name, shape in shapes.items()}
    return layer, rng.normal(size=(N, T, H)).astype(dtype)


def draw_step(N=3, D=4, H=2, seed=0, dtype=np.float64):
    layer, dh = draw_layer(N, 1, D, H, seed, dtype=dtype)
    return dict(zip(STEP_NAMES, [layer["x"][:, 0], *list(layer.values())[1:]], strict=True)), dh[
        :, 0
    ]


def answer(layer, dh):
    h, hT, cache = rnn_forward(**layer)
    return {"h": h, "hT": hT, **rnn_backward(dh, cache)._asdict()}


def torch_answer(layer, dh):
    D, H = layer["Wx"].shape
    rnn = torch.nn.RNN(D, H, batch_first=True, dtype=torch.float64)
    weights = {
        "weight_ih_l0": layer["Wx"].T,
        "weight_hh_l0": layer["Wh"].T,
        "bias_ih_l0": layer["b"],
    }
    weights["bias_hh_l0"] = np.zeros(H)
    rnn.load_state_dict({name: torch.tensor(array) for name, array in weights.items()})
    x, h0 = (torch.tensor(layer[name], requires_grad=True) for name in ("x", "h0"))
    h, hT = rnn(x, h0[None])
    h.backward(torch.from_numpy(dh))
    grads = (x.grad, h0.grad, rnn.weight_ih_l0.grad.T, rnn.weight_hh_l0.grad.T, rnn.bias_ih_l0.grad)
    tensors = (h.detach(), hT[0].detach(), *grads)
    return {name: tensor.numpy() for name, tensor in zip(("h", "hT", *GRADS), tensors, strict=True)}


@given(N=sizes, T=sizes, D=sizes, H=sizes, seed=st.integers(0, 100))
def test_torch_gives_the_same_numbers_forward_and_backward(assert_same, N, T, D, H, seed):
    layer, dh = draw_layer(N, T, D, H, seed)
    assert_same(answer(layer, dh), torch_answer(layer, dh), 1e-12)


def test_torch_gives_the_same_numbers_over_a_long_sequence(assert_same):
    layer, dh = draw_layer(N=3, T=200, D=5, H=8, scale=0.4)
    assert_same(answer(layer, dh), torch_answer(layer, dh), 1e-10)


@given(N=sizes, D=sizes, H=sizes)
def test_step_is_its_equation(N, D, H):
    step, _ = draw_step(N, D, H)
    h, _ = rnn_step(**step)
    x, h_prev, Wx, Wh, b = (array.tolist() for array in step.values())
    for n in range(N):
        for k in range(H):
            a = (
                sum(x[n][d] * Wx[d][k] for d in range(D))
                + sum(h_prev[n][j] * Wh[j][k] for j in range(H))
                + b[k]
            )
            assert h[n, k] == pytest.approx(math.tanh(a), rel=1e-13, abs=1e-15)


@given(N=sizes, D=sizes, H=sizes, seed=st.integers(0, 100))
def test_step_backward_is_the_derivative_for_every_argument(N, D, H, seed):
    step, dh = draw_step(N, D, H, seed)
    _, cache = rnn_step(**step)
    grads = dict(zip(STEP_NAMES, rnn_step_backward(dh, cache), strict=True))
    axes = {"Wx": "D H", "Wh": "H H", "b": "H"}
    check_gradients(lambda params: np.sum(rnn_step(**params)[0] * dh), step, grads, axes=axes)


@given(N=sizes, T=sizes, D=sizes, H=sizes, seed=st.integers(0, 100))
def test_backward_is_the_derivative_for_every_argument(N, T, D, H, seed):
    layer, dh = draw_layer(N, T, D, H, seed)
    _, _, cache = rnn_forward(**layer)
    grads = dict(zip(NAMES, rnn_backward(dh, cache), strict=True))
    check_gradients(lambda params: np.sum(rnn_forward(**params)[0] * dh), layer, grads, axes=AXES)


@given(N=sizes, T=sizes, D=sizes, H=sizes)
def test_sequence_is_the_step_repeated(assert_same, N, T, D, H):
    layer, dh = draw_layer(N, T, D, H)
    weights = [layer[name] for name in ("Wx", "Wh", "b")]
    h, outputs, caches = layer["h0"], [], []
    for t in range(T):
        h, cache = rnn_step(layer["x"][:, t], h, *weights)
        outputs.append(h)
        caches.append(cache)
    dh_next, dx, dWx, dWh, db = np.zeros((N, H)), np.empty((N, T, D)), 0, 0, 0
    for t in reversed(range(T)):
        step = rnn_step_backward(dh[:, t] + dh_next, caches[t])
        dh_next, dx[:, t] = step.dh_prev, step.dx
        dWx, dWh, db = dWx + step.dWx, dWh + step.dWh, db + step.db
    expected = {
        "h": np.stack(outputs, axis=1),
        "hT": h,
        "dx": dx,
        "dh0": dh_next,
        "dWx": dWx,
        "dWh": dWh,
        "db": db,
    }
    assert_same(answer(layer, dh), expected, 1e-13)


def test_plain_tuple_will_do_as_cache():
    layer, dh = draw_layer(2, 3, 4, 5)
    _, _, cache = rnn_forward(**layer)
    for got, expected in zip(rnn_backward(dh, tuple(cache)), rnn_backward(dh, cache), strict=True):
        np.testing.assert_array_equal(got, expected)


def test_float32_stays_float32_and_is_right_to_its_precision():
    small, exact = (
        answer(*draw_layer(3, 6, 4, 5, dtype=dtype)) for dtype in (np.float32, np.float64)
    )
    for name, right in exact.items():
        assert small[name].dtype == np.float32
        np.testing.assert_allclose(small[name], right, rtol=0, atol=1e-5 * np.abs(right).max())
    step, dh = draw_step(dtype=np.float32)
    h, cache = rnn_step(**step)
    assert {array.dtype for array in (h, *cache, *rnn_step_backward(dh, cache))} == {
        np.dtype(np.float32)
    }


def test_arguments_are_never_changed():
    for (arguments, dh), forward, backward in (
        (draw_layer(2, 3, 4, 5), rnn_forward, rnn_backward),
        (draw_step(), rnn_step, rnn_step_backward),
    ):
        for array in (*arguments.values(), dh):
            array.flags.writeable = False  # so that NumPy itself raises
        cache = forward(**arguments)[-1]
        for array in cache:
            array.flags.writeable = False
        backward(dh, cache)


@pytest.mark.parametrize(("N", "T"), [(1, 1), (1, 4), (4, 1), (3, 2)])
def test_cache_owns_all_but_the_weights(N, T):
    layer, dh = draw_layer(N, T, D=1, H=1)
    h, hT, cache = rnn_forward(**layer)
    expected = rnn_backward(dh, cache)
    for array in (h, hT, layer["x"], layer["h0"], layer["b"]):
        array[:] = 99
    for got, right in zip(rnn_backward(dh, cache), expected, strict=True):
        np.testing.assert_array_equal(got, right)


def test_step_cache_owns_all_but_the_weights():
    step, dh = draw_step()
    h, cache = rnn_step(**step)
    expected = rnn_step_backward(dh, cache)
    for array in (h, step["x"], step["h_prev"], step["b"]):
        array[:] = 99
    for got, right in zip(rnn_step_backward(dh, cache), expected, strict=True):
        np.testing.assert_array_equal(got, right)


@pytest.mark.parametrize(("N", "T"), [(1, 1), (1, 4), (4, 1)])
def test_results_share_no_memory(N, T):
    layer, dh = draw_layer(N, T, D=1, H=1)
    h, hT, cache = rnn_forward(**layer)
    results = (h, hT, *rnn_backward(dh, cache))
    for k, result in enumerate(results):
        assert not any(
            np.shares_memory(result, other) for other in (*layer.values(), dh, *cache, *results[:k])
        )


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_pre_activations_of_1000_do_not_overflow(dtype):
    layer, dh = draw_layer(N=4, T=6, D=3, H=5, scale=1000, dtype=dtype)
    # Weights of order 1000, but inputs of order 1: tanh is at its ends, and has no slope there.
    result = answer(layer, dh)
    assert all(np.isfinite(array).all() for array in result.values())
    assert np.abs(result["h"]).max() <= 1


@pytest.mark.parametrize(
    ("name", "shape", "message"),
    [
        ("x", (2, 4), "x must be (N, T, D) = (2, any, 4), got (2, 4); it has 2 axes instead of 3"),
        ("h0", (5, 2), "h0 must be (N, H) = (2, 5), got (5, 2); did you pass h0.T?"),
        ("Wx", (5, 4), "Wx must be (D, H) = (4, 5), got (5, 4); did you pass Wx.T?"),
        ("Wh", (5, 20), "Wh must be (H, H) = (5, 5), got (5, 20)"),
        ("b", (1, 5), "b must be (H,) = (5,), got (1, 5); it has 2 axes instead of 1"),
    ],
)
def test_wrong_shape_is_named_with_letters_expected_and_received(name, shape, message):
    layer, _ = draw_layer(N=2, T=3, D=4, H=5)
    layer[name] = np.zeros(shape)
    with pytest.raises(ShapeError) as caught:
        rnn_forward(**layer)
    assert str(caught.value) == f"rnn_forward: {message}"


def test_what_does_not_fit_a_step_is_named():
    step, dh = draw_step()
    with pytest.raises(
        ShapeError, match=r"^rnn_step: h_prev must be \(N, H\) = \(3, 2\), got \(2, 3\)"
    ):
        rnn_step(**(step | {"h_prev": step["h_prev"].T}))
    with pytest.raises(DTypeError, match="^rnn_step: b must be float32 or float64, got int64"):
        rnn_step(**(step | {"b": np.zeros(2, np.int64)}))
    with pytest.raises(NotFiniteError, match="^rnn_step: x must be finite, got nan"):
        rnn_step(**(step | {"x": np.full((3, 4), np.nan)}))
    _, cache = rnn_step(**step)
    with pytest.raises(
        ShapeError, match=r"^rnn_step_backward: dh must be \(N, H\) = \(3, 2\), got \(2, 3\)"
    ):
        rnn_step_backward(dh.T, cache)
    with pytest.raises(DTypeError, match=r"^rnn_step_backward: .*dh float32, cache\.h float64"):
        rnn_step_backward(dh.astype(np.float32), cache)


def test_what_does_not_fit_the_backward_pass_is_named():
    layer, dh = draw_layer(N=2, T=3, D=4, H=5)
    _, _, cache = rnn_forward(**layer)
    with pytest.raises(
        ShapeError, match=r"^rnn_backward: dh must be \(N, T, H\) = \(2, 3, 5\), got \(3, 2, 5\)"
    ):
        rnn_backward(dh.swapaxes(0, 1), cache)
    _, step_cache = rnn_step(layer["x"][:, 0], *list(layer.values())[1:])
    with pytest.raises(
        ArgumentError,
        match="cache must be the RNNCache that rnn_forward returned, got RNNStepCache",
    ):
        rnn_backward(dh, step_cache)
    with pytest.raises(
        ArgumentError, match="cache must be the RNNStepCache that rnn_step returned, got RNNCache"
    ):
        rnn_step_backward(dh[:, 0], cache)

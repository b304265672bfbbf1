import math

import keras
import numpy as np
import pytest
import tensorflow as tf
import torch
from hypothesis import given
from hypothesis import strategies as st

from lstm_ref import (
    ArgumentError,
    DTypeError,
    NotFiniteError,
    ShapeError,
    check_gradients,
    gru_backward,
    gru_forward,
    gru_step,
    gru_step_backward,
)

# three blocks, where the course's other layer has four
AXES = {"Wx": "D 3H", "Wh": "H 3H", "b": "3H"}
sizes = st.integers(1, 5)
resets = pytest.mark.parametrize("reset", ["after", "before"])


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """These arrays are tiny: on a busy machine, threads wait for each other many times longer than
    they compute.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def draw_layer(N, T, D, H, reset, seed=0, scale=0.5, dtype=np.float64):
    """Arguments of gru_forward by name, but for reset, and a gradient dh of its output."""
    rng = np.random.default_rng(seed)
    shapes = {
        "x": (N, T, D),
        "h0": (N, H),
        "Wx": (D, 3 * H),
        "Wh": (H, 3 * H),
        "b": (3 * H,),
        "bh": (H,),
    }
    layer = {name: (scale * rng.normal(size=shape)).astype(dtype) for name, shape in shapes.items()}
    if reset == "before":
        del layer["bh"]
    return layer, rng.normal(size=(N, T, H)).astype(dtype)


def draw_step(reset, N=3, D=4, H=2, seed=0, dtype=np.float64):
    layer, dh = draw_layer(N, 1, D, H, reset, seed, dtype=dtype)
    return {"x": layer.pop("x")[:, 0], "h_prev": layer.pop("h0"), **layer}, dh[:, 0]


def named(grads, arguments):
    """Gradients by the names of the arguments; a step's are named alike."""
    return {name: getattr(grads, f"d{name}") for name in arguments}


def answer(layer, dh, reset):
    h, hT, cache = gru_forward(**layer, reset=reset)
    grads = named(gru_backward(dh, cache), layer)
    return {"h": h, "hT": hT, **{f"d{name}": grad for name, grad in grads.items()}}


def torch_answer(layer, dh):
    D, H = layer["Wx"].shape[0], layer["Wh"].shape[0]
    gru = torch.nn.GRU(D, H, batch_first=True, dtype=torch.float64)
    zeros = np.zeros(2 * H)
    weights = {
        "weight_ih_l0": layer["Wx"].T,
        "weight_hh_l0": layer["Wh"].T,
        "bias_ih_l0": layer["b"],
    }
    weights["bias_hh_l0"] = np.concatenate([zeros, layer["bh"]])
    gru.load_state_dict({name: torch.tensor(array) for name, array in weights.items()})
    x, h0 = (torch.tensor(layer[name], requires_grad=True) for name in ("x", "h0"))
    h, hT = gru(x, h0[None])
    h.backward(torch.from_numpy(dh))
    tensors = {"h": h.detach(), "hT": hT[0].detach(), "dx": x.grad, "dh0": h0.grad}
    tensors |= {
        "dWx": gru.weight_ih_l0.grad.T,
        "dWh": gru.weight_hh_l0.grad.T,
        "db": gru.bias_ih_l0.grad,
    }
    return {
        name: tensor.numpy()
        for name, tensor in (tensors | {"dbh": gru.bias_hh_l0.grad[2 * H :]}).items()
    }


def keras_blocks(array):
    """Our blocks r, z, n <-> those of Keras, z, r, n: the same swap both ways."""
    r, z, n = np.split(array, 3, axis=-1)
    return np.concatenate([z, r, n], axis=-1)


def keras_answer(layer, dh, reset):
    D, H = layer["Wx"].shape[0], layer["Wh"].shape[0]
    gru = keras.layers.GRU(
        H,
        reset_after=reset == "after",
        return_sequences=True,
        return_state=True,
        dtype="float64",
        use_cudnn=False,
    )
    gru.build((None, None, D))
    bias = keras_blocks(layer["b"])
    if reset == "after":
        bias = np.stack([bias, np.concatenate([np.zeros(2 * H), layer["bh"]])])
    gru.set_weights([keras_blocks(layer["Wx"]), keras_blocks(layer["Wh"]), bias])
    x, h0 = tf.Variable(layer["x"]), tf.Variable(layer["h0"])
    with tf.GradientTape() as tape:
        h, hT = gru(x, initial_state=h0)
        loss = tf.reduce_sum(h * dh)
    dx, dh0, dWx, dWh, db = (
        grad.numpy()
        for grad in tape.gradient(loss, [x, h0, *(v.value for v in gru.trainable_variables)])
    )
    result = {"h": h.numpy(), "hT": hT.numpy(), "dx": dx, "dh0": dh0}
    result |= {"dWx": keras_blocks(dWx), "dWh": keras_blocks(dWh)}
    if reset == "after":
        return result | {"db": keras_blocks(db[0]), "dbh": db[1, 2 * H :]}
    return result | {"db": keras_blocks(db)}


@given(N=sizes, T=sizes, D=sizes, H=sizes, seed=st.integers(0, 100))
def test_torch_gives_the_same_numbers_forward_and_backward(assert_same, N, T, D, H, seed):
    layer, dh = draw_layer(N, T, D, H, "after", seed)
    assert_same(answer(layer, dh, "after"), torch_answer(layer, dh), 1e-12)


def test_torch_gives_the_same_numbers_over_a_long_sequence(assert_same):
    layer, dh = draw_layer(N=3, T=200, D=5, H=8, reset="after", scale=0.4)
    assert_same(answer(layer, dh, "after"), torch_answer(layer, dh), 1e-10)


@resets
@pytest.mark.parametrize("shape", [(3, 6, 4, 5), (1, 1, 1, 1), (2, 40, 3, 8)])
def test_keras_gives_the_same_numbers_forward_and_backward(assert_same, reset, shape):
    layer, dh = draw_layer(*shape, reset)
    assert_same(answer(layer, dh, reset), keras_answer(layer, dh, reset), 1e-10)


@resets
@given(N=sizes, D=sizes, H=sizes)
def test_step_is_the_equations(reset, N, D, H):
    step, _ = draw_step(reset, N, D, H)
    h, _ = gru_step(**step, reset=reset)
    x, h_prev, Wx, Wh, b = (step[name].tolist() for name in ("x", "h_prev", "Wx", "Wh", "b"))

    def from_input(n, column):
        return sum(x[n][d] * Wx[d][column] for d in range(D)) + b[column]

    def from_state(state, column):
        return sum(state[j] * Wh[j][column] for j in range(H))

    def gate(n, column):
        return 1 / (1 + math.exp(-from_input(n, column) - from_state(h_prev[n], column)))

    for n in range(N):
        r = [gate(n, k) for k in range(H)]
        for k in range(H):
            z = gate(n, H + k)
            if reset == "after":
                recurrent = r[k] * (from_state(h_prev[n], 2 * H + k) + step["bh"][k])
            else:
                recurrent = from_state([r[j] * h_prev[n][j] for j in range(H)], 2 * H + k)
            candidate = math.tanh(from_input(n, 2 * H + k) + recurrent)
            assert h[n, k] == pytest.approx(
                (1 - z) * candidate + z * h_prev[n][k], rel=1e-12, abs=1e-14
            )


@resets
@given(N=sizes, D=sizes, H=sizes, seed=st.integers(0, 100))
def test_step_backward_is_the_derivative_for_every_argument(reset, N, D, H, seed):
    step, dh = draw_step(reset, N, D, H, seed)
    _, cache = gru_step(**step, reset=reset)
    grads = named(gru_step_backward(dh, cache), step)
    check_gradients(
        lambda params: np.sum(gru_step(**params, reset=reset)[0] * dh), step, grads, axes=AXES
    )


@resets
@given(N=sizes, T=sizes, D=sizes, H=sizes, seed=st.integers(0, 100))
def test_backward_is_the_derivative_for_every_argument(reset, N, T, D, H, seed):
    layer, dh = draw_layer(N, T, D, H, reset, seed)
    _, _, cache = gru_forward(**layer, reset=reset)
    grads = named(gru_backward(dh, cache), layer)
    check_gradients(
        lambda params: np.sum(gru_forward(**params, reset=reset)[0] * dh), layer, grads, axes=AXES
    )


@resets
@given(N=sizes, T=sizes, D=sizes, H=sizes)
def test_sequence_is_the_step_repeated(assert_same, reset, N, T, D, H):
    layer, dh = draw_layer(N, T, D, H, reset)
    weights = {name: layer[name] for name in layer if name not in ("x", "h0")}
    h, outputs, caches = layer["h0"], [], []
    for t in range(T):
        h, cache = gru_step(layer["x"][:, t], h, **weights, reset=reset)
        outputs.append(h)
        caches.append(cache)
    dh_next, dx = np.zeros((N, H)), np.empty((N, T, D))
    sums = {name: np.zeros_like(array) for name, array in weights.items()}
    for t in reversed(range(T)):
        step = gru_step_backward(dh[:, t] + dh_next, caches[t])
        dh_next, dx[:, t] = step.dh_prev, step.dx
        sums = {name: total + getattr(step, f"d{name}") for name, total in sums.items()}
    expected = {"h": np.stack(outputs, axis=1), "hT": h, "dx": dx, "dh0": dh_next}
    assert_same(
        answer(layer, dh, reset),
        expected | {f"d{name}": total for name, total in sums.items()},
        1e-13,
    )


def test_both_conventions_agree_where_the_reset_gate_is_open_and_only_there():
    layer, _ = draw_layer(2, 4, 3, 5, "before")
    # sigmoid(40) is 1 to the last bit
    opened = layer | {"b": layer["b"] + np.repeat([40.0, 0, 0], 5)}
    for weights, alike in ((opened, True), (layer, False)):
        after, _, _ = gru_forward(**weights, bh=np.zeros(5), reset="after")
        before, _, _ = gru_forward(**weights, reset="before")
        assert np.allclose(after, before, rtol=0, atol=1e-13) == alike


def test_update_gate_that_is_open_keeps_the_state_and_its_gradient():
    layer, dh = draw_layer(2, 50, 3, 5, "after")
    layer["b"] += np.repeat([0, 40.0, 0], 5)
    result = answer(layer, dh, "after")
    np.testing.assert_array_equal(result["hT"], layer["h0"])
    np.testing.assert_allclose(result["dh0"], dh.sum(axis=1), rtol=0, atol=1e-12)


def test_recurrent_bias_has_a_gradient_only_after_the_product():
    for reset in ("after", "before"):
        layer, dh = draw_layer(2, 3, 4, 5, reset)
        assert (gru_backward(dh, gru_forward(**layer, reset=reset)[-1]).dbh is None) == (
            reset == "before"
        )


@resets
def test_plain_tuple_will_do_as_cache(reset):
    layer, dh = draw_layer(2, 3, 4, 5, reset)
    _, _, cache = gru_forward(**layer, reset=reset)
    got, expected = (named(gru_backward(dh, kind), layer) for kind in (tuple(cache), cache))
    for name in layer:
        np.testing.assert_array_equal(got[name], expected[name])


@resets
def test_float32_stays_float32_and_is_right_to_its_precision(reset):
    small, exact = (
        answer(*draw_layer(3, 6, 4, 5, reset, dtype=dtype), reset=reset)
        for dtype in (np.float32, np.float64)
    )
    for name, right in exact.items():
        assert small[name].dtype == np.float32
        np.testing.assert_allclose(small[name], right, rtol=0, atol=1e-5 * np.abs(right).max())
    step, dh = draw_step(reset, dtype=np.float32)
    h, cache = gru_step(**step, reset=reset)
    grads = named(gru_step_backward(dh, cache), step)
    assert {array.dtype for array in (h, *cache[:-1], *grads.values())} == {np.dtype(np.float32)}


@resets
def test_arguments_are_never_changed(reset):
    for (arguments, dh), forward, backward in (
        (draw_layer(2, 3, 4, 5, reset), gru_forward, gru_backward),
        (draw_step(reset), gru_step, gru_step_backward),
    ):
        for array in (*arguments.values(), dh):
            array.flags.writeable = False  # so that NumPy itself raises
        cache = forward(**arguments, reset=reset)[-1]
        for array in cache[:-1]:
            array.flags.writeable = False
        backward(dh, cache)


@resets
@pytest.mark.parametrize(("N", "T"), [(1, 1), (1, 4), (4, 1), (3, 2)])
def test_cache_owns_all_but_the_weights(reset, N, T):
    layer, dh = draw_layer(N, T, 1, 1, reset)
    h, hT, cache = gru_forward(**layer, reset=reset)
    expected = named(gru_backward(dh, cache), layer)
    for array in (h, hT, *(array for name, array in layer.items() if name not in ("Wx", "Wh"))):
        array[:] = 99
    for name, got in named(gru_backward(dh, cache), layer).items():
        np.testing.assert_array_equal(got, expected[name])


@resets
def test_step_cache_owns_all_but_the_weights(reset):
    step, dh = draw_step(reset)
    h, cache = gru_step(**step, reset=reset)
    expected = named(gru_step_backward(dh, cache), step)
    for array in (h, *(array for name, array in step.items() if name not in ("Wx", "Wh"))):
        array[:] = 99
    for name, got in named(gru_step_backward(dh, cache), step).items():
        np.testing.assert_array_equal(got, expected[name])


@resets
@pytest.mark.parametrize(("N", "T"), [(1, 1), (1, 4), (4, 1)])
def test_results_share_no_memory(reset, N, T):
    layer, dh = draw_layer(N, T, 1, 1, reset)
    h, hT, cache = gru_forward(**layer, reset=reset)
    results = (h, hT, *named(gru_backward(dh, cache), layer).values())
    for k, result in enumerate(results):
        assert not any(
            np.shares_memory(result, other)
            for other in (*layer.values(), dh, *cache[:-1], *results[:k])
        )


@resets
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_pre_activations_of_1000_do_not_overflow(reset, dtype):
    layer, dh = draw_layer(4, 6, 3, 5, reset, scale=1000, dtype=dtype)
    layer["h0"] /= 1000
    result = answer(layer, dh, reset)
    assert all(np.isfinite(array).all() for array in result.values())
    # between the candidate and the old state
    assert np.abs(result["h"]).max() <= max(1, np.abs(layer["h0"]).max())


@pytest.mark.parametrize(
    ("name", "shape", "message"),
    [
        ("x", (2, 4), "x must be (N, T, D) = (2, any, 4), got (2, 4); it has 2 axes instead of 3"),
        ("h0", (5, 2), "h0 must be (N, H) = (2, 5), got (5, 2); did you pass h0.T?"),
        ("Wx", (15, 4), "Wx must be (D, 3H) = (4, 15), got (15, 4); did you pass Wx.T?"),
        ("Wh", (5, 20), "Wh must be (H, 3H) = (5, 15), got (5, 20)"),
        ("b", (2, 15), "b must be (3H,) = (15,), got (2, 15); it has 2 axes instead of 1"),
        ("bh", (15,), "bh must be (H,) = (5,), got (15,)"),
    ],
)
def test_wrong_shape_is_named_with_letters_expected_and_received(name, shape, message):
    layer, _ = draw_layer(2, 3, 4, 5, "after")
    layer[name] = np.zeros(shape)
    with pytest.raises(ShapeError) as caught:
        gru_forward(**layer, reset="after")
    assert str(caught.value) == f"gru_forward: {message}"


@pytest.mark.parametrize("function", [gru_step, gru_forward])
def test_convention_that_does_not_fit_is_named(function):
    arguments, _ = draw_step("before") if function is gru_step else draw_layer(2, 3, 4, 5, "before")
    name = function.__name__
    with pytest.raises(
        ArgumentError, match=f'^{name}: bh must be \\(H,\\) where reset is "after", got None'
    ):
        function(**arguments)
    with pytest.raises(
        ArgumentError, match=f'^{name}: bh must be None where reset is "before", got an array'
    ):
        function(**arguments, bh=np.zeros(5), reset="before")
    with pytest.raises(
        ArgumentError, match=f'^{name}: reset must be "after" or "before", got \'later\''
    ):
        function(**arguments, reset="later")


def test_what_does_not_fit_a_step_is_named():
    step, dh = draw_step("after")
    with pytest.raises(
        ShapeError, match=r"^gru_step: h_prev must be \(N, H\) = \(3, 2\), got \(2, 3\)"
    ):
        gru_step(**(step | {"h_prev": step["h_prev"].T}))
    with pytest.raises(DTypeError, match="^gru_step: .*bh float32"):
        gru_step(**(step | {"bh": np.zeros(2, np.float32)}))
    with pytest.raises(NotFiniteError, match="^gru_step: x must be finite, got nan"):
        gru_step(**(step | {"x": np.full((3, 4), np.nan)}))
    _, cache = gru_step(**step)
    with pytest.raises(
        ShapeError, match=r"^gru_step_backward: dh must be \(N, H\) = \(3, 2\), got \(2, 3\)"
    ):
        gru_step_backward(dh.T, cache)
    with pytest.raises(DTypeError, match=r"^gru_step_backward: .*dh float32, cache\.n float64"):
        gru_step_backward(dh.astype(np.float32), cache)


def test_what_does_not_fit_the_backward_pass_is_named():
    layer, dh = draw_layer(2, 3, 4, 5, "after")
    h, _, cache = gru_forward(**layer)
    with pytest.raises(
        ShapeError, match=r"^gru_backward: dh must be \(N, T, H\) = \(2, 3, 5\), got \(3, 2, 5\)"
    ):
        gru_backward(dh.swapaxes(0, 1), cache)
    with pytest.raises(DTypeError, match=r"^gru_backward: .*dh float32, cache\.h float64"):
        gru_backward(dh.astype(np.float32), cache)
    with pytest.raises(
        ArgumentError, match="cache must be the GRUCache that gru_forward returned, got tuple"
    ):
        gru_backward(dh, (h, h))
    with pytest.raises(
        ArgumentError, match="cache must be the GRUStepCache that gru_step returned, got tuple"
    ):
        gru_step_backward(dh[:, 0], (h, h))

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lstm_ref import (
    ArgumentError,
    DTypeError,
    NotFiniteError,
    ShapeError,
    check_gradients,
    lstm_backward,
    lstm_forward,
    lstm_step,
    lstm_step_backward,
)

sizes = st.integers(1, 5)


def gradients_for(N, T, H, seed=1, dtype=np.float64):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(N, T, H)).astype(dtype), rng.normal(size=(N, H)).astype(dtype)


def assert_close(got, expected, tolerance=1e-13):
    """Largest difference, relative to the largest number."""
    assert got.shape == expected.shape
    assert np.abs(got - expected).max() <= tolerance * max(1, np.abs(expected).max())


@given(N=sizes, T=sizes, D=sizes, H=sizes)
def test_sequence_is_the_step_repeated(draw, N, T, D, H):
    layer = draw(N, T, D, H)
    dh, dcT = gradients_for(N, T, H)
    weights = [layer[name] for name in ("Wx", "Wh", "b")]

    state, steps = (layer["h0"], layer["c0"]), []
    for t in range(T):
        *state, cache = lstm_step(layer["x"][:, t], *state, *weights)
        steps.append((state[0], cache))
    h, (hT, cT), cache = lstm_forward(**layer)
    assert_close(h, np.stack([h_t for h_t, _ in steps], axis=1))
    assert_close(hT, state[0])
    assert_close(cT, state[1])
    for name, got in zip("ifgo", np.split(cache.gates, 4, axis=2), strict=True):
        assert_close(got, np.stack([getattr(step, name) for _, step in steps]))
    for name in ("h", "c"):
        assert_close(
            getattr(cache, name)[:-1],
            np.stack([getattr(step, f"{name}_prev") for _, step in steps]),
        )

    dh_next, dc_next = np.zeros((N, H)), dcT
    dx, dWx, dWh, db = np.empty_like(layer["x"]), 0, 0, 0
    for t in reversed(range(T)):
        step = lstm_step_backward(dh[:, t] + dh_next, dc_next, steps[t][1])
        dh_next, dc_next, dx[:, t] = step.dh_prev, step.dc_prev, step.dx
        dWx, dWh, db = dWx + step.dWx, dWh + step.dWh, db + step.db
    expected = (dx, dh_next, dc_next, dWx, dWh, db)
    for got, right in zip(lstm_backward(dh, cache, dcT), expected, strict=True):
        assert_close(got, right)


@given(N=sizes, T=st.integers(1, 6), D=sizes, H=sizes, seed=st.integers(0, 100))
def test_backward_is_the_derivative_for_every_argument(draw, N, T, D, H, seed):
    layer = draw(N, T, D, H, seed)
    dh, dcT = gradients_for(N, T, H, seed)

    def loss(params):
        h, (_, cT), _ = lstm_forward(**params)
        return np.sum(h * dh) + np.sum(cT * dcT)

    _, _, cache = lstm_forward(**layer)
    check_gradients(loss, layer, dict(zip(layer, lstm_backward(dh, cache, dcT), strict=True)))


def test_backward_is_the_derivative_over_a_long_sequence(draw):
    layer = draw(N=2, T=150, D=3, H=4)
    dh, _ = gradients_for(2, 150, 4)
    _, _, cache = lstm_forward(**layer)
    grads = dict(zip(layer, lstm_backward(dh, cache), strict=True))
    check_gradients(lambda params: np.sum(lstm_forward(**params)[0] * dh), layer, grads)


def test_no_gradient_of_the_last_cell_state_means_zeros(draw):
    _, _, cache = lstm_forward(**draw(2, 3, 4, 5))
    dh, _ = gradients_for(2, 3, 5)
    for got, expected in zip(
        lstm_backward(dh, cache), lstm_backward(dh, cache, np.zeros((2, 5))), strict=True
    ):
        np.testing.assert_array_equal(got, expected)


def test_two_halves_of_a_sequence_make_the_whole(draw):
    layer = draw(N=2, T=7, D=3, H=4)
    h, (hT, cT), cache = lstm_forward(**layer)
    first_h, state, first_cache = lstm_forward(**(layer | {"x": layer["x"][:, :3]}))
    second_h, (h2, c2), second_cache = lstm_forward(
        **(layer | {"x": layer["x"][:, 3:], "h0": state[0], "c0": state[1]})
    )
    assert_close(np.concatenate([first_h, second_h], axis=1), h)
    assert_close(h2, hT)
    assert_close(c2, cT)

    dh, dcT = gradients_for(2, 7, 4)
    second = lstm_backward(dh[:, 3:], second_cache, dcT)
    dh_first = dh[:, :3].copy()
    dh_first[:, -1] += second.dh0  # what arrives at hT is added to the gradient of the last step
    first = lstm_backward(dh_first, first_cache, second.dc0)
    whole = lstm_backward(dh, cache, dcT)
    assert_close(first.dWh + second.dWh, whole.dWh)
    assert_close(first.db + second.db, whole.db)
    assert_close(first.dc0, whole.dc0)


def test_examples_do_not_see_each_other_and_time_runs_one_way(draw):
    layer = draw(N=3, T=5, D=2, H=4)
    h, _, _ = lstm_forward(**layer)
    other = layer | {"x": layer["x"].copy()}
    other["x"][1, 3:] += 1
    changed = lstm_forward(**other)[0] != h
    assert changed[1, 3:].all()
    changed[1, 3:] = False
    assert not changed.any()


def test_float32_stays_float32_and_is_right_to_its_precision(draw):
    layer = draw(3, 6, 4, 5, dtype=np.float32)
    dh, dcT = gradients_for(3, 6, 5, dtype=np.float32)
    h, state, cache = lstm_forward(**layer)
    grads = lstm_backward(dh, cache, dcT)
    assert {array.dtype for array in (h, *state, *cache, *grads)} == {np.dtype(np.float32)}
    exact = {name: array.astype(np.float64) for name, array in layer.items()}
    h64, _, cache64 = lstm_forward(**exact)
    assert_close(h, h64, 1e-6)
    expected = lstm_backward(dh.astype(np.float64), cache64, dcT.astype(np.float64))
    for got, right in zip(grads, expected, strict=True):
        assert_close(got, right, 1e-5)


def test_arguments_are_never_changed(draw):
    layer = draw(2, 3, 4, 5)
    dh, dcT = gradients_for(2, 3, 5)
    for array in (*layer.values(), dh, dcT):
        array.flags.writeable = False  # so that NumPy itself raises
    _, _, cache = lstm_forward(**layer)
    for array in cache:
        array.flags.writeable = False
    lstm_backward(dh, cache, dcT)


def test_how_arguments_lie_in_memory_changes_nothing(draw):
    layer = draw(3, 4, 2, 5)
    dh, dcT = gradients_for(3, 4, 5)
    h, _, cache = lstm_forward(**layer)
    other = {name: np.asfortranarray(array) for name, array in layer.items()} | {
        "x": np.repeat(layer["x"], 2, axis=1)[:, ::2]
    }
    other_h, _, other_cache = lstm_forward(**other)
    assert_close(other_h, h)
    grads = lstm_backward(np.asfortranarray(dh), other_cache, np.asfortranarray(dcT))
    for got, right in zip(grads, lstm_backward(dh, cache, dcT), strict=True):
        assert_close(got, right)


@pytest.mark.parametrize(
    ("N", "T"), [(1, 1), (1, 4), (4, 1), (3, 2)]
)  # a swapped axis of length 1 is a view that looks like a copy
def test_cache_owns_all_but_the_weights(draw, N, T):
    layer = draw(N, T, D=1, H=1)
    dh, dcT = gradients_for(N, T, 1)
    h, (hT, cT), cache = lstm_forward(**layer)
    expected = lstm_backward(dh, cache, dcT)
    for array in (h, hT, cT, layer["x"], layer["h0"], layer["c0"], layer["b"]):
        array[:] = 99
    for got, right in zip(lstm_backward(dh, cache, dcT), expected, strict=True):
        np.testing.assert_array_equal(got, right)


@pytest.mark.parametrize(("N", "T"), [(1, 1), (1, 4), (4, 1)])
def test_results_share_no_memory(draw, N, T):
    layer = draw(N, T, D=1, H=1)
    dh, dcT = gradients_for(N, T, 1)
    h, (hT, cT), cache = lstm_forward(**layer)
    given = (*layer.values(), dh, dcT, *cache)
    results = (h, hT, cT, *lstm_backward(dh, cache, dcT))
    for k, result in enumerate(results):
        assert not any(np.shares_memory(result, other) for other in (*given, *results[:k]))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_pre_activations_of_1000_do_not_overflow(draw, dtype):
    layer = draw(N=4, T=6, D=3, H=5, scale=1000, dtype=dtype) | {"c0": np.zeros((4, 5), dtype)}
    h, (_, cT), cache = lstm_forward(**layer)
    dh, dcT = gradients_for(4, 6, 5, dtype=dtype)
    assert all(np.isfinite(array).all() for array in (h, cT, *lstm_backward(dh, cache, dcT)))
    assert np.abs(h).max() <= 1 and np.abs(cT).max() <= 6  # each step adds at most i * g = 1


@pytest.mark.parametrize(
    ("name", "shape", "message"),
    [
        (
            "x",
            (3, 2, 4),
            "x must be (N, T, D) = (2, any, 4), got (3, 2, 4); did you pass x.swapaxes(0, 1)?",
        ),
        ("x", (2, 4), "x must be (N, T, D) = (2, any, 4), got (2, 4); it has 2 axes instead of 3"),
        ("h0", (5, 2), "h0 must be (N, H) = (2, 5), got (5, 2); did you pass h0.T?"),
        ("c0", (1, 2, 5), "c0 must be (N, H) = (2, 5), got (1, 2, 5); it has 3 axes instead of 2"),
        ("Wx", (4, 15), "Wx must be (D, 4H) = (4, 20), got (4, 15)"),
        ("Wh", (20, 5), "Wh must be (H, 4H) = (5, 20), got (20, 5); did you pass Wh.T?"),
        ("b", (5,), "b must be (4H,) = (20,), got (5,)"),
    ],
)
def test_wrong_shape_is_named_with_letters_expected_and_received(draw, name, shape, message):
    layer = draw(N=2, T=3, D=4, H=5)
    layer[name] = np.zeros(shape)
    with pytest.raises(ShapeError) as caught:
        lstm_forward(**layer)
    assert str(caught.value) == f"lstm_forward: {message}"


def test_nan_and_wrong_dtype_are_named(draw):
    layer = draw(N=2, T=3, D=4, H=5)
    x = layer["x"].copy()
    x[1, 2, 0] = np.inf
    with pytest.raises(
        NotFiniteError, match=r"^lstm_forward: x must be finite, got inf at index \(1, 2, 0\)"
    ):
        lstm_forward(**(layer | {"x": x}))
    with pytest.raises(
        DTypeError, match="^lstm_forward: h0 must be float32 or float64, got float16"
    ):
        lstm_forward(**(layer | {"h0": layer["h0"].astype(np.float16)}))


@pytest.mark.parametrize(
    ("dh_shape", "dcT_shape", "message"),
    [
        (
            (3, 2, 5),
            (2, 5),
            "dh must be (N, T, H) = (2, 3, 5), got (3, 2, 5); did you pass dh.swapaxes(0, 1)?",
        ),
        (
            (2, 5),
            (2, 5),
            "dh must be (N, T, H) = (2, 3, 5), got (2, 5); it has 2 axes instead of 3",
        ),
        ((2, 3, 5), (5, 2), "dcT must be (N, H) = (2, 5), got (5, 2); did you pass dcT.T?"),
    ],
)
def test_backward_names_a_gradient_of_the_wrong_shape(draw, dh_shape, dcT_shape, message):
    _, _, cache = lstm_forward(**draw(N=2, T=3, D=4, H=5))
    with pytest.raises(ShapeError) as caught:
        lstm_backward(np.zeros(dh_shape), cache, np.zeros(dcT_shape))
    assert str(caught.value) == f"lstm_backward: {message}"


def test_backward_names_a_cache_of_another_kind(draw):
    layer = draw(N=2, T=1, D=4, H=5)
    *_, step_cache = lstm_step(layer["x"][:, 0], *list(layer.values())[1:])
    with pytest.raises(
        ArgumentError,
        match="cache must be the SequenceCache that lstm_forward returned, got StepCache",
    ):
        lstm_backward(np.zeros((2, 1, 5)), step_cache)

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
    cross_entropy,
    mean_squared_error,
)

shapes = st.lists(st.integers(1, 4), min_size=0, max_size=3).map(tuple)


def draw_logits(shape, V, dtype=np.float64):
    rng = np.random.default_rng(0)
    return 3 * rng.normal(size=(*shape, V)).astype(dtype), rng.integers(
        0, V, size=shape, dtype=np.int64
    )


@given(shape=shapes, V=st.integers(1, 6))
def test_cross_entropy_is_that_of_torch(shape, V):
    import torch

    logits, targets = draw_logits(shape, V)
    targets = np.asarray(targets)  # for the shape (), NumPy draws a plain number
    leaf = torch.tensor(logits, requires_grad=True)
    expected = torch.nn.functional.cross_entropy(
        leaf.reshape(-1, V), torch.from_numpy(targets).reshape(-1)
    )
    expected.backward()
    loss, dlogits = cross_entropy(logits, targets)
    assert isinstance(loss, float)
    assert loss == pytest.approx(expected.item(), rel=1e-12, abs=1e-15)
    np.testing.assert_allclose(dlogits, leaf.grad.numpy(), rtol=0, atol=1e-15)


@pytest.mark.parametrize("shape", [(), (3,), (2, 5)])
def test_gradient_of_cross_entropy_is_its_derivative(shape):
    logits, targets = draw_logits(shape, 4)
    targets = np.asarray(targets)
    _, dlogits = cross_entropy(logits, targets)
    check_gradients(
        lambda p: cross_entropy(p["logits"], targets)[0], {"logits": logits}, {"logits": dlogits}
    )


def test_cross_entropy_of_knowing_nothing_is_ln_V():
    loss, _ = cross_entropy(np.zeros((5, 2, 90)), np.zeros((5, 2), np.int64))
    assert loss == pytest.approx(np.log(90), rel=1e-15)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_large_logits_do_not_overflow(dtype):
    logits = np.array([[1000.0, -1000.0], [-1000.0, 1000.0]], dtype)
    loss, dlogits = cross_entropy(logits, np.array([0, 0]))
    assert loss == 1000.0
    np.testing.assert_array_equal(dlogits, [[0, 0], [-0.5, 0.5]])


@given(shape=shapes)
def test_mean_squared_error_is_that_of_torch(shape):
    import torch

    rng = np.random.default_rng(0)
    y, target = np.asarray(rng.normal(size=shape)), np.asarray(rng.normal(size=shape))
    leaf = torch.tensor(y, requires_grad=True)
    expected = torch.nn.functional.mse_loss(leaf, torch.from_numpy(target))
    expected.backward()
    loss, dy = mean_squared_error(y, target)
    assert isinstance(loss, float)
    assert loss == pytest.approx(expected.item(), rel=1e-14)
    np.testing.assert_allclose(dy, leaf.grad.numpy(), rtol=1e-14)


def test_gradient_of_mean_squared_error_is_its_derivative():
    rng = np.random.default_rng(0)
    y, target = rng.normal(size=(3, 4)), rng.normal(size=(3, 4))
    _, dy = mean_squared_error(y, target)
    check_gradients(lambda p: mean_squared_error(p["y"], target)[0], {"y": y}, {"y": dy})


def test_float32_stays_float32_and_arguments_are_never_changed():
    logits, targets = draw_logits((2, 3), 4, np.float32)
    for array in (logits, targets):
        array.flags.writeable = False
    assert cross_entropy(logits, targets)[1].dtype == np.float32
    assert mean_squared_error(logits, logits)[1].dtype == np.float32


@pytest.mark.parametrize(
    ("logits", "targets", "error", "message"),
    [
        (
            np.zeros((2, 3, 4)),
            np.zeros((3, 2), int),
            ShapeError,
            r"targets \(\.\.\.\) = \(2, 3\), .*targets \(3, 2\)",
        ),
        (
            np.zeros((2, 4)),
            np.zeros((2, 4), int),
            ShapeError,
            r"got logits \(2, 4\) and targets \(2, 4\)",
        ),
        (np.zeros((0, 4)), np.zeros(0, int), ShapeError, "every size at least 1"),
        (
            np.zeros((2, 4)),
            np.zeros(2),
            DTypeError,
            r"targets must be an array of integers, got float64; use np.asarray",
        ),
        (np.zeros((2, 4)), [0, 1], DTypeError, "targets must be an array of integers, got list"),
        (
            np.zeros((2, 4), int),
            np.zeros(2, int),
            DTypeError,
            "logits must be float32 or float64, got int64",
        ),
        (
            np.full((2, 4), np.nan),
            np.zeros(2, int),
            NotFiniteError,
            r"logits must be finite, got nan at index \(0, 0\)",
        ),
        (
            np.zeros((2, 4)),
            np.array([0, 4]),
            ArgumentError,
            "targets must lie from 0 to V-1 = 3, got 0 to 4",
        ),
        (
            np.zeros((2, 4)),
            np.array([-1, 2]),
            ArgumentError,
            "targets must lie from 0 to V-1 = 3, got -1 to 2",
        ),
    ],
)
def test_cross_entropy_names_what_does_not_fit(logits, targets, error, message):
    with pytest.raises(error, match="^cross_entropy: .*" + message):
        cross_entropy(logits, targets)


def test_mean_squared_error_refuses_to_broadcast():
    with pytest.raises(
        ShapeError, match=r"y and target must have one shape .*got \(3, 1\) and \(3,\)"
    ):
        mean_squared_error(np.zeros((3, 1)), np.zeros(3))
    with pytest.raises(ShapeError, match="at least one number"):
        mean_squared_error(np.zeros(0), np.zeros(0))


@given(shape=shapes.filter(len), V=st.integers(1, 4), seed=st.integers(0, 50))
def test_masked_mean_is_that_over_the_targets_that_count(shape, V, seed):
    """Against PyTorch, which leaves out the targets that are ``ignore_index``."""
    import torch

    logits, targets = draw_logits(shape, V)
    mask = np.random.default_rng(seed).random(shape) < 0.5
    mask.flat[0] = True
    targets = np.where(mask, targets, -100)
    leaf = torch.tensor(logits, requires_grad=True)
    expected = torch.nn.functional.cross_entropy(
        leaf.reshape(-1, V), torch.from_numpy(targets).reshape(-1)
    )
    expected.backward()
    loss, dlogits = cross_entropy(logits, targets, mask)
    assert loss == pytest.approx(expected.item(), rel=1e-12, abs=1e-15)
    np.testing.assert_allclose(dlogits, leaf.grad.numpy(), rtol=0, atol=1e-15)
    assert cross_entropy(logits.astype(np.float32), targets, mask)[1].dtype == np.float32


def test_more_padding_changes_no_loss():
    logits, targets = draw_logits((2, 3), 5)
    mask = np.array([[True, True, False], [True, True, True]])
    longer = [np.concatenate([array, array], axis=1) for array in (logits, targets)]
    padded = np.concatenate([mask, np.zeros((2, 3), bool)], axis=1)
    loss, dlogits = cross_entropy(logits, targets, mask)
    again, dlonger = cross_entropy(*longer, padded)
    assert again == loss
    np.testing.assert_array_equal(dlonger[:, :3], dlogits)
    y, target = logits, logits[::-1].copy()
    once, _ = mean_squared_error(y, target, mask)
    assert (
        once
        == mean_squared_error(*(np.concatenate([a, a], axis=1) for a in (y, target)), padded)[0]
    )


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_masked_squared_error_is_that_of_the_numbers_that_count(axes):
    rng = np.random.default_rng(0)
    y, target = rng.normal(size=(2, 2, 3, 4))
    mask = rng.random(y.shape[:axes]) < 0.6
    loss, dy = mean_squared_error(y, target, mask)
    assert loss == pytest.approx(np.mean((y[mask] - target[mask]) ** 2), rel=1e-14)
    assert not dy[~mask].any()
    check_gradients(lambda p: mean_squared_error(p["y"], target, mask)[0], {"y": y}, {"y": dy})


def test_masks_that_do_not_fit_are_named():
    logits, targets = draw_logits((2, 3), 5)
    with pytest.raises(
        ShapeError,
        match=r"^cross_entropy: mask must be \(\.\.\.\) = \(2, 3\), got \(3, 2\); did you pass",
    ):
        cross_entropy(logits, targets, np.ones((3, 2), bool))
    with pytest.raises(
        DTypeError,
        match="^cross_entropy: mask must be an array of bool, True at valid steps, got int64",
    ):
        cross_entropy(logits, targets, np.ones((2, 3), np.int64))
    with pytest.raises(
        ArgumentError, match="^cross_entropy: mask must be True at least once, got none"
    ):
        cross_entropy(logits, targets, np.zeros((2, 3), bool))
    with pytest.raises(
        ShapeError,
        match=r"^mean_squared_error: mask must be \(first axes of y\) = \(2, 3\), got \(3, 2\)",
    ):
        mean_squared_error(logits, logits, np.ones((3, 2), bool))
    with pytest.raises(ArgumentError, match="^mean_squared_error: mask must be True at least once"):
        mean_squared_error(logits, logits, np.zeros((2, 3), bool))

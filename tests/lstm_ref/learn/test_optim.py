import numpy as np
import pytest

from lstm_ref import (
    ArgumentError,
    DTypeError,
    NotFiniteError,
    ShapeError,
    adam,
    adam_init,
    adamw,
    check_gradients,
    clip_by_norm,
    clip_by_value,
    l1_penalty,
    l2_penalty,
    momentum,
    momentum_init,
    rmsprop,
    rmsprop_init,
    sgd,
)

pytestmark = pytest.mark.kernels

SHAPES = {"Wx": (3, 8), "Wh": (2, 8), "b": (8,)}


def draw_dict(seed, dtype=np.float64, scale=1.0):
    rng = np.random.default_rng(seed)
    return {name: (scale * rng.normal(size=shape)).astype(dtype) for name, shape in SHAPES.items()}


def torch_leaves(params):
    import torch

    return {name: torch.tensor(p, requires_grad=True) for name, p in params.items()}


def run_torch(optimizer, leaves, grads):
    import torch

    for name, leaf in leaves.items():
        leaf.grad = torch.tensor(grads[name])
    optimizer.step()


def test_sgd_is_that_of_torch():
    import torch

    params = draw_dict(0)
    leaves = torch_leaves(params)
    optimizer = torch.optim.SGD(leaves.values(), lr=0.3)
    for step in range(5):
        grads = draw_dict(step + 1)
        params = sgd(params, grads, 0.3)
        run_torch(optimizer, leaves, grads)
    for name, p in params.items():
        np.testing.assert_allclose(p, leaves[name].detach().numpy(), rtol=1e-14)


@pytest.mark.parametrize(
    "options",
    [{}, {"lr": 0.1, "beta1": 0.5, "beta2": 0.9, "eps": 1e-3}, {"beta1": 0.0, "beta2": 0.0}],
    ids=["defaults", "other", "no memory"],
)
def test_adam_is_that_of_torch(options):
    import torch

    params = draw_dict(0)
    leaves = torch_leaves(params)
    o = {"lr": 1e-3, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8} | options
    optimizer = torch.optim.Adam(
        leaves.values(), lr=o["lr"], betas=(o["beta1"], o["beta2"]), eps=o["eps"]
    )
    state = adam_init(params)
    for step in range(20):
        grads = draw_dict(step + 1, scale=10.0 ** (step % 5 - 2))
        params, state = adam(params, grads, state, **options)
        run_torch(optimizer, leaves, grads)
    assert state.t == 20
    for name, p in params.items():
        np.testing.assert_allclose(p, leaves[name].detach().numpy(), rtol=1e-12)


def follow_torch(step, state, make_optimizer):
    """Twenty steps by step(params, grads, state) and by an optimiser of PyTorch, on gradients of
    all sizes.
    """
    params = draw_dict(0)
    leaves = torch_leaves(params)
    optimizer = make_optimizer(leaves.values())
    state = state(params)
    for k in range(20):
        grads = draw_dict(k + 1, scale=10.0 ** (k % 5 - 2))
        params, state = step(params, grads, state)
        run_torch(optimizer, leaves, grads)
    for name, p in params.items():
        np.testing.assert_allclose(p, leaves[name].detach().numpy(), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("nesterov", [False, True])
@pytest.mark.parametrize("decay", [0.5, 0.9])
def test_momentum_is_that_of_torch(decay, nesterov):
    import torch

    follow_torch(
        lambda p, g, v: momentum(p, g, v, 0.1, decay, nesterov=nesterov),
        momentum_init,
        lambda leaves: torch.optim.SGD(leaves, lr=0.1, momentum=decay, nesterov=nesterov),
    )


@pytest.mark.parametrize("options", [{}, {"lr": 0.1, "decay": 0.5, "eps": 1e-3}])
def test_rmsprop_is_that_of_torch(options):
    import torch

    theirs = {{"decay": "alpha"}.get(name, name): number for name, number in options.items()}
    follow_torch(
        lambda p, g, s: rmsprop(p, g, s, **options),
        rmsprop_init,
        lambda leaves: torch.optim.RMSprop(leaves, **theirs),
    )


@pytest.mark.parametrize("options", [{}, {"lr": 0.1, "weight_decay": 0.5}, {"weight_decay": 0.0}])
def test_adamw_is_that_of_torch(options):
    import torch

    follow_torch(
        lambda p, g, s: adamw(p, g, s, **options),
        adam_init,
        lambda leaves: torch.optim.AdamW(leaves, **options),
    )


def test_l2_penalty_is_the_weight_decay_of_torch():
    import torch

    def step(params, grads, state):
        _, penalty = l2_penalty(params, 0.3)
        return sgd(params, {name: grads[name] + penalty[name] for name in grads}, 0.1), state

    follow_torch(
        step, lambda params: None, lambda leaves: torch.optim.SGD(leaves, lr=0.1, weight_decay=0.3)
    )


@pytest.mark.parametrize("penalty", [l1_penalty, l2_penalty])
def test_gradient_of_a_penalty_is_its_derivative(penalty):
    params = draw_dict(0)
    loss, grads = penalty(params, 0.7)
    assert loss > 0
    check_gradients(lambda p: penalty(p, 0.7)[0], params, grads)


def test_clipping_by_value_is_that_of_torch():
    import torch

    grads = draw_dict(0)
    leaves = torch_leaves(grads)
    for name, leaf in leaves.items():
        leaf.grad = torch.tensor(grads[name])
    torch.nn.utils.clip_grad_value_(leaves.values(), 0.5)
    for name, g in clip_by_value(grads, 0.5).items():
        np.testing.assert_array_equal(g, leaves[name].grad.numpy())


def test_first_step_of_adam_has_the_length_of_the_learning_rate():
    params = {"b": np.zeros(3)}
    new, _ = adam(params, {"b": np.array([1e-3, -1.0, 1e3])}, adam_init(params), lr=0.5)
    np.testing.assert_allclose(new["b"], [-0.5, 0.5, -0.5], rtol=2e-5)


def test_clipping_is_that_of_torch():
    import torch

    grads = draw_dict(0)
    leaves = torch_leaves(grads)
    for name, leaf in leaves.items():
        leaf.grad = torch.tensor(grads[name])
    torch_norm = torch.nn.utils.clip_grad_norm_(leaves.values(), 2.0).item()
    clipped, norm = clip_by_norm(grads, 2.0)
    assert norm == pytest.approx(torch_norm, rel=1e-14) and norm > 2
    for name, g in clipped.items():
        # PyTorch divides by norm + 1e-6, so that its result is shorter than what was asked for by
        # that much.
        np.testing.assert_allclose(
            g * (norm / (norm + 1e-6)), leaves[name].grad.numpy(), rtol=1e-14
        )


def test_clipping_gives_exactly_the_norm_and_leaves_short_gradients_alone():
    grads = draw_dict(0)
    clipped, norm = clip_by_norm(grads, 0.1)
    assert isinstance(norm, float)
    assert clip_by_norm(clipped, 1.0)[1] == pytest.approx(0.1, rel=1e-14)
    same, _ = clip_by_norm(grads, norm * 1.001)
    for name, g in grads.items():
        np.testing.assert_array_equal(same[name], g)
        assert not np.shares_memory(same[name], g)


@pytest.mark.parametrize(("dtype", "huge"), [(np.float32, 1e38), (np.float64, 1e300)])
def test_clipping_stands_gradients_whose_squares_overflow(dtype, huge):
    clipped, norm = clip_by_norm(
        {"b": np.array([3 * huge, 0.0], dtype), "c": np.array([-1 * huge], dtype)}, 1.0
    )
    assert norm == pytest.approx(np.sqrt(10) * huge, rel=1e-6)
    np.testing.assert_allclose(
        [clipped["b"][0], clipped["c"][0]], [3 / np.sqrt(10), -1 / np.sqrt(10)], rtol=1e-6
    )


def test_clipping_of_zeros_is_zeros():
    clipped, norm = clip_by_norm({"b": np.zeros(3)}, 1.0)
    assert norm == 0.0 and not clipped["b"].any()


def test_float32_stays_float32_even_when_the_rate_is_a_numpy_number():
    params, grads = draw_dict(0, np.float32), draw_dict(1, np.float32)
    rate = np.float64(0.1)
    new, state = adam(
        params, grads, adam_init(params), rate, np.float64(0.9), np.float64(0.99), np.float64(1e-8)
    )
    clipped, _ = clip_by_norm(grads, np.float64(0.1))
    moved, velocity = momentum(params, grads, momentum_init(params), rate, rate)
    scaled, squares = rmsprop(params, grads, rmsprop_init(params), rate, rate, rate)
    decayed, _ = adamw(params, grads, adam_init(params), rate, weight_decay=rate)
    penalties = l1_penalty(params, rate)[1], l2_penalty(params, rate)[1], clip_by_value(grads, rate)
    for arrays in (
        new,
        state.m,
        state.v,
        clipped,
        sgd(params, grads, rate),
        moved,
        velocity,
        scaled,
        squares,
        decayed,
    ):
        assert {array.dtype for array in arrays.values()} == {np.dtype(np.float32)}
    for arrays in penalties:
        assert {array.dtype for array in arrays.values()} == {np.dtype(np.float32)}


def test_nothing_is_changed_in_place_and_nothing_is_shared():
    params, grads = draw_dict(0), draw_dict(1)
    state = adam_init(params)
    old = [array for arrays in (params, grads, state.m, state.v) for array in arrays.values()]
    for array in old:
        array.flags.writeable = False
    new, new_state = adam(params, grads, state)
    fresh = [new, new_state.m, new_state.v, sgd(params, grads, 0.1), clip_by_norm(grads, 0.1)[0]]
    # All of these leave what they are given alone, the running means included; state.m stands for a
    # velocity.
    fresh += [
        *momentum(params, grads, state.m, 0.1),
        *rmsprop(params, grads, state.v),
        adamw(params, grads, state)[0],
    ]
    fresh += [clip_by_value(grads, 0.1), l1_penalty(params, 1.0)[1], l2_penalty(params, 1.0)[1]]
    for arrays in fresh:
        assert not any(np.shares_memory(array, other) for array in arrays.values() for other in old)
    assert state.t == 0


@pytest.mark.parametrize(
    "step",
    [
        lambda p, g: sgd(p, g, 0.1),
        lambda p, g: momentum(p, g, momentum_init(p), 0.1),
        lambda p, g: rmsprop(p, g, rmsprop_init(p)),
        lambda p, g: adam(p, g, adam_init(p)),
        lambda p, g: adamw(p, g, adam_init(p)),
    ],
    ids=["sgd", "momentum", "rmsprop", "adam", "adamw"],
)
def test_gradients_that_do_not_fit_are_named(step):
    params, grads = draw_dict(0), draw_dict(1)
    with pytest.raises(
        ArgumentError, match="grads must have the names Wx, Wh, b; missing: Wh; too many: dWh"
    ):
        step(params, {"Wx": grads["Wx"], "dWh": grads["Wh"], "b": grads["b"]})
    with pytest.raises(
        ShapeError,
        match=r'grads\["Wx"\] must have the shape of params\["Wx"\] = \(3, 8\), got \(8,\)',
    ):
        step(params, grads | {"Wx": grads["b"]})
    with pytest.raises(DTypeError, match=r'all arrays must have one dtype.*grads\["b"\] float32'):
        step(params, grads | {"b": grads["b"].astype(np.float32)})
    with pytest.raises(NotFiniteError, match=r'grads\["b"\] must be finite, got nan'):
        step(params, grads | {"b": np.full(8, np.nan)})


def test_state_of_another_model_is_named():
    params, grads = draw_dict(0), draw_dict(1)
    state = adam_init({"Wx": params["Wx"]})
    with pytest.raises(
        ArgumentError, match="adam: state.m must have the names Wx, Wh, b; missing: Wh, b"
    ):
        adam(params, grads, state)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda p: sgd(p, p, 0.0), "sgd: lr must be a number above 0, got 0.0"),
        (lambda p: sgd(p, p, float("nan")), "sgd: lr must be a number above 0, got nan"),
        (lambda p: adam(p, p, adam_init(p), lr=-1), "adam: lr must be a number above 0, got -1"),
        (lambda p: adam(p, p, adam_init(p), eps=0), "adam: eps must be a number above 0, got 0"),
        (
            lambda p: adam(p, p, adam_init(p), beta1=1),
            "adam: beta1 must be at least 0 and below 1, got 1",
        ),
        (
            lambda p: adam(p, p, adam_init(p), beta2=-0.1),
            "adam: beta2 must be at least 0 and below 1, got -0.1",
        ),
        (lambda p: adamw(p, p, adam_init(p), lr=0), "adamw: lr must be a number above 0, got 0"),
        (
            lambda p: adamw(p, p, adam_init(p), weight_decay=-1),
            "adamw: weight_decay must be a number of at least 0, got -1",
        ),
        (
            lambda p: momentum(p, p, p, 0.1, 1),
            "momentum: decay must be at least 0 and below 1, got 1",
        ),
        (lambda p: momentum(p, p, p, 0), "momentum: lr must be a number above 0, got 0"),
        (
            lambda p: rmsprop(p, p, p, decay=-1),
            "rmsprop: decay must be at least 0 and below 1, got -1",
        ),
        (lambda p: rmsprop(p, p, p, eps=0), "rmsprop: eps must be a number above 0, got 0"),
        (
            lambda p: l1_penalty(p, -1),
            "l1_penalty: strength must be a number of at least 0, got -1",
        ),
        (
            lambda p: l2_penalty(p, -1),
            "l2_penalty: strength must be a number of at least 0, got -1",
        ),
        (lambda p: clip_by_value(p, 0), "clip_by_value: limit must be a number above 0, got 0"),
        (lambda p: clip_by_norm(p, 0), "clip_by_norm: max_norm must be a number above 0, got 0"),
    ],
)
def test_numbers_out_of_range_are_named(call, message):
    with pytest.raises(ArgumentError) as caught:
        call(draw_dict(0))
    assert str(caught.value) == message

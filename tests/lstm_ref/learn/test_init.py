import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lstm_ref import (
    VARIANTS,
    ArgumentError,
    DTypeError,
    chrono_bias,
    glorot_uniform,
    gru_forward,
    he_normal,
    init_affine,
    init_gru,
    init_lstm,
    init_rnn,
    init_variant,
    lstm_forward,
    orthogonal,
    rnn_forward,
    sigmoid,
    variant_forward,
)

sizes = st.integers(1, 8)


@given(n_in=sizes, n_out=sizes)
def test_orthogonal_keeps_lengths(n_in, n_out):
    W = orthogonal(np.random.default_rng(0), (n_in, n_out))
    assert W.shape == (n_in, n_out)
    product = W @ W.T if n_in <= n_out else W.T @ W
    np.testing.assert_allclose(product, np.eye(min(n_in, n_out)), atol=1e-14)


def test_orthogonal_prefers_no_sign():
    rng = np.random.default_rng(0)
    corners = np.array([orthogonal(rng, (3, 3))[0, 0] for _ in range(2000)])
    # One coordinate of an even draw from the sphere has mean 0 and variance 1/3; five standard
    # errors of the mean.
    assert abs(corners.mean()) < 5 * np.sqrt(1 / 3 / 2000)
    assert corners.var() == pytest.approx(1 / 3, rel=0.1)


def test_glorot_fills_its_interval_evenly():
    W = glorot_uniform(np.random.default_rng(0), (200, 400))
    limit = np.sqrt(6 / 600)
    assert limit * 0.999 < np.abs(W).max() <= limit
    assert W.var() == pytest.approx(2 / 600, rel=0.02)


def test_lstm_draws_each_gate_as_a_map_of_its_own():
    params = init_lstm(np.random.default_rng(0), D=30, H=20, forget_bias=2.5)
    assert {name: p.shape for name, p in params.items()} == {
        "Wx": (30, 80),
        "Wh": (20, 80),
        "b": (80,),
    }
    blocks = np.split(params["Wh"], 4, axis=1)
    for block in blocks:
        np.testing.assert_allclose(block @ block.T, np.eye(20), atol=1e-14)
    assert not np.allclose(blocks[0], blocks[1])
    for block in np.split(params["Wx"], 4, axis=1):
        assert 0.95 * np.sqrt(6 / 50) < np.abs(block).max() <= np.sqrt(6 / 50)


def test_forget_bias_opens_the_forget_gate_and_no_other():
    from lstm_ref import lstm_step

    params = init_lstm(np.random.default_rng(0), D=3, H=2, forget_bias=30.0)
    _, _, cache = lstm_step(np.zeros((1, 3)), np.zeros((1, 2)), np.zeros((1, 2)), **params)
    assert (
        (cache.f > 0.999).all()
        and (cache.i == 0.5).all()
        and (cache.o == 0.5).all()
        and (cache.g == 0).all()
    )


def test_affine_starts_without_bias():
    params = init_affine(np.random.default_rng(0), 4, 6)
    assert params["W"].shape == (4, 6) and np.abs(params["W"]).max() <= np.sqrt(6 / 10)
    np.testing.assert_array_equal(params["b"], np.zeros(6))


@pytest.mark.parametrize("init", [init_lstm, init_affine])
def test_same_seed_gives_the_same_weights_in_both_precisions(init):
    first, again, small = (
        init(np.random.default_rng(3), 4, 5, dtype=dtype)
        for dtype in (np.float64, np.float64, np.float32)
    )
    for name, p in first.items():
        np.testing.assert_array_equal(again[name], p)
        assert small[name].dtype == np.float32
        np.testing.assert_array_equal(small[name], p.astype(np.float32))
    assert not np.array_equal(
        init(np.random.default_rng(4), 4, 5)["Wx" if "Wx" in first else "W"],
        list(first.values())[0],
    )


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: init_lstm(0, 3, 2),
            ArgumentError,
            (
                "init_lstm: rng must be a numpy.random.Generator, got int; use "
                "np.random.default_rng(seed)"
            ),
        ),
        (
            lambda: init_lstm(np.random.default_rng(0), 0, 2),
            ArgumentError,
            "init_lstm: D must be an integer of at least 1, got 0",
        ),
        (
            lambda: init_lstm(np.random.default_rng(0), 3, 2.0),
            ArgumentError,
            "init_lstm: H must be an integer of at least 1, got 2.0",
        ),
        (
            lambda: init_lstm(np.random.default_rng(0), 3, 2, dtype=np.float16),
            DTypeError,
            "init_lstm: dtype must be float32 or float64, got float16",
        ),
        (
            lambda: init_lstm(np.random.default_rng(0), 3, 2, forget_bias=float("nan")),
            ArgumentError,
            "init_lstm: forget_bias must be finite, got nan",
        ),
        (
            lambda: init_affine(np.random.default_rng(0), 3, -1),
            ArgumentError,
            "init_affine: n_out must be an integer of at least 1, got -1",
        ),
        (
            lambda: orthogonal(np.random.default_rng(0), (0, 3)),
            ArgumentError,
            "orthogonal: n_in must be an integer of at least 1, got 0",
        ),
        (
            lambda: glorot_uniform(np.random.RandomState(0), (2, 3)),
            ArgumentError,
            (
                "glorot_uniform: rng must be a numpy.random.Generator, got RandomState; use "
                "np.random.default_rng(seed)"
            ),
        ),
    ],
)
def test_what_does_not_fit_is_named(call, error, message):
    with pytest.raises(error) as caught:
        call()
    assert str(caught.value) == message


def test_variants_start_as_the_standard_cell_does():
    params = init_variant(np.random.default_rng(3), 4, 5)
    for name, array in init_lstm(np.random.default_rng(3), 4, 5).items():
        np.testing.assert_array_equal(params[name], array)


@pytest.mark.parametrize("name", VARIANTS)
def test_weights_of_every_variant_fit_it(name):
    R = 3 if VARIANTS[name].projection else None
    params = init_variant(
        np.random.default_rng(0), 4, 5, name, R=R, forget_bias=2.0, dtype=np.float32
    )
    x, state = np.ones((2, 6, 4), np.float32), np.zeros((2, 5), np.float32)
    h, _, _ = variant_forward(x, state[:, :R], state, **params, variant=name)
    assert h.shape == (2, 6, R or 5) and h.dtype == np.float32
    assert params["b"].sum() == (10 if "f" in VARIANTS[name].blocks else 0)
    assert all((params[gain] == 1).all() for gain in params if gain.startswith("gain"))
    assert not any(params[name].any() for name in params if name.startswith(("p_", "shift")))


def test_size_of_a_projection_is_asked_for_where_there_is_one():
    rng = np.random.default_rng(0)
    with pytest.raises(
        ArgumentError,
        match="^init_variant: R must be an integer, the size after the projection, got None",
    ):
        init_variant(rng, 4, 5, "projection")
    with pytest.raises(
        ArgumentError, match="^init_variant: R must be None where nothing is projected, got 3"
    ):
        init_variant(rng, 4, 5, "coupled", R=3)
    with pytest.raises(
        ArgumentError, match="^init_variant: R must be an integer of at least 1, got 0"
    ):
        init_variant(rng, 4, 5, "projection", R=0)
    with pytest.raises(ArgumentError, match="^init_variant: forget_bias must be finite, got inf"):
        init_variant(rng, 4, 5, forget_bias=np.inf)


def test_he_keeps_the_size_of_a_signal_through_many_relus():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(50, 400))
    before = np.mean(x**2)
    for _ in range(20):
        x = np.maximum(x @ he_normal(rng, (400, 400)), 0)
    # Half of each sum of squares is lost to the zeros; what is left of the 2 in the variance keeps
    # it.
    assert 0.3 < 0.5 * np.mean(x**2) / (0.5 * before) < 3


def test_chrono_spreads_the_memory_of_the_units_evenly():
    b = chrono_bias(np.random.default_rng(0), 2000, 101)
    i, f, g, o = b.reshape(4, 2000)
    steps = sigmoid(f) / (1 - sigmoid(f))  # a gate of u / (1 + u) forgets in about u steps
    assert 1 <= steps.min() and steps.max() <= 100
    assert steps.mean() == pytest.approx(50.5, abs=5 * 99 / np.sqrt(12 * 2000))
    np.testing.assert_allclose(sigmoid(i), 1 - sigmoid(f), rtol=1e-12)
    assert not g.any() and not o.any()


def test_chrono_bias_makes_a_cell_keep_its_state_longer():
    rng = np.random.default_rng(0)
    # so that only the bias opens and shuts the gates
    params = init_lstm(rng, 3, 20) | {"Wh": np.zeros((20, 80))}
    zeros, ones = np.zeros((1, 20)), np.ones((1, 20))
    kept = []
    for b in (params["b"], chrono_bias(rng, 20, 200)):
        _, (_, cT), _ = lstm_forward(np.zeros((1, 30, 3)), zeros, ones, **(params | {"b": b}))
        kept.append(np.abs(cT).mean())
    assert kept[1] > 10 * kept[0]


@pytest.mark.parametrize("reset", ["after", "before"])
def test_weights_of_the_other_cells_fit_them(reset):
    rng = np.random.default_rng(0)
    x, h0 = np.ones((2, 6, 3), np.float32), np.zeros((2, 5), np.float32)
    gru = init_gru(rng, 3, 5, reset=reset, dtype=np.float32)
    rnn = init_rnn(rng, 3, 5, np.float32)
    assert (
        gru_forward(x, h0, **gru, reset=reset)[0].dtype
        == rnn_forward(x, h0, **rnn)[0].dtype
        == np.float32
    )
    for block in np.split(gru["Wh"], 3, axis=1):
        np.testing.assert_allclose(block @ block.T, np.eye(5), atol=1e-6)
    np.testing.assert_allclose(rnn["Wh"] @ rnn["Wh"].T, np.eye(5), atol=1e-6)
    assert not any(
        params[name].any() for params in (gru, rnn) for name in params if name.startswith("b")
    )


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda rng: he_normal(rng, (0, 3)),
            ArgumentError,
            "he_normal: n_in must be an integer of at least 1, got 0",
        ),
        (
            lambda rng: chrono_bias(rng, 3, 1),
            ArgumentError,
            "chrono_bias: longest must be an integer of at least 2, got 1",
        ),
        (
            lambda rng: chrono_bias(rng, 3, 9, int),
            DTypeError,
            "chrono_bias: dtype must be float32 or float64, got int64",
        ),
        (
            lambda rng: init_gru(rng, 3, 5, reset="both"),
            ArgumentError,
            "init_gru: reset must be .*, got 'both'",
        ),
        (
            lambda rng: init_rnn(rng, 3, 0),
            ArgumentError,
            "init_rnn: H must be an integer of at least 1, got 0",
        ),
    ],
)
def test_what_does_not_fit_the_others_is_named(call, error, message):
    with pytest.raises(error, match=f"^{message}"):
        call(np.random.default_rng(0))

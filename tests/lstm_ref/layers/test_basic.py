import numpy as np
import pytest
import tensorflow as tf
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from lstm_ref import (
    ArgumentError,
    DTypeError,
    NotFiniteError,
    ShapeError,
    affine_backward,
    affine_forward,
    bidirectional_backward,
    bidirectional_forward,
    check_gradients,
    dropout_backward,
    dropout_forward,
    embedding_backward,
    embedding_forward,
    lstm_backward,
    lstm_forward,
    lstm_step,
    lstm_step_backward,
    masked_lstm_backward,
    masked_lstm_forward,
    padding_mask,
    reverse_sequences,
    stacked_backward,
    stacked_forward,
)
from lstm_ref.frameworks.convert import convert
from lstm_ref.frameworks.keras import keras_lstm

WEIGHTS = ("Wx", "Wh", "b")
sizes = st.integers(1, 5)
# Lengths in a batch of T = 6: the longest full, one of one step, two alike, and out of order.
LENGTHS = np.array([4, 6, 1, 4, 3])


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """These arrays are tiny: on a busy machine, threads wait for each other many times longer than
    they compute.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def normal(*shape, seed=0, dtype=np.float64):
    return np.random.default_rng(seed).normal(size=shape).astype(dtype)


def weights_of(D, H, seed=0, dtype=np.float64):
    """Weights of one LSTM of order 0.5."""
    rng = np.random.default_rng(seed)
    shapes = {"Wx": (D, 4 * H), "Wh": (H, 4 * H), "b": (4 * H,)}
    return {name: (0.5 * rng.normal(size=shape)).astype(dtype) for name, shape in shapes.items()}


def masks(N, T):
    """Masks of every make, those without a single valid step included."""
    return st.lists(st.lists(st.booleans(), min_size=T, max_size=T), min_size=N, max_size=N).map(
        np.array
    )


@st.composite
def masked_layers(draw_value):
    """Arguments of masked_lstm_forward by name."""
    N, T, D, H = (draw_value(sizes) for _ in range(4))
    seed = draw_value(st.integers(0, 100))
    layer = {
        "x": normal(N, T, D, seed=seed),
        "h0": normal(N, H, seed=seed + 1),
        "c0": normal(N, H, seed=seed + 2),
    }
    return {**layer, **weights_of(D, H, seed), "mask": draw_value(masks(N, T))}


def flat(grads, argument):
    """{"dx": …, "dlayers[0].Wx": …} of gradients that hold dicts of weights."""
    arrays = {name: array for name, array in grads._asdict().items() if name != argument}
    return arrays | {
        f"d{argument}[{k}].{name}": array
        for k, block in enumerate(getattr(grads, argument))
        for name, array in block.items()
    }


# --- Embedding, affine
# --------------------------------------------------------------------------------------------------


@given(N=sizes, T=sizes, V=sizes, D=sizes, seed=st.integers(0, 100))
def test_embedding_is_the_product_with_one_hot_vectors_both_ways(assert_same, N, T, V, D, seed):
    ids = np.random.default_rng(seed).integers(V, size=(N, T))
    W, dout = normal(V, D, seed=seed), normal(N, T, D, seed=seed + 1)
    out, cache = embedding_forward(ids, W)
    one_hot = np.eye(V)[ids]
    expected = {"out": one_hot @ W, "dW": np.einsum("ntv,ntd->vd", one_hot, dout)}
    assert_same({"out": out, "dW": embedding_backward(dout, cache)}, expected, 1e-14)


def test_embedding_agrees_with_torch_where_words_come_again(assert_same):
    ids = np.array([[0, 2, 2], [2, 0, 4]])
    W, dout = normal(5, 3), normal(2, 3, 3, seed=1)
    leaf = torch.tensor(W, requires_grad=True)
    right = torch.nn.functional.embedding(torch.from_numpy(ids), leaf)
    right.backward(torch.from_numpy(dout))
    out, cache = embedding_forward(ids, W)
    got = {"out": out, "dW": embedding_backward(dout, cache)}
    assert_same(got, {"out": right.detach().numpy(), "dW": leaf.grad.numpy()}, 1e-14)
    assert not got["dW"][[1, 3]].any()  # words that do not stand in the batch


def test_embedding_keeps_float32_and_its_cache_and_changes_nothing():
    ids, W, dout = (
        np.array([[1, 1]]),
        normal(3, 2, dtype=np.float32),
        normal(1, 2, 2, dtype=np.float32),
    )
    for array in (ids, W, dout):
        array.flags.writeable = False
    out, cache = embedding_forward(ids, W)
    dW = embedding_backward(dout, cache)
    assert out.dtype == dW.dtype == np.float32
    writeable = ids.copy()
    out, cache = embedding_forward(writeable, W)
    writeable[:], out[:] = 0, 0
    np.testing.assert_array_equal(embedding_backward(dout, cache), dW)
    assert W.any()


@pytest.mark.parametrize(
    ("ids", "error", "message"),
    [
        (np.array([[0, 5]]), ArgumentError, "ids must lie from 0 to V-1 = 4, got 0 to 5"),
        (np.array([[-1, 3]]), ArgumentError, "ids must lie from 0 to V-1 = 4, got -1 to 3"),
        (
            np.array([[0.0]]),
            DTypeError,
            "ids must be an array of integers, got float64; use np.asarray(ids, np.int64)",
        ),
        ([[0]], DTypeError, "ids must be an array of integers, got list"),
        (np.array([1, 2]), ShapeError, "ids must be (N, T) with every size at least 1, got (2,)"),
        (
            np.zeros((2, 0), int),
            ShapeError,
            "ids must be (N, T) with every size at least 1, got (2, 0)",
        ),
    ],
)
def test_numbers_of_words_that_do_not_fit_are_named(ids, error, message):
    with pytest.raises(error) as caught:
        embedding_forward(ids, normal(5, 3))
    assert str(caught.value).startswith(f"embedding_forward: {message}")


@pytest.mark.parametrize("shape", [(3,), (2, 3), (1, 1), (4, 1)])
@given(n_in=sizes, n_out=sizes, seed=st.integers(0, 100))
def test_affine_is_that_of_torch_and_its_gradients_are_derivatives(
    assert_same, shape, n_in, n_out, seed
):
    arguments = {
        "x": normal(*shape, n_in, seed=seed),
        "W": normal(n_in, n_out, seed=seed),
        "b": normal(n_out),
    }
    dout = normal(*shape, n_out, seed=seed + 1)
    leaves = {name: torch.tensor(array, requires_grad=True) for name, array in arguments.items()}
    right = torch.nn.functional.linear(leaves["x"], leaves["W"].T, leaves["b"])
    right.backward(torch.from_numpy(dout))
    out, cache = affine_forward(**arguments)
    grads = affine_backward(dout, cache)
    expected = {
        "out": right.detach().numpy(),
        **{f"d{name}": leaf.grad.numpy() for name, leaf in leaves.items()},
    }
    assert_same({"out": out, **grads._asdict()}, expected, 1e-13)
    check_gradients(
        lambda p: np.sum(affine_forward(**p)[0] * dout),
        arguments,
        dict(zip("xWb", grads, strict=True)),
    )


def test_affine_keeps_float32_and_its_cache_and_changes_nothing():
    x, W, b, dout = (
        normal(*shape, dtype=np.float32) for shape in ((2, 3, 4), (4, 5), (5,), (2, 3, 5))
    )
    for array in (W, b, dout):
        array.flags.writeable = False
    out, cache = affine_forward(x, W, b)
    expected = affine_backward(dout, cache)
    assert {array.dtype for array in (out, *expected)} == {np.dtype(np.float32)}
    x[:], out[:] = 99, 99
    for got, right in zip(affine_backward(dout, cache), expected, strict=True):
        np.testing.assert_array_equal(got, right)


def test_affine_names_what_does_not_fit():
    x, W, b = normal(2, 3, 4), normal(4, 5), normal(5)
    with pytest.raises(
        ShapeError,
        match=r"^affine_forward: W must be \(n_in, n_out\) = \(4, 5\), got \(5, 4\); .* W\.T",
    ):
        affine_forward(x, W.T, b)
    with pytest.raises(
        ShapeError, match=r"^affine_forward: x must be \(N, T, n_in\) .* it has 1 axes instead of 3"
    ):
        affine_forward(x[0, 0], W, b)
    with pytest.raises(NotFiniteError, match="^affine_forward: b must be finite"):
        affine_forward(x, W, b * np.nan)
    _, cache = affine_forward(x, W, b)
    with pytest.raises(
        ShapeError,
        match=r"^affine_backward: dout must be \(N, T, n_out\) = \(2, 3, 5\), got \(3, 2, 5\)",
    ):
        affine_backward(normal(3, 2, 5), cache)
    with pytest.raises(
        ArgumentError,
        match="cache must be the AffineCache that affine_forward returned, got ndarray",
    ):
        affine_backward(normal(2, 3, 5), x)


# --- Dropout
# --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("variational", [False, True])
def test_dropout_keeps_the_mean_and_drops_at_its_rate(variational):
    x = np.ones((400, 5, 60))
    out, _ = dropout_forward(x, 0.3, np.random.default_rng(0), variational=variational)
    kept = out != 0
    assert kept.mean() == pytest.approx(0.7, abs=0.01)
    np.testing.assert_allclose(out[kept], 1 / 0.7, rtol=1e-15)
    assert out.mean() == pytest.approx(1, abs=0.015)
    same_at_all_steps = (kept == kept[:, :1]).all(axis=1).mean()
    # by chance: 0.7**5 + 0.3**5 = 0.17
    assert same_at_all_steps == 1 if variational else same_at_all_steps < 0.3
    assert not (kept == kept[:1]).all()  # each sequence has its own


@pytest.mark.parametrize("variational", [False, True])
@given(N=sizes, T=sizes, D=sizes, rate=st.floats(0, 0.9), seed=st.integers(0, 100))
def test_gradient_of_dropout_is_its_derivative(variational, N, T, D, rate, seed):
    x, dout = normal(N, T, D, seed=seed), normal(N, T, D, seed=seed + 1)

    def forward(x):
        return dropout_forward(x, rate, np.random.default_rng(seed), variational=variational)

    check_gradients(
        lambda p: np.sum(forward(p["x"])[0] * dout),
        {"x": x},
        {"x": dropout_backward(dout, forward(x)[1])},
    )


@pytest.mark.parametrize(
    ("rate", "rng", "training"),
    [(0.9, None, False), (0.9, 1, False), (0.0, None, True), (0.0, 1, True)],
)
def test_dropout_in_evaluation_or_at_rate_0_changes_nothing_and_draws_nothing(rate, rng, training):
    rng = np.random.default_rng(rng) if rng else None
    x = normal(2, 3, 4)
    out, cache = dropout_forward(x, rate, rng, training=training)
    np.testing.assert_array_equal(out, x)
    np.testing.assert_array_equal(dropout_backward(x, cache), x)
    assert not np.shares_memory(out, x) and not np.shares_memory(dropout_backward(x, cache), x)
    assert rng is None or rng.random() == np.random.default_rng(1).random()


def test_same_seed_drops_the_same_numbers_in_both_precisions():
    x = normal(2, 3, 4)
    out, cache = dropout_forward(x.astype(np.float32), 0.5, np.random.default_rng(3))
    exact, _ = dropout_forward(x, 0.5, np.random.default_rng(3))
    assert out.dtype == cache.scale.dtype == dropout_backward(out, cache).dtype == np.float32
    np.testing.assert_allclose(out, exact, rtol=1e-6)
    assert (dropout_forward(x, 0.5, np.random.default_rng(4))[0] != exact).any()


def test_dropout_leaves_its_arguments_and_owns_its_cache():
    x, dout = normal(2, 3), normal(2, 3, seed=1)
    x.flags.writeable = dout.flags.writeable = False
    out, cache = dropout_forward(x, 0.5, np.random.default_rng(0))
    expected = dropout_backward(dout, cache)
    out[:] = 99
    np.testing.assert_array_equal(dropout_backward(dout, cache), expected)


def test_dropout_names_what_does_not_fit():
    x, rng = normal(2, 3), np.random.default_rng(0)
    for rate in (-0.1, 1, 1.5, np.nan):
        with pytest.raises(
            ArgumentError,
            match=f"^dropout_forward: rate must be at least 0 and below 1, got {rate}",
        ):
            dropout_forward(x, rate, rng)
    with pytest.raises(
        ArgumentError,
        match=r"^dropout_forward: rng must be a numpy\.random\.Generator .* got NoneType",
    ):
        dropout_forward(x, 0.5, None)
    with pytest.raises(
        ShapeError, match=r"^dropout_forward: x must be \(N, T, D\) .* it has 2 axes instead of 3"
    ):
        dropout_forward(x, 0.5, rng, variational=True)
    _, cache = dropout_forward(x, 0.5, rng)
    with pytest.raises(
        ShapeError,
        match=r"^dropout_backward: dout must have the shape of x = \(2, 3\), got \(3, 2\)",
    ):
        dropout_backward(x.T, cache)
    with pytest.raises(ArgumentError, match="cache must be the DropoutCache"):
        dropout_backward(x, x)


# --- Masks
# --------------------------------------------------------------------------------------------------


@given(st.lists(st.integers(0, 6), min_size=1, max_size=5))
def test_padding_mask_has_as_many_valid_steps_as_the_lengths_say(lengths):
    right, left = (padding_mask(np.array(lengths), 6, side) for side in ("right", "left"))
    for n, length in enumerate(lengths):
        assert right[n].tolist() == [True] * length + [False] * (6 - length)
        assert left[n].tolist() == [False] * (6 - length) + [True] * length


@pytest.mark.parametrize("side", ["right", "left"])
def test_reversed_sequences_keep_their_padding_in_place(side):
    x = normal(5, 6, 2)
    mask = padding_mask(LENGTHS, 6, side)
    got = reverse_sequences(x, mask)
    for n in range(5):
        np.testing.assert_array_equal(got[n, mask[n]], x[n, mask[n]][::-1])
        np.testing.assert_array_equal(got[n, ~mask[n]], x[n, ~mask[n]])
    np.testing.assert_array_equal(reverse_sequences(got, mask), x)
    np.testing.assert_array_equal(reverse_sequences(x), x[:, ::-1])
    assert not np.shares_memory(reverse_sequences(x[:, :1]), x)


def test_lengths_and_masks_that_do_not_fit_are_named(draw):
    with pytest.raises(
        ArgumentError, match="^padding_mask: lengths must lie from 0 to T = 3, got 1 to 4"
    ):
        padding_mask(np.array([1, 4]), 3)
    with pytest.raises(
        ArgumentError, match='^padding_mask: side must be "right" or "left", got \'both\''
    ):
        padding_mask(np.array([1]), 3, "both")
    with pytest.raises(
        DTypeError, match="^padding_mask: lengths must be an array of integers, got float64"
    ):
        padding_mask(np.array([1.0]), 3)
    with pytest.raises(
        ShapeError, match=r"^padding_mask: lengths must be \(N,\) with N at least 1, got \(1, 1\)"
    ):
        padding_mask(np.array([[1]]), 3)
    layer = draw(2, 3, 4, 5)
    with pytest.raises(
        DTypeError, match="^masked_lstm_forward: mask must be an array of bool, .* got int64"
    ):
        masked_lstm_forward(**layer, mask=np.array([2, 3]))
    with pytest.raises(
        ShapeError,
        match=r"^masked_lstm_forward: mask must be \(N, T\) = \(2, 3\), got \(3, 2\); .* mask\.T",
    ):
        masked_lstm_forward(**layer, mask=np.ones((3, 2), bool))
    with pytest.raises(
        ShapeError, match=r"^reverse_sequences: mask must be \(N, T\) = \(2, 3\), got \(2, 4\)$"
    ):
        reverse_sequences(layer["x"], np.ones((2, 4), bool))


# --- Masked LSTM
# --------------------------------------------------------------------------------------------------


def masked_answer(layer, dh, dcT, dhT):
    h, (hT, cT), cache = masked_lstm_forward(**layer)
    return {"h": h, "hT": hT, "cT": cT, **masked_lstm_backward(dh, cache, dcT, dhT)._asdict()}


def last_gradients(layer):
    """dh, dcT, dhT for a layer."""
    (N, T, _), H = layer["x"].shape, len(layer["Wh"])
    return normal(N, T, H, seed=7), normal(N, H, seed=8), normal(N, H, seed=9)


@given(masked_layers())
def test_masked_step_passes_the_state_on_forward_and_backward(assert_same, layer):
    """Against the definition, step by step: the state is chosen, and not computed, where a step is
    masked.
    """
    dh, dcT, dhT = last_gradients(layer)
    x, mask = layer["x"], layer["mask"]
    weights = [layer[name] for name in WEIGHTS]
    h, c, outputs, caches = layer["h0"], layer["c0"], [], []
    for t in range(x.shape[1]):
        valid = mask[:, t, np.newaxis]
        h_new, c_new, cache = lstm_step(x[:, t], h, c, *weights)
        h, c = np.where(valid, h_new, h), np.where(valid, c_new, c)
        outputs.append(np.where(valid, h, 0))
        caches.append(cache)
    expected = {"h": np.stack(outputs, axis=1), "hT": h, "cT": c}
    dh_next, dc_next, dx, sums = dhT, dcT, np.empty_like(x), [0, 0, 0]
    for t in reversed(range(x.shape[1])):
        valid = mask[:, t, np.newaxis]
        step = lstm_step_backward(valid * (dh[:, t] + dh_next), valid * dc_next, caches[t])
        dh_next, dc_next = step.dh_prev + ~valid * dh_next, step.dc_prev + ~valid * dc_next
        dx[:, t] = step.dx
        sums = [total + grad for total, grad in zip(sums, step[3:], strict=True)]
    expected |= {
        "dx": dx,
        "dh0": dh_next,
        "dc0": dc_next,
        **dict(zip(("dWx", "dWh", "db"), sums, strict=True)),
    }
    assert_same(masked_answer(layer, dh, dcT, dhT), expected, 1e-13)


@given(masked_layers())
def test_backward_of_a_masked_layer_is_the_derivative_for_every_argument(layer):
    dh, dcT, dhT = last_gradients(layer)
    mask = layer.pop("mask")

    def loss(params):
        h, (hT, cT), _ = masked_lstm_forward(**params, mask=mask)
        return np.sum(h * dh) + np.sum(cT * dcT) + np.sum(hT * dhT)

    _, _, cache = masked_lstm_forward(**layer, mask=mask)
    grads = masked_lstm_backward(dh, cache, dcT, dhT)
    check_gradients(loss, layer, {name: getattr(grads, f"d{name}") for name in layer})


@pytest.mark.parametrize("side", ["right", "left"])
def test_each_sequence_of_a_ragged_batch_is_what_it_is_alone(draw, side):
    layer = draw(5, 6, 3, 4)
    mask = padding_mask(LENGTHS, 6, side)
    dh, dcT, dhT = last_gradients(layer)
    got = masked_answer(layer | {"mask": mask}, dh, dcT, dhT)
    for n, length in enumerate(LENGTHS):
        alone = {name: layer[name][n : n + 1] for name in ("h0", "c0")} | {
            name: layer[name] for name in WEIGHTS
        }
        h, (hT, cT), cache = lstm_forward(layer["x"][n : n + 1, mask[n]], **alone)
        dh_alone = dh[n : n + 1, mask[n]]
        dh_alone[:, -1] += dhT[n]
        grads = lstm_backward(dh_alone, cache, dcT[n : n + 1])
        np.testing.assert_allclose(got["h"][n, mask[n]], h[0], rtol=0, atol=1e-14)
        for name, right in (("hT", hT), ("cT", cT), ("dh0", grads.dh0), ("dc0", grads.dc0)):
            np.testing.assert_allclose(got[name][n], right[0], rtol=0, atol=1e-13, err_msg=name)
        np.testing.assert_allclose(got["dx"][n, mask[n]], grads.dx[0], rtol=0, atol=1e-13)
        assert length == mask[n].sum() == h.shape[1]


@pytest.mark.parametrize("side", ["right", "left"])
def test_what_stands_in_the_padding_changes_nothing_and_gets_no_gradient(draw, side):
    layer = draw(5, 6, 3, 4) | {"mask": padding_mask(LENGTHS, 6, side)}
    padding = ~layer["mask"]
    dh, dcT, dhT = last_gradients(layer)
    got = masked_answer(layer, dh, dcT, dhT)
    assert not got["h"][padding].any() and not got["dx"][padding].any()
    x, dh_other = layer["x"].copy(), dh.copy()
    x[padding], dh_other[padding] = 1e30, -1e30
    for name, array in masked_answer(layer | {"x": x}, dh_other, dcT, dhT).items():
        np.testing.assert_array_equal(array, got[name])


def test_layer_without_padding_is_the_plain_one(draw):
    layer = draw(3, 5, 2, 4)
    dh, dcT, dhT = last_gradients(layer)
    h, (hT, cT), cache = lstm_forward(**layer)
    dh_all = dh.copy()
    dh_all[:, -1] += dhT
    expected = {"h": h, "hT": hT, "cT": cT, **lstm_backward(dh_all, cache, dcT)._asdict()}
    for mask in (None, np.ones((3, 5), bool)):
        for name, array in masked_answer(layer | {"mask": mask}, dh, dcT, dhT).items():
            np.testing.assert_array_equal(array, expected[name])
    _, _, cache = masked_lstm_forward(**layer)
    zeros = np.zeros((3, 4))
    for got, right in zip(
        masked_lstm_backward(dh, cache), masked_lstm_backward(dh, cache, zeros, zeros), strict=True
    ):
        np.testing.assert_array_equal(got, right)


def test_sequence_without_a_valid_step_keeps_its_state(draw):
    layer = draw(2, 3, 4, 5) | {"mask": np.zeros((2, 3), bool)}
    dh, dcT, dhT = last_gradients(layer)
    got = masked_answer(layer, dh, dcT, dhT)
    for name, right in (("hT", layer["h0"]), ("cT", layer["c0"]), ("dh0", dhT), ("dc0", dcT)):
        np.testing.assert_array_equal(got[name], right)
    assert not any(got[name].any() for name in ("h", "dx", "dWx", "dWh", "db"))


def torch_module(layers, D, H, bidirectional=False):
    """A torch.nn.LSTM; layers: for each layer, the weights of each direction."""
    lstm = torch.nn.LSTM(
        D, H, len(layers), batch_first=True, bidirectional=bidirectional, dtype=torch.float64
    )
    state = {}
    for k, directions in enumerate(layers):
        for suffix, params in zip((f"_l{k}", f"_l{k}_reverse"), directions, strict=False):
            for name, array in convert(params, "here", "pytorch").items():
                state[name.replace("_l0", suffix)] = torch.from_numpy(array)
    lstm.load_state_dict(state)
    return lstm


def torch_weight_grads(lstm, suffix):
    names = {"Wx": "weight_ih", "Wh": "weight_hh", "b": "bias_ih"}
    return {
        name: getattr(lstm, f"{theirs}{suffix}").grad.numpy().T for name, theirs in names.items()
    }


def run_torch(lstm, x, h0, c0, dh, dcT, dhT, lengths=None):
    """Results and gradients of a torch.nn.LSTM over a right-padded batch; states (layers, N, H)."""
    leaves = [torch.tensor(array, requires_grad=True) for array in (x, h0, c0)]
    given_x = leaves[0]
    if lengths is not None:
        given_x = pack_padded_sequence(
            given_x, torch.from_numpy(lengths), batch_first=True, enforce_sorted=False
        )
    h, (hT, cT) = lstm(given_x, (leaves[1], leaves[2]))
    if lengths is not None:
        h, _ = pad_packed_sequence(h, batch_first=True, total_length=x.shape[1])
    torch.autograd.backward([h, cT, hT], [torch.from_numpy(array) for array in (dh, dcT, dhT)])
    results = {"h": h, "hT": hT, "cT": cT}
    grads = {
        f"d{name}": leaf.grad.numpy() for name, leaf in zip(("x", "h0", "c0"), leaves, strict=True)
    }
    return {name: tensor.detach().numpy() for name, tensor in results.items()} | grads


@pytest.mark.parametrize("lengths", [LENGTHS, np.array([2, 6]), np.array([6]), np.array([1, 1, 6])])
def test_packed_sequences_of_torch_give_the_same_numbers_forward_and_backward(
    draw, assert_same, lengths
):
    layer = draw(len(lengths), 6, 3, 4)
    dh, dcT, dhT = last_gradients(layer)
    params = {name: layer[name] for name in WEIGHTS}
    lstm = torch_module([[params]], 3, 4)
    states = (layer["h0"][None], layer["c0"][None])
    expected = run_torch(lstm, layer["x"], *states, dh, dcT[None], dhT[None], lengths)
    expected = {
        name: array if name in ("h", "dx") else array[0] for name, array in expected.items()
    }
    expected |= {f"d{name}": grad for name, grad in torch_weight_grads(lstm, "_l0").items()}
    assert_same(
        masked_answer(layer | {"mask": padding_mask(lengths, 6)}, dh, dcT, dhT), expected, 1e-12
    )


@pytest.mark.parametrize("side", ["right", "left"])
def test_mask_of_keras_gives_the_same_numbers_forward_and_backward(draw, assert_same, side):
    layer = draw(5, 6, 3, 4)
    mask = padding_mask(LENGTHS, 6, side)
    dh, dcT, dhT = last_gradients(layer)
    lstm = keras_lstm(
        {name: layer[name] for name in WEIGHTS}, zero_output_for_mask=True, use_cudnn=False
    )
    leaves = {name: tf.Variable(layer[name]) for name in ("x", "h0", "c0")}
    with tf.GradientTape() as tape:
        h, hT, cT = lstm(
            leaves["x"], initial_state=[leaves["h0"], leaves["c0"]], mask=tf.constant(mask)
        )
        loss = tf.reduce_sum(h * dh) + tf.reduce_sum(cT * dcT) + tf.reduce_sum(hT * dhT)
    variables = [*leaves.values(), *(v.value for v in lstm.trainable_variables)]
    grads = dict(
        zip(
            (*leaves, *WEIGHTS),
            (tf.convert_to_tensor(g) for g in tape.gradient(loss, variables)),
            strict=True,
        )
    )
    expected = {"h": h, "hT": hT, "cT": cT, **{f"d{name}": grad for name, grad in grads.items()}}
    expected = {name: tensor.numpy() for name, tensor in expected.items()}
    assert_same(masked_answer(layer | {"mask": mask}, dh, dcT, dhT), expected, 1e-12)


def test_keras_repeats_the_last_output_by_default_and_nothing_else_differs(draw):
    layer = draw(5, 6, 3, 4)
    mask = padding_mask(LENGTHS, 6)
    h, (hT, cT), _ = masked_lstm_forward(**layer, mask=mask)
    lstm = keras_lstm({name: layer[name] for name in WEIGHTS}, use_cudnn=False)
    theirs = lstm(layer["x"], initial_state=[layer["h0"], layer["c0"]], mask=tf.constant(mask))
    repeated = np.where(
        mask[:, :, np.newaxis], h, hT[:, np.newaxis]
    )  # padding on the right: hT is the last valid output
    for got, right in zip(theirs, (repeated, hT, cT), strict=True):
        np.testing.assert_allclose(got, right, rtol=0, atol=1e-14)


def test_masked_layer_keeps_float32_and_changes_nothing(draw):
    layer = draw(5, 6, 3, 4, dtype=np.float32) | {"mask": padding_mask(LENGTHS, 6)}
    gradients = [array.astype(np.float32) for array in last_gradients(layer)]
    for array in (*layer.values(), *gradients):
        array.flags.writeable = False
    small = masked_answer(layer, *gradients)
    assert {array.dtype for array in small.values()} == {np.dtype(np.float32)}
    exact = {
        name: array if name == "mask" else array.astype(np.float64) for name, array in layer.items()
    }
    for name, right in masked_answer(
        exact, *(array.astype(np.float64) for array in gradients)
    ).items():
        np.testing.assert_allclose(
            small[name], right, rtol=0, atol=1e-5 * np.abs(right).max(), err_msg=name
        )


@pytest.mark.parametrize(("N", "T"), [(1, 1), (3, 4)])
def test_masked_cache_owns_all_but_the_weights_and_results_share_no_memory(draw, N, T):
    layer = draw(N, T, 1, 1) | {"mask": padding_mask(np.arange(N) % T + 1, T)}
    dh, dcT, dhT = last_gradients(layer)
    h, (hT, cT), cache = masked_lstm_forward(**layer)
    expected = masked_lstm_backward(dh, cache, dcT, dhT)
    results = (h, hT, cT, *expected)
    for k, result in enumerate(results):
        assert not any(
            np.shares_memory(result, other)
            for other in (*layer.values(), dh, dcT, dhT, *results[:k])
        )
    for array in (h, hT, cT, layer["x"], layer["h0"], layer["c0"], layer["b"]):
        array[:] = 99
    layer["mask"][:] = False
    for got, right in zip(masked_lstm_backward(dh, cache, dcT, dhT), expected, strict=True):
        np.testing.assert_array_equal(got, right)


def test_masked_layer_names_what_does_not_fit(draw):
    layer = draw(2, 3, 4, 5)
    with pytest.raises(
        ShapeError, match=r"^masked_lstm_forward: h0 must be \(N, H\) = \(2, 5\), got \(5, 2\)"
    ):
        masked_lstm_forward(**(layer | {"h0": layer["h0"].T}))
    _, _, cache = masked_lstm_forward(**layer)
    dh, dcT, dhT = last_gradients(layer)
    with pytest.raises(
        ShapeError,
        match=r"^masked_lstm_backward: dh must be \(N, T, H\) = \(2, 3, 5\), got \(3, 2, 5\)",
    ):
        masked_lstm_backward(dh.swapaxes(0, 1), cache)
    with pytest.raises(
        ShapeError, match=r"^masked_lstm_backward: dcT must be \(N, H\) = \(2, 5\), got \(5, 2\)"
    ):
        masked_lstm_backward(dh, cache, dcT.T)
    with pytest.raises(
        ShapeError, match=r"^masked_lstm_backward: dhT must be \(N, H\) = \(2, 5\), got \(5, 2\)"
    ):
        masked_lstm_backward(dh, cache, dcT, dhT.T)
    with pytest.raises(DTypeError, match=r"^masked_lstm_backward: .*cache\.Wx float64"):
        masked_lstm_backward(*(a.astype(np.float32) if a is dh else a for a in (dh, cache)))
    _, _, plain = lstm_forward(**layer)
    with pytest.raises(
        ArgumentError,
        match="must be the MaskedCache that masked_lstm_forward returned, got SequenceCache",
    ):
        masked_lstm_backward(dh, plain)


# --- Bidirectional and stacked
# -------------------------------------------------------------------------------------------


def both_directions(N=5, T=6, D=3, H=4, seed=0, dtype=np.float64):
    """Arguments of bidirectional_forward, and gradients dh, dcT, dhT."""
    states = (
        normal(2, N, H, seed=seed + 1, dtype=dtype),
        normal(2, N, H, seed=seed + 2, dtype=dtype),
    )
    directions = [weights_of(D, H, seed + k, dtype) for k in range(2)]
    x, dh = normal(N, T, D, seed=seed, dtype=dtype), normal(N, T, 2 * H, seed=7, dtype=dtype)
    gradients = dh, normal(2, N, H, seed=8, dtype=dtype), normal(2, N, H, seed=9, dtype=dtype)
    return {"x": x, "h0": states[0], "c0": states[1], "directions": directions}, gradients


def stack(N=5, T=6, D=3, H=4, L=2, seed=0, dtype=np.float64):
    """Arguments of stacked_forward, and gradients dh, dcT, dhT."""
    states = (
        normal(L, N, H, seed=seed + 1, dtype=dtype),
        normal(L, N, H, seed=seed + 2, dtype=dtype),
    )
    layers = [weights_of(H if k else D, H, seed + k, dtype) for k in range(L)]
    x, dh = normal(N, T, D, seed=seed, dtype=dtype), normal(N, T, H, seed=7, dtype=dtype)
    gradients = dh, normal(L, N, H, seed=8, dtype=dtype), normal(L, N, H, seed=9, dtype=dtype)
    return {"x": x, "h0": states[0], "c0": states[1], "layers": layers}, gradients


def deep_answer(arguments, gradients, argument, **options):
    """Results and gradients by name, of a bidirectional layer or of a stack."""
    kind = {
        "directions": (bidirectional_forward, bidirectional_backward),
        "layers": (stacked_forward, stacked_backward),
    }
    forward, backward = kind[argument]
    h, (hT, cT), cache = forward(**arguments, **options)
    return {
        "h": h,
        "hT": hT,
        "cT": cT,
        **flat(backward(gradients[0], cache, *gradients[1:]), argument),
    }


@pytest.mark.parametrize("lengths", [None, LENGTHS])
def test_bidirectional_layer_of_torch_gives_the_same_numbers(assert_same, lengths):
    arguments, gradients = both_directions()
    lstm = torch_module([arguments["directions"]], 3, 4, bidirectional=True)
    expected = run_torch(
        lstm, *(arguments[name] for name in ("x", "h0", "c0")), *gradients, lengths
    )
    for k, suffix in enumerate(("_l0", "_l0_reverse")):
        grads = torch_weight_grads(lstm, suffix)
        expected |= {f"ddirections[{k}].{name}": grad for name, grad in grads.items()}
    mask = None if lengths is None else padding_mask(lengths, 6)
    assert_same(deep_answer(arguments, gradients, "directions", mask=mask), expected, 1e-12)


@pytest.mark.parametrize("lengths", [None, LENGTHS])
@pytest.mark.parametrize("L", [1, 2, 3])
def test_stack_of_torch_gives_the_same_numbers(assert_same, lengths, L):
    arguments, gradients = stack(L=L)
    lstm = torch_module([[params] for params in arguments["layers"]], 3, 4)
    expected = run_torch(
        lstm, *(arguments[name] for name in ("x", "h0", "c0")), *gradients, lengths
    )
    for k in range(L):
        expected |= {
            f"dlayers[{k}].{name}": grad
            for name, grad in torch_weight_grads(lstm, f"_l{k}").items()
        }
    mask = None if lengths is None else padding_mask(lengths, 6)
    assert_same(deep_answer(arguments, gradients, "layers", mask=mask), expected, 1e-12)


def test_two_bidirectional_layers_one_on_the_other_are_those_of_torch(assert_same):
    first, (_, *state_grads) = both_directions()
    second, (dh, *upper_grads) = both_directions(D=8, seed=5)
    lstm = torch_module([first["directions"], second["directions"]], 3, 4, bidirectional=True)
    both = [
        np.concatenate(pair) for pair in ((first["h0"], second["h0"]), (first["c0"], second["c0"]))
    ]
    last = [np.concatenate(pair) for pair in zip(state_grads, upper_grads, strict=True)]
    expected = run_torch(lstm, first["x"], *both, dh, *last, LENGTHS)
    mask = padding_mask(LENGTHS, 6)
    h, _, lower_cache = bidirectional_forward(**first, mask=mask)
    h, _, upper_cache = bidirectional_forward(**(second | {"x": h}), mask=mask)
    upper = bidirectional_backward(dh, upper_cache, *upper_grads)
    lower = bidirectional_backward(upper.dx, lower_cache, *state_grads)
    got = {"h": h, "dx": lower.dx, "dh0": np.concatenate([lower.dh0, upper.dh0])}
    assert_same(got, {name: expected[name] for name in got}, 1e-12)
    assert_same(lower.directions[1], torch_weight_grads(lstm, "_l0_reverse"), 1e-12)


@pytest.mark.parametrize("side", ["right", "left"])
def test_reverse_direction_starts_at_the_last_valid_step_of_each_sequence(side):
    arguments, _ = both_directions()
    mask = padding_mask(LENGTHS, 6, side)
    h, (hT, _), _ = bidirectional_forward(**arguments, mask=mask)
    for n in range(5):
        x = arguments["x"][n : n + 1, mask[n]][:, ::-1]
        h0, c0 = (arguments[name][1, n : n + 1] for name in ("h0", "c0"))
        alone, (last, _), _ = lstm_forward(x, h0, c0, **arguments["directions"][1])
        np.testing.assert_allclose(h[n, mask[n], 4:], alone[0, ::-1], rtol=0, atol=1e-14)
        np.testing.assert_allclose(hT[1, n], last[0], rtol=0, atol=1e-14)


def check_deep_gradients(arguments, gradients, argument, forward, backward, **options):
    """Gradient check of every argument, the weights block by block."""
    blocks = arguments[argument]
    params = {name: array for name, array in arguments.items() if name != argument}
    params |= {
        f"{argument}[{k}].{name}": array
        for k, block in enumerate(blocks)
        for name, array in block.items()
    }
    dh, dcT, dhT = gradients

    def run(params):
        weights = [
            {name: params[f"{argument}[{k}].{name}"] for name in block}
            for k, block in enumerate(blocks)
        ]
        drawn = {"rng": np.random.default_rng(3)} if "dropout" in options else {}
        return forward(*(params[name] for name in ("x", "h0", "c0")), weights, **options, **drawn)

    def loss(params):
        h, (hT, cT), _ = run(params)
        return np.sum(h * dh) + np.sum(cT * dcT) + np.sum(hT * dhT)

    grads = flat(backward(dh, run(params)[-1], dcT, dhT), argument)
    check_gradients(loss, params, {name: grads[f"d{name}"] for name in params})


@given(N=sizes, T=sizes, D=sizes, H=sizes, data=st.data())
@settings(max_examples=25)
def test_backward_of_both_directions_is_the_derivative_for_every_argument(N, T, D, H, data):
    arguments, gradients = both_directions(N, T, D, H)
    mask = data.draw(masks(N, T))
    check_deep_gradients(
        arguments, gradients, "directions", bidirectional_forward, bidirectional_backward, mask=mask
    )


@pytest.mark.parametrize("variational", [False, True])
@given(N=sizes, T=sizes, D=sizes, H=sizes, L=st.integers(1, 3), data=st.data())
@settings(max_examples=25)
def test_backward_of_a_stack_with_dropout_is_the_derivative_for_every_argument(
    variational, N, T, D, H, L, data
):
    arguments, gradients = stack(N, T, D, H, L)
    mask = data.draw(masks(N, T))
    check_deep_gradients(
        arguments,
        gradients,
        "layers",
        stacked_forward,
        stacked_backward,
        mask=mask,
        dropout=0.4,
        variational=variational,
    )


@pytest.mark.parametrize("variational", [False, True])
def test_dropout_stands_between_two_layers_and_nowhere_else(assert_same, variational):
    """Against two layers of torch, with what was dropped between them taken from the cache."""
    arguments, gradients = stack()
    dh, dcT, dhT = gradients
    options = {"dropout": 0.5, "variational": variational}
    h, _, cache = stacked_forward(**arguments, **options, rng=np.random.default_rng(0))
    (dropped,) = cache.dropouts
    assert dropped.scale.shape == (5, 1 if variational else 6, 4) and set(
        np.unique(dropped.scale)
    ) == {0, 2}
    lower, upper = (
        torch_module([[params]], D, 4)
        for params, D in zip(arguments["layers"], (3, 4), strict=True)
    )
    x, h0, c0 = (torch.tensor(arguments[name], requires_grad=True) for name in ("x", "h0", "c0"))
    between, (hT0, cT0) = lower(x, (h0[:1], c0[:1]))
    right, (hT1, cT1) = upper(between * torch.from_numpy(dropped.scale), (h0[1:], c0[1:]))
    last = [torch.cat(pair) for pair in ((cT0, cT1), (hT0, hT1))]
    torch.autograd.backward([right, *last], [torch.from_numpy(array) for array in gradients])
    grads = stacked_backward(dh, cache, dcT, dhT)
    got = {"h": h, "dx": grads.dx, "dh0": grads.dh0, "dc0": grads.dc0}
    tensors = {"h": right.detach(), "dx": x.grad, "dh0": h0.grad, "dc0": c0.grad}
    assert_same(got, {name: tensor.numpy() for name, tensor in tensors.items()}, 1e-12)
    assert_same(grads.layers[0], torch_weight_grads(lower, "_l0"), 1e-12)
    assert_same(grads.layers[1], torch_weight_grads(upper, "_l0"), 1e-12)


def test_stack_in_evaluation_drops_nothing_and_draws_nothing():
    arguments, _ = stack()
    rng = np.random.default_rng(0)
    h, _, _ = stacked_forward(**arguments, dropout=0.5, rng=rng, training=False)
    np.testing.assert_array_equal(h, stacked_forward(**arguments)[0])
    assert rng.random() == np.random.default_rng(0).random()
    assert (h != stacked_forward(**arguments, dropout=0.5, rng=rng)[0]).any()


@pytest.mark.parametrize(("make", "argument"), [(both_directions, "directions"), (stack, "layers")])
def test_deep_layers_keep_float32_and_change_nothing(make, argument):
    arguments, gradients = make(dtype=np.float32)
    weights = [array for block in arguments[argument] for array in block.values()]
    for array in (*(arguments[name] for name in ("x", "h0", "c0")), *weights, *gradients):
        array.flags.writeable = False
    small = deep_answer(arguments, gradients, argument, mask=padding_mask(LENGTHS, 6))
    exact = {
        name: array.astype(np.float64) for name, array in arguments.items() if name != argument
    }
    exact[argument] = [
        {name: a.astype(np.float64) for name, a in block.items()} for block in arguments[argument]
    ]
    expected = deep_answer(
        exact, [a.astype(np.float64) for a in gradients], argument, mask=padding_mask(LENGTHS, 6)
    )
    for name, right in expected.items():
        assert small[name].dtype == np.float32, name
        np.testing.assert_allclose(
            small[name], right, rtol=0, atol=1e-5 * np.abs(right).max(), err_msg=name
        )


@pytest.mark.parametrize(("make", "argument"), [(both_directions, "directions"), (stack, "layers")])
def test_deep_layers_own_their_caches_but_for_the_weights(make, argument):
    arguments, (dh, *last) = make()
    forward, backward = {
        "directions": (bidirectional_forward, bidirectional_backward),
        "layers": (stacked_forward, stacked_backward),
    }[argument]
    mask = padding_mask(LENGTHS, 6)
    h, (hT, cT), cache = forward(**arguments, mask=mask)
    expected = flat(backward(dh, cache, *last), argument)
    for array in (h, hT, cT, *(arguments[name] for name in ("x", "h0", "c0")), mask):
        array[:] = 1
    for name, got in flat(backward(dh, cache, *last), argument).items():
        np.testing.assert_array_equal(got, expected[name])


def test_deep_layers_name_what_does_not_fit():
    arguments, (dh, dcT, dhT) = stack()
    lower, upper = arguments["layers"]
    with pytest.raises(
        ShapeError,
        match=r'^stacked_forward: layers\[1\]\["Wx"\] must be \(H, 4H\) = \(4, 16\), got \(3, 16\)',
    ):
        stacked_forward(**(arguments | {"layers": [lower, lower]}))
    with pytest.raises(
        ShapeError, match=r"^stacked_forward: h0 must be \(2, N, H\) = \(2, 5, 4\), got \(1, 5, 4\)"
    ):
        stacked_forward(**(arguments | {"h0": arguments["h0"][:1]}))
    with pytest.raises(
        ArgumentError,
        match=r"^stacked_forward: layers\[0\] must have the names Wx, Wh, b; missing: b",
    ):
        stacked_forward(**(arguments | {"layers": [{"Wx": lower["Wx"], "Wh": lower["Wh"]}, upper]}))
    with pytest.raises(
        ArgumentError,
        match="^stacked_forward: layers must be at least one dict of weights in a list, got 0",
    ):
        stacked_forward(**(arguments | {"layers": []}))
    with pytest.raises(
        ArgumentError, match="^stacked_forward: layers must be .* in a list, got dict"
    ):
        stacked_forward(**(arguments | {"layers": lower}))
    with pytest.raises(
        ArgumentError, match="^stacked_forward: dropout must be at least 0 and below 1, got 1"
    ):
        stacked_forward(**arguments, dropout=1, rng=np.random.default_rng(0))
    with pytest.raises(
        ArgumentError, match="^stacked_forward: rng must be a numpy.random.Generator"
    ):
        stacked_forward(**arguments, dropout=0.5)
    with pytest.raises(
        ShapeError, match=r"^stacked_forward: mask must be \(N, T\) = \(5, 6\), got \(6, 5\)"
    ):
        stacked_forward(**arguments, mask=np.ones((6, 5), bool))
    _, _, cache = stacked_forward(**arguments)
    with pytest.raises(
        ShapeError,
        match=r"^stacked_backward: dh must be \(N, T, H\) = \(5, 6, 4\), got \(5, 6, 8\)",
    ):
        stacked_backward(np.zeros((5, 6, 8)), cache)
    with pytest.raises(
        ShapeError,
        match=r"^stacked_backward: dcT must be \(2, N, H\) = \(2, 5, 4\), got \(5, 2, 4\)",
    ):
        stacked_backward(dh, cache, dcT.swapaxes(0, 1), dhT)

    arguments, (dh, dcT, dhT) = both_directions()
    with pytest.raises(
        ArgumentError,
        match="^bidirectional_forward: directions must be 2 dicts of weights in a list, got 1",
    ):
        bidirectional_forward(**(arguments | {"directions": arguments["directions"][:1]}))
    with pytest.raises(
        ShapeError,
        match=r'^bidirectional_forward: directions\[1\]\["Wh"\] must be .* got \(16, 4\)',
    ):
        there, back = arguments["directions"]
        bidirectional_forward(**(arguments | {"directions": [there, back | {"Wh": back["Wh"].T}]}))
    _, _, cache = bidirectional_forward(**arguments)
    with pytest.raises(
        ShapeError,
        match=r"^bidirectional_backward: dh must be \(N, T, 2H\) = \(5, 6, 8\), got \(5, 6, 4\)",
    ):
        bidirectional_backward(dh[:, :, :4], cache)
    with pytest.raises(
        ShapeError,
        match=r"^bidirectional_backward: dhT must be \(2, N, H\) = \(2, 5, 4\), got \(2, 4, 5\)",
    ):
        bidirectional_backward(dh, cache, dcT, dhT.swapaxes(1, 2))
    with pytest.raises(
        ArgumentError,
        match="cache must be the BidirectionalCache that bidirectional_forward returned",
    ):
        bidirectional_backward(dh, (1, 2, 3))
    with pytest.raises(
        ArgumentError, match="cache must be the StackedCache that stacked_forward returned"
    ):
        stacked_backward(dh, (1, 2, 3))

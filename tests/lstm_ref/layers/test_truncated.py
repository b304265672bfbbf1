import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lstm_ref import (
    ArgumentError,
    ShapeError,
    lstm_backward,
    lstm_forward,
    padding_mask,
    segments,
    stacked_backward,
    stacked_forward,
    truncated_backward,
    truncated_forward,
)

sizes = st.integers(1, 4)
every_cell = pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])


def draw_problem(cell, N=3, T=7, D=2, H=4, seed=0):
    """Arguments of truncated_forward without length, then dh, dcT, dhT."""
    rng = np.random.default_rng(seed)
    blocks = {"lstm": 4, "gru": 3, "rnn": 1}[cell]
    shapes = {"Wx": (D, blocks * H), "Wh": (H, blocks * H), "b": (blocks * H,)} | (
        {"bh": (H,)} if cell == "gru" else {}
    )
    weights = {name: 0.5 * rng.normal(size=shape) for name, shape in shapes.items()}
    x, h0, c0, dh = (rng.normal(size=shape) for shape in ((N, T, D), (N, H), (N, H), (N, T, H)))
    arguments = {
        "x": x,
        "h0": h0,
        "c0": c0 if cell == "lstm" else None,
        "weights": weights,
        "cell": cell,
    }
    return (
        arguments,
        dh,
        rng.normal(size=(N, H)) if cell == "lstm" else None,
        rng.normal(size=(N, H)),
    )


def answer(arguments, length, dh, dcT, dhT, mask=None):
    h, (hT, cT), cache = truncated_forward(**arguments, length=length, mask=mask)
    dx, dh0, dc0, dw = truncated_backward(dh, cache, dcT, dhT)
    named = {
        "h": h,
        "hT": hT,
        "cT": cT,
        "dx": dx,
        "dh0": dh0,
        "dc0": dc0,
        **{f"d{name}": a for name, a in dw.items()},
    }
    return {name: array for name, array in named.items() if array is not None}


def whole(arguments, dh, dcT, dhT, mask=None):
    """The full gradient: a stack of one layer, over all time steps at once."""
    states = [None if arguments[name] is None else arguments[name][None] for name in ("h0", "c0")]
    cell = arguments["cell"]
    h, last, cache = stacked_forward(
        arguments["x"], *states, [arguments["weights"]], mask, cell=cell
    )
    grads = stacked_backward(dh, cache, None if dcT is None else dcT[None], dhT[None])
    named = {"hT": last[0], "cT": last[1], "dh0": grads.dh0, "dc0": grads.dc0}
    named = {name: array[0] for name, array in named.items() if array is not None}
    return {
        "h": h,
        "dx": grads.dx,
        **named,
        **{f"d{name}": array for name, array in grads.layers[0].items()},
    }


@every_cell
@given(N=sizes, T=st.integers(1, 7), D=sizes, H=sizes, seed=st.integers(0, 50), data=st.data())
@settings(max_examples=30)
def test_one_segment_is_the_full_gradient_and_more_carry_the_state(
    assert_same, cell, N, T, D, H, seed, data
):
    arguments, *gradients = draw_problem(cell, N, T, D, H, seed)
    mask = np.array(
        data.draw(st.lists(st.lists(st.booleans(), min_size=T, max_size=T), min_size=N, max_size=N))
    )
    expected = whole(arguments, *gradients, mask)
    assert_same(answer(arguments, T, *gradients, mask), expected, 1e-12)
    cut = answer(arguments, data.draw(st.integers(1, T)), *gradients, mask)
    forward = [name for name in ("h", "hT", "cT") if name in expected]
    assert_same(
        {name: cut[name] for name in forward}, {name: expected[name] for name in forward}, 1e-12
    )


@given(T=st.integers(1, 8), length=st.integers(1, 9), seed=st.integers(0, 50))
@settings(max_examples=30)
def test_gradient_is_that_of_torch_where_the_state_is_detached(assert_same, T, length, seed):
    arguments, dh, dcT, dhT = draw_problem("lstm", T=T, seed=seed)
    leaves = {name: torch.tensor(arguments[name], requires_grad=True) for name in ("x", "h0", "c0")}
    leaves |= {
        name: torch.tensor(array, requires_grad=True)
        for name, array in arguments["weights"].items()
    }
    h, c, outputs = leaves["h0"], leaves["c0"], []
    for t in range(T):
        if t > 0 and t % length == 0:
            h, c = h.detach(), c.detach()
        i, f, g, o = (leaves["x"][:, t] @ leaves["Wx"] + h @ leaves["Wh"] + leaves["b"]).chunk(
            4, dim=1
        )
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(c)
        outputs.append(h)
    roots = [torch.stack(outputs, dim=1), c, h]
    torch.autograd.backward(roots, [torch.from_numpy(array) for array in (dh, dcT, dhT)])
    expected = dict(zip(("h", "cT", "hT"), (root.detach().numpy() for root in roots), strict=True))
    expected |= {f"d{name}": leaf.grad.numpy() for name, leaf in leaves.items()}
    assert_same(answer(arguments, length, dh, dcT, dhT), expected, 1e-11)


def test_gradient_is_the_sum_over_segments_with_their_first_states_held_fixed(assert_same):
    arguments, dh, _, _ = draw_problem("lstm", T=7)
    state, sums = (arguments["h0"], arguments["c0"]), 0
    for part in segments(7, 3):
        _, state, cache = lstm_forward(arguments["x"][:, part], *state, **arguments["weights"])
        sums = sums + lstm_backward(dh[:, part], cache).dWh
    zeros = np.zeros((3, 4))
    got = answer(arguments, 3, dh, zeros, zeros)
    assert_same({"dWh": got["dWh"]}, {"dWh": sums}, 1e-13)
    assert np.abs(got["dWh"] - whole(arguments, dh, zeros, zeros)["dWh"]).max() > 0.01


@every_cell
def test_loss_reaches_back_to_the_start_of_its_segment_and_no_further(cell):
    arguments, dh, dcT, dhT = draw_problem(cell, T=7)
    dh[:, :-1] = 0  # the only loss stands at the last step
    got = answer(arguments, 3, dh, dcT, dhT)
    assert got["dx"][:, 6:].any() and not got["dx"][:, :6].any() and not got["dh0"].any()


def test_padding_at_the_start_of_a_segment_is_passed_over(assert_same):
    arguments, *gradients = draw_problem("lstm")
    mask = padding_mask(np.array([2, 7, 4]), 7, side="left")
    got = answer(arguments, 3, *gradients, mask)
    assert_same({"h": got["h"]}, {"h": whole(arguments, *gradients, mask)["h"]}, 1e-13)


def test_last_state_of_a_sequence_that_ended_earlier_is_a_given_number():
    arguments, dh, dcT, dhT = draw_problem("lstm")
    mask = padding_mask(np.array([2, 2, 2]), 7)
    cut, full = (answer(arguments, length, 0 * dh, dcT, dhT, mask) for length in (3, 7))
    assert not cut["dWx"].any() and full["dWx"].any()
    np.testing.assert_array_equal(cut["hT"], full["hT"])


def test_arguments_stay_and_float32_stays():
    arguments, *gradients = draw_problem("lstm")
    arguments |= {name: arguments[name].astype(np.float32) for name in ("x", "h0", "c0")}
    arguments["weights"] = {
        name: array.astype(np.float32) for name, array in arguments["weights"].items()
    }
    gradients = [array.astype(np.float32) for array in gradients]
    for array in (
        *gradients,
        *arguments["weights"].values(),
        *(arguments[name] for name in ("x", "h0", "c0")),
    ):
        array.flags.writeable = False
    assert {array.dtype for array in answer(arguments, 2, *gradients).values()} == {
        np.dtype(np.float32)
    }


def test_what_does_not_fit_is_named():
    arguments, dh, dcT, _ = draw_problem("gru")
    for length in (0, 2.5):
        with pytest.raises(
            ArgumentError, match=f"^segments: length must be an integer of at least 1, got {length}"
        ):
            segments(7, length)
    with pytest.raises(
        ArgumentError, match="^truncated_forward: weights must have the names .* too many: bh"
    ):
        truncated_forward(**(arguments | {"cell": "rnn"}), length=3)
    with pytest.raises(
        ShapeError, match=r"^truncated_forward: h0 must be \(N, H\) = \(3, 4\), got \(4, 3\)"
    ):
        truncated_forward(**(arguments | {"h0": arguments["h0"].T}), length=3)
    _, _, cache = truncated_forward(**arguments, length=3)
    with pytest.raises(
        ShapeError,
        match=r"^truncated_backward: dh must be \(N, T, H\) = \(3, 7, 4\), got \(3, 6, 4\)",
    ):
        truncated_backward(dh[:, :-1], cache)
    with pytest.raises(
        ArgumentError, match='^truncated_backward: dcT must be None where cell is "gru"'
    ):
        truncated_backward(dh, cache, dh[:, 0])
    with pytest.raises(
        ArgumentError,
        match="must be the TruncatedCache that truncated_forward returned, got ndarray",
    ):
        truncated_backward(dh, dh)

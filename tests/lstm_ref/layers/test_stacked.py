"""Two directions, and stacks, of GRUs and plain RNNs. Those of LSTMs, with dropout between layers,
stand in test_layers.
"""

import numpy as np
import pytest
import torch
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from lstm_ref import (
    ArgumentError,
    ShapeError,
    bidirectional_backward,
    bidirectional_forward,
    check_gradients,
    init_lstm,
    padding_mask,
    stacked_backward,
    stacked_forward,
)
from lstm_ref.torch import params_from_torch

N, T, D, H = 4, 6, 3, 5
LENGTHS = np.array([3, 6, 1, 4])
PAIRS = {
    "directions": (bidirectional_forward, bidirectional_backward),
    "layers": (stacked_forward, stacked_backward),
}


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """These arrays are tiny: on a busy machine, threads wait for each other many times longer than
    they compute.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def draw_deep(cell, argument, reset="after"):
    """x, h0 and two dicts of weights; then dh and dhT."""
    rng = np.random.default_rng(0)
    blocks = {"gru": 3, "rnn": 1}[cell]

    def weights(width):
        shapes = {"Wx": (width, blocks * H), "Wh": (H, blocks * H), "b": (blocks * H,)}
        if cell == "gru" and reset == "after":
            shapes["bh"] = (H,)
        return {name: 0.5 * rng.normal(size=shape) for name, shape in shapes.items()}

    dicts = [weights(D), weights(D if argument == "directions" else H)]
    x, h0 = rng.normal(size=(N, T, D)), rng.normal(size=(2, N, H))
    width = 2 * H if argument == "directions" else H
    return x, h0, dicts, rng.normal(size=(N, T, width)), rng.normal(size=(2, N, H))


@pytest.mark.parametrize("lengths", [None, LENGTHS])
@pytest.mark.parametrize("argument", PAIRS)
@pytest.mark.parametrize("cell", ["gru", "rnn"])
def test_torch_gives_the_same_numbers(assert_same, cell, argument, lengths):
    x, h0, dicts, dh, dhT = draw_deep(cell, argument)
    two = {"bidirectional": True} if argument == "directions" else {"num_layers": 2}
    module = {"gru": torch.nn.GRU, "rnn": torch.nn.RNN}[cell](
        D, H, batch_first=True, dtype=torch.float64, **two
    )
    suffixes = ("_l0", "_l0_reverse") if argument == "directions" else ("_l0", "_l1")
    state = {}
    for suffix, params in zip(suffixes, dicts, strict=True):
        bias_hh = np.zeros_like(params["b"])
        if cell == "gru":
            bias_hh[2 * H :] = params["bh"]
        theirs = {
            "weight_ih": params["Wx"].T,
            "weight_hh": params["Wh"].T,
            "bias_ih": params["b"],
            "bias_hh": bias_hh,
        }
        state |= {f"{name}{suffix}": torch.tensor(array) for name, array in theirs.items()}
    module.load_state_dict(state)
    leaves = [torch.tensor(array, requires_grad=True) for array in (x, h0)]
    given = leaves[0]
    if lengths is not None:
        given = pack_padded_sequence(
            given, torch.from_numpy(lengths), batch_first=True, enforce_sorted=False
        )
    h, hT = module(given, leaves[1])
    if lengths is not None:
        h, _ = pad_packed_sequence(h, batch_first=True, total_length=T)
    torch.autograd.backward([h, hT], [torch.from_numpy(dh), torch.from_numpy(dhT)])
    tensors = {"h": h.detach(), "hT": hT.detach(), "dx": leaves[0].grad, "dh0": leaves[1].grad}
    expected = {name: tensor.numpy() for name, tensor in tensors.items()}
    for k, suffix in enumerate(suffixes):
        theirs = {"Wx": "weight_ih", "Wh": "weight_hh", "b": "bias_ih"}
        grads = {
            name: getattr(module, f"{their}{suffix}").grad.numpy().T
            for name, their in theirs.items()
        }
        if cell == "gru":
            grads["bh"] = getattr(module, f"bias_hh{suffix}").grad.numpy()[2 * H :]
        expected |= {f"{k}.{name}": grad for name, grad in grads.items()}

    forward, backward = PAIRS[argument]
    mask = None if lengths is None else padding_mask(lengths, T)
    h, (hT, cT), cache = forward(x, h0, None, dicts, mask, cell=cell)
    grads = backward(dh, cache, dhT=dhT)
    got = {"h": h, "hT": hT, "dx": grads.dx, "dh0": grads.dh0}
    got |= {
        f"{k}.{name}": array
        for k, dw in enumerate(getattr(grads, argument))
        for name, array in dw.items()
    }
    assert_same(got, expected, 1e-12)
    assert cT is None and grads.dc0 is None


@pytest.mark.parametrize("argument", PAIRS)
def test_gru_whose_reset_gate_acts_before_the_product_has_no_bh(argument):
    x, h0, dicts, dh, dhT = draw_deep("gru", argument, "before")
    forward, backward = PAIRS[argument]
    mask = padding_mask(LENGTHS, T, side="left")
    params = {"x": x, "h0": h0} | {
        f"{k}.{name}": array for k, dw in enumerate(dicts) for name, array in dw.items()
    }

    def run(params):
        weights = [{name: params[f"{k}.{name}"] for name in ("Wx", "Wh", "b")} for k in range(2)]
        return forward(params["x"], params["h0"], None, weights, mask, cell="gru")

    def loss(params):
        h, (hT, _), _ = run(params)
        return float(np.sum(h * dh) + np.sum(hT * dhT))

    grads = backward(dh, run(params)[2], dhT=dhT)
    named = {"x": grads.dx, "h0": grads.dh0}
    named |= {
        f"{k}.{name}": array
        for k, dw in enumerate(getattr(grads, argument))
        for name, array in dw.items()
    }
    check_gradients(loss, params, named)


def test_cell_state_that_does_not_fit_the_cell_is_named():
    x, h0, dicts, dh, _ = draw_deep("gru", "layers")
    with pytest.raises(
        ArgumentError, match='^stacked_forward: c0 must be None where cell is "gru", got an array'
    ):
        stacked_forward(x, h0, h0, dicts, cell="gru")
    with pytest.raises(
        ArgumentError, match='^stacked_forward: c0 must be an array where cell is "lstm", got None'
    ):
        stacked_forward(x, h0, None, dicts)
    with pytest.raises(
        ArgumentError, match="^bidirectional_forward: cell must be one of lstm, gru, rnn, got 'GRU'"
    ):
        bidirectional_forward(x, h0, None, dicts, cell="GRU")
    with pytest.raises(
        ArgumentError, match=r"^stacked_forward: layers\[0\] must have .* too many: bh"
    ):
        stacked_forward(x, h0, None, dicts, cell="rnn")
    _, _, cache = stacked_forward(x, h0, None, dicts, cell="gru")
    with pytest.raises(
        ArgumentError, match='^stacked_backward: dcT must be None where cell is "gru", got an array'
    ):
        stacked_backward(dh, cache, h0)


@pytest.mark.parametrize("lengths", [None, LENGTHS])
@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_a_stack_of_both_directions_gives_the_numbers_of_torch(assert_same, cell, lengths):
    rng = np.random.default_rng(1)
    module = {"lstm": torch.nn.LSTM, "gru": torch.nn.GRU}[cell](
        D, H, num_layers=2, bidirectional=True, batch_first=True, dtype=torch.float64
    )
    layers = params_from_torch(module)
    c0 = rng.normal(size=(4, N, H)) if cell == "lstm" else None
    x, h0, dh, dhT = (
        rng.normal(size=shape) for shape in ((N, T, D), (4, N, H), (N, T, 2 * H), (4, N, H))
    )
    leaves = [torch.tensor(array, requires_grad=True) for array in (x, h0, c0) if array is not None]
    given = leaves[0]
    if lengths is not None:
        given = pack_padded_sequence(
            given, torch.from_numpy(lengths), batch_first=True, enforce_sorted=False
        )
    out, last = module(given, tuple(leaves[1:]) if cell == "lstm" else leaves[1])
    if lengths is not None:
        out, _ = pad_packed_sequence(out, batch_first=True, total_length=T)
    hT_torch = last[0] if cell == "lstm" else last
    torch.autograd.backward([out, hT_torch], [torch.from_numpy(dh), torch.from_numpy(dhT)])

    mask = None if lengths is None else padding_mask(lengths, T)
    h, (hT, _), cache = stacked_forward(x, h0, c0, layers, mask, cell=cell)
    grads = stacked_backward(dh, cache, dhT=dhT)
    got = {"h": h, "hT": hT, "dx": grads.dx, "dh0": grads.dh0}
    expected = {
        "h": out.detach(),
        "hT": hT_torch.detach(),
        "dx": leaves[0].grad,
        "dh0": leaves[1].grad,
    }
    for k, layer in enumerate(grads.layers):
        for dw, suffix in zip(layer, (f"_l{k}", f"_l{k}_reverse"), strict=True):
            for ours, theirs in (("Wx", "weight_ih"), ("Wh", "weight_hh"), ("b", "bias_ih")):
                got[f"{ours}{suffix}"] = dw[ours]
                expected[f"{ours}{suffix}"] = getattr(module, f"{theirs}{suffix}").grad.numpy().T
    assert_same(got, {name: np.asarray(array) for name, array in expected.items()}, 1e-12)


def test_a_stack_may_have_two_directions_below_one_and_its_gradient_is_right():
    rng = np.random.default_rng(2)
    both = [init_lstm(rng, D, 2) for _ in range(2)]
    layers = [both, init_lstm(rng, 4, 2)]
    x, state, dh = (
        rng.normal(size=(2, 4, D)),
        rng.normal(size=(3, 2, 2)),
        rng.normal(size=(2, 4, 2)),
    )
    mask = padding_mask(np.array([4, 2]), 4)
    _, _, cache = stacked_forward(x, state, state, layers, mask)
    grads = stacked_backward(dh, cache)
    params = {"x": x, "Wx": both[1]["Wx"], "upper": layers[1]["Wx"]}
    named = {"x": grads.dx, "Wx": grads.layers[0][1]["Wx"], "upper": grads.layers[1]["Wx"]}

    def loss(p):
        changed = [[both[0], both[1] | {"Wx": p["Wx"]}], layers[1] | {"Wx": p["upper"]}]
        return float(np.sum(stacked_forward(p["x"], state, state, changed, mask)[0] * dh))

    check_gradients(loss, params, named)


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ([], "layers must be at least one dict of weights in a list, got 0"),
        (
            [[{}, {}, {}]],
            (
                r"layers\[0\] must be a dict of weights, or a list of two, forward and reverse, "
                r"got a list of 3"
            ),
        ),
        (
            [7],
            (
                r"layers\[0\] must be a dict of weights, or a list of two, forward and reverse, "
                r"got int"
            ),
        ),
        ([[{}, {}]], r"layers\[0\]\[0\] must have the names Wx, Wh, b; missing: Wx, Wh, b"),
    ],
)
def test_what_is_no_layer_of_a_stack_is_named(layers, message):
    state = np.zeros((2, 1, 2))
    with pytest.raises(ArgumentError, match=f"^stacked_forward: {message}$"):
        stacked_forward(np.zeros((1, 3, D)), state, state, layers)


def test_a_layer_above_two_directions_must_read_both():
    rng = np.random.default_rng(3)
    both = [init_lstm(rng, D, 2) for _ in range(2)]
    state = np.zeros((3, 1, 2))
    with pytest.raises(
        ShapeError,
        match=r'^stacked_forward: layers\[1\]\["Wx"\] must be \(2H, 4H\) = \(4, 8\), got \(2, 8\)',
    ):
        stacked_forward(np.zeros((1, 3, D)), state, state, [both, init_lstm(rng, 2, 2)])

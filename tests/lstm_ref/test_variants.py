import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lstm_ref import (
    ArgumentError,
    DTypeError,
    NotFiniteError,
    ShapeError,
    check_gradients,
    lstm_backward,
    lstm_forward,
)
from lstm_ref.variants import VARIANTS, Variant, variant_backward, variant_forward

SAK_2014 = Variant(projection=True, peepholes=True)
NAMED = {**VARIANTS, "Sak 2014": SAK_2014}
sizes = st.integers(1, 4)
every_variant = pytest.mark.parametrize("name", NAMED)


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """These arrays are tiny: on a busy machine, threads wait for each other many times longer than
    they compute.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def draw_layer(variant, N=2, T=3, D=4, H=5, R=3, seed=0, scale=0.5, dtype=np.float64):
    """Arguments of variant_forward by name, and gradients dh, dcT of its results."""
    rng = np.random.default_rng(seed)
    lengths = {"N": N, "T": T, "D": D, "H": H, "R": R}
    state = "N R" if variant.projection else "N H"
    axes = {"x": "N T D", "h0": state, "c0": "N H", **variant.axes}

    def shape(pattern):
        return tuple(int(axis[:-1] or 1) * lengths[axis[-1]] for axis in pattern.split())

    layer = {
        name: (scale * rng.normal(size=shape(pattern))).astype(dtype)
        for name, pattern in axes.items()
    }
    width = R if variant.projection else H
    return (
        layer,
        rng.normal(size=(N, T, width)).astype(dtype),
        rng.normal(size=(N, H)).astype(dtype),
    )


def answer(variant, layer, dh, dcT):
    h, (hT, cT), cache = variant_forward(**layer, variant=variant)
    grads = variant_backward(dh, cache, dcT)
    return {"h": h, "hT": hT, "cT": cT} | gradients(grads)


def gradients(grads):
    return {
        "dx": grads.dx,
        "dh0": grads.dh0,
        "dc0": grads.dc0,
        **{f"d{name}": array for name, array in grads.weights.items()},
    }


# --- Twins: the equations of each variant on their own, as its paper has them; autograd makes the
# gradients ----------------


def affine(x, h, w, count):
    return (x @ w["Wx"] + h @ w["Wh"] + w["b"]).chunk(count, dim=1)


def standard(x, h, c, w):
    i, f, g, o = affine(x, h, w, 4)
    c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
    return torch.sigmoid(o) * torch.tanh(c), c


def peepholes(x, h, c, w):
    i, f, g, o = affine(x, h, w, 4)
    i, f = torch.sigmoid(i + w["p_i"] * c), torch.sigmoid(f + w["p_f"] * c)
    c = f * c + i * torch.tanh(g)
    o = torch.sigmoid(o + w["p_o"] * c)
    return o * torch.tanh(c), c


def coupled(x, h, c, w):
    f, g, o = affine(x, h, w, 3)
    f = torch.sigmoid(f)
    c = f * c + (1 - f) * torch.tanh(g)
    return torch.sigmoid(o) * torch.tanh(c), c


def projection(x, h, c, w):
    m, c = standard(x, h, c, w)
    return m @ w["P"], c


def sak(x, h, c, w):
    m, c = peepholes(x, h, c, w)
    return m @ w["P"], c


def layer_norm(x, h, c, w):
    def norm(v, gain, shift=None):
        return torch.nn.functional.layer_norm(v, v.shape[1:], gain, shift)

    a = norm(x @ w["Wx"], w["gain_x"]) + norm(h @ w["Wh"], w["gain_h"]) + w["b"]
    i, f, g, o = a.chunk(4, dim=1)
    c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
    return torch.sigmoid(o) * torch.tanh(norm(c, w["gain_c"], w["shift_c"])), c


def no_forget_gate(x, h, c, w):
    i, g, o = affine(x, h, w, 3)
    c = c + torch.sigmoid(i) * torch.tanh(g)
    return torch.sigmoid(o) * torch.tanh(c), c


def no_input_gate(x, h, c, w):
    f, g, o = affine(x, h, w, 3)
    c = torch.sigmoid(f) * c + torch.tanh(g)
    return torch.sigmoid(o) * torch.tanh(c), c


def no_output_gate(x, h, c, w):
    i, f, g = affine(x, h, w, 3)
    c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
    return torch.tanh(c), c


def no_output_tanh(x, h, c, w):
    i, f, g, o = affine(x, h, w, 4)
    c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
    return torch.sigmoid(o) * c, c


def no_candidate_tanh(x, h, c, w):
    i, f, g, o = affine(x, h, w, 4)
    c = torch.sigmoid(f) * c + torch.sigmoid(i) * g
    return torch.sigmoid(o) * torch.tanh(c), c


TWINS = dict(
    zip(VARIANTS, (standard, peepholes, coupled, projection, layer_norm), strict=False)
) | {
    "no_forget_gate": no_forget_gate,
    "no_input_gate": no_input_gate,
    "no_output_gate": no_output_gate,
    "no_output_tanh": no_output_tanh,
    "no_candidate_tanh": no_candidate_tanh,
    "Sak 2014": sak,
}


def twin_answer(twin, layer, dh, dcT):
    w = {name: torch.tensor(array, requires_grad=True) for name, array in layer.items()}
    h, c, outputs = w["h0"], w["c0"], []
    for x in w["x"].unbind(dim=1):
        h, c = twin(x, h, c, w)
        outputs.append(h)
    out = torch.stack(outputs, dim=1)
    torch.autograd.backward((out, c), (torch.from_numpy(dh), torch.from_numpy(dcT)))
    result = {"h": out, "hT": h, "cT": c} | {f"d{name}": tensor.grad for name, tensor in w.items()}
    return {name: tensor.detach().numpy() for name, tensor in result.items()}


@every_variant
@given(N=sizes, T=sizes, D=sizes, H=sizes, R=sizes, seed=st.integers(0, 100))
@settings(max_examples=25)
def test_torch_gives_the_same_numbers_forward_and_backward(assert_same, name, N, T, D, H, R, seed):
    problem = draw_layer(NAMED[name], N, T, D, H, R, seed)
    # The normalisation of a cell of one or two units divides by numbers near its 1e-5, and loses as
    # many digits.
    assert_same(answer(NAMED[name], *problem), twin_answer(TWINS[name], *problem), 1e-10)


@every_variant
def test_torch_gives_the_same_numbers_over_a_long_sequence(assert_same, name):
    problem = draw_layer(NAMED[name], N=2, T=100, D=3, H=6, scale=0.4)
    assert_same(answer(NAMED[name], *problem), twin_answer(TWINS[name], *problem), 1e-10)


@given(N=sizes, T=sizes, D=sizes, H=st.integers(2, 5), seed=st.integers(0, 100))
@settings(max_examples=25)
def test_projection_is_that_of_torch(assert_same, N, T, D, H, seed):
    R = H - 1  # PyTorch asks for a projection to fewer
    layer, dh, dcT = draw_layer(VARIANTS["projection"], N, T, D, H, R, seed)
    lstm = torch.nn.LSTM(D, H, proj_size=R, batch_first=True, dtype=torch.float64)
    weights = {
        "weight_ih_l0": layer["Wx"].T,
        "weight_hh_l0": layer["Wh"].T,
        "weight_hr_l0": layer["P"].T,
    }
    biases = {"bias_ih_l0": layer["b"], "bias_hh_l0": np.zeros(4 * H)}
    lstm.load_state_dict({name: torch.tensor(array) for name, array in (weights | biases).items()})
    x, h0, c0 = (torch.tensor(layer[name], requires_grad=True) for name in ("x", "h0", "c0"))
    h, (hT, cT) = lstm(x, (h0[None], c0[None]))
    torch.autograd.backward((h, cT), (torch.from_numpy(dh), torch.from_numpy(dcT)[None]))
    expected = {"h": h, "hT": hT[0], "cT": cT[0], "dx": x.grad, "dh0": h0.grad, "dc0": c0.grad}
    for name in ("Wx", "Wh", "P"):
        torch_name = {"Wx": "weight_ih_l0", "Wh": "weight_hh_l0", "P": "weight_hr_l0"}[name]
        expected[f"d{name}"] = getattr(lstm, torch_name).grad.T
    expected["db"] = lstm.bias_ih_l0.grad
    expected = {name: tensor.detach().numpy() for name, tensor in expected.items()}
    assert_same(answer(VARIANTS["projection"], layer, dh, dcT), expected, 1e-10)


switches = st.builds(
    Variant, st.sampled_from(["own", "1 - f", "1"]), *(st.booleans() for _ in Variant._fields[1:])
).filter(lambda v: v.forget_gate or v.input_gate != "1 - f")


@given(
    variant=switches,
    N=sizes,
    T=sizes,
    D=sizes,
    H=st.integers(3, 5),
    R=sizes,
    seed=st.integers(0, 100),
)
@settings(max_examples=60)
def test_switches_go_together_in_any_way(variant, N, T, D, H, R, seed):
    layer, dh, dcT = draw_layer(variant, N, T, D, H, R, seed)

    def loss(params):
        h, (_, cT), _ = variant_forward(**params, variant=variant)
        return float(np.sum(h * dh) + np.sum(cT * dcT))

    _, _, cache = variant_forward(**layer, variant=variant)
    grads = gradients(variant_backward(dh, cache, dcT))
    no_gates = {"x": "N T D"} | {
        name: " ".join("K" * array.ndim) for name, array in layer.items() if name != "x"
    }
    check_gradients(loss, layer, {name: grads[f"d{name}"] for name in layer}, axes=no_gates)


def test_standard_is_the_lstm_of_the_course(assert_same):
    layer, dh, dcT = draw_layer(VARIANTS["standard"])
    h, (hT, cT), cache = lstm_forward(**layer)
    expected = {"h": h, "hT": hT, "cT": cT, **lstm_backward(dh, cache, dcT)._asdict()}
    assert_same(answer("standard", layer, dh, dcT), expected, 1e-13)


def test_peepholes_of_zero_and_an_identity_as_projection_change_nothing(assert_same):
    layer, dh, dcT = draw_layer(VARIANTS["standard"])
    expected = answer("standard", layer, dh, dcT)
    blind = {f"p_{gate}": np.zeros(5) for gate in "ifo"}
    got = answer("peepholes", layer | blind, dh, dcT)
    assert_same({name: got[name] for name in expected}, expected, 1e-13)
    got = answer("projection", layer | {"P": np.eye(5)}, dh, dcT)
    assert_same({name: got[name] for name in expected}, expected, 1e-13)


def test_cell_of_1997_forgets_nothing():
    layer, _, _ = draw_layer(VARIANTS["no_forget_gate"], T=50)
    layer["b"][:5] = -1000  # the input gate is shut
    _, (_, cT), cache = variant_forward(**layer, variant="no_forget_gate")
    np.testing.assert_array_equal(cT, layer["c0"])
    # The gradient comes back through all steps as it is, too.
    grads = variant_backward(np.zeros((2, 50, 5)), cache, np.ones((2, 5)))
    np.testing.assert_array_equal(grads.dc0, np.ones((2, 5)))


def test_layer_norm_does_not_see_the_size_of_the_inputs():
    layer, _, _ = draw_layer(VARIANTS["layer_norm"], H=16)
    h, _, _ = variant_forward(**layer, variant="layer_norm")
    larger, _, _ = variant_forward(**(layer | {"x": 1000 * layer["x"]}), variant="layer_norm")
    np.testing.assert_allclose(larger, h, rtol=0, atol=1e-4)


def test_no_gradient_of_the_last_cell_state_means_zeros(assert_same):
    layer, dh, dcT = draw_layer(VARIANTS["peepholes"])
    assert_same(answer("peepholes", layer, dh, None), answer("peepholes", layer, dh, 0 * dcT), 0)


@every_variant
def test_float32_stays_float32_and_is_right_to_its_precision(name):
    small, exact = (
        answer(NAMED[name], *draw_layer(NAMED[name], 3, 6, dtype=d))
        for d in (np.float32, np.float64)
    )
    for key, right in exact.items():
        assert small[key].dtype == np.float32, key
        np.testing.assert_allclose(
            small[key], right, rtol=0, atol=3e-5 * max(1, np.abs(right).max())
        )


@every_variant
def test_arguments_are_never_changed_and_the_cache_owns_all_but_the_weights(name):
    variant = NAMED[name]
    layer, dh, dcT = draw_layer(variant, N=1, T=1, D=1, H=1, R=1)
    for array in (*layer.values(), dh, dcT):
        array.flags.writeable = False  # so that NumPy itself raises
    h, (hT, cT), cache = variant_forward(**layer, variant=variant)
    expected = gradients(variant_backward(dh, cache, dcT))
    inputs = [layer[key] for key in ("x", "h0", "c0")]
    for array in inputs:
        array.flags.writeable = True
    for array in (h, hT, cT, *inputs):
        array[:] = 99
    for key, right in expected.items():
        np.testing.assert_array_equal(gradients(variant_backward(dh, cache, dcT))[key], right)
    results = (h, hT, cT, *expected.values())
    for k, result in enumerate(results):
        others = (*layer.values(), dh, dcT, cache.x, cache.h, cache.c, *results[:k])
        assert not any(np.shares_memory(result, other) for other in others)


@every_variant
def test_pre_activations_of_1000_do_not_overflow(name):
    result = answer(NAMED[name], *draw_layer(NAMED[name], scale=30))
    assert all(np.isfinite(array).all() for array in result.values())


def test_what_does_not_fit_is_named():
    layer, dh, dcT = draw_layer(VARIANTS["coupled"])
    with pytest.raises(
        ShapeError, match=r"^variant_forward: Wx must be \(D, 3H\) = \(4, 15\), got \(4, 20\)"
    ):
        variant_forward(**(layer | {"Wx": np.zeros((4, 20))}), variant="coupled")
    with pytest.raises(
        ArgumentError,
        match="^variant_forward: weights must have the names Wx, Wh, b, P; missing: P",
    ):
        variant_forward(**layer, variant="projection")
    with pytest.raises(ArgumentError, match="too many: p_i"):
        variant_forward(**layer, p_i=np.zeros(5), variant="coupled")
    with pytest.raises(DTypeError, match="^variant_forward: .*x float32"):
        variant_forward(**(layer | {"x": layer["x"].astype(np.float32)}), variant="coupled")
    with pytest.raises(NotFiniteError, match="^variant_forward: b must be finite, got nan"):
        variant_forward(**(layer | {"b": np.full(15, np.nan)}), variant="coupled")
    _, _, cache = variant_forward(**layer, variant="coupled")
    with pytest.raises(
        ShapeError,
        match=r"^variant_backward: dh must be \(N, T, H\) = \(2, 3, 5\), got \(3, 2, 5\)",
    ):
        variant_backward(dh.swapaxes(0, 1), cache)
    with pytest.raises(DTypeError, match="^variant_backward: .*dcT float32"):
        variant_backward(dh, cache, dcT.astype(np.float32))
    with pytest.raises(
        ArgumentError,
        match="cache must be the VariantCache that variant_forward returned, got tuple",
    ):
        variant_backward(dh, (dh,))
    layer, dh, dcT = draw_layer(VARIANTS["projection"])
    with pytest.raises(
        ShapeError,
        match=r"^variant_forward: P must be \(H, R\) = \(5, 3\), got \(3, 5\); did you pass P.T",
    ):
        variant_forward(**(layer | {"P": layer["P"].T}), variant="projection")


@pytest.mark.parametrize(
    ("variant", "message"),
    [
        ("gru", "variant must be one of standard, .*, got 'gru'"),
        (3, "variant must be a name or a Variant, got int"),
        (Variant(input_gate="f"), 'input_gate must be "own", "1 - f" or "1", got \'f\''),
        (
            Variant(input_gate="1 - f", forget_gate=False),
            "an input gate of 1 - f needs a forget gate",
        ),
    ],
)
def test_variant_that_does_not_exist_is_named(variant, message):
    layer, _, _ = draw_layer(VARIANTS["standard"])
    with pytest.raises(ArgumentError, match=f"^variant_forward: {message}"):
        variant_forward(**layer, variant=variant)

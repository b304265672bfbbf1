import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lstm_ref import (
    ArgumentError,
    DTypeError,
    ShapeError,
    additive_attention_backward,
    additive_attention_forward,
    check_gradients,
    dot_attention_backward,
    dot_attention_forward,
    padding_mask,
)

sizes = st.integers(1, 4)
every_attention = pytest.mark.parametrize("kind", ["dot", "scaled", "additive"])


def draw_arguments(kind, N=2, S=3, T=4, K=5, M=2, Q=3, A=4, seed=0, dtype=np.float64):
    """Arguments of the forward pass by name, and dout."""
    rng = np.random.default_rng(seed)
    shapes = {"query": (N, S, K), "keys": (N, T, K), "values": (N, T, M)}
    if kind == "additive":
        shapes |= {"query": (N, S, Q), "Wq": (Q, A), "Wk": (K, A), "v": (A,)}
    arguments = {name: rng.normal(size=shape).astype(dtype) for name, shape in shapes.items()}
    return arguments, rng.normal(size=(N, S, M)).astype(dtype)


def forward(kind, arguments, mask=None):
    if kind == "additive":
        return additive_attention_forward(**arguments, mask=mask)
    return dot_attention_forward(**arguments, mask=mask, scaled=kind == "scaled")


def answer(kind, arguments, dout, mask=None):
    out, weights, cache = forward(kind, arguments, mask)
    backward = additive_attention_backward if kind == "additive" else dot_attention_backward
    return {"out": out, "weights": weights, **backward(dout, cache)._asdict()}


def torch_answer(kind, arguments, dout, mask):
    leaves = {name: torch.tensor(array, requires_grad=True) for name, array in arguments.items()}
    query, keys, values = (leaves[name] for name in ("query", "keys", "values"))
    if kind == "additive":
        hidden = torch.tanh(
            (query @ leaves["Wq"]).unsqueeze(2) + (keys @ leaves["Wk"]).unsqueeze(1)
        )
        scores = (hidden * leaves["v"]).sum(dim=3)
    else:
        scores = torch.einsum("nsk,ntk->nst", query, keys) / (
            keys.shape[2] ** 0.5 if kind == "scaled" else 1
        )
    valid = torch.from_numpy(mask)
    weights = torch.softmax(
        scores.masked_fill(~(valid if mask.ndim == 3 else valid[:, None]), -torch.inf), dim=2
    )
    out = weights @ values
    out.backward(torch.from_numpy(dout))
    results = {"out": out.detach(), "weights": weights.detach()}
    results |= {f"d{name}": leaf.grad for name, leaf in leaves.items()}
    return {name: tensor.numpy() for name, tensor in results.items()}


@every_attention
@given(N=sizes, S=sizes, T=sizes, K=sizes, M=sizes, own=st.booleans(), seed=st.integers(0, 100))
@settings(max_examples=40)
def test_torch_gives_the_same_numbers(assert_same, kind, N, S, T, K, M, own, seed):
    arguments, dout = draw_arguments(kind, N, S, T, K, M, seed=seed)
    mask = np.random.default_rng(seed).random((N, S, T) if own else (N, T)) < 0.5
    mask[..., seed % T] = True  # PyTorch has no answer for a query that may look at nothing
    assert_same(
        answer(kind, arguments, dout, mask), torch_answer(kind, arguments, dout, mask), 1e-12
    )


def test_scaled_attention_is_that_of_torch_itself(assert_same):
    arguments, dout = draw_arguments("scaled")
    mask = padding_mask(np.array([2, 4]), 4)
    leaves = [torch.tensor(array, requires_grad=True) for array in arguments.values()]
    out = torch.nn.functional.scaled_dot_product_attention(
        *leaves, attn_mask=torch.from_numpy(mask)[:, None]
    )
    out.backward(torch.from_numpy(dout))
    got = answer("scaled", arguments, dout, mask)
    del got["weights"]
    grads = {f"d{name}": leaf.grad.numpy() for name, leaf in zip(arguments, leaves, strict=True)}
    assert_same(got, {"out": out.detach().numpy()} | grads, 1e-12)


@every_attention
def test_query_that_may_look_at_nothing_gets_zeros_and_gives_no_gradient(kind):
    arguments, dout = draw_arguments(kind)
    mask = np.ones((2, 3, 4), bool)
    mask[0, 1] = False
    got = answer(kind, arguments, dout, mask)
    assert (
        not got["out"][0, 1].any()
        and not got["weights"][0, 1].any()
        and not got["dquery"][0, 1].any()
    )
    check_gradients(
        lambda p: float(np.sum(forward(kind, p, mask)[0] * dout)),
        arguments,
        {name: got[f"d{name}"] for name in arguments},
    )


@every_attention
def test_what_is_masked_changes_nothing_and_gets_no_gradient(kind):
    arguments, dout = draw_arguments(kind)
    mask = padding_mask(np.array([2, 4]), 4)
    expected = answer(kind, arguments, dout, mask)
    for name in ("keys", "values"):
        assert not expected[f"d{name}"][~mask].any()
        arguments[name][~mask] = 50
    for name, array in answer(kind, arguments, dout, mask).items():
        np.testing.assert_array_equal(array, expected[name])


@every_attention
def test_scores_of_1000_do_not_overflow(kind):
    arguments, dout = draw_arguments(kind)
    arguments["query" if kind != "additive" else "v"] *= 1e4
    got = answer(kind, arguments, dout)
    assert all(np.isfinite(array).all() for array in got.values())
    np.testing.assert_allclose(got["weights"].sum(axis=2), 1)


@every_attention
def test_float32_and_arguments_stay_and_the_cache_owns_what_is_no_weight(kind):
    arguments, dout = draw_arguments(kind, dtype=np.float32)
    for array in (*arguments.values(), dout):
        array.flags.writeable = False
    expected = answer(kind, arguments, dout, padding_mask(np.array([2, 4]), 4))
    assert {array.dtype for array in expected.values()} == {np.dtype(np.float32)}
    arguments, dout = draw_arguments(kind)
    out, weights, cache = forward(kind, arguments)
    backward = additive_attention_backward if kind == "additive" else dot_attention_backward
    before = backward(dout, cache)
    for array in (out, weights, *(arguments[name] for name in ("query", "keys", "values"))):
        array[:] = 99
    for got, right in zip(backward(dout, tuple(cache)), before, strict=True):
        np.testing.assert_array_equal(got, right)


def test_what_does_not_fit_is_named():
    arguments, dout = draw_arguments("additive")
    with pytest.raises(
        ShapeError,
        match=r"^additive_attention_forward: Wk must be \(K, A\) = \(5, 4\), got \(4, 5\)",
    ):
        additive_attention_forward(**(arguments | {"Wk": arguments["Wk"].T}))
    with pytest.raises(
        ShapeError,
        match=r"^additive_attention_forward: mask must be \(N, T\) = \(2, 4\), got \(2, 3\)",
    ):
        additive_attention_forward(**arguments, mask=np.ones((2, 3), bool))
    _, _, cache = additive_attention_forward(**arguments)
    with pytest.raises(
        ArgumentError, match="must be the DotAttentionCache that dot_attention_forward returned"
    ):
        dot_attention_backward(dout, cache)
    arguments, dout = draw_arguments("dot")
    with pytest.raises(
        ShapeError, match=r"^dot_attention_forward: keys must be \(N, T, K\) = \(2, 4, 4\), got"
    ):
        dot_attention_forward(**(arguments | {"query": np.zeros((2, 3, 4))}))
    with pytest.raises(
        ShapeError,
        match=r"^dot_attention_forward: mask must be \(N, S, T\) = \(2, 3, 4\), got \(2, 4, 3\)",
    ):
        dot_attention_forward(**arguments, mask=np.ones((2, 4, 3), bool))
    with pytest.raises(DTypeError, match="^dot_attention_forward: mask must be an array of bool"):
        dot_attention_forward(**arguments, mask=np.ones((2, 4)))
    _, _, cache = dot_attention_forward(**arguments)
    with pytest.raises(
        ShapeError,
        match=r"^dot_attention_backward: dout must be \(N, S, M\) = \(2, 3, 2\), got \(2, 2, 3\)",
    ):
        dot_attention_backward(dout.swapaxes(1, 2), cache)

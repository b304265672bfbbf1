import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.parity import draw as draw_case
from benchmarks.parity import numpy_answer as numpy_answer_of
from lstm_ref import (
    ArgumentError,
    DTypeError,
    ShapeError,
    adam,
    adam_init,
    clip_by_norm,
    gru_backward,
    gru_forward,
    lstm_backward,
    lstm_forward,
    rnn_forward,
)
from lstm_ref.frameworks.convert import convert
from lstm_ref.frameworks.torch import (
    best_device,
    deep_forward_torch,
    gru_step_torch,
    lstm_forward_torch,
    lstm_step_torch,
    params_from_torch,
    run_torch,
    torch_gru,
    torch_lstm,
)

pytestmark = pytest.mark.kernels

WEIGHTS = ("Wx", "Wh", "b")
sizes = st.integers(1, 6)


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """These arrays are tiny: on a busy machine, threads wait for each other many times longer than
    they compute.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def from_scratch(layer, dh, dcT):
    leaves = {name: torch.tensor(array, requires_grad=True) for name, array in layer.items()}
    h, (hT, cT) = lstm_forward_torch(**leaves)
    torch.autograd.backward([h, cT], [torch.from_numpy(dh), torch.from_numpy(dcT)])
    grads = {f"d{name}": leaf.grad.numpy() for name, leaf in leaves.items()}
    return {"h": h.detach(), "hT": hT.detach(), "cT": cT.detach(), **grads}


def framework(layer, dh, dcT):
    lstm = torch_lstm({name: layer[name] for name in WEIGHTS})
    x, h0, c0 = (torch.tensor(layer[name], requires_grad=True) for name in ("x", "h0", "c0"))
    h, (hT, cT) = lstm(x, (h0[None], c0[None]))
    torch.autograd.backward([h, cT], [torch.from_numpy(dh), torch.from_numpy(dcT)[None]])
    grads = {"dx": x.grad.numpy(), "dh0": h0.grad.numpy(), "dc0": c0.grad.numpy()}
    grads |= {"dWx": lstm.weight_ih_l0.grad.numpy().T, "dWh": lstm.weight_hh_l0.grad.numpy().T}
    return {
        "h": h.detach(),
        "hT": hT[0].detach(),
        "cT": cT[0].detach(),
        **grads,
        "db": lstm.bias_ih_l0.grad.numpy(),
    }


@pytest.mark.parametrize("twin", [from_scratch, framework])
@given(N=sizes, T=sizes, D=sizes, H=sizes, seed=st.integers(0, 100))
def test_torch_gives_the_numbers_of_numpy_forward_and_backward(
    draw, numpy_answer, assert_same, twin, N, T, D, H, seed
):
    layer = draw(N, T, D, H, seed)
    expected, dh, dcT = numpy_answer(layer)
    assert_same(twin(layer, dh, dcT), expected, 1e-12)


@pytest.mark.parametrize("twin", [from_scratch, framework])
def test_torch_gives_the_numbers_of_numpy_over_a_long_sequence(
    draw, numpy_answer, assert_same, twin
):
    layer = draw(N=4, T=200, D=8, H=16, scale=0.3)
    expected, dh, dcT = numpy_answer(layer)
    assert_same(twin(layer, dh, dcT), expected, 1e-10)


@pytest.mark.parametrize("twin", [from_scratch, framework])
def test_float32_agrees_to_its_precision(draw, numpy_answer, assert_same, twin):
    layer = draw(3, 7, 4, 5, dtype=np.float32)
    expected, dh, dcT = numpy_answer(layer)
    assert_same(twin(layer, dh, dcT), expected, 1e-5)


def test_step_is_a_sequence_of_one(draw):
    layer = {name: torch.from_numpy(array) for name, array in draw(3, 1, 4, 5).items()}
    h, c = lstm_step_torch(layer["x"][:, 0], *list(layer.values())[1:])
    _, (hT, cT) = lstm_forward_torch(**layer)
    assert torch.equal(h, hT) and torch.equal(c, cT)


def test_weights_come_back_as_they_went(draw):
    params = {name: draw(1, 1, 4, 5)[name] for name in WEIGHTS}
    for name, array in params_from_torch(torch_lstm(params)).items():
        np.testing.assert_array_equal(array, params[name])


@pytest.mark.parametrize("bias", [True, False])
def test_weights_of_any_single_layer_can_be_read(bias):
    lstm = torch.nn.LSTM(4, 5, bias=bias, batch_first=True, dtype=torch.float64)
    params = params_from_torch(lstm)
    x = torch.randn(2, 3, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    zeros = np.zeros((2, 5))
    h, _, _ = lstm_forward(x.numpy(), zeros, zeros, **params)
    np.testing.assert_allclose(h, lstm(x)[0].detach().numpy(), rtol=0, atol=1e-14)
    if bias:
        params["b"][:] = 99  # a copy: the layer does not notice
        assert lstm.bias_ih_l0.abs().max() < 1


def test_dtype_can_be_chosen_and_is_that_of_the_weights_otherwise(draw):
    params = {name: draw(1, 1, 4, 5)[name] for name in WEIGHTS}
    assert {p.dtype for p in torch_lstm(params).parameters()} == {torch.float64}
    assert {p.dtype for p in torch_lstm(params, torch.float32).parameters()} == {torch.float32}


def test_second_bias_is_not_trained_so_that_both_train_alike(draw):
    """Ten steps of Adam with clipping, in NumPy and in PyTorch: the weights stay together."""
    layer = draw(N=3, T=5, D=4, H=6)
    params = {name: layer[name] for name in WEIGHTS}
    lstm = torch_lstm(params)
    optimizer = torch.optim.Adam([p for p in lstm.parameters() if p.requires_grad], lr=0.1)
    x, h0, c0 = (layer[name] for name in ("x", "h0", "c0"))
    state = adam_init(params)
    for _ in range(10):
        h, _, cache = lstm_forward(x, h0, c0, **params)
        grads = lstm_backward(h, cache)  # the loss is half the sum of squares of h
        clipped, _ = clip_by_norm({name: getattr(grads, f"d{name}") for name in WEIGHTS}, 0.5)
        params, state = adam(params, clipped, state, lr=0.1)
        optimizer.zero_grad()
        h_torch, _ = lstm(
            torch.from_numpy(x), (torch.from_numpy(h0)[None], torch.from_numpy(c0)[None])
        )
        (0.5 * h_torch.square().sum()).backward()
        torch.nn.utils.clip_grad_norm_(lstm.parameters(), 0.5)
        optimizer.step()
    assert not lstm.bias_hh_l0.requires_grad and not lstm.bias_hh_l0.any()
    for name, array in params_from_torch(lstm).items():
        # PyTorch's clipping adds 1e-6 to the norm
        np.testing.assert_allclose(array, params[name], rtol=0, atol=1e-6)


def test_layer_can_be_saved_and_loaded_as_any_other(draw):
    params = {name: draw(1, 1, 4, 5)[name] for name in WEIGHTS}
    weights = {name: tensor.numpy() for name, tensor in torch_lstm(params).state_dict().items()}
    for name, array in convert(weights, "pytorch", "here").items():
        np.testing.assert_array_equal(array, params[name])


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (
            torch.nn.LSTM(3, 2, proj_size=1),
            "must have no projection and tanh, got proj_size=1; that is another recurrence",
        ),
        (
            torch.nn.RNN(3, 2, nonlinearity="relu"),
            "must have no projection and tanh, got nonlinearity='relu'",
        ),
        (
            torch.nn.Linear(3, 2),
            "must be a torch.nn.LSTM, GRU or RNN itself, got Linear, with no torch.nn.LSTM in it",
        ),
        (torch.nn.Sequential(torch.nn.LSTM(3, 2)), r"itself, got Sequential; pass model\.0"),
        ({}, "layer must be a torch.nn.LSTM, GRU or RNN, got dict"),
    ],
)
def test_layer_of_another_make_is_refused(layer, message):
    with pytest.raises(ArgumentError, match=f"^params_from_torch: .*{message}"):
        params_from_torch(layer)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_weights_of_another_precision_are_named(dtype):
    with pytest.raises(
        DTypeError, match=f"weight_ih_l0 must be float32 or float64, got {dtype}; use .float()"
    ):
        params_from_torch(torch.nn.LSTM(3, 2, dtype=dtype))


def test_what_does_not_fit_is_named(draw):
    params = {name: draw(1, 1, 4, 5)[name] for name in WEIGHTS}
    with pytest.raises(
        DTypeError,
        match="torch_lstm: dtype must be torch.float32 or torch.float64, got torch.float16",
    ):
        torch_lstm(params, torch.float16)
    with pytest.raises(ShapeError, match=r"Wh must be \(H, 4H\) = \(5, 20\), got \(20, 5\)"):
        torch_lstm(params | {"Wh": params["Wh"].T})


def test_best_device_is_one_that_computes():
    device = best_device()
    assert torch.ones(2, device=device).sum().item() == 2
    assert device.type == ("cuda" if torch.cuda.is_available() else "cpu")


def test_gpu_that_does_not_answer_falls_back_to_the_cpu(monkeypatch):
    def fail(*args, **kwargs):
        raise RuntimeError("no kernel image is available for execution on the device")

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch, "ones", fail)
    assert best_device() == torch.device("cpu")


def test_without_torch_the_message_says_what_to_install():
    code = "import sys; sys.modules['torch'] = None; import lstm_ref.frameworks.torch"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert run.returncode == 1
    assert run.stderr.strip().endswith(
        "lstm_ref.errors.MissingPackageError: lstm_ref.torch needs PyTorch, which is not "
        "installed; run: pip install 'inside-the-lstm[torch]'"
    )


# --- Stacks, directions, GRUs, masks, mixed precision: their numbers are held by test_parity.py
# -----------------------------


def model_of(cell="lstm", layers=2, directions=2, D=3, H=4, dtype=np.float64):
    """A model as convert_model has it here."""
    rng = np.random.default_rng(0)
    k = {"lstm": 4, "gru": 3}[cell]

    def weights(width):
        shapes = {"Wx": (width, k * H), "Wh": (H, k * H), "b": (k * H,)} | (
            {"bh": (H,)} if cell == "gru" else {}
        )
        return {
            name: (0.5 * rng.normal(size=shape)).astype(dtype) for name, shape in shapes.items()
        }

    pairs = [
        [weights(directions * H if layer else D) for _ in range(directions)]
        for layer in range(layers)
    ]
    return [pair if directions == 2 else pair[0] for pair in pairs]


def flat(model):
    """All arrays of a model, whatever its form."""
    if isinstance(model, np.ndarray):
        return [model]
    return [
        array
        for part in (model.values() if isinstance(model, dict) else model)
        for array in flat(part)
    ]


def test_no_second_bias_of_any_layer_and_direction_is_trained():
    frozen = {name for name, p in torch_lstm(model_of()).named_parameters() if not p.requires_grad}
    assert frozen == {f"bias_hh_l{k}{side}" for k in range(2) for side in ("", "_reverse")}


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("has_it", [True, False])
def test_mixed_precision_runs_where_onednn_has_no_such_layer(dtype, has_it, monkeypatch):
    """Few processors have one: without it, PyTorch's own operations compute, and oneDNN is as it
    was afterwards.
    """
    lstm = torch_lstm(model_of(dtype=np.float32))
    x, forward = torch.ones(2, 3, 3), type(lstm).forward
    calls = []

    def without(self, *arguments):
        calls.append(torch.backends.mkldnn.enabled)
        if torch.backends.mkldnn.enabled:
            raise RuntimeError(
                "could not create a primitive descriptor for the LSTM forward propagation primitive"
            )
        return forward(self, *arguments)

    if not has_it:
        monkeypatch.setattr(type(lstm), "forward", without)
    h, _ = run_torch(lstm, x, autocast=dtype)
    assert torch.backends.mkldnn.enabled and (has_it or calls == [True, False])
    monkeypatch.undo()
    assert 0 < (h.float() - run_torch(lstm, x)[0]).abs().max() <= 0.03
    # any other error of PyTorch stays what it is
    with pytest.raises(RuntimeError, match="input.size"):
        run_torch(lstm, torch.ones(2, 3, 5), autocast=dtype)


@pytest.mark.parametrize(("cell", "make"), [("lstm", torch_lstm), ("gru", torch_gru)])
@pytest.mark.parametrize(("layers", "directions"), [(1, 1), (1, 2), (3, 1), (2, 2)])
def test_models_come_back_as_they_went(cell, make, layers, directions):
    model = model_of(cell, layers, directions)
    model = model[0] if layers == directions == 1 else model
    back = params_from_torch(make(model))
    assert type(back) is type(model)
    for got, right in zip(flat(back), flat(model), strict=True):
        np.testing.assert_array_equal(got, right)


def test_plain_layer_of_torch_is_read_too():
    layer = torch.nn.RNN(3, 4, batch_first=True, dtype=torch.float64)
    x = torch.ones(2, 5, 3, dtype=torch.float64)
    h, _, _ = rnn_forward(x.numpy(), np.zeros((2, 4)), **params_from_torch(layer))
    np.testing.assert_allclose(h, layer(x)[0].detach().numpy(), rtol=0, atol=1e-14)


def test_second_bias_of_a_gru_is_trained_where_it_counts_and_nowhere_else():
    """Three steps of SGD in NumPy and in PyTorch: the weights stay together, and so does the half
    of the bias that stays zero.
    """
    (params,), rng = model_of("gru", 1, 1), np.random.default_rng(1)
    x, h0, gru = rng.normal(size=(3, 5, 3)), rng.normal(size=(3, 4)), torch_gru(params)
    optimizer = torch.optim.SGD(gru.parameters(), lr=0.1)
    for _ in range(3):
        h, _, cache = gru_forward(x, h0, **params)
        grads = gru_backward(h, cache)
        params = {name: array - 0.1 * getattr(grads, f"d{name}") for name, array in params.items()}
        optimizer.zero_grad()
        (0.5 * gru(torch.from_numpy(x), torch.from_numpy(h0)[None])[0].square().sum()).backward()
        optimizer.step()
    assert not gru.bias_hh_l0[:8].any() and gru.bias_hh_l0[8:].all()
    for name, array in params_from_torch(gru).items():
        np.testing.assert_allclose(array, params[name], rtol=0, atol=1e-13)


def test_dropout_acts_between_layers_and_in_training_only():
    lstm = torch_lstm(model_of(), dropout=0.5)
    x = torch.ones(2, 5, 3, dtype=torch.float64)
    assert not torch.equal(run_torch(lstm, x)[0], run_torch(lstm, x)[0])
    lstm.eval()
    assert torch.equal(run_torch(lstm, x)[0], run_torch(torch_lstm(model_of()), x)[0])


@pytest.mark.parametrize("padded", [False, True])
def test_mixed_precision_is_near_and_keeps_weights_and_gradients_in_float32(padded):
    exact, mixed = (torch_lstm(model_of(dtype=np.float32)) for _ in range(2))
    x = torch.randn(3, 6, 3, generator=torch.Generator().manual_seed(0))
    mask = torch.arange(6) < torch.tensor([6, 2, 4])[:, None] if padded else None
    right, _ = run_torch(exact, x, mask=mask)
    h, _ = run_torch(mixed, x, mask=mask, autocast=torch.bfloat16)
    right.sum().backward()
    h.float().sum().backward()
    difference = (h.float() - right).abs().max().item()
    assert difference <= 0.03  # bfloat16 has 8 bits
    # by processor, see run_torch
    assert padded or difference > 0 and h.dtype in (torch.bfloat16, torch.float32)
    for name, parameter in mixed.named_parameters():
        assert parameter.dtype == torch.float32
        if parameter.requires_grad:
            expected = exact.get_parameter(name).grad
            assert parameter.grad.dtype == torch.float32
            assert (parameter.grad - expected).abs().max() <= 0.05 * max(1, expected.abs().max())


def test_equations_run_in_mixed_precision_too():
    model = [
        {
            name: torch.from_numpy(array)
            for name, array in model_of("lstm", 1, 1, dtype=np.float32)[0].items()
        }
    ]
    x, state = torch.ones(2, 5, 3), torch.zeros(1, 2, 4)
    right, _ = deep_forward_torch(x, state, state, model)
    with torch.autocast("cpu", torch.bfloat16):
        h, (_, cT) = deep_forward_torch(x, state, state, model)
    assert cT.dtype == torch.float32  # the cell state, a sum over time, keeps its precision
    assert 0 < (h.float() - right).abs().max() <= 0.03


def test_what_cannot_run_is_named():
    lstm, x = torch_lstm(model_of()), torch.zeros(2, 3, 3, dtype=torch.float64)
    mask = torch.tensor([[True, True, False], [True, False, False]])
    with pytest.raises(
        ArgumentError,
        match="^run_torch: mask must be True up to the length .* deep_forward_torch takes any",
    ):
        run_torch(lstm, x, mask=mask.flip(1))
    with pytest.raises(ArgumentError, match="^run_torch: every sequence must have a valid step"):
        run_torch(lstm, x, mask=torch.tensor([[True] * 3, [False] * 3]))
    with pytest.raises(
        ShapeError, match=r"^run_torch: mask must be \(N, T\) = \(2, 3\), got \(3, 2\)"
    ):
        run_torch(lstm, x, mask=mask.T)
    with pytest.raises(
        DTypeError, match=r"^run_torch: mask must be a tensor of bool, .* got torch\.int64"
    ):
        run_torch(lstm, x, mask=mask.long())
    with pytest.raises(ArgumentError, match="with batch_first=True, got LSTM without it"):
        run_torch(torch.nn.LSTM(3, 4), x)
    with pytest.raises(ArgumentError, match="with batch_first=True, got Linear$"):
        run_torch(torch.nn.Linear(3, 4), x)
    with pytest.raises(
        DTypeError,
        match=r"mixed precision keeps weights in float32, the layer has torch\.float64; use "
        r"\.float",
    ):
        run_torch(lstm, x, autocast=torch.bfloat16)
    with pytest.raises(
        DTypeError,
        match=r"autocast must be torch\.bfloat16, torch\.float16 or None, got torch\.float32",
    ):
        run_torch(lstm, x, autocast=torch.float32)
    with pytest.raises(
        ArgumentError, match=r"^torch_lstm: all layers must have one H, got \[2, 4\]"
    ):
        torch_lstm(
            [model_of(layers=1, directions=1)[0], model_of(layers=1, directions=1, D=4, H=2)[0]]
        )
    with pytest.raises(ArgumentError, match="must have the names Wx, Wh, b; too many: bh"):
        torch_lstm(model_of("gru"))
    with pytest.raises(
        ArgumentError, match='gru_step_torch: bh must be there with reset="after" and only then'
    ):
        gru_step_torch(*torch.zeros(5, 1, 3).unbind())


@pytest.mark.parametrize("kind", ["lstm", "gru"])
def test_twins_run_on_the_best_device(kind):
    """On the GPU where there is one, against NumPy; on the CPU elsewhere."""
    device = best_device()
    model = model_of(kind)
    case = draw_case(3, 5, 3, 4, layers=2, directions=2, cell=kind)._replace(model=model)
    expected = numpy_answer_of(case)["h"]
    make = {"lstm": torch_lstm, "gru": torch_gru}[kind]
    x, h0 = (torch.from_numpy(array).to(device) for array in (case.x, case.h0))
    c0 = None if case.c0 is None else torch.from_numpy(case.c0).to(device)
    h, _ = run_torch(make(model, device=device), x, h0 if c0 is None else (h0, c0))
    np.testing.assert_allclose(h.detach().cpu().numpy(), expected, rtol=0, atol=1e-10)
    on_device = [
        [{n: torch.from_numpy(a).to(device) for n, a in part.items()} for part in layer]
        for layer in model
    ]
    h, _ = deep_forward_torch(x, h0, c0, on_device)
    np.testing.assert_allclose(h.cpu().numpy(), expected, rtol=0, atol=1e-10)

import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lstm_ref import ArgumentError, DTypeError, ShapeError, adam, adam_init, clip_by_norm, lstm_backward, lstm_forward
from lstm_ref.convert import convert
from lstm_ref.torch_twin import best_device, lstm_forward_torch, lstm_step_torch, params_from_torch, torch_lstm

WEIGHTS = ("Wx", "Wh", "b")
sizes = st.integers(1, 6)


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """These arrays are tiny: on a busy machine, threads wait for each other many times longer than they compute."""
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
    return {"h": h.detach(), "hT": hT[0].detach(), "cT": cT[0].detach(), **grads, "db": lstm.bias_ih_l0.grad.numpy()}


@pytest.mark.parametrize("twin", [from_scratch, framework])
@given(N=sizes, T=sizes, D=sizes, H=sizes, seed=st.integers(0, 100))
def test_torch_gives_the_numbers_of_numpy_forward_and_backward(draw, numpy_answer, assert_same, twin, N, T, D, H, seed):
    layer = draw(N, T, D, H, seed)
    expected, dh, dcT = numpy_answer(layer)
    assert_same(twin(layer, dh, dcT), expected, 1e-12)


@pytest.mark.parametrize("twin", [from_scratch, framework])
def test_torch_gives_the_numbers_of_numpy_over_a_long_sequence(draw, numpy_answer, assert_same, twin):
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
        h_torch, _ = lstm(torch.from_numpy(x), (torch.from_numpy(h0)[None], torch.from_numpy(c0)[None]))
        (0.5 * h_torch.square().sum()).backward()
        torch.nn.utils.clip_grad_norm_(lstm.parameters(), 0.5)
        optimizer.step()
    assert not lstm.bias_hh_l0.requires_grad and not lstm.bias_hh_l0.any()
    for name, array in params_from_torch(lstm).items():
        np.testing.assert_allclose(array, params[name], rtol=0, atol=1e-6)  # PyTorch's clipping adds 1e-6 to the norm


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
        (torch.nn.RNN(3, 2, nonlinearity="relu"), "must have no projection and tanh, got nonlinearity='relu'"),
        (torch.nn.Linear(3, 2), "must be a torch.nn.LSTM, GRU or RNN itself, got Linear, with no torch.nn.LSTM in it"),
        (torch.nn.Sequential(torch.nn.LSTM(3, 2)), r"itself, got Sequential; pass model\.0"),
        ({}, "layer must be a torch.nn.LSTM, GRU or RNN, got dict"),
    ],
)
def test_layer_of_another_make_is_refused(layer, message):
    with pytest.raises(ArgumentError, match=f"^params_from_torch: .*{message}"):
        params_from_torch(layer)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_weights_of_another_precision_are_named(dtype):
    with pytest.raises(DTypeError, match=f"weight_ih_l0 must be float32 or float64, got {dtype}; use .float()"):
        params_from_torch(torch.nn.LSTM(3, 2, dtype=dtype))


def test_what_does_not_fit_is_named(draw):
    params = {name: draw(1, 1, 4, 5)[name] for name in WEIGHTS}
    with pytest.raises(DTypeError, match="torch_lstm: dtype must be torch.float32 or torch.float64, got torch.float16"):
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
    code = "import sys; sys.modules['torch'] = None; import lstm_ref.torch_twin"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert run.returncode == 1
    assert run.stderr.strip().endswith(
        "lstm_ref.errors.MissingPackageError: lstm_ref.torch_twin needs PyTorch, which is not installed; "
        "run: pip install 'inside-the-lstm[torch]'"
    )

"""The LSTM in PyTorch twice: from the equations, with autograd in place of a backward pass, and as torch.nn.LSTM.

Both compute what `lstm_ref.cell` and `lstm_ref.sequence` compute, from the same weights.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from lstm_ref.convert import convert
from lstm_ref.errors import ArgumentError, Array, DTypeError, MissingPackageError

try:
    import torch
    from torch import Tensor, nn
except ImportError as error:
    raise MissingPackageError(
        "lstm_ref.torch_twin needs PyTorch, which is not installed; run: pip install 'inside-the-lstm[torch]'"
    ) from error


def lstm_step_torch(
    x: Tensor, h_prev: Tensor, c_prev: Tensor, Wx: Tensor, Wh: Tensor, b: Tensor
) -> tuple[Tensor, Tensor]:
    """One step forward, as `lstm_ref.lstm_step`; autograd keeps what the step backward needs.

    Parameters
    ----------
    x : (N, D)
    h_prev, c_prev : (N, H)
    Wx : (D, 4H), blocks in the order i, f, g, o
    Wh : (H, 4H)
    b : (4H,)

    Returns
    -------
    h, c : (N, H)

    Examples
    --------
    >>> h, c = lstm_step_torch(torch.ones(2, 3), torch.zeros(2, 4), torch.ones(2, 4),
    ...                        torch.zeros(3, 16), torch.zeros(4, 16), torch.zeros(16))
    >>> c[0, 0].item()  # all gates are half open: half of the old cell state is kept
    0.5
    """
    a = x @ Wx + h_prev @ Wh + b
    a_i, a_f, a_g, a_o = a.chunk(4, dim=1)
    i, f, o = torch.sigmoid(a_i), torch.sigmoid(a_f), torch.sigmoid(a_o)
    g = torch.tanh(a_g)
    c = f * c_prev + i * g
    h = o * torch.tanh(c)
    return h, c


def lstm_forward_torch(
    x: Tensor, h0: Tensor, c0: Tensor, Wx: Tensor, Wh: Tensor, b: Tensor
) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    """All time steps forward, as `lstm_ref.lstm_forward`.

    Parameters
    ----------
    x : (N, T, D)
    h0, c0 : (N, H)
    Wx : (D, 4H), blocks in the order i, f, g, o
    Wh : (H, 4H)
    b : (4H,)

    Returns
    -------
    h : (N, T, H), the hidden state after every step
    (hT, cT) : each (N, H), the state after the last step
    """
    h, c = h0, c0
    steps = []
    for x_t in x.unbind(dim=1):
        h, c = lstm_step_torch(x_t, h, c, Wx, Wh, b)
        steps.append(h)
    return torch.stack(steps, dim=1), (h, c)


def torch_lstm(
    params: Mapping[str, Array],
    dtype: torch.dtype | None = None,
    device: torch.device | str = "cpu",
) -> nn.LSTM:
    """A torch.nn.LSTM with our weights: one layer, one direction, ``batch_first=True``.

    nn.LSTM has two biases. All of b goes into the first; the second stays zero and is not trained (``requires_grad`` is
    off), because two trained biases would move their sum twice as far in every step as our one.

    Parameters
    ----------
    params : {"Wx": (D, 4H), "Wh": (H, 4H), "b": (4H,)}
    dtype : torch.float32 or torch.float64; None means that of the params
    device : where the layer lives; `best_device` names the GPU where there is one

    Returns
    -------
    lstm : torch.nn.LSTM. ``lstm(x, (h0[None], c0[None]))`` takes x (N, T, D) and gives h (N, T, H) and hT, cT, each (1, N, H):
        the first axis of the states counts layers, whatever ``batch_first`` is

    Raises
    ------
    ArgumentError, ShapeError, DTypeError, NotFiniteError : an argument that does not fit, by name

    Examples
    --------
    >>> lstm = torch_lstm({"Wx": np.zeros((3, 8)), "Wh": np.zeros((2, 8)), "b": np.zeros(8)})
    >>> lstm, lstm.weight_ih_l0.dtype
    (LSTM(3, 2, batch_first=True), torch.float64)
    """
    weights = {name: torch.from_numpy(array) for name, array in convert(params, "here", "pytorch").items()}
    dtype = weights["weight_ih_l0"].dtype if dtype is None else dtype
    if dtype not in (torch.float32, torch.float64):
        raise DTypeError(f"torch_lstm: dtype must be torch.float32 or torch.float64, got {dtype}")
    H, D = weights["weight_hh_l0"].shape[1], weights["weight_ih_l0"].shape[1]
    lstm = nn.LSTM(D, H, batch_first=True, dtype=dtype, device=device)
    lstm.load_state_dict(weights)
    lstm.bias_hh_l0.requires_grad_(False)
    return lstm


def params_from_torch(lstm: nn.LSTM) -> dict[str, Array]:
    """Our weights of a torch.nn.LSTM: the way back from `torch_lstm`.

    Parameters
    ----------
    lstm : torch.nn.LSTM with one layer, one direction and no projection, with or without bias, on any device

    Returns
    -------
    params : {"Wx": (D, 4H), "Wh": (H, 4H), "b": (4H,)}, copies

    Raises
    ------
    ArgumentError : a layer of another make
    DTypeError : weights that are neither float32 nor float64
    NotFiniteError : weights that hold NaN or infinity

    Examples
    --------
    >>> {name: array.shape for name, array in params_from_torch(nn.LSTM(3, 2)).items()}
    {'Wx': (3, 8), 'Wh': (2, 8), 'b': (8,)}
    """
    if not isinstance(lstm, nn.LSTM):
        raise ArgumentError(f"params_from_torch: lstm must be a torch.nn.LSTM, got {type(lstm).__name__}")
    if lstm.num_layers != 1 or lstm.bidirectional or lstm.proj_size:
        raise ArgumentError(
            "params_from_torch: lstm must have one layer, one direction and no projection, got "
            f"num_layers={lstm.num_layers}, bidirectional={lstm.bidirectional}, proj_size={lstm.proj_size}"
        )
    for name, tensor in lstm.named_parameters():
        if tensor.dtype not in (torch.float32, torch.float64):  # NumPy has no bfloat16
            raise DTypeError(
                f"params_from_torch: {name} must be float32 or float64, got {tensor.dtype}; use lstm.float()"
            )
    weights = {name: tensor.detach().cpu().numpy() for name, tensor in lstm.named_parameters()}
    if not lstm.bias:
        zeros = np.zeros(4 * lstm.hidden_size, weights["weight_ih_l0"].dtype)
        weights |= {"bias_ih_l0": zeros, "bias_hh_l0": zeros}
    return convert(weights, "pytorch", "here")


def best_device() -> torch.device:
    """The GPU where one answers, else the CPU.

    Found out by doing: a machine may have a GPU and PyTorch's kernels for another one.
    """
    if torch.cuda.is_available():
        try:
            torch.ones(2, 2, device="cuda").mm(torch.ones(2, 2, device="cuda")).cpu()
        except RuntimeError:
            return torch.device("cpu")
        return torch.device("cuda")
    return torch.device("cpu")

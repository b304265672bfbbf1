"""The LSTM in PyTorch twice: from the equations, with autograd in place of a backward pass, and as
torch.nn.LSTM. The GRU, too.

Both compute what `lstm_ref.cell`, `lstm_ref.sequence`, `lstm_ref.layers` and `lstm_ref.gru`
compute, from the same weights.

    from the equations       lstm_step_torch, lstm_forward_torch, deep_forward_torch;
                             gru_step_torch, gru_forward_torch
    the layers of PyTorch    torch_lstm and torch_gru make one of our weights, run_torch runs it
                             over a batch, masked or not and in mixed precision on request,
                             params_from_torch takes the weights back

All follow their tensors: on a GPU where these are there (`best_device` names it), in the dtype that
these have.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from lstm_ref.errors import ArgumentError, DTypeError, MissingPackageError, ShapeError
from lstm_ref.frameworks.convert import convert_model
from lstm_ref.frameworks.weights import Model, read_torch

try:
    import torch
    from torch import Tensor, nn
    from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence
except ImportError as error:
    raise MissingPackageError(
        "lstm_ref.torch needs PyTorch, which is not installed; run: pip install "
        "'inside-the-lstm[torch]'"
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
    >>> h, c = lstm_step_torch(
    ...     torch.ones(2, 3),
    ...     torch.zeros(2, 4),
    ...     torch.ones(2, 4),
    ...     torch.zeros(3, 16),
    ...     torch.zeros(4, 16),
    ...     torch.zeros(16),
    ... )
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
    x: Tensor,
    h0: Tensor,
    c0: Tensor,
    Wx: Tensor,
    Wh: Tensor,
    b: Tensor,
    *,
    mask: Tensor | None = None,
    reverse: bool = False,
) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    """All time steps forward, as `lstm_ref.lstm_forward`, and with a mask as
    `lstm_ref.masked_lstm_forward`.

    Parameters
    ----------
    x : (N, T, D)
    h0, c0 : (N, H)
    Wx : (D, 4H), blocks in the order i, f, g, o
    Wh : (H, 4H)
    b : (4H,)
    mask : (N, T) of bool, True at valid steps: the state passes a masked step unchanged, and the
        output there is 0
    reverse : from the last step to the first. The output of step t stands at t all the same

    Returns
    -------
    h : (N, T, H), the hidden state after every step
    (hT, cT) : each (N, H), the state after the last step that was taken
    """
    h, c = h0, c0
    steps = []
    for t in _times(x, reverse):
        h_new, c_new = lstm_step_torch(x[:, t], h, c, Wx, Wh, b)
        out, (h, c) = _choose(mask, t, (h_new, c_new), (h, c))
        steps.append(out)
    return torch.stack(steps[::-1] if reverse else steps, dim=1), (h, c)


def deep_forward_torch(
    x: Tensor,
    h0: Tensor,
    c0: Tensor | None,
    layers: Sequence[Any],
    *,
    mask: Tensor | None = None,
) -> tuple[Tensor, tuple[Tensor, Tensor | None]]:
    """Several layers, one on another, each of one direction or of two: `lstm_ref.stacked_forward`
    and `bidirectional_forward`.

    Parameters
    ----------
    x : (N, T, D)
    h0, c0 : (S, N, H), one state for each layer and direction, in the order of nn.LSTM: first layer
        forward, first layer reverse, second layer forward, ... c0 is None where the layers are GRUs
    layers : for each layer, the lowest first, a dict of tensors {"Wx", "Wh", "b"}, or a list of
        two, forward and reverse; with a "bh" for a GRU whose reset gate acts after the product
    mask : (N, T) of bool, True at valid steps

    Returns
    -------
    h : (N, T, H) or, where the last layer has two directions, (N, T, 2H)
    (hT, cT) : each (S, N, H); cT is None where c0 is

    Examples
    --------
    >>> one = {"Wx": torch.ones(3, 8), "Wh": torch.ones(2, 8), "b": torch.zeros(8)}
    >>> state = torch.zeros(2, 1, 2)
    >>> h, (hT, cT) = deep_forward_torch(torch.ones(1, 5, 3), state, state, [[one, one]])
    >>> h.shape, hT.shape
    (torch.Size([1, 5, 4]), torch.Size([2, 1, 2]))
    """
    states: list[Any] = []
    for layer in layers:
        outputs = []
        for side, params in enumerate([layer] if isinstance(layer, Mapping) else layer):
            k, reverse = len(states), side == 1
            state: Any
            if c0 is None:
                reset = "after" if "bh" in params else "before"
                out, state = gru_forward_torch(
                    x, h0[k], **params, reset=reset, mask=mask, reverse=reverse
                )
            else:
                out, state = lstm_forward_torch(
                    x, h0[k], c0[k], **params, mask=mask, reverse=reverse
                )
            outputs.append(out)
            states.append(state)
        x = torch.cat(outputs, dim=2)
    if c0 is None:
        return x, (torch.stack(states), None)
    hT, cT = (torch.stack(parts) for parts in zip(*states, strict=True))
    return x, (hT, cT)


def gru_step_torch(
    x: Tensor,
    h_prev: Tensor,
    Wx: Tensor,
    Wh: Tensor,
    b: Tensor,
    bh: Tensor | None = None,
    *,
    reset: str = "after",
) -> Tensor:
    """One step of a GRU forward, as `lstm_ref.gru_step`.

    Parameters
    ----------
    x : (N, D)
    h_prev : (N, H)
    Wx : (D, 3H), blocks in the order r, z, n
    Wh : (H, 3H)
    b : (3H,)
    bh : (H,), recurrent bias of the candidate where reset is "after"; None where it is "before"
    reset : "after" or "before" the product with Wh_n

    Returns
    -------
    h : (N, H)

    Examples
    --------
    >>> h = gru_step_torch(
    ...     torch.ones(2, 3),
    ...     torch.ones(2, 4),
    ...     torch.zeros(3, 12),
    ...     torch.zeros(4, 12),
    ...     torch.zeros(12),
    ...     torch.zeros(4),
    ... )
    >>> h[0, 0].item()  # half of the old state is kept, and the candidate is 0
    0.5
    """
    if (reset == "after") != (bh is not None):
        raise ArgumentError(
            'gru_step_torch: bh must be there with reset="after" and only then, got '
            f"reset={reset!r}"
        )
    a_r, a_z, a_n = (x @ Wx + b).chunk(3, dim=1)
    Wh_r, Wh_z, Wh_n = Wh.chunk(3, dim=1)
    r = torch.sigmoid(a_r + h_prev @ Wh_r)
    z = torch.sigmoid(a_z + h_prev @ Wh_z)
    n = torch.tanh(a_n + (r * h_prev) @ Wh_n if bh is None else a_n + r * (h_prev @ Wh_n + bh))
    return (1 - z) * n + z * h_prev


def gru_forward_torch(
    x: Tensor,
    h0: Tensor,
    Wx: Tensor,
    Wh: Tensor,
    b: Tensor,
    bh: Tensor | None = None,
    *,
    reset: str = "after",
    mask: Tensor | None = None,
    reverse: bool = False,
) -> tuple[Tensor, Tensor]:
    """All time steps of a GRU forward, as `lstm_ref.gru_forward`.

    Parameters
    ----------
    x : (N, T, D)
    h0 : (N, H), the state before the first step that is taken
    Wx, Wh, b, bh, reset : as `gru_step_torch` takes them
    mask : (N, T), True at valid steps; elsewhere the state stays and the output is 0. None means
        that all are
    reverse : from the last step to the first; outputs stand at the time of their inputs

    Returns
    -------
    h : (N, T, H)
    hT : (N, H)
    """
    h = h0
    steps = []
    for t in _times(x, reverse):
        out, (h,) = _choose(
            mask, t, (gru_step_torch(x[:, t], h, Wx, Wh, b, bh, reset=reset),), (h,)
        )
        steps.append(out)
    return torch.stack(steps[::-1] if reverse else steps, dim=1), h


def _times(x: Tensor, reverse: bool) -> range:
    T = x.shape[1]
    return range(T - 1, -1, -1) if reverse else range(T)


def _choose(
    mask: Tensor | None, t: int, new: tuple[Tensor, ...], old: tuple[Tensor, ...]
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Output and state of step t: the new ones where it is valid, else 0 and the old state."""
    if mask is None:
        return new[0], new
    valid = mask[:, t, None]
    return torch.where(valid, new[0], 0), tuple(
        torch.where(valid, n, o) for n, o in zip(new, old, strict=True)
    )


# --- The layers of PyTorch
# --------------------------------------------------------------------------------------------------


def torch_lstm(
    params: Model,
    dtype: torch.dtype | None = None,
    device: torch.device | str = "cpu",
    *,
    dropout: float = 0.0,
) -> nn.LSTM:
    """A torch.nn.LSTM with our weights, ``batch_first=True``: one layer or several, of one
    direction or of two.

    nn.LSTM has two biases. All of b goes into the first; the second stays zero and is not trained
    (``requires_grad`` is off), because two trained biases would move their sum twice as far in
    every step as our one.

    Parameters
    ----------
    params : {"Wx": (D, 4H), "Wh": (H, 4H), "b": (4H,)}; or a list with one such dict a layer; where
        the layers have two directions, with a list of two dicts a layer. All layers have the same H
    dtype : torch.float32 or torch.float64; None means that of the params
    device : where the layer lives; `best_device` names the GPU where there is one
    dropout : rate of the dropout between two layers in training, as of nn.LSTM

    Returns
    -------
    lstm : torch.nn.LSTM. ``lstm(x, (h0, c0))`` takes x (N, T, D), h0 and c0 (S, N, H), and gives h
        (N, T, H) and hT, cT: the first axis of the states counts layers and directions, whatever
        ``batch_first`` is, and is 1 for one of each

    Raises
    ------
    ArgumentError, ShapeError, DTypeError, NotFiniteError : an argument that does not fit, by name

    Examples
    --------
    >>> import numpy as np
    >>> lstm = torch_lstm({"Wx": np.zeros((3, 8)), "Wh": np.zeros((2, 8)), "b": np.zeros(8)})
    >>> lstm, lstm.weight_ih_l0.dtype
    (LSTM(3, 2, batch_first=True), torch.float64)
    """
    lstm = _module("torch_lstm", nn.LSTM, "lstm", params, dtype, device, dropout)
    for name, bias in lstm.named_parameters():
        if name.startswith("bias_hh"):
            bias.requires_grad_(False)
    return lstm


def torch_gru(
    params: Model,
    dtype: torch.dtype | None = None,
    device: torch.device | str = "cpu",
    *,
    dropout: float = 0.0,
) -> nn.GRU:
    """A torch.nn.GRU with our weights, ``batch_first=True``; the GRU whose reset gate acts after
    the product.

    Of its second bias, only the block of n counts: it is our bh. The blocks of r and z stay zero,
    as all of it does in `torch_lstm`; as they share a tensor with bh, a hook sets their gradient to
    zero. (``copy.deepcopy`` does not copy hooks.)

    Parameters
    ----------
    params : {"Wx": (D, 3H), "Wh": (H, 3H), "b": (3H,), "bh": (H,)}, or a list as of `torch_lstm`
    dtype, device, dropout : as of `torch_lstm`

    Returns
    -------
    gru : torch.nn.GRU. ``gru(x, h0)`` takes x (N, T, D), h0 (S, N, H), and gives h and hT

    Raises
    ------
    ArgumentError, ShapeError, DTypeError, NotFiniteError : an argument that does not fit, by name

    Examples
    --------
    >>> import numpy as np
    >>> torch_gru(
    ...     {"Wx": np.zeros((3, 6)), "Wh": np.zeros((2, 6)), "b": np.zeros(6), "bh": np.zeros(2)}
    ... )
    GRU(3, 2, batch_first=True)
    """
    gru = _module("torch_gru", nn.GRU, "gru", params, dtype, device, dropout)
    H = gru.hidden_size

    def only_n(grad: Tensor) -> Tensor:
        grad = grad.clone()
        grad[: 2 * H] = 0
        return grad

    for name, bias in gru.named_parameters():
        if name.startswith("bias_hh"):
            bias.register_hook(only_n)
    return gru


def run_torch(
    layer: nn.LSTM | nn.GRU | nn.RNN,
    x: Tensor,
    state: Any = None,
    mask: Tensor | None = None,
    *,
    autocast: torch.dtype | None = None,
) -> tuple[Tensor, Any]:
    """A layer of torch.nn over a batch, with sequences of different lengths packed, and in mixed
    precision on request.

    Parameters
    ----------
    layer : torch.nn.LSTM, GRU or RNN with ``batch_first=True``
    x : (N, T, D), on the device of the layer
    state : (h0, c0) of an LSTM, h0 of the others, each (S, N, H); zeros if not given
    mask : (N, T) of bool, True at valid steps, as `lstm_ref.padding_mask` makes it for padding
        after the data: PyTorch packs no other padding, and no sequence without a valid step
    autocast : torch.bfloat16 or torch.float16: products in this dtype, weights and sums in float32,
        by ``torch.autocast``. On the CPU, packed sequences of different lengths give float32, and
        so does a processor for which oneDNN has no LSTM of this dtype (x86 without AVX-512): there
        PyTorch's own operations compute, with the same products

    Returns
    -------
    h : (N, T, H), or (N, T, 2H) for two directions; 0 at masked steps. Under autocast in the dtype
        that PyTorch gives it
    state : as it went in: after the last valid step

    Raises
    ------
    ArgumentError, ShapeError, DTypeError : an argument that does not fit, by name

    Examples
    --------
    >>> layer = nn.LSTM(3, 4, batch_first=True)
    >>> h, (hT, cT) = run_torch(
    ...     layer,
    ...     torch.ones(2, 3, 3),
    ...     mask=torch.tensor([[True, True, True], [True, False, False]]),
    ... )
    >>> bool((h[1, 1:] == 0).all()), bool((hT[0, 1] == h[1, 0]).all())
    (True, True)
    """
    if not isinstance(layer, nn.LSTM | nn.GRU | nn.RNN) or not layer.batch_first:
        raise ArgumentError(
            "run_torch: layer must be a torch.nn.LSTM, GRU or RNN with batch_first=True, got "
            f"{type(layer).__name__}{' without it' if isinstance(layer, nn.RNNBase) else ''}"
        )
    if autocast not in (None, torch.bfloat16, torch.float16):
        raise DTypeError(
            f"run_torch: autocast must be torch.bfloat16, torch.float16 or None, got {autocast}"
        )
    weights = layer.weight_ih_l0.dtype
    if autocast is not None and weights != torch.float32:
        raise DTypeError(
            f"run_torch: mixed precision keeps weights in float32, the layer has {weights}; use "
            ".float()"
        )
    given: Any = x
    if mask is not None:
        given = pack_padded_sequence(x, _lengths(mask, x), batch_first=True, enforce_sorted=False)
    h, state = (
        layer(given, state)
        if autocast is None
        else _run_mixed(layer, given, state, x.device.type, autocast)
    )
    if mask is not None:
        h, _ = pad_packed_sequence(h, batch_first=True, total_length=x.shape[1])
    return h, state


def _run_mixed(
    layer: nn.Module, given: Any, state: Any, device: str, dtype: torch.dtype
) -> tuple[Any, Any]:
    """One call under autocast; without oneDNN where it has no such layer for this processor."""
    with torch.autocast(device, dtype):
        try:
            h, state = layer(given, state)
        except RuntimeError as error:
            # Which processors have it is known to oneDNN alone, and it says so in this way only.
            if "could not create a primitive" not in str(error):
                raise
            with _without_onednn():
                h, state = layer(given, state)
    return h, state


@contextmanager
def _without_onednn() -> Iterator[None]:
    """PyTorch's own operations. Not ``mkldnn.flags``: that sets TF32 too, and warns."""
    before = torch.backends.mkldnn.enabled
    torch.backends.mkldnn.enabled = False
    try:
        yield
    finally:
        torch.backends.mkldnn.enabled = before


def _lengths(mask: Tensor, x: Tensor) -> Tensor:
    """Valid steps of each sequence, on the CPU, where PyTorch wants them."""
    if not isinstance(mask, Tensor) or mask.dtype != torch.bool:
        kind = mask.dtype if isinstance(mask, Tensor) else type(mask).__name__
        raise DTypeError(
            f"run_torch: mask must be a tensor of bool, True at valid steps, got {kind}"
        )
    if mask.shape != x.shape[:2]:
        raise ShapeError(
            f"run_torch: mask must be (N, T) = {tuple(x.shape[:2])}, got {tuple(mask.shape)}"
        )
    lengths = mask.sum(dim=1)
    steps = torch.arange(mask.shape[1], device=mask.device)
    if not torch.equal(mask, steps < lengths[:, None]):
        raise ArgumentError(
            "run_torch: mask must be True up to the length of each sequence and False after it, "
            "got another; PyTorch packs padding after the data only, deep_forward_torch takes any "
            "mask"
        )
    if not lengths.all():
        raise ArgumentError(
            "run_torch: every sequence must have a valid step, got one without; leave such "
            "sequences out of the batch"
        )
    return lengths.cpu()


def params_from_torch(layer: nn.LSTM | nn.GRU | nn.RNN) -> Model:
    """Our weights of a torch.nn.LSTM, GRU or RNN: the way back from `torch_lstm` and `torch_gru`.

    Parameters
    ----------
    layer : torch.nn.LSTM, GRU or RNN without projection, with or without bias, on any device

    Returns
    -------
    params : {"Wx": (D, 4H), "Wh": (H, 4H), "b": (4H,)} for an LSTM of one layer and one direction;
        3H and "bh" for a GRU, H for an RNN. For more layers or directions, the list that
        `torch_lstm` takes. Copies

    Raises
    ------
    ArgumentError : a layer of another make
    DTypeError : weights that are neither float32 nor float64
    NotFiniteError : weights that hold NaN or infinity

    Examples
    --------
    >>> {name: array.shape for name, array in params_from_torch(nn.LSTM(3, 2)).items()}
    {'Wx': (3, 8), 'Wh': (2, 8), 'b': (8,)}
    >>> upper = params_from_torch(nn.LSTM(3, 2, num_layers=2, bidirectional=True))[1]
    >>> [
    ...     params["Wx"].shape for params in upper
    ... ]  # forward and reverse, each over both directions of the layer below
    [(4, 8), (4, 8)]
    """
    if not isinstance(layer, nn.Module):
        raise ArgumentError(
            "params_from_torch: layer must be a torch.nn.LSTM, GRU or RNN, got "
            f"{type(layer).__name__}"
        )
    return read_torch("params_from_torch", layer).model


def _module(
    operation: str,
    kind: type[nn.RNNBase],
    cell: str,
    params: Model,
    dtype: torch.dtype | None,
    device: torch.device | str,
    dropout: float,
) -> Any:
    """A module of torch.nn with our weights."""
    state = convert_model(params, "here", "pytorch", cell=cell)
    recurrent = {name: array for name, array in state.items() if name.startswith("weight_hh")}
    both = [name for name in recurrent if name.endswith("_reverse")]
    sizes = {array.shape[1] for array in recurrent.values()}
    if len(sizes) > 1:
        raise ArgumentError(
            f"{operation}: all layers must have one H, got {sorted(sizes)}; a module of PyTorch "
            "has one for all its layers"
        )
    weights = {name: torch.from_numpy(array) for name, array in state.items()}
    dtype = weights["weight_ih_l0"].dtype if dtype is None else dtype
    if dtype not in (torch.float32, torch.float64):
        raise DTypeError(f"{operation}: dtype must be torch.float32 or torch.float64, got {dtype}")
    (H,), D = sizes, weights["weight_ih_l0"].shape[1]
    module = kind(
        D,
        H,
        num_layers=len(recurrent) - len(both),
        bidirectional=bool(both),
        batch_first=True,
        dropout=dropout,
        dtype=dtype,
        device=device,
    )
    module.load_state_dict(weights)
    return module


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

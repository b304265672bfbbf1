"""The same LSTM seven times: one idea for each rung, which shall make it faster, and every rung
gives the same numbers. On some processors a rung is slower than the one before.

    naive      four gates, each with products of its own, at every step
    fused      the four gates in one block: one product with x and one with h at every step
    hoisted    the products with x leave the loop: one for the whole sequence; so do the
               gradients of the weights
    in-place   one tanh for all gates, and no new memory in the loop: `lstm_ref.lstm_forward`
    numba      what stands between two products of the loop, compiled
    PyTorch    torch.nn.LSTM on the CPU: nothing of the loop is left in Python
    cuDNN      torch.nn.LSTM on an NVIDIA GPU

`RUNGS` lists them in this order. `gemm_bound` is the floor under the ladder: the matrix products,
and nothing else.

Every forward takes (x, h0, c0, Wx, Wh, b) and returns (h, (hT, cT), cache); every backward takes
(dh, cache, dcT) and returns `SequenceGrads`, as `lstm_ref.lstm_forward` and
`lstm_ref.lstm_backward` do; there the shapes are told. Only the caches differ. What a rung is given
is not checked, so that what is timed is the computation; `in-place` alone checks, because the
reference does.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from lstm_ref.cell import sigmoid
from lstm_ref.errors import Array, MissingPackageError
from lstm_ref.sequence import SequenceCache, SequenceGrads, lstm_backward, lstm_forward
from lstm_ref.zoo import plain

Forward = Callable[
    [Array, Array, Array, Array, Array, Array], tuple[Array, tuple[Array, Array], Any]
]
Backward = Callable[[Array, Any, Array | None], SequenceGrads]
Pass = Callable[[], object]

# --- naive
# --------------------------------------------------------------------------------------------------


def naive_forward(
    x: Array, h0: Array, c0: Array, Wx: Array, Wh: Array, b: Array
) -> tuple[Array, tuple[Array, Array], list[tuple[Any, ...]]]:
    """Four gates, each with weights of its own: eight small products at every step.

    The weights of a gate are taken out of their block once, before the loop, as a program that
    never had a block would hold them.
    """
    gates = _per_gate(Wx, Wh, b)
    h, c = h0, c0
    hs, cache = [], []
    for t in range(x.shape[1]):
        x_t, h_prev, c_prev = x[:, t], h, c
        a_i, a_f, a_g, a_o = (x_t @ Wx_k + h_prev @ Wh_k + b_k for Wx_k, Wh_k, b_k in gates)
        i, f, o = sigmoid(a_i), sigmoid(a_f), sigmoid(a_o)
        g = np.tanh(a_g)
        c = f * c_prev + i * g
        h = o * np.tanh(c)
        hs.append(h)
        cache.append((x_t, h_prev, c_prev, i, f, g, o, c, gates))
    return np.stack(hs, axis=1), (h, c), cache


def naive_backward(
    dh: Array, cache: list[tuple[Any, ...]], dcT: Array | None = None
) -> SequenceGrads:
    """Sixteen small products at every step: four for each gate."""
    gates = cache[0][-1]
    dWx, dWh, db = ([np.zeros_like(gate[k]) for gate in gates] for k in range(3))
    dh_next = np.zeros_like(dh[:, 0])
    dc_next = np.zeros_like(dh[:, 0]) if dcT is None else dcT
    dxs = []
    for t in reversed(range(len(cache))):
        x_t, h_prev, c_prev, i, f, g, o, c, _ = cache[t]
        dh_t = dh[:, t] + dh_next
        tanh_c = np.tanh(c)
        dc = dc_next + dh_t * o * (1 - tanh_c**2)
        da = (
            dc * g * i * (1 - i),
            dc * c_prev * f * (1 - f),
            dc * i * (1 - g**2),
            dh_t * tanh_c * o * (1 - o),
        )
        dx_t, dh_next = np.zeros_like(x_t), np.zeros_like(dh_t)
        for k, (Wx_k, Wh_k, _) in enumerate(gates):
            dWx[k] += x_t.T @ da[k]
            dWh[k] += h_prev.T @ da[k]
            db[k] += da[k].sum(axis=0)
            dx_t += da[k] @ Wx_k.T
            dh_next += da[k] @ Wh_k.T
        dxs.append(dx_t)
        dc_next = dc * f
    blocks = [np.concatenate(parts, axis=-1) for parts in (dWx, dWh, db)]
    return SequenceGrads(np.stack(dxs[::-1], axis=1), dh_next, dc_next, *blocks)


def _per_gate(Wx: Array, Wh: Array, b: Array) -> list[tuple[Array, Array, Array]]:
    parts = (np.split(array, 4, axis=-1) for array in (Wx, Wh, b))
    return [(Wx_k.copy(), Wh_k.copy(), b_k.copy()) for Wx_k, Wh_k, b_k in zip(*parts, strict=True)]


# --- fused
# --------------------------------------------------------------------------------------------------


def fused_forward(
    x: Array, h0: Array, c0: Array, Wx: Array, Wh: Array, b: Array
) -> tuple[Array, tuple[Array, Array], list[tuple[Array, ...]]]:
    """The four gates in one block: two products at every step. This is the loop that textbooks
    print, `lstm_ref.zoo.plain`.
    """
    h, (hT, cT), cache = plain.lstm_forward(x, h0, c0, Wx, Wh, b)
    return h, (hT, cT), cache


def fused_backward(
    dh: Array, cache: list[tuple[Array, ...]], dcT: Array | None = None
) -> SequenceGrads:
    """Four products at every step, and the gradients of the weights added up step by step."""
    return SequenceGrads(*plain.lstm_backward(dh, cache, dcT))


# --- hoisted
# --------------------------------------------------------------------------------------------------


def hoisted_forward(
    x: Array, h0: Array, c0: Array, Wx: Array, Wh: Array, b: Array
) -> tuple[Array, tuple[Array, Array], SequenceCache]:
    """The products with x do not wait for any step: one for the whole sequence; one product with h
    stays in the loop.
    """
    N, T, D = x.shape
    H = h0.shape[1]
    x = x.swapaxes(0, 1).copy()  # (T, N, D)
    a_x = (x.reshape(T * N, D) @ Wx + b).reshape(T, N, 4 * H)
    h, c = np.empty((T + 1, N, H), x.dtype), np.empty((T + 1, N, H), x.dtype)
    gates = np.empty((T, N, 4 * H), x.dtype)
    h[0], c[0] = h0, c0
    for t in range(T):
        a_i, a_f, a_g, a_o = np.split(a_x[t] + h[t] @ Wh, 4, axis=1)
        i, f, g, o = np.split(gates[t], 4, axis=1)  # views: what is written here stays in the cache
        i[:], f[:], o[:] = sigmoid(a_i), sigmoid(a_f), sigmoid(a_o)
        g[:] = np.tanh(a_g)
        c[t + 1] = f * c[t] + i * g
        h[t + 1] = o * np.tanh(c[t + 1])
    return (
        h[1:].swapaxes(0, 1).copy(),
        (h[T].copy(), c[T].copy()),
        SequenceCache(x, h, c, gates, Wx, Wh),
    )


def hoisted_backward(dh: Array, cache: SequenceCache, dcT: Array | None = None) -> SequenceGrads:
    """One product at every step; the gradients of x and of the weights are one product each, after
    the loop.
    """
    _, _, c, gates, _, Wh = cache
    da = np.empty_like(gates)
    dh_next = np.zeros_like(c[0])
    dc_next = np.zeros_like(c[0]) if dcT is None else dcT
    for t in reversed(range(len(gates))):
        i, f, g, o = np.split(gates[t], 4, axis=1)
        da_i, da_f, da_g, da_o = np.split(da[t], 4, axis=1)  # views into da
        dh_total = dh[:, t] + dh_next
        tanh_c = np.tanh(c[t + 1])
        dc_total = dc_next + dh_total * o * (1 - tanh_c**2)
        da_i[:] = dc_total * g * i * (1 - i)
        da_f[:] = dc_total * c[t] * f * (1 - f)
        da_g[:] = dc_total * i * (1 - g**2)
        da_o[:] = dh_total * tanh_c * o * (1 - o)
        dh_next = da[t] @ Wh.T
        dc_next = dc_total * f
    return _after_the_loop(da, dh_next, dc_next, cache)


def _after_the_loop(da: Array, dh0: Array, dc0: Array, cache: SequenceCache) -> SequenceGrads:
    """Every step shares the same weights: their gradients add up over time and batch, in one
    product each.
    """
    T, N, D = cache.x.shape
    H = dh0.shape[1]
    da_flat = da.reshape(T * N, 4 * H)
    return SequenceGrads(
        dx=(da_flat @ cache.Wx.T).reshape(T, N, D).swapaxes(0, 1).copy(),
        dh0=dh0,
        dc0=dc0,
        dWx=cache.x.reshape(T * N, D).T @ da_flat,
        dWh=cache.h[:T].reshape(T * N, H).T @ da_flat,
        db=da_flat.sum(axis=0),
    )


# --- numba
# --------------------------------------------------------------------------------------------------


def compiled_forward(
    x: Array, h0: Array, c0: Array, Wx: Array, Wh: Array, b: Array
) -> tuple[Array, tuple[Array, Array], SequenceCache]:
    """As in-place, with what stands between two tanh in one compiled loop; the first call compiles
    it.

    The products and tanh stay with NumPy: BLAS and NumPy's tanh work on many numbers at once,
    numba's tanh on one.

    Raises
    ------
    MissingPackageError : numba is not installed
    """
    close_gates, _ = _kernels()
    N, T, D = x.shape
    H = h0.shape[1]
    x = x.swapaxes(0, 1).copy()  # (T, N, D)
    scale = np.repeat(np.array([0.5, 0.5, 1, 0.5], x.dtype), H)
    Wh_scaled = Wh * scale
    gates = (x.reshape(T * N, D) @ (Wx * scale)).reshape(T, N, 4 * H)
    gates += b * scale
    h, c = np.empty((T + 1, N, H), x.dtype), np.empty((T + 1, N, H), x.dtype)
    h[0], c[0] = h0, c0
    a, tanh_c = np.empty((N, 4 * H), x.dtype), np.empty((N, H), x.dtype)
    for t in range(T):
        np.matmul(h[t], Wh_scaled, out=a)
        a += gates[t]
        np.tanh(a, out=a)
        close_gates(a, c[t], gates[t], c[t + 1])
        np.tanh(c[t + 1], out=tanh_c)
        np.multiply(gates[t, :, 3 * H :], tanh_c, out=h[t + 1])
    return (
        h[1:].swapaxes(0, 1).copy(),
        (h[T].copy(), c[T].copy()),
        SequenceCache(x, h, c, gates, Wx, Wh),
    )


def compiled_backward(dh: Array, cache: SequenceCache, dcT: Array | None = None) -> SequenceGrads:
    """As in-place, with a whole step between two products in one compiled loop.

    Raises
    ------
    MissingPackageError : numba is not installed
    """
    _, step_back = _kernels()
    _, _, c, gates, _, Wh = cache
    da = np.empty(gates.shape, gates.dtype)
    WhT = Wh.T.copy()
    dh_total, dc_total = np.zeros(c[0].shape, c.dtype), np.zeros(c[0].shape, c.dtype)
    if dcT is not None:
        dc_total += dcT
    tanh_c = np.empty_like(dc_total)
    for t in reversed(range(len(gates))):
        dh_total += dh[:, t]
        np.tanh(c[t + 1], out=tanh_c)
        step_back(dh_total, tanh_c, gates[t], c[t], dc_total, da[t])
        np.matmul(da[t], WhT, out=dh_total)
    return _after_the_loop(da, dh_total, dc_total, cache)


@functools.cache
def _kernels() -> tuple[Callable[..., None], Callable[..., None]]:
    """The two compiled loops; numba compiles them at their first call with each dtype."""
    try:
        import numba
    except ImportError as error:
        raise MissingPackageError(
            "lstm_ref.speed needs numba for its compiled rung, which is not installed; run: pip "
            "install 'inside-the-lstm[bench]'"
        ) from error
    # Without Python's check for a division by zero, LLVM may work on many numbers at once.
    options = {"nogil": True, "error_model": "numpy"}
    return numba.njit(**options)(close_gates), numba.njit(**options)(_step_back)


def close_gates(tanh_a: Array, c_prev: Array, gates: Array, c: Array) -> None:
    """From the tanh of the scaled pre-activations to the gates and the cell state; what is computed
    goes into the last two.
    """
    N, H = c_prev.shape
    half = tanh_a.dtype.type(0.5)  # of the dtype: a Python 0.5 would make float64 of float32
    for n in range(N):
        for k in range(H):
            i = half * tanh_a[n, k] + half
            f = half * tanh_a[n, H + k] + half
            g = tanh_a[n, 2 * H + k]
            gates[n, k] = i
            gates[n, H + k] = f
            gates[n, 2 * H + k] = g
            gates[n, 3 * H + k] = half * tanh_a[n, 3 * H + k] + half
            c[n, k] = f * c_prev[n, k] + i * g


def _step_back(dh: Array, tanh_c: Array, gates: Array, c_prev: Array, dc: Array, da: Array) -> None:
    """From dh and dc of a step to da, and to dc of the step before; what is computed goes into the
    last two.
    """
    N, H = dh.shape
    one = dh.dtype.type(1)
    for n in range(N):
        for k in range(H):
            i, f, g, o = gates[n, k], gates[n, H + k], gates[n, 2 * H + k], gates[n, 3 * H + k]
            dc_total = dc[n, k] + dh[n, k] * o * (one - tanh_c[n, k] * tanh_c[n, k])
            da[n, k] = dc_total * g * i * (one - i)
            da[n, H + k] = dc_total * c_prev[n, k] * f * (one - f)
            da[n, 2 * H + k] = dc_total * i * (one - g * g)
            da[n, 3 * H + k] = dh[n, k] * tanh_c[n, k] * o * (one - o)
            dc[n, k] = dc_total * f


# --- PyTorch and cuDNN
# --------------------------------------------------------------------------------------------------


class TorchCache(NamedTuple):
    """What autograd goes back from: results and arguments as tensors, with the graph between
    them.
    """

    h: Any  # (N, T, H)
    cT: Any  # (1, N, H)
    # x, h0, c0, and the layer's own weight_ih_l0, weight_hh_l0, bias_ih_l0
    arguments: tuple[Any, ...]


def torch_forward(
    x: Array, h0: Array, c0: Array, Wx: Array, Wh: Array, b: Array, device: str = "cpu"
) -> tuple[Array, tuple[Array, Array], TorchCache]:
    """torch.nn.LSTM with our weights; making the layer is part of the call.

    Raises
    ------
    MissingPackageError : PyTorch is not installed
    """
    from lstm_ref.frameworks.torch import torch_lstm

    torch = _torch()
    layer = torch_lstm({"Wx": Wx, "Wh": Wh, "b": b}, device=device)
    # Tensors of their own: autograd goes back from them, and the caller may use its arrays again.
    states = [
        torch.tensor(array, device=device, requires_grad=True)
        for array in (x, h0[np.newaxis], c0[np.newaxis])
    ]
    with _exact_float32():
        h, (hT, cT) = layer(states[0], (states[1], states[2]))
    arguments = (*states, layer.weight_ih_l0, layer.weight_hh_l0, layer.bias_ih_l0)
    return _numpy(h), (_numpy(hT)[0], _numpy(cT)[0]), TorchCache(h, cT, arguments)


def torch_backward(dh: Array, cache: TorchCache, dcT: Array | None = None) -> SequenceGrads:
    """Autograd goes back through torch.nn.LSTM.

    Raises
    ------
    MissingPackageError : PyTorch is not installed
    """
    torch = _torch()
    dcT = np.zeros(cache.cT.shape[1:], dh.dtype) if dcT is None else dcT
    sent_back = [torch.tensor(array, device=cache.h.device) for array in (dh, dcT[np.newaxis])]
    with _exact_float32():
        # The graph is kept: a cache may be used more than once.
        grads = torch.autograd.grad(
            (cache.h, cache.cT), cache.arguments, sent_back, retain_graph=True
        )
    dx, dh0, dc0, dWx, dWh, db = map(_numpy, grads)
    return SequenceGrads(dx, dh0[0], dc0[0], dWx.T.copy(), dWh.T.copy(), db)


def cudnn_forward(
    x: Array, h0: Array, c0: Array, Wx: Array, Wh: Array, b: Array
) -> tuple[Array, tuple[Array, Array], TorchCache]:
    """torch.nn.LSTM on an NVIDIA GPU; the arrays travel there and back.

    Raises
    ------
    MissingPackageError : PyTorch is not installed
    """
    return torch_forward(x, h0, c0, Wx, Wh, b, device="cuda")


def _exact_float32() -> Any:
    """Within it, cuDNN keeps the 23 bits of a float32; left to itself, it multiplies with 10
    (TF32).
    """
    return _torch().backends.cudnn.flags(enabled=True, allow_tf32=False)


def _torch() -> Any:
    """PyTorch, or the error that says how to install it."""
    return importlib.import_module("lstm_ref.frameworks.torch").torch


def _numpy(tensor: Any) -> Array:
    array: Array = tensor.detach().cpu().numpy().copy()
    return array


def _torch_pass(layer: Mapping[str, Array], dh: Array, device: str) -> Pass:
    from lstm_ref.frameworks.torch import torch_lstm

    torch = _torch()
    lstm = torch_lstm({name: layer[name] for name in ("Wx", "Wh", "b")}, device=device)
    x, dh_torch = (
        torch.tensor(layer["x"], device=device, requires_grad=True),
        torch.tensor(dh, device=device),
    )
    state = tuple(torch.tensor(layer[name][np.newaxis], device=device) for name in ("h0", "c0"))
    wanted = (x, lstm.weight_ih_l0, lstm.weight_hh_l0, lstm.bias_ih_l0)

    def run() -> object:
        with _exact_float32():
            grads = torch.autograd.grad(lstm(x, state)[0], wanted, dh_torch)
        if device == "cuda":
            torch.cuda.synchronize()  # a GPU answers before it is done
        return grads

    return run


# --- The ladder
# --------------------------------------------------------------------------------------------------


class Rung(NamedTuple):
    """One way to compute the same LSTM."""

    name: str
    change: str  # what is other than on the rung before
    forward: Forward
    backward: Backward
    package: str = "numpy"  # what it needs
    device: str = ""  # where PyTorch computes; "" where it is not PyTorch that computes

    def missing(self) -> str:
        """Why this rung cannot be stood on here, in words; "" where it can.

        >>> RUNGS[0].missing()
        ''
        """
        if importlib.util.find_spec(self.package) is None:
            return f"{self.package} is not installed"
        if self.device == "cuda":
            from lstm_ref.frameworks.torch import best_device

            if best_device().type != "cuda":
                return "no NVIDIA GPU answers"
        return ""

    def one_pass(self, layer: Mapping[str, Array], dh: Array) -> Pass:
        """What to time: one forward and backward pass on these numbers, with all that is made only
        once made beforehand.

        Parameters
        ----------
        layer : the arguments of ``forward`` by name: x, h0, c0, Wx, Wh, b
        dh : (N, T, H), gradient of the loss with respect to the hidden state of every step

        Returns
        -------
        one_pass : a function without arguments. For PyTorch, the layer and its tensors are made
            here and not in the pass
        """
        if self.device:
            return _torch_pass(layer, dh, self.device)

        def one_pass() -> object:
            return self.backward(dh, self.forward(**layer)[2], None)  # type: ignore[call-arg]

        return one_pass


RUNGS: tuple[Rung, ...] = (
    Rung(
        "naive",
        "Four gates, each with products of its own, at every step.",
        naive_forward,
        naive_backward,
    ),
    Rung(
        "fused",
        "One product with x and one with h make all four gates.",
        fused_forward,
        fused_backward,
    ),
    Rung(
        "hoisted",
        "The products with x, and those for the weights, leave the loop.",
        hoisted_forward,
        hoisted_backward,
    ),
    Rung(
        "in-place",
        "One tanh for all gates, and no new memory in the loop.",
        lstm_forward,
        lstm_backward,
    ),
    Rung(
        "numba",
        "A loop over numbers is compiled: one pass over memory.",
        compiled_forward,
        compiled_backward,
        "numba",
    ),
    Rung(
        "PyTorch",
        "Nothing of the loop is left in Python.",
        torch_forward,
        torch_backward,
        "torch",
        "cpu",
    ),
    Rung("cuDNN", "The same layer on a GPU.", cudnn_forward, torch_backward, "torch", "cuda"),
)


def rung(name: str) -> Rung:
    """The rung of this name.

    >>> rung("in-place").forward.__name__
    'lstm_forward'
    """
    return next(rung for rung in RUNGS if rung.name == name)


def gemm_bound(N: int, T: int, D: int, H: int, dtype: Any = np.float32, seed: int = 0) -> Pass:
    """The matrix products of one forward and backward pass, and nothing else.

    No version that calls BLAS once for each of these products can be faster. A library with
    products of its own can be.

    Parameters
    ----------
    N, T, D, H : sizes
    dtype : of all arrays
    seed : of the numbers that are multiplied

    Returns
    -------
    products : a function without arguments: 2 T products with Wh, one at each step forward and
        backward, and four over the whole sequence

    Examples
    --------
    >>> products = gemm_bound(N=2, T=3, D=4, H=5)
    >>> products()
    """
    rng = np.random.default_rng(seed)
    shapes = {
        "x": (T * N, D),
        "h": (T, N, H),
        "da": (T, N, 4 * H),
        "Wx": (D, 4 * H),
        "Wh": (H, 4 * H),
    }
    x, h, da, Wx, Wh = (rng.standard_normal(shape).astype(dtype) for shape in shapes.values())
    WhT = Wh.T.copy()
    a, dh = np.empty((N, 4 * H), dtype), np.empty((N, H), dtype)
    h_flat, da_flat = h.reshape(T * N, H), da.reshape(T * N, 4 * H)

    def products() -> None:
        x @ Wx
        for t in range(T):
            np.matmul(h[t], Wh, out=a)
        for t in range(T):
            np.matmul(da[t], WhT, out=dh)
        da_flat @ Wx.T
        x.T @ da_flat
        h_flat.T @ da_flat

    return products

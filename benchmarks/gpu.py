"""PyTorch's LSTMs on a GPU, in tokens per second: cuDNN beside the twin from the equations. Reached only where CUDA answers.

A token is one step of one example; forward and backward. The twin runs as it is (eager), and with its step compiled by
torch.compile: the step and not the loop, because a loop of 1000 steps takes minutes to compile.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
from contenders import draw

from lstm_ref.torch_twin import lstm_step_torch, torch_lstm

# name -> (dtype, may products of float32 be done in TF32)
PRECISIONS = {
    "float32": (torch.float32, False),
    "TF32": (torch.float32, True),
    "bfloat16": (torch.bfloat16, True),
}


def passes(N: int, T: int, D: int, H: int, dtype: Any, device: str, compiled: bool) -> dict[str, Callable[[], Any]]:
    """Name -> a forward and backward pass that gives the gradients of x, Wx, Wh and b."""
    layer, dh = draw(N, T, D, H)
    weights = {name: layer[name] for name in ("Wx", "Wh", "b")}
    x, dh_torch = (torch.tensor(array, dtype=dtype, device=device) for array in (layer["x"], dh))
    x.requires_grad_()
    cudnn = torch_lstm(weights).to(device=device, dtype=dtype)
    wanted = (x, cudnn.weight_ih_l0, cudnn.weight_hh_l0, cudnn.bias_ih_l0)
    Wx, Wh, b = (torch.tensor(array, dtype=dtype, device=device, requires_grad=True) for array in weights.values())
    zeros = torch.zeros(N, H, dtype=dtype, device=device)

    def by_layer() -> Any:
        return torch.autograd.grad(cudnn(x)[0], wanted, dh_torch)

    def by_step(step: Callable[..., Any]) -> Callable[[], Any]:
        def run() -> Any:
            h, c, steps = zeros, zeros, []
            for x_t in x.unbind(dim=1):
                h, c = step(x_t, h, c, Wx, Wh, b)
                steps.append(h)
            return torch.autograd.grad(torch.stack(steps, dim=1), (x, Wx, Wh, b), dh_torch)

        return run

    runs = {"nn.LSTM": by_layer, "twin": by_step(lstm_step_torch)}
    if compiled:
        runs["twin, torch.compile"] = by_step(torch.compile(lstm_step_torch))
    return runs


def compare(runs: dict[str, Callable[[], Any]], tolerance: float) -> None:
    """Stop unless all compute the same gradients, as far as their precision goes."""
    dx, dWx, dWh, db = runs["nn.LSTM"]()
    expected = (dx, dWx.T, dWh.T, db)
    for name, run in runs.items():
        if name == "nn.LSTM":
            continue
        for got, right in zip(run(), expected, strict=True):
            error = float((got.float() - right.float()).abs().max() / right.float().abs().max())
            if not error <= tolerance:
                raise AssertionError(f"{name}: a gradient is {error:.1e} from that of nn.LSTM")


def tokens_per_second(run: Callable[[], Any], tokens: int, rounds: int, device: str) -> float:
    """Median over rounds; a GPU answers before it is done, so each round waits for it."""
    seconds = []
    for turn in range(rounds + 2):
        start = time.perf_counter()
        run()
        if device == "cuda":
            torch.cuda.synchronize()
        if turn >= 2:
            seconds.append(time.perf_counter() - start)
    return tokens / statistics.median(seconds)


def measure(sizes: list[tuple[int, int, int, int]], rounds: int, device: str = "cuda", compiled: bool = True) -> Any:
    """All sizes and precisions: a list of records."""
    results = []
    for size in sizes:
        for precision, (dtype, tf32) in PRECISIONS.items():
            torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = tf32
            runs = passes(*size, dtype=dtype, device=device, compiled=compiled)
            compare(runs, 1e-3 if precision == "float32" else 5e-2)
            rates = {name: tokens_per_second(run, size[0] * size[1], rounds, device) for name, run in runs.items()}
            for name, rate in rates.items():
                print(f"{size!s:>20} {precision:>9} {name:>20} {rate:12.0f} tokens/s", flush=True)
            rounded = {name: round(rate) for name, rate in rates.items()}
            results.append({"N, T, D, H": size, "precision": precision, "tokens per second": rounded})
    return results

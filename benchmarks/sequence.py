"""How fast is a sequence through one LSTM layer, forward and backward, beside what else one might use? Run by `make bench`.

All run in one process, one after the other in each round, with the same weights, dtype and number of threads, so that what the
machine does meanwhile hits all alike. What counts are the ratios. The GEMM bound is the time of the matrix products alone: no
version that calls BLAS once for each of them can be faster.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--rounds", type=int, default=7, help="measurements of each, of which the median counts (7)")
parser.add_argument("--threads", type=int, default=os.cpu_count() or 1, help="for BLAS and PyTorch alike (all cores)")
parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "sequence.json")
arguments = parser.parse_args()
# BLAS reads these when it is loaded.
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = str(arguments.threads)

import numpy as np  # noqa: E402
import torch  # noqa: E402

from lstm_ref import init_lstm, lstm_backward, lstm_forward  # noqa: E402
from lstm_ref.torch_twin import torch_lstm  # noqa: E402
from lstm_ref.zoo import plain  # noqa: E402

SIZES = ((32, 100, 64, 128), (64, 200, 128, 256), (64, 128, 256, 512), (1, 1000, 64, 128))  # N, T, D, H
Run = Callable[[], object]


def contenders(N: int, T: int, D: int, H: int) -> dict[str, Run]:
    """One forward and backward pass each, on the same numbers in float32."""
    rng = np.random.default_rng(0)
    params = init_lstm(rng, D, H, dtype=np.float32)
    x, dh = rng.normal(size=(N, T, D)).astype(np.float32), rng.normal(size=(N, T, H)).astype(np.float32)
    h0 = c0 = np.zeros((N, H), np.float32)
    layer = torch_lstm(params, torch.float32)
    x_torch, dh_torch = torch.from_numpy(x).requires_grad_(), torch.from_numpy(dh)
    da = rng.normal(size=(T, N, 4 * H)).astype(np.float32)
    x_rows, h_rows, da_rows = x.reshape(T * N, D), dh.reshape(T * N, H), da.reshape(T * N, 4 * H)
    h_steps = np.ascontiguousarray(dh.swapaxes(0, 1))
    Wx, Wh = params["Wx"], params["Wh"]

    def reference() -> object:
        return lstm_backward(dh, lstm_forward(x, h0, c0, **params)[2]).dWx

    def plain_loop() -> object:
        # The version that textbooks print: a Python loop that does everything at every step.
        return plain.lstm_backward(dh, plain.lstm_forward(x, h0, c0, **params)[2])[3]  # dWx

    def pytorch() -> object:
        layer.zero_grad()
        layer(x_torch)[0].backward(dh_torch)
        return layer.weight_ih_l0.grad.numpy().T

    def gemm() -> object:
        products = [x_rows @ Wx, x_rows.T @ da_rows, da_rows @ Wx.T, h_rows.T @ da_rows]
        for t in range(T):
            products.append(h_steps[t] @ Wh)
            products.append(da[t] @ Wh.T)
        return products

    return {"lstm_ref": reference, "plain loop": plain_loop, "PyTorch nn.LSTM": pytorch, "GEMM bound": gemm}


def compare(runs: dict[str, Run]) -> None:
    """Stop unless all that compute the gradient of Wx compute the same one: nothing else may be timed side by side."""
    expected, *others = (np.asarray(run()) for name, run in runs.items() if name != "GEMM bound")
    for other in others:
        np.testing.assert_allclose(other, expected, rtol=0, atol=1e-3 * np.abs(expected).max())


def measure(runs: dict[str, Run], rounds: int) -> dict[str, list[float]]:
    """Seconds of each run, round by round, after one that does not count."""
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for turn in range(rounds + 1):
        for name, run in runs.items():
            start = time.perf_counter()
            run()
            if turn:
                seconds[name].append(time.perf_counter() - start)
    return seconds


def machine() -> dict[str, object]:
    """What the numbers belong to."""
    processor = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        lines = [
            line.split(":", 1)[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")
        ]
        processor = lines[0] if lines else processor
    return {
        "date": time.strftime("%Y-%m-%d"),
        "processor": processor,
        "cores": os.cpu_count(),
        "threads": arguments.threads,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "torch": torch.__version__,
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else "none",
    }


def main() -> None:
    """Measure all sizes, print the table, write the file."""
    torch.set_num_threads(arguments.threads)
    results = []
    print(f"{'N, T, D, H':>20} {'run':>16} {'median s':>9} {'of PyTorch':>10}")
    for size in SIZES:
        runs = contenders(*size)
        compare(runs)
        seconds = measure(runs, arguments.rounds)
        medians = {name: statistics.median(times) for name, times in seconds.items()}
        for name, median in medians.items():
            print(f"{size!s:>20} {name:>16} {median:9.4f} {median / medians['PyTorch nn.LSTM']:10.2f}")
            sys.stdout.flush()
        rounded = {name: [round(t, 5) for t in times] for name, times in seconds.items()}
        results.append({"N, T, D, H": size, "seconds": rounded})
    arguments.out.parent.mkdir(exist_ok=True)
    lines = ",\n  ".join(json.dumps(result) for result in results)
    head = json.dumps({"machine": machine(), "dtype": "float32"}, indent=1)
    arguments.out.write_text(f'{head[:-2]},\n "results": [\n  {lines}\n ]\n}}\n')
    print(f"written to {arguments.out}")


if __name__ == "__main__":
    main()

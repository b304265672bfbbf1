"""PyTorch's LSTMs on a GPU, in tokens per second: `make bench-gpu`, or this file alone where a GPU
is lent for ten minutes.

A token is one valid step of one example; forward and backward. Every gradient is compared with that
of nn.LSTM before it is timed. What is measured is written at once, case by case, and --budget ends
the run in good order. What a machine lacks (Triton or a C compiler for torch.compile, TensorFlow
for Keras) is a row that says "not there". Needs NumPy and PyTorch alone.

The twin from the equations runs as it is, with its step compiled, and compiled with CUDA graphs
(mode="reduce-overhead"): the step and not the loop, because a loop of 1000 steps takes minutes to
compile.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE)]  # it may run where nothing is installed

import torch  # noqa: E402
from contenders import draw  # noqa: E402

from benchmarks.machine import machine  # noqa: E402
from lstm_ref.torch import lstm_step_torch, run_torch, torch_lstm  # noqa: E402

SIZES = ["32,100,64,128", "64,200,128,256", "64,128,256,512", "1,1000,64,128"]  # N, T, D, H
BATCHES = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512]
NOT_THERE = "not there"
Size = tuple[int, int, int, int]
Run = Callable[[], Any]


@dataclass(frozen=True)
class Precision:
    """In what a layer computes: the type of its weights, that of its products, and the unit of
    rounding of these.
    """

    dtype: torch.dtype
    unit: float
    tf32: bool = False
    autocast: torch.dtype | None = None

    def tolerance(self, T: int) -> float:
        """Largest difference of a gradient, relative to its largest number.

        The twin sums the gradients of the weights over the steps in the dtype of the products. In
        bfloat16 that was wrong by 0.02 after 50 steps, 0.03 to 0.05 after 250 and 0.06 to 0.08
        after 1000, so as the root of T; this is twice to four times as much.
        """
        return max(1e-3, 5 * self.unit * max(1.0, (T / 10) ** 0.5))


PRECISIONS = {
    "float32": Precision(torch.float32, 2.0**-24),
    "TF32": Precision(torch.float32, 2.0**-11, tf32=True),
    "bfloat16": Precision(torch.bfloat16, 2.0**-8, tf32=True),
    "autocast float16": Precision(torch.float32, 2.0**-11, tf32=True, autocast=torch.float16),
    "autocast bfloat16": Precision(torch.float32, 2.0**-8, tf32=True, autocast=torch.bfloat16),
}
COMPILED = {"twin, torch.compile": None, "twin, reduce-overhead": "reduce-overhead"}


class Budget:
    """Seconds that are left; a case is begun only while there are some."""

    def __init__(self, seconds: float) -> None:
        self.end = time.monotonic() + seconds
        self.left_out: list[str] = []

    def allows(self, what: str) -> bool:
        """Whether there is time; what there is none for is remembered."""
        if time.monotonic() < self.end:
            return True
        self.left_out.append(what)
        return False


@contextmanager
def tf32(allowed: bool) -> Iterator[None]:
    """Let products of float32 be done in TF32 or not, in matrix products and in cuDNN: the two have
    unlike defaults.
    """
    before = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = allowed
    try:
        yield
    finally:
        torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = before


def layer_pass(size: Size, precision: Precision, device: str) -> Run:
    """Forward and backward pass of nn.LSTM: gradients of x, Wx, Wh and b."""
    layer, dh = draw(*size)
    lstm = torch_lstm({name: layer[name] for name in ("Wx", "Wh", "b")}).to(
        device=device, dtype=precision.dtype
    )
    x = torch.tensor(layer["x"], dtype=precision.dtype, device=device, requires_grad=True)
    upstream = torch.tensor(dh, device=device)
    wanted = (x, lstm.weight_ih_l0, lstm.weight_hh_l0, lstm.bias_ih_l0)

    def run() -> Any:
        h = run_torch(lstm, x, autocast=precision.autocast)[0]
        dx, dWx, dWh, db = torch.autograd.grad(h, wanted, upstream.to(h.dtype))
        return dx, dWx.T, dWh.T, db

    return run


def twin_pass(
    size: Size, precision: Precision, device: str, step: Callable[..., Any] = lstm_step_torch
) -> Run:
    """The same from the equations, with some step."""
    layer, dh = draw(*size)
    arrays = (layer[name] for name in ("x", "Wx", "Wh", "b"))
    wanted = [
        torch.tensor(a, dtype=precision.dtype, device=device, requires_grad=True) for a in arrays
    ]
    upstream = torch.tensor(dh, device=device)
    zeros = torch.zeros(size[0], size[3], dtype=precision.dtype, device=device)
    mixed = torch.autocast(device, precision.autocast) if precision.autocast else nullcontext()

    def run() -> Any:
        x, Wx, Wh, b = wanted
        h, c, steps = zeros, zeros, []
        with mixed:
            for x_t in x.unbind(dim=1):
                h, c = step(x_t, h, c, Wx, Wh, b)
                steps.append(h)
            out = torch.stack(steps, dim=1)
        return torch.autograd.grad(out, wanted, upstream.to(out.dtype))

    return run


def compiled_step(mode: str | None) -> Callable[..., Any]:
    """The step compiled for this case alone.

    All cases share one code object, and Dynamo gives up after eight variants of one and goes on
    without a word, eagerly: so it forgets the cases before, and stops where it would give up.
    """
    torch._dynamo.reset()
    torch._dynamo.config.fail_on_recompile_limit_hit = True
    step = torch.compile(lstm_step_torch, mode=mode)
    if mode is None:
        return step

    def cloned(*arguments: Any) -> Any:
        torch.compiler.cudagraph_mark_step_begin()
        return tuple(
            part.clone() for part in step(*arguments)
        )  # a graph writes its results to the same memory each time

    return cloned


def differs(got: Any, expected: Any) -> float:
    """Largest difference of any gradient, relative to its largest number."""
    pairs = list(zip(got, expected, strict=True))
    return max(float((a.float() - b.float()).abs().max() / b.float().abs().max()) for a, b in pairs)


def wait(device: str) -> None:
    """A GPU answers before it is done."""
    if device == "cuda":
        torch.cuda.synchronize()


def seconds_of(run: Run, rounds: int, device: str) -> list[float]:
    """Seconds of each round, after two that do not count, in rising order."""
    seconds = []
    for _ in range(rounds + 2):
        wait(device)
        start = time.perf_counter()
        run()
        wait(device)
        seconds.append(time.perf_counter() - start)
    return sorted(seconds[2:])


def rate(seconds: list[float], tokens: int) -> dict[str, float]:
    """Tokens per second: the median over rounds, and the slowest and the fastest round."""
    return {
        "median": round(tokens / statistics.median(seconds)),
        "lowest": round(tokens / seconds[-1]),
        "highest": round(tokens / seconds[0]),
    }


def row(
    make: Callable[[], Run], expected: Any, tolerance: float, tokens: int, rounds: int, device: str
) -> Any:
    """Rate of one contender; or why there is none."""
    try:
        run = make()
        error = differs(run(), expected) if expected is not None else 0.0
        if not error <= tolerance:
            return {
                "refused": f"a gradient is {error:.1e} from that of nn.LSTM, {tolerance:.1e} is "
                f"allowed"
            }
        return rate(seconds_of(run, rounds, device), tokens)
    except Exception as problem:  # whatever a machine lacks, the other rows are worth having
        return {
            NOT_THERE: (
                f"{type(problem).__name__}: "
                f"{str(problem).strip().splitlines()[0] if str(problem).strip() else ''}"
            )[:200]
        }


def case(
    size: Size, name: str, rounds: int, device: str, compiled: bool, budget: Budget
) -> dict[str, Any]:
    """One size in one precision: a rate for each contender."""
    precision, tokens = PRECISIONS[name], size[0] * size[1]
    limit = precision.tolerance(size[1])
    rates: dict[str, Any] = {}
    with tf32(precision.tf32):
        try:
            expected = layer_pass(size, precision, device)()
        except Exception as problem:
            return {
                "N, T, D, H": size,
                "precision": name,
                "tokens per second": {"nn.LSTM": {NOT_THERE: str(problem)[:200]}},
            }
        makers: dict[str, Callable[[], Run]] = {
            "nn.LSTM": lambda: layer_pass(size, precision, device),
            "twin": lambda: twin_pass(size, precision, device),
        }
        for label, mode in COMPILED.items() if compiled else ():
            makers[label] = lambda mode=mode: twin_pass(
                size, precision, device, compiled_step(mode)
            )  # type: ignore[misc]
        for label, make in makers.items():
            if budget.allows(f"{size} {name} {label}"):
                rates[label] = row(make, expected, limit, tokens, rounds, device)
                print(f"{size!s:>20} {name:>17} {label:>22} {rates[label]}", flush=True)
    return {"N, T, D, H": size, "precision": name, "tokens per second": rates}


def packed(size: Size, rounds: int, device: str) -> dict[str, Any]:
    """Packed against padded, for lengths from T/2 to T: valid tokens per second of nn.LSTM in
    float32, without TF32.
    """
    N, T, D, H = size
    layer, _ = draw(*size)
    lengths = torch.linspace(max(1, T // 2), T, N).round().long()
    mask = torch.arange(T)[None] < lengths[:, None]
    lstm = torch_lstm({name: layer[name] for name in ("Wx", "Wh", "b")}).to(device)
    x = torch.tensor(layer["x"], device=device, requires_grad=True)
    valid, found = int(lengths.sum()), {}
    with tf32(False):
        for label, given in (("padded", None), ("packed", mask)):

            def one(given: Any = given) -> Any:
                h = run_torch(lstm, x, mask=given)[0] * mask.to(device)[..., None]
                return torch.autograd.grad(h.square().sum(), [x, lstm.weight_hh_l0])

            found[label] = row(lambda one=one: one, None, 0.0, valid, rounds, device)  # type: ignore[misc]
    return {"N, T, D, H": size, "valid steps": valid, "tokens per second": found}


def wins(T: int, D: int, H: int, rounds: int, device: str, budget: Budget) -> dict[str, Any]:
    """From which batch size on the GPU is faster than the CPU of the same machine: nn.LSTM, seconds
    of both by batch.
    """
    points = []
    for N in BATCHES:
        if not budget.allows(f"GPU against CPU, N = {N}"):
            break
        seconds = {
            where: statistics.median(
                seconds_of(layer_pass((N, T, D, H), PRECISIONS["float32"], where), rounds, where)
            )
            for where in ("cpu", device)
        }
        points.append({"N": N, "cpu": seconds["cpu"], "gpu": seconds[device]})
    return {
        "T, D, H": (T, D, H),
        "threads of the CPU": torch.get_num_threads(),
        "points": points,
        "from N": first_win(points),
    }


def first_win(points: list[dict[str, Any]]) -> int | None:
    """Smallest batch from which on the GPU is faster at every measured one; None where it is not at
    the largest.

    >>> first_win(
    ...     [
    ...         {"N": 1, "cpu": 1, "gpu": 2},
    ...         {"N": 2, "cpu": 3, "gpu": 2},
    ...         {"N": 4, "cpu": 6, "gpu": 2},
    ...     ]
    ... )
    2
    """
    first = None
    for point in reversed(points):
        if point["gpu"] >= point["cpu"]:
            break
        first = point["N"]
    return first


def keras_here(size: Size, rounds: int) -> dict[str, Any]:
    """Keras on this GPU with and without cuDNN, in this process; PyTorch must not hold the
    memory.
    """
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    if not gpus:
        return {
            NOT_THERE: "TensorFlow sees no GPU; the tensorflow-gpu extra brings CUDA's libraries"
        }
    for gpu in gpus:
        tf.config.experimental.set_memory_growth(gpu, True)
    return {
        f"use_cudnn={use}": rate(keras_seconds(size, use, rounds), size[0] * size[1])
        for use in (True, False)
    }


def keras_seconds(size: Size, use_cudnn: bool, rounds: int) -> list[float]:
    """Seconds of each round of keras.layers.LSTM in a tf.function."""
    import keras
    import tensorflow as tf

    N, T, D, H = size
    x = tf.random.normal((N, T, D), seed=0)
    lstm = keras.layers.LSTM(H, return_sequences=True, use_cudnn=use_cudnn)
    lstm.build(x.shape)

    @tf.function
    def one() -> Any:
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tf.square(lstm(x, training=True)))
        return tape.gradient(loss, lstm.trainable_variables)

    seconds = []
    for _ in range(rounds + 2):
        start = time.perf_counter()
        [part.numpy() for part in one()]  # which waits
        seconds.append(time.perf_counter() - start)
    return sorted(seconds[2:])


def keras_row(size: Size, rounds: int) -> dict[str, Any]:
    """Keras in a process of its own; or why there is none."""
    if importlib.util.find_spec("tensorflow") is None:
        return {NOT_THERE: "TensorFlow is not installed"}
    words = [
        sys.executable,
        str(Path(__file__).resolve()),
        "--keras",
        ",".join(map(str, size)),
        "--rounds",
        str(rounds),
    ]
    environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3", "KERAS_BACKEND": "tensorflow"}
    try:
        run = subprocess.run(
            words, env=environment, capture_output=True, text=True, timeout=300, check=False
        )
    except subprocess.TimeoutExpired:
        return {NOT_THERE: "no answer within 300 s"}
    if run.returncode:
        return {NOT_THERE: (run.stderr.strip().splitlines() or ["no reason"])[-1][:200]}
    found: dict[str, Any] = json.loads(run.stdout.strip().splitlines()[-1])
    return found


def smi(field: str) -> str:
    """What NVIDIA's tool says of the first GPU."""
    command = ["nvidia-smi", f"--query-gpu={field}", "--format=csv,noheader", "--id=0"]
    try:
        return subprocess.run(
            command, capture_output=True, text=True, timeout=30, check=True
        ).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return NOT_THERE


def gpu_machine(device: str) -> dict[str, Any]:
    """What the numbers belong to: GPU, capability, driver, clocks, CUDA, cuDNN, versions, date."""
    there = device == "cuda"
    return {
        **machine("numpy", "torch"),
        "gpu": torch.cuda.get_device_name() if there else "none: a run on the CPU",
        "capability": ".".join(map(str, torch.cuda.get_device_capability()))
        if there
        else NOT_THERE,
        "cuda": torch.version.cuda or NOT_THERE,
        "cudnn": torch.backends.cudnn.version() or NOT_THERE,
        "driver": smi("driver_version"),
        "clock, MHz": smi("clocks.sm"),
        "highest clock, MHz": smi("clocks.max.sm"),
    }


def write(report: dict[str, Any], out: Path) -> None:
    """Write all that was measured so far; each innermost list or row stands in one line."""
    text = re.sub(
        r"[\[{][^\[\]{}]*[\]}]",
        lambda found: re.sub(r"\s+", " ", found[0]),
        json.dumps(report, indent=1),
    )
    out.parent.mkdir(parents=True, exist_ok=True)
    beside = out.with_suffix(".part")
    beside.write_text(text + "\n", encoding="utf-8")
    beside.replace(out)


def measure(
    sizes: list[Size],
    rounds: int,
    budget: Budget,
    out: Path,
    device: str = "cuda",
    compiled: bool = True,
) -> dict[str, Any]:
    """All cases, written as they come: size by size in each precision and packed; where the GPU
    wins; Keras last.
    """
    report: dict[str, Any] = {
        "machine": gpu_machine(device),
        "results": [],
        "packed": [],
        "keras": [],
        "left out": budget.left_out,
    }
    for size in sizes:
        for name in PRECISIONS:
            if budget.allows(f"{size} {name}"):
                report["results"].append(case(size, name, rounds, device, compiled, budget))
                write(report, out)
        if budget.allows(f"{size} packed"):
            report["packed"].append(packed(size, rounds, device))
            write(report, out)
        if size == sizes[0]:
            report["gpu against cpu"] = wins(*size[1:], rounds, device, budget)
            write(report, out)
    for size in sizes:
        if budget.allows(f"{size} Keras"):
            report["keras"].append(
                {"N, T, D, H": size, "tokens per second": keras_row(size, rounds)}
            )
            write(report, out)
    write(report, out)
    return report


def refused(report: dict[str, Any]) -> list[str]:
    """Contenders whose gradients were wrong."""
    return [
        f"{found['N, T, D, H']} {found['precision']} {name}: {said['refused']}"
        for found in report["results"]
        for name, said in found["tokens per second"].items()
        if "refused" in said
    ]


def main(arguments: list[str] | None = None) -> int:
    """Read the arguments and measure; returns 1 where there is no GPU or a gradient was wrong."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", nargs="+", default=SIZES, help="each N,T,D,H")
    parser.add_argument(
        "--rounds",
        type=int,
        default=15,
        help="measurements of each, of which the median counts (15)",
    )
    parser.add_argument(
        "--budget", type=float, default=540, help="seconds after which no new case begins (540)"
    )
    parser.add_argument(
        "--device", choices=["cuda", "cpu"], default="cuda", help="cpu: a rehearsal"
    )
    parser.add_argument("--eager", action="store_true", help="compile nothing")
    parser.add_argument("--out", type=Path, default=HERE / "results" / "gpu.json")
    parser.add_argument("--keras", help=argparse.SUPPRESS)  # one size, in this process
    given = parser.parse_args(arguments)
    sizes = [tuple(int(number) for number in size.split(",")) for size in given.sizes]
    if given.keras:
        print(json.dumps(keras_here(tuple(map(int, given.keras.split(","))), given.rounds)))  # type: ignore[arg-type]
        return 0
    if given.device == "cuda" and not torch.cuda.is_available():
        print(
            "gpu.py: no NVIDIA GPU answers to PyTorch; --device cpu --out FILE rehearses the run.",
            file=sys.stderr,
        )
        return 1
    report = measure(
        sizes, given.rounds, Budget(given.budget), given.out, given.device, not given.eager
    )  # type: ignore[arg-type]
    print(
        f"written to {given.out}; left out for want of time: "
        f"{', '.join(report['left out']) or 'nothing'}"
    )
    for line in (wrong := refused(report)):
        print(f"gpu.py: WRONG {line}", file=sys.stderr)
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())

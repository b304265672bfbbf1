"""How fast is a sequence through one LSTM layer, forward and backward, beside what else one might
use? Run by `make bench`.

All run in one process, one after the other in each round, with the same weights, dtype and number
of threads, so that what the machine does meanwhile hits all alike. What counts are the ratios
within a round. The GEMM bound is the time of the matrix products alone: no version that calls BLAS
once for each of them can be faster.

What is measured goes into the file at once. What the file holds of the same machine and versions
stays, unless it is measured again: so one size, or the growth, can be measured alone. A GPU has a
file of its own, gpu.py.

The kernels of the other maker's processors are measured with OPENBLAS_CORETYPE in the environment,
as far as this processor can execute them: SkylakeX on an AMD with AVX-512. They have a file of
their own.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
SIZES = ["32,100,64,128", "64,200,128,256", "64,128,256,512", "1,1000,64,128"]  # N, T, D, H
parser = argparse.ArgumentParser(
    description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
)
parser.add_argument(
    "--rounds", type=int, default=7, help="measurements of each, of which the median counts (7)"
)
parser.add_argument("--threads", type=int, default=1, help="for all libraries alike (1)")
parser.add_argument("--sizes", nargs="*", default=SIZES, help="each N,T,D,H; none: no table")
parser.add_argument(
    "--longest",
    type=int,
    default=800,
    help="the largest T for which growth is measured (800); 0: none",
)
parser.add_argument(
    "--widest", type=int, default=512, help="the largest H for which growth is measured (512)"
)
parser.add_argument("--memory", nargs="*", help="contenders whose memory is measured (all)")
parser.add_argument(
    "--out", type=Path, help="(results/sequence-MAKER[-KERNEL].json, a file for each maker)"
)
arguments = parser.parse_args()
# Libraries read these when they are loaded, and the processes that measure memory inherit them.
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ[variable] = str(arguments.threads)
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")

import threadpoolctl  # noqa: E402
import torch  # noqa: E402
from contenders import BOUND, OTHERS, OURS, compare, contender, missing  # noqa: E402
from plot import plot  # noqa: E402

from benchmarks.machine import cores, processor  # noqa: E402

GROWING = ("in-place", "PyTorch")
MAKERS = ("intel", "amd", "apple")
Times = dict[str, list[float]]


def results_file(name: str, kernel: str = "") -> Path:
    """Where the results of a processor belong: the order of the rungs follows its maker, and the
    kernel of OpenBLAS where one was asked for.
    """
    maker = next((maker for maker in MAKERS if maker in name.lower()), "other")
    return HERE / "results" / f"sequence-{'-'.join(filter(None, (maker, kernel.lower())))}.json"


def limit_threads(threads: int) -> None:
    """The same number for every library, by its own switch where it has one."""
    torch.set_num_threads(threads)
    if not missing("Keras"):
        import tensorflow as tf

        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(1)
    threadpoolctl.threadpool_limits(threads)
    pools = {pool["filepath"]: pool["num_threads"] for pool in threadpoolctl.threadpool_info()}
    if set(pools.values()) != {threads}:
        raise RuntimeError(f"sequence.py: every pool must have {threads} threads, got {pools}")


def measure(runs: dict[str, Any], rounds: int) -> tuple[Times, Times]:
    """Seconds by the clock and seconds of the processor for each run, round by round."""
    clock: Times = {name: [] for name in runs}
    processor: Times = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            before = time.perf_counter(), time.process_time()
            run()
            after = time.perf_counter(), time.process_time()
            clock[name].append(round(after[0] - before[0], 6))
            processor[name].append(round(after[1] - before[1], 6))
    return clock, processor


def ratio(times: Times, name: str, to: str) -> float:
    """Median over the rounds of the ratio within a round."""
    return statistics.median(
        mine / other for mine, other in zip(times[name], times[to], strict=True)
    )


def peak_memory(name: str, size: tuple[int, ...]) -> int | None:
    """Bytes, measured by memory.py in a process of its own; None where that cannot be done or was
    not asked for.
    """
    if arguments.memory is not None and name not in arguments.memory:
        return None
    command = [sys.executable, str(HERE / "memory.py"), name, *map(str, size)]
    run = subprocess.run(command, capture_output=True, text=True)
    if run.returncode and not sys.platform.startswith("linux"):
        return None
    if run.returncode:
        raise RuntimeError(f"sequence.py: memory.py {name} {size} failed:\n{run.stderr}")
    return int(run.stdout.split()[-1])


def side_by_side(size: tuple[int, ...], names: list[str], rounds: int) -> dict[str, Any]:
    """One size: times of all, ratios to PyTorch and to the bound, memory."""
    runs = {name: contender(name, *size) for name in names}
    compare(runs)  # the first pass of each, which is not counted
    clock, processor = measure(runs, rounds)
    del runs
    memory = {name: peak_memory(name, size) for name in names if name != BOUND}
    print(f"\nN, T, D, H = {size}")
    print(
        f"{'':>14} {'median ms':>10} {'of PyTorch':>10} {'(processor)':>11} {'of bound':>9} "
        f"{'peak MB':>8}"
    )
    for name in names:
        shown = memory.get(name)
        print(
            f"{name:>14} {1e3 * statistics.median(clock[name]):10.2f} "
            f"{ratio(clock, name, 'PyTorch'):10.2f} {ratio(processor, name, 'PyTorch'):11.2f} "
            f"{ratio(clock, name, BOUND):9.2f} "
            f"{'' if shown is None else format(shown / 1e6, '.1f'):>8}",
            flush=True,
        )
    return {
        "N, T, D, H": size,
        "date": time.strftime("%Y-%m-%d"),
        "load": load(),
        "of PyTorch": {name: round(ratio(clock, name, "PyTorch"), 3) for name in names},
        "of PyTorch, processor time": {
            name: round(ratio(processor, name, "PyTorch"), 3) for name in names
        },
        "of the GEMM bound": {name: round(ratio(clock, name, BOUND), 3) for name in names},
        "seconds": clock,
        "processor seconds": processor,
        "peak bytes": memory,
    }


def growth(along: str, lengths: list[int], rounds: int) -> list[dict[str, Any]]:
    """Median time and peak memory as T or H grows, all else as in the first size."""
    results = []
    for length in lengths:
        size = tuple(
            length if letter == along else fixed
            for letter, fixed in zip("NTDH", (32, 100, 64, 128), strict=True)
        )
        runs = {name: contender(name, *size) for name in GROWING}
        measure(runs, 1)  # not counted
        clock, _ = measure(runs, rounds)
        del runs
        results.append(
            {
                along: length,
                "seconds": {name: statistics.median(times) for name, times in clock.items()},
                "peak bytes": {name: peak_memory(name, size) for name in GROWING},
            }
        )
        print(f"growth: {results[-1]}", flush=True)
    return results


def machine() -> dict[str, object]:
    """What the numbers belong to; each of them has a date of its own."""
    pools = [pool for pool in threadpoolctl.threadpool_info() if "blas" in pool["user_api"]]
    blas = {f"{pool['internal_api']} {pool['version']}" for pool in pools}
    kernels = {pool["architecture"] for pool in pools if pool.get("architecture")}
    packages = ("numpy", "numba", "torch", "keras", "tensorflow-cpu", "tensorflow", "autograd")
    return {
        "processor": processor(),
        "cores": cores(),
        "threads": arguments.threads,
        "python": platform.python_version(),
        "blas": sorted(blas),
        "kernel": ", ".join(sorted(kernels)),
        **{name: installed for name in packages if (installed := version_of(name))},
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else "none",
    }


def load() -> list[float]:
    """How many processes wanted the processor in the last 1, 5 and 15 minutes; more than there are
    cores is a busy machine.
    """
    return [round(number, 1) for number in os.getloadavg()] if hasattr(os, "getloadavg") else []


def version_of(package: str) -> str:
    """Its version, or nothing where it is not installed."""
    try:
        return version(package)
    except ImportError:
        return ""


def write(measured: dict[str, Any], path: Path) -> dict[str, Any]:
    """Add to the file what was measured, and return all that it holds; each list of numbers stands
    in one line.
    """
    report: dict[str, Any] = {"machine": machine(), "dtype": "float32", "results": [], "growth": {}}
    if path.exists():
        before = json.loads(path.read_text())
        if before["machine"] == report["machine"]:
            report = before
    report["growth"] |= measured.get("growth", {})
    by_size = {
        tuple(result["N, T, D, H"]): result
        for result in report["results"] + measured.get("results", [])
    }
    order = [tuple(map(int, size.split(","))) for size in SIZES]
    report["results"] = [
        by_size[size] for size in dict.fromkeys((*order, *by_size)) if size in by_size
    ]
    text = re.sub(
        r"[\[{][^\[\]{}]*[\]}]",
        lambda row: re.sub(r"\s+", " ", row[0]),
        json.dumps(report, indent=1),
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text + "\n")
    return report


def main() -> None:
    """Measure all sizes, print the table, write the file and its pictures."""
    limit_threads(arguments.threads)
    asked = os.environ.get("OPENBLAS_CORETYPE", "")
    arguments.out = arguments.out or results_file(processor(), asked)
    names = []
    for name in (*OURS, *OTHERS, BOUND):
        if missing(name):
            print(f"left out: {name}, {missing(name)}")
        else:
            names.append(name)
    sizes = [tuple(int(number) for number in size.split(",")) for size in arguments.sizes]
    for size in sizes:
        write({"results": [side_by_side(size, names, arguments.rounds)]}, arguments.out)
    for along, lengths, most in (
        ("T", [50, 100, 200, 400, 800], arguments.longest),
        ("H", [32, 64, 128, 256, 512], arguments.widest),
    ):
        if arguments.longest:
            points = growth(along, [n for n in lengths if n <= most], min(arguments.rounds, 5))
            write({"growth": {along: points}}, arguments.out)
    pictures = plot(write({}, arguments.out), arguments.out)
    print(f"written to {arguments.out}, {', '.join(picture.name for picture in pictures)}")


if __name__ == "__main__":
    main()

"""The tables of the page *slow*: variants of one pass of training side by side, and two processes
with one gradient.

    python benchmarks/slow.py        # two minutes of one core, into benchmarks/results/slow.json

Data, batches and the step of training are those of book/three/slow.md.
"""

from __future__ import annotations

import os

if __name__ == "__main__":  # before NumPy is loaded: these models are small
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from benchmarks.pages import experiment, over_seeds, store

PAGE = experiment("slow")
ROUNDS, STEPS, WORKER = 3, 20, Path(__file__).parent / "slow_worker.py"


def one_pass(model: Any, batches: list[Any]) -> None:
    """One pass of training over these batches."""
    optimiser = torch.optim.Adam(model.parameters())
    for batch in batches:
        PAGE.one_step(model, batch, optimiser)


def classifier() -> Any:
    """A fresh model."""
    torch.manual_seed(0)
    return PAGE.SentenceClassifier(len(PAGE.vocabulary))


def variants(seed: int) -> dict[str, Callable[[], None]]:
    """What is run side by side; the first is the measure of the others."""
    by_length = {N: PAGE.buckets(PAGE.lengths, N, seed=seed) for N in (16, 64, 256)}
    at_random = PAGE.in_random_order(64, seed)
    return {
        "batches of 64 in random order": lambda: one_pass(classifier(), at_random),
        "by length": lambda: one_pass(classifier(), by_length[64]),
        "by length, batches of 16": lambda: one_pass(classifier(), by_length[16]),
        "by length, batches of 256": lambda: one_pass(classifier(), by_length[256]),
        "by length, a cell in a loop": lambda: one_pass(PAGE.OwnLoop(), by_length[64]),
    }


def ratios() -> dict[str, list[float]]:
    """For each variant and round: processor time of the first variant next to its own."""
    found: dict[str, list[float]] = {}
    for seed in range(ROUNDS + 1):
        seconds = {}
        for name, run in variants(seed).items():
            start = time.process_time()
            run()
            seconds[name] = time.process_time() - start
        if seed:  # the first round warms up
            for name, value in seconds.items():
                found.setdefault(name, []).append(next(iter(seconds.values())) / value)
            print({name: round(values[-1], 2) for name, values in found.items()}, flush=True)
    return found


def two_processes(seeds: int) -> list[dict[str, float]]:
    """For each seed: gradient of two processes against that of one, and the time of a step of each;
    see slow_worker.py.
    """
    command = [sys.executable, str(WORKER), str(seeds), str(STEPS)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=540, check=True)
    found = [tuple(map(float, line.split())) for line in run.stdout.splitlines()]
    return [
        {"largest difference of the gradients": a, "time of a step, of one process": b}
        for a, b in found
    ]


def main() -> None:
    """Measure, and write the file."""
    torch.set_num_threads(1)
    table = {name: {"times as fast": over_seeds(values)} for name, values in ratios().items()}
    runs = two_processes(3)
    ddp = {name: over_seeds([run[name] for run in runs]) for name in runs[0]}
    what = "processor time of one pass of training; gradient and time of a step of two processes"
    store(
        "slow",
        what,
        {"rounds": ROUNDS, "variants": table, "two processes": ddp},
        ("numpy", "torch"),
    )


if __name__ == "__main__":
    main()

"""The table of the page *search*: validation loss of 64 settings at three lengths of training, each
with three seeds.

    python benchmarks/search.py        # a minute of one core, into benchmarks/results/search.json

Task, model and training are those of book/three/search.md, which replays its searches on this
table.
"""

from __future__ import annotations

import os

if __name__ == "__main__":  # before NumPy is loaded: these models are small
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")

import time

import numpy as np
import torch

from benchmarks.pages import experiment, store

PAGE = experiment("search")
SEEDS = 3


def table(seed: int) -> list[list[list[float]]]:
    """Loss by rate, forget bias and rung, of one seed; three digits after the point."""
    rates, biases = np.meshgrid(PAGE.RATES, PAGE.BIASES, indexing="ij")
    losses = PAGE.losses_at_rungs(rates.ravel(), biases.ravel(), seed)
    shape = (len(PAGE.RATES), len(PAGE.BIASES), len(PAGE.RUNGS))
    return losses.reshape(shape).round(4).tolist()  # type: ignore[no-any-return]


def main() -> None:
    """Measure, and write the file."""
    torch.set_num_threads(1)
    loss = []
    for seed in range(SEEDS):
        busy = time.process_time()
        loss.append(table(seed))
        print(f"seed {seed}: {time.process_time() - busy:.1f} s of a processor", flush=True)
    axes = {
        "rates": PAGE.RATES.tolist(),
        "forget biases": PAGE.BIASES.tolist(),
        "updates": list(PAGE.RUNGS),
    }
    store(
        "search",
        "validation loss by seed, rate, forget bias and updates",
        {**axes, "loss": loss},
        ("numpy", "torch"),
    )


if __name__ == "__main__":
    main()

"""The table of the page *search*: validation loss of 64 settings at three lengths of training, each
with three seeds; and what Optuna's samplers find on it.

    python benchmarks/search.py  # two minutes of one core, into benchmarks/results/search.json
    python benchmarks/search.py optuna  # the searches only, on the losses that are stored

Task, model, training and search are those of book/three/search.md, which replays its other searches
on this table.
"""

from __future__ import annotations

import json
import os

if __name__ == "__main__":  # before NumPy is loaded: these models are small
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")

import time
from typing import Any

import numpy as np
import torch

from benchmarks.pages import RESULTS, asked, experiment, store

PAGE = experiment("search")
SEEDS, REPLAYS, PRICES = 3, 100, (4, 9, 16)


def table(seed: int) -> list[list[list[float]]]:
    """Loss by rate, forget bias and rung, of one seed; three digits after the point."""
    rates, biases = np.meshgrid(PAGE.RATES, PAGE.BIASES, indexing="ij")
    losses = PAGE.losses_at_rungs(rates.ravel(), biases.ravel(), seed)
    shape = (len(PAGE.RATES), len(PAGE.BIASES), len(PAGE.RUNGS))
    return losses.reshape(shape).round(4).tolist()  # type: ignore[no-any-return]


def losses() -> list[list[list[list[float]]]]:
    """The table of each seed."""
    found = []
    for seed in range(SEEDS):
        busy = time.process_time()
        found.append(table(seed))
        print(f"seed {seed}: {time.process_time() - busy:.1f} s of a processor", flush=True)
    return found


def searches(loss: list[Any]) -> dict[str, Any]:
    """Place of the best setting that each replay finds, by sampler and price in full runs."""
    known, found = np.array(loss), {}
    for name in PAGE.SAMPLERS:
        busy = time.process_time()
        found[name] = {str(B): PAGE.winners(name, B, known, range(REPLAYS)) for B in PRICES}
        print(f"{name}: {time.process_time() - busy:.1f} s of a processor", flush=True)
    return {"replays": REPLAYS, "winners": found}


def main(wanted: list[str]) -> None:
    """Measure, and write the file; with ``optuna`` the losses stay as they are stored."""
    torch.set_num_threads(1)
    file = RESULTS / "search.json"
    loss = (
        json.loads(file.read_text(encoding="utf-8"))["loss"] if wanted == ["optuna"] else losses()
    )
    axes = {
        "rates": PAGE.RATES.tolist(),
        "forget biases": PAGE.BIASES.tolist(),
        "updates": list(PAGE.RUNGS),
    }
    store(
        "search",
        "validation loss by seed, rate, forget bias and updates; what Optuna finds on it",
        {**axes, "loss": loss, "optuna": searches(loss)},
        ("numpy", "torch", "optuna"),
    )


if __name__ == "__main__":
    main(asked(__doc__, ("optuna",)))

"""The table of the page *hybrids*: ten models on three tasks and five on a fourth, at equal weights
and updates.

    python -m benchmarks.hybrids                    # seven minutes of one core, into benchmarks/results/hybrids.json
    python -m benchmarks.hybrids parity recall      # these tasks only

The file is written after each model, and what it holds already is not measured again: delete it to
start anew. Models, tasks and training are those of the page, book/four/hybrids.md.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from functools import partial
from typing import Any

if __name__ == "__main__":  # before NumPy is loaded: these models are small
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")

import numpy as np
import torch

from benchmarks.pages import RESULTS, experiment, row, store

PAGE = experiment("hybrids")
SEEDS = range(3)
# The five that a reader predicts.
FEW = ("LSTM", "GRU", "minLSTM, 2 layers", "Transformer, 2 blocks", "LSTM + attention")
MODELS = {task: FEW if task == "copying" else tuple(PAGE.MODELS) for task in PAGE.TASKS}
# of these, parity at each step
BY_STEP = ("LSTM", "GRU", "Transformer, 2 blocks", "minLSTM, 2 layers")


def measured(name: str, task: str, seed: int, by_step: list[Any] | None = None) -> dict[str, float]:
    """Train once: shares of right answers, and the seconds of a processor; a list gets the shares
    by step of parity.
    """
    model, seconds = PAGE.trained(name, task, seed)
    if by_step is not None:
        by_step.append(PAGE.by_step(model, seed))
    return {**PAGE.shares(model, task, seed), "seconds": seconds}


def of_task(task: str, known: dict[str, Any], by_step: dict[str, list[float]]) -> Iterator[None]:
    """Summary of each model over the seeds."""
    for name in MODELS[task]:
        if name not in known:
            steps: list[Any] | None = [] if task == "parity" and name in BY_STEP else None
            known[name] = row(
                partial(measured, name, task, by_step=steps), SEEDS, f"{task}, {name}"
            )
            if steps:
                by_step[name] = np.mean(steps, axis=0).tolist()
            yield


def main(tasks: list[str]) -> None:
    """Measure what is asked for and not known, and write the file after each model."""
    torch.set_num_threads(1)
    file = RESULTS / "hybrids.json"
    known = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    tables = {key: known.get(key, {}) for key in ("equal updates", "parity by step")}
    for task in tasks or PAGE.TASKS:
        rows = tables["equal updates"].setdefault(task, {})
        for _ in of_task(task, rows, tables["parity by step"]):
            store(
                "hybrids",
                "right answers of models of equal size on four tasks",
                tables,
                ("numpy", "torch"),
            )


if __name__ == "__main__":
    main(sys.argv[1:])

"""The tables of the page *hybrids*: ten models on three tasks and five on a fourth, at equal
weights and updates, and once more at equal weights and time.

    python -m benchmarks.hybrids  # seven minutes of one core, into benchmarks/results/hybrids.json
    python -m benchmarks.hybrids parity recall      # these tasks only
    python -m benchmarks.hybrids time               # the updates that the slowest one's time holds
    python -m benchmarks.hybrids time parity        # this task only

The file is written after each model, and what it holds already is not measured again: delete it to
start anew. Models, tasks and training are those of the page, book/four/hybrids.md.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial
from typing import Any

if __name__ == "__main__":  # before NumPy is loaded: these models are small
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")

import numpy as np
import torch

from benchmarks.pages import asked, experiment, row, store, stored

PAGE = experiment("hybrids")
SEEDS = range(3)
# The five that a reader predicts.
FEW = ("LSTM", "GRU", "minLSTM, 2 layers", "Transformer, 2 blocks", "LSTM + attention")
MODELS = {task: FEW if task == "copying" else tuple(PAGE.MODELS) for task in PAGE.TASKS}
UPDATES = 400  # of the first table
# of these, parity at each step
BY_STEP = ("LSTM", "GRU", "Transformer, 2 blocks", "minLSTM, 2 layers")


def measured(
    name: str,
    task: str,
    seed: int,
    by_step: list[Any] | None = None,
    updates: int = UPDATES,
) -> dict[str, float]:
    """Train once: shares of right answers, and the seconds of a processor; a list gets the shares
    by step of parity.
    """
    model, seconds = PAGE.trained(name, task, seed, updates=updates)
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


def updates_for(rows: dict[str, Any]) -> dict[str, int]:
    """Model -> updates that take as long as those of the slowest model, from the seconds of the
    first table. Counted, not timed: the second table does not depend on what else the machine does.
    """
    seconds = {name: one["seconds"]["mean"] for name, one in rows.items()}
    most = max(seconds.values())
    return {name: round(UPDATES * most / one) for name, one in seconds.items()}


def at_equal_time(task: str, known: dict[str, Any], rows: dict[str, Any]) -> Iterator[None]:
    """Summary of each model over the seeds, trained as long as the slowest one of ``rows``."""
    for name, updates in updates_for(rows).items():
        if known.get(name, {}).get("updates") != updates:
            run = partial(measured, name, task, updates=updates)
            known[name] = {"updates": updates, **row(run, SEEDS, f"{task}, {name}, {updates}")}
            yield


def main(wanted: list[str]) -> None:
    """Measure what is asked for and not known, and write the file after each model."""
    torch.set_num_threads(1)
    known = stored("hybrids")
    names = ("equal updates", "parity by step", "equal time")
    tables = {key: known[key] if key in known else {} for key in names}
    updates, steps, timed = (tables[key] for key in names)
    for task in [one for one in wanted if one != "time"] or PAGE.TASKS:
        rows = updates.setdefault(task, {})
        runs = (
            at_equal_time(task, timed.setdefault(task, {}), rows)
            if "time" in wanted
            else of_task(task, rows, steps)
        )
        for _ in runs:
            what = "right answers of models of equal size on four tasks"
            store("hybrids", what, tables, ("numpy", "torch"))


if __name__ == "__main__":
    main(asked(__doc__, ("time", *PAGE.TASKS)))

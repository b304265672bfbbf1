"""The tables of the page *training*: rate by batch size, schedules, a plateau, and three flat
curves put to the test.

    python benchmarks/training.py  # two minutes of one core, into benchmarks/results/training.json

Data, models and training are those of book/three/training.md.
"""

from __future__ import annotations

import os
from typing import Any

if __name__ == "__main__":  # before NumPy is loaded: these models are small
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")

import numpy as np
import torch
from sklearn.linear_model import Ridge

from benchmarks.pages import asked, experiment, over_seeds, store

PAGE = experiment("training")
SEEDS = range(3)
SCHEDULE_SEEDS = range(3)
RATES = (0.001, 0.01, 0.1, 1.0, 3.0)
SIZES = (8, 64)
SCHEDULED = (8, 1.0)  # batch size and rate: at the upper edge of what trains
PLATEAU = {  # passes, passes over short sentences before them, rate
    "as it comes": (13, 0, 5e-3),
}
DIVERGED = 2.0  # times the loss of a constant answer


def constant(y: Any) -> float:
    """Loss of the best constant answer."""
    return float(np.mean((y - y.mean(axis=0)) ** 2))


def final(lr: float, N: int, seed: int, **options: Any) -> dict[str, float]:
    """Training loss at the end, as a part of that of a constant answer, and skill over persistence
    on validation.
    """
    curves, model = PAGE.learn(lr, N, seed, looks=2, **options)
    loss = curves[1, -1] / constant(PAGE.y_train)
    told = PAGE.skill_of(model) if np.isfinite(loss) else -9.0
    print(f"rate {lr}, N {N}, seed {seed}, {options}: {loss:.3f}, skill {told:.3f}", flush=True)
    gone = not np.isfinite(loss) or loss > DIVERGED
    return {
        "loss": DIVERGED if gone else float(loss),
        "skill": max(told, -1.0),
        "diverged": float(gone),
    }


def summed(runs: list[dict[str, float]]) -> dict[str, Any]:
    """Each number over the seeds."""
    return {key: over_seeds([one[key] for one in runs]) for key in runs[0]}


def flat() -> dict[str, Any]:
    """Three flat curves, and their losses at the end: as they are, with a larger rate, three times
    as long.
    """
    long = 3 * PAGE.EXAMPLES
    what: dict[str, tuple[dict[str, Any], float, float]] = {
        "rate": ({}, 1e-5, 3e-2),
        "shuffled": ({"shuffled": True}, 3e-2, 3e-1),
    }
    found = {}
    for name, (options, lr, larger) in what.items():
        curves = [
            PAGE.learn(lr, 32, seed, **options)[0][1] / constant(PAGE.y_train) for seed in SEEDS
        ]
        found[name] = {
            "curve": np.mean(curves, axis=0).tolist(),
            "as it is": over_seeds([one[-1] for one in curves]),
            "a larger rate": summed([final(larger, 32, seed, **options) for seed in SEEDS])["loss"],
            "three times as long": summed(
                [final(lr, 32, seed, examples=long, **options) for seed in SEEDS]
            )["loss"],
        }
    return found


def plateaus() -> dict[str, Any]:
    """Curves of each seed: mean training loss of each pass, accuracy on validation after it."""
    found = {}
    for name, (passes, short_first, lr) in PLATEAU.items():
        runs = [PAGE.plateau(seed, passes, short_first, lr) for seed in SEEDS]
        found[name] = {
            "short_first": short_first,
            "loss": [losses for losses, _ in runs],
            "accuracy": [right for _, right in runs],
            "accuracy at the end": over_seeds([right[-1] for _, right in runs]),
        }
        print(name, [np.round(right, 2).tolist() for _, right in runs], flush=True)
    return found


def ridge() -> float:
    """Skill of a linear model on the same windows."""
    model = Ridge(1.0).fit(PAGE.x_train[:, :, 0], PAGE.y_train[:, :, 0])
    forecast = model.predict(PAGE.x_valid[:, :, 0])[:, :, None]
    return float(PAGE.skill(PAGE.y_valid, forecast, PAGE.persistence(PAGE.x_valid, PAGE.HORIZON)))


def main() -> None:
    """Measure, and write the file."""
    torch.set_num_threads(1)
    grid = {
        str(N): {str(lr): summed([final(lr, N, seed) for seed in SEEDS]) for lr in RATES}
        for N in SIZES
    }
    N, lr = SCHEDULED
    schedules = {
        name: summed([final(lr, N, seed, schedule=schedule) for seed in SCHEDULE_SEEDS])
        for name, schedule in PAGE.SCHEDULES.items()
    }
    tables = {
        "grid": grid,
        "schedules": {"N": N, "rate": lr, "arms": schedules},
        "flat": flat(),
        "plateau": plateaus(),
        "ridge": ridge(),
    }
    packages = ("numpy", "torch", "scikit-learn", "statsmodels")
    store(
        "training",
        "losses by rate, batch size and schedule; curves of three flat runs",
        tables,
        packages,
    )


if __name__ == "__main__":
    asked(__doc__)
    main()

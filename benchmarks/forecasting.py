"""The table of the page *forecasting*: each series, walk forward, against forecasts that cost
nothing.

    python benchmarks/forecasting.py  # three minutes of one core, into results/forecasting.json
    python benchmarks/forecasting.py CO2 Seattle  # these series only, the others stay as stored

Series, models and folds are those of book/four/forecasting.md. An interval is that of a
moving-block bootstrap over the test windows: stretches of twice the horizon are drawn again,
because errors of windows that overlap are alike.
"""

from __future__ import annotations

import json
import os
from typing import Any

if __name__ == "__main__":  # before NumPy is loaded: these models are small
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.pages import RESULTS, asked, experiment, over_seeds, store

PAGE = experiment("forecasting")
SEEDS = range(3)
DRAWS = 4000
Array = NDArray[np.float64]


def squared_errors(name: str, seed: int) -> dict[str, Array]:
    """Rival or model -> squared errors (n, K) over the test windows of all folds, in the order of
    time.
    """
    task = PAGE.task_of(name, seed)
    found: dict[str, list[Array]] = {}
    for parts in PAGE.origins(task):
        told = {"persistence": task.persistence(), **PAGE.forecasts(task, parts, seed)}
        if task.period > 1:
            told["seasonal naive"] = task.seasonal_naive()
        for rival, values in told.items():
            found.setdefault(rival, []).append(np.square(task.future - values)[parts.test])
    return {rival: np.concatenate(rows) for rival, rows in found.items()}


def skill_of(of_model: Array, of_persistence: Array) -> float:
    """Skill from mean squared errors."""
    return float(1 - np.sqrt(of_model.mean() / of_persistence.mean()))


def stretches(n: int, length: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Places (n,) of a sample drawn in stretches."""
    starts = rng.integers(n - length + 1, size=-(-n // length))
    return np.asarray((starts[:, None] + np.arange(length)).ravel()[:n], np.int64)


def summary(errors: list[dict[str, Array]]) -> dict[str, Any]:
    """Row of the table from the squared errors of each seed."""
    of_window = {
        name: np.mean([one[name].mean(axis=1) for one in errors], axis=0) for name in errors[0]
    }
    n, K = errors[0]["ridge"].shape
    rng = np.random.default_rng(0)
    drawn = [stretches(n, 2 * K, rng) for _ in range(DRAWS)]
    row: dict[str, Any] = {"K": K, "test windows": n}

    def interval(values: list[float]) -> list[float]:
        return [float(value) for value in np.quantile(values, [0.025, 0.975])]

    resampled = {
        name: [skill_of(of_window[name][rows], of_window["persistence"][rows]) for rows in drawn]
        for name in of_window
        if name != "persistence"
    }
    for name, values in resampled.items():
        one = skill_of(of_window[name], of_window["persistence"])
        row[name] = {"skill": one, "interval": interval(values)}
    beyond = [a - b for a, b in zip(resampled["LSTM"], resampled["ridge"], strict=True)]
    row["LSTM beyond ridge"] = {
        "skill": row["LSTM"]["skill"] - row["ridge"]["skill"],
        "interval": interval(beyond),
    }
    row["LSTM by seed"] = over_seeds([skill_of(one["LSTM"], one["persistence"]) for one in errors])
    for name in ("ridge", "LSTM"):
        row[name]["by horizon"] = [
            skill_of(
                *(np.concatenate([one[m][:, k] for one in errors]) for m in (name, "persistence"))
            )
            for k in range(K)
        ]
    return row


def main(wanted: list[str]) -> None:
    """Measure the series whose names begin with what is wanted, or all, and write the file after
    each.
    """
    torch.set_num_threads(1)
    file = RESULTS / "forecasting.json"
    known = json.loads(file.read_text(encoding="utf-8"))["series"] if file.is_file() else {}
    packages = ("numpy", "torch", "scikit-learn", "statsmodels", "vega_datasets")
    for name in PAGE.TASKS:
        if wanted and not name.startswith(tuple(wanted)):
            continue
        known[name] = summary([squared_errors(name, seed) for seed in SEEDS])
        told = {
            model: round(known[name][model]["skill"], 3)
            for model in ("ridge", "LSTM", "LSTM beyond ridge")
        }
        print(name, told, flush=True)
        series = {one: known[one] for one in PAGE.TASKS if one in known}
        store(
            "forecasting",
            "skill over persistence, walk forward, series by series",
            {"series": series},
            packages,
        )


if __name__ == "__main__":
    main(asked(__doc__, PAGE.TASKS))

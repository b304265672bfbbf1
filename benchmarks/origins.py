"""The forecasts that the origin slider of the page *forecasting* shows: three series, walk forward.

    python -m benchmarks.origins        # a minute of one core, into benchmarks/results/origins.json
    python -m benchmarks.origins El CO2     # these series only; the others stay as they are stored

Series, model and folds are those of book/four/forecasting.md, with one seed. The interval of a fold
is its forecast and the quantiles 0.1 and 0.9 of its errors on the validation part, horizon by
horizon.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

if __name__ == "__main__":  # before NumPy is loaded: these models are small
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")

import numpy as np
import torch

from benchmarks.pages import RESULTS, experiment, store
from lstm_ref.data import load

PAGE = experiment("forecasting")
SEED = 0
EVERY = {"El Niño, months": 4, "CO2, weeks": 14, "random walk, days": 9}  # which origins are kept
SETS = {"El Niño, months": "el-nino", "CO2, weeks": "co2"}


def labels(name: str, L: int) -> list[str]:
    """Label of each value of a series: year and month, or the number of the day."""
    if name not in SETS:
        return [f"day {k}" for k in range(L)]
    table = load(SETS[name])
    first = int(np.flatnonzero(~np.isnan(table.values[:, 0]))[0])
    return [str(day)[: 7 if name.startswith("El") else 10] for day in table.time[first:]]


def of_series(name: str) -> dict[str, Any]:
    """A series as `lstm_ref.inspect.OriginSlider` takes it."""
    task = PAGE.task_of(name, SEED)
    rows: list[tuple[int, Any, Any, Any]] = []
    for fold in PAGE.origins(task):
        told = PAGE.forecasts(task, fold, SEED)["LSTM"]
        off = (task.future - told)[fold.validation]
        low, high = np.quantile(off, [0.1, 0.9], axis=0)
        rows += [(k + task.T - 1, told[k], told[k] + low, told[k] + high) for k in fold.test]
    rows = rows[:: EVERY[name]]
    when = labels(name, len(task.series))
    return {
        "series": task.series.tolist(),
        "when": [when[k] for k, *_ in rows],
        "origins": [int(k) for k, *_ in rows],
        **{
            key: [one[j].tolist() for one in rows]
            for j, key in enumerate(("told", "low", "high"), 1)
        },
    }


def main(wanted: list[str]) -> None:
    """Measure the series whose names begin with what is wanted, or all, and write the file."""
    torch.set_num_threads(1)
    file, units = RESULTS / "origins.json", ("degrees", "ppm", "")
    known = json.loads(file.read_text(encoding="utf-8"))["series"] if file.is_file() else {}
    for name, unit in zip(EVERY, units, strict=True):
        if not wanted or name.startswith(tuple(wanted)):
            known[name] = {**of_series(name), "unit": unit}
    what = "forecasts of an LSTM from origins that move, walk forward"
    packages = ("numpy", "torch", "scikit-learn", "statsmodels")
    series = {name: known[name] for name in EVERY if name in known}
    store("origins", what, {"seed": SEED, "series": series}, packages)


if __name__ == "__main__":
    main(sys.argv[1:])

"""The forecasts that the origin slider of the page *forecasting* shows: three series, walk forward.

    python -m benchmarks.origins  # five minutes of one core, into benchmarks/results/origins.json
    python -m benchmarks.origins El CO2     # these series only; the others stay as they are stored

Series, model and folds are those of book/four/forecasting.md. The slider shows the first seed; what
it counts over all origins is stored for every seed. The interval of a fold is its forecast and the
quantiles 0.1 and 0.9 of its errors on the validation part, horizon by horizon.
"""

from __future__ import annotations

import os
from typing import Any

if __name__ == "__main__":  # before NumPy is loaded: these models are small
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")

import numpy as np
import torch

from benchmarks.pages import asked, experiment, over_seeds, store, stored
from lstm_ref.data import load
from lstm_ref.inspect import OriginSlider

PAGE = experiment("forecasting")
SEEDS = range(5)
SERIES_SEED = 0  # the random walk is drawn once; the networks differ
EVERY = {"El Niño, months": 4, "CO2, weeks": 14, "random walk, days": 9}  # which origins are kept
SETS = {"El Niño, months": "el-nino", "CO2, weeks": "co2"}


def labels(name: str, L: int) -> list[str]:
    """Label of each value of a series: year and month, or the number of the day."""
    if name not in SETS:
        return [f"day {k}" for k in range(L)]
    table = load(SETS[name])
    first = int(np.flatnonzero(~np.isnan(table.values[:, 0]))[0])
    return [str(day)[: 7 if name.startswith("El") else 10] for day in table.time[first:]]


def of_series(name: str, seed: int) -> dict[str, Any]:
    """A series as `lstm_ref.inspect.OriginSlider` takes it, with the forecasts of one network."""
    task = PAGE.task_of(name, SERIES_SEED)
    rows: list[tuple[int, Any, Any, Any]] = []
    for fold in PAGE.origins(task):
        told = PAGE.forecasts(task, fold, seed)["LSTM"]
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


def over_all(name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The series of the first seed; and over seeds what the slider counts over all origins."""
    drawn = [of_series(name, seed) for seed in SEEDS]
    whole = [OriginSlider({name: one}).whole(name) for one in drawn]
    return drawn[0], {key: over_seeds([one[key] for one in whole]) for key in whole[0]}


def main(wanted: list[str]) -> None:
    """Measure the series whose names begin with what is wanted, or all, and write the file."""
    torch.set_num_threads(1)
    units = ("degrees", "ppm", "")
    known = stored("origins")
    series, by_seed = known.get("series", {}), known.get("over seeds", {})
    for name, unit in zip(EVERY, units, strict=True):
        if not wanted or name.startswith(tuple(wanted)):
            first, by_seed[name] = over_all(name)
            series[name] = {**first, "unit": unit}
            print(name, {key: one["mean"] for key, one in by_seed[name].items()}, flush=True)
    what = "forecasts of an LSTM from origins that move, walk forward"
    tables = {
        key: {name: part[name] for name in EVERY if name in part}
        for key, part in (("series", series), ("over seeds", by_seed))
    }
    packages = ("numpy", "torch", "scikit-learn", "statsmodels")
    store("origins", what, {"seed": SEEDS[0], **tables}, packages)


if __name__ == "__main__":
    main(asked(__doc__, EVERY))

"""The table of the page *diary*: the program in each of its states, the dead ends, and the rivals
that are no LSTM.

    python benchmarks/diary.py        # two minutes of one core, into benchmarks/results/diary.json

Data, program and training are those of book/three/diary.md. The interval over the seeds says how
much a training differs from the next; that of the test year is a moving-block bootstrap over its
days, because errors of neighbouring days are alike.
"""

from __future__ import annotations

import os
from typing import Any

if __name__ == "__main__":  # before NumPy is loaded: these models are small
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.pages import asked, experiment, over_seeds, store

PAGE = experiment("diary")
SEEDS = range(8)
BLOCK, DRAWS = 14, 2000
MONTHS = {"spring": (3, 4, 5), "summer": (6, 7, 8), "autumn": (9, 10, 11), "winter": (12, 1, 2)}
Array = NDArray[np.float64]


def program_of(name: str) -> Any:
    """A state of the program, or one with a dead end in it."""
    if name in PAGE.STATES:
        return PAGE.STATES[name]
    state, change = PAGE.ENDS[name]
    return PAGE.STATES[state]._replace(**change)


def measured(name: str, forecasts: list[Array]) -> dict[str, Any]:
    """Skills over the seeds, and what the doctor says of three of them."""
    program = program_of(name)
    found = [PAGE.skills(program, told) for told in forecasts]
    reports = [PAGE.report_of(program, seed) for seed in range(3)]
    told = [
        [{"id": f.id, "certainty": f.certainty, "value": float(f.value)} for f in report]
        for report in reports
    ]
    return {key: over_seeds([one[key] for one in found]) for key in found[0]} | {"doctor": told}


def beyond(one: list[Array], other: list[Array], name: str) -> dict[str, Any]:
    """Gain in skill on the validation part of a state, seed by seed."""
    _, held = PAGE.parts_of(program_of(name))
    return over_seeds(
        [PAGE.skill(a, held) - PAGE.skill(b, held) for a, b in zip(one, other, strict=True)]
    )


def off_by_season(forecasts: list[Array], name: str) -> dict[str, Any]:
    """Mean error in degrees on the validation part by season; positive: too warm."""
    _, held = PAGE.parts_of(program_of(name))
    month = PAGE.days[PAGE.target[held]].astype("datetime64[M]").astype(int) % 12 + 1
    return {
        season: over_seeds(
            [float((told - PAGE.later)[held][np.isin(month, months)].mean()) for told in forecasts]
        )
        for season, months in MONTHS.items()
    }


def of_test_year(told: dict[str, list[Array]]) -> dict[str, Any]:
    """Skill on the test year of each, and beyond ridge, with intervals by the bootstrap."""
    rows, rng = PAGE.TEST, np.random.default_rng(0)
    starts = rng.integers(len(rows) - BLOCK + 1, size=(DRAWS, -(-len(rows) // BLOCK)))
    drawn = (starts[:, :, None] + np.arange(BLOCK)).reshape(DRAWS, -1)[:, : len(rows)]
    drawn = np.concatenate([np.arange(len(rows))[None], drawn])  # first: the year as it was
    persistence = np.square(PAGE.later - PAGE.now)[rows][drawn].mean(axis=1)
    skills = {
        name: 1 - np.sqrt(errors[drawn].mean(axis=1) / persistence)
        for name, all_of in told.items()
        for errors in [np.mean([np.square(PAGE.later - one)[rows] for one in all_of], axis=0)]
    }

    def summary(values: Array) -> dict[str, Any]:
        return {"skill": values[0], "interval": np.quantile(values[1:], [0.025, 0.975]).tolist()}

    return {
        name: summary(values) | {"beyond ridge": summary(values - skills["ridge"])}
        for name, values in skills.items()
    }


def main() -> None:
    """Measure, and write the file."""
    torch.set_num_threads(1)
    forecasts: dict[str, list[Array]] = {}
    table: dict[str, dict[str, Any]] = {}
    for name in (*PAGE.STATES, *PAGE.ENDS):
        forecasts[name] = [PAGE.forecast_of(program_of(name), seed) for seed in SEEDS]
        table[name] = measured(name, forecasts[name])
        print(name, {key: table[name][key]["mean"] for key in ("validation", "test")}, flush=True)
    gains = {
        name: beyond(forecasts[name], forecasts[state], name)
        for name, state in (
            *((name, state) for name, (state, _) in PAGE.ENDS.items()),
            *zip(list(PAGE.STATES)[1:], PAGE.STATES, strict=False),
        )
        if program_of(name).by_time == program_of(state).by_time
    }
    rivals = {"season alone": [PAGE.by_season_alone()], "ridge": [PAGE.by_ridge()]}
    together = [np.mean(forecasts["best weights"], axis=0)]
    ends = {name: forecasts[name] for name in ("as found", "best weights", "best weights, changes")}
    store(
        "diary",
        "skill over persistence of one program in all states of its diary",
        {
            "states": {name: table[name] for name in PAGE.STATES},
            "dead ends": {name: table[name] for name in PAGE.ENDS},
            "gains": gains,
            "rivals": {
                name: PAGE.skills(PAGE.STATES["season"], told[0])
                for name, told in (rivals | {"mean of all seeds": together}).items()
            },
            "off by season": {
                name: off_by_season(forecasts[name], name) for name in ("scaled", "season")
            },
            "test year": of_test_year(ends | rivals | {"mean of all seeds": together}),
        },
        ("numpy", "torch", "scikit-learn", "vega_datasets"),
    )


if __name__ == "__main__":
    asked(__doc__)
    main()

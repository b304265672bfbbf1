"""The tables of the page *shift*: accuracy in shifted worlds, by length, skill by years after
training, and errors by voice, each with seeds.

    python benchmarks/shift.py           # five minutes, into benchmarks/results/shift.json
    python benchmarks/shift.py speakers  # this table only; the others stay as they are stored

The real voices need LSTM_DATA_DIR, or a download of 8 MB.

Data, models and training are those of book/three/shift.md.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

if __name__ == "__main__":  # before NumPy is loaded: these models are small
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")

import torch

from benchmarks.pages import asked, experiment, row, store, wanted_or_stored

PAGE = experiment("shift")


WHAT = (
    "accuracy by world; share of right answers by length; skill by years after the end of "
    "training; wrong digits by voice"
)
PACKAGES = ("numpy", "torch", "statsmodels", "scikit-learn")


def speakers() -> dict[str, dict[str, Any]]:
    """Wrong digits of known voices and of strangers, by the number of voices in training."""
    return {
        kind: {
            str(voices): row(
                lambda seed, a=(kind, voices): PAGE.by_voice(*a, seed),  # type: ignore[misc]
                range(4),
                f"{voices} {kind}",
            )
            for voices in counts
        }
        for kind, counts in PAGE.VOICES.items()
    }


def years() -> dict[str, Any]:
    """Skill by years after the end of training, of levels and of differences."""
    return {
        name: row(lambda seed, a=levels: PAGE.by_years(a, seed), range(4), name)  # type: ignore[misc]
        for name, levels in (("levels", True), ("differences", False))
    }


def lengths() -> dict[str, Any]:
    """Share of right answers by length, of both tasks."""
    return {
        task: row(lambda seed, a=task: PAGE.by_length(a, seed), range(5), task)  # type: ignore[misc]
        for task in ("parity", "sum")
    }


def worlds() -> dict[str, Any]:
    """Accuracy in each of the worlds."""
    return row(PAGE.accuracy_by_world, range(8), "worlds")


TABLES: dict[str, Callable[[], dict[str, Any]]] = {
    "years": years,
    "lengths": lengths,
    "worlds": worlds,
    "speakers": speakers,
}


def main(wanted: list[str]) -> None:
    """Measure the tables that are wanted, or all, and write the file."""
    torch.set_num_threads(1)
    store("shift", WHAT, wanted_or_stored("shift", TABLES, wanted), PACKAGES)


if __name__ == "__main__":
    main(asked(__doc__, TABLES))

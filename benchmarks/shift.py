"""The tables of the page *shift*: accuracy in shifted worlds, by length, and skill by years after
training, each with seeds.

    python benchmarks/shift.py        # two minutes of one core, into benchmarks/results/shift.json

Data, models and training are those of book/three/shift.md.
"""

from __future__ import annotations

import os

if __name__ == "__main__":  # before NumPy is loaded: these models are small
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")

import torch

from benchmarks.pages import experiment, row, store

PAGE = experiment("shift")


def main() -> None:
    """Measure, and write the file."""
    torch.set_num_threads(1)
    years = {
        name: row(lambda seed, a=levels: PAGE.by_years(a, seed), range(4), name)  # type: ignore[misc]
        for name, levels in (("levels", True), ("differences", False))
    }
    lengths = {
        task: row(lambda seed, a=task: PAGE.by_length(a, seed), range(5), task)
        for task in ("parity", "sum")
    }  # type: ignore[misc]
    worlds = row(PAGE.accuracy_by_world, range(3), "worlds")
    what = (
        "accuracy by world; share of right answers by length; skill by years after the end of "
        "training"
    )
    tables = {"years": years, "lengths": lengths, "worlds": worlds}
    store("shift", what, tables, ("numpy", "torch", "statsmodels"))


if __name__ == "__main__":
    main()

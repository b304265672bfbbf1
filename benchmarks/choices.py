"""The tables of the page *choices*: accuracy of a classifier of docstrings, one choice changed at a
time, and two at once.

    python benchmarks/choices.py  # three minutes of one core, into benchmarks/results/choices.json

Data, model and training are those of book/three/choices.md.
"""

from __future__ import annotations

import os

if __name__ == "__main__":  # before NumPy is loaded: these models are small
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")

import torch

from benchmarks.pages import asked, experiment, over_seeds, store

PAGE = experiment("choices")
SEEDS = 5


def main() -> None:
    """Measure, and write the file: beside each mean, the difference from the default on the same
    splits and seeds.
    """
    torch.set_num_threads(1)
    runs: dict[str, list[float]] = {
        "counting words": [PAGE.accuracy_of_counting(seed) for seed in range(SEEDS)]
    }
    for name, changed in (PAGE.ARMS | PAGE.PAIRS).items():
        runs[name] = [PAGE.accuracy_of(changed, seed) for seed in range(SEEDS)]
        print(name, [round(one, 3) for one in runs[name]], flush=True)
    table = {
        name: {
            "accuracy": over_seeds(found),
            "gain": over_seeds([a - b for a, b in zip(found, runs["default"], strict=True)]),
            "runs": found,
        }
        for name, found in runs.items()
    }
    what = "accuracy by choice, and its difference from the default on the same splits"
    store("choices", what, {"table": table}, ("numpy", "torch", "scikit-learn", "statsmodels"))


if __name__ == "__main__":
    asked(__doc__)
    main()

"""The tables of the page *prepare*: stop words, features for El Nino, and a leak on random walks,
each with seeds.

    python benchmarks/prepare.py  # two minutes of one core, into benchmarks/results/prepare.json

Data, models and training are those of book/three/prepare.md.
"""

from __future__ import annotations

import os

if __name__ == "__main__":  # before NumPy is loaded: these models are small
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")

import numpy as np
import torch

from benchmarks.pages import asked, experiment, row, store
from lstm_ref.data import Parts

PAGE = experiment("prepare")
# step, passes, seeds
STOP_WORDS = {"all words": (list, 9, 3), "without stop words": (PAGE.without_stop_words, 4, 3)}
SEEDS = 4


def stop_words(step: object, passes: int, seed: int) -> dict[str, float]:
    """Test accuracy of a classifier of prepared sentences."""
    return {"accuracy": PAGE.trained_accuracy(step, seed, passes)}


def features(options: dict[str, object], seed: int) -> dict[str, float]:
    """Skill of an LSTM that forecasts El Nino with some features."""
    x, y, _, parts = PAGE.el_nino(**options)
    return {"skill": PAGE.lstm_skill(x, y, parts, seed)}


def walk(smoothed: bool, seed: int) -> dict[str, float]:
    """Skill of an LSTM on a random walk, seven steps ahead: as it is, or after a centred mean of
    seven.
    """
    series = np.cumsum(np.random.default_rng(seed).normal(size=PAGE.STEPS))
    if smoothed:
        series = np.convolve(series, np.ones(7) / 7, "valid")
    x, y = PAGE.cut_windows(series, series)
    now = x[:, -1]
    train, test = PAGE.by_time(len(x))
    parts = Parts(
        train[: int(0.8 * len(train))],
        train[int(0.8 * len(train)) + PAGE.WINDOW + PAGE.HORIZON :],
        test,
    )
    change, ahead = (x - now[:, None])[:, :, None], y[:, -1] - now
    scale = change[parts.train].std()
    return {"skill": PAGE.lstm_skill(change / scale, ahead / scale, parts, seed)}


def main() -> None:
    """Measure, and write the file."""
    torch.set_num_threads(1)
    tables = {
        "features": {
            name: row(lambda seed, o=options: features(o, seed), range(SEEDS), name)  # type: ignore[misc]
            for name, options in PAGE.FEATURES.items()
        },
        "LSTM on walks": {
            name: row(lambda seed, s=smoothed: walk(s, seed), range(SEEDS), name)  # type: ignore[misc]
            for name, smoothed in (("honest", False), ("centred mean of 7 first", True))
        },
        "stop words": {
            name: row(lambda seed, s=step, p=passes: stop_words(s, p, seed), range(seeds), name)  # type: ignore[misc]
            for name, (step, passes, seeds) in STOP_WORDS.items()
        },
    }
    what = (
        "accuracy with and without stop words; skill by features; skill of an LSTM on random walks"
    )
    store("prepare", what, tables, ("numpy", "torch", "scikit-learn", "statsmodels"))


if __name__ == "__main__":
    asked(__doc__)
    main()

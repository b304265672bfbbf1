"""The tables of the page *measure*: the detector of rare events on more seeds, and how good the
best of many looks.

    python benchmarks/measure.py  # five minutes of one core, into benchmarks/results/measure.json

The detector, its data and its metrics are those of book/three/measure.md.
"""

from __future__ import annotations

import os
from typing import Any

if __name__ == "__main__":  # before NumPy is loaded: these models are small
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")

import numpy as np
import torch

from benchmarks.pages import asked, experiment, row, store

PAGE = experiment("measure")
ARMS = {  # share of events in the training batches, steps, seeds
    "as they come": (PAGE.RATE, 250, 12),
    "as they come, four times as long": (PAGE.RATE, 1000, 5),
    "half with an event": (0.5, 250, 12),
}
CANDIDATES, FRESH, DRAWS = 64, 20_000, 4000
TRIED, TEST_SIZES = (1, 4, 16, 64), (100, 200, 1000)


def arm(share: float, steps: int, seed: int) -> dict[str, float]:
    """Metrics of one detector on 20,000 new sequences, as it is and with its probabilities
    mended.
    """
    model = PAGE.train(share, seed, steps=steps)
    x, y = PAGE.readings(np.random.default_rng(1000 + seed), FRESH, PAGE.RATE)
    z = PAGE.scores(model, x)
    mended = z + PAGE.shift(PAGE.RATE, share)
    found = PAGE.metrics(y, z)
    return found | {f"{name}, mended": value for name, value in PAGE.metrics(y, mended).items()}


def candidate(k: int) -> np.ndarray:
    """Which of the fresh sequences candidate k gets right: one of 64 settings that somebody might
    try, half with an event.
    """
    rng = np.random.default_rng(k)
    H, lr = int(rng.choice([4, 8, 16, 32])), float(10 ** rng.uniform(-2.5, -1.5))
    model = PAGE.train(0.5, k, steps=120, H=H, lr=lr)
    x, y = PAGE.readings(np.random.default_rng(999_999), FRESH, 0.5)
    return (PAGE.scores(model, x) > 0) == y


def best_of(right: np.ndarray, tried: int, size: int, draws: int = DRAWS) -> dict[str, float]:
    """Choose the best of some candidates on a test set, again and again: what it shows there, and
    what it is worth.

    right : (candidates, FRESH). The truth about a candidate is its accuracy on all fresh sequences.
    """
    rng = np.random.default_rng(tried * 10_000 + size)
    true, gains = right.mean(axis=1), []
    for _ in range(draws):
        chosen = rng.choice(len(right), tried, replace=False)
        here = right[chosen][:, rng.choice(right.shape[1], size, replace=False)].mean(axis=1)
        best = int(here.argmax())
        gains.append((here[best], true[chosen[best]], here[best] - true[chosen[best]]))
    shown, worth, too_good = np.array(gains).T
    return {
        "shown": float(shown.mean()),
        "worth": float(worth.mean()),
        "too good": float(too_good.mean()),
        "too good, 10 % to 90 %": np.quantile(too_good, [0.1, 0.9]).tolist(),
        "share of choices that look better than they are": float((too_good > 0).mean()),
    }


def main() -> None:
    """Measure, and write the file."""
    torch.set_num_threads(1)
    arms: dict[str, Any] = {}
    for name, (share, steps, seeds) in ARMS.items():
        arms[name] = row(lambda seed, a=(share, steps): arm(*a, seed), range(seeds), name)  # type: ignore[misc]
    right = np.array([candidate(k) for k in range(CANDIDATES)])
    true = right.mean(axis=1)
    best = {
        "candidates": CANDIDATES,
        "accuracy of the candidates, least, median, most": np.quantile(true, [0, 0.5, 1]).tolist(),
        "draws": DRAWS,
        "test size": {
            str(size): {str(tried): best_of(right, tried, size) for tried in TRIED}
            for size in TEST_SIZES
        },
    }
    what = (
        "accuracy and other metrics of a detector of rare events; the best of 64 candidates chosen "
        "on a small test set"
    )
    store("measure", what, {"arms": arms, "best of": best}, ("numpy", "torch", "scikit-learn"))


if __name__ == "__main__":
    asked(__doc__)
    main()

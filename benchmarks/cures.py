"""The tables of the page *cures*: recall of the first symbol by lag, cure by cure, after short and
after long training; and what keeps a network from exploding.

    python benchmarks/cures.py             # four minutes of one core
    python benchmarks/cures.py exploding   # this table only; the others stay as they are stored

It writes benchmarks/results/cures.json. Task, layers and training are those of book/three/cures.md.
"""

from __future__ import annotations

import os
from functools import partial
from typing import Any

if __name__ == "__main__":  # before NumPy is loaded: these models are small
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")

import torch

from benchmarks.pages import asked, experiment, over_seeds, row, store, stored

PAGE = experiment("cures")
SEEDS, EXPLODING_SEEDS = range(3), range(16)
LAGS = (10, 50)
SHORT, LONG = 200, 400  # updates
TOLD = "LSTM, chrono, told the lag"
ARMS: dict[str, dict[str, Any]] = {
    "RNN": {"kind": "rnn"},
    "RNN, clipped": {"kind": "rnn", "clip": 0.25},
    "RNN, orthogonal": {"kind": "rnn", "orthogonal": True},
    "RNN, skip of ten steps": {"kind": "skip"},
    "GRU": {"kind": "gru"},
    "GRU, update bias 4": {"kind": "gru", "forget_bias": 4},
    "LSTM": {"kind": "lstm"},
    "LSTM, clipped": {"kind": "lstm", "clip": 0.25},
    "LSTM, forget bias 1": {"kind": "lstm", "forget_bias": 1},
    "LSTM, forget bias 4": {"kind": "lstm", "forget_bias": 4},
    TOLD: {"kind": "lstm"},
    "LSTM, layer norm": {"kind": "norm"},
}
WRONG = (3, 10, 200, 1000)  # longest memory that chrono is told where the lag is 50


def curve(name: str, lag: int, seed: int, steps: int, longest: int | None = None) -> list[float]:
    """Accuracy every 50 updates, to the last of ``steps``; after the end of a run that has learned
    it, as it was then.
    """
    cure = dict(ARMS[name]) | ({"longest": longest or lag} if name == TOLD else {})
    right: list[float] = PAGE.learn(lag, seed, steps, **cure)
    print(
        f"{name}, lag {lag}, seed {seed}: {right[-1]:.3f} after {50 * len(right)} updates",
        flush=True,
    )
    return right + right[-1:] * (steps // 50 - len(right))


def vanishing() -> dict[str, Any]:
    """Recall by lag and cure, after short and after long training."""
    short: dict[str, dict[str, Any]] = {}
    long: dict[str, Any] = {}
    for name in ARMS:
        short[name] = {}
        for lag in LAGS:
            steps = LONG if lag == LAGS[-1] else SHORT
            curves = [curve(name, lag, seed, steps) for seed in SEEDS]
            short[name][str(lag)] = over_seeds([one[SHORT // 50 - 1] for one in curves])
            if lag == LAGS[-1]:
                long[name] = over_seeds([one[-1] for one in curves]) | {
                    "each": [one[-1] for one in curves]
                }
    wrong = {
        str(longest): over_seeds(
            [curve(TOLD, LAGS[-1], seed, SHORT, longest)[-1] for seed in SEEDS]
        )
        for longest in WRONG
    }
    near = {
        "forget bias 1": over_seeds(
            [curve("LSTM, forget bias 1", 3, seed, SHORT)[-1] for seed in SEEDS]
        ),
        "chrono, told 200": over_seeds([curve(TOLD, 3, seed, SHORT, 200)[-1] for seed in SEEDS]),
    }
    return {
        "after 200 updates": short,
        "after 400 updates": long,
        "told another lag": wrong,
        "at lag 3": near,
    }


def exploding() -> dict[str, Any]:
    """Share of runs that diverge, and what the networks recall, for each cure of exploding."""
    return {
        name: row(partial(PAGE.exploding, **options), EXPLODING_SEEDS, name)
        for name, options in PAGE.EXPLODING.items()
    }


def main(wanted: list[str]) -> None:
    """Measure both, or only what explodes, and write the file."""
    torch.set_num_threads(1)
    tables = stored("cures") if wanted == ["exploding"] else vanishing()
    what = "share of sequences whose first symbol is recalled; runs that diverge"
    store("cures", what, tables | {"exploding": exploding()}, ("numpy", "torch"))


if __name__ == "__main__":
    main(asked(__doc__, ("exploding",)))

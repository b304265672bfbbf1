"""The tables of the page *overfitting*: remedies one at a time on the same splits, with right and
wrong labels, on two data sets.

    python benchmarks/overfitting.py  # five minutes of one core, into results/overfitting.json

Data, model and training are those of book/three/overfitting.md. The film reviews are measured where
LSTM_DATA_DIR has them; else the stored rows stay as they are. Strengths of word dropout, of dropout
of the inputs and of L1 were chosen by validation loss on two splits that are not in the table; the
others are usual values.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from typing import Any

if __name__ == "__main__":  # before NumPy is loaded: these models are small
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")

import numpy as np
import torch
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.naive_bayes import MultinomialNB

from benchmarks.pages import RESULTS, asked, experiment, over_seeds, store
from lstm_ref.data import load, split_stratified

PAGE = experiment("overfitting")
SEEDS = range(5)
REVIEW_SEEDS = range(3)
FLIPPED = 0.2
# name -> what differs from the plain run; n belongs to the split
ARMS: dict[str, dict[str, Any]] = {
    "plain": {},
    "half the texts": {"n": 300},
    "twice the texts": {"n": 1200},
    "fewer units": {"E": 8, "H": 8},
    "word dropout": {"words": 0.5},
    "dropout of the inputs": {"inputs": 0.2},
    "dropout of the last state": {"outputs": 0.5},
    "dropout of recurrent weights": {"recurrent": 0.5},
    "L1": {"l1": 1e-4},
    "L2 inside Adam": {"l2": 1e-3},
    "weight decay (AdamW)": {"decay": 0.3},
}
FEW = ("plain", "word dropout")
Parts = Mapping[str, Any]


def numbers(z: Any, parts: Parts, trained: Any) -> dict[str, float]:
    """Loss and accuracy on the test, accuracy on the training set, from the scores of one
    moment.
    """
    y = parts["test"][1]
    return {
        "loss": PAGE.loss_of(z["test"], y),
        "accuracy": PAGE.accuracy_of(z["test"], y),
        "accuracy on training": PAGE.accuracy_of(trained["training"], parts["training"][1]),
    }


def stopped(seen: list[Any], parts: Parts) -> dict[str, dict[str, float]]:
    """The plain run once more, ended by two rules, and at its end with one factor on its scores."""
    y = parts["validation"][1]
    by_loss = min(seen, key=lambda z: PAGE.loss_of(z["validation"], y))
    by_accuracy = max(seen, key=lambda z: PAGE.accuracy_of(z["validation"], y))
    tau = PAGE.temperature(seen[-1]["validation"], y)
    cooled = {name: z / tau for name, z in seen[-1].items()}
    moments = {
        "stopped at the least loss": by_loss,
        "stopped at the best accuracy": by_accuracy,
        "one temperature": cooled,
    }
    return {name: numbers(z, parts, z) for name, z in moments.items()}


def counting(parts: Parts) -> dict[str, float]:
    """Naive Bayes on the counts of words."""
    bags, (texts, y), (test, y_test) = (
        CountVectorizer(analyzer=list),
        parts["training"],
        parts["test"],
    )
    model = MultinomialNB().fit(bags.fit_transform(texts), y)
    log_p = model.predict_log_proba(bags.transform(test))
    found = {"training": model.predict_log_proba(bags.transform(texts)), "test": log_p}
    return numbers(found, {"test": (test, y_test), "training": (texts, y)}, found)


def runs(seed: int, arms: Iterable[str], split: Any, passes: int) -> dict[str, dict[str, float]]:
    """All arms on one split: arm -> numbers. ``split(**what)`` gives the parts."""
    found: dict[str, dict[str, float]] = {}
    for name in arms:
        settings = dict(ARMS[name])
        parts = split(n=settings.pop("n")) if "n" in settings else split()
        seen = PAGE.learn(parts, seed, passes=passes, **settings)
        found[name] = numbers(seen[-1], parts, seen[-1])
        if name == "plain":
            found |= stopped(seen, parts)
            found["naive Bayes"] = counting(parts)
        told = ", ".join(f"{key} {value:.3f}" for key, value in found[name].items())
        print(f"{name}, seed {seed}: {told}", flush=True)
    return found


def table(by_seed: list[dict[str, dict[str, float]]]) -> dict[str, Any]:
    """Arm -> each number over the seeds, and what it has beyond the plain run of the same seed."""
    rows: dict[str, Any] = {}
    for name in by_seed[0]:
        keys = by_seed[0][name]
        rows[name] = {key: over_seeds([one[name][key] for one in by_seed]) for key in keys}
        if name != "plain":
            for key in ("loss", "accuracy"):
                gains = [one[name][key] - one["plain"][key] for one in by_seed]
                rows[name][f"{key}, beyond plain"] = over_seeds(gains)
    return rows


def review_parts(seed: int) -> Parts:
    """2000 film reviews to train on, and as many as they are to choose and to test."""
    data = load("rt-polarity")
    rng = np.random.default_rng(seed)
    parts = split_stratified(data.texts, data.labels, validation=0.1, test=0.2, seed=seed)
    rows = {
        "training": rng.permutation(parts.train)[:2000],
        "validation": parts.validation,
        "test": parts.test,
    }
    return {
        name: ([data.texts[k].split() for k in some], data.labels[some])
        for name, some in rows.items()
    }


def reviews() -> Any:
    """Rows of the film reviews, from the data or else as they are stored."""
    if "LSTM_DATA_DIR" not in os.environ:
        return json.loads((RESULTS / "overfitting.json").read_text(encoding="utf-8"))[
            "film reviews"
        ]
    found = []
    for seed in REVIEW_SEEDS:
        parts = review_parts(seed)
        found.append(runs(seed, FEW, lambda p=parts: p, passes=8))
    return table(found)


def main() -> None:
    """Measure, and write the file."""
    torch.set_num_threads(1)
    right = [
        runs(seed, ARMS, lambda s=seed, **what: PAGE.split(s, **what), passes=10) for seed in SEEDS
    ]
    wrong = [
        runs(seed, FEW, lambda s=seed, **what: PAGE.split(s, flipped=FLIPPED, **what), passes=10)
        for seed in SEEDS
    ]
    tables = {
        "arms": table(right),
        "a fifth of the labels wrong": table(wrong),
        "film reviews": reviews(),
    }
    packages = ("numpy", "torch", "scikit-learn", "statsmodels")
    store("overfitting", "loss and accuracy on the test, remedy by remedy", tables, packages)


if __name__ == "__main__":
    asked(__doc__)
    main()

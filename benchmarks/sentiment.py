"""The tables of the page *sentiment*: a grammar with three labels, over seeds, and real film
reviews with their calibration.

    LSTM_DATA_DIR=... python benchmarks/sentiment.py        # five minutes of one core

Data, models and training are those of book/four/sentiment.md. The film reviews (rt-polarity) are
measured where LSTM_DATA_DIR has them; else the stored rows stay as they are.
"""

from __future__ import annotations

import json
import os
from typing import Any

if __name__ == "__main__":  # before NumPy is loaded: these models are small
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")

import torch

from benchmarks.pages import RESULTS, asked, experiment, over_seeds, row, store

PAGE = experiment("sentiment")
KINDS = {"LSTM": PAGE.SentenceClassifier, "mean of words": PAGE.MeanOfWords}
SEEDS = range(4)
REVIEW_SEEDS = range(3)


def of_grammar(kind: str, seed: int) -> dict[str, float]:
    """One model on the test sentences, on the pairs with the same words, on unknown words, and with
    padding read.
    """
    model, vocabulary = PAGE.trained_on(PAGE.train, seed, KINDS[kind])
    return dict(PAGE.judged(model, vocabulary))


def of_reviews(seed: int) -> dict[str, dict[str, float]]:
    """Model -> numbers on the test part of one split of the film reviews."""
    found = {}
    for name in (*PAGE.COUNTING, *PAGE.NETWORKS):
        found[name] = PAGE.on_film_reviews(name, seed)
        told = ", ".join(
            f"{key} {value:.3f}" for key, value in found[name].items() if not key.startswith("bin")
        )
        print(f"{name}, split {seed}: {told}", flush=True)
    return found


def over_splits(runs: list[dict[str, dict[str, float]]]) -> dict[str, Any]:
    """Each number over the splits, and each model's accuracy beyond naive Bayes on the same
    split.
    """
    table: dict[str, Any] = {}
    for name, keys in runs[0].items():
        table[name] = {key: over_seeds([one[name][key] for one in runs]) for key in keys}
        gains = [one[name]["accuracy"] - one["naive Bayes"]["accuracy"] for one in runs]
        if name != "naive Bayes":
            table[name]["accuracy, beyond naive Bayes"] = over_seeds(gains)
    return table


def film_reviews() -> Any:
    """Rows of the film reviews, from the data or else as they are stored."""
    if "LSTM_DATA_DIR" not in os.environ:
        return json.loads((RESULTS / "sentiment.json").read_text(encoding="utf-8"))["film reviews"]
    return over_splits([of_reviews(seed) for seed in REVIEW_SEEDS])


def main() -> None:
    """Measure, and write the file."""
    torch.set_num_threads(1)
    grammar = {kind: row(lambda seed, k=kind: of_grammar(k, seed), SEEDS, kind) for kind in KINDS}  # type: ignore[misc]
    tables = {"grammar": grammar, "film reviews": film_reviews(), "test sentences": len(PAGE.test)}
    store("sentiment", "labels of reviews", tables, ("numpy", "torch", "scikit-learn"))


if __name__ == "__main__":
    asked(__doc__)
    main()

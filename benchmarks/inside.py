"""The tables of the page *inside*: explanations judged on trained and untrained models, and units
that count, on more seeds.

    python benchmarks/inside.py  # three minutes of one core, into benchmarks/results/inside.json

Data, models, explanations and their tests are those of book/three/inside.md.
"""

from __future__ import annotations

import os

if __name__ == "__main__":  # before NumPy is loaded: these models are small
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")

import numpy as np
import torch

from benchmarks.pages import experiment, row, store

PAGE = experiment("inside")
SEEDS, COUNTING_SEEDS, REVIEWS = 3, 6, 50
# what a review of that shape holds
PLACES = {"evidence at the end": ", but", "evidence in front": ", although"}


def explained(seed: int, trained: bool) -> dict[str, float]:
    """Accuracy of one model, and how its explanations are judged on test reviews."""
    vocabulary = PAGE.WordVocabulary([PAGE.words[k] for k in PAGE.train], min_count=1)
    model = PAGE.trained_on(seed)[0] if trained else PAGE.untrained(vocabulary, seed)
    scores = PAGE.class_scores(model, [vocabulary.encode(PAGE.words[k]) for k in PAGE.test])
    found = {"accuracy": float(np.mean(scores.argmax(axis=1) == PAGE.labels[PAGE.test]))}
    for place, conjunction in PLACES.items():
        chosen = [PAGE.words[k] for k in PAGE.test if conjunction in data_text(k)][:REVIEWS]
        for name, (matters, flips) in PAGE.judged(model, vocabulary, chosen).items():
            found |= {
                f"{name}, {place}: can matter": float(matters),
                f"{name}, {place}: flips": float(flips),
            }
    return found


def data_text(k: int) -> str:
    """Text of a review."""
    return str(PAGE.data.texts[k])


def counting(seed: int, trained: bool) -> dict[str, float]:
    """What the units of one model of brackets know."""
    torch.manual_seed(9000 + seed)
    model = PAGE.next_bracket(seed) if trained else PAGE.NextBracket()
    return {name: float(value) for name, value in PAGE.counted(model, seed).items()}


def main() -> None:
    """Measure, and write the file."""
    torch.set_num_threads(1)
    arms = {
        name: row(lambda seed, t=trained: explained(seed, t), range(SEEDS), name)  # type: ignore[misc]
        for name, trained in (("trained", True), ("untrained", False))
    }
    brackets = {
        name: row(
            lambda seed, t=trained: counting(seed, t), range(COUNTING_SEEDS), f"brackets, {name}"
        )  # type: ignore[misc]
        for name, trained in (("trained", True), ("untrained", False))
    }
    tables = {"reviews of each shape": REVIEWS, "arms": arms, "brackets": brackets}
    what = (
        "which words explanations put on top, answers that flip without them; units that follow "
        "the depth of brackets"
    )
    store("inside", what, tables, ("numpy", "torch", "scikit-learn"))


if __name__ == "__main__":
    main()

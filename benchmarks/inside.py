"""The tables of the page *inside*: explanations judged on trained and untrained models, gates and
what the cell state keeps, units that count, and units that follow quotations, on more seeds.

    python benchmarks/inside.py              # six minutes of one core
    python benchmarks/inside.py quotations   # this table only; the others stay as they are stored

It writes benchmarks/results/inside.json. Data, models, explanations and their tests are those of
book/three/inside.md.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from typing import Any

if __name__ == "__main__":  # before NumPy is loaded: these models are small
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")

import numpy as np
import torch

from benchmarks.pages import asked, experiment, row, store, wanted_or_stored

PAGE = experiment("inside")
SEEDS, GATE_SEEDS, COUNTING_SEEDS, QUOTING_SEEDS, REVIEWS = 8, 5, 6, 8, 50
# what a review of that shape holds
PLACES = {"evidence at the end": ", but", "evidence in front": ", although"}


def classifier(seed: int, trained: bool) -> tuple[Any, Any]:
    """One model and its vocabulary."""
    vocabulary = PAGE.WordVocabulary([PAGE.words[k] for k in PAGE.train], min_count=1)
    return PAGE.trained_on(seed)[0] if trained else PAGE.untrained(vocabulary, seed), vocabulary


def acting(seed: int, trained: bool) -> dict[str, float]:
    """What the gates of one model do, and what its cell state keeps."""
    model, vocabulary = classifier(seed, trained)
    rows = [k for k in PAGE.test if PLACES["evidence in front"] in data_text(k)]
    found = PAGE.kept(model, vocabulary, [PAGE.words[k] for k in rows], PAGE.labels[rows])
    return {name: float(value) for name, value in found.items()}


def explained(seed: int, trained: bool) -> dict[str, float]:
    """Accuracy of one model, and how its explanations are judged on test reviews."""
    model, vocabulary = classifier(seed, trained)
    scores = PAGE.class_scores(model, [vocabulary.encode(PAGE.words[k]) for k in PAGE.test])
    found = {"accuracy": float(np.mean(scores.argmax(axis=1) == PAGE.labels[PAGE.test]))}
    for place, conjunction in PLACES.items():
        chosen = [PAGE.words[k] for k in PAGE.test if conjunction in data_text(k)][:REVIEWS]
        gaps = [
            PAGE.incomplete(model, PAGE.vectors_of(model, vocabulary, sentence), 400)
            for sentence in chosen
        ]
        found[f"gap of the sum, {place}: median"] = float(np.median(gaps))
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


def quoting(seed: int, trained: bool) -> dict[str, float]:
    """What the units of one model of characters know of quotations, and what they are for."""
    torch.manual_seed(9000 + seed)
    model = PAGE.next_character(seed) if trained else PAGE.NextCharacter()
    return dict(PAGE.quote_unit(model))


# table: what is measured, and with how many seeds
TABLES: dict[str, tuple[Callable[[int, bool], dict[str, float]], int]] = {
    "arms": (explained, SEEDS),
    "gates": (acting, GATE_SEEDS),
    "brackets": (counting, COUNTING_SEEDS),
    "quotations": (quoting, QUOTING_SEEDS),
}


def both(table: str) -> dict[str, Any]:
    """One table: its rows for trained and for untrained models."""
    measured, seeds = TABLES[table]
    return {
        name: row(partial(measured, trained=trained), range(seeds), f"{table}, {name}")
        for name, trained in (("trained", True), ("untrained", False))
    }


def main(wanted: list[str]) -> None:
    """Measure the tables that are wanted, or all, and write the file."""
    torch.set_num_threads(1)
    tables = wanted_or_stored("inside", {name: partial(both, name) for name in TABLES}, wanted)
    what = (
        "which words explanations put on top, answers that flip without them; gates, and what the "
        "cell state keeps; units that follow the depth of brackets, and quotations"
    )
    packages = ("numpy", "torch", "scikit-learn")
    store("inside", what, {"reviews of each shape": REVIEWS, **tables}, packages)


if __name__ == "__main__":
    main(asked(__doc__, TABLES))

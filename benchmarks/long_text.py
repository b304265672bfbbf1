"""The networks of the page *long-text* on more seeds: loss by position of four ways to carry a
state, and by where it is cut.

    python benchmarks/long_text.py  # some minutes of one core, into results/long_text.json

Data, model and training are those of book/one/long-text.md.
"""

from __future__ import annotations

import os

if __name__ == "__main__":  # before NumPy is loaded: these models are small
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")

from benchmarks.pages import asked, experiment, row, store

PAGE = experiment("long-text")
SEEDS = range(3)


def of_a_way(name: str, seed: int) -> dict[str, float]:
    """Validation loss of a network that is trained and fed in one of the ways: mean, first letter
    of a piece, letters 9 to 16.
    """
    make_batches, next_state = PAGE.WAYS[name]
    model = PAGE.train(make_batches, next_state, seed=seed)
    by_position = PAGE.by_position(model, make_batches=make_batches, next_state=next_state)
    late = by_position[8:].mean()
    return {
        "mean": by_position.mean(),
        "first": by_position[0],
        "late": late,
        "step": by_position[0] - late,
    }


def of_neighbours(seed: int) -> dict[str, float]:
    """The same for rows that are neighbours in the text, and no foreign state."""
    model = PAGE.train(PAGE.wrong_lanes, PAGE.zeros, seed=seed)
    found = PAGE.by_position(model, make_batches=PAGE.wrong_lanes, next_state=PAGE.zeros)
    return {"late": found[8:].mean()}


def of_a_cut(cut: int, seed: int) -> dict[str, float]:
    """Validation loss of a network whose state is carried, and whose gradient is cut after so many
    steps.
    """
    return {"validation": PAGE.by_position(PAGE.train(cut=cut, seed=seed)).mean()}


def of_pairs(seed: int) -> dict[str, float]:
    """Loss of a network that starts each letter from zeros, on the text for training and for
    validation.
    """
    like = {"next_state": PAGE.zeros, "N": 512, "T": 1}
    model = PAGE.train(seed=seed, **like)
    ids = {"training": PAGE.train_ids, "validation": PAGE.validation_ids}
    return {name: PAGE.by_position(model, part, **like).mean() for name, part in ids.items()}


def main() -> None:
    """Measure, and write the file."""
    ways = {name: row(lambda seed, n=name: of_a_way(n, seed), SEEDS, name) for name in PAGE.WAYS}  # type: ignore[misc]
    cuts = {
        str(cut): row(lambda seed, c=cut: of_a_cut(c, seed), SEEDS, f"cut {cut}")
        for cut in (1, 2, 4)
    }  # type: ignore[misc]
    tables = {
        "ways": ways,
        "neighbours": row(of_neighbours, SEEDS, "neighbours"),
        "cuts": cuts | {"16": {"validation": ways["right"]["mean"]}},  # a piece has 16 letters
        "pairs": row(of_pairs, SEEDS, "pairs"),
    }
    store("long_text", "loss of plain RNNs on a long text, nats per letter", tables, ("numpy",))


if __name__ == "__main__":
    asked(__doc__)
    main()

"""The table of the page *errors*: a classifier whose training lacks one shape of sentences, and the
same mended, on more seeds.

    python benchmarks/errors.py  # five minutes of one core, into benchmarks/results/errors.json

Data, model and training are those of book/three/errors.md.
"""

from __future__ import annotations

import os

if __name__ == "__main__":  # before NumPy is loaded: these models are small
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")

import torch

from benchmarks.pages import asked, experiment, row, store

PAGE = experiment("errors")
ARMS = {  # training sentences of the fourth shape, passes, seeds
    "none of the fourth shape": (0, 9, 4),
    "a tenth": (300, 9, 4),
    "a tenth, more passes": (300, 20, 3),
    "as many as in the world": (750, 9, 4),
}


def error_rates(n_last: int, passes: int, seed: int) -> dict[str, float]:
    """Error rate of one model on the test sentences: of each shape, of the first three together, of
    all.
    """
    model, vocabulary = PAGE.trained_on(PAGE.training_set(n_last), seed, passes)
    wrong = (
        PAGE.answers(model, vocabulary, [PAGE.words[k] for k in PAGE.test])
        != PAGE.labels[PAGE.test]
    )
    shape = PAGE.shape[PAGE.test]
    rates = {name: float(wrong[shape == name].mean()) for name in PAGE.SHAPES}
    return rates | {
        "others": float(wrong[shape != "although last"].mean()),
        "all": float(wrong.mean()),
    }


def main() -> None:
    """Measure, and write the file."""
    torch.set_num_threads(1)
    arms = {}
    for name, (n_last, passes, seeds) in ARMS.items():
        rates = row(lambda seed, a=(n_last, passes): error_rates(*a, seed), range(seeds), name)  # type: ignore[misc]
        arms[name] = {"n_last": n_last, "passes": passes} | rates
    store("errors", "error rates by shape of sentence", {"arms": arms}, ("numpy", "torch"))


if __name__ == "__main__":
    asked(__doc__)
    main()

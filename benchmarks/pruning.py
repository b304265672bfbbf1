"""What the pruning slider of the page *smaller* shows: accuracy and bytes of one classifier at many
shares of weights thrown away, with and without fine-tuning.

    python benchmarks/pruning.py  # half a minute, into benchmarks/results/pruning.json

Data, model and the ways to make it smaller are those of book/three/smaller.md.
"""

from __future__ import annotations

import os
from typing import Any

if __name__ == "__main__":  # before NumPy is loaded: these models are small
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")

import zlib

import torch

from benchmarks.pages import asked, experiment, store

PAGE = experiment("smaller")
SEEDS = range(3)
SHARES = (0.0, 0.2, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
UNITS = (64, 56, 48, 40, 32, 24, 16, 8)  # that are kept
ARMS = ("smallest weights", "random weights", "whole units")


def weights(H: int, E: int = 32) -> int:
    """Weights of the two matrices of an LSTM with H units."""
    return 4 * H * (E + H)


def permanent(model: Any) -> Any:
    """The zeros of a pruned model made permanent; any other model as it is."""
    for name in ("weight_ih_l0", "weight_hh_l0"):
        if hasattr(model.lstm, f"{name}_mask"):
            PAGE.prune.remove(model.lstm, name)
    return model


def zipped(model: Any) -> int:
    """Bytes of all parameters after zlib."""
    numbers = (p.detach().numpy().tobytes() for p in model.parameters())
    return len(zlib.compress(b"".join(numbers), 9))


def measured(make: Any) -> dict[str, float]:
    """Accuracy of a smaller model as it is, and after fine-tuning; bytes of the second."""
    found = {"accuracy": PAGE.accuracy(make())}
    tuned = permanent(PAGE.fine_tuned(make()))
    return found | {
        "fine-tuned": PAGE.accuracy(tuned),
        "bytes": PAGE.size(tuned),
        "zipped": zipped(tuned),
    }


def of_a_seed(seed: int) -> dict[str, list[dict[str, float]]]:
    """Each arm at each of its shares, of one trained model."""
    model = PAGE.trained_on(seed)
    torch.manual_seed(seed)  # which weights go at random
    at_random = PAGE.prune.RandomUnstructured
    found: dict[str, list[dict[str, float]]] = {arm: [] for arm in ARMS}
    for share in SHARES:
        found[ARMS[0]].append(measured(lambda share=share: PAGE.pruned(model, share)))
        thin = PAGE.pruned(model, share, at_random).state_dict()
        found[ARMS[1]].append(measured(lambda thin=thin: masked(thin)))
    for units in UNITS:
        found[ARMS[2]].append(measured(lambda units=units: PAGE.fewer_units(model, units)))
    told = {arm: [point["accuracy"] for point in row] for arm, row in found.items()}
    print(f"seed {seed}: {told}", flush=True)
    return found


def masked(state: dict[str, torch.Tensor]) -> Any:
    """A model that is pruned as the state dict of another one is."""
    thin = PAGE.SentenceClassifier(len(PAGE.vocabulary))
    for name in ("weight_ih_l0", "weight_hh_l0"):
        PAGE.prune.identity(thin.lstm, name)
    thin.load_state_dict(state)
    return thin


def arms(seeds: list[dict[str, list[dict[str, float]]]]) -> dict[str, Any]:
    """Arm -> its shares, and for each number a row for each seed."""
    gone = [1 - weights(units) / weights(UNITS[0]) for units in UNITS]
    shares = {ARMS[0]: list(SHARES), ARMS[1]: list(SHARES), ARMS[2]: gone}
    return {
        arm: {"shares": shares[arm]}
        | {key: [[p[key] for p in one[arm]] for one in seeds] for key in seeds[0][arm][0]}
        for arm in ARMS
    }


def main() -> None:
    """Measure, and write the file."""
    torch.set_num_threads(1)
    tables = {"units": UNITS, "arms": arms([of_a_seed(seed) for seed in SEEDS])}
    store("pruning", "accuracy and bytes by the share of weights gone", tables, ("numpy", "torch"))


if __name__ == "__main__":
    asked(__doc__)
    main()

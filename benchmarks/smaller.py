"""The table of the page *smaller*: accuracy with fewer weights, units, bits and ranks, on several
seeds; speed of int8.

    python benchmarks/smaller.py       # five minutes, into benchmarks/results/smaller.json
    python benchmarks/smaller.py onnx  # half a minute: the files alone; the rest stays as stored

Data, model and the ways to make it smaller are those of book/three/smaller.md.
"""

from __future__ import annotations

import json
import os
from typing import Any

if __name__ == "__main__":  # before NumPy is loaded: these models are small
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")

import time

import numpy as np
import torch

from benchmarks.pages import RESULTS, asked, experiment, row, store

PAGE = experiment("smaller")
SEEDS = 3
SHARES, UNITS, BITS, RANKS = (0.3, 0.5, 0.8, 0.9), (32, 16), (8, 4, 2), (16, 8)
EXPORTED = 200  # test sentences; the evaluator of ONNX is slow
WHAT = "accuracy of a classifier made smaller; speed of dynamic int8; exported files"
SIZES = ((64, 1), (256, 1), (512, 1), (512, 32))  # units, examples in a batch


def smaller(seed: int) -> dict[str, float]:
    """Accuracy of one trained model, whole and made smaller in every way."""
    model = PAGE.trained_on(seed)
    torch.manual_seed(seed)  # which weights go at random
    found = {"whole": PAGE.accuracy(model)}
    for share in SHARES:
        found[f"smallest, {share}"] = PAGE.accuracy(PAGE.pruned(model, share))
        at_random = PAGE.pruned(model, share, PAGE.prune.RandomUnstructured)
        found[f"random, {share}"] = PAGE.accuracy(at_random)
        found[f"smallest, then fine-tuned, {share}"] = PAGE.accuracy(
            PAGE.fine_tuned(PAGE.pruned(model, share))
        )
    for units in UNITS:
        small = PAGE.fewer_units(model, units)
        found[f"units, {units}"] = PAGE.accuracy(small)
        found[f"units, then fine-tuned, {units}"] = PAGE.accuracy(PAGE.fine_tuned(small))
    found["from the start"] = PAGE.accuracy(PAGE.small_one(seed))
    found["distilled"] = PAGE.accuracy(PAGE.small_one(seed, model))
    found |= {f"bits, {bits}": PAGE.accuracy(PAGE.in_bits(model, bits)) for bits in BITS}
    return found | {f"rank, {rank}": PAGE.accuracy(PAGE.low_rank(model, rank)) for rank in RANKS}


def seconds(run: Any, calls: int = 3) -> float:
    """Least processor time of one call."""
    run()
    times = []
    for _ in range(calls):
        start = time.process_time()
        run()
        times.append(time.process_time() - start)
    return min(times)


def speed(H: int, N: int, seed: int) -> dict[str, float]:
    """How many times as fast int8 is as float32, measured in turn, and what it changes."""
    torch.manual_seed(seed)
    layer, x = PAGE.Wrapped(H).eval(), torch.randn(N, 50, 128)
    int8 = PAGE.dynamic_int8(layer)
    with torch.no_grad():
        ratios = [seconds(lambda: layer(x)) / seconds(lambda: int8(x)) for _ in range(2)]
        difference = float((layer(x) - int8(x)).abs().max())
    size = PAGE.size(layer) / PAGE.size(int8)
    return {
        "times as fast": float(np.median(ratios)),
        "times as small": size,
        "largest difference": difference,
    }


def exported(seed: int) -> dict[str, float]:
    """Bytes and answers of a trained model's files, by the evaluator of ONNX."""
    sentences = [PAGE.ids[k] for k in PAGE.test[:EXPORTED]]
    found: dict[str, float] = PAGE.exported(PAGE.trained_on(seed).eval(), sentences)
    return found


def again(tables: dict[str, Any]) -> None:
    """Write tables beside those that are stored already."""
    held = json.loads((RESULTS / "smaller.json").read_text(encoding="utf-8"))
    for name in ("script", "what", "machine"):
        held.pop(name)
    store("smaller", WHAT, {**held, **tables}, ("numpy", "torch", "onnx"))


def main(wanted: list[str]) -> None:
    """Measure, and write the file."""
    torch.set_num_threads(1)
    files = {"onnx sentences": EXPORTED, "onnx": row(exported, range(SEEDS), "onnx")}
    if wanted == ["onnx"]:
        again(files)
        return
    table = row(smaller, range(SEEDS), "smaller")
    fast = {
        f"{H}, {N}": row(lambda seed, a=(H, N): speed(*a, seed), range(3), f"H {H}, N {N}")
        for H, N in SIZES
    }  # type: ignore[misc]
    tables = {
        "shares": SHARES,
        "units": UNITS,
        "bits": BITS,
        "ranks": RANKS,
        "accuracy": table,
        "int8": fast,
        **files,
    }
    store("smaller", WHAT, tables, ("numpy", "torch", "onnx"))


if __name__ == "__main__":
    main(asked(__doc__, ("onnx",)))

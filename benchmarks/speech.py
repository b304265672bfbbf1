"""The tables of the page *speech*: digit error rates for known voices and for strangers, on
synthetic and on real voices.

    python benchmarks/speech.py "synthetic digits"  # three minutes, into results/speech.json
    python benchmarks/speech.py "spoken digits"  # five; LSTM_DATA_DIR, or a download of 8 MB
    python benchmarks/speech.py "spoken digits" 4 5     # some draws again; the others stay

Network, loss and training are those of book/four/speech.md. The unit is the draw of the strangers:
three draws of six synthetic speakers each, and each of the six real persons once.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

if __name__ == "__main__":  # before NumPy is loaded: these models are small
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")

import numpy as np
import torch

from benchmarks.pages import RESULTS, experiment, over_seeds, store
from lstm_ref.data import load

PAGE = experiment("speech")
WHAT = "digit error rates of strings of three digits, of known voices and of strangers"
UPDATES = 300
MFCC = 13
Numbers = dict[str, float]


def cepstra(spectra: list[np.ndarray]) -> list[np.ndarray]:
    """The first coefficients of the cosine transform of each frame."""
    return [PAGE.dct(s, norm="ortho", axis=1)[:, :MFCC] for s in spectra]


ARMS: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {  # name -> features, model
    "log-mel": (list, PAGE.Recogniser),
    "MFCC": (cepstra, partial(PAGE.Recogniser, MFCC)),
    "window of 9 frames": (list, PAGE.Window),
}


def run(arm: str, data: Any, spectra: Any, parts: Any, seed: int) -> Numbers:
    """Train one model, and test it with the voices that it knows and with strangers."""
    features, make = ARMS[arm]
    busy = time.process_time()
    inputs, _ = PAGE.scaled(features(spectra), parts["training"])
    model, *_ = PAGE.learn(inputs, data, parts["training"], seed, make, UPDATES)
    known, strange = (
        PAGE.answers(model, inputs, data, parts[who], n=300)
        for who in ("known voices", "strangers")
    )
    found = {
        "known voices": PAGE.error_rate(*known),
        "strangers": PAGE.error_rate(*strange),
        "strings right, known voices": PAGE.whole(*known),
        "strings right, strangers": PAGE.whole(*strange),
    }
    told = ", ".join(f"{key} {value:.3f}" for key, value in found.items())
    print(f"{arm}, {seed}: {told} ({time.process_time() - busy:.1f} s of a processor)", flush=True)
    return found


def voices(seed: int) -> tuple[Any, Any, Any]:
    """Synthetic recordings, their spectra, and one draw of the strangers."""
    data = PAGE.digit_sounds(speakers=12, takes=6, test_takes=1)
    return data, PAGE.spectra_of(data), PAGE.split(data, PAGE.drawn_strangers(data, seed))


def synthetic(seed: int) -> dict[str, Numbers]:
    """All arms on one draw of the strangers."""
    data, spectra, parts = voices(seed)
    return {arm: run(arm, data, spectra, parts, seed) for arm in ARMS}


def real(seed: int) -> dict[str, Numbers]:
    """All arms with person number ``seed`` as the stranger."""
    data = load("fsdd")
    spectra = PAGE.spectra_of(data)
    parts = PAGE.split(data, {sorted(set(data.speakers))[seed]})
    return {arm: run(arm, data, spectra, parts, seed) for arm in ARMS}


def table(by_draw: list[dict[str, Numbers]]) -> dict[str, Any]:
    """Arm -> each number over the draws, and by how much it differs from log-mel on the same
    draw.
    """
    rows: dict[str, Any] = {}
    for name, numbers in by_draw[0].items():
        rows[name] = {key: over_seeds([one[name][key] for one in by_draw]) for key in numbers}
        gains = [one[name]["strangers"] - one["log-mel"]["strangers"] for one in by_draw]
        rows[name]["strangers, beyond log-mel"] = over_seeds(gains)
    gaps = [one["log-mel"]["strangers"] - one["log-mel"]["known voices"] for one in by_draw]
    rows["log-mel"]["strangers beyond known voices"] = over_seeds(gaps)
    return rows


# table -> one draw, number of draws
PARTS: dict[str, tuple[Callable[[int], dict[str, Numbers]], int]] = {
    "synthetic digits": (synthetic, 3),
    "spoken digits": (real, 6),
}


def measure(name: str, draws: Sequence[int]) -> None:
    """Measure some draws of one table, and write them beside those that are stored already."""
    path = RESULTS / "speech.json"
    held = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    by_draw = held.get("by draw", {})
    for seed in draws:
        by_draw.setdefault(name, {})[str(seed)] = PARTS[name][0](seed)
        tables = {
            one: table([rows[key] for key in sorted(rows)])
            for one, rows in by_draw.items()
            if len(rows) > 1
        }
        store("speech", WHAT, {**tables, "by draw": by_draw}, ("numpy", "torch"))


def main() -> None:
    """Measure one table, all of it or the draws that are named."""
    parser = argparse.ArgumentParser()
    parser.add_argument("table", choices=PARTS)
    parser.add_argument("draws", nargs="*", type=int)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    measure(asked.table, asked.draws or range(PARTS[asked.table][1]))


if __name__ == "__main__":
    main()

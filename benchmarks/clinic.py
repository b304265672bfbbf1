"""The numbers of the page *clinic*: every measurement of its twelve cases, sick and mended.

    python -m benchmarks.clinic  # some minutes of one core, into benchmarks/results/clinic.json
    python -m benchmarks.clinic CASE [CASE ...]  # these cases only; the others stay as they are

All measurements with the first seed; those that an expert would order with the other seeds as well.
"""

from __future__ import annotations

import os

if __name__ == "__main__":  # before NumPy is loaded: these models are small
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import argparse
import json
import math
import time
import warnings
from functools import partial
from typing import Any

from benchmarks.pages import RESULTS, store
from lstm_ref.clinic.bench import Bench
from lstm_ref.clinic.cases import CASES, ClinicCase
from lstm_ref.clinic.measurements import MEASUREMENTS, Measurement
from lstm_ref.zoo.programs import measures
from lstm_ref.zoo.programs.registry import kept_random_state

SEEDS = (0, 1, 2)
PACKAGES = ("numpy", "torch", "keras")


def bench(case: ClinicCase, sick: bool, seed: int) -> Bench:
    """The case's program, or its mended twin."""
    return Bench(partial(case.program.make, sick, seed))


def complaint(case: ClinicCase, seed: int) -> list[tuple[str, float]]:
    """What the owner sees: the loss on a batch before and after training, and the score in
    validation.
    """
    on = bench(case, True, seed)
    counted = bench(case, True, seed)
    before = measures.loss_of(on.case)
    assert on.case.learn is not None and on.case.score is not None
    on.case.learn(case.steps)
    score = (
        "share wrong in validation"
        if counted.classes
        else "squared error in validation, of the variance"
    )
    after = measures.loss_of(on.case)
    return [
        ("loss before", before),
        (f"loss after {case.steps} steps", after),
        (score, float(on.case.score())),
    ]


def examined(case: ClinicCase) -> dict[str, Any]:
    """All numbers of a case."""
    with kept_random_state(case.program.framework, SEEDS[0]):
        sick, mended = bench(case, True, SEEDS[0]), bench(case, False, SEEDS[0])
        measured = {each.id: rows(case, each, sick, mended) for each in MEASUREMENTS}
        findings = case.program.make(True, SEEDS[0]).examine().findings
        return {
            "sees": [(name, number(value)) for name, value in complaint(case, SEEDS[0])],
            "sizes": sick.sizes,
            "measured": measured,
            "doctor": findings[0].what if findings else "",
        }


def rows(
    case: ClinicCase, measurement: Measurement, sick: Bench, mended: Bench
) -> str | list[list[Any]]:
    """Name, sick, mended, and where an expert would order it the least and the largest of all
    seeds.
    """
    first, twin = measurement.take(sick), measurement.take(mended)
    if isinstance(first, str) or isinstance(twin, str):
        return first if isinstance(first, str) else f"{twin} (mended)"
    found: list[list[Any]] = [
        [name, number(value), number(twin[name])] for name, value in first.items()
    ]
    if measurement.id in case.expert:
        runs = [first, *(measurement.measure(bench(case, True, seed)) for seed in SEEDS[1:])]
        for row, name in zip(found, first, strict=True):
            values = [run[name] for run in runs]
            row += [number(min(values)), number(max(values))]
    return found


def number(value: float) -> float | None:
    """Three digits; None for what is no finite number."""
    return float(f"{value:.3g}") if math.isfinite(value) else None


def main() -> None:
    """Measure, and write the file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("case", nargs="*", help="ids of cases; all where none is named")
    only = parser.parse_args().case
    path = RESULTS / "clinic.json"
    cases = json.loads(path.read_text(encoding="utf-8"))["cases"] if only and path.exists() else {}
    for case in CASES:
        if only and case.id not in only:
            continue
        busy = time.process_time()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            cases[case.id] = examined(case)
        print(f"{case.id}: {time.process_time() - busy:.1f} s of a processor", flush=True)
        order = {one.id: cases[one.id] for one in CASES if one.id in cases}
        store(
            "clinic",
            "measurements of twelve sick programs",
            {"seeds": list(SEEDS), "cases": order},
            PACKAGES,
        )


if __name__ == "__main__":
    main()

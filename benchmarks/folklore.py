"""What one is told to try first, on all whole programs of the zoo in PyTorch: which tests raise an
alarm.

    python -m benchmarks.folklore  # some minutes of one core, into benchmarks/results/folklore.json

The tests are those of `benchmarks/doctor.py`: one batch by heart, the loss at the start, gradients
of one order.
"""

from __future__ import annotations

import os

if __name__ == "__main__":  # before NumPy is loaded: these models are small
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")

from collections.abc import Callable
from functools import partial
from typing import Any

from benchmarks.doctor import FIRST_SEED, mended, try_folklore
from benchmarks.pages import asked, store
from lstm_ref.zoo.programs import Case, programs, well

SEEDS = range(FIRST_SEED, FIRST_SEED + 3)
TESTS = ("one batch", "loss at start", "gradient ratios")


def alarms(make: Callable[[int], Case]) -> dict[str, int] | None:
    """In how many of the seeds each test raises an alarm; None for a program that the tests cannot
    call.
    """
    rows = [try_folklore(partial(make, seed), seed) for seed in SEEDS]
    if any(row is None for row in rows):
        return None
    return {test: sum(row[test] for row in rows if row is not None) for test in TESTS}


def table(makes: dict[str, Callable[[int], Case]]) -> dict[str, Any]:
    """Program -> alarms of each test, without the programs that the tests cannot call."""
    rows = {id: alarms(make) for id, make in makes.items()}
    return {id: row for id, row in rows.items() if row is not None}


def main() -> None:
    """Measure, and write the file."""
    sick = table({entry.id: partial(entry.make, True) for entry in programs("torch")})
    twins = {f"{entry.plain}, mended": partial(entry.make, False) for entry in mended("torch")}
    healthy = table({**twins, **{entry.id: entry.make for entry in well("torch")}})
    what = "alarms of the usual first tests, in so many of the seeds"
    store(
        "folklore", what, {"seeds": list(SEEDS), "sick": sick, "well": healthy}, ("numpy", "torch")
    )


if __name__ == "__main__":
    asked(__doc__)
    main()

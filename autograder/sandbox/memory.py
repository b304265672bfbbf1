"""No box is started while memory is short: the kernel would kill the largest worker, another
student's perhaps.
"""

from __future__ import annotations

import time

import psutil

from autograder.errors import IsolationError
from autograder.sandbox.limits import Limits

LONGEST_WAIT = 120.0  # seconds until other boxes have ended
LOOK_EVERY = 0.5  # seconds between two looks


def wait_for_memory(limits: Limits) -> None:
    """Wait until as much memory is free as one box may take, or a quarter of the machine's where
    that is less.

    Raises
    ------
    IsolationError : it is not; nothing was started
    """
    until = time.monotonic() + LONGEST_WAIT
    while (free := psutil.virtual_memory().available) < needed(limits):
        if time.monotonic() >= until:
            raise IsolationError(
                f"{free >> 20:,} MiB of memory are free, and the code of one submission may take "
                f"{limits.with_files >> 20:,} MiB.",
                (
                    "End other programs, or grade fewer at one time (--jobs), or allow less: "
                    "LIMITS['memory'] in checks.py."
                ),
            )
        time.sleep(LOOK_EVERY)


def needed(limits: Limits) -> int:
    """Bytes that must be free before a box is started."""
    return min(limits.with_files, int(psutil.virtual_memory().total) // 4)

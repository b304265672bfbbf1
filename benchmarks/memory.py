"""How far the resident memory of a process rises during one forward and backward pass. Run by
sequence.py, once for each.

What is measured: the high-water mark of the resident set (VmHWM) during the pass, less the resident
set just before it. Weights, inputs, libraries and what they allocate at their first call are there
before (a small pass comes first), so what counts is what the pass itself needs at one time:
results, caches, gradients, buffers. Linux only: there, a process may set its mark back.

usage: python memory.py CONTENDER N T D H; prints bytes
"""

from __future__ import annotations

import gc
import sys
from pathlib import Path


def resident(field: str) -> int:
    """VmRSS (now) or VmHWM (the highest so far), in bytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) * 1024
    raise OSError(f"memory.py: /proc/self/status has no {field}; this measurement needs Linux")


def main() -> None:
    """One pass, measured."""
    from contenders import contender

    name, sizes = sys.argv[1], [int(size) for size in sys.argv[2:]]
    run = contender(name, *sizes)
    contender(name, 2, 2, 2, 2)()
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")  # sets VmHWM back to VmRSS
    before = resident("VmRSS")
    answer = run()
    print(resident("VmHWM") - before)
    del answer


if __name__ == "__main__":
    main()

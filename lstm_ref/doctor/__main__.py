"""``python -m lstm_ref.doctor SCRIPT.py[:make]``: examine what a file offers.

The file defines ``make()``, or another function named behind a colon, that returns the arguments of
`examine`: a dict with ``model``, ``batch`` and whatever else, or a tuple (model, batch, loss,
optimizer). Exit code: 0 nothing above a remark, 1 something, 2 wrong use.
"""

from __future__ import annotations

import runpy
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lstm_ref.doctor import Report, examine

NAMES = ("model", "batch", "loss", "optimizer")
USE = "usage: python -m lstm_ref.doctor [--json] SCRIPT.py[:make]"


def main(arguments: Sequence[str]) -> int:
    """Run the command; see the module."""
    words = [word for word in arguments if word != "--json"]
    if len(words) != 1 or words[0].startswith("-"):
        print(USE, file=sys.stderr)
        return 2
    try:
        report = _examined(words[0])
    except (ValueError, OSError) as error:
        print(f"lstm_ref.doctor: {error}", file=sys.stderr)
        return 2
    print(report.to_json() if "--json" in arguments else report)
    return 1 if report else 0


def _examined(target: str) -> Report:
    path, _, name = target.partition(":")
    if not Path(path).is_file():
        raise ValueError(f"there is no file {path}")
    made = runpy.run_path(path, run_name="__doctor__").get(name or "make")
    if not callable(made):
        raise ValueError(
            f"{path} must define a function {name or 'make'}() that returns model and batch"
        )
    return examine(**_arguments(made(), path))


def _arguments(offered: Any, path: str) -> dict[str, Any]:
    if isinstance(offered, dict) and {"model", "batch"} <= set(offered):
        return dict(offered)
    if isinstance(offered, tuple) and 2 <= len(offered) <= len(NAMES):
        return dict(zip(NAMES, offered, strict=False))
    raise ValueError(
        f"{path}: make() must return a dict with model and batch, or (model, batch, loss, "
        f"optimizer), got {type(offered).__name__}"
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

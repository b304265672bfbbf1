"""What the benchmarks have measured and pages show."""

import json
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parents[2] / "benchmarks" / "results"


def stored(name: str) -> Any:
    """What a benchmark has measured and a page shows."""
    return json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))

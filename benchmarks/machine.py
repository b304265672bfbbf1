"""What the numbers of a run belong to: every script here writes it beside them."""

from __future__ import annotations

import platform
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

from autograder.batch.pool import cores


def processor() -> str:
    """Name of the processor, as well as this system knows it."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def machine(*packages: str) -> dict[str, Any]:
    """Date, processor, cores, and the versions of Python and of the packages."""
    return {
        "date": time.strftime("%Y-%m-%d"),
        "processor": processor(),
        "cores": cores(),
        "python": platform.python_version(),
        **{package: version(package) for package in packages},
    }

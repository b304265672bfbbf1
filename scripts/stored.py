"""Store what the pages that need TensorFlow gave in the last build, for machines whose Python has
no build of it.

.venv/bin/python scripts/stored.py        # _build/.jupyter_cache -> book/_stored
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from jupyter_cache import get_cache

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "book" / "_ext")]

from inside.stored import NEEDS, digest_of, file_of  # noqa: E402

from benchmarks.machine import machine  # noqa: E402


def pages() -> list[Path]:
    """The pages that need TensorFlow."""
    return [
        page
        for page in sorted((ROOT / "book").rglob("*.md"))
        if NEEDS.search(page.read_text("utf-8"))
    ]


def outputs_of(page: Path) -> dict[str, Any]:
    """Outputs of each cell of a page, as it was executed last, under the digest of the cell's
    code.
    """
    cache = get_cache(ROOT / "_build" / ".jupyter_cache")
    records = [record for record in cache.list_cache_records() if Path(record.uri) == page]
    if not records:
        sys.exit(
            f"stored: {page.relative_to(ROOT)} was not executed here; run `make book` first (`make "
            "stored` does)"
        )
    newest = max(records, key=lambda record: record.created)
    cells = cache.get_cache_bundle(newest.pk).nb.cells
    return {digest_of(cell.source): cell.outputs for cell in cells if cell.cell_type == "code"}


def main() -> None:
    """Write one file a page."""
    made = machine("tensorflow_cpu", "keras", "torch")
    for page in pages():
        docname = page.relative_to(ROOT).with_suffix("").as_posix()
        file = file_of(ROOT, docname)
        file.parent.mkdir(exist_ok=True)
        text = json.dumps({"made": made, "cells": outputs_of(page)}, indent=1, ensure_ascii=False)
        file.write_text(text + "\n", encoding="utf-8")
        print(f"{file.relative_to(ROOT)}: {file.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()

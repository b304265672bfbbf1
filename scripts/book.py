"""Build the book: what `make book` runs. Where a page stops, the book is there all the same, and
the last three lines say why.

Jupyter Book's own last lines say only that something failed somewhere above.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
COMMAND = ["jupyter-book", "build", ".", "-n", "-W", "--keep-going"]


def last_lines(html: Path, failed: list[dict[str, Any]]) -> list[str]:
    """Say which page stopped, where in it and why, and where all else is.

    Parameters
    ----------
    html : folder of the built book
    failed : the pages that stopped, as the extension left them
    """
    index = html / "index.html"
    if not failed:
        return [
            (
                "book: no page stopped, and yet the build warned or failed; see the lines with "
                "WARNING or ERROR above."
            ),
            f"book: the book is in {index}." if index.is_file() else "book: there is no book.",
        ]
    first, others = failed[0], [row["page"] for row in failed[1:]]
    cell = "a cell" if first["cell"] is None else f"code cell {first['cell']}"
    stopped = f"{len(failed)} pages stopped" if others else "1 page stopped"
    return [
        f"book: {stopped}: {', '.join([first['page'], *others])}",
        f"book: {first['page']}, {cell}: {first['line']}  ->  {first['error']}",
        (
            f"book: every report is in {html / 'reports'}; all other pages are whole: "
            f"{html / 'index.html'}"
        ),
    ]


def main(folder: Path = ROOT) -> int:
    """Build, and say at the end what went wrong; returns the exit code."""
    html = folder / "_build" / "html"
    listed = html / "failed-pages.json"
    listed.unlink(missing_ok=True)
    code = subprocess.run(COMMAND, cwd=folder, check=False).returncode
    failed = json.loads(listed.read_text(encoding="utf-8")) if listed.is_file() else []
    sys.stdout.flush()
    if code or failed:
        print("", *last_lines(html.relative_to(folder), failed), sep="\n", file=sys.stderr)
        return code or 1
    print(f"Open {html.relative_to(folder) / 'index.html'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

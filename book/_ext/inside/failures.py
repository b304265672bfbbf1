"""Which page stopped, in which cell, and why: for the last lines of `make book` and of `make
book-kernels`.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import NamedTuple

from myst_nb.sphinx_ import NbMetadataCollector
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

LIST = "failed-pages.json"  # in the folder of the pages
COLOUR = re.compile(r"\x1b\[[0-9;]*m")


class Failure(NamedTuple):
    """A page that stopped: its cell (counted from 1), the line of code, the error."""

    page: str
    cell: int | None
    line: str
    error: str

    def __str__(self) -> str:
        cell = "a cell" if self.cell is None else f"code cell {self.cell}"
        return f"{cell}: {self.line}  ->  {self.error}" if self.line else f"{cell}: {self.error}"


def failure(page: str, traceback: str) -> Failure:
    """What a traceback of IPython says: the line of the page's own code that was reached, and the
    last line.

    Parameters
    ----------
    page : name of the page
    traceback : as nbclient gives it, coloured or not
    """
    lines = COLOUR.sub("", traceback).rstrip().splitlines()
    cell, code = None, ""
    for text in lines:
        if place := re.match(r"(?:Cell In|Input In) ?\[(\d+)\]", text.strip()):
            cell = cell or int(place[1])
        elif not code and cell and (arrow := re.match(r"-+> ?\d+ (.*)", text.strip())):
            code = arrow[1].strip()
    said = [
        text.strip()
        for text in lines
        if re.match(r"[\w.]+(Error|Exception|Interrupt|Exit|Warning)\b", text.strip())
    ]
    return Failure(
        page, cell, code, said[-1] if said else (lines[-1].strip() if lines else "no traceback")
    )


def _failed(env: BuildEnvironment) -> dict[str, str]:
    """Page -> traceback, for the pages of this build whose code stopped."""
    found = {}
    for docname in sorted(env.found_docs):
        result = NbMetadataCollector.get_exec_data(env, docname)  # type: ignore[arg-type]
        if result is not None and not result["succeeded"]:
            found[docname] = result["traceback"] or result["error"] or ""
    return found


def read_again(app: Sphinx, env: BuildEnvironment, *_: set[str]) -> set[str]:
    """Return the pages that stopped last time: nothing in their source changed, and a second build
    would not say so.
    """
    return {docname for docname in _failed(env) if docname in env.found_docs}


def write_list(app: Sphinx, error: Exception | None) -> None:
    """Leave the list of the pages that stopped beside the pages."""
    if app.builder.format == "html":
        rows = [failure(page, traceback)._asdict() for page, traceback in _failed(app.env).items()]
        (Path(app.outdir) / LIST).write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


def setup(app: Sphinx) -> None:
    """Connect to Sphinx."""
    app.connect("env-get-outdated", read_again)
    app.connect("build-finished", write_list)

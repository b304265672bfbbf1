"""Pages that need TensorFlow, where this Python has no build of it: their cells are not run, and
show what is stored.

What is stored lies in book/_stored, one file a page: the outputs of each cell under the digest of
its code, so that a cell which has changed since shows none. `make stored` writes it from a built
book.
"""

from __future__ import annotations

import hashlib
import json
import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import nbformat
from docutils import nodes
from jupyter_cache import get_cache
from jupyter_cache.base import CacheBundleIn
from myst_nb.core.read import create_nb_reader
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

NEEDS = re.compile(r"^(?:import|from) tensorflow\b", re.MULTILINE)
NOTHING = "Not run here, where TensorFlow is missing; no result of this cell is stored."


def not_run(page: str) -> bool:
    """Whether a page (its MyST source) needs TensorFlow, and there is none."""
    return bool(NEEDS.search(page)) and find_spec("tensorflow") is None


def digest_of(code: str) -> str:
    """Key of a cell's outputs."""
    return hashlib.sha256(code.strip().encode()).hexdigest()[:16]


def file_of(source: Path, docname: str) -> Path:
    """Where the outputs of a page are stored."""
    return source / "book" / "_stored" / f"{docname.removeprefix('book/').replace('/', '-')}.json"


def stored_of(file: Path) -> dict[str, Any]:
    """What is stored of a page: ``{"made": machine and date, "cells": {digest: outputs}}``."""
    if not file.is_file():
        return {"made": {}, "cells": {}}
    stored: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return stored


def with_outputs(notebook: nbformat.NotebookNode, cells: dict[str, Any]) -> nbformat.NotebookNode:
    """Give each cell of code its stored outputs, or one that says that there are none."""
    nothing = [nbformat.v4.new_output("stream", name="stdout", text=NOTHING + "\n")]
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    for number, cell in enumerate(code, start=1):
        cell.execution_count = number
        cell.outputs = nbformat.from_dict(cells.get(digest_of(cell.source), nothing))
    return notebook


def fill(app: Sphinx, env: BuildEnvironment, docnames: list[str]) -> None:
    """Write such pages into the cache of executed pages, before anybody would execute them."""
    # which asks `not_run`, in order to tell such a page from one that was run
    from inside.execution import mark

    config = env.mystnb_config  # type: ignore[attr-defined]
    if config.execution_mode != "cache":
        return
    for docname in docnames:
        path = Path(env.doc2path(docname))
        source = [path.read_text(encoding="utf-8")]
        if not_run(source[0]):
            mark(app, docname, source)
            reader = create_nb_reader(str(path), env.myst_config, config, source[0])  # type: ignore[attr-defined]
            stored = stored_of(file_of(Path(app.srcdir), docname))
            notebook = with_outputs(reader.read(source[0]), stored["cells"])
            bundle = CacheBundleIn(notebook, str(path), data={"execution_seconds": 0.0})
            cache = get_cache(config.execution_cache_path)
            cache.cache_notebook_bundle(bundle, check_validity=False, overwrite=True)


def say_so(app: Sphinx, doctree: nodes.document) -> None:
    """Say below the title what was not run, and whose results are shown."""
    docname = app.env.docname
    if not not_run(Path(app.env.doc2path(docname)).read_text(encoding="utf-8")):
        return
    made = stored_of(file_of(Path(app.srcdir), docname))["made"]
    whose = ", ".join(f"{name} {value}" for name, value in made.items())
    text = (
        "TensorFlow is missing where this book was built (it has no build for Python 3.14), so the "
        "cells of this page were not run. "
    )
    text += (
        f"The results shown are those of another machine: {whose}."
        if made
        else "No results are stored."
    )
    for title in doctree.findall(nodes.title):
        section = title.parent
        section.insert(section.index(title) + 1, nodes.note("", nodes.paragraph("", text)))
        return


def setup(app: Sphinx) -> None:
    """Connect to Sphinx: ahead of the execution, which is at priority 500."""
    app.connect("env-before-read-docs", fill, priority=400)
    app.connect("doctree-read", say_so)

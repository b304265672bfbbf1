"""What this book adds to Jupyter Book, one concern per module.

execution   what a page's code runs with, and when it runs again
stored      stored results for pages whose framework has no build here
failures    which page stopped, where and why, for the last lines of `make book`
formulas    KaTeX at build: a page needs no script and no network for its maths
notebooks   each page with code as a notebook to download, and to launch once there is an address
answers     folded answers
optional    folded sections that may be skipped
predictions questions to choose from, and the score
tabs        the same code for several libraries
sources     the list of sources of a page
reference   the pages that are made from docstrings
entrance    index.html, which also works from disk
weight      the same page in fewer bytes
"""

from typing import Any

from sphinx.application import Sphinx

from inside import (
    answers,
    entrance,
    execution,
    failures,
    formulas,
    notebooks,
    optional,
    predictions,
    reference,
    sources,
    stored,
    tabs,
    weight,
)


def setup(app: Sphinx) -> dict[str, Any]:
    """Register everything with Sphinx."""
    # Jupyter Book sets this value even where the extension that knows it is not loaded.
    app.add_config_value("comments_config", {}, "")
    for module in (
        execution,
        stored,
        failures,
        formulas,
        answers,
        optional,
        predictions,
        tabs,
        sources,
        notebooks,
        reference,
        entrance,
        weight,
    ):
        module.setup(app)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": False}

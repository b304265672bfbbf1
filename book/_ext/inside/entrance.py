"""index.html leads to the first page, from the web and from disk."""

import html
from pathlib import Path

from sphinx.application import Sphinx

PAGE = """<!DOCTYPE html>
<html lang="{language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="refresh" content="0; url={first}">
<title>{title}</title>
</head>
<body>
<h1>{title}</h1>
<p><a href="{first}">To the first page</a></p>
</body>
</html>
"""


def write_index(app: Sphinx, exception: Exception | None) -> None:
    """Write index.html; Jupyter Book's own would be a page without a title or a link."""
    if exception is None and app.builder.name == "html":
        text = PAGE.format(
            language=app.config.language,
            title=html.escape(app.config.html_title),
            first=html.escape(app.builder.get_target_uri(app.config.root_doc)),
        )
        Path(app.outdir, "index.html").write_text(text, encoding="utf-8")


def setup(app: Sphinx) -> None:
    """Connect to Sphinx."""
    app.connect("build-finished", write_index)

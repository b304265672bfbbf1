"""Sections that a reader may skip are folded: the path through a page stays short, and nothing is
left out.

An author begins such a section with this sentence, a paragraph of its own::

    ### Spectral radius or largest singular value?

    *This section may be skipped at first.*
"""

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform

from inside.answers import Folded, FoldedTitle

SENTENCE = "This section may be skipped at first."


class FoldOptional(SphinxPostTransform):
    """Fold what follows the sentence; the heading stays, for links and for the table of
    contents.
    """

    default_priority = 210
    formats = ("html",)

    def run(self) -> None:
        """Fold each such section of this page."""
        for section in list(self.document.findall(nodes.section)):
            if len(section) > 2 and section[1].astext() == SENTENCE:
                heading, sentence, *rest = section.children
                title = FoldedTitle("", "", nodes.Text(f"{SENTENCE} Open it"))
                folded = Folded("", title, nodes.container("", *rest))
                folded["classes"] = ["admonition", "optional"]
                section.children = []
                section += [heading, folded]


def setup(app: Sphinx) -> None:
    """Connect to Sphinx."""
    app.add_post_transform(FoldOptional)

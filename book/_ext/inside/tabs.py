"""The same code for several libraries, in tabs: the reader's choice holds on every page.

An author tags cells that stand next to each other, one for each library::

    ```{code-cell} ipython3
    :tags: [tab-pytorch]
    ...
    ```

    ```{code-cell} ipython3
    :tags: [tab-keras]
    ...
    ```

All of them are executed, one after the other. On paper all of them are shown.
"""

from collections.abc import Iterator

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx_design.shared import create_component

LABELS = {"numpy": "NumPy", "pytorch": "PyTorch", "keras": "Keras"}
# The choice in one set of tabs is that of all sets of this group, and it is the group of the tabs
# that pages write by hand (``:sync: torch``, ``:sync: keras``).
GROUP = "tab"
NAMES = {"pytorch": "torch"}


def library_of(node: nodes.Node) -> str:
    """Library whose tab a cell belongs to; empty where it is no such cell."""
    if not isinstance(node, nodes.container) or node.get("nb_element") != "cell_code":
        return ""
    tags = [name for name in node["classes"] if name.startswith("tag_tab-")]
    return tags[0].removeprefix("tag_tab-") if tags else ""


def runs_of(parent: nodes.Element) -> Iterator[list[nodes.Element]]:
    """Cells for tabs that stand next to each other, as many as are for different libraries."""
    run: list[nodes.Element] = []
    for child in [*parent.children, None]:
        library = library_of(child) if child is not None else ""
        if run and (not library or library in {library_of(cell) for cell in run}):
            yield run
            run = []
        if library:
            run.append(child)


def tabs(cells: list[nodes.Element]) -> nodes.container:
    """A set of tabs, made of cells that it takes out of the page."""
    chosen = create_component("tab-set", classes=["sd-tab-set", "lstm-tabs"])
    for cell in cells:
        library = library_of(cell)
        name = LABELS[library]
        label = nodes.rubric(name, "", nodes.Text(name), classes=["sd-tab-label"])
        label["sync_id"], label["sync_group"] = NAMES.get(library, library), GROUP
        content = create_component("tab-content", classes=["sd-tab-content"])
        item = create_component("tab-item", classes=["sd-tab-item"], selected=False)
        cell.parent.remove(cell)
        content += cell
        item += [label, content]
        chosen += item
    return chosen


class CellsToTabs(SphinxPostTransform):
    """Put such cells into tabs, before sphinx-design turns tabs into HTML."""

    default_priority = 150
    formats = ("html",)

    def run(self) -> None:
        """Do so on this page."""
        for parent in {
            cell.parent: None for cell in self.document.findall(nodes.container) if library_of(cell)
        }:
            for run in list(runs_of(parent)):
                place = parent.index(run[0])
                parent.insert(place, tabs(run))


def setup(app: Sphinx) -> None:
    """Connect to Sphinx."""
    app.add_post_transform(CellsToTabs)

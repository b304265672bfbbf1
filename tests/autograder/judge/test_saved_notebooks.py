"""Right work earns every point, whichever program saved the notebook and wherever in it a student
put the code.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_output, new_raw_cell

from autograder.course.rebuild import read_notebook, rebuild
from autograder.judge.judge import grade
from autograder.sandbox import choose
from tests.autograder.judge.test_fair import VANISHING

Saved = NotebookNode | bytes


def solutions(notebook: NotebookNode) -> list[NotebookNode]:
    """Cells in which students write."""
    return [c for c in notebook.cells if c.metadata.get("nbgrader", {}).get("solution")]


def function_in(cell: NotebookNode) -> str:
    found = re.search(r"^def (\w+)", cell.source, re.MULTILINE)
    assert found
    return found.group(1)


def as_dict(notebook: NotebookNode) -> dict[str, Any]:
    made: dict[str, Any] = json.loads(nbformat.writes(notebook))
    return made


def by_colab(notebook: NotebookNode) -> Saved:
    data = as_dict(notebook)
    data |= {"nbformat_minor": 0, "metadata": {"colab": {"provenance": []}, "accelerator": "GPU"}}
    for k, cell in enumerate(data["cells"]):
        del cell["id"]
        cell["metadata"] |= {"id": f"xY{k}", "outputId": "q" * 8}
    return json.dumps(data).encode()


def by_a_program_that_drops_metadata(notebook: NotebookNode) -> Saved:
    data = as_dict(notebook)
    for k, cell in enumerate(data["cells"]):
        cell |= {"id": f"{k:08x}", "metadata": {"vscode": {"languageId": "python"}}}
        cell["source"] = "".join(cell["source"])
    return json.dumps(data, indent=1).encode()


def without_ids(notebook: NotebookNode) -> Saved:
    data = as_dict(notebook) | {"nbformat_minor": 2}
    for cell in data["cells"]:
        del cell["id"]
    return json.dumps(data, ensure_ascii=False).encode()


def on_windows_with_a_mark_of_its_encoding(notebook: NotebookNode) -> Saved:
    for cell in notebook.cells:
        cell.source = cell.source.replace("\n", "\r\n")
    return b"\xef\xbb\xbf" + nbformat.writes(notebook).replace("\n", "\r\n").encode()


def with_large_outputs(notebook: NotebookNode) -> Saved:
    picture = {"image/png": "iVBORw0KGgo=" * 1000, "text/html": "<script>alert(1)</script>"}
    notebook.cells.insert(3, new_markdown_cell("![](attachment:a)", attachments={"a": picture}))
    notebook.cells.insert(4, new_raw_cell("raw"))
    for cell in solutions(notebook):
        cell.outputs = [
            new_output("stream", text="x" * 99_999),
            new_output("display_data", picture),
        ]
        cell.execution_count = 99
    return notebook


def all_in_the_first_cell(notebook: NotebookNode) -> Saved:
    first, *others = solutions(notebook)
    for cell in others:
        first.source += f"\n\n\n{cell.source}"
        cell.source = ""
    return notebook


def all_in_a_cell_of_its_own(notebook: NotebookNode) -> Saved:
    own = "\n\n\n".join(cell.source for cell in solutions(notebook))
    stubs = {c.metadata.nbgrader.grade_id: c.source for c in solutions(VANISHING.release)}
    for cell in solutions(notebook):
        cell.source = stubs[cell.metadata.nbgrader.grade_id]
    notebook.cells.append(new_code_cell(own))
    return notebook


def in_reverse_order(notebook: NotebookNode) -> Saved:
    places = [notebook.cells.index(cell) for cell in solutions(notebook)]
    for place, cell in zip(places, solutions(notebook)[::-1], strict=True):
        notebook.cells[place] = cell
    return notebook


def split_into_cells_of_one_name(notebook: NotebookNode) -> Saved:
    for cell in solutions(notebook)[:3]:
        rest = copy.deepcopy(cell)
        rest.id = f"n{cell.id[:6]}"
        cell.source = "SCALE = 1\n\n\ndef helper(x):\n    return SCALE * x"
        notebook.cells.insert(notebook.cells.index(cell) + 1, rest)
    return notebook


def copied_below_and_mended_there(notebook: NotebookNode) -> Saved:
    cell = solutions(notebook)[0]
    mended = copy.deepcopy(cell)
    mended.id = "mended"
    cell.source = f"def {function_in(cell)}(*args):\n    return None"
    notebook.cells.insert(notebook.cells.index(cell) + 1, mended)
    return notebook


def with_its_checks_in_one_cell(notebook: NotebookNode) -> Saved:
    for cell in solutions(notebook):
        name = function_in(cell)
        cell.source += f'\n\n\ncheck("{name}")\ncase("{name}", seed=3)\ninput("next?")'
    return notebook


def solutions_and_imports_alone(notebook: NotebookNode) -> Saved:
    first = new_code_cell(
        "import numpy as np\n\n\nsigmoid = lambda a: 0.5 * np.tanh(0.5 * a) + 0.5"
    )
    notebook.cells = [first, *solutions(notebook)]
    return notebook


def among_magics_and_packages_that_are_not_there(notebook: NotebookNode) -> Saved:
    notebook.cells.insert(1, new_code_cell("%load_ext autoreload\n!pip install numpy\nf = !ls\nf?"))
    heads = (
        "%%time\n",
        "%%capture out\n",
        "%timeit -n1 1\n",
        "import pandas as pd\nfrom tqdm import tqdm\nfrom google.colab import drive\n",
    )
    for k, cell in enumerate(solutions(notebook)):
        cell.source = heads[k % 4] + cell.source
    for last in ("exit()", "1 / 0", "def broken(:\n", "plt.show()"):
        notebook.cells.append(new_code_cell(last))
    return notebook


def as_methods_of_a_class(notebook: NotebookNode) -> Saved:
    lines, names = ["class Solution:"], []
    for cell in solutions(notebook):
        names.append(function_in(cell))
        lines += ["    @staticmethod", *(f"    {line}" for line in cell.source.split("\n"))]
        cell.source = "# in the class below"
    lines += ["", "", *(f"{name} = Solution.{name}" for name in names)]
    solutions(notebook)[-1].source = "\n".join(lines)
    return notebook


def indented_by_tabs(notebook: NotebookNode) -> Saved:
    for cell in solutions(notebook):
        text = re.sub(r"(?m)^( {4})+", lambda found: "\t" * (len(found[0]) // 4), cell.source)
        cell.source = f"\n\n{text}   \n\n# end\u00a0of the cell\n"
    return notebook


WAYS: tuple[Callable[[NotebookNode], Saved], ...] = (
    by_colab,
    by_a_program_that_drops_metadata,
    without_ids,
    on_windows_with_a_mark_of_its_encoding,
    with_large_outputs,
    all_in_the_first_cell,
    all_in_a_cell_of_its_own,
    in_reverse_order,
    split_into_cells_of_one_name,
    copied_below_and_mended_there,
    with_its_checks_in_one_cell,
    solutions_and_imports_alone,
    among_magics_and_packages_that_are_not_there,
    as_methods_of_a_class,
    indented_by_tabs,
)


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_right_work_counts_however_it_is_saved(
    way: Callable[[NotebookNode], Saved], tmp_path: Path
) -> None:
    saved = way(VANISHING.hand_in([]))
    data = saved if isinstance(saved, bytes) else nbformat.writes(saved).encode()
    (tmp_path / "saved.ipynb").write_bytes(data)
    submission = rebuild(VANISHING.release, read_notebook(tmp_path / "saved.ipynb"))
    record = grade(submission.cells, VANISHING.problem, seed="saved", isolation=choose.choose())
    assert record.score == record.max_score == 20, record.to_json()

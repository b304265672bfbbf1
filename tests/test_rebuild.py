# ruff: noqa: F811 - a test asks for a fixture by an argument of the same name
import json
import os
from copy import deepcopy

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell
from nbgrader.utils import determine_grade

from autograder import problem_set, rebuild
from autograder.errors import ProblemSetError
from autograder.rebuild import SubmissionError, parse_notebook, read_notebook
from tests.tiny_course import RIGHT, filled_in, made_tiny_course, tiny_course, tiny_release  # noqa: F401


@pytest.fixture
def release(made_tiny_course):
    return tiny_release(made_tiny_course)


@pytest.fixture
def submission(made_tiny_course):
    return filled_in(made_tiny_course, RIGHT)


def by_name(notebook, name):
    return next(cell for cell in notebook.cells if cell.get("id") == name)


def without_notes(notebook):
    return {**notebook, "metadata": {k: v for k, v in notebook.metadata.items() if k != "autograder"}}


def test_sources_of_solution_cells_come_from_the_student_and_all_else_from_the_release(release, submission):
    rebuilt = rebuild.rebuild(release, submission)
    assert [cell.id for cell in rebuilt.notebook.cells] == [cell.id for cell in release.cells]
    assert by_name(rebuilt.notebook, "scale_code").source == RIGHT["scale_code"]
    assert by_name(rebuilt.notebook, "scale").source == by_name(release, "scale").source
    assert [cell.metadata for cell in rebuilt.notebook.cells] == [cell.metadata for cell in release.cells]
    assert rebuilt.cells == ["import numpy as np", RIGHT["scale_code"], RIGHT["total_code"]]
    assert rebuilt.notes == []
    nbformat.validate(rebuilt.notebook)


def test_a_test_cell_gives_nothing_until_it_is_judged(release, submission):
    cells = rebuild.test_cells(rebuild.rebuild(release, submission).notebook)
    assert [determine_grade(cell) for cell in cells] == [(0.0, 2.0), (0.0, 1.0)]


def _edit_test(notebook):
    by_name(notebook, "scale").source = "2.0"


def _delete_test(notebook):
    notebook.cells.remove(by_name(notebook, "scale"))


def _duplicate_test(notebook):
    notebook.cells.append(deepcopy(by_name(notebook, "scale")))


def _reorder(notebook):
    notebook.cells.reverse()


def _skip(notebook):
    by_name(notebook, "scale").metadata["tags"] = ["skip-execution"]


def _make_local(notebook):
    by_name(notebook, "scale_code").metadata["tags"] = ["local"]


def _more_points(notebook):
    by_name(notebook, "scale").metadata.nbgrader["points"] = 1000


def _test_as_solution(notebook):
    by_name(notebook, "scale").metadata.nbgrader.update(solution=True, locked=False)
    by_name(notebook, "scale").source = "2.0"


def _as_markdown(notebook):
    cell = by_name(notebook, "scale_code")
    cell.cell_type = "markdown"
    del cell["outputs"], cell["execution_count"]


def _attach(notebook):
    notebook.cells[0]["attachments"] = {"a.png": {"image/png": "AAAA"}}


def _notebook_metadata(notebook):
    notebook.metadata["kernelspec"] = {"name": "evil", "display_name": "evil"}


def _outputs(notebook):
    by_name(notebook, "scale").outputs = [
        nbformat.v4.new_output("execute_result", data={"text/plain": "2.0"}, execution_count=1)
    ]


@pytest.mark.parametrize(
    ("trick", "note"),
    [
        (_edit_test, "Cell scale was changed"),
        (_delete_test, "Cell scale was missing"),
        (_duplicate_test, "Cell scale is there 2 times; the cell that was handed out is used"),
        (_reorder, "Cells were moved"),
        (_skip, "Tags of cell scale were changed"),
        (_make_local, "Tags of cell scale_code were changed"),
        (_more_points, "nbgrader's data on cell scale was changed"),
        (_test_as_solution, "nbgrader's data on cell scale was changed"),
        (_as_markdown, "Cell scale_code was turned into a markdown cell"),
        (_attach, "Attachments were left out"),
        (_notebook_metadata, None),
        (_outputs, None),
    ],
)
def test_a_trick_changes_nothing_and_is_noted(release, submission, trick, note):
    honest = rebuild.rebuild(release, submission)
    trick(submission)
    tricked = rebuild.rebuild(release, parse_notebook(nbformat.v4.writes_json(submission).encode(), "x.ipynb"))
    assert without_notes(tricked.notebook) == without_notes(honest.notebook)
    assert tricked.cells == honest.cells
    assert any(note in found for found in tricked.notes) if note else tricked.notes == []
    assert rebuild.notes_of(tricked.notebook) == tricked.notes


def test_of_two_solution_cells_the_last_counts_and_the_other_is_run_before_it(release, submission):
    last = deepcopy(by_name(submission, "scale_code"))
    last.source = "def scale(x, a): return 'last'"
    submission.cells.append(last)
    rebuilt = rebuild.rebuild(release, submission)
    assert by_name(rebuilt.notebook, "scale_code").source == last.source
    assert rebuilt.cells == ["import numpy as np", RIGHT["scale_code"], last.source, RIGHT["total_code"]]
    assert any("scale_code is there 2 times; the last one counts" in note for note in rebuilt.notes)


def test_an_earlier_copy_never_runs_after_the_one_that_counts(release, submission):
    first, last = deepcopy(by_name(submission, "scale_code")), deepcopy(by_name(submission, "scale_code"))
    first.source, last.source = "first = 1", "last = 1"
    submission.cells.remove(by_name(submission, "scale_code"))
    submission.cells += [first, last]
    cells = rebuild.rebuild(release, submission).cells
    assert cells.index("first = 1") < cells.index("last = 1")


def test_code_cells_of_the_students_own_stay_in_their_place_without_their_metadata(release, submission):
    own = new_code_cell(
        "helper = 1", metadata={"tags": ["skip-execution"], "nbgrader": {"grade_id": "mine", "grade": True}}
    )
    place = submission.cells.index(by_name(submission, "total_code"))
    submission.cells[place:place] = [own, new_markdown_cell("<script>alert(1)</script>")]
    submission.cells.insert(0, new_code_cell("at_the_top = 1"))
    submission.cells.append(new_code_cell("  \n"))
    rebuilt = rebuild.rebuild(release, submission)
    assert rebuilt.cells == [
        "at_the_top = 1",
        "import numpy as np",
        RIGHT["scale_code"],
        "helper = 1",
        RIGHT["total_code"],
    ]
    kept = next(cell for cell in rebuilt.notebook.cells if cell.source == "helper = 1")
    assert kept.metadata == {}
    assert "script" not in nbformat.writes(rebuilt.notebook)
    assert any("Text cells that were added" in note for note in rebuilt.notes)
    assert any("a name that this assignment does not know" in note for note in rebuilt.notes)


def test_local_cells_are_kept_and_not_run(release, submission):
    submission.cells.append(new_code_cell("slow_experiment()", metadata={"tags": ["local"]}))
    by_name(submission, "cell-5").source = "def helper(): pass\ncheck('scale')"
    rebuilt = rebuild.rebuild(release, submission)
    assert not any("slow" in cell or "check" in cell for cell in rebuilt.cells)
    assert any(cell.source == "slow_experiment()" for cell in rebuilt.notebook.cells)
    assert by_name(rebuilt.notebook, "cell-5").source == 'check("scale")'
    assert any("tagged 'local'" in note for note in rebuilt.notes)


def test_a_cell_that_was_given_and_may_be_edited_runs_in_both_versions(release, submission):
    by_name(submission, "cell-3").source = "import numpy as np\nimport math"
    assert rebuild.rebuild(release, submission).cells[:2] == ["import numpy as np", "import numpy as np\nimport math"]


def test_a_solution_written_anew_in_another_cell_is_not_undone_by_the_empty_one(release, submission):
    place = submission.cells.index(by_name(submission, "scale_code"))
    submission.cells[place] = new_code_cell(RIGHT["scale_code"])
    rebuilt = rebuild.rebuild(release, submission)
    stub = next(k for k, cell in enumerate(rebuilt.cells) if "NotImplementedError" in cell)
    assert rebuilt.cells.index(RIGHT["scale_code"]) > stub
    assert any("Cell scale_code was missing" in note for note in rebuilt.notes)


def test_a_cell_that_lost_its_name_is_found_by_its_id(release, submission):
    del by_name(submission, "scale_code").metadata["nbgrader"]
    rebuilt = rebuild.rebuild(release, submission)
    assert by_name(rebuilt.notebook, "scale_code").source == RIGHT["scale_code"]
    assert any("lost its name" in note for note in rebuilt.notes)


def test_a_notebook_that_lost_all_names_and_ids_is_still_run(release, submission):
    for cell in submission.cells:
        del cell["id"]
        cell.metadata = {}
    cells = rebuild.rebuild(release, submission).cells
    stubs = [k for k, cell in enumerate(cells) if "NotImplementedError" in cell]
    assert cells.index(RIGHT["scale_code"]) > stubs[0]
    assert cells.index(RIGHT["total_code"]) > stubs[1]


def test_a_notebook_of_another_assignment_is_refused(release):
    cell = new_code_cell("x = 1", metadata={"nbgrader": {"grade_id": "gru_code", "solution": True}})
    with pytest.raises(SubmissionError, match=r"none of this assignment's solution cells \(it has gru_code\)"):
        rebuild.rebuild(release, nbformat.v4.new_notebook(cells=[cell]))


GOOD = {
    "nbformat": 4,
    "nbformat_minor": 5,
    "metadata": {},
    "cells": [{"cell_type": "code", "source": "x = 1", "metadata": {}}],
}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty"),
        (b"{", "cannot be read as JSON"),
        (b"\xff\xfe\x00", "cannot be read as JSON"),
        (b"[" * 100_000, "cannot be read as JSON"),
        (b"[]", "no nbformat number"),
        (b'{"nbformat": "4", "cells": []}', "no nbformat number"),
        (json.dumps(GOOD | {"nbformat": 5}).encode(), "notebook format 5; 3 and 4 can be read"),
        (json.dumps(GOOD | {"nbformat": 2}).encode(), "notebook format 2"),
        (json.dumps(GOOD | {"cells": []}).encode(), "has no cells"),
        (json.dumps(GOOD | {"cells": {}}).encode(), "no list of cells"),
        (json.dumps({"nbformat": 4}).encode(), "no list of cells"),
        (json.dumps({"nbformat": 3, "worksheets": 7}).encode(), "is no valid notebook"),
        (json.dumps(GOOD | {"cells": [{}] * 5001}).encode(), "has 5001 cells"),
        (
            json.dumps(GOOD | {"cells": [{"cell_type": "code", "source": "x" * (2**20 + 1)}]}).encode(),
            "characters of code",
        ),
    ],
)
def test_what_is_no_notebook_is_refused_with_a_reason(content, reason):
    with pytest.raises(SubmissionError, match=reason):
        parse_notebook(content, "x.ipynb")


def test_odd_cells_are_read_for_what_they_are():
    cells = [
        7,
        {"cell_type": ["code"], "source": None, "metadata": []},
        {"cell_type": "code", "source": ["a\n", 3, "b"], "metadata": {"tags": "local", "nbgrader": "no"}, "id": 9},
        {"cell_type": "code", "source": "x = '\ud800'", "metadata": {"nbgrader": {"grade_id": 3, "points": {"a": 1}}}},
    ]
    notebook = parse_notebook(json.dumps(GOOD | {"cells": cells}).encode(), "x.ipynb")
    assert [cell.source for cell in notebook.cells] == ["", "a\nb", "x = '?'"]
    json.dumps(notebook, ensure_ascii=False).encode("utf-8")


def test_older_notebook_formats_are_read(release, submission):
    first = nbformat.v4.downgrade(deepcopy(submission))
    three = parse_notebook(json.dumps(first).encode(), "x.ipynb")
    assert first.nbformat == 3
    assert rebuild.rebuild(release, three).cells[1:] == [RIGHT["scale_code"], RIGHT["total_code"]]
    for cell in submission.cells:
        del cell["id"]
    four_zero = parse_notebook(json.dumps(submission | {"nbformat_minor": 0}).encode("utf-8-sig"), "x.ipynb")
    assert rebuild.rebuild(release, four_zero).cells == ["import numpy as np", RIGHT["scale_code"], RIGHT["total_code"]]


def test_files_are_read_only_where_they_are_files(tmp_path):
    (tmp_path / "real.ipynb").write_text(json.dumps(GOOD))
    (tmp_path / "link.ipynb").symlink_to(tmp_path / "real.ipynb")
    os.mkfifo(tmp_path / "pipe.ipynb")
    (tmp_path / "folder.ipynb").mkdir()
    assert read_notebook(tmp_path / "real.ipynb").cells[0].source == "x = 1"
    for name, reason in {
        "link": "symbolic link",
        "pipe": "no regular file",
        "folder": "no regular file",
        "none": "No such file",
    }.items():
        with pytest.raises(SubmissionError, match=reason):
            read_notebook(tmp_path / f"{name}.ipynb")


def test_a_huge_file_is_refused_before_it_is_read_to_its_end(tmp_path):
    path = tmp_path / "huge.ipynb"
    with path.open("wb") as file:
        file.truncate(rebuild.MAX_FILE + 1)
    with pytest.raises(SubmissionError, match="more than 32 MB; clear the outputs"):
        read_notebook(path)


def test_a_release_that_disagrees_with_the_checks_is_refused(tiny_course):
    tiny = problem_set.load("tiny", tiny_course)
    assert len(rebuild.test_cells(rebuild.read_release(tiny))) == 2
    path = tiny.release
    text = path.read_text()
    path.write_text(text.replace('"points": 2', '"points": 3'))
    with pytest.raises(
        ProblemSetError, match="disagree about 'scale': 3 points in the notebook, 2 points in checks.py"
    ):
        rebuild.read_release(tiny)
    path.write_text(text.replace('"grade_id": "total"', '"grade_id": "sum"'))
    with pytest.raises(ProblemSetError, match="disagree about 'sum': 1 points in the notebook, no such check"):
        rebuild.read_release(tiny)
    path.unlink()
    with pytest.raises(ProblemSetError, match="run `autograder exercises` first"):
        rebuild.read_release(tiny)

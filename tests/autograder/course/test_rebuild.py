import json
import os
import subprocess
import sys
from copy import deepcopy

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell
from nbgrader.utils import determine_grade

from autograder.course import rebuild
from autograder.course.rebuild import parse_notebook, read_notebook
from autograder.errors import ProblemSetError, SubmissionError
from autograder.judge import problem_set
from tests.support.tiny_course import RIGHT, filled_in, tiny_release


@pytest.fixture
def release(made_tiny_course):
    return tiny_release(made_tiny_course)


@pytest.fixture
def submission(made_tiny_course):
    return filled_in(made_tiny_course, RIGHT)


def by_name(notebook, name):
    return next(cell for cell in notebook.cells if cell.get("id") == name)


def without_notes(notebook):
    return {
        **notebook,
        "metadata": {k: v for k, v in notebook.metadata.items() if k != "autograder"},
    }


def test_sources_of_solution_cells_come_from_the_student_and_all_else_from_the_release(
    release, submission
):
    rebuilt = rebuild.rebuild(release, submission)
    assert [cell.id for cell in rebuilt.notebook.cells] == [cell.id for cell in release.cells]
    assert by_name(rebuilt.notebook, "scale_code").source == RIGHT["scale_code"]
    assert by_name(rebuilt.notebook, "scale").source == by_name(release, "scale").source
    assert [cell.metadata for cell in rebuilt.notebook.cells] == [
        cell.metadata for cell in release.cells
    ]
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
    tricked = rebuild.rebuild(
        release, parse_notebook(nbformat.v4.writes_json(submission).encode(), "x.ipynb")
    )
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
    assert rebuilt.cells == [
        "import numpy as np",
        RIGHT["scale_code"],
        last.source,
        RIGHT["total_code"],
    ]
    assert any("scale_code is there 2 times; the last one counts" in note for note in rebuilt.notes)


def test_an_earlier_copy_never_runs_after_the_one_that_counts(release, submission):
    first, last = (
        deepcopy(by_name(submission, "scale_code")),
        deepcopy(by_name(submission, "scale_code")),
    )
    first.source, last.source = "first = 1", "last = 1"
    submission.cells.remove(by_name(submission, "scale_code"))
    submission.cells += [first, last]
    cells = rebuild.rebuild(release, submission).cells
    assert cells.index("first = 1") < cells.index("last = 1")


def test_code_cells_of_the_students_own_stay_in_their_place_without_their_metadata(
    release, submission
):
    own = new_code_cell(
        "helper = 1",
        metadata={"tags": ["skip-execution"], "nbgrader": {"grade_id": "mine", "grade": True}},
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
    checks = next(cell for cell in submission.cells if cell.source == 'check("scale")')
    checks.source = "def helper(): pass\ncheck('scale')"
    rebuilt = rebuild.rebuild(release, submission)
    assert not any("slow" in cell or "check" in cell for cell in rebuilt.cells)
    assert any(cell.source == "slow_experiment()" for cell in rebuilt.notebook.cells)
    assert by_name(rebuilt.notebook, checks.id).source == 'check("scale")'
    assert any("tagged 'local'" in note for note in rebuilt.notes)


def test_a_cell_that_was_given_and_may_be_edited_runs_in_both_versions(release, submission):
    next(
        cell for cell in submission.cells if cell.source == "import numpy as np"
    ).source += "\nimport math"
    assert rebuild.rebuild(release, submission).cells[:2] == [
        "import numpy as np",
        "import numpy as np\nimport math",
    ]


@pytest.mark.parametrize("ids", ["of the content", "of the place"])
def test_a_notebook_that_is_released_again_takes_nothing_from_who_has_the_old_one(
    release, submission, ids
):
    """Older releases numbered their cells: with one more above, each student's cell had the id of
    another one.
    """
    if ids == "of the place":
        for notebook in (release, submission):
            for number, cell in enumerate(notebook.cells, 1):
                cell.id = cell.id if "nbgrader" in cell.metadata else f"cell-{number}"
    imports = next(cell for cell in submission.cells if cell.source == "import numpy as np")
    imports.source += "\n\n\ndef helper(x):\n    return x"
    new = deepcopy(release)
    new.cells[:0] = [
        new_markdown_cell("News."),
        new_code_cell("print('new')", metadata={"tags": ["local"]}),
    ]
    new.cells.insert(4, new_markdown_cell("More news."))
    if ids == "of the place":
        for number, cell in enumerate(new.cells, 1):
            cell.id = cell.id if "nbgrader" in cell.metadata else f"cell-{number}"
    rebuilt = rebuild.rebuild(new, submission)
    assert any("def helper" in cell for cell in rebuilt.cells)
    assert [cell for cell in rebuilt.cells if "helper" not in cell] == [
        "import numpy as np",
        RIGHT["scale_code"],
        RIGHT["total_code"],
    ]


def test_a_solution_written_anew_in_another_cell_is_not_undone_by_the_empty_one(
    release, submission
):
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
    with pytest.raises(
        SubmissionError, match=r"none of this assignment's solution cells \(it has gru_code\)"
    ):
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
        (b"PK\x03\x04" + b"{" * 500_000, "no notebook but a zip archive, .*unpack it"),
        (b"\xef\xbb\xbf<!DOCTYPE HTML><html>", "but a page saved as HTML; hand in the .ipynb"),
        (b"version https://git-lfs.github.com/spec/v1\noid", "a pointer of Git LFS.*git lfs pull"),
        (b'{"cells": [\n<<<<<<< HEAD\n1\n=======\n2\n>>>>>>> b\n]}', "the middle of a merge"),
        (b"%PDF-1.7", "but a PDF; hand in the .ipynb file itself"),
        (b"import numpy as np\n", "but a Python script"),
        (b"[]", "no nbformat number"),
        (b'{"nbformat": "4", "cells": []}', "no nbformat number"),
        (json.dumps(GOOD | {"nbformat": 5}).encode(), "notebook format 5; 3 and 4 can be read"),
        (json.dumps(GOOD | {"nbformat": 2}).encode(), "notebook format 2"),
        (json.dumps(GOOD | {"cells": []}).encode(), "has no cells"),
        (json.dumps(GOOD | {"cells": {}}).encode(), "no list of cells"),
        (json.dumps({"nbformat": 4}).encode(), "no list of cells"),
        (json.dumps({"nbformat": 3, "worksheets": 7}).encode(), "has no cells"),
        (json.dumps({"nbformat": 3, "worksheets": [7]}).encode(), "is no valid notebook"),
        (
            json.dumps({"nbformat": 3, "worksheets": [{"cells": [{}] * 9000}]}).encode(),
            "has 5001 cells",
        ),
        (
            b'{"nbformat": 4, "cells": [' + b"{}," * 400_001 + b"{}]}",
            "more than 400,000 lists and dicts",
        ),
        (b'{"nbformat": 3, "metadata": ' + b"[" * 400_001, "more than 400,000 lists and dicts"),
        (b'{"nbformat": 4, "metadata": [' + b"0," * 2_000_001, "more than 2,000,000 values"),
        (json.dumps(GOOD | {"cells": [{}] * 5001}).encode(), "has 5001 cells"),
        (
            json.dumps(
                GOOD | {"cells": [{"cell_type": "code", "source": "x" * (2**20 + 1)}]}
            ).encode(),
            "characters of code",
        ),
    ],
)
def test_what_is_no_notebook_is_refused_with_a_reason(content, reason):
    with pytest.raises(SubmissionError, match=reason):
        parse_notebook(content, "x.ipynb")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be", "utf-32"])
def test_a_notebook_is_read_in_whatever_encoding_it_was_saved(encoding):
    text = json.dumps(
        GOOD | {"cells": [{"cell_type": "code", "source": "é = '<<<<<<< HEAD'"}]},
        ensure_ascii=False,
    )
    assert parse_notebook(text.encode(encoding), "x.ipynb").cells[0].source.startswith("é")


def test_odd_cells_are_read_for_what_they_are():
    cells = [
        7,
        {"cell_type": ["code"], "source": None, "metadata": []},
        {
            "cell_type": "code",
            "source": ["a\n", 3, "b"],
            "metadata": {"tags": "local", "nbgrader": "no"},
            "id": 9,
        },
        {
            "cell_type": "code",
            "source": "x = '\ud800'",
            "metadata": {"nbgrader": {"grade_id": 3, "points": {"a": 1}}},
        },
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
    four_zero = parse_notebook(
        json.dumps(submission | {"nbformat_minor": 0}).encode("utf-8-sig"), "x.ipynb"
    )
    assert rebuild.rebuild(release, four_zero).cells == [
        "import numpy as np",
        RIGHT["scale_code"],
        RIGHT["total_code"],
    ]


def test_the_metadata_of_an_old_notebook_are_not_copied():
    """nbformat's converter takes Python objects of all that stands in the file, which is 170 bytes
    for each of two.
    """
    heavy = {
        "cell_type": "code",
        "input": ["x = ", "1"],
        "metadata": {"a": [{}] * 100_000},
        "outputs": [[]] * 100_000,
    }
    cells = [heavy, {"cell_type": "heading", "level": 2, "source": "Part"}]
    old = json.dumps(
        {"nbformat": 3, "nbformat_minor": 0, "worksheets": [{"cells": cells}]}
    ).encode()
    notebook = parse_notebook(old, "x.ipynb")
    assert [(cell.cell_type, cell.source, cell.metadata) for cell in notebook.cells] == [
        ("code", "x = 1", {}),
        ("markdown", "# Part", {}),
    ]


BOMB = """
import resource, sys
from autograder.course.rebuild import MAX_BRACKETS, MAX_COMMAS, parse_notebook
from autograder.errors import SubmissionError
unit, of, version = sys.argv[1:4]
most = {"brackets": MAX_BRACKETS, "commas": MAX_COMMAS}[of]
filler = ",".join(unit.replace("%", f"{k:07x}") for k in range(most - 100))
filler = "{" + filler + "}" if ":" in unit else "[" + filler + "]"
outputs = '"outputs": [], "metadata": {"a": ' + filler + "}"
cell = '{"cell_type": "code", "input": "x", "source": "x", ' + outputs + "}"
cells = '"cells": [' + cell + "]"
sheets = '"worksheets": [{' + cells + "}]" if version == "3" else cells
head = '{"nbformat": ' + version + ', "nbformat_minor": 0, "metadata": {}, '
content = (head + sheets + "}").encode()
del filler, outputs, cell, cells, sheets
before = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (before + (int(sys.argv[4]) << 20),) * 2)
print(len(parse_notebook(content, "x.ipynb").cells))
"""


@pytest.mark.parametrize(
    ("unit", "most", "version"),
    [
        ("{}", "brackets", 3),
        ("[]", "brackets", 4),
        ("1e1", "commas", 4),
        ('"%":0', "commas", 3),
        ('"%\\u2603"', "commas", 4),
    ],
)
def test_the_heaviest_files_that_are_read_take_little_memory(unit, most, version):
    # MB beside the file itself
    command = [sys.executable, "-c", BOMB, unit, most, str(version), "500"]
    found = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert found.stdout.strip() == "1", found.stderr[-500:]


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
        ProblemSetError,
        match="disagree about 'scale': 3 points in the notebook, 2 points in checks.py",
    ):
        rebuild.read_release(tiny)
    path.write_text(text.replace('"grade_id": "total"', '"grade_id": "sum"'))
    with pytest.raises(
        ProblemSetError, match="disagree about 'sum': 1 points in the notebook, no such check"
    ):
        rebuild.read_release(tiny)
    path.unlink()
    with pytest.raises(ProblemSetError, match="run `autograder exercises` first"):
        rebuild.read_release(tiny)


@pytest.mark.parametrize("linked", ["ben/tiny", "ben"])
def test_a_folder_that_is_a_link_to_anothers_work_is_refused(tmp_path, linked):
    """A linked file is refused as it is opened; the exchange and collect make no links, but rsync
    and git do.
    """
    mine = tmp_path / "ana" / "tiny" / "tiny.ipynb"
    mine.parent.mkdir(parents=True)
    mine.write_text("{}")
    theirs = tmp_path / linked
    theirs.parent.mkdir(exist_ok=True)
    theirs.symlink_to(mine.parent if "/" in linked else mine.parent.parent)
    rebuild.refuse_linked_folders(mine)
    with pytest.raises(SubmissionError, match="is a symbolic link, and links are not followed"):
        rebuild.refuse_linked_folders(tmp_path / "ben" / "tiny" / "tiny.ipynb")


def test_a_version_of_thousands_of_digits_is_not_quoted_in_full(tmp_path):
    path = tmp_path / "long.ipynb"
    path.write_text('{"nbformat": ' + "9" * 4000 + ', "cells": []}')
    with pytest.raises(SubmissionError, match="has notebook format 99") as raised:
        read_notebook(path)
    assert len(str(raised.value)) < 200

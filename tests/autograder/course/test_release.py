import json
import os
import re
import shutil
import subprocess
import sysconfig
from pathlib import Path

import nbformat
import pytest

from autograder.course import release
from autograder.errors import ProblemSetError
from tests.support.tiny_course import ROOT, SOURCE, tiny_release

SETS = release.sources(ROOT)


@pytest.mark.parametrize("source", SETS, ids=[source.stem for source in SETS])
def test_the_committed_student_notebooks_are_fresh(source):
    committed = ROOT / "exercises" / source.stem / source.name.replace(".md", ".ipynb")
    assert committed.read_text(encoding="utf-8") == release.release_text(source), (
        "run `make exercises` and commit"
    )


# Lines of sick programs that are handed out to be mended, and that stand in the mended one as well.
KEPT_BY_A_MEND = {
    "clinic": {
        "optimizer.step()",
        "nn.utils.clip_grad_norm_(model.parameters(), max_norm)",
        "return bias_ih, bias_hh",
        "F.mse_loss(model(x), y).backward()",
    }
}


@pytest.mark.parametrize("source", SETS, ids=[source.stem for source in SETS])
def test_no_line_between_the_markers_is_handed_out(source):
    lines, inside = [], False
    for line in source.read_text(encoding="utf-8").splitlines():
        if release.BEGIN in line or release.END in line:
            inside = release.BEGIN in line
        elif inside and len(line.strip()) > 12:
            lines.append(line.strip())
    cells = json.loads(release.release_text(source))["cells"]
    handed_out = {line.strip() for cell in cells for line in "".join(cell["source"]).splitlines()}
    assert len(lines) > 20 or source.stem.startswith("quiz-")
    assert handed_out & set(lines) == KEPT_BY_A_MEND.get(source.stem, set())


def test_the_same_source_gives_the_same_notebook_with_nothing_of_this_machine(made_tiny_course):
    source = made_tiny_course / "solutions" / "tiny" / "tiny.md"
    text = release.release_text(source)
    assert text == release.release_text(source)
    notebook = nbformat.reads(text, as_version=4)
    assert notebook.metadata == {"kernelspec": release.KERNEL, "language_info": {"name": "python"}}
    ids = [re.sub(r"-[0-9a-f]{8}$", "", cell.id) for cell in notebook.cells]
    assert ids == ["text", "code", "code", "scale_code", "code", "scale", "total_code", "total"]
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(cell.outputs == [] and cell.execution_count is None for cell in code)


def test_a_cell_keeps_its_id_when_others_are_put_above_it(tiny_course):
    before = {cell.source: cell.id for cell in tiny_release(tiny_course).cells}
    source = source_with(
        tiny_course, "```{code-cell}", "+++\n\nMore text.\n\n+++\n\nMore text.\n\n```{code-cell}"
    )
    after = nbformat.reads(release.release_text(source), as_version=4).cells
    assert len(after) == len(before) + 2 and len({cell.id for cell in after}) == len(after)
    assert {cell.source: cell.id for cell in after if cell.source in before} == before


def test_functions_are_left_to_write_and_local_cells_are_kept(made_tiny_course):
    cells = {cell.id: cell for cell in tiny_release(made_tiny_course).cells}
    by_text = {cell.source: cell for cell in cells.values()}
    assert cells["scale_code"].source.endswith("# YOUR CODE HERE\n    raise NotImplementedError()")
    assert '"""Return a times x."""' in cells["scale_code"].source
    assert by_text['check("scale")'].cell_type == "code"
    assert by_text['check("scale")'].metadata["tags"] == ["local"]
    assert cells["scale"].metadata.nbgrader["points"] == 2
    assert cells["scale"].metadata.nbgrader["locked"] is True


def test_nbgraders_own_command_gives_the_same_notebook(tiny_course):
    released = tiny_course / "exercises" / "tiny" / "tiny.ipynb"
    ours = released.read_text()
    shutil.rmtree(released.parent)
    scripts = sysconfig.get_path("scripts")
    environment = os.environ | {"PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}"}
    command = [f"{scripts}/nbgrader", "generate_assignment", "tiny"]
    subprocess.run(command, cwd=tiny_course, env=environment, check=True, capture_output=True)
    assert released.read_text() == ours


def test_solution_cells_are_whole_and_without_markers(made_tiny_course):
    cells = release.solution_cells(made_tiny_course / "solutions" / "tiny" / "tiny.md")
    assert list(cells) == ["scale_code", "total_code"]
    assert cells["total_code"].splitlines() == [
        "def total(x):",
        '    """Return the sum of x."""',
        "    sum_of_everything = np.sum(x)",
        "    return sum_of_everything",
    ]


def source_with(course: Path, old: str, new: str) -> Path:
    assert old in SOURCE
    path = course / "solutions" / "tiny" / "tiny.md"
    path.write_text(SOURCE.replace(old, new, 1))
    return path


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (
            "import numpy as np\n",
            "def total(x):\n    return x.sum()\n",
            "cell 3: it defines total, which students",
        ),
        (
            "then `total`.",
            "then `total`.\n\n    product_of_both = np.multiply(a, x)",
            "cell 1: a line of a solution",
        ),
        (
            "# 2 points: scale",
            "product_of_both = np.multiply(a, x)",
            "scale: a line of a solution would be handed out",
        ),
        (
            "then `total`.",
            "then `total`. ### END SOLUTION",
            "cell 1: a solution marker is out of place",
        ),
        (
            "    ### END SOLUTION\n",
            "",
            "nbgrader cannot release it: .*no end solution statement found",
        ),
        (
            "import numpy as np\n",
            "### BEGIN SOLUTION\nx = 1\n### END SOLUTION\n",
            "region detected in a non-solution",
        ),
        ("grade_id: total_code", "grade_id: scale_code", "two cells are called 'scale_code'"),
        ("grade_id: total_code", "grade_id: total code", "needs a grade_id of letters"),
        ("grade_id: total_code, ", "", "needs a grade_id of letters, .* got None"),
    ],
)
def test_a_source_that_would_give_something_away_is_refused(tiny_course, old, new, reason):
    with pytest.raises(ProblemSetError, match=reason):
        release.release_text(source_with(tiny_course, old, new))


FAULTY = """    ### END SOLUTION
    ### BEGIN GIVEN
    product_of_both = np.multiply(a, x)
    return product_of_both + a
    ### END GIVEN
"""


def test_what_is_given_stands_in_the_place_of_the_solution(tiny_course):
    source = source_with(tiny_course, "    ### END SOLUTION\n", FAULTY)
    cells = {
        cell.id: cell for cell in nbformat.reads(release.release_text(source), as_version=4).cells
    }
    assert cells["scale_code"].source.splitlines() == [
        "def scale(x, a):",
        '    """Return a times x."""',
        "    product_of_both = np.multiply(a, x)",
        "    return product_of_both + a",
    ]
    assert "# YOUR CODE HERE" in cells["total_code"].source
    assert release.starters(source) == {
        "scale_code": "    product_of_both = np.multiply(a, x)\n    return product_of_both + a"
    }
    solved = release.solution_cells(source)["scale_code"]
    assert "GIVEN" not in solved and "+ a" not in solved and "return product_of_both" in solved
    assert "GIVEN" not in nbformat.writes(release.source_notebook(source))


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("    ### END SOLUTION\n", FAULTY.replace("    ### END GIVEN\n", ""), "in this order"),
        ("    ### END SOLUTION\n", FAULTY + FAULTY.partition("\n")[2], "once, in this order"),
        ("import numpy as np\n", "### BEGIN GIVEN\nx = 1\n### END GIVEN\n", "in a solution cell"),
    ],
)
def test_a_mark_of_what_is_given_has_its_place(tiny_course, old, new, reason):
    with pytest.raises(ProblemSetError, match=reason):
        release.release_text(source_with(tiny_course, old, new))


def test_an_install_cell_is_there_only_when_the_course_has_an_address(tiny_course):
    install = '```{code-cell}\n:tags: [local, install]\n%pip install "git+REPOSITORY_URL"\n```\n\n'
    source = source_with(tiny_course, "```{code-cell}\nimport", install + "```{code-cell}\nimport")
    without = release.release_text(source)
    (tiny_course / "_config.yml").write_text('repository: {url: ""}\n')
    assert release.release_text(source) == without
    assert "pip" not in without
    (tiny_course / "_config.yml").write_text(
        "repository: {url: https://github.com/someone/course/}\n"
    )
    assert '%pip install \\"git+https://github.com/someone/course\\"' in release.release_text(
        source
    )


def test_what_is_stale_is_named_with_the_cells_that_differ(tiny_course):
    assert release.stale(tiny_course) == []
    source_with(tiny_course, "Return a times x", "Return x times a")
    (report,) = release.stale(tiny_course)
    assert "exercises/tiny/tiny.ipynb is not what solutions/tiny/tiny.md gives" in report
    assert "cell scale_code: changed" in report
    assert '+    """Return x times a."""' in report
    release.write_releases(tiny_course)
    assert release.stale(tiny_course) == []
    shutil.copytree(tiny_course / "exercises" / "tiny", tiny_course / "exercises" / "old")
    (tiny_course / "exercises" / "old" / "tiny.ipynb").rename(
        tiny_course / "exercises" / "old" / "old.ipynb"
    )
    (tiny_course / "exercises" / "tiny" / "tiny.ipynb").unlink()
    assert release.stale(tiny_course) == [
        "exercises/tiny/tiny.ipynb does not exist.",
        "exercises/old/old.ipynb has no source under solutions/; remove it.",
    ]


def test_a_folder_without_problem_sets_is_named(tmp_path):
    with pytest.raises(ProblemSetError, match="has no problem set"):
        release.write_releases(tmp_path)


def test_one_faulty_set_stops_no_other(tiny_course):
    for name in ("a-faulty", "b-faulty"):
        folder = tiny_course / "solutions" / name
        folder.mkdir()
        (folder / f"{name}.md").write_text(SOURCE.replace("### END SOLUTION", ""))
        (folder / "checks.py").write_text("CHECKS = []")
    written = tiny_course / "exercises" / "tiny" / "tiny.ipynb"
    written.unlink(missing_ok=True)
    with pytest.raises(ProblemSetError, match="a-faulty(.|\n)*b-faulty"):
        release.write_releases(tiny_course)
    assert written.is_file()

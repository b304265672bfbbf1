"""The simulated class against the checks, without a sandbox: only those that attack nobody are run
here.
"""

import ast
import contextlib
import io
import re
import warnings
from pathlib import Path

import nbformat
import pytest

from autograder.course.release import release_text, solution_cells
from autograder.modules import load_module
from lstm_ref.practice import examine_in
from verdict import Status, Verdict, charge_once, unmet

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "solutions" / "lstm-bptt" / "lstm-bptt.md"


def load(name):
    return load_module(f"_{name}", SOURCE.parent / f"{name}.py")


students, checks = load("students"), load("checks")
PEACEFUL = [student for student in students.STUDENTS if not student.hostile]
HOSTILE = [student for student in students.STUDENTS if student.hostile]
REFERENCE_CHECKER = {}  # the verdict on it, once it is there


@pytest.fixture(scope="module")
def release():
    return release_text(SOURCE)


@pytest.fixture(scope="module")
def solutions():
    return solution_cells(SOURCE)


def run(notebook):
    """Namespace after all cells that are graded, in the order of the release; a cell that fails
    leaves nothing behind.
    """
    namespace = {"__name__": "notebook"}
    cells = [
        c
        for c in notebook.cells
        if c.cell_type == "code" and "local" not in c.metadata.get("tags", [])
    ]
    if cells and "lstm_step" not in "".join(
        c.source for c in cells[:3]
    ):  # the reversed notebook; the judge puts it right
        cells.reverse()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for cell in cells:
            with contextlib.suppress(Exception):
                exec(cell.source, namespace)
    return namespace


@pytest.mark.parametrize("student", PEACEFUL, ids=lambda student: student.name)
def test_each_gets_its_points_and_its_mistake_is_named(student, release, solutions):
    notebook = student.edit(nbformat.reads(release, as_version=4), solutions)
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        namespace = run(notebook)
        verdicts = {}
        for check in checks.CHECKS:
            if unmet(check, verdicts):
                verdicts[check.name] = Verdict(Status.SKIPPED, "")
                continue
            # Nearly all hand in the same gradient checker, and to examine it takes longer than all
            # else.
            source = next((c.source for c in notebook.cells if c.id == f"{check.name}_code"), "")
            same = check.name == "gradient_check" and source == solutions["gradient_check_code"]
            if same and "verdict" not in REFERENCE_CHECKER:
                REFERENCE_CHECKER["verdict"] = examine_in(namespace, check, seed=11)
            verdicts[check.name] = (
                REFERENCE_CHECKER["verdict"] if same else examine_in(namespace, check, seed=11)
            )
    verdicts = charge_once(checks.CHECKS, verdicts)
    scores = {c.name: round(c.points * verdicts[c.name].credit, 4) for c in checks.CHECKS}
    assert scores == dict(student.scores), {name: v.message for name, v in verdicts.items()}
    named = {name: v.misconception for name, v in verdicts.items() if v.misconception}
    assert named == dict(student.mistakes)


def test_there_are_enough_of_each_kind_and_all_names_differ():
    assert len(PEACEFUL) >= 30
    assert len(HOSTILE) >= 10
    names = [student.name for student in students.STUDENTS]
    assert len(set(names)) == len(names)
    for student in students.STUDENTS:
        assert set(student.scores) == {check.name for check in checks.CHECKS}
        assert re.fullmatch(r"\w+", student.name)
        for check in checks.CHECKS:
            assert 0 <= student.scores[check.name] <= check.points


@pytest.mark.parametrize("student", HOSTILE, ids=lambda student: student.name)
def test_what_is_hostile_is_a_notebook_and_differs_from_the_release(student, release, solutions):
    notebook = student.edit(nbformat.reads(release, as_version=4), solutions)
    assert nbformat.writes(notebook) != nbformat.writes(nbformat.reads(release, as_version=4))


def test_what_is_hostile_is_bounded():
    """No loop without an end, and no wait or allocation beyond a few seconds and gigabytes, even
    where no sandbox holds it.
    """
    tree = ast.parse((SOURCE.parent / "students.py").read_text(encoding="utf-8"))
    texts = [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]
    codes = [
        text
        for text in texts
        if re.search(r"^(def|import|for|class) ", text, re.MULTILINE) and "\n" in text
    ]
    assert len(codes) > 20
    for code in codes:
        assert not re.search(r"while (True|1)\b|itertools\.(count|cycle|repeat)|iter\(int", code), (
            code
        )
        assert all(
            int(n.replace("_", "")) <= 200 for n in re.findall(r"range\(([\d_]+)\)", code)
        ), code
        assert all(float(n) <= 5 for n in re.findall(r"sleep\(([\d.]+)\)", code)), code
    assert "until = time.monotonic() + 120" in "".join(codes) and "megabytes = 200" in "".join(
        codes
    )


def test_points_are_those_of_the_notebook(release):
    cells = nbformat.reads(release, as_version=4).cells
    marks = {
        c.metadata.nbgrader.grade_id: c.metadata.nbgrader.points
        for c in cells
        if c.metadata.get("nbgrader", {}).get("grade")
    }
    assert marks == {check.name: check.points for check in checks.CHECKS} == students.FULL

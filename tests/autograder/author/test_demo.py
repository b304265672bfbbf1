import io
from dataclasses import replace

import pytest
from click.testing import CliRunner
from rich.console import Console

from autograder.author import demo
from autograder.cli import commands
from autograder.course.course import Course
from autograder.course.database import open_gradebook
from autograder.errors import AutograderError, ProblemSetError
from tests.support.tiny_course import ROOT

CLASS = demo.students(ROOT / "solutions" / "lstm-bptt" / "students.py")
PEACEFUL = [student for student in CLASS if not student.hostile]
# What the peaceful ones get, tests/solutions/test_students.py holds for each, without a sandbox:
# here, every fourth.
GRADED = [s for s in CLASS if s.hostile or s in PEACEFUL[::4] or s.name in ("perfect", "no_bias")]

STUDENTS = """\
from autograder.author.demo import Student


def adds(notebook, solutions):
    for cell in notebook.cells:
        name = cell.metadata.get("nbgrader", {}).get("grade_id")
        cell.source = solutions.get(name, cell.source).replace("np.multiply(a, x)", "a + x")
    return notebook


NOTHING = {"scale": 0, "total": 0}
STUDENTS = [
    Student("ann", "adds", adds, {"scale": 0, "total": 1}, mistakes={"scale": "adds"}),
    Student("bob", "no notebook", lambda notebook, solutions: "{", NOTHING, hostile=True),
    Student("cay", "nothing", lambda notebook, solutions: notebook, NOTHING, mistakes={}),
]
"""


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """What became of the class of lstm-bptt, through the real sandbox."""
    folder = tmp_path_factory.mktemp("demo") / "course"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(demo, "students", lambda source: GRADED)
        return {result.student.name: result for result in demo.run_demo(ROOT, folder, "lstm-bptt")}


@pytest.mark.timeout(1800)  # the first one grades all
@pytest.mark.parametrize("name", [student.name for student in GRADED])
def test_each_simulated_student_gets_the_expected_score(results, name):
    result = results[name]
    assert result.scores == pytest.approx(dict(result.student.scores), abs=5e-5), result.outcome
    assert result.student.mistakes is None or result.mistakes == dict(result.student.mistakes)
    assert result.as_expected


def test_the_class_is_large_and_hostile_enough():
    assert len(CLASS) >= 30
    assert sum(student.hostile for student in CLASS) >= 10
    checks = {frozenset(student.scores) for student in CLASS}
    assert len(checks) == 1  # every student has an expected score for every check


@pytest.fixture
def root(tiny_course):
    (tiny_course / "solutions" / "tiny" / "students.py").write_text(STUDENTS)
    return tiny_course


def test_a_class_is_graded_into_a_course_of_its_own_with_feedback(root, tmp_path):
    folder = tmp_path / "demo"
    for _ in range(2):  # the second time in the folder that the first one made
        ann, bob, cay = demo.run_demo(root, folder, "tiny")
        assert (ann.as_expected, bob.as_expected, cay.as_expected) == (True, True, True)
    assert (ann.scores, ann.mistakes) == ({"scale": 0.0, "total": 1.0}, {"scale": "adds"})
    assert "cannot be read as JSON" in bob.outcome.problem
    assert (folder / "feedback" / "ann" / "tiny" / "tiny.html").is_file()
    with open_gradebook(Course.load(folder).directory) as gradebook:
        assert gradebook.find_submission("tiny", "ann").score == 1
    assert not (root / "submitted").exists() and not (root / "gradebook.db").exists()


def test_the_command_shows_the_table_and_fails_when_a_score_differs(root, monkeypatch):
    monkeypatch.chdir(root)
    monkeypatch.setenv("COLUMNS", "200")
    result = CliRunner().invoke(
        commands.main, ["demo", "--problem-set", "tiny"], catch_exceptions=False
    )
    assert result.exit_code == 0
    assert "3 students, 1 of them hostile: 3 as expected, 0 not." in result.stdout
    assert "build/demo-course" in result.stdout
    students = root / "solutions" / "tiny" / "students.py"
    students.write_text(STUDENTS.replace('{"scale": 0, "total": 1}', '{"scale": 2, "total": 1}'))
    result = CliRunner().invoke(
        commands.main, ["demo", "--problem-set", "tiny"], catch_exceptions=False
    )
    assert result.exit_code == 1
    assert "DIFFERS" in result.stdout
    assert "ann: expected {'scale': 2, 'total': 1}" in result.stdout


def test_another_score_and_another_mistake_are_seen(results):
    right, wrong = results["perfect"], results["no_bias"]
    assert right.as_expected and wrong.as_expected
    more = {**right.student.scores, "lstm_step": right.student.scores["lstm_step"] - 0.01}
    changed = [
        replace(right, student=replace(right.student, scores=more)),
        replace(right, student=replace(right.student, mistakes={"lstm_step": "no_bias"})),
        replace(wrong, student=replace(wrong.student, mistakes={})),
        replace(right, outcome=replace(right.outcome, problem="broken")),
    ]
    assert not any(result.as_expected for result in changed)
    text = io.StringIO()
    demo.show([right, *changed], Console(file=text, width=200))
    assert text.getvalue().count("DIFFERS") == 4
    assert "5 students, 0 of them hostile: 1 as expected, 4 not." in text.getvalue()


def test_a_folder_with_something_else_in_it_is_left_alone(root, tmp_path):
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(AutograderError, match="is not empty and was not made by this command"):
        demo.make_course(root, tmp_path, "tiny")
    assert (tmp_path / "thesis.tex").read_text() == "mine"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "must define STUDENTS as a list"),
        ("STUDENTS = [1]", "must define STUDENTS as a list"),
        (STUDENTS.replace('"bob"', '"ann"'), "two students are called 'ann'"),
    ],
)
def test_a_class_that_cannot_be_is_named(root, text, reason):
    path = root / "solutions" / "tiny" / "students.py"
    path.write_text(text)
    with pytest.raises(ProblemSetError, match=reason):
        demo.students(path)

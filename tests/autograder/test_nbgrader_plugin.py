import os
import shutil
import sqlite3

import nbformat
import pytest
from nbgrader.converters import Autograde, NbGraderException
from nbgrader.coursedir import CourseDirectory
from nbgrader.utils import is_grade
from nbgrader.validator import Validator
from traitlets import TraitError
from traitlets.config import Config

from autograder import nbgrader_plugin
from autograder.batch import grading
from autograder.course import release
from autograder.course.course import Course
from autograder.course.database import open_gradebook
from autograder.errors import AutograderError, IsolationError
from autograder.lms import worksheet
from autograder.nbgrader_plugin import (
    Judge,
    JudgedNotebook,
    RebuildFromRelease,
    check_lists,
    without_links,
)
from tests.support.nbgrader_cli import everything, fill_class, nbgrader
from tests.support.tiny_course import ADDS, RIGHT, ROOT, hand_in, hand_in_text

REBUILD = "autograder.nbgrader_plugin.RebuildFromRelease"
JUDGE = "autograder.nbgrader_plugin.Judge"
SAVE = "nbgrader.preprocessors.SaveAutoGrades"


def test_nbgraders_own_commands_and_ours_give_the_same_gradebook_and_notebooks(
    tiny_course, tmp_path
):
    fill_class(tiny_course)
    (tiny_course / "records").mkdir()
    (tiny_course / "records" / "course.key").write_text("11" * 32)
    other = shutil.copytree(tiny_course, tmp_path / "other", symlinks=True)

    # From nothing: no gradebook, no assignment in it. Twice, the second time with --force.
    process = nbgrader(tiny_course, "autograde", "tiny")
    assert process.returncode == 1, process.stderr  # dan's cannot be read
    assert "There was an error processing assignment 'tiny' for student 'dan'" in process.stderr
    assert "SAWarning" not in process.stderr
    process = nbgrader(tiny_course, "autograde", "tiny", "--force")
    assert process.stderr.count("There was an error processing assignment 'tiny'") == 1

    grading.run(grading.Grading.prepare(Course.load(other), "tiny"), ["ann", "bob", "cay", "dan"])
    rows, notebooks = everything(tiny_course)
    assert (rows, notebooks) == everything(other)
    assert [row[:3] for row in rows if len(row) == 4] == [
        ("ann", "2026-03-01 11:00:00", 3.0),
        ("bob", "None", 1.0),
        ("cay", "None", 0.0),
        ("dan", "None", 0.0),
    ]

    process = nbgrader(tiny_course, "generate_feedback", "tiny")
    assert process.returncode == 0, process.stderr
    pages = {
        path.parent.parent.name: path.read_text()
        for path in tiny_course.glob("feedback/*/*/*.html")
    }
    assert set(pages) == {"ann", "bob", "cay"}
    assert "It adds a instead of multiplying." in pages["bob"]
    assert "Which sign stands there?" in pages["bob"]
    assert "Tags of cell scale were changed" in pages["cay"]
    for page in pages.values():
        # neither checks nor solutions
        assert "rng.normal" not in page and "np.multiply" not in page


def test_both_take_an_earlier_score_from_a_submission_that_cannot_be_graded(course, tmp_path):
    hand_in(course, "bob", ADDS)
    loaded = Course.load(course)
    grading.run(grading.Grading.prepare(loaded, "tiny"), ["ann", "bob"])
    hand_in_text(course, "bob", "{")
    other = shutil.copytree(course, tmp_path / "other")
    with pytest.raises(NbGraderException):
        autograde(course, Autograde__force=True).start()
    grading.run(grading.Grading.prepare(Course.load(other), "tiny"), ["ann", "bob"])
    assert everything(course) == everything(other)
    with open_gradebook(loaded.directory) as gradebook:
        assert gradebook.find_grade("total", "tiny", "tiny", "bob").auto_score is None
        assert gradebook.find_comment("scale_code", "tiny", "tiny", "bob").auto_comment is None
        assert gradebook.find_submission("tiny", "ann").score == 3


def autograde(course, **settings):
    """Nbgrader's Autograde as its command makes it, in this process."""
    loaded = Course.load(course)
    config = Config(loaded.config)
    for name, value in settings.items():
        section, trait = name.split("__")
        config[section][trait] = value
    directory = CourseDirectory(config=config, assignment_id="tiny")
    return Autograde(coursedir=directory, config=config)


@pytest.fixture
def course(tiny_course, empty_gradebook):
    shutil.copy(empty_gradebook, tiny_course / "gradebook.db")
    hand_in(tiny_course, "ann", RIGHT)
    return tiny_course


def nothing_was_graded(course):
    with sqlite3.connect(course / "gradebook.db") as database:
        (count,) = database.execute("select count(*) from submitted_assignment").fetchone()
    database.close()
    return (
        count == 0
        and not (course / "autograded").exists()
        and not (course / "records" / "tiny").exists()
    )


def test_without_isolation_nothing_is_graded_and_the_reason_is_given(course, monkeypatch, caplog):
    def none(unsafe_local):
        assert not unsafe_local
        raise IsolationError("No bubblewrap.", "Install it.")

    monkeypatch.setattr(grading, "choose", none)
    converter = autograde(course)
    with pytest.raises(NbGraderException, match="No bubblewrap.\nInstall it."):
        converter.start()
    assert nothing_was_graded(course)


def test_when_the_plugin_cannot_be_imported_nothing_is_executed(course, tmp_path):
    canary = tmp_path / "executed"
    hand_in(course, "ann", {"scale_code": f"open({str(canary)!r}, 'w').close()"})
    (tmp_path / "shadow" / "autograder").mkdir(parents=True)
    (tmp_path / "shadow" / "autograder" / "__init__.py").write_text(
        "raise ImportError('broken on purpose')"
    )
    process = nbgrader(course, "autograde", "tiny", PYTHONPATH=str(tmp_path / "shadow"))
    assert process.returncode != 0
    assert not canary.exists()
    assert nothing_was_graded(course)


@pytest.mark.parametrize(
    ("sanitize", "then", "reason"),
    [
        (
            [REBUILD],
            ["nbgrader.preprocessors.Execute", JUDGE, SAVE],
            "a step that executes notebooks",
        ),
        (
            [REBUILD, "nbconvert.preprocessors.ExecutePreprocessor"],
            [JUDGE, SAVE],
            "a step that executes notebooks",
        ),
        (
            ["nbgrader.preprocessors.OverwriteCells"],
            [JUDGE, SAVE],
            "must begin with RebuildFromRelease",
        ),
        ([], [JUDGE, SAVE], "must begin with RebuildFromRelease"),
        ([REBUILD], [SAVE], "must have Judge before SaveAutoGrades"),
        ([REBUILD], [SAVE, JUDGE], "must have Judge before SaveAutoGrades"),
    ],
)
def test_settings_under_which_a_score_could_come_from_elsewhere_are_refused(sanitize, then, reason):
    with pytest.raises(AutograderError, match=reason):
        check_lists(sanitize, then)


def test_our_own_settings_are_accepted(made_tiny_course):
    settings = Course.load(made_tiny_course).config.Autograde
    check_lists(settings.sanitize_preprocessors, settings.autograde_preprocessors)


def test_settings_that_execute_are_refused_when_grading_starts(course):
    steps = ["nbgrader.preprocessors.Execute", SAVE]
    with pytest.raises(NbGraderException, match="a step that executes notebooks"):
        autograde(course, Autograde__autograde_preprocessors=steps).start()
    assert nothing_was_graded(course)


@pytest.mark.parametrize("step", [Judge, RebuildFromRelease])
def test_a_step_of_ours_cannot_be_switched_off(step):
    assert step().enabled
    with pytest.raises(TraitError):
        step(enabled=False)
    assert step(config=Config({step.__name__: {"enabled": False}})).enabled


def test_a_step_of_ours_fails_where_the_reader_is_not_ours(course):
    settings = {"Autograde__exporter_class": "nbconvert.exporters.NotebookExporter"}
    with pytest.raises(NbGraderException):
        autograde(course, **settings).start()
    assert not list(course.glob("autograded/*/*/*.ipynb"))
    assert not (course / "records" / "tiny").exists()


def test_a_notebook_that_was_not_judged_gets_no_points(course, monkeypatch):
    monkeypatch.setattr(Judge, "preprocess", lambda self, nb, resources: (nb, resources))
    monkeypatch.setattr(
        nbgrader_plugin.SaveFindings, "preprocess", lambda self, nb, resources: (nb, resources)
    )
    autograde(course).start()
    with open_gradebook(Course.load(course).directory) as gradebook:
        assert gradebook.find_submission("tiny", "ann").score == 0


def test_formgraders_way_of_asking_works_and_leaves_its_settings_alone(course):
    """Formgrader keeps one course directory for all that it does."""
    (course / "submitted" / "ann" / "tiny" / "link").symlink_to("/etc/passwd")
    converter = autograde(course)
    before = converter.coursedir
    ignored = list(before.ignore)
    converter.force = True
    converter.start()
    assert before.ignore == ignored
    assert sorted(path.name for path in course.glob("autograded/ann/tiny/*")) == ["tiny.ipynb"]
    with open_gradebook(Course.load(course).directory) as gradebook:
        assert gradebook.find_submission("tiny", "ann").score == 3
    notebook = nbformat.read(course / "autograded" / "ann" / "tiny" / "tiny.ipynb", as_version=4)
    assert "2 of 2 points (passed)" in nbformat.writes(notebook)


def test_validate_calls_no_unfinished_notebook_a_success(tmp_path):
    source = ROOT / "solutions" / "lstm-bptt" / "lstm-bptt.md"
    solved = release.source_notebook(source)
    for cell in solved.cells:
        if cell.id == "lstm_backward_code":
            cell.source = "def lstm_backward(*arguments):\n    raise NotImplementedError()"
    nbformat.write(solved, tmp_path / "half.ipynb")
    shutil.copy(ROOT / "exercises" / "lstm-bptt" / "lstm-bptt.ipynb", tmp_path / "empty.ipynb")
    validator = Validator(config=Config({"Validator": {"ignore_checksums": True}}))
    half, empty = (
        validator.validate(str(tmp_path / f"{name}.ipynb"))["failed"] for name in ("half", "empty")
    )
    assert [found["raw_error"].split(":")[0] for found in half] == ["lstm_backward", "end_to_end"]
    assert "not written yet" in half[0]["raw_error"]
    assert len(empty) == sum(map(is_grade, solved.cells))


def test_links_are_left_out_and_other_files_are_not(tmp_path):
    (tmp_path / "file[1].txt").touch()
    (tmp_path / "link[1].txt").symlink_to("/dev/zero")
    os.mkfifo(tmp_path / "pipe")
    directory = CourseDirectory(root=str(tmp_path), course_id="one")
    assert without_links(directory, []) is directory
    less = without_links(directory, [str(tmp_path)])
    assert (less.root, less.course_id) == (directory.root, "one")
    assert less.ignore == [*directory.ignore, "link[[]1].txt", "pipe"]


def test_the_reader_is_the_one_that_nbgraders_settings_name(made_tiny_course):
    assert (
        Course.load(made_tiny_course).config.Autograde.exporter_class
        == f"{JudgedNotebook.__module__}.JudgedNotebook"
    )


TEN_PERCENT_A_DAY = """
import math
from nbgrader.plugins import LateSubmissionPlugin

class TenPercentADay(LateSubmissionPlugin):
    def late_submission_penalty(self, student_id, score, total_seconds_late):
        return 0.1 * score * math.ceil(total_seconds_late / 86400)

c.AssignLatePenalties.plugin_class = TenPercentADay
"""
HANDED_IN = {
    "ann": "2026-03-01 12:00:00 UTC",
    "bob": "2026-03-01 13:00:00.500000 UTC",
    "cay": "2026-03-01 13:00:00 CET",  # at noon
    "dan": "2026-03-03T13:00:01+01:00",
    "eve": None,
}


def penalties(course):
    with open_gradebook(Course.load(course).directory) as gradebook:
        found = gradebook.assignment_submissions("tiny")
        return {row.student.id: row.notebooks[0].late_submission_penalty for row in found}


@pytest.mark.parametrize(
    ("settings", "first", "later"),
    [
        (
            "\nc.LateSubmissionPlugin.penalty_method = 'zero'\n",
            {"bob": 3.0, "dan": 3.0},
            {"dan": 3.0},
        ),
        (TEN_PERCENT_A_DAY, {"bob": 0.3, "dan": 0.9}, {"dan": 0.6}),
    ],
)
def test_who_is_late_loses_the_same_by_both_commands_also_after_the_due_date_was_moved(
    course, tmp_path, settings, first, later
):
    with (course / "nbgrader_config.py").open("a") as file:
        file.write(settings)
    for student, time in HANDED_IN.items():
        path = hand_in(course, student, RIGHT)
        if time is not None:
            path.with_name("timestamp.txt").write_text(time)
    with open_gradebook(Course.load(course).directory) as gradebook:
        gradebook.add_assignment("tiny", duedate="2026-03-01 12:00:00 UTC")
    (course / "records").mkdir()
    (course / "records" / "course.key").write_text("11" * 32)
    other = shutil.copytree(course, tmp_path / "other")

    def both_lose(wanted):
        autograde(course, Autograde__force=True).start()
        grading.run(grading.Grading.prepare(Course.load(other), "tiny"), list(HANDED_IN))
        assert everything(course) == everything(other)
        found = {
            student: penalty for student, penalty in penalties(other).items() if penalty is not None
        }
        assert found == pytest.approx(wanted)
        for score in worksheet.scores(Course.load(other), "tiny"):
            assert score.score == pytest.approx(3 - wanted.get(score.student, 0.0))
            assert score.late_penalty == pytest.approx(wanted.get(score.student, 0.0))

    both_lose(first)
    for root in (course, other):
        with open_gradebook(Course.load(root).directory) as gradebook:
            gradebook.update_or_create_assignment("tiny", duedate="2026-03-02 12:00:00 UTC")
    both_lose(later)


def test_an_extension_counts_by_both_commands_and_ends_with_its_row(course, tmp_path):
    with (course / "nbgrader_config.py").open("a") as file:
        file.write(TEN_PERCENT_A_DAY)
    for student in ("ann", "Dan"):
        path = hand_in(course, student, RIGHT)
        path.with_name("timestamp.txt").write_text("2026-03-03 12:00:01 UTC")
    with open_gradebook(Course.load(course).directory) as gradebook:
        gradebook.add_assignment("tiny", duedate="2026-03-01 12:00:00 UTC")
    (course / "records").mkdir()
    (course / "records" / "course.key").write_text("11" * 32)
    other = shutil.copytree(course, tmp_path / "other")
    for row, wanted in (
        ("dan,tiny,2026-03-03 12:00 UTC\n", {"ann": 0.9, "Dan": 0.3}),
        ("dan,tiny,2026-03-04 12:00 UTC\n", {"ann": 0.9, "Dan": None}),
        ("", {"ann": 0.9, "Dan": 0.9}),
    ):
        for root in (course, other):
            (root / "extensions.csv").write_text(f"login,set,due\n{row}")
        autograde(course, Autograde__force=True).start()
        grading.run(grading.Grading.prepare(Course.load(other), "tiny"), ["ann", "Dan"])
        assert penalties(course) == penalties(other) == pytest.approx(wanted)
    (course / "extensions.csv").write_text("login,set,due\nann,tiny,soon\n")
    with pytest.raises(NbGraderException, match="line 2: 'soon' is no time"):
        autograde(course, Autograde__force=True).start()


@pytest.mark.parametrize(
    "text",
    [
        "yesterday",
        "2026-03-01 13:00:00 EDT",
        "2026-03-01 13:00:00 +01:00",
        "2026-03-01 13:00:00 +0100",
    ],
)
def test_both_refuse_a_time_that_cannot_be_read_and_grade_the_others(course, tmp_path, text):
    hand_in(course, "bob", RIGHT).with_name("timestamp.txt").write_text(text)
    with pytest.raises(NbGraderException):
        autograde(course, Autograde__force=True).start()
    other = Course.load(course)
    outcomes = grading.run(grading.Grading.prepare(other, "tiny"), ["ann", "bob"])
    assert [bool(outcome.problem) for outcome in outcomes] == [False, True]
    assert "timestamp.txt" in outcomes[1].problem

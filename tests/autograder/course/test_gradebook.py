import datetime
import os
import shutil
import sqlite3
from copy import deepcopy

import nbformat
import nbgrader.api
import pytest
from nbgrader.api import Gradebook
from nbgrader.converters import GenerateAssignment
from nbgrader.coursedir import CourseDirectory
from nbgrader.plugins import LateSubmissionPlugin
from nbgrader.utils import determine_grade
from sqlalchemy import event
from sqlalchemy.exc import OperationalError

from autograder.course.course import Course, read_timestamp
from autograder.course.database import explained, open_gradebook
from autograder.course.feedback import comments, fill, finding
from autograder.course.gradebook import Writer, register
from autograder.course.rebuild import read_release, rebuild, test_cells
from autograder.errors import CourseError, GradebookError, SubmissionError
from autograder.judge import problem_set
from autograder.judge.result import FOR_INSTRUCTOR, CheckResult, Result
from tests.support.tiny_course import RIGHT, filled_in, hand_in, tiny_release

test_cells.__test__ = False  # not a test, in spite of its name


def record(scale=2.0, total=1.0, **more):
    status = {2.0: "passed", 1.0: "passed"}
    return Result(
        problem_set="tiny",
        student="ann",
        seed="0",
        isolation=more.pop("isolation", "bubblewrap"),
        content_hash="0",
        checks=(
            CheckResult(
                "scale",
                "It scales.",
                2,
                scale,
                status.get(scale, "wrong"),
                "y is <b>wrong</b>.",
                "adds",
                ("Look.",),
            ),
            CheckResult(
                "total", "total adds up.", 1, total, status.get(total, "wrong"), "s is wrong."
            ),
        ),
        **more,
    )


@pytest.fixture
def course(tiny_course, empty_gradebook):
    shutil.copy(empty_gradebook, tiny_course / "gradebook.db")
    return Course.load(tiny_course)


@pytest.fixture
def tiny(course):
    return problem_set.load("tiny", course.root)


@pytest.fixture
def gradebook(course, tiny):
    with open_gradebook(course.directory) as gradebook:
        register(gradebook, course.directory, "tiny", read_release(tiny))
        yield gradebook


@pytest.fixture
def graded(course):
    """A notebook with a right scale and an empty total, as the judge leaves it for a record."""

    def graded(record):
        submission = filled_in(course.root, {"scale_code": RIGHT["scale_code"]})
        notebook = rebuild(tiny_release(course.root), submission).notebook
        fill(notebook, record)
        return notebook

    return graded


def grades(gradebook, student="ann"):
    submission = gradebook.find_submission("tiny", student)
    return {
        g.name: (g.auto_score, g.manual_score, g.needs_manual_grade)
        for g in submission.notebooks[0].grades
    }


def remarks(gradebook, student="ann"):
    submission = gradebook.find_submission("tiny", student)
    return {c.name: (c.auto_comment, c.manual_comment) for c in submission.notebooks[0].comments}


def rows(course):
    """All rows of the gradebook but for nbgrader's random keys."""
    database = sqlite3.connect(course.root / "gradebook.db")
    tables = [
        name
        for (name,) in database.execute(
            "select name from sqlite_master where type = 'table' order by name"
        )
    ]
    found = {name: sorted(map(repr, database.execute(f"select * from {name}"))) for name in tables}
    database.close()
    return found


def test_a_course_says_where_things_are(course, tiny_course):
    assert course.submission("ann", "tiny") == tiny_course / "submitted" / "ann" / "tiny"
    assert course.autograded("ann", "tiny") == tiny_course / "autograded" / "ann" / "tiny"
    assert course.directory.release_directory == "exercises"
    assert course.students("tiny") == []
    hand_in(tiny_course, "zoe", {})
    hand_in(tiny_course, "Ann B.", {})
    hand_in(tiny_course, ".hidden", {})
    (tiny_course / "submitted" / "bob" / "other").mkdir(parents=True)
    assert course.students("tiny") == ["Ann B.", "zoe"]


@pytest.mark.parametrize(
    "text", ["c = (", "import nothing_of_that_name", "c = get_config()\nc.CourseDirectory.root = 3"]
)
def test_settings_that_cannot_be_used_are_named(tmp_path, text):
    (tmp_path / "nbgrader_config.py").write_text(text)
    with pytest.raises(CourseError, match=r"nbgrader_config.py cannot be used: \w+Error: "):
        Course.load(tmp_path)


def test_a_folder_without_nbgraders_settings_is_no_course(tmp_path):
    with pytest.raises(
        CourseError, match="has no nbgrader_config.py; run this from the course's root"
    ):
        Course.load(tmp_path)


def test_registering_enters_what_nbgraders_own_step_enters(
    gradebook, course, tmp_path, empty_gradebook
):
    directory = CourseDirectory(
        config=course.config, assignment_id="tiny", db_url=f"sqlite:///{tmp_path}/other.db"
    )
    shutil.copy(empty_gradebook, tmp_path / "other.db")
    GenerateAssignment(coursedir=directory, config=course.config, force=True).start()

    def known(gradebook):
        notebook = gradebook.find_notebook("tiny", "tiny")
        return (
            notebook.kernelspec,
            [
                cell.to_dict() | {"id": 0}
                for cell in sorted(notebook.source_cells, key=lambda cell: cell.name)
            ],
            {cell.name: (cell.max_score, cell.cell_type) for cell in notebook.grade_cells},
            {cell.name for cell in notebook.solution_cells},
        )

    with Gradebook(directory.db_url, directory.course_id) as other:
        assert known(other) == known(gradebook)


def test_registering_again_changes_nothing_and_new_points_are_taken_over(gradebook, course, tiny):
    before = rows(course)
    release = read_release(tiny)
    register(gradebook, course.directory, "tiny", release)
    assert rows(course) == before
    Writer(gradebook, course, tiny).enter("ann")
    next(cell for cell in release.cells if cell.id == "scale").metadata.nbgrader["points"] = 5
    register(gradebook, course.directory, "tiny", release)
    assert gradebook.find_notebook("tiny", "tiny").max_score == 6
    assert "ann" in {student.id for student in gradebook.students}


def with_another_check(tiny):
    """The release with one check more: a cell for the answer, and one that carries points."""
    release = read_release(tiny)
    answer, test = (
        deepcopy(next(cell for cell in release.cells if cell.id == name))
        for name in ("total_code", "total")
    )
    for cell, name in ((answer, "mean_code"), (test, "mean")):
        cell.id = cell.metadata.nbgrader["grade_id"] = name
        release.cells.append(cell)
    return release


def test_a_check_that_comes_later_keeps_all_scores(gradebook, course, tiny, graded):
    writer = Writer(gradebook, course, tiny)
    writer.save("ann", graded(record(scale=0.5)), record(scale=0.5))
    writer.enter("bob")
    grade = gradebook.find_grade("scale", "tiny", "tiny", "ann")
    grade.manual_score = 2.0
    gradebook.db.commit()
    register(gradebook, course.directory, "tiny", with_another_check(tiny))
    for _ in range(2):  # registering again changes nothing
        before = rows(course)
        register(gradebook, course.directory, "tiny", with_another_check(tiny))
        assert rows(course) == before
    assert grades(gradebook)["scale"][:2] == (0.5, 2.0)
    assert grades(gradebook)["total"][:2] == (1.0, None)
    for student in ("ann", "bob"):
        assert grades(gradebook, student)["mean"][:2] == (None, None)
        assert remarks(gradebook, student)["mean_code"] == (None, None)
    assert gradebook.find_notebook("tiny", "tiny").max_score == 4
    writer.enter("cay")  # who comes later has all of them, once
    assert list(grades(gradebook, "cay")) == list(grades(gradebook, "bob"))


def test_a_check_that_comes_later_is_completed_after_a_kill(gradebook, course, tiny):
    """Killed after a cell was added, and before the submissions had a place for its scores."""
    Writer(gradebook, course, tiny).enter("ann")
    gradebook.add_grade_cell("mean", "tiny", "tiny", max_score=1.0, cell_type="code")
    register(gradebook, course.directory, "tiny", with_another_check(tiny))
    assert grades(gradebook)["mean"][:2] == (None, None)
    assert remarks(gradebook)["mean_code"] == (None, None)


def test_a_check_that_is_gone_takes_its_own_scores_only(gradebook, course, tiny, graded):
    Writer(gradebook, course, tiny).save("ann", graded(record(scale=0.5)), record(scale=0.5))
    before = rows(course)
    register(gradebook, course.directory, "tiny", with_another_check(tiny))
    register(gradebook, course.directory, "tiny", read_release(tiny))
    assert rows(course) == before


def test_what_was_scored_by_hand_is_not_taken_out(gradebook, course, tiny):
    register(gradebook, course.directory, "tiny", with_another_check(tiny))
    Writer(gradebook, course, tiny).enter("ann")
    gradebook.find_grade("mean", "tiny", "tiny", "ann").manual_score = 1.0
    gradebook.find_comment("mean_code", "tiny", "tiny", "ann").manual_comment = "Good."
    gradebook.db.commit()
    before = rows(course)
    with pytest.raises(GradebookError, match=r"would be lost: mean \(ann\); mean_code \(ann\)"):
        register(gradebook, course.directory, "tiny", read_release(tiny))
    assert rows(course) == before


def test_scores_and_comments_are_entered(gradebook, course, tiny, graded):
    Writer(gradebook, course, tiny).save("ann", graded(record(scale=0.5)), record(scale=0.5))
    assert grades(gradebook) == {"scale": (0.5, None, False), "total": (1.0, None, False)}
    assert remarks(gradebook) == {
        # a block of code in Markdown: nothing in it is HTML
        "scale_code": ("    scale: y is <b>wrong</b>.", None),
        "total_code": ("No response.", None),
    }
    assert gradebook.find_submission("tiny", "ann").score == 1.5


def test_saving_twice_changes_nothing(gradebook, course, tiny, graded):
    writer = Writer(gradebook, course, tiny)
    writer.save("ann", graded(record(scale=0.5)), record(scale=0.5))
    before = rows(course)
    writer.save("ann", graded(record(scale=0.5)), record(scale=0.5))
    assert rows(course) == before


def test_what_is_entered_at_once_is_seen_at_once_or_not_at_all(gradebook, course, tiny, graded):
    writer = Writer(gradebook, course, tiny)
    before = rows(course)
    with pytest.raises(ZeroDivisionError), writer.at_once():
        writer.save("ann", graded(record()), record())
        writer.refuse("bob")
        raise ZeroDivisionError
    assert rows(course) == before
    commits = []
    event.listen(gradebook.engine, "commit", lambda connection: commits.append(connection))
    with writer.at_once():
        writer.save("ann", graded(record()), record())
        assert rows(course) == before
        writer.refuse("bob")
    assert len(commits) == 1
    assert gradebook.find_submission("tiny", "ann").score == 3
    assert gradebook.find_submission("tiny", "bob").score == 0


def test_a_gradebook_is_made_whole_or_not_at_all(course, monkeypatch):
    """As nbgrader makes it, and nothing of it where that is broken off in the middle."""
    path = course.root / "gradebook.db"
    path.unlink()
    version = nbgrader.api.get_alembic_version

    def stopped():
        raise KeyboardInterrupt

    monkeypatch.setattr(nbgrader.api, "get_alembic_version", stopped)
    with pytest.raises(KeyboardInterrupt), open_gradebook(course.directory):
        pass
    assert not list(course.root.glob("*gradebook*")) and not list(course.root.glob(".gradebook*"))
    monkeypatch.setattr(nbgrader.api, "get_alembic_version", version)
    with open_gradebook(course.directory):
        pass
    with sqlite3.connect(path) as base:
        assert base.execute("select count(*) from alembic_version").fetchone() == (1,)
    base.close()
    assert not list(course.root.glob(".gradebook*"))


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("database or disk is full", "has no room left: the disk is full"),
        ("disk I/O error", "Is a quota used up"),
        ("attempt to write a readonly database", "Make the file and its folder writable"),
    ],
)
def test_what_the_disk_does_not_take_is_told_in_a_sentence(course, said, told):
    with pytest.raises(GradebookError, match=told), explained(course.directory):
        raise OperationalError("insert", {}, sqlite3.OperationalError(said))


def test_manual_scores_and_comments_are_never_touched(gradebook, course, tiny, graded):
    writer = Writer(gradebook, course, tiny)
    writer.save("ann", graded(record()), record())
    gradebook.find_grade("scale", "tiny", "tiny", "ann").manual_score = 1.25
    gradebook.find_grade("scale", "tiny", "tiny", "ann").extra_credit = 0.5
    gradebook.find_comment("scale_code", "tiny", "tiny", "ann").manual_comment = "Well written."
    gradebook.db.commit()
    writer.save("ann", graded(record(scale=0.0)), record(scale=0.0))
    assert grades(gradebook)["scale"] == (0.0, 1.25, True)
    assert gradebook.find_grade("scale", "tiny", "tiny", "ann").extra_credit == 0.5
    assert remarks(gradebook)["scale_code"][1] == "Well written."


def test_a_late_submission_loses_what_nbgraders_plugin_says(gradebook, course, tiny, graded):
    class Halving(LateSubmissionPlugin):
        def late_submission_penalty(self, student_id, score, total_seconds_late):
            assert (student_id, score, total_seconds_late) == ("ann", 3.0, 3600.0)
            return 100.0

    hand_in(course.root, "ann", RIGHT)
    (course.submission("ann", "tiny") / "timestamp.txt").write_text("2026-03-01 11:00:00 UTC")
    gradebook.find_assignment("tiny").duedate = datetime.datetime(2026, 3, 1, 10)
    gradebook.db.commit()
    course.config.AssignLatePenalties.plugin_class = Halving
    Writer(gradebook, course, tiny).save("ann", graded(record()), record())
    submission = gradebook.find_submission("tiny", "ann")
    assert submission.timestamp == datetime.datetime(2026, 3, 1, 11)
    assert submission.late_submission_penalty == 3.0  # never more than there are points


def test_an_extension_is_later_than_the_due_date_or_refused(gradebook, course, tiny):
    path = course.root / "extensions.csv"
    path.write_text("login,set,due\nann,tiny,2026-03-01 11:00 UTC\n")
    with pytest.raises(CourseError, match="extends tiny, which has no due date; give it one"):
        Writer(gradebook, course, tiny)
    gradebook.find_assignment("tiny").duedate = datetime.datetime(2026, 3, 1, 12)
    gradebook.db.commit()
    with pytest.raises(CourseError, match="until 2026-03-01 11:00:00 UTC, and tiny is due at"):
        Writer(gradebook, course, tiny)
    path.write_text("login,set,due\n")
    assert Writer(gradebook, course, tiny).extensions == {}


def test_without_a_file_what_was_granted_in_the_gradebook_holds(gradebook, course, tiny):
    hand_in(course.root, "ann", RIGHT)
    gradebook.find_assignment("tiny").duedate = datetime.datetime(2026, 3, 1, 12)
    Writer(gradebook, course, tiny).enter("ann")
    gradebook.grant_extension("tiny", "ann", days=2)
    Writer(gradebook, course, tiny).enter("ann")
    assert gradebook.find_submission("tiny", "ann").extension == datetime.timedelta(days=2)
    (course.root / "extensions.csv").write_text("login,set,due\n")
    Writer(gradebook, course, tiny).enter("ann")
    gradebook.db.expire_all()
    assert gradebook.find_submission("tiny", "ann").extension is None


def test_a_linked_time_stamp_is_not_read(gradebook, course, tiny):
    hand_in(course.root, "ann", RIGHT)
    (course.submission("ann", "tiny") / "timestamp.txt").symlink_to("/dev/zero")
    Writer(gradebook, course, tiny).enter("ann")
    assert gradebook.find_submission("tiny", "ann").timestamp is None


def test_a_pipe_for_a_time_stamp_is_not_waited_for(gradebook, course, tiny):
    hand_in(course.root, "ann", RIGHT)
    os.mkfifo(course.submission("ann", "tiny") / "timestamp.txt")
    Writer(gradebook, course, tiny).enter("ann")
    assert gradebook.find_submission("tiny", "ann").timestamp is None


@pytest.mark.parametrize(
    ("said", "read"), [("", None), ("2026-03-01 11:00:00 UTC\n", datetime.datetime(2026, 3, 1, 11))]
)
def test_a_time_stamp_is_read_as_nbgrader_reads_it(tmp_path, said, read):
    path = tmp_path / "timestamp.txt"
    assert read_timestamp(path) is None
    path.write_text(said)
    assert read_timestamp(path) == read == CourseDirectory().get_existing_timestamp(str(tmp_path))


@pytest.mark.parametrize(
    "text",
    [b"yesterday", b"\xff", b"9" * 300, b"1", b"0001-01-01", b"9999-12-31", b"12:30", b"2026"],
)
def test_what_is_no_time_is_named(tmp_path, text):
    path = tmp_path / "timestamp.txt"
    path.write_bytes(text)
    with pytest.raises(SubmissionError, match="timestamp.txt holds no time such as"):
        read_timestamp(path)


# others may not even read; others may read
@pytest.mark.parametrize("lock", ["exclusive", "immediate"])
def test_a_locked_gradebook_is_named_and_nothing_is_half_written(course, tiny, graded, capfd, lock):
    course.directory.db_url = f"sqlite:///{course.root}/gradebook.db?timeout=0.1"
    with open_gradebook(course.directory) as gradebook:
        register(gradebook, course.directory, "tiny", read_release(tiny))
        writer = Writer(gradebook, course, tiny)
        other = sqlite3.connect(course.root / "gradebook.db")
        other.execute(f"begin {lock}")
        with pytest.raises(
            GradebookError, match="is locked: another program.*then run the same command again"
        ):
            writer.save("ann", graded(record()), record())
        other.rollback()
        other.close()
        writer.save("ann", graded(record()), record())
        assert grades(gradebook)["scale"][0] == 2.0
    assert "Traceback" not in "".join(capfd.readouterr())


def test_what_is_no_gradebook_is_named(course):
    (course.root / "gradebook.db").unlink()
    (course.root / "gradebook.db").mkdir()
    with (
        pytest.raises(GradebookError, match="cannot be used: unable to open database file"),
        open_gradebook(course.directory),
    ):
        pass


def test_a_damaged_gradebook_is_named_and_the_way_out(course):
    (course.root / "gradebook.db").write_text("no database" * 100)
    with (
        pytest.raises(GradebookError, match="is damaged, or another file.*move it away"),
        open_gradebook(course.directory),
    ):
        pass


def test_nbgrader_reads_the_score_that_the_judge_gave(graded):
    notebook = graded(record(scale=0.3333))
    assert [determine_grade(cell) for cell in test_cells(notebook)] == [(0.3333, 2.0), (1.0, 1.0)]
    nbformat.validate(notebook)


def test_a_finding_shows_the_message_the_first_hint_and_the_warnings():
    check = CheckResult(
        "a",
        "It adds.",
        2,
        0.5,
        "wrong",
        "s is wrong.",
        None,
        ("Look.", "Look again."),
        ("float32.",),
    )
    assert (
        finding(check)
        == "0.5 of 2 points (wrong): It adds.\ns is wrong.\nHint: Look.\nNote: float32.\n"
    )


def test_a_long_finding_is_broken_into_lines_and_loses_no_word():
    message = (
        "dWx and dWh are wrong, only in the block of f. " * 8
        + "x" * 100
        + "\n    kept = where_it_was"
    )
    lines = finding(CheckResult("a", "It adds.", 2, 0.5, "wrong", message)).splitlines()
    assert " ".join(lines).split() == f"0.5 of 2 points (wrong): It adds. {message}".split()
    assert max(map(len, lines)) == 100 and sorted(map(len, lines))[-2] <= 88
    assert lines[-1] == "    kept = where_it_was"


def test_notes_and_missing_isolation_stand_at_the_end_as_plain_output(graded):
    notebook = graded(record(notes=("Cell <script>1</script> failed.",), isolation="unsafe-local"))
    last = notebook.cells[-1]
    assert last.cell_type == "code"
    assert last.outputs[0].output_type == "stream"
    assert "without a sandbox (unsafe-local)" in last.outputs[0].text
    assert "<script>" in last.outputs[0].text
    assert len(graded(record()).cells) == len(notebook.cells) - 1


def test_comments_gather_all_checks_of_a_function_that_were_not_passed(tiny):
    assert comments(tiny, record()) == {}
    assert comments(tiny, record(scale=0.5, total=0.0)) == {
        "scale_code": "scale: y is <b>wrong</b>.",
        "total_code": "total: s is wrong.",
    }


def test_a_gradebook_of_another_version_is_named(course, tiny):
    with sqlite3.connect(course.root / "gradebook.db") as database:
        database.execute("alter table student drop column lms_user_id")
    database.close()
    with open_gradebook(course.directory) as gradebook:
        register(gradebook, course.directory, "tiny", read_release(tiny))
        with pytest.raises(
            GradebookError,
            match="another version of nbgrader: make a copy of it, then run `nbgrader db upgrade`",
        ):
            Writer(gradebook, course, tiny).enter("ann")


def test_what_quotes_the_inside_of_a_check_stays_out_of_the_graded_notebook(graded):
    inside = FOR_INSTRUCTOR + "the check scale failed itself. ValueError: expected 3.25"
    notebook = graded(record(notes=(inside, "Code cell 2: left out: %matplotlib inline.")))
    shown = nbformat.writes(notebook)
    assert "left out: %matplotlib" in shown
    assert "3.25" not in shown

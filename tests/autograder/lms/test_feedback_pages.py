"""Feedback pages of a class, and the zips in which Moodle and Canvas take them back."""

import shutil
import zipfile

import pytest
from click.testing import CliRunner

from autograder.cli import commands
from autograder.course.course import Course
from autograder.course.database import open_gradebook
from tests.support.tiny_course import ADDS, RIGHT, hand_in, hand_in_text

SPEAKS = RIGHT | {
    "total_code": "def total(x):\n    # <script>alert(1)</script>\n    return x.sum()"
}


@pytest.fixture
def week(tiny_course, empty_gradebook, monkeypatch):
    """A class of four that was graded; returns the command line."""
    shutil.copy(empty_gradebook, tiny_course / "gradebook.db")
    monkeypatch.chdir(tiny_course)
    monkeypatch.setenv("COLUMNS", "200")
    for student, work in {"7": SPEAKS, "12": ADDS, "eve": ADDS}.items():
        hand_in(tiny_course, student, work)
    hand_in_text(tiny_course, "31", "{")

    def call(*arguments, code=0):
        result = CliRunner().invoke(commands.main, list(arguments), catch_exceptions=False)
        assert result.exit_code == code, result.output
        return result.output

    call.ran = call("run", "tiny", code=1)
    return call


def pages(root):
    return {
        path.parent.parent.name: path.read_text() for path in root.glob("feedback/*/tiny/tiny.html")
    }


def test_each_student_gets_a_page_with_scores_comments_and_no_active_content(week, tiny_course):
    course = Course.load(tiny_course)
    with open_gradebook(course.directory) as gradebook:
        gradebook.update_or_create_student("12", first_name="Li", last_name="Doe")
        gradebook.find_comment(
            "scale_code", "tiny", "tiny", "12"
        ).manual_comment = "Look at <b>part 1</b>."
        gradebook.find_grade("scale", "tiny", "tiny", "12").manual_score = 0.5
        gradebook.db.commit()
    assert week("feedback", "tiny") == "4 pages in feedback\n"
    told = pages(tiny_course)
    assert set(told) == {"7", "12", "31", "eve"}
    assert "<strong>3 of 3 points</strong>" in told["7"]
    assert "&lt;script&gt;alert(1)" in told["7"]
    assert (
        "<strong>1.5 of 3 points</strong>" in told["12"] and "0.5 of 2 points (wrong)" in told["12"]
    )
    assert (
        "It adds a instead of multiplying" in told["12"]
        and "Hint: Which sign stands there?" in told["12"]
    )
    assert "Look at &lt;b&gt;part 1&lt;/b&gt;." in told["12"]
    assert "could not be graded" in told["31"] and "cannot be read as JSON" in told["31"]
    for text in told.values():
        assert "default-src &#39;none&#39;" in text or "default-src 'none'" in text
        assert "<script" not in text and "src=" not in text and "href=" not in text
    table = week("export", "csv", "tiny")
    assert (
        "4 scores, into" in table
        and "1 of them await a score by hand, or could not be graded" in table
    )
    rows = dict(
        line.split(",", 2)[1:]
        for line in (tiny_course / "exports/tiny-csv.csv").read_text().splitlines()[1:]
    )
    assert rows["12"].endswith(',"Doe, Li",0.5,1,adds,yes,,')
    assert rows["7"].endswith(",,2,1,,yes,,")
    assert rows["31"].endswith(",no,,,,,,yes,,")


def test_the_last_line_of_a_run_says_how_the_class_did(week):
    assert "mean 1.67, median 1.00 of 3 points; commonest mistakes: adds (2)" in week.ran


def test_moodles_zip_has_a_folder_for_each_participant(week, tiny_course):
    said = week("feedback", "tiny", "--zip", "moodle")
    assert "3 packed into exports/tiny-feedback-moodle.zip; without a place there: eve" in said
    with zipfile.ZipFile(tiny_course / "exports/tiny-feedback-moodle.zip") as archive:
        assert sorted(archive.namelist()) == [
            f"student_{number}_assignsubmission_file_/tiny.html" for number in (12, 31, 7)
        ]
        assert (
            archive.read("student_7_assignsubmission_file_/tiny.html").decode()
            == pages(tiny_course)["7"]
        )
    with zipfile.ZipFile(tiny_course / "given.zip", "w") as given:
        given.writestr("Ann Doe_7_assignsubmission_file_/my work.ipynb", "{}")
    week("feedback", "tiny", "--zip", "moodle", "--download", "given.zip")
    with zipfile.ZipFile(tiny_course / "exports/tiny-feedback-moodle.zip") as archive:
        assert "Ann Doe_7_assignsubmission_file_/tiny.html" in archive.namelist()


def test_folders_that_were_named_by_a_table_find_their_numbers_in_it(week, tiny_course):
    (tiny_course / "names.csv").write_text("Identifier,login\nParticipant 77,eve\n")
    said = week("feedback", "tiny", "--zip", "moodle")
    assert "without a place there: eve. Were the folders named by collect --names?" in said
    said = week("feedback", "tiny", "--zip", "moodle", "--names", "names.csv")
    assert "4 packed" in said and "without a place" not in said
    with zipfile.ZipFile(tiny_course / "exports/tiny-feedback-moodle.zip") as archive:
        assert "student_77_assignsubmission_file_/tiny.html" in archive.namelist()


def test_canvas_gets_its_own_file_names_back(week, tiny_course):
    assert "--download is missing" in week("feedback", "tiny", "--zip", "canvas", code=2)
    with zipfile.ZipFile(tiny_course / "given.zip", "w") as given:
        for name in (
            "doeann_7_90_tiny.ipynb",
            "doeann_7_95_tiny-1.ipynb",
            "li_LATE_12_91_tiny.ipynb",
        ):
            given.writestr(name, "{}")
    said = week("feedback", "tiny", "--zip", "canvas", "--download", "given.zip")
    assert "2 packed" in said and "without a place there: 31, eve" in said
    with zipfile.ZipFile(tiny_course / "exports/tiny-feedback-canvas.zip") as archive:
        assert sorted(archive.namelist()) == ["doeann_7_95_tiny-1.html", "li_LATE_12_91_tiny.html"]


def test_the_version_is_told():
    said = CliRunner().invoke(commands.main, ["--version"]).output
    assert said.startswith("autograder, version ")

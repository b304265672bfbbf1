import csv
import io
import shutil
import unicodedata

import pytest
from click.testing import CliRunner

from autograder.cli import commands
from autograder.course.course import Course
from autograder.course.database import open_gradebook
from autograder.errors import ExportError
from autograder.lms import worksheet
from autograder.lms.worksheet import Score, as_csv, fill_canvas, fill_moodle
from tests.support.tiny_course import ADDS, RIGHT, hand_in, hand_in_text

CANVAS = (
    "Student,ID,SIS User ID,SIS Login ID,Section,Essay (11),Tiny problems (12),Current Score\r\n"
    "    Points Possible,,,,,5,3,(read only)\r\n"
    '"Doe, Ann",101,s1,ann,"A, morning",4.5,,90\r\n'
    "李小龙,102,s2,Bob,B,,EX,\r\n"
    "محمد,103,s3,cay,B,,1,80\r\n"
    '"Student, Test",104,,,B,,,\r\n'
)
MOODLE = (
    "\ufeffIdentifier,Full name,Email address,Status,Grade,Maximum Grade,Grade can be changed,Last "
    "modified (grade)\n"
    'Participant 7,"Ann ""Andy"" Doe",ann@example.org,Submitted,,3.00,Yes,-\n'
    "Participant 12,李小龙,bob@example.org,Submitted,,3.00,Yes,-\n"
)


def rows(text):
    return list(csv.reader(io.StringIO(text.removeprefix("\ufeff"))))


def test_canvas_column_is_filled_and_nothing_else_changes():
    filled = fill_canvas(
        CANVAS, "tiny", [Score("ann", 2.0, 3), Score("cay", 1 / 3, 3)], column="Tiny problems"
    )
    before, after = rows(CANVAS), rows(filled.text)
    assert [row[6] for row in after] == ["Tiny problems (12)", "3", "2", "EX", "0.33", ""]
    for row in (*before, *after):
        row[6] = ""
    assert before == after and filled.text.count("\r\n") == CANVAS.count("\r\n")
    assert (filled.entered, filled.unmatched, filled.notes) == (["ann", "cay"], [], ())
    assert filled.without == ["李小龙", "Student, Test"]


@pytest.mark.parametrize(("title", "told"), [("Final essay", True), ("Finalists", False)])
def test_a_column_that_canvas_may_ignore_is_told(title, told):
    worksheet = CANVAS.replace("Tiny problems", title)
    filled = fill_canvas(worksheet, "tiny", [Score("ann", 2.0, 3)], column=title)
    assert filled.entered == ["ann"]
    assert any("the word Final in their title" in note for note in filled.notes) is told


def test_canvas_matches_by_whichever_of_its_ids_the_folders_bear():
    for names in (["s1", "s3"], ["101", "103"], ["ANN", "cay"]):
        filled = fill_canvas(
            CANVAS, "tiny", [Score(name, 3, 3) for name in names], column="Tiny problems (12)"
        )
        assert [row[6] for row in rows(filled.text)][2:5] == ["3", "EX", "3"]
    # 102 is an id, and somebody else's folder may be called s2: the column with more matches
    # decides, or the instructor.
    both = [Score("102", 1, 3), Score("s1", 2, 3), Score("s3", 3, 3)]
    filled = fill_canvas(CANVAS, "tiny", both, column="Tiny problems")
    assert filled.unmatched == ["102"] and filled.entered == ["s1", "s3"]
    assert fill_canvas(
        CANVAS.replace("EX", ""), "tiny", both, column="Tiny problems", key="ID"
    ).entered == ["102"]


def test_accents_match_however_they_are_put_together():
    composed, apart = (unicodedata.normalize(form, "Zoé") for form in ("NFC", "NFD"))
    for folder, cell in ((composed, apart), (apart, composed)):
        filled = fill_canvas(
            CANVAS.replace("ann", cell), "tiny", [Score(folder, 2, 3)], column="Tiny problems"
        )
        assert filled.entered == [folder] and cell in filled.text


def test_nobody_is_dropped_in_silence():
    filled = fill_canvas(
        CANVAS, "tiny", [Score("ann", 2, 3), Score("dan", 3, 3)], column="Tiny problems"
    )
    assert filled.unmatched == ["dan"]
    incomplete = [Score("ann", 2, 4, complete=False)]
    assert fill_canvas(CANVAS, "tiny", incomplete, column="Tiny problems").notes == (
        "Canvas gives at most 3 points, this problem set 4: the scores were not scaled",
        "not all parts have a score yet: ann",
    )


@pytest.mark.parametrize(
    ("text", "options", "said"),
    [
        (CANVAS, {}, "no column 'tiny', but 'Student', 'ID'"),
        (CANVAS, {"column": "Tiny problems", "key": "Login"}, "no column 'Login'"),
        (
            CANVAS.replace("Essay (11)", "Tiny problems (9)"),
            {"column": "Tiny problems"},
            "2 columns for 'Tiny problems'",
        ),
        (
            CANVAS.replace("103,s3,cay", "103,s3,ann"),
            {"column": "Tiny problems"},
            "two rows of the worksheet fit 'ann'",
        ),
        (
            CANVAS.replace("ann", "x"),
            {"column": "Tiny problems"},
            "no row fits a student of the gradebook ('ann' ...)",
        ),
        (
            "name;points\nann;3\n",
            {},
            "this is no gradebook of Canvas: it has no column 'Student', but 'name', 'points'",
        ),
        ("", {}, "the worksheet is empty"),
        ('a,"b\n', {}, "no CSV file"),
    ],
)
def test_what_cannot_be_filled_is_refused_with_a_reason(text, options, said):
    with pytest.raises(ExportError) as refusal:
        fill_canvas(text, "tiny", [Score("ann", 2, 3)], **options)
    assert said in str(refusal.value)


def test_who_is_excused_in_canvas_stays_so():
    filled = fill_canvas(
        CANVAS, "tiny", [Score("ann", 2, 3), Score("bob", 3, 3)], column="Tiny problems"
    )
    assert [row[6] for row in rows(filled.text)][2:5] == ["2", "EX", "1"]
    assert (filled.entered, filled.unmatched) == (["ann"], [])
    assert filled.notes == ("excused in the worksheet, and left so: bob",)


def test_a_worksheet_with_semicolons_keeps_them():
    text = (
        CANVAS.replace("Doe, Ann", "Doe Ann")
        .replace("A, morning", "A")
        .replace("Student, Test", "Test")
    )
    text = text.replace('"', "").replace(",", ";")
    filled = fill_canvas(text, "tiny", [Score("ann", 2.5, 3)], column="Tiny problems")
    assert "Doe Ann;101;s1;ann;A;4.5;2.5;90\r\n" in filled.text
    # A title with more commas than there are columns, and a cell with another end of line than the
    # file.
    title = '"Tiny problems, one, two, three, four, five, six, seven (12)"'
    text = (
        text.replace("Tiny problems (12)", title)
        .replace("\r\n", "\n")
        .replace(";90\n", ';"9\r\n0"\n')
    )
    filled = fill_canvas(text, "tiny", [Score("ann", 2.5, 3)], column=title.strip('"'))
    assert (
        'Doe Ann;101;s1;ann;A;4.5;2.5;"9\r\n0"\n' in filled.text and filled.text.count("\r\n") == 1
    )


def test_moodle_worksheet_is_filled_by_its_participants():
    filled = fill_moodle(MOODLE, "tiny", [Score("7", 3, 3), Score("Participant 12", 0, 3)])
    assert filled.text.startswith("\ufeffIdentifier") and '"Ann ""Andy"" Doe"' in filled.text
    assert [row[4] for row in rows(filled.text)] == ["Grade", "3", "0"]
    by_mail = fill_moodle(MOODLE, "tiny", [Score("bob@example.org", 1.5, 3)])
    assert (by_mail.entered, by_mail.without) == (["bob@example.org"], ['Ann "Andy" Doe'])


def test_moodle_in_another_language_is_filled_by_naming_the_columns():
    german = (
        MOODLE.replace("Identifier", "ID")
        .replace("Participant", "Teilnehmer/in")
        .replace(",Grade,", ",Bewertung,")
    )
    with pytest.raises(ExportError, match="no column 'Grade'.*--column"):
        fill_moodle(german, "tiny", [Score("7", 3, 3)])
    # Moodle's German, and most of its other languages, put no space before the number.
    for text in (
        german,
        german.replace("Teilnehmer/in ", "Teilnehmer/in"),
        german.replace("Teilnehmer/in ", "参与者"),
    ):
        for key in (None, "ID"):
            filled = fill_moodle(text, "tiny", [Score("7", 2.5, 3)], column="Bewertung", key=key)
            assert [row[4] for row in rows(filled.text)] == ["Bewertung", "2.5", ""]


def test_a_user_whose_name_ends_with_a_number_is_not_the_participant_of_that_number():
    text = (
        MOODLE.replace("Email address", "Username")
        .replace("ann@example.org", "ann12")
        .replace("bob@", "bob7@")
    )
    filled = fill_moodle(text, "tiny", [Score("7", 3, 3), Score("12", 1, 3)])
    assert [row[4] for row in rows(filled.text)] == ["Grade", "3", "1"]
    with pytest.raises(ExportError, match="no row fits"):
        fill_moodle(
            text.replace("Participant", "Row").replace("7,", "1,").replace("12,李", "2,李"),
            "tiny",
            [Score("7", 3, 3)],
        )


def test_what_moodle_would_leave_out_is_listed():
    filled = fill_moodle(MOODLE, "tiny", [Score("7", 4, 5), Score("12", 3, 5)])
    assert (
        filled.notes[1] == "Moodle leaves out a score above its own maximum, and does not say so: 7"
    )


def test_table_of_our_own_survives_any_name():
    names = ["Doe, Ann", 'say "hi"', "李小龙", "محمد", "two\nlines"]
    table = rows(as_csv("tiny", [Score(name, 2.126, 3) for name in names]))
    assert [row[1] for row in table[1:]] == names and {row[2] for row in table[1:]} == {"2.13"}


def test_no_name_is_a_formula_for_a_spreadsheet():
    names = ["=HYPERLINK(1)", "+1", "-1", "@SUM(1)", "\t=1", "a=1"]
    table = rows(as_csv("tiny", [Score(name, 1, 3) for name in names]))
    assert [row[1] for row in table[1:]] == [*(f"'{name}" for name in names[:5]), "a=1"]


def test_a_file_in_another_encoding_is_refused_or_read(tmp_path):
    path = tmp_path / "worksheet.csv"
    path.write_bytes("Müller".encode("latin-1"))
    with pytest.raises(ExportError, match=r"not encoded in UTF-8 \(byte 1\)"):
        worksheet.read_worksheet(path)
    path.write_bytes("Müller".encode("utf-16"))
    assert worksheet.read_worksheet(path) == "Müller"


def test_a_worksheet_with_tabs_keeps_them():
    filled = fill_moodle(MOODLE.replace(",", "\t"), "tiny", [Score("7", 2.0, 3)])
    table = list(csv.reader(io.StringIO(filled.text.removeprefix("\ufeff")), delimiter="\t"))
    assert {len(row) for row in table} == {8} and [row[4] for row in table[1:]] == ["2", ""]


def test_whole_way_with_a_score_by_hand_and_one_for_a_late_submission(
    tiny_course, empty_gradebook, monkeypatch
):
    shutil.copy(empty_gradebook, tiny_course / "gradebook.db")
    monkeypatch.chdir(tiny_course)
    monkeypatch.setenv("COLUMNS", "200")
    for student, work in {"ann": RIGHT, "bob": ADDS, "cay": RIGHT, "dan": RIGHT}.items():
        hand_in(tiny_course, student, work)
    hand_in_text(tiny_course, "eve", "{")

    def call(*arguments):
        return CliRunner().invoke(commands.main, list(arguments), catch_exceptions=False)

    refused = call("export", "csv", "tiny")
    assert refused.exit_code == 2 and "run `autograder run tiny` first" in refused.stderr
    call("run", "tiny")
    with open_gradebook(Course.load(tiny_course).directory) as gradebook:
        gradebook.find_grade("scale", "tiny", "tiny", "bob").manual_score = 1.5
        gradebook.find_submission_notebook("tiny", "tiny", "cay").late_submission_penalty = 1.0
        # Corrected after the penalty was set: no score falls below 0.
        gradebook.find_grade("scale", "tiny", "tiny", "dan").manual_score = 0.0
        gradebook.find_submission_notebook("tiny", "tiny", "dan").late_submission_penalty = 2.0
        gradebook.db.commit()
    assert call("export", "csv", "tiny").exit_code == 0
    table = rows((tiny_course / "exports" / "tiny-csv.csv").read_text())
    assert [row[1:6] for row in table[1:]] == [
        ["ann", "3", "3", "0", "yes"],
        ["bob", "2.5", "3", "0", "yes"],
        ["cay", "2", "3", "1", "yes"],
        ["dan", "0", "3", "2", "yes"],
        ["eve", "0", "3", "0", "no"],
    ]
    (tiny_course / "canvas.csv").write_text(CANVAS)
    result = call(
        "export",
        "canvas",
        "tiny",
        "--worksheet",
        "canvas.csv",
        "--column",
        "Tiny problems",
        "--out",
        "filled.csv",
    )
    assert result.exit_code == 1 and "without a row: dan, eve" in result.stdout
    assert (
        "2 scores, into filled.csv" in result.stdout
        and "excused in the worksheet, and left so: bob" in result.stdout
    )
    assert [row[6] for row in rows((tiny_course / "filled.csv").read_text())][2:5] == [
        "3",
        "EX",
        "2",
    ]
    missing = call("export", "moodle", "tiny")
    assert (
        missing.exit_code == 2
        and "--worksheet is missing: the file that Moodle exported" in missing.stderr
    )

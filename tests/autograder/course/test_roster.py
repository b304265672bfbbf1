import shutil

import pytest
from click.testing import CliRunner

from autograder.batch import report
from autograder.cli import commands
from autograder.course.course import Course
from autograder.course.database import open_gradebook
from autograder.course.roster import Person, Roster, read_extensions, read_roster
from autograder.errors import CourseError
from tests.support.tiny_course import ADDS, RIGHT, hand_in

CLASS = """login;name;e-mail;section
bob;"Roe, Bob; junior";bob@example.org;B
ann;Doe, Ann;ann@example.org;A
Änne;Poe, Änne;;A

cay;;;
"""


@pytest.fixture
def course(tiny_course, empty_gradebook):
    shutil.copy(empty_gradebook, tiny_course / "gradebook.db")
    return Course.load(tiny_course)


def write(course, name, content):
    (course.root / name).write_bytes(content if isinstance(content, bytes) else content.encode())


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_roster_is_read_as_a_spreadsheet_writes_it(course, encoding):
    write(course, "roster.csv", CLASS.encode(encoding))
    roster = read_roster(course)
    assert roster.is_file
    assert roster.people == (
        Person("cay"),
        Person("ann", "Doe, Ann", "ann@example.org", "A"),
        Person("Änne", "Poe, Änne", "", "A"),
        Person("bob", "Roe, Bob; junior", "bob@example.org", "B"),
    )
    # whatever a file system does to an accent, and a person to a capital
    there = ["Anne\N{COMBINING DIAERESIS}".replace("Anne\u0308", "A\u0308nne"), "BOB", "zed"]
    assert [person.login for person in roster.not_handed_in(there)] == ["cay", "ann"]
    assert roster.unknown(there) == ["zed"]


def test_the_file_of_nbgraders_import_is_a_roster(course):
    write(course, "roster.csv", "id,first_name,last_name,email,lms_user_id\nann,Ann,Doe,a@b.c,7\n")
    assert read_roster(course).people == (Person("ann", "Doe, Ann", "a@b.c"),)


def test_without_a_file_nbgraders_students_are_the_class(course, tmp_path):
    with open_gradebook(course.directory) as gradebook:
        gradebook.add_student("ann", first_name="Ann", last_name="Doe", email="ann@example.org")
        gradebook.add_student("bob")
    roster = read_roster(course)
    assert roster == Roster((Person("ann", "Doe, Ann", "ann@example.org"), Person("bob")))
    assert roster.unknown(["zed"]) == []  # everybody who hands in is added to it
    (course.root / "gradebook.db").unlink()
    assert read_roster(course) == Roster()
    assert not (course.root / "gradebook.db").exists()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "roster.csv is empty; its first row must be login"),
        ("login,name\n", "it has headings and no student; add a row for each"),
        ("nom,prénom\na,b\n", "has no column 'login', but 'nom', 'prénom'; expected is one of"),
        ("login,id\na,b\n", "has 2 columns for login: 'login', 'id'; leave one of them"),
        ("login,name\nann,A\n,B\n", "line 3: the login is missing; it is the name"),
        ("login\nann\nbob\nANN\n", "line 4 has the login 'ANN' of line 2; leave one"),
        ("login\n../x\n", "line 2: no folder can be called '../x'"),
        ("login\n.x\n", "line 2: no folder can be called '.x'"),
        ("login\n" + "x" * 300, "line 2: 'xxx.*the folder's name is too long"),
        ("login,name\nann,Doe, Ann\n", "line 2 has 3 cells and there are 2 headings; put quotes"),
        ('login,name\nann,"Doe\n', "line 2: no CSV"),
        (b"login\n\xe4nne\n", r"is not encoded in UTF-8 \(byte 6\); save it as CSV UTF-8"),
        ("login\n" + "\n".join(["a"] * 20), "; and 9 more$"),
    ],
)
def test_a_roster_that_cannot_be_names_line_and_remedy(course, content, said):
    write(course, "roster.csv", content)
    with pytest.raises(CourseError, match=said):
        read_roster(course)


SETS = {"tiny", "large"}


def test_extensions_are_of_one_problem_set_and_in_utc(course):
    assert read_extensions(course, "tiny", SETS) is None
    rows = (
        "ann,tiny,2026-03-08 12:00 UTC\nBob,tiny,2026-03-08T12:00 "
        "Europe/Berlin\nann,large,2026-03-09 12:00\n"
    )
    write(course, "extensions.csv", "login,set,due\n" + rows)
    found = read_extensions(course, "tiny", SETS)
    assert {login: when.isoformat(" ") for login, when in found.items()} == {
        "ann": "2026-03-08 12:00:00",
        "bob": "2026-03-08 11:00:00",
    }


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("ann,tiny", "line 2: '' is no time such as 2026-03-08 12:00 UTC"),
        ("ann,tiny,next week", "line 2: 'next week' is no time"),
        ("ann,tiny,2026-03-08", "line 2: '2026-03-08' is no time"),
        ("ann,tiny,2026-03-08 12:00 EDT", "is no time"),
        ("ann,tiny,2026-33-08 12:00 UTC", "is no time"),
        ("ann,tinny,2026-03-08 12:00 UTC", "there is no problem set 'tinny', but large, tiny"),
        (",tiny,2026-03-08 12:00 UTC", "line 2: the login is missing"),
        (
            "ann,tiny,2026-03-08 12:00 UTC\nANN,tiny,2026-03-09 12:00 UTC",
            "line 3: says what line 2 says of 'ann' and tiny; leave one",
        ),
    ],
)
def test_an_extension_that_cannot_be_names_line_and_remedy(course, row, said):
    write(course, "extensions.csv", f"login,set,due\n{row}\n")
    with pytest.raises(CourseError, match=said):
        read_extensions(course, "tiny", SETS)


def test_run_report_and_export_say_who_has_not_handed_in(course, monkeypatch):
    monkeypatch.chdir(course.root)
    monkeypatch.setenv("COLUMNS", "200")
    hand_in(course.root, "ann", RIGHT)
    hand_in(course.root, "zed", ADDS)
    hand_in(course.root, "cay", RIGHT).parent.rename(course.root / "submitted" / "cay" / "Tiny")
    hand_in(course.root, "odd", RIGHT).parent.rename(course.root / "submitted" / "odd" / "Tiny")
    write(course, "roster.csv", CLASS)

    def call(*arguments):
        return CliRunner().invoke(commands.main, list(arguments), catch_exceptions=False)

    said = call("run", "tiny").stdout
    assert "Not handed in (3 of 4): cay, Änne (Poe, Änne), bob (Roe, Bob; junior)." in said
    assert "Not in roster.csv: zed." in said
    assert "Not in a folder submitted/<student>/tiny: odd." in said
    assert "Not handed in" not in call("run", "tiny", "--student", "ann").stdout

    with open_gradebook(course.directory) as gradebook:
        gradebook.update_or_create_assignment("tiny", duedate="2026-03-01 12:00 UTC")
    rows = "Ann,tiny,2026-03-08 12:00 UTC\ncya,tiny,2026-03-09 12:00 UTC\n"
    write(course, "extensions.csv", f"login,set,due\n{rows}")
    said = call("run", "tiny").stdout
    until = "ann until 2026-03-08 12:00 UTC; cya until 2026-03-09 12:00 UTC, not handed in."
    assert f"More time, by extensions.csv: {until}" in said

    said = call("report", "tiny").stdout
    assert said.endswith("(2 graded, 0 not, 0 waiting, 3 not handed in)\n")
    page = (course.root / "reports" / "tiny.html").read_text()
    assert "<dt>not handed in</dt><dd>3 of 4</dd>" in page
    assert "<strong>B</strong>: <bdi>bob (Roe, Bob; junior)</bdi>" in page
    assert "Handed in, and not in roster.csv: <bdi>zed</bdi>." in page

    said = call("export", "csv", "tiny").stdout
    assert "2 scores, into" in said and "3 have not handed in (handed_in: no)." in said
    rows = (course.root / "exports" / "tiny-csv.csv").read_text().splitlines()
    assert 'tiny,ann,3,3,0,yes,,"Doe, Ann",2,1,,yes,A,ann@example.org' in rows
    assert 'tiny,bob,,3,,no,,"Roe, Bob; junior",,,,no,B,bob@example.org' in rows
    assert "tiny,zed,1,3,0,yes,,,0,1,adds,yes,," in rows

    write(course, "roster.csv", "login\nann\nann\n")
    for command in (["run", "tiny"], ["report", "tiny"], ["export", "csv", "tiny"]):
        refused = call(*command)
        assert refused.exit_code == 2 and "line 3 has the login 'ann' of line 2" in refused.stderr


def test_a_class_without_a_roster_has_a_report_without_that_section(course):
    hand_in(course.root, "eve", RIGHT)
    found = report.Class(None, {}, {}, ["eve"])
    assert found.not_handed_in == [] and found.roster.unknown(found.handed_in) == []

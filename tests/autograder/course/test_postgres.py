"""A gradebook in a real PostgreSQL server, which is started for these tests and ended after
them.
"""

import gc
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import threading
from pathlib import Path

import pytest
from nbgrader.api import Base
from nbgrader.coursedir import CourseDirectory
from sqlalchemy import create_engine

from autograder.batch import grading as batch
from autograder.course.course import Course
from autograder.course.database import open_gradebook, without_password
from autograder.errors import GradebookError
from autograder.lms import worksheet
from tests.support.nbgrader_cli import everything, fill_class, nbgrader
from tests.support.tiny_course import ADDS, RIGHT, hand_in

psycopg = pytest.importorskip("psycopg", reason="no psycopg; install the extra: postgres")


# nbgrader's Gradebook leaves its connection open when it cannot make its tables.
pytestmark = pytest.mark.filterwarnings("ignore:.* was deleted while still open:ResourceWarning")


@pytest.fixture(autouse=True)
def collected():
    """What such a connection warns of belongs to the test that made it, and to no later one."""
    yield
    gc.collect()


def programs():
    """Folder of PostgreSQL's programs; Debian does not put it on the PATH."""
    found = shutil.which("initdb")
    folders = (
        [Path(found).resolve().parent]
        if found
        else sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    )
    if not folders:
        pytest.skip(
            "no PostgreSQL server here: its program initdb was not found (Debian's package is "
            "postgresql)"
        )
    return folders[-1]


class Server:
    """A server of its own on a socket in a temporary folder, run by somebody who is not root: it
    refuses root.
    """

    def __init__(self, folder):
        self.folder, self.programs = folder, programs()
        self.user = (
            {"user": "nobody", "group": "nogroup", "extra_groups": []} if os.geteuid() == 0 else {}
        )
        if self.user:
            shutil.chown(folder, "nobody", "nogroup")
        (folder / "password").write_text("secret\n")
        (folder / "password").chmod(0o644)
        self._do(
            *(
                "initdb",
                "-D",
                folder / "data",
                "-U",
                "grader",
                "-A",
                "scram-sha-256",
                "--pwfile",
                folder / "password",
            ),
            *("--no-sync", "-E", "UTF8", "--locale", "C"),
        )

    def _do(self, program, *arguments):
        subprocess.run(
            [self.programs / program, *arguments],
            **self.user,
            cwd=self.folder,
            stdout=subprocess.DEVNULL,
            check=True,
        )

    def start(self):
        options = f"-k {self.folder} -c listen_addresses= -c fsync=off"
        self._do(
            "pg_ctl",
            "-D",
            self.folder / "data",
            "-l",
            self.folder / "log",
            "-w",
            "-o",
            options,
            "start",
        )

    def stop(self):
        self._do("pg_ctl", "-D", self.folder / "data", "-w", "-m", "immediate", "stop")

    def address(self, database, user="grader", password="secret"):
        return f"postgresql+psycopg://{user}:{password}@/{database}?host={self.folder}"

    def say(self, *commands, database="postgres"):
        where = {"host": str(self.folder), "user": "grader", "password": "secret"}
        with psycopg.connect(dbname=database, **where, autocommit=True) as connection:
            for command in commands:
                rows = connection.execute(command)
            return rows.fetchall() if rows.description else []


@pytest.fixture(scope="module")
def server():
    with tempfile.TemporaryDirectory(
        prefix="pg"
    ) as folder:  # pytest's own is too deep for a socket, and closed to others
        server = Server(Path(folder))
        server.start()
        yield server
        server.stop()


@pytest.fixture
def database(server, request):
    """Name of a new, empty database."""
    name = f"d{abs(hash(request.node.nodeid))}"
    server.say(f"create database {name}")
    return name


def with_gradebook_in(course, address):
    """Let a course's settings name another gradebook."""
    settings = course / "nbgrader_config.py"
    settings.write_text(settings.read_text() + f"\nc.CourseDirectory.db_url = {address!r}\n")
    return Course.load(course)


def what_formgrader_lists(course):
    with open_gradebook(Course.load(course).directory) as gradebook:
        listed = gradebook.submission_dicts("tiny") + gradebook.notebook_submission_dicts(
            "tiny", "tiny"
        )
    return sorted(repr({**row, "id": 0}) for row in listed)


def test_the_same_class_gives_the_same_rows_in_both_gradebooks_by_both_commands(
    tiny_course, tmp_path, server
):
    fill_class(tiny_course)
    (tiny_course / "records").mkdir()
    (tiny_course / "records" / "course.key").write_text("11" * 32)
    ours, nbgraders = (
        shutil.copytree(tiny_course, tmp_path / name, symlinks=True)
        for name in ("ours", "nbgraders")
    )
    server.say("create database ours", "create database nbgraders")
    in_postgres = with_gradebook_in(ours, server.address("ours"))
    with_gradebook_in(nbgraders, server.address("nbgraders"))

    students = ["ann", "bob", "cay", "dan"]
    for course in (Course.load(tiny_course), in_postgres):
        batch.run(batch.Grading.prepare(course, "tiny"), students)
    process = nbgrader(nbgraders, "autograde", "tiny")
    # dan's cannot be read
    assert process.stderr.count("There was an error processing assignment 'tiny'") == 1
    assert everything(tiny_course) == everything(ours) == everything(nbgraders)
    assert (
        what_formgrader_lists(tiny_course)
        == what_formgrader_lists(ours)
        == what_formgrader_lists(nbgraders)
    )
    assert worksheet.scores(Course.load(tiny_course), "tiny") == worksheet.scores(
        in_postgres, "tiny"
    )
    assert not (ours / "gradebook.db").exists()

    # What is entered by hand stays, as in SQLite.
    with open_gradebook(in_postgres.directory) as gradebook:
        gradebook.find_grade("scale", "tiny", "tiny", "bob").manual_score = 1.5
        gradebook.find_comment(
            "scale_code", "tiny", "tiny", "bob"
        ).manual_comment = "Seen: \u4f60\u597d \U0001f600"
        gradebook.db.commit()
    batch.run(batch.Grading.prepare(in_postgres, "tiny"), students, force=True)
    with open_gradebook(in_postgres.directory) as gradebook:
        assert gradebook.find_submission("tiny", "bob").score == 2.5
        comment = gradebook.find_comment("scale_code", "tiny", "tiny", "bob")
        assert "It adds a instead of multiplying." in comment.auto_comment
        assert comment.manual_comment == "Seen: \u4f60\u597d \U0001f600"


def test_two_people_grade_two_problem_sets_at_one_time(tiny_course, server, database):
    from autograder.course import release

    other = shutil.copytree(tiny_course / "solutions" / "tiny", tiny_course / "solutions" / "other")
    (other / "tiny.md").rename(other / "other.md")
    release.write_releases(tiny_course)
    for k in range(6):
        path = hand_in(tiny_course, f"s{k}", RIGHT if k % 2 else ADDS)
        (path.parents[1] / "other").mkdir()
        shutil.copy(path, path.parents[1] / "other" / "other.ipynb")
    with_gradebook_in(tiny_course, server.address(database))
    command = [Path(sysconfig.get_path("scripts")) / "autograder", "run"]
    said = {
        "cwd": tiny_course,
        "stdout": subprocess.PIPE,
        "stderr": subprocess.STDOUT,
        "text": True,
    }
    both = [subprocess.Popen([*command, name], **said) for name in ("tiny", "other")]
    for process in both:
        output, _ = process.communicate()
        assert process.returncode == 0 and "6 judged" in output, output
    rows = server.say("select count(*), sum(auto_score) from grade", database=database)
    assert rows == [(24, 2 * (3 * 3 + 3 * 1))]
    assert server.say("select count(*) from student", database=database) == [(6,)]


def test_who_opens_a_new_gradebook_while_another_makes_it_goes_on(server, database):
    directory = CourseDirectory(course_id="one", db_url=server.address(database))
    waiting = "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = "
    failed = []

    def open_it():
        try:
            with open_gradebook(directory):
                pass
        except GradebookError as error:
            failed.append(error)

    engine = create_engine(directory.db_url)
    with engine.begin() as first:
        Base.metadata.create_all(first)
        second = threading.Thread(target=open_it)
        second.start()
        while second.is_alive() and server.say(f"{waiting}'{database}'") == [(0,)]:
            second.join(0.05)
    second.join()
    engine.dispose()
    assert not failed
    assert server.say("select id from course", database=database) == [("one",)]


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (
            {"password": "guessed"},
            "refuses this user or this password. Correct c.CourseDirectory.db_url",
        ),
        ({"user": "stranger"}, "refuses this user or this password"),
        ({"database": "nowhere"}, "has no such database. Make it with `createdb"),
        (
            {"database": "template1", "user": "weak"},
            "may not make tables or write there. Make the user the owner",
        ),
    ],
)
def test_what_is_wrong_with_the_address_is_said_in_a_sentence(
    server, tiny_course, capfd, wrong, reason
):
    if wrong.get("user") == "weak":
        server.say("create role weak login password 'secret'")
    course = with_gradebook_in(tiny_course, server.address(**{"database": "postgres"} | wrong))
    with pytest.raises(GradebookError, match=reason) as said, open_gradebook(course.directory):
        pass
    sentence = str(said.value)
    assert ":***@" in sentence and "secret" not in sentence and "\n" not in sentence
    assert "Traceback" not in "".join(capfd.readouterr())


def test_a_server_that_is_not_there_is_said_in_a_sentence_by_both_commands(tiny_course, tmp_path):
    hand_in(tiny_course, "ann", RIGHT)
    address = f"postgresql+psycopg://grader:secret@/tiny?host={tmp_path}"
    course = with_gradebook_in(tiny_course, address)
    with pytest.raises(GradebookError, match="the server does not answer. Start it, or correct"):
        batch.run(batch.Grading.prepare(course, "tiny"), ["ann"])
    process = nbgrader(tiny_course, "autograde", "tiny")
    assert "Nothing was graded. The gradebook postgresql+psycopg://grader:***@" in process.stderr
    assert (
        process.returncode == 1
        and "secret" not in process.stderr
        and "Traceback" not in process.stderr
    )


def test_a_missing_driver_and_a_wrong_address_are_said(tiny_course, monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    course = with_gradebook_in(tiny_course, "postgresql+psycopg://grader:secret@/tiny")
    with pytest.raises(GradebookError, match=r"needs a driver: `pip install 'psycopg\[binary\]'`"):
        open_gradebook(course.directory).__enter__()
    for address in ("postgres://grader:secret@/tiny", "grader secret"):
        course = with_gradebook_in(tiny_course, address)
        with pytest.raises(GradebookError, match="must be an address such as sqlite:") as said:
            open_gradebook(course.directory).__enter__()
        assert "secret" not in str(said.value)
    assert without_password("sqlite:////a/gradebook.db") == "sqlite:////a/gradebook.db"


def test_a_server_that_ends_in_the_middle_costs_no_score(tiny_course, server, database):
    students = [f"s{k}" for k in range(4)]
    for student in students:
        hand_in(tiny_course, student, RIGHT)
    course = with_gradebook_in(tiny_course, server.address(database))
    grading = batch.Grading.prepare(course, "tiny")
    seen = []

    def progress(outcome):
        seen.append(outcome.student)
        if len(seen) == 2:
            server.stop()

    try:
        with pytest.raises(GradebookError, match="then run the same command again"):
            batch.run(grading, students, jobs=1, progress=progress)
    finally:
        server.start()
    outcomes = batch.run(grading, students)
    assert [outcome.judged for outcome in outcomes] == [False] * 4
    with open_gradebook(course.directory) as gradebook:
        assert [gradebook.find_submission("tiny", student).score for student in students] == [
            3.0
        ] * 4

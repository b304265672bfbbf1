"""Who is in the class, and who has more time: ``roster.csv`` and ``extensions.csv``, beside
nbgrader_config.py.

Without a roster the students of nbgrader's gradebook are the class. Without a file of extensions,
those that somebody granted in the gradebook hold.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from nbgrader.api import Student
from sqlalchemy.engine import make_url

from autograder.course.course import Course, parse_time
from autograder.course.database import open_gradebook
from autograder.course.table import Row, read_rows, refuse
from autograder.files import unwritable_name
from autograder.text import folded

ROSTER, EXTENSIONS = "roster.csv", "extensions.csv"
# Name of a column -> its headings: ours, nbgrader's, those of the common platforms.
LOGIN = ("login", "id", "student_id", "student id", "username")
ROSTER_COLUMNS = {
    "login": LOGIN,
    "name": ("name", "full name"),
    "first": ("first_name", "first name"),
    "last": ("last_name", "last name", "surname"),
    "email": ("e-mail", "email", "email address"),
    "section": ("section", "group"),
}
EXTENSION_COLUMNS = {
    "login": LOGIN,
    "set": ("set", "problem set", "problem_set", "assignment"),
    "due": ("due", "until", "duedate"),
}
# With the hour: nbgrader takes a date alone for the first second of the day.
TIME = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d)?(Z|[+-]\d\d:\d\d| [A-Za-z_/+-]+)?")


@dataclass(frozen=True)
class Person:
    """A student of the class; ``login`` is the name of the folder under ``submitted/``."""

    login: str
    name: str = ""
    email: str = ""
    section: str = ""

    @property
    def label(self) -> str:
        """How a list calls the student.

        >>> Person("ann", "Doe, Ann").label
        'ann (Doe, Ann)'
        """
        return f"{self.login} ({self.name})" if self.name else self.login


@dataclass(frozen=True)
class Roster:
    """The class.

    Parameters
    ----------
    people : sorted by section, then by login
    is_file : whether a file names them; else they are the students of the gradebook, to which
        everybody is added who hands in
    """

    people: tuple[Person, ...] = ()
    is_file: bool = False

    def not_handed_in(self, handed_in: Iterable[str]) -> list[Person]:
        """Those of the class who are not among the names of folders."""
        there = {folded(student) for student in handed_in}
        return [person for person in self.people if folded(person.login) not in there]

    def unknown(self, handed_in: Iterable[str]) -> list[str]:
        """Names of folders that the roster does not have; none where no file is the roster."""
        known = {folded(person.login) for person in self.people}
        return [s for s in sorted(handed_in) if folded(s) not in known] if self.is_file else []

    def by_login(self) -> dict[str, Person]:
        """Folded login -> student."""
        return {folded(person.login): person for person in self.people}


def read_roster(course: Course) -> Roster:
    """The class, from ``roster.csv``, else from the gradebook; empty where there is neither.

    Raises
    ------
    CourseError : the file has rows that cannot be; says which, and what to do
    GradebookError : there is no file, and the gradebook cannot be read
    """
    path = course.root / ROSTER
    if not path.is_file():
        return Roster(tuple(sorted(_of_gradebook(course), key=_order)))
    rows = read_rows(path, ROSTER_COLUMNS, ["login"])
    faults, seen = [], dict[str, int]()
    for row in rows:
        login = row.cells["login"]
        if fault := _unusable(login):
            faults.append(f"line {row.line}: {fault}")
        elif (first := seen.setdefault(folded(login), row.line)) != row.line:
            faults.append(f"line {row.line} has the login {login!r} of line {first}; leave one")
    if not rows:
        faults.append("it has headings and no student; add a row for each")
    refuse(path, faults)
    return Roster(tuple(sorted(map(_person, rows), key=_order)), is_file=True)


def _person(row: Row) -> Person:
    cells = row.cells
    both = ", ".join(filter(None, (cells.get("last", ""), cells.get("first", ""))))
    name = cells.get("name", "") or both
    return Person(cells["login"], name, cells.get("email", ""), cells.get("section", ""))


def _order(person: Person) -> tuple[str, str]:
    return person.section, person.login


def _unusable(login: str) -> str:
    """Why no folder can bear a login; else empty."""
    if not login:
        return "the login is missing; it is the name of the student's folder under submitted/"
    if "/" in login or "\\" in login or login.startswith("."):
        return f"no folder can be called {login!r}; write the name of the student's folder"
    return f"{login!r}: {problem}" if (problem := unwritable_name(login)) else ""


def _of_gradebook(course: Course) -> list[Person]:
    url = make_url(course.directory.db_url)
    if url.get_backend_name() == "sqlite" and not (course.root / str(url.database)).is_file():
        return []  # opening it would make one
    with open_gradebook(course.directory) as gradebook:
        rows = gradebook.db.query(
            Student.id, Student.last_name, Student.first_name, Student.email
        ).all()
    return [
        Person(login, ", ".join(filter(None, names)), email or "") for login, *names, email in rows
    ]


def set_names(course: Course) -> set[str]:
    """Names of the problem sets of a course."""
    return {path.parent.name for path in (course.root / "solutions").glob("*/checks.py")}


def read_extensions(
    course: Course, problem_set: str, sets: Collection[str]
) -> Mapping[str, datetime.datetime] | None:
    """Folded login -> later due date in UTC, of one problem set; None where there is no file.

    Parameters
    ----------
    course : whose file
    problem_set : whose extensions
    sets : names of all problem sets of the course

    Raises
    ------
    CourseError : the file has rows that cannot be; says which, and what to do
    """
    path = course.root / EXTENSIONS
    if not path.is_file():
        return None
    faults, seen = [], dict[tuple[str, str], int]()
    found: dict[str, datetime.datetime] = {}
    for row in read_rows(path, EXTENSION_COLUMNS, list(EXTENSION_COLUMNS)):
        login, name = folded(row.cells["login"]), row.cells["set"]
        due, fault = _due(row, sets)
        if (first := seen.setdefault((login, name), row.line)) != row.line:
            fault = f"says what line {first} says of {login!r} and {name}; leave one"
        if fault:
            faults.append(f"line {row.line}: {fault}")
        elif due is not None and name == problem_set:
            found[login] = due
    refuse(path, faults)
    return found


def _due(row: Row, sets: Collection[str]) -> tuple[datetime.datetime | None, str]:
    """Due date in a row, or what is wrong there."""
    login, name, due = (row.cells[column] for column in EXTENSION_COLUMNS)
    if fault := _unusable(login):
        return None, fault
    if name not in sets:
        return None, f"there is no problem set {name!r}, but {', '.join(sorted(sets))}"
    try:
        if not TIME.fullmatch(due):
            raise ValueError
        return parse_time(f"{due[:10]} {due[11:]}"), ""
    except (ValueError, OverflowError):
        return None, f"{due!r} is no time such as 2026-03-08 12:00 UTC"

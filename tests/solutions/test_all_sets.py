"""What the pages say of the problem sets is what the sets are."""

import re
from pathlib import Path

import pytest

from tests.support.problem_sets import SetOf

ROOT = Path(__file__).parents[2]
EVERY = sorted(path.parent.name for path in (ROOT / "solutions").glob("*/checks.py"))
NAMES = [name for name in EVERY if not name.startswith("quiz-")]  # see test_quizzes
TABLE = re.findall(
    r"^\| `([\w-]+)` \|.*\| (\d+) \| (\d+) \|$",
    (ROOT / "book/teach/grading.md").read_text(),
    re.MULTILINE,
)


def test_the_table_of_the_page_for_teachers_names_each_set_once():
    assert sorted(name for name, _, _ in TABLE) == NAMES


@pytest.mark.parametrize(("name", "points", "minutes"), TABLE)
def test_its_points_and_minutes_are_those_of_the_set(name, points, minutes):
    the_set = SetOf(name, None)
    assert (sum(the_set.marks().values()), the_set.minutes()) == (int(points), int(minutes))
    assert 60 <= the_set.minutes() <= 120


@pytest.mark.parametrize("name", NAMES)
def test_each_set_is_named_where_readers_look_for_it(name):
    for page in ("README.md", "book/start.md", "book/teach/grading.md"):
        assert f"`{name}`" in (ROOT / page).read_text(encoding="utf-8"), page
    pages = [
        p for part in ("one", "two", "three", "four") for p in (ROOT / "book" / part).glob("*.md")
    ]
    assert any(f"`{name}`" in page.read_text(encoding="utf-8") for page in pages)


# --- the programme of a semester
# --------------------------------------------------------------------------------------------------

SEMESTER = (ROOT / "book/teach/semester.md").read_text(encoding="utf-8")
WEEKS = [
    (re.findall(r"`/book/([\w/-]+)`", read), re.findall(r"`([\w-]+)`", sets), float(hours))
    for read, sets, hours in re.findall(
        r"^\| \d+ \| (.*?) \| (.*?) \| ([\d.]+) \|$", SEMESTER, re.MULTILINE
    )
]
MINUTES = {
    page: int(read) + int(do)
    for page, read, do in re.findall(
        r"^\| \{doc\}`/book/([\w/-]+)` \|.*\| (\d+) \+ (\d+) min \|$",
        (ROOT / "book/start.md").read_text(encoding="utf-8"),
        re.MULTILINE,
    )
}


def test_the_semester_has_each_page_and_each_set_once_and_part_after_part():
    pages = [page for read, _, _ in WEEKS for page in read]
    assert sorted(pages) == sorted(MINUTES)
    parts = [page.partition("/")[0] for page in pages]
    assert parts == [page.partition("/")[0] for page in MINUTES]
    assert sorted(name for _, sets, _ in WEEKS for name in sets) == EVERY


def test_a_set_is_due_when_its_pages_have_been_read():
    before = dict(
        re.findall(
            r"^\| `([\w-]+)` \| (.*?) \|",
            (ROOT / "book/teach/grading.md").read_text(encoding="utf-8"),
            re.MULTILINE,
        )
    )
    read = []
    for pages, sets, _ in WEEKS:
        read += pages
        for name in set(sets) & set(NAMES):
            needed = re.findall(r"`/book/([\w/-]+)`", before[name])
            assert needed and set(needed) <= set(read), name


def test_the_hours_of_a_week_are_those_of_its_pages_and_sets():
    sets = {name: int(minutes) for name, _, minutes in TABLE} | dict.fromkeys(
        set(EVERY) - set(NAMES), 20
    )
    for pages, names, hours in WEEKS:
        minutes = sum(MINUTES[page] for page in pages) + sum(sets[name] for name in names)
        assert abs(hours - minutes / 60) <= 0.5, (pages, minutes)


def test_each_goal_of_the_semester_is_shown_by_a_set():
    section = SEMESTER.partition("## Fourteen weeks")[0]
    goals = re.findall(r"^\| [a-z].*? \| `([\w-]+)` \|$", section, re.MULTILINE)
    assert sorted(goals) == NAMES

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

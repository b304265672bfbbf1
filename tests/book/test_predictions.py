"""Questions to choose from: which lists they are, their right letters, and that every page of part
III has one.
"""

import re
import sys
from pathlib import Path

import pytest
from docutils import nodes
from sphinx.errors import ExtensionError

from autograder.modules import load_module

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT / "book" / "_ext"))

from inside.predictions import letters, questions  # noqa: E402

reading_time = load_module("reading_time", ROOT / "scripts" / "reading_time.py")
PART_THREE = [page for page in reading_time.pages() if page.startswith("book/three/")]


def listed(*items):
    """A list, each item one paragraph."""
    return nodes.bullet_list(
        "", *(nodes.list_item("", nodes.paragraph("", "", nodes.Text(item))) for item in items)
    )


def box(classes, *parts):
    found = nodes.admonition("", nodes.title("", "", nodes.Text("Predict")), *parts)
    found["classes"] = list(classes)
    return found


def page_of(*parts):
    page = nodes.document(None, None)
    page += nodes.section("", nodes.title("", "", nodes.Text("A page")), *parts)
    return page


def choose_one(answer, *items):
    paragraph = nodes.paragraph("", "", nodes.Text(answer))
    return nodes.section(
        "",
        nodes.title("", "", nodes.Text("Choose one")),
        nodes.paragraph("", "", nodes.Text("Which?")),
        listed(*items),
        box(["dropdown"], paragraph),
    )


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        (("(a) one", "(b) two"), "ab"),
        (("(a) one", "two"), ""),
        (("(b) one", "(c) two"), ""),
        (("an (a) inside", "(b) two"), ""),
    ],
)
def test_a_list_of_choices_has_all_its_letters_in_order(items, expected):
    assert letters(listed(*items)) == expected and letters(nodes.paragraph()) == ""


def test_both_forms_are_found_in_the_order_of_the_page():
    first, second = listed("(a) x", "(b) y"), listed("(a) x", "(b) y", "(c) z")
    steps = nodes.enumerated_list(
        "",
        nodes.list_item("", nodes.paragraph("", "", nodes.Text("First?")), first),
        nodes.list_item("", nodes.paragraph("", "", nodes.Text("Second?")), second),
    )
    page = page_of(
        listed("(a) no question", "(b) at all"),
        box(["tip", "right-bc"], steps),
        choose_one("(a): because.", "(a) this", "(b) that"),
    )
    found = list(questions(page))
    assert [right for _, right in found] == ["b", "c", "a"]
    assert found[0][0] is first and found[1][0] is second
    assert letters(found[2][0]) == "ab"


@pytest.mark.parametrize(
    "part",
    [
        box(["tip", "right-ab"], listed("(a) x", "(b) y")),  # one list too few
        box(["tip", "right-a"]),
        box(["tip", "right-d"], listed("(a) x", "(b) y")),
        choose_one("Because.", "(a) this", "(b) that"),
        choose_one("(c): because.", "(a) this", "(b) that"),
    ],
)
def test_letters_that_do_not_fit_the_lists_stop_the_build(part):
    with pytest.raises(ExtensionError, match="expected a right letter for each list"):
        list(questions(page_of(part)))


@pytest.mark.parametrize("page", [page for page in PART_THREE if not page.endswith("/map")])
def test_each_page_of_part_three_asks_for_a_choice(page):
    source = reading_time.source_of(page)
    boxes = re.findall(
        r"\{admonition\} Predict\n:class: tip right-([a-h]+)\n(.*?)\n:::",
        source,
        re.DOTALL,
    )
    assert boxes
    for right, text in boxes:
        assert len(right) == len(re.findall(r"^ *- \(a\) ", text, re.MULTILINE)), text


def test_the_score_stands_where_the_part_begins_and_where_it_ends():
    with_score = [
        page for page in PART_THREE if "\n:class: score\n" in reading_time.source_of(page)
    ]
    assert with_score == ["book/three/map", "book/three/diary"] == [PART_THREE[0], PART_THREE[-1]]

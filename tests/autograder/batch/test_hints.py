"""The counts of hints that students hand in: read as strangers' text, and shown by check."""

import datetime
from dataclasses import replace

import nbformat
import pytest

from autograder.batch import report
from autograder.batch.hints import find_hints, hints
from autograder.batch.report import Class, render
from autograder.course.course import Course
from autograder.judge import problem_set
from tests.support.tiny_course import RIGHT, hand_in, hand_in_text

WHEN = datetime.datetime(2026, 3, 1, tzinfo=datetime.UTC)


def said(*lines, form="display"):
    """Puts what check said into the outputs of its cell."""

    def edit(notebook):
        (cell,) = [cell for cell in notebook.cells if cell.source == 'check("scale")']
        text = "\n".join(["scale: not right yet", *lines])
        shown = {"text/plain": text, "text/html": f"<div>{text}</div>"}
        cell.outputs = [
            nbformat.v4.new_output("display_data", shown)
            if form == "display"
            else nbformat.v4.new_output("stream", name="stdout", text=f"{text}\n")
        ]

    return edit


def line(name="scale", level=0, passed="passed"):
    return f"Counted: {name} is at hint level {level}, {passed}."


@pytest.fixture
def tiny(tiny_course):
    return tiny_course, problem_set.load("tiny", tiny_course)


def found(tiny, students):
    course = Course.load(tiny[0])
    return find_hints(course, tiny[1], students)


def test_counts_of_a_class_are_put_together_by_check_and_level(tiny):
    root = tiny[0]
    hand_in(root, "ann", RIGHT, said(line()))
    hand_in(root, "bob", RIGHT, said(line(level=2), form="stream"))
    hand_in(root, "cay", RIGHT, said(line(level=2, passed="not passed")))
    hand_in(root, "dan", RIGHT, said(line(level=1), line(level=1)))
    hand_in(root, "eve", RIGHT)  # without a count
    hand_in_text(root, "fay", "{")  # no notebook
    (root / "submitted" / "dan" / "tiny" / "tiny.ipynb").rename(
        root / "submitted" / "dan" / "tiny" / "my work.ipynb"
    )
    counted = found(tiny, ["ann", "bob", "cay", "dan", "eve", "fay", "gus"])
    assert counted.handed_in == 4
    (row,) = counted.rows
    assert (row.name, row.needed, row.passed) == ("scale", (4, 3, 2, 0), (1, 1, 1, 0))


@pytest.mark.parametrize(
    "forged",
    [
        "Counted: scale is at hint level 99999999999, passed.",
        "Counted: scale is at hint level -1, passed.",
        "Counted: scale is at hint level ٣, passed.",
        "Counted: <script>alert(1)</script> is at hint level 1, passed.",
        "Counted: no_such_check is at hint level 1, passed.",
        "Counted: scale is at hint level 1, passed. And more",
        "Counted: " + "scale" * 50_000 + " is at hint level 1, passed.",
    ],
)
def test_what_no_check_can_have_said_is_no_count(tiny, forged):
    hand_in(tiny[0], "ann", RIGHT, said(forged))
    counted = found(tiny, ["ann"])
    assert counted.handed_in == 0 and not counted.rows


def test_however_many_lines_somebody_forges_it_is_one_student_and_one_digit(tiny):
    lines = [line(level=k % 10, passed="passed") for k in range(3000)]
    hand_in(tiny[0], "ann", RIGHT, said(*lines))
    (row,) = found(tiny, ["ann"]).rows
    assert len(row.needed) == 10 and max(row.needed) == 1 and sum(row.passed) == 1


def test_links_are_not_followed(tiny):
    root = tiny[0]
    path = hand_in(root, "ann", RIGHT, said(line()))
    folder = root / "submitted" / "bob"
    folder.mkdir()
    (folder / "tiny").symlink_to(path.parent)
    assert found(tiny, ["bob"]).handed_in == 0


def test_the_page_shows_them_or_says_that_there_are_none(tiny):
    class_ = Class(tiny[1], {}, {}, [])
    assert "Hints" not in render(class_, WHEN)  # nobody was graded
    counts = [{"scale": (0, True)}, {"scale": (3, True)}, {"scale": (3, False)}]
    student = report.Result("tiny", "ann", "", "bubblewrap", "", ())
    graded = replace(class_, records={"ann": student})
    assert "<p>No counts handed in.</p>" in render(graded, WHEN)
    page = render(replace(graded, hints=hints(counts, ["scale", "total"])), WHEN)
    cells = "".join(
        f'<td class="n">{text}</td>' for text in ("1 of 3", "0 of 2", "0 of 2", "1 of 2", "1")
    )
    assert f'<th scope="row">scale</th>{cells}</tr>' in page
    assert "Counts of 3 of 1 who handed in" in page and ">level 3<" in page

import datetime
import re
import shutil
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import nbformat
import pytest
from click.testing import CliRunner

from autograder.batch import grading as batch
from autograder.batch import report
from autograder.cli import commands
from autograder.course.course import Course
from autograder.judge import problem_set
from tests.support.tiny_course import ADDS, RIGHT, hand_in, hand_in_text

HOSTILE = "<img src=x onerror=alert(1)>"
WHEN = datetime.datetime(2026, 3, 1, 11, tzinfo=datetime.UTC)


@pytest.fixture(scope="module")
def graded(made_tiny_course, empty_gradebook, tmp_path_factory):
    """A graded class: two right, two that add (one with a hostile name), one unreadable, one not
    graded yet.
    """
    tiny_course = Path(
        shutil.copytree(made_tiny_course, tmp_path_factory.mktemp("graded") / "course")
    )
    shutil.copy(empty_gradebook, tiny_course / "gradebook.db")
    for student, work in {"ann": RIGHT, "bob": ADDS, "cay": RIGHT, HOSTILE: ADDS}.items():
        hand_in(tiny_course, student, work)
    hand_in(
        tiny_course,
        "ann",
        RIGHT,
        lambda notebook: notebook.cells.insert(2, nbformat.v4.new_code_cell("1 / 0")),
    )
    hand_in(
        tiny_course, "cay", RIGHT, lambda notebook: notebook.cells[-1].update(source="assert True")
    )
    hand_in_text(tiny_course, "dan", "{")
    course = Course.load(tiny_course)
    grading = batch.Grading.prepare(course, "tiny")
    batch.run(grading, course.students("tiny"))
    hand_in(tiny_course, "eve", RIGHT)
    return tiny_course


@pytest.fixture
def tiny_course(graded, tmp_path):
    """A copy of it, to be changed."""
    return Path(shutil.copytree(graded, tmp_path / "course"))


@pytest.fixture
def found(tiny_course):
    course = Course.load(tiny_course)
    return report.read_class(course, problem_set.load("tiny", tiny_course))


def test_class_is_counted(found):
    assert sorted(found.records) == sorted(["ann", "bob", "cay", HOSTILE])
    assert list(found.failures) == ["dan"] and found.waiting == ["eve"]
    scale, total = report.check_rows(found)
    assert (scale.name, scale.counts, scale.mean) == ("scale", {"passed": 2, "wrong": 2}, 1.0)
    assert (total.counts, total.mean) == ({"passed": 4}, 1.0)
    (mistake,) = report.mistake_rows(found)
    assert (mistake.id, mistake.checks, sorted(mistake.students)) == (
        "adds",
        ["scale"],
        sorted(["bob", HOSTILE]),
    )


def test_page_says_all_of_it_loads_nothing_and_takes_no_name_for_html(found):
    records = found.records | {HOSTILE: replace(found.records[HOSTILE], isolation="unsafe-local")}
    page = report.render(replace(found, records=records), WHEN)
    tags, texts = [], []
    parser = HTMLParser()
    parser.handle_starttag = lambda tag, attributes: tags.append((tag, dict(attributes)))
    parser.handle_data = texts.append
    parser.feed(page)
    text = re.sub(r"\s+", " ", " ".join(texts))
    for said in (
        "graded 4",
        "could not be graded 1",
        "not graded yet 1",
        "mean 2, median 2, from 1 to 3, of 3",
        HOSTILE,
        "2 of 4",
        "2 wrong",
        "It adds a instead of multiplying.",
        "it cannot be read as JSON",
        "bubblewrap (3), unsafe-local (1)",
        "1 graded without a sandbox: the students' code could",
        "Integrity What was changed",
        "cay Cell total was changed; the cell that was handed out is used.",
        "What happened outside the checks ann Code cell",
        "the statement in line 1 failed: ZeroDivisionError",
        "student cells checks all",
        "handed in, and not graded yet: eve",
    ):
        assert said in text, said
    assert "2026-03-01 11:00 UTC" in text
    assert not {tag for tag, _ in tags} & {"script", "img", "link", "iframe"}
    assert not any(
        name in attributes for _, attributes in tags for name in ("src", "href", "onerror")
    )
    labels = [attributes["aria-label"] for tag, attributes in tags if tag == "svg"]
    assert labels == ["Number of students by points: 0 to 1: 0; 1 to 2: 2; 2 to 3: 2"]


def test_a_page_of_thousands_names_everybody_once_and_stays_readable(found):
    many = {
        f"student-{k}": replace(found.records["bob"], notes=("Its tags were changed.",))
        for k in range(2000)
    }
    graded_before = replace(
        found.records["ann"], checks=found.records["ann"].checks[1:]
    )  # by checks that have grown since
    page = report.render(replace(found, records=many | {"ann": graded_before}), WHEN)
    assert re.search(r"<bdi>ann</bdi></td><td class=\"n\">1</td>\s*<td></td><td>1</td></tr>", page)
    assert "and 1980 more, see" in page
    assert page.count("Its tags were changed.") == 1
    assert page.count(">student-1999<") == 2  # in the note and in the table of everybody


def test_a_record_that_cannot_be_read_is_named_and_the_rest_is_shown(found, tiny_course):
    (tiny_course / "records" / "tiny" / "ann.json").write_text("{ half")
    again = report.read_class(Course.load(tiny_course), found.problem_set)
    assert "grade it again with --force" in again.failures["ann"] and len(again.records) == 3


def test_command_writes_the_page_and_refuses_where_nothing_was_graded(
    found, tiny_course, monkeypatch
):
    monkeypatch.chdir(tiny_course)

    def call(*arguments):
        return CliRunner().invoke(commands.main, list(arguments), catch_exceptions=False)

    assert (
        call("report", "tiny").stdout
        == f"wrote {tiny_course / 'reports' / 'tiny.html'} (4 graded, 1 not, 1 waiting)\n"
    )
    shutil.rmtree(tiny_course / "records" / "tiny")
    refused = call("report", "tiny")
    assert refused.exit_code == 2 and "run `autograder run tiny` first" in refused.stderr


def many(found, answers, scores=(0.0,)):
    """A class in which each student's first check is wrong, with these answers and scores."""
    bob = found.records["bob"]
    first, second = bob.checks

    def student(k):
        score = scores[k % len(scores)]
        wrong = replace(first, misconception=None, answer=answers[k % len(answers)], score=score)
        return replace(bob, checks=(wrong, replace(second, score=float(k % 2))))

    return replace(found, records={f"s{k:02d}": student(k) for k in range(12)})


def test_equal_answers_that_nobody_named_stand_together(found):
    one, rounded, other = (7.0, 1.0, 0.5), (7.0, 1.0 + 1e-9, 0.5), (7.0, 1.0, 0.6)
    assert report.answer_rows(found) == []
    grouped = many(found, [one, rounded, one, other, ()])
    rows = report.answer_rows(grouped)
    assert [(row.check, len(row.students)) for row in rows] == [("scale", 8), ("scale", 2)]
    assert rows[1].students == ["s03", "s08"]
    page = report.render(grouped, WHEN)
    assert "<bdi>s03</bdi>, <bdi>s08</bdi>" in page and "returned the same numbers" in page
    assert "No two students." in report.render(found, WHEN)


def test_discrimination_is_the_correlation_with_the_other_checks(found):
    def of(scores):
        rows = report.check_rows(many(found, [()], scores))
        return [row.discrimination for row in rows]

    assert of((0.0, 2.0)) == pytest.approx([1, 1])
    assert of((2.0, 0.0)) == pytest.approx([-1, -1])
    assert of((0.0, 0.0, 2.0, 2.0)) == pytest.approx([0, 0])
    assert of((2.0,)) == [None, None]  # the same for all
    assert [row.discrimination for row in report.check_rows(found)] == [None, None]  # too few
    assert '<td class="n">-1 <span class="muted">(n = 12)' in report.render(
        many(found, [()], (2.0, 0.0)), WHEN
    )


def test_the_number_of_students_stands_beside_and_too_few_are_called_so(found):
    assert "too few (n = 4)" in report.render(found, WHEN)
    assert "all alike (n = 12)" in report.render(many(found, [()], (2.0,)), WHEN)
    rows = report.check_rows(many(found, [()], (0.0, 2.0)))
    assert [(row.asked, row.unknown) for row in rows] == [(12, 12), (12, 0)]
    page = report.render(many(found, [()]), WHEN)
    assert "Of 12 wrong answers in all checks, 12 were not recognised." in page
    assert "Of 2 wrong answers in all checks, 0 were not recognised." in report.render(found, WHEN)


def test_a_rest_that_differs_in_its_last_bit_only_is_the_same_for_all(found):
    first, second = found.records["bob"].checks
    scores = [0.1 + 0.2, 0.3] * 6
    records = {
        f"s{k}": replace(
            found.records["bob"],
            checks=(replace(first, score=float(k % 3)), replace(second, score=score)),
        )
        for k, score in enumerate(scores)
    }
    assert report.discrimination(records.values(), "scale") is None

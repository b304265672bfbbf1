"""Five lines to write on each page of parts I and II: asked, checked in place, and answered."""

import re
from pathlib import Path

import numpy as np
import pytest

from autograder.modules import load_module
from lstm_ref.practice import examine_in
from lstm_ref.practice.pages import CHECKS, PAGES, check
from verdict import Status, examine

ROOT = Path(__file__).parents[2]
reading_time = load_module("reading_time", ROOT / "scripts" / "reading_time.py")

BY_NAME = {one.name: one for one in CHECKS}
SECTION = re.compile(r"^## Write five lines\n(.*?)^## ", re.DOTALL | re.MULTILINE)


def cells_of(page: str) -> list[str]:
    """Code of the two cells of a page's exercise: what the reader gets, and the answer."""
    (section,) = SECTION.findall(reading_time.source_of(page))
    return [
        re.sub(r"\A---\n.*?\n---\n", "", cell, flags=re.DOTALL)
        for cell in reading_time.CELL.findall(section)
    ]


def verdicts(code: str, name: str, seeds: range) -> set[Status]:
    """What the check says of the function that a cell defines."""
    namespace = {"np": np}
    exec(
        code.split("\ncheck(")[0].replace("from lstm_ref.practice.pages import check", ""),
        namespace,
    )
    return {examine_in(namespace, BY_NAME[name], seed).status for seed in seeds}


def test_every_page_of_two_parts_has_an_exercise():
    parts = ("book/one/", "book/two/")
    assert sorted(PAGES.values()) == sorted(p for p in reading_time.pages() if p.startswith(parts))
    assert list(PAGES) == list(BY_NAME) and len(PAGES) == 18


@pytest.mark.parametrize(("name", "page"), PAGES.items())
def test_the_cell_for_the_reader_is_not_written_and_the_answer_is_right(name, page):
    asked, answer = cells_of(page)
    assert asked.rstrip().endswith(f'check("{name}")') and f"def {name}(" in asked
    assert answer.rstrip().endswith(f'check("{name}")')
    assert verdicts(asked, name, range(1)) == {Status.UNFINISHED}
    assert verdicts(answer, name, range(4)) == {Status.PASSED}
    body = answer.split("\n\ncheck(")[0].splitlines()[1:]
    assert 1 <= len(body) <= 8


@pytest.mark.parametrize("one", CHECKS, ids=lambda one: one.name)
def test_each_mistake_is_told_by_its_name(one):
    for mistake in one.misconceptions:
        found = examine(one, mistake.function, np.random.default_rng(7))
        assert found.misconception == mistake.id and mistake.hints


def test_a_reader_is_told_where_it_fails(capsys):
    namespace = {"check": check, "__name__": "page"}
    exec(
        "def perplexity_of(p):\n    return 1 / p.mean()\n"
        "for _ in range(3):\n    check('perplexity_of', seed=1)\n",
        namespace,
    )
    said = capsys.readouterr().out
    assert "not right yet" in said and "The mistake: That is 1 over the mean probability." in said

"""Pages end with what their reader can do, and each wrong choice of a question is explained."""

import re
from pathlib import Path

import pytest

from autograder.modules import load_module

ROOT = Path(__file__).parents[2]
reading_time = load_module("reading_time", ROOT / "scripts" / "reading_time.py")

PAGES = reading_time.pages()
CHOOSE = re.compile(
    r"^## Choose one\n\n(.*?)\n:::\{admonition\} Answer\n:class: dropdown\n(.*?)^:::$",
    re.DOTALL | re.MULTILINE,
)
PART_TWO = [page for page in PAGES if page.startswith("book/two/")]
WITH_A_CHOICE = [page for page in PAGES if page.startswith("book/one/")] + PART_TWO


@pytest.mark.parametrize("page", [page for page in PAGES if page != "book/three/map"])
def test_a_page_says_at_its_end_what_its_reader_can_do(page):
    end = re.split(r"^## You can now$", reading_time.source_of(page), flags=re.MULTILINE)
    assert len(end) == 2 and end[1].count("\n## ") <= 1
    assert 2 <= len(re.findall(r"^- ", end[1].split("\n## ")[0], re.MULTILINE)) <= 4


@pytest.mark.parametrize("page", WITH_A_CHOICE)
def test_a_question_to_choose_from_explains_every_wrong_choice(page):
    ((question, answer),) = CHOOSE.findall(reading_time.source_of(page))
    choices = re.findall(r"^- \(([a-d])\) ", question, re.MULTILINE)
    right = re.match(r"\(([a-d])\)", answer)[1]
    assert choices == list("abcd")[: len(choices)] and len(choices) >= 3
    explained = set(re.findall(r"\(([a-d])\)", "".join(re.findall(r"^- .*$", answer, re.M))))
    assert right in choices and explained >= set(choices) - {right}

"""Parts I and II as their pages promise them: a picture first, words before they are used, both
libraries side by side, and how it all came about.
"""

import re
from pathlib import Path

import pytest

from autograder.modules import load_module

ROOT = Path(__file__).parents[2]
reading_time = load_module("reading_time", ROOT / "scripts" / "reading_time.py")

PAGES = [p for p in reading_time.pages() if p.startswith(("book/one/", "book/two/"))]
DRAWS = re.compile(r"^(?:\w+_diagram|cell_chain|state_road|figure|ForgetSlider)\(", re.MULTILINE)
# Words of the glossary that these pages use in a plain sense, which is named.
OTHER_SENSE = {
    "blank": "the space between words",
    "precision": "the digits of a number",
    "recall": "a task",
    "slice": "a part of an array",
    "temperature": "that of the sea",
}


def glossary() -> list[str]:
    """Every term, as the glossary spells it."""
    text = reading_time.source_of("book/reference/glossary")
    entries = re.search(r"```\{glossary\}\n:sorted:\n\n(.*?)```", text, re.DOTALL)[1]
    return [entry.splitlines()[0] for entry in entries.strip().split("\n\n")]


def told_on(page: str) -> set[str]:
    """Terms that a page puts into the index: where it says what they mean."""
    source = reading_time.source_of(page)
    blocks = re.findall(r"```\{index\} ([^\n]*)", source)
    return {
        *re.findall(r"\{index\}`(?:[^`<]*<)?([^`>]+)>?`", source),
        *(name.strip() for line in blocks for name in line.split(",")),
    }


def prose_of(page: str) -> str:
    """What a first reader reads: no code, folded answers, titles of other pages, or quotations."""
    text = reading_time.CELL.sub("", reading_time.core(reading_time.source_of(page)))
    return re.sub(r"\{doc\}`[^`]*`|\"[^\"\n]*\"", "", text)


def test_no_word_of_the_glossary_is_used_before_the_page_that_tells_what_it_means():
    start = reading_time.source_of("book/start")
    known = set(re.findall(r"\{term\}`([^`]+)`", re.search(r"These words[^\n]*", start)[0]))
    assert known == {
        "weight", "layer", "loss function", "gradient", "batch", "optimiser", "learning rate",
    }  # fmt: skip
    terms = sorted(glossary(), key=len, reverse=True)
    told, wrong = set(known), []
    for page in PAGES:
        told |= told_on(page)
        prose = prose_of(page)
        for term in terms:  # the longest first: "backpropagation through time" is no other word
            prose, used = re.subn(rf"\b{re.escape(term)}s?\b", "", prose, flags=re.IGNORECASE)
            if used and term not in told | set(OTHER_SENSE):
                wrong.append(f"{page}: {term}")
    assert wrong == []
    assert len(told & set(terms)) > 60


@pytest.mark.parametrize("page", PAGES)
def test_a_page_opens_with_a_picture(page):
    opening = reading_time.source_of(page).split("\n## ")[0]
    cells = "".join(reading_time.CELL.findall(opening))
    assert DRAWS.search(cells), "a figure before the first heading"
    prose = reading_time.CELL.sub("", opening).split("\n# ")[1]
    before = prose.split("\n")[1:]
    assert next(line for line in before if line).startswith("**"), "the question stands first"


def test_five_boxes_tell_in_some_60_words_how_it_came_about():
    boxes = {
        (page, box)
        for page in PAGES
        for box in re.findall(
            r"^:::\{admonition\} How it came about\n:class: note dropdown\n(.*?)^:::$",
            reading_time.source_of(page),
            re.DOTALL | re.MULTILINE,
        )
    }
    text = " ".join(box for _, box in boxes)
    assert len(boxes) == 5 and {"1990", "1991", "1997", "2000", "2014", "2024"} <= set(
        re.findall(r"\b\d{4}\b", text)
    )
    for page, box in boxes:
        assert 40 <= len(re.sub(r"\{[a-z:]+\}`[^`]*`", "", box).split()) <= 85, page


@pytest.mark.parametrize("page", ["book/two/pytorch", "book/two/keras", "book/reference/recipes"])
def test_the_same_model_stands_in_tabs_of_both_libraries(page):
    source = reading_time.source_of(page)
    tabs = re.findall(r"^:tags: \[tab-(\w+)\]$|^:sync: (\w+)$", source, re.MULTILINE)
    names = [executed or by_hand for executed, by_hand in tabs]
    assert len(names) % 2 == 0 and len(names) >= 2
    for pair in zip(names[::2], names[1::2], strict=True):
        assert {name.removeprefix("py") for name in pair} == {"torch", "keras"}


def test_part_one_shows_ten_proofs_in_numbers_at_most():
    """Of what stands open and is printed; more stands in folded cells, which say less."""
    shown = [
        cell
        for page in PAGES
        if page.startswith("book/one/")
        for cell in reading_time.CELL.findall(reading_time.core(reading_time.source_of(page)))
        if not re.search(r"hide-(input|cell)", cell)
        and re.search(r"relative error|largest difference|np\.allclose\(", cell)
        and "print(" in cell
    ]
    assert 1 <= len(shown) <= 10

"""What every page of part III has: a question to predict, exercises, a sick program, a link to its
problem set, and what came out against expectation in a sentence of its own.
"""

import re
from pathlib import Path

import pytest

from autograder.modules import load_module

ROOT = Path(__file__).parents[2]
reading_time = load_module("reading_time", ROOT / "scripts" / "reading_time.py")

PAGES = [
    page
    for page in reading_time.pages()
    if page.startswith("book/three/") and page != "book/three/map"
]
IN_WORDS = {"doctor", "clinic", "diary"}
SETS = {path.name for path in (ROOT / "solutions").iterdir() if path.is_dir()}
# Where a reader would need both: the page, and what the tabs are about.
TABS = {
    "overfitting": "weight_decay",
    "measure": "F1Score",
    "training": "EarlyStopping",
    "smaller": "quantize",
    "slow": "profiler",
}


def section(page, title):
    """Text below a heading, up to the next one of its level."""
    found = re.findall(
        rf"^## {title}\n(.*?)(?=^## |\Z)", reading_time.source_of(page), re.DOTALL | re.MULTILINE
    )
    return "".join(found)


@pytest.mark.parametrize("page", PAGES)
def test_a_page_asks_for_two_predictions(page):
    boxes = re.findall(
        r"\{admonition\} Predict\n:class: [^\n]*\n(.*?)\n:::",
        reading_time.source_of(page),
        re.DOTALL,
    )
    numbered = [len(re.findall(r"^\d\. ", text, re.MULTILINE)) for text in boxes]
    assert sum(max(1, n) for n in numbered) >= 2


@pytest.mark.parametrize("page", PAGES)
def test_a_page_has_three_to_five_exercises_with_computed_answers(page):
    text = section(page, "Questions")
    asked = re.findall(r"^\*\*\d\.", text, re.MULTILINE)
    assert 3 <= len(asked) <= 5 and text.count("**Write five lines") + text.count(
        "Write five lines.**"
    )
    computed = text.count('code_prompt_show: "Show the answer, computed"')
    # Some questions of these pages ask for a judgement, with nothing to compute
    assert computed >= 1 if page.split("/")[-1] in IN_WORDS else computed == len(asked)


@pytest.mark.parametrize("page", [p for p in PAGES if p.split("/")[-1] not in IN_WORDS])
def test_a_picture_comes_before_the_first_formula(page):
    source = reading_time.source_of(page)
    first = re.search(rf"^(?:figure|{reading_time.WIDGETS})\(", source, re.MULTILINE)
    assert first and first.start() < source.index("$$ (eq-")


@pytest.mark.parametrize("page", PAGES)
def test_a_page_has_a_sick_program_and_names_its_problem_set(page):
    source = reading_time.source_of(page)
    assert re.search(r"programs\.find\(|examine\(|order\(", source)
    named = set(re.findall(r"`([a-z-]+)`", "\n".join(re.findall(r".*problem set.*", source))))
    assert named & SETS


@pytest.mark.parametrize("page", PAGES)
def test_a_page_says_what_came_out_otherwise_in_one_quotable_line(page):
    lines = re.findall(r"^\*([A-Z][^*\n]+[.])\*$", section(page, "You can now"), re.MULTILINE)
    assert len(lines) == 1 and 60 <= len(lines[0]) <= 260


@pytest.mark.parametrize(("name", "word"), TABS.items())
def test_both_frameworks_stand_side_by_side_where_one_needs_both(name, word):
    source = reading_time.source_of(f"book/three/{name}")
    tabs = re.findall(r"^````\{tab-set\}\n(.*?)^````$", source, re.DOTALL | re.MULTILINE)
    about = [tab for tab in tabs if word in tab]
    assert about and all(":sync: torch" in tab and ":sync: keras" in tab for tab in about)

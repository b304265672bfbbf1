"""Every page has its file of formula checks, labels are unique, and the tables of the pages say
what the code does.
"""

import re
from collections import Counter

import pytest
import yaml

from lstm_ref.frameworks.convert import DIALECTS
from tests.chapter_formulas import BOOK, displayed, prose, source_of

PAGES = ("lstm-cell", "bptt")
ROOT = BOOK.parent
CHECKS = ROOT / "tests" / "formulas"
TOC = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
ALL_PAGES = [
    file.rpartition("/")[2]
    for file in (
        TOC["root"],
        *(chapter["file"] for part in TOC["parts"] for chapter in part["chapters"]),
    )
]


@pytest.mark.parametrize("page", [page for page in ALL_PAGES if displayed(page)])
def test_a_page_with_formulas_has_its_file_of_checks(page):
    file = CHECKS / f"test_{page.replace('-', '_')}.py"
    assert file.is_file(), (
        f"{page} shows {len(displayed(page))} formulas; their checks belong into "
        f"{file.relative_to(ROOT)}"
    )
    source = file.read_text(encoding="utf-8")
    # The two tests that chapter.tests() gives are what makes a label without a check fail.
    assert f'Chapter("{page}")' in source
    assert "test_a_formula_is_right, test_every_formula_has_its_check = chapter.tests()" in source


def test_no_label_names_two_formulas():
    labels = Counter(label for page in ALL_PAGES for label, _ in displayed(page) if label)
    assert len(labels) > 30 and [label for label, times in labels.items() if times > 1] == []


def test_the_code_column_of_the_table_is_the_code_of_the_page():
    page = source_of("bptt")
    source = page[page.index("def my_step_backward") :]
    lines = [line.split("#")[0].strip() for line in source[: source.index("return")].splitlines()]
    rows = [
        line for line in prose("bptt").splitlines() if line.startswith("|") and line.count("|") == 5
    ]
    code = [match[1] for row in rows if (match := re.search(r"`([^`]+)` \|$", row))]
    assert len(code) == 13 and set(code) <= set(lines)


def test_the_dialect_table_of_the_page_says_what_convert_does():
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in prose("lstm-cell").splitlines()
    ]
    orders = {
        row[0]: row[1][:7].replace(" ", "").replace("c", "g") for row in rows if len(row) == 3
    }
    pages_names = {
        "here": "here",
        "pytorch": "PyTorch, cuDNN",
        "keras": "Keras",
        "onnx": "ONNX",
        "cs231n": "CS231n, Karpathy",
    }
    assert {name: orders[title] for name, title in pages_names.items()} == {
        name: DIALECTS[name].order for name in pages_names
    }


@pytest.mark.parametrize("page", PAGES)
def test_a_page_asks_three_questions_with_folded_answers_and_lists_its_sources(page):
    text = source_of(page)
    questions = text[text.index("## Three questions") : text.index("## Sources")]
    assert [
        questions.count(mark) for mark in ("\n**1.**", "\n**2.**", "\n**3.**", ":class: dropdown")
    ] == [1, 1, 1, 3]
    assert "```{bibliography}" in text and text.count("{admonition} Predict") >= 3

"""The page *faq*: every claim of the text behind the course has its row, every link leads to a
page, every finding exists.
"""

import re
from pathlib import Path

import pytest
import yaml

from lstm_ref.doctor import CATALOGUE
from tests.chapter_formulas import source_of

ROOT = Path(__file__).parents[2]
PAGE = source_of("faq")
VERDICTS = {"holds", "in part", "refuted"}
# number of the section, and a letter where it holds several claims: words that its row must say
CLAIMS = {
    "1.1": "long dependencies",
    "1.2": "vanishing and exploding",
    "1.3": "preprocessing",
    "2.1": "Forget gate",
    "2.2a": "Vanishing",
    "2.2b": "Exploding",
    "2.3": "F1",
    "3.1a": "tokenised",
    "3.1b": "Stop words",
    "3.1c": "Parts of speech",
    "3.1d": "features",
    "3.2": "Number of layers",
    "3.3a": "batch size",
    "3.3b": "validation set",
    "3.4": "test set",
    "4.1": "forward pass",
    "4.2": "backward pass",
    "5.1": "Keras",
    "5.2": "PyTorch",
    "6.1a": "Sentiment",
    "6.1b": "translation",
    "6.1c": "Summaries",
    "6.2": "Speech",
    "6.3a": "Weather",
    "6.3b": "Stock",
    "7": "Theano",
    "8.1a": "long sequences",
    "8.1b": "interpret",
    "8.1c": "unseen data",
    "8.2a": "compression",
    "8.2b": "interpretability",
    "8.2c": "Transformers",
    "9.1a": "more data",
    "9.1b": "dropout",
    "9.1c": "smaller hidden size",
    "9.2a": "clipping",
    "9.2b": "GRU",
    "9.2c": "initialisation",
    "9.3a": "GPU",
    "9.3b": "distributed",
    "9.3c": "compression",
    "9.4a": "task and data",
    "9.4b": "Grid",
    "9.4c": "Random",
}


def section(title):
    """Text of a section of the second level."""
    (found,) = re.findall(
        rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", PAGE, re.DOTALL | re.MULTILINE
    )
    return found


def claims():
    """(number, claim, verdict, what was measured) of each row of the table."""
    table = section("Every claim, and what became of it")
    rows = re.findall(r"^\| (\S+) \| (.+?) \| (.+?) \| (.+) \|$", table, re.MULTILINE)
    return [row for row in rows if row[0][0].isdigit()]


def questions():
    """{question: text} of all answers."""
    parts = re.split(r"^### (.+)$", PAGE, flags=re.MULTILINE)[1:]
    return {
        title: re.split(r"^## ", text, flags=re.MULTILINE)[0]
        for title, text in zip(parts[::2], parts[1::2], strict=True)
    }


def links(text):
    return re.findall(r"\{doc\}`(?:[^`<]*<)?/?(book/[a-z/-]+)>?`", text)


def test_every_claim_has_its_row_in_its_order():
    rows = claims()
    assert [number for number, *_ in rows] == list(CLAIMS)
    for number, claim, verdict, _ in rows:
        assert CLAIMS[number].lower() in claim.lower(), number
        assert verdict in VERDICTS, number


def test_every_row_names_the_page_that_measured_it():
    for number, _, _, measured in claims():
        assert links(measured) or "this page" in measured, number


def test_every_link_leads_to_a_page_of_the_book():
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    pages = {chapter["file"] for part in toc["parts"] for chapter in part["chapters"]}
    assert len(links(PAGE)) > 60 and set(links(PAGE)) <= pages
    assert all((ROOT / f"{page}.md").is_file() for page in links(PAGE))


def test_every_question_has_a_number_a_page_and_a_finding():
    found = questions()
    assert len(found) >= 24
    for title, text in found.items():
        assert "measured(" in text and "assert" in text, title
        assert links(text) and re.search(r"[Ff]indings?\b", text), title


@pytest.mark.parametrize(
    "title", [title for title, text in questions().items() if "No finding" not in text]
)
def test_a_finding_that_is_named_is_one_of_the_doctor(title):
    last = questions()[title].strip().splitlines()[-1]
    named = re.findall(r"`([a-z0-9-]+)`", last.partition("inding")[2])
    assert named and set(named) <= set(CATALOGUE), title


def test_the_number_of_claims_that_hold_is_what_the_page_says():
    rows = claims()
    counts = {verdict: sum(row[2] == verdict for row in rows) for verdict in VERDICTS}
    (told,) = re.findall(r"Of the (\d+) claims (\d+) hold, (\d+) in part, (\d+) are refuted", PAGE)
    assert tuple(map(int, told)) == (
        len(rows),
        counts["holds"],
        counts["in part"],
        counts["refuted"],
    )

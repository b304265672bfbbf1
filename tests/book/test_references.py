"""The list of references and what the pages cite of it, from the sources: known before anything is
built.
"""

import re
from pathlib import Path

import pytest
from pybtex.database import parse_file, parse_string
from pybtex.errors import set_strict_mode
from pybtex.scanner import PybtexSyntaxError

BOOK = Path(__file__).parents[2] / "book"
CITATION = re.compile(r"\{cite(?::\w+)?\}`([^`]+)`")


def cited(text):
    """Keys that a page cites, also several at once."""
    return {key.strip() for keys in CITATION.findall(text) for key in keys.split(",")}


def test_the_references_are_those_that_the_pages_cite():
    set_strict_mode()
    listed = set(parse_file(BOOK / "references.bib").entries)
    used = set().union(*(cited(path.read_text(encoding="utf-8")) for path in BOOK.rglob("*.md")))
    assert used - listed == set(), "cited, and not in references.bib"
    assert listed - used == set(), "in references.bib, and cited by no page"


def test_what_is_cited_is_found_and_an_open_entry_is_an_error():
    assert cited("as {cite:t}`a2000` and {cite}`b2001, c2002` say") == {"a2000", "b2001", "c2002"}
    with pytest.raises(PybtexSyntaxError):
        parse_string("@book{a, year = {2000},\n\n@book{b, year = {2001}}", "bibtex")


@pytest.mark.parametrize(
    "text", sorted((BOOK.parent / "solutions").glob("*/*.md")), ids=lambda p: p.stem
)
def test_a_problem_set_names_pages_by_their_titles(text):
    titles = {
        title
        for path in BOOK.rglob("*.md")
        for title in re.findall(r"^# (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)[:1]
    }
    sentence = re.search(
        r"The book's pages? (.*?)\n\n", text.read_text(encoding="utf-8"), re.DOTALL
    )
    named = re.findall(r"\*([^*]+)\*", sentence[1]) if sentence else []
    assert named and set(named) <= titles, text

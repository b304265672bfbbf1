"""The book as one PDF: a small book of two pages, printed by Chromium and joined."""

import os
import re
from concurrent.futures import ThreadPoolExecutor

import pytest
from pypdf import PdfReader

from scripts import book_pdf

CONFIG = {"title": "A small book", "author": "Nobody", "repository": {"url": ""}}
TOC = {
    "root": "book/start",
    "parts": [{"caption": "The part", "chapters": [{"file": "book/other"}]}],
}
PAGE = """<!doctype html><html><head><meta charset="utf-8"><title>x</title></head>
<body><article class="bd-article"><section id="{id}">
<h1>{title}<a class="headerlink" href="#{id}">#</a></h1>{body}</section></article></body></html>"""
START = """<p>See <a href="other.html#equation-two">formula 2</a>, <a href="#end">the end</a> and
<a href="https://example.org/paper">a paper</a>.</p>
<details><summary>A section that may be skipped</summary>{widget}</details>
<section id="a"><h2>First section<a class="headerlink" href="#a">#</a></h2>
<details class="admonition dropdown"><summary>Answer</summary><p>The folded answer.</p></details>
<div class="cell tag_hide-input">
<details class="hide"><summary>Show the code</summary><pre>hidden = True</pre></details></div>
<div class="cell tag_hide-cell"><details class="hide"><summary>Show the answer, computed</summary>
<pre>forty-two</pre></details></div>
</section><section id="end" style="break-before: page"><h2>The end</h2>
<p>Every <a href="api-tools.html#lstm_ref.check">function</a>.</p></section>"""
OTHER = """<p>A page.</p>
<section id="b" style="break-before: page"><h2>Second chapter's section</h2>
<div style="height: 60mm"></div><div id="equation-two">E = 2</div>
<a href="start.html">back</a></section>"""


@pytest.fixture(scope="module")
def small(tmp_path_factory, request):
    """A book of two pages and the PDF of it."""
    before = os.environ.get("LSTM_REF_STATIC")
    os.environ["LSTM_REF_STATIC"] = "1"
    request.addfinalizer(
        lambda: (
            os.environ.pop("LSTM_REF_STATIC")
            if before is None
            else os.environ.update(LSTM_REF_STATIC=before)
        )
    )
    from lstm_ref.inspect import GateExplorer

    folder = tmp_path_factory.mktemp("pdf") / "html"
    (folder / "book").mkdir(parents=True)
    start = START.replace("{widget}", GateExplorer().html())
    (folder / "book" / "start.html").write_text(
        PAGE.format(id="top", title="Start here", body=start)
    )
    (folder / "book" / "other.html").write_text(PAGE.format(id="top", title="Other", body=OTHER))
    out = folder.parent / "book.pdf"
    # In a thread of its own: the browser tests may have left Playwright's loop running in this one,
    # and it takes no second.
    with ThreadPoolExecutor(1) as thread:
        assert thread.submit(
            book_pdf.make, folder, out, CONFIG, book_pdf.pages_of(TOC)
        ).result() == len(PdfReader(out).pages)
    return out


def links(reader):
    """(sheet, what it leads to: a sheet from 0, or an address) of every link."""
    found = []
    for k, sheet in enumerate(reader.pages):
        for annotation in (entry.get_object() for entry in sheet.get("/Annots", [])):
            if "/Dest" in annotation:
                found.append((k, reader.get_page_number(annotation["/Dest"][0].get_object())))
            else:
                found.append((k, annotation["/A"]["/URI"]))
    return found


def test_title_contents_pages_and_numbers_stand_in_order(small):
    reader = PdfReader(small)
    texts = [" ".join(sheet.extract_text().split()) for sheet in reader.pages]
    assert len(texts) == 6  # title, contents, two sheets of each page
    assert "A small book" in texts[0] and "Nobody" in texts[0]
    # Titles of the contents are drawn in two steps, and come out of the PDF in their own order.
    assert sorted(re.findall(r"\b\d\b", texts[1].removesuffix(" 2"))) == ["3", "3", "4", "5", "6"]
    assert all(
        title in texts[1]
        for title in ("Start here", "First section", "The end", "The part", "Other")
    )
    assert (
        "Start here" in texts[2]
        and "The end" in texts[3]
        and "A page." in texts[4]
        and "E = 2" in texts[5]
    )
    assert [text.split()[-1] for text in texts[1:]] == ["2", "3", "4", "5", "6"]


def test_answers_are_unfolded_and_code_that_a_page_folds_is_left_out(small):
    text = " ".join(sheet.extract_text() for sheet in PdfReader(small).pages)
    assert "The folded answer." in text and "forty-two" in text
    assert "hidden" not in text and "Show the" not in text and "#" not in text


def test_a_widget_is_a_picture_with_a_link_to_where_it_moves(small):
    reader = PdfReader(small)
    assert [len(sheet.images) for sheet in reader.pages] == [0, 0, 1, 0, 0, 0]
    picture = reader.pages[2].images[0].image.convert("RGB")
    # something is drawn in it
    assert picture.width > 600 and len(picture.resize((60, 60)).getcolors(3600)) > 30
    assert "as it starts" in reader.pages[2].extract_text()
    assert (2, "html/book/start.html#top") in links(reader)


def test_links_lead_to_sheets_and_none_to_this_machine(small):
    reader = PdfReader(small)
    found = links(reader)
    # formula 2, the end, back
    assert {(2, 5), (2, 3), (5, 2), (2, "https://example.org/paper")} <= set(found)
    assert [target for sheet, target in found if sheet == 1] == [2, 2, 3, 4, 5]  # the contents
    assert b"file:" not in small.read_bytes() and not [
        target for _, target in found if "file:" in str(target)
    ]


def test_bookmarks_lead_to_parts_chapters_and_sections(small):
    reader = PdfReader(small)

    def tree(items):
        out = []
        for item in items:
            if isinstance(item, list):
                out[-1] += (tree(item),)
            else:
                out.append((item.title, reader.get_destination_page_number(item)))
        return out

    assert tree(reader.outline) == [
        ("Contents", 1),
        ("Start here", 2, [("First section", 2), ("The end", 3)]),
        ("The part", 4, [("Other", 4, [("Second chapter's section", 5)])]),
    ]


def test_pages_that_are_printed_apart_are_linked_to_in_the_book(small):
    assert (3, "html/book/api-tools.html#lstm_ref.check") in links(PdfReader(small))
    pages = [
        "book/start",
        "book/reference/api",
        "book/reference/api-learning",
        "book/rapid",
        "book/notation",
    ]
    assert [book_pdf.is_api(name) for name in pages] == [False, True, True, False, False]


# What the theme does to code: a box that may scroll, which a printer never divides.
CODE = """<style>
body {{ margin: 0 }}
.cell_input {{ border: 1px solid green }}
.cell_input pre {{ overflow: auto; break-inside: avoid }}
</style><div style="height: {room}mm"></div><section id="c"><h2>Heading</h2>
<div class="cell"><div class="cell_input"><div class="highlight-ipython3"><div class="highlight">
<pre>{code}</pre></div></div></div></div>
</section>"""


@pytest.mark.parametrize(
    ("room", "lines", "sheets"),
    [
        (160, 8, (1, 1)),  # there is room
        # a short cell moves to the next sheet in one piece, and its heading with it
        (215, 12, (2, 2)),
        (160, 60, (1, 2)),  # a long one begins below its heading and goes on overleaf
        (100, 150, (1, 3)),
    ],
)
def test_no_code_leaves_an_empty_frame_or_a_heading_alone(tmp_path, room, lines, sheets):
    (tmp_path / "book").mkdir()
    code = "\n".join(f"line_{k} = {k}" for k in range(lines))
    page = PAGE.format(id="top", title="Code", body=CODE.format(room=room, code=code))
    (tmp_path / "book" / "start.html").write_text(page)
    with ThreadPoolExecutor(1) as thread:
        names = [("book/start", "")]
        thread.submit(book_pdf.make, tmp_path, tmp_path / "out.pdf", CONFIG, names).result()
    texts = [sheet.extract_text() for sheet in PdfReader(tmp_path / "out.pdf").pages[2:]]

    def sheet_of(word):
        return 1 + next(k for k, text in enumerate(texts) if re.search(rf"{word}\b", text))

    assert (sheet_of("line_0"), sheet_of(f"line_{lines - 1}")) == sheets
    assert sheet_of("Heading") == sheet_of("line_3")
    assert all("line_" in text for text in texts[1:])


@pytest.mark.parametrize(
    ("repository", "expected"),
    [
        ("", ""),
        ("https://github.com/someone/course", "https://someone.github.io/course/"),
        ("https://github.com/someone/course.git", "https://someone.github.io/course/"),
        ("https://gitlab.com/someone/course", ""),
    ],
)
def test_a_link_leads_to_the_published_book_where_there_is_one(repository, expected):
    assert book_pdf.website(repository) == expected

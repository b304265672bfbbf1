"""The built book as a PDF, and the pages made from docstrings as another: Chromium prints each
page, pypdf joins them.

Answers are unfolded, code that a page folds is left out, and a widget is replaced by a picture of
how it starts, with a link to the page where it moves. Contents, bookmarks and references lead to
their pages. Nothing is loaded from a network.

    .venv/bin/python scripts/book_pdf.py

It reads _build/html, and writes _build/inside-the-lstm.pdf and _build/inside-the-lstm-api.pdf.
"""

from __future__ import annotations

import argparse
import base64
import html
import io
import re
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import yaml
from playwright.sync_api import Page, sync_playwright
from pypdf import PdfReader, PdfWriter
from pypdf.annotations import Link
from pypdf.generic import ArrayObject, DictionaryObject, Fit, NameObject, TextStringObject

ROOT = Path(__file__).resolve().parents[1]
WIDGET = "widget"  # the query that marks a link to a widget
UNFOLD = "(folded) => document.querySelectorAll(folded).forEach((details) => (details.open = true))"
CSS = """
@page { size: A4; margin: 15mm 16mm 19mm; }
#jb-print-docs-body, .headerlink, .prev-next-footer, .bd-footer, .bd-footer-content {
  display: none !important;
}
.bd-article h1 { display: block !important; }
.tag_hide-input details.hide, details.hide > summary, #pst-back-to-top, .copybtn {
  display: none !important;
}
.bd-article { font-size: 10pt; }
.bd-article h1 { font-size: 20pt; } .bd-article h2 { font-size: 14.5pt; }
.bd-article h3 { font-size: 12pt; }
.bd-article :is(h2, h3) { margin: 6mm 0 2mm; break-after: avoid; }
/* A box that could scroll is never divided: its text moves to the next sheet and
   leaves an empty frame behind. */
.bd-article :is(.cell, .cell_input, .cell_output, .output, .highlight, pre, [class*="highlight-"]) {
  overflow: visible !important; max-height: none !important; break-inside: auto;
}
.bd-article table { break-inside: auto; }
.bd-article tr, .bd-article .whole { break-inside: avoid !important; }
.bd-article dt { break-after: avoid; }
.bd-article details.hide { break-inside: auto !important; }
.bd-article .continues, .bd-article .continues * {
  margin-bottom: 0 !important; padding-bottom: 0 !important;
}
.bd-article .continues { border-bottom: 0 !important; }
.bd-article .continued, .bd-article .continued * {
  margin-top: 0 !important; padding-top: 0 !important;
}
.bd-article .continued { border-top: 0 !important; }
figure.still { break-inside: avoid; margin: 4mm 0; }
figure.still img { max-width: 100%; }
figure.still figcaption { font-size: 9pt; }
.reached { color: transparent; font-size: 1px; line-height: 1px; margin: 0; }
"""
WHOLE = 60  # millimetres: what is no longer stays in one piece
LINES = 8  # longer code goes on overleaf between two groups of so many lines
# Divides long code into frames that stand on each other without a gap, each of which stays in one
# piece: a single frame would begin where no line has room.
DIVIDE = r"""([limit, lines]) => {
    for (const box of document.querySelectorAll("article table"))
        box.classList.toggle("whole", box.getBoundingClientRect().height <= limit);
    for (const pre of document.querySelectorAll("article pre")) {
        const kinds = [".cell_input", ".output", "[class*='highlight-']"];
        const frame = kinds.map((kind) => pre.closest(kind)).find((box) => box) ?? pre;
        const fits = frame.getBoundingClientRect().height <= limit;
        if (fits || frame.querySelectorAll("pre").length > 1) {
            frame.classList.add("whole");
            continue;
        }
        const parts = groups(pre, lines);
        parts.forEach((part, k) => {
            let copy = pre.cloneNode(false);
            copy.append(part);
            for (let outer = pre; outer !== frame; ) {
                outer = outer.parentElement;
                const around = outer.cloneNode(false);
                around.append(copy);
                copy = around;
            }
            copy.classList.add("whole");
            copy.classList.toggle("continued", k > 0);
            copy.classList.toggle("continues", k < parts.length - 1);
            frame.before(copy);
        });
        frame.remove();
    }
    function groups(pre, lines) {
        const ends = [];  // (text node, offset) after each group of lines
        const walker = document.createTreeWalker(pre, NodeFilter.SHOW_TEXT);
        for (let line = 0; walker.nextNode(); )
            for (const { index } of walker.currentNode.data.matchAll(/\n/g))
                if (++line % lines === 0) ends.push([walker.currentNode, index + 1]);
        const parts = [...ends, null].map((end, k) => {
            const part = document.createRange();
            part.selectNodeContents(pre);
            if (k) part.setStart(...ends[k - 1]);
            if (end) part.setEnd(...end);
            return part.cloneContents();
        });
        return parts.filter((part) => part.textContent.trim());
    }
}"""
# Text of a heading without the sign that links to it
TEXT_OF = """(heading) => {
    const nodes = [...heading.childNodes];
    const texts = nodes.filter((n) => !n.classList?.contains("headerlink"));
    return texts.map((n) => n.textContent).join("").trim();
}"""
# Chromium writes a destination into the PDF for every id that a link on the page leads to, and for
# no other.
REACHED = """(ids) => {
    const line = document.createElement("p");
    line.className = "reached";
    for (const id of ids) {
        const link = document.createElement("a");
        Object.assign(link, { href: `#${id}`, textContent: "." });
        line.append(link);
    }
    document.querySelector("article h1").after(line); // at the end it might need a sheet of its own
}"""
FRONT = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title><style>
@page {{ size: A4; margin: 22mm 22mm 19mm; }}
body {{ font-family: system-ui, sans-serif; color: #222832; }}
header {{ break-after: page; padding-top: 70mm; text-align: center; }}
h1 {{ font-size: 30pt; margin: 0 0 6mm; }} h2 {{ font-size: 17pt; }}
h3 {{ font-size: 12pt; margin: 5mm 0 1mm; }}
p {{ margin: 1mm 0; }} a {{ color: inherit; text-decoration: none; display: flex; gap: 3mm; }}
a::before {{ content: attr(data-title); order: 0; }}
i {{ flex: 1; border-bottom: 1px dotted #9aa5b3; margin-bottom: 1.2mm; }}
i, b {{ order: 1; }} b {{ font-weight: normal; }}
.section {{ font-size: 9.5pt; margin-left: 6mm; color: #5a6675; }}
</style></head><body><header><h1>{title}</h1><p>{author}</p><p>{licence}</p></header>
<h2 id="contents">Contents</h2>{lines}
</body></html>"""
FOOTERS = """<!doctype html><html><head><meta charset="utf-8"><style>
@page {{ size: A4; margin: 0; }}
body {{ margin: 0; font: 8.5pt system-ui, sans-serif; color: #5a6675; }}
div {{
  height: 297mm; break-after: page; box-sizing: border-box; padding: 282mm 16mm 0;
  display: flex; overflow: hidden;
}}
div:last-child {{ break-after: auto; }} span {{ flex: 1; }}
</style></head><body>{pages}</body></html>"""


@dataclass
class Printed:
    """A page of the book on paper."""

    name: str  # "book/bptt"
    title: str
    part: str = ""
    # (title, id) of each section of the first level
    sections: list[tuple[str, str]] = field(default_factory=list)
    pdf: bytes = b""


@dataclass
class Reference:
    """A link on a sheet of the joined PDF, before it is written."""

    sheet: int
    rect: tuple[float, float, float, float]
    name: str  # the page of the book that it leads to
    anchor: str


def pages_of(toc: dict[str, Any]) -> list[tuple[str, str]]:
    """(page, caption of its part) in the order of the table of contents."""
    parts = [
        ("", toc.get("chapters", [])),
        *((part.get("caption", ""), part["chapters"]) for part in toc.get("parts", [])),
    ]
    return [
        (toc["root"], ""),
        *((chapter["file"], caption) for caption, chapters in parts for chapter in chapters),
    ]


def is_api(name: str) -> bool:
    """Whether a page is made from docstrings: more sheets than two parts of the book, and looked up
    rather than read.
    """
    return name.rsplit("/", 1)[-1].startswith("api")


def website(repository: str) -> str:
    """Address at which `make publish` puts the book; empty without a repository on GitHub."""
    found = re.match(r"https://github\.com/([^/]+)/([^/]+?)(?:\.git)?/?$", repository)
    return f"https://{found[1]}.github.io/{found[2]}/" if found else ""


def anchors(folder: Path, names: Sequence[str]) -> dict[str, set[str]]:
    """For each page, the ids in it that other pages refer to."""
    found: dict[str, set[str]] = {name: set() for name in names}
    for name in names:
        text = (folder / f"{name}.html").read_text(encoding="utf-8")
        for link in re.findall(r'href="([^"#:]+\.html)#([^"]+)"', text):
            target = ((folder / name).parent / unquote(link[0])).resolve().with_suffix("")
            for other in names:
                if target == (folder / other).resolve():
                    found[other].add(unquote(link[1]))
    return found


@contextmanager
def chromium() -> Iterator[Page]:
    """A page of a browser without a network, a window and animations."""
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        sys.exit(
            "book_pdf: no chromium on the PATH; run `make system-packages` first (`make pdf` does)"
        )
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=program, args=["--no-sandbox", "--disable-gpu"]
        )
        context = browser.new_context(
            color_scheme="light",
            offline=True,
            reduced_motion="reduce",
            device_scale_factor=2,
            viewport={"width": 1280, "height": 900},
        )
        yield context.new_page()
        browser.close()


def stills(page: Page) -> int:
    """Replace each widget by a picture of how it starts, and a link to the page where it moves;
    return their number.
    """
    widgets = page.locator("article .lstm-widget")
    number = widgets.count()
    # From the last to the first: the first on the page stays the first of the rest.
    for k in reversed(range(number)):
        widget = widgets.nth(k)
        label = widget.get_attribute("aria-label") or "A widget"
        picture = base64.b64encode(widget.screenshot()).decode()
        widget.evaluate(
            """(el, {label, picture, query}) => {
                const figure = document.createElement("figure");
                figure.className = "still";
                const src = `data:image/png;base64,${picture}`;
                const image = Object.assign(new Image(), { src, alt: label });
                image.style.width = `${el.clientWidth}px`;
                const caption = document.createElement("figcaption");
                const link = document.createElement("a");
                const place = el.closest("section[id]")?.id ?? "";
                link.href = `${location.href.split("#")[0]}?${query}#${place}`;
                link.textContent = "in the book";
                caption.append(`${label}, as it starts. It moves `, link, ".");
                figure.append(image, caption);
                el.replaceWith(figure);
            }""",
            {"label": label, "picture": picture, "query": WIDGET},
        )
    return number


def print_page(page: Page, address: str, name: str, part: str, needed: set[str]) -> Printed:
    """Print one page of the book; ``needed`` are the ids that must be found again in what is
    printed.
    """
    page.goto(address)
    page.wait_for_load_state("networkidle")
    page.evaluate("document.fonts.ready")
    page.evaluate(UNFOLD, "article details:has(.lstm-widget)")  # a hidden one has no picture
    stills(page)
    page.add_style_tag(content=CSS)
    page.evaluate(UNFOLD, "article details")
    page.emulate_media(media="print")
    page.evaluate(DIVIDE, [WHOLE / 25.4 * 96, LINES])
    # as it was: the pictures of the next page's widgets are of the screen
    page.emulate_media(media="null")
    title = page.eval_on_selector("article h1", f"(h) => ({TEXT_OF})(h)")
    sections = page.eval_on_selector_all(
        "article > section > section[id]",
        f'(all) => all.map((s) => [({TEXT_OF})(s.querySelector("h2")), s.id])',
    )
    page.evaluate(REACHED, sorted({*needed, *(place for _, place in sections)}))
    pdf = page.pdf(prefer_css_page_size=True, print_background=True)
    return Printed(name, title, part, [tuple(section) for section in sections], pdf)


def print_html(page: Page, text: str) -> bytes:
    """Print a document of our own."""
    # or links to the page that was open would count as links within this document
    page.goto("about:blank")
    page.set_content(text)
    return page.pdf(prefer_css_page_size=True, print_background=True)


def contents(
    config: dict[str, Any],
    chapters: Sequence[Printed],
    numbers: dict[tuple[str, str], int],
    base: str,
) -> str:
    """HTML of the title and the table of contents; a number is 0 while it is not known."""
    lines, part = [], ""

    def line(kind: str, title: str, name: str, anchor: str) -> str:
        number = numbers.get((name, anchor), 0) + 1
        address = html.escape(f"{base}{name}.html" + (f"#{anchor}" if anchor else ""))
        # The title is drawn by the style sheet, so that the dots between it and the number fill the
        # line.
        return (
            f'<p class="{kind}"><a href="{address}" '
            f'data-title="{html.escape(title)}"><i></i><b>{number}</b></a></p>'
        )

    for chapter in chapters:
        if chapter.part and chapter.part != part:
            part = chapter.part
            lines.append(f"<h3>{html.escape(part)}</h3>")
        lines.append(line("chapter", chapter.title, chapter.name, ""))
        lines += [line("section", title, chapter.name, place) for title, place in chapter.sections]
    licence = "Text and figures: CC BY 4.0. Code: MIT."
    return FRONT.format(
        title=html.escape(config["title"]),
        author=html.escape(config["author"]),
        licence=licence,
        lines="\n".join(lines),
    )


def join(
    parts: Sequence[Printed], base: str, site: str
) -> tuple[PdfWriter, dict[tuple[str, str], int]]:
    """One PDF of what was printed, and the sheet, from 0, of each (page, id); links lead to sheets
    of it.

    Parameters
    ----------
    parts : in order
    base : address of the folder that was printed, as it stands in the links: ``file:///.../``
    site : where the book is published, for the links that stay; empty for beside the PDF
    """
    writer = PdfWriter()
    places: dict[tuple[str, str], tuple[int, float]] = {}
    references: list[Reference] = []
    printed = {part.name for part in parts}
    for part in parts:
        reader = PdfReader(io.BytesIO(part.pdf))
        start = len(writer.pages)
        places[part.name, ""] = (start, 842.0)
        for name, destination in reader.named_destinations.items():
            sheet = reader.get_destination_page_number(destination)
            if sheet is not None and sheet >= 0:
                places[part.name, name.removeprefix("/")] = (
                    start + sheet,
                    float(destination.top or 842),
                )
        for k, sheet in enumerate(reader.pages):
            kept = ArrayObject()
            for annotation in (entry.get_object() for entry in sheet.get("/Annots", [])):
                reference = _reference(annotation, part.name, base, start + k)
                if reference is None or reference.name not in printed:
                    _outward(annotation, base, site)
                    kept.append(annotation)
                else:
                    references.append(reference)
            sheet[NameObject("/Annots")] = kept
            writer.add_page(sheet)
    for reference in references:
        # An id that is nowhere in the PDF, for instance in code that was left out: the page that
        # has it.
        place = places.get((reference.name, reference.anchor)) or places.get((reference.name, ""))
        x0, y0, x1, y1 = reference.rect
        if place is not None and (x1 - x0) * (y1 - y0) > 4:  # the links of `reached` are done with
            fit = Fit.xyz(left=0, top=place[1] + 12)
            writer.add_annotation(
                reference.sheet, Link(rect=reference.rect, target_page_index=place[0], fit=fit)
            )
    return writer, {key: sheet for key, (sheet, _) in places.items()}


def _reference(annotation: DictionaryObject, name: str, base: str, sheet: int) -> Reference | None:
    """Where a link leads within the book; None for all others."""
    rect = tuple(float(number) for number in annotation["/Rect"])
    if isinstance(target := annotation.get("/Dest"), str):
        return Reference(sheet, rect, name, target.removeprefix("/"))
    uri = str(annotation.get("/A", {}).get("/URI", ""))
    address = urlsplit(uri)
    if not uri.startswith(base) or address.query == WIDGET or not address.path.endswith(".html"):
        return None
    page = unquote(uri.removeprefix(base).partition("#")[0]).removesuffix(".html")
    return Reference(sheet, rect, page, unquote(address.fragment))


def _outward(annotation: DictionaryObject, base: str, site: str) -> None:
    """Let a link that stays lead to the published book, or to the one beside the PDF; no path of
    this machine is left.
    """
    action = annotation.get("/A", {})
    if str(uri := action.get("/URI", "")).startswith(base):
        page = str(uri).removeprefix(base).replace(f"?{WIDGET}", "")
        action[NameObject("/URI")] = TextStringObject((site or "html/") + page)


def number_sheets(writer: PdfWriter, page: Page, titles: Sequence[str]) -> None:
    """Write number and chapter under every sheet but the first, which is the title."""
    lines = [
        f"<div><span>{html.escape(title) if k else ''}</span>{k + 1 if k else ''}</div>"
        for k, title in enumerate(titles)
    ]
    footers = PdfReader(io.BytesIO(print_html(page, FOOTERS.format(pages="".join(lines)))))
    assert len(footers.pages) == len(writer.pages), "one footer for each sheet"
    for sheet, footer in zip(writer.pages, footers.pages, strict=True):
        sheet.merge_page(footer)


def make(folder: Path, out: Path, config: dict[str, Any], names: Sequence[tuple[str, str]]) -> int:
    """Print the pages ``names`` of the book in ``folder`` into ``out``; return the number of
    sheets.
    """
    base = folder.resolve().as_uri() + "/"
    site = website((config.get("repository") or {}).get("url") or "")
    needed = anchors(folder, [name for name, _ in names])
    with chromium() as page:
        chapters = []
        for name, part in names:
            print(f"  {name}", flush=True)
            chapters.append(print_page(page, f"{base}{name}.html", name, part, needed[name]))
        numbers: dict[tuple[str, str], int] = {}
        for _ in range(2):  # the first time for the numbers, which the second time prints
            front = Printed(
                "", config["title"], pdf=print_html(page, contents(config, chapters, numbers, base))
            )
            writer, numbers = join([front, *chapters], base, site)
        firsts = [numbers[chapter.name, ""] for chapter in chapters]
        titles = [
            next(
                (
                    chapter.title
                    for chapter, first in zip(reversed(chapters), reversed(firsts), strict=True)
                    if first <= k
                ),
                "",
            )
            for k in range(len(writer.pages))
        ]
        number_sheets(writer, page, titles)
    bookmark(writer, chapters, numbers)
    writer.add_metadata({"/Title": config["title"], "/Author": config["author"]})
    writer.compress_identical_objects()
    out.parent.mkdir(parents=True, exist_ok=True)
    writer.write(out)
    return len(writer.pages)


def bookmark(
    writer: PdfWriter, chapters: Sequence[Printed], numbers: dict[tuple[str, str], int]
) -> None:
    """One bookmark for each part, chapter and section."""
    writer.add_outline_item(title="Contents", page_number=1)
    part, parent = "", None
    for chapter in chapters:
        first = numbers[chapter.name, ""]
        if chapter.part != part:
            part = chapter.part
            parent = writer.add_outline_item(title=part, page_number=first) if part else None
        own = writer.add_outline_item(title=chapter.title, page_number=first, parent=parent)
        for title, place in chapter.sections:
            writer.add_outline_item(
                title=title, page_number=numbers.get((chapter.name, place), first), parent=own
            )


def main() -> None:
    """Read the arguments and print the book."""
    parser = argparse.ArgumentParser(description="Print the built book into one PDF.")
    parser.add_argument(
        "--html", type=Path, default=ROOT / "_build" / "html", help="folder of the built book"
    )
    parser.add_argument(
        "--out", type=Path, default=ROOT / "_build" / "inside-the-lstm.pdf", help="file to write"
    )
    parser.add_argument("--toc", type=Path, default=ROOT / "_toc.yml", help="table of contents")
    given = parser.parse_args()
    if not (given.html / "index.html").is_file():
        sys.exit(
            f"book_pdf: there is no built book in {given.html}; run `make book` first (`make pdf` "
            "does)"
        )
    config = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
    names = pages_of(yaml.safe_load(given.toc.read_text(encoding="utf-8")))
    api = given.out.with_stem(f"{given.out.stem}-api")
    files = {
        given.out: (config, [pair for pair in names if not is_api(pair[0])]),
        api: (
            config | {"title": f"{config['title']}: the API"},
            [pair for pair in names if is_api(pair[0])],
        ),
    }
    for out, (its_config, its_names) in files.items():
        if its_names:
            sheets = make(given.html, out, its_config, its_names)
            print(f"{out}: {sheets} pages, {out.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()

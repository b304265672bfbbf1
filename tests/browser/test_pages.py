"""What every page of the book holds in a real browser, from disk, without a network.

Beyond what each test says, `page_for` fails a test whose page asked for anything outside the disk
or wrote an error.
"""

import json
import re
from io import BytesIO
from pathlib import Path

import pytest
import yaml
from playwright.sync_api import expect
from pypdf import PdfReader

from tests.support.accessibility import COLOURS, violations

ROOT = Path(__file__).parents[2]
TOC = yaml.safe_load((ROOT / "_toc.yml").read_text())
PAGES = [TOC["root"], *(chapter["file"] for part in TOC["parts"] for chapter in part["chapters"])]
ALL = [*PAGES, "search", "genindex"]
MODES = [("desktop", "light"), ("desktop", "dark"), ("phone", "light"), ("phone", "dark")]
UNFOLD = "document.querySelectorAll('details').forEach((details) => (details.open = true))"


@pytest.mark.parametrize("wide", ALL, indirect=True)
def test_page_loads_from_disk_without_an_error(wide):
    expect(wide.locator("main h1:visible").first).to_be_visible()
    wide.wait_for_load_state("networkidle")


def test_index_leads_to_the_first_page(page_for):
    page = page_for("index")
    page.wait_for_url(f"**/{TOC['root']}.html")


# What hides its overflow does not widen the page: only the rectangles of the text tell that a word
# is cut.
TEXT_OUTSIDE = """() => {
    const room = document.documentElement.clientWidth, outside = [];
    const mayScroll = (box) => ["auto", "scroll"].includes(getComputedStyle(box).overflowX);
    const scrolls = (box) => box && (mayScroll(box) || scrolls(box.parentElement));
    const main = document.querySelector(".bd-main");
    const walker = document.createTreeWalker(main, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
        const text = walker.currentNode, box = text.parentElement;
        if (!text.data.trim() || scrolls(box)) continue;
        if (box.closest(".katex-mathml, .visually-hidden, svg")) continue;
        const range = document.createRange();
        range.selectNodeContents(text);
        const cut = [...range.getClientRects()]
            .find((r) => r.width > 1 && r.height > 1 && (r.right > room + 1 || r.left < -1));
        if (cut && box.checkVisibility({ visibilityProperty: true }))
            outside.push(`${text.data.trim()} (${cut.left} to ${cut.right})`);
    }
    return outside;
}"""


def assert_nothing_is_cut(page):
    """The page is no wider than its window, and neither is anything on it that cannot scroll."""
    page.evaluate(UNFOLD)
    too_wide = page.evaluate(
        """() => {
            const room = document.documentElement.clientWidth;
            const overflow = (box) => getComputedStyle(box).overflowX;
            const hides = (box) => ["auto", "scroll", "hidden"].includes(overflow(box));
            const scrolls = (box) => box && (hides(box) || scrolls(box.parentElement));
            return [...document.querySelectorAll("article *")]
                .filter((box) => box.getBoundingClientRect().right > room + 1)
                .filter((box) => !scrolls(box.parentElement))
                .map((box) => box.outerHTML.slice(0, 200));
        }"""
    )
    width, room = page.evaluate(
        "[document.scrollingElement.scrollWidth, document.documentElement.clientWidth]"
    )
    assert width <= room, f"the page is {width} pixels wide, the window {room}: {too_wide}"
    assert not too_wide


def assert_no_text_is_outside(page):
    assert page.evaluate(TEXT_OUTSIDE) == [], (
        "text beyond the edge of the window, where nobody can scroll to it"
    )


# The colours move nothing: each width once, and each colour scheme once.
@pytest.mark.parametrize("wide", PAGES, indirect=True)
def test_page_does_not_scroll_sideways(wide):
    assert_nothing_is_cut(wide)
    assert_no_text_is_outside(wide)


@pytest.mark.parametrize("narrow", PAGES, indirect=True)
def test_narrow_page_does_not_scroll_sideways(narrow):
    assert_nothing_is_cut(narrow)
    size = narrow.viewport_size
    narrow.set_viewport_size({"width": 360, "height": 780})  # the narrowest that are sold
    assert_no_text_is_outside(narrow)
    narrow.set_viewport_size(size)


# Each word of a figure: its height in pixels as it is shown, and whether it lies outside of the
# figure or on another word. (Turned words have boxes that overlap, and a mark may lie on a letter.)
WORDS_OF_FIGURES = """() => {
    const SIZE = /scale\\((0?\\.\\d+) -0?\\.\\d+\\)/;
    const shown = (what) => [...document.querySelectorAll(`article .lstm-figure ${what}`)]
        .filter((one) => one.checkVisibility());
    // Two pictures in place of one: their source says how large the letters are.
    const pictures = shown("img").map((img) => {
        const source = atob(img.src.split(",")[1]), shrunk = img.width / img.naturalWidth * 96 / 72;
        const sizes = [...source.matchAll(RegExp(SIZE, "g"))]
            .map(([, size]) => 100 * size * shrunk);
        return { least: Math.min(...sizes), outside: [], overlap: [] };
    });
    const drawings = shown("svg").map((svg) => {
        const frame = svg.getBoundingClientRect(), shrunk = frame.width / svg.viewBox.baseVal.width;
        const words = [...svg.querySelectorAll("g[transform]")]
            .map((g) => [g.getAttribute("transform"), g.getBoundingClientRect()])
            .filter(([how]) => SIZE.test(how))
            .map(([how, r]) =>
                ({r, turned: how.includes("rotate"), size: 100 * SIZE.exec(how)[1]}));
        const inside = ({r}) => r.left > frame.left - 1 && r.right < frame.right + 1 &&
            r.top > frame.top - 1 && r.bottom < frame.bottom + 1;
        const holds = (a, b) => a.left <= b.left && a.right >= b.right && a.top <= b.top &&
            a.bottom >= b.bottom;
        const meet = ({r: a, turned}, {r: b, turned: too}) => !(turned && too) &&
            Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1 &&
            Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 2 &&
            !holds(a, b) && !holds(b, a);
        const place = ({r}) => [r.left - frame.left, r.top - frame.top].map(Math.round);
        return {
            least: Math.min(...words.map(({size}) => size * shrunk)),
            outside: words.filter((word) => !inside(word)).map(place),
            overlap: words.flatMap((one, k) =>
                words.slice(k + 1).filter((other) => meet(one, other)).map(place)),
        };
    });
    return [...pictures, ...drawings];
}"""


@pytest.mark.parametrize("narrow", PAGES, indirect=True)
def test_words_of_figures_are_read_on_a_telephone(narrow):
    narrow.evaluate(UNFOLD)
    waiting = "div.cell.tag_after-choice[hidden]"  # what is shown when a prediction is made
    narrow.evaluate(f"document.querySelectorAll('{waiting}').forEach((c) => (c.hidden = false))")
    source = (ROOT / f"{narrow.url.split('/_build/html/')[1][:-5]}.md").read_text(encoding="utf-8")
    found = narrow.evaluate(WORDS_OF_FIGURES)
    assert found or "figure(" not in source
    for number, words in enumerate(found, 1):
        assert words["least"] >= 10.5, f"figure {number}"
        assert words["outside"] == [] and words["overlap"] == [], f"figure {number}: {words}"


TABLES = """() => [...document.querySelectorAll("article .pst-scrollable-table-container")]
    .filter((box) => box.checkVisibility())
    .map((box) => {
        const wide = box.scrollWidth > box.clientWidth + 1;
        return [box.textContent.trim().slice(0, 40), wide, box.classList.contains("goes-on"),
            getComputedStyle(box).overflowX, box.tabIndex];
    })"""
AT_THE_END = """() => [...document.querySelectorAll("article .pst-scrollable-table-container")]
    .filter((box) => box.checkVisibility())
    .map((box) => {
        box.scrollTo(box.scrollWidth, 0);
        const frame = box.getBoundingClientRect();
        const last = box.querySelector("tbody tr:last-child > :last-child").getBoundingClientRect();
        return last.right <= frame.right + 1 && last.right > frame.left && frame.right <= 391;
    })"""


@pytest.mark.parametrize("narrow", PAGES, indirect=True)
def test_the_last_column_of_a_table_is_reached_on_a_telephone(narrow):
    """Nearly every table fits; the edge of one that goes on fades until its end is seen."""
    narrow.evaluate(UNFOLD)
    narrow.wait_for_function("document.querySelectorAll('details:not([open])').length === 0")
    tables = narrow.locator("article .pst-scrollable-table-container")
    expect(tables.and_(narrow.locator(".goes-on"))).to_have_count(
        sum(wide for _, wide, *_ in narrow.evaluate(TABLES))
    )
    for text, wide, fades, overflow, tab in narrow.evaluate(TABLES):
        assert wide == fades, text
        assert not wide or (overflow in ("auto", "scroll") and tab == 0), text
    assert all(narrow.evaluate(AT_THE_END))
    expect(tables.and_(narrow.locator(".goes-on"))).to_have_count(0)
    narrow.evaluate(f"{AT_THE_END.replace('box.scrollWidth, 0', '0, 0')}")


def test_few_tables_are_wider_than_a_telephone(page_for):
    """Of the pages that had the widest: the profiler's table, the symptoms, the sheet."""
    wide = {}
    for name in (
        "one/bptt", "one/what-if", "two/pytorch", "three/slow", "three/overfitting",
        "three/inside", "reference/debugging-sheet",
    ):  # fmt: skip
        page = page_for(f"book/{name}", "phone")
        page.evaluate(UNFOLD)
        wide[name] = [text for text, goes_on, *_ in page.evaluate(TABLES) if goes_on]
    assert wide == dict.fromkeys(wide, [])


@pytest.mark.parametrize("wide", ALL, indirect=True)
def test_page_is_accessible(wide):
    """In the light, all that axe-core knows; then in the dark, what it says of colours."""
    wide.evaluate(UNFOLD)
    assert violations(wide) == []
    wide.emulate_media(color_scheme="dark")
    expect(wide.locator("html")).to_have_attribute("data-theme", "dark")
    found = violations(wide, least=1, runOnly=COLOURS)
    wide.emulate_media(color_scheme="light")
    expect(wide.locator("html")).to_have_attribute("data-theme", "light")
    assert found == []


@pytest.mark.parametrize("narrow", ALL, indirect=True)
def test_narrow_page_is_accessible(narrow):
    """A narrow page has the colours of a wide one."""
    narrow.evaluate(UNFOLD)
    assert violations(narrow, rules={rule: {"enabled": False} for rule in COLOURS}) == []


@pytest.mark.parametrize(("viewport", "colour_scheme"), MODES)
def test_first_page_is_asked_everything_in_every_mode(page_for, viewport, colour_scheme):
    page = page_for(TOC["root"], viewport, colour_scheme)
    page.evaluate(UNFOLD)
    assert violations(page, every_text=True) == []


FAINT = [
    ("article p { color: #bbb }", "foreground color: #bbbbbb"),
    (".highlight .k { color: #aaa !important }", "foreground color: #aaaaaa"),
    (".katex { color: #9a9a9a }", "foreground color: #9a9a9a"),
    ("article p:nth-of-type(2) { background: #777 }", "background color: #777777"),
    ("article p:nth-of-type(2) { opacity: 0.3 }", "insufficient color contrast"),
]


@pytest.mark.parametrize(("fault", "told"), FAINT)
def test_a_faint_text_is_found_though_two_of_each_look_are_asked(page_for, fault, told):
    page = page_for("book/reference/notation")
    page.evaluate(UNFOLD)
    page.add_style_tag(content=fault)
    for every_text in (True, False):
        found = violations(page, every_text, least=0, runOnly=COLOURS[:1])
        assert len(found) == 1 and told in found[0], f"{every_text=}"


@pytest.mark.parametrize("wide", PAGES, indirect=True)
def test_every_image_says_what_it_shows(wide):
    nameless = wide.eval_on_selector_all(
        "article :is(img, .lstm-figure svg)",
        (
            "all => all.filter((i) => !(i.alt ?? i.ariaLabel ?? '').trim()).map((i) => "
            "i.outerHTML.slice(0, 200))"
        ),
    )
    assert nameless == []


@pytest.mark.parametrize("wide", PAGES, indirect=True)
def test_formulas_have_their_fonts_and_a_form_for_screen_readers(wide, request):
    if wide.locator(".katex").count() == 0:
        name = request.node.callspec.params["wide"]
        source = (ROOT / f"{name}.md").read_text(encoding="utf-8")
        assert "$" not in re.sub(r"^```.*?^```$|`[^`]*`", "", source, flags=re.S | re.M), (
            "formulas that were not rendered"
        )
        return
    wide.evaluate(UNFOLD)  # a font is loaded only where it is shown
    wide.evaluate("document.fonts.ready")
    fonts = wide.evaluate(
        "[...document.fonts].filter((f) => f.status === 'loaded').map((f) => f.family)"
    )
    assert any("KaTeX_Math" in font for font in fonts)
    assert (
        wide.locator("article .katex").count() == wide.locator("article .katex-mathml math").count()
    )


def test_chinese_terms_are_drawn_and_no_boxes(page_for):
    """A character that no font has is drawn as a box, the same box for each of them."""
    page = page_for("book/reference/glossary")
    drawn = page.evaluate(
        """() => {
            const spans = [...document.querySelectorAll("article span[lang=zh]")];
            const text = spans.map((span) => span.textContent).join("");
            const canvas = document.createElement("canvas");
            [canvas.width, canvas.height] = [48, 48];
            const pen = canvas.getContext("2d", {willReadFrequently: true});
            pen.font = `32px ${getComputedStyle(spans[0]).fontFamily}`;
            const draw = (character) => {
                pen.clearRect(0, 0, 48, 48);
                pen.fillText(character, 4, 38);
                return pen.getImageData(0, 0, 48, 48).data.join();
            };
            const box = draw("\\u{10fffd}");
            const characters = [...new Set(text.match(/[\\u4e00-\\u9fff]/g))];
            const pictures = characters.map(draw);
            return {
                characters: characters.length,
                pictures: new Set(pictures).size,
                boxes: characters.filter((_, k) => pictures[k] === box),
            };
        }"""
    )
    assert drawn["characters"] > 100 and drawn["boxes"] == []
    assert drawn["pictures"] == drawn["characters"]


def test_wide_formula_can_be_scrolled_by_keyboard(page_for):
    page = page_for("book/one/bptt", "phone")
    wide = page.locator("div.math[tabindex='0']").first
    expect(wide).to_be_attached()
    wide.focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function("document.activeElement.scrollLeft > 0")


def test_code_column_of_the_formula_table_is_read_on_a_telephone(page_for):
    """Each of its 13 lines of code stands below its formula: whole, and large enough."""
    page = page_for("book/one/bptt", "phone")
    found = page.evaluate(
        """() => {
            const tables = [...document.querySelectorAll("article table")];
            const table = tables.find((one) => one.textContent.includes("dWh = h_prev.T @ da"));
            return [...table.querySelectorAll("tbody tr")].map((row) => {
                const code = row.querySelector("td:last-child code");
                const [box, formula] = [code, row.querySelector(".math")].map((one) =>
                    one.getBoundingClientRect());
                const below = box.top >= formula.top;
                return [code.textContent, box.left, box.right, below,
                    parseFloat(getComputedStyle(code).fontSize)];
            });
        }"""
    )
    assert len(found) == 13
    for code, left, right, below, size in found:
        assert "=" in code and 0 <= left < right <= 390 and below and size >= 12, code


@pytest.mark.parametrize("name", ["book/one/long-text", "book/two/three-engines"])
def test_wide_code_and_output_scroll_in_boxes_that_say_so(page_for, name):
    """On a telephone a scroll bar is not seen; the edge of the box is, until the end is reached."""
    page = page_for(name, "phone")
    wide = page.locator("article div.highlight.goes-on > pre:visible")
    assert wide.count() > 3
    boxes = page.evaluate(
        """() => [...document.querySelectorAll("article div.highlight > pre")]
            .filter((pre) => pre.checkVisibility())
            .map((pre) => {
                const edge = pre.getBoundingClientRect(), box = pre.parentElement;
                return [pre.textContent.trim().slice(0, 40), edge.left, edge.right,
                    pre.scrollWidth > pre.clientWidth + 1,
                    getComputedStyle(pre).overflowX,
                    getComputedStyle(box, "::after").content !== "none"];
            })"""
    )
    for text, left, right, is_wide, overflow, says_so in boxes:
        assert 0 <= left < right <= 390 and is_wide == says_so, text
        assert overflow in ("auto", "scroll") or not is_wide, text
    page.evaluate(
        """() => document.querySelectorAll("article div.highlight > pre")
            .forEach((pre) => pre.scrollTo(pre.scrollWidth, 0))"""
    )
    expect(wide).to_have_count(0)


def test_one_switch_shows_all_code_of_a_page_and_of_the_next(page_for):
    page = page_for("book/one/bptt")
    code = page.locator("article .tag_hide-input details.hide")
    answer = page.locator("article .tag_hide-cell details.hide")
    opened = "all => all.filter((one) => one.open).length"
    assert code.count() > 5 and code.evaluate_all(opened) == 0
    switch = page.locator("p.all-code button")
    expect(switch).to_have_count(1)
    switch.focus()
    page.keyboard.press("Enter")
    expect(switch).to_have_text("Fold all code of this page")
    assert code.evaluate_all(opened) == code.count() and answer.evaluate_all(opened) == 0
    page.goto(page.url.replace("bptt", "what-if"))
    assert code.evaluate_all(opened) == code.count() > 5
    page.locator("p.all-code button").click()
    assert code.evaluate_all(opened) == 0


def test_the_choice_of_a_library_holds_on_every_page(page_for):
    page = page_for("book/two/masks")
    page.locator(".sd-tab-set label", has_text="Keras").first.click()
    for name in ("two/pytorch", "four/sentiment", "reference/recipes"):
        page.goto(re.sub(r"book/.*", f"book/{name}.html", page.url))
        tabs = page.locator(".sd-tab-set").first
        expect(tabs.locator("label", has_text="Keras")).to_be_visible()
        assert (
            tabs.evaluate("set => set.querySelector('input:checked + label').textContent.trim()")
            == "Keras"
        ), name


def test_search_finds_a_word_and_leads_to_its_page(page_for):
    page = page_for("book/one/lstm-cell")
    box = page.locator(".bd-sidebar-primary input[name='q']")
    if not box.is_visible():
        page.locator(".bd-sidebar-primary button.search-button-field").click()
        box = page.locator("#pst-search-dialog input[name='q']")
    box.fill("backpropagation")
    box.press("Enter")
    hit = page.locator("#search-results li a", has_text="Backpropagation through time").first
    expect(hit).to_be_visible()
    hit.click()
    page.wait_for_url("**/book/one/bptt.html*")


def test_reader_can_switch_between_light_and_dark(page_for):
    page = page_for("book/one/lstm-cell")
    root = page.locator("html")
    expect(root).to_have_attribute("data-theme", "light")
    expect(page.locator(".lstm-figure svg").first).to_be_visible()
    # The page, and what a figure writes on it
    colours = """() => [
        getComputedStyle(document.body).backgroundColor,
        getComputedStyle(document.querySelector(".lstm-figure svg g[style*='fill:var']")).fill,
    ].map((colour) => colour.match(/\\d+/g).reduce((sum, part) => sum + Number(part), 0))"""
    page_light, text_light = page.evaluate(colours)
    for _ in range(3):  # auto, light, dark: in the order of the theme
        if root.get_attribute("data-theme") != "dark":
            page.locator("button.theme-switch-button").first.click()
    expect(root).to_have_attribute("data-theme", "dark")
    page_dark, text_dark = page.evaluate(colours)
    assert text_light < page_light and page_dark < text_dark


@pytest.mark.parametrize("key", ["Enter", "Space"])
def test_answer_unfolds_by_keyboard(page_for, key):
    page = page_for("book/one/bptt")
    answer = page.locator("details.admonition.dropdown").first
    expect(answer.locator(":scope > :not(summary)").first).to_be_hidden()
    answer.locator("summary").focus()
    page.keyboard.press(key)
    expect(answer.locator(":scope > :not(summary)").first).to_be_visible()


def test_answer_unfolds_and_folds_by_mouse(page_for):
    page = page_for("book/one/lstm-cell", "phone")
    answer = page.locator("details.admonition.dropdown").first
    answer.locator("summary").click()
    expect(answer.locator(":scope > :not(summary)").first).to_be_visible()
    answer.locator("summary").click()
    expect(answer.locator(":scope > :not(summary)").first).to_be_hidden()


def test_a_section_that_may_be_skipped_is_written_as_the_others_are(page_for):
    page = page_for("book/one/lstm-cell")
    page.evaluate(UNFOLD)
    size = "all => [...new Set(all.map(p => getComputedStyle(p).fontSize))]"
    skipped, others = (
        page.locator(f"article {where}").evaluate_all(size)
        for where in (
            "details.optional p:not(.admonition-title, .lstm-widget p)",
            "> section > section > p",
        )
    )
    assert len(others) == 1 and skipped == others


def test_answers_are_open_on_paper(page_for):
    page = page_for("book/one/lstm-cell")
    folded = page.locator("article details:not([open])")
    number = folded.count()
    assert number > 0
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    expect(folded).to_have_count(0)
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    expect(folded).to_have_count(number)


@pytest.mark.parametrize(
    ("sheet", "texts"),
    [
        ("cheat-sheet", ["Cheat sheet", "forget bias", "Without a baseline"]),
        (
            "debugging-sheet",
            ["Debugging on one page", "accuracy high, model useless", "nearly every fault"],
        ),
    ],
)
def test_a_sheet_fits_on_one_page_of_paper(page_for, sheet, texts):
    page = page_for(f"book/reference/{sheet}")
    printed = PdfReader(BytesIO(page.pdf(prefer_css_page_size=True)))
    width, height = (float(side) for side in printed.pages[0].mediabox[2:])
    assert len(printed.pages) == 1 and (round(width), round(height)) == (595, 842)  # A4 in points
    text = " ".join(printed.pages[0].extract_text().split())
    assert all(part in text for part in texts)


def test_notebook_is_downloaded_from_the_page(page_for, book):
    page = page_for("book/one/lstm-cell")
    page.locator(".dropdown-download-buttons > button").click()
    with page.expect_download() as download:
        page.locator("a.btn-download-notebook-button").click()
    assert download.value.suggested_filename == "lstm-cell.ipynb"
    # JSON, not bytes: the page holds its copy with "</" escaped.
    beside = json.loads(
        (book / "_sources" / "book" / "one" / "lstm-cell.ipynb").read_text(encoding="utf-8")
    )
    assert json.loads(Path(download.value.path()).read_text(encoding="utf-8")) == beside


def test_mobile_menu_opens(page_for):
    page = page_for("book/one/lstm-cell", "phone")
    link = page.locator(".bd-sidebar-primary a", has_text="Backpropagation through time").first
    expect(link).not_to_be_in_viewport()
    page.locator("button.primary-toggle").first.click()
    expect(link).to_be_in_viewport()

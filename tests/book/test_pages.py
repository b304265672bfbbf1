"""What the files of the built book hold, without a browser."""

import importlib
import importlib.util
import inspect
import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import nbformat
import pytest
import yaml

ROOT = Path(__file__).parents[2]
HTML = ROOT / "_build" / "html"
TOC = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
PAGES = [TOC["root"], *(chapter["file"] for part in TOC["parts"] for chapter in part["chapters"])]
NOTEBOOKS = [
    page.removeprefix("book/")
    for page in PAGES
    if "```{code-cell}" in (ROOT / f"{page}.md").read_text(encoding="utf-8")
]


class Names(HTMLParser):
    """Collects what a page links to, what it loads, and the names that it can be linked by."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.ids: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if "id" in values:
            self.ids.add(values["id"])
        if tag == "a" and "href" in values:
            self.links.append(values["href"])
        elif "href" in values:
            self.loads.append(values["href"])
        if "src" in values:
            self.loads.append(values["src"])


@pytest.fixture(scope="module")
def pages() -> dict[Path, Names]:
    if not (HTML / "index.html").is_file():
        pytest.fail(
            f"There is no built book in {HTML}. Run `make book` first (`make test` does).",
            pytrace=False,
        )
    files = [file for file in HTML.rglob("*.html") if "_static" not in file.parts]
    return {file: Names(file.read_text(encoding="utf-8")) for file in files}


def test_every_link_within_the_book_leads_somewhere(pages):
    dead = []
    for file, names in pages.items():
        for link in [*names.links, *names.loads]:
            address = urlsplit(link)
            if address.scheme or address.netloc or link == "#":
                continue
            target = (file.parent / unquote(address.path)).resolve() if address.path else file
            if not target.is_file():
                dead.append(f"{file.name}: {link}")
            elif (
                address.fragment
                and target in pages
                and unquote(address.fragment) not in pages[target].ids
            ):
                dead.append(f"{file.name}: {link} (no such name in {target.name})")
    assert dead == []


def test_no_page_loads_anything_from_elsewhere(pages):
    remote = [
        f"{file.name}: {load}"
        for file, names in pages.items()
        for load in names.loads
        if load.startswith("//") or urlsplit(load).scheme not in ("", "data")
    ]
    assert remote == []


def test_no_page_names_a_content_delivery_network(pages):
    found = [
        f"{file.name}: {word}"
        for file in pages
        for word in re.findall(
            r"(?i)mathjax|thebe|unpkg|cdnjs|jsdelivr|fonts\.googleapis",
            # A picture's letters are any letters; an address has dots.
            re.sub(r"[A-Za-z0-9+/=\\]{100,}", "", file.read_text(encoding="utf-8")),
        )
    ]
    assert found == []


def test_style_sheets_load_nothing_from_elsewhere_and_nothing_that_is_missing(pages):
    wrong = []
    for sheet in (HTML / "_static").rglob("*.css"):
        for address in re.findall(r"url\(\s*['\"]?([^'\")]+)", sheet.read_text(encoding="utf-8")):
            if address.startswith(("data:", "#")):
                continue
            if "//" in address or not (sheet.parent / urlsplit(address).path).is_file():
                wrong.append(f"{sheet.name}: {address}")
    assert wrong == []


def test_no_formula_is_left_unrendered(pages):
    for file in pages:
        text = re.sub(
            r"<(script|style|annotation|pre|code)\b.*?</\1>",
            "",
            file.read_text(encoding="utf-8"),
            flags=re.DOTALL,
        )
        assert "katex-error" not in text, file.name
        assert not re.search(
            r"\\\(|\\\[|\$\$|\\(?:frac|begin|odot|sigma)\b", re.sub(r'="[^"]*"', "", text)
        ), file.name


def test_no_output_shows_raw_tex_or_markdown(pages):
    """What a cell prints as Markdown is no page: dollars are no formulas there, and roles are no
    links.
    """
    raw = r"\$[^$\n<>]{1,60}\$|\{(?:doc|eq|cite)[^}\n]*\}`"
    found = []
    for file, _ in pages.items():
        text = re.sub(
            r"<(script|style|annotation|pre|code)\b.*?</\1>",
            "",
            file.read_text(encoding="utf-8"),
            flags=re.DOTALL,
        )
        body = re.sub(r"<[^>]*>", " ", text)
        found += [f"{file.name}: {match}" for match in re.findall(raw, body)]
    assert found == []


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_each_page_with_code_offers_its_notebook(pages, name):
    page = pages[HTML / "book" / f"{name}.html"]
    up = "../" * (1 + name.count("/"))
    assert f"{up}_sources/book/{name}.ipynb" in page.links
    path = HTML / "_sources" / "book" / f"{name}.ipynb"
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert code and notebook.metadata.kernelspec.name == "python3"
    assert all(cell.outputs == [] and cell.execution_count is None for cell in code)


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_notebook_holds_no_myst_that_other_programs_show_raw(pages, name):
    notebook = nbformat.read(HTML / "_sources" / "book" / f"{name}.ipynb", as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            outside_code = re.sub(r"```.*?```|`[^`\n]*`", "", cell.source, flags=re.DOTALL)
            assert not re.search(r"^\s*(:{3,}|`{3,}\{)|^\(\S+\)=$", outside_code, re.MULTILINE), (
                cell.source
            )
            assert not re.search(r"(?<!`)\{[a-z:]+\}`", cell.source), cell.source


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_notebook_has_the_code_of_its_page_in_order(pages, name):
    source = (ROOT / "book" / f"{name}.md").read_text(encoding="utf-8")
    cells = re.findall(r"^```\{code-cell\}[^\n]*\n(.*?)^```$", source, re.DOTALL | re.MULTILINE)
    notebook = nbformat.read(HTML / "_sources" / "book" / f"{name}.ipynb", as_version=4)
    code = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    assert len(code) == len(cells) > 0
    for text, cell in zip(code, cells, strict=True):
        assert cell.strip().endswith(text.strip())


def test_without_a_repository_there_is_no_launch_button(pages):
    assert re.search(r'^  url: ""$', (ROOT / "_config.yml").read_text(), re.MULTILINE), (
        "the rest of this test needs it empty"
    )
    for file, names in pages.items():
        assert not [link for link in names.links if "colab" in link or "mybinder" in link], (
            file.name
        )


def test_index_names_the_book_and_its_first_page(pages):
    text = (HTML / "index.html").read_text(encoding="utf-8")
    assert "<title>Inside the LSTM</title>" in text
    assert 'http-equiv="refresh" content="0; url=book/start.html"' in text
    assert pages[HTML / "index.html"].links == ["book/start.html"]


def test_each_page_names_authors_and_licences(pages):
    for name in NOTEBOOKS:
        text = (HTML / "book" / f"{name}.html").read_text(encoding="utf-8")
        assert "The Inside the LSTM authors" in text and "CC BY 4.0" in text and "Code: MIT" in text


def test_citations_lead_to_the_list_of_their_own_page(pages):
    for name in NOTEBOOKS:
        text = (HTML / "book" / f"{name}.html").read_text(encoding="utf-8")
        cited = re.findall(r'class="bibtex-citation">.*?</span>', text, re.DOTALL)
        for citation in cited:
            targets = re.findall(r'href="([^"]+)"', citation)
            assert targets and all(target.startswith("#") for target in targets), (
                f"{name}: {citation}"
            )


@pytest.mark.parametrize("name", PAGES)
def test_no_page_is_heavy(name):
    """A page without what it draws, and with it: figures, and the widgets with what they show."""
    text = (HTML / f"{name}.html").read_text(encoding="utf-8")
    drawn = re.findall(
        r'<figure class="lstm-figure">.*?</figure>|<script type="module">.*?</script>',
        text,
        re.DOTALL,
    )
    whole = len(text.encode())
    rest = whole - sum(len(part.encode()) for part in drawn)
    assert rest <= 520_000 and whole <= 1_500_000, (
        f"{name}: {rest} bytes without figures and widgets, {whole} in all"
    )


def test_every_term_of_the_glossary_has_its_chinese_word_and_its_place_in_the_index():
    text = (HTML / "book" / "reference" / "glossary.html").read_text(encoding="utf-8")
    entries = re.findall(r'<dt id="([^"]+)">(.*?)</dt><dd>(.*?)</dd>', text, re.DOTALL)
    assert len(entries) >= 50
    index = (HTML / "genindex.html").read_text(encoding="utf-8")
    for name, _, definition in entries:
        assert re.search(r'<span lang="zh">[^<]*[\u4e00-\u9fffa-z][^<]*</span></p>', definition), (
            name
        )
        assert definition.count(". ") <= 1, f"{name}: one sentence"
        assert f"book/reference/glossary.html#{name}" in index
    # What the chapters mark is found there, too.
    assert "book/one/lstm-cell.html#index-" in index and "book/one/bptt.html#index-" in index


REFERENCE = ("reference/api", "reference/api-learning", "reference/api-tools")


def test_reference_has_every_public_name(pages):
    documented = {
        name.rpartition(".")[2]
        for page in REFERENCE
        for name in pages[HTML / "book" / f"{page}.html"].ids
    }
    import lstm_ref
    from lstm_ref import data, inspect, train, zoo

    public = {name for module in (lstm_ref, data, inspect, train, zoo) for name in module.__all__}
    constants = {name for name in public if name.isupper()}
    assert public - constants - documented == set()


def test_documented_functions_name_all_their_arguments(pages):
    unnamed = []
    for page in REFERENCE:
        for name in pages[HTML / "book" / f"{page}.html"].ids:
            module, _, function = name.rpartition(".")
            # What the rungs of the ladder take is told once, at the top of their module.
            if not module.startswith("lstm_ref") or module == "lstm_ref.frameworks.speed":
                continue
            found = (
                getattr(importlib.import_module(module), function, None)
                if is_module(module)
                else None
            )
            if not inspect.isfunction(found):
                continue
            text = inspect.getdoc(found) or ""
            missing = [
                each
                for each in inspect.signature(found).parameters
                if not re.search(rf"\b{each}\b", text)
            ]
            unnamed += [f"{name}: {', '.join(missing)}"] if missing else []
    assert unnamed == []


def is_module(name):
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:  # a method's class stands where a module would
        return False

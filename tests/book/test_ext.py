"""The book's own Sphinx extension: tried on small books, with and without a repository, right and
wrong.
"""

import ast
import base64
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import zlib
from contextlib import contextmanager
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace

import jupytext
import nbformat
import pytest
import yaml
from docutils import nodes
from docutils.core import publish_doctree
from sphinx.errors import ConfigError, ExtensionError

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT / "book" / "_ext"))

from inside import execution, stored  # noqa: E402
from inside.execution import code_digest  # noqa: E402
from inside.formulas import FormulaError, Renderer, katex_package  # noqa: E402
from inside.notebooks import install_cell, launch_links, notebook_of  # noqa: E402
from inside.plain_markdown import plain  # noqa: E402
from inside.reference import translate  # noqa: E402
from inside.weight import COMMON, PLAIN_ATOMS, PLAIN_TOKENS, corners, light_code, light_formula  # noqa: E402

HEAD = """---
jupytext:
  text_representation:
    extension: .md
    format_name: myst
kernelspec:
  display_name: Python 3
  language: python
  name: python3
---
"""
PAGE = (
    HEAD
    + r"""(top)=
# A page

% a remark for authors
Read {cite}`gers2000`, {cite:t}`greff2017` and [the start](start.md). By {eq}`state`,
$c$ is kept; `{eq}` is code.

$$
c_t = f_t c_{t-1}
$$ (state)

:::{admonition} Predict
:class: tip
What is $f$?
:::

:::{admonition} Answer
:class: dropdown
A gate.
:::

## More about it

*This section may be skipped at first.*

It has a formula of its own, and it is on the {ref}`way back <aside>`.

(aside)=
### An aside

It stands in the fold, too.

```{code-cell} ipython3
:tags: [hide-input]

1 + 1
```

## Sources

```{bibliography}
:filter: docname in docnames
```
"""
)


@pytest.fixture(scope="module")
def katex() -> Path:
    return katex_package(ROOT, ROOT / "_build")


def small_book(
    folder: Path, katex: Path, pages: dict[str, str], url: str = "", execute: str = "off"
) -> subprocess.CompletedProcess[str]:
    """Build ``pages`` (the first is the start) with the course's own configuration."""
    config = yaml.safe_load((ROOT / "_config.yml").read_text())
    config["repository"]["url"] = url
    config["execute"]["execute_notebooks"] = execute
    (folder / "_config.yml").write_text(yaml.safe_dump(config))
    first, *others = pages
    toc = {"format": "jb-book", "root": f"book/{first}"}
    if others:
        toc["chapters"] = [{"file": f"book/{name}"} for name in others]
    (folder / "_toc.yml").write_text(yaml.safe_dump(toc))
    for part in ("_ext", "_static"):
        shutil.copytree(
            ROOT / "book" / part,
            folder / "book" / part,
            ignore=shutil.ignore_patterns("__pycache__"),
            dirs_exist_ok=True,
        )
    shutil.copyfile(ROOT / "book" / "references.bib", folder / "book" / "references.bib")
    for name in ("package.json", "package-lock.json"):
        shutil.copyfile(ROOT / name, folder / name)
    shutil.copytree(katex.parents[2], folder / "_build" / "npm", dirs_exist_ok=True)
    for name, text in pages.items():
        (folder / "book" / f"{name}.md").write_text(text)
    command = [
        str(Path(sys.executable).with_name("jupyter-book")),
        "build",
        ".",
        "-n",
        "-W",
        "--keep-going",
    ]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)
    # What the terminal would show, without colours and line breaks that depend on its width.
    done.stderr = re.sub(r"\x1b\[[0-9;]*m", "", done.stderr)
    return done


@pytest.fixture(scope="module")
def launched(tmp_path_factory, katex) -> Path:
    """A small book whose repository has an address."""
    folder = tmp_path_factory.mktemp("launched")
    done = small_book(
        folder,
        katex,
        {"start": "# Start\n\nHello.\n", "page": PAGE},
        "https://github.com/someone/course",
    )
    assert done.returncode == 0, done.stderr
    return folder / "_build" / "html"


@pytest.fixture(scope="module")
def unlaunched(tmp_path_factory, katex) -> Path:
    """The same without an address."""
    folder = tmp_path_factory.mktemp("unlaunched")
    done = small_book(folder, katex, {"start": "# Start\n\nHello.\n", "page": PAGE})
    assert done.returncode == 0, done.stderr
    return folder / "_build" / "html"


def test_a_section_that_may_be_skipped_is_folded_under_its_heading(unlaunched):
    page = (unlaunched / "book" / "page.html").read_text()
    section = page[page.index('<section id="more-about-it">') :]
    heading, _, rest = section.partition('<details class="admonition optional">')
    assert "<h2>" in heading and "<p>" not in heading
    folded = rest[: rest.index("</details>")]
    assert (
        "may be skipped at first. Open it</summary>" in folded
        and "It has a formula of its own" in folded
    )
    assert 'id="aside"' in folded  # a link into the fold has a target
    assert page.count("may be skipped at first.") == 1


def links(file: Path) -> list[str]:
    return [link.replace("&amp;", "&") for link in re.findall(r'href="([^"]+)"', file.read_text())]


def test_with_a_repository_each_notebook_page_has_exact_launch_links(launched):
    found = [
        link
        for link in links(launched / "book" / "page.html")
        if "colab" in link or "mybinder" in link
    ]
    assert found == [
        "https://colab.research.google.com/github/someone/course/blob/gh-pages/_sources/book/page.ipynb",
        "https://mybinder.org/v2/gh/someone/course/main?urlpath=notebooks%2Fbook%2Fpage.md%3Ffactory%3DNotebook",
    ]
    # Colab opens a file that is there: the gh-pages branch holds the built book.
    assert (launched / "_sources" / "book" / "page.ipynb").is_file()


def test_a_page_without_code_has_neither_notebook_nor_launch_links(launched):
    found = links(launched / "book" / "start.html")
    assert not [
        link for link in found if "colab" in link or "mybinder" in link or link.endswith(".ipynb")
    ]


def test_without_a_repository_there_is_no_launch_link(unlaunched):
    for page in unlaunched.rglob("*.html"):
        assert not re.search("colab|mybinder", page.read_text()), page


def test_notebook_installs_the_course_only_where_it_has_an_address(launched, unlaunched):
    with_address = nbformat.read(launched / "_sources" / "book" / "page.ipynb", as_version=4)
    without = nbformat.read(unlaunched / "_sources" / "book" / "page.ipynb", as_version=4)
    assert (
        '"inside-the-lstm[colab] @ git+https://github.com/someone/course"'
        in with_address.cells[1].source
    )
    assert with_address.cells[1].cell_type == "code"
    assert (
        without.cells[1].cell_type == "markdown" and "pip install -e ." in without.cells[1].source
    )


NEEDS_TENSORFLOW = (
    HEAD
    + """# A page

```{code-cell}
import tensorflow as tf

print("run, not stored")
```

```{code-cell}
print("changed since")
```
"""
)


def test_without_tensorflow_a_page_that_needs_it_shows_stored_results_and_says_so(
    tmp_path, katex, monkeypatch
):
    """As on Python 3.14, for which TensorFlow has no build; other pages are run."""
    without = tmp_path / "without"
    without.mkdir()
    (without / "sitecustomize.py").write_text("import sys\nsys.modules['tensorflow'] = None\n")
    monkeypatch.setenv("PYTHONPATH", str(without))
    code = 'import tensorflow as tf\n\nprint("run, not stored")'
    output = {"output_type": "stream", "name": "stdout", "text": "what another machine printed\n"}
    file = stored.file_of(tmp_path, "book/needs")
    file.parent.mkdir(parents=True)
    file.write_text(
        json.dumps({"made": {"date": "2026-11-30"}, "cells": {stored.digest_of(code): [output]}})
    )
    runs = HEAD + "# Other\n\n```{code-cell}\nprint(6 * 7)\n```\n"
    done = small_book(tmp_path, katex, {"start": runs, "needs": NEEDS_TENSORFLOW}, execute="cache")
    assert done.returncode == 0, done.stderr
    text = (tmp_path / "_build" / "html" / "book" / "needs.html").read_text()
    assert "what another machine printed" in text and "date 2026-11-30" in text
    assert text.index("TensorFlow is missing where this book was built") < text.index(
        "what another machine printed"
    )
    outputs = re.findall(r'<div class="output[^>]*>(.*?)</div>', text, re.DOTALL)
    assert stored.NOTHING in "".join(outputs) and "changed since" not in "".join(outputs)
    start = (tmp_path / "_build" / "html" / "book" / "start.html").read_text()
    assert "42" in start and "TensorFlow is missing" not in start


def test_most_cells_of_each_page_that_needs_tensorflow_have_stored_results():
    """A cell that has changed since shows none, which its page says; when most have, it is time for
    `make stored`.
    """
    pages = [
        page for page in (ROOT / "book").rglob("*.md") if stored.NEEDS.search(page.read_text())
    ]
    assert pages
    for page in pages:
        docname = page.relative_to(ROOT).with_suffix("").as_posix()
        kept = stored.stored_of(stored.file_of(ROOT, docname))["cells"]
        code = [
            cell.source
            for cell in jupytext.read(page, fmt="md:myst").cells
            if cell.cell_type == "code"
        ]
        found = [source for source in code if stored.digest_of(source) in kept]
        assert 2 * len(found) > len(code), (
            f"{docname}: {len(found)} of {len(code)} cells are stored; run `make stored`"
        )


def test_with_tensorflow_nothing_is_taken_from_the_store(monkeypatch):
    assert not stored.not_run(HEAD + "```{code-cell}\nimport numpy\n```\n")
    monkeypatch.setattr(stored, "find_spec", lambda name: object())
    assert not stored.not_run(NEEDS_TENSORFLOW)
    monkeypatch.setattr(stored, "find_spec", lambda name: None)
    assert stored.not_run(NEEDS_TENSORFLOW)


def test_a_page_that_wants_a_gpu_says_so_to_colab(tmp_path):
    """Colab reads this from the notebook's metadata, and opens it on such a machine."""

    def of(head):
        (tmp_path / "page.md").write_text(head + "# A page\n\n```{code-cell}\n1\n```\n")
        app = SimpleNamespace(env=SimpleNamespace(doc2path=lambda name: tmp_path / f"{name}.md"))
        app.config = SimpleNamespace(html_theme_options={})
        return notebook_of(app, "page").metadata

    assert of(HEAD.replace("---\n", "---\naccelerator: GPU\n", 1))["accelerator"] == "GPU"
    assert "accelerator" not in of(HEAD)


def test_notebook_reads_well_in_plain_markdown(unlaunched):
    notebook = nbformat.read(unlaunched / "_sources" / "book" / "page.ipynb", as_version=4)
    title, _, code, sources = notebook.cells
    assert title.source == (
        "# A page\n\n"
        "Read [Gers et al., 2000], Greff et al. [2017] and the start. By (1),\n"
        "$c$ is kept; `{eq}` is code.\n\n"
        "$$\nc_t = f_t c_{t-1}\\tag{1}$$\n\n"
        "> **Predict**\n>\n> What is $f$?\n\n"
        "<details>\n<summary>Answer</summary>\n\nA gate.\n\n</details>\n\n"
        "## More about it\n\n*This section may be skipped at first.*\n\n"
        "It has a formula of its own, and it is on the way back.\n\n"
        "### An aside\n\nIt stands in the fold, too."
    )
    assert code.source == "1 + 1" and code.metadata["jupyter"]["source_hidden"]
    assert sources.source.startswith(
        "## Sources\n\n- Felix A. Gers, Jürgen Schmidhuber, and Fred Cummins. Learning to forget"
    )
    assert "https://doi.org/10.1109/TNNLS.2016.2582924" in sources.source


def test_page_keeps_a_copy_of_its_notebook_for_readers_from_disk(unlaunched):
    text = (unlaunched / "book" / "page.html").read_text()
    held = re.search(
        r'<script type="application/x-ipynb\+json" id="page-notebook">(.*?)</script>',
        text,
        re.DOTALL,
    )
    assert held
    notebook = zlib.decompress(base64.b64decode(held[1])).decode()
    assert json.loads(notebook) == json.loads(
        (unlaunched / "_sources" / "book" / "page.ipynb").read_text()
    )


def test_folded_answer_is_a_details_element(unlaunched):
    text = (unlaunched / "book" / "page.html").read_text()
    assert re.search(
        r"<details class=\"[^\"]*dropdown[^\"]*\">\s*<summary[^>]*>\s*Answer</summary>", text
    )
    assert "togglebutton" not in text


def test_index_leads_to_the_start(unlaunched):
    text = (unlaunched / "index.html").read_text()
    assert "url=book/start.html" in text and '<a href="book/start.html">' in text


def test_mistakes_of_a_page_fail_the_build_and_are_named(tmp_path, katex):
    page = (
        HEAD
        + "# Wrong\n\nA formula: $\\frac{1$ and on.\n\n"
        + "```{code-cell} ipython3\nimport ipywidgets\nipywidgets.IntSlider()\n```\n\n"
        + "```{code-cell} ipython3\nimport sys\nprint('a complaint', file=sys.stderr)\n```\n"
    )
    done = small_book(tmp_path, katex, {"start": page}, execute="force")
    assert done.returncode == 1
    assert re.search(
        r"start\.md:1[34]: WARNING: KaTeX does not understand this formula: .*\\frac", done.stderr
    )
    assert re.search(r"start\.md.*: WARNING: this output is a live widget", done.stderr)
    assert re.search(r"start\.md.*: WARNING: stderr was found", done.stderr)


@pytest.mark.parametrize(
    ("repository", "expected"),
    [
        (
            "https://github.com/a/b/",
            "https://mybinder.org/v2/gh/a/b/main?urlpath=notebooks%2Fbook%2Fx.md%3Ffactory%3DNotebook",
        ),
        (
            "https://github.com/a/b.git",
            "https://mybinder.org/v2/gh/a/b/main?urlpath=notebooks%2Fbook%2Fx.md%3Ffactory%3DNotebook",
        ),
        (
            "https://gitlab.com/a/b",
            "https://mybinder.org/v2/git/https%3A%2F%2Fgitlab.com%2Fa%2Fb/main?urlpath=notebooks%2Fbook%2Fx.md%3Ffactory%3DNotebook",
        ),
    ],
)
def test_binder_opens_any_repository_and_colab_those_on_github(repository, expected):
    found = launch_links(repository, "main", "book/x", "book/x.md")
    assert found["Binder"] == expected
    assert ("Colab" in found) == ("github.com" in repository)


@pytest.mark.parametrize(
    "repository",
    ["someone/course", "https://github.com/someone", "git@github.com:a/b.git", "https://"],
)
def test_an_address_that_is_none_is_refused_with_an_example(repository):
    with pytest.raises(
        ConfigError,
        match=r"repository\.url in _config\.yml must look like https://github\.com/OWNER/NAME",
    ):
        launch_links(repository, "main", "book/x", "book/x.md")


def test_install_cell_is_code_that_compiles():
    source = install_cell("https://github.com/someone/course").source
    compile(source.replace("%pip", "# pip\n    pass #"), "cell", "exec")


class NoPage:
    """A page whose text refers to nothing."""

    def __getattr__(self, name):
        raise AssertionError(f"asked for {name}")


@pytest.mark.parametrize(
    ("myst", "expected"),
    [
        ("```python\n{eq}`x`\n```", "```python\n{eq}`x`\n```"),
        ("`{eq}` and `b`", "`{eq}` and `b`"),
        ("{math}`x^2`", "$x^2$"),
        (
            "::::{note}\nOuter.\n\n:::{tip}\nInner.\n:::\n::::",
            "> **Note**\n>\n> Outer.\n>\n> > **Tip**\n> >\n> > Inner.",
        ),
        ("```{note} On the first line.\n```", "> **Note**\n>\n> On the first line."),
        ("```{math}\na = b\n```", "$$\na = b\n$$"),
        ("(name)=\n## Title", "## Title"),
        ("[site](https://example.org)", "[site](https://example.org)"),
        ("```{toctree}\nx\n```\nText", "Text"),
        ("```{index} forget bias, half-life\n```\n\nText", "Text"),
        ("the **{index}`forget gate`** and {term}`gates <gate>`", "the **forget gate** and gates"),
        (
            (
                "::::{tab-set}\n:::{tab-item} PyTorch\nOne.\n:::\n:::{tab-item} Keras\nOther.\n"
                ":::\n::::"
            ),
            "**PyTorch**\n\nOne.\n\n**Keras**\n\nOther.",
        ),
        ("::::{grid} 1 1 2 2\n:::{grid-item}\nOne.\n:::\n::::", "One."),
    ],
)
def test_plain_markdown(myst, expected):
    assert plain(myst, NoPage()) == expected


def test_formula_is_rendered_with_its_form_for_screen_readers(katex):
    renderer = Renderer(katex / "katex.min.js")
    html = renderer.render(r"c_t = f_t \odot c_{t-1}", display=True)
    assert 'class="katex-display"' in html and "<math" in html and "⊙" in html
    with pytest.raises(FormulaError, match=r"expected '\}'"):
        renderer.render(r"\frac{1", display=False)
    # a mistake in one formula does not end the process
    inline = renderer.render("x", display=False)
    assert 'class="katex"' in inline and "katex-display" not in inline
    renderer.close()


def test_renderer_that_cannot_start_says_so(tmp_path):
    renderer = Renderer(tmp_path / "missing.js")
    with pytest.raises(ExtensionError, match="Node.js, which renders the formulas, has ended"):
        renderer.render("x", display=False)
    renderer.close()


def test_katex_is_the_pinned_one(katex):
    pinned = json.loads((ROOT / "package-lock.json").read_text())["packages"]["node_modules/katex"][
        "version"
    ]
    assert pinned == json.loads((ROOT / "package.json").read_text())["dependencies"]["katex"]
    assert f'version="{pinned}"' in (katex / "katex.min.js").read_text().replace(
        "version:", "version="
    )


def test_lock_names_no_registry():
    assert "resolved" not in (ROOT / "package-lock.json").read_text()


def test_without_network_and_cache_the_build_says_what_is_missing(tmp_path, monkeypatch):
    monkeypatch.setenv("npm_config_registry", "http://127.0.0.1:9/")  # nothing listens there
    monkeypatch.setenv("npm_config_cache", str(tmp_path / "cache"))
    monkeypatch.setenv("npm_config_fetch_retries", "0")
    with pytest.raises(
        ExtensionError,
        match="npm could not install it. Build once with a network to the npm registry",
    ):
        katex_package(ROOT, tmp_path)


@pytest.fixture
def packages(tmp_path):
    """A small course: pages import `lstm_ref`, which imports `cell`; `lens` reads a file; nobody
    imports `doctor`.
    """
    for name, text in {
        "lstm_ref/__init__.py": "from lstm_ref.cell import lstm_step",
        "lstm_ref/cell.py": "lstm_step = 1",
        "lstm_ref/doctor.py": "from lstm_ref.cell import lstm_step",
        "lstm_ref/tools.py": "def f():\n    import lstm_ref.inspect.lens",
        "lstm_ref/inspect/__init__.py": "",
        "lstm_ref/inspect/lens.py": "import verdict",
        "lstm_ref/inspect/static/lens.js": "",
        "verdict/__init__.py": "",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


ALL = {
    *("__init__.py", "cell.py", "doctor.py", "tools.py"),
    *("inspect/__init__.py", "inspect/lens.py", "inspect/static/lens.js", "verdict"),
}


def cell(*lines: str) -> str:
    return HEAD + "\n".join(["# A page", "", "```{code-cell} ipython3", *lines, "```", ""])


@pytest.mark.parametrize(
    ("code", "runs_again_with"),
    [
        ("import numpy", set()),
        ("import lstm_ref", {"__init__.py", "cell.py"}),
        ("from lstm_ref import lstm_step", {"__init__.py", "cell.py"}),
        (
            "def f():\n    from lstm_ref.doctor import examine",
            {"__init__.py", "cell.py", "doctor.py"},
        ),
        (
            "from lstm_ref import tools",
            ALL - {"doctor.py"},
        ),
        ("%matplotlib inline", ALL),
    ],
)
def test_pages_run_again_when_the_code_that_they_import_changes(packages, code, runs_again_with):
    page = cell(code)
    before = code_digest(packages, page)
    for file in [file for file in packages.rglob("*") if file.is_file()]:
        name = (
            file.relative_to(packages)
            .as_posix()
            .replace("verdict/__init__.py", "verdict")
            .removeprefix("lstm_ref/")
        )
        text = file.read_text()
        os.utime(file, (0, 0))
        assert code_digest(packages, page) == before
        file.write_text(text + "\n# changed")
        changed = code_digest(packages, page) != before
        assert changed == (name in runs_again_with), name
        file.write_text(text)
    assert code_digest(packages, page) == before


def test_only_the_pages_concerned_run_again(tmp_path, katex):
    """Two builds; between them the module of one page changes. Each page writes down when it
    ran.
    """
    log = tmp_path / "log"
    (tmp_path / "lstm_ref").mkdir()
    for name in ("one", "other"):
        (tmp_path / "lstm_ref" / f"{name}.py").write_text("value = 1")
    (tmp_path / "lstm_ref" / "__init__.py").write_text("")
    pages = {
        name: cell(
            "import sys",
            f"sys.path.insert(0, {str(tmp_path)!r})",
            f"from lstm_ref.{name} import value",
            f"with open({str(log)!r}, 'a') as file:",
            f"    print({name!r}, value, file=file)",
        )
        for name in ("one", "other")
    }
    for expected in (["one 1", "other 1"], ["one 1", "one 2", "other 1"]):
        if log.exists():
            (tmp_path / "lstm_ref" / "one.py").write_text("value = 2")
        done = small_book(tmp_path, katex, pages, execute="cache")
        assert done.returncode == 0, done.stderr
        assert sorted(log.read_text().splitlines()) == expected


def test_what_pages_import_is_parsed_in_one_thread_alone(packages, monkeypatch):
    """Python 3.11 can fail where two threads parse at once (issue 106905 of python/cpython)."""
    parsing, executing, parse = [], [], ast.parse

    def here(*given, **named):
        parsing.append(threading.current_thread())
        return parse(*given, **named)

    @contextmanager
    def client(notebook, *_):
        executing.append((notebook, threading.current_thread()))
        yield

    for number in range(3):
        (packages / f"{number}.md").write_text(cell(f"import lstm_ref.doctor  # {number}"))
    monkeypatch.setattr(ast, "parse", here)
    monkeypatch.setattr(execution, "create_client", client)
    monkeypatch.setattr(
        execution, "create_nb_reader", lambda *_: SimpleNamespace(read=str.strip, read_fmt={})
    )
    env = SimpleNamespace(
        inside_code_digests={},
        mystnb_config=SimpleNamespace(
            execution_mode="cache", execution_cache_path=packages / "cache"
        ),
        myst_config=None,
        doc2path=lambda name: packages / f"{name}.md",
    )
    execution.execute_ahead(SimpleNamespace(srcdir=packages, env=env), env, ["0", "1", "2"])
    assert set(parsing) == {threading.main_thread()}
    assert len(executing) == 3 and threading.main_thread() not in dict(executing).values()


def test_two_pages_run_at_a_time_and_one_that_measures_time_runs_alone(
    tmp_path, katex, monkeypatch
):
    """Two pages that wait for each other; one that looks whether another runs meanwhile; and one
    that fails, said once.
    """
    meet = (
        "import os, pathlib, time",
        "assert os.environ['OMP_NUM_THREADS'] == '1'",
        f"there = pathlib.Path({str(tmp_path)!r})",
        "(there / 'NAME.runs').touch()",
        "for _ in range(1200):",  # a minute, in case nobody comes
        "    if not list(there.glob('OTHER.r*n*')):",
        "        time.sleep(0.05)",
        "assert list(there.glob('OTHER.r*n*'))",
        "time.sleep(1)",
        "(there / 'NAME.runs').rename(there / 'NAME.ran')",
    )
    clock = (
        "import os, pathlib, time",
        "start = time.perf_counter()",
        f"there = pathlib.Path({str(tmp_path)!r})",
        "with open(there / 'clock', 'a') as log:",
        "    print(sorted(path.name for path in there.glob('*.r*n*')), file=log)",
        "    print(os.environ.get('OMP_NUM_THREADS'), file=log)",
    )
    one = cell(*(line.replace("NAME", "one").replace("OTHER", "two") for line in meet))
    two = cell(*(line.replace("NAME", "two").replace("OTHER", "one") for line in meet))
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    pages = {"one": one, "clock": cell(*clock), "two": two, "zero": cell("1 / 0")}
    done = small_book(tmp_path, katex, pages, execute="cache")
    assert done.returncode != 0
    assert done.stderr.count("Executing notebook failed: CellExecutionError") == 1, done.stderr
    assert (
        done.stdout.count("Executed notebook in") == 3
        and done.stdout.count("Using cached notebook") == 2
    )
    assert (tmp_path / "clock").read_text() == "['one.ran', 'two.ran']\nNone\n"


class Seen(HTMLParser):
    """What a browser makes of a piece of HTML: each text, with the classes and styles of all that
    is around it.
    """

    def __init__(self, html: str, without: tuple[str, ...] = ()) -> None:
        super().__init__()
        self.without, self.around, self.texts = without, [], []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        style = {
            part
            for part in (values.get("style") or "").split(";")
            if part and not part.endswith("in-left:0em")
        }
        kept = (
            tuple(sorted(set((values.get("class") or "").split()) - PLAIN_ATOMS)),
            frozenset(style - {"margin-right:0em"}),
        )
        self.around.append(None if kept[0] in {(name,) for name in self.without} else (tag, *kept))

    def handle_endtag(self, tag):
        self.around.pop()

    def handle_data(self, data):
        # elements without an effect of their own
        nothing = (("semantics", (), frozenset()), ("span", (), frozenset()))
        around = tuple(part for part in self.around if part and part not in nothing)
        if self.texts and self.texts[-1][1] == around:
            data = self.texts.pop()[0] + data
        if "annotation" not in {part[0] for part in around}:
            self.texts.append((data, around))


def test_lighter_formula_shows_the_same(katex):
    renderer = Renderer(katex / "katex.min.js")
    for latex in (
        r"c_t = f_t \odot c_{t-1}",
        r"\frac{\partial L}{\partial h_t} \quad \bar W_{dk} = \sum_n x_{nd}",
        r"\sqrt[3]{a < b}",
    ):
        html = renderer.render(latex, display=True)
        light = light_formula(html)
        assert len(light) < 0.88 * len(html)
        assert Seen(light).texts == Seen(html).texts
    renderer.close()


def test_spans_of_a_formula_go_only_where_they_do_nothing():
    strut = '<span class="pstrut" style="height:{}"></span>'
    html = (
        f'<span class="base"></span><span>(</span>{strut.format("2.7em")}<span>b</span><span '
        'class="x"><span>c</span></span>'
    )
    strut_27 = "<span class=pstrut style=height:2.7em></span>"
    kept = f"<span class=base></span>({strut_27}<span>b</span><span class=x><span>c</span></span>"
    assert light_formula(html) == kept
    assert (
        light_formula(strut.format("3em") + "<span>b</span>")
        == "<span class=pstrut></span><span>b</span>"
    )


def test_values_left_out_of_formulas_stand_in_the_style_sheet():
    css = " ".join((ROOT / "book" / "_static" / "custom.css").read_text().split())
    for name, style in COMMON.items():
        assert re.search(rf"\.katex \.{name}(:empty)? {{ {style.replace(':', ': ')}; }}", css), name


def test_empty_header_of_a_table_is_no_header():
    row = '<tr><th class="head text-right"><p></p></th><th class="head"><p>f</p></th></tr>'
    assert (
        corners(row) == '<tr><td class="head text-right"></td><th class="head"><p>f</p></th></tr>'
    )


def test_atoms_that_lose_their_class_have_no_rule(katex):
    selectors = re.sub(r"\{[^}]*\}", " ", (katex / "katex.min.css").read_text())
    ours = re.sub(r"\{[^}]*\}", " ", (ROOT / "book" / "_static" / "custom.css").read_text())
    named = set(re.findall(r"\.([a-zA-Z][\w-]*)", selectors + ours))
    assert "msupsub" in named and not PLAIN_ATOMS & named


def test_lighter_code_shows_the_same():
    from pygments import highlight
    from pygments.formatters import HtmlFormatter
    from pygments.lexers import PythonLexer

    source = 'def step(x, h):\n    """A < B."""\n    return np.tanh(x @ Wx + h @ Wh)  # (N, H)\n'
    html = highlight(source, PythonLexer(), HtmlFormatter())
    light = light_code(html)
    assert len(light) < 0.8 * len(html) and "class=" in light
    assert Seen(light).texts == Seen(html, without=PLAIN_TOKENS).texts
    assert unescape(re.sub("<[^>]+>", "", light)) == unescape(re.sub("<[^>]+>", "", html))
    outside = '<p><span class="n">x</span></p>'
    assert light_code(outside) == outside


def test_tokens_that_lose_their_markup_have_the_colour_of_the_text_around_them(unlaunched):
    sheet = (unlaunched / "_static" / "pygments.css").read_text()
    for mode in ("light", "dark"):
        rules = dict(
            re.findall(
                rf'html\[data-theme="{mode}"\] \.highlight ?(\.\w+)? \{{ ([^}}]*) \}}', sheet
            )
        )
        around = re.search(r"(?<!-)color: (#\w+)", rules[""])[1]
        assert all(
            rules.get(f".{token}", f"color: {around}") == f"color: {around}"
            for token in PLAIN_TOKENS
        ), rules


def test_docstring_keeps_its_text_in_restructuredtext():
    doctree = publish_doctree(
        "\n".join(translate(DOCSTRING.split("\n"))),
        settings_overrides={"report_level": 1, "halt_level": 1},
    )
    paragraphs = [node.astext() for node in doctree.findall(nodes.paragraph)]
    assert paragraphs[0] == "Of f*c, dh_ and |a|: see lstm_step; it is code."
    assert paragraphs[1] == "An item that goes on below it, and ends."
    assert "x: (N, T, D), or *args* of both" in paragraphs
    assert "A -1 is refused." in paragraphs
    tables = [node.astext() for node in doctree.findall(nodes.literal_block)]
    assert tables == ["sgd        p - lr * dp\nmomentum   many steps", "h = o * tanh(c)"]
    assert [node.astext() for node in doctree.findall(nodes.doctest_block)] == [
        ">>> dh_ = 2 * 3\n>>> dh_\n6"
    ]
    assert [node.astext() for node in doctree.findall(nodes.field_name)] == ["Parameters", "Raises"]
    assert [node.astext() for node in doctree.findall(nodes.rubric)] == ["Examples"]
    assert {node.astext() for node in doctree.findall(nodes.literal)} == {
        "lstm_step",
        "code",
        "x",
        "ValueError",
    }


DOCSTRING = """\
Of f*c, dh_ and |a|: see `lstm_step`; it is ``code``.

    sgd        p - lr * dp
    momentum   many steps

An item that goes on
  below it, and ends.

Of a step:
    h = o * tanh(c)

Parameters
----------
x : (N, T, D),
    or *args* of both

Raises
------
ValueError : it is negative

Examples
--------
A -1 is refused.

>>> dh_ = 2 * 3
>>> dh_
6"""


def test_cells_for_several_libraries_become_tabs_and_others_stay():
    from inside.tabs import CellsToTabs

    def cell(*tags):
        classes = ["cell", *(f"tag_{tag}" for tag in tags)]
        return nodes.container(
            "", nodes.literal_block("", tags[0]), nb_element="cell_code", classes=classes
        )

    page = publish_doctree("")
    page += [cell("tab-numpy"), cell("tab-pytorch"), cell("tab-keras"), cell("other")]
    page += [nodes.paragraph("", "words"), cell("tab-pytorch"), cell("tab-pytorch")]
    transform = CellsToTabs(page)
    transform.run()
    assert [child.get("design_component") for child in page] == [
        "tab-set",
        None,
        None,
        "tab-set",
        "tab-set",
    ]
    three = page[0]
    assert [item[0].astext() for item in three] == ["NumPy", "PyTorch", "Keras"]
    assert [item[1].astext() for item in three] == ["tab-numpy", "tab-pytorch", "tab-keras"]
    # the group and the names of tabs that pages write by hand: one choice holds for both kinds
    assert {item[0]["sync_group"] for item in three} == {"tab"}
    assert [item[0]["sync_id"] for item in three] == ["numpy", "torch", "keras"]

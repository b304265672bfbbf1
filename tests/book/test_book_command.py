"""`make book` on a page that stops: the book is there, the exit code tells, and the last three
lines say where and why.
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "book" / "_ext"), str(ROOT / "scripts")]

from inside.failures import failure  # noqa: E402

import book  # noqa: E402

HEAD = "---\nfile_format: mystnb\nkernelspec:\n  name: python3\n---\n\n"
COLOURED = (
    "\x1b[31m---------\x1b[39m\n\x1b[31mAssertionError\x1b[39m            Traceback (most recent "
    "call last)\n"
    "\x1b[36mCell\x1b[39m\x1b[36m \x1b[39m\x1b[32mIn[7]\x1b[39m\x1b[32m, line 2\x1b[39m\n"
    "\x1b[32m      1\x1b[39m losses = [1, 2]\n\x1b[32m----> 2\x1b[39m check(losses)\n\n"
    "\x1b[36mCell\x1b[39m\x1b[36m \x1b[39m\x1b[32mIn[3]\x1b[39m\x1b[32m, line 9\x1b[39m\n----> 9   "
    "  assert False\n\n"
    "\x1b[31mAssertionError\x1b[39m: seed 4: nan\n"
)


def test_traceback_gives_the_cell_that_ran_the_line_and_the_error():
    assert failure("p", COLOURED) == ("p", 7, "check(losses)", "AssertionError: seed 4: nan")
    assert failure("p", "")[1:] == (None, "", "no traceback")
    assert failure("p", "A cell timed out").error == "A cell timed out"


def small_book(folder: Path, code: str) -> None:
    shutil.copytree(ROOT / "book" / "_ext" / "inside", folder / "book" / "_ext" / "inside")
    (folder / "book" / "references.bib").write_text("")
    (folder / "_toc.yml").write_text("format: jb-book\nroot: good\nchapters:\n- file: bad\n")
    (folder / "_config.yml").write_text(
        "title: Small\nexecute:\n  execute_notebooks: cache\nsphinx:\n  extra_extensions: "
        "[failing]\n"
        f"  local_extensions:\n    failing: {folder}\n"
    )
    (folder / "failing.py").write_text(
        f"import sys\nsys.path.insert(0, {str(folder / 'book' / '_ext')!r})\n"
        "from inside.failures import setup as connect\n\n\ndef setup(app):\n    connect(app)\n    "
        "return {}\n"
    )
    (folder / "good.md").write_text(HEAD + "# Good\n\n```{code-cell}\nprint(1)\n```\n")
    (folder / "bad.md").write_text(
        HEAD + f"# Bad\n\n```{{code-cell}}\nx = 3\n```\n\n```{{code-cell}}\n{code}\n```\n"
    )


def built(folder: Path) -> subprocess.CompletedProcess[str]:
    program = f"import sys; sys.path.insert(0, {str(ROOT / 'scripts')!r}); import book, pathlib; "
    program += f"sys.exit(book.main(pathlib.Path({str(folder)!r})))"
    return subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )


def test_page_that_stops_leaves_a_book_and_says_so_each_time_until_it_is_mended(tmp_path):
    small_book(tmp_path, "assert x == 4, 'three is not four'")
    for _ in range(2):  # nothing in its source changed the second time
        run = built(tmp_path)
        assert run.returncode != 0
        stopped, where, rest = run.stderr.rstrip().splitlines()[-3:]
        assert stopped == "book: 1 page stopped: bad"
        assert where.startswith(
            "book: bad, code cell 2: assert x == 4, 'three is not four'  ->  AssertionError: three "
            "is"
        )
        assert "_build/html/reports" in rest and "_build/html/index.html" in rest
        assert (tmp_path / "_build" / "html" / "good.html").is_file()
        assert list((tmp_path / "_build" / "html" / "reports").glob("bad*"))
    text = (tmp_path / "bad.md").read_text()
    (tmp_path / "bad.md").write_text(text.replace("x == 4", "x == 3"))
    run = built(tmp_path)
    assert run.returncode == 0, run.stderr
    assert json.loads((tmp_path / "_build" / "html" / "failed-pages.json").read_text()) == []


def test_build_that_fails_without_a_page_says_that_too(tmp_path):
    lines = book.last_lines(tmp_path, [])
    assert "no page stopped" in lines[0] and "there is no book" in lines[1]
    row = {"page": "a", "cell": None, "line": "", "error": "DeadKernelError"}
    lines = book.last_lines(tmp_path, [row, {**row, "page": "b"}])
    assert lines[0] == "book: 2 pages stopped: a, b" and "DeadKernelError" in lines[1]

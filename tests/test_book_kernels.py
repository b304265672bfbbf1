"""`make book-kernels`: which settings a processor can execute, what a page says that fails under
one, and what a gate draws.
"""

import json
import os
import subprocess
import sys

import pytest

from scripts import book_kernels
from scripts.book_kernels import (
    AVX2,
    AVX512,
    NOT_POSSIBLE,
    OTHER_TEXT,
    SETTINGS,
    draw,
    execute,
    possible,
    seeds_of,
    summary,
    table,
    write_other_text,
    write_readme,
)

PAGE = """---
file_format: mystnb
kernelspec:
  display_name: Python 3
  language: python
  name: python3
---

# A page

```{code-cell}
import os
seeds = [3, 5]
kernel = os.environ.get("OPENBLAS_CORETYPE")
```

```{code-cell}
assert kernel is None, f"seed {seeds[0]} under {kernel}"
```

```{code-cell}
1 / 0
```
"""


def test_setting_that_the_processor_cannot_execute_is_known_from_its_flags():
    def names(has):
        return {setting.name for setting in SETTINGS if possible(setting, frozenset(has))}

    assert names([]) == {"native, 1 thread", "native, 2 threads", "other text"}
    assert names(["sse4_2", "avx"]) == names([]) | {"Nehalem", "Sandybridge"}
    assert names({"sse4_2", "avx", *AVX2}) == names(["sse4_2", "avx"]) | {"Haswell", "Zen"}
    assert names({"sse4_2", "avx", *AVX2, *AVX512}) == {setting.name for setting in SETTINGS}
    assert "SkylakeX" not in names({"sse4_2", "avx", *AVX2, "avx512f"})


def test_flags_of_a_system_without_proc_come_from_numpy(monkeypatch, tmp_path):
    monkeypatch.setattr(book_kernels, "Path", lambda name: tmp_path / "missing")
    monkeypatch.setattr(
        book_kernels, "numpy_features", lambda: {"X86_V2": True, "X86_V3": True, "X86_V4": False}
    )
    assert AVX2 <= book_kernels.flags() and not AVX512 & book_kernels.flags()


def test_numpy_is_told_to_leave_alone_what_is_above_the_setting(monkeypatch):
    from numpy._core import _multiarray_umath

    monkeypatch.setattr(_multiarray_umath, "__cpu_dispatch__", ["X86_V3", "X86_V4", "AVX512_ICL"])
    monkeypatch.setattr(
        book_kernels,
        "numpy_features",
        lambda: {"X86_V3": True, "X86_V4": True, "AVX512_ICL": False},
    )
    assert [book_kernels.above(level) for level in (0, 1, 2)] == [
        ["X86_V3", "X86_V4"],
        ["X86_V4"],
        [],
    ]


def test_what_a_setting_does_not_tell_is_left_to_the_processor(monkeypatch):
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Haswell")
    monkeypatch.setenv("ATEN_CPU_CAPABILITY", "default")
    monkeypatch.setenv("LSTM_DATA_DIR", "data")
    by_name = {setting.name: setting.environment() for setting in SETTINGS}
    native = by_name["native, 1 thread"]
    assert not {"OPENBLAS_CORETYPE", "ATEN_CPU_CAPABILITY"} & set(native)
    assert native["LSTM_DATA_DIR"] == "data" and native["OMP_NUM_THREADS"] == "1"
    assert by_name["Zen"]["OPENBLAS_CORETYPE"] == "Zen"
    assert "ATEN_CPU_CAPABILITY" not in by_name["Zen"]
    assert by_name["Haswell"]["ATEN_CPU_CAPABILITY"] == "avx2"


def test_other_text_is_the_reference_without_some_paragraphs(tmp_path):
    write_other_text(tmp_path)
    (setting,) = (setting for setting in SETTINGS if setting.other_text)
    assert setting.variables()["PYTHONPATH"].startswith(str(OTHER_TEXT)) and possible(
        setting, frozenset()
    )
    code = "from lstm_ref.data import load; print(len(load('python-reference')))"
    lengths = [
        int(
            subprocess.run(
                [sys.executable, "-c", code], env=os.environ | told, check=True, capture_output=True
            ).stdout
        )
        for told in ({}, {"PYTHONPATH": str(tmp_path)})
    ]
    assert 0.9 < lengths[1] / lengths[0] < 0.98


def test_every_failing_cell_is_told_with_its_seeds(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(PAGE)
    first, second = execute(page, os.environ | {"OPENBLAS_CORETYPE": "Nehalem"})
    assert (
        first.startswith("code cell 2: assert kernel is None")
        and "AssertionError: seed 3 under Nehalem" in first
    )
    assert "seeds = [3, 5]" in first
    assert (
        second.startswith("code cell 3: 1 / 0")
        and "ZeroDivisionError" in second
        and "{'seeds': [3, 5]}" in second
    )


def test_table_tells_passes_failures_and_what_was_not_possible(monkeypatch):
    monkeypatch.setattr(book_kernels, "flags", lambda: frozenset({"avx", *AVX2}))
    results = {"Haswell": {"book/a": [], "book/b": ["one", "two"]}}
    lines = table(
        ["book/a", "book/b"],
        [s for s in SETTINGS if s.name in ("Haswell", "Zen", "SkylakeX")],
        results,
    )
    assert lines.splitlines()[2:] == [
        f"| a | passes | - | {NOT_POSSIBLE} |",
        f"| b | 2 FAIL | - | {NOT_POSSIBLE} |",
    ]


def test_draw_follows_the_commit_alone_and_reaches_every_page():
    pages = book_kernels.pages()
    assert draw("abc", pages, 3) == draw("abc", pages[::-1], 3) and len(draw("abc", pages, 3)) == -(
        -len(pages) // 3
    )
    assert {page for k in range(60) for page in draw(str(k), pages, 3)} == set(pages)
    assert {draw(str(k), [s.name for s in SETTINGS])[0] for k in range(200)} == {
        s.name for s in SETTINGS
    }


@pytest.mark.parametrize("failing", [True, False])
def test_gate_fails_with_a_page_or_a_test(monkeypatch, capsys, failing):
    monkeypatch.setattr(
        book_kernels,
        "run",
        lambda names, settings: {settings[0].name: {n: ["x"] * failing for n in names}},
    )
    monkeypatch.setattr(book_kernels, "marked_tests", lambda setting, commit: 0)
    if not any(possible(setting) for setting in SETTINGS[2:]):
        pytest.skip("this processor has no other setting")
    assert book_kernels.gate("abc") == failing
    assert "--gate --commit abc" in capsys.readouterr().out


def test_results_of_one_processor_add_up_and_do_not_mix_with_others(tmp_path, monkeypatch):
    monkeypatch.setattr(book_kernels, "kernel_of", lambda setting: "a kernel")
    out = tmp_path / "k.json"
    book_kernels.keep({"Zen": {"book/a": []}}, out)
    assert set(book_kernels.keep({"Zen": {"book/b": ["x"]}}, out)["results"]["Zen"]) == {
        "book/a",
        "book/b",
    }
    monkeypatch.setattr(book_kernels, "kernel_of", lambda setting: "another kernel")
    book_kernels.keep({"native, 1 thread": {"book/a": []}}, out)
    labels = json.loads(out.read_text())["kernels"]
    assert labels["native, 1 thread"] == "another kernel"
    assert labels["Zen"] != "another kernel", "what ran before keeps what it ran with"
    other = json.loads(out.read_text())
    other["machine"]["processor"] = "another"
    out.write_text(json.dumps(other))
    assert set(book_kernels.keep({"Zen": {"book/c": []}}, out)["results"]["Zen"]) == {"book/c"}


def test_seeds_of_a_page_are_the_last_lines_that_draw():
    import jupytext

    assert seeds_of(jupytext.reads(PAGE, fmt="md:myst"), 2)[-1].startswith("assert kernel is None")


def test_readme_gets_the_table_that_a_report_gives(tmp_path):
    page, other = book_kernels.pages()[:2]
    report = {
        "machine": {"processor": "A", "python": "3.11.7", "numpy": "2.0", "torch": "2.13"},
        "dates": {"Nehalem": "2026-11-30", "Zen": "2026-11-29"},
        "results": {"Nehalem": {page: [], other: ["cell 3"]}, "Zen": {page: []}},
    }
    readme = tmp_path / "README.md"
    readme.write_text(f"before\n{book_kernels.BEGIN}\nold\n{book_kernels.END}\nafter\n")
    for _ in range(2):
        write_readme(report, readme)
    text = readme.read_text()
    assert text == f"before\n{book_kernels.BEGIN}\n{summary(report)}{book_kernels.END}\nafter\n"
    assert "Of 3 executions (2 pages with code, 2 settings) 1 failed" in text
    assert "2026-11-29 to 2026-11-30, A, Python 3.11.7" in text and "old" not in text
    readme.write_text("no markers")
    with pytest.raises(SystemExit, match="must have the lines"):
        write_readme(report, readme)


def test_readme_says_what_the_last_full_run_gave():
    report = json.loads(book_kernels.OUT.read_text(encoding="utf-8"))
    text = (book_kernels.ROOT / "README.md").read_text(encoding="utf-8")
    assert f"{book_kernels.BEGIN}\n{summary(report)}{book_kernels.END}" in text

"""What the worker makes of cells and of return values, before the judge sees any of it."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from autograder.guest import worker


@pytest.mark.parametrize(
    ("source", "runs"),
    [
        ("%matplotlib inline\nx = 1", "pass\nx = 1"),
        ("x = 1\n  \n!pip install torch\ny = 2", "x = 1\n  \npass\ny = 2"),
        ("if True:\n    %timeit f()\n    !ls\nx = 1", "if True:\n    pass\n    pass\nx = 1"),
        ("np.tanh?\nx = 1", "pass\nx = 1"),
        ("?np.tanh", "pass"),
        ("files = !ls\nx = 1", "pass\nx = 1"),
        ("t = %timeit -o f()", "pass"),
        ("%%time\nx = 1", "\nx = 1"),
        ("\n%%capture out\nx = 1", "\n\nx = 1"),
        ("%%bash\nrm -rf x", ""),
        ("%%script perl\nx = 1", ""),
        ("x = (7\n% 4)\n", "x = (7\n% 4)"),
        (
            'text = """\n%matplotlib inline\n!ls\nwhat?\n"""',
            'text = """\n%matplotlib inline\n!ls\nwhat?\n"""',
        ),
        ('"""\n%a\n"""\n%matplotlib inline', '"""\n%a\n"""\npass'),
    ],
)
def test_magics_are_left_out_and_nothing_else_is(source: str, runs: str) -> None:
    without, note = worker.without_magics(source)
    assert without == runs
    assert bool(note) == (
        runs.strip() != source.strip() and not source.strip().startswith(("%%time", "%%capture"))
    )
    ast.parse(without)


def test_a_file_that_a_cell_writes_is_written_and_its_names_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for source in (
        "\n%%writefile 'own part.py'\nimport numpy as np\n\nnp.tanh(1)\n%matplotlib inline",
        "%%writefile -a own part.py\ntext = 'a\\n'",
    ):
        cell, codes = worker.read_cell(1, source)
        assert cell["error"] is None and cell["note"] == "" and len(codes) == 1
        for code in codes:
            exec(code, {})
    written = (tmp_path / "own part.py").read_text(encoding="utf-8")
    assert written == ("import numpy as np\n\nnp.tanh(1)\n%matplotlib inline\ntext = 'a\\n'\n")
    cell, _ = worker.read_cell(1, "%%writefile a.py\nimport numpy as np\n\nnp.gradient(1)")
    assert {"np.gradient", "numpy.gradient"} < set(cell["uses"])


def test_a_line_of_spaces_is_looked_at_once() -> None:
    # where each of its spaces is tried as a beginning, this takes minutes
    without, _ = worker.without_magics(f"x = 1\n{' ' * 200_000}y z")
    assert without.endswith("y z")


def test_a_cell_that_is_no_python_stays_what_it_is() -> None:
    assert worker.without_magics("def f(:\n  pass") == ("def f(:\n  pass", "")


def test_a_cell_is_read_without_being_run() -> None:
    source = (
        "import numpy as np\n\ndef f(x):\n    return np.linalg.norm(x)\n\na, (b, *c) = 1, (2, 3)\n"
        "raise SystemExit"
    )
    cell, codes = worker.read_cell(1, source)
    assert cell["error"] is None and len(codes) == 4
    assert [s["line"] for s in cell["statements"]] == [1, 3, 6, 7]
    assert [s["binds"] for s in cell["statements"]] == [["np"], ["f"], ["a", "b", "c"], []]
    assert [s["defines"] for s in cell["statements"]] == [True, True, False, False]


@pytest.mark.parametrize(
    ("source", "uses"),
    [
        (
            "import numpy as np\nnp.linalg.norm(x)",
            {"np.linalg.norm", "numpy.linalg.norm", "numpy.linalg", "numpy"},
        ),
        ("from torch import nn\nnn.LSTM(2, 3)", {"torch", "torch.nn", "torch.nn.LSTM"}),
        ("from torch.nn import LSTM as L\nL()", {"torch.nn.LSTM", "torch"}),
        ("import scipy.special", {"scipy", "scipy.special"}),
        ("x = 1  # torch\ny = 'numpy.gradient'", set()),
    ],
)
def test_the_names_that_a_cell_uses_are_found_under_every_spelling(
    source: str, uses: set[str]
) -> None:
    found = set(worker.read_cell(1, source)[0]["uses"])
    assert uses <= found
    assert not {"torch", "numpy", "numpy.gradient"} & (found - uses)


@pytest.mark.parametrize(
    "source",
    ["def f(:", "x = " + "(" * 300, "-" * 100_000 + "1", "x = '\0'", "return 1", "x = 1\n y = 2"],
)
def test_a_cell_that_python_cannot_read_says_so_and_has_no_statements(source: str) -> None:
    # In a process of its own: should the parser bring it down, only that.
    code = f"import sys; sys.path[:0] = {sys.path!r}\nfrom autograder.guest import worker\n"
    code += "print(worker.read_cell(1, sys.stdin.read()))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        input=source,
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )
    cell, codes = eval(done.stdout, {"inf": float("inf")})
    assert cell["error"] is not None and not cell["statements"] and codes == []
    assert len(cell["error"]) == 4


def test_an_error_is_told_with_the_students_own_line() -> None:
    _, codes = worker.read_cell(
        7, "import numpy as np\ndef f(x):\n    y = x + 1\n    return np.linalg.inv(y)"
    )
    names: dict[str, Any] = {}
    for code in codes:
        exec(code, names)
    with pytest.raises(np.linalg.LinAlgError) as caught:
        names["f"](np.ones((2, 3)))
    kind, name, text, line, source, bases = worker.error_reply(caught.value)
    assert (kind, name, line, source) == ("error", "LinAlgError", 4, "return np.linalg.inv(y)")
    assert "square" in text and bases == "ValueError Exception BaseException object"


def test_an_exception_that_cannot_be_told_is_told_by_its_name() -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    assert worker.error_reply(Mute()) == (
        "error",
        "Mute",
        "",
        0,
        "",
        "Exception BaseException object",
    )
    assert len(worker.error_reply(ValueError("x" * 100_000))[2]) == worker.MAX_ERROR_TEXT


class Lazy:
    """Something that becomes an array when asked."""

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return np.arange(3.0)


@pytest.mark.parametrize(
    ("value", "array"),
    [
        (Lazy(), np.arange(3.0)),
        (np.array([1.0, 2], dtype=object), np.array([1.0, 2.0])),
        ([0.5] * 100, np.full(100, 0.5)),
        ([np.float64(1.0), 2, 0.5] * 100, np.array([1, 2, 0.5] * 100)),
    ],
)
def test_what_stands_for_an_array_becomes_one(value: Any, array: Any) -> None:
    for wrapped in ((value, None), [value], {"a": value}):
        got = worker.to_plain(wrapped)
        inner = got["a"] if isinstance(got, dict) else got[0]
        assert type(got) is type(wrapped) and type(inner) is np.ndarray
        np.testing.assert_array_equal(inner, array)


def test_values_that_are_plain_already_stay_themselves() -> None:
    cache = (np.ones(3), [np.ones(2), np.ones(2)], "text", 3)
    for value in (
        cache,
        [1, 2.0],
        [np.ones(2)] * 300,
        np.array(["a"]),
        np.array([None, "a"]),
        None,
        "text",
        b"bytes",
        object(),
    ):
        assert worker.to_plain(value) is value


def test_a_list_of_tables_stays_a_list() -> None:
    table = [[0.5] * 100] * 3
    value = worker.to_plain([table, table])
    assert type(value) is list and len(value) == 2
    np.testing.assert_array_equal(np.asarray(value[0]), np.full((3, 100), 0.5))


def test_a_list_that_holds_itself_comes_back_at_all() -> None:
    value: list[Any] = []
    value.append(value)
    assert worker.to_plain(value) is value


def test_the_worker_imports_only_what_is_shipped_with_it(tmp_path: Path) -> None:
    from autograder.sandbox.mounts import PACKAGE, SHARED, SHIPPED

    for folder in ("autograder/guest", "verdict"):
        (tmp_path / folder).mkdir(parents=True)
    for path in SHARED:
        (tmp_path / "verdict" / path.name).write_bytes(path.read_bytes())
    for name in SHIPPED:
        (tmp_path / "autograder" / name).write_bytes((PACKAGE / name).read_bytes())
    site = next(p for p in sys.path if p.endswith("-packages"))
    code = (
        f"import sys; sys.path += [{str(tmp_path)!r}, {site!r}]\nimport autograder.guest.worker, "
        "autograder.guest.protocol\n"
    )
    code += "autograder.guest.worker.Worker(None, None)\n"
    code += (
        "print(sorted(m for m in sys.modules if m.startswith(('autograder', 'verdict', "
        "'lstm_ref', 'psutil', 'torch'))))"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code],
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )
    ours = [
        f"autograder.{name}" for name in ("guest", "guest.errors", "guest.protocol", "guest.worker")
    ]
    assert eval(done.stdout) == [
        "autograder",
        *ours,
        "verdict",
        "verdict.table_parts",
        "verdict.tensors",
    ]


def test_keras_computes_with_what_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAS_BACKEND", "")
    monkeypatch.setattr(worker, "find_spec", lambda name: None)
    worker.choose_backend(["numpy", "torch"])
    assert os.environ["KERAS_BACKEND"] == ""
    worker.choose_backend(["keras"])
    assert os.environ["KERAS_BACKEND"] == "torch"
    monkeypatch.setenv("KERAS_BACKEND", "tensorflow")
    monkeypatch.setattr(worker, "find_spec", lambda name: name)
    worker.choose_backend(["keras"])
    assert os.environ["KERAS_BACKEND"] == "tensorflow"


def test_where_there_is_no_tqdm_its_bars_pass_loops_through(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("tqdm", "tqdm.auto", "tqdm.notebook"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    real = worker.find_spec
    monkeypatch.setattr(worker, "find_spec", lambda name: None if name == "tqdm" else real(name))
    worker.offer_progress_bars()
    space: dict[str, Any] = {}
    exec(
        "from tqdm import tqdm, trange\nimport tqdm.notebook as t\n"
        "from tqdm.auto import tqdm as a\n"
        "with tqdm([1, 2], desc='x') as bar:\n    seen = list(bar), len(bar), bar.update(3)\n"
        "more = [*trange(1, 4, leave=False)], [*t.tqdm(iter('ab'))], a.write('told')",
        space,
    )
    assert space["seen"] == ([1, 2], 2, None) and space["more"] == ([1, 2, 3], ["a", "b"], None)
    assert capsys.readouterr().out == "told\n"
    for name in ("tqdm", "tqdm.auto", "tqdm.notebook"):
        monkeypatch.delitem(sys.modules, name)


def test_where_there_is_no_matplotlib_plots_draw_nothing_and_displays_print(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    parts = ("pyplot", "ticker", "gridspec")
    names = ["matplotlib", *(f"matplotlib.{p}" for p in parts), "IPython", "IPython.display"]
    for name in [*sys.modules, *names]:
        if name.partition(".")[0] in ("matplotlib", "IPython"):
            monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setattr(worker, "find_spec", lambda name: None)
    worker.offer_plots()
    space: dict[str, Any] = {}
    exec(
        "import matplotlib\nimport matplotlib.pyplot as plt\nfrom matplotlib import ticker\n"
        "from IPython.display import clear_output, display\nimport IPython\n"
        "plt.rcParams['figure.dpi'] = 72\nmatplotlib.use('Agg')\nplt.style.use('ggplot')\n"
        "line, = plt.plot([1, 2], label='loss')\nplt.legend(); plt.show()\n"
        "fig, axes = plt.subplots(2, 2, figsize=(6, 4))\naxes[0, 1].set_title('a')\n"
        "for ax in axes.flat:\n    ax.hist([1]); ax.set(xlabel='x')\n"
        "with plt.rc_context():\n    fig.colorbar(axes[0, 0].imshow([[1]]))\n"
        "clear_output(wait=True)\ndisplay('told')\nIPython.display.display(1)\n"
        "plt.gca().xaxis.set_major_locator(ticker.MaxNLocator(integer=True))",
        space,
    )
    assert capsys.readouterr().out == "told\n1\n"
    for name in names:
        monkeypatch.delitem(sys.modules, name)


def test_a_matplotlib_that_is_there_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    before = dict(sys.modules)
    monkeypatch.setitem(sys.modules, "matplotlib", worker)  # whatever is there
    monkeypatch.setitem(sys.modules, "IPython", worker)
    worker.offer_plots()
    assert sys.modules["matplotlib"] is worker and sys.modules["IPython"] is worker
    assert sys.modules.keys() == before.keys() | {"matplotlib", "IPython"}


def test_a_tqdm_that_is_there_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tqdm", worker)  # whatever is there
    worker.offer_progress_bars()
    assert sys.modules["tqdm"] is worker

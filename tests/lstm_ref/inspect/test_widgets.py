"""The Python side of the widgets: their numbers, what they refuse, and their two forms, live and
static.
"""

import base64
import json
import re
import subprocess
import sys

import numpy as np
import pytest
from traitlets import TraitError

from lstm_ref import lstm_step
from lstm_ref.errors import ArgumentError, NotFiniteError, ShapeError
from lstm_ref.inspect import COLOURS, GateExplorer, GateTrace, SequenceInspector, trace
from lstm_ref.inspect.sequence_inspector import LIMIT
from lstm_ref.inspect.widget import STATIC, style

T, H = 7, 5
WIDGETS = [
    "attention_map",
    "backward_stepper",
    "curve_doctor",
    "gate_explorer",
    "gradient_lens",
    "origin_slider",
    "pruning_slider",
    "search_race",
    "sequence_inspector",
    "slice_explorer",
]


@pytest.fixture
def static(monkeypatch):
    monkeypatch.setenv("LSTM_REF_STATIC", "1")


@pytest.fixture
def live(monkeypatch):
    monkeypatch.delenv("LSTM_REF_STATIC", raising=False)


def gates(T=T, H=H, N=2, seed=3):
    rng = np.random.default_rng(seed)
    return GateTrace(*(rng.normal(scale=0.5, size=(N, T, H)) for _ in GateTrace._fields))


WITH = re.compile(r"^/\* with (\w+\.css) \*/$", re.MULTILINE)
SHEETS = [one for one in sorted(STATIC.glob("*.css")) if WITH.search(one.read_text("utf-8"))]


@pytest.mark.parametrize("sheet", SHEETS, ids=lambda sheet: sheet.stem)
def test_parts_that_a_style_sheet_names_are_for_its_widget_alone(sheet):
    own = sheet.read_text(encoding="utf-8")
    parts = WITH.findall(own)
    (root,) = {*re.findall(r"^\.lw-\w+", own, re.MULTILINE)}
    source = (STATIC / f"{sheet.stem}.js").read_text(encoding="utf-8")
    assert f'el.classList.add("lstm-widget", "{root[1:]}")' in source
    of_all = (STATIC / "widget.css").read_text(encoding="utf-8")
    lines = style(sheet.stem).replace(of_all, "").splitlines()
    for part in parts:
        rules = [
            line
            for line in (STATIC / part).read_text(encoding="utf-8").splitlines()
            if line.startswith(".lstm-widget")
        ]
        assert rules and all(rule.replace(".lstm-widget", root) in lines for rule in rules)
        assert not {*rules} & {*lines}


def both():
    return [GateExplorer(), SequenceInspector(gates(), "seven!!")]


def test_the_explorer_gives_the_numbers_of_lstm_step():
    explorer = GateExplorer(x=-1.3, h_prev=0.4, c_prev=2.0, Wx_g=1.7, b_f=-0.6)
    arrays = [np.array([[number]]) for number in (-1.3, 0.4, 2.0)]
    h, c, step = lstm_step(*arrays, **explorer.params)
    assert explorer.params["Wx"][0, 2] == 1.7 and explorer.params["b"][1] == -0.6  # i f g o
    assert explorer.values == {
        **{name: getattr(step, name).item() for name in "ifgo"},
        "c": c.item(),
        "h": h.item(),
    }


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        ({"h_prev": 1.2}, "h_prev must lie between -1 and 1"),
        ({"b_f": float("nan")}, "b_f must be finite, got nan"),
        ({"c_prev": float("inf")}, "c_prev must be finite, got inf"),
        ({"b_c": 1.0}, "the numbers are x, h_prev, c_prev, Wx_i, .*; got b_c"),
        ({"x": "one"}, "expected a float"),
    ],
)
def test_the_explorer_refuses_what_is_no_number_of_a_cell(numbers, message):
    with pytest.raises(TraitError, match=message):
        GateExplorer(**numbers)


def test_a_number_that_is_refused_later_leaves_the_explorer_as_it_was():
    explorer = GateExplorer(h_prev=0.5)
    with pytest.raises(TraitError, match="h_prev must lie between"):
        explorer.h_prev = -3
    assert explorer.h_prev == 0.5


def test_a_slider_of_ones_own_can_be_linked_both_ways(live):
    from ipywidgets import FloatSlider, link

    explorer, slider = GateExplorer(b_f=4.0), FloatSlider(min=-8, max=8)
    link((explorer, "b_f"), (slider, "value"))
    assert slider.value == 4
    slider.value = -2.5
    assert explorer.b_f == -2.5 and explorer.values["f"] < 0.5


@pytest.mark.parametrize(("unit", "step", "started"), [(0, 0, False), (3, 0, True), (2, 5, True)])
def test_the_explorer_shows_a_unit_of_a_model_as_it_is_in_the_model(unit, step, started):
    rng = np.random.default_rng(7)
    params = {
        "Wx": rng.normal(size=(3, 16)),
        "Wh": rng.normal(size=(4, 16)),
        "b": rng.normal(size=16),
    }
    x, h0, c0 = rng.normal(size=(6, 3)), np.tanh(rng.normal(size=4)), rng.normal(size=4)
    state = {"h0": h0, "c0": c0} if started else {}
    explorer = GateExplorer.of_unit(params, x, unit, step, **state)
    expected = trace(params, x[None], **{name: array[None] for name, array in state.items()})
    for name, values in expected._asdict().items():
        assert np.isclose(explorer.values[name], values[0, step, unit], rtol=1e-10), name
    assert explorer.x == 1


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"unit": 4}, ArgumentError, "unit must be from 0 to H-1 = 3, got 4"),
        ({"step": 6}, ArgumentError, "step must be from 0 to T-1 = 5, got 6"),
        (
            {"x": np.zeros((1, 6, 3))},
            ShapeError,
            r"x must be \(T, D\), one sequence, got \(1, 6, 3\)",
        ),
    ],
)
def test_a_unit_that_is_not_in_the_model_is_refused(change, error, message):
    params = {"Wx": np.zeros((3, 16)), "Wh": np.zeros((4, 16)), "b": np.zeros(16)}
    with pytest.raises(error, match=message):
        GateExplorer.of_unit(
            **{"params": params, "x": np.zeros((6, 3)), "unit": 0, "step": 0, **change}
        )


def test_the_inspector_carries_the_sample_with_four_digits():
    trace = gates()
    inspector = SequenceInspector(trace, "seven!!", sample=1)
    assert inspector.tokens == list("seven!!")
    for name, values in inspector.arrays.items():
        expected = getattr(trace, name)[1]
        assert np.shape(values) == (T, H)
        np.testing.assert_allclose(values, expected, rtol=5.1e-4, atol=0)
        assert all(v == float(f"{v:.4g}") for v in np.ravel(values))
    np.testing.assert_allclose(inspector.means, trace.f[1].mean(axis=0), rtol=5.1e-4)


def test_the_orders_are_those_of_the_whole_numbers_and_stable():
    trace = gates()
    trace.f[0, :, 1] = trace.f[0, :, 4] = 0.3  # a tie
    inspector = SequenceInspector(trace, "seven!!")
    means = trace.f[0].mean(axis=0)
    order = inspector.orders["memory"]
    assert sorted(order) == list(range(H)) and all(
        means[a] >= means[b] for a, b in zip(order, order[1:], strict=False)
    )
    assert order.index(4) == order.index(1) + 1
    for name, values in trace._asdict().items():
        assert (
            inspector.orders[f"variance_{name}"]
            == np.argsort(-values[0].var(axis=0), kind="stable").tolist()
        )
    assert inspector.unit == inspector.orders["variance_f"][0]


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (
            {"tokens": "six..."},
            ShapeError,
            "tokens must be T = 7, one for each step of the trace, got 6",
        ),
        ({"sample": 2}, ArgumentError, "sample must be from 0 to N-1 = 1, got 2"),
        (
            {"trace": np.zeros((6, 1, 7, 5))},
            ArgumentError,
            r"trace must be a GateTrace, got ndarray; use trace\(",
        ),
        (
            {"trace": gates()._replace(c=np.zeros((2, 7, 4)))},
            ShapeError,
            r"c must be \(N, T, H\) = \(2, 7, 5\), got \(2, 7, 4\)",
        ),
        (
            {"trace": gates()._replace(o=np.full((2, 7, 5), np.nan))},
            NotFiniteError,
            "o must be finite",
        ),
        ({"unit": 5}, TraitError, "unit must be from 0 to H-1 = 4, got 5"),
        ({"step": -1}, TraitError, "step must be from 0 to T-1 = 6, got -1"),
        ({"array": "z"}, TraitError, "array"),
        ({"sort": "size"}, TraitError, "sort"),
    ],
)
def test_the_inspector_refuses_what_does_not_fit(change, error, message):
    arguments = {"trace": gates(), "tokens": "seven!!", **change}
    with pytest.raises(error, match=message):
        SequenceInspector(**arguments)


def test_a_signal_sorts_units_by_the_size_of_their_correlation_with_it():
    trace = gates(T=30)
    rng = np.random.default_rng(0)
    counter = rng.normal(size=30)
    # against it counts as much as with it
    trace.c[0, :, 3] = -2 * counter + 5 + 0.1 * rng.normal(size=30)
    trace.c[0, :, 1] = 0.7  # never moves
    inspector = SequenceInspector(
        trace, "x" * 30, signals={"counter": counter, "flat": np.ones(30)}, sort="signal"
    )
    r = np.array(inspector.likeness["counter_c"])
    for unit in (0, 2, 3, 4):
        assert np.isclose(r[unit], np.corrcoef(trace.c[0, :, unit], counter)[0, 1], rtol=1e-3)
    assert r[3] < -0.99 and r[1] == 0 and inspector.orders["signal_counter_c"][0] == 3
    assert inspector.orders["signal_counter_c"] == np.argsort(-np.abs(r), kind="stable").tolist()
    assert inspector.likeness["flat_c"] == [0] * H and inspector.signal == "counter"
    with pytest.raises(TraitError, match="signal must be one of counter, flat, got 'quotes'"):
        inspector.signal = "quotes"


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (
            {"signals": {"depth": np.zeros(6)}},
            ShapeError,
            r"signal 'depth' must be \(T,\) = \(7,\), got \(6,\)",
        ),
        (
            {"signals": {"depth": np.full(7, np.inf)}},
            NotFiniteError,
            "signal 'depth' must be finite",
        ),
        ({"sort": "signal"}, ArgumentError, 'sort="signal" needs signals'),
    ],
)
def test_a_signal_that_does_not_fit_is_refused(change, error, message):
    with pytest.raises(error, match=message):
        SequenceInspector(gates(), "seven!!", **change)


def test_a_page_carries_the_same_digits_in_half_the_bytes(tmp_path):
    inspector = SequenceInspector(gates(T=40), "x" * 40)
    packed = inspector.page_state["arrays"]
    for name, rows in inspector.arrays.items():
        three = np.frombuffer(base64.b64decode(packed[name]), np.uint8).reshape(-1, 3)
        numbers = np.pad(three, ((0, 0), (1, 0))).copy().view("<f4").reshape(40, H)
        assert [[float(f"{value:.4g}") for value in row] for row in numbers.tolist()] == rows
    assert len(json.dumps(packed)) < 0.6 * len(json.dumps(inspector.arrays, separators=(",", ":")))
    held = json.loads(inspector.to_json(tmp_path / "trace.json").read_text())
    assert held == json.loads(json.dumps(inspector.page_state))


def test_a_trace_too_large_for_a_page_is_refused_with_a_slice_that_fits():
    long = gates(T=400, H=100, N=1)
    with pytest.raises(
        ArgumentError, match=r"at most 150000 numbers, got 6 \* T \* H = 6 \* 400 \* 100 = 240000"
    ) as refused:
        SequenceInspector(long, "x" * 400)
    steps = int(re.search(r"a\[:, :(\d+)\]", str(refused.value))[1])
    units = int(re.search(r"a\[:, :, :(\d+)\]", str(refused.value))[1])
    assert 0 <= LIMIT - 6 * steps * 100 < 600 and 0 <= LIMIT - 6 * 400 * units < 2400
    SequenceInspector(GateTrace(*(a[:, :steps] for a in long)), "x" * steps)
    SequenceInspector(GateTrace(*(a[:, :, :units] for a in long)), "x" * 400)


def test_static_form_is_html_with_its_own_place_each_time(static):
    for widget in both():
        bundle = widget._repr_mimebundle_()
        assert set(bundle) == {"text/html", "text/plain"}
        pages = [widget.html() for _ in range(3)]
        places = [
            re.search(r'<div id="(lstm-\w+)"><noscript><p>(.+?)</p></noscript></div>', page)
            for page in pages
        ]
        assert len({place[1] for place in places}) == 3 and all(
            len(place[2]) > 60 for place in places
        )
        assert all(
            f'getElementById("{place[1]}")' in page
            for place, page in zip(places, pages, strict=True)
        )
        assert not re.search(
            r"(https?:)?//[a-z]", pages[0].replace("http://www.w3.org/2000/svg", "")
        )


def test_text_cannot_break_out_of_the_page(static):
    tokens = ["</script>", "<!--", "<script>", "\u2028", '"', "\\", "</style>"]
    page = SequenceInspector(gates(), tokens).html()
    assert page.count("</script>") == 1 and "<!--" not in page and page.count("<script") == 1
    state = re.search(r"^const state = (.*);$", page, re.MULTILINE)[1]
    assert json.loads(state)["tokens"] == tokens


def test_live_form_is_a_widget_that_sends_the_same_module_and_the_same_state(live):
    for widget in both():
        data, _ = widget._repr_mimebundle_()
        assert data["application/vnd.jupyter.widget-view+json"]["model_id"] == widget.model_id
        state = widget.get_state()
        parts = [(STATIC / f"{part}.js").read_text() for part in ("dom", "save", widget.name)]
        assert state["_esm"] == "".join(parts)
        assert (STATIC / f"{widget.name}.css").read_text() in state["_css"]
        assert {key: state[key] for key in widget.module_traits()} == widget.module_state


def test_static_form_opens_no_connection_and_stays_static(static, monkeypatch):
    widgets = both()
    assert all(widget.comm is None for widget in widgets)
    monkeypatch.delenv("LSTM_REF_STATIC")
    assert all(set(widget._repr_mimebundle_()) == {"text/html", "text/plain"} for widget in widgets)


def test_a_change_from_the_browser_reaches_python(live):
    explorer, inspector = both()
    explorer.set_state({"b_f": -1.5})
    inspector.set_state({"array": "c", "unit": 3})
    assert explorer.b_f == -1.5 and (inspector.array, inspector.unit) == ("c", 3)


def test_a_notebook_executed_for_the_book_stores_html_and_no_widget_state(static):
    """Stored widget state would make the book load its manager from a CDN."""
    import nbformat
    from nbclient import NotebookClient

    source = (
        "import numpy as np\nfrom lstm_ref.inspect import GateExplorer, GateTrace, "
        "SequenceInspector\n"
        "display(GateExplorer())\nSequenceInspector(GateTrace(*np.full((6, 1, 2, 3), 0.5)), 'ab')"
    )
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)])
    NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    assert "widgets" not in notebook.metadata
    outputs = notebook.cells[0].outputs
    assert [sorted(output.data) for output in outputs] == [["text/html", "text/plain"]] * 2


WITHOUT_ANYWIDGET = """
import sys
sys.modules["anywidget"] = None
from lstm_ref.inspect import GateExplorer
try:
    explorer = GateExplorer(b_f=2.0)
except ImportError as missing:
    print(missing)
else:
    print(explorer.values["f"] > 0.5, len(explorer._repr_mimebundle_()["text/html"]) > 10000)
"""


@pytest.mark.parametrize(
    ("mode", "said"),
    [
        ("1", "True True"),
        (
            "",
            (
                "GateExplorer needs anywidget; pip install 'inside-the-lstm[book]', or set "
                "LSTM_REF_STATIC=1"
            ),
        ),
    ],
)
def test_without_anywidget_the_static_form_works_and_the_live_form_says_what_to_install(
    monkeypatch, mode, said
):
    monkeypatch.setenv("LSTM_REF_STATIC", mode)
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_ANYWIDGET], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith(said)


@pytest.mark.parametrize("name", [*WIDGETS, "dom", "save"])
def test_a_module_keeps_the_rules_that_let_it_run_everywhere(name):
    source = (STATIC / f"{name}.js").read_text()
    css = (STATIC / f"{name}.css").read_text() if name in WIDGETS else ""
    # Shared parts are put in front of a module and offer nothing of their own.
    assert (
        len(re.findall("^export default", source, re.MULTILINE)) == (name in WIDGETS)
        and "import " not in source
    )
    # it is written into a script element as it is
    assert "</" not in source and "<!--" not in source
    assert not re.search(r"\bid=|\bid:|\.id\b|getElementById", source)
    assert not re.search(r"\b(window|globalThis)\.", source)
    assert "</" not in css and "@import" not in css and "url(" not in css
    # Every rule is for this widget only, and every colour comes from the palette.
    rules = re.sub(r"/\*.*?\*/|@[^{]*\{", "", css, flags=re.DOTALL)
    assert all(
        part.strip().startswith(".lw-")
        for rule in re.findall(r"([^{}]+)\{", rules)
        for part in rule.split(",")
        if "(" not in part
    )
    assert not re.search(r"#[0-9a-fA-F]{3,6}\b", css)


def test_gates_have_the_colours_of_the_figures():
    page = GateExplorer().html()
    assert all(f"--lw-{name}: {colour};" in page for name, colour in COLOURS.items())

"""Be the gate in a real browser: by mouse, keyboard and finger, with the numbers of Python."""

import numpy as np
import pytest

from lstm_ref.inspect import BeTheGate, trace
from tests.support.widgets import assert_accessible_and_fits

WORDS = "The authors of the report were Its title about roads was".split()
OFFERS = [0.0, 0.8, 0.1, 0.0, -0.5, 0.2, 0.0, -0.5, 0.1, 0.8, -0.1]
STRIP = (
    WORDS,
    OFFERS,
    [0.0] + 6 * [0.8] + 4 * [-0.5],
    [float(w in ("were", "was")) for w in WORDS],
)
OPEN = {name: [1.0] * len(WORDS) for name in "fio"}


def learned():
    """A cell whose gates stand a little off open and shut."""
    x = np.array([[3 if g in (1, 7) else -3, -3 if g == 7 else 3, 3 if g in (5, 10) else -3]
                  for g in range(len(WORDS))])  # fmt: skip
    x = np.column_stack([x, np.arctanh(OFFERS)])[:, [0, 1, 3, 2]]
    return trace({"Wx": np.eye(4), "Wh": np.zeros((1, 4)), "b": np.zeros(4)}, x[None])


@pytest.fixture
def open_page(browser, tmp_path, monkeypatch):
    """Write the widget to disk and open it offline; an error of the page fails the test."""
    monkeypatch.setenv("LSTM_REF_STATIC", "1")
    contexts, trouble = [], []

    def open_page(width=800, cell=True, **options):
        widget = BeTheGate(*STRIP, learned=learned() if cell else None)
        assert len(widget.html()) < 60_000
        path = widget.to_html(tmp_path / f"page-{len(contexts)}.html")
        size = {"width": width, "height": 700}
        contexts.append(browser.new_context(viewport=size, offline=True, **options))
        page = contexts[-1].new_page()
        page.on("pageerror", lambda error: trouble.append(str(error)))
        page.goto(path.as_uri())
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert trouble == []


def square(page, gate, t):
    return page.locator(f'[data-gate="{gate}"][data-step="{t}"]')


def shown(page, name):
    found = page.locator(f'[data-out="{name}"]')
    return np.array(found.evaluate_all("all => all.map(node => Number(node.dataset.value))"))


def same_as_python(page, gates):
    """The page holds, shows and counts what Python does with these gates."""
    widget = BeTheGate(*STRIP, gates=gates)
    c, h = widget.states
    np.testing.assert_allclose(shown(page, "c"), c, atol=1e-12)
    np.testing.assert_allclose(shown(page, "h"), h, atol=1e-12)
    score = widget.score
    want = f"held right at {score['held']} of 11 steps, shown right at {score['shown']} of 11"
    assert want in page.inner_text(".lw-score >> nth=0")


def test_gates_that_the_mouse_moves_give_the_numbers_of_python(open_page):
    page, gates = open_page(), {name: list(values) for name, values in OPEN.items()}
    same_as_python(page, gates)
    rng = np.random.default_rng(0)
    for gate, t in zip(rng.choice(list("fio"), 8), rng.integers(0, 11, 8), strict=True):
        square(page, gate, t).click()
        gates[gate][t] = 1 - gates[gate][t]
        same_as_python(page, gates)
    page.get_by_role("button", name="Open all gates").click()
    same_as_python(page, OPEN)


def test_the_keyboard_alone_solves_the_task(open_page):
    page, gates = open_page(), {name: list(values) for name, values in OPEN.items()}
    square(page, "f", 0).focus()
    want = {"f": [t != 7 for t in range(11)], "i": [t in (1, 7) for t in range(11)],
            "o": [t in (5, 10) for t in range(11)]}  # fmt: skip
    for gate in "fio":
        page.keyboard.press("Home")
        for t in range(11):
            if not want[gate][t]:
                page.keyboard.press("Enter" if t % 2 else "Space")
                gates[gate][t] = 0.0
            page.keyboard.press("ArrowRight")
        page.keyboard.press("ArrowDown")
    same_as_python(page, gates)
    assert "Nothing is lost" in page.inner_text(".lw-score >> nth=0")
    tab_stops = page.locator('.lw-square[tabindex="0"]')
    assert tab_stops.count() == 1 and tab_stops.get_attribute("data-gate") == "o"


def test_the_trained_cell_is_shown_when_it_is_asked_for(open_page):
    page = open_page()
    cell = BeTheGate(*STRIP, learned=learned())
    bars = page.locator(".lw-learned")
    assert not any(bar.is_visible() for bar in bars.all())
    page.get_by_role("button", name="trained cell").click()
    heights = bars.evaluate_all("all => all.map(bar => parseFloat(bar.style.height))")
    want = np.concatenate([cell.learned[name] for name in "fio"])
    np.testing.assert_allclose(np.array(heights) / 100, want, atol=1e-3)
    score = cell.learned_score
    assert f"The trained cell: held right at {score['held']} of 11" in page.inner_text(
        ".lw-score >> nth=1"
    )
    assert open_page(cell=False).get_by_role("button", name="trained cell").count() == 0


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1000, 390])
def test_it_is_accessible_and_fits_a_finger(open_page, width, theme):
    page = open_page(width, color_scheme=theme, has_touch=True)
    square(page, "f", 7).tap()
    assert square(page, "f", 7).get_attribute("aria-checked") == "false"
    page.get_by_role("button", name="trained cell").tap()
    assert_accessible_and_fits(page)
    box = square(page, "i", 3).bounding_box()
    assert box["width"] >= 24 and box["height"] >= 24
    sizes = page.locator(".lw-number, .lw-word span").evaluate_all(
        "all => all.map(text => parseFloat(getComputedStyle(text).fontSize))"
    )
    assert min(sizes) >= 12

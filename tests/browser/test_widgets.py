"""Both widgets in a real browser: from disk, without a network, by mouse, keyboard and finger,
against NumPy.

Most tests open a page with nothing but the widget. The last ones look at the same widgets inside
the built book.
"""

import json
import re
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

from lstm_ref import lstm_step
from lstm_ref.inspect import GateExplorer, GateTrace, SequenceInspector
from lstm_ref.inspect.palette import RAMPS
from lstm_ref.inspect.signals import depth, since
from lstm_ref.inspect.widget import module, style
from tests.support.widgets import assert_accessible_and_fits

GATES = ["i", "f", "g", "o"]
RESULTS = [*GATES, "c", "h"]
STATE = ["x", "h_prev", "c_prev"]
NAMES = [*STATE, *(f"{name}_{gate}" for gate in GATES for name in ("Wx", "Wh", "b"))]
DESKTOP, PHONE = {"width": 1000, "height": 800}, {"width": 390, "height": 844}
TEXT = "The yield expression\nis used in a generator."  # 44 characters


def number(text):
    return text.strip().replace("−", "-")


def unsigned_zero(text):
    return text.replace("-", "") if float(text) == 0 else text


def slider(page, name):
    return page.locator(f'input[data-name="{name}"]')


def expected(values):
    """Everything the explorer shows for these numbers, by lstm_step, with the digits that it
    shows.
    """
    Wx, Wh, b = (
        np.array([values[f"{name}_{gate}"] for gate in GATES]) for name in ("Wx", "Wh", "b")
    )
    x, h_prev, c_prev = (np.array([[values[name]]]) for name in STATE)
    h, c, step = lstm_step(x, h_prev, c_prev, Wx[None], Wh[None], b)
    arrays = {gate: getattr(step, gate) for gate in GATES} | {"c": c, "h": h}
    arrays |= {"kept": step.f * c_prev, "written": step.i * step.g, "tanh": np.tanh(c)}
    return {name: array.item() for name, array in arrays.items()}


def shown(page, kind):
    return dict(
        page.eval_on_selector_all(
            f"[data-{kind}]", f"all => all.map(n => [n.dataset.{kind}, n.textContent])"
        )
    )


def assert_explorer_is_right(page):
    values = {name: float(slider(page, name).input_value()) for name in NAMES}
    want = {name: unsigned_zero(f"{value:.3f}") for name, value in expected(values).items()}
    diagram = {name: number(text) for name, text in shown(page, "out").items()}
    equations = {name: number(text) for name, text in shown(page, "eq").items()}
    assert {name: diagram[name] for name in want} == want
    assert equations == {name: want[name] for name in RESULTS}
    assert {name: float(diagram[name]) for name in STATE} == {
        name: round(values[name], 3) for name in STATE
    }
    return want


# The gate explorer


def test_the_explorer_starts_with_the_numbers_it_was_given(open_page):
    explorer = GateExplorer(x=-0.5, c_prev=1.5, b_o=-2.0, Wh_g=3.1)
    page = open_page(explorer)
    assert {
        name: float(slider(page, name).input_value()) for name in NAMES
    } == explorer.module_state
    want = assert_explorer_is_right(page)
    assert want == {**want, **{name: f"{value:.3f}" for name, value in explorer.values.items()}}


def test_every_slider_moved_by_the_mouse_changes_the_numbers_as_lstm_step_does(open_page):
    page = open_page(GateExplorer())
    before = assert_explorer_is_right(page)
    rng = np.random.default_rng(0)
    for name in NAMES:
        # a saturated gate would hide what a slider does
        page.get_by_role("button", name="Start").click()
        handle = slider(page, name)
        value = float(handle.input_value())
        box = handle.bounding_box()
        share = rng.uniform(0.05, 0.4) if value > 0 else rng.uniform(0.6, 0.95)
        handle.hover()
        middle = box["y"] + box["height"] / 2
        page.mouse.move(box["x"] + box["width"] / 2, middle)
        page.mouse.down()
        page.mouse.move(box["x"] + box["width"] * share, middle, steps=4)
        page.mouse.up()
        assert float(handle.input_value()) != value
        assert assert_explorer_is_right(page) != before


def test_every_slider_is_reached_and_moved_by_the_keyboard(open_page):
    page = open_page(GateExplorer())
    page.locator("button", has_text="Next step").focus()
    for name in NAMES:
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.dataset.name") == name
        value = float(slider(page, name).input_value())
        for key in ["ArrowRight", "ArrowRight", "ArrowRight", "ArrowLeft"]:
            page.keyboard.press(key)
        step = 0.1 if name.startswith("b_") or name[0] == "W" else 0.05
        assert float(slider(page, name).input_value()) == pytest.approx(value + 2 * step)
        assert_explorer_is_right(page)
    for key, c_prev in {"End": 3.0, "Home": -3.0}.items():
        slider(page, "c_prev").press(key)
        assert float(slider(page, "c_prev").input_value()) == c_prev
        assert_explorer_is_right(page)


@pytest.mark.parametrize(
    ("example", "holds"),
    [
        ("Keep", lambda v: abs(v["c"] - v["c_prev"]) < 0.01 and v["f"] > 0.99 and v["i"] < 0.01),
        ("Forget", lambda v: abs(v["c"]) < 0.01 and v["f"] < 0.01 and v["i"] < 0.01),
        ("Write", lambda v: abs(v["c"] - v["g"]) < 0.01 and abs(v["g"]) > 0.5),
        ("Add up", lambda v: abs(v["c"] - v["c_prev"] - v["g"]) < 0.01 and v["g"] > 0.3),
        (
            "Read only",
            lambda v: (
                abs(v["h"] - v["tanh"]) < 0.01
                and v["o"] > 0.99
                and abs(v["c"] - v["c_prev"]) < 0.01
            ),
        ),
        ("Hide", lambda v: abs(v["h"]) < 0.01 and abs(v["c"] - v["c_prev"]) < 0.01),
    ],
)
def test_an_example_does_what_it_says(open_page, example, holds):
    page = open_page(GateExplorer())
    button = page.get_by_role("button", name=example)
    button.click()
    assert (
        button.get_attribute("aria-pressed") == "true"
        and page.locator('[aria-pressed="true"]').count() == 1
    )
    assert len(page.locator(".lw-note").inner_text()) > 30
    values = {name: float(text) for name, text in assert_explorer_is_right(page).items()}
    assert holds({**values, "c_prev": float(slider(page, "c_prev").input_value())})
    slider(page, "b_o").press("ArrowLeft")
    assert page.locator('[aria-pressed="true"]').count() == 0
    page.get_by_role("button", name="Start").click()
    assert {
        name: float(slider(page, name).input_value()) for name in NAMES
    } == GateExplorer().module_state


def test_next_step_feeds_the_state_back_as_a_sequence_does(open_page):
    page = open_page(GateExplorer())
    page.get_by_role("button", name="Add up").click()
    values = {name: float(slider(page, name).input_value()) for name in NAMES}
    for n in range(1, 9):
        after = expected(values)
        values |= {"c_prev": after["c"], "h_prev": after["h"]}
        page.get_by_role("button", name="Next step").click()
        want = expected(values)
        assert {name: float(number(text)) for name, text in shown(page, "eq").items()} == {
            name: round(want[name], 3) for name in RESULTS
        }
        assert page.locator(".lw-step").inner_text() == f"Step {n}"
    assert values["c_prev"] > 3  # beyond the slider: the number counts, not the place of the thumb
    assert number(shown(page, "out")["c_prev"]).rstrip("0") == f"{values['c_prev']:.3f}".rstrip("0")
    assert page.locator(".lw-curve-c").get_attribute("d").count("L") == 8
    assert f"c is now {values['c_prev']:.3f}" in page.locator(".lw-course").get_attribute(
        "aria-label"
    )
    assert page.get_by_role("button", name="Add up").get_attribute("aria-pressed") == "true"
    slider(page, "c_prev").press("Home")  # another start, another course
    assert (
        page.locator(".lw-step").inner_text() == "Step 0"
        and page.locator(".lw-curve-c").get_attribute("d") == ""
    )


def lit(page):
    return page.eval_on_selector_all("li.lw-on", "all => all.map(row => row.dataset.part)")


def test_what_is_pointed_at_lights_up_in_the_diagram_and_the_equations(open_page):
    page = open_page(GateExplorer())
    assert lit(page) == []
    for gate in GATES:
        page.hover(f'.lw-gate[data-part="{gate}"]')
        assert lit(page) == [gate]
        assert page.locator(".lw-gate.lw-on").get_attribute("data-part") == gate
        assert page.locator(".lw-card.lw-on").get_attribute("data-part") == gate
    page.hover('li[data-part="c"]')
    assert lit(page) == ["c"]
    on = page.eval_on_selector_all(".lw-gate.lw-on", "all => all.map(box => box.dataset.part)")
    assert sorted(on) == ["f", "g", "i"]  # c = f * c_prev + i * g
    page.mouse.move(999, 799)
    assert lit(page) == []
    slider(page, "Wh_o").focus()
    assert lit(page) == ["o"]


def test_the_equations_are_one_tab_stop_and_the_arrow_keys_walk_them(open_page):
    page = open_page(GateExplorer())
    slider(page, "b_o").focus()
    page.keyboard.press("Tab")
    walked = [lit(page)]
    for _ in range(6):
        page.keyboard.press("ArrowDown")
        walked.append(lit(page))
    assert walked == [["i"], ["f"], ["g"], ["o"], ["c"], ["h"], ["h"]]
    page.keyboard.press("Home")
    assert lit(page) == ["i"]
    page.keyboard.press("End")
    page.keyboard.press("ArrowUp")
    assert lit(page) == ["c"]
    page.keyboard.press("Tab")
    assert page.evaluate(
        "document.activeElement === document.body || "
        "!document.activeElement.closest('.lw-equations')"
    )


def test_the_lines_say_how_large_a_number_is_and_whether_it_is_negative(open_page):
    page = open_page(GateExplorer(c_prev=2.0, b_f=6.0, b_i=-6.0, Wx_g=-2.0))
    width = "path => parseFloat(getComputedStyle(path).strokeWidth)"
    lines = page.locator(".lw-line")
    colours = lines.evaluate_all("all => all.map(path => path.style.stroke)")
    f, i = (lines.nth(colours.index(f"var(--lw-{gate})")) for gate in "fi")
    assert f.evaluate(width) > 2 * i.evaluate(width)
    negative = page.locator(".lw-line.lw-negative").evaluate_all(
        "all => all.map(path => path.style.stroke)"
    )
    assert "var(--lw-g)" in negative and "var(--lw-f)" not in negative


# The sequence inspector


def gates(T=44, H=9, N=2, seed=5):
    """A trace with signs, sizes and small numbers of every kind."""
    rng = np.random.default_rng(seed)
    bounded = {name: rng.uniform(0, 1, size=(N, T, H)) ** 3 for name in "ifo"}
    signed = {name: np.tanh(rng.normal(size=(N, T, H))) for name in "gh"}
    return GateTrace(**bounded, **signed, c=rng.normal(scale=3, size=(N, T, H)))


def four_digits(value):
    """As JavaScript's toPrecision(4) writes it."""
    digits, exponent = f"{value:.3e}".split("e")
    return (
        f"{digits}e{int(exponent):+d}" if int(exponent) < -6 else f"{value:.{3 - int(exponent)}f}"
    )


def readout(page):
    return {name: number(text) for name, text in shown(page, "out").items()}


def at(trace, t, unit, sample=0):
    return {name: four_digits(values[sample, t, unit]) for name, values in trace._asdict().items()}


def over(page, t, row, T, H):
    box = page.locator("canvas").bounding_box()
    page.mouse.move(
        box["x"] + (t + 0.5) * box["width"] / T, box["y"] + (row + 0.5) * box["height"] / H
    )


def order(page):
    return [int(unit) for unit in page.locator(".lw-inspector").get_attribute("data-units").split()]


def test_the_pointer_reads_every_number_as_numpy_has_it(open_page):
    trace, H = gates(), 9
    page = open_page(SequenceInspector(trace, TEXT, sample=1, sort="index"))
    rng = np.random.default_rng(1)
    for _ in range(40):
        t, unit = int(rng.integers(len(TEXT))), int(rng.integers(H))
        over(page, t, unit, len(TEXT), H)
        assert readout(page) == at(trace, t, unit, sample=1)
    where = page.locator(".lw-where").inner_text()
    assert (
        f"Step {t} " in where and f"unit {unit}, mean f {trace.f[1, :, unit].mean():#.4g}" in where
    )
    page.mouse.move(5, 790)  # away from the map: back to what was kept
    picked = int(np.argmax(trace.f[1].var(axis=0)))
    assert readout(page) == at(trace, 0, picked, sample=1)


@pytest.mark.parametrize("array", RESULTS)
def test_units_are_sorted_as_numpy_sorts_them_and_the_rows_follow(open_page, array):
    trace, H = gates(), 9
    page = open_page(
        SequenceInspector(trace, TEXT, array="f" if array != "f" else "c", sort="index")
    )
    assert order(page) == list(range(H))
    page.locator(f'input[value="{array}"]').check()
    for sort, key in {
        "memory": trace.f[0].mean(axis=0),
        "variance": getattr(trace, array)[0].var(axis=0),
    }.items():
        page.locator(f'input[value="{sort}"]').check()
        wanted = np.argsort(-key, kind="stable").tolist()
        assert order(page) == wanted
        labels = page.locator(".lw-labels [data-unit]").all_inner_texts()
        assert [int(label) for label in labels] == wanted
        for row in (0, 4, H - 1):
            over(page, 3, row, len(TEXT), H)
            assert readout(page) == at(trace, 3, wanted[row])


@pytest.mark.parametrize("mode", RAMPS)
@pytest.mark.parametrize("array", ["f", "g", "c"])
def test_every_pixel_has_the_colour_of_its_number(open_page, array, mode):
    trace = gates()
    page = open_page(SequenceInspector(trace, TEXT, array=array, sort="memory"), color_scheme=mode)
    pixels = page.locator("canvas").evaluate(
        "c => [c.width, c.height, [...c.getContext('2d').getImageData(0, 0, c.width, "
        "c.height).data]]"
    )
    T, H, data = pixels
    image = np.array(data).reshape(H, T, 4)
    values = getattr(trace, array)[0][:, order(page)].T
    share = values / (np.abs(trace.c[0]).max() if array == "c" else 1)
    ends = {
        end: np.array([int(c[k : k + 2], 16) for k in (1, 3, 5)]) for end, c in RAMPS[mode].items()
    }
    end = np.where(share[..., None] < 0, ends["negative"], ends["positive"])
    wanted = ends["zero"] + (end - ends["zero"]) * np.abs(share)[..., None]
    assert np.abs(image[..., :3] - wanted).max() <= 1 and (image[..., 3] == 255).all()


def test_the_arrow_keys_read_and_enter_picks(open_page):
    trace, T, H = gates(), len(TEXT), 9
    inspector = SequenceInspector(trace, TEXT, sort="memory", step=2, unit=4)
    page = open_page(inspector)
    rows = inspector.orders["memory"]
    page.locator("canvas").focus()
    t, row = 2, rows.index(4)
    moves = (
        ["ArrowRight"] * 3
        + ["ArrowDown"] * H
        + ["ArrowUp"] * 2
        + ["ArrowLeft", "PageUp", "End", "ArrowRight", "Home"]
    )
    for key in moves:
        page.keyboard.press(key)
        t += {"ArrowRight": 1, "ArrowLeft": -1}.get(key, 0)
        row += {"ArrowDown": 1, "ArrowUp": -1, "PageUp": -10}.get(key, 0)
        t = {"Home": 0, "End": T - 1}.get(key, min(max(t, 0), T - 1))
        row = min(max(row, 0), H - 1)
        assert readout(page) == at(trace, t, rows[row])
        value = four_digits(trace.f[0, t, rows[row]])
        assert number(page.locator(".lw-unseen").inner_text()).endswith(
            f"unit {rows[row]}: f {value}"
        )
    assert page.locator(".lw-picked").inner_text() == "4"
    page.keyboard.press("Enter")
    assert page.locator(".lw-picked").inner_text() == str(rows[row])
    assert page.locator(".lw-caption").inner_text() == f"The text by f of unit {rows[row]}"


def test_a_picked_unit_draws_its_course_and_colours_the_text(open_page):
    trace, T, H = gates(), len(TEXT), 9
    page = open_page(SequenceInspector(trace, TEXT, array="h", sort="index"))
    over(page, 6, 5, T, H)
    page.mouse.down()
    page.mouse.up()
    course = trace.h[0, :, 5]
    points = re.findall(r"([\d.]+) ([\d.]+)", page.locator(".lw-curve").get_attribute("d"))
    assert [float(x) for x, _ in points] == [t + 0.5 for t in range(T)]
    heights = np.array([float(y) for _, y in points])
    assert np.abs(heights - (84 - 5 - (course + 1) / 2 * 74)).max() < 0.06
    label = page.locator(".lw-chart").get_attribute("aria-label")
    assert number(label) == number(
        f"hidden state of unit 5 over the text, between {four_digits(course.min())} and "
        f"{four_digits(course.max())}"
    )
    shades = page.locator(".lw-text span").evaluate_all(
        "all => all.map(s => getComputedStyle(s).backgroundColor)"
    )
    blue = [
        int(re.findall(r"\d+", shade)[2]) - int(re.findall(r"\d+", shade)[0]) for shade in shades
    ]
    strong = np.abs(course) > 0.1
    assert ((np.array(blue) > 0) == (course > 0))[strong].all() and strong.sum() > T / 2
    letters = page.locator(".lw-text span").all_inner_texts()
    assert len(letters) == T and letters[0] == "T" and "↵" in letters[TEXT.index("\n")]


def test_pointing_at_the_text_reads_the_picked_unit_there(open_page):
    trace = gates()
    page = open_page(SequenceInspector(trace, TEXT, unit=7))
    page.locator('.lw-text [data-t="11"]').hover()
    assert readout(page) == at(trace, 11, 7)
    page.locator('.lw-text [data-t="13"]').click()
    page.mouse.move(5, 790)
    assert readout(page) == at(trace, 13, 7)


def test_a_long_text_scrolls_with_the_arrow_keys_and_not_the_page(open_page):
    page = open_page(SequenceInspector(gates(T=300, H=40), "x" * 300), PHONE)
    page.evaluate("document.body.style.minHeight = '3000px'")
    page.locator("canvas").focus()
    for key in ["PageDown", "End"]:
        page.keyboard.press(key)
    left, room, width = page.locator(".lw-scroll").evaluate(
        "s => [s.scrollLeft, s.clientWidth, s.scrollWidth]"
    )
    assert width > room and left == pytest.approx(width - room, abs=1)
    page.keyboard.press("Home")
    assert page.locator(".lw-scroll").evaluate("s => s.scrollLeft") == 0
    assert page.evaluate("scrollY") == 0
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]


def test_words_have_spaces_between_them_and_stand_upright_under_the_map(open_page):
    words = "the film was not good , it was wonderful".split()
    page = open_page(SequenceInspector(gates(T=len(words)), words))
    assert page.locator(".lw-text").inner_text() == " ".join(words)
    assert (
        page.locator(".lw-axis span").first.evaluate("s => getComputedStyle(s).writingMode")
        == "vertical-rl"
    )
    assert page.locator(".lw-axis span").all_inner_texts() == words


# Both


def both():
    return [GateExplorer(), SequenceInspector(gates(), TEXT)]


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize("which", [0, 1], ids=["explorer", "inspector"])
def test_a_widget_is_accessible_and_fits(open_page, which, viewport, theme):
    page = open_page(both()[which], viewport=viewport, color_scheme=theme)
    assert_accessible_and_fits(page)
    nameless = page.eval_on_selector_all(
        "input, button",
        "all => all.filter(n => !n.ariaLabel && !n.textContent && !n.labels?.length)",
    )
    assert nameless == []


def test_no_words_of_the_diagram_overlap(open_page):
    """At the width of a telephone, of a column of the book and of a wide page, with the longest
    numbers.
    """
    page = open_page(
        GateExplorer(x=-2.95, h_prev=-0.95, c_prev=-12.345, Wx_g=-3.9, Wx_i=-4.0, b_f=7.9, b_o=7.9)
    )
    for width in (390, 700, 1000):
        page.set_viewport_size({"width": width, "height": 800})
        clashes = page.evaluate(
            """() => {
                const place = (node) => node.getBoundingClientRect();
                const nodes = [...document.querySelectorAll(".lw-cell text")]
                    .filter((one) => one.checkVisibility());
                const texts = nodes.map((t) => [t.textContent, place(t)]);
                const room = place(document.querySelector(".lw-gates"));
                const outside = (box) => box.left < room.left || box.right > room.right;
                const beyond = texts.filter(([, box]) => outside(box));
                const hits = beyond.map(([words]) => [words, "edge"]);
                texts.forEach(([one, a], n) => texts.slice(n + 1).forEach(([two, b]) => {
                    const wide = Math.min(a.right, b.right) - Math.max(a.left, b.left);
                    const tall = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
                    // A line of text is taller than its letters: some overlap of the boxes is air.
                    const lower = Math.min(a.height, b.height);
                    if (wide > 1 && tall > 0.35 * lower) hits.push([one, two]);
                }));
                return hits;
            }"""
        )
        assert clashes == [], width


@pytest.mark.parametrize("width", [360, 390, 700, 1000])
def test_no_words_of_the_diagram_are_smaller_than_12_pixels(open_page, width):
    page = open_page(GateExplorer(), viewport={"width": width, "height": 800})
    sizes = page.locator(".lw-cell").evaluate(
        """drawing => {
            const scale = drawing.getBoundingClientRect().width / drawing.viewBox.baseVal.width;
            const seen = (one) => !one.childElementCount && one.checkVisibility();
            const pixels = (one) => scale * parseFloat(getComputedStyle(one).fontSize);
            return [...drawing.querySelectorAll("text, tspan")].filter(seen)
                .map((one) => [pixels(one), one.textContent]);
        }"""
    )
    assert len(sizes) > 15 and [words for size, words in sizes if size < 12] == []


def test_several_widgets_on_one_page_do_not_touch_each_other(open_page):
    trace = gates()
    widgets = [
        GateExplorer(),
        GateExplorer(),
        SequenceInspector(trace, TEXT),
        SequenceInspector(trace, TEXT),
    ]
    page = open_page("".join(widget.html() for widget in widgets))
    one, two = page.locator(".lw-gates").all()
    one.get_by_role("button", name="Hide").click()
    one.locator('input[data-name="x"]').press("End")
    assert two.locator('input[data-name="x"]').input_value() == "1"
    assert two.locator('[data-eq="o"]').inner_text() == f"{GateExplorer().values['o']:.3f}"
    one, two = page.locator(".lw-inspector").all()
    one.locator('input[value="h"]').check()
    one.locator('input[value="index"]').check()
    assert (
        two.locator('input[value="f"]').is_checked()
        and two.locator('input[value="memory"]').is_checked()
    )
    assert (
        one.locator('input[value="h"]').is_checked()
        and one.locator('input[value="index"]').is_checked()
    )
    ids = page.eval_on_selector_all("[id]", "all => all.map(node => node.id)")
    assert len(ids) == len(set(ids)) == 4
    assert page.evaluate("Object.keys(window)") == open_page("").evaluate("Object.keys(window)")


@pytest.mark.parametrize(
    ("html", "body", "system", "mode"),
    [
        ("", "", "light", "light"),
        ("", "", "dark", "dark"),
        ('data-theme="dark"', "", "light", "dark"),  # the book
        ('data-theme="light"', "", "dark", "light"),
        ("", 'data-jp-theme-light="false"', "light", "dark"),  # JupyterLab
        ("", 'data-jp-theme-light="true"', "dark", "light"),
        ("", 'class="vscode-dark"', "light", "dark"),  # Visual Studio Code
        ("", 'class="vscode-light"', "dark", "light"),
        ('theme="dark"', "", "light", "dark"),  # Colab
    ],
)
def test_the_page_says_whether_it_is_dark_and_the_system_only_where_the_page_is_silent(
    open_page, html, body, system, mode
):
    page = open_page(SequenceInspector(gates(), TEXT).html(), color_scheme=system)
    page.evaluate(
        """([html, body]) => {
            for (const [node, pair] of [[document.documentElement, html], [document.body, body]]) {
                const [name, value] = pair.split("=");
                if (name) node.setAttribute(name, value.replaceAll('"', ""));
            }
        }""",
        [html, body],
    )
    # Nothing was loaded again: the picture must follow the page.
    zero = [int(RAMPS[mode]["zero"][k : k + 2], 16) for k in (1, 3, 5)]
    values = SequenceInspector(gates(), TEXT)
    t, row = min(
        ((t, r) for t in range(len(TEXT)) for r in range(9)),
        key=lambda place: abs(values.arrays["f"][place[0]][values.orders["memory"][place[1]]]),
    )
    expect(page.locator(".lw-inspector")).to_have_css(
        "color", {"light": "rgb(34, 40, 50)", "dark": "rgb(230, 233, 238)"}[mode]
    )
    page.wait_for_function(
        """([t, row, zero]) => {
            const context = document.querySelector("canvas").getContext("2d");
            const pixel = context.getImageData(t, row, 1, 1).data;
            return zero.every((value, k) => Math.abs(value - pixel[k]) <= 2);
        }""",
        arg=[t, row, zero],
        timeout=20_000,
    )


def test_a_finger_moves_lights_and_picks(open_page):
    page = open_page(GateExplorer(), viewport=PHONE, has_touch=True, is_mobile=True)
    page.locator('.lw-gate[data-part="g"]').tap()
    assert lit(page) == ["g"]
    handle = slider(page, "b_f")
    handle.scroll_into_view_if_needed()
    box = handle.bounding_box()
    page.touchscreen.tap(box["x"] + box["width"] * 0.9, box["y"] + box["height"] / 2)
    assert float(handle.input_value()) > 5
    assert_explorer_is_right(page)

    trace = gates()
    page = open_page(
        SequenceInspector(trace, TEXT, sort="index"), viewport=PHONE, has_touch=True, is_mobile=True
    )
    box = page.locator("canvas").bounding_box()
    width = page.locator(".lw-sheet").evaluate("s => s.offsetWidth") / len(TEXT)
    page.touchscreen.tap(box["x"] + 4.5 * width, box["y"] + 6.5 * box["height"] / 9)
    assert readout(page) == at(trace, 4, 6) and page.locator(".lw-picked").inner_text() == "6"


@pytest.mark.parametrize("which", [0, 1], ids=["explorer", "inspector"])
def test_without_scripts_a_reader_is_told_what_is_missing(open_page, which):
    widget = both()[which]
    page = open_page(widget, java_script_enabled=False)
    assert page.locator("noscript").inner_text().strip() == widget.fallback


# The same module as a live notebook runs it: a model that belongs to somebody else, and an end to
# every view


# Signals, files and views that are saved


def test_units_are_sorted_by_their_correlation_with_a_signal(open_page):
    trace = gates()
    signals = {"depth": depth(TEXT, "aeiou", " "), "line": since(TEXT)}
    page = open_page(SequenceInspector(trace, TEXT, signals=signals, array="h", sort="index"))
    assert page.locator(".lw-signal").get_attribute("d") == ""
    page.locator('input[value="signal"]').check()
    for name in ("line", "depth"):
        page.locator(f'input[value="{name}"]').check()
        for array in ("c", "h"):
            page.locator(f'input[value="{array}"]').check()
            r = np.array(
                [np.corrcoef(signals[name], course)[0, 1] for course in getattr(trace, array)[0].T]
            )
            assert order(page) == np.argsort(-np.abs(r), kind="stable").tolist()
            top = order(page)[0]
            over(page, 3, 0, len(TEXT), 9)
            assert re.search(r", r (\S+)$", number(page.locator(".lw-where").inner_text()))[
                1
            ] == four_digits(r[top])
        levels = [
            float(y)
            for y in re.findall(
                r"[ML][\d.]+ ([\d.]+)", page.locator(".lw-signal").get_attribute("d")
            )
        ]
        assert np.allclose(np.corrcoef(levels, signals[name])[0, 1], -1, atol=1e-3)  # y points down


def test_a_trace_of_ones_own_is_opened_from_a_file_and_another_file_is_refused(open_page, tmp_path):
    own, words = gates(T=5, H=3, seed=9), ["My", "own", "trained", "model", "."]
    path = SequenceInspector(own, words, signals={"since": since(words)}).to_json(
        tmp_path / "own.json"
    )
    page = open_page(SequenceInspector(gates(), TEXT, unit=8, step=40))
    wrong = tmp_path / "wrong.json"
    held = json.loads(path.read_text())
    for text in (
        "no JSON",
        "{}",
        json.dumps({**held, "tokens": words[:4]}),
        json.dumps({**held, "arrays": {}}),
    ):
        wrong.write_text(text)
        page.locator("input[type=file]").set_input_files(wrong)
        expect(page.locator(".lw-notice")).to_contain_text("This file is no trace")
        assert page.locator(".lw-text [data-t]").count() == len(TEXT)
    page.locator("input[type=file]").set_input_files(path)
    expect(page.locator(".lw-notice")).to_have_text("A trace of 3 units over 5 steps was opened.")
    page.locator('input[value="index"]').check()
    for t in range(5):
        for unit in range(3):
            over(page, t, unit, 5, 3)
            assert readout(page) == at(own, t, unit)
    page.locator('input[value="signal"]').check()
    r = [abs(np.corrcoef(since(words), course)[0, 1]) for course in own.f[0].T]
    assert order(page) == np.argsort(-np.array(r), kind="stable").tolist()


def saved(page, label):
    with page.expect_download() as download:
        page.get_by_role("button", name=label).click()
    return Path(download.value.path()).read_text(
        encoding="utf-8"
    ), download.value.suggested_filename


def test_the_view_of_the_explorer_is_saved_as_it_stands(open_page):
    page = open_page(GateExplorer(b_f=-2.0, x=0.7))
    slider(page, "c_prev").fill("-1.3")
    want = assert_explorer_is_right(page)
    text, name = saved(page, "Save as a page")
    assert name == "gate-explorer.html"
    assert_the_page_needs_nothing(text)
    again = open_page(text[text.index("<body>") + 6 : text.index("<" + "/body>")])
    assert assert_explorer_is_right(again) == want
    assert saved(again, "Save as a page")[0] == text  # a page that was saved saves itself
    text, name = saved(page, "Save as SVG")
    assert name == "gate-explorer.svg"
    assert {f">{value.replace('-', '−')}<" for value in want.values()} <= set(
        re.findall(r">[−\d.]+<", text)
    )
    assert "var(" not in text and "class=" not in text
    assert_looks_the_same(open_page, page.locator("svg.lw-cell"), text)


def test_the_view_of_the_inspector_is_saved_as_it_stands(open_page):
    trace = gates()
    page = open_page(SequenceInspector(trace, TEXT, signals={"line": since(TEXT)}, array="c"))
    page.locator('input[value="signal"]').check()
    before = page.locator("canvas").evaluate("canvas => canvas.toDataURL()"), order(page)
    text, name = saved(page, "Save as a page")
    assert name == "sequence-inspector.html"
    assert_the_page_needs_nothing(text)
    again = open_page(text[text.index("<body>") + 6 : text.index("<" + "/body>")])
    assert (
        again.locator("canvas").evaluate("canvas => canvas.toDataURL()"),
        order(again),
    ) == before
    text, name = saved(page, "Save as SVG")
    assert name == "sequence-inspector.svg" and before[0] in text and "var(" not in text
    assert text.count("<text") == len(TEXT) + 2 and text.count("<path") == 3
    assert page.locator(".lw-curve").get_attribute("d") in text


def assert_the_page_needs_nothing(text):
    assert text.startswith("<!doctype html>") and text.count("<script") == 1
    assert not re.search(r"""(src|href)=["'](?!\$)""", text) and "file:" not in text


def assert_looks_the_same(open_page, drawn, text):
    """The SVG alone in a page, beside what it was saved from: the same colours in nearly all
    pixels.
    """
    box = drawn.bounding_box()
    page = open_page(
        f'<div style="width:{box["width"]}px; font-family: sans-serif">{text}</div>'
        "<style>body { margin: 0 } svg { width: 100%; height: auto }</style>"
    )
    shots = [
        np.asarray(Image.open(BytesIO(where.screenshot())).convert("RGB").resize((300, 180)), float)
        for where in (drawn, page.locator("svg").first)
    ]
    assert np.mean(np.abs(shots[0] - shots[1]).max(axis=2) > 60) < 0.02 and shots[0].std() > 20


def test_live_a_view_is_saved_with_the_module_and_the_style_sheet_of_the_model(open_page):
    widget = SequenceInspector(gates(), TEXT)
    page = open_page(live_page(widget))
    page.evaluate(
        "([source, css]) => { live.model.set('_esm', source); live.model.set('_css', css); }",
        [module(widget.name), style(widget.name)],
    )
    text, _ = saved(page, "Save as a page")
    again = open_page(text[text.index("<body>") + 6 : text.index("<" + "/body>")])
    assert order(again) == order(page) and again.locator(".lw-text [data-t]").count() == len(TEXT)


LIVE = """
<style>%(style)s</style><div id="place"></div>
<script type="module">
const counts = { listeners: 0, observers: 0 };
for (const [name, by] of [["addEventListener", 1], ["removeEventListener", -1]]) {
  const original = EventTarget.prototype[name];
  EventTarget.prototype[name] = function (...rest) {
    counts.listeners += by;
    return original.apply(this, rest);
  };
}
for (const kind of [MutationObserver, ResizeObserver]) {
  const { observe, disconnect } = kind.prototype;
  kind.prototype.observe = function (...rest) {
    if (!this.seen) counts.observers += 1;
    this.seen = true;
    return observe.apply(this, rest);
  };
  kind.prototype.disconnect = function () { counts.observers -= 1; return disconnect.apply(this); };
}
const state = %(state)s, listeners = new Map(), log = [];
const model = {
  get: (name) => state[name],
  set(name, value) { log.push(["set", name, value]); model.arrive(name, value); },
  arrive(name, value) {
    if (state[name] === value) return;
    state[name] = value;
    for (const call of listeners.get(`change:${name}`) ?? []) call();
  },
  on(event, call) { listeners.set(event, (listeners.get(event) ?? new Set()).add(call)); },
  off(event, call) { listeners.get(event).delete(call); },
  save_changes() { log.push(["save"]); },
};
const subscriptions = () => [...listeners.values()].reduce((sum, calls) => sum + calls.size, 0);
%(source)s
const el = document.getElementById("place");
const cleanup = widget.render({ model, el });
window.live = { model, log, counts, cleanup, el, subscriptions };
</script>
"""


def live_page(widget):
    source = module(widget.name).replace("export default", "const widget =")
    state = json.dumps(widget.module_state).replace("<", "\\u003c")
    return LIVE % {"style": style(widget.name), "state": state, "source": source}


def test_live_a_moved_slider_is_set_and_saved_and_a_number_from_python_is_shown(open_page):
    page = open_page(live_page(GateExplorer()))
    slider(page, "b_f").press("ArrowRight")
    assert page.evaluate("live.log") == [["set", "b_f", 1.1], ["save"]]
    page.evaluate("live.model.arrive('b_f', -3.25); live.model.arrive('c_prev', 2)")
    want = expected({**GateExplorer().module_state, "b_f": -3.25, "c_prev": 2.0})
    assert {name: number(text) for name, text in shown(page, "eq").items()} == {
        n: f"{want[n]:.3f}" for n in RESULTS
    }
    assert page.evaluate("live.log.length") == 2  # showing a number sends nothing back
    page.evaluate("live.log.length = 0")
    page.get_by_role("button", name="Keep").click()
    log = page.evaluate("live.log")
    # one message for an example
    assert log.pop() == ["save"] and sorted(name for _, name, _ in log) == sorted(NAMES)


def test_live_a_choice_is_set_and_saved_and_a_choice_from_python_is_shown(open_page):
    trace = gates()
    page = open_page(live_page(SequenceInspector(trace, TEXT, unit=2)))
    page.locator('input[value="c"]').check()
    over(page, 5, 0, len(TEXT), 9)
    page.mouse.down()
    page.mouse.up()
    top = order(page)[0]
    assert page.evaluate("live.log") == [
        ["set", "array", "c"],
        ["save"],
        ["set", "step", 5],
        ["set", "unit", top],
        ["save"],
    ]
    page.mouse.move(5, 790)
    page.evaluate(
        "[['unit', 3], ['step', 8], ['sort', 'index'], ['array', 'o']].forEach((pair) => "
        "live.model.arrive(...pair))"
    )
    assert readout(page) == at(trace, 8, 3)
    assert page.locator('input[value="o"]').is_checked() and order(page) == list(range(9))
    assert page.locator(".lw-caption").inner_text() == "The text by o of unit 3"
    assert page.evaluate("live.log.length") == 5


@pytest.mark.parametrize("which", [0, 1], ids=["explorer", "inspector"])
def test_live_a_view_that_is_closed_leaves_nothing_behind(open_page, which):
    page = open_page(live_page(both()[which]))
    listeners, observers = page.evaluate("[live.counts.listeners, live.counts.observers]")
    assert (
        listeners > 5 and observers == [0, 2][which] and page.evaluate("live.subscriptions()") > 3
    )
    assert page.evaluate("live.cleanup(); live.counts") == {"listeners": 0, "observers": 0}
    assert page.evaluate("[live.subscriptions(), live.el.childNodes.length]") == [0, 0]
    page.evaluate(
        "live.model.arrive('x', 3); live.model.arrive('unit', 1); document.body.className = "
        "'vscode-dark'"
    )
    page.evaluate("live.cleanup = null; document.getElementById('place').style.width = '300px'")


@pytest.mark.parametrize("which", [0, 1], ids=["explorer", "inspector"])
def test_live_what_answers_to_the_arrow_keys_keeps_them_from_jupyterlab(open_page, which):
    """In command mode JupyterLab takes the arrow keys from any element that has the focus and does
    not bear this mark.
    """
    page = open_page(live_page(both()[which]))
    marks = page.eval_on_selector_all(
        "input, canvas, [role=option]",
        "all => all.map(node => node.hasAttribute('data-lm-suppress-shortcuts'))",
    )
    assert len(marks) == [15 + 6, 6 + 3 + 1 + 1][which] and all(marks)


# In the built book


def test_the_explorer_in_the_book_gives_the_numbers_of_lstm_step(page_for):
    page = page_for("book/one/lstm-cell")
    widget = page.locator(".lw-gates").first
    # in a section that may be skipped at first, and is folded
    page.locator("details.optional", has=widget).locator("summary").first.click()
    widget.scroll_into_view_if_needed()
    widget.get_by_role("button", name="Keep").click()
    handle = widget.locator('input[data-name="b_f"]')
    handle.scroll_into_view_if_needed()
    box = handle.bounding_box()
    page.mouse.click(box["x"] + box["width"] * 0.3, box["y"] + box["height"] / 2)
    assert float(handle.input_value()) < 0
    handle.press("ArrowRight")
    values = {
        name: float(widget.locator(f'input[data-name="{name}"]').input_value()) for name in NAMES
    }
    want = expected(values)
    got = {name: number(widget.locator(f'[data-eq="{name}"]').inner_text()) for name in RESULTS}
    assert got == {name: unsigned_zero(f"{want[name]:.3f}") for name in RESULTS}


def test_the_inspector_in_the_book_reads_a_trained_model(page_for):
    page = page_for("book/one/first-lstm")
    widget = page.locator(".lw-inspector").first
    widget.scroll_into_view_if_needed()
    widget.locator('input[value="memory"]').check()
    units = [int(unit) for unit in widget.get_attribute("data-units").split()]
    canvas = widget.locator("canvas")
    T, H = canvas.evaluate("c => [c.width, c.height]")
    assert sorted(units) == list(range(H)) and widget.locator(".lw-text span").count() == T
    canvas.focus()
    page.keyboard.press("Home")
    for _ in range(H):
        page.keyboard.press("ArrowUp")
    means = []
    for unit in units:
        where = widget.locator(".lw-where").inner_text()
        means.append(float(re.search(rf"unit {unit}, mean f ([\d.]+)", where)[1]))
        page.keyboard.press("ArrowDown")
    assert means == sorted(means, reverse=True)
    values = {name: [] for name in RESULTS}
    for _ in range(6):
        for name in RESULTS:
            values[name].append(float(number(widget.locator(f'[data-out="{name}"]').inner_text())))
        page.keyboard.press("ArrowRight")
    i, f, g, o, c, h = (np.array(values[name]) for name in RESULTS)
    # The numbers on the page obey the equations of the cell, to the digits that the page shows.
    np.testing.assert_allclose(c[1:], f[1:] * c[:-1] + i[1:] * g[1:], rtol=5e-3, atol=2e-3)
    np.testing.assert_allclose(h, o * np.tanh(c), rtol=5e-3, atol=2e-3)

"""The gradient lens in a real browser: computed in the page, compared with the reference's numbers
in NumPy.
"""

import re

import numpy as np
import pytest

from lstm_ref.inspect import GradientLens
from lstm_ref.inspect.gradient_lens import SERIES
from tests.support.widgets import DESKTOP, PHONE, assert_accessible_and_fits


def slider(page, name):
    return page.locator(f'input[data-name="{name}"]')


def move(page, name, value):
    """As a reader does: the slider gets the number and says so."""
    slider(page, name).evaluate(
        (
            "(input, value) => { input.value = value; input.dispatchEvent(new Event('input', { "
            "bubbles: true })); }"
        ),
        value,
    )


def all_numbers(page):
    """Every number of the table, with all its digits: series -> (T+1,)."""
    if page.locator("details[open]").count() == 0:
        page.locator("summary").click()
        page.locator(".lw-everything tbody tr").first.wait_for()
    rows = page.locator(".lw-everything tbody tr").evaluate_all(
        "all => all.map(row => [...row.querySelectorAll('data')].map(data => Number(data.value)))"
    )
    return dict(zip(SERIES, np.array(rows).T, strict=True))


def picked(page):
    """The small table: series -> [at lag k, at lag T]."""
    return {
        name: page.locator(f'tr[data-row="{name}"] data').evaluate_all(
            "all => all.map(data => Number(data.value))"
        )
        for name in SERIES
    }


def assert_numpy_agrees(page, lens):
    want, shown = lens.values, all_numbers(page)
    for name in SERIES:
        assert shown[name].shape == want[name].shape
        np.testing.assert_allclose(shown[name], want[name], rtol=1e-6, err_msg=name)


def test_the_page_computes_what_the_reference_gives_wherever_the_sliders_stand(open_page):
    page = open_page(GradientLens())
    assert_numpy_agrees(page, GradientLens())
    for numbers in (
        {"forget_bias": 0.0, "scale": 1.0, "T": 100},
        {"forget_bias": -2.0, "scale": 0.3, "T": 40},
        {"forget_bias": 5.0, "scale": 0.5, "T": 80},
        {"forget_bias": 3.0, "scale": 2.0, "T": 60},  # explodes
        {"forget_bias": 1.0, "scale": 3.0, "T": 25},
        {"forget_bias": 1.0, "scale": 0.0, "T": 30},  # the plain RNN has nothing after one step
        {"longest": 50, "scale": 1.0, "T": 50},
        {"longest": 400, "scale": 0.5, "T": 100},
        {"longest": 0, "forget_bias": 6.0, "scale": 1.45, "T": 1},
    ):
        for name, value in numbers.items():
            move(page, name, value)
        assert_numpy_agrees(page, GradientLens(**numbers))
        assert slider(page, "forget_bias").is_disabled() == (numbers.get("longest", 0) > 0)
    page.get_by_role("button", name="Draw again").click()
    move(page, "T", 50)
    assert_numpy_agrees(page, GradientLens(forget_bias=6.0, scale=1.45, T=50, seed=4))


def test_a_given_seed_and_given_numbers_are_where_the_page_starts(open_page):
    lens = GradientLens(forget_bias=2.5, scale=0.7, T=35, lag=12, seed=2_147_483_647)
    page = open_page(lens)
    assert_numpy_agrees(page, lens)
    assert {
        name: float(slider(page, name).input_value())
        for name in ("forget_bias", "scale", "T", "lag")
    } == {
        "forget_bias": 2.5,
        "scale": 0.7,
        "T": 35,
        "lag": 12,
    }
    want = lens.values
    for name, numbers in picked(page).items():
        np.testing.assert_allclose(numbers, [want[name][12], want[name][35]], rtol=1e-6)
    page.get_by_role("button", name="Draw again").click()  # the last seed is followed by the first
    assert_numpy_agrees(page, GradientLens(forget_bias=2.5, scale=0.7, T=35, seed=1))


def test_every_slider_is_reached_and_moved_by_the_keyboard_and_the_curves_follow(open_page):
    page = open_page(GradientLens(T=40, lag=20))
    page.get_by_role("button", name="Draw again").focus()
    before = {}
    for name, step in {"forget_bias": 0.1, "longest": 10, "scale": 0.05, "T": 1, "lag": 1}.items():
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.dataset.name") == name
        value = float(slider(page, name).input_value())
        for key in ("ArrowRight", "ArrowRight", "ArrowLeft"):
            page.keyboard.press(key)
        assert float(slider(page, name).input_value()) == pytest.approx(value + step)
        state = page.locator(".lw-lens").evaluate(
            "el => [...el.querySelectorAll('[data-series], .lw-cursor')].map(path => "
            "path.getAttribute('d')).join()"
        )
        assert state != before
        before = state
    assert_numpy_agrees(page, GradientLens(longest=10, scale=1.05, T=41))
    spoken = slider(page, "lag").get_attribute("aria-valuetext")
    assert spoken.startswith("21: RNN, h ") and spoken.count(";") == len(SERIES) - 1


def test_the_curves_stand_where_their_numbers_are(open_page):
    page = open_page(GradientLens(T=40))
    labels = page.locator(".lw-chart g text:not(.lw-axis)").evaluate_all(
        "all => all.map(text => [text.textContent, Number(text.getAttribute('y')), "
        "Number(text.getAttribute('x'))])"
    )
    digits = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")
    height = {
        0.0 if text == "1" else float(text[2:].translate(digits)): y - 4
        for text, y, x in labels
        if x < 45
    }
    places = np.array(sorted(height.items()))
    assert len(places) >= 3
    want = GradientLens(T=40).values
    for name in SERIES:
        d = page.locator(f'[data-series="{name}"]').get_attribute("d")
        points = np.array([pair.split() for pair in d[1:].split("L")], dtype=float)
        assert len(points) == 41 and np.ptp(np.diff(points[:, 0])) < 0.25
        exponents = np.interp(-points[:, 1], -places[:, 1], places[:, 0])
        np.testing.assert_allclose(exponents, np.log10(want[name]), atol=0.05)


def test_the_chart_reads_where_it_is_pressed_also_by_finger(open_page):
    lens = GradientLens(T=50)
    page = open_page(lens)
    box = page.locator(".lw-chart").bounding_box()
    page.mouse.move(box["x"] + 46 + 0.6 * (box["width"] - 112), box["y"] + 100)
    page.mouse.down()
    page.mouse.up()
    assert slider(page, "lag").input_value() == "30"
    assert picked(page)["gru_h"][0] == pytest.approx(lens.values["gru_h"][30], rel=1e-6)
    phone = open_page(lens, viewport=PHONE, has_touch=True, is_mobile=True)
    phone.locator(".lw-chart").scroll_into_view_if_needed()
    box = phone.locator(".lw-chart").bounding_box()
    phone.touchscreen.tap(box["x"] + 46 + 0.2 * (box["width"] - 112), box["y"] + 50)
    assert slider(phone, "lag").input_value() == "10"


def test_a_page_may_begin_with_one_curve_and_the_reader_ticks_the_others(open_page):
    lens = GradientLens(forget_bias=0.0, shown=["rnn_h"])
    page = open_page(lens)
    assert page.locator(".lw-end:visible").all_text_contents() == ["RNN"]
    assert page.locator('tr[data-row="lstm_h"] data').count() == 0
    assert "LSTM" not in page.locator(".lw-summary").inner_text()
    page.get_by_label("show the curve of LSTM, h").press("Space")
    assert page.locator('[data-tick="lstm_h"]').is_checked()
    assert page.locator('tr[data-row="lstm_h"] data').count() == 2
    page.get_by_label("show the curve of LSTM, c").first.press("Space")
    labels = [box.bounding_box() for box in page.locator(".lw-end:visible").all()]
    heights = sorted(box["y"] for box in labels)
    assert len(labels) == 3 and min(np.diff(heights)) > 12
    assert all(box["x"] + box["width"] <= DESKTOP["width"] for box in labels)


def test_who_has_met_no_gru_and_no_chrono_start_sees_neither(open_page):
    lens = GradientLens(forget_bias=0.0, basic=True)
    page = open_page(lens)
    text = page.locator(".lw-lens").inner_text()
    labels = page.locator(".lw-lens [aria-label]").evaluate_all(
        "all => all.map(element => element.getAttribute('aria-label')).join()"
    )
    assert "LSTM" in text and not {"GRU", "Chrono", "chrono"} & set(
        re.findall(r"\w+", text + labels)
    )
    assert page.locator(".lw-end:visible").all_text_contents() == [
        "RNN",
        "LSTM h",
        "LSTM c",
        "only f",
    ]
    for example in page.locator(".lw-presets button").all():
        example.click()
        assert "GRU" not in page.locator(".lw-lens").inner_text()
    page.get_by_role("button", name="b = 0").click()
    page.locator("summary").click()
    page.locator(".lw-everything tbody tr").first.wait_for()
    last = page.locator(".lw-everything tbody tr").last.locator("data")
    shown = last.evaluate_all("all => all.map(data => Number(data.value))")
    want = GradientLens(forget_bias=0.0, seed=4).values
    np.testing.assert_allclose(
        shown, [want[name][50] for name in SERIES if name != "gru_h"], rtol=1e-6
    )


def test_an_example_shows_what_it_says(open_page):
    page = open_page(GradientLens())

    def last(example):
        button = page.get_by_role("button", name=example)
        button.click()
        assert page.locator('[aria-pressed="true"]').all_inner_texts() == [example]
        return {name: numbers[1] for name, numbers in picked(page).items()}

    half = last("b = 0")
    assert max(half["gru_h"], half["lstm_h"]) < half["rnn_h"]
    kept = last("Gates open")
    assert kept["rnn_h"] < 1e-6 < 0.1 < min(kept["gru_h"], kept["lstm_h"])
    spread = last("Chrono")
    assert (
        spread["rnn_h"] < 1e-3 < spread["lstm_h"] and min(spread["gru_h"], spread["lstm_c"]) > 0.05
    )
    alone = last("No recurrence")
    assert alone["rnn_h"] == 0 and alone["lstm_c"] == pytest.approx(alone["lstm_f"], rel=1e-12)
    assert page.locator('tr[data-row="rnn_h"]').inner_text().split("\t")[2:] == ["0", "–"]
    large = last("Large weights")
    assert large["rnn_h"] > 1e5 > 1e3 > large["lstm_h"] > 1
    slider(page, "scale").press("ArrowLeft")
    assert page.locator('[aria-pressed="true"]').count() == 0


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_the_lens_is_accessible_and_fits(open_page, viewport, theme):
    page = open_page(GradientLens(), viewport=viewport, color_scheme=theme)
    all_numbers(page)  # the long table is part of it
    assert_accessible_and_fits(page)
    assert "Left of the gradient 50 steps back: RNN, h" in page.locator(".lw-chart").get_attribute(
        "aria-label"
    )


def test_two_lenses_on_one_page_do_not_touch_each_other(open_page):
    page = open_page(GradientLens().html() + GradientLens().html())
    one, two = page.locator(".lw-lens").all()
    one.locator('input[data-name="T"]').press("Home")
    assert one.locator('input[data-name="T"]').input_value() == "1"
    assert two.locator('input[data-name="T"]').input_value() == "50"
    assert page.evaluate("Object.keys(window)") == open_page("").evaluate("Object.keys(window)")

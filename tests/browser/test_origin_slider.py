"""The origin slider in a real browser: nothing is shown before the guesses, and then every number
is Python's.
"""

import pytest

from lstm_ref.inspect import OriginSlider
from tests.support.results import stored
from tests.support.widgets import DESKTOP, PHONE, assert_accessible_and_fits

SERIES = stored("origins")["series"]
NAMES = list(SERIES)
GUESSES = {name: 0.5 for name in NAMES}


def test_nothing_is_shown_before_each_series_has_a_guess(open_page):
    page = open_page(OriginSlider(SERIES))
    commit = page.get_by_role("button", name="These are my guesses")
    assert commit.is_disabled() and not page.locator(".lw-chart").is_visible()
    sliders = page.locator(".lw-guess input")
    for k, percent in enumerate(("60", "10")):
        sliders.nth(k).fill(percent)
    assert commit.is_disabled()
    sliders.nth(2).fill("35")
    commit.click()
    shown = [row.inner_text().split("\t")[1] for row in page.locator("tbody tr").all()]
    assert shown == ["60 %", "10 %", "35 %"]
    page.get_by_role("button", name="Guess again").click()
    assert page.locator(".lw-guess").is_visible() and commit.is_disabled()
    for part in (".lw-summary", ".lw-chart", ".lw-strip", "tbody"):
        assert page.locator(part).inner_html() == ""
    assert page.locator(".lw-summary").get_attribute("data-error") is None


def test_every_number_is_python_s(open_page):
    slider = OriginSlider(SERIES, guesses=GUESSES)
    page = open_page(slider)
    for name in NAMES:
        page.get_by_role("button", name=name).click()
        for place in range(0, len(SERIES[name]["origins"]), 7):
            page.locator(".lw-track input").fill(str(place))
            at = slider.at(name, place)
            told = page.locator(".lw-summary")
            for key in ("error", "persistence", "inside"):
                shown = float(told.get_attribute(f"data-{key}"))
                assert shown == pytest.approx(at[key], rel=1e-9)
            text = told.inner_text()
            assert f"Origin {at['when']} " in text
            assert ("LSTM is better" in text) == (at["error"] < at["persistence"])
    rows = page.locator("tbody tr").all()
    for row, name in zip(rows, NAMES, strict=True):
        shown = row.locator("data").evaluate_all("all => all.map(d => Number(d.value))")
        assert shown == pytest.approx(list(slider.whole(name).values()), abs=1.1e-3)


def test_the_strip_fills_the_origins_that_persistence_wins(open_page):
    slider = OriginSlider(SERIES, guesses=GUESSES)
    page = open_page(slider)
    for name in NAMES:
        page.get_by_role("button", name=name).click()
        filled = page.locator(".lw-lost").evaluate_all("all => all.map(d => +d.dataset.place)")
        at = [slider.at(name, k) for k in range(len(SERIES[name]["origins"]))]
        want = [k for k, one in enumerate(at) if one["error"] >= one["persistence"]]
        assert filled == want and len(at) - len(want) == round(
            slider.whole(name)["better"] * len(at)
        )


def test_the_forecast_stands_where_its_numbers_are(open_page):
    own = {
        "series": [0.0, 4.0, 2.0, 6.0],
        "origins": [1],
        "told": [[3.0, 5.0]],
        "low": [[2.0, 2.0]],
        "high": [[4.0, 8.0]],
    }
    page = open_page(OriginSlider({"own": own}, model="mine", guesses={"own": 1.0}))
    path = page.locator(".lw-chart .lw-told").get_attribute("d")[1:].split("L")
    points = [[float(number) for number in point.split()] for point in path]
    width = float(page.locator(".lw-chart").get_attribute("width"))
    # Six steps back and two ahead; from 0 to 8, with 4 in the middle
    step = (width - 60) / 8
    assert [x for x, _ in points] == pytest.approx([48 + k * step for k in (6, 7, 8)], abs=0.1)
    unit = 174 / (1.04 * 8)
    assert [y for _, y in points] == pytest.approx([99 - unit * d for d in (0, -1, 1)], abs=0.1)
    assert "error of mine" in page.locator(".lw-summary").inner_text()


def test_the_keyboard_reaches_everything(open_page):
    page = open_page(OriginSlider(SERIES))
    for _ in NAMES:
        page.keyboard.press("Tab")
        page.keyboard.press("ArrowRight")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    before = page.locator(".lw-summary").inner_text()
    page.keyboard.press("ArrowRight")
    assert page.locator(".lw-summary").inner_text() != before
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Space")
    assert page.get_by_role("button", name=NAMES[-1]).get_attribute("aria-pressed") == "true"


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_it_is_accessible_and_fits(open_page, viewport, theme):
    page = open_page(OriginSlider(SERIES), viewport=viewport, color_scheme=theme)
    for told in (False, True):
        if told:
            for k in range(len(NAMES)):
                page.locator(".lw-guess input").nth(k).fill("20")
            page.get_by_role("button", name="These are my guesses").click()
        assert_accessible_and_fits(page)

"""The pruning slider in a real browser: nothing is shown before the guesses, and then every number
is Python's.
"""

import re

import numpy as np
import pytest

from lstm_ref.inspect import PruningSlider
from tests.support.results import stored
from tests.support.widgets import DESKTOP, PHONE, assert_accessible_and_fits, numbers

ARMS = stored("pruning")["arms"]
NAMES = list(ARMS)
GUESSES = {name: 0.3 for name in NAMES}


def test_nothing_is_shown_before_each_way_has_a_guess(open_page):
    page = open_page(PruningSlider(ARMS))
    button = page.get_by_role("button", name="These are my guesses")
    assert button.is_disabled() and not page.locator(".lw-chart").is_visible()
    sliders = page.locator(".lw-guess input")
    for k, percent in enumerate(("60", "10")):
        sliders.nth(k).fill(percent)
    assert button.is_disabled()
    sliders.nth(2).fill("35")
    button.click()
    assert not page.locator(".lw-guess").is_visible() and page.locator(".lw-chart").is_visible()
    shown = [row.inner_text().split("\t")[1] for row in page.locator("tbody tr").all()]
    assert shown == ["60 %", "10 %", "35 %"]
    page.get_by_role("button", name="Guess again").click()
    assert page.locator(".lw-guess").is_visible() and button.is_disabled()
    for part in (".lw-summary", ".lw-chart", ".lw-sizes", "tbody"):
        assert page.locator(part).inner_html() == ""


def test_every_number_of_every_place_is_python_s(open_page):
    slider = PruningSlider(ARMS, guesses=GUESSES)
    page = open_page(slider)
    for name in NAMES:
        page.get_by_role("button", name=name).click()
        for place in range(len(ARMS[name]["shares"])):
            page.locator(".lw-track input").fill(str(place))
            at = slider.at(name, place)
            told = [
                float(one)
                for one in re.findall(r"\d\.\d{3}", page.locator(".lw-summary").inner_text())
            ]
            rows = np.array(ARMS[name]["accuracy"])[:, place]
            want = [at["accuracy"], rows.min(), rows.max(), at["fine-tuned"]]
            np.testing.assert_allclose(told, want, atol=5.1e-4)
            sizes = numbers(page, ".lw-sizes")
            np.testing.assert_allclose(sizes, [at["bytes"], at["zipped"]], rtol=1e-9)
    for row, name in zip(page.locator("tbody tr").all(), NAMES, strict=True):
        shown = row.locator("data").evaluate_all("all => all.map(d => Number(d.value))")
        assert shown == [slider.kept(name), slider.kept(name, tuned=True)]


def test_the_dot_stands_where_its_number_is_and_follows_fine_tuning(open_page):
    slider = PruningSlider(ARMS, guesses=GUESSES, place=6)
    page = open_page(slider)
    width = float(page.locator(".lw-chart").get_attribute("width"))
    every = [v for arm in ARMS.values() for key in ("accuracy", "fine-tuned") for v in arm[key]]
    least, most = np.floor(10 * np.min(np.concatenate(every))) / 10, 1.0
    for key in ("accuracy", "fine-tuned"):
        at = slider.at(NAMES[0], 6)
        dot = page.locator(".lw-dot")
        x, y = (float(dot.get_attribute(name)) for name in ("cx", "cy"))
        assert x == pytest.approx(40 + (width - 52) * at["share"], abs=0.1)
        assert y == pytest.approx(204 - 194 * (at[key] - least) / (most - least), abs=0.1)
        page.get_by_role("button", name="Fine-tuned").click()


def test_arms_without_fine_tuning_and_bytes_are_shown_as_they_are(open_page):
    arms = {"own": {"shares": [0, 0.5], "accuracy": [[0.9, 0.8]]}}
    page = open_page(PruningSlider(arms, guesses={"own": 0.5}, place=1))
    assert not page.get_by_role("button", name="Fine-tuned").is_visible()
    assert page.locator(".lw-summary").inner_text() == "own, 50 % gone: accuracy 0.800."
    assert page.locator(".lw-sizes").inner_html() == ""
    assert page.locator("tbody tr").inner_text().split("\t")[2] == "nothing"


def test_the_keyboard_reaches_everything(open_page):
    page = open_page(PruningSlider(ARMS))
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
    assert "fine-tuned" in page.locator(".lw-summary").inner_text()


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_it_is_accessible_and_fits(open_page, viewport, theme):
    page = open_page(PruningSlider(ARMS), viewport=viewport, color_scheme=theme)
    for told in (False, True):
        if told:
            for k in range(len(NAMES)):
                page.locator(".lw-guess input").nth(k).fill("20")
            page.get_by_role("button", name="These are my guesses").click()
        assert_accessible_and_fits(page)

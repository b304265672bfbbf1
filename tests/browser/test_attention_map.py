"""The attention map in a real browser: nothing is shown before the guess, and then every weight is
Python's.
"""

import re

import numpy as np
import pytest

from lstm_ref.inspect import AttentionMap
from tests.support.results import stored
from tests.support.widgets import DESKTOP, PHONE, assert_accessible_and_fits

TEXTS = stored("attention")["texts"]
GUESSES = {str(k): 0 for k in range(len(TEXTS))}


def test_nothing_is_shown_before_the_text_has_a_guess(open_page):
    page = open_page(AttentionMap(TEXTS))
    commit = page.get_by_role("button", name="That is my guess")
    assert commit.is_disabled() and not page.locator(".lw-map").is_visible()
    for part in (".lw-summary", ".lw-bars", ".lw-map", ".lw-score"):
        assert page.locator(part).inner_html() == ""
    assert page.locator("li[style]").count() == 0
    page.get_by_role("combobox").select_option("2")
    commit.click()
    assert page.locator(".lw-map").is_visible() and not page.locator(".lw-guess").is_visible()
    # Another text asks for itself
    page.get_by_role("button", name=TEXTS[1]["name"], exact=True).click()
    assert commit.is_visible() and commit.is_disabled()
    assert page.locator(".lw-map").inner_html() == ""
    page.get_by_role("button", name=TEXTS[0]["name"], exact=True).click()
    page.get_by_role("button", name="Guess again").click()
    assert commit.is_visible() and commit.is_disabled()


def test_every_weight_of_every_step_is_python_s(open_page):
    attention = AttentionMap(TEXTS, guesses=GUESSES)
    page = open_page(attention)
    for k, text in enumerate(attention.texts):
        page.get_by_role("button", name=text["name"], exact=True).click()
        for step in range(0, len(text["written"]), 3):
            page.locator(".lw-track input").fill(str(step))
            at = attention.at(k, step)
            told = page.locator(".lw-summary").inner_text()
            assert f"“{at['looked at']}”" in told and f"“{at['written']}”" in told
            assert float(re.search(r"weight, (\d\.\d{3}),", told)[1]) == pytest.approx(
                at["weight"], abs=5.1e-4
            )
            bars = page.locator(".lw-bars data").evaluate_all(
                "all => all.map(d => [Number(d.dataset.place), Number(d.value)])"
            )
            row = text["weights"][step]
            assert bars and all(value == row[place] for place, value in bars)
            assert [value for _, value in bars] == sorted(row, reverse=True)[: len(bars)]


def test_the_map_has_each_weight_in_its_place(open_page):
    text = TEXTS[0]
    page = open_page(AttentionMap(TEXTS, guesses=GUESSES))
    cells = page.locator(".lw-map .lw-cell").evaluate_all(
        "all => all.map(c => ['x', 'y', 'fill-opacity'].map(name => Number(c.getAttribute(name))))"
    )
    shown = np.zeros(np.shape(text["weights"]))
    for x, y, opacity in cells:
        shown[round((y - 84) / 17), round((x - 92) / 17)] = opacity
    np.testing.assert_allclose(shown, text["weights"], atol=5.1e-3)


def test_a_right_guess_is_counted_and_a_wrong_one_is_told(open_page):
    attention = AttentionMap(TEXTS)
    page = open_page(attention)
    for k, text in enumerate(attention.texts[:2]):
        best = int(np.argmax(text["weights"][text["ask"]]))
        place = best if k == 0 else (best + 1) % len(text["source"])
        page.get_by_role("button", name=text["name"], exact=True).click()
        page.get_by_role("combobox").select_option(str(place))
        page.get_by_role("button", name="That is my guess").click()
        told = page.locator(".lw-summary").inner_text()
        assert ("That was your guess." in told) == (k == 0)
        assert page.locator(".lw-score").inner_text() == f"Guesses right so far: 1 of {k + 1}."


def test_the_keyboard_reaches_everything(open_page):
    page = open_page(AttentionMap(TEXTS))
    for _ in TEXTS:
        page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    before = page.locator(".lw-summary").inner_text()
    page.keyboard.press("ArrowLeft")
    assert page.locator(".lw-summary").inner_text() != before


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_it_is_accessible_and_fits(open_page, viewport, theme):
    page = open_page(AttentionMap(TEXTS, text=1), viewport=viewport, color_scheme=theme)
    for told in (False, True):
        if told:
            page.get_by_role("combobox").select_option("1")
            page.get_by_role("button", name="That is my guess").click()
        assert_accessible_and_fits(page)

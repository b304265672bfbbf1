"""The search race in a real browser: nothing is shown before the guess, and then every number is
Python's.
"""

import numpy as np
import pytest

from lstm_ref.inspect import SearchRace
from lstm_ref.inspect.search_race import METHODS
from tests.support.results import stored
from tests.support.widgets import DESKTOP, PHONE, assert_accessible_and_fits

STORED = stored("search")
AXES = {"rate": STORED["rates"], "forget bias": STORED["forget biases"]}
GUESS = {"winner": "random", "worth": "higher"}


def made(**options):
    return SearchRace(STORED["loss"], STORED["updates"], axes=AXES, **options)


def press(page, name):
    page.get_by_role("button", name=name, exact=True).click()


def rows(page):
    """Method -> shown, low, high, worth and won, with all digits."""
    return {
        row.get_attribute("data-method"): row.locator("data").evaluate_all(
            "all => all.map(d => Number(d.value))"
        )
        for row in page.locator("tbody tr").all()
    }


def test_nothing_is_shown_before_the_guess(open_page):
    page = open_page(made(races=50))
    button = page.get_by_role("button", name="That is my guess")
    assert button.is_disabled() and not page.locator(".lw-chart").is_visible()
    assert page.locator("tbody").inner_html() == "" and page.locator(".lw-cell").count() == 0
    page.locator('input[value="grid"]').check()
    assert button.is_disabled()
    page.locator('input[value="same"]').check()
    button.click()
    assert page.locator("tbody tr").count() == 3
    press(page, "Start again")
    assert page.locator("form").is_visible() and button.is_disabled()
    for part in ("tbody", ".lw-maps", ".lw-chart", ".lw-verdict"):
        assert page.locator(part).inner_html() == ""


@pytest.mark.parametrize("budget", [4, 16])
def test_every_mean_of_many_races_is_python_s(open_page, budget):
    race = made(guess=GUESS, budget=4, start=11)
    page = open_page(race)
    page.locator("select").select_option(str(budget))
    press(page, "One race")
    press(page, "200 races")
    race.budget = budget
    shown, means = rows(page), race.means(201)
    for method in METHODS:
        want = [means[method][key] for key in ("shown", "low", "high", "worth", "won")]
        np.testing.assert_allclose(shown[method], want, atol=1e-9)
    assert page.locator(".lw-seen").inner_text() == "201 races."
    best = min(METHODS, key=lambda method: means[method]["shown"])
    verdict = page.locator(".lw-verdict").inner_text()
    assert best == "halving" and verdict.startswith("You guessed random. So far it is successive")
    assert "You guessed that." in verdict and "luck" not in verdict


def test_the_maps_of_one_race_are_python_s(open_page):
    race = made(guess=GUESS, start=3)
    page = open_page(race)
    press(page, "One race")
    assert page.locator(".lw-verdict").inner_text().endswith("With so few races, this is luck.")
    for method, raced in race.one(0).items():
        picture = page.locator(f'.lw-maps svg[data-method="{method}"]')

        def cells(kind, picture=picture):
            places = picture.locator(f".lw-{kind}").evaluate_all(
                "all => all.map(c => [Number(c.getAttribute('cx')), Number(c.getAttribute('cy'))])"
            )
            return {(7 - int(y // 20), int(x // 20)) for x, y in places}

        assert cells("found") == {raced.found}
        assert cells("full") | cells("found") == set(raced.full)
        assert cells("early") == set(raced.tried) - set(raced.full)
        label = picture.get_attribute("aria-label")
        assert f"{len(raced.tried)} settings tried, {len(raced.full)} to the end" in label
        assert f"{raced.shown:.3f} at rate" in label


def test_the_keyboard_reaches_everything(open_page):
    page = open_page(made())
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowDown")
    assert page.locator("select").input_value() == "9"
    for _ in range(2):
        page.keyboard.press("Tab")
        page.keyboard.press("Space")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.textContent") == "One race"
    page.keyboard.press("Enter")
    assert page.locator(".lw-seen").inner_text() == "1 race."


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_it_is_accessible_and_fits(open_page, viewport, theme):
    page = open_page(made(), viewport=viewport, color_scheme=theme)
    for told in (False, True):
        if told:
            page.locator('input[value="grid"]').check()
            page.locator('input[value="same"]').check()
            press(page, "That is my guess")
            press(page, "200 races")
        assert_accessible_and_fits(page)

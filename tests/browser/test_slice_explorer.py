"""The slice explorer in a real browser: counted in the page, compared with statsmodels'
intervals.
"""

import numpy as np
import pytest
from statsmodels.stats.proportion import proportion_confint

from lstm_ref.inspect import SliceExplorer
from tests.lstm_ref.inspect.test_slice_explorer import planted
from tests.support.widgets import DESKTOP, PHONE, assert_accessible_and_fits


def made(**options):
    return SliceExplorer(*planted(), **options)


def guessed(**options):
    return made(guess={"c": "1"}, **options)


def menu(page, name):
    return page.locator(f'select[data-name="{name}"]')


def intervals(page):
    """Slice -> [low, high] of the table, with all digits."""
    return {
        row.get_attribute("data-slice"): [
            float(d.get_attribute("value")) for d in row.locator("data").all()
        ]
        for row in page.locator("tbody tr").all()
    }


def test_nothing_is_shown_before_the_reader_has_guessed(open_page):
    page = open_page(made())
    button = page.get_by_role("button", name="That is my guess")
    assert (
        button.is_disabled()
        and not menu(page, "a").is_visible()
        and not page.locator("svg").is_visible()
    )
    page.locator(".lw-guess select").select_option(label="b: <b>")
    button.click()
    assert menu(page, "a").is_visible() and not page.locator(".lw-guess").is_visible()
    page.get_by_role("button", name="Tell me").click()
    assert "Your guess was b: <b>" in page.locator(".lw-verdict").inner_text()
    explorer = made()
    rates = {
        (name, v): np.divide(*explorer.counts({name: v}))
        for name in "abc"
        for v in explorer.values[name]
    }
    name, value = max(rates, key=rates.get)
    assert name != "a" and menu(page, name).input_value() == value
    page.get_by_role("button", name="Start again").click()
    assert page.locator(".lw-guess").is_visible() and page.locator("tbody tr").count() == 0
    for part in (".lw-summary", ".lw-looks", ".lw-chart", ".lw-verdict"):
        assert page.locator(part).inner_html() == ""


def test_a_second_round_starts_with_nothing_told(open_page):
    page = open_page(guessed())
    page.get_by_role("button", name="Tell me").click()
    page.get_by_role("button", name="Start again").click()
    page.locator(".lw-guess select").select_option(label="b: <b>")
    page.get_by_role("button", name="That is my guess").click()
    assert page.locator(".lw-verdict").inner_text() == "" and page.locator("tbody tr").count() == 0
    menu(page, "b").select_option("x=1, y")
    assert page.locator("tbody tr").count() == 1


def test_numbers_are_python_s_and_each_look_widens_every_interval(open_page):
    explorer = guessed()
    page = open_page(explorer)
    chosen, seen, before = {}, [], {}
    for name, value in (("b", "x=1, y"), ("c", "2"), ("a", "two"), ("a", "one")):
        menu(page, name).select_option(value)
        chosen[name] = value
        seen.append(dict(sorted(chosen.items())))
        shown = intervals(page)
        assert len(shown) == len(seen)
        for one in seen:
            label = ", ".join(f"{key}: {part}" for key, part in one.items())
            wrong, size = explorer.counts(one)
            want = proportion_confint(wrong, size, alpha=0.05 / len(seen), method="wilson")
            np.testing.assert_allclose(shown[label], want, atol=1e-9)
            if label in before:
                assert shown[label][1] - shown[label][0] > before[label][1] - before[label][0]
        before = shown
    assert "4 different slices looked at" in page.locator(".lw-looks").inner_text()
    menu(page, "a").select_option("two")  # seen before: no new look
    assert "4 different slices looked at" in page.locator(".lw-looks").inner_text()
    page.get_by_role("button", name="All examples").click()
    wrong, size = explorer.counts({})
    assert f"all examples: {wrong} of {size} wrong" in page.locator(".lw-summary").inner_text()


def test_the_planted_slice_is_above_the_whole_and_a_small_one_says_little(open_page):
    page = open_page(guessed(chosen={"b": "x=1, y", "c": "2"}))
    assert page.locator(".lw-summary").inner_text().endswith("Above the whole, even so.")
    attributes, wrong = planted(40)
    small = open_page(
        SliceExplorer(attributes, wrong, guess={"c": "0"}, chosen={"b": "<b>", "c": "3"})
    )
    text = small.locator(".lw-summary").inner_text()
    assert text.endswith("So few examples say little.") or "No example" in text


def test_bars_stand_where_their_numbers_are(open_page):
    explorer = guessed(chosen={"b": "x=1, y"})
    page = open_page(explorer)
    width = float(page.locator(".lw-chart").get_attribute("width"))

    def x(share):
        return 12 + (width - 24) * share

    wrong, size = explorer.counts({"b": "x=1, y"})
    bar = page.locator(".lw-bar:not(.lw-whole)").get_attribute("d")
    low, high = proportion_confint(wrong, size, alpha=0.05, method="wilson")
    start, end = float(bar[1:].split()[0]), float(bar.split("H")[1])
    assert np.allclose([start, end], [x(low), x(high)], atol=0.01)
    dot = page.locator(".lw-dot:not(.lw-whole)").get_attribute("cx")
    assert float(dot) == pytest.approx(x(wrong / size), abs=0.01)


def test_the_keyboard_reaches_everything(open_page):
    page = open_page(made())
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.dataset.name") == "a"
    page.keyboard.press("ArrowDown")
    assert page.locator("tbody tr").count() == 1
    for name in ("b", "c"):
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.dataset.name") == name


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize("stage", ["asked", "shown"])
def test_it_is_accessible_and_fits(open_page, stage, viewport, theme):
    page = open_page(
        made() if stage == "asked" else guessed(), viewport=viewport, color_scheme=theme
    )
    if stage == "shown":
        menu(page, "b").select_option("x=1, y")
        menu(page, "c").select_option("2")
    assert_accessible_and_fits(page)


def test_two_explorers_on_one_page_do_not_touch_each_other(open_page):
    page = open_page([guessed(), guessed()])
    one, two = page.locator(".lw-slices").all()
    one.locator('select[data-name="a"]').select_option("one")
    assert one.locator("tbody tr").count() == 1 and two.locator("tbody tr").count() == 0

"""The inspector colours the text by what the output after a step depends on."""

import numpy as np

from lstm_ref.init import init_lstm
from lstm_ref.inspect import SequenceInspector, input_reach, trace

TEXT = "is used in a generator"
PHONE = {"width": 390, "height": 844}


def inspector(shade="unit", reach=True, guesses=None):
    rng = np.random.default_rng(0)
    params, x = init_lstm(rng, 3, 4, 1.0), rng.normal(size=(len(TEXT), 3))
    found = input_reach(params, x, rng.normal(size=(len(TEXT), 4)))
    widget = SequenceInspector(
        trace(params, x[None]), TEXT, reach=found if reach else None, shade=shade, guesses=guesses
    )
    return widget, found / found.max(axis=1, keepdims=True)


def shares(page):
    """What the page gives each letter: (T,)."""
    spans = page.locator(".lw-text span")
    return np.array(spans.evaluate_all("all => all.map(span => Number(span.dataset.reach))"))


def shade_of(page, k):
    return page.locator(".lw-text span").nth(k).evaluate("span => span.style.backgroundColor")


def test_pointing_at_a_letter_colours_those_that_mattered(open_page):
    widget, found = inspector()
    page = open_page(widget)
    by_unit = shade_of(page, 3)
    page.get_by_label("what mattered").check()
    for t in (5, 21, 0):
        page.locator(".lw-text span").nth(t).hover()
        np.testing.assert_allclose(shares(page), found[t], atol=3e-3)
        back = t - int(found[t].argmax())
        said = page.inner_text(".lw-caption")
        assert (f"input {back} back" if back else "that input itself") in said
    assert shade_of(page, 5) == shade_of(page, 21)  # the output after the first letter: none later
    page.get_by_label("the picked unit").check()
    assert shade_of(page, 3) == by_unit


def test_by_keyboard_in_the_dark_on_a_telephone(open_page):
    widget, found = inspector("reach")
    page = open_page(widget, viewport=PHONE, color_scheme="dark")
    np.testing.assert_allclose(shares(page), found[0], atol=3e-3)
    page.locator("canvas").focus()
    for _ in range(7):
        page.keyboard.press("ArrowRight")
    np.testing.assert_allclose(shares(page), found[7], atol=3e-3)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_without_it_there_is_nothing_to_choose(open_page):
    page = open_page(inspector(reach=False)[0])
    assert page.get_by_label("what mattered").count() == 0


def test_what_was_guessed_is_said_of_the_letter_that_is_pointed_at(open_page):
    guesses = [[(letter, 0.834), (" ", 0.05)] for letter in TEXT]
    guesses[3] = []
    page = open_page(inspector("reach", guesses=guesses)[0])
    for t, said in ((11, "“a” 83 %, “␣” 5 %."), (0, "“i” 83 %, “␣” 5 %.")):
        assert TEXT[t] == said[1]
        page.locator(".lw-text span").nth(t).hover()
        assert f"Its guess of the next: {said}" in page.inner_text(".lw-caption")
    page.locator(".lw-text span").nth(3).hover()
    assert "guess" not in page.inner_text(".lw-caption")
    page.get_by_label("the picked unit").check()
    assert "guess" not in page.inner_text(".lw-caption")

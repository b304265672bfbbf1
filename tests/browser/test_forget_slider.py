"""The forget slider in a real browser: its bars are as high as what is left."""

import numpy as np
import pytest
from traitlets import TraitError

from lstm_ref.inspect import ForgetSlider
from tests.support.widgets import assert_accessible_and_fits


@pytest.fixture
def open_page(open_page):
    def open_slider(f, width=800, **options):
        return open_page(ForgetSlider(f), viewport={"width": width, "height": 500}, **options)

    return open_slider


def heights(page):
    """Height of each bar over that of the first: (101,)."""
    found = page.locator(".lw-bar").evaluate_all(
        "all => all.map(bar => +bar.getAttribute('height'))"
    )
    return np.array(found) / found[0]


def test_bars_are_as_high_as_what_is_left_and_shrink_with_the_gate(open_page):
    page = open_page(0.97)
    np.testing.assert_allclose(heights(page), ForgetSlider(0.97).left, atol=1e-3)
    assert "after 100 steps: 4.76 %. Half is left after 22.8 steps." in page.inner_text(
        ".lw-summary"
    )
    slider = page.get_by_role("slider")
    slider.press("ArrowLeft")
    assert slider.input_value() == "0.969" and heights(page)[100] < 0.97**100
    slider.press("End")
    assert (heights(page) == 1).all() and "nothing is ever lost" in page.inner_text(".lw-summary")
    slider.press("Home")
    np.testing.assert_allclose(heights(page), 0.8 ** np.arange(101), atol=1e-3)
    assert "0.00000002 %" in page.inner_text(".lw-summary")


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1000, 390])
def test_it_is_accessible_and_fits(open_page, width, theme):
    page = open_page(0.9, width, color_scheme=theme)
    assert_accessible_and_fits(page)
    sizes = page.locator("svg text").evaluate_all(
        "all => all.map(text => parseFloat(getComputedStyle(text).fontSize))"
    )
    assert min(sizes) >= 12


def test_a_gate_outside_of_the_slider_is_refused(monkeypatch):
    monkeypatch.setenv("LSTM_REF_STATIC", "1")
    with pytest.raises(TraitError, match=r"f must be from 0.8 to 1, got 0.5"):
        ForgetSlider(0.5)

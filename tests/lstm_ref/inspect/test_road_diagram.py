"""The road: it is as wide as what the cell state holds, and what does not fit is refused."""

import re

import numpy as np
import pytest

from lstm_ref.errors import ArgumentError
from lstm_ref.inspect import COLOURS, state_road

pytest.importorskip("matplotlib")

WORDS = ["roads", "to", "it", "were"]


def widths(drawing):
    """Height in points of each filled piece of road, in the order of the steps."""
    source = drawing.svg["light"].lower()
    pieces = re.findall(r'<path d="([^"]*)"[^>]*style="fill: ' + COLOURS["c"].lower(), source)
    return [np.ptp([float(y) for y in re.findall(r"[ml] [\d.-]+ ([\d.-]+)", p)]) for p in pieces]


def test_the_road_is_as_wide_as_what_is_left():
    drawing = state_road(WORDS, [1, 0, 0, 0], {"f = 0.5": 0.5}, read=[3])
    found = np.array(widths(drawing))
    np.testing.assert_allclose(found / found[0], 0.5 ** np.arange(4), rtol=1e-3)
    assert "it carries 0.12 with f = 0.5" in drawing.alt or "0.13" in drawing.alt
    for letter in "ifo":  # an entrance, the gates, an exit
        assert COLOURS[letter].lower() in drawing.svg["dark"].lower()


def test_a_gate_of_its_own_for_each_step_and_a_second_number():
    drawing = state_road(WORDS, [1, 0, 0.5, 0], {"chosen": [1, 1, 0, 1]}, read=[])
    found = np.array(widths(drawing))
    np.testing.assert_allclose(found / found[0], [1, 1, 0.5, 0.5], rtol=1e-3)
    assert drawing.alt.endswith("it carries 0.50 with chosen.")
    assert COLOURS["o"].lower() not in drawing.svg["light"].lower()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"written": [1, 0]}, "one length, got 4, 2 and 1"),
        ({"kept": {"f": [1, 1]}}, "one length, got 4, 4 and 2"),
        ({"kept": {"f": 1.5}}, "from 0 to 1, got 1.5"),
        ({"read": [4]}, r"places of words, 0 to 3, got \[4\]"),
    ],
)
def test_what_does_not_fit_is_told(change, message):
    given = {"words": WORDS, "written": [1, 0, 0, 0], "kept": {"f": 1.0}, "read": [3]}
    with pytest.raises(ArgumentError, match=message):
        state_road(**{**given, **change})

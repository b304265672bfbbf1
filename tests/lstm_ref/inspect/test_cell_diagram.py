"""The drawing of the cell: it says in words what it shows, and refuses letters that are no part."""

import pytest

from lstm_ref.errors import ArgumentError
from lstm_ref.inspect import COLOURS, cell_diagram
from lstm_ref.inspect.cell_diagram import STAGES

pytest.importorskip("matplotlib")


def test_the_words_name_what_is_there_and_what_is_missing():
    assert cell_diagram("").alt == "LSTM cell with no gate."
    assert cell_diagram("igot", ghost="f").alt == (
        "LSTM cell with input gate, candidate, output gate, output tanh; without forget gate."
    )


def test_each_stage_adds_to_the_drawing_in_the_colour_of_its_new_part():
    drawings = [cell_diagram(stage, new=stage[-2:].strip("t") or stage) for stage in STAGES]
    for stage, drawing, letter in zip(STAGES, drawings, "figo", strict=True):
        assert COLOURS[letter].lower() in drawing.svg["light"].lower(), stage
    assert len({drawing.svg["light"] for drawing in drawings}) == len(STAGES)


def test_a_part_that_is_not_new_is_grey():
    assert COLOURS["f"].lower() not in cell_diagram("fi", new="i").svg["light"].lower()


@pytest.mark.parametrize(
    "arguments", [{"parts": "fz"}, {"parts": "fi", "ghost": "i"}, {"new": "c"}]
)
def test_letters_that_do_not_fit_are_told(arguments):
    with pytest.raises(ArgumentError, match="parts are letters of 'figot'"):
        cell_diagram(**arguments)

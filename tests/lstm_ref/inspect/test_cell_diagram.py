"""The drawing of the cell: it says in words what it shows, and refuses letters that are no part."""

import re

import pytest

from lstm_ref.errors import ArgumentError
from lstm_ref.inspect import COLOURS, PALETTES, cell_chain, cell_diagram, flow_diagram, gru_diagram
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


def test_coupled_gates_write_what_the_forget_gate_leaves():
    plain, coupled = (cell_diagram("fgot", ghost="i", coupled=said) for said in (False, True))
    assert coupled.alt == (
        "LSTM cell with forget gate, candidate, output gate, output tanh; without input gate; "
        "1 - f of the candidate is written."
    )
    blue = COLOURS["f"].lower()
    assert coupled.svg["light"].lower().count(blue) > plain.svg["light"].lower().count(blue)
    for wrong in ({"parts": "figot"}, {"parts": "got"}):
        with pytest.raises(ArgumentError, match="coupled gates need the part f, and i is none"):
            cell_diagram(**wrong, coupled=True)


def test_peepholes_lead_from_the_cell_state_into_the_gates_that_are_there():
    colour = COLOURS["c"].lower()
    counts = [
        cell_diagram(parts, peepholes=shown).svg["light"].lower().count(colour)
        for parts in ("figot", "fgt")
        for shown in (False, True)
    ]
    assert counts[1] - counts[0] > counts[3] - counts[2] > 0
    assert "with peepholes" in cell_diagram(peepholes=True).alt


def test_a_chain_carries_two_lines_in_the_colours_of_the_states():
    for mode, source in cell_chain().svg.items():
        drawn = source.lower()
        assert all(COLOURS[letter].lower() in drawn for letter in COLOURS), mode
        assert drawn.count(COLOURS["c"].lower()) >= 4 and drawn.count(COLOURS["h"].lower()) >= 4
    assert "into the next one together with its input" in cell_chain().alt
    assert cell_chain(alt="Three.", caption="In a row.").caption == "In a row."


def test_a_gru_has_one_line_and_its_reset_gate_no_gate_s_colour():
    for mode, source in gru_diagram().svg.items():
        drawn, own = source.lower(), PALETTES[mode].others[0].lower()
        assert own in drawn and COLOURS["f"].lower() in drawn and COLOURS["g"].lower() in drawn
        assert COLOURS["c"].lower() not in drawn and COLOURS["o"].lower() not in drawn, mode
    assert "reset gate r" in gru_diagram().alt


def test_boxes_in_a_row_have_an_arrow_in_each_gap():
    two = flow_diagram(["LSTM", "affine"], ["h"], alt="Two boxes.", stress=[0])
    assert two.alt == "Two boxes."
    plain = flow_diagram(["LSTM", "affine"], ["h"], alt="Two boxes.")
    rim = PALETTES["light"].others[0].lower()
    assert rim in two.svg["light"].lower() and rim not in plain.svg["light"].lower()
    with pytest.raises(ArgumentError, match="2 boxes have 1 gaps, got 0 arrows"):
        flow_diagram(["LSTM", "affine"], [], alt="Two boxes.")


def test_a_cell_that_adds_its_raw_input_is_fed_by_nothing_else():
    """The drawing says what its formula says, c = f c + x: the last output comes with g."""
    drawn = {parts: cell_diagram(parts).svg["light"] for parts in ("f", "fi", "fig")}
    said = {parts: re.findall(r"<!-- (.*?) -->", svg) for parts, svg in drawn.items()}
    assert {parts: sum("h_{t-1}" in text for text in texts) for parts, texts in said.items()} == {
        "f": 0, "fi": 0, "fig": 1,
    }  # fmt: skip

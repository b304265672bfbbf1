"""Whole programs that train badly, each beside its mended twin, and well ones that look odd.

>>> entry = find("state_cut_each_step")
>>> entry.framework, entry.family
('torch', 'state')
"""

from __future__ import annotations

from lstm_ref.zoo.programs.entries.axes import AXES
from lstm_ref.zoo.programs.entries.graph import GRAPH
from lstm_ref.zoo.programs.entries.keras_other import KERAS_OTHER
from lstm_ref.zoo.programs.entries.keras_output import KERAS_OUTPUT
from lstm_ref.zoo.programs.entries.numpy_data import NUMPY_DATA
from lstm_ref.zoo.programs.entries.numpy_hand import NUMPY_HAND
from lstm_ref.zoo.programs.entries.output import OUTPUT
from lstm_ref.zoo.programs.entries.state import STATE
from lstm_ref.zoo.programs.entries.torch_axes import TORCH_AXES
from lstm_ref.zoo.programs.entries.torch_cell import TORCH_CELL
from lstm_ref.zoo.programs.entries.torch_data import TORCH_DATA
from lstm_ref.zoo.programs.entries.torch_graph import TORCH_GRAPH
from lstm_ref.zoo.programs.entries.torch_loop import TORCH_LOOP
from lstm_ref.zoo.programs.entries.torch_output import TORCH_OUTPUT
from lstm_ref.zoo.programs.registry import Case, SickProgram, WellProgram, check_unique
from lstm_ref.zoo.programs.well import WELL

_SICK = (
    *AXES,
    *STATE,
    *GRAPH,
    *OUTPUT,
    *TORCH_AXES,
    *TORCH_CELL,
    *TORCH_DATA,
    *TORCH_GRAPH,
    *TORCH_LOOP,
    *TORCH_OUTPUT,
    *KERAS_OUTPUT,
    *KERAS_OTHER,
    *NUMPY_HAND,
    *NUMPY_DATA,
)
_WELL: tuple[WellProgram, ...] = WELL
check_unique((*_SICK, *_WELL))

__all__ = ["Case", "SickProgram", "WellProgram", "find", "programs", "well"]


def programs(framework: str | None = None) -> tuple[SickProgram, ...]:
    """All sick programs, or those of one framework: "torch", "keras" or "numpy"."""
    return tuple(each for each in _SICK if framework in (None, each.framework))


def well(framework: str | None = None) -> tuple[WellProgram, ...]:
    """The well programs that look odd, or those of one framework."""
    return tuple(each for each in _WELL if framework in (None, each.framework))


def find(id: str) -> SickProgram | WellProgram:
    """Entry with this id.

    Raises
    ------
    KeyError : when there is none; the message lists those that there are
    """
    entries: tuple[SickProgram | WellProgram, ...] = (*_SICK, *_WELL)
    for each in entries:
        if each.id == id:
            return each
    ids = ", ".join(each.id for each in entries)
    raise KeyError(f"zoo.programs.find: no entry {id!r}; there are {ids}")

"""Looking inside: figures for light and dark pages, the gates of a model, and the widgets that show
them.

Matplotlib, PyTorch, Keras and anywidget are imported when something that needs them is used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from lstm_ref.inspect.attribution import completeness_gap, input_reach, integrated_gradients
from lstm_ref.inspect.cell_diagram import cell_diagram
from lstm_ref.inspect.chain_diagram import cell_chain, flow_diagram, gru_diagram
from lstm_ref.inspect.figure import Figure, figure
from lstm_ref.inspect.palette import COLOURS, LINE_STYLES, PALETTES, Palette
from lstm_ref.inspect.road_diagram import state_road
from lstm_ref.inspect.trace import GateTrace, GRUTrace, trace, trace_gru

if TYPE_CHECKING:
    from lstm_ref.inspect.attention_map import AttentionMap
    from lstm_ref.inspect.backward_stepper import BackwardStepper
    from lstm_ref.inspect.be_the_gate import BeTheGate
    from lstm_ref.inspect.clinic import Clinic
    from lstm_ref.inspect.curve_doctor import CurveDoctor
    from lstm_ref.inspect.forget_slider import ForgetSlider
    from lstm_ref.inspect.gate_explorer import GateExplorer
    from lstm_ref.inspect.gradient_lens import GradientLens
    from lstm_ref.inspect.origin_slider import OriginSlider
    from lstm_ref.inspect.pruning_slider import PruningSlider
    from lstm_ref.inspect.search_race import SearchRace
    from lstm_ref.inspect.sequence_inspector import SequenceInspector
    from lstm_ref.inspect.slice_explorer import SliceExplorer

__all__ = [
    "COLOURS",
    "LINE_STYLES",
    "PALETTES",
    "AttentionMap",
    "BackwardStepper",
    "BeTheGate",
    "Clinic",
    "CurveDoctor",
    "Figure",
    "ForgetSlider",
    "GateExplorer",
    "GRUTrace",
    "GateTrace",
    "GradientLens",
    "OriginSlider",
    "Palette",
    "PruningSlider",
    "SearchRace",
    "SequenceInspector",
    "cell_chain",
    "cell_diagram",
    "completeness_gap",
    "SliceExplorer",
    "figure",
    "flow_diagram",
    "gru_diagram",
    "input_reach",
    "integrated_gradients",
    "state_road",
    "trace",
    "trace_gru",
]


# Where each widget stands.
_WIDGETS = {
    "AttentionMap": "attention_map",
    "BackwardStepper": "backward_stepper",
    "BeTheGate": "be_the_gate",
    "Clinic": "clinic",
    "CurveDoctor": "curve_doctor",
    "ForgetSlider": "forget_slider",
    "GateExplorer": "gate_explorer",
    "GradientLens": "gradient_lens",
    "OriginSlider": "origin_slider",
    "PruningSlider": "pruning_slider",
    "SearchRace": "search_race",
    "SequenceInspector": "sequence_inspector",
    "SliceExplorer": "slice_explorer",
}


def __getattr__(name: str) -> Any:
    """The widgets are classes of anywidget, so that they can only be made once that is imported."""
    if name in _WIDGETS:
        return getattr(import_module(f"lstm_ref.inspect.{_WIDGETS[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

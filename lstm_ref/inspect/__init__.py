"""Looking inside: figures for light and dark pages, the gates of a model, and the widgets that show them.

Matplotlib, PyTorch, Keras and anywidget are imported when something that needs them is used.
"""

from lstm_ref.inspect.figure import Figure, figure
from lstm_ref.inspect.palette import COLOURS, LINE_STYLES, PALETTES, Palette
from lstm_ref.inspect.trace import GateTrace, trace

__all__ = ["COLOURS", "LINE_STYLES", "PALETTES", "Figure", "GateTrace", "Palette", "figure", "trace"]

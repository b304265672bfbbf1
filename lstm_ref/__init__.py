"""The reference of *Inside the LSTM*: an LSTM in NumPy, its twins in PyTorch and Keras, and tools to look inside.

Only NumPy is needed to import it. The twins, the widgets and the data sets ask for their packages when they are used.
"""

from lstm_ref.cell import StepCache, StepGrads, lstm_step, lstm_step_backward, sigmoid
from lstm_ref.errors import DTypeError, LSTMError, NotFiniteError, ShapeError
from lstm_ref.sequence import SequenceCache, SequenceGrads, lstm_backward, lstm_forward

__version__ = "0.1.0"

__all__ = [
    "DTypeError",
    "LSTMError",
    "NotFiniteError",
    "SequenceCache",
    "SequenceGrads",
    "ShapeError",
    "StepCache",
    "StepGrads",
    "lstm_backward",
    "lstm_forward",
    "lstm_step",
    "lstm_step_backward",
    "sigmoid",
]

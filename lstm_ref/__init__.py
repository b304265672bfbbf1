"""The reference of *Inside the LSTM*: an LSTM in NumPy, its twins in PyTorch and Keras, and tools to look inside.

Only NumPy is needed to import it. The twins, the widgets and the data sets ask for their packages when they are used.
"""

from lstm_ref.cell import StepCache, StepGrads, lstm_step, lstm_step_backward, sigmoid
from lstm_ref.convert import DIALECTS, convert
from lstm_ref.errors import (
    ArgumentError,
    DTypeError,
    GradientError,
    LSTMError,
    MissingPackageError,
    NotFiniteError,
    ShapeError,
)
from lstm_ref.gradcheck import check_gradients, numerical_gradient
from lstm_ref.gru import (
    GRUCache,
    GRUGrads,
    GRUStepCache,
    GRUStepGrads,
    gru_backward,
    gru_forward,
    gru_step,
    gru_step_backward,
)
from lstm_ref.init import glorot_uniform, init_affine, init_lstm, orthogonal
from lstm_ref.layers import (
    affine_backward,
    affine_forward,
    bidirectional_backward,
    bidirectional_forward,
    dropout_backward,
    dropout_forward,
    embedding_backward,
    embedding_forward,
    masked_lstm_backward,
    masked_lstm_forward,
    padding_mask,
    reverse_sequences,
    stacked_backward,
    stacked_forward,
)
from lstm_ref.losses import cross_entropy, mean_squared_error
from lstm_ref.optim import AdamState, adam, adam_init, clip_by_norm, sgd
from lstm_ref.rnn import (
    RNNCache,
    RNNGrads,
    RNNStepCache,
    RNNStepGrads,
    rnn_backward,
    rnn_forward,
    rnn_step,
    rnn_step_backward,
)
from lstm_ref.sequence import SequenceCache, SequenceGrads, lstm_backward, lstm_forward

__version__ = "0.1.0"

__all__ = [
    "AdamState",
    "ArgumentError",
    "DIALECTS",
    "DTypeError",
    "GRUCache",
    "GRUGrads",
    "GRUStepCache",
    "GRUStepGrads",
    "GradientError",
    "LSTMError",
    "MissingPackageError",
    "NotFiniteError",
    "RNNCache",
    "RNNGrads",
    "RNNStepCache",
    "RNNStepGrads",
    "SequenceCache",
    "SequenceGrads",
    "ShapeError",
    "StepCache",
    "StepGrads",
    "adam",
    "adam_init",
    "affine_backward",
    "affine_forward",
    "bidirectional_backward",
    "bidirectional_forward",
    "check_gradients",
    "clip_by_norm",
    "convert",
    "cross_entropy",
    "dropout_backward",
    "dropout_forward",
    "embedding_backward",
    "embedding_forward",
    "glorot_uniform",
    "gru_backward",
    "gru_forward",
    "gru_step",
    "gru_step_backward",
    "init_affine",
    "init_lstm",
    "lstm_backward",
    "lstm_forward",
    "lstm_step",
    "lstm_step_backward",
    "masked_lstm_backward",
    "masked_lstm_forward",
    "mean_squared_error",
    "numerical_gradient",
    "orthogonal",
    "padding_mask",
    "reverse_sequences",
    "rnn_backward",
    "rnn_forward",
    "rnn_step",
    "rnn_step_backward",
    "sgd",
    "sigmoid",
    "stacked_backward",
    "stacked_forward",
]

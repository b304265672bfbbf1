"""The LSTM and GRU in Keras on TensorFlow, from the equations and as its own layers; weights read
from them.
"""

from lstm_ref.frameworks.keras import (
    deep_forward_keras,
    gru_forward_keras,
    gru_step_keras,
    keras_gru,
    keras_lstm,
    lstm_forward_keras,
    lstm_step_keras,
    params_from_keras,
    run_keras,
)

__all__ = [
    "deep_forward_keras",
    "gru_forward_keras",
    "gru_step_keras",
    "keras_gru",
    "keras_lstm",
    "lstm_forward_keras",
    "lstm_step_keras",
    "params_from_keras",
    "run_keras",
]

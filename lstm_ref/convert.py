"""Weights carried from one dialect to another: PyTorch, Keras, ONNX and others."""

from lstm_ref.frameworks.convert import (
    DIALECTS,
    GRU_AFTER_DIALECTS,
    GRU_BEFORE_DIALECTS,
    RNN_DIALECTS,
    Dialect,
    convert,
    convert_model,
)

__all__ = [
    "DIALECTS",
    "Dialect",
    "GRU_AFTER_DIALECTS",
    "GRU_BEFORE_DIALECTS",
    "RNN_DIALECTS",
    "convert",
    "convert_model",
]

"""Losses with their gradients."""

from lstm_ref.learn.ctc import ctc_greedy, ctc_loss
from lstm_ref.learn.losses import (
    cross_entropy,
    mean_squared_error,
)

__all__ = [
    "cross_entropy",
    "ctc_greedy",
    "ctc_loss",
    "mean_squared_error",
]

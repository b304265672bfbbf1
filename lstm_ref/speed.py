"""The same LSTM seven times, each time with one idea that shall make it faster."""

from lstm_ref.frameworks.speed import (
    RUNGS,
    Rung,
    close_gates,
    gemm_bound,
    rung,
)

__all__ = [
    "RUNGS",
    "Rung",
    "close_gates",
    "gemm_bound",
    "rung",
]

"""The LSTM and GRU in PyTorch, from the equations and as its own layers; weights read from them."""

from lstm_ref.frameworks.torch import (
    best_device,
    deep_forward_torch,
    gru_forward_torch,
    gru_step_torch,
    lstm_forward_torch,
    lstm_step_torch,
    params_from_torch,
    run_torch,
    torch_gru,
    torch_lstm,
)

__all__ = [
    "best_device",
    "deep_forward_torch",
    "gru_forward_torch",
    "gru_step_torch",
    "lstm_forward_torch",
    "lstm_step_torch",
    "params_from_torch",
    "run_torch",
    "torch_gru",
    "torch_lstm",
]

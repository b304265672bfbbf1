"""Checks of gradients against the loss itself."""

from lstm_ref.learn.gradcheck import (
    check_backward,
    check_gradients,
    numerical_gradient,
)

__all__ = [
    "check_backward",
    "check_gradients",
    "numerical_gradient",
]

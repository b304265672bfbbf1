"""Optimisers as pure functions, clipping, penalties, schedules of the step size."""

from lstm_ref.learn.optim import (
    AdamState,
    adam,
    adam_init,
    adamw,
    clip_by_norm,
    clip_by_value,
    l1_penalty,
    l2_penalty,
    momentum,
    momentum_init,
    rmsprop,
    rmsprop_init,
    sgd,
)
from lstm_ref.learn.schedules import PlateauState, cosine, plateau, step_decay, warm_up

__all__ = [
    "AdamState",
    "PlateauState",
    "adam",
    "adam_init",
    "adamw",
    "clip_by_norm",
    "clip_by_value",
    "cosine",
    "l1_penalty",
    "l2_penalty",
    "momentum",
    "momentum_init",
    "plateau",
    "rmsprop",
    "rmsprop_init",
    "sgd",
    "step_decay",
    "warm_up",
]

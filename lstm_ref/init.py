"""Initial weights."""

from lstm_ref.learn.init import (
    chrono_bias,
    glorot_uniform,
    he_normal,
    init_affine,
    init_gru,
    init_lstm,
    init_rnn,
    init_variant,
    orthogonal,
)

__all__ = [
    "chrono_bias",
    "glorot_uniform",
    "he_normal",
    "init_affine",
    "init_gru",
    "init_lstm",
    "init_rnn",
    "init_variant",
    "orthogonal",
]

"""Layers around the LSTM, gathered from their modules.

Each layer is a pair of functions. Forward returns its result and a cache; backward takes the
gradient of the result and that cache, and returns the gradient of each argument.

    embedding_forward(ids, W)           word vectors by their numbers
    affine_forward(x, W, b)             x W + b
    dropout_forward(x, rate, rng)       dropout:   numbers set to zero by chance, in training
    masked_lstm_forward(..., mask)      masked:    sequences of many lengths; _gru_, _rnn_ too
    bidirectional_forward(...)          stacked:   one layer in each direction
    stacked_forward(...)                stacked:   one layer on another, with dropout between
    dot_attention_forward(...)          attention: a weighted mean over a sequence; additive_ too
"""

from lstm_ref.layers.attention import (
    additive_attention_backward,
    additive_attention_forward,
    dot_attention_backward,
    dot_attention_forward,
)
from lstm_ref.layers.basic import (
    AffineCache,
    AffineGrads,
    EmbeddingCache,
    affine_backward,
    affine_forward,
    embedding_backward,
    embedding_forward,
)
from lstm_ref.layers.dropout import DropoutCache, dropout_backward, dropout_forward
from lstm_ref.layers.masked import (
    MaskedCache,
    masked_gru_backward,
    masked_gru_forward,
    masked_lstm_backward,
    masked_lstm_forward,
    masked_rnn_backward,
    masked_rnn_forward,
    padding_mask,
    reverse_sequences,
)
from lstm_ref.layers.stacked import (
    BidirectionalCache,
    BidirectionalGrads,
    StackedCache,
    StackedGrads,
    bidirectional_backward,
    bidirectional_forward,
    stacked_backward,
    stacked_forward,
)

__all__ = [
    "AffineCache",
    "AffineGrads",
    "BidirectionalCache",
    "BidirectionalGrads",
    "DropoutCache",
    "EmbeddingCache",
    "MaskedCache",
    "StackedCache",
    "StackedGrads",
    "additive_attention_backward",
    "additive_attention_forward",
    "affine_backward",
    "affine_forward",
    "bidirectional_backward",
    "bidirectional_forward",
    "dot_attention_backward",
    "dot_attention_forward",
    "dropout_backward",
    "dropout_forward",
    "embedding_backward",
    "embedding_forward",
    "masked_gru_backward",
    "masked_gru_forward",
    "masked_lstm_backward",
    "masked_lstm_forward",
    "masked_rnn_backward",
    "masked_rnn_forward",
    "padding_mask",
    "reverse_sequences",
    "stacked_backward",
    "stacked_forward",
]

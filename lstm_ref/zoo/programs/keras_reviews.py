"""Topics of padded reviews: the functional style, an embedding that makes the mask, an LSTM, a
softmax.
"""

from __future__ import annotations

import keras
import numpy as np
from keras import layers

from lstm_ref.zoo.programs.registry import Array, Case


def reviews(count: int, T: int, V: int, C: int, seed: int) -> tuple[Array, Array, Array]:
    """Tokens (count, T), lengths and topics; one word of a review says its topic, 0 is padding."""
    rng = np.random.default_rng(seed)
    topics = rng.integers(C, size=count)
    lengths = rng.integers(T // 2, T - 1, size=count)
    tokens = rng.integers(C + 1, V, size=(count, T))
    tokens[np.arange(count), rng.integers(T // 2, size=count)] = 1 + topics
    tokens[np.arange(T) >= lengths[:, None]] = 0
    return tokens, lengths, topics


def program(
    seed: int = 0,
    N: int = 16,
    T: int = 14,
    V: int = 24,
    E: int = 8,
    H: int = 12,
    C: int = 3,
    rate: float = 1e-2,
) -> Case:
    tokens, lengths, topics = reviews(20 * N, T, V, C, seed)
    held_out, _, answers = reviews(64, T, V, C, seed + 1000)

    words = keras.Input((None,), dtype="int32")
    embedded = layers.Embedding(V, E, mask_zero=True)(words)
    state = layers.LSTM(H)(embedded)
    scores = layers.Dense(C)(state)
    chances = layers.Softmax()(scores)
    model = keras.Model(words, chances)
    loss = keras.losses.SparseCategoricalCrossentropy()
    model.compile(keras.optimizers.Adam(rate), loss=loss)

    def fit(steps: int) -> None:
        model.fit(tokens, topics, batch_size=N, epochs=-(-steps // 20), verbose=0)

    def error() -> float:
        return float(np.mean(model.predict_on_batch(held_out).argmax(axis=1) != answers))

    batch = tokens[:N], topics[:N]
    arguments = {"lengths": lengths[:N]}
    return Case(model, batch, None, None, arguments, fit, error, model.predict_on_batch)

"""A tag for each word of padded sentences: two directions, a shared dense layer, weights for what
counts.
"""

from __future__ import annotations

import keras
import numpy as np
from keras import layers

from lstm_ref.zoo.programs.registry import Array, Case


def sentences(count: int, T: int, V: int, C: int, seed: int) -> tuple[Array, Array, Array]:
    """Tokens (count, T), tags (count, T) by the word and the next one, and lengths."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(T // 2, T - 1, size=count)
    tokens = rng.integers(1, V, size=(count, T))
    tokens[np.arange(T) >= lengths[:, None]] = 0
    after = np.pad(tokens, ((0, 0), (0, 1)))[:, 1:]
    tags = (tokens + after % 2) % C
    return tokens, tags, lengths


def program(
    seed: int = 0,
    N: int = 16,
    T: int = 12,
    V: int = 9,
    E: int = 8,
    H: int = 12,
    C: int = 3,
    rate: float = 2e-2,
) -> Case:
    tokens, tags, lengths = sentences(20 * N, T, V, C, seed)
    held_out, answers, ends = sentences(32, T, V, C, seed + 1000)

    model = keras.Sequential(
        [
            keras.Input((None,), dtype="int32"),
            layers.Embedding(V, E, mask_zero=True),
            layers.Bidirectional(layers.LSTM(H, return_sequences=True)),
            layers.Dense(C, activation="softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy")
    model.optimizer.learning_rate = rate

    def fit(steps: int) -> None:
        model.fit(tokens, tags, batch_size=N, epochs=-(-steps // 20), verbose=0)

    def error() -> float:
        found = model.predict_on_batch(held_out).argmax(axis=-1)
        inside = np.arange(T) < ends[:, None]
        return float(np.mean(found[inside] != answers[inside]))

    batch = tokens[:N], tags[:N]
    arguments = {"lengths": lengths[:N]}
    return Case(model, batch, None, None, arguments, fit, error, model.predict_on_batch)

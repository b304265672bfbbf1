"""Machines that are worn: a stateful LSTM with its batch size fixed, over recordings cut to
pieces.
"""

from __future__ import annotations

import keras
import numpy as np
from keras import layers

from lstm_ref.zoo.programs.registry import Array, Case


def recordings(count: int, T: int, D: int, seed: int) -> tuple[Array, Array]:
    """Noise (count, T, D) around a level of its own for each machine; the target is that level."""
    rng = np.random.default_rng(seed)
    level = rng.uniform(-1, 1, size=(count, 1, 1))
    x = level + 0.5 * rng.normal(size=(count, T, D))
    return x.astype("float32"), level[:, 0].astype("float32")


def program(
    seed: int = 0, N: int = 16, T: int = 10, D: int = 3, H: int = 12, rate: float = 1e-2
) -> Case:
    x, y = recordings(20 * N, T, D, seed)
    x_valid, y_valid = recordings(N, T, D, seed + 1000)

    model = keras.Sequential()
    model.add(keras.Input(batch_shape=(N, T, D)))
    model.add(layers.LSTM(H, return_sequences=True))
    model.add(layers.LSTM(H, name="summary"))
    model.add(layers.Dense(1, activation="tanh"))
    optimizer = keras.optimizers.Adam(learning_rate=rate, clipnorm=1.0)
    model.compile(loss="mean_squared_error", optimizer=optimizer)

    def fit(steps: int) -> None:
        model.fit(x, y, batch_size=N, epochs=-(-steps // 20), verbose=0)

    def error() -> float:
        predicted = model.predict_on_batch(x_valid)
        return float(np.mean((predicted - y_valid) ** 2) / np.var(y_valid))

    batch = x[:N], y[:N]
    return Case(model, batch, None, None, {}, fit, error, model.predict_on_batch)

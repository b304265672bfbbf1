"""Did two sensors peak together? A subclassed model with one output: the chance of an event."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from lstm_ref.zoo.programs.registry import Array, Case


class EventModel(keras.Model):  # type: ignore[misc]
    """Chance (N, 1) of an event in a window (N, T, D)."""

    def __init__(self, H: int, **options: Any) -> None:
        super().__init__(**options)
        self.into = layers.Dense(H, activation="tanh")
        self.recurrent = layers.LSTM(H)
        self.dropout = layers.Dropout(0.1)
        self.out = layers.Dense(1, activation="sigmoid")

    def call(self, x: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        centred = x - ops.mean(x, axis=1, keepdims=True)
        features = self.into(centred)
        h = self.recurrent(features)
        h = self.dropout(h, training=training)
        return self.out(h)


def windows(count: int, T: int, D: int, seed: int) -> tuple[Array, Array]:
    """Noise (count, T, D), in half of the windows with a bump in the first half; labels 0 and 1."""
    rng = np.random.default_rng(seed)
    x = 0.3 * rng.normal(size=(count, T, D)).astype("float32")
    labels = rng.integers(2, size=count).astype("float32")
    for row, start in enumerate(rng.integers(T // 2, size=count)):
        x[row, start : start + 3, :2] += 2 * labels[row] - 1
    return x, labels[:, None]


def program(
    seed: int = 0, N: int = 16, T: int = 12, D: int = 4, H: int = 12, rate: float = 1e-2
) -> Case:
    x_train, y_train = windows(20 * N, T, D, seed)
    x_valid, y_valid = windows(64, T, D, seed + 1000)

    model = EventModel(H)
    loss = keras.losses.BinaryCrossentropy()
    model.compile(keras.optimizers.RMSprop(rate), loss=loss)
    model(x_train[:1])

    def fit(steps: int) -> None:
        model.fit(x_train, y_train, batch_size=N, epochs=-(-steps // 20), verbose=0)

    def error() -> float:
        found = model.predict_on_batch(x_valid) > 0.5
        return float(np.mean(found != (y_valid > 0.5)))

    batch = x_train[:N], y_train[:N]
    return Case(model, batch, None, None, {}, fit, error, model.predict_on_batch)

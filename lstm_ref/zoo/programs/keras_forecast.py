"""The next value of a noisy wave from a window of the values before: Sequential, compiled,
fitted.
"""

from __future__ import annotations

import keras
import numpy as np
from keras import layers

from lstm_ref.zoo.programs.registry import Array, Case


def wave(count: int, seed: int) -> Array:
    """Two swings and a little noise, between about -2 and 2."""
    rng = np.random.default_rng(seed)
    t = np.arange(count) + rng.uniform(0, 100)
    series = np.sin(2 * np.pi * t / 11) + 0.8 * np.cos(2 * np.pi * t / 4.6)
    noisy: Array = series + 0.05 * rng.normal(size=count)
    return noisy.astype("float32")


def windows(series: Array, T: int) -> tuple[Array, Array]:
    """Inputs (count, T, 1) and the value after each (count, 1)."""
    x = np.stack([series[k : k + T] for k in range(len(series) - T)])
    y = series[T:]
    x = x.reshape(-1, T, 1)
    return x, y.reshape(-1, 1)


def program(
    seed: int = 0, N: int = 16, T: int = 12, H: int = 12, depth: int = 1, rate: float = 1e-2
) -> Case:
    series = wave(400, seed)
    train, valid = series[:300], series[300:]
    x_train, y_train = windows(train, T)
    x_valid, y_valid = windows(valid, T)
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(x_train))
    x_train, y_train = x_train[order], y_train[order]

    model = keras.Sequential([keras.Input(x_train.shape[1:])])
    for _ in range(depth - 1):
        model.add(layers.LSTM(H, return_sequences=True))
    model.add(layers.LSTM(H))
    model.add(layers.Dense(1))
    model.compile(optimizer=keras.optimizers.Adam(rate), loss="mse")

    def fit(steps: int) -> None:
        epochs = -(-steps * N // len(x_train))
        model.fit(x_train, y_train, batch_size=N, epochs=epochs, verbose=0)

    def error() -> float:
        predicted = model.predict_on_batch(x_valid).reshape(len(y_valid), -1)
        return float(np.mean((predicted - y_valid) ** 2) / np.var(y_valid))

    batch = x_train[:N], y_train[:N]
    arguments = {"train": (x_train, y_train), "valid": (x_valid, y_valid)}
    return Case(model, batch, None, None, arguments, fit, error, model.predict_on_batch)

"""The next character: a functional model that sees what came before, trained by a loop of one's
own.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from lstm_ref.zoo.programs.registry import Array, Case


def texts(count: int, T: int, V: int, seed: int) -> tuple[Array, Array]:
    """Text that counts up by one or by two, and the same text one character on."""
    rng = np.random.default_rng(seed)
    by = rng.integers(1, 3, size=(count, 1))
    text = (rng.integers(V, size=(count, 1)) + by * np.arange(T + 1)) % V
    return text[:, :-1], text[:, 1:]


def program(
    seed: int = 0,
    N: int = 16,
    T: int = 10,
    V: int = 7,
    E: int = 6,
    H: int = 12,
    rate: float = 2e-2,
) -> Case:
    x, y = texts(20 * N, T, V, seed)
    x_valid, y_valid = texts(32, T, V, seed + 1000)

    before = keras.Input((None,), dtype="int64")
    embedded = layers.Embedding(V, E)(before)
    hidden = layers.LSTM(H, return_sequences=True)(embedded)
    after = layers.Dense(V)(hidden)
    model = keras.Model(before, after)
    loss_fn = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    optimizer = keras.optimizers.Adam(rate)
    model.compile(optimizer, loss_fn)
    optimizer.build(model.trainable_variables)

    def train_step(batch: tuple[Any, Any]) -> Any:
        inputs, targets = batch
        with tf.GradientTape() as tape:
            logits = model(inputs, training=True)
            loss = loss_fn(targets, logits)
        weights = model.trainable_variables
        gradients = tape.gradient(loss, weights)
        gradients, norm = tf.clip_by_global_norm(gradients, 1.0)
        optimizer.apply(gradients, weights)
        return loss

    def fit(steps: int) -> None:
        compiled = tf.function(train_step)
        for k in range(steps):
            rows = np.arange(k * N, (k + 1) * N) % len(x)
            compiled((tf.constant(x[rows]), tf.constant(y[rows])))

    def error() -> float:
        return float(np.mean(model.predict_on_batch(x_valid)[:, 2:].argmax(-1) != y_valid[:, 2:]))

    batch = x[:N], y[:N]
    arguments = {"causal": True, "step": train_step}
    return Case(model, batch, None, None, arguments, fit, error, model.predict_on_batch)

"""Is a number larger than the one before it? Tags for every step of sequences of different length,
in NumPy.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from lstm_ref import lstm_backward, lstm_forward
from lstm_ref.learn.losses import cross_entropy
from lstm_ref.learn.optim import sgd
from lstm_ref.zoo.programs.registry import Array, Case

Params = dict[str, Array]


def run(params: Params, x: Array) -> tuple[Array, Array, Any]:
    """Logits (N, T, 2), states (N, T, H), cache."""
    N, T, D = x.shape
    start = np.zeros((N, len(params["Wh"])))
    steps = x
    h, _, cache = lstm_forward(steps, start, start, params["Wx"], params["Wh"], params["b"])
    return h @ params["V"] + params["k"], h, cache


def forward(params: Params, x: Array) -> Array:
    return run(params, x)[0]


def criterion(logits: Array, y: Array) -> tuple[float, Array]:
    flat, tags = logits.reshape(-1, logits.shape[-1]), y.reshape(-1)
    counted = tags >= 0
    loss, dflat = cross_entropy(flat, np.where(counted, tags, 0), counted)
    return loss, dflat.reshape(logits.shape)


def step(params: Params, batch: tuple[Array, Array]) -> tuple[float, Params]:
    x, y = batch
    logits, h, cache = run(params, x)
    loss, dlogits = criterion(logits, y)
    back = lstm_backward(dlogits @ params["V"].T, cache)
    outer = {"V": np.einsum("nth,ntk->hk", h, dlogits), "k": dlogits.sum(axis=(0, 1))}
    return loss, {"Wx": back.dWx, "Wh": back.dWh, "b": back.db, **outer}


def data(count: int, T: int, D: int, rng: np.random.Generator) -> tuple[Array, Array, Array]:
    """Numbers (count, T, D), tags (count, T) with -1 at padding, lengths (count,)."""
    lengths = rng.integers(T // 2, T + 1, size=count)
    lengths[0] = T
    outside = np.arange(T) >= lengths[:, None]
    x = rng.normal(size=(count, T, D))
    tags = (x[:, :, 0] > np.pad(x[:, :-1, 0], ((0, 0), (1, 0)))).astype(int)
    x[outside] = 0
    tags[outside] = -1
    return x, tags, lengths


def program(
    seed: int = 0, N: int = 10, T: int = 12, D: int = 3, H: int = 12, rate: float = 2.0
) -> Case:
    rng = np.random.default_rng(seed)
    shapes = {"Wx": (D, 4 * H), "Wh": (H, 4 * H), "V": (H, 2)}
    params = {name: rng.normal(size=shape) / shape[0] ** 0.5 for name, shape in shapes.items()}
    params |= {"b": np.zeros(4 * H), "k": np.zeros(2)}
    x_train, y_train, lengths = data(20 * N, T, D, rng)
    x_test, y_test, _ = data(64, T, D, rng)

    def update(params: Params, grads: Params) -> Params:
        return sgd(params, grads, rate)

    def train(steps: int) -> None:
        for k in range(steps):
            rows = np.arange(k * N, (k + 1) * N) % len(x_train)
            _, grads = step(params, (x_train[rows], y_train[rows]))
            params.update(update(params, grads))

    def predict(x: Array) -> Array:
        return forward(params, x)

    def error_rate() -> float:
        counted = np.arange(T) < 4  # steps that every sequence has
        return float((predict(x_test).argmax(axis=2) != y_test)[:, counted].mean())

    arguments = {"forward": forward, "step": step, "lengths": lengths[:N]}
    return Case(
        params, (x_train[:N], y_train[:N]), criterion, update, arguments, train, error_rate, predict
    )

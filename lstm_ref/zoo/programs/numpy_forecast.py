"""The next value of a noisy wave, in NumPy: windows, a scaler, one output."""

from __future__ import annotations

from typing import Any

import numpy as np

from lstm_ref import lstm_backward, lstm_forward
from lstm_ref.learn.optim import adam, adam_init
from lstm_ref.zoo.programs.registry import Array, Case

Params = dict[str, Array]


def run(params: Params, x: Array) -> tuple[Array, Array, Any]:
    """Forecasts (N, 1), states (N, T, H), cache."""
    start = np.zeros((len(x), len(params["Wh"])))
    h, _, cache = lstm_forward(x, start, start, params["Wx"], params["Wh"], params["b"])
    forecast = h[:, -1] @ params["V"] + params["k"]
    return forecast, h, cache


def forward(params: Params, x: Array) -> Array:
    return run(params, x)[0]


def criterion(forecast: Array, y: Array) -> tuple[float, Array]:
    off = forecast - y[:, None]
    return float((off**2).mean()), 2 * off.sum(axis=1, keepdims=True) / off.size


def step(params: Params, batch: tuple[Array, Array]) -> tuple[float, Params]:
    x, y = batch
    forecast, h, cache = run(params, x)
    loss, d = criterion(forecast, y)
    dh = np.zeros_like(h)
    dh[:, -1] = d @ params["V"].T
    back = lstm_backward(dh, cache)
    return loss, {
        "Wx": back.dWx,
        "Wh": back.dWh,
        "b": back.db,
        "V": h[:, -1].T @ d,
        "k": d.sum(axis=0),
    }


def wave(count: int, rng: np.random.Generator) -> Array:
    """Two swings and noise."""
    t = np.arange(count) + rng.uniform(0, 100)
    swings = np.sin(2 * np.pi * t / 9.3) + 0.7 * np.sin(2 * np.pi * t / 4.1)
    noise = rng.normal(size=count)
    return np.asarray(3000 + 400 * swings + 30 * noise)


def program(seed: int = 0, N: int = 16, T: int = 12, H: int = 16, rate: float = 1e-2) -> Case:
    rng = np.random.default_rng(seed)
    series = wave(500, rng)
    cut = 350
    mean, std = series[:cut].mean(), series[:cut].std()
    x_of, y_of = (series - mean) / std, (series - mean) / std
    windows = np.stack([x_of[k : k + T] for k in range(len(series) - T)])[:, :, None]
    after = y_of[T:]
    x_train, y_train = windows[: cut - T], after[: cut - T]
    x_valid = windows[cut:]
    order = rng.permutation(len(x_train))
    x_train, y_train = x_train[order], y_train[order]
    shapes = {"Wx": (1, 4 * H), "Wh": (H, 4 * H), "V": (H, 1)}
    params = {name: rng.normal(size=shape) / shape[0] ** 0.5 for name, shape in shapes.items()}
    params |= {"b": np.zeros(4 * H), "k": np.zeros(1)}
    memory = [adam_init(params)]

    def update(params: Params, grads: Params) -> Params:
        params, memory[0] = adam(params, grads, memory[0], lr=rate)
        return params

    def train(steps: int) -> None:
        for k in range(steps):
            rows = np.arange(k * N, (k + 1) * N) % len(x_train)
            _, grads = step(params, (x_train[rows], y_train[rows]))
            params.update(update(params, grads))

    def predict(x: Array) -> Array:
        return forward(params, x)

    def error() -> float:
        """Squared error in the series' own units next to its variance."""
        off = predict(x_valid)[:, 0] - (series[T:][cut:] - mean) / std
        return float((off**2).mean())

    arguments = {"forward": forward, "step": step}
    return Case(
        params, (x_train[:N], y_train[:N]), criterion, update, arguments, train, error, predict
    )

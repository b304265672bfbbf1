"""Which symbol came first? An LSTM in NumPy with its backward pass written out, and SGD with
momentum.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from lstm_ref.zoo.programs.registry import Array, Case

STATE: dict[int, Any] = {}
Params = dict[str, Array]


def sigmoid(a: Array) -> Array:
    return 1 / (1 + np.exp(-a))


def init(D: int, H: int, K: int, rng: np.random.Generator) -> Params:
    shapes = {"Wx": (D, 4 * H), "Wh": (H, 4 * H), "V": (H, K)}
    params = {name: rng.normal(size=shape) / shape[0] ** 0.5 for name, shape in shapes.items()}
    b = np.zeros(4 * H)
    b[H : 2 * H] = 1.0
    return {**params, "b": b, "k": np.zeros(K)}


def run(params: Params, x: Array) -> tuple[Array, Array, list[Any]]:
    x = x - 0.1
    N, T, _ = x.shape
    H = len(params["Wh"])
    h, c = np.zeros((N, H)), np.zeros((N, H))
    cache = []
    for t in range(T):
        a = x[:, t] @ params["Wx"] + h @ params["Wh"] + params["b"]
        i, f, o = (sigmoid(a[:, k * H : (k + 1) * H]) for k in (0, 1, 3))
        g = np.tanh(a[:, 2 * H : 3 * H])
        before = h, c
        c = f * c + i * g
        h = o * np.tanh(c)
        cache.append((x[:, t], before, i, f, g, o, c))
    logits = h @ params["V"] + params["k"]
    return logits, h, cache


def forward(params: Params, x: Array) -> Array:
    return run(params, x)[0]


def criterion(logits: Array, y: Array) -> tuple[float, Array]:
    rows = np.arange(len(y))
    e = np.exp(logits - logits.max(axis=1, keepdims=True))
    p = e / e.sum(axis=1, keepdims=True)
    value = -np.log(p[rows, y]).mean()
    p[rows, y] -= 1
    return float(value), p / len(y)


def step(params: Params, batch: tuple[Array, Array]) -> tuple[float, Params]:
    x, y = batch
    logits, h, cache = run(params, x)
    value, dlogits = criterion(logits, y)
    grads = {name: np.zeros_like(array) for name, array in params.items()}
    grads["V"] = h.T @ dlogits
    grads["k"] = dlogits.sum(axis=0)
    dh = dlogits @ params["V"].T
    dc = np.zeros_like(dh)
    for x_t, (h_before, c_before), i, f, g, o, c in reversed(cache):
        tanh_c = np.tanh(c)
        dc = dc + dh * o * (1 - tanh_c**2)
        di, df, dg, do = dc * g, dc * c_before, dc * i, dh * tanh_c
        ai, af, ag, ao = di * i * (1 - i), df * f * (1 - f), dg * (1 - g**2), do * o * (1 - o)
        da = np.concatenate([ai, af, ag, ao], axis=1)
        grads["Wx"] += x_t.T @ da
        grads["Wh"] += h_before.T @ da
        grads["b"] += da.sum(axis=0)
        dh = da @ params["Wh"].T
        dc = dc * f
    return value, grads


def sequences(count: int, T: int, D: int, rng: np.random.Generator) -> tuple[Array, Array]:
    """One-hot symbols with noise (count, T, D), and the symbol of the first two steps (count,)."""
    y = rng.integers(D, size=count)
    symbols = rng.integers(D, size=(count, T))
    symbols[:, :2] = y[:, None]
    return np.eye(D)[symbols] + 0.1 * rng.normal(size=(count, T, D)), y


def program(
    seed: int = 0, N: int = 16, T: int = 8, D: int = 4, H: int = 16, rate: float = 0.3
) -> Case:
    rng = np.random.default_rng(seed)
    params = init(D, H, D, rng)
    x_train, y_train = sequences(20 * N, T, D, rng)
    x_test, y_test = sequences(64, T, D, rng)
    speed = {name: np.zeros_like(array) for name, array in params.items()}

    def update(params: Params, grads: Params) -> Params:
        for name, grad in grads.items():
            speed[name] = 0.9 * speed[name] + 0.1 * grad
        return {name: array - rate * speed[name] for name, array in params.items()}

    def train(steps: int) -> None:
        for k in range(steps):
            rows = np.arange(k * N, (k + 1) * N) % len(x_train)
            _, grads = step(params, (x_train[rows], y_train[rows]))
            params.update(update(params, grads))

    def predict(x: Array) -> Array:
        return forward(params, x)

    def error_rate() -> float:
        return float((predict(x_test).argmax(axis=1) != y_test).mean())

    batch = (x_train[:N], y_train[:N])
    return Case(
        params,
        batch,
        criterion,
        update,
        {"forward": forward, "step": step},
        train,
        error_rate,
        predict,
    )

"""The next value of a noisy wave from a window of the values before, with a scaler and a split by
time.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from lstm_ref.zoo.programs.registry import Case


class Forecaster(nn.Module):  # type: ignore[misc]
    """Forecasts (N, 1) of windows (N, T)."""

    def __init__(self, T: int, H: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(1, H, batch_first=True)
        self.linear = nn.Linear(H, 1)

    def forward(self, window: Tensor) -> Tensor:
        window = window.unsqueeze(-1)
        _, (h, _) = self.lstm(window)
        forecast = self.linear(h[-1])
        return forecast


def wave(count: int, seed: int) -> np.ndarray:
    """Two swings, a slow rise and noise."""
    rng = np.random.default_rng(seed)
    t = np.arange(count) + rng.uniform(0, 100)
    swings = np.sin(2 * np.pi * t / 9.3) + 0.7 * np.sin(2 * np.pi * t / 4.1)
    noise = rng.normal(size=count)
    return 2000 + 0.7 * t + 500 * swings + 30 * noise  # type: ignore[no-any-return]


def windows(series: np.ndarray, T: int) -> tuple[Tensor, Tensor]:
    """Windows (count, T), and the value after each (count, 1)."""
    x = np.stack([series[k : k + T] for k in range(len(series) - T)])
    y = series[T:]
    dtype = torch.get_default_dtype()
    x, y = torch.tensor(x, dtype=dtype), torch.tensor(y, dtype=dtype)
    return x, y[:, None]


def program(seed: int = 0, N: int = 16, T: int = 12, H: int = 16, rate: float = 1e-2) -> Case:
    torch.manual_seed(seed)
    series = wave(500, seed)
    cut = 350
    past = series[:cut]
    mean, std = past.mean(), past.std()
    series = (series - mean) / std
    x_train, y_train = windows(series[:cut], T)
    x_valid, y_valid = windows(series[cut:], T)

    order = torch.randperm(len(x_train))
    x_train, y_train = x_train[order], y_train[order]

    model = Forecaster(T, H)
    mse = nn.MSELoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=rate)

    def train(steps: int) -> None:
        for k in range(steps):
            rows = torch.arange(k * N, (k + 1) * N) % len(x_train)
            optimizer.zero_grad()
            loss = mse(model(x_train[rows]), y_train[rows])
            loss.backward()
            optimizer.step()

    @torch.no_grad()  # type: ignore[untyped-decorator]
    def predict(window: Tensor) -> Tensor:
        return model(window)

    def error() -> float:
        off = predict(x_valid).flatten() - y_valid.flatten()
        return float(off.square().mean() / y_valid.var())

    arguments = {"train": (x_train, y_train), "valid": (x_valid, y_valid)}
    batch = x_train[:N], y_train[:N]
    return Case(model, batch, mse, optimizer, arguments, train, error, predict)

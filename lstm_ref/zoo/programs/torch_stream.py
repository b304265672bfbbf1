"""A long recording in stretches: the state goes on from one stretch to the next."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from lstm_ref.zoo.programs.registry import Case


class Stream(nn.Module):  # type: ignore[misc]
    """Outputs (N, T, 1) of a stretch (N, T, 1), and the state at its end."""

    def __init__(self, H: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(1, H, batch_first=True)
        self.out = nn.Linear(H, 1)

    def forward(self, x: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        hidden, state = self.lstm(x, state)
        return self.out(hidden), state


def recording(N: int, length: int, seed: int) -> tuple[Tensor, Tensor]:
    """Noise (N, length, 1) and its running mean, which forgets a fifth at each step."""
    rng = torch.Generator().manual_seed(seed)
    x = torch.randn(N, length, 1, generator=rng)
    mean = [x[:, 0] / 5]
    for t in range(1, length):
        mean.append(0.8 * mean[-1] + 0.2 * x[:, t])
    return x, 2 * torch.stack(mean, dim=1)


def program(seed: int = 0, N: int = 8, T: int = 12, H: int = 12, rate: float = 1e-2) -> Case:
    torch.manual_seed(seed)
    model = Stream(H)
    optimizer = torch.optim.Adam(model.parameters(), lr=rate)
    x, y = recording(N, 20 * T, seed + 1)
    x_test, y_test = recording(N, T, seed + 2)
    state = None

    def loss_fn(outputs: tuple[Tensor, Any], targets: Tensor) -> Tensor:
        return nn.functional.mse_loss(outputs[0], targets)

    def step(batch: tuple[Tensor, Tensor]) -> Tensor:
        nonlocal state
        optimizer.zero_grad()
        predicted, state = model(batch[0], state)
        state = tuple(part.detach() for part in state)
        loss = nn.functional.mse_loss(predicted, batch[1])
        loss.backward()
        optimizer.step()
        return loss

    def train(steps: int) -> None:
        for k in range(steps):
            start = k * T % x.shape[1]
            step((x[:, start : start + T], y[:, start : start + T]))

    @torch.no_grad()  # type: ignore[untyped-decorator]
    def predict(inputs: Tensor) -> Tensor:
        return model(inputs)[0]

    def error() -> float:
        return float((predict(x_test) - y_test).square().mean() / y_test.var())

    batch = x[:, :T], y[:, :T]
    return Case(model, batch, loss_fn, optimizer, {"step": step}, train, error, predict)

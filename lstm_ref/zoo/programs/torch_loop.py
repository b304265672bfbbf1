"""A training loop with momentum, a schedule, clipping and a look at validation every few
batches.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lstm_ref.zoo.programs.registry import Case


class Regressor(nn.Module):  # type: ignore[misc]
    """One number (N, 1) for each sequence (N, T, D)."""

    def __init__(self, D: int, H: int) -> None:
        super().__init__()
        self.recurrent = nn.LSTM(D, H, num_layers=2, dropout=0.1, batch_first=True)
        self.read = nn.Sequential(nn.Dropout(0.1), nn.Linear(H, 1))

    def forward(self, x: Tensor) -> Tensor:
        hidden, _ = self.recurrent(x)
        return self.read(hidden.mean(dim=1))


def levels(count: int, T: int, D: int, seed: int) -> tuple[Tensor, Tensor]:
    """Noise around a level, and the level."""
    rng = torch.Generator().manual_seed(seed)
    level = 2 * torch.rand(count, 1, generator=rng) - 1
    return level[:, None] + 0.5 * torch.randn(count, T, D, generator=rng), 2 * level


def program(
    seed: int = 0, N: int = 16, T: int = 10, D: int = 3, H: int = 12, rate: float = 5e-2
) -> Case:
    torch.manual_seed(seed)
    x_train, y_train = levels(25 * N, T, D, seed + 1)
    x_valid, y_valid = levels(64, T, D, seed + 2)

    net = Regressor(D, H)
    mse = nn.MSELoss()
    optimizer = torch.optim.SGD(net.parameters(), lr=rate, momentum=0.9)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=500, gamma=0.5)
    history, count = [], 0

    @torch.no_grad()  # type: ignore[untyped-decorator]
    def validate() -> float:
        net.eval()
        loss = mse(net(x_valid), y_valid)
        net.train(True)
        return float(loss / y_valid.var())

    def step(batch: tuple[Tensor, Tensor]) -> Tensor:
        nonlocal count
        x, y = batch
        optimizer.zero_grad()
        loss = mse(net(x), y)
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 0.5)
        optimizer.step()
        scheduler.step()
        history.append(loss.detach())
        count += 1
        if count % 10 == 0:
            validate()
        return loss

    def train(steps: int) -> None:
        net.train()
        for k in range(steps):
            rows = torch.arange(k * N, (k + 1) * N) % len(x_train)
            step((x_train[rows], y_train[rows]))

    @torch.no_grad()  # type: ignore[untyped-decorator]
    def predict(x: Tensor) -> Tensor:
        net.eval()
        return net(x)

    batch = x_train[:N], y_train[:N]
    return Case(net, batch, mse, optimizer, {"step": step}, train, validate, predict)

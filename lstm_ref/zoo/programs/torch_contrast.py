"""Which two windows are of one recording? Every other example of the batch is a counter-example."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lstm_ref.zoo.programs.registry import Case


class Fingerprint(nn.Module):  # type: ignore[misc]
    """A vector (N, H) of length 1 for each window (N, T, D)."""

    def __init__(self, D: int, H: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(D, H, batch_first=True)

    def forward(self, window: Tensor) -> Tensor:
        _, (h, _) = self.lstm(window)
        return F.normalize(h[-1], dim=-1)


def windows(count: int, T: int, D: int, seed: int) -> tuple[Tensor, Tensor]:
    """Two windows (count, T, D) of each recording: its own level, and noise."""
    rng = torch.Generator().manual_seed(seed)
    level = torch.randn(count, 1, D, generator=rng)
    noise = 0.5 * torch.randn(2, count, T, D, generator=rng)
    return level + noise[0], level + noise[1]


def program(
    seed: int = 0, N: int = 16, T: int = 10, D: int = 6, H: int = 16, rate: float = 1e-2
) -> Case:
    torch.manual_seed(seed)
    model = Fingerprint(D, H)
    optimizer = torch.optim.Adam(model.parameters(), lr=rate)
    one, other = windows(20 * N, T, D, seed + 1)
    new, new_other = windows(N, T, D, seed + 2)

    def loss_fn(vectors: Tensor, others: Tensor) -> Tensor:
        alike = vectors @ model(others).T / 0.1
        return F.cross_entropy(alike, torch.arange(len(alike)))

    def train(steps: int) -> None:
        for k in range(steps):
            rows = torch.arange(k * N, (k + 1) * N) % len(one)
            optimizer.zero_grad()
            loss_fn(model(one[rows]), other[rows]).backward()
            optimizer.step()

    @torch.no_grad()  # type: ignore[untyped-decorator]
    def predict(x: Tensor) -> Tensor:
        return model(x)

    def error() -> float:
        found = (predict(new) @ predict(new_other).T).argmax(1)
        return float((found != torch.arange(len(new))).double().mean())

    return Case(model, (one[:N], other[:N]), loss_fn, optimizer, {}, train, error, predict)

"""Activities from a window of sensor readings: an LSTM, its last output, a linear layer."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lstm_ref.zoo.programs.registry import Case


class ActivityClassifier(nn.Module):  # type: ignore[misc]
    """Logits (N, C) of a window (N, T, D)."""

    def __init__(self, D: int, H: int, C: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(D, H, batch_first=True)
        self.head = nn.Linear(H, C)

    def forward(self, x: Tensor) -> Tensor:
        mean = x.mean(dim=1, keepdim=True)
        std = x.std(dim=1, keepdim=True, correction=0)
        x = (x - mean) / (std + 1e-5)
        out, (h, c) = self.lstm(x)
        last = out[:, -1]
        last = F.dropout(last, 0.1, training=self.training)
        scores = self.head(last)
        return scores


def windows(count: int, T: int, D: int, C: int, seed: int) -> tuple[Tensor, Tensor]:
    """Noise (count, T, D); before its last third each sensor swings by the activity's own level."""
    levels = 1.5 * torch.randn(C, 1, D, generator=torch.Generator().manual_seed(7))
    rng = torch.Generator().manual_seed(seed)
    y = torch.randint(C, (count,), generator=rng)
    x = 0.5 * torch.randn(count, T, D, generator=rng)
    third = T // 3
    x[:, :third] += levels[y]
    x[:, third : 2 * third] -= levels[y]
    return x, y


def program(
    seed: int = 0, N: int = 16, T: int = 12, D: int = 6, H: int = 16, C: int = 4, rate: float = 1e-2
) -> Case:
    torch.manual_seed(seed)
    model = ActivityClassifier(D, H, C)
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=rate)
    x_train, y_train = windows(16 * N, T, D, C, seed + 1)
    x_valid, y_valid = windows(64, T, D, C, seed + 2)

    def train(steps: int) -> None:
        model.train()
        for k in range(steps):
            rows = torch.arange(k * N, (k + 1) * N) % len(x_train)
            optimizer.zero_grad()
            loss = criterion(model(x_train[rows]), y_train[rows])
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()

    @torch.no_grad()  # type: ignore[untyped-decorator]
    def predict(x: Tensor) -> Tensor:
        model.eval()
        return model(x)

    def error() -> float:
        return float((predict(x_valid).argmax(1) != y_valid).double().mean())

    batch = x_train[:N], y_train[:N]
    return Case(model, batch, criterion, optimizer, {}, learn=train, score=error, predict=predict)

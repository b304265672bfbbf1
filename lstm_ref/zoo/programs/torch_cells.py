"""Which symbol came first? Two LSTMCells, one above the other, in a loop over time that is written
out.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lstm_ref.zoo.programs.registry import Case


class StackedCells(nn.Module):  # type: ignore[misc]
    """Logits (N, D) of sequences (N, T, D)."""

    def __init__(self, D: int, H: int, depth: int) -> None:
        super().__init__()
        sizes = [D] + [H] * depth
        self.H = H
        self.depth = depth
        self.cells = nn.ModuleList([nn.LSTMCell(sizes[k], H) for k in range(depth)])
        self.fc = nn.Linear(H, D)

    def forward(self, x: Tensor) -> Tensor:
        start = x.new_zeros(len(x), self.H)
        states = [(start, start) for cell in self.cells]
        for t in range(x.shape[1]):
            value = x[:, t]
            for k, cell in enumerate(self.cells):
                h, c = cell(value, states[k])
                states[k] = (h, c)
                value = h
        return self.fc(value)


def sequences(count: int, T: int, D: int, seed: int) -> tuple[Tensor, Tensor]:
    """One-hot symbols, the first of which is to be remembered and stands for three steps."""
    rng = torch.Generator().manual_seed(seed)
    y = torch.randint(D, (count,), generator=rng)
    x = torch.randint(D, (count, T), generator=rng)
    x[:, :3] = y[:, None]
    noise = 0.1 * torch.randn(count, T, D, generator=rng)
    one_hot = F.one_hot(x, D) * torch.linspace(2, 0.5, T)[:, None]
    return one_hot + noise, y


def program(
    seed: int = 0,
    N: int = 16,
    T: int = 10,
    D: int = 4,
    H: int = 16,
    depth: int = 2,
    rate: float = 1e-2,
) -> Case:
    torch.manual_seed(seed)
    model = StackedCells(D, H, depth)
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate)
    x_train, y_train = sequences(20 * N, T, D, seed + 1)
    x_test, y_test = sequences(64, T, D, seed + 2)

    def run_epochs(steps: int) -> None:
        for k in range(steps):
            i = torch.arange(k * N, (k + 1) * N) % len(x_train)
            loss = F.cross_entropy(model(x_train[i]), y_train[i])
            model.zero_grad()
            loss.backward()
            optimizer.step()

    @torch.no_grad()  # type: ignore[untyped-decorator]
    def predict(x: Tensor) -> Tensor:
        return model(x)

    def error_rate() -> float:
        return 1 - float((predict(x_test).argmax(-1) == y_test).double().mean())

    batch = (x_train[:N], y_train[:N])
    return Case(
        model,
        batch,
        F.cross_entropy,
        optimizer,
        learn=run_epochs,
        score=error_rate,
        predict=predict,
    )

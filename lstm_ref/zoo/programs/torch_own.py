"""An LSTM written out gate by gate, and the sum of what it has read: each symbol adds or takes
away.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lstm_ref.zoo.programs.registry import Case


class OwnLSTM(nn.Module):  # type: ignore[misc]
    """Last hidden state (N, H) of a sequence (N, T, D)."""

    def __init__(self, D: int, H: int) -> None:
        super().__init__()
        self.H = H
        self.Wx = nn.Parameter(torch.randn(D, 4 * H) / D**0.5)
        self.Wh = nn.Parameter(torch.randn(H, 4 * H) / H**0.5)
        b = torch.zeros(4 * H)
        b[H : 2 * H] = 1.0
        self.b = nn.Parameter(b)

    def forward(self, x: Tensor) -> Tensor:
        N, T, _ = x.shape
        h = c = x.new_zeros(N, self.H)
        for t in range(T):
            a = x[:, t] @ self.Wx + h @ self.Wh + self.b
            i, f, g, o = a.chunk(4, dim=1)
            i, f, o = torch.sigmoid(i), torch.sigmoid(f), torch.sigmoid(o)
            g = torch.tanh(g)
            c = f * c + i * g
            h = o * torch.tanh(c)
        return h


def sums(count: int, T: int, D: int, seed: int) -> tuple[Tensor, Tensor]:
    """Sequences (count, T, D), and whether the first feature's sum is above zero (count, 1)."""
    rng = torch.Generator().manual_seed(seed)
    x = torch.randn(count, T, D, generator=rng)
    y = (x[:, :, 0].sum(dim=1, keepdim=True) > 0).to(x.dtype)
    return x, y


def program(
    seed: int = 0, N: int = 16, T: int = 12, D: int = 3, H: int = 12, rate: float = 2e-2
) -> Case:
    torch.manual_seed(seed)
    model = nn.Sequential(OwnLSTM(D, H), nn.Linear(H, 1))
    bce = nn.BCEWithLogitsLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=rate)
    x_train, y_train = sums(20 * N, T, D, seed + 1)
    x_test, y_test = sums(64, T, D, seed + 2)

    def train(steps: int) -> None:
        for k in range(steps):
            rows = torch.arange(k * N, (k + 1) * N) % len(x_train)
            optimizer.zero_grad()
            loss = bce(model(x_train[rows]), y_train[rows])
            loss.backward()
            optimizer.step()

    @torch.no_grad()  # type: ignore[untyped-decorator]
    def predict(x: Tensor) -> Tensor:
        return model(x)

    def error() -> float:
        return float(((predict(x_test) > 0) != (y_test > 0.5)).double().mean())

    batch = x_train[:N], y_train[:N]
    return Case(model, batch, bce, optimizer, {}, train, error, predict)

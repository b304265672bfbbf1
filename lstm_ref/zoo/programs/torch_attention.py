"""The next symbol by attention over what came before, with positions: no recurrence at all."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lstm_ref.zoo.programs.registry import Case


class CausalTransformer(nn.Module):  # type: ignore[misc]
    """Logits (N, T, V) of symbols (N, T)."""

    def __init__(self, V: int, H: int, T: int) -> None:
        super().__init__()
        self.words = nn.Embedding(V, H)
        self.places = nn.Parameter(0.1 * torch.randn(4 * T, H))
        self.block = nn.TransformerEncoderLayer(H, 2, 2 * H, dropout=0.0, batch_first=True)
        self.head = nn.Linear(H, V, bias=False)

    def forward(self, text: Tensor) -> Tensor:
        T = text.shape[1]
        later = torch.ones(T, T, dtype=torch.bool).triu(1)
        x = self.words(text) + self.places[:T]
        return self.head(self.block(x, src_mask=later))


def texts(count: int, T: int, V: int, seed: int) -> Tensor:
    """Symbols (count, T + 1) that count up by one or by two."""
    rng = torch.Generator().manual_seed(seed)
    by = torch.randint(1, 3, (count, 1), generator=rng)
    return (torch.randint(V, (count, 1), generator=rng) + by * torch.arange(T + 1)) % V


def program(
    seed: int = 0, N: int = 12, T: int = 10, V: int = 6, H: int = 16, rate: float = 1e-2
) -> Case:
    torch.manual_seed(seed)
    model = CausalTransformer(V, H, T)
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate)
    text, unseen = texts(20 * N, T, V, seed + 1), texts(32, T, V, seed + 2)

    def loss_fn(logits: Tensor, targets: Tensor) -> Tensor:
        return F.cross_entropy(logits.transpose(1, 2), targets)

    def train(steps: int) -> None:
        for k in range(steps):
            part = text[torch.arange(k * N, (k + 1) * N) % len(text)]
            optimizer.zero_grad()
            loss_fn(model(part[:, :-1]), part[:, 1:]).backward()
            optimizer.step()

    @torch.no_grad()  # type: ignore[untyped-decorator]
    def predict(x: Tensor) -> Tensor:
        return model(x)

    def error() -> float:
        found = predict(unseen[:, :-1]).argmax(-1)
        return float((found != unseen[:, 1:])[:, 2:].double().mean())

    batch = text[:N, :-1], text[:N, 1:]
    return Case(model, batch, loss_fn, optimizer, {"causal": True}, train, error, predict)

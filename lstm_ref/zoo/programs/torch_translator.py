"""Digits written backwards: an encoder, a decoder that is fed the right answer one step late,
attention.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lstm_ref.zoo.programs.registry import Case


class Translator(nn.Module):  # type: ignore[misc]
    """Logits (N, T, V) of a source (N, S) and what was written so far (N, T)."""

    def __init__(self, V: int, H: int) -> None:
        super().__init__()
        self.source_words = nn.Embedding(V, H)
        self.target_words = nn.Embedding(V, H)
        self.encoder = nn.LSTM(H, H, batch_first=True)
        self.decoder = nn.LSTM(H, H, batch_first=True)
        self.generator = nn.Linear(2 * H, V)

    def forward(self, source: Tensor, written: Tensor) -> Tensor:
        memory, _ = self.encoder(self.source_words(source))
        out, _ = self.decoder(self.target_words(written))
        scores = torch.einsum("nth,nsh->nts", out, memory)
        scores = scores.masked_fill((source == 0)[:, None], -torch.inf)
        weights = scores.softmax(dim=-1)
        context = torch.einsum("nts,nsh->nth", weights, memory)
        return self.generator(torch.cat([out, context], dim=-1))


def pairs(count: int, T: int, V: int, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """Digits 2 to V-1 (count, T), padded with 0; their reverse; lengths."""
    rng = torch.Generator().manual_seed(seed)
    lengths = torch.randint(T - 2, T, (count,), generator=rng)
    source = torch.randint(2, V, (count, T), generator=rng)
    source[torch.arange(T) >= lengths[:, None]] = 0
    back = (lengths[:, None] - 1 - torch.arange(T)).clamp(min=0)
    target = source.gather(1, back)
    target[source == 0] = 0
    return source, target, lengths


def program(
    seed: int = 0, N: int = 16, T: int = 7, V: int = 6, H: int = 24, rate: float = 1e-2
) -> Case:
    torch.manual_seed(seed)
    model = Translator(V, H)
    optimizer = torch.optim.Adam(model.parameters(), lr=rate)
    source, target, lengths = pairs(30 * N, T, V, seed + 1)
    new_source, new_target, _ = pairs(32, T, V, seed + 2)

    def shifted(answer: Tensor) -> Tensor:
        start = torch.ones_like(answer[:, :1])
        return torch.cat([start, answer[:, :-1]], dim=1)

    def loss_fn(logits: Tensor, answer: Tensor) -> Tensor:
        return F.cross_entropy(logits.flatten(0, 1), answer.flatten(), ignore_index=0)

    def train(steps: int) -> None:
        for k in range(steps):
            rows = torch.arange(k * N, (k + 1) * N) % len(source)
            optimizer.zero_grad()
            logits = model(source[rows], shifted(target[rows]))
            loss_fn(logits, target[rows]).backward()
            optimizer.step()

    @torch.no_grad()  # type: ignore[untyped-decorator]
    def predict(inputs: tuple[Tensor, Tensor]) -> Tensor:
        return model(*inputs)

    def error() -> float:
        written = torch.ones_like(new_source)
        for t in range(T):
            found = predict((new_source, written)).argmax(-1)
            if t + 1 < T:
                written[:, t + 1] = found[:, t]
        return float((found != new_target)[new_target != 0].double().mean())

    batch = (source[:N], shifted(target[:N])), target[:N]
    arguments = {"lengths": lengths[:N]}
    return Case(model, batch, loss_fn, optimizer, arguments, train, error, predict)

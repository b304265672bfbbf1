"""A tag for each word of padded sentences: a loss that leaves out what is padded."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lstm_ref.zoo.programs.registry import Case


class Tagger(nn.Module):  # type: ignore[misc]
    """Scores (N, C, T) of tokens (N, T), as nn.CrossEntropyLoss takes them."""

    def __init__(self, V: int, E: int, H: int, C: int) -> None:
        super().__init__()
        self.embed = nn.Embedding(V, E, padding_idx=0)
        self.lstm = nn.LSTM(E, H, batch_first=True)
        self.tag = nn.Linear(H, C)

    def forward(self, tokens: Tensor) -> Tensor:
        hidden, _ = self.lstm(self.embed(tokens))
        scores = self.tag(torch.tanh(hidden))
        return scores.transpose(1, 2)


def sentences(count: int, T: int, V: int, C: int, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """Tokens (count, T), tags (count, T) by a word and the one before, lengths (count,)."""
    rng = torch.Generator().manual_seed(seed)
    lengths = torch.randint(T // 2, T, (count,), generator=rng)
    outside = torch.arange(T) >= lengths[:, None]
    tokens = torch.randint(1, V, (count, T), generator=rng)
    tags = (tokens + torch.roll(tokens, 1, dims=1) % 2) % C
    tags[:, 0] = tokens[:, 0] % C
    tokens[outside] = 0
    tags[outside] = -100
    return tokens, tags, lengths


def program(
    seed: int = 0,
    N: int = 16,
    T: int = 12,
    V: int = 9,
    E: int = 8,
    H: int = 16,
    C: int = 3,
    rate: float = 2e-2,
) -> Case:
    torch.manual_seed(seed)
    model = Tagger(V, E, H, C)
    criterion = nn.CrossEntropyLoss(ignore_index=-100)
    optimizer = torch.optim.Adam(model.parameters(), lr=rate)
    tokens, tags, lengths = sentences(20 * N, T, V, C, seed + 1)
    new_tokens, new_tags, new_lengths = sentences(32, T, V, C, seed + 2)

    def train(steps: int) -> None:
        for k in range(steps):
            rows = torch.arange(k * N, (k + 1) * N) % len(tokens)
            scores = model(tokens[rows])
            loss = criterion(scores, tags[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    @torch.no_grad()  # type: ignore[untyped-decorator]
    def predict(words: Tensor) -> Tensor:
        return model(words).transpose(1, 2)

    def error() -> float:
        found = predict(new_tokens).argmax(-1)
        inside = torch.arange(T) < new_lengths[:, None]
        rates = [(found != k)[inside & (new_tags == k)].double().mean() for k in range(C)]
        return float(torch.stack(rates).max())

    batch = tokens[:N], tags[:N]
    arguments = {"lengths": lengths[:N]}
    return Case(model, batch, criterion, optimizer, arguments, train, error, predict)

"""Topics of padded reviews: tokens, an embedding, a packed LSTM of two directions, its final
states.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils import rnn

from lstm_ref.zoo.programs.registry import Case


class ReviewModel(nn.Module):  # type: ignore[misc]
    """Scores (N, C) of tokens (N, T), of which the first ``lengths`` are words."""

    def __init__(self, V: int, E: int, H: int, C: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(V, E, padding_idx=0)
        self.encoder = nn.LSTM(E, H, bidirectional=True)
        self.classifier = nn.Linear(2 * H, C)

    def forward(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        words = self.embedding(tokens)
        words = words.transpose(0, 1)
        packed = rnn.pack_padded_sequence(words, lengths, enforce_sorted=False)
        out, (h_n, c_n) = self.encoder(packed)
        final = torch.cat([h_n[0], h_n[1]], dim=1)
        return self.classifier(final)


def reviews(count: int, T: int, V: int, C: int, seed: int) -> tuple[tuple[Tensor, Tensor], Tensor]:
    """Reviews of T/2 to T words, one of which says the topic; the rest means nothing."""
    rng = torch.Generator().manual_seed(seed)
    topic = torch.randint(C, (count,), generator=rng)
    lengths = torch.randint(T // 2, T, (count,), generator=rng)
    tokens = torch.randint(C + 1, V, (count, T), generator=rng)
    place = torch.randint(T // 2, (count,), generator=rng)
    tokens[torch.arange(count), place] = 1 + topic
    tokens[torch.arange(T) >= lengths[:, None]] = 0
    return (tokens, lengths), topic


def program(
    seed: int = 0,
    N: int = 16,
    T: int = 14,
    V: int = 24,
    E: int = 8,
    H: int = 12,
    C: int = 3,
    rate: float = 1e-2,
) -> Case:
    torch.manual_seed(seed)
    net = ReviewModel(V, E, H, C)
    loss_fn = nn.CrossEntropyLoss()
    opt = torch.optim.Adam(net.parameters(), lr=rate)
    (tokens, lengths), topics = reviews(32 * N, T, V, C, seed + 1)
    held_out, answers = reviews(64, T, V, C, seed + 2)

    def fit(steps: int) -> None:
        net.train()
        for k in range(steps):
            rows = torch.arange(k * N, (k + 1) * N) % len(tokens)
            opt.zero_grad()
            loss_fn(net(tokens[rows], lengths[rows]), topics[rows]).backward()
            opt.step()

    @torch.no_grad()  # type: ignore[untyped-decorator]
    def predict(inputs: tuple[Tensor, Tensor]) -> Tensor:
        net.eval()
        return net(*inputs)

    def error() -> float:
        return float((predict(held_out).argmax(dim=1) != answers).double().mean())

    batch = (tokens[:N], lengths[:N]), topics[:N]
    arguments = {"lengths": lengths[:N]}
    return Case(net, batch, loss_fn, opt, arguments, learn=fit, score=error, predict=predict)

"""The next character, with the state carried from one stretch of text to the next."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from lstm_ref.zoo.programs.registry import Case


class CharModel(nn.Module):  # type: ignore[misc]
    """Logits (T, N, V) of characters (T, N), and the last state."""

    def __init__(self, V: int, E: int, H: int, depth: int) -> None:
        super().__init__()
        self.emb = nn.Embedding(V, E)
        self.rnn = nn.LSTM(E, H, depth)
        self.head = nn.Linear(H, V)

    def forward(self, text: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        vectors = self.emb(text)
        hidden, state = self.rnn(vectors, state)
        return self.head(hidden), state


def texts(count: int, T: int, V: int, seed: int) -> Tensor:
    """Characters (T + 1, count), each the sum of the two before it."""
    rng = torch.Generator().manual_seed(seed)
    text = torch.randint(V, (T + 1, count), generator=rng)
    for t in range(2, T + 1):
        text[t] = (text[t - 1] + 2 * (text[t - 2] > 1)) % V
    return text


def program(
    seed: int = 0,
    N: int = 12,
    T: int = 16,
    V: int = 5,
    E: int = 8,
    H: int = 16,
    depth: int = 1,
    rate: float = 2e-2,
) -> Case:
    torch.manual_seed(seed)
    model = CharModel(V, E, H, depth)
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=rate)
    text = texts(20 * N, T, V, seed + 1)
    unseen = texts(32, T, V, seed + 2)

    def loss_fn(outputs: tuple[Tensor, Any], targets: Tensor) -> Tensor:
        logits, _ = outputs
        flat = targets.flatten()
        return criterion(logits.flatten(0, 1), flat)

    losses = []

    def step(batch: tuple[Tensor, Tensor]) -> Tensor:
        inputs, targets = batch
        optimizer.zero_grad()
        loss = loss_fn(model(inputs), targets)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        losses.append(loss.item())
        return loss

    def pair(part: Tensor) -> tuple[Tensor, Tensor]:
        return part[:-1], part[1:]

    def train(steps: int) -> None:
        for k in range(steps):
            columns = torch.arange(k * N, (k + 1) * N) % text.shape[1]
            step(pair(text[:, columns]))

    @torch.no_grad()  # type: ignore[untyped-decorator]
    def predict(inputs: Tensor) -> Tensor:
        return model(inputs)[0]

    def error() -> float:
        inputs, targets = unseen[:-1], unseen[1:]
        return float((predict(inputs).argmax(-1) != targets)[2:].double().mean())

    arguments = {"causal": True, "step": step}
    return Case(model, pair(text[:, :N]), loss_fn, optimizer, arguments, train, error, predict)

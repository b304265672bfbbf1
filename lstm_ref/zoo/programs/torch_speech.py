"""Digits in a row of frames, by CTC: more frames than digits, and nobody says which frame is
which.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lstm_ref.zoo.programs.registry import Case


class Recogniser(nn.Module):  # type: ignore[misc]
    """Log-probabilities (T, N, C + 1) of frames (T, N, D); class 0 is the blank."""

    def __init__(self, D: int, H: int, C: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(D, H, bidirectional=True)
        self.out = nn.Linear(2 * H, C + 1)

    def forward(self, frames: Tensor) -> Tensor:
        hidden, _ = self.lstm(frames)
        return self.out(hidden).log_softmax(-1)


def speech(count: int, T: int, D: int, C: int, seed: int) -> tuple[Tensor, Tensor]:
    """Frames (T, count, D) of two digits (count, 2), each a third of the time, silence between."""
    sounds = 2 * torch.randn(C + 1, D, generator=torch.Generator().manual_seed(3))
    sounds[0] = 0
    rng = torch.Generator().manual_seed(seed)
    digits = torch.randint(1, C + 1, (count, 2), generator=rng)
    frames = 0.3 * torch.randn(T, count, D, generator=rng)
    frames[: T // 3] += sounds[digits[:, 0]]
    frames[-(T // 3) :] += sounds[digits[:, 1]]
    return frames, digits


def program(
    seed: int = 0, N: int = 12, T: int = 12, D: int = 5, H: int = 12, C: int = 4, rate: float = 2e-2
) -> Case:
    torch.manual_seed(seed)
    model = Recogniser(D, H, C)
    optimizer = torch.optim.Adam(model.parameters(), lr=rate)
    ctc = nn.CTCLoss()
    frames, digits = speech(20 * N, T, D, C, seed + 1)
    new_frames, new_digits = speech(32, T, D, C, seed + 2)

    def loss_fn(log_p: Tensor, target: Tensor) -> Tensor:
        count = log_p.shape[1]
        return ctc(log_p, target, torch.full((count,), T), torch.full((count,), 2))

    def train(steps: int) -> None:
        for k in range(steps):
            rows = torch.arange(k * N, (k + 1) * N) % len(digits)
            optimizer.zero_grad()
            loss_fn(model(frames[:, rows]), digits[rows]).backward()
            optimizer.step()

    @torch.no_grad()  # type: ignore[untyped-decorator]
    def predict(x: Tensor) -> Tensor:
        return model(x)

    def error() -> float:
        off = 0
        for path, digit in zip(predict(new_frames).argmax(-1).T, new_digits, strict=True):
            collapsed = torch.unique_consecutive(path)
            off += collapsed[collapsed > 0].tolist() != digit.tolist()
        return off / len(new_digits)

    return Case(model, (frames[:, :N], digits[:N]), loss_fn, optimizer, {}, train, error, predict)

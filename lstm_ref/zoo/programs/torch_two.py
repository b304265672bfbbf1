"""Two answers from one sequence, inputs in a dict with a mask of their own, padding that is not
0.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lstm_ref.zoo.programs.registry import Case

PAD = -9.0


class TwoHeads(nn.Module):  # type: ignore[misc]
    """A dict of class scores (N, C) and a level (N, 1), of a dict of values (N, T, D) and a mask
    (N, T).
    """

    def __init__(self, D: int, H: int, C: int) -> None:
        super().__init__()
        self.rnn = nn.GRU(D, H, batch_first=True)
        self.attend = nn.Linear(H, 1)
        self.heads = nn.ModuleDict({"kind": nn.Linear(H, C), "level": nn.Linear(H, 1)})

    def forward(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        inside = batch["mask"].unsqueeze(-1)
        hidden, _ = self.rnn(batch["values"] * inside)
        scores = self.attend(hidden).masked_fill(~inside, -1e9)
        pooled = (scores.softmax(dim=1) * hidden).sum(dim=1)
        return {name: head(pooled) for name, head in self.heads.items()}


def recordings(
    count: int, T: int, D: int, C: int, seed: int
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Noise around a kind's own pattern, times a level."""
    pattern = torch.randn(C, D, generator=torch.Generator().manual_seed(5))
    rng = torch.Generator().manual_seed(seed)
    kind = torch.randint(C, (count,), generator=rng)
    level = 1 + torch.rand(count, 1, generator=rng)
    mask = torch.arange(T) < torch.randint(T // 2, T + 1, (count, 1), generator=rng)
    values = level[:, None] * pattern[kind][:, None] + 0.3 * torch.randn(count, T, D, generator=rng)
    values = values.masked_fill(~mask[:, :, None], PAD)
    return {"values": values, "mask": mask}, {"kind": kind, "level": level}


def program(
    seed: int = 0, N: int = 16, T: int = 12, D: int = 6, H: int = 16, C: int = 3, rate: float = 1e-2
) -> Case:
    torch.manual_seed(seed)
    model = TwoHeads(D, H, C)
    optimizer = torch.optim.Adam(
        [
            {"params": model.rnn.parameters()},
            {"params": [*model.attend.parameters(), *model.heads.parameters()]},
        ],
        lr=rate,
    )
    x_train, y_train = recordings(20 * N, T, D, C, seed + 1)
    x_valid, y_valid = recordings(64, T, D, C, seed + 2)

    def loss_fn(outputs: dict[str, Tensor], targets: dict[str, Tensor]) -> Tensor:
        kind = F.cross_entropy(outputs["kind"], targets["kind"])
        return kind + 0.5 * F.mse_loss(outputs["level"], targets["level"])

    def rows(part: dict[str, Tensor], k: int) -> dict[str, Tensor]:
        picked = torch.arange(k * N, (k + 1) * N)
        return {name: value[picked % len(value)] for name, value in part.items()}

    def train(steps: int) -> None:
        for k in range(steps):
            optimizer.zero_grad(set_to_none=False)
            loss_fn(model(rows(x_train, k)), rows(y_train, k)).backward()
            optimizer.step()

    @torch.no_grad()  # type: ignore[untyped-decorator]
    def predict(x: dict[str, Tensor]) -> Tensor:
        return model(x)["kind"]

    def error() -> float:
        return float((predict(x_valid).argmax(1) != y_valid["kind"]).double().mean())

    batch = rows(x_train, 0), rows(y_train, 0)
    return Case(model, batch, loss_fn, optimizer, {}, train, error, predict)

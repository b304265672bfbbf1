"""The functions of the problem set clinic, in the style of a notebook: one line an idea, no checks
on arguments.

They are the solutions of the set (a test holds that). Each of its known mistakes is this file with
one line changed, or a few. The functions that a notebook gives to its students stand here, too,
because what a mistake does is seen through them. PyTorch and Keras are imported when they are
needed.
"""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np


class Later:
    """A module that is imported when something of it is asked for."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, attribute: str) -> Any:
        return getattr(importlib.import_module(self._name), attribute)


keras = Later("keras")
torch, nn, F = Later("torch"), Later("torch.nn"), Later("torch.nn.functional")


# --- evidence
# --------------------------------------------------------------------------------------------------


def measure_reading(program: Any) -> Any:
    def moved(where: Any) -> Any:
        x = program["x"].copy()
        x[where] += 1
        return np.abs(program["forward"](x) - program["forward"](program["x"]))

    strangers = (moved(0)[1:].max(axis=(1, 2)) > 1e-9).sum()
    early, late = moved(np.s_[:, 0]), moved(np.s_[:, -1])
    return strangers, early[:, -1].max() / late[:, -1].max()


def measure_loss(program: Any) -> Any:
    y, mask, outputs, loss = (program[name] for name in ("y", "mask", "outputs", "loss"))
    floor = loss(50.0 * np.eye(outputs.shape[2])[y], y, mask)
    other = np.where(mask, y, (y + 1) % outputs.shape[2])
    return floor, abs(loss(outputs, other, mask) - loss(outputs, y, mask))


def measure_step(program: Any) -> Any:
    before, after = program["step"]()
    moved = [np.linalg.norm(a - b) for a, b in zip(after, before, strict=True)]
    idle = sum(norm == 0 for norm in moved)
    return np.linalg.norm(moved) / (program["lr"] * program["max_norm"]), idle


def measure_text(program: Any) -> Any:
    x, y = program["pairs"](program["tokens"])
    dx = np.abs(program["back"](program["sequence"], program["k"]))
    return (x == y).mean(), dx[:, : -program["k"]].sum() / dx.sum()


# --- diagnosis
# --------------------------------------------------------------------------------------------------


def diagnose(program: Any) -> Any:
    strangers, memory = measure_reading(program)
    floor, padding = measure_loss(program)
    length, idle = measure_step(program)
    copied, beyond = measure_text(program)
    found = {
        "axis": strangers > 0,
        "memory": memory < 0.005,
        "softmax": floor > 0.1,
        "padding": padding > 1e-9,
        "clipping": length > 1.001,
        "optimizer": idle > 0,
        "shift": copied > 0.95,
        "state": beyond > 1e-12,
    }
    return next((cause for cause, is_sick in found.items() if is_sick), "none")


# --- mends
# --------------------------------------------------------------------------------------------------


def lstm_of(weights: Any, batch_first: Any = False) -> Any:
    ih, hh, bias_ih, bias_hh = weights
    lstm = nn.LSTM(ih.shape[1], hh.shape[1], batch_first=batch_first, dtype=ih.dtype)
    names = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")
    lstm.load_state_dict(dict(zip(names, (ih, hh, bias_ih, bias_hh), strict=True)))
    return lstm


def forecaster(weights: Any) -> Any:
    *lstm, weight, bias = weights

    class Forecaster(nn.Module):  # type: ignore[misc,name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.lstm = lstm_of(lstm, batch_first=True)
            self.head = nn.Linear(weight.shape[1], weight.shape[0], dtype=weight.dtype)
            self.head.load_state_dict({"weight": weight, "bias": bias})

        def forward(self, x: Any) -> Any:
            return self.head(self.lstm(x)[0][:, -1])

    return Forecaster()


def mend_reader(weights: Any, x: Any) -> Any:
    return lstm_of(weights, batch_first=True)(x)[0]


def mend_gates(bias_ih: Any, bias_hh: Any, keep: Any) -> Any:
    H = len(bias_ih) // 4
    bias_ih[H : 2 * H] = keep - bias_hh[H : 2 * H]
    return bias_ih, bias_hh


def mend_scores(outputs: Any, y: Any) -> Any:
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True, dtype="float64")(y, outputs)


def mend_tokens(outputs: Any, y: Any, mask: Any) -> Any:
    loss = keras.losses.SparseCategoricalCrossentropy(
        from_logits=True, reduction="mean_with_sample_weight", dtype="float64"
    )
    return loss(y, outputs, sample_weight=mask)


def mend_trainer(model: Any, lr: Any) -> Any:
    return torch.optim.SGD(model.parameters(), lr=lr)


def trained(weights: Any, x: Any, y: Any, lr: Any) -> Any:
    model = forecaster(weights)
    optimizer = mend_trainer(model, lr)
    F.mse_loss(model(x), y).backward()
    optimizer.step()
    return list(model.parameters())


def mend_stepper(model: Any, optimizer: Any, x: Any, y: Any, max_norm: Any) -> Any:
    F.mse_loss(model(x), y).backward()
    nn.utils.clip_grad_norm_(model.parameters(), max_norm)
    optimizer.step()


def stepped(weights: Any, x: Any, y: Any, lr: Any, max_norm: Any) -> Any:
    model = forecaster(weights)
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    mend_stepper(model, optimizer, x, y, max_norm)
    return list(model.parameters())


def mend_pairs(tokens: Any) -> Any:
    return tokens[:, :-1], tokens[:, 1:]


def mend_chunks(lstm: Any, x: Any, y: Any, k: Any) -> Any:
    state = None
    for t in range(0, x.shape[1], k):
        outputs, state = lstm(x[:, t : t + k], state)
        F.mse_loss(outputs, y[:, t : t + k]).backward()
        state = tuple(part.detach() for part in state)


def chunked(weights: Any, x: Any, y: Any, k: Any) -> Any:
    lstm = lstm_of(weights, batch_first=True)
    mend_chunks(lstm, x, y, k)
    return [torch.zeros_like(p) if p.grad is None else p.grad for p in lstm.parameters()]

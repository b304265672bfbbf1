"""The runs of the loss-curve doctor on the page *training*: curves whose cause is known, and the
measurement that settles each of them.

    python benchmarks/curves.py  # two minutes of one core, into benchmarks/results/curves.json

Most forecast the sea surface temperature of the page; the plateau is a recall task. Losses are
parts of the loss of a constant answer.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, NamedTuple

if __name__ == "__main__":  # before NumPy is loaded: these models are small
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.linear_model import Ridge
from torch import nn
from torch.nn.functional import cross_entropy, mse_loss

from benchmarks.pages import asked, experiment, over_seeds, store

PAGE = experiment("training")
SEEDS = range(3)
LOOKS = 40  # moments at which the losses are noted
WORST = 9.0  # where a curve is cut: a run that diverged may have no number at all
Data = tuple[torch.Tensor, torch.Tensor]


class Setting(NamedTuple):
    """One run: what is usual here, and what a case changes."""

    lr: float = 0.1
    N: int = 32
    updates: int = 160
    shuffle: bool = True
    dropout: float = 0.0
    evaluate: bool = True  # whether validation switches dropout off
    clip: float | None = None
    gain: float = 0.0  # of a tanh RNN in place of the LSTM: its spectral radius


class Curves(NamedTuple):
    """What one run notes at each look, in parts of the loss of a constant answer."""

    train: NDArray[np.float64]  # mean loss of the batches since the last look
    valid: NDArray[np.float64]
    again: NDArray[np.float64]  # of all training data, dropout off
    evaluated: NDArray[np.float64]  # of validation, dropout off
    norm: NDArray[np.float64]  # median norm of the gradient before clipping


class Chaotic(nn.Module):
    """A tanh RNN whose recurrent matrix has a spectral radius above 1: (N, T, 1) to (N, 6, 1)."""

    def __init__(self, gain: float, H: int = 32) -> None:
        super().__init__()
        self.rnn = nn.RNN(1, H, batch_first=True)
        nn.init.orthogonal_(self.rnn.weight_hh_l0, gain)
        self.affine = nn.Linear(H, PAGE.HORIZON)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The forecast from the last hidden state."""
        return self.affine(self.rnn(x)[0][:, -1])[:, :, None]  # type: ignore[no-any-return]


def tensors(*arrays: Any) -> Data:
    """Arrays in single precision."""
    x, y = (torch.from_numpy(np.asarray(a, np.float32)) for a in arrays)
    return x, y


def sea(seed: int = 0) -> tuple[Data, Data]:
    """Training windows, and those of later years; the same for every seed."""
    return tensors(PAGE.x_train, PAGE.y_train), tensors(PAGE.x_valid, PAGE.y_valid)


def noisy(seed: int, scale: float, level: float = 0.0) -> tuple[Data, Data]:
    """The same with noise on every target, and on the level of every window."""
    rng = np.random.default_rng([seed, 7])
    made = []
    for x, y in sea():
        noise = scale * rng.normal(size=y.shape) + level * rng.normal(size=(len(y), 1, 1))
        made.append(tensors(x, y.numpy() + noise))
    return made[0], made[1]


def few(seed: int, windows: int = 60) -> tuple[Data, Data]:
    """The first so many of the noisy windows, and all of validation."""
    (x, y), valid = noisy(seed, 1.0)
    return (x[:windows], y[:windows]), valid


def paired_wrongly(seed: int) -> tuple[Data, Data]:
    """Targets of other windows."""
    (x, y), valid = sea()
    return (x, y[torch.from_numpy(np.random.default_rng(seed).permutation(len(y)))]), valid


def copied(seed: int, honest: bool = False) -> tuple[Data, Data]:
    """60 noisy windows, each four times, and then split at random; or split before the copies."""
    rng = np.random.default_rng([seed, 8])
    (x, y), _ = noisy(seed, 1.0)
    once = rng.permutation(len(x))[:60]
    rows = np.tile(once, 4)
    rng.shuffle(rows)
    train, valid = (np.tile(once[:45], 4), once[45:]) if honest else (rows[:180], rows[180:])
    return (x[train], y[train]), (x[valid], y[valid])


def constant(y: torch.Tensor) -> float:
    """Loss of the best constant answer."""
    return float(((y - y.mean(dim=0)) ** 2).mean())


def batches(setting: Setting, y: torch.Tensor, rng: np.random.Generator) -> Any:
    """Rows of each batch: drawn, or in the order of the targets' mean, pass after pass."""
    order = np.argsort(y.mean(dim=(1, 2)).numpy(), kind="stable")
    for k in range(setting.updates):
        if setting.shuffle:
            yield rng.integers(len(y), size=setting.N)
        else:
            yield order.take(np.arange(k * setting.N, (k + 1) * setting.N), mode="wrap")


def run(setting: Setting, data: tuple[Data, Data], seed: int) -> Curves:
    """Train once with SGD with momentum, and note the losses."""
    torch.manual_seed(seed)
    (x, y), (xv, yv) = data
    model = Chaotic(setting.gain) if setting.gain else PAGE.Forecast(rate=setting.dropout)
    optimiser = torch.optim.SGD(model.parameters(), setting.lr, momentum=0.9)
    moments = set(np.linspace(0, setting.updates - 1, LOOKS).round().astype(int))
    noted, recent = [], []
    for k, rows in enumerate(batches(setting, y, np.random.default_rng(seed))):
        loss = mse_loss(model(x[rows]), y[rows])
        optimiser.zero_grad()
        loss.backward()
        limit = setting.clip or float("inf")
        norm = float(nn.utils.clip_grad_norm_(model.parameters(), limit))
        optimiser.step()
        recent.append((loss.item(), norm))
        if k in moments:
            losses, norms = zip(*recent, strict=True)
            noted.append(
                (np.mean(losses), *looked_at(model, (x, y), (xv, yv), setting), np.median(norms))
            )
            recent = []
    *losses, norms = np.array(noted).T
    whole = constant(y)
    return Curves(*(np.clip(np.nan_to_num(c / whole, nan=WORST), 0, WORST) for c in losses), norms)


def looked_at(model: nn.Module, train: Data, valid: Data, setting: Setting) -> list[float]:
    """Validation loss as the case computes it; with dropout off, of all training data and of
    validation.
    """
    with torch.no_grad():
        model.train(not setting.evaluate)
        found = [mse_loss(model(valid[0]), valid[1]).item()]
        model.eval()
        found += [mse_loss(model(x), y).item() for x, y in (train, valid)]
    model.train()
    return found


def recall(updates: int, seed: int, lr: float = 1e-2, T: int = 16, H: int = 16) -> Curves:
    """Which of four symbols stood first, before noise? An LSTM by Adam, on new data each time."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    lstm, affine = nn.LSTM(5, H, batch_first=True), nn.Linear(H, 4)
    parameters = [*lstm.parameters(), *affine.parameters()]
    optimiser = torch.optim.Adam(parameters, lr)

    def drawn(n: int) -> tuple[torch.Tensor, torch.Tensor]:
        x, y = np.zeros((n, T, 5)), rng.integers(4, size=n)
        x[np.arange(n), 0, y] = 1
        x[:, 1:, 4] = rng.normal(size=(n, T - 1))
        return torch.from_numpy(x.astype(np.float32)), torch.from_numpy(y)

    xv, yv = drawn(300)
    moments = set(np.linspace(0, updates - 1, LOOKS).round().astype(int))
    noted, recent = [], []
    for k in range(updates):
        x, y = drawn(32)
        loss = cross_entropy(affine(lstm(x)[0][:, -1]), y)
        optimiser.zero_grad()
        loss.backward()
        norm = float(nn.utils.clip_grad_norm_(parameters, 1.0))
        optimiser.step()
        recent.append((loss.item(), norm))
        if k in moments:
            with torch.no_grad():
                on_valid = cross_entropy(affine(lstm(xv)[0][:, -1]), yv).item()
            losses, norms = zip(*recent, strict=True)
            noted.append((np.mean(losses), on_valid, np.median(norms)))
            recent = []
    train, valid, norms = np.array(noted).T
    train, valid = train / np.log(4), valid / np.log(4)
    return Curves(train, valid, valid, valid, norms)


# What is trained, on what
Make = Callable[[int], tuple[Data, Data]]
CASES: dict[str, tuple[Make, Setting]] = {
    "plateau": (sea, Setting(updates=100)),  # in place of the sea, the recall task
    "rate-small": (sea, Setting(lr=1e-3)),
    "rate-large": (sea, Setting(lr=1.0, N=8, updates=400)),
    "pairs": (paired_wrongly, Setting()),
    "noise": (lambda seed: noisy(seed, 2.0), Setting(updates=240)),
    "order": (lambda seed: noisy(seed, 0.3, 1.5), Setting(lr=0.3, N=8, updates=260, shuffle=False)),
    "overfitting": (few, Setting(lr=0.2, updates=500)),
    "leak": (copied, Setting(lr=0.2, updates=600)),
    "sound": (sea, Setting(updates=400)),
    "clipping": (sea, Setting(gain=2.5, clip=0.1, updates=200)),
    "mode": (sea, Setting(dropout=0.5, evaluate=False, updates=400)),
    "dropout": (sea, Setting(dropout=0.5, updates=400)),
}
LONGER = 8  # times as many updates
FASTER, SLOWER = 30.0, 0.1  # times the rate
# Which measurements each case offers; the first settles it
OFFERED = {
    "plateau": ("wait", "larger", "norm"),
    "rate-small": ("larger", "wait", "norm"),
    "rate-large": ("smaller", "wait", "simple"),
    "pairs": ("pairs", "larger", "wait"),
    "noise": ("simple", "wait", "larger"),
    "order": ("again", "wait", "smaller"),
    "overfitting": ("data", "again", "wait"),
    "leak": ("split", "again", "evaluated"),
    "sound": ("split", "again", "evaluated"),
    "clipping": ("norm", "larger", "wait"),
    "mode": ("evaluated", "again", "wait"),
    "dropout": ("again", "split", "wait"),
}


def curves(name: str, seed: int, setting: Setting | None = None) -> Curves:
    """One run of a case, as it is or with another setting."""
    make, usual = CASES[name]
    setting = setting or usual
    if name == "plateau":
        return recall(setting.updates, seed, setting.lr / usual.lr * 1e-2)
    return run(setting, make(seed), seed)


def end(curve: NDArray[np.float64]) -> float:
    """Mean of the last tenth of the looks."""
    return float(curve[-LOOKS // 10 :].mean())


def linear(name: str, seed: int) -> float:
    """Validation loss of ridge regression on the data of a case."""
    (x, y), (xv, yv) = CASES[name][0](seed)
    model = Ridge(1.0).fit(x[:, :, 0].numpy(), y[:, :, 0].numpy())
    return float(np.mean((model.predict(xv[:, :, 0].numpy()) - yv[:, :, 0].numpy()) ** 2)) / (
        constant(y)
    )


def likeness(name: str, seed: int) -> float:
    """Correlation of the last input with the mean of the targets."""
    (x, y), _ = CASES[name][0](seed)
    return float(np.corrcoef(x[:, -1, 0].numpy(), y.mean(dim=(1, 2)).numpy())[0, 1])


def split(name: str, seed: int) -> float:
    """Validation loss with nothing copied before the split; the others are split so already."""
    setting = CASES[name][1]
    honest = name == "leak"
    found = run(setting, copied(seed, honest=True), seed) if honest else curves(name, seed)
    return end(found.evaluated)


def measured(what: str, name: str, seed: int) -> float:
    """One measurement of one case."""
    setting = CASES[name][1]
    changed = {
        "wait": setting._replace(updates=LONGER * setting.updates),
        "larger": setting._replace(lr=FASTER * setting.lr),
        "smaller": setting._replace(lr=SLOWER * setting.lr),
    }
    if what in changed:
        return end(curves(name, seed, changed[what]).train)
    if what == "norm":
        return float(np.median(curves(name, seed).norm)) / (setting.clip or 1.0)
    if what == "data":
        return end(run(setting, noisy(seed, 1.0), seed).valid)
    if what in ("simple", "pairs", "split"):
        return {"simple": linear, "pairs": likeness, "split": split}[what](name, seed)
    return end(getattr(curves(name, seed), what))


def facts(name: str) -> dict[str, int]:
    """What is known of a run beside its curves; new data each time have no number."""
    make, setting = CASES[name]
    known = {"updates": setting.updates, "batch": setting.N}
    if name == "plateau":
        return known
    (x, _), (xv, _) = make(0)
    return known | {"training": len(x), "validation": len(xv)}


def after(name: str) -> list[float]:
    """The curve that is shown with the answer: what settles a case, where that is a curve."""
    setting = CASES[name][1]
    longer = setting._replace(updates=LONGER * setting.updates)
    if OFFERED[name][0] == "wait":
        return [float(v) for v in curves(name, 0, longer).train]
    if OFFERED[name][0] in ("again", "evaluated"):
        return [float(v) for v in getattr(curves(name, 0), OFFERED[name][0])]
    return []


def case(name: str) -> dict[str, Any]:
    """Curves of every seed, and each measurement that is offered, over the seeds."""
    seeds = [curves(name, seed) for seed in SEEDS]
    values = {
        what: over_seeds([measured(what, name, seed) for seed in SEEDS]) for what in OFFERED[name]
    }
    told = ", ".join(f"{what} {value['mean']:.3f}" for what, value in values.items())
    print(f"{name}: train {end(seeds[0].train):.3f}, valid {end(seeds[0].valid):.3f}; {told}")
    return {
        "facts": facts(name),
        "train": [[round(float(v), 4) for v in one.train] for one in seeds],
        "valid": [[round(float(v), 4) for v in one.valid] for one in seeds],
        "after": after(name),
        "measured": values,
    }


def main() -> None:
    """Measure, and write the file."""
    torch.set_num_threads(1)
    store(
        "curves",
        "curves of runs whose cause is known, and the measurement that settles each",
        {"longer": LONGER, "cases": {name: case(name) for name in CASES}},
        ("numpy", "torch", "scikit-learn", "statsmodels"),
    )


if __name__ == "__main__":
    asked(__doc__)
    main()

"""Does the reference learn from real data what an LSTM can learn from them? Four tasks, each with
an aim, seeds and times.

    python benchmarks/real_data.py  # all four, into benchmarks/results/real_data.json
    python benchmarks/real_data.py --task fsdd --seed 0

Three of the four data sets are downloaded on first use. Where there is no network, put the files
into a folder and name it: LSTM_DATA_DIR=../shared/data python benchmarks/real_data.py

Nothing is chosen by the numbers that are reported: where training stops early, it looks at
validation data, and the score is that of test data which no run has looked at before.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

# before NumPy is loaded: these models are small, and one thread is as fast as two
if __name__ == "__main__":
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")

import numpy as np
import torch
from torch import nn

from benchmarks.machine import machine
from lstm_ref import (
    cosine,
    cross_entropy,
    embedding_backward,
    embedding_forward,
    init_affine,
    init_lstm,
    lstm_backward,
    lstm_forward,
    mean_squared_error,
    warm_up,
)
from lstm_ref.data import (
    Vocabulary,
    WordVocabulary,
    about,
    batches,
    buckets,
    load,
    log_mel,
    pad,
    split_stratified,
    split_text,
)
from lstm_ref.metrics import error_by_horizon, skill
from lstm_ref.torch import run_torch, torch_lstm
from lstm_ref.train import History, NumpyEngine, TorchEngine, mean_loss, set_seed, train

RESULTS = Path(__file__).parent / "results" / "real_data.json"


class Task(NamedTuple):
    """One of the four: what is measured, what it must reach, and the function that runs it with one
    seed.
    """

    run: Callable[..., dict[str, Any]]
    data: str
    engine: str
    measure: str  # name of the number that counts, in what `run` returns
    at_least: float | None  # the aim
    at_most: float | None
    seeds: int
    what: str


# --- Characters: Tiny Shakespeare, NumPy
# --------------------------------------------------------------------------------

SHAKESPEARE = {"N": 32, "T": 64, "D": 32, "H": 128, "passes": 4, "lr": 0.01, "clip": 1.0}


def tiny_shakespeare(seed: int, steps: int | None = None) -> dict[str, Any]:
    """Train a model of characters on the first 90 % of the text, and read the last 10 % once.

    The state is carried from piece to piece. The learning rate falls to zero along a cosine, and
    nothing is stopped early, so the validation text chooses nothing.
    """
    N, T, D, H, passes, lr, clip = SHAKESPEARE.values()
    split = split_text(load("tinyshakespeare"), validation=0.1, test=0.0)
    vocabulary = Vocabulary(split.train)
    train_ids, validation_ids = vocabulary.encode(split.train), vocabulary.encode(split.validation)
    V = len(vocabulary)
    rng = set_seed(seed)
    params = {
        "E": rng.normal(size=(V, D)).astype(np.float32),
        **init_lstm(rng, D, H, dtype=np.float32),
        **{f"{name}y": array for name, array in init_affine(rng, H, V, np.float32).items()},
    }
    total = steps or (len(train_ids) - 1) // N // T * passes

    engine = NumpyEngine(params, character_step, carry=True, loss=character_loss)
    history = train(
        engine,
        lambda: batches(train_ids, N, T),
        steps=total,
        lr=lambda k: warm_up(k, cosine(k, lr, total), 50),
        clip=clip,
    )
    share = (np.bincount(train_ids, minlength=V) + 1) / (len(train_ids) + V)
    return {
        "nats": mean_loss(engine, lambda: batches(validation_ids, 16, T)),
        "nats of single characters": -float(np.log(share[validation_ids]).mean()),
        **told(history),
    }


def character_scores(params, x, state):
    """Scores (N, T, V) of the next character, the state afterwards, and what the backward pass
    needs.
    """
    zeros = np.zeros((len(x), len(params["Wh"])), params["Wh"].dtype)
    e, e_cache = embedding_forward(x, params["E"])
    h, state, cache = lstm_forward(
        e, *(state or (zeros, zeros)), params["Wx"], params["Wh"], params["b"]
    )
    return h @ params["Wy"] + params["by"], state, (h, cache, e_cache)


def character_step(params, batch, state):
    """Cross-entropy of a batch, its gradients, and the state to carry on."""
    x, y = batch
    logits, state, (h, cache, e_cache) = character_scores(params, x, state)
    loss, dlogits = cross_entropy(logits, y)
    lstm = lstm_backward(dlogits @ params["Wy"].T, cache)
    grads = {
        "E": embedding_backward(lstm.dx, e_cache),
        "Wx": lstm.dWx,
        "Wh": lstm.dWh,
        "b": lstm.db,
        "Wy": h.reshape(-1, h.shape[2]).T @ dlogits.reshape(-1, dlogits.shape[2]),
        "by": dlogits.sum(axis=(0, 1)),
    }
    return loss, grads, state


def character_loss(params, batch, state):
    """The same without gradients."""
    x, y = batch
    logits, state, _ = character_scores(params, x, state)
    return cross_entropy(logits, y)[0], state


# --- Sentiment: rt-polarity, PyTorch
# ------------------------------------------------------------------------------------

REVIEWS = {
    "N": 50,
    "D": 100,
    "H": 100,
    "passes": 12,
    "patience": 2,
    "lr": 2e-3,
    "dropout": 0.5,
    "word dropout": 0.1,
    "clip": 1.0,
}
PAD, UNKNOWN = 0, 1  # ids of a WordVocabulary


class Reviews(nn.Module):
    """Words, an LSTM that reads each sentence from both ends, the largest value of each unit over
    time, two scores.
    """

    def __init__(
        self, rng: np.random.Generator, V: int, D: int, H: int, dropout: float, word_dropout: float
    ) -> None:
        super().__init__()
        self.embedding = nn.Embedding.from_pretrained(
            torch.from_numpy(0.3 * rng.normal(size=(V, D))).float(), freeze=False, padding_idx=PAD
        )
        self.dropout = nn.Dropout(dropout)
        self.word_dropout = word_dropout
        self.lstm = torch_lstm([[init_lstm(rng, D, H, dtype=np.float32) for _ in range(2)]])
        self.affine = nn.Linear(2 * H, 2)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        """Scores (N, 2) of sentences (N, T), padded at the end."""
        mask = ids != PAD
        if self.training:
            ids = ids.masked_fill((torch.rand(ids.shape) < self.word_dropout) & mask, UNKNOWN)
        h, _ = run_torch(self.lstm, self.dropout(self.embedding(ids)), mask=mask)
        return self.affine(self.dropout(h.masked_fill(~mask[:, :, None], -math.inf).amax(dim=1)))


def rt_polarity(seed: int, steps: int | None = None) -> dict[str, Any]:
    """Train on 80 % of the sentences, stop by 10 %, test on 10 %; the seed draws the split, too."""
    N, D, H, most, patience, lr, dropout, word_dropout, clip = REVIEWS.values()
    rng = set_seed(seed)
    data = load("rt-polarity")
    parts = split_stratified(data.texts, data.labels, validation=0.1, test=0.1, seed=seed)
    words = [text.split() for text in data.texts]
    vocabulary = WordVocabulary([words[k] for k in parts.train], min_count=2)
    ids, labels = [vocabulary.encode(sentence) for sentence in words], data.labels
    model = Reviews(rng, len(vocabulary), D, H, dropout, word_dropout)

    def minibatches(part: np.ndarray, shuffle: bool) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for chosen in batches_of(part, ids, N, rng if shuffle else None):
            yield pad([ids[k] for k in chosen]).x, labels[chosen]

    def step(model, batch):
        x, y = batch
        return nn.functional.cross_entropy(model(x), y)

    def accuracy(part: np.ndarray) -> float:
        return share_right(model, minibatches(part, shuffle=False))

    history = train(
        TorchEngine(model, step),
        lambda: minibatches(parts.train, shuffle=True),
        steps=steps,
        passes=most,
        lr=lr,
        clip=clip,
        evaluate=lambda model: 1 - accuracy(parts.validation),
        patience=patience,
        rng=rng,
    )
    return {
        "accuracy": accuracy(parts.test),
        "validation accuracy": accuracy(parts.validation),
        "sentences": [len(part) for part in parts],
        "words": len(vocabulary),
        **told(history),
    }


# --- Speech: Free Spoken Digit Dataset, PyTorch
# -------------------------------------------------------------------------

DIGITS = {
    "N": 50,
    "D": 40,
    "H": 64,
    "passes": 20,
    "patience": 5,
    "lr": 3e-3,
    "dropout": 0.3,
    "clip": 1.0,
}


class Digits(nn.Module):
    """An LSTM that reads the spectra from both ends, the mean over time, ten scores."""

    def __init__(self, rng: np.random.Generator, D: int, H: int, dropout: float) -> None:
        super().__init__()
        self.lstm = torch_lstm([[init_lstm(rng, D, H, dtype=np.float32) for _ in range(2)]])
        self.dropout = nn.Dropout(dropout)
        self.affine = nn.Linear(2 * H, 10)

    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Scores (N, 10) of spectra (N, T, D), padded at the end."""
        h, _ = run_torch(self.lstm, x, mask=mask)  # 0 where it is padded
        return self.affine(self.dropout(h.sum(dim=1) / mask.sum(dim=1, keepdim=True)))


def standardised(spectra: list[np.ndarray], training: np.ndarray) -> list[np.ndarray]:
    """Spectra (T, D) with mean 0 and variance 1 in each band over the training recordings."""
    frames = np.concatenate([spectra[k] for k in training])
    mean, deviation = frames.mean(axis=0), frames.std(axis=0)
    return [(spectrum - mean) / deviation for spectrum in spectra]


def fsdd(seed: int, steps: int | None = None) -> dict[str, Any]:
    """Train on takes 10 to 49 of each digit and speaker, stop by takes 5 to 9, test on takes 0 to
    4, as the authors do.
    """
    N, D, H, most, patience, lr, dropout, clip = DIGITS.values()
    rng = set_seed(seed)
    data = load("fsdd")
    spectra = [log_mel(sound, data.rate, bands=D, step=0.02) for sound in data.sounds]
    test, held = np.flatnonzero(data.is_test), np.flatnonzero(~data.is_test)
    parts = [held[data.takes[held] >= 10], held[data.takes[held] < 10], test]
    spectra = standardised(spectra, parts[0])
    model = Digits(rng, D, H, dropout)

    def minibatches(
        part: np.ndarray, shuffle: bool
    ) -> Iterator[tuple[tuple[np.ndarray, np.ndarray], np.ndarray]]:
        for chosen in batches_of(part, spectra, N, rng if shuffle else None):
            yield tuple(pad([spectra[k] for k in chosen])), data.digits[chosen]

    def step(model, batch):
        (x, mask), y = batch
        return nn.functional.cross_entropy(model(x, mask), y)

    def accuracy(part: np.ndarray) -> float:
        return share_right(model, minibatches(part, shuffle=False))

    history = train(
        TorchEngine(model, step),
        lambda: minibatches(parts[0], shuffle=True),
        steps=steps,
        passes=most,
        lr=lr,
        clip=clip,
        evaluate=lambda model: 1 - accuracy(parts[1]),
        patience=patience,
        rng=rng,
    )
    return {
        "accuracy": accuracy(parts[2]),
        "validation accuracy": accuracy(parts[1]),
        "recordings": [len(part) for part in parts],
        **told(history),
    }


# --- What all share
# --------------------------------------------------------------------------------------------------


def batches_of(
    part: np.ndarray, sequences: Sequence[np.ndarray], N: int, rng: np.random.Generator | None
) -> Iterator[np.ndarray]:
    """Numbers of N sequences of about one length each, so that little is padded; in another order
    each time with rng.
    """
    lengths = [len(sequences[k]) for k in part]
    for bucket in buckets(lengths, N, seed=None if rng is None else int(rng.integers(2**31))):
        yield part[bucket]


def share_right(model: nn.Module, minibatches: Iterator[tuple[Any, np.ndarray]]) -> float:
    """Accuracy of a model in evaluation mode."""
    model.eval()
    right = total = 0
    with torch.no_grad():
        for x, y in minibatches:
            inputs = x if isinstance(x, tuple) else (x,)
            scores = model(*map(torch.from_numpy, inputs))
            right += int((scores.argmax(dim=1).numpy() == y).sum())
            total += len(y)
    model.train()
    return right / total


def told(history: History) -> dict[str, Any]:
    """What of a history goes into the results."""
    return {
        "first loss": history.loss[0],
        "last loss": float(np.mean(history.loss[-20:])),
        "steps": history.steps,
        "stopped": history.stopped,
        "clipped": history.clipped_share,
        "training seconds": sum(history.seconds),
    }


# --- Forecasting: El Nino, NumPy
# ----------------------------------------------------------------------------------------

EL_NINO = {
    "N": 32,
    "T": 36,
    "H": 16,
    "horizon": 6,
    "steps": 600,
    "patience": 10,
    "lr": 0.01,
    "clip": 1.0,
}
# each trains a model of its own, which forecasts the five years that follow
ORIGINS = (1990, 1995, 2000, 2005)


def el_nino(seed: int, steps: int | None = None) -> dict[str, Any]:
    """Forecast the next six months from each month of twenty years, with models that have seen only
    what lay well before.

    Training, validation and test are apart by a gap of a year and follow each other in time. The
    mean of each calendar month comes from the training years alone; the model sees and forecasts
    what differs from it.
    """
    N, T, H, K, most, patience, lr, clip = EL_NINO.values()
    rng, series = set_seed(seed), load("el-nino")
    value = series.values[:, 0]
    forecasts: dict[str, list[np.ndarray]] = {}
    histories = []
    for year in ORIGINS:
        first = int(np.flatnonzero(series.time == np.datetime64(f"{year}-01-01"))[0])
        test = range(first, min(first + 60, len(value)) - K + 1)  # first month of each forecast
        validation = range(first - 12 - 60, first - 12 - K + 1)
        training = range(T, first - 12 - 60 - 12 - K + 1)
        mean, scale, features = as_anomalies(value, known=training.stop + K - 1)
        window = windows(features, T, K)

        def minibatches(starts=training, window=window):
            order = rng.permutation(np.asarray(starts))
            for k in range(0, len(order) - N + 1, N):
                yield window(order[k : k + N])

        engine = NumpyEngine(forecaster(rng, H, K), forecast_step, loss=forecast_loss)
        histories.append(
            train(
                engine,
                minibatches,
                steps=steps or most,
                lr=lr,
                clip=clip,
                validation=[window(validation)],
                validate_every=20,
                patience=patience,
                rng=rng,
            )
        )
        anomalies = scale * forecast(engine.model, window(test)[0])[0][:, -1]
        for name, values in beside_each_other(value, mean, np.asarray(test), anomalies).items():
            forecasts.setdefault(name, []).append(values[:, :, None])
    return {
        **skills(forecasts),
        "steps": [history.steps for history in histories],
        "training seconds": sum(sum(history.seconds) for history in histories),
    }


def as_anomalies(value: np.ndarray, known: int) -> tuple[np.ndarray, float, np.ndarray]:
    """Mean (12,) of each calendar month and the spread of what differs from it, over the first
    `known` months, and what the model reads of all months (n, 3): the anomaly, and the month as a
    point of a circle.
    """
    month = np.arange(len(value)) % 12
    mean = np.array([value[:known][month[:known] == m].mean() for m in range(12)])
    scale = (value[:known] - mean[month[:known]]).std()
    angle = 2 * np.pi * month / 12
    anomaly = (value - mean[month]) / scale
    return mean, scale, np.stack([anomaly, np.sin(angle), np.cos(angle)], axis=1)


def windows(
    features: np.ndarray, T: int, K: int
) -> Callable[[Sequence[int]], tuple[np.ndarray, np.ndarray]]:
    """First months (N,) of forecasts -> the T months before each (N, T, 3), and at each of them the
    anomalies of the K months that follow it (N, T, K).
    """

    def window(starts: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
        places = np.asarray(starts)[:, None] + np.arange(-T, 0)  # (N, T)
        return features[places], features[:, 0][places[:, :, None] + np.arange(1, K + 1)]

    return window


def forecaster(rng: np.random.Generator, H: int, K: int) -> dict[str, np.ndarray]:
    """Weights of a model that begins with forecasts near the mean."""
    affine = init_affine(rng, H, K)
    return {**init_lstm(rng, 3, H), "Wy": 0.1 * affine["W"], "by": affine["b"]}


def beside_each_other(
    value: np.ndarray, mean: np.ndarray, starts: np.ndarray, anomalies: np.ndarray
) -> dict[str, np.ndarray]:
    """What was measured, the model's forecasts and those that need no model, (n, K) each.

    Parameters
    ----------
    value : degrees of each month of the series
    mean : (12,), of each calendar month
    starts : (n,), number of the first month of each forecast
    anomalies : (n, K), by the model
    """
    month = np.arange(len(value)) % 12
    K = anomalies.shape[1]
    target = starts[:, None] + np.arange(K)
    return {
        "measured": value[target],
        "LSTM": mean[month[target]] + anomalies,
        "persistence": np.repeat(value[starts - 1][:, None], K, axis=1),
        "seasonal-naive": value[target - 12],
        "calendar mean": mean[month[target]],
        "persistence of the anomaly": mean[month[target]]
        + (value - mean[month])[starts - 1][:, None],
    }


def skills(forecasts: Mapping[str, Sequence[np.ndarray]]) -> dict[str, Any]:
    """How much better the model is than each forecast without one: of what was measured, the model
    and the others, in this order, arrays (n, K, 1).
    """
    y, lstm, *others = (np.concatenate(parts) for parts in forecasts.values())  # (n, K, 1)
    names = list(forecasts)[2:]
    against = {name: skill(y, lstm, other) for name, other in zip(names, others, strict=True)}
    rmse = error_by_horizon(y, lstm)
    return {
        "skill": min(against.values()),
        "skill against": against,
        "skill against, by months ahead": {
            name: (1 - rmse / error_by_horizon(y, other)).tolist()
            for name, other in zip(names, others, strict=True)
        },
        "root mean squared error": {
            name: math.sqrt(float(np.mean((other - y) ** 2)))
            for name, other in zip(["LSTM", *names], [lstm, *others], strict=True)
        },
        "forecasts": len(y),
    }


def forecast(params, x):
    """Forecasts (n, T, K) after each of the months x (n, T, D): the last value, and how the model
    expects it to change.
    """
    zeros = np.zeros((len(x), len(params["Wh"])))
    h, _, cache = lstm_forward(x, zeros, zeros, params["Wx"], params["Wh"], params["b"])
    return x[:, :, :1] + h @ params["Wy"] + params["by"], h, cache


def forecast_step(params, batch):
    """Mean squared error of all forecasts, and its gradients."""
    x, target = batch
    y, h, cache = forecast(params, x)
    loss, dy = mean_squared_error(y, target)
    lstm = lstm_backward(dy @ params["Wy"].T, cache)
    dWy = np.einsum("nth,ntk->hk", h, dy)
    return loss, {
        "Wx": lstm.dWx,
        "Wh": lstm.dWh,
        "b": lstm.db,
        "Wy": dWy,
        "by": dy.sum(axis=(0, 1)),
    }


def forecast_loss(params, batch):
    """Mean squared error of the last forecast of each window: the one that is used."""
    x, target = batch
    return mean_squared_error(forecast(params, x)[0][:, -1], target[:, -1])[0]


# --- The four, and the file
# ---------------------------------------------------------------------------------------------

TASKS = {
    "tinyshakespeare": Task(
        tiny_shakespeare,
        "tinyshakespeare",
        "NumPy",
        "nats",
        None,
        1.75,
        3,
        "validation loss, nats per character",
    ),
    "rt-polarity": Task(
        rt_polarity,
        "rt-polarity",
        "PyTorch",
        "accuracy",
        0.75,
        None,
        5,
        "accuracy on the test sentences",
    ),
    "el-nino": Task(
        el_nino,
        "el-nino",
        "NumPy",
        "skill",
        0.0,
        None,
        5,
        "least of the skills against persistence, the same month of the year before, the mean of "
        "the calendar month, and persistence of what differs from it; skill is 1 - RMSE / RMSE of "
        "the other; 1 to 6 months ahead",
    ),
    "fsdd": Task(
        fsdd,
        "fsdd",
        "PyTorch",
        "accuracy",
        0.9,
        None,
        5,
        "accuracy on takes of each digit that were not trained on",
    ),
}
SETTINGS = {
    "tinyshakespeare": SHAKESPEARE,
    "rt-polarity": REVIEWS,
    "el-nino": EL_NINO,
    "fsdd": DIGITS,
}


def about_machine() -> dict[str, Any]:
    """What the numbers belong to."""
    return machine("numpy", "torch", "statsmodels") | {"threads": torch.get_num_threads()}


def interval(scores: Sequence[float]) -> tuple[float, float] | None:
    """Where the mean over seeds lies with 95 % confidence, by Student's t; None for a single
    seed.
    """
    from statsmodels.stats.weightstats import DescrStatsW

    if len(scores) < 2:
        return None
    low, high = DescrStatsW(np.array(scores)).tconfint_mean()
    return float(low), float(high)


def measure(name: str, seed: int) -> dict[str, Any]:
    """Run one task with one seed."""
    started, busy = time.perf_counter(), time.process_time()
    load_before = round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None
    found = TASKS[name].run(seed)
    run = {
        "seed": seed,
        **found,
        "seconds": time.perf_counter() - started,
        "processor seconds": time.process_time() - busy,
        "load before": load_before,
    }
    print(
        (
            f"{name}, seed {seed}: {TASKS[name].measure} {found[TASKS[name].measure]:.4f}, "
            f"{run['seconds']:.0f} s"
        ),
        flush=True,
    )
    return run


def result(name: str, run: dict[str, Any], kept: dict[str, Any]) -> dict[str, Any]:
    """What is known with one more run. Runs of other seeds stay, if settings, machine and versions
    are the same.
    """
    task = TASKS[name]
    head = {
        "data": about(task.data)._asdict(),
        "engine": task.engine,
        "settings": SETTINGS[name],
        "measure": task.measure,
        "what": task.what,
        **({"at most": task.at_most} if task.at_least is None else {"at least": task.at_least}),
        "machine": about_machine(),
    }
    runs = kept.get("runs", []) if {key: kept.get(key) for key in head} == head else []
    runs = sorted(
        [one for one in runs if one["seed"] != run["seed"]] + [run], key=lambda one: one["seed"]
    )
    scores = [one[task.measure] for one in runs]
    return {
        **head,
        "mean": float(np.mean(scores)),
        "interval of 95 %": interval(scores),
        "runs": runs,
    }


def rounded(tree: Any) -> Any:
    """The same with five digits: more is noise."""
    if isinstance(tree, float):
        return float(f"{tree:.5g}")
    if isinstance(tree, dict):
        return {name: rounded(part) for name, part in tree.items()}
    return [rounded(part) for part in tree] if isinstance(tree, tuple | list) else tree


def main() -> None:
    """Run the tasks, print each score, and write them into the file beside those of other tasks."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--task", choices=TASKS, action="append", help="one of the four; may be given again (all)"
    )
    parser.add_argument(
        "--seed", type=int, action="append", help="may be given again (from 0 to 2 or 4, by task)"
    )
    parser.add_argument("--out", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    for name in arguments.task or TASKS:
        for seed in arguments.seed or range(TASKS[name].seeds):
            run = measure(name, seed)
            # Read again each time: another task may have been written meanwhile.
            kept = json.loads(arguments.out.read_text()) if arguments.out.exists() else {}
            found = rounded(result(name, run, kept.get(name, {})))
            arguments.out.parent.mkdir(exist_ok=True)
            arguments.out.write_text(json.dumps({**kept, name: found}, indent=1) + "\n")
        print(
            (
                f"{name}: mean {found['mean']:.4f}, 95 % {found['interval of 95 %']}; written to "
                f"{arguments.out}"
            ),
            flush=True,
        )


if __name__ == "__main__":
    main()

"""How good is the Keras model that everybody copies, over seeds? The table behind the page *keras*.

    python benchmarks/copied_model.py  # eight seeds, into benchmarks/results/copied_model.json
    python benchmarks/copied_model.py --seeds 16

Three ways of training, the same seeds: as given; as given, with the scale of the training years
alone; mended. ``copied`` and ``mended`` are the functions of the page, word for word (a test
compares them). The file is written after each seed, so that a run that is stopped has told
something.
"""

import argparse
import json
import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")

import keras
import numpy as np
from keras import layers
from scipy import stats

from benchmarks.machine import machine
from lstm_ref.data import load
from lstm_ref.metrics import skill

RESULTS = Path(__file__).parent / "results" / "copied_model.json"

spots = load("sunspots").values[:, 0].astype("float32")
T = 20

scaled = (spots - spots.min()) / (spots.max() - spots.min())
x = np.stack([scaled[j : j + T] for j in range(len(spots) - T)])[..., None]
y = scaled[T:]
cut = int(0.8 * len(x))


def copied(seed):
    """Model, losses and forecast, as everybody trains it."""
    keras.utils.set_random_seed(seed)
    model = keras.Sequential(
        [
            keras.Input((T, 1)),
            layers.LSTM(50, return_sequences=True),
            layers.LSTM(50),
            layers.Dense(1),
        ]
    )
    model.compile(optimizer="adam", loss="mse")
    past = model.fit(x[:cut], y[:cut], epochs=25, batch_size=32, verbose=0)
    return model, past.history["loss"], model.predict(x[cut:], verbose=0)


first_test_year = T + cut  # the years before it are for training
train_part = spots[:first_test_year]
z = (spots - train_part.mean()) / train_part.std()
x_z = np.stack([z[j : j + T] for j in range(len(z) - T)])[..., None]
y_z = (z[T:] - z[T - 1 : -1])[:, None]  # the change, as (N, 1)
held = cut - T - 30  # train | a gap of one window | 30 windows to validate


def mended(seed):
    """Model and forecast, without the leaks."""
    keras.utils.set_random_seed(seed)
    model = keras.Sequential(
        [
            keras.Input((T, 1)),
            layers.LSTM(50, return_sequences=True),
            layers.LSTM(50),
            layers.Dense(1, kernel_initializer="zeros"),  # begins as persistence
        ]
    )
    model.compile(optimizer=keras.optimizers.Adam(3e-3), loss="mse")
    stop = keras.callbacks.EarlyStopping(patience=8, restore_best_weights=True)
    model.fit(
        x_z[:held],
        y_z[:held],
        epochs=40,
        batch_size=32,
        verbose=0,
        validation_data=(x_z[cut - 30 : cut], y_z[cut - 30 : cut]),
        callbacks=[stop],
    )
    return model, x_z[cut:, -1] + model.predict(x_z[cut:], verbose=0)


def copied_with_the_scale_of_the_training_years(seed: int) -> float:
    """Skill of the copied model; the only change is where the scale comes from."""
    global scaled, x, y
    all_years = scaled, x, y
    low, high = train_part.min(), train_part.max()
    scaled = (spots - low) / (high - low)
    x = np.stack([scaled[j : j + T] for j in range(len(spots) - T)])[..., None]
    y = scaled[T:]
    try:
        forecast = copied(seed)[2][:, 0]
        return skill(y[cut:], forecast, x[cut:, -1, 0])
    finally:
        scaled, x, y = all_years


def of_one_seed(seed: int) -> dict[str, float]:
    """Skill against the last value, on the test years, of three trainings from one seed."""
    return {
        "as given": skill(y[cut:], copied(seed)[2][:, 0], x[cut:, -1, 0]),
        "scale of the training years": copied_with_the_scale_of_the_training_years(seed),
        "mended": skill(z[T + cut :], mended(seed)[1][:, 0], x_z[cut:, -1, 0]),
    }


def against_given(skills: dict[str, list[float]]) -> dict[str, list[float]]:
    """Mean difference from "as given", paired by seed, and half of its 95 % interval (Student's
    t).
    """
    found = {}
    for name in skills:
        gain = np.subtract(skills[name], skills["as given"])
        half = (
            stats.t.ppf(0.975, len(gain) - 1) * gain.std(ddof=1) / np.sqrt(len(gain))
            if len(gain) > 1
            else np.inf
        )
        found[name] = [round(float(gain.mean()), 4), round(float(half), 4)]
    return found


def report(seeds: list[int], rows: list[dict[str, float]]) -> dict[str, object]:
    """What is written: the machine, the seeds, and each way's skill by seed."""
    last = x_z[cut:, -1, 0]
    change = last + x_z[cut:, -11, 0] - x_z[cut:, -12, 0]
    skills = {name: [round(float(row[name]), 4) for row in rows] for name in rows[0]}
    return {
        "machine": machine("keras", "tensorflow-cpu", "numpy"),
        "test years": len(spots) - T - cut,
        "seeds": seeds[: len(rows)],
        "skill": skills,
        "against as given": against_given(skills),
        "skill of last cycle's way": round(float(skill(z[T + cut :], change, last)), 4),
    }


def main() -> None:
    """Train, and write after each seed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=8)
    seeds = list(range(parser.parse_args().seeds))
    rows: list[dict[str, float]] = []
    for seed in seeds:
        rows.append(of_one_seed(seed))
        RESULTS.write_text(json.dumps(report(seeds, rows), indent=1) + "\n", encoding="utf-8")
        print(seed, {name: f"{value:+.3f}" for name, value in rows[-1].items()}, flush=True)


if __name__ == "__main__":
    main()

"""The reference learns from real data: a few steps of each task here, the full runs in
benchmarks/results/real_data.json.
"""

import json
import math
import os
from pathlib import Path

import pytest

from autograder.modules import load_module

ROOT = Path(__file__).parents[2]
pytest.importorskip("torch", reason="two of the four tasks train with PyTorch")

needs_data = pytest.mark.skipif(
    "LSTM_DATA_DIR" not in os.environ,
    reason="needs real data: LSTM_DATA_DIR must name a folder that holds them",
)


@pytest.fixture(scope="module")
def real_data():
    return load_module("real_data", ROOT / "benchmarks" / "real_data.py")


# --- a few steps


@needs_data
def test_sixty_steps_on_shakespeare_beat_counting_characters(real_data):
    found = real_data.tiny_shakespeare(seed=0, steps=60)
    assert found["steps"] == 60 and abs(found["first loss"] - math.log(65)) < 0.3
    assert (
        found["nats"] < found["nats of single characters"] - 0.3
        and 3.2 < found["nats of single characters"] < 3.4
    )


@needs_data
def test_a_hundred_steps_on_film_reviews_beat_the_coin(real_data, monkeypatch):
    for name, number in {"D": 32, "H": 16, "lr": 1e-2, "dropout": 0.2, "word dropout": 0.0}.items():
        monkeypatch.setitem(real_data.REVIEWS, name, number)
    found = real_data.rt_polarity(seed=0, steps=100)
    assert found["sentences"] == [8530, 1066, 1066]
    assert (
        found["last loss"] < math.log(2) - 0.02
        and found["accuracy"] > 0.55
        and found["validation accuracy"] > 0.55
    )


@needs_data
def test_twenty_steps_on_el_nino_beat_persistence_and_the_season_before(real_data):
    found = real_data.el_nino(seed=0, steps=20)
    assert found["forecasts"] == 220 and found["steps"] == [20, 20, 20, 20]
    against = found["skill against"]
    assert (
        against["persistence"] > 0.2
        and against["seasonal-naive"] > 0.2
        and found["skill"] == min(against.values())
    )


@needs_data
def test_forty_steps_on_digits_beat_one_in_ten(real_data):
    found = real_data.fsdd(seed=0, steps=40)
    assert found["recordings"] == [2400, 300, 300]
    assert found["last loss"] < math.log(10) - 0.4 and found["accuracy"] > 0.4


# --- what the steps stand on


def test_the_gradients_of_both_numpy_models_are_derivatives_of_their_losses(real_data):
    import numpy as np

    from lstm_ref import check_gradients, init_affine, init_lstm

    rng = np.random.default_rng(0)
    affine = init_affine(rng, 4, 2)
    params = {**init_lstm(rng, 3, 4), "Wy": affine["W"], "by": affine["b"]}
    batch = rng.normal(size=(2, 5, 3)), rng.normal(size=(2, 5, 2))
    _, grads = real_data.forecast_step(params, batch)
    check_gradients(lambda p: real_data.forecast_step(p, batch)[0], params, grads)

    params = {
        "E": rng.normal(size=(6, 3)),
        **params,
        "Wy": rng.normal(size=(4, 6)),
        "by": rng.normal(size=6),
    }
    batch = rng.integers(0, 6, (2, 5)), rng.integers(0, 6, (2, 5))
    state = tuple(rng.normal(size=(2, 4)) for _ in "hc")
    loss, grads, carried = real_data.character_step(params, batch, state)
    check_gradients(lambda p: real_data.character_step(p, batch, state)[0], params, grads)
    again, same = real_data.character_loss(params, batch, state)
    assert again == loss and all(np.array_equal(a, b) for a, b in zip(same, carried, strict=True))


# --- the committed results


def test_the_committed_results_reach_the_aims_and_say_what_they_belong_to(real_data):
    report = json.loads((ROOT / "benchmarks" / "results" / "real_data.json").read_text())
    assert set(report) == set(real_data.TASKS)
    for name, result in report.items():
        task = real_data.TASKS[name]
        scores = [run[task.measure] for run in result["runs"]]
        assert len(scores) >= 3 and [run["seed"] for run in result["runs"]] == list(
            range(len(scores))
        )
        assert math.isclose(result["mean"], sum(scores) / len(scores), rel_tol=1e-4)
        low, high = result["interval of 95 %"]
        assert low < result["mean"] < high
        if task.at_least is None:
            assert max(scores) <= task.at_most, name
        else:
            assert result["mean"] >= task.at_least and min(scores) >= task.at_least - 0.02, name
        assert all(run["seconds"] > 0 and run["processor seconds"] > 0 for run in result["runs"])
        assert result["settings"] == real_data.SETTINGS[name]
        fields = (
            "date",
            "processor",
            "cores",
            "threads",
            "python",
            "numpy",
            "torch",
            "statsmodels",
        )
        assert all(result["machine"][field] for field in fields) and result["data"]["version"]
    for run in report["el-nino"]["runs"]:
        assert (
            run["skill against"]["persistence"] > 0.2
            and run["skill against"]["seasonal-naive"] > 0.2
        )

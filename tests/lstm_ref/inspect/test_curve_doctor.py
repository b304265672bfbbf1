"""The Python side of the loss-curve doctor: what it reads from a curve, whether its limits hold for
every stored run, and what it refuses.
"""

import json
from pathlib import Path

import numpy as np
import pytest
from traitlets import TraitError

from lstm_ref.errors import ArgumentError, NotFiniteError, ShapeError
from lstm_ref.inspect import CurveDoctor
from lstm_ref.inspect.curve_cases import CAUSES, MEASURES, OFFERED, READINGS, SETTLED
from lstm_ref.inspect.curve_doctor import fits, readings

STORED = json.loads(
    (Path(__file__).parents[3] / "benchmarks" / "results" / "curves.json").read_text(
        encoding="utf-8"
    )
)
CASES = STORED["cases"]


@pytest.fixture(autouse=True)
def static(monkeypatch):
    monkeypatch.setenv("LSTM_REF_STATIC", "1")


def mean(case, what):
    return CASES[case]["measured"][what]["mean"]


def every(case, name):
    """A reading of each seed."""
    pairs = zip(CASES[case]["train"], CASES[case]["valid"], strict=True)
    return [readings(*pair)[name] for pair in pairs]


def test_readings_of_curves_that_can_be_read_by_hand():
    train = np.array([1.0] * 10 + [0.5] * 5 + [0.4] * 5)
    valid = np.array([1.0] * 5 + [0.4] + [0.8] * 14)
    found = readings(train, valid)
    # n = 20: the last two points end it, points 2 to 4 are early, 13 and 14 stand before three
    # quarters.
    want = {"end": 0.4, "gap": 2.0, "early": 1.0, "rise": 2.0, "late": 0.8, "jump": 0.0}
    assert found == pytest.approx(want) and set(found) == set(READINGS)
    valid[14] = 0.9  # one bump: second differences 0.1, -0.2, 0.1 of eight
    assert readings(train, valid)["jump"] == pytest.approx(0.4 / 8)


@pytest.mark.parametrize("cause", OFFERED)
def test_every_seed_of_a_stored_run_keeps_the_signs_of_its_cause(cause):
    assert len(CASES[cause]["train"]) >= 3
    for pair in zip(CASES[cause]["train"], CASES[cause]["valid"], strict=True):
        assert fits(cause, readings(*pair))


def test_each_run_offers_its_cause_and_the_measurement_that_settles_it():
    assert set(OFFERED) == set(CAUSES) == set(SETTLED) == set(CASES)
    for key, causes in OFFERED.items():
        assert key in causes and list(causes) == [c for c in CAUSES if c in causes]
        measured = CASES[key]["measured"]
        assert CAUSES[key].settles in measured and set(measured) <= set(MEASURES)
        assert len(causes) == 4 and len(measured) == 3


def test_what_the_answers_say_is_what_was_measured():
    assert mean("rate-small", "larger") < 0.5 * mean("rate-small", "wait")
    assert mean("overfitting", "data") < 0.7 * np.mean(every("overfitting", "end")) * np.mean(
        every("overfitting", "gap")
    )
    assert mean("overfitting", "wait") < np.mean(every("overfitting", "end"))
    assert mean("dropout", "again") < 0.8 * np.mean(every("dropout", "end"))
    assert mean("dropout", "again") < mean("dropout", "split")
    assert abs(mean("pairs", "pairs")) < 0.15
    assert min(mean("pairs", "larger"), mean("pairs", "wait")) > 0.95
    assert (
        CASES["leak"]["measured"]["split"]["least, most"][0] > 1 > 5 * np.mean(every("leak", "end"))
    )
    assert mean("rate-large", "smaller") < 0.6 * mean("rate-large", "wait")
    assert CASES["plateau"]["measured"]["wait"]["least, most"][1] < 0.7
    assert mean("plateau", "larger") > 0.95
    valid = np.array(every("sound", "end")) * every("sound", "gap")
    assert mean("sound", "split") == pytest.approx(valid.mean(), rel=1e-3)
    assert mean("order", "again") > 5 * np.mean(every("order", "end"))
    # The model fell as far as a linear model, and no further but by heart.
    assert mean("noise", "simple") == pytest.approx(np.mean(every("noise", "end")), rel=0.1)
    assert mean("noise", "wait") < np.mean(every("noise", "end")) - 0.02
    judged = np.mean(every("mode", "end")) * np.mean(every("mode", "gap"))
    assert mean("mode", "evaluated") < 0.85 * judged
    assert CASES["clipping"]["measured"]["norm"]["least, most"][0] > 100
    assert mean("clipping", "wait") < 0.5


def test_some_curves_decide_and_some_cannot():
    left = CurveDoctor(STORED).open_causes()
    assert all(key in causes for key, causes in left.items())
    alone = {key for key, causes in left.items() if causes == [key]}
    assert {"order", "overfitting", "rate-large"} <= alone
    assert {"leak", "sound"} <= set(left["leak"]) & set(left["sound"])
    assert {"plateau", "rate-small"} <= set(left["plateau"]) & set(left["rate-small"])


def test_page_with_all_runs_is_small_and_text_does_not_repeat_numbers():
    doctor = CurveDoctor(STORED)
    assert len(doctor.html().encode()) <= 60_000
    for run in doctor.runs:
        assert "{" not in run["settled"] and any(c.isdigit() for c in run["settled"])


def test_a_run_of_ones_own_is_divided_by_its_constant():
    train, valid = np.linspace(4.0, 0.4, 30), np.linspace(4.0, 3.0, 30)
    doctor = CurveDoctor(train=train, valid=valid, constant=2.0)
    assert doctor.readings()["own"]["end"] == pytest.approx(train[-3:].mean() / 2)
    assert doctor.runs[0]["causes"] == list(CAUSES)
    assert [run["key"] for run in CurveDoctor(STORED, train=train, valid=valid, constant=2).runs][
        -1
    ] == "own"


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({}, ArgumentError, "needs stored runs, or train, valid and constant"),
        ({"stored": {"cases": {}}}, ArgumentError, "have no rate-small; give what benchmarks"),
        ({"train": np.ones(20), "valid": np.ones(20)}, ArgumentError, "constant = .*mean"),
        (
            {"train": np.ones(20), "valid": np.ones(19), "constant": 1.0},
            ShapeError,
            "same number of points, 12 to 400, got 20 and 19",
        ),
        (
            {"train": np.ones(8), "valid": np.ones(8), "constant": 1.0},
            ShapeError,
            "got 8 and 8",
        ),
        (
            {"train": np.ones((20, 1)), "valid": np.ones(20), "constant": 1.0},
            ShapeError,
            r"train must be \(n,\), got \(20, 1\)",
        ),
        (
            {"train": np.r_[np.ones(19), np.nan], "valid": np.ones(20), "constant": 1.0},
            NotFiniteError,
            "train must hold finite losses above 0; cut the curve",
        ),
    ],
)
def test_curves_that_do_not_fit_are_refused(options, error, message):
    with pytest.raises(error, match=message):
        CurveDoctor(**options)


def test_an_answer_that_was_not_offered_is_refused():
    doctor = CurveDoctor(STORED)
    with pytest.raises(TraitError, match="there is no run nobody"):
        doctor.answers = {"nobody": {"cause": "leak", "next": "wait"}}
    with pytest.raises(TraitError, match="cause of order must be one of rate-large, order"):
        doctor.answers = {"order": {"cause": "leak", "next": "wait"}}
    with pytest.raises(TraitError, match="next of order must be one of .*; got None"):
        doctor.answers = {"order": {"cause": "order"}}

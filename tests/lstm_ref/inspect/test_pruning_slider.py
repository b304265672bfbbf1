"""The Python side of the pruning slider: its means, what may go, and what it refuses."""

import json
from pathlib import Path

import numpy as np
import pytest
from traitlets import TraitError

from lstm_ref.errors import ArgumentError, ShapeError
from lstm_ref.inspect import PruningSlider

STORED = json.loads(
    (Path(__file__).parents[3] / "benchmarks" / "results" / "pruning.json").read_text(
        encoding="utf-8"
    )
)


@pytest.fixture(autouse=True)
def static(monkeypatch):
    monkeypatch.setenv("LSTM_REF_STATIC", "1")


def small(**changes):
    """Two seeds at three shares."""
    numbers = {"shares": [0, 0.5, 0.9], "accuracy": [[1.0, 0.98, 0.5], [1.0, 0.94, 0.7]]}
    return {"one": {**numbers, **changes}}


def test_means_and_what_may_go_come_out_by_hand():
    slider = PruningSlider(small(**{"fine-tuned": [[1.0, 1.0, 0.96]] * 2, "zipped": [[9, 6, 3]]}))
    assert slider.at("one", 2) == pytest.approx(
        {"share": 0.9, "accuracy": 0.6, "fine-tuned": 0.96, "zipped": 3}
    )
    assert slider.kept("one") == 0.5 and slider.kept("one", tuned=True) == 0.9
    # A share that recovers beyond one that failed does not count.
    dips = PruningSlider(small(accuracy=[[1.0, 0.9, 1.0]]))
    assert dips.kept("one") == 0
    assert np.isnan(PruningSlider(small(accuracy=[[0.9, 0.9, 0.9]])).kept("one"))


def test_the_stored_table_says_what_the_page_says():
    slider = PruningSlider(STORED["arms"])
    smallest, random, units = STORED["arms"]
    assert slider.kept(random) < slider.kept(units) <= slider.kept(smallest)
    for arm in STORED["arms"]:
        assert slider.kept(arm, tuned=True) > slider.kept(arm)
        assert slider.at(arm, 0)["accuracy"] > 0.98
        saved = [slider.at(arm, k)["bytes"] for k in range(len(STORED["arms"][arm]["shares"]))]
        if arm == units:
            assert np.all(np.diff(saved) < 0)
        else:
            assert max(saved) - min(saved) < 2000
    assert len(slider.html().encode()) <= 60_000


@pytest.mark.parametrize(
    ("arms", "error", "message"),
    [
        ({}, ArgumentError, "needs at least one arm"),
        (small(shares=[0, 0.9, 0.5]), ArgumentError, "shares that rise from 0 to 1"),
        (small(shares=[0, 50, 90]), ArgumentError, "shares that rise from 0 to 1"),
        ({"one": {"shares": [0, 1]}}, ArgumentError, "one needs accuracy"),
        (
            small(accuracy=[1.0, 0.9, 0.8]),
            ShapeError,
            r"accuracy of one must be finite, \(seeds, 3\), a row for each seed, got \(3,\)",
        ),
        (small(bytes=[[1, 2]]), ShapeError, r"bytes of one .* got \(1, 2\)"),
        (small(accuracy=[[1, np.nan, 0]]), ShapeError, "must be finite"),
    ],
)
def test_arms_that_do_not_fit_are_refused(arms, error, message):
    with pytest.raises(error, match=message):
        PruningSlider(arms)


def test_what_does_not_exist_is_refused():
    slider = PruningSlider(small())
    with pytest.raises(TraitError, match="arm must be one of one, got 'two'"):
        slider.arm = "two"
    with pytest.raises(TraitError, match="place must be from 0 to 2, got 3"):
        slider.place = 3
    with pytest.raises(TraitError, match="guesses must be shares from 0 to 1 for one; got one: 50"):
        slider.guesses = {"one": 50}

"""The Python side of the origin slider: its errors by hand, and what it refuses."""

import json
from pathlib import Path

import numpy as np
import pytest
from traitlets import TraitError

from lstm_ref.errors import ArgumentError, ShapeError
from lstm_ref.inspect import OriginSlider

STORED = json.loads(
    (Path(__file__).parents[3] / "benchmarks" / "results" / "origins.json").read_text(
        encoding="utf-8"
    )
)


@pytest.fixture(autouse=True)
def static(monkeypatch):
    monkeypatch.setenv("LSTM_REF_STATIC", "1")


def one(**changes):
    """Two origins, two steps ahead each."""
    found = {
        "series": [0.0, 1.0, 3.0, 2.0, 2.0],
        "origins": [1, 2],
        "told": [[3.0, 3.0], [3.0, 5.0]],
        "low": [[2.0, 2.0], [2.5, 2.5]],
        "high": [[4.0, 2.5], [3.5, 5.0]],
    }
    return {**found, **changes}


def test_errors_and_their_sums_come_out_by_hand():
    slider = OriginSlider({"one": one(when=["May", "June"])})
    # From 1 came 3 and 2; from 3 came 2 and 2
    assert slider.at("one", 0) == pytest.approx(
        {"when": "May", "error": np.sqrt(0.5), "persistence": np.sqrt(2.5), "inside": 2}
    )
    assert slider.at("one", 1) == pytest.approx(
        {"when": "June", "error": np.sqrt(5), "persistence": 1.0, "inside": 0}
    )
    assert slider.whole("one") == {
        "better": 0.5,
        "skill": round(1 - float(np.sqrt(2.75 / 1.75)), 3),
        "coverage": 0.5,
    }


def test_what_lies_before_the_first_window_is_left_out():
    rng = np.random.default_rng(0)
    values, origins = rng.normal(size=400), np.array([300, 320])
    told = rng.normal(size=(2, 4))
    parts = {"told": told, "low": told - 1, "high": told + 1}
    whole = OriginSlider({"a": {"series": values, "origins": origins, **parts}})
    cut = whole.series["a"]
    assert len(cut["series"]) == 320 + 4 + 1 - (300 - 12) and cut["origins"] == [12, 32]
    true = values[origins[:, None] + 1 + np.arange(4)]
    for k in range(2):
        off = np.sqrt(np.mean((told[k] - true[k]) ** 2))
        assert whole.at("a", k)["error"] == pytest.approx(off, abs=0.01)


def test_the_stored_series_say_what_the_page_says():
    slider = OriginSlider(STORED["series"])
    sea, air, walk = (slider.whole(name) for name in slider.series)
    assert sea["better"] > 0.7 and air["better"] > 0.7
    assert 0.25 < walk["better"] < 0.65 and walk["skill"] < 0.05
    assert min(sea["skill"], air["skill"]) > 0.4
    assert all(0.6 < one["coverage"] < 0.95 for one in (sea, air, walk))
    assert len(json.dumps(slider.page_state, separators=(",", ":"))) < 60_000


@pytest.mark.parametrize(
    ("series", "error", "message"),
    [
        ({}, ArgumentError, "needs 1 to 12000 numbers, got 0 in 0 series"),
        ({"one": {"series": [1]}}, ArgumentError, "it has no origins, told, low, high"),
        (
            {"one": one(low=[[1.0], [2.0]])},
            ShapeError,
            r"must be \(n, K\) with n = 2 origins, got \(2, 2\), \(2, 1\), \(2, 2\)",
        ),
        ({"one": one(origins=[2, 1])}, ArgumentError, "that rise from 0 to L-1-K = 2 at most"),
        ({"one": one(origins=[1, 3])}, ArgumentError, "so that K = 2 values follow each"),
        ({"one": one(when=["May"])}, ShapeError, "must have n = 2 labels, got 1"),
        ({"one": one(told=[[3.0, np.nan], [1, 1]])}, ArgumentError, "all numbers of one must be"),
    ],
)
def test_series_that_do_not_fit_are_refused(series, error, message):
    with pytest.raises(error, match=message):
        OriginSlider(series)


def test_too_many_numbers_are_refused_with_a_remedy():
    n = 4000
    many = {key: np.zeros((n, 1)) for key in ("told", "low", "high")}
    with pytest.raises(ArgumentError, match="take every second origin, or fewer"):
        OriginSlider({"a": {"series": np.zeros(n + 1), "origins": np.arange(n), **many}})


def test_what_does_not_exist_is_refused():
    slider = OriginSlider({"one": one()})
    with pytest.raises(TraitError, match="chosen must be one of one, got 'two'"):
        slider.chosen = "two"
    with pytest.raises(TraitError, match="place must be from 0 to 1, got 2"):
        slider.place = 2
    with pytest.raises(TraitError, match="guesses must be shares from 0 to 1 for one; got one: 50"):
        slider.guesses = {"one": 50}


def test_a_change_from_the_browser_reaches_python(monkeypatch):
    monkeypatch.delenv("LSTM_REF_STATIC")
    slider = OriginSlider({"one": one(), "two": one()}, place=1)
    slider.set_state({"place": 0, "chosen": "two"})
    slider.set_state({"guesses": {"one": 0.5, "two": 0.1}})
    assert (slider.place, slider.chosen, slider.guesses["two"]) == (0, "two", 0.1)
    data, _ = slider._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in data

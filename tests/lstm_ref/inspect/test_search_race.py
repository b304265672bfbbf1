"""The Python side of the search race: what each search costs and finds, and what it refuses."""

import json
from pathlib import Path

import numpy as np
import pytest
from traitlets import TraitError

from lstm_ref.errors import ArgumentError, ShapeError
from lstm_ref.inspect import SearchRace
from lstm_ref.inspect.search_race import BUDGETS, METHODS, generator

STORED = json.loads(
    (Path(__file__).parents[3] / "benchmarks" / "results" / "search.json").read_text(
        encoding="utf-8"
    )
)
LOSS, COSTS = np.array(STORED["loss"]), STORED["updates"]


@pytest.fixture(autouse=True)
def static(monkeypatch):
    monkeypatch.setenv("LSTM_REF_STATIC", "1")


def price(raced, costs):
    """What a search has cost, in full runs: every rung that each of its runs has reached."""
    left, total = len(raced.tried), 0.0
    for rung, step in enumerate(np.diff([0, *costs])):
        total += left * step
        left = max(1, left // 3) if rung < len(costs) - 1 and left > len(raced.full) else left
    return total / costs[-1]


@pytest.mark.parametrize("budget", BUDGETS)
def test_every_search_costs_the_same_and_finds_the_least_of_what_it_trained(budget):
    race = SearchRace(LOSS, COSTS, budget=budget)
    for k in range(30):
        draw = generator(k)
        seed = int(draw() * len(LOSS))
        for method, raced in race.one(k).items():
            assert 0.85 * budget <= price(raced, COSTS) <= budget, (method, k)
            assert len(set(raced.tried)) == len(raced.tried) and set(raced.full) <= set(raced.tried)
            assert raced.shown == min(LOSS[(seed, *cell, -1)] for cell in raced.full)
            others = [LOSS[(one, *raced.found, -1)] for one in range(len(LOSS)) if one != seed]
            assert raced.worth == pytest.approx(np.mean(others))
        assert len(race.one(k)["halving"].tried) > budget


def test_halving_keeps_the_best_third_of_each_rung():
    loss = np.random.default_rng(0).random((2, 4, 5, 3))
    raced = SearchRace(loss, [1, 2, 4], budget=4).one(3)["halving"]
    draw = generator(3)
    table = loss[int(draw() * 2)].round(4)
    going = raced.tried
    for rung in (0, 1):
        going = sorted(going, key=lambda cell: table[(*cell, rung)])[: len(going) // 3]
    assert raced.full == going and len(raced.tried) == 10


def test_draws_are_even_and_no_two_races_are_the_same():
    first = np.array([generator(seed)() for seed in range(4000)])
    assert abs(first.mean() - 0.5) < 0.02 and abs((first < 0.1).mean() - 0.1) < 0.02
    draw = generator(7)
    numbers = np.array([draw() for _ in range(4000)])
    assert abs(np.corrcoef(numbers[:-1], numbers[1:])[0, 1]) < 0.05
    race = SearchRace(LOSS, COSTS)
    assert len({tuple(race.one(k)["random"].tried) for k in range(100)}) == 100
    hits = np.bincount([8 * r + c for k in range(600) for r, c in race.one(k)["random"].tried])
    assert len(hits) == 64 and hits.min() > 15 and hits.max() < 70  # 37.5 each


def test_a_small_price_favours_halving_and_its_setting_is_worth_less_elsewhere():
    means = SearchRace(LOSS, COSTS).means(300)
    assert min(METHODS, key=lambda method: means[method]["shown"]) == "halving"
    assert means["halving"]["worth"] > 3 * means["halving"]["shown"]
    assert sum(row["won"] for row in means.values()) >= 1


def test_page_with_64_settings_is_small():
    assert len(SearchRace(LOSS, COSTS).html().encode()) <= 60_000


@pytest.mark.parametrize(
    ("loss", "costs", "options", "error", "message"),
    [
        (LOSS[0], COSTS, {}, ShapeError, r"loss must be \(seeds, first, second, rungs\)"),
        (LOSS[:1], COSTS, {}, ShapeError, "two seeds or more"),
        (LOSS, [1, 2], {}, ShapeError, r"got \(3, 8, 8, 3\) and 2 costs"),
        (LOSS, [60, 20, 180], {}, ShapeError, "costs must rise from above 0"),
        (LOSS, COSTS, {"axes": {"a": [1], "b": [2]}}, ShapeError, r"8 and 8 values, got \[1, 1\]"),
        (LOSS * np.nan, COSTS, {}, ArgumentError, "give a run that diverged a large loss"),
        (np.zeros((2, 60, 60, 1)), [1], {}, ArgumentError, "at most 6000, got 7200"),
    ],
)
def test_losses_that_do_not_fit_are_refused(loss, costs, options, error, message):
    with pytest.raises(error, match=message):
        SearchRace(loss, costs, **options)


def test_what_does_not_exist_is_refused():
    race = SearchRace(LOSS, COSTS)
    with pytest.raises(TraitError, match="budget must be one of 4, 9, 16, got 5"):
        race.budget = 5
    with pytest.raises(TraitError, match="guess must be winner"):
        race.guess = {"winner": "luck", "worth": "same"}
    with pytest.raises(TraitError, match="races must be from 0 to 2000, got 2001"):
        race.races = 2001

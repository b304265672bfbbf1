"""The Python side of the slice explorer: its counts beside plain boolean masks, and what it
refuses.
"""

import numpy as np
import pytest
from traitlets import TraitError

from lstm_ref.errors import ArgumentError, ShapeError
from lstm_ref.inspect import SliceExplorer


@pytest.fixture(autouse=True)
def static(monkeypatch):
    monkeypatch.setenv("LSTM_REF_STATIC", "1")


def planted(n=1500, seed=0):
    """Attributes of examples, and errors of which most lie where b is "x=1, y" and c is 2."""
    rng = np.random.default_rng(seed)
    attributes = {
        "a": rng.choice(["one", "two", "three"], n),
        "b": rng.choice(["x=1, y", "x and z", "<b>"], n),  # what a text may hold
        "c": rng.integers(0, 4, n),
    }
    wrong = rng.random(n) < np.where(
        (attributes["b"] == "x=1, y") & (attributes["c"] == 2), 0.6, 0.05
    )
    return attributes, wrong


def test_counts_are_those_of_boolean_masks():
    attributes, wrong = planted()
    explorer = SliceExplorer(attributes, wrong)
    for chosen in ({}, {"a": "two"}, {"b": "x=1, y", "c": "2"}, {"a": "one", "b": "<b>", "c": "0"}):
        inside = np.all(
            [np.asarray(attributes[name]).astype(str) == value for name, value in chosen.items()],
            axis=0,
        )
        inside = np.broadcast_to(inside, wrong.shape)
        assert explorer.counts(chosen) == (wrong[inside].sum(), inside.sum())


def test_page_of_1500_examples_and_six_attributes_is_small():
    attributes, wrong = planted()
    explorer = SliceExplorer(
        {f"{name}{k}": column for name, column in attributes.items() for k in range(2)}, wrong
    )
    assert len(explorer.html().encode()) <= 60_000


@pytest.mark.parametrize(
    ("attributes", "wrong", "error", "message"),
    [
        ({}, np.zeros(4, bool), ArgumentError, "needs 1 to 15000 attributes for 4 examples, got 0"),
        (
            {"a": [1, 2]},
            np.zeros(3, bool),
            ShapeError,
            r"a must have one value for each of 3 examples, got \(2,\)",
        ),
        (
            {"a": [1, 2]},
            np.zeros(2),
            ShapeError,
            r"wrong must be \(n,\) of bool .* use predicted != targets",
        ),
        (
            {"a": range(40)},
            np.zeros(40, bool),
            ArgumentError,
            "a has 40 different values, at most 36",
        ),
        (
            {"a": np.zeros(70_000)},
            np.zeros(70_000, bool),
            ArgumentError,
            "take a sample of the examples",
        ),
    ],
)
def test_what_does_not_fit_is_refused(attributes, wrong, error, message):
    with pytest.raises(error, match=message):
        SliceExplorer(attributes, wrong)


def test_slice_that_does_not_exist_is_refused():
    attributes, wrong = planted(50)
    explorer = SliceExplorer(attributes, wrong)
    with pytest.raises(TraitError, match="there is no slice a=four; attributes: a, b, c"):
        explorer.chosen = {"a": "four"}
    with pytest.raises(TraitError, match="there is no slice d=1"):
        explorer.counts({"d": "1"})

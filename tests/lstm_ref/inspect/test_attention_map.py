"""The Python side of the attention map: what it says of a word, and what it refuses."""

import json
from pathlib import Path

import numpy as np
import pytest
from traitlets import TraitError

from lstm_ref.errors import ArgumentError, ShapeError
from lstm_ref.inspect import AttentionMap

STORED = json.loads(
    (Path(__file__).parents[3] / "benchmarks" / "results" / "attention.json").read_text(
        encoding="utf-8"
    )
)


@pytest.fixture(autouse=True)
def static(monkeypatch):
    monkeypatch.setenv("LSTM_REF_STATIC", "1")


def one(**changes):
    text = {
        "name": "short",
        "source": ["a", "good", "day"],
        "written": ["bon", "jour"],
        "weights": [[0.1, 0.6, 0.3], [0.0, 0.5, 0.5]],
    }
    return {**text, **changes}


def test_a_word_is_told_with_the_word_that_was_looked_at_most():
    attention = AttentionMap([one()])
    assert attention.at(0, 0) == {"written": "bon", "looked at": "good", "weight": 0.6}
    # Of equal weights the first one, as in the page
    assert attention.at(0, 1) == {"written": "jour", "looked at": "good", "weight": 0.5}
    # Asked is the row that is least sure, unless it is said
    assert attention.texts[0]["ask"] == attention.step == 1
    assert AttentionMap([one(ask=0)]).step == 0


def test_the_stored_maps_are_shares_and_small():
    attention = AttentionMap(STORED["texts"])
    for k, text in enumerate(attention.texts):
        weights = np.array(text["weights"])
        assert weights.shape == (len(text["written"]), len(text["source"]))
        np.testing.assert_allclose(weights.sum(axis=1), 1, atol=2e-3)
        assert attention.at(k, text["ask"])["looked at"] in text["source"]
    right, wrong, long, _ = attention.texts
    assert right["written"] == right["right"] and wrong["written"] != wrong["right"]
    assert wrong["written"][wrong["ask"]] != wrong["right"][wrong["ask"]]
    assert len(long["source"]) > len(right["source"])
    assert len(json.dumps(attention.page_state)) < 60_000


@pytest.mark.parametrize(
    ("texts", "error", "message"),
    [
        ([], ArgumentError, "needs 1 to 6000 weights, got 0 in 0 texts"),
        ([{"name": "short"}], ArgumentError, "this one has no source, written, weights"),
        (
            [one(weights=[[0.5, 0.5]])],
            ShapeError,
            r"weights of short must be \(S, T\) = \(2, 3\), written words by source words, got "
            r"\(1, 2\)",
        ),
        ([one(weights=np.ones((2, 3)))], ArgumentError, "shares with sum 1; sums go from 3 to 3"),
        ([one(ask=2)], ArgumentError, "ask of short must be from 0 to S-1 = 1, got 2"),
        ([one()] * 1001, ArgumentError, "got 6006 in 1001 texts; leave out texts"),
    ],
)
def test_texts_that_do_not_fit_are_refused(texts, error, message):
    with pytest.raises(error, match=message):
        AttentionMap(texts)


def test_what_does_not_exist_is_refused():
    attention = AttentionMap([one()])
    with pytest.raises(TraitError, match="text must be from 0 to 0, got 1"):
        attention.text = 1
    with pytest.raises(TraitError, match="step must be from 0 to 1, got 2"):
        attention.step = 2
    with pytest.raises(TraitError, match="by the number of their text; got 0: 3"):
        attention.guesses = {"0": 3}
    with pytest.raises(TraitError, match="got 1: 0"):
        attention.guesses = {"1": 0}


def test_a_change_from_the_browser_reaches_python(monkeypatch):
    monkeypatch.delenv("LSTM_REF_STATIC")
    attention = AttentionMap([one(), one(name="other", ask=0)], text=1)
    attention.set_state({"step": 0, "text": 0})
    attention.set_state({"step": 1, "guesses": {"0": 2}})
    assert (attention.text, attention.step, attention.guesses) == (0, 1, {"0": 2})
    data, _ = attention._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in data

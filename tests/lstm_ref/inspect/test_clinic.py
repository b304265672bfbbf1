"""The Python side of the clinic: its score, its size, and what it refuses."""

import json
from pathlib import Path

import pytest
from traitlets import TraitError

from lstm_ref.clinic.record import record
from lstm_ref.errors import ArgumentError
from lstm_ref.inspect import Clinic

STORED = json.loads(
    (Path(__file__).parents[3] / "benchmarks" / "results" / "clinic.json").read_text(
        encoding="utf-8"
    )
)


@pytest.fixture(autouse=True)
def static(monkeypatch):
    monkeypatch.setenv("LSTM_REF_STATIC", "1")


def test_score_adds_what_was_ordered_and_compares_with_the_answer():
    clinic = Clinic(record(STORED))
    costs = clinic.record["cases"][0]["costs"]
    clinic.ordered = {
        "axis_final_state_view": ["gradients", "heart"],
        "opt_before_change": ["optimizer"],
    }
    clinic.decided = {"axis_final_state_view": "too-small"}
    assert clinic.score() == {"axis_final_state_view": (costs["gradients"] + costs["heart"], False)}
    clinic.decided = {
        "axis_final_state_view": "examples-mixed",
        "opt_before_change": "not-in-optimizer",
    }
    assert clinic.score()["axis_final_state_view"][1] and clinic.score()["opt_before_change"] == (
        1,
        True,
    )


def test_page_with_all_cases_is_small():
    assert len(Clinic(record(STORED)).html().encode()) <= 60_000


def test_what_does_not_exist_is_refused():
    clinic = Clinic(record(STORED))
    with pytest.raises(TraitError, match="no case nobody"):
        clinic.ordered = {"nobody": []}
    with pytest.raises(TraitError, match="no measurement x-ray of opt_before_change"):
        clinic.ordered = {"opt_before_change": ["x-ray"]}
    with pytest.raises(TraitError, match="no diagnosis tired"):
        clinic.decided = {"opt_before_change": "tired"}
    with pytest.raises(
        ArgumentError,
        match=r"no diagnoses, measurements; give what benchmarks/clinic.py has stored",
    ):
        Clinic({"cases": [{"id": "a"}], "measurements": {}})

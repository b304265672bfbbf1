"""The confusion matrix of known mistakes: how it is counted, and that what is committed holds what is asked of it."""

import dataclasses
import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

from lstm_ref.practice.lstm_bptt import CHECKS
from lstm_ref.zoo import find, plain

ROOT = Path(__file__).parents[1]
spec = importlib.util.spec_from_file_location("_naming", ROOT / "benchmarks" / "naming.py")
naming = importlib.util.module_from_spec(spec)
spec.loader.exec_module(naming)

STEP = next(check for check in CHECKS if check.name == "lstm_step")
BACK = next(check for check in CHECKS if check.name == "lstm_step_backward")


@pytest.mark.parametrize("check", [STEP, BACK], ids=lambda check: check.name)
def test_all_other_orders_of_the_gates_are_found_as_conventions(check):
    assert naming.orders(check) == 23


def test_a_name_counts_as_right_only_where_it_is():
    known = {mistake.id: mistake for mistake in STEP.misconceptions}
    bug = find("no_bias").lstm_step

    def outcome(function, mine, check=STEP):
        return naming._outcome(check, function, 0, known, mine)

    assert outcome(bug, {"no_bias"}) == "named rightly"
    assert outcome(bug, {"bias_twice"}) == "the same numbers as another mistake"
    assert outcome(plain.lstm_step, set()) == "right"
    assert (
        outcome(lambda *a: tuple(-np.asarray(v) for v in plain.lstm_step(*a)[:2]) + (None,), set()) == "not recognised"
    )
    assert outcome(lambda *a: 1 / 0, set()) == "raises"
    liar = dataclasses.replace(known["no_bias"], function=lambda *a: find("bias_twice").lstm_step(*a))
    confused = dataclasses.replace(STEP, misconceptions=(liar,))
    known["no_bias"] = dataclasses.replace(liar, function=plain.lstm_step)
    assert outcome(find("bias_twice").lstm_step, {"no_bias"}, confused) == "named wrongly"


def test_what_was_measured_holds_what_is_asked_of_it():
    report = json.loads((ROOT / "benchmarks" / "results" / "naming.json").read_text(encoding="utf-8"))
    assert set(report["machine"]) >= {"date", "processor", "python", "numpy"} and all(report["machine"].values())
    known = {check.name: {mistake.id for mistake in check.misconceptions} for check in CHECKS}
    assert {name: set(rows) for name, rows in report["single"].items()} == known
    assert sum(map(len, known.values())) >= 40
    summary = report["summary"]
    assert summary["single, named rightly"] >= 0.95 and summary["single, named wrongly"] <= 0.01
    assert summary["single, asked"] == sum(
        n for rows in report["single"].values() for row in rows.values() for n in row.values()
    )
    for kind in ("mutants", "pairs"):
        assert summary[kind].get("named wrongly", 0) <= 0.01 * sum(summary[kind].values())
        assert sum(summary[kind].values()) > 100
    assert report["orders"] == {"lstm_step": 23, "lstm_step_backward": 23}

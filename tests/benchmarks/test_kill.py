"""Runs that are killed at random points, in a small version of `make bench-kill`; and what `make
bench-kill` wrote last.
"""

import importlib
import json
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def kill(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    yield importlib.import_module("kill")
    sys.modules.pop("kill")


def test_whatever_is_killed_the_same_command_ends_with_the_gradebook_of_an_unbroken_run(
    kill, tmp_path
):
    # the main process alone is killed in test_batch
    kinds = ("server", "judge", "worker", "everything", "copy")
    results = kill.measure(20, len(kinds), seed=1, work=tmp_path, kinds=kinds)
    assert {result["kind"] for result in results} == set(kinds)
    assert not [result for result in results if result["troubles"]]
    assert any(0 < result["records"] < 20 for result in results)
    # What is compared would tell of a grade that is lost, doubled, or another.
    course = tmp_path / "course"
    whole = kill.gradebook(course)
    for change in (
        "delete from grade where id = (select min(id) from grade)",
        (
            "update grade set auto_score = auto_score + 1 where id = (select min(id) from grade "
            "where auto_score = 0)"
        ),
        "insert into student (id) values ('somebody')",
    ):
        with closing(sqlite3.connect(course / "gradebook.db")) as base:
            base.execute(change)
            base.commit()
        changed = kill.gradebook(course)
        assert changed != whole
        whole = changed


def test_the_committed_results_are_of_large_classes_and_nothing_was_lost(kill):
    report = json.loads(kill.RESULTS.read_text())
    assert report["submissions"] == 500 and len(report["trials"]) == report["equal"] >= 50
    assert set(report["by kind"]) == set(kill.KINDS) and all(report["machine"].values())
    assert not any(trial["troubles"] for trial in report["trials"])

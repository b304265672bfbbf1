"""The doctor's benchmark counts what it says; what it measured is not asked here."""

from types import SimpleNamespace

import pytest

from benchmarks import doctor as bench
from lstm_ref.zoo.programs import find


class Patient:
    """A case with a report of its own."""

    def __init__(self, *findings):
        self.findings = [SimpleNamespace(id=id, certainty=certainty) for id, certainty in findings]
        self.skipped = None

    def examine(self, skip=()):
        self.skipped = skip
        return self.findings


@pytest.mark.parametrize(
    ("findings", "worth"),
    [
        ([], (False, False, False, False)),
        ([("right", "remark")], (False, False, False, False)),
        ([("right", "strong")], (True, True, True, False)),
        ([("other", "strong"), ("right", "strong")], (True, False, True, False)),
        ([("other", "proof"), ("right", "proof")], (True, False, True, True)),
        (
            [("a", "proof"), ("b", "proof"), ("c", "proof"), ("right", "proof")],
            (True, False, False, True),
        ),
    ],
)
def test_findings_are_judged_by_rank_and_certainty(findings, worth):
    assert tuple(bench.judge(findings, ("right",)).values()) == worth


def test_settings_are_fresh_seeds_and_sizes_that_the_program_has():
    entry = find("axis_batch_as_time")
    rows = list(bench.settings(entry, 6))
    assert [seed for seed, _ in rows] == list(range(1000, 1006))
    assert all(set(sizes) <= set(entry.sizes) for _, sizes in rows)
    rates = [sizes["rate"] for _, sizes in rows]
    assert max(rates) / min(rates) == pytest.approx(100)


def test_examinations_of_a_family_are_left_out():
    patient = Patient(("cannot-fit-one-batch", "strong"))
    found, seconds = bench.examine(patient, ("pairing",))
    assert found == [("cannot-fit-one-batch", "strong")] and seconds >= 0
    assert patient.skipped == ("pairing",)


def test_summary_counts_runs_and_alarms():
    sick = [
        {"id": "a", "seconds": 1.0, **bench.judge([("x", "proof")], ("x",))},
        {"id": "a", "seconds": 3.0, **bench.judge([], ("x",))},
    ]
    healthy = [
        {"id": "b", "seconds": 2.0, "alarm": ["x"]},
        {"id": "b", "seconds": 2.0, "alarm": []},
    ]
    table = bench.summary(sick, healthy)
    assert (table["found"], table["first"], table["false alarms"]) == (0.5, 0.5, 0.5)
    assert (table["programs"], table["runs"], table["median seconds"]) == (1, 2, 2.0)


def test_folklore_is_tried_on_a_program_that_cannot_fit_and_on_one_that_can():
    entry = find("out_softmax_twice")
    sick = bench.try_folklore(lambda: entry.make(True), 0)
    mended = bench.try_folklore(lambda: entry.make(False), 0)
    assert sick["one batch"] and not mended["one batch"]


def test_parts_are_put_together():
    def part(name):
        rows = {"torch": {"sick": [{"id": name}], "well": []}}
        return {
            "settings": {"runs": 1},
            "rows": rows,
            "symptoms": {"torch": {name: 1}},
            "folklore": {},
        }

    whole = bench.joined([part("a"), part("b")])
    assert [row["id"] for row in whole["rows"]["torch"]["sick"]] == ["a", "b"]
    assert whole["symptoms"] == {"torch": {"a": 1, "b": 1}} and len(whole["settings"]) == 2


def test_a_fault_of_the_rate_keeps_its_rate():
    entry = find("opt_rate_huge")
    assert all("rate" not in sizes for _, sizes in bench.settings(entry, 6))


@pytest.mark.parametrize(
    ("findings", "otherwise"),
    [
        ([], False),
        ([("one-time-step", "proof")], False),
        ([("cannot-fit-one-batch", "strong")], False),
        ([("parameter-unused", "strong")], False),  # follows from the one step
        ([("label-outside", "remark")], False),
        ([("label-outside", "proof")], True),
    ],
)
def test_another_name_is_one_that_neither_follows_nor_leaves_it_open(findings, otherwise):
    assert bench.named_otherwise(findings, ("one-time-step",)) == otherwise


def test_rows_are_kept_and_nothing_is_begun_when_time_is_over(tmp_path):
    store = bench.Store(tmp_path / "rows")
    assert store.rows("a", lambda: [{"id": "a"}]) == [{"id": "a"}]
    late = bench.Store(tmp_path / "rows", until=0.0)
    assert late.rows("a", lambda: [{"id": "other"}]) == [{"id": "a"}] and late.left == 0
    assert late.rows("b", lambda: [{"id": "b"}]) == [] and late.left == 1

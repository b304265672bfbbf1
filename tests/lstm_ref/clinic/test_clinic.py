"""The clinic: what is ordered is measured, tells sick from mended, and comes out as it is
stored.
"""

import json
import re
from functools import partial
from pathlib import Path

import pytest

from lstm_ref.clinic import CASES, DIAGNOSES, MEASUREMENTS, Patient
from lstm_ref.clinic.bench import Bench
from lstm_ref.clinic.measurements import NotApplicableError, find
from lstm_ref.clinic.record import record
from lstm_ref.doctor import CATALOGUE
from lstm_ref.errors import ArgumentError
from lstm_ref.zoo import programs

STORED = json.loads(
    (Path(__file__).parents[3] / "benchmarks" / "results" / "clinic.json").read_text(
        encoding="utf-8"
    )
)
EXACT = {"optimizer", "gradients", "examples", "targets"}  # counts, the same on every processor
BY_ID = {case.id: case for case in CASES}


def bench(id, sick, seed=0):
    return Bench(partial(BY_ID[id].program.make, sick, seed))


def test_twelve_cases_of_two_frameworks_with_their_answers():
    assert len(BY_ID) == 12 and {case.program.framework for case in CASES} == {"torch", "keras"}
    ids = [each.id for each in MEASUREMENTS]
    for case in CASES:
        assert case.diagnosis in case.program.finding and set(case.expert) <= set(ids)
    assert len({case.diagnosis for case in CASES}) == 12
    assert len(DIAGNOSES) > 12 + 5  # nobody gets there by striking out
    # what is suspected and was not it
    assert set(DIAGNOSES) - set(CATALOGUE) == {"too-small", "over-fits"}


@pytest.mark.parametrize("id", ["state_never_updated", "opt_before_change", "axis_column_vs_row"])
def test_what_an_expert_orders_last_tells_sick_from_mended(id):
    last = find(BY_ID[id].expert[-1])
    # a seed that is not stored
    sick, mended = (last.measure(bench(id, sick, seed=5)) for sick in (True, False))
    stored = {name: numbers for name, *numbers in STORED["cases"][id]["measured"][last.id]}
    counts = [name for name in sick if not name.startswith("change by")]
    assert {name: sick[name] for name in counts} == {name: stored[name][0] for name in counts}
    assert {name: mended[name] for name in counts} == {name: stored[name][1] for name in counts}
    assert any(sick[name] != mended[name] for name in counts)


def test_padding_that_is_read_moves_outputs_and_masked_padding_does_not():
    sick, mended = (
        next(iter(find("padding").measure(bench("pad_in_attention", s, 5)).values()))
        for s in (True, False)
    )
    assert sick > 0.01 > 1e-5 > mended


def test_stored_numbers_tell_each_case_with_all_seeds():
    for case in CASES:
        rows = STORED["cases"][case.id]["measured"][case.expert[-1]]
        apart = [
            mended is not None and (low > mended or high < mended)
            for _, _, mended, low, high in rows
        ]
        assert any(apart), case.id


def test_stored_counts_of_one_case_come_out_again():
    stored = STORED["cases"]["axis_final_state_view"]
    sick = bench("axis_final_state_view", True)
    assert list(sick.sizes) == stored["sizes"]
    for id in EXACT:
        assert {name: row[0] for name, *row in stored["measured"][id]} == find(id).measure(sick)


def test_record_says_what_is_missing():
    one = {**STORED, "cases": {k: v for k, v in STORED["cases"].items() if k != "data_window_leak"}}
    with pytest.raises(
        ArgumentError, match="no numbers of data_window_leak; run python -m benchmarks.clinic"
    ):
        record(one)
    short = json.loads(json.dumps(STORED))
    del short["cases"]["data_window_leak"]["measured"]["heart"]
    with pytest.raises(ArgumentError, match="data_window_leak has no numbers of heart"):
        record(short)


def test_stored_file_is_small():
    assert len(json.dumps(STORED, separators=(",", ":"))) <= 60_000


def test_a_patient_is_examined_and_decided(capsys):
    patient = Patient("opt_before_change", seed=3)
    patient.menu()
    assert "heart" in capsys.readouterr().out
    patient.order("optimizer")
    patient.order("optimizer")  # once is paid
    patient.order("padding")
    told = capsys.readouterr().out
    assert "no number: the sequences have one length" in told and patient.cost == 3
    assert patient.ordered == ["optimizer", "padding"]
    patient.decide("vanishing-gradient")
    assert capsys.readouterr().out.startswith("Another one, for 3 passes.")
    patient.decide("not-in-optimizer")
    assert capsys.readouterr().out.startswith("Right, for 3 passes.")


def test_a_drawn_patient_is_of_pytorch_and_the_same_again():
    one, two = Patient(seed=4), Patient(seed=4)
    assert one._program is two._program and one._program.framework == "torch"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Patient("nothing"), "no sick program 'nothing'"),
        (
            lambda: Patient("opt_before_change").order("x-ray"),
            "no measurement 'x-ray'; there are outputs, start",
        ),
        (
            lambda: Patient("opt_before_change").decide("tired"),
            "no diagnosis 'tired'; there are examples-mixed",
        ),
    ],
)
def test_what_does_not_exist_is_refused(call, message):
    with pytest.raises(ArgumentError, match=message):
        call()


def test_what_is_not_there_is_said_and_not_measured():
    with pytest.raises(NotApplicableError, match="one batch, and no validation set"):
        find("split").measure(bench("opt_before_change", True))


@pytest.mark.parametrize(
    "id", ["state_not_detached", "data_decoder_unshifted", "axis_time_length_one_torch"]
)
def test_any_sick_program_can_be_examined(id, capsys):
    patient = Patient(id)
    for each in MEASUREMENTS:
        if each.id != "heart":
            patient.order(each.id)
    assert capsys.readouterr().out.count("(cost") == len(MEASUREMENTS) - 1


def test_a_program_that_stops_is_a_result():
    told = find("loop").take(Bench(partial(programs.find("state_not_detached").make, True, 0)))
    assert told.startswith("it stopped with RuntimeError: ")


def test_the_page_has_a_place_for_each_case_that_the_list_links_to():
    page = (Path(__file__).parents[3] / "book" / "three" / "clinic.md").read_text(encoding="utf-8")
    assert re.findall(r'<span id="case-([a-z_]+)">', page) == list(BY_ID)

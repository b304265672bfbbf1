"""The doctor on the zoo of whole programs in Keras, all in this one process: named when sick,
silent when mended.
"""

import warnings

import pytest

from lstm_ref.zoo.programs import programs

KERAS = [pytest.param(entry, id=entry.id) for entry in programs("keras")]
PLAIN = {entry.plain: entry for entry in programs("keras")}


@pytest.fixture(autouse=True)
def quiet():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@pytest.mark.parametrize("entry", KERAS)
def test_sick_programs_are_named(entry):
    report = entry.make(True, 0).examine()
    ids = [finding.id for finding in report if finding.certainty != "remark"]
    assert ids and ids[0] in entry.finding, str(report)


@pytest.mark.parametrize("entry", PLAIN.values(), ids=PLAIN)
def test_mended_programs_are_left_alone(entry):
    report = entry.make(False, 0).examine()
    assert not report, str(report)
    assert not [str(n) for n in report.not_examined if "stopped" in n.why]

"""Every program runs, sick and mended; its symptom is there when sick and gone when mended."""

import re
from functools import cache

import pytest
import torch

from lstm_ref.zoo.programs import find, programs, well
from lstm_ref.zoo.programs.measures import trained
from lstm_ref.zoo.programs.registry import framework_of, kept_random_state, plain_source

HINTS = re.compile(r"\b(sick|mended|bug|wrong|faulty?|mistake|broken|well)\b", re.IGNORECASE)


def each(framework):
    return [pytest.param(entry, id=entry.id) for entry in programs(framework)]


@cache
def mended(plain, measured, seed):
    """The entries of one source share their mended program, and so its number."""
    entry = next(each for each in programs() if (each.plain, each.measured) == (plain, measured))
    return entry.measure(False, seed)


def assert_symptom(entry, seed):
    sick, well = entry.measure(True, seed), mended(entry.plain, entry.measured, seed)
    assert well < entry.limit < sick, f"seed {seed}: mended {well}, sick {sick}"


@pytest.mark.filterwarnings("ignore:Using a target size")
@pytest.mark.filterwarnings("ignore:Detected call of .lr_scheduler")
@pytest.mark.parametrize("entry", each("torch"))
def test_torch_symptom(entry):
    assert_symptom(entry, seed=0)  # two more seeds belong to make bench-doctor


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("entry", each("keras"))
def test_keras_symptom(entry):
    assert_symptom(entry, seed=0)  # as above


@pytest.mark.filterwarnings("ignore:overflow encountered")
@pytest.mark.parametrize("entry", each("numpy"))
def test_numpy_symptom(entry):
    for seed in range(3):
        assert_symptom(entry, seed)


@pytest.mark.filterwarnings("ignore:LSTM with projections")
@pytest.mark.parametrize("entry", [pytest.param(each, id=each.id) for each in well("torch")])
def test_what_looks_odd_and_is_right_learns(entry):
    with kept_random_state("torch", 0):
        assert trained(100)(entry.make(0)) < 0.45


def test_there_are_as_many_programs_as_promised():
    assert (
        len(programs()) >= 100
        and len(programs("numpy")) >= 15
        and len(programs("keras")) >= 20
        and len(well()) >= 15
    )
    assert {each.family for each in programs()} >= {"axes", "state", "padding", "output"}


@pytest.mark.parametrize("entry", each(None))
def test_source_says_nothing_of_what_is_wrong(entry):
    for sick in (True, False):
        assert not HINTS.search(entry.code(sick))
    assert entry.plain.startswith(entry.framework) and entry.id not in entry.code(True)


@pytest.mark.parametrize("entry", each(None))
def test_entry_is_complete(entry):
    texts = (entry.title, entry.symptom, entry.cause, entry.fix, *entry.hints)
    assert len(entry.hints) >= 2 and all(text.strip() == text != "" for text in texts)
    assert entry.finding and entry.chapter and entry.changes and entry.source
    for change in entry.changes:
        assert not any(change.right in hint for hint in entry.hints)


def test_the_same_seed_gives_the_same_program_and_leaves_torch_alone():
    entry = find("axis_batch_as_time")
    before = torch.get_rng_state()
    one, two = entry.make(True, 5), entry.make(True, 5)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(one.batch[0], two.batch[0])
    pairs = zip(one.model.parameters(), two.model.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)


def test_sizes_are_checked():
    entry = find("axis_batch_as_time")
    assert entry.make(False, N=5, T=9, dtype="float64").batch[0].shape[:2] == (5, 9)
    assert entry.make(False, dtype="float64").batch[0].dtype == torch.float64
    for sizes in ({"M": 3}, {"N": 0}, {"dtype": "int8"}):
        with pytest.raises(ValueError, match="axis_batch_as_time"):
            entry.make(False, **sizes)


def test_unknown_id_is_refused():
    with pytest.raises(KeyError, match="axis_batch_as_time"):
        find("none_such")


def test_sources_name_their_framework():
    for entry in programs():
        word = {"torch": "import torch", "keras": "import keras", "numpy": "import numpy"}
        assert word[framework_of(entry.plain)] in plain_source(entry.plain)

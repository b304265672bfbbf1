"""NumPy, PyTorch, TensorFlow and Keras give the same numbers, forward and backward: shapes, masks,
stacks, directions, GRUs.
"""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.parity import ENGINES, can, cases, difference, draw, main, numpy_answer

ROOT = Path(__file__).parents[2]
TOLERANCE = 1e-10
sizes = st.integers(1, 5)


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """These arrays are tiny: on a busy machine, threads wait for each other many times longer than
    they compute.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@st.composite
def drawn_cases(draw_value, masks=("none", "right", "any")):
    """Sizes from 1, up to three layers, one direction or two, LSTM or either GRU."""
    N, T, D, H = (draw_value(sizes) for _ in range(4))
    kind = draw_value(st.sampled_from(masks))
    if kind == "right":
        lengths = draw_value(st.lists(st.integers(1, T), min_size=N, max_size=N))
        mask = np.arange(T) < np.array(lengths)[:, np.newaxis]
    else:
        rows = st.lists(st.lists(st.booleans(), min_size=T, max_size=T), min_size=N, max_size=N)
        mask = np.array(draw_value(rows)) if kind == "any" else None
    cell, reset = draw_value(
        st.sampled_from([("lstm", "after"), ("lstm", "after"), ("gru", "after"), ("gru", "before")])
    )
    return draw(
        *(N, T, D, H),
        layers=draw_value(st.integers(1, 3)),
        directions=draw_value(st.integers(1, 2)),
        mask=mask,
        cell=cell,
        reset=reset,
        seed=draw_value(st.integers(0, 100)),
    )


def check(engine, case):
    assert difference(ENGINES[engine](case), numpy_answer(case)) <= TOLERANCE


@given(drawn_cases())
def test_torch_from_the_equations_gives_the_numbers_of_numpy(case):
    check("PyTorch, equations", case)


@given(drawn_cases(masks=("none", "right")).filter(lambda case: not can("PyTorch, nn", case)))
def test_layers_of_torch_give_the_numbers_of_numpy(case):
    check("PyTorch, nn", case)


@settings(max_examples=20)  # TensorFlow runs each step on its own
@given(drawn_cases())
def test_tensorflow_from_the_equations_gives_the_numbers_of_numpy(case):
    check("TensorFlow, equations", case)


@settings(max_examples=25)  # each builds its layers
@given(drawn_cases())
def test_layers_of_keras_give_the_numbers_of_numpy(case):
    check("Keras, layers", case)


@pytest.mark.parametrize("engine", ENGINES)
def test_an_engine_with_one_weight_wrong_is_found(engine):
    """The comparison sees what it should: a wrong Wh in the reverse direction of the upper
    layer.
    """
    case = draw(2, 3, 2, 2, layers=2, directions=2)
    there, back = case.model[1]
    wrong = case._replace(model=[case.model[0], [there, back | {"Wh": back["Wh"] + 1e-6}]])
    assert difference(ENGINES[engine](case), numpy_answer(case)) <= TOLERANCE
    assert difference(ENGINES[engine](wrong), numpy_answer(case)) > 1e-8


def complete(path):
    report = json.loads(path.read_text())
    machine = {"date", "processor", "python", "numpy", "torch", "tensorflow", "keras", "onnx"}
    assert machine <= set(report["machine"]) and all(report["machine"].values())
    assert [result["case"] for result in report["results"]] == list(cases())
    for result in report["results"]:
        assert set(result["difference"]) == set(ENGINES)
        limit = TOLERANCE if result["dtype"] == "float64" else 1e-5
        for engine, value in result["difference"].items():
            reason = can(engine, cases()[result["case"]])
            assert value == reason if reason else 0 <= value <= limit, (result["case"], engine)
    return report


def test_the_table_of_all_engines_is_printed_and_written(tmp_path, capsys):
    out = tmp_path / "parity.json"
    main(["--out", str(out)])
    complete(out)
    printed = capsys.readouterr().out
    assert all(name in printed for name in (*ENGINES, *cases()))


def test_the_committed_table_is_of_these_engines_and_cases():
    complete(ROOT / "benchmarks" / "results" / "parity.json")

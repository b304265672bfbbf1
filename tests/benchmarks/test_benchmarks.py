"""The benchmarks run, compare equals and write what they belong to. How long anything takes is not
asked here.
"""

import importlib
import json
import platform
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.pages import asked

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results"
MACHINE = {"processor", "cores", "threads", "python", "blas", "numpy", "numba", "torch", "gpu"}
RUNS = {
    "naive",
    "fused",
    "hoisted",
    "in-place",
    "numba",
    "PyTorch",
    "Keras",
    "HIPS autograd",
    "GEMM bound",
}


@pytest.fixture
def script(monkeypatch):
    """Name of a file in benchmarks/ -> its module, as a script there sees it."""
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    yield importlib.import_module
    for name in ("contenders", "gpu", "plot", "grading"):
        sys.modules.pop(name, None)


def complete(path, sizes, rounds, kinds=("times", "growth")):
    report = json.loads(path.read_text())
    assert set(report["machine"]) >= MACHINE and all(report["machine"].values())
    assert [tuple(result["N, T, D, H"]) for result in report["results"]] == sizes
    for result in report["results"]:
        for key in (
            "of PyTorch",
            "of PyTorch, processor time",
            "of the GEMM bound",
            "seconds",
            "processor seconds",
        ):
            assert set(result[key]) == RUNS
        assert min(len(times) for times in result["seconds"].values()) >= rounds
        assert result["date"] and len(result["load"]) in (0, 3)
        assert set(result["peak bytes"]) == RUNS - {"GEMM bound"}
    assert set(report["growth"]) == ({"T", "H"} if "growth" in kinds else set())
    for kind in kinds:
        for mode in ("light", "dark"):
            assert path.with_name(f"{path.stem}-{kind}-{mode}.svg").read_text().startswith("<?xml")
    return report


def test_the_benchmark_runs_and_writes_its_machine(tmp_path):
    out = tmp_path / "results.json"
    options = "--rounds 1 --sizes 2,3,4,5 --longest 50 --widest 32 --memory in-place --out".split()
    command = [sys.executable, "benchmarks/sequence.py", *options, str(out)]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    report = complete(out, [(2, 3, 4, 5)], 1)
    assert report["machine"]["threads"] == 1
    assert report["results"][0]["peak bytes"]["in-place"] >= 0
    assert [
        (along, point[along]) for along, points in report["growth"].items() for point in points
    ] == [
        ("T", 50),
        ("H", 32),
    ]


def test_the_committed_results_are_of_this_benchmark():
    sizes = [(32, 100, 64, 128), (64, 200, 128, 256), (64, 128, 256, 512), (1, 1000, 64, 128)]
    found = sorted(RESULTS.glob("sequence-*.json"))
    assert found
    for path in found:
        _, maker, *kernel = path.stem.split("-")
        # how times grow is measured on the processor's own kernel alone
        report = complete(path, sizes, 7, ("times",) if kernel else ("times", "growth"))
        machine = report["machine"]
        assert maker in (*machine["processor"].lower().split(), "other")
        assert kernel in ([], [machine.get("kernel", "").lower()])


def test_a_narrower_kernel_costs_where_products_take_the_time():
    """The page fast says so of the rows with one processor and two kernels."""
    if platform.machine() == "x86_64":  # PyTorch does not call OpenBLAS there
        assert "BLAS_INFO=mkl" in torch.__config__.show()
    wide, narrow = (
        [result["of PyTorch"]["in-place"] for result in json.loads(path.read_text())["results"]]
        for path in (RESULTS / "sequence-amd.json", RESULTS / "sequence-amd-haswell.json")
    )
    times = [b / a for a, b in zip(wide, narrow, strict=True)]
    assert min(times[:3]) > 1.2, "batches of 32 and 64"
    assert 0.8 < times[3] < 1.25, "a batch of one"


def test_what_computes_other_gradients_is_not_timed(script):
    contenders = script("contenders")
    runs = {
        name: contenders.contender(name, 2, 3, 4, 5)
        for name in ("in-place", "fused", "HIPS autograd")
    }
    contenders.compare(runs)
    right = runs["fused"]
    runs["fused"] = lambda: right()._replace(db=np.zeros(20, np.float32))
    with pytest.raises(AssertionError, match="fused: db"):
        contenders.compare(runs)


def test_every_mutant_that_survived_is_told_why():
    report = json.loads((RESULTS / "mutation.json").read_text())
    assert (
        report["mutants"] > 300 and report["killed"] + len(report["survivors"]) == report["mutants"]
    )
    assert all(why.strip() for why in report["survivors"].values())


def test_a_mutant_is_made_in_a_copy_and_noticed(tmp_path):
    # In a process of its own: it forks, and pytest runs in the fork.
    code = f"""
import sys
from pathlib import Path
sys.path.insert(0, "benchmarks")
import mutation
folder = Path({str(tmp_path)!r})
mutation.copy_tree(folder)
source = (folder / "lstm_ref" / "sequence.py").read_text()
assert not mutation.noticed(folder, "sequence", source)
mutants = dict(mutation.mutants("sequence", source))
assert mutation.noticed(folder, "sequence", mutants["dc_total *= f[t] -> dc_total *= i[t]"])
print(len(mutants))
"""
    pytest.importorskip(
        "cosmic_ray", reason="cosmic-ray is not installed: make mutation installs it"
    )
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert int(run.stdout.split()[-1]) > 150


def test_plain_nbgrader_and_the_autograder_give_the_same_points(script):
    grading = script("grading")
    found = grading.measure("lstm-bptt", size=2, rounds=1, watched=1, large=0, brief=True)
    assert found["grade rows compared"] == 12 and found["grade rows that differ"] == []
    for program in (grading.OURS, grading.PLAIN):
        assert found[program]["per minute"] > 0
        assert all(seconds >= 0 for seconds in found["phases"][program].values())
    assert {"worker: start", "checks: the judge's own work", "gradebook: entered"} <= found[
        "phases"
    ][grading.OURS].keys()
    assert {"kernel: start", "kernel: stop", "cells: tests"} <= found["phases"][
        grading.PLAIN
    ].keys()


def test_a_grade_that_differs_is_named(script):
    grading = script("grading")
    row = (4.0, 4.0, None, None, False)
    assert grading.differences({("ann", "step"): row}, {("ann", "step"): row}) == []
    (said,) = grading.differences({("ann", "step"): row}, {("ann", "step"): (0.0, *row[1:])})
    assert said.startswith("ann, step: ")
    assert len(grading.differences({("ann", "step"): row}, {})) == 1


def test_the_committed_comparison_found_no_grade_that_differs(script):
    grading = script("grading")
    report = json.loads((RESULTS / "grading.json").read_text())
    assert set(report) >= set(grading.SETS)  # others may be measured by name
    assert grading.left_out("prepare").keys() == {"moved_around"}
    for found in report.values():
        assert found["grade rows compared"] >= 300 and found["grade rows that differ"] == []
        assert (
            found["machine"]["cores"]
            and found["machine"]["nbgrader"]
            and len(found["load before"]) == 3
        )
        assert {grading.OURS, grading.PLAIN, grading.HALVES} <= found.keys()
        assert found["phases"].keys() == {grading.OURS, grading.PLAIN}


def test_the_page_for_instructors_says_what_was_measured():
    report = json.loads((RESULTS / "grading.json").read_text())
    page = (RESULTS.parents[1] / "book" / "teach" / "grading.md").read_text(encoding="utf-8")
    said = page[page.index("*How long does it take?*") :].partition("\n\n")[0]
    for found in report.values():
        for number in (
            found["autograder run"]["per minute"],
            found["times as fast"],
            found["submissions"],
        ):
            assert re.search(rf"\b{number:.0f}\b", said), number
        assert found["machine"]["date"] in said


@pytest.mark.parametrize(
    "given, expected",
    [
        ([], []),
        (["threads"], ["threads"]),
        (["thr", "loading"], ["loading", "threads"]),
    ],
)
def test_parts_of_a_measurement_are_asked_for_by_name(monkeypatch, given, expected):
    monkeypatch.setattr("sys.argv", ["slow.py", *given])
    assert asked("What is measured.", ("loading", "threads")) == expected


def test_an_unknown_part_stops_before_anything_is_measured(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["slow.py", "laoding"])
    with pytest.raises(SystemExit) as stopped:
        asked("What is measured.", ("loading", "threads"))
    told = capsys.readouterr().err
    assert stopped.value.code == 2 and "'laoding'" in told and "loading, threads" in told


def test_help_measures_nothing(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["choices.py", "--help"])
    with pytest.raises(SystemExit) as stopped:
        asked("What is measured.")
    assert stopped.value.code == 0 and "What is measured." in capsys.readouterr().out

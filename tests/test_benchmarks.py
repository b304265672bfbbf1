"""The benchmark runs, compares equals and writes what it belongs to. How long anything takes is not asked here."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
FIELDS = {"date", "processor", "cores", "threads", "python", "numpy", "torch", "gpu"}


def complete(path):
    report = json.loads(path.read_text())
    assert set(report["machine"]) == FIELDS and all(report["machine"].values())
    runs = {"lstm_ref", "plain loop", "PyTorch nn.LSTM", "GEMM bound"}
    assert len(report["results"]) == 4
    for result in report["results"]:
        assert set(result["seconds"]) == runs
        assert all(time >= 0 for times in result["seconds"].values() for time in times)
    return report


def test_the_benchmark_runs_and_writes_its_machine(tmp_path):
    out = tmp_path / "results.json"
    command = [sys.executable, "benchmarks/sequence.py", "--rounds", "1", "--threads", "1", "--out", str(out)]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert complete(out)["machine"]["threads"] == 1
    assert run.stdout.count("PyTorch nn.LSTM") == 4


def test_the_committed_results_are_of_this_benchmark():
    report = complete(ROOT / "benchmarks" / "results" / "sequence.json")
    assert all(len(times) >= 7 for result in report["results"] for times in result["seconds"].values())

"""The benchmark for a GPU, rehearsed on the CPU: every branch of it, and none of its numbers."""

import importlib
import json
import subprocess
import sys
import types
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parents[2]
SIZE = (2, 12, 3, 4)
# Dynamo looks at .grad of what has none, and imports what PyTorch itself has deprecated.
pytestmark = [
    pytest.mark.filterwarnings("ignore:The .grad attribute:UserWarning"),
    pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning"),
]


@pytest.fixture
def gpu(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    yield importlib.import_module("gpu")
    for name in ("contenders", "gpu"):
        sys.modules.pop(name, None)


def test_all_precisions_agree_and_are_written(gpu, tmp_path, monkeypatch):
    monkeypatch.setattr(gpu, "keras_row", lambda size, rounds: {gpu.NOT_THERE: "not asked here"})
    monkeypatch.setattr(gpu, "BATCHES", [1, 2])
    out = tmp_path / "gpu.json"
    report = gpu.measure([SIZE], 1, gpu.Budget(600), out, device="cpu", compiled=False)
    written = json.loads(out.read_text())
    assert (
        written == json.loads(json.dumps(report))
        and gpu.refused(written) == []
        and written["left out"] == []
    )
    assert [row["precision"] for row in written["results"]] == list(gpu.PRECISIONS)
    for row in written["results"]:
        assert set(row["tokens per second"]) == {"nn.LSTM", "twin"}
        assert all(
            0 < r["lowest"] <= r["median"] <= r["highest"]
            for r in row["tokens per second"].values()
        )
    assert set(written["packed"][0]["tokens per second"]) == {"padded", "packed"}
    assert written["packed"][0]["valid steps"] == 6 + 12
    assert [point["N"] for point in written["gpu against cpu"]["points"]] == [1, 2]
    assert {"gpu", "capability", "cuda", "cudnn", "driver", "clock, MHz", "date", "torch"} <= set(
        written["machine"]
    )


def test_wrong_gradient_is_refused_and_not_timed(gpu, monkeypatch, tmp_path):
    right = gpu.twin_pass
    monkeypatch.setattr(
        gpu, "twin_pass", lambda *a, **k: lambda: [2 * part for part in right(*a, **k)()]
    )
    found = gpu.case(SIZE, "float32", 1, "cpu", False, gpu.Budget(600))
    assert "a gradient is 1.0e+00" in found["tokens per second"]["twin"]["refused"]
    assert "median" in found["tokens per second"]["nn.LSTM"]
    assert len(gpu.refused({"results": [found]})) == 1


def test_tolerance_follows_the_number_of_steps(gpu):
    """Measured in bfloat16, largest difference of a gradient: 0.017 (T = 50), 0.051 (250), 0.080
    (1000).
    """
    bfloat16 = gpu.PRECISIONS["bfloat16"]
    for T, measured in ((50, 0.017), (250, 0.051), (1000, 0.080)):
        assert 1.5 * measured < bfloat16.tolerance(T) < 0.25
    assert gpu.PRECISIONS["float32"].tolerance(1000) == 1e-3


def test_no_case_begins_when_the_budget_is_spent_and_what_is_there_is_kept(
    gpu, tmp_path, monkeypatch
):
    now = [0.0]
    monkeypatch.setattr(gpu.time, "monotonic", lambda: now[0])

    def case(size, name, *_):
        now[0] += 10
        return {"N, T, D, H": size, "precision": name, "tokens per second": {}}

    monkeypatch.setattr(gpu, "case", case)
    out = tmp_path / "gpu.json"
    gpu.measure([SIZE, SIZE], 1, gpu.Budget(15), out, device="cpu")
    written = json.loads(out.read_text())
    assert [row["precision"] for row in written["results"]] == list(gpu.PRECISIONS)[:2]
    assert len(written["left out"]) >= 8 and written["packed"] == []


def test_run_that_ends_in_the_middle_leaves_what_was_measured(gpu, tmp_path, monkeypatch):
    calls = []

    def case(size, name, *_):
        if calls.append(name) or len(calls) == 3:
            raise KeyboardInterrupt
        return {"N, T, D, H": size, "precision": name, "tokens per second": {}}

    monkeypatch.setattr(gpu, "case", case)
    with pytest.raises(KeyboardInterrupt):
        gpu.measure([SIZE], 1, gpu.Budget(600), tmp_path / "gpu.json", device="cpu")
    assert len(json.loads((tmp_path / "gpu.json").read_text())["results"]) == 2


def test_each_case_is_compiled_anew_and_none_is_eager_unnoticed(gpu, monkeypatch):
    """Without the reset the ninth variant of the step would be run eagerly, and timed as
    compiled.
    """
    graphs = []

    def counting(graph, inputs):
        graphs.append(graph)
        return graph.forward

    compile_with = torch.compile
    monkeypatch.setattr(
        gpu.torch, "compile", lambda step, mode: compile_with(step, backend=counting)
    )
    for name in ("float32", "TF32", "bfloat16"):
        for size in ((2, 3, 2, 3), (3, 3, 2, 4), (2, 3, 4, 5), (4, 3, 2, 6)):
            before = len(graphs)
            gpu.twin_pass(size, gpu.PRECISIONS[name], "cpu", gpu.compiled_step(None))()
            assert len(graphs) > before, (name, size)
    assert torch._dynamo.config.fail_on_recompile_limit_hit
    torch._dynamo.reset()


def test_results_of_a_cuda_graph_are_copied_before_the_next_step_writes_them(gpu, monkeypatch):
    memory = torch.zeros(2, 3), torch.zeros(2, 3)

    def step(*_):
        for part in memory:
            part += 1
        return memory

    monkeypatch.setattr(gpu.torch, "compile", lambda given, mode: step)
    compiled = gpu.compiled_step("reduce-overhead")
    first, second = compiled(), compiled()
    assert float(first[0][0, 0]) == 1 and float(second[0][0, 0]) == 2
    torch._dynamo.reset()


def test_what_the_machine_lacks_is_a_row(gpu, monkeypatch):
    def no_compiler(mode):
        raise RuntimeError(
            "Failed to find C compiler. Please specify via CC environment variable.\nmore"
        )

    monkeypatch.setattr(gpu, "compiled_step", no_compiler)
    rates = gpu.case(SIZE, "float32", 1, "cpu", True, gpu.Budget(600))["tokens per second"]
    for name in gpu.COMPILED:
        assert rates[name][gpu.NOT_THERE].startswith(
            "RuntimeError: Failed to find C compiler"
        ) and "more" not in str(rates)
    monkeypatch.setattr(gpu, "layer_pass", no_compiler)
    rates = gpu.case(SIZE, "float32", 1, "cpu", True, gpu.Budget(600))["tokens per second"]
    assert list(rates) == ["nn.LSTM"] and gpu.NOT_THERE in rates["nn.LSTM"]


def test_keras_is_asked_in_a_process_of_its_own(gpu, monkeypatch):
    def answers(code, out="", err=""):
        monkeypatch.setattr(
            gpu.subprocess,
            "run",
            lambda *a, **k: types.SimpleNamespace(returncode=code, stdout=out, stderr=err),
        )

    monkeypatch.setattr(gpu.importlib.util, "find_spec", lambda name: object())
    answers(0, 'noise\n{"use_cudnn=True": {"median": 3}}\n')
    assert gpu.keras_row(SIZE, 1) == {"use_cudnn=True": {"median": 3}}
    answers(1, err="a\nImportError: libcudnn")
    assert gpu.keras_row(SIZE, 1) == {gpu.NOT_THERE: "ImportError: libcudnn"}

    def hangs(*_, **__):
        raise subprocess.TimeoutExpired("python", 300)

    monkeypatch.setattr(gpu.subprocess, "run", hangs)
    assert gpu.keras_row(SIZE, 1) == {gpu.NOT_THERE: "no answer within 300 s"}
    assert gpu.smi("driver_version") == gpu.NOT_THERE
    monkeypatch.setattr(gpu.importlib.util, "find_spec", lambda name: None)
    assert gpu.keras_row(SIZE, 1) == {gpu.NOT_THERE: "TensorFlow is not installed"}


def test_keras_row_runs_both_ways(gpu, monkeypatch):
    tensorflow = pytest.importorskip("tensorflow")
    asked = []
    seconds = gpu.keras_seconds
    monkeypatch.setattr(
        gpu,
        "keras_seconds",
        lambda size, use, rounds: asked.append(use) or seconds(size, False, rounds),
    )
    assert gpu.NOT_THERE in gpu.keras_here(SIZE, 1) or tensorflow.config.list_physical_devices(
        "GPU"
    )
    monkeypatch.setattr(tensorflow.config, "list_physical_devices", lambda kind: ["a GPU"])
    monkeypatch.setattr(
        tensorflow.config.experimental, "set_memory_growth", lambda device, grow: None
    )
    found = gpu.keras_here(SIZE, 1)
    assert asked == [True, False] and all(rate["median"] > 0 for rate in found.values())


def test_switches_of_tf32_are_as_before(gpu):
    before = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    with gpu.tf32(not before[0]):
        assert (
            torch.backends.cuda.matmul.allow_tf32
            == torch.backends.cudnn.allow_tf32
            == (not before[0])
        )
    assert (torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32) == before


def test_batch_from_which_the_gpu_wins(gpu):
    def points(*pairs):
        return [{"N": 2**k, "cpu": cpu, "gpu": card} for k, (cpu, card) in enumerate(pairs)]

    assert gpu.first_win(points((1, 2), (3, 2), (9, 2))) == 2
    assert gpu.first_win(points((3, 2), (1, 2), (9, 2))) == 4  # a single win below does not count
    assert gpu.first_win(points((1, 2), (1, 2))) is None and gpu.first_win([]) is None


def test_without_a_gpu_it_says_so_and_runs_from_any_folder(tmp_path):
    command = [
        sys.executable,
        str(ROOT / "benchmarks" / "gpu.py"),
        "--out",
        str(tmp_path / "gpu.json"),
    ]
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (
        run.returncode == 1
        and "no NVIDIA GPU answers" in run.stderr
        and not (tmp_path / "gpu.json").exists()
    )

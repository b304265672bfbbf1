"""The set-up: what `make environment` installs, and what it says where it cannot."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections import namedtuple
from importlib.metadata import version
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from autograder.modules import load_module

ROOT = Path(__file__).parents[1]
DEFAULT = {"gpu": "none", "torch_index": ""}


@pytest.fixture
def environment():
    """scripts/environment.py as a module, fresh for each test because tests bend its names."""
    return load_module("environment_script", ROOT / "scripts" / "environment.py")


def pins():
    """The pins that hold for the Python and the system that run this."""
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    all_pins = [Requirement(line) for line in lines if not line.startswith("#")]
    here = [pin for pin in all_pins if pin.marker is None or pin.marker.evaluate()]
    return {pin.name: str(pin.specifier).removeprefix("==") for pin in here}


def normal(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def test_conda_and_make_install_the_same_list(environment):
    assert environment.pip_section() == ["-c constraints.txt", "-e .[all]"]


def test_every_package_that_the_project_names_is_pinned_and_is_what_runs_here():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    elsewhere = ("tensorflow-gpu", "mutation")  # not in every .venv
    extras = {
        name: list_
        for name, list_ in project["optional-dependencies"].items()
        if name not in elsewhere
    }
    lines = [Requirement(line) for list_ in extras.values() for line in list_]
    named = [normal(line.name) for line in lines if line.marker is None or line.marker.evaluate()]
    named = [name for name in named if name != "inside-the-lstm"]
    pinned = {normal(name): number for name, number in pins().items()}
    assert "torch" in named and "pytest" in named
    for name in named + ["numpy"]:
        assert name in pinned, f"{name} is not in constraints.txt: run `make pins`"
        assert version(name).split("+")[0] == pinned[name]


def test_every_dependency_says_why_it_is_there():
    lines = (ROOT / "pyproject.toml").read_text().splitlines()
    start = lines.index("dependencies = [")
    stop = lines.index("[project.scripts]")
    packages = [line for line in lines[start:stop] if line.startswith('    "')]
    assert len(packages) > 15
    assert [line for line in packages if "# " not in line] == []


@pytest.mark.parametrize("wrong", [(3, 10), (3, 15)])
def test_wrong_python_is_told_which_one_is_needed_and_how_to_get_it(
    environment, monkeypatch, wrong
):
    monkeypatch.setattr(environment.sys, "version_info", wrong + (0,))
    with pytest.raises(SystemExit) as stop:
        environment.check_python()
    said = str(stop.value)
    assert f"Python 3.11 to 3.14 is needed, this is {wrong[0]}.{wrong[1]}" in said
    assert "uv python install 3.13" in said and "conda create" in said
    assert "apt" not in said  # which system has which python3.x is not known here


def test_the_newest_python_is_told_what_it_goes_without(environment, monkeypatch, capsys):
    monkeypatch.setattr(environment.sys, "version_info", (3, 14, 0))
    environment.check_python()
    assert "TensorFlow has no build for it" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("base", "apt", "said"),
    [
        ("/usr", "/usr/bin/apt-get", "sudo apt-get install python3.11-venv"),
        ("/usr", None, "uv python"),
        ("/opt", "x", "uv python"),
    ],
)
def test_an_apt_package_is_named_only_where_this_python_is_apts(
    environment, monkeypatch, base, apt, said
):
    monkeypatch.setattr(environment.sys, "version_info", (3, 11, 2))
    monkeypatch.setattr(environment.sys, "base_prefix", base)
    monkeypatch.setattr(environment.shutil, "which", lambda name: apt)
    assert said in environment.venv_ways()


def test_short_disk_is_told_before_anything_is_made(environment, monkeypatch, tmp_path):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(environment, "VENV", str(tmp_path / "none"))
    monkeypatch.setattr(environment.shutil, "disk_usage", lambda path: usage(10e9, 9e9, 1e9))
    with pytest.raises(
        SystemExit, match=r"6 GB of free disk are needed for the environment, 1.0 GB are free"
    ):
        environment.check_disk(DEFAULT)


@pytest.mark.parametrize(
    ("choice", "system", "warned"),
    [
        ({"gpu": "none", "torch_index": ""}, "Linux", True),
        ({"gpu": "none", "torch_index": "https://an.index"}, "Linux", False),
        ({"gpu": "tensorflow", "torch_index": ""}, "Linux", True),
        ({"gpu": "none", "torch_index": ""}, "Darwin", False),
    ],
)
def test_a_disk_too_small_for_cuda_is_told_how_to_go_without(
    environment, monkeypatch, tmp_path, capsys, choice, system, warned
):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(environment, "VENV", str(tmp_path / "none"))
    monkeypatch.setattr(environment.shutil, "disk_usage", lambda path: usage(10e9, 2e9, 8e9))
    monkeypatch.setattr(environment.platform, "system", lambda: system)
    environment.check_disk(choice)
    assert ("TORCH_INDEX=" in capsys.readouterr().out) == warned


@pytest.fixture
def pip(environment, monkeypatch, tmp_path):
    """What pip is asked for, in a .venv that is not there."""
    asked = []

    def answer(*arguments):
        asked.append(" ".join(arguments))
        return "numpy==2.4.6\ntorch==2.13.0\ntensorflow_cpu==2.21.0\nnvidia-nccl-cu13==2.29.7\n"

    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "bin" / "python").touch()
    for name, path in {
        "VENV": ".venv",
        "STAMP": ".venv/stamp",
        "CHOSEN": ".venv/chosen.json",
    }.items():
        monkeypatch.setattr(environment, name, str(tmp_path / path))
    monkeypatch.setattr(environment, "pip", answer)
    monkeypatch.setattr(environment, "check_disk", lambda choice: None)
    monkeypatch.setattr(environment.platform, "system", lambda: "Linux")
    for name in ("GPU", "TORCH_INDEX"):
        monkeypatch.delenv(name, raising=False)
    return asked


def test_pip_tells_what_is_installed(environment, monkeypatch):
    """By pip itself, in the environment of this test."""
    monkeypatch.setattr(environment, "python_of", lambda venv: sys.executable)
    names = [
        normal(line.split("==")[0])
        for line in environment.pip("list", "--format=freeze").splitlines()
    ]
    assert {"torch", "numpy", "pytest"} <= set(names)


def test_without_a_choice_pip_gets_the_list_of_environment_yml(environment, pip):
    environment.main()
    assert len(pip) == 1 and pip[0].startswith("install -r ")
    assert environment.requirements(DEFAULT) == environment.pip_section()
    environment.main()
    assert len(pip) == 1  # up to date


@pytest.mark.parametrize("asked", ["https://an.index/simple", "cpu"])
def test_pytorch_alone_comes_from_the_index_that_is_chosen(environment, pip, monkeypatch, asked):
    monkeypatch.setenv("TORCH_INDEX", asked)
    environment.main()
    index = environment.TORCH_CPU if asked == "cpu" else asked
    assert pip[-2] == f"install --no-deps --index-url {index} torch=={pins()['torch']}"
    assert pip[-1].startswith("install -r ") and "index" not in pip[-1]


def test_a_choice_is_remembered_and_changing_it_takes_the_other_builds_out(
    environment, pip, monkeypatch
):
    environment.main()
    pip.clear()
    monkeypatch.setenv("GPU", "tensorflow")
    environment.main()
    listed, out, torch, rest = pip
    assert out == "uninstall --yes torch tensorflow_cpu nvidia-nccl-cu13"
    assert (
        torch == f"install --no-deps --index-url {environment.TORCH_CPU} torch=={pins()['torch']}"
    )
    assert rest.startswith("install -r ")
    monkeypatch.delenv("GPU")
    environment.main()  # nothing asked: what was chosen stays, and is there
    assert len(pip) == 4 and json.loads(Path(environment.CHOSEN).read_text())["gpu"] == "tensorflow"
    assert environment.requirements(environment.chosen_before())[-1] == "-e .[all-tensorflow-gpu]"
    monkeypatch.setenv("GPU", "none")
    environment.main()
    assert len(pip) == 7 and pip[-1].startswith("install -r ") and "--index-url" not in pip[-2]


@pytest.mark.parametrize(
    ("gpu", "system", "version", "said"),
    [
        ("cuda", "Linux", (3, 11, 2), "GPU must be one of none, tensorflow, not 'cuda'"),
        ("tensorflow", "Darwin", (3, 11, 2), "GPU=tensorflow is for Linux"),
        ("tensorflow", "Linux", (3, 14, 0), "GPU=tensorflow needs Python 3.11 to 3.13"),
    ],
)
def test_a_choice_that_cannot_be_had_is_told_before_anything_is_made(
    environment, pip, monkeypatch, gpu, system, version, said
):
    monkeypatch.setenv("GPU", gpu)
    monkeypatch.setattr(environment.platform, "system", lambda: system)
    monkeypatch.setattr(environment.sys, "version_info", version)
    with pytest.raises(SystemExit, match=said):
        environment.main()
    assert pip == []


def test_another_python_than_that_of_venv_is_told(environment, pip, monkeypatch):
    Path(environment.VENV, "pyvenv.cfg").write_text("home = /usr/bin\nversion = 3.12.3\n")
    monkeypatch.setattr(environment.sys, "version_info", (3, 11, 2))
    environment.check_venv()  # nobody asked for this Python
    monkeypatch.setattr(environment.sys, "argv", ["environment.py", "--asked"])
    with pytest.raises(SystemExit, match=r"PYTHON is 3.11, and .venv was made with 3.12"):
        environment.check_venv()


def test_index_out_of_reach_is_told_in_one_sentence(environment):
    """pip's own words, for an index at a port of this machine where nobody listens."""
    pip = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--isolated",
        "--retries",
        "1",
        "--no-deps",
    ]
    index = ["--index-url", "http://127.0.0.1:9/simple", "a-package-that-is-not-installed"]
    run = subprocess.run(
        pip + index, stderr=subprocess.PIPE, text=True, env={"PATH": os.environ["PATH"]}
    )
    assert run.returncode != 0
    assert environment.explain(run.stderr).startswith("The package index is out of reach")


def test_full_disk_is_told(environment):
    assert environment.explain("OSError: [Errno 28] No space left on device").startswith(
        "The disk is full"
    )


def test_whole_way_with_an_environment_that_cannot_be_made(tmp_path):
    """A copy of the checkout whose .venv points to a pip that always fails: the message is the last
    thing printed.
    """
    for name in ("environment.yml", "constraints.txt", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "scripts").mkdir()
    shutil.copy(ROOT / "scripts" / "environment.py", tmp_path / "scripts")
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(
        "#!/bin/sh\necho 'ERROR: Could not find a version (from versions: none)' >&2\nexit 1\n"
    )
    python.chmod(0o755)
    run = subprocess.run(
        [sys.executable, "scripts/environment.py"], cwd=tmp_path, capture_output=True, text=True
    )
    assert run.returncode == 1
    assert "environment: The package index is out of reach" in run.stderr.splitlines()[-2]
    assert not (tmp_path / ".venv" / "installed-from.sha256").exists()
    assert not (tmp_path / ".requirements.txt").exists()


@pytest.mark.parametrize(
    ("runs", "taken"),
    [
        (["python3.11", "python3.13"], "python3.11"),
        (["python3.13"], "python3.13"),
        (["python3.14"], "python3.14"),
        ([], "python3"),
    ],
)
def test_make_takes_the_first_python_that_runs(tmp_path, runs, taken):
    """A name on the PATH need not run: pyenv leaves one for every Python that it knows."""
    for name in ("python3.11", "python3.12", "python3.13", "python3", "python3.14"):
        (tmp_path / name).write_text(f"#!/bin/sh\nexit {0 if name in runs else 127}\n")
        (tmp_path / name).chmod(0o755)
    # Without what a make above this one has set, and in a folder without .venv, which the Makefile
    # puts first.
    shutil.copy(ROOT / "Makefile", tmp_path)
    asked = [shutil.which("make"), "--dry-run", "environment"]
    run = subprocess.run(
        asked,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={"PATH": f"{tmp_path}:/usr/bin:/bin"},
    )
    assert run.stdout.splitlines()[-1].strip() == f'"{taken}" scripts/environment.py'

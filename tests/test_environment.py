"""The set-up: what `make environment` installs, and what it says where it cannot."""

import importlib.util
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

ROOT = Path(__file__).parents[1]


@pytest.fixture
def environment():
    """scripts/environment.py as a module, fresh for each test because tests bend its names."""
    spec = importlib.util.spec_from_file_location("environment_script", ROOT / "scripts" / "environment.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def pins():
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    return dict(line.split("==") for line in lines if not line.startswith("#"))


def normal(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def test_conda_and_make_install_the_same_list(environment):
    assert environment.pip_section() == ["-c constraints.txt", "-e .[all]"]


def test_every_package_that_the_project_names_is_pinned_and_is_what_runs_here():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    elsewhere = ("all", "tensorflow-gpu", "mutation")  # not in every .venv, and so not pinned
    extras = {name: list_ for name, list_ in project["optional-dependencies"].items() if name not in elsewhere}
    # A line with != is for the platforms that this one is not.
    named = [
        normal(re.match(r"[\w-]+", line).group()) for list_ in extras.values() for line in list_ if "!=" not in line
    ]
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


@pytest.mark.parametrize("old", [(3, 10), (3, 14)])
def test_wrong_python_is_told_which_one_is_needed(environment, monkeypatch, old):
    monkeypatch.setattr(environment.sys, "version_info", old + (0,))
    with pytest.raises(SystemExit, match=rf"Python 3.11 to 3.13 is needed, this is {old[0]}.{old[1]}"):
        environment.check_python()


def test_short_disk_is_told_before_anything_is_made(environment, monkeypatch, tmp_path):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(environment, "VENV", str(tmp_path / "none"))
    monkeypatch.setattr(environment.shutil, "disk_usage", lambda path: usage(10e9, 9e9, 1e9))
    with pytest.raises(SystemExit, match=r"6 GB of free disk are needed for the environment, 1.0 GB are free"):
        environment.check_disk()


def test_index_out_of_reach_is_told_in_one_sentence(environment):
    """pip's own words, for an index at a port of this machine where nobody listens."""
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--isolated", "--retries", "1", "--no-deps"]
    index = ["--index-url", "http://127.0.0.1:9/simple", "a-package-that-is-not-installed"]
    run = subprocess.run(pip + index, stderr=subprocess.PIPE, text=True, env={"PATH": os.environ["PATH"]})
    assert run.returncode != 0
    assert environment.explain(run.stderr).startswith("The package index is out of reach")


def test_full_disk_is_told(environment):
    assert environment.explain("OSError: [Errno 28] No space left on device").startswith("The disk is full")


def test_whole_way_with_an_environment_that_cannot_be_made(tmp_path):
    """A copy of the checkout whose .venv points to a pip that always fails: the message is the last thing printed."""
    for name in ("environment.yml", "constraints.txt", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "scripts").mkdir()
    shutil.copy(ROOT / "scripts" / "environment.py", tmp_path / "scripts")
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text("#!/bin/sh\necho 'ERROR: Could not find a version (from versions: none)' >&2\nexit 1\n")
    python.chmod(0o755)
    run = subprocess.run([sys.executable, "scripts/environment.py"], cwd=tmp_path, capture_output=True, text=True)
    assert run.returncode == 1
    assert "environment: The package index is out of reach" in run.stderr.splitlines()[-2]
    assert not (tmp_path / ".venv" / "installed-from.sha256").exists()
    assert not (tmp_path / ".requirements.txt").exists()

"""What README and CONTRIBUTING promise is there: code that runs, commands that exist, files that
lie where they say.
"""

import json
import re
import shlex
from pathlib import Path

import pytest

from autograder.cli.commands import main

ROOT = Path(__file__).parents[1]
TEXTS = {name: (ROOT / name).read_text() for name in ("README.md", "CONTRIBUTING.md")}


def test_python_in_the_readme_runs():
    blocks = re.findall(r"```python\n(.*?)```", TEXTS["README.md"], re.S)
    numpy_block = next(block for block in blocks if "lstm_backward" in block)
    names: dict = {}
    exec(numpy_block, names)
    assert names["h"].shape == (2, 5, 4)
    assert names["grads"].dWx.shape == names["params"]["Wx"].shape


def test_the_doctor_of_the_readme_runs_on_a_program():
    from lstm_ref.zoo import programs

    (block,) = (
        b
        for b in re.findall(r"```python\n(.*?)```", TEXTS["README.md"], re.S)
        if "doctor.examine" in b
    )
    case = programs.find("axis_batch_as_time").make(True)
    (x, y), said = case.batch, []
    names = {
        "model": case.model,
        "x": x,
        "y": y,
        "loss": case.loss,
        "optimizer": case.optimizer,
        "print": said.append,
    }
    exec(block, names)
    assert [finding.id for finding in said[0]][0] == "examples-mixed"


@pytest.mark.parametrize("name", TEXTS)
def test_make_targets_exist(name):
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    named = set(re.findall(r"(?:`|^)make ([a-z-]+)", TEXTS[name], re.M))
    assert named, "no command found: does the pattern still fit the text?"
    assert named <= targets


def test_what_the_environment_takes_is_what_was_measured():
    measured = json.loads((ROOT / "benchmarks" / "results" / "footprint.json").read_text())
    rows = re.findall(
        r"^\| (Linux|macOS)(.*?) \| ([\d.]+) GB \| ([\d.]+) GB \|$", TEXTS["README.md"], re.M
    )
    shown = [(float(download), float(disk)) for _, _, download, disk in rows]
    systems = measured["systems"].values()
    assert shown == [(round(row["download_GB"], 1), round(row["disk_GB"], 1)) for row in systems]
    assert all(row["with_torch"] for row in systems) and measured["date"] in TEXTS["README.md"]


@pytest.mark.parametrize("name", ["README.md", "book/teach/grading.md"])
def test_autograder_commands_exist_with_the_options_that_are_shown(name):
    shown = re.findall(r"^\.venv/bin/autograder ((?:.*\\\n)*.*)$", (ROOT / name).read_text(), re.M)
    assert len(shown) >= 2, "no command found: does the pattern still fit the text?"
    for line in shown:
        words = shlex.split(line.replace("\\\n", " "), comments=True)
        command = main.commands[words[0]]
        # Parsed as the command line would, but that its files need not be there.
        arguments = [
            ROOT / "README.md" if word.endswith((".csv", ".ipynb", ".zip")) else word
            for word in words[1:]
        ]
        command.make_context(words[0], [str(argument) for argument in arguments])


@pytest.mark.parametrize("name", TEXTS)
def test_files_and_folders_that_are_named_exist(name):
    paths = set(re.findall(r"(?:src|srcset)=\"([^\"]+)\"|\]\((?!https?:)([^)#]+)\)", TEXTS[name]))
    paths = {first or second for first, second in paths}
    paths |= set(
        re.findall(
            r"`((?:book|exercises|solutions|lstm_ref|autograder|verdict|tests)/[\w./-]*)`",
            TEXTS[name],
        )
    )
    assert paths
    assert [path for path in paths if not (ROOT / path).exists()] == []

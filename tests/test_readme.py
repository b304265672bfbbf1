"""What README and CONTRIBUTING promise is there: code that runs, commands that exist, files that lie where they say."""

import re
import shlex
from pathlib import Path

import pytest

from autograder.cli import main

ROOT = Path(__file__).parents[1]
TEXTS = {name: (ROOT / name).read_text() for name in ("README.md", "CONTRIBUTING.md")}


def test_python_in_the_readme_runs():
    blocks = re.findall(r"```python\n(.*?)```", TEXTS["README.md"], re.S)
    numpy_block = next(block for block in blocks if "lstm_backward" in block)
    names: dict = {}
    exec(numpy_block, names)
    assert names["h"].shape == (2, 5, 4)
    assert names["grads"].dWx.shape == names["params"]["Wx"].shape


@pytest.mark.parametrize("name", TEXTS)
def test_make_targets_exist(name):
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    named = set(re.findall(r"(?:`|^)make ([a-z-]+)", TEXTS[name], re.M))
    assert named, "no command found: does the pattern still fit the text?"
    assert named <= targets


@pytest.mark.parametrize("name", ["README.md", "book/grading.md"])
def test_autograder_commands_exist_with_the_options_that_are_shown(name):
    shown = re.findall(r"^\.venv/bin/autograder ((?:.*\\\n)*.*)$", (ROOT / name).read_text(), re.M)
    assert len(shown) >= 2, "no command found: does the pattern still fit the text?"
    for line in shown:
        words = shlex.split(line.replace("\\\n", " "), comments=True)
        command = main.commands[words[0]]
        # Parsed as the command line would, but that its files need not be there.
        arguments = [ROOT / "README.md" if word.endswith((".csv", ".ipynb", ".zip")) else word for word in words[1:]]
        command.make_context(words[0], [str(argument) for argument in arguments])


@pytest.mark.parametrize("name", TEXTS)
def test_files_and_folders_that_are_named_exist(name):
    paths = set(re.findall(r"(?:src|srcset)=\"([^\"]+)\"|\]\((?!https?:)([^)#]+)\)", TEXTS[name]))
    paths = {first or second for first, second in paths}
    paths |= set(
        re.findall(r"`((?:book|exercises|solutions|lstm_ref|autograder|verdict|tests)/[\w./-]*)`", TEXTS[name])
    )
    assert paths
    assert [path for path in paths if not (ROOT / path).exists()] == []

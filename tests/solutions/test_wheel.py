"""Each problem set's notebook runs where nothing of the course is but its package: as in Colab,
after an install from the wheel.
"""

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path
from shutil import copytree, ignore_patterns
from zipfile import ZipFile

import nbformat
import pytest

from autograder.sandbox.mounts import installation
from tests.support.package_index import OUT_OF_REACH, index_of_pip
from tests.support.problem_sets import SetOf

ROOT = Path(__file__).parents[2]
NAMES = sorted(
    path.parent.name
    for path in (ROOT / "solutions").glob("*/checks.py")
    if not path.parent.name.startswith("quiz-")
)
# Runs the cells of both notebooks. What is not written yet may stop a cell, and nothing else may.
RUN = """
import contextlib, io, json, sys

sys.path += sys.argv[2:]
told = {}
for name, cells in json.load(open(sys.argv[1])).items():
    namespace = {"__name__": "__main__"}
    for source in cells:
        with contextlib.suppress(NotImplementedError):
            exec(compile(source, "cell", "exec"), namespace)
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        exec("check()", namespace)
    told[name] = said.getvalue()
told["from"] = namespace["check"].__func__.__code__.co_filename
print("TOLD", json.dumps(told))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """A folder with the packages that the wheel holds, and no other file of the course."""
    folder = tmp_path_factory.mktemp("wheel")
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    for package in settings["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]:
        copytree(ROOT / package, folder / package, ignore=ignore_patterns("__pycache__"))
    return folder


@pytest.mark.parametrize("name", NAMES)
def test_the_released_notebook_runs_with_the_wheel_alone(name, wheel, tmp_path):
    the_set = SetOf(name, None)
    released = nbformat.read(ROOT / "exercises" / name / f"{name}.ipynb", as_version=4)
    code = [cell for cell in released.cells if cell.cell_type == "code"]
    solved = [
        the_set.solutions.get(cell.metadata.get("nbgrader", {}).get("grade_id"), cell.source)
        for cell in code
    ]
    assert solved != [cell.source for cell in code]
    notebooks = {"stub": [cell.source for cell in code], "solved": solved}
    (tmp_path / "notebooks").write_text(json.dumps(notebooks))
    others = tmp_path / "site-packages"  # what the set needs beside the wheel, and what that needs
    others.mkdir()
    for path in installation(the_set.graded.PACKAGES).packages:
        (others / path.name).symlink_to(path)
    process = subprocess.run(
        [sys.executable, "-I", "-S", "-c", RUN, tmp_path / "notebooks", wheel, others],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert process.returncode == 0, process.stderr
    told = json.loads(process.stdout.rpartition("TOLD ")[2])
    assert told["from"].startswith(str(wheel))
    marks = sum(the_set.marks().values())
    assert f"{marks:g} of {marks:g} points" in told["solved"]
    assert f"0 of {marks:g} points" in told["stub"]


def test_make_wheel_writes_these_folders_and_the_page_names_the_file(wheel, tmp_path):
    command = ["uv", "build", "--quiet", "--wheel", "--out-dir", str(tmp_path)]
    assert f"\t{' '.join(command[:-1])} build/wheel\n" in (ROOT / "Makefile").read_text()
    built = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=ROOT,
        env=os.environ | index_of_pip(),
        capture_output=True,
        text=True,
    )
    if any(sign in built.stderr for sign in OUT_OF_REACH) and not os.environ.get("CI"):
        pytest.skip("the package index is out of reach")
    assert built.returncode == 0, built.stderr
    (file,) = tmp_path.glob("*.whl")
    assert file.name in (ROOT / "book" / "teach" / "students.md").read_text(encoding="utf-8")
    held = {name for name in ZipFile(file).namelist() if ".dist-info/" not in name}
    # the tests before this one have imported from the folder
    files = (p for p in wheel.rglob("*") if p.is_file() and p.parent.name != "__pycache__")
    assert held == {str(path.relative_to(wheel)) for path in files}

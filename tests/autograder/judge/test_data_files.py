"""Data files of a problem set reach students and their code; nothing else of its folder does."""

from __future__ import annotations

from pathlib import Path

import pytest

from autograder.author.lint import lint
from autograder.batch.cluster import bundle
from autograder.course import release
from autograder.course.course import Course
from autograder.errors import ProblemSetError
from autograder.judge import data_files, judge, problem_set
from autograder.lms.gradescope.build import contents
from autograder.sandbox import choose

CHECKS = """
from verdict import Check
PACKAGES = ("numpy", "pandas")
FILES = ("prices.csv",)
CHECKS = [Check("mean", "The mean.", points=1, value="mean", expected=lambda: 20 / 3)]
"""
SOURCE = """\
---
kernelspec:
  name: python3
  display_name: Some kernel of this machine
---

# Prices

```{code-cell}
---
nbgrader: {grade_id: mean_code, solution: true}
---
mean = None
### BEGIN SOLUTION
with open("prices.csv") as file:
    numbers = [float(line.split(",")[1]) for line in list(file)[1:]]
mean = sum(numbers) / len(numbers)
### END SOLUTION
```

```{code-cell}
---
nbgrader: {grade_id: mean, grade: true, points: 1}
---
# 1 point: mean
```
"""
PRICES = b"day,price\n1,4.0\n2,5.5\n3,10.5\n"


def write(root: Path, checks: str = CHECKS) -> Path:
    folder = root / "solutions" / "prices"
    folder.mkdir(parents=True)
    (folder / "checks.py").write_text(checks)
    (folder / "prices.md").write_text(SOURCE)
    (folder / "prices.csv").write_bytes(PRICES)
    return folder


CELLS = {
    "with pandas": 'import pandas as pd\nmean = pd.read_csv("prices.csv")["price"].mean()',
    "after its file is gone": (
        "import os\n"
        'mean = sum(float(r.split(",")[1]) for r in open("prices.csv").readlines()[1:]) / 3\n'
        'os.remove("prices.csv")'
    ),
    "in the next worker, too": (
        'open("prices.csv", "w").write("day,price\\n")\nimport os\nos._exit(0)\n'
        'lines = open("prices.csv").readlines()[1:]\n'
        'mean = sum(float(row.split(",")[1]) for row in lines) / len(lines)'
    ),
}


@pytest.mark.parametrize("how", CELLS)
def test_the_code_finds_the_file_in_its_folder(how: str, tmp_path: Path) -> None:
    chosen = problem_set.load(write(tmp_path))
    record = judge.grade([CELLS[how]], chosen, seed="s", isolation=choose.choose())
    assert record.score == (0 if "next" in how else 1), record.to_json()
    if "next" in how:  # the statement that overwrites it is run again, the one that kills is not
        assert "ZeroDivisionError" in str(record.notes) + record.checks[0].message


def test_students_get_the_file_and_a_judge_elsewhere_has_it(tiny_course: Path) -> None:
    write(tiny_course)
    release.write_releases(tiny_course)
    there = tiny_course / "exercises" / "prices"
    assert sorted(path.name for path in there.iterdir()) == ["prices.csv", "prices.ipynb"]
    assert (there / "prices.csv").read_bytes() == PRICES and release.stale(tiny_course) == []
    assert lint(tiny_course, "prices", choose.choose(False)) == []
    assert dict(bundle(problem_set.load("prices", tiny_course)))["prices.csv"] == PRICES
    (there / "prices.csv").write_text("other")
    assert release.stale(tiny_course) == ["exercises/prices/prices.csv is not prices's prices.csv."]


def test_a_container_of_gradescope_has_the_file(tiny_course: Path, tmp_path: Path) -> None:
    write(tiny_course)
    release.write_releases(tiny_course)
    chosen = problem_set.load("prices", tiny_course)
    course = Course.load(tiny_course)
    for name, (content, _) in contents(course, chosen, False, "visible").items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    there = problem_set.load("prices", tmp_path / "course")
    assert dict(there.files) == {"prices.csv": PRICES}
    cell = CELLS["with pandas"]
    assert judge.grade([cell], there, seed="s", isolation=choose.choose()).score == 1


def test_another_content_is_graded_anew(tmp_path: Path) -> None:
    folder = write(tmp_path)
    before = problem_set.load(folder).digest
    (folder / "prices.csv").write_bytes(PRICES + b"4,1.0\n")
    assert problem_set.load(folder).digest != before


@pytest.mark.parametrize(
    ("files", "complaint"),
    [
        ('("gone.csv",)', "'gone.csv'; .* is no file"),
        ('("checks.py",)', "must be a data file in"),
        ('("prices.md",)', "must be a data file in"),
        ('("../prices/prices.csv",)', "must be a data file in"),
        ('(".hidden",)', "must be a data file in"),
        ('"prices.csv"', "must be names of files, written out"),
        ("(1,)", "must be names of files, written out"),
        ("tuple(['prices.csv'])", "must be names of files, written out"),
        (repr(tuple(f"{k}.csv" for k in range(30))), "names 30 files; 20 are allowed"),
    ],
)
def test_what_students_may_not_have_is_refused(files: str, complaint: str, tmp_path: Path) -> None:
    folder = write(tmp_path, CHECKS.replace('("prices.csv",)', files))
    with pytest.raises(ProblemSetError, match=complaint):
        problem_set.load(folder)


def test_links_and_large_files_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write(tmp_path)
    monkeypatch.setattr(data_files, "MAX_BYTES", len(PRICES) - 1)
    with pytest.raises(ProblemSetError, match="which go into each worker; take a part"):
        problem_set.load(folder)
    (folder / "prices.csv").unlink()
    (folder / "prices.csv").symlink_to(folder / "checks.py")
    with pytest.raises(ProblemSetError, match="is no file"):
        problem_set.load(folder)


def test_the_code_sees_no_argument_of_whoever_grades(tmp_path: Path) -> None:
    chosen = problem_set.load(write(tmp_path))
    cell = "import sys\nprint('said', sys.argv, sys.orig_argv)\nmean = 20 / 3"
    record = judge.grade([cell], chosen, seed="s", isolation=choose.choose())
    assert record.score == 1 and "said [''] ['']" in record.output

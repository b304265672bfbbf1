"""A small course of its own for the tests of the autograder: one problem set, two functions,
nothing about LSTMs.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import nbformat
import nbgrader.api
from nbformat import NotebookNode

ROOT = Path(__file__).resolve().parents[2]

# For each new gradebook nbgrader asks another program for this number, which is always the same:
# that takes three seconds.
nbgrader.api.get_alembic_version = cache(nbgrader.api.get_alembic_version)

SOURCE = '''\
---
kernelspec:
  name: python3
  display_name: Some kernel of this machine
---

# Scaling

Write `scale`, then `total`.

```{code-cell}
:tags: [local]
from somewhere import check
```

```{code-cell}
import numpy as np
```

```{code-cell}
---
nbgrader: {grade_id: scale_code, solution: true}
---
def scale(x, a):
    """Return a times x."""
    ### BEGIN SOLUTION
    product_of_both = np.multiply(a, x)
    return product_of_both
    ### END SOLUTION
```

```{code-cell}
:tags: [local]
check("scale")
```

```{code-cell}
---
nbgrader: {grade_id: scale, grade: true, points: 2}
---
# 2 points: scale
```

```{code-cell}
---
nbgrader: {grade_id: total_code, solution: true}
---
def total(x):
    """Return the sum of x."""
    ### BEGIN SOLUTION
    sum_of_everything = np.sum(x)
    return sum_of_everything
    ### END SOLUTION
```

```{code-cell}
---
nbgrader: {grade_id: total, grade: true, points: 1}
---
# 1 point: total
```
'''

CHECKS = '''\
"""What the judge asks of the small problem set of the tests."""

import numpy as np

from verdict import Case, Check, Misconception

PACKAGES = ("numpy",)


def _scale_cases(rng):
    return [
        Case("a matrix", (rng.normal(size=(3, 4)), 2.5)),
        Case("a vector", (rng.normal(size=5), -1.5)),
    ]


def _total_cases(rng):
    return [Case("a vector", (rng.normal(size=6),))]


CHECKS = [
    Check(
        name="scale",
        title="scale multiplies.",
        function="scale",
        points=2,
        cases=_scale_cases,
        expected=lambda x, a: a * x,
        outputs="y",
        misconceptions=(
            Misconception(
                "adds",
                "It adds a instead of multiplying.",
                lambda x, a: a + x,
                hints=("Which sign stands there?",),
            ),
        ),
        hints=("Try it with a = 2.",),
    ),
    Check(
        name="total",
        title="total adds up.",
        function="total",
        points=1,
        cases=_total_cases,
        expected=lambda x: np.sum(x),
        outputs="s",
    ),
]
'''


RIGHT = {
    "scale_code": "def scale(x, a):\n    return a * x",
    "total_code": "def total(x):\n    return x.sum()",
}
ADDS = RIGHT | {"scale_code": "def scale(x, a):\n    return a + x"}


def tiny_release(root: Path) -> NotebookNode:
    """Notebook that students of the small course get."""
    return nbformat.read(root / "exercises" / "tiny" / "tiny.ipynb", as_version=4)


def filled_in(root: Path, sources: Mapping[str, str]) -> NotebookNode:
    """The released notebook with sources by grade_id put in."""
    notebook = tiny_release(root)
    for cell in notebook.cells:
        cell.source = sources.get(cell.metadata.get("nbgrader", {}).get("grade_id"), cell.source)
    return notebook


def hand_in(
    root: Path,
    student: str,
    sources: Mapping[str, str],
    edit: Callable[[NotebookNode], Any] = lambda notebook: None,
) -> Path:
    """Put a notebook of a student's where submissions are; ``edit`` changes it first."""
    notebook = filled_in(root, sources)
    edit(notebook)
    return hand_in_text(root, student, nbformat.v4.writes_json(notebook))


def hand_in_text(root: Path, student: str, text: str) -> Path:
    """Put a file of a student's where submissions are, whatever stands in it."""
    path = root / "submitted" / student / "tiny" / "tiny.ipynb"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def make_tiny_course(root: Path) -> Path:
    """Write the small course into a folder: its solutions, what students get of them, nbgrader's
    settings.
    """
    from autograder.course import release

    folder = root / "solutions" / "tiny"
    folder.mkdir(parents=True)
    (folder / "tiny.md").write_text(SOURCE)
    (folder / "checks.py").write_text(CHECKS)
    shutil.copy(ROOT / "nbgrader_config.py", root)
    release.write_releases(root)
    return root


def make_empty_gradebook(root: Path) -> Path:
    """A gradebook with nothing in it, to be copied: nbgrader takes seconds to make one."""
    from nbgrader.coursedir import CourseDirectory

    from autograder.course.database import open_gradebook

    with open_gradebook(CourseDirectory(root=str(root), course_id="inside-the-lstm")):
        return root / "gradebook.db"

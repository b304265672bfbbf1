"""A small course of its own for the tests of the autograder: one problem set, two functions, nothing about LSTMs."""

from __future__ import annotations

import shutil
from pathlib import Path
from textwrap import dedent

import pytest

ROOT = Path(__file__).resolve().parent.parent

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
    return [Case("a matrix", (rng.normal(size=(3, 4)), 2.5)), Case("a vector", (rng.normal(size=5), -1.5))]


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
            Misconception("adds", "It adds a instead of multiplying by it.", lambda x, a: a + x, hints=("Which sign stands there?",)),
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


@pytest.fixture(scope="session")
def _tiny_course(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from autograder import exercises

    root = tmp_path_factory.mktemp("tiny")
    folder = root / "solutions" / "tiny"
    folder.mkdir(parents=True)
    (folder / "tiny.md").write_text(SOURCE)
    (folder / "checks.py").write_text(dedent(CHECKS))
    shutil.copy(ROOT / "nbgrader_config.py", root)
    exercises.write(root)
    return root


@pytest.fixture
def tiny_course(_tiny_course: Path, tmp_path: Path) -> Path:
    """Root of a fresh copy of the small course: solutions, released exercises, nbgrader's settings."""
    return Path(shutil.copytree(_tiny_course, tmp_path / "course"))

"""A small problem set of questions whose answers are values, beside the one of the tests."""

from __future__ import annotations

from pathlib import Path

SOURCE = """\
---
kernelspec:
  name: python3
  display_name: Some kernel of this machine
---

# Which gate?

Of 40 positive examples, 24 are found, and 8 more are called so.

```{code-cell}
---
nbgrader: {grade_id: recall_code, solution: true}
---
recall = None
### BEGIN SOLUTION
recall = 24 / 40
### END SOLUTION
```

```{code-cell}
---
nbgrader: {grade_id: recall, grade: true, points: 2}
---
# 2 points: recall
```

Which gate shuts out the past: "input", "forget" or "output"?

```{code-cell}
---
nbgrader: {grade_id: gate_code, solution: true}
---
gate = None
### BEGIN SOLUTION
gate = "forget"
### END SOLUTION
```

```{code-cell}
---
nbgrader: {grade_id: gate, grade: true, points: 1}
---
# 1 point: gate
```

Which of the letters a, b and c do you mean?

```{code-cell}
---
nbgrader: {grade_id: letters_code, solution: true}
---
letters = None
### BEGIN SOLUTION
letters = {"a", "c"}
### END SOLUTION
```

```{code-cell}
---
nbgrader: {grade_id: letters, grade: true, points: 1}
---
# 1 point: letters
```
"""

CHECKS = '''\
"""Questions whose answers are values."""

from verdict import Check, Misconception

PACKAGES = ("numpy",)

CHECKS = [
    Check(
        name="recall",
        title="The recall is right.",
        value="recall",
        points=2,
        expected=lambda: 0.6,
        tolerance=0.01,
        misconceptions=(
            Misconception("precision", "It is the precision.", lambda: 0.75, ("Of what?",)),
        ),
    ),
    Check(
        name="gate",
        title="The gate is the right one.",
        value="gate",
        points=1,
        choices=("input", "forget", "output"),
        expected=lambda: "forget",
        misconceptions=(
            Misconception("shuts_in", "That gate lets nothing new in.", lambda: "input"),
        ),
    ),
    Check(
        name="letters",
        title="The letters are the right ones.",
        value="letters",
        points=1,
        choices=("a", "b", "c"),
        expected=lambda: {"a", "c"},
    ),
]
'''

RIGHT = ("recall = 24 / 40", "gate = 'forget'", "letters = {'a', 'c'}")


def write_value_set(root: Path, name: str = "values", checks: str = CHECKS) -> Path:
    """Write the problem set into a course's folder."""
    folder = root / "solutions" / name
    folder.mkdir(parents=True)
    (folder / f"{name}.md").write_text(SOURCE)
    (folder / "checks.py").write_text(checks)
    return folder

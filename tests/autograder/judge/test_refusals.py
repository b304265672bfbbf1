"""A case may ask for an exception: it counts where something else is right, too, and what is known
to be done in its place is named.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from autograder.errors import ProblemSetError
from autograder.judge import judge, problem_set
from autograder.judge.problem_set import ProblemSet
from autograder.sandbox import choose
from lstm_ref.practice import case_of, examine_all

MEAN = """
import numpy as np
from verdict import Case, Check, Misconception
PACKAGES = ("numpy",)
def mean(x, weights):
    if len(weights) != len(x):
        raise ValueError("lengths differ")
    if not weights.sum() > 0:
        raise ValueError("no weight")
    return (x * weights).sum() / weights.sum()
def zero_for_none(x, weights):
    return mean(x, weights) if len(weights) == len(x) and weights.sum() > 0 else 0.0
def plain(x, weights):
    return x.mean()
def cases(rng):
    x = rng.normal(size=6)
    return [
        Case("", (x, rng.uniform(1, 2, size=6))),
        Case("one", (x[:1], np.ones(1))),
        Case("lengths differ", (x, np.ones(5)), raises="ValueError"),
        Case("no weight", (x, np.zeros(6)), raises="ValueError"),
    ]
CHECKS = [Check("mean", "The mean.", "mean", 4, cases, mean, "m", misconceptions=(
    Misconception("plain", "The weights are not used.", plain),
    Misconception("zero_for_none", "It gives 0.", zero_for_none, ("Who sees that 0 is none?",)),
))]
"""

RIGHT = """
import numpy as np
class ShapeError(ValueError):
    pass
def mean(x, weights):
    if x.shape != weights.shape:
        raise ShapeError(f"{x.shape} and {weights.shape}")
    if np.all(weights == 0):
        raise ValueError
    return np.average(x, weights=weights)
"""


def write(root: Path, source: str = MEAN) -> Path:
    folder = root / "solutions" / "mean"
    folder.mkdir(parents=True)
    (folder / "checks.py").write_text(source)
    return folder


@pytest.fixture(scope="module")
def questions(tmp_path_factory: pytest.TempPathFactory) -> ProblemSet:
    return problem_set.load(write(tmp_path_factory.mktemp("course")))


FOUND = {
    "right": (RIGHT, 4.0, None, "Right."),
    # NumPy raises a ZeroDivisionError here, and a TypeError where the lengths differ
    "by the library": (
        "import numpy as np\ndef mean(x, weights):\n    return np.average(x, weights=weights)",
        2.0,
        None,
        "it must raise ValueError, and this came (case: no weight): ZeroDivisionError",
    ),
    "gives 0": (
        RIGHT.replace("raise ValueError", "return 0.0").replace("raise Sh", "return 0.0 #"),
        2.0,
        "zero_for_none",
        "mean gives a result where it must raise ValueError (case: lengths differ).",
    ),
    "raises another kind": (
        RIGHT.replace("(ValueError)", "(Exception)"),
        3.0,
        None,
        "this came (case: lengths differ): ShapeError",
    ),
    "raises always": ("def mean(x, weights):\n    raise ValueError", 0.0, None, "ValueError"),
    "a stub": ("def mean(x, weights):\n    raise NotImplementedError", 0.0, None, "write its body"),
    "wrong everywhere else": (
        RIGHT.replace("np.average(x, weights=weights)", "x.mean() + 1"),
        0.0,
        None,
        "m is wrong",
    ),
    "right in one": (
        RIGHT.replace("np.average(x, weights=weights)", "x.mean()[0] if len(x) == 1 else 0 * 1j"),
        0.0,
        None,
        "",
    ),
    "plain": (RIGHT.replace(", weights=weights", ""), 0.0, "plain", "The weights are not used."),
    "ends its process": (
        RIGHT.replace("        raise ValueError", "        import os; os._exit(0)"),
        3.0,
        None,
        "(case: no weight): mean gave no answer",
    ),
    "claims to be one": (
        "class ValueError_(Exception):\n    pass\nValueError_.__name__ = 'ValueError'\n"
        + RIGHT.replace("(ValueError)", "(ValueError_)"),
        4.0,  # a name is all that is asked for, and whoever gives it raises on purpose
        None,
        "Right.",
    ),
}


@pytest.mark.parametrize("how", FOUND)
def test_a_case_that_must_raise_counts_beside_those_that_have_a_result(
    how: str, questions: ProblemSet
) -> None:
    cell, score, mistake, said = FOUND[how]
    result = judge.grade([cell], questions, seed="s", isolation=choose.choose()).checks[0]
    assert (result.score, result.misconception) == (score, mistake), result
    assert said in result.message and result.status == ("passed" if score == 4 else result.status)
    if "os._exit" in cell:
        return
    names: dict[str, object] = {}
    exec(cell, names)
    practised = examine_all(names, questions.checks, 3)["mean"]
    assert (4 * practised.credit, practised.misconception) == (score, mistake)


def test_practice_shows_the_cases_that_have_a_result(questions: ProblemSet) -> None:
    names: dict[str, object] = {}
    exec(RIGHT.replace("raise ValueError", "return 0.0"), names)
    assert case_of(questions.checks, "mean", 3, names) is None


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ('np.ones(5)), raises="ValueError"', 'np.ones(5)), raises="Exception"', "also holds for"),
        ('np.ones(5)), raises="ValueError"', 'np.ones(5)), raises="a b"', "or is no name"),
        (
            "np.ones(5))",
            "np.ones(6))",
            "'lengths differ', expected must raise ValueError, and gives",
        ),
        (
            'raise ValueError("no',
            'raise KeyError("no',
            "must raise ValueError, and raises KeyError",
        ),
        ("    return x.mean()", "    return mean(x, weights)", "'plain' gives the same numbers"),
        (
            '        Case("", (x, rng.uniform(1, 2, size=6))),\n'
            '        Case("one", (x[:1], np.ones(1))),\n',
            "",
            "all cases must raise",
        ),
    ],
)
def test_cases_that_contradict_themselves_are_refused(
    old: str, new: str, complaint: str, tmp_path: Path
) -> None:
    assert MEAN.count(old) == 1
    with pytest.raises(ProblemSetError, match=f"check 'mean': .*{complaint}"):
        problem_set.load(write(tmp_path, MEAN.replace(old, new)))

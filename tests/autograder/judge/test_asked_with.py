"""With what a student's function can be asked: generators and sets; and what is refused at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from autograder.author.lint import lint
from autograder.errors import ProblemSetError
from autograder.judge import judge, problem_set
from autograder.sandbox import choose
from lstm_ref.practice import examine_all
from tests.support.tiny_course import CHECKS

DROPS = """
import numpy as np
from verdict import Case, Check, Misconception
PACKAGES = ("numpy",)
def drop(x, p, rng, keep):
    mask = rng.random(x.shape) >= p
    mask[:, sorted(keep)] = True
    return x * mask / (1 - p), rng.spawn(1)[0].normal()
def not_scaled(x, p, rng, keep):
    y, z = drop(x, p, rng, keep)
    return y * (1 - p), z
def cases(rng):
    seeded = np.random.default_rng(rng.integers(2**32))
    return [
        Case("", (rng.normal(size=(4, 5)), 0.3, seeded, {1, 2})),
        Case("half", (rng.normal(size=(6, 3)), 0.5, rng.spawn(1)[0], {0})),
    ]
CHECKS = [Check("drop", "Drops.", "drop", 2, cases, drop, ("y", "z"), misconceptions=(
    Misconception("not_scaled", "It is not divided by 1 - p.", not_scaled),))]
"""
RIGHT = """
import numpy as np
def drop(x, p, rng, keep):
    kept = rng.random(x.shape) >= p
    kept[:, list(keep)] = True
    keep.clear()
    y = np.where(kept, x, 0) / (1 - p)
    return y, rng.spawn(1)[0].standard_normal()
"""
ITS_OWN = RIGHT.replace(
    "(x, p, rng, keep):", "(x, p, rng, keep):\n    rng = np.random.default_rng()"
)


@pytest.fixture
def drops(tmp_path: Path) -> problem_set.ProblemSet:
    folder = tmp_path / "solutions" / "drops"
    folder.mkdir(parents=True)
    (folder / "checks.py").write_text(DROPS)
    return problem_set.load(folder)


@pytest.mark.parametrize(
    ("cell", "score", "mistake"),
    [
        (RIGHT, 2.0, None),
        (RIGHT.replace(" / (1 - p)", ""), 1.0, "not_scaled"),
        (ITS_OWN, 0.0, None),
    ],
)
def test_a_generator_draws_the_same_numbers_in_the_sandbox(
    cell: str, score: float, mistake: str | None, drops: problem_set.ProblemSet
) -> None:
    record = judge.grade([cell], drops, seed="seed", isolation=choose.choose())
    assert (record.score, record.checks[0].misconception) == (score, mistake), record.to_json()
    names: dict[str, Any] = {}
    exec(cell, names)
    practised = examine_all(names, drops.checks, 5)["drop"]
    assert (2 * practised.credit, practised.misconception) == (score, mistake)


def write(root: Path, argument: str) -> Path:
    folder = root / "solutions" / "asked"
    folder.mkdir(parents=True)
    (folder / "checks.py").write_text(
        "import numpy as np\nfrom verdict import Case, Check\nPACKAGES = ('numpy',)\n"
        f"cases = lambda rng: [Case('a case', (1, {argument}))]\n"
        "CHECKS = [Check('asks', 'A.', 'f', 1, cases, lambda a, b: a, 'y')]\n"
    )
    return folder


@pytest.mark.parametrize(
    ("argument", "complaint"),
    [
        ("object()", "a object cannot be sent.* Give arrays of numbers"),
        ("[{'a': 1j}]", "a complex cannot be sent"),
        ("np.array(['a'])", "a ndarray cannot be sent"),
        ("np.zeros(5_000_000)", "are too large"),
        ("2**70", "a int cannot be sent"),
        ("np.random.Generator(np.random.MT19937(1))", "of MT19937.* Give np.random.default_rng"),
        ("np.random.RandomState(1)", "a RandomState cannot be sent"),
        (
            "__import__('pandas').Series([1j])",
            "the Series has the dtype complex128, which is not compared.* A DataFrame or a Series",
        ),
        ("np", "a module cannot be sent"),
    ],
)
def test_what_cannot_be_sent_is_refused_with_check_and_argument(
    argument: str, complaint: str, tmp_path: Path
) -> None:
    where = "check 'asks': argument 2 of the case 'a case' is, or holds, what cannot be sent"
    with pytest.raises(ProblemSetError, match=f"{where}.*{complaint}"):
        problem_set.load(write(tmp_path, argument))


@pytest.mark.parametrize("argument", ["{'a', 1}", "np.random.default_rng(3)", "len", "None", "'w'"])
def test_what_can_be_sent_is_taken(argument: str, tmp_path: Path) -> None:
    assert problem_set.load(write(tmp_path, argument)).name == "asked"


def test_lint_knows_two_equal_generators(tiny_course: Path) -> None:
    path = tiny_course / "solutions" / "tiny" / "checks.py"
    text = CHECKS.replace("lambda x, a: a * x", "lambda x, a, rng=None: a * x").replace(
        "2.5))", "2.5, np.random.default_rng(4)))"
    )
    assert text.count("default_rng") == 1
    path.write_text(text.replace("lambda x, a: a + x", "lambda x, a, rng=None: a + x"))
    found = [trouble.what for trouble in lint(tiny_course, "tiny", choose.choose(False))]
    # the notebook's solution takes no generator; but the cases are the same each time
    assert found and not any("draws other cases" in what for what in found)

"""Properties of answers, as the judge asks for them: refused where they contradict themselves, and
no wall to code that looks for gaps.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from autograder.author.lint import _properties
from autograder.errors import ProblemSetError
from autograder.judge import judge, problem_set
from autograder.judge.problem_set import ProblemSet
from autograder.sandbox import choose

SEARCH = """
import numpy as np
from verdict import Case, Check, Misconception, properties as ready
PACKAGES = ("numpy",)
def search(loss, rng, budget):
    tried = [{"rate": float(rate)} for rate in rng.uniform(size=budget)]
    measured = [loss(one) for one in tried]
    return tried[int(np.argmin(measured))], min(measured)
def worst(loss, rng, budget):
    return search(lambda one: -loss(one), rng, budget)
def cases(rng):
    middle = rng.uniform()
    return [Case("", (lambda one: (one["rate"] - middle) ** 2, rng.spawn(1)[0], 6))]
def drop(x, rng):
    return x * (rng.random(x.shape) >= 0.3)
def draws(rng):
    return [Case("", (rng.uniform(1, 2, size=4000), rng.spawn(1)[0]))]
CHECKS = [
    Check("search", "It searches.", "search", 2, cases, search, ("best", "loss"), exact=("best",),
        properties=(
            ready.at_most_calls(0, lambda answer: answer.args[2]),
            ready.best_of_tried("best", 0, value="loss"),
        ),
        misconceptions=(Misconception("worst", "It is the worst.", worst),)),
    Check("drop", "It drops.", "drop", 1, draws, drop, "y",
        properties=(
            ready.happens("rate", "It drops another share.", lambda a: a.out["y"] == 0, 0.3),
            ready.drawn_from(1, "y"),
        ),
        misconceptions=(
            Misconception("half", "A half.", lambda x, rng: x * (rng.random(x.shape) >= 0.5)),
        )),
]
"""

RIGHT = """
import numpy as np
def search(loss, rng, budget):
    best, least = None, float("inf")
    for rate in np.linspace(0, 1, budget):
        found = loss({"rate": rate})
        if found < least:
            best, least = {"rate": rate}, found
    return best, least
def drop(x, rng):
    return np.where(rng.uniform(size=len(x)) < 0.3, 0, x)
"""


def write(root: Path, source: str = SEARCH) -> Path:
    folder = root / "solutions" / "search"
    folder.mkdir(parents=True)
    (folder / "checks.py").write_text(source)
    return folder


@pytest.fixture(scope="module")
def questions(tmp_path_factory: pytest.TempPathFactory) -> ProblemSet:
    return problem_set.load(write(tmp_path_factory.mktemp("course")))


FOUND = [
    ("", {"search": 2.0, "drop": 1.0}, ""),
    ("def search(loss, rng, budget):\n    return {}, 0.0", {"search": 0.0}, "not called at all"),
    (
        "def search(loss, rng, budget):\n    for _ in range(99):\n        y = loss({'rate': 0.5})\n"
        "    return {'rate': 0.5}, y",
        {"search": 0.0},
        "It was called 99 times, and 6 are allowed",
    ),
    (
        "def search(loss, rng, budget):\n    return {'rate': 0.5}, loss({'rate': 0.5}) - 1",
        {"search": 0.0},
        "loss is not what was measured",
    ),
    (
        "def search(loss, rng, budget):\n    loss.__globals__\n    return {}, 0.0",
        {"search": 0.0},
        "",
    ),
    (
        "def search(loss, rng, budget):\n    loss({'rate': float('nan')})\n"
        "    return {'rate': float('nan')}, float('nan')",
        {"search": 0.0},
        "Nothing was tried",
    ),
    # a pattern that has the right share, and draws nothing
    (
        "def drop(x, rng):\n    return x * (np.arange(len(x)) % 10 >= 3)",
        {"drop": 0.0},
        "the same for two different seeds",
    ),
    ("def drop(x, rng):\n    return x[:0]", {"drop": 0.0}, "Nothing was drawn"),
    ("def drop(x, rng):\n    return 'much'", {"drop": 0.0}, "returned a str"),
]


@pytest.mark.parametrize(("cell", "scores", "said"), FOUND)
def test_only_answers_that_have_all_properties_earn_points(
    cell: str, scores: dict[str, float], said: str, questions: ProblemSet
) -> None:
    record = judge.grade([RIGHT, cell], questions, seed="seed", isolation=choose.choose())
    given = {"search": 2.0, "drop": 1.0} | scores
    assert {c.name: c.score for c in record.checks} == given, record.to_json()
    assert all(said in record.check(name).message for name, score in scores.items() if not score)
    assert not [note for note in record.notes if "failed itself" in note]


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("np.argmin", "np.argmax", "check 'search': expected, which must be a right version"),
        ("lambda one: -loss(one)", "loss", "check 'search': the misconception 'worst' is passed"),
        (">= 0.5)", ">= 0.301)", "check 'drop': the misconception 'half' is passed"),
        ("== 0, 0.3)", "== 0, 0.3, false_alarm=1e-5)", "by chance with a probability of 1e-05"),
        ("draws, drop, ", "None, drop, ", "check 'drop': give cases and expected"),
        ("ready.drawn_from(1, ", "ready.repeatable(), ready.repeatable(", "more than once"),
    ],
)
def test_properties_that_contradict_themselves_are_refused(
    old: str, new: str, complaint: str, tmp_path: Path
) -> None:
    assert SEARCH.count(old) == 1
    with pytest.raises(ProblemSetError, match=complaint):
        problem_set.load(write(tmp_path, SEARCH.replace(old, new)))


@pytest.mark.parametrize(
    ("name", "old", "new", "said"),
    [
        ("drop", "rng.random(x.shape) >= 0.5)", "rng.random(x.shape) >= 0.34)", "'half' for"),
        ("drop", "            ready.happens(", "            #", "'half' for 0 of 3 seeds only"),
        ("search", "", "", ""),
        ("drop", "", "", ""),
    ],
)
def test_lint_tries_wrong_and_idle_versions_with_many_seeds(
    name: str, old: str, new: str, said: str, questions: ProblemSet, tmp_path: Path
) -> None:
    checks: tuple[Any, ...] = questions.checks
    if old:
        folder = write(tmp_path, SEARCH.replace(old, new))
        checks = problem_set.load(folder, validate=False).checks
    check = next(one for one in checks if one.name == name)
    found = [trouble.what for trouble in _properties(check, f"Check {name!r}")]
    assert any(said in what for what in found) if said else found == [], found


def test_lint_finds_properties_that_results_of_no_work_have(tmp_path: Path) -> None:
    source = SEARCH.replace('a.out["y"] == 0, 0.3', 'a.out["y"] > 9, 0.0')
    source = source.replace('            ready.drawn_from(1, "y"),\n', "")
    assert len(source) < len(SEARCH)
    check = problem_set.load(write(tmp_path, source), validate=False).checks[1]
    found = "".join(trouble.what for trouble in _properties(check, "Check 'drop'"))
    assert all(what in found for what in ("zero everywhere", "one everywhere", "'half' for 0 of"))

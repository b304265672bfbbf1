"""A problem set is found, imported and validated; what contradicts itself is named."""

from __future__ import annotations

import dataclasses
import sys
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from autograder.errors import ProblemSetError
from autograder.judge import problem_set
from autograder.sandbox import mounts
from autograder.sandbox.limits import Limits
from verdict import Case, Check, Misconception, Verdict

SOURCE = """
from verdict import Case, Check
PACKAGES = ("numpy",)
draw = lambda rng: [Case("", (rng.normal(),))]
CHECKS = [Check("a", "A.", "f", 1, cases=draw, expected=lambda x: x, outputs="y")]
"""


def write(root: Path, name: str = "first", source: str = SOURCE) -> Path:
    """Root of a course with one problem set more."""
    folder = root / "solutions" / name
    folder.mkdir(parents=True)
    (folder / "checks.py").write_text(source)
    return root


def test_a_problem_set_is_found_by_name_and_by_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = write(tmp_path)
    by_name = problem_set.load("first", root)
    assert (
        by_name.name == "first"
        and by_name.packages == ("numpy",)
        and [c.name for c in by_name.checks] == ["a"]
    )
    assert by_name.release == root / "exercises" / "first" / "first.ipynb"
    assert by_name.folder == root / "solutions" / "first"
    by_path = problem_set.load(root / "solutions" / "first")
    assert (by_path.name, by_path.folder, by_path.digest) == (
        by_name.name,
        by_name.folder,
        by_name.digest,
    )
    monkeypatch.chdir(root)
    assert problem_set.load("first").folder == by_name.folder


def test_a_change_of_the_checks_changes_the_digest(tmp_path: Path) -> None:
    root = write(tmp_path)
    before = problem_set.load("first", root).digest
    (root / "solutions" / "first" / "checks.py").write_text(SOURCE + "# changed\n")
    assert problem_set.load("first", root).digest != before


def test_a_change_of_a_package_that_the_checks_import_changes_the_digest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "packages" / "known_mistakes_for_the_digest"
    (package / "deeper").mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "deeper" / "forward.py").write_text("BUGS = 1\n")
    monkeypatch.syspath_prepend(str(package.parent))
    root = write(tmp_path, source="import known_mistakes_for_the_digest\n" + SOURCE)
    before = problem_set.load("first", root).digest
    assert problem_set.load("first", root).digest == before
    (package / "deeper" / "forward.py").write_text("BUGS = 2\n")
    assert problem_set.load("first", root).digest != before


# yaml comes from a distribution of another name, pyyaml
@pytest.mark.parametrize("package", ["numpy", "yaml"])
def test_another_version_of_a_package_that_the_checks_import_changes_the_digest(
    package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = write(tmp_path, source=f"import {package}\n" + SOURCE)
    before = problem_set.load("first", root).digest
    real = problem_set.distribution

    class Newer:
        version = "1000"

    def newer(name: str) -> Any:
        return Newer if name.lower() in (package, f"py{package}") and real(name) else real(name)

    monkeypatch.setattr(problem_set, "distribution", newer)
    assert problem_set.load("first", root).digest != before


def test_a_name_that_is_not_there_is_answered_with_those_that_are(tmp_path: Path) -> None:
    root = write(write(tmp_path), "second-one")
    with pytest.raises(
        ProblemSetError, match="no problem set 'third'.* there are first, second-one"
    ):
        problem_set.load("third", root)
    with pytest.raises(ProblemSetError, match="holds none; run from the course's root"):
        problem_set.load("third", tmp_path / "elsewhere")


def test_two_problem_sets_keep_their_modules_apart(tmp_path: Path) -> None:
    root = write(write(tmp_path, "same-name"), "same_other", SOURCE.replace('"a"', '"b"'))
    first, second = problem_set.load("same-name", root), problem_set.load("same_other", root)
    assert (first.checks[0].name, second.checks[0].name) == ("a", "b")
    assert "checks" not in sys.modules


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        ("x = 1 / 0", "cannot be imported: ZeroDivisionError"),
        ("def f(:", "cannot be imported: SyntaxError"),
        ("PACKAGES = ()", "must define CHECKS as a list or a tuple, got NoneType"),
        ("CHECKS = [1]\nPACKAGES = 'numpy'", "must define PACKAGES as a list or a tuple, got str"),
        ("CHECKS = []\nPACKAGES = ()", "CHECKS is empty"),
        ("CHECKS = [1]\nPACKAGES = ()", "must hold verdict.Check objects, got int"),
        (
            SOURCE.replace('"numpy"', '"no-such-package"'),
            "'no-such-package', which is not installed",
        ),
    ],
)
def test_a_file_that_is_no_problem_set_is_refused(
    tmp_path: Path, source: str, complaint: str
) -> None:
    with pytest.raises(ProblemSetError, match=complaint):
        problem_set.load("first", write(tmp_path, source=source))


def check(name: str = "a", **changes: Any) -> Check:
    """Return a check that is right, but for the changes."""
    given: dict[str, Any] = {
        "title": "A.",
        "function": "f",
        "points": 1,
        "cases": lambda rng: [Case("", (rng.normal(size=3),)), Case("", (np.zeros(3),))],
        "expected": lambda x: x + 1,
        "outputs": "y",
    }
    return Check(name=name, **{**given, **changes})


def validate(*checks: Check) -> None:
    """Look over a problem set of these checks."""
    problem_set.validate_checks(
        problem_set.ProblemSet("set", checks, ("numpy",), Path("solutions/set"), "")
    )


def wrong(id: str, function: Any) -> Misconception:
    return Misconception(id, "Wrong.", function)


def fails(x: Any) -> Any:
    raise ValueError("always")


@pytest.mark.parametrize(
    ("checks", "complaint"),
    [
        ([check(), check()], "2 checks are called 'a'"),
        ([check(points=0)], "points must be above 0, got 0"),
        ([check(points=-1)], "points must be above 0"),
        ([check(points=float("nan"))], "points must be above 0"),
        ([check(time_limit=0)], "time_limit must be above 0"),
        ([check(needs=("b",))], "needs 'b', and there is no such check"),
        ([check(needs=("b",)), check("b", needs=("a",))], "need each other in a circle"),
        ([check(needs=("a",))], "in a circle: a -> a"),
        ([check(cases=None)], "give cases and expected, or examine"),
        ([check(cases=lambda rng: [])], "cases gives no case"),
        (
            [check(misconceptions=(wrong("m", lambda x: x), wrong("m", lambda x: -x)))],
            "'m' stands there 2 times",
        ),
        (
            [check(misconceptions=(wrong("m", lambda x: x + 1),))],
            "'m' gives the same numbers as 'the reference'",
        ),
        (
            [check(misconceptions=(wrong("m", lambda x: 2 * x), wrong("n", lambda x: x + x)))],
            "'n' gives the same numbers as 'm' in every case",
        ),
        ([check(misconceptions=(wrong("m", fails),))], "'m' fails in every case: ValueError"),
    ],
)
def test_checks_that_contradict_themselves_are_named(checks: list[Check], complaint: str) -> None:
    with pytest.raises(ProblemSetError, match=complaint):
        validate(*checks)


def test_checks_that_are_right_pass() -> None:
    validate(
        check(misconceptions=(wrong("m", lambda x: x), wrong("zero", lambda x: 0 * x))),
        check("b", needs=("a",)),
        check("c", cases=None, expected=None, examine=lambda call, rng: Verdict("passed", "")),  # type: ignore[arg-type]
    )


def test_checks_are_put_after_those_they_need() -> None:
    checks = (
        check("last", needs=("middle", "first")),
        check("middle", needs=("first",)),
        check("first"),
        check("free"),
    )
    ordered = [
        c.name for c in problem_set.ProblemSet("s", checks, (), Path(), "").in_order_of_need()
    ]
    assert sorted(ordered) == ["first", "free", "last", "middle"]
    assert ordered.index("first") < ordered.index("middle") < ordered.index("last")


def test_a_problem_set_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        problem_set.ProblemSet("s", (check(),), (), Path(), "").name = "t"  # type: ignore[misc]


def test_limits_are_given_by_the_packages_unless_the_problem_set_gives_them(tmp_path: Path) -> None:
    assert problem_set.load("first", write(tmp_path)).limits == Limits()
    torch = write(tmp_path, "torch", SOURCE.replace('("numpy",)', '("numpy", "torch")'))
    assert problem_set.load("torch", torch).limits == Limits(memory=4 << 30)
    both = 'PACKAGES = ("numpy", "torch", "tensorflow-cpu")'
    assert problem_set.load(
        "both", write(tmp_path, "both", SOURCE.replace('PACKAGES = ("numpy",)', both))
    ).limits == Limits(memory=6 << 30)
    own = SOURCE + "LIMITS = {'memory': 1 << 30, 'processes': 8}\n"
    assert problem_set.load("own", write(tmp_path, "own", own)).limits == Limits(
        memory=1 << 30, processes=8
    )


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ("[('memory', 1 << 30)]", "LIMITS must be a dict such as"),
        ("{'ram': 1 << 30}", "LIMITS has no 'ram'; there are memory, processes, scratch"),
        (
            "{'memory': 2}",
            "LIMITS\\['memory'\\] must be a whole number of at least 134,217,728, got 2",
        ),
        (
            "{'processes': True}",
            "LIMITS\\['processes'\\] must be a whole number of at least 1, got True",
        ),
        ("{'scratch': 1e9}", "LIMITS\\['scratch'\\] must be a whole number"),
    ],
)
def test_limits_that_cannot_be_are_refused(tmp_path: Path, limits: str, message: str) -> None:
    with pytest.raises(ProblemSetError, match=message):
        problem_set.load("first", write(tmp_path, source=SOURCE + f"LIMITS = {limits}\n"))


def test_a_requirement_that_is_missing_is_named_with_what_requires_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    there = mounts.distribution

    def distribution(name: str) -> Any:
        if name == "sympy":
            raise PackageNotFoundError(name)
        return there(name)

    monkeypatch.setattr(mounts, "distribution", distribution)
    with pytest.raises(
        ProblemSetError,
        match="PACKAGES names 'torch', which requires 'sympy', and that is not installed",
    ):
        problem_set.limits_for(("numpy", "torch"), {}, "first")

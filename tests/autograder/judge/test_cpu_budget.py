"""A check's budget of CPU seconds counts what the student's function computes, and nothing else.

Each function here burns five times what is allowed, or a fifth of it, by its own clock of CPU
seconds: how fast the machine is, and how busy, decides nothing.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from autograder.errors import ProblemSetError
from autograder.judge import judge, problem_set
from autograder.sandbox import choose
from lstm_ref.practice import examine_all
from verdict import Check, Status, StudentError, Verdict
from verdict.cpu import limited

MOST = 0.3  # CPU seconds that the check allows
CHECKS = f"""
from verdict import Case, Check
PACKAGES = ("numpy",)
cases = lambda rng: [Case("small", (1.0,)), Case("large", (2.0,), needed=True)]
CHECKS = [
    Check("twice", "Twice.", "twice", 2, cases, lambda x: 2 * x, "y", at_most_cpu={MOST}),
    Check("again", "Again.", "twice", 1, cases, lambda x: 2 * x, "y"),
]
"""
BURN = """
import os, threading, time
def burn(seconds):
    until = time.process_time() + seconds
    while time.process_time() < until:
        pass
def in_a_child(seconds):
    if (pid := os.fork()) == 0:
        burn(seconds)
        os._exit(0)
    os.waitpid(pid, 0)
"""
FEW, MANY = MOST / 5, 5 * MOST
CELLS = {
    "little": (f"burn({FEW / 2})", True),
    "much": (f"burn({MANY / 2})", False),
    "much in the second call": (f"burn({MANY} if x == 2.0 else 0)", False),
    "much in a child": (f"in_a_child({MANY / 2})", False),
    "sleeps": (f"time.sleep({MANY / 2})", True),
}


@pytest.fixture
def budgeted(tmp_path: Path) -> problem_set.ProblemSet:
    folder = tmp_path / "solutions" / "budgeted"
    folder.mkdir(parents=True)
    (folder / "checks.py").write_text(CHECKS)
    return problem_set.load(folder)


@pytest.mark.parametrize("how", CELLS)
def test_what_the_function_computes_is_counted(how: str, budgeted: problem_set.ProblemSet) -> None:
    body, passes = CELLS[how]
    # what the cells take, while they are run, is not of the check
    loading = MANY / 2 if how == "little" else 0
    cell = f"{BURN}\nburn({loading})\ndef twice(x):\n    {body}\n    return 2 * x"
    kept = replace(budgeted, checks=budgeted.checks[:1])
    record = judge.grade([cell], kept, seed="seed", isolation=choose.choose())
    found = record.checks[0]
    assert (record.score, found.status) == ((2, "passed") if passes else (0, "timeout")), found
    if not passes:
        assert "twice has used " in found.message and "and 0.3 are allowed" in found.message
        assert "[" not in found.message


def test_another_check_is_not_bounded(budgeted: problem_set.ProblemSet) -> None:
    names: dict[str, Any] = {}
    exec(f"{BURN}\ndef twice(x):\n    burn({MANY / 2})\n    return 2 * x", names)
    verdicts = examine_all(names, budgeted.checks, 5)
    assert [v.status for v in verdicts.values()] == [Status.TIMEOUT, Status.PASSED]
    assert "and 0.3 are allowed" in verdicts["twice"].message and verdicts["twice"].credit == 0


def test_the_seconds_of_all_calls_add_up() -> None:
    check = Check("a", "A.", "f", examine=lambda call, rng: Verdict(Status.PASSED, ""))
    ticks = iter([0.0, 0.25, 7.0, 7.2, 7.2, 7.3])  # what goes by between two calls is not of them
    call = limited(replace(check, at_most_cpu=0.5), lambda x: x, lambda: next(ticks))
    assert call(1) == 1 and call(2) == 2
    with pytest.raises(StudentError, match=r"f has used 0\.55 seconds .* 0\.5 are allowed"):
        call(3)
    assert limited(check, abs, lambda: 0.0) is abs


@pytest.mark.parametrize("most", ["0", "-1.0", "20.5"])
def test_a_budget_that_cannot_be_is_refused(most: str, tmp_path: Path) -> None:
    folder = tmp_path / "solutions" / "budgeted"
    folder.mkdir(parents=True)
    (folder / "checks.py").write_text(CHECKS.replace(f"at_most_cpu={MOST}", f"at_most_cpu={most}"))
    with pytest.raises(ProblemSetError, match="at_most_cpu must be above 0 seconds and not above"):
        problem_set.load(folder)
    with pytest.raises(ValueError, match="at_most_cpu belongs to a function"):
        Check("v", "V.", value="v", expected=lambda: 1, at_most_cpu=1.0)

"""The log of one submission: a text file for the instructor, replaced when it is graded again."""

from __future__ import annotations

import datetime
import textwrap
from collections.abc import Iterable

from autograder.judge.result import Result
from autograder.text import printable

MAX_LOG = 64 * 1024  # characters


def of(result: Result) -> str:
    """Log of a submission that was graded."""
    checks = [
        (
            f"{check.status:<11}  {check.name}: {check.score:g} of {check.points:g}. "
            f"{check.message}"
        ).rstrip()
        for check in result.checks
    ]
    seconds = ", ".join(f"{phase} {value:.3f}" for phase, value in result.seconds.items())
    parts = [
        _head(result.problem_set, result.student),
        f"result     {result.score:g} of {result.max_score:g} points",
        f"isolation  {result.isolation}",
        f"ran with   {', '.join(f'{name} {version}' for name, version in result.versions.items())}",
        f"seconds    {seconds}",
        f"seed       {result.seed}",
        *_section("Checks", checks),
        *_section("Notes", [f"- {note}" for note in result.notes]),
        *_section("What happened, in seconds since the judge began", result.log),
        *_section("What the code printed, its end", result.output.splitlines()),
    ]
    return _bounded("\n".join(parts))


def of_refusal(problem_set: str, student: str, problem: str, details: str = "") -> str:
    """Log of a submission that could not be graded; ``details``: a traceback of the grading
    itself.
    """
    parts = [
        _head(problem_set, student),
        f"not graded  {problem}",
        *_section("Details", details.splitlines()),
    ]
    return _bounded("\n".join(parts))


def _head(problem_set: str, student: str) -> str:
    now = datetime.datetime.now(datetime.UTC)
    return f"{problem_set}, {student}, graded {now:%Y-%m-%d %H:%M:%S} UTC"


def _section(title: str, lines: Iterable[str]) -> list[str]:
    body = "\n".join(lines)
    return ["", title, textwrap.indent(body, "  ", lambda line: True)] if body else []


def _bounded(text: str) -> str:
    shown = printable(text, keep="\n\t")
    return (shown if len(shown) <= MAX_LOG else f"{shown[:MAX_LOG]}\n[...]") + "\n"

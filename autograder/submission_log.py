"""What happened to one submission, for the person who is asked about it: one text file each, replaced when it is graded again."""

from __future__ import annotations

import datetime
import textwrap
from collections.abc import Iterable

from autograder.record import Record, printable

MOST = 64 * 1024  # characters; each part has limits of its own, and this is the last one


def of(record: Record) -> str:
    """Log of a submission that was graded."""
    checks = [
        f"{check.status:<11}  {check.name}: {check.score:g} of {check.points:g}. {check.message}".rstrip()
        for check in record.checks
    ]
    seconds = ", ".join(f"{phase} {value:.3f}" for phase, value in record.seconds.items())
    parts = [
        _head(record.problem_set, record.student),
        f"result     {record.score:g} of {record.max_score:g} points",
        f"isolation  {record.isolation}",
        f"ran with   {', '.join(f'{name} {version}' for name, version in record.versions.items())}",
        f"seconds    {seconds}",
        f"seed       {record.seed}",
        *_section("Checks", checks),
        *_section("Notes", [f"- {note}" for note in record.notes]),
        *_section("What happened, in seconds since the judge began", record.log),
        *_section("What the code printed, its end", record.output.splitlines()),
    ]
    return _bounded("\n".join(parts))


def of_refusal(problem_set: str, student: str, problem: str, details: str = "") -> str:
    """Log of a submission that could not be graded; ``details`` are a traceback of the grading's own, where it failed."""
    parts = [_head(problem_set, student), f"not graded  {problem}", *_section("Details", details.splitlines())]
    return _bounded("\n".join(parts))


def _head(problem_set: str, student: str) -> str:
    now = datetime.datetime.now(datetime.UTC)
    return f"{problem_set}, {student}, graded {now:%Y-%m-%d %H:%M:%S} UTC"


def _section(title: str, lines: Iterable[str]) -> list[str]:
    body = "\n".join(lines)
    return ["", title, textwrap.indent(body, "  ", lambda line: True)] if body else []


def _bounded(text: str) -> str:
    shown = printable(text, keep="\n\t")
    return (shown if len(shown) <= MOST else f"{shown[:MOST]}\n[...]") + "\n"

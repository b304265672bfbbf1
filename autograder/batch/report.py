"""The report of a class, one HTML file without resources: scores, checks, named mistakes, failures,
notes.

It is made from the records, so it shows the judge's results; manual scores and late penalties are
in the gradebook.
"""

from __future__ import annotations

import datetime
import json
import statistics
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from autograder.batch.hints import Hints
from autograder.batch.similar import ALIKE, Similar
from autograder.course.by_hand import Part
from autograder.course.course import Course
from autograder.course.roster import Person, Roster
from autograder.errors import ReportError
from autograder.files import write_atomic
from autograder.judge.problem_set import ProblemSet
from autograder.judge.result import FOR_INSTRUCTOR, Result
from autograder.judge.sketch import equal
from autograder.sandbox.level import SANDBOXED
from autograder.text import printable
from verdict.changes import TITLE, TOO_MANY

BINS = 10  # of the histogram; fewer where there are fewer points
SLOWEST = 10  # submissions in the list of those that took longest
WHO = 20  # names beside a mistake; the table of everybody has them all
ENOUGH = 10  # students, for a correlation
# The order in which the results of a check are shown, from right to not tried.
STATUSES = (
    "passed",
    "convention",
    "wrong",
    "error",
    "environment",
    "timeout",
    "crashed",
    "forbidden",
    "unfinished",
    "skipped",
)


@dataclass(frozen=True)
class PartRow:
    """A part that a person scores, ``scores`` those that were given, ``awaited`` how many are not
    there yet.
    """

    part: Part
    scores: Sequence[float]
    awaited: int

    @property
    def mean(self) -> float | None:
        """Of the scores that were given."""
        return statistics.fmean(self.scores) if self.scores else None


@dataclass(frozen=True)
class Class:
    """What the records say of a class.

    Parameters
    ----------
    records : of those who were graded, by name
    failures : name -> why a submission could not be graded
    waiting : names of those who handed in and were not graded yet
    roster : who is in the class
    similar : from `find_similar`; None where nobody was compared
    by_hand : parts that a person scores
    hints : from `find_hints`
    """

    problem_set: ProblemSet
    records: Mapping[str, Result]
    failures: Mapping[str, str]
    waiting: Sequence[str]
    roster: Roster = Roster()
    similar: Similar | None = None
    by_hand: Sequence[PartRow] = ()
    hints: Hints = Hints()

    @property
    def handed_in(self) -> list[str]:
        """Names of all of whom there is something."""
        return [*self.records, *self.failures, *self.waiting]

    @property
    def not_handed_in(self) -> list[Person]:
        """Those of the roster of whom there is nothing."""
        return self.roster.not_handed_in(self.handed_in)


@dataclass(frozen=True)
class CheckRow:
    """One check over the whole class: ``counts`` is status -> students, ``mean`` the mean score,
    ``discrimination`` from `discrimination`, ``asked`` the students of whom it is made, and
    ``unknown`` the wrong answers that were not recognised.
    """

    name: str
    title: str
    points: float
    mean: float
    counts: Mapping[str, int]
    discrimination: float | None = None
    asked: int = 0
    unknown: int = 0


@dataclass(frozen=True)
class AnswerRow:
    """One wrong answer that several students gave and nobody has named, with what the first of them
    was told.
    """

    check: str
    message: str
    students: Sequence[str]


@dataclass(frozen=True)
class MistakeRow:
    """A mistake that was named: in which checks, and whose it was."""

    id: str
    title: str
    checks: Sequence[str]
    students: Sequence[str]


@dataclass(frozen=True)
class Bin:
    """A bar of the histogram: scores from ``low`` to ``high``, the last bar with its right end."""

    low: float
    high: float
    count: int


def read_class(course: Course, problem_set: ProblemSet) -> Class:
    """Read the records of a problem set.

    Raises
    ------
    ReportError : there is none yet
    """
    folder = course.records / problem_set.name
    records: dict[str, Result] = {}
    failures: dict[str, str] = {}
    for path in sorted(folder.glob("*.json")):
        try:
            text = path.read_text(encoding="utf-8")
            data = json.loads(text)
            if "problem" in data:
                failures[str(data["student"])] = str(data["problem"])
            else:
                record = Result.from_json(text)
                # Thousands of them are held at one time, and what the code printed is not shown.
                records[str(data["student"])] = replace(record, output="", log=())
        except (OSError, ValueError, KeyError, TypeError) as error:
            failures[path.stem] = (
                f"its record cannot be read ({type(error).__name__}); grade it again with --force"
            )
    if not records and not failures:
        raise ReportError(
            f"nothing was graded for {problem_set.name}: {folder} holds no record; run `autograder "
            f"run {problem_set.name}` first"
        )
    waiting = [
        name
        for name in course.students(problem_set.name)
        if name not in records and name not in failures
    ]
    return Class(problem_set, records, failures, waiting)


def check_rows(found: Class) -> list[CheckRow]:
    """Every check with what became of it; checks that a record does not know are not counted."""
    rows = []
    for check in found.problem_set.checks:
        results = [
            r for record in found.records.values() for r in record.checks if r.name == check.name
        ]
        counts = Counter(result.status for result in results)
        known = {status: counts.pop(status) for status in STATUSES if status in counts}
        mean = statistics.fmean(result.score for result in results) if results else 0.0
        rows.append(
            CheckRow(
                check.name,
                check.title,
                check.points,
                mean,
                {**known, **counts},
                discrimination(found.records.values(), check.name),
                len(results),
                sum(result.status == "wrong" and not result.misconception for result in results),
            )
        )
    return rows


def discrimination(records: Iterable[Result], name: str) -> float | None:
    """Correlation, over the students, of a check's points with those of all other checks.

    None where there are fewer than `ENOUGH` students, or one of the two is the same for all: the
    number would say nothing. (The corrected item-total correlation of test theory.)
    """
    pairs = [
        # Rounded: a last bit that differs would pass for students who differ.
        (result.score, round(record.score - result.score, 6))
        for record in records
        for result in record.checks
        if result.name == name
    ]
    if len(pairs) < ENOUGH:
        return None
    here, elsewhere = zip(*pairs, strict=True)
    try:
        return statistics.correlation(here, elsewhere)
    except statistics.StatisticsError:  # one of them does not vary
        return None


def answer_rows(found: Class) -> list[AnswerRow]:
    """Wrong answers that were not recognised and that at least two students gave, by check, the
    most frequent first.
    """
    rows: list[AnswerRow] = []
    for check in found.problem_set.checks:
        groups: list[tuple[tuple[float, ...], str, list[str]]] = []
        for student, record in found.records.items():
            for result in record.checks:
                if result.name != check.name or not result.answer:
                    continue
                same = (students for a, _, students in groups if equal(a, result.answer))
                if (students := next(same, None)) is not None:
                    students.append(student)
                else:
                    groups.append((result.answer, result.message, [student]))
        several = [
            AnswerRow(check.name, message, who) for _, message, who in groups if len(who) > 1
        ]
        rows += sorted(several, key=lambda row: -len(row.students))
    return rows


def mistake_rows(found: Class) -> list[MistakeRow]:
    """Mistakes that were named, the most frequent first."""
    titles = {m.id: m.title for check in found.problem_set.checks for m in check.misconceptions}
    titles |= {one.id: one.title for check in found.problem_set.checks for one in check.properties}
    titles[TOO_MANY] = TITLE
    checks: dict[str, dict[str, None]] = {}
    students: dict[str, dict[str, None]] = {}
    for student, record in found.records.items():
        for result in record.checks:
            if result.misconception:
                checks.setdefault(result.misconception, {})[result.name] = None
                students.setdefault(result.misconception, {})[student] = None
    rows = [
        MistakeRow(id, titles.get(id, ""), list(checks[id]), list(students[id])) for id in students
    ]
    return sorted(rows, key=lambda row: (-len(row.students), row.id))


def histogram(scores: Sequence[float], most: float) -> list[Bin]:
    """Count scores in bars of equal width from 0 to ``most``.

    Examples
    --------
    >>> [(bar.low, bar.high, bar.count) for bar in histogram([0, 1, 1.5, 3], 3)]
    [(0.0, 1.0, 1), (1.0, 2.0, 2), (2.0, 3.0, 1)]
    """
    if most <= 0:  # all points are given by hand
        return []
    number = max(1, min(BINS, round(most)))
    width = most / number
    counts = Counter(min(max(int(score / width), 0), number - 1) for score in scores)
    return [Bin(k * width, (k + 1) * width, counts[k]) for k in range(number)]


def _environment() -> Environment:
    """Where the template is read, with its filters; all text is escaped."""
    environment = Environment(
        loader=PackageLoader("autograder.batch", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["number"] = lambda value: f"{round(value, 2):g}"
    environment.filters["result_of"] = lambda record, name: next(
        (r for r in record.checks if r.name == name), None
    )
    # In print a column may be narrower than the name of its check.
    environment.filters["broken"] = lambda name: escape(name).replace("_", Markup("_<wbr>"))
    environment.filters["shown"] = partial(printable, keep="\n")
    return environment


def render(found: Class, when: datetime.datetime) -> str:
    """The page, as HTML with its style in it; no script, and nothing that is loaded.

    Parameters
    ----------
    found : from `read_class`
    when : it is made
    """
    records, rows = found.records, check_rows(found)
    scores = sorted(record.score for record in records.values())
    bars = histogram(scores, sum(check.points for check in found.problem_set.checks))
    by_time = sorted(
        ((student, record.seconds.get("all", 0.0)) for student, record in records.items()),
        key=lambda pair: -pair[1],
    )
    return (
        _environment()
        .get_template("report.html")
        .render(
            found=found,
            when=when.strftime("%Y-%m-%d %H:%M %Z").strip(),
            scores=scores,
            max_score=sum(check.points for check in found.problem_set.checks),
            mean=statistics.fmean(scores) if scores else None,
            median=statistics.median(scores) if scores else None,
            bars=bars,
            tallest=max((bar.count for bar in bars), default=0),
            checks=rows,
            mistakes=mistake_rows(found),
            answers=answer_rows(found),
            wrong=sum(row.counts.get("wrong", 0) for row in rows),
            unknown=sum(row.unknown for row in rows),
            who=WHO,
            enough=ENOUGH,
            alike=round(100 * ALIKE),
            slowest=[(student, records[student].seconds) for student, _ in by_time[:SLOWEST]],
            changed=_noted(records, integrity=True),
            happened=_noted(records, integrity=False),
            sandboxed=SANDBOXED,
            isolations=sorted(Counter(record.isolation for record in records.values()).items()),
            versions=_versions(records.values()),
        )
    )


def _versions(records: Iterable[Result]) -> list[str]:
    """Names and versions of what the class was graded with."""
    return sorted({f"{name} {number}" for one in records for name, number in one.versions.items()})


def _noted(records: Mapping[str, Result], integrity: bool) -> list[tuple[list[str], list[str]]]:
    """Students and their notes: on what was changed in a notebook and not taken over, or on what
    happened when its cells ran.

    Those of whom the same is noted stand together: some editors change the same thing in every
    notebook.
    """
    together: dict[tuple[str, ...], list[str]] = {}
    for student, record in records.items():
        notes = tuple(
            note
            for note in record.notes
            if note.startswith(("Code cell ", FOR_INSTRUCTOR)) != integrity
        )
        if notes:
            together.setdefault(notes, []).append(student)
    return [(students, list(notes)) for notes, students in together.items()]


def write_report(found: Class, path: Path) -> None:
    """Write the page; an earlier one is replaced.

    Raises
    ------
    StoreError : the disk is full, or cannot be written
    """
    write_atomic(path, render(found, datetime.datetime.now().astimezone()))

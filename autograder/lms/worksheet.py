"""Final scores for other programs: a table of our own, or the worksheet that Canvas or Moodle
exported, filled in.

A learning platform knows its students by numbers of its own and finds a column by a heading that
differs from site to site. So its worksheet is taken as it is: only the scores are put in, and every
other byte of a field stays what it was.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nbgrader.api import (
    BaseCell,
    Grade,
    Gradebook,
    MissingEntry,
    Student,
    SubmittedAssignment,
    SubmittedNotebook,
)
from sqlalchemy import case, func

from autograder.course.course import Course
from autograder.course.database import open_gradebook
from autograder.course.roster import Person
from autograder.errors import ExportError
from autograder.text import delimiter_of, folded

# Columns that may hold the name of a student's folder, most specific first.
CANVAS_KEYS = ("SIS Login ID", "SIS User ID", "ID", "Integration ID")
MOODLE_KEYS = ("Identifier", "ID number", "Email address", "Username")
POINTS_POSSIBLE = "Points Possible"
# Canvas computes columns of its own that are called so (canvas-lms issue 2134).
IGNORED = re.compile(r"\bfinal\b", re.IGNORECASE)
EXCUSED = "ex"  # in place of a score, at Canvas
# A spreadsheet takes a cell that begins so for a formula, and one that is made for it can send away
# what the table holds.
FORMULA = ("=", "+", "-", "@", "\t", "\r")

# Of the table of our own, up to the name.
HEADS = (
    "assignment",
    "student_id",
    "score",
    "max_score",
    "late_submission_penalty",
    "complete",
    "timestamp",
)


@dataclass(frozen=True)
class Score:
    """Final score of one student: manual scores count, points for being late are taken off.

    Parameters
    ----------
    student : name of the folder under ``submitted/``, which is nbgrader's student id
    score, max_score : points
    complete : False where a part still needs a score by hand, or could not be graded
    name : "Last, First", where the gradebook knows it
    parts : grade_id of a cell with points -> points reached, those by hand included; None where it
        has no score yet
    """

    student: str
    score: float
    max_score: float
    late_penalty: float = 0.0
    complete: bool = True
    timestamp: str = ""
    name: str = ""
    parts: Mapping[str, float | None] = field(default_factory=dict)


@dataclass(frozen=True)
class Filled:
    """A worksheet with scores in it.

    Parameters
    ----------
    text : the worksheet, in the form it came in
    entered : students whose score was put in
    unmatched : students who have a score and no row
    without : rows that got no score, by what the worksheet calls them
    notes : what else should be known
    """

    text: str
    entered: Sequence[str]
    unmatched: Sequence[str]
    without: Sequence[str]
    notes: Sequence[str] = field(default_factory=tuple)


def scores(course: Course, problem_set: str) -> list[Score]:
    """Final scores from nbgrader's gradebook, by student.

    Raises
    ------
    ExportError : the gradebook does not know the problem set, or has no submission of it
    GradebookError : the gradebook cannot be read
    """
    found: list[Score] = []
    with open_gradebook(course.directory) as gradebook, suppress(MissingEntry):
        found = _scores(gradebook, problem_set)
    if not found:
        raise ExportError(
            f"the gradebook holds no score for {problem_set}; run `autograder run {problem_set}` "
            "first"
        )
    return sorted(found, key=lambda score: score.student)


def _scores(gradebook: Gradebook, problem_set: str) -> list[Score]:
    """Scores of a class in a few queries: nbgrader's own sums look through all grades of a class
    for each student anew.
    """
    assignment = gradebook.find_assignment(problem_set)
    most = assignment.max_score
    mine = SubmittedAssignment.assignment_id == assignment.id
    sums, penalties = _sums(gradebook, mine), _penalties(gradebook, mine)
    parts = _parts(gradebook, mine)
    submissions = (
        gradebook.db.query(
            SubmittedAssignment.id,
            SubmittedAssignment.student_id,
            SubmittedAssignment.timestamp,
            Student.last_name,
            Student.first_name,
        )
        .join(Student, Student.id == SubmittedAssignment.student_id)
        .filter(mine)
    )
    found = []
    for submission, student, timestamp, *names in submissions:
        score, open_part = sums.get(submission, (0.0, False))
        late = penalties.get(submission, 0.0)
        when = "" if timestamp is None else timestamp.isoformat(" ")
        name = ", ".join(filter(None, names))
        points = parts.get(submission, {})
        found.append(
            Score(student, max(0.0, score - late), most, late, not open_part, when, name, points)
        )
    return found


def _sums(gradebook: Gradebook, mine: Any) -> dict[str, tuple[float, bool]]:
    """Submission -> sum of its grades, and whether one of them awaits a person."""
    of_submission = SubmittedNotebook.assignment_id
    grades = (
        gradebook.db.query(
            of_submission,
            func.sum(Grade.score),
            func.max(case((Grade.needs_manual_grade, 1), else_=0)),
        )
        .join(Grade, Grade.notebook_id == SubmittedNotebook.id)
        .join(SubmittedAssignment, of_submission == SubmittedAssignment.id)
        .filter(mine)
        .group_by(of_submission)
    )
    return {submission: (score, bool(open_part)) for submission, score, open_part in grades}


def _penalties(gradebook: Gradebook, mine: Any) -> dict[str, float]:
    """Submission -> points that are lost for being late."""
    of_submission = SubmittedNotebook.assignment_id
    notebooks = (
        gradebook.db.query(of_submission, func.sum(SubmittedNotebook.late_submission_penalty))
        .join(SubmittedAssignment, of_submission == SubmittedAssignment.id)
        .filter(mine)
        .group_by(of_submission)
    )
    return {submission: penalty or 0.0 for submission, penalty in notebooks}


def _parts(gradebook: Gradebook, mine: Any) -> dict[str, dict[str, float | None]]:
    """Submission -> grade_id -> points, in the order of the notebook."""
    rows = (
        gradebook.db.query(
            SubmittedNotebook.assignment_id, BaseCell.name, Grade.score, Grade.needs_manual_grade
        )
        .join(Grade, Grade.notebook_id == SubmittedNotebook.id)
        .join(BaseCell, BaseCell.id == Grade.cell_id)
        .join(SubmittedAssignment, SubmittedNotebook.assignment_id == SubmittedAssignment.id)
        .filter(mine)
    )
    found: dict[str, dict[str, float | None]] = {}
    for submission, name, score, awaited in rows:
        found.setdefault(submission, {})[name] = None if awaited else score
    return found


def scores_by_part(course: Course, problem_set: str) -> dict[str, list[float | None]]:
    """Grade_id of each cell with points -> the scores of all submissions; None where there is none.

    Other than in `scores`, a score by hand counts also where nbgrader wants it looked over again,
    as it does after each grading.

    Raises
    ------
    GradebookError : the gradebook cannot be read
    """
    found: dict[str, list[float | None]] = {}
    with open_gradebook(course.directory) as gradebook, suppress(MissingEntry):
        assignment = gradebook.find_assignment(problem_set)
        rows = (
            gradebook.db.query(BaseCell.name, Grade.score, Grade.manual_score, Grade.auto_score)
            .join(Grade, Grade.cell_id == BaseCell.id)
            .join(SubmittedNotebook, Grade.notebook_id == SubmittedNotebook.id)
            .join(SubmittedAssignment, SubmittedNotebook.assignment_id == SubmittedAssignment.id)
            .filter(SubmittedAssignment.assignment_id == assignment.id)
        )
        for name, score, by_hand, by_judge in rows:
            is_there = by_hand is not None or by_judge is not None
            found.setdefault(name, []).append(score if is_there else None)
    return found


def as_csv(
    problem_set: str,
    found: Iterable[Score],
    order: Sequence[str] = (),
    mistakes: Mapping[str, Sequence[str]] | None = None,
    people: Sequence[Person] = (),
    handed_in: Collection[str] = (),
) -> str:
    r"""Table of scores: one row a student, quoted where a name needs it.

    Parameters
    ----------
    problem_set, found : from `scores`
    order : grade_ids of cells with points; a column each, after them those that `found` has besides
    people : of the roster; who has no score gets a row without one
    handed_in : names of folders of those who handed something in; who has a score has, too

    Examples
    --------
    >>> scores = [Score("ann", 15.5, 20.0, name="Doe, Ann", parts={"step": 4.0})]
    >>> heads, row = as_csv("hw", scores, mistakes={"ann": ["no_bias"]}).splitlines()
    >>> print(heads[:62], heads[62:], row, sep="\n")
    assignment,student_id,score,max_score,late_submission_penalty,
    complete,timestamp,name,points step,mistakes,handed_in,section,email
    hw,ann,15.5,20,0,yes,,"Doe, Ann",4,no_bias,yes,,

    Who is on the roster and has not handed in has a row without a score.

    >>> table = as_csv(
    ...     "hw", [Score("ann", 15.5, 20.0)], people=[Person("bob", "Roe, Bob", section="B")]
    ... )
    >>> print(table.splitlines()[2])
    hw,bob,,20,,no,,"Roe, Bob",,no,B,

    A name that a spreadsheet would take for a formula gets an apostrophe before it.

    >>> print(as_csv("lstm-bptt", [Score("=A1", 1.0, 20.0)]).splitlines()[1])
    lstm-bptt,'=A1,1,20,0,yes,,,,yes,,
    """
    found = list(found)
    parts = list(dict.fromkeys([*order, *(part for score in found for part in score.parts)]))
    persons = {folded(person.login): person for person in people}
    there = {folded(student) for student in handed_in}
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    points_of = [f"points {part}" for part in parts]
    writer.writerow([*HEADS, "name", *points_of, "mistakes", "handed_in", "section", "email"])
    for score in found:
        person = persons.pop(folded(score.student), Person(score.student))
        told = " ".join((mistakes or {}).get(score.student, ()))
        row = [problem_set, *_row_cells(score, person, parts), told, "yes"]
        writer.writerow([*row, *map(_no_formula, (person.section, person.email))])
    most = _digits(found[0].max_score) if found else ""
    for key, person in persons.items():
        login, name = _no_formula(person.login), _no_formula(person.name)
        row = [problem_set, login, "", most, "", "no", "", name, *[""] * len(parts), ""]
        row.append("yes" if key in there else "no")
        writer.writerow([*row, *map(_no_formula, (person.section, person.email))])
    return out.getvalue()


def _row_cells(score: Score, person: Person, parts: Sequence[str]) -> list[str]:
    """Cells of one row, from the student's name to the points of the parts."""
    points = (score.parts.get(part) for part in parts)
    return [
        _no_formula(score.student),
        *(_digits(value) for value in (score.score, score.max_score, score.late_penalty)),
        "yes" if score.complete else "no",
        score.timestamp,
        _no_formula(score.name or person.name),
        *("" if value is None else _digits(value) for value in points),
    ]


def _no_formula(name: str) -> str:
    return f"'{name}" if is_formula(name) else name


def is_formula(name: str) -> bool:
    """Whether a spreadsheet would take a name for a formula."""
    return name.startswith(FORMULA)


def fill_canvas(
    worksheet: str,
    problem_set: str,
    found: Sequence[Score],
    column: str | None = None,
    key: str | None = None,
) -> Filled:
    """Put scores into the gradebook that Canvas exported.

    Parameters
    ----------
    worksheet : text of the CSV file
    problem_set : whose scores
    found : from `scores`
    column : heading of the assignment, with or without Canvas's number in parentheses; the problem
        set's name when left out
    key : heading of the column that holds the names of the students' folders; found when left out

    Raises
    ------
    ExportError : the file is no export of Canvas, or the column or the key is not in it, or one row
        fits two students
    """
    table = _Table.read(worksheet)
    for needed in ("Student", "ID"):
        if needed not in table.heads:
            raise ExportError(
                f"this is no gradebook of Canvas: it has no column {needed!r}, but "
                f"{_listed(table.heads)}; export it in Canvas with Grades > Export"
            )
    wanted = column or problem_set
    titles = {head: re.sub(r"\s*\(\d+\)$", "", head).strip() for head in table.heads}
    target = _one_column(table, wanted, [h for h in table.heads if wanted in (h, titles[h])])
    # Before the students stand rows that are about the columns: "Points Possible", and sometimes
    # one on manual posting.
    first = next(
        (k for k, row in enumerate(table.rows) if table.cell(row, "ID").strip()), len(table.rows)
    )
    notes = []
    if IGNORED.search(target):
        notes.append(
            f"Canvas has ignored columns with the word Final in their title ({target!r}): look "
            "whether the scores are there after the import, or rename the assignment first"
        )
    for row in table.rows[:first]:
        if POINTS_POSSIBLE in table.cell(row, "Student"):
            notes += _other_maximum(table.cell(row, target), found, "Canvas")
    return _fill(
        table,
        table.rows[first:],
        target,
        found,
        key or CANVAS_KEYS,
        notes,
        lambda row: table.cell(row, "Student"),
    )


def fill_moodle(
    worksheet: str,
    problem_set: str,
    found: Sequence[Score],
    column: str | None = None,
    key: str | None = None,
) -> Filled:
    """Put scores into the grading worksheet of a Moodle assignment.

    Parameters
    ----------
    worksheet : text of the CSV file
    problem_set : whose scores; named in messages only, since a worksheet belongs to one assignment
    found : from `scores`
    column : heading of the column for the grade, where Moodle speaks another language than English
    key : heading of the column that holds the names of the students' folders; found when left out.
        "Participant 123" in it, or in the first column, fits a folder of that name and a folder 123

    Raises
    ------
    ExportError : the file is no such worksheet, or the column or the key is not in it, or one row
        fits two students
    """
    table = _Table.read(worksheet)
    wanted = column or "Grade"
    target = _one_column(table, wanted, [head for head in table.heads if head == wanted])
    notes: list[str] = []
    if "Maximum Grade" in table.heads and table.rows:
        notes += _other_maximum(table.cell(table.rows[0], "Maximum Grade"), found, "Moodle")
    name = next(
        (head for head in ("Full name", "Identifier") if head in table.heads), table.heads[0]
    )
    # Moodle's own number of a participant stands first, in each of its languages.
    numbered = key or table.heads[0]
    keys = key or dict.fromkeys([numbered, *MOODLE_KEYS])
    return _fill(
        table,
        table.rows,
        target,
        found,
        keys,
        notes,
        lambda row: table.cell(row, name),
        numbered=numbered,
    )


def read_worksheet(path: Path) -> str:
    """Text of a worksheet, whichever way the platform and a spreadsheet have encoded it.

    Raises
    ------
    ExportError : it is no text in UTF-8 or UTF-16
    """
    content = path.read_bytes()
    encoding = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8"
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        raise ExportError(
            f"{path} is not encoded in UTF-8 (byte {error.start}); take the file as the platform "
            "exported it, or save it as CSV UTF-8"
        ) from None


@dataclass
class _Table:
    """A CSV file that can be written again in the form it came in."""

    heads: list[str]  # without space around them
    rows: list[list[str]]
    delimiter: str
    newline: str
    mark: str  # the byte order mark by which Excel knows UTF-8

    @classmethod
    def read(cls, text: str) -> _Table:
        mark = "\ufeff" if text.startswith("\ufeff") else ""
        text = text.removeprefix(mark)
        first = text.split("\n", 1)[0]
        newline = "\r\n" if first.endswith("\r") else "\n"
        delimiter = delimiter_of(first)
        try:
            rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))
        except csv.Error as error:
            raise ExportError(f"the worksheet is no CSV file: {error}") from None
        rows = [row for row in rows if row]
        if not rows:
            raise ExportError("the worksheet is empty; export it again")
        heads = [head.strip() for head in rows[0]]
        # Short rows are filled up, so that each has a cell for each heading.
        body = [row + [""] * (len(heads) - len(row)) for row in rows[1:]]
        return cls(heads, body, delimiter, newline, mark)

    def cell(self, row: Sequence[str], head: str) -> str:
        return row[self.heads.index(head)]

    def write(self) -> str:
        out = io.StringIO()
        writer = csv.writer(out, delimiter=self.delimiter, lineterminator=self.newline)
        writer.writerows([self.heads, *self.rows])
        return self.mark + out.getvalue()


def _one_column(table: _Table, wanted: str, fitting: Sequence[str]) -> str:
    if len(fitting) == 1 and table.heads.count(fitting[0]) == 1:
        return fitting[0]
    if fitting:
        raise ExportError(
            f"the worksheet has {len(fitting)} columns for {wanted!r}: {_listed(fitting)}; name "
            "one whole"
        )
    raise ExportError(
        f"the worksheet has no column {wanted!r}, but {_listed(table.heads)}; name the one for the "
        "scores with --column"
    )


def _fill(
    table: _Table,
    rows: Sequence[list[str]],
    target: str,
    found: Sequence[Score],
    keys: str | Iterable[str],
    notes: Sequence[str],
    called: Callable[[Sequence[str]], str],
    numbered: str = "",
) -> Filled:
    by_name = {folded(score.student): score for score in found}
    place = _key_column(table, rows, by_name, keys, numbered)
    column = table.heads.index(target)
    entered: dict[str, None] = {}
    excused = []
    without = []
    for row, names in zip(rows, _row_names(table, rows, place, numbered), strict=True):
        if not any(cell.strip() for cell in row):
            continue
        fitting = [by_name[name] for name in names if name in by_name]
        if not fitting:
            without.append(called(row))
        elif fitting[0].student in entered:
            raise ExportError(
                f"two rows of the worksheet fit {fitting[0].student!r} by their {place!r}; name "
                "another --key"
            )
        elif row[column].strip().casefold() == EXCUSED:
            excused.append(fitting[0].student)
        else:
            row[column] = _digits(fitting[0].score)
            entered[fitting[0].student] = None
    if excused:
        notes = [*notes, f"excused in the worksheet, and left so: {', '.join(excused)}"]
    incomplete = [
        score.student for score in found if score.student in entered and not score.complete
    ]
    if incomplete:
        notes = [*notes, f"not all parts have a score yet: {', '.join(incomplete)}"]
    placed = {*entered, *excused}
    unmatched = [score.student for score in found if score.student not in placed]
    return Filled(table.write(), list(entered), unmatched, without, tuple(notes))


def _key_column(
    table: _Table,
    rows: Sequence[list[str]],
    by_name: Mapping[str, Score],
    keys: str | Iterable[str],
    numbered: str,
) -> str:
    """The column that holds the names of the folders: the one that was named, else of some the one
    that fits most.
    """
    if isinstance(keys, str):
        if keys not in table.heads:
            raise ExportError(f"the worksheet has no column {keys!r}, but {_listed(table.heads)}")
        return keys
    there = [head for head in keys if head in table.heads]
    hits = {
        head: sum(
            any(name in by_name for name in names)
            for names in _row_names(table, rows, head, numbered)
        )
        for head in there
    }
    # the first of those that fit as many
    best = max(there, key=lambda head: hits[head], default=None)
    if best is None or not hits[best]:
        some = ", ".join(repr(score.student) for score in list(by_name.values())[:3])
        raise ExportError(
            f"no row fits a student of the gradebook ({some} ...) by "
            f"{_listed(there) or 'any known column'}; name the column that holds the names of the "
            f"folders under submitted/ with --key. There are {_listed(table.heads)}"
        )
    return best


def _row_names(
    table: _Table, rows: Sequence[list[str]], head: str, numbered: str
) -> list[list[str]]:
    """Names that each cell of a column may stand for."""
    cells = [table.cell(row, head) for row in rows]
    return names_in(cells) if head == numbered else [[folded(cell)] for cell in cells]


def names_in(cells: Sequence[str]) -> list[list[str]]:
    """Names that each cell of Moodle's column of participants may stand for: itself, and the number
    behind a word that all share.

    Examples
    --------
    >>> names_in(["Participant 7", "Participant 12"])
    [['participant 7', '7'], ['participant 12', '12']]
    >>> names_in(["Teilnehmer/in7", "Teilnehmer/in12"])
    [['teilnehmer/in7', '7'], ['teilnehmer/in12', '12']]
    >>> names_in(["Participant 7", "Participant 12", "ann9"])[2]
    ['ann9']
    """
    names = [folded(cell) for cell in cells]
    found = [re.fullmatch(r"(\D+?)\s*(\d+)", name) for name in names]
    ((word, _),) = Counter(match[1] for match in found if match).most_common(1) or [("", 0)]
    return [
        [name, match[2]] if match and match[1] == word else [name]
        for name, match in zip(names, found, strict=True)
    ]


def _other_maximum(said: str, found: Sequence[Score], platform: str) -> list[str]:
    try:
        theirs = float(said.replace(",", "."))
    except ValueError:
        return []
    ours = max(score.max_score for score in found)
    if theirs == ours:
        return []
    notes = [
        (
            f"{platform} gives at most {_digits(theirs)} points, this problem set {_digits(ours)}: "
            "the scores were not scaled"
        )
    ]
    if platform == "Moodle" and (
        above := [score.student for score in found if score.score > theirs]
    ):
        notes.append(
            "Moodle leaves out a score above its own maximum, and does not say so: "
            f"{', '.join(above)}"
        )
    return notes


def _digits(value: float) -> str:
    """At most two digits behind the point: more, and Canvas rounds by itself."""
    return f"{round(value, 2):.10g}"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(repr(name) for name in names)

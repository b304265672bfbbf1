"""Feedback for a whole class: a page for each student, and all of them packed as Moodle or Canvas
takes them back.

nbgrader's own pages take a fifth of a second each, because each is a notebook that is converted;
these are filled into one template. They hold no script and load nothing: what a student wrote is
shown as text.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from nbgrader.api import BaseCell, Comment, MissingEntry, SubmittedAssignment, SubmittedNotebook

from autograder.batch.report import Class, read_class
from autograder.course.course import Course
from autograder.course.database import open_gradebook
from autograder.errors import ArchiveError, CollectError, ExportError
from autograder.files import unwritable_name, write_atomic
from autograder.judge.problem_set import ProblemSet
from autograder.judge.result import FOR_INSTRUCTOR, Result
from autograder.lms.archive import Zip
from autograder.lms.collect import CANVAS, MOODLE
from autograder.lms.worksheet import Score, scores
from autograder.text import printable


def write_pages(course: Course, problem_set: ProblemSet) -> dict[str, Path]:
    """Write ``feedback/<student>/<set>/<set>.html`` for all who were graded, and for those who
    could not be.

    Returns
    -------
    student -> page

    Raises
    ------
    ReportError : nothing was graded yet
    StoreError : the disk is full, or cannot be written
    """
    found = read_class(course, problem_set)
    final: dict[str, Score] = {}
    with suppress(ExportError):  # no submission is in the gradebook
        final = {score.student: score for score in scores(course, problem_set.name)}
    said = _comments(course, problem_set.name)
    template = _page_environment().get_template("feedback.html")
    written = {}
    for student in sorted({*found.records, *found.failures}):
        if unwritable_name(student):
            continue
        text = template.render(
            _content(course, found, student, final.get(student), said.get(student, {}))
        )
        directory = course.directory
        folder = Path(
            directory.format_path(directory.feedback_directory, student, problem_set.name)
        )
        written[student] = folder / f"{problem_set.name}.html"
        write_atomic(written[student], text)
    return written


def _page_environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("autograder.lms", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["number"] = lambda value: f"{round(value, 2):g}"
    environment.filters["shown"] = lambda text: printable(text, keep="\n\t")
    return environment


def _content(
    course: Course, found: Class, student: str, final: Score | None, comments: Mapping[str, str]
) -> dict[str, Any]:
    """What a page is filled with."""
    result = found.records.get(student)
    return {
        "problem_set": found.problem_set.name,
        "student": student,
        "final": final,
        "problem": found.failures.get(student, ""),
        "checks": result.checks if result is not None else (),
        "parts": {} if final is None else final.parts,
        "notes": _notes(result),
        "comments": comments,
        "cells": []
        if result is None
        else _graded_cells(course.autograded(student, found.problem_set.name)),
    }


def _notes(result: Result | None) -> list[str]:
    return (
        []
        if result is None
        else [note for note in result.notes if not note.startswith(FOR_INSTRUCTOR)]
    )


def _graded_cells(folder: Path) -> list[tuple[str, str, str]]:
    """Kind, source and printed text of the cells of a graded notebook, which the autograder itself
    has written.
    """
    try:
        notebook = json.loads((folder / f"{folder.name}.ipynb").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    cells = []
    for cell in notebook["cells"]:
        outputs = cell.get("outputs", ())
        printed = "".join(
            _joined_text(output["text"])
            for output in outputs
            if output.get("output_type") == "stream"
        )
        cells.append((cell["cell_type"], _joined_text(cell["source"]), printed))
    return cells


def _joined_text(text: str | list[str]) -> str:
    return text if isinstance(text, str) else "".join(text)


def _comments(course: Course, problem_set: str) -> dict[str, dict[str, str]]:
    """Student -> cell -> comment that somebody wrote by hand."""
    found: dict[str, dict[str, str]] = {}
    with open_gradebook(course.directory) as gradebook, suppress(MissingEntry):
        assignment = gradebook.find_assignment(problem_set)
        rows = (
            gradebook.db.query(
                SubmittedAssignment.student_id, BaseCell.name, Comment.manual_comment
            )
            .join(SubmittedNotebook, SubmittedNotebook.assignment_id == SubmittedAssignment.id)
            .join(Comment, Comment.notebook_id == SubmittedNotebook.id)
            .join(BaseCell, BaseCell.id == Comment.cell_id)
            .filter(
                SubmittedAssignment.assignment_id == assignment.id,
                Comment.manual_comment.isnot(None),
            )
        )
        for student, cell, comment in rows:
            if comment:
                found.setdefault(student, {})[cell] = comment
    return found


def pack(
    pages: Mapping[str, Path],
    form: str,
    download: Path | None,
    path: Path,
    names: Mapping[str, str] | None = None,
) -> tuple[int, list[str]]:
    """Pack pages as a platform takes them back.

    Parameters
    ----------
    pages : student -> page, from `write_pages`
    form : ``"moodle"`` or ``"canvas"``
    download : the zip of submissions that the platform gave; needed for Canvas, which knows a file
        by its name
    path : of the zip
    names : the platform's number of a student -> folder, from `collect.read_names`, where folders
        do not bear these numbers

    Returns
    -------
    how many were packed, and the students for whom there is no place

    Raises
    ------
    CollectError : the platform's zip cannot be read
    """
    places = _places(form, download)
    numbers = {folder: number for number, folder in (names or {}).items() if number.isdecimal()}
    without = []
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for student, page in pages.items():
            number = numbers.get(student, student)
            place = places.get(number)
            if place is None and form == "moodle" and number.isdecimal():
                place = f"student_{number}_assignsubmission_file_/"
            if place is None:
                without.append(student)
            else:
                archive.write(page, f"{place}{page.name}" if place.endswith("/") else place)
    return len(pages) - len(without), without


def _places(form: str, download: Path | None) -> dict[str, str]:
    """Platform's number of a student -> folder (Moodle) or file (Canvas) in the zip that it
    gave.
    """
    if download is None:
        return {}
    try:
        with Zip.open(download, download.name) as archive:
            parts = [member.parts for member in archive.members]
    except ArchiveError as error:
        raise CollectError(f"{error}. Nothing was packed.") from None
    places: dict[str, tuple[int, str]] = {}
    for names in parts:
        if form == "moodle":
            for name in names:
                if match := MOODLE.match(name):
                    places.setdefault(match["student"], (0, f"{match[0].rstrip('_')}_/"))
                    break
        elif match := CANVAS.fullmatch(names[-1]):
            newest = (int(match["file"]), f"{PurePosixPath(names[-1]).stem}.html")
            places[match["student"]] = max(places.get(match["student"], (-1, "")), newest)
    return {student: place for student, (_, place) in places.items()}

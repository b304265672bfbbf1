"""What students read: texts in the graded notebook, comments, and nbgrader's feedback pages."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_output
from nbgrader.converters import GenerateFeedback, NbGraderException
from nbgrader.coursedir import CourseDirectory
from nbgrader.utils import compute_checksum, is_task

from autograder.course.course import Course
from autograder.course.rebuild import outputs_of, test_cells
from autograder.errors import GradebookError
from autograder.judge.problem_set import ProblemSet
from autograder.judge.result import FOR_INSTRUCTOR, CheckResult, Result
from autograder.sandbox.level import is_sandboxed
from autograder.text import verbatim, wrapped


def finding(check: CheckResult) -> str:
    """What a student reads about one check: no expected value stands in it."""
    head = f"{check.score:g} of {check.points:g} points ({check.status}): {check.title}"
    return wrapped("\n".join([head, check.message, *check.advice()]))


def fill(notebook: NotebookNode, result: Result) -> None:
    """Write what the judge found into the test cells, in the form from which nbgrader reads a
    score; notes go to the end.

    Everything is plain text of an output, which no viewer takes for Markdown or HTML: a message may
    quote the student.
    """
    for cell in test_cells(notebook):
        check = result.check(cell.metadata.nbgrader["grade_id"])
        cell.outputs = outputs_of(finding(check), check.score)
    notes = [note for note in result.notes if not note.startswith(FOR_INSTRUCTOR)]
    if not is_sandboxed(result.isolation):
        notes.insert(0, f"Graded without a sandbox ({result.isolation}).")
    if notes:
        text = wrapped("\n".join(f"- {note}" for note in notes))
        outputs = [new_output("stream", name="stdout", text=text)]
        notebook.cells.append(
            new_code_cell("# Notes of the judge", id="notes-of-the-judge", outputs=outputs)
        )


def comments(problem_set: ProblemSet, result: Result) -> dict[str, str]:
    """Solution cell by grade_id -> what is said of the checks of its function that were not
    passed.
    """
    said: dict[str, list[str]] = {}
    for check in problem_set.checks:
        answer = result.check(check.name)
        if answer.status != "passed":
            said.setdefault(f"{check.asked}_code", []).append(f"{check.name}: {answer.message}")
    return {cell: "\n".join(lines) for cell, lines in said.items()}


def comment_on(cell: NotebookNode, said: Mapping[str, str]) -> str | None:
    """Comment on a solution cell: nbgrader's own where nothing was written, else what the judge
    found.
    """
    if cell.metadata.nbgrader.get("checksum") == compute_checksum(cell) and not is_task(cell):
        return "No response."
    text = said.get(cell.metadata.nbgrader["grade_id"])
    return None if text is None else verbatim(text)


def write_feedback(course: Course, problem_set: str) -> None:
    """Write the feedback pages, as ``nbgrader generate_feedback`` does.

    Raises
    ------
    GradebookError : nbgrader cannot write one of them
    """
    directory = CourseDirectory(config=course.config, assignment_id=problem_set)
    log = logging.Logger("feedback", logging.ERROR)
    converter = GenerateFeedback(coursedir=directory, config=course.config, log=log, force=True)
    try:
        converter.start()
    except NbGraderException as error:
        raise GradebookError(
            f"The feedback could not be written: {error}; `nbgrader generate_feedback "
            f"{problem_set}` says why"
        ) from None

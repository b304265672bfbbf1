"""nbgrader's gradebook, written: one writer, one connection, the rows that nbgrader itself would
write.
"""

from __future__ import annotations

import datetime
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from copy import copy, deepcopy
from typing import Any

from nbformat import NotebookNode
from nbgrader.api import Comment, Grade, Gradebook, MissingEntry
from nbgrader.coursedir import CourseDirectory
from nbgrader.preprocessors import AssignLatePenalties, SaveCells
from nbgrader.utils import determine_grade, is_grade, is_locked, is_solution, is_task
from sqlalchemy.exc import SAWarning
from sqlalchemy.orm import scoped_session, sessionmaker

from autograder.course.course import TIMESTAMP, Course, read_timestamp
from autograder.course.database import explained
from autograder.course.feedback import comment_on, comments
from autograder.course.roster import EXTENSIONS, read_extensions, set_names
from autograder.course.table import refuse
from autograder.errors import CourseError, GradebookError, SubmissionError
from autograder.judge.problem_set import ProblemSet
from autograder.judge.result import Result
from autograder.text import folded

# nbgrader 0.9.6 makes SQLAlchemy warn whenever it enters a submission; the rows are right.
NBGRADERS_OWN: dict[str, Any] = {"message": "Object of type <Submitted", "category": SAWarning}


def register(
    gradebook: Gradebook, directory: CourseDirectory, problem_set: str, release: NotebookNode
) -> None:
    """Tell the gradebook of a problem set, as ``nbgrader generate_assignment`` would; nothing
    happens where it knows.

    Cells may come and go also when there are submissions, which nbgrader refuses: a new one has no
    score yet, and all others keep theirs.

    Raises
    ------
    GradebookError : a cell is gone that somebody has scored or commented on by hand
    """
    known = _known_notebook(gradebook, problem_set)
    wanted = {
        name: (
            cell.source,
            cell.metadata.nbgrader.get("checksum"),
            float(cell.metadata.nbgrader["points"]) if is_grade(cell) else None,
        )
        for name, cell in _marked(release).items()
    }
    if known == wanted:
        return
    gradebook.update_or_create_assignment(problem_set)
    if known is not None and gradebook.find_notebook(problem_set, problem_set).submissions:
        _take_out(gradebook, problem_set, release)
        _put_in(gradebook, problem_set, release)
    resources = {
        "nbgrader": {"notebook": problem_set, "assignment": problem_set, "db_url": directory.db_url}
    }
    SaveCells().preprocess(deepcopy(release), resources)
    gradebook.db.expire_all()


def _marked(release: NotebookNode) -> dict[str, NotebookNode]:
    """Grade_id -> cell that nbgrader knows."""
    return {
        cell.metadata.nbgrader["grade_id"]: cell
        for cell in release.cells
        if "nbgrader" in cell.metadata
    }


def _kinds(notebook: Any) -> tuple[tuple[Any, Callable[[NotebookNode], bool], str], ...]:
    """Cells of a notebook in the gradebook, what tells their kind, and its name there."""
    return (
        (notebook.grade_cells, is_grade, "grade"),
        (notebook.solution_cells, is_solution, "solution"),
        (notebook.task_cells, is_task, "task"),
    )


def _take_out(gradebook: Gradebook, problem_set: str, release: NotebookNode) -> None:
    """Remove the cells that the release no longer has, with their automatic scores and comments."""
    notebook, marked = gradebook.find_notebook(problem_set, problem_set), _marked(release)
    gone = [
        cell
        for cells, is_kind, _ in _kinds(notebook)
        for cell in cells
        if cell.name not in marked or not is_kind(marked[cell.name])
    ]
    by_hand = {
        cell.name: sorted(row.notebook.student.id for row in rows)
        for cell in gone
        if (rows := [grade for grade in cell.grades if grade.manual_score is not None])
        or (rows := [remark for remark in cell.comments if remark.manual_comment])
    }
    if by_hand:
        raise GradebookError(
            f"The released notebook of {problem_set} lacks cells that somebody has scored or "
            "commented on by hand, which would be lost: "
            + "; ".join(f"{name} ({', '.join(who)})" for name, who in by_hand.items())
            + ". Release these cells again, or take scores and comments out in formgrader first."
        )
    for cell in gone:
        for row in (*cell.grades, *cell.comments, cell):
            gradebook.db.delete(row)
    for source in notebook.source_cells:
        if source.name not in marked:
            gradebook.db.delete(source)
    gradebook.db.commit()
    gradebook.db.expire_all()


def _put_in(gradebook: Gradebook, problem_set: str, release: NotebookNode) -> None:
    """Add the cells that are new, and to each submission a place for their scores and comments."""
    where, marked = (problem_set, problem_set), _marked(release)
    notebook = gradebook.find_notebook(*where)
    known = {cell.name for cell in notebook.source_cells}
    for cells, is_kind, kind in _kinds(notebook):
        there = {cell.name for cell in cells}
        for name, cell in marked.items():
            if is_kind(cell) and name not in there:
                points = float(cell.metadata.nbgrader.get("points", 0))
                worth = {"max_score": points, "cell_type": cell.cell_type}
                worth = {} if kind == "solution" else worth
                getattr(gradebook, f"add_{kind}_cell")(name, *where, **worth)
    gradebook.db.expire_all()
    _complete(gradebook, gradebook.find_notebook(*where))
    # Last: as long as a source is missing, a run that was killed before this begins here again.
    for name in marked.keys() - known:
        cell = marked[name]
        source = {"locked": is_locked(cell), "source": cell.source}
        gradebook.add_source_cell(name, *where, cell_type=cell.cell_type, **source)


def _complete(gradebook: Gradebook, notebook: Any) -> None:
    """Give each submission a place for every score and comment that it has none for."""
    for submission in notebook.submissions:
        for row, rows, cells in (
            (Grade, submission.grades, (*notebook.grade_cells, *notebook.task_cells)),
            (Comment, submission.comments, (*notebook.solution_cells, *notebook.task_cells)),
        ):
            there = {one.cell_id for one in rows}
            for cell in cells:
                if cell.id not in there:
                    gradebook.db.add(row(cell_id=cell.id, notebook_id=submission.id))
    gradebook.db.commit()


def _known_notebook(gradebook: Gradebook, problem_set: str) -> dict[str, Any] | None:
    try:
        notebook = gradebook.find_notebook(problem_set, problem_set)
    except MissingEntry:
        return None
    points = {cell.name: cell.max_score for cell in (*notebook.grade_cells, *notebook.task_cells)}
    return {
        cell.name: (cell.source, cell.checksum, points.get(cell.name))
        for cell in notebook.source_cells
    }


def _extensions(
    gradebook: Gradebook, course: Course, problem_set: ProblemSet
) -> dict[str, datetime.timedelta] | None:
    """Folded login -> time beyond the due date; None where no file says so."""
    later = read_extensions(course, problem_set.name, set_names(course) | {problem_set.name})
    if not later:
        return None if later is None else {}
    due = gradebook.find_assignment(problem_set.name).duedate
    path = course.root / EXTENSIONS
    if due is None:
        raise CourseError(
            f"{path} extends {problem_set.name}, which has no due date; give it one: `nbgrader db "
            f'assignment add {problem_set.name} --duedate "2026-03-01 12:00:00 UTC"`'
        )
    refuse(
        path,
        [
            f"{login!r} would have until {when} UTC, and {problem_set.name} is due at {due} UTC; "
            "write a later time, or leave the row out"
            for login, when in later.items()
            if when < due
        ],
    )
    return {login: when - due for login, when in later.items()}


class Writer:
    """Writes what became of submissions into one gradebook. Manual scores and comments are never
    touched.

    Parameters
    ----------
    gradebook : from `open_gradebook`
    course : whose it is
    problem_set : which must be registered

    Raises
    ------
    CourseError : ``extensions.csv`` is wrong, or gives no more time than everybody has
    """

    def __init__(self, gradebook: Gradebook, course: Course, problem_set: ProblemSet) -> None:
        self.gradebook, self.course, self.problem_set = gradebook, course, problem_set
        self.extensions = _extensions(gradebook, course, problem_set)
        self.late = AssignLatePenalties(config=course.config)
        self.late.init_plugin()
        self._now: Gradebook | None = None

    @contextmanager
    def at_once(self) -> Iterator[Gradebook]:
        """Gradebook in which all that is written within becomes visible, and safe, at once or not
        at all.

        Raises
        ------
        GradebookError : the gradebook is locked; nothing was written, and all can be written later
        """
        if self._now is not None:
            yield self._now
            return
        with explained(self.course.directory), self.gradebook.engine.begin() as connection:
            gradebook = copy(self.gradebook)
            # nbgrader commits several times per submission. In a session that joins a transaction
            # that only ends it when something went wrong, and what was read once need not be read
            # again.
            session = sessionmaker(
                connection, join_transaction_mode="rollback_only", expire_on_commit=False
            )
            gradebook.db = scoped_session(session)
            try:
                self._now = gradebook
                yield gradebook
                gradebook.db.commit()
            finally:
                self._now = None
                gradebook.db.remove()

    def enter(self, student: str) -> None:
        """Enter a student and the submission, without any score.

        Raises
        ------
        GradebookError : the gradebook is locked; what was not written can be written later
        """
        with self.at_once() as gradebook:
            self._enter(gradebook, student)

    def refuse(self, student: str) -> None:
        """Enter a student whose submission cannot be graded: a score that an earlier one got does
        not stand for it.

        Raises
        ------
        GradebookError : the gradebook is locked; what was not written can be written later
        """
        with self.at_once() as gradebook:
            _, row = self._enter(gradebook, student)
            for grade in row.grades:
                # as in a submission that was never graded
                grade.auto_score, grade.needs_manual_grade = None, True
            for comment in row.comments:
                comment.auto_comment = None
            row.late_submission_penalty = None

    def save(self, student: str, notebook: NotebookNode, result: Result) -> None:
        """Enter a student with the scores and comments of a graded notebook.

        Raises
        ------
        GradebookError : the gradebook is locked; what was not written can be written later
        """
        with self.at_once() as gradebook:
            submission, row = self._enter(gradebook, student)
            grades = {grade.name: grade for grade in row.grades}
            remarks = {comment.name: comment for comment in row.comments}
            said = comments(self.problem_set, result)
            for cell in notebook.cells:
                if is_grade(cell):
                    grade = grades[cell.metadata.nbgrader["grade_id"]]
                    grade.auto_score, _ = determine_grade(cell)
                    grade.needs_manual_grade = (
                        grade.manual_score is not None or grade.auto_score is None
                    )
                if is_solution(cell) or is_task(cell):
                    remarks[cell.metadata.nbgrader["grade_id"]].auto_comment = comment_on(
                        cell, said
                    )
            if submission.total_seconds_late > 0:
                gradebook.db.flush()
                gradebook.db.refresh(row, ["score"])  # the database adds up
            row.late_submission_penalty = self._penalty(student, submission, row)

    def _enter(self, gradebook: Gradebook, student: str) -> tuple[Any, Any]:
        """Rows of the submission and of its notebook."""
        when = {}
        with suppress(SubmissionError):  # whoever grades has refused it by then, and has said why
            if timestamp := read_timestamp(
                self.course.submission(student, self.problem_set.name) / TIMESTAMP
            ):
                when["timestamp"] = timestamp
        gradebook.update_or_create_student(student)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", **NBGRADERS_OWN)
            submission = gradebook.update_or_create_submission(
                self.problem_set.name, student, **when
            )
        self.extend(student, submission)
        (row,) = (row for row in submission.notebooks if row.name == self.problem_set.name)
        return submission, row

    def extend(self, student: str, submission: Any) -> None:
        """Give a submission the extension that ``extensions.csv`` says, or none; without that file
        it keeps what was granted in the gradebook.
        """
        if self.extensions is not None:
            submission.extension = self.extensions.get(folded(student))

    def _penalty(self, student: str, submission: Any, row: Any) -> float | None:
        """Points lost for being late, as nbgrader's plug-in for that says; never more than there
        are.
        """
        late = submission.total_seconds_late
        if late <= 0:
            return None
        penalty = self.late.plugin_inst.late_submission_penalty(student, row.score, late)
        return None if penalty is None else float(min(max(penalty, 0), row.score))

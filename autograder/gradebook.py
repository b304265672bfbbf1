"""What is known of a course, and nbgrader's gradebook: one writer, one connection, the rows that nbgrader itself would write."""

from __future__ import annotations

import datetime
import logging
import os
import re
import stat
import sysconfig
import textwrap
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from copy import copy, deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dateutil.tz import gettz
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_output
from nbgrader.api import Gradebook, InvalidEntry, MissingEntry
from nbgrader.converters import GenerateFeedback, NbGraderException
from nbgrader.coursedir import CourseDirectory
from nbgrader.preprocessors import AssignLatePenalties, SaveCells
from nbgrader.utils import compute_checksum, determine_grade, is_grade, is_solution, is_task, parse_utc
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DatabaseError, SAWarning
from sqlalchemy.orm import scoped_session, sessionmaker
from traitlets.config import Config
from traitlets.config.loader import ConfigFileNotFound, PyFileConfigLoader

from autograder.errors import AutograderError
from autograder.problem_set import ProblemSet
from autograder.rebuild import SubmissionError, outputs_of, test_cells
from autograder.record import FOR_INSTRUCTOR, CheckRecord, Record
from autograder.store import clear_parts, part_of

SETTINGS = "nbgrader_config.py"
TIMESTAMP = "timestamp.txt"  # nbgrader's; says when something was handed in
SECRET = "submission_secret.txt"  # nbgrader's; only who handed something in can name the file with the feedback on it
# nbgrader 0.9.6 makes SQLAlchemy warn whenever it enters a submission; the rows are right.
NBGRADERS_OWN: dict[str, Any] = {"message": "Object of type <Submitted", "category": SAWarning}


class GradebookError(AutograderError, RuntimeError):
    """nbgrader's gradebook cannot be written; says why and what to do."""


class CourseError(AutograderError, ValueError):
    """A folder is no course."""


@dataclass(frozen=True)
class Course:
    """Where things are in a course, as nbgrader's own settings say.

    Parameters
    ----------
    directory : nbgrader's view of the course: folders, address of the gradebook
    config : all of nbgrader's settings
    """

    directory: CourseDirectory
    config: Config

    @classmethod
    def load(cls, root: Path | None = None) -> Course:
        """Course in a folder; the current one when left out.

        Raises
        ------
        CourseError : the folder has no settings of nbgrader's, or they cannot be used
        """
        root = (root or Path.cwd()).resolve()
        try:
            config = PyFileConfigLoader(SETTINGS, path=[str(root)]).load_config()
            config.CourseDirectory.setdefault("root", str(root))
            return cls(CourseDirectory(config=config), config)
        except ConfigFileNotFound:
            raise CourseError(f"{root} has no {SETTINGS}; run this from the course's root") from None
        except Exception as error:  # the file is a program, and may fail in any way
            raise CourseError(f"{root / SETTINGS} cannot be used: {type(error).__name__}: {error}") from error

    @property
    def root(self) -> Path:
        """Folder of the course."""
        return Path(self.directory.root)

    @property
    def logs(self) -> Path:
        """Folder of what happened while submissions were graded."""
        return self.root / "logs"

    @property
    def records(self) -> Path:
        """Folder of what the judge found, and of the course's key."""
        return self.root / "records"

    def submission(self, student: str, problem_set: str) -> Path:
        """Folder of what a student handed in."""
        return Path(self.directory.format_path(self.directory.submitted_directory, student, problem_set))

    def autograded(self, student: str, problem_set: str) -> Path:
        """Folder of the notebook that was graded."""
        return Path(self.directory.format_path(self.directory.autograded_directory, student, problem_set))

    def students(self, problem_set: str) -> list[str]:
        """Names of those who handed something in, sorted."""
        return sorted(name for name, handed_in in self._submitted(problem_set).items() if handed_in)

    def others(self, problem_set: str) -> list[str]:
        """Names of what stands beside them and holds nothing for this problem set, sorted: perhaps a folder has a wrong name."""
        return sorted(name for name, handed_in in self._submitted(problem_set).items() if not handed_in)

    def _submitted(self, problem_set: str) -> dict[str, bool]:
        before, after = self.directory.format_path(self.directory.submitted_directory, "\0", problem_set).split("\0")
        folders = (path for path in Path(before).glob("*") if not path.name.startswith("."))
        return {path.name: Path(f"{path}{after}").is_dir() for path in folders}


@contextmanager
def open_gradebook(directory: CourseDirectory) -> Iterator[Gradebook]:
    """Open the gradebook, which is made when there is none.

    Raises
    ------
    GradebookError : it is locked, older than this nbgrader, or out of reach
    """
    path = os.environ.get("PATH", "")
    # nbgrader asks the program alembic for the version of a new gradebook; it lies beside this Python, which need not be on PATH.
    os.environ["PATH"] = os.pathsep.join([sysconfig.get_path("scripts"), path])
    try:
        with explained(directory):
            gradebook = _opened(directory)
    finally:
        os.environ["PATH"] = path
    try:
        with explained(directory):
            yield gradebook
    finally:
        gradebook.close()


def _opened(directory: CourseDirectory) -> Gradebook:
    try:
        _make(directory)
        return Gradebook(directory.db_url, directory.course_id)
    except (DatabaseError, InvalidEntry) as error:
        # Two people who grade for the first time make the tables at one time; the second finds them made.
        if not re.search("already exists|duplicate key", str(error)):
            raise
        return Gradebook(directory.db_url, directory.course_id)
    except (ArgumentError, ModuleNotFoundError) as error:
        raise GradebookError(_unusable(directory.db_url, error)) from error


def _make(directory: CourseDirectory) -> None:
    """Make a gradebook where SQLite has none yet: whole or not at all, for nbgrader makes it in several steps."""
    url = make_url(directory.db_url)
    if url.get_backend_name() != "sqlite" or url.database in (None, "", ":memory:") or Path(url.database).exists():
        return
    path = Path(url.database)
    clear_parts(path.parent)
    part = part_of(path)
    try:
        address = url.set(database=str(part)).render_as_string(hide_password=False)
        Gradebook(address, directory.course_id).close()
        try:
            os.link(part, path)  # unlike a rename, it does not replace one that another process made meanwhile
        except FileExistsError:
            pass
        except OSError:  # a file system without links
            os.replace(part, path)
    finally:
        clear_parts(path.parent)


@contextmanager
def explained(directory: CourseDirectory) -> Iterator[None]:
    """Turn what SQLAlchemy says about the gradebook into one sentence and a remedy."""
    # nbgrader logs a traceback before it raises; what is raised here says the same in a sentence.
    silenced = logging.getLogger("tornado.application")
    before, silenced.disabled = silenced.disabled, True
    try:
        yield
    except (DatabaseError, InvalidEntry) as error:
        cause = error if isinstance(error, DatabaseError) else error.__context__
        if not isinstance(cause, DatabaseError):
            raise
        raise GradebookError(_reason(directory.db_url, str(cause.orig))) from error
    finally:
        silenced.disabled = before


def without_password(address: str) -> str:
    """Address of a gradebook as it may be shown and logged.

    >>> without_password("postgresql://grader:secret@localhost/lstm")
    'postgresql://grader:***@localhost/lstm'
    """
    try:
        return make_url(address).render_as_string(hide_password=True)
    except (ArgumentError, ValueError):  # it is no address, so that nobody knows where in it a password stands
        return "that nbgrader_config.py names in c.CourseDirectory.db_url"


def _unusable(address: str, error: Exception) -> str:
    if isinstance(error, ModuleNotFoundError) and str(error.name).startswith("psycopg"):
        return f"The gradebook {without_password(address)} needs a driver: `pip install 'psycopg[binary]'`."
    return (
        f"The gradebook {without_password(address)} cannot be used: c.CourseDirectory.db_url must be an address such as "
        "sqlite:////folder/gradebook.db or postgresql+psycopg://user:password@host/database."
    )


# What a PostgreSQL server or its driver says -> what that means and what to do.
_SERVER = {
    "password authentication failed|no password supplied|role .* does not exist": (
        "the server refuses this user or this password. Correct c.CourseDirectory.db_url in nbgrader_config.py"
    ),
    "database .* does not exist": (
        "the server has no such database. Make it with `createdb --owner USER NAME`; nbgrader makes the tables in it"
    ),
    "permission denied": (
        "this user may not make tables or write there. Make the user the owner: `ALTER DATABASE NAME OWNER TO USER`"
    ),
    "terminating connection|server closed|connection is lost|connection is closed|connection already closed": (
        "the server ended the connection; no score is lost, the judge keeps a record of each. Wait until the server runs again"
    ),
    "connection failed|connection is bad|connection refused|failed to resolve|timeout": (
        "the server does not answer. Start it, or correct c.CourseDirectory.db_url in nbgrader_config.py"
    ),
}


def _reason(address: str, said: str) -> str:
    where = f"The gradebook {without_password(address)}"
    said = " ".join(said.split()).split(" Is the server running")[0].rstrip(".")
    if not address.startswith("sqlite"):
        for pattern, advice in _SERVER.items():
            if re.search(pattern, said, re.IGNORECASE):
                return f"{where} cannot be used: {advice}, then run the same command again. (It was said: {said}.)"
    if "locked" in said:
        return (
            f"{where} is locked: another program is writing to it. Close formgrader or wait for nbgrader to end, "
            "then run the same command again."
        )
    if "full" in said:
        return f"{where} has no room left: the disk is full ({said}). Make room there, then run the same command again."
    if "disk I/O" in said:
        return f"{where} cannot be read or written: {said}. Is a quota used up, or the disk gone? Then run the command again."
    if "readonly" in said:
        return f"{where} cannot be written: {said}. Make the file and its folder writable, then run the same command again."
    if "no such column" in said or "no such table" in said:
        return f"{where} was made by another version of nbgrader: make a copy of it, then run `nbgrader db upgrade`."
    if "not a database" in said or "malformed" in said:
        return (
            f"{where} is damaged, or another file ({said}). Restore it from a copy; or move it away and run the same command "
            "again, which enters all scores that the judge gave, but none that were given by hand."
        )
    return f"{where} cannot be used: {said}."


def register(gradebook: Gradebook, directory: CourseDirectory, problem_set: str, release: NotebookNode) -> None:
    """Tell the gradebook of a problem set, as ``nbgrader generate_assignment`` would; nothing happens where it knows.

    Raises
    ------
    GradebookError : there are submissions, and the cells that carry points are others now
    """
    known = _known(gradebook, problem_set)
    wanted = {
        cell.metadata.nbgrader["grade_id"]: (
            cell.source,
            cell.metadata.nbgrader.get("checksum"),
            float(cell.metadata.nbgrader["points"]) if is_grade(cell) else None,
        )
        for cell in release.cells
        if "nbgrader" in cell.metadata
    }
    if known == wanted:
        return
    gradebook.update_or_create_assignment(problem_set)
    resources = {"nbgrader": {"notebook": problem_set, "assignment": problem_set, "db_url": directory.db_url}}
    try:
        SaveCells().preprocess(deepcopy(release), resources)
    except RuntimeError:
        raise GradebookError(
            f"The released notebook of {problem_set} has other cells than the gradebook knows, and there are submissions. "
            f"Release the former cells again; or copy the gradebook, run `nbgrader db assignment remove {problem_set} --force`, "
            "which forgets the scores of this problem set, and grade it anew."
        ) from None
    gradebook.db.expire_all()


def _known(gradebook: Gradebook, problem_set: str) -> dict[str, Any] | None:
    try:
        notebook = gradebook.find_notebook(problem_set, problem_set)
    except MissingEntry:
        return None
    points = {cell.name: cell.max_score for cell in (*notebook.grade_cells, *notebook.task_cells)}
    return {cell.name: (cell.source, cell.checksum, points.get(cell.name)) for cell in notebook.source_cells}


def finding(check: CheckRecord) -> str:
    """What a student reads about one check: no expected value stands in it."""
    lines = [f"{check.score:g} of {check.points:g} points ({check.status}): {check.title}", check.message]
    lines += [f"Hint: {hint}" for hint in check.hints[:1]]
    lines += [f"Note: {warning}" for warning in check.warnings]
    return wrapped("\n".join(lines))


def wrapped(text: str) -> str:
    """Text in lines that a feedback page shows in full: it does not break lines of an output."""
    filled = (textwrap.fill(line, 88, break_long_words=False, break_on_hyphens=False) for line in text.splitlines())
    return "".join(f"{line}\n" for line in filled)


def fill(notebook: NotebookNode, record: Record) -> None:
    """Write what the judge found into the test cells, in the form from which nbgrader reads a score; notes go to the end.

    Everything is plain text of an output, which no viewer takes for Markdown or HTML: a message may quote the student.
    """
    for cell in test_cells(notebook):
        check = record.check(cell.metadata.nbgrader["grade_id"])
        cell.outputs = outputs_of(finding(check), check.score)
    notes = [note for note in record.notes if not note.startswith(FOR_INSTRUCTOR)]
    if record.isolation == "unsafe-local":
        notes.insert(0, f"Graded without a sandbox ({record.isolation}).")
    if notes:
        text = wrapped("\n".join(f"- {note}" for note in notes))
        outputs = [new_output("stream", name="stdout", text=text)]
        notebook.cells.append(new_code_cell("# Notes of the judge", id="notes-of-the-judge", outputs=outputs))


def comments(problem_set: ProblemSet, record: Record) -> dict[str, str]:
    """Solution cell by grade_id -> what is said of the checks of its function that were not passed."""
    said: dict[str, list[str]] = {}
    for check in problem_set.checks:
        result = record.check(check.name)
        if result.status != "passed":
            said.setdefault(f"{check.function}_code", []).append(f"{check.name}: {result.message}")
    return {cell: "\n".join(lines) for cell, lines in said.items()}


def comment_on(cell: NotebookNode, said: Mapping[str, str]) -> str | None:
    """Comment on a solution cell: nbgrader's own where nothing was written, else what the judge found."""
    if cell.metadata.nbgrader.get("checksum") == compute_checksum(cell) and not is_task(cell):
        return "No response."
    text = said.get(cell.metadata.nbgrader["grade_id"])
    return None if text is None else verbatim(text)


def verbatim(text: str) -> str:
    r"""Text as Markdown that shows it as it is: nbgrader takes a comment for Markdown with HTML, and it may quote the student.

    >>> verbatim("scale: <b>\r$x$")
    '    scale: <b>\n    $x$'
    """
    return "\n".join(f"    {line}" for line in wrapped(text).splitlines())


class Writer:
    """Writes what became of submissions into one gradebook. Manual scores and comments are never touched.

    Parameters
    ----------
    gradebook : from `open_gradebook`
    course : whose it is
    problem_set : which must be registered
    """

    def __init__(self, gradebook: Gradebook, course: Course, problem_set: ProblemSet) -> None:
        self.gradebook, self.course, self.problem_set = gradebook, course, problem_set
        self.late = AssignLatePenalties(config=course.config)
        self.late.init_plugin()
        self._now: Gradebook | None = None

    @contextmanager
    def at_once(self) -> Iterator[Gradebook]:
        """Gradebook in which all that is written within becomes visible, and safe, at once or not at all.

        Raises
        ------
        GradebookError : the gradebook is locked; nothing was written, and all can be written later
        """
        if self._now is not None:
            yield self._now
            return
        with explained(self.course.directory), self.gradebook.engine.begin() as connection:
            gradebook = copy(self.gradebook)
            # nbgrader commits several times per submission. In a session that joins a transaction that only ends it when
            # something went wrong, and what was read once need not be read again.
            session = sessionmaker(connection, join_transaction_mode="rollback_only", expire_on_commit=False)
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
        """Enter a student whose submission cannot be graded: a score that an earlier one got does not stand for it.

        Raises
        ------
        GradebookError : the gradebook is locked; what was not written can be written later
        """
        with self.at_once() as gradebook:
            _, row = self._enter(gradebook, student)
            for grade in row.grades:
                grade.auto_score, grade.needs_manual_grade = None, True  # as in a submission that was never graded
            for comment in row.comments:
                comment.auto_comment = None
            row.late_submission_penalty = None

    def save(self, student: str, notebook: NotebookNode, record: Record) -> None:
        """Enter a student with the scores and comments of a graded notebook.

        Raises
        ------
        GradebookError : the gradebook is locked; what was not written can be written later
        """
        with self.at_once() as gradebook:
            submission, row = self._enter(gradebook, student)
            grades = {grade.name: grade for grade in row.grades}
            remarks = {comment.name: comment for comment in row.comments}
            said = comments(self.problem_set, record)
            for cell in notebook.cells:
                if is_grade(cell):
                    grade = grades[cell.metadata.nbgrader["grade_id"]]
                    grade.auto_score, _ = determine_grade(cell)
                    grade.needs_manual_grade = grade.manual_score is not None or grade.auto_score is None
                if is_solution(cell) or is_task(cell):
                    remarks[cell.metadata.nbgrader["grade_id"]].auto_comment = comment_on(cell, said)
            if submission.total_seconds_late > 0:
                gradebook.db.flush()
                gradebook.db.refresh(row, ["score"])  # the database adds up
            row.late_submission_penalty = self._penalty(student, submission, row)

    def _enter(self, gradebook: Gradebook, student: str) -> tuple[Any, Any]:
        """Rows of the submission and of its notebook."""
        when = {}
        with suppress(SubmissionError):  # whoever grades has refused it by then, and has said why
            if timestamp := read_timestamp(self.course.submission(student, self.problem_set.name) / TIMESTAMP):
                when["timestamp"] = timestamp
        gradebook.update_or_create_student(student)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", **NBGRADERS_OWN)
            submission = gradebook.update_or_create_submission(self.problem_set.name, student, **when)
        (row,) = (row for row in submission.notebooks if row.name == self.problem_set.name)
        return submission, row

    def _penalty(self, student: str, submission: Any, row: Any) -> float | None:
        """Points lost for being late, as nbgrader's plug-in for that says; never more than there are."""
        late = submission.total_seconds_late
        if late <= 0:
            return None
        penalty = self.late.plugin_inst.late_submission_penalty(student, row.score, late)
        return None if penalty is None else float(min(max(penalty, 0), row.score))


def read_timestamp(path: Path) -> datetime.datetime | None:
    """When something was handed in; None where no file says so. Links and pipes in a submission are left alone.

    Raises
    ------
    SubmissionError : the file cannot be read, or holds no time
    """
    try:
        if not stat.S_ISREG(path.lstat().st_mode):
            return None
        with path.open(encoding="utf-8") as file:
            text = file.read(200).strip()
        if len(parts := text.split(" ")) == 3 and (parts[2][-1:].isdigit() or gettz(parts[2]) is None):
            raise ValueError("nbgrader would take this zone, such as EDT or +01:00, for UTC")
        return parse_utc(text) if text else None
    except FileNotFoundError:
        return None
    except OSError as error:
        raise SubmissionError(f"{path.name} cannot be read: {error.strerror}") from None
    except (ValueError, OverflowError):
        raise SubmissionError(
            f"{path.name} holds no time such as 2026-03-01 11:00:00 UTC; mend it, or remove it"
        ) from None


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
            f"The feedback could not be written: {error}; `nbgrader generate_feedback {problem_set}` says why"
        ) from None

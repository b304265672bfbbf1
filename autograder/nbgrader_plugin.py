"""The judge inside nbgrader: ``nbgrader autograde`` and formgrader's button grade through it.

`nbgrader_config.py` names the classes of this module. Nothing is executed in nbgrader's process or
kernel, and where the judge cannot do its work nbgrader fails: no submission gets points that the
judge did not give.
"""

from __future__ import annotations

import glob
import os
import stat
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nbconvert.exporters import NotebookExporter
from nbconvert.preprocessors import ExecutePreprocessor
from nbformat import NotebookNode
from nbgrader.api import Gradebook
from nbgrader.converters import NbGraderException
from nbgrader.coursedir import CourseDirectory
from nbgrader.preprocessors import NbGraderPreprocessor, SaveAutoGrades
from nbgrader.utils import is_solution, is_task
from traitlets import Bool
from traitlets.utils.importstring import import_item

from autograder.batch.grading import Grading
from autograder.course.course import TIMESTAMP, Course, read_timestamp
from autograder.course.database import open_gradebook
from autograder.course.feedback import comment_on, comments, fill
from autograder.course.gradebook import NBGRADERS_OWN, Writer, register
from autograder.course.rebuild import read_notebook, rebuild, refuse_linked_folders
from autograder.errors import AutograderError, SubmissionError

Resources = dict[str, Any]


class JudgedNotebook(NotebookExporter):  # type: ignore[misc]
    """What nbgrader reads submissions with: made once per ``nbgrader autograde``, and then looks
    after the whole run.

    It tries out the isolation, registers the assignment in the gradebook where that was not done,
    and holds what the preprocessors below share. It raises, and nbgrader stops before it touches
    any submission, when something is missing.
    """

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        warnings.filterwarnings("ignore", **NBGRADERS_OWN)
        try:
            self.grading = self._prepare()
        except AutograderError as error:
            self.log.error("Nothing was graded. %s", error)
            raise NbGraderException(str(error)) from error

    def _prepare(self) -> Grading:
        converter = self.parent
        check_lists(converter.sanitize_preprocessors, converter.autograde_preprocessors)
        converter.coursedir = without_links(converter.coursedir, converter.assignments)
        course = Course(converter.coursedir, converter.config)
        grading = Grading.prepare(course, course.directory.assignment_id)
        with open_gradebook(course.directory) as gradebook:
            register(gradebook, course.directory, grading.problem_set.name, grading.release)
            Writer(gradebook, course, grading.problem_set)  # refuses extensions that cannot be
        return grading

    def from_filename(self, filename: str, resources: Any = None, **options: Any) -> Any:
        """Read a submission as untrusted data, and write down why one cannot be graded."""
        student, assignment = resources["nbgrader"]["student"], resources["nbgrader"]["assignment"]
        if Path(filename).parent == self.grading.course.autograded(student, assignment):
            # the second pass: what the first one made
            return super().from_filename(filename, resources, **options)
        try:
            # nbgrader takes a zone that it does not know for UTC
            read_timestamp(Path(filename).with_name(TIMESTAMP))
            refuse_linked_folders(Path(filename))
            self._extend(student)
            return self.from_notebook_node(read_notebook(Path(filename)), resources, **options)
        except SubmissionError as error:
            self.grading.refuse(student, str(error))
            course = self.grading.course
            with open_gradebook(course.directory) as gradebook:
                Writer(gradebook, course, self.grading.problem_set).refuse(student)
            raise

    def _extend(self, student: str) -> None:
        """Enter the student's extension, before nbgrader works out what is lost for being late."""
        course, problem_set = self.grading.course, self.grading.problem_set
        with open_gradebook(course.directory) as gradebook:
            writer = Writer(gradebook, course, problem_set)
            writer.extend(student, gradebook.find_submission(problem_set.name, student))
            gradebook.db.commit()


class _Step(NbGraderPreprocessor):  # type: ignore[misc]
    """A preprocessor of ours; unlike nbgrader's own it cannot be switched off, because marks depend
    on it.
    """

    enabled = Bool(True, read_only=True)

    @property
    def grading(self) -> Grading:
        """What this run of nbgrader grades with.

        Raises
        ------
        NbGraderException : nbgrader's settings name this step without `JudgedNotebook`
        """
        if not isinstance(self.parent, JudgedNotebook):
            raise NbGraderException(
                "nbgrader_config.py must set c.Autograde.exporter_class to "
                "autograder.nbgrader_plugin.JudgedNotebook"
            )
        return self.parent.grading


class RebuildFromRelease(_Step):
    """Puts the student's code into the released notebook, and goes on with that."""

    def preprocess(self, nb: NotebookNode, resources: Resources) -> tuple[NotebookNode, Resources]:
        """Return the rebuilt notebook; raises SubmissionError where there is nothing to rebuild
        from.
        """
        rebuilt = rebuild(self.grading.release, nb)
        for note in rebuilt.notes:
            self.log.warning("%s: %s", resources["nbgrader"]["student"], note)
        return rebuilt.notebook, resources


class Judge(_Step):
    """Stands where nbgrader executes the notebook: asks the judge, and writes what it found into
    the test cells.
    """

    def preprocess(self, nb: NotebookNode, resources: Resources) -> tuple[NotebookNode, Resources]:
        """Return the notebook with findings and scores in it."""
        result, _ = self.grading.judge(resources["nbgrader"]["student"], nb)
        fill(nb, result)
        resources["autograder"] = result
        self.log.info(
            "%s: %g of %g points", resources["nbgrader"]["student"], result.score, result.max_score
        )
        return nb, resources


class SaveFindings(_Step):
    """Writes what the judge found as a comment on the cell that it is about, after nbgrader has
    saved the scores.
    """

    def preprocess(self, nb: NotebookNode, resources: Resources) -> tuple[NotebookNode, Resources]:
        """Return the notebook unchanged."""
        said = comments(self.grading.problem_set, resources["autograder"])
        where = resources["nbgrader"]
        with Gradebook(where["db_url"], self.grading.course.directory.course_id) as gradebook:
            for cell in nb.cells:
                if is_solution(cell) or is_task(cell):
                    name = cell.metadata.nbgrader["grade_id"]
                    comment = gradebook.find_comment(
                        name, where["notebook"], where["assignment"], where["student"]
                    )
                    comment.auto_comment = comment_on(cell, said)
            gradebook.db.commit()
        return nb, resources


def check_lists(sanitize: list[Any], autograde: list[Any]) -> None:
    """Refuse settings under which a student's code would be executed outside the sandbox, or a
    score not come from the judge.

    Raises
    ------
    AutograderError : says what is missing or too much
    """
    first, then = (
        [import_item(step) if isinstance(step, str) else step for step in steps]
        for steps in (sanitize, autograde)
    )
    if any(
        isinstance(step, type) and issubclass(step, ExecutePreprocessor) for step in (*first, *then)
    ):
        raise AutograderError(
            "nbgrader_config.py lists a step that executes notebooks; remove it, the judge stands "
            "in its place."
        )
    if first[:1] != [RebuildFromRelease]:
        raise AutograderError(
            "In nbgrader_config.py, c.Autograde.sanitize_preprocessors must begin with "
            "RebuildFromRelease."
        )
    if Judge not in then or SaveAutoGrades in then[: then.index(Judge)]:
        raise AutograderError(
            "In nbgrader_config.py, c.Autograde.autograde_preprocessors must have Judge before "
            "SaveAutoGrades."
        )


def without_links(
    directory: CourseDirectory, submissions: Iterator[str] | dict[str, Any]
) -> CourseDirectory:
    """Course directory under which nbgrader does not copy what links in a submission point to.

    nbgrader copies the other files of a submission and follows links while it does: to any file of
    this machine, or to one without an end.
    """
    links = set()
    for submission in submissions:
        for folder, _, names in os.walk(submission):
            links |= {
                name
                for name in names
                if not stat.S_ISREG(os.lstat(os.path.join(folder, name)).st_mode)
            }
    if not links:
        return directory
    settings = {name: getattr(directory, name) for name in directory.trait_names(config=True)}
    settings["ignore"] = [*directory.ignore, *map(glob.escape, sorted(links))]
    return CourseDirectory(parent=directory.parent, **settings)

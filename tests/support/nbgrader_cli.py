"""What the tests of nbgrader's own tools share: its commands, a small class, and all that the
gradebook says of it.
"""

import os
import subprocess
import sysconfig

from autograder.course.course import Course
from autograder.course.database import open_gradebook
from tests.support.tiny_course import ADDS, RIGHT, hand_in, hand_in_text


def nbgrader(course, *arguments, **variables):
    """Run nbgrader's own command; returns the finished process."""
    scripts = sysconfig.get_path("scripts")
    environment = os.environ | {"PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}"} | variables
    command = [f"{scripts}/nbgrader", *arguments]
    return subprocess.run(
        command, cwd=course, env=environment, capture_output=True, text=True, check=False
    )


def everything(course):
    """All that the gradebook says of scores and comments, and the graded notebooks."""
    with open_gradebook(Course.load(course).directory) as gradebook:
        rows = []
        for submission in gradebook.assignment_submissions("tiny"):
            (notebook,) = submission.notebooks
            rows.append(
                (
                    submission.student.id,
                    str(submission.timestamp),
                    submission.score,
                    notebook.late_submission_penalty,
                )
            )
            for kind in (notebook.grades, notebook.comments):
                rows += [
                    (submission.student.id, {**row.to_dict(), "id": 0})
                    for row in sorted(kind, key=lambda row: row.name)
                ]
    notebooks = {
        str(path.relative_to(course)): path.read_text() for path in course.glob("autograded/*/*/*")
    }
    return sorted(rows, key=repr), notebooks


def skipping(notebook):
    for cell in notebook.cells:
        cell.metadata["tags"] = ["skip-execution"]


def fill_class(course):
    hand_in(course, "ann", RIGHT)
    hand_in(course, "bob", ADDS)
    hand_in(course, "cay", {}, skipping)
    hand_in_text(course, "dan", "{")
    (course / "submitted" / "ann" / "tiny" / "timestamp.txt").write_text("2026-03-01 11:00:00 UTC")
    (course / "submitted" / "ann" / "tiny" / "submission_secret.txt").write_text(
        "5e" * 64
    )  # as nbgrader submit leaves it
    # would be copied without end
    (course / "submitted" / "bob" / "tiny" / "data").symlink_to("/dev/zero")

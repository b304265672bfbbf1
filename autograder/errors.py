"""What autograder raises, all of it.

AutograderError
 ├─ ProblemSetError  (also a ValueError)    a problem set is missing or contradicts itself
 ├─ CourseError      (also a ValueError)    a folder is no course
 ├─ SubmissionError  (also a ValueError)    a submission cannot be graded
 ├─ ArchiveError     (also a ValueError)    a zip, or a file in it, cannot be read
 ├─ CollectError     (also a ValueError)    what was given cannot be collected
 ├─ ExportError      (also a ValueError)    scores cannot be put into what was given
 ├─ ReportError      (also a ValueError)    there is nothing to report
 ├─ GradebookError   (also a RuntimeError)  nbgrader's gradebook cannot be written
 ├─ StoreError       (also a RuntimeError)  a file cannot be written
 ├─ ClusterError     (also a RuntimeError)  no cluster answers, or one with another version
 ├─ IsolationError   (also a RuntimeError)  this machine cannot isolate code; says what to install
 │   └─ TransientStartError  a container could not be made this time
 ├─ JudgeError       (also a RuntimeError)  a judge's process ended, or failed itself
 │   └─ JudgeLost            its process is gone; another one can be asked
 │       └─ JudgeOvertime      because it took too long; another one would, too
 ├─ Stopped                  the grading was stopped
 └─ WorkerError      (also a RuntimeError)  the worker gave no answer
     ├─ WorkerDied           its process ended
     │   └─ WorkerKilled         something outside the sandbox ended it
     ├─ WorkerTimeout        no answer in time
     │   └─ TimeUsedUp       all the time for one submission was used before
     ├─ OutOfMemory          its processes took more memory than allowed
     └─ ProtocolError        it sent bytes that are no answer

Not for users, and never shown as they are:
    StudentFailure     an exception in the student's code
    MissingFunction    the student's code defines no function of that name
    NotDelegated       why no cgroups can be made here
    NoForkServer       why there is no fork server
"""

from __future__ import annotations

import errno
import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from autograder.guest.errors import AutograderError, ProtocolError, WorkerError

__all__ = [
    "DISK_FULL",
    "ArchiveError",
    "AutograderError",
    "ClusterError",
    "CollectError",
    "CourseError",
    "ExportError",
    "GradebookError",
    "IsolationError",
    "JudgeError",
    "JudgeLost",
    "JudgeOvertime",
    "MissingFunction",
    "NoForkServer",
    "NotDelegated",
    "OutOfMemory",
    "ProblemSetError",
    "ProtocolError",
    "ReportError",
    "Stopped",
    "StoreError",
    "StudentFailure",
    "SubmissionError",
    "TimeUsedUp",
    "TransientStartError",
    "WorkerDied",
    "WorkerError",
    "WorkerKilled",
    "WorkerTimeout",
]

DISK_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class ProblemSetError(AutograderError, ValueError):
    """A problem set is missing or contradicts itself."""


class CourseError(AutograderError, ValueError):
    """A folder is no course."""


class SubmissionError(AutograderError, ValueError):
    """A submission cannot be graded; says why, and what to do."""


class ArchiveError(AutograderError, ValueError):
    """A zip, or a file in it, cannot be read; says why."""


class CollectError(AutograderError, ValueError):
    """What was given cannot be collected; says why, and what to do."""


class ExportError(AutograderError, ValueError):
    """Scores cannot be put into what was given; says why, and what to do."""


class ReportError(AutograderError, ValueError):
    """There is nothing to report."""


class GradebookError(AutograderError, RuntimeError):
    """nbgrader's gradebook cannot be written; says why and what to do."""


class StoreError(AutograderError, RuntimeError):
    """A file cannot be written; says which one, why, and what to do.

    Parameters
    ----------
    path : of the file
    error : what the system says

    Attributes
    ----------
    full : whether the disk is; then nothing else can be written, either
    """

    def __init__(self, path: Path, error: OSError) -> None:
        self.full = error.errno in DISK_FULL
        remedy = "Make it writable"
        why = error.strerror or str(error)
        if self.full:
            place = next(folder for folder in (path, *path.parents) if folder.is_dir())
            with suppress(OSError):
                why += f"; {shutil.disk_usage(place).free / 2**20:.1f} MB are free there"
            remedy = "Make room there"
        super().__init__(
            f"{path} cannot be written: {why}. {remedy}, then run the same command again: it goes "
            "on where this one ended."
        )


class ClusterError(AutograderError, RuntimeError):
    """The cluster that is to grade does not answer, or cannot; says what to do."""


class IsolationError(AutograderError, RuntimeError):
    """Nothing on this machine can hold the student's code apart.

    Parameters
    ----------
    reason : what was tried and what came of it
    remedy : what to do about it
    """

    def __init__(self, reason: str, remedy: str) -> None:
        super().__init__(f"{reason}\n{remedy}")
        self.reason = reason
        self.remedy = remedy


class TransientStartError(IsolationError):
    """A container could not be made this time; no code of a student's has run."""


class JudgeError(AutograderError, RuntimeError):
    """A judge's process ended, or failed itself; this says nothing about the student.

    Parameters
    ----------
    message : what happened
    details : the judge's traceback, where there is one
    """

    def __init__(self, message: str, details: str = "") -> None:
        super().__init__(message)
        self.details = details


class JudgeLost(JudgeError):
    """The process is gone; another one can be asked."""


class JudgeOvertime(JudgeLost):
    """The process is gone because it took too much processor time; another one would do the
    same.
    """


class Stopped(AutograderError):
    """The grading was stopped; nothing is to be written about the submission that was being
    graded.
    """


class WorkerDied(WorkerError):
    """The worker's process ended."""


class WorkerKilled(WorkerDied):
    """Something outside the sandbox ended the worker: no student's code can bring that about."""


class WorkerTimeout(WorkerError):
    """The worker gave no answer in time."""


class TimeUsedUp(WorkerTimeout):
    """All the time that there is for one submission was used before."""


class OutOfMemory(WorkerError):
    """The worker's processes took more memory than allowed."""


@dataclass(eq=False)
class StudentFailure(Exception):
    """An exception in the student's code: class, text, the line of the student's at which it
    happened (0: none), and the classes that its own is made from.

    All of it stands on one line: a text with line breaks could write lines that look like the
    judge's own.
    """

    kind: str
    text: str
    line: int = 0
    source: str = ""
    bases: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        self.kind, self.text, self.source = map(on_one_line, (self.kind, self.text, self.source))

    def __str__(self) -> str:
        said = f"{self.kind}: {self.text}" if self.text else self.kind
        return f"{said}{self.place}"

    @property
    def place(self) -> str:
        """Where it happened, as the end of a sentence."""
        return f" (line {self.line}: {self.source})" if self.line and self.source else ""


def on_one_line(text: str) -> str:
    r"""Text with a sign for each line break, so that nobody can add lines to what it stands in.

    >>> on_one_line("a\n\n  passed\x85b")
    'a ⏎ passed ⏎ b'
    """
    return " ⏎ ".join(filter(None, map(str.strip, text.splitlines())))


class MissingFunction(Exception):
    """The student's code defines no function of that name."""


class NotDelegated(Exception):
    """Why no cgroups can be made here."""


class NoForkServer(Exception):
    """Why there is no fork server, or no worker from it."""

"""A course: its folders and settings, as nbgrader_config.py says."""

from __future__ import annotations

import datetime
import re
import stat
from dataclasses import dataclass
from pathlib import Path

from dateutil.tz import gettz
from nbgrader.coursedir import CourseDirectory
from nbgrader.utils import parse_utc
from traitlets.config import Config
from traitlets.config.loader import ConfigFileNotFound, PyFileConfigLoader

from autograder.errors import CourseError, SubmissionError

NBGRADER_CONFIG = "nbgrader_config.py"
YEARS = range(1990, 2200)  # in which something may be handed in
TIMESTAMP = "timestamp.txt"  # nbgrader's; says when something was handed in
# nbgrader's; only who handed something in can name the file with the feedback on it
SECRET = "submission_secret.txt"


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
            config = PyFileConfigLoader(NBGRADER_CONFIG, path=[str(root)]).load_config()
            config.CourseDirectory.setdefault("root", str(root))
            return cls(CourseDirectory(config=config), config)
        except ConfigFileNotFound:
            raise CourseError(
                f"{root} has no {NBGRADER_CONFIG}; run this from the course's root"
            ) from None
        except Exception as error:  # the file is a program, and may fail in any way
            raise CourseError(
                f"{root / NBGRADER_CONFIG} cannot be used: {type(error).__name__}: {error}"
            ) from error

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
        return Path(
            self.directory.format_path(self.directory.submitted_directory, student, problem_set)
        )

    def autograded(self, student: str, problem_set: str) -> Path:
        """Folder of the notebook that was graded."""
        return Path(
            self.directory.format_path(self.directory.autograded_directory, student, problem_set)
        )

    def students(self, problem_set: str) -> list[str]:
        """Names of those who handed something in, sorted."""
        return sorted(name for name, handed_in in self._submitted(problem_set).items() if handed_in)

    def others(self, problem_set: str) -> list[str]:
        """Names of what stands beside them and holds nothing for this problem set, sorted: perhaps
        a folder has a wrong name.
        """
        return sorted(
            name for name, handed_in in self._submitted(problem_set).items() if not handed_in
        )

    def _submitted(self, problem_set: str) -> dict[str, bool]:
        before, after = self.directory.format_path(
            self.directory.submitted_directory, "\0", problem_set
        ).split("\0")
        folders = (path for path in Path(before).glob("*") if not path.name.startswith("."))
        return {path.name: Path(f"{path}{after}").is_dir() for path in folders}


def parse_time(text: str) -> datetime.datetime:
    """Time as nbgrader stores one: in UTC, without a zone.

    Raises
    ------
    ValueError : it is no time, or in a zone that nbgrader would take for UTC, such as EDT
    OverflowError : it is too far away

    >>> parse_time("2026-03-01 12:00 Europe/Berlin").isoformat(" ")
    '2026-03-01 11:00:00'
    """
    if len(parts := text.split(" ")) == 3 and (parts[2][-1:].isdigit() or gettz(parts[2]) is None):
        raise ValueError("nbgrader would take this zone, such as EDT or +01:00, for UTC")
    # what is read leniently, such as "1", would be a day of this month
    year = re.match(r"(\d{4})\W?\d\d", text)
    if year is None or int(year[1]) not in YEARS:
        raise ValueError("it does not begin with a year and a month, or nobody handed in then")
    when: datetime.datetime = parse_utc(text)
    return when


def read_timestamp(path: Path) -> datetime.datetime | None:
    """When something was handed in; None where no file says so. Links and pipes in a submission are
    left alone.

    Raises
    ------
    SubmissionError : the file cannot be read, or holds no time
    """
    try:
        if not stat.S_ISREG(path.lstat().st_mode):
            return None
        with path.open(encoding="utf-8") as file:
            text = file.read(200).strip()
        return parse_time(text) if text else None
    except FileNotFoundError:
        return None
    except OSError as error:
        raise SubmissionError(f"{path.name} cannot be read: {error.strerror}") from None
    except (ValueError, OverflowError):
        raise SubmissionError(
            f"{path.name} holds no time such as 2026-03-01 11:00:00 UTC; mend it, or remove it"
        ) from None

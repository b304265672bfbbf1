"""nbgrader's gradebook, opened: SQLite or PostgreSQL, with a clear error where it cannot be
used.
"""

from __future__ import annotations

import logging
import os
import re
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nbgrader.api import Gradebook, InvalidEntry
from nbgrader.coursedir import CourseDirectory
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DatabaseError

from autograder.errors import GradebookError
from autograder.files import remove_stale, temp_name


@contextmanager
def open_gradebook(directory: CourseDirectory) -> Iterator[Gradebook]:
    """Open the gradebook, which is made when there is none.

    Raises
    ------
    GradebookError : it is locked, older than this nbgrader, or out of reach
    """
    path = os.environ.get("PATH", "")
    # nbgrader asks the program alembic for the version of a new gradebook; it lies beside this
    # Python, which need not be on PATH.
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
        # Two people who grade for the first time make the tables at one time; the second finds them
        # made.
        if not re.search("already exists|duplicate key", str(error)):
            raise
        return Gradebook(directory.db_url, directory.course_id)
    except (ArgumentError, ModuleNotFoundError) as error:
        raise GradebookError(_unusable_database(directory.db_url, error)) from error


def _make(directory: CourseDirectory) -> None:
    """Make a gradebook where SQLite has none yet: whole or not at all, for nbgrader makes it in
    several steps.
    """
    url = make_url(directory.db_url)
    if (
        url.get_backend_name() != "sqlite"
        or url.database in (None, "", ":memory:")
        or Path(url.database).exists()
    ):
        return
    path = Path(url.database)
    remove_stale(path.parent)
    part = temp_name(path)
    try:
        address = url.set(database=str(part)).render_as_string(hide_password=False)
        Gradebook(address, directory.course_id).close()
        try:
            # unlike a rename, it does not replace one that another process made meanwhile
            os.link(part, path)
        except FileExistsError:
            pass
        except OSError:  # a file system without links
            os.replace(part, path)
    finally:
        remove_stale(path.parent)


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
    except (
        ArgumentError,
        ValueError,
    ):  # it is no address, so that nobody knows where in it a password stands
        return "that nbgrader_config.py names in c.CourseDirectory.db_url"


def _unusable_database(address: str, error: Exception) -> str:
    if isinstance(error, ModuleNotFoundError) and str(error.name).startswith("psycopg"):
        return (
            f"The gradebook {without_password(address)} needs a driver: `pip install "
            "'psycopg[binary]'`."
        )
    return (
        f"The gradebook {without_password(address)} cannot be used: c.CourseDirectory.db_url must "
        "be an address such as sqlite:////folder/gradebook.db or "
        "postgresql+psycopg://user:password@host/database."
    )


# What a PostgreSQL server or its driver says -> what that means and what to do.
_SERVER = {
    "password authentication failed|no password supplied|role .* does not exist": (
        "the server refuses this user or this password. Correct c.CourseDirectory.db_url in "
        "nbgrader_config.py"
    ),
    "database .* does not exist": (
        "the server has no such database. Make it with `createdb --owner USER NAME`; nbgrader "
        "makes the tables in it"
    ),
    "permission denied": (
        "this user may not make tables or write there. Make the user the owner: `ALTER DATABASE "
        "NAME OWNER TO USER`"
    ),
    (
        "terminating connection|server closed|connection is lost|connection is closed|connection "
        "already closed"
    ): (
        "the server ended the connection; no score is lost, the judge keeps a record of each. Wait "
        "until the server runs again"
    ),
    "connection failed|connection is bad|connection refused|failed to resolve|timeout": (
        "the server does not answer. Start it, or correct c.CourseDirectory.db_url in "
        "nbgrader_config.py"
    ),
}


# What SQLite says -> what that means and what to do; {said} is what it says.
_FILE = {
    "locked": (
        "is locked: another program is writing to it. Close formgrader or wait for nbgrader to "
        "end, then run the same command again."
    ),
    "full": (
        "has no room left: the disk is full ({said}). Make room there, then run the same command "
        "again."
    ),
    "disk I/O": (
        "cannot be read or written: {said}. Is a quota used up, or the disk gone? Then run the "
        "command again."
    ),
    "readonly": (
        "cannot be written: {said}. Make the file and its folder writable, then run the same "
        "command again."
    ),
    "no such column|no such table": (
        "was made by another version of nbgrader: make a copy of it, then run `nbgrader db "
        "upgrade`."
    ),
    "not a database|malformed": (
        "is damaged, or another file ({said}). Restore it from a copy; or move it away and run the "
        "same command again, which enters all scores that the judge gave, but none that were given "
        "by hand."
    ),
}


def _reason(address: str, said: str) -> str:
    where = f"The gradebook {without_password(address)}"
    said = " ".join(said.split()).split(" Is the server running")[0].rstrip(".")
    if not address.startswith("sqlite"):
        for pattern, advice in _SERVER.items():
            if re.search(pattern, said, re.IGNORECASE):
                return (
                    f"{where} cannot be used: {advice}, then run the same command again. (It was "
                    f"said: {said}.)"
                )
    for pattern, advice in _FILE.items():
        if re.search(pattern, said):
            return f"{where} {advice.replace('{said}', said)}"
    return f"{where} cannot be used: {said}."

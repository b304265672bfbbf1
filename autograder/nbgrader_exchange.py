"""Collecting from nbgrader's exchange, a folder into which every user of the machine may write.

nbgrader's own way of collecting follows the links in a submission with the rights of whoever
collects: a notebook that is a link to the solution is collected as the solution. It takes what
anybody left in anybody's name, and one submission that cannot be read ends it for all.
`nbgrader_config.py` names the class of this module in its place.
"""

from __future__ import annotations

import datetime
import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nbgrader.exchange.default import ExchangeCollect
from nbgrader.utils import ignore_patterns

from autograder.course.course import TIMESTAMP, read_timestamp
from autograder.text import printable

# what is left out
SKIPPED: dict[str, Any] = {"username": "", "filename": "", "timestamp": datetime.datetime.min}
SLOW_COPY = (
    # seconds between the time that a submission states and its last file, before a person should
    # look at it
    600
)


class CollectWithoutLinks(ExchangeCollect):  # type: ignore[misc]
    """``nbgrader collect`` that copies plain files only, only what its owner handed in, and that
    nobody can stop for others.

    Each submission that is left out is named with the reason, and the command ends with an error
    after all others are collected. An earlier submission of the same student stands where a later
    one cannot be collected.
    """

    src_records: list[dict[str, Any]]

    def init_src(self) -> None:
        """Find the submissions, and leave out those that cannot be collected."""
        self.left_out = 0
        super().init_src()
        self.src_records = [record for record in self.src_records if record is not SKIPPED]

    def _path_to_record(self, path: str) -> dict[str, Any]:
        try:
            record: dict[str, Any] = super()._path_to_record(path)
        except Exception:  # whatever a name brings about, the others are collected
            return self._leave_out(path, "its name holds no student and time")
        try:
            reason = self._refusal(path, record)
        except OSError as error:
            reason = f"it cannot be read: {error.strerror}"
        return self._leave_out(path, reason) if reason else record

    def _leave_out(self, path: str, reason: str) -> dict[str, Any]:
        self.left_out += 1
        self.log.error("Left out %s: %s", printable(path), printable(reason))
        return SKIPPED

    def _refusal(self, path: str, record: dict[str, Any]) -> str:
        about, student = os.lstat(path), record["username"]
        if not stat.S_ISDIR(about.st_mode):
            return "it is no folder"
        if not student or student.startswith("."):
            return f"{student!r} cannot be the name of a student"
        if self.check_owner and (owner := _user(about.st_uid)) != student:
            return (
                f"it is in the name of {student}, and {owner} put it there. Where students have "
                "other names here than on this machine, set c.ExchangeCollect.check_owner = False"
            )
        size = last = 0.0
        for _, name, file in _plain_files(path):
            with file:
                about = os.fstat(file.fileno())
            size, last = size + about.st_size, max(last, about.st_ctime)
            if size > 1000 * self.coursedir.max_dir_size:
                return (
                    f"with {name} it is larger than c.CourseDirectory.max_dir_size, "
                    f"{self.coursedir.max_dir_size} kB"
                )
        put_there = datetime.datetime.fromtimestamp(last, datetime.UTC).replace(tzinfo=None)
        if (put_there - record["timestamp"]).total_seconds() > SLOW_COPY:
            self.log.warning(
                "%s: its last file was written at %s UTC, later than it states",
                printable(path),
                put_there,
            )
        return ""

    def copy_files(self) -> None:
        """Copy the submissions one by one, then fail if some were left out."""
        for record in list(self.src_records):
            self.src_records = [record]
            former = self.coursedir.format_path(
                self.coursedir.submitted_directory, record["username"], self.coursedir.assignment_id
            )
            try:
                read_timestamp(Path(former, TIMESTAMP))
                super().copy_files()
            except Exception as error:  # whatever one brings about, the others are collected
                self._leave_out(record["filename"], f"it cannot be copied into {former}: {error}")
        if self.left_out:
            self.fail(f"{self.left_out} left out, for the reasons above; all others are collected")

    def do_copy(self, src: str, dest: str, log: Any = None) -> None:
        """Copy the plain files of a submission; links, pipes and devices are left where they
        are.
        """
        ignored = ignore_patterns(
            self.coursedir.ignore, self.coursedir.include, self.coursedir.max_file_size, self.log
        )
        os.makedirs(dest)
        for folder, name, file in _plain_files(src):
            with file:
                inside = Path(folder).relative_to(src)
                if ignored(folder, [*inside.parts, name]):
                    continue
                target = Path(dest) / inside / name
                target.parent.mkdir(parents=True, exist_ok=True)
                with target.open("wb") as copy:
                    shutil.copyfileobj(file, copy)
        # A file that states another time than the folder's name, or none, would give another
        # penalty for being late.
        Path(dest, TIMESTAMP).write_text(os.path.basename(src).rsplit("+", 3)[2], encoding="utf-8")
        if self.coursedir.groupshared:
            for folder, _, names in os.walk(dest):
                os.chmod(folder, stat.S_IMODE(os.stat(folder).st_mode) | 0o2770)
                for name in names:
                    os.chmod(os.path.join(folder, name), 0o664)


def _plain_files(root: str) -> Iterator[tuple[str, str, Any]]:
    """Folder, name and open file of each plain file under a folder.

    Between looking and opening somebody may put a link there: what is open is looked at, and no
    link is ever followed.
    """
    for folder, _, names, descriptor in os.fwalk(root, follow_symlinks=False, onerror=_raise):
        for name in sorted(names):
            try:
                opened = os.open(
                    name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=descriptor
                )
            except OSError:
                if stat.S_ISREG(os.stat(name, dir_fd=descriptor, follow_symlinks=False).st_mode):
                    raise
                continue
            if stat.S_ISREG(os.fstat(opened).st_mode):
                yield folder, name, open(opened, "rb")
            else:
                os.close(opened)


def _raise(error: OSError) -> None:
    raise error


def _user(number: int) -> str:
    import pwd  # Windows has none; there nbgrader has no exchange either, but it reads its settings

    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"user number {number}"

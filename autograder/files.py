"""Atomic writes, a lock on a folder, and a clear error when the disk refuses."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import ModuleType

import psutil

from autograder.errors import AutograderError, StoreError

fcntl: ModuleType | None
try:
    import fcntl
except ModuleNotFoundError:  # Windows, where nothing is graded and tables can be written
    fcntl = None

# Name of a temporary file, with the pid of its writer; SQLite puts a journal beside it.
PART = re.compile(r"\..*\.(\d+)\.part(-journal|-wal|-shm)?")

MAX_NAME_BYTES = 200  # of a student's name: files are called after it


def write_atomic(path: Path, content: str | bytes, mode: int | None = None) -> None:
    """Write a file through a temporary one and a rename: a killed process leaves no half of it.

    Parameters
    ----------
    path, content : of the file; its folder is made, and text becomes UTF-8
    mode : its permissions, where the umask does not decide them

    Raises
    ------
    StoreError : the disk is full, or cannot be written
    """
    temporary = temp_name(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(content.encode() if isinstance(content, str) else content)
        if mode is not None:
            temporary.chmod(mode)
        os.replace(temporary, path)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink()
        raise StoreError(path, error) from None


def temp_name(path: Path) -> Path:
    """Temporary file beside a file, with this process's pid in its name."""
    return path.with_name(f".{path.name}.{os.getpid()}.part")


def remove_stale(folder: Path) -> None:
    """Remove temporary files of this process and of dead ones from a folder."""
    for path in folder.glob(".*.part*"):
        found = PART.fullmatch(path.name)
        if found and (int(found[1]) == os.getpid() or not psutil.pid_exists(int(found[1]))):
            with suppress(OSError):
                path.unlink()


@contextmanager
def exclusive(folder: Path, what: str) -> Iterator[None]:
    """Lock a folder for this process; the lock ends with the process, however it ends.

    Raises
    ------
    AutograderError : another process holds it
    StoreError : the folder cannot be written
    """
    path = folder / ".lock"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise StoreError(path, error) from None
    try:
        try:
            if fcntl is not None:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(lock, 20).decode(errors="replace").strip()
            raise AutograderError(
                f"{what} already, by process {holder or 'unknown'}. Wait until it has ended, or "
                "end it; then run the same command again."
            ) from None
        except OSError:
            pass  # a file system without locks
        with suppress(OSError):  # that the disk is full is told where a record does not fit
            os.ftruncate(lock, 0)
            os.lseek(lock, 0, os.SEEK_SET)
            os.write(lock, str(os.getpid()).encode())
        yield
    finally:
        os.close(lock)


def unwritable_name(student: str) -> str:
    """Why no file and no row can bear the name of a folder; else empty."""
    try:
        if len(student.encode("utf-8")) > MAX_NAME_BYTES:
            return f"the folder's name is too long; at most {MAX_NAME_BYTES} bytes can be written"
    except UnicodeEncodeError:
        pass
    else:
        if student.isprintable():
            return ""
    return "the folder's name holds characters that cannot be written; rename it"

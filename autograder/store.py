"""Files that are written whole or not at all, by one process at a time, and what is said when the disk does not take them."""

from __future__ import annotations

import errno
import fcntl
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from autograder.errors import AutograderError

FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
# Of a file that is being written, with the number of the process that writes it; SQLite has a second one beside it.
PART = re.compile(r"\..*\.(\d+)\.part(-journal|-wal|-shm)?")


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
        self.full = error.errno in FULL
        remedy = "Make it writable"
        why = error.strerror or str(error)
        if self.full:
            place = next(folder for folder in (path, *path.parents) if folder.is_dir())
            with suppress(OSError):
                why += f"; {shutil.disk_usage(place).free / 2**20:.1f} MB are free there"
            remedy = "Make room there"
        super().__init__(
            f"{path} cannot be written: {why}. {remedy}, then run the same command again: it goes on where this one ended."
        )


def write_whole(path: Path, content: str | bytes, mode: int | None = None) -> None:
    """Write a file at once or not at all: whoever is stopped in the middle leaves no half of one.

    Parameters
    ----------
    path, content : of the file; its folder is made, and text becomes UTF-8
    mode : its permissions, when they are not the usual ones

    Raises
    ------
    StoreError : the disk is full, or cannot be written
    """
    part = part_of(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(content.encode() if isinstance(content, str) else content)
        if mode is not None:
            part.chmod(mode)
        os.replace(part, path)
    except OSError as error:
        with suppress(OSError):
            part.unlink()
        raise StoreError(path, error) from None


def part_of(path: Path) -> Path:
    """Where a file is written before it takes its name."""
    return path.with_name(f".{path.name}.{os.getpid()}.part")


def clear_parts(folder: Path) -> None:
    """Remove what this process, and those that were killed in the middle of writing, have left in a folder."""
    for path in folder.glob(".*.part*"):
        found = PART.fullmatch(path.name)
        if found and (int(found[1]) == os.getpid() or not psutil.pid_exists(int(found[1]))):
            with suppress(OSError):
                path.unlink()


@contextmanager
def only_one(folder: Path, what: str) -> Iterator[None]:
    """Hold a folder for this process; another one that asks for it is told so. The lock ends with the process, however it ends.

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
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(lock, 20).decode(errors="replace").strip()
            raise AutograderError(
                f"{what} already, by process {holder or 'unknown'}. Wait until it has ended, or end it; "
                "then run the same command again."
            ) from None
        except OSError:
            pass  # a file system without locks
        with suppress(OSError):  # that the disk is full is told where a record does not fit
            os.ftruncate(lock, 0)
            os.pwrite(lock, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(lock)

"""The secret of a course, from which the judge draws its inputs."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path

from autograder.errors import (
    AutograderError,
)
from autograder.files import remove_stale, temp_name


def course_key(folder: Path) -> bytes:
    """Secret of the course, made at first use and readable by its owner only. With it, a seed in a
    record can be made again.

    Raises
    ------
    AutograderError : the file is there and holds no key
    """
    path = folder / "course.key"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        remove_stale(folder)
        part = temp_name(path)
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with open(descriptor, "w") as file:
                file.write(secrets.token_hex(32) + "\n")
            with suppress(FileExistsError):
                # unlike a rename, it does not replace the key that another process made meanwhile
                os.link(part, path)
        finally:
            part.unlink()
    try:
        key = bytes.fromhex(path.read_text().strip())
    except (OSError, ValueError):
        key = b""
    if len(key) < 16:
        raise AutograderError(
            f"{path} holds no key. Restore it from a copy, or remove it: a new one is made, and "
            "seeds of old records can no longer be made again from it."
        )
    return key

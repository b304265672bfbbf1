"""Begin a problem set: a small one that works, to be changed into another."""

from __future__ import annotations

import shutil
from pathlib import Path

from autograder.errors import ProblemSetError, StoreError
from autograder.files import write_atomic

TEMPLATES = Path(__file__).parent / "templates"


def new(root: Path, name: str) -> list[Path]:
    """Begin a problem set: a small one that works, to be changed into another.

    Returns
    -------
    the files written

    Raises
    ------
    ProblemSetError : the name cannot be one, or is taken, or this is no course
    StoreError : the disk is full, or cannot be written; nothing is left of it then
    """
    if (
        not name.replace("-", "").replace("_", "").isalnum()
        or not name.isascii()
        or name != name.lower()
    ):
        raise ProblemSetError(
            f"{name!r} cannot be the name of a problem set: use small letters, digits, - and _, as "
            "in lstm-bptt"
        )
    if not (root / "nbgrader_config.py").is_file():
        raise ProblemSetError(f"{root} has no nbgrader_config.py; run this from the course's root")
    folder = root / "solutions" / name
    if folder.exists():
        raise ProblemSetError(f"{folder} is there already; nothing was written")
    written = []
    try:
        for template, target in (
            ("problem_set.md.template", f"{name}.md"),
            ("checks.py.template", "checks.py"),
        ):
            path = folder / target
            write_atomic(
                path, (TEMPLATES / template).read_text(encoding="utf-8").replace("NAME", name)
            )
            written.append(path)
    except StoreError:
        # half a problem set would be in the way of the next try
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return written

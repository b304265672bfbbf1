"""Data files of a problem set: ``FILES`` in its checks.py, beside it in the same folder.

Students get them with the notebook, and their code finds them in its working folder, also when it
is graded.
"""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

from autograder.errors import ProblemSetError

MAX_DATA_FILES = 20
MAX_BYTES = 16 << 20  # of all together: they go into each worker


def data_files(folder: Path) -> dict[str, bytes]:
    """Name -> content of the data files of a problem set.

    They are read from the text of checks.py, which is not run: it may import a framework.

    Parameters
    ----------
    folder : ``solutions/<name>``

    Raises
    ------
    ProblemSetError : a file that is not there, or that students may not have; they are too many or
        too large
    """
    names = _declared_names(folder / "checks.py")
    if len(names) > MAX_DATA_FILES:
        raise ProblemSetError(
            f"{folder.name}: FILES names {len(names)} files; {MAX_DATA_FILES} are allowed. Put "
            "more into one, such as an .npz"
        )
    files: dict[str, bytes] = {}
    for name in names:
        path = folder / name
        if Path(name).name != name or name.startswith(".") or path.suffix in (".py", ".md"):
            raise ProblemSetError(
                f"{folder.name}: FILES names {name!r}; it must be a data file in {folder} itself, "
                "no code and no text of the problem set: students get it"
            )
        if not path.is_file() or path.is_symlink():
            raise ProblemSetError(f"{folder.name}: FILES names {name!r}; {path} is no file")
        files[name] = path.read_bytes() if path.stat().st_size <= MAX_BYTES else b" " * MAX_BYTES
        if sum(map(len, files.values())) >= MAX_BYTES:
            raise ProblemSetError(
                f"{folder.name}: the FILES have more than {MAX_BYTES >> 20} MB, which go into each "
                "worker; take a part of the data"
            )
    return files


def _declared_names(source: Path) -> list[str]:
    """What ``FILES = (...)`` at the top of checks.py holds; nothing where it does not stand
    there.
    """
    if not source.is_file():
        return []
    try:
        tree = ast.parse(source.read_bytes())
    except (SyntaxError, ValueError):
        return []  # what is wrong with it is said where it is imported
    found: Any = ()
    for node in tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else []
        if any(isinstance(target, ast.Name) and target.id == "FILES" for target in targets):
            assert isinstance(node, ast.Assign)
            try:
                found = ast.literal_eval(node.value)
            except ValueError:
                found = None
    if not isinstance(found, list | tuple) or not all(isinstance(name, str) for name in found):
        raise ProblemSetError(
            f"{source}: FILES must be names of files, written out, as in FILES = ('prices.csv',)"
        )
    return list(dict.fromkeys(found))

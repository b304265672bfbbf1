"""Docstrings of installed packages: the first line is a summary that the author wrote of what
follows.

The files are parsed and never run. They are taken in the order of their names, and what is dropped
is dropped by rules:

- functions, classes and methods whose name begins with an underscore, tests, and other people's
  code that a package carries;
- a docstring without anything below its first line, or whose first line is no sentence of 3 to 30
  words with a full stop;
- a text of fewer than 20 words: it says no more than its summary;
- a text or a summary that stood there before: methods inherit, and functions are copied.

Two machines have the same set only if they have the same versions: `about` tells them.
"""

from __future__ import annotations

import ast
import importlib.util
import re
import warnings
from collections.abc import Iterator
from pathlib import Path

from lstm_ref.data.tasks import Summaries
from lstm_ref.errors import ArgumentError, MissingPackageError

PACKAGES = ("numpy", "sklearn", "statsmodels")
SUMMARY_WORDS = range(3, 31)
TEXT_WORDS = 20
# names of folders and files
NOT_ITS_OWN = frozenset(("tests", "testing", "conftest", "externals", "_vendored"))


def docstring_summaries(packages: tuple[str, ...] = PACKAGES) -> Summaries:
    """Docstrings of packages: what stands below the first line as text, the first line as summary.

    Parameters
    ----------
    packages : names to import them by; they are looked for, and not imported

    Returns
    -------
    Summaries : a group is a module: functions beside each other are often alike, so split with
        ``split_by_group(groups)``

    Raises
    ------
    MissingPackageError : one of the packages is not installed
    ArgumentError : no package, or one without any docstring that passes
    """
    kept: dict[str, tuple[str, str]] = {}  # text -> summary, module
    summaries: set[str] = set()
    for package in packages:
        for module, docstring in _docstrings(package):
            summary, text = _parts(docstring)
            if (
                _is_sentence(summary)
                and len(text.split()) >= TEXT_WORDS
                and not (text in kept or summary in summaries)
            ):
                kept[text] = summary, module
                summaries.add(summary)
    if not kept:
        raise ArgumentError(
            f"docstring_summaries: found no docstring with a summary and a text in {packages}"
        )
    return Summaries(
        tuple(kept),
        tuple(summary for summary, _ in kept.values()),
        tuple(module for _, module in kept.values()),
    )


def _docstrings(package: str) -> Iterator[tuple[str, str]]:
    """Name of the module and docstring of all that is public, in the order of files and lines."""
    try:
        found = importlib.util.find_spec(package)
    except ModuleNotFoundError:  # of a parent
        found = None
    if found is None:
        raise MissingPackageError(
            f"docstring_summaries: needs {package}, which is not installed; run: pip install "
            "'inside-the-lstm[data]'"
        )
    for root in found.submodule_search_locations or []:
        for path in sorted(Path(root).rglob("*.py"), key=Path.as_posix):
            parts = path.relative_to(root).with_suffix("").parts
            if not NOT_ITS_OWN.intersection(parts):
                module = ".".join([package, *(part for part in parts if part != "__init__")])
                with warnings.catch_warnings():
                    # about escapes such as \d in other people's strings
                    warnings.simplefilter("ignore")
                    tree = ast.parse(path.read_bytes())
                for docstring in _public_docstrings(tree):
                    yield module, docstring


def _public_docstrings(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
        docstring = ast.get_docstring(node)
        if docstring:
            yield docstring
    if isinstance(node, ast.Module | ast.ClassDef):  # what a function holds inside is not public
        for child in node.body:
            if isinstance(child, ast.ClassDef | ast.FunctionDef) and not child.name.startswith("_"):
                yield from _public_docstrings(child)


def _parts(docstring: str) -> tuple[str, str]:
    """Summary, which is the first paragraph on one line, and text, which is the rest without blank
    lines at its ends.
    """
    first, _, rest = docstring.partition("\n\n")
    return " ".join(first.split()), rest.strip()


def _is_sentence(summary: str) -> bool:
    return len(summary.split()) in SUMMARY_WORDS and re.fullmatch(r"[A-Z].*\.", summary) is not None

"""The data sets by name: `load` gives the data, `about` says what they are and whose."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from lstm_ref.data import python_reference
from lstm_ref.errors import ArgumentError


class About(NamedTuple):
    """Where a data set comes from. Print it beside a result: the same name may mean another version on another machine."""

    name: str
    what: str
    version: str
    licence: str
    source: str


class _DataSet(NamedTuple):
    load: Callable[[], str]
    version: Callable[[], str]
    what: str
    licence: str
    source: str


_DATA_SETS = {
    "python-reference": _DataSet(
        load=python_reference.text,
        version=python_reference.version,
        what="Python's own language reference, as the interpreter's help() shows it; each paragraph once",
        licence="PSF License Agreement; the code examples also under 0BSD",
        source="pydoc_data.topics in Python's standard library",
    ),
}


def load(name: str) -> str:
    """Text of a data set.

    Parameters
    ----------
    name : "python-reference", which every Python brings along: no download, no network

    Raises
    ------
    ArgumentError : no data set of that name; the message lists those that exist
    MissingPackageError : this Python comes without its help topics

    Examples
    --------
    >>> text = load("python-reference")
    >>> print(text[: text.index(chr(10))])
    The "assert" statement
    """
    return _find("load", name).load()


def about(name: str) -> About:
    """What a data set is, in which version it lies on this machine, under which licence, and where it comes from.

    Raises
    ------
    ArgumentError : no data set of that name

    Examples
    --------
    >>> about("python-reference").source
    "pydoc_data.topics in Python's standard library"
    """
    found = _find("about", name)
    return About(name, found.what, found.version(), found.licence, found.source)


def _find(operation: str, name: str) -> _DataSet:
    if name not in _DATA_SETS:
        raise ArgumentError(f"{operation}: there is no data set {name!r}; there are: {', '.join(sorted(_DATA_SETS))}")
    return _DATA_SETS[name]

"""Tables that an instructor keeps beside nbgrader_config.py, as CSV files: read, or refused with
every row that is wrong.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from autograder.errors import CourseError
from autograder.text import delimiter_of

MAX_NAMED = 10  # faults in one message
MAX_TABLE = 16 * 2**20  # bytes; 100,000 students take 8 MB


@dataclass(frozen=True)
class Row:
    """One row: the number of its line, from 1, and its cells by the name of their column."""

    line: int
    cells: Mapping[str, str]


def read_rows(path: Path, columns: Mapping[str, Sequence[str]], needed: Sequence[str]) -> list[Row]:
    """Rows of a CSV file with a row of headings; empty ones are left out, other columns not read.

    Parameters
    ----------
    path : of the file, in UTF-8 or UTF-16; commas, semicolons or tabs stand between its columns
    columns : name of a column -> its headings, in small letters, any of them
    needed : names of columns that must be there

    Raises
    ------
    CourseError : it cannot be read, lacks a column, or a row has more cells than there are headings
    """
    text = _read_text(path)
    delimiter = delimiter_of(text.split("\n", 1)[0])
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        numbered = [(reader.line_num, row) for row in reader]
    except csv.Error as error:
        raise CourseError(f"{path}, line {reader.line_num}: no CSV ({error}); mend it") from None
    numbered = [(line, row) for line, row in numbered if any(cell.strip() for cell in row)]
    if not numbered:
        raise CourseError(f"{path} is empty; its first row must be {','.join(needed)}")
    heads = [head.strip().casefold() for head in numbered[0][1]]
    places = _positions(path, heads, columns, needed)
    refuse(
        path,
        [
            f"line {line} has {len(row)} cells and there are {len(heads)} headings; put quotes "
            "around a cell that holds a comma"
            for line, row in numbered[1:]
            if len(row) > len(heads)
        ],
    )
    return [
        Row(line, {name: (row[k].strip() if k < len(row) else "") for name, k in places.items()})
        for line, row in numbered[1:]
    ]


def refuse(path: Path, faults: Sequence[str]) -> None:
    """Refuse a file for what is wrong in it; nothing happens where that is nothing.

    Raises
    ------
    CourseError : names the first faults, and how many there are
    """
    if faults:
        more = f"; and {len(faults) - MAX_NAMED} more" if len(faults) > MAX_NAMED else ""
        raise CourseError(f"{path}: {'; '.join(faults[:MAX_NAMED])}{more}")


def _read_text(path: Path) -> str:
    content = path.read_bytes()
    if len(content) > MAX_TABLE:
        raise CourseError(f"{path} has more than {MAX_TABLE >> 20} MB; is it the right file?")
    encoding = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        raise CourseError(
            f"{path} is not encoded in UTF-8 (byte {error.start}); save it as CSV UTF-8"
        ) from None


def _positions(
    path: Path, heads: Sequence[str], columns: Mapping[str, Sequence[str]], needed: Sequence[str]
) -> dict[str, int]:
    """Position of each column that is there."""
    places = {}
    for name, headings in columns.items():
        found = [k for k, head in enumerate(heads) if head in headings]
        if len(found) > 1:
            raise CourseError(
                f"{path} has {len(found)} columns for {name}: "
                f"{', '.join(repr(heads[k]) for k in found)}; leave one of them"
            )
        if found:
            places[name] = found[0]
        elif name in needed:
            raise CourseError(
                f"{path} has no column {name!r}, but {', '.join(map(repr, heads))}; expected is "
                f"one of {', '.join(map(repr, headings))}"
            )
    return places

"""A pandas DataFrame or Series in plain parts, and made of them again: arrays of numbers, words,
and nothing that runs.

The instant checks, the judge and its worker share this file. It needs NumPy and the standard
library, pandas where there is a table, and nothing else of this package: in the sandbox it stands
alone. Who makes a table of parts trusts none of them.

    DataFrame   ("frame", columns, [column, ...], index)
    Series      ("series", column, index, name)
    index       ([name of a level, ...], [column, ...])

    column      ("n", array)                       numbers, or True and False
                ("m", array, mask)                 the same, where numbers may be missing
                ("w", kind, codes, [word, ...])    words; code -1 is a missing one
                ("t", "M" or "m", unit, zone, array)   times or durations, as whole numbers
                ("c", ordered, codes, column)      categories; code -1 is a missing one
                ("o", [cell, ...])                 of everything, as in a column of lists
"""

from __future__ import annotations

import datetime
import re
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any

import numpy as np

MAX_COLUMNS = 1_000
MAX_ROWS = 1 << 20
MAX_LEVELS = 8  # of an index
MAX_CHARACTERS = 1 << 23  # of the words of one column, each counted as often as it stands there
MAX_CELL_DEPTH = 4  # of lists in a cell
UNITS = ("s", "ms", "us", "ns")
WORDS = ("str", "string", "object")  # dtypes of a column of words
LEAVES = (type(None), bool, int, float, str)


class TableError(ValueError):
    """A table that cannot be sent, or parts that are no table; the text says which and why."""


def is_table(value: Any) -> bool:
    """Whether a value is a DataFrame or a Series; who has one has imported pandas."""
    pandas = sys.modules.get("pandas")
    return pandas is not None and isinstance(value, pandas.DataFrame | pandas.Series)


def checked(value: Any) -> Any:
    """The same table, made anew of its parts: a plain DataFrame or Series, whatever its class says
    of itself.

    Raises
    ------
    TableError : it holds something that is not compared

    >>> import pandas as pd
    >>> checked(pd.DataFrame({"price": [4.0, 5.5]})).shape
    (2, 1)
    """
    return table_of(parts(value))


# --- apart
# --------------------------------------------------------------------------------------------------


def parts(table: Any) -> tuple[Any, ...]:
    """Parts of a DataFrame or a Series.

    Parameters
    ----------
    table : DataFrame or Series

    Raises
    ------
    TableError : it is too large, or a column has a dtype, or holds something, that is not sent
    """
    pandas: Any = import_module("pandas")
    if isinstance(table, pandas.Series):
        _allow(len(table), MAX_ROWS, "rows")
        column = _column_parts(table.array, "the Series")
        return "series", column, _index_parts(table.index, "the index"), _label(table.name)
    _allow(table.shape[1], MAX_COLUMNS, "columns")
    _allow(len(table), MAX_ROWS, "rows")
    labels = [repr(label)[:60] for label in table.columns]
    columns = [
        _column_parts(table.iloc[:, k].array, f"column {said}") for k, said in enumerate(labels)
    ]
    return (
        "frame",
        _index_parts(table.columns, "the row of column names"),
        columns,
        _index_parts(table.index, "the index"),
    )


def _allow(count: int, most: int, what: str) -> None:
    if count > most:
        raise TableError(f"a table of {count:,} {what} is too large; {most:,} are allowed")


def _index_parts(index: Any, what: str) -> tuple[Any, ...]:
    levels = [index.get_level_values(k) for k in range(index.nlevels)]
    return [_label(name) for name in index.names], [
        _column_parts(one.array, what) for one in levels
    ]


def _label(label: Any) -> Any:
    label = label.item() if isinstance(label, np.generic) else label
    if type(label) not in LEAVES:
        raise TableError(f"the name {repr(label)[:60]} is no word and no number")
    return label


def _column_parts(values: Any, what: str) -> tuple[Any, ...]:
    """Parts of a column; ``values`` is an array of pandas, ``what`` says which it is."""
    pandas: Any = import_module("pandas")
    if type(values) is pandas.arrays.NumpyExtensionArray:  # a subclass holds words
        values = values.to_numpy()
    dtype = values.dtype
    if isinstance(dtype, pandas.CategoricalDtype):
        codes = np.asarray(values.codes, dtype=np.int32)
        return "c", bool(values.ordered), codes, _column_parts(values.categories.array, what)
    if dtype.kind in "mM" and (isinstance(dtype, np.dtype) or hasattr(dtype, "tz")):
        unit = dtype.unit if hasattr(dtype, "tz") else np.datetime_data(dtype)[0]
        return "t", dtype.kind, unit, _zone(getattr(dtype, "tz", None)), np.asarray(values.asi8)
    if isinstance(dtype, np.dtype) and dtype.kind in "biuf":
        return "n", np.asarray(values)
    if isinstance(dtype, pandas.StringDtype):
        kind = "string" if dtype.na_value is pandas.NA else "str"
        return _word_parts(np.asarray(values, dtype=object), kind)
    if isinstance(dtype, np.dtype) and dtype.kind == "O":
        cells = np.asarray(values, dtype=object)
        if all(isinstance(cell, str) or _is_missing(cell) for cell in cells):
            return _word_parts(cells, "object")
        return "o", [_cell(cell, what) for cell in cells]
    if hasattr(values, "isna") and getattr(dtype, "numpy_dtype", np.dtype("O")).kind in "biuf":
        numbers = values.to_numpy(dtype=dtype.numpy_dtype, na_value=0)
        return "m", np.asarray(numbers), np.asarray(values.isna(), dtype=np.bool_)
    raise TableError(
        f"{what} has the dtype {str(dtype)[:60]}, which is not compared; numbers, words, times and "
        "categories are"
    )


def _word_parts(cells: Any, kind: str) -> tuple[Any, ...]:
    pandas: Any = import_module("pandas")
    codes, words = pandas.factorize(cells)
    return "w", kind, codes.astype(np.int32), [str.__str__(word) for word in words]


def _zone(zone: Any) -> Any:
    """A time zone as None, a name, or the minutes by which it is fixed."""
    if zone is None or zone is datetime.UTC:
        return None if zone is None else "UTC"
    if isinstance(zone, datetime.timezone):
        return int(zone.utcoffset(None).total_seconds() // 60)
    return str(zone)


def _is_missing(cell: Any) -> bool:
    pandas: Any = import_module("pandas")
    return cell is None or cell is pandas.NA or cell is pandas.NaT or _is_nan(cell)


def _is_nan(cell: Any) -> bool:
    return isinstance(cell, float) and cell != cell


def _cell(cell: Any, what: str, depth: int = 0) -> Any:
    """A cell of a column that holds everything, as a plain value or a list of such."""
    if isinstance(cell, np.ndarray | np.generic) and cell.dtype.kind in "biufU":
        cell = cell.tolist()
    if type(cell) in LEAVES:
        return cell
    if _is_missing(cell):
        return None
    if isinstance(cell, list | tuple) and depth < MAX_CELL_DEPTH:
        return [_cell(item, what, depth + 1) for item in cell]
    raise TableError(
        f"{what} holds a {type(cell).__name__[:60]}; numbers, words, and lists of them are compared"
    )


# --- together
# --------------------------------------------------------------------------------------------------


def table_of(tree: Any) -> Any:
    """DataFrame or Series of its parts.

    Parameters
    ----------
    tree : what `parts` gave, or anything else

    Raises
    ------
    TableError : it is no table, whatever it is
    ImportError : there is no pandas
    """
    import_module("pandas")
    try:
        return _table(tree)
    except TableError:
        raise
    except Exception as error:  # pandas refuses what does not fit together, in many ways
        raise TableError(f"these are no parts of a table ({type(error).__name__})") from None


def _table(tree: Any) -> Any:
    pandas: Any = import_module("pandas")
    match tree:
        case ("series", column, index, name):
            values, rows = _made(column), _made_index(index)
            _same_length(len(values), len(rows))
            return pandas.Series(values, index=rows, name=_label(name), dtype=_object(values))
        case ("frame", columns, list(listed), index) if len(listed) <= MAX_COLUMNS:
            names, rows = _made_index(columns), _made_index(index)
            _same_length(len(listed), len(names))
            made = [_made(column) for column in listed]
            for values in made:
                _same_length(len(values), len(rows))
            series = (pandas.Series(one, index=rows, dtype=_object(one)) for one in made)
            frame = pandas.DataFrame(dict(enumerate(series)), index=rows)
            frame.columns = names
            return frame
    raise TableError("these are no parts of a table")


def _object(values: Any) -> Any:
    """The dtype that keeps a column of objects what it is; pandas would make words of it."""
    pandas: Any = import_module("pandas")
    return object if type(values) is pandas.arrays.NumpyExtensionArray else None


def _same_length(count: int, other: int) -> None:
    if count != other or count > MAX_ROWS:
        raise TableError(f"a table whose parts have {count:,} and {other:,} entries is none")


def _made_index(tree: Any) -> Any:
    pandas: Any = import_module("pandas")
    names, columns = tree
    if not 0 < len(columns) <= MAX_LEVELS or len(names) != len(columns):
        raise TableError("an index has between 1 and 8 levels, and a name for each")
    names, levels = [_label(name) for name in names], [_made(column) for column in columns]
    for level in levels:
        _same_length(len(level), len(levels[0]))
    if len(levels) > 1:
        return pandas.MultiIndex.from_arrays(levels, names=names)
    made = pandas.Index(levels[0], name=names[0], dtype=_object(levels[0]))
    if made.dtype == np.int64 and np.array_equal(made, np.arange(len(made))):
        return pandas.RangeIndex(len(made), name=names[0])
    return made


def _made(tree: Any, within: bool = False) -> Any:
    """Array of pandas, or of NumPy, of the parts of a column."""
    pandas: Any = import_module("pandas")
    match tree:
        case ("n", numbers):
            return _array_of_kinds(numbers, "biuf")
        case ("m", numbers, mask):
            array = pandas.array(_array_of_kinds(numbers, "biuf"), dtype=_nullable(numbers.dtype))
            array[_array_of_kinds(mask, "b")] = pandas.NA
            return array
        case ("w", str(kind), codes, list(words)) if kind in WORDS:
            return pandas.array(_spelled(codes, words), dtype=kind)
        case ("t", "M" | "m" as kind, str(unit), zone, numbers) if unit in UNITS:
            return _time_parts(kind, unit, zone, _array_of_kinds(numbers, "i"))
        case ("c", bool(ordered), codes, categories) if not within:
            kinds = pandas.Index(_made(categories, within=True))
            return pandas.Categorical.from_codes(
                _array_of_kinds(codes, "i"), kinds, ordered=ordered
            )
        case ("o", list(cells)) if not within:
            made = np.empty(len(cells), dtype=object)
            for k, cell in enumerate(cells):  # one by one: a list must stay a list
                made[k] = _plain_cell(cell)
            return pandas.array(made, dtype=object)
    raise TableError("a column of a table is none")


def _array_of_kinds(value: Any, kinds: str) -> Any:
    if not isinstance(value, np.ndarray) or value.ndim != 1 or value.dtype.kind not in kinds:
        raise TableError("a column of a table is none")
    _allow(len(value), MAX_ROWS, "rows")
    return value


def _nullable(dtype: np.dtype[Any]) -> str:
    if dtype.kind == "b":
        return "boolean"
    name = {"i": "Int", "u": "UInt", "f": "Float"}[dtype.kind]
    return f"{name}{max(8 * dtype.itemsize, 32 if dtype.kind == 'f' else 8)}"


def _spelled(codes: Any, words: Sequence[Any]) -> Any:
    """Words by their codes, None for a missing one."""
    codes = _array_of_kinds(codes, "i")
    if not all(type(word) is str for word in words):
        raise TableError("a column of words holds something else")
    if len(codes) and not -1 <= codes.min() <= codes.max() < len(words):
        raise TableError("a column of words has a code that stands for none")
    lengths = np.array([*map(len, words), 0])
    _allow(int(lengths[codes].sum()), MAX_CHARACTERS, "characters in one column")
    known = np.empty(len(words) + 1, dtype=object)
    known[:-1] = words
    return known[codes]  # the last one, None, is that of code -1


def _time_parts(kind: str, unit: str, zone: Any, numbers: Any) -> Any:
    pandas: Any = import_module("pandas")
    made = np.ascontiguousarray(numbers, dtype=np.int64).view(f"{kind}8[{unit}]")
    if zone is None:
        return made
    if type(zone) is int and abs(zone) < 24 * 60:
        known: Any = datetime.timezone(datetime.timedelta(minutes=zone))
    elif type(zone) is str and re.fullmatch(r"[A-Za-z0-9_+/-]{1,64}", zone):
        # by name in a list, never a file that somebody names
        known = import_module("zoneinfo").ZoneInfo(zone)
    else:
        raise TableError("a time zone is none")
    return pandas.DatetimeIndex(made).tz_localize("UTC").tz_convert(known).array


def _plain_cell(cell: Any, depth: int = 0) -> Any:
    if type(cell) in LEAVES:
        return cell
    if type(cell) is list and depth < MAX_CELL_DEPTH:
        return [_plain_cell(item, depth + 1) for item in cell]
    raise TableError("a cell of a table is none")

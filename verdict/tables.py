"""Where two tables of pandas differ, in words: columns, rows, dtypes, index.

Numbers are compared up to a tolerance, which is relative to the largest one that is expected in
their column; all else as it is. What kind a column is counts (numbers, words, times, durations,
categories), and not how it is stored: int64 and float32 are both numbers, True and 1 are equal, and
None, NaN and NaT all say that something is missing. A name is compared where the expected table has
one.
"""

from __future__ import annotations

from collections import Counter
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from verdict import exact
from verdict.table_parts import is_table

Bad = NDArray[np.bool_]

# Numbers smaller than this are compared absolutely: an output that should be 0 may come out as
# 1e-17.
SMALLEST_SCALE = 1e-6
MOST_TOLD = 3  # columns of which is said what is wrong with them
MOST_SORTED = 10_000  # rows up to which it is looked whether only their order is another


def table_kind(value: Any) -> str:
    """What a table is, in words.

    >>> import pandas as pd
    >>> table_kind(pd.Series([1]))
    'a Series'
    """
    return f"a {'Series' if value.ndim == 1 else 'DataFrame'}"


def table_difference(got: Any, expected: Any, tolerance: float) -> str:
    """Where two tables differ, in words that say nothing of what was expected there; empty where
    they do not.

    Parameters
    ----------
    got, expected : DataFrame or Series, as `table_parts.checked` makes them
    tolerance : of numbers, relative to the largest of the column

    >>> import pandas as pd
    >>> a, b = pd.DataFrame({"p": [1.0, 2.0]}), pd.DataFrame({"p": [1.0, 3.0]})
    >>> table_difference(a, b, 1e-6)
    "column 'p' differs in 1 of 2 rows, first in row 1"
    """
    if not is_table(got) or table_kind(got) != table_kind(expected):
        came = table_kind(got) if is_table(got) else exact.kind(got)
        return f"it is {came}, and {table_kind(expected)} was expected"
    if expected.ndim == 2 and (said := _labels(got.columns, expected.columns)):
        return said
    if len(got) != len(expected):
        rows = "row" if len(got) == 1 else "rows"
        return f"it has {len(got):,} {rows}, and {len(expected):,} were expected"
    if said := _wrong_index(got.index, expected.index):
        return said
    if expected.ndim == 1:
        if expected.name is not None and got.name != expected.name:
            return f"its name is {_shown(got.name)}"
        return f"it {said}" if (said := _wrong_column(got, expected, tolerance)) else ""
    return _columns(got, expected, tolerance)


def _columns(got: Any, expected: Any, tolerance: float) -> str:
    told = []
    for k, label in enumerate(got.columns):
        if said := _wrong_column(got.iloc[:, k], expected.iloc[:, k], tolerance):
            told.append(f"column {_shown(label)} {said}")
    more = len(told) - MOST_TOLD
    others = [f"{more} more {'columns differ' if more > 1 else 'column differs'}"] * (more > 0)
    return "; ".join([*told[:MOST_TOLD], *others])


def _labels(got: Any, expected: Any) -> str:
    """Whether the columns have the names that they must, in the order that is asked for."""
    ours, theirs = list(map(_plain_label, got)), list(map(_plain_label, expected))
    if ours == theirs:
        return ""
    missing, more = Counter(theirs) - Counter(ours), Counter(ours) - Counter(theirs)
    if not missing and not more:
        return "its columns are in another order"
    told = []
    if count := missing.total():
        told.append(f"lacks {count} {'column' if count == 1 else 'columns'}")
    if count := more.total():
        names = ", ".join(map(_shown, list(more)[:MOST_TOLD])) + ", ..." * (len(more) > MOST_TOLD)
        told.append(
            f"has {'a column' if count == 1 else f'{count} columns'} not asked for: {names}"
        )
    return f"it {' and '.join(told)}"


def _wrong_index(got: Any, expected: Any) -> str:
    if got.nlevels != expected.nlevels:
        levels = "level" if got.nlevels == 1 else "levels"
        return f"its index has {got.nlevels} {levels}, and {expected.nlevels} were expected"
    for name, wanted in zip(got.names, expected.names, strict=True):
        if wanted is not None and name != wanted:
            return f"its index has the name {_shown(name)}"
    for k in range(expected.nlevels):
        ours, theirs = (_as_series(one.get_level_values(k)) for one in (got, expected))
        if said := _wrong_column(ours, theirs, 1e-9):
            if len(got) <= MOST_SORTED and sorted(map(repr, got)) == sorted(map(repr, expected)):
                return "its rows are in another order"
            return f"its index {said}"
    return ""


def _as_series(index: Any) -> Any:
    pandas: Any = import_module("pandas")
    return pandas.Series(index.array)


def _wrong_column(got: Any, expected: Any, tolerance: float) -> str:
    """What is wrong with a column, as the end of a sentence; empty where it is right."""
    gone, wanted_gone = got.isna().to_numpy(), expected.isna().to_numpy()
    if gone.all() and wanted_gone.all():
        return ""  # of no kind
    kinds = _column_kind(got), _column_kind(expected)
    if kinds[0] != kinds[1] and not gone.all():
        return f"holds {kinds[0]}, and {kinds[1]} were expected"
    if (differs := gone != wanted_gone).any():
        row = _row(got, int(np.argmax(differs)))
        what = "no value" if gone[differs][0] else "a value, and none was expected there"
        return f"has {what}, first in {row}"
    present = ~gone
    compare = _COMPARE[kinds[1]]
    bad = compare(got[present], expected[present], tolerance)
    if isinstance(bad, str):
        return bad
    if not bad.any():
        return ""
    first = _row(got, int(np.flatnonzero(present)[np.argmax(bad)]))
    return f"differs in {int(bad.sum()):,} of {len(got):,} rows, first in {first}"


def _row(column: Any, at: int) -> str:
    """A row by its number, and by its index where that says something else."""
    label = column.index[at]
    return f"row {at}" if _plain_label(label) == at else f"row {at} (index {_shown(label)})"


def _shown(label: Any) -> str:
    return repr(_plain_label(label) if not hasattr(label, "isoformat") else str(label))[:60]


def _plain_label(label: Any) -> Any:
    return label.item() if isinstance(label, np.generic) else label


# --- what is in a column
# --------------------------------------------------------------------------------------------------


def _column_kind(column: Any) -> str:
    dtype = column.dtype
    pandas: Any = import_module("pandas")
    if isinstance(dtype, pandas.CategoricalDtype):
        return "categories"
    if isinstance(dtype, pandas.StringDtype):
        return "words"
    if dtype.kind in "biuf":
        return "numbers"
    if dtype.kind in "mM":
        return "times" if dtype.kind == "M" else "durations"
    cells = column.dropna()
    if all(isinstance(cell, str) for cell in cells):
        return "words"
    return "numbers" if all(isinstance(c, bool | int | float) for c in cells) else "mixed values"


def _numbers(got: Any, expected: Any, tolerance: float) -> Bad:
    a, b = (one.to_numpy(dtype=np.float64) for one in (got, expected))
    with np.errstate(all="ignore"):
        scale = np.abs(b[np.isfinite(b)]).max(initial=SMALLEST_SCALE)
        # Written with <=, never with `not >`: NaN must be rejected.
        right = (np.abs(a - b) <= tolerance * scale) & np.isfinite(a)
        return np.asarray(~(right | (a == b)))


def _wrong_words(got: Any, expected: Any, tolerance: float) -> Bad:
    a, b = (one.to_numpy(dtype=object) for one in (got, expected))
    return np.asarray(a != b, dtype=np.bool_)


def _wrong_times(got: Any, expected: Any, tolerance: float) -> Bad | str:
    ours, theirs = (getattr(one.dtype, "tz", None) for one in (got, expected))
    if str(ours) != str(theirs):
        return (
            f"has {'no' if ours is None else 'another'} time zone"
            if theirs
            else ("has a time zone, and none was expected")
        )
    a, b = (one.dt.tz_convert(None) if ours else one for one in (got, expected))
    return np.asarray(a.to_numpy() != b.to_numpy(), dtype=np.bool_)


def _durations(got: Any, expected: Any, tolerance: float) -> Bad:
    return np.asarray(got.to_numpy() != expected.to_numpy(), dtype=np.bool_)


def _categories(got: Any, expected: Any, tolerance: float) -> Bad | str:
    ours, theirs = (list(map(_plain_label, one.cat.categories)) for one in (got, expected))
    if got.cat.ordered != expected.cat.ordered:
        return f"has categories that are {'' if got.cat.ordered else 'not '}in order"
    if Counter(ours) != Counter(theirs):
        return "has other categories"
    if expected.cat.ordered and ours != theirs:
        return "has its categories in another order"
    return _wrong_words(got, expected, tolerance)


def _wrong_mixed(got: Any, expected: Any, tolerance: float) -> Bad:
    pairs = zip(got, expected, strict=True)
    return np.array(
        [not exact.same(exact.tree(a), exact.tree(b)) for a, b in pairs], dtype=np.bool_
    )


_COMPARE: dict[str, Any] = {
    "numbers": _numbers,
    "words": _wrong_words,
    "times": _wrong_times,
    "durations": _durations,
    "categories": _categories,
    "mixed values": _wrong_mixed,
}

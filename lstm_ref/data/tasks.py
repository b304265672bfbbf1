"""What `load` returns: one small object for each kind of task."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lstm_ref.errors import ArgumentError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Series(NamedTuple):
    """Numbers in the order of time, for forecasting.

    ``time`` is (L,) datetime64[D], the first day of each step. ``values`` is (L, D) float64; NaN
    where nothing was measured (`fill_forward` closes gaps without looking ahead). ``period`` is the
    number of steps in one season, 1 where no season has a fixed length.
    """

    time: NDArray[np.datetime64]
    values: Floats
    columns: tuple[str, ...]
    unit: str
    period: int

    def column(self, name: str) -> Floats:
        """Values (L, 1) of one column, a copy: still (L, D), with D = 1.

        Raises
        ------
        ArgumentError : no column of that name; the message lists those that exist
        """
        if name not in self.columns:
            raise ArgumentError(
                f"column: there is no column {name!r}; there are: {', '.join(self.columns)}"
            )
        k = self.columns.index(name)
        return self.values[:, k : k + 1].copy()


class Sentences(NamedTuple):
    """Sentences and what each of them says, for classification.

    ``labels`` is (n,) int64: ``label_names[labels[k]]`` is what sentence k says. ``words`` are
    apart by spaces.
    """

    texts: tuple[str, ...]
    labels: Ints
    label_names: tuple[str, ...]


class Pairs(NamedTuple):
    """Sentences and their translations.

    ``attribution`` says who wrote each pair, where the licence asks for it; else it is empty.
    """

    source: tuple[str, ...]
    target: tuple[str, ...]
    source_language: str
    target_language: str
    attribution: tuple[str, ...] = ()


class Summaries(NamedTuple):
    """Texts and one sentence about each.

    ``groups`` names what belongs together, such as the module that a text stands in: split by it
    (`split_by_group`).
    """

    texts: tuple[str, ...]
    summaries: tuple[str, ...]
    groups: tuple[str, ...]


class Recordings(NamedTuple):
    """Spoken digits.

    ``sounds`` holds one (length,) float32 array for each recording, from -1 to 1, ``rate`` samples
    a second. ``digits`` and ``takes`` are (n,) int64; ``speakers`` are names. ``is_test`` is (n,)
    bool, the split that comes with the data. It shares its speakers with the rest: to ask about
    unknown speakers, use ``split_by_group(speakers)``.
    """

    sounds: tuple[NDArray[np.float32], ...]
    digits: Ints
    speakers: tuple[str, ...]
    takes: Ints
    is_test: NDArray[np.bool_]
    rate: int


def as_ints(values: Any) -> Ints:
    """Array (n,) int64 of whole numbers."""
    return np.asarray(values, dtype=np.int64)

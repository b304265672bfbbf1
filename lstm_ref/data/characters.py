"""From a text to the arrays that train a model of characters: split, vocabulary, batches."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lstm_ref.errors import ArgumentError

Ids = NDArray[np.int64]

UNKNOWN = "\N{REPLACEMENT CHARACTER}"


class Split(NamedTuple):
    """Three pieces of one text, in the order in which they stand in it."""

    train: str
    validation: str
    test: str


def split_text(text: str, validation: float = 0.1, test: float = 0.1) -> Split:
    """Cut a text into three consecutive pieces: the beginning trains, the end is kept for the last
    test.

    Cutting by position keeps the pieces apart. Windows drawn at random would overlap: almost every
    validation window would share characters with a training window.

    Parameters
    ----------
    text : the whole text
    validation, test : share of the characters, each 0 or more, together less than 1

    Returns
    -------
    Split : train, validation, test; joined again they are the text

    Raises
    ------
    ArgumentError : shares that do not fit, or a piece that should hold something and would be empty

    Examples
    --------
    >>> split_text("abcdefghij", validation=0.2, test=0.1)
    Split(train='abcdefg', validation='hi', test='j')
    """
    if not (validation >= 0 and test >= 0 and validation + test < 1):
        raise ArgumentError(
            "split_text: validation and test must be 0 or more and together less than 1, got "
            f"validation={validation}, test={test}"
        )
    # Rounded once each, so that shares like 0.2 + 0.1 do not lose a character to binary fractions.
    n_validation, n_test = round(len(text) * validation), round(len(text) * test)
    n_train = len(text) - n_validation - n_test
    for name, share, length in (
        ("train", 1.0, n_train),
        ("validation", validation, n_validation),
        ("test", test, n_test),
    ):
        if share > 0 and length < 1:
            raise ArgumentError(
                f"split_text: a text of {len(text)} characters leaves nothing for {name}; give a "
                "longer one"
            )
    return Split(
        text[:n_train], text[n_train : n_train + n_validation], text[n_train + n_validation :]
    )


class Vocabulary:
    """Characters and their ids. Built from the training text alone: validation text must stay
    unseen.

    Id 0 is the unknown character. Every other id stands for one character, in the order of their
    Unicode numbers, so that the same text gives the same ids everywhere.

    Parameters
    ----------
    training_text : what the characters are taken from
    min_count : a character that occurs less often becomes unknown. With 1 the model never meets the
        unknown in training and cannot learn how likely it is.

    Raises
    ------
    ArgumentError : an empty text, a min_count below 1, or one that leaves no character

    Examples
    --------
    >>> vocabulary = Vocabulary("abba cab", min_count=2)
    >>> len(vocabulary), vocabulary.characters
    (3, ('\N{REPLACEMENT CHARACTER}', 'a', 'b'))
    >>> vocabulary.encode("bad")
    array([2, 1, 0])
    >>> vocabulary.decode([2, 1])
    'ba'
    """

    def __init__(self, training_text: str, min_count: int = 1) -> None:
        if min_count < 1:
            raise ArgumentError(f"Vocabulary: min_count must be 1 or more, got {min_count}")
        counts = Counter(training_text)
        known = sorted(c for c, count in counts.items() if count >= min_count and c != UNKNOWN)
        if not known:
            raise ArgumentError(
                f"Vocabulary: no character occurs {min_count} times or more in a training text of "
                f"{len(training_text)} characters; give a longer text or a smaller min_count"
            )
        self.characters = (UNKNOWN, *known)
        self._ids = {c: k for k, c in enumerate(self.characters)}

    def __len__(self) -> int:
        """Return V: the number of ids, the unknown included."""
        return len(self.characters)

    def __repr__(self) -> str:
        return f"Vocabulary of {len(self)} characters: {''.join(self.characters)!r}"

    def encode(self, text: str) -> Ids:
        """Ids of the characters of a text.

        Returns
        -------
        ids : (len(text),) int64, 0 where a character is unknown
        """
        return np.fromiter((self._ids.get(c, 0) for c in text), np.int64, len(text))

    def decode(self, ids: Any) -> str:
        """Text of a one-dimensional array or list of ids; an unknown character comes back as
        U+FFFD.

        Raises
        ------
        ArgumentError : an id that is not in 0 ... V-1, not an integer, or not one axis
        """
        array = np.asarray(ids)
        if array.size == 0:
            return ""
        if array.ndim != 1 or array.dtype.kind not in "iu":
            raise ArgumentError(
                f"decode: ids must be integers with one axis, got {array.dtype} with shape "
                f"{array.shape}"
            )
        outside = array[(array < 0) | (array >= len(self))]
        if outside.size:
            raise ArgumentError(
                f"decode: an id must be in 0 ... {len(self) - 1}, got {outside[0]}; is it another "
                "vocabulary's?"
            )
        return "".join(self.characters[k] for k in array)


def batches(ids: Ids, N: int, T: int) -> Iterator[tuple[Ids, Ids]]:
    """Inputs and targets for truncated backpropagation through time, in the order of the text.

    The text is cut into N lanes of equal length. Row n of every batch is the next piece of lane n,
    so the state after one batch is the right state before the next: carry it on, and set it to zero
    only when a new pass begins. (Windows drawn at random have no state to carry, and a model
    trained on them never sees more than T characters.) The target is the input shifted by one:
    ``y[n, t]`` is the character that follows ``x[n, t]``.

    Parameters
    ----------
    ids : (L,), the encoded text
    N : number of lanes
    T : characters in one piece

    Yields
    ------
    x, y : (N, T) int64 each, copies. There are (L - 1) // N // T pairs; what does not fill a piece
        at the end of a lane is left out.

    Raises
    ------
    ArgumentError : N or T below 1, ids that are not integers with one axis, or fewer than N T + 1
        of them

    Examples
    --------
    >>> for x, y in batches(np.arange(13), N=2, T=3):
    ...     print(x.tolist(), y.tolist())
    [[0, 1, 2], [6, 7, 8]] [[1, 2, 3], [7, 8, 9]]
    [[3, 4, 5], [9, 10, 11]] [[4, 5, 6], [10, 11, 12]]
    """
    array = np.asarray(ids)
    if N < 1 or T < 1:
        raise ArgumentError(f"batches: N and T must be 1 or more, got N={N}, T={T}")
    if array.ndim != 1 or array.dtype.kind not in "iu":
        raise ArgumentError(
            f"batches: ids must be integers with one axis, got {array.dtype} with shape "
            f"{array.shape}; use Vocabulary.encode(text)"
        )
    if len(array) < N * T + 1:
        raise ArgumentError(
            f"batches: N={N} lanes of T={T} characters and one last target need {N * T + 1} ids, "
            f"got {len(array)}; make N or T smaller, or give a longer text"
        )
    return _batches(array.astype(np.int64), N, T)


def _batches(ids: Ids, N: int, T: int) -> Iterator[tuple[Ids, Ids]]:
    """Yield what `batches` has checked: apart, because a generator would raise only when it is
    first asked.
    """
    length = (len(ids) - 1) // N  # of a lane
    x_lanes = ids[: N * length].reshape(N, length)
    y_lanes = ids[1 : N * length + 1].reshape(N, length)
    for start in range(0, length - T + 1, T):
        yield x_lanes[:, start : start + T].copy(), y_lanes[:, start : start + T].copy()

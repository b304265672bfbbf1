"""Which items train, which choose between models, which are kept for the last test.

A random split is right only if the items have nothing to do with each other. Each function here is
for one way in which they do, and each returns indices: ``values[parts.train]``.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any, NamedTuple

import numpy as np

from lstm_ref.data.tasks import Ints, as_ints
from lstm_ref.errors import ArgumentError


class Parts(NamedTuple):
    """Indices of the items of each part, in increasing order; no item is in two of them."""

    train: Ints
    validation: Ints
    test: Ints


def split_by_time(L: int, validation: float = 0.1, test: float = 0.1, gap: int = 0) -> Parts:
    """Past for training, then a stretch for validation, then the newest for the test, and gaps
    between them.

    The mistake that this prevents: windows drawn at random from the whole series. A test window
    then has neighbours on both sides that were trained on, and half of its numbers in them. Asked
    about the future, the model does much worse.

    Even so, neighbours across a cut resemble each other. A gap keeps them apart: with windows of T
    steps and a horizon, what is left out should be as long as it takes for the series to forget.

    Parameters
    ----------
    L : number of steps
    validation, test : share of the steps, each 0 or more, together less than 1; 0 gives an empty
        part, and no gap before it
    gap : steps left out before validation, and before test

    Raises
    ------
    ArgumentError : shares or a gap that do not fit, or a part that should hold something and would
        be empty

    Examples
    --------
    >>> split_by_time(10, validation=0.2, test=0.2, gap=1)
    Parts(train=array([0, 1, 2, 3]), validation=array([5, 6]), test=array([8, 9]))
    """
    _check_shares("split_by_time", validation, test)
    if gap < 0:
        raise ArgumentError(f"split_by_time: gap must be 0 or more, got {gap}")
    n_validation, n_test = round(L * validation), round(L * test)
    test_start = L - n_test
    validation_stop = test_start - (gap if test > 0 else 0)
    validation_start = validation_stop - n_validation
    train_stop = validation_start - (gap if validation > 0 else 0)
    if train_stop < 1 or (validation > 0 and n_validation < 1) or (test > 0 and n_test < 1):
        raise ArgumentError(
            f"split_by_time: {L} steps with validation={validation}, test={test} and gap={gap} "
            "leave nothing for one of the parts; give a longer series, larger shares or a smaller "
            "gap"
        )
    return Parts(
        np.arange(train_stop),
        np.arange(validation_start, validation_stop),
        np.arange(test_start, L),
    )


def split_by_group(
    groups: Sequence[Hashable], validation: float = 0.1, test: float = 0.1, seed: int = 0
) -> Parts:
    """All items of one group on one side: a speaker, a document, a source sentence with its
    translations.

    The mistake that this prevents: the same voice in training and test. The model learns the voice,
    and the test praises it for that; a stranger is understood much worse.

    Parameters
    ----------
    groups : one name for each item, in their order
    validation, test : share of the groups, not of the items; above 0 it gives at least one group
    seed : which groups are drawn

    Raises
    ------
    ArgumentError : shares that do not fit, or too few groups

    Examples
    --------
    >>> split_by_group(["ann", "bob", "ann", "cy", "bob"], validation=0.3, test=0.3)
    Parts(train=array([1, 4]), validation=array([0, 2]), test=array([3]))
    """
    _check_shares("split_by_group", validation, test)
    # In the order in which they first stand there, so that the same list gives the same split on
    # every machine.
    ids = {group: k for k, group in enumerate(dict.fromkeys(groups))}
    n_validation, n_test = (
        max(1, round(len(ids) * share)) if share > 0 else 0 for share in (validation, test)
    )
    if len(ids) <= n_validation + n_test:
        raise ArgumentError(
            f"split_by_group: {len(ids)} groups cannot give {n_validation} to validation, {n_test} "
            "to test and at least 1 to training; make the shares smaller, or use groups that are "
            "finer"
        )
    part = np.zeros(len(ids), int)  # 0 train, 1 validation, 2 test
    order = np.random.default_rng(seed).permutation(len(ids))
    part[order[:n_test]] = 2
    part[order[n_test : n_test + n_validation]] = 1
    return _parts(part[[ids[group] for group in groups]])


def split_stratified(
    texts: Sequence[str], labels: Any, validation: float = 0.1, test: float = 0.1, seed: int = 0
) -> Parts:
    """Sentences at random, every label in every part in its share, and copies of one sentence on
    one side.

    The mistakes that this prevents: a part in which a rare label does not occur; a file that is
    sorted by label and cut in the middle; and the sentence that stands in the data twice, so that
    the test asks for what was learnt by heart. Sentences count as copies when they differ only in
    case and white space. Copies with different labels stay together, too, and count by the label of
    the first.

    Parameters
    ----------
    texts : n sentences
    labels : (n,) integers
    validation, test : share of the different sentences of each label, each 0 or more, together less
        than 1
    seed : which sentences are drawn

    Raises
    ------
    ArgumentError : shares or labels that do not fit, or a label with too few sentences for every
        part

    Examples
    --------
    >>> texts = ["good", "bad", "fine", "dull", "Good", "weak", "nice", "poor"]
    >>> split_stratified(texts, [1, 0, 1, 0, 1, 0, 1, 0], validation=0, test=0.4)
    Parts(train=array([0, 2, 3, 4, 7]), validation=array([], dtype=int64), test=array([1, 5, 6]))
    """
    _check_shares("split_stratified", validation, test)
    array = np.asarray(labels)
    if array.shape != (len(texts),) or array.dtype.kind not in "iub":
        raise ArgumentError(
            f"split_stratified: labels must be integers, one for each of the {len(texts)} texts, "
            f"got {array.dtype} with shape {array.shape}"
        )
    keys = [" ".join(text.split()).casefold() for text in texts]
    first = {key: k for k, key in reversed(list(enumerate(keys)))}  # of copies, the first one stays
    different = as_ints(sorted(first.values()))
    rng = np.random.default_rng(seed)
    part = np.zeros(len(texts), int)
    for label in np.unique(array[different]):
        drawn = rng.permutation(different[array[different] == label])
        n_validation, n_test = round(len(drawn) * validation), round(len(drawn) * test)
        if (
            len(drawn) <= n_validation + n_test
            or n_validation < (validation > 0)
            or n_test < (test > 0)
        ):
            raise ArgumentError(
                f"split_stratified: label {label} has {len(drawn)} different sentences, too few "
                f"for every part with validation={validation} and test={test}; make the shares "
                "larger, or leave the label out"
            )
        part[drawn[:n_test]] = 2
        part[drawn[n_test : n_test + n_validation]] = 1
    return _parts(part[[first[key] for key in keys]])


def _check_shares(operation: str, validation: float, test: float) -> None:
    if not (validation >= 0 and test >= 0 and validation + test < 1):
        raise ArgumentError(
            f"{operation}: validation and test must be 0 or more and together less than 1, got "
            f"validation={validation}, test={test}"
        )


def _parts(part: Any) -> Parts:
    return Parts(*(as_ints(np.flatnonzero(part == k)) for k in range(3)))

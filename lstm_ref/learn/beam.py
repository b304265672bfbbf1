"""Beam search: of all texts that a model could write, a likely one, found without trying them all.

A model gives p(next word | words so far). The likeliest text is not the one whose words are each
the likeliest: a good start may lead nowhere. Beam search keeps the K best starts at each step, goes
on with every word from each of them, and keeps the K best of those K V again. With K = 1 it is
*greedy*: the likeliest word at each step.

A sum of logarithms can only fall, so that the shortest text is the likeliest one. The score
therefore divides by a power of the length, L words with the end:

    score(y) = log p(y) / ((5 + L) / 6)^alpha          alpha = 0: log p itself

Source: Graves (2012) for the search in recurrent networks; Wu et al. (2016) for the rule of length.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from lstm_ref.errors import ArgumentError, Array

NextWord = Callable[[Array, Any], tuple[Array, Any]]


class Hypothesis(NamedTuple):
    """A text that the search has written: ids without start and end, whether it came to its end,
    log p, and its score.
    """

    ids: tuple[int, ...]
    ended: bool
    log_p: float
    score: float


def beam_search(
    step: NextWord,
    state: Any,
    *,
    start: int,
    end: int,
    longest: int,
    width: int = 4,
    alpha: float = 0.0,
) -> list[Hypothesis]:
    """Write one text; the best hypothesis stands first.

    Parameters
    ----------
    step : step(ids, state) -> log p of the next word (K, V), state; ids (K,) are the last words of
        the K starts that are kept
    state : what the model remembers before the first word: an array (1, ...), or a tuple, list or
        dict of such, whose first axis becomes K; None where it remembers nothing. Anything that
        takes an index array will do, tensors too
    start : id that stands before the first word
    end : id that ends a text
    longest : most words of a text, its end counted
    width : K
    alpha : of the rule of length, 0 or more

    Returns
    -------
    hypotheses : 1 to ``width`` of them, by falling score. Only where none came to its end, those
        that did not

    Raises
    ------
    ArgumentError : width or longest below 1, a negative alpha, a step that does not give (K, V)
        logarithms, or one after which no word can follow

    Examples
    --------
    Greedy takes word 1, the likeliest at first, and then has no good way on. Word 2 has one. 0
    ends, 3 stands at the start.

    >>> table = {3: [0, 0.6, 0.4, 0], 1: [0.35, 0.35, 0.3, 0], 2: [0.9, 0, 0.1, 0]}
    >>> def step(ids, state):
    ...     with np.errstate(divide="ignore"):
    ...         return np.log([table[k] for k in ids.tolist()]), state
    >>> for width in (1, 2):
    ...     best = beam_search(step, None, start=3, end=0, longest=2, width=width)[0]
    ...     print(best.ids, round(float(np.exp(best.log_p)), 2))
    (1,) 0.21
    (2,) 0.36
    """
    _check(longest, width, alpha)
    ids, total = np.full((1, 1), start), np.zeros(1)
    done: list[Hypothesis] = []
    for length in range(1, longest + 1):
        log_p, state = step(ids[:, -1], state)
        rows, words, total = _best(_checked(log_p, len(ids)) + total[:, np.newaxis], width)
        ids = np.column_stack([ids[rows], words])
        ended = words == end
        rule = _length_rule(length, alpha)
        done += [_hypothesis(ids[k, 1:-1], True, total[k], rule) for k in np.flatnonzero(ended)]
        ids, total, state = ids[~ended], total[~ended], _rows(state, rows[~ended])
        # A start can only become less likely: at most it has the log p of now, over the greatest
        # length.
        if len(ids) == 0 or (
            done and max(one.score for one in done) >= total.max() / _length_rule(longest, alpha)
        ):
            break
    found = done or [
        _hypothesis(some[1:], False, p, rule) for some, p in zip(ids, total, strict=True)
    ]
    if not found:
        raise ArgumentError(
            "beam_search: after some step no word can follow: all its logarithms are -inf"
        )
    return sorted(found, key=lambda one: -one.score)[:width]


def _best(total: Array, width: int) -> tuple[Array, Array, Array]:
    """Rows, words and values of the greatest of (K, V), at most `width`; what is impossible is left
    out.
    """
    flat = total.ravel()
    chosen = np.argsort(-flat, kind="stable")[:width]
    chosen = chosen[flat[chosen] > -np.inf]
    rows, words = np.divmod(chosen, total.shape[1])
    return rows, words, flat[chosen]


def _rows(state: Any, rows: Array) -> Any:
    """The state of the chosen starts."""
    if isinstance(state, dict):
        return {name: _rows(part, rows) for name, part in state.items()}
    if isinstance(state, tuple | list):
        return type(state)(_rows(part, rows) for part in state)
    return None if state is None else state[rows]


def _length_rule(length: int, alpha: float) -> float:
    """What log p is divided by, for a text of `length` words with its end."""
    return float(((5 + length) / 6) ** alpha)


def _hypothesis(ids: Array, ended: bool, log_p: float, rule: float) -> Hypothesis:
    return Hypothesis(tuple(map(int, ids)), ended, float(log_p), float(log_p / rule))


def _checked(log_p: Any, K: int) -> Array:
    array = np.asarray(log_p, np.float64)
    if (
        array.ndim != 2
        or len(array) != K
        or np.isnan(array).any()
        or (array.size and array.max() > 1e-6)
    ):
        raise ArgumentError(
            f"beam_search: step must give logarithms of probabilities (K, V) with K = {K}, 0 or "
            f"less and no NaN, got shape {array.shape}; are they scores before log_softmax?"
        )
    return array


def _check(longest: int, width: int, alpha: float) -> None:
    if longest < 1 or width < 1 or not alpha >= 0:
        raise ArgumentError(
            f"beam_search: longest and width must be 1 or more and alpha 0 or more, got {longest}, "
            f"{width} and {alpha}"
        )

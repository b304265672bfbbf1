"""What a unit might count or track in a text, one number a step: for the inspector's order
"signal".
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lstm_ref.errors import Array


def depth(tokens: str | Sequence[str], opening: str = "([{", closing: str = ")]}") -> Array:
    """How many brackets are open after each token, never below zero.

    Parameters
    ----------
    tokens : T characters or words; a word counts all of its brackets
    opening, closing : the characters that open and close

    Returns
    -------
    depth : (T,)

    Examples
    --------
    >>> depth("f(g[0])").tolist()
    [0.0, 1.0, 1.0, 2.0, 2.0, 1.0, 0.0]
    """
    deep, found = 0, []
    for token in tokens:
        for letter in token:
            deep = (
                deep + 1 if letter in opening else max(deep - 1, 0) if letter in closing else deep
            )
        found.append(deep)
    return np.array(found, float)


def inside(tokens: str | Sequence[str], mark: str = '"') -> Array:
    """1 from a quotation mark to the one that ends the quotation, 0 elsewhere.

    Parameters
    ----------
    tokens : T characters or words
    mark : the character that opens and closes

    Returns
    -------
    inside : (T,)

    Examples
    --------
    >>> inside('a "b" c').tolist()
    [0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0]
    """
    marks = np.cumsum([token.count(mark) for token in tokens])
    return (marks % 2).astype(float)


def since(tokens: str | Sequence[str], mark: str = "\n") -> Array:
    r"""Steps since a token was last seen, or since the start: the place in a line, or in a word.

    Parameters
    ----------
    tokens : T characters or words
    mark : the token that starts the count again

    Returns
    -------
    since : (T,)

    Examples
    --------
    >>> since("ab\ncd").tolist()
    [0.0, 1.0, 0.0, 1.0, 2.0]
    """
    found, last = [], 0
    for t, token in enumerate(tokens):
        last = t if token == mark else last
        found.append(t - last)
    return np.array(found, float)

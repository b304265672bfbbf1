"""Results that are no numbers: words, lists of any lengths, sets, dicts. They are compared as they
are.

A tree is a word, a number, True or False, None, a tuple or a set of trees, or a dict with trees as
values. Which kind of sequence a list was does not matter, nor the order of a dict. A list without
repetitions is as good as the set that is asked for.
"""

from __future__ import annotations

import math
from collections.abc import Sequence, Set
from typing import Any, TypeAlias

import numpy as np

# str, int, float, bool, None, tuple[Tree, ...], frozenset[Tree] or dict[Tree, Tree]
Tree: TypeAlias = Any

DEEPEST = 16
CLOSE = 1e-6  # of two numbers within a tree, relative: float32 is as right here as elsewhere


def tree(value: Any, depth: int = 0) -> Tree:
    """The tree of a value: lists, tuples and arrays become tuples, numbers of NumPy those of
    Python.

    Raises
    ------
    TypeError : there is something in it that is neither

    >>> tree([["a"], np.arange(2), {"b": np.int64(3)}])
    (('a',), (0, 1), {'b': 3})
    """
    if depth > DEEPEST:
        raise TypeError(f"lists within lists, more than {DEEPEST} deep")
    if isinstance(value, np.ndarray | np.generic):
        if value.dtype.kind not in "biufU":
            raise TypeError(f"an array of {value.dtype}")
        value = value.tolist()
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        return str(value)
    if isinstance(value, list | tuple):
        return tuple(tree(item, depth + 1) for item in value)
    if isinstance(value, Set):
        return frozenset(tree(item, depth + 1) for item in value)
    if isinstance(value, dict):
        return {tree(key, depth + 1): tree(item, depth + 1) for key, item in value.items()}
    raise TypeError(type(value).__name__)


def same(a: Tree, b: Tree) -> bool:
    """Whether two trees are equal, numbers up to rounding."""
    return difference(a, b) == ""


def difference(got: Tree, expected: Tree, where: str = "") -> str:
    """Where two trees differ first, in words that say nothing of what was expected there; empty
    where they do not.

    >>> difference((("a", "b"), ("c",)), (("a", "b"), ("d",)))
    'it differs first at [1][0]'
    >>> difference((1, 2), (1, 2, 3))
    'it has 2 entries, and 3 were expected'
    """
    # Of a list that is far too long no set is made: how long that takes is in the student's hands.
    if isinstance(expected, frozenset) and isinstance(got, tuple) and len(got) <= _most(expected):
        got = _as_set(got)
    if expected == () and got == frozenset():
        return ""  # nothing has no order
    if kind(got) != kind(expected):
        return f"{where or 'it'} is {kind(got)}, and {kind(expected)} was expected"
    if isinstance(expected, tuple):
        return _in_sequence(got, expected, where)
    if isinstance(expected, dict):
        return _in_dict(got, expected, where)
    if isinstance(expected, frozenset):
        return _in_set(got, expected, where)
    if got == expected or (kind(expected) == "a number" and _close(got, expected)):
        return ""
    return f"it differs first at {where}" if where else "it is another one"


def _close(a: float, b: float) -> bool:
    return math.isclose(a, b, rel_tol=CLOSE, abs_tol=CLOSE) or (math.isnan(a) and math.isnan(b))


def _in_sequence(got: tuple[Tree, ...], expected: tuple[Tree, ...], where: str) -> str:
    if len(got) != len(expected):
        subject = where or "it"
        return (
            f"{subject} has {_count(len(got), 'entry', 'entries')}, and {len(expected)} were "
            "expected"
        )
    pairs = enumerate(zip(got, expected, strict=True))
    return next((said for k, (a, b) in pairs if (said := difference(a, b, f"{where}[{k}]"))), "")


def _most(expected: frozenset[Tree]) -> int:
    return 2 * len(expected) + 1000


def _as_set(value: tuple[Tree, ...]) -> Tree:
    """The set of a list; the list itself where something stands in it twice, or cannot be in a
    set.
    """
    try:
        return one if len(one := frozenset(value)) == len(value) else value
    except TypeError:
        return value


def _in_set(got: frozenset[Tree], expected: frozenset[Tree], where: str) -> str:
    missing, more = len(expected - got), len(got - expected)
    if missing == more and _numbers_close(got - expected, expected - got):
        return ""
    told = [f"lacks {_count(missing, 'entry', 'entries')}"] * bool(missing)
    told += [f"has {_count(more, 'entry', 'entries')} that should not be there"] * bool(more)
    return f"{where or 'it'} {' and '.join(told)}"


def _numbers_close(a: frozenset[Tree], b: frozenset[Tree]) -> bool:
    """Whether what is in one set only are numbers that are those of the other up to rounding."""
    if any(isinstance(item, str | tuple | frozenset) or item is None for item in a | b):
        return False
    return all(_close(x, y) for x, y in zip(sorted(a), sorted(b), strict=True))


def chosen(value: Tree, choices: Sequence[Any]) -> Tree:
    """A value with each word as it is spelled among the choices.

    Raises
    ------
    ValueError : it is, or holds, something that is no choice; says what

    >>> chosen(("Forget ", "input"), ("forget", "input", "output"))
    ('forget', 'input')
    """
    if isinstance(value, tuple | frozenset):
        return type(value)(chosen(item, choices) for item in value)
    for choice in choices:
        if plain(choice) == plain(value):
            return choice
    raise ValueError(repr(value)[:60])


def plain(value: Any) -> Any:
    """A word without what does not matter in a choice: spaces around it, large letters."""
    return value.strip().casefold() if isinstance(value, str) else value


def _in_dict(got: dict[Tree, Tree], expected: dict[Tree, Tree], where: str) -> str:
    missing, more = len(expected.keys() - got.keys()), len(got.keys() - expected.keys())
    if missing or more:
        told = [f"lacks {_count(missing, 'key', 'keys')}"] * bool(missing)
        told += [f"has {_count(more, 'key', 'keys')} that should not be there"] * bool(more)
        return f"{where or 'it'} {' and '.join(told)}"
    return next(
        (said for k, a in got.items() if (said := difference(a, expected[k], f"{where}[{k!r}]"))),
        "",
    )


def kind(value: Tree) -> str:
    """What a tree is, in words."""
    if isinstance(value, tuple | dict | frozenset):
        names: dict[type, str] = {dict: "a dict", tuple: "a list", frozenset: "a set"}
        return next(name for plain, name in names.items() if isinstance(value, plain))
    if value is None:
        return "None"
    return "a word" if isinstance(value, str) else "a number"


def _count(n: int, one: str, many: str) -> str:
    return f"{n} {one if n == 1 else many}"

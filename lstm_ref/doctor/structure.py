"""Nested tuples, lists and dicts as a flat list of arrays, and back."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

Rebuild = Callable[[Sequence[Any]], Any]


def flatten(
    tree: Any, is_leaf: Callable[[Any], bool], name: str = ""
) -> tuple[dict[str, Any], Rebuild]:
    """Leaves of a nested structure by path, and the function that puts others in their place.

    Parameters
    ----------
    tree : tuples, lists, dicts and dataclasses, nested; whatever is none of them and no leaf stays
        as it is
    is_leaf : whether a part is one of the arrays that are asked for
    name : path of the whole; the parts are ``name[0]``, ``name['key']``

    Examples
    --------
    >>> leaves, rebuild = flatten((1, {"a": 2.0}), lambda part: isinstance(part, float))
    >>> leaves, rebuild([3.0])
    ({"[1]['a']": 2.0}, (1, {'a': 3.0}))
    """
    leaves: dict[str, Any] = {}
    pattern = _collect(tree, is_leaf, name, leaves)
    return leaves, lambda values: _fill(pattern, tree, iter(values))


def _collect(tree: Any, is_leaf: Callable[[Any], bool], name: str, leaves: dict[str, Any]) -> Any:
    if is_leaf(tree):
        leaves[name] = tree
        return True
    parts = _parts(tree)
    if parts is None:
        return False
    return {key: _collect(part, is_leaf, f"{name}[{key!r}]", leaves) for key, part in parts.items()}


def _parts(tree: Any) -> dict[Any, Any] | None:
    if isinstance(tree, dict):
        return dict(tree)
    if isinstance(tree, tuple | list):
        return dict(enumerate(tree))
    if dataclasses.is_dataclass(tree) and not isinstance(tree, type):
        return {
            field.name: getattr(tree, field.name)
            for field in dataclasses.fields(tree)
            if field.init
        }
    return None


def _fill(pattern: Any, tree: Any, values: Any) -> Any:
    if pattern is True:
        return next(values)
    parts = _parts(tree) if isinstance(pattern, dict) else None
    if parts is None:
        return tree
    filled = {key: _fill(pattern[key], part, values) for key, part in parts.items()}
    if isinstance(tree, dict):
        return filled if type(tree) is dict else _like_dict(tree, filled)
    if hasattr(tree, "_fields"):
        return type(tree)(*filled.values())
    if isinstance(tree, tuple | list):
        return type(tree)(filled.values())
    return dataclasses.replace(tree, **filled)


def _like_dict(tree: Any, filled: dict[Any, Any]) -> Any:
    try:
        return type(tree)(filled)
    except TypeError:
        return filled

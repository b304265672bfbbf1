"""Everything that an examination may change, remembered bit by bit and put back.

`Memory` walks from the given objects through attributes, containers, closures and the globals that
a function uses. Arrays are compared before they are written, so that what did not change is not
touched.
"""

from __future__ import annotations

import random
import sys
import types
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

Undo = Callable[[], None]

# Objects of these kinds hold nothing that a model's forward pass or a training step would change.
_CONSTANT = (
    type(None),
    bool,
    int,
    float,
    complex,
    str,
    bytes,
    type,
    types.ModuleType,
    types.BuiltinFunctionType,
    types.CodeType,
    range,
    slice,
    np.dtype,
    np.generic,
)
# A data set of a million strings is not walked through: beyond this many objects the rest is left
# out.
MOST_OBJECTS = 200_000


class Memory:
    """State of the given objects; `restore` puts it back, as often as wanted.

    Parameters
    ----------
    roots : objects to begin with
    special : for kinds that a framework adds: object -> the undo for it and the objects to go on
        with, or None
    functions : whether closures and used globals of functions count, too
    """

    def __init__(
        self,
        roots: Iterable[Any],
        special: Callable[[Any], tuple[Undo, Iterable[Any]] | None] = lambda _: None,
        *,
        functions: bool = True,
    ) -> None:
        self._special = special
        self._functions = functions
        self._undo: list[Undo] = []
        self._kept: dict[int, Any] = {}
        self._walk(roots)

    @property
    def things(self) -> list[Any]:
        """All objects that are remembered."""
        return list(self._kept.values())

    def restore(self) -> None:
        """Put everything back as it was when this was made."""
        for undo in self._undo:
            undo()

    def _walk(self, roots: Iterable[Any]) -> None:
        waiting = deque(roots)
        while waiting and len(self._kept) < MOST_OBJECTS:
            thing = waiting.popleft()
            if isinstance(thing, _CONSTANT) or id(thing) in self._kept:
                continue
            self._kept[id(thing)] = thing
            undo, parts = self._remember(thing)
            if undo is not None:
                self._undo.append(undo)
            waiting.extend(parts)

    def _remember(self, thing: Any) -> tuple[Undo | None, Iterable[Any]]:
        found = self._special(thing)
        if found is not None:
            return found
        if isinstance(thing, np.ndarray):
            return _array(thing), ()
        if isinstance(thing, np.random.Generator | np.random.RandomState | random.Random):
            return _generator(thing), ()
        if isinstance(thing, dict | list | set | deque | bytearray):
            return _container(thing)
        if isinstance(thing, tuple | frozenset):
            return None, tuple(thing)
        if isinstance(thing, types.FunctionType | types.MethodType):
            return self._function(thing) if self._functions else (None, ())
        return _object(thing)

    def _function(self, function: Any) -> tuple[Undo | None, Iterable[Any]]:
        if isinstance(function, types.MethodType):
            return None, (function.__self__, function.__func__)
        cells = [cell for cell in function.__closure__ or () if _filled(cell)]
        contents = [cell.cell_contents for cell in cells]
        space = function.__globals__
        library = space.get("__name__", "").partition(".")[0] in sys.stdlib_module_names - {
            "__main__"
        }
        names = (
            ()
            if library or "site-packages" in (space.get("__file__") or "")
            else function.__code__.co_names
        )
        used = {name: space[name] for name in names if name in space}

        def undo() -> None:
            for cell, content in zip(cells, contents, strict=True):
                if not _filled(cell) or cell.cell_contents is not content:
                    cell.cell_contents = content
            for name, value in used.items():
                if space.get(name) is not value:
                    space[name] = value

        return undo, (*contents, *used.values(), *(function.__defaults__ or ()))


def _filled(cell: Any) -> bool:
    try:
        _ = cell.cell_contents
    except ValueError:
        return False
    return True


def _array(array: Any) -> Undo | None:
    if array.dtype.hasobject:
        return None
    copy = array.copy()

    def undo() -> None:
        if array.tobytes() != copy.tobytes():
            array[...] = copy

    return undo


def _generator(generator: Any) -> Undo:
    if isinstance(generator, np.random.Generator):
        state = generator.bit_generator.state

        def undo() -> None:
            generator.bit_generator.state = state

        return undo
    if isinstance(generator, np.random.RandomState):
        legacy = generator.get_state(legacy=False)
        return lambda: generator.set_state(legacy)
    place = generator.getstate()
    return lambda: generator.setstate(place)


def _container(thing: Any) -> tuple[Undo, Iterable[Any]]:
    copy = list(thing.items()) if isinstance(thing, dict) else list(thing)

    def undo() -> None:
        now = list(thing.items()) if isinstance(thing, dict) else list(thing)
        if _same(now, copy):
            return
        thing.clear()
        if isinstance(thing, dict | set):
            thing.update(copy)
        else:
            thing.extend(copy)

    values = [value for _, value in copy] if isinstance(thing, dict) else copy
    return undo, values


def _same(a: list[Any], b: list[Any]) -> bool:
    if len(a) != len(b):
        return False
    return all(_identical(p, q) for p, q in zip(a, b, strict=True))


def _identical(p: Any, q: Any) -> bool:
    if isinstance(p, tuple) and isinstance(q, tuple) and len(p) == len(q) == 2:
        return all(x is y for x, y in zip(p, q, strict=True))
    return p is q


def _object(thing: Any) -> tuple[Undo | None, Iterable[Any]]:
    try:
        space = vars(thing)
    except TypeError:
        return None, ()
    if not isinstance(space, dict):
        return None, ()
    return _container(space)


def random_states() -> Undo:
    """Undo that puts the global generators of Python and NumPy back where they stand now."""
    python, legacy = random.getstate(), np.random.get_state(legacy=False)

    def undo() -> None:
        random.setstate(python)
        np.random.set_state(legacy)

    return undo

"""What an entry of the zoo is, and how its wrong version is made from the plain right one."""

from __future__ import annotations

import inspect
import linecache
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from lstm_ref.sequence import SequenceCache, SequenceGrads
from lstm_ref.zoo import plain

FUNCTIONS = ("lstm_step", "lstm_forward", "lstm_step_backward", "lstm_backward")


@dataclass(frozen=True)
class Change:
    """One line of `plain.py`, right and wrong. ``wrong`` may be several lines; an empty one leaves the line out."""

    right: str
    wrong: str


@dataclass(frozen=True)
class Bug:
    """A known mistake: which lines differ from the right version, how it shows, why it is made, how it is mended.

    Parameters
    ----------
    id : short and stable; stored in records
    function : the function that is written wrongly
    title : one sentence that names the mistake to the person who made it
    changes : the lines that differ
    symptom : how it shows
    cause : why somebody writes it
    fix : what to do, in words; the right lines are in ``changes``
    hints : they lead to the mistake by degrees; none of them is the right line
    source : where it comes from
    convention : right mathematics in another gate order or layout
    silent_at_one_step : for a backward mistake: with T = 1 and zero state, the gradients of Wx, Wh, b and x come out right

    The attributes ``lstm_step``, ``lstm_forward``, ``lstm_step_backward`` and ``lstm_backward`` are the whole set of functions
    with this mistake in it. A mistake in one step is therefore also there in the sequence that repeats the step.
    """

    id: str
    function: str
    title: str
    changes: tuple[Change, ...]
    symptom: str
    cause: str
    fix: str
    hints: tuple[str, ...]
    source: str = "Constructed for this course."
    convention: bool = False
    silent_at_one_step: bool = False

    @cached_property
    def code(self) -> str:
        """Source of all four functions, the wrong one included; needs ``import numpy as np`` above it."""
        sources = {name: _plain_source(name) for name in ("sigmoid", *FUNCTIONS)}
        sources[self.function] = _apply(self.changes, sources[self.function], self.id)
        return "\n\n\n".join(sources.values()) + "\n"

    def source_of(self, function: str) -> str:
        """Source of one of the functions, as a student would write it: without annotations."""
        return source_of(function, self.changes if function == self.function else ())

    @cached_property
    def _functions(self) -> dict[str, Callable[..., Any]]:
        filename = f"<zoo {self.id}>"
        linecache.cache[filename] = (len(self.code), None, self.code.splitlines(keepends=True), filename)
        namespace: dict[str, Any] = {"np": np, "Any": Any}
        exec(compile(self.code, filename, "exec"), namespace)
        return {name: namespace[name] for name in FUNCTIONS}

    def lstm_step(self, *arguments: Any) -> Any:
        """Like `lstm_ref.lstm_step`, with this mistake; the cache is a plain tuple."""
        return self._functions["lstm_step"](*arguments)

    def lstm_forward(self, *arguments: Any) -> Any:
        """Like `lstm_ref.lstm_forward`, with this mistake; the cache is the list of the T step caches."""
        return self._functions["lstm_forward"](*arguments)

    def lstm_step_backward(self, *arguments: Any) -> Any:
        """Like `lstm_ref.lstm_step_backward`, with this mistake."""
        return self._functions["lstm_step_backward"](*arguments)

    def lstm_backward(self, dh: Any, cache: Any, dcT: Any = None) -> SequenceGrads:
        """Like `lstm_ref.lstm_backward`, with this mistake.

        ``cache`` is a `SequenceCache` or a list of T step caches.
        """
        steps = step_caches(cache) if isinstance(cache, SequenceCache) else cache
        return SequenceGrads(*self._functions["lstm_backward"](dh, steps, dcT))


def step_caches(cache: SequenceCache) -> list[tuple[Any, ...]]:
    """A sequence cache as the list of its T step caches, each ``(x, h_prev, c_prev, i, f, g, o, c, Wx, Wh)``."""
    H = cache.h.shape[2]
    return [
        (
            cache.x[t],
            cache.h[t],
            cache.c[t],
            *(cache.gates[t][:, k * H : (k + 1) * H] for k in range(4)),
            cache.c[t + 1],
            cache.Wx,
            cache.Wh,
        )
        for t in range(len(cache.x))
    ]


def source_of(function: str, changes: Sequence[Change] = ()) -> str:
    """Source of a function of `plain.py`, without annotations, with some lines changed."""
    return re.sub(r"(: Any\b| -> Any\b)", "", _apply(changes, _plain_source(function), function))


def _plain_source(function: str) -> str:
    return inspect.getsource(getattr(plain, function)).rstrip("\n")


def _apply(changes: Sequence[Change], source: str, name: str) -> str:
    lines = source.split("\n")
    for change in changes:
        where = [k for k, line in enumerate(lines) if line.strip() == change.right]
        if len(where) != 1:
            raise ValueError(
                f"zoo entry {name}: the line {change.right!r} must stand exactly once in the plain version, "
                f"it stands there {len(where)} times"
            )
        line = lines[where[0]]
        indent = line[: len(line) - len(line.lstrip())]
        lines[where[0] : where[0] + 1] = [indent + wrong for wrong in change.wrong.split("\n") if wrong]
    return "\n".join(lines)

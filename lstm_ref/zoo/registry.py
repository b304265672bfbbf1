"""What an entry of the zoo is, and how its wrong version is made from the plain right one."""

from __future__ import annotations

import ast
import inspect
import linecache
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from types import FunctionType
from typing import Any

import numpy as np

from lstm_ref.errors import MissingPackageError
from lstm_ref.sequence import SequenceCache, SequenceGrads
from lstm_ref.zoo import plain
from verdict import tensors

FUNCTIONS = ("lstm_step", "lstm_forward", "lstm_step_backward", "lstm_backward")


@dataclass(frozen=True)
class Change:
    """One line of `plain.py` or `plain_torch.py`, right and wrong.

    ``wrong`` may be several lines; an empty one leaves the line out.
    """

    right: str
    wrong: str


@dataclass(frozen=True)
class Bug:
    """A known mistake: which lines differ from the right version, how it shows, why it is made, how
    it is mended.

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
    framework : whose code it is: of `plain.py` ("numpy") or of `plain_torch.py` ("torch")
    also : another mistake that is made at the same time
    silent_at_one_step : for a backward mistake: with T = 1 and zero state, the gradients of Wx, Wh,
        b and x come out right

    The attributes ``lstm_step``, ``lstm_forward``, ``lstm_step_backward`` and ``lstm_backward`` are
    the whole set of functions with this mistake in it. A mistake in one step is therefore also
    there in the sequence that repeats the step. For another framework, `calling` gives each of its
    functions, from arrays to arrays.
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
    framework: str = "numpy"
    also: Bug | None = None

    @cached_property
    def code(self) -> str:
        """Source of all functions, the wrong one included; needs ``import numpy as np``, or
        PyTorch's imports, above it.
        """
        names = ("sigmoid", *FUNCTIONS) if self.framework == "numpy" else tuple(_torch_sources())
        sources = {name: _plain_source(name, self.framework) for name in names}
        for bug in filter(None, (self.also, self)):
            sources[bug.function] = apply(bug.changes, sources[bug.function], bug.id)
        return "\n\n\n".join(sources.values()) + "\n"

    def source_of(self, function: str) -> str:
        """Source of one of the functions, as a student would write it: without annotations."""
        bugs = filter(None, (self.also, self))
        changes = [change for bug in bugs if bug.function == function for change in bug.changes]
        return source_of(function, changes, self.framework)

    @cached_property
    def _functions(self) -> dict[str, Callable[..., Any]]:
        filename = f"<zoo {self.id}>"
        linecache.cache[filename] = (
            len(self.code),
            None,
            self.code.splitlines(keepends=True),
            filename,
        )
        namespace: dict[str, Any] = {"np": np, "Any": Any}
        if self.framework == "torch":
            namespace |= _torch_names()
        exec(compile(self.code, filename, "exec"), namespace)
        return namespace

    @cached_property
    def _step_and_sequence(self) -> dict[str, Callable[..., Any]]:
        """The functions in NumPy; only those that differ from the plain ones are compiled, which is
        done a thousand times.
        """
        wrong = {bug.function: bug for bug in filter(None, (self.also, self))}
        namespace: dict[str, Any] = {"np": np, "Any": Any}
        for name in ("sigmoid", *FUNCTIONS):
            if name in wrong:
                exec(compile(self.source_of(name), f"<zoo {self.id}>", "exec"), namespace)
            else:
                plain_one = getattr(plain, name)
                namespace[name] = FunctionType(
                    plain_one.__code__, namespace, name, plain_one.__defaults__
                )
        return namespace

    def calling(self, function: str) -> Callable[..., Any]:
        """One of the functions of a torch bug: arrays in, arrays out, in PyTorch in between.

        PyTorch's random numbers are as they were afterwards, and gradients are on whatever the
        caller has switched off.
        """

        def call(*arguments: Any) -> Any:
            torch = _torch_names()["torch"]
            with torch.random.fork_rng(devices=[]), torch.enable_grad():
                return tensors.to_arrays(
                    self._functions[function](*tensors.from_arrays(arguments, self.framework))
                )

        return call

    def lstm_step(self, *arguments: Any) -> Any:
        """Like `lstm_ref.lstm_step`, with this mistake; the cache is a plain tuple."""
        return self._step_and_sequence["lstm_step"](*arguments)

    def lstm_forward(self, *arguments: Any) -> Any:
        """Like `lstm_ref.lstm_forward`, with this mistake; the cache is the list of the T step
        caches.
        """
        return self._step_and_sequence["lstm_forward"](*arguments)

    def lstm_step_backward(self, *arguments: Any) -> Any:
        """Like `lstm_ref.lstm_step_backward`, with this mistake."""
        return self._step_and_sequence["lstm_step_backward"](*arguments)

    def lstm_backward(self, dh: Any, cache: Any, dcT: Any = None) -> SequenceGrads:
        """Like `lstm_ref.lstm_backward`, with this mistake.

        ``cache`` is a `SequenceCache` or a list of T step caches.
        """
        steps = step_caches(cache) if isinstance(cache, SequenceCache) else cache
        return SequenceGrads(*self._step_and_sequence["lstm_backward"](dh, steps, dcT))


def step_caches(cache: SequenceCache) -> list[tuple[Any, ...]]:
    """A sequence cache as the list of its T step caches, each
    ``(x, h_prev, c_prev, i, f, g, o, c, Wx, Wh)``.
    """
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


def source_of(function: str, changes: Sequence[Change] = (), framework: str = "numpy") -> str:
    """Source of a function of `plain.py` or `plain_torch.py`, without annotations, with some lines
    changed.

    Parameters
    ----------
    function : its name
    changes : each a right line and what stands there instead
    framework : "numpy" or "torch"
    """
    source = apply(changes, _plain_source(function, framework), function)
    return re.sub(r"(: Any\b| -> (Any|None)\b|  # type: ignore.*)", "", source)


@cache
def _plain_source(function: str, framework: str) -> str:
    if framework == "torch":
        return _torch_sources()[function]
    return inspect.getsource(getattr(plain, function)).rstrip("\n")


@cache
def _torch_sources() -> dict[str, str]:
    """Functions and classes of `plain_torch.py` by name, read without importing PyTorch."""
    text = (Path(__file__).parent / "plain_torch.py").read_text(encoding="utf-8")
    nodes = [
        node for node in ast.parse(text).body if isinstance(node, ast.FunctionDef | ast.ClassDef)
    ]
    lines = text.splitlines()
    return {node.name: "\n".join(lines[node.lineno - 1 : node.end_lineno]) for node in nodes}


def _torch_names() -> dict[str, Any]:
    try:
        import torch
        from torch import nn
        from torch.nn import functional
    except ImportError:
        raise MissingPackageError(
            "lstm_ref.zoo: to run its PyTorch code, install PyTorch: pip install "
            "'inside-the-lstm[torch]'"
        ) from None
    return {"torch": torch, "nn": nn, "F": functional, "__name__": "zoo"}


def apply(changes: Sequence[Change], source: str, name: str) -> str:
    """Source with its right lines changed to the wrong ones; each must stand in it exactly once."""
    lines = source.split("\n")
    for change in changes:
        where = [k for k, line in enumerate(lines) if line.strip() == change.right]
        if len(where) != 1:
            raise ValueError(
                f"zoo entry {name}: the line {change.right!r} must stand exactly once in the plain "
                f"version, it stands there {len(where)} times"
            )
        line = lines[where[0]]
        indent = line[: len(line) - len(line.lstrip())]
        lines[where[0] : where[0] + 1] = [
            indent + wrong for wrong in change.wrong.split("\n") if wrong
        ]
    return "\n".join(lines)

"""Known mistakes of a problem set: each is the set's own solution with one line changed, or a few.

The zoo has the mistakes of an LSTM, with symptom, cause and source; these are those of a problem
set, and only its check and the judge know them.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from types import FunctionType, ModuleType
from typing import Any

from lstm_ref.zoo.registry import Change, apply
from verdict import Misconception, Status


@dataclass(frozen=True)
class Mistake:
    """One wrong version of a function.

    Parameters
    ----------
    id : short and stable; stored in records
    function : the function that is written wrongly
    title : one sentence that names the mistake to the person who made it
    changes : the lines that differ; more than one where one alone would not run
    hints : they lead to the mistake by degrees; none of them is the right line
    convention : right mathematics in another form than the task asks for
    """

    id: str
    function: str
    title: str
    changes: tuple[Change, ...]
    hints: tuple[str, ...]
    convention: bool = False


class Plain:
    """A module that holds the solutions of a problem set as plain functions, and their wrong
    versions.

    Parameters
    ----------
    module : with one function for each that students write
    mistakes : those that are known
    """

    def __init__(self, module: ModuleType, mistakes: Sequence[Mistake]) -> None:
        self.module, self.mistakes = module, tuple(mistakes)
        self._made: dict[str, dict[str, Any]] = {}

    def find(self, id: str) -> Mistake:
        """Mistake of this id; KeyError lists those that there are."""
        for mistake in self.mistakes:
            if mistake.id == id:
                return mistake
        raise KeyError(
            f"no mistake {id!r}; there are {', '.join(mistake.id for mistake in self.mistakes)}"
        )

    def source(self, function: str, mistake: str = "") -> str:
        """Source of a function as a student would write it, without annotations; with the mistake
        of this id, if one is given.
        """
        text = inspect.getsource(getattr(self.module, function)).rstrip("\n")
        if mistake:
            text = apply(self.find(mistake).changes, text, mistake)
        return re.sub(r": Any\b| -> Any\b", "", text)

    def call(self, mistake: str, function: str, *arguments: Any) -> Any:
        """Call a function of the module as it is where somebody has made this mistake, be it in
        this function or in another.
        """
        return self.namespace(mistake)[function](*arguments)

    def namespace(self, mistake: str) -> dict[str, Any]:
        """Name -> function, of a module in which somebody has made this mistake."""
        if mistake not in self._made:
            self._made[mistake] = self._functions(self.find(mistake))
        return self._made[mistake]

    def known(self, function: str, called: str = "") -> tuple[Misconception, ...]:
        """The known mistakes of a function.

        Parameters
        ----------
        function : where they are made
        called : the function through which they are seen; the same where it is left out
        """
        return tuple(
            Misconception(
                mistake.id,
                mistake.title,
                partial(self.call, mistake.id, called or function),
                mistake.hints,
                Status.CONVENTION if mistake.convention else Status.WRONG,
                convention=mistake.id if mistake.convention else "",
            )
            for mistake in self.mistakes
            if mistake.function == function
        )

    def _functions(self, mistake: Mistake) -> dict[str, Callable[..., Any]]:
        """All functions of the module, in a namespace in which this one is wrong."""
        return self.with_source(mistake.function, self.source(mistake.function, mistake.id))

    def with_source(self, function: str, source: str) -> dict[str, Callable[..., Any]]:
        """All functions of the module, in a namespace in which one of them has this source."""
        namespace: dict[str, Any] = dict(vars(self.module))
        for name, value in vars(self.module).items():
            if isinstance(value, FunctionType) and value.__module__ == self.module.__name__:
                namespace[name] = FunctionType(value.__code__, namespace, name, value.__defaults__)
        exec(compile(source, f"<{function}>", "exec"), namespace)
        return namespace

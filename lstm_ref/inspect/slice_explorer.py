"""The slice explorer: where a model is wrong, how sure that is, and how many slices were looked at
before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from traitlets import Dict, List, TraitError, Unicode, validate

from lstm_ref.errors import ArgumentError, ShapeError
from lstm_ref.inspect.widget import Widget, module, style

LIMIT = 60_000  # letters that a page carries: examples times attributes
VALUES = 36  # of one attribute: each is one letter in the page
LETTERS = "0123456789abcdefghijklmnopqrstuvwxyz"


class SliceExplorer(Widget):
    """Errors of a model by slices that the reader chooses, with an interval that widens with each
    slice looked at.

    The reader first says which slice might be the sick one. Then each choice of values shows how
    many examples it holds, how many of them are wrong, and the Wilson interval of that share. The
    level of the interval is 1 - 0.05 / looks: with it, all intervals that were looked at hold their
    truth together in 95 % of the cases (Bonferroni).

    Parameters
    ----------
    attributes : name -> (n,) values, one for each example: what one knows of it without the model.
        Numbers or strings, at most 36 different ones each
    wrong : (n,) bool, where the model is wrong
    guess : attribute -> value, the slice that the reader expects to be worst; empty: the page asks
        first
    chosen : attribute -> value, the slice that is shown; empty: all examples

    Raises
    ------
    ShapeError : attributes or wrong that do not fit each other
    ArgumentError : no attribute, one with too many values, or more than a page should carry
    TraitError : a choice of an attribute or value that does not exist

    Examples
    --------
    >>> explorer = SliceExplorer(
    ...     {"length": [3, 3, 9, 9]}, wrong=np.array([False, False, True, False])
    ... )
    >>> explorer.counts({"length": "9"})
    (1, 2)
    """

    name = "slice_explorer"
    fallback = (
        "The slice explorer shows the errors of a model by slices of its data. It needs "
        "JavaScript. The same numbers come from SliceExplorer(attributes, "
        "wrong).counts({attribute: value})."
    )
    _esm = module(name)
    _css = style(name)

    values = Dict().tag(sync=True)  # attribute -> its different values, as the page shows them
    codes = Dict().tag(sync=True)  # attribute -> a string of n letters: which of the values
    errors = Unicode().tag(sync=True)  # n letters, "1" where the model is wrong
    looked = List(Dict()).tag(sync=True)  # the different slices that were looked at
    guess = Dict().tag(sync=True)
    chosen = Dict().tag(sync=True)

    def __init__(
        self,
        attributes: Mapping[str, Sequence[Any]],
        wrong: Any,
        *,
        guess: Mapping[str, str] | None = None,
        chosen: Mapping[str, str] | None = None,
    ) -> None:
        errors = np.asarray(wrong)
        if errors.ndim != 1 or errors.dtype != bool or errors.size == 0:
            raise ShapeError(
                f"SliceExplorer: wrong must be (n,) of bool with n at least 1, got {errors.dtype} "
                f"with shape {errors.shape}; use predicted != targets"
            )
        values, codes = _coded(attributes, len(errors))
        self._wrong: NDArray[np.bool_] = errors
        super().__init__(
            values=values,
            codes=codes,
            errors="".join("1" if one else "0" for one in errors),
            guess=dict(guess or {}),
            chosen=dict(chosen or {}),
        )

    @validate("chosen", "guess")  # type: ignore[untyped-decorator]  # traitlets is read without its types
    def _exists(self, proposal: dict[str, Any]) -> dict[str, str]:
        chosen: dict[str, str] = proposal["value"]
        for name, value in chosen.items():
            if value not in self.values.get(name, ()):
                raise TraitError(
                    f"SliceExplorer: there is no slice {name}={value}; attributes: "
                    f"{', '.join(self.values)}"
                )
        return chosen

    def counts(self, chosen: Mapping[str, str]) -> tuple[int, int]:
        """How many examples of a slice are wrong, and how many it holds.

        Parameters
        ----------
        chosen : attribute -> value; all of them hold for each example of the slice
        """
        inside = np.ones(len(self._wrong), bool)
        for name, value in self._exists({"value": dict(chosen)}).items():
            letter = LETTERS[self.values[name].index(value)]
            inside &= np.array([code == letter for code in self.codes[name]])
        return int(self._wrong[inside].sum()), int(inside.sum())


def _coded(
    attributes: Mapping[str, Sequence[Any]], n: int
) -> tuple[dict[str, list[str]], dict[str, str]]:
    """The different values of each attribute in their order, and each example's as a letter."""
    if not attributes or n * len(attributes) > LIMIT:
        raise ArgumentError(
            f"SliceExplorer: needs 1 to {LIMIT // n} attributes for {n} examples, got "
            f"{len(attributes)}; a page should carry no more, so take a sample of the examples"
        )
    values: dict[str, list[str]] = {}
    codes: dict[str, str] = {}
    for name, column in attributes.items():
        array = np.asarray(column)
        if array.shape != (n,):
            raise ShapeError(
                f"SliceExplorer: {name} must have one value for each of {n} examples, got "
                f"{array.shape}"
            )
        different, which = np.unique(array, return_inverse=True)
        if len(different) > VALUES:
            raise ArgumentError(
                f"SliceExplorer: {name} has {len(different)} different values, at most {VALUES} "
                "can be chosen from; put them into ranges"
            )
        values[name] = [str(value) for value in different]
        codes[name] = "".join(LETTERS[k] for k in which)
    return values, codes

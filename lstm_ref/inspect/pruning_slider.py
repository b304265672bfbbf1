"""The pruning slider: what is left of accuracy and bytes when weights are thrown away."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from traitlets import Bool, Dict, Float, Int, TraitError, Unicode, validate

from lstm_ref.errors import ArgumentError, ShapeError
from lstm_ref.inspect.widget import Widget, module, style

NUMBERS = ("accuracy", "fine-tuned", "bytes", "zipped")  # a row for each seed; the first is needed
MAX_POINTS = 60  # points of an arm


class PruningSlider(Widget):
    """Accuracy and file size by the share of weights that is gone, for one or more ways to prune.

    The reader first says, for each way, how large a share can go before the mean accuracy falls
    below a level. Then a slider shows accuracy with and without fine-tuning, the spread over the
    seeds, and the bytes of the file.

    Parameters
    ----------
    arms : name -> {"shares": (k,), "accuracy": (seeds, k)} and, if you have them, "fine-tuned",
        "bytes" and "zipped", each (seeds, k). Shares from 0 to 1, rising; the first is the whole
        model
    level : accuracy that must be kept
    guesses : name -> share that the reader expects; empty: the page asks first
    arm : the way that is shown; empty: the first
    place : which of its shares

    Raises
    ------
    ArgumentError : no arms, one without accuracy, or shares that do not rise from 0 to 1
    ShapeError : rows that do not fit the shares
    TraitError : an arm or a place that does not exist

    Examples
    --------
    >>> slider = PruningSlider({"small": {"shares": [0, 0.5, 0.9], "accuracy": [[1.0, 0.97, 0.6]]}})
    >>> slider.kept("small")
    0.5
    """

    name = "pruning_slider"
    fallback = (
        "The pruning slider shows accuracy and bytes by the share of weights that is gone. It "
        "needs JavaScript. The same numbers come from PruningSlider(arms).at(arm, place)."
    )
    _esm = module(name)
    _css = style(name)

    arms = Dict().tag(sync=True)
    level = Float(0.95).tag(sync=True)
    guesses = Dict().tag(sync=True)
    arm = Unicode().tag(sync=True)
    place = Int(0).tag(sync=True)
    tuned = Bool(False).tag(sync=True)

    def __init__(
        self,
        arms: Mapping[str, Mapping[str, Any]],
        *,
        level: float = 0.95,
        guesses: Mapping[str, float] | None = None,
        arm: str = "",
        place: int = 0,
        tuned: bool = False,
    ) -> None:
        if not arms:
            raise ArgumentError("PruningSlider: needs at least one arm: a name and its numbers")
        super().__init__(
            arms={name: _checked(name, numbers) for name, numbers in arms.items()},
            level=level,
            tuned=tuned,
            guesses=dict(guesses or {}),
            arm=arm or next(iter(arms)),
        )
        self.place = place

    @validate("arm")  # type: ignore[untyped-decorator]  # traitlets is read without its types
    def _known(self, proposal: dict[str, Any]) -> str:
        arm: str = proposal["value"]
        if arm not in self.arms:
            raise TraitError(
                f"PruningSlider: arm must be one of {', '.join(self.arms)}, got {arm!r}"
            )
        return arm

    @validate("place")  # type: ignore[untyped-decorator]
    def _inside(self, proposal: dict[str, Any]) -> int:
        place: int = proposal["value"]
        last = len(self.arms[self.arm]["shares"]) - 1
        if not 0 <= place <= last:
            raise TraitError(f"PruningSlider: place must be from 0 to {last}, got {place}")
        return place

    @validate("guesses")  # type: ignore[untyped-decorator]
    def _shares(self, proposal: dict[str, Any]) -> dict[str, float]:
        guesses: dict[str, float] = proposal["value"]
        for arm, share in guesses.items():
            if arm not in self.arms or not 0 <= share <= 1:
                raise TraitError(
                    "PruningSlider: guesses must be shares from 0 to 1 for "
                    f"{', '.join(self.arms)}; got {arm}: {share}"
                )
        return guesses

    def at(self, arm: str, place: int) -> dict[str, float]:
        """The share at a place of an arm, and each of its numbers as a mean over the seeds."""
        numbers = self.arms[self._known({"value": arm})]
        means = {name: float(np.mean(rows, axis=0)[place]) for name, rows in _rows(numbers)}
        return {"share": numbers["shares"][place], **means}

    def kept(self, arm: str, tuned: bool = False) -> float:
        """The largest share of an arm up to which every mean accuracy is at least the level."""
        numbers = self.arms[self._known({"value": arm})]
        mean = np.mean(numbers["fine-tuned" if tuned else "accuracy"], axis=0)
        below = np.flatnonzero(mean < self.level)
        first = int(below[0]) if below.size else len(mean)
        return float(numbers["shares"][first - 1]) if first else float("nan")


def _rows(numbers: Mapping[str, Any]) -> list[tuple[str, Any]]:
    return [(name, numbers[name]) for name in NUMBERS if name in numbers]


def _checked(arm: str, numbers: Mapping[str, Any]) -> dict[str, Any]:
    shares = np.asarray(numbers.get("shares", ()), float)
    rises = shares.ndim == 1 and 2 <= len(shares) <= MAX_POINTS and np.all(np.diff(shares) > 0)
    if not rises or shares[0] < 0 or shares[-1] > 1 or "accuracy" not in numbers:
        raise ArgumentError(
            f"PruningSlider: {arm} needs accuracy, and 2 to {MAX_POINTS} shares that rise from 0 "
            f"to 1 at most; got shares of shape {shares.shape} and "
            f"{', '.join(numbers) or 'nothing'}"
        )
    kept: dict[str, Any] = {"shares": [float(f"{share:.4g}") for share in shares]}
    for name, values in _rows(numbers):
        rows = np.asarray(values, float)
        if rows.ndim != 2 or rows.shape[1] != len(shares) or not np.all(np.isfinite(rows)):
            raise ShapeError(
                f"PruningSlider: {name} of {arm} must be finite, (seeds, {len(shares)}), a row for "
                f"each seed, got {rows.shape}"
            )
        kept[name] = [[float(f"{value:.6g}") for value in row] for row in rows]
    return kept

"""The origin slider: a forecast beside persistence, wherever the forecast begins."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from traitlets import Dict, Int, TraitError, Unicode, validate

from lstm_ref.errors import ArgumentError, ShapeError
from lstm_ref.inspect.widget import Widget, module, style

LIMIT = 12_000  # numbers that a page carries
BACK = 3  # horizons of the series that are shown before an origin
SPAN_DIGITS = 3  # of the span of a series: 18.27 of a series that goes from 15 to 30
NEEDED = ("series", "origins", "told", "low", "high")


class OriginSlider(Widget):
    """Forecasts of one or more series from origins that move, beside persistence.

    The reader first says, for each series, at which share of the origins the forecast has a smaller
    error than persistence, the last value repeated. Then a slider moves the origin: the forecast
    and its interval, what came, and both errors (root mean squared error over the K steps), with a
    strip of the errors at all origins.

    Parameters
    ----------
    series : name -> {"series": (L,), "origins": (n,) places of the last known value, rising,
        "told", "low" and "high": (n, K) forecast and interval of the K steps that follow}; if you
        have it, "when": n labels of the origins, and "unit": str
    model : name of what made the forecasts
    guesses : name -> share of the origins that the reader expects; empty: the page asks first
    chosen : the series that is shown; empty: the first
    place : which of its origins

    Raises
    ------
    ArgumentError : no series, one without its parts, origins that do not fit, or more numbers than
        a page should carry
    ShapeError : forecasts that do not fit the origins
    TraitError : a series, place or guess that does not exist

    Examples
    --------
    >>> one = {
    ...     "series": [1, 2, 3, 4],
    ...     "origins": [1, 2],
    ...     "told": [[3], [3.5]],
    ...     "low": [[2], [3]],
    ...     "high": [[4], [5]],
    ... }
    >>> slider = OriginSlider({"steps": one})
    >>> slider.at("steps", 1)
    {'when': '2', 'error': 0.5, 'persistence': 1.0, 'inside': 1}
    >>> slider.whole("steps")
    {'better': 1.0, 'skill': 0.646, 'coverage': 1.0}
    """

    name = "origin_slider"
    fallback = (
        "The origin slider shows forecasts from origins that move, beside persistence. It needs "
        "JavaScript. The same numbers come from OriginSlider(series).at(name, place)."
    )
    _esm = module(name)
    _css = style(name)

    series = Dict().tag(sync=True)
    model = Unicode().tag(sync=True)
    guesses = Dict().tag(sync=True)
    chosen = Unicode().tag(sync=True)
    place = Int(0).tag(sync=True)

    def __init__(
        self,
        series: Mapping[str, Mapping[str, Any]],
        *,
        model: str = "LSTM",
        guesses: Mapping[str, float] | None = None,
        chosen: str = "",
        place: int = 0,
    ) -> None:
        checked = {name: _checked(name, one) for name, one in series.items()}
        n = sum(3 * np.size(one["told"]) + len(one["series"]) for one in checked.values())
        if not checked or n > LIMIT:
            raise ArgumentError(
                f"OriginSlider: needs 1 to {LIMIT} numbers, got {n} in {len(checked)} series; take "
                "every second origin, or fewer"
            )
        super().__init__(
            series=checked,
            model=model,
            guesses=dict(guesses or {}),
            chosen=chosen or next(iter(checked)),
        )
        self.place = place

    @validate("chosen")  # type: ignore[untyped-decorator]  # traitlets is read without its types
    def _known(self, proposal: dict[str, Any]) -> str:
        name: str = proposal["value"]
        if name not in self.series:
            raise TraitError(
                f"OriginSlider: chosen must be one of {', '.join(self.series)}, got {name!r}"
            )
        return name

    @validate("place")  # type: ignore[untyped-decorator]
    def _inside(self, proposal: dict[str, Any]) -> int:
        place: int = proposal["value"]
        last = len(self.series[self.chosen]["origins"]) - 1
        if not 0 <= place <= last:
            raise TraitError(f"OriginSlider: place must be from 0 to {last}, got {place}")
        return place

    @validate("guesses")  # type: ignore[untyped-decorator]
    def _shares(self, proposal: dict[str, Any]) -> dict[str, float]:
        guesses: dict[str, float] = proposal["value"]
        for name, share in guesses.items():
            if name not in self.series or not 0 <= share <= 1:
                raise TraitError(
                    "OriginSlider: guesses must be shares from 0 to 1 for "
                    f"{', '.join(self.series)}; got {name}: {share}"
                )
        return guesses

    def at(self, name: str, place: int) -> dict[str, Any]:
        """Label of an origin, errors of forecast and persistence over the K steps, and how many
        true values lie in the interval.
        """
        one = self.series[self._known({"value": name})]
        of_model, of_persistence, inside = (part[place] for part in _errors(one))
        return {
            "when": one["when"][place],
            "error": float(np.sqrt(np.mean(of_model))),
            "persistence": float(np.sqrt(np.mean(of_persistence))),
            "inside": int(inside.sum()),
        }

    def whole(self, name: str) -> dict[str, float]:
        """Over all origins: share at which the forecast is better than persistence, skill over
        persistence (1 - ratio of the root mean squared errors), share of true values in the
        interval; each with three digits.
        """
        of_model, of_persistence, inside = _errors(self.series[self._known({"value": name})])
        better = of_model.mean(axis=1) < of_persistence.mean(axis=1)
        skill = 1 - np.sqrt(of_model.mean() / of_persistence.mean())
        return {
            "better": round(float(better.mean()), 3),
            "skill": round(float(skill), 3),
            "coverage": round(float(inside.mean()), 3),
        }


def _errors(
    one: Mapping[str, Any],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    """Squared errors of forecast and persistence, and where the truth is in the interval, each
    (n, K).
    """
    values, origins = np.asarray(one["series"]), np.asarray(one["origins"])
    told, low, high = (np.asarray(one[key]) for key in ("told", "low", "high"))
    true = values[origins[:, None] + 1 + np.arange(told.shape[1])]
    inside = (low <= true) & (true <= high)
    return (told - true) ** 2, (values[origins][:, None] - true) ** 2, inside


def _checked(name: str, one: Mapping[str, Any]) -> dict[str, Any]:
    """A series as the page carries it: what lies before the first window is left out."""
    if lacking := [key for key in NEEDED if key not in one]:
        raise ArgumentError(
            f"OriginSlider: {name} needs {', '.join(NEEDED)}; it has no {', '.join(lacking)}"
        )
    values, origins = np.asarray(one["series"], float), np.asarray(one["origins"])
    parts = {key: np.asarray(one[key], float) for key in ("told", "low", "high")}
    shapes = {part.shape for part in parts.values()}
    shape = next(iter(shapes))
    if len(shapes) > 1 or len(shape) != 2 or shape[0] != len(origins) or 0 in shape:
        raise ShapeError(
            f"OriginSlider: told, low and high of {name} must be (n, K) with n = {len(origins)} "
            f"origins, got {', '.join(str(part.shape) for part in parts.values())}"
        )
    K = shape[1]
    rises = origins.dtype.kind == "i" and np.all(np.diff(origins) > 0)
    if values.ndim != 1 or not rises or origins[0] < 0 or origins[-1] + K >= len(values):
        raise ArgumentError(
            f"OriginSlider: origins of {name} must be whole numbers that rise from 0 to "
            f"L-1-K = {len(values) - 1 - K} at most, so that K = {K} values follow each"
        )
    start, end = max(0, int(origins[0]) - BACK * K), int(origins[-1]) + K + 1
    kept = {"series": values[start:end], **parts}
    if not all(np.all(np.isfinite(part)) for part in kept.values()):
        raise ArgumentError(f"OriginSlider: all numbers of {name} must be finite")
    when = [str(label) for label in one.get("when", origins)]
    if len(when) != len(origins):
        raise ShapeError(
            f"OriginSlider: when of {name} must have n = {len(origins)} labels, got {len(when)}"
        )
    digits = max(0, SPAN_DIGITS - int(np.floor(np.log10(np.ptp(kept["series"]) or 1))) - 1)
    return {
        "when": when,
        "unit": str(one.get("unit", "")),
        "origins": [int(k) - start for k in origins],
        **{key: np.round(part, digits).tolist() for key, part in kept.items()},
    }

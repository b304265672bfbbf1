"""The search race: grid, random and successive halving at one price, replayed on stored losses."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from traitlets import Dict, Int, List, TraitError, Unicode, validate

from lstm_ref.errors import ArgumentError, ShapeError
from lstm_ref.inspect.widget import Widget, module, style

METHODS = ("grid", "random", "halving")
BUDGETS = (4, 9, 16)  # full runs: squares, so that a grid costs the same
ETA = 3  # of the runs of a rung of halving, one in so many goes on
LIMIT = 6_000  # numbers that a page carries
MAX_RACES = 2_000
Cell = tuple[int, int]


class Raced(NamedTuple):
    """What one search found in one race."""

    tried: list[Cell]  # started, in the order in which they were drawn
    full: list[Cell]  # trained to the end
    found: Cell
    shown: float  # loss of the one that was found, on the seed of the search
    worth: float  # the same on the other seeds, mean


class SearchRace(Widget):
    """Three searches for two settings, each at the price of so many full runs.

    The reader first says which search shows the lowest loss, and what the setting that it found is
    worth with other seeds. Then single races show which settings were tried, and many races the
    mean and the spread. Python and the page draw the same numbers.

    Parameters
    ----------
    loss : (seeds, first, second, rungs), the loss of each setting after each rung, at least two
        seeds
    costs : (rungs,) what a run has cost at each rung, rising; the last is a full run
    axes : name -> its values, of the two settings; empty: they are numbered
    guess : {"winner": a method, "worth": "same", "higher" or "lower"}; empty: the page asks first
    budget : full runs that each search may cost: 4, 9 or 16. Halving starts as many runs as that
        pays for, and never more than there are settings
    races : how many are run already
    start : number from which the races are drawn

    Raises
    ------
    ShapeError : losses, costs and axes that do not fit each other
    ArgumentError : losses that are not finite, or more than a page should carry
    TraitError : a guess or a budget that does not exist

    Examples
    --------
    >>> loss = np.linspace(1, 0, 2 * 4 * 4 * 3).reshape(2, 4, 4, 3)
    >>> race = SearchRace(loss, costs=[1, 3, 9])
    >>> len(race.one(0)["grid"].full)
    4
    """

    name = "search_race"
    fallback = (
        "The search race replays grid, random and halving search on stored losses. It needs "
        "JavaScript. The same numbers come from SearchRace(loss, costs).means(races)."
    )
    _esm = module(name)
    _css = style(name)

    loss = List().tag(sync=True)
    costs = List().tag(sync=True)
    axes = Dict().tag(sync=True)
    names = List(Unicode()).tag(sync=True)  # of the axes, in their order
    guess = Dict().tag(sync=True)
    budget = Int(4).tag(sync=True)
    races = Int(0).tag(sync=True)
    start = Int(0).tag(sync=True)

    def __init__(
        self,
        loss: ArrayLike,
        costs: Sequence[float],
        *,
        axes: Mapping[str, Sequence[float]] | None = None,
        guess: Mapping[str, str] | None = None,
        budget: int = 4,
        races: int = 0,
        start: int = 0,
    ) -> None:
        table, prices = _checked(loss, costs)
        named = axes or {
            name: range(1, n + 1)
            for name, n in zip(("first", "second"), table.shape[1:3], strict=True)
        }
        if [len(values) for values in named.values()] != list(table.shape[1:3]):
            raise ShapeError(
                f"SearchRace: axes must hold two settings with {table.shape[1]} and "
                f"{table.shape[2]} values, got {[len(values) for values in named.values()]}"
            )
        self._table = table
        super().__init__(
            loss=table.tolist(),
            costs=prices,
            axes={name: [float(f"{v:.3g}") for v in values] for name, values in named.items()},
            names=list(named),
            guess=dict(guess or {}),
            budget=budget,
            races=races,
            start=start,
        )

    @validate("guess")  # type: ignore[untyped-decorator]  # traitlets is read without its types
    def _known(self, proposal: dict[str, Any]) -> dict[str, str]:
        guess: dict[str, str] = proposal["value"]
        if guess and (
            guess.get("winner") not in METHODS
            or guess.get("worth") not in ("same", "higher", "lower")
        ):
            raise TraitError(
                f"SearchRace: guess must be winner (one of {', '.join(METHODS)}) and worth (same, "
                f"higher or lower), got {guess}"
            )
        return guess

    @validate("budget")  # type: ignore[untyped-decorator]
    def _square(self, proposal: dict[str, Any]) -> int:
        budget: int = proposal["value"]
        if budget not in BUDGETS:
            raise TraitError(
                f"SearchRace: budget must be one of {', '.join(map(str, BUDGETS))}, got {budget}"
            )
        return budget

    @validate("races")  # type: ignore[untyped-decorator]
    def _some(self, proposal: dict[str, Any]) -> int:
        races: int = proposal["value"]
        if not 0 <= races <= MAX_RACES:
            raise TraitError(f"SearchRace: races must be from 0 to {MAX_RACES}, got {races}")
        return races

    def one(self, race: int) -> dict[str, Raced]:
        """What each search did in one race."""
        draw = generator(self.start + race)
        seed = int(draw() * len(self._table))
        return {method: self._raced(method, seed, draw) for method in METHODS}

    def means(self, races: int) -> dict[str, dict[str, float]]:
        """For each search over so many races: shown, its 10 % and 90 % quantiles, worth, won.

        Parameters
        ----------
        races : how many
        """
        every = [self.one(race) for race in range(races)]
        least = [min(found.shown for found in one.values()) for one in every]
        rows = {}
        for method in METHODS:
            shown = np.array([one[method].shown for one in every])
            rows[method] = {
                "shown": float(shown.mean()),
                "low": float(np.quantile(shown, 0.1)),
                "high": float(np.quantile(shown, 0.9)),
                "worth": float(np.mean([one[method].worth for one in every])),
                "won": float(np.mean(shown <= least)),
            }
        return rows

    def _raced(self, method: str, seed: int, draw: Callable[[], float]) -> Raced:
        table, (rows, columns) = self._table[seed], self._table.shape[1:3]
        if method == "grid":
            tried = grid(draw, self.budget, rows, columns)
            full = tried
        elif method == "random":
            tried = some(draw, self.budget, rows, columns)
            full = tried
        else:
            tried = some(draw, self._starts(), rows, columns)
            full = tried
            for rung in range(len(self.costs) - 1):
                ranked = sorted(full, key=lambda cell: table[(*cell, rung)])
                full = ranked[: max(1, len(full) // ETA)]
        found = min(full, key=lambda cell: table[(*cell, -1)])
        others = [one for k, one in enumerate(self._table) if k != seed]
        worth = float(np.mean([one[(*found, -1)] for one in others]))
        return Raced(tried, full, found, float(table[(*found, -1)]), worth)

    def _starts(self) -> int:
        """Runs that halving can start at the price."""
        steps = np.diff([0.0, *self.costs])
        price = sum(float(step) / ETA**rung for rung, step in enumerate(steps))
        return min(self._table[0, :, :, 0].size, int(self.budget * self.costs[-1] / price))


def generator(seed: int) -> Callable[[], float]:
    """Numbers from 0 to 1 by a linear congruential generator, the same in Python and the page."""
    state = (seed * 2654435761 + 12345) % 2**32

    def draw() -> float:
        nonlocal state
        state = (1664525 * state + 1013904223) % 2**32
        return state / 2**32

    for _ in range(4):  # neighbouring seeds begin alike
        draw()
    return draw


def grid(draw: Callable[[], float], budget: int, rows: int, columns: int) -> list[Cell]:
    """A square grid, shifted at random along each axis."""
    k = round(budget**0.5)

    def values(size: int) -> list[int]:
        shift = draw()
        return [int((shift + one) * size / k) for one in range(k)]

    first, second = values(rows), values(columns)
    return [(r, c) for r in first for c in second]


def some(draw: Callable[[], float], n: int, rows: int, columns: int) -> list[Cell]:
    """So many different cells."""
    cells = list(range(rows * columns))
    for k in range(min(n, len(cells))):
        other = k + int(draw() * (len(cells) - k))
        cells[k], cells[other] = cells[other], cells[k]
    return [divmod(cell, columns) for cell in cells[:n]]


def _checked(loss: ArrayLike, costs: Sequence[float]) -> tuple[NDArray[np.float64], list[float]]:
    table = np.asarray(loss, float)
    prices = [float(cost) for cost in costs]
    if table.ndim != 4 or len(table) < 2 or len(prices) != table.shape[-1]:
        raise ShapeError(
            "SearchRace: loss must be (seeds, first, second, rungs) with two seeds or more and a "
            f"cost for each rung, got {table.shape} and {len(prices)} costs"
        )
    if min(table.shape[1:3]) < 2 or np.any(np.diff([0.0, *prices]) <= 0):
        raise ShapeError(
            "SearchRace: each setting needs two values or more, and costs must rise from above 0, "
            f"got {table.shape[1:3]} and {prices}"
        )
    if not np.all(np.isfinite(table)) or table.size > LIMIT:
        raise ArgumentError(
            f"SearchRace: loss must hold finite numbers, at most {LIMIT}, got {table.size}; give a "
            "run that diverged a large loss"
        )
    return table.round(4), prices

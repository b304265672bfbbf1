"""Be the gate: open and shut the gates of one cell by hand, step by step, beside a cell that has
learned to.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from traitlets import Dict, List, TraitError, Unicode, validate

from lstm_ref.errors import ArgumentError, Array, ShapeError
from lstm_ref.inspect.trace import GateTrace
from lstm_ref.inspect.widget import Widget, module, style

SIGMOID_GATES = ("f", "i", "o")  # in the order in which the page adds them
NEAR = 0.1  # a number that is off by no more counts as right
MAX_COLUMNS = 16  # columns that still can be touched on a telephone


class BeTheGate(Widget):
    """Three gates at each step, open or shut by hand; a strip shows what the cell keeps and shows.

    The cell is c = f c + i g and h = o tanh(c), from c = 0. It should hold what is wanted, and show
    it where it is asked for, and only there. `gates` is a trait that follows the reader's hand in a
    live notebook.

    Parameters
    ----------
    words : (T,), what is read at each step; at most 16
    offers : (T,), the candidate g of each step
    wanted : (T,), what the cell state should be after each step
    asked : (T,), 1 where the cell should show what it holds, else 0
    learned : GateTrace (1, T, 1) of a trained cell over the same steps, `trace(params, x)`; None
        leaves it out
    gates : the gates where the page starts, "f", "i", "o" -> (T,) of 0 and 1; None opens all

    Raises
    ------
    ShapeError : lists of different lengths, a trace of another shape
    ArgumentError : no step or more than 16, gates by other names
    TraitError : a gate that is neither 0 nor 1

    Examples
    --------
    >>> widget = BeTheGate(["roads", "were"], [0.8, 0.1], [0.8, 0.8], [0, 1])
    >>> widget.score  # all gates are open: the second word is added, and the first is shown
    {'held': 2, 'shown': 1}
    >>> shut = {"f": [1, 1], "i": [1, 0], "o": [0, 1]}
    >>> BeTheGate(["roads", "were"], [0.8, 0.1], [0.8, 0.8], [0, 1], gates=shut).score
    {'held': 2, 'shown': 2}
    """

    name = "be_the_gate"
    fallback = (
        "Be the gate lets you open and shut the three gates of a cell at each step. It needs "
        "JavaScript. The same numbers come from BeTheGate(..., gates=...).states and .score."
    )
    _esm = module(name)
    _css = style(name)

    words = List(Unicode()).tag(sync=True)
    offers = List().tag(sync=True)
    wanted = List().tag(sync=True)
    asked = List().tag(sync=True)
    learned = Dict().tag(sync=True)  # i, f, o, c, h of the trained cell; empty where there is none
    gates = Dict().tag(sync=True)

    def __init__(
        self,
        words: Sequence[str],
        offers: Sequence[float],
        wanted: Sequence[float],
        asked: Sequence[float],
        learned: GateTrace | None = None,
        gates: Mapping[str, Sequence[float]] | None = None,
    ) -> None:
        T = len(words)
        if not 1 <= T <= MAX_COLUMNS:
            raise ArgumentError(f"BeTheGate: words must be 1 to {MAX_COLUMNS}, got {T}")
        for name, values in (("offers", offers), ("wanted", wanted), ("asked", asked)):
            if np.shape(values) != (T,):
                raise ShapeError(
                    f"BeTheGate: {name} must be (T,) = ({T},), one for each word, got "
                    f"{np.shape(values)}"
                )
        given = {name: [1.0] * T for name in SIGMOID_GATES} if gates is None else gates
        super().__init__(
            words=[str(word) for word in words],
            offers=_numbers(offers),
            wanted=_numbers(wanted),
            asked=_numbers(asked),
            learned=_learned(learned, T),
            gates={name: _numbers(values) for name, values in given.items()},
        )

    @validate("gates")  # type: ignore[untyped-decorator]  # traitlets is read without its types
    def _open_or_shut(self, proposal: dict[str, Any]) -> dict[str, list[float]]:
        gates = {str(name): _numbers(values) for name, values in proposal["value"].items()}
        if set(gates) != set(SIGMOID_GATES):
            raise ArgumentError(
                f"BeTheGate: gates must have the names f, i, o, got {', '.join(gates) or 'none'}"
            )
        for name, values in gates.items():
            if len(values) != len(self.words) or not set(values) <= {0.0, 1.0}:
                raise TraitError(
                    f"BeTheGate: gate {name} must be {len(self.words)} numbers, each 0 (shut) or "
                    f"1 (open), got {values}"
                )
        return gates

    @property
    def states(self) -> tuple[Array, Array]:
        """The cell state and the hidden state after each step, (T,) each, with these gates."""
        c, states = 0.0, []
        for f, i, g in zip(self.gates["f"], self.gates["i"], self.offers, strict=True):
            c = f * c + i * g
            states.append(c)
        held = np.array(states)
        return held, np.array(self.gates["o"]) * np.tanh(held)

    @property
    def score(self) -> dict[str, int]:
        """At how many steps c is what is wanted ("held"), and h what is asked for ("shown")."""
        return self._score(*self.states)

    @property
    def learned_score(self) -> dict[str, int]:
        """The same of the trained cell."""
        if not self.learned:
            raise ArgumentError(
                "BeTheGate: there is no trained cell; give learned=trace(params, x)"
            )
        return self._score(np.array(self.learned["c"]), np.array(self.learned["h"]))

    def _score(self, c: Array, h: Array) -> dict[str, int]:
        wanted = np.array(self.wanted)
        goal = np.array(self.asked) * np.tanh(wanted)
        near = NEAR + 1e-9  # a difference of exactly 0.1 counts, whatever the last bit says
        return {
            "held": int((np.abs(c - wanted) <= near).sum()),
            "shown": int((np.abs(h - goal) <= near).sum()),
        }


def _numbers(values: Any) -> list[float]:
    return [float(value) for value in values]


def _learned(trace: GateTrace | None, T: int) -> dict[str, list[float]]:
    """Gates and states of a trained cell with four digits, or nothing."""
    if trace is None:
        return {}
    if not isinstance(trace, GateTrace):
        raise ArgumentError(
            f"BeTheGate: learned must be a GateTrace, got {type(trace).__name__}; use "
            "trace(params, x)"
        )
    if trace.h.shape != (1, T, 1):
        raise ShapeError(
            f"BeTheGate: learned must be one example and one unit, (1, T, 1) = (1, {T}, 1), got "
            f"{trace.h.shape}"
        )
    return {
        name: [round(float(value), 4) for value in getattr(trace, name)[0, :, 0]]
        for name in ("f", "i", "o", "c", "h")
    }

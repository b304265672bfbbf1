"""The sequence inspector: what every gate of every unit did while a model read a text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from traitlets import Dict, Enum, Int, List, TraitError, Unicode, validate

from lstm_ref.errors import ArgumentError, Array, NotFiniteError, ShapeError
from lstm_ref.inspect.trace import GateTrace
from lstm_ref.inspect.widget import Widget, module, style

LIMIT = 150_000  # numbers; about 1 MB of page
DIGITS = 4  # significant digits that a page carries and shows


class SequenceInspector(Widget):
    """i, f, g, o, c, h of every unit at every step as a heat map over the text.

    The reader picks the array, points at a number to read it, sorts the units, and picks a unit to see its course and the text
    coloured by it. `array`, `sort`, `unit` and `step` are traits and follow what the reader does in a live notebook.

    Parameters
    ----------
    trace : GateTrace, each array (N, T, H), as `lstm_ref.inspect.trace` gives it
    tokens : what the model read, one for each of the T steps: a string (one character a step) or a list of strings
    sample : which of the N examples
    array : the array shown first: "i", "f", "g", "o", "c" or "h"
    sort : order of the units: "index"; "memory", the largest mean forget gate first; or "variance" of the array shown, the
        largest first
    unit : the unit whose course is drawn first; None means the one that varies most in the array shown
    step : the time step whose numbers are shown first

    Raises
    ------
    ShapeError, NotFiniteError : a trace that does not fit, or not to the tokens
    ArgumentError : a sample that does not exist, or more numbers than a page should carry
    TraitError : array, sort, unit or step that does not exist

    Examples
    --------
    >>> f = np.tile([0.2, 0.9, 0.5], (1, 4, 1))  # three units, each with a forget gate that never moves
    >>> SequenceInspector(GateTrace(f, f, f, f, f, f), "LSTM").orders["memory"]
    [1, 2, 0]
    """

    name = "sequence_inspector"
    fallback = (
        "The sequence inspector shows the gates and states of every unit at every step of a text. It needs JavaScript. "
        "The same numbers come from lstm_ref.inspect.trace(model, x)."
    )
    _esm = module(name)
    _css = style(name)

    tokens = List(Unicode()).tag(sync=True)
    arrays = Dict().tag(sync=True)  # name -> T lists of H numbers
    orders = Dict().tag(sync=True)  # "memory" -> units; "variance_i", ... -> units
    means = List().tag(sync=True)  # mean forget gate of each unit
    array = Enum(list(GateTrace._fields), default_value="f").tag(sync=True)
    sort = Enum(["index", "memory", "variance"], default_value="memory").tag(sync=True)
    unit = Int(0).tag(sync=True)
    step = Int(0).tag(sync=True)

    def __init__(
        self,
        trace: GateTrace,
        tokens: str | Sequence[str],
        *,
        sample: int = 0,
        array: str = "f",
        sort: str = "memory",
        unit: int | None = None,
        step: int = 0,
    ) -> None:
        tokens = list(tokens)
        arrays = _sample(trace, tokens, sample)
        orders = {"memory": _largest_first(arrays["f"].mean(axis=0))}
        orders |= {f"variance_{name}": _largest_first(values.var(axis=0)) for name, values in arrays.items()}
        if unit is None:
            unit = orders.get(f"variance_{array}", [0])[0]
        super().__init__(
            tokens=[str(token) for token in tokens],
            arrays={name: _round(values) for name, values in arrays.items()},
            orders=orders,
            means=_round(arrays["f"].mean(axis=0)),
            array=array,
            sort=sort,
            unit=unit,
            step=step,
        )

    @validate("unit", "step")  # type: ignore[untyped-decorator]  # traitlets is read without its types
    def _in_range(self, proposal: dict[str, Any]) -> int:
        name, value = proposal["trait"].name, int(proposal["value"])
        size, letter = (len(self.means), "H") if name == "unit" else (len(self.tokens), "T")
        if not 0 <= value < size:
            raise TraitError(f"SequenceInspector: {name} must be from 0 to {letter}-1 = {size - 1}, got {value}")
        return value


def _sample(trace: GateTrace, tokens: list[str], sample: int) -> dict[str, Array]:
    """The six arrays of one example, each (T, H)."""
    if not isinstance(trace, GateTrace):
        raise ArgumentError(
            f"SequenceInspector: trace must be a GateTrace, got {type(trace).__name__}; use trace(model, x)"
        )
    for name, values in trace._asdict().items():
        if values.ndim != 3 or values.shape != trace.h.shape or 0 in values.shape:
            raise ShapeError(f"SequenceInspector: {name} must be (N, T, H) = {trace.h.shape}, got {values.shape}")
    N, T, H = trace.h.shape
    if not 0 <= sample < N:
        raise ArgumentError(f"SequenceInspector: sample must be from 0 to N-1 = {N - 1}, got {sample}")
    if len(tokens) != T:
        raise ShapeError(
            f"SequenceInspector: tokens must be T = {T}, one for each step of the trace, got {len(tokens)}; "
            "for characters pass a string, for words a list"
        )
    if 6 * T * H > LIMIT:
        raise ArgumentError(
            f"SequenceInspector: a page should carry at most {LIMIT} numbers, got 6 * T * H = 6 * {T} * {H} = {6 * T * H}; "
            f"show fewer steps, GateTrace(*(a[:, :{LIMIT // (6 * H)}] for a in trace)) and as many tokens, or fewer units, "
            f"a[:, :, :{LIMIT // (6 * T)}]"
        )
    arrays = {name: values[sample] for name, values in trace._asdict().items()}
    for name, values in arrays.items():
        if not np.isfinite(values).all():
            raise NotFiniteError(f"SequenceInspector: {name} must be finite, got NaN or infinity; look at the model")
    return arrays


def _largest_first(values: Array) -> list[int]:
    """Units by value, the largest first; units with the same value keep their order."""
    return [int(unit) for unit in np.argsort(-values, kind="stable")]


def _round(values: Array) -> Any:
    """Nested lists of floats with `DIGITS` significant digits: what the reader sees, and no byte more."""
    if values.ndim > 1:
        return [_round(row) for row in values]
    return [float(f"{value:.{DIGITS}g}") for value in values.tolist()]

"""The sequence inspector: what every gate of every unit did while a model read a text."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from traitlets import Dict, Enum, Int, List, TraitError, Unicode, validate

from lstm_ref.errors import ArgumentError, Array, NotFiniteError, ShapeError
from lstm_ref.inspect.trace import GateTrace
from lstm_ref.inspect.widget import Widget, module, style

LIMIT = 150_000  # numbers; about 1 MB of page
DIGITS = 4  # significant digits that a page carries and shows
LAGS = 64  # as far back as a page carries what mattered


class SequenceInspector(Widget):
    """i, f, g, o, c, h of every unit at every step as a heat map over the text.

    The reader picks the array, points at a number to read it, sorts the units, and picks a unit to
    see its course and the text coloured by it, saves the view as SVG or as a page that stands
    alone, and opens the trace of another model, which `to_json` has written. `array`, `sort`,
    `signal`, `unit` and `step` are traits: they follow what the reader does in a live notebook, and
    ``ipywidgets.link((slider, "value"), (inspector, "unit"))`` ties a slider of your own to one.

    Parameters
    ----------
    trace : GateTrace, each array (N, T, H), as `lstm_ref.inspect.trace` gives it
    tokens : what the model read, one for each of the T steps: a string (one character a step) or a
        list of strings
    sample : which of the N examples
    array : the array shown first: "i", "f", "g", "o", "c" or "h"
    sort : order of the units: "index"; "memory", the largest mean forget gate first; "variance" of
        the array shown, the largest first; or "signal", the largest correlation of the array shown
        with the signal first, whatever its sign
    signals : name -> one number for each of the T steps: what a unit might count or track, as the
        functions of `lstm_ref.inspect.signals` find it in the text
    unit : the unit whose course is drawn first; None means the one that varies most in the array
        shown, and with sort="signal" the one that goes most with the first signal
    step : the time step whose numbers are shown first
    reach : (T, T), how strongly the output after step t depends on the input of step s, in row t,
        as `input_reach` finds it; the reader may colour the text by it, up to 64 steps back. None
        leaves it out
    shade : what colours the text first: "unit", the picked unit, or "reach"
    guesses : for each of the T steps, pairs of a token and the probability that it comes next, the
        likeliest first; they are said of the step that is pointed at, beside what mattered for them

    Raises
    ------
    ShapeError, NotFiniteError : a trace that does not fit, or not to the tokens
    ArgumentError : a sample or signal that does not exist, guesses whose probabilities are none, or
        more numbers than a page should carry
    TraitError : array, sort, unit or step that does not exist

    Examples
    --------
    >>> f = np.tile(
    ...     [0.2, 0.9, 0.5], (1, 4, 1)
    ... )  # three units, each with a forget gate that never moves
    >>> SequenceInspector(GateTrace(f, f, f, f, f, f), "LSTM").orders["memory"]
    [1, 2, 0]

    Which unit knows how deep it is in brackets?

    >>> from lstm_ref.inspect.signals import depth
    >>> c = np.array(
    ...     [[[0.3, 0.9], [0.1, 1.1], [0.2, 0.1], [0.3, 0.0]]]
    ... )  # unit 1 is high inside of (x)
    >>> inspector = SequenceInspector(
    ...     GateTrace(c, c, c, c, c, c), "(x)y", signals={"depth": depth("(x)y")}, array="c"
    ... )
    >>> inspector.orders["signal_depth_c"]
    [1, 0]

    In a notebook, without the widget:
    ``ipywidgets.interact(lambda unit: figure(...), unit=(0, H - 1))`` draws a figure of your own
    for each unit; `trace` gives the numbers.
    """

    name = "sequence_inspector"
    fallback = (
        "The sequence inspector shows the gates and states of every unit at every step of a text. "
        "It needs JavaScript. The same numbers come from lstm_ref.inspect.trace(model, x)."
    )
    _esm = module(name)
    _css = style(name)

    tokens = List(Unicode()).tag(sync=True)
    arrays = Dict().tag(sync=True)  # name -> T lists of H numbers
    orders = Dict().tag(sync=True)  # "memory" -> units; "variance_i", ... -> units
    means = List().tag(sync=True)  # mean forget gate of each unit
    signals = Dict().tag(sync=True)  # name -> T numbers
    likeness = Dict().tag(sync=True)  # "depth_c", ... -> correlation of each unit
    array = Enum(list(GateTrace._fields), default_value="f").tag(sync=True)
    sort = Enum(["index", "memory", "variance", "signal"], default_value="memory").tag(sync=True)
    signal = Unicode("").tag(sync=True)  # the one that "signal" sorts by
    unit = Int(0).tag(sync=True)
    step = Int(0).tag(sync=True)
    reach = Unicode("").tag(sync=True)  # (T, LAGS) bytes, or nothing
    shade = Enum(["unit", "reach"], default_value="unit").tag(sync=True)
    guesses = List().tag(sync=True)  # T lists of [token, probability], or nothing

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
        signals: Mapping[str, Any] | None = None,
        reach: Array | None = None,
        shade: str = "unit",
        guesses: Sequence[Sequence[tuple[str, float]]] | None = None,
    ) -> None:
        tokens = list(tokens)
        arrays = _sample(trace, tokens, sample)
        orders = {"memory": _largest_first(arrays["f"].mean(axis=0))}
        orders |= {
            f"variance_{name}": _largest_first(values.var(axis=0))
            for name, values in arrays.items()
        }
        found = _signals(signals or {}, len(tokens))
        likeness = {
            f"{signal}_{name}": _correlation(values, course)
            for signal, course in found.items()
            for name, values in arrays.items()
        }
        orders |= {f"signal_{key}": _largest_first(np.abs(r)) for key, r in likeness.items()}
        if sort == "signal" and not found:
            raise ArgumentError(
                'SequenceInspector: sort="signal" needs signals, a dict of name -> T numbers'
            )
        if shade == "reach" and reach is None:
            raise ArgumentError('SequenceInspector: shade="reach" needs reach, (T, T) numbers')
        if unit is None:
            first = f"signal_{next(iter(found))}" if sort == "signal" else "variance"
            unit = orders.get(f"{first}_{array}", [0])[0]
        super().__init__(
            tokens=[str(token) for token in tokens],
            arrays={name: _round(values) for name, values in arrays.items()},
            orders=orders,
            means=_round(arrays["f"].mean(axis=0)),
            signals={name: _round(course) for name, course in found.items()},
            likeness={key: _round(r) for key, r in likeness.items()},
            array=array,
            sort=sort,
            signal=next(iter(found), ""),
            unit=unit,
            step=step,
            reach="" if reach is None else _reach(np.asarray(reach, float), len(tokens)),
            shade=shade,
            guesses=[] if guesses is None else _guesses(guesses, len(tokens)),
        )

    @validate("unit", "step")  # type: ignore[untyped-decorator]  # traitlets is read without its types
    def _in_range(self, proposal: dict[str, Any]) -> int:
        name, value = proposal["trait"].name, int(proposal["value"])
        size, letter = (len(self.means), "H") if name == "unit" else (len(self.tokens), "T")
        if not 0 <= value < size:
            raise TraitError(
                f"SequenceInspector: {name} must be from 0 to {letter}-1 = {size - 1}, got {value}"
            )
        return value

    @validate("signal")  # type: ignore[untyped-decorator]
    def _known(self, proposal: dict[str, Any]) -> str:
        name = str(proposal["value"])
        if name and name not in self.signals:
            raise TraitError(
                f"SequenceInspector: signal must be one of {', '.join(self.signals) or 'none'}, "
                f"got {name!r}"
            )
        return name

    @property
    def page_state(self) -> dict[str, Any]:
        """The traits for a page, the six arrays as floats of three bytes: half the bytes, and the
        same digits.
        """
        return {
            **self.module_state,
            "arrays": {name: _packed(rows) for name, rows in self.arrays.items()},
        }

    def to_json(self, path: str | os.PathLike[str]) -> Path:
        """Write the trace to a file that the inspector of a page opens: a model of your own in the
        view of the book.

        Parameters
        ----------
        path : the file to write

        Returns
        -------
        Path : the file written
        """
        path = Path(path)
        path.write_text(
            json.dumps(self.page_state, separators=(",", ":"), allow_nan=False), encoding="utf-8"
        )
        return path


def _sample(trace: GateTrace, tokens: list[str], sample: int) -> dict[str, Array]:
    """The six arrays of one example, each (T, H)."""
    if not isinstance(trace, GateTrace):
        raise ArgumentError(
            f"SequenceInspector: trace must be a GateTrace, got {type(trace).__name__}; use "
            "trace(model, x)"
        )
    for name, values in trace._asdict().items():
        if values.ndim != 3 or values.shape != trace.h.shape or 0 in values.shape:
            raise ShapeError(
                f"SequenceInspector: {name} must be (N, T, H) = {trace.h.shape}, got {values.shape}"
            )
    N, T, H = trace.h.shape
    if not 0 <= sample < N:
        raise ArgumentError(
            f"SequenceInspector: sample must be from 0 to N-1 = {N - 1}, got {sample}"
        )
    if len(tokens) != T:
        raise ShapeError(
            f"SequenceInspector: tokens must be T = {T}, one for each step of the trace, got "
            f"{len(tokens)}; for characters pass a string, for words a list"
        )
    if 6 * T * H > LIMIT:
        raise ArgumentError(
            f"SequenceInspector: a page should carry at most {LIMIT} numbers, got 6 * T * H = 6 * "
            f"{T} * {H} = {6 * T * H}; show fewer steps, GateTrace(*(a[:, :{LIMIT // (6 * H)}] for "
            f"a in trace)) and as many tokens, or fewer units, a[:, :, :{LIMIT // (6 * T)}]"
        )
    arrays = {name: values[sample] for name, values in trace._asdict().items()}
    for name, values in arrays.items():
        if not np.isfinite(values).all():
            raise NotFiniteError(
                f"SequenceInspector: {name} must be finite, got NaN or infinity; look at the model"
            )
    return arrays


def _largest_first(values: Array) -> list[int]:
    """Units by value, the largest first; units with the same value keep their order."""
    return [int(unit) for unit in np.argsort(-values, kind="stable")]


def _round(values: Array) -> Any:
    """Nested lists of floats with `DIGITS` significant digits: what the reader sees, and no byte
    more.
    """
    if values.ndim > 1:
        return [_round(row) for row in values]
    return [float(f"{value:.{DIGITS}g}") for value in values.tolist()]


def _signals(signals: Mapping[str, Any], T: int) -> dict[str, Array]:
    """The signals as arrays (T,)."""
    found = {str(name): np.asarray(course, float) for name, course in signals.items()}
    for name, course in found.items():
        if course.shape != (T,):
            raise ShapeError(
                f"SequenceInspector: signal {name!r} must be (T,) = ({T},), got {course.shape}"
            )
        if not np.isfinite(course).all():
            raise NotFiniteError(
                f"SequenceInspector: signal {name!r} must be finite, got NaN or infinity"
            )
    return found


def _reach(reach: Array, T: int) -> str:
    """For each step, what each of the last `LAGS` inputs counts, as a share of the largest: bytes
    in base64.
    """
    if reach.shape != (T, T):
        raise ShapeError(f"SequenceInspector: reach must be (T, T) = ({T}, {T}), got {reach.shape}")
    if not np.isfinite(reach).all() or (reach < 0).any():
        raise NotFiniteError("SequenceInspector: reach must be finite and not below 0")
    if np.triu(reach, 1).any():
        t, s = np.argwhere(np.triu(reach, 1))[0]
        raise ArgumentError(
            f"SequenceInspector: reach[{t}, {s}] is not 0: the output after step {t} would depend "
            "on a later input; row t is the output, column s the input"
        )
    shares = reach / np.maximum(reach.max(axis=1, keepdims=True), np.finfo(float).tiny)
    lags = np.zeros((T, LAGS), np.uint8)
    for t in range(T):
        back = shares[t, max(0, t - LAGS + 1) : t + 1][::-1]  # this input first, then those before
        lags[t, : len(back)] = np.round(255 * back)
    return base64.b64encode(lags.tobytes()).decode()


def _guesses(guesses: Sequence[Sequence[tuple[str, float]]], T: int) -> list[Any]:
    """The guesses as a page carries them."""
    if len(guesses) != T:
        raise ShapeError(
            f"SequenceInspector: guesses must be T = {T}, one list for each step, got "
            f"{len(guesses)}"
        )
    for t, pairs in enumerate(guesses):
        for token, p in pairs:
            if not 0 <= p <= 1:
                raise ArgumentError(
                    f"SequenceInspector: guesses[{t}] gives {token!r} the probability {p}, which "
                    "must be from 0 to 1"
                )
    return [[[str(token), float(f"{p:.{DIGITS}g}")] for token, p in pairs] for pairs in guesses]


def _correlation(values: Array, course: Array) -> Array:
    """Pearson's r of each unit's course in values (T, H) with a signal (T,), as (H,); 0 for what
    never moves.
    """
    values, course = (a - a.mean(axis=0) for a in (values.astype(float), course))
    sizes = np.linalg.norm(values, axis=0) * np.linalg.norm(course)
    r: Array = np.divide(course @ values, sizes, out=np.zeros(values.shape[1]), where=sizes > 1e-12)
    return r


def _packed(rows: list[list[float]]) -> str:
    """Numbers as float32 without the last byte, rounded, in base64: a relative error below 1e-5,
    and four bytes of page each.
    """
    bits = (np.array(rows, "<f4").view("<u4") + 0x80) >> 8
    return base64.b64encode(
        bits.astype("<u4").view(np.uint8).reshape(-1, 4)[:, :3].tobytes()
    ).decode()

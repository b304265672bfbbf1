"""The gate explorer: one LSTM cell whose numbers the reader moves."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from traitlets import Float, TraitError, validate

from lstm_ref.cell import lstm_step
from lstm_ref.errors import ArgumentError, Array, ShapeError
from lstm_ref.inspect.trace import trace
from lstm_ref.inspect.widget import Widget, module, style

_WEIGHTS = [f"{name}_{gate}" for name in ("Wx", "Wh", "b") for gate in "ifgo"]
_NAMES = ["x", "h_prev", "c_prev", *_WEIGHTS]


class GateExplorer(Widget):
    """One LSTM cell with one input and one unit, D = H = 1: move a number and watch it pass the
    gates.

    Every number is a trait: ``ipywidgets.link((slider, "value"), (explorer, "b_f"))`` ties a slider
    of your own to it. Without the widget,
    ``ipywidgets.interact(lambda b_f: GateExplorer(b_f=b_f).values, b_f=(-8.0, 8.0))`` prints the
    numbers. `of_unit` shows a unit of a model of yours. The view can be saved as SVG, or as a page
    that stands alone.

    Parameters
    ----------
    x : input
    h_prev, c_prev : state before the step; h_prev lies between -1 and 1, as every hidden state does
    Wx_i, Wx_f, Wx_g, Wx_o : weights of x
    Wh_i, Wh_f, Wh_g, Wh_o : weights of h_prev
    b_i, b_f, b_g, b_o : biases

    Raises
    ------
    TraitError : a number that is not finite, an h_prev outside of -1 to 1, or a name that is not in
        this list

    Examples
    --------
    >>> explorer = GateExplorer(x=0.0, h_prev=0.0, c_prev=1.0, b_f=6.0, b_i=-6.0)
    >>> round(explorer.values["c"], 3)  # nearly all of the old cell state is kept
    0.998
    """

    name = "gate_explorer"
    fallback = (
        "The gate explorer shows one LSTM cell with numbers that you can move. It needs "
        "JavaScript. The same numbers come from lstm_step(x, h_prev, c_prev, Wx, Wh, b) with D = H "
        "= 1."
    )
    _esm = module(name)
    _css = style(name)

    x = Float(1.0).tag(sync=True)
    h_prev = Float(0.2).tag(sync=True)
    c_prev = Float(0.8).tag(sync=True)
    Wx_i = Float(0.8).tag(sync=True)
    Wx_f = Float(-0.4).tag(sync=True)
    Wx_g = Float(1.2).tag(sync=True)
    Wx_o = Float(0.6).tag(sync=True)
    Wh_i = Float(0.5).tag(sync=True)
    Wh_f = Float(0.3).tag(sync=True)
    Wh_g = Float(-0.7).tag(sync=True)
    Wh_o = Float(0.4).tag(sync=True)
    b_i = Float(0.0).tag(sync=True)
    b_f = Float(1.0).tag(sync=True)
    b_g = Float(0.0).tag(sync=True)
    b_o = Float(0.0).tag(sync=True)

    def __init__(self, **numbers: float) -> None:
        unknown = [name for name in numbers if name not in _NAMES]
        if unknown:
            raise TraitError(
                f"GateExplorer: the numbers are {', '.join(_NAMES)}; got {', '.join(unknown)}"
            )
        super().__init__(**numbers)

    @validate(*_NAMES)  # type: ignore[untyped-decorator]  # traitlets is read without its types
    def _finite(self, proposal: dict[str, Any]) -> float:
        name, value = proposal["trait"].name, float(proposal["value"])
        if not math.isfinite(value):
            raise TraitError(f"GateExplorer: {name} must be finite, got {value}")
        if name == "h_prev" and abs(value) > 1:
            raise TraitError(
                f"GateExplorer: h_prev must lie between -1 and 1, as o * tanh(c) does, got {value}"
            )
        return value

    @classmethod
    def of_unit(
        cls,
        params: Mapping[str, Array],
        x: Array,
        unit: int,
        step: int,
        *,
        h0: Array | None = None,
        c0: Array | None = None,
    ) -> GateExplorer:
        """One unit of a model of yours, at one step of a sequence: the same gates and states as in
        the model.

        A unit sees D inputs and H hidden states; the explorer has one of each. So x is 1 and stands
        for the whole input, its weights are what the input sends into each gate, h_prev and its
        weights are the unit's own, and what the other units send is added to the biases.

        Parameters
        ----------
        params : dict with Wx (D, 4H), Wh (H, 4H), b (4H,); ``convert(weights, "pytorch", "here")``
            brings others here
        x : (T, D), one sequence
        unit : from 0 to H-1
        step : from 0 to T-1
        h0, c0 : (H,); zeros if not given

        Returns
        -------
        GateExplorer : whose `values` are those of the unit after the step

        Raises
        ------
        ArgumentError, ShapeError, DTypeError, NotFiniteError : an argument that does not fit, by
            name

        Examples
        --------
        >>> from lstm_ref import init_lstm
        >>> rng = np.random.default_rng(0)
        >>> params, x = init_lstm(rng, D=3, H=4), rng.normal(size=(5, 3))
        >>> explorer = GateExplorer.of_unit(params, x, unit=2, step=4)
        >>> round(explorer.values["h"], 4) == round(float(trace(params, x[None]).h[0, 4, 2]), 4)
        True
        """
        if np.ndim(x) != 2:
            raise ShapeError(
                f"GateExplorer.of_unit: x must be (T, D), one sequence, got {np.shape(x)}"
            )
        states = {"h0": h0, "c0": c0}
        starts = {
            name: None if state is None else np.asarray(state)[None]
            for name, state in states.items()
        }
        gates = trace(dict(params), np.asarray(x)[None], h0=starts["h0"], c0=starts["c0"])
        T, H = gates.h.shape[1:]
        for name, value, size, letter in (("unit", unit, H, "H"), ("step", step, T, "T")):
            if not 0 <= value < size:
                raise ArgumentError(
                    f"GateExplorer.of_unit: {name} must be from 0 to {letter}-1 = {size - 1}, got "
                    f"{value}"
                )
        before = {"h": gates.h[0, step - 1], "c": gates.c[0, step - 1]}
        if step == 0:
            before = {
                name: np.zeros(H) if states[f"{name}0"] is None else np.asarray(states[f"{name}0"])
                for name in "hc"
            }
        columns = [k * H + unit for k in range(4)]  # i, f, g, o of this unit
        Wx, Wh, b = (np.asarray(params[name])[..., columns] for name in ("Wx", "Wh", "b"))
        own = Wh[unit]
        others = before["h"] @ Wh - before["h"][unit] * own
        numbers = {"Wx": x[step] @ Wx, "Wh": own, "b": b + others}
        return cls(
            x=1.0,
            h_prev=float(before["h"][unit]),
            c_prev=float(before["c"][unit]),
            **{
                f"{name}_{gate}": float(row[k])
                for name, row in numbers.items()
                for k, gate in enumerate("ifgo")
            },
        )

    @property
    def params(self) -> dict[str, Array]:
        """The weights as `lstm_step` takes them: Wx (1, 4), Wh (1, 4), b (4,)."""
        Wx, Wh, b = (
            np.array([getattr(self, f"{name}_{gate}") for gate in "ifgo"])
            for name in ("Wx", "Wh", "b")
        )
        return {"Wx": Wx[None], "Wh": Wh[None], "b": b}

    @property
    def values(self) -> dict[str, float]:
        """i, f, g, o, c, h for the numbers of the moment, by `lstm_step`."""
        x, h_prev, c_prev = (np.array([[number]]) for number in (self.x, self.h_prev, self.c_prev))
        h, c, step = lstm_step(x, h_prev, c_prev, **self.params)
        arrays = {"i": step.i, "f": step.f, "g": step.g, "o": step.o, "c": c, "h": h}
        return {name: float(array[0, 0]) for name, array in arrays.items()}

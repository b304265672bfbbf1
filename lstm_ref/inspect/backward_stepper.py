"""The backward stepper: backpropagation through two steps of a small LSTM, one local derivative at
a time.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from traitlets import Enum, Float, Int, List, TraitError, validate

from lstm_ref.errors import Array
from lstm_ref.inspect.widget import Widget, module, style
from lstm_ref.sequence import SequenceGrads, lstm_backward, lstm_forward
from lstm_ref.zoo import find

MISTAKES = (  # the order of the letters in the page: neither by step nor by how often they are made
    "do_uses_c",
    "no_dc_carry",
    "sigmoid_prime_of_a",
    "weights_overwritten",
    "tanh_prime_of_c",
    "no_dh_carry",
    "df_uses_new_cell",
    "dc_prev_without_f",
)
POSITIONS = 34  # local derivatives from the loss to the last gradient

_LENGTHS = {"x": 2, "y": 2, "Wx": 4, "Wh": 4, "b": 4}
_NAMES = ("x", "y", "h0", "c0", "Wx", "Wh", "b", "loss", "mistake", "position")


class BackwardStepper(Widget):
    """Two steps of an LSTM with one example, one input and one unit, walked back from the loss by
    the reader.

    The loss is half the squared distance of h from y, at the last step or at both. All numbers of
    the page are computed in the page, the difference quotients too. A planted mistake is one of the
    zoo; its name stays covered until it is asked for.

    Parameters
    ----------
    position : how many local derivatives were taken, 0 to 34
    mistake : "none", or the id of one of `MISTAKES`
    loss : "last" or "both": where the loss looks
    x, y : inputs and targets of the two steps
    h0, c0 : state before the first step
    Wx, Wh, b : weights of i, f, g, o, four numbers each

    Raises
    ------
    TraitError : a number that is not finite, a list of the wrong length, an unknown mistake, or a
        name that is not in this list

    Examples
    --------
    >>> right, wrong = BackwardStepper(), BackwardStepper(mistake="no_dc_carry")
    >>> bool(
    ...     np.isclose(right.values.dx[0, 1, 0], wrong.values.dx[0, 1, 0])
    ... )  # the last step is right
    True
    >>> bool(np.isclose(right.values.dx[0, 0, 0], wrong.values.dx[0, 0, 0]))
    False
    """

    name = "backward_stepper"
    fallback = (
        "The backward stepper walks back through two steps of an LSTM, one local derivative at a "
        "time. It needs JavaScript. The same gradients come from BackwardStepper(loss=..., "
        "mistake=...).values."
    )
    _esm = module(name)
    _css = style(name)

    position = Int(0).tag(sync=True)
    mistake = Enum(("none", *MISTAKES), "none").tag(sync=True)
    loss = Enum(("last", "both"), "last").tag(sync=True)
    x = List(Float(), [1.0, -0.7]).tag(sync=True)
    y = List(Float(), [-0.2, -0.8]).tag(sync=True)
    h0 = Float(0.4).tag(sync=True)
    c0 = Float(0.9).tag(sync=True)
    Wx = List(Float(), [0.9, 0.5, 1.3, 0.6]).tag(sync=True)
    Wh = List(Float(), [0.7, -0.6, 1.1, 0.8]).tag(sync=True)
    b = List(Float(), [0.4, 0.9, 0.2, 0.7]).tag(sync=True)
    zoo = List().tag(sync=True)  # what the page says of each mistake, from the zoo

    def __init__(self, **numbers: Any) -> None:
        unknown = [name for name in numbers if name not in _NAMES]
        if unknown:
            raise TraitError(
                f"BackwardStepper: the numbers are {', '.join(_NAMES)}; got {', '.join(unknown)}"
            )
        bugs = [find(id) for id in MISTAKES]
        zoo = [
            {
                "id": bug.id,
                "title": bug.title,
                "changes": [change.__dict__.copy() for change in bug.changes],
            }
            for bug in bugs
        ]
        super().__init__(zoo=zoo, **numbers)

    @validate("position")  # type: ignore[untyped-decorator]  # traitlets is read without its types
    def _in_walk(self, proposal: dict[str, Any]) -> int:
        value: int = proposal["value"]
        if not 0 <= value <= POSITIONS:
            raise TraitError(
                f"BackwardStepper: position must be from 0 to {POSITIONS}, got {value}"
            )
        return value

    @validate("h0", "c0", *_LENGTHS)  # type: ignore[untyped-decorator]
    def _finite(self, proposal: dict[str, Any]) -> Any:
        name, value = proposal["trait"].name, proposal["value"]
        length = _LENGTHS.get(name)
        if length is not None and len(value) != length:
            raise TraitError(
                f"BackwardStepper: {name} must hold {length} numbers, got {len(value)}"
            )
        if not all(math.isfinite(number) for number in (value if length else [value])):
            raise TraitError(f"BackwardStepper: {name} must be finite, got {value}")
        return value

    @property
    def arguments(self) -> dict[str, Array]:
        """The numbers as `lstm_forward` takes them, with N = D = H = 1 and T = 2."""
        return {
            "x": np.array(self.x).reshape(1, 2, 1),
            "h0": np.array([[self.h0]]),
            "c0": np.array([[self.c0]]),
            "Wx": np.array([self.Wx]),
            "Wh": np.array([self.Wh]),
            "b": np.array(self.b),
        }

    @property
    def values(self) -> SequenceGrads:
        """The gradients at the end of the walk, by `lstm_backward` or by the planted mistake of the
        zoo.
        """
        h, _, cache = lstm_forward(**self.arguments)
        dh = h - np.array(self.y).reshape(1, 2, 1)
        if self.loss == "last":
            dh[:, 0] = 0
        if self.mistake == "none":
            return lstm_backward(dh, cache)
        return find(self.mistake).lstm_backward(dh, cache)

"""The forget slider: one gate, and what it leaves of a number step by step."""

from __future__ import annotations

from typing import Any

import numpy as np
from traitlets import Float, TraitError, validate

from lstm_ref.errors import Array
from lstm_ref.inspect.widget import Widget, module, style

STEPS = 100


class ForgetSlider(Widget):
    """One slider, a forget gate f, and a bar for each of 100 steps that is as high as what is left.

    The number starts at 1 and nothing is written: after k steps f**k of it is left. `f` is a trait
    that follows the slider in a live notebook.

    Parameters
    ----------
    f : the forget gate where the page starts, from 0.8 to 1

    Raises
    ------
    TraitError : an f outside of that

    Examples
    --------
    >>> slider = ForgetSlider(0.9)
    >>> bool(slider.left[100] < 1e-4), float(slider.left[0])
    (True, 1.0)
    """

    name = "forget_slider"
    fallback = (
        "The forget slider shows what a forget gate leaves of a number in 100 steps. It needs "
        "JavaScript. The same numbers come from ForgetSlider(f).left."
    )
    _esm = module(name)
    _css = style(name)

    f = Float(0.9).tag(sync=True)

    def __init__(self, f: float = 0.9) -> None:
        super().__init__(f=f)

    @validate("f")  # type: ignore[untyped-decorator]  # traitlets is read without its types
    def _in_range(self, proposal: dict[str, Any]) -> float:
        value = float(proposal["value"])
        if not 0.8 <= value <= 1:
            raise TraitError(f"ForgetSlider: f must be from 0.8 to 1, got {value}")
        return value

    @property
    def left(self) -> Array:
        """What is left after 0, 1, ..., 100 steps: (101,)."""
        left: Array = self.f ** np.arange(STEPS + 1)
        return left

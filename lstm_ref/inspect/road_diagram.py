"""The cell state as a road: a number enters at one step, drives on, and leaves at another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lstm_ref.errors import ArgumentError, Array
from lstm_ref.inspect.figure import Figure, figure
from lstm_ref.inspect.palette import Palette

_SIZE = 13.6  # points: 10.5 pixels on a telephone of 390
_LANE = 0.3  # half the width of a road that carries 1


def state_road(
    words: Sequence[str],
    written: Sequence[float],
    kept: Mapping[str, float | Sequence[float]],
    read: Sequence[int],
    alt: str | None = None,
    caption: str | None = None,
) -> Figure:
    """Draw the cell state of one unit as a road past some words, one road for each forget gate.

    The road is as wide as what is left of the number on it, c = f c + what is written.

    Parameters
    ----------
    words : (T,), what is read at each step
    written : (T,), what enters at each step, input gate times candidate; nothing where it is 0
    kept : label -> forget gate, one number or (T,) from 0 to 1; one road each
    read : places of the words at which the output gate is open
    alt : what the drawing shows, in words; there is a text for it
    caption : text under the drawing

    Returns
    -------
    Figure : one drawing for light and dark pages

    Raises
    ------
    ArgumentError : lengths that differ, a forget gate outside of 0 to 1, a place that is no word

    Examples
    --------
    >>> state_road(["roads", "were"], [1, 0], {"f = 0.9": 0.9}, read=[1])
    <figure: The cell state as a road past 2 words. At the end it carries 0.90 with f = 0.9.>
    """
    states = {label: _states(words, written, gate) for label, gate in kept.items()}
    if not all(0 <= place < len(words) for place in read):
        raise ArgumentError(
            f"state_road: read must be places of words, 0 to {len(words) - 1}, got {list(read)}"
        )
    ends = ", ".join(f"{values[-1]:.2f} with {label}" for label, values in states.items())
    said = f"The cell state as a road past {len(words)} words. At the end it carries {ends}."

    def draw(ax: Any, palette: Palette) -> None:
        for row, (label, values) in enumerate(states.items()):
            _road(ax, palette, -1.15 * row, label, values, written, read)
        bottom = -1.15 * (len(states) - 1) - 0.95
        for t, word in enumerate(words):
            ax.text(t, bottom, word, ha="center", va="center", fontsize=_SIZE)
        ax.set(xlim=(-1.75, len(words) + 0.1), ylim=(bottom - 0.2, 0.95), aspect="equal")
        ax.axis("off")

    return figure(draw, alt or said, caption, size=(6.4, 0.62 * (1.5 + 1.15 * len(states))))


def _states(words: Sequence[str], written: Sequence[float], gate: Any) -> Array:
    """The state after each word (T,): c = f c + what is written, from c = 0."""
    T = len(words)
    if len(written) != T or np.ndim(gate) and len(gate) != T:
        raise ArgumentError(
            f"state_road: words, written and each list of forget gates must have one length, got "
            f"{T}, {len(written)} and {np.size(gate)}"
        )
    f = np.broadcast_to(np.asarray(gate, float), T)
    if not ((f >= 0) & (f <= 1)).all():
        raise ArgumentError(f"state_road: a forget gate must be from 0 to 1, got {gate}")
    states: list[float] = []
    for f_t, new in zip(f, written, strict=True):
        states.append(f_t * (states[-1] if states else 0.0) + new)
    return np.array(states)


def _road(
    ax: Any,
    palette: Palette,
    y: float,
    label: str,
    values: Array,
    written: Sequence[float],
    read: Sequence[int],
) -> None:
    from matplotlib.patches import Rectangle

    own, T = palette.colours, len(values)
    for side in (-_LANE, _LANE):  # the edges of the road
        ax.plot([-0.5, T], [y + side] * 2, color=palette.grid, linestyle="-", linewidth=1.5)
    for t, value in enumerate(values):  # what is on it between this word and the next
        half = _LANE * min(abs(float(value)), 1.0)
        ax.add_patch(Rectangle((t, y - half), 1.0, 2 * half, facecolor=own["c"], linewidth=0))
        if t:  # the forget gate stands before each word
            ax.plot([t, t], [y - _LANE, y + _LANE], color=own["f"], linestyle="-", linewidth=2.2)
        if written[t]:
            _arrow(ax, own["i"], (t, y - 0.72), (t, y - _LANE))
        if t in read:
            _arrow(ax, own["o"], (t, y + _LANE), (t, y + 0.74))
    ax.text(-0.62, y, label, ha="right", va="center", fontsize=_SIZE, color=own["f"])
    ax.text(T + 0.04, y, f"{values[-1]:.2f}", ha="left", va="center", fontsize=_SIZE)


def _arrow(ax: Any, colour: str, start: tuple[float, float], end: tuple[float, float]) -> None:
    style = {"arrowstyle": "-|>", "mutation_scale": 14, "color": colour, "linewidth": 2.4}
    ax.annotate("", end, start, arrowprops={**style, "shrinkA": 0, "shrinkB": 0}, zorder=3)

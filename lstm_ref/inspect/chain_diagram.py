"""A chain of three LSTM cells, the GRU, and boxes in a row, in the style of `cell_diagram`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lstm_ref.errors import ArgumentError
from lstm_ref.inspect.figure import Figure, figure
from lstm_ref.inspect.palette import Palette

_SIZE, _SMALL = 15, 13.6  # points: 12 and 10.5 pixels on a telephone of 390


def cell_chain(alt: str | None = None, caption: str | None = None) -> Figure:
    """Draw three LSTM cells in a row: two lines lead from each to the next.

    Parameters
    ----------
    alt : what the drawing shows, in words; there is a text for it
    caption : text under the drawing

    Returns
    -------
    Figure : one drawing for light and dark pages

    Examples
    --------
    >>> cell_chain(alt="Three LSTM cells in a row.")
    <figure: Three LSTM cells in a row.>
    """
    said = (
        "Three LSTM cells in a row. The cell state runs through all of them along one line, on "
        "which each cell only multiplies and adds. The hidden state leaves each cell, and goes "
        "into the next one together with its input."
    )
    return figure(_draw_chain, alt or said, caption, size=(6.4, 2.9))


def gru_diagram(alt: str | None = None, caption: str | None = None) -> Figure:
    """Draw a GRU: one line, a gate that keeps, and a gate on what the candidate sees.

    Parameters
    ----------
    alt : what the drawing shows, in words; there is a text for it
    caption : text under the drawing

    Returns
    -------
    Figure : one drawing for light and dark pages

    Examples
    --------
    >>> gru_diagram(alt="A GRU.")
    <figure: A GRU.>
    """
    said = (
        "A GRU. One line carries the hidden state: the update gate z multiplies it, and one minus "
        "z times the candidate n is added. The reset gate r multiplies the old state on its way "
        "into the candidate."
    )
    return figure(_draw_gru, alt or said, caption, size=(6.4, 2.9))


class _Pen:
    """Lines, nodes and boxes of one drawing."""

    def __init__(self, ax: Any, palette: Palette) -> None:
        self.ax, self.palette = ax, palette

    def line(self, colour: str, *points: tuple[float, float], width: float = 2.4) -> None:
        self.ax.plot(
            *zip(*points, strict=True),
            color=colour,
            linestyle="-",
            linewidth=width,
            solid_capstyle="round",
            zorder=1,
        )

    def arrow(self, colour: str, start: tuple[float, float], end: tuple[float, float]) -> None:
        style = {
            "arrowstyle": "-|>",
            "mutation_scale": 15,
            "color": colour,
            "linewidth": 2.6,
            "shrinkA": 0,
            "shrinkB": 0,
        }
        self.ax.annotate("", end, start, arrowprops=style, zorder=1)

    def text(self, x: float, y: float, text: str, **options: Any) -> None:
        self.ax.text(
            x,
            y,
            text,
            **{"ha": "center", "va": "center", "fontsize": _SIZE, "zorder": 4, **options},
        )

    def node(self, colour: str, x: float, y: float, sign: str) -> None:
        from matplotlib.patches import Circle

        face = self.palette.page
        self.ax.add_patch(
            Circle((x, y), 0.19, facecolor=face, edgecolor=colour, linewidth=2, zorder=3)
        )
        self.text(x, y - 0.02, sign)

    def box(
        self,
        colour: str,
        x: float,
        y: float,
        text: str,
        width: float = 0.5,
        height: float = 0.44,
        zorder: float = 2,
    ) -> None:
        from matplotlib.patches import FancyBboxPatch

        self.ax.add_patch(
            FancyBboxPatch(
                (x - width / 2, y - height / 2),
                width,
                height,
                boxstyle="round,pad=0.06",
                facecolor=self.palette.page,
                edgecolor=colour,
                linewidth=2.2,
                zorder=zorder,
            )
        )
        if text:
            self.text(x, y, text)


def _draw_chain(ax: Any, palette: Palette) -> None:
    pen, own = _Pen(ax, palette), palette.colours
    belt, low = 1.75, 0.45
    for t in (1, 2, 3):
        x = 2.5 * t
        gates = {"f": x - 0.5, "i": x - 0.12, "g": x + 0.26, "o": x + 0.64}
        pen.box(palette.muted, x, 1.1, "", width=1.5, height=1.75, zorder=0)
        pen.line(own["c"], (x - 0.82, belt), (x + 0.07, belt), width=3)
        pen.line(own["f"], (gates["f"], belt - 0.2), (gates["f"], 1.08), width=2)
        pen.line(own["i"], (gates["i"], 1.08), (x + 0.03, belt - 0.2), width=2)
        pen.line(own["g"], (gates["g"], 1.08), (x + 0.11, belt - 0.2), width=2)
        pen.line(own["o"], (gates["o"], belt), (gates["o"], 1.08), width=2)
        pen.line(own["o"], (gates["o"], 0.72), (gates["o"], low), width=2)
        pen.node(own["f"], gates["f"], belt, "×")
        pen.node(palette.fg, x + 0.07, belt, "+")
        for letter, place in gates.items():
            pen.text(place, 0.9, f"${letter}$")
        pen.arrow(palette.muted, (x - 0.1, -0.55), (x - 0.1, 0.14))
        pen.text(x + 0.2, -0.42, f"$x_{t}$")
        pen.arrow(own["h"], (gates["o"], low), (x + 1.68, low))
        pen.text(x + 1.24, low - 0.3, f"$h_{t}$")
        pen.arrow(own["c"], (x + 0.26, belt), (x + 1.68, belt))
        pen.text(x + 1.24, belt + 0.3, f"$c_{t}$")
    pen.arrow(own["c"], (0.9, belt), (1.68, belt))
    pen.arrow(own["h"], (0.9, low), (1.68, low))
    pen.text(1.2, belt + 0.3, "$c_0$")
    pen.text(1.2, low - 0.3, "$h_0$")
    ax.set(xlim=(0.8, 9.3), ylim=(-0.65, 2.35), aspect="equal")
    ax.axis("off")


def _draw_gru(ax: Any, palette: Palette) -> None:
    pen, own, reset = _Pen(ax, palette), palette.colours, palette.others[0]
    belt, meet, gate, bus = 2.0, 1.36, 0.62, -0.1
    z, r, times, n = 1.3, 2.75, 3.75, 4.9
    pen.arrow(own["h"], (-0.3, belt), (6.4, belt))
    pen.text(-0.35, belt + 0.36, "$h_{t-1}$")
    pen.text(6.3, belt + 0.36, "$h_t$")
    pen.line(palette.muted, (-0.1, bus), (n, bus), width=1.4)
    for x in (z, r, times, n):
        pen.line(palette.muted, (x, bus), (x, gate - 0.28 if x != times else gate - 0.2), width=1.4)
    pen.line(own["f"], (z, gate + 0.28), (z, belt - 0.2))
    pen.line(own["f"], (z, meet), (n - 0.2, meet))
    pen.text((z + n) / 2, meet + 0.24, "$1 - z$")
    pen.line(reset, (r + 0.3, gate), (times - 0.2, gate))
    pen.line(reset, (times + 0.2, gate), (n - 0.3, gate))
    pen.line(own["g"], (n, gate + 0.28), (n, belt - 0.2))
    pen.node(own["f"], z, belt, "×")
    pen.node(own["f"], n, meet, "×")
    pen.node(palette.fg, n, belt, "+")
    pen.node(reset, times, gate, "×")
    for colour, x, letter in ((own["f"], z, "z"), (reset, r, "r"), (own["g"], n, "n")):
        pen.box(colour, x, gate, f"${letter}$")
    pen.text(0.45, bus + 0.28, "$x_t,\\ h_{t-1}$")
    pen.text(times + 0.5, bus + 0.24, "$h_{t-1}$")
    pen.text(n + 0.3, bus + 0.2, "$x_t$")
    ax.set(xlim=(-0.85, 6.9), ylim=(-0.45, 2.7), aspect="equal")
    ax.axis("off")


def flow_diagram(
    boxes: Sequence[str],
    arrows: Sequence[str],
    alt: str,
    caption: str | None = None,
    stress: Sequence[int] = (),
) -> Figure:
    """Draw boxes from left to right, with what goes from each to the next.

    Parameters
    ----------
    boxes : the text of each, with a line break for a new line
    arrows : what stands on the arrow behind each box but the last; may be empty
    alt : what the drawing shows, in words
    caption : text under the drawing
    stress : places of boxes with a coloured rim

    Returns
    -------
    Figure : one drawing for light and dark pages

    Raises
    ------
    ArgumentError : another number of arrows than of gaps between the boxes

    Examples
    --------
    >>> flow_diagram(["LSTM", "affine"], ["h (N, H)"], alt="An LSTM, then an affine layer.")
    <figure: An LSTM, then an affine layer.>
    """
    if len(arrows) != len(boxes) - 1:
        raise ArgumentError(
            f"flow_diagram: {len(boxes)} boxes have {len(boxes) - 1} gaps, got {len(arrows)} arrows"
        )

    def draw(ax: Any, palette: Palette) -> None:
        pen, gap, half = _Pen(ax, palette), 3.6, 1.15
        for k, text in enumerate(boxes):
            colour = palette.others[0] if k in stress else palette.muted
            pen.box(colour, gap * k, 0, "", width=2 * half, height=0.9)
            pen.text(gap * k, 0, text, fontsize=_SMALL)
        for k, text in enumerate(arrows):
            pen.arrow(palette.muted, (gap * k + half + 0.08, 0), (gap * (k + 1) - half - 0.09, 0))
            pen.text(gap * (k + 0.5), 0.62, text, fontsize=_SMALL, va="bottom")
        right = gap * (len(boxes) - 1) + half
        ax.set(xlim=(-half - 0.15, right + 0.15), ylim=(-0.6, 1.6), aspect="equal")
        ax.axis("off")

    return figure(draw, alt, caption, size=(6.4, 1.4))

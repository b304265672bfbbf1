"""The LSTM cell as a drawing that grows part by part, in the colours of the widgets, with a missing
part as a ghost.
"""

from __future__ import annotations

from typing import Any

from lstm_ref.errors import ArgumentError
from lstm_ref.inspect.figure import Figure, figure
from lstm_ref.inspect.palette import Palette

PARTS = "figot"  # forget gate, input gate, candidate, output gate, output tanh
STAGES = ("f", "fi", "fig", "figot")  # what stands after each need of the page *The LSTM cell*

_BELT, _GATE, _BUS = 2.0, 0.72, 0.0  # heights: cell state, gates, inputs
_MEET, _PEEP = 1.42, 1.3  # heights: input gate meets candidate; a peephole passes the forget gate
_KEEP, _WRITE, _READ = 1.3, 3.1, 5.75  # places from left to right
_SIZE = 16  # points: still 12 pixels on a telephone of 390


def cell_diagram(
    parts: str = PARTS,
    new: str = "",
    ghost: str = "",
    alt: str | None = None,
    caption: str | None = None,
    *,
    coupled: bool = False,
    peepholes: bool = False,
) -> Figure:
    """Draw the cell with the given parts.

    Parameters
    ----------
    parts : letters of the parts that are there: f, i, g, o, and t for the tanh at the output.
        Without g the raw input is written, without f the old state is always kept
    new : letters of the parts to stress; all others are drawn in grey. Empty: every part has its
        colour
    ghost : letters of parts that are missing and drawn as a dashed shadow
    alt : what the drawing shows, in words; made from the parts when it is not given
    caption : text under the drawing
    coupled : a line from the forget gate does the work of the input gate, which is no part then:
        1 - f of the candidate is written
    peepholes : lines lead from the cell state into the gates, from the old one into f and i, from
        the new one into o

    Returns
    -------
    Figure : one drawing for light and dark pages

    Raises
    ------
    ArgumentError : a letter that is no part, or a part that is both there and a ghost; coupled
        gates with an input gate, or without a forget gate

    Examples
    --------
    >>> cell_diagram("figo", ghost="t")
    <figure: LSTM cell with forget gate, input gate, candidate, output gate; without output tanh.>
    """
    unknown = sorted(set(parts + new + ghost) - set(PARTS))
    if unknown or set(parts) & set(ghost):
        raise ArgumentError(
            f"cell_diagram: parts are letters of {PARTS!r}, and a ghost is none of the parts that "
            f"are there; got parts {parts!r}, new {new!r}, ghost {ghost!r}"
        )

    if coupled and ("i" in parts or "f" not in parts):
        raise ArgumentError(
            "cell_diagram: coupled gates need the part f, and i is none of the parts (it may be a "
            f"ghost); got parts {parts!r}, ghost {ghost!r}"
        )

    def draw(ax: Any, palette: Palette) -> None:
        _Cell(ax, palette, parts, new or parts, ghost, coupled, peepholes).draw()

    said = alt or _in_words(parts, ghost, coupled, peepholes)
    return figure(draw, said, caption, size=(6.4, 2.9))


def _in_words(parts: str, ghost: str, coupled: bool, peepholes: bool) -> str:
    names = {
        "f": "forget gate",
        "i": "input gate",
        "g": "candidate",
        "o": "output gate",
        "t": "output tanh",
    }
    there, gone = (", ".join(names[p] for p in PARTS if p in group) for group in (parts, ghost))
    more = "; 1 - f of the candidate is written" * coupled + "; with peepholes" * peepholes
    return f"LSTM cell with {there or 'no gate'}{f'; without {gone}' * bool(gone)}{more}."


class _Cell:
    """One drawing: each method draws one part where it belongs."""

    def __init__(
        self,
        ax: Any,
        palette: Palette,
        parts: str,
        new: str,
        ghost: str,
        coupled: bool,
        peepholes: bool,
    ) -> None:
        self.ax, self.palette, self.parts, self.new, self.ghost = ax, palette, parts, new, ghost
        self.coupled, self.peepholes = coupled, peepholes

    def draw(self) -> None:
        self._belt()
        if self._seen("f"):
            self._line("f", (_KEEP, _GATE + 0.3), (_KEEP, _BELT - 0.22))
            self._node("f", _KEEP, _BELT, "×")
            self._gate("f", _KEEP)
        self._write()
        if self.peepholes:
            self._peep()
        if self._seen("o") or self._seen("t"):
            self._read()
        self._bus()
        self.ax.set(xlim=(-0.75, 7.35), ylim=(-0.55, 2.75), aspect="equal")
        self.ax.axis("off")

    def _seen(self, part: str) -> bool:
        return part in self.parts or part in self.ghost

    def _style(self, part: str) -> dict[str, Any]:
        """Colour and line of a part: its own, grey where another one is new, a dashed shadow where
        it is missing.
        """
        colour = self.palette.colours["h" if part == "t" else part]
        if part in self.ghost:
            return {"color": colour, "linestyle": (0, (2, 2)), "alpha": 0.45, "linewidth": 1.6}
        if part not in self.new:
            return {"color": self.palette.muted, "linestyle": "-", "linewidth": 1.6}
        return {"color": colour, "linestyle": "-", "linewidth": 2.6}

    def _line(self, part: str, *points: tuple[float, float]) -> None:
        self.ax.plot(
            *zip(*points, strict=True), solid_capstyle="round", zorder=1, **self._style(part)
        )

    def _arrow(
        self, start: tuple[float, float], end: tuple[float, float], colour: str, width: float
    ) -> None:
        style = {
            "arrowstyle": "-|>",
            "mutation_scale": 17,
            "color": colour,
            "linewidth": width,
            "shrinkA": 0,
            "shrinkB": 0,
        }
        self.ax.annotate("", end, start, arrowprops=style, zorder=1)

    def _text(self, x: float, y: float, text: str, **options: Any) -> None:
        self.ax.text(x, y, text, fontsize=_SIZE, **{"ha": "center", "va": "center", **options})

    def _node(self, part: str | None, x: float, y: float, sign: str) -> None:
        from matplotlib.patches import Circle

        style = (
            self._style(part)
            if part
            else {"color": self.palette.fg, "linestyle": "-", "linewidth": 1.6}
        )
        edge = {"edgecolor": style.pop("color"), "facecolor": self.palette.page}
        self.ax.add_patch(Circle((x, y), 0.21, zorder=3, **edge, **style))
        self._text(x, y - 0.02, sign, zorder=4, alpha=style.get("alpha", 1))

    def _gate(self, part: str, x: float) -> None:
        from matplotlib.patches import FancyBboxPatch

        style = self._style(part)
        edge = {"edgecolor": style.pop("color"), "facecolor": self.palette.page}
        self.ax.add_patch(
            FancyBboxPatch(
                (x - 0.25, _GATE - 0.22),
                0.5,
                0.44,
                boxstyle="round,pad=0.06",
                zorder=3,
                **edge,
                **style,
            )
        )
        self._text(x, _GATE, f"${part}$", zorder=4, alpha=style.get("alpha", 1))

    def _belt(self) -> None:
        colour = self.palette.colours["c"]
        self._arrow((-0.3, _BELT), (6.9, _BELT), colour, 3.2)
        self._text(-0.45, _BELT + 0.4, "$c_{t-1}$")
        self._text(6.9, _BELT + 0.4, "$c_t$")

    def _write(self) -> None:
        """What is added to the cell state: the raw input, or the candidate, times the input gate if
        there is one.
        """
        self._node(None, _WRITE, _BELT, "+")
        source = "g" if self._seen("g") else None
        part = source or "x"
        if self._seen("i") or self.coupled:
            left, right = _WRITE - 0.62, _WRITE + 0.62
            if self._seen("i"):
                over = (left, _MEET) if self.coupled else (_WRITE - 0.2, _MEET)
                self._line("i", (left, _GATE + 0.3), (left, _MEET), over)
                self._gate("i", left)
            if self.coupled:
                self._line("f", (_KEEP, _MEET), (_WRITE - 0.2, _MEET))
                self._text((_KEEP + left) / 2, _MEET + 0.24, "$1 - f$")
            self._source(part, right, (right, _MEET), (_WRITE + 0.2, _MEET))
            self._wire(part, (_WRITE, _MEET + 0.2), (_WRITE, _BELT - 0.22))
            self._node("f" if self.coupled else "i", _WRITE, _MEET, "×")
        else:
            self._source(part, _WRITE, (_WRITE, _BELT - 0.22))

    def _peep(self) -> None:
        """From the old cell state into forget gate and input gate, from the new one into the output
        gate; a gate has its inputs at the left side.
        """
        old, new, side = 0.45, _READ - 1.4, 0.32
        into = {"f": (old, _KEEP), "i": (_KEEP + 0.6, _WRITE - 0.62), "o": (new, _READ - 0.85)}
        colour = self.palette.colours["c"]
        for part, (x, gate) in into.items():
            if not self._seen(part):
                continue
            way = [(x, _GATE), (gate - side, _GATE)]
            # The input gate looks at the old state, too: its line starts ahead of the forget gate.
            way = (
                [(old, _BELT), (old, _PEEP), (x, _PEEP), *way]
                if part == "i"
                else [(x, _BELT), *way]
            )
            self.ax.plot(
                *zip(*way[:-1], strict=True), color=colour, linestyle="-", linewidth=1.8, zorder=2
            )
            self._arrow(way[-2], way[-1], colour, 1.8)
        for x in (old, new):
            self.ax.plot([x], [_BELT], "o", color=colour, markersize=7, zorder=3)

    def _source(self, part: str, x: float, *way: tuple[float, float]) -> None:
        self._wire(part, (x, _GATE + 0.3 if part == "g" else _BUS), *way)
        if part == "g":
            self._gate("g", x)

    def _wire(self, part: str, *points: tuple[float, float]) -> None:
        """A line of the candidate, or a plain one where the raw input is written."""
        if part == "g":
            self._line("g", *points)
        else:
            self.ax.plot(
                *zip(*points, strict=True),
                color=self.palette.muted,
                linestyle="-",
                linewidth=1.6,
                zorder=1,
            )

    def _read(self) -> None:
        """From the cell state down through tanh and output gate to the hidden state."""
        from matplotlib.patches import FancyBboxPatch

        meet = 0.98
        branch = "o" if "o" in self.parts else "t" if "t" in self.parts else "o"
        self._line(branch, (_READ, _BELT), (_READ, meet))
        if self._seen("t"):
            style = self._style("t")
            edge = {"edgecolor": style.pop("color"), "facecolor": self.palette.page}
            self.ax.add_patch(
                FancyBboxPatch(
                    (_READ - 0.32, 1.33),
                    0.64,
                    0.26,
                    boxstyle="round,pad=0.08",
                    zorder=3,
                    **edge,
                    **style,
                )
            )
            self.ax.text(
                _READ,
                1.45,
                "tanh",
                fontsize=14,
                ha="center",
                va="center",
                zorder=4,
                alpha=style.get("alpha", 1),
            )
        if self._seen("o"):
            self._line("o", (_READ - 0.85, _GATE + 0.3), (_READ - 0.85, meet), (_READ - 0.2, meet))
            self._gate("o", _READ - 0.85)
            self._node("o", _READ, meet, "×")
        self._arrow(
            (_READ + (0.21 if self._seen("o") else 0), meet),
            (6.9, meet),
            self.palette.colours["h"],
            3.2,
        )
        self._text(6.9, meet + 0.38, "$h_t$")

    def _bus(self) -> None:
        """The inputs of all gates. A cell without a candidate gets the input alone: that is added,
        and nothing is computed from the last output yet.
        """
        muted = self.palette.muted
        places = {
            "f": _KEEP,
            "i": _WRITE - 0.62,
            "g": _WRITE + 0.62 if self._seen("i") else _WRITE,
            "o": _READ - 0.85,
        }
        fed = [x for part, x in places.items() if self._seen(part)]
        if not self._seen("g"):
            fed.append(_WRITE + 0.62 if self._seen("i") else _WRITE)
        self.ax.plot(
            [-0.1, max(fed)], [_BUS, _BUS], color=muted, linestyle="-", linewidth=1.4, zorder=0
        )
        for part, x in places.items():
            if self._seen(part):
                self.ax.plot(
                    [x, x], [_BUS, _GATE - 0.3], color=muted, linestyle="-", linewidth=1.4, zorder=0
                )
        inputs = "$x_t,\\ h_{t-1}$" if self._seen("g") else "$x_t$"
        self._text(0.45, _BUS + 0.28, inputs)

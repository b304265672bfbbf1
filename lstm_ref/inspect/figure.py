"""Figures for a page that may be light or dark: drawn once for each, shown as one SVG, described in
words.
"""

from __future__ import annotations

import base64
import hashlib
import html
import io
import math
from collections.abc import Callable
from typing import Any

from lstm_ref.errors import ArgumentError, MissingPackageError
from lstm_ref.inspect.palette import (
    PALETTES,
    PLAIN_OUTPUT_CSS,
    SERIES_DASHES,
    Mode,
    Palette,
    dark_css,
)
from lstm_ref.inspect.svg import merged

# A telephone of 390 pixels shows a figure this wide, and no word in it lower than the other.
TELEPHONE_PIXELS, LEAST_PIXELS = 358, 10.5


class Figure:
    """A light and a dark SVG of one drawing; made by `figure`.

    Attributes
    ----------
    alt : what a reader who does not see the figure gets instead
    caption : text under the figure, or None
    svg : mode ("light", "dark") -> SVG source
    """

    def __init__(self, svg: dict[Mode, str], alt: str, caption: str | None) -> None:
        self.svg, self.alt, self.caption = svg, alt, caption

    def _repr_html_(self) -> str:
        caption = f"<figcaption>{html.escape(self.caption)}</figcaption>" if self.caption else ""
        style, drawing = self._drawing()
        # The theme hides a caption that follows an image of the other mode: the images stand in a
        # box of their own.
        return (
            f"<style>{_CSS}{style}</style><figure "
            f'class="lstm-figure"><div>{drawing}</div>{caption}</figure>'
        )

    def _drawing(self) -> tuple[str, str]:
        """Style sheet of this figure alone, and one SVG for both modes; or two images where they
        differ in what is drawn.
        """
        alt = html.escape(self.alt)
        # The same figure has the same name, and two figures on a page have two.
        name = (
            "lf"
            + hashlib.sha256(
                "\0".join([*self.svg.values(), self.alt, self.caption or ""]).encode()
            ).hexdigest()[:6]
        )
        if (one := merged(self.svg["light"], self.svg["dark"], f"{name}-")) is None:
            images = "".join(
                f'<img class="only-{mode}" alt="{alt}" '
                f'src="data:image/svg+xml;base64,{base64.b64encode(source.encode()).decode()}">'
                for mode, source in self.svg.items()
            )
            return "", images
        drawing, light, dark = one
        colours = [
            " ".join(f"{name}: {value};" for name, value in colours.items())
            for colours in (light, dark)
        ]
        style = f"#{name} {{ {colours[0]} }}\n" + dark_css(f"#{name}", colours[1]) if light else ""
        return style, drawing.replace(
            "<svg ", f'<svg id="{name}" role="img" aria-label="{alt}" ', 1
        )

    def __repr__(self) -> str:
        return f"<figure: {self.alt}>"


def figure(
    draw: Callable[[Any, Palette], object],
    alt: str,
    caption: str | None = None,
    size: tuple[float, float] = (6.4, 3.2),
    rows: int = 1,
    columns: int = 1,
    **subplots: Any,
) -> Figure:
    """Draw for a light and for a dark page, and show the one that fits the reader's page.

    Parameters
    ----------
    draw : called as ``draw(ax, palette)`` once for each mode; with several rows or columns, ``ax``
        is the array of axes. It must draw the same both times: take random numbers outside of it.
    alt : what the figure shows, in words: the finding, not "a plot of"
    caption : text under the figure
    size : (width, height) in inches. On a telephone a figure is made narrower, and its words
        smaller: the wider it is, the larger they are drawn, also those whose size ``draw`` sets
    rows, columns, **subplots : as in ``matplotlib.figure.Figure.subplots``, for instance
        ``sharey=True``

    Returns
    -------
    Figure : a notebook shows it as HTML, one SVG whose colours follow the page

    Raises
    ------
    ArgumentError : alt is missing or empty
    MissingPackageError : Matplotlib is not installed

    Examples
    --------
    >>> import numpy as np
    >>> def draw(ax, palette):
    ...     t = np.arange(50)
    ...     ax.plot(t, 0.9**t, label="f = 0.9", **palette.line("f"))
    ...     ax.legend()
    >>> figure(
    ...     draw, alt="What a forget gate of 0.9 leaves of a cell state falls to a half in 7 steps."
    ... )
    <figure: What a forget gate of 0.9 leaves of a cell state falls to a half in 7 steps.>
    """
    if not isinstance(alt, str) or not alt.strip():
        raise ArgumentError(
            f"figure: alt must say in words what the figure shows, got {alt!r}; name the finding, "
            "for a reader who cannot see it"
        )
    svg: dict[Mode, str] = {
        mode: _draw(draw, PALETTES[mode], size, rows, columns, subplots) for mode in PALETTES
    }
    return Figure(svg, " ".join(alt.split()), caption)


def _draw(
    draw: Callable[[Any, Palette], object],
    palette: Palette,
    size: tuple[float, float],
    rows: int,
    columns: int,
    subplots: dict[str, Any],
) -> str:
    try:
        import matplotlib
        from matplotlib.backends.backend_svg import FigureCanvasSVG
        from matplotlib.figure import Figure as Canvas
        from matplotlib.text import Text
    except ImportError as missing:
        raise MissingPackageError(
            "figure: needs Matplotlib; pip install 'inside-the-lstm[book]'"
        ) from missing

    # A Figure of its own, not pyplot's: nothing is left open, and the reader's settings are neither
    # used nor changed.
    least = least_points(size[0])
    with matplotlib.rc_context({**matplotlib.rcParamsDefault, **_style(palette, least)}):
        canvas = Canvas(figsize=size, layout="constrained")
        FigureCanvasSVG(canvas)
        draw(canvas.subplots(rows, columns, **subplots), palette)
        for text in canvas.findobj(Text):
            text.set_fontsize(max(least, text.get_fontsize()))
        out = io.StringIO()
        canvas.savefig(
            out, format="svg", transparent=True, metadata={"Date": None, "Creator": None}
        )
    return out.getvalue()


def least_points(width: float) -> float:
    """Smallest font of a figure that is ``width`` inches wide, in points, to a tenth above: on a
    telephone it is LEAST_PIXELS high.

    >>> least_points(6.4), least_points(3.2)
    (13.6, 7.9)
    """
    shrunk = max(1.0, 96 * width / TELEPHONE_PIXELS)
    return math.ceil(10 * 72 / 96 * LEAST_PIXELS * shrunk) / 10


def _style(palette: Palette, points: float) -> dict[str, Any]:
    from cycler import cycler

    fg, muted, grid = palette.fg, palette.muted, palette.grid
    return {
        "backend": "svg",
        # Glyphs as outlines: a font that is missing on the reader's machine would move every label.
        "svg.fonttype": "path",
        "svg.hashsalt": "inside-the-lstm",  # the same drawing gives the same bytes
        **dict.fromkeys(_SIZES, points),
        "axes.titlelocation": "left",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.facecolor": "none",
        "figure.facecolor": "none",
        "savefig.facecolor": "none",
        "axes.edgecolor": muted,
        "axes.labelcolor": fg,
        "axes.titlecolor": fg,
        "text.color": fg,
        "xtick.color": muted,
        "ytick.color": muted,
        "xtick.labelcolor": fg,
        "ytick.labelcolor": fg,
        "grid.color": grid,
        "grid.linewidth": 0.8,
        "axes.axisbelow": True,
        "lines.linewidth": 1.8,
        "legend.frameon": False,
        "legend.handlelength": 2.6,  # long enough for a dash pattern to show
        "patch.edgecolor": fg,
        "hatch.color": fg,
        "axes.prop_cycle": cycler(
            color=[palette.series(k)["color"] for k in range(6)],
            linestyle=list(SERIES_DASHES),
        ),
    }


_SIZES = (
    "font.size",
    "axes.labelsize",
    "axes.titlesize",
    "xtick.labelsize",
    "ytick.labelsize",
    "legend.fontsize",
)
_CSS = (
    ".lstm-figure { margin: 1rem 0; padding: 0; }\n"
    ".lstm-figure img { display: block; max-width: 100%; height: auto; padding: 0 !important; "
    "filter: none;"
    " background: var(--pst-color-background, var(--jp-layout-color0, #fff)) !important; }\n"
    ".lstm-figure svg { display: block; max-width: 100%; height: auto; }\n"
    ".lstm-figure .only-dark { display: none !important;"
    " background: var(--pst-color-background, var(--jp-layout-color0, #121212)) !important; }\n"
    ".lstm-figure figcaption { display: block !important; margin-top: .4rem; font-size: .9em; "
    "opacity: .85; }\n"
    + dark_css(".lstm-figure .only-dark", "display: block !important;")
    + dark_css(".lstm-figure .only-light", "display: none !important;")
    + PLAIN_OUTPUT_CSS
)

"""One colour and one line style for each of i, f, g, o, c, h: the same in every figure and in every
widget. All else takes the colours of `Palette.series`.

The hues are those of Okabe and Ito (2008), moved in lightness so that each colour has a contrast of
at least 3:1 on the book's white page and on its dark page (WCAG 2.1, criterion 1.4.11), and so that
any two of them stay apart for readers with protanopia, deuteranopia and tritanopia. Grey stands in
for their black, which a dark page would swallow. Colour is never the only carrier: the line styles
differ as well.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

Mode = Literal["light", "dark"]

COLOURS: dict[str, str] = {
    "i": "#2E9E6B",  # bluish green: write
    "f": "#2B6CC4",  # blue: keep
    "g": "#A87B00",  # orange: propose
    "o": "#CC79A7",  # reddish purple: read
    "c": "#B84300",  # vermilion: the cell state
    "h": "#6B7785",  # grey: the hidden state
}

LINE_STYLES: dict[str, Any] = {
    "i": (0, (5, 1.5)),
    "f": "solid",
    "g": (0, (1, 1.2)),
    "o": (0, (5, 1.5, 1, 1.5)),
    "c": "solid",
    "h": (0, (2.5, 1.2)),
}

LINE_WIDTHS: dict[str, float] = {"i": 1.8, "f": 1.8, "g": 2.2, "o": 1.8, "c": 2.8, "h": 1.8}


# What is no gate and no state has none of their colours: other networks, libraries, measurements.
# violet, teal, and the text's
SERIES_COLOURS: tuple[str, ...] = ("#9161D6", "#0E8A8F", "fg", "muted")
SERIES_DASHES: tuple[Any, ...] = (
    "solid",
    (0, (5, 1.5)),
    (0, (5, 1.5, 1, 1.5)),
    (0, (1, 1.2)),
    (0, (2.5, 1.2)),
    (0, (8, 2)),
)


class Palette(NamedTuple):
    """The colours of one figure in one mode; `figure` hands it to the function that draws."""

    mode: Mode
    fg: str  # text and axes
    bg: str  # "none": the page shows through
    page: str  # the colour of the page itself, for what must hide what is behind it
    muted: str  # secondary text, reference lines
    grid: str  # hair lines

    @property
    def colours(self) -> dict[str, str]:
        """Colour of each of i, f, g, o, c, h; the same in both modes."""
        return COLOURS

    def line(self, name: str) -> dict[str, Any]:
        """Keyword arguments for ``ax.plot``: colour, line style and width of i, f, g, o, c or h."""
        if name not in COLOURS:
            raise ValueError(
                f"palette.line: name must be one of {', '.join(COLOURS)}, got {name!r}"
            )
        return {
            "color": COLOURS[name],
            "linestyle": LINE_STYLES[name],
            "linewidth": LINE_WIDTHS[name],
        }

    @property
    def others(self) -> tuple[str, ...]:
        """Colours of what is no gate and no state, in the order of `series`."""
        return tuple(
            {"fg": self.fg, "muted": self.muted}.get(colour, colour) for colour in SERIES_COLOURS
        )

    def series(self, k: int) -> dict[str, Any]:
        """Keyword arguments for ``ax.plot`` of the k-th line, 0 to 5, that is no gate and no
        state.
        """
        if not 0 <= k < len(SERIES_DASHES):
            raise ValueError(f"palette.series: k must be from 0 to 5, got {k}")
        return {
            "color": self.others[k % len(SERIES_COLOURS)],
            "linestyle": SERIES_DASHES[k],
            "linewidth": 2.0,
        }

    def colormap(self, kind: Literal["sequential", "diverging"]) -> Any:
        """Colour map for an image: sequential for gates (0 to 1), diverging for g, h and c (centred
        at 0).

        Zero has the colour of the page in either mode, so that what is strong stands out. These are
        the colours of the sequence inspector.
        """
        from matplotlib.colors import LinearSegmentedColormap

        if kind not in ("sequential", "diverging"):
            raise ValueError(
                f"palette.colormap: kind must be 'sequential' or 'diverging', got {kind!r}"
            )
        ends = RAMPS[self.mode]
        stops = [ends["zero"], ends["positive"]]
        if kind == "diverging":
            stops.insert(0, ends["negative"])
        return LinearSegmentedColormap.from_list(f"lstm-{kind}-{self.mode}", stops)


RAMPS: dict[Mode, dict[str, str]] = {
    "light": {"negative": "#A63C00", "zero": "#F7F7F7", "positive": "#0B4F9E"},
    "dark": {"negative": "#FF9A5C", "zero": "#22272F", "positive": "#6FB1FF"},
}

PALETTES: dict[Mode, Palette] = {
    "light": Palette(
        "light", fg="#222832", bg="none", page="#FFFFFF", muted="#5A6675", grid="#D8DCE1"
    ),
    "dark": Palette(
        "dark", fg="#E6E9EE", bg="none", page="#121212", muted="#9AA5B3", grid="#39424E"
    ),
}

# What tells a page that it is dark: pydata-sphinx-theme, JupyterLab, VS Code and Colab, in this
# order.
DARK_HOSTS = (
    'html[data-theme="dark"]',
    'body[data-jp-theme-light="false"]',
    "body.vscode-dark",
    'html[theme="dark"]',
)
# A page that says it is one or the other is believed; only a page that says nothing follows the
# system.
_DECIDED = ':is([data-theme], [theme], :has(> body:is([data-jp-theme-light], [class*="vscode-"])))'


def dark_css(selector: str, declarations: str) -> str:
    """CSS that applies ``declarations`` to ``selector`` on a dark page, whichever host shows it."""
    return (
        f":is({', '.join(DARK_HOSTS)}) {selector} {{ {declarations} }}\n"
        f"@media (prefers-color-scheme: dark) {{ html:not({_DECIDED}) {selector} {{ {declarations} "
        "} }\n"
    )


# The theme paints the background of every HTML output white on a dark page, because most outputs
# know one mode only.
PLAIN_OUTPUT_CSS = (
    'html[data-theme="dark"] .bd-content div.cell_output .text_html:is(:has(.lstm-figure), '
    ":has(.lstm-widget)) "
    "{ background: none; color: inherit; padding: 0; }\n"
)

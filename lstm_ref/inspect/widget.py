"""What the widgets share: one ES module each, live in a notebook and still at work in a page
without a kernel.

Live, anywidget connects the module with the traits. In a built page, where no kernel answers, the
same module is written into the page with its state and a model of a few lines; nothing is loaded
from anywhere. ``LSTM_REF_STATIC=1`` asks for that form.
"""

from __future__ import annotations

import html
import json
import os
import re
import uuid
from pathlib import Path
from typing import Any, ClassVar

from lstm_ref.errors import MissingPackageError
from lstm_ref.inspect.palette import COLOURS, PALETTES, PLAIN_OUTPUT_CSS, RAMPS, Mode, dark_css

try:
    from traitlets import HasTraits
except ImportError as missing:  # every notebook has traitlets; a bare Python may not
    raise MissingPackageError(
        "the widgets need anywidget; pip install 'inside-the-lstm[book]'"
    ) from missing
try:
    from anywidget import AnyWidget
except ImportError:
    AnyWidget = None

STATIC = Path(__file__).parent / "static"
Base: Any = AnyWidget or HasTraits


def is_static() -> bool:
    """Whether widgets are shown as plain HTML: the book's build sets LSTM_REF_STATIC=1."""
    return os.environ.get("LSTM_REF_STATIC", "").strip() not in ("", "0")


def module(name: str) -> str:
    """Source of the ES module of a widget, with the shared parts that its first lines name:
    ``// with save.js``.
    """
    own = _source(f"{name}.js")
    return _parts(own, r"^// with (\w+\.js)$") + own


def style(name: str) -> str:
    """Style sheet of a widget: the palette as CSS variables, what all widgets share, the shared
    parts that its own names, ``/* with table.css */``, and its own.
    """
    own = _source(f"{name}.css")
    # Those parts for this widget alone: one that stands beside it may not name them.
    root = re.findall(r"^\.lw-\w+", own, re.MULTILINE)[0]
    parts = _parts(own, r"^/\* with (\w+\.css) \*/$").replace(".lstm-widget", root)
    gates = " ".join(f"--lw-{gate}: {colour};" for gate, colour in COLOURS.items())
    light = f".lstm-widget {{ {gates} {_variables('light')} }}\n"
    dark = dark_css(".lstm-widget", _variables("dark"))
    return light + dark + PLAIN_OUTPUT_CSS + _source("widget.css") + parts + own


def _parts(source: str, pattern: str) -> str:
    """The files in ``static/`` that lines of a source name."""
    return "".join(map(_source, re.findall(pattern, source, re.MULTILINE)))


def _source(file: str) -> str:
    return (STATIC / file).read_text(encoding="utf-8")


def _variables(mode: Mode) -> str:
    palette, ramp = PALETTES[mode], RAMPS[mode]
    surface, track, strong, focus = {
        "light": ("#F5F6F8", "#C9CFD6", "#8A94A1", "#0A7D91"),
        "dark": ("#1D232B", "#444E5B", "#6C7785", "#5CC7DB"),
    }[mode]
    values = {
        "fg": palette.fg,
        "page": palette.page,
        "muted": palette.muted,
        "rule": palette.grid,
        "x": palette.fg,
        **{f"s{k}": colour for k, colour in enumerate(palette.others)},
        "surface": surface,
        "track": track,
        "rule-strong": strong,
        "focus": focus,
        **ramp,
    }
    return f"color-scheme: {mode}; " + " ".join(
        f"--lw-{name}: {value};" for name, value in values.items()
    )


class Widget(Base):  # type: ignore[misc]  # anywidget has no types
    """A widget that is alive in a notebook and also stands in a page without a kernel.

    A subclass names its files in ``static/``, says in a sentence what it shows, and tags the traits
    that the module reads with ``sync=True``.
    """

    name: ClassVar[str]  # of the .js and the .css file
    fallback: ClassVar[str]  # what a reader without scripts gets

    def __init__(self, **traits: Any) -> None:
        if AnyWidget is None and not is_static():
            raise MissingPackageError(
                f"{type(self).__name__} needs anywidget; pip install 'inside-the-lstm[book]', or "
                "set LSTM_REF_STATIC=1 to get it as HTML without a kernel"
            )
        super().__init__(**traits)

    def open(self) -> None:
        """Connect with the notebook; not in static form, where nobody would answer."""
        if not is_static():
            super().open()

    @property
    def module_state(self) -> dict[str, Any]:
        """The traits that the module reads, as JSON can hold them."""
        return {key: getattr(self, key) for key in sorted(self.module_traits())}

    @property
    def page_state(self) -> dict[str, Any]:
        """The same for a page from disk, where a widget may write its numbers shorter."""
        return self.module_state

    @classmethod
    def module_traits(cls) -> list[str]:
        """Names of the traits that the module reads: those of the widget, without those of
        anywidget.
        """
        inherited = set(Base.class_traits(sync=True))
        return [
            key
            for key in cls.class_traits(sync=True)
            if key not in inherited and not key.startswith("_")
        ]

    def _repr_mimebundle_(self, **options: Any) -> Any:
        # A widget that was made in static form has no connection by which it could be shown live.
        if is_static() or getattr(self, "comm", None) is None:
            return {"text/html": self.html(), "text/plain": repr(self)}
        return super()._repr_mimebundle_(**options)

    def html(self) -> str:
        """The widget as a piece of HTML that needs no kernel and no network; several fit on one
        page.
        """
        place = f"lstm-{uuid.uuid4().hex[:12]}"
        # "<" cannot end the script element from inside a string, nor open a comment in it.
        state = json.dumps(self.page_state, separators=(",", ":"), allow_nan=False).replace(
            "<", "\\u003c"
        )
        source = module(self.name).replace("export default", "const widget =")
        return (
            f"<style>{style(self.name)}</style>\n"
            f'<div id="{place}"><noscript><p>{html.escape(self.fallback)}</p></noscript></div>\n'
            f'<script type="module">\n{source}\n'
            f"const state = {state};\n"
            f'const el = document.getElementById("{place}");\n'
            f"{_MODEL}</script>\n"
        )

    def to_html(self, path: str | os.PathLike[str]) -> Path:
        """Write a page with nothing but the widget; it opens from disk, light or dark as the
        reader's system is.

        Parameters
        ----------
        path : the file to write

        Returns
        -------
        Path : the file written
        """
        path = Path(path)
        pages = {mode: palette.page for mode, palette in PALETTES.items()}
        path.write_text(
            _PAGE.format(title=type(self).__name__, widget=self.html(), **pages), encoding="utf-8"
        )
        return path


# What a module may ask of a model: the part of anywidget's that needs no kernel.
_MODEL = """\
const listeners = {};
const model = {
  get: (name) => state[name],
  set(name, value) {
    if (state[name] === value) return;
    state[name] = value;
    (listeners[`change:${name}`] ?? []).forEach((call) => call());
  },
  on(event, call) { (listeners[event] ??= []).push(call); },
  off(event, call) {
    listeners[event] = (listeners[event] ?? []).filter((other) => other !== call);
  },
  save_changes() {},
};
widget.render({ model, el });
"""

_PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; background: {light}; }}
@media (prefers-color-scheme: dark) {{ :root {{ background: {dark}; }} }}
body {{ margin: 0 auto; padding: 16px; max-width: 1000px; font-family: system-ui, sans-serif; }}
</style>
</head>
<body>
{widget}
</body>
</html>
"""

"""The same page in fewer bytes: what no reader sees and no program needs is left out of formulas,
code and the notebook's copy.

A page of this book is read from disk and from slow lines, and most of its bytes are markup around
single letters.
"""

from __future__ import annotations

import base64
import re
import zlib
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

# Names, punctuation and white space have the colour of the text around them in both styles; a test
# reads it from the style sheet.
PLAIN_TOKENS = ("n", "nn", "p", "w", "x")
_PLAIN_TOKEN = re.compile(rf'<span class="(?:{"|".join(PLAIN_TOKENS)})">([^<]*)</span>')
_CODE = re.compile(r'(?<=<div class="highlight">)<pre>.*?</pre>', re.DOTALL)
_QUOTED = re.compile(r""" (class|style)="([^"'=<>`\s]+)\"""")
# What KaTeX calls the kinds of atoms: its style sheet has no rule for them; a test reads that, too.
PLAIN_ATOMS = frozenset(
    ["mbin", "mclose", "minner", "mop", "mopen", "mord", "mpunct", "mrel", "mtight"]
)
_CLASSES = re.compile(r' class="([^"]*)"')
_NO_MARGIN = re.compile(r"margin-(?:left|right):0em;")
# A span with neither class nor style, around text alone, does nothing, except where the style sheet
# counts it: as the first child of some (`.delim-size1>span`), and beside the strut in a line of a
# stack (`.vlist>span>span`).
_PLAIN_SPAN = re.compile(r"(<span[^>]*>|<span class=pstrut[^>]*></span>)?<span>([^<]+)</span>")
# The commonest strut and the commonest space stand once in custom.css, as what holds where no style
# is given.
COMMON = {"pstrut": "height:3em", "mspace": "margin-right:0.2778em"}
_COMMON = re.compile(
    "|".join(
        rf"(?<=<span class={name}) style={style}(?=></span>)" for name, style in COMMON.items()
    )
)
_TEX = re.compile(r"<annotation encoding=\"application/x-tex\">.*?</annotation>", re.DOTALL)


def light_formula(html: str) -> str:
    """KaTeX's HTML without its LaTeX source, classes that have no rule, spans that do nothing,
    values that the style sheet holds, and quotes that HTML can do without.
    """

    def used(found: re.Match[str]) -> str:
        names = [name for name in found[1].split() if name not in PLAIN_ATOMS]
        return f' class="{" ".join(names)}"' if names else ""

    html = _TEX.sub("", html).replace("<semantics>", "").replace("</semantics>", "")
    html = html.replace(' xmlns="http://www.w3.org/1998/Math/MathML"', "")
    html = _CLASSES.sub(used, html)
    html = _NO_MARGIN.sub("", html).replace(';"', '"').replace(' style=""', "")
    html = _COMMON.sub("", _QUOTED.sub(r" \1=\2", html))
    return _PLAIN_SPAN.sub(lambda found: found[0] if found[1] else found[2], html)


def light_code(html: str) -> str:
    """A page whose code is marked up only where a token has a colour of its own."""

    def lighter(code: re.Match[str]) -> str:
        return _QUOTED.sub(r" \1=\2", _PLAIN_TOKEN.sub(r"\1", code[0].replace("<span></span>", "")))

    return _CODE.sub(lighter, html)


def corners(html: str) -> str:
    """A page whose tables have an empty corner and not a header that says nothing: a screen reader
    would announce it.

    >>> corners('<th class="head"><p></p></th><th class="head"><p>gate</p></th>')
    '<td class="head"></td><th class="head"><p>gate</p></th>'
    """
    return re.sub(r'<th( class="head[^"]*")><p></p></th>', r"<td\1></td>", html)


def packed(text: str) -> str:
    """A text as a script element can hold it: compressed, in base64; custom.js unpacks it."""
    return base64.b64encode(zlib.compress(text.encode(), 9)).decode()


def lighten(
    app: Sphinx,
    pagename: str,
    templatename: str,
    context: dict[str, Any],
    doctree: nodes.document | None,
) -> None:
    """Make the code of a page lighter, and its tables plainer."""
    if app.builder.name == "html" and "body" in context:
        context["body"] = corners(light_code(context["body"]))


def setup(app: Sphinx) -> None:
    """Connect to Sphinx, after all that adds to the page."""
    app.connect("html-page-context", lighten, priority=900)

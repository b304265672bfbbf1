"""One small SVG out of two by Matplotlib, drawn for a light and for a dark page: every line once,
each colour as a variable.

Nothing that can be seen is lost: coordinates keep a hundredth of a point, outlines of glyphs a
hundredth of their size.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_NOT_SEEN = re.compile(r"<\?xml.*?\?>|<!DOCTYPE.*?>|<!--.*?-->|<metadata>.*?</metadata>", re.DOTALL)
_ID = re.compile(r'\sid="([^"]+)"')
_REFERENCE = re.compile(r'href="#([^"]+)"|url\(#([^)]+)\)')
_COLOUR = re.compile(r"(?<=:)#[0-9a-fA-F]{6}\b")
# Matplotlib's style sheet means its own drawing, but inside a page it would reach every other one.
_SHEET = '<style type="text/css">*{stroke-linejoin: round; stroke-linecap: butt}</style>'
_IMAGE = re.compile(r"<image\b[^>]*?/>")
_NUMBER = re.compile(r"-?\d*\.?\d+(?:e-?\d+)?")
_COMMAND = re.compile(r"([MLQCZz])([^MLQCZz]*)")
_GLYPH = re.compile(r'(<path\b[^>]*? d=")([^"]*)(" transform="scale\(0\.015625\))')
_PATH = re.compile(r'(\sd=")([^"]*)(")')
_PLACE = re.compile(r'(\s[xy]=")([-\d.e]+)(")')
_TRANSLATE = re.compile(r"(translate\()([-\d.e]+)[ ,]([-\d.e]+)(\))")
GLYPH_STEP = 16  # of 4096 units in a letter's height; at 12 points less than a twentieth of a point


def short(number: float, digits: int = 2) -> str:
    """A number with so many decimals and not one character more.

    >>> short(0.5), short(-0.501), short(3.0), short(-0.001)
    ('.5', '-.5', '3', '0')
    """
    text = f"{number:.{digits}f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    text = text.replace("0.", ".", 1) if text.startswith(("0.", "-0.")) else text
    return "0" if text in ("-0", "", "-") else text


def short_path(path: str, step: float = 0.01) -> str:
    """A path in relative coordinates, on a grid of ``step``; rounding does not add up along it.

    >>> short_path("M 10 20.004 L 11.5 20 L 11.5 21 z ", step=0.01)
    'm10 20l1.5 0l0 1z'
    >>> short_path("M 32 64 L 48 64", step=16)  # in units of the step
    'm2 4l1 0'
    """
    unit = 1 if step >= 1 else step  # glyphs are counted in steps, and scaled where they are used
    here, start, out = (0, 0), (0, 0), []
    for command, text in _COMMAND.findall(path):
        if command in "Zz":
            here = start
            out.append("z")
            continue
        numbers = [round(float(number) / step) for number in _NUMBER.findall(text)]
        points = list(zip(numbers[::2], numbers[1::2], strict=True))
        relative = [
            f"{short((x - here[0]) * unit)} {short((y - here[1]) * unit)}" for x, y in points
        ]
        here = points[-1]
        if command == "M":
            start = here
        out.append(command.lower() + " ".join(relative))
    return "".join(out).replace(" -", "-")


def _lean(svg: str) -> str:
    """The drawing alone: no header, no comment, no white space between elements, short numbers."""
    svg = (
        _NOT_SEEN.sub("", svg)
        .replace(_SHEET, "")
        .replace("<svg ", '<svg stroke-linejoin="round" ', 1)
    )
    svg = re.sub(r">\s+<", "><", svg).strip()
    svg = re.sub(r'style="[^"]*"', lambda found: re.sub("([:;]) +", r"\1", found[0]), svg)
    svg = re.sub(r"<g(?: [^>]*)?/>|<defs/>", "", svg)
    svg = _GLYPH.sub(
        lambda found: (
            f"{found[1]}{short_path(found[2], GLYPH_STEP)}{found[3].replace('0.015625', '0.25')}"
        ),
        svg,
    )
    svg = _PATH.sub(
        lambda found: (
            found[0] if "m" in found[2][:1] else f"{found[1]}{short_path(found[2])}{found[3]}"
        ),
        svg,
    )
    svg = _PLACE.sub(lambda found: f"{found[1]}{short(float(found[2]))}{found[3]}", svg)
    return _TRANSLATE.sub(
        lambda found: f"{found[1]}{short(float(found[2]))} {short(float(found[3]))}{found[4]}", svg
    )


def _renamed(svg: str, prefix: str) -> str:
    """Ids only where something refers to them, by number: those of two figures on a page stay
    apart.
    """
    used = [first or second for first, second in _REFERENCE.findall(svg)]
    names = {name: f"{prefix}{number}" for number, name in enumerate(dict.fromkeys(used))}
    svg = _ID.sub(lambda found: f' id="{names[found[1]]}"' if found[1] in names else "", svg)
    return _REFERENCE.sub(
        lambda found: f'href="#{names[found[1]]}"' if found[1] else f"url(#{names[found[2]]})", svg
    )


def merged(light: str, dark: str, prefix: str) -> tuple[str, dict[str, str], dict[str, str]] | None:
    """One SVG for both modes, and the values of its colour variables in each.

    Parameters
    ----------
    light, dark : two SVGs by Matplotlib of the same drawing
    prefix : of the ids and variables of this figure

    Returns
    -------
    svg, light, dark : the SVG, and variable -> colour; None where the two differ in more than
        colours and images
    """
    one, other = (_renamed(_lean(svg), prefix) for svg in (light, dark))
    images = [_IMAGE.findall(svg) for svg in (one, other)]
    one, other = (_IMAGE.sub("<image/>", svg) for svg in (one, other))
    if _COLOUR.sub("#", one) != _COLOUR.sub("#", other) or len(images[0]) != len(images[1]):
        return None
    pairs = list(zip(_COLOUR.findall(one), _COLOUR.findall(other), strict=True))
    names = {
        pair: f"--{prefix}{number}"
        for number, pair in enumerate(dict.fromkeys(p for p in pairs if p[0] != p[1]))
    }
    colours: Iterator[tuple[str, str]] = iter(pairs)

    def variable(_: re.Match[str]) -> str:
        pair = next(colours)
        return f"var({names[pair]})" if pair in names else pair[0]

    one = _COLOUR.sub(variable, one)
    drawn = iter(
        [
            first if first == second else _only(first, "light") + _only(second, "dark")
            for first, second in zip(*images, strict=True)
        ]
    )
    one = re.sub("<image/>", lambda _: next(drawn), one)
    return (
        one,
        {name: pair[0] for pair, name in names.items()},
        {name: pair[1] for pair, name in names.items()},
    )


def _only(image: str, mode: str) -> str:
    return image.replace("<image", f'<image class="only-{mode}"', 1)

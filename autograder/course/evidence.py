"""What a person needs to see who scores by hand: pictures, plots and printed text of a submission,
taken over as data that does nothing.

Only raster images and plain text pass; HTML, SVG and scripts do not. All of it is bounded.
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from nbformat import NotebookNode
from nbformat.v4 import new_output

from autograder.text import printable

# Kind of image -> how its base64 begins.
IMAGES = {"image/png": "iVBORw0KGgo", "image/jpeg": "/9j/", "image/gif": "R0lGOD"}
MAX_IMAGE = 3 * 2**20  # characters of base64; a photograph at screen size has 1 MB
MAX_IMAGES = 6 * 2**20  # of all images of a notebook together
MAX_SHOWN_TEXT = 20_000  # characters of one cell's text or output
MAX_TEXTS = 400_000  # characters of all printed text of a notebook together
MAX_PARTS = 40  # outputs of one cell, attachments of one cell
MAX_OUTPUTS = 500  # of a notebook
BASE64 = re.compile(r"[A-Za-z0-9+/]+={0,2}")
REFERENCE = re.compile(r"attachment:([^\s)>\"'\]]*)")
TAG = re.compile(r"<(?=[A-Za-z/!?])")
HARMFUL = re.compile(r"javascript:|vbscript:|data:text")  # addresses that are programs
AS_HANDED_IN = "As handed in; the judge did not make this.\n"


@dataclass
class Budget:
    """What a notebook may still show: characters of images and of printed text, outputs."""

    images: int = MAX_IMAGES
    text: int = MAX_TEXTS
    outputs: int = MAX_OUTPUTS


@dataclass(frozen=True)
class Shown:
    """Outputs of a cell, and images in its text by their name, as they may be shown.

    ``lacks`` says whether an attachment was left out.
    """

    outputs: tuple[Mapping[str, Any], ...] = ()
    images: Mapping[str, Mapping[str, str]] | None = None
    lacks: bool = False


def read_evidence(cell: Mapping[str, Any], budget: Budget) -> Shown:
    """What may be shown of a submitted cell, of which nothing is trusted."""
    raw = cell.get("attachments")
    images: dict[str, Mapping[str, str]] = {}
    attached = raw if isinstance(raw, dict) else {}
    for name, bundle in list(attached.items())[:MAX_PARTS]:
        if isinstance(name, str) and (image := _image(bundle, budget)):
            images[name] = image
    outputs = cell.get("outputs")
    found = []
    for output in outputs[:MAX_PARTS] if isinstance(outputs, list) else ():
        if isinstance(output, dict) and budget.outputs > 0:
            budget.outputs -= 1
            found += _output(output, budget)
    return Shown(tuple(found), images, len(images) < len(attached) or bool(raw and not attached))


def _image(bundle: Any, budget: Budget) -> dict[str, str] | None:
    """The first image of a bundle that may be shown."""
    for kind, beginning in IMAGES.items():
        text = _joined(bundle.get(kind)) if isinstance(bundle, dict) else ""
        if not text.startswith(beginning) or len(text) > min(MAX_IMAGE, budget.images):
            continue
        text = "".join(text.split())
        if BASE64.fullmatch(text):
            budget.images -= len(text)
            return {kind: text}
    return None


def _joined(value: Any) -> str:
    parts = value if isinstance(value, list) else [value]
    return "".join(part for part in parts if isinstance(part, str))


def _output(output: Mapping[str, Any], budget: Budget) -> list[dict[str, Any]]:
    """An output as plain text or as an image; none where it is neither."""
    kind = output.get("output_type")
    if kind == "stream":
        return _printed(_joined(output.get("text")), budget)
    if kind == "error":
        return _printed(
            f"{_joined(output.get('ename'))}: {_joined(output.get('evalue'))}\n", budget
        )
    data = output.get("data")
    if image := _image(data, budget):
        return [{"output_type": "display_data", "data": image}]
    text = _joined(data.get("text/plain")) if isinstance(data, dict) else ""
    return _printed(f"{text}\n", budget) if text else []


def _printed(text: str, budget: Budget) -> list[dict[str, Any]]:
    text = printable(_cut(text, budget.text), keep="\n\t")
    budget.text = max(budget.text - len(text), 0)
    return [{"output_type": "stream", "text": text}] if text.strip() else []


def _cut(text: str, most: int = MAX_SHOWN_TEXT) -> str:
    most = min(most, MAX_SHOWN_TEXT)
    if len(text) <= most:
        return text
    return f"{text[:most]}\n[{len(text) - most} characters more are left out]\n"


def outputs_to_show(shown: Shown) -> list[NotebookNode]:
    """Outputs for a cell of the graded notebook, with the sentence that says whose they are."""
    if not shown.outputs:
        return []
    told = new_output("stream", name="stdout", text=AS_HANDED_IN)
    made = [
        new_output("stream", name="stdout", text=part["text"])
        if part["output_type"] == "stream"
        else new_output("display_data", data={**part["data"], "text/plain": "an image"})
        for part in shown.outputs
    ]
    return [told, *made]


def text_to_show(source: str, shown: Shown) -> tuple[str, dict[str, Mapping[str, str]]]:
    """A student's Markdown, without HTML, programs in links and references to missing images.

    nbgrader's pages fail as a whole where an image is referred to and not attached, and take HTML
    in Markdown as it is.

    Returns
    -------
    the text, and its attachments under names that need no escape
    """
    source = TAG.sub("< ", _cut(source))  # no tag begins so, and in code and formulas it reads well
    images = shown.images or {}
    safe = {name: f"image-{number}" for number, name in enumerate(images, start=1)}

    def refer(match: re.Match[str]) -> str:
        name = unquote(match[1])
        return f"attachment:{safe[name]}" if name in safe else f"(image left out: {match[1]}"

    source = REFERENCE.sub(refer, source)
    attached = {safe[name]: images[name] for name in safe}
    # Markdown knows other ways to write the same: entities, and a backslash before a sign.
    plain = html.unescape(source).replace("\\", "")
    harmful = HARMFUL.search("".join(plain.casefold().split()))
    if harmful or any(name not in attached for name in REFERENCE.findall(plain)):
        source = "\n".join(f"    {line}" for line in source.splitlines())
    return source, attached

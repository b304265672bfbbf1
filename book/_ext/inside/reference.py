"""The pages that are made from docstrings: what autodoc finds, put into reStructuredText.

A docstring of this course is plain text. ``dh_`` or ``f*c`` in it is no markup, "name : text" under
"Parameters" is a list, and an indented block is a table that must stay as it is. autodoc takes
docstrings for reStructuredText, so they are translated first.
"""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Iterable, Iterator
from typing import Any, ClassVar

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

LISTS = {"Parameters", "Attributes", "Returns", "Raises", "Yields"}
CODE = re.compile(r"``(.+?)``|`([^`]+?)`")
RULE = re.compile(r"^=+( +=+)+$")  # above and below a table of reStructuredText
TABLE = re.compile(r"\S {3,}\S|^=+( +=+)+$")  # a row of columns, or a rule above and below them
SPECIAL = re.compile(r"([\\*|`_])")


def translate(lines: list[str]) -> list[str]:
    """Docstring, without its indentation, as reStructuredText.

    Parameters
    ----------
    lines : of the docstring

    Returns
    -------
    lines : of reStructuredText, with an empty one at the end
    """
    out: list[str] = []
    for title, body in _sections(lines):
        if title in LISTS:
            out += [f":{title}:", *_entries(body), ""]
        else:
            out += [f".. rubric:: {title}", ""] if title else []
            out += _blocks(body)
    return out


def _sections(lines: list[str]) -> Iterator[tuple[str, list[str]]]:
    """Pairs of a title and the lines below it; the title of what stands before the first one is
    empty.
    """
    starts = [k for k in range(len(lines) - 1) if lines[k] and lines[k + 1] == "-" * len(lines[k])]
    yield "", lines[: starts[0] if starts else len(lines)]
    for k, start in enumerate(starts):
        end = starts[k + 1] if k + 1 < len(starts) else len(lines)
        yield lines[start], lines[start + 2 : end]


def _entries(lines: list[str]) -> Iterator[str]:
    """A list with one entry for each line that is not indented; those that are go on with it."""
    for entry in _items(filter(str.strip, lines)):
        name, colon, text = entry.partition(" : ")
        head = f"{_code(name)}: {_inline(text)}" if colon else _inline(entry)
        yield f"   - {head}"


def _items(lines: Iterable[str]) -> list[str]:
    """Lines, each with the indented ones below it joined to it."""
    items: list[str] = []
    for line in lines:
        if line.startswith(" ") and items:
            items[-1] += " " + line.strip()
        else:
            items.append(line.strip())
    return items


def _blocks(lines: list[str]) -> Iterator[str]:
    """Paragraphs, lists and tables; examples as they are; and what is indented or in columns with
    all its spaces.
    """
    literal = False
    for block in _split(lines):
        if RULE.match(block[0]) and RULE.match(block[-1]):
            yield from (*_table(block), "")
            literal = False
            continue
        as_it_is = all(line.startswith("    ") for line in block) or any(map(TABLE.search, block))
        if as_it_is:
            if not literal:
                yield from (".. code-block:: text", "")
            yield from (f"    {line}" for line in block)
        elif block[0].startswith(">>>"):
            yield from block
        elif any(line.startswith(" ") for line in block):
            yield from (
                f"- {_inline(item)}" for item in _items(line.removeprefix("- ") for line in block)
            )
        else:
            yield from (
                f"- {_inline(line[2:])}" if line.startswith("- ") else _inline(line)
                for line in block
            )
        yield ""
        literal = as_it_is


def _table(block: list[str]) -> list[str]:
    """A simple table: its rows as they are, with nothing in them taken for markup. Columns keep
    their places.
    """
    rows = [line.replace("*", "∗") for line in block]
    return [re.sub(r"(?<= {2})-(?= )", "–", line) for line in rows]


def _split(lines: list[str]) -> Iterator[list[str]]:
    """Lines between empty ones; a sentence and what stands indented below it are two."""
    block: list[str] = []
    for line in [*lines, ""]:
        indented_below = (
            line.startswith("    ")
            and bool(block)
            and block[-1].endswith(":")
            and not TABLE.search(line)
        )
        if not line.strip() or (indented_below and not any(map(TABLE.search, block))):
            if block:
                yield block
            block = []
        if line.strip():
            block.append(line)


def _inline(text: str) -> str:
    """Text in which only code is marked."""
    parts, end = [], 0
    for match in CODE.finditer(text):
        parts += [_escaped(text[end : match.start()]), _code(match.group(1) or match.group(2))]
        end = match.end()
    return "".join([*parts, _escaped(text[end:])])


def _escaped(text: str) -> str:
    # A hyphen or another sign at the start of a line would begin a list.
    return re.sub(r"^([-+•.:#])(?=\s|\.)", r"\\\1", SPECIAL.sub(r"\\\1", text))


def _code(text: str) -> str:
    # The empty escapes let code end and begin beside a letter.
    return rf"\ ``{text}``\ "


def overview(modules: Iterable[str], skip: Iterable[str] = ()) -> list[str]:
    """Table of the public functions and classes of modules, with a link and the first sentence of
    each.

    Parameters
    ----------
    modules : names, in the order in which they are shown
    skip : what the page leaves out. Named tuples that a function fills, such as its cache, are
        left out anyway

    Returns
    -------
    lines : of reStructuredText
    """
    out = [".. list-table::", "   :widths: 40 60", ""]
    for name in modules:
        module = importlib.import_module(name)
        public = getattr(module, "__all__", None) or [
            key for key in vars(module) if not key.startswith("_")
        ]
        for key in public:
            member = getattr(module, key)
            if key in skip or (isinstance(member, type) and issubclass(member, tuple)):
                continue
            if callable(member) and getattr(member, "__module__", "") == name and member.__doc__:
                first = " ".join(
                    translate(inspect.getdoc(member).split("\n\n")[0].splitlines())
                ).strip()
                out += [f"   * - :py:obj:`{key} <{name}.{key}>`", f"     - {first}"]
    return [*out, ""]


class Overview(SphinxDirective):
    """``.. overview:: module module``, with ``:skip: name name``: see `overview`."""

    required_arguments = 1
    final_argument_whitespace = True
    option_spec: ClassVar = {"skip": str.split}

    def run(self) -> list[nodes.Node]:
        """Parse the table where the directive stands."""
        return self.parse_text_to_nodes(
            "\n".join(overview(self.arguments[0].split(), self.options.get("skip", ())))
        )


def _process(app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    lines[:] = translate(lines)


def _skip(app: Sphinx, what: str, name: str, obj: Any, skip: bool, options: Any) -> bool | None:
    """Leave out the fields of a named tuple: its docstring says more of them than "Alias for field
    number 0".
    """
    return (
        True if (getattr(obj, "__doc__", None) or "").startswith("Alias for field number") else None
    )


def setup(app: Sphinx) -> None:
    """Register with Sphinx."""
    app.add_directive("overview", Overview)
    app.connect("autodoc-process-docstring", _process)
    app.connect("autodoc-skip-member", _skip)

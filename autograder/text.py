"""Text that anybody may have written, made fit to be shown."""

from __future__ import annotations

import textwrap


def printable(text: str, keep: str = "") -> str:
    r"""Text without control characters, and without those that turn the direction of writing; each
    becomes U+FFFD.

    >>> printable("a\x1b[2J\n", keep="\n") == "a\ufffd[2J\n"
    True
    """
    return "".join(c if c.isprintable() or c in keep else "\N{REPLACEMENT CHARACTER}" for c in text)


def wrapped(text: str) -> str:
    """Text in lines that a feedback page shows in full: it does not break lines of an output."""
    filled = (
        textwrap.fill(line, 88, break_long_words=False, break_on_hyphens=False)
        for line in text.splitlines()
    )
    return "".join(f"{line}\n" for line in filled)


def verbatim(text: str) -> str:
    r"""Text as Markdown that shows it as it is: nbgrader takes a comment for Markdown with HTML,
    and it may quote the student.

    >>> verbatim("scale: <b>\r$x$")
    '    scale: <b>\n    $x$'
    """
    return "\n".join(f"    {line}" for line in wrapped(text).splitlines())

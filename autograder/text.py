"""Text that anybody may have written, made fit to be shown."""

from __future__ import annotations

import re
import textwrap
import unicodedata


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


def delimiter_of(line: str) -> str:
    r"""What stands between the columns of a table, by its row of headings; what is quoted does not
    count.

    >>> delimiter_of('Student;ID;"By hand, with care, and slowly (12)"\r')
    ';'
    """
    bare = re.sub(r'"[^"]*"', "", line)
    return max(",;\t", key=bare.count)


def folded(name: str) -> str:
    """A name without what platforms change in it: space around it, the case of its letters, how
    accents are put together.
    """
    return unicodedata.normalize("NFC", name).strip().casefold()

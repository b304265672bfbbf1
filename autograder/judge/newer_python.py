"""Syntax of a later Python than the one that grades: right work in a student's own kernel."""

from __future__ import annotations

import re
import sys

# type aliases and type parameters came with Python 3.12, as did any quotes within f-strings
NEWER_SYNTAX = re.compile(
    r"(type\s+\w+\s*(\[.*\])?\s*=|(async\s+)?def\s+\w+\s*\[|class\s+\w+\s*\[)"
)
HERE = ".".join(map(str, sys.version_info[:2]))


def newer_python(kind: str, text: str, line: str) -> str:
    """Sentence for a syntax error that a later Python would not have; empty for every other.

    Parameters
    ----------
    kind, text : class and message of the error
    line : of the student's code at which it was raised

    >>> newer_python("SyntaxError", "invalid syntax", "type Row = list[float]")[:29]
    ' Python 3.12 and later know t'
    >>> newer_python("SyntaxError", "invalid syntax", "h = o *")
    ''
    """
    later = NEWER_SYNTAX.match(line.strip()) or (
        text.startswith("f-string:") and re.search(r"\{.*[\"'\\]", line)
    )
    if kind != "SyntaxError" or not later:
        return ""
    return (
        f" Python 3.12 and later know this; your work is run by Python {HERE}: write it as that "
        "has it."
    )

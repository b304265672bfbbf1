"""Python's language reference, out of the interpreter's own help: real English and real code on
every machine.

The text grows with Python: two minor versions hold two texts, so a loss belongs to the version it
was measured on.
"""

from __future__ import annotations

import platform
import re

from lstm_ref.errors import MissingPackageError


def text() -> str:
    """All help topics in alphabetical order, each paragraph once.

    The reference repeats itself: the page about compound statements holds the page about ``if``. If
    a paragraph stood both in the training text and in the validation text, a model would be praised
    for a good memory.

    Returns
    -------
    text : paragraphs with one empty line between them, lines without trailing blanks, no tab, no
        carriage return
    """
    try:
        from pydoc_data.topics import topics
    except ImportError as error:
        raise MissingPackageError(
            "load: this Python has no pydoc_data.topics, a part of the standard library that some "
            "small installations leave out; install the full standard library (on Debian and "
            "Ubuntu: the package libpython3-stdlib)"
        ) from error
    # without its line breaks -> as it first stands; a dict keeps the order
    paragraphs: dict[str, str] = {}
    for name in sorted(topics):
        for paragraph in re.split(r"\n\s*\n", topics[name].expandtabs()):
            lines = [line.rstrip() for line in paragraph.splitlines()]
            paragraphs.setdefault(" ".join(paragraph.split()), "\n".join(lines).strip("\n"))
    return "\n\n".join(paragraph for key, paragraph in paragraphs.items() if key)


def version() -> str:
    """Python version that the text belongs to."""
    return f"Python {platform.python_version()}"

"""Tiny Shakespeare: scenes from the plays in one text, the usual first text of a character
model.
"""

from __future__ import annotations

from lstm_ref.data.fetch import Remote, fetch, github

COMMIT = "6f9487a6fe5b420b7ca9afb0d7c078e37c1d1b4e"
TEXT = Remote(
    "tinyshakespeare.txt",
    github("karpathy/char-rnn", COMMIT, "data/tinyshakespeare/input.txt"),
    "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
)


def text() -> str:
    """Return 1,115,394 characters: ASCII, lines end with a newline."""
    return fetch(TEXT, "tinyshakespeare", twin="python-reference").read_text(encoding="ascii")

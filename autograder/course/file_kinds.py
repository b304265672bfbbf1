"""What was handed in where a notebook should be: the kinds of file that students mistake for one.

Each is told from its first bytes, in a sentence that says what to hand in instead.
"""

from __future__ import annotations

import re

HEAD = 2000  # bytes that are looked at
UNPACK = "unpack it, and hand in the .ipynb file that is in it"
FROM_JUPYTER = "hand in the .ipynb file itself, from JupyterLab's File, Download"
LFS = "run git lfs pull, and hand in the file that is then there"
# how a file begins -> what it is, and what to do
BEGINNINGS: tuple[tuple[bytes, str, str], ...] = (
    (b"PK\x03\x04", "a zip archive, or a document that is one (Word, Excel)", UNPACK),
    (b"PK\x05\x06", "an empty zip archive", FROM_JUPYTER),
    (b"\x1f\x8b", "packed with gzip", UNPACK),
    (b"Rar!", "a RAR archive", UNPACK),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", UNPACK),
    (b"%PDF", "a PDF", FROM_JUPYTER),
    (b"\x89PNG", "a picture", FROM_JUPYTER),
    (b"\xff\xd8\xff", "a picture", FROM_JUPYTER),
    (b"\xd0\xcf\x11\xe0", "an old document of Word or Excel", FROM_JUPYTER),
    (b"version https://git-lfs", "a pointer of Git LFS: the content is elsewhere", LFS),
)  # fmt: skip
MERGE = re.compile(rb"^(<{7} |={7}\r?$|>{7} )", re.MULTILINE)
WEB_PAGE = re.compile(rb"\s*(<!doctype html|<html|<\?xml|<head)", re.IGNORECASE)
SCRIPT = re.compile(rb"\s*(#|import |from \w+ import |\"\"\"|def )")


def kind_of(content: bytes) -> str:
    """What a file is that is no notebook, and what to do, as the end of a sentence; empty where
    that is not known.

    >>> kind_of(b"<!DOCTYPE html><title>lstm-bptt</title>")[:24]
    'a page saved as HTML; ha'
    >>> kind_of(b'{"cells": []}')
    ''
    """
    head = content[:HEAD].removeprefix(b"\xef\xbb\xbf")
    for beginning, what, remedy in BEGINNINGS:
        if head.startswith(beginning):
            return f"{what}; {remedy}"
    if WEB_PAGE.match(head):
        return f"a page saved as HTML; {FROM_JUPYTER}"
    if SCRIPT.match(head):
        return f"a Python script; {FROM_JUPYTER}"
    return ""


def half_merged(content: bytes) -> str:
    """The same for what looks like a notebook and cannot be read: whether git's merge marks stand
    in it.
    """
    if not MERGE.search(content):
        return ""
    return (
        "the middle of a merge of git's: lines with <<<<<<< and >>>>>>> stand in it; finish the "
        "merge, open the notebook in JupyterLab, save it and hand it in again"
    )

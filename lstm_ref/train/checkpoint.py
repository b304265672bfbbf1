"""A run on disk, so that it can go on exactly where it stopped.

A file holds a line with the SHA-256 of all that follows, then NumPy's .npz: the arrays, and a text
in JSON that says where each belongs. There is no pickle in it, so reading a file that somebody else
wrote runs no code of theirs.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from lstm_ref.errors import ArgumentError, Array, CheckpointError

MAGIC = b"lstm_ref checkpoint 1 "


def write_checkpoint(path: Path, tree: Mapping[str, Any]) -> None:
    """Write dicts, lists, tuples, arrays, numbers, texts and None.

    The file is written beside its place and then moved there: a program that is killed while it
    writes leaves the old one whole.

    Parameters
    ----------
    path : where
    tree : what

    Raises
    ------
    ArgumentError : something in it is none of these
    """
    arrays: dict[str, Array] = {}
    text = json.dumps(_pack(tree, arrays))
    buffer = io.BytesIO()
    np.savez(buffer, tree=np.frombuffer(text.encode(), np.uint8), **arrays)  # type: ignore[arg-type]
    content = buffer.getvalue()
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with open(part, "wb") as file:
            file.write(MAGIC + hashlib.sha256(content).hexdigest().encode() + b"\n" + content)
            file.flush()
            os.fsync(file.fileno())  # on the disk before it takes the old one's place
        os.replace(part, path)
    finally:
        with contextlib.suppress(OSError):
            part.unlink()


def read_checkpoint(path: Path) -> Any:
    """Read what `write_checkpoint` wrote.

    Raises
    ------
    CheckpointError : the file is something else, or damaged
    """
    line, _, content = path.read_bytes().partition(b"\n")
    if not line.startswith(MAGIC):
        raise CheckpointError(
            f"train: {path} is not a checkpoint of lstm_ref.train in a version that is known here; "
            "give another path"
        )
    if line.removeprefix(MAGIC) != hashlib.sha256(content).hexdigest().encode():
        raise CheckpointError(
            f"train: {path} is damaged, its SHA-256 is wrong; delete it and start anew"
        )
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        return _unpack(json.loads(arrays["tree"].tobytes().decode()), arrays)


def _pack(tree: Any, arrays: dict[str, Array]) -> Any:
    """The tree in JSON; each array is replaced by its number."""
    if tree is None or isinstance(tree, bool | int | float | str):
        return tree
    if isinstance(tree, np.generic):
        return _pack(tree.item(), arrays)
    if isinstance(tree, np.ndarray) and tree.dtype != object:
        name = f"array{len(arrays)}"
        arrays[name] = tree
        return {"array": name}
    # in pairs: the keys of JSON are texts, and PyTorch counts its parameters
    if isinstance(tree, Mapping):
        return {"dict": [[_pack(key, arrays), _pack(value, arrays)] for key, value in tree.items()]}
    if type(tree) in (tuple, list):
        return {type(tree).__name__: [_pack(part, arrays) for part in tree]}
    raise ArgumentError(
        "train: a checkpoint can hold dicts, lists, tuples, arrays, numbers and texts; got "
        f"{type(tree).__name__} in what is to be saved; is the state that is carried one?"
    )


def _unpack(packed: Any, arrays: Mapping[str, Array]) -> Any:
    if not isinstance(packed, dict):
        return packed
    ((kind, value),) = packed.items()
    if kind == "array":
        return arrays[value]
    if kind == "dict":
        return {_unpack(key, arrays): _unpack(part, arrays) for key, part in value}
    parts = [_unpack(part, arrays) for part in value]
    return tuple(parts) if kind == "tuple" else parts

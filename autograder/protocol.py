"""Frames between the judge and the worker: trees of plain values and arrays, as JSON and raw bytes, never pickle.

A frame is two lengths (header, payload; 8 bytes each, little-endian), the header, the payload. The header is JSON; the payload
holds the bytes of its arrays one after the other, so no offset can point outside or twice at the same bytes.

    None, bool, int, float, str   themselves; int within 64 bits
    list, tuple, dict             ["l", ref, [...]]  ["t", ref, [...]]  ["d", ref, [[key, value], ...]]
    array, NumPy scalar           ["a", dtype, shape]
    what stays where it is        ["r", ref, type name, callable?]

A ``ref`` is a number under which the sender keeps the object, or null. When the receiver sends the value back, only the number
travels, and the sender finds its own object again, whatever it is: a student's cache may be a class of the student's.

Both sides import this file, and neither trusts the other's frames: the limits hold on reading. Frames that break them raise
ProtocolError. Only NumPy and the standard library are used here, and no other module of this package but `errors`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from json import dumps, loads
from typing import Any, TypeAlias

import numpy as np

from autograder.errors import ProtocolError

PREFIX_SIZE = 16
MAX_HEADER = 1 << 22  # bytes of JSON
MAX_PAYLOAD = 1 << 25  # bytes of arrays
MAX_DEPTH = 16  # of nested containers
MAX_LEAVES = 100_000  # values in one tree, containers included
MAX_TEXT = 1 << 20  # characters of one string
MAX_NDIM = 8
NAMES = ("|b1", "|i1", "|u1", *(f"<{kind}{size}" for kind in "iu" for size in (2, 4, 8)), "<f2", "<f4", "<f8")
DTYPES = {name: np.dtype(name) for name in NAMES}

Reference: TypeAlias = "int | None"


class Remote:
    """An object that stayed with the other side. It can be sent back, and called when it is a function there."""

    def __init__(self, ref: int, kind: str, call: Callable[..., Any] | None = None) -> None:
        self.ref = ref
        self.kind = kind
        self._call = call

    def __call__(self, *args: Any) -> Any:
        """Call it where it is."""
        if self._call is None:
            raise TypeError(f"a {self.kind} cannot be called")
        return self._call(*args)

    def __repr__(self) -> str:
        return f"<{self.kind} of the other side>"


class RemoteList(list[Any]):
    """A list that came from the other side, with the number under which it is kept there."""

    ref: Reference = None


class RemoteTuple(tuple[Any, ...]):
    """A tuple that came from the other side, with the number under which it is kept there."""

    ref: Reference = None


class RemoteDict(dict[Any, Any]):
    """A dict that came from the other side, with the number under which it is kept there."""

    ref: Reference = None


CONTAINERS = {"l": RemoteList, "t": RemoteTuple, "d": RemoteDict}


@dataclass
class Encoder:
    """Values -> header tree and payload.

    Parameters
    ----------
    keep : called with each container and each value that is no plain data; gives the number under which it is kept,
        or None to send a container by value only. None for a value that is no plain data means that it may not be sent.
    """

    keep: Callable[[Any], Reference] = lambda value: None

    def encode(self, value: Any) -> bytes:
        """Frame for a value.

        Raises
        ------
        ProtocolError : the value is too large or too deep for a frame
        """
        self._payload: list[bytes] = []
        self._size = 0
        self._leaves = 0
        header = dumps(self._tree(value, 0), separators=(",", ":")).encode()
        if len(header) > MAX_HEADER:
            raise ProtocolError(f"a value of {len(header):,} bytes of text is too large; {MAX_HEADER:,} are allowed")
        return frame(header, b"".join(self._payload))

    def _tree(self, value: Any, depth: int) -> Any:
        self._leaves += 1
        if self._leaves > MAX_LEAVES:
            raise ProtocolError(
                f"a value of more than {MAX_LEAVES:,} parts is too large; return arrays, not lists of numbers"
            )
        if depth > MAX_DEPTH:
            raise ProtocolError(f"a value nested more than {MAX_DEPTH} deep is too large")
        kind = type(value)
        # What comes most, first: a check may send thousands of messages.
        if kind is np.ndarray and value.dtype.str in DTYPES and value.ndim <= MAX_NDIM:
            return self._array(value)
        if value is None or kind is bool or kind is float:
            return value
        if kind is int and -(2**63) <= value < 2**63:
            return value
        if kind is str and len(value) <= MAX_TEXT:
            return value
        if isinstance(value, Remote):
            return ["r", value.ref, "", True]
        if isinstance(value, RemoteList | RemoteTuple | RemoteDict) and value.ref is not None:
            return ["r", value.ref, "", False]
        if isinstance(value, list | tuple | dict):
            return self._container(value, depth)
        if (array := _plain_array(value)) is not None:
            return self._array(array)
        ref = self.keep(value)
        if ref is None:
            raise ProtocolError(f"a {type(value).__name__} cannot be sent")
        return ["r", ref, type(value).__name__[:100], callable(value)]

    def _container(self, value: list[Any] | tuple[Any, ...] | dict[Any, Any], depth: int) -> Any:
        ref = self.keep(value) if depth else None  # the outermost tuple is the message itself
        if isinstance(value, dict):
            return ["d", ref, [[self._tree(k, depth + 1), self._tree(v, depth + 1)] for k, v in value.items()]]
        return ["l" if isinstance(value, list) else "t", ref, [self._tree(item, depth + 1) for item in value]]

    def _array(self, array: np.ndarray[Any, Any]) -> Any:
        self._size += array.nbytes
        if self._size > MAX_PAYLOAD:
            raise ProtocolError(f"arrays of more than {MAX_PAYLOAD:,} bytes together are too large")
        self._payload.append(array.tobytes())
        return ["a", array.dtype.str, list(array.shape)]


def _plain_array(value: Any) -> np.ndarray[Any, Any] | None:
    """Array of a dtype that a frame can carry; None where there is none, as for text, objects and complex numbers."""
    if not isinstance(value, np.ndarray | np.generic):
        return None
    array = np.asarray(value)
    if array.dtype.kind == "f" and array.dtype.itemsize > 8:
        array = array.astype(np.float64)
    # Little-endian and a plain dtype: what the reader expects whatever the machine and the dtype's metadata.
    name = f"{'|' if array.dtype.itemsize == 1 else '<'}{array.dtype.kind}{array.dtype.itemsize}"
    if name not in DTYPES or array.ndim > MAX_NDIM:
        return None
    return np.ascontiguousarray(array, dtype=np.dtype(name)).reshape(array.shape)


@dataclass
class Decoder:
    """Header tree and payload -> values.

    Parameters
    ----------
    remote : (ref, type name, callable?) -> what stands for an object that stayed with the other side
    own : ref -> own object, for a reference that the other side sends back
    """

    remote: Callable[[int, str, bool], Any] = lambda ref, kind, is_callable: Remote(ref, kind)
    own: Callable[[int], Any] | None = None

    def decode(self, header: bytes, payload: bytes) -> Any:
        """Value of a frame.

        Raises
        ------
        ProtocolError : the bytes are no frame within the limits
        """
        try:
            tree = loads(header)
        except (ValueError, RecursionError) as error:
            raise ProtocolError(f"the header of a frame is no JSON: {type(error).__name__}") from None
        self._payload = payload
        self._at = 0
        self._leaves = 0
        value = self._value(tree, 0)
        if self._at != len(payload):
            raise ProtocolError(f"a frame's arrays take {self._at} bytes of its {len(payload)}")
        return value

    def _value(self, tree: Any, depth: int) -> Any:
        self._leaves += 1
        if self._leaves > MAX_LEAVES or depth > MAX_DEPTH:
            raise ProtocolError("a frame holds too many values or nests them too deep")
        kind = type(tree)
        if kind is list:
            return self._listed(tree, depth)
        if tree is None or kind is bool or kind is float:
            return tree
        if kind is int and -(2**63) <= tree < 2**63:
            return tree
        if kind is str and len(tree) <= MAX_TEXT:
            return tree.encode(errors="replace").decode()  # JSON can spell half a character, which no file can hold
        raise ProtocolError("a frame holds something that is no value")

    def _listed(self, tree: list[Any], depth: int) -> Any:
        # Not by `match`, which takes three times as long: a check may read thousands of frames.
        kinds = [type(part) for part in tree[:4]]
        if len(tree) == 3 and kinds[0] is str and kinds[2] is list:
            what, second, items = tree
            if what == "a" and kinds[1] is str:
                return self._array(second, items)
            if what in CONTAINERS and (second is None or kinds[1] is int):
                return self._container(what, second, items, depth)
        elif len(tree) == 4 and kinds == [str, int, str, bool] and tree[0] == "r" and len(tree[2]) <= 100:
            _, ref, kind, is_callable = tree
            return self.own(ref) if self.own is not None and not kind else self.remote(ref, kind, is_callable)
        raise ProtocolError("a frame holds something that is no value")

    def _container(self, kind: str, ref: Reference, items: list[Any], depth: int) -> Any:
        if kind == "d":
            items = [self._pair(item, depth) for item in items]
        else:
            items = [self._value(item, depth + 1) for item in items]
        if ref is None:
            return {"l": list, "t": tuple, "d": dict}[kind](items)
        value = CONTAINERS[kind](items)
        value.ref = ref
        return value

    def _pair(self, item: Any, depth: int) -> tuple[Any, Any]:
        if type(item) is not list or len(item) != 2:
            raise ProtocolError("a frame holds a dict that is no list of pairs")
        key = self._value(item[0], depth + 1)
        try:
            hash(key)
        except TypeError:
            raise ProtocolError("a frame holds a dict whose key cannot be a key") from None
        return key, self._value(item[1], depth + 1)

    def _array(self, dtype: str, shape: list[Any]) -> Any:
        kind = DTYPES.get(dtype)
        if kind is None or len(shape) > MAX_NDIM:
            raise ProtocolError("a frame holds an array of a dtype or a number of axes that is not allowed")
        count = size = 1
        for n in shape:
            if type(n) is not int or not 0 <= n <= MAX_PAYLOAD:
                raise ProtocolError("a frame holds an array of an impossible shape")
            count *= n
            size *= n or 1
        # Without the zeros too: NumPy refuses shapes whose other sizes overflow, with an error of its own.
        if size > MAX_PAYLOAD:
            raise ProtocolError("a frame holds an array of an impossible shape")
        end = self._at + count * kind.itemsize
        if end > len(self._payload):
            raise ProtocolError("a frame's arrays take more bytes than it has")
        array = np.frombuffer(self._payload, kind, count, self._at).reshape(shape)
        self._at = end
        # A copy is writable and the reader's own; a bool of another byte than 0 and 1 would be neither true nor false.
        return (array.view(np.uint8) != 0 if dtype == "|b1" else array.copy())[()]


def frame(header: bytes, payload: bytes = b"") -> bytes:
    """Header and payload with their lengths before them."""
    return len(header).to_bytes(8, "little") + len(payload).to_bytes(8, "little") + header + payload


def sizes(prefix: bytes) -> tuple[int, int]:
    """Lengths of header and payload from the first `PREFIX_SIZE` bytes of a frame.

    Raises
    ------
    ProtocolError : a length is above the limit; nothing of that size may be read or reserved
    """
    header, payload = int.from_bytes(prefix[:8], "little"), int.from_bytes(prefix[8:PREFIX_SIZE], "little")
    if not 0 < header <= MAX_HEADER or payload > MAX_PAYLOAD:
        raise ProtocolError(
            f"a frame claims {header:,} + {payload:,} bytes; {MAX_HEADER:,} + {MAX_PAYLOAD:,} are allowed"
        )
    return header, payload

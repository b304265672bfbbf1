"""Frames between the judge and the worker: trees of plain values and arrays, as JSON and raw bytes,
never pickle.

A frame is two lengths (header, payload; 8 bytes each, little-endian), the header, the payload. The
header is JSON; the payload holds the bytes of its numbers one after the other, so no offset can
point outside or twice at the same bytes.

    None, bool, int, str          themselves; int within 64 bits
    float                         ["f"]: its 8 bytes are in the payload
    list, tuple, dict       ["l", ref, [...]]  ["t", ref, [...]]  ["d", ref, [[key, value], ...]]
    set, frozenset                ["s", ref, [...]]  ["z", ref, [...]]
    NumPy's default generator     ["g", [six hexadecimal numbers], [...]]: see `_generator`
    array, NumPy scalar           ["a", dtype, shape]
    DataFrame, Series             ["p", tree]: see `verdict.table_parts`
    object that is not sent       ["r", ref, type name, callable?]

A ``ref`` is a number under which the sender keeps the object, or null. When the receiver sends the
value back, only the number travels, and the sender finds its own object again, of whatever type: a
student's cache may be an instance of the student's own class.

Both sides import this file, and neither trusts the other's frames: the limits hold on reading.
Frames that break them raise ProtocolError. Only NumPy and the standard library are used here, and
pandas where there is a table.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from json import loads
from json.encoder import encode_basestring_ascii as quoted
from re import fullmatch
from struct import Struct
from typing import Any, TypeAlias

import numpy as np

from autograder.guest.errors import ProtocolError
from verdict import table_parts

PREFIX_SIZE = 16
MAX_HEADER = 1 << 22  # bytes of JSON
MAX_PAYLOAD = 1 << 25  # bytes of arrays
# in all arrays, also of one byte each: comparing makes float64 of them
MAX_NUMBERS = MAX_PAYLOAD // 8
MAX_DEPTH = 16  # of nested containers
MAX_LEAVES = 100_000  # values in one tree, containers included
MAX_TEXT = 1 << 20  # characters of one string
MAX_NDIM = 8
MAX_TABLES = 16  # DataFrames and Series in one tree
# keys of one dict or set with the same hash: thousands would keep the judge busy for minutes, and
# of keys that are not made for that, hardly two have the same
MAX_ALIKE = 64
NAMES = (
    "|b1",
    "|i1",
    "|u1",
    *(f"<{kind}{size}" for kind in "iu" for size in (2, 4, 8)),
    "<f2",
    "<f4",
    "<f8",
)
DTYPES = {name: np.dtype(name) for name in NAMES}
FLOAT = Struct("<d")
CONSTANTS = {None: "null", True: "true", False: "false"}
KNOWN, KNOWN_BYTES = 64, 1 << 12  # cache of parsed headers: entries, and bytes of one

Reference: TypeAlias = "int | None"
Build: TypeAlias = Callable[[bytes], Any]  # payload -> value


class Remote:
    """An object that stayed with the other side. It can be sent back, and called when it is a
    function there.
    """

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


class RemoteSet(frozenset[Any]):
    """A set that came from the other side, with the number under which it is kept there."""

    ref: Reference = None


CONTAINERS = {
    "l": RemoteList,
    "t": RemoteTuple,
    "d": RemoteDict,
    "s": RemoteSet,
    "z": RemoteSet,
}
PLAIN_CONTAINERS: dict[str, type] = {"l": list, "t": tuple, "d": dict, "s": set, "z": frozenset}
REMOTE = (RemoteList, RemoteTuple, RemoteDict, RemoteSet)


@dataclass
class Encoder:
    """Values -> header and payload.

    Parameters
    ----------
    keep : called with each container and each value that is no plain data; gives the number under
        which it is kept, or None to send a container by value only. None for a value that is no
        plain data means that it may not be sent.
    tables : whether a DataFrame goes as its content; else it is kept, as other objects are
    """

    keep: Callable[[Any], Reference] = lambda value: None
    tables: bool = True

    def encode(self, value: Any) -> bytes:
        """Frame for a value.

        Raises
        ------
        ProtocolError : the value is too large or too deep for a frame
        """
        self._payload: list[bytes] = []
        self._size = self._numbers = 0
        self._leaves = self._tables = 0
        header = self._text(value, 0).encode()
        if len(header) > MAX_HEADER:
            raise ProtocolError(
                f"a value of {len(header):,} bytes of text is too large; {MAX_HEADER:,} are allowed"
            )
        return frame(header, b"".join(self._payload))

    def _text(self, value: Any, depth: int) -> str:
        """JSON of a value; what belongs to the payload is laid aside."""
        self._leaves += 1
        if self._leaves > MAX_LEAVES:
            raise ProtocolError(
                f"a value of more than {MAX_LEAVES:,} parts is too large; return arrays, not lists "
                "of numbers"
            )
        if depth > MAX_DEPTH:
            raise ProtocolError(f"a value nested more than {MAX_DEPTH} deep is too large")
        kind = type(value)
        # What comes most, first: a check may send hundreds of messages.
        if kind is np.ndarray and value.dtype.str in DTYPES and value.ndim <= MAX_NDIM:
            return self._array(value)
        if kind is float:
            return self._laid_aside(FLOAT.pack(value), '["f"]')
        if kind is str and len(value) <= MAX_TEXT:
            return quoted(value)
        if kind is int and -(2**63) <= value < 2**63:
            return str(value)
        if value is None or kind is bool:
            return CONSTANTS[value]
        if isinstance(value, Remote):
            return f'["r",{value.ref},"",true]'
        if isinstance(value, REMOTE) and value.ref is not None:
            return f'["r",{value.ref},"",false]'
        if isinstance(value, list | tuple | dict):
            return self._container(value, depth)
        if isinstance(value, set | frozenset) and all(map(_is_plain_key, value)):
            return self._container(value, depth)
        if (array := _plain_array(value)) is not None:
            return self._array(array)
        if self.tables and table_parts.is_table(value):
            return self._table(value, depth)
        ref = self.keep(value)
        if ref is None and isinstance(value, np.random.Generator):
            return _text_of_generator(value)
        if ref is None:
            raise ProtocolError(f"a {type(value).__name__} cannot be sent")
        return f'["r",{ref},{quoted(type(value).__name__[:100])},{CONSTANTS[callable(value)]}]'

    def _container(self, value: Any, depth: int) -> str:
        ref = self.keep(value) if depth else None  # the outermost tuple is the message itself
        number = "null" if ref is None else str(ref)
        if isinstance(value, dict):
            pairs = [
                f"[{self._text(k, depth + 1)},{self._text(v, depth + 1)}]" for k, v in value.items()
            ]
            return f'["d",{number},[{",".join(pairs)}]]'
        items = ",".join([self._text(item, depth + 1) for item in value])
        kinds = (("l", list), ("t", tuple), ("s", set), ("z", frozenset))
        kind = next(letter for letter, plain in kinds if isinstance(value, plain))
        return f'["{kind}",{number},[{items}]]'

    def _table(self, value: Any, depth: int) -> str:
        """JSON of a table; nothing in it is kept, for its parts are made here."""
        self._tables += 1
        if self._tables > MAX_TABLES:
            raise ProtocolError(f"more than {MAX_TABLES} tables in one value are too many")
        try:
            parts = table_parts.parts(value)
        except table_parts.TableError as error:
            raise ProtocolError(str(error)) from None
        keep, self.keep = self.keep, lambda value: None
        try:
            return f'["p",{self._text(parts, depth + 1)}]'
        finally:
            self.keep = keep

    def _array(self, array: np.ndarray[Any, Any]) -> str:
        if self._size + array.nbytes > MAX_PAYLOAD:  # before its bytes are copied
            raise ProtocolError(f"arrays of more than {MAX_PAYLOAD:,} bytes together are too large")
        self._numbers += array.size
        if self._numbers > MAX_NUMBERS:
            raise ProtocolError(
                f"arrays of more than {MAX_NUMBERS:,} numbers together are too large"
            )
        return self._laid_aside(array.tobytes(), f'["a","{array.dtype.str}",{[*array.shape]}]')

    def _laid_aside(self, data: bytes, text: str) -> str:
        self._size += len(data)
        self._payload.append(data)
        return text


def _plain_array(value: Any) -> np.ndarray[Any, Any] | None:
    """Array of a dtype that a frame can carry; None where there is none, as for text, objects and
    complex numbers.
    """
    if not isinstance(value, np.ndarray | np.generic):
        return None
    array = np.asarray(value)
    if array.dtype.kind == "f" and array.dtype.itemsize > 8:
        array = array.astype(np.float64)
    # Little-endian and a plain dtype, whatever the machine and the dtype's metadata.
    name = f"{'|' if array.dtype.itemsize == 1 else '<'}{array.dtype.kind}{array.dtype.itemsize}"
    if name not in DTYPES or array.ndim > MAX_NDIM:
        return None
    return np.ascontiguousarray(array, dtype=np.dtype(name)).reshape(array.shape)


@dataclass
class Decoder:
    """Header and payload -> values.

    A header says all but the numbers. It is checked once, and the functions that build its values
    are cached: of thousands of frames in which a student's checker asks for a loss, only the
    payload differs.

    Parameters
    ----------
    remote : (ref, type name, callable?) -> proxy of an object that the other side keeps
    own : ref -> own object, for a reference that the other side sends back
    generators : whether the other side may send one
    """

    remote: Callable[[int, str, bool], Any] = lambda ref, kind, is_callable: Remote(ref, kind)
    own: Callable[[int], Any] | None = None
    generators: bool = False

    def __post_init__(self) -> None:
        self._known: dict[bytes, tuple[Build, int]] = {}

    def decode(self, header: bytes, payload: bytes) -> Any:
        """Value of a frame.

        Raises
        ------
        ProtocolError : the bytes are no frame within the limits
        """
        known = self._known.get(header)
        if known is None:
            known = self._look_over(header)
            if len(header) <= KNOWN_BYTES:
                if len(self._known) >= KNOWN:
                    self._known.clear()
                self._known[header] = known
        build, size = known
        if size != len(payload):
            raise ProtocolError(f"a frame's arrays take {size} bytes of its {len(payload)}")
        return build(payload)

    def _look_over(self, header: bytes) -> tuple[Build, int]:
        """What makes the value from a payload, and how many bytes the payload must have."""
        try:
            tree = loads(header)
        except (ValueError, RecursionError) as error:
            raise ProtocolError(
                f"the header of a frame is no JSON: {type(error).__name__}"
            ) from None
        self._at = 0
        self._leaves = self._numbers = self._tables = 0
        return self._value(tree, 0), self._at

    def _value(self, tree: Any, depth: int) -> Build:
        self._leaves += 1
        if self._leaves > MAX_LEAVES or depth > MAX_DEPTH:
            raise ProtocolError("a frame holds too many values or nests them too deep")
        kind = type(tree)
        if kind is list:
            return self._listed(tree, depth)
        if tree is None or kind is bool or (kind is int and -(2**63) <= tree < 2**63):
            return lambda payload: tree
        if kind is str and len(tree) <= MAX_TEXT:
            # JSON can spell half a character, which no file can hold
            text = tree.encode(errors="replace").decode()
            return lambda payload: text
        raise ProtocolError("a frame holds something that is no value")

    def _listed(self, tree: list[Any], depth: int) -> Build:
        match tree:
            case ["f"]:
                return self._float()
            case ["a", str(dtype), list(shape)]:
                return self._array(dtype, shape)
            case ["p", list(parts)]:
                return self._table(parts, depth)
            case ["g", list(state), list(spawn_key)] if self.generators:
                numbers, key = _hexadecimal(state, 6), _hexadecimal(spawn_key)
                return lambda payload: _generator(numbers, key)
            case ["l" | "t" | "d" | "s" | "z" as kind, None | int() as ref, list(items)] if (
                type(ref) is not bool
            ):
                return self._container(kind, ref, items, depth)
            case ["r", int(ref), str(kind), bool(is_callable)] if (
                type(ref) is not bool and len(kind) <= 100
            ):
                if self.own is not None and not kind:
                    own = self.own
                    return lambda payload: own(ref)
                return lambda payload: self.remote(ref, kind, is_callable)
        raise ProtocolError("a frame holds something that is no value")

    def _container(self, kind: str, ref: Reference, items: list[Any], depth: int) -> Build:
        make: Callable[[list[Any]], Any]
        if ref is None:
            make = PLAIN_CONTAINERS[kind]
        else:

            def make(values: list[Any]) -> Any:
                value: Any = CONTAINERS[kind](values)
                value.ref = ref
                return value

        if kind == "d":
            pairs = [self._pair(item, depth) for item in items]

            def make_dict(payload: bytes) -> Any:
                built = [(key(payload), value(payload)) for key, value in pairs]
                return _with_keys(make, built, [key for key, _ in built])

            return make_dict
        builds = [self._value(item, depth + 1) for item in items]
        if kind in "sz":

            def make_set(payload: bytes) -> Any:
                built = [build(payload) for build in builds]
                return _with_keys(make, built, built)

            return make_set
        return lambda payload: make([build(payload) for build in builds])

    def _table(self, parts: list[Any], depth: int) -> Build:
        self._tables += 1
        if self._tables > MAX_TABLES:
            raise ProtocolError("a frame holds more tables than are allowed")
        inner = self._value(parts, depth + 1)

        def make(payload: bytes) -> Any:
            try:
                return table_parts.table_of(inner(payload))
            except table_parts.TableError as error:
                raise ProtocolError(f"a frame holds a table that is none: {error}") from None

        return make

    def _pair(self, item: Any, depth: int) -> tuple[Build, Build]:
        if type(item) is not list or len(item) != 2:
            raise ProtocolError("a frame holds a dict that is no list of pairs")
        return self._value(item[0], depth + 1), self._value(item[1], depth + 1)

    def _float(self) -> Build:
        at = self._at
        self._at += FLOAT.size
        return lambda payload: FLOAT.unpack_from(payload, at)[0]

    def _array(self, dtype: str, shape: list[Any]) -> Build:
        kind = DTYPES.get(dtype)
        if kind is None or len(shape) > MAX_NDIM:
            raise ProtocolError(
                "a frame holds an array of a dtype or a number of axes that is not allowed"
            )
        count = size = 1
        for n in shape:
            if type(n) is not int or not 0 <= n <= MAX_PAYLOAD:
                raise ProtocolError("a frame holds an array of an impossible shape")
            count *= n
            size *= n or 1
        # Without the zeros too: NumPy refuses shapes whose other sizes overflow, with an error of
        # its own.
        if size > MAX_PAYLOAD:
            raise ProtocolError("a frame holds an array of an impossible shape")
        self._numbers += count
        if self._numbers > MAX_NUMBERS:
            raise ProtocolError("a frame holds more numbers than are allowed")
        at = self._at
        self._at += count * kind.itemsize
        # A copy is writable and the reader's own; a bool of another byte than 0 and 1 would be
        # neither true nor false.
        if dtype == "|b1":
            return lambda payload: (np.ndarray(shape, np.uint8, payload, at) != 0)[()]
        return lambda payload: np.ndarray(shape, kind, payload, at).copy()[()]


def _with_keys(make: Callable[[list[Any]], Any], items: list[Any], keys: list[Any]) -> Any:
    try:
        if len(keys) > MAX_ALIKE and max(Counter(map(hash, keys)).values()) > MAX_ALIKE:
            raise ProtocolError(
                f"a frame holds a dict or a set with more than {MAX_ALIKE} keys of the same hash"
            )
        return make(items)
    except TypeError:
        raise ProtocolError("a frame holds a dict or a set whose key cannot be one") from None


def _is_plain_key(value: Any) -> bool:
    """Whether a value can be in a set on the other side, too."""
    if isinstance(value, tuple | frozenset):
        return all(map(_is_plain_key, value))
    return value is None or isinstance(value, str | int | float | np.generic)


def _text_of_generator(generator: np.random.Generator) -> str:
    """JSON of a generator as `np.random.default_rng` makes it: where it stands, and its seed, from
    which it spawns others.
    """
    bits: Any = generator.bit_generator
    seed: Any = bits.seed_seq
    if type(bits) is not np.random.PCG64 or type(seed) is not np.random.SeedSequence:
        raise ProtocolError(f"a Generator of {type(bits).__name__} cannot be sent")
    if not isinstance(seed.entropy, int | np.integer) or seed.pool_size != 4:
        raise ProtocolError("a Generator whose seed is no whole number cannot be sent")
    state = bits.state
    if int(seed.entropy) >> 256 or len(seed.spawn_key) > 16:
        raise ProtocolError("a Generator of so long a seed cannot be sent")
    numbers = (
        *(state["state"]["state"], state["state"]["inc"], state["has_uint32"], state["uinteger"]),
        *(seed.entropy, seed.n_children_spawned),
    )
    texts = ([f"{n:x}" for n in row] for row in (numbers, seed.spawn_key))
    return '["g",{},{}]'.format(*(f"[{','.join(map(quoted, row))}]" for row in texts))


def _hexadecimal(texts: list[Any], count: int | None = None) -> list[int]:
    """Whole numbers below 2**256, at most 16 of them."""
    if len(texts) > 16 or (count is not None and len(texts) != count):
        raise ProtocolError("a frame holds a generator of another form")
    if not all(type(text) is str and fullmatch("[0-9a-f]{1,64}", text) for text in texts):
        raise ProtocolError("a frame holds a generator of another form")
    return [int(text, 16) for text in texts]


def _generator(numbers: list[int], spawn_key: list[int]) -> np.random.Generator:
    """Generator that draws, and spawns, what the one draws that was sent."""
    state, inc, has_uint32, uinteger, entropy, spawned = numbers
    bits = np.random.PCG64(
        np.random.SeedSequence(
            entropy, spawn_key=tuple(spawn_key), n_children_spawned=spawned % 2**32
        )
    )
    bits.state = {
        "bit_generator": "PCG64",
        "state": {"state": state % 2**128, "inc": inc % 2**128},
        "has_uint32": has_uint32 % 2,
        "uinteger": uinteger % 2**32,
    }
    return np.random.Generator(bits)


def frame(header: bytes, payload: bytes = b"") -> bytes:
    """Header and payload with their lengths before them."""
    return len(header).to_bytes(8, "little") + len(payload).to_bytes(8, "little") + header + payload


def sizes(prefix: bytes) -> tuple[int, int]:
    """Lengths of header and payload from the first `PREFIX_SIZE` bytes of a frame.

    Raises
    ------
    ProtocolError : a length is above the limit; nothing of that size may be read or reserved
    """
    header, payload = (
        int.from_bytes(prefix[:8], "little"),
        int.from_bytes(prefix[8:PREFIX_SIZE], "little"),
    )
    if not 0 < header <= MAX_HEADER or payload > MAX_PAYLOAD:
        raise ProtocolError(
            f"a frame claims {header:,} + {payload:,} bytes; {MAX_HEADER:,} + {MAX_PAYLOAD:,} are "
            "allowed"
        )
    return header, payload

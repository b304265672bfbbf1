"""Frames carry plain values and arrays exactly, and nothing that is malformed or too large gets
through.
"""

from __future__ import annotations

import itertools
import json
from collections import namedtuple
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from autograder.errors import ProtocolError
from autograder.guest import protocol
from autograder.guest.protocol import (
    PREFIX_SIZE,
    Decoder,
    Encoder,
    Remote,
    RemoteDict,
    RemoteList,
    RemoteTuple,
    frame,
    sizes,
)

NUMBERS = st.one_of(
    hnp.boolean_dtypes(),
    hnp.integer_dtypes(),
    hnp.unsigned_integer_dtypes(),
    hnp.floating_dtypes(sizes=(16, 32, 64)),
)
ARRAYS = hnp.arrays(NUMBERS, hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4))
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False)
    | st.text()
    | ARRAYS
)
KEYS = st.text(max_size=5) | st.integers(0, 9)
TREES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(KEYS, inner, max_size=4)
    ),
    max_leaves=20,
)


def decode(data: bytes, decoder: Decoder | None = None) -> Any:
    """Value of a whole frame."""
    header, payload = sizes(data[:PREFIX_SIZE])
    assert len(data) == PREFIX_SIZE + header + payload
    return (decoder or Decoder()).decode(
        data[PREFIX_SIZE : PREFIX_SIZE + header], data[PREFIX_SIZE + header :]
    )


def same(a: Any, b: Any) -> bool:
    """Whether two trees are equal, types and dtypes included."""
    if isinstance(a, np.ndarray | np.generic):
        if (
            not isinstance(b, np.ndarray | np.generic)
            or a.dtype.newbyteorder("=") != b.dtype
            or a.shape != b.shape
        ):
            return False
        return np.array_equal(a, b, equal_nan=a.dtype.kind == "f")
    if isinstance(a, list | tuple):
        return (
            type(a) is type(b)
            and len(a) == len(b)
            and all(same(x, y) for x, y in zip(a, b, strict=True))
        )
    if isinstance(a, dict):
        return type(b) is dict and list(a) == list(b) and all(same(a[k], b[k]) for k in a)
    if isinstance(a, str):
        return b == a.encode(errors="replace").decode()
    return type(a) is type(b) and a == b


@given(TREES)
def test_a_tree_comes_back_as_it_was(tree: Any) -> None:
    back = decode(Encoder().encode(tree))
    # A keyed tree may lose keys that differ only in half characters, which no file can hold.
    assert same(tree, back) or "\\ud" in ascii(tree)


def test_nan_and_infinity_come_back() -> None:
    back = decode(Encoder().encode((float("nan"), float("-inf"), np.array([np.nan, np.inf]))))
    assert np.isnan(back[0]) and back[1] == float("-inf")
    np.testing.assert_array_equal(back[2], [np.nan, np.inf])


@pytest.mark.parametrize(
    "array",
    [
        np.arange(6.0).reshape(2, 3).T,
        np.arange(10)[::-2],
        np.arange(3, dtype=">f8"),
        np.arange(2.0).view(np.recarray),
        np.ma.array([1.0, 2.0]),
        np.broadcast_to(1.5, (2, 2)),
        np.arange(2, dtype=np.longdouble),
    ],
)
def test_every_kind_of_array_comes_back_as_a_plain_array_of_its_own(array: Any) -> None:
    back = decode(Encoder().encode(array))
    assert type(back) is np.ndarray and back.flags.writeable and back.shape == array.shape
    np.testing.assert_array_equal(back, np.asarray(array))


@pytest.mark.parametrize(
    "value",
    [
        np.array(["text"]),
        np.array([None]),
        np.array([1j]),
        2**63,
        {b"bytes"},
        b"bytes",
        object(),
        len,
    ],
)
def test_what_is_no_plain_value_is_kept_or_refused(value: Any) -> None:
    with pytest.raises(ProtocolError, match=f"a {type(value).__name__} cannot be sent"):
        Encoder().encode((value,))
    back = decode(Encoder(lambda v: 7).encode((value,)))
    assert type(back[0]) is Remote and back[0].ref == 7 and back[0].kind == type(value).__name__


def test_a_container_that_is_kept_is_itself_again_when_it_comes_back() -> None:
    Cache = namedtuple("Cache", "x state")
    kept: dict[int, Any] = {}

    def keep(value: Any) -> int:
        kept[id(value)] = value
        return id(value)

    cache = Cache(np.arange(3.0), {"layers": [len]})
    there = decode(
        Encoder(keep).encode(("value", cache)),
        Decoder(lambda ref, kind, is_callable: Remote(ref, kind)),
    )[1]
    assert (
        type(there) is RemoteTuple
        and type(there[1]) is RemoteDict
        and type(there[1]["layers"]) is RemoteList
    )
    back = decode(
        Encoder().encode(("call", there, there[1]["layers"][0])), Decoder(own=kept.__getitem__)
    )
    assert back[1] is cache and back[2] is len


def test_a_function_of_the_other_side_can_be_called_when_it_is_one() -> None:
    assert Remote(1, "function", lambda *args: sum(args))(2, 3) == 5
    with pytest.raises(TypeError, match="a generator cannot be called"):
        Remote(1, "generator")()


def deep(depth: int) -> list[Any]:
    """A list nested so deep."""
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        (deep(protocol.MAX_DEPTH + 1), "nested more than"),
        ([None] * (protocol.MAX_LEAVES + 1), "parts is too large; return arrays"),
        (np.zeros(protocol.MAX_PAYLOAD // 8 + 1), "bytes together are too large"),
        ([np.zeros(protocol.MAX_PAYLOAD // 16)] * 3, "bytes together are too large"),
        (["x" * protocol.MAX_TEXT] * 5, "bytes of text is too large"),
    ],
)
def test_a_value_that_is_too_large_is_refused_before_it_is_sent(value: Any, complaint: str) -> None:
    with pytest.raises(ProtocolError, match=complaint):
        Encoder().encode(value)


def test_the_limits_themselves_are_allowed() -> None:
    assert (
        decode(Encoder().encode(np.zeros(protocol.MAX_PAYLOAD // 8))).size
        == protocol.MAX_PAYLOAD // 8
    )
    assert (
        len(decode(Encoder().encode([None] * (protocol.MAX_LEAVES - 1)))) == protocol.MAX_LEAVES - 1
    )


@pytest.mark.parametrize(
    "prefix",
    [
        bytes(16),
        (2**62).to_bytes(8, "little") * 2,
        b"\xff" * 16,
        (protocol.MAX_HEADER + 1).to_bytes(8, "little") + bytes(8),
        (1).to_bytes(8, "little") + (protocol.MAX_PAYLOAD + 1).to_bytes(8, "little"),
    ],
)
def test_impossible_sizes_are_refused_before_anything_is_read(prefix: bytes) -> None:
    with pytest.raises(ProtocolError, match="bytes"):
        sizes(prefix)


def nested(depth: int) -> Any:
    """Tree of a header with lists nested so deep."""
    return ["l", None, [nested(depth - 1)] if depth else []]


def test_the_greatest_depth_is_read() -> None:
    assert Decoder().decode(json.dumps(nested(protocol.MAX_DEPTH)).encode(), b"") == deep(
        protocol.MAX_DEPTH
    )


@pytest.mark.parametrize(
    ("tree", "payload"),
    [
        (["a", "<f8", [2]], bytes(8)),  # too few bytes
        (["a", "<f8", [1]], bytes(16)),  # too many
        (["l", None, [["a", "<f8", [1]], ["a", "<f8", [1]]]], bytes(8)),  # twice the same bytes
        (["a", "|O", [1]], bytes(8)),
        (["a", "<c16", [1]], bytes(16)),
        (["a", "<M8[s]", [1]], bytes(8)),
        (["a", "f8,f8", [1]], bytes(16)),
        (["a", "<f8", [-1]], b""),
        (["a", "<f8", [2**62]], b""),
        (["a", "<f8", [0, 2**62]], b""),
        (["a", "<f8", [0, 2**20, 2**20, 2**20]], b""),
        (["a", "<f8", [True]], bytes(8)),
        (["a", "<f8", [1.0]], bytes(8)),
        (["a", "<f8", [1] * 9], bytes(8)),
        (["a", "<f8"], b""),
        (["a", ["<f8"], [1]], bytes(8)),
        (["d", None, [[["l", None, []], 1]]], b""),  # a key that is a list
        (["d", None, [[1, 2, 3]]], b""),
        (["d", None, [5]], b""),
        (["l", "ref", []], b""),
        (["l", True, []], b""),
        (["l", None, {}], b""),
        (["r", 1.5, "x", False], b""),
        (["r", True, "x", False], b""),
        (["r", 1, "x" * 101, False], b""),
        (["r", 1, "x", 1], b""),
        (["x", None, []], b""),
        (nested(protocol.MAX_DEPTH + 1), b""),
        (["l", None, [None] * protocol.MAX_LEAVES], b""),
        ([], b""),
        ({}, b""),
        ({"a": 1}, b""),
        (2**63, b""),
        (10**400, b""),
    ],
)
def test_a_malformed_frame_is_refused(tree: Any, payload: bytes) -> None:
    with pytest.raises(ProtocolError):
        Decoder(own=lambda ref: None).decode(json.dumps(tree).encode(), payload)


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"[" * 200_000,
        b"1" * 5000,
        b"nonsense",
        ("[" * 100_000 + "]" * 100_000).encode(),
        b"[1,",
        b'"\\ud8',
    ],
)
def test_a_header_that_is_no_json_is_refused(header: bytes) -> None:
    with pytest.raises(ProtocolError):
        Decoder().decode(header, b"")


@given(st.binary(max_size=300), st.binary(max_size=64))
def test_any_bytes_give_a_value_or_a_protocol_error(header: bytes, payload: bytes) -> None:
    try:
        Decoder(own=lambda ref: None).decode(header, payload)
    except ProtocolError:
        pass


def test_a_truth_value_is_true_or_false_whatever_the_byte() -> None:
    back = Decoder().decode(json.dumps(["a", "|b1", [3]]).encode(), b"\x00\x02\xff")
    assert back.dtype == bool and back.view(np.uint8).tolist() == [0, 1, 1]


def test_of_two_frames_with_one_header_each_has_its_own_numbers() -> None:
    decoder = Decoder()
    first, second = (
        decode(Encoder().encode({"w": np.full(2, k), "loss": k / 3}), decoder) for k in (1.0, 2.0)
    )
    assert first["loss"] == 1 / 3 and second["loss"] == 2 / 3
    first["w"][:] = 5  # an array is its reader's own
    np.testing.assert_array_equal(second["w"], [2, 2])


def test_a_header_that_is_known_is_refused_with_another_payload() -> None:
    decoder, header = Decoder(), json.dumps(["t", None, [["f"], ["a", "<f8", [1]]]]).encode()
    assert decoder.decode(header, bytes(16)) == (0.0, np.zeros(1))
    for wrong in (bytes(8), bytes(17), b""):
        with pytest.raises(ProtocolError, match=f"take 16 bytes of its {len(wrong)}"):
            decoder.decode(header, wrong)


def test_each_frame_with_a_known_header_names_its_objects_anew() -> None:
    asked: list[int] = []
    decoder = Decoder(remote=lambda ref, kind, is_callable: asked.append(ref))
    for _ in range(2):
        decoder.decode(b'["r",7,"function",true]', b"")
    assert asked == [7, 7]


def test_headers_without_an_end_take_no_memory_without_an_end() -> None:
    decoder = Decoder()
    for k in range(3 * protocol.KNOWN):
        assert decoder.decode(str(k).encode(), b"") == k
    long = json.dumps(["l", None, [1] * protocol.KNOWN_BYTES]).encode()
    assert len(decoder.decode(long, b"")) == protocol.KNOWN_BYTES
    assert 0 < len(decoder._known) <= protocol.KNOWN and long not in decoder._known


def test_a_float_comes_back_to_the_last_bit() -> None:
    for value in (-0.0, 5e-324, 0.1, float("nan"), float("-inf")):
        (back,) = decode(Encoder().encode((value,)))
        assert type(back) is float and np.float64(back).tobytes() == np.float64(value).tobytes()


def test_half_a_character_becomes_a_question_mark() -> None:
    assert Decoder().decode(rb'"a\ud800b"', b"") == "a?b"


def test_a_frame_says_its_lengths_first() -> None:
    assert frame(b"abc", b"defgh") == bytes([3, *bytes(7), 5, *bytes(7)]) + b"abcdefgh"


def generators() -> list[np.random.Generator]:
    used = np.random.default_rng(7)
    used.integers(9, size=3, dtype=np.uint32)  # half of a drawn number is kept for the next call
    child = np.random.default_rng([2**100][0]).spawn(2)[1]
    child.spawn(3)
    return [np.random.default_rng(0), used, child, np.random.default_rng()]


@pytest.mark.parametrize("number", range(4))
def test_a_generator_draws_and_spawns_the_same_on_the_other_side(number: int) -> None:
    here = generators()[number]
    there = decode(Encoder().encode((here,)), Decoder(generators=True))[0]
    assert here.bit_generator.state == there.bit_generator.state
    kinds: list[Any] = [np.uint32, np.uint64]
    for kind in kinds:
        np.testing.assert_array_equal(
            here.integers(99, size=5, dtype=kind), there.integers(99, size=5, dtype=kind)
        )
    assert here.spawn(1)[0].normal() == there.spawn(1)[0].normal()


def test_a_generator_that_is_sent_twice_begins_anew() -> None:
    decoder, data = Decoder(generators=True), Encoder().encode((np.random.default_rng(3),))
    first, second = decode(data, decoder)[0].normal(), decode(data, decoder)[0].normal()
    assert first == second == np.random.default_rng(3).normal()


@pytest.mark.parametrize(
    ("generator", "complaint"),
    [
        (np.random.Generator(np.random.MT19937(1)), "a Generator of MT19937 cannot be sent"),
        (np.random.default_rng([1, 2]), "whose seed is no whole number"),
        (np.random.default_rng(2**300), "of so long a seed"),
    ],
)
def test_a_generator_of_another_kind_is_refused(generator: Any, complaint: str) -> None:
    with pytest.raises(ProtocolError, match=complaint):
        Encoder().encode((generator,))


@pytest.mark.parametrize(
    "tree",
    [
        ["g", ["1"] * 5, []],
        ["g", ["1"] * 6, ["1"] * 17],
        ["g", ["-1"] * 6, []],
        ["g", ["f" * 65] * 6, []],
        ["g", [1] * 6, []],
        ["g", ["1"] * 6],
    ],
)
def test_a_malformed_generator_is_refused(tree: Any) -> None:
    with pytest.raises(ProtocolError):
        decode(frame(json.dumps(tree).encode()), Decoder(generators=True))


def test_no_generator_is_made_for_who_does_not_ask_for_one() -> None:
    with pytest.raises(ProtocolError):
        decode(Encoder().encode((np.random.default_rng(3),)))


SETS = [set(), {1, "a", None}, frozenset({2.5}), {(1, ("b",)), frozenset({3})}, {np.int64(4)}]


@pytest.mark.parametrize("value", SETS)
def test_a_set_comes_back_as_it_was(value: Any) -> None:
    back = decode(Encoder().encode((value,)))[0]
    assert back == value and type(back) is type(value)
    kept: dict[int, Any] = {}
    there = decode(Encoder(lambda v: kept.setdefault(id(v), v) is None or id(v)).encode((value,)))[
        0
    ]
    assert there == value and kept[there.ref] is value


def test_a_set_of_what_cannot_be_in_one_is_refused() -> None:
    for tree in (["s", None, [["l", None, []]]], ["z", None, [["d", None, []]]]):
        with pytest.raises(ProtocolError, match="a dict or a set whose key cannot be one"):
            decode(frame(json.dumps(tree).encode()))


def test_keys_that_were_made_to_have_the_same_hash_are_refused() -> None:
    # 3 ** 5 tuples: a number and the same number plus Python's modulus have one hash
    same = (0, 2**61 - 1, 1 - 2**61)
    keys = list(itertools.product(same, repeat=5))
    assert len({hash(key) for key in keys}) == 1
    for value in (dict.fromkeys(keys, 1), set(keys), frozenset(keys)):
        with pytest.raises(ProtocolError, match="keys of the same hash"):
            decode(Encoder().encode(value))
    fine = {(k, str(k)): k for k in range(3000)}
    assert decode(Encoder().encode(fine)) == fine

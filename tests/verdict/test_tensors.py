import collections
import enum
import itertools
import os
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal

from verdict import tensors
from verdict.tensors import from_arrays, to_arrays


class Pair(NamedTuple):
    first: object
    second: object


@pytest.mark.parametrize("dtype", ["float64", "float32", "int64", "bool", "uint8"])
def test_arrays_become_tensors_of_their_dtype_and_are_copies(dtype):
    array = np.ones((2, 3), dtype)
    tensor = from_arrays(array, "torch")
    assert (
        tensor.dtype == getattr(torch, dtype)
        and tensor.device.type == "cpu"
        and not tensor.requires_grad
    )
    tensor.zero_()
    assert_array_equal(array, np.ones((2, 3)))


def test_numbers_stay_numbers_and_containers_stay_what_they_are():
    x = np.arange(3.0)
    value = from_arrays((x, [x, 3], {"k": (x, None)}, "text", 0.5, True), "torch")
    assert [type(part) for part in value] == [torch.Tensor, list, dict, str, float, bool]
    assert type(value[1][0]) is type(value[2]["k"][0]) is torch.Tensor and value[1][1] == 3
    assert from_arrays(value, "numpy") is value
    with pytest.raises(
        ValueError, match="framework must be one of numpy, torch, tensorflow, got 'jax'"
    ):
        from_arrays(x, "jax")


@pytest.mark.parametrize(
    "tensor",
    [
        torch.ones(2, 2, requires_grad=True) * 1,
        torch.nn.Parameter(torch.ones(2, 2)),
        torch.ones(2, 2, dtype=torch.bfloat16),
        torch.ones(2, 2, dtype=torch.float16),
        torch.ones(2, 2, dtype=torch.int32),
        torch.ones(2, 2).to_sparse(),
        torch.ones(1, 1).expand(2, 2),
        torch.ones(2, 2, dtype=torch.complex64).conj().real,
        torch.ones(2, 2)._neg_view()._neg_view(),
    ],
    ids=lambda tensor: f"{tensor.layout}-{tensor.dtype}".replace("torch.", ""),
)
def test_every_kind_of_tensor_becomes_an_array(tensor):
    array = to_arrays(tensor)
    assert type(array) is np.ndarray and array.dtype.kind in "fi"
    assert_array_equal(array, np.ones((2, 2)))


def test_tensors_are_found_in_whatever_holds_them_and_nothing_else_is_touched():
    one = torch.ones(2)
    state = collections.OrderedDict(weight=one, other=[one, (one, 3)])
    got = to_arrays(state)
    assert (
        type(got) is dict
        and type(got["weight"]) is type(got["other"][1][0]) is np.ndarray
        and got["other"][1][1] == 3
    )
    assert (
        type(to_arrays(Pair(one, 2))) is Pair and type(to_arrays(Pair(one, 2)).first) is np.ndarray
    )
    for value in (
        [1, 2],
        Pair(1, [2]),
        {"a": np.ones(2)},
        collections.OrderedDict(a=1),
        object(),
        None,
    ):
        assert to_arrays(value) is value
    endless = [one]
    endless.append(endless)
    assert type(to_arrays(endless)[0]) is np.ndarray


def test_what_can_be_unpacked_counts_as_a_list_and_what_cannot_stays_what_it_is():
    layer = torch.nn.LSTM(3, 2)
    by_name = torch.nn.ParameterDict({"weight": torch.ones(2)})
    for value, length in (
        (layer.parameters(), 4),
        ({"a": 1, "b": 2}.values(), 2),
        (map(abs, [1]), 1),
        (iter("ab"), 2),
    ):
        assert type(got := to_arrays(value)) is list and len(got) == length
    assert to_arrays({"b": 2, "a": 1}.keys()) == ["b", "a"]  # in their order
    assert len(to_arrays(itertools.count())) == tensors.MANY  # and does not go on for ever
    assert type(to_arrays(torch.nn.ParameterList([torch.ones(2)]))[0]) is np.ndarray
    assert_array_equal(to_arrays(by_name)["weight"], np.ones(2))
    for value in (
        layer,
        "text",
        b"bytes",
        {1, 2},
        3,
        memoryview(b"bytes"),
        np.ma.ones(2),
        lambda: 0,
    ):
        assert to_arrays(value) is value


def test_iterators_are_read_however_deep_where_all_that_comes_back_is_compared():
    def made():
        rows = ((n for n in range(k)) for k in (1, 2))
        return rows, {"of": map(str, [1]), "last": collections.deque("abc", 2)}, {"b": 1}.items()

    rows, by_name, pairs = to_arrays(made(), spread=True)
    assert rows == [[0], [0, 1]] and by_name == {"of": ["1"], "last": ["b", "c"]}
    assert pairs == [("b", 1)]
    places = to_arrays({"train": range(3), "test": [range(10**12)]}, spread=True)
    assert places["train"] == [0, 1, 2] and len(places["test"][0]) == tensors.MANY - 3
    kept = made()[0]
    cache = [[kept]]
    assert to_arrays((cache, 0)) == (cache, 0) and len(list(kept)) == 2  # not read
    endless = [[itertools.count()], [itertools.count()]]
    assert [len(row[0]) for row in to_arrays(endless, spread=True)] == [tensors.MANY, 0]


def test_fractions_enumerations_and_words_of_other_classes_are_what_they_stand_for():
    class Word(str):
        """A word of the student's own class."""

    class Number(enum.IntEnum):
        ONE = 1

    given = [Fraction(1, 4), Decimal("0.5"), Number.ONE, Word("a"), True, {"k": Fraction(1, 2)}]
    got = to_arrays(given)
    assert got == [0.25, 0.5, 1, "a", True, {"k": 0.5}]
    assert [type(item) for item in got] == [float, float, int, str, bool, dict]
    ((word, number),) = to_arrays({Word("a"): Number.ONE}).items()
    assert (word, type(word), number, type(number)) == ("a", str, 1, int)


def test_tensorflow_goes_both_ways():
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    tensorflow = pytest.importorskip("tensorflow")
    array = np.arange(6.0).reshape(2, 3)
    tensor = from_arrays((array, 2), "tensorflow")[0]
    assert tensor.dtype == tensorflow.float64
    values = [tensor, tensorflow.Variable(tensor), tensorflow.cast(tensor, "bfloat16")]
    for value in to_arrays(values):
        assert type(value) is np.ndarray and value.dtype.kind == "f"
        assert_array_equal(value, array)

"""Every rung computes what the reference computes."""

import importlib.util
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lstm_ref import MissingPackageError
from lstm_ref.frameworks import speed

sizes = st.integers(1, 5)
NAMES = ["naive", "fused", "hoisted", "in-place", "numba", "PyTorch", "cuDNN"]
TOLERANCE = {np.float32: 2e-5, np.float64: 1e-12}


def answer(rung, layer, dh, dcT):
    h, (hT, cT), cache = rung.forward(**layer)
    return {"h": h, "hT": hT, "cT": cT, **rung.backward(dh, cache, dcT)._asdict()}


def standing(name):
    """The rung, or a test that says why it is left out."""
    rung = speed.rung(name)
    if rung.missing():
        pytest.skip(f"{name}: {rung.missing()}")
    return rung


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("name", NAMES)
def test_every_rung_gives_the_numbers_of_the_reference(
    draw, numpy_answer, assert_same, name, dtype
):
    rung = standing(name)

    @settings(max_examples=15)
    @given(N=sizes, T=sizes, D=sizes, H=sizes, seed=st.integers(0, 100))
    def holds(N, T, D, H, seed):
        layer = draw(N, T, D, H, seed, dtype=dtype)
        expected, dh, dcT = numpy_answer(layer)
        assert_same(answer(rung, layer, dh, dcT), expected, TOLERANCE[dtype])

    holds()


@pytest.mark.parametrize("name", NAMES)
def test_no_rung_changes_what_it_is_given_or_needs_a_gradient_of_the_cell(draw, assert_same, name):
    rung = standing(name)
    layer = draw(2, 3, 4, 5)
    dh = np.random.default_rng(1).normal(size=(2, 3, 5))
    given = {"dh": dh, **layer}
    before = {key: array.copy() for key, array in given.items()}
    cache = rung.forward(**layer)[2]
    without, zeros = (
        rung.backward(dh, cache, None),
        rung.backward(dh, cache, np.zeros((2, 5))),
    )  # the cache serves twice
    assert_same(without._asdict(), zeros._asdict(), 1e-15)
    assert_same(given, before, 0)


@pytest.mark.parametrize("name", NAMES)
def test_what_is_timed_computes_the_gradients(draw, assert_same, name):
    rung = standing(name)
    layer = draw(3, 4, 2, 5)
    dh = np.random.default_rng(1).normal(size=(3, 4, 5))
    expected = speed.rung("in-place").backward(dh, speed.rung("in-place").forward(**layer)[2], None)
    got = rung.one_pass(layer, dh)()
    if rung.device:
        dx, dWx, dWh, db = (tensor.cpu().numpy() for tensor in got)
        got = {"dx": dx, "dWx": dWx.T, "dWh": dWh.T, "db": db}
    else:
        got = {key: got._asdict()[key] for key in ("dx", "dWx", "dWh", "db")}
    assert_same(got, {key: expected._asdict()[key] for key in got}, 1e-12)


def test_what_is_compiled_says_the_same_uncompiled(monkeypatch, draw, numpy_answer, assert_same):
    layer = draw(2, 3, 4, 5)
    expected, dh, dcT = numpy_answer(layer)
    monkeypatch.setattr(speed, "_kernels", lambda: (speed.close_gates, speed._step_back))
    assert_same(answer(speed.rung("numba"), layer, dh, dcT), expected, 1e-13)


def test_the_ladder_has_its_rungs_in_order_and_says_what_changes():
    assert [rung.name for rung in speed.RUNGS] == NAMES
    assert len({rung.change for rung in speed.RUNGS}) == len(NAMES)
    assert all(rung.forward.__doc__ and rung.backward.__doc__ for rung in speed.RUNGS)


def test_a_rung_without_its_package_says_so(monkeypatch, draw):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert speed.rung("numba").missing() == "numba is not installed"
    monkeypatch.setitem(sys.modules, "numba", None)
    speed._kernels.cache_clear()
    with pytest.raises(
        MissingPackageError, match=r"speed needs numba .* pip install 'inside-the-lstm\[bench\]'"
    ):
        speed.compiled_forward(**draw(1, 1, 1, 1))


def test_a_rung_on_a_gpu_says_that_none_answers(monkeypatch):
    from lstm_ref.frameworks import torch

    monkeypatch.setattr(torch, "best_device", lambda: torch.torch.device("cpu"))
    assert speed.rung("cuDNN").missing() == "no NVIDIA GPU answers"


def test_the_bound_multiplies_and_nothing_else(monkeypatch):
    """The multiplications of the products, counted: the same number as in one pass of the
    reference.
    """
    N, T, D, H = 2, 3, 4, 5
    counted = []

    class Counting(np.ndarray):
        def __array_ufunc__(self, ufunc, method, *inputs, out=None, **options):
            arrays = [np.asarray(array) for array in inputs]
            assert ufunc is np.matmul
            counted.append(arrays[0].shape[0] * arrays[0].shape[1] * arrays[1].shape[1])
            return ufunc(*arrays).view(Counting)

    empty = np.empty
    monkeypatch.setattr(np, "empty", lambda *args: empty(*args).view(Counting))
    draw = np.random.default_rng

    class Generator:
        def __init__(self, seed):
            self.rng = draw(seed)

        def standard_normal(self, shape):
            return self.rng.standard_normal(shape).view(Counting)

    monkeypatch.setattr(np.random, "default_rng", Generator)
    speed.gemm_bound(N, T, D, H)()
    assert sum(counted) == 3 * T * N * (D + H) * 4 * H
    assert len(counted) == 2 * T + 4

"""What all tests share."""

import os
import shutil
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings

from tests.support.approved import approved  # noqa: F401  # a fixture

# Before TensorFlow is imported: it tells at length on stderr which instructions it was compiled
# for.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")

# Most tests of the autograder are about bubblewrap's boxes: where those fail, a container must not
# take their place unnoticed.
os.environ.setdefault("AUTOGRADER_ISOLATION", "bubblewrap")

# A shell starts what runs in the background with SIGINT ignored, and Python leaves it so: no test
# of Ctrl-C could pass there.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# The same examples in every run: a red test is a change of the code and not of the dice. No
# deadline: no test may depend on the machine being fast.
settings.register_profile("repeatable", derandomize=True, deadline=None, database=None)
settings.load_profile("repeatable")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--approve", action="store_true", help="write the texts of tests/messages anew"
    )


@pytest.fixture(autouse=True)
def settings_of_the_process_stay() -> Iterator[None]:
    """Notebooks whose cells a test executes in its own process set the backend of Keras and the
    dtype of PyTorch for themselves, and not for the tests behind it.
    """
    backend = os.environ.get("KERAS_BACKEND")
    yield
    if backend is not None:
        os.environ["KERAS_BACKEND"] = backend
    # A thread that a test left may be importing it at this moment.
    if hasattr(torch := sys.modules.get("torch"), "float32"):
        torch.set_default_dtype(torch.float32)


@pytest.fixture(scope="session")
def made_tiny_course(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Root of the small course of `tests.support.tiny_course`, which no test may change."""
    from tests.support.tiny_course import make_tiny_course

    return make_tiny_course(tmp_path_factory.mktemp("tiny"))


@pytest.fixture
def tiny_course(made_tiny_course: Path, tmp_path: Path) -> Path:
    """Root of a fresh copy of the small course: solutions, released exercises, nbgrader's
    settings.
    """
    return Path(shutil.copytree(made_tiny_course, tmp_path / "course"))


@pytest.fixture(scope="session")
def empty_gradebook(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A gradebook with nothing in it, to be copied."""
    from tests.support.tiny_course import make_empty_gradebook

    return make_empty_gradebook(tmp_path_factory.mktemp("gradebook"))


@pytest.fixture(scope="session")
def draw():
    """Sizes -> the arguments of lstm_forward by name, drawn at random; weights of order 0.5, as in
    a network that has learnt.
    """

    def draw(N, T, D, H, seed=0, scale=0.5, dtype=np.float64):
        rng = np.random.default_rng(seed)
        shapes = {
            "x": (N, T, D),
            "h0": (N, H),
            "c0": (N, H),
            "Wx": (D, 4 * H),
            "Wh": (H, 4 * H),
            "b": (4 * H,),
        }
        return {
            name: (scale * rng.normal(size=shape)).astype(dtype) for name, shape in shapes.items()
        }

    return draw


@pytest.fixture(scope="session")
def numpy_answer():
    """Layer -> what the reference makes of it, by name, and the gradients dh, dcT that were sent
    back.
    """

    def numpy_answer(layer):
        from lstm_ref import lstm_backward, lstm_forward

        h, (hT, cT), cache = lstm_forward(**layer)
        rng = np.random.default_rng(1)
        dh, dcT = (rng.normal(size=a.shape).astype(a.dtype) for a in (h, cT))
        return {"h": h, "hT": hT, "cT": cT, **lstm_backward(dh, cache, dcT)._asdict()}, dh, dcT

    return numpy_answer


@pytest.fixture(scope="session")
def assert_same():
    """Assert that all arrays of two dicts agree, relative to the largest number of each."""

    def assert_same(got, expected, tolerance):
        assert set(got) == set(expected)
        for name, right in expected.items():
            array = np.asarray(got[name])
            assert array.shape == right.shape and array.dtype == right.dtype, name
            np.testing.assert_allclose(
                array, right, rtol=0, atol=tolerance * max(1, np.abs(right).max()), err_msg=name
            )

    return assert_same

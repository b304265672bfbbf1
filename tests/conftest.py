"""What all tests share."""

import os

import numpy as np
import pytest
from hypothesis import settings

# Before TensorFlow is imported: it tells at length on stderr which instructions it was compiled for.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")

# The same examples in every run: a red test is a change of the code and not of the dice. No deadline: no test may depend on
# the machine being fast.
settings.register_profile("repeatable", derandomize=True, deadline=None, database=None)
settings.load_profile("repeatable")


@pytest.fixture(scope="session")
def draw():
    """Sizes -> the arguments of lstm_forward by name, drawn at random; weights of order 0.5, as in a network that has learnt."""

    def draw(N, T, D, H, seed=0, scale=0.5, dtype=np.float64):
        rng = np.random.default_rng(seed)
        shapes = {"x": (N, T, D), "h0": (N, H), "c0": (N, H), "Wx": (D, 4 * H), "Wh": (H, 4 * H), "b": (4 * H,)}
        return {name: (scale * rng.normal(size=shape)).astype(dtype) for name, shape in shapes.items()}

    return draw

"""Random numbers that can be repeated: seeds, and generators that go on where they stopped."""

from __future__ import annotations

import random
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.random import Generator

from lstm_ref.errors import ArgumentError


def set_seed(seed: int) -> Generator:
    """Seed the global generators of Python and NumPy, and those of PyTorch and Keras where they are
    imported.

    Import PyTorch or Keras first: what is imported later is not seeded.

    Parameters
    ----------
    seed : from 0 to 2**32 - 1

    Returns
    -------
    rng : numpy.random.Generator with this seed, for initial weights, shuffling and dropout; give it
        to `train`, too

    Raises
    ------
    ArgumentError : a seed that is not such a number

    Examples
    --------
    >>> a, b = set_seed(3).normal(), set_seed(3).normal()
    >>> a == b
    True
    """
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or not 0 <= seed < 2**32:
        raise ArgumentError(
            f"set_seed: seed must be a whole number from 0 to 2**32 - 1, got {seed!r}"
        )
    seed = int(seed)
    random.seed(seed)
    np.random.seed(seed)
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(seed)
    if "keras" in sys.modules:
        sys.modules["keras"].utils.set_random_seed(seed)
    return np.random.default_rng(seed)


def random_states(rngs: Sequence[Generator]) -> dict[str, Any]:
    """Where all generators stand: Python's, NumPy's, PyTorch's if it is imported, and the given
    ones.
    """
    states: dict[str, Any] = {
        "python": random.getstate(),
        "numpy": np.random.get_state(legacy=False),
        "rngs": [rng.bit_generator.state for rng in rngs],
    }
    torch: Any = sys.modules.get("torch")
    if torch is not None:
        states["torch"] = torch.get_rng_state().numpy().copy()
        if torch.cuda.is_available() and torch.cuda.is_initialized():
            states["cuda"] = [state.numpy().copy() for state in torch.cuda.get_rng_state_all()]
    return states


def differing(states: dict[str, Any], others: dict[str, Any]) -> set[str]:
    """Names of the generators that stand elsewhere: of those that were given, "rng 0", "rng 1",
    ...
    """
    pairs = {name: (state, others.get(name)) for name, state in states.items() if name != "rngs"}
    pairs |= {
        f"rng {k}": pair for k, pair in enumerate(zip(states["rngs"], others["rngs"], strict=True))
    }
    return {name for name, (state, other) in pairs.items() if not _equal(state, other)}


def _equal(a: Any, b: Any) -> bool:
    if isinstance(a, np.ndarray):
        return np.array_equal(a, b)
    if isinstance(a, dict):
        return all(_equal(part, b[name]) for name, part in a.items())
    if isinstance(a, list):
        return len(a) == len(b) and all(map(_equal, a, b))
    return bool(a == b)


def set_random_states(states: dict[str, Any], rngs: Sequence[Generator]) -> None:
    """Put all generators where they stood. Keras's layers keep their generators among their
    variables: see its engine.
    """
    random.setstate(states["python"])
    np.random.set_state(states["numpy"])
    for rng, state in zip(rngs, states["rngs"], strict=True):
        rng.bit_generator.state = state
    torch: Any = sys.modules.get("torch")
    if torch is not None and "torch" in states:
        torch.set_rng_state(torch.from_numpy(states["torch"].copy()))
        if "cuda" in states and torch.cuda.is_available():
            torch.cuda.set_rng_state_all(
                [torch.from_numpy(state.copy()) for state in states["cuda"]]
            )

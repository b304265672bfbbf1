"""Pass after pass over the data, and the way back to a place in it."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.random import Generator

from lstm_ref.errors import ArgumentError, Array, CheckpointError
from lstm_ref.train.randomness import differing, random_states, set_random_states

Batches = Iterable[Any] | Callable[[], Iterable[Any]]


def one_pass(argument: str, batches: Batches) -> Iterator[Any]:
    """Batches of one pass, from a function that makes them or from something that can be gone
    through again and again.

    Raises
    ------
    ArgumentError : neither, or nothing comes
    """
    found = batches() if callable(batches) else batches
    if not isinstance(found, Iterable):
        raise ArgumentError(
            f"train: {argument} must be a list of batches, or a function that gives those of one "
            f"pass, got {type(found).__name__}"
        )
    if found is batches and iter(found) is found:
        raise ArgumentError(
            f"train: {argument} can be gone through only once, got {type(found).__name__}; give a "
            f"function that makes it: {argument}=lambda: ..."
        )
    empty = True
    for batch in found:
        empty = False
        yield batch
    if empty:
        raise ArgumentError(
            f"train: {argument} gave no batch; are there fewer examples than one batch needs, or "
            "is an iterator used up?"
        )


class Order:
    """The order of the batches, and the place in it.

    A place in a shuffled order is where the random numbers stood when the pass began, and how many
    batches were taken since.

    Parameters
    ----------
    batches : as `one_pass` takes them
    rngs : the generators that shuffle
    keep : whether places are asked for
    """

    def __init__(self, batches: Batches, rngs: Sequence[Generator], keep: bool) -> None:
        self.passes = 0  # finished
        self._taken = 0  # batches of this pass
        self._batches, self._rngs, self._keep = batches, rngs, keep
        self._start: Any = None  # random states at the beginning of this pass
        self._now: Any = None  # and after the last step
        self._seen: Any = None  # and when we last looked
        self._drawing: dict[str, set[str]] = {
            "batches": set(),
            "step": set(),
        }  # who draws from which, in the middle of a pass
        self._last: Any = None
        self._expected: int | None = None  # checksum of the last batch, after `go_to`
        self.note()

    def rest_of_pass(self) -> Iterator[Any]:
        """Batches of this pass that are not taken yet."""
        skip = self._taken
        if skip:
            set_random_states(self._start, self._rngs)
        elif self._keep:
            self._start = random_states(self._rngs)
        for number, batch in enumerate(one_pass("batches", self._batches), start=1):
            if number > skip:
                self._look(
                    "batches" if number > 1 else None
                )  # what is drawn as the pass begins is drawn again by itself
                yield batch
            elif number == skip:
                if checksum(batch) != self._expected:
                    raise _other_data()
                set_random_states(self._now, self._rngs)
                self._last, self._expected, self._seen = batch, None, self._now
        if self._expected is not None:
            raise _other_data()

    def take(self, batch: Any) -> None:
        """Count this batch as learnt from."""
        self._taken += 1
        self._last = batch
        self.note()

    def end_pass(self) -> None:
        """Begin a new pass."""
        self.passes += 1
        self._taken = 0
        self.note()

    def note(self) -> None:
        """Remember where the random numbers stand: what is drawn from here on is drawn again after
        `go_to`.
        """
        self._look("step")
        self._now = self._seen

    def _look(self, who: str | None) -> None:
        """Note who has drawn from which generator since the last look."""
        if not self._keep:
            return
        before, self._seen = self._seen, random_states(self._rngs)
        if who is None or before is None:
            return
        self._drawing[who] |= differing(before, self._seen)
        shared = self._drawing["batches"] & self._drawing["step"]
        if shared:
            raise ArgumentError(
                "train: with a checkpoint, batches that are drawn one by one need a generator of "
                "their own, but the step (or the validation) draws from theirs, too: "
                f"{', '.join(sorted(shared))}; use two generators, rng=[a, b], or draw the whole "
                "order when the pass begins"
            )

    def place(self) -> dict[str, Any]:
        """Where we are."""
        return {
            "passes": self.passes,
            "taken": self._taken,
            "start": self._start,
            "now": self._now,
            "last": checksum(self._last) if self._taken else 0,
        }

    def go_to(self, place: dict[str, Any]) -> None:
        """Back to such a place."""
        if len(place["now"]["rngs"]) != len(self._rngs):
            raise CheckpointError(
                f"train: the checkpoint was written with {len(place['now']['rngs'])} generators as "
                f"rng, got {len(self._rngs)}; give those that shuffle and drop"
            )
        self.passes, self._taken = place["passes"], place["taken"]
        self._start, self._now = place["start"], place["now"]
        self._expected = place["last"] if self._taken else None
        set_random_states(self._now, self._rngs)


def _other_data() -> CheckpointError:
    return CheckpointError(
        "train: the batches are not those that the checkpoint was written with; is it the same "
        "data, in the same order? A generator that shuffles must be given as rng"
    )


def arrays_of(batch: Any) -> Iterator[Array]:
    """All arrays in a batch, of whatever library, as NumPy arrays."""
    if isinstance(batch, tuple | list):
        for part in batch:
            yield from arrays_of(part)
    elif isinstance(batch, dict):
        yield from arrays_of(list(batch.values()))
    elif hasattr(batch, "detach"):  # PyTorch
        tensor = batch.detach().cpu()
        yield (tensor.float() if str(tensor.dtype) == "torch.bfloat16" else tensor).numpy()
    elif batch is not None:
        yield np.asarray(batch)


def checksum(batch: Any) -> int:
    """Number that another batch has hardly ever."""
    found = 0
    for array in arrays_of(batch):
        found = zlib.crc32(np.ascontiguousarray(array).tobytes(), found)
    return found


def rows(batch: Any) -> int:
    """Number of examples: the length of the first array, 1 where there is none."""
    first = next((array for array in arrays_of(batch)), None)
    return len(first) if first is not None and first.ndim else 1

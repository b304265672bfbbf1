"""Around the steps of a run: when to measure, when to stop, what to keep."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from numpy.random import Generator

from lstm_ref.errors import ArgumentError, CheckpointError, NotFiniteError
from lstm_ref.train.checkpoint import read_checkpoint, write_checkpoint
from lstm_ref.train.engine import Engine, Weights
from lstm_ref.train.history import History
from lstm_ref.train.order import Batches, Order
from lstm_ref.train.progress import ProgressBar


class Run:
    """One run of `lstm_ref.train.train`, whose arguments these are; ``measure`` gives the
    validation loss.

    Attributes
    ----------
    history : History so far
    order : Order of the batches
    state : that is carried to the next batch; None at the start of a pass
    """

    def __init__(
        self,
        engine: Engine,
        batches: Batches,
        *,
        steps: int | None,
        passes: int | None,
        measure: Callable[[], float] | None,
        validate_every: int | None,
        patience: int | None,
        rng: Generator | Sequence[Generator],
        checkpoint: str | Path | None,
        checkpoint_every: int,
    ) -> None:
        counts = {
            "steps": steps,
            "passes": passes,
            "validate_every": validate_every,
            "patience": patience,
            "checkpoint_every": checkpoint_every,
        }
        for name, count in counts.items():
            if count is not None and (not isinstance(count, int) or count < 1):
                raise ArgumentError(f"train: {name} must be a whole number above 0, got {count!r}")
        if steps is None and passes is None:
            raise ArgumentError("train: give steps or passes, or training would never end")
        if measure is None and (patience is not None or validate_every is not None):
            name = "validate_every" if patience is None else "patience"
            raise ArgumentError(
                f"train: {name} needs something to measure; give validation or evaluate"
            )
        rngs = [rng] if isinstance(rng, Generator) else list(rng)
        if not all(isinstance(one, Generator) for one in rngs):
            raise ArgumentError(
                "train: rng must be a numpy.random.Generator or a list of them; use "
                "np.random.default_rng(seed)"
            )
        self.history = History()
        self.order = Order(batches, rngs, keep=checkpoint is not None)
        self.state: Any = None
        self._best: Weights | None = None
        self._waited = 0  # validations since the best one
        self._engine, self._steps, self._passes, self._measure = engine, steps, passes, measure
        self._validate_every, self._patience = validate_every, patience
        self._file, self._every = None if checkpoint is None else Path(checkpoint), checkpoint_every

    @contextmanager
    def going(self, resume: bool, progress: bool | None) -> Iterator[None]:
        """Begin or go on; whatever ends the steps, keep the run, and put the best weights back
        where they are asked for.
        """
        self._open(resume)
        self._bar = ProgressBar(self._steps, self.history.steps, progress)
        self._clock = time.perf_counter()
        try:
            yield
        except KeyboardInterrupt:
            self.history.stopped = "interrupted"
            self._write()
        finally:
            self._bar.close()
        if self._best is not None:
            self._engine.set_weights(self._best)

    def finished(self) -> bool:
        """Whether training is over; the history says why."""
        if self._steps is not None and self.history.steps >= self._steps:
            self.history.stopped = "steps"
        elif self._passes is not None and self.order.passes >= self._passes:
            self.history.stopped = "passes"
        elif self._patience is not None and self._waited >= self._patience:
            self.history.stopped = "patience"
        return bool(self.history.stopped)

    def record(self, batch: Any, state: Any, **of_this_step: Any) -> None:
        """Write down a step that is done."""
        now = time.perf_counter()
        self.history.record(**of_this_step, seconds=now - self._clock)
        self._clock = now
        self.state = state
        self.order.take(batch)
        self._bar.step(self.history.loss[-1])

    def between_steps(self) -> None:
        """Measure and keep, where it is time for it."""
        if self._due():
            self._validate()
        if self.history.steps % self._every == 0:
            self._write()
        self._clock = time.perf_counter()

    def end_pass(self) -> None:
        """The data are used up: the next pass begins at their start, and knows nothing of their
        end.
        """
        if self._measure is not None and self._validate_every is None:
            self._validate()
        self.state = None
        self.order.end_pass()
        self._clock = time.perf_counter()

    def end(self) -> None:
        """Keep the run as it is after its last step, and measure once more."""
        # In this order: a run that goes on with more steps must not know of a measurement that a
        # longer run never made.
        self._write()
        if self._measure is not None and self._measured_at() != self.history.steps:
            self._validate()

    def _measured_at(self) -> int:
        return self.history.validation[-1][0] if self.history.validation else 0

    def _due(self) -> bool:
        every, steps = self._validate_every, self.history.steps
        return (
            every is not None and steps > 0 and steps % every == 0 and self._measured_at() != steps
        )

    def _validate(self) -> None:
        assert self._measure is not None
        loss = self._measure()
        if not math.isfinite(loss):
            raise NotFiniteError(f"the validation loss is {loss}")
        self.history.validation.append((self.history.steps, loss))
        self._waited += 1
        if self.history.best is None or loss < self.history.best[1]:
            self.history.best, self._waited = (self.history.steps, loss), 0
            if self._patience is not None:
                self._best = self._engine.weights()
        self.order.note()

    def _open(self, resume: bool) -> None:
        if self._file is None:
            if resume:
                raise ArgumentError(
                    "train: resume=True needs the file to go on with; give checkpoint"
                )
            return
        if not self._file.exists():
            self._file.parent.mkdir(parents=True, exist_ok=True)
            return
        if not resume:
            raise ArgumentError(
                f"train: {self._file} holds a run already; use resume=True to go on with it, or "
                "delete it to begin anew"
            )
        kept = read_checkpoint(self._file)
        if kept["model"] != self._description():
            raise CheckpointError(
                f"train: {self._file} belongs to another model: "
                f"{_first_difference(kept['model'], self._description())}"
            )
        self.history = History.from_dict(kept["history"])
        self.history.stopped = ""
        self._waited = kept["waited"]
        self.state, self._best = self._engine.restore(kept["engine"])
        self.order.go_to(kept["order"])

    def _write(self) -> None:
        if self._file is not None:
            kept = {
                "model": self._description(),
                "engine": self._engine.snapshot((self.state, self._best)),
                "order": self.order.place(),
                "waited": self._waited,
                "history": self.history.as_dict(),
            }
            write_checkpoint(self._file, kept)

    def _description(self) -> dict[str, str]:
        """What must be the same in a run that goes on."""
        weights = {
            name: f"{tuple(array.shape)} {getattr(array.dtype, 'name', array.dtype)}"
            for name, array in self._engine.weights().items()
        }
        return {
            "engine": type(self._engine).__name__,
            "optimiser": self._engine.optimiser,
            **weights,
        }


def _first_difference(kept: dict[str, str], here: dict[str, str]) -> str:
    name = next(name for name in [*kept, *here] if kept.get(name) != here.get(name))
    return f"{name} is {kept.get(name, 'missing')} there and {here.get(name, 'missing')} here"

"""The reader's own training step in Keras, called a few times: does it move the weights, and does
it train in training mode.
"""

from __future__ import annotations

import functools
import time
import types
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np

from lstm_ref.doctor.subject import CannotExamineError, StepLog, cosine

CALLS = 8
# CPU seconds after the first call, which may compile, after which no further call is made, once
# there were a few: far from what a small program takes, so that no slow processor changes a verdict
SECONDS = 10.0
FEWEST = 4


class KerasAudit:
    """One audit.

    Parameters
    ----------
    subject : KerasSubject
    step : step(batch) -> loss, as ``lambda batch: model.train_on_batch(*batch)`` or a loop's own
        body
    """

    def __init__(self, subject: Any, step: Callable[[Any], Any]) -> None:
        self.subject, self.step, self.model = subject, step, subject.model
        self.log = StepLog()
        self.modes: list[bool] = []

    def run(self) -> StepLog:
        """A row of calls; everything is put back afterwards."""
        found = [o for o in _optimizers_of(self.step) if o is not self.subject.optimizer]
        if any(not optimizer.built for optimizer in found):
            raise CannotExamineError(
                "step= holds an optimizer that has no variables yet, and they could not be taken "
                "away again: call optimizer.build(model.trainable_variables) first"
            )
        _ = self.subject.first_backward  # before the loop is watched
        self.subject.restore()
        # Another report for the same program would say that one of them is chance.
        self.subject.draw_anew()
        variables = [v for optimizer in found for v in optimizer.variables]
        kept = [np.asarray(v) for v in variables]
        try:
            with self._copied_optimizer(), self._watched():
                self._row()
        finally:
            for variable, value in zip(variables, kept, strict=True):
                variable.assign(value)
            self.subject.restore()
        return self.log

    def _row(self) -> None:
        log, before = self.log, [v.numpy() for v in self.model.trainable_variables]
        start, evaluating = 0.0, False
        for k in range(CALLS):
            if k == 1:
                start = time.process_time()
            if k >= FEWEST and time.process_time() - start > SECONDS:
                break
            self.modes.clear()
            if not self._call(first=k == 0):
                break
            log.calls += 1
            if k == 0:
                moves = [
                    v.numpy() - old
                    for v, old in zip(self.model.trainable_variables, before, strict=True)
                ]
                gradients = self.subject.first_backward.parameters
                log.along = cosine(
                    moves, [gradients.get(v.path) for v in self.model.trainable_variables]
                )
            evaluating = not any(self.modes) if self.modes else evaluating
            log.evaluating += evaluating
            log.rates.extend(self.subject.rates()[:1])
        pairs = zip(self.model.trainable_variables, before, strict=True)
        changes = {v.path: float(np.abs(v.numpy() - b).max(initial=0.0)) for v, b in pairs}
        log.changed = max(changes.values(), default=0.0)
        log.still = frozenset(name for name, change in changes.items() if change == 0)

    def _call(self, first: bool) -> bool:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                loss = self.step((self.subject.x, self.subject.y))
        except Exception as error:
            if first:
                raise CannotExamineError(
                    f"step(batch) failed with {type(error).__name__}: {error}"
                ) from error
            self.log.error = (str(error).splitlines() or [""])[0][:120]
            return False
        value = np.asarray(loss[0] if isinstance(loss, list | tuple) else loss)
        if value.dtype.kind == "f" and value.size == 1:
            self.log.losses.append(float(value.reshape(())))
        return True

    @contextmanager
    def _copied_optimizer(self) -> Iterator[None]:
        """A copy in the place of the compiled optimizer, which builds itself at its first step and
        cannot be unbuilt.
        """
        space, names = vars(self.model), ("optimizer", "train_function")
        kept = {name: space[name] for name in names if name in space}
        original = space.get("optimizer")
        if original is not None and original is self.subject.optimizer:
            space["optimizer"] = self.subject.copied_optimizer()
            space["train_function"] = None  # it was traced with the original
        try:
            yield
        finally:
            space.update(kept)

    @contextmanager
    def _watched(self) -> Iterator[None]:
        """Note in which mode the layers with dropout are called; a traced step calls them at its
        first call only.
        """
        layers = self.subject.layers_with_dropout()
        for layer in layers:
            object.__setattr__(layer, "call", self._telling(layer.call))
        try:
            yield
        finally:
            for layer in layers:
                object.__delattr__(layer, "call")

    def _telling(self, call: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(call)
        def told(*args: Any, **kwargs: Any) -> Any:
            self.modes.append(bool(kwargs.get("training")))
            return call(*args, **kwargs)

        return told


def _optimizers_of(function: Any) -> list[Any]:
    """Optimizers that a function uses, by its closure or the globals that it names."""
    inner = getattr(function, "python_function", function)  # of a tf.function
    if isinstance(inner, types.MethodType):
        inner = inner.__func__
    if not isinstance(inner, types.FunctionType):
        return []
    cells = [cell.cell_contents for cell in inner.__closure__ or () if _filled(cell)]
    used = [
        inner.__globals__[name] for name in inner.__code__.co_names if name in inner.__globals__
    ]
    return [thing for thing in (*cells, *used) if isinstance(thing, keras.optimizers.Optimizer)]


def _filled(cell: Any) -> bool:
    try:
        _ = cell.cell_contents
    except ValueError:
        return False
    return True

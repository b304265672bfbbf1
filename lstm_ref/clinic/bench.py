"""A program on the bench: the zoo's case with the doctor's neutral view of it, made once for all
measurements.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from lstm_ref.doctor.context import Context
from lstm_ref.doctor.subject import Array, Options, Subject
from lstm_ref.zoo.programs import Case

NO_LIMIT = 1e9  # process seconds: what is ordered is measured


@dataclass
class Bench:
    """A case, as often made anew as something changes it.

    Parameters
    ----------
    make : gives the case, untrained
    """

    make: Callable[[], Case]

    @cached_property
    def case(self) -> Case:
        """The case that is measured; nothing trains it."""
        return self.make()

    @cached_property
    def context(self) -> Context:
        """The doctor's view of it."""
        return Context(subject_of(self.case), NO_LIMIT)

    @property
    def subject(self) -> Subject:
        """Arrays in, arrays out."""
        return self.context.subject

    @property
    def sizes(self) -> tuple[int, int]:
        """Examples of the batch, and steps of the longest input."""
        steps = max((self.context.length(name) for name in self.context.data_leaves), default=1)
        return len(self.subject.targets_tuple[0]), steps

    @property
    def output(self) -> Array:
        """The first scored leaf of the outputs, in evaluation."""
        return self.subject.outputs[self.subject.scored[0]]

    @property
    def target(self) -> Array:
        """The first leaf of the targets."""
        return self.subject.targets_tuple[0]

    @property
    def counted(self) -> Array:
        """The targets that are no padding, as one axis."""
        valid = self.context.valid
        return (
            self.target[valid]
            if valid is not None and valid.shape == self.target.shape
            else self.target.ravel()
        )

    @property
    def class_axis(self) -> int | None:
        """Axis of the classes in the outputs, where the targets are labels that lack it; None."""
        shape, labels = self.output.shape, self.target
        if labels.dtype.kind not in "iu":
            return None
        if len(shape) == 2 and shape[0] == labels.size:
            return 1
        axes = range(len(shape) - 1, 0, -1)
        return next((a for a in axes if shape[:a] + shape[a + 1 :] == labels.shape), None)

    @property
    def classes(self) -> int:
        """Number of classes, 0 without; 2 for labels 0 and 1 with one output each."""
        if self.class_axis is not None:
            return int(self.output.shape[self.class_axis])
        return 2 if bool(np.isin(self.counted, (0, 1)).all()) else 0


def subject_of(case: Case) -> Subject:
    """The doctor's adapter for a case of PyTorch, Keras or NumPy."""
    given = dict(case.arguments)
    forward = given.pop("forward", None)
    options, batch = Options(**given), tuple(case.batch)
    if isinstance(case.model, Mapping):
        from lstm_ref.doctor.numpy_subject import NumpySubject

        return NumpySubject(case.model, batch, case.loss, case.optimizer, options, forward)
    if hasattr(case.model, "predict_on_batch"):
        from lstm_ref.doctor.keras_subject import KerasSubject

        return KerasSubject(case.model, batch, case.loss, case.optimizer, options)
    from lstm_ref.doctor.torch_subject import TorchSubject

    return TorchSubject(case.model, batch, case.loss, case.optimizer, options)

"""Parameters in NumPy, with the functions that a program has for them, as a `Subject`.

Gradients of the loss with respect to the outputs are central differences, so that they are right
whatever the program computes; those of the parameters are the program's own, from its
``step(params, batch) -> (loss, grads)``, and are compared with the loss.
"""

from __future__ import annotations

import inspect
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from lstm_ref.doctor.memory import Memory, random_states
from lstm_ref.doctor.structure import Rebuild, flatten
from lstm_ref.doctor.subject import (
    Array,
    Arrays,
    Backward,
    CannotExamineError,
    Gradients,
    Options,
    Parameter,
    Recurrent,
    Steps,
    Subject,
)
from lstm_ref.errors import ArgumentError
from lstm_ref.learn.optim import adam, adam_init

# Two losses for each output: above this the differences take longer than all else.
MOST_OUTPUTS = 3000
EPS = 1e-5

Params = Mapping[str, Array]


class NumpySubject(Subject):
    """See `Subject`.

    Parameters
    ----------
    params : name -> array
    batch : (x, y)
    loss : ``loss(outputs, y) -> loss`` or ``(loss, doutputs)``; without ``forward``
        ``loss(params, batch) -> loss`` or ``(loss, grads)``
    optimizer : ``optimizer(params, grads) -> params``; None
    options : see `Options`; ``step`` is ``step(params, batch) -> (loss, grads)``, as
        `lstm_ref.train` takes it
    forward : ``forward(params, x) -> outputs``; None
    """

    def __init__(
        self, params: Params, batch: Any, loss: Any, optimizer: Any, options: Options, forward: Any
    ) -> None:
        super().__init__(options)
        self.framework, self.params = "numpy", dict(params)
        self.forward, self.loss_function, self.optimizer = forward, loss, optimizer
        self.step: Any = options.step if options.step is not None or forward is not None else loss
        self.x, self.y = batch
        leaves, self._rebuild_x = flatten(self.x, _is_array, "x")
        targets, self._rebuild_y = flatten(self.y, _is_array, "y")
        self.inputs = {name: leaf.copy() for name, leaf in leaves.items()}
        self.targets = {name: leaf.copy() for name, leaf in targets.items()}
        self.has_loss, self.has_optimizer = loss is not None, optimizer is not None
        self.without_outputs = forward is None
        self._random = random_states()
        self._memory = Memory([params, self.x, self.y, forward, loss, options.step, optimizer])
        self._generators = [g for g in self._memory.things if isinstance(g, np.random.Generator)]
        self._pattern: Rebuild | None = None
        self._takes_mode = forward is not None and _takes(forward, "training")

    def restore(self) -> None:
        """Put parameters, batch, what the functions keep and random numbers back, bit by bit."""
        self._memory.restore()
        self._random()

    def plain(self, value: Any) -> Any:
        return value

    def _start(self, seed: int | None, go_on: bool = False) -> None:
        if not go_on:
            self._memory.restore()
        if seed is not None:
            random.seed(seed)
            np.random.seed(seed)
            for number, generator in enumerate(self._generators):
                generator.bit_generator.state = type(generator.bit_generator)([seed, number]).state

    def call(
        self,
        inputs: Sequence[Array] | None = None,
        *,
        training: bool = False,
        seed: int | None = 0,
        go_on: bool = False,
    ) -> Arrays:
        if self.forward is None:
            raise CannotExamineError("give forward=")
        self._start(seed, go_on)
        x = self.x if inputs is None else self._rebuild_x(list(inputs))
        mode = {"training": training} if self._takes_mode else {}
        try:
            outputs = self.forward(self.params, x, **mode)
        except Exception as error:
            raise ArgumentError(
                f"examine: forward(params, x) failed with {type(error).__name__}: {error}; x must "
                "be what the loop gives to it"
            ) from error
        leaves, self._pattern = flatten(outputs, _is_float, "output")
        return tuple(np.array(leaf) for leaf in leaves.values())

    # The loss.

    def loss(self, outputs: Sequence[Array], targets: Sequence[Array] | None = None) -> float:
        if self._pattern is None:
            self.call(training=True)
        assert self._pattern is not None
        y = self.y if targets is None else self._rebuild_y(list(targets))
        return _number(self.loss_function(self._pattern([np.array(o) for o in outputs]), y))

    def loss_gradient(
        self, outputs: Sequence[Array], targets: Sequence[Array] | None = None
    ) -> Gradients:
        if sum(o.size for o in outputs) > MOST_OUTPUTS:
            raise CannotExamineError(f"more than {MOST_OUTPUTS} outputs; give a smaller batch")
        wide = [np.asarray(o, np.float64).copy() for o in outputs]
        return tuple(self._differences(wide, k, targets) for k in range(len(wide)))

    def _differences(
        self, outputs: list[Array], k: int, targets: Sequence[Array] | None
    ) -> Array | None:
        gradient = np.zeros(outputs[k].shape)
        numbers, slopes = outputs[k].reshape(-1), gradient.reshape(-1)
        for place in range(numbers.size):
            value = numbers[place]
            eps = EPS * max(1.0, abs(float(value)))
            sides = []
            for moved in (value + eps, value - eps):
                numbers[place] = moved
                sides.append(self.loss(outputs, targets))
            numbers[place] = value
            slopes[place] = (sides[0] - sides[1]) / (2 * eps)
        return gradient

    # Gradients of the parameters.

    def loss_and_gradients(
        self, params: Params, batch: Any = None
    ) -> tuple[float, dict[str, Array]]:
        """What the program's own step gives at these parameters, of copies of all that it is
        given.
        """
        self._start(0)
        copies = {name: value.copy() for name, value in params.items()}
        if self.step is None:
            raise CannotExamineError("give step=, step(params, batch) -> (loss, grads)")
        found = self.step(copies, (self.x, self.y) if batch is None else batch)
        if not isinstance(found, tuple) or not isinstance(found[1], Mapping):
            raise CannotExamineError("give step=, step(params, batch) -> (loss, grads)")
        return float(found[0]), {
            name: np.array(found[1][name]) for name in params if name in found[1]
        }

    def backward(
        self,
        inputs: Sequence[Array] | None = None,
        targets: Sequence[Array] | None = None,
        *,
        training: bool = True,
        seed: int = 0,
    ) -> Backward:
        x = self.x if inputs is None else self._rebuild_x(list(inputs))
        y = self.y if targets is None else self._rebuild_y(list(targets))
        loss, grads = self.loss_and_gradients(self.params, (x, y))
        return Backward(loss, {name: grads.get(name) for name in self.params}, (), bool(grads))

    def input_gradient(self, weights: Sequence[Array], *, training: bool = False) -> Gradients:
        return (None,) * len(self.inputs)

    def parameters(self) -> tuple[Parameter, ...]:
        return tuple(Parameter(name, value.shape) for name, value in self.params.items())

    def values(self, names: Sequence[str]) -> Arrays:
        return tuple(self.params[name].copy() for name in names)

    @contextmanager
    def changed(self, values: Mapping[str, Array]) -> Iterator[None]:
        kept = dict(self.params)
        try:
            self.params.update({name: np.array(value) for name, value in values.items()})
            yield
        finally:
            self.params.update(kept)

    def steps(
        self,
        count: int,
        *,
        rate: float | None = None,
        seed: int = 0,
        until: float = 1e9,
        batches: Iterator[tuple[Arrays, Arrays]] | None = None,
    ) -> Steps:
        params = {name: value.copy() for name, value in self.params.items()}
        update = self._adam(rate) if rate is not None else self.optimizer
        losses: list[float] = []
        norms: list[float] = []
        ratios: list[dict[str, float]] = []
        ever: dict[str, float | None] = dict.fromkeys(params)
        for _ in range(count):
            batch = None
            if batches is not None:
                x, y = next(batches)
                batch = (self._rebuild_x(list(x)), self._rebuild_y(list(y)))
            if time.process_time() > until:
                break
            loss, grads = self.loss_and_gradients(params, batch)
            losses.append(loss)
            norms.append(
                float(
                    np.sqrt(sum(float((g.astype(np.float64) ** 2).sum()) for g in grads.values()))
                )
            )
            for name, grad in grads.items():
                ever[name] = max(ever[name] or 0.0, float(np.abs(grad).max(initial=0.0)))
            before, params = (
                params,
                dict(update(params, {name: grads.get(name, 0 * v) for name, v in params.items()})),
            )
            ratios.append(
                {name: _ratio(params[name], old) for name, old in before.items() if old.ndim >= 2}
            )
            if not np.isfinite(loss) or not grads:
                break
        return Steps(tuple(losses), ever, tuple(ratios), tuple(norms))

    @staticmethod
    def _adam(rate: float) -> Callable[[Params, Params], Params]:
        memory: list[Any] = []

        def update(params: Params, grads: Params) -> Params:
            state = memory.pop() if memory else adam_init(params)
            finite = {
                name: np.nan_to_num(np.asarray(g, params[name].dtype)) for name, g in grads.items()
            }
            params, state = adam(params, finite, state, lr=rate)
            memory.append(state)
            return params

        return update

    # What there is no way to see, or nothing of, in NumPy.

    def recurrent(self, inputs: Sequence[Array] | None = None) -> tuple[Recurrent, ...]:
        return ()

    def audit(self, step: Any) -> Any:
        raise CannotExamineError("in NumPy step= gives loss and gradients, and no loop is watched")

    @property
    def made_anew(self) -> int:
        return 0

    def draws_numbers(self) -> str:
        return "" if self._takes_mode else "a generator"

    def live_inputs(self) -> Arrays:
        return tuple(flatten(self.x, _is_array, "x")[0].values())

    def weights_after_forward(self) -> tuple[str, float]:
        before = {name: value.copy() for name, value in self.params.items()}
        self.call(training=True)
        moved = {n: float(np.abs(self.params[n] - v).max(initial=0.0)) for n, v in before.items()}
        self._memory.restore()
        where = max(moved, key=lambda name: moved[name])
        return where, moved[where]

    def modes_after_forward(self) -> int:
        return 0

    def dropout_rate(self) -> float:
        return 0.0

    def rates(self) -> tuple[float, ...]:
        return ()


def _is_array(part: Any) -> bool:
    return isinstance(part, np.ndarray)


def _is_float(part: Any) -> bool:
    return isinstance(part, np.ndarray) and part.dtype.kind == "f"


def _number(value: Any) -> float:
    return float(value[0] if isinstance(value, tuple) else value)


def _ratio(new: Array, old: Array) -> float:
    return float(np.linalg.norm(new - old) / (np.linalg.norm(old) + 1e-12))


def _takes(function: Any, name: str) -> bool:
    try:
        return name in inspect.signature(function).parameters
    except (TypeError, ValueError):
        return False

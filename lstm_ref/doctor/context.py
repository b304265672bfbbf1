"""What several examinations measure alike, measured once: axes, reach over time, which parameters
have an effect.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from lstm_ref.doctor import layout, perturb
from lstm_ref.doctor.loss_form import LossForm, recognise
from lstm_ref.doctor.subject import (
    Array,
    Arrays,
    CannotExamineError,
    Recurrent,
    StepLog,
    Steps,
    Subject,
)
from lstm_ref.errors import ArgumentError

READER_STEPS = 12
# steps of a sequence that are moved one by one; the first and the last three are among them
MOST_STEPS = 9
# Ends that are filled in fewer examples, or in so few, may be an accident of the data.
FILLED, FEWEST_ROWS = 0.3, 6


@dataclass
class Context:
    """A subject, the time that is left, and what was measured so far.

    Parameters
    ----------
    subject : the program
    deadline : time.process_time() at which no further long measurement is begun
    notes : facts for the head of the report
    pictures : series for its pictures
    """

    subject: Subject
    deadline: float
    notes: list[str] = field(default_factory=list)
    pictures: dict[str, Any] = field(default_factory=dict)
    jitter: dict[str, Array] = field(default_factory=dict)
    _effects: dict[str, float] = field(default_factory=dict)
    _reach: dict[str, Reach | None] = field(default_factory=dict)

    def out_of_time(self) -> bool:
        """Whether no further long measurement is to be begun."""
        return time.process_time() > self.deadline

    # Axes.

    @cached_property
    def pairing(self) -> layout.Pairing | None:
        """Measured in the way that fits; where none does, in the usual one. None where no axis is
        shared.
        """
        if self.returns_loss:
            self.notes.append("the model returns its loss: what depends on what is not examined")
            return None
        found = self._find_pairing()
        if found is not None and found.deaf.all():
            # A last layer of zeros passes nothing on yet: with some noise on all weights it does.
            self.jitter = jittered(self.subject)
            with self.subject.changed(self.jitter):
                other = self._find_pairing()
            if other is not None and not other.deaf.all():
                return other
            self.jitter = {}
        return found

    @cached_property
    def returns_loss(self) -> bool:
        """Whether all that is scored is a single number without an axis."""
        outputs = [self.subject.outputs[k] for k in self.subject.scored]
        return bool(outputs) and all(o.ndim == 0 for o in outputs)

    def _find_pairing(self) -> layout.Pairing | None:
        first: layout.Pairing | None = None
        for axes in layout.ways(self.subject):
            pair = layout.measure(self.subject, axes)
            if pair.fits:
                return pair
            first = self._better(first, pair)
        return first

    @staticmethod
    def _better(first: layout.Pairing | None, pair: layout.Pairing) -> layout.Pairing:
        if first is None or (first.meets is None and pair.meets is not None):
            return pair
        # Examples that stay apart on the other axis: it is theirs, and the targets stand in another
        # order.
        if first.mixed and not pair.mixed and pair.meets is not None and not pair.deaf.any():
            return pair
        return first

    @property
    def healthy_axes(self) -> layout.Axes | None:
        """The axes, where examples and targets fit."""
        pair = self.pairing
        return pair.axes if pair is not None and not pair.mixed else None

    @cached_property
    def data_leaves(self) -> tuple[str, ...]:
        """Names of the input leaves that hold data of the examples."""
        pair = self.pairing
        if pair is None:
            return ()
        arrays = self.subject.inputs_tuple
        rows = zip(self.subject.inputs, arrays, pair.axes.inputs, strict=True)
        return tuple(
            name
            for name, array, axis in rows
            if axis is not None and perturb.movable(array, arrays)
        )

    def time_axis(self, name: str) -> int | None:
        """Axis of time in an input leaf: the other one of its first two."""
        pair, array = self.pairing, self.subject.inputs[name]
        if pair is None or array.ndim < 2:
            return None
        axis = pair.axes.inputs[list(self.subject.inputs).index(name)]
        return None if axis is None or axis > 1 else 1 - axis

    def length(self, name: str) -> int:
        """Number of time steps of an input leaf; 0 without a time axis."""
        axis = self.time_axis(name)
        return 0 if axis is None else self.subject.inputs[name].shape[axis]

    def example_axis(self, k: int) -> int | None:
        """Axis of the examples in an output leaf: where only one index moves with one example."""
        pair = self.pairing
        if pair is None:
            return None
        shape = self.subject.outputs[k].shape
        axes = [a for a, size in enumerate(shape) if size == pair.axes.count]
        moved = self.split(pair.A[-1])[k]
        j = pair.axes.examples[-1]
        for axis in axes:
            others = np.delete(moved, j, axis)
            if moved.any() and not others.any():
                return axis
        return axes[0] if axes else None

    def split(self, flat: Array) -> dict[int, Array]:
        """A vector over the scored outputs as arrays, one for each scored leaf."""
        parts, start = {}, 0
        for k in self.subject.scored:
            shape = self.subject.outputs[k].shape
            size = int(np.prod(shape))
            parts[k] = flat[start : start + size].reshape(shape)
            start += size
        return parts

    def output_time_axis(self, k: int) -> int | None:
        """Axis of an output leaf that is as long as an input leaf is in time, or as the targets
        are; None.
        """
        output, examples = self.subject.outputs[k], self.example_axis(k)
        lengths = {self.length(name) for name in self.data_leaves}
        lengths |= {t.shape[1] for t in self.subject.targets_tuple if t.ndim >= 2}
        if examples is None or output.ndim < 3:
            return None
        return next(
            (a for a in range(output.ndim) if a != examples and output.shape[a] in lengths), None
        )

    def by_step(self, k: int, values: Array, steps: int) -> Array | None:
        """Values of an output leaf as (N, T, ...), where it has one output for each of so many
        steps; None where not.
        """
        pair = self.pairing
        if pair is None or steps < 2:
            return None
        n = pair.axes.count
        if values.ndim and values.shape[0] == n * steps:
            rows = self.split(pair.A[0])[k].reshape(n * steps, -1)
            first = not rows[steps:].any()
            shape = ((n, steps) if first else (steps, n)) + values.shape[1:]
            shaped = values.reshape(shape)
            return shaped if first else shaped.swapaxes(0, 1)
        examples = self.example_axis(k)
        if examples is None or values.ndim < 2:
            return None
        others = [a for a in range(values.ndim) if a != examples and values.shape[a] == steps]
        if not others or (values.ndim == 2 and self._looks_like_classes(values)):
            return None
        return np.moveaxis(values, (examples, others[0]), (0, 1))

    def _looks_like_classes(self, values: Array) -> bool:
        """Whether (N, M) has one label for each example, so that M counts classes."""
        return all(t.ndim == 1 and t.dtype.kind in "iu" for t in self.subject.targets_tuple)

    @cached_property
    def valid(self) -> Array | None:
        """(N, T) of bool, True at valid steps, from mask= or lengths=; None without them."""
        options, pair = self.subject.options, self.pairing
        if pair is None or (options.mask is None and options.lengths is None):
            return None
        if options.mask is not None:
            mask = np.asarray(self.subject.plain(options.mask)) != 0
            mask = mask.reshape(mask.shape[:2])
            return np.asarray(mask if mask.shape[0] == pair.axes.count else mask.T)
        lengths = np.asarray(self.subject.plain(options.lengths)).astype(int).ravel()
        steps = max((self.length(name) for name in self.data_leaves), default=0)
        if len(lengths) != pair.axes.count:
            raise ArgumentError(
                f"examine: lengths must hold one number for each of the {pair.axes.count} "
                f"examples, got {len(lengths)}"
            )
        return np.asarray(np.arange(steps) < lengths[:, None])

    @cached_property
    def filled_ends(self) -> tuple[str, Array] | None:
        """A leaf whose examples end in one value that stands nowhere else, from another step on in
        each, and (N, T), True before; None where none is. What begins so may be read on purpose.
        """
        pair = self.pairing
        for name in self.data_leaves if pair is not None else ():
            padding, axis = self.keep(name), self.time_axis(name)
            if padding is None or axis is None:
                continue
            steps = np.moveaxis(padding, axis, 1).reshape(*self._rows(name, axis), -1)[:, :, 0]
            runs = steps.sum(1)
            if not (steps[:, -1] == (runs > 0)).all() or steps[:, 0].any():
                continue
            if (runs > 0).mean() < FILLED or np.unique(runs).size < 3:
                continue
            if len(steps) >= FEWEST_ROWS and np.median(runs[runs > 0]) >= 2:
                return name, np.asarray(~steps)
        return None

    def _rows(self, name: str, axis: int) -> tuple[int, int]:
        shape = self.subject.inputs[name].shape
        return shape[1 - axis], shape[axis]

    @cached_property
    def layers(self) -> tuple[Recurrent, ...]:
        """Recurrent layers of the framework, in the order in which they are called."""
        return self.subject.recurrent()

    @cached_property
    def recurrent(self) -> bool:
        """Whether the model has weights that only a state from step to step could use."""
        return bool(self.layers) or self._square_weights

    @property
    def _square_weights(self) -> bool:
        parameters = [p for p in self.subject.parameters() if len(p.shape) == 2]
        shapes = [p.shape for p in parameters if min(p.shape) > 1]
        widths = {a.shape[-1] for a in self.subject.inputs_tuple if a.ndim == 3}
        widths |= {p.shape[1] for p in parameters if p.kind == "embedding"}
        # Of the state alone, H to H or to 3 H or 4 H; or of input and state side by side.
        alone = any(max(s) % min(s) == 0 and max(s) // min(s) in (1, 3, 4) for s in shapes)
        return alone or any(
            abs(s[k] - s[1 - k] // n) in widths for s in shapes for k in (0, 1) for n in (1, 3, 4)
        )

    # Effects.

    @cached_property
    def base(self) -> Array:
        """Scored outputs of the batch as it is, in evaluation."""
        return self.subject.flat(self._call(None))

    def _call(self, inputs: Arrays | None, training: bool = False) -> Arrays:
        if not self.jitter:
            return self.subject.call(inputs, training=training)
        with self.subject.changed(self.jitter):
            return self.subject.call(inputs, training=training)

    @cached_property
    def shaken(self) -> Context:
        """The same with a little noise on all weights."""
        other = Context(self.subject, self.deadline, jitter=jittered(self.subject))
        other.__dict__["pairing"] = self.pairing  # measured already
        return other

    @cached_property
    def noisy(self) -> bool:
        """Whether random numbers act in evaluation, so that what moves what is drawn by lot."""
        return any(
            p.shape != q.shape or not np.array_equal(p, q, equal_nan=True)
            for p, q in zip(self.subject.outputs, self.subject.call(seed=1), strict=True)
        )

    def keep(self, name: str) -> Array | None:
        """True at the padding of a leaf; None where there is none to see."""
        axis = self.time_axis(name)
        if axis is None:
            return None
        padding = perturb.padding_of(self.subject.inputs[name], axis)
        return padding if padding.any() else None

    def with_leaf(self, name: str, array: Array) -> Arrays:
        """Inputs with another array in one leaf."""
        return tuple(array if key == name else old for key, old in self.subject.inputs.items())

    def change(self, inputs: Arrays) -> Array:
        """Size of the change of the scored outputs, in evaluation."""
        flat = self.subject.flat(self._call(inputs))
        if flat.shape != self.base.shape:
            raise CannotExamineError("the outputs change their shape with the inputs")
        return np.asarray(np.nan_to_num(np.abs(flat - self.base), nan=0.0, posinf=1e30))

    def effect_of(self, name: str) -> float:
        """Largest change of the outputs when all of a leaf changes; NaN where it has no other
        values to take, as one token for all.
        """
        if name not in self._effects:
            array = self.subject.inputs[name]
            new = perturb.moved(array, (slice(None),), self.keep(name))
            if np.array_equal(new, array):
                self._effects[name] = float("nan")
                return self._effects[name]
            inputs = self.with_leaf(name, new)
            effect = float(self.change(inputs).max(initial=0.0))
            if effect == 0:  # a decoder may read its input in training only
                pairs = zip(self._call(inputs, True), self._call(None, True), strict=True)
                effect = max(
                    (float(np.abs(p - q).max(initial=0.0)) for p, q in pairs if p.shape == q.shape),
                    default=0.0,
                )
            self._effects[name] = effect
        return self._effects[name]

    def reach(self, name: str) -> Reach | None:
        """Which outputs move with the single steps of a leaf; None where it has no time axis."""
        if name not in self._reach:
            self._reach[name] = self._measure_reach(name)
        return self._reach[name]

    def _measure_reach(self, name: str) -> Reach | None:
        axis, steps = self.time_axis(name), self.length(name)
        if axis is None or steps < 2:
            return None
        places = _some(steps)
        rows = [self._moved_step(name, axis, t) for t in places]
        return Reach(places, np.array(rows), steps)

    def _moved_step(self, name: str, axis: int, t: int, amount: float = 1.0) -> Array:
        index = perturb.along(axis, t)
        new = perturb.moved(self.subject.inputs[name], index, self.keep(name), amount, seed=t)
        return self.change(self.with_leaf(name, new))

    def step_effect(self, name: str, t: int, amount: float = 1.0) -> float:
        """Largest change of the outputs when one step of a leaf changes by so many spreads; see
        `reach`.
        """
        axis = self.time_axis(name)
        if axis is None:
            return 0.0
        return float(self._moved_step(name, axis, t, amount).max(initial=0.0))

    # The loss.

    @cached_property
    def loss_form(self) -> LossForm | None:
        """What the loss wants, as far as it is recognised."""
        return recognise(self.subject) if self.subject.has_loss else None

    @cached_property
    def _ranges(self) -> tuple[float, float, Array | None]:
        leaf = self.subject.scored[0]
        low, high, last, seen = float("inf"), -float("inf"), None, 0
        for outputs in (self.subject.training_outputs, *enlarged_outputs(self.subject)):
            finite = outputs[leaf][np.isfinite(outputs[leaf])]
            if finite.size:
                seen += 1
                low, high, last = (
                    min(low, float(finite.min())),
                    max(high, float(finite.max())),
                    outputs[leaf],
                )
        if seen <= DRAWS:  # weights that overflow show no range
            return -float("inf"), float("inf"), last
        return low, high, last

    @property
    def output_range(self) -> tuple[float, float]:
        """Least and largest output, with the weights as they are and with much larger ones."""
        return self._ranges[:2]

    @property
    def largest_outputs(self) -> Array | None:
        """Outputs with the largest weights that were tried."""
        return self._ranges[2]

    @property
    def constant_outputs(self) -> bool:
        """Whether all outputs are the same number, whatever the weights."""
        low, high = self.output_range
        return low == high

    def output_runs_along(self, k: int) -> int | None:
        """Axis of an output leaf that is time: the last input step moves nothing but the last index
        on it; None if none.
        """
        output, examples = self.subject.outputs[k], self.example_axis(k)
        for name in self.data_leaves:
            reach = self.reach(name)
            if reach is None:
                continue
            last = self.split(reach.moved[-1])[k]
            for axis in range(output.ndim):
                if axis == examples or output.shape[axis] != reach.length:
                    continue
                before = np.take(last, range(reach.length - 1), axis)
                if last.any() and not before.any():
                    return axis
        return None

    @cached_property
    def reader_steps(self) -> Steps:
        """Some steps with the reader's own optimizer."""
        return self.subject.steps(READER_STEPS)

    @cached_property
    def step_log(self) -> StepLog:
        """The reader's own step, called some dozen times."""
        return self.subject.audit(self.subject.options.step)

    @property
    def loop_is_tame(self) -> bool:
        """Whether the reader's own loop keeps its loss, as one that clips does where the bare
        optimizer would not.

        The second half of its calls decides: a loss that jumps by powers of ten may be small again
        in the last one by chance.
        """
        if self.subject.options.step is None:
            return False
        try:
            losses = self.step_log.losses
        except CannotExamineError:
            return False
        later = losses[len(losses) // 2 :]
        return (
            len(losses) > 3
            and bool(np.isfinite(later).all())
            and bool(np.median(later) <= 2 * abs(losses[0]))
        )

    @cached_property
    def fixed_outputs(self) -> bool:
        """Whether the outputs are all 1, as those of a softmax over one output."""
        outputs = [self.subject.outputs[k] for k in self.subject.scored]
        return bool(outputs) and all(
            o.size > 0 and bool((np.abs(o - 1) < 1e-6).all()) for o in outputs
        )


@dataclass(frozen=True)
class Reach:
    """Effect of single input steps.

    Parameters
    ----------
    steps : the steps that were moved
    moved : (len(steps), elements), change of the scored outputs
    length : number of steps that there are
    """

    steps: tuple[int, ...]
    moved: Array
    length: int

    @property
    def effect(self) -> Array:
        """Largest change for each step that was moved."""
        return np.asarray(self.moved.max(axis=1, initial=0.0))


def _some(steps: int) -> tuple[int, ...]:
    if steps <= MOST_STEPS:
        return tuple(range(steps))
    middle = [steps // 4, steps // 2, 3 * steps // 4]
    return tuple(sorted({0, 1, 2, *middle, steps - 3, steps - 2, steps - 1}))


# An activation with a bound comes near it when all weights are enlarged; a linear layer goes far
# beyond.
SCALES = (4.0, 20.0, 60.0)
DRAWS = 3


def enlarged_outputs(subject: Subject) -> Iterator[Arrays]:
    """Outputs in training with larger and larger weights."""
    names = [p.name for p in subject.parameters() if p.registered]
    values = dict(zip(names, subject.values(names), strict=True))
    rng = np.random.default_rng(0)
    # Few outputs of one sign are an accident at one draw, and none at all of them.
    for scale in SCALES * DRAWS:
        changed = {name: _enlarged(value, scale, rng) for name, value in values.items()}
        with subject.changed(changed):
            yield subject.call(training=True)


def jittered(subject: Subject) -> dict[str, Array]:
    """Weights with a little noise on all of them."""
    names = [p.name for p in subject.parameters() if p.registered]
    rng = np.random.default_rng(1)
    values = zip(names, subject.values(names), strict=True)
    return {
        name: (value + rng.normal(size=value.shape) * 0.05).astype(value.dtype)
        for name, value in values
    }


def _enlarged(value: Array, scale: float, rng: np.random.Generator) -> Array:
    size = max(float(np.abs(value).mean()) if value.size else 0.0, 0.05)
    return np.asarray(scale * (value + 2 * rng.normal(size=value.shape) * size)).astype(value.dtype)

"""Which axis holds the examples and which the time, found by what moves what; nobody is asked.

A (inputs): outputs that move with the inputs of one example. B (targets): outputs at which the
gradient of the loss moves with the targets of one example. On the axis of the examples, A of two
examples do not meet, and B lies within A.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np

from lstm_ref.doctor import perturb
from lstm_ref.doctor.subject import Array, Arrays, CannotExamineError, Gradients, Subject

# Rows of one product are computed alike whatever stands in the others, so that anything but 0 is a
# dependence; the factor is for kernels that choose another order of sums. A softmax over a batch of
# 8 hides below 2 %, and shows at 1e-5.
EXACT = 1e-5
# A loss with class weights or a mean over valid targets moves all gradients by one factor, which is
# taken out first.
TARGETS = 0.02
ENTIRELY = 0.999
MOST_EXAMPLES = 4


@dataclass(frozen=True)
class Axes:
    """One way to read the batch: the axis of the examples in each leaf.

    Parameters
    ----------
    count : number of examples
    inputs : for each input leaf, or None where it has none of that length
    targets : for each target leaf, the shape to read it in, and the axis; None
    """

    count: int
    inputs: tuple[int | None, ...]
    targets: tuple[tuple[tuple[int, ...], int] | None, ...]

    @property
    def examples(self) -> tuple[int, ...]:
        """The examples that are moved one by one."""
        chosen = sorted({0, 1, self.count // 2, self.count - 1})
        return tuple(j for j in chosen if j < self.count)[:MOST_EXAMPLES]

    @property
    def main(self) -> int:
        """Axis of the examples in the first leaf that has one."""
        return next((axis for axis in self.inputs if axis is not None), 0)


@dataclass(frozen=True)
class Pairing:
    """What was measured under one way to read the batch.

    Parameters
    ----------
    axes : that way
    moved : (J, elements), size of the change of the scored outputs with the inputs of each example
        that was moved
    meets : (J, elements), change of the gradient of the loss with its targets; None without a loss
        or such an axis
    fixed : (elements,) of bool, outputs that no input moves, as those at padding: they belong to no
        example
    places : whether the targets are the places of the examples in the batch, each once: a loss in
        which each example is compared with all others, so that its target meets theirs, too
    """

    axes: Axes
    moved: Array
    meets: Array | None
    fixed: Array
    places: bool = False

    @property
    def A(self) -> Array:
        """(J, elements) of bool: which outputs move with the inputs of an example."""
        return np.asarray(self.moved > EXACT * max(float(self.moved.max(initial=0.0)), 1e-30))

    @property
    def B(self) -> Array | None:
        """(J, elements) of bool: which outputs the targets of an example meet."""
        if self.meets is None:
            return None
        largest = np.maximum(self.meets.max(axis=1, keepdims=True), 1e-30)
        return np.asarray(self.meets > TARGETS * largest)

    @property
    def mixed(self) -> bool:
        """Whether an output moves with two examples, and is not meant to."""
        return bool((self.A.sum(0) > 1).any()) and not self.of_pairs

    @property
    def of_pairs(self) -> bool:
        """Whether the outputs are a table of all examples against all, so that an example moves its
        own row and its own column, and no more.
        """
        A, count = self.A, self.axes.count
        if A.shape[1] != count**2:
            return False
        for row, j in zip(A, self.axes.examples, strict=True):
            table = row.reshape(count, count)
            others = np.delete(np.delete(table, j, 0), j, 1)
            if others.any() or not (table[j].any() and table[:, j].any()):
                return False
        return True

    @property
    def outside(self) -> Array:
        """For each example, how far its targets act on outputs that its inputs do not move, against
        those that they do.
        """
        if self.meets is None:
            return np.zeros(len(self.moved))
        inside = np.where(self.A, self.meets, 0).max(1)
        without = np.where(self.A | self.fixed, 0, self.meets).max(1)
        live = self.A.any(1)  # an example that moves nothing says nothing about order
        return np.where(live, without / np.maximum(inside + without, 1e-30), 0.0)

    @property
    def misaligned(self) -> bool:
        """Whether targets mostly meet outputs of others. A loss over pairs or a correlation meets
        its own most.
        """
        if self.meets is None:
            return False
        most = bool((self.outside > 0.49).sum() * 2 > max(int(self.A.any(1).sum()), 1))
        most &= not self.places
        # Sorted by length, some examples stay where they were.
        return most or int((self.outside > ENTIRELY).sum()) >= 2

    @property
    def deaf(self) -> Array:
        """Which of the examples move nothing."""
        return np.asarray(~self.A.any(1))

    @property
    def fits(self) -> bool:
        """Whether this is how the program reads its batch."""
        return not self.mixed and not self.misaligned and not bool(self.deaf.any())


def ways(subject: Subject) -> Iterator[Axes]:
    """Ways to read the batch, the usual first: examples first, then time first."""
    shapes = [array.shape for array in subject.inputs_tuple]
    main = next(
        (s for s, a in zip(shapes, subject.inputs_tuple, strict=True) if perturb.movable(a)), None
    )
    if main is None or not main:
        return
    asked = subject.options.batch_axis
    axes = [asked] if asked is not None else list(range(min(2, len(main))))
    seen = set()
    for axis, first in product(axes, (True, False)):
        n = main[axis]
        alone = axis == 0 or _tokens_only(subject)  # a batch of one example
        inputs = tuple(_axis_of(s, n, axis) for s in shapes)
        targets = tuple(
            _target_view(t.shape, n, main[:2], axis, first) for t in subject.targets_tuple
        )
        way = Axes(n, inputs, targets)
        meets = any(t is not None for t in targets) or (first and not subject.has_loss)
        if (n > 1 or alone) and meets and way not in seen:
            seen.add(way)
            yield way


def _tokens_only(subject: Subject) -> bool:
    return all(array.dtype.kind in "iu" for array in subject.inputs_tuple)


def _axis_of(shape: tuple[int, ...], n: int, wanted: int) -> int | None:
    if wanted < len(shape) and shape[wanted] == n:
        return wanted
    return next((k for k, size in enumerate(shape[:2]) if size == n), None)


def _target_view(
    shape: tuple[int, ...], n: int, main: tuple[int, ...], axis: int, first: bool
) -> tuple[tuple[int, ...], int] | None:
    """How to find the targets of one example: on the same axis, on the other one, or within a
    flattened first axis.
    """
    order = [axis, 0, 1] if first else [1 - axis if axis < 2 else 0]
    for k in order:
        if k < len(shape) and shape[k] == n:
            return shape, k
    if shape and len(main) == 2 and shape[0] == main[0] * main[1]:
        view = (main if first else main[::-1]) + shape[1:]
        return view, (axis if first else 1 - axis)
    return None


def classes_of(subject: Subject) -> int:
    """Number of classes, as far as the shapes tell: the length of the outputs' axis that the labels
    lack.
    """
    for k in subject.scored:
        shape = subject.training_outputs[k].shape
        for target in subject.targets_tuple:
            if target.dtype.kind in "iu" and len(shape) == target.ndim + 1:
                second = shape[1:2] != target.shape[1:2] and len(shape) > 2
                return int(shape[1] if second else shape[-1])
    return 0


def with_example(subject: Subject, axes: Axes, j: int | slice) -> Arrays:
    """The inputs with other values in example j, or in all, padding kept."""
    arrays = subject.inputs_tuple
    changed = []
    for array, axis in zip(arrays, axes.inputs, strict=True):
        if axis is None or not perturb.movable(array, arrays):
            changed.append(array)
            continue
        keep = perturb.padding_of(array, 1 - axis) if array.ndim > 1 and axis < 2 else None
        keep = keep if keep is not None and not keep[perturb.along(axis, j)].all() else None
        changed.append(perturb.moved(array, perturb.along(axis, j), keep))
    return tuple(changed)


def with_target(subject: Subject, axes: Axes, j: int) -> Arrays:
    """The targets with other values in example j."""
    classes = classes_of(subject)
    arrays = subject.targets_tuple
    changed = []
    for array, view in zip(arrays, axes.targets, strict=True):
        if view is None or not _is_target(array, arrays):
            changed.append(array)
            continue
        shape, axis = view
        shaped = array.reshape(shape)
        changed.append(
            perturb.moved_targets(shaped, perturb.along(axis, j), classes).reshape(array.shape)
        )
    return tuple(changed)


def _is_target(array: Array, arrays: Arrays) -> bool:
    """Whether a target leaf is data, not the lengths beside it."""
    lengths = array.dtype.kind in "iu" and array.ndim <= 1 and any(a.ndim > 1 for a in arrays)
    return not lengths and array.size > 0


def measure(subject: Subject, axes: Axes) -> Pairing:
    """Move the examples one by one; see `Pairing`."""
    training = not subject.same_shapes
    flat = subject.flat(subject.call(training=training))
    rows = []
    for j in axes.examples:
        outputs = subject.call(with_example(subject, axes, j), training=training)
        change = subject.flat(outputs)
        if change.shape != flat.shape:
            raise CannotExamineError("the outputs change their shape with the inputs")
        rows.append(np.nan_to_num(np.abs(change - flat), nan=np.inf, posinf=1e30))
    fixed = _fixed(subject, axes, flat, training)
    return Pairing(axes, np.array(rows), _meets(subject, axes), fixed, _places(subject, axes.count))


def _places(subject: Subject, count: int) -> bool:
    """Whether some targets are the numbers from 0 to the number of examples, each once."""
    return count > 1 and any(
        t.size == count
        and t.dtype.kind in "iu"
        and np.array_equal(np.sort(t.ravel()), range(count))
        for t in subject.targets_tuple
    )


def _fixed(subject: Subject, axes: Axes, flat: Array, training: bool) -> Array:
    """Outputs that stay when the inputs of all examples change at once."""
    outputs = subject.flat(
        subject.call(with_example(subject, axes, slice(None)), training=training)
    )
    if outputs.shape != flat.shape:
        return np.zeros(flat.shape, bool)
    change = np.nan_to_num(np.abs(outputs - flat), nan=np.inf)
    return np.asarray(change <= EXACT * max(float(change.max(initial=0.0)), 1e-30))


def _meets(subject: Subject, axes: Axes) -> Array | None:
    if not subject.has_loss or all(view is None for view in axes.targets) or not subject.scored:
        return None
    outputs = subject.training_outputs
    base = _flat_gradient(subject, subject.output_gradient)
    if outputs and sum(o.size for o in subject.outputs) != sum(o.size for o in outputs):
        return None
    rows = []
    for j in axes.examples:
        gradient = _flat_gradient(subject, _gradient_with_target(subject, axes, j))
        rows.append(np.abs(gradient - _factors(subject, gradient, base) * base))
    meets = np.nan_to_num(np.array(rows))
    return meets if meets.max(initial=0.0) > 0 else None


def _gradient_with_target(subject: Subject, axes: Axes, j: int) -> Gradients:
    """Gradient of the loss where example j has other targets; those of its neighbour, where the
    loss refuses what was made up.
    """
    try:
        return subject.loss_gradient(subject.training_outputs, with_target(subject, axes, j))
    except Exception:  # numbers that are actions or places, and out of range
        changed = []
        for array, view in zip(subject.targets_tuple, axes.targets, strict=True):
            if view is None:
                changed.append(array)
                continue
            shaped = array.reshape(view[0]).copy()
            next_one = np.take(shaped, (j + 1) % axes.count, view[1])
            shaped[perturb.along(view[1], j)] = next_one
            changed.append(shaped.reshape(array.shape))
        return subject.loss_gradient(subject.training_outputs, changed)


def _factors(subject: Subject, gradient: Array, base: Array) -> Array:
    """`_common_factor` of each scored leaf: one that is a mean over some examples has its own."""
    sizes = [subject.training_outputs[k].size for k in subject.scored]
    cuts = np.cumsum(sizes)[:-1]
    parts = zip(np.split(gradient, cuts), np.split(base, cuts), strict=True)
    return np.repeat([_common_factor(g, b) for g, b in parts], sizes)


def _flat_gradient(subject: Subject, gradient: tuple[Array | None, ...]) -> Array:
    outputs = subject.training_outputs
    return subject.flat(
        [np.zeros(o.shape) if g is None else g for g, o in zip(gradient, outputs, strict=True)]
    )


def _common_factor(gradient: Array, base: Array) -> float:
    """The factor by which most gradients moved: 1, or that of a mean over other weights."""
    live = np.abs(base) > 1e-3 * max(float(np.abs(base).max(initial=0.0)), 1e-30)
    if not live.any():
        return 1.0
    ratios = gradient[live] / base[live]
    middle = float(np.median(ratios))
    near = np.abs(ratios - middle) < 1e-3 * abs(middle)
    return middle if near.mean() > 0.3 and middle > 0 else 1.0

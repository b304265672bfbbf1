"""Whether the target of an example meets the output of this example, and of no other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any

import numpy as np

from lstm_ref.doctor.context import Context
from lstm_ref.doctor.layout import TARGETS, Pairing, with_example
from lstm_ref.doctor.report import Finding, found
from lstm_ref.doctor.subject import Array, Arrays, CannotExamineError, Subject

# A loss in pairs that does not move when its outputs are exchanged is one in which every target
# meets every output. The sum is the same up to rounding, in float32 some 1e-7; a loss in pairs
# moves by percents.
EXCHANGED = 1e-5
# Sums of a softmax are 1 up to rounding; over another axis they are 1 by chance only where there is
# one class.
SUM = 1e-3
# Of the largest gradient: outputs that are averaged before the loss have the same one up to
# rounding.
POOLED = 1e-3
FAR_FROM_ONE = 0.05
# Outputs of exchanged examples are exchanged outputs, up to rounding of another order of sums.
ROLLED = 1e-4
# Fewer examples may be alike by chance.
FEWEST_EXAMPLES = 4
# Rows of one product may differ in the last bit of float32.
SAME = 3e-7
# A relu is shut for one example by chance in half of the draws.
OTHER_WEIGHTS = 6
# What is rounded moves with larger weights only.
LARGER = (1.0, 10.0, 100.0)


def pairing(context: Context) -> Iterator[Finding]:
    """Inputs and targets of one example must act on the same outputs."""
    pair = context.pairing
    if pair is None:
        return
    subject = context.subject
    if (finding := _broadcast(context, pair)) is not None:
        yield finding
    if (repeated := _at_every_step(context, pair) or _at_every_output(subject, pair)) is not None:
        yield repeated
    softmax = _softmax_elsewhere(context)
    if softmax is not None:
        yield softmax
    if pair.mixed:
        yield from _mixed(subject, pair, softmax)
    elif pair.misaligned and not pair.deaf.all():
        j = int(pair.outside.argmax())
        yield found(
            "targets-misaligned", float(pair.outside[j]), who=f"example {pair.axes.examples[j]}"
        )
    elif (mixed := _reshaped(context) or _reshaped_in_loss(context)) is not None:
        yield mixed


def need_fit(context: Context) -> None:
    """Where examples mix or targets stand in another order, what moves which step says nothing
    about steps.

    Raises
    ------
    CannotExamineError : then
    """
    pair = context.pairing
    if pair is not None and (pair.mixed or pair.misaligned or _reshaped(context) is not None):
        raise CannotExamineError(
            "examples act on one another, or targets on other outputs: that comes first"
        )


def _reshaped(context: Context) -> Finding | None:
    """Outputs (N, C, T) whose numbers still stand in the order (N, T, C): a reshape in the place of
    a transpose.
    """
    for k in context.subject.scored:
        shape = context.subject.outputs[k].shape
        for name in context.data_leaves:
            reach = context.reach(name)
            if (
                reach is None
                or len(shape) != 3
                or shape[1] < 2
                or shape[2] != reach.length
                or context.example_axis(k)
            ):
                continue
            if shape[1] == shape[2]:  # either of the axes may be time
                continue
            steps = [t for t in reach.steps if t > 0]
            rows = [
                context.split(reach.moved[reach.steps.index(t)])[k].reshape(shape[0], -1)
                for t in steps
            ]
            seen = [
                _starts_at(row, t, shape[1])
                for t, row in zip(steps, rows, strict=True)
                if row.any()
            ]
            if len(seen) >= 2 and all(seen):
                share = 1 - 1 / shape[1]
                return found(
                    "targets-misaligned", share, who="a step", where=f"axes 1 and 2 of output {k}"
                )
    return None


def _reshaped_in_loss(context: Context) -> Finding | None:
    """Outputs (N, T, C) that the loss reads as (N, C, T) by a reshape: the target of step t meets
    the numbers t, t + T, t + 2 T, ... of its row, as counted in the order (T, C).
    """
    subject, pair = context.subject, context.pairing
    if pair is None or pair.meets is None or len(subject.scored) != 1:
        return None
    (k,), target = subject.scored, subject.targets_tuple[0]
    shape = subject.training_outputs[k].shape
    if pair.axes.targets != ((target.shape, 0),) or target.dtype.kind not in "iu":
        return None
    if target.ndim != 2 or len(shape) != 3 or shape[:2] != target.shape:
        return None
    length, classes = shape[1:]
    if length < 3 or classes < 2 or length == classes:
        return None
    elsewhere = 0
    for t in range(length):
        met = _met(subject, k, t)
        if not met <= set(range(t, length * classes, length)):
            return None
        elsewhere += not met <= set(range(t * classes, (t + 1) * classes))
    if elsewhere < length / 2:
        return None
    return found(
        "targets-misaligned", elsewhere / length, who="a step", where=f"axes 1 and 2 of output {k}"
    )


def _met(subject: Subject, k: int, step: int) -> set[int]:
    """Places in the row of an example at which the gradient moves, up to rounding, when the targets
    of a step are those of other examples.
    """
    (target,) = subject.targets_tuple
    moved, met = target.copy(), set[int]()
    moved[:, step] = np.roll(target[:, step], 1)
    base = subject.output_gradient[k]
    other = subject.loss_gradient(subject.training_outputs, [moved])[k]
    if base is None or other is None:
        return met
    change = np.abs(other - base).reshape(len(base), -1)
    return set(np.flatnonzero((change > TARGETS * change.max(initial=0.0)).any(axis=0)).tolist())


def _starts_at(row: Array, step: int, count: int) -> bool:
    """Whether a step moves the numbers from its own place on, counted as (T, C), and none
    before.
    """
    live = row[row.any(axis=1)]
    return not live[:, : step * count].any() and bool(
        (live[:, step * count : (step + 1) * count] > 0).all()
    )


def deafness(context: Context) -> Iterator[Finding]:
    """Outputs that do not move when all inputs do."""
    pair, subject = context.pairing, context.subject
    if pair is None or not subject.scored or context.fixed_outputs:
        return
    if pair.deaf.all():
        j = pair.axes.examples[0]
        alive = _moves_with_other_weights(subject, pair, j) or _moves_with_smaller_inputs(
            subject, pair
        )
        # a way from the inputs is there, and shut at these weights and inputs
        certainty = "strong" if alive else None
        yield found(
            "outputs-ignore-inputs",
            0.0,
            what="all examples",
            inputs="their inputs",
            certainty=certainty,
        )
    elif pair.deaf.any() and not pair.mixed:
        silent = [j for j, is_deaf in zip(pair.axes.examples, pair.deaf, strict=True) if is_deaf]
        deaf = [str(j) for j in silent if not _moves_with_other_weights(subject, pair, j)]
        if not deaf:  # a relu that is shut for these examples, at these weights
            return
        yield found(
            "outputs-ignore-inputs", 0.0, what=f"example {', '.join(deaf)}", inputs="its inputs"
        )


def same_for_all(context: Context) -> Iterator[Finding]:
    """One and the same output for all examples, though their inputs and targets differ."""
    pair, subject = context.pairing, context.subject
    if (
        pair is None
        or pair.deaf.all()
        or pair.axes.count < FEWEST_EXAMPLES
        or context.fixed_outputs
    ):
        return
    if not subject.scored or not _differ(subject.inputs_tuple, pair.axes.inputs):
        return
    if not any(np.unique(t).size > 1 for t in subject.targets_tuple):
        return
    if not _same(context, subject.outputs):
        return
    for values in other_weights(subject):  # what has faded over many steps comes back at some
        with subject.changed(values):
            if not _same(context, subject.call()):
                return
    count = pair.axes.count
    yield found(
        "outputs-ignore-inputs",
        0.0,
        what=f"the {count} examples are one and the same, and",
        inputs="one example is put in the place of another",
        certainty="strong",
    )


def _same(context: Context, outputs: Arrays) -> bool:
    """Whether all examples have one output, up to rounding."""
    for k in context.subject.scored:
        axis, part = context.example_axis(k), outputs[k]
        if axis is None or part.shape != context.subject.outputs[k].shape:
            return False
        size = float(np.abs(part).max(initial=0.0))
        if not np.ptp(part, axis=axis).max(initial=0.0) <= SAME * size:
            return False
    return True


def other_weights(subject: Subject) -> Iterator[dict[str, Array]]:
    """Some draws of all weights, about as they are and far larger."""
    names = [p.name for p in subject.parameters() if p.registered]
    values = dict(zip(names, subject.values(names), strict=True))
    for seed, far in product(range(OTHER_WEIGHTS), LARGER):
        rng = np.random.default_rng(seed)
        yield {
            n: (v + rng.normal(size=v.shape) * far * max(float(v.std()), 0.1)).astype(v.dtype)
            for n, v in values.items()
        }


def _differ(arrays: Sequence[Array], axes: Sequence[int | None]) -> bool:
    """Whether no two examples have the same inputs."""
    rows = [
        np.moveaxis(array, axis, 0).reshape(array.shape[axis], -1).astype(np.float64)
        for array, axis in zip(arrays, axes, strict=True)
        if axis is not None
    ]
    joined = np.concatenate(rows, axis=1) if rows else np.zeros((2, 1))
    return len(np.unique(joined, axis=0)) == len(joined)


def _moves_with_other_weights(subject: Subject, pair: Pairing, j: int) -> bool:
    """Whether an example moves an output after all, at one of some draws of the weights."""
    for drawn in other_weights(subject):
        with subject.changed(drawn):
            before, after = subject.call(), subject.call(with_example(subject, pair.axes, j))
        if any(
            p.shape == q.shape and not np.array_equal(p, q, equal_nan=True)
            for p, q in zip(before, after, strict=True)
        ):
            return True
    return False


def _moves_with_smaller_inputs(subject: Subject, pair: Pairing) -> bool:
    """Whether outputs move when the inputs have a size of about 1, which shuts no gate."""
    arrays = subject.inputs_tuple
    sizes = [
        float(np.sqrt(np.nanmean(np.square(a.astype(np.float64))))) if a.dtype.kind == "f" else 0.0
        for a in arrays
    ]
    if not any(1 < size < np.inf for size in sizes):
        return False
    moved = with_example(subject, pair.axes, slice(None))
    scales = [1 / size if 1 < size < np.inf else 1.0 for size in sizes]
    small, other = (
        [
            (a * scale).astype(a.dtype) if scale < 1 else a
            for a, scale in zip(batch, scales, strict=True)
        ]
        for batch in (arrays, moved)
    )
    before, after = subject.call(small), subject.call(other)
    return any(
        p.shape == q.shape and bool((p != q).any()) for p, q in zip(before, after, strict=True)
    )


def each_leaf(context: Context) -> Iterator[Finding]:
    """An input that has no effect, such as the source of a decoder that starts from zeros."""
    if context.pairing is None or context.pairing.deaf.all() or len(context.data_leaves) < 2:
        return
    for name in context.data_leaves:
        if context.effect_of(name) == 0:
            yield found("outputs-ignore-inputs", 0.0, what="the model", inputs=name, where=name)


def equal_steps(context: Context) -> Iterator[Finding]:
    """One and the same output at all time steps, where the targets change."""
    subject = context.subject
    for k in subject.scored:
        time = context.output_time_axis(k)
        if time is None:
            continue
        output = subject.outputs[k]
        spread = float(np.ptp(output, axis=time).max())
        between = float(np.ptp(output, axis=0 if time else 1).max())
        if (
            output.shape[time] > 2
            and spread == 0
            and between > 0
            and _targets_vary(context, output.shape[time])
            and not _part_with_noise(context, k, time)
        ):
            yield found("outputs-equal-at-all-steps", spread, steps=output.shape[time])


def _part_with_noise(context: Context, k: int, time: int) -> bool:
    """Whether the steps differ once all weights have some noise: a last layer of zeros beside a way
    around it.
    """
    other = context.shaken.base
    return bool(np.ptp(context.split(other)[k], axis=time).max() > 0)


def _targets_vary(context: Context, steps: int) -> bool:
    for target in context.subject.targets_tuple:
        if (
            target.ndim >= 2
            and target.shape[1] == steps
            and bool((np.ptp(target, axis=1) > 0).any())
        ):
            return True
    return False


def _mixed(subject: Subject, pair: Pairing, softmax: Finding | None) -> Iterator[Finding]:
    if softmax is not None:
        return
    A = pair.A
    j, k = next(
        (a, b) for a in range(len(A)) for b in range(len(A)) if a != b and (A[a] & A[b]).any()
    )
    share = float((A[j] & A[k]).sum() / max(int(A[k].sum()), 1))
    if (weak := _alike(subject, pair)) is not None:
        yield found("normalised-over-batch", weak)
        return
    yield found("examples-mixed", share, j=pair.axes.examples[j], k=pair.axes.examples[k])


def _alike(subject: Subject, pair: Pairing) -> float | None:
    """Share of the own change that other examples get, where no order of the examples matters and
    the own is larger; else None.

    A recurrence along the batch gives other outputs when the examples are exchanged; a mean or a
    norm does not.
    """
    count, A = pair.axes.count, pair.A
    if not A.mean() > 0.99 or count < 3 or A.shape[1] % count:
        return None
    arrays = zip(subject.inputs_tuple, pair.axes.inputs, strict=True)
    rolled = [array if axis is None else np.roll(array, 1, axis) for array, axis in arrays]
    before, after = subject.outputs, subject.call(rolled)
    for k in subject.scored:
        if before[k].shape[:1] != (count,):
            return None
        off = np.abs(np.roll(before[k], 1, 0) - after[k]).max()
        if not off < ROLLED * max(float(np.abs(before[k]).max()), 1e-30):
            return None
    middle = np.mean(pair.moved.reshape(len(A), count, -1), axis=2)
    own = middle[np.arange(len(A)), list(pair.axes.examples)]
    others = np.array(
        [np.delete(row, j).max() for row, j in zip(middle, pair.axes.examples, strict=True)]
    )
    share = float((others / np.maximum(own, 1e-30)).max())
    return share if share < 1 else None


def _broadcast(context: Context, pair: Pairing) -> Finding | None:
    """Every target meets every output, in one of the leaves that are scored."""
    for k in context.subject.scored:
        if (finding := _broadcast_shapes(context.subject, pair, k)) is not None:
            return finding
    if pair.meets is None:
        return None
    parts = [context.split(row) for row in pair.meets]
    for k in context.subject.scored:
        meets = np.array([part[k].ravel() for part in parts])
        if not meets.max(initial=0.0) > 0:
            continue
        B = meets > TARGETS * meets.max(axis=1, keepdims=True)
        if B.mean() >= 0.99 and (finding := _broadcast_leaf(context.subject, pair, k)) is not None:
            return finding
    return None


def _broadcast_shapes(subject: Subject, pair: Pairing, k: int) -> Finding | None:
    """As many numbers on both sides in two shapes, such as (N, 1) and (N,) or (N, M) and (N, 1, M),
    and a loss that does not move when outputs drawn as wide as the targets are exchanged among the
    examples. An absolute error has so flat a gradient that only this shows it.
    """
    outputs, targets = list(subject.training_outputs), subject.targets_tuple
    n, output = pair.axes.count, outputs[k]
    axis = next((a for a, size in enumerate(output.shape) if size == n), None)
    if len(targets) != 1 or targets[0].size != output.size or axis is None or n < 3:
        return None
    if output.shape == targets[0].shape or np.unique(targets[0]).size < 2:
        return None
    spread = float(np.nanstd(targets[0].astype(np.float64))) or 1.0
    middle = float(np.nanmean(targets[0].astype(np.float64)))
    rng, losses = np.random.default_rng(0), []
    for _ in range(2):  # another draw must move the loss
        drawn = middle + spread * rng.normal(size=output.shape)
        for turned in (drawn, np.roll(drawn, 1, axis)):
            outputs[k] = turned.astype(output.dtype)
            losses.append(subject.loss(outputs))
    size = max(abs(losses[0]), 1e-30)
    change = max(abs(losses[1] - losses[0]), abs(losses[3] - losses[2])) / size
    if not np.isfinite(losses).all() or not change < EXCHANGED < abs(losses[2] - losses[0]) / size:
        return None
    return _every_output(change, output.shape, targets[0].shape)


def _every_output(change: float, outputs: Any, targets: Any) -> Finding:
    return found(
        "targets-broadcast",
        change,
        threshold=EXCHANGED,
        meets=(
            "every output: the loss is the same when the outputs are exchanged among the examples"
        ),
        limit=f"a loss in pairs changes by more than {EXCHANGED:.0e}",
        outputs=outputs,
        targets=targets,
    )


def _broadcast_leaf(subject: Subject, pair: Pairing, k: int) -> Finding | None:
    """As `_broadcast`, for a leaf whose outputs meet all targets: the loss does not move when they
    are exchanged.
    """
    outputs = list(subject.training_outputs)
    n = pair.axes.count
    axis = next((a for a, size in enumerate(outputs[k].shape) if size == n), None)
    if axis is None or not _apart(outputs[k], axis):
        return None
    before = subject.loss(outputs)
    outputs[k] = np.roll(outputs[k], 1, axis)
    change = abs(subject.loss(outputs) - before) / max(abs(before), 1e-30)
    if not change < EXCHANGED:
        return None
    shapes = [t.shape for t in subject.targets_tuple]
    return _every_output(change, outputs[k].shape, shapes[0] if len(shapes) == 1 else shapes)


def _at_every_step(context: Context, pair: Pairing) -> Finding | None:
    """One target for each example, compared with one number at each of its steps."""
    subject, B = context.subject, pair.B
    if B is None or len(subject.scored) != 1:
        return None
    output = subject.training_outputs[subject.scored[0]]
    count = pair.axes.count
    sizes = [t.size for t in subject.targets_tuple]
    if output.ndim != 3 or output.shape[-1] != 1 or output.shape[0] != count or sizes != [count]:
        return None
    steps = B.reshape(len(B), count, -1)[np.arange(len(B)), list(pair.axes.examples)].sum(1)
    if not (steps == output.shape[1]).all() or output.shape[1] < 2:
        return None
    more = {"meets": "the outputs of all steps of its example", "limit": "1 step is allowed"}
    shape = subject.targets_tuple[0].shape
    return found(
        "targets-broadcast",
        float(steps[0]),
        threshold=1.0,
        outputs=output.shape,
        targets=shape,
        **more,
    )


def _at_every_output(subject: Subject, pair: Pairing) -> Finding | None:
    """One target for each example, compared with each of its outputs (N, M) alike: their order does
    not matter.
    """
    count, sizes = pair.axes.count, [t.size for t in subject.targets_tuple]
    if pair.meets is None or len(subject.scored) != 1 or sizes != [count]:
        return None
    k = subject.scored[0]
    outputs, gradient = list(subject.training_outputs), subject.output_gradient[k]
    shape = outputs[k].shape
    if (
        len(shape) != 2
        or shape[0] != count
        or shape[1] < 2
        or gradient is None
        or not _apart(outputs[k], 1)
    ):
        return None
    # A mean over the outputs has one and the same gradient at all of them, a maximum has none at
    # most of them.
    if (
        not (gradient != 0).all()
        or np.ptp(gradient, axis=1).max() < POOLED * np.abs(gradient).max()
    ):
        return None
    before = subject.loss(outputs)
    outputs[k] = np.roll(outputs[k], 1, 1)
    change = abs(subject.loss(outputs) - before) / max(abs(before), 1e-30)
    if not change < EXCHANGED:
        return None
    more: dict[str, Any] = {
        "meets": f"all {shape[1]} outputs of its example alike",
        "limit": "1 output is allowed",
    }
    numbers = subject.targets_tuple[0]
    classes = np.unique(numbers).size > 2 and bool(np.isin(numbers, np.arange(shape[1])).all())
    # several forecasts of one number may be meant
    more["certainty"] = "strong" if classes else "remark"
    return found(
        "targets-broadcast", shape[1], threshold=1.0, outputs=shape, targets=numbers.shape, **more
    )


def _apart(output: Array, axis: int) -> bool:
    """Whether the outputs of the examples differ enough for an exchange to be seen."""
    spread = float(np.ptp(output, axis=axis).max(initial=0.0))
    return spread > 1e-4 * max(float(np.abs(output).max(initial=0.0)), 1e-30)


def _softmax_elsewhere(context: Context) -> Finding | None:
    """Sums of 1 over the examples or over time, and not over the classes."""
    subject, pair = context.subject, context.pairing
    for k in subject.scored:
        output = subject.outputs[k]
        if output.ndim < 2 or output.shape[-1] < 2 or pair is None:
            continue
        if (output <= 0).all():  # logarithms of probabilities
            output = np.exp(output)
        if (output < 0).any():
            continue
        form, examples = context.loss_form, context.example_axis(k)
        of_classes = form.axis if form is not None and form.leaf == k else None
        classes = float(np.abs(output.sum(-1) - 1).max())
        if classes < FAR_FROM_ONE:
            continue
        for axis in range(output.ndim - 1):
            off = float(np.abs(output.sum(axis) - 1).max())
            time = context.output_time_axis(k) == axis
            # Classes may stand on any axis, as in (N, C, T), and sums of 1 are right there.
            elsewhere = axis != of_classes and (time or axis in (0, examples))
            if off < SUM and output.shape[axis] > 1 and elsewhere:
                id = "softmax-over-time" if time and not pair.mixed else "softmax-over-batch"
                return found(id, off, threshold=classes)
    return None

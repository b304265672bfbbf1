"""What holds between two runs of any right program, whatever it computes: examinations that know no
cause and name none.

They are made only where nothing else was found, and say which relation does not hold, and by how
much.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from lstm_ref.doctor.context import Context
from lstm_ref.doctor.gradients import gradient_by_step, or_zeros
from lstm_ref.doctor.layout import Pairing
from lstm_ref.doctor.numpy_gradients import clipped
from lstm_ref.doctor.repeat import difference, goes_on
from lstm_ref.doctor.report import Finding, found
from lstm_ref.doctor.subject import Array, Arrays, CannotExamineError, Subject

# Of the loss. Sums in another order differ by 4e-7 at the most in 600 well programs in float32;
# targets that stand with other outputs by 1e-3 and more.
ORDER = 2e-5
AGAIN = 1e-6  # the same sums in the same order
# Where targets of other examples leave the loss as it is up to rounding, nobody asks who belongs to
# whom.
EXCHANGED = 2e-7
SHORTENED = 1e-3  # of the largest output; kernels for other lengths differ by 1e-6
# Numbers far from 0 hide an exchange in rounding.
FAR = 30.0
# Root mean square over random directions, of the slope that the gradients leave out over the slope
# of the outputs. Central differences of float32 are right to 2e-3 in well programs, at a kink to
# 1e-2, where those of two lengths disagree as much; what stands without a gradient between the
# weights and the loss leaves out 0.1 and more.
LEFT_OUT, SURE = 0.05, 8.0
DIRECTIONS = 4
LIVE = 1e-4  # of the largest effect of a step
# Of the size of the weights: long enough to stand above the rounding of float32.
LENGTHS = (3e-3, 1e-3)
SMALLEST = 0.05  # of a direction, where weights start at 0
FEWEST = 3  # examples; of two, an exchange is one only


def loss_of(subject: Subject, x: Arrays, y: Arrays) -> float:
    """Loss of the whole program for a batch, in evaluation; in training where outputs in evaluation
    are of another shape.
    """
    return subject.loss(subject.call(x, training=not subject.same_shapes), y)


def again(context: Context) -> Iterator[Finding]:
    """The same batch a second time, as the first call left the program, and with other random
    numbers.
    """
    subject = context.subject
    if subject.options.stateful or not subject.same_shapes:
        return
    first, second = subject.call(), subject.call(go_on=True)
    third = subject.call(seed=1)
    before = subject.loss(first)
    allowed = AGAIN * abs(before)
    # A sample beside the mean that it is drawn with leaves one of the outputs as it is.
    drawn = all(difference([first[k]], [third[k]]) > 0 for k in subject.scored)
    others = {} if goes_on(context) else {"as the first call left the program": second}
    if drawn:
        others["with other random numbers"] = third
    for how, outputs in others.items():
        if [o.shape for o in outputs] != [o.shape for o in first]:
            continue
        after = subject.loss(outputs)
        if np.isfinite(before) and abs(after - before) > allowed:
            yield found("loss-not-repeated", after, threshold=before, how=how)
            return


def order(context: Context) -> Iterator[Finding]:
    """Inputs and targets in another order of the examples, both in the same one."""
    pair, subject = context.pairing, context.subject
    rows = _other_order(context)
    if pair is None or rows is None or pair.places:
        return
    training = not subject.same_shapes
    before = subject.call(training=training)
    after = subject.call(_inputs(context, pair, rows), training=training)
    first, second = subject.loss(before), subject.loss(after, _targets(context, pair, rows))
    if not np.isfinite(first) or abs(second - first) <= ORDER * abs(first):
        return
    # The same answers in another order: a loss may weigh its places, as one with a mask of its own
    # does, unless targets meet outputs of others.
    if pair.misaligned or not _same_answers(subject, before, after):
        yield found("order-changes-loss", second, threshold=first)


def _same_answers(subject: Subject, before: Arrays, after: Arrays) -> bool:
    """Whether two sets of outputs hold the same numbers, in whatever order."""
    one, other = (np.sort(subject.flat(outputs)) for outputs in (before, after))
    if one.shape != other.shape:
        return False
    return bool(np.abs(one - other).max(initial=0.0) <= ORDER * np.abs(one).max(initial=0.0))


def exchange(context: Context) -> Iterator[Finding]:
    """Targets of other examples must give another loss, where all outputs differ."""
    pair, subject = context.pairing, context.subject
    if pair is None or _other_order(context) is None or pair.places:
        return
    y = subject.targets_tuple
    if _computes_the_loss(subject) or _far(y) or not subject.flat(subject.training_outputs).any():
        return
    most = 0.0
    for outputs in _drawn_outputs(subject):
        before = subject.loss(outputs, y)
        if not np.isfinite(before) or before == 0:
            return
        for shift in (1, 2):
            other = _targets(context, pair, np.roll(np.arange(pair.axes.count), shift))
            if not _differ(y, other):
                return
            most = max(most, abs(subject.loss(outputs, other) - before) / abs(before))
        if most > EXCHANGED:
            return
    yield found("targets-exchangeable", most, threshold=EXCHANGED)


def _computes_the_loss(subject: Subject) -> bool:
    """Whether the model is given the targets, too: it may then compute its loss itself, and hand
    it on as an output.
    """
    return all(
        any(x.shape == y.shape and bool((x == y).all()) for x in subject.inputs.values())
        for y in subject.targets_tuple
    )


def _drawn_outputs(subject: Subject) -> Iterator[list[Array]]:
    """Outputs that all differ: of the size of the model's own, and, where a target has their shape,
    of the targets'. A loss by absolute values is the same for all pairs while each output lies
    below each target.
    """
    rng = np.random.default_rng(0)
    own, near = list(subject.training_outputs), list(subject.training_outputs)
    for k in subject.scored:
        drawn = own[k] * rng.uniform(0.5, 1, own[k].shape)
        own[k] = drawn.astype(own[k].dtype)
        alike = [
            y for y in subject.targets_tuple if y.dtype.kind == "f" and y.shape == near[k].shape
        ]
        if alike:
            drawn = rng.permutation(alike[0].ravel()) * rng.uniform(0.5, 1, alike[0].size)
            near[k] = drawn.reshape(near[k].shape).astype(near[k].dtype)
    yield own
    yield near


def trimmed(context: Context) -> Iterator[Finding]:
    """The shorter examples of the batch alone, with their padding and without: the loss must be the
    same.
    """
    pair, subject, valid = context.pairing, context.subject, context.valid
    if pair is None or valid is None or subject.options.stateful or context.noisy:
        return
    if subject.framework == "keras":
        raise CannotExamineError("masks that Keras hands on belong to the whole batch")
    lengths, steps = valid.sum(1), valid.shape[1]
    rows = np.flatnonzero(lengths <= np.median(lengths))
    most = int(lengths[rows].max())
    in_front = (np.arange(steps) < lengths[:, None]) == valid
    if not 1 < most < steps or not in_front.all() or subject.fixed_lengths:
        return
    inputs, targets = _inputs(context, pair, rows), _targets_of(context, pair, rows)
    whole = loss_of(subject, inputs, targets)
    outputs = _call_shorter(subject, [_cut(a, len(rows), steps, most) for a in inputs])
    cut = subject.loss(outputs, [_cut(a, len(rows), steps, most) for a in targets])
    # A loss that divides by all steps, padded ones too, changes by that factor alone.
    by_steps = abs(cut * most / steps - whole) <= ORDER * abs(whole)
    if np.isfinite(whole) and abs(cut - whole) > ORDER * abs(whole) and not by_steps:
        yield found("padding-changes-loss", whole, threshold=cut, steps=steps - most)


def shortened(context: Context) -> Iterator[Finding]:
    """The first half of each sequence alone: where no output may depend on a later step, the
    answers to it must stay.
    """
    subject, pair = context.subject, context.pairing
    if pair is None or context.noisy or subject.options.stateful or subject.fixed_lengths:
        return
    steps = max((context.length(name) for name in context.data_leaves), default=0)
    if steps < 2 or context.valid is not None or not subject.same_shapes:
        return
    count, most = pair.axes.count, steps // 2
    after = _call_shorter(subject, [_cut(a, count, steps, most) for a in subject.inputs_tuple])
    for k in subject.scored:
        expected = _cut(subject.outputs[k], count, steps, most)
        if subject.outputs[k].shape == expected.shape or after[k].shape != expected.shape:
            continue
        size = max(float(np.abs(expected).max(initial=0.0)), 1e-30)
        change = float(np.abs(after[k] - expected).max(initial=0.0)) / size
        if change > SHORTENED:
            yield found("later-steps-count", change, threshold=SHORTENED, steps=steps - most)
            return


def slope(context: Context) -> Iterator[Finding]:
    """The gradients of the weights against what outputs and loss do when the weights move."""
    subject = context.subject
    gradients = _gradients(context)
    # In NumPy the step may have clipped them already.
    if not gradients or (subject.framework == "numpy" and clipped(gradients)):
        return
    slopes = np.array([_slopes(subject, gradients, seed) for seed in range(DIRECTIONS)])
    if not np.isfinite(slopes).all():
        return
    mine, outputs, shorter, loss = slopes.T
    size = float(np.sqrt(np.mean(outputs**2)))
    doubt = float(np.sqrt(np.mean((outputs - shorter) ** 2)))
    # Of the outputs: a loss may leave out on purpose, as one that is weighted by how far it is off.
    # Of the loss: one that calls the model itself has a second way.
    off = min(float(np.sqrt(np.mean((way - mine) ** 2))) for way in (outputs, loss))
    if size > 0 and off > max(LEFT_OUT * size, SURE * doubt) and not _truncated(context):
        yield found("slope-left-out", off / size, threshold=LEFT_OUT)


# Another order of the batch.


def _other_order(context: Context) -> Array | None:
    """Places of the examples in another order, which keeps lengths where they stand; None where the
    batch does not tell for certain which axis is theirs, or an order is meant.
    """
    pair, subject = context.pairing, context.subject
    if pair is None or subject.options.stateful or context.noisy or pair.axes.count < FEWEST:
        return None
    count = pair.axes.count
    shapes = [a.shape[:2] for a in (*subject.inputs_tuple, *subject.targets_tuple)]
    if any(shape == (count, count) for shape in shapes):
        return None
    groups = _lengths(context, pair)
    if groups is None:
        return None
    rows = np.arange(count)
    for group in np.unique(groups):
        places = np.flatnonzero(groups == group)
        rows[places] = np.roll(places, 1)
    return rows if (rows != np.arange(count)).any() else None


def _lengths(context: Context, pair: Pairing) -> Array | None:
    """One number for each example, the same for those that may change places."""
    subject = context.subject
    if context.valid is not None:
        return np.asarray(context.valid.sum(1))
    if subject.fixed_lengths:
        return None
    return np.zeros(pair.axes.count, int)


def _inputs(context: Context, pair: Pairing, rows: Array) -> Arrays:
    arrays = zip(context.subject.inputs_tuple, pair.axes.inputs, strict=True)
    return tuple(a if axis is None else np.take(a, rows, axis) for a, axis in arrays)


def _targets(context: Context, pair: Pairing, rows: Array) -> Arrays:
    views = zip(context.subject.targets_tuple, pair.axes.targets, strict=True)
    return tuple(
        y if view is None else np.take(y.reshape(view[0]), rows, view[1]).reshape(y.shape)
        for y, view in views
    )


def _differ(some: Arrays, others: Arrays) -> bool:
    return any(a.tobytes() != b.tobytes() for a, b in zip(some, others, strict=True))


def _targets_of(context: Context, pair: Pairing, rows: Array) -> Arrays:
    """The targets of some examples, where no target is flattened."""
    views = list(zip(context.subject.targets_tuple, pair.axes.targets, strict=True))
    if any(view is not None and view[0] != y.shape for y, view in views):
        raise CannotExamineError("targets of steps and examples stand in one row")
    return tuple(y if view is None else np.take(y, rows, view[1]) for y, view in views)


def _call_shorter(subject: Subject, inputs: Sequence[Array]) -> Arrays:
    """Outputs for fewer steps."""
    try:
        return subject.call(inputs, training=not subject.same_shapes)
    except Exception as error:
        raise CannotExamineError("the model takes sequences of one length only") from error


def _cut(array: Array, count: int, steps: int, most: int) -> Array:
    """Without the last steps, where the first two axes are examples and time."""
    if array.shape[:2] == (count, steps):
        return array[:, :most]
    return array[:most] if array.shape[:2] == (steps, count) else array


def _far(arrays: Arrays) -> bool:
    """Whether targets are numbers whose size is many times their spread."""
    return any(
        a.dtype.kind == "f" and float(np.abs(a).mean()) > FAR * float(a.std()) for a in arrays
    )


# Slopes.


def _truncated(context: Context) -> bool:
    """Whether a gradient goes back some steps and no further, as where long sequences are cut on
    purpose.
    """
    for name in context.data_leaves:
        series = gradient_by_step(context, name)
        if series is None:
            continue
        effect, gradient = series
        live = effect > LIVE * float(effect.max(initial=0.0))
        if (gradient > 0).sum() >= 2 and (gradient[live] == 0).any():
            return True
    return False


def _gradients(context: Context) -> dict[str, Array]:
    """Of the weights that are trained; zeros where there is none."""
    subject = context.subject
    backward = subject.first_backward
    if not backward.connected or not subject.scored:
        return {}
    trained = [
        p for p in subject.parameters() if p.trainable and p.registered and p.updated is not False
    ]
    return {p.name: or_zeros(backward.parameters.get(p.name), p.shape) for p in trained}


def _slopes(
    subject: Subject, gradients: dict[str, Array], seed: int
) -> tuple[float, float, float, float]:
    """Along a random direction, by the gradients, by differences of the outputs of two lengths, and
    by differences of the loss.
    """
    way = _direction(subject, gradients, seed)
    mine = sum(float((g.astype(np.float64) * way[n]).sum()) for n, g in gradients.items())
    (outputs, loss), (shorter, _) = (_differences(subject, way, length) for length in LENGTHS)
    return mine, outputs, shorter, loss


def _direction(subject: Subject, gradients: dict[str, Array], seed: int) -> dict[str, Array]:
    """Random signs, as large as the weights of each array are. Rows of an embedding that have no
    gradient among others that have one stay: the one for padding is left out on purpose.
    """
    rng = np.random.default_rng(seed)
    kinds = {p.name: p.kind for p in subject.parameters()}
    way = {}
    for name, value in zip(gradients, subject.values(list(gradients)), strict=True):
        size = max(float(np.sqrt(np.mean(np.square(value, dtype=np.float64)))), SMALLEST)
        way[name] = rng.choice([-size, size], value.shape)
        rows = gradients[name].any(axis=-1, keepdims=True) if value.ndim == 2 else np.ones(1, bool)
        if kinds[name] == "embedding" and rows.any():
            way[name] = way[name] * rows
    return way


def _differences(subject: Subject, way: dict[str, Array], length: float) -> tuple[float, float]:
    """Slope of the loss through that of the outputs, and of the loss itself."""
    names = list(way)
    values = dict(zip(names, subject.values(names), strict=True))
    sides, losses = [], []
    for sign in (1, -1):
        moved = {n: (v + sign * length * way[n]).astype(v.dtype) for n, v in values.items()}
        with subject.changed(moved):
            sides.append(subject.call(training=True))
            losses.append(subject.loss(sides[-1]))
    total = 0.0
    for k in subject.scored:
        gradient = subject.output_gradient[k]
        if gradient is not None:
            change = sides[0][k].astype(np.float64) - sides[1][k]
            total += float((gradient * change).sum())
    return total / (2 * length), (losses[0] - losses[1]) / (2 * length)

"""Which steps and which parts of the batch an output depends on: later steps, padding, none but one
step.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from lstm_ref.doctor import perturb
from lstm_ref.doctor.context import Context, Reach
from lstm_ref.doctor.pairing import need_fit
from lstm_ref.doctor.report import Finding, found
from lstm_ref.doctor.subject import Array, Arrays, CannotExamineError

# Nothing may arrive from later steps; the factor allows for kernels that choose another order of
# sums.
EXACT = 1e-5
# More padding makes other matrix sizes, so that sums come in another order: rounding of float32
# over a few hundred terms.
PADDING = 1e-3
# Padding that is read fades with its distance, and still moves outputs by far more than rounding.
MORE_PADDING = 3
# After many equal steps a state no longer moves, and three more of them move nothing: so the steps
# that are padding in all examples are taken away, too, where there are this many.
COMMON_PADDING = 3
# A table of small numbers, as a fresh one in Keras of 0.03, passes on little of a vector of its own
# size; what is masked stays where it is whatever the vector is.
VECTORS = (1.0, 10.0, 100.0)
# Padding that nobody told of: what reads it moves by some percents at the least.
READ = 0.01
# Share of the targets that must be the input shifted, for the program to be one that predicts the
# next step.
SHIFTED = 0.95
FEWEST_TOKENS = 4
# Steps that hold data in most examples, of which one alone has an effect: with fewer of them the
# sequences are so short that one step may be all there is.
FEWEST_MOVED, HALF = 3, 0.5
# Of the largest effect of a step. One that fades below rounding has an effect of about 1e-7 before
# it has none.
SHARP = 1e-2
FORGOTTEN = 1e-5  # a hundred times rounding: what the next step would have by the same fading
FARTHER = 10.0  # spreads of the input: what is rounded or shut moves by then


def future(context: Context) -> Iterator[Finding]:
    """No output may move with a later step, where the reader says so or the targets are the next
    inputs.
    """
    need_fit(context)
    for name in context.data_leaves:
        shift = 1 if context.subject.options.causal else next_step(context, name)
        reach = context.reach(name)
        if not shift or reach is None:
            continue
        worst = _worst(context, reach, shift)
        if worst is None:
            continue
        step, later, size = worst
        if size > EXACT:
            yield found("sees-the-future", size, step=step, later=later, where=name)
            return


def _worst(context: Context, reach: Reach, shift: int) -> tuple[int, int, float] | None:
    """The largest change at a step before the one that was moved, as a share of the largest of
    all.
    """
    found_one, worst = False, (0, 0, 0.0)
    largest = max(float(reach.moved.max(initial=0.0)), 1e-30)
    for t, row in zip(reach.steps, reach.moved, strict=True):
        for k, part in context.split(row).items():
            view = context.by_step(k, part, reach.length)
            if view is None or t < shift:
                continue
            found_one = True
            early = view[:, : t - shift + 1].reshape(len(view), t - shift + 1, -1).max(axis=(0, 2))
            step = int(early.argmax())
            worst = max(worst, (step, t, float(early[step]) / largest), key=lambda one: one[2])
    return worst if found_one else None


def next_step(context: Context, name: str) -> int:
    """How many steps the targets are ahead of this input, where they are the input itself; 0 where
    they are not.
    """
    x, y = _time_major(context, name), _targets_like(context, name)
    if x is None or y is None:
        return 0
    for shift in (1, 2):
        if (
            x.shape[1] > shift + 2
            and y.shape == x.shape
            and alike(y[:, :-shift], x[:, shift:]) > SHIFTED
        ):
            return shift
    return 0


def flattened_otherwise(context: Context) -> Iterator[Finding]:
    """Targets in one row that are the inputs one step later when read in one order of examples and
    steps, and meet outputs in the other order.
    """
    need_fit(context)
    pair = context.pairing
    for name in context.data_leaves if pair is not None else ():
        x = _time_major(context, name)
        if pair is None or x is None or x.shape[1] < 4:
            continue
        count, steps = x.shape[:2]
        for target, view in zip(context.subject.targets_tuple, pair.axes.targets, strict=True):
            if view is None or target.shape[:1] != (count * steps,) or target.shape == view[0]:
                continue
            rows = np.moveaxis(np.arange(count * steps).reshape(view[0][:2]), view[1], 0)
            other = np.arange(count * steps).reshape((count, steps) if view[1] else (steps, count))
            other = other if view[1] else other.T
            mine, theirs = (
                target[order].reshape(x.shape[:2] + target.shape[1:]) for order in (rows, other)
            )
            if theirs.shape != x.shape or _ahead(mine, x) > HALF or _ahead(theirs, x) <= SHIFTED:
                continue
            share = float((rows != other).mean())
            who = "an example and a step"
            yield found("targets-misaligned", share, where=name, who=who, certainty="strong")
            return


def _ahead(y: Array, x: Array) -> float:
    """Share of the targets (N, T) that are the input one step later."""
    return alike(y[:, :-1], x[:, 1:])


def _time_major(context: Context, name: str) -> Array | None:
    axis = context.time_axis(name)
    array = context.subject.inputs[name]
    return None if axis is None else np.moveaxis(array, axis, 1)


def _targets_like(context: Context, name: str) -> Array | None:
    """A leaf of targets in the shape (N, T, ...) of this input; None where none has it."""
    x, pair = _time_major(context, name), context.pairing
    if x is None or pair is None:
        return None
    for target, view in zip(context.subject.targets_tuple, pair.axes.targets, strict=True):
        if view is None:
            continue
        y = target.reshape(view[0])
        y = np.moveaxis(y, view[1], 0)
        if y.shape == x.shape:
            return y
        if y.shape[:2] == x.shape[:2] and y.ndim == 3 and y.shape[2] == 1:
            return np.broadcast_to(y, x.shape) if x.ndim == 3 and x.shape[2] == 1 else None
    return None


def alike(a: Array, b: Array) -> float:
    """Share of equal places, among those that are neither padding nor constant."""
    if a.dtype.kind == "f":
        close = np.isclose(a, b, rtol=1e-5, atol=1e-7)
        return float(close.mean()) if np.unique(a).size >= FEWEST_TOKENS else 0.0
    values, counts = np.unique(b, return_counts=True)
    usual = values[counts.argmax()] if counts.max() > 0.4 * b.size else None
    live = (a >= 0) & (b != usual if usual is not None else True)
    if live.sum() < 8 or np.unique(a[live]).size < FEWEST_TOKENS:
        return 0.0
    return float((a[live] == b[live]).mean())


def one_step_only(context: Context) -> Iterator[Finding]:
    """Of all the steps, only one has an effect; or each output moves with its own step alone."""
    for name in context.data_leaves:
        reach = context.reach(name)
        if reach is None or reach.length < 3:
            continue
        context.pictures.setdefault("reach", {})[name] = (list(reach.steps), reach.effect.tolist())
        finding = _few_steps(context, name, reach)
        # A last layer that starts at zero, beside a way around it, passes nothing on yet.
        if finding is not None and (other := context.shaken.reach(name)) is not None:
            if _few_steps(context.shaken, name, other) is not None:
                yield finding
                return


def _few_steps(context: Context, name: str, reach: Reach) -> Finding | None:
    moved = _not_all_padding(context, name, reach)
    live = [t for t, size in zip(reach.steps, reach.effect, strict=True) if size > 0]
    sequence = context.recurrent or context.subject.inputs[name].ndim == 3
    if len(moved) < FEWEST_MOVED:
        return None
    if len(live) == 1 and sequence:
        where = f"step {live[0]} of 0 to {reach.length - 1}"
        return found("short-reach", 1, where=where, steps=reach.length, detail="")
    if _own_step_only(context, reach, moved):
        where = "its own step"
        return found("short-reach", 1, where=where, steps=reach.length, detail=" at a step")
    return _cut_off(context, name, reach, moved)


def _cut_off(context: Context, name: str, reach: Reach, moved: tuple[int, ...]) -> Finding | None:
    """Half of the steps or more, up to one end, without any effect, beside one with an effect of
    full size. What is forgotten fades to 0 over many steps instead.
    """
    if (context.base == np.round(context.base)).all():  # what is rounded moves by whole numbers
        return None
    effect = dict(zip(reach.steps, reach.effect, strict=True))
    dead = [t for t in moved if effect[t] == 0]
    live = [t for t in moved if effect[t] > 0]
    if not dead or not live or not (max(dead) < min(live) or max(live) < min(dead)):
        return None
    early = max(dead) < min(live)
    silent, loud = (max(dead), min(live)) if early else (min(dead), max(live))
    while abs(silent - loud) > 1:  # the border lies between two steps that were moved
        middle = (silent + loud) // 2
        effect[middle] = context.step_effect(name, middle)
        silent, loud = (silent, middle) if effect[middle] > 0 else (middle, loud)
    first, last = (0, silent) if early else (silent, max(moved))
    size, few = effect[loud], last - first + 1 < HALF * reach.length
    if few and _pooled(context, reach.length - (last - first + 1)):
        return None
    largest, next_to_it = max(effect.values()), loud + (1 if early else -1)
    if not few and not size > SHARP * largest:
        return None
    if few and 0 <= next_to_it < reach.length:
        # Answers at all steps lack the last one where a model shifts its own inputs.
        fades = size / max(context.step_effect(name, next_to_it), size)
        if _answers_by_step(context, reach) or not size * fades > FORGOTTEN * largest:
            return None
    if context.step_effect(name, silent, FARTHER) > 0:
        return None
    ends: dict[str, Any] = {"first": first, "last": last, "end": reach.length - 1, "beside": loud}
    if few:
        ends["certainty"] = "remark"
    return found("steps-ignored", float(size), where=name, **ends)


def _pooled(context: Context, least: int) -> bool:
    """Whether the recurrent layers read fewer steps than these: a convolution with strides or a
    pooling before them leaves steps over.
    """
    read = [max(layer.x.shape[1], layer.calls) for layer in context.layers]
    return bool(read) and max(read) < least


def _answers_by_step(context: Context, reach: Reach) -> bool:
    """Whether outputs or targets have one answer for each step, or for all but some."""
    shapes = [context.subject.outputs[k].shape for k in context.subject.scored]
    shapes += [target.shape for target in context.subject.targets_tuple]
    return any(HALF * reach.length < size <= reach.length for s in shapes for size in s[1:])


def turned_back(context: Context) -> Iterator[Finding]:
    """A direction that reads from the end and stays in that order: its output at step t has read
    the last t + 1 inputs, and not those from t on.
    """
    need_fit(context)
    for name in context.data_leaves:
        reach = context.reach(name)
        if reach is None or not context.recurrent:
            continue
        end = reach.length - 1
        inner = [t for t in reach.steps if min(t, end - t) >= 2]
        rows = [context.split(reach.moved[reach.steps.index(t)]) for t in inner]
        for k in context.subject.scored if len(inner) >= 2 else ():
            views = [context.by_step(k, row[k], reach.length) for row in rows]
            moved = [
                np.asarray(v.any(tuple({*range(v.ndim)} - {1}))) for v in views if v is not None
            ]
            ends = _borders(moved, inner, end)
            if ends:
                first, t = max(zip(ends, inner, strict=True))
                yield found("direction-not-turned-back", first, step=t, where=name, end=end)
                return


def _borders(moved: Sequence[Array], inner: Sequence[int], end: int) -> list[int]:
    """The first output that moves with each of the inner steps, where it lies as far from the
    start as a direction that was not turned back puts it; empty where one lies elsewhere.
    """
    firsts = [int(row.argmax()) for row in moved if row.any()]
    both = [min(t, end - t) for t in inner]
    alone = [end - t for t in inner]
    return firsts if len(moved) == len(inner) and firsts in (both, alone) else []


def _not_all_padding(context: Context, name: str, reach: Reach) -> tuple[int, ...]:
    """Steps that were moved and are padding in less than half of the examples."""
    keep, axis = context.keep(name), context.time_axis(name)
    if keep is None or axis is None:
        return reach.steps
    padded = np.moveaxis(keep, axis, 0).reshape(reach.length, -1).mean(1)
    return tuple(t for t in reach.steps if padded[t] < HALF)


def _own_step_only(context: Context, reach: Reach, moved: tuple[int, ...]) -> bool:
    """Whether every output moves with the input at its own step and with no other, in spite of a
    recurrent layer.
    """
    if not context.recurrent:
        return False
    seen = False
    for t, row in zip(reach.steps, reach.moved, strict=True):
        if t not in moved:
            continue
        for k, part in context.split(row).items():
            view = context.by_step(k, part, reach.length)
            if view is None or not view[:, t].any():
                return False
            seen = True
            others = np.delete(view, t, 1)
            if others.any():
                return False
    return seen


def padding(context: Context) -> Iterator[Finding]:
    """More padding must not move the valid outputs."""
    valid = context.valid
    if valid is None:
        return
    need_fit(context)
    try:
        worst = more_padding(context, valid)
    except _RefusedError:
        yield from _other_padding(context, valid)
        return
    if worst[0] > PADDING:
        what = f"Adding {MORE_PADDING} padded steps, or taking away those that all have,"
        if _common_padding(valid) < COMMON_PADDING:
            what = f"Adding {MORE_PADDING} padded steps"
        yield found("reads-padding", worst[0], threshold=PADDING, what=what, j=worst[1])
    elif (finding := _alone(context, valid)) is not None:
        yield finding


def _alone(context: Context, valid: Array) -> Finding | None:
    """The shortest examples, each alone and without its padding: much padding may have brought a
    state to rest, so that three steps more move nothing.
    """
    subject, pair = context.subject, context.pairing
    if pair is None or subject.fixed_lengths or subject.framework == "keras":
        return None
    lengths = valid.sum(1)
    for j in np.argsort(lengths, kind="stable")[:FEWEST_MOVED]:
        steps = int(lengths[j])
        if not 0 < steps < valid.shape[1] or not valid[j, :steps].all():
            continue
        try:
            outputs = subject.call(_one_without_padding(context, int(j), steps, valid.shape[1]))
        except Exception:  # it takes one length, or no batch of one
            return None
        size = max(_apart_from(context, k, outputs[k], int(j), steps) for k in subject.scored)
        if size > PADDING:
            what = f"Taking it alone, without its {valid.shape[1] - steps} padded steps,"
            more: dict[str, Any] = {"what": what, "j": int(j), "certainty": "strong"}
            return found("reads-padding", size, threshold=PADDING, **more)
    return None


def _one_without_padding(context: Context, j: int, steps: int, length: int) -> Arrays:
    pair = context.pairing
    assert pair is not None
    arrays = []
    for (name, array), examples in zip(
        context.subject.inputs.items(), pair.axes.inputs, strict=True
    ):
        one = array if examples is None else np.take(array, [j], examples)
        axis = context.time_axis(name)
        cut = axis is not None and one.shape[axis] == length
        arrays.append(np.take(one, range(steps), axis) if cut else one)
    return tuple(arrays)


def _apart_from(context: Context, k: int, alone: Array, j: int, steps: int) -> float:
    """How far the outputs of an example alone are from those in the batch, at its valid steps, as
    a share of the outputs' size; 0 where they cannot be compared.
    """
    output, axis = context.subject.outputs[k], context.example_axis(k)
    if axis is None or alone.ndim != output.ndim or alone.shape[axis] != 1:
        return 0.0
    batched, one = np.take(output, j, axis), np.take(alone, 0, axis)
    longer = [a for a in range(one.ndim) if one.shape[a] != batched.shape[a]]
    if len(longer) > 1 or any(one.shape[a] != steps for a in longer):
        return 0.0
    for a in longer:
        batched = np.take(batched, range(steps), a)
    change = float(np.abs(batched - one).max(initial=0.0))
    return change / max(float(np.abs(output).max(initial=0.0)), 1e-30)


def ends_alike(context: Context) -> Iterator[Finding]:
    """A remark: examples that end in one value, which stands nowhere else, and a model that goes on
    over it, where nobody gave lengths. They may be data.

    Only one answer for each example tells: of answers at all steps nobody knows which are meant.
    """
    if context.valid is not None or context.filled_ends is None:
        return
    need_fit(context)
    name, valid = context.filled_ends
    subject = context.subject
    for k in subject.scored:
        if context.by_step(k, subject.outputs[k], valid.shape[1]) is not None:
            return
    if any(t.ndim > 1 and t.shape[1] > 1 and t.dtype.kind in "iu" for t in subject.targets_tuple):
        return  # a translation
    value = np.moveaxis(subject.inputs[name], context.time_axis(name) or 0, 1)[~valid].flat[0]
    rows = f"The ends of {int((~valid).any(1).sum())} of {len(valid)} examples are {value:g}"
    try:
        worst = more_padding(context, valid, name)
    except _RefusedError:
        if (finding := _other_vector(context, valid)) is not None:
            yield replace(finding, certainty="remark")
        return
    if worst[0] > READ:
        what = f"{rows}, which stands nowhere else; adding {MORE_PADDING} such steps"
        more: dict[str, Any] = {"what": what, "j": worst[1], "certainty": "remark"}
        yield found("reads-padding", worst[0], threshold=READ, **more)


class _RefusedError(Exception):
    """The model does not take longer sequences."""


def more_padding(context: Context, valid: Array, only: str = "") -> tuple[float, int]:
    """Largest change of a valid output with some padded steps more, in all leaves or in one, as a
    share of the outputs' size, and whose it is.
    """
    subject = context.subject
    batches = [_longer(context, valid, only)]
    if _common_padding(valid) >= COMMON_PADDING:
        batches.append(_shorter(context, valid, only))
    worst = (0.0, 0)
    for batch in batches:
        try:
            outputs = subject.call(batch)
        except Exception as error:
            raise _RefusedError from error
        for k in subject.scored:
            worst = max(worst, _moved_by_padding(context, subject.outputs[k], outputs[k], k, valid))
    return worst


def _common_padding(valid: Array) -> int:
    """Number of last steps that are padding in all examples, where none has padding in front."""
    used = np.flatnonzero(valid.any(0))
    return valid.shape[1] - int(used[-1]) - 1 if used.size and valid[:, 0].all() else 0


def _moved_by_padding(
    context: Context, before: Array, after: Array, k: int, valid: Array
) -> tuple[float, int]:
    """Largest change of a valid output, as a share of the outputs' spread, and whose it is."""
    steps = valid.shape[1]
    p, q = context.by_step(k, before, steps), _by_longer(context, after, before, valid, k)
    if p is not None and q is not None:
        steps = min(steps, q.shape[1])
        kept = _expand(valid[:, :steps], p.ndim)
        change = np.where(kept, np.abs(p[:, :steps] - q[:, :steps]), 0)
    elif before.shape == after.shape:
        axis = context.example_axis(k)
        if axis is None:
            return 0.0, 0
        change = np.moveaxis(np.abs(before - after), axis, 0)
    else:
        raise CannotExamineError("the outputs do not grow with the inputs")
    sizes = change.reshape(len(change), -1).max(1)
    j = int(sizes.argmax())
    return float(sizes[j]) / max(float(np.abs(before).max()), 1e-30), j


def _by_longer(context: Context, after: Array, before: Array, valid: Array, k: int) -> Array | None:
    """Outputs for more or for fewer steps as (N, T, ...); None where they have no axis of time."""
    steps = valid.shape[1]
    axes = [
        a
        for a in range(before.ndim)
        if after.ndim == before.ndim and after.shape[a] != before.shape[a]
    ]
    lengths = (steps + MORE_PADDING, steps - _common_padding(valid))
    if (
        len(axes) == 1
        and after.shape[axes[0]] in lengths
        and (examples := context.example_axis(k)) is not None
    ):
        return np.moveaxis(after, (examples, axes[0]), (0, 1))
    count = len(valid)
    other = next((T for T in lengths if after.shape[:1] == (count * T,)), 0)
    if after.ndim == before.ndim and other and before.shape[0] == count * steps:
        rows = context.by_step(k, before, steps)
        first = rows is not None and np.array_equal(rows.reshape(before.shape), before)
        shaped = after.reshape(((count, other) if first else (other, count)) + after.shape[1:])
        return shaped if first else shaped.swapaxes(0, 1)
    return None


def _expand(valid: Array, ndim: int) -> Array:
    return valid.reshape(valid.shape + (1,) * (ndim - 2))


def _longer(context: Context, valid: Array, only: str) -> Arrays:
    """All leaves of that length with some padding more, where the padding is."""
    left = bool((~valid[:, 0]).any()) and not bool((~valid[:, -1]).any())
    arrays = []
    for name, array in context.subject.inputs.items():
        axis = context.time_axis(name)
        if axis is None or array.shape[axis] != valid.shape[1] or (only and name != only):
            arrays.append(array)
            continue
        fill = _fill(array, axis, valid)
        arrays.append(
            np.concatenate([fill, array] if left else [array, fill], axis).astype(array.dtype)
        )
    return tuple(arrays)


def _shorter(context: Context, valid: Array, only: str) -> Arrays:
    """All leaves of that length without the steps that are padding in all examples."""
    steps = valid.shape[1] - _common_padding(valid)
    arrays = []
    for name, array in context.subject.inputs.items():
        axis = context.time_axis(name)
        fits = axis is not None and array.shape[axis] == valid.shape[1]
        chosen = fits and not (only and name != only)
        arrays.append(np.take(array, range(steps), axis) if chosen else array)
    return tuple(arrays)


def _fill(array: Array, axis: int, valid: Array) -> Array:
    """Some padded steps: with what stands at the padding now, or zeros."""
    steps = np.moveaxis(array, (1 - axis, axis), (0, 1))
    padded = steps[~valid]
    value = padded[0] if len(padded) else np.zeros(steps.shape[2:], array.dtype)
    block = np.broadcast_to(value, (steps.shape[0], MORE_PADDING, *steps.shape[2:]))
    return np.moveaxis(block, (0, 1), (1 - axis, axis)) if axis == 0 else block


def _other_padding(context: Context, valid: Array) -> Iterator[Finding]:
    """Where the length is fixed: other numbers at the padding of real-valued inputs."""
    subject, worst = context.subject, 0.0
    for name, array in subject.inputs.items():
        axis = context.time_axis(name)
        if (
            array.dtype.kind != "f"
            or axis is None
            or array.shape[axis] != valid.shape[1]
            or valid.all()
        ):
            continue
        keep = np.broadcast_to(_expand(valid if axis == 1 else valid.T, array.ndim), array.shape)
        moved = perturb.moved(array, (slice(None),), keep)
        outputs = subject.call(context.with_leaf(name, moved))
        for k in subject.scored:
            worst = max(
                worst, _moved_by_padding(context, subject.outputs[k], outputs[k], k, valid)[0]
            )
    if worst > PADDING:
        yield found(
            "reads-padding", worst, threshold=PADDING, what="Other numbers at the padding", j=0
        )
    elif (finding := _other_vector(context, valid)) is not None:
        yield finding


def _other_vector(context: Context, valid: Array) -> Finding | None:
    """For tokens of a fixed length: another vector in the embedding for the token that fills the
    ends, and stands nowhere else.
    """
    subject = context.subject
    tables = [p for p in subject.parameters() if p.kind == "embedding" and len(p.shape) == 2]
    tokens = [
        (name, array)
        for name, array in subject.inputs.items()
        if array.dtype.kind in "iu" and name in context.data_leaves
    ]
    if len(tables) != 1 or len(tokens) != 1 or valid.all():
        return None
    name, array = tokens[0]
    axis = context.time_axis(name)
    if axis is None or array.ndim != 2 or array.shape[axis] != valid.shape[1]:
        return None
    steps = array if axis == 1 else array.T
    fill = np.unique(steps[~valid])
    if len(fill) != 1 or fill[0] in steps[valid] or not 0 <= fill[0] < tables[0].shape[0]:
        return None
    table = subject.values([tables[0].name])[0]
    noise = np.random.default_rng(0).normal(size=table.shape[1]) * float(table.std())
    what = f"Another vector for token {fill[0]}, which only fills the ends,"
    for factor in VECTORS:
        other = table.copy()
        other[fill[0]] += factor * noise
        with subject.changed({tables[0].name: other.astype(table.dtype)}):
            outputs = subject.call()
        sizes = [
            _moved_by_padding(context, subject.outputs[k], outputs[k], k, valid)
            for k in subject.scored
        ]
        size, j = max(sizes, default=(0.0, 0))
        if size > PADDING:
            return found("reads-padding", size, threshold=PADDING, what=what, j=j)
    return None


def padding_is_scored(context: Context) -> Iterator[Finding]:
    """The loss must have no gradient at padded steps."""
    valid, subject = context.valid, context.subject
    if valid is None or valid.all():
        return
    need_fit(context)
    for k in subject.scored:
        gradient = subject.output_gradient[k]
        view = None if gradient is None else context.by_step(k, np.abs(gradient), valid.shape[1])
        if view is None:
            continue
        sizes = view.reshape(*valid.shape, -1).sum(-1)
        share = float(sizes[~valid].sum() / max(float(sizes.sum()), 1e-30))
        if share > EXACT:
            yield found("scores-padding", share, where=f"output {k}")
            return

"""Whether everything takes part: examples that differ, all of them scored, every output filled."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from lstm_ref.doctor.context import Context
from lstm_ref.doctor.report import Finding, found
from lstm_ref.doctor.subject import Array, Subject

# Fewer examples may be alike, or alone in having a gradient (a margin that all others keep), by
# chance.
FEWEST_EXAMPLES = 6
# Draws of the outputs at which the loss is asked which examples it looks at.
DRAWS = 3


def alike(context: Context) -> Iterator[Finding]:
    """All examples of the batch have the same inputs, and not the same targets."""
    pair = context.pairing
    if pair is None or pair.axes.count < FEWEST_EXAMPLES or not context.data_leaves:
        return
    names = list(context.subject.inputs)
    for name in context.data_leaves:
        array, axis = context.subject.inputs[name], pair.axes.inputs[names.index(name)]
        if axis is None or array.size == array.shape[axis] or np.ptp(array) == 0:
            return  # nothing stands in it, as in the zeros that a generator starts from
        if np.nan_to_num(np.ptp(array, axis=axis), nan=1.0).any():
            return
    targets = zip(context.subject.targets_tuple, pair.axes.targets, strict=True)
    rows = [np.moveaxis(t.reshape(v[0]), v[1], 0) for t, v in targets if v is not None]
    if any(bool((np.ptp(row.astype(np.float64), axis=0) > 0).any()) for row in rows):
        yield found("inputs-identical", 0.0, count=pair.axes.count)


def scored(context: Context) -> Iterator[Finding]:
    """The loss has a gradient at the outputs of one example alone, whatever the outputs are."""
    pair, subject = context.pairing, context.subject
    if pair is None or pair.mixed or pair.axes.count < FEWEST_EXAMPLES:
        return
    live = set[int]()
    for k in subject.scored:
        axis = context.example_axis(k)
        if axis is None:
            return
        for seed in range(DRAWS):
            outputs = list(subject.training_outputs)
            noise = np.random.default_rng(seed).normal(size=outputs[k].shape)
            outputs[k] = (outputs[k] + 0.1 * noise).astype(outputs[k].dtype) if seed else outputs[k]
            gradient = _gradient(subject, outputs, k, seed, axis)
            if gradient is None or not np.isfinite(gradient).all():
                return
            live |= set(np.flatnonzero(_by_example(gradient, axis)).tolist())
    if len(live) == 1:
        count, j = pair.axes.count, live.pop()
        yield found("examples-not-scored", count - 1, threshold=0.0, count=count, j=j)


def columns(context: Context) -> Iterator[Finding]:
    """Some of several answers to one example that the loss looks at neither in the outputs nor in
    the targets.
    """
    pair, subject = context.pairing, context.subject
    if pair is None or pair.axes.count < FEWEST_EXAMPLES or len(subject.scored) != 1:
        return
    k = subject.scored[0]
    output = subject.training_outputs[k]
    if output.ndim != 2 or output.shape[0] != pair.axes.count or output.shape[1] < 2:
        return
    if output.shape[1] in {context.length(name) for name in context.data_leaves}:
        return  # steps, of which the first may be left out as long as the state warms up
    for place, (where, target) in enumerate(subject.targets.items()):
        if target.shape != output.shape or target.dtype.kind != "f" or np.isnan(target).any():
            continue
        if (np.unique(target).size <= 2) or not np.ptp(target, axis=0).all():
            continue
        silent = _silent_columns(context, k, place)
        if silent.size:
            shape = f"columns {', '.join(map(str, silent[:6]))} of {output.shape}"
            names = "What makes these outputs gets"
            yield found("output-not-scored", 0.0, what=names, outputs=shape, where=where)
            return


def _silent_columns(context: Context, k: int, place: int) -> Array:
    """Columns at which the loss moves with neither outputs nor targets, over some draws."""
    subject = context.subject
    live: Array = np.zeros(0, bool)
    for seed in range(DRAWS):
        outputs = list(subject.training_outputs)
        rng = np.random.default_rng(seed)
        outputs[k] = (outputs[k] + rng.normal(size=outputs[k].shape)).astype(outputs[k].dtype)
        gradient = _gradient(subject, outputs, k, seed + 1, 0)
        if gradient is None or not np.isfinite(gradient).all():
            return np.zeros(0, int)
        now = np.asarray(gradient.any(axis=0))
        live = np.asarray(now if seed == 0 else live | now)
    if not live.any() or live.all():
        return np.zeros(0, int)
    targets = list(subject.targets_tuple)
    targets[place] = np.where(live, targets[place], np.roll(targets[place], 1, 0))
    same = subject.loss(subject.training_outputs, targets) == subject.loss(subject.training_outputs)
    return np.flatnonzero(~live) if same else np.zeros(0, int)


def _gradient(subject: Subject, outputs: list[Array], k: int, seed: int, axis: int) -> Array | None:
    try:
        return subject.loss_gradient(outputs)[k]
    except Exception:  # a loss may refuse what is no probability: then those of the neighbours
        outputs[k] = np.roll(subject.training_outputs[k], seed, axis)
        return subject.loss_gradient(outputs)[k]


def _by_example(gradient: Array, axis: int) -> Array:
    rows = np.moveaxis(np.abs(gradient), axis, 0).reshape(gradient.shape[axis], -1)
    return np.asarray(rows.sum(1))


def filled(context: Context) -> Iterator[Finding]:
    """Outputs of one step that are the same numbers whatever the weights are, and are scored."""
    pair, subject = context.pairing, context.subject
    large = context.largest_outputs if pair is not None and subject.scored else None
    if large is None:
        return
    k = subject.scored[0]
    output, gradient = subject.training_outputs[k], subject.output_gradient[k]
    steps = {context.length(name) for name in context.data_leaves}
    steps |= {t.shape[1] for t in subject.targets_tuple if t.ndim >= 2}
    for count in sorted(steps):
        views = [context.by_step(k, a, count) for a in (output, large, gradient) if a is not None]
        if len(views) < 3 or any(v is None or v.shape[1] < 3 for v in views):
            continue
        now, then, slope = (np.asarray(v) for v in views)
        same = np.moveaxis(now == then, 1, 0).reshape(count, -1).all(1)
        pulled = np.moveaxis(slope != 0, 1, 0).reshape(count, -1).any(1)
        empty = np.flatnonzero(same & pulled)
        if empty.size and not same.all():
            share = float(np.abs(slope[:, empty]).sum() / np.abs(slope).sum())
            yield found("output-never-filled", share, step=int(empty[0]))
            return

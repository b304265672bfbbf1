"""Whether everything takes part: examples that differ, all of them scored, every output filled."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from lstm_ref.doctor.context import Context
from lstm_ref.doctor.report import Finding, found
from lstm_ref.doctor.subject import Array

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
            gradient = subject.loss_gradient(outputs)[k]
            if gradient is None or not np.isfinite(gradient).all():
                return
            live |= set(np.flatnonzero(_by_example(gradient, axis)).tolist())
    if len(live) == 1:
        count, j = pair.axes.count, live.pop()
        yield found("examples-not-scored", count - 1, threshold=0.0, count=count, j=j)


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

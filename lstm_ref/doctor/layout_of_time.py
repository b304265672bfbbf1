"""Whether steps reach the recurrent layer in their order: a reshape in the place of a transpose
mixes steps and features.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from lstm_ref.doctor import perturb
from lstm_ref.doctor.context import Context
from lstm_ref.doctor.report import Finding, found
from lstm_ref.doctor.subject import Array, Recurrent

# What step t moves is, one step later, what step t + 1 moves: for a linear layer, a convolution, an
# embedding, lags, a pass in either direction, a pooling by its stride. Units of relu that are shut
# for one step make small differences; a reshape agrees in less than a quarter.
AGREES = 0.5
EVERYTHING = 0.8
FEWEST_STEPS = 5
MOST_STEPS = 6
# Fewer features lie within one kernel.
FEWEST_FEATURES = 4
# A convolution without padding shortens a sequence by its width.
EDGE = 6


def mixed(context: Context) -> Iterator[Finding]:
    """Compare what neighbouring steps of the input move in what the first recurrent layer reads."""
    pair = context.healthy_axes
    if pair is None or not context.layers or context.noisy:
        return
    for name in context.data_leaves:
        array, axis = context.subject.inputs[name], context.time_axis(name)
        if (
            axis is None
            or array.ndim != 3
            or array.dtype.kind != "f"
            or context.keep(name) is not None
        ):
            continue
        layer = context.layers[0]
        if (
            layer.calls != 1
            or len(layer.x) != array.shape[1 - axis]
            or layer.x.shape[1] < FEWEST_STEPS
        ):
            continue
        agree = [_agreement(context, name, layer, a) for a in (axis, 2)]
        known = [share for share in agree if share is not None]
        # As many numbers as before, along an axis of another length, are a reshape as well.
        steps = layer.x.shape[1]
        reshaped = (
            np.prod(layer.x.shape[1:]) == np.prod(array.shape[1:])
            and steps != array.shape[axis]
            and steps == array.shape[2]
        )
        if known and max(known) < AGREES and (agree[0] is not None or reshaped):
            yield found(
                "time-mixed-with-features",
                max(known),
                threshold=AGREES,
                where=layer.name or "of the model",
            )
            return


def _agreement(context: Context, name: str, layer: Recurrent, axis: int) -> float | None:
    """How far the places that a step moves are those of the step before, one step later or earlier;
    None without a stride.
    """
    array, steps = context.subject.inputs[name], layer.x.shape[1]
    stride = round(array.shape[axis] / steps)
    if stride < 1 or abs(array.shape[axis] - stride * steps) > EDGE * stride:
        return None
    # A sequence that is only cut has no stride, however short it becomes.
    shares = [_at_stride(context, name, layer, axis, one) for one in sorted({1, stride})]
    return max((share for share in shares if share is not None), default=None)


def _at_stride(
    context: Context, name: str, layer: Recurrent, axis: int, stride: int
) -> float | None:
    last = context.subject.inputs[name].shape[axis] - stride
    starts = sorted({int(t) for t in np.linspace(1, max(last - 1, 1), MOST_STEPS // 2)})
    best: list[list[float]] = [[], []]
    for t in starts:
        now, later = (_moved(context, name, layer, axis, at) for at in (t, t + stride))
        if now is None or later is None:
            return None
        # What moves everything, as an attention does, says nothing about order, and what moves
        # nothing is cut off.
        if not now.any() or not later.any() or min(now.mean(), later.mean()) > EVERYTHING:
            continue
        best[0].append(_alike(now[:-1], later[1:]))
        best[1].append(_alike(now[1:], later[:-1]))
    return max((float(np.mean(shares)) for shares in best if shares), default=None)


def _moved(context: Context, name: str, layer: Recurrent, axis: int, step: int) -> Array | None:
    """(T, F) of bool: what the layer reads that moves with one step of the input."""
    array = context.subject.inputs[name]
    new = perturb.moved(array, perturb.along(axis, step), amount=3.0)
    layers = context.subject.recurrent(context.with_leaf(name, new))
    same = [one for one in layers if one.name == layer.name and one.x.shape == layer.x.shape]
    return np.asarray((same[0].x != layer.x).any(axis=0)) if same else None


def _alike(a: Array, b: Array) -> float:
    either = int((a | b).sum())
    return float((a & b).sum()) / either if either else 1.0


def channels(context: Context) -> Iterator[Finding]:
    """A convolution that slides along the features and takes the steps as its channels: a feature
    moves its neighbours alone, a step moves everything.
    """
    pair = context.healthy_axes
    if pair is None or not context.layers or context.noisy:
        return
    layer = context.layers[0]
    for name in context.data_leaves:
        array, axis = context.subject.inputs[name], context.time_axis(name)
        if axis is None or array.ndim != 3 or array.dtype.kind != "f" or layer.calls != 1:
            continue
        if len(layer.x) != array.shape[1 - axis] or array.shape[2] < FEWEST_FEATURES:
            continue
        one = [_moved(context, name, layer, 2, k) for k in range(array.shape[2])]
        step = _moved(context, name, layer, axis, array.shape[axis] // 2)
        if step is None or step.mean() < EVERYTHING or any(m is None for m in one):
            continue
        wide = [
            np.asarray(m.any(axis=0)) for m in one if m is not None
        ]  # places among what a step reads
        whole = np.mean([m[:, w].mean() for m, w in zip(one, wide, strict=True) if m is not None])
        places = [np.flatnonzero(w) for w in wide]
        if whole > EVERYTHING and _slides(places, len(wide[0])):
            yield found(
                "steps-as-channels",
                float(step.mean()),
                threshold=EVERYTHING,
                width=int(np.median([len(p) for p in places])),
                count=len(wide[0]),
                where=layer.name or "of the model",
            )
            return


def _slides(places: list[Array], count: int) -> bool:
    """Whether each feature moves a few neighbouring places, and the next one those one further."""
    if any(len(p) < 2 or len(p) > count // 2 + 1 or np.ptp(p) != len(p) - 1 for p in places[1:-1]):
        return False
    return all(
        b[0] >= a[0] and b[-1] > a[0] for a, b in zip(places, places[1:], strict=False)
    ) and (places[0][0] < places[-1][0])

"""Scale, layout and leaks of the data."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from lstm_ref.doctor import perturb
from lstm_ref.doctor.context import Context, jittered
from lstm_ref.doctor.reach import SHIFTED, alike
from lstm_ref.doctor.report import Finding, found
from lstm_ref.doctor.structure import flatten
from lstm_ref.doctor.subject import Array

# Inputs of about one are meant. Weights of one over the root of the width make a pre-activation of
# the inputs' own size, and a sigmoid is within one percent of its end at 4.6; a series in degrees
# or percent is slow but works.
INPUT_SIZE = 25.0
# Returns of a day are about 0.01, those of a minute 0.001, and both train; from 0.0003 on the first
# layer's own biases drown what it reads.
LEAST_SIZE = 3e-4
# Outputs start within about one of zero; a distance of 20 takes Adam at 1e-3 about as many thousand
# steps.
TARGET_SIZE = 20.0
# A fresh model answers with less than its targets; a thousand times as much is far beyond any
# start.
OUTPUT_SIZE = 1e3
# A little noise on all weights moves outputs by a tenth of their usual size: outputs that a model
# scales back to the targets' unit move by as much more.
JITTERED = 10.0
# Windows of real numbers agree by accident in no example.
OVERLAP = 0.05
# Counts, flags and constants do: there must be this many times as many windows that are possible
# as there are in train.
BY_ACCIDENT = 100
# A score is a sum of products over the root of the sum of their squares: by chance a normal number
# of spread 1, however unlike the spreads of the single places are (the one step that carries the
# answer of a recall task, and noise at all others).
CHANCE = 4.0
CLEAR = 6.0
# Neighbours in time depend on each other in the series of all examples; chance gives both signs
# alike, and what stands at one step only is no series.
MOST_LINES = 0.5
FEW = 20
# Windows that overlap say the same many times over, along both axes: chance is larger there, and
# alike on both.
WINDOWS = 3.0
# Windows that overlap count the ends of a series less often, which moves the mean by about their
# length over the series' own.
STANDARD = 0.02
# Correlation of neighbours. A series that is worth a window is smooth along its time; channels that
# stand in the place of time are not, and after their mean is taken out they are opposed. Days of 24
# hours are smooth along both, or go on from the end of one day to the start of the next.
SMOOTH = 0.6
ROUGH = 0.25
GOES_ON = 0.3
LONGEST = 10


def one_step(context: Context) -> Iterator[Finding]:
    """A recurrent layer that runs over one step only, from a state of zero, and is called once."""
    for layer in context.layers:
        if layer.x.shape[1] == 1 and layer.calls == 1 and not layer.started:
            yield found("one-time-step", 1, where=layer.name or "of the model")
            return


def input_scale(context: Context) -> Iterator[Finding]:
    """The size of what the first recurrent layer reads."""
    for layer in context.layers[:1]:
        size = float(np.sqrt(np.mean(np.square(layer.x.astype(np.float64)))))
        where = layer.name or "the model's input"
        if size > INPUT_SIZE and layer.calls <= layer.x.shape[1] + 1:
            yield _scaled(size, where)
        elif 0 < size < LEAST_SIZE and _small_leaves(context):
            yield _scaled(size, where)
    if context.subject.framework == "numpy" and context.recurrent:
        for name in context.data_leaves:
            array = context.subject.inputs[name]
            size = (
                float(np.sqrt(np.nanmean(np.square(array.astype(np.float64)))))
                if array.dtype.kind == "f"
                else 0.0
            )
            if size > INPUT_SIZE and array.ndim == 3:
                yield _scaled(size, name)


def _scaled(size: float, where: str) -> Finding:
    limit = f"up to {INPUT_SIZE:g}" if size > INPUT_SIZE else f"no less than {LEAST_SIZE:g}"
    threshold = INPUT_SIZE if size > INPUT_SIZE else LEAST_SIZE
    return found("inputs-badly-scaled", size, threshold=threshold, where=where, limit=limit)


def _small_leaves(context: Context) -> bool:
    """Whether the inputs came in as small as that, so that no layer of the model made them so."""
    arrays = [context.subject.inputs[name] for name in context.data_leaves]
    return bool(arrays) and all(
        a.dtype.kind == "f" and float(np.nanmax(np.abs(a), initial=0.0)) < 10 * LEAST_SIZE
        for a in arrays
    )


def target_scale(context: Context) -> Iterator[Finding]:
    """The distance of the targets from the outputs, where the loss measures distances."""
    form = context.loss_form
    if form is None or form.kind != "distance" or context.fixed_outputs:
        return
    largest = max(1.0, float(np.sqrt(np.mean(form.target.astype(np.float64) ** 2))))
    output = float(np.sqrt(np.mean(form.output.astype(np.float64) ** 2)))
    if output > OUTPUT_SIZE * largest:
        yield found("outputs-too-large", output, threshold=OUTPUT_SIZE * largest)
        return
    distance = form.target.reshape(form.output.shape).astype(np.float64) - form.output
    size = float(np.sqrt(np.mean(distance**2)))
    if size > TARGET_SIZE * max(1.0, float(form.output.std())) and size > (
        TARGET_SIZE * JITTERED * _moved_by_weights(context, form.leaf)
    ):
        yield found("targets-badly-scaled", size, threshold=TARGET_SIZE)


def _moved_by_weights(context: Context, leaf: int) -> float:
    """How far outputs move with a little noise on all weights, root of the mean square."""
    subject = context.subject
    with subject.changed(jittered(subject)):
        other = subject.call(training=True)[leaf]
    return float(np.sqrt(np.mean((other.astype(np.float64) - subject.training_outputs[leaf]) ** 2)))


def time_axis(context: Context) -> Iterator[Finding]:
    """Neighbours along the axis that the model takes for the examples depend on each other, those
    along its time do not.
    """
    pair = context.healthy_axes
    if pair is None or not context.recurrent:
        return
    for name in context.data_leaves:
        array = context.subject.inputs[name]
        axis = context.time_axis(name)
        if axis is None or min(array.shape[:2]) < 4 or context.keep(name) is not None:
            continue
        targets = _targets_on(context, array)
        if (
            (copied := _shifted_along(targets, array, 1 - axis))
            > SHIFTED
            > 2 * _shifted_along(targets, array, axis)
        ):
            evidence = f"{copied:.0%} of the targets are the inputs one step later"
            against = (
                f"{_shifted_along(targets, array, axis):.0%} are (allowed for this {SHIFTED:.0%})"
            )
            yield _other_axis(copied, name, axis, evidence, against)
            return
        apart = _labels_change(context, array, 1 - axis)
        of_time = max([_score(array, axis), *(_score(t, axis, array) for t in targets)])
        rest = [(t, array) for t in targets]
        other = max(_score(q, 1 - axis, p, MOST_LINES, apart) for q, p in [(array, None), *rest])
        if of_time < CHANCE and other > max(CLEAR, WINDOWS * of_time):
            evidence = f"neighbours depend on each other (score {other:.1f}, {CLEAR:g} is clear)"
            against = f"they do not (score {of_time:.1f}; chance stays below {CHANCE:g})"
            yield _other_axis(other, name, axis, evidence, against)
            return


def time_in_features(context: Context) -> Iterator[Finding]:
    """Neighbours among the features depend on each other as those of a series do, those along the
    model's time do not: (N, D, T) was handed in for (N, T, D).
    """
    if context.healthy_axes is None or not context.recurrent:
        return
    for name in context.data_leaves:
        array, axis = context.subject.inputs[name], context.time_axis(name)
        if (
            axis is None
            or array.ndim != 3
            or array.dtype.kind != "f"
            or array.shape[2] < LONGEST
            or array.shape[2] < 2 * array.shape[axis]
            or array.shape[axis] < 2
            or context.keep(name) is not None
        ):
            continue
        values = np.moveaxis(array, axis, 1).astype(np.float64)
        values = values - values.mean(axis=0, keepdims=True)  # what all examples share is no series
        features, steps = _neighbours(values, 2), _neighbours(values, 1)
        if features > SMOOTH and steps < ROUGH and _joined(values) < GOES_ON:
            evidence = f"neighbours are alike (correlation {features:.2f})"
            against = f"they are not ({steps:.2f}; a series has {SMOOTH:g} or more)"
            more: dict[str, Any] = {
                "right": 2,
                "wrong": axis,
                "evidence": evidence,
                "against": against,
            }
            yield found("time-on-wrong-axis", features, threshold=SMOOTH, where=name, **more)
            return


def _neighbours(values: Array, axis: int) -> float:
    """Correlation of neighbours along an axis of (N, T, D), each line centred."""
    lines = values - values.mean(axis=axis, keepdims=True)
    a, b = (np.take(lines, range(k, lines.shape[axis] - 1 + k), axis) for k in (0, 1))
    size = float(np.sqrt((a * a).sum() * (b * b).sum()))
    return float((a * b).sum()) / size if size > 0 else 0.0


def _joined(values: Array) -> float:
    """Correlation between the last feature of a step and the first of the next, over examples and
    steps; large where the features are the parts of one long series.
    """
    last, first = (
        part - part.mean(axis=0, keepdims=True) for part in (values[:, :-1, -1], values[:, 1:, 0])
    )
    size = float(np.sqrt((last * last).sum() * (first * first).sum()))
    return float((last * first).sum()) / size if size > 0 else 0.0


def _other_axis(value: float, name: str, axis: int, evidence: str, against: str) -> Finding:
    more: dict[str, Any] = {
        "right": 1 - axis,
        "wrong": axis,
        "evidence": evidence,
        "against": against,
    }
    return found("time-on-wrong-axis", value, threshold=CHANCE, where=name, **more)


def _targets_on(context: Context, array: Array) -> list[Array]:
    return [t for t in context.subject.targets_tuple if t.shape[:2] == array.shape[:2]]


def _shifted_along(targets: list[Array], array: Array, axis: int) -> float:
    """Share of the targets that are the input one step later along an axis."""
    whole = [t for t in targets if t.shape == array.shape and array.shape[axis] > 3]
    now, later = perturb.along(axis, slice(None, -1)), perturb.along(axis, slice(1, None))
    return max((alike(t[now], array[later]) for t in whole), default=0.0)


def _labels_change(context: Context, array: Array, axis: int) -> Array | None:
    """Where neighbouring examples have other labels: those of one class are alike, and a batch may
    be sorted. None without.
    """
    count = array.shape[axis]
    labels = [
        t.ravel()
        for t in context.subject.targets_tuple
        if t.dtype.kind in "iub" and t.size == count
    ]
    return np.asarray(np.diff(labels[0].astype(int)) != 0) if labels else None


def _score(
    values: Array,
    axis: int,
    causes: Array | None = None,
    share: float = 0.0,
    apart: Array | None = None,
) -> float:
    """How far neighbours along an axis depend on each other, or targets on the inputs one step
    before; about 1 by chance.

    Each line along the axis is centred, so that examples of different level do not look like
    neighbours.

    Parameters
    ----------
    values : (A, B, ...)
    axis : 0 or 1
    causes : (A, B, ...), the inputs; None compares the values with themselves
    share : of the lines along the axis that must agree; what fewer of them carry is nothing
    apart : pairs of neighbours that count, of bool; None takes all
    """
    later = _columns(values)
    earlier = later if causes is None else _columns(causes)
    best = 0.0
    for q in later:
        for p in earlier:
            a = _centred(np.take(p, range(p.shape[axis] - 1), axis))
            b = _centred(np.take(q, range(1, q.shape[axis]), axis))
            products = a * b
            products = products if apart is None else np.compress(apart, products, axis)
            # Centred, few numbers are opposed to their neighbours by -1 / (their number - 1), and
            # what belongs to one label to the neighbours that have another.
            opposed = p.shape[axis] < FEW or apart is not None
            if causes is None and opposed and products.sum() < 0:
                continue
            if products.size and _lines_that_agree(products.sum(axis)) >= share:
                best = max(best, _beyond_chance(products))
    return best


def _lines_that_agree(sums: Array) -> float:
    """Share of the lines that carry what they add up to, where all are of one sign; less where some
    are of the other.
    """
    size = float(np.sqrt((sums**2).sum() * len(sums)))
    return abs(float(sums.sum())) / size if size > 1e-12 else 0.0


def _columns(values: Array) -> list[Array]:
    """Up to three features as (A, B) each; tokens as whether they are the most frequent ones."""
    if values.dtype.kind in "iub":
        tokens, counts = np.unique(values, return_counts=True)
        chosen = tokens[np.argsort(-counts)][:3]
        return (
            [(values.reshape(values.shape[:2]) == token).astype(float) for token in chosen]
            if values.ndim == 2
            else []
        )
    flat = values.reshape(*values.shape[:2], -1)
    return [flat[..., k].astype(np.float64) for k in range(min(3, flat.shape[-1]))]


def _centred(a: Array) -> Array:
    rows = a - a.mean(axis=0, keepdims=True)
    return np.asarray(rows - rows.mean(axis=1, keepdims=True))


def _beyond_chance(products: Array) -> float:
    """Size of a sum in units of its spread, were the signs of its parts those of coins."""
    spread = float(np.sqrt((products**2).sum()))
    return abs(float(products.sum())) / spread if spread > 1e-12 else 0.0


# Train and valid.


def leaves(context: Context, part: Any) -> tuple[list[Array], list[Array]]:
    """Arrays of inputs and of targets of a pair (x, y)."""
    sides = []
    for side in part:
        arrays, _ = flatten(side, lambda p: hasattr(p, "shape") and hasattr(p, "dtype"), "")
        sides.append([np.asarray(context.subject.plain(a)) for a in arrays.values()])
    return sides[0], sides[1]


def overlap(context: Context) -> Iterator[Finding]:
    """Validation examples that stand in train, as a whole or shifted by a few steps."""
    options = context.subject.options
    (train, _), (valid, _) = leaves(context, options.train), leaves(context, options.valid)
    if not train or not valid or train[0].ndim < 2 or valid[0].shape[1:] != train[0].shape[1:]:
        return
    known = {row.tobytes() for row in train[0]}
    same = float(np.mean([row.tobytes() in known for row in valid[0]]))
    if same > OVERLAP and _rich(valid[0]):
        yield found(
            "train-valid-overlap", same, threshold=OVERLAP, detail="stand in train as they are"
        )
        return
    shifted = _shifted_share(train[0], valid[0])
    if shifted > max(OVERLAP, _edge(valid[0])):
        detail = "overlap windows of train by more than half"
        yield found("train-valid-overlap", shifted, threshold=OVERLAP, detail=detail)


def _rich(array: Array) -> bool:
    """Whether examples are long enough, of enough values, not to agree by accident."""
    return bool(np.unique(array[: min(len(array), 200)]).size ** min(array[0].size, 20) > 1e7)


def _shifted_share(train: Array, valid: Array) -> float:
    """Share of the validation windows whose first or last half stands at another place in a window
    of train.
    """
    steps = valid.shape[1]
    if steps < 4 or valid.dtype.kind != "f":
        return 0.0
    half = steps // 2
    runs = set()
    for start in range(0, steps - half + 1):
        runs |= {row.tobytes() for row in np.ascontiguousarray(train[:, start : start + half])}
    ends = [np.ascontiguousarray(valid[:, :half]), np.ascontiguousarray(valid[:, -half:])]
    kinds = np.unique(valid[: min(len(valid), 200)]).size
    if kinds ** min(ends[0][0].size, 20) < BY_ACCIDENT * len(runs):
        return 0.0
    return float(
        np.mean(
            [
                any(np.ptp(end[k]) > 0 and end[k].tobytes() in runs for end in ends)
                for k in range(len(valid))
            ]
        )
    )


def _edge(valid: Array) -> float:
    """Windows on both sides of one cut overlap, as many as a window is long."""
    return float(1.2 * valid.shape[1] / max(len(valid), 1))


def scaler(context: Context) -> Iterator[Finding]:
    """A scale that fits train and valid together exactly, and train alone not."""
    options = context.subject.options
    (train, _), (valid, _) = leaves(context, options.train), leaves(context, options.valid)
    if (
        not train
        or not valid
        or train[0].dtype.kind != "f"
        or train[0].shape[1:] != valid[0].shape[1:]
    ):
        return
    a, b = _steps(train[0]), _steps(valid[0])
    both = np.concatenate([a, b])
    for feature in range(both.shape[1]):
        column, alone = both[:, feature], a[:, feature]
        if np.unique(column).size < 20:
            continue
        if _off(column) < STANDARD and _off(alone) > max(4 * STANDARD, 4 * _off(column)):
            where = (
                f"feature {feature}, mean within {STANDARD} of 0 and spread of 1; train alone is "
                "off by"
            )
            yield found("scaler-fitted-on-all", _off(alone), where=where)
            return
        if _spans(column) and not _spans(alone):
            yield found(
                "scaler-fitted-on-all", float(np.ptp(column)), where=f"feature {feature}, span"
            )
            return


def _steps(array: Array) -> Array:
    return array.reshape(-1, array.shape[-1]) if array.ndim == 3 else array.reshape(-1, 1)


def _off(column: Array) -> float:
    """How far a column is from mean 0 and spread 1."""
    return float(max(abs(column.mean()), abs(column.std() - 1)))


def _spans(column: Array) -> bool:
    low, high = float(column.min()), float(column.max())
    return any(abs(low - p) < 1e-6 and abs(high - 1) < 1e-6 for p in (0.0, -1.0))

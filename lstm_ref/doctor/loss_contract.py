"""Whether outputs and loss belong together, judged by how both behave, not by their names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from lstm_ref.cell import sigmoid
from lstm_ref.doctor.context import Context, enlarged_outputs
from lstm_ref.doctor.loss_form import OFF, LossForm, chances, over_another_axis
from lstm_ref.doctor.report import Finding, found
from lstm_ref.doctor.subject import Array, CannotExamineError, Subject
from lstm_ref.errors import ArgumentError

# Rows of probabilities sum to 1 up to rounding in float32 (and in half precision to about 1e-3).
SUM = 2e-3
BOUND = 1e-5  # rounding of a bounded activation
NEAR_BOUND = 0.5
NEAR_ZERO = 0.05
# Units of relu are 0 for about half of what goes in; linear ones are so by accident only.
CLIPPED = 0.05
# Targets beyond the range: a few may be outliers.
SHARE_OUTSIDE = 0.02
# A loss with bounded logits cannot fall below this; for two classes within -1 and 1 it is 0.13.
FLOOR = 0.1
# A sum instead of a mean matters where the first step is far too large.
UPDATE = 0.1
DOUBLED = (1.9, 2.1)
# Outputs are moved this often, so far, beside 1 and their own size: every loss that is right has
# some direction in which it grows. A loss that falls on to less than this many times its size has
# no bound.
DIRECTIONS, FAR, UNBOUNDED = 8, (3.0, 10.0, 30.0), 10.0


def accepts(context: Context) -> Iterator[Finding]:
    """The loss must run on the outputs; where it does not, perhaps it does on probabilities, or on
    other labels.
    """
    subject = context.subject
    try:
        subject.loss(subject.training_outputs)
        return
    except Exception as error:
        failed = error
    subject.has_loss = False  # what needs it is left out from here on
    finding = _wants_probabilities(subject) or _labels_outside(subject)
    if finding is None:
        raise ArgumentError(
            f"examine: loss(outputs, y) failed with {type(failed).__name__}: {failed}"
        ) from failed
    yield finding


def _wants_probabilities(subject: Subject) -> Finding | None:
    outputs = subject.training_outputs
    outside = float(np.mean([((o < 0) | (o > 1)).mean() for o in outputs if o.size]))
    if outside > 0 and _runs(subject, [sigmoid(o) for o in outputs]):
        return found("loss-wants-probabilities", outside, total=float(outputs[0].sum(-1).mean()))
    return None


def _labels_outside(subject: Subject) -> Finding | None:
    outputs = subject.training_outputs
    for k, target in enumerate(subject.targets_tuple):
        if target.dtype.kind not in "iuf" or not target.size:
            continue
        count = next((o.shape[-1] for o in outputs if o.ndim > target.ndim), 2)
        targets = list(subject.targets_tuple)
        targets[k] = np.clip(target, 0, count - 1 if target.dtype.kind in "iu" else 1).astype(
            target.dtype
        )
        if not (targets[k] == target).all() and _runs(subject, outputs, targets):
            worst = float(target.max() if target.max() > targets[k].max() else target.min())
            return found("label-outside", worst, low=0, high=float(targets[k].max()))
    return None


def _runs(
    subject: Subject, outputs: Sequence[Array], targets: Sequence[Array] | None = None
) -> bool:
    try:
        return bool(np.isfinite(subject.loss(outputs, targets)))
    except Exception:
        return False


def outputs_vary(context: Context) -> Iterator[Finding]:
    """Softmax over one output: all outputs are 1 with any weights."""
    subject = context.subject
    if not context.fixed_outputs:
        return
    spread = 0.0
    for outputs in enlarged_outputs(subject):
        spread = max([spread, *(float(np.abs(outputs[k] - 1).max()) for k in subject.scored)])
    if spread < BOUND:
        yield found("one-output-softmax", spread)


def contract(context: Context) -> Iterator[Finding]:
    """The kind of outputs that the loss wants against the kind that it gets."""
    form = context.loss_form
    if context.fixed_outputs:
        return
    if form is not None and (elsewhere := over_another_axis(form)):
        over, classes, off = elsewhere
        more: dict[str, Any] = {"over": " and ".join(map(str, over)), "classes": classes}
        yield found("loss-over-wrong-axis", off, threshold=OFF, **more)
    elif form is None or not form.kind:
        yield from _without_end(context.subject)
    elif form.kind == "softmax":
        yield from _softmax(context, form)
    elif form.kind == "sigmoid":
        yield from _sigmoid(context, form)
    elif form.kind in ("probabilities", "probability"):
        yield from _probabilities(context, form)
    elif form.kind == "log-probabilities":
        yield from _log_probabilities(form)
    elif form.kind == "distance":
        yield from _distance(context, form)


def _without_end(subject: Subject) -> Iterator[Finding]:
    """Labels, and a loss that falls by as much for each 1 that is added to all outputs: they stand
    for logarithms.
    """
    labels = any((t.dtype.kind in "iu" and t.size) or chances(t) for t in subject.targets_tuple)
    if not labels or len(subject.scored) != 1:
        return
    k = subject.scored[0]
    output = subject.training_outputs[k].astype(np.float64)
    if output.ndim < 2 or output.shape[-1] < 2:
        return
    totals = np.exp(output.clip(max=50)).sum(-1)
    losses = [_loss_with(subject, k, output + shift) for shift in (0.0, 1.0, 2.0)]
    first, second = -np.diff(losses)
    even = abs(first - second) < SUM * abs(first)
    if np.abs(totals - 1).max() > SUM * 5 and np.isfinite(losses).all() and first > 0 and even:
        yield found("loss-wants-log-probabilities", float(totals.mean()))


def _loss_with(subject: Subject, leaf: int, output: Array) -> float:
    """The loss with other outputs in one leaf; NaN where it refuses them."""
    outputs = list(subject.training_outputs)
    outputs[leaf] = output.astype(outputs[leaf].dtype)
    return _loss_or_nan(subject, outputs)


def slope(context: Context) -> Iterator[Finding]:
    """A loss without a slope, or with the wrong sign."""
    subject, form = context.subject, context.loss_form
    if not subject.scored:
        return
    parts = [subject.output_gradient[k] for k in subject.scored]
    if all(part is not None and not part.any() for part in parts) and not context.fixed_outputs:
        yield found("loss-constant", 0.0, count=sum(p.size for p in parts if p is not None))
        return
    if (
        form is not None
        and form.kind != "distance"
        and (push := _push(form)) is not None
        and push > 0
    ):
        outputs = subject.training_outputs
        what = (
            f"The loss pushes the output of the right class down: its gradient there is {push:.2g}"
        )
        yield found("loss-negative", push, what=what, loss=subject.loss(outputs))
    elif (fall := _falls_far_away(subject)) is not None:
        what = f"The farther outputs go away, in any direction, the less is the loss: {fall:.3g}"
        loss = subject.loss(subject.training_outputs)
        yield found("loss-negative", fall, what=what, loss=loss)


def _falls_far_away(subject: Subject) -> float | None:
    """The loss at outputs far away, where it falls without bound in every direction that is tried:
    a likelihood, or a distance, whose sign was turned.
    """
    start, last = list(subject.training_outputs), 0.0
    here = subject.loss(start)
    size = max((float(np.abs(start[k]).max(initial=0.0)) for k in subject.scored), default=0.0)
    for seed in range(DIRECTIONS):
        rng = np.random.default_rng(seed)
        moves = {k: (1 + size) * rng.normal(size=start[k].shape) for k in subject.scored}
        before = np.inf
        for far in FAR:
            outputs = list(start)
            for k, move in moves.items():
                outputs[k] = (start[k] + far * move).astype(start[k].dtype)
            last = _loss_or_nan(subject, outputs)
            if last == -np.inf:
                break
            if not last < before:
                return None
            before = last
        if not here - last > UNBOUNDED * (1 + abs(here)):
            return None
    # Outputs that are logarithms of probabilities never go where these did.
    reached = [_loss_or_nan(subject, outputs) for outputs in enlarged_outputs(subject)]
    if not all(loss < here for loss in reached):
        return None
    return min(reached) if here - min(reached) > UNBOUNDED * (1 + abs(here)) else None


def _loss_or_nan(subject: Subject, outputs: Sequence[Array]) -> float:
    try:
        return subject.loss(outputs)
    except Exception:  # a loss may refuse what is no probability
        return float("nan")


def _push(form: LossForm) -> float | None:
    """Mean gradient at the outputs of the right classes, as a share of the largest; None where
    there is no telling.
    """
    if not form.kind and not form.axes:
        return None
    if form.axis is None and form.axes:
        form = replace(form, axis=form.axes[0])
    gradient = form.gradient(np.random.default_rng(2).uniform(0.2, 0.8, form.output.shape))
    largest = float(np.abs(gradient).max(initial=0.0))
    if largest == 0 or not np.isfinite(largest):
        return None
    right = form.right()
    at = gradient[right]
    # Thresholds that a label exceeds are pushed the other way than one right class: a loss of
    # unknown form counts where the other outputs are not pushed down as well.
    if not form.kind and (gradient[~right] > SUM * largest).any():
        return None
    live = at[at != 0] / largest
    return float(live.mean()) if live.size and (np.sign(live) == np.sign(live[0])).all() else None


def sums(context: Context) -> Iterator[Finding]:
    """A sum over the examples: a remark, as long as it does not make the first step far too
    large.
    """
    subject, pair = context.subject, context.pairing
    if (
        pair is None
        or not subject.has_loss
        or not subject.has_optimizer
        or len(subject.scored) != 1
    ):
        return
    ratio = _doubled(context)
    if ratio is None or not DOUBLED[0] < ratio < DOUBLED[1]:
        return
    steps = context.reader_steps
    update = max((max(r.values(), default=0.0) for r in steps.ratios[:1]), default=0.0)
    certainty = None if update > UPDATE else "remark"  # Adam divides by the size of the gradient
    yield found("loss-sums", ratio, threshold=1.0, update=update, certainty=certainty)


def _doubled(context: Context) -> float | None:
    """Loss of the batch twice over the loss of the batch; None where it cannot be put together."""
    subject, pair = context.subject, context.pairing
    assert pair is not None
    outputs, targets = list(subject.training_outputs), list(subject.targets_tuple)
    for k, output in enumerate(outputs):
        axis = next((a for a, size in enumerate(output.shape) if size == pair.axes.count), None)
        if axis is None:
            return None
        outputs[k] = np.concatenate([output, output], axis)
    for k, (target, view) in enumerate(zip(targets, pair.axes.targets, strict=True)):
        if view is None or view[0] != target.shape:
            return None
        targets[k] = np.concatenate([target, target], view[1])
    once = subject.loss(subject.training_outputs)
    try:
        return subject.loss(outputs, targets) / once if once else None
    except Exception:
        raise CannotExamineError("the loss takes one size of batch only") from None


def _softmax(context: Context, form: LossForm) -> Iterator[Finding]:
    axis = form.axis
    assert axis is not None
    if context.output_runs_along(form.leaf) == axis and len(form.axes) > 1:
        yield found("classes-on-wrong-axis", form.output.shape[axis], axis=axis)
        return
    low, high = context.output_range
    probabilities = _are_probabilities(form.output, axis) and _are_probabilities(
        context.largest_outputs, axis
    )
    floor = form.loss(form.right().astype(np.float64))
    # log_softmax before a softmax changes nothing, and its outputs are negative.
    if probabilities or (low >= 0 and high <= 1 + BOUND and high > NEAR_BOUND):
        evidence = "adding 1 to all classes does not change it"
        yield found(
            "loss-wants-logits", floor, kind="softmax", evidence=evidence, low=low, high=high
        )
    elif -1 - BOUND <= low and high <= 1 + BOUND and high > NEAR_BOUND and floor > FLOOR:
        yield _out_of_reach(1.0, form, low, high)
    elif (
        low >= 0 and _zeros(context, form.leaf) > CLIPPED
    ):  # a dead unit stays dead, and no logit falls below another's 0
        yield _out_of_reach(1.0, form, 0.0, float("inf"))


def _zeros(context: Context, leaf: int) -> float:
    """Share of the outputs that are exactly 0, with weights as they are and with much larger ones;
    the least of them.
    """
    outputs = [context.subject.training_outputs[leaf], context.largest_outputs]
    return min(float((o == 0).mean()) for o in outputs if o is not None)


def _out_of_reach(
    share: float, form: LossForm, low: float, high: float, detail: str = ""
) -> Finding:
    least, most = float(form.target.min()), float(form.target.max())
    if form.kind in ("softmax", "sigmoid"):
        least, most = -float("inf"), float("inf")
    ends: dict[str, Any] = {"low": low, "high": high, "least": least, "most": most}
    ends["detail"] = detail
    return found("outputs-cannot-reach-targets", share, threshold=SHARE_OUTSIDE, **ends)


def _are_probabilities(output: Array | None, axis: int) -> bool:
    if output is None or output.shape[axis] < 2 or not np.isfinite(output).all():
        return False
    return bool((output >= 0).all()) and bool((np.abs(output.sum(axis) - 1) < SUM).all())


def _sigmoid(context: Context, form: LossForm) -> Iterator[Finding]:
    low, high = context.output_range
    if low >= -BOUND and high <= 1 + BOUND and high > NEAR_BOUND:
        floor = form.loss(form.target.reshape(form.output.shape).astype(np.float64))
        evidence = "it takes numbers outside 0 to 1"
        yield found(
            "loss-wants-logits", floor, kind="sigmoid", evidence=evidence, low=low, high=high
        )
    elif low >= 0 and (form.target < 0.5).any():  # a chance of less than one half cannot be said
        yield _out_of_reach(float((form.target < 0.5).mean()), form, 0.0, float("inf"))


def _probabilities(context: Context, form: LossForm) -> Iterator[Finding]:
    low, high = context.output_range
    output = form.output
    outside = float(((output < -SUM) | (output > 1 + SUM)).mean())
    total = 1.0 if form.axis is None else float(output.sum(form.axis).mean())
    if low < -SUM or high > 1 + SUM:
        yield found("loss-wants-probabilities", outside, total=total)
    elif form.kind == "probability" and (share := _shared_out(context, form)) > SHARE_OUTSIDE:
        yield _out_of_reach(
            share, form, 0.0, 1.0, "; the outputs of a row sum to 1, the targets not"
        )


def _shared_out(context: Context, form: LossForm) -> float:
    """Share of the rows whose targets do not sum to 1, where those of the outputs do whatever the
    weights are: a softmax, and answers that come together or not at all.
    """
    target, output = form.target.reshape(form.output.shape), form.output
    if output.ndim < 2 or not _are_probabilities(output, -1):
        return 0.0
    if not _are_probabilities(context.largest_outputs, -1):
        return 0.0
    return float((np.abs(target.astype(np.float64).sum(-1) - 1) > NEAR_BOUND).mean())


def _log_probabilities(form: LossForm) -> Iterator[Finding]:
    axis = form.axis
    assert axis is not None
    totals = np.exp(form.output).sum(axis)
    if np.abs(totals - 1).max() > SUM * 5:
        yield found("loss-wants-log-probabilities", float(totals.mean()))


def _distance(context: Context, form: LossForm) -> Iterator[Finding]:
    target = form.target.astype(np.float64)
    low, high = context.output_range
    # A bound is come near to; outputs of one sign may be an accident of the draws.
    near = abs(low) < NEAR_ZERO or low < -NEAR_BOUND
    bounded_below, bounded_above = (
        low >= -1 - BOUND and near,
        high <= 1 + BOUND and high > NEAR_BOUND,
    )
    least = -np.inf if not bounded_below else (0.0 if low >= -BOUND else -1.0)
    most = 1.0 if bounded_above else np.inf
    margin = 0.02 * max(float(target.std()), 1e-3)
    share = float(((target < least - margin) | (target > most + margin)).mean())
    if share > SHARE_OUTSIDE and not context.constant_outputs:
        yield _out_of_reach(share, form, least, most)
        return
    labels = np.unique(form.target)
    whole = form.target.dtype.kind in "iu" and 3 <= len(labels) <= 20
    if whole and (labels == np.arange(len(labels))).all() and form.output.size == form.target.size:
        yield found("wrong-loss-for-task", len(labels))

"""Whether the targets can be learned from: more than one, within the range, scored, and not in the
inputs already.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from lstm_ref.cell import sigmoid
from lstm_ref.doctor.context import Context
from lstm_ref.doctor.loss_form import LossForm, softmax
from lstm_ref.doctor.reach import alike, next_step
from lstm_ref.doctor.repeat import draws_in_training
from lstm_ref.doctor.report import Finding, found
from lstm_ref.doctor.subject import Array

# A batch of one label is no accident from here on: with a class of 20 % it happens once in 35.
FEWEST_LABELS = 16
# Of a class of 5 % none is among 16 in two of five batches, among 32 in one of five; where nothing
# says that it is rare, that many of "no" are no accident any more.
FEWEST_ABSENT = 32
# A loss that weighs the other answer so much more, or outputs that begin so near to this one, are
# made for a rare class.
WEIGHED, BEGUN = 3.0, 0.85
OTHERS = 5  # answers with which a class has no gradient, where the form of the loss is not known
# Copies are exact; a share leaves room for padding and missing values.
COPIES = 0.98
# Largest effect of a step on its own output over that on those before it: 1 to 2 where only a code
# tells of it.
BESIDE = 5.0
# A column computed from the target agrees with it up to rounding of float32; neighbours of a smooth
# series do not.
AFFINE = 1e-5
# Numbers that copy by accident: a window of few distinct values.
FEWEST_VALUES = 6
# More whole numbers than classes have, as a rule, are counts or amounts.
MOST_CLASSES = 20
# Outputs at which the slope of a loss is compared with that of a cross-entropy: both are chances.
POINTS = (0.5, 0.9)
# Of the places: more of one label are what nobody asks for. Standard deviations of a share of so
# many rows, and the fewest rows of which a share says anything.
MOST, CHANCE, FEWEST_ROWS = 0.4, 3.0, 8


def one_label(context: Context) -> Iterator[Finding]:
    """All labels alike."""
    form = context.loss_form
    for target in context.subject.targets_tuple:
        is_label = target.dtype.kind in "iub" or (
            form is not None and form.kind in ("sigmoid", "probability")
        )
        live = target[target >= 0] if target.dtype.kind in "if" else target.ravel()
        if not is_label or target.ndim > 1 + (target.shape[-1:] == (1,)):
            continue
        if live.size >= FEWEST_LABELS and np.unique(live).size == 1:
            certainty = "remark" if _other_is_rare(context, live) else None
            yield found(
                "one-label",
                float(live.flat[0]),
                count=live.size,
                where="this batch",
                certainty=certainty,
            )


def _other_is_rare(context: Context, live: Array) -> bool:
    """Whether a batch of "no" alone may be an accident: one of two answers, and few examples, or a
    loss or outputs that were made for a rare "yes".
    """
    form = context.loss_form
    if live.flat[0] != 0 or form is None or not form.kind or form.output.size == 0:
        return False
    classes = 2 if form.axis is None else form.output.shape[form.axis]
    if classes != 2:
        return False
    if live.size < FEWEST_ABSENT:
        return True
    chance = _chance_of_no(form)
    return _weight_of_yes(context, form) > WEIGHED or (chance is not None and chance > BEGUN)


def _chance_of_no(form: LossForm) -> float | None:
    """Mean probability of the label 0 at the outputs as they begin."""
    output = form.output.astype(np.float64)
    if form.kind == "softmax" and form.axis is not None:
        return float(np.take(softmax(output, form.axis), 0, form.axis).mean())
    if form.kind == "sigmoid":
        return float(1 - sigmoid(output).mean())
    return float(1 - output.mean()) if form.kind == "probability" else None


def _weight_of_yes(context: Context, form: LossForm) -> float:
    """How much more the loss pulls at outputs that say nothing where the answer is 1, not 0."""
    outputs = list(context.subject.training_outputs)
    says_nothing = 0.5 if form.kind == "probability" else 0.0
    outputs[form.leaf] = np.full_like(outputs[form.leaf], says_nothing)
    sizes = []
    for answer in (0, 1):
        targets = [
            np.where(t == t.flat[0], answer, t).astype(t.dtype) if t.size == form.target.size else t
            for t in context.subject.targets_tuple
        ]
        gradient = context.subject.loss_gradient(outputs, targets)[form.leaf]
        sizes.append(0.0 if gradient is None else float(np.abs(gradient).sum()))
    return sizes[1] / max(sizes[0], 1e-30)


def outside(context: Context) -> Iterator[Finding]:
    """Labels that the loss cannot mean."""
    form = context.loss_form
    if form is None:
        return
    target = form.target
    if form.kind in ("sigmoid", "probability") or _takes_chances(form):
        low, high = 0.0, 1.0
    elif form.of_classes and form.axis is not None and form.target.ndim < form.output.ndim:
        low, high = 0.0, float(form.output.shape[form.axis] - 1)
        target = target[target > high] if (target > high).any() else target[:0]
    else:
        return
    wrong = target[(target < low) | (target > high)]
    if wrong.size:
        yield found("label-outside", float(wrong.flat[0]), low=low, high=high)


def _takes_chances(form: LossForm) -> bool:
    """Whether a loss of one output and of whole numbers, some of them neither 0 nor 1, is a
    cross-entropy: its gradient is that of logits or of probabilities at these labels.
    """
    whole = np.unique(form.target)
    if form.kind or form.axes or whole.size > MOST_CLASSES or (whole != np.round(whole)).any():
        return False
    if form.target.size != form.output.size or not ((whole < 0) | (whole > 1)).any():
        return False
    y = form.target.astype(np.float64).ravel()
    slopes = [form.gradient(np.full(form.output.shape, at)).ravel() for at in POINTS]
    if not np.isfinite(slopes).all():
        return False
    return any(
        _one_factor([s / expected(at, y) for at, s in zip(POINTS, slopes, strict=True)])
        for expected in (_logit_slope, _chance_slope)
    )


def _logit_slope(output: float, y: Array) -> Array:
    return np.asarray(1 / (1 + np.exp(-output)) - y)


def _chance_slope(output: float, y: Array) -> Array:
    return np.asarray((output - y) / (output * (1 - output)))


def _one_factor(ratios: list[Array]) -> bool:
    """Whether all ratios of two gradients are one number: the slope of a squared error or of a
    Poisson likelihood is that of a cross-entropy at one output, and not at another.
    """
    every = np.concatenate(ratios)
    middle = float(np.median(every))
    return middle > 0 and bool(np.ptp(every) < 0.01 * middle)


def without_gradient(context: Context) -> Iterator[Finding]:
    """A true class whose rows have no gradient."""
    form, subject = context.loss_form, context.subject
    if form is None or form.target.dtype.kind not in "iu":
        return
    gradient = subject.output_gradient[form.leaf]
    if gradient is None or form.target.ndim >= form.output.ndim or context.fixed_outputs:
        return
    if form.axis is not None:
        rows = np.abs(gradient).sum(form.axis)
    elif not form.kind and len(form.axes) == 1:
        # A margin may leave out who is right; with the answers of others nobody is for long.
        others = [form.gradient(np.roll(form.output, k, axis=0)) for k in range(OTHERS)]
        rows = np.max([np.abs(g).sum(form.axes[0]) for g in others], axis=0)
    else:
        return
    for label in np.unique(form.target[form.target >= 0]):
        at = form.target == label
        if rows[at].any() or not rows.any():
            continue
        at = at & _counted(context, form, label)
        if at.sum() >= 2:
            yield found("label-without-gradient", float(label), count=int(at.sum()))


def _counted(context: Context, form: LossForm, label: int) -> Array:
    """True at labels of one value that are no padding, as far as one sees it."""
    target, valid = form.target, context.valid
    if target.ndim == 1 and (valid is None or target.shape[0] != valid.size):
        pair = context.pairing
        return np.full(target.shape, pair is not None and pair.axes.count == target.shape[0])
    if valid is not None and target.size == valid.size:
        shaped = valid.reshape(target.shape) if target.shape != valid.T.shape else valid.T
        # Lengths of a source are not those of an answer that happens to be as long.
        if np.unique(target[~shaped]).size == 1:
            return shaped
    if target.ndim != 2:
        return np.zeros(target.shape, bool)
    if _one_run_each(target == label):  # as padding behind a start token is
        return np.zeros(target.shape, bool)
    ends = in_end_runs(target == label)
    inside = (~ends & (target == label)).any()
    if inside and (not ends.any() or _scattered(target == label)):
        return np.asarray(~ends)
    return np.zeros(target.shape, bool)


def _scattered(equal: Array) -> bool:
    """Whether a label stands at the ends of the rows no more often than elsewhere, as padding does,
    and not at most places, as the rest of a text does of which some words are asked.
    """
    share, count = float(equal.mean()), len(equal)
    if count < FEWEST_ROWS:
        return False
    allowed = share + CHANCE * float(np.sqrt(share * (1 - share) / count))
    return share < MOST and bool((equal[:, [0, -1]].mean(0) <= allowed).all())


def _one_run_each(equal: Array) -> bool:
    """Whether the places of a label are one run in every row, and longer than one in some: a class
    stands here and there.
    """
    starts = equal & ~np.pad(equal[:, :-1], ((0, 0), (1, 0)))
    runs = starts.sum(1)
    return bool((runs <= 1).all()) and bool(equal.sum() > runs.sum())


def in_end_runs(equal: Array) -> Array:
    """True where all places from here to an end of the row are equal, too."""
    forward = np.logical_and.accumulate(equal, axis=1)
    backward = np.logical_and.accumulate(equal[:, ::-1], axis=1)[:, ::-1]
    return np.asarray(forward | backward)


def answer_in_input(context: Context) -> Iterator[Finding]:
    """Targets that stand in the inputs at the place that the output reads."""
    for name in context.data_leaves:
        if next_step(context, name):
            continue
        place = (
            _last_step_copy(context, name)
            or _same_step_copy(context, name)
            or _shown_to_the_decoder(context, name)
        )
        if place is not None:
            share, where = place
            yield found("answer-in-input", share, threshold=COPIES, where=where)
            return


def _last_step_copy(context: Context, name: str) -> tuple[float, str] | None:
    """A real-valued target that is a feature of the last step."""
    array, axis = context.subject.inputs[name], context.time_axis(name)
    pair = context.pairing
    if pair is None or axis is None or array.dtype.kind != "f" or array.ndim > 3:
        return None
    last = np.take(array, -1, axis)
    last = last.reshape(pair.axes.count, -1)
    for target in context.subject.targets_tuple:
        if target.dtype.kind != "f" or target.size != pair.axes.count:
            continue
        y = target.ravel()
        if np.unique(y).size < FEWEST_VALUES:
            continue
        shares = [float(np.isclose(y, column, rtol=1e-5, atol=1e-7).mean()) for column in last.T]
        if max(shares) > COPIES:
            return max(shares), f"feature {int(np.argmax(shares))} of the last step of {name}"
    return None


def _shown_to_the_decoder(context: Context, name: str) -> tuple[float, str] | None:
    """Numbers to give back, as by an autoencoder, where each output reads its own step beside the
    code: a step moves its own output far more than those before it, which only the code tells.
    """
    subject, axis = context.subject, context.time_axis(name)
    array = subject.inputs[name]
    if axis is None or array.ndim != 3 or array.dtype.kind != "f" or len(subject.scored) != 1:
        return None
    copies = [y for y in subject.targets_tuple if y.shape == array.shape]
    share = max((float(np.isclose(y, array).mean()) for y in copies), default=0.0)
    reach = context.reach(name)
    if share <= COPIES or reach is None or draws_in_training(subject):
        return None
    ratios = []
    for t, row in zip(reach.steps, reach.moved, strict=True):
        for k, part in context.split(row).items():
            view = context.by_step(k, part, reach.length)
            if view is None:
                return None
            if t > 2 and (before := float(view[:, :t].max())) > 0:
                ratios.append(float(view[:, t].max()) / before)
    if len(ratios) < 3 or not float(np.median(ratios)) > BESIDE:
        return None
    return share, f"the same step of {name}, which the decoder reads, too"


def future_in_input(context: Context) -> Iterator[Finding]:
    """A feature of the last step that is the target up to a factor, where the step before it is
    not, or where it is the same at all steps and others are not.
    """
    pair = context.pairing
    for name in context.data_leaves if pair is not None else ():
        array, axis = context.subject.inputs[name], context.time_axis(name)
        if (
            pair is None
            or axis is None
            or array.dtype.kind != "f"
            or array.ndim != 3
            or context.length(name) < 2
        ):
            continue
        steps = [np.take(array, k, axis).reshape(pair.axes.count, -1) for k in (-1, -2)]
        still = (np.ptp(array, axis=axis) == 0).all(0)  # (D,), features that no step changes
        for target in context.subject.targets_tuple:
            if (
                target.dtype.kind != "f"
                or target.size != pair.axes.count
                or np.unique(target).size < FEWEST_LABELS
            ):
                continue
            errors = [
                [_affine_error(column, target.ravel()) for column in step.T] for step in steps
            ]
            k = int(np.argmin(errors[0]))
            if errors[0][k] < AFFINE and (
                errors[1][k] > 100 * AFFINE or (still[k] and not still.all())
            ):
                where = f"Feature {k} of the last step of {name}"
                yield found("future-in-input", errors[0][k], threshold=AFFINE, where=where)
                return


def _affine_error(column: Array, y: Array) -> float:
    """What the best a * column + b leaves of y, as a share of its spread."""
    p, q = column.astype(np.float64), y.astype(np.float64)
    p, q = p - p.mean(), q - q.mean()
    square = float(p @ p)
    if square == 0 or not np.isfinite(square):
        return 1.0
    return float(np.linalg.norm(q - (p @ q) / square * p) / max(float(np.linalg.norm(q)), 1e-30))


def _same_step_copy(context: Context, name: str) -> tuple[float, str] | None:
    """Tokens to predict that are the tokens of the same step, in a model that reads no later
    step.
    """
    subject, axis = context.subject, context.time_axis(name)
    array, pair = subject.inputs[name], context.pairing
    if pair is None or axis is None or array.ndim != 2 or array.dtype.kind not in "iu":
        return None
    for target, view in zip(subject.targets_tuple, pair.axes.targets, strict=True):
        if view is None or target.dtype.kind not in "iu" or int(np.prod(view[0][:2])) != array.size:
            continue
        if target.size != array.size or len(view[0]) < 2:
            continue
        y = target.reshape(view[0][:2])
        y = y if view[1] == pair.axes.inputs[list(subject.inputs).index(name)] else y.T
        share = alike(y, array)
        if share > COPIES and _reads_own_step(context, name):
            return share, f"the same step of {name}"
        turned = np.moveaxis(array, axis, 1), y if axis == 1 else y.T
        if turned[0].shape[1] > 3 and _reads_own_step(context, name):
            share = alike(turned[1][:, 1:], turned[0][:, :-1])
            if share > COPIES:
                return share, f"the step before of {name}: shifted the wrong way"
    return None


def _reads_own_step(context: Context, name: str) -> bool:
    """Whether an output moves with the token of its own step and with no later one, as that of a
    language model.
    """
    reach, seen = context.reach(name), 0
    if reach is None:
        return False
    for t, row in zip(reach.steps, reach.moved, strict=True):
        if not row.any():  # all examples are padding there
            continue
        seen += 1
        for k, part in context.split(row).items():
            view = context.by_step(k, part, reach.length)
            if view is None or not view[:, t].any() or view[:, :t].any():
                return False
    return seen > 1

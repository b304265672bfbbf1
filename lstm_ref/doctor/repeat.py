"""Whether the same call gives the same outputs, and leaves the model as it was."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from lstm_ref.doctor import perturb
from lstm_ref.doctor.context import Context
from lstm_ref.doctor.pairing import other_weights
from lstm_ref.doctor.reach import next_step
from lstm_ref.doctor.report import Finding, found
from lstm_ref.doctor.subject import Array, CannotExamineError, Subject

# Rates of 0.5 are usual, of 0.65 the largest that recipes for text name; 0.8 and 0.9 are usual
# shares to keep.
TOO_MUCH = 0.8
# Share of the outputs; without dropout behind them none of them is exactly 0 by chance.
DROPPED = 0.02

# The square of outputs beyond it is no number of float32 any more: what made them so is said.
HUGE = 1e6
# Of the largest output: sums of another order are rounding, a vector that belongs to a place moves
# outputs by percents.
COMPANY = 1e-3
FEWEST_EXAMPLES = 4  # fewer may be alike, or stand where they stood, by chance


def runs(context: Context) -> Iterator[Finding]:
    """The model must take its batch, in training and in evaluation; numbers must be finite."""
    subject = context.subject
    computed = all(map(_finite, (*subject.training_outputs, *subject.outputs)))
    for leaves, harmless in ((subject.inputs, computed), (subject.targets, _finite_loss(subject))):
        for name, array in leaves.items():
            bad = 0 if harmless or array.dtype.kind != "f" else int((~np.isfinite(array)).sum())
            if bad:
                yield found("not-finite", bad, where=name)
    for output in subject.training_outputs:
        if (bad := int((~np.isfinite(output)).sum())) and all(map(_finite, subject.inputs_tuple)):
            yield found("not-finite", bad, where="the outputs")
    largest = max((float(np.abs(o).max(initial=0.0)) for o in subject.training_outputs), default=0)
    if (
        computed
        and largest < HUGE
        and subject.has_loss
        and all(map(_finite, subject.targets_tuple))
    ):
        if not _finite_at(subject):
            yield found("not-finite", 1, where="the loss, of finite outputs and targets,")


def _finite_at(subject: Subject) -> bool:
    """Whether the loss of the outputs is a number, or fails, which another examination tells."""
    try:
        return bool(np.isfinite(subject.loss(subject.training_outputs)))
    except Exception:
        return True


def _finite_loss(subject: Subject) -> bool:
    """Whether the loss is a number in spite of what is missing in the targets: it leaves that
    out.
    """
    if all(map(_finite, subject.targets_tuple)):
        return True
    try:
        return subject.has_loss and bool(np.isfinite(subject.loss(subject.training_outputs)))
    except Exception:  # a loss that fails is told by the examination of the loss
        return False


def _finite(array: Array) -> bool:
    return array.dtype.kind != "f" or bool(np.isfinite(array).all())


def repeatability(context: Context) -> Iterator[Finding]:
    """Second calls: with the same random numbers, with others, and from the state that the first
    one left.
    """
    subject = context.subject
    first = subject.outputs
    again = difference(first, subject.call())
    if again > 0:
        yield found("not-repeatable", again, detail="even with the same random numbers")
        return
    anew = subject.call(seed=1)
    other = difference(first, anew)
    if other > 0:
        drawn = subject.draws_numbers()
        id = "not-repeatable" if drawn else "noise-in-evaluation"
        # A sample beside the mean and the spread that it is drawn with, as in a variational
        # autoencoder: a state that starts at random leaves no scored output as it is.
        scored = {k: difference([first[k]], [anew[k]]) for k in subject.scored}
        sampled = drawn and not all(scored.values())
        detail = f"{drawn} draws in the forward pass" if drawn else "dropout acts"
        yield found(id, other, detail=detail, certainty="remark" if sampled else None)
        return
    if subject.options.stateful:
        yield from _starts_anew(context)
        return
    subject.call()
    second = subject.call(go_on=True)
    carried = difference(first, second)
    if carried > 0 and _remembers(subject, second):
        yield found("state-carried", carried, certainty="remark" if goes_on(context) else None)
    elif carried > 0:
        yield found(
            "not-repeatable",
            carried,
            detail="a counter or a generator of the model's own goes on from call to call",
        )


def _starts_anew(context: Context) -> Iterator[Finding]:
    """No state is carried, though it is said to be: outputs at the first steps, where no state has
    faded, are those of the call before, bit by bit. A state that comes in or goes out is the
    loop's to carry.
    """
    subject = context.subject
    times = [context.output_time_axis(k) for k in subject.scored]
    alone = len(subject.inputs) == len(subject.outputs) == len(times) == 1
    if not alone or None in times or subject.options.step is not None:
        return
    subject.call()
    if difference(subject.outputs, subject.call(go_on=True)) == 0:
        yield found("state-not-carried", 0.0)


def goes_on(context: Context) -> bool:
    """Whether the targets are the next inputs: a text is read on from batch to batch as a rule, so
    that a carried state may be meant.
    """
    try:
        return any(next_step(context, name) for name in context.data_leaves)
    except CannotExamineError:
        return False


def _remembers(subject: Subject, second: Sequence[Array]) -> bool:
    """Whether a second call depends on the inputs of the first: a state does, a counter or a
    generator does not.
    """
    arrays = subject.inputs_tuple
    subject.call([_moved(a) if perturb.movable(a, arrays) else a for a in arrays])
    return difference(second, subject.call(go_on=True)) > 0


def _moved(array: Array) -> Array:
    """Other values, padding kept."""
    return perturb.moved(
        array, (slice(None),), perturb.padding_of(array) if array.ndim > 1 else None
    )


def difference(a: Sequence[Array], b: Sequence[Array]) -> float:
    """Largest difference of outputs; infinite where shapes differ, 0 only where they are equal bit
    by bit.
    """
    if [p.shape for p in a] != [q.shape for q in b]:
        return float("inf")
    pairs = [(p, q) for p, q in zip(a, b, strict=True) if p.tobytes() != q.tobytes()]
    return max((_distance(p, q) for p, q in pairs), default=0.0)


def _distance(p: Array, q: Array) -> float:
    if ((p == q) | (np.isnan(p) & np.isnan(q))).all():
        return 0.0
    return float(np.nan_to_num(np.abs(p.astype(np.float64) - q), nan=np.inf).max(initial=0.0))


def company(context: Context) -> Iterator[Finding]:
    """The same example at another place in the batch, or with half of the others, must have the
    same answer. Where the examples mix, this is what it comes to.
    """
    pair, subject = context.pairing, context.subject
    if pair is None or context.noisy or subject.options.stateful or subject.fixed_lengths:
        return
    count = pair.axes.count
    if count < FEWEST_EXAMPLES or not (pair.fits or pair.mixed):
        return
    ways = {"at another place in the batch": np.roll(np.arange(count), 1)}
    if pair.mixed:
        ways["with half of the others"] = np.arange(count // 2)
    sizes = {how: _answers_otherwise(context, rows) for how, rows in ways.items()}
    how = max(sizes, key=lambda way: sizes[way])
    if sizes[how] > COMPANY:
        yield found("place-in-batch", sizes[how], threshold=COMPANY, how=how)


def _answers_otherwise(context: Context, rows: Array) -> float:
    """Largest change of an output when the batch is these of its examples, as a share of the
    outputs' size; 0 where that cannot be asked.
    """
    pair, subject = context.pairing, context.subject
    assert pair is not None
    arrays = zip(subject.inputs_tuple, pair.axes.inputs, strict=True)
    chosen = [array if axis is None else np.take(array, rows, axis) for array, axis in arrays]
    try:
        after = subject.call(chosen)
    except Exception:  # a state of a fixed size
        return 0.0
    worst = 0.0
    for k in subject.scored:
        before = subject.outputs[k]
        axes = [a for a, size in enumerate(before.shape) if size == pair.axes.count]
        if len(axes) != 1:  # each against all others, or examples in one row with the steps
            return 0.0
        expected = np.take(before, rows, axes[0])
        if expected.shape != after[k].shape:
            return 0.0
        size = max(float(np.abs(before).max(initial=0.0)), 1e-30)
        worst = max(worst, float(np.abs(expected - after[k]).max(initial=0.0)) / size)
    return worst


def weights_stay(context: Context) -> Iterator[Finding]:
    """A forward pass must not change weights."""
    where, change = context.subject.weights_after_forward()
    if change > 0:
        yield found("forward-changes-weights", change, where=where)


def modes(context: Context) -> Iterator[Finding]:
    """A forward pass must leave the modes; a dropout rate that is set must act in training."""
    subject = context.subject
    if (changed := subject.modes_after_forward()) > 0:
        yield found("mode-never-returns", changed)
    rate = subject.dropout_rate()
    if rate >= TOO_MUCH:
        yield found("dropout-too-high", rate, threshold=TOO_MUCH, count=1 / max(1 - rate, 1e-3))
    if (
        rate > 0
        and subject.outputs
        and not (draws_in_training(subject) or _noise_once_open(subject))
    ):
        yield found("mode-without-effect", 0.0, threshold=rate, where="")


def dropped_outputs(context: Context) -> Iterator[Finding]:
    """Outputs that are exactly 0 in training, at other places in each pass, and never in
    evaluation: the loss then asks for answers that were dropped.
    """
    form, subject = context.loss_form, context.subject
    if form is None or not form.kind or not subject.same_shapes:
        return
    live = np.asarray(subject.outputs[form.leaf]) != 0
    if not live.any():
        return
    first = (np.asarray(subject.training_outputs[form.leaf]) == 0)[live]
    if not first.mean() > DROPPED:  # as of nearly every program: no more passes are needed
        return
    others = [subject.call(training=True, seed=seed) for seed in (1, 2)]
    dropped = [first, *((np.asarray(outputs[form.leaf]) == 0)[live] for outputs in others)]
    share = min(float(zero.mean()) for zero in dropped)
    if share > DROPPED and any((zero != dropped[0]).any() for zero in dropped[1:]):
        yield found("dropout-on-outputs", share)


def _noise_once_open(subject: Subject) -> bool:
    """Whether outputs that are all one number, as behind a relu that is shut, have noise at other
    weights.
    """
    if any(np.ptp(subject.training_outputs[k]) > 0 for k in subject.scored):
        return False
    for values in other_weights(subject):
        with subject.changed(values):
            first, second = (subject.call(training=True, seed=seed) for seed in (1, 2))
        if difference(first, second) > 0:
            return True
    return False


def draws_in_training(subject: Subject) -> bool:
    """Whether training draws numbers that move the outputs."""
    first = subject.training_outputs
    return any(difference(first, subject.call(training=True, seed=seed)) > 0 for seed in (1, 2, 3))

"""One part of the program in exchange for a plain one: the loop, the optimizer, the outputs. What
learns then, and did not before, tells where something is off, and not what.

They are made only where nothing else was found.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from lstm_ref.doctor.context import READER_STEPS, Context
from lstm_ref.doctor.gradients import or_zeros, trained_before
from lstm_ref.doctor.report import Finding, found
from lstm_ref.doctor.short_training import RATES, STUCK, constant_loss
from lstm_ref.doctor.subject import StepLog, Subject
from lstm_ref.learn.optim import adam, adam_init

# Of the loss at the start: a loop that brings it down so far learns.
LEARNS = 0.5
# A plain loop with the same optimizer gets that far, and the reader's gets less than this share of
# the way. Clipping at a usual norm leaves a half and more.
PLAIN, SHARE = 0.2, 0.25
LAST = 5  # losses whose median is the end
# A call that stops at once, where a plain loop goes on, keeps something of the call before; a
# schedule that is at its end stops later.
AT_ONCE = 2
# Of what Adam moves the weights by at 0.001. A warm-up of some thousand steps moves them by a
# hundredth of it in the first dozen.
STANDS = 1e-3
# A rate that is ten times too large for a batch brings the loss to three times its start, and it is
# learned later.
RISES = 5.0
# Loss of the model at its end over that of a constant answer, where outputs that are free numbers
# get below a twentieth; no more than this share is gained in the second half of the steps. One
# example of many that is stuck at a wrong answer leaves 0.2.
SHORT, FREE, GAINED = 0.3, 0.05, 0.02
FIT, LONG_FIT, FREE_STEPS = 60, 240, 60
FREE_RATE, DECAY = 0.3, (0.9, 0.99)
# Losses of a program in NumPy, whose gradients are differences, for each output and step.
MOST_FREE = 200


def loop(context: Context) -> Iterator[Finding]:
    """The reader's step against a plain loop: gradients cleared, forward, backward, one step of the
    same optimizer.
    """
    subject, log = context.subject, context.step_log
    if log.error and len(log.losses) <= AT_ONCE:
        plain = subject.steps(READER_STEPS).losses
        if len(plain) == READER_STEPS and np.isfinite(plain).all():
            yield found("loop-stops", len(log.losses), threshold=READER_STEPS, detail=log.error)
        return
    if subject.has_optimizer and log.calls > LAST and log.changed == 0:
        moved = _moves(subject.steps(LAST, until=context.deadline).ratios)
        if most := max(moved.values(), default=0.0):
            yield found("loop-stands", 0.0, threshold=most, steps=log.calls)
        return
    if not subject.has_optimizer or not _comparable(log) or _falls(log.losses) > LEARNS:
        return
    plain = subject.steps(len(log.losses), until=context.deadline).losses
    if len(plain) < len(log.losses) or not np.isfinite(plain).all():
        return
    mine, other = _falls(log.losses), _falls(plain)
    if other > PLAIN and mine < SHARE * other:
        yield found(
            "loop-learns-less",
            float(np.median(log.losses[-LAST:])),
            threshold=float(np.median(plain[-LAST:])),
            first=log.losses[0],
            steps=len(plain),
        )


def _comparable(log: StepLog) -> bool:
    """Whether each call was one step of the optimizer, with a loss that is a number."""
    return (
        len(log.losses) > 2 * LAST
        and len(log.used) >= len(log.losses)
        and bool(np.isfinite(log.losses).all())
        and log.losses[0] != 0
    )


def _falls(losses: Sequence[float]) -> float:
    """How far the loss comes down, as a share of the first."""
    return float((losses[0] - np.median(losses[-LAST:])) / abs(losses[0]))


def optimizer(context: Context) -> Iterator[Finding]:
    """The reader's optimizer against Adam at a usual rate, on the same batch."""
    subject = context.subject
    if not subject.first_backward.connected:
        return
    mine = context.reader_steps
    if len(mine.losses) < READER_STEPS and np.isfinite(mine.losses[-1:]).all():
        return
    plain = subject.steps(READER_STEPS, rate=RATES[1], until=context.deadline)
    if len(plain.losses) < READER_STEPS or not np.isfinite(plain.losses).all():
        return
    moves, usual = _moves(mine.ratios), _moves(plain.ratios)
    live = [name for name, move in usual.items() if move > 0 and mine.ever.get(name)]
    if not live:
        return
    moved = [name for name in live if moves.get(name)]
    share = float(np.median([moves[name] / usual[name] for name in moved])) if moved else 0.0
    if share * subject.still_to_come() < STANDS:  # a warm-up begins with little
        yield found("optimizer-stands", share, threshold=STANDS, steps=READER_STEPS)
        return
    still = [p for p in subject.parameters() if p.name in live and p.name not in moved]
    if still and not trained_before(subject, still):
        names = ", ".join(p.name for p in still[:3])
        yield found("weights-stand-still", len(still), threshold=len(live), where=names)
        return
    yield from _rises(context, mine.losses, plain.losses)


def _rises(context: Context, mine: Sequence[float], plain: Sequence[float]) -> Iterator[Finding]:
    """A loss that goes up with the reader's optimizer, and down with the other."""
    end = float(np.median(mine[-LAST:])) if np.isfinite(mine).all() else float("inf")
    up = mine[0] > 0 and end > RISES * mine[0]
    if up and plain[-1] < plain[0] and not context.loop_is_tame:
        yield found("optimizer-climbs", end, threshold=plain[-1], first=mine[0], steps=READER_STEPS)


def _moves(ratios: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """How far each array moves over all steps, as a share of its size."""
    moves: dict[str, float] = {}
    for step in ratios:
        for name, ratio in step.items():
            moves[name] = moves.get(name, 0.0) + ratio
    return moves


def outputs(context: Context) -> Iterator[Finding]:
    """The model against outputs that are free numbers, under the same loss: where it stops learning
    one batch short of what they reach, it cannot say the right answer.
    """
    subject, form = context.subject, context.loss_form
    constant = constant_loss(form)
    if form is None or constant is None or not constant > 0 or not _one_answer_each(context):
        return
    # What dropout leaves of a few examples is not learned by heart; a little is.
    short = STUCK if subject.dropout_rate() else SHORT
    for count in (FIT, LONG_FIT):
        losses = subject.steps(count, rate=RATES[0], until=context.deadline).losses
        if len(losses) < count or not np.isfinite(losses).all():
            return
        best = min(losses)
        if best < short * constant:
            return
    gained = min(losses[: LONG_FIT // 2]) - best
    if gained > GAINED * best or best > constant:
        return
    free = free_loss(subject)
    if free < FREE * constant:
        yield found("outputs-fall-short", best, threshold=free, steps=LONG_FIT, constant=constant)


def _one_answer_each(context: Context) -> bool:
    """Whether each example has one answer, and no two examples are alike, so that all of them can
    be learned by heart.
    """
    pair, subject, form = context.pairing, context.subject, context.loss_form
    if pair is None or form is None or form.target.size != pair.axes.count or pair.mixed:
        return False
    rows = [
        np.moveaxis(a, axis, 0).reshape(pair.axes.count, -1).astype(np.float64)
        for a, axis in zip(subject.inputs_tuple, pair.axes.inputs, strict=True)
        if axis is not None
    ]
    return bool(rows) and len(np.unique(np.concatenate(rows, axis=1), axis=0)) == pair.axes.count


def free_loss(subject: Subject) -> float:
    """Least loss that Adam reaches from the outputs in training on, where they are free numbers."""
    leaves = subject.training_outputs
    if subject.framework == "numpy" and sum(o.size for o in leaves) > MOST_FREE:
        return float("inf")
    values = {str(k): leaves[k].astype(np.float64) for k in subject.scored}
    state, best = adam_init(values), float("inf")
    for _ in range(FREE_STEPS):
        now = list(leaves)
        for k in subject.scored:
            now[k] = values[str(k)].astype(leaves[k].dtype)
        best = min(best, subject.loss(now))
        slopes = subject.loss_gradient(now)
        grads = {
            str(k): or_zeros(slopes[k], leaves[k].shape).astype(np.float64) for k in subject.scored
        }
        if not all(np.isfinite(slope).all() for slope in grads.values()):
            break
        values, state = adam(values, grads, state, FREE_RATE, *DECAY, eps=1e-12)
    return best

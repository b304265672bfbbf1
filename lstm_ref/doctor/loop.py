"""The training loop itself: what `step=` does to gradients, weights, rate and mode, and what one
step of the optimizer moves.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from lstm_ref.doctor.context import Context
from lstm_ref.doctor.gradients import trained_before
from lstm_ref.doctor.report import Finding, found
from lstm_ref.doctor.subject import StepLog

# One step moves weights by about a thousandth of their size; Adam moves each weight by its rate, so
# that a rate of 0.1 on weights of 0.1 replaces them. A batch of a few examples at a rate of 0.01
# moves them by some percents at first.
TOO_LARGE = 0.5
# Weights that are replaced by one step, each by a number that shuts a gate when a few of them add
# up; Adam does so from a rate of about 0.3 on, and a single batch may be learned even then.
REPLACED, FAR = 1.5, 0.25
# A warm-up over some thousand steps begins with several millionths; an embedding of small numbers
# moves by more than the rest.
TOO_SMALL = 2e-6
# Cosine between what the first step moves and the gradient of the loss: -1 for plain descent, -0.4
# and less for Adam.
UPHILL = 0.3
# Twice the same batch at the same weights gives the same gradient, up to noise of dropout that is
# drawn alike.
ADDED = (1.8, 2.2)
DECAYED = 1e-3
SCHEDULED = 50
# Clipping that stands behind the step leaves the gradient smaller than the one that was used.
CLIPPED = 0.9
UNSCALED = 1e-3
# A loss that is scaled for half precision is so by a power of two of many digits.
SCALED = 8.0
# A graph that holds the one of the step before has twice as many nodes at the second step.
GROWN = 1.8
# A loop that keeps no graph holds as many nodes as before; a list or a sum of losses holds more at
# each step.
KEPT_GRAPHS = 0.9
# What PyTorch says where a backward pass reaches the graph of a step before.
OLD_GRAPH = ("second time", "modified by an inplace operation")
# Decays of 0.01 and less, and 0.1 apart from the gradient, are usual; from here on it is tried what
# the decay does: the loss of one batch falls at a rate of 0.01 at the least by a tenth, and with a
# harmless decay as far as without.
DECAY = 0.05
DECAY_STEPS, DECAY_RATE = 60, 1e-2
FALLS, HINDERED = 0.1, 0.4
LEAST = 1e-3  # of the largest gradient; steps by less may be lost in rounding
# The share of what was left that is found again: 1 where nothing clears it, 0 where something does.
KEPT = (0.9, 1.1)


def audit(context: Context) -> Iterator[Finding]:
    """Call the reader's step some dozen times, and look at what it leaves."""
    log = context.step_log
    if log.error and any(words in log.error for words in OLD_GRAPH):
        yield found("state-not-detached", len(log.losses), detail=log.error)
    elif log.error:
        context.notes.append(f"step(batch) failed at a later call: {log.error}")
    if log.ratio is not None and ADDED[0] < log.ratio < ADDED[1]:
        yield found(
            "gradients-add-up", log.ratio, threshold=1.0, what=f"is {log.ratio:.2f} times the first"
        )
    elif log.added is not None and KEPT[0] < log.added < KEPT[1]:
        what = f"holds {log.added:.2f} times what the first step left"
        yield found("gradients-add-up", log.added, threshold=0.0, what=what)
    if log.cleared:
        yield found("gradients-cleared", log.cleared, passes=log.passes)
    if log.calls > 3 and log.changed == 0 and _some_gradient(context):
        yield found("no-update", 0.0, steps=log.calls)
    elif log.calls > 3 and (still := _left_out(context, log)):
        live = len(still) + sum(p.name not in log.still for p in context.subject.parameters())
        where = ", ".join(still[:3])
        yield found("weights-stand-still", len(still), threshold=live, where=where)
    # A momentum from before may lead uphill for a while; a loss whose sign was turned says so
    # itself.
    turned = bool(log.losses) and log.losses[0] < 0 < context.subject.first_backward.loss
    if turned and log.along is not None and log.along > UPHILL:
        what = (
            "The first step moves the weights along the gradient of the loss, uphill: cosine "
            f"{log.along:.2f}"
        )
        yield found("loss-negative", log.along, what=what, loss=log.losses[0])
    yield from _rates(log)
    yield from _clipping(log)
    if log.evaluating > 1:
        yield found("left-in-evaluation-mode", log.evaluating, steps=log.calls)
    yield from _graph(log)


def _left_out(context: Context, log: StepLog) -> list[str]:
    """Fresh weights with a gradient that no call of the loop changes by a single bit."""
    subject, grads = context.subject, context.subject.first_backward.parameters
    sizes = {n: float(np.abs(g).max(initial=0.0)) for n, g in grads.items() if g is not None}
    least = LEAST * max(sizes.values(), default=0.0)
    still = [
        p
        for p in subject.parameters()
        if p.name in log.still and p.trainable and sizes.get(p.name, 0.0) > least
    ]
    return [] if not still or trained_before(subject, still) else [p.name for p in still]


def _some_gradient(context: Context) -> bool:
    """Whether the loss has a gradient that a step could use; where it has none, that and not the
    loop is to be mended.
    """
    grads = context.subject.first_backward.parameters.values()
    return any(g is not None and bool(g.any()) for g in grads)


def _grows(nodes: list[int]) -> bool:
    return all(b >= a for a, b in zip(nodes, nodes[1:], strict=False))


def _graph(log: StepLog) -> Iterator[Finding]:
    """Graphs that grow from step to step, or that something keeps."""
    if len(log.nodes) > 3 and log.nodes[-1] > GROWN * log.nodes[0] and _grows(log.nodes):
        ratio = log.nodes[-1] / log.nodes[0]
        what = (
            f"has {ratio:.2f} times as many nodes at step {len(log.nodes)} as at the first "
            f"(allowed {GROWN:g})"
        )
        yield found("graph-grows", ratio, threshold=GROWN, what=what)
    elif log.between and (more := (log.alive[1] - log.alive[0]) / log.between) > KEPT_GRAPHS:
        what = f"of a step is kept: {more:.1f} of its nodes stay behind at each step (allowed 0)"
        yield found("graph-grows", more, threshold=0.0, what=what)


def _rates(log: StepLog) -> Iterator[Finding]:
    if len(log.rates) < 3 or log.rates[0] == 0:
        return
    ratio = log.rates[-1] / log.rates[0]
    if ratio < DECAYED:
        yield found("rate-decays-at-once", ratio, threshold=DECAYED, steps=log.calls)


def _clipping(log: StepLog) -> Iterator[Finding]:
    if log.shrunk and min(log.shrunk) < CLIPPED:
        k = int(np.argmin(log.shrunk))
        used, detail = log.used[k] if k < len(log.used) else max(log.used, default=0.0), ""
        if k == len(log.shrunk) - 1 and log.enlarged is not None:
            used, detail = (
                log.enlarged,
                " (gradients made larger for this one call, so that clipping acts)",
            )
        yield found("clip-after-step", used, threshold=used * log.shrunk[k], detail=detail)
    if log.used and log.true_norm > 0 and 0 < max(log.used) < UNSCALED * log.true_norm:
        id = "clip-before-unscale" if log.scale > SCALED else "clip-too-low"
        yield found(id, max(log.used) / log.true_norm, threshold=UNSCALED)


def rates(context: Context) -> Iterator[Finding]:
    """A learning rate of zero."""
    zero = [k for k, rate in enumerate(context.subject.rates()) if rate == 0]
    if zero:
        count = len(context.subject.rates())
        where = "" if count == 1 else f" in group {zero[0]} of {count}"
        yield found("rate-is-zero", 0.0, where=where)


def schedule(context: Context) -> Iterator[Finding]:
    """A schedule that ends within some dozen steps."""
    ratio = context.subject.rate_after(SCHEDULED)
    if ratio is not None and ratio < DECAYED:
        yield found("rate-decays-at-once", ratio, threshold=DECAYED, steps=SCHEDULED)


def decay(context: Context) -> Iterator[Finding]:
    """A weight decay that keeps the optimizer from fitting one batch, which it can without."""
    subject = context.subject
    size = subject.decay()
    if not size >= DECAY or not subject.first_backward.connected:
        return
    held, free = (subject.steps_decayed(DECAY_STEPS, DECAY_RATE, on) for on in (True, False))
    if min(len(held), len(free)) < DECAY_STEPS or not np.isfinite([*held, *free]).all():
        return
    first = free[0]
    way = first - float(np.mean(free[-5:]))
    if way > FALLS * abs(first) and first - float(np.mean(held[-5:])) < HINDERED * way:
        more: dict[str, Any] = {
            "decay": size,
            "steps": DECAY_STEPS,
            "rate": DECAY_RATE,
            "first": first,
        }
        yield found("decay-too-large", held[-1], threshold=HINDERED, free=free[-1], **more)


def _absolute(context: Context, ratios: dict[str, float]) -> float:
    """How far a step moves a single weight of the median matrix."""
    values = zip(ratios, context.subject.values(list(ratios)), strict=True)
    return float(np.median([ratios[n] * np.sqrt(np.mean(v.astype(float) ** 2)) for n, v in values]))


def updates(context: Context) -> Iterator[Finding]:
    """How far one step of the reader's optimizer moves the weights."""
    if not context.subject.first_backward.connected or 0 in context.subject.rates():
        return
    steps = context.reader_steps
    if not steps.ratios or not steps.norms[0] > 0:
        return
    largest: dict[str, float] = {}
    for ratios in steps.ratios[:3]:
        for name, ratio in ratios.items():
            largest[name] = max(largest.get(name, 0.0), ratio)
    live = {n: r for n, r in largest.items() if r > 0}
    middle = float(np.median(list(largest.values()))) if largest else 0.0
    if live and middle > TOO_LARGE and not context.loop_is_tame:
        name = max(live, key=lambda n: live[n])
        losses = steps.losses
        worse = len(losses) > 2 and not losses[-1] < losses[0]
        worse = worse or (middle > REPLACED and _absolute(context, largest) > FAR)
        detail = f"; the loss goes from {losses[0]:.3g} to {losses[-1]:.3g}"
        if worse:
            yield found(
                "update-too-large",
                middle,
                threshold=TOO_LARGE,
                where=name,
                detail=detail,
                factor=middle / 1e-3,
            )
    elif (
        live
        and (value := float(np.median(list(live.values())))) * context.subject.still_to_come()
        < TOO_SMALL
    ):
        yield found("update-too-small", value, threshold=TOO_SMALL, factor=1e-3 / value)
    elif (
        largest and not live
    ):  # the rate or the gradient is below rounding, or the optimizer holds other weights
        yield found("no-update", 0.0, steps=len(steps.losses), certainty="strong")

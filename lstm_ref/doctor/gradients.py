"""Whether gradients arrive where there is an effect, and whether the optimizer holds what gets
one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from lstm_ref.doctor import perturb
from lstm_ref.doctor.context import Context
from lstm_ref.doctor.pairing import need_fit
from lstm_ref.doctor.report import Finding, found
from lstm_ref.doctor.subject import Array, Parameter, Subject

# How far weights are moved to see whether anything depends on them: by half their size, or by this
# where they are 0.
MOVE = 0.5
# What is rounded, or shut by a relu, moves with larger changes only.
FARTHER = (1.0, 10.0, 100.0)
# Gradients are judged over several steps, since a last layer that starts at zero passes nothing on
# at the first.
STEPS = 4
# The largest of fewer weights says little about the bound that they were drawn within.
FEWEST_WEIGHTS = 100
# The bound of a fresh embedding in Keras.
KERAS_TABLE = 0.05
# A gradient this much smaller than the largest needs that many times more steps.
FADED = 1e-6
# From the last step back to the first, and larger at each: a fresh net of any usual start stays
# below ten.
EXPLODED = 1e4
FEWEST_STEPS = 5
# Changes of the outputs below this share of their size are rounding.
ROUNDING = 1e-6
# A softmax over one number is 1 exactly, or 6e-8 less where a processor divides by an approximate
# reciprocal; its gradient is then some 1e-7 of the others.
LAST_BITS = 3e-7
ROUNDED_GRADIENT = 1e-5
OTHER_WEIGHTS = 6  # draws: a gate of four experts leaves one out in all of them by no chance


def connected(context: Context) -> Iterator[Finding]:
    """Whether the loss has a history at all."""
    subject = context.subject
    count = sum(p.trainable for p in subject.parameters())
    if not subject.first_backward.connected and count:
        yield found("loss-detached", 0, count=count)
    elif count == 0 and subject.parameters():
        yield found("frozen-by-accident", 1.0, what="All parameters are", state="")


def frozen(context: Context) -> Iterator[Finding]:
    """Recurrent weights that are not trained and that nobody has trained before: they are as they
    were drawn. The same of an embedding is a remark.
    """
    subject = context.subject
    named = [
        p for p in subject.parameters() if not p.trainable and p.kind in ("lstm", "gru", "rnn")
    ]
    fresh = [p for p in named if len(p.shape) == 2 and _fresh(subject.values([p.name])[0])]
    tables = [p for p in subject.parameters() if not p.trainable and p.kind == "embedding"]
    if subject.framework == "keras":
        named += (drawn := [p for p in tables if _drawn(subject.values([p.name])[0])])
        fresh += drawn
    if not fresh or not any(p.trainable for p in subject.parameters()):
        return
    if effect_of(subject, [p.name for p in fresh]) == (0.0, 0.0):  # a copy that is kept aside
        return
    if _only_told(subject, [p.name for p in named]):  # a teacher whose outputs stand beside
        return
    total = sum(int(np.prod(p.shape)) for p in subject.parameters())
    share = sum(int(np.prod(p.shape)) for p in named) / total
    names = _listed([p.name for p in fresh])
    state = " and still at random initial values"
    more: dict[str, Any] = {"where": names, "what": _are(names, fresh), "state": state}
    if all(p.kind == "embedding" for p in fresh):  # random vectors of words tell them apart, too
        more["certainty"] = "remark"
    yield found("frozen-by-accident", share, **more)


def _only_told(subject: Subject, names: Sequence[str]) -> bool:
    """Whether these weights move some of the outputs, and those of training move others."""
    free = [p.name for p in subject.parameters() if p.trainable]
    one, other = (_moves(subject, some) for some in (names, free))
    return any(one) and any(other) and not any(a and b for a, b in zip(one, other, strict=True))


def _moves(subject: Subject, names: Sequence[str]) -> list[bool]:
    """Which outputs other values of some parameters change, leaf by leaf."""
    with subject.changed(_moved_weights(subject, names, FARTHER[0])):
        after = subject.call(training=True)
    pairs = zip(subject.training_outputs, after, strict=True)
    return [a.shape != b.shape or bool((a != b).any()) for a, b in pairs]


def or_zeros(gradient: Array | None, shape: tuple[int, ...]) -> Array:
    """A gradient; zeros where there is none."""
    return np.zeros(shape) if gradient is None else gradient


def _drawn(value: Array) -> bool:
    """Whether an embedding is uniform within 0.05, as Keras draws it and no training leaves it."""
    spread = float(np.std(value.astype(np.float64)))
    uniform = abs(spread / (KERAS_TABLE / np.sqrt(3)) - 1) < 0.1
    return value.size >= FEWEST_WEIGHTS and uniform and _within(value, KERAS_TABLE)


def _within(value: Array, bound: float) -> bool:
    """Whether the largest of some numbers lies just within a bound, as of a uniform start."""
    return bool(0.95 * bound < np.abs(value).max() <= bound * (1 + 1e-6))


def _fresh(value: Array) -> bool:
    """Whether weights are exactly orthogonal, or uniform up to the bound of a usual start: training
    ends both.
    """
    w = np.asarray(value, np.float64)
    w = w if w.shape[0] <= w.shape[1] else w.T
    if np.abs(w @ w.T - np.eye(len(w))).max() < 1e-4:
        return True
    # PyTorch: one over the root of the width of the state or of the inputs; Keras: Glorot's bound,
    # and 0.05 for embeddings.
    bounds = [1 / np.sqrt(len(w)), 1 / np.sqrt(w.shape[1]), np.sqrt(6 / sum(w.shape)), KERAS_TABLE]
    return w.size >= FEWEST_WEIGHTS and any(_within(w, bound) for bound in bounds)


def parameters(context: Context) -> Iterator[Finding]:
    """Parameters without a gradient, or with one of exactly zero, told apart by whether they have
    an effect.
    """
    subject = context.subject
    if not subject.first_backward.connected:
        return
    ever = subject.few_steps.ever
    least = ROUNDED_GRADIENT * max((size for size in ever.values() if size), default=0.0)
    silent = [
        p for p in subject.parameters() if p.trainable and (ever.get(p.name, 1.0) or 0) <= least
    ]
    groups: dict[str, list[tuple[Parameter, float]]] = {}
    aside: list[str] = []
    for parameter in silent:
        on_outputs, on_loss = effect_of(subject, [parameter.name])
        if _in_last_bits(subject, on_outputs, on_loss):
            groups.setdefault("parameter-unused", []).append((parameter, on_outputs))
        elif ever.get(parameter.name):  # small, and not zero
            continue
        elif on_loss > 0:
            id = "no-gradient" if ever.get(parameter.name) is None else "zero-gradient"
            groups.setdefault(id, []).append((parameter, on_loss))
        elif len(parameter.shape) >= 2:  # it acts on outputs that nobody scores
            aside.append(parameter.name)
    if (one := _one_step_of_a_direction(context, groups.get("parameter-unused", []))) is not None:
        yield one
        del groups["parameter-unused"]
    for id, members in groups.items():
        if (finding := _silence(id, members, subject)) is not None:
            yield finding
    if aside and (finding := _not_scored(subject, aside)) is not None:
        yield finding


def _in_last_bits(subject: Subject, on_outputs: float, on_loss: float) -> bool:
    """Whether these changes of outputs and loss are none, or rounding."""
    if on_outputs == 0 == on_loss:
        return True
    loss = abs(subject.loss(subject.training_outputs)) if subject.has_loss else 0.0
    size = max((float(np.abs(o).max(initial=0.0)) for o in subject.training_outputs), default=0.0)
    return on_outputs <= LAST_BITS * size and on_loss <= LAST_BITS * max(loss, size)


def _not_scored(subject: Subject, names: Sequence[str]) -> Finding | None:
    """Weights of outputs that the loss does not look at, where it does not look at targets of
    their shape either: a task that is left out.
    """
    outputs = subject.training_outputs
    with subject.changed(_moved_weights(subject, names, 1.0)):
        after = subject.call(training=True)
    theirs = [k for k, (p, q) in enumerate(zip(outputs, after, strict=True)) if _unlike(p, q)]
    before = subject.loss(outputs)
    for place, (where, target) in enumerate(subject.targets.items()):
        targets = list(subject.targets_tuple)
        targets[place] = perturb.moved_targets(target, (slice(None),))
        shapes = [outputs[k].shape for k in theirs if _fits(outputs[k], target)]
        if not shapes or np.array_equal(targets[place], target):
            continue
        if subject.loss(outputs, targets) == before:
            what = f"{_listed(names)} {'gets' if len(names) == 1 else 'get'}"
            return found("output-not-scored", 0.0, what=what, outputs=shapes[0], where=where)
    return None


def _unlike(p: Array, q: Array) -> bool:
    return p.shape == q.shape and not np.array_equal(p, q, equal_nan=True)


def _fits(output: Array, target: Array) -> bool:
    """Whether targets are as many as the outputs, or labels without the axis of the classes."""
    labels = target.dtype.kind in "iu" and target.shape in (
        output.shape[:-1],
        output.shape[:1] + output.shape[2:],
    )
    return target.size > 1 and (labels or target.shape == output.shape)


def _one_step_of_a_direction(
    context: Context, unused: Sequence[tuple[Parameter, float]]
) -> Finding | None:
    """The recurrent weights of one direction have no effect, those of the other have: what is read
    of this direction has seen one step.
    """
    matrices = [p for p, _ in unused if len(p.shape) == 2]
    if not matrices or not all(_recurrent_kernel(p) for p in matrices):
        return None
    ever = context.subject.few_steps.ever
    live = [p for p in context.subject.parameters() if ever.get(p.name)]
    for p in matrices:
        twin = any(q.shape == p.shape and _recurrent_kernel(q) for q in live)
        steps = [r.x.shape[1] for r in context.layers if r.kind == p.kind]
        alone = sum(q.layer == p.layer for q in matrices) == 1  # what goes in has an effect
        if not twin or not alone or not steps or min(steps) < 2:
            return None
    names = _listed([p.name for p in matrices])
    return found("direction-sees-one-step", 0.0, where=names, steps=min(steps))


def _recurrent_kernel(p: Parameter) -> bool:
    gates = {"lstm": 4, "gru": 3, "rnn": 1}.get(p.kind, 0)
    return len(p.shape) == 2 and gates > 0 and max(p.shape) == gates * min(p.shape)


def _silence(
    id: str, members: Sequence[tuple[Parameter, float]], subject: Subject
) -> Finding | None:
    names = [p.name for p, _ in members]
    value = max(effect for _, effect in members)
    certainty = None
    if id == "parameter-unused" and not any(
        _counts(p, subject) and not _chosen_elsewhere(p, subject) for p, _ in members
    ):
        # a spare layer, as the second head of a model that was taken over; it harms nothing
        certainty = "remark"
    # Every row of an embedding may be padding, and a bias under a softmax over the inputs cancels:
    # matrices only.
    if id == "parameter-unused" and all(_is_bias(p, subject) for p, _ in members):
        return None
    if id == "zero-gradient" and value <= ROUNDING:
        return None
    some = _listed(names)
    has = "has" if len(names) == 1 else "have"
    what = (
        f"{some} {has}" if id != "no-gradient" else f"{some} {'gets' if len(names) == 1 else 'get'}"
    )
    return found(
        id, value, where=some, what=what, steps=len(subject.few_steps.losses), certainty=certainty
    )


def _counts(p: Parameter, subject: Subject) -> bool:
    """Whether weights without an effect are more than a spare layer: recurrent ones, or a matrix
    that is used, so that the loss has a gradient there, and it is 0 up to rounding.
    """
    if p.kind in ("lstm", "gru", "rnn"):
        return True
    used = subject.few_steps.ever.get(p.name) is not None or p.layer in subject.called_layers()
    return used and p.kind != "embedding" and not _is_bias(p, subject)


def _chosen_elsewhere(p: Parameter, subject: Subject) -> bool:
    """Whether weights that are used have an effect at other values of all weights: one of several
    experts, of which a gate chose none for this batch.
    """
    if p.kind in ("lstm", "gru", "rnn") or subject.few_steps.ever.get(p.name) is None:
        return False
    names = [q.name for q in subject.parameters() if q.registered and q.trainable]
    values = dict(zip(names, subject.values(names), strict=True))
    for seed in range(OTHER_WEIGHTS):
        rng = np.random.default_rng(seed)
        drawn = {
            name: (v + rng.normal(size=v.shape) * float(v.std())).astype(v.dtype)
            for name, v in values.items()
        }
        with subject.changed(drawn):
            before = subject.call()
            with subject.changed(_moved_weights(subject, [p.name], 1.0)):
                after = subject.call()
        size = max((float(np.abs(o).max(initial=0.0)) for o in before), default=0.0)
        if _largest(before, after) > ROUNDING * size:
            return True
    return False


def _is_bias(p: Parameter, subject: Subject) -> bool:
    """Whether a parameter has one axis, or the last axes of a kernel of its layer, as the biases of
    attention with several heads in Keras.
    """
    if len(p.shape) < 2:
        return True
    kernels = [q.shape for q in subject.parameters() if q.layer == p.layer >= 0]
    return any(len(q) > len(p.shape) and q[-len(p.shape) :] == p.shape for q in kernels)


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more


def effect_of(subject: Subject, names: Sequence[str]) -> tuple[float, float]:
    """Largest change of the outputs, and change of the loss, in training and in evaluation, with
    other values of parameters.
    """
    before = [subject.outputs, subject.training_outputs]
    outputs = change = 0.0
    for far in FARTHER:
        with subject.changed(_moved_weights(subject, names, far)):
            after = [subject.call(), subject.call(training=True)]
            loss = subject.loss(after[1]) if subject.has_loss else 0.0
        outputs = max(_largest(p, q) for p, q in zip(before, after, strict=True))
        change = abs(loss - subject.loss(before[1])) if subject.has_loss else outputs
        if not _in_last_bits(subject, outputs, change):
            break
    return float(np.nan_to_num(outputs, nan=1.0)), float(np.nan_to_num(change, nan=1.0))


def _moved_weights(subject: Subject, names: Sequence[str], far: float) -> dict[str, Array]:
    rng = np.random.default_rng(0)
    values = {}
    for name, value in zip(names, subject.values(names), strict=True):
        size = (float(np.abs(value).mean()) or MOVE) * far
        signs = 1.0 if abs(far) == 1 else rng.choice([-1.0, 1.0], value.shape)
        moves = rng.uniform(0.5, 1.0, value.shape) * size * MOVE * 2 * signs
        values[name] = (value + moves).astype(value.dtype)
    return values


def _largest(before: Sequence[Array], after: Sequence[Array]) -> float:
    changes = [
        float(np.abs(p - q).max(initial=0.0))
        for p, q in zip(before, after, strict=True)
        if p.shape == q.shape
    ]
    return max(changes, default=0.0)


def optimizer(context: Context) -> Iterator[Finding]:
    """Parameters with a gradient that the optimizer does not hold, and those that the model does
    not know.
    """
    subject = context.subject
    ever = subject.few_steps.ever
    live = [p for p in subject.parameters() if p.trainable and ever.get(p.name)]
    strangers = [p for p in live if not p.registered and not p.updated]
    if strangers:
        names = _listed([f"{p.name} {p.shape}" for p in strangers])
        yield found("not-registered", len(strangers), where=names, what=_are(names, strangers))
    elif subject.made_anew:
        what = f"{subject.made_anew} arrays of weights are made anew in each call and are"
        yield found("not-registered", subject.made_anew, what=what)
    missing = [p for p in live if p.registered and p.updated is False]
    if missing:
        total = sum(int(np.prod(p.shape)) for p in live)
        share = sum(int(np.prod(p.shape)) for p in missing) / total
        names = _listed([p.name for p in missing])
        what = f"{names} {'has' if len(missing) == 1 else 'have'}"
        certainty = "remark" if trained_before(subject, missing) else None
        yield found("not-in-optimizer", share, where=names, what=what, certainty=certainty)


def trained_before(subject: Subject, parameters: Sequence[Parameter]) -> bool:
    """Whether weights left out of training are no longer at a usual random start, so that leaving
    them out may be meant.
    """
    values = subject.values([p.name for p in parameters if len(p.shape) == 2])
    large = [value for value in values if value.size >= FEWEST_WEIGHTS]
    return bool(large) and len(large) == len(values) and not any(map(_at_start, large))


def _at_start(value: Array) -> bool:
    """Whether weights look as if just drawn: orthogonal, uniform up to a bound, or normal of mean 0
    and spread 1.
    """
    error = 4 / np.sqrt(value.size)
    normal = abs(float(value.mean())) < error and abs(float(value.std()) - 1) < error
    return normal or _fresh(value)


def _are(names: str, members: Sequence[Parameter]) -> str:
    return f"{names} {'is' if len(members) == 1 else 'are'}"


def lags(context: Context) -> Iterator[Finding]:
    """Steps back that have an effect on the output and no gradient."""
    need_fit(context)
    for name in context.data_leaves:
        series = gradient_by_step(context, name)
        reach = context.reach(name)
        if series is None or reach is None or reach.length < 3:
            continue
        effect, gradient = series
        context.pictures.setdefault("lags", {})[name] = (
            list(reach.steps),
            effect.tolist(),
            gradient.tolist(),
        )
        scale = float(effect.max(initial=0.0))
        live = effect > 1e-4 * max(scale, 1e-30)
        yield from _faded(reach.steps, gradient)
        yield from _exploded(reach.steps, gradient, name)
        # Cut at each step: at most one step still has a gradient, and the neighbours that move the
        # output do not.
        if live.sum() >= 2 and (gradient > 0).sum() == 1 and (gradient[live] == 0).any():
            last = int(np.flatnonzero(gradient > 0)[0])
            cut = [k for k in np.flatnonzero(live) if gradient[k] == 0]
            k = min(cut, key=lambda place: abs(place - last))
            lag = abs(reach.steps[k] - reach.steps[last])
            yield found("gradient-cut", float(effect[k]), where=f"step {reach.steps[k]}", lag=lag)
            return


def _faded(steps: Sequence[int], gradient: Array) -> Iterator[Finding]:
    """A remark: many tasks do not need the distant steps."""
    largest, k = float(gradient.max(initial=0.0)), int(gradient.argmin())
    if largest > 0 and 0 < gradient[k] < FADED * largest:
        yield found(
            "vanishing-gradient", float(gradient[k]) / largest, threshold=FADED, step=steps[k]
        )


def _exploded(steps: Sequence[int], gradient: Array, name: str) -> Iterator[Finding]:
    """A gradient that grows with every step back."""
    if (
        len(gradient) < FEWEST_STEPS
        or not (gradient > 0).all()
        or not (np.diff(gradient) < 0).all()
    ):
        return
    ratio = float(gradient[0] / gradient[-1])
    if ratio > EXPLODED:
        yield found("exploding-gradient", ratio, threshold=EXPLODED, step=steps[0], where=name)


def gradient_by_step(context: Context, name: str) -> tuple[Array, Array] | None:
    """Effect of single input steps on one late output, and the size of its gradient there; None
    without either.
    """
    subject, reach, axis = context.subject, context.reach(name), context.time_axis(name)
    if reach is None or axis is None or len(subject.scored) == 0:
        return None
    k = subject.scored[0]
    weights = [np.zeros(o.shape) for o in subject.outputs]
    chosen = _late_output(context, k, reach.length)
    weights[k] = chosen
    gradient = subject.input_gradient(weights)[list(subject.inputs).index(name)]
    if gradient is None:
        return None
    sizes = np.moveaxis(np.abs(gradient), axis, 0).reshape(reach.length, -1).max(1)
    effect = np.array(
        [float((context.split(row)[k] * (chosen != 0)).max(initial=0.0)) for row in reach.moved]
    )
    return effect, sizes[list(reach.steps)]


def _late_output(context: Context, k: int, steps: int) -> Array:
    """Random weights on the output at the last step, or on all where there is one."""
    output = context.subject.outputs[k]
    weights = np.random.default_rng(0).normal(size=output.shape)
    view = context.by_step(k, weights, steps)
    if view is not None:
        view[:, :-1] = 0  # a view of the weights
    return weights

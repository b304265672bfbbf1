"""What only a few steps of training show: a batch that cannot be fitted, a loss that runs away,
labels of other rows.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import numpy as np

from lstm_ref.doctor.context import Context
from lstm_ref.doctor.data import leaves
from lstm_ref.doctor.loss_form import LossForm
from lstm_ref.doctor.report import Finding, found
from lstm_ref.doctor.subject import Array, Arrays

# Adam at a rate at which small programs learn a batch within some dozen steps, and a slower one for
# those that jump at it.
RATES = (1e-2, 1e-3)
FIT_STEPS = 60
# A loss that falls by less than this share in all these steps does not learn; well programs fall by
# a tenth at the least.
HARDLY = 0.03
# Of the loss of the best answer that does not look at the inputs. In as many steps at the first
# rate 80 well programs come down to 0.3 of it at the most: the slowest recalls a sum over time.
BEATEN, LONG_STEPS = 0.7, 240
# What noise adds to targets of little spread, and averages over 100 steps of inputs that are alike,
# took 400 steps in three of 250 well programs, and fell all the time; what cannot be learned lies
# flat.
FALLING = 0.003
# What says more than a constant answer learns, if slowly: noise in targets of inputs alike,
# a dropout of a half. What cannot be learned stays at the constant answer.
STUCK = 0.9
# Learning by heart takes longer with more examples, and a weight or two for each answer.
MOST_EXAMPLES, WEIGHTS = 64, 2
# Of the largest effect of a step: ten steps of a fresh forget gate, and more, lie between.
FAINT = 1e-3
# With the reader's own optimizer a loss may rise at first; ten times is beyond any warm-up.
AWAY = 10.0
TRAIN_STEPS = 150
BATCH = 32
LEARNED = 0.7  # on train, as a share of a constant answer's loss
NOTHING = 0.99  # on valid, at the best of all looks
LOOKS = 6
# By chance a regression explains nothing of what it was not fitted on; a third of the variance is
# no accident with 64 rows.
FOLLOWS = 0.3
NOT_AT_ALL = 0.02
# 200 features and 32 rows to fit them on give shares from -1 to 0.4: so it must be so in this many
# splits, and be within two spreads of what exchanged rows give.
SPLITS, EXCHANGED = 5, 2.0
MOSTLY = 0.5
MOST_ROWS = 600


def fit_one_batch(context: Context) -> Iterator[Finding]:
    """A model with its loss must be able to learn one batch by heart, at some rate."""
    subject = context.subject
    if not subject.first_backward.connected or not np.isfinite(subject.first_backward.loss):
        return
    constant = None if _soft(context.loss_form) else constant_loss(context.loss_form)
    best, first, count = float("inf"), 0.0, 0
    for rate in RATES:
        steps = subject.steps(FIT_STEPS, rate=rate, until=context.deadline)
        if len(steps.losses) < FIT_STEPS and np.isfinite(steps.losses[-1:]).all():
            return  # no time to say it
        finite = [loss for loss in steps.losses if np.isfinite(loss)]
        first, count = steps.losses[0], len(steps.losses)
        best = min([best, *finite])
        if first - best > HARDLY * abs(first) or abs(first) < 1e-6:
            break
    needed = first - HARDLY * abs(first)
    if best < first < np.inf and best > needed:  # a decoder may begin slowly
        longer = subject.steps(LONG_STEPS, rate=RATES[0], until=context.deadline).losses
        best, count = min([best, *filter(np.isfinite, longer)]), len(longer)
    falls = best < needed or abs(first) < 1e-6
    if constant is not None and best < (BEATEN if falls else MOSTLY) * constant:
        return
    if falls:  # does it ever say more than a constant?
        # One example, or targets all alike: a constant answer is right.
        if constant is None or constant < HARDLY * abs(first) or not _should_be_easy(context):
            return
        needed = BEATEN * constant
        best, count = _at_length(context, best, needed, constant)
        if count < LONG_STEPS or not best > needed:
            return
    detail = "" if constant is None else f"; a constant answer has {constant:.4g}"
    slow = falls and constant is not None and best < STUCK * constant
    certainty = "remark" if slow or _told_far_back(context) else None
    more: dict[str, Any] = {
        "steps": count,
        "first": first,
        "detail": detail,
        "certainty": certainty,
    }
    yield found("cannot-fit-one-batch", best, threshold=needed, **more)


def _at_length(context: Context, best: float, needed: float, constant: float) -> tuple[float, int]:
    """Least loss and number of steps of a longer training; of one twice as long, where it still
    falls.
    """
    count = LONG_STEPS
    for length in (LONG_STEPS, 2 * LONG_STEPS):
        losses = context.subject.steps(length, rate=RATES[0], until=context.deadline).losses
        best, count = min([best, *losses]), len(losses)
        falling = min(losses[: count // 2], default=best) - best > FALLING * constant
        if count < length or best <= needed or not falling:
            break
    return best, count


def _told_far_back(context: Context) -> bool:
    """Whether the examples differ only at steps whose effect has faded: a fresh net learns to
    remember so long late, and nothing need be wrong.
    """
    pair, shares = context.pairing, []
    for name in context.data_leaves if pair is not None else ():
        reach, axis = context.reach(name), context.time_axis(name)
        if reach is None or axis is None:
            return False
        array = np.moveaxis(context.subject.inputs[name], axis, 0)
        differ = [t for t in range(reach.length) if (np.ptp(array[t], axis=0) > 0).any()]
        effect = dict(zip(reach.steps, reach.effect, strict=True))
        largest = max(effect.values())
        if not differ or not set(differ) <= set(effect) or largest == 0:
            return False
        shares.append(max(effect[t] for t in differ) / largest)
    return bool(shares) and max(shares) < FAINT


def _soft(form: LossForm | None) -> bool:
    """Whether answers are chances between 0 and 1, so that even the right ones leave a loss."""
    if form is None or form.kind not in ("sigmoid", "probability"):
        return False
    return not bool(np.isin(form.target, (0, 1)).all())


def _should_be_easy(context: Context) -> bool:
    """Whether there are few examples, and many more weights than they have answers."""
    subject, form, pair = context.subject, context.loss_form, context.pairing
    weights = sum(int(np.prod(p.shape)) for p in subject.parameters() if p.trainable)
    return (
        form is not None
        and pair is not None
        and pair.axes.count <= MOST_EXAMPLES
        and weights > WEIGHTS * form.target.size
    )


def constant_loss(form: LossForm | None) -> float | None:
    """Loss of the best constant answer, as far as the form is known."""
    if form is None:
        return None
    answer = constant_answer(form)
    return None if answer is None else form.loss(np.broadcast_to(answer, form.output.shape))


def constant_answer(form: LossForm) -> Array | None:
    """Outputs that do not look at the inputs: shares of the classes, or the mean."""
    if form.of_classes and form.axis is not None:
        weights = form.weights()
        others = tuple(a for a in range(weights.ndim) if a != form.axis)
        shares = (weights.mean(axis=others, keepdims=True) + 1e-6) / (1 + 1e-6)
        return np.asarray(shares if form.kind == "probabilities" else np.log(shares))
    if form.target.size != form.output.size:
        return None
    target = form.target.reshape(form.output.shape).astype(np.float64)
    mean = target.mean(axis=0, keepdims=True)
    if form.kind == "distance":
        return np.asarray(mean)
    if form.kind in ("sigmoid", "probability"):
        p = mean.clip(1e-4, 1 - 1e-4)
        return np.asarray(p if form.kind == "probability" else np.log(p / (1 - p)))
    return None


def runs_away(context: Context) -> Iterator[Finding]:
    """The loss with the reader's own optimizer."""
    if not context.subject.first_backward.connected or 0 in context.subject.rates():
        return
    losses = context.reader_steps.losses
    if len(losses) < 3 or not np.isfinite(losses[0]):
        return
    last = losses[-1]
    if context.loop_is_tame:
        return
    if not np.isfinite(last) or (last > AWAY * losses[0] > 0 and last == max(losses)):
        yield found(
            "diverges", float(last), threshold=AWAY * losses[0], first=losses[0], steps=len(losses)
        )


def on_validation(context: Context) -> Iterator[Finding]:
    """After a short training on train, the loss on valid against that of a constant answer."""
    subject, form = context.subject, context.loss_form
    options = subject.options
    train, valid = leaves(context, options.train), leaves(context, options.valid)
    if (
        form is None
        or not form.kind
        or not _fit_the_batch(context, train)
        or not _fit_the_batch(context, valid)
    ):
        return
    if (finding := _relation(train, valid)) is not None:
        yield finding
        return
    looks = _train(context, train, valid)
    if not looks:
        return
    fit, best = looks[-1][0], min(v for _, v in looks)
    context.pictures["training"] = looks
    if fit < LEARNED and best >= NOTHING:
        yield found("does-not-generalise", best, threshold=NOTHING, fit=fit)


def persistence(context: Context) -> Iterator[Finding]:
    """A remark: the last value explains the targets, and the window nothing of the change that is
    left.
    """
    options = context.subject.options
    (train, wanted), (valid, held) = leaves(context, options.train), leaves(context, options.valid)
    if not all(
        len(part) == 1 and part[0].dtype.kind == "f" for part in (train, wanted, valid, held)
    ):
        return
    last = _last_value(train[0], wanted[0])
    if (
        last is None
        or valid[0].shape[1:] != train[0].shape[1:]
        or held[0].shape[1:] != wanted[0].shape[1:]
    ):
        return
    shares = [_share(y, x[:, -1, last]) for x, y in ((train[0], wanted[0]), (valid[0], held[0]))]
    rest = [
        explained([x], [y.reshape(len(y), -1) - x[:, -1, last, None]])
        for x, y in zip(train + valid, wanted + held, strict=True)
    ]
    if (
        min(shares) > MOSTLY
        and max(rest) < NOT_AT_ALL
        and len(valid[0]) >= 2 * BATCH <= len(train[0])
    ):
        yield found("persistence-as-good", shares[1], threshold=NOT_AT_ALL, fit=max(rest))


def _last_value(x: Array, y: Array) -> int | None:
    """The feature whose last value is nearest to the targets; None where they are no single numbers
    in its unit.
    """
    if x.ndim != 3 or y.size != len(x):
        return None
    shares = [_share(y, x[:, -1, k]) for k in range(x.shape[2])]
    return int(np.argmax(shares)) if max(shares) > MOSTLY else None


def _share(y: Array, guess: Array) -> float:
    """Share of the variance of y that a guess explains."""
    y = y.ravel().astype(np.float64)
    return float(1 - np.mean((y - guess) ** 2) / max(float(y.var()), 1e-30))


def _relation(
    train: tuple[list[Array], list[Array]], valid: tuple[list[Array], list[Array]]
) -> Finding | None:
    """Targets that follow from the inputs by a linear map on one side, and on the other do not at
    all.
    """
    sides = {"train": train, "valid": valid}
    shares = {name: explained(*side) for name, side in sides.items()}
    one = max(shares, key=lambda side: shares[side])
    other = "valid" if one == "train" else "train"
    if not shares[one] > FOLLOWS or not shares[other] < NOT_AT_ALL:
        return None
    if not _other_rows(sides[one], sides[other]):
        return None
    more = {"one": one, "other": other, "measure": "a linear map explains a share of"}
    return found("labels-shuffled", shares[other], threshold=NOT_AT_ALL, fit=shares[one], **more)


def _other_rows(
    one: tuple[list[Array], list[Array]], other: tuple[list[Array], list[Array]]
) -> bool:
    """Whether it is no accident of few rows: on one side the targets follow in every split; on the
    other no more than those of exchanged rows do, and not by the map of the first side either.
    """
    follows = [explained(*one, seed=seed) for seed in range(SPLITS)]
    held = [explained(*other, seed=seed) for seed in range(SPLITS)]
    chance = [explained(*other, seed=seed, exchanged=True) for seed in range(2 * SPLITS)]
    limit = np.mean(chance) + EXCHANGED * np.std(chance)
    if not min(follows) > FOLLOWS or not np.mean(held) < min(NOT_AT_ALL, float(limit)):
        return False
    (a, b), (c, d) = _table(*one), _table(*other)
    return a.shape[1:] == c.shape[1:] and _carried(a, b, c, d) < NOT_AT_ALL


def explained(x: list[Array], y: list[Array], seed: int = 0, exchanged: bool = False) -> float:
    """Share of the variance of the targets that a ridge regression explains on the half that it was
    not fitted on; of the targets of exchanged rows, where asked.
    """
    features, targets = _table(x, y)
    if len(features) < 2 * BATCH or targets.shape[1] > MOST_ROWS:
        return 0.0
    rng = np.random.default_rng(seed)
    rows = rng.permutation(len(features))
    if exchanged:
        targets = targets[rng.permutation(len(targets))]
    first, second = rows[: len(rows) // 2], rows[len(rows) // 2 :]
    return _carried(features[first], targets[first], features[second], targets[second])


def _table(x: list[Array], y: list[Array]) -> tuple[Array, Array]:
    """Features and targets of the first rows, as numbers."""
    features = np.concatenate([_features(a) for a in x], axis=1)[:MOST_ROWS]
    return features, np.concatenate([_numbers(a) for a in y], axis=1)[:MOST_ROWS]


def _carried(fit_x: Array, fit_y: Array, x: Array, y: Array) -> float:
    """Share of the variance of y that a ridge regression fitted on other rows explains."""
    mean, spread = fit_x.mean(0), fit_x.std(0) + 1e-9
    a, b = (fit_x - mean) / spread, (x - mean) / spread
    center = fit_y.mean(0)
    kernel = a @ a.T
    ridge = 0.03 * np.trace(kernel) / len(a)
    guess = b @ (a.T @ np.linalg.solve(kernel + ridge * np.eye(len(a)), fit_y - center)) + center
    total = ((y - y.mean(0)) ** 2).sum()
    return float(1 - ((y - guess) ** 2).sum() / total) if total > 0 else 0.0


def _features(array: Array) -> Array:
    """Numbers as they are; tokens as counts and as the last ones."""
    if array.dtype.kind == "f":
        return np.asarray(array.reshape(len(array), -1), np.float64)
    flat = array.reshape(len(array), -1)
    kinds = np.unique(flat)[:200]
    return np.asarray((flat[:, :, None] == kinds).sum(1), np.float64)


def _numbers(array: Array) -> Array:
    flat = array.reshape(len(array), -1)
    if array.dtype.kind == "f" or flat.shape[1] > 1:
        return np.asarray(flat, np.float64)
    return np.asarray(flat == np.unique(flat)[:50], np.float64)


def _fit_the_batch(context: Context, part: tuple[list[Array], list[Array]]) -> bool:
    """Whether train or valid has the leaves of the batch, examples first."""
    x, y = part
    subject = context.subject
    pairs = [(x, subject.inputs_tuple), (y, subject.targets_tuple)]
    alike = all(
        len(mine) == len(theirs)
        and all(a.shape[1:] == b.shape[1:] for a, b in zip(mine, theirs, strict=True))
        for mine, theirs in pairs
    )
    return (
        alike
        and len(x[0]) >= 2 * BATCH
        and context.pairing is not None
        and context.pairing.axes.main == 0
    )


def _train(
    context: Context, train: tuple[list[Array], list[Array]], valid: tuple[list[Array], list[Array]]
) -> list[tuple[float, float]]:
    """Loss over a constant answer's on train and on valid, at some looks."""
    size = len(context.subject.inputs_tuple[0])
    rng = np.random.default_rng(0)
    held = [
        _rows(part, rng.permutation(len(part[0][0]))[: 4 * size], size) for part in (train, valid)
    ]
    looks: list[tuple[float, float]] = []

    def batches() -> Iterator[tuple[Arrays, Arrays]]:
        for k in range(TRAIN_STEPS):
            if k and k % (TRAIN_STEPS // LOOKS) == 0:
                looks.append(
                    (_against_constant(context, held[0]), _against_constant(context, held[1]))
                )
            rows = rng.integers(0, len(train[0][0]), size)
            yield tuple(a[rows] for a in train[0]), tuple(a[rows] for a in train[1])

    until = time.process_time() + max(context.deadline - time.process_time(), 0)
    context.subject.steps(TRAIN_STEPS, rate=RATES[0], until=until, batches=batches())
    return looks


def _rows(
    part: tuple[list[Array], list[Array]], rows: Array, size: int
) -> list[tuple[Arrays, Arrays]]:
    """Some examples, in batches of the size that the program was given."""
    x, y = part
    cuts = [rows[k : k + size] for k in range(0, len(rows) - size + 1, size)]
    return [(tuple(a[cut] for a in x), tuple(a[cut] for a in y)) for cut in cuts]


def _against_constant(context: Context, held: list[tuple[Arrays, Arrays]]) -> float:
    subject, form = context.subject, context.loss_form
    assert form is not None
    mine, constant = 0.0, 0.0
    answer = constant_answer(form)
    assert answer is not None  # every form that is recognised has one
    for x, y in held:
        outputs = list(subject.call(x))
        mine += subject.loss(outputs, y)
        outputs[form.leaf] = np.broadcast_to(answer, outputs[form.leaf].shape).astype(
            outputs[form.leaf].dtype
        )
        constant += subject.loss(outputs, y)
    return mine / constant if constant else float("nan")

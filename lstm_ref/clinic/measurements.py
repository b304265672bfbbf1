"""What can be ordered: measurements of a program, each with its cost and with what a right program
shows.

The cost is counted in passes of one batch through the model, forward; a backward pass counts as
two. A look at lists or data counts as one pass, and so does the loss alone, however often it is
asked.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from lstm_ref.clinic.bench import Bench
from lstm_ref.doctor import reach
from lstm_ref.doctor.repeat import difference
from lstm_ref.doctor.subject import Array, CannotExamineError, Recurrent
from lstm_ref.errors import ArgumentError
from lstm_ref.sequence import lstm_forward
from lstm_ref.zoo.programs import Case, measures

FIT_STEPS = 100
LOOP_STEPS = 20
STEP = 3  # passes: forward, and backward as two
MOVED = 1e-5  # of the largest change: what is less is rounding
MET = 0.02  # as the doctor's: class weights move the gradients of all a little
STUCK = 5.0  # pre-activation beyond which a gate has lost 99 % of its slope

Rows = dict[str, float]


@dataclass(frozen=True)
class Measurement:
    """One measurement.

    Parameters
    ----------
    id : short and stable
    title : what is done
    normal : what a right program shows
    measure : numbers by their names; raises `NotApplicableError` where there is nothing to measure
    passes : its cost, of the number of examples and of steps
    """

    id: str
    title: str
    normal: str
    measure: Callable[[Bench], Rows]
    passes: Callable[[int, int], int]

    def take(self, bench: Bench) -> Rows | str:
        """Its numbers, or in words why there are none: nothing to measure, or a program that
        stops.
        """
        try:
            return self.measure(bench)
        except (NotApplicableError, CannotExamineError) as error:
            return str(error)
        except Exception as error:  # a sick program may stop at anything, and that is a result
            first = (str(error).strip().splitlines() or [""])[0]
            return f"it stopped with {type(error).__name__}: {first[:120]}"


class NotApplicableError(ArgumentError):
    """The program has nothing that this measures; the message says what is missing."""


def start(bench: Bench) -> Rows:
    """Loss of the batch before training, beside that of the best constant answer."""
    return {"loss before training": measures.loss_of(bench.case), "loss of a guess": guess(bench)}


def guess(bench: Bench) -> float:
    """Loss of equal chances for all classes; of the mean, for numbers."""
    if bench.classes:
        return float(np.log(bench.classes))
    return float(np.var(bench.counted))


def by_heart(bench: Bench) -> Rows:
    """Training on the one batch, with the program's own optimizer."""
    losses = bench.subject.steps(FIT_STEPS + 1).losses
    return {"loss before": losses[0], f"loss after {FIT_STEPS} steps": losses[-1]}


def twice(bench: Bench) -> Rows:
    """The same batch again, in evaluation, without and with the random numbers of the first
    call.
    """
    subject = bench.subject
    first = subject.call(seed=0)
    other = difference(first, subject.call(seed=1, go_on=True))
    subject.call(seed=0)
    same = difference(first, subject.call(seed=0, go_on=True))
    return {"difference of a second call": other, "the same, random seed set again": same}


def by_example(bench: Bench) -> Rows:
    """How many examples' outputs move with the inputs of one example."""
    pairing = bench.context.pairing
    if pairing is None:
        raise NotApplicableError("inputs and targets share no axis of examples")
    return _owners(bench, pairing.moved, MOVED, "examples whose outputs move")


def by_target(bench: Bench) -> Rows:
    """At how many examples' outputs the gradient of the loss moves with the target of one
    example.
    """
    pairing = bench.context.pairing
    if pairing is None or pairing.meets is None:
        raise NotApplicableError("targets and outputs share no axis of examples")
    return _owners(bench, pairing.meets, MET, "examples whose outputs the target meets")


def _owners(bench: Bench, changes: Array, least: float, name: str) -> Rows:
    """The most examples that one example's change arrives at, and how many examples it does not
    reach itself.
    """
    pairing = bench.context.pairing
    assert pairing is not None
    N = pairing.axes.count
    first = bench.subject.scored[0]
    rows = []
    for change in changes:
        part = bench.context.split(change)[first]
        if part.size % N:
            raise NotApplicableError(
                f"outputs of shape {part.shape} are not one for each of {N} examples"
            )
        axis = next((a for a, size in enumerate(part.shape) if size == N), None)
        whole = part.reshape(N, -1) if axis is None else np.moveaxis(part, axis, 0).reshape(N, -1)
        largest = whole.max(axis=1)
        rows.append(largest > least * max(float(largest.max()), 1e-30))
    own = [row[j] for row, j in zip(rows, pairing.axes.examples, strict=True)]
    return {
        f"{name}, at most": float(max(row.sum() for row in rows)),
        "examples that do not reach their own": float(own.count(False)),
    }


def by_step(bench: Bench) -> Rows:
    """The largest change of any output as the inputs of one step change, for the first, the middle
    and the last steps.
    """
    found = next((bench.context.reach(name) for name in bench.context.data_leaves), None)
    if found is None:
        raise NotApplicableError("the inputs have one step")
    effect = found.effect
    steps = {
        f"change by step {t}": float(size) for t, size in zip(found.steps, effect, strict=True)
    }
    some = list(steps)[:2] + list(steps)[-2:]
    live = float((effect > MOVED * max(float(effect.max()), 1e-30)).sum())
    return {"steps moved": float(len(effect)), "steps with an effect on the outputs": live} | {
        n: steps[n] for n in some
    }


def padding(bench: Bench) -> Rows:
    """Three more padded steps at the end of each example."""
    valid = bench.context.valid
    if valid is None or valid.all():
        raise NotApplicableError("the sequences have one length: there is no padding")
    return {
        "change of the valid outputs, of their size": reach.more_padding(bench.context, valid)[0]
    }


def gradients(bench: Bench) -> Rows:
    """Which arrays of weights get a gradient in one backward pass."""
    found = list(bench.subject.first_backward.parameters.values())
    nothing = [g is None for g in found]
    zero = [g is not None and not g.any() for g in found]
    return {
        "arrays of weights": float(len(found)),
        "without a gradient": sum(nothing),
        "gradient exactly zero": sum(zero),
    }


def optimizer(bench: Bench) -> Rows:
    """The list of the optimizer beside that of the model."""
    known = [p for p in bench.subject.parameters() if p.trainable]
    if all(p.updated is None for p in known):
        raise NotApplicableError("the optimizer's list is not to be seen")
    missing = [p for p in known if p.updated is False]
    return {
        "arrays that the model trains": float(len(known)),
        "of these, unknown to the optimizer": float(len(missing)),
    }


def loop(bench: Bench) -> Rows:
    """Some steps of the program's own loop: what they do to weights and rate."""
    case = bench.make()
    assert case.learn is not None
    before, rate = measures.weights(case), rate_of(case)
    case.learn(LOOP_STEPS)
    after = measures.weights(case)
    pairs = list(zip(before, after, strict=True))
    sizes = [
        float(np.linalg.norm(b - a)) / max(float(np.linalg.norm(a)), 1e-30)
        for a, b in pairs
        if a.ndim > 1
    ]
    unmoved = sum(np.array_equal(a, b) for a, b in pairs)
    return {
        "arrays of weights": float(len(pairs)),
        "not moved at all": float(unmoved),
        "change of a matrix, of its size (median)": float(np.median(sizes)),
        "learning rate before": rate,
        "learning rate after": rate_of(case),
    }


def rate_of(case: Case) -> float:
    """Learning rate of a case's optimizer, in PyTorch its own, in Keras the model's; NaN where
    there is none.
    """
    owner: Any = case.optimizer or getattr(case.model, "optimizer", None)
    if hasattr(owner, "param_groups"):
        return float(owner.param_groups[0]["lr"])
    return (
        float(np.asarray(owner.learning_rate)) if hasattr(owner, "learning_rate") else float("nan")
    )


def outputs(bench: Bench) -> Rows:
    """Range of the outputs and of the targets; sums over the last axis where it has several
    places.
    """
    out, counted = bench.output, bench.counted
    rows = {"least output": out.min(), "largest output": out.max()}
    name = "label" if bench.class_axis is not None else "target"
    rows |= {f"least {name}": counted.min(), f"largest {name}": counted.max()}
    if bench.class_axis is not None:
        rows["classes that the outputs have"] = bench.classes
    if out.shape[-1] > 1:
        sums = out.sum(axis=-1)
        rows |= {"least sum of a row of outputs": sums.min(), "largest sum of a row": sums.max()}
    return {name: float(value) for name, value in rows.items()}


def perfect(bench: Bench) -> Rows:
    """The loss of perfect outputs, in each form that they may have."""
    try:
        answer = _perfect(bench)
        if bench.classes:
            forms = {"probabilities": answer, "logits of 20 and -20": 40 * answer - 20}
        else:
            forms = {"the targets themselves": answer}
        return {
            f"loss of perfect outputs as {name}": _loss(bench, form) for name, form in forms.items()
        }
    except (ValueError, TypeError, RuntimeError) as error:
        raise NotApplicableError(f"the loss does not take such outputs: {error}") from error


def _perfect(bench: Bench) -> Array:
    out, target = bench.subject.training_outputs[bench.subject.scored[0]], bench.target
    if bench.class_axis is not None:
        hot = np.eye(bench.classes)[np.maximum(target, 0)].reshape(
            -1, *target.shape[1:], bench.classes
        )
        return np.moveaxis(hot, -1, bench.class_axis).reshape(out.shape)
    if target.size != out.size:
        raise NotApplicableError(f"outputs have the shape {out.shape}, targets {target.shape}")
    return target.reshape(out.shape).astype(float)


def _loss(bench: Bench, form: Array) -> float:
    whole = list(bench.subject.training_outputs)
    leaf = bench.subject.scored[0]
    whole[leaf] = form.astype(whole[leaf].dtype)
    return bench.subject.loss(whole)


def gates(bench: Bench) -> Rows:
    """What the first recurrent layer reads, and how many of its gates are at their ends."""
    layers = [layer for layer in bench.context.layers if layer.weights is not None]
    if not layers:
        raise NotApplicableError("no LSTM layer of the framework's own")
    size = float(np.sqrt(np.mean(np.square(layers[0].x.astype(float)))))
    return {
        "size of its inputs (root mean square)": size,
        "share of gates at their ends": _at_ends(layers[0]),
    }


def _at_ends(layer: Recurrent) -> float:
    """Share of the gates i, f and o beyond the limit."""
    assert layer.weights is not None
    Wx, Wh, b = (w.astype(np.float64) for w in layer.weights)
    H = len(Wh)
    x = layer.x.astype(np.float64)
    zero = np.zeros((len(x), H))
    values = np.asarray(lstm_forward(x, zero, zero, Wx, Wh, b)[2].gates)
    sigmoids = np.delete(values, slice(2 * H, 3 * H), axis=-1)
    end = 1 / (1 + np.exp(STUCK))
    return float(((sigmoids < end) | (sigmoids > 1 - end)).mean())


def split(bench: Bench) -> Rows:
    """Validation sequences of which a run of half their length stands in a training sequence."""
    if "train" not in bench.case.arguments or "valid" not in bench.case.arguments:
        raise NotApplicableError("the program hands over one batch, and no validation set")
    train, valid = (np.asarray(bench.case.arguments[name][0]) for name in ("train", "valid"))
    half = max(train.shape[1] // 2, 1)
    seen = {run for row in train for run in _runs(row, half)}
    share = np.mean([any(run in seen for run in _runs(row, half)) for row in valid])
    return {"share of validation windows that overlap with training": float(share)}


def _runs(row: Array, length: int) -> list[bytes]:
    return [
        np.ascontiguousarray(row[k : k + length]).tobytes() for k in range(len(row) - length + 1)
    ]


MEASUREMENTS: tuple[Measurement, ...] = (
    Measurement(
        "outputs",
        "Range of the outputs beside the targets",
        "targets within reach of the outputs",
        outputs,
        lambda N, T: 1,
    ),
    Measurement(
        "start",
        "Loss before training beside a guess",
        "equal within about a quarter",
        start,
        lambda N, T: 1,
    ),
    Measurement(
        "gates",
        "Inputs of the LSTM layer, and its gates",
        "size about 1, share below a half",
        gates,
        lambda N, T: 1,
    ),
    Measurement(
        "optimizer",
        "Compare the optimizer's list with the model's",
        "0 unknown",
        optimizer,
        lambda N, T: 1,
    ),
    Measurement("split", "Compare validation with training", "0", split, lambda N, T: 1),
    Measurement(
        "padding", "Add three padded steps", "0, up to rounding (1e-6)", padding, lambda N, T: 2
    ),
    Measurement(
        "twice", "Give the same batch again", "0 in both, bit by bit", twice, lambda N, T: 4
    ),
    Measurement(
        "gradients",
        "One backward pass: what gets a gradient",
        "all arrays",
        gradients,
        lambda N, T: STEP,
    ),
    Measurement(
        "perfect",
        "Give the loss the perfect answer",
        "0 in the form that the outputs have",
        perfect,
        lambda N, T: 1,
    ),
    Measurement(
        "examples",
        "Move the inputs of one example",
        "1 at most, its own",
        by_example,
        lambda N, T: N + 1,
    ),
    Measurement(
        "targets", "Move the target of one example", "1 at most, its own", by_target, lambda N, T: 2
    ),
    Measurement(
        "steps",
        "Move the inputs of one step",
        "every step that is no padding has one",
        by_step,
        lambda N, T: T + 1,
    ),
    Measurement(
        "loop",
        f"{LOOP_STEPS} steps of its own loop: what moves",
        "all arrays move, by a percent to their own size; rate as it was",
        loop,
        lambda N, T: STEP * LOOP_STEPS,
    ),
    Measurement(
        "heart", "One batch by heart", "below a tenth", by_heart, lambda N, T: STEP * FIT_STEPS
    ),
)


def find(id: str) -> Measurement:
    """Measurement with this id.

    Raises
    ------
    ArgumentError : when there is none; the message lists those that there are
    """
    for each in MEASUREMENTS:
        if each.id == id:
            return each
    raise ArgumentError(
        f"clinic: no measurement {id!r}; there are {', '.join(each.id for each in MEASUREMENTS)}"
    )

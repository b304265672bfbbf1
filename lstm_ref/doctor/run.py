"""Which examinations there are, in which order, and what follows from what."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from lstm_ref.doctor import (
    coverage,
    data,
    gates,
    gradients,
    labels,
    layout_of_time,
    loop,
    loss_contract,
    numpy_gradients,
    pairing,
    reach,
    relations,
    repeat,
    short_training,
    swaps,
    tokens,
)
from lstm_ref.doctor.catalogue import CATALOGUE, FAMILIES
from lstm_ref.doctor.context import Context
from lstm_ref.doctor.report import Finding, NotExamined, Report, ranked
from lstm_ref.doctor.subject import CannotExamineError, Subject, quiet_numpy
from lstm_ref.errors import ArgumentError

Examine = Callable[[Context], Iterator[Finding]]


@dataclass(frozen=True)
class Examination:
    """One examination.

    Parameters
    ----------
    name : as the report says it
    family : as `skip=` names it
    function : context -> findings
    needs : arguments of `examine` without which it does not apply
    long : whether it trains, so that the budget may leave it out
    last : whether it names no cause, so that it is made only where nothing was found
    """

    name: str
    family: str
    function: Examine
    needs: tuple[str, ...] = ()
    long: bool = False
    last: bool = False


EXAMINATIONS: tuple[Examination, ...] = (
    Examination("the model takes the batch", "repeat", repeat.runs),
    Examination("the loss takes the outputs", "loss", loss_contract.accepts, ("loss",)),
    Examination("inputs stay in a forward pass", "repeat", numpy_gradients.inputs_stay),
    Examination("gradients by hand", "gradients", numpy_gradients.by_hand, ("loss",)),
    Examination("two calls alike", "repeat", repeat.repeatability),
    Examination("weights stay in a forward pass", "repeat", repeat.weights_stay),
    Examination("modes and dropout", "repeat", repeat.modes),
    Examination("pairing of inputs and targets", "pairing", pairing.pairing),
    Examination("order of targets in one row", "pairing", reach.flattened_otherwise),
    Examination("outputs move with the inputs", "pairing", pairing.deafness),
    Examination("outputs differ by example", "pairing", pairing.same_for_all),
    Examination("other company in the batch", "repeat", repeat.company),
    Examination("each input has an effect", "pairing", pairing.each_leaf),
    Examination("outputs differ by step", "pairing", pairing.equal_steps),
    Examination("order of time and features", "pairing", layout_of_time.mixed, ()),
    Examination("later steps", "reach", reach.future),
    Examination("single steps", "reach", reach.one_step_only),
    Examination("directions turned back", "reach", reach.turned_back),
    Examination("more padding", "reach", reach.padding, ("lengths",)),
    Examination("ends that look like padding", "reach", reach.ends_alike),
    Examination("padding in the loss", "reach", reach.padding_is_scored, ("loss", "lengths")),
    Examination("labels differ", "labels", labels.one_label),
    Examination("labels within the range", "labels", labels.outside, ("loss",)),
    Examination("every label has a gradient", "labels", labels.without_gradient, ("loss",)),
    Examination("answer in the inputs", "labels", labels.answer_in_input),
    Examination("answer up to a factor", "data", labels.future_in_input),
    Examination("examples differ", "data", coverage.alike, ()),
    Examination("every example is scored", "loss", coverage.scored, ("loss",)),
    Examination("every column is scored", "loss", coverage.columns, ("loss",)),
    Examination("every output is filled", "loss", coverage.filled, ("loss",)),
    Examination("dropped outputs", "repeat", repeat.dropped_outputs, ("loss",)),
    Examination("outputs vary", "loss", loss_contract.outputs_vary, ("loss",)),
    Examination("outputs fit the loss", "loss", loss_contract.contract, ("loss",)),
    Examination("slope of the loss", "loss", loss_contract.slope, ("loss",)),
    Examination("mean or sum", "loss", loss_contract.sums, ("loss", "optimizer")),
    Examination("the loss has a history", "gradients", gradients.connected, ("loss",)),
    Examination("frozen weights", "gradients", gradients.frozen, ("loss",)),
    Examination("gradients of the parameters", "gradients", gradients.parameters, ("loss",)),
    Examination("gradients of the tokens", "gradients", tokens.without_gradient, ("loss",)),
    Examination("the optimizer's parameters", "gradients", gradients.optimizer, ("loss",)),
    Examination("gradient by lag", "gradients", gradients.lags),
    Examination("steps of the recurrent layer", "data", data.one_step),
    Examination("scale of the inputs", "data", data.input_scale),
    Examination("scale of the targets", "data", data.target_scale, ("loss",)),
    Examination("axis of time", "data", data.time_axis),
    Examination("time among the features", "data", data.time_in_features),
    Examination("steps as channels", "pairing", layout_of_time.channels),
    Examination("train and valid apart", "data", data.overlap, ("train", "valid")),
    Examination("scaler", "data", data.scaler, ("train", "valid")),
    Examination("persistence", "data", short_training.persistence, ("train", "valid")),
    Examination("gates", "gates", gates.gates),
    Examination("gates of a written cell", "gates", gates.own_gates),
    Examination("weights of the start", "gates", gates.equal_weights),
    Examination("forget bias", "gates", gates.forget_bias),
    Examination("learning rate", "loop", loop.rates, ("optimizer",)),
    Examination("schedule", "loop", loop.schedule, ("optimizer",)),
    Examination("size of the updates", "loop", loop.updates, ("loss", "optimizer")),
    Examination("weight decay", "loop", loop.decay, ("loss", "optimizer"), True),
    Examination("training loop", "loop", loop.audit, ("step",)),
    Examination(
        "loss with the given optimizer", "training", short_training.runs_away, ("loss", "optimizer")
    ),
    Examination(
        "short training", "training", short_training.on_validation, ("loss", "train", "valid"), True
    ),
    Examination("one batch by heart", "training", short_training.fit_one_batch, ("loss",), True),
    Examination("the same batch again", "relations", relations.again, ("loss",), last=True),
    Examination("examples in another order", "relations", relations.order, ("loss",), last=True),
    Examination("targets of others", "relations", relations.exchange, ("loss",), last=True),
    Examination("without padding", "relations", relations.trimmed, ("loss", "lengths"), last=True),
    Examination("the first half alone", "relations", relations.shortened, ("causal",), last=True),
    Examination("slope and gradient", "relations", relations.slope, ("loss",), last=True),
    Examination("a plain loop", "swaps", swaps.loop, ("loss", "step"), True, True),
    Examination("a plain optimizer", "swaps", swaps.optimizer, ("loss", "optimizer"), True, True),
    Examination("free outputs", "swaps", swaps.outputs, ("loss",), True, True),
)

# Causes in the order in which they stand upstream, each with what follows from it. A family's name
# stands for all its ids.
_FOLLOWS: dict[str, tuple[str, ...]] = {
    "not-finite": (
        *("pairing", "reach", "gradients", "repeat", "loss", "labels", "gates", "loop", "training"),
        *("inputs-badly-scaled", "targets-badly-scaled", "outputs-too-large"),
    ),
    "inputs-changed": ("repeat", "pairing", "reach", "training", "gradient-wrong"),
    "gradient-wrong": ("gradients", "training"),
    "forward-changes-weights": ("repeat", "training", "loop", "gradients"),
    "not-repeatable": ("place-in-batch", "pairing", "training", "not-registered"),
    "noise-in-evaluation": ("place-in-batch", "pairing", "training"),
    "mode-never-returns": ("mode-without-effect", "left-in-evaluation-mode"),
    "softmax-over-batch": ("place-in-batch", "pairing", "loss", "training", "gates"),
    "softmax-over-time": ("loss", "training"),
    "one-time-step": (
        "direction-sees-one-step",
        "parameter-unused",
        "zero-gradient",
        "short-reach",
        "training",
    ),
    "targets-broadcast": ("targets-misaligned", "loss", "training"),
    "label-outside": ("loss", "training"),
    "one-output-softmax": ("pairing", "loss", "gradients", "labels", "training", "loop"),
    "loss-detached": ("gradients", "loop", "training", "loss"),
    "frozen-by-accident": ("gradients", "loop", "training", "loss-detached"),
    "loss-constant": ("gradients", "loop", "training"),
    "time-mixed-with-features": ("training", "reach", "gradients", "time-on-wrong-axis"),
    "time-on-wrong-axis": ("place-in-batch", "pairing", "reach", "gradients", "training"),
    "steps-as-channels": ("training", "reach", "gradients", "time-mixed-with-features"),
    "token-without-gradient": ("zero-gradient",),
    "examples-mixed": (
        "place-in-batch",
        "pairing",
        "reach",
        "training",
        "gradients",
        "classes-on-wrong-axis",
    ),
    "normalised-over-batch": ("place-in-batch", "pairing", "training"),
    "outputs-equal-at-all-steps": ("training", "reach"),
    "outputs-ignore-inputs": ("gradients", "reach", "training", "pairing", "gates"),
    "targets-misaligned": ("training", "loss", "reach"),
    "classes-on-wrong-axis": ("loss", "training", "targets-misaligned"),
    "loss-over-wrong-axis": ("training", "loss", "relations", "swaps"),
    "loss-wants-logits": ("training", "loss"),
    "loss-wants-probabilities": ("training", "loss", "loop"),
    "loss-wants-log-probabilities": ("training", "loss", "loop"),
    "loss-negative": ("training", "loss", "loop"),
    "outputs-cannot-reach-targets": (
        "training",
        "gradients",
        "targets-badly-scaled",
        "outputs-ignore-inputs",
    ),
    "no-gradient": ("gradients", "training"),
    "gradient-cut": (
        "zero-gradient",
        "parameter-unused",
        "no-gradient",
        "gates",
        "training",
        "vanishing-gradient",
    ),
    # a dropout in a list is not told of evaluation
    "not-registered": (
        "not-in-optimizer",
        "noise-in-evaluation",
        "mode-without-effect",
        "training",
    ),
    "not-in-optimizer": ("training", "gradients-add-up", "no-update", "weights-stand-still"),
    "direction-not-turned-back": ("training", "short-reach", "steps-ignored"),
    "short-reach": (
        "direction-sees-one-step",
        "parameter-unused",
        "zero-gradient",
        "training",
        "gates",
    ),
    "inputs-identical": ("training", "gates"),
    "examples-not-scored": ("training", "label-without-gradient", "targets-misaligned"),
    "output-never-filled": ("training", "outputs-ignore-inputs"),
    "steps-ignored": ("parameter-unused", "training"),
    "output-not-scored": ("zero-gradient", "no-gradient", "parameter-unused"),
    "parameter-unused": ("zero-gradient",),
    "zero-gradient": ("training",),
    "state-carried": ("training", "state-not-detached", "place-in-batch"),
    "place-in-batch": ("training",),
    "inputs-badly-scaled": (
        "outputs-too-large",
        "outputs-ignore-inputs",
        "short-reach",
        "steps-ignored",
        "zero-gradient",
        "gates",
        "training",
        "parameter-unused",
        "no-update",
        "update-too-small",
        "update-too-large",
    ),
    "outputs-too-large": ("training", "gradients", "update-too-large", "loss-sums"),
    "targets-badly-scaled": ("training", "gradients", "loss-sums"),
    "exploding-gradient": (
        "outputs-too-large",
        "training",
        "update-too-large",
        "label-without-gradient",
    ),
    "gates-saturated": ("exploding-gradient", "training", "outputs-ignore-inputs", "zero-gradient"),
    "dead-units": (
        "training",
        "outputs-ignore-inputs",
        "zero-gradient",
        "loss-constant",
        "parameter-unused",
    ),
    "memory-too-short": ("vanishing-gradient",),
    "rate-is-zero": ("no-update", "update-too-small", "weights-stand-still", "training"),
    "loss-sums": ("update-too-large", "diverges"),
    "update-too-large": ("diverges", "loss-sums"),
    "rate-decays-at-once": ("update-too-small",),
    "decay-too-large": ("training",),
    "dropout-too-high": ("training",),
    "dropout-on-outputs": ("training",),
    "direction-sees-one-step": ("training",),
    "gradients-add-up": ("graph-grows", "training"),
    "sees-the-future": ("answer-in-input",),
    "scores-padding": ("label-without-gradient",),
    "answer-in-input": ("future-in-input",),
}


def _explains() -> dict[str, frozenset[str]]:
    table = {id: frozenset(_named(id, follows)) for id, follows in _FOLLOWS.items()}
    return table | {id: frozenset() for id in CATALOGUE if id not in table}


def _named(cause: str, follows: tuple[str, ...]) -> Iterator[str]:
    for name in follows:
        members = (
            [id for id, entry in CATALOGUE.items() if entry.family == name]
            if name in FAMILIES
            else [name]
        )
        yield from (id for id in members if id != cause)


EXPLAINS = _explains()


def run(subject: Subject) -> Report:
    """Make every examination that applies, within the budget, and rank what they find."""
    start = time.process_time()
    context = Context(subject, start + subject.options.budget)
    _check_skip(subject)
    findings: list[Finding] = []
    ran: list[str] = []
    left: list[NotExamined] = []
    for examination in EXAMINATIONS:
        if (why := _why_not(examination, context)) is not None:
            left.append(NotExamined(examination.name, why))
            continue
        if _not_needed(examination, findings):
            left.append(NotExamined(examination.name, "not needed beside what was found"))
            continue
        try:
            with quiet_numpy():
                findings.extend(examination.function(context))
            ran.append(examination.name)
        except ArgumentError as error:
            if not ran:  # the batch itself, not what was tried on it
                raise
            left.append(NotExamined(examination.name, f"stopped with {_short(error)}"))
        except CannotExamineError as error:
            left.append(NotExamined(examination.name, str(error)))
        except Exception as error:  # a program of any kind may stop at what is tried on it
            left.append(
                NotExamined(
                    examination.name, f"stopped with {type(error).__name__}: {_short(error)}"
                )
            )
    return Report(
        ranked(findings, EXPLAINS),
        tuple(ran),
        tuple(left),
        subject.framework,
        time.process_time() - start,
        tuple(context.notes),
        context.pictures,
    )


def _not_needed(examination: Examination, findings: Sequence[Finding]) -> bool:
    """Whether it would train beside what is certain, or look for what is unknown beside what was
    found.
    """
    found = {finding.certainty for finding in findings} - {"remark"}
    return bool(found) if examination.last else examination.long and bool(found - {"strong"})


def _short(error: Exception) -> str:
    text = str(error).strip().splitlines() or [""]
    return text[0][:160]


def _check_skip(subject: Subject) -> None:
    unknown = [name for name in subject.options.skip if name not in FAMILIES]
    if unknown:
        raise ArgumentError(
            f"examine: skip must name some of {', '.join(FAMILIES)}, got {', '.join(unknown)}"
        )


def _asked(missing: list[str], context: Context) -> str:
    """Why lengths are asked for, where examples look padded."""
    if missing != ["lengths"] or context.filled_ends is None:
        return ""
    _, valid = context.filled_ends
    return f": {int((~valid).any(1).sum())} of {len(valid)} examples look padded"


def _why_not(examination: Examination, context: Context) -> str | None:
    """Why an examination is not made; None where it is."""
    subject = context.subject
    if examination.family in subject.options.skip:
        return "skipped as asked"
    if subject.without_outputs and examination.function is not numpy_gradients.by_hand:
        return "give forward="
    given = {"loss": subject.has_loss, "optimizer": subject.has_optimizer}
    options = subject.options
    given |= {name: getattr(options, name, None) is not None for name in ("step", "train", "valid")}
    given["causal"] = options.causal
    given["lengths"] = options.lengths is not None or options.mask is not None
    missing = [name for name in examination.needs if not given[name]]
    if missing:
        return "give " + " and ".join(f"{name}=" for name in missing) + _asked(missing, context)
    if examination.long and context.out_of_time():
        return f"the budget of {options.budget:g} s was spent; raise budget="
    return None

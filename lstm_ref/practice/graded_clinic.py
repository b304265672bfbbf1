"""The public checks of the problem set clinic, and its instant check.

    from lstm_ref.practice.graded_clinic import check, patient
    check("measure_loss")

The judge asks the same questions with more programs (solutions/clinic/checks.py). The programs that
are measured and diagnosed stay on this side: a student's function may call them, and never reads
them. PyTorch is imported when the first check is asked, and Keras when a program in Keras is
measured or an answer is compared with known mistakes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.random import Generator

from lstm_ref import practice
from lstm_ref.errors import Array
from lstm_ref.practice import clinic_programs as programs
from lstm_ref.practice import plain_clinic as plain
from lstm_ref.practice.clinic_mistakes import MISTAKES
from lstm_ref.practice.mistakes import Plain
from verdict import Case, Check, Mend, Misconception, Status, Verdict
from verdict.check import Call
from verdict.tensors import from_arrays, to_arrays

SET = Plain(plain, MISTAKES)
EVIDENCE = ("measure_reading", "measure_loss", "measure_step", "measure_text")
PARAMETERS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight", "bias")
AXES = {
    "outputs": "N T H",
    "x": "N T",
    "y": "N T",
    "dweight_ih": "4H D",
    "dweight_hh": "4H H",
    "dbias_ih": "4H",
    "dbias_hh": "4H",
    "bias": "4H",
}
BLOCKS = {"4H": ("i", "f", "g", "o")}


def patient(seed: int) -> programs.Program:
    """A program to practise on, sick or healthy; `cause_of` tells which, for the same seed."""
    return programs.draw(np.random.default_rng(seed), cause_of(seed))


def cause_of(seed: int) -> str:
    """What is wrong with the patient of this seed, ``"none"`` where nothing is."""
    causes = (*programs.CAUSES, programs.NONE)
    return causes[int(np.random.default_rng([seed, 1]).integers(len(causes)))]


# --- cases
# --------------------------------------------------------------------------------------------------

Sizes = programs.Sizes


def program_case(rng: Generator, label: str, cause: str, sizes: Sizes | None = None) -> Case:
    """A call of a function that measures a program with this fault."""
    return Case(label, (programs.draw(rng, cause, sizes),))


def reader_case(rng: Generator, label: str, N: int, T: int, D: int, H: int) -> Case:
    """A call of mend_reader."""
    return Case(label, (draw_lstm(rng, D, H), rng.normal(size=(N, T, D))))


def gates_case(rng: Generator, label: str, H: int) -> Case:
    """A call of mend_gates."""
    bias_ih, bias_hh = rng.normal(scale=0.5, size=(2, 4 * H))
    return Case(label, (bias_ih, bias_hh, float(rng.uniform(0.5, 3))))


def scores_case(rng: Generator, label: str, N: int, C: int, scale: float = 2.0) -> Case:
    """A call of mend_scores."""
    return Case(label, (rng.normal(scale=scale, size=(N, C)), rng.integers(C, size=N)))


def tokens_case(rng: Generator, label: str, N: int, T: int, C: int) -> Case:
    """A call of mend_tokens: lengths from 1 to T, both of which occur."""
    lengths = rng.permutation(np.r_[1, T, rng.integers(1, T + 1, size=N)][:N])
    mask = np.arange(T) < lengths[:, None]
    return Case(label, (rng.normal(size=(N, T, C)), rng.integers(C, size=(N, T)), mask))


def trained_case(rng: Generator, label: str, sizes: Sizes, C: int) -> Case:
    """A call of trained."""
    N, T, D, H = sizes
    weights = tuple(programs.draw_weights(rng, D, H, C))
    return Case(label, (weights, rng.normal(size=(N, T, D)), rng.normal(size=(N, C)), 0.2))


def stepped_case(rng: Generator, label: str, sizes: Sizes, C: int, *, clips: bool = True) -> Case:
    """A call of stepped.

    ``max_norm`` follows from the gradient: a sixth of its norm, which clips what is clipped number
    by number, too; or three times its norm.
    """
    N, T, D, H = sizes
    weights = programs.draw_weights(rng, D, H, C)
    x, y = rng.normal(size=(N, T, D)), rng.normal(size=(N, C))
    max_norm = programs.gradient_norm(weights, x, y) * (1 / 6 if clips else 3.0)
    return Case(label, (tuple(weights), x, y, 0.3, max_norm))


def pairs_case(rng: Generator, label: str, N: int, length: int) -> Case:
    """A call of mend_pairs."""
    return Case(label, (rng.integers(20, size=(N, length)),))


def chunks_case(rng: Generator, label: str, sizes: Sizes, k: int) -> Case:
    """A call of chunked."""
    N, T, D, H = sizes
    x, y = rng.normal(size=(N, T, D)), rng.normal(size=(N, T, H))
    return Case(label, (draw_lstm(rng, D, H), x, y, k))


def draw_lstm(rng: Generator, D: int, H: int) -> tuple[Array, ...]:
    """Weights of an nn.LSTM: weight_ih (4H, D), weight_hh (4H, H), bias_ih, bias_hh (4H,)."""
    shapes: tuple[tuple[int, ...], ...] = ((4 * H, D), (4 * H, H), (4 * H,), (4 * H,))
    return tuple(rng.normal(scale=0.7, size=shape) for shape in shapes)


# --- what is expected, and what is known
# --------------------------------------------------------------------------------------------------


def in_torch(function: Call) -> Call:
    """A function of tensors as one of arrays."""

    def call(*arguments: Any) -> Any:
        return to_arrays(function(*from_arrays(arguments, "torch")))

    return call


def known(function: str, called: str = "") -> tuple[Misconception, ...]:
    """The known mistakes of a function of tensors, as functions of arrays."""
    return tuple(
        replace(mistake, function=in_torch(mistake.function))
        for mistake in SET.known(function, called)
    )


def expected_step(
    weights: Sequence[Array], x: Array, y: Array, lr: float, max_norm: float = np.inf
) -> list[Array]:
    """The reference of trained and of stepped, without one of PyTorch's optimizers: they import for
    seconds.
    """
    as_given = [np.asarray(w, dtype=np.float64) for w in weights]
    return programs.stepped(as_given, x, y, lr, max_norm)


def expected_scores(outputs: Array, y: Array) -> float:
    """The reference of mend_scores, without Keras, which imports for seconds."""
    return float(_losses(outputs, y).mean())


def expected_tokens(outputs: Array, y: Array, mask: Array) -> float:
    """The reference of mend_tokens, without Keras."""
    return float(_losses(outputs, y)[mask].mean())


def _losses(outputs: Array, y: Array) -> Array:
    """Cross-entropy of each: outputs (..., C), of any size, and classes y (...)."""
    shifted = np.asarray(outputs, dtype=np.float64)
    shifted = shifted - shifted.max(axis=-1, keepdims=True)
    right = np.take_along_axis(shifted, np.asarray(y)[..., None], axis=-1)[..., 0]
    return np.asarray(np.log(np.exp(shifted).sum(axis=-1)) - right)


def sum_of_biases(arrays: dict[str, Array]) -> dict[str, Array]:
    """Any two biases are right whose sum is."""
    return {"bias": arrays["bias_ih"] + arrays["bias_hh"]}


def together(arrays: dict[str, Array]) -> dict[str, Array]:
    """All parameters as one vector: a mend that reaches some of them is none."""
    return {"parameter_vector": np.concatenate([np.ravel(arrays[name]) for name in PARAMETERS])}


# --- diagnoses
# --------------------------------------------------------------------------------------------------

NAMED = {
    "asks_nothing": "It gives an answer without a single question to the program.",
    "same_answer": "It gives the same answer for every program.",
    "healthy_called_sick": "It finds a fault in programs that have none.",
    "fading_for_axis": (
        "Where examples are read as time it names the memory: that the first step has no effect is "
        "a consequence there."
    ),
}
LOOK = (
    "Which numbers does each fault move? One fault may move two of them.",
    "Draw patients whose cause you know, and print all eight numbers side by side.",
)


def examine_diagnoses(sick: int, healthy: int) -> Callable[[Call, Generator], Verdict]:
    """Examination of a function that is given a program and names its fault.

    A cause is worth its share where every program with that fault is called by it, and no other
    program is: one answer for all earns nothing.

    Parameters
    ----------
    sick, healthy : programs for each cause, and those without a fault
    """

    def examine(call: Call, rng: Generator) -> Verdict:
        causes = [*programs.CAUSES * sick, *[programs.NONE] * healthy]
        start = int(rng.integers(12))  # programs with the same fault have it in different places
        said, silent = [""] * len(causes), False
        # Each is made when its turn comes: not even where it lies in memory tells its fault.
        for k in map(int, rng.permutation(len(causes))):
            turn = k % sick if causes[k] == programs.NONE else k // len(programs.CAUSES)
            place = (start + turn) % 12
            program = programs.draw(rng, causes[k], place=place)
            answer = _word(call(program))
            if answer not in (*programs.CAUSES, programs.NONE):
                words = ", ".join((*programs.CAUSES, programs.NONE))
                return Verdict(
                    Status.ERROR,
                    f"It must return one of the words {words}. Is there a return at the end of "
                    "each way?",
                )
            said[k] = answer
            silent |= program["forward"].counts[0] == 0
        return _judge(causes, said, silent=silent)

    return examine


def _word(value: Any) -> str:
    """The word, also of one that travelled in an array; empty for anything else."""
    if isinstance(value, np.ndarray | np.generic) and np.size(value) == 1:
        value = value.item()
    return value.strip() if isinstance(value, str) else ""


def _judge(causes: list[str], said: list[str], *, silent: bool) -> Verdict:
    if silent:
        return _named("asks_nothing", 0.0)
    pairs = list(zip(causes, said, strict=True))
    right = [c for c in programs.CAUSES if all((a == c) == (b == c) for a, b in pairs)]
    credit = len(right) / len(programs.CAUSES)
    if credit == 1:
        told = f"Right: {len(causes)} programs, and the right word for each."
        return Verdict(Status.PASSED, told, 1.0)
    if len(set(said)) == 1:
        return _named("same_answer", 0.0)
    rest = f" Right for {', '.join(right)}." if right else ""
    wrong = {pair for pair in pairs if pair[0] != pair[1]}
    if wrong == {("axis", "memory")}:
        return _named("fading_for_axis", credit, rest)
    if all(cause == programs.NONE for cause, _ in wrong):
        return _named("healthy_called_sick", credit, rest)
    missed = [c for c in programs.CAUSES if any(a == c != b for a, b in pairs)]
    told = f"Programs with these faults are called otherwise: {', '.join(missed)}.{rest}"
    return Verdict(Status.WRONG, told, credit, hints=LOOK)


def _named(id: str, credit: float, rest: str = "") -> Verdict:
    return Verdict(
        Status.WRONG,
        NAMED[id] + rest,
        credit,
        misconception=id,
        hints=LOOK,
        named=NAMED[id],
    )


# --- how much may change
# --------------------------------------------------------------------------------------------------

MOST = 16  # lines; the reference changes at most 4, and right code of strangers 12


def mend(part: str) -> Mend:
    """What may be changed of a sick program to mend it."""
    return Mend(MOST, f"sick_{part}", f"mend_{part}", uses=("lstm_of", "forecaster"))


# --- the checks
# --------------------------------------------------------------------------------------------------

_AS_TOLD = "Read once more how the number is defined: it is a number of one program, not a verdict."

CHECKS = (
    Check(
        name="measure_reading",
        title="Do examples meet, and does the first step reach the last?",
        function="measure_reading",
        points=2,
        cases=lambda rng: [
            program_case(rng, "program 1", "axis"),
            program_case(rng, "program 2", "memory"),
            program_case(rng, "program 3", "none"),
            program_case(rng, "program 4", "axis"),
        ],
        expected=plain.measure_reading,
        outputs=("strangers", "memory"),
        misconceptions=SET.known("measure_reading"),
        hints=("Look at the outputs of x, and of x with one number changed.", _AS_TOLD),
    ),
    Check(
        name="measure_loss",
        title="How low can the loss go, and does padding count?",
        function="measure_loss",
        points=2,
        cases=lambda rng: [
            program_case(rng, "program 1", "softmax"),
            program_case(rng, "program 2", "padding"),
            program_case(rng, "program 3", "none"),
        ],
        expected=plain.measure_loss,
        outputs=("floor", "padding"),
        misconceptions=SET.known("measure_loss"),
        hints=("Call the loss with outputs of your own.", _AS_TOLD),
    ),
    Check(
        name="measure_step",
        title="How long is a step, and which parameters stay where they are?",
        function="measure_step",
        points=2,
        cases=lambda rng: [
            program_case(rng, "program 1", "clipping"),
            program_case(rng, "program 2", "optimizer"),
            program_case(rng, "program 3", "none"),
        ],
        expected=plain.measure_step,
        outputs=("length", "idle"),
        tolerance=1e-5,
        misconceptions=SET.known("measure_step"),
        hints=("Print by how much each array of parameters moves.", _AS_TOLD),
    ),
    Check(
        name="measure_text",
        title="Is the answer among the inputs, and does the state keep its past?",
        function="measure_text",
        points=2,
        cases=lambda rng: [
            program_case(rng, "program 1", "shift"),
            program_case(rng, "program 2", "state"),
            program_case(rng, "program 3", "none"),
        ],
        expected=plain.measure_text,
        outputs=("copied", "beyond"),
        misconceptions=SET.known("measure_text"),
        hints=("Print x and y, and the size of the gradient at each time step.", _AS_TOLD),
    ),
    Check(
        name="diagnose",
        title="The right word for each program, the healthy ones included.",
        function="diagnose",
        points=4,
        examine=examine_diagnoses(sick=2, healthy=5),
    ),
    Check(
        name="mend_reader",
        title="Program A gives what its healthy twin gives.",
        function="mend_reader",
        points=1,
        arrays="torch",
        cases=lambda rng: [
            reader_case(rng, "", 3, 5, 4, 2),
            reader_case(rng, "as many examples as steps", 4, 4, 2, 3),
        ],
        expected=in_torch(plain.mend_reader),
        outputs="outputs",
        axes=AXES,
        mend=mend("reader"),
        misconceptions=known("mend_reader"),
        hints=("Measure strangers for the sick program, and for yours.", "It is one argument."),
    ),
    Check(
        name="mend_gates",
        title="Program B begins with the gates that it should have.",
        function="mend_gates",
        points=1,
        arrays="torch",
        cases=lambda rng: [gates_case(rng, "", 3), gates_case(rng, "one unit, H = 1", 1)],
        expected=in_torch(plain.mend_gates),
        outputs=("bias_ih", "bias_hh"),
        one_form=sum_of_biases,
        axes=AXES,
        blocks=BLOCKS,
        mend=mend("gates"),
        misconceptions=known("mend_gates"),
        hints=("Print sigmoid of the sum of both biases, block by block.", "It is one sign."),
    ),
    Check(
        name="mend_scores",
        title="Program C has the loss of its healthy twin.",
        function="mend_scores",
        points=1,
        arrays="torch",
        cases=lambda rng: [
            scores_case(rng, "", 5, 3),
            scores_case(rng, "more classes", 4, 7),
            scores_case(rng, "large outputs", 5, 4, scale=100.0),
        ],
        expected=expected_scores,
        outputs="loss",
        mend=mend("scores"),
        misconceptions=known("mend_scores"),
        hints=("Measure the floor of the sick program, and of yours.", "It is one call too many."),
    ),
    Check(
        name="mend_tokens",
        title="Program D has the loss of its healthy twin.",
        function="mend_tokens",
        points=1,
        arrays="torch",
        cases=lambda rng: [
            tokens_case(rng, "", 4, 5, 3),
            tokens_case(rng, "more classes", 3, 6, 5),
        ],
        expected=expected_tokens,
        outputs="loss",
        mend=mend("tokens"),
        misconceptions=known("mend_tokens"),
        hints=("Change a target in the padding, and print the loss.", "It is the last line."),
    ),
    Check(
        name="mend_trainer",
        title="Program E trains what its healthy twin trains.",
        function="trained",
        points=1,
        arrays="torch",
        cases=lambda rng: [
            trained_case(rng, "", (4, 5, 3, 2), 3),
            trained_case(rng, "one output, C = 1", (3, 4, 2, 3), 1),
        ],
        expected=expected_step,
        outputs=PARAMETERS,
        one_form=together,
        mend=mend("trainer"),
        misconceptions=known("mend_trainer", "trained"),
        hints=("Which parameters moved? Which have a gradient?", "It is one word too many."),
    ),
    Check(
        name="mend_stepper",
        title="Program F makes the step of its healthy twin.",
        function="stepped",
        points=1,
        arrays="torch",
        cases=lambda rng: [
            stepped_case(rng, "", (4, 5, 3, 2), 3),
            stepped_case(rng, "a gradient that is short enough", (3, 4, 2, 3), 2, clips=False),
        ],
        expected=expected_step,
        outputs=PARAMETERS,
        one_form=together,
        # PyTorch divides by the norm and 1e-6; clipped by hand without it, it is as right.
        tolerance=1e-5,
        mend=mend("stepper"),
        misconceptions=known("mend_stepper", "stepped"),
        hints=("Measure the length of your step.", "It is the order of the lines."),
    ),
    Check(
        name="mend_pairs",
        title="Program G asks what its healthy twin asks.",
        function="mend_pairs",
        points=1,
        arrays="torch",
        cases=lambda rng: [pairs_case(rng, "", 3, 8), pairs_case(rng, "one text, N = 1", 1, 6)],
        expected=in_torch(plain.mend_pairs),
        outputs=("x", "y"),
        axes=AXES,
        # What the sick program feeds is right; without the targets it is worth nothing.
        made_from={"x": ("y",), "y": ("x",)},
        mend=mend("pairs"),
        misconceptions=known("mend_pairs"),
        hints=("Print x and y for one short text.", "It is one slice."),
    ),
    Check(
        name="mend_chunks",
        title="Program H has the gradients of its healthy twin.",
        function="chunked",
        points=1,
        arrays="torch",
        cases=lambda rng: [
            chunks_case(rng, "", (3, 7, 4, 2), k=3),
            chunks_case(rng, "whole chunks only", (2, 6, 3, 3), k=2),
        ],
        expected=in_torch(plain.chunked),
        outputs=("dweight_ih", "dweight_hh", "dbias_ih", "dbias_hh"),
        axes=AXES,
        blocks=BLOCKS,
        mend=mend("chunks"),
        misconceptions=known("mend_chunks", "chunked"),
        hints=(
            "What does the state of the second chunk hang on?",
            "It is one line that is missing.",
        ),
    ),
)

_INSTANT = practice.Instant(CHECKS)
check, case = _INSTANT.check, _INSTANT.case

"""The public checks of the problem set lstm-bptt.

The judge asks the same questions with more cases (solutions/lstm-bptt/checks.py). No case has T = 1
or a zero state alone: a third of all mistakes in backpropagation through time are silent there.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cache, partial
from typing import Any

import numpy as np
from numpy.random import Generator

from lstm_ref import zoo
from lstm_ref.cell import StepCache, lstm_step, lstm_step_backward
from lstm_ref.errors import Array
from lstm_ref.practice.gradient_checkers import CHECKER_MISCONCEPTIONS, examine_checker
from lstm_ref.sequence import SequenceCache, lstm_backward, lstm_forward
from lstm_ref.zoo import plain
from verdict import Case, Check, Misconception, Status

BLOCKS = {"4H": ("i", "f", "g", "o")}
AXES = {
    "h": "N T H",
    "hT": "N H",
    "cT": "N H",
    "dx": "N T D",
    "dh0": "N H",
    "dc0": "N H",
    "dWx": "D 4H",
    "dWh": "H 4H",
    "db": "4H",
}
STEP_AXES = {**AXES, "h": "N H", "c": "N H", "dx": "N D", "dh_prev": "N H", "dc_prev": "N H"}
GRADS = ("dx", "dh0", "dc0", "dWx", "dWh", "db")
STEP_GRADS = ("dx", "dh_prev", "dc_prev", "dWx", "dWh", "db")

# label, (N, T, D, H). Sizes that differ, so that no exchanged axis goes unnoticed; then the sizes
# that are 1.
SIZES = (
    ("", (3, 5, 4, 2)),
    ("other sizes", (2, 4, 5, 3)),
    ("one example, N = 1", (1, 4, 3, 2)),
    ("one time step, T = 1", (2, 1, 4, 3)),
    ("one hidden unit, H = 1", (2, 3, 4, 1)),
)
STEP_SIZES = tuple((label, sizes) for label, sizes in SIZES if "T = 1" not in label)


def draw(
    rng: Generator, sizes: tuple[int, int, int, int], *, weights: float = 0.5, state: float = 1.0
) -> tuple[Array, Array, Array, Array, Array, Array]:
    """Arguments of `lstm_forward`: x (N, T, D), h0, c0 (N, H), Wx (D, 4H), Wh (H, 4H), b (4H,)."""
    N, T, D, H = sizes
    return (
        rng.normal(size=(N, T, D)),
        rng.normal(scale=state, size=(N, H)),
        rng.normal(scale=state, size=(N, H)),
        rng.normal(scale=weights, size=(D, 4 * H)),
        rng.normal(scale=weights, size=(H, 4 * H)),
        rng.normal(scale=weights, size=4 * H),
    )


def step_case(
    rng: Generator, label: str, sizes: tuple[int, int, int, int], **scales: float
) -> Case:
    """A call of lstm_step."""
    x, h0, c0, Wx, Wh, b = draw(rng, sizes, **scales)
    return Case(label, (x[:, 0], h0, c0, Wx, Wh, b))


def forward_case(
    rng: Generator, label: str, sizes: tuple[int, int, int, int], **scales: float
) -> Case:
    """A call of lstm_forward."""
    return Case(label, draw(rng, sizes, **scales))


def step_backward_case(
    rng: Generator, label: str, sizes: tuple[int, int, int, int], **scales: float
) -> Case:
    """A call of lstm_step_backward, with the cache of a right step."""
    x, h0, c0, Wx, Wh, b = draw(rng, sizes, **scales)
    h, c, cache = lstm_step(x[:, 0], h0, c0, Wx, Wh, b)
    return Case(label, (rng.normal(size=h.shape), rng.normal(size=c.shape), tuple(cache)))


def backward_case(
    rng: Generator,
    label: str,
    sizes: tuple[int, int, int, int],
    *,
    dcT: bool = True,
    **scales: float,
) -> Case:
    """A call of lstm_backward, with the caches of a right forward pass; with or without its last
    argument.
    """
    x, h0, c0, Wx, Wh, b = draw(rng, sizes, **scales)
    h, (_, cT), cache = lstm_forward(x, h0, c0, Wx, Wh, b)
    arguments = (rng.normal(size=h.shape), zoo.step_caches(cache), rng.normal(size=cT.shape))
    return Case(label, arguments if dcT else arguments[:2])


def end_to_end_case(
    rng: Generator, label: str, sizes: tuple[int, int, int, int], **scales: float
) -> Case:
    """A call of end_to_end."""
    arguments = draw(rng, sizes, **scales)
    N, T, _, H = sizes
    return Case(label, (*arguments, rng.normal(size=(N, T, H)), rng.normal(size=(N, H))))


def expected_step_backward(dh: Array, dc: Array, cache: tuple[Array, ...]) -> Any:
    """The reference, from a cache as the student has it."""
    return lstm_step_backward(dh, dc, StepCache(*cache))


def expected_backward(
    dh: Array, cache: Sequence[tuple[Array, ...]], dcT: Array | None = None
) -> Any:
    """The reference, from a list of caches as the student has it."""
    steps = [StepCache(*step) for step in cache]
    return lstm_backward(
        dh,
        SequenceCache(
            x=np.stack([step.x for step in steps]),
            h=np.stack([*(step.h_prev for step in steps), steps[-1].o * np.tanh(steps[-1].c)]),
            c=np.stack([*(step.c_prev for step in steps), steps[-1].c]),
            gates=np.stack(
                [np.concatenate([step.i, step.f, step.g, step.o], axis=1) for step in steps]
            ),
            Wx=steps[0].Wx,
            Wh=steps[0].Wh,
        ),
        dcT,
    )


def expected_end_to_end(
    x: Array, h0: Array, c0: Array, Wx: Array, Wh: Array, b: Array, dh: Array, dcT: Array
) -> Any:
    """The reference, forward and backward."""
    return lstm_backward(dh, lstm_forward(x, h0, c0, Wx, Wh, b)[2], dcT)


def known(function: str) -> tuple[Misconception, ...]:
    """What the zoo knows about a function; a mistake in a step is known in the sequence that
    repeats it, too.
    """
    step = {"lstm_forward": "lstm_step", "lstm_backward": "lstm_step_backward"}.get(function, "")
    found = []
    for bug in (*zoo.BUGS, *zoo.OTHER_ORDERS):
        # In a sequence, a step that ignores its dc returns the same numbers as a loop that does not
        # carry it.
        if bug.function not in (function, step) or (
            function == "lstm_backward" and bug.id == "dc_ignored"
        ):
            continue
        found.append(_seen_from(function, bug))
    return tuple(found)


@cache
def further(function: str) -> tuple[tuple[Misconception, ...], tuple[Misconception, ...]]:
    """Slips of the hand; then each mistake in code whose gates stand in another one of the usual
    orders, which is half right.
    """
    step = {"lstm_forward": "lstm_step", "lstm_backward": "lstm_step_backward"}.get(function, "")
    slips = tuple(bug for bug in zoo.SLIPS if bug.function in (function, step))
    with_stories = tuple(
        bug for bug in zoo.BUGS if bug.function in (function, step) and not bug.convention
    )
    orders = [
        bug
        for bug in zoo.BUGS
        if bug.convention and bug.function in (function, step) and "order" in bug.id
    ]
    both = []
    for order in orders:
        for bug in with_stories if step else (*with_stories, *slips):
            mistake = replace(bug, title=f"{bug.title} {order.title}", also=order)
            with suppress(ValueError):  # both change the same line
                mistake.source_of(bug.function)
                seen = _seen_from(function, mistake)
                both.append(
                    replace(seen, alone=getattr(bug, function), convention=_convention(order))
                )
    return tuple(_seen_from(function, bug) for bug in slips), tuple(both)


def _seen_from(function: str, bug: zoo.Bug) -> Misconception:
    """A mistake as it shows in this function, whose own it is or that of the step that it
    repeats.
    """
    title, hints = bug.title, bug.hints
    if bug.function != function:
        title += (
            f" (It comes out as if every step did so. Where {bug.function} passes, look at "
            f"how the loop uses it.)"
        )
        if not bug.convention:
            hints = (
                f"Does {bug.function} pass? Then it is the loop: what does each round hand to it, "
                "in which order does it unpack what comes back, and what is done with that?",
                *(f"Where {bug.function} does not pass: {hint}" for hint in hints),
            )
    status = Status.CONVENTION if bug.convention else Status.WRONG
    convention = _convention(bug) if bug.convention else ""
    return Misconception(
        bug.id, title, getattr(bug, function), hints, status, convention=convention
    )


def _convention(bug: zoo.Bug) -> str:
    """Name of a convention, the same forward and backward."""
    return bug.id.removeprefix("back_")


def in_other_orders(gradients: Callable[..., Any]) -> tuple[tuple[Misconception, ...]]:
    """Forward and backward pass that fit together, with their gates in another order: what they
    give for gradients.

    Parameters
    ----------
    gradients : the reference, (x, h, c, Wx, Wh, b, dh, dc) -> gradients of the first six
    """
    orders = [
        bug for bug in (*zoo.BUGS, *zoo.OTHER_ORDERS) if re.fullmatch("order_[ifgo]{4}", bug.id)
    ]
    found = []
    for bug in orders:
        function = partial(_in_order, gradients, bug.id.removeprefix("order_"))
        convention = _convention(bug)
        found.append(
            Misconception(
                bug.id, bug.title, function, bug.hints, Status.CONVENTION, convention=convention
            )
        )
    return (tuple(found),)


def _in_order(
    gradients: Callable[..., Any],
    order: str,
    x: Array,
    h: Array,
    c: Array,
    Wx: Array,
    Wh: Array,
    b: Array,
    *back: Array,
) -> Any:
    """Gradients where the columns of the weights are read in this order of the gates."""
    ours = [_blocks(weights, order, "ifgo") for weights in (Wx, Wh, b)]
    dx, dh, dc, *grads = gradients(x, h, c, *ours, *back)
    return dx, dh, dc, *(_blocks(grad, "ifgo", order) for grad in grads)


def _blocks(array: Array, order: str, wanted: str) -> Array:
    """Four blocks on the last axis that stand in one order, in another one."""
    blocks = dict(zip(order, np.split(array, 4, axis=-1), strict=True))
    return np.concatenate([blocks[gate] for gate in wanted], axis=-1)


def _with_wrong_cache(
    wrong: Callable[[list[tuple[Any, ...]]], list[tuple[Any, ...]]],
) -> Callable[..., Any]:
    def end_to_end(x: Any, h0: Any, c0: Any, Wx: Any, Wh: Any, b: Any, dh: Any, dcT: Any) -> Any:
        return plain.lstm_backward(dh, wrong(plain.lstm_forward(x, h0, c0, Wx, Wh, b)[2]), dcT)

    return end_to_end


def _replace(step: tuple[Any, ...], **values: Any) -> tuple[Any, ...]:
    return tuple(StepCache(*step)._replace(**values))


def _preactivations(step: tuple[Any, ...]) -> dict[str, Array]:
    """What the gates of a step were made from."""
    gates = dict(zip("ifgo", step[3:7], strict=True))
    return {
        name: np.arctanh(a) if name == "g" else np.log(a / (1 - a)) for name, a in gates.items()
    }


def _all_reordered(steps: list[tuple[Any, ...]], order: str) -> list[tuple[Any, ...]]:
    """Caches with their gates in another order."""
    places = [3 + "ifgo".index(name) for name in order]
    return [(*step[:3], *(step[place] for place in places), *step[7:]) for step in steps]


CACHE_NOTE = (
    "The cache that you are given is the tuple (x, h_prev, c_prev, i, f, g, o, c, Wx, Wh) of part "
    "1, in this order."
)
CACHES_NOTE = (
    "The cache that you are given is a list with, for each time step, the tuple (x, h_prev, "
    "c_prev, i, f, g, o, c, Wx, Wh) of part 1, in this order."
)

CACHE_MISTAKES = (
    Misconception(
        "cache_new_h",
        "The cache of a step holds its new hidden state where h_prev belongs.",
        _with_wrong_cache(lambda steps: [_replace(s, h_prev=s[6] * np.tanh(s[7])) for s in steps]),
        (
            "Compare cache[0] with the arguments of the first step.",
            "Is h overwritten before the cache is made?",
        ),
    ),
    Misconception(
        "cache_new_c",
        "The cache of a step holds its new cell state where c_prev belongs.",
        _with_wrong_cache(lambda steps: [_replace(s, c_prev=s[7]) for s in steps]),
        (
            "Compare cache[0] with the arguments of the first step.",
            "Is c overwritten before the cache is made?",
        ),
    ),
    Misconception(
        "cache_old_c",
        "The cache of a step holds c_prev where the new cell state belongs.",
        _with_wrong_cache(lambda steps: [_replace(s, c=s[2]) for s in steps]),
        (
            "Compare the cell states in cache[0] and cache[1].",
            "The cache needs both cell states of a step.",
        ),
    ),
    Misconception(
        "cache_tanh_c",
        "The cache of a step holds tanh(c) where c belongs.",
        _with_wrong_cache(lambda steps: [_replace(s, c=np.tanh(s[7])) for s in steps]),
        (
            "Compare the cell state in cache[0] with what the step returns.",
            "Is c overwritten before the cache is made?",
        ),
    ),
    Misconception(
        "cache_preactivations",
        "The cache of a step holds the pre-activations where the gates belong.",
        _with_wrong_cache(lambda steps: [_replace(s, **_preactivations(s)) for s in steps]),
        (
            "Between which numbers lie the gates in cache[0]?",
            "Which arrays have gone through sigmoid and tanh?",
        ),
    ),
    Misconception(
        "cache_states_exchanged",
        "The cache of a step holds c_prev before h_prev.",
        _with_wrong_cache(lambda steps: [_replace(s, h_prev=s[2], c_prev=s[1]) for s in steps]),
        (
            "Compare cache[0] with the arguments of the first step.",
            "Which of the two old states stands first?",
        ),
    ),
    Misconception(
        "cache_first_states",
        "All entries of the list of caches hold h0 and c0 as the old states.",
        _with_wrong_cache(
            lambda steps: [_replace(s, h_prev=steps[0][1], c_prev=steps[0][2]) for s in steps]
        ),
        (
            "Compare h_prev in cache[0] and in cache[1].",
            "What is handed to the step in each round of the loop?",
        ),
    ),
    *(
        Misconception(
            f"cache_order_{order}",
            (
                f"The gates stand in the cache in the order {' '.join(order)}; the task asks for i "
                "f g o."
            ),
            _with_wrong_cache(partial(_all_reordered, order=order)),
            (
                "Both functions are right, and disagree about the cache.",
                "Compare the gates in cache[0] with the list above.",
            ),
        )
        for order in zoo.CACHE_ORDERS
    ),
    Misconception(
        "cache_reversed",
        "The list of caches runs from the last time step to the first.",
        _with_wrong_cache(lambda steps: steps[::-1]),
        (
            "Compare cache[0] with the first time step of x.",
            "Where in the list do you put a new cache?",
        ),
    ),
    Misconception(
        "cache_overwritten",
        "All entries of the list of caches hold the last time step.",
        _with_wrong_cache(lambda steps: [steps[-1]] * len(steps)),
        (
            "Compare cache[0] with cache[1].",
            "Are the arrays in the cache written into in the next step?",
        ),
    ),
    Misconception(
        "cache_states_overwritten",
        (
            "The old states in all caches are those of the last time step: one array is written "
            "into in every step."
        ),
        _with_wrong_cache(
            lambda steps: [_replace(s, h_prev=steps[-1][1], c_prev=steps[-1][2]) for s in steps]
        ),
        (
            "Compare h_prev in cache[0] and in cache[1].",
            "Are the arrays in the cache written into in the next step?",
        ),
    ),
)

LINE_BY_LINE = (
    "Take N = D = H = 1 and numbers that you can follow by hand, and print every line.",
    "Compare your lines with the equations above, one by one.",
)

# What the student's gradient checker is tried on here; the judge has more.
PUBLIC_WRONG_GRADIENTS = ("no_dh_carry", "dc_prev_without_f", "dWh_uses_new_h", "db_mean")


def _cases(
    make: Callable[..., Case], sizes: Sequence[tuple[str, Any]]
) -> Callable[[Generator], list[Case]]:
    return lambda rng: [make(rng, label, size) for label, size in sizes]


def _backward_cases(rng: Generator) -> list[Case]:
    first, *others = SIZES
    return [
        backward_case(rng, *first),
        backward_case(rng, "without dcT", first[1], dcT=False),
        *(backward_case(rng, *size) for size in others),
    ]


CHECKS = (
    Check(
        name="lstm_step",
        title="One step forward gives the right h and c.",
        function="lstm_step",
        points=4,
        cases=_cases(step_case, STEP_SIZES),
        expected=lstm_step,
        outputs=("h", "c", None),
        axes=STEP_AXES,
        blocks=BLOCKS,
        misconceptions=known("lstm_step"),
        further=partial(further, "lstm_step"),
        hints=LINE_BY_LINE,
    ),
    Check(
        name="lstm_forward",
        title="A whole sequence forward gives the right h at every step and the right last state.",
        function="lstm_forward",
        points=3,
        cases=_cases(forward_case, SIZES),
        expected=lstm_forward,
        outputs=("h", ("hT", "cT"), None),
        axes=AXES,
        blocks=BLOCKS,
        misconceptions=known("lstm_forward"),
        further=partial(further, "lstm_forward"),
        hints=(
            "Compare your first time step with lstm_step.",
            "Then your second: what does it start from?",
        ),
    ),
    Check(
        name="lstm_step_backward",
        title="One step backward gives the right gradient of every argument.",
        function="lstm_step_backward",
        points=5,
        cases=_cases(step_backward_case, STEP_SIZES),
        expected=expected_step_backward,
        outputs=STEP_GRADS,
        axes=STEP_AXES,
        blocks=BLOCKS,
        misconceptions=known("lstm_step_backward"),
        further=partial(further, "lstm_step_backward"),
        told_with={"cache": CACHE_NOTE, "shapes": CACHE_NOTE},
        hints=(
            (
                "The lines that a right result is made from are right, too: look at the others. "
                "Where none is right, begin with what all six are made from."
            ),
            *LINE_BY_LINE,
        ),
    ),
    Check(
        name="lstm_backward",
        title="A whole sequence backward gives the right gradient of every argument.",
        function="lstm_backward",
        points=5,
        cases=_backward_cases,
        expected=expected_backward,
        outputs=GRADS,
        axes=AXES,
        blocks=BLOCKS,
        misconceptions=known("lstm_backward"),
        further=partial(further, "lstm_backward"),
        told_with={"cache": CACHES_NOTE, "shapes": CACHES_NOTE},
        hints=(
            "With T = 1 it must return what lstm_step_backward returns. Does it?",
            "Then with T = 2: what does the first step get from the second?",
        ),
    ),
    Check(
        name="end_to_end",
        title="Your forward pass and your backward pass fit together.",
        function="end_to_end",
        points=1,
        cases=_cases(end_to_end_case, SIZES),
        expected=expected_end_to_end,
        outputs=GRADS,
        axes=AXES,
        blocks=BLOCKS,
        needs=("lstm_forward", "lstm_backward"),
        misconceptions=CACHE_MISTAKES,
        further=partial(in_other_orders, expected_end_to_end),
        hints=(
            (
                "The numbers of both functions are right, so look at what one hands to the other: "
                "the cache."
            ),
            (
                "Compare each part of cache[0] with the list in the text above: the order, and old "
                "against new states."
            ),
        ),
    ),
    Check(
        name="gradient_check",
        title="Your gradient checker accepts right gradients and finds wrong ones.",
        function="gradient_check",
        points=2,
        misconceptions=CHECKER_MISCONCEPTIONS,
        time_limit=60.0,
        examine=examine_checker(PUBLIC_WRONG_GRADIENTS),
    ),
)

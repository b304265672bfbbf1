"""The public checks of the problem set lstm-torch, and its instant check.

    from lstm_ref.practice.lstm_torch import check
    check("last_hidden")

The judge asks the same questions with more cases (solutions/lstm-torch/checks.py). Cases and
expected values are arrays: the student's function gets tensors, and the reference computes with
PyTorch in float64 or with `lstm_ref`. PyTorch is imported when the first check is asked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.random import Generator

from lstm_ref import practice, zoo
from lstm_ref.cell import lstm_step, lstm_step_backward
from lstm_ref.errors import Array
from lstm_ref.practice import lstm_bptt
from verdict import Case, Check, Misconception, Status

AXES = {
    **lstm_bptt.STEP_AXES,
    **dict.fromkeys("ifgo", "N H"),
    "last": "N H",
    "dlogits": "N T C",
    "weight_ih_l0": "4H D",
    "weight_hh_l0": "4H H",
    "bias": "4H",
    "dweight_ih": "4H D",
    "dweight_hh": "4H H",
    "dbias_ih": "4H",
    "dbias_hh": "4H",
    "weight_ih": "4H D",
    "weight_hh": "4H H",
    "bias_ih": "4H",
    "bias_hh": "4H",
}
CELL_GRADS = ("dx", "dh_prev", "dc_prev", "dWx", "dWh", "db")
WEIGHTS = ("out_weight", "out_bias", "weight_ih", "weight_hh", "bias_ih", "bias_hh")

# --- cases
# --------------------------------------------------------------------------------------------------

Sizes = tuple[int, int, int, int]


def cell_case(rng: Generator, label: str, sizes: Sizes, **scales: float) -> Case:
    """A call of lstm_cell."""
    x, h0, c0, Wx, Wh, b = lstm_bptt.draw(rng, sizes, **scales)
    return Case(label, (x[:, 0], (h0, c0), Wx, Wh, b))


def gradients_case(rng: Generator, label: str, sizes: Sizes, **scales: float) -> Case:
    """A call of cell_gradients."""
    x, h0, c0, Wx, Wh, b = lstm_bptt.draw(rng, sizes, **scales)
    return Case(
        label, (x[:, 0], h0, c0, Wx, Wh, b, rng.normal(size=h0.shape), rng.normal(size=c0.shape))
    )


def weights_case(rng: Generator, label: str, sizes: Sizes) -> Case:
    """A call of to_torch."""
    return Case(label, lstm_bptt.draw(rng, sizes)[3:])


def padded_case(rng: Generator, label: str, N: int, T: int, H: int, longest: int) -> Case:
    """A call of last_hidden: lengths from 1 to ``longest``, both of which occur where there are
    examples enough.

    The first sequence is none of the longest: to take its length for all, or the longest one, are
    two mistakes.
    """
    lengths = rng.permutation(np.r_[longest, 1, rng.integers(1, longest + 1, size=N)][:N])
    if lengths[0] == lengths.max():
        shortest = int(lengths.argmin())
        lengths[[0, shortest]] = lengths[[shortest, 0]]
    return Case(label, (rng.normal(size=(N, T, H)), lengths))


def loss_case(
    rng: Generator, label: str, N: int, T: int, C: int, *, gaps: bool = False, scale: float = 1.0
) -> Case:
    """A call of loss_and_gradient: a mask that rules out the end of most sequences, or any
    steps.
    """
    lengths = rng.permutation(np.r_[1, T, rng.integers(1, T + 1, size=N)][:N])
    mask = np.arange(T) < lengths[:, None]
    if gaps:
        mask = rng.random((N, T)) < 0.6
        mask[:, 0] = True
    return Case(
        label, (rng.normal(scale=scale, size=(N, T, C)), rng.integers(C, size=(N, T)), mask)
    )


def train_case(
    rng: Generator, label: str, sizes: Sizes, C: int, *, steps: int = 4, clips: bool = True
) -> Case:
    """A call of train, in which the first gradient is clipped, or is not.

    ``max_norm`` follows from that gradient. Half of its largest number: so that clipping shows, and
    clipping each number on its own shows as another thing. Three times its norm: so that to clip
    what is short enough already shows, too.
    """
    N, T, D, H = sizes
    weights = (*torch_weights(rng, D, H), rng.normal(size=(H, C)), rng.normal(scale=0.1, size=C))
    batches = [(rng.normal(size=(N, T, D)), rng.integers(C, size=N)) for _ in range(steps)]
    # A step of size 1 without clipping takes away the gradient itself.
    _, after = RIGHT.calling("train")(weights, batches[:1], float("inf"), 1.0)
    before = (*weights[4:], *weights[:4])
    gradient = np.concatenate([np.ravel(b - a) for a, b in zip(after, before, strict=True)])
    max_norm = np.abs(gradient).max() / 2 if clips else 3 * np.linalg.norm(gradient)
    return Case(label, (weights, batches, float(max_norm), 0.3))


def chunks_case(rng: Generator, label: str, sizes: Sizes, k: int) -> Case:
    """A call of chunk_gradients."""
    N, T, D, H = sizes
    target, h0, c0 = rng.normal(size=(N, T, H)), rng.normal(size=(N, H)), rng.normal(size=(N, H))
    return Case(label, (torch_weights(rng, D, H), rng.normal(size=(N, T, D)), target, h0, c0, k))


def torch_weights(rng: Generator, D: int, H: int) -> tuple[Array, Array, Array, Array]:
    """Weights of an nn.LSTM: weight_ih (4H, D), weight_hh (4H, H), bias_ih, bias_hh (4H,)."""
    shapes: tuple[tuple[int, ...], ...] = ((4 * H, D), (4 * H, H), (4 * H,), (4 * H,))
    ih, hh, bias_ih, bias_hh = (rng.normal(scale=0.7, size=shape) for shape in shapes)
    return ih, hh, bias_ih, bias_hh


# --- what is expected, and what is known
# ---------------------------------------------------------------------------------

RIGHT = zoo.Bug("right", "lstm_cell", "", (), "", "", "", (), framework="torch")


def expected_cell(x: Array, state: tuple[Array, Array], Wx: Array, Wh: Array, b: Array) -> Any:
    """The reference of lstm_cell, in NumPy."""
    h, c, cache = lstm_step(x, *state, Wx, Wh, b)
    return (h, c), (cache.i, cache.f, cache.g, cache.o)


def expected_gradients(
    x: Array, h_prev: Array, c_prev: Array, Wx: Array, Wh: Array, b: Array, dh: Array, dc: Array
) -> Any:
    """The reference of cell_gradients, in NumPy."""
    return lstm_step_backward(dh, dc, lstm_step(x, h_prev, c_prev, Wx, Wh, b)[2])


def sum_of_biases(arrays: dict[str, Array]) -> dict[str, Array]:
    """Any two biases are right whose sum is."""
    weights = {name: arrays[name] for name in ("weight_ih_l0", "weight_hh_l0")}
    return weights | {"bias": arrays["bias_ih_l0"] + arrays["bias_hh_l0"]}


def in_the_cell(mistakes: Iterable[Misconception]) -> tuple[Misconception, ...]:
    """Mistakes in lstm_step as mistakes in lstm_cell."""

    def cell(step: Callable[..., Any]) -> Callable[..., Any]:
        def lstm_cell(x: Array, state: tuple[Array, Array], *weights: Array) -> Any:
            h, c, cache = step(x, *state, *weights)
            return (h, c), cache[3:7]

        return lstm_cell

    return tuple(
        replace(m, function=cell(m.function), alone=m.alone and cell(m.alone)) for m in mistakes
    )


def known(function: str, called: str = "") -> tuple[Misconception, ...]:
    """What the zoo knows of a function, seen through the given one by which it is called."""
    return tuple(
        Misconception(bug.id, bug.title, bug.calling(called or function), bug.hints, Status.WRONG)
        for bug in zoo.PYTORCH
        if bug.function == function
    )


def _cell_cases(make: Callable[..., Case]) -> Callable[[Generator], list[Case]]:
    return lambda rng: [make(rng, label, sizes) for label, sizes in lstm_bptt.STEP_SIZES]


CHECKS = (
    Check(
        name="lstm_cell",
        title="The cell gives the right h and c, and the right gates.",
        function="lstm_cell",
        points=3,
        arrays="torch",
        cases=_cell_cases(cell_case),
        expected=expected_cell,
        outputs=(("h", "c"), ("i", "f", "g", "o")),
        axes=AXES,
        blocks=lstm_bptt.BLOCKS,
        # A layer of PyTorch's gives h and c, and no gates: alone, they are nobody's work.
        made_from={"h": ("i", "f", "g", "o"), "c": ("i", "f", "g")},
        misconceptions=in_the_cell(lstm_bptt.known("lstm_step")),
        further=lambda: [in_the_cell(group) for group in lstm_bptt.further("lstm_step")],
        hints=lstm_bptt.LINE_BY_LINE,
    ),
    Check(
        name="cell_gradients",
        title="Autograd finds its way through your cell to everything that goes in.",
        function="cell_gradients",
        points=2,
        arrays="torch",
        cases=_cell_cases(gradients_case),
        expected=expected_gradients,
        outputs=CELL_GRADS,
        axes=AXES,
        blocks=lstm_bptt.BLOCKS,
        needs=("lstm_cell",),
        misconceptions=known("lstm_cell", "cell_gradients"),
        further=partial(lstm_bptt.in_other_orders, expected_gradients),
        hints=(
            (
                "The numbers of your cell are right, so look at how they are made: which step is "
                "not PyTorch's own?"
            ),
            (
                "Search your function for .detach(), .data, .numpy(), .item(), torch.tensor(...) "
                "and torch.no_grad()."
            ),
        ),
    ),
    Check(
        name="to_torch",
        title="nn.LSTM gets the same weights as your cell, in its own layout.",
        function="to_torch",
        points=3,
        arrays="torch",
        cases=lambda rng: [
            weights_case(rng, "", (3, 5, 4, 2)),
            weights_case(rng, "as many inputs as units, D = H", (3, 5, 3, 3)),
            weights_case(rng, "one hidden unit, H = 1", (3, 5, 4, 1)),
        ],
        expected=RIGHT.calling("to_torch"),
        outputs=("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"),
        one_form=sum_of_biases,
        axes=AXES,
        blocks=lstm_bptt.BLOCKS,
        misconceptions=known("to_torch"),
        hints=(
            "Print name and shape of each parameter of nn.LSTM(3, 2), and compare with yours.",
            (
                "Run your cell and lstm_layer(*to_torch(Wx, Wh, b)) on the same input: which gate "
                "is off?"
            ),
        ),
    ),
    Check(
        name="last_hidden",
        title="Of each sequence in a padded batch, the state after its last true step.",
        function="last_hidden",
        points=3,
        arrays="torch",
        cases=lambda rng: [
            padded_case(rng, "a batch padded beyond its longest sequence", 5, 7, 3, longest=5),
            padded_case(rng, "the longest sequence fills the batch", 4, 6, 3, longest=6),
            padded_case(rng, "one example, N = 1", 1, 5, 2, longest=3),
        ],
        expected=RIGHT.calling("last_hidden"),
        outputs="last",
        axes=AXES,
        misconceptions=known("last_hidden"),
        hints=(
            (
                "Take lengths = [1, 3] and an output whose numbers are their own time steps, and "
                "print what you return."
            ),
            "For one example n it is output[n, lengths[n] - 1]. How do you ask for all n at once?",
        ),
    ),
    Check(
        name="sequence_loss",
        title="The mean cross-entropy over true tokens, and its gradient.",
        function="loss_and_gradient",
        points=3,
        arrays="torch",
        cases=lambda rng: [
            loss_case(rng, "", 4, 5, 3),
            loss_case(rng, "another number of classes", 3, 4, 6),
            loss_case(rng, "one example, N = 1", 1, 4, 3),
        ],
        expected=RIGHT.calling("loss_and_gradient"),
        outputs=("loss", "dlogits"),
        axes=AXES,
        misconceptions=known("sequence_loss", "loss_and_gradient"),
        hints=(
            "Take N = 1, T = 2 and C = 2 with one padded step: you can work out the loss by hand.",
            (
                "First make the loss of every single token, (N, T); then leave out the padding; "
                "then take the mean."
            ),
        ),
    ),
    Check(
        name="train_step",
        title="A training step leaves the parameters where they belong.",
        function="train",
        points=3,
        arrays="torch",
        cases=lambda rng: [
            train_case(rng, "", (4, 5, 3, 2), C=3),
            train_case(rng, "a gradient that is short enough", (3, 4, 2, 3), C=2, clips=False),
        ],
        expected=RIGHT.calling("train"),
        outputs=("losses", WEIGHTS),
        axes=AXES,
        blocks=lstm_bptt.BLOCKS,
        misconceptions=known("train_step", "train"),
        # PyTorch divides by the norm and 1e-6; whoever clips by hand leaves the 1e-6 out, and is as
        # right.
        tolerance=1e-5,
        hints=(
            (
                "If the first of your losses is right, the loss is right. If the second is not, "
                "the first step was wrong."
            ),
            (
                "Write the five calls on paper in their order, and what each does to .grad and to "
                "the parameters."
            ),
        ),
    ),
    Check(
        name="run_chunks",
        title="Truncated backpropagation carries the state on, and cuts its past off.",
        function="chunk_gradients",
        points=3,
        arrays="torch",
        cases=lambda rng: [
            chunks_case(rng, "", (3, 7, 4, 2), k=3),
            chunks_case(rng, "whole chunks only", (2, 6, 3, 3), k=2),
            chunks_case(rng, "one chunk holds it all", (2, 4, 3, 2), k=5),
        ],
        expected=RIGHT.calling("chunk_gradients"),
        outputs=("losses", ("hT", "cT"), ("dweight_ih", "dweight_hh", "dbias_ih", "dbias_hh")),
        axes=AXES,
        blocks=lstm_bptt.BLOCKS,
        misconceptions=known("run_chunks", "chunk_gradients"),
        hints=(
            (
                "Are the losses right? Then the state is carried well, and it is its past that is "
                "not cut off where it should be."
            ),
            (
                "Go through two chunks by hand: what goes into the second one, and what does it "
                "hang on?"
            ),
        ),
    ),
)

_INSTANT = practice.Instant(CHECKS)
check, case = _INSTANT.check, _INSTANT.case

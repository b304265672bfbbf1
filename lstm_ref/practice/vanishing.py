"""The public checks of the problem set vanishing, and its instant check.

    from lstm_ref.practice.vanishing import check
    check("rnn_forward")

The judge asks the same questions with more cases (solutions/vanishing/checks.py).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.random import Generator

from lstm_ref import practice
from lstm_ref.errors import Array
from lstm_ref.practice import plain_vanishing as plain
from lstm_ref.practice.mistakes import Plain
from lstm_ref.practice.vanishing_mistakes import MISTAKES
from verdict import Case, Check

SET = Plain(plain, MISTAKES)
GRADS = ("dx", "dh0", "dWx", "dWh", "db")
AXES = {
    "h": "N T H",
    "dx": "N T D",
    "dh0": "N H",
    "dWx": "D H",
    "dWh": "H H",
    "db": "H",
    "norms": "T+1",
    "W": "H H",
    "Q": "A B",
    "bias": "4H",
}
STEP_AXES = {"h": "N H", "r": "N H", "z": "N H", "n": "N H"}

Sizes = tuple[int, int, int, int]  # N, T, D, H

# --- cases
# --------------------------------------------------------------------------------------------------


def draw(
    rng: Generator, sizes: Sizes, state: float = 0.7, weights: float = 0.6
) -> tuple[Array, ...]:
    """Arguments of rnn_forward: x (N, T, D), h0 (N, H), Wx (D, H), Wh (H, H), b (H,)."""
    N, T, D, H = sizes
    return (
        rng.normal(size=(N, T, D)),
        rng.normal(scale=state, size=(N, H)),
        rng.normal(scale=weights, size=(D, H)),
        rng.normal(scale=weights, size=(H, H)),
        rng.normal(scale=weights, size=H),
    )


def forward_case(rng: Generator, label: str, sizes: Sizes, state: float = 0.7) -> Case:
    """A call of rnn_forward."""
    return Case(label, draw(rng, sizes, state))


def backward_case(
    rng: Generator, label: str, sizes: Sizes, state: float = 0.7, weights: float = 0.6
) -> Case:
    """A call of rnn_backward, with the states of a right forward pass."""
    x, h0, Wx, Wh, b = draw(rng, sizes, state, weights)
    h = plain.rnn_forward(x, h0, Wx, Wh, b)
    return Case(label, (rng.normal(size=h.shape), x, h0, h, Wx, Wh))


def lag_case(rng: Generator, label: str, sizes: Sizes) -> Case:
    """A call of gradient_by_lag, with the states of a right forward pass."""
    x, h0, Wx, Wh, b = draw(rng, sizes)
    h = plain.rnn_forward(x, h0, Wx, Wh, b)
    return Case(label, (rng.normal(size=h0.shape), h, Wh))


def radius_case(rng: Generator, label: str, H: int, kind: str) -> Case:
    """A call of scale_to_radius: a matrix that is not symmetric, whose largest eigenvalue is of
    this kind.

    Its other eigenvalues are positive, and smaller by a margin, so that the largest is the same on
    every machine. Its eigenvectors are not orthogonal, so that its largest singular value is
    another number.
    """
    size = rng.uniform(1.5, 2.5)
    blocks = np.diag(rng.uniform(0.4, 0.6, size=H) * size)
    if kind == "complex":
        angle = rng.uniform(1.2, 1.8)
        cos, sin = size * np.cos(angle), size * np.sin(angle)
        blocks[:2, :2] = [[cos, -sin], [sin, cos]]
    else:
        blocks[0, 0] = -size if kind == "negative" else size
    basis = plain.orthogonal(rng.normal(size=(H, H))) @ (
        np.eye(H) + np.triu(rng.uniform(1, 2, size=(H, H)) / H, 1)
    )
    return Case(label, (basis @ blocks @ np.linalg.inv(basis), rng.uniform(0.5, 1.3)))


def orthogonal_case(rng: Generator, label: str, rows: int, columns: int) -> Case:
    """A call of orthogonal. The first number is above 0: there the library's sign of the first
    column is the other one.
    """
    A = rng.normal(size=(rows, columns))
    A[0, 0] = np.abs(A[0, 0]) + 0.2
    return Case(label, (A,))


def clip_case(
    rng: Generator, label: str, D: int, H: int, *, clips: bool = True, scale: float = 1.0
) -> Case:
    """A call of clip_by_norm. Where it clips, to half of the largest number: then to cut off each
    number is another thing.
    """
    shapes = {"Wx": (D, H), "Wh": (H, H), "b": (H,)}
    grads = {
        name: rng.normal(scale=scale * k, size=shape)
        for k, (name, shape) in enumerate(shapes.items(), start=1)
    }
    largest = max(np.abs(g).max() for g in grads.values())
    norm = np.sqrt(sum((g**2).sum() for g in grads.values()))
    return Case(label, (grads, float(largest / 2 if clips else 3 * max(norm, 1.0))))


def chrono_case(rng: Generator, label: str, H: int, longest: int) -> Case:
    """A call of chrono_biases."""
    return Case(label, (rng.uniform(0.05, 0.95, size=H), longest))


def gru_case(rng: Generator, label: str, N: int, D: int, H: int) -> Case:
    """A call of gru_step."""
    shapes: tuple[tuple[int, ...], ...] = ((N, D), (N, H), (D, 3 * H), (H, 3 * H), (3 * H,), (H,))
    return Case(label, tuple(rng.normal(scale=0.8, size=shape) for shape in shapes))


def sum_of_biases(arrays: dict[str, Array]) -> dict[str, Array]:
    """Any two biases are right whose sum is."""
    return {"bias": arrays["bias_ih"] + arrays["bias_hh"]}


def _sizes(make: Callable[..., Case]) -> Callable[[Generator], list[Case]]:
    """The sizes of a sequence that differ, and then those that are 1."""
    sizes: tuple[tuple[str, Sizes], ...] = (
        ("", (3, 5, 4, 2)),
        ("other sizes", (2, 4, 5, 3)),
        ("one example, N = 1", (1, 4, 3, 2)),
        ("one time step, T = 1", (2, 1, 4, 3)),
    )
    return lambda rng: [make(rng, label, size) for label, size in sizes]


CHECKS = (
    Check(
        name="rnn_forward",
        title="The plain RNN gives the right hidden state after every step.",
        function="rnn_forward",
        points=2,
        cases=_sizes(forward_case),
        expected=plain.rnn_forward,
        outputs="h",
        axes=AXES,
        misconceptions=SET.known("rnn_forward"),
        hints=(
            "Is your h right for T = 1? Then the step is right.",
            "Then T = 2: what goes into the second step?",
        ),
    ),
    Check(
        name="rnn_backward",
        title="Backpropagation through time gives the right gradients.",
        function="rnn_backward",
        points=4,
        cases=_sizes(backward_case),
        expected=plain.rnn_backward,
        outputs=GRADS,
        axes=AXES,
        misconceptions=SET.known("rnn_backward"),
        hints=(
            "Is it right for T = 1? Then the step is right.",
            "Then T = 2: write down the two shares that the first step's gradient has.",
        ),
    ),
    Check(
        name="gradient_by_lag",
        title="The norm of the gradient is right at every lag.",
        function="gradient_by_lag",
        points=3,
        cases=_sizes(lag_case),
        expected=plain.gradient_by_lag,
        outputs="norms",
        axes=AXES,
        misconceptions=SET.known("gradient_by_lag"),
        hints=(
            "Entry 0 needs no step back at all. Is it right?",
            (
                "Entry 1 is one step back, through the last step. Compare it with dh0 of your "
                "rnn_backward for T = 1."
            ),
        ),
    ),
    Check(
        name="scale_to_radius",
        title="The scaled matrix has the spectral radius that was asked for.",
        function="scale_to_radius",
        points=2,
        cases=lambda rng: [
            radius_case(rng, "a complex pair is largest", 4, "complex"),
            radius_case(rng, "a negative eigenvalue is largest", 3, "negative"),
        ],
        expected=plain.scale_to_radius,
        outputs="W",
        axes=AXES,
        misconceptions=SET.known("scale_to_radius"),
        hints=(
            "What is the spectral radius of what you return? np.linalg.eigvals tells.",
            "Scaling a matrix scales all of its eigenvalues.",
        ),
    ),
    Check(
        name="orthogonal",
        title="The start is orthogonal, and the one that belongs to A.",
        function="orthogonal",
        points=2,
        cases=lambda rng: [
            orthogonal_case(rng, "more rows than columns", 5, 3),
            orthogonal_case(rng, "more columns than rows", 3, 4),
            orthogonal_case(rng, "a square matrix", 4, 4),
        ],
        expected=plain.orthogonal,
        outputs="Q",
        axes=AXES,
        misconceptions=SET.known("orthogonal"),
        hints=(
            "Print Q.T @ Q: is it the identity? Where A is wide, print Q @ Q.T.",
            "Then print Q.T @ A: is it upper triangular, with a diagonal above 0?",
        ),
    ),
    Check(
        name="clip_by_norm",
        title="All gradients together are made shorter, and their direction is kept.",
        function="clip_by_norm",
        points=2,
        cases=lambda rng: [
            clip_case(rng, "a gradient that is too long", 3, 4),
            clip_case(rng, "a gradient that is short enough", 2, 3, clips=False),
            clip_case(rng, "all gradients zero", 2, 3, clips=False, scale=0.0),
        ],
        expected=plain.clip_by_norm,
        outputs=(("Wx", "Wh", "b"), "norm"),
        axes=AXES | {"Wx": "D H", "Wh": "H H", "b": "H"},
        misconceptions=SET.known("clip_by_norm"),
        # PyTorch divides by the norm and 1e-6. Whoever does so is as right.
        tolerance=1e-5,
        hints=(
            "Take the gradients (3,) and (4,): their norm is 5.",
            "What is the norm of your clipped gradients, and does each entry have the same factor?",
        ),
    ),
    Check(
        name="chrono_biases",
        title="Each unit of the layer starts with the memory that it was given.",
        function="chrono_biases",
        points=2,
        cases=lambda rng: [
            chrono_case(rng, "", 5, 50),
            chrono_case(rng, "a short memory", 4, 6),
            chrono_case(rng, "one hidden unit, H = 1", 1, 200),
        ],
        expected=plain.chrono_biases,
        outputs=("bias_ih", "bias_hh"),
        one_form=sum_of_biases,
        axes=AXES,
        blocks={"4H": ("i", "f", "g", "o")},
        misconceptions=SET.known("chrono_biases"),
        hints=(
            "For u = 0 the time is 1, for u = 1 it is longest - 1. Are yours?",
            "The layer adds its two biases. Add yours, and look at each of the four blocks.",
        ),
    ),
    Check(
        name="gru_step",
        title="One step of a GRU, as PyTorch takes it.",
        function="gru_step",
        points=3,
        cases=lambda rng: [
            gru_case(rng, "", 3, 4, 2),
            gru_case(rng, "other sizes", 2, 5, 3),
            gru_case(rng, "one example, N = 1", 1, 3, 2),
        ],
        expected=plain.gru_step,
        outputs=("h", ("r", "z", "n")),
        # Any weighted mean of anything gives an h; it counts with what it is made of.
        made_from={"h": ("r", "z", "n")},
        axes=STEP_AXES,
        misconceptions=SET.known("gru_step"),
        hints=(
            "Which of r, z and n is the first that is wrong? h is made from all three.",
            "Work it out for one example with D = H = 1, and print every name.",
        ),
    ),
)

_INSTANT = practice.Instant(CHECKS)
check, case = _INSTANT.check, _INSTANT.case

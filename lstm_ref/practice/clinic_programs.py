"""Training programs that may be called and not read: sick ones of eight kinds, and healthy ones.

They are those of the problem set clinic. Each is a dict of functions of arrays, and of the data to
ask them with; a seed draws sizes, weights, data and the place of the fault. Nothing in the data
tells a sick program from a healthy one. Two of three programs are in PyTorch, and one is in Keras,
where that computes with PyTorch; elsewhere all are in PyTorch, and have the same numbers. PyTorch
is imported when the first program is drawn.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.random import Generator

from lstm_ref.errors import Array
from lstm_ref.practice.clinic_keras import KerasProgram, is_on_torch

CAUSES = ("axis", "memory", "softmax", "padding", "clipping", "optimizer", "shift", "state")
NONE = "none"
# of one program: through the wall of a sandbox, each takes about a millisecond
MOST_CALLS = 300
LARGEST = 20_000  # numbers in one argument
FORGET = slice(1, 2)  # the second of four blocks
Sizes = tuple[int, int, int, int]

Program = dict[str, Any]


@dataclass
class Asked:
    """One function of a program, and how often any function of that program was called.

    Parameters
    ----------
    name : shown in errors
    function : of arrays
    axes : how many each argument has
    counts : shared by the functions of one program; one entry
    """

    name: str
    function: Callable[..., Any]
    axes: tuple[int, ...]
    counts: list[int]

    def __call__(self, *arguments: Any) -> Any:
        """The answer, in arrays.

        Raises
        ------
        ValueError : too many questions, or arguments that the function does not take
        """
        self.counts[0] += 1
        if self.counts[0] > MOST_CALLS:
            raise ValueError(
                f"{self.name}: more than {MOST_CALLS} questions to one program; fewer will do"
            )
        arrays = [np.asarray(argument) for argument in arguments]
        if tuple(array.ndim for array in arrays) != self.axes:
            raise ValueError(
                f"{self.name} takes {len(self.axes)} arguments with {self.axes} axes, got shapes "
                f"{[array.shape for array in arrays]}"
            )
        if any(array.dtype.kind not in "biuf" or array.size > LARGEST for array in arrays):
            raise ValueError(f"{self.name} takes numbers, at most {LARGEST} in one argument")
        return self.function(*arrays)


def draw(
    rng: Generator, cause: str, sizes: Sizes | None = None, place: int | None = None
) -> Program:
    """A program that has this fault and no other.

    Parameters
    ----------
    rng : source of everything else
    cause : one of `CAUSES`, or ``"none"``
    sizes : N, T, D, H; drawn where they are left out
    place : where the fault is, as far as there are several places, and in which framework; drawn
        where it is left out

    Returns
    -------
    a dict; the notebook of the set says what each entry is
    """
    if cause not in (*CAUSES, NONE):
        raise ValueError(f"draw: cause must be one of {', '.join((*CAUSES, NONE))}, got {cause!r}")
    drawn = (rng.integers(3, 6), rng.integers(6, 11), rng.integers(2, 5), rng.integers(3, 7))
    N, T, D, H = sizes or tuple(int(n) for n in drawn)
    # the sequence has three chunks: with k = 3, steps and chunks could be taken for each other
    C, k = int(rng.integers(3, 7)), int(rng.choice([2, 4, 5]))
    somewhere = int(rng.integers(12))
    place = somewhere if place is None else place
    weights = draw_weights(rng, D, H, C, closed=cause == "memory", place=place)
    lengths = rng.permutation(np.r_[T, max(T - 2, 1), rng.integers(1, T, size=N)][:N])
    norm, max_norm, lr = float(rng.uniform(2, 6)), 0.0, float(rng.uniform(0.01, 0.15))
    if cause != "clipping" and place % 3 == 0:
        norm = 0.5  # shorter than what is allowed
    batch = rng.normal(size=(N, T, D)), rng.normal(size=(N, C))
    # An input that is always 0: its weights stay, and the array that holds them moves all the same.
    batch[0][..., 1:2] = 0.0
    keras = KerasProgram(weights, cause, place) if place % 3 == 1 and is_on_torch() else None
    max_norm = gradient_norm(weights, *batch, one_bias=keras is not None) / norm

    def one_step() -> tuple[list[Array], list[Array]]:
        if keras is not None:
            return keras.step(*batch, lr, max_norm)
        return step(weights, *batch, lr, max_norm, cause, place)

    return {
        **_asked(weights, cause, place, one_step, keras),
        "x": rng.normal(size=(N, T, D)),
        "outputs": rng.normal(scale=2.0, size=(N, T, C)),
        "y": rng.integers(C, size=(N, T)),
        "mask": np.arange(T) < lengths[:, None],
        "lr": lr,
        "max_norm": max_norm,
        "tokens": rng.integers(C, size=int(rng.integers(20, 60))),
        "sequence": rng.normal(size=(N, 3 * k, D)),
        "k": k,
    }


def _asked(
    weights: list[Array],
    cause: str,
    place: int,
    one_step: Callable[[], Any],
    keras: KerasProgram | None,
) -> Program:
    """The five functions of a program."""
    counts = [0]

    def asked(name: str, function: Callable[..., Any], *axes: int) -> Asked:
        return Asked(name, function, axes, counts)

    return {
        "forward": asked("forward", lambda x: forward(weights, x, cause, place, keras), 3),
        "loss": asked("loss", lambda o, y, mask: loss(o, y, mask, cause, place, keras), 3, 2, 2),
        "step": asked("step", one_step),
        "pairs": asked("pairs", lambda tokens: pairs(tokens, cause), 1),
        "back": asked("back", lambda x, k: back(weights, x, int(k), cause, place, keras), 3, 0),
    }


def draw_weights(
    rng: Generator, D: int, H: int, C: int, *, closed: bool = False, place: int = 0
) -> list[Array]:
    """Weights of an nn.LSTM and of a linear layer on top, with forget gates that are open, or
    closed.

    Returns
    -------
    weight_ih (4H, D), weight_hh (4H, H), bias_ih (4H,), bias_hh (4H,), weight (C, H), bias (C,)
    """
    shapes: list[tuple[int, ...]] = [(4 * H, D), (4 * H, H), (4 * H,), (4 * H,), (C, H), (C,)]
    scales = (0.5, 0.15, 0.1, 0.1, 1.0, 0.1)
    weights = [rng.normal(scale=s, size=shape) for s, shape in zip(scales, shapes, strict=True)]
    keep = float(rng.uniform(2, 3.5))
    block = slice(FORGET.start * H, FORGET.stop * H)
    weights[2 + place % 2][block] = -4 * keep if closed else keep
    return weights


# --- the parts of a program; all of them compute with PyTorch, in float64, or ask Keras
# --------------------------------------------------------------------------------------------------


def _lstm(weights: list[Array], *, batch_first: bool) -> Any:
    import torch

    ih, hh, bias_ih, bias_hh = (torch.tensor(w, dtype=torch.float64) for w in weights[:4])
    lstm = torch.nn.LSTM(ih.shape[1], hh.shape[1], batch_first=batch_first, dtype=torch.float64)
    names = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")
    lstm.load_state_dict(dict(zip(names, (ih, hh, bias_ih, bias_hh), strict=True)))
    return lstm


def _tensor(array: Array) -> Any:
    import torch

    return torch.tensor(np.asarray(array, dtype=np.float64))


def forward(
    weights: list[Array], x: Array, cause: str, place: int, keras: KerasProgram | None = None
) -> Array:
    """Outputs (N, T, C) of a batch x (N, T, D); sick with "axis": it reads examples as time."""
    import torch

    N, T, D = x.shape
    if (expected := weights[0].shape[1]) != D:
        raise ValueError(f"forward: x must be (N, T, D) with D = {expected}, got {x.shape}")
    if keras is not None:
        return keras.forward(x)
    sick = cause == "axis"
    with torch.no_grad():
        lstm = _lstm(weights, batch_first=not sick)
        if sick and place % 2:  # a view in the place of a transposition
            states = lstm(_tensor(x).reshape(T, N, D))[0].reshape(N, T, -1)
        else:
            states = lstm(_tensor(x))[0]
        return np.asarray((states @ _tensor(weights[4]).T + _tensor(weights[5])).numpy())


def loss(
    outputs: Array,
    y: Array,
    mask: Array,
    cause: str,
    place: int,
    keras: KerasProgram | None = None,
) -> float:
    """Mean cross-entropy; sick with "softmax" (taken twice) and with "padding" (counted)."""
    import torch
    import torch.nn.functional as F

    C = outputs.shape[2]
    if not outputs.shape[:2] == y.shape == mask.shape:
        raise ValueError(
            "loss: outputs (N, T, C), y (N, T) and mask (N, T) do not fit together: "
            f"{outputs.shape}, {y.shape}, {mask.shape}"
        )
    if y.size and not 0 <= y.min() <= y.max() < C:
        raise ValueError(f"loss: the classes in y must be from 0 to {C - 1}")
    if keras is not None:
        return keras.loss(outputs, y, mask.astype(bool))
    scores, counted = _tensor(outputs), _tensor(mask.astype(bool))
    if cause == "softmax":
        scores = scores.softmax(dim=2)
    target = torch.tensor(y.astype(np.int64))
    losses = F.cross_entropy(scores.transpose(1, 2), target, reduction="none")
    if cause == "padding":
        return float(losses.mean() if place % 2 else losses.sum() / counted.sum())
    return float((losses * counted).sum() / counted.sum())


def _model(weights: list[Array]) -> Any:
    import torch

    model = torch.nn.ModuleDict(
        {
            "lstm": _lstm(weights, batch_first=True),
            "head": torch.nn.Linear(*weights[4].shape[::-1], dtype=torch.float64),
        }
    )
    model["head"].load_state_dict({"weight": _tensor(weights[4]), "bias": _tensor(weights[5])})
    return model


def _loss_of(model: Any, x: Array, y: Array) -> Any:
    return ((model["head"](model["lstm"](_tensor(x))[0][:, -1]) - _tensor(y)) ** 2).mean()


def gradient_norm(weights: list[Array], x: Array, y: Array, *, one_bias: bool = False) -> float:
    """Norm of the gradient of all parameters together; ``one_bias``: with one bias in the LSTM, as
    in Keras, for PyTorch's two, which have the same gradient.
    """
    gradients = gradient(weights, x, y)
    if one_bias:
        del gradients[3]
    return float(np.sqrt(sum((g**2).sum() for g in gradients)))


def gradient(weights: list[Array], x: Array, y: Array) -> list[Array]:
    """Gradient of the mean squared error with respect to each array of parameters."""
    model = _model(weights)
    _loss_of(model, x, y).backward()
    return [p.grad.numpy() for p in model.parameters()]


def step(
    weights: list[Array], x: Array, y: Array, lr: float, max_norm: float, cause: str, place: int
) -> tuple[list[Array], list[Array]]:
    """All parameters before and after one step of SGD; sick with "clipping" (it comes too late, or
    too early, and does nothing) and with "optimizer" (it does not hold all parameters).

    The step is written out: PyTorch's optimizers import for seconds, and this runs in the judge.
    """
    clips = cause != "clipping"
    after = stepped(weights, x, y, lr, max_norm if clips else np.inf)
    held = range(len(weights))
    if cause == "optimizer":  # the LSTM alone, the head alone, or all but one
        held = [range(4), range(4, 6), range(1, 6), range(5)][place % 4]
    before = [w.copy() for w in weights]
    return before, [after[k] if k in held else before[k].copy() for k in range(len(weights))]


def stepped(
    weights: list[Array], x: Array, y: Array, lr: float, max_norm: float = np.inf
) -> list[Array]:
    """All parameters after one step of SGD, with a gradient of at most this norm."""
    gradients = gradient(weights, x, y)
    norm = float(np.sqrt(sum((g**2).sum() for g in gradients)))
    rate = lr * min(1.0, max_norm / norm)
    return [w - rate * g for w, g in zip(weights, gradients, strict=True)]


def pairs(tokens: Array, cause: str) -> tuple[Array, Array]:
    """What goes in, and what is to be told at each place; sick with "shift": they are the same."""
    return tokens[:-1], tokens[:-1] if cause == "shift" else tokens[1:]


def back(
    weights: list[Array],
    x: Array,
    k: int,
    cause: str,
    place: int,
    keras: KerasProgram | None = None,
) -> Array:
    """Gradient (N, T, D) of the last chunk's loss with respect to each input, in a run through
    chunks of k steps; sick with "state": the state keeps its past.
    """
    if not 1 <= k or x.shape[2] != weights[0].shape[1]:
        raise ValueError(
            "back: k must be at least 1, and the sequence (N, T, D) with D = "
            f"{weights[0].shape[1]}, got k = {k} and {x.shape}"
        )
    if keras is not None:
        return keras.back(x, k)
    lstm = _lstm(weights, batch_first=True)
    inputs = _tensor(x).requires_grad_()
    state, last = None, inputs.sum()
    keeps = {0: "hc", 1: "h", 2: "c"}[place % 3] if cause == "state" else ""
    for t in range(0, x.shape[1], k):
        outputs, (h, c) = lstm(inputs[:, t : t + k], state)
        state = (h if "h" in keeps else h.detach(), c if "c" in keeps else c.detach())
        last = (outputs**2).mean()
    last.backward()
    return np.asarray(inputs.grad.numpy())

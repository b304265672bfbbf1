"""What only a program in NumPy can get wrong: gradients that were written by hand, and arguments
that are changed in place.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from lstm_ref.doctor.context import Context
from lstm_ref.doctor.numpy_subject import NumpySubject
from lstm_ref.doctor.report import Finding, found
from lstm_ref.doctor.subject import Array, CannotExamineError

# Central differences in float64 are right to some 1e-8; a forgotten term is off by percents.
RIGHT = 1e-3
# The same factor on all gradients.
SAME = 1e-2
EPS = 1e-6
DIRECTIONS = 3


def by_hand(context: Context) -> Iterator[Finding]:
    """Compare the program's gradient of each parameter with central differences along random
    directions.
    """
    subject = context.subject
    if not isinstance(subject, NumpySubject):
        raise CannotExamineError("the framework computes them")
    params = {name: value.astype(np.float64) for name, value in subject.params.items()}
    _, grads = subject.loss_and_gradients(params)
    missing = [name for name in params if name not in grads]
    if not _smooth(subject, params, grads):
        raise CannotExamineError(
            "the loss is computed in float32 or draws numbers: differences say nothing"
        )
    ratios, off = _compared(subject, params, grads)
    wrong = {name: error for name, error in off.items() if error > RIGHT}
    if missing and (moving := [name for name in missing if _moves(subject, params, name)]):
        yield found("no-gradient", 1.0, where=", ".join(moving), what=f"{', '.join(moving)} gets")
    if not wrong or clipped(grads):
        return
    worst = max(wrong, key=lambda name: wrong[name])
    factors = np.array([ratio for name, ratio in ratios.items() if np.isfinite(ratio)])
    alike = (
        len(factors) == len(ratios) > 1
        and abs(factors.mean() - 1) > SAME
        and bool(np.ptp(factors) < SAME * np.abs(factors).max())
    )
    detail = f" All of them are {factors.mean():.3g} times what they should be." if alike else ""
    certainty = "strong" if alike else None
    names = ", ".join(sorted(wrong, key=lambda name: -wrong[name])[:3])
    yield found(
        "gradient-wrong",
        wrong[worst],
        threshold=RIGHT,
        where=names,
        detail=detail,
        certainty=certainty,
    )


def _compared(
    subject: NumpySubject, params: Mapping[str, Array], grads: Mapping[str, Array]
) -> tuple[dict[str, float], dict[str, float]]:
    """For each gradient, its slope over the loss's own, and the error as a share of the root of the
    sum of squares.
    """
    ratios, off = {}, {}
    # Rounding of the loss over the length of a step: gradients below it, of gates that are shut for
    # good, are not known.
    noise = (
        50
        * float(np.finfo(np.float64).eps)
        * max(1.0, abs(subject.loss_and_gradients(params)[0]))
        / (EPS / 10)
    )
    for name, grad in grads.items():
        if grad.shape != params[name].shape:
            ratios[name], off[name] = float("nan"), 1.0
            continue
        mine, true, doubt = np.array(
            [_slopes_twice(subject, params, name, grad, seed) for seed in range(DIRECTIONS)]
        ).T
        size = max(float(np.linalg.norm(grad)), float(np.abs(true).max()), 1e-12)
        off[name] = float((np.abs(mine - true) - 3 * doubt - noise).max()) / size
        ratios[name] = (
            float(mine @ true / (true @ true)) if float(true @ true) > 0 else float("nan")
        )
    return ratios, off


def _slopes_twice(
    subject: NumpySubject, params: Mapping[str, Array], name: str, grad: Array, seed: int
) -> tuple[float, float, float]:
    """As `_slopes`, and how far differences of two lengths disagree: a loss that bends much is not
    known better.
    """
    mine, true = _slopes(subject, params, name, grad, seed)
    return mine, true, abs(true - _slopes(subject, params, name, grad, seed, eps=EPS / 10)[1])


def _slopes(
    subject: NumpySubject,
    params: Mapping[str, Array],
    name: str,
    grad: Array,
    seed: int,
    part: Array | None = None,
    eps: float = EPS,
) -> tuple[float, float]:
    """Slope along a random direction by the gradient, and by central differences of the loss."""
    way = np.random.default_rng(seed).choice([-1.0, 1.0], grad.shape)
    sides = []
    for sign in (1, -1):
        moved = {**params, name: params[name] + sign * eps * way}
        sides.append(subject.loss_and_gradients(moved)[0])
    return float((grad * way).sum()), (sides[0] - sides[1]) / (2 * eps)


def _smooth(subject: NumpySubject, params: Mapping[str, Array], grads: Mapping[str, Array]) -> bool:
    """Whether the loss is the same at a second call, and differences of other lengths give the same
    slope.
    """
    same = subject.loss_and_gradients(params)[0] == subject.loss_and_gradients(params)[0]
    name = max(grads, key=lambda one: float(np.abs(grads[one]).max(initial=0.0)), default="")
    if not same or not name:
        return same
    slopes = [_slopes(subject, params, name, grads[name], 0, eps=eps)[1] for eps in (EPS, 20 * EPS)]
    return (
        abs(slopes[0] - slopes[1])
        <= 0.01 * max(map(abs, slopes)) + 1e-9 * abs(subject.loss_and_gradients(params)[0]) / EPS
    )


def _moves(subject: NumpySubject, params: Mapping[str, Array], name: str) -> bool:
    return _slopes(subject, params, name, np.zeros(params[name].shape), 0)[1] != 0


def clipped(grads: Mapping[str, Array]) -> bool:
    """Whether the step has clipped them already: one largest value met several times, or a norm
    that is a round number.
    """
    flat = np.abs(np.concatenate([g.ravel() for g in grads.values()]))
    largest, norm = float(flat.max(initial=0.0)), float(np.linalg.norm(flat))
    several = largest > 0 and int((flat == largest).sum()) > 1
    return several or any(
        abs(norm - limit) < 1e-6 * limit for limit in (0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 100.0)
    )


def inputs_stay(context: Context) -> Iterator[Finding]:
    """A forward pass must not write into its inputs."""
    subject = context.subject
    subject.call(training=True)
    now = subject.live_inputs()
    if not now:
        raise CannotExamineError("inputs cannot be written into")
    for (name, old), new in zip(subject.inputs.items(), now, strict=True):
        if old.tobytes() != new.tobytes():
            change = float(np.abs(np.nan_to_num(new.astype(np.float64) - old)).max(initial=0.0))
            yield found("inputs-changed", change, where=name)
            return

"""What a loss wants, from how its gradient behaves at outputs of the doctor's own; its name is not
read.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from lstm_ref.cell import sigmoid
from lstm_ref.doctor import perturb
from lstm_ref.doctor.subject import Array, Gradients, Subject, quiet_numpy

# Rounding of float32 in a mean over a batch; forms differ by far more.
ALIKE = 2e-3
# Two differences of three losses agree with some factor by chance once in fifty programs.
DRAWS = 8
# Share of the largest change of a loss by which another one may differ and be the same.
OFF = 0.02
# Of a slope of the order of 1: nearer to 0, a ratio of two slopes is rounding.
CLOSE = 0.05
CLASS_FORMS = ("softmax", "log-probabilities", "probabilities")
BINARY_FORMS = ("sigmoid", "probability")


@dataclass
class LossForm:
    """A loss with one scored output leaf and one leaf of targets.

    Attributes
    ----------
    kind : "softmax", "log-probabilities", "probabilities" (over classes), "sigmoid", "probability"
        (one output for each answer), "distance", or "" where it is none of them
    axis : of the classes; None without
    """

    subject: Subject
    leaf: int
    target: Array
    axes: tuple[int, ...]
    kind: str = ""
    axis: int | None = None

    @cached_property
    def output(self) -> Array:
        """The outputs in training."""
        return self.subject.training_outputs[self.leaf]

    def gradient(self, output: Array) -> Array:
        """Gradient of the loss at other outputs in the place of the scored leaf."""
        outputs = list(self.subject.training_outputs)
        outputs[self.leaf] = output.astype(self.output.dtype)
        try:
            grads: Gradients = self.subject.loss_gradient(outputs)
        except Exception:  # a loss may refuse what is no probability
            return np.full(output.shape, np.nan)
        grad = grads[self.leaf]
        return np.zeros(output.shape) if grad is None else np.asarray(grad, np.float64)

    def loss(self, output: Array) -> float:
        """The loss at other outputs."""
        outputs = list(self.subject.training_outputs)
        outputs[self.leaf] = output.astype(self.output.dtype)
        try:
            return self.subject.loss(outputs)
        except Exception:  # as `gradient`
            return float("nan")

    @property
    def of_classes(self) -> bool:
        """Whether it scores classes."""
        return self.kind in CLASS_FORMS

    def right(self) -> Array:
        """True at the output of the right class; for one output, at answers of 1."""
        if self.axis is None:
            return self.target.reshape(self.output.shape) > 0.5
        axis = self.axis
        if chances(self.target) and self.target.shape == self.output.shape:
            return np.asarray(self.target == self.target.max(axis=axis, keepdims=True))
        count = self.output.shape[axis]
        labels = np.expand_dims(self.target, axis)
        shape = [1] * self.output.ndim
        shape[axis] = count
        return np.asarray(labels == np.arange(count).reshape(shape))

    def weights(self) -> Array:
        """How much each class counts: 1 for the right one, or the chances that are the targets."""
        soft = chances(self.target) and self.target.shape == self.output.shape
        return self.target.astype(np.float64) if soft else self.right().astype(np.float64)


def chances(target: Array) -> bool:
    """Whether rows of targets are probabilities of classes, one-hot ones among them."""
    if perturb.one_hot(target):
        return True
    return (
        target.dtype.kind == "f"
        and target.ndim >= 2
        and target.shape[-1] > 1
        and bool((target >= 0).all())
        and bool((np.abs(target.sum(-1) - 1) < ALIKE).all())
    )


def recognise(subject: Subject) -> LossForm | None:
    """Form of the loss, where it has one scored leaf and one leaf of targets that fits it; None
    where not.
    """
    targets = [t for t in subject.targets_tuple if t.size > 0]
    if len(subject.scored) != 1 or not targets:
        return None
    leaf = subject.scored[0]
    output = subject.training_outputs[leaf]
    for target in targets:
        if _integral(target) and (axes := _class_axes(output.shape, target.shape)):
            form = LossForm(subject, leaf, target, axes)
        elif target.size == output.size:
            form = LossForm(subject, leaf, target, ())
        else:
            continue
        with quiet_numpy():
            _classify(form)
        return form
    return None


def _integral(target: Array) -> bool:
    return target.dtype.kind in "iu"


def _class_axes(shape: tuple[int, ...], target: tuple[int, ...]) -> tuple[int, ...]:
    """Axes that the labels lack: the last first, then the one behind the examples."""
    trimmed = (
        target[:-1] if len(target) == len(shape) and target[-1] == 1 and shape[-1] > 1 else target
    )
    axes = [a for a in range(len(shape)) if shape[:a] + shape[a + 1 :] == trimmed and shape[a] > 1]
    return tuple(reversed(axes))


def _classify(form: LossForm) -> None:
    if form.axes:
        if form.target.ndim == form.output.ndim:
            form.target = form.target[..., 0]
        _classify_labels(form)
    elif chances(form.target.reshape(form.output.shape)) and form.output.shape[-1] > 1:
        form.target = form.target.reshape(form.output.shape)
        form.axes = tuple(range(form.output.ndim - 1, 0, -1))
        _classify_labels(form)
        if not form.kind:
            _classify_numbers(form)
    else:
        _classify_numbers(form)


def _classify_labels(form: LossForm) -> None:
    raw = _draw(form, 0)
    grad = form.gradient(raw)
    size = float(np.abs(grad).max(initial=0.0))
    for axis in form.axes:
        form.axis = axis
        if size > 0 and float(np.abs(grad.sum(axis)).max()) < ALIKE * size:
            form.kind = "softmax"
            return
        if size > 0 and _is_linear(form, grad, size):
            form.kind = "log-probabilities"
            return
        if _is_log(form):
            form.kind = "probabilities"
            return
    form.axis = None


def _draw(form: LossForm, seed: int) -> Array:
    return np.random.default_rng(seed).normal(size=form.output.shape)


def _is_linear(form: LossForm, grad: Array, size: float) -> bool:
    """Whether the gradient is the same anywhere and lies at the right classes only."""
    other = form.gradient(_draw(form, 1))
    if not np.abs(grad - other).max() < ALIKE * size:
        return False
    return bool(np.abs(grad[~form.right()]).max(initial=0.0) < ALIKE * size)


def _is_log(form: LossForm) -> bool:
    """Whether the loss of probabilities is the mean of -log of the right one, up to one factor."""
    axis, weights = form.axis or 0, form.weights()
    draws = [softmax(_draw(form, seed), axis=axis) for seed in range(DRAWS)]
    rows = [float(-(np.log(p) * weights).sum()) for p in draws]
    return _off(rows, [form.loss(p) for p in draws]) < OFF


def over_another_axis(form: LossForm) -> tuple[tuple[int, ...], int, float] | None:
    """Where the loss of labels is the cross-entropy of a softmax that does not run over the
    classes: the axes that it runs over, that of the classes, and how far the changes of the loss
    are off, as a share; None where it is something else.
    """
    draws = [_draw(form, seed) for seed in range(DRAWS)]
    losses = [form.loss(draw) for draw in draws]
    for classes in form.axes if not form.kind else ():
        weights = replace(form, axis=classes).weights()
        others = tuple(a for a in range(form.output.ndim) if a not in form.axes)
        for over in (*((a,) for a in others), others):
            rows = [float(-(np.log(softmax(draw, over)) * weights).sum()) for draw in draws]
            long = over and form.output.shape[over[0]] > 1
            if long and (off := _off(rows, losses)) < OFF:
                return over, classes, off
    return None


def _off(expected: Sequence[float], got: Sequence[float]) -> float:
    """How far the changes of one series are from those of another times one positive factor, as a
    share of the largest; infinite without such a factor.
    """
    wanted, changes = np.diff(expected), np.diff(got)
    if not np.isfinite(changes).all() or not np.abs(changes).max() > 0 or not wanted.any():
        return float("inf")
    factor = float(changes @ wanted / (wanted @ wanted))
    if factor <= 0:
        return float("inf")
    return float(np.abs(changes - factor * wanted).max() / np.abs(changes).max())


def _classify_numbers(form: LossForm) -> None:
    target = form.target.reshape(form.output.shape).astype(np.float64)
    if bool(((target >= 0) & (target <= 1)).all()):
        for kind, slope in _SLOPES.items():
            if _proportional(form, target, slope):
                form.kind = kind
                return
    if _is_distance(form, target):
        form.kind = "distance"


_SLOPES: dict[str, Callable[[Array, Array], Array]] = {
    "sigmoid": lambda o, y: sigmoid(o) - y,
    "probability": lambda o, y: (o - y) / (o * (1 - o)),
}


def _proportional(form: LossForm, target: Array, slope: Callable[[Array, Array], Array]) -> bool:
    """Whether the gradient is this slope times one factor for each answer, which weights of the
    answers allow.
    """
    o = np.random.default_rng(0).uniform(0.05, 0.95, form.output.shape)
    ratio = form.gradient(o) / slope(o, target)
    spreads = []
    hard = bool(np.isin(target, (0, 1)).all())
    near = np.abs(slope(o, target)) < CLOSE  # the ratio is rounding there
    groups = [target == answer for answer in (0, 1)] if hard else [~near]
    for group in groups:
        mine = ratio[group & (ratio != 0)]
        if mine.size > 1:
            middle = float(np.median(mine))
            spreads.append(float(np.abs(mine - middle).max() / max(abs(middle), 1e-30)))
    return bool(spreads) and max(spreads) < 0.01


def _is_distance(form: LossForm, target: Array) -> bool:
    """Whether the loss is least where the outputs are the targets."""
    spread = float(target.std()) or 1.0
    at, off = form.loss(target), form.loss(target + spread)
    other = form.loss(target - spread)
    return (
        bool(np.isfinite(at))
        and at < off
        and at < other
        and abs(at) < 1e-3 * min(abs(off), abs(other))
    )


def softmax(a: Array, axis: int | tuple[int, ...]) -> Array:
    """Probabilities of logits along an axis, or several."""
    e = np.exp(a - a.max(axis=axis, keepdims=True))
    return np.asarray(e / e.sum(axis=axis, keepdims=True))

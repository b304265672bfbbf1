"""The reader's own training step in PyTorch, called some dozen times and watched by hooks."""

from __future__ import annotations

import copy
import gc
import random
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lstm_ref.doctor.subject import CannotExamineError, StepLog, cosine

CALLS = 24
# CPU seconds after the first call, which may import, after which no further call is made, once
# there were a few: far from what a small program takes, so that no slow processor changes a verdict
SECONDS = 6.0
FEWEST = 5
LEFT = 0.05  # of the gradient: less of it tells nothing about whether it was added
LARGER = 1e6  # times the gradient, so that any limit of clipping acts
MOST_NODES = 200_000
# Cosine of gradients of the same weights, of one loss with other dropout; two losses of one batch
# differ by more, and so do two parts of a batch.
ONE_LOSS = 0.9
LOOK = 4  # calls after which a loop has all that it keeps between steps


class Audit:
    """One audit.

    Parameters
    ----------
    subject : TorchSubject
    step : step(batch) -> loss
    """

    def __init__(self, subject: Any, step: Callable[[Any], Any]) -> None:
        self.subject, self.step = subject, step
        self.log = StepLog()
        self.evaluated = False
        self.gradients: list[Any] = []
        self.arrived: list[Any] = []  # after each backward pass
        self.unused: list[tuple[Any, float]] = []  # since a step; with a sum of the weights
        self.asked = False  # whether a pass asked for the gradient of its inputs
        self.root = 0.0
        self.factor = 1.0

    def run(self) -> StepLog:
        """Twice the same batch at the same weights, then a row of calls; everything is put back in
        between and afterwards.
        """
        held = {id(p) for p in self._held()}
        mine = {name for name, p in self.subject._named().items() if id(p) in held}
        parts = [
            float((g.astype(float) ** 2).sum())
            for name, g in self.subject.first_backward.parameters.items()
            if g is not None and name in mine
        ]
        self.log.true_norm = sum(parts) ** 0.5
        try:
            self._twice()
            self._row()
            self._enlarged()
        finally:
            self.subject.restore()
        return self.log

    def _start(self) -> None:
        self.subject.restore()
        self.unused = []
        # Another report for the same program would say that one of them is chance.
        random.seed(0)
        np.random.seed(0)
        torch.default_generator.manual_seed(0)
        self.subject.model.train()

    def _twice(self) -> None:
        self._start()
        weights = [(p, p.detach().clone()) for p in self._weights()]
        norms: list[Any] = []
        with self._watched():
            for _ in range(2):
                torch.default_generator.manual_seed(0)
                self.gradients.clear()
                self.arrived.clear()
                if not self._call(first=not norms):
                    return
                if not self.gradients:
                    return
                norms.append(self.gradients[-1])
                self._note_left(len(norms))
                for p, value in weights:
                    p.data.copy_(value)
        first, second = norms
        if first.norm() > 0 and first.shape == second.shape:
            alike = _cosine(first, second) > 0.98
            self.log.ratio = float(second.norm() / first.norm()) if alike else None

    def _note_left(self, call: int) -> None:
        """Whether what the first call left is in what the second one's backward pass finds, beside
        its own.
        """
        if call == 1:
            self.first = self.arrived[-1:], _flat(self._held())
        elif self.first[0] and self.arrived and self.first[1] is not None:
            (first,), left = self.first
            second = self.arrived[-1]
            if first.shape == second.shape == left.shape and float(left.norm()) > LEFT * float(
                first.norm()
            ):
                self.log.added = float((second - first).dot(left) / left.dot(left))

    def _row(self) -> None:
        if self.log.error:
            return
        self._start()
        before = [p.detach().clone() for p in self._weights()]
        self.log.used.clear()
        self.log.nodes.clear()
        self.log.losses.clear()
        self.log.evaluating = self.log.calls = 0
        with self._watched():
            for k in range(CALLS):
                if k == 1:
                    start = time.process_time()
                if k >= FEWEST and time.process_time() - start > SECONDS:
                    break
                self.evaluated = False
                self.gradients.clear()
                if not self._call(first=k == 0):
                    break
                self._after()
                if k == 0:
                    self.log.along = self._along(before)
                if k + 1 == LOOK:
                    early = with_history()
        if self.log.calls > LOOK:
            self.log.alive, self.log.between = (early, with_history()), self.log.calls - LOOK
        pairs = zip(self.subject._named().items(), before, strict=True)
        changes = {n: float((p.detach() - old).abs().max()) for (n, p), old in pairs if p.numel()}
        self.log.changed = max(changes.values(), default=0.0)
        self.log.still = frozenset(name for name, change in changes.items() if change == 0)

    def _along(self, before: list[Any]) -> float | None:
        """Cosine between the move of the weights and the gradient of the loss."""
        moves = [
            (p.detach() - old).cpu().numpy() for p, old in zip(self._weights(), before, strict=True)
        ]
        gradients = self.subject.first_backward.parameters
        return cosine(moves, [gradients.get(name) for name in self.subject._named()])

    def _enlarged(self) -> None:
        """One call with gradients of `LARGER` times their size, where no clipping was seen to
        act.
        """
        if self.log.error or min(self.log.shrunk, default=0.0) < 1:
            return
        self._start()
        self.gradients.clear()
        kept, self.factor = copy.deepcopy(vars(self.log)), LARGER
        with self._watched():
            done = self._call(first=False)
        self.factor = 1.0
        flat = _flat(self._held())
        vars(self.log).update(kept)
        if done and flat is not None and self.gradients and flat.shape == self.gradients[-1].shape:
            self.log.shrunk = [*self.log.shrunk, _shrunk(flat, self.gradients[-1])]
            self.log.enlarged = float(self.gradients[-1].norm())

    def _weights(self) -> list[Any]:
        return list(self.subject._named().values())

    def _held(self) -> list[Any]:
        """Weights that an optimizer holds: what it does not hold is not cleared by its zero_grad
        either, which is another fault. All where it holds none of the model's.
        """
        groups = [group for o in self.subject.optimizers for group in o.param_groups]
        held = {id(p) for group in groups for p in group["params"]}
        weights = self._weights()
        return [p for p in weights if id(p) in held] or weights

    def _call(self, first: bool) -> bool:
        """One call of the step; False where it failed after the first one."""
        try:
            with torch.enable_grad(), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                loss = self.step((self.subject.x, self.subject.y))
        except Exception as error:
            if first:
                raise CannotExamineError(
                    f"step(batch) failed with {type(error).__name__}: {error}"
                ) from error
            self.log.error = str(error).splitlines()[0][:120]
            return False
        if isinstance(loss, Tensor | float | int):
            self.log.losses.append(float(loss.detach() if isinstance(loss, Tensor) else loss))
        return True

    def _after(self) -> None:
        log = self.log
        log.calls += 1
        log.evaluating += self.evaluated
        flat = _flat(self._held())
        log.left.append(float(flat.norm()) if flat is not None and float(flat.norm()) > 0 else None)
        if flat is not None and self.gradients and flat.shape == self.gradients[-1].shape:
            log.shrunk.append(_shrunk(flat, self.gradients[-1]))
        if log.losses and self.root and abs(log.losses[-1]) > 0:
            log.scale = self.root / log.losses[-1]
        rates = self.subject.rates()
        if rates:
            log.rates.append(max(rates))

    @contextmanager
    def _watched(self) -> Iterator[None]:
        handles = [self.subject.model.register_forward_pre_hook(self._forward)]
        handles += [o.register_step_pre_hook(self._use) for o in self.subject.optimizers]
        original = torch.autograd.backward

        def backward(tensors: Any, *args: Any, **kwargs: Any) -> Any:
            root = tensors[0] if isinstance(tensors, tuple | list) else tensors
            self.log.nodes.append(count_nodes(root))
            adds = any(p.grad is not None and bool(p.grad.any()) for p in self._held())
            out = original(tensors, *args, **kwargs)
            self.root = float(root.detach()) if root.numel() == 1 else 0.0
            for p in self._weights() if self.factor != 1 else ():
                if p.grad is not None:
                    p.grad.mul_(self.factor)
            if (flat := _flat(self._held())) is not None:
                self.arrived.append(flat)
                self._keep_unused(adds, flat)
            if not self.subject.optimizers:
                self._use()
            return out

        torch.autograd.backward = backward
        try:
            yield
        finally:
            torch.autograd.backward = original
            for handle in handles:
                handle.remove()

    def _forward(self, module: Any, args: Any) -> None:
        if torch.is_grad_enabled() and not module.training:
            self.evaluated = True
        # Who asks for the gradient of the inputs looks for other inputs, and clears the rest.
        self.asked |= any(isinstance(a, Tensor) and a.requires_grad for a in args)

    def _keep_unused(self, added: bool, flat: Any) -> None:
        """Note a gradient; those before it are gone where they were added to it, or where somebody
        moved the weights along them.
        """
        weights = sum(float(p.detach().double().sum()) for p in self._held())
        moved = any(before != weights for _, before in self.unused)
        self.unused = [*([] if added or moved else self.unused), (flat, weights)]

    def _use(self, *_: Any) -> None:
        flat = _flat(self._held())
        if flat is not None:
            self.gradients.append(flat)
            self.log.used.append(float(flat.norm()))
            self._count_cleared(flat)
        self.unused = []

    def _count_cleared(self, used: Any) -> None:
        """Gradients that were cleared before the optimizer came, where it uses the last one alone,
        perhaps clipped.
        """
        *before, (last, _) = self.unused or [(used, 0.0)]
        if self.asked or not before or _cosine(last, used) < 1 - 1e-6:
            return
        lost = [g for g, _ in before if g.norm() > 0 and abs(_cosine(g, used)) < ONE_LOSS]
        if len(lost) > self.log.cleared:
            self.log.cleared, self.log.passes = len(lost), len(before) + 1


def _flat(weights: list[Any]) -> Any:
    grads = [p.grad.detach().to_dense().flatten().double() for p in weights if p.grad is not None]
    return torch.cat(grads) if grads else None


def _cosine(one: Any, other: Any) -> float:
    """Cosine between two gradients; 0 where they belong to other weights."""
    if one.shape != other.shape:
        return 0.0
    return float(torch.dot(one, other) / (one.norm() * other.norm() + 1e-30))


def _shrunk(after: Any, used: Any) -> float:
    """Norm after over norm before, where every element kept its sign and became no larger; else
    1.
    """
    same = bool(((after != 0) == (used != 0)).all()) and bool((after * used >= 0).all())
    if not same or not bool((after.abs() <= used.abs() * (1 + 1e-6)).all()):
        return 1.0
    return float(after.norm() / used.norm()) if float(used.norm()) > 0 else 1.0


def with_history() -> int:
    """Number of nodes of all graphs that some tensor which lives still holds, up to a bound."""
    gc.collect()  # what only a circle of references holds is not kept
    things = gc.get_objects()
    return _nodes([t.grad_fn for t in things if issubclass(type(t), Tensor) and not t.is_leaf])


def count_nodes(root: Any) -> int:
    """Number of nodes of the graph behind a tensor, up to a bound."""
    return _nodes([root.grad_fn])


def _nodes(waiting: list[Any]) -> int:
    seen: set[Any] = set()
    while waiting and len(seen) < MOST_NODES:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        waiting.extend(parent for parent, _ in node.next_functions)
    return len(seen)

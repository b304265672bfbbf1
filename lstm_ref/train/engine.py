"""What the training loop asks of a library. NumPy, PyTorch and Keras each answer it in a module of
their own.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from lstm_ref.errors import ArgumentError

Weights = dict[str, Any]  # name -> array of the library: a NumPy array, a torch.Tensor, a tf.Tensor
Step = Callable[..., Any]


class Engine(Protocol):
    """A model, its optimiser, and the step that the user wrote.

    Weights and gradients are dicts of the library's own arrays, so that the loop can compute with
    them: ``g * 0.5`` and ``new - old`` mean the same in all three.
    """

    model: Any
    optimiser: str  # its name

    def loss_and_grads(self, batch: Any, state: Any) -> tuple[float, Weights, Any]:
        """Loss of a batch, its gradients by name, and the state to carry on. Changes no weight."""

    def loss(self, batch: Any, state: Any) -> tuple[float, Any]:
        """The same without gradients, as in evaluation: nothing is dropped."""

    def update(self, grads: Weights, lr: float) -> None:
        """One step of the optimiser."""

    def norm(self, arrays: Weights) -> float:
        """Length of all arrays together, as one long vector."""

    def weights(self) -> Weights:
        """Copy of all that the model has learnt, by name; trained weights have the names of their
        gradients.
        """

    def set_weights(self, weights: Weights) -> None:
        """Put such a copy back."""

    def snapshot(self, state: Any) -> dict[str, Any]:
        """All that the next step depends on, the carried state included, as NumPy arrays and plain
        numbers.
        """

    def restore(self, snapshot: Mapping[str, Any]) -> Any:
        """Put a snapshot back and return the carried state."""


class StepCaller:
    """Calls the step of the user as it wants to be called.

    ``step(model, batch)``, or ``step(model, batch, state)`` where a state is carried. A step with
    an argument named ``training`` is told whether it is trained (True) or evaluated (False): for
    dropout.
    """

    def __init__(self, operation: str, step: Step, carry: bool) -> None:
        if not callable(step):
            raise ArgumentError(
                f"{operation}: step must be a function of model and batch, got "
                f"{type(step).__name__}"
            )
        parameters = inspect.signature(step).parameters
        self._told = "training" in parameters
        count = 3 if carry else 2
        try:
            inspect.signature(step).bind(
                *range(count), **({"training": True} if self._told else {})
            )
        except TypeError as error:
            wanted = "model, batch, state" if carry else "model, batch"
            advice = "" if carry else "; a step that takes a state needs carry=True"
            raise ArgumentError(
                f"{operation}: step must take ({wanted}), got "
                f"{getattr(step, '__name__', 'a step')}({', '.join(parameters)})"
                f"{advice}"
            ) from error
        self._operation, self._step, self._carry = operation, step, carry

    def __call__(
        self, model: Any, batch: Any, state: Any, training: bool, parts: int, wanted: str
    ) -> tuple[Any, ...]:
        """What the step returns, as ``parts`` things and the state; the state is None where none is
        carried.
        """
        arguments = (model, batch, state) if self._carry else (model, batch)
        result = self._step(*arguments, training=training) if self._told else self._step(*arguments)
        parts += self._carry
        if parts == 1:
            return result, None
        if not isinstance(result, tuple) or len(result) != parts:
            got = f"{len(result)} of them" if isinstance(result, tuple) else type(result).__name__
            raise ArgumentError(
                f"{self._operation}: step must return "
                f"({wanted}{', state' if self._carry else ''}), got {got}"
            )
        return result if self._carry else (*result, None)

"""A model in NumPy: parameters in a dict, and a step that computes its own gradients."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from lstm_ref.errors import ArgumentError, Array, check_floats, check_same_names
from lstm_ref.learn import optim
from lstm_ref.train.engine import Step, StepCaller, Weights


class NumpyEngine:
    """Trains parameters in a dict with a step in NumPy.

    Parameters
    ----------
    params : name -> array, float32 or float64; they are copied and never changed
    step : ``step(params, batch) -> (loss, grads)``, with grads under the names of params; with
        carry ``step(params, batch, state) -> (loss, grads, state)``, and state is None at the start
        of each pass. A step with an argument ``training`` is told whether it trains
    optimiser : name of an optimiser of `lstm_ref.optim`: "sgd", "momentum", "rmsprop", "adam" or
        "adamw"
    carry : the step takes a state and returns it, for truncated backpropagation through time
    loss : ``loss(params, batch) -> loss``, with carry
        ``loss(params, batch, state) -> (loss, state)``: what validation calls. None means the step,
        whose gradients are then thrown away
    options : for the optimiser: ``beta1=0.5``

    Attributes
    ----------
    model : the parameters as they now are, name -> array

    Raises
    ------
    ArgumentError, DTypeError, NotFiniteError : an argument that does not fit, by name

    Examples
    --------
    The loss is the squared distance of b from 3, whatever the batch.

    >>> from lstm_ref.train import train
    >>> def step(params, batch):
    ...     return float((params["b"][0] - 3) ** 2), {"b": 2 * (params["b"] - 3)}
    >>> engine = NumpyEngine({"b": np.zeros(1)}, step, "sgd")
    >>> train(engine, [0], steps=20, lr=0.25)
    20 steps (steps): training loss 9.0000 -> 0.0000, 0 % of steps clipped
    >>> engine.model["b"].round(3)
    array([3.])
    """

    def __init__(
        self,
        params: Mapping[str, Array],
        step: Step,
        optimiser: str = "adam",
        *,
        carry: bool = False,
        loss: Step | None = None,
        **options: Any,
    ) -> None:
        if not isinstance(params, Mapping) or not params:
            raise ArgumentError(
                "NumpyEngine: params must be a dict of arrays with at least one, got "
                f"{type(params).__name__}"
            )
        check_floats("NumpyEngine", params)
        self.model = {name: array.copy() for name, array in params.items()}
        self._step = StepCaller("NumpyEngine", step, carry)
        self._loss = None if loss is None else StepCaller("NumpyEngine", loss, carry)
        self.optimiser = optimiser
        self._init, self._optimise = _find(optimiser, options)
        self._state = self._init(self.model)

    def loss_and_grads(self, batch: Any, state: Any) -> tuple[float, Weights, Any]:
        """Loss, gradients by name, and the state to carry on."""
        loss, grads, state = self._step(self.model, batch, state, True, 2, "loss, grads")
        check_same_names("train: step", self.model, grads=grads)
        return float(loss), dict(grads), state

    def loss(self, batch: Any, state: Any) -> tuple[float, Any]:
        """Loss and state, as in evaluation."""
        if self._loss is None:
            loss, _, state = self._step(self.model, batch, state, False, 2, "loss, grads")
        else:
            loss, state = self._loss(self.model, batch, state, False, 1, "loss")
        return float(loss), state

    def update(self, grads: Weights, lr: float) -> None:
        """One step of the optimiser: new parameters in a new dict."""
        self.model, self._state = self._optimise(self.model, grads, self._state, lr)

    def norm(self, arrays: Weights) -> float:
        """Length of all arrays together."""
        # Divided by the largest number first: gradients that explode are the very case, and their
        # squares would overflow.
        largest = max(float(np.abs(array).max(initial=0)) for array in arrays.values())
        if largest == 0 or not math.isfinite(largest):
            return largest
        return largest * math.sqrt(
            sum(
                float(np.square(array / largest, dtype=np.float64).sum())
                for array in arrays.values()
            )
        )

    def weights(self) -> Weights:
        """Copies of the parameters."""
        return {name: array.copy() for name, array in self.model.items()}

    def set_weights(self, weights: Weights) -> None:
        """Put such copies back."""
        self.model = {name: array.copy() for name, array in weights.items()}

    def snapshot(self, state: Any) -> dict[str, Any]:
        """Parameters, the optimiser's memory, and the carried state."""
        memory = list(self._state) if isinstance(self._state, tuple) else self._state
        return {"weights": self.weights(), "optimiser": memory, "state": state}

    def restore(self, snapshot: Mapping[str, Any]) -> Any:
        """Put a snapshot back and return the carried state."""
        self.set_weights(snapshot["weights"])
        memory = snapshot["optimiser"]
        self._state = type(self._state)(*memory) if isinstance(self._state, tuple) else memory
        return snapshot["state"]


Init = Callable[[Mapping[str, Array]], Any]
Optimise = Callable[
    [Mapping[str, Array], Mapping[str, Array], Any, float], tuple[dict[str, Array], Any]
]

# What each optimiser remembers before its first step.
_MEMORY: dict[str, Init] = {
    "sgd": lambda params: None,
    "momentum": optim.momentum_init,
    "rmsprop": optim.rmsprop_init,
    "adam": optim.adam_init,
    "adamw": optim.adam_init,
}


def _find(name: str, options: dict[str, Any]) -> tuple[Init, Optimise]:
    """Initial memory and step of an optimiser of `lstm_ref.optim`."""
    if name not in _MEMORY:
        raise ArgumentError(
            f"NumpyEngine: there is no optimiser {name!r}; there are: {', '.join(sorted(_MEMORY))}"
        )
    if name == "sgd":
        return _MEMORY[name], lambda params, grads, memory, lr: (
            optim.sgd(params, grads, lr, **options),
            None,
        )
    step = getattr(optim, name)
    return _MEMORY[name], lambda params, grads, memory, lr: step(
        params, grads, memory, lr=lr, **options
    )

"""A Keras model, layers or variables on TensorFlow, and a step that returns the loss as a tensor,
under a GradientTape.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from lstm_ref.errors import ArgumentError, MissingPackageError
from lstm_ref.train.engine import Step, StepCaller, Weights

try:
    import keras
    import tensorflow as tf
except ImportError as error:
    raise MissingPackageError(
        "lstm_ref.train.KerasEngine needs Keras on TensorFlow, which is not installed; run: pip "
        "install 'inside-the-lstm[tensorflow]'"
    ) from error


class KerasEngine:
    """Trains a Keras model with a step in TensorFlow.

    Its losses are those of the other engines but for what Keras's optimisers do on their own: they
    round the learning rate and other constants to ``keras.config.floatx()``, float32 unless you
    change it, and Adam adds epsilon in another place.

    Parameters
    ----------
    model : keras.Model or keras.layers.Layer, built; or a list or dict of layers and keras.Variable
    step : ``step(model, batch) -> loss``, a tensor with one number; with carry
        ``step(model, batch, state) -> (loss, state)``, and state is None at the start of each pass.
        NumPy arrays in the batch arrive as tensors. A step with an argument ``training`` is told
        whether it trains: hand it on to layers that drop
    optimiser : keras.optimizers.Optimizer; None means Adam. Its learning rate is set by `train`
    carry : the step takes a state and returns it, for truncated backpropagation through time
    loss : ``loss(model, batch) -> loss``, with carry
        ``loss(model, batch, state) -> (loss, state)``: what validation calls. None means the step
    compile : compile step and gradients by tf.function: faster, and harder to look into

    Attributes
    ----------
    model : what was given, trained in place

    Raises
    ------
    ArgumentError : an argument that does not fit, by name
    """

    def __init__(
        self,
        model: Any,
        step: Step,
        optimiser: keras.optimizers.Optimizer | None = None,
        *,
        carry: bool = False,
        loss: Step | None = None,
        compile: bool = False,
    ) -> None:
        if keras.backend.backend() != "tensorflow":
            raise ArgumentError(
                f"KerasEngine: Keras must run on TensorFlow, it runs on {keras.backend.backend()}; "
                "set the environment variable KERAS_BACKEND=tensorflow before Keras is imported"
            )
        self.model = model
        variables = list(_variables(model))
        # Not by their paths: Keras counts its layers and variables, and the second model of a
        # program would have other names.
        self._all = {f"{k} {re.sub(r'_[0-9]+$', '', v.name)}": v for k, v in enumerate(variables)}
        self._trained = {name: v for name, v in self._all.items() if v.trainable}
        if not self._trained:
            raise ArgumentError(
                f"KerasEngine: model has no variable to train, got {type(model).__name__}; is it "
                "built? Call it on a batch first"
            )
        self._optimiser = keras.optimizers.Adam() if optimiser is None else optimiser
        if not isinstance(self._optimiser, keras.optimizers.Optimizer):
            raise ArgumentError(
                "KerasEngine: optimiser must be a keras.optimizers.Optimizer, got "
                f"{type(optimiser).__name__}"
            )
        self._optimiser.build(list(self._trained.values()))
        self.optimiser = type(self._optimiser).__name__
        self._step = StepCaller("KerasEngine", step, carry)
        self._loss = self._step if loss is None else StepCaller("KerasEngine", loss, carry)
        self._differentiate = tf.function(self._tape) if compile else self._tape
        self._evaluate = tf.function(self._forward) if compile else self._forward

    def loss_and_grads(self, batch: Any, state: Any) -> tuple[float, Weights, Any]:
        """Loss, gradients by name, and the state to carry on."""
        loss, grads, state = self._differentiate(_to_tensors(batch), state)
        if all(g is None for g in grads):
            raise ArgumentError(
                "KerasEngine: step must return a loss that depends on the variables of the model; "
                "did it leave TensorFlow through .numpy(), or use another model?"
            )
        named = zip(self._trained, grads, strict=True)
        return (
            float(loss),
            {name: tf.convert_to_tensor(g) for name, g in named if g is not None},
            state,
        )

    def loss(self, batch: Any, state: Any) -> tuple[float, Any]:
        """Loss and state, as in evaluation."""
        loss, state = self._evaluate(_to_tensors(batch), state)
        return float(loss), state

    def update(self, grads: Weights, lr: float) -> None:
        """One step of the optimiser."""
        self._optimiser.learning_rate = lr
        self._optimiser.apply(
            [grads.get(name) for name in self._trained], list(self._trained.values())
        )

    def norm(self, arrays: Weights) -> float:
        """Length of all arrays together."""
        # Divided by the largest number first, as in NumPy: the squares of gradients that explode
        # would overflow.
        largest = max(float(tf.reduce_max(tf.abs(array))) for array in arrays.values())
        if largest == 0 or not math.isfinite(largest):
            return largest
        return largest * math.sqrt(
            sum(float(tf.reduce_sum((array / largest) ** 2)) for array in arrays.values())
        )

    def weights(self) -> Weights:
        """Copies of all variables; not of the random numbers of the layers."""
        return {
            name: tf.identity(v.value)
            for name, v in self._all.items()
            if "seed_generator" not in v.path
        }

    def set_weights(self, weights: Weights) -> None:
        """Put such copies back."""
        for name, value in weights.items():
            self._all[name].assign(value)

    def snapshot(self, state: Any) -> dict[str, Any]:
        """All variables, those that the layers draw random numbers from included, the optimiser's,
        and the carried state.
        """
        return {
            "weights": {name: v.numpy().copy() for name, v in self._all.items()},
            "optimiser": [v.numpy().copy() for v in self._optimiser.variables],
            "state": _map(lambda tensor: tensor.numpy().copy(), state, tf.Tensor),
        }

    def restore(self, snapshot: Mapping[str, Any]) -> Any:
        """Put a snapshot back and return the carried state."""
        self.set_weights(snapshot["weights"])
        for variable, value in zip(self._optimiser.variables, snapshot["optimiser"], strict=True):
            variable.assign(value)
        return _to_tensors(snapshot["state"])

    def _tape(self, batch: Any, state: Any) -> tuple[Any, list[Any], Any]:
        with tf.GradientTape() as tape:
            loss, state = self._step(self.model, batch, state, True, 1, "loss")
        return loss, tape.gradient(loss, [v.value for v in self._trained.values()]), state

    def _forward(self, batch: Any, state: Any) -> tuple[Any, Any]:
        return self._loss(self.model, batch, state, False, 1, "loss")


def _variables(model: Any) -> Iterator[Any]:
    """Variables of a model, of a layer, or of a list or dict of them."""
    if isinstance(model, keras.Variable):
        yield model
    elif isinstance(model, keras.layers.Layer):
        yield from model.variables
    elif isinstance(model, Mapping | list | tuple):
        for part in model.values() if isinstance(model, Mapping) else model:
            yield from _variables(part)
    else:
        raise ArgumentError(
            "KerasEngine: model must be a keras.Model, a layer, or a list or dict of layers and "
            f"keras.Variable, got {type(model).__name__}"
        )


def _map(function: Callable[[Any], Any], tree: Any, kind: Any) -> Any:
    """The same tuples, lists and dicts, with the function applied to each array in them."""
    if isinstance(tree, kind):
        return function(tree)
    if isinstance(tree, tuple | list):
        return type(tree)(_map(function, part, kind) for part in tree)
    if isinstance(tree, Mapping):
        return {name: _map(function, part, kind) for name, part in tree.items()}
    return tree


def _to_tensors(tree: Any) -> Any:
    return _map(tf.convert_to_tensor, tree, np.ndarray)

"""Training programs of the problem set clinic whose parts are in Keras 3.

They have the faults, the weights and the data of those in `clinic_programs`, and each fault as it
is made in Keras: a layer that is frozen, an optimizer without ``global_clipnorm``, a loss without
``sample_weight``. Keras computes with PyTorch here, which also gives the gradients. It is imported
when the first program is drawn.
"""

from __future__ import annotations

import importlib
import os
import sys
from functools import cached_property
from importlib.util import find_spec
from typing import Any

import numpy as np

from lstm_ref.errors import Array


def is_on_torch() -> bool:
    """Whether Keras is installed and computes with PyTorch, or will do so when it is imported."""
    if "keras" in sys.modules:
        return str(sys.modules["keras"].backend.backend()) == "torch"
    return os.environ.get("KERAS_BACKEND") == "torch" and find_spec("keras") is not None


def _array(tensor: Any) -> Array:
    """A copy of a tensor of PyTorch; Keras' own way to NumPy makes NumPy 2 warn."""
    return np.array(tensor.detach().cpu().numpy())


class KerasProgram:
    """An LSTM with a Dense layer on top, and what is done with them in training.

    Parameters
    ----------
    weights : as `lstm_ref.practice.clinic_programs.draw_weights` draws them, in PyTorch's form
    cause, place : which fault it has, and in which of its places
    """

    def __init__(self, weights: list[Array], cause: str, place: int) -> None:
        ih, hh, bias_ih, bias_hh, weight, bias = weights
        # Keras has one bias for PyTorch's two, and its matrices are the other way round; the order
        # of the gates is the same.
        self.weights = [ih.T, hh.T, bias_ih + bias_hh, weight.T, bias]
        self.cause, self.place = cause, place
        # Now, and not when a student's function asks: the import would count as that one's time.
        importlib.import_module("keras")

    @cached_property
    def _lstm(self) -> Any:
        """The layer, which returns all its states."""
        import keras

        D, H = self.weights[0].shape[0], self.weights[1].shape[0]
        lstm = keras.layers.LSTM(H, return_sequences=True, return_state=True, dtype="float64")
        lstm.build((None, None, D))
        lstm.set_weights(self.weights[:3])
        return lstm

    def forward(self, x: Array) -> Array:
        """Outputs (N, T, C) of a batch x (N, T, D); sick with "axis": it puts time first."""
        from keras import ops

        N, T, D = x.shape
        given = ops.convert_to_tensor(np.asarray(x, dtype=np.float64))
        if self.cause != "axis":
            states = self._lstm(given)[0]
        elif self.place % 2:  # a view in the place of a transposition
            inputs = ops.transpose(ops.reshape(given, (T, N, D)), (1, 0, 2))
            states = ops.reshape(ops.transpose(self._lstm(inputs)[0], (1, 0, 2)), (N, T, -1))
        else:
            states = ops.transpose(self._lstm(ops.transpose(given, (1, 0, 2)))[0], (1, 0, 2))
        # Not by a Dense layer: on PyTorch, Keras 3.15 multiplies matrices in float32.
        outputs: Array = _array(states) @ self.weights[3] + self.weights[4]
        return outputs

    def loss(self, outputs: Array, y: Array, mask: Array) -> float:
        """Mean cross-entropy; sick with "softmax" (which ``from_logits`` takes again) and with
        "padding" (no ``sample_weight``).
        """
        import keras

        scores = keras.ops.convert_to_tensor(np.asarray(outputs, dtype=np.float64))
        if self.cause == "softmax":
            scores = keras.ops.softmax(scores)
        mean = "sum_over_batch_size" if self.cause == "padding" else "mean_with_sample_weight"
        weighs = None if self.cause == "padding" else mask.astype(np.float64)
        of = keras.losses.SparseCategoricalCrossentropy(
            from_logits=True, reduction=mean, dtype="float64"
        )
        return float(of(y.astype(np.int64), scores, sample_weight=weighs))

    def step(
        self, x: Array, y: Array, lr: float, max_norm: float
    ) -> tuple[list[Array], list[Array]]:
        """All parameters before and after one step of SGD; sick with "clipping" (the optimizer was
        not told of it) and with "optimizer" (a layer is frozen).
        """
        import keras

        (D, _), (H, C) = self.weights[0].shape, self.weights[3].shape
        layers = [keras.layers.LSTM(H, dtype="float64"), keras.layers.Dense(C, dtype="float64")]
        model = keras.Sequential([keras.Input((None, D), dtype="float64"), *layers])
        if self.cause == "optimizer":
            layers[self.place % 2].trainable = False
        clips = {} if self.cause == "clipping" else {"global_clipnorm": max_norm}
        model.compile(optimizer=keras.optimizers.SGD(lr, **clips), loss="mse")
        model.set_weights(self.weights)
        before = [_array(variable.value) for variable in model.weights]
        model.train_on_batch(x, y)
        return before, [_array(variable.value) for variable in model.weights]

    def back(self, x: Array, k: int) -> Array:
        """Gradient (N, T, D) of the last chunk's loss with respect to each input, in a run through
        chunks of k steps; sick with "state": the state keeps its past.
        """
        import torch
        from keras import ops

        inputs = ops.convert_to_tensor(np.asarray(x, dtype=np.float64)).requires_grad_()
        state, last = None, inputs.sum()
        keeps = {0: "hc", 1: "h", 2: "c"}[self.place % 3] if self.cause == "state" else ""
        for t in range(0, x.shape[1], k):
            outputs, h, c = self._lstm(inputs[:, t : t + k], initial_state=state)
            state = [
                part if name in keeps else ops.stop_gradient(part)
                for name, part in (("h", h), ("c", c))
            ]
            last = (outputs**2).mean()
        (gradient,) = torch.autograd.grad(last, inputs)
        return _array(gradient)

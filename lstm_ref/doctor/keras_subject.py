"""A compiled model of Keras 3 on TensorFlow as a `Subject`: its own loss and optimizer are used.

A forward pass in each mode and a backward pass are traced once and used for all measurements, since
tracing takes a hundred times as long as a call.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from lstm_ref.doctor.memory import Memory, Undo, random_states
from lstm_ref.doctor.structure import Rebuild, flatten
from lstm_ref.doctor.subject import (
    Array,
    Arrays,
    Backward,
    Gradients,
    Options,
    Parameter,
    Recurrent,
    StepLog,
    Steps,
    Subject,
)
from lstm_ref.errors import ArgumentError

_RECURRENT = {keras.layers.LSTM: "lstm", keras.layers.GRU: "gru", keras.layers.SimpleRNN: "rnn"}


class KerasSubject(Subject):
    """See `Subject`.

    Parameters
    ----------
    model : a compiled model
    batch : (x, y), of arrays or tensors, or lists and dicts of them
    loss : instead of the compiled one; None
    optimizer : instead of the compiled one; None
    options : see `Options`
    """

    def __init__(self, model: Any, batch: Any, loss: Any, optimizer: Any, options: Options) -> None:
        super().__init__(options)
        if keras.backend.backend() != "tensorflow":
            raise ArgumentError(
                f"examine: Keras must run on TensorFlow, got {keras.backend.backend()}; set "
                "KERAS_BACKEND=tensorflow"
            )
        self.framework, self.model, self.loss_function = "keras", model, loss
        self._undo_random = [random_states(), _global_seed()]
        self.x, self.y = batch
        leaves, self._rebuild_x = flatten(self.x, _is_array, "x")
        targets, self._rebuild_y = flatten(self.y, _is_array, "y")
        self.inputs = {name: _array(leaf) for name, leaf in leaves.items()}
        self.targets = {name: _array(leaf) for name, leaf in targets.items()}
        self.has_loss = loss is not None or getattr(model, "compiled", False)
        self.optimizer = optimizer if optimizer is not None else getattr(model, "optimizer", None)
        self.has_optimizer = self.optimizer is not None
        self._build()
        loss_of_compile = getattr(model, "_compile_loss", None)
        trackers = [] if loss_of_compile is None else [vars(loss_of_compile)]
        # it makes its trackers at its first call
        self._compiled = Memory(trackers, _left_alone, functions=False)
        self._all = _Variables(
            [*_variables(model), *_optimizer_variables(self.optimizer), *_metrics(model)]
        )
        self._trainable = list(model.trainable_variables)
        self._flags = [(layer, layer.trainable) for layer in _layers(model)]
        own = [layer for layer in _layers(model) if not type(layer).__module__.startswith("keras.")]
        self._attributes = [
            Memory([dict_of], _left_alone, functions=False) for dict_of in map(vars, own)
        ]
        self._fill_statistics()
        kept = {id(v) for v in self._weights()}
        self._state = _Variables([v for v in self._all.variables if id(v) not in kept])
        self._steps_memory = Memory([options.step], _left_alone)
        self._traced: dict[Any, Any] = {}
        self._pattern: Rebuild | None = None

    def _build(self) -> None:
        """Run once, so that all weights are there."""
        if not getattr(self.model, "built", True) or not self.model.variables:
            self.model(self._to_x(self.inputs_tuple), training=False)

    def _fill_statistics(self) -> None:
        """As for PyTorch: batch normalisation that has seen no batch yet gets this one's
        statistics.
        """
        layers = [
            layer
            for layer in _layers(self.model)
            if isinstance(layer, keras.layers.BatchNormalization)
            and not _value(layer.moving_mean).any()
            and bool((_value(layer.moving_variance) == 1).all())
        ]
        if not layers:
            return
        momenta = [layer.momentum for layer in layers]
        statistics = [v for layer in layers for v in (layer.moving_mean, layer.moving_variance)]
        filled: list[Array] = []
        for layer in layers:
            layer.momentum = 0.0
        try:
            self.model(self._to_x(self.inputs_tuple), training=True)
            filled = [_value(v) for v in statistics]
        except Exception:  # the first examination says so
            return
        finally:  # also after Ctrl-C, which comes from here before there is a report to undo it
            for layer, momentum in zip(layers, momenta, strict=True):
                layer.momentum = momentum
            self._all.restore()
            for memory in self._attributes:
                memory.restore()
        for v, value in zip(statistics, filled, strict=True):
            v.assign(value)

    def restore(self) -> None:
        """Put model, optimizer and random numbers back, bit by bit."""
        self._all.restore()
        for layer, flag in self._flags:
            if layer.trainable != flag:
                layer.trainable = flag
        for memory in self._attributes:
            memory.restore()
        self._steps_memory.restore()
        self._compiled.restore()
        for undo in self._undo_random:
            undo()

    def plain(self, value: Any) -> Any:
        return _array(value) if _is_array(value) else value

    def _weights(self) -> list[Any]:
        return [*self.model.trainable_variables, *self._frozen()]

    def _frozen(self) -> list[Any]:
        """Weights whose layers are switched off; running statistics and states are none."""
        known = {id(v) for v in self.model.trainable_variables}
        return [v for v in self.model.weights if id(v) not in known and _is_weight(self.model, v)]

    # One forward pass.

    def _to_x(self, arrays: Sequence[Array]) -> Any:
        return self._rebuild_x([tf.convert_to_tensor(a) for a in arrays])

    def _to_y(self, arrays: Sequence[Array]) -> Any:
        return self._rebuild_y([tf.convert_to_tensor(a) for a in arrays])

    def _restart(self, seed: int | None, go_on: bool = False) -> None:
        if not go_on:
            self._state.restore()
            for memory in self._attributes:
                memory.restore()
        if seed is not None:
            random.seed(seed)
            np.random.seed(seed)
            for generator in _seed_variables(self.model):
                generator.assign(np.array([seed + 1, 0], dtype=generator.dtype))

    def draw_anew(self) -> None:
        """Begin all random numbers of a program from the same place; `restore` undoes it."""
        self._restart(0)
        if (generator := _global_generator()) is not None:
            generator.state.assign(np.array([1, 0], dtype=generator.state.dtype))

    def _function(self, training: bool) -> Any:
        """The traced forward pass in a mode, of a list of leaves."""
        if ("forward", training) not in self._traced:

            def forward(leaves: list[Any]) -> Any:
                return self.model(self._rebuild_x(leaves), training=training)

            self._traced["forward", training] = tf.function(forward, autograph=False)
        return self._traced["forward", training]

    def _run(self, inputs: Sequence[Array] | None, training: bool) -> Any:
        arrays = self.inputs_tuple if inputs is None else tuple(inputs)
        usual = all(a.shape == b.shape for a, b in zip(arrays, self.inputs_tuple, strict=True))
        if not usual or self._traced.get("eager"):
            return self.model(self._to_x(arrays), training=training)
        leaves = [tf.convert_to_tensor(a) for a in arrays]
        try:
            return self._function(training)(leaves)
        except Exception:
            # raises what is wrong with the model itself
            out = self.model(self._to_x(arrays), training=training)
            self._traced["eager"] = True
            return out

    def call(
        self,
        inputs: Sequence[Array] | None = None,
        *,
        training: bool = False,
        seed: int | None = 0,
        go_on: bool = False,
    ) -> Arrays:
        self._restart(seed, go_on)
        try:
            outputs = self._run(inputs, training)
        except Exception as error:
            raise ArgumentError(
                f"examine: model(x) failed with {type(error).__name__}: {_first_line(error)}; x "
                "must be what fit takes"
            ) from error
        leaves, self._pattern = flatten(outputs, _is_float, "output")
        return tuple(leaf.numpy() for leaf in leaves.values())

    # The loss.

    def _loss(self, outputs: Any, targets: Sequence[Array] | None) -> Any:
        y = self._to_y(self.targets_tuple if targets is None else targets)
        if self.loss_function is not None:
            return tf.reduce_mean(self.loss_function(y, outputs))
        return self.model.compute_loss(
            x=self._to_x(self.inputs_tuple), y=y, y_pred=outputs, training=True
        )

    def loss(self, outputs: Sequence[Array], targets: Sequence[Array] | None = None) -> float:
        self._need_pattern()
        assert self._pattern is not None
        return float(self._loss(self._pattern(self._masked(outputs)), targets))

    def _masked(self, outputs: Sequence[Array]) -> list[Any]:
        """Outputs as tensors, each with the mask that the model gives to it, which the compiled
        loss reads.
        """
        if not hasattr(self, "_masks"):
            self._masks: list[Any] = [None] * len(outputs)
            if any(_makes_mask(layer) for layer in _layers(self.model)):
                self._restart(0)
                leaves, _ = flatten(
                    self.model(self._to_x(self.inputs_tuple), training=True), _is_float, "output"
                )
                self._masks = [getattr(leaf, "_keras_mask", None) for leaf in leaves.values()]
        tensors = [tf.convert_to_tensor(o) for o in outputs]
        for tensor, mask in zip(tensors, self._masks, strict=True):
            if mask is not None and mask.shape[0] == tensor.shape[0]:
                tensor._keras_mask = mask
        return tensors

    def _need_pattern(self) -> None:
        if self._pattern is None:
            self.call(training=True)

    def loss_gradient(
        self, outputs: Sequence[Array], targets: Sequence[Array] | None = None
    ) -> Gradients:
        self._need_pattern()
        assert self._pattern is not None
        leaves = self._masked(outputs)
        with tf.GradientTape() as tape:
            tape.watch(leaves)
            total = self._loss(self._pattern(leaves), targets)
        return tuple(_dense(g) for g in tape.gradient(total, leaves))

    # Gradients of the whole.

    def _whole(self) -> Any:
        """The traced loss and its gradients with respect to the trainable variables and whatever
        else is watched.
        """
        if "whole" in self._traced:
            return self._traced["whole"]

        def whole(leaves: list[Any], targets: list[Any]) -> Any:
            with tf.GradientTape() as tape:
                outputs = self.model(self._rebuild_x(leaves), training=True)
                y = self._rebuild_y(targets)
                if self.loss_function is not None:
                    total = tf.reduce_mean(self.loss_function(y, outputs))
                else:
                    total = self.model.compute_loss(
                        x=self._rebuild_x(leaves), y=y, y_pred=outputs, training=True
                    )
            variables = [v.value for v in self._trainable]
            known = {id(v.value) for v in self._all.variables if hasattr(v, "value")}
            self._hidden = [
                v for v in tape.watched_variables() if id(v) not in known and v.trainable
            ]
            grads = tape.gradient(total, [*variables, *self._hidden])
            self._none = [g is None for g in grads]
            return total, [tf.convert_to_tensor(g) for g in grads if g is not None]

        self._traced["whole"] = tf.function(whole, autograph=False)
        return self._traced["whole"]

    def _gradients(
        self, inputs: Sequence[Array] | None, targets: Sequence[Array] | None
    ) -> tuple[float, list[Any]]:
        x = [tf.convert_to_tensor(a) for a in (self.inputs_tuple if inputs is None else inputs)]
        y = [tf.convert_to_tensor(a) for a in (self.targets_tuple if targets is None else targets)]
        total, some = self._whole()(x, y)
        values = iter(some)
        return float(total), [None if none else next(values).numpy() for none in self._none]

    def _train_names(self) -> list[str]:
        hidden = [f"(not registered) {v.name}" for v in getattr(self, "_hidden", [])]
        return [*(self._name(v) for v in self._trainable), *hidden]

    def backward(
        self,
        inputs: Sequence[Array] | None = None,
        targets: Sequence[Array] | None = None,
        *,
        training: bool = True,
        seed: int = 0,
    ) -> Backward:
        self._restart(seed)
        total, grads = self._gradients(inputs, targets)
        connected = any(g is not None for g in grads)
        return Backward(total, dict(zip(self._train_names(), grads, strict=True)), (), connected)

    def input_gradient(self, weights: Sequence[Array], *, training: bool = False) -> Gradients:
        self._restart(0)
        leaves = [tf.convert_to_tensor(a) for a in self.inputs_tuple]
        floats = [leaf for leaf in leaves if leaf.dtype.is_floating]
        embedded: list[tuple[Any, Any]] = []
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(floats)
            with _calls(
                self.model,
                keras.layers.Embedding,
                lambda layer, x, out: embedded.append((x, out)),
                tape,
            ):
                outputs = self.model(self._rebuild_x(leaves), training=training)
            parts, _ = flatten(outputs, _is_float, "output")
            pairs = zip(parts.values(), weights, strict=True)
            total = tf.add_n([tf.reduce_sum(o * tf.cast(w, o.dtype)) for o, w in pairs])
        grads = tape.gradient(total, [*floats, *(out for _, out in embedded)])
        by_leaf = iter(grads[: len(floats)])
        found = grads[len(floats) :]
        return tuple(
            _or_zeros(next(by_leaf), leaf)
            if leaf.dtype.is_floating
            else _of_tokens(leaf, embedded, found)
            for leaf in leaves
        )

    # Parameters.

    def _name(self, variable: Any) -> str:
        return str(variable.path)

    def parameters(self) -> tuple[Parameter, ...]:
        held = _held(self.optimizer)
        trainable = {id(v) for v in self._trainable}
        layers = _layer_of(self.model)
        known = [
            Parameter(
                self._name(v),
                tuple(v.shape),
                id(v) in trainable,
                None if held is None else id(v) in held,
                True,
                *layers.get(id(v), (-1, "")),
            )
            for v in self._weights()
        ]
        hidden = [
            Parameter(f"(not registered) {v.name}", tuple(v.shape), True, False, False)
            for v in getattr(self, "_hidden", [])
        ]
        return (*known, *hidden)

    def _variable(self, name: str) -> Any:
        for v in self._weights():
            if self._name(v) == name:
                return v
        return next(v for v in self._hidden if f"(not registered) {v.name}" == name)

    def values(self, names: Sequence[str]) -> Arrays:
        return tuple(self._variable(name).numpy() for name in names)

    @contextmanager
    def changed(self, values: Mapping[str, Array]) -> Iterator[None]:
        variables = {name: self._variable(name) for name in values}
        kept = {name: v.numpy() for name, v in variables.items()}
        try:
            for name, value in values.items():
                variables[name].assign(value)
            yield
        finally:
            for name, value in kept.items():
                variables[name].assign(value)

    @property
    def made_anew(self) -> int:
        return 0

    def draws_numbers(self) -> str:
        dropout = any(isinstance(layer, keras.layers.Dropout) for layer in _layers(self.model))
        return "" if dropout else "a generator"

    def weights_after_forward(self) -> tuple[str, float]:
        weights = self._weights()
        before = [v.numpy() for v in weights]
        worst = ("", 0.0)
        for training in (False, True):
            self.call(training=training)
            for v, old in zip(weights, before, strict=True):
                if v.numpy().tobytes() != old.tobytes():
                    worst = max(
                        worst,
                        (self._name(v), float(np.abs(v.numpy() - old).max())),
                        key=lambda p: p[1],
                    )
        self._all.restore()
        return worst

    def modes_after_forward(self) -> int:
        return sum(layer.trainable != flag for layer, flag in self._flags)

    def dropout_rate(self) -> float:
        return max((_rate(layer) for layer in _layers(self.model)), default=0.0)

    def layers_with_dropout(self) -> list[Any]:
        """Layers whose dropout rate is not 0."""
        return [layer for layer in _layers(self.model) if _rate(layer) > 0]

    # Training.

    def steps(
        self,
        count: int,
        *,
        rate: float | None = None,
        seed: int = 0,
        until: float = 1e9,
        batches: Iterator[tuple[Arrays, Arrays]] | None = None,
    ) -> Steps:
        self._all.restore()
        self._restart(seed)
        update = self._own_update(rate) if rate is not None else self._reader_update()
        log: dict[str, list[Any]] = {"losses": [], "norms": [], "ratios": []}
        ever: dict[str, float | None] = {}
        try:
            for _ in range(count):
                x, y = (None, None) if batches is None else next(batches)
                if time.process_time() > until or not self._one_step(update, log, ever, x, y):
                    break
        finally:
            self._all.restore()
        return Steps(tuple(log["losses"]), ever, tuple(log["ratios"]), tuple(log["norms"]))

    def _one_step(
        self,
        update: Callable[[list[Any]], None],
        log: dict[str, list[Any]],
        ever: dict[str, float | None],
        x: Arrays | None,
        y: Arrays | None,
    ) -> bool:
        self._state.restore_some(_states(self.model))
        total, grads = self._gradients(x, y)
        names = self._train_names()
        for name, grad in zip(names, grads, strict=True):
            ever.setdefault(name, None)
            if grad is not None:
                ever[name] = max(ever[name] or 0.0, float(np.abs(grad).max(initial=0.0)))
        log["losses"].append(total)
        log["norms"].append(
            float(
                np.sqrt(
                    sum(float((g.astype(np.float64) ** 2).sum()) for g in grads if g is not None)
                )
            )
        )
        before = {self._name(v): v.numpy() for v in self._trainable if len(v.shape) >= 2}
        update(grads)
        after = {self._name(v): v.numpy() for v in self._trainable if len(v.shape) >= 2}
        log["ratios"].append(
            {
                n: float(np.linalg.norm(after[n] - b) / (np.linalg.norm(b) + 1e-12))
                for n, b in before.items()
            }
        )
        return bool(np.isfinite(total)) and any(g is not None for g in grads)

    def _own_update(self, rate: float) -> Callable[[list[Any]], None]:
        """Adam on arrays: it makes no variables in the reader's program."""
        moments: dict[int, tuple[Array, Array, int]] = {}

        def update(grads: list[Any]) -> None:
            for k, (v, g) in enumerate(zip([*self._trainable], grads, strict=False)):
                if g is None:
                    continue
                m, s, t = moments.get(k, (np.zeros_like(g), np.zeros_like(g), 0))
                m, s, t = 0.9 * m + 0.1 * g, 0.999 * s + 0.001 * g * g, t + 1
                moments[k] = m, s, t
                v.assign(
                    v.numpy() - rate * (m / (1 - 0.9**t)) / (np.sqrt(s / (1 - 0.999**t)) + 1e-7)
                )

        return update

    def copied_optimizer(self) -> Any:
        """A copy of the reader's optimizer, with its rate and moments, so that the original is not
        touched.
        """
        original: Any = self.optimizer
        clone = type(original).from_config(original.get_config())
        if not original.built:
            clone.build(self._trainable)
        else:
            clone.build(list(original._trainable_variables))
            for mine, theirs in zip(clone.variables, original.variables, strict=False):
                mine.assign(theirs)
        return clone

    def _reader_update(self) -> Callable[[list[Any]], None]:
        """One step of a copy of the reader's optimizer."""
        clone = self.copied_optimizer()
        held = {id(v) for v in clone._trainable_variables}

        def update(grads: list[Any]) -> None:
            pairs = zip(grads, self._trainable, strict=False)
            some = [
                (tf.convert_to_tensor(g), v) for g, v in pairs if g is not None and id(v) in held
            ]
            if some:
                clone.apply_gradients(some) if len(some) == len(held) else _apply_some(clone, some)

        return update

    def rates(self) -> tuple[float, ...]:
        rate = getattr(self.optimizer, "learning_rate", None)
        return () if rate is None else (float(rate),)

    def rate_after(self, steps: int) -> float | None:
        schedule = getattr(self.optimizer, "_learning_rate", None)
        if not isinstance(schedule, keras.optimizers.schedules.LearningRateSchedule):
            return None
        first = max(float(schedule(k)) for k in range(3))
        return (
            max(float(schedule(k)) for k in range(steps, steps + 200, 50)) / first
            if first
            else None
        )

    def audit(self, step: Any) -> StepLog:
        from lstm_ref.doctor.keras_audit import KerasAudit

        return KerasAudit(self, step).run()

    def recurrent(self, inputs: Sequence[Array] | None = None) -> tuple[Recurrent, ...]:
        self._restart(0)
        found: dict[int, list[Any]] = {}
        layers = {id(layer): layer for layer in _layers(self.model)}

        def keep(layer: Any, x: Any, out: Any) -> None:
            found.setdefault(id(layer), []).append(x)

        with _calls(self.model, tuple(_RECURRENT), keep):
            self.model(self._to_x(self.inputs_tuple if inputs is None else inputs), training=False)
        self._restart(0)
        return tuple(
            _recurrent(layers[key], calls)
            for key, calls in found.items()
            if calls[0].shape.rank == 3
        )


class _Variables:
    """Values of variables, to be put back where they differ."""

    def __init__(self, variables: Iterable[Any]) -> None:
        self.variables = list({id(v): v for v in variables}.values())
        self.values = [_value(v) for v in self.variables]

    def restore(self) -> None:
        for v, value in zip(self.variables, self.values, strict=True):
            if _value(v).tobytes() != value.tobytes():
                v.assign(value)

    def restore_some(self, some: Iterable[Any]) -> None:
        """Only those among these."""
        wanted = {id(v) for v in some}
        for v, value in zip(self.variables, self.values, strict=True):
            if id(v) in wanted:
                v.assign(value)


def _value(variable: Any) -> Array:
    return np.asarray(variable.numpy())


def _left_alone(thing: Any) -> tuple[Undo, Iterable[Any]] | None:
    """Objects of Keras and TensorFlow are remembered by their variables."""
    module = type(thing).__module__
    if module.startswith(("keras.", "tensorflow.")) or isinstance(thing, keras.Layer):
        return (lambda: None), ()
    return None


def _global_seed() -> Undo:
    """Undo for the generator that Keras uses where no seed was given, and for TensorFlow's own."""
    before = _global_generator()
    value = None if before is None else before.state.numpy()

    def undo() -> None:
        if before is not None:
            before.state.assign(value)

    return undo


def _global_generator() -> Any:
    from keras.src.backend.common import global_state

    return global_state.get_global_attribute("global_seed_generator")


def _layers(model: Any) -> list[Any]:
    flat = getattr(model, "_flatten_layers", None)
    return list(flat()) if flat is not None else []


def _variables(model: Any) -> Iterator[Any]:
    yield from model.variables
    for layer in _layers(model):
        yield from getattr(layer, "_trainable_variables", ())
        yield from getattr(layer, "_non_trainable_variables", ())
        yield from _states_of(layer)
    yield from _seed_variables(model)


def _states(model: Any) -> list[Any]:
    return [state for layer in _layers(model) for state in _states_of(layer)]


def _states_of(layer: Any) -> list[Any]:
    states = getattr(layer, "states", None) if getattr(layer, "stateful", False) else None
    flat = states if isinstance(states, list | tuple) else [states]
    return [s for s in flat if isinstance(s, keras.Variable)]


def _seed_variables(model: Any) -> list[Any]:
    found = []
    for layer in _layers(model):
        generators = [
            *getattr(layer, "_seed_generators", ()),
            getattr(layer, "seed_generator", None),
        ]
        found += [g.state for g in generators if g is not None]
    return list({id(v): v for v in found}.values())


def _optimizer_variables(optimizer: Any) -> list[Any]:
    return list(getattr(optimizer, "variables", ())) if optimizer is not None else []


def _metrics(model: Any) -> list[Any]:
    return [v for metric in getattr(model, "metrics", ()) for v in metric.variables]


def _held(optimizer: Any) -> set[int] | None:
    """Ids of the variables that an optimizer was built with; None where it is not built, since fit
    then takes all.
    """
    if optimizer is None or not getattr(optimizer, "built", False):
        return None
    return {id(v) for v in getattr(optimizer, "_trainable_variables", ())}


def _layer_of(model: Any) -> dict[int, tuple[int, str]]:
    found: dict[int, tuple[int, str]] = {}
    for number, layer in enumerate(_layers(model)):
        kind = "embedding" if isinstance(layer, keras.layers.Embedding) else _kind(layer)
        for v in (
            *getattr(layer, "_trainable_variables", ()),
            *getattr(layer, "_non_trainable_variables", ()),
        ):
            found.setdefault(id(v), (number, kind))
        cell = getattr(layer, "cell", None)
        for v in getattr(cell, "weights", ()):
            found[id(v)] = (number, kind)
    return found


def _is_weight(model: Any, variable: Any) -> bool:
    """Whether a variable that is not trained is a weight of a frozen layer: it would be trained
    were the layer not frozen.
    """
    return bool(getattr(variable, "_trainable", False)) or _of_frozen_layer(model, variable)


def _of_frozen_layer(model: Any, variable: Any) -> bool:
    for layer in _layers(model):
        if any(v is variable for v in getattr(layer, "_trainable_variables", ())):
            return True
    return False


def _kind(layer: Any) -> str:
    return next((kind for cls, kind in _RECURRENT.items() if isinstance(layer, cls)), "")


def _rate(layer: Any) -> float:
    if isinstance(
        layer, keras.layers.Dropout | keras.layers.SpatialDropout1D | keras.layers.GaussianDropout
    ):
        return float(layer.rate)
    if _kind(layer):
        return max(float(layer.dropout or 0), float(layer.recurrent_dropout or 0))
    return 0.0


@contextmanager
def _calls(
    model: Any, kinds: Any, seen: Callable[[Any, Any, Any], None], tape: Any = None
) -> Iterator[None]:
    """Tell of each call of the layers of some kinds; what comes out is watched by the tape."""
    layers = [layer for layer in _layers(model) if isinstance(layer, kinds)]
    for layer in layers:
        object.__setattr__(layer, "call", _telling(layer, layer.call, seen, tape))
    try:
        yield
    finally:
        for layer in layers:
            object.__delattr__(layer, "call")


def _telling(layer: Any, call: Any, seen: Callable[[Any, Any, Any], None], tape: Any) -> Any:
    import functools

    @functools.wraps(call)
    def told(*args: Any, **kwargs: Any) -> Any:
        out = call(*args, **kwargs)
        if tape is not None:
            tape.watch(out)
        seen(layer, args[0] if args else next(iter(kwargs.values())), out)
        return out

    return told


def _recurrent(layer: Any, calls: list[Any]) -> Recurrent:
    cell = layer.cell
    weights = None
    if isinstance(layer, keras.layers.LSTM):
        b = cell.bias.numpy() if cell.use_bias else np.zeros(cell.kernel.shape[1], np.float32)
        weights = (cell.kernel.numpy(), cell.recurrent_kernel.numpy(), b)
    return Recurrent(
        layer.name,
        _kind(layer),
        calls[0].numpy(),
        len(calls),
        layer.stateful,
        weights,
        str(cell.recurrent_kernel.path),
    )


def _apply_some(optimizer: Any, pairs: list[Any]) -> None:
    """Apply to those variables that have a gradient; the others get one of zero."""
    grads = {id(v): g for g, v in pairs}
    full = [
        (grads.get(id(v), tf.zeros(v.shape, v.dtype)), v) for v in optimizer._trainable_variables
    ]
    optimizer.apply_gradients(full)


def _makes_mask(layer: Any) -> bool:
    return isinstance(layer, keras.layers.Masking) or bool(getattr(layer, "mask_zero", False))


def _is_array(part: Any) -> bool:
    return isinstance(part, np.ndarray) or tf.is_tensor(part) or isinstance(part, keras.Variable)


def _is_float(part: Any) -> bool:
    return bool(tf.is_tensor(part) and part.dtype.is_floating)


def _array(leaf: Any) -> Array:
    array = np.asarray(leaf)
    return array.astype(keras.config.floatx()) if array.dtype == np.float64 else array


def _dense(gradient: Any) -> Array | None:
    return None if gradient is None else np.asarray(tf.convert_to_tensor(gradient).numpy())


def _or_zeros(gradient: Any, leaf: Any) -> Array:
    return (
        np.zeros(leaf.shape)
        if gradient is None
        else np.asarray(tf.convert_to_tensor(gradient).numpy())
    )


def _of_tokens(leaf: Any, embedded: list[tuple[Any, Any]], grads: list[Any]) -> Array | None:
    """Gradient at the embedding of these tokens, summed over its features; None where it is not
    found.
    """
    found = [
        g for (x, _), g in zip(embedded, grads, strict=True) if tuple(x.shape) == tuple(leaf.shape)
    ]
    if len(found) != 1:
        return None
    if found[0] is None:
        return np.zeros(leaf.shape)
    return np.asarray(np.abs(tf.convert_to_tensor(found[0]).numpy()).sum(-1))


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [""])[0]

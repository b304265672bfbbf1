"""What every gate did at every step: the same arrays from a NumPy, a PyTorch or a Keras model."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from lstm_ref.cell import sigmoid
from lstm_ref.errors import ArgumentError, Array, DTypeError, ShapeError, check_arrays
from lstm_ref.frameworks.weights import BLOCKS, Params, Weights, read_weights
from lstm_ref.layers import (
    bidirectional_forward,
    masked_gru_forward,
    masked_lstm_forward,
    stacked_forward,
)


class GateTrace(NamedTuple):
    """Gates and states by example, time step and unit, each (N, T, H). ``c[:, t]`` and ``h[:, t]``
    are those after step t.

    At a masked step no gate acts: i, f, g and o are NaN there, and c and h are what they were.
    """

    i: Array
    f: Array
    g: Array
    o: Array
    c: Array
    h: Array

    def memory_length(self) -> Array:
        """Steps until half of the cell state of each unit is left, by its mean forget gate.

        A forget gate that stays at f keeps the share f**k of the cell state over k steps, and f**k
        = 1/2 for

            k = ln(1/2) / ln(f)

        Here f is the mean over all examples and valid steps. So a unit comes before another in the
        order of memory lengths exactly when it does in the order of mean forget gates, in which the
        sequence inspector sorts. A unit that keeps everything most of the time and resets at a few
        steps has a long memory by its mean, and yet forgets at each of them: look at its course,
        too.

        Returns
        -------
        steps : (H,), float64: 1 for a mean of 0.5, 6.6 for 0.9, 69 for 0.99; 0 where f is always 0,
            infinite where it is 1

        Examples
        --------
        >>> f = np.tile([0.5, 0.9, 0.99], (1, 4, 1))
        >>> GateTrace(f, f, f, f, f, f).memory_length().round(1)
        array([ 1. ,  6.6, 69. ])
        """
        return _half_life(self.f)

    def example(self, n: int) -> GateTrace:
        """One example alone, (1, its valid steps, H), without the masked steps: as the sequence
        inspector takes it.
        """
        valid = np.isfinite(self.f[n]).all(axis=1)
        return GateTrace(*(array[n : n + 1, valid] for array in self))


class GRUTrace(NamedTuple):
    """Gates, candidate and state of a GRU, each (N, T, H), as of `GateTrace`: r, z and n are NaN at
    a masked step.
    """

    r: Array
    z: Array
    n: Array
    h: Array

    def memory_length(self) -> Array:
        """As of `GateTrace`, by the mean of z, the share of the old state that is kept."""
        return _half_life(self.z)

    def example(self, n: int) -> GRUTrace:
        """One example alone, (1, its valid steps, H), without the masked steps."""
        valid = np.isfinite(self.z[n]).all(axis=1)
        return GRUTrace(*(array[n : n + 1, valid] for array in self))


def trace(
    model: Any,
    x: Any,
    h0: Any = None,
    c0: Any = None,
    *,
    mask: Any = None,
    layer: int = 0,
    direction: str = "forward",
    name: str | None = None,
) -> GateTrace:
    """Run a model over x and keep what the gates of one of its layers did. The model stays as it
    was, and dropout is off.

    The frameworks do not give their gates away. So the weights are read and the sequence is run
    again in NumPy, in the dtype of the weights.

    Parameters
    ----------
    model : an LSTM, or a model of PyTorch or Keras with one in it

        - NumPy: a dict with Wx (D, 4H), Wh (H, 4H), b (4H,), more entries do no harm; or a list
          with one such dict a layer, or with a list of two, forward and reverse
        - PyTorch: a ``torch.nn.LSTM``, or any module that calls one
        - Keras: a ``keras.layers.LSTM`` with the usual activations, a ``Bidirectional`` of one, a
          list of such layers, one on another, or any model that calls one; on any backend
    x : of an LSTM itself (N, T, D), array or tensor of floats: what it receives. A
        ``torch.nn.LSTM`` without ``batch_first`` takes (T, N, D), as when it is called, and packed
        sequences are unpacked. Of a whole model: the batch that the model takes, token numbers for
        instance, or a tuple of what a PyTorch model takes; the model is run once, in evaluation, to
        see what its LSTM receives
    h0, c0 : (N, H), or (S, N, H), one for each layer and direction, as PyTorch has it; zeros if not
        given, also for a stateful Keras layer. A whole model brings its own
    mask : (N, T) of bool, True at valid steps. A whole model brings its own
    layer : which one of several, one on another; the lowest is 0
    direction : "forward" or "reverse"; the reverse one has seen steps t to the end at step t
    name : which LSTM of a whole model, where there are several: ``"encoder"`` for model.encoder in
        PyTorch, the layer's name in Keras

    Returns
    -------
    GateTrace : i, f, g, o, c, h, each (N, T, H), whichever the layout of x

    Raises
    ------
    ArgumentError : a model that cannot be traced; the message names what was found in it
    ShapeError, DTypeError, NotFiniteError : an array that does not fit, by name

    Examples
    --------
    >>> params = {"Wx": np.zeros((3, 16)), "Wh": np.zeros((4, 16)), "b": np.zeros(16)}
    >>> gates = trace(params, np.ones((2, 5, 3)))
    >>> gates.f.shape, float(gates.f[0, 0, 0])
    ((2, 5, 4), 0.5)
    """
    params, given, reverse = _prepare(
        "trace", "lstm", model, x, (h0, c0), mask, layer, direction, name
    )
    return GateTrace(*_in_order(_lstm_gates(params, *given), given[-1], reverse))


def trace_gru(
    model: Any,
    x: Any,
    h0: Any = None,
    *,
    mask: Any = None,
    layer: int = 0,
    direction: str = "forward",
    name: str | None = None,
) -> GRUTrace:
    """As `trace`, for a GRU, whichever way its reset gate acts.

    Parameters
    ----------
    model : as of `trace`, with a GRU for an LSTM; a dict with bh where the reset gate acts after
        the product, and without where it acts before
    x, h0, mask, layer, direction, name : as of `trace`

    Returns
    -------
    GRUTrace : r, z, n, h, each (N, T, H)

    Raises
    ------
    ArgumentError : a model that cannot be traced; the message names what was found in it
    ShapeError, DTypeError, NotFiniteError : an array that does not fit, by name

    Examples
    --------
    >>> params = {
    ...     "Wx": np.zeros((3, 12)),
    ...     "Wh": np.zeros((4, 12)),
    ...     "b": np.zeros(12),
    ...     "bh": np.zeros(4),
    ... }
    >>> float(
    ...     trace_gru(params, np.ones((2, 5, 3)), np.ones((2, 4))).h[0, 1, 0]
    ... )  # half of the state is kept at each step
    0.25
    """
    params, given, reverse = _prepare(
        "trace_gru", "gru", model, x, (h0,), mask, layer, direction, name
    )
    return GRUTrace(*_in_order(_gru_gates(params, *given), given[-1], reverse))


# --- The gates
# --------------------------------------------------------------------------------------------------


def _lstm_gates(params: Params, x: Array, h0: Array, c0: Array, mask: Array) -> tuple[Array, ...]:
    """i, f, g, o, c, h of one layer in the order of its own steps."""
    Wx, Wh, b = (params[name] for name in ("Wx", "Wh", "b"))
    h, h_prev = _states(masked_lstm_forward(x, h0, c0, Wx, Wh, b, mask)[0], h0, mask)
    a_i, a_f, a_g, a_o = np.split(x @ Wx + h_prev @ Wh + b, 4, axis=2)
    i, f, g, o = sigmoid(a_i), sigmoid(a_f), np.tanh(a_g), sigmoid(a_o)
    c, cell = np.empty_like(h), c0
    for t in range(x.shape[1]):
        cell = np.where(mask[:, t, np.newaxis], f[:, t] * cell + i[:, t] * g[:, t], cell)
        c[:, t] = cell
    return i, f, g, o, c, h


def _gru_gates(params: Params, x: Array, h0: Array, mask: Array) -> tuple[Array, ...]:
    """r, z, n, h of one layer in the order of its own steps."""
    bh = params.get("bh")
    Wx, Wh, b = (params[name] for name in ("Wx", "Wh", "b"))
    h, h_prev = _states(masked_gru_forward(x, h0, Wx, Wh, b, bh, mask)[0], h0, mask)
    a_r, a_z, a_n = np.split(x @ Wx + b, 3, axis=2)
    Wh_r, Wh_z, Wh_n = np.split(Wh, 3, axis=1)
    r, z = sigmoid(a_r + h_prev @ Wh_r), sigmoid(a_z + h_prev @ Wh_z)
    n = np.tanh(a_n + (r * h_prev) @ Wh_n if bh is None else a_n + r * (h_prev @ Wh_n + bh))
    return r, z, n, h


def _states(out: Array, h0: Array, mask: Array) -> tuple[Array, Array]:
    """Hidden state after and before every step; the output is 0 at a masked step, where the state
    stays.
    """
    h, h_prev, state = np.empty_like(out), np.empty_like(out), h0
    for t in range(out.shape[1]):
        h_prev[:, t] = state
        state = np.where(mask[:, t, np.newaxis], out[:, t], state)
        h[:, t] = state
    return h, h_prev


def _in_order(arrays: tuple[Array, ...], mask: Array, reverse: bool) -> list[Array]:
    """In the order of time, and NaN where no gate acted. The states are the last two arrays, or the
    last one.
    """
    if reverse:
        arrays, mask = tuple(array[:, ::-1].copy() for array in arrays), mask[:, ::-1]
    if mask.all():
        return list(arrays)
    gates = {4: 3, 6: 4}[len(arrays)]
    masked = ~mask[:, :, np.newaxis]
    return [
        np.where(masked, np.nan, array).astype(array.dtype) if k < gates else array
        for k, array in enumerate(arrays)
    ]


def _half_life(kept: Array) -> Array:
    """Steps of each unit until half is left, from the share (N, T, H) that each step keeps."""
    mean = np.nanmean(kept, axis=(0, 1), dtype=np.float64)
    with np.errstate(divide="ignore"):  # ln 0 and 1 / ln 1 are infinite, as they should be
        steps: Array = np.log(2) / np.abs(np.log(mean))
    return steps


# --- The layer and what it receives
# -------------------------------------------------------------------------------------------


def _prepare(
    operation: str,
    cell: str,
    model: Any,
    x: Any,
    states: tuple[Any, ...],
    mask: Any,
    layer: int,
    direction: str,
    name: str | None,
) -> tuple[Params, tuple[Array, ...], bool]:
    """Weights of the chosen layer and direction, and what it receives: x, its states, mask, in the
    order of its own steps.
    """
    if direction not in ("forward", "reverse"):
        raise ArgumentError(
            f'{operation}: direction must be "forward" or "reverse", got {direction!r}'
        )
    part, x, states, mask = _watch(operation, cell, model, x, states, mask, name)
    weights = read_weights(operation, part)
    if weights.cell != cell:
        other = {"lstm": "trace", "gru": "trace_gru"}.get(weights.cell)
        advice = f"use {other}" if other else "a plain layer has no gates"
        raise ArgumentError(
            f"{operation}: model must be of the kind {cell!r}, got {weights.cell!r}; {advice}"
        )
    layers, side = weights.layers, int(direction == "reverse")
    if not -len(layers) <= layer < len(layers):
        raise ArgumentError(f"{operation}: layer must be from 0 to {len(layers) - 1}, got {layer}")
    layer %= len(layers)
    if side >= len(layers[layer]):
        raise ArgumentError(
            f"{operation}: direction must be forward, the layer has no other, got {direction!r}"
        )

    x, mask = _batch(operation, weights, x, mask)
    all_states = _all_states(operation, weights, x, states)
    k = 0
    for lower in layers[:layer]:  # what the chosen layer receives is what those below it give
        span = slice(k, k + len(lower))
        h0, c0 = (*(np.stack(state[span]) for state in all_states), None)[:2]
        forward: Callable[..., Any] = bidirectional_forward if len(lower) == 2 else stacked_forward
        x = forward(x, h0, c0, lower, mask, cell=cell)[0]
        k = span.stop
    own = [state[k + side] for state in all_states]
    if side:
        x, mask = x[:, ::-1].copy(), mask[:, ::-1].copy()
    return layers[layer][side], (x, *own, mask), bool(side)


def _batch(operation: str, weights: Weights, x: Any, mask: Any) -> tuple[Array, Array]:
    """X (N, T, D) and mask (N, T) as NumPy arrays."""
    first = weights.layers[0][0]
    time_first = weights.time_first
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(x, torch.nn.utils.rnn.PackedSequence):
        x, lengths = torch.nn.utils.rnn.pad_packed_sequence(x, batch_first=True)
        mask, time_first = np.arange(x.shape[1]) < lengths.numpy()[:, np.newaxis], False
    x = _array(operation, "x", x, first["Wx"].dtype)
    if x.ndim != 3:
        axes = "(T, N, D)" if time_first else "(N, T, D)"
        raise ShapeError(
            f"{operation}: x must be {axes}, got {x.shape}; a single example goes in as a batch of "
            "one"
        )
    x = x.swapaxes(0, 1) if time_first else x
    k = BLOCKS[weights.cell]
    # The forward pass checks again, but it would put its own name in front of the message.
    check_arrays(operation, {}, Wx=(first["Wx"], f"D {k}H"), x=(x, "N T D"))
    mask = np.ones(x.shape[:2], bool) if mask is None else _plain(mask)
    if not isinstance(mask, np.ndarray) or mask.dtype != np.bool_:
        kind = mask.dtype if isinstance(mask, np.ndarray) else type(mask).__name__
        raise DTypeError(
            f"{operation}: mask must be an array of bool, True at valid steps, got {kind}"
        )
    if mask.shape != x.shape[:2]:
        raise ShapeError(f"{operation}: mask must be (N, T) = {x.shape[:2]}, got {mask.shape}")
    return x, mask


def _all_states(
    operation: str, weights: Weights, x: Array, states: tuple[Any, ...]
) -> list[list[Array]]:
    """h0, and c0 where there is one, by layer and direction, each (N, H)."""
    parts = [part for layer in weights.layers for part in layer]
    dtype, N, S = x.dtype, len(x), len(parts)
    found = []
    for name, state in zip(("h0", "c0"), states, strict=False):
        if state is None:
            found.append([np.zeros((N, len(part["Wh"])), dtype) for part in parts])
            continue
        array = _array(operation, name, state, dtype)
        if S == 1:
            array = array[0] if array.ndim == 3 and len(array) == 1 else array
            check_arrays(operation, {"N": N, "H": len(parts[0]["Wh"])}, **{name: (array, "N H")})
            found.append([array])
        else:
            check_arrays(
                operation, {"N": N, "H": len(parts[0]["Wh"])}, **{name: (array, f"{S} N H")}
            )
            found.append(list(array))
    return found


def _array(operation: str, name: str, value: Any, dtype: Any) -> Array:
    """A NumPy array of ``dtype`` from an array, a list or a tensor of either framework."""
    try:
        array = np.asarray(_plain(value))
    except (TypeError, ValueError) as wrong:
        raise DTypeError(
            f"{operation}: {name} must be an array of floats, got {type(value).__name__}: {wrong}"
        ) from wrong
    # Brain floats are no floats to NumPy, but those of a tensor in mixed precision.
    if array.dtype.kind != "f" and array.dtype.name != "bfloat16":
        raise DTypeError(
            f"{operation}: {name} must hold floats, got {array.dtype}; it is what the recurrent "
            "layer itself receives, after the embedding or the one-hot encoding"
        )
    return array.astype(dtype)


def _plain(value: Any) -> Any:
    """Without the graph of a framework, and on the CPU."""
    torch, keras = sys.modules.get("torch"), sys.modules.get("keras")
    if torch is not None and isinstance(value, torch.Tensor):
        value = value.detach().cpu()
        return (value.float() if value.dtype == torch.bfloat16 else value).numpy()
    if keras is not None and keras.ops.is_tensor(value):
        return keras.ops.convert_to_numpy(value)
    return value


# --- Whole models: one run, to see what the layer inside receives
# --------------------------------------------------------------


class _Call(NamedTuple):
    """What a layer of a framework was given."""

    x: Any
    states: tuple[Any, ...]
    mask: Any


def _watch(
    operation: str,
    cell: str,
    model: Any,
    x: Any,
    states: tuple[Any, ...],
    mask: Any,
    name: str | None,
) -> tuple[Any, Any, tuple[Any, ...], Any]:
    """The layer and what it receives: as given, where ``model`` is the layer itself."""
    whole = _whole_model(cell, model)
    if whole is None:
        return model, x, states, mask
    wanted, inside, run = whole
    if not inside:
        raise ArgumentError(
            f"{operation}: model must be or hold a {wanted}, got {type(model).__name__}, with none "
            "in it; for a cell in a loop of your own, give a dict of its weights"
        )
    if name is None and len(inside) > 1 or name is not None and name not in inside:
        raise ArgumentError(
            f"{operation}: name must say which {wanted} of {type(model).__name__} is meant, one of "
            f"{', '.join(inside)}, got {name}"
        )
    if mask is not None or any(state is not None for state in states):
        raise ArgumentError(
            f"{operation}: mask and states come from the model itself, where it is a whole one, "
            "got some; give the layer"
        )
    part = inside[name] if name is not None else next(iter(inside.values()))
    calls = run(model, part, x)
    if len(calls) != 1:
        raise ArgumentError(
            f"{operation}: the model must call its {wanted} once, it called it {len(calls)} times; "
            "pass the layer itself and what it receives over all steps"
        )
    (call,) = calls
    given = (*call.states, *(None,) * len(states))[: len(states)]
    return part, call.x, given, call.mask


def _whole_model(
    cell: str, model: Any
) -> tuple[str, dict[str, Any], Callable[[Any, Any, Any], list[_Call]]] | None:
    """Of a model of PyTorch or Keras: the class of the layer that is looked for, the layers of that
    class by name, and how it is run; None where ``model`` is a layer itself, or weights.
    """
    torch, keras = sys.modules.get("torch"), sys.modules.get("keras")
    # Keras first: on the backend torch, its layers are modules of PyTorch, too.
    if keras is not None and isinstance(model, keras.layers.Layer):
        if isinstance(model, keras.layers.RNN | keras.layers.Bidirectional):
            return None
        kind = {"lstm": keras.layers.LSTM, "gru": keras.layers.GRU}[cell]
        inside = {
            part.name: part
            for part in _keras_parts(model)
            if isinstance(getattr(part, "forward_layer", part), kind)
        }
        return f"keras.layers.{cell.upper()}", inside, _run_keras
    if torch is not None and isinstance(model, torch.nn.Module):
        if isinstance(model, torch.nn.RNNBase):
            return None
        kind = {"lstm": torch.nn.LSTM, "gru": torch.nn.GRU}[cell]
        inside = {path: part for path, part in model.named_modules() if isinstance(part, kind)}
        return f"torch.nn.{cell.upper()}", inside, _run_torch
    return None


def _run_torch(model: Any, part: Any, x: Any) -> list[_Call]:
    torch = sys.modules["torch"]
    calls: list[_Call] = []

    def look(module: Any, args: tuple[Any, ...], options: dict[str, Any]) -> None:
        given = args[0] if args else options["input"]
        state = args[1] if len(args) > 1 else options.get("hx")
        states = (
            () if state is None else tuple(state) if isinstance(state, tuple | list) else (state,)
        )
        # one sequence without an axis for the batch
        if isinstance(given, torch.Tensor) and given.ndim == 2:
            given = given.unsqueeze(0 if module.batch_first else 1)
            states = tuple(s.unsqueeze(1) for s in states)
        calls.append(_Call(given, states, None))

    weight = next(part.parameters())

    def tensor(value: Any) -> Any:
        if not isinstance(value, torch.Tensor | np.ndarray | list):
            return value
        value = torch.as_tensor(value)
        return value.to(weight.device, weight.dtype if value.is_floating_point() else value.dtype)

    arguments = [tensor(value) for value in (x if isinstance(x, tuple) else (x,))]
    modes = {module: module.training for module in model.modules()}
    hook = part.register_forward_pre_hook(look, with_kwargs=True)
    try:
        model.eval()
        with torch.no_grad():
            model(*arguments)
    finally:
        hook.remove()
        for module, mode in modes.items():
            module.training = mode
    return calls


def _run_keras(model: Any, part: Any, x: Any) -> list[_Call]:
    calls: list[_Call] = []
    original = part.call

    def look(sequences: Any, *args: Any, **options: Any) -> Any:
        state, given_mask = (
            *args,
            *(options.get(key) for key in ("initial_state", "mask")[len(args) :]),
        )[:2]
        states: tuple[Any, ...] = ()
        if state is not None:
            given = [_plain(s) for s in (state if isinstance(state, Sequence) else [state])]
            kinds = len(given) // (2 if hasattr(part, "forward_layer") else 1)
            states = tuple(np.stack(given[j::kinds]) for j in range(kinds))
        calls.append(_Call(sequences, states, given_mask))
        return original(sequences, *args, **options)

    part.call = look
    try:
        model(x, training=False)
    finally:
        del part.call  # the method of the class shows again
    return calls


def _keras_parts(model: Any) -> list[Any]:
    """All layers of a model, those of models in it included, but not those of a Bidirectional."""
    found = []
    for part in getattr(model, "layers", []):
        found += [part, *_keras_parts(part)]
    return found

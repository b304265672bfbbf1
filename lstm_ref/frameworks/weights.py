"""Weights out of a model, in our dialect, whichever engine the model runs on.

No framework is imported here: a model can only exist where its framework is imported already. So
Keras may run on any of its backends. `lstm_ref.inspect.trace`, `params_from_torch` and
`params_from_keras` all read by this one module.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, NoReturn

import numpy as np

from lstm_ref.errors import ArgumentError, Array, DTypeError, check_arrays
from lstm_ref.frameworks.convert import convert, convert_model

Params = dict[str, Array]
Model = Params | list[Params | list[Params]]

BLOCKS = {"lstm": 4, "gru": 3, "rnn": 1}


class Weights(NamedTuple):
    """The weights of a recurrent layer, or of several, one on another."""

    cell: str  # "lstm", "gru" or "rnn"
    layers: list[list[Params]]  # by layer, the lowest first, and direction, the forward one first
    reset: str = "after"  # where the reset gate of a GRU acts
    time_first: bool = False  # the model takes (T, N, D)

    @property
    def model(self) -> Model:
        """As `lstm_ref.convert.convert_model` has it: a dict where there is one layer of one
        direction, else a list.
        """
        entries: list[Params | list[Params]] = [
            layer[0] if len(layer) == 1 else layer for layer in self.layers
        ]
        return self.layers[0][0] if len(self.layers) == len(self.layers[0]) == 1 else entries


def read_weights(operation: str, model: Any) -> Weights:
    """Weights of a NumPy, a PyTorch or a Keras model.

    Parameters
    ----------
    operation : name of the function, put first in every message
    model : a dict with Wx, Wh, b (and bh for a GRU, ``reset="after"``), more entries do no harm; a
        list of such dicts, one a layer, or of lists of two, forward and reverse; a torch.nn.LSTM,
        GRU or RNN; a keras.layers.LSTM, GRU, SimpleRNN or a Bidirectional of one of them, or a list
        of such layers, one on another

    Returns
    -------
    Weights : cell, layers, reset, time_first; copies, in the dtype of the model

    Raises
    ------
    ArgumentError : a model that computes something else; the message names what was found in it
    ShapeError, DTypeError, NotFiniteError : weights that do not fit, by name

    Examples
    --------
    >>> weights = read_weights(
    ...     "trace", {"Wx": np.zeros((3, 8)), "Wh": np.zeros((2, 8)), "b": np.zeros(8)}
    ... )
    >>> weights.cell, len(weights.layers), weights.layers[0][0]["Wx"].shape
    ('lstm', 1, (3, 8))
    """
    torch, keras = sys.modules.get("torch"), sys.modules.get("keras")
    if keras is not None and isinstance(
        model, keras.layers.Layer
    ):  # first: on the backend torch, it is an nn.Module, too
        return read_keras(operation, model)
    if torch is not None and isinstance(model, torch.nn.Module):
        return read_torch(operation, model)
    if isinstance(model, Mapping):
        return _read_dicts(operation, [model])
    if isinstance(model, Sequence) and not isinstance(model, str) and model:
        if keras is not None and all(isinstance(layer, keras.layers.Layer) for layer in model):
            return _one_on_another(operation, [read_keras(operation, layer) for layer in model])
        return _read_dicts(operation, model)
    raise ArgumentError(
        f"{operation}: model must be a dict of Wx, Wh and b, a list of them, a recurrent layer of "
        f"torch.nn or of keras.layers, got {type(model).__name__}"
    )


def read_torch(operation: str, module: Any) -> Weights:
    """Weights of a torch.nn.LSTM, GRU or RNN, with or without bias, on any device; see
    `read_weights`.
    """
    torch = sys.modules["torch"]
    kinds = {torch.nn.LSTM: "lstm", torch.nn.GRU: "gru", torch.nn.RNN: "rnn"}
    cell = next((kinds[kind] for kind in kinds if isinstance(module, kind)), None)
    if cell is None:
        inside = {
            name: part for name, part in module.named_modules() if isinstance(part, tuple(kinds))
        }
        _refuse(
            operation, module, [f"model.{name}" for name in inside], "torch.nn.LSTM, GRU or RNN"
        )
    unusual = [f"proj_size={module.proj_size}"] if module.proj_size else []
    if cell == "rnn" and module.nonlinearity != "tanh":
        unusual.append(f"nonlinearity={module.nonlinearity!r}")
    if unusual:
        raise ArgumentError(
            f"{operation}: a torch.nn.{type(module).__name__} must have no projection and tanh, "
            f"got {', '.join(unusual)}; that is another recurrence"
        )
    weights = {name: tensor.detach().cpu() for name, tensor in module.named_parameters()}
    for name, tensor in weights.items():
        if tensor.dtype not in (torch.float32, torch.float64):  # NumPy has no bfloat16
            raise DTypeError(
                f"{operation}: {name} must be float32 or float64, got {tensor.dtype}; use .float()"
            )
    arrays = {name: tensor.numpy() for name, tensor in weights.items()}
    if not module.bias:
        names = [name.replace("weight", "bias") for name in arrays]
        zeros = np.zeros(BLOCKS[cell] * module.hidden_size, arrays["weight_ih_l0"].dtype)
        arrays |= {name: zeros for name in names}
    layers = convert_model(arrays, "pytorch", "here", cell=cell)
    return Weights(
        cell,
        [[layer] if isinstance(layer, dict) else layer for layer in layers],
        time_first=not module.batch_first,
    )


def read_keras(operation: str, layer: Any) -> Weights:
    """Weights of a keras.layers.LSTM, GRU or SimpleRNN, or of a Bidirectional of one, on any
    backend; see `read_weights`.
    """
    keras = sys.modules["keras"]
    kinds = {keras.layers.LSTM: "lstm", keras.layers.GRU: "gru", keras.layers.SimpleRNN: "rnn"}
    if isinstance(layer, keras.layers.Bidirectional):
        there, back = (
            _read_one(operation, part, kinds, k == 1) for k, part in enumerate(_parts(layer))
        )
        if there[:2] != back[:2]:
            raise ArgumentError(
                f"{operation}: both directions must be of one kind, got {there[:2]} and {back[:2]}"
            )
        return Weights(there[0], [[there[2], back[2]]], there[1])
    if not isinstance(layer, tuple(kinds)):
        recurrent = (*kinds, keras.layers.Bidirectional)
        inside = [sub.name for sub in getattr(layer, "layers", []) if isinstance(sub, recurrent)]
        found = [f"model.get_layer({name!r})" for name in inside]
        _refuse(operation, layer, found, "keras.layers.LSTM, GRU or SimpleRNN")
    cell, reset, params = _read_one(operation, layer, kinds, False)
    return Weights(cell, [[params]], reset)


def _parts(layer: Any) -> tuple[Any, Any]:
    return layer.forward_layer, layer.backward_layer


def _read_one(
    operation: str, layer: Any, kinds: dict[Any, str], backwards: bool
) -> tuple[str, str, Params]:
    """Cell, reset and weights of a layer of one direction."""
    keras = sys.modules["keras"]
    cell = next((kinds[kind] for kind in kinds if isinstance(layer, kind)), None)
    if cell is None:
        _refuse(operation, layer, [], "keras.layers.LSTM, GRU or SimpleRNN")
    usual = {"activation": "tanh"} | ({} if cell == "rnn" else {"recurrent_activation": "sigmoid"})
    unusual = []
    for name, expected in usual.items():
        activation = getattr(layer, name)
        if activation is not getattr(keras.activations, expected):
            unusual.append(f"{name}={getattr(activation, '__name__', activation)}")
    if layer.go_backwards != backwards:
        unusual.append(f"go_backwards={layer.go_backwards}")
    if unusual:
        raise ArgumentError(
            f"{operation}: a keras.layers.{type(layer).__name__} must have "
            f"{', '.join(usual.values())} and run {'backwards' if backwards else 'forwards'}, got "
            f"{', '.join(unusual)}; that is another recurrence"
        )
    if not layer.built:
        raise ArgumentError(
            f"{operation}: the layer {layer.name!r} has no weights yet; call the model on some "
            "input first, or layer.build(shape)"
        )
    arrays = list(layer.get_weights())
    reset = "before" if cell == "gru" and not layer.reset_after else "after"
    if not layer.use_bias:
        size = BLOCKS[cell] * layer.units
        arrays.append(
            np.zeros((2, size) if (cell, reset) == ("gru", "after") else size, arrays[0].dtype)
        )
    return cell, reset, convert(arrays, "keras", "here", cell=cell, reset=reset)


def _one_on_another(operation: str, parts: list[Weights]) -> Weights:
    kinds = {(part.cell, part.reset) for part in parts}
    if len(kinds) > 1:
        raise ArgumentError(f"{operation}: all layers must be of one kind, got {sorted(kinds)}")
    first = parts[0]
    layers = [layer for part in parts for layer in part.layers]
    convert_model(
        layers, "here", "here", cell=first.cell, reset=first.reset
    )  # checks that each reads what the last writes
    return Weights(first.cell, layers, first.reset)


def _check_names(operation: str, layers: Sequence[Any]) -> None:
    """Each layer, in each direction, must be a dict that holds Wx, Wh and b."""
    for params in (
        params for layer in layers for params in (layer if isinstance(layer, Sequence) else [layer])
    ):
        missing = [
            name
            for name in ("Wx", "Wh", "b")
            if not isinstance(params, Mapping) or name not in params
        ]
        if missing:
            got = (
                ", ".join(map(str, params))
                if isinstance(params, Mapping)
                else type(params).__name__
            )
            raise ArgumentError(
                f"{operation}: a dict must hold Wx, Wh and b, got {got or 'nothing'}; "
                "convert(params, source, 'here') brings other dialects here"
            )


def _kind_of(first: Mapping[str, Any]) -> tuple[str, str]:
    """Cell and place of a GRU's reset gate, by the shape of Wh: four blocks of H columns, three or
    one.
    """
    Wh = np.asarray(first["Wh"])
    cell = next(
        (name for name, k in BLOCKS.items() if Wh.ndim == 2 and Wh.shape[1] == k * Wh.shape[0]),
        "lstm",
    )
    return cell, "before" if cell == "gru" and "bh" not in first else "after"


def _read_dicts(operation: str, model: Sequence[Any]) -> Weights:
    layers = [[layer] if isinstance(layer, Mapping) else layer for layer in model]
    _check_names(operation, layers)
    cell, reset = _kind_of(layers[0][0])
    k = BLOCKS[cell]
    axes = {
        "Wx": f"D {k}H" if k > 1 else "D H",
        "Wh": f"H {k}H" if k > 1 else "H H",
        "b": f"{k}H" if k > 1 else "H",
    }
    names = (*axes, "bh") if (cell, reset) == ("gru", "after") else tuple(axes)
    ours = [
        [{name: np.asarray(params[name]) for name in names if name in params} for params in layer]
        for layer in layers
    ]
    # convert_model checks again, but it would put its own name in front of the message.
    for params in (params for layer in ours for params in layer):
        check_arrays(operation, {}, **{name: (params[name], axes[name]) for name in axes})
    converted = convert_model(ours, "here", "here", cell=cell, reset=reset)
    ours = [[layer] if isinstance(layer, dict) else layer for layer in converted]
    return Weights(cell, ours, reset)


def _refuse(operation: str, model: Any, found: list[str], wanted: str) -> NoReturn:
    advice = (
        f"; pass {' or '.join(found)} and what it receives"
        if found
        else f", with no {wanted.split(',')[0]} in it"
    )
    raise ArgumentError(
        f"{operation}: model must be a {wanted} itself, got {type(model).__name__}{advice}"
    )

"""What every gate did at every step: the same six arrays from a NumPy, a PyTorch or a Keras model."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from lstm_ref.convert import convert
from lstm_ref.errors import ArgumentError, Array, DTypeError, ShapeError, check_arrays
from lstm_ref.sequence import lstm_forward


class GateTrace(NamedTuple):
    """Gates and states by example, time step and unit, each (N, T, H). ``c[:, t]`` and ``h[:, t]`` are those after step t."""

    i: Array
    f: Array
    g: Array
    o: Array
    c: Array
    h: Array


def trace(model: Any, x: Any, h0: Any = None, c0: Any = None) -> GateTrace:
    """Run a model over x and keep what its gates did. The model stays as it was, and dropout is off.

    The frameworks do not give their gates away. So the weights are read and the sequence is run again by `lstm_forward`, in
    the dtype of the weights.

    Parameters
    ----------
    model : a dict with Wx (D, 4H), Wh (H, 4H), b (4H,), more entries do no harm; or a ``torch.nn.LSTM`` with one layer and
        one direction; or a ``keras.layers.LSTM`` with the usual activations
    x : (N, T, D), array or tensor of floats: what the LSTM itself receives. A ``torch.nn.LSTM`` without ``batch_first``
        takes (T, N, D), as when it is called
    h0, c0 : (N, H), or (1, N, H) as PyTorch has it; zeros if not given, also for a stateful Keras layer

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
    params, time_first = _read(model)
    dtype = params["Wx"].dtype
    x = _array("x", x, dtype)
    if x.ndim != 3:
        axes = "(T, N, D)" if time_first else "(N, T, D)"
        raise ShapeError(f"trace: x must be {axes}, got {x.shape}; a single example goes in as a batch of one")
    x = x.swapaxes(0, 1) if time_first else x
    N, H = x.shape[0], len(params["Wh"])
    states = {}
    for name, state in {"h0": h0, "c0": c0}.items():
        array = np.zeros((N, H), dtype) if state is None else _array(name, state, dtype)
        states[name] = array[0] if array.ndim == 3 and len(array) == 1 else array
    # lstm_forward checks again, but it would put its own name in front of the message.
    named = {"x": (x, "N T D"), "h0": (states["h0"], "N H"), "c0": (states["c0"], "N H")}
    weights = {"Wx": (params["Wx"], "D 4H"), "Wh": (params["Wh"], "H 4H"), "b": (params["b"], "4H")}
    check_arrays("trace", {}, **weights, **named)

    h, _, cache = lstm_forward(x, states["h0"], states["c0"], params["Wx"], params["Wh"], params["b"])
    i, f, g, o = (gate.swapaxes(0, 1).copy() for gate in np.split(cache.gates, 4, axis=-1))
    return GateTrace(i, f, g, o, cache.c[1:].swapaxes(0, 1).copy(), h)


def _read(model: Any) -> tuple[dict[str, Array], bool]:
    """Our weights of the model, and whether it takes the time axis first."""
    if isinstance(model, Mapping):
        missing = [name for name in ("Wx", "Wh", "b") if name not in model]
        if missing:
            raise ArgumentError(
                f"trace: a dict must hold Wx, Wh and b, got {', '.join(map(str, model)) or 'nothing'}; "
                "convert(params, source, 'here') brings other dialects here"
            )
        return {name: np.asarray(model[name]) for name in ("Wx", "Wh", "b")}, False
    # A model of a framework can only exist where the framework is imported already.
    torch, keras = sys.modules.get("torch"), sys.modules.get("keras")
    if torch is not None and isinstance(model, torch.nn.Module):
        return _read_torch(model, torch), not getattr(model, "batch_first", True)
    if keras is not None and isinstance(model, keras.layers.Layer):
        return _read_keras(model, keras), False
    raise ArgumentError(
        "trace: model must be a dict of Wx, Wh and b, a torch.nn.LSTM or a keras.layers.LSTM, "
        f"got {type(model).__name__}"
    )


def _read_torch(model: Any, torch: Any) -> dict[str, Array]:
    if not isinstance(model, torch.nn.LSTM):
        inside = [name for name, module in model.named_modules() if isinstance(module, torch.nn.LSTM)]
        _refuse_container(model, [f"model.{name}" for name in inside], "torch.nn.LSTM")
    found = []
    if model.num_layers != 1:
        found.append(f"num_layers={model.num_layers}")
    if model.bidirectional:
        found.append("bidirectional=True")
    if model.proj_size:
        found.append(f"proj_size={model.proj_size}")
    if found:
        raise ArgumentError(f"trace: a torch.nn.LSTM must have one layer, one direction and no projection, got {found}")
    weights = {name: parameter.detach().cpu() for name, parameter in model.named_parameters()}
    for name, tensor in weights.items():
        if tensor.dtype not in (torch.float32, torch.float64):
            raise DTypeError(f"trace: {name} must be float32 or float64, got {tensor.dtype}; use model.float()")
    params = {name: tensor.numpy() for name, tensor in weights.items()}
    if not model.bias:
        none = np.zeros(4 * model.hidden_size, params["weight_ih_l0"].dtype)
        params |= {"bias_ih_l0": none, "bias_hh_l0": none}
    return convert(params, "pytorch", "here")


def _read_keras(layer: Any, keras: Any) -> dict[str, Array]:
    if not isinstance(layer, keras.layers.LSTM):
        if isinstance(layer, keras.layers.Bidirectional):
            raise ArgumentError("trace: a keras LSTM must have one direction, got Bidirectional; pass .forward_layer")
        found = [
            f"model.get_layer({sub.name!r})"
            for sub in getattr(layer, "layers", [])
            if isinstance(sub, keras.layers.LSTM)
        ]
        _refuse_container(layer, found, "keras.layers.LSTM")
    unusual = []
    for name, usual in {"activation": "tanh", "recurrent_activation": "sigmoid"}.items():
        activation = getattr(layer, name)
        if activation is not getattr(keras.activations, usual):
            unusual.append(f"{name}={getattr(activation, '__name__', activation)}")
    if layer.go_backwards:
        unusual.append("go_backwards=True")
    if unusual:
        raise ArgumentError(
            f"trace: a keras LSTM must have tanh, sigmoid and run forwards, got {unusual}; that is another recurrence"
        )
    if not layer.built:
        raise ArgumentError(
            f"trace: the layer {layer.name!r} has no weights yet; call the model on some input first, or layer.build(shape)"
        )
    arrays = list(layer.get_weights())
    if not layer.use_bias:
        arrays.append(np.zeros(4 * layer.units, arrays[0].dtype))
    return convert(arrays, "keras", "here")


def _refuse_container(model: Any, found: list[str], wanted: str) -> None:
    advice = f"; pass {' or '.join(found)} and what it receives as x" if found else f", with no {wanted} in it"
    raise ArgumentError(f"trace: model must be a {wanted} itself, got {type(model).__name__}{advice}")


def _array(name: str, value: Any, dtype: Any) -> Array:
    """A NumPy array of ``dtype`` from an array, a list or a tensor of either framework."""
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(value, torch.Tensor):
        value = value.detach().cpu()
    try:
        array = np.asarray(value)
    except (TypeError, ValueError) as wrong:
        raise DTypeError(f"trace: {name} must be an array of floats, got {type(value).__name__}: {wrong}") from wrong
    if array.dtype.kind != "f":
        raise DTypeError(
            f"trace: {name} must hold floats, got {array.dtype}; it is what the LSTM itself receives, "
            "after the embedding or the one-hot encoding"
        )
    return array.astype(dtype)

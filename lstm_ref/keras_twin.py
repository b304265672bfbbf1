"""The LSTM in Keras on TensorFlow twice: from the equations, for a GradientTape, and as keras.layers.LSTM.

Both compute what `lstm_ref.cell` and `lstm_ref.sequence` compute, from the same weights.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from lstm_ref.convert import convert
from lstm_ref.errors import ArgumentError, Array, DTypeError, MissingPackageError

try:
    import keras
    import tensorflow as tf
    from tensorflow import Tensor
except ImportError as error:
    raise MissingPackageError(
        "lstm_ref.keras_twin needs Keras on TensorFlow, which is not installed; "
        "run: pip install 'inside-the-lstm[tensorflow]'"
    ) from error


def lstm_step_keras(
    x: Tensor, h_prev: Tensor, c_prev: Tensor, Wx: Tensor, Wh: Tensor, b: Tensor
) -> tuple[Tensor, Tensor]:
    """One step forward, as `lstm_ref.lstm_step`; a GradientTape keeps what the step backward needs.

    Parameters
    ----------
    x : (N, D)
    h_prev, c_prev : (N, H)
    Wx : (D, 4H), blocks in the order i, f, g, o
    Wh : (H, 4H)
    b : (4H,)

    Returns
    -------
    h, c : (N, H)

    Examples
    --------
    >>> h, c = lstm_step_keras(tf.ones((2, 3)), tf.zeros((2, 4)), tf.ones((2, 4)),
    ...                        tf.zeros((3, 16)), tf.zeros((4, 16)), tf.zeros(16))
    >>> float(c[0, 0])  # all gates are half open: half of the old cell state is kept
    0.5
    """
    a = x @ Wx + h_prev @ Wh + b
    a_i, a_f, a_g, a_o = tf.split(a, 4, axis=1)
    i, f, o = tf.sigmoid(a_i), tf.sigmoid(a_f), tf.sigmoid(a_o)
    g = tf.tanh(a_g)
    c = f * c_prev + i * g
    h = o * tf.tanh(c)
    return h, c


def lstm_forward_keras(
    x: Tensor, h0: Tensor, c0: Tensor, Wx: Tensor, Wh: Tensor, b: Tensor
) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    """All time steps forward, as `lstm_ref.lstm_forward`.

    Parameters
    ----------
    x : (N, T, D)
    h0, c0 : (N, H)
    Wx : (D, 4H), blocks in the order i, f, g, o
    Wh : (H, 4H)
    b : (4H,)

    Returns
    -------
    h : (N, T, H), the hidden state after every step
    (hT, cT) : each (N, H), the state after the last step
    """
    h, c = h0, c0
    steps = []
    for x_t in tf.unstack(x, axis=1):
        h, c = lstm_step_keras(x_t, h, c, Wx, Wh, b)
        steps.append(h)
    return tf.stack(steps, axis=1), (h, c)


def keras_lstm(params: Mapping[str, Array], dtype: str | None = None, **options: Any) -> keras.layers.LSTM:
    """A keras.layers.LSTM with our weights, built.

    Parameters
    ----------
    params : {"Wx": (D, 4H), "Wh": (H, 4H), "b": (4H,)}
    dtype : "float32" or "float64"; None means that of the params
    options : for keras.layers.LSTM; ``return_sequences`` and ``return_state`` are on unless given

    Returns
    -------
    lstm : keras.layers.LSTM. ``lstm(x, initial_state=[h0, c0])`` takes x (N, T, D) and gives h (N, T, H), hT and cT, each (N, H)

    Raises
    ------
    ArgumentError, ShapeError, DTypeError, NotFiniteError : an argument that does not fit, by name

    Examples
    --------
    >>> lstm = keras_lstm({"Wx": np.zeros((3, 8)), "Wh": np.zeros((2, 8)), "b": np.zeros(8)})
    >>> lstm.units, lstm.cell.kernel.dtype
    (2, 'float64')
    """
    if keras.backend.backend() != "tensorflow":
        raise ArgumentError(
            f"keras_lstm: Keras must run on TensorFlow, it runs on {keras.backend.backend()}; set the environment variable "
            "KERAS_BACKEND=tensorflow before Keras is imported"
        )
    weights = list(convert(params, "here", "keras").values())
    dtype = str(weights[0].dtype) if dtype is None else dtype
    if dtype not in ("float32", "float64"):
        raise DTypeError(f'keras_lstm: dtype must be "float32" or "float64", got {dtype!r}')
    D, H = weights[0].shape[0], weights[1].shape[0]
    lstm = keras.layers.LSTM(H, dtype=dtype, **{"return_sequences": True, "return_state": True, **options})
    lstm.build((None, None, D))
    lstm.set_weights(weights)
    return lstm


def params_from_keras(lstm: keras.layers.LSTM) -> dict[str, Array]:
    """Our weights of a keras.layers.LSTM: the way back from `keras_lstm`.

    Parameters
    ----------
    lstm : keras.layers.LSTM, built, with or without bias; forward in time, with tanh and sigmoid as in the equations

    Returns
    -------
    params : {"Wx": (D, 4H), "Wh": (H, 4H), "b": (4H,)}, copies

    Raises
    ------
    ArgumentError : another layer, or one that is not built yet
    DTypeError : weights that are neither float32 nor float64
    NotFiniteError : weights that hold NaN or infinity

    Examples
    --------
    >>> layer = keras.layers.LSTM(2)
    >>> layer.build((None, None, 3))
    >>> {name: array.shape for name, array in params_from_keras(layer).items()}
    {'Wx': (3, 8), 'Wh': (2, 8), 'b': (8,)}
    """
    if not isinstance(lstm, keras.layers.LSTM):
        raise ArgumentError(f"params_from_keras: lstm must be a keras.layers.LSTM, got {type(lstm).__name__}")
    if not lstm.built:
        raise ArgumentError("params_from_keras: lstm must be built, it has no weights yet; call it on a batch first")
    activations = (lstm.activation, lstm.recurrent_activation)
    if activations != (keras.activations.tanh, keras.activations.sigmoid) or lstm.go_backwards:
        raise ArgumentError(
            "params_from_keras: lstm must have activation tanh, recurrent_activation sigmoid and go_backwards off, got "
            f"{activations[0].__name__}, {activations[1].__name__} and {lstm.go_backwards}; with the same weights, "
            "lstm_forward would give other numbers"
        )
    weights = list(lstm.get_weights())
    if not lstm.use_bias:
        weights.append(np.zeros(4 * lstm.units, weights[0].dtype))
    return convert(weights, "keras", "here")

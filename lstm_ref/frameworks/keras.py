"""The LSTM in Keras on TensorFlow twice: from the equations, for a GradientTape, and as
keras.layers.LSTM. The GRU, too.

Both compute what `lstm_ref.cell`, `lstm_ref.sequence`, `lstm_ref.layers` and `lstm_ref.gru`
compute, from the same weights.

    from the equations     lstm_step_keras, lstm_forward_keras, deep_forward_keras;
                           gru_step_keras, gru_forward_keras
    the layers of Keras    keras_lstm and keras_gru make one, or a stack of them, of our weights,
                           run_keras runs it over a batch, masked or not, params_from_keras takes
                           the weights back

TensorFlow runs all of it on a GPU where it finds one. Mixed precision is a policy of the layer:
``dtype="mixed_bfloat16"``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast, overload

from lstm_ref.errors import ArgumentError, Array, DTypeError, MissingPackageError, ShapeError
from lstm_ref.frameworks.convert import convert_model
from lstm_ref.frameworks.weights import Model, read_keras, read_weights

try:
    import keras
    import tensorflow as tf
    from tensorflow import Tensor
except ImportError as error:
    raise MissingPackageError(
        "lstm_ref.keras needs Keras on TensorFlow, which is not installed; run: pip install "
        "'inside-the-lstm[tensorflow]'"
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
    >>> h, c = lstm_step_keras(
    ...     tf.ones((2, 3)),
    ...     tf.zeros((2, 4)),
    ...     tf.ones((2, 4)),
    ...     tf.zeros((3, 16)),
    ...     tf.zeros((4, 16)),
    ...     tf.zeros(16),
    ... )
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
    x: Tensor,
    h0: Tensor,
    c0: Tensor,
    Wx: Tensor,
    Wh: Tensor,
    b: Tensor,
    *,
    mask: Tensor | None = None,
    reverse: bool = False,
) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    """All time steps forward, as `lstm_ref.lstm_forward`, and with a mask as
    `lstm_ref.masked_lstm_forward`.

    Parameters
    ----------
    x : (N, T, D)
    h0, c0 : (N, H)
    Wx : (D, 4H), blocks in the order i, f, g, o
    Wh : (H, 4H)
    b : (4H,)
    mask : (N, T) of bool, True at valid steps: the state passes a masked step unchanged, and the
        output there is 0
    reverse : from the last step to the first. The output of step t stands at t all the same

    Returns
    -------
    h : (N, T, H), the hidden state after every step
    (hT, cT) : each (N, H), the state after the last step that was taken
    """
    h, c = h0, c0
    steps = []
    for t in _times(x, reverse):
        h_new, c_new = lstm_step_keras(x[:, t], h, c, Wx, Wh, b)
        out, (h, c) = _choose(mask, t, (h_new, c_new), (h, c))
        steps.append(out)
    return tf.stack(steps[::-1] if reverse else steps, axis=1), (h, c)


def deep_forward_keras(
    x: Tensor,
    h0: Tensor,
    c0: Tensor | None,
    layers: Sequence[Any],
    *,
    mask: Tensor | None = None,
) -> tuple[Tensor, tuple[Tensor, Tensor | None]]:
    """Several layers, one on another, each of one direction or of two: `lstm_ref.stacked_forward`
    and `bidirectional_forward`.

    Parameters
    ----------
    x : (N, T, D)
    h0, c0 : (S, N, H), one state for each layer and direction: first layer forward, first layer
        reverse, second layer forward, ... c0 is None where the layers are GRUs
    layers : for each layer, the lowest first, a dict of tensors {"Wx", "Wh", "b"}, or a list of
        two, forward and reverse; with a "bh" for a GRU whose reset gate acts after the product
    mask : (N, T) of bool, True at valid steps

    Returns
    -------
    h : (N, T, H) or, where the last layer has two directions, (N, T, 2H)
    (hT, cT) : each (S, N, H); cT is None where c0 is

    Examples
    --------
    >>> one = {"Wx": tf.ones((3, 8)), "Wh": tf.ones((2, 8)), "b": tf.zeros(8)}
    >>> state = tf.zeros((2, 1, 2))
    >>> h, (hT, cT) = deep_forward_keras(tf.ones((1, 5, 3)), state, state, [[one, one]])
    >>> h.shape, hT.shape
    (TensorShape([1, 5, 4]), TensorShape([2, 1, 2]))
    """
    states: list[Any] = []
    for layer in layers:
        outputs = []
        for side, params in enumerate([layer] if isinstance(layer, Mapping) else layer):
            k, reverse = len(states), side == 1
            state: Any
            if c0 is None:
                reset = "after" if "bh" in params else "before"
                out, state = gru_forward_keras(
                    x, h0[k], **params, reset=reset, mask=mask, reverse=reverse
                )
            else:
                out, state = lstm_forward_keras(
                    x, h0[k], c0[k], **params, mask=mask, reverse=reverse
                )
            outputs.append(out)
            states.append(state)
        x = tf.concat(outputs, axis=2)
    if c0 is None:
        return x, (tf.stack(states), None)
    hT, cT = (tf.stack(parts) for parts in zip(*states, strict=True))
    return x, (hT, cT)


def gru_step_keras(
    x: Tensor,
    h_prev: Tensor,
    Wx: Tensor,
    Wh: Tensor,
    b: Tensor,
    bh: Tensor | None = None,
    *,
    reset: str = "after",
) -> Tensor:
    """One step of a GRU forward, as `lstm_ref.gru_step`.

    Parameters
    ----------
    x : (N, D)
    h_prev : (N, H)
    Wx : (D, 3H), blocks in the order r, z, n
    Wh : (H, 3H)
    b : (3H,)
    bh : (H,), recurrent bias of the candidate where reset is "after"; None where it is "before"
    reset : "after" or "before" the product with Wh_n

    Returns
    -------
    h : (N, H)

    Examples
    --------
    >>> h = gru_step_keras(
    ...     tf.ones((2, 3)),
    ...     tf.ones((2, 4)),
    ...     tf.zeros((3, 12)),
    ...     tf.zeros((4, 12)),
    ...     tf.zeros(12),
    ...     tf.zeros(4),
    ... )
    >>> float(h[0, 0])  # half of the old state is kept, and the candidate is 0
    0.5
    """
    if (reset == "after") != (bh is not None):
        raise ArgumentError(
            'gru_step_keras: bh must be there with reset="after" and only then, got '
            f"reset={reset!r}"
        )
    a_r, a_z, a_n = tf.split(x @ Wx + b, 3, axis=1)
    Wh_r, Wh_z, Wh_n = tf.split(Wh, 3, axis=1)
    r = tf.sigmoid(a_r + h_prev @ Wh_r)
    z = tf.sigmoid(a_z + h_prev @ Wh_z)
    n = tf.tanh(a_n + (r * h_prev) @ Wh_n if bh is None else a_n + r * (h_prev @ Wh_n + bh))
    return (1 - z) * n + z * h_prev


def gru_forward_keras(
    x: Tensor,
    h0: Tensor,
    Wx: Tensor,
    Wh: Tensor,
    b: Tensor,
    bh: Tensor | None = None,
    *,
    reset: str = "after",
    mask: Tensor | None = None,
    reverse: bool = False,
) -> tuple[Tensor, Tensor]:
    """All time steps of a GRU forward, as `lstm_ref.gru_forward`.

    Parameters
    ----------
    x : (N, T, D)
    h0 : (N, H), the state before the first step that is taken
    Wx, Wh, b, bh, reset : as `gru_step_keras` takes them
    mask : (N, T), True at valid steps; elsewhere the state stays and the output is 0. None means
        that all are
    reverse : from the last step to the first; outputs stand at the time of their inputs

    Returns
    -------
    h : (N, T, H)
    hT : (N, H)
    """
    h = h0
    steps = []
    for t in _times(x, reverse):
        out, (h,) = _choose(
            mask, t, (gru_step_keras(x[:, t], h, Wx, Wh, b, bh, reset=reset),), (h,)
        )
        steps.append(out)
    return tf.stack(steps[::-1] if reverse else steps, axis=1), h


def _times(x: Tensor, reverse: bool) -> range:
    T = x.shape[1]
    return range(T - 1, -1, -1) if reverse else range(T)


def _choose(
    mask: Tensor | None, t: int, new: tuple[Tensor, ...], old: tuple[Tensor, ...]
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Output and state of step t: the new ones where it is valid, else 0 and the old state."""
    if mask is None:
        return new[0], new
    valid = mask[:, t, tf.newaxis]
    return tf.where(valid, new[0], 0), tuple(
        tf.where(valid, n, o) for n, o in zip(new, old, strict=True)
    )


# --- The layers of Keras
# --------------------------------------------------------------------------------------------------


@overload
def keras_lstm(
    params: Mapping[str, Array], dtype: str | None = None, **options: Any
) -> keras.layers.LSTM: ...
@overload
def keras_lstm(
    params: Sequence[Any], dtype: str | None = None, **options: Any
) -> list[keras.layers.Layer]: ...
def keras_lstm(params: Any, dtype: str | None = None, **options: Any) -> Any:
    """A keras.layers.LSTM with our weights, built; or a list of layers, one on another, of one
    direction or of two.

    Parameters
    ----------
    params : {"Wx": (D, 4H), "Wh": (H, 4H), "b": (4H,)}; or a list with one such dict a layer, or
        with a list of two, forward and reverse, for a layer of two directions
    dtype : "float32" or "float64"; None means that of the params. Mixed precision: "mixed_bfloat16"
        or "mixed_float16", where the weights are float32 and the products are not
    options : for keras.layers.LSTM; ``return_sequences`` and ``return_state`` are on unless given

    Returns
    -------
    lstm : keras.layers.LSTM. ``lstm(x, initial_state=[h0, c0])`` takes x (N, T, D) and gives h (N,
        T, H), hT and cT, each (N, H). For a list: a list of LSTM, or of Bidirectional where there
        are two directions; `run_keras` runs one after another

    Raises
    ------
    ArgumentError, ShapeError, DTypeError, NotFiniteError : an argument that does not fit, by name

    Notes
    -----
    On a GPU, cuDNN takes padding after the data only: for another mask give ``use_cudnn=False``.

    Examples
    --------
    >>> import numpy as np
    >>> params = {"Wx": np.zeros((3, 8)), "Wh": np.zeros((2, 8)), "b": np.zeros(8)}
    >>> lstm = keras_lstm(params)
    >>> lstm.units, lstm.cell.kernel.dtype
    (2, 'float64')
    >>> [type(layer).__name__ for layer in keras_lstm([[params, params]])]
    ['Bidirectional']
    """
    return _layers("keras_lstm", keras.layers.LSTM, params, dtype, "lstm", "after", options)


@overload
def keras_gru(
    params: Mapping[str, Array], dtype: str | None = None, *, reset: str = "after", **options: Any
) -> keras.layers.GRU: ...
@overload
def keras_gru(
    params: Sequence[Any], dtype: str | None = None, *, reset: str = "after", **options: Any
) -> list[keras.layers.Layer]: ...
def keras_gru(
    params: Any, dtype: str | None = None, *, reset: str = "after", **options: Any
) -> Any:
    """A keras.layers.GRU with our weights, built; or a list of layers.

    With ``reset="after"`` Keras has a second bias for all gates, of which only the block of n is
    our bh. The others start at zero, but Keras trains them, too: in training, b_r and b_z move
    twice as far in a step as ours.

    Parameters
    ----------
    params : {"Wx": (D, 3H), "Wh": (H, 3H), "b": (3H,)}, and "bh": (H,) where reset is "after"; or a
        list as of `keras_lstm`
    reset : where the reset gate acts, "after" or "before" the product
    dtype, options : as of `keras_lstm`

    Returns
    -------
    gru : keras.layers.GRU. ``gru(x, initial_state=h0)`` gives h and hT. For a list: a list of GRU
        or Bidirectional

    Raises
    ------
    ArgumentError, ShapeError, DTypeError, NotFiniteError : an argument that does not fit, by name

    Examples
    --------
    >>> import numpy as np
    >>> gru = keras_gru(
    ...     {"Wx": np.zeros((3, 6)), "Wh": np.zeros((2, 6)), "b": np.zeros(6)}, reset="before"
    ... )
    >>> gru.units, gru.reset_after
    (2, False)
    """
    options = {"reset_after": reset == "after", **options}
    return _layers("keras_gru", keras.layers.GRU, params, dtype, "gru", reset, options)


def run_keras(
    layers: Any, x: Tensor, state: Any = None, mask: Tensor | None = None
) -> tuple[Tensor, Any]:
    """A recurrent layer of Keras, or several, one on another, over a batch.

    Parameters
    ----------
    layers : a layer as `keras_lstm` or `keras_gru` makes it, or a list of them
    x : (N, T, D)
    state : (h0, c0) of LSTMs, h0 of GRUs, each (S, N, H), one for each layer and direction as of
        `deep_forward_keras`; zeros if not given
    mask : (N, T) of bool, True at valid steps

    Returns
    -------
    h : (N, T, H), or (N, T, 2H) for two directions; 0 at masked steps, whatever
        ``zero_output_for_mask`` of the layer
    state : (hT, cT) or hT, each (S, N, H): after the last valid step

    Raises
    ------
    ArgumentError, ShapeError : an argument that does not fit, by name

    Examples
    --------
    >>> import numpy as np
    >>> params = {"Wx": np.ones((3, 8)), "Wh": np.ones((2, 8)), "b": np.zeros(8)}
    >>> h, (hT, cT) = run_keras(keras_lstm([[params, params]]), tf.ones((1, 5, 3), tf.float64))
    >>> h.shape, hT.shape
    (TensorShape([1, 5, 4]), TensorShape([2, 1, 2]))
    """
    layers = [layers] if isinstance(layers, keras.layers.Layer) else list(layers)
    directions = [2 if isinstance(layer, keras.layers.Bidirectional) else 1 for layer in layers]
    for layer in layers:
        one = layer.forward_layer if isinstance(layer, keras.layers.Bidirectional) else layer
        if not getattr(one, "return_sequences", False) or not getattr(one, "return_state", False):
            raise ArgumentError(
                "run_keras: layers must be recurrent, with return_sequences and return_state, got "
                f"{type(one).__name__} {one.name!r}"
            )
    S, kinds = sum(directions), _state_kinds(layers[0])
    given = None if state is None else ([state] if kinds == 1 else list(state))
    if given is not None and [int(part.shape[0]) for part in given] != [S] * kinds:
        got = ", ".join(str(tuple(part.shape)) for part in given)
        raise ShapeError(
            f"run_keras: state must be {kinds} tensors ({S}, N, H), one for each layer and "
            f"direction, got {got}"
        )
    h, states, k = x, [], 0
    for layer, count in zip(layers, directions, strict=True):
        initial = (
            None if given is None else [part[j] for j in range(k, k + count) for part in given]
        )
        h, *last = layer(h, initial_state=initial, mask=mask)
        states += last
        k += count
        if mask is not None:
            h = tf.where(mask[:, :, tf.newaxis], h, tf.zeros((), h.dtype))
    final = tuple(tf.stack(states[j::kinds]) for j in range(kinds))
    return h, final if kinds == 2 else final[0]


def params_from_keras(layer: Any) -> Model:
    """Our weights of a Keras layer, or of several, one on another: the way back from `keras_lstm`
    and `keras_gru`.

    Parameters
    ----------
    layer : keras.layers.LSTM, GRU or SimpleRNN, or a Bidirectional of one, or a list of such
        layers; built, with or without bias; forward in time, with tanh and sigmoid as in the
        equations

    Returns
    -------
    params : {"Wx": (D, 4H), "Wh": (H, 4H), "b": (4H,)} for an LSTM; 3H and, where ``reset_after``
        is on, "bh" for a GRU; H for a SimpleRNN. For two directions or a list, the list that
        `keras_lstm` takes. Copies

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
    if isinstance(layer, keras.layers.Layer):
        return read_keras("params_from_keras", layer).model
    if (
        isinstance(layer, Sequence)
        and layer
        and all(isinstance(part, keras.layers.Layer) for part in layer)
    ):
        return read_weights("params_from_keras", layer).model
    raise ArgumentError(
        "params_from_keras: layer must be a recurrent layer of Keras, or a list of them, got "
        f"{type(layer).__name__}"
    )


def _state_kinds(layer: keras.layers.Layer) -> int:
    """2 for an LSTM, which has h and c, else 1."""
    one = layer.forward_layer if isinstance(layer, keras.layers.Bidirectional) else layer
    return 2 if isinstance(one, keras.layers.LSTM) else 1


def _layers(
    operation: str,
    kind: Any,
    params: Any,
    dtype: str | None,
    cell: str,
    reset: str,
    options: dict[str, Any],
) -> Any:
    """One layer for a dict, else a list."""
    if keras.backend.backend() != "tensorflow":
        raise ArgumentError(
            f"{operation}: Keras must run on TensorFlow, it runs on {keras.backend.backend()}; set "
            "the environment variable KERAS_BACKEND=tensorflow before Keras is imported"
        )
    weights = cast(
        list[list[Array]], convert_model(params, "here", "keras", cell=cell, reset=reset)
    )
    dtype = str(weights[0][0].dtype) if dtype is None else dtype
    if dtype not in ("float32", "float64", "mixed_bfloat16", "mixed_float16"):
        raise DTypeError(
            f'{operation}: dtype must be "float32", "float64", "mixed_bfloat16" or '
            f'"mixed_float16", got {dtype!r}'
        )
    layers = []
    for arrays in weights:
        D, H = arrays[0].shape[0], arrays[1].shape[0]
        layer = kind(H, dtype=dtype, **{"return_sequences": True, "return_state": True, **options})
        if len(arrays) == 6:
            layer = keras.layers.Bidirectional(layer, dtype=dtype)
        layer.build((None, None, D))
        layer.set_weights(arrays)
        layers.append(layer)
    return layers[0] if isinstance(params, Mapping) else layers

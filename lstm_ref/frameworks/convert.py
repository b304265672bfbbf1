"""Weights carried from one dialect to another. Gates are put into another order here and nowhere
else.

All dialects compute the same numbers. They differ in the order of the gates, in the layout of the
arrays, in the number of biases, and in the letter for the candidate, which is our g and elsewhere
c, C, z or a.

=========  =======================================  =======  ======================================
dialect    spoken by                                order    names and shapes
=========  =======================================  =======  ======================================
here       this course                              i f g o  Wx (D, 4H), Wh (H, 4H), b (4H,)
pytorch    torch.nn.LSTM; cuDNN                     i f g o  weight_ih_l0 (4H, D),
                                                             weight_hh_l0 (4H, H),
                                                             bias_ih_l0 (4H,), bias_hh_l0 (4H,)
keras      keras.layers.LSTM                        i f c o  kernel (D, 4H),
                                                             recurrent_kernel (H, 4H), bias (4H,)
onnx       the operator LSTM                        i o f c  W (1, 4H, D), R (1, 4H, H), B (1, 8H)
cs231n     CS231n, Karpathy                         i f o g  Wx (D, 4H), Wh (H, 4H), b (4H,)
dlfs2      Deep Learning from Scratch 2             f g i o  Wx (D, 4H), Wh (H, 4H), b (4H,)
chainer    chainer.links.LSTM; rows go unit by      a i f o  upward.W (4H, D), lateral.W (4H, H),
           unit, not gate by gate                            upward.b (4H,)
coursera   the Deep Learning Specialization;        -        Wf, Wi, Wc, Wo (H, H+D),
           columns are examples: Wf [h; x] + bf              bf, bi, bc, bo (H, 1)
seed       papers and blog posts: W_f [h, x] + b_f  -        W_f, W_i, W_C, W_o (H, H+D),
                                                             b_f, b_i, b_C, b_o (H,)
=========  =======================================  =======  ======================================

Two biases (pytorch, onnx) only ever appear as their sum, so reading adds them. Writing puts all of
b into the first and zeros into the second: the sum is then exact, where two halves would be
rounded.

A GRU (``cell="gru"``) has the order r z n here and in PyTorch, z r h in Keras and ONNX. Where the
reset gate acts after the product (``reset="after"``: PyTorch, ``reset_after=True`` in Keras,
``linear_before_reset=1`` in ONNX), the candidate n keeps a recurrent bias bh (H,) of its own, which
reading must not add; Keras then has bias (2, 3H). Where it acts before (``reset="before"``; PyTorch
has no such layer), there is no bh, and Keras has bias (3H,). A plain RNN (``cell="rnn"``) has one
block, Wx (D, H), Wh (H, H), b (H,), here and in the same four dialects, and in CS231n.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lstm_ref.errors import ArgumentError, Array, ShapeError, check_arrays, check_same_names

Params = dict[str, Array]
HERE = "ifgo"
HERE_GRU = "rzn"
HERE_RNN = "h"


@dataclass(frozen=True)
class Blocked:
    """A dialect that keeps the gates side by side in one array.

    ``shapes`` lists name -> axes by letter: the weights of x, those of h, then the biases. It says
    all about the layout: gates are along the rows where D stands last, a first axis of 1 is ONNX's
    for the directions, and what the biases hold beyond one number for each gate and unit is a
    second, recurrent bias.
    """

    order: str
    shapes: dict[str, str]
    here: str = HERE
    interleaved: bool = False  # unit by unit, all gates of a unit together
    # the recurrent bias of the last gate, in our order, is not added but kept as bh
    two: bool = False

    def read(self, params: Mapping[str, Array]) -> Params:
        """Weights of this dialect -> ours."""
        weights, recurrent, *biases = self.shapes
        Wx, Wh = (_matrix(params[name]) for name in (weights, recurrent))
        if self._transposed:
            Wx, Wh = Wx.T, Wh.T
        # one row for each bias
        b = np.concatenate([params[name].reshape(-1, Wx.shape[1]) for name in biases])
        Wx, Wh, b = (self._blocks(array, self.order, self.here) for array in (Wx, Wh, b))
        return {"Wx": Wx, "Wh": Wh, **self._one_bias(b)}

    def write(self, params: Params) -> Params:
        """Our weights -> this dialect's."""
        weights, recurrent, *biases = self.shapes
        H = len(params["Wh"])
        second = np.zeros_like(params["b"])
        if self.two:
            second[-H:] = params["bh"]
        arrays = params["Wx"], params["Wh"], np.stack([params["b"], second])
        Wx, Wh, b = (self._blocks(array, self.here, self.order) for array in arrays)
        if self._transposed:
            Wx, Wh = Wx.T, Wh.T
        converted = {weights: Wx, recurrent: Wh}
        if self.shapes[weights].startswith("1 "):
            converted = {name: array[np.newaxis] for name, array in converted.items()}
        numbers, start = b.ravel(), 0
        for name in biases:
            shape = [
                factor * (H if letter else 1)
                for factor, letter in map(_factor, self.shapes[name].split())
            ]
            stop = start + int(np.prod(shape))
            converted[name] = numbers[start:stop].reshape(shape)
            start = stop
        return converted

    @property
    def _transposed(self) -> bool:
        return next(iter(self.shapes.values())).endswith("D")

    def _blocks(self, array: Array, source: str, target: str) -> Array:
        """A new array, with the blocks of the last axis in the target's order."""
        k = len(source)
        if self.interleaved and source == self.order:
            array = array.reshape(*array.shape[:-1], -1, k).swapaxes(-1, -2).reshape(array.shape)
        blocks = dict(zip(source, np.split(array, k, axis=-1), strict=True))
        array = np.concatenate([blocks[gate] for gate in target], axis=-1)
        if self.interleaved and target == self.order:
            array = array.reshape(*array.shape[:-1], k, -1).swapaxes(-1, -2).reshape(array.shape)
        return array

    def _one_bias(self, rows: Array) -> Params:
        if len(rows) == 1:
            return {"b": rows[0]}
        first, second = rows
        # -0.0 + 0.0 would be 0.0: there and back is exact, bit by bit
        b = np.where(second == 0, first, first + second)
        if not self.two:
            return {"b": b}
        H = len(first) // len(self.order)
        return {"b": np.concatenate([b[:-H], first[-H:]]), "bh": second[-H:]}


@dataclass(frozen=True)
class Separate:
    """A dialect that gives each gate a matrix of its own, for h stacked on x."""

    weight: str  # name of a gate's weights, with a place for its letter
    bias: str
    letters: dict[str, str]  # our letter of a gate -> the dialect's
    column: bool = False  # biases are (H, 1), not (H,)

    @property
    def shapes(self) -> dict[str, str]:
        """Name -> axes by letter, in the order in which the dialect lists them."""
        bias = "H 1" if self.column else "H"
        pairs = [
            {self.weight.format(letter): "H H+D", self.bias.format(letter): bias}
            for letter in self.letters.values()
        ]
        return {name: axes for pair in pairs for name, axes in pair.items()}

    def read(self, params: Mapping[str, Array]) -> Params:
        """Weights of this dialect -> ours."""
        letters = [self.letters[gate] for gate in HERE]
        # (H+D, 4H)
        W = np.concatenate([params[self.weight.format(letter)].T for letter in letters], axis=1)
        b = np.concatenate([params[self.bias.format(letter)].reshape(-1) for letter in letters])
        H = len(b) // 4
        if len(W) <= H:
            raise ShapeError(
                f"convert: weights must be (H, H+D) with D at least 1, got {(H, len(W))}; there is "
                "no part for x"
            )
        return {"Wx": W[H:], "Wh": W[:H], "b": b}

    def write(self, params: Params) -> Params:
        """Our weights -> this dialect's."""
        W = np.concatenate([params["Wh"], params["Wx"]])  # h stands above x
        blocks = dict(zip(HERE, np.split(W, 4, axis=1), strict=True))
        biases = dict(zip(HERE, np.split(params["b"], 4), strict=True))
        converted: Params = {}
        for gate, letter in self.letters.items():
            converted[self.weight.format(letter)] = blocks[gate].T
            converted[self.bias.format(letter)] = (
                biases[gate].reshape(-1, 1) if self.column else biases[gate]
            )
        return converted


@dataclass(frozen=True)
class Here:
    """What everything is read into and written from."""

    order: str
    shapes: dict[str, str]

    def read(self, params: Mapping[str, Array]) -> Params:
        """The same arrays."""
        return dict(params)

    def write(self, params: Params) -> Params:
        """The same arrays."""
        return params


def _ours(axes: str) -> dict[str, str]:
    """Names as here, for dialects that differ in the order only."""
    return {"Wx": f"D {axes}", "Wh": f"H {axes}", "b": axes}


def _torch(axes: str) -> dict[str, str]:
    return {
        "weight_ih_l0": f"{axes} D",
        "weight_hh_l0": f"{axes} H",
        "bias_ih_l0": axes,
        "bias_hh_l0": axes,
    }


def _keras(axes: str, bias: str) -> dict[str, str]:
    return {"kernel": f"D {axes}", "recurrent_kernel": f"H {axes}", "bias": bias}


def _onnx(axes: str, bias: str) -> dict[str, str]:
    return {"W": f"1 {axes} D", "R": f"1 {axes} H", "B": f"1 {bias}"}


Dialect = Blocked | Separate | Here

DIALECTS: dict[str, Dialect] = {
    "here": Here(HERE, _ours("4H")),
    "pytorch": Blocked("ifgo", _torch("4H")),
    "keras": Blocked("ifgo", _keras("4H", "4H")),
    "onnx": Blocked("iofg", _onnx("4H", "8H")),
    "cs231n": Blocked("ifog", _ours("4H")),
    "dlfs2": Blocked("fgio", _ours("4H")),
    "chainer": Blocked(
        "gifo", {"upward.W": "4H D", "lateral.W": "4H H", "upward.b": "4H"}, interleaved=True
    ),
    "coursera": Separate("W{}", "b{}", {"f": "f", "i": "i", "g": "c", "o": "o"}, column=True),
    "seed": Separate("W_{}", "b_{}", {"f": "f", "i": "i", "g": "C", "o": "o"}),
}
GRU_AFTER_DIALECTS: dict[str, Dialect] = {
    "here": Here(HERE_GRU, {**_ours("3H"), "bh": "H"}),
    "pytorch": Blocked("rzn", _torch("3H"), HERE_GRU, two=True),
    "keras": Blocked("zrn", _keras("3H", "2 3H"), HERE_GRU, two=True),
    "onnx": Blocked("zrn", _onnx("3H", "6H"), HERE_GRU, two=True),
}
GRU_BEFORE_DIALECTS: dict[str, Dialect] = {
    "here": Here(HERE_GRU, _ours("3H")),
    "keras": Blocked("zrn", _keras("3H", "3H"), HERE_GRU),
    "onnx": Blocked("zrn", _onnx("3H", "6H"), HERE_GRU),
}
RNN_DIALECTS: dict[str, Dialect] = {
    "here": Here(HERE_RNN, _ours("H")),
    "pytorch": Blocked("h", _torch("H"), HERE_RNN),
    "keras": Blocked("h", _keras("H", "H"), HERE_RNN),
    "onnx": Blocked("h", _onnx("H", "2H"), HERE_RNN),
    "cs231n": Blocked("h", _ours("H"), HERE_RNN),
}


def convert(
    params: Mapping[str, Array] | Sequence[Array],
    source: str,
    target: str,
    *,
    cell: str = "lstm",
    reset: str = "after",
) -> Params:
    """Weights of one layer and one direction in one dialect -> in another. For more of them:
    `convert_model`.

    For weights, not for gradients: where a dialect has two biases, the gradient of each is the
    gradient of their sum.

    Parameters
    ----------
    params : name -> array with exactly the names of the source dialect (see above), or a list in
        the order of the table, as ``keras_layer.get_weights()`` gives it. A layer without bias:
        give zeros
    source, target : names in `DIALECTS`; for a GRU or an RNN fewer of them, see above
    cell : "lstm", "gru" or "rnn"
    reset : of a GRU, where its reset gate acts: "after" or "before" the product, as in
        `lstm_ref.gru_forward`

    Returns
    -------
    params : name -> new array, with the names of the target dialect, in the order of the table, and
        the dtype of the source

    Raises
    ------
    ArgumentError, ShapeError, DTypeError, NotFiniteError : an argument that does not fit, by name

    Examples
    --------
    >>> D, H = 1, 2
    >>> here = {"Wx": np.zeros((D, 4 * H)), "Wh": np.zeros((H, 4 * H)), "b": np.arange(8.0)}
    >>> convert(here, "here", "cs231n")["b"]
    array([0., 1., 2., 3., 6., 7., 4., 5.])
    >>> {name: array.shape for name, array in convert(here, "here", "onnx").items()}
    {'W': (1, 8, 1), 'R': (1, 8, 2), 'B': (1, 16)}
    >>> bool((convert(convert(here, "here", "onnx"), "onnx", "here")["b"] == here["b"]).all())
    True
    """
    table = _table("convert", source, target, cell, reset)
    return _convert("convert", params, source, target, table)


def convert_model(
    model: Any, source: str, target: str, *, cell: str = "lstm", reset: str = "after"
) -> Any:
    """Weights of a model of several layers, of one or two directions each, in one dialect -> in
    another.

    Parameters
    ----------
    model : as the source dialect keeps it; the lowest layer first, the forward direction before the
        reverse one

        - here, cs231n, dlfs2, chainer, coursera, seed: a list with one entry a layer: the dict of
          `convert`, or a list of two of them where the layer has two directions. As
          `lstm_ref.stacked_forward` takes a list of dicts, and `lstm_ref.bidirectional_forward` one
          of two
        - pytorch: ``state_dict()`` of a torch.nn.LSTM, from any device, or the same names with
          NumPy arrays: ``weight_ih_l0``, ..., ``weight_ih_l1_reverse``
        - keras: a list with ``get_weights()`` of each layer: 3 arrays, or 6 of a Bidirectional
        - onnx: a list with one dict a node, whose arrays have a first axis of 1 or 2, the
          directions
    source, target, cell, reset : as of `convert`

    Returns
    -------
    model : as the target dialect keeps it, new arrays

    Raises
    ------
    ArgumentError, ShapeError, DTypeError, NotFiniteError : an argument that does not fit, by layer
        and name

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> directions = [
    ...     {"Wx": rng.normal(size=(3, 8)), "Wh": rng.normal(size=(2, 8)), "b": np.zeros(8)}
    ...     for _ in range(2)
    ... ]
    >>> list(convert_model([directions], "here", "pytorch"))[3:6]
    ['bias_hh_l0', 'weight_ih_l0_reverse', 'weight_hh_l0_reverse']
    >>> [array.shape for array in convert_model([directions], "here", "keras")[0]]
    [(3, 8), (2, 8), (8,), (3, 8), (2, 8), (8,)]
    >>> convert_model([directions], "here", "onnx")[0]["W"].shape
    (2, 8, 3)

    From a module of PyTorch, of two layers, to Keras:

    >>> import torch
    >>> state = torch.nn.LSTM(3, 2, num_layers=2).state_dict()
    >>> [[array.shape for array in layer] for layer in convert_model(state, "pytorch", "keras")]
    [[(3, 8), (2, 8), (8,)], [(2, 8), (2, 8), (8,)]]
    """
    table = _table("convert_model", source, target, cell, reset)
    if not isinstance(model, Mapping | Sequence) or isinstance(model, str):
        raise ArgumentError(
            "convert_model: model must be a dict or a list, as its dialect has it, got "
            f"{type(model).__name__}"
        )
    layers = _SPREAD.get(source, _spread_dicts)(model, table[source])
    _check_directions(layers, target)
    here = [
        [
            _convert(f"convert_model: layer {k}{_SIDES[d]}", params, source, "here", table)
            for d, params in enumerate(layer)
        ]
        for k, layer in enumerate(layers)
    ]
    _check_widths(here)
    converted = [
        [_convert("convert_model", params, "here", target, table) for params in layer]
        for layer in here
    ]
    return _GATHER.get(target, _gather_dicts)(converted)


_SIDES = ("", ", reverse")


def _table(operation: str, source: str, target: str, cell: str, reset: str) -> dict[str, Dialect]:
    if cell not in ("lstm", "gru", "rnn"):
        raise ArgumentError(f'{operation}: cell must be "lstm", "gru" or "rnn", got {cell!r}')
    if reset not in ("after", "before"):
        raise ArgumentError(f'{operation}: reset must be "after" or "before", got {reset!r}')
    gru = GRU_AFTER_DIALECTS if reset == "after" else GRU_BEFORE_DIALECTS
    table = {"lstm": DIALECTS, "gru": gru, "rnn": RNN_DIALECTS}[cell]
    for argument, dialect in (("source", source), ("target", target)):
        if dialect not in table:
            what = {
                "lstm": "",
                "gru": f' for a GRU with reset="{reset}"',
                "rnn": " for a plain RNN",
            }[cell]
            raise ArgumentError(
                f"{operation}: {argument} must be one of {', '.join(table)}{what}, got {dialect!r}"
            )
    return table


def _convert(
    operation: str,
    params: Mapping[str, Array] | Sequence[Array],
    source: str,
    target: str,
    table: dict[str, Dialect],
) -> Params:
    shapes = table[source].shapes
    if not isinstance(params, Mapping):
        if len(params) != len(shapes):
            raise ArgumentError(
                f"{operation}: params must hold {len(shapes)} arrays, {', '.join(shapes)}, got "
                f"{len(params)}; for a layer without bias, add zeros"
            )
        params = dict(zip(shapes, params, strict=True))
    params = _in_numpy(params)
    _point_to_models(operation, source, shapes, params)
    check_same_names(f"{operation} from {source}", shapes, params=params)
    check_arrays(
        f"{operation} from {source}",
        {},
        **{name: (params[name], axes) for name, axes in shapes.items()},
    )
    converted = table[target].write(table[source].read(params))
    return {
        name: np.array(array, order="C") for name, array in converted.items()
    }  # no views: new arrays, row after row


def _point_to_models(
    operation: str, source: str, shapes: Mapping[str, str], params: Mapping[str, Array]
) -> None:
    """A state_dict of PyTorch that has all names of a layer and more, or lacks the biases: say what
    to do.
    """
    extra = [str(name) for name in params if name not in shapes]
    if operation == "convert" and source == "pytorch" and extra and set(shapes) <= set(params):
        raise ArgumentError(
            "convert from pytorch: params must be one layer of one direction, "
            f"{', '.join(shapes)}, got {', '.join(extra)} as well; use convert_model for several "
            "layers or two directions"
        )
    missing = [name for name in shapes if name not in params]
    if (
        source == "pytorch"
        and missing == [name for name in shapes if name.startswith("bias")]
        and not extra
    ):
        raise ArgumentError(
            f"{operation} from pytorch: params must have the names {', '.join(shapes)}; missing: "
            f"{', '.join(missing)}; for a layer without bias, add zeros"
        )


# --- Models: what each dialect makes of layers and directions
# --------------------------------------------------------------

Layers = list[list[Any]]  # by layer and direction, in the words that `convert` takes


def _spread_dicts(model: Any, dialect: Dialect) -> Layers:
    if isinstance(model, Mapping):
        return [[model]]
    return [[layer] if isinstance(layer, Mapping) else list(layer) for layer in model]


def _gather_dicts(layers: Layers) -> Any:
    return [layer[0] if len(layer) == 1 else layer for layer in layers]


def _in_numpy(state: Mapping[str, Any]) -> dict[str, Any]:
    """Tensors of a state_dict as arrays: copied from their device, without their graph. PyTorch is
    not imported for it.
    """
    return {
        name: value.detach().cpu().numpy() if hasattr(value, "detach") else value
        for name, value in state.items()
    }


_TORCH_NAME = re.compile(r"(weight_ih|weight_hh|bias_ih|bias_hh)_l(\d+)(_reverse)?")


def _spread_torch(model: Any, dialect: Dialect) -> Layers:
    found: dict[tuple[int, int], dict[str, Array]] = {}
    for name, array in _in_numpy(dict(model)).items():
        parts = _TORCH_NAME.fullmatch(str(name))
        if parts is None:
            raise ArgumentError(
                "convert_model from pytorch: names must be those of a recurrent layer without "
                f"projection, such as weight_ih_l0 or bias_hh_l1_reverse, got {name!r}; give the "
                "state_dict of that layer alone"
            )
        found.setdefault((int(parts[2]), parts[3] is not None), {})[f"{parts[1]}_l0"] = array
    directions = 1 + any(side for _, side in found)
    layers: Layers = []
    while any(layer == len(layers) for layer, _ in found):
        layers.append([found.pop((len(layers), side), {}) for side in range(directions)])
    if found or not layers:
        missing = f"_l{len(layers)}"
        raise ArgumentError(
            f"convert_model from pytorch: layers must be counted from 0 without a gap, {missing} "
            "is missing"
        )
    return layers


def _gather_torch(layers: Layers) -> Params:
    return {
        name.replace("_l0", f"_l{k}{('', '_reverse')[d]}"): array
        for k, layer in enumerate(layers)
        for d, params in enumerate(layer)
        for name, array in params.items()
    }


def _spread_keras(model: Any, dialect: Dialect) -> Layers:
    each = len(dialect.shapes)
    layers: Layers = []
    for k, arrays in enumerate(model):
        if not isinstance(arrays, Sequence) or len(arrays) not in (each, 2 * each):
            got = len(arrays) if isinstance(arrays, Sequence) else type(arrays).__name__
            raise ArgumentError(
                f"convert_model from keras: layer {k} must be a list of {each} arrays, "
                f"{', '.join(dialect.shapes)}, or of {2 * each} of a Bidirectional, got {got}; for "
                "a layer without bias, add zeros"
            )
        layers.append([arrays[start : start + each] for start in range(0, len(arrays), each)])
    return layers


def _gather_keras(layers: Layers) -> list[list[Array]]:
    return [[array for params in layer for array in params.values()] for layer in layers]


def _spread_onnx(model: Any, dialect: Dialect) -> Layers:
    layers: Layers = []
    for k, node in enumerate([model] if isinstance(model, Mapping) else model):
        lengths = {name: np.shape(array)[:1] for name, array in node.items()}
        if set(lengths.values()) not in ({(1,)}, {(2,)}):
            got = ", ".join(f"{name} {np.shape(array)}" for name, array in node.items())
            raise ShapeError(
                f"convert_model from onnx: the first axis of all arrays of layer {k} must be the "
                f"directions, 1 or 2, got {got}"
            )
        count = next(iter(lengths.values()))[0]
        layers.append(
            [{name: array[d : d + 1] for name, array in node.items()} for d in range(count)]
        )
    return layers


def _gather_onnx(layers: Layers) -> list[Params]:
    return [
        {name: np.concatenate([params[name] for params in layer]) for name in layer[0]}
        for layer in layers
    ]


_SPREAD: dict[str, Callable[[Any, Dialect], Layers]] = {
    "pytorch": _spread_torch,
    "keras": _spread_keras,
    "onnx": _spread_onnx,
}
_GATHER: dict[str, Callable[[Layers], Any]] = {
    "pytorch": _gather_torch,
    "keras": _gather_keras,
    "onnx": _gather_onnx,
}


def _check_directions(layers: Layers, target: str) -> None:
    counts = [len(layer) for layer in layers]
    if not counts or not set(counts) <= {1, 2}:
        raise ArgumentError(
            f"convert_model: every layer must have 1 or 2 directions, got {counts or 'no layer'}"
        )
    if target == "pytorch" and len(set(counts)) > 1:
        raise ArgumentError(
            f"convert_model: all layers of a PyTorch module have as many directions, got {counts}; "
            "make one module of each"
        )


def _check_widths(layers: list[list[Params]]) -> None:
    """Each layer reads what the one below writes, and both directions of a layer read the same."""
    width = len(layers[0][0]["Wx"])
    for k, layer in enumerate(layers):
        for d, params in enumerate(layer):
            if len(params["Wx"]) != width:
                raise ShapeError(
                    f"convert_model: layer {k}{_SIDES[d]} must read D = {width}, got "
                    f"{len(params['Wx'])}; from the second layer on, D is the H of the layer "
                    "below, or 2H where that has two directions"
                )
        width = sum(len(params["Wh"]) for params in layer)


def _matrix(array: Array) -> Array:
    """Without ONNX's axis of one direction."""
    return array.reshape(array.shape[-2:])


def _factor(axis: str) -> tuple[int, str]:
    """'4H' -> (4, 'H'), 'H' -> (1, 'H'), '2' -> (2, '')."""
    letter = axis.lstrip("0123456789")
    return int(axis[: len(axis) - len(letter)] or 1), letter

"""Weights of one LSTM layer, carried from one dialect to another. Gates are put into another order here and nowhere else.

All dialects compute the same numbers. They differ in the order of the gates, in the layout of the arrays, in the number of
biases, and in the letter for the candidate, which is our g and elsewhere c, C or z.

=========  ==============================================  =======  ========================================================
dialect    spoken by                                       order    names and shapes
=========  ==============================================  =======  ========================================================
here       this course                                     i f g o  Wx (D, 4H), Wh (H, 4H), b (4H,)
pytorch    torch.nn.LSTM; cuDNN                            i f g o  weight_ih_l0 (4H, D), weight_hh_l0 (4H, H),
                                                                    bias_ih_l0 (4H,), bias_hh_l0 (4H,)
keras      keras.layers.LSTM                               i f c o  kernel (D, 4H), recurrent_kernel (H, 4H), bias (4H,)
onnx       the operator LSTM                               i o f c  W (1, 4H, D), R (1, 4H, H), B (1, 8H)
cs231n     CS231n, Karpathy                                i f o g  Wx (D, 4H), Wh (H, 4H), b (4H,)
coursera   the Deep Learning Specialization; columns are   -        Wf, Wi, Wc, Wo (H, H+D), bf, bi, bc, bo (H, 1)
           examples: Wf [h; x] + bf
seed       papers and blog posts: W_f [h, x] + b_f         -        W_f, W_i, W_C, W_o (H, H+D), b_f, b_i, b_C, b_o (H,)
=========  ==============================================  =======  ========================================================

Two biases (pytorch, onnx) only ever appear as their sum, so reading adds them. Writing puts all of b into the first and zeros
into the second: the sum is then exact, where two halves would be rounded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from lstm_ref.errors import ArgumentError, Array, ShapeError, check_arrays, check_same_names

Params = dict[str, Array]
HERE = "ifgo"


@dataclass(frozen=True)
class Blocked:
    """A dialect that keeps the four gates side by side in one array."""

    order: str
    input: str  # name of the weights of x
    recurrent: str  # name of the weights of h
    biases: tuple[str, ...]
    transposed: bool = False  # gates along the rows: (4H, D), not (D, 4H)
    directions: bool = False  # ONNX: a first axis for the directions, here always one, and both biases in one array

    @property
    def shapes(self) -> dict[str, str]:
        """Name -> axes by letter, in the order in which the dialect lists them."""
        Wx, Wh = ("4H D", "4H H") if self.transposed else ("D 4H", "H 4H")
        if self.directions:
            return {self.input: f"1 {Wx}", self.recurrent: f"1 {Wh}", **{name: "1 8H" for name in self.biases}}
        return {self.input: Wx, self.recurrent: Wh, **{name: "4H" for name in self.biases}}

    def read(self, params: Mapping[str, Array]) -> Params:
        """Weights of this dialect -> ours."""
        if self.directions:
            params = {name: array[0] for name, array in params.items()}
        Wx, Wh = params[self.input], params[self.recurrent]
        if self.transposed:
            Wx, Wh = Wx.T, Wh.T
        biases = [params[name] for name in self.biases]
        if self.directions:
            biases = np.split(biases[0], 2)
        return _reorder({"Wx": Wx, "Wh": Wh, "b": sum(biases[1:], start=biases[0])}, self.order, HERE)

    def write(self, params: Params) -> Params:
        """Our weights -> this dialect's."""
        Wx, Wh, b = _reorder(params, HERE, self.order).values()
        if self.transposed:
            Wx, Wh = Wx.T, Wh.T
        if self.directions:
            return {self.input: Wx[None], self.recurrent: Wh[None], self.biases[0]: np.r_[b, np.zeros_like(b)][None]}
        others = {name: np.zeros_like(b) for name in self.biases[1:]}
        return {self.input: Wx, self.recurrent: Wh, self.biases[0]: b, **others}


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
            {self.weight.format(letter): "H H+D", self.bias.format(letter): bias} for letter in self.letters.values()
        ]
        return {name: axes for pair in pairs for name, axes in pair.items()}

    def read(self, params: Mapping[str, Array]) -> Params:
        """Weights of this dialect -> ours."""
        letters = [self.letters[gate] for gate in HERE]
        W = np.concatenate([params[self.weight.format(letter)].T for letter in letters], axis=1)  # (H+D, 4H)
        b = np.concatenate([params[self.bias.format(letter)].reshape(-1) for letter in letters])
        H = len(b) // 4
        if len(W) <= H:
            raise ShapeError(
                f"convert: weights must be (H, H+D) with D at least 1, got {(H, len(W))}; there is no part for x"
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
            converted[self.bias.format(letter)] = biases[gate].reshape(-1, 1) if self.column else biases[gate]
        return converted


DIALECTS: dict[str, Blocked | Separate] = {
    "here": Blocked(HERE, "Wx", "Wh", ("b",)),
    "pytorch": Blocked("ifgo", "weight_ih_l0", "weight_hh_l0", ("bias_ih_l0", "bias_hh_l0"), transposed=True),
    "keras": Blocked("ifgo", "kernel", "recurrent_kernel", ("bias",)),
    "onnx": Blocked("iofg", "W", "R", ("B",), transposed=True, directions=True),
    "cs231n": Blocked("ifog", "Wx", "Wh", ("b",)),
    "coursera": Separate("W{}", "b{}", {"f": "f", "i": "i", "g": "c", "o": "o"}, column=True),
    "seed": Separate("W_{}", "b_{}", {"f": "f", "i": "i", "g": "C", "o": "o"}),
}


def convert(params: Mapping[str, Array] | Sequence[Array], source: str, target: str) -> Params:
    """Weights of one dialect -> weights of another.

    For weights, not for gradients: where a dialect has two biases, the gradient of each is the gradient of their sum.

    Parameters
    ----------
    params : name -> array with exactly the names of the source dialect (see above), or a list in the order of the table, as
        ``keras_layer.get_weights()`` gives it. A layer without bias: give zeros
    source, target : names in `DIALECTS`

    Returns
    -------
    params : name -> new array, with the names of the target dialect, in the order of the table, and the dtype of the source

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
    for argument, dialect in (("source", source), ("target", target)):
        if dialect not in DIALECTS:
            raise ArgumentError(f"convert: {argument} must be one of {', '.join(DIALECTS)}, got {dialect!r}")
    shapes = DIALECTS[source].shapes
    if not isinstance(params, Mapping):
        if len(params) != len(shapes):
            raise ArgumentError(
                f"convert: params must hold {len(shapes)} arrays, {', '.join(shapes)}, got {len(params)}; "
                "for a layer without bias, add zeros"
            )
        params = dict(zip(shapes, params, strict=True))
    check_same_names(f"convert from {source}", shapes, params=params)
    check_arrays(f"convert from {source}", {}, **{name: (params[name], axes) for name, axes in shapes.items()})
    converted = DIALECTS[target].write(DIALECTS[source].read(params))
    return {
        name: np.ascontiguousarray(array) for name, array in converted.items()
    }  # no transposed views: row after row


def _reorder(params: Params, source: str, target: str) -> Params:
    """New arrays, with the four blocks of the last axis in the target's order."""
    converted = {}
    for name, array in params.items():
        blocks = dict(zip(source, np.split(array, 4, axis=-1), strict=True))
        converted[name] = np.concatenate([blocks[gate] for gate in target], axis=-1)
    return converted

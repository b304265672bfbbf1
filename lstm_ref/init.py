"""Initial weights. Each function draws from the generator that it is given: the same seed gives the same weights."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import DTypeLike

from lstm_ref.errors import ArgumentError, Array, DTypeError
from lstm_ref.variants import Variant, check_variant


def glorot_uniform(rng: Generator, shape: tuple[int, int]) -> Array:
    """Uniform from -limit to limit, with limit = sqrt(6 / (n_in + n_out)): signals keep their size both ways.

    Parameters
    ----------
    rng : numpy.random.Generator
    shape : (n_in, n_out)

    Returns
    -------
    W : (n_in, n_out), float64

    Raises
    ------
    ArgumentError : an argument that does not fit, by name

    Notes
    -----
    Source: Glorot and Bengio (2010).

    Examples
    --------
    >>> W = glorot_uniform(np.random.default_rng(0), (2, 4))
    >>> W.shape, bool(np.abs(W).max() <= 1)
    ((2, 4), True)
    """
    _check("glorot_uniform", rng, n_in=shape[0], n_out=shape[1])
    limit = np.sqrt(6 / (shape[0] + shape[1]))
    return rng.uniform(-limit, limit, shape)


def orthogonal(rng: Generator, shape: tuple[int, int]) -> Array:
    """Matrix drawn evenly from all matrices whose shorter side is orthonormal: the product keeps lengths.

    Parameters
    ----------
    rng : numpy.random.Generator
    shape : (n_in, n_out)

    Returns
    -------
    W : (n_in, n_out), float64; W.T @ W or W @ W.T is the identity, whichever is smaller

    Raises
    ------
    ArgumentError : an argument that does not fit, by name

    Notes
    -----
    Source: Saxe, McClelland and Ganguli (2014).

    Examples
    --------
    >>> W = orthogonal(np.random.default_rng(0), (3, 3))
    >>> np.allclose(W.T @ W, np.eye(3))
    True
    """
    _check("orthogonal", rng, n_in=shape[0], n_out=shape[1])
    long, short = max(shape), min(shape)
    Q, R = np.linalg.qr(rng.standard_normal((long, short)))
    # QR leaves the sign of each column to the library. With the signs of R's diagonal the draw is even, and the same everywhere.
    Q = Q * np.sign(np.diag(R))
    return Q if shape == (long, short) else Q.T.copy()


def init_lstm(
    rng: Generator, D: int, H: int, forget_bias: float = 1.0, dtype: DTypeLike = np.float64
) -> dict[str, Array]:
    """Weights of one LSTM layer: Wx Glorot, Wh orthogonal, b zero but for the forget gate.

    Each gate is an affine map of its own, so each of the four blocks is drawn on its own. (Keras draws the four together,
    which makes Wx smaller.)

    Parameters
    ----------
    rng : numpy.random.Generator
    D, H : input and hidden size
    forget_bias : bias of the forget gate; with 1 the gate starts at sigmoid(1) = 0.73, so that a new network remembers
    dtype : float32 or float64; the numbers are drawn in float64 first, so that both start from the same weights

    Returns
    -------
    params : {"Wx": (D, 4H), "Wh": (H, 4H), "b": (4H,)}

    Raises
    ------
    ArgumentError, DTypeError : an argument that does not fit, by name

    Notes
    -----
    Source of the forget bias: Gers, Schmidhuber and Cummins (2000); Jozefowicz, Zaremba and Sutskever (2015).

    Examples
    --------
    >>> params = init_lstm(np.random.default_rng(0), D=3, H=2)
    >>> params["Wx"].shape, params["Wh"].shape, params["b"]
    ((3, 8), (2, 8), array([0., 0., 1., 1., 0., 0., 0., 0.]))
    """
    _check("init_lstm", rng, D=D, H=H)
    kind = _float_type("init_lstm", dtype)
    _check_finite("init_lstm", forget_bias=forget_bias)
    Wx = np.concatenate([glorot_uniform(rng, (D, H)) for _ in "ifgo"], axis=1)
    Wh = np.concatenate([orthogonal(rng, (H, H)) for _ in "ifgo"], axis=1)
    zeros = np.zeros(H)
    b = np.concatenate([zeros, zeros + forget_bias, zeros, zeros])  # i, f, g, o
    return {"Wx": Wx.astype(kind), "Wh": Wh.astype(kind), "b": b.astype(kind)}


def init_variant(
    rng: Generator,
    D: int,
    H: int,
    variant: str | Variant = "standard",
    *,
    R: int | None = None,
    forget_bias: float = 1.0,
    dtype: DTypeLike = np.float64,
) -> dict[str, Array]:
    """Weights of a variant of the LSTM, as `init_lstm` has those of the standard one, and the same numbers for that.

    Peepholes start at 0, a projection P as Glorot has it, normalisation with gains of 1 and a shift of 0.

    Parameters
    ----------
    rng : numpy.random.Generator
    D, H : input and hidden size
    variant : a name of `lstm_ref.variants.VARIANTS`, or a Variant
    R : size of the hidden state after a projection; None for a variant without one
    forget_bias : bias of the forget gate, where the variant has one
    dtype : float32 or float64

    Returns
    -------
    params : name -> array, as `variant_forward` takes them

    Raises
    ------
    ArgumentError, DTypeError : an argument that does not fit, by name

    Examples
    --------
    >>> params = init_variant(np.random.default_rng(0), D=3, H=2, variant="coupled")  # blocks f, g, o
    >>> params["Wx"].shape, params["Wh"].shape, params["b"]
    ((3, 6), (2, 6), array([1., 1., 0., 0., 0., 0.]))
    """
    v = check_variant("init_variant", variant)
    if v.projection != (R is not None):
        needed = "an integer, the size after the projection" if v.projection else "None where nothing is projected"
        raise ArgumentError(f"init_variant: R must be {needed}, got {R!r}")
    R = H if R is None else R
    _check("init_variant", rng, D=D, H=H, R=R)
    kind = _float_type("init_variant", dtype)
    _check_finite("init_variant", forget_bias=forget_bias)
    params = {
        "Wx": np.concatenate([glorot_uniform(rng, (D, H)) for _ in v.blocks], axis=1),
        "Wh": np.concatenate([orthogonal(rng, (R, H)) for _ in v.blocks], axis=1),
        "b": np.repeat([float(forget_bias) if letter == "f" else 0.0 for letter in v.blocks], H),
    }
    if v.projection:
        params["P"] = glorot_uniform(rng, (H, R))
    lengths = {"H": H, f"{len(v.blocks)}H": len(v.blocks) * H}
    for name in v.axes.keys() - params.keys():
        params[name] = np.full(lengths[v.axes[name]], 1.0 if name.startswith("gain") else 0.0)
    return {name: params[name].astype(kind) for name in v.axes}


def init_affine(rng: Generator, n_in: int, n_out: int, dtype: DTypeLike = np.float64) -> dict[str, Array]:
    """Weights of an affine layer x W + b: W Glorot, b zero.

    Parameters
    ----------
    rng : numpy.random.Generator
    n_in, n_out : sizes
    dtype : float32 or float64

    Returns
    -------
    params : {"W": (n_in, n_out), "b": (n_out,)}

    Raises
    ------
    ArgumentError, DTypeError : an argument that does not fit, by name

    Examples
    --------
    >>> {name: array.shape for name, array in init_affine(np.random.default_rng(0), 5, 2).items()}
    {'W': (5, 2), 'b': (2,)}
    """
    _check("init_affine", rng, n_in=n_in, n_out=n_out)
    kind = _float_type("init_affine", dtype)
    return {"W": glorot_uniform(rng, (n_in, n_out)).astype(kind), "b": np.zeros(n_out, kind)}


def _check(operation: str, rng: Any, **sizes: Any) -> None:
    if not isinstance(rng, Generator):
        raise ArgumentError(
            f"{operation}: rng must be a numpy.random.Generator, got {type(rng).__name__}; use np.random.default_rng(seed)"
        )
    for name, size in sizes.items():
        if not isinstance(size, int | np.integer) or size < 1:
            raise ArgumentError(f"{operation}: {name} must be an integer of at least 1, got {size!r}")


def _check_finite(operation: str, **numbers: float) -> None:
    for name, number in numbers.items():
        if not np.isfinite(number):
            raise ArgumentError(f"{operation}: {name} must be finite, got {number}")


def _float_type(operation: str, dtype: DTypeLike) -> np.dtype[Any]:
    kind = np.dtype(dtype)
    if kind not in (np.float32, np.float64):
        raise DTypeError(f"{operation}: dtype must be float32 or float64, got {kind}")
    return kind

"""Initial weights. Each function draws from the generator that it is given: the same seed gives the
same weights.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import DTypeLike

from lstm_ref.errors import ArgumentError, Array, DTypeError
from lstm_ref.variants import Variant, check_variant


def glorot_uniform(rng: Generator, shape: tuple[int, int]) -> Array:
    """Uniform from -limit to limit, with limit = sqrt(6 / (n_in + n_out)): signals keep their size
    both ways.

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


def he_normal(rng: Generator, shape: tuple[int, int]) -> Array:
    """Normal with the variance 2 / n_in: in a layer whose units are zero half of the time (ReLU),
    signals keep their size.

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
    Source: He et al. (2015).

    Examples
    --------
    >>> W = he_normal(np.random.default_rng(0), (200, 300))
    >>> round(float(W.var()) * 200, 1)
    2.0
    """
    _check("he_normal", rng, n_in=shape[0], n_out=shape[1])
    W: Array = rng.standard_normal(shape) * np.sqrt(2 / shape[0])
    return W


def orthogonal(rng: Generator, shape: tuple[int, int]) -> Array:
    """Matrix drawn evenly from all matrices whose shorter side is orthonormal: the product keeps
    lengths.

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
    # QR leaves the sign of each column to the library. With the signs of R's diagonal the draw is
    # even, and the same everywhere.
    Q = Q * np.sign(np.diag(R))
    return Q if shape == (long, short) else Q.T.copy()


def init_lstm(
    rng: Generator, D: int, H: int, forget_bias: float = 1.0, dtype: DTypeLike = np.float64
) -> dict[str, Array]:
    """Weights of one LSTM layer: Wx Glorot, Wh orthogonal, b zero but for the forget gate.

    Each gate is an affine map of its own, so each of the four blocks is drawn on its own. (Keras
    draws the four together, which makes Wx smaller.)

    Parameters
    ----------
    rng : numpy.random.Generator
    D, H : input and hidden size
    forget_bias : bias of the forget gate; with 1 the gate starts at sigmoid(1) = 0.73, so that a
        new network remembers
    dtype : float32 or float64; the numbers are drawn in float64 first, so that both start from the
        same weights

    Returns
    -------
    params : {"Wx": (D, 4H), "Wh": (H, 4H), "b": (4H,)}

    Raises
    ------
    ArgumentError, DTypeError : an argument that does not fit, by name

    Notes
    -----
    Source of the forget bias: Gers, Schmidhuber and Cummins (2000); Jozefowicz, Zaremba and
    Sutskever (2015).

    Examples
    --------
    >>> params = init_lstm(np.random.default_rng(0), D=3, H=2)
    >>> params["Wx"].shape, params["Wh"].shape, params["b"]
    ((3, 8), (2, 8), array([0., 0., 1., 1., 0., 0., 0., 0.]))
    """
    _check("init_lstm", rng, D=D, H=H)
    kind = _float_type("init_lstm", dtype)
    _check_finite("init_lstm", forget_bias=forget_bias)
    params = _blocks(rng, D, H, H, 4)
    params["b"][H : 2 * H] = forget_bias  # i, f, g, o
    return {name: array.astype(kind) for name, array in params.items()}


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
    """Weights of a variant of the LSTM, as `init_lstm` has those of the standard one, and the same
    numbers for that.

    Peepholes start at 0, a projection P as Glorot has it, normalisation with gains of 1 and a shift
    of 0.

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
    >>> params = init_variant(
    ...     np.random.default_rng(0), D=3, H=2, variant="coupled"
    ... )  # blocks f, g, o
    >>> params["Wx"].shape, params["Wh"].shape, params["b"]
    ((3, 6), (2, 6), array([1., 1., 0., 0., 0., 0.]))
    """
    v = check_variant("init_variant", variant)
    if v.projection != (R is not None):
        needed = (
            "an integer, the size after the projection"
            if v.projection
            else "None where nothing is projected"
        )
        raise ArgumentError(f"init_variant: R must be {needed}, got {R!r}")
    R = H if R is None else R
    _check("init_variant", rng, D=D, H=H, R=R)
    kind = _float_type("init_variant", dtype)
    _check_finite("init_variant", forget_bias=forget_bias)
    params = _blocks(rng, D, H, R, len(v.blocks))
    params["b"] = np.repeat(
        [float(forget_bias) if letter == "f" else 0.0 for letter in v.blocks], H
    )
    if v.projection:
        params["P"] = glorot_uniform(rng, (H, R))
    lengths = {"H": H, f"{len(v.blocks)}H": len(v.blocks) * H}
    for name in v.axes.keys() - params.keys():
        params[name] = np.full(lengths[v.axes[name]], 1.0 if name.startswith("gain") else 0.0)
    return {name: params[name].astype(kind) for name in v.axes}


def chrono_bias(rng: Generator, H: int, longest: int, dtype: DTypeLike = np.float64) -> Array:
    """Bias of an LSTM whose units remember for times that are spread evenly from 1 to ``longest`` -
    1 steps.

        f  = log of a number u drawn evenly from 1 to longest - 1
             sigmoid(log u) = u / (1 + u): it forgets in about u steps
        i  = -f, so that it writes as little as it forgets
        g, o = 0

    Parameters
    ----------
    rng : numpy.random.Generator
    H : hidden size
    longest : the longest time between a cause and its effect in the data, in steps; at least 2
    dtype : float32 or float64

    Returns
    -------
    b : (4H,), blocks in the order i, f, g, o; ``init_lstm(rng, D, H) | {"b": b}`` are the
        weights of a layer

    Raises
    ------
    ArgumentError, DTypeError : an argument that does not fit, by name

    Notes
    -----
    Source: Tallec and Ollivier (2018).

    Examples
    --------
    >>> b = chrono_bias(np.random.default_rng(0), H=2, longest=100)
    >>> i, f, g, o = b.reshape(4, 2)
    >>> bool((f > 0).all() and (f < np.log(99)).all()), bool((i == -f).all())
    (True, True)
    """
    _check("chrono_bias", rng, H=H, longest=longest)
    if longest < 2:
        raise ArgumentError(f"chrono_bias: longest must be an integer of at least 2, got {longest}")
    f = np.log(rng.uniform(1, longest - 1, H))
    return np.concatenate([-f, f, np.zeros(2 * H)]).astype(_float_type("chrono_bias", dtype))


def init_gru(
    rng: Generator, D: int, H: int, *, reset: str = "after", dtype: DTypeLike = np.float64
) -> dict[str, Array]:
    """Weights of one GRU layer: Wx Glorot, Wh orthogonal, block by block; all biases zero.

    Parameters
    ----------
    rng : numpy.random.Generator
    D, H : input and hidden size
    reset : "after" or "before" the product; only "after" has a bh
    dtype : float32 or float64

    Returns
    -------
    params : {"Wx": (D, 3H), "Wh": (H, 3H), "b": (3H,), "bh": (H,)}, or without bh

    Raises
    ------
    ArgumentError, DTypeError : an argument that does not fit, by name

    Examples
    --------
    >>> {name: array.shape for name, array in init_gru(np.random.default_rng(0), D=3, H=2).items()}
    {'Wx': (3, 6), 'Wh': (2, 6), 'b': (6,), 'bh': (2,)}
    """
    _check("init_gru", rng, D=D, H=H)
    if reset not in ("after", "before"):
        raise ArgumentError(f'init_gru: reset must be "after" or "before", got {reset!r}')
    params = _blocks(rng, D, H, H, 3) | ({"bh": np.zeros(H)} if reset == "after" else {})
    kind = _float_type("init_gru", dtype)
    return {name: array.astype(kind) for name, array in params.items()}


def init_rnn(rng: Generator, D: int, H: int, dtype: DTypeLike = np.float64) -> dict[str, Array]:
    """Weights of one plain recurrent layer: Wx Glorot, Wh orthogonal, b zero.

    Parameters
    ----------
    rng : numpy.random.Generator
    D, H : input and hidden size
    dtype : float32 or float64

    Returns
    -------
    params : {"Wx": (D, H), "Wh": (H, H), "b": (H,)}

    Raises
    ------
    ArgumentError, DTypeError : an argument that does not fit, by name

    Examples
    --------
    >>> {name: array.shape for name, array in init_rnn(np.random.default_rng(0), D=3, H=2).items()}
    {'Wx': (3, 2), 'Wh': (2, 2), 'b': (2,)}
    """
    _check("init_rnn", rng, D=D, H=H)
    kind = _float_type("init_rnn", dtype)
    return {name: array.astype(kind) for name, array in _blocks(rng, D, H, H, 1).items()}


def init_affine(
    rng: Generator, n_in: int, n_out: int, dtype: DTypeLike = np.float64
) -> dict[str, Array]:
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


def _blocks(rng: Generator, D: int, H: int, R: int, count: int) -> dict[str, Array]:
    """Each block of H columns drawn on its own, for each is an affine map of its own; R is the size
    of what comes back.
    """
    return {
        "Wx": np.concatenate([glorot_uniform(rng, (D, H)) for _ in range(count)], axis=1),
        "Wh": np.concatenate([orthogonal(rng, (R, H)) for _ in range(count)], axis=1),
        "b": np.zeros(count * H),
    }


def _check(operation: str, rng: Any, **sizes: Any) -> None:
    if not isinstance(rng, Generator):
        raise ArgumentError(
            f"{operation}: rng must be a numpy.random.Generator, got {type(rng).__name__}; use "
            "np.random.default_rng(seed)"
        )
    for name, size in sizes.items():
        if not isinstance(size, int | np.integer) or size < 1:
            raise ArgumentError(
                f"{operation}: {name} must be an integer of at least 1, got {size!r}"
            )


def _check_finite(operation: str, **numbers: float) -> None:
    for name, number in numbers.items():
        if not np.isfinite(number):
            raise ArgumentError(f"{operation}: {name} must be finite, got {number}")


def _float_type(operation: str, dtype: DTypeLike) -> np.dtype[Any]:
    kind = np.dtype(dtype)
    if kind not in (np.float32, np.float64):
        raise DTypeError(f"{operation}: dtype must be float32 or float64, got {kind}")
    return kind

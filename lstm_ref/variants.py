"""The LSTM with one thing changed: peepholes, coupled gates, projection, layer normalisation, and
cells that lack a part.

One cell with switches says it all; `VARIANTS` is the table of the switches. Sizes as in
`lstm_ref.cell`; k is the number of blocks of Wx (D, kH), Wh and b, which stand in the order i, f,
g, o, those that a cell does not have left out.

    standard           a = x Wx + h_prev Wh + b
                       i, f, o = sigmoid(a_i), sigmoid(a_f), sigmoid(a_o);  g = tanh(a_g)
                       c = f * c_prev + i * g
                       h = o * tanh(c)

    peepholes          i = sigmoid(a_i + p_i * c_prev);  f = sigmoid(a_f + p_f * c_prev)
                       o = sigmoid(a_o + p_o * c)
    coupled            i = 1 - f                                 blocks f, g, o
    projection         h = (o * tanh(c)) P                  h is (N, R), P is (H, R), Wh is (R, kH)
    layer_norm         a = gain_x * LN(x Wx) + gain_h * LN(h_prev Wh) + b
                       h = o * tanh(gain_c * LN(c) + shift_c)
                       LN(v) = (v - mean(v)) / sqrt(var(v) + 1e-5), over all numbers of one example
    no_forget_gate     f = 1: c = c_prev + i * g                 blocks i, g, o: the cell of 1997
    no_input_gate      i = 1: c = f * c_prev + g                 blocks f, g, o
    no_output_gate     o = 1: h = tanh(c)                        blocks i, f, g
    no_output_tanh     h = o * c
    no_candidate_tanh  g = a_g

=================  ===============================================================================
what               source
=================  ===============================================================================
no_forget_gate     Hochreiter and Schmidhuber (1997). Their cell squashed with scaled logistic
                   functions where tanh stands here, and they cut the gradient short; here it is
                   whole, as in Graves and Schmidhuber (2005)
the forget gate    Gers, Schmidhuber and Cummins (2000)
peepholes          Gers, Schraudolph and Schmidhuber (2002). The output gate sees the new cell
                   state, the others the old one
projection         Sak, Senior and Beaufays (2014), whose cell has peepholes too: that is
                   ``Variant(projection=True, peepholes=True)``. Without them it is PyTorch's
                   ``proj_size``, whose ``weight_hr`` is the transpose of P
layer_norm         Ba, Kiros and Hinton (2016). Each of their two sums has a shift of its own;
                   both only add to b, so b stands for them. Cooijmans et al. (2017) normalise at
                   the same three places, over the batch instead
coupled and no_*   Greff et al. (2017): CIFG, NFG, NIG, NOG, NOAF, NIAF. Their starting point has
                   peepholes, so that our standard cell is their NP. Their FGR, gates that see the
                   gates of the step before, is left out
=================  ===============================================================================
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from lstm_ref.cell import sigmoid
from lstm_ref.errors import ArgumentError, Array, check_arrays, check_cache, check_same_names

NORM_EPS = 1e-5  # in LN, so that numbers that are all equal are not divided by zero


class Variant(NamedTuple):
    """What a cell has. The switches go together in any way, but for one: a forget gate is needed to
    be coupled to.
    """

    input_gate: str = "own"  # "own"; "1 - f", coupled to the forget gate; "1", always open
    forget_gate: bool = True
    output_gate: bool = True
    candidate_tanh: bool = True
    output_tanh: bool = True
    peepholes: bool = False
    projection: bool = False
    layer_norm: bool = False

    @property
    def blocks(self) -> str:
        """The letters that have a block in Wx, Wh and b, in this order.

        >>> VARIANTS["coupled"].blocks
        'fgo'
        """
        has = {
            "i": self.input_gate == "own",
            "f": self.forget_gate,
            "g": True,
            "o": self.output_gate,
        }
        return "".join(letter for letter in "ifgo" if has[letter])

    @property
    def axes(self) -> dict[str, str]:
        """Name -> axes of each weight.

        >>> VARIANTS["projection"].axes
        {'Wx': 'D 4H', 'Wh': 'R 4H', 'b': '4H', 'P': 'H R'}
        """
        wide = f"{len(self.blocks)}H"
        axes = {"Wx": f"D {wide}", "Wh": f"{'R' if self.projection else 'H'} {wide}", "b": wide}
        if self.peepholes:
            axes |= {f"p_{letter}": "H" for letter in self.blocks if letter != "g"}
        if self.projection:
            axes |= {"P": "H R"}
        if self.layer_norm:
            axes |= {"gain_x": wide, "gain_h": wide, "gain_c": "H", "shift_c": "H"}
        return axes


VARIANTS = {
    "standard": Variant(),
    "peepholes": Variant(peepholes=True),
    "coupled": Variant(input_gate="1 - f"),
    "projection": Variant(projection=True),
    "layer_norm": Variant(layer_norm=True),
    "no_forget_gate": Variant(forget_gate=False),
    "no_input_gate": Variant(input_gate="1"),
    "no_output_gate": Variant(output_gate=False),
    "no_output_tanh": Variant(output_tanh=False),
    "no_candidate_tanh": Variant(candidate_tanh=False),
}


class VariantStep(NamedTuple):
    """What one step backward needs from the step forward. A gate that the cell does not have is an
    array of ones.
    """

    i: Array  # (N, H)
    f: Array  # (N, H)
    g: Array  # (N, H)
    o: Array  # (N, H)
    # (N, H): tanh of the cell state, or the cell state itself: what the output gate lets through
    u: Array
    norms: tuple[Norm, ...]  # of x Wx, of h_prev Wh and of c; empty without layer normalisation


class Norm(NamedTuple):
    """Numbers that were normalised, and what they were multiplied with."""

    y: Array  # (N, K), mean 0 and variance 1 in each row
    scale: Array  # (N, 1), 1 / sqrt(var + NORM_EPS)


class VariantCache(NamedTuple):
    """What `variant_backward` needs from `variant_forward`.

    The weights are the caller's arrays, not copies: leave them as they are until the backward pass
    is done. All else belongs to the cache alone.
    """

    variant: Variant
    x: Array  # (T, N, D)
    h: Array  # (T+1, N, H), or (T+1, N, R) with a projection; h[0] is h0
    c: Array  # (T+1, N, H), c[0] is c0
    steps: tuple[VariantStep, ...]  # T of them
    weights: dict[str, Array]


class VariantGrads(NamedTuple):
    """Gradient of the loss with respect to each argument of `variant_forward`."""

    dx: Array  # (N, T, D)
    dh0: Array  # (N, H), or (N, R) with a projection
    dc0: Array  # (N, H)
    dWx: Array  # (D, kH)
    dWh: Array  # (H, kH), or (R, kH) with a projection
    db: Array  # (kH,)
    # of the weights that only this variant has, under the names of the weights
    extra: dict[str, Array]

    @property
    def weights(self) -> dict[str, Array]:
        """The gradients of all weights, under the names of the weights: as an optimiser takes
        them.
        """
        return {"Wx": self.dWx, "Wh": self.dWh, "b": self.db, **self.extra}


def variant_forward(
    x: Array,
    h0: Array,
    c0: Array,
    Wx: Array,
    Wh: Array,
    b: Array,
    *,
    variant: str | Variant = "standard",
    **extra: Array,
) -> tuple[Array, tuple[Array, Array], VariantCache]:
    """All time steps forward, as `lstm_forward`.

    Parameters
    ----------
    x : (N, T, D)
    h0 : (N, H), or (N, R) with a projection
    c0 : (N, H)
    Wx : (D, kH), blocks in the order i, f, g, o, as many as the variant has
    Wh : (H, kH), or (R, kH) with a projection
    b : (kH,)
    variant : a name of `VARIANTS`, or switches of your own
    extra : the weights that only this variant has: p_i, p_f, p_o (H,) of peepholes; P (H, R) of a
        projection; gain_x (kH,), gain_h (kH,), gain_c (H,), shift_c (H,) of layer normalisation.
        ``variant.axes`` tells them all

    Returns
    -------
    h : (N, T, H), or (N, T, R) with a projection: the hidden state after every step
    (hT, cT) : the state after the last step
    cache : VariantCache

    Raises
    ------
    ArgumentError, ShapeError, DTypeError, NotFiniteError : an argument that does not fit, by name

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> N, T, D, H = 2, 5, 3, 4
    >>> h, (hT, cT), cache = variant_forward(
    ...     rng.normal(size=(N, T, D)),
    ...     np.zeros((N, H)),
    ...     np.zeros((N, H)),
    ...     rng.normal(size=(D, 3 * H)),
    ...     rng.normal(size=(H, 3 * H)),
    ...     np.zeros(3 * H),
    ...     variant="coupled",
    ... )
    >>> h.shape, bool((cache.steps[0].i == 1 - cache.steps[0].f).all())
    ((2, 5, 4), True)
    """
    v = check_variant("variant_forward", variant)
    weights = {"Wx": Wx, "Wh": Wh, "b": b, **extra}
    check_same_names("variant_forward", v.axes, weights=weights)
    sizes: dict[str, int] = {}
    check_arrays(
        "variant_forward",
        sizes,
        x=(x, "N T D"),
        h0=(h0, "N R" if v.projection else "N H"),
        c0=(c0, "N H"),
        **{name: (array, v.axes[name]) for name, array in weights.items()},
    )
    N, T, D, H = (sizes[letter] for letter in "NTDH")
    x = x.swapaxes(0, 1).copy()  # (T, N, D)
    # the inputs of all steps are known: one product
    xWx = (x.reshape(T * N, D) @ Wx).reshape(T, N, -1)

    h = np.empty((T + 1, *h0.shape), x.dtype)
    c = np.empty((T + 1, N, H), x.dtype)
    h[0], c[0] = h0, c0
    steps = []
    for t in range(T):
        h[t + 1], c[t + 1], step = _step(v, xWx[t], h[t] @ Wh, c[t], weights)
        steps.append(step)
    # Copies: the caller may write into what it gets, and the cache must not notice.
    cache = VariantCache(v, x, h, c, tuple(steps), weights)
    return h[1:].swapaxes(0, 1).copy(), (h[T].copy(), c[T].copy()), cache


def variant_backward(dh: Array, cache: VariantCache, dcT: Array | None = None) -> VariantGrads:
    """All time steps backward, as `lstm_backward`.

    Parameters
    ----------
    dh : (N, T, H), or (N, T, R) with a projection: immediate gradient of the loss with respect to
        the hidden state of every step. A gradient with respect to hT has no argument of its own: hT
        is ``h[:, -1]``, so add it to ``dh[:, -1]``
    cache : VariantCache of the forward pass
    dcT : (N, H), gradient with respect to the last cell state; None means zeros

    Returns
    -------
    VariantGrads : dx, dh0, dc0, dWx, dWh, db, extra; and ``weights``, a dict of those of the
        weights

    Raises
    ------
    ArgumentError, ShapeError, DTypeError, NotFiniteError : an argument that does not fit, by name
    """
    check_cache("variant_backward", cache, VariantCache, "variant_forward")
    v, x, h, c, steps, weights = cache
    T, N, D = x.shape
    H = c.shape[2]
    Wx, Wh = weights["Wx"], weights["Wh"]
    dcT = np.zeros_like(c[0]) if dcT is None else dcT
    check_arrays(
        "variant_backward",
        {"N": N, "T": T, "H": H, "R": h.shape[2]},
        dh=(dh, "N T R" if v.projection else "N T H"),
        dcT=(dcT, "N H"),
        **{"cache.c": (c[0], "N H")},
    )

    dxWx = np.empty((T, N, Wx.shape[1]), c.dtype)
    dhWh = np.empty_like(dxWx)
    rest = {
        name: np.zeros_like(array) for name, array in weights.items() if name not in ("Wx", "Wh")
    }
    dh_next = np.zeros_like(h[0])  # what step t+1 sends back along h
    dc_next = dcT  # and along c
    for t in reversed(range(T)):
        dxWx[t], dhWh[t], dc_next, grads = _step_backward(
            v, dh[:, t] + dh_next, dc_next, c[t], c[t + 1], steps[t], weights
        )
        dh_next = dhWh[t] @ Wh.T
        rest = {name: total + grads[name] for name, total in rest.items()}

    # Every step shares the same weights, so its gradients add up: over time and batch in one
    # product each.
    dxWx_flat, dhWh_flat = dxWx.reshape(T * N, -1), dhWh.reshape(T * N, -1)
    return VariantGrads(
        dx=(dxWx_flat @ Wx.T).reshape(T, N, D).swapaxes(0, 1).copy(),
        dh0=dh_next,
        dc0=dc_next,
        dWx=x.reshape(T * N, D).T @ dxWx_flat,
        dWh=h[:T].reshape(T * N, -1).T @ dhWh_flat,
        db=rest.pop("b"),
        extra=rest,
    )


def check_variant(operation: str, variant: Any) -> Variant:
    """The variant itself, or that of its name.

    Raises
    ------
    ArgumentError : no such variant
    """
    if isinstance(variant, str):
        if variant not in VARIANTS:
            raise ArgumentError(
                f"{operation}: variant must be one of {', '.join(VARIANTS)}, got {variant!r}"
            )
        return VARIANTS[variant]
    if not isinstance(variant, Variant):
        raise ArgumentError(
            f"{operation}: variant must be a name or a Variant, got {type(variant).__name__}"
        )
    if variant.input_gate not in ("own", "1 - f", "1"):
        raise ArgumentError(
            f'{operation}: input_gate must be "own", "1 - f" or "1", got {variant.input_gate!r}'
        )
    if variant.input_gate == "1 - f" and not variant.forget_gate:
        raise ArgumentError(
            f"{operation}: an input gate of 1 - f needs a forget gate; without one it would always "
            "be 0"
        )
    return variant


def _step(
    v: Variant, xWx: Array, hWh: Array, c_prev: Array, w: dict[str, Array]
) -> tuple[Array, Array, VariantStep]:
    """The equations, once both products are known: h, c, and what the backward pass needs."""
    norms: tuple[Norm, ...] = ()
    if v.layer_norm:
        norms = (_normalise(xWx), _normalise(hWh))
        xWx, hWh = w["gain_x"] * norms[0].y, w["gain_h"] * norms[1].y
    a = dict(zip(v.blocks, np.split(xWx + hWh + w["b"], len(v.blocks), axis=1), strict=True))
    open_gate = np.ones_like(c_prev)

    f = sigmoid(a["f"] + _peephole(w, "f", c_prev)) if "f" in a else open_gate
    if "i" in a:
        i = sigmoid(a["i"] + _peephole(w, "i", c_prev))
    else:
        i = 1 - f if v.input_gate == "1 - f" else open_gate
    g = np.tanh(a["g"]) if v.candidate_tanh else a["g"]
    c = f * c_prev + i * g
    o = sigmoid(a["o"] + _peephole(w, "o", c)) if "o" in a else open_gate

    shown = c
    if v.layer_norm:
        norms = (*norms, _normalise(c))
        shown = w["gain_c"] * norms[2].y + w["shift_c"]
    u = np.tanh(shown) if v.output_tanh else shown
    h = o * u
    if v.projection:
        h = h @ w["P"]
    return h, c, VariantStep(i, f, g, o, u, norms)


def _step_backward(
    v: Variant,
    dh: Array,
    dc: Array,
    c_prev: Array,
    c: Array,
    step: VariantStep,
    w: dict[str, Array],
) -> tuple[Array, Array, Array, dict[str, Array]]:
    """Gradients of both products, of c_prev, and of each weight but Wx and Wh; the lines of `_step`
    in the opposite order.
    """
    i, f, g, o, u, norms = step
    dw: dict[str, Array] = {}
    da: dict[str, Array] = {}
    if v.projection:
        dw["P"] = (o * u).T @ dh
        dh = dh @ w["P"].T
    do, dshown = dh * u, dh * o
    if v.output_tanh:
        dshown = dshown * (1 - u**2)
    if v.layer_norm:
        dw["gain_c"], dw["shift_c"] = (dshown * norms[2].y).sum(axis=0), dshown.sum(axis=0)
        dshown = _normalise_backward(dshown * w["gain_c"], norms[2])
    dc = dc + dshown

    if v.output_gate:
        da["o"] = do * o * (1 - o)
        # c reaches the loss by way of the output gate, too, if that looks at it
        dc = dc + _peephole(w, "o", da["o"])
    di, df, dg = dc * g, dc * c_prev, dc * i
    if v.input_gate == "1 - f":
        df = df - di
    da["g"] = dg * (1 - g**2) if v.candidate_tanh else dg
    dc_prev = dc * f
    for letter, gate, dgate in (("i", i, di), ("f", f, df)):
        if letter in v.blocks:
            da[letter] = dgate * gate * (1 - gate)
            dc_prev = dc_prev + _peephole(w, letter, da[letter])
    for letter, seen in (("i", c_prev), ("f", c_prev), ("o", c)):
        if f"p_{letter}" in w:
            dw[f"p_{letter}"] = (da[letter] * seen).sum(axis=0)

    da_all = np.concatenate([da[letter] for letter in v.blocks], axis=1)
    dw["b"] = da_all.sum(axis=0)
    dxWx = dhWh = da_all
    if v.layer_norm:
        dw["gain_x"], dw["gain_h"] = ((da_all * norm.y).sum(axis=0) for norm in norms[:2])
        dxWx = _normalise_backward(da_all * w["gain_x"], norms[0])
        dhWh = _normalise_backward(da_all * w["gain_h"], norms[1])
    return dxWx, dhWh, dc_prev, dw


def _peephole(w: dict[str, Array], letter: str, array: Array) -> Array | float:
    """What comes through the peephole of a gate, either way: nothing where there is none."""
    name = f"p_{letter}"
    return w[name] * array if name in w else 0.0


def _normalise(v: Array) -> Norm:
    """Mean 0 and variance 1 over the numbers of each row."""
    centred = v - v.mean(axis=1, keepdims=True)
    scale = 1 / np.sqrt((centred**2).mean(axis=1, keepdims=True) + NORM_EPS)
    return Norm(centred * scale, scale)


def _normalise_backward(dy: Array, norm: Norm) -> Array:
    """Each number moves the mean and the variance of its row, and by them all the others."""
    y, scale = norm
    dv: Array = scale * (
        dy - dy.mean(axis=1, keepdims=True) - y * (dy * y).mean(axis=1, keepdims=True)
    )
    return dv

"""The gradient lens: how large a gradient still is, k steps back, in a plain RNN, a GRU and an
LSTM.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from traitlets import Bool, Enum, Float, Int, List, TraitError, validate

from lstm_ref.cell import lstm_step, lstm_step_backward
from lstm_ref.errors import Array
from lstm_ref.gru import gru_step, gru_step_backward
from lstm_ref.inspect.widget import Widget, module, style
from lstm_ref.rnn import rnn_step, rnn_step_backward

N, D, H = 4, 4, 24  # examples, inputs, units
T_MAX = 100
INPUT = 0.5  # deviation of x Wx: small enough that the inputs alone saturate nothing
SERIES = ("rnn_h", "gru_h", "lstm_h", "lstm_c", "lstm_f")

LONGEST_MAX = 1000

_LIMITS = {
    "forget_bias": (-20, 20),
    "longest": (0, LONGEST_MAX),
    "scale": (0, 4),
    "T": (1, T_MAX),
    "lag": (0, T_MAX),
    "seed": (1, 2**31 - 1),
}


class GradientLens(Widget):
    """Gradient by lag in three untrained networks, while forget bias, size of the recurrent weights
    and T move.

    The loss looks at the last hidden state only, in one random direction: its gradient there has
    the length 1. The lens shows what is left of that length k steps back. All numbers are computed
    in the page; every number moved is a trait.

    Parameters
    ----------
    forget_bias : bias of the gate that keeps: the forget gate of the LSTM, the update gate z of the
        GRU
    longest : 0 leaves that bias the same for all units; from 2 to 1000 it is drawn for each unit as
        `lstm_ref.chrono_bias` draws it, so that the units forget in 1 to longest - 1 steps, and the
        input gate gets its negative
    scale : deviation of the recurrent weights times sqrt(H). With 1 the largest eigenvalue of each
        (H, H) block is near 1 in size; 0 means no recurrent weights
    T : time steps, 1 to 100
    lag : the lag whose numbers are shown, 0 to 100; more than T means T
    seed : which weights, inputs and direction are drawn
    shown : curves that are drawn first, of rnn_h, gru_h, lstm_h, lstm_c and lstm_f; the reader
        ticks the others
    basic : True leaves out what a reader of the LSTM may not have met yet: the GRU, and the slider
        and the example of `longest`. `values` has all series all the same

    Raises
    ------
    TraitError : a number that is not finite or not in its range, or a name that is not in this list

    Examples
    --------
    With no recurrent weights, only the cell state goes back, and only its forget gates make it
    smaller.

    >>> values = GradientLens(forget_bias=0.0, scale=0.0, T=20).values
    >>> bool(values["rnn_h"][1] == 0), bool(np.allclose(values["lstm_c"], values["lstm_f"]))
    (True, True)
    """

    name = "gradient_lens"
    fallback = (
        "The gradient lens shows how large a gradient still is k steps back in a plain RNN, a GRU "
        "and an LSTM. It needs JavaScript. The same numbers come from "
        "GradientLens(forget_bias=..., scale=..., T=...).values."
    )
    _esm = module(name)
    _css = style(name)

    forget_bias = Float(1.0).tag(sync=True)
    longest = Int(0).tag(sync=True)
    scale = Float(1.0).tag(sync=True)
    T = Int(50).tag(sync=True)
    lag = Int(20).tag(sync=True)
    seed = Int(3).tag(sync=True)
    shown = List(Enum(SERIES), default_value=list(SERIES)).tag(sync=True)
    basic = Bool(False).tag(sync=True)

    def __init__(
        self, *, shown: Sequence[str] = SERIES, basic: bool = False, **numbers: float
    ) -> None:
        unknown = [name for name in numbers if name not in _LIMITS]
        if unknown:
            raise TraitError(
                f"GradientLens: the numbers are {', '.join(_LIMITS)}; got {', '.join(unknown)}"
            )
        super().__init__(shown=list(shown), basic=basic, **numbers)

    @validate(*_LIMITS)  # type: ignore[untyped-decorator]  # traitlets is read without its types
    def _in_range(self, proposal: dict[str, Any]) -> float:
        name, value = proposal["trait"].name, proposal["value"]
        low, high = _LIMITS[name]
        if not (math.isfinite(value) and low <= value <= high):
            raise TraitError(f"GradientLens: {name} must be from {low} to {high}, got {value}")
        if name == "longest" and value == 1:
            raise TraitError(
                "GradientLens: longest must be 0, for one bias for all units, or at least 2, got 1"
            )
        return value  # type: ignore[no-any-return]  # Float or Int has made it one of the two

    @property
    def params(self) -> dict[str, dict[str, Array]]:
        """Weights of the three networks, as `rnn_step`, `gru_step` and `lstm_step` take them."""
        weights, _, _ = self._draw()
        zeros, bias = np.zeros(H), np.full(H, self.forget_bias)
        write = zeros  # bias of the input gate
        if self.longest:
            share = 0.5 + _drawn(self.seed)[3] / math.sqrt(12)  # from 0 to 1
            bias = np.log(1 + (self.longest - 2) * share)
            write = -bias
        weights["rnn"]["b"] = zeros
        weights["gru"] |= {"b": np.concatenate([zeros, bias, zeros]), "bh": zeros}  # r, z, n
        weights["lstm"]["b"] = np.concatenate([write, bias, zeros, zeros])  # i, f, g, o
        return weights

    @property
    def inputs(self) -> tuple[Array, Array]:
        """Inputs x (N, T, D), and the gradient of the loss with respect to the last hidden state,
        (N, H), of length 1.
        """
        _, x, dhT = self._draw()
        return x[: self.T].swapaxes(0, 1).copy(), dhT

    @property
    def values(self) -> dict[str, Array]:
        """Length of the gradient at lag 0, 1, ..., T, each (T+1,), by the reference's steps
        backward.

        "rnn_h", "gru_h", "lstm_h" : of h_{T-k}
        "lstm_c" : of c_{T-k}, by all ways
        "lstm_f" : of c_{T-k}, by the cell state alone, with the gates held fixed: the product of
        the forget gates
        """
        (x, dhT), params = self.inputs, self.params
        zeros = np.zeros((N, H))
        lengths: dict[str, list[float]] = {name: [] for name in SERIES}

        def note(name: str, gradient: Array) -> None:
            lengths[name].append(float(np.linalg.norm(gradient)))

        w = params["gru"]
        rnn, gru, lstm = [], [], []
        h_rnn = h_gru = h = c = zeros
        for t in range(self.T):
            h_rnn, rnn_cache = rnn_step(x[:, t], h_rnn, **params["rnn"])
            h_gru, gru_cache = gru_step(x[:, t], h_gru, w["Wx"], w["Wh"], w["b"], w["bh"])
            h, c, lstm_cache = lstm_step(x[:, t], h, c, **params["lstm"])
            rnn.append(rnn_cache)
            gru.append(gru_cache)
            lstm.append(lstm_cache)

        dh_rnn = dh_gru = dh = dhT
        dc = zeros
        alone = dhT * lstm[-1].o * (1 - np.tanh(c) ** 2)  # what h_T sends into c_T
        for t in reversed(range(self.T)):
            step = lstm[t]
            note("rnn_h", dh_rnn)
            note("gru_h", dh_gru)
            note("lstm_h", dh)
            note("lstm_c", dc + dh * step.o * (1 - np.tanh(step.c) ** 2))
            note("lstm_f", alone)
            alone = alone * step.f
            dh_rnn = rnn_step_backward(dh_rnn, rnn[t]).dh_prev
            dh_gru = gru_step_backward(dh_gru, gru[t]).dh_prev
            grads = lstm_step_backward(dh, dc, step)
            dh, dc = grads.dh_prev, grads.dc_prev
        # The initial state: nothing made h_0 from c_0, so that each has its own part only.
        for name, gradient in zip(SERIES, (dh_rnn, dh_gru, dh, dc, alone), strict=True):
            note(name, gradient)
        return {name: np.array(numbers) for name, numbers in lengths.items()}

    def _draw(self) -> tuple[dict[str, dict[str, Array]], Array, Array]:
        """Weights, x for T_MAX steps (T_MAX, N, D), and the direction dhT (N, H): the same for
        every T, scale and bias.
        """
        weights, x, dhT, _ = _drawn(self.seed)
        deviations = {"Wx": INPUT / math.sqrt(D), "Wh": self.scale / math.sqrt(H)}
        scaled = {
            network: {name: deviations[name] * array for name, array in arrays.items()}
            for network, arrays in weights.items()
        }
        return scaled, x, dhT / np.linalg.norm(dhT)


@lru_cache(maxsize=32)
def _drawn(seed: int) -> tuple[dict[str, dict[str, Array]], Array, Array, Array]:
    """All numbers with deviation 1, in the order in which the page draws them."""
    draw = _uniform(seed)

    def array(*shape: int) -> Array:
        numbers = np.array([next(draw) for _ in range(math.prod(shape))]).reshape(shape)
        numbers.flags.writeable = False  # the next lens with this seed gets the same array
        return numbers

    weights = {}
    for network, blocks in {"rnn": 1, "gru": 3, "lstm": 4}.items():
        weights[network] = {"Wx": array(D, blocks * H), "Wh": array(H, blocks * H)}
    return weights, array(T_MAX, N, D), array(N, H), array(H)


def _uniform(seed: int) -> Iterator[float]:
    """Endless numbers between -sqrt(3) and sqrt(3), so that their deviation is 1.

    The page draws the same ones, bit for bit: NumPy's generator would be hundreds of lines there.
    This one is the xorshift of Marsaglia (2003) with 32 bits; it is good enough for weights and for
    nothing that must not be foreseen.
    """
    state = (
        seed * 2_654_435_761 % 2**32
    )  # odd: no seed of the range gives the state 0, where the generator would stand still
    width = math.sqrt(3)
    skip = 8  # seeds that are close to each other give numbers that are close at first
    while True:
        state ^= state << 13 & 0xFFFFFFFF
        state ^= state >> 17
        state ^= state << 5 & 0xFFFFFFFF
        if skip:
            skip -= 1
            continue
        yield width * (2 * (state / 2**32) - 1)

"""The three kinds of layer that run over time, told to each other's tools in one way.

Masks, directions, stacks and segments are the same for an LSTM, a GRU and a plain RNN. What differs
stands in `CELLS`: how many blocks the weights have, what the state is, and which pair of functions
does the work.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from lstm_ref.errors import ArgumentError, Array, check_same_names
from lstm_ref.gru import gru_backward, gru_forward
from lstm_ref.rnn import rnn_backward, rnn_forward
from lstm_ref.sequence import lstm_backward, lstm_forward

Params = Mapping[str, Array]
State = tuple[Array, ...]  # (h, c) of an LSTM, (h,) of the others; each (N, H)


class Cell(NamedTuple):
    """What the tools need to know of a kind of layer."""

    states: tuple[str, ...]
    blocks: str  # how many blocks of H stand in Wx, Wh and b: "4", "3" or none
    # x, state, weights -> h, last state, cache
    forward: Callable[[Array, State, Params], tuple[Array, State, Any]]
    # dh, cache, gradients of what the last state has beside h -> dx, gradient of the first state,
    # gradients of the weights
    backward: Callable[[Array, Any, State], tuple[Array, State, dict[str, Array]]]

    def axes(self, weights: Params) -> dict[str, str]:
        """Name -> axes of each weight. A GRU has a bh where its reset gate acts after the product,
        and none before it.
        """
        axes = {"Wx": f"D {self.blocks}H", "Wh": f"H {self.blocks}H", "b": f"{self.blocks}H"}
        return axes | {"bh": "H"} if self.blocks == "3" and "bh" in weights else axes


def _lstm_forward(x: Array, state: State, weights: Params) -> tuple[Array, State, Any]:
    h0, c0 = state
    return lstm_forward(x, h0, c0, **weights)


def _lstm_backward(dh: Array, cache: Any, dlast: State) -> tuple[Array, State, dict[str, Array]]:
    grads = lstm_backward(dh, cache, *dlast)
    return grads.dx, (grads.dh0, grads.dc0), {"Wx": grads.dWx, "Wh": grads.dWh, "b": grads.db}


def _rnn_forward(x: Array, state: State, weights: Params) -> tuple[Array, State, Any]:
    h, hT, cache = rnn_forward(x, *state, **weights)
    return h, (hT,), cache


def _rnn_backward(dh: Array, cache: Any, dlast: State) -> tuple[Array, State, dict[str, Array]]:
    grads = rnn_backward(dh, cache)
    return grads.dx, (grads.dh0,), {"Wx": grads.dWx, "Wh": grads.dWh, "b": grads.db}


def _gru_forward(x: Array, state: State, weights: Params) -> tuple[Array, State, Any]:
    (h0,) = state
    weights = {"bh": None, **weights}  # type: ignore[dict-item]
    h, hT, cache = gru_forward(
        x, h0, **weights, reset="before" if weights["bh"] is None else "after"
    )
    return h, (hT,), cache


def _gru_backward(dh: Array, cache: Any, dlast: State) -> tuple[Array, State, dict[str, Array]]:
    grads = gru_backward(dh, cache)
    weights = {"Wx": grads.dWx, "Wh": grads.dWh, "b": grads.db}
    return grads.dx, (grads.dh0,), weights if grads.dbh is None else weights | {"bh": grads.dbh}


CELLS = {
    "lstm": Cell(("h", "c"), "4", _lstm_forward, _lstm_backward),
    "gru": Cell(("h",), "3", _gru_forward, _gru_backward),
    "rnn": Cell(("h",), "", _rnn_forward, _rnn_backward),
}


def state_pair(state: Sequence[Array]) -> tuple[Array, Array | None]:
    """(h, c), or (h, None) where the cell has no cell state."""
    return (state[0], state[1]) if len(state) == 2 else (state[0], None)


def check_cell(operation: str, cell: str, c0: Array | None) -> Cell:
    """The cell of that name; checks that there is a cell state where it has one, and none where it
    has not.

    Raises
    ------
    ArgumentError : with what was expected and what came
    """
    if cell not in CELLS:
        raise ArgumentError(f"{operation}: cell must be one of {', '.join(CELLS)}, got {cell!r}")
    if ("c" in CELLS[cell].states) != (c0 is not None):
        needed, got = ("an array", "None") if c0 is None else ("None", "an array")
        raise ArgumentError(f'{operation}: c0 must be {needed} where cell is "{cell}", got {got}')
    return CELLS[cell]


def check_weights(operation: str, cell: Cell, **weights: Params) -> None:
    """Check that every dict has the names of the weights of the cell.

    Raises
    ------
    ArgumentError : with the names that are missing and those that are too many
    """
    for argument, params in weights.items():
        check_same_names(operation, cell.axes(params), **{argument: params})

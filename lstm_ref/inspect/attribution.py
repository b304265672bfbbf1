"""What each step of an input contributes to a number of a model: gradients, and integrated ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np

from lstm_ref.errors import ArgumentError, Array, ShapeError
from lstm_ref.sequence import lstm_backward, lstm_forward

if TYPE_CHECKING:
    from torch import Tensor


_ROWS = 32  # outputs that go back at once; more would only take memory


def input_reach(
    params: Mapping[str, Array],
    x: Array,
    dh: Array,
    state: tuple[Array, Array] | None = None,
) -> Array:
    """How strongly one number of each step depends on the inputs up to it: lengths of gradients.

    Parameters
    ----------
    params : Wx (D, 4H), Wh (H, 4H), b (4H,) of an LSTM; other names are not looked at
    x : (T, D), what it reads
    dh : (T, H), derivative of the number of step t with respect to the hidden state of that step;
        for the score of one class, the column of the output matrix that makes it
    state : (h, c) before the first step, (H,) each; None means zeros

    Returns
    -------
    (T, T), row t: the norm of the derivative of the number of step t with respect to input s; 0
        where s > t

    Raises
    ------
    ShapeError : x and dh that are no sequences of one length

    Examples
    --------
    Nothing is kept: each number depends on its own input only.

    >>> import numpy as np
    >>> shut = {"Wx": np.ones((1, 4)), "Wh": np.zeros((1, 4)), "b": np.array([0.0, -50, 0, 0])}
    >>> input_reach(shut, np.ones((2, 1)), np.ones((2, 1))).round(2)
    array([[0.35, 0.  ],
           [0.  , 0.35]])
    """
    if x.ndim != 2 or dh.ndim != 2 or len(x) != len(dh):
        raise ShapeError(
            f"input_reach: x must be (T, D) and dh (T, H) with the same T, got {x.shape} and "
            f"{dh.shape}"
        )
    T, H = dh.shape
    found = np.zeros((T, T))
    for first in range(0, T, _ROWS):
        rows = np.arange(first, min(first + _ROWS, T))
        steps = int(rows[-1]) + 1  # what comes later does not reach these outputs
        copies = np.repeat(x[None, :steps], len(rows), axis=0)
        before = np.zeros((2, H), x.dtype) if state is None else np.stack(state)
        h0, c0 = (np.repeat(one[None], len(rows), axis=0) for one in before)
        h, _, cache = lstm_forward(copies, h0, c0, params["Wx"], params["Wh"], params["b"])
        back = np.zeros_like(h)
        back[np.arange(len(rows)), rows] = dh[rows]
        found[rows, :steps] = np.linalg.norm(lstm_backward(back, cache).dx, axis=2)
    return found


def integrated_gradients(score: Callable[[Tensor], Tensor], e: Tensor, n: int = 100) -> Tensor:
    """Part of each step in F(e) - F(0), along the straight line from zero vectors to e.

    Parameters
    ----------
    score : F, takes sequences of vectors (N, T, E) in PyTorch and gives one number for each, (N,)
    e : (T, E) one sequence, such as the vectors of the words of a sentence
    n : points on the line, the midpoints of as many pieces. Too few miss where the model changes
        its mind: look at `completeness_gap`

    Returns
    -------
    (T,) parts, which add up to F(e) - F(0) as n grows

    Raises
    ------
    ShapeError : e is no sequence of vectors, or score gives no single number for each sequence
    ArgumentError : n is below 1

    Sundararajan, Taly and Yan (2017).

    Examples
    --------
    >>> import torch
    >>> integrated_gradients(lambda v: (v**2).sum(dim=(1, 2)), torch.tensor([[1.0], [3.0]]))
    tensor([1., 9.])
    """
    import torch

    if e.ndim != 2:
        raise ShapeError(
            f"integrated_gradients: e must be (T, E), one sequence of vectors, got {tuple(e.shape)}"
        )
    if n < 1:
        raise ArgumentError(f"integrated_gradients: n must be 1 or more, got {n}")
    alpha = ((torch.arange(n) + 0.5) / n)[:, None, None].to(e)
    path = (alpha * e.detach()).requires_grad_()
    scores = score(path)
    if scores.shape != (n,):
        raise ShapeError(
            f"integrated_gradients: score must give one number for each of N = {n} sequences, got "
            f"{tuple(scores.shape)}; choose one output, or a difference of two"
        )
    gradient = torch.autograd.grad(scores.sum(), path)[0]
    return (gradient.mean(dim=0) * e.detach()).sum(dim=1)


def completeness_gap(score: Callable[[Tensor], Tensor], e: Tensor, parts: Tensor) -> float:
    """By how much parts fail to add up to F(e) - F(0), as a share of it: a check of the program,
    not of the explanation.

    Parameters
    ----------
    score : F, as in `integrated_gradients`
    e : (T, E) one sequence
    parts : (T,) of its steps

    Examples
    --------
    >>> import torch
    >>> def area(v):
    ...     return (v**2).sum(dim=(1, 2))
    >>> completeness_gap(area, torch.tensor([[1.0], [3.0]]), torch.tensor([1.0, 8.0]))
    0.1
    """
    import torch

    with torch.no_grad():
        whole = float((score(e[None]) - score(0 * e[None])).item())
    return round(abs(float(parts.sum()) - whole) / abs(whole), 7)

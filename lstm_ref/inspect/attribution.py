"""What each step of an input contributes to one number of a model: integrated gradients."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from lstm_ref.errors import ArgumentError, ShapeError

if TYPE_CHECKING:
    from torch import Tensor


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

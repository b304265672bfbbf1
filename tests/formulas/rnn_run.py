"""A plain RNN in PyTorch, for the formulas of several pages: the gradient of each tensor is its
total derivative.
"""

from functools import cache
from types import SimpleNamespace

import torch

N, T, D, H = 2, 6, 3, 4
PIECE = 4  # does not divide T: the last piece is shorter


@cache
def run(cut=None, examples=N):
    """T steps of a plain RNN in PyTorch; `.grad` of each tensor is its total derivative.

    Step t of the formulas is index t; index 0 is the initial state. With ``cut``, the state is
    detached after so many steps, as truncated backpropagation through time does.
    """
    generator = torch.Generator().manual_seed(0)

    def draw(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.float64, requires_grad=True)

    r = SimpleNamespace(
        Wx=draw(D, H), Wh=draw(H, H), b=draw(H), h=[draw(examples, H)], x=[None], a=[None]
    )
    for t in range(1, T + 1):
        before = r.h[-1].detach() if cut and t > 1 and (t - 1) % cut == 0 else r.h[-1]
        r.x.append(draw(examples, D))
        r.a.append(r.x[t] @ r.Wx + before @ r.Wh + r.b)
        r.h.append(torch.sinh(r.a[t]) / torch.cosh(r.a[t]))
        r.a[t].retain_grad()
        r.h[t].retain_grad()
    r.immediate = [
        None,
        *(torch.randn(examples, H, generator=generator, dtype=torch.float64) for _ in range(T)),
    ]
    sum((r.immediate[t] * r.h[t]).sum() for t in range(1, T + 1)).backward()
    return r


def same(one, other):
    return torch.allclose(one, other, rtol=1e-9, atol=1e-12)

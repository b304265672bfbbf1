"""A run of an LSTM in PyTorch's autograd, written out gate by gate, which the checks of formulas
compare with.
"""

from functools import cache
from types import SimpleNamespace

import torch

from lstm_ref import lstm_step

N, T, D, H = 3, 4, 2, 5


def same(one, other):
    """Whether two arrays or tensors hold the same numbers, to the last digits."""
    return torch.allclose(torch.as_tensor(one), torch.as_tensor(other), rtol=1e-9, atol=1e-12)


@cache
def run():
    """T steps of an LSTM in PyTorch, one tensor for each letter and step; `.grad` of each is its
    total derivative.

    Step t of the formulas is index t; index 0 is the initial state. Each gate has matrices of its
    own, so that nothing here depends on how the blocks are put side by side.
    """
    generator = torch.Generator().manual_seed(0)

    def draw(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.float64, requires_grad=True)

    Wx, Wh, b = ({gate: draw(*shape) for gate in "ifgo"} for shape in ((D, H), (H, H), (H,)))
    r = SimpleNamespace(
        Wx=Wx, Wh=Wh, b=b, x=[None], i=[None], f=[None], g=[None], o=[None], a=[None]
    )
    r.h, r.c = [draw(N, H)], [draw(N, H)]
    for t in range(1, T + 1):
        r.x.append(draw(N, D))
        r.a.append({gate: r.x[t] @ Wx[gate] + r.h[t - 1] @ Wh[gate] + b[gate] for gate in "ifgo"})
        for gate in "ifo":
            getattr(r, gate).append(1 / (1 + torch.exp(-r.a[t][gate])))
        r.g.append(torch.sinh(r.a[t]["g"]) / torch.cosh(r.a[t]["g"]))
        r.c.append(r.f[t] * r.c[t - 1] + r.i[t] * r.g[t])
        r.h.append(r.o[t] * torch.tanh(r.c[t]))
        for tensor in (*r.a[t].values(), r.i[t], r.f[t], r.g[t], r.o[t], r.c[t], r.h[t]):
            tensor.retain_grad()
    # The loss looks at every hidden state; its immediate derivative by h_t is r.immediate[t].
    r.immediate = [
        None,
        *(torch.randn(N, H, generator=generator, dtype=torch.float64) for _ in range(T)),
    ]
    loss = sum((r.immediate[t] * r.h[t]).sum() for t in range(1, T + 1))
    loss.backward()
    r.da = [
        None,
        *(torch.cat([r.a[t][gate].grad for gate in "ifgo"], dim=1) for t in range(1, T + 1)),
    ]
    r.packed = {
        name: torch.cat([w[gate] for gate in "ifgo"], dim=-1)
        for name, w in (("Wx", Wx), ("Wh", Wh), ("b", b))
    }
    r.dpacked = {
        name: torch.cat([w[gate].grad for gate in "ifgo"], dim=-1)
        for name, w in (("Wx", Wx), ("Wh", Wh), ("b", b))
    }
    return r


def comes_back(r, t):
    """What comes back to c_t along the cell state from step t+1."""
    return r.c[t + 1].grad * r.f[t + 1] if t < T else torch.zeros(N, H, dtype=torch.float64)


def ours(r, t):
    """h and c of step t by `lstm_step`."""
    arrays = [
        array.detach().numpy() for array in (r.x[t], r.h[t - 1], r.c[t - 1], *r.packed.values())
    ]
    h, c, cache = lstm_step(*arrays)
    return torch.from_numpy(h), torch.from_numpy(c), cache

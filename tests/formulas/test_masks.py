"""The formulas of the page *Padding and masks*."""

import numpy as np
import torch

from lstm_ref import (
    cross_entropy,
    init_lstm,
    lstm_forward,
    masked_lstm_forward,
    padding_mask,
)
from tests.chapter_formulas import Chapter

chapter = Chapter("masks")

N, T, D, H = 3, 5, 2, 4
rng = np.random.default_rng(0)
X = rng.normal(size=(N, T, D))
H0, C0 = rng.normal(size=(2, N, H))
PARAMS = init_lstm(rng, D, H)
PARAMS["b"] = rng.normal(size=4 * H)


def close(one, other):
    return np.allclose(one, other, rtol=1e-9, atol=1e-12)


def tensors(params):
    return {name: torch.tensor(array) for name, array in params.items()}


@chapter.shows(
    "eq-masks-state",
    r"""\begin{aligned}
    (\tilde h_t, \tilde c_t) &= \text{step}(x_t, h_{t-1}, c_{t-1}) \\
    h_t &= m_t\, \tilde h_t + (1 - m_t)\, h_{t-1} \\
    c_t &= m_t\, \tilde c_t + (1 - m_t)\, c_{t-1} \\
    y_t &= m_t\, h_t
    \end{aligned}""",
)
def masked():
    """The formula, step by step, against each sequence alone; the mask has holes, too."""
    holes = np.random.default_rng(4).random((N, T)) < 0.6
    for mask in (
        padding_mask(np.array([5, 1, 3]), T),
        padding_mask(np.array([2, 5, 4]), T, side="left"),
        holes,
    ):
        h, c, y = H0, C0, []
        for t in range(T):
            m = mask[:, t : t + 1].astype(float)
            h_new, c_new = lstm_forward(X[:, t : t + 1], h, c, **PARAMS)[1]
            h, c = m * h_new + (1 - m) * h, m * c_new + (1 - m) * c
            y.append(m * h)
        out, (hT, cT), _ = masked_lstm_forward(X, H0, C0, **PARAMS, mask=mask)
        assert close(out, np.stack(y, axis=1)) and close(hT, h) and close(cT, c)
        for n in range(N):
            if mask[n].any():
                alone = lstm_forward(X[n : n + 1, mask[n]], H0[n : n + 1], C0[n : n + 1], **PARAMS)
                assert close(out[n, mask[n]], alone[0][0]) and close(hT[n], alone[1][0][0])


@chapter.shows(
    "eq-masks-diluted",
    r"""\begin{aligned}
    \frac{1}{NT} \sum_{n,t} m_{n,t}\, \ell_{n,t} &=
    \rho \cdot \frac{\sum_{n,t} m_{n,t}\, \ell_{n,t}}{\sum_{n,t} m_{n,t}} \\
    \rho &= \frac{1}{NT} \sum_{n,t} m_{n,t}
    \end{aligned}""",
)
def diluted():
    """PyTorch's two ways to take the mean differ by rho, and so do their gradients."""
    mask = padding_mask(np.array([5, 1, 3]), T)
    logits = torch.tensor(np.random.default_rng(5).normal(size=(N, T, 6)), requires_grad=True)
    targets = torch.tensor(np.random.default_rng(6).integers(0, 6, size=(N, T)))
    each = torch.nn.functional.cross_entropy(logits.transpose(1, 2), targets, reduction="none")
    over_all = (each * torch.tensor(mask)).mean()
    ignored = torch.nn.functional.cross_entropy(
        logits.transpose(1, 2), targets.masked_fill(~torch.tensor(mask), -100), ignore_index=-100
    )
    rho = mask.sum() / (N * T)
    assert close(over_all.item(), rho * ignored.item())
    gradients = [
        torch.autograd.grad(loss, logits, retain_graph=True)[0].numpy()
        for loss in (over_all, ignored)
    ]
    loss, dlogits = cross_entropy(logits.detach().numpy(), targets.numpy(), mask)
    assert (
        close(gradients[0], rho * gradients[1])
        and close(dlogits, gradients[1])
        and close(loss, ignored.item())
    )


test_a_formula_is_right, test_every_formula_has_its_check = chapter.tests()

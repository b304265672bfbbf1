"""The formulas of the page *The training step*."""

import numpy as np
import torch
from torch import nn

from tests.chapter_formulas import Chapter

chapter = Chapter("training-step")


def random(*shape, seed=0):
    return torch.tensor(np.random.default_rng(seed).normal(size=shape))


@chapter.shows(
    "eq-training-step-unscale",
    r"""\begin{aligned}
    \tilde g &= \frac{1}{S} \min\Big(1, \frac{m}{\lVert S g \rVert}\Big)\, S g \\
    \lVert \tilde g \rVert &= \min\Big(\lVert g \rVert, \frac{m}{S}\Big) \le \frac{m}{S}
    \end{aligned}""",
)
def clipped_before_unscaling():
    """PyTorch's own scaler and clipping: long gradients, and one so short that the limit is not
    reached.
    """
    S, m = 64.0, 2.0
    for size in (1.0, 1e-3):
        g = size * random(5)
        w = torch.zeros(5, dtype=torch.float64, requires_grad=True)
        optimiser = torch.optim.SGD([w], lr=1.0)
        scaler = torch.amp.GradScaler("cpu", init_scale=S)
        scaler.scale((w * g).sum()).backward()
        nn.utils.clip_grad_norm_([w], m)
        scaler.step(optimiser)
        by_formula = min(1, m / (S * g).norm().item()) * S * g / S
        assert torch.allclose(-w.detach(), by_formula, rtol=1e-5)
        length = w.detach().norm().item()
        assert np.isclose(length, min(g.norm().item(), m / S), rtol=1e-5) and length <= m / S * (
            1 + 1e-6
        )


test_a_formula_is_right, test_every_formula_has_its_check = chapter.tests()

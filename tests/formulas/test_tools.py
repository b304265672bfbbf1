"""The formula of the page *Saving, exporting and serving*, on PyTorch's own layer and on the
reference.
"""

import numpy as np
import torch

from lstm_ref import init_lstm, lstm_forward
from tests.chapter_formulas import Chapter

chapter = Chapter("tools")


@chapter.shows(
    "eq-tools-stream", r"F(x_{1:T}, s_0) = \bigl[\, F(x_{1:k}, s_0), \; F(x_{k+1:T}, s_k) \,\bigr]"
)
def stops_anywhere_and_goes_on():
    N, T, D, H = 3, 9, 2, 5
    rng = np.random.default_rng(0)
    params, x = init_lstm(rng, D, H), rng.normal(size=(N, T, D))
    s_0 = rng.normal(size=(2, N, H))
    whole, _, _ = lstm_forward(x, *s_0, **params)
    torch.manual_seed(0)
    layer = torch.nn.LSTM(D, H, num_layers=2, batch_first=True, dtype=torch.float64)
    x_torch = torch.from_numpy(x)
    with torch.no_grad():
        at_once, _ = layer(x_torch)
        for k in range(1, T):
            head, s_k, _ = lstm_forward(x[:, :k], *s_0, **params)
            tail, _, _ = lstm_forward(x[:, k:], *s_k, **params)
            assert np.allclose(np.concatenate([head, tail], axis=1), whole, rtol=0, atol=1e-14)
            first, state = layer(x_torch[:, :k])
            rest, _ = layer(x_torch[:, k:], state)
            assert torch.allclose(torch.cat([first, rest], dim=1), at_once, rtol=0, atol=1e-14)
            # without the state
            assert not torch.allclose(layer(x_torch[:, k:])[0], at_once[:, k:], atol=1e-3)


test_a_formula_is_right, test_every_formula_has_its_check = chapter.tests()

"""The formulas of the page *GRU, attention, Transformer and hybrids*, by loops over the steps."""

import numpy as np
import torch

from benchmarks.pages import experiment
from tests.chapter_formulas import Chapter

chapter = Chapter("hybrids")
PAGE = experiment("hybrids")


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def given(D=3, H=4, T=7, seed=0):
    torch.manual_seed(seed)
    return torch.randn(2, T, D, dtype=torch.float64), H


def affine(layer, x):
    out = x @ layer.weight.detach().numpy().T
    return out if layer.bias is None else out + layer.bias.detach().numpy()


@chapter.shows(
    "eq-hybrids-min",
    r"f_t, \, i_t = \sigma(W x_t + b), \qquad h_t = a_t \odot h_{t-1} + b_t, \qquad a_t = "
    r"\frac{f_t}{f_t + i_t}, "
    r"\quad b_t = \frac{i_t}{f_t + i_t} \odot g_t",
)
def min_lstm():
    x, H = given()
    layer = PAGE.MinLSTM(3, H).double()
    h = np.zeros((2, H))
    for t, out in enumerate(layer(x).detach().numpy().swapaxes(0, 1)):
        f, i, g = np.split(affine(layer.affine, x[:, t].numpy()), 3, axis=1)
        f, i = sigmoid(f), sigmoid(i)
        h = f / (f + i) * h + i / (f + i) * g
        assert np.allclose(out, h)


@chapter.shows(
    "eq-hybrids-scan",
    r"(a_1, b_1) \text{ and then } (a_2, b_2) \quad = \quad (a_1 a_2, \; a_2 b_1 + b_2)",
)
def two_steps_are_one():
    rng = np.random.default_rng(0)
    h, a1, b1, a2, b2 = rng.normal(size=(5, 20))
    assert np.allclose(a2 * (a1 * h + b1) + b2, (a1 * a2) * h + (a2 * b1 + b2))
    for T in (1, 2, 3, 8, 33):
        a, b = torch.rand(2, T, 3, dtype=torch.float64), torch.randn(2, T, 3, dtype=torch.float64)
        h = torch.zeros(2, 3, dtype=torch.float64)
        for t in range(T):
            h = a[:, t] * h + b[:, t]
            assert torch.allclose(PAGE.scan(a, b)[:, t], h)


@chapter.shows(
    "eq-hybrids-limit",
    r"h_t = a^t h_0 + \frac{1 - a^t}{1 - a} \, b \quad \longrightarrow \quad \frac{b}{1 - a}",
)
def the_state_comes_to_rest():
    rng = np.random.default_rng(1)
    a, b, h0 = rng.uniform(0.1, 0.9, 5), rng.normal(size=5), rng.normal(size=5)
    h = h0.copy()
    for t in range(1, 400):
        h = a * h + b
        assert np.allclose(h, a**t * h0 + (1 - a**t) / (1 - a) * b)
    assert np.allclose(h, b / (1 - a))
    # Two layers of the page on a row of ones: after some steps no output moves any more. An LSTM is
    # free to go on.
    ones = torch.tensor(np.eye(2)[np.ones((1, 3000), int)], dtype=torch.float32)
    for seed in range(3):
        torch.manual_seed(seed)
        layers, _ = PAGE.MODELS["minLSTM, 2 layers"](2)
        out = layers(ones).detach()
        assert (out[:, -1] - out[:, -2]).abs().max() < 1e-5


@chapter.shows(
    "eq-hybrids-slstm",
    r"c_t = f_t \odot c_{t-1} + i_t \odot g_t, \qquad n_t = f_t \odot n_{t-1} + i_t, "
    r"\qquad h_t = o_t \odot \frac{c_t}{n_t}",
)
def scalar_cell():
    # The page subtracts m from the exponents; here they stand as they are written.
    x, H = given(seed=2)
    layer = PAGE.SLSTM(3, H).double()
    h = c = n = np.zeros((2, H))
    for t, out in enumerate(layer(x).detach().numpy().swapaxes(0, 1)):
        i, f, g, o = np.split(
            affine(layer.of_x, x[:, t].numpy()) + affine(layer.of_h, h), 4, axis=1
        )
        c, n = sigmoid(f) * c + np.exp(i) * np.tanh(g), sigmoid(f) * n + np.exp(i)
        h = sigmoid(o) * c / n
        assert np.allclose(out, h)


@chapter.shows(
    "eq-hybrids-mlstm",
    r"C_t = f_t \, C_{t-1} + i_t \, v_t k_t^{\top}, \qquad n_t = f_t \, n_{t-1} + i_t \, k_t, "
    r"\qquad "
    r"h_t = o_t \odot \frac{C_t \, q_t}{\max\{\lvert n_t^{\top} q_t \rvert, \, 1\}}",
)
def matrix_cell():
    x, H = given(seed=3)
    layer = PAGE.MLSTM(3, H).double()
    outs = layer(x).detach().numpy()
    for example in range(2):
        C, n = np.zeros((H, H)), np.zeros(H)
        for t in range(x.shape[1]):
            q, k, v, o = np.split(affine(layer.qkv, x[example, t].numpy()), 4)
            i, f = affine(layer.gates, x[example, t].numpy())
            k = k / np.sqrt(H)
            C = sigmoid(f + 3) * C + np.exp(i) * np.outer(v, k)
            n = sigmoid(f + 3) * n + np.exp(i) * k
            assert np.allclose(outs[example, t], sigmoid(o) * (C @ q) / max(abs(n @ q), 1))


@chapter.shows(
    "eq-hybrids-stream",
    r"4 \cdot 2H \;\text{ bytes} \qquad \text{against} \qquad 4 \cdot 2HBT \;\text{ bytes}",
)
def bytes_of_a_stream():
    H, B, T = 16, 2, 30
    _, (h, c) = torch.nn.LSTM(3, H, batch_first=True)(torch.randn(1, T, 3))
    assert sum(part.numel() * part.element_size() for part in (h, c)) == 4 * 2 * H
    blocks, _ = PAGE.MODELS["Transformer, 2 blocks"](3)
    kept = 0
    for block in blocks[0].blocks.layers:
        width = block.self_attn.in_proj_weight.shape[0] // 3  # of queries, keys and values
        kept += 2 * T * width * 4
    assert kept == 4 * 2 * H * B * T


test_a_formula_is_right, test_every_formula_has_its_check = chapter.tests()

"""The formulas of the page *TensorFlow and Keras*."""

import keras
import numpy as np
import sympy

from lstm_ref import init_lstm
from tests.chapter_formulas import Chapter

chapter = Chapter("keras")

N, T, D, H = 3, 5, 2, 4
rng = np.random.default_rng(0)
X = rng.normal(size=(N, T, D))
PARAMS = init_lstm(rng, D, H)
PARAMS["b"] = rng.normal(size=4 * H)


def layer(**options):
    """keras.layers.LSTM with the weights above, in float64."""
    lstm = keras.layers.LSTM(H, dtype="float64", return_sequences=True, **options)
    lstm.build((N, None, D))
    lstm.set_weights([PARAMS["Wx"], PARAMS["Wh"], PARAMS["b"]])
    return lstm


@chapter.shows(
    "eq-keras-cell",
    r"""\begin{aligned}
    \big[\, z_0 \mid z_1 \mid z_2 \mid z_3 \,\big] &= x_t K + h_{t-1} R + b \\
    c_t &= \sigma(z_1) \odot c_{t-1} + \sigma(z_0) \odot \tanh(z_2) \\
    h_t &= \sigma(z_3) \odot \tanh(c_t)
    \end{aligned}""",
)
def cell():
    """The formula, step by step, against the layer of Keras and the weights that it says it has."""
    lstm = layer(return_state=True)
    K, R, b = (w.numpy() for w in (lstm.cell.kernel, lstm.cell.recurrent_kernel, lstm.cell.bias))
    h, c = np.zeros((N, H)), np.zeros((N, H))
    for t in range(T):
        z0, z1, z2, z3 = np.split(X[:, t] @ K + h @ R + b, 4, axis=1)
        c = c / (1 + np.exp(-z1)) + np.tanh(z2) / (1 + np.exp(-z0))
        h = np.tanh(c) / (1 + np.exp(-z3))
    _, hT, cT = lstm(X)
    assert np.allclose(hT, h, rtol=0, atol=1e-13) and np.allclose(cT, c, rtol=0, atol=1e-13)


@chapter.shows("eq-keras-mask-output", r"y_t = m_t\, h_t + (1 - m_t)\, y_{t-1}")
def mask_output():
    """Masks on either side, with holes, and a row that is all padding; h is that of the steps that
    are left.
    """
    mask = np.array([[1, 1, 0, 0, 0], [0, 0, 1, 1, 1], [1, 0, 1, 0, 1]], bool)
    out = layer()(X, mask=mask).numpy()
    zero = layer(zero_output_for_mask=True)(X, mask=mask).numpy()
    for n in range(N):
        alone = iter(layer()(X[n : n + 1, mask[n]]).numpy()[0])
        y = np.zeros(H)
        for t in range(T):
            y = next(alone) if mask[n, t] else y
            assert np.allclose(out[n, t], y, rtol=0, atol=1e-13)
            assert np.allclose(zero[n, t], y * mask[n, t], rtol=0, atol=1e-13)


@chapter.shows(
    "eq-keras-stateful",
    r"x^{(k)}_{n,t} = s_{nL + kT + t}, \qquad h^{(k+1)}_{n,0} = h^{(k)}_{n,T}",
)
def stateful():
    """Batches cut by the formula, one after another, give what each row gives in one run."""
    L, batches = 15, 3
    s = rng.normal(size=(N * L + 1, D))  # s[1] is the first, as in the formula
    lstm, once = layer(stateful=True), layer()
    got = []
    for k in range(batches):
        x = np.stack([[s[n * L + k * T + t] for t in range(1, T + 1)] for n in range(N)])
        got.append(lstm(x).numpy())
    rows = np.stack([s[n * L + 1 : (n + 1) * L + 1] for n in range(N)])
    assert np.allclose(np.concatenate(got, axis=1), once(rows), rtol=0, atol=1e-13)


@chapter.shows(
    "eq-keras-shrink",
    r"""\begin{aligned}
    L(a) &= \rho\, (1 - a)^2 + (1 - \rho)(1 + a^2) \\
    \frac{dL}{da} &= 2 (a - \rho) = 0 \quad \text{at} \quad a = \rho
    \end{aligned}""",
)
def shrink():
    """All cases of a target, and of a memory that is the target or an independent bit, one by
    one.
    """
    a, rho = sympy.symbols("a rho", positive=True)
    expected = rho * sum((m - a * m) ** 2 for m in (-1, 1)) / 2
    expected += (1 - rho) * sum((y - a * m) ** 2 for y in (-1, 1) for m in (-1, 1)) / 4
    assert sympy.expand(expected - (rho * (1 - a) ** 2 + (1 - rho) * (1 + a**2))) == 0
    assert sympy.expand(sympy.diff(expected, a) - 2 * (a - rho)) == 0
    assert sympy.solve(sympy.diff(expected, a), a) == [rho]
    assert sympy.expand(expected.subs(a, rho) - (1 - rho**2)) == 0


@chapter.shows(
    "eq-keras-floor",
    r"L_{\min} = -\ln \frac{e^1}{e^1 + (V - 1)\, e^0} = \ln\Big(1 + \frac{V - 1}{e}\Big)",
)
def floor():
    V = sympy.Symbol("V", positive=True)
    assert (
        sympy.simplify(-sympy.log(sympy.E / (sympy.E + V - 1)) - sympy.log(1 + (V - 1) / sympy.E))
        == 0
    )
    for count in (2, 5, 30):
        least = float(np.log(1 + (count - 1) / np.e))
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        scores = rng.normal(size=(2000, count)) * 10
        p = np.exp(scores - scores.max(axis=1, keepdims=True))
        p /= p.sum(axis=1, keepdims=True)
        nearest = min(float(loss(row[None].argmax(axis=1), row[None])) for row in p[:200])
        sharp = float(loss(np.array([0]), np.eye(count)[:1]))
        assert nearest >= least - 1e-6 and abs(sharp - least) < 1e-6


test_a_formula_is_right, test_every_formula_has_its_check = chapter.tests()

"""The formulas of the page *One model, three engines*."""

from fractions import Fraction

import keras
import numpy as np
import sympy

from tests.chapter_formulas import Chapter

chapter = Chapter("three-engines")

U = Fraction(1, 2**24)  # unit roundoff of float32


def one_by_one(x, w):
    """Sum of products in float32, one after another; with it, of each product, all the factors 1 +
    delta that it met.
    """
    total, factors = np.float32(0), []
    for k, (a, b) in enumerate(zip(x, w, strict=True)):
        product = a * b
        factors.append([Fraction(float(product)) / (Fraction(float(a)) * Fraction(float(b)))])
        if k == 0:
            total = product
            continue
        exact = Fraction(float(total)) + Fraction(float(product))
        total = total + product
        for met in factors:
            met.append(Fraction(float(total)) / exact)
    return total, factors


def terms(n, seed):
    x, w = np.random.default_rng(seed).normal(size=(2, n)).astype(np.float32)
    return x, w, [Fraction(float(a)) * Fraction(float(b)) for a, b in zip(x, w, strict=True)]


@chapter.shows(
    "eq-three-engines-rounded",
    (
        r"\hat s = \sum_{j=1}^{n} x_j w_j (1 + \delta_j)^{m_j}, \quad |\delta_j| \le u, \quad m_j "
        r"\le n"
    ),
)
def rounded():
    """With exact fractions: every factor is within u of 1, there are at most n of them, and they
    give the sum exactly.
    """
    for n in (2, 7, 40):
        x, w, products = terms(n, n)
        total, factors = one_by_one(x, w)
        assert max(map(len, factors)) == n and all(abs(f - 1) <= U for met in factors for f in met)
        rebuilt = Fraction(0)
        for product, met in zip(products, factors, strict=True):
            for f in met:
                product *= f
            rebuilt += product
        assert rebuilt == Fraction(float(total))


def gamma(n, u):
    return n * u / (1 - n * u)


@chapter.shows("eq-three-engines-gamma", r"(1 - u)^{-n} - 1 \le \gamma_n = \frac{n u}{1 - n u}")
def bound_of_factors():
    for n in (1, 2, 30, 500):
        for u in (U, Fraction(1, 2**11), Fraction(1, 1000)):
            assert 1 / (1 - u) ** n - 1 <= gamma(n, u)
            # the farthest that n factors go
            assert max((1 + u) ** n - 1, 1 - (1 - u) ** n) <= 1 / (1 - u) ** n - 1
    # and it is not much too large
    assert 1 / (1 - U) ** 500 - 1 > gamma(500, U) * Fraction(99, 100)


@chapter.shows(
    "eq-three-engines-product", r"|\hat s - s| \le \gamma_n \sum_{j=1}^{n} |x_j|\, |w_j|"
)
def bound_of_products():
    """In any order of the terms, and for the sums of the library."""
    for n in (3, 20, 200):
        x, w, products = terms(n, n + 1)
        exact, limit = sum(products), gamma(n, U) * sum(map(abs, products))
        found = [x @ w, np.sum(x * w)]
        for seed in range(3):
            order = np.random.default_rng(seed).permutation(n)
            found.append(one_by_one(x[order], w[order])[0])
        assert all(abs(Fraction(float(s)) - exact) <= limit for s in found)


@chapter.shows(
    "eq-three-engines-drift",
    r"""\begin{aligned}
    \delta_{k+1} &= \delta_k + r_k \\
    &\quad - \eta \big(\nabla L(w_k + \delta_k) - \nabla L(w_k)\big) \\
    &\approx (I - \eta A_k)\, \delta_k + r_k
    \end{aligned}""",
)
def drift():
    """What is exact is two runs, one of them pushed; what the approximation leaves out is of second
    order in delta.
    """
    w = sympy.symbols("w0:3")
    loss = sympy.sin(w[0]) * w[1] + sympy.exp(w[2] * w[0] / 3) + w[1] ** 2 * w[2]
    gradient = sympy.lambdify(w, [sympy.diff(loss, v) for v in w])
    hessian = sympy.lambdify(w, sympy.hessian(loss, w))
    rng = np.random.default_rng(0)
    at, way, push, eta = rng.normal(size=3), rng.normal(size=3), rng.normal(size=3), 0.3
    left_out = []
    for size in (1e-2, 1e-3):
        delta, r = size * way, size * push
        one = at - eta * np.array(gradient(*at))
        other = at + delta - eta * np.array(gradient(*(at + delta))) + r
        first = delta - eta * (np.array(gradient(*(at + delta))) - np.array(gradient(*at))) + r
        second = (np.eye(3) - eta * np.array(hessian(*at))) @ delta + r
        assert np.allclose(other - one, first, rtol=0, atol=1e-14)
        left_out.append(np.linalg.norm(first - second))
    assert 50 < left_out[0] / left_out[1] < 200


@chapter.shows(
    "eq-three-engines-adam",
    r"""\begin{aligned}
    \Delta &= \eta\, \frac{\sqrt{1 - \beta_2^t}}{1 - \beta_1^t} \cdot \frac{m}{\sqrt v
        + \varepsilon} \\
    &= \eta\, \frac{\hat m}{\sqrt{\hat v} + \varepsilon / \sqrt{1 - \beta_2^t}}
    \end{aligned}""",
)
def adam():
    """Five steps of Keras's Adam in float64, with gradients so small that epsilon counts."""
    gradients = np.random.default_rng(1).normal(size=(5, 4)) * 10.0 ** np.array([-8, -7, -6, -2])
    eta, b1, b2, eps = 2.0**-6, 0.9, 0.999, 1e-7  # eta is exact in float32, in which Keras keeps it
    variable = keras.Variable(np.zeros(4), dtype="float64")
    optimiser = keras.optimizers.Adam(eta, beta_1=b1, beta_2=b2, epsilon=eps)
    m, v = np.zeros(4), np.zeros(4)
    for t, g in enumerate(gradients, 1):
        before = variable.numpy().copy()
        optimiser.apply([keras.ops.convert_to_tensor(g)], [variable])
        m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g**2
        as_written = eta * np.sqrt(1 - b2**t) / (1 - b1**t) * m / (np.sqrt(v) + eps)
        m_hat, v_hat = m / (1 - b1**t), v / (1 - b2**t)
        moved = eta * m_hat / (np.sqrt(v_hat) + eps / np.sqrt(1 - b2**t))
        assert np.allclose(as_written, moved, rtol=1e-12, atol=0)
        # Keras rounds beta to float32, and 1 - beta_2 is small: its first digits are gone.
        assert np.allclose(before - variable.numpy(), moved, rtol=1e-4, atol=0)
        plain = eta * m_hat / (np.sqrt(v_hat) + eps)
        assert not np.allclose(moved, plain, rtol=1e-2, atol=0)


test_a_formula_is_right, test_every_formula_has_its_check = chapter.tests()

"""What is timed side by side: each a forward and backward pass through one LSTM layer, on the same
numbers.

A contender is ready when it comes from here: weights are loaded, graphs are traced. Calling it
computes the gradients of x, Wx, Wh and b, in whatever form they come; `gradients` makes NumPy
arrays of that, for the comparison.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from lstm_ref import init_lstm, speed

NAMES = ("dx", "dWx", "dWh", "db")
BOUND = "GEMM bound"
# rungs of the ladder; "in-place" is lstm_ref itself
OURS = ("naive", "fused", "hoisted", "in-place", "numba")
OTHERS = ("PyTorch", "Keras", "HIPS autograd")
Pass = Callable[[], Any]


def draw(N: int, T: int, D: int, H: int) -> tuple[dict[str, Any], Any]:
    """The arguments of lstm_forward by name, and dh, in float32."""
    rng = np.random.default_rng(0)
    weights = init_lstm(rng, D, H, dtype=np.float32)
    x, dh = rng.standard_normal((N, T, D), np.float32), rng.standard_normal((N, T, H), np.float32)
    zeros = np.zeros((N, H), np.float32)
    return {"x": x, "h0": zeros, "c0": zeros.copy(), **weights}, dh


def contender(name: str, N: int, T: int, D: int, H: int) -> Pass:
    """The contender of this name, ready to run."""
    if name == BOUND:
        return speed.gemm_bound(N, T, D, H)
    layer, dh = draw(N, T, D, H)
    if name == "Keras":
        return keras_pass(layer, dh)
    if name == "HIPS autograd":
        return autograd_pass(layer, dh)
    return speed.rung(name).one_pass(layer, dh)


def missing(name: str) -> str:
    """Why a contender cannot run here; "" where it can."""
    modules = {"Keras": "tensorflow", "HIPS autograd": "autograd"}
    if name in modules or name == BOUND:
        return (
            ""
            if name == BOUND or importable(modules[name])
            else f"{modules[name]} is not installed"
        )
    return speed.rung(name).missing()


def importable(module: str) -> bool:
    """Whether there is such a module."""
    import importlib.util

    return importlib.util.find_spec(module) is not None


def keras_pass(layer: dict[str, Any], dh: Any) -> Pass:
    """keras.layers.LSTM in a tf.function, which is how Keras trains it."""
    import tensorflow as tf

    from lstm_ref.keras import keras_lstm

    lstm = keras_lstm({name: layer[name] for name in ("Wx", "Wh", "b")})
    x, dh_tf = tf.constant(layer["x"]), tf.constant(dh)
    state = [tf.constant(layer[name]) for name in ("h0", "c0")]

    @tf.function
    def gradients(x: Any, dh: Any, h0: Any, c0: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(x)
            h, _, _ = lstm(x, initial_state=[h0, c0], training=True)
        return tape.gradient(h, [x, *lstm.trainable_variables], output_gradients=dh)

    gradients.get_concrete_function(x, dh_tf, *state)  # traced here and not in the first pass
    return functools.partial(gradients, x, dh_tf, *state)


def autograd_pass(layer: dict[str, Any], dh: Any) -> Pass:
    """The step, written forward only; HIPS autograd records what NumPy does and goes back through
    it.
    """
    import autograd
    import autograd.numpy as anp

    H = dh.shape[2]
    h0, c0 = layer["h0"], layer["c0"]

    def loss(x: Any, Wx: Any, Wh: Any, b: Any) -> Any:
        h, c, total = h0, c0, np.float32(0)
        for t in range(x.shape[1]):
            a = anp.dot(x[:, t], Wx) + anp.dot(h, Wh) + b
            i, f, o = (0.5 * anp.tanh(0.5 * a[:, k * H : (k + 1) * H]) + 0.5 for k in (0, 1, 3))
            c = f * c + i * anp.tanh(a[:, 2 * H : 3 * H])
            h = o * anp.tanh(c)
            total = total + anp.sum(h * dh[:, t])
        return total

    gradient = autograd.grad(loss, (0, 1, 2, 3))
    return functools.partial(gradient, *(layer[name] for name in ("x", "Wx", "Wh", "b")))


def gradients(name: str, answer: Any) -> dict[str, Any]:
    """What a contender came back with, as NumPy arrays by name."""
    if name in OURS:
        return {key: getattr(answer, key) for key in NAMES}
    if name == "PyTorch":
        dx, dWx, dWh, db = (tensor.cpu().numpy() for tensor in answer)
        answer = (dx, dWx.T, dWh.T, db)
    return {key: np.asarray(part) for key, part in zip(NAMES, answer, strict=True)}


def compare(runs: dict[str, Pass]) -> None:
    """Stop unless all compute the same gradients: nothing else may be timed side by side."""
    expected = gradients("in-place", runs["in-place"]())
    for name, run in runs.items():
        if name == BOUND:
            continue
        got = gradients(name, run())
        for key, right in expected.items():
            np.testing.assert_allclose(
                got[key], right, rtol=0, atol=1e-3 * np.abs(right).max(), err_msg=f"{name}: {key}"
            )

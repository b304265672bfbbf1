"""The functions of the problem set vanishing, in the style of a notebook: one line an idea, no
checks on arguments.

They are the solutions of the set (a test holds that). Each of its known mistakes is this file with
one line changed, or a few.
"""

from __future__ import annotations

from typing import Any

import numpy as np


def sigmoid(a: Any) -> Any:
    return 0.5 * np.tanh(0.5 * a) + 0.5


def rnn_forward(x: Any, h0: Any, Wx: Any, Wh: Any, b: Any) -> Any:
    h = h0
    hs = []
    for t in range(x.shape[1]):
        a = x[:, t] @ Wx + h @ Wh + b
        h = np.tanh(a)
        hs.append(h)
    return np.stack(hs, axis=1)


def rnn_backward(dh: Any, x: Any, h0: Any, h: Any, Wx: Any, Wh: Any) -> Any:
    dx = np.zeros_like(x)
    dWx, dWh, db = np.zeros_like(Wx), np.zeros_like(Wh), np.zeros_like(Wh[0])
    dh_next = np.zeros_like(h0)
    for t in reversed(range(x.shape[1])):
        h_prev = h[:, t - 1] if t > 0 else h0
        dh_t = dh[:, t] + dh_next
        da = dh_t * (1 - h[:, t] ** 2)
        dx[:, t] = da @ Wx.T
        dh_next = da @ Wh.T
        dWx = dWx + x[:, t].T @ da
        dWh = dWh + h_prev.T @ da
        db = db + da.sum(axis=0)
    return dx, dh_next, dWx, dWh, db


def gradient_by_lag(dhT: Any, h: Any, Wh: Any) -> Any:
    d = dhT
    norms = [np.linalg.norm(d, axis=1).mean()]
    for t in reversed(range(h.shape[1])):
        slope = 1 - h[:, t] ** 2
        d = (d * slope) @ Wh.T
        norms.append(np.linalg.norm(d, axis=1).mean())
    return np.array(norms)


def scale_to_radius(W: Any, radius: Any) -> Any:
    eigenvalues = np.linalg.eigvals(W)
    largest = np.abs(eigenvalues).max()
    return W * (radius / largest)


def orthogonal(A: Any) -> Any:
    tall = A if A.shape[0] >= A.shape[1] else A.T
    Q, R = np.linalg.qr(tall)
    Q = Q * np.sign(np.diag(R))
    return Q if A.shape[0] >= A.shape[1] else Q.T


def clip_by_norm(grads: Any, max_norm: Any) -> Any:
    squares = [(g**2).sum() for g in grads.values()]
    norm = np.sqrt(sum(squares))
    scale = max_norm / norm if norm > max_norm else 1.0
    clipped = {name: g * scale for name, g in grads.items()}
    return clipped, norm


def chrono_biases(u: Any, longest: Any) -> Any:
    times = 1 + u * (longest - 2)
    f = np.log(times)
    i = -f
    g = o = np.zeros_like(f)
    bias_ih = np.concatenate([i, f, g, o])
    bias_hh = np.zeros_like(bias_ih)
    return bias_ih, bias_hh


def gru_step(x: Any, h_prev: Any, Wx: Any, Wh: Any, b: Any, bh: Any) -> Any:
    a_r, a_z, a_n = np.split(x @ Wx + b, 3, axis=1)
    m_r, m_z, m_n = np.split(h_prev @ Wh, 3, axis=1)
    r = sigmoid(a_r + m_r)
    z = sigmoid(a_z + m_z)
    n = np.tanh(a_n + r * (m_n + bh))
    h = (1 - z) * n + z * h_prev
    return h, (r, z, n)

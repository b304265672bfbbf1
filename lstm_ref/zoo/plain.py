"""The four functions in the style of a notebook: one line an idea, a list of step caches, no checks
on arguments.

They return what `lstm_ref.cell` and `lstm_ref.sequence` return (a test holds that). Every bug of
the zoo is this file with one line changed, or a few; that is why each line holds one idea, and why
no function here is written for speed.
"""

from __future__ import annotations

from typing import Any

import numpy as np


def sigmoid(a: Any) -> Any:
    return 0.5 * np.tanh(0.5 * a) + 0.5


def lstm_step(x: Any, h_prev: Any, c_prev: Any, Wx: Any, Wh: Any, b: Any) -> Any:
    a = x @ Wx + h_prev @ Wh + b
    a_i, a_f, a_g, a_o = np.split(a, 4, axis=1)
    i, f, o = sigmoid(a_i), sigmoid(a_f), sigmoid(a_o)
    g = np.tanh(a_g)
    c = f * c_prev + i * g
    h = o * np.tanh(c)
    return h, c, (x, h_prev, c_prev, i, f, g, o, c, Wx, Wh)


def lstm_forward(x: Any, h0: Any, c0: Any, Wx: Any, Wh: Any, b: Any) -> Any:
    T = x.shape[1]
    h, c = h0, c0
    hs, cache = [], []
    for t in range(T):
        h, c, step = lstm_step(x[:, t], h, c, Wx, Wh, b)
        hs.append(h)
        cache.append(step)
    h_all = np.stack(hs, axis=1)
    return h_all, (h, c), cache


def lstm_step_backward(dh: Any, dc: Any, cache: Any) -> Any:
    x, h_prev, c_prev, i, f, g, o, c, Wx, Wh = cache
    tanh_c = np.tanh(c)
    do = dh * tanh_c
    dc = dc + dh * o * (1 - tanh_c**2)
    di = dc * g
    df = dc * c_prev
    dg = dc * i
    dc_prev = dc * f
    da_i = di * i * (1 - i)
    da_f = df * f * (1 - f)
    da_g = dg * (1 - g**2)
    da_o = do * o * (1 - o)
    da = np.concatenate([da_i, da_f, da_g, da_o], axis=1)
    dx = da @ Wx.T
    dh_prev = da @ Wh.T
    dWx = x.T @ da
    dWh = h_prev.T @ da
    db = da.sum(axis=0)
    return dx, dh_prev, dc_prev, dWx, dWh, db


def lstm_backward(dh: Any, cache: Any, dcT: Any = None) -> Any:
    T = dh.shape[1]
    *_, Wx, Wh = cache[0]
    dxs: Any = [None] * T
    dWx, dWh, db = np.zeros_like(Wx), np.zeros_like(Wh), np.zeros_like(Wh[0])
    dh_next = np.zeros_like(dh[:, 0])
    dc_next = np.zeros_like(dh[:, 0]) if dcT is None else dcT
    for t in reversed(range(T)):
        dh_t = dh[:, t] + dh_next
        dx_t, dh_next, dc_next, dWx_t, dWh_t, db_t = lstm_step_backward(dh_t, dc_next, cache[t])
        dxs[t] = dx_t
        dWx = dWx + dWx_t
        dWh = dWh + dWh_t
        db = db + db_t
    dx = np.stack(dxs, axis=1)
    return dx, dh_next, dc_next, dWx, dWh, db

"""The functions of the problem set search-compress, in the style of a notebook: one line an idea,
no checks on arguments.

They are the solutions of the set (a test holds that). Each of its known mistakes is this file with
one line changed, or a few.
"""

from __future__ import annotations

from typing import Any

import numpy as np


def log_softmax(z: Any) -> Any:
    z = z - z.max(axis=1, keepdims=True)
    return z - np.log(np.exp(z).sum(axis=1, keepdims=True))


def log_uniform(low: Any, high: Any, n: Any, rng: Any) -> Any:
    exponents = rng.uniform(np.log(low), np.log(high), n)
    return np.exp(exponents)


def random_search(loss: Any, rates: Any) -> Any:
    losses = [loss(rate) for rate in rates]
    best = np.nanargmin(losses)
    return rates[best], losses[best]


def price(n: Any, rungs: Any, eta: Any) -> Any:
    total = before = 0
    for rung in rungs:
        total += n * (rung - before)
        n, before = max(1, n // eta), rung
    return total


def successive_halving(train: Any, n: Any, rungs: Any, eta: Any) -> Any:
    alive, before = list(range(n)), 0
    for rung in rungs:
        losses = {k: train(k, before, rung) for k in alive}
        order = sorted(alive, key=lambda k: np.nan_to_num(losses[k], nan=np.inf))
        alive, before = order[: max(1, len(order) // eta)], rung
    best = order[0]
    return best, losses[best]


def choose_and_report(validation: Any, test: Any, K: Any, seeds: Any) -> Any:
    table = [[validation(k, seed) for seed in seeds] for k in range(K)]
    best = np.nanargmin(np.mean(table, axis=1))
    reported = np.mean([test(best, seed) for seed in seeds])
    return best, reported


def prune_layer(W: Any, k: Any) -> Any:
    order = np.argsort(np.abs(W), axis=None)
    pruned = W.copy()
    pruned.flat[order[:k]] = 0
    return pruned


def prune_model(params: Any, share: Any) -> Any:
    matrices = [name for name in params if params[name].ndim == 2]
    sizes = np.concatenate([np.abs(params[name]).ravel() for name in matrices])
    limit = np.sort(sizes)[int(share * len(sizes))]
    pruned = dict(params)
    for name in matrices:
        pruned[name] = np.where(np.abs(params[name]) < limit, 0, params[name])
    return pruned


def drop_units(Wx: Any, Wh: Any, b: Any, V: Any, keep: Any) -> Any:
    H = len(Wh)
    strength = (Wh**2).sum(axis=1) + (V**2).sum(axis=1)
    units = np.sort(np.argsort(-strength)[:keep])
    columns = np.concatenate([units + gate * H for gate in range(4)])
    return Wx[:, columns], Wh[units][:, columns], b[columns], V[units]


def row_scales(W: Any) -> Any:
    largest = np.abs(W).max(axis=1)
    return np.where(largest > 0, largest / 127, 1.0)


def quantise(W: Any, scale: Any) -> Any:
    steps = np.round(W / scale[:, None])
    Q = np.clip(steps, -127, 127).astype(np.int8)
    back = Q * scale[:, None]
    return Q, back


def distillation_loss(z: Any, v: Any, y: Any, tau: Any, share: Any) -> Any:
    log_p, log_q = log_softmax(v / tau), log_softmax(z / tau)
    soft = (np.exp(log_p) * (log_p - log_q)).sum(axis=1).mean()
    hard = -log_softmax(z)[np.arange(len(y)), y].mean()
    return share * tau**2 * soft + (1 - share) * hard

# mypy: disable-error-code="var-annotated"
# As a student writes it: no name in the functions is annotated, and an empty list is one.
"""The functions of the problem set seq2seq, in the style of a notebook: one line an idea, no checks
on arguments.

They are the solutions of the set (a test holds that). Each of its known mistakes is this file with
one line changed, or a few.
"""

from __future__ import annotations

from typing import Any

import numpy as np


def dot_scores(q: Any, k: Any) -> Any:
    products = q @ k.swapaxes(1, 2)
    return products / np.sqrt(q.shape[2])


def additive_scores(q: Any, k: Any, Wq: Any, Wk: Any, v: Any) -> Any:
    from_q = (q @ Wq)[:, :, None]
    from_k = (k @ Wk)[:, None, :]
    both = np.tanh(from_q + from_k)
    return both @ v


def attend(e: Any, mask: Any, values: Any) -> Any:
    kept = np.where(mask[:, None, :], e, -np.inf)
    largest = kept.max(axis=2, keepdims=True)
    largest = np.where(np.isfinite(largest), largest, 0)
    shares = np.exp(kept - largest)
    total = shares.sum(axis=2, keepdims=True)
    w = shares / np.where(total > 0, total, 1)
    z = w @ values
    return w, z


def teacher_forcing(texts: Any, start: Any, end: Any, pad: Any) -> Any:
    T = max(len(words) for words in texts) + 1
    fed = np.full((len(texts), T), pad)
    target = np.full((len(texts), T), pad)
    mask = np.zeros((len(texts), T), dtype=bool)
    for n, words in enumerate(texts):
        L = len(words) + 1
        fed[n, :L] = [start, *words]
        target[n, :L] = [*words, end]
        mask[n, :L] = True
    return fed, target, mask


def greedy(next_log_p: Any, end: Any, longest: Any) -> Any:
    words, log_p = [], 0.0
    for _ in range(longest):
        scores = next_log_p(words)
        best = int(np.argmax(scores))
        log_p = log_p + scores[best]
        if best == end:
            break
        words = [*words, best]
    return words, log_p


def beam_search(next_log_p: Any, end: Any, longest: Any, width: Any, alpha: Any) -> Any:
    beam, done = [([], 0.0)], []
    for _ in range(longest):
        longer = []
        for words, log_p in beam:
            scores = next_log_p(words)
            longer += [([*words, w], log_p + scores[w]) for w in range(len(scores))]
        kept = sorted(longer, key=lambda text: -text[1])[:width]
        done += [text for text in kept if text[0][-1] == end]
        beam = [text for text in kept if text[0][-1] != end]
    found = done if done else beam
    scored = [(log_p / ((5 + len(words)) / 6) ** alpha, words) for words, log_p in found]
    score, words = max(scored)
    return [word for word in words if word != end], score


def ctc_collapse(path: Any) -> Any:
    labels, before = [], 0
    for symbol in path:
        if symbol != before and symbol != 0:
            labels.append(symbol)
        before = symbol
    return labels


def ctc_forward(log_p: Any, labels: Any) -> Any:
    z = [0]
    for label in labels:
        z += [label, 0]
    before = np.full(len(z), -np.inf)
    before[:2] = log_p[0, z[:2]]
    for frame in log_p[1:]:
        alpha = np.full(len(z), -np.inf)
        for s in range(len(z)):
            ways = [before[s]]
            if s > 0:
                ways.append(before[s - 1])
            if s > 1 and z[s] != 0 and z[s] != z[s - 2]:
                ways.append(before[s - 2])
            alpha[s] = np.logaddexp.reduce(ways) + frame[z[s]]
        before = alpha
    return np.logaddexp.reduce(before[-2:])

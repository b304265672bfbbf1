"""The functions of the problem set measure, in the style of a notebook: one line an idea, no checks
on arguments.

They are the solutions of the set (a test holds that). Each of its known mistakes is this file with
one line changed, or a few.
"""

from __future__ import annotations

from typing import Any

import numpy as np


def divide(a: Any, b: Any) -> Any:
    return np.divide(a, b, out=np.zeros(np.shape(b)), where=np.asarray(b) > 0)


def confusion(y: Any, said: Any, C: Any) -> Any:
    M = np.zeros((C, C))
    for true, given in zip(y, said, strict=True):
        M[true, given] += 1
    return M


def per_class(M: Any) -> Any:
    right = np.diag(M)
    said = M.sum(axis=0)
    there = M.sum(axis=1)
    precision = divide(right, said)
    recall = divide(right, there)
    f1 = divide(2 * right, said + there)
    return precision, recall, f1


def average_f1(M: Any) -> Any:
    right = np.diag(M)
    said = M.sum(axis=0)
    there = M.sum(axis=1)
    f1 = divide(2 * right, said + there)
    macro = f1.mean()
    micro = right.sum() / M.sum()
    weighted = (f1 * there).sum() / there.sum()
    return macro, micro, weighted


def masked_accuracy(said: Any, y: Any, mask: Any) -> Any:
    right = said == y
    counted = right & mask
    return counted.sum() / mask.sum()


def perplexity(nll: Any, mask: Any) -> Any:
    total = nll[mask].sum()
    tokens = mask.sum()
    return np.exp(total / tokens)


def edit_distance(a: Any, b: Any) -> Any:
    row = list(range(len(b) + 1))
    for i, word in enumerate(a):
        above = row
        row = [i + 1]
        for j, other in enumerate(b):
            change = above[j] + (word != other)
            row.append(min(change, above[j + 1] + 1, row[j] + 1))
    return row[-1]


def is_right(distance: Any) -> Any:
    known = [
        ("", "a b", 2), ("a b", "", 2), ("a b a", "a b a", 0), ("a b", "b a", 2),
        ("a", "b", 1), ("a b c", "a x c", 1),
        ("b c d", "a b c d", 1), ("a b c d", "b c d", 1), ("a b c", "a b c d", 1),
        ("a b c d", "a b c", 1),
        ("a b c d", "b c d e", 2), ("a a b", "a b", 1), ("a b", "a x b", 1),
        ("a b c", "x y z w", 4),
    ]  # fmt: skip
    return all(distance(a.split(), b.split()) == n for a, b, n in known)


def word_error_rate(references: Any, hypotheses: Any) -> Any:
    errors = words = 0
    for reference, hypothesis in zip(references, hypotheses, strict=True):
        a, b = reference.split(), hypothesis.split()
        errors += edit_distance(a, b)
        words += len(a)
    return errors / words


def skill(series: Any, forecast: Any, horizon: Any) -> Any:
    truth = series[horizon:]
    baseline = series[:-horizon]
    error = np.sqrt(((forecast - truth) ** 2).mean())
    baseline_error = np.sqrt(((baseline - truth) ** 2).mean())
    return 1 - error / baseline_error


def bootstrap_interval(errors: Any, words: Any, rows: Any) -> Any:
    rates = []
    for drawn in rows:
        rate = errors[drawn].sum() / words[drawn].sum()
        rates.append(rate)
    low, high = np.quantile(rates, [0.025, 0.975])
    return low, high

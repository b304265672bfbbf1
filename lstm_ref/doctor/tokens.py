"""Tokens whose embedding is never trained, although they are no padding."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from lstm_ref.doctor.context import Context
from lstm_ref.doctor.labels import in_end_runs
from lstm_ref.doctor.report import Finding, found
from lstm_ref.doctor.subject import Array

# Padding stands at the ends of a sequence. A token that stands among others in most of the examples
# is none; two sequences in one row, with padding between, are rare.
MOST = 0.5
FEWEST_PLACES = 5
# All others have a gradient; with fewer kinds of tokens that says little.
FEWEST_TOKENS = 4


def without_gradient(context: Context) -> Iterator[Finding]:
    """One token has an effect among the others, and its row of the embedding no gradient."""
    subject = context.subject
    for parameter in subject.parameters():
        gradient = subject.first_backward.parameters.get(parameter.name)
        if parameter.kind != "embedding" or not parameter.trainable or gradient is None:
            continue
        rows = np.abs(gradient).max(axis=1)
        for name in context.data_leaves:
            token = _silent(context, name, rows)
            if token is not None and (finding := _finding(context, name, *token)) is not None:
                yield finding
                return


def _silent(context: Context, name: str, rows: Array) -> tuple[int, Array] | None:
    """The one token of a leaf whose row has no gradient, and where it stands among others."""
    array, axis = context.subject.inputs[name], context.time_axis(name)
    if array.dtype.kind not in "iu" or array.ndim != 2 or axis is None:
        return None
    tokens = np.unique(array)
    if tokens[0] < 0 or tokens[-1] >= len(rows):
        return None
    silent = tokens[rows[tokens] == 0]
    if len(silent) != 1 or len(tokens) < FEWEST_TOKENS:
        return None
    equal = np.moveaxis(array == silent[0], axis, 1)
    inner = equal & ~in_end_runs(equal)
    if inner.any(axis=1).mean() < MOST or inner.sum() < FEWEST_PLACES:
        return None
    return int(silent[0]), np.moveaxis(inner, 1, axis)


def _finding(context: Context, name: str, token: int, places: Array) -> Finding | None:
    array = context.subject.inputs[name]
    other = next(int(t) for t in np.unique(array) if t != token)
    change = context.change(context.with_leaf(name, np.where(places, other, array)))
    effect = float(change.max(initial=0.0))
    if effect == 0:  # masked there, too
        return None
    return found(
        "token-without-gradient", float(token), count=int(places.sum()), effect=effect, where=name
    )

"""Connectionist temporal classification: a loss for labels whose order is known, and whose times
are not.

At each of T time steps the network gives a distribution over V symbols; symbol 0 is the blank, "no
label now". A path, one symbol a step, spells the labels that remain when equal neighbours are
merged first and blanks are left out then: ``- a a - a b`` spells ``a a b``. The loss is -log of the
probability of all paths that spell the target.

Those paths are counted by dynamic programming over z = - l1 - l2 - ... lL -, the labels with blanks
around them, 2L+1 states:

    alpha[t, s] = log p(all ways to be in state s at step t), from t = 0 on: stay, go on by one, or
                  by two where that leaves out a blank between two different labels
    beta[t, s]  = log p(all ways from state s at step t to the end)
    loss        = -log p(target) = -logsumexp over s of (alpha[t, s] + beta[t, s]), at any step t
    dlogits[t]  = softmax(logits[t]) - occupancy[t]
    occupancy[t, k] = p(symbol k at step t | target)

Everything is computed in logarithms: the probability of a path is a product of T numbers, and would
underflow.

Source: Graves, Fernández, Gomez and Schmidhuber (2006).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from lstm_ref.arguments import check_integers
from lstm_ref.errors import ArgumentError, Array, ShapeError, check_arrays

BLANK = 0
# labels -> log p of the paths that end in a blank, and in a label
_Beams = dict[tuple[int, ...], tuple[float, float]]


def ctc_loss(
    logits: Array, targets: Array, lengths: Array | None = None, target_lengths: Array | None = None
) -> tuple[float, Array]:
    """Mean over the examples of -log p(target), in nats.

    Parameters
    ----------
    logits : (N, T, V), scores before the softmax; symbol 0 is the blank
    targets : (N, L), integers: labels from 1 to V-1; what stands after the end of a target is not
        used. L may be 0
    lengths : (N,), integers from 1 to T: time steps of each example; None means T
    target_lengths : (N,), integers from 0 to L: labels of each example; None means L

    Returns
    -------
    loss : float
    dlogits : (N, T, V), 0 after the end of an example

    Raises
    ------
    ArgumentError : also where an example has too few time steps for its target: one is needed for
        each label, and one for a blank between each two equal neighbours. (PyTorch gives infinity
        there, or 0 with ``zero_infinity=True``)
    ShapeError, DTypeError, NotFiniteError : an argument that does not fit, by name

    Notes
    -----
    PyTorch's ``ctc_loss`` takes log_softmax(logits) as (T, N, V), and its ``reduction="mean"`` also
    divides each example by the number of its labels; the mean here is ``reduction="sum"`` over N.

    Examples
    --------
    Two steps, all symbols alike: of the 9 paths, ``a a``, ``- a`` and ``a -`` spell ``a``.

    >>> loss, dlogits = ctc_loss(np.zeros((1, 2, 3)), np.array([[1]]))
    >>> round(float(np.exp(-loss)), 4), dlogits[0, 0].round(4)
    (0.3333, array([ 0.    , -0.3333,  0.3333]))
    """
    check_arrays("ctc_loss", {}, logits=(logits, "N T V"))
    N, T, V = logits.shape
    lengths, target_lengths = _check_targets(logits, targets, lengths, target_lengths)
    z, used = _states(targets, target_lengths)
    skip = np.zeros(z.shape, bool)  # may a path come to this state from the one before the last?
    skip[:, 2:] = (z[:, 2:] != BLANK) & (z[:, 2:] != z[:, :-2])

    log_p = _log_softmax(logits)
    # (N, T, 2L+1)
    log_z = np.take_along_axis(log_p, np.broadcast_to(z[:, np.newaxis], (N, T, z.shape[1])), axis=2)

    first = np.arange(z.shape[1]) < 2  # a path begins with the first blank or the first label
    last = used & ~_shift(used, -2, False)  # and ends with the last label or the last blank
    alpha = np.empty_like(log_z)
    for t in range(T):
        came = np.where(first, 0.0, -np.inf) if t == 0 else _reach(alpha[:, t - 1], skip, 1)
        alpha[:, t] = came + log_z[:, t]
    beta = np.full_like(log_z, -np.inf)
    for t in reversed(range(T)):
        ends = (lengths == t + 1)[:, np.newaxis]
        if t < T - 1:
            beta[:, t] = _reach(beta[:, t + 1] + log_z[:, t + 1], skip, -1)
        beta[:, t] = np.where(ends, np.where(last, 0.0, -np.inf), beta[:, t])

    valid = np.arange(T) < lengths[:, np.newaxis]
    log_likelihood = np.logaddexp.reduce(alpha[:, 0] + beta[:, 0], axis=1)
    # From a state after the end of a target none leads back to its last one: there beta is -inf,
    # and the share 0.
    share = np.exp(alpha + beta - log_likelihood[:, np.newaxis, np.newaxis])
    # states of one symbol, all the blanks say, add up
    occupancy = share @ (z[:, :, np.newaxis] == np.arange(V))
    dlogits = np.where(valid[:, :, np.newaxis], np.exp(log_p) - occupancy, 0) / N
    return float(-log_likelihood.mean()), dlogits.astype(logits.dtype)


def ctc_greedy(logits: Array, lengths: Array | None = None) -> list[list[int]]:
    """The labels that the most probable path spells: the best symbol of each step, merged, without
    blanks.

    That path need not spell the most probable labels: many paths of small probability can be more
    together.

    Parameters
    ----------
    logits : (N, T, V)
    lengths : (N,), integers from 1 to T; None means T

    Returns
    -------
    labels : for each example, integers from 1 to V-1

    Raises
    ------
    ArgumentError, ShapeError, DTypeError, NotFiniteError : an argument that does not fit, by name

    Examples
    --------
    >>> ctc_greedy(np.eye(3)[np.array([[0, 1, 1, 0, 1, 2]])])
    [[1, 1, 2]]
    """
    check_arrays("ctc_greedy", {}, logits=(logits, "N T V"))
    N, T, _ = logits.shape
    lengths = _check_lengths("ctc_greedy", "lengths", lengths, N, 1, T, "T")
    spelt = []
    for path, length in zip(logits.argmax(axis=2), lengths, strict=True):
        path = path[:length]
        new = np.concatenate([[True], path[1:] != path[:-1]])
        spelt.append([int(symbol) for symbol in path[new] if symbol != BLANK])
    return spelt


def ctc_beam(logits: Array, lengths: Array | None = None, width: int = 8) -> list[list[int]]:
    """The labels that are most probable, found by a prefix beam search: all paths that spell the
    same labels are added up.

    At each step the ``width`` most probable beginnings are kept. The wider the beam, the surer is
    the best one among them; with every beginning kept it is exact.

    Parameters
    ----------
    logits : (N, T, V), scores before the softmax; symbol 0 is the blank
    lengths : (N,), integers from 1 to T; None means T
    width : beginnings that are kept, 1 or more

    Returns
    -------
    labels : for each example, integers from 1 to V-1

    Raises
    ------
    ArgumentError, ShapeError, DTypeError, NotFiniteError : an argument that does not fit, by name

    Notes
    -----
    A beginning has two probabilities: of the paths that end in a blank, and of those that end in
    its last label. Only after a blank can the same label come once more. Source: Hannun, Maas,
    Jurafsky and Ng (2014), without a language model.

    Examples
    --------
    The blank is the best symbol of both steps, but ``a a``, ``- a`` and ``a -`` together have 0.64,
    and ``- -`` has 0.36.

    >>> logits = np.log(np.array([[[0.6, 0.4], [0.6, 0.4]]]))
    >>> ctc_greedy(logits), ctc_beam(logits)
    ([[]], [[1]])
    """
    check_arrays("ctc_beam", {}, logits=(logits, "N T V"))
    N, T, _ = logits.shape
    lengths = _check_lengths("ctc_beam", "lengths", lengths, N, 1, T, "T")
    if isinstance(width, bool) or not isinstance(width, int | np.integer) or width < 1:
        raise ArgumentError(f"ctc_beam: width must be an integer, 1 or more, got {width!r}")
    return [
        _best_labels(_log_softmax(z[:length]), int(width))
        for z, length in zip(logits, lengths, strict=True)
    ]


def _log_softmax(logits: Array) -> Array:
    shifted = logits.astype(np.float64) - logits.max(axis=-1, keepdims=True)
    log_p: Array = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return log_p


def _best_labels(log_p: Array, width: int) -> list[int]:
    """Best labels for log_p (T, V) of one example."""
    beams: _Beams = {(): (0.0, -np.inf)}
    for step in log_p.tolist():
        longer = _longer(beams, step)
        best = sorted(longer, key=lambda labels: -_log_sum(*longer[labels]))[:width]
        beams = {labels: longer[labels] for labels in best}
    return list(next(iter(beams)))


def _longer(beams: _Beams, step: list[float]) -> _Beams:
    """All beginnings that one more step can lead to; ``step`` has the log-probability of each
    symbol.
    """
    nothing: tuple[float, float] = (-math.inf, -math.inf)
    found: _Beams = {}
    for labels, (blank, label) in beams.items():
        both, last = _log_sum(blank, label), labels[-1] if labels else BLANK
        old = found.get(labels, nothing)
        found[labels] = (_log_sum(old[0], both + step[BLANK]), _log_sum(old[1], label + step[last]))
        for symbol in range(1, len(step)):
            more = (*labels, symbol)
            old = found.get(more, nothing)
            found[more] = (
                old[0],
                _log_sum(old[1], (blank if symbol == last else both) + step[symbol]),
            )
    return found


def _log_sum(a: float, b: float) -> float:
    """Logarithm of the sum of two numbers that are given by their logarithms."""
    high, low = (a, b) if a > b else (b, a)
    return high if low == -math.inf else high + math.log1p(math.exp(low - high))


def _states(targets: Array, target_lengths: Array) -> tuple[Array, Array]:
    """z, the labels with blanks around each, and which of the 2L+1 states an example has; both (N,
    2L+1).
    """
    N, L = targets.shape
    z = np.full((N, 2 * L + 1), BLANK)
    z[:, 1::2] = targets
    used = np.arange(2 * L + 1) <= 2 * target_lengths[:, np.newaxis]
    return np.where(used, z, BLANK), used


def _reach(before: Array, skip: Array, way: int) -> Array:
    """Log of the sum of what comes to each state from itself, from the next and, where allowed,
    from the next but one.

    The way is 1 from left to right and -1 back; ``skip`` belongs to the state on the right.
    """
    two = np.where(skip, before, -np.inf) if way == -1 else before
    two = _shift(two, 2 * way, -np.inf)
    two = two if way == -1 else np.where(skip, two, -np.inf)
    return np.logaddexp(np.logaddexp(before, _shift(before, way, -np.inf)), two)


def _shift(array: Array, by: int, fill: Any) -> Array:
    """The last axis moved by so many places to the right, or to the left where that is negative."""
    moved = np.full_like(array, fill)
    if by > 0:
        moved[:, by:] = array[:, :-by]
    else:
        moved[:, :by] = array[:, -by:]
    return moved


def _check_targets(
    logits: Array, targets: Any, lengths: Array | None, target_lengths: Array | None
) -> tuple[Array, Array]:
    check_integers("ctc_loss", "targets", targets)
    N, T, V = logits.shape
    if targets.ndim != 2 or len(targets) != N:
        raise ShapeError(f"ctc_loss: targets must be (N, L) = ({N}, any), got {targets.shape}")
    L = targets.shape[1]
    lengths = _check_lengths("ctc_loss", "lengths", lengths, N, 1, T, "T")
    target_lengths = _check_lengths("ctc_loss", "target_lengths", target_lengths, N, 0, L, "L")
    for n, (target, length, count) in enumerate(zip(targets, lengths, target_lengths, strict=True)):
        labels = target[:count]
        if count and (labels.min() < 1 or labels.max() >= V):
            raise ArgumentError(
                f"ctc_loss: targets must lie from 1 to V-1 = {V - 1}, got {labels.min()} to "
                f"{labels.max()} in targets[{n}]; 0 is the blank"
            )
        repeats = int((labels[1:] == labels[:-1]).sum())
        if length < count + repeats:
            blanks = f", and {repeats} for blanks between equal neighbours" if repeats else ""
            raise ArgumentError(
                f"ctc_loss: targets[{n}] needs {count + repeats} time steps, {count} for its "
                f"labels{blanks}, got {length}; leave the example out, or let the network see more "
                "steps"
            )
    return lengths, target_lengths


def _check_lengths(
    operation: str, name: str, lengths: Any, N: int, least: int, most: int, letter: str
) -> Array:
    if lengths is None:
        return np.full(N, most)
    check_integers(operation, name, lengths)
    if lengths.shape != (N,):
        raise ShapeError(f"{operation}: {name} must be (N,) = ({N},), got {lengths.shape}")
    if lengths.min() < least or lengths.max() > most:
        raise ArgumentError(
            f"{operation}: {name} must lie from {least} to {letter} = {most}, got {lengths.min()} "
            f"to {lengths.max()}"
        )
    return np.asarray(lengths, np.int64)

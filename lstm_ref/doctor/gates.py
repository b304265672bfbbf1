"""Gates of the framework's LSTM layers, computed again from their weights and from what goes in."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from lstm_ref.doctor.context import Context
from lstm_ref.doctor.report import Finding, found
from lstm_ref.doctor.subject import Array, Parameter, Recurrent
from lstm_ref.sequence import lstm_forward

# Beyond 5 a sigmoid has lost 99 % of its slope. The forget and the input gate may be driven there
# on purpose, to remember; g and o may not.
LIMIT = 5.0
SATURATED = 0.5
# Units drawn at random are never alike over a batch.
ALIKE = 0.5
# PyTorch starts at one half, Keras at 0.73; a bias of -3 gives this.
SHUT = 0.05
# A forget bias that was set on purpose is the same for all units; one that was drawn or trained is
# not.
SET = 0.25
FEWEST_STEPS = 3
# Weights that are drawn are never equal. A last layer may start at one value, and a scale at 1; of
# two matrices and most of all weights, units do the same.
FEWEST_EQUAL = 2
MOST_EQUAL = 0.5
MOST = (16, 100)  # examples and steps that are computed again


def gates(context: Context) -> Iterator[Finding]:
    """Saturation of g and o, and units that do the same."""
    for layer in context.layers:
        if layer.weights is None or layer.x.shape[1] < 2:
            continue
        state, activations, forget = _run(layer)
        context.pictures.setdefault("gates", {})[layer.name] = np.histogram(activations, 20)[
            0
        ].tolist()
        share = _saturated(activations)
        if share > SATURATED:
            where = layer.name or "the model"
            yield found("gates-saturated", share, threshold=SATURATED, where=where, limit=LIMIT)
            return
        if forget < SHUT:
            yield found("memory-too-short", forget, threshold=SHUT, where=layer.name or "the model")
            return
        twins = _twins(state)
        if twins > ALIKE:
            yield found("dead-units", twins, threshold=ALIKE, where=layer.name or "the model")
            return


def own_gates(context: Context) -> Iterator[Finding]:
    """The same for a cell that is written out: saturation, and what is kept of the state of the
    step before.
    """
    steps = max((context.length(name) for name in context.data_leaves), default=0)
    seen = context.subject.own_gates()
    if seen is None or steps < FEWEST_STEPS or seen.calls < steps:
        return
    where = "the cell that is written out"
    if seen.saturated > SATURATED:
        yield found(
            "gates-saturated", seen.saturated, threshold=SATURATED, where=where, limit=LIMIT
        )
    elif seen.kept is not None and seen.kept < SHUT:
        yield found("memory-too-short", seen.kept, threshold=SHUT, where=where)


def _run(layer: Recurrent) -> tuple[Array, Array, float]:
    """States (N, T, H), activated gates g and o, and the median forget gate of the layer, from a
    state of zero.
    """
    assert layer.weights is not None
    Wx, Wh, b = (w.astype(np.float64) for w in layer.weights)
    x = np.nan_to_num(layer.x[: MOST[0], : MOST[1]].astype(np.float64))
    zero = np.zeros((len(x), Wh.shape[0]))
    h, _, cache = lstm_forward(x, zero, zero, Wx, Wh, b)
    H = Wh.shape[0]
    values = np.asarray(cache.gates)
    activations = np.concatenate(
        [values[..., 2 * H : 3 * H], values[..., 3 * H :] * 2 - 1], axis=-1
    )
    return h, activations, float(np.median(values[..., H : 2 * H]))


def equal_weights(context: Context) -> Iterator[Finding]:
    """Matrices whose numbers are all equal: then all units of a layer do the same."""
    subject = context.subject
    names = [
        (p.name, int(np.prod(p.shape)))
        for p in subject.parameters()
        if p.trainable and len(p.shape) == 2 and min(p.shape) > 1 and p.kind != "embedding"
    ]
    values = subject.values([name for name, _ in names])
    equal = [
        pair
        for pair, value in zip(names, values, strict=True)
        if np.ptp(value) == 0 and value.flat[0] not in (0, 1)
    ]
    share = sum(size for _, size in equal) / max(sum(size for _, size in names), 1)
    if len(equal) >= FEWEST_EQUAL and share > MOST_EQUAL:
        where = " and ".join(name for name, _ in equal[:2])
        yield found("dead-units", share, threshold=MOST_EQUAL, where=f"the layers behind {where}")


def forget_bias(context: Context) -> Iterator[Finding]:
    """Two bias vectors that both carry a forget bias."""
    biases: dict[int, list[Parameter]] = {}
    for p in context.subject.parameters():
        if p.kind == "lstm" and len(p.shape) == 1 and p.shape[0] % 4 == 0:
            biases.setdefault(p.layer, []).append(p)
    for members in biases.values():
        for pair in zip(members[::2], members[1::2], strict=False):
            values = [
                v[len(v) // 4 : len(v) // 2] for v in context.subject.values([p.name for p in pair])
            ]
            if all(np.ptp(v) == 0 and v[0] > SET for v in values):
                where = " and ".join(p.name for p in pair)
                yield found("forget-bias-twice", float(values[0][0] + values[1][0]), where=where)
                return


def _saturated(activations: Array) -> float:
    """Share of g and o whose pre-activation lies beyond the limit; o is given as 2 o - 1."""
    H = activations.shape[-1] // 2
    g, o = np.abs(activations[..., :H]), np.abs(activations[..., H:])
    return float(np.mean([(g > np.tanh(LIMIT)).mean(), (o > np.tanh(LIMIT / 2)).mean()]))


def _twins(state: Array) -> float:
    """Share of the units that have the same states as another one."""
    flat = np.round(state.reshape(-1, state.shape[-1]), 9)
    _, counts = np.unique(flat, axis=1, return_counts=True)
    return float(counts[counts > 1].sum() / flat.shape[1]) if flat.shape[1] > 3 else 0.0

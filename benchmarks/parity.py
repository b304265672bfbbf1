"""Do all engines give the same numbers, forward and backward? Run by `python -m benchmarks.parity`.

Each case is one model on one batch, drawn at random. NumPy's answer is the reference's own. Each
other engine starts from the same weights, which `lstm_ref.convert` carries over, and has its own
way to the gradients. The table shows the largest difference to NumPy of any number of the results
and gradients, relative to the largest number of its array where this is above 1.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # read by TensorFlow when it is imported

import numpy as np  # noqa: E402

from benchmarks.machine import machine  # noqa: E402
from lstm_ref import (
    bidirectional_backward,
    bidirectional_forward,
    stacked_backward,
    stacked_forward,
)  # noqa: E402
from lstm_ref.convert import convert_model  # noqa: E402

Answer = dict[str, np.ndarray]


class Case(NamedTuple):
    """A model as `convert_model` has it here, a batch, and the gradients that the loss sends
    back.
    """

    x: np.ndarray  # (N, T, D)
    h0: np.ndarray  # (S, N, H)
    c0: np.ndarray | None  # (S, N, H), None for a GRU
    model: list[Any]
    mask: np.ndarray | None  # (N, T)
    dh: np.ndarray  # (N, T, H or 2H)
    dhT: np.ndarray  # (S, N, H)
    dcT: np.ndarray | None
    cell: str
    reset: str

    @property
    def pairs(self) -> list[list[dict[str, np.ndarray]]]:
        """The model by layer and direction."""
        return [[layer] if isinstance(layer, dict) else layer for layer in self.model]


def draw(
    N: int,
    T: int,
    D: int,
    H: int,
    *,
    layers: int = 1,
    directions: int = 1,
    mask: np.ndarray | None = None,
    cell: str = "lstm",
    reset: str = "after",
    seed: int = 0,
    scale: float = 0.5,
    dtype: Any = np.float64,
) -> Case:
    """A case with weights of order 0.5, as in a network that has learnt."""
    rng = np.random.default_rng(seed)
    k, S = {"lstm": 4, "gru": 3}[cell], layers * directions

    def normal(*shape: int) -> np.ndarray:
        return (scale * rng.normal(size=shape)).astype(dtype)

    def weights(width: int) -> dict[str, np.ndarray]:
        own = {"bh": normal(H)} if (cell, reset) == ("gru", "after") else {}
        return {"Wx": normal(width, k * H), "Wh": normal(H, k * H), "b": normal(k * H), **own}

    pairs = [
        [weights(directions * H if layer else D) for _ in range(directions)]
        for layer in range(layers)
    ]
    model = [pair if directions == 2 else pair[0] for pair in pairs]
    x, h0, dh, dhT = normal(N, T, D), normal(S, N, H), normal(N, T, directions * H), normal(S, N, H)
    c0, dcT = (normal(S, N, H), normal(S, N, H)) if cell == "lstm" else (None, None)
    return Case(x, h0, c0, model, mask, dh, dhT, dcT, cell, reset)


def named(results: Answer, grads: list[list[dict[str, Any]]]) -> Answer:
    """One dict: results, and gradients of the weights by layer and direction. What there is none of
    is left out.
    """
    weights = {
        f"d{name}[{k}][{d}]": grad
        for k, layer in enumerate(grads)
        for d, part in enumerate(layer)
        for name, grad in part.items()
    }
    return {
        name: np.asarray(array) for name, array in (results | weights).items() if array is not None
    }


# --- The engines
# --------------------------------------------------------------------------------------------------


def numpy_answer(case: Case) -> Answer:
    """The reference, layer by layer."""
    h, caches, last, k = case.x, [], [], 0
    for pair in case.pairs:
        part = slice(k, k + len(pair))
        h0, c0 = case.h0[part], None if case.c0 is None else case.c0[part]
        forward = bidirectional_forward if len(pair) == 2 else stacked_forward
        h, state, cache = forward(h, h0, c0, pair, case.mask, cell=case.cell)
        caches.append((part, cache))
        last.append(state)
        k += len(pair)
    dh, states, grads = case.dh, [], []
    for part, cache in reversed(caches):
        both = part.stop - part.start == 2
        dcT = None if case.dcT is None else case.dcT[part]
        step = (bidirectional_backward if both else stacked_backward)(
            dh, cache, dcT, case.dhT[part]
        )
        dh = step.dx
        states.insert(0, (step.dh0, step.dc0))
        grads.insert(0, list(step.directions if both else step.layers))

    def joined(parts: list[Any]) -> Any:
        return None if parts[0] is None else np.concatenate(parts)

    (hT, cT), (dh0, dc0) = (map(joined, zip(*pairs, strict=True)) for pairs in (last, states))
    return named({"h": h, "hT": hT, "cT": cT, "dx": dh, "dh0": dh0, "dc0": dc0}, grads)


def torch_equations(case: Case) -> Answer:
    """PyTorch from the equations, gradients by autograd."""
    import torch

    from lstm_ref.torch import deep_forward_torch

    def leaf(array: Any) -> Any:
        return None if array is None else torch.tensor(array, requires_grad=True)

    x, h0, c0 = leaf(case.x), leaf(case.h0), leaf(case.c0)
    layers = [
        [{name: leaf(array) for name, array in part.items()} for part in pair]
        for pair in case.pairs
    ]
    mask = None if case.mask is None else torch.from_numpy(case.mask)
    h, (hT, cT) = deep_forward_torch(x, h0, c0, layers, mask=mask)
    _torch_backward(case, h, hT, cT)
    grads = [
        [{name: tensor.grad for name, tensor in part.items()} for part in pair] for pair in layers
    ]
    return named(_torch_results(h, hT, cT, x, h0, c0), grads)


def torch_layer(case: Case) -> Answer:
    """torch.nn.LSTM and GRU, ragged batches packed."""
    import torch

    from lstm_ref.torch import run_torch, torch_gru, torch_lstm

    module = (torch_lstm if case.cell == "lstm" else torch_gru)(case.model)
    x, h0 = (torch.tensor(array, requires_grad=True) for array in (case.x, case.h0))
    c0 = None if case.c0 is None else torch.tensor(case.c0, requires_grad=True)
    mask = None if case.mask is None else torch.from_numpy(case.mask)
    h, last = run_torch(module, x, h0 if c0 is None else (h0, c0), mask)
    hT, cT = (last, None) if c0 is None else last
    _torch_backward(case, h, hT, cT)
    # The second bias is frozen but for the block that is bh: its other gradients are zero, and
    # adding them changes nothing.
    weights = {
        name: (torch.zeros_like(p) if p.grad is None else p.grad).numpy()
        for name, p in module.named_parameters()
    }
    return named(
        _torch_results(h, hT, cT, x, h0, c0),
        _pairs(convert_model(weights, "pytorch", "here", cell=case.cell)),
    )


def keras_equations(case: Case) -> Answer:
    """TensorFlow from the equations, gradients by a tape."""
    import tensorflow as tf

    from lstm_ref.keras import deep_forward_keras

    def leaf(array: Any) -> Any:
        return None if array is None else tf.constant(array)

    x, h0, c0 = leaf(case.x), leaf(case.h0), leaf(case.c0)
    layers = [
        [{name: leaf(array) for name, array in part.items()} for part in pair]
        for pair in case.pairs
    ]
    mask = None if case.mask is None else tf.constant(case.mask)
    with tf.GradientTape() as tape:
        tape.watch([x, h0, c0, layers] if c0 is not None else [x, h0, layers])
        h, (hT, cT) = deep_forward_keras(x, h0, c0, layers, mask=mask)
        loss = _tf_loss(case, h, hT, cT)
    dx, dh0, dc0, grads = tape.gradient(
        loss, [x, h0, h0 if c0 is None else c0, layers], unconnected_gradients="zero"
    )
    return named(
        {"h": h, "hT": hT, "cT": cT, "dx": dx, "dh0": dh0, "dc0": None if c0 is None else dc0},
        grads,
    )


def keras_layer(case: Case) -> Answer:
    """keras.layers.LSTM and GRU, on TensorFlow, with masks."""
    import tensorflow as tf

    from lstm_ref.keras import keras_gru, keras_lstm, run_keras

    layers = (
        keras_lstm(case.model) if case.cell == "lstm" else keras_gru(case.model, reset=case.reset)
    )
    x, h0 = tf.constant(case.x), tf.constant(case.h0)
    c0 = None if case.c0 is None else tf.constant(case.c0)
    mask = None if case.mask is None else tf.constant(case.mask)
    variables = [[weight.value for weight in layer.trainable_weights] for layer in layers]
    with tf.GradientTape() as tape:
        tape.watch([x, h0] if c0 is None else [x, h0, c0])
        h, last = run_keras(layers, x, h0 if c0 is None else (h0, c0), mask)
        hT, cT = (last, None) if c0 is None else last
        loss = _tf_loss(case, h, hT, cT)
    dx, dh0, dc0, grads = tape.gradient(
        loss, [x, h0, h0 if c0 is None else c0, variables], unconnected_gradients="zero"
    )
    arrays = [[np.array(grad) for grad in layer] for layer in grads]
    if (case.cell, case.reset) == ("gru", "after"):
        for bias in (bias for layer in arrays for bias in layer[2::3]):
            # Row 1, recurrent: only the block of the candidate is a number of its own, the others
            # repeat row 0.
            bias[1, : 2 * case.h0.shape[2]] = 0
    model = convert_model(arrays, "keras", "here", cell=case.cell, reset=case.reset)
    results = {"h": h, "hT": hT, "cT": cT, "dx": dx, "dh0": dh0, "dc0": None if c0 is None else dc0}
    return named(results, _pairs(model))


def onnx_forward(case: Case) -> Answer:
    """ONNX's reference evaluator, one node a layer: forward only. It ignores sequence_lens, so
    ragged sequences run alone.
    """
    if case.mask is not None:
        whole = case._replace(mask=None)
        answer = {name: [] for name in ("h", "hT", "cT") if name != "cT" or case.c0 is not None}
        for n, length in enumerate(case.mask.sum(axis=1)):
            c0 = None if case.c0 is None else case.c0[:, n : n + 1]
            alone = onnx_forward(
                whole._replace(x=case.x[n : n + 1, :length], h0=case.h0[:, n : n + 1], c0=c0)
            )
            alone["h"] = np.pad(alone["h"], ((0, 0), (0, case.x.shape[1] - length), (0, 0)))
            for name, arrays in answer.items():
                arrays.append(alone[name])
        return {
            name: np.concatenate(arrays, axis=0 if name == "h" else 1)
            for name, arrays in answer.items()
        }
    h, states, k = case.x.swapaxes(0, 1), [], 0
    for params in convert_model(case.model, "here", "onnx", cell=case.cell, reset=case.reset):
        count = len(params["W"])
        inputs = {"X": h, **params, "initial_h": case.h0[k : k + count]}
        if case.c0 is not None:
            inputs["initial_c"] = case.c0[k : k + count]
        h, *state = run_onnx(case.cell, inputs, case.reset)
        h = h.transpose(0, 2, 1, 3).reshape(*case.x.shape[1::-1], -1)
        states.append(state)
        k += count
    last = dict(
        zip(
            ("hT", "cT"),
            (np.concatenate(parts) for parts in zip(*states, strict=True)),
            strict=False,
        )
    )
    return {"h": h.swapaxes(0, 1), **last}


def run_onnx(cell: str, inputs: dict[str, np.ndarray], reset: str = "after") -> list[np.ndarray]:
    """Outputs of one node of ONNX by its reference evaluator; an input that is not given is left
    empty.
    """
    from onnx import TensorProto, helper
    from onnx.reference import ReferenceEvaluator

    count = len(inputs["W"])
    places = ("X", "W", "R", "B", "sequence_lens", "initial_h", "initial_c")[
        : 7 if cell == "lstm" else 6
    ]
    outputs = ("Y", "Y_h", "Y_c")[: 3 if cell == "lstm" else 2]
    options = {} if cell == "lstm" else {"linear_before_reset": int(reset == "after")}
    node = helper.make_node(
        cell.upper(),
        [name if name in inputs else "" for name in places],
        outputs,
        hidden_size=inputs["R"].shape[2],
        direction="bidirectional" if count == 2 else "forward",
        **options,
    )
    kind = TensorProto.DOUBLE if inputs["X"].dtype == np.float64 else TensorProto.FLOAT

    def info(name: str) -> Any:
        return helper.make_tensor_value_info(
            name, TensorProto.INT32 if name == "sequence_lens" else kind, None
        )

    graph = helper.make_graph([node], "layer", list(map(info, inputs)), list(map(info, outputs)))
    return ReferenceEvaluator(helper.make_model(graph)).run(None, inputs)


def _pairs(model: list[Any]) -> list[list[Any]]:
    return [[layer] if isinstance(layer, dict) else layer for layer in model]


def _torch_backward(case: Case, h: Any, hT: Any, cT: Any) -> None:
    import torch

    tensors, grads = (
        ([h, hT], [case.dh, case.dhT])
        if cT is None
        else ([h, hT, cT], [case.dh, case.dhT, case.dcT])
    )
    torch.autograd.backward(tensors, [torch.from_numpy(grad) for grad in grads])


def _torch_results(h: Any, hT: Any, cT: Any, x: Any, h0: Any, c0: Any) -> dict[str, Any]:
    results = {
        name: None if tensor is None else tensor.detach()
        for name, tensor in {"h": h, "hT": hT, "cT": cT}.items()
    }
    return results | {"dx": x.grad, "dh0": h0.grad, "dc0": None if c0 is None else c0.grad}


def _tf_loss(case: Case, h: Any, hT: Any, cT: Any) -> Any:
    import tensorflow as tf

    loss = tf.reduce_sum(h * case.dh) + tf.reduce_sum(hT * case.dhT)
    return loss if cT is None else loss + tf.reduce_sum(cT * case.dcT)


ENGINES: dict[str, Callable[[Case], Answer]] = {
    "PyTorch, equations": torch_equations,
    "PyTorch, nn": torch_layer,
    "TensorFlow, equations": keras_equations,
    "Keras, layers": keras_layer,
    "ONNX, forward": onnx_forward,
}


def can(engine: str, case: Case) -> str:
    """Why the engine cannot do this, or nothing."""
    padded = (
        case.mask is None
        or (np.diff(case.mask.astype(int), axis=1) <= 0).all()
        and case.mask[:, 0].all()
    )
    if engine in ("PyTorch, nn", "ONNX, forward") and not padded:
        return "padding after the data only"
    if engine == "PyTorch, nn" and case.reset == "before":
        return "no such GRU"
    return ""


def difference(got: Answer, expected: Answer) -> float:
    """The largest one of any array, relative to its largest number where this is above 1. Names and
    shapes must be the same.
    """
    forward = {"h", "hT", "cT"} & expected.keys()
    assert got.keys() in (expected.keys(), forward), (sorted(got), sorted(expected))
    worst = 0.0
    for name, array in got.items():
        right = expected[name]
        assert array.shape == right.shape and array.dtype == right.dtype, (
            name,
            array.shape,
            right.shape,
            array.dtype,
        )
        worst = max(
            worst, float(np.abs(array - right).max()) / max(1.0, float(np.abs(right).max()))
        )
    return worst


# --- The table
# --------------------------------------------------------------------------------------------------


def cases() -> dict[str, Case]:
    """The rows of the table."""
    right = np.arange(10) < np.array([[10], [6], [1], [4]])
    left, holes = right[:, ::-1].copy(), np.random.default_rng(0).random((4, 10)) < 0.6
    deep = {"layers": 2, "directions": 2}
    return {
        "one of everything": draw(1, 1, 1, 1),
        "one layer": draw(4, 10, 8, 16),
        "one layer, 100 steps": draw(4, 100, 8, 16, scale=0.3),
        "one layer, padded after": draw(4, 10, 8, 16, mask=right),
        "one layer, padded before": draw(4, 10, 8, 16, mask=left),
        "one layer, any mask": draw(4, 10, 8, 16, mask=holes),
        "3 layers": draw(4, 10, 8, 16, layers=3),
        "3 layers, padded after": draw(4, 10, 8, 16, layers=3, mask=right),
        "2 directions": draw(4, 10, 8, 16, directions=2),
        "2 directions, padded after": draw(4, 10, 8, 16, directions=2, mask=right),
        "2 layers of 2 directions": draw(4, 10, 8, 16, **deep),
        "2 layers of 2 directions, padded after": draw(4, 10, 8, 16, **deep, mask=right),
        "one layer, float32": draw(4, 10, 8, 16, dtype=np.float32),
        "GRU, reset after": draw(4, 10, 8, 16, cell="gru"),
        "GRU, reset before": draw(4, 10, 8, 16, cell="gru", reset="before"),
        "GRU, 2 layers of 2 directions, padded after": draw(
            4, 10, 8, 16, cell="gru", **deep, mask=right
        ),
    }


def about() -> dict[str, Any]:
    """What the numbers belong to."""
    return machine() | {
        name: import_module(name).__version__
        for name in ("numpy", "torch", "tensorflow", "keras", "onnx")
    }


def main(argv: Sequence[str] | None = None) -> None:
    """Compare all, print the table, write the file."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--out", type=Path, default=Path(__file__).parent / "results" / "parity.json"
    )
    arguments = parser.parse_args(argv)
    print(f"{'case':<44}" + "".join(f"{name:>23}" for name in ENGINES))
    results = []
    for name, case in cases().items():
        expected = numpy_answer(case)
        row: dict[str, Any] = {}
        for engine, run in ENGINES.items():
            row[engine] = can(engine, case) or difference(run(case), expected)
        cells = (
            f"{'-' if isinstance(value, str) else f'{value:.1e}':>23}" for value in row.values()
        )
        print(f"{name:<44}" + "".join(cells), flush=True)
        results.append({"case": name, "dtype": str(case.x.dtype), "difference": row})
    arguments.out.parent.mkdir(exist_ok=True)
    lines = ",\n  ".join(json.dumps(result) for result in results)
    head = json.dumps({"machine": about(), "of": "largest difference to lstm_ref"}, indent=1)
    arguments.out.write_text(f'{head[:-2]},\n "results": [\n  {lines}\n ]\n}}\n')
    print(f"written to {arguments.out}")


if __name__ == "__main__":
    main()

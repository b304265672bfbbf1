"""Numbers that show a symptom: each is a function of a case, large when the program is sick."""

from __future__ import annotations

import gc
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np

from lstm_ref.errors import GradientError
from lstm_ref.learn.gradcheck import check_gradients
from lstm_ref.zoo.programs.registry import Case

Measure = Callable[[Case], float]


@cache
def trained(steps: int) -> Measure:
    """Error on unseen data after so many steps of the program's own loop; NaN counts as
    infinite.
    """

    def measure(case: Case) -> float:
        assert case.learn is not None and case.score is not None
        case.learn(steps)
        score = float(case.score())
        return score if np.isfinite(score) else np.inf

    return measure


def calls_differ(case: Case) -> float:
    """Largest difference between two predictions of the same batch, next to their size."""
    return _difference(_outputs(case, case.batch[0]), _outputs(case, case.batch[0]))


def alone_differs(case: Case) -> float:
    """Largest difference between the first example's outputs among others and by itself."""
    alone = _outputs(case, first(case.batch[0], 1))
    return _difference(_outputs(case, case.batch[0])[: len(alone)], alone)


@cache
def unmoved(steps: int) -> Measure:
    """Share of the model's parameter arrays that so many steps leave as they were."""

    def measure(case: Case) -> float:
        assert case.learn is not None
        before = weights(case)
        case.learn(steps)
        after = weights(case)
        return float(np.mean([np.array_equal(a, b) for a, b in zip(before, after, strict=True)]))

    return measure


def weights(case: Case) -> list[Any]:
    """All arrays that should learn, copied."""
    if isinstance(case.model, dict):
        return [np.array(array) for array in case.model.values()]
    if hasattr(case.model, "trainable_variables"):
        return [np.array(variable) for variable in case.model.trainable_variables]
    return [p.detach().numpy().copy() for p in case.model.parameters() if p.requires_grad]


def first(inputs: Any, count: int) -> Any:
    """The first examples of a batch of inputs: array, tuple or dict."""
    if isinstance(inputs, dict):
        return {name: part[:count] for name, part in inputs.items()}
    if isinstance(inputs, tuple | list):
        return type(inputs)(part[:count] for part in inputs)
    return inputs[:count]


def _outputs(case: Case, inputs: Any) -> Any:
    assert case.predict is not None
    outputs = case.predict(inputs)
    return np.array(outputs.numpy() if hasattr(outputs, "numpy") else outputs, dtype=np.float64)


def _difference(a: Any, b: Any) -> float:
    """NaN in one only is an infinite difference."""
    difference = np.nan_to_num(np.abs(a - b), nan=np.inf).max(initial=0.0)
    return float(difference / max(np.nanmax(np.abs(a)), 1e-12))


@cache
def training_loss(steps: int) -> Measure:
    """Loss on the case's own batch after so many steps of the program's loop."""

    def measure(case: Case) -> float:
        assert case.learn is not None
        case.learn(steps)
        return loss_of(case)

    return measure


def loss_of(case: Case) -> float:
    """Loss on the case's own batch, in evaluation; NaN counts as infinite."""
    x, y = case.batch
    if isinstance(case.model, dict):
        loss = float(case.arguments["step"](case.model, (x, y))[0])
        return loss if np.isfinite(loss) else np.inf
    if hasattr(case.model, "test_on_batch"):
        loss = float(np.ravel(case.model.test_on_batch(x, y))[0])
        return loss if np.isfinite(loss) else np.inf
    import torch

    with torch.no_grad():
        case.model.eval()
        loss = float(case.loss(case.model(*x) if isinstance(x, tuple) else case.model(x), y))
    return loss if np.isfinite(loss) else np.inf


def lag_learned(case: Case) -> float:
    """1 minus the gradient at the first step next to the one at the last: 1 where it is cut off."""
    import torch

    x, y = case.batch
    x = x.clone().requires_grad_()
    loss = case.loss(case.model(x), y)
    (gradient,) = torch.autograd.grad(loss, x)
    early, last = gradient[:, 0].norm(), gradient[:, -1].norm()
    return 1 - float(early > 1e-9 * last)


def padding_matters(case: Case) -> float:
    """Largest change of the outputs when three more steps of padding follow."""
    tokens, *rest = case.batch[0] if isinstance(case.batch[0], tuple) else (case.batch[0],)
    longer = _padded(tokens)
    before = _outputs(case, case.batch[0])
    after = _outputs(case, (longer, *rest) if rest else longer)
    return _difference(before, after[:, : before.shape[1]])


def _padded(tokens: Any) -> Any:
    if hasattr(tokens, "new_zeros"):
        import torch

        return torch.cat([tokens, tokens.new_zeros(len(tokens), 3)], dim=1)
    return np.pad(tokens, ((0, 0), (0, 3)))


def answer_in_input(case: Case) -> float:
    """Share of the targets that stand among the inputs of their own example's last step."""
    x, y = (np.asarray(part) for part in case.batch)
    if x.shape == y.shape:
        return float(np.mean(x == y))
    return float(np.mean(x[:, -1] == y.reshape(len(y), -1)))


def later_steps_matter(case: Case) -> float:
    """Largest change of the first step's outputs when the last step's input is changed."""
    changed = np.array(case.batch[0])
    changed[:, -1] = changed[::-1, -1] + (changed.dtype.kind == "f")
    before = _outputs(case, case.batch[0])[:, 0]
    if hasattr(case.batch[0], "new_tensor"):
        changed = case.batch[0].new_tensor(changed)
    return _difference(before, _outputs(case, changed)[:, 0])


@cache
def minus(measure: Measure) -> Measure:
    """Minus another measure."""
    return lambda case: -measure(case)


def outside_unit(case: Case) -> float:
    """Share of the outputs that are no probabilities."""
    outputs = _outputs(case, case.batch[0])
    return float(np.mean((outputs < 0) | (outputs > 1)))


def rows_not_one(case: Case) -> float:
    """How far the classes' outputs of an example are from adding up to 1, at most."""
    return float(np.abs(_outputs(case, case.batch[0]).sum(axis=-1) - 1).max())


def steps_alike(case: Case) -> float:
    """Share of neighbouring steps whose outputs are equal."""
    outputs = _outputs(case, case.batch[0])
    return float(np.mean(np.isclose(outputs[:, 1:], outputs[:, :-1], rtol=1e-5, atol=1e-7)))


def first_step_unfelt(case: Case) -> float:
    """1 where the first step's input moves no output, else 0."""
    changed = np.array(case.batch[0])
    changed[:, 0] = changed[::-1, 0] + (changed.dtype.kind == "f")
    if hasattr(case.batch[0], "new_tensor"):
        changed = case.batch[0].new_tensor(changed)
    before = _outputs(case, case.batch[0])
    return float(_difference(before, _outputs(case, changed)) == 0)


def spread(case: Case) -> float:
    """Logarithm of how far inputs and targets of the batch lie apart, whichever is more."""
    return float(max(np.log10(np.abs(np.asarray(part)).max()) for part in case.batch))


def doubled_batch(case: Case) -> float:
    """Share by which the loss grows when every example stands twice in the batch."""
    import torch

    x, y = case.batch
    once, twice = (
        loss_of(case),
        loss_of(replace(case, batch=(torch.cat([x, x]), torch.cat([y, y])))),
    )
    return twice / once - 1


def graphs_alive(case: Case) -> float:
    """Tensors with a graph behind them that twenty steps leave in memory."""
    import torch

    def count() -> int:
        gc.collect()
        alive = (each for each in gc.get_objects() if type(each) is torch.Tensor)
        return sum(each.grad_fn is not None for each in alive)

    assert case.learn is not None
    before = count()
    case.learn(20)
    return float(count() - before)


def gradient_on_padding(case: Case) -> float:
    """Share of the loss's gradient that lies on outputs behind the end of their sequence."""
    import torch

    x, y = case.batch
    outputs = case.model(x).detach().requires_grad_()
    (gradient,) = torch.autograd.grad(case.loss(outputs, y), outputs)
    outside = torch.arange(y.shape[1]) >= case.arguments["lengths"][:, None]
    size = gradient.abs().sum(1)
    return float(size[outside].sum() / size.sum())


def norm_at_step(case: Case) -> float:
    """Largest norm of the gradient with which the optimizer steps, in five steps."""
    norms = []

    def look(optimizer: Any, *_: Any) -> None:
        parts = [p.grad.norm() for group in optimizer.param_groups for p in group["params"]]
        norms.append(sum(float(part) ** 2 for part in parts) ** 0.5)

    hook = case.optimizer.register_step_pre_hook(look)
    assert case.learn is not None
    case.learn(5)
    hook.remove()
    return float(max(norms))


def left_in_evaluation(case: Case) -> float:
    """1 where the model is in evaluation mode after twenty steps of training, else 0."""
    assert case.learn is not None
    case.learn(20)
    return float(not case.model.training)


def raises(case: Case) -> float:
    """1 where three steps of training end in an error of PyTorch's, else 0."""
    assert case.learn is not None
    try:
        case.learn(3)
    except RuntimeError:
        return 1.0
    return 0.0


def commonest_label(case: Case) -> float:
    """Share of the commonest label in the batch."""
    _, counts = np.unique(np.asarray(case.batch[1]), return_counts=True)
    return float(counts.max() / counts.sum())


def windows_seen(case: Case) -> float:
    """Share of the validation windows whose last value stands in a training window, too."""
    train, valid = (np.asarray(case.arguments[name][0]) for name in ("train", "valid"))
    return float(np.isin(valid[:, -1], train).mean())


def train_mean(case: Case) -> float:
    """How far the mean of the training inputs is from 0, in deviations."""
    train = np.asarray(case.arguments["train"][0])
    return float(abs(train.mean()) / train.std())


def alone_differs_time_first(case: Case) -> float:
    """As `alone_differs`, for inputs (T, N)."""
    x = case.batch[0]
    return _difference(_outputs(case, x)[:, :1], _outputs(case, x[:, :1]))


def later_steps_matter_time_first(case: Case) -> float:
    """As `later_steps_matter`, for inputs (T, N)."""
    x = case.batch[0]
    changed = x.clone()
    changed[-1] = changed[-1].flip(0)
    return _difference(_outputs(case, x)[0], _outputs(case, changed)[0])


def source_padding_matters(case: Case) -> float:
    """Largest change of the outputs when source and written text get three more steps of
    padding.
    """
    inputs = case.batch[0]
    before = _outputs(case, inputs)
    return _difference(before, _outputs(case, tuple(map(_padded, inputs)))[:, : before.shape[1]])


def saturated_share(case: Case) -> float:
    """Share of the pre-activations beyond 5, at the first step of the cell that comes first."""
    a = case.batch[0][:, 0] @ case.model[0].Wx
    return float((a.abs() > 5).double().mean())


def unregistered(case: Case) -> float:
    """Parameters and tensors with a gradient that the model holds and does not know."""
    import torch

    known = {id(p) for p in case.model.parameters()}
    found = 0
    for module in case.model.modules():
        for value in vars(module).values():
            parts = value if isinstance(value, list) else [value]
            for part in parts:
                inside = list(part.parameters()) if isinstance(part, torch.nn.Module) else [part]
                found += sum(_learns(p) and id(p) not in known for p in inside)
    return float(found)


def _learns(value: Any) -> bool:
    return hasattr(value, "backward") and value.requires_grad and value.is_leaf


def frozen_share(case: Case) -> float:
    """Share of the parameters that are frozen."""
    if hasattr(case.model, "trainable_variables"):
        arrays = [(v, v.trainable) for v in case.model.variables if v.path.count("seed") == 0]
        frozen = sum(int(np.prod(v.shape)) for v, learns in arrays if not learns)
        return frozen / sum(int(np.prod(v.shape)) for v, _ in arrays)
    sizes = [(p.numel(), p.requires_grad) for p in case.model.parameters()]
    return float(sum(n for n, learns in sizes if not learns) / sum(n for n, _ in sizes))


def early_effect_lost(case: Case) -> float:
    """Powers of ten by which the outputs feel the last step more than the first, untrained."""
    x = case.batch[0]
    before = _outputs(case, x)
    moved = []
    for t in (0, -1):
        changed = x.clone()
        changed[:, t] = changed[:, t].flip(0)
        moved.append(_difference(before, _outputs(case, changed)))
    return float(np.log10(moved[1] / max(moved[0], 1e-30)))


def old_gradient_kept(case: Case) -> float:
    """Cosine between a gradient that lay there before a step and the one that it steps with."""
    import torch

    parameters = list(case.model.parameters())
    for p in parameters:
        p.grad = torch.full_like(p, 1e3)
    assert case.learn is not None
    case.learn(1)
    found = torch.cat([p.grad.flatten() for p in parameters if p.grad is not None])
    return float(found.sum() / (found.norm() * len(found) ** 0.5))


@cache
def never_negative(steps: int) -> Measure:
    """1 where no output lies below zero after so many steps, else 0."""

    def measure(case: Case) -> float:
        assert case.learn is not None
        case.learn(steps)
        return float(_outputs(case, case.batch[0]).min() >= 0)

    return measure


# In NumPy, where the program has its own forward pass and its own gradients.


def gradient_error(case: Case) -> float:
    """Largest relative error of a gradient next to central differences of the loss."""
    step = case.arguments["step"]
    _, grads = step(case.model, case.batch)
    try:
        errors = check_gradients(lambda params: step(params, case.batch)[0], case.model, grads)
    except GradientError as error:
        errors = error.errors
    return max(errors.values())


def batch_changes(case: Case) -> float:
    """Largest change of the batch's inputs by one prediction."""
    before = case.batch[0].copy()
    _outputs(case, case.batch[0])
    return float(np.abs(case.batch[0] - before).max())


@cache
def jumps(steps: int) -> Measure:
    """Loss on the case's own batch after so many steps, next to the loss before them."""

    def measure(case: Case) -> float:
        before = loss_of(case)
        return training_loss(steps)(case) / before

    return measure


def padding_scored(case: Case) -> float:
    """Share of the gradient of the loss with respect to the outputs that lies behind the end of the
    sequences.
    """
    outputs = _outputs(case, case.batch[0])
    size = np.abs(case.loss(outputs, case.batch[1])[1]).sum(axis=-1)
    outside = np.arange(size.shape[1]) >= case.arguments["lengths"][:, None]
    return float(size[outside].sum() / size.sum())


def own_target_missed(case: Case) -> float:
    """Share of the change of the gradient, when the first example's targets change, that lies at
    other examples' outputs.
    """
    outputs, (_, y) = _outputs(case, case.batch[0]), case.batch
    other = y.copy()
    other[0] = np.where(y[0] >= 0, 1 - y[0], y[0])
    change = np.abs(case.loss(outputs, other)[1] - case.loss(outputs, y)[1])
    return float(change[1:].sum() / change.sum())

"""A torch.nn.Module, its optimiser, and a step that returns the loss as a tensor."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from lstm_ref.errors import ArgumentError, MissingPackageError
from lstm_ref.train.engine import Step, StepCaller, Weights

try:
    import torch
    from torch import Tensor, nn
except ImportError as error:
    raise MissingPackageError(
        "lstm_ref.train.TorchEngine needs PyTorch, which is not installed; run: pip install "
        "'inside-the-lstm[torch]'"
    ) from error


class TorchEngine:
    """Trains a torch.nn.Module with a step in PyTorch.

    The model is put into training mode here; evaluation leaves it for as long as it takes.

    Parameters
    ----------
    model : torch.nn.Module, on the device where it is to be trained
    step : ``step(model, batch) -> loss``, a tensor with one number; with carry
        ``step(model, batch, state) -> (loss, state)``, and state is None at the start of each pass.
        NumPy arrays in the batch arrive as tensors on the device of the model. The state that is
        carried is detached: its numbers go on, its graph is cut
    optimiser : torch.optim.Optimizer on the parameters of the model; None means Adam. Its learning
        rate is set by `train`
    carry : the step takes a state and returns it, for truncated backpropagation through time
    loss : ``loss(model, batch) -> loss``, with carry
        ``loss(model, batch, state) -> (loss, state)``: what validation calls. None means the step

    Attributes
    ----------
    model : the module itself, trained in place

    Raises
    ------
    ArgumentError : an argument that does not fit, by name

    Examples
    --------
    >>> from lstm_ref.train import train
    >>> model = nn.Linear(1, 1)
    >>> def step(model, batch):
    ...     x, y = batch
    ...     return nn.functional.mse_loss(model(x), y)
    >>> data = [(np.array([[1.0], [2.0]], np.float32), np.array([[3.0], [5.0]], np.float32))]
    >>> history = train(TorchEngine(model, step), data, steps=400, lr=0.2)
    >>> round(model.weight.item(), 1), round(model.bias.item(), 1)  # y = 2 x + 1
    (2.0, 1.0)
    """

    def __init__(
        self,
        model: nn.Module,
        step: Step,
        optimiser: torch.optim.Optimizer | None = None,
        *,
        carry: bool = False,
        loss: Step | None = None,
    ) -> None:
        if not isinstance(model, nn.Module):
            raise ArgumentError(
                f"TorchEngine: model must be a torch.nn.Module, got {type(model).__name__}"
            )
        self.model = model
        self._trained = {name: p for name, p in model.named_parameters() if p.requires_grad}
        if not self._trained:
            raise ArgumentError(
                f"TorchEngine: model has no parameter to train, got {type(model).__name__}; is "
                "requires_grad off everywhere?"
            )
        self._optimiser = (
            torch.optim.Adam(self._trained.values()) if optimiser is None else optimiser
        )
        self._check_optimiser()
        self.optimiser = type(self._optimiser).__name__
        self._step = StepCaller("TorchEngine", step, carry)
        self._loss = self._step if loss is None else StepCaller("TorchEngine", loss, carry)
        model.train()

    def loss_and_grads(self, batch: Any, state: Any) -> tuple[float, Weights, Any]:
        """Loss, gradients by name, and the state to carry on; gradients of an earlier step are
        forgotten.
        """
        self._optimiser.zero_grad(set_to_none=True)
        loss, state = self._step(self.model, self._to_device(batch), state, True, 1, "loss")
        if not isinstance(loss, Tensor) or loss.numel() != 1 or not loss.requires_grad:
            raise ArgumentError(
                "TorchEngine: step must return the loss as a tensor with one number that depends "
                f"on the parameters, got {_describe(loss)}; did it leave the graph through "
                ".item(), .detach() or .numpy()?"
            )
        loss.backward()
        grads = {name: p.grad for name, p in self._trained.items() if p.grad is not None}
        if not grads:
            raise ArgumentError(
                "TorchEngine: step must return a loss that depends on the trained parameters of "
                "the model; is it another model's?"
            )
        grads = {name: g.to_dense() if g.is_sparse else g for name, g in grads.items()}
        return loss.item(), grads, _map(lambda tensor: tensor.detach(), state)

    def loss(self, batch: Any, state: Any) -> tuple[float, Any]:
        """Loss and state in evaluation mode, without a graph."""
        with torch.no_grad(), self._evaluating():
            loss, state = self._loss(self.model, self._to_device(batch), state, False, 1, "loss")
        return float(loss), state

    def update(self, grads: Weights, lr: float) -> None:
        """One step of the optimiser."""
        for name, g in grads.items():
            self._trained[name].grad = g
        for group in self._optimiser.param_groups:
            group["lr"] = lr
        self._optimiser.step()

    def norm(self, arrays: Weights) -> float:
        """Length of all arrays together."""
        # Divided by the largest number first, as in NumPy: the squares of gradients that explode
        # would overflow.
        largest = (
            torch.stack([array.detach().abs().max() for array in arrays.values()]).max().item()
        )
        if largest == 0 or not math.isfinite(largest):
            return float(largest)
        squares = torch.stack(
            [(array.detach() / largest).square().sum().double() for array in arrays.values()]
        )
        return float(largest * math.sqrt(squares.sum().item()))

    def weights(self) -> Weights:
        """Copies of all parameters and buffers."""
        return {name: tensor.detach().clone() for name, tensor in self.model.state_dict().items()}

    def set_weights(self, weights: Weights) -> None:
        """Put such copies back."""
        self.model.load_state_dict(weights)

    def snapshot(self, state: Any) -> dict[str, Any]:
        """Parameters and buffers, the optimiser's memory, and the carried state."""
        parts = {
            "weights": self.weights(),
            "optimiser": self._optimiser.state_dict(),
            "state": state,
        }
        return {name: _map(_to_numpy, part) for name, part in parts.items()}

    def restore(self, snapshot: Mapping[str, Any]) -> Any:
        """Put a snapshot back and return the carried state."""
        self.set_weights(_map_numpy(snapshot["weights"], "cpu"))
        self._optimiser.load_state_dict(_map_numpy(snapshot["optimiser"], "cpu"))
        return _map_numpy(snapshot["state"], self._device())

    def _device(self) -> torch.device:
        return next(iter(self._trained.values())).device

    def _to_device(self, batch: Any) -> Any:
        device = self._device()

        def convert(leaf: Any) -> Any:
            return (
                torch.tensor(leaf, device=device)
                if isinstance(leaf, np.ndarray)
                else leaf.to(device)
            )

        return _map(convert, batch, (np.ndarray, Tensor))

    @contextmanager
    def _evaluating(self) -> Iterator[None]:
        """Evaluation mode; afterwards each module is in the mode that it had, since some may be
        frozen on purpose.
        """
        modes = [(module, module.training) for module in self.model.modules()]
        self.model.eval()
        try:
            yield
        finally:
            for module, mode in modes:
                module.training = mode

    def _check_optimiser(self) -> None:
        if not isinstance(self._optimiser, torch.optim.Optimizer):
            raise ArgumentError(
                "TorchEngine: optimiser must be a torch.optim.Optimizer, got "
                f"{type(self._optimiser).__name__}; for example "
                "torch.optim.Adam(model.parameters())"
            )
        groups = self._optimiser.param_groups
        held = {id(p) for group in groups for p in group["params"]}
        missing = [name for name, p in self._trained.items() if id(p) not in held]
        if missing:
            raise ArgumentError(
                "TorchEngine: optimiser must hold every parameter of the model that is trained, "
                f"missing: {', '.join(missing)}; is it another model's, or should these have "
                "requires_grad off?"
            )
        if len({float(group["lr"]) for group in groups}) > 1:
            raise ArgumentError(
                "TorchEngine: all groups of the optimiser must have one learning rate, because "
                f"train sets it, got {', '.join(str(group['lr']) for group in groups)}"
            )


def _describe(loss: Any) -> str:
    if isinstance(loss, Tensor):
        return (
            f"a tensor of shape {tuple(loss.shape)} {'with' if loss.requires_grad else 'without'} "
            "a graph"
        )
    return type(loss).__name__


def _map(function: Callable[[Any], Any], tree: Any, kinds: Any = Tensor) -> Any:
    """The same tuples, lists and dicts, with the function applied to each tensor in them."""
    if isinstance(tree, kinds):
        return function(tree)
    if isinstance(tree, tuple) and hasattr(tree, "_fields"):  # a NamedTuple stays one
        return type(tree)(*(_map(function, part, kinds) for part in tree))
    if isinstance(tree, tuple | list):
        return type(tree)(_map(function, part, kinds) for part in tree)
    if isinstance(tree, Mapping):
        return {name: _map(function, part, kinds) for name, part in tree.items()}
    return tree


def _to_numpy(tensor: Tensor) -> dict[str, Any]:
    """A tensor as an array and the name of its type: NumPy has no bfloat16."""
    array = tensor.detach().cpu()
    raw = array.view(torch.int16) if array.dtype == torch.bfloat16 else array
    return {"array": raw.numpy().copy(), "tensor": str(tensor.dtype).removeprefix("torch.")}


def _map_numpy(tree: Any, device: torch.device | str) -> Any:
    """The tensors again."""
    if isinstance(tree, Mapping):
        if set(tree) == {"array", "tensor"}:
            tensor = torch.tensor(tree["array"])
            return (tensor.view(torch.bfloat16) if tree["tensor"] == "bfloat16" else tensor).to(
                device
            )
        return {name: _map_numpy(part, device) for name, part in tree.items()}
    if isinstance(tree, tuple | list):
        return type(tree)(_map_numpy(part, device) for part in tree)
    return tree

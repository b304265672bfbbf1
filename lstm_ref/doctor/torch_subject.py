"""A PyTorch program as a `Subject`: any module, on CPU or GPU, with tensors, tuples, dicts or
packed sequences as inputs.
"""

from __future__ import annotations

import inspect
import random
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence
from torch.overrides import TorchFunctionMode

from lstm_ref.doctor.memory import Memory, Undo, random_states
from lstm_ref.doctor.structure import Rebuild, flatten
from lstm_ref.doctor.subject import (
    Array,
    Arrays,
    Backward,
    Gradients,
    Options,
    OwnGates,
    Parameter,
    Recurrent,
    StepLog,
    Steps,
    Subject,
)
from lstm_ref.doctor.torch_gates import Watch
from lstm_ref.errors import ArgumentError

_RECURRENT = {nn.LSTM: "lstm", nn.GRU: "gru", nn.RNN: "rnn"}
_CELLS = {nn.LSTMCell: "lstm", nn.GRUCell: "gru", nn.RNNCell: "rnn"}


class TorchSubject(Subject):
    """See `Subject`.

    Parameters
    ----------
    model : called as ``model(x)``, ``model(*x)`` or ``model(**x)``, whichever its forward takes
    batch : (x, y)
    loss : called as ``loss(outputs, y)``; None
    optimizer : one, several, or None
    options : see `Options`
    """

    framework = "torch"

    def __init__(self, model: Any, batch: Any, loss: Any, optimizer: Any, options: Options) -> None:
        super().__init__(options)
        self.framework = "torch"
        self.model, self.loss_function = model, loss
        self.optimizers = _optimizers(optimizer)
        self.x, self.y = batch
        leaves, self._rebuild_x = flatten(self.x, _is_tensor_or_packed, "x")
        targets, self._rebuild_y = flatten(self.y, _is_tensor_or_packed, "y")
        self._inputs = {name: _Leaf(leaf) for name, leaf in leaves.items()}
        self._targets = {name: _Leaf(leaf) for name, leaf in targets.items()}
        self.inputs = {name: leaf.array for name, leaf in self._inputs.items()}
        self.targets = {name: leaf.array for name, leaf in self._targets.items()}
        self.has_loss, self.has_optimizer = loss is not None, bool(self.optimizers)
        self._generators = [random_states(), _torch_generators()]
        self.memory = Memory([model, loss, self.optimizers, self.x, self.y, options.step], _special)
        self._pattern: Rebuild | None = None
        self._calling = _ways(model, self.x)
        self._fill_statistics()
        self._state = Memory([model, loss], _special_but_parameters, functions=False)

    def _fill_statistics(self) -> None:
        """Give batch normalisation that has seen no batch yet the statistics of this one: its
        evaluation would hand on inputs as they are, which no trained model does.
        """
        layers = [
            m
            for m in self.model.modules()
            if isinstance(m, nn.modules.batchnorm._NormBase)
            and m.num_batches_tracked is not None
            and int(m.num_batches_tracked) == 0
        ]
        if not layers:
            return
        before = Memory([self.model], _special, functions=False)
        filled: list[list[Tensor]] = []
        for m in layers:
            m.momentum = 1.0
        try:
            with torch.no_grad(), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                _set_mode(self.model, True)
                self._forward(self.x)
            filled = [[b.clone() for b in (m.running_mean, m.running_var)] for m in layers]
        except Exception:  # the first examination says so
            return
        finally:  # also after Ctrl-C, which comes from here before there is a report to undo it
            before.restore()
        for m, (mean, var) in zip(layers, filled, strict=True):
            m.running_mean.copy_(mean)
            m.running_var.copy_(var)

    def restore(self) -> None:
        """Put model, optimizer, batch and random numbers back, bit by bit."""
        self.memory.restore()
        for undo in self._generators:
            undo()

    def plain(self, value: Any) -> Any:
        return _numpy(value) if isinstance(value, Tensor) else value

    # One forward pass.

    def _forward(self, x: Any) -> Any:
        """``model(x)``, ``model(*x)`` or ``model(**x)``: the first that fits the signature and
        runs; it is kept.
        """
        failed: list[Exception] = []
        for way in self._calling:
            try:
                out = way(self.model, x)
            except Exception as error:
                failed.append(error)
                continue
            self._calling = [way]
            return out
        first = failed[0]
        raise ArgumentError(
            f"examine: model(x) failed with {type(first).__name__}: {first}; x must be what the "
            "loop gives to the model"
        ) from first

    def _run(
        self, inputs: Sequence[Any] | None, training: bool, seed: int | None, go_on: bool = False
    ) -> Any:
        if not go_on:
            self._state.restore()
        if seed is not None:
            _seed(seed)
        _set_mode(self.model, training)
        return self._forward(self.x if inputs is None else self._rebuild_x(inputs))

    def _tensors(self, arrays: Sequence[Array] | None) -> list[Any] | None:
        if arrays is None:
            return None
        return [leaf.like(array) for leaf, array in zip(self._inputs.values(), arrays, strict=True)]

    def _leaves(self, outputs: Any) -> list[Any]:
        leaves, self._pattern = flatten(outputs, _is_float, "output")
        return list(leaves.values())

    def call(
        self,
        inputs: Sequence[Array] | None = None,
        *,
        training: bool = False,
        seed: int | None = 0,
        go_on: bool = False,
    ) -> Arrays:
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            leaves = self._leaves(self._run(self._tensors(inputs), training, seed, go_on))
        return tuple(_Leaf(leaf).array for leaf in leaves)

    # The loss of given outputs.

    def _loss(self, outputs: Any, targets: Sequence[Array] | None) -> Any:
        y = self.y
        if targets is not None:
            leaves = self._targets.values()
            y = self._rebuild_y(
                [leaf.like(array) for leaf, array in zip(leaves, targets, strict=True)]
            )
        return self.loss_function(outputs, y)

    def _loss_of(
        self, outputs: Sequence[Array], targets: Sequence[Array] | None, grad: bool
    ) -> Any:
        """The loss as a tensor, and the output tensors that it came from."""
        self._state.restore()
        _seed(0)
        _set_mode(self.model, True)
        like = [_Leaf(leaf) for leaf in self._training_leaves()]
        leaves = [leaf.like(array, grad) for leaf, array in zip(like, outputs, strict=True)]
        assert self._pattern is not None
        with torch.set_grad_enabled(grad), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            value = self._loss(self._pattern(leaves), targets)
        return value, leaves

    def _training_leaves(self) -> list[Any]:
        """Output tensors in training, whose kinds and nesting the loss expects; made once."""
        if not hasattr(self, "_kept_leaves"):
            with torch.no_grad(), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                self._kept_leaves = self._leaves(self._run(None, True, 0))
                self._kept_pattern = self._pattern
        self._pattern = self._kept_pattern
        return self._kept_leaves

    def loss(self, outputs: Sequence[Array], targets: Sequence[Array] | None = None) -> float:
        return _number(self._loss_of(outputs, targets, False)[0])

    def loss_gradient(
        self, outputs: Sequence[Array], targets: Sequence[Array] | None = None
    ) -> Gradients:
        value, leaves = self._loss_of(outputs, targets, True)
        total = _total(value)
        roots = [_data_of(leaf) for leaf in leaves]
        if not total.requires_grad:
            return (None,) * len(leaves)
        grads = torch.autograd.grad(total, roots, allow_unused=True)
        return tuple(
            None if g is None else _Leaf(_with_data(leaf, g)).array
            for g, leaf in zip(grads, leaves, strict=True)
        )

    # Gradients of the whole.

    def backward(
        self,
        inputs: Sequence[Array] | None = None,
        targets: Sequence[Array] | None = None,
        *,
        training: bool = True,
        seed: int = 0,
    ) -> Backward:
        with torch.enable_grad(), _without_cudnn(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            total = _total(self._loss(self._run(self._tensors(inputs), training, seed), targets))
            names = {name: p for name, p in self._named().items() if p.requires_grad}
            if not total.requires_grad:
                return Backward(_number(total), dict.fromkeys(names), (), False)
            grads = torch.autograd.grad(total, list(names.values()), allow_unused=True)
        found = {name: _numpy(g) for name, g in zip(names, grads, strict=True)}
        return Backward(_number(total), found, (), any(g is not None for g in grads))

    def input_gradient(self, weights: Sequence[Array], *, training: bool = False) -> Gradients:
        tensors = self._tensors(list(self.inputs.values()))
        assert tensors is not None
        data = [_data_of(t) for t in tensors]
        wanted = [t.requires_grad_() if t.is_floating_point() else t for t in data]
        with (
            torch.enable_grad(),
            _without_cudnn(),
            warnings.catch_warnings(),
            _Embedded() as embedded,
        ):
            warnings.simplefilter("ignore")
            leaves = self._leaves(self._run(tensors, training, 0))
            total = sum(
                (
                    _padded(leaf)
                    * torch.as_tensor(w, dtype=_data_of(leaf).dtype, device=_data_of(leaf).device)
                ).sum()
                for leaf, w in zip(leaves, weights, strict=True)
            )
        if not isinstance(total, Tensor) or not total.requires_grad:
            return tuple(
                np.zeros_like(array) if array.dtype.kind == "f" else None
                for array in self.inputs.values()
            )
        sources = [t for t in wanted if t.requires_grad] + embedded.found
        grads = dict(
            zip(
                map(id, sources),
                torch.autograd.grad(total, sources, allow_unused=True),
                strict=True,
            )
        )
        return tuple(
            self._one_gradient(leaf, t, grads, embedded)
            for leaf, t in zip(tensors, wanted, strict=True)
        )

    def _one_gradient(
        self, leaf: Any, t: Any, grads: Mapping[int, Any], embedded: _Embedded
    ) -> Array | None:
        if t.requires_grad:
            grad = grads[id(t)]
            grad = torch.zeros_like(t) if grad is None else grad
            return np.asarray(_Leaf(_with_data(leaf, grad)).array)
        found = [
            e
            for e, tokens in zip(embedded.found, embedded.tokens, strict=True)
            if tokens == tuple(t.shape)
        ]
        if len(found) != 1:
            return None
        grad = grads[id(found[0])]
        if grad is None:
            return np.zeros(t.shape)
        return np.asarray(_numpy(grad.abs().sum(-1) if grad.ndim > t.ndim else grad))

    # Parameters.

    def _named(self) -> dict[str, Any]:
        """All parameters by name: of the model, of the loss, and leaves that were found on the way
        from the loss.
        """
        named: dict[str, Any] = dict(self.model.named_parameters())
        if isinstance(self.loss_function, nn.Module):
            known = {id(p) for p in named.values()}
            named |= {
                f"loss.{n}": p
                for n, p in self.loss_function.named_parameters()
                if id(p) not in known
            }
        return named | self._hidden(named)

    def _hidden(self, named: Mapping[str, Any]) -> dict[str, Any]:
        """Leaves that the loss depends on, that stay from call to call, and that nobody has
        registered.
        """
        if not hasattr(self, "_hidden_leaves"):
            self._hidden_leaves: list[Any] = []
            first, second = (self._graph_leaves() for _ in range(2))
            again = {id(leaf) for leaf in second}
            self._hidden_leaves = [leaf for leaf in first if id(leaf) in again]
            # A leaf that is made anew in every call cannot be updated; the reader's h0 of zeros is
            # one, and harmless.
            self._anew = [
                leaf for leaf in first if id(leaf) not in again and isinstance(leaf, nn.Parameter)
            ]
        known = {id(p) for p in named.values()}
        new = [leaf for leaf in self._hidden_leaves if id(leaf) not in known]
        return {f"(not registered) {k}": leaf for k, leaf in enumerate(new)}

    def _graph_leaves(self) -> list[Any]:
        try:
            with torch.enable_grad(), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                outputs = self._run(None, True, 0)
                root = self._loss(outputs, None) if self.has_loss else self._leaves(outputs)[0]
        except Exception:
            return []
        return _leaves_of_graph(_total(root))

    @property
    def made_anew(self) -> int:
        self._named()
        return len(self._anew)

    def draws_numbers(self) -> str:
        states = [np.random.get_state(legacy=False), random.getstate()]
        with _Drawing() as drawing:
            self.call(seed=None)
        after = [np.random.get_state(legacy=False), random.getstate()]
        if drawing.names:
            return str(drawing.names[0])
        return "" if str(states) == str(after) else "a generator outside PyTorch"

    def weights_after_forward(self) -> tuple[str, float]:
        named = dict(self.model.named_parameters())
        before = {name: p.detach().clone() for name, p in named.items()}
        worst = ("", 0.0)
        for training in (False, True):
            self.call(training=training)
            for name, value in before.items():
                if not _same_bits(named[name].data, value):
                    change = float((named[name].detach() - value).abs().max())
                    worst = max(worst, (name, change or float("nan")), key=lambda pair: pair[1])
        self.memory.restore()
        return worst

    def modes_after_forward(self) -> int:
        self._state.restore()
        modules = list(self.model.modules())
        changed = 0
        for training in (True, False):
            _set_mode(self.model, training)
            before = [module.training for module in modules]
            with torch.no_grad(), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                outputs = self._forward(self.x)
                if self.has_loss:
                    self._loss(outputs, None)
            changed = max(
                changed, sum(m.training != b for m, b in zip(modules, before, strict=True))
            )
            self._state.restore()
        return changed

    def dropout_rate(self) -> float:
        self._state.restore()
        _set_mode(self.model, True)
        rates = [_rate(module) for module in self.model.modules() if module.training]
        self._state.restore()
        return max(rates, default=0.0)

    def parameters(self) -> tuple[Parameter, ...]:
        self.memory.restore()
        held = {id(p) for o in self.optimizers for group in o.param_groups for p in group["params"]}
        registered = {id(p) for p in self.model.parameters()}
        loss = self.loss_function
        registered |= {id(p) for p in loss.parameters()} if isinstance(loss, nn.Module) else set()
        layers = self._layers()
        return tuple(
            Parameter(
                name,
                tuple(p.shape),
                bool(p.requires_grad),
                id(p) in held if self.optimizers else None,
                id(p) in registered,
                *layers.get(id(p), (-1, "")),
            )
            for name, p in self._named().items()
            if not isinstance(p, nn.parameter.UninitializedParameter)
        )

    def _layers(self) -> dict[int, tuple[int, str]]:
        found: dict[int, tuple[int, str]] = {}
        for number, module in enumerate(self.model.modules()):
            kind = "embedding" if isinstance(module, nn.Embedding) else _kind(module)
            for p in module.parameters(recurse=False):
                found.setdefault(id(p), (number, kind))
        return found

    def values(self, names: Sequence[str]) -> Arrays:
        named = self._named()
        return tuple(_numpy(named[name]) for name in names)

    @contextmanager
    def changed(self, values: Mapping[str, Array]) -> Iterator[None]:
        named = self._named()
        kept = {name: named[name].detach().clone() for name in values}
        try:
            for name, array in values.items():
                _write(named[name], torch.as_tensor(array, dtype=named[name].dtype))
            yield
        finally:
            for name, tensor in kept.items():
                _write(named[name], tensor)

    # Training.

    def steps(
        self,
        count: int,
        *,
        rate: float | None = None,
        seed: int = 0,
        until: float = 1e9,
        batches: Iterator[tuple[Arrays, Arrays]] | None = None,
    ) -> Steps:
        self.memory.restore()
        named = {name: p for name, p in self._named().items() if p.requires_grad}
        optimizers = self.optimizers if rate is None else self._own_optimizers(named, rate)
        log = _Log(named)
        try:
            _seed(seed)
            for _ in range(count):
                x, y = (None, None) if batches is None else next(batches)
                if time.process_time() > until or not self._step(optimizers, named, log, x, y):
                    break
        finally:
            self.memory.restore()
            for p in named.values():
                if not any(p is q for q in self.model.parameters()):
                    log.put_back(p)
        return log.result()

    def _own_optimizers(self, named: Mapping[str, Any], rate: float) -> list[Any]:
        sparse = {
            id(m.weight) for m in self.model.modules() if isinstance(m, nn.Embedding) and m.sparse
        }
        dense = [p for p in named.values() if id(p) not in sparse]
        rows = [p for p in named.values() if id(p) in sparse]
        made = [torch.optim.Adam(dense, lr=rate)] if dense else []
        return made + ([torch.optim.SparseAdam(rows, lr=rate)] if rows else [])

    def _step(
        self,
        optimizers: Sequence[Any],
        named: Mapping[str, Any],
        log: _Log,
        x: Arrays | None,
        y: Arrays | None,
    ) -> bool:
        """One step from where the model is now; False where nothing can be trained."""
        for p in named.values():
            p.grad = None
        with torch.enable_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self._state.restore()
            _set_mode(self.model, True)
            inputs = self.x if x is None else self._rebuild_x(self._tensors(x) or [])
            total = _total(self._loss(self._forward(inputs), y))
            if not total.requires_grad:
                return False
            total.backward()
            log.before(total)
            for optimizer in optimizers:
                if isinstance(optimizer, torch.optim.LBFGS):
                    optimizer.step(lambda: self._again(named, inputs, y))
                else:
                    optimizer.step()
        log.after()
        return bool(torch.isfinite(total))

    def _again(self, named: Mapping[str, Any], inputs: Any, y: Arrays | None) -> Any:
        """The loss once more with its gradients, as an optimizer asks for that makes several steps
        in one.
        """
        for p in named.values():
            p.grad = None
        with torch.enable_grad():
            self._state.restore()
            _set_mode(self.model, True)
            total = _total(self._loss(self._forward(inputs), y))
            total.backward()
        return total

    def rates(self) -> tuple[float, ...]:
        return tuple(
            float(group["lr"]) for o in self.optimizers for group in o.param_groups if "lr" in group
        )

    def still_to_come(self) -> float:
        # a schedule notes the rate that it was given, and one of a single cycle its largest
        most = [
            max(float(group.get(name) or 0) for name in ("initial_lr", "max_lr", "lr")) / rate
            for group in self._groups()
            if (rate := float(group.get("lr") or 0)) > 0
        ]
        return max(most, default=1.0)

    def decay(self) -> float:
        return max((float(group.get("weight_decay") or 0) for group in self._groups()), default=0.0)

    def _groups(self) -> list[dict[str, Any]]:
        return [group for optimizer in self.optimizers for group in optimizer.param_groups]

    def steps_decayed(self, count: int, rate: float, decay: bool) -> tuple[float, ...]:
        readers = self.optimizers
        self.optimizers = [_Decayed(optimizer, rate, decay) for optimizer in readers]
        try:
            return self.steps(count).losses
        finally:
            self.optimizers = readers

    def audit(self, step: Any) -> StepLog:
        from lstm_ref.doctor.torch_audit import Audit

        return Audit(self, step).run()

    def live_inputs(self) -> Arrays:
        return tuple(
            _Leaf(leaf).array for leaf in flatten(self.x, _is_tensor_or_packed, "x")[0].values()
        )

    def own_gates(self) -> OwnGates | None:
        self._state.restore()
        with Watch() as watch:
            self.call()
        gates: OwnGates = watch.result()
        return gates

    @property
    def fixed_lengths(self) -> bool:
        if any(isinstance(leaf.value, PackedSequence) for leaf in self._inputs.values()):
            return True
        # Lengths as a list, beside the tensors or kept in the model.
        kept = [value for module in self.model.modules() for value in vars(module).values()]
        kept += list(self.model.buffers())
        count = max((len(array) for array in self.inputs_tuple if array.ndim), default=0)
        return _has_numbers(self.x) or any(_are_lengths(value, count) for value in kept)

    def called_layers(self) -> frozenset[int]:
        self._state.restore()  # before the hooks are there, since it would take them away
        seen = set[int]()
        handles = [
            module.register_forward_pre_hook(lambda *_, number=number: seen.add(number))
            for number, module in enumerate(self.model.modules())
        ]
        try:
            self.call(training=True, go_on=True)
        finally:
            for handle in handles:
                handle.remove()
        return frozenset(seen)

    def recurrent(self, inputs: Sequence[Array] | None = None) -> tuple[Recurrent, ...]:
        self._state.restore()  # before the hooks are there, since it would take them away
        seen: dict[str, list[Any]] = {}
        handles = [
            module.register_forward_pre_hook(_keep(seen.setdefault(name, [])), with_kwargs=True)
            for name, module in self.model.named_modules()
            if _kind(module) or _cell_kind(module)
        ]
        try:
            self.call(inputs, go_on=True)
        finally:
            for handle in handles:
                handle.remove()
        modules = dict(self.model.named_modules())
        found = [_recurrent(name, modules[name], calls) for name, calls in seen.items() if calls]
        return tuple(layer for layer in found if layer is not None)


class _Decayed:
    """The reader's optimizer at a larger rate, with its weight decay or without; what it is set to
    is put back with all else.
    """

    def __init__(self, optimizer: Any, rate: float, decay: bool) -> None:
        self.optimizer, self.rate, self.decay = optimizer, rate, decay

    def step(self) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] = max(float(group["lr"]), self.rate)
            if not self.decay and "weight_decay" in group:
                group["weight_decay"] = 0.0
        self.optimizer.step()


class _Leaf:
    """A tensor or a packed sequence of the batch as an array, and arrays as such a one again."""

    def __init__(self, value: Any) -> None:
        self.value = value
        self.array = _numpy(_padded(value))

    def like(self, array: Array, grad: bool = False) -> Any:
        data = _data_of(self.value)
        tensor = torch.as_tensor(np.ascontiguousarray(array)).to(
            device=data.device, dtype=data.dtype
        )
        tensor = tensor.clone()
        if not isinstance(self.value, PackedSequence):
            return tensor.requires_grad_() if grad and tensor.is_floating_point() else tensor
        packed = _pack(tensor, self.value)
        if grad and tensor.is_floating_point():
            packed = _with_data(packed, packed.data.detach().requires_grad_())
        return packed


class _Embedded(TorchFunctionMode):  # type: ignore[misc]
    """Makes a leaf of what comes out of an embedding or of a cast of whole numbers, to ask for its
    gradient.
    """

    def __init__(self) -> None:
        super().__init__()
        self.found: list[Any] = []
        self.tokens: list[tuple[int, ...]] = []

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        if func is torch.embedding or func is nn.functional.embedding or _is_cast(func, args, out):
            tokens = args[1] if func is torch.embedding else args[0]
            if torch.is_grad_enabled() and out.is_floating_point():
                out = out.detach().requires_grad_()
                self.found.append(out)
                self.tokens.append(tuple(tokens.shape))
        return out


class _Drawing(TorchFunctionMode):  # type: ignore[misc]
    """Notes which functions draw random numbers, dropout apart."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in _DRAWS or getattr(func, "__module__", "") == "torch.nn.init":
            self.names.append(f"torch.{func.__name__}")
        return func(*args, **(kwargs or {}))


_DRAWS = (
    torch.rand,
    torch.randn,
    torch.randint,
    torch.rand_like,
    torch.randn_like,
    torch.normal,
    torch.bernoulli,
    torch.multinomial,
    torch.randperm,
    Tensor.normal_,
    Tensor.uniform_,
    Tensor.bernoulli_,
    Tensor.random_,
)


def _rate(module: Any) -> float:
    if isinstance(module, nn.modules.dropout._DropoutNd):
        return float(module.p)
    return float(module.dropout) if _kind(module) else 0.0


def _is_cast(func: Any, args: Any, out: Any) -> bool:
    if func not in (Tensor.float, Tensor.to, Tensor.type, Tensor.double) or not isinstance(
        out, Tensor
    ):
        return False
    return (
        isinstance(args[0], Tensor) and not args[0].is_floating_point() and out.is_floating_point()
    )


class _Log:
    """What `Steps` tells, gathered step by step."""

    def __init__(self, named: Mapping[str, Any]) -> None:
        self.named = named
        self.start = {id(p): p.detach().clone() for p in named.values()}
        self.losses: list[float] = []
        self.norms: list[float] = []
        self.ratios: list[dict[str, float]] = []
        self.ever: dict[str, float | None] = dict.fromkeys(named)
        self.last: dict[str, Any] = {}

    def before(self, total: Any) -> None:
        self.losses.append(_number(total))
        square = 0.0
        for name, p in self.named.items():
            if p.grad is None:
                continue
            grad = p.grad.to_dense() if p.grad.is_sparse else p.grad
            self.ever[name] = max(
                self.ever[name] or 0.0, float(grad.abs().max()) if grad.numel() else 0.0
            )
            square += float((grad.double() ** 2).sum())
        self.norms.append(square**0.5)
        self.last = {name: p.detach().clone() for name, p in self.named.items() if p.ndim >= 2}

    def after(self) -> None:
        self.ratios.append(
            {
                name: float((self.named[name].detach() - old).norm() / (old.norm() + 1e-12))
                for name, old in self.last.items()
            }
        )

    def put_back(self, p: Any) -> None:
        """The value that a parameter had at the beginning, where the model's memory does not hold
        it.
        """
        _write(p, self.start[id(p)])

    def result(self) -> Steps:
        return Steps(tuple(self.losses), self.ever, tuple(self.ratios), tuple(self.norms))


# Small things.


def _special(thing: Any) -> tuple[Undo, Iterable[Any]] | None:
    """How a tensor and a generator of PyTorch are remembered."""
    if isinstance(thing, Tensor):
        return _tensor(thing)
    if isinstance(thing, torch.Generator):
        state = thing.get_state()
        return (lambda: thing.set_state(state)), ()
    return None


def _special_but_parameters(thing: Any) -> tuple[Undo, Iterable[Any]] | None:
    """The same without weights and optimizers: what a forward pass alone may leave behind."""
    if isinstance(thing, nn.Parameter | torch.optim.Optimizer):
        return (lambda: None), ()
    return _special(thing)


def _tensor(thing: Any) -> tuple[Undo, Iterable[Any]] | None:
    if isinstance(thing, nn.parameter.UninitializedTensorMixin) or thing.is_sparse:
        return (lambda: None), ()
    copy, grad, wanted = (
        thing.detach().clone(),
        thing.grad if thing.is_leaf else None,
        thing.requires_grad,
    )
    space = dict(vars(thing)) if hasattr(thing, "__dict__") else {}

    def undo() -> None:
        _write(thing, copy)
        if thing.is_leaf:
            if thing.requires_grad != wanted:
                thing.requires_grad_(wanted)
            if thing.grad is not grad:
                thing.grad = grad

    return undo, (grad, *space.values())


def _write(tensor: Any, value: Any) -> None:
    """Put a value into a tensor where it is not the same bit by bit; its version is not counted
    up.
    """
    data = tensor.data
    if data.shape != value.shape:
        tensor.data = value.clone()
    elif not _same_bits(data, value):
        data.copy_(value)


def _same_bits(a: Any, b: Any) -> bool:
    """Also for NaN, which does not equal itself, and for -0, which equals 0."""
    if a.dtype != b.dtype or a.device != b.device:
        return False
    whole = _WHOLE.get(a.element_size()) if a.is_floating_point() else None
    if whole is None:
        return bool(torch.equal(a, b))
    return bool(torch.equal(a.contiguous().view(whole), b.contiguous().view(whole)))


_WHOLE = {1: torch.int8, 2: torch.int16, 4: torch.int32, 8: torch.int64}


def _torch_generators() -> Undo:
    state = torch.get_rng_state()
    cuda = (
        torch.cuda.get_rng_state_all()
        if torch.cuda.is_available() and torch.cuda.is_initialized()
        else None
    )

    def undo() -> None:
        torch.set_rng_state(state)
        if cuda is not None:
            torch.cuda.set_rng_state_all(cuda)

    return undo


def _seed(seed: int) -> None:
    random.seed(seed)
    np.random.seed(seed)
    # torch.manual_seed also queues seeds for devices that sleep
    torch.default_generator.manual_seed(seed)
    if torch.cuda.is_available() and torch.cuda.is_initialized():
        torch.cuda.manual_seed_all(seed)


@contextmanager
def _without_cudnn() -> Iterator[None]:
    """CuDNN gives no gradient of a recurrent layer in evaluation mode."""
    if not torch.cuda.is_available():
        yield
        return
    with torch.backends.cudnn.flags(enabled=False):
        yield


def _set_mode(model: Any, training: bool) -> None:
    """Training as the reader left it, or evaluation: parts that were frozen in evaluation mode stay
    there.
    """
    if not training:
        model.eval()
        return
    if not any(module.training for module in model.modules()):
        model.train()


def _kind(module: Any) -> str:
    return next((kind for cls, kind in _RECURRENT.items() if isinstance(module, cls)), "")


def _cell_kind(module: Any) -> str:
    return next((kind for cls, kind in _CELLS.items() if isinstance(module, cls)), "")


def _optimizers(optimizer: Any) -> list[Any]:
    found = (
        []
        if optimizer is None
        else list(optimizer)
        if isinstance(optimizer, list | tuple)
        else [optimizer]
    )
    for one in found:
        if not hasattr(one, "param_groups") or not hasattr(one, "step"):
            raise ArgumentError(
                "examine: optimizer must be a torch.optim optimizer or a list of them, got "
                f"{type(one).__name__}"
            )
    return found


def _ways(model: Any, x: Any) -> list[Callable[[Any, Any], Any]]:
    """Ways to call the model with x, the likeliest first."""
    ways: list[Callable[[Any, Any], Any]] = [lambda model, x: model(x)]
    if isinstance(x, dict) and _binds(model, (), x):
        ways.insert(0, lambda model, x: model(**x))
    if (
        isinstance(x, tuple | list)
        and not isinstance(x, PackedSequence)
        and _binds(model, tuple(x), {})
    ):
        ways.insert(0, lambda model, x: model(*x))
    return ways


def _binds(model: Any, args: Any, kwargs: Any) -> bool:
    inner = model.module if isinstance(model, nn.DataParallel) else model
    try:
        signature = inspect.signature(getattr(inner, "forward", inner))
        signature.bind(*args, **kwargs)
    except (TypeError, ValueError):
        return False
    named_only = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in signature.parameters.values())
    return not (kwargs and named_only)


def _has_numbers(part: Any) -> bool:
    """Whether numbers stand in the batch that are in no tensor."""
    if isinstance(part, dict):
        return any(map(_has_numbers, part.values()))
    if isinstance(part, tuple | list) and not isinstance(part, PackedSequence):
        return any(map(_has_numbers, part))
    return isinstance(part, int | float | np.ndarray) and not isinstance(part, bool)


def _are_lengths(value: Any, count: int) -> bool:
    """Whether something holds one whole number for each example."""
    if isinstance(value, list | tuple):
        return len(value) == count and all(isinstance(one, int | np.integer) for one in value)
    if not isinstance(value, Tensor | np.ndarray) or value.ndim != 1 or len(value) != count:
        return False
    array = _numpy(value) if isinstance(value, Tensor) else value
    return bool(array.dtype.kind in "iu")


def _is_tensor_or_packed(part: Any) -> bool:
    return isinstance(part, Tensor | PackedSequence)


def _is_float(part: Any) -> bool:
    if isinstance(part, PackedSequence):
        return bool(part.data.is_floating_point())
    return isinstance(part, Tensor) and part.is_floating_point()


def _data_of(value: Any) -> Any:
    return value.data if isinstance(value, PackedSequence) else value


def _with_data(value: Any, data: Any) -> Any:
    if not isinstance(value, PackedSequence):
        return data
    return PackedSequence(data, value.batch_sizes, value.sorted_indices, value.unsorted_indices)


def _padded(value: Any) -> Any:
    if not isinstance(value, PackedSequence):
        return value
    return pad_packed_sequence(value, batch_first=True)[0]


def _pack(tensor: Any, like: Any) -> Any:
    lengths = pad_packed_sequence(like, batch_first=True)[1]
    return pack_padded_sequence(
        tensor, lengths, batch_first=True, enforce_sorted=like.sorted_indices is None
    )


def _numpy(tensor: Any) -> Any:
    if tensor is None:
        return None
    tensor = tensor.detach()
    if tensor.is_sparse:
        tensor = tensor.to_dense()
    if tensor.dtype in (torch.bfloat16, torch.float16):
        tensor = tensor.float()
    return tensor.cpu().numpy().copy()


def _total(value: Any) -> Any:
    if isinstance(value, dict):
        value = value["loss"]
    if isinstance(value, tuple | list):
        value = value[0]
    if not isinstance(value, Tensor):
        return torch.as_tensor(float(value))
    return value.sum() if value.ndim else value


def _number(value: Any) -> float:
    return float(_total(value).detach())


def _leaves_of_graph(root: Any) -> list[Any]:
    """Tensors without a history that a result was computed from."""
    waiting, seen, leaves = [root.grad_fn], set(), []
    if root.is_leaf and root.requires_grad:
        return [root]
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if hasattr(node, "variable"):
            leaves.append(node.variable)
        waiting.extend(parent for parent, _ in node.next_functions)
    return leaves


def _keep(calls: list[Any]) -> Callable[..., None]:
    def hook(module: Any, args: Any, kwargs: Any) -> None:
        x = args[0] if args else kwargs.get("input")
        state = args[1] if len(args) > 1 else kwargs.get("hx")
        calls.append((x if isinstance(x, PackedSequence) else x.detach(), state))

    return hook


def _recurrent(name: str, module: Any, calls: list[Any]) -> Recurrent | None:
    if _cell_kind(module):
        return _recurrent_cell(name, module, calls)
    x, state = calls[0]
    packed = isinstance(x, PackedSequence)
    array = _numpy(_padded(x))
    if array.ndim != 3:
        return None
    if not packed and not module.batch_first:
        array = array.swapaxes(0, 1)
    states = state if isinstance(state, tuple) else (state,)
    started = any(isinstance(s, Tensor) and bool((s != 0).any()) for s in states)
    parameter = f"{name}.weight_hh_l0" if name else "weight_hh_l0"
    return Recurrent(name, _kind(module), array, len(calls), started, _weights(module), parameter)


def _recurrent_cell(name: str, module: Any, calls: list[Any]) -> Recurrent | None:
    """A cell that is called step by step, as a layer that is called once; its state is the loop's
    own.
    """
    shapes = {x.shape for x, _ in calls}
    if len(shapes) > 1 or calls[0][0].ndim != 2:
        return None
    array = np.stack([_numpy(x) for x, _ in calls], axis=1)
    weights = None
    if isinstance(module, nn.LSTMCell):
        Wx, Wh = _numpy(module.weight_ih).T, _numpy(module.weight_hh).T
        b = (
            _numpy(module.bias_ih) + _numpy(module.bias_hh)
            if module.bias
            else np.zeros(Wx.shape[1], Wx.dtype)
        )
        weights = Wx, Wh, b
    return Recurrent(
        name,
        _cell_kind(module),
        array,
        1,
        True,
        weights,
        f"{name}.weight_hh" if name else "weight_hh",
    )


def _weights(module: Any) -> tuple[Array, Array, Array] | None:
    if not isinstance(module, nn.LSTM) or module.proj_size:
        return None
    Wx, Wh = _numpy(module.weight_ih_l0).T, _numpy(module.weight_hh_l0).T
    b = (
        _numpy(module.bias_ih_l0) + _numpy(module.bias_hh_l0)
        if module.bias
        else np.zeros(Wx.shape[1], Wx.dtype)
    )
    return Wx, Wh, b

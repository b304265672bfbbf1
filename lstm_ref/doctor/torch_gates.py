"""Gates of a recurrent cell that a reader has written out, found by what is done with their
numbers, not by their names.

A sigmoid or tanh is seen when it is called. What a sigmoid is multiplied with, added to something
else, is a state; the sigmoid that a state is multiplied with at the next step keeps it or forgets
it.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torch.overrides import TorchFunctionMode

from lstm_ref.doctor.subject import OwnGates

_SIGMOID = ("sigmoid", "sigmoid_", "hardsigmoid")
_TANH = ("tanh", "tanh_")
_TIMES = ("mul", "mul_", "__mul__", "__rmul__", "multiply")
_PLUS = ("add", "add_", "__add__", "__radd__", "__iadd__")
LIMIT = 5.0  # beyond which a sigmoid has lost 99 % of its slope, as in `gates`
MOST = 4000  # calls that are looked at


class Watch(TorchFunctionMode):  # type: ignore[misc]
    """Follows sigmoids, tanhs, products and sums through one forward pass."""

    def __init__(self) -> None:
        super().__init__()
        self.gates: set[int] = set()
        self.gated: set[int] = set()
        self.states: set[int] = set()
        self.kept: list[float] = []
        self.saturated: dict[str, list[float]] = {"sigmoid": [], "tanh": []}
        self._alive: list[Any] = []  # so that no storage is used again

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        name = getattr(func, "__name__", "")
        if (
            isinstance(out, Tensor)
            and len(self._alive) < MOST
            and args
            and isinstance(args[0], Tensor)
        ):
            self._see(name, args, out)
        return out

    def _see(self, name: str, args: Any, out: Any) -> None:
        if name in _SIGMOID or name in _TANH:
            kind = "sigmoid" if name in _SIGMOID else "tanh"
            self._keep(out, self.gates if kind == "sigmoid" else None)
            if _place(args[0]) not in self.states and not name.endswith("_"):
                self.saturated[kind].append(float((args[0].abs() > LIMIT).double().mean()))
        elif name in _TIMES and len(args) == 2 and isinstance(args[1], Tensor):
            for gate, other in (args, args[::-1]):
                if _place(gate) in self.gates:
                    self._keep(out, self.gated)
                    if _place(other) in self.states:
                        self.kept.append(float(gate.detach().double().median()))
        elif name in _PLUS and any(_place(a) in self.gated for a in args if isinstance(a, Tensor)):
            self._keep(out, self.states)

    def _keep(self, out: Any, group: set[int] | None) -> None:
        self._alive.append(out)
        if group is not None:
            group.add(_place(out))

    def result(self) -> OwnGates:
        """What was seen; see `OwnGates`."""
        shares = {
            kind: sum(seen) / len(seen) if seen else 1.0 for kind, seen in self.saturated.items()
        }
        kept = sorted(self.kept)[len(self.kept) // 2] if len(self.kept) > 1 else None
        return OwnGates(len(self.saturated["sigmoid"]), min(shares.values()), kept)


def _place(tensor: Any) -> int:
    """Where the numbers lie: the same for a tensor and for the parts that it is cut into."""
    return int(tensor.untyped_storage().data_ptr())

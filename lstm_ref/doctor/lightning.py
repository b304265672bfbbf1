"""A LightningModule by its methods, as loss and optimizers of a `TorchSubject`; Lightning itself is
not needed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class StepLoss:
    """Loss of given outputs: what ``training_step`` returns when the module's own forward pass is
    answered with them.

    Parameters
    ----------
    module : with training_step(batch, number)
    x : inputs of the batch
    """

    def __init__(self, module: Any, x: Any) -> None:
        self.module, self.x = module, x

    def __call__(self, outputs: Any, y: Any) -> Any:
        """Loss of these outputs against y."""
        replaced = {"forward": lambda *_, **__: outputs, "log": _ignore, "log_dict": _ignore}
        with _replaced(self.module, replaced):
            value = self.module.training_step((self.x, y), 0)
        return value["loss"] if isinstance(value, dict) else value


def optimizers_of(module: Any) -> list[Any]:
    """What ``configure_optimizers`` makes, in any of the forms that Lightning takes; schedules are
    left out.
    """
    return (
        _optimizers(module.configure_optimizers())
        if hasattr(module, "configure_optimizers")
        else []
    )


def _optimizers(made: Any) -> list[Any]:
    if made is None:
        return []
    if isinstance(made, dict):
        return _optimizers(made["optimizer"])
    if isinstance(made, tuple | list):
        first = made[0] if len(made) == 2 and isinstance(made[0], list) else made
        return [optimizer for one in first for optimizer in _optimizers(one)]
    return [made]


def _ignore(*_: Any, **__: Any) -> None:
    """What logging does here."""


@contextmanager
def _replaced(module: Any, methods: dict[str, Any]) -> Iterator[None]:
    space = vars(module)
    before = {name: space[name] for name in methods if name in space}
    space.update(methods)
    try:
        yield
    finally:
        for name in methods:
            space.pop(name, None)
        space.update(before)

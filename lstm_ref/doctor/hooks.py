"""The doctor in a loop that exists: at the first step of a PyTorch loop, and as a callback of Keras
and of Lightning.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lstm_ref.doctor.report import Report
from lstm_ref.errors import MissingPackageError

Show = Callable[[Any], Any]


class FirstStep:
    """A loss that notes what the loop gives to model and loss; the program is examined before the
    optimizer's first step.

    Not within the loss: the backward pass that follows would find weights that were written since.

    Parameters
    ----------
    model : module of PyTorch, called by the loop before the loss
    loss : loss(outputs, y)
    optimizer : the loop's own
    show : what is done with the report; None leaves it in ``report``
    options : further arguments of `lstm_ref.doctor.examine`

    Attributes
    ----------
    report : None before the first step

    Examples
    --------
    >>> import torch
    >>> from torch import nn
    >>> model = nn.Sequential(nn.Linear(3, 4), nn.Softmax(-1))
    >>> optimizer = torch.optim.Adam(model.parameters())
    >>> criterion = FirstStep(model, nn.CrossEntropyLoss(), optimizer, show=None)
    >>> criterion(model(torch.randn(8, 3)), torch.arange(8) % 4).backward()
    >>> optimizer.step()
    >>> criterion.report.ids
    ('loss-wants-logits',)
    """

    def __init__(
        self, model: Any, loss: Any, optimizer: Any, *, show: Show | None = print, **options: Any
    ) -> None:
        self.model, self.loss, self.optimizer, self.options = model, loss, optimizer, options
        self.show = show
        self.report: Report | None = None
        self._x: list[Any] = []
        self._given: tuple[Any, ...] | None = None
        self._handles = [
            model.register_forward_pre_hook(self._keep, with_kwargs=True),
            optimizer.register_step_pre_hook(self._before_step),
        ]

    def __call__(self, outputs: Any, *targets: Any, **more: Any) -> Any:
        """The loss of these outputs."""
        if self.report is not None:
            self._remove()
        elif self._x and targets:
            self._given = (self._x[-1], targets, more)
        return self.loss(outputs, *targets, **more)

    def _keep(self, module: Any, args: Any, kwargs: Any) -> None:
        self._x = [
            dict(kwargs) if kwargs and not args else args[0] if len(args) == 1 else tuple(args)
        ]

    def _before_step(self, *_: Any) -> None:
        if self._given is None or self.report is not None:
            return
        # the examination makes steps of its own
        (x, targets, more), self._given = self._given, None
        self.report = self._examine(x, targets, more)
        if self.show is not None:
            self.show(self.report)

    def _remove(self) -> None:
        while self._handles:
            self._handles.pop().remove()

    def _examine(self, x: Any, targets: tuple[Any, ...], more: dict[str, Any]) -> Report:
        from lstm_ref.doctor import examine

        y = targets[0] if len(targets) == 1 else targets

        def loss(outputs: Any, y: Any) -> Any:
            return self.loss(outputs, *(y if len(targets) > 1 else (y,)), **more)

        given = self.loss if len(targets) == 1 and not more else loss
        return examine(self.model, (x, y), loss=given, optimizer=self.optimizer, **self.options)


def keras_callback(batch: Any, *, show: Show | None = print, **options: Any) -> Any:
    """Callback for ``model.fit`` that examines the model with a batch (x, y) before the first step.

    Parameters
    ----------
    batch : (x, y), as fit takes them; one batch is enough
    show : what is done with the report; None leaves it in the callback's ``report``
    options : further arguments of `lstm_ref.doctor.examine`
    """
    import keras

    class Doctor(keras.callbacks.Callback):  # type: ignore[misc]
        """See `keras_callback`."""

        report: Report | None = None

        def on_train_begin(self, logs: Any = None) -> None:
            """Examine once, however often fit is called."""
            if self.report is None:
                self.report = _examined(self.model, batch, show, options)

    return Doctor()


def lightning_callback(*, show: Show | None = print, **options: Any) -> Any:
    """Callback for a Lightning Trainer that examines the module with its first training batch.

    Parameters
    ----------
    show : what is done with the report; None leaves it in the callback's ``report``
    options : further arguments of `lstm_ref.doctor.examine`

    Raises
    ------
    MissingPackageError : without Lightning
    """
    base = _lightning_base()

    class Doctor(base):  # type: ignore[misc, valid-type]
        """See `lightning_callback`."""

        report: Report | None = None

        def on_train_batch_start(
            self, trainer: Any, module: Any, batch: Any, batch_idx: int
        ) -> None:
            """Examine once."""
            if self.report is None:
                self.report = _examined(module, batch, show, options)

    return Doctor()


def _lightning_base() -> Any:
    import importlib

    for name in ("lightning.pytorch", "pytorch_lightning"):
        try:
            return importlib.import_module(name).Callback
        except ModuleNotFoundError:
            continue
    raise MissingPackageError(
        "lightning_callback: needs Lightning, which is not installed; run: pip install lightning"
    )


def _examined(model: Any, batch: Any, show: Show | None, options: dict[str, Any]) -> Report:
    from lstm_ref.doctor import examine

    report = examine(model, tuple(batch), **options)
    if show is not None:
        show(report)
    return report

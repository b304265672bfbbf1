"""What is wrong with a reader's own recurrent network, by measurement: `examine` a model with the
batch that it is trained on.

>>> import torch
>>> from torch import nn
>>> class Last(nn.Module):
...     def __init__(self):
...         super().__init__()
...         self.lstm, self.out = nn.LSTM(3, 8), nn.Linear(8, 2)  # batch_first was forgotten
...
...     def forward(self, x):
...         return self.out(self.lstm(x)[0][:, -1])
>>> torch.manual_seed(0)  # doctest: +ELLIPSIS
<torch._C.Generator object at ...>
>>> batch = torch.randn(6, 5, 3), torch.randint(0, 2, (6,))
>>> examine(Last(), batch, loss=nn.CrossEntropyLoss()).ids[0]
'examples-mixed'
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from lstm_ref.doctor.catalogue import CATALOGUE, Entry
from lstm_ref.doctor.hooks import FirstStep, keras_callback, lightning_callback
from lstm_ref.doctor.report import Finding, NotExamined, Report
from lstm_ref.doctor.run import run
from lstm_ref.doctor.subject import Options, Subject
from lstm_ref.errors import ArgumentError
from lstm_ref.train.keyboard import whole_step

__all__ = [
    "CATALOGUE",
    "Entry",
    "Finding",
    "FirstStep",
    "NotExamined",
    "Report",
    "examine",
    "keras_callback",
    "lightning_callback",
]


def examine(
    model: Any,
    batch: Any,
    *,
    loss: Any = None,
    optimizer: Any = None,
    forward: Callable[..., Any] | None = None,
    step: Callable[..., Any] | None = None,
    train: Any = None,
    valid: Any = None,
    lengths: Any = None,
    mask: Any = None,
    causal: bool = False,
    stateful: bool = False,
    batch_axis: int | None = None,
    budget: float = 20.0,
    skip: Sequence[str] = (),
) -> Report:
    """Examine a model with one batch, as the training loop would use it; nothing is left changed,
    bit by bit.

    Parameters
    ----------
    model : a module of PyTorch, a compiled model of Keras 3, a LightningModule, or parameters in
        NumPy, name -> array
    batch : (x, y), each a tensor, or a tuple, list or dict of them; x may be a packed sequence
    loss : loss(outputs, y), as in the loop; Keras and Lightning bring their own. In NumPy, without
        forward, loss(params, batch) -> loss or (loss, grads)
    optimizer : of PyTorch, one or several; in NumPy a function (params, grads) -> params; Keras and
        Lightning bring their own
    forward : in NumPy only, forward(params, x) -> outputs; an argument ``training`` is told the
        mode
    step : the loop itself, step(batch) -> loss; it is called about 30 times, in Keras 8 times
        (there ``lambda batch: model.train_on_batch(*batch)`` is what fit does). In NumPy
        step(params, batch) -> (loss, grads)
    train, valid : (x, y) of arrays, for leaks, labels and scales
    lengths, mask : valid steps of each example, (N,), or True at valid steps, (N, T)
    causal : no output may depend on a later step
    stateful : batches continue one another, so that a carried state is meant
    batch_axis : of the examples in x; found by measurement where it is not given
    budget : seconds of computing, after which no further training is begun
    skip : families of examinations to leave out, as `CATALOGUE` names them

    Returns
    -------
    report : Report, the likeliest cause first

    Raises
    ------
    ArgumentError : a batch that is no pair, a model that cannot be called with it
    """
    if forward is not None and not isinstance(model, Mapping):
        raise ArgumentError(
            "examine: forward= belongs to parameters in NumPy; a model of a framework has its own"
        )
    options = Options(
        step, train, valid, lengths, mask, causal, stateful, batch_axis, budget, tuple(skip)
    )
    subject = _subject(model, batch, loss, optimizer, options, forward)
    try:
        return run(subject)
    finally:
        with whole_step():
            subject.restore()


def _subject(
    model: Any, batch: Any, loss: Any, optimizer: Any, options: Options, forward: Any
) -> Subject:
    if not isinstance(batch, tuple | list) or len(batch) != 2:
        raise ArgumentError(f"examine: batch must be a pair (x, y), got {_described(batch)}")
    if not options.budget > 0:
        raise ArgumentError(
            f"examine: budget must be a positive number of seconds, got {options.budget}"
        )
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(model, torch.nn.Module):
        from lstm_ref.doctor.torch_subject import TorchSubject

        if loss is None and callable(getattr(model, "training_step", None)):
            from lstm_ref.doctor.lightning import StepLoss, optimizers_of

            loss, optimizer = StepLoss(model, batch[0]), optimizer or optimizers_of(model)

        return TorchSubject(model, tuple(batch), loss, optimizer, options)
    keras = sys.modules.get("keras")
    if keras is not None and isinstance(model, keras.Model):
        from lstm_ref.doctor.keras_subject import KerasSubject

        return KerasSubject(model, tuple(batch), loss, optimizer, options)
    if (
        isinstance(model, Mapping)
        and model
        and all(isinstance(value, np.ndarray) for value in model.values())
    ):
        from lstm_ref.doctor.numpy_subject import NumpySubject

        return NumpySubject(model, tuple(batch), loss, optimizer, options, forward)
    raise ArgumentError(
        "examine: model must be a torch.nn.Module, a compiled keras.Model or a dict of NumPy "
        f"arrays by name, got {type(model).__name__}"
    )


def _described(thing: Any) -> str:
    size = f" of {len(thing)}" if isinstance(thing, tuple | list | dict) else ""
    return f"{type(thing).__name__}{size}"

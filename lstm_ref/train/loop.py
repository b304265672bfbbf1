"""The training loop: what happens in a step, and what happens around it. It knows no library; an
`Engine` does the rest.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.random import Generator

from lstm_ref.errors import ArgumentError, DivergedError, NotFiniteError
from lstm_ref.train.engine import Engine, Weights
from lstm_ref.train.history import History
from lstm_ref.train.keyboard import whole_step
from lstm_ref.train.order import Batches, arrays_of, one_pass, rows
from lstm_ref.train.run import Run

Schedule = Callable[[int, History], float]


def train(
    engine: Engine,
    batches: Batches,
    *,
    steps: int | None = None,
    passes: int | None = None,
    lr: float | Callable[..., float] = 1e-3,
    clip: float | None = None,
    validation: Batches | None = None,
    evaluate: Callable[[Any], float] | None = None,
    validate_every: int | None = None,
    patience: int | None = None,
    rng: Generator | Sequence[Generator] = (),
    checkpoint: str | Path | None = None,
    checkpoint_every: int = 100,
    resume: bool = False,
    progress: bool | None = None,
) -> History:
    """Train a model until enough steps or passes are done, or validation no longer improves.

    The model is ``engine.model``: it holds the last weights afterwards, or the best ones where
    ``patience`` is given. Ctrl-C ends training after the step that is under way, in the same good
    order.

    Parameters
    ----------
    engine : NumpyEngine, TorchEngine or KerasEngine
    batches : function that gives the batches of one pass over the data, or a list of them. A state
        that is carried is None at the start of each pass
    steps, passes : how long: at least one of them; whichever comes first
    lr : learning rate; or a function of the number of steps taken, 0 at the first one, as
        `lstm_ref.optim` has them; or a function of this number and the History so far
    clip : largest length that all gradients together may have; longer ones are shortened, their
        direction stays
    validation : as ``batches``; the loss over them is measured as `mean_loss` does it
    evaluate : instead of validation, a function ``evaluate(model) -> number`` where lower is
        better, such as 1 - accuracy
    validate_every : steps from one validation to the next; None means one after each pass. One more
        comes at the end
    patience : end after so many validations without a new best one, and put the best weights back
        (however training ends); None means that the last weights stay
    rng : numpy.random.Generator, or several, that ``batches`` and the step draw from, so that a
        checkpoint can hold where they stand. The global generators of Python, NumPy and PyTorch are
        kept in any case. Batches that are drawn one by one need another generator than the step
    checkpoint : file in which the run is kept, every ``checkpoint_every`` steps and at the end
    resume : go on with the run in that file, exactly where it stood; where there is no file, begin
    progress : True for a progress bar, False for none, None for one on a terminal

    Returns
    -------
    history : History

    Raises
    ------
    ArgumentError : an argument that does not fit, by name; also data without a single batch
    DivergedError : a loss or a gradient is NaN or infinite. The model holds the weights before the
        last update, whose loss was finite
    CheckpointError : the file is no checkpoint, is damaged, or belongs to another model or to other
        data
    MissingPackageError : progress is True, and tqdm is not installed

    Examples
    --------
    >>> from lstm_ref.train import NumpyEngine
    >>> def step(params, batch):  # the mean squared distance of w from the batch
    ...     return float(np.mean((params["w"] - batch) ** 2)), {
    ...         "w": 2 * np.mean(params["w"] - batch, keepdims=True)
    ...     }
    >>> engine = NumpyEngine({"w": np.zeros(1)}, step)
    >>> history = train(
    ...     engine, [np.array([1.0, 3.0])], steps=60, lr=lambda k: 0.2 if k < 30 else 0.05, clip=2.0
    ... )
    >>> engine.model["w"].round(1), history.clipped[0], history.grad_norm[0]
    (array([2.]), True, 4.0)
    """
    _check(engine, lr, clip, validation, evaluate)
    measure = None
    if evaluate is not None:
        measure = lambda: float(evaluate(engine.model))  # noqa: E731
    elif validation is not None:
        measure = lambda: mean_loss(engine, validation)  # noqa: E731
    run = Run(
        engine,
        batches,
        steps=steps,
        passes=passes,
        measure=measure,
        validate_every=validate_every,
        patience=patience,
        rng=rng,
        checkpoint=checkpoint,
        checkpoint_every=checkpoint_every,
    )
    with run.going(resume, progress):
        _loop(engine, run, _schedule(lr), math.inf if clip is None else clip)
    return run.history


def _loop(engine: Engine, run: Run, schedule: Schedule, clip: float) -> None:
    """Pass after pass, batch after batch: how training works."""
    batch, before = None, engine.weights()
    try:
        run.between_steps()  # a run that was interrupted while it was measured is measured first
        while not run.finished():
            for batch in run.order.rest_of_pass():
                with whole_step():  # Ctrl-C waits for its end
                    rate = schedule(run.history.steps, run.history)
                    loss, grads, state = engine.loss_and_grads(batch, run.state)
                    norm = engine.norm(grads)
                    _check_finite(loss, norm, rate)
                    clipped = norm > clip
                    if clipped:
                        grads = {name: g * (clip / norm) for name, g in grads.items()}
                    before = engine.weights()
                    engine.update(grads, rate)
                    ratio = _update_ratio(engine, before, grads)
                    run.record(
                        batch,
                        state,
                        loss=loss,
                        lr=rate,
                        grad_norm=norm,
                        clipped=clipped,
                        update_ratio=ratio,
                    )
                run.between_steps()
                if run.finished():
                    break
            else:
                run.end_pass()
        run.end()
    except NotFiniteError as error:
        engine.set_weights(before)
        raise DivergedError(
            _what_to_look_at(error, run.history, batch, clip), run.history
        ) from error


def mean_loss(engine: Engine, batches: Batches) -> float:
    """Mean loss over batches, in evaluation mode: each weighs as many examples as it holds. The
    model stays as it is.

    Parameters
    ----------
    engine : NumpyEngine, TorchEngine or KerasEngine
    batches : function that gives the batches, or a list of them. A state that is carried is None at
        the first one

    Returns
    -------
    loss : float

    Raises
    ------
    ArgumentError : no batches, or an empty one

    Examples
    --------
    >>> from lstm_ref.train import NumpyEngine
    >>> engine = NumpyEngine(
    ...     {"w": np.ones(1)}, lambda params, batch: (batch.mean(), {"w": np.zeros(1)})
    ... )
    >>> mean_loss(engine, [np.array([1.0, 1.0, 1.0]), np.array([5.0])])
    2.0
    """
    state, total, count = None, 0.0, 0
    for batch in one_pass("validation", batches):
        loss, state = engine.loss(batch, state)
        total += loss * rows(batch)
        count += rows(batch)
    if count == 0:
        raise ArgumentError(
            "train: validation must hold at least one example, got batches of length 0"
        )
    return total / count


def _schedule(lr: Any) -> Schedule:
    """Learning rate as a function of the number of steps and the history, whatever it was given
    as.
    """
    if not callable(lr):
        return lambda taken, history: float(lr)
    places = [p for p in inspect.signature(lr).parameters.values() if p.default is p.empty]
    return lr if len(places) == 2 else lambda taken, history: lr(taken)


def _update_ratio(engine: Engine, before: Weights, grads: Weights) -> float:
    """Length of the update over the length of the weights that it changed."""
    after = engine.weights()
    change = engine.norm({name: after[name] - before[name] for name in grads})
    length = engine.norm({name: before[name] for name in grads})
    return change / length if length else math.inf


def _check_finite(loss: float, norm: float, rate: float) -> None:
    if not math.isfinite(loss):
        raise NotFiniteError(f"the loss is {loss}")
    if not math.isfinite(norm):
        raise NotFiniteError(f"the loss is {loss:.4g}, but the length of its gradients is {norm}")
    if not 0 < rate < math.inf:
        raise ArgumentError(f"train: lr must be a number above 0 at every step, got {rate}")


def _what_to_look_at(error: NotFiniteError, history: History, batch: Any, clip: float) -> str:
    k = history.steps + 1
    text = f"train: step {k}: {error}. "
    bad = [
        k
        for k, array in enumerate(arrays_of(batch))
        if array.dtype.kind == "f" and not np.isfinite(array).all()
    ]
    if bad:
        return text + (
            f"The batch itself holds NaN or infinity, in array {bad[0]} of it: look at the data, "
            "and at what scales them"
        )
    if not history.loss:
        return text + (
            "It is the first step: look at the initial weights, and at a logarithm or a division "
            "in the loss"
        )
    return text + (
        "The model holds the weights before the last update, whose loss was "
        f"{history.loss[-1]:.4g}. That update was {history.update_ratio[-1]:.2g} of the weights, "
        f"with learning rate {history.lr[-1]:.2g} and gradients of length "
        f"{history.grad_norm[-1]:.2g}, "
        f"{f'clipped to {clip:.2g}' if clip < math.inf else 'not clipped'}: try a tenth of the "
        f"learning rate{'' if clip < math.inf else ', and clip=1.0'}"
    )


def _check(engine: Any, lr: Any, clip: Any, validation: Any, evaluate: Any) -> None:
    if not hasattr(engine, "loss_and_grads"):
        raise ArgumentError(
            "train: engine must be a NumpyEngine, TorchEngine or KerasEngine, got "
            f"{type(engine).__name__}; wrap the model: TorchEngine(model, step)"
        )
    for name, number in (("lr", lr), ("clip", clip)):
        fits = (
            isinstance(number, int | float | np.number)
            and not isinstance(number, bool)
            and 0 < number < math.inf
        )
        if (
            not fits
            and not (name == "lr" and callable(number))
            and not (name == "clip" and number is None)
        ):
            raise ArgumentError(f"train: {name} must be a number above 0, got {number!r}")
    if validation is not None and evaluate is not None:
        raise ArgumentError("train: give validation or evaluate, not both")
    if evaluate is not None and not callable(evaluate):
        raise ArgumentError(
            f"train: evaluate must be a function of the model, got {type(evaluate).__name__}"
        )

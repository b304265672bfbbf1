"""What the examinations see of a reader's program: arrays in, arrays out, whatever framework is
behind.

A `Subject` is made by one adapter for each framework. Every call starts from the state that the
reader's program was in, with the same random numbers, unless it is asked not to; so two calls that
differ, differ because of what was given to them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Arrays = tuple[Array, ...]
Gradients = tuple[Array | None, ...]


class CannotExamineError(Exception):
    """An examination does not apply to this program; the message says why."""


@dataclass(frozen=True)
class Options:
    """What the reader told beyond model, batch, loss and optimizer; as `lstm_ref.doctor.examine`
    takes it.
    """

    step: Callable[[Any], Any] | None = None
    train: Any = None
    valid: Any = None
    lengths: Any = None
    mask: Any = None
    causal: bool = False
    stateful: bool = False
    batch_axis: int | None = None
    budget: float = 20.0
    skip: tuple[str, ...] = ()


@dataclass(frozen=True)
class Parameter:
    """One array of weights.

    Parameters
    ----------
    name : as the framework names it; for reading only
    shape : its shape
    trainable : whether the framework is asked for its gradient
    updated : whether the optimizer has it; None without an optimizer
    registered : whether the model knows it, or it was only found on the way from the loss
    layer : number of the layer that it belongs to, to tell who shares a layer
    """

    name: str
    shape: tuple[int, ...]
    trainable: bool = True
    updated: bool | None = None
    registered: bool = True
    layer: int = -1
    kind: str = ""


@dataclass(frozen=True)
class Recurrent:
    """A recurrent layer of the framework's own, and what went in at a call.

    Parameters
    ----------
    name : as the framework names it
    kind : "lstm", "gru" or "rnn"
    x : (N, T, D), the input of the call; N examples as the layer takes them
    calls : how often it was called in one forward pass
    started : whether the call was given a state
    weights : Wx (D, 4H), Wh (H, 4H), b (4H,) of the first direction, in the order i f g o, for an
        LSTM; else None
    parameter : name of the recurrent kernel among the parameters
    """

    name: str
    kind: str
    x: Array
    calls: int
    started: bool
    weights: tuple[Array, Array, Array] | None
    parameter: str = ""


@dataclass(frozen=True)
class OwnGates:
    """Gates of a cell that is written out, seen in one forward pass.

    Parameters
    ----------
    calls : of a sigmoid
    saturated : share of the pre-activations beyond the limit, for sigmoid or for tanh, whichever
        has less
    kept : median of what the state of the step before is multiplied with; None where there is no
        such product
    """

    calls: int
    saturated: float
    kept: float | None


@dataclass(frozen=True)
class Backward:
    """Loss and gradients of one backward pass; None where the framework has no path."""

    loss: float
    parameters: Mapping[str, Array | None]
    inputs: Gradients = ()
    connected: bool = True


@dataclass(frozen=True)
class Steps:
    """A few training steps on the one batch.

    Parameters
    ----------
    losses : before each step
    ever : for each parameter, the largest gradient met over all steps, None where there was none at
        any
    ratios : for each step and updated parameter of two axes, norm of the update over the norm of
        the weights
    norms : norm of all gradients before each step
    """

    losses: tuple[float, ...]
    ever: Mapping[str, float | None]
    ratios: tuple[Mapping[str, float], ...]
    norms: tuple[float, ...]


@dataclass
class StepLog:
    """What was seen while the reader's `step` ran.

    Parameters
    ----------
    losses : returned, as far as they are numbers
    used : norm of the gradient that the optimizer used, at each of its steps
    left : norm of the gradient that was left after the call, at each call; None where there is none
    ratio : norm of the used gradient of the second step over that of the first, with the same
        weights, batch and random numbers
    rates : learning rates of the first group after each call
    evaluating : calls in which the model ran in evaluation mode
    calls : how many there were
    nodes : size of the graph behind the loss, at each call
    alive : nodes of all graphs that something holds after a call: early in the row, and at its end
    between : calls between the two
    changed : largest change of a weight over all calls
    error : what a later call raised
    true_norm : norm of the gradient of the loss, computed by the doctor
    added : for the second of the two steps, what its backward pass found over what the first one
        left, as a share of that; None where the first left nothing
    shrunk : norm of the gradient after the call over that at the optimizer's step, where every part
        of it only became smaller; at last for one call whose gradients were made `enlarged` times
        as large, so that any limit of clipping acts
    enlarged : the norm at the optimizer's step of that call; None where it was not made
    along : cosine between the first move of the weights and the gradient of the loss; None where
        either is nothing
    scale : what the backward pass began from over the loss that the step returned
    still : names of the weights that no call changed at all
    passes, cleared : backward passes of a call whose optimizer used the last gradient alone, and
        how many gradients of another direction were cleared before; most of all calls
    """

    losses: list[float] = field(default_factory=list)
    used: list[float] = field(default_factory=list)
    left: list[float | None] = field(default_factory=list)
    ratio: float | None = None
    rates: list[float] = field(default_factory=list)
    evaluating: int = 0
    calls: int = 0
    nodes: list[int] = field(default_factory=list)
    alive: tuple[int, int] = (0, 0)
    between: int = 0
    changed: float = 0.0
    error: str = ""
    true_norm: float = 0.0
    added: float | None = None
    shrunk: list[float] = field(default_factory=list)
    enlarged: float | None = None
    scale: float = 1.0
    along: float | None = None
    still: frozenset[str] = frozenset()
    passes: int = 0
    cleared: int = 0


@dataclass
class Subject(ABC):
    """The neutral view of a program. See the module's docstring.

    Attributes
    ----------
    inputs, targets : leaves of the batch, by path, as arrays
    options : what else the reader told
    """

    options: Options
    inputs: dict[str, Array] = field(default_factory=dict)
    targets: dict[str, Array] = field(default_factory=dict)
    framework: str = ""
    has_loss: bool = False
    has_optimizer: bool = False
    without_outputs: bool = False

    @abstractmethod
    def call(
        self,
        inputs: Sequence[Array] | None = None,
        *,
        training: bool = False,
        seed: int | None = 0,
        go_on: bool = False,
    ) -> Arrays:
        """Output leaves of one forward pass.

        Parameters
        ----------
        inputs : instead of the batch's own
        training : in which mode
        seed : of the random numbers; None lets the generators go on from where they are
        go_on : from the state that the call before left, not from the one that the program was in
        """

    @abstractmethod
    def loss(self, outputs: Sequence[Array], targets: Sequence[Array] | None = None) -> float:
        """Loss of these outputs against these targets, or the batch's own."""

    @abstractmethod
    def loss_gradient(
        self, outputs: Sequence[Array], targets: Sequence[Array] | None = None
    ) -> Gradients:
        """Gradient of that loss with respect to the outputs; None for a leaf that it does not
        depend on.
        """

    @abstractmethod
    def backward(
        self,
        inputs: Sequence[Array] | None = None,
        targets: Sequence[Array] | None = None,
        *,
        training: bool = True,
        seed: int = 0,
    ) -> Backward:
        """Loss of the batch and its gradients with respect to the parameters."""

    @abstractmethod
    def input_gradient(self, weights: Sequence[Array], *, training: bool = False) -> Gradients:
        """Gradient of the sum of weights * outputs with respect to each input leaf; (N, T) for
        tokens, None if there is none.
        """

    @abstractmethod
    def parameters(self) -> tuple[Parameter, ...]:
        """All parameters that the loss or the outputs may depend on."""

    @abstractmethod
    def values(self, names: Sequence[str]) -> Arrays:
        """Values of these parameters."""

    @abstractmethod
    def changed(self, values: Mapping[str, Array]) -> AbstractContextManager[None]:
        """With other values of some parameters."""

    @abstractmethod
    def steps(
        self,
        count: int,
        *,
        rate: float | None = None,
        seed: int = 0,
        until: float = 1e9,
        batches: Iterator[tuple[Arrays, Arrays]] | None = None,
    ) -> Steps:
        """Train on the batch, or on others: with the reader's optimizer, or with Adam of the
        doctor's own at this rate.

        ``until`` is the time.process_time() at which no further step is begun.
        """

    @abstractmethod
    def recurrent(self, inputs: Sequence[Array] | None = None) -> tuple[Recurrent, ...]:
        """Recurrent layers and cells of the framework that a forward pass calls, with these inputs
        or the batch's own.
        """

    def own_gates(self) -> OwnGates | None:
        """Gates of a cell that is written out; None where they cannot be seen."""
        return None

    def called_layers(self) -> frozenset[int]:
        """Numbers of the layers that a forward pass in training calls, as far as one sees it."""
        return frozenset()

    @property
    def fixed_lengths(self) -> bool:
        """Whether examples keep their lengths and places, as in a packed leaf, since something
        beside the leaves tells them.
        """
        return False

    @property
    @abstractmethod
    def made_anew(self) -> int:
        """Number of arrays of weights that each call makes anew."""

    @abstractmethod
    def draws_numbers(self) -> str:
        """What draws random numbers in evaluation, other than dropout; empty where nothing does."""

    @abstractmethod
    def weights_after_forward(self) -> tuple[str, float]:
        """Parameter that a forward pass changes most, and by how much; 0 where none."""

    @abstractmethod
    def modes_after_forward(self) -> int:
        """Number of parts whose training flag is another one after a forward pass."""

    @abstractmethod
    def dropout_rate(self) -> float:
        """Largest dropout rate that is set in a part that is in training mode; 0 where none."""

    @abstractmethod
    def rates(self) -> tuple[float, ...]:
        """Learning rates of the optimizer's groups."""

    def still_to_come(self) -> float:
        """How many times the rate of now a warm-up will reach; 1 where nothing says so."""
        return 1.0

    def live_inputs(self) -> Arrays:
        """Input leaves as they are now, in the reader's own batch; nothing where they cannot be
        written into.
        """
        return ()

    def rate_after(self, steps: int) -> float | None:
        """Learning rate after so many steps over that at the first, where a schedule tells; None
        where none does.
        """
        return None

    def decay(self) -> float:
        """Largest weight decay of the optimizer's groups; 0 where none is known."""
        return 0.0

    def steps_decayed(self, count: int, rate: float, decay: bool) -> tuple[float, ...]:
        """Losses of steps on the batch with the reader's optimizer at this rate or its own, the
        larger; with its weight decay or without.
        """
        raise CannotExamineError(f"weight decay is not examined in {self.framework}")

    def audit(self, step: Any) -> StepLog:
        """Call the reader's step some dozen times; see `StepLog`."""
        raise CannotExamineError(f"step= is not examined in {self.framework}")

    @abstractmethod
    def plain(self, value: Any) -> Any:
        """A tensor of the framework as an array; anything else as it is."""

    @abstractmethod
    def restore(self) -> None:
        """Put the reader's program back, bit by bit."""

    # What every adapter shares.

    @cached_property
    def inputs_tuple(self) -> Arrays:
        """Input leaves in order."""
        return tuple(self.inputs.values())

    @cached_property
    def targets_tuple(self) -> Arrays:
        """Target leaves in order."""
        return tuple(self.targets.values())

    @cached_property
    def outputs(self) -> Arrays:
        """Outputs in evaluation."""
        return self.call()

    @cached_property
    def training_outputs(self) -> Arrays:
        """Outputs in training, with the random numbers of seed 0."""
        return self.call(training=True)

    @cached_property
    def same_shapes(self) -> bool:
        """Whether the outputs have the same shapes in training and in evaluation."""
        return [o.shape for o in self.outputs] == [o.shape for o in self.training_outputs]

    @cached_property
    def first_backward(self) -> Backward:
        """Gradients of the batch as it is, in training."""
        return self.backward()

    @cached_property
    def output_gradient(self) -> Gradients:
        """Gradient of the loss with respect to the outputs, where they are in training."""
        return self.loss_gradient(self.training_outputs)

    @cached_property
    def scored(self) -> tuple[int, ...]:
        """Numbers of the output leaves that the loss depends on; of all float leaves without a
        loss.
        """
        if not self.has_loss:
            return tuple(k for k, o in enumerate(self.outputs) if o.size)
        return tuple(k for k, d in enumerate(self.output_gradient) if d is not None)

    @cached_property
    def few_steps(self) -> Steps:
        """Four steps with Adam, so that a layer that starts at zero shows what it passes on."""
        return self.steps(4, rate=SMALL_RATE)

    def flat(self, outputs: Sequence[Array]) -> Array:
        """Scored outputs as one vector of float64."""
        parts = [np.asarray(outputs[k], dtype=np.float64).ravel() for k in self.scored]
        return np.concatenate(parts) if parts else np.zeros(0)


def cosine(moves: Sequence[Array], gradients: Sequence[Array | None]) -> float | None:
    """Between moves of weights and gradients, array by array; None where either is nothing or no
    number.
    """
    pairs = [
        (m, g)
        for m, g in zip(moves, gradients, strict=True)
        if g is not None and m.shape == g.shape
    ]
    product = sum(float((m.astype(np.float64) * g).sum()) for m, g in pairs)
    sizes = [
        sum(float((np.asarray(pair[k], np.float64) ** 2).sum()) for pair in pairs) for k in (0, 1)
    ]
    size = float(np.sqrt(sizes[0] * sizes[1])) if pairs else 0.0
    return product / size if 0 < size < np.inf else None


SMALL_RATE = 1e-3  # Adam's own default: it moves every weight by about a thousandth a step


@contextmanager
def quiet_numpy() -> Iterator[None]:
    """Let NaN and overflow pass: what they mean is said in a finding, not in a warning."""
    with np.errstate(all="ignore"):
        yield

"""What a whole sick program is: a plain right source, the lines that are wrong, what it shows."""

from __future__ import annotations

import importlib
import inspect
import linecache
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from lstm_ref.errors import ArgumentError, Array, MissingPackageError
from lstm_ref.zoo.registry import Change, apply

__all__ = ["Array", "Case", "SickProgram", "WellProgram", "build", "check_unique"]

CONSTRUCTED = "Constructed for this course."
FRAMEWORKS = ("torch", "keras", "numpy")
DTYPES = ("float32", "float64")


@dataclass(frozen=True)
class Case:
    """What a reader's program hands to the doctor, and what its owner watches.

    Parameters
    ----------
    model : module, compiled Keras model, or parameters
    batch : inputs and targets
    loss, optimizer : as the program's own loop uses them; None where the model has been compiled
    arguments : further arguments of `doctor.examine`: ``lengths``, ``causal``, ``step``, ``valid``
        ...
    learn : trains for so many steps, with the program's own loop
    score : what the owner watches, small when all is well: error on unseen data
    predict : outputs of a batch of inputs, in evaluation, as an array
    """

    model: Any
    batch: tuple[Any, Any]
    loss: Any = None
    optimizer: Any = None
    arguments: Mapping[str, Any] = field(default_factory=dict)
    learn: Callable[[int], Any] | None = None
    score: Callable[[], float] | None = None
    predict: Callable[[Any], Any] | None = None

    def examine(self, **more: Any) -> Any:
        """The doctor's report; ``more`` adds to ``arguments`` or takes their place."""
        doctor = importlib.import_module("lstm_ref.doctor")
        given = {"loss": self.loss, "optimizer": self.optimizer}
        given = {name: value for name, value in given.items() if value is not None}
        return doctor.examine(self.model, self.batch, **{**given, **self.arguments, **more})


@dataclass(frozen=True)
class SickProgram:
    """A whole program with one known fault: model, data, loss, optimizer and loop.

    Parameters
    ----------
    id : short and stable; stored in records
    plain : name of the right source, a file of this folder without its ending
    family : axes, state, padding, output, graph, cell, loop, mode or data
    title : one sentence that names the fault
    changes : the lines that differ; right and wrong come from the one source
    finding : the finding that must be named first; where several are true, any of them
    symptom, cause, fix : how it shows, why it is written, what to do, in words
    hints : they lead to the fault by degrees
    measured : number that shows the symptom, of a case; see `measures`
    limit : the sick program's number lies above it, the mended one's below
    chapter : the page that explains it
    source : address that was opened and read, or "Constructed for this course."

    Examples
    --------
    >>> from lstm_ref.zoo.programs import find
    >>> find("axis_batch_as_time").changes[0].wrong
    'self.lstm = nn.LSTM(D, H)'
    """

    id: str
    plain: str
    family: str
    title: str
    changes: tuple[Change, ...]
    finding: tuple[str, ...]
    symptom: str
    cause: str
    fix: str
    hints: tuple[str, ...]
    measured: Callable[[Case], float]
    limit: float
    chapter: str
    source: str = CONSTRUCTED

    @property
    def framework(self) -> str:
        """Whose code it is: "torch", "keras" or "numpy"."""
        return framework_of(self.plain)

    def code(self, sick: bool) -> str:
        """The program's source."""
        return apply(self.changes if sick else (), plain_source(self.plain), self.id)

    def make(self, sick: bool, seed: int = 0, **sizes: Any) -> Case:
        """The program, run until all is there and nothing is trained.

        Parameters
        ----------
        sick : with the fault, or mended
        seed : of weights and data; torch's own random numbers are as before afterwards
        sizes : N, T, H, rate ... as `sizes` lists them; for PyTorch also dtype
        """
        name = f"{self.id} {'sick' if sick else 'mended'}"
        return build(self.plain, self.code(sick), name, seed, sizes)

    @property
    def sizes(self) -> dict[str, Any]:
        """Sizes that `make` accepts, and what they are when they are not given."""
        return sizes_of(self.plain)

    def measure(self, sick: bool, seed: int = 0, **sizes: Any) -> float:
        """The symptom's number: above ``limit`` when sick, below it when mended."""
        with kept_random_state(self.framework, seed):
            return float(self.measured(self.make(sick, seed, **sizes)))


@dataclass(frozen=True)
class WellProgram:
    """A program that looks odd and is right: the doctor must find nothing in it.

    Parameters
    ----------
    id : short and stable
    plain : name of its source, a file of this folder
    title : what looks odd, and why it is right
    changes : lines that differ from the source
    """

    id: str
    plain: str
    title: str
    changes: tuple[Change, ...] = ()

    @property
    def framework(self) -> str:
        """Whose code it is: "torch", "keras" or "numpy"."""
        return framework_of(self.plain)

    @property
    def sizes(self) -> dict[str, Any]:
        """Sizes that `make` accepts, and what they are when they are not given."""
        return sizes_of(self.plain)

    def make(self, seed: int = 0, **sizes: Any) -> Case:
        """The program, as `SickProgram.make`."""
        code = apply(self.changes, plain_source(self.plain), self.id)
        return build(self.plain, code, self.id, seed, sizes)


def framework_of(plain: str) -> str:
    """Framework of a source, by the first word of its name."""
    return plain.split("_")[0]


def plain_source(plain: str) -> str:
    """Text of a right source of this folder."""
    return (Path(__file__).parent / f"{plain}.py").read_text(encoding="utf-8")


@cache
def sizes_of(plain: str) -> dict[str, Any]:
    """Sizes that the source's ``program`` accepts, with their defaults; imports its framework."""
    function = namespace_of(plain_source(plain), plain)["program"]
    parameters = inspect.signature(function).parameters.values()
    found = {each.name: each.default for each in parameters if each.name != "seed"}
    return found | ({"dtype": "float32"} if framework_of(plain) == "torch" else {})


def namespace_of(code: str, name: str) -> dict[str, Any]:
    """The names that a program's source defines. A traceback shows the lines as they were run."""
    filename = f"<zoo {name}>"
    linecache.cache[filename] = (len(code), None, code.splitlines(keepends=True), filename)
    namespace: dict[str, Any] = {"__name__": "program"}
    try:
        exec(compile(code, filename, "exec", dont_inherit=True), namespace)
    except ModuleNotFoundError as error:
        raise MissingPackageError(
            f"lstm_ref.zoo.programs: {name} needs {error.name}, which is not installed; run: pip "
            "install 'inside-the-lstm[torch,tensorflow]'"
        ) from None
    return namespace


def build(plain: str, code: str, name: str, seed: int, sizes: Mapping[str, Any]) -> Case:
    """Run a source's ``program`` with these sizes, after a look at them."""
    accepted = sizes_of(plain)
    for size, value in sizes.items():
        _check(name, size, value, accepted)
    given = {size: value for size, value in sizes.items() if size != "dtype"}
    with kept_random_state(framework_of(plain), seed, sizes.get("dtype", "float32")):
        case = namespace_of(code, name)["program"](seed, **given)
    assert isinstance(case, Case)
    return case


def _check(name: str, size: str, value: Any, accepted: Mapping[str, Any]) -> None:
    if size not in accepted:
        raise ArgumentError(f"{name}: no size {size!r}; it has {', '.join(accepted)}")
    if size == "dtype" and value not in DTYPES:
        raise ArgumentError(f"{name}: dtype must be one of {', '.join(DTYPES)}, got {value!r}")
    if size != "dtype" and not value > 0:
        raise ArgumentError(f"{name}: {size} must be positive, got {value!r}")


@contextmanager
def kept_random_state(framework: str, seed: int, dtype: str = "float32") -> Iterator[None]:
    """Random numbers from ``seed`` inside, as before outside; TensorFlow's cannot be put back."""
    of_python, of_numpy = random.getstate(), np.random.get_state()
    random.seed(seed)
    np.random.seed(seed)
    inner = {"torch": _torch_state, "keras": _keras_state}.get(framework)
    try:
        if inner is None:
            yield
        else:
            with inner(seed, dtype):
                yield
    finally:
        random.setstate(of_python)
        np.random.set_state(of_numpy)


@contextmanager
def _torch_state(seed: int, dtype: str) -> Iterator[None]:
    import torch

    before = torch.get_default_dtype()
    with torch.random.fork_rng(devices=[]), torch.enable_grad():
        torch.manual_seed(seed)
        torch.set_default_dtype(getattr(torch, dtype))
        try:
            yield
        finally:
            torch.set_default_dtype(before)


@contextmanager
def _keras_state(seed: int, dtype: str) -> Iterator[None]:
    import keras

    keras.utils.set_random_seed(seed)
    yield


def check_unique(entries: Sequence[SickProgram | WellProgram]) -> None:
    """Raise ValueError where two entries have one id."""
    ids = [entry.id for entry in entries]
    twice = sorted({id for id in ids if ids.count(id) > 1})
    if twice:
        raise ValueError(f"zoo.programs: more than one entry is called {', '.join(twice)}")

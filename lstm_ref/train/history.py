"""What is written down while a model is trained."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from typing import Any

import numpy as np


@dataclass
class History:
    """What happened at each step, and what was measured between.

    Attributes
    ----------
    loss, lr : training loss before the update of that step, and the learning rate of the update
    grad_norm : length of all gradients together, before clipping
    clipped : True where it was longer than allowed
    update_ratio : length of the update over the length of the weights: about 0.001 is usual, 0.1 is
        much
    seconds : of wall clock that the step took, its batch included
    validation : (steps taken, validation loss), as often as it was measured
    best : the (steps taken, validation loss) that was lowest, None before the first
    stopped : why training ended: "steps", "passes", "patience" or "interrupted"; "" while it goes
        on

    Examples
    --------
    >>> history = History(
    ...     loss=[2.0, 1.0],
    ...     clipped=[True, False],
    ...     validation=[(2, 1.5)],
    ...     best=(2, 1.5),
    ...     stopped="steps",
    ... )
    >>> history.steps, history.clipped_share
    (2, 0.5)
    >>> history  # doctest: +NORMALIZE_WHITESPACE
    2 steps (steps): training loss 2.0000 -> 1.0000, best validation loss 1.5000 after step 2,
    50 % of steps clipped
    """

    loss: list[float] = field(default_factory=list)
    lr: list[float] = field(default_factory=list)
    grad_norm: list[float] = field(default_factory=list)
    clipped: list[bool] = field(default_factory=list)
    update_ratio: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    validation: list[tuple[int, float]] = field(default_factory=list)
    best: tuple[int, float] | None = None
    stopped: str = ""

    @property
    def steps(self) -> int:
        """Number of steps taken."""
        return len(self.loss)

    @property
    def clipped_share(self) -> float:
        """Share of the steps whose gradients were shortened, from 0 to 1."""
        return float(np.mean(self.clipped)) if self.clipped else 0.0

    def record(self, **of_this_step: Any) -> None:
        """Add one step."""
        for name, value in of_this_step.items():
            getattr(self, name).append(value)

    def as_dict(self) -> dict[str, Any]:
        """All of it as plain lists and numbers, for JSON or a table."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> History:
        """History of such a dict."""
        return cls(**{f.name: values[f.name] for f in fields(cls)})

    def __repr__(self) -> str:
        if not self.loss:
            return "0 steps"
        text = f"{self.steps} steps{f' ({self.stopped})' if self.stopped else ''}: "
        text += f"training loss {self.loss[0]:.4f} -> {self.loss[-1]:.4f}"
        if self.best:
            text += f", best validation loss {self.best[1]:.4f} after step {self.best[0]}"
        return text + f", {self.clipped_share:.0%} of steps clipped".replace("%", " %")

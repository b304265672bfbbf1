"""How long one submission's code may take, and how much of that is left."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from autograder.errors import TimeUsedUp, WorkerTimeout

# times a submission's seconds, by which they are put off at most while its code waits for a
# processor
PATIENCE = 2.0


@dataclass
class TimeBudget:
    """Seconds for a submission: in all, for running its cells, and for the present check.

    All of them, and all deadlines, are told by `clock`, which stands still while the worker is
    ready and gets no processor: a busy machine costs no student.

    Parameters
    ----------
    left : seconds for all that workers are waited for: to read and run the cells, to answer, and to
        end
    load_left : seconds for running the cells, all runs together

    Attributes
    ----------
    left, load_left : what remains of these seconds
    deadline : when the calls of the present check must be over, from `allow`
    put_off : seconds that workers have waited for a processor
    """

    left: float
    load_left: float
    deadline: float = float("inf")
    put_off: float = 0.0
    _patience: float = field(init=False)
    _judging_since: float = field(init=False)
    _waits: bool = False

    def __post_init__(self) -> None:
        self._patience = PATIENCE * self.left
        self._judging_since = self.clock()

    def clock(self) -> float:
        """Seconds that have gone by, without those in which a worker waited for a processor."""
        return time.monotonic() - self.put_off

    def by_monotonic(self, deadline: float) -> float:
        """A deadline as `Box` takes it, by ``time.monotonic()``."""
        return deadline + self.put_off

    @property
    def patience(self) -> float:
        """Seconds by which deadlines may still be put off."""
        return self._patience - self.put_off

    @property
    def is_used_up(self) -> bool:
        """Whether no further worker can be started."""
        return self.load_left <= 0 or self.left <= 0

    def allow(self, seconds: float) -> None:
        """Give all calls from now on so many seconds together, until the next `allow`."""
        self._judging_since = self.clock()
        self.deadline = self._judging_since + seconds

    @contextmanager
    def not_of_the_check(self) -> Iterator[None]:
        """What is done within costs the present check nothing: a worker is started."""
        began = self.clock()
        yield
        self.deadline += self.clock() - began

    @contextmanager
    def call(self) -> Iterator[None]:
        """A call within a check: what the judge did since the last one costs the check nothing."""
        self.deadline += self.clock() - self._judging_since
        try:
            yield
        finally:
            self._judging_since = self.clock()

    @contextmanager
    def loading(self) -> Iterator[float]:
        """Count a run of a statement; gives the seconds that there are for running the cells."""
        began = self.clock()
        try:
            yield self.load_left
        finally:
            self.load_left -= self.clock() - began

    @contextmanager
    def free(self) -> Iterator[None]:
        """What comes to its end within is no student's time."""
        began = self.clock()
        yield
        self.left += self.clock() - began

    @contextmanager
    def ending(self) -> Iterator[None]:
        """Count the end of a worker."""
        began = self.clock()
        yield
        self.left -= self.clock() - began

    @contextmanager
    def exchange(self, seconds: float | None = None) -> Iterator[float]:
        """Count a request and its reply; gives their deadline, by `clock`.

        Parameters
        ----------
        seconds : for this request; those of the present check where they are left out

        Raises
        ------
        TimeUsedUp : there was a timeout, and with it no time is left
        """
        began = self.clock()
        deadline = self.deadline if seconds is None else began + seconds
        if self._waits:  # within another exchange, whose time goes on
            yield deadline
            return
        self._waits = True
        try:
            yield min(deadline, began + self.left)
        except WorkerTimeout:
            if self.clock() - began >= self.left:
                raise TimeUsedUp("no time is left") from None
            raise
        finally:
            self.left -= self.clock() - began
            self._waits = False

"""How far a run is: a bar where somebody looks at a terminal, a line now and then where stderr goes
into a file.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

LINE_EVERY = 20.0  # seconds between two lines
FEWEST_DONE = (
    4  # submissions, from whose rate nothing is said of the time left: the judges were starting
)


@dataclass
class Counter:
    """What is known of a run while it runs.

    Parameters
    ----------
    total : submissions to grade
    clock : seconds

    Attributes
    ----------
    done, failed : submissions so far, and those among them that could not be graded
    """

    total: int
    clock: Callable[[], float] = time.monotonic
    done: int = 0
    failed: int = 0
    _began: float = field(init=False)

    def __post_init__(self) -> None:
        self._began = self.clock()

    def advance(self, failed: bool = False) -> None:
        """Count one submission."""
        self.done += 1
        self.failed += failed

    @property
    def per_minute(self) -> float:
        """Submissions per minute, from the first to now; those whose record still held count as
        well.
        """
        return 60 * self.done / max(self.clock() - self._began, 1e-9)

    @property
    def seconds_left(self) -> float:
        """Seconds to the end, at the same rate; 0 where nothing can be said yet."""
        return (self.total - self.done) / self.per_minute * 60 if self.done else 0.0

    def __str__(self) -> str:
        left = f", {self.seconds_left:.0f} s left" if FEWEST_DONE < self.done < self.total else ""
        return (
            f"{self.done} of {self.total} graded, {self.per_minute:.0f} per minute{left}, "
            f"{self.failed} failed"
        )

    def say(self, text: str) -> None:
        """Tell a person something; here nobody listens."""


@dataclass
class Lines(Counter):
    """Prints a line when the last one is some time ago, and one at the end."""

    console: Console = field(default_factory=lambda: Console(stderr=True))
    pause: float = LINE_EVERY
    _last: float = field(init=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        self._last = self._began

    def advance(self, failed: bool = False) -> None:
        """Count one submission."""
        super().advance(failed)
        now = self.clock()
        if now - self._last >= self.pause or self.done == self.total:
            self._last = now
            self.say(str(self))

    def say(self, text: str) -> None:
        """Print a line."""
        self.console.print(Text(text), soft_wrap=True)


@dataclass
class Bar(Counter):
    """Moves a bar on a terminal."""

    progress: Progress = field(kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        self._task = self.progress.add_task("Grading", total=self.total, rate="", failed="")

    def advance(self, failed: bool = False) -> None:
        """Count one submission."""
        super().advance(failed)
        bad = f"[red]{self.failed} failed[/]" if self.failed else ""
        self.progress.update(self._task, advance=1, rate=f"{self.per_minute:.0f}/min", failed=bad)

    def say(self, text: str) -> None:
        """Print a line above the bar."""
        self.progress.console.print(Text(text), soft_wrap=True)


@contextmanager
def progress_of(
    total: int, quiet: bool = False, console: Console | None = None
) -> Iterator[Counter]:
    """Show how far a run is, on stderr.

    Parameters
    ----------
    total : submissions to grade
    quiet : show nothing
    console : where to; stderr when left out
    """
    console = console or Console(stderr=True)
    if quiet:
        yield Counter(total)
    elif not console.is_terminal:
        yield Lines(total, console=console)
    else:
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(compact=True),
            TextColumn("{task.fields[failed]}"),
        )
        with Progress(*columns, console=console, transient=True) as progress:
            yield Bar(total, progress=progress)

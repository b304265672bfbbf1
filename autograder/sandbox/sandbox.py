"""What the judge needs of a sandbox."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from autograder.sandbox.box import Box
from autograder.sandbox.level import Level
from autograder.sandbox.limits import Limits


class Sandbox(Protocol):
    """Starts workers, each in a box of its own: bubblewrap, a container, a plain process, or other
    machines.
    """

    @property
    def level(self) -> Level:
        """How well it isolates; it stands in every record."""

    def start(self, packages: Iterable[str], limits: Limits) -> Box:
        """Start a worker.

        Parameters
        ----------
        packages : distributions that it may import
        limits : of its memory, processes, files and output

        Raises
        ------
        IsolationError : no box can be made; says why
        """

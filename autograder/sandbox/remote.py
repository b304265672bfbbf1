"""A sandbox on other machines."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from autograder.errors import IsolationError
from autograder.sandbox.box import Box
from autograder.sandbox.level import Level, is_sandboxed
from autograder.sandbox.limits import Limits


@dataclass(frozen=True)
class RemoteSandbox:
    """Sandbox on cluster workers: each tests its own isolation; nothing runs here."""

    level: Level

    def may_be(self, level: str) -> bool:
        """Whether a result of this level may come from there: a machine without bubblewrap takes a
        container.
        """
        return level == self.level or (is_sandboxed(level) and is_sandboxed(self.level))

    def start(self, packages: Iterable[str], limits: Limits) -> Box:
        """Refuse: no student's code runs on this machine."""
        raise IsolationError(
            "The students' code runs on a cluster's workers, not here.",
            "Leave --scheduler out to run it here.",
        )

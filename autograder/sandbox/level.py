"""The levels of isolation, as they stand in every record."""

from __future__ import annotations

from enum import StrEnum


class Level(StrEnum):
    """How a student's code was held apart."""

    BUBBLEWRAP = "bubblewrap"
    PODMAN = "podman"
    DOCKER = "docker"
    UNSAFE_LOCAL = "unsafe-local"
    UNSAFE_OTHER_USER = "unsafe-local, as another user"


SANDBOXED = frozenset({Level.BUBBLEWRAP, Level.PODMAN, Level.DOCKER})


def is_sandboxed(level: str) -> bool:
    """Whether a record's level is a sandbox; one that is not known is none.

    >>> is_sandboxed("podman"), is_sandboxed("unsafe-local, as another user"), is_sandboxed("")
    (True, False, False)
    """
    return level in SANDBOXED

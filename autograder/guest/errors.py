"""The errors that also the code inside the sandbox raises; `autograder.errors` has them with all
others.
"""

from __future__ import annotations


class AutograderError(Exception):
    """Anything that autograder refuses, or cannot do."""


class WorkerError(AutograderError, RuntimeError):
    """The worker gave no answer; whatever the reason, its process is killed and a new one is
    started.
    """


class ProtocolError(WorkerError):
    """Bytes came that are no frame of this protocol, or an object that cannot be put into one."""

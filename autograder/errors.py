"""What autograder raises.

AutograderError
 ├─ ProblemSetError  (also a ValueError)    a problem set is missing or contradicts itself
 ├─ ClusterError     (also a RuntimeError)  no cluster answers, or it has another version of the course
 ├─ IsolationError   (also a RuntimeError)  this machine cannot hold the student's code apart; says what to install
 └─ WorkerError      (also a RuntimeError)  the worker gave no answer
     ├─ WorkerDied     its process ended
     ├─ WorkerTimeout  no answer in time
     ├─ OutOfMemory    its processes took more memory than allowed
     └─ ProtocolError  it sent bytes that are no answer
"""

from __future__ import annotations


class AutograderError(Exception):
    """Anything that autograder refuses, or cannot do."""


class ProblemSetError(AutograderError, ValueError):
    """A problem set is missing or contradicts itself."""


class ClusterError(AutograderError, RuntimeError):
    """The cluster that is to grade does not answer, or cannot; says what to do."""


class IsolationError(AutograderError, RuntimeError):
    """Nothing on this machine can hold the student's code apart.

    Parameters
    ----------
    reason : what was tried and what came of it
    remedy : what to do about it
    """

    def __init__(self, reason: str, remedy: str) -> None:
        super().__init__(f"{reason}\n{remedy}")
        self.reason = reason
        self.remedy = remedy


class WorkerError(AutograderError, RuntimeError):
    """The worker gave no answer; whatever the reason, its process is killed and a new one is started."""


class WorkerDied(WorkerError):
    """The worker's process ended."""


class WorkerTimeout(WorkerError):
    """The worker gave no answer in time."""


class TimeUsedUp(WorkerTimeout):
    """All the time that there is for one submission was used before."""


class OutOfMemory(WorkerError):
    """The worker's processes took more memory than allowed."""


class ProtocolError(WorkerError):
    """Bytes came that are no frame of this protocol, or an object that cannot be put into one."""

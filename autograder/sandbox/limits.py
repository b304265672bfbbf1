"""Resource limits of one worker."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True)
class Limits:
    """Resource limits of the student's code.

    Parameters
    ----------
    memory : bytes, for each process and for all together
    processes : processes and threads at one time
    scratch : bytes in each of the two writable folders, and in one file
    open_files : at one time, per process
    cpu_seconds : per process
    output : characters of stdout and stderr that are kept, the last ones
    judge_seconds : CPU seconds of the judge itself, to decode and to compare answers
    load_seconds : for running the cells; a sixth of it for one statement. Waiting for a processor
        does not count
    """

    memory: int = 2 << 30
    processes: int = 64
    scratch: int = 64 << 20
    open_files: int = 128
    cpu_seconds: int = 600
    output: int = 10_000
    judge_seconds: int = 180
    load_seconds: int = 120

    # signals that wait, and POSIX timers, which each hold one back: memory of the kernel's that no
    # other limit counts
    signals: ClassVar[int] = 1000

    @property
    def with_files(self) -> int:
        """Bytes of memory for processes and files: the two writable folders are tmpfs, and the
        kernel counts their files as memory.
        """
        return self.memory + 2 * self.scratch

    def for_worker(self) -> dict[str, int]:
        """By the names of ``resource.RLIMIT_*``."""
        return {
            "AS": self.memory,
            "NPROC": self.processes,
            "FSIZE": self.scratch,
            "NOFILE": self.open_files,
            "CPU": self.cpu_seconds,
            "CORE": 0,
            "SIGPENDING": self.signals,
        }

"""A worker that runs in a box: bytes in, bytes out, what it prints, and its end."""

from __future__ import annotations

import os
import select
import shutil
import signal
import subprocess
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import psutil

from autograder.errors import (
    OutOfMemory,
    ProtocolError,
    WorkerDied,
    WorkerError,
    WorkerKilled,
    WorkerTimeout,
)
from autograder.guest.protocol import MAX_HEADER, MAX_PAYLOAD, PREFIX_SIZE
from autograder.sandbox.cgroup import Cgroup
from autograder.sandbox.limits import Limits

# bytes of replies that are held for reading: one frame
MAX_UNREAD = PREFIX_SIZE + MAX_HEADER + MAX_PAYLOAD
AUTOGROUP_TRIES = 40  # two seconds in all, which a niceness is worth and no more
FEW_DESCRIPTORS = 128  # of all processes of a box together: what their sockets hold is little then


class Process(Protocol):
    """What `Box` needs of a worker's process: a part of ``subprocess.Popen``, with the three pipes
    open.
    """

    stdin: Any
    stdout: Any
    stderr: Any
    pid: int  # of its first process; memory of all descendants counts as the worker's
    returncode: int | Any

    def poll(self) -> int | None:
        """How it ended; None while it runs."""

    def wait(self, timeout: float | None = None) -> int:
        """How it ended, as soon as it has; raises ``subprocess.TimeoutExpired``."""

    def kill(self) -> None:
        """End it."""


@dataclass
class Box:
    """A worker that runs: bytes in, bytes out, and what it prints.

    Nothing here waits longer than the deadline it is given, and nothing the worker prints, however
    much, can stop it or fill the judge's memory.
    """

    process: Process
    limits: Limits
    # pidfd of pid 1 of the namespace: killing it kills all others
    first: int | None = None
    folder: Path | None = None  # to be removed at the end
    # cgroup in which all of it runs, where the kernel holds it to its limits
    group: Cgroup | None = None
    killed: int = (
        128 + signal.SIGKILL
    )  # exit code that tells of a worker killed from within, or by whoever knows only it
    # seconds by which deadlines may be put off, as long as the worker waits for a processor
    patience: float = 0.0
    put_off: float = 0.0  # seconds by which they were
    output: bytearray = field(default_factory=bytearray)
    _unread: bytearray = field(default_factory=bytearray)
    _starved: float = 0.0  # seconds without a processor that have put off a deadline
    _watched: float = field(default_factory=time.monotonic)  # when the memory was looked at last

    def __post_init__(self) -> None:
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            assert stream is not None
            os.set_blocking(stream.fileno(), False)
        self._requests, self._replies, self._printed = (
            stream.fileno()
            for stream in (self.process.stdin, self.process.stdout, self.process.stderr)
            if stream
        )
        self._open = {self._replies, self._printed}

    def send(self, data: bytes, deadline: float) -> None:
        """Send all of ``data``, while reading what comes.

        Raises
        ------
        WorkerDied, WorkerTimeout, OutOfMemory
        """
        view = memoryview(data)
        while view:
            deadline = self._fair(deadline)
            try:
                view = view[os.write(self._requests, view) :]
            except (
                BlockingIOError
            ):  # the pipe is full; nearly always there is room, and nothing need be waited for
                self._wait(deadline, writing=True)
            except BrokenPipeError:
                raise self._ended() from None

    def read(self, size: int, deadline: float) -> bytes:
        """Exactly ``size`` bytes of what the worker replies.

        Raises
        ------
        WorkerDied, WorkerTimeout, OutOfMemory
        """
        while len(self._unread) < size:
            if self._replies not in self._open:
                raise self._ended()
            deadline = self._fair(deadline)
            self._wait(deadline)
        data = bytes(self._unread[:size])
        del self._unread[:size]
        return data

    def _fair(self, deadline: float) -> float:
        """The deadline; where it is over, later by as long as the worker was ready and had no
        processor.

        Raises
        ------
        WorkerTimeout : it is over, and the machine was not too busy for the worker
        """
        if time.monotonic() < deadline:
            return deadline
        starved = starved_seconds(self.process.pid)
        more = min(starved - self._starved, self.patience - self.put_off)
        if more <= 0:
            raise WorkerTimeout("no answer in time")
        self._starved = starved
        self.put_off += more
        return self._fair(deadline + more)

    def _wait(self, deadline: float, writing: bool = False) -> None:
        """Take in what has come, and return when something has, or the worker can be written to; at
        least twice a second.
        """
        left = max(deadline - time.monotonic(), 0.0)
        # not select.select, which knows only the first 1024 descriptors of a process
        poll = select.poll()
        for fd in self._open:
            poll.register(fd, select.POLLIN)
        if writing:
            poll.register(self._requests, select.POLLOUT)
        ready = [fd for fd, _ in poll.poll(1000 * min(left, 0.5))]
        if not ready and self.process.poll() is not None:
            ready = [fd for fd, _ in poll.poll(0)]  # data from just before its exit
            if not ready:
                # it has exited, though another process still holds the other end of a pipe
                self._open.clear()
        for fd in self._open.intersection(ready):
            self._take(fd)
        if time.monotonic() > self._watched + 0.5:
            self._watched = time.monotonic()
            if self.group is None and self._memory() > self.limits.memory:
                raise OutOfMemory(f"more than {self.limits.memory >> 20} MiB")

    def _take(self, fd: int) -> None:
        """Take in what has come on one of the two pipes."""
        data = os.read(fd, 1 << 16)
        if not data:
            self._open.discard(fd)
        elif fd == self._printed:
            self.output += data
            del self.output[: -4 * self.limits.output]  # a character takes at most four bytes
        elif len(self._unread) > MAX_UNREAD:
            raise ProtocolError("the worker sends without being asked")
        else:
            self._unread += data

    def _memory(self) -> int:
        """Bytes of memory of the worker and its descendants together, with what their sockets may
        hold.

        First the RSS, which is fast, and counts shared pages in full for each process. Only if that
        is above the limit, the PSS, which divides shared pages among the processes.
        """
        processes: list[Any] = []
        with suppress(psutil.Error):
            processes = psutil.Process(self.process.pid).children(recursive=True)
        held = socket_bytes(process.pid for process in processes)
        total = held + sum(_memory_of(process, "rss") for process in processes)
        return (
            total
            if total <= self.limits.memory
            else held + sum(_memory_of(process, "pss") for process in processes)
        )

    def _ended(self) -> WorkerError:
        """Why the worker is gone: out of memory, or otherwise."""
        words = self._last_words()
        if self._out_of_memory():
            return OutOfMemory(f"more than {self.limits.memory >> 20} MiB")
        # pid 1 of the namespace reports a kill from within it. Pid 1 itself, and bubblewrap around
        # it, can be killed from outside only.
        from_outside = {-signal.SIGKILL, 128 + signal.SIGKILL} - {self.killed}
        if self.first is not None and self.process.returncode in from_outside:
            return WorkerKilled(words)
        return WorkerDied(words)

    def _out_of_memory(self) -> bool:
        """Whether the kernel's OOM killer ended it, where the box has a cgroup of its own."""
        return self.group is not None and self.group.ran_out_of_memory()

    def _last_words(self) -> str:
        """How the process ended, in words."""
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(timeout=5)
        status = self.process.returncode
        if status is None:
            return "it closed its connection"
        if status == self.killed:
            return "signal SIGKILL"
        # of the signal; bubblewrap reports it as a shell does
        number = status - 128 if status > 128 else -status
        if number in set(signal.Signals):
            return f"signal {signal.Signals(number).name}"
        return f"exit status {status}"

    def cpu_seconds(self) -> float:
        """CPU seconds that the worker and what it started have used."""
        used = self.group.cpu_seconds() if self.group is not None else None
        return cpu_seconds(self.process.pid) if used is None else used

    def take_niceness(self) -> None:
        """Let the worker's session be as nice as this process: by itself, each session has its own
        share of the processors, whatever the niceness of those within it.
        """
        take_niceness(self.process.pid)

    def printed(self) -> str:
        """End of what the student's code printed so far."""
        return self.output.decode(errors="replace")[-self.limits.output :]

    def close(self) -> None:
        """Kill everything in the box and wait until it is gone."""
        if self.first is not None:
            with suppress(ProcessLookupError, PermissionError):
                signal.pidfd_send_signal(self.first, signal.SIGKILL)
            # bubblewrap itself may end a moment earlier, when the worker ended by itself.
            end = select.poll()
            end.register(self.first, select.POLLIN)
            end.poll(10_000)
            os.close(self.first)
            self.first = None
        elif self.process.poll() is None:
            # Without a namespace only the process group can be reached; a process that left it
            # survives: unsafe indeed.
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
        if self.group is not None:
            self.group.close()
            self.group = None
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        # What was printed just before the end; bounded, for without a namespace a survivor might go
        # on printing.
        for _ in range(64):
            with suppress(BlockingIOError):
                if self._printed in self._open:
                    self._take(self._printed)
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)


def starved_seconds(pid: int) -> float:
    """Seconds for which a process, or one below it, was ready and had no processor; of several, the
    longest.

    0 where the kernel does not tell, or where they cannot be seen.
    """
    found = [0]
    with suppress(psutil.Error):
        process = psutil.Process(pid)
        for one in (process, *process.children(recursive=True)):
            with suppress(OSError, ValueError, IndexError):
                # nanoseconds
                found.append(int(Path(f"/proc/{one.pid}/schedstat").read_text().split()[1]))
    return max(found) / 1e9


def cpu_seconds(pid: int) -> float:
    """CPU seconds that a process and all below it have used, those of processes that have ended
    included where somebody has waited for them.

    0 where the kernel does not tell, or where they cannot be seen.
    """
    total = 0.0
    with suppress(psutil.Error):
        process = psutil.Process(pid)
        for one in (process, *process.children(recursive=True)):
            with suppress(psutil.Error):
                total += sum(one.cpu_times()[:4])  # user, system, and both of its dead children
    return total


def socket_bytes(pids: Iterable[int]) -> int:
    """Bytes of the kernel's memory that the sockets of some processes may hold, of which nothing
    shows in the processes' own; 0 as long as these have few descriptors.
    """
    paths = []
    for pid in pids:
        with suppress(OSError):
            paths += [entry.path for entry in os.scandir(f"/proc/{pid}/fd")]
    if len(paths) <= FEW_DESCRIPTORS:
        return 0
    sockets = 0
    for path in paths:
        with suppress(OSError):
            sockets += os.readlink(path).startswith("socket:")
    # What is sent and not yet received: the kernel doubles the size that a process asks for.
    return 2 * int(Path("/proc/sys/net/core/wmem_max").read_text()) * sockets


def take_niceness(pid: int) -> None:
    """Write the niceness of this process into the autogroups of another one and all below it, where
    the kernel has such groups.
    """
    if not (nice := os.getpriority(os.PRIO_PROCESS, 0)):
        return
    with suppress(psutil.Error):
        process = psutil.Process(pid)
        for one in (process, *process.children(recursive=True)):
            with suppress(OSError):
                _set_niceness(Path(f"/proc/{one.pid}/autogroup"), nice)


def _set_niceness(group: Path, nice: int) -> None:
    """Write a niceness that is not there yet: of all processes together that are not root's, the
    kernel takes one every tenth of a second.
    """
    for _ in range(AUTOGROUP_TRIES):
        if group.read_text().endswith(f" nice {nice}\n"):
            return
        try:
            group.write_text(str(nice))
        except BlockingIOError:
            time.sleep(0.05)


def _memory_of(process: Any, kind: str) -> int:
    """Bytes of memory of a process, ``rss`` or ``pss``; 0 where it has ended."""
    with suppress(psutil.NoSuchProcess):
        try:
            info = process.memory_full_info() if kind == "pss" else process.memory_info()
        except psutil.AccessDenied:
            info = process.memory_info()
        return int(getattr(info, kind, info.rss))
    return 0

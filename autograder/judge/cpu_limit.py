"""A limit on the processor time that the judge itself takes for one submission.

A student's code decides what the judge has to read and to compare, and with that how long it takes.
"""

from __future__ import annotations

import resource
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

AGAIN = 1.0  # CPU seconds after which a limit is told again, where a destructor swallowed it
# CPU seconds more, after which the kernel ends a judge that is inside a library and hears nothing
GRACE = 60.0


_here = threading.local()  # "until": CPU seconds of this thread at which its limit is reached


class Overrun(BaseException):
    """The limit is reached; no Exception, because a check that fails is not to be blamed for it."""


@contextmanager
def cpu_limit(seconds: float) -> Iterator[None]:
    """Raise `Overrun` once so many CPU seconds are used: of this process, in its main thread,
    whatever it does.

    In another thread, as on a Dask worker, those of the thread count, and `look` raises it: Python
    handles signals in the main one only.
    """
    if threading.current_thread() is not threading.main_thread():
        _here.until = time.thread_time() + seconds
        try:
            yield
        finally:
            del _here.until
        return

    def stop(number: int, frame: FrameType | None) -> None:
        raise Overrun

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds, AGAIN)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def look() -> None:
    """Raise `Overrun` where this thread's limit is reached; called between two steps of the judge's
    work.
    """
    if time.thread_time() > getattr(_here, "until", float("inf")):
        raise Overrun


def end_after(seconds: float) -> None:
    """Have the kernel end this process by SIGXCPU after so many CPU seconds from now, and some
    grace.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    at = int(time.process_time() + seconds + GRACE)
    resource.setrlimit(
        resource.RLIMIT_CPU, (at if hard == resource.RLIM_INFINITY else min(at, hard), hard)
    )

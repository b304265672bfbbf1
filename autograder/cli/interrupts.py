"""Ctrl-C at a moment that is not safe.

A KeyboardInterrupt that is raised where nobody can catch it, as in a callback of the garbage
collector (SQLAlchemy has some), is printed and forgotten: the program goes on as if nobody had
pressed anything. One that is raised while SQLAlchemy gives a connection back is logged with its
traceback before it goes on. Here the first is raised once more, a moment later, and the second
waits for that moment.
"""

from __future__ import annotations

import _thread
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

AGAIN_AFTER = 0.05  # seconds; the callback must have ended by then, else it comes again
LONGEST_DELAY = 5.0  # seconds that an interruption waits for a library to end what it does
LETS_END = "sqlalchemy"  # package that is not interrupted in the middle


@contextmanager
def interrupted_at_safe_points() -> Iterator[None]:
    """Within it, a KeyboardInterrupt that is dropped interrupts the main thread again, and Ctrl-C
    waits until SQLAlchemy has ended what it does, for `LONGEST_DELAY` at most.
    """
    hook, again = sys.unraisablehook, _Again()
    sys.unraisablehook = _raises_again(hook, again)
    # Only the main thread may say what a signal does, and whoever ignores Ctrl-C goes on to.
    handles = (
        threading.current_thread() is threading.main_thread()
        and signal.getsignal(signal.SIGINT) is signal.default_int_handler
    )
    if handles:
        signal.signal(signal.SIGINT, _waits(again))
    try:
        yield
    finally:
        # What ended meanwhile need not be interrupted, and nobody outside expects it.
        again.cancel()
        sys.unraisablehook = hook
        if handles:
            signal.signal(signal.SIGINT, signal.default_int_handler)


class _Again:
    """Interruptions of the main thread that are still to come."""

    def __init__(self) -> None:
        self.timers: list[threading.Timer] = []

    def interrupt(self) -> None:
        timer = threading.Timer(AGAIN_AFTER, _interrupt_main)
        timer.daemon = True
        self.timers = [timer, *(one for one in self.timers if one.is_alive())]
        timer.start()

    def cancel(self) -> None:
        for timer in self.timers:
            timer.cancel()
            timer.join()


def _interrupt_main() -> None:
    if hasattr(signal, "pthread_kill"):
        # A real signal: a simulated one does not wake a thread that waits for a lock or a queue.
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
    else:
        _thread.interrupt_main()


def _raises_again(before: Any, again: _Again) -> Any:
    def hook(dropped: Any) -> None:
        if issubclass(dropped.exc_type, KeyboardInterrupt):
            again.interrupt()
        else:
            before(dropped)

    return hook


def _waits(again: _Again) -> Any:
    since: list[float] = []  # when the interruption that waits came

    def handler(number: int, frame: FrameType | None) -> None:
        since[:] = since or [time.monotonic()]
        if _is_within(LETS_END, frame) and time.monotonic() - since[0] < LONGEST_DELAY:
            again.interrupt()
            return
        since.clear()
        signal.default_int_handler(number, frame)

    return handler


def _is_within(package: str, frame: FrameType | None) -> bool:
    """Whether a function of the package is at work, or has called what is."""
    while frame is not None:
        if str(frame.f_globals.get("__name__")).partition(".")[0] == package:
            return True
        frame = frame.f_back
    return False

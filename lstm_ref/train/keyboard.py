"""Ctrl-C between two steps, never within one."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def whole_step() -> Iterator[None]:
    """Let Ctrl-C wait until the end of the block, so that no parameter is changed without the
    others.

    A second Ctrl-C does not wait. In other threads than the main one nothing is done: Python sends
    them no signals.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before: Any = signal.getsignal(signal.SIGINT)
    if not callable(before):  # ignored, or handled outside Python
        yield
        return
    pressed = []

    def wait(number: int, frame: Any) -> None:
        pressed.append(number)
        if len(pressed) > 1:
            before(number, frame)

    signal.signal(signal.SIGINT, wait)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        if pressed:
            before(signal.SIGINT, None)

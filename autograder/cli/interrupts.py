"""Ctrl-C that Python drops.

A KeyboardInterrupt that is raised where nobody can catch it, as in a callback of the garbage
collector (SQLAlchemy has some), is printed and forgotten: the program goes on as if nobody had
pressed anything. Here it is raised once more, a moment later.
"""

from __future__ import annotations

import _thread
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

LATER = 0.05  # seconds; the callback must have ended by then, else it comes again


@contextmanager
def dropped_ones_come_again() -> Iterator[None]:
    """Within it, a KeyboardInterrupt that is dropped interrupts the main thread again."""
    before = sys.unraisablehook

    def hook(dropped: Any) -> None:
        if issubclass(dropped.exc_type, KeyboardInterrupt):
            again = threading.Timer(LATER, _thread.interrupt_main)
            again.daemon = True
            again.start()
        else:
            before(dropped)

    sys.unraisablehook = hook
    try:
        yield
    finally:
        sys.unraisablehook = before

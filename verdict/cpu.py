"""A budget of CPU seconds for what a student's function does in one check."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from verdict.check import Call, Check, Status, StudentError


def limited(check: Check, call: Call, clock: Callable[[], float]) -> Call:
    """The call, which raises once all calls together have used more than ``check.at_most_cpu``.

    Parameters
    ----------
    check : with the budget; without one, the call stays what it is
    call : the student's function, or a proxy for it
    clock : CPU seconds that the student's code has used until now; read before and after each call

    Raises
    ------
    StudentError : to the caller, with the seconds that were used and those that are allowed
    """
    most = check.at_most_cpu
    if most is None:
        return call
    used = 0.0

    def ask(*args: Any) -> Any:
        nonlocal used
        before = clock()
        value = call(*args)
        used += clock() - before
        if used > most:
            raise StudentError(
                Status.TIMEOUT,
                f"{check.asked} has used {used:.2f} seconds of processor time in this check, and "
                f"{most:g} are allowed. What is computed more than once, or in a loop over single "
                "numbers?",
            )
        return value

    return ask

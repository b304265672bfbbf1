"""Calls of the C library that raise OSError, and the two that both ways to drop privileges share.

Landlock, namespaces and capabilities stand where they are used: in `drop_privileges` and
`forkserver`.
"""

from __future__ import annotations

import ctypes
import os
from typing import Any

PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS, SECCOMP_MODE_FILTER = 22, 38, 2

libc = ctypes.CDLL(None, use_errno=True)


class Filter(ctypes.Structure):
    """``struct sock_fprog``."""

    _fields_ = [("length", ctypes.c_ushort), ("program", ctypes.c_char_p)]


def call(name: str, *arguments: Any) -> int:
    """Call a function of the C library; an int is handed over as an unsigned long.

    Raises
    ------
    OSError : it failed; says which one
    """
    given = [ctypes.c_ulong(a) if isinstance(a, int) else a for a in arguments]
    result = int(getattr(libc, name)(*given))
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")
    return result


def forbid_new_privileges() -> None:
    """From now on no program that is run gives this process, or a child of it, any right."""
    call("prctl", PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)


def install_filter(program: bytes) -> None:
    """Install a filter of system calls, an array of ``struct sock_filter``, on this process and all
    that it starts.
    """
    given = Filter(len(program) // 8, program)
    call("prctl", PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(given), 0, 0)

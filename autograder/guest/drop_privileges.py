"""Drop root in the child: uid, no_new_privs, Landlock, seccomp; then exec the worker.

It is started by `plain_process` as root, needs the standard library only, and runs none of the
student's code. Nothing that it drops can be regained: root's uid, setuid programs, the system calls
that the filter names, and where the kernel has Landlock all files but those in the settings.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import sys
from typing import Any

if __name__ == "__main__":  # with nothing of this course on the path
    sys.path.insert(0, json.loads(sys.argv[1])["code"])

from autograder.guest.syscalls import call, forbid_new_privileges, install_filter, libc

# The same numbers on every machine; from include/uapi/linux/landlock.h.
CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
# version of Landlock -> how many rights to files it knows
RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
ON_A_FILE = EXECUTE | WRITE_FILE | READ_FILE


class Ruleset(ctypes.Structure):
    """``struct landlock_ruleset_attr``."""

    _fields_ = [
        ("files", ctypes.c_uint64),
        ("network", ctypes.c_uint64),
        ("scoped", ctypes.c_uint64),
    ]


class Below(ctypes.Structure):
    """``struct landlock_path_beneath_attr``."""

    _pack_ = 1
    _layout_ = "ms"
    _fields_ = [("allowed", ctypes.c_uint64), ("descriptor", ctypes.c_int32)]


def landlock_version() -> int:
    """Version of Landlock that this kernel has; 0 where it has none, or where a container's own
    filter denies it.
    """
    return max(0, int(libc.syscall(CREATE_RULESET, None, ctypes.c_size_t(0), 1)))


def main(settings: dict[str, Any], command: list[str]) -> None:
    """Take everything away, then run the command in place of this process."""
    os.setgroups([])
    os.setresgid(settings["uid"], settings["uid"], settings["uid"])
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.setresuid(settings["uid"], settings["uid"], settings["uid"])
    forbid_new_privileges()
    if version := landlock_version():
        _close_files(version, settings["readable"], settings["writable"])
    if settings["filter"]:
        install_filter(bytes.fromhex(settings["filter"]))
    os.execv(command[0], command)


def _close_files(version: int, readable: list[str], writable: list[str]) -> None:
    """Leave open to this process, and to all that it starts, only some files; and no TCP, where
    Landlock knows of it.
    """
    everything = (1 << RIGHTS.get(version, 16)) - 1
    ruleset = Ruleset(everything, 3 if version >= 4 else 0, 3 if version >= 6 else 0)
    size = 8 if version < 4 else 16 if version < 6 else 24
    rules = call("syscall", CREATE_RULESET, ctypes.byref(ruleset), size, 0)
    for paths, allowed in ((readable, EXECUTE | READ_FILE | READ_DIR), (writable, everything)):
        for path in paths:
            try:
                descriptor = os.open(path, os.O_PATH)
            except OSError:
                continue  # a path out of this uid's reach needs no rule
            rights = allowed if os.path.isdir(path) else allowed & ON_A_FILE
            below = Below(rights, descriptor)
            call("syscall", ADD_RULE, rules, 1, ctypes.byref(below), 0)
            os.close(descriptor)
    call("syscall", RESTRICT_SELF, rules, 0)
    os.close(rules)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]), sys.argv[2:])

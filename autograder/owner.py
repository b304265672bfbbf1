"""Whose a box is: a name that tells, even after a kill, which judge made a thing and whether that judge still lives."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

PREFIX = "autograder"


def name() -> str:
    """Name for a thing that is to go with this process: a container, a folder, a cgroup."""
    return f"{PREFIX}-{mark(os.getpid())}-{secrets.token_hex(6)}"


def mark(pid: int) -> str:
    """Boot, process namespace, number and start of a process: no other process, ever, has the same four.

    Raises
    ------
    OSError : there is no such process
    """
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip().replace("-", "")[:12]
    return f"{boot}-{os.stat('/proc/self/ns/pid').st_ino}-{pid}-{_start(pid)}"


def is_left(thing: str, shared: bool = False) -> bool:
    """Whether a thing of that name was left behind by a judge that ended; False for what is no judge's.

    Parameters
    ----------
    thing : its name, from `name`
    shared : other machines may have made it, as in a home folder that many mount; theirs are left alone

    >>> is_left("somebody-elses"), is_left(name())
    (False, False)
    >>> is_left("autograder-000000000000-1-1-1-abcdef")
    True
    """
    parts = thing.split("-")
    if len(parts) != 6 or parts[0] != PREFIX or not all(part.isdigit() for part in parts[2:5]):
        return False
    mine = mark(os.getpid()).split("-")
    if parts[1] != mine[0]:
        return not shared  # of before this machine started; nothing of then can still run
    if parts[2] != mine[1]:
        return False  # of a judge in another container, whose processes this one does not see
    try:
        return _start(int(parts[3])) != int(parts[4])
    except OSError:
        return True


def own_uid() -> int:
    """Return a number that no user of this machine has, so that the limit on processes counts this box's only."""
    # 0x70000000 up is left unused by systemd's table of uids; a container may know fewer numbers.
    first, count = 0x70000000, 0x0FFFFFFF
    known = [tuple(map(int, line.split())) for line in Path("/proc/self/uid_map").read_text().splitlines()]
    if not any(start <= first and first + count <= start + length for start, _, length in known):
        first, count = 60600, 580  # unused as well, between systemd's two ranges for dynamic users
    return first + secrets.randbelow(count)


def _start(pid: int) -> int:
    """When a process started, in the kernel's clock ticks since the boot; a zombie has ended."""
    # The name of the program, in brackets, may hold anything.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    if fields[0] in ("Z", "X"):
        raise ProcessLookupError(pid)
    return int(fields[19])

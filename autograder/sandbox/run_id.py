"""Names that encode the creating process (boot id, pid namespace, pid, start time).

By them, leftovers of dead processes can be found and removed.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path

PREFIX = "autograder"
UNUSED_UIDS = range(60_600, 61_180)  # between systemd's two ranges for dynamic users


def name() -> str:
    """A new name for a container, a folder or a cgroup of this process."""
    return f"{PREFIX}-{process_id(os.getpid())}-{secrets.token_hex(6)}"


def process_id(pid: int) -> str:
    """Boot id, pid namespace, pid and start time of a process, which together are unique for ever.

    Raises
    ------
    OSError : there is no such process
    """
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip().replace("-", "")[:12]
    return f"{boot}-{os.stat('/proc/self/ns/pid').st_ino}-{pid}-{_start_time(pid)}"


def is_stale(thing: str, shared: bool = False) -> bool:
    """Whether a name encodes a process that is dead; False for any other name.

    Parameters
    ----------
    thing : from `name`
    shared : whether other machines may have made it, as in a home folder that many mount; theirs
        are left alone

    >>> is_stale("somebody-elses"), is_stale(name())
    (False, False)
    >>> is_stale("autograder-000000000000-1-1-1-abcdef")
    True
    """
    parts = thing.split("-")
    if len(parts) != 6 or parts[0] != PREFIX or not all(part.isdigit() for part in parts[2:5]):
        return False
    mine = process_id(os.getpid()).split("-")
    if parts[1] != mine[0]:
        return not shared  # from before the last boot
    if parts[2] != mine[1]:
        return False  # from another pid namespace: its processes are invisible here
    try:
        return _start_time(int(parts[3])) != int(parts[4])
    except OSError:
        return True


def own_uid() -> int:
    """A random uid that no user has, so that RLIMIT_NPROC counts the processes of one box only."""
    # 0x70000000 up is left unused by systemd's table of uids; a container may map fewer.
    first, count = 0x70000000, 0x0FFFFFFF
    known = [
        tuple(map(int, line.split()))
        for line in Path("/proc/self/uid_map").read_text().splitlines()
    ]
    if not any(start <= first and first + count <= start + length for start, _, length in known):
        return unused_uid()
    return first + secrets.randbelow(count)


def unused_uid() -> int:
    """A random uid that no distribution assigns, low enough for a container that maps few."""
    return UNUSED_UIDS.start + secrets.randbelow(len(UNUSED_UIDS))


def _start_time(pid: int) -> int:
    """Start time of a process, in clock ticks since the boot; a zombie counts as dead."""
    # The name of the program, in brackets, may hold anything.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    if fields[0] in ("Z", "X"):
        raise ProcessLookupError(pid)
    return int(fields[19])

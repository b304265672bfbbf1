"""A cgroup for each box, where the kernel's version 2 of them is given to whoever grades: limits that hold for all its processes.

Without one, each process is limited by itself, and a supervisor looks twice a second at what they take together. With one, the
kernel holds the box to its memory at every moment, counts its processes whoever their user is, shares the processor's time, and
says so when it had to end the box for want of memory.
"""

from __future__ import annotations

import os
import re
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from autograder import owner

if TYPE_CHECKING:
    from autograder.box import Limits

NEEDED = ("memory", "pids")  # controllers
WANTED = "cpu"  # one more, where it is there
PERIOD = 100_000  # microseconds, over which the processor's time is shared
OWN_PROCESSES = 4  # of bubblewrap, beside the worker's
END_LIMIT = 10.0  # seconds for a killed cgroup to become empty
JUDGE = "autograder-judge"  # cgroup for the processes that were there before
REMEDY = (
    "Where systemd runs, start the grading in a cgroup of its own: "
    f"systemd-run{'' if os.geteuid() == 0 else ' --user'} --scope -p Delegate=yes .venv/bin/autograder run PROBLEM_SET"
)


class NotDelegated(Exception):
    """Why no cgroups can be made here."""


@dataclass(frozen=True)
class Group:
    """The cgroup of one box."""

    folder: Path

    def joining(self, command: list[str]) -> list[str]:
        """Command that enters the cgroup and then becomes another, so that no process of that one is ever outside."""
        return ["/bin/sh", "-c", 'echo 0 > "$0/cgroup.procs" && exec "$@"', str(self.folder), *command]

    def take(self, pid: int) -> None:
        """Move a process and all that descend from it into the cgroup.

        Raises
        ------
        OSError : it may not be moved, or has ended
        """
        moved: set[int] = set()
        while new := {pid, *_descendants(pid)} - moved:  # until none was born meanwhile
            for number in new:
                try:
                    _write(self.folder / "cgroup.procs", str(number))
                except ProcessLookupError:
                    if number == pid:
                        raise
            moved |= new

    def ran_out_of_memory(self) -> bool:
        """Whether the kernel ended the box, because it had to have more memory than it may."""
        with suppress(OSError):
            return read_flat((self.folder / "memory.events").read_text()).get("oom_kill", 0) > 0
        return False

    def close(self) -> None:
        """Kill all that is in it and remove it."""
        remove(self.folder)


@dataclass(frozen=True)
class Hierarchy:
    """Where cgroups of boxes can be made.

    Parameters
    ----------
    folder : above them
    cpu : whether the processor's time can be shared there
    """

    folder: Path
    cpu: bool

    def group(self, limits: Limits) -> Group:
        """Make a cgroup for a box.

        Raises
        ------
        OSError : it cannot be made any more
        """
        folder = self.folder / owner.name()
        folder.mkdir()
        try:
            _write(folder / "memory.max", str(limits.with_files))
            if (folder / "memory.swap.max").exists():  # missing where the kernel has no swap
                _write(folder / "memory.swap.max", "0")
            _write(folder / "memory.oom.group", "1")  # a box that lost one process at random would answer at random
            _write(folder / "pids.max", str(limits.processes + OWN_PROCESSES))
            if self.cpu:
                _write(folder / "cpu.max", f"{PERIOD} {PERIOD}")  # one core: as many boxes run as there are cores
        except OSError:
            remove(folder)
            raise
        return Group(folder)


def hierarchy() -> Hierarchy | None:
    """Where boxes get cgroups on this machine; None where they cannot."""
    found = _found()
    return found if isinstance(found, Hierarchy) else None


def make(limits: Limits) -> Group | None:
    """Make a cgroup for a box, where boxes get them on this machine; None where they do not, or it cannot be made any more."""
    found = hierarchy()
    with suppress(OSError):
        return found.group(limits) if found is not None else None
    return None


def why_not() -> str:
    """Why boxes get no cgroups on this machine; nothing where they do."""
    found = _found()
    return "" if isinstance(found, Hierarchy) else found


@cache
def _found() -> Hierarchy | str:
    try:
        return find(Path("/proc/self/mountinfo").read_text(), Path("/proc/self/cgroup").read_text())
    except NotDelegated as error:
        return str(error)
    except OSError as error:
        return f"{error.filename or 'a cgroup'}: {error.strerror or error}"


def find(mounts: str, own: str) -> Hierarchy:
    """Find where cgroups can be made, and make one, limit it, put a process in it and end that, to see that it works.

    Parameters
    ----------
    mounts, own : what /proc/self/mountinfo and /proc/self/cgroup say

    Raises
    ------
    NotDelegated : nowhere; says why
    OSError : the kernel refused one of these steps
    """
    top, here = places(mounts, own)
    problems = []
    for folder in _candidates(top, here):
        try:
            found = prepare(folder)
            try_out(found)
            return found
        except (OSError, NotDelegated) as error:
            problems.append(f"{folder}: {getattr(error, 'strerror', None) or error}")
    raise NotDelegated("; ".join(problems))


def places(mounts: str, own: str) -> tuple[Path, Path]:
    """Return where the cgroups are mounted, and which folder there is this process's.

    Raises
    ------
    NotDelegated : version 2 of them is not mounted

    >>> line = "30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw"
    >>> [str(path) for path in places(line, "0::/user.slice/mine.scope")]
    ['/sys/fs/cgroup', '/sys/fs/cgroup/user.slice/mine.scope']
    """
    inside = next((line[3:] for line in own.splitlines() if line.startswith("0::")), None)
    for line in mounts.splitlines():
        about, _, kind = line.partition(" - ")
        if kind.split(" ")[0] == "cgroup2" and inside is not None:
            root, mount = (re.sub(r"\\(\d{3})", lambda m: chr(int(m[1], 8)), word) for word in about.split(" ")[3:5])
            # Where the mount shows a part of the tree only, paths begin below that part.
            return Path(mount), Path(mount) / os.path.relpath(inside, root if inside.startswith(root) else "/")
    raise NotDelegated("version 2 of the kernel's cgroups is not mounted")


def memory_limit(pid: int) -> int | None:
    """Bytes of memory to which a process's own cgroup is held, of either version; None where it is not, or none can be seen."""
    mounts = own = ""
    with suppress(OSError):
        mounts, own = Path("/proc/self/mountinfo").read_text(), Path(f"/proc/{pid}/cgroup").read_text()
    for line in own.splitlines():
        _, controllers, inside = line.split(":", 2)
        if controllers not in ("", "memory"):
            continue
        name = "memory.limit_in_bytes" if controllers else "memory.max"
        for mount in mounts.splitlines():
            about, _, kind = mount.partition(" - ")
            words = kind.split(" ")
            if words[0] == ("cgroup" if controllers else "cgroup2") and controllers in words[-1]:
                with suppress(OSError, ValueError):
                    return int((Path(about.split(" ")[4]) / inside.strip("/") / name).read_text())
    return None


def _candidates(top: Path, here: Path) -> list[Path]:
    """Folders under which cgroups may be made, the best first: never one that the system manages."""
    if here.name == JUDGE:  # a judge started this one
        here = here.parent
    # Only the machine's own root has no type; what looks like a root in a container has one.
    is_root = not (top / "cgroup.type").exists()
    if os.geteuid() != 0:
        if here.stat().st_uid != os.geteuid() or (here == top and is_root):
            raise NotDelegated(f"{here} does not belong to you")
        return [here]
    if not is_root:
        return [here]
    delegated = here != top and any(_has(here, word) for word in ("trusted.delegate", "user.delegate"))
    return [here, top] if delegated else [top]


def _has(folder: Path, attribute: str) -> bool:
    """Whether systemd wrote that it left the folder to somebody."""
    with suppress(OSError):
        return os.getxattr(folder, attribute) == b"1"
    return False


def prepare(folder: Path) -> Hierarchy:
    """Switch the controllers on for cgroups below a folder, and remove what ended judges left there.

    Raises
    ------
    NotDelegated : the controllers are not there
    OSError : this user may not
    """
    there = (folder / "cgroup.controllers").read_text().split()
    if missing := [name for name in NEEDED if name not in there]:
        has = f"only {', '.join(there)}" if there else "nothing"
        raise NotDelegated(f"{' and '.join(missing)} cannot be limited there, {has}")
    clean_up(folder)
    wanted = [name for name in (*NEEDED, WANTED) if name in there]
    on = (folder / "cgroup.subtree_control").read_text().split()
    if off := [name for name in wanted if name not in on]:
        if (folder / "cgroup.type").exists():  # a cgroup with processes of its own cannot have limited ones below it
            _move_down(folder)
        for name in off:
            try:
                _write(folder / "cgroup.subtree_control", f"+{name}")
            except OSError:
                if name in NEEDED:
                    raise
                wanted.remove(name)
    return Hierarchy(folder, cpu=WANTED in wanted)


def _move_down(folder: Path) -> None:
    """Move a cgroup's own processes, this one among them, one cgroup down."""
    below = folder / JUDGE
    below.mkdir(exist_ok=True)
    for _ in range(100):  # until none was born meanwhile
        processes = (folder / "cgroup.procs").read_text().split()
        if not processes:
            return
        for number in processes:
            with suppress(ProcessLookupError):
                _write(below / "cgroup.procs", number)


def try_out(found: Hierarchy) -> None:
    """Limit a process, look whether it is held, and end it.

    Raises
    ------
    OSError, NotDelegated : it did not work
    """
    from autograder.box import Limits

    group = found.group(Limits())
    try:
        process = subprocess.Popen(["/bin/sh", "-c", "read line"], stdin=subprocess.PIPE, env={})
        try:
            group.take(process.pid)
            if str(process.pid) not in (group.folder / "cgroup.procs").read_text().split():
                raise NotDelegated("a process that was put into a cgroup is not in it")
            remove(group.folder)
            process.wait(timeout=END_LIMIT)
        except subprocess.TimeoutExpired:
            raise NotDelegated("a process outlived its cgroup") from None
        finally:
            process.kill()
            process.communicate()
    finally:
        remove(group.folder)


def clean_up(folder: Path) -> list[str]:
    """Remove the cgroups of judges that ended without doing it.

    Returns
    -------
    their names
    """
    left = [path for path in folder.iterdir() if path.is_dir() and owner.is_left(path.name)]
    for path in left:
        remove(path)
    return [path.name for path in left]


def remove(folder: Path) -> None:
    """Kill all that is in a cgroup, wait until it is gone, and remove it; one that is gone is no matter."""
    deadline = time.monotonic() + END_LIMIT
    while folder.exists():
        with suppress(OSError):
            _kill(folder)
            _remove_folder(folder)
            return
        if time.monotonic() > deadline:
            return  # the next judge tries again
        time.sleep(0.01)


def _kill(folder: Path) -> None:
    if not read_flat((folder / "cgroup.events").read_text()).get("populated"):
        return
    if (folder / "cgroup.kill").exists():
        _write(folder / "cgroup.kill", "1")
        return
    for number in (folder / "cgroup.procs").read_text().split():  # a kernel before 5.14
        with suppress(ProcessLookupError):
            os.kill(int(number), 9)


def _remove_folder(folder: Path) -> None:
    folder.rmdir()


def read_flat(text: str) -> dict[str, int]:
    r"""Numbers by name, of a file of the kernel's.

    >>> read_flat("low 0\noom_kill 2\n")
    {'low': 0, 'oom_kill': 2}
    """
    return {name: int(number) for name, _, number in (line.partition(" ") for line in text.splitlines())}


def _descendants(pid: int) -> list[int]:
    """Processes that descend from one; empty where the kernel does not say."""
    found = []
    if not Path("/proc/self/task", str(os.getpid()), "children").exists():  # a kernel that was built without
        with suppress(psutil.Error):
            return [process.pid for process in psutil.Process(pid).children(recursive=True)]
    with suppress(OSError):
        for task in os.listdir(f"/proc/{pid}/task"):
            for child in Path(f"/proc/{pid}/task/{task}/children").read_text().split():
                found += [int(child), *_descendants(int(child))]
    return found


def _write(path: Path, text: str) -> None:
    with open(path, "w") as file:
        file.write(text)

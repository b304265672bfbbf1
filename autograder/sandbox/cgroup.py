"""A cgroup (version 2) for each box, where they are delegated: limits for all its processes
together.

Without one, rlimits hold for each process by itself, and a supervisor polls the memory of all twice
a second. With one, the kernel enforces memory, number of processes and CPU time at every moment,
and reports an OOM kill.
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

import psutil

from autograder.errors import NotDelegated
from autograder.sandbox import run_id
from autograder.sandbox.limits import Limits

NEEDED = ("memory", "pids")  # controllers
WANTED = "cpu"  # an optional controller
PERIOD = 100_000  # microseconds: the period of cpu.max
OWN_PROCESSES = 4  # of bubblewrap, beside the worker's
EMPTY_LIMIT = 10.0  # seconds for a killed cgroup to become empty
JUDGE = "autograder-judge"  # cgroup into which existing processes are moved
REMEDY = (
    "Where systemd runs, start the grading in a cgroup of its own: "
    f"systemd-run{'' if os.geteuid() == 0 else ' --user'} --scope -p Delegate=yes "
    ".venv/bin/autograder run PROBLEM_SET"
)


@dataclass(frozen=True)
class Cgroup:
    """The cgroup of one box."""

    folder: Path

    def exec_inside(self, command: list[str]) -> list[str]:
        """Wrap a command: a shell enters the cgroup and then execs it, so that no process is ever
        outside.
        """
        return [
            "/bin/sh",
            "-c",
            'echo 0 > "$0/cgroup.procs" && exec "$@"',
            str(self.folder),
            *command,
        ]

    def add(self, pid: int) -> None:
        """Move a process and its descendants into the cgroup.

        Raises
        ------
        OSError : it may not be moved, or has ended
        """
        moved: set[int] = set()
        while new := {pid, *_descendants(pid)} - moved:  # until no process was forked meanwhile
            for each in new:
                try:
                    _write(self.folder / "cgroup.procs", str(each))
                except ProcessLookupError:
                    if each == pid:
                        raise
            moved |= new

    def ran_out_of_memory(self) -> bool:
        """Whether the kernel OOM-killed the box."""
        with suppress(OSError):
            return read_flat((self.folder / "memory.events").read_text()).get("oom_kill", 0) > 0
        return False

    def cpu_seconds(self) -> float | None:
        """CPU seconds that all processes of the box have used, those that have ended included; None
        where the kernel does not tell.
        """
        with suppress(OSError):
            used = read_flat((self.folder / "cpu.stat").read_text()).get("usage_usec")
            return None if used is None else used / 1e6
        return None

    def close(self) -> None:
        """Kill its processes and remove it."""
        remove(self.folder)


@dataclass(frozen=True)
class Hierarchy:
    """Where cgroups of boxes can be made.

    Parameters
    ----------
    folder : their parent
    cpu : whether the cpu controller is there
    """

    folder: Path
    cpu: bool

    def group(self, limits: Limits) -> Cgroup:
        """Make a cgroup for a box.

        Raises
        ------
        OSError : it cannot be made any more
        """
        folder = self.folder / run_id.name()
        folder.mkdir()
        try:
            _write(folder / "memory.max", str(limits.with_files))
            if (folder / "memory.swap.max").exists():  # missing where the kernel has no swap
                _write(folder / "memory.swap.max", "0")
            # an OOM kill ends the whole box, not a random process of it
            _write(folder / "memory.oom.group", "1")
            _write(folder / "pids.max", str(limits.processes + OWN_PROCESSES))
            if self.cpu:
                # one core: as many boxes run as there are cores
                _write(folder / "cpu.max", f"{PERIOD} {PERIOD}")
        except OSError:
            remove(folder)
            raise
        return Cgroup(folder)


def hierarchy() -> Hierarchy | None:
    """Parent of the boxes' cgroups on this machine; None where none can be made."""
    found = _found_hierarchy()
    return found if isinstance(found, Hierarchy) else None


def make(limits: Limits) -> Cgroup | None:
    """Make a cgroup for a box; None where cgroups are unavailable."""
    found = hierarchy()
    with suppress(OSError):
        return found.group(limits) if found is not None else None
    return None


def why_not() -> str:
    """Why cgroups are unavailable on this machine; empty where they are available."""
    found = _found_hierarchy()
    return "" if isinstance(found, Hierarchy) else found


@cache
def _found_hierarchy() -> Hierarchy | str:
    try:
        return find(Path("/proc/self/mountinfo").read_text(), Path("/proc/self/cgroup").read_text())
    except NotDelegated as error:
        return str(error)
    except OSError as error:
        return f"{error.filename or 'a cgroup'}: {error.strerror or error}"


def find(mounts: str, own: str) -> Hierarchy:
    """Find a parent for cgroups, and test it: make a cgroup, limit it, move a process in and kill
    it.

    Parameters
    ----------
    mounts, own : contents of /proc/self/mountinfo and /proc/self/cgroup

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
            check_hierarchy(found)
            return found
        except (OSError, NotDelegated) as error:
            problems.append(f"{folder}: {getattr(error, 'strerror', None) or error}")
    raise NotDelegated("; ".join(problems))


def places(mounts: str, own: str) -> tuple[Path, Path]:
    """Mount point of cgroup2, and the folder of this process's cgroup.

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
            root, mount = (
                re.sub(r"\\(\d{3})", lambda m: chr(int(m[1], 8)), word)
                for word in about.split(" ")[3:5]
            )
            # Where the mount shows a part of the tree only, paths begin below that part.
            return Path(mount), Path(mount) / os.path.relpath(
                inside, root if inside.startswith(root) else "/"
            )
    raise NotDelegated("version 2 of the kernel's cgroups is not mounted")


def memory_limit(pid: int) -> int | None:
    """Memory limit of a process's cgroup in bytes, of version 1 or 2; None where there is none."""
    mounts = own = ""
    with suppress(OSError):
        mounts, own = (
            Path("/proc/self/mountinfo").read_text(),
            Path(f"/proc/{pid}/cgroup").read_text(),
        )
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
    """Possible parents of cgroups, the best first: never one that systemd manages."""
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
    delegated = here != top and any(
        _has(here, word) for word in ("trusted.delegate", "user.delegate")
    )
    return [here, top] if delegated else [top]


def _has(folder: Path, attribute: str) -> bool:
    """Whether systemd has marked a folder as delegated."""
    with suppress(OSError):
        return os.getxattr(folder, attribute) == b"1"
    return False


def prepare(folder: Path) -> Hierarchy:
    """Enable the controllers for cgroups below a folder, and remove stale ones.

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
        # no internal processes: a cgroup with processes cannot have children with controllers
        if (folder / "cgroup.type").exists():
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
    """Move the processes of a cgroup, this one among them, into a child cgroup."""
    below = folder / JUDGE
    below.mkdir(exist_ok=True)
    for _ in range(100):  # until no process was forked meanwhile
        processes = (folder / "cgroup.procs").read_text().split()
        if not processes:
            return
        for pid in processes:
            with suppress(ProcessLookupError):
                _write(below / "cgroup.procs", pid)


def check_hierarchy(found: Hierarchy) -> None:
    """Move a process into a limited cgroup, and kill the cgroup.

    Raises
    ------
    OSError, NotDelegated : it did not work
    """
    group = found.group(Limits())
    try:
        process = subprocess.Popen(["/bin/sh", "-c", "read line"], stdin=subprocess.PIPE, env={})
        try:
            group.add(process.pid)
            if str(process.pid) not in (group.folder / "cgroup.procs").read_text().split():
                raise NotDelegated("a process that was put into a cgroup is not in it")
            remove(group.folder)
            process.wait(timeout=EMPTY_LIMIT)
        except subprocess.TimeoutExpired:
            raise NotDelegated("a process outlived its cgroup") from None
        finally:
            process.kill()
            process.communicate()
    finally:
        remove(group.folder)


def clean_up(folder: Path) -> list[str]:
    """Remove the cgroups of dead judges.

    Returns
    -------
    their names
    """
    left = [path for path in folder.iterdir() if path.is_dir() and run_id.is_stale(path.name)]
    for path in left:
        remove(path)
    return [path.name for path in left]


def remove(folder: Path) -> None:
    """Kill the processes of a cgroup, wait until it is empty, and remove it, if it exists."""
    deadline = time.monotonic() + EMPTY_LIMIT
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
    for pid in (folder / "cgroup.procs").read_text().split():  # a kernel before 5.14
        with suppress(ProcessLookupError):
            os.kill(int(pid), 9)


def _remove_folder(folder: Path) -> None:
    folder.rmdir()


def read_flat(text: str) -> dict[str, int]:
    r"""A flat keyed file of the kernel, as a dict.

    >>> read_flat("low 0\noom_kill 2\n")
    {'low': 0, 'oom_kill': 2}
    """
    return {
        name: int(number) for name, _, number in (line.partition(" ") for line in text.splitlines())
    }


def _descendants(pid: int) -> list[int]:
    """Pids of a process's descendants; empty where the kernel does not tell."""
    found = []
    # a kernel that was built without
    if not Path("/proc/self/task", str(os.getpid()), "children").exists():
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

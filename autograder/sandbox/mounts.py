"""What a box holds: Python, its library, the allowed packages, a few variables, and nothing else of
this machine.
"""

from __future__ import annotations

import csv
import json
import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from autograder.errors import IsolationError
from autograder.sandbox.limits import Limits

PACKAGE = Path(__file__).resolve().parents[1]
GUEST = PACKAGE / "guest"
# All of this repository that enters the box: that folder, and of verdict what the instant checks
# need, too.
SHIPPED = tuple(str(path.relative_to(PACKAGE)) for path in sorted(GUEST.glob("*.py")))
SHARED = tuple(PACKAGE.parent / "verdict" / name for name in ("table_parts.py", "tensors.py"))
CODE = Path("/worker")
HIDDEN_SIZE = 1 << 16  # bytes, of the tmpfs over a folder that is hidden: places to bind over
# They look up in /proc what the processor can do (and complain), or where Python is (and end it).
ASK_PROC = frozenset({"torch", "tensorflow", "tensorflow-cpu"})
ENVIRONMENT = {
    "PATH": "/usr/bin:/bin",
    "HOME": "/box",
    "USER": "student",
    "LOGNAME": "student",
    "TMPDIR": "/tmp",
    "LANG": "C.UTF-8",
    # One thread each: as many students are graded at once as there are cores.
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "NUMEXPR_NUM_THREADS": "1",
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
    "TF_ENABLE_ONEDNN_OPTS": "0",
    # TensorFlow's lines on this machine's processor do not belong in a student's output
    "TF_CPP_MIN_LOG_LEVEL": "2",
}


@dataclass(frozen=True)
class Installation:
    """The Python that runs this and the allowed packages: what a box must hold of the machine's
    files, at the same paths.

    At the same paths, because shared libraries find each other relative to where they lie.
    """

    python: Path
    system: tuple[Path, ...]  # folders and files that are bound
    hidden: tuple[Path, ...]  # folders of other packages inside them
    packages: tuple[Path, ...]  # files and folders of the allowed packages
    # those packages and all that they require, by their normalised names
    distributions: tuple[str, ...]

    @property
    def package_folders(self) -> tuple[Path, ...]:
        """Where they lie: entries for sys.path."""
        return tuple(dict.fromkeys(path.parent for path in self.packages))

    def below(self, *folders: str) -> list[str]:
        """Files and folders of the box that lie below one of these, without what lies in others of
        them.
        """
        there = [
            p
            for p in (*self.system, *self.packages)
            if any(p.is_relative_to(folder) for folder in folders)
        ]
        return sorted(
            {str(p) for p in there if not any(p != q and p.is_relative_to(q) for q in there)}
        )


@cache
def installation(packages: tuple[str, ...]) -> Installation:
    """What of this machine's files a box with these distributions, and with all that they require,
    must hold.

    Raises
    ------
    PackageNotFoundError : one of them is not installed; its message is the name
    """
    python = Path(sys.executable).resolve()
    prefix = Path(sys.base_prefix).resolve()
    system = [
        Path("/usr/lib"),
        Path("/usr/lib64"),
        Path("/usr/lib32"),
        prefix / "lib",
        prefix / "lib64",
        python,
    ]
    system += [Path(f"/{name}") for name in ("lib", "lib64") if not Path(f"/{name}").is_symlink()]
    system += [Path("/etc/ld.so.cache"), Path("/etc/alternatives")]
    system = [path for path in dict.fromkeys(system) if path.exists()]
    roots = {prefix / "lib", prefix / "lib64", Path("/usr/lib"), Path("/usr/lib64")}
    hidden = {
        path
        for root in roots
        for pattern in (
            "site-packages",
            "dist-packages",
            "python3*/site-packages",
            "python3*/dist-packages",
        )
        for path in root.glob(pattern)
    }
    distributions = with_requirements(packages)
    found = [path for name in distributions for path in package_files(name)]
    return Installation(
        python, tuple(system), tuple(sorted(hidden)), tuple(dict.fromkeys(found)), distributions
    )


def with_requirements(packages: tuple[str, ...]) -> tuple[str, ...]:
    """Distributions and all that they require here, by their normalised names; what only an extra
    requires is left out.

    Raises
    ------
    PackageNotFoundError : one of them is not installed; its message is the name

    >>> with_requirements(("NumPy",))
    ('numpy',)
    """
    found: dict[str, None] = {}
    waiting = list(packages)
    while waiting:
        name = canonicalize_name(waiting.pop(0))
        if name in found:
            continue
        found[name] = None
        requirements = [Requirement(line) for line in distribution(name).requires or []]
        waiting += [
            r.name for r in requirements if r.marker is None or r.marker.evaluate({"extra": ""})
        ]
    return tuple(found)


@cache
def package_files(name: str) -> list[Path]:
    """Top-level files and folders of a distribution."""
    found = distribution(name)
    # Not found.files, which makes an object of each line: for TensorFlow that takes ten times as
    # long.
    record = found.read_text("RECORD")
    paths_in = (
        [row[0] for row in csv.reader(record.splitlines()) if row]
        if record
        else map(str, found.files or [])
    )
    tops = {path.partition("/")[0] for path in paths_in} - {"", "..", "__pycache__"}
    folder = Path(str(found.locate_file(""))).resolve()
    paths = sorted(folder / top for top in tops)
    if not paths:
        raise IsolationError(
            f"{name} is installed, but not as files of its own.",
            f"pip install --force-reinstall {name}",
        )
    return paths


@dataclass(frozen=True)
class Folder:
    """An empty folder, through which every user can pass."""

    path: Path


@dataclass(frozen=True)
class Bind:
    """A file or folder of the machine, shown read-only."""

    source: Path
    target: Path


@dataclass(frozen=True)
class Tmpfs:
    """A folder in memory, of a size in bytes; every user can write to it where it is ``shared``."""

    path: Path
    size: int
    shared: bool = False


@dataclass(frozen=True)
class Symlink:
    """A symbolic link."""

    path: Path
    to: str


@dataclass(frozen=True)
class Devices:
    """The harmless devices, such as null and urandom."""

    path: Path


@dataclass(frozen=True)
class ReadOnly:
    """Nothing can be written there any more."""

    path: Path


@dataclass(frozen=True)
class Workdir:
    """The folder in which the command starts."""

    path: Path


Mount = Folder | Bind | Tmpfs | Symlink | Devices | ReadOnly | Workdir


def mounts_for(install: Installation, limits: Limits) -> list[Mount]:
    """All files of a box, in the order in which they are mounted; bubblewrap and the container
    translate them.
    """
    mounts: list[Mount] = []
    made: set[Path] = set()

    def folder(path: Path) -> None:
        # bubblewrap would make them for its own user only, and the worker may be another.
        for part in [*reversed(path.parents), path]:
            if part not in made and part != Path("/"):
                made.add(part)
                mounts.append(Folder(part))

    def bind(source: Path, target: Path) -> None:
        folder(target.parent)
        mounts.append(Bind(source, target))

    # First: Python or its packages may lie below /tmp.
    mounts += [Tmpfs(Path(name), limits.scratch, shared=True) for name in ("/tmp", "/box")]
    made.add(Path("/tmp"))
    for path in install.system:
        bind(path, path)
    for name in ("/lib", "/lib64"):
        if Path(name).is_symlink():
            mounts.append(Symlink(Path(name), os.readlink(name)))
    mounts += [Tmpfs(path, HIDDEN_SIZE) for path in install.hidden]
    made.update(install.hidden)
    for path in install.packages:
        if not any(path.is_relative_to(hidden) for hidden in install.hidden):
            folder(path.parent)
        mounts.append(Bind(path, path))
    mounts += [ReadOnly(path) for path in install.hidden]
    for name in SHIPPED:
        bind(PACKAGE / name, CODE / "autograder" / name)
    for path in SHARED:
        bind(path, CODE / "verdict" / path.name)
    mounts += [Devices(Path("/dev")), ReadOnly(Path("/dev"))]
    # Last: an ordinary user's box would otherwise have a root folder that can be filled without a
    # limit.
    return [*mounts, ReadOnly(Path("/")), Workdir(Path("/box"))]


def in_place_of_proc(install: Installation) -> list[Mount]:
    """What some packages read in /proc: one file and one link, mounted before all other files.

    The file system /proc itself, which would show processes and the machine, is not there.
    """
    cpuinfo = Path("/proc/cpuinfo")
    if not ASK_PROC.intersection(install.distributions) or not cpuinfo.exists():
        return []
    # The link leads nowhere: a program that is called python would be asked for more.
    link = Symlink(Path("/proc/self/exe"), str(CODE / "program"))
    return [Folder(Path("/proc")), Folder(Path("/proc/self")), Bind(cpuinfo, cpuinfo), link]


def worker_command(install: Installation, settings: Mapping[str, Any]) -> list[str]:
    """Command that starts a worker of its own; ``settings["code"]`` is the folder of its code, in
    the box or outside.
    """
    program = Path(settings["code"]) / "autograder" / "guest" / "worker.py"
    return [str(install.python), "-I", "-S", str(program), json.dumps(settings)]


def copy_worker(install: Installation, folder: Path) -> tuple[Path, Path]:
    """Copy a worker's own code into a folder, and link the allowed packages there, for a worker
    that runs in no box.

    Returns
    -------
    folders of both
    """
    code, packages = folder / "worker", folder / "packages"
    for name in SHIPPED:
        copy_for_all(PACKAGE / name, code / "autograder" / name)
    for path in SHARED:
        copy_for_all(path, code / "verdict" / path.name)
    packages.mkdir(mode=0o755)
    for path in install.packages:
        (packages / path.name).symlink_to(path)
    return code, packages


def copy_for_all(source: Path, target: Path) -> None:
    """Copy a file so that everybody can read it and only root can change it, whatever root's umask
    is.
    """
    for parent in [*reversed(target.parents)]:
        if not parent.exists():
            parent.mkdir()
            parent.chmod(0o755)
    shutil.copyfile(source, target)
    target.chmod(0o644)

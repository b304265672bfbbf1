"""What a box holds: Python, its library, the allowed packages, a few variables, and nothing else of this machine."""

from __future__ import annotations

import csv
import os
import shutil
import sys
from dataclasses import dataclass
from functools import cache
from importlib.metadata import distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from autograder.box import Limits
from autograder.errors import IsolationError

PACKAGE = Path(__file__).resolve().parent
SHIPPED = (
    "__init__.py",
    "errors.py",
    "protocol.py",
    "nursery.py",
    "worker.py",
)  # all of this package that enters the box
SHARED = PACKAGE.parent / "verdict" / "tensors.py"  # all of verdict that does: what the instant checks need, too
CODE = Path("/worker")
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
    "TF_CPP_MIN_LOG_LEVEL": "2",  # what the student's code prints is shown; what TensorFlow says of this machine is not
}


@dataclass(frozen=True)
class Installation:
    """The Python that runs this and the allowed packages: what a box must hold of the machine's files, at the same paths.

    At the same paths, because shared libraries find each other relative to where they lie.
    """

    python: Path
    system: tuple[Path, ...]  # folders and files that are bound
    hidden: tuple[Path, ...]  # folders of other packages inside them
    packages: tuple[Path, ...]  # files and folders of the allowed packages
    distributions: tuple[str, ...]  # those packages and all that they require, by their normalised names

    @property
    def package_folders(self) -> tuple[Path, ...]:
        """Where they lie: entries for sys.path."""
        return tuple(dict.fromkeys(path.parent for path in self.packages))

    def below(self, *folders: str) -> list[str]:
        """Files and folders of the box that lie below one of these, without what lies in others of them."""
        there = [p for p in (*self.system, *self.packages) if any(p.is_relative_to(folder) for folder in folders)]
        return sorted({str(p) for p in there if not any(p != q and p.is_relative_to(q) for q in there)})


@cache
def installation(packages: tuple[str, ...]) -> Installation:
    """What of this machine's files a box with these distributions, and with all that they require, must hold.

    Raises
    ------
    PackageNotFoundError : one of them is not installed; its message is the name
    """
    python = Path(sys.executable).resolve()
    prefix = Path(sys.base_prefix).resolve()
    system = [Path("/usr/lib"), Path("/usr/lib64"), Path("/usr/lib32"), prefix / "lib", prefix / "lib64", python]
    system += [Path(f"/{name}") for name in ("lib", "lib64") if not Path(f"/{name}").is_symlink()]
    system += [Path("/etc/ld.so.cache"), Path("/etc/alternatives")]
    system = [path for path in dict.fromkeys(system) if path.exists()]
    roots = {prefix / "lib", prefix / "lib64", Path("/usr/lib"), Path("/usr/lib64")}
    hidden = {
        path
        for root in roots
        for pattern in ("site-packages", "dist-packages", "python3*/site-packages", "python3*/dist-packages")
        for path in root.glob(pattern)
    }
    distributions = with_requirements(packages)
    found = [path for name in distributions for path in package_files(name)]
    return Installation(python, tuple(system), tuple(sorted(hidden)), tuple(dict.fromkeys(found)), distributions)


def with_requirements(packages: tuple[str, ...]) -> tuple[str, ...]:
    """Distributions and all that they require here, by their normalised names; what only an extra requires is left out.

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
        waiting += [r.name for r in requirements if r.marker is None or r.marker.evaluate({"extra": ""})]
    return tuple(found)


@cache
def package_files(name: str) -> list[Path]:
    """Top-level files and folders of a distribution."""
    found = distribution(name)
    # Not found.files, which makes an object of each line: for TensorFlow that takes ten times as long.
    record = found.read_text("RECORD")
    paths_in = [row[0] for row in csv.reader(record.splitlines()) if row] if record else map(str, found.files or [])
    tops = {path.partition("/")[0] for path in paths_in} - {"", "..", "__pycache__"}
    folder = Path(str(found.locate_file(""))).resolve()
    paths = sorted(folder / top for top in tops)
    if not paths:
        raise IsolationError(
            f"{name} is installed, but not as files of its own.", f"pip install --force-reinstall {name}"
        )
    return paths


def rules_for(install: Installation, limits: Limits) -> list[str]:
    """Rules that lay out the box's files."""
    rules: list[str] = []
    made: set[Path] = set()

    def folder(path: Path) -> None:
        # bubblewrap would make them for its own user only, and the worker may be another.
        for part in [*reversed(path.parents), path]:
            if part not in made and part != Path("/"):
                made.add(part)
                rules.extend(["--perms", "0755", "--dir", str(part)])

    def bind(source: Path, target: Path) -> None:
        folder(target.parent)
        rules.extend(["--ro-bind", str(source), str(target)])

    # First: Python or its packages may lie below /tmp.
    for name in ("/tmp", "/box"):
        rules.extend(["--perms", "1777", "--size", str(limits.scratch), "--tmpfs", name])
    made.add(Path("/tmp"))
    for path in install.system:
        bind(path, path)
    for name in ("lib", "lib64"):
        if Path(f"/{name}").is_symlink():
            rules.extend(["--symlink", os.readlink(f"/{name}"), f"/{name}"])
    for path in install.hidden:
        rules.extend(["--perms", "0755", "--size", "65536", "--tmpfs", str(path)])
    made.update(install.hidden)
    for path in install.packages:
        if not any(path.is_relative_to(hidden) for hidden in install.hidden):
            folder(path.parent)
        rules.extend(["--ro-bind", str(path), str(path)])
    for path in install.hidden:
        rules.extend(["--remount-ro", str(path)])
    for name in SHIPPED:
        bind(PACKAGE / name, CODE / "autograder" / name)
    bind(SHARED, CODE / "verdict" / SHARED.name)
    rules.extend(["--dev", "/dev", "--remount-ro", "/dev"])
    # Last: an ordinary user's box would otherwise have a root folder that can be filled without a limit.
    return [*rules, "--remount-ro", "/", "--chdir", "/box"]


def rules_in_place_of_proc(install: Installation) -> list[str]:
    """Rules for what some packages ask of /proc: a file and a link, before the rules that lay out all other files.

    The file system /proc itself, which would show processes and the machine, is not there.
    """
    if not ASK_PROC.intersection(install.distributions) or not Path("/proc/cpuinfo").exists():
        return []
    made = [word for path in ("/proc", "/proc/self") for word in ("--perms", "0755", "--dir", path)]
    # The link leads nowhere: a program that is called python would be asked for more.
    return [*made, "--ro-bind", "/proc/cpuinfo", "/proc/cpuinfo", "--symlink", str(CODE / "program"), "/proc/self/exe"]


def lay_out(install: Installation, folder: Path) -> tuple[Path, Path]:
    """Copy a worker's own code into a folder, and link the allowed packages there, for a worker that runs in no box.

    Returns
    -------
    folders of both
    """
    code, packages = folder / "worker", folder / "packages"
    for name in SHIPPED:
        copy_for_all(PACKAGE / name, code / "autograder" / name)
    copy_for_all(SHARED, code / "verdict" / SHARED.name)
    packages.mkdir(mode=0o755)
    for path in install.packages:
        (packages / path.name).symlink_to(path)
    return code, packages


def copy_for_all(source: Path, target: Path) -> None:
    """Copy a file so that everybody can read it and only root can change it, whatever root's umask is."""
    for parent in (target.parent.parent, target.parent):
        if not parent.exists():
            parent.mkdir()
            parent.chmod(0o755)
    shutil.copyfile(source, target)
    target.chmod(0o644)

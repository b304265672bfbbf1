"""Containers of podman or docker, where bubblewrap cannot make a box: the same mounts, the same
limits.

No image is pulled. podman runs in an empty root folder and docker in an image of it; all files are
bind mounts of this machine, read-only, at the same paths as in bubblewrap's box. Each worker gets a
container and a uid of its own.

A container outlives the process that started it. So each judge has a reaper, a small shell that
reads a pipe: it removes the containers whose names it reads, and at EOF, when the judge has ended
in any way, all of that judge's, with their folder. Leftovers of a killed reaper are removed when
the next judge starts.
"""

from __future__ import annotations

import atexit
import hashlib
import io
import json
import os
import platform
import resource
import shutil
import signal
import subprocess
import tarfile
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import psutil

from autograder.errors import IsolationError, TransientStartError
from autograder.sandbox import cgroup, run_id, seccomp
from autograder.sandbox.box import Box, cpu_seconds, take_niceness
from autograder.sandbox.level import Level
from autograder.sandbox.limits import Limits
from autograder.sandbox.mounts import (
    CODE,
    ENVIRONMENT,
    Bind,
    Installation,
    Mount,
    ReadOnly,
    Symlink,
    Tmpfs,
    Workdir,
    installation,
    mounts_for,
    worker_command,
)

START_LIMIT = 60.0  # seconds for making a container
LABEL = "autograder"
IMAGE = "localhost/autograder-empty"  # docker's, with no file that is not empty
EXTRA_PROCESSES = 16  # that the container's own program starts, within its limit, before the worker
# exit statuses with which podman and docker say that they could not start a command
FAILED = (125, 126, 127)
ATTEMPTS = 4  # at making one container, where podman's helper ended for no reason
# seen with podman 4.3 in one start of forty, when several start at once
TRANSIENT = "no logs from conmon"
INSTALL = {
    Level.PODMAN: (
        "Install it: sudo apt-get install podman uidmap (Debian, Ubuntu), sudo dnf install podman "
        "(Fedora)."
    ),
    Level.DOCKER: "Install it: https://docs.docker.com/engine/install",
}
REAPER = """\
trap '' INT TERM HUP
mark=$1 folder=$2; shift 2
while read -r name; do "$@" rm --force $WAIT --volumes "$name"; done
"$@" ps --all --quiet --filter "label=autograder=$mark" |
  while read -r name; do "$@" rm --force $WAIT --volumes "$name"; done
rm -rf "$folder"
"""


@dataclass
class ContainerBox(Box):
    """A worker that runs in a container."""

    name: str = ""
    program: str = ""
    pid: int = 0  # of the container's first process, on the host; 0 where it ended at once
    reaper: Reaper | None = None

    def _memory(self) -> int:
        """Bytes of memory of the worker and its processes, all descendants of the first."""
        total = 0
        with suppress(psutil.Error):
            first = psutil.Process(self.pid)
            for process in [first, *first.children(recursive=True)]:
                with suppress(psutil.Error):
                    total += process.memory_info().rss
        return total

    def cpu_seconds(self) -> float:
        """CPU seconds that the worker and what it started have used."""
        return cpu_seconds(self.pid) if self.pid else 0.0

    def take_niceness(self) -> None:
        """Let the container be as nice as this process."""
        if self.pid:
            take_niceness(self.pid)

    def _out_of_memory(self) -> bool:
        if self.process.poll() != 128 + signal.SIGKILL:
            return False
        return (
            _say(self.program, "inspect", "--format", "{{.State.OOMKilled}}", self.name) == "true"
        )

    def close(self) -> None:
        """Kill the container's processes, wait for them, and have the reaper remove it."""
        if self.first is not None:
            try:
                signal.pidfd_send_signal(self.first, signal.SIGKILL)
            except ProcessLookupError:
                pass
            except PermissionError:  # docker, asked by a user who may ask it but is not root
                _say(self.program, "kill", self.name)
        super().close()
        if self.reaper is not None:
            self.reaper.remove(self.name)
            self.reaper = None


@dataclass(frozen=True)
class Container:
    """Boxes made by podman or docker.

    Parameters
    ----------
    program : path of ``podman`` or ``docker``
    level : which of the two
    options : of ``run``, without which it does not work on this machine
    limited : whether the container's cgroup bounds its memory and processes
    """

    program: str
    level: Level
    options: tuple[str, ...] = ()
    limited: bool = True

    def start(self, packages: Iterable[str], limits: Limits) -> Box:
        """Start a worker.

        Raises
        ------
        IsolationError : the container could not be made; with the program's own words
        """
        install = installation(tuple(packages))
        path = [str(folder) for folder in install.package_folders]
        settings = {"code": str(CODE), "path": path, "limits": limits.for_worker(), "uid": None}
        return self.run(worker_command(install, settings), install, limits)

    def uid(self) -> int | None:
        """None: the container's process already has a uid of its own."""
        return None

    def run(self, command: list[str], install: Installation, limits: Limits) -> ContainerBox:
        """Run a command in a new container."""
        for _ in range(ATTEMPTS - 1):
            with suppress(TransientStartError):
                return self._run(command, install, limits)
        return self._run(command, install, limits)

    def _run(self, command: list[str], install: Installation, limits: Limits) -> ContainerBox:
        reaper = _reaper_of(self.program, self.level)
        name = run_id.name()
        pid_file = reaper.folder / f"{name}.pid"
        process = subprocess.Popen(
            [self.program, *self._arguments(reaper, name, pid_file, install, limits), *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C at the judge's terminal is not for it
        )
        pid = 0
        deadline = time.monotonic() + START_LIMIT
        while not pid and process.poll() is None and time.monotonic() < deadline:
            pid = self._first_process(name, pid_file)
            time.sleep(0.005)
        first = None
        if pid:
            with suppress(ProcessLookupError):
                first = os.pidfd_open(pid)
            pid_file.unlink(missing_ok=True)
        elif process.poll() in (None, *FAILED):
            process.kill()
            stderr = _without_log(process.communicate()[1])
            reaper.remove(name)
            kind = TransientStartError if TRANSIENT in stderr else IsolationError
            raise kind(
                f"{self.level} could not make a box: {stderr or 'it said nothing'}",
                _remedy(self.level, stderr),
            )
        return ContainerBox(
            process, limits, first, name=name, program=self.program, pid=pid, reaper=reaper
        )

    def _first_process(self, name: str, pid_file: Path) -> int:
        """Pid of the container's first process on the host; 0 as long as there is none."""
        if self.level == Level.PODMAN:
            said = pid_file.read_text() if pid_file.exists() else ""
        else:
            said = _say(self.program, "inspect", "--format", "{{.State.Pid}}", name)
        return int(said) if said.strip().isdigit() else 0

    def _arguments(
        self, reaper: Reaper, name: str, pid_file: Path, install: Installation, limits: Limits
    ) -> list[str]:
        layout = reaper.layout(install, limits)
        label = f"{LABEL}={run_id.process_id(os.getpid())}"
        rules = ["run", "--interactive", "--name", name, "--label", label, *self.options]
        rules += ["--pull", "never", "--log-driver", "none"]
        rules += [*self._rights(reaper), *self._bounds(limits)]
        for variable, text in ENVIRONMENT.items():
            rules += ["--env", f"{variable}={text}"]
        rules += [*layout.options, "--workdir", layout.workdir]
        if self.level != Level.PODMAN:
            return [*rules, reaper.image(layout)]
        known = _options(self.program)
        optional = ("--unsetenv-all", "--passwd=false")
        rules += [word for word in optional if word.partition("=")[0] in known]
        rules += ["--read-only-tmpfs=false", "--no-hosts", "--http-proxy=false"]
        rules += ["--security-opt", "mask=/sys"]
        rules += ["--pidfile", str(pid_file), "--rootfs", str(layout.root)]
        return ["--log-level", "error", *rules]

    def _rights(self, reaper: Reaper) -> list[str]:
        """Options that take away what code could do: network, capabilities, uid, system calls."""
        user = str(_own_uid(as_root=self.level == Level.PODMAN and os.geteuid() == 0))
        rules = ["--network", "none", "--hostname", "box", "--ipc", "none"]
        rules += ["--read-only", "--cap-drop", "ALL", "--user", f"{user}:{user}"]
        rules += ["--security-opt", "no-new-privileges", "--security-opt", "label=disable"]
        if platform.machine() in seccomp.ARCHITECTURES:
            rules += ["--security-opt", f"seccomp={reaper.profile}"]
        return rules

    def _bounds(self, limits: Limits) -> list[str]:
        """Options for memory, processes and rlimits."""
        rules = []
        if self.limited:
            rules += ["--memory", f"{limits.with_files}b", "--memory-swap", f"{limits.with_files}b"]
            rules += ["--pids-limit", str(limits.processes + EXTRA_PROCESSES)]
        for word, limit, wanted in (
            ("nofile", resource.RLIMIT_NOFILE, limits.open_files),
            ("nproc", resource.RLIMIT_NPROC, limits.processes),
            ("core", resource.RLIMIT_CORE, 0),
            ("msgqueue", resource.RLIMIT_MSGQUEUE, 0),
        ):
            hard = resource.getrlimit(limit)[1]
            value = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
            rules += ["--ulimit", f"{word}={value}:{value}"]
        return rules


@dataclass(frozen=True)
class Layout:
    """The root folder and the mounts of a container.

    Parameters
    ----------
    root : its root folder, empty but for the places at which something is bound
    options : of ``run``, that bind it
    workdir : the folder in which the worker starts
    """

    root: Path
    options: tuple[str, ...]
    workdir: str


@dataclass
class Reaper:
    """A shell that removes this judge's containers, and all of them when the judge ends."""

    program: str
    folder: Path
    process: subprocess.Popen[bytes]
    _layouts: dict[tuple[Installation, int], Layout] = field(default_factory=dict)
    _images: dict[Path, str] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def profile(self) -> Path:
        """File with the filter of system calls."""
        return self.folder / "seccomp.json"

    def remove(self, name: str) -> None:
        """Have a container removed; returns at once."""
        assert self.process.stdin is not None
        with suppress(BrokenPipeError), self._lock:
            self.process.stdin.write(f"{name}\n".encode())
            self.process.stdin.flush()

    def end(self) -> None:
        """Close its pipe, and wait until it has removed all containers."""
        assert self.process.stdin is not None
        with suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.wait()

    def layout(self, install: Installation, limits: Limits) -> Layout:
        """Layout of the mounts that bubblewrap's box has, too; made once."""
        with self._lock:
            key = install, limits.scratch
            if key not in self._layouts:
                place = self.folder / f"layout-{len(self._layouts)}"
                self._layouts[key] = lay_out(mounts_for(install, limits), place)
            return self._layouts[key]

    def image(self, layout: Layout) -> str:
        """Name of docker's image with a layout's root folder; made once."""
        with self._lock:
            if layout.root not in self._images:
                self._images[layout.root] = import_image(self.program, layout.root)
            return self._images[layout.root]


def lay_out(mounts: Sequence[Mount], place: Path) -> Layout:
    """Translate mounts: make a root folder at ``place/root`` with their places, and return the
    options that bind them.

    Raises
    ------
    IsolationError : a path has a character that cannot be told to podman or docker
    """
    root = place / "root"
    for name in ("proc", "sys", "dev", "run", "etc"):
        _passable_folder(root / name)
    read_only = {mount.path for mount in mounts if isinstance(mount, ReadOnly)}
    tmpfs: set[Path] = set()
    # folders that show nothing but what is bound below them -> what is bound over them
    hidden: dict[Path, Path] = {}
    options: list[str] = []
    workdir = "/"
    for mount in mounts:
        match mount:
            case Tmpfs(path) if path in read_only:
                hidden[path] = _passable_folder(place / f"hidden-{len(hidden)}")
                _place(path, root, tmpfs, hidden, is_folder=True)
                options += _bind(hidden[path], path)
            case Tmpfs(path, size):
                tmpfs.add(path)
                _passable_folder(_below(root, path)).chmod(0o1777)
                options += ["--tmpfs", f"{path}:rw,exec,nosuid,nodev,size={size},mode=1777"]
            case Bind(source, target):
                _place(target, root, tmpfs, hidden, is_folder=source.is_dir())
                options += _bind(source, target)
            case Symlink(path, to):
                _below(root, path).symlink_to(to)
            case Workdir(path):
                workdir = str(path)
    return Layout(root, tuple(options), workdir)


def _below(root: Path, path: Path) -> Path:
    """Place of an absolute path below another root folder."""
    return root / path.relative_to("/")


def _passable_folder(path: Path) -> Path:
    """Make a folder through which every user can pass."""
    for part in [*reversed(path.parents), path]:
        if not part.exists():
            part.mkdir()
            part.chmod(0o755)
    return path


def _place(
    path: Path, root: Path, tmpfs: set[Path], hidden: dict[Path, Path], is_folder: bool
) -> None:
    """Make the file or folder over which something is bound, in the root folder or in what hides a
    folder of this machine.
    """
    if any(path.is_relative_to(folder) for folder in tmpfs):
        return  # the program makes it, for it is in memory
    for folder, shown in hidden.items():
        if path != folder and path.is_relative_to(folder):
            there = shown / path.relative_to(folder)
            break
    else:
        if path.exists() and any(_below(root, parent).is_symlink() for parent in path.parents):
            return
        there = _below(root, path)
    if is_folder:
        _passable_folder(there)
    else:
        _passable_folder(there.parent)
        there.touch()


def _bind(source: Path, target: Path) -> list[str]:
    if set(',"\n') & {*str(source), *str(target)}:
        raise IsolationError(
            (
                f"{source}: podman and docker cannot bind a path with a comma, a quote or a line "
                "break."
            ),
            "Rename it.",
        )
    return ["--mount", f"type=bind,source={source},target={target},readonly"]


def container(level: Level) -> Container:
    """Podman or docker on this machine, as it was found to start a container; not tried out
    further.

    Raises
    ------
    IsolationError : it is not installed, or starts none; says why
    """
    if platform.system() != "Linux":
        raise IsolationError(
            f"Untrusted code can be held apart on Linux only; this is {platform.system()}.",
            "Grade on a Linux machine, in a virtual machine, or in WSL 2.",
        )
    program = shutil.which(level, path=os.defpath + ":/usr/local/bin") or shutil.which(level)
    if program is None:
        raise IsolationError(f"{level} is not installed.", INSTALL[level])
    return _found_container(program, level)


@cache
def _found_container(program: str, level: Level) -> Container:
    if level == Level.DOCKER:
        asked = subprocess.run(
            [program, "version"], capture_output=True, text=True, timeout=60, check=False
        )
        if asked.returncode != 0:
            said = asked.stderr.strip()
            raise IsolationError(f"docker's service does not answer: {said}", _remedy(level, said))
    refusals = []
    for candidate in _variants(program, level):
        try:
            _starts(candidate)
            return candidate
        except IsolationError as error:
            refusals.append(error)
    raise IsolationError(
        "; ".join(dict.fromkeys(error.reason for error in refusals)), refusals[0].remedy
    )


def _variants(program: str, level: Level) -> Iterator[Container]:
    """Options to try, the best first: with a cgroup, then without, each with every OCI runtime
    found.
    """
    if level == Level.DOCKER:
        yield Container(program, level)
        return
    others = [
        ("--runtime", name) for name in ("crun", "runc") if shutil.which(name, path=os.defpath)
    ]
    for runtime in ((), *others):
        yield Container(program, level, runtime)
    for runtime in ((), *others):
        yield Container(program, level, runtime, limited=False)
        yield Container(program, level, (*runtime, "--cgroups=disabled"), limited=False)


def _starts(candidate: Container) -> None:
    """Start a container that does nothing, and check the memory limit of its cgroup where it has
    one.

    Raises
    ------
    IsolationError : it does not start
    """
    install = installation(())
    code = "import sys; sys.stdin.read()"
    box = candidate.run([str(install.python), "-I", "-S", "-c", code], install, Limits())
    try:
        held = cgroup.memory_limit(box.pid) if box.pid else None
        box.process.stdin.close()
        box.process.wait(START_LIMIT)
        # What ended before it was seen to start: did the program fail, or the command end so soon?
        if box.process.returncode != 0:
            text = _without_log((box.process.stderr.read() if box.process.stderr else b"") or b"")
            raise IsolationError(
                f"{candidate.level} could not make a box: {text or box.process.returncode}",
                _remedy(candidate.level, text),
            )
        if candidate.limited and held != Limits().with_files:
            raise IsolationError(
                f"{candidate.level} does not hold a container to its memory.", cgroup.REMEDY
            )
    finally:
        box.close()


def version(program: str) -> str:
    """Return what the program says of its version."""
    return _say(program, "--version") or program


def _remedy(level: Level, words: str) -> str:
    """What to do about an error of podman or docker."""
    if level == Level.DOCKER:
        if "daemon" in words.lower() or "docker.sock" in words or "docker API" in words:
            return (
                "docker's service does not answer, or not to you: sudo systemctl start docker, and "
                "sudo usermod -aG docker YOU (this makes you as powerful as root), or use rootless "
                "docker or podman."
            )
        return f"Is docker complete? {INSTALL[Level.DOCKER]}"
    if "subuid" in words or "subgid" in words or "newuidmap" in words or "uid" in words:
        return (
            "podman needs a range of users for you: sudo apt-get install uidmap; sudo usermod "
            "--add-subuids 100000-165535 --add-subgids 100000-165535 YOU; podman system migrate"
        )
    if "namespace" in words:
        return (
            "User namespaces are not allowed here; podman needs them for an ordinary user. Run it "
            "as root, or use docker."
        )
    return f"Is podman complete? {INSTALL[Level.PODMAN]}"


_reapers: dict[tuple[int, str], Reaper] = {}
_reapers_lock = threading.Lock()


def _reaper_of(program: str, level: Level) -> Reaper:
    """Reaper of this process; a forked process gets its own."""
    with _reapers_lock:
        key = os.getpid(), program
        if key not in _reapers:
            clean_up(program, level)
            _reapers[key] = _start_reaper(program, level)
        return _reapers[key]


def _start_reaper(program: str, level: Level) -> Reaper:
    folder = Path(tempfile.mkdtemp(prefix=f"{run_id.name()}-"))
    (folder / "seccomp.json").write_text(json.dumps(seccomp.profile()))
    process = subprocess.Popen(
        ["/bin/sh", "-c", REAPER, "sh", run_id.process_id(os.getpid()), str(folder), program],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "WAIT": "--time=0" if level == Level.PODMAN else ""},
        start_new_session=True,  # it must survive signals to the judge's process group
    )
    reaper = Reaper(program, folder, process)
    atexit.register(reaper.end)
    return reaper


def clean_up(program: str, level: Level) -> list[str]:
    """Remove containers and folders of dead judges.

    Returns
    -------
    their names
    """
    there = _say(
        program, "ps", "--all", "--filter", f"label={LABEL}", "--format", "{{.Names}}"
    ).split()
    left = [name for name in there if run_id.is_stale(name)]
    for name in left:
        _say(
            program,
            "rm",
            "--force",
            *(["--time=0"] if level == Level.PODMAN else []),
            "--volumes",
            name,
        )
    for folder in Path(tempfile.gettempdir()).glob(f"{run_id.PREFIX}-*-*-*-*-*-*"):
        if run_id.is_stale(folder.name.rpartition("-")[0], shared=True):
            with suppress(OSError):  # another judge that starts may remove it as well
                if folder.lstat().st_uid == os.geteuid() and not folder.is_symlink():
                    shutil.rmtree(folder)
                    left.append(folder.name)
    return left


def import_image(program: str, root: Path) -> str:
    """Give docker an image that holds the places of a root folder, unless it has it.

    Returns
    -------
    the image's name, which the same places have again
    """
    packed, places = io.BytesIO(), []
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for path in sorted(root.rglob("*")):
            about = archive.gettarinfo(path, str(path.relative_to(root)))
            about.uid = about.gid = 0
            about.uname = about.gname = ""
            archive.addfile(about)
            places.append(f"{about.name} {about.mode} {about.linkname}")
    name = f"{IMAGE}:{hashlib.sha256(chr(10).join(places).encode()).hexdigest()[:12]}"
    if not _say(program, "image", "inspect", "--format", "{{.Id}}", name):
        done = subprocess.run(
            [program, "import", "-", name],
            input=packed.getvalue(),
            capture_output=True,
            check=False,
        )
        if done.returncode != 0:
            words = done.stderr.decode(errors="replace").strip()
            raise IsolationError(f"docker takes no image: {words}", _remedy(Level.DOCKER, words))
    return name


def _own_uid(as_root: bool) -> int:
    """Uid for a container; a rootless one maps 65536 of them."""
    return run_id.own_uid() if as_root else run_id.unused_uid()


def _without_log(said: bytes) -> str:
    r"""Output of a program without the lines of its log.

    >>> _without_log(b'time="12:00" level=error msg="no"\nError: no\n')
    'Error: no'
    """
    return "\n".join(
        line for line in said.decode(errors="replace").splitlines() if " level=" not in line
    ).strip()


@cache
def _options(program: str) -> frozenset[str]:
    text = subprocess.run(
        [program, "run", "--help"], capture_output=True, text=True, timeout=60, check=False
    ).stdout
    return frozenset(word for word in text.split() if word.startswith("--"))


def _say(program: str, *arguments: str) -> str:
    """Stdout of the program; empty where it fails."""
    done = subprocess.run(
        [program, *arguments], capture_output=True, text=True, timeout=60, check=False
    )
    return done.stdout.strip() if done.returncode == 0 else ""

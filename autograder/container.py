"""Boxes made by podman or docker, for machines on which bubblewrap cannot make them: the same content, the same limits.

No image is fetched. podman runs in an empty folder and docker in an image of it; everything in the box is bound from this
machine, read-only, at the same paths as in bubblewrap's box. Each worker gets a container of its own, with a user of its own.

A container does not end with the process that asked for it. A keeper, one small shell for each judge, waits at a pipe: it
removes containers whose names it reads there, and all of this judge's, with their folder, when the judge ends, however it ends.
What is left behind even so, as by a power cut, is removed when the next judge starts.
"""

from __future__ import annotations

import atexit
import hashlib
import io
import json
import os
import platform
import resource
import secrets
import shutil
import signal
import subprocess
import tarfile
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import psutil

from autograder import cgroup, owner, seccomp
from autograder.box import Box, Limits
from autograder.errors import IsolationError
from autograder.layout import CODE, ENVIRONMENT, Installation, installation, rules_for

START_LIMIT = 60.0  # seconds for making a container
LABEL = "autograder"
IMAGE = "localhost/autograder-empty"  # docker's, with no file that is not empty
EXTRA_PROCESSES = 16  # that the container's own program starts, within its limit, before the worker
FAILED = (125, 126, 127)  # exit statuses with which podman and docker say that they could not start a command
UNUSED = 60600, 580  # the first of the users that nobody is, and how many: between systemd's ranges for dynamic ones
TRIES = 4  # at making one container, where podman's helper ended for no reason
UNLUCKY = "no logs from conmon"  # seen with podman 4.3 in one start of forty, when several start at once
INSTALL = {
    "podman": "Install it: sudo apt-get install podman uidmap (Debian, Ubuntu), sudo dnf install podman (Fedora).",
    "docker": "Install it: https://docs.docker.com/engine/install",
}
KEEPER = """\
trap '' INT TERM HUP
mark=$1 folder=$2; shift 2
while read -r name; do "$@" rm --force $WAIT --volumes "$name"; done
"$@" ps --all --quiet --filter "label=autograder=$mark" | while read -r name; do "$@" rm --force $WAIT --volumes "$name"; done
rm -rf "$folder"
"""


class _Unlucky(IsolationError):
    """A container could not be made this time; no code of a student's has run."""


@dataclass
class ContainerBox(Box):
    """A worker that runs in a container."""

    name: str = ""
    program: str = ""
    number: int = 0  # of the container's first process, as this machine counts; 0 where it ended at once
    keeper: Keeper | None = None

    def _memory(self) -> int:
        """Bytes of memory that the worker and its processes take together; all of them descend from the first."""
        total = 0
        with suppress(psutil.Error):
            first = psutil.Process(self.number)
            for process in [first, *first.children(recursive=True)]:
                with suppress(psutil.Error):
                    total += process.memory_info().rss
        return total

    def _out_of_memory(self) -> bool:
        if self.process.poll() != 128 + signal.SIGKILL:
            return False
        return _say(self.program, "inspect", "--format", "{{.State.OOMKilled}}", self.name) == "true"

    def close(self) -> None:
        """Kill everything in the container, wait until it is gone, and have the container removed."""
        if self.first is not None:
            try:
                signal.pidfd_send_signal(self.first, signal.SIGKILL)
            except ProcessLookupError:
                pass
            except PermissionError:  # docker, asked by a user who may ask it but is not root
                _say(self.program, "kill", self.name)
        super().close()
        if self.keeper is not None:
            self.keeper.remove(self.name)
            self.keeper = None


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
    level: str
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
        command = [str(install.python), "-I", "-S", str(CODE / "autograder/worker.py"), json.dumps(settings)]
        return self.run(command, install, limits)

    def uid(self) -> int | None:
        """Return the user that the next worker is to become: it is one already."""
        return None

    def run(self, command: list[str], install: Installation, limits: Limits) -> ContainerBox:
        """Run a command in a new container."""
        for _ in range(TRIES - 1):
            with suppress(_Unlucky):
                return self._run(command, install, limits)
        return self._run(command, install, limits)

    def _run(self, command: list[str], install: Installation, limits: Limits) -> ContainerBox:
        keeper = _keeper(self.program, self.level)
        name = owner.name()
        pid_file = keeper.folder / f"{name}.pid"
        process = subprocess.Popen(
            [self.program, *self._arguments(keeper, name, pid_file, install, limits), *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,  # what is typed at the judge's terminal is not for it
        )
        number = 0
        deadline = time.monotonic() + START_LIMIT
        while not number and process.poll() is None and time.monotonic() < deadline:
            number = self._first_process(name, pid_file)
            time.sleep(0.005)
        first = None
        if number:
            with suppress(ProcessLookupError):
                first = os.pidfd_open(number)
            pid_file.unlink(missing_ok=True)
        elif process.poll() in (None, *FAILED):
            process.kill()
            words = _plain(process.communicate()[1])
            keeper.remove(name)
            kind = _Unlucky if UNLUCKY in words else IsolationError
            raise kind(f"{self.level} could not make a box: {words or 'it said nothing'}", _remedy(self.level, words))
        return ContainerBox(process, limits, first, name=name, program=self.program, number=number, keeper=keeper)

    def _first_process(self, name: str, pid_file: Path) -> int:
        """Number of the container's first process; 0 as long as there is none."""
        if self.level == "podman":
            said = pid_file.read_text() if pid_file.exists() else ""
        else:
            said = _say(self.program, "inspect", "--format", "{{.State.Pid}}", name)
        return int(said) if said.strip().isdigit() else 0

    def _arguments(self, keeper: Keeper, name: str, pid_file: Path, install: Installation, limits: Limits) -> list[str]:
        user = str(_own_uid(as_root=self.level == "podman" and os.geteuid() == 0))
        layout = keeper.layout(install, limits)
        rules = ["run", "--interactive", "--name", name, "--label", f"{LABEL}={owner.mark(os.getpid())}"]
        rules += [*self.options, "--pull", "never", "--log-driver", "none", "--network", "none", "--hostname", "box"]
        rules += ["--read-only", "--cap-drop", "ALL", "--user", f"{user}:{user}", "--ipc", "none"]
        rules += ["--security-opt", "no-new-privileges", "--security-opt", "label=disable"]
        if platform.machine() in seccomp.ARCHITECTURES:
            rules += ["--security-opt", f"seccomp={keeper.profile}"]
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
        for variable, text in ENVIRONMENT.items():
            rules += ["--env", f"{variable}={text}"]
        rules += [*layout.options, "--workdir", layout.workdir]
        if self.level == "podman":
            known = _options(self.program)
            rules += [word for word in ("--unsetenv-all", "--passwd=false") if word.partition("=")[0] in known]
            rules += ["--read-only-tmpfs=false", "--no-hosts", "--http-proxy=false", "--security-opt", "mask=/sys"]
            rules += ["--pidfile", str(pid_file), "--rootfs", str(layout.root)]
            return ["--log-level", "error", *rules]
        return [*rules, keeper.image(layout)]


@dataclass(frozen=True)
class Layout:
    """What a container holds of this machine's files.

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
class Keeper:
    """Removes this judge's containers, and all of them when the judge ends."""

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
        """Remove all that is left, and wait for it."""
        assert self.process.stdin is not None
        with suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.wait()

    def layout(self, install: Installation, limits: Limits) -> Layout:
        """Layout that holds what `layout.rules_for` lays out for bubblewrap; made once."""
        with self._lock:
            key = install, limits.scratch
            if key not in self._layouts:
                place = self.folder / f"layout-{len(self._layouts)}"
                self._layouts[key] = lay_out(rules_for(install, limits), place)
            return self._layouts[key]

    def image(self, layout: Layout) -> str:
        """Name of docker's image with a layout's root folder; made once."""
        with self._lock:
            if layout.root not in self._images:
                self._images[layout.root] = import_image(self.program, layout.root)
            return self._images[layout.root]


def lay_out(rules: list[str], place: Path) -> Layout:
    """Translate bubblewrap's rules: make a root folder at ``place/root`` with their places, and return what binds them.

    Raises
    ------
    IsolationError : a path has a character that cannot be told to podman or docker
    """
    root = place / "root"
    for name in ("proc", "sys", "dev", "run", "etc"):
        _folder(root / name)
    read_only = {words[0] for name, words in _rules(rules) if name == "--remount-ro"}
    tmpfs: set[str] = set()
    hidden: dict[str, Path] = {}  # folders that show nothing but what is bound below them -> what is bound over them
    options: list[str] = []
    workdir, size = "/", ""
    for name, words in _rules(rules):
        match name:
            case "--size":
                size = words[0]
            case "--tmpfs" if words[0] in read_only:
                hidden[words[0]] = _folder(place / f"hidden-{len(hidden)}")
                _place(words[0], root, tmpfs, hidden, is_folder=True)
                options += _bind(str(hidden[words[0]]), words[0])
            case "--tmpfs":
                tmpfs.add(words[0])
                _folder(root / words[0].strip("/")).chmod(0o1777)
                options += ["--tmpfs", f"{words[0]}:rw,exec,nosuid,nodev,size={size},mode=1777"]
            case "--ro-bind":
                _place(words[1], root, tmpfs, hidden, is_folder=Path(words[0]).is_dir())
                options += _bind(*words)
            case "--symlink":
                (root / words[1].strip("/")).symlink_to(words[0])
            case "--chdir":
                workdir = words[0]
    return Layout(root, tuple(options), workdir)


# The rules that `layout.rules_for` uses -> how many words follow.
WORDS = {
    "--perms": 1,
    "--size": 1,
    "--tmpfs": 1,
    "--dir": 1,
    "--ro-bind": 2,
    "--symlink": 2,
    "--remount-ro": 1,
    "--dev": 1,
    "--chdir": 1,
}


def _rules(rules: list[str]) -> Iterator[tuple[str, list[str]]]:
    """Rules with their words.

    >>> list(_rules(["--dir", "/a", "--ro-bind", "/b", "/c"]))
    [('--dir', ['/a']), ('--ro-bind', ['/b', '/c'])]
    """
    at = 0
    while at < len(rules):
        count = WORDS[rules[at]]
        yield rules[at], rules[at + 1 : at + 1 + count]
        at += 1 + count


def _folder(path: Path) -> Path:
    """Make a folder through which every user can pass."""
    for part in [*reversed(path.parents), path]:
        if not part.exists():
            part.mkdir()
            part.chmod(0o755)
    return path


def _place(target: str, root: Path, tmpfs: set[str], hidden: dict[str, Path], is_folder: bool) -> None:
    """Make the file or folder over which something is bound, in the root folder or in what hides a folder of this machine."""
    path = Path(target)
    if any(path.is_relative_to(folder) for folder in tmpfs):
        return  # the program makes it, for it is in memory
    for folder, shown in hidden.items():
        if path != Path(folder) and path.is_relative_to(folder):
            there = shown / path.relative_to(folder)
            break
    else:
        if path.exists() and any((root / str(p).strip("/")).is_symlink() for p in path.parents if p != Path("/")):
            return
        there = root / target.strip("/")
    if is_folder:
        _folder(there)
    else:
        _folder(there.parent)
        there.touch()


def _bind(source: str, target: str) -> list[str]:
    if set(',"\n') & {*source, *target}:
        raise IsolationError(
            f"{source}: podman and docker cannot bind a path with a comma, a quote or a line break.", "Rename it."
        )
    return ["--mount", f"type=bind,source={source},target={target},readonly"]


def container(level: str) -> Container:
    """Podman or docker on this machine, as it was found to start a container; not tried out further.

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
    return _found(program, level)


@cache
def _found(program: str, level: str) -> Container:
    if level == "docker":
        asked = subprocess.run([program, "version"], capture_output=True, text=True, timeout=60, check=False)
        if asked.returncode != 0:
            said = asked.stderr.strip()
            raise IsolationError(f"docker's service does not answer: {said}", _remedy(level, said))
    refusals = []
    for candidate in _candidates(program, level):
        try:
            _starts(candidate)
            return candidate
        except IsolationError as error:
            refusals.append(error)
    raise IsolationError("; ".join(dict.fromkeys(error.reason for error in refusals)), refusals[0].remedy)


def _candidates(program: str, level: str) -> Iterator[Container]:
    """Ways to run it, the best first: with a cgroup, then without, each with what podman can start containers with."""
    if level == "docker":
        yield Container(program, level)
        return
    others = [("--runtime", name) for name in ("crun", "runc") if shutil.which(name, path=os.defpath)]
    for runtime in ((), *others):
        yield Container(program, level, runtime)
    for runtime in ((), *others):
        yield Container(program, level, runtime, limited=False)
        yield Container(program, level, (*runtime, "--cgroups=disabled"), limited=False)


def _starts(candidate: Container) -> None:
    """Start a container that does nothing, and look whether its cgroup is held to its limits where that is said.

    Raises
    ------
    IsolationError : it does not start
    """
    install = installation(())
    code = "import sys; sys.stdin.read()"
    box = candidate.run([str(install.python), "-I", "-S", "-c", code], install, Limits())
    try:
        held = cgroup.memory_limit(box.number) if box.number else None
        box.process.stdin.close()
        box.process.wait(START_LIMIT)
        # What ended before it was seen to start: did the program fail, or the command end so soon?
        if box.process.returncode != 0:
            text = _plain((box.process.stderr.read() if box.process.stderr else b"") or b"")
            raise IsolationError(
                f"{candidate.level} could not make a box: {text or box.process.returncode}",
                _remedy(candidate.level, text),
            )
        if candidate.limited and held != Limits().with_files:
            raise IsolationError(f"{candidate.level} does not hold a container to its memory.", cgroup.REMEDY)
    finally:
        box.close()


def version(program: str) -> str:
    """Return what the program says of its version."""
    return _say(program, "--version") or program


def _remedy(level: str, words: str) -> str:
    """What to do about the program's complaint."""
    if level == "docker":
        if "daemon" in words.lower() or "docker.sock" in words or "docker API" in words:
            return (
                "docker's service does not answer, or not to you: sudo systemctl start docker, and "
                "sudo usermod -aG docker YOU (this makes you as powerful as root), or use rootless docker or podman."
            )
        return f"Is docker complete? {INSTALL['docker']}"
    if "subuid" in words or "subgid" in words or "newuidmap" in words or "uid" in words:
        return (
            "podman needs a range of users for you: sudo apt-get install uidmap; "
            "sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 YOU; podman system migrate"
        )
    if "namespace" in words:
        return "User namespaces are not allowed here; podman needs them for an ordinary user. Run it as root, or use docker."
    return f"Is podman complete? {INSTALL['podman']}"


_keepers: dict[tuple[int, str], Keeper] = {}
_keepers_lock = threading.Lock()


def _keeper(program: str, level: str) -> Keeper:
    """Keeper of this process; a process that was forked from one with a keeper gets its own."""
    with _keepers_lock:
        key = os.getpid(), program
        if key not in _keepers:
            clean_up(program, level)
            _keepers[key] = _hire(program, level)
        return _keepers[key]


def _hire(program: str, level: str) -> Keeper:
    folder = Path(tempfile.mkdtemp(prefix=f"{owner.name()}-"))
    (folder / "seccomp.json").write_text(json.dumps(seccomp.profile()))
    process = subprocess.Popen(
        ["/bin/sh", "-c", KEEPER, "sh", owner.mark(os.getpid()), str(folder), program],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "WAIT": "--time=0" if level == "podman" else ""},
        start_new_session=True,  # it must outlive what ends the judge
    )
    keeper = Keeper(program, folder, process)
    atexit.register(keeper.end)
    return keeper


def clean_up(program: str, level: str) -> list[str]:
    """Remove containers and folders of judges that ended without doing it.

    Returns
    -------
    their names
    """
    there = _say(program, "ps", "--all", "--filter", f"label={LABEL}", "--format", "{{.Names}}").split()
    left = [name for name in there if owner.is_left(name)]
    for name in left:
        _say(program, "rm", "--force", *(["--time=0"] if level == "podman" else []), "--volumes", name)
    for folder in Path(tempfile.gettempdir()).glob(f"{owner.PREFIX}-*-*-*-*-*-*"):
        if owner.is_left(folder.name.rpartition("-")[0], shared=True):
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
        done = subprocess.run([program, "import", "-", name], input=packed.getvalue(), capture_output=True, check=False)
        if done.returncode != 0:
            words = done.stderr.decode(errors="replace").strip()
            raise IsolationError(f"docker takes no image: {words}", _remedy("docker", words))
    return name


def _own_uid(as_root: bool) -> int:
    """Return a user for a container; one made for an ordinary user knows 65536 of them."""
    return owner.own_uid() if as_root else UNUSED[0] + secrets.randbelow(UNUSED[1])


def _plain(said: bytes) -> str:
    r"""What a program said, without what it wrote for its log.

    >>> _plain(b'time="12:00" level=error msg="no"\nError: no\n')
    'Error: no'
    """
    return "\n".join(line for line in said.decode(errors="replace").splitlines() if " level=" not in line).strip()


@cache
def _options(program: str) -> frozenset[str]:
    text = subprocess.run([program, "run", "--help"], capture_output=True, text=True, timeout=60, check=False).stdout
    return frozenset(word for word in text.split() if word.startswith("--"))


def _say(program: str, *arguments: str) -> str:
    """What the program answers; nothing where it fails."""
    done = subprocess.run([program, *arguments], capture_output=True, text=True, timeout=60, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""
